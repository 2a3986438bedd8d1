//! Openings beside the leaves: `openings.ndjson`, one line per entry in the order of the ledger, and the commitment each must fit.
//!
//! Promises: an opening is judged as it stands in the file, not as this program would write it; a member that stands twice is refused, because
//! two readers could take two different ones.

use std::{fmt, io, io::BufRead, io::Read as _};

use aws_lc_rs::digest::{Context, SHA256};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

use super::report::Problems;
use crate::{domain::digest::Digest, text::audit::Finding};

/// The commitment to an opening as the audit API and exports give it, with its member `salt`: SHA-256(`tsunagi/opening/v1` ‖ salt ‖ RFC 8785 form of
/// the rest) (`ledger.md` section 2). None: not an opening.
#[must_use]
pub fn commitment(opened: &Map<String, Value>) -> Option<Digest> {
    let salt = opened.get(SALT)?.as_str()?;
    let salt: [u8; 32] = URL_SAFE_NO_PAD.decode(salt).ok()?.try_into().ok()?;
    let mut rest = opened.clone();
    rest.remove(SALT);
    let canonical = serde_json_canonicalizer::to_vec(&rest).ok()?;
    let mut context = Context::new(&SHA256);
    context.update(DOMAIN);
    context.update(&salt);
    context.update(&canonical);
    context.finish().as_ref().try_into().map(Digest).ok()
}

/// A line of `openings.ndjson`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    index: u64,
    // `default` would let a line go without; null has to be written.
    #[serde(deserialize_with = "nullable")]
    opened: Option<Members>,
}

fn nullable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Members>, D::Error> {
    Option::deserialize(deserializer)
}

/// What the file says about one entry.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// The opening.
    Opened(Map<String, Value>),
    /// Null.
    Null,
    /// Nothing that can be used; said as a problem already.
    Unusable,
}

/// Reads the lines beside the entries.
pub(super) struct Lines<'a> {
    reader: Option<Box<dyn BufRead + 'a>>,
    ahead: Option<Line>,
    number: u64,
    ended: bool,
}

impl<'a> Lines<'a> {
    /// None: the file is missing, which its caller has said.
    pub(super) fn new(reader: Option<Box<dyn BufRead + 'a>>) -> Self {
        Self { ended: reader.is_none(), reader, ahead: None, number: 0 }
    }

    /// What the file says about entry `index`; asked for in ascending order.
    pub(super) fn of(&mut self, index: u64, problems: &mut Problems) -> io::Result<Told> {
        if self.reader.is_none() {
            return Ok(Told::Unusable);
        }
        loop {
            let Some(line) = self.take(index, problems)? else {
                if !std::mem::replace(&mut self.ended, true) {
                    problems.at(Finding::OpeningMissing, index);
                }
                return Ok(Told::Unusable);
            };
            match line {
                Ok(line) if line.index == index => {
                    return Ok(line.opened.map_or(Told::Null, |members| Told::Opened(members.0)));
                }
                Ok(line) if line.index > index => {
                    self.ahead = Some(line);
                    problems.at(Finding::OpeningMissing, index);
                    return Ok(Told::Unusable);
                }
                Ok(line) => problems.at(Finding::OpeningRepeated, line.index),
                Err(()) => return Ok(Told::Unusable),
            }
        }
    }

    /// Says what stands behind the last entry of a ledger of this size.
    pub(super) fn finish(mut self, size: u64, problems: &mut Problems) -> io::Result<()> {
        while let Some(line) = self.take(size, problems)? {
            if let Ok(line) = line {
                let finding = if line.index < size { Finding::OpeningRepeated } else { Finding::OpeningBeyond };
                problems.at(finding, line.index);
            }
        }
        Ok(())
    }

    /// The next line. An error was said, with the index at which the reader stands.
    fn take(&mut self, index: u64, problems: &mut Problems) -> io::Result<Option<Result<Line, ()>>> {
        if let Some(line) = self.ahead.take() {
            return Ok(Some(Ok(line)));
        }
        let Some(reader) = &mut self.reader else { return Ok(None) };
        let mut bytes = Vec::new();
        reader.as_mut().take(LONGEST_LINE).read_until(b'\n', &mut bytes)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        self.number = self.number.saturating_add(1);
        let whole = bytes.pop() == Some(b'\n');
        if !whole {
            // Cut off, or longer than any opening: what follows is not a line either.
            self.reader = None;
            self.ended = true;
        }
        match serde_json::from_slice::<Line>(&bytes) {
            Ok(line) if whole => Ok(Some(Ok(line))),
            _ => {
                problems.at(Finding::OpeningForm, index);
                Ok(Some(Err(())))
            }
        }
    }
}

/// A JSON object without repeated members, at any depth.
#[derive(Debug)]
struct Members(Map<String, Value>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Unique::deserialize(deserializer)?.0 {
            Value::Object(members) => Ok(Self(members)),
            _ => Err(de::Error::custom("not an object")),
        }
    }
}

struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Once).map(Self)
    }
}

struct Once;

/// Numbers are integers in an opening: what is read as a float has no single spelling.
impl<'de> Visitor<'de> for Once {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value without repeated members")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Unique(value)) = access.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some((name, Unique(value))) = access.next_entry::<String, _>()? {
            if members.insert(name, value).is_some() {
                return Err(de::Error::custom("a member stands twice"));
            }
        }
        Ok(Value::Object(members))
    }
}

const SALT: &str = "salt";
const DOMAIN: &[u8] = b"tsunagi/opening/v1";
/// Far above what a message with every row of the catalogue leaves.
const LONGEST_LINE: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn members(text: &str) -> Map<String, Value> {
        serde_json::from_str::<Members>(text).unwrap().0
    }

    #[test]
    fn the_commitment_is_the_hash_the_design_names() {
        let salt = URL_SAFE_NO_PAD.encode([7; 32]);
        let opened = members(&format!(r#"{{"violations":["x"],"salt":"{salt}","staff":"係員"}}"#));
        let mut input = b"tsunagi/opening/v1".to_vec();
        input.extend([7; 32]);
        input.extend("{\"staff\":\"係員\",\"violations\":[\"x\"]}".as_bytes());
        assert_eq!(commitment(&opened), Some(Digest::of(&input)));
        for salt in ["", "AAAA", &format!("{salt}=="), &URL_SAFE_NO_PAD.encode([7; 33])] {
            let opened = members(&format!(r#"{{"salt":"{salt}","staff":"s"}}"#));
            assert_eq!(commitment(&opened), None, "{salt}");
        }
        assert_eq!(commitment(&members(r#"{"staff":"s"}"#)), None);
    }

    fn told(text: &str, size: u64) -> (Vec<Told>, Vec<(Finding, Option<u64>)>) {
        let mut problems = Problems::default();
        let mut lines = Lines::new(Some(Box::new(text.as_bytes())));
        let told = (0..size).map(|index| lines.of(index, &mut problems).unwrap()).collect();
        lines.finish(size, &mut problems).unwrap();
        (told, problems.finish().0.into_iter().map(|p| (p.finding, p.index)).collect())
    }

    #[test]
    fn each_entry_has_its_line() {
        let (lines, problems) = told("{\"index\":0,\"opened\":null}\n{ \"opened\": {\"salt\":\"x\"}, \"index\": 1 }\n", 2);
        assert_eq!(problems, []);
        assert_eq!(lines, [Told::Null, Told::Opened(members(r#"{"salt":"x"}"#))]);
    }

    #[test]
    fn a_line_that_is_missing_repeated_or_too_much_is_named_and_the_others_are_still_read() {
        let line = |index: u64| format!("{{\"index\":{index},\"opened\":null}}\n");
        let of = |indexes: &[u64]| told(&indexes.iter().map(|&i| line(i)).collect::<String>(), 4).1;
        assert_eq!(of(&[0, 1, 2, 3]), []);
        assert_eq!(of(&[1, 2, 3]), [(Finding::OpeningMissing, Some(0))]);
        assert_eq!(of(&[0, 1, 3]), [(Finding::OpeningMissing, Some(2))]);
        assert_eq!(of(&[0, 1]), [(Finding::OpeningMissing, Some(2))]);
        assert_eq!(of(&[0, 1, 1, 2, 3]), [(Finding::OpeningRepeated, Some(1))]);
        assert_eq!(of(&[0, 1, 2, 3, 3]), [(Finding::OpeningRepeated, Some(3))]);
        assert_eq!(of(&[0, 1, 2, 3, 4]), [(Finding::OpeningBeyond, Some(4))]);
        assert_eq!(of(&[1, 0, 2, 3]), [(Finding::OpeningMissing, Some(0)), (Finding::OpeningRepeated, Some(0))]);
    }

    #[test]
    fn a_line_with_two_readings_is_refused() {
        for line in [
            "",
            "[]",
            "{}",
            r#"{"index":0}"#,
            r#"{"opened":null}"#,
            r#"{"index":0,"opening":null}"#,
            r#"{"index":0,"opened":null,"more":1}"#,
            r#"{"index":0,"index":0,"opened":null}"#,
            r#"{"index":0,"opened":5}"#,
            r#"{"index":0,"opened":[]}"#,
            r#"{"index":0.0,"opened":null}"#,
            r#"{"index":-1,"opened":null}"#,
            r#"{"index":0,"opened":{"salt":"a","salt":"b"}}"#,
            r#"{"index":0,"opened":{"message":{"iss":"a","iss":"b"}}}"#,
            r#"{"index":0,"opened":{"n":1.0}}"#,
            r#"{"index":0,"opened":null} {}"#,
        ] {
            assert_eq!(told(&format!("{line}\n"), 1).1.first(), Some(&(Finding::OpeningForm, Some(0))), "{line}");
        }
        assert_eq!(told("{\"index\":0,\"opened\":null}", 1).1, [(Finding::OpeningForm, Some(0))], "cut off");
    }
}
