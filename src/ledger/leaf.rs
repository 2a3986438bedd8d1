//! Leaf bytes: the RFC 8785 canonical JSON of an entry, written before its time is known.
//!
//! The time has a fixed width, so a caller's task can do the work and the sequencer, which is alone, only fills in the time.

use std::fmt::Write as _;

use super::{Entry, LedgerError};
use crate::domain::time::Timestamp;

/// A leaf that lacks its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Leaf {
    bytes: Vec<u8>,
    /// Where the time stands.
    time: std::ops::Range<usize>,
}

impl Leaf {
    /// Writes the leaf of an entry, whatever time it carries. Refuses what would not be under 4 KiB.
    pub(super) fn new(entry: &mut Entry) -> Result<Self, LedgerError> {
        entry.time = Timestamp::default();
        let bytes = serde_json_canonicalizer::to_vec(&entry).map_err(|_| LedgerError::Canonical)?;
        if bytes.len() >= LIMIT {
            return Err(LedgerError::TooLarge);
        }
        // A quotation mark inside a string is escaped, so this is the member itself, and no other member of an entry has this name.
        let at = bytes.windows(MEMBER.len()).position(|window| window == MEMBER).ok_or(LedgerError::Canonical)?;
        let start = at + MEMBER.len();
        Ok(Self { bytes, time: start..start + entry.time.to_string().len() })
    }

    /// The leaf with its time.
    pub(super) fn at(mut self, time: Timestamp) -> Result<Vec<u8>, LedgerError> {
        let mut text = String::with_capacity(self.time.len());
        write!(text, "{time}").map_err(|_| LedgerError::Canonical)?;
        let place = self.bytes.get_mut(self.time).filter(|place| place.len() == text.len()).ok_or(LedgerError::Canonical)?;
        place.copy_from_slice(text.as_bytes());
        Ok(self.bytes)
    }
}

const MEMBER: &[u8] = br#""time":""#;
/// C2SP entry bundles end at 65,535 bytes an entry; ours stay far below, so that a page of them is small.
const LIMIT: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::entry::EntryType,
        ledger::{Node, SchemaRef},
    };

    fn entry(node: &str) -> Entry {
        let node = Node { node: node.to_owned(), version: "0.1.0".to_owned() };
        Entry::of_gateway(uuid::Uuid::from_u128(5), node, EntryType::ClockSkew)
    }

    #[test]
    fn the_filled_leaf_is_the_canonical_form_of_the_entry() {
        for node in ["gw-1", r#"","time":"2026"#, "時"] {
            let mut entry = entry(node);
            entry.schema = Some(SchemaRef { id: r#""time":""#.to_owned(), ver: "1".to_owned() });
            let leaf = Leaf::new(&mut entry).unwrap();
            let time = Timestamp::from_micros(1_795_000_000_123_456);
            entry.time = time;
            assert_eq!(leaf.at(time).unwrap(), serde_json_canonicalizer::to_vec(&entry).unwrap(), "{node}");
        }
    }

    #[test]
    fn a_leaf_of_4_kib_is_refused_and_one_below_is_not() {
        let empty = Leaf::new(&mut entry("")).unwrap().bytes.len();
        assert!(Leaf::new(&mut entry(&"n".repeat(LIMIT - 1 - empty))).is_ok());
        assert_eq!(Leaf::new(&mut entry(&"n".repeat(LIMIT - empty))), Err(LedgerError::TooLarge));
    }

    #[test]
    fn no_time_moves_a_byte_behind_it() {
        let leaf = Leaf::new(&mut entry("gw")).unwrap();
        let last = Timestamp::from_secs(253_402_300_800 - 1);
        let width = leaf.clone().at(last).unwrap().len();
        // Timestamps stay within the years of RFC 3339, so their text has one width.
        assert_eq!(leaf.clone().at(last.plus_secs(1)).unwrap().len(), width);
        assert_eq!(leaf.at(Timestamp::from_micros(i64::MIN)).unwrap().len(), width);
    }
}
