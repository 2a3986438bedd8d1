//! Certificates of a coordination and their revocations as they come in: what the gateway vouches for, and what it refuses to vouch for
//! (`docs/certificates.md` section 3).
//!
//! Promises: a certificate stands in the ledger only if its issuer's key is in force, the person is the one of the same message, the rules in force allow
//! it and the entries of the case bear it out. What a countersignature says is kept with the answer to the message, so it is the same however often and
//! by whichever gateway it is signed.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Gateway, affair::Affair, answer::Accepted, failure::Failure, submit::Sent};
use crate::{
    domain::{
        addon::{Certified, Misfit, Passed, RevocationReason},
        case::Relation,
        codes::MessageKind,
        digest::Digest,
        ids::{CaseKey, Jti},
        party::PartyId,
        refusal::{Refusal, RefusalCode, Violation},
    },
    ledger::Entry,
    message::{
        certificate::Person,
        disclosed::Disclosed,
        objects::{Certificate, Countersignature, Countersigned, Issued, LogPosition, ObjectRef, Revocation, Signed, SignedObject as _},
        profile::MAX_AGE_SECS,
    },
    store::{MessageHead, OnceKind},
    tlog,
};

/// What a countersignature says besides where the object stands. No personal values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Vouched {
    pub typ: Countersigned,
    pub iss: PartyId,
    /// Id of the object.
    pub object: Jti,
    /// Its digest.
    pub sha256: Digest,
    /// Id of the countersignature.
    pub jti: Jti,
    /// The entries on which it rests.
    pub ent: Vec<u64>,
    /// The entry with which the object came first, where this message brought it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idx: Option<u64>,
}

/// A message that brought a certificate or a revocation, and which.
pub(super) struct Brought {
    pub head: MessageHead,
    pub vouched: Vouched,
}

impl Brought {
    /// The entry with which the object came first.
    pub(super) fn first(&self) -> u64 {
        self.vouched.idx.unwrap_or(self.head.idx)
    }
}

impl Gateway {
    /// What the gateway vouches for in a message that is to come into a case; nothing in a message of another kind.
    pub(super) async fn vouches(
        &self,
        sent: Sent<'_>,
        affair: &Affair,
        disclosed: &Disclosed,
        epoch: u64,
    ) -> Result<Option<Vouched>, Failure> {
        match sent.message.claims().kind {
            MessageKind::CoordinationCertificate => self.vouches_for_certificate(sent, affair, disclosed, epoch).await.map(Some),
            MessageKind::CertificateRevocation => self.vouches_for_revocation(sent, affair, disclosed, epoch).await.map(Some),
            _ => Ok(None),
        }
    }

    async fn vouches_for_certificate(
        &self,
        sent: Sent<'_>,
        affair: &Affair,
        disclosed: &Disclosed,
        epoch: u64,
    ) -> Result<Vouched, Failure> {
        let (caller, aud) = (sent.caller, &sent.message.claims().aud);
        let signed =
            Signed::<Certificate>::read(text(disclosed, "certificate")?.as_bytes()).map_err(|refusal| of_row("certificate", refusal))?;
        let (named, claims) = (signed.named(), signed.unproven().clone());
        if person(disclosed).and_then(|person| person.digest().ok()) != Some(claims.person) {
            return Err(invalid("certificate", "person"));
        }
        let serves = |row: &&crate::store::CaseRow| is_provider(&row.party, &claims.provider) && row.relation == Relation::Accepted;
        let provider = affair.parties.iter().find(serves).map(|row| &row.party).ok_or_else(|| conflict("provider", "serves_the_person"))?;
        if aud.kind().is_provider() && aud != provider {
            return Err(conflict("provider", "recipient"));
        }
        if let Some(countersignature) = disclosed.row("countersignature").and_then(Value::as_str)
            && !self.is_own(countersignature, &named)
        {
            return Err(invalid("countersignature", "gateway"));
        }
        let brought = self.brought(&affair.row.case, Countersigned::Certificate).await?;
        let revoked = self.brought(&affair.row.case, Countersigned::Revocation).await?;
        if let Some(first) = known(&brought, &named)? {
            // Whoever passes it on, the object and what stands behind it are the same.
            let own = affair.standing.seat(caller.party());
            let holds = |brought: &Brought| {
                let got = brought.vouched.iss == *caller.party() || affair.standing.seat(&brought.head.aud) == own;
                got && brought.vouched.sha256 == named.sha256
            };
            if !brought.iter().any(holds) {
                return Err(conflict("certificate", "not_received"));
            }
            if revoked.iter().any(|revocation| revocation.vouched.ent.contains(&first.first())) {
                return Err(conflict("certificate", "revoked"));
            }
            self.not_void(epoch, &signed.kid(), first.first()).await?;
            return Ok(Vouched { idx: Some(first.first()), ..first.vouched.clone() });
        }
        self.signed_by_sender(sent, signed, &claims.issued, "certificate", epoch).await?;
        if claims.pol != self.policy.digest() {
            return Err(conflict("pol", "in_force"));
        }
        let certified = Certified {
            issuer: caller.party(),
            statement: claims.statement,
            provider,
            addons: &claims.addons,
            eligibility: claims.eligibility,
            window: claims.window,
        };
        certified.fits(self.policy.addon_rules()).map_err(unfit)?;
        let heads = affair.passages.iter().map(|passage| &passage.head);
        let passed = |head: &MessageHead| Passed { idx: head.idx, kind: head.kind, from: head.iss.clone(), to: head.aud.clone() };
        let ent = certified.borne_out_by(&heads.map(passed).collect::<Vec<_>>()).map_err(unfit)?;
        self.vouch(named, ent)
    }

    async fn vouches_for_revocation(&self, sent: Sent<'_>, affair: &Affair, disclosed: &Disclosed, epoch: u64) -> Result<Vouched, Failure> {
        let (caller, aud) = (sent.caller, &sent.message.claims().aud);
        let token = text(disclosed, "revocation_token")?;
        let signed = Signed::<Revocation>::read(token.as_bytes()).map_err(|refusal| of_row("revocation_token", refusal))?;
        let (named, claims) = (signed.named(), signed.unproven().clone());
        let told = disclosed.row("revocation").cloned().and_then(|value| serde_json::from_value::<Told>(value).ok());
        if told.is_none_or(|told| (told.certificate, told.reason) != (claims.crt.jti, claims.why)) {
            return Err(invalid("revocation", "revocation_token"));
        }
        if claims.issued.iss != *caller.party() {
            return Err(invalid("revocation_token", "issuer"));
        }
        let brought = self.brought(&affair.row.case, Countersigned::Certificate).await?;
        let of_this = |brought: &&Brought| {
            (&brought.vouched.iss, brought.vouched.object, brought.vouched.sha256) == (caller.party(), claims.crt.jti, claims.crt.sha256)
        };
        let certificate = brought.iter().find(of_this).ok_or_else(|| conflict("revocation", "not_issued"))?;
        let got = |brought: &Brought| affair.standing.seat(&brought.head.aud) == affair.standing.seat(aud);
        if !brought.iter().filter(of_this).any(got) {
            return Err(conflict("revocation", "recipient"));
        }
        if let Some(first) = known(&self.brought(&affair.row.case, Countersigned::Revocation).await?, &named)? {
            return Ok(Vouched { idx: Some(first.first()), ..first.vouched.clone() });
        }
        self.signed_by_sender(sent, signed, &claims.issued, "revocation_token", epoch).await?;
        self.vouch(named, vec![certificate.first()])
    }

    /// That the sender signed an object, lately, for this gateway, with a key that is in force.
    async fn signed_by_sender<T>(
        &self,
        sent: Sent<'_>,
        signed: Signed<T>,
        issued: &Issued,
        row: &'static str,
        epoch: u64,
    ) -> Result<(), Failure>
    where
        T: crate::message::objects::SignedObject + Send,
    {
        if issued.iss != *sent.caller.party() {
            return Err(invalid(row, "issuer"));
        }
        let now = self.clock.now();
        let key = self.signing_key(sent.caller, epoch, &signed.kid(), now).await?;
        let public = self.rights.public_key(&key)?;
        signed.verify(&public).map_err(|_| invalid(row, "signature"))?;
        issued.check(&self.url, now).map_err(|refusal| of_row(row, refusal))?;
        let until = issued.iat.plus_secs(MAX_AGE_SECS);
        if now >= until && !sent.known {
            return Err(Refusal::claim(RefusalCode::MessageTooOld, row, "too_old").into());
        }
        // A verifier compares the time of the entry with both.
        sent.call.note(|t| t.rests_on(key.naf.min(until)));
        Ok(())
    }

    fn vouch(&self, named: ObjectRef, ent: Vec<u64>) -> Result<Vouched, Failure> {
        let ObjectRef { typ, iss, jti: object, sha256 } = named;
        Ok(Vouched { typ, iss, object, sha256, jti: self.ids.jti()?, ent, idx: None })
    }

    /// The messages of a case that brought an object of a type, in the order of the ledger.
    pub(super) async fn brought(&self, case: &CaseKey, typ: Countersigned) -> Result<Vec<Brought>, Failure> {
        let kind = match typ {
            Countersigned::Certificate => MessageKind::CoordinationCertificate,
            Countersigned::Revocation => MessageKind::CertificateRevocation,
        };
        let mut brought = Vec::new();
        for head in self.store.case_heads(case).await?.into_iter().filter(|head| head.kind == kind) {
            let once = self.store.once(OnceKind::Message, &head.iss, &head.jti).await?.ok_or(Failure::Corrupt("used id"))?;
            let answer: Answered = serde_json::from_slice(&once.result).map_err(|_| Failure::Corrupt("result"))?;
            // What came before the gateway vouched for any has none.
            brought.extend(answer.subject.countersignature.map(|vouched| Brought { head, vouched }));
        }
        Ok(brought)
    }

    /// Signs what the gateway vouches for. Same claims each time: a repetition differs in the signature only.
    pub(super) async fn countersign(&self, vouched: &Vouched, first: u64) -> Result<String, Failure> {
        let row = self.store.entry(first).await?.ok_or(Failure::Corrupt("entry"))?;
        let entry: Entry = serde_json::from_slice(&row.body).map_err(|_| Failure::Corrupt("entry"))?;
        let Vouched { typ, iss, object, sha256, jti, ent, .. } = vouched.clone();
        let made = Countersignature {
            iss: self.url.clone(),
            aud: iss.clone(),
            jti,
            iat: entry.time,
            obj: ObjectRef { typ, iss, jti: object, sha256 },
            ent,
            log: LogPosition { origin: self.origin.clone(), idx: first, leaf: Digest(tlog::leaf_hash(&row.body).0) },
        };
        Ok(made.sign(&self.keys.receipt)?)
    }

    /// The answer to a message with the countersignature itself in the place of what it says.
    pub(super) async fn with_countersignature(&self, mut accepted: Accepted) -> Result<Accepted, Failure> {
        let index = accepted.ledger.index;
        if let Some(said) = accepted.subject.get_mut(COUNTERSIGNATURE) {
            let vouched: Vouched = serde_json::from_value(said.take()).map_err(|_| Failure::Corrupt("result"))?;
            *said = Value::String(self.countersign(&vouched, vouched.idx.unwrap_or(index)).await?);
        }
        Ok(accepted)
    }

    /// Whether a token is this gateway's countersignature on the object.
    fn is_own(&self, token: &str, named: &ObjectRef) -> bool {
        let made = Signed::<Countersignature>::read(token.as_bytes()).and_then(|read| read.verify(self.keys.receipt.public()));
        made.is_ok_and(|made| made.iss == self.url && made.obj == *named)
    }
}

/// Whom a message is about, as a certificate names the person: from its rows.
fn person(disclosed: &Disclosed) -> Option<Person> {
    person_of(|key| disclosed.row(key))
}

/// The same from whatever rows there are.
pub(super) fn person_of<'a>(row: impl Fn(&str) -> Option<&'a Value>) -> Option<Person> {
    let text = |key: &str| row(key).and_then(Value::as_str).map(str::to_owned);
    Some(Person {
        salt: text("certificate_salt")?,
        family_name: text("family_name")?,
        given_name: text("given_name")?,
        birth_date: text("birth_date")?.parse().ok()?,
        recipient_cert_number: text("recipient_cert_number"),
    })
}

/// The message that brought an object first. Another object of this issuer under its id is a conflict.
fn known<'a>(brought: &'a [Brought], named: &ObjectRef) -> Result<Option<&'a Brought>, Failure> {
    let first = brought.iter().find(|brought| (&brought.vouched.iss, brought.vouched.object) == (&named.iss, named.jti));
    match first {
        Some(first) if first.vouched.sha256 != named.sha256 => Err(RefusalCode::ReplayConflict.into()),
        first => Ok(first),
    }
}

fn is_provider(party: &PartyId, number: &str) -> bool {
    party.kind().has_provider_number() && party.code() == number
}

/// A row that the form demands.
fn text<'a>(disclosed: &'a Disclosed, key: &'static str) -> Result<&'a str, Failure> {
    disclosed.row(key).and_then(Value::as_str).ok_or_else(|| invalid(key, "required"))
}

fn invalid(field: &'static str, rule: &'static str) -> Failure {
    Refusal::claim(RefusalCode::SchemaInvalid, field, rule).into()
}

fn conflict(field: &'static str, rule: &'static str) -> Failure {
    Refusal::claim(RefusalCode::StateConflict, field, rule).into()
}

/// What is wrong with an object in a row is wrong with the message.
fn of_row(field: &'static str, refusal: Refusal) -> Failure {
    let violations = if refusal.violations.is_empty() { vec![Violation::of_claim(field, "jws")] } else { refusal.violations };
    Refusal { code: RefusalCode::SchemaInvalid, violations, rules: Vec::new() }.into()
}

fn unfit(misfit: Misfit) -> Failure {
    match misfit {
        Misfit::AddOn => invalid("addons", "addon_rules"),
        Misfit::Eligibility => invalid("eligibility", "addon_rules"),
        Misfit::Window => invalid("window", "addon_rules"),
        Misfit::Coordination => conflict("statement", "coordination_in_the_case"),
        Misfit::Provider => conflict("provider", "serves_the_person"),
    }
}

/// The row that says which certificate is revoked.
#[derive(Deserialize)]
struct Told {
    certificate: Jti,
    reason: RevocationReason,
}

/// What was answered to a message, as far as it matters here.
#[derive(Deserialize)]
struct Answered {
    subject: Named,
}

#[derive(Deserialize)]
struct Named {
    #[serde(default)]
    countersignature: Option<Vouched>,
}

/// Where an answer names what the gateway vouches for.
pub(super) const COUNTERSIGNATURE: &str = "countersignature";
