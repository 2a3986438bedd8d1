//! An answer with its ids, times and ciphertexts replaced by what they are and how long they are.

/// Text without what is random or of the moment.
pub(crate) fn normal(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut normal = String::with_capacity(text.len());
    let mut at = 0;
    while at < bytes.len() {
        if let Some(length) = time(&bytes[at..]) {
            normal.push_str("<time>");
            at += length;
            continue;
        }
        let length = bytes[at..].iter().take_while(|byte| is_of_a_token(**byte)).count();
        if length == 0 {
            let width = text[at..].chars().next().unwrap().len_utf8();
            normal.push_str(&text[at..at + width]);
            at += width;
            continue;
        }
        let token = &text[at..at + length];
        if uuid::Uuid::try_parse(token).is_ok() && length == 36 {
            normal.push_str("<id>");
        } else if length == 10 && token.starts_with('1') && token.bytes().all(|byte| byte.is_ascii_digit()) {
            normal.push_str("<seconds>");
        } else if length >= 22 && token.bytes().any(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()) {
            normal.extend(["<", &length.to_string(), " characters>"]);
        } else {
            normal.push_str(token);
        }
        at += length;
    }
    normal
}

fn is_of_a_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'+' | b'/' | b'=')
}

/// Length of an RFC 3339 time in UTC at the beginning.
fn time(bytes: &[u8]) -> Option<usize> {
    let form = b"dddd-dd-ddTdd:dd:dd";
    let fits = bytes.len() > form.len()
        && form.iter().zip(bytes).all(|(form, byte)| if *form == b'd' { byte.is_ascii_digit() } else { form == byte });
    let rest = fits.then(|| &bytes[form.len()..])?;
    let fraction = if rest[0] == b'.' { 1 + rest[1..].iter().take_while(|byte| byte.is_ascii_digit()).count() } else { 0 };
    (rest.get(fraction) == Some(&b'Z')).then_some(form.len() + fraction + 1)
}

mod tests {
    use super::*;

    #[test]
    fn ids_times_and_ciphertext_are_replaced_and_nothing_else() {
        let text = r#"{"case":"3c9d0a3e-7f3a-4f55-9d2e-0f6b1d8c4e21","at":"2026-11-18T11:06:40.000001Z","iat":1790812800,"n":12,"code":"not_found","x":"AAAAAAAAAAAAAAAAAAAAAAAA"}"#;
        assert_eq!(normal(text), r#"{"case":"<id>","at":"<time>","iat":<seconds>,"n":12,"code":"not_found","x":"<24 characters>"}"#);
        assert_ne!(normal("AAAAAAAAAAAAAAAAAAAAAAAA"), normal("AAAAAAAAAAAAAAAAAAAAAAA"), "a length shows");
        assert_eq!(normal("placement_coordination 障害"), "placement_coordination 障害");
    }
}
