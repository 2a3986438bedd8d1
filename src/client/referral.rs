//! Sending a message: composed and signed once, sealed to the pinned key as often as it is sent.

use serde_json::Value;

use super::{
    answer::{Accepted, Sent},
    connection::{Body, Client},
    error::{ClientError, Doubt},
    later::OPENINGS,
    outbox::Parcel,
    proven::Proven,
};
use crate::{
    domain::{
        codes::{LegalBasis, MessageKind, Purpose},
        digest::Digest,
        entry::Operation,
        field::FieldKey,
        ids::Jti,
        party::PartyId,
        time::Timestamp,
    },
    message::{
        compose::{Draft, Padding},
        disclosed::{ConsentRef, Hidden, Pseudonym},
        envelope,
        keys::SigningKey,
        profile::MESSAGE_TYP,
        submission::{AgreementRef, BasisRef, Claims, SchemaRef, Submission},
    },
};

/// What a message says, to whom, and on what it rests.
#[derive(Clone)]
pub struct Content {
    /// Recipient.
    pub aud: PartyId,
    /// Rows.
    pub body: Vec<(FieldKey, Value)>,
    /// The consent and the person's pseudonym in it, unless the basis needs none.
    pub consent: Option<(Pseudonym, ConsentRef)>,
    /// Purposes.
    pub purposes: Vec<Purpose>,
    /// Agreement.
    pub agreement: AgreementRef,
    /// Schema of the body.
    pub schema: SchemaRef,
    /// Legal basis.
    pub basis: LegalBasis,
    /// What a basis other than consent rests on.
    pub basis_ref: Option<BasisRef>,
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Content").field("aud", &self.aud).field("rows", &self.body.len()).finish_non_exhaustive()
    }
}

/// A signed message: the sender keeps it and sends the very same again if it must.
#[derive(Clone)]
pub struct Outgoing {
    sd_jwt: String,
    jti: Jti,
    digest: Digest,
}

impl Outgoing {
    /// Signs a draft with a key. A gateway takes it only if the key is registered for the sender.
    pub fn sign(draft: &Draft, key: &SigningKey) -> Result<Self, ClientError> {
        let sd_jwt = draft.sign(key)?;
        let own = Submission::read(sd_jwt.as_bytes()).and_then(|message| message.verify(key.public())).map_err(Doubt::Release)?;
        Ok(Self { jti: own.claims().jti, digest: own.digest(), sd_jwt })
    }

    /// The message id.
    #[must_use]
    pub const fn jti(&self) -> Jti {
        self.jti
    }

    /// What identifies the message, whatever envelope carries it.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// What waits in the outbox until the gateway has it.
    #[must_use]
    pub fn parcel(&self, client: &Client, operation: Operation, target: &str, purpose: Purpose) -> Parcel {
        Parcel::message(client, operation, target, purpose, (self.jti, self.digest), self.sd_jwt.clone())
    }
}

impl std::fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outgoing").field("jti", &self.jti).field("digest", &self.digest).finish_non_exhaustive()
    }
}

impl Client {
    /// A referral before it is signed: from this party, now, bound to the gateway's pinned key.
    pub fn draft(&self, referral: &Content) -> Result<Draft, ClientError> {
        self.compose(MessageKind::Referral, Hidden::default(), referral)
    }

    /// A message of any kind before it is signed. `hidden` holds what is more than the consent.
    pub(super) fn compose(&self, kind: MessageKind, hidden: Hidden, content: &Content) -> Result<Draft, ClientError> {
        let now = self.now().secs();
        // To the minute it would tell a provider which other message it belongs to (protocol section 2).
        let iat = if content.aud.kind().is_provider() { now - now.rem_euclid(HOUR) } else { now };
        let claims = Claims {
            iss: self.party().clone(),
            aud: content.aud.clone(),
            jti: self.ids().jti()?,
            iat: Timestamp::from_secs(iat),
            kind,
            sch: content.schema.clone(),
            agr: content.agreement.clone(),
            pur: content.purposes.clone(),
            bas: content.basis,
            bref: content.basis_ref.clone(),
            cnf: self.identity.pinned.document().kb.clone(),
        };
        let (sub, con) = content.consent.clone().unzip();
        // Towards providers it is demanded. Whoever else is shown some of the rows does not learn either how many there are besides.
        Ok(Draft { claims, hidden: Hidden { sub, con, ..hidden }, body: content.body.clone(), padding: Padding::Ladder })
    }

    /// Signs a draft with this party's key.
    pub fn sign(&self, draft: &Draft) -> Result<Outgoing, ClientError> {
        Outgoing::sign(draft, &self.identity.signing)
    }

    /// Sends a signed message that opens a case. The same message again gets the same answer.
    pub async fn submit(&self, message: &Outgoing, purpose: Purpose) -> Result<Proven<Accepted>, ClientError> {
        self.submit_to(OPENINGS, Operation::ReferralSubmit, message, purpose).await
    }

    pub(super) async fn submit_to(
        &self,
        target: &str,
        operation: Operation,
        message: &Outgoing,
        purpose: Purpose,
    ) -> Result<Proven<Accepted>, ClientError> {
        let envelope = envelope::seal(&self.identity.pinned.document().enc, MESSAGE_TYP, message.sd_jwt.as_bytes())?;
        let answer = self.post(target, purpose, Body::jose(envelope)).await?;
        let sent = Sent { party: self.party(), operation, jti: message.jti, digest: message.digest };
        let accepted = sent.accept(&answer.body, &self.identity.pinned)?;
        if accepted.subject.message == Some(message.jti) && accepted.subject.case.is_some() {
            Ok(accepted)
        } else {
            Err(Doubt::Form("answer").into())
        }
    }

    /// Composes, signs and sends.
    pub async fn submit_referral(&self, referral: &Content, purpose: Purpose) -> Result<Proven<Accepted>, ClientError> {
        self.submit(&self.sign(&self.draft(referral)?)?, purpose).await
    }
}

/// Seconds.
const HOUR: i64 = 3600;
