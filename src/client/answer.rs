//! The answer to what changes something: receipt, ledger entry with its proof, and what was changed (protocol section 4).
//!
//! Promises: receipt, entry and request are about the same object of the same party, or the answer is refused.

use serde::Deserialize;

use super::{
    entry::Entry,
    error::Doubt,
    pinned::Pinned,
    problem::ProblemRow,
    proven::{LedgerPart, Proven},
    receipt::SignedReceipt,
};
use crate::{
    domain::{
        digest::Digest,
        entry::{Operation, Outcome},
        ids::{AgreementId, CaseId, Jti},
        party::PartyId,
    },
    message::{json, objects::ReceiptStatus, sha256},
};

/// What was accepted.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// The receipt.
    pub receipt: SignedReceipt,
    /// The ledger entry.
    pub entry: Entry,
    /// What was changed.
    pub subject: Subject,
    /// What the gateway finds suspicious in an accepted message. Its word alone: neither receipt nor ledger holds it.
    pub warnings: Vec<ProblemRow>,
}

/// What an accepted object was about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Subject {
    /// The case, as this party knows it.
    #[serde(default)]
    pub case: Option<CaseId>,
    /// The message.
    #[serde(default)]
    pub message: Option<Jti>,
    /// The consent.
    #[serde(default)]
    pub consent: Option<Jti>,
    /// The agreement version.
    #[serde(default)]
    pub agreement: Option<AgreementSubject>,
}

/// An agreement version that an answer names.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AgreementSubject {
    /// Id.
    pub id: AgreementId,
    /// Version.
    pub ver: u32,
}

impl Accepted {
    /// The agreement version it was about.
    #[must_use]
    pub fn agreement(&self) -> Option<(&AgreementId, u32)> {
        self.subject.agreement.as_ref().map(|named| (&named.id, named.ver))
    }
}

/// What was sent, and so what the answer must be about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent<'a> {
    pub(super) party: &'a PartyId,
    pub(super) operation: Operation,
    pub(super) jti: Jti,
    /// What identifies the object, whatever signature bytes carry it.
    pub(super) digest: Digest,
}

/// What identifies a compact signed object: SHA-256 of its signing input. An ECDSA signature has two valid forms, so the token's own hash does not.
pub(super) fn identity_of(token: &str) -> Digest {
    sha256(token.rsplit_once('.').map_or(token, |(signed, _)| signed).as_bytes())
}

impl Sent<'_> {
    /// Checks the answer.
    pub(super) fn accept(&self, body: &[u8], pinned: &Pinned) -> Result<Proven<Accepted>, Doubt> {
        let form = Doubt::Form("answer");
        let Ok(value) = json::parse_within(body, &super::connection::WIDE) else { return Err(form) };
        let Ok(answer) = serde_json::from_value::<Answer>(value) else { return Err(form) };
        let (entry, place) = answer.ledger.verify(pinned)?;
        for (same, what) in [
            (entry.operation == self.operation, "operation"),
            (entry.decision == Outcome::Permit, "decision"),
            (entry.party() == Some(self.party), "party"),
            (entry.request == Some(self.digest), "object"),
        ] {
            if !same {
                return Err(Doubt::Entry(what));
            }
        }
        let receipt = SignedReceipt::read(&answer.receipt, self.party, pinned)?;
        let claims = receipt.claims();
        for (same, what) in [
            (claims.st == ReceiptStatus::Accepted, "not of an acceptance"),
            (claims.msg.iss == *self.party && claims.msg.jti == self.jti && claims.msg.sha256 == self.digest, "of another object"),
            (claims.log.idx == place.index() && claims.log.leaf.as_bytes() == place.leaf().as_bytes(), "of another ledger entry"),
        ] {
            if !same {
                return Err(Doubt::Receipt(what));
            }
        }
        let told = answer.warnings.iter().flat_map(|row| [&row.field, &row.rule].into_iter().chain(&row.class));
        // The texts go to a terminal: nothing in them may steer it.
        if told.into_iter().any(|text| text.chars().any(char::is_control)) {
            return Err(form);
        }
        Ok(Proven::new(Accepted { receipt, entry, subject: answer.subject, warnings: answer.warnings }, place))
    }
}

#[derive(Deserialize)]
struct Answer {
    receipt: String,
    ledger: LedgerPart,
    #[serde(flatten)]
    subject: Subject,
    #[serde(default)]
    warnings: Vec<ProblemRow>,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        client::{
            pinned::tests::Stage,
            proven::tests::{leaf, ledger_part},
            receipt::tests::{ME, receipt},
        },
        message::objects::{Receipt, SignedObject as _},
        tlog::leaf_hash,
    };

    struct Scene {
        stage: Stage,
        me: PartyId,
        leaf: Vec<u8>,
        receipt: Receipt,
    }

    impl Scene {
        fn new() -> Self {
            let stage = Stage::new();
            let leaf = leaf(&json!({"actor": {"party": ME, "cert": Digest([5; 32])}, "request": Digest([3; 32])}));
            let mut receipt = receipt(&stage);
            receipt.log.leaf = Digest(leaf_hash(&leaf).0);
            Self { stage, me: ME.parse().unwrap(), leaf, receipt }
        }

        fn accept(&self) -> Result<Proven<Accepted>, Doubt> {
            let ledger = ledger_part(&self.leaf, &self.stage.signer);
            let body = json!({
                "receipt": self.receipt.sign(&self.stage.receipt).unwrap(), "consent": "1b0e5f6a-5c7e-4f0e-8d57-2f6f0ac1b1a4",
                "ledger": {"origin": ledger.origin, "index": ledger.index, "leaf": ledger.leaf, "proof": ledger.proof}
            });
            self.read(&body)
        }

        fn read(&self, body: &Value) -> Result<Proven<Accepted>, Doubt> {
            let jti = "1b0e5f6a-5c7e-4f0e-8d57-2f6f0ac1b1a4".parse().unwrap();
            let sent = Sent { party: &self.me, operation: Operation::ConsentRegister, jti, digest: Digest([3; 32]) };
            sent.accept(body.to_string().as_bytes(), &self.stage.pinned())
        }
    }

    #[test]
    fn an_answer_whose_parts_fit_is_proven() {
        let accepted = Scene::new().accept().unwrap();
        assert_eq!(accepted.place().index(), 1);
        assert!(accepted.subject.consent.is_some() && accepted.subject.case.is_none());
    }

    #[test]
    fn an_entry_about_something_else_is_refused() {
        let actor = json!({"party": ME, "cert": Digest([5; 32])});
        for (members, what) in [
            (json!({"actor": actor, "request": Digest([9; 32])}), "object"),
            (json!({"actor": actor}), "object"),
            (json!({"request": Digest([3; 32])}), "party"),
            (json!({"actor": {"party": "settlement_center:13-2", "cert": Digest([5; 32])}, "request": Digest([3; 32])}), "party"),
            (json!({"actor": actor, "request": Digest([3; 32]), "decision": "deny"}), "decision"),
            (json!({"actor": actor, "request": Digest([3; 32]), "operation": "consent.end"}), "operation"),
        ] {
            let mut scene = Scene::new();
            scene.leaf = leaf(&members);
            assert!(matches!(scene.accept(), Err(Doubt::Entry(name)) if name == what), "{what}");
        }
    }

    #[test]
    fn a_receipt_about_something_else_is_refused() {
        for change in [
            |receipt: &mut Receipt| receipt.log.idx = 2,
            |receipt: &mut Receipt| receipt.log.leaf = Digest([0; 32]),
            |receipt: &mut Receipt| receipt.msg.sha256 = Digest([0; 32]),
            |receipt: &mut Receipt| receipt.msg.jti = receipt.jti,
            |receipt: &mut Receipt| receipt.msg.iss = "municipality:131016-1".parse().unwrap(),
            |receipt: &mut Receipt| receipt.st = ReceiptStatus::Released,
        ] {
            let mut scene = Scene::new();
            change(&mut scene.receipt);
            assert!(matches!(scene.accept(), Err(Doubt::Receipt(_))));
        }
    }

    #[test]
    fn an_answer_of_another_form_is_refused() {
        let scene = Scene::new();
        for body in [json!({}), json!([]), json!({"receipt": "x", "ledger": {}}), json!({"receipt": 1})] {
            assert!(matches!(scene.read(&body), Err(Doubt::Form(_))), "{body}");
        }
    }
}
