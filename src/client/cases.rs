//! The reader's and the sender's view of a case: lists, releases, acknowledgements, receipts.

use serde::Deserialize;

use super::{
    answer::Accepted,
    connection::{Client, JSON, query, read_json},
    entry::Entry,
    error::{ClientError, Doubt},
    proven::{LedgerPart, Proven},
    receipt::SignedReceipt,
};
use crate::{
    domain::{
        case::{CaseState, Relation},
        codes::{MessageKind, Purpose},
        day::Day,
        entry::{Operation, Outcome},
        ids::{CaseId, Jti},
        party::PartyId,
        tasks::CaseTasks,
        time::Timestamp,
    },
    message::{
        base64url,
        objects::{AckStatus, Acknowledgement, SignedObject as _},
        profile::RELEASE_CTY,
        release::{Asked, Release, UnverifiedRelease},
        submission::MessageRef,
    },
    tls::client::Response,
};

/// A page of the case list.
#[derive(Debug, Clone, Deserialize)]
pub struct CasePage {
    /// Cases, in the order of their last change.
    pub cases: Vec<CaseHead>,
    /// Where the next page begins.
    pub cursor: Option<String>,
}

/// A case in the list: no content.
#[derive(Debug, Clone, Deserialize)]
pub struct CaseHead {
    /// The case, as this party knows it.
    pub case: CaseId,
    /// Its state.
    pub state: CaseState,
    /// How this party stands to it, or the one it acts for.
    pub relation: Relation,
    /// For whom this party acts in it, as a delegate.
    #[serde(rename = "for", default)]
    pub acting_for: Option<PartyId>,
    /// Kind of its first message.
    pub kind: MessageKind,
    /// When it began.
    pub received: Timestamp,
    /// Its last change.
    pub updated: Timestamp,
    /// What is to be done in it.
    #[serde(flatten)]
    pub tasks: CaseTasks,
}

/// A release with the ledger entry that recorded it.
#[derive(Debug)]
pub struct Reading {
    /// What was released.
    pub release: Release,
    /// What the ledger says about it.
    pub entry: Entry,
    /// How long it may be kept, as the gateway says.
    pub keep: Keep,
}

/// How long what was read may be kept. The agreement says it; the gateway counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keep {
    /// Months from the end of the case.
    pub months: Option<u32>,
    /// The last day, where the case is over.
    pub until: Option<Day>,
}

impl Reading {
    /// The message that was read.
    #[must_use]
    pub fn message(&self) -> MessageRef {
        MessageRef { iss: self.release.claims.iss.clone(), jti: self.release.claims.jti }
    }
}

impl Client {
    /// A page of the cases this party stands in, beyond a cursor. Waits up to `wait` seconds for a change.
    pub async fn list_cases(&self, purpose: Purpose, cursor: Option<&str>, wait: u32) -> Result<CasePage, ClientError> {
        let wait = (wait > 0).then(|| wait.to_string());
        let target = format!("/v1/cases{}", query(&[("cursor", cursor.map(str::to_owned)), ("wait", wait)]));
        Ok(read_json(&self.read(&target, JSON, purpose).await?.0.body, "cases")?)
    }

    /// Reads the first message of a case that is addressed to this party.
    pub async fn read_case(&self, case: &CaseId, purpose: Purpose) -> Result<Proven<Reading>, ClientError> {
        self.read_release(&format!("/v1/cases/{case}"), Operation::CaseRead, purpose).await
    }

    /// Reads one message of a case.
    pub async fn read_message(&self, case: &CaseId, message: &Jti, purpose: Purpose) -> Result<Proven<Reading>, ClientError> {
        self.read_release(&format!("/v1/cases/{case}/messages/{message}"), Operation::MessageRead, purpose).await
    }

    async fn read_release(&self, target: &str, operation: Operation, purpose: Purpose) -> Result<Proven<Reading>, ClientError> {
        let (response, nonce) = self.read(target, "application/jose", purpose).await?;
        let keep = keep(&response);
        let bound = self.identity.opener.open(&response.body, RELEASE_CTY).map_err(Doubt::Envelope)?;
        let release = UnverifiedRelease::read(&bound).map_err(Doubt::Release)?;
        let sender = self.party_of(release.iss()).await?;
        let key = sender.signature_key(&release.kid())?;
        let asked = Asked { aud: self.party(), nonce: &nonce };
        let verified = release.verify(&key.public()?, &self.identity.pinned.binding_keys(), &asked).map_err(Doubt::Release)?;
        let release = verified.into_inner();
        key.vouches_at(release.claims.iat)?;
        let (entry, place) = ledger_part(&response, self.identity.pinned.document().origin())?.verify(&self.identity.pinned)?;
        let sought = Sought { origin: self.identity.pinned.document().origin(), reader: self.party(), operation, purpose };
        sought.compare(&release, &entry, place.index())?;
        Ok(Proven::new(Reading { release, entry, keep }, place))
    }

    /// Acknowledges a release.
    pub async fn acknowledge(
        &self,
        case: &CaseId,
        reading: &Reading,
        status: AckStatus,
        purpose: Purpose,
    ) -> Result<Proven<Accepted>, ClientError> {
        let acknowledgement = Acknowledgement {
            issued: self.issued()?,
            msg: reading.message(),
            rel: reading.release.binding.jti,
            sd_hash: reading.release.sd_hash,
            st: status,
        };
        let (jti, token) = (acknowledgement.issued.jti, acknowledgement.sign(&self.identity.signing)?);
        self.post_object(&format!("/v1/cases/{case}/acknowledgements"), Operation::Acknowledge, jti, &token, purpose).await
    }

    /// The receipts of what this party sent in a case: submission, releases, acknowledgements.
    pub async fn receipts(&self, case: &CaseId, purpose: Purpose) -> Result<Vec<SignedReceipt>, ClientError> {
        let (response, _) = self.read(&format!("/v1/cases/{case}/receipts"), JSON, purpose).await?;
        let list: Receipts = read_json(&response.body, "receipts")?;
        let read = |token: &String| SignedReceipt::read(token, self.party(), &self.identity.pinned);
        Ok(list.receipts.iter().map(read).collect::<Result<_, _>>()?)
    }
}

/// What the gateway says beside a release about how long it may be kept. It is no evidence: the agreement is.
fn keep(response: &Response) -> Keep {
    let text = |name: &str| response.headers.get(name).and_then(|value| value.to_str().ok());
    Keep {
        months: text("tsunagi-retention-months").and_then(|months| months.parse().ok()),
        until: text("tsunagi-erase-by").and_then(|day| day.parse().ok()),
    }
}

/// The ledger proof of a release travels in headers, because its body is the envelope.
fn ledger_part(response: &Response, origin: &str) -> Result<LedgerPart, Doubt> {
    let missing = || Doubt::Form("ledger headers");
    let text = |name: &str| response.headers.get(name).and_then(|value| value.to_str().ok()).ok_or_else(missing);
    let proof = base64url::decode(text("tsunagi-ledger-proof")?).map_err(|_| missing())?;
    Ok(LedgerPart {
        origin: origin.to_owned(),
        index: text("tsunagi-ledger-index")?.parse().map_err(|_| missing())?,
        leaf: text("tsunagi-ledger-leaf")?.to_owned(),
        proof: String::from_utf8(proof).map_err(|_| missing())?,
    })
}

/// What was asked for: what key binding and entry must agree with.
struct Sought<'a> {
    origin: &'a str,
    reader: &'a PartyId,
    operation: Operation,
    purpose: Purpose,
}

impl Sought<'_> {
    /// A delegate reads what is addressed to its principal, and what it sent or got in the principal's place.
    fn stands_in(&self, principal: &PartyId, release: &Release) -> bool {
        [principal, self.reader].contains(&&release.claims.aud) || release.claims.iss == *self.reader
    }

    /// The entry, the key binding and the rows are about one release, and it is the one that was asked for.
    fn compare(&self, release: &Release, entry: &Entry, index: u64) -> Result<(), Doubt> {
        let grounds = &release.binding.tsn;
        let rows = u32::try_from(release.disclosed.rows.len()).ok();
        for (same, what) in [
            (grounds.origin == self.origin, "ledger than the key binding"),
            (grounds.idx == index, "index than the key binding"),
            (entry.operation == self.operation, "operation"),
            (entry.decision == Outcome::Permit, "decision"),
            (entry.party() == Some(self.reader), "party"),
            (entry.purpose == Some(self.purpose), "purpose"),
            (entry.sd_hash == Some(release.sd_hash), "sd_hash"),
            (entry.rel == Some(release.binding.jti), "release"),
            (entry.shown == rows, "number of rows"),
            (entry.actor.as_ref().and_then(|actor| actor.acting_for.as_ref()) == grounds.on_behalf_of.as_ref(), "party acted for"),
            (grounds.on_behalf_of.as_ref().is_none_or(|party| self.stands_in(party, release)), "addressee"),
        ] {
            if !same {
                return Err(Doubt::Entry(what));
            }
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct Receipts {
    receipts: Vec<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        client::{pinned::tests::Stage, proven::tests::leaf},
        domain::{codes::LegalBasis, digest::Digest},
        message::{
            compose::{Draft, Padding},
            disclosed::Hidden,
            key_binding::{self, Grounds, KbClaims, Nonce},
            keys::SigningKey,
            submission::{AgreementRef, Claims, SchemaRef, Submission},
        },
    };

    const READER: &str = "municipality:131016-1";
    const KB: &str = "0b0e5f6a-5c7e-4f0e-8d57-2f6f0ac1b1a4";

    /// A release of two rows out of three at ledger index 7, as its reader has verified it.
    fn release(stage: &Stage) -> Release {
        let sender = SigningKey::generate().unwrap();
        let agreement = AgreementRef { id: "AG-13-0001".parse().unwrap(), ver: 1, sha256: Digest([1; 32]) };
        let claims = Claims {
            iss: "settlement_center:13-1".parse().unwrap(),
            aud: READER.parse().unwrap(),
            jti: "1b0e5f6a-5c7e-4f0e-8d57-2f6f0ac1b1a4".parse().unwrap(),
            iat: Timestamp::from_secs(1_790_812_800),
            kind: MessageKind::Referral,
            sch: SchemaRef { id: "urn:tsunagi:schema:referral".to_owned(), ver: "1.0.0".to_owned(), sha256: Digest([2; 32]) },
            agr: agreement.clone(),
            pur: vec![Purpose::PlacementCoordination],
            bas: LegalBasis::Consent27,
            bref: None,
            cnf: stage.kb.public().clone(),
        };
        let body = ["family_name", "given_name", "offence_name"].map(|key| (key.parse().unwrap(), json!(key)));
        let draft = Draft { claims, hidden: Hidden::default(), body: body.to_vec(), padding: Padding::None };
        let message = Submission::read(draft.sign(&sender).unwrap().as_bytes()).unwrap().verify(sender.public()).unwrap();
        let disclosed = message.disclose().unwrap();
        let presentation = message.present_rows(&disclosed, |row| row.key.as_str() != "offence_name", false);
        let nonce: Nonce = "abcdefghijklmnop".parse().unwrap();
        let binding = KbClaims {
            iat: Timestamp::from_secs(1_790_812_801),
            aud: READER.parse().unwrap(),
            nonce: nonce.clone(),
            jti: KB.parse().unwrap(),
            tsn: Grounds {
                origin: stage.signer.verifier().name().to_string(),
                idx: 7,
                agr: agreement,
                pol: Digest([3; 32]),
                terms: Vec::new(),
                on_behalf_of: None,
                con: None,
            },
        };
        let bound = key_binding::bind(&presentation, &stage.kb, &binding).unwrap();
        let reader = READER.parse().unwrap();
        let asked = Asked { aud: &reader, nonce: &nonce };
        let unverified = UnverifiedRelease::read(bound.as_bytes()).unwrap();
        unverified.verify(sender.public(), &stage.pinned().binding_keys(), &asked).unwrap().into_inner()
    }

    fn compare(members: &serde_json::Value, index: u64, origin: &str) -> Result<(), Doubt> {
        let stage = Stage::new();
        let release = release(&stage);
        let mut entry = json!({
            "type": "release", "operation": "case.read", "actor": {"party": READER, "cert": Digest([5; 32])}, "shown": 2, "withheld": 1,
            "purpose": "placement_coordination", "rel": KB, "sd_hash": release.sd_hash
        });
        for (name, value) in members.as_object().unwrap() {
            entry[name] = value.clone();
        }
        let reader = READER.parse().unwrap();
        let purpose = Purpose::PlacementCoordination;
        let sought = Sought { origin, reader: &reader, operation: Operation::CaseRead, purpose };
        sought.compare(&release, &Entry::read(&leaf(&entry)).unwrap(), index)
    }

    const ORIGIN: &str = "localhost:8443/ledger";

    #[test]
    fn an_entry_about_this_release_is_taken() {
        assert!(compare(&json!({}), 7, ORIGIN).is_ok());
    }

    #[test]
    fn an_entry_about_another_release_reader_or_place_is_refused_by_name() {
        for (members, what) in [
            (json!({"sd_hash": Digest([0; 32])}), "sd_hash"),
            (json!({"rel": "2b0e5f6a-5c7e-4f0e-8d57-2f6f0ac1b1a4"}), "release"),
            (json!({"shown": 3}), "number of rows"),
            (json!({"purpose": "benefit_decision"}), "purpose"),
            (json!({"operation": "message.read"}), "operation"),
            (json!({"decision": "deny"}), "decision"),
            (json!({"actor": {"party": "municipality:131016-2", "cert": Digest([5; 32])}}), "party"),
        ] {
            assert!(matches!(compare(&members, 7, ORIGIN), Err(Doubt::Entry(name)) if name == what), "{what}");
        }
        assert!(matches!(compare(&json!({}), 8, ORIGIN), Err(Doubt::Entry("index than the key binding"))));
        assert!(matches!(compare(&json!({}), 7, "elsewhere/ledger"), Err(Doubt::Entry("ledger than the key binding"))));
    }

    #[test]
    fn a_release_without_its_proof_in_the_headers_is_refused() {
        let whole = |proof: &str| {
            let mut headers = http::HeaderMap::new();
            headers.insert("tsunagi-ledger-index", "7".parse().unwrap());
            headers.insert("tsunagi-ledger-leaf", "AA".parse().unwrap());
            headers.insert("tsunagi-ledger-proof", proof.parse().unwrap());
            Response { status: http::StatusCode::OK, headers, body: bytes::Bytes::new() }
        };
        assert_eq!(ledger_part(&whole("cHJvb2Y"), ORIGIN).unwrap().proof, "proof");
        assert!(matches!(ledger_part(&whole("not base64url"), ORIGIN), Err(Doubt::Form(_))));
        for name in ["tsunagi-ledger-index", "tsunagi-ledger-leaf", "tsunagi-ledger-proof"] {
            let mut response = whole("cHJvb2Y");
            response.headers.remove(name);
            assert!(matches!(ledger_part(&response, ORIGIN), Err(Doubt::Form(_))), "{name}");
        }
    }
}
