//! The one strict JSON reader for everything that is signed (protocol section 6), and the canonical form (RFC 8785).
//!
//! Promises: two programs that read the same bytes see the same value. Duplicate members, numbers that are not integers within ±(2^53-1),
//! lone surrogates, control and noncharacter code points (line breaks and tabs in values excepted), anything before or after the value,
//! and everything beyond the limits are refused. Errors never quote the text.

use std::cell::Cell;

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Why a text was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Not exactly one JSON value in UTF-8.
    #[error("not one JSON value")]
    Syntax,
    /// A member name stands twice in one object.
    #[error("a member stands twice")]
    Duplicate,
    /// A number is not an integer within ±(2^53-1).
    #[error("a number is not an integer in range")]
    Number,
    /// A string holds a control or noncharacter code point.
    #[error("a string holds a forbidden code point")]
    Text,
    /// Deeper, longer or wider than allowed.
    #[error("beyond the limits")]
    Limit,
}

/// How large a value may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Nesting of objects and arrays.
    pub depth: usize,
    /// Members of one object.
    pub members: usize,
    /// Elements of one array.
    pub elements: usize,
    /// Characters of one string.
    pub chars: usize,
}

impl Limits {
    /// For what is signed (protocol section 6).
    pub const SIGNED: Self = Self { depth: 16, members: 256, elements: 256, chars: 8192 };
}

/// Reads one value within the limits for signed things.
pub fn parse(bytes: &[u8]) -> Result<Value, JsonError> {
    parse_within(bytes, &Limits::SIGNED)
}

/// Reads one value within other limits: the same strictness for bodies that carry a long text, such as a document in base64url.
pub fn parse_within(bytes: &[u8], limits: &Limits) -> Result<Value, JsonError> {
    let fault = Cell::new(None);
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let seed = Strict { limits, depth: 0, fault: &fault };
    seed.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value)).map_err(|_| fault.get().unwrap_or(JsonError::Syntax))
}

/// The canonical bytes of a value (RFC 8785). Values that [`parse`] has read always have them; a number beyond its range has not.
pub fn canonical(value: &Value) -> Result<Vec<u8>, JsonError> {
    serde_json_canonicalizer::to_vec(value).map_err(|_| JsonError::Number)
}

#[derive(Clone, Copy)]
struct Strict<'a> {
    limits: &'a Limits,
    depth: usize,
    fault: &'a Cell<Option<JsonError>>,
}

impl Strict<'_> {
    /// serde's errors are texts; the cell carries what was really wrong.
    fn refuse<E: de::Error>(self, fault: JsonError) -> E {
        self.fault.set(Some(fault));
        E::custom(fault)
    }

    fn inside<E: de::Error>(self) -> Result<Self, E> {
        if self.depth < self.limits.depth { Ok(Self { depth: self.depth + 1, ..self }) } else { Err(self.refuse(JsonError::Limit)) }
    }

    fn text<E: de::Error>(self, text: &str, breaks: bool) -> Result<String, E> {
        if text.len() > self.limits.chars && text.chars().count() > self.limits.chars {
            return Err(self.refuse(JsonError::Limit));
        }
        // Most texts are ASCII.
        let forbidden = if text.is_ascii() {
            text.bytes().any(|byte| byte.is_ascii_control() && !(breaks && matches!(byte, b'\n' | b'\r' | b'\t')))
        } else {
            text.chars().any(|c| is_forbidden(c, breaks))
        };
        if forbidden {
            return Err(self.refuse(JsonError::Text));
        }
        Ok(text.to_owned())
    }
}

fn is_forbidden(c: char, breaks: bool) -> bool {
    let noncharacter = ('\u{fdd0}'..='\u{fdef}').contains(&c) || u32::from(c) & 0xfffe == 0xfffe;
    noncharacter || (c.is_control() && !(breaks && matches!(c, '\n' | '\r' | '\t')))
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        if value.unsigned_abs() <= MAX_INTEGER { Ok(value.into()) } else { Err(self.refuse(JsonError::Number)) }
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        if value <= MAX_INTEGER { Ok(value.into()) } else { Err(self.refuse(JsonError::Number)) }
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Value, E> {
        Err(self.refuse(JsonError::Number))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        self.text(text, true).map(Value::String)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inside = self.inside()?;
        let mut list = Vec::new();
        while let Some(value) = access.next_element_seed(inside)? {
            if list.len() == self.limits.elements {
                return Err(self.refuse(JsonError::Limit));
            }
            list.push(value);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inside = self.inside()?;
        let mut map = Map::new();
        while let Some(name) = access.next_key_seed(Name(self))? {
            if map.contains_key(&name) {
                return Err(self.refuse(JsonError::Duplicate));
            }
            if map.len() == self.limits.members {
                return Err(self.refuse(JsonError::Limit));
            }
            let value = access.next_value_seed(inside)?;
            map.insert(name, value);
        }
        Ok(Value::Object(map))
    }
}

struct Name<'a>(Strict<'a>);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = String;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = String;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a member name")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<String, E> {
        self.0.text(text, false)
    }
}

const MAX_INTEGER: u64 = (1 << 53) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(depth: usize) -> String {
        format!("{}{}", "[".repeat(depth), "]".repeat(depth))
    }

    #[test]
    fn one_value_of_each_kind_is_read() {
        let text = r#" {"a":[null,true,-9007199254740991,9007199254740991,"行\n\ud83d\ude00"]} "#;
        let value = parse(text.as_bytes()).unwrap();
        assert_eq!(value, serde_json::json!({"a": [null, true, -9_007_199_254_740_991_i64, 9_007_199_254_740_991_i64, "行\n😀"]}));
    }

    #[test]
    fn a_name_that_stands_twice_is_refused_however_it_is_spelt() {
        assert_eq!(parse(br#"{"a":1,"a":1}"#), Err(JsonError::Duplicate));
        assert_eq!(parse(br#"{"a":1,"\u0061":2}"#), Err(JsonError::Duplicate));
        assert_eq!(parse(br#"[{"b":{"a":1,"c":0,"a":null}}]"#), Err(JsonError::Duplicate));
    }

    #[test]
    fn numbers_are_integers_that_every_reader_holds_exactly() {
        for bad in ["1.0", "1e3", "0.5", "-0", "-0.0", "1E0", "9007199254740992", "-9007199254740992", "18446744073709551616"] {
            assert_eq!(parse(bad.as_bytes()), Err(JsonError::Number), "{bad}");
        }
        for bad in ["01", "+1", "1.", ".5", "NaN", "Infinity", "0x1"] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn forbidden_code_points_are_refused() {
        for bad in [r#""\u0000""#, r#""\u001b""#, r#""\u007f""#, r#""\u0085""#, r#""\ufdd0""#, r#""\uffff""#, r#""\ud83f\udffe""#] {
            assert_eq!(parse(bad.as_bytes()), Err(JsonError::Text), "{bad}");
        }
        assert_eq!(parse(br#"{"a\n":1}"#), Err(JsonError::Text));
        for bad in [&br#""\ud800""#[..], br#""\udc00x""#, b"\"\xff\"", b"\"\xed\xa0\x80\"", b"\"\n\"", b"\xef\xbb\xbf1"] {
            assert_eq!(parse(bad), Err(JsonError::Syntax), "{bad:?}");
        }
    }

    #[test]
    fn names_are_not_normalised() {
        assert_eq!(parse("\"\u{fa19}\u{845b}\u{e0100}\"".as_bytes()), Ok(Value::String("\u{fa19}\u{845b}\u{e0100}".into())));
    }

    #[test]
    fn the_whole_input_is_one_value() {
        for bad in ["", " ", "1 2", "{}x", "[1,]", "{\"a\":1,}", "// c\n1", "'a'", "{a:1}", "nul"] {
            assert_eq!(parse(bad.as_bytes()), Err(JsonError::Syntax), "{bad}");
        }
    }

    #[test]
    fn each_limit_is_met_and_not_passed() {
        assert!(parse(nested(16).as_bytes()).is_ok());
        assert_eq!(parse(nested(17).as_bytes()), Err(JsonError::Limit));
        assert_eq!(parse("[".repeat(100_000).as_bytes()), Err(JsonError::Limit));
        let list = |n: usize| format!("[{}]", vec!["0"; n].join(","));
        assert!(parse(list(256).as_bytes()).is_ok());
        assert_eq!(parse(list(257).as_bytes()), Err(JsonError::Limit));
        let map = |n: usize| format!("{{{}}}", (0..n).map(|i| format!("\"k{i}\":0")).collect::<Vec<_>>().join(","));
        assert!(parse(map(256).as_bytes()).is_ok());
        assert_eq!(parse(map(257).as_bytes()), Err(JsonError::Limit));
        let text = |n: usize| format!("\"{}\"", "語".repeat(n));
        assert!(parse(text(8192).as_bytes()).is_ok());
        assert_eq!(parse(text(8193).as_bytes()), Err(JsonError::Limit));
        let wide = Limits { chars: 10_000, ..Limits::SIGNED };
        assert!(parse_within(text(8193).as_bytes(), &wide).is_ok());
    }

    #[test]
    fn the_canonical_form_sorts_members_by_utf16() {
        let value = parse(r#"{"\u20ac":1,"\r":0,"a":{"c":"\u000f/","b":[1,-5]},"1":true}"#.as_bytes());
        assert_eq!(value, Err(JsonError::Text), "control code points do not pass the reader");
        let value = parse("{\"€\":1,\"😀\":2,\"\u{fb33}\":3,\"a\":{\"c\":\"/\\\"\",\"b\":[1,-5]},\"1\":true}".as_bytes()).unwrap();
        let expected = "{\"1\":true,\"a\":{\"b\":[1,-5],\"c\":\"/\\\"\"},\"€\":1,\"😀\":2,\"\u{fb33}\":3}";
        assert_eq!(canonical(&value).unwrap(), expected.as_bytes());
    }
}
