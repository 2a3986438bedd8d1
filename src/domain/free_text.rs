//! What must not hide in free text: numbers that identify, written in any of the ways people write them.

use super::identifiers::is_my_number;

/// Whether a text holds a 個人番号 (番号法19条): twelve digits with a valid check digit, in ASCII, full-width, mathematical or kanji digits,
/// written together, in groups of one size (`1234-5678-9012`), or in any groups that make up the whole number. Characters that print nothing
/// are passed over. About one chance run of twelve digits in eleven passes too, so a refusal names the field and the sender can write it otherwise.
#[must_use]
pub fn holds_my_number(text: &str) -> bool {
    runs(text, |c| c.is_whitespace() || is_dash(c) || matches!(c, '.' | '．' | '・' | '･' | '_' | '＿' | '/' | '／' | ',' | '，'))
        .iter()
        .any(|run| {
            let whole = run.iter().map(Vec::len).sum::<usize>() == 12 && is_my_number(&run.concat());
            whole || (1..=12).any(|parts| run.windows(parts).any(|groups| of_one_size(groups) && is_my_number(&groups.concat())))
        })
}

/// Whether a text holds what leads to a person: a telephone number, a postal code with its mark, a mail address.
#[must_use]
pub fn holds_contact_details(text: &str) -> bool {
    let telephone = |groups: &[Vec<u32>]| {
        let digits = groups.concat();
        matches!(digits.len(), 10 | 11) && digits.first() == Some(&0)
    };
    let numbers = runs(text, |c| is_dash(c) || matches!(c, '(' | ')' | '（' | '）'));
    numbers.iter().any(|run| (1..=3).any(|parts| run.windows(parts).any(telephone))) || text.contains('〒') || holds_mail_address(text)
}

fn holds_mail_address(text: &str) -> bool {
    let mut before = None;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, 'Ａ'..='Ｚ' | 'ａ'..='ｚ' | '０'..='９');
        if matches!(c, '@' | '＠') && before.is_some_and(word) && rest.peek().copied().is_some_and(word) {
            return true;
        }
        before = Some(c);
    }
    false
}

/// Groups of digits that stand together: between the groups of a run there is nothing but separators.
fn runs(text: &str, separates: impl Fn(char) -> bool) -> Vec<Vec<Vec<u32>>> {
    let mut runs = Vec::new();
    let mut run: Vec<Vec<u32>> = Vec::new();
    let mut group: Vec<u32> = Vec::new();
    for c in text.chars().filter(|c| !prints_nothing(*c)).chain(std::iter::once('\0')) {
        if let Some(value) = digit(c) {
            group.push(value);
            continue;
        }
        if !group.is_empty() {
            run.push(std::mem::take(&mut group));
        }
        if !separates(c) && !run.is_empty() {
            runs.push(std::mem::take(&mut run));
        }
    }
    runs
}

fn of_one_size(groups: &[Vec<u32>]) -> bool {
    let size = groups.first().map_or(0, Vec::len);
    groups.iter().all(|group| group.len() == size) && size * groups.len() == 12
}

fn digit(c: char) -> Option<u32> {
    match c {
        '0'..='9' => Some(u32::from(c) - u32::from('0')),
        '０'..='９' => Some(u32::from(c) - u32::from('０')),
        // Mathematical digits come in five faces of ten.
        '\u{1D7CE}'..='\u{1D7FF}' => Some((u32::from(c) - 0x1D7CE) % 10),
        '〇' | '零' => Some(0),
        _ => "一二三四五六七八九".chars().zip(1..).find(|(kanji, _)| *kanji == c).map(|(_, value)| value),
    }
}

/// Hyphens, dashes, minus signs and the prolonged sound mark, which is typed for them.
const fn is_dash(c: char) -> bool {
    matches!(c, '-' | '－' | '\u{2010}'..='\u{2015}' | '\u{2212}' | 'ー' | 'ｰ' | '~' | '〜' | '～')
}

const fn prints_nothing(c: char) -> bool {
    matches!(c, '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{2069}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_my_number_is_found_in_any_spelling() {
        for text in [
            "983205673214",
            "番号は９８３２０５６７３２１４です",
            "9832-0567-3214",
            "9832 0567 3214",
            "９８３２－０５６７－３２１４",
            "9832ー0567ー3214",
            "9832.0567.3214",
            "9832・0567・3214",
            "9832\n0567\n3214",
            "983-205-673-214",
            "98 32 05 67 32 14",
            "9 8 3 2 0 5 6 7 3 2 1 4",
            "98320-567-3214",
            "9832\u{200B}0567\u{2060}3214",
            "９832-０５６７ー3214",
            "九八三二〇五六七三二一四",
            "𝟗𝟖𝟑𝟐𝟎𝟓𝟔𝟕𝟑𝟐𝟏𝟒",
            "1 983205673214 7",
            "03-1234-5678 983205673214",
            "2026 9832-0567-3214",
        ] {
            assert!(holds_my_number(text), "{text}");
        }
    }

    #[test]
    fn other_numbers_are_no_my_numbers() {
        for text in
            ["983205673215", "9832056732140", "98320567321", "03-1234-5678", "7000012050002", "983205a673214", "2026-11-11、2026-11-17", ""]
        {
            assert!(!holds_my_number(text), "{text}");
        }
    }

    #[test]
    fn what_leads_to_a_person_is_found_in_free_text() {
        for text in [
            "被害者の電話は090-1234-5678",
            "03(1234)5678",
            "０９０－１２３４－５６７８",
            "09012345678",
            "〒100-0001 千代田区",
            "連絡先 a.b@example.jp",
            "taro＠example",
        ] {
            assert!(holds_contact_details(text), "{text}");
        }
        for text in [
            "被害のあった店舗とその系列店には立ち入らない約束をしている。",
            "2024-07-19 2024-08-01 に電話",
            "弁当と飲み物（合計900円ほど）",
            "@ 記号だけ",
            "受付番号 1234567890",
            "",
        ] {
            assert!(!holds_contact_details(text), "{text}");
        }
    }
}
