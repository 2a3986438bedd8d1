//! Submitting a message: the order of checks is that of protocol section 3.

use std::sync::OnceLock;

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{
    Gateway,
    actor::{Acting, Allowed},
    answer::Accepted,
    call::{Call, Caller},
    failure::Failure,
    findings::Findings,
    record::With,
    register::Identity,
    rights::StandingConsent,
};
use crate::{
    decision::Permitted,
    domain::{
        agreement::Agreement,
        case::Relation,
        codes::{MessageKind, Purpose},
        ids::{CaseKey, Jti},
        party::PartyId,
        refusal::{RefusalCode, Violation},
        time::Timestamp,
    },
    ledger::{Ground, MessageRef},
    message::{
        Verified,
        profile::MESSAGE_TYP,
        submission::{Message, Submission},
    },
    policy::Deed,
    store::{EvidenceRow, EvidenceState, MessageRow, OnceKind, Write},
    vault,
};

/// A message that was verified, with how it came.
#[derive(Clone, Copy)]
pub(super) struct Sent<'a> {
    pub(super) caller: &'a Caller,
    pub(super) call: &'a Call,
    pub(super) message: &'a Verified<Message>,
    pub(super) sd_jwt: &'a [u8],
    /// Purpose of the actor token.
    pub(super) purpose: Purpose,
    /// The earliest end among certificate and keys.
    pub(super) ends: Timestamp,
    /// Whether it was accepted before: its age and what its own case bound say nothing against it.
    pub(super) known: bool,
    /// What the sender is told about an accepted message; empty until it was judged.
    pub(super) told: &'a OnceLock<Vec<Violation>>,
}

/// A message that was opened and whose signature was checked.
pub(super) struct Received {
    pub(super) message: Verified<Message>,
    pub(super) sd_jwt: Zeroizing<Vec<u8>>,
    pub(super) identity: Identity,
    /// The earliest end among certificate and keys.
    pub(super) ends: Timestamp,
}

impl Gateway {
    /// `POST /v1/referrals`: opens a case.
    pub async fn submit_referral(&self, caller: &Caller, call: &Call, body: &[u8]) -> Result<Accepted, Failure> {
        let acting = self.sender(caller, call).await?;
        let received = self.receive(caller, call, &acting, body).await?;
        let Received { message, sd_jwt, identity, ends } = &received;
        let told = OnceLock::new();
        let sent = Sent { caller, call, message, sd_jwt, purpose: acting.purpose, ends: *ends, known: false, told: &told };
        let accepted = Box::pin(self.register(caller, call, *identity, |epoch| self.plan_referral(sent, epoch))).await?;
        Ok(Accepted { warnings: told.into_inner().map_or_else(|| self.warnings(message), Ok)?, ..accepted })
    }

    /// Who acts for a party that may open cases.
    pub(super) async fn sender(&self, caller: &Caller, call: &Call) -> Result<Acting, Failure> {
        self.may_begin(caller, Deed::OpenCase(MessageKind::Referral)).await?;
        self.actor(caller, call, Allowed::OfTheUnit).await
    }

    /// Opens a message and checks that the caller signed it: everything up to the look-up of known ids.
    pub(super) async fn receive(&self, caller: &Caller, call: &Call, acting: &Acting, body: &[u8]) -> Result<Received, Failure> {
        let now = self.clock.now();
        let sd_jwt = self.keys.open(body, MESSAGE_TYP).map_err(|error| Failure::from(error.code()))?;
        let submission = Submission::read(&sd_jwt)?;
        if submission.iss() != caller.party() {
            return Err(RefusalCode::IssuerMismatch.into());
        }
        let key = self.signing_key(caller, caller.seen.rights_epoch, &submission.kid(), now).await?;
        call.note(|t| t.signing_key = Some(key.kid));
        call.note(|t| t.rests_on(key.naf));
        let public = self.rights.public_key(&key)?;
        let message = submission.verify(&public)?;
        let identity = Identity { kind: OnceKind::Message, jti: message.claims().jti, digest: message.digest() };
        call.note(|t| t.message = Some(MessageRef { iss: caller.party().clone(), jti: message.claims().jti }));
        call.note(|t| t.kind = Some(message.claims().kind));
        call.note(|t| t.basis = Some(message.claims().bas));
        let ends = caller.not_after.min(key.naf).min(acting.ends);
        Ok(Received { message, sd_jwt, identity, ends })
    }

    /// What the sender of an accepted message is told again when the message comes again.
    fn warnings(&self, message: &Verified<Message>) -> Result<Vec<Violation>, Failure> {
        let claims = message.claims();
        let schema = self.schemas.for_message(claims.kind, &claims.sch.id, &claims.sch.ver, &claims.sch.sha256)?;
        Ok(schema.check_rules(&message.disclose()?.body(), claims.iat).warnings)
    }

    /// Everything after the look-up of known ids, for a message that opens a case.
    async fn plan_referral(&self, sent: Sent<'_>, epoch: u64) -> Result<(With, Value), Failure> {
        // An earlier attempt may have been handed back: its case was never made.
        sent.call.note(|t| (t.case, t.shred) = (None, None));
        let examined = self.examine(sent, epoch, &mut Findings::first()).await?;
        let permitted = examined.permitted.ok_or(Failure::Corrupt("decision"))?;
        let agreement = examined.agreement.ok_or(Failure::Corrupt("decision"))?;
        let consent = examined.reliance.and_then(|reliance| reliance.0);
        self.open_case(sent, &permitted, (&agreement.record.agreement, consent.as_ref()), epoch)
    }

    /// The rows that open the case, under a data key of its own.
    fn open_case(
        &self,
        sent: Sent<'_>,
        permitted: &Permitted<&Verified<Message>>,
        (agreement, consent): (&Agreement, Option<&StandingConsent>),
        epoch: u64,
    ) -> Result<(With, Value), Failure> {
        let Sent { caller, call, sd_jwt, .. } = sent;
        let message = permitted.what();
        let case = self.ids.case_key()?;
        let (key_id, key, wrapped) = self.vault.new_data_key()?;
        let context = message_context(caller.party(), &message.claims().jti, &message.claims().aud, &case);
        let sealed = vault::seal(&key, key_id, &context, sd_jwt)?;
        call.note(|t| t.case = Some(case));
        call.note(|t| t.shred = Some(key_id));
        let own_id = self.ids.case_id()?;
        let consent_jti = consent.map(|c| c.row.jti);
        let mut writes = vec![
            Write::DataKey(key_id, wrapped),
            Write::Case { case, kind: message.claims().kind, key: key_id, consent: consent_jti },
            Write::CaseParty { case, party: caller.party().clone(), id: own_id, relation: Relation::Origin },
            Write::CaseParty { case, party: message.claims().aud.clone(), id: self.ids.case_id()?, relation: Relation::Assigned },
            Write::Message(MessageRow {
                iss: caller.party().clone(),
                jti: message.claims().jti,
                aud: message.claims().aud.clone(),
                case,
                kind: message.claims().kind,
                digest: message.digest(),
                sealed,
                idx: 0,
                received: Timestamp::default(),
            }),
            Write::Evidence(EvidenceRow {
                case,
                iss: caller.party().clone(),
                jti: message.claims().jti,
                digest: message.digest(),
                state: EvidenceState::Accepted,
                receipt: self.ids.jti()?,
                idx: 0,
                leaf: message.digest(),
                time: Timestamp::default(),
            }),
        ];
        writes.extend(self.delegate_ids(agreement, case, &message.claims().aud, caller.party())?);
        if let Some(jti) = consent_jti {
            writes.push(Write::ConsentBound(jti, case));
        }
        let ground =
            Ground { rights_epoch: epoch, valid_until: permitted.valid_until(), case: None, consent: consent_jti.map(|jti| (jti, case)) };
        let subject = json!({"case": own_id, "message": message.claims().jti});
        Ok((With { writes, object: None, ground: Some(ground), narrows: false, key: Some(key) }, subject))
    }
}

/// What the ciphertext of a message is bound to: whoever changes the row that says for whom it is, and in which case, gets nothing opened.
pub(super) fn message_context(iss: &PartyId, jti: &Jti, aud: &PartyId, case: &CaseKey) -> Vec<u8> {
    format!("message/{iss}/{jti}/{aud}/{case}").into_bytes()
}
