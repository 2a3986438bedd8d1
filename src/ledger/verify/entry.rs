//! One leaf: canonical JSON of an event of version 1, with an id of its own and a time after the one before (`ledger.md` section 2).

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;
use uuid::{Uuid, Variant, Version};

use super::report::Problems;
use crate::{
    domain::{entry::EntryType, time::Timestamp},
    ledger::Entry,
    text::audit::Finding,
};

/// What has to be remembered from entry to entry. The ids take some 40 bytes an entry; everything else is small.
#[derive(Debug, Default)]
pub(super) struct Sequence {
    ids: HashSet<Uuid>,
    span: Option<(Timestamp, Timestamp)>,
    types: BTreeMap<EntryType, u64>,
}

impl Sequence {
    /// Checks the next leaf. None: it cannot be read.
    pub(super) fn next(&mut self, index: u64, leaf: &[u8], problems: &mut Problems) -> Option<Entry> {
        let entry = match read(leaf) {
            Ok(entry) => entry,
            Err(finding) => {
                problems.at(finding, index);
                return None;
            }
        };
        if index == 0 && entry.entry_type != EntryType::LedgerOpened {
            problems.at(Finding::FirstEntry, index);
        }
        if !self.ids.insert(entry.id) {
            problems.at(Finding::EntryIdRepeated, index);
        }
        match &mut self.span {
            None => self.span = Some((entry.time, entry.time)),
            Some((_, last)) if entry.time > *last => *last = entry.time,
            Some(_) => problems.at(Finding::EntryTimeOrder, index),
        }
        *self.types.entry(entry.entry_type).or_default() += 1;
        Some(entry)
    }

    pub(super) fn finish(self) -> (BTreeMap<EntryType, u64>, Option<(Timestamp, Timestamp)>) {
        (self.types, self.span)
    }
}

/// Reads the bytes of a leaf.
pub(in crate::ledger) fn read(leaf: &[u8]) -> Result<Entry, Finding> {
    if leaf.len() >= LIMIT {
        return Err(Finding::EntryLength);
    }
    let value: Value = serde_json::from_slice(leaf).map_err(|_| Finding::EntryForm)?;
    if !value.is_object() {
        return Err(Finding::EntryForm);
    }
    // A repeated member, white space, another order, another spelling: each has other canonical bytes.
    if !serde_json_canonicalizer::to_vec(&value).is_ok_and(|canonical| canonical == leaf) {
        return Err(Finding::EntryForm);
    }
    if value.get("v") != Some(&Value::from(1)) {
        return Err(Finding::EntryVersion);
    }
    let text = |name| value.get(name).and_then(Value::as_str).unwrap_or_default();
    if !is_v7(text("id")) {
        return Err(Finding::EntryId);
    }
    if !is_time(text("time")) {
        return Err(Finding::EntryTime);
    }
    serde_json::from_value(value).map_err(|_| Finding::EntryForm)
}

/// Only the canonical text: lower case, with hyphens (RFC 9562 section 4).
fn is_v7(text: &str) -> bool {
    let Ok(id) = Uuid::try_parse(text) else { return false };
    let form = id.get_version() == Some(Version::SortRand) && id.get_variant() == Variant::RFC4122;
    form && id.hyphenated().encode_lower(&mut Uuid::encode_buffer()) == text
}

/// Only the ledger's form, `2026-11-18T11:06:40.000001Z`.
fn is_time(text: &str) -> bool {
    // In UTC the year has four digits before and after, so the time can be written again.
    text.ends_with('Z') && text.parse::<Timestamp>().is_ok_and(|time| time.to_string() == text)
}

/// A leaf is below 4 KiB (`ledger.md` section 2).
const LIMIT: usize = 4096;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::entry::Act;

    fn event() -> Value {
        json!({
            "v": 1,
            "id": "019a9b3c-0000-7000-8000-000000000001",
            "type": "ledger_opened",
            "time": "2026-11-18T11:06:40.000001Z",
            "gateway": {"node": "gw-1", "version": "0.1.0"},
            "operation": "gateway",
            "decision": "permit",
        })
    }

    fn with(name: &str, value: Value) -> Vec<u8> {
        let mut event = event();
        event[name] = value;
        serde_json_canonicalizer::to_vec(&event).unwrap()
    }

    #[test]
    fn a_canonical_event_is_read() {
        let entry = read(&with("act", json!("end"))).unwrap();
        assert_eq!((entry.entry_type, entry.act), (EntryType::LedgerOpened, Some(Act::End)));
        assert!(read(&with("later_member", json!(1))).is_ok(), "members may be added");
    }

    #[test]
    fn another_form_is_refused() {
        let canonical = String::from_utf8(with("v", json!(1))).unwrap();
        for text in [
            String::new(),
            "[]".to_owned(),
            "null".to_owned(),
            format!(" {canonical}"),
            format!("{canonical}\n"),
            canonical.replacen(':', ": ", 1),
            canonical.replacen("\"v\":1", "\"v\":1,\"v\":1", 1),
            canonical.replacen("\"v\":1", "\"v\":1.0", 1),
            canonical.replacen("gw-1", "\\u0067w-1", 1),
            "[".repeat(4_000),
        ] {
            assert_eq!(read(text.as_bytes()).err(), Some(Finding::EntryForm), "{text}");
        }
        assert_eq!(read(b"\xff\xfe").err(), Some(Finding::EntryForm));
        for (name, value, finding) in [
            ("v", json!(2), Finding::EntryVersion),
            ("v", json!("1"), Finding::EntryVersion),
            ("id", json!("019a9b3c-0000-4000-8000-000000000001"), Finding::EntryId),
            ("id", json!("019A9B3C-0000-7000-8000-00000000000A"), Finding::EntryId),
            ("id", json!("019a9b3c00007000800000000000000a"), Finding::EntryId),
            ("id", json!(5), Finding::EntryId),
            ("time", json!("2026-11-18T11:06:40Z"), Finding::EntryTime),
            ("time", json!("2026-11-18T11:06:40.0000010Z"), Finding::EntryTime),
            ("time", json!("2026-11-18T20:06:40.000001+09:00"), Finding::EntryTime),
            ("time", json!("9999-12-31T23:59:59.999999-23:59"), Finding::EntryTime),
            ("time", json!("2026-11-18T23:59:60.000000Z"), Finding::EntryTime),
            ("type", json!("rumour"), Finding::EntryForm),
            ("act", json!("whisper"), Finding::EntryForm),
            ("actor", json!({"party": "nobody:1", "cert": "AAAA"}), Finding::EntryForm),
            ("gateway", json!({"node": "n".repeat(4_096), "version": "1"}), Finding::EntryLength),
        ] {
            assert_eq!(read(&with(name, value.clone())).err(), Some(finding), "{name} {value}");
        }
    }

    #[test]
    fn ids_are_unique_and_times_only_grow() {
        let leaf = |id: u8, micros: u8, kind: &str| {
            let mut event = event();
            event["id"] = json!(format!("019a9b3c-0000-7000-8000-0000000000{id:02}"));
            event["time"] = json!(format!("2026-11-18T11:06:40.0000{micros:02}Z"));
            event["type"] = json!(kind);
            serde_json_canonicalizer::to_vec(&event).unwrap()
        };
        let found = |leaves: &[Vec<u8>]| {
            let (mut sequence, mut problems) = (Sequence::default(), Problems::default());
            for (index, leaf) in (0..).zip(leaves) {
                sequence.next(index, leaf, &mut problems);
            }
            problems.finish().0.into_iter().map(|p| (p.finding, p.index.unwrap())).collect::<Vec<_>>()
        };
        let first = leaf(1, 1, "ledger_opened");
        assert_eq!(found(&[first.clone(), leaf(2, 2, "release"), leaf(3, 3, "list")]), []);
        assert_eq!(found(&[leaf(2, 2, "release")]), [(Finding::FirstEntry, 0)]);
        assert_eq!(found(&[first.clone(), leaf(1, 2, "release")]), [(Finding::EntryIdRepeated, 1)]);
        assert_eq!(found(&[first.clone(), leaf(2, 1, "release")]), [(Finding::EntryTimeOrder, 1)]);
        assert_eq!(
            found(&[first, leaf(2, 9, "release"), leaf(3, 8, "list"), leaf(4, 9, "list")]),
            [(Finding::EntryTimeOrder, 2), (Finding::EntryTimeOrder, 3)]
        );
    }
}
