//! Submitting a message: the order of checks is that of protocol section 3.

use std::sync::OnceLock;

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{
    Gateway,
    actor::{Acting, Allowed},
    affair::Place,
    answer::Accepted,
    call::{Call, Caller},
    failure::Failure,
    findings::Findings,
    record::With,
    register::Identity,
    rights::StandingConsent,
    terms::{late_wish, later_term, term},
};
use crate::{
    decision::Permitted,
    domain::{
        agreement::Agreement,
        case::CaseState,
        codes::{MessageKind, Purpose},
        ids::{CaseId, CaseKey, Jti},
        life::Standing,
        party::{PartyId, PartyKind},
        refusal::{RefusalCode, Violation},
        time::Timestamp,
    },
    ledger::{Ground, MessageRef},
    message::{
        Verified,
        profile::MESSAGE_TYP,
        submission::{Claims, Message, Submission},
    },
    policy::Deed,
    store::{EvidenceRow, EvidenceState, MessageRow, OnceKind, Sealed, Term, Write},
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

/// Where a message was sent to.
#[derive(Clone, Copy)]
pub(super) enum Destination<'a> {
    NewCase,
    Case(&'a CaseId),
}

impl Gateway {
    /// `POST /v1/referrals`: opens a case.
    pub async fn submit_referral(&self, caller: &Caller, call: &Call, body: &[u8]) -> Result<Accepted, Failure> {
        self.may_open_or_send(caller, Standing::opens, |_| false).await?;
        let acting = self.actor(caller, call, Allowed::OfTheUnit).await?;
        self.take_in(caller, call, &acting, body, Destination::NewCase).await
    }

    /// Receives a message and registers it: the road of every message.
    pub(super) async fn take_in(
        &self,
        caller: &Caller,
        call: &Call,
        acting: &Acting,
        body: &[u8],
        to: Destination<'_>,
    ) -> Result<Accepted, Failure> {
        let received = self.receive(caller, call, acting, body).await?;
        let Received { message, sd_jwt, identity, ends } = &received;
        let told = OnceLock::new();
        let sent = Sent { caller, call, message, sd_jwt, purpose: acting.purpose, ends: *ends, known: false, told: &told };
        let accepted = Box::pin(self.register(caller, call, *identity, |epoch| self.plan_message(sent, to, epoch))).await?;
        Ok(Accepted { warnings: told.into_inner().map_or_else(|| self.warnings(message), Ok)?, ..accepted })
    }

    /// That the policies let the caller open a case with some of the kinds, or send any of the others to anybody.
    pub(super) async fn may_open_or_send(
        &self,
        caller: &Caller,
        opening: impl Fn(MessageKind) -> bool,
        sending: impl Fn(MessageKind) -> bool,
    ) -> Result<(), Failure> {
        let kinds = || MessageKind::ALL.iter().copied();
        let opens = kinds().filter(|kind| opening(*kind)).map(Deed::OpenCase);
        let to = |kind| PartyKind::ALL.iter().map(move |recipient| Deed::Submit { kind, recipient: *recipient });
        let deeds = opens.chain(kinds().filter(|kind| sending(*kind)).flat_map(to));
        let may = deeds.into_iter().find(|deed| self.policy.may(caller.kind(), *deed).allow);
        self.may_begin(caller, may.unwrap_or(Deed::OpenCase(MessageKind::Referral))).await
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
        let disclosed = message.disclose()?;
        let mut warnings = schema.check_rules(&disclosed.body(), claims.iat).warnings;
        warnings.extend(late_wish(claims.kind, &disclosed, claims.iat));
        Ok(warnings)
    }

    /// Everything after the look-up of known ids.
    async fn plan_message(&self, sent: Sent<'_>, to: Destination<'_>, epoch: u64) -> Result<(With, Value), Failure> {
        // An earlier attempt may have been handed back: its case was never made.
        sent.call.note(|t| (t.case, t.shred, t.acting_for, t.act) = (None, None, None, None));
        let affair = match to {
            Destination::NewCase => None,
            Destination::Case(id) => Some(self.affair(sent.caller, sent.call, epoch, id, &sent.message.claims().aud).await?),
        };
        let place = affair.as_ref().map_or(Place::Opens, Place::Within);
        let examined = self.examine(sent, place, epoch, &mut Findings::first()).await?;
        let decided = || Failure::Corrupt("decision");
        let (permitted, step) = (examined.permitted.ok_or_else(decided)?, examined.step.ok_or_else(decided)?);
        let agreement = examined.agreement.ok_or_else(decided)?;
        let disclosed = examined.disclosed.ok_or_else(decided)?;
        let consent = examined.reliance.and_then(|reliance| reliance.0);
        let rests_on = (&agreement.record.agreement, consent.as_ref());
        match &affair {
            None => self.open_case(sent, &permitted, term(&disclosed), rests_on, epoch),
            Some(affair) => {
                let term = later_term(&disclosed, affair, sent.caller.party(), &sent.message.claims().aud);
                self.go_on(sent, &permitted, (affair, step, term), rests_on, epoch).await
            }
        }
    }

    /// The rows that open the case, under a data key of its own.
    fn open_case(
        &self,
        sent: Sent<'_>,
        permitted: &Permitted<&Verified<Message>>,
        term: Term,
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
        let opened = Standing::opened(message.claims().kind, caller.party(), &message.claims().aud).ok_or(Failure::Corrupt("decision"))?;
        let stands = |party: &PartyId, id| Write::CaseParty { case, party: party.clone(), id, relation: opened.relation(party) };
        let mut writes = vec![
            Write::DataKey(key_id, wrapped),
            Write::Case { case, kind: message.claims().kind, key: key_id, consent: consent_jti },
            stands(caller.party(), own_id),
            stands(&message.claims().aud, self.ids.case_id()?),
        ];
        if opened.state != CaseState::Open {
            writes.push(Write::CaseState(case, opened.state));
        }
        writes.extend(self.stored(message, case, sealed, term)?);
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

impl Gateway {
    /// A message with what is kept beside it, and the evidence that it was accepted.
    pub(super) fn stored(&self, message: &Verified<Message>, case: CaseKey, sealed: Sealed, term: Term) -> Result<[Write; 3], Failure> {
        let Claims { iss, jti, aud, kind, .. } = message.claims();
        let row = MessageRow {
            iss: iss.clone(),
            jti: *jti,
            aud: aud.clone(),
            case,
            kind: *kind,
            digest: message.digest(),
            sealed,
            idx: 0,
            received: Timestamp::default(),
        };
        let evidence = EvidenceRow {
            case,
            iss: iss.clone(),
            jti: *jti,
            digest: message.digest(),
            state: EvidenceState::Accepted,
            receipt: self.ids.jti()?,
            idx: 0,
            leaf: message.digest(),
            time: Timestamp::default(),
        };
        Ok([Write::Message(row), Write::Term(case, *jti, term), Write::Evidence(evidence)])
    }
}

/// What the ciphertext of a message is bound to: whoever changes the row that says for whom it is, and in which case, gets nothing opened.
pub(super) fn message_context(iss: &PartyId, jti: &Jti, aud: &PartyId, case: &CaseKey) -> Vec<u8> {
    format!("message/{iss}/{jti}/{aud}/{case}").into_bytes()
}
