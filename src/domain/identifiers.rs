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

/// Whether a 法人番号 is that of the local government of a place: check digit, `000020`, 全国地方公共団体コード.
#[must_use]
pub fn is_corporate_number_of_place(number: &str, place: &str) -> bool {
    is_corporate_number(number) && number.get(1..7) == Some("000020") && number.get(7..) == Some(place)
}

/// Whether twelve digits are a valid 個人番号. Used only to refuse (番号法19条).
pub(super) fn is_my_number(d: &[u32]) -> bool {
    let Some((check, body)) = d.split_last() else { return false };
    let sum: u32 = body.iter().rev().zip(1u32..).map(|(digit, n)| digit * if n <= 6 { n + 1 } else { n - 5 }).sum();
    let rest = sum % 11;
    body.len() == 11 && *check == if rest <= 1 { 0 } else { 11 - rest }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same number with another check digit at a place.
    fn other_digits(number: &str, at: usize) -> impl Iterator<Item = String> {
        let digits = (b'0'..=b'9').map(char::from);
        digits
            .map(move |digit| number.chars().enumerate().map(|(i, c)| if i == at { digit } else { c }).collect())
            .filter(move |n| n != number)
    }

    #[test]
    fn known_local_government_codes_pass_and_a_wrong_check_digit_does_not() {
        for code in ["010006", "011002", "092011", "121002", "130001", "131016", "141003", "270008", "271004", "401307", "472018"] {
            assert!(is_local_government_code(code), "{code}");
            assert!(other_digits(code, 5).all(|wrong| !is_local_government_code(&wrong)), "{code}");
        }
        for wrong in ["121003", "12100", "1210020", "12100２", "", "12100a"] {
            assert!(!is_local_government_code(wrong), "{wrong}");
        }
    }

    #[test]
    fn benefit_numbers_use_modulus_10_and_never_pass_as_local_government_codes() {
        for number in [
            "092015", "092023", "092031", "092049", "092056", "092064", "092080", "092098", "092106", "092114", "092130", "092148",
            "092155", "092163", "093013", "093427", "093435", "093443", "093450", "093617", "093641", "093849", "093864", "094078",
            "094110",
        ] {
            assert!(is_benefit_municipality_number(number), "{number}");
            assert!(!is_local_government_code(number), "{number}");
            assert!(other_digits(number, 5).all(|wrong| !is_benefit_municipality_number(&wrong)), "{number}");
        }
        // 宇都宮市 has both, and they are not the same number.
        assert!(is_local_government_code("092011") && !is_benefit_municipality_number("092011"));
        assert!(!is_benefit_municipality_number("33120015"), "eight digits are no municipality number");
    }

    #[test]
    fn the_published_numbers_of_modulus_10_pass() {
        for number in ["33120015", "2070900168", "092015"] {
            assert!(passes_modulus_10(number), "{number}");
            assert!(other_digits(number, number.len() - 1).all(|wrong| !passes_modulus_10(&wrong)), "{number}");
        }
        assert!(!passes_modulus_10("") && !passes_modulus_10("0") && !passes_modulus_10("２０７０９００１６８"));
    }

    #[test]
    fn a_provider_number_is_ten_digits_whatever_the_last() {
        assert!(is_provider_number("2070900168") && is_provider_number("2070900167"));
        for wrong in ["207090016", "20709001680", "207090016x", "２０７０９００１６８", ""] {
            assert!(!is_provider_number(wrong), "{wrong}");
        }
    }

    #[test]
    fn corporate_numbers_start_with_their_check_digit() {
        for number in [
            "7123456789012",
            "4011001098993",
            "7010705000725",
            "7000012050002",
            "6000012070001",
            "1000012030001",
            "2000012020001",
            "8000020130001",
            "4000020120006",
            "3000020141003",
            "6000020271004",
        ] {
            assert!(is_corporate_number(number), "{number}");
            assert!(other_digits(number, 0).all(|wrong| !is_corporate_number(&wrong)), "{number}");
        }
        assert!(!is_corporate_number("712345678901") && !is_corporate_number("71234567890123"));
        // Its modulus is 9: a 0 written for a 9 goes unnoticed.
        assert!(is_corporate_number("7123456780012") == is_corporate_number("7123456789012"));
    }

    #[test]
    fn the_number_of_a_local_government_holds_its_code() {
        for (number, place) in
            [("8000020130001", "130001"), ("6000020271004", "271004"), ("3000020141003", "141003"), ("4000020120006", "120006")]
        {
            assert!(is_local_government_code(place) && is_corporate_number_of_place(number, place), "{place}");
        }
        assert!(!is_corporate_number_of_place("8000020130001", "131016"));
        assert!(!is_corporate_number_of_place("7000012050002", "050002"), "a ministry is no local government");
        assert!(!is_corporate_number_of_place("7000020130001", "130001"));
    }

    #[test]
    fn the_published_my_number_passes_and_its_neighbours_do_not() {
        let digits = |text: &str| text.bytes().map(|b| u32::from(b - b'0')).collect::<Vec<_>>();
        assert!(is_my_number(&digits("983205673214")));
        assert!(other_digits("983205673214", 11).all(|wrong| !is_my_number(&digits(&wrong))));
        assert!(!is_my_number(&digits("98320567321")) && !is_my_number(&[]));
    }
}
