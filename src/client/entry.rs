//! A ledger entry as anybody may read it out of the leaf bytes (`ledger.md` section 2).

use serde::Deserialize;

use super::error::Doubt;
use crate::{
    domain::{
        codes::{MessageKind, Purpose},
        digest::Digest,
        entry::{Act, EntryType, Operation, Outcome},
        ids::Jti,
        party::PartyId,
        time::Timestamp,
    },
    message::json,
};

/// What a leaf says. Members this program does not look at are passed over.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Entry {
    /// Type.
    #[serde(rename = "type")]
    pub entry_type: EntryType,
    /// When.
    pub time: Timestamp,
    /// Who acted; absent for the gateway itself.
    #[serde(default)]
    pub actor: Option<EntryActor>,
    /// To whom data went.
    #[serde(default)]
    pub recipient: Option<PartyId>,
    /// What was asked for.
    pub operation: Operation,
    /// What a registered object does.
    #[serde(default)]
    pub act: Option<Act>,
    /// For what.
    #[serde(default)]
    pub purpose: Option<Purpose>,
    /// Message kind.
    #[serde(default)]
    pub kind: Option<MessageKind>,
    /// Outcome.
    pub decision: Outcome,
    /// Code of the refusal.
    #[serde(default)]
    pub reason: Option<String>,
    /// Ids of the determining policies.
    #[serde(default)]
    pub rules: Vec<String>,
    /// What identifies the message or object.
    #[serde(default)]
    pub request: Option<Digest>,
    /// `sd_hash` of a release.
    #[serde(default)]
    pub sd_hash: Option<Digest>,
    /// Id of a release.
    #[serde(default)]
    pub rel: Option<Jti>,
    /// Rows shown.
    #[serde(default)]
    pub shown: Option<u32>,
    /// Commitment to the opening.
    #[serde(default)]
    pub open_c: Option<Digest>,
}

/// Who acted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct EntryActor {
    /// Party.
    pub party: PartyId,
    /// SHA-256 of its certificate.
    pub cert: Digest,
    /// For whom it acted, as a delegate.
    #[serde(rename = "for", default)]
    pub acting_for: Option<PartyId>,
}

impl Entry {
    /// Reads leaf bytes, which must be canonical (RFC 8785).
    pub fn read(leaf: &[u8]) -> Result<Self, Doubt> {
        let value = json::parse(leaf).map_err(|_| FORM)?;
        if json::canonical(&value).map_err(|_| FORM)? != leaf {
            return Err(FORM);
        }
        serde_json::from_value(value).map_err(|_| FORM)
    }

    /// The party that acted.
    #[must_use]
    pub fn party(&self) -> Option<&PartyId> {
        self.actor.as_ref().map(|actor| &actor.party)
    }
}

const FORM: Doubt = Doubt::Form("ledger entry");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_bytes_are_an_entry() {
        let leaf = br#"{"decision":"permit","operation":"case.read","time":"2026-11-21T00:00:00.000001Z","type":"release","v":1}"#;
        let entry = Entry::read(leaf).unwrap();
        assert_eq!((entry.operation, entry.decision, entry.party()), (Operation::CaseRead, Outcome::Permit, None));
        let text = String::from_utf8(leaf.to_vec()).unwrap();
        for other in [
            text.replace(':', ": "),
            text.replace("permit", "perhaps"),
            text.replace(r#""decision":"permit","operation":"case.read""#, r#""operation":"case.read","decision":"permit""#),
            text.replace("\"type\":\"release\",", ""),
            String::new(),
        ] {
            assert!(matches!(Entry::read(other.as_bytes()), Err(Doubt::Form(_))), "{other}");
        }
    }
}
