//! Check digits of Japanese public identifiers (`domain.md` section 7; worked examples there are the tests).

fn digits(text: &str) -> Option<Vec<u32>> {
    text.bytes().map(|b| b.is_ascii_digit().then(|| u32::from(b - b'0'))).collect()
}

/// 全国地方公共団体コード: six digits, modulus 11 (JIS X 0401/0402).
#[must_use]
pub fn is_local_government_code(text: &str) -> bool {
    let Some(digits) = digits(text) else { return false };
    let Some((check, body)) = digits.split_last() else { return false };
    let sum: u32 = body.iter().zip([6, 5, 4, 3, 2]).map(|(digit, weight)| digit * weight).sum();
    body.len() == 5 && (11 - sum % 11) % 10 == *check
}

/// Modulus 10, weights 2,1,2,1... from the right of the part before the check digit, digit sums (検証番号).
#[must_use]
pub fn passes_modulus_10(text: &str) -> bool {
    let Some(d) = digits(text) else { return false };
    let Some((check, body)) = d.split_last() else { return false };
    let sum: u32 = body.iter().rev().zip([2, 1].into_iter().cycle()).map(|(digit, weight)| digit * weight).map(|p| p / 10 + p % 10).sum();
    !body.is_empty() && (10 - sum % 10) % 10 == *check
}

/// 障害福祉の市町村番号: six digits, modulus 10. Not the same number as [`is_local_government_code`].
#[must_use]
pub fn is_benefit_municipality_number(text: &str) -> bool {
    text.len() == 6 && passes_modulus_10(text)
}

/// 事業所番号: ten digits. Its check digit is an assumption, so a wrong one is a warning, not a refusal.
#[must_use]
pub fn is_provider_number(text: &str) -> bool {
    text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit())
}

/// 法人番号: thirteen digits, the first is the check digit (平26財務省令70号2条).
#[must_use]
pub fn is_corporate_number(text: &str) -> bool {
    let Some(d) = digits(text) else { return false };
    let Some((check, body)) = d.split_first() else { return false };
    let sum: u32 = body.iter().rev().zip([1, 2].into_iter().cycle()).map(|(digit, weight)| digit * weight).sum();
    body.len() == 12 && 9 - sum % 9 == *check
}

/// Whether twelve digits are a valid 個人番号. Used only to refuse (番号法19条).
fn is_my_number(d: &[u32]) -> bool {
    let Some((check, body)) = d.split_last() else { return false };
    let sum: u32 = body.iter().rev().zip(1u32..).map(|(digit, n)| digit * if n <= 6 { n + 1 } else { n - 5 }).sum();
    let rest = sum % 11;
    body.len() == 11 && *check == if rest <= 1 { 0 } else { 11 - rest }
}

/// Whether a text holds a run of exactly twelve digits that passes as a 個人番号. Full-width digits count; hyphens and spaces
/// between digits are passed over, so `1234-5678-9012` and `１２３４ ５６７８ ９０１２` are runs of twelve.
#[must_use]
pub fn contains_my_number(text: &str) -> bool {
    let mut run: Vec<u32> = Vec::new();
    let mut found = false;
    for c in text.chars().chain(std::iter::once('\0')) {
        let digit = match c {
            '0'..='9' => Some(u32::from(c) - u32::from('0')),
            '０'..='９' => Some(u32::from(c) - u32::from('０')),
            _ => None,
        };
        match digit {
            Some(value) => run.push(value),
            None if !run.is_empty() && matches!(c, '-' | ' ' | '\u{3000}' | '－' | '‐' | '‑' | '–' | '—' | '―' | '−' | 'ー') =>
                {}
            None => {
                found |= run.len() == 12 && is_my_number(&run);
                run.clear();
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_local_government_codes_pass_and_a_wrong_check_digit_does_not() {
        for code in ["010006", "011002", "092011", "121002", "130001", "131016", "141003", "270008", "271004", "401307", "472018"] {
            assert!(is_local_government_code(code), "{code}");
        }
        assert!(!is_local_government_code("121003"));
        assert!(!is_local_government_code("12100"));
        assert!(!is_local_government_code("12100２"));
    }

    #[test]
    fn benefit_numbers_use_modulus_10_and_never_pass_as_local_government_codes() {
        for number in ["092015", "092023", "092031", "092049", "092056", "092064", "092080", "092098", "092106", "092114", "092130"] {
            assert!(is_benefit_municipality_number(number), "{number}");
            assert!(!is_local_government_code(number), "{number}");
        }
        assert!(passes_modulus_10("33120015"));
        assert!(passes_modulus_10("2070900168"));
    }

    #[test]
    fn corporate_numbers_start_with_their_check_digit() {
        for number in ["7123456789012", "4011001098993", "7010705000725", "7000012050002", "8000020130001", "3000020141003"] {
            assert!(is_corporate_number(number), "{number}");
        }
        assert!(!is_corporate_number("8123456789012"));
    }

    #[test]
    fn a_my_number_is_found_in_any_spelling() {
        for text in
            ["983205673214", "番号は９８３２０５６７３２１４です", "9832-0567-3214", "9832 0567 3214", "９８３２－０５６７－３２１４"]
        {
            assert!(contains_my_number(text), "{text}");
        }
        for text in ["983205673215", "9832056732140", "03-1234-5678", ""] {
            assert!(!contains_my_number(text), "{text}");
        }
    }
}
