//! Looks for words in bytes, in every form in which a program is likely to write them down.

use std::collections::HashMap;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};

/// Words in all their forms.
pub(crate) struct Hunt {
    /// Forms by their first bytes.
    forms: HashMap<[u8; HEAD], Vec<Form>>,
}

struct Form {
    word: String,
    name: &'static str,
    bytes: Vec<u8>,
}

impl Hunt {
    /// Words of at least ten bytes.
    pub(crate) fn new<W: AsRef<str>>(words: impl IntoIterator<Item = W>) -> Self {
        let mut hunt = Self { forms: HashMap::new() };
        for word in words {
            let word = word.as_ref();
            assert!(word.len() >= 10, "{word} could be found by chance");
            for (name, bytes) in forms(word) {
                let form = Form { word: word.to_owned(), name, bytes };
                hunt.forms.entry(form.bytes[..HEAD].try_into().unwrap()).or_default().push(form);
            }
        }
        hunt
    }

    /// What is found in bytes: word and form.
    pub(crate) fn in_bytes(&self, bytes: &[u8]) -> Vec<(&str, &'static str)> {
        let mut found = Vec::new();
        for (at, head) in bytes.windows(HEAD).enumerate() {
            let Some(forms) = <&[u8; HEAD]>::try_from(head).ok().and_then(|head| self.forms.get(head)) else { continue };
            found.extend(forms.iter().filter(|form| bytes[at..].starts_with(&form.bytes)).map(|form| (form.word.as_str(), form.name)));
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

fn forms(word: &str) -> Vec<(&'static str, Vec<u8>)> {
    let hex = || word.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    let units = || word.encode_utf16();
    let escaped: String = word.chars().map(|c| if c.is_ascii() { c.to_string() } else { escape(c) }).collect();
    let all_escaped: String = word.chars().map(escape).collect();
    let percent: String = word.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat();
    let mut forms = vec![
        ("UTF-8", word.as_bytes().to_vec()),
        ("UTF-16, little end first", units().flat_map(u16::to_le_bytes).collect()),
        ("UTF-16, big end first", units().flat_map(u16::to_be_bytes).collect()),
        ("hexadecimal", hex().into_bytes()),
        ("hexadecimal, upper case", hex().to_uppercase().into_bytes()),
        ("JSON escapes", escaped.to_lowercase().replace(&word.to_lowercase(), word).into_bytes()),
        ("JSON escapes throughout", all_escaped.into_bytes()),
        ("percent encoding", percent.to_uppercase().into_bytes()),
        ("percent encoding, lower case", percent.to_lowercase().into_bytes()),
    ];
    for before in 0..3 {
        forms.push(("base64", within_base64(&STANDARD_NO_PAD.encode(shifted(word, before)), before)));
        forms.push(("base64url", within_base64(&URL_SAFE_NO_PAD.encode(shifted(word, before)), before)));
    }
    forms.sort();
    forms.dedup_by(|a, b| a.1 == b.1);
    forms
}

fn escape(c: char) -> String {
    c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect::<Vec<_>>().concat()
}

fn shifted(word: &str, before: usize) -> Vec<u8> {
    [&vec![0; before], word.as_bytes()].concat()
}

/// The characters that depend on the word alone, whatever stands before and behind it.
fn within_base64(text: &str, before: usize) -> Vec<u8> {
    let first = (before * 8).div_ceil(6);
    let last = text.len() - usize::from(!text.len().is_multiple_of(4));
    text.as_bytes()[first..last].to_vec()
}

const HEAD: usize = 8;

mod tests {
    use super::*;

    const WORDS: [&str; 2] = ["標識語みつけて", "MarkerQzFindMe"];

    #[track_caller]
    fn finds(planted: &[u8], word: &str) {
        let hunt = Hunt::new(WORDS);
        let found = hunt.in_bytes(&[b"{\"name\":\"", planted, b"\"}"].concat());
        assert!(found.iter().any(|(found, _)| *found == word), "{word} in {planted:?}");
    }

    #[test]
    fn a_word_is_found_in_every_form() {
        for word in WORDS {
            for (_, form) in forms(word) {
                finds(&form, word);
            }
            finds(serde_json::to_string(word).unwrap().as_bytes(), word);
        }
        finds(br"\u6a19\u8b58\u8a9e\u307f\u3064\u3051\u3066", WORDS[0]);
    }

    #[test]
    fn a_word_is_found_in_base64_wherever_it_stands() {
        for word in WORDS {
            for before in 0..7 {
                for behind in 0..4 {
                    let bytes = [&vec![b'x'; before], word.as_bytes(), &vec![b'y'; behind]].concat();
                    finds(URL_SAFE_NO_PAD.encode(&bytes).as_bytes(), word);
                    finds(STANDARD_NO_PAD.encode(&bytes).as_bytes(), word);
                }
            }
        }
    }

    #[test]
    fn other_bytes_are_left_alone() {
        let hunt = Hunt::new(WORDS);
        for innocent in ["標識語みつけた", "MarkerQzFindM", "", "markerqzfindme"] {
            assert!(hunt.in_bytes(innocent.as_bytes()).is_empty(), "{innocent}");
        }
    }
}
