//! Submitting a message: the order of checks is that of protocol section 3.

use std::{
    collections::BTreeSet,
    sync::{Arc, OnceLock},
};

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{
    Gateway,
    actor::{Acting, Allowed},
    agreements::may_see,
    answer::Accepted,
    call::{Call, Caller},
    failure::Failure,
    findings::Findings,
    known::KnownAgreement,
    record::With,
    register::Identity,
    rights::StandingConsent,
};
use crate::{
    decision::{self, Exchange, Permitted, Question, Rights, Row},
    domain::{
        agreement::Agreement,
        case::Relation,
        codes::{BasisGroup, MessageKind, Purpose},
        consent::ConsentState,
        field::FieldClass,
        ids::{CaseKey, Jti},
        party::{PartyId, PartyState},
        refusal::{Refusal, RefusalCode, Violation},
        time::Timestamp,
    },
    ledger::{AgreementRef, Ground, MessageRef, SchemaRef},
    message::{
        Verified,
        disclosed::Disclosed,
        profile::MESSAGE_TYP,
        schema::{MessageSchema, holds_my_number},
        submission::{Message, Submission},
    },
    policy::{Deed, PolicySet},
    store::{EvidenceRow, EvidenceState, MessageRow, OnceKind, PartyRow, Write},
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

/// What the road established about a message: everything, unless it went on behind a fault.
pub(super) struct Examined<'a> {
    pub(super) recipient: Option<Arc<PartyRow>>,
    pub(super) rows: Option<Vec<Row>>,
    pub(super) agreement: Option<Arc<KnownAgreement>>,
    pub(super) reliance: Option<Reliance>,
    pub(super) permitted: Option<Permitted<&'a Verified<Message>>>,
}

/// What a message rests on: a consent, or a basis that needs none.
pub(super) struct Reliance(pub(super) Option<StandingConsent>);

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

    /// Whether a message that opens a case would be accepted now: the checks of protocol section 3, in their order.
    pub(super) async fn examine<'a>(&self, sent: Sent<'a>, epoch: u64, findings: &mut Findings) -> Result<Examined<'a>, Failure> {
        let Sent { caller, call, message, purpose, ends, known, .. } = sent;
        let now = self.clock.now();
        let (kind, aud) = (message.claims().kind, message.claims().aud.kind());
        let opening = self.policy.may(caller.kind(), Deed::OpenCase(kind));
        if kind == MessageKind::Referral && !opening.allow {
            let rules = opening.forbids.iter().map(ToString::to_string).collect();
            findings.check(Err::<(), _>(Refusal { code: RefusalCode::OperationNotAllowed, violations: Vec::new(), rules }))?;
        }
        if !known {
            findings.check(message.check_time(now))?;
        }
        let recipient = self.party_in(epoch, &message.claims().aud).await?.ok_or(RefusalCode::RecipientNotAllowed);
        let recipient = findings.check(recipient)?;
        call.note(|t| t.recipient = recipient.as_ref().map(|_| message.claims().aud.clone()));
        if kind != MessageKind::Referral {
            findings.check(Err::<(), _>(Refusal::claim(RefusalCode::StateConflict, "kind", "opens_no_case")))?;
        }
        let sending = self.policy.may(caller.kind(), Deed::Submit { kind, recipient: aud });
        if recipient.as_ref().is_some_and(|recipient| recipient.state != PartyState::Active)
            || message.claims().aud == *caller.party()
            || !sending.allow
        {
            let rules = sending.forbids.iter().map(ToString::to_string).collect();
            findings.check(Err::<(), _>(Refusal { code: RefusalCode::RecipientNotAllowed, violations: Vec::new(), rules }))?;
        }
        findings.check(message.check_binding(&self.keys.kb.public().thumbprint()))?;
        let schema = findings.check(self.schemas.for_message(
            message.claims().kind,
            &message.claims().sch.id,
            &message.claims().sch.ver,
            &message.claims().sch.sha256,
        ))?;
        if schema.is_some() {
            call.note(|t| t.schema = Some(SchemaRef { id: message.claims().sch.id.clone(), ver: message.claims().sch.ver.clone() }));
        }
        let disclosed = findings.check(message.disclose())?;
        let rows = match (schema, &disclosed) {
            (Some(schema), Some(disclosed)) => findings.check(check_content(schema, disclosed, message.claims().iat))?,
            _ => None,
        };
        let rows = rows.map(|Content { rows, warnings }| {
            // A second attempt of the same call finds the same.
            sent.told.get_or_init(|| warnings);
            rows
        });
        if message.claims().aud.kind().is_provider() && !message.is_padded() {
            findings.check(Err::<(), _>(RefusalCode::PaddingRequired))?;
        }
        let agreement = findings.check(self.agreement_of_sender(caller, call, message, epoch).await)?;
        let reliance = match &disclosed {
            Some(disclosed) => findings.check(self.named_consent(sent, disclosed, epoch).await)?.map(Reliance),
            None => None,
        };
        if disclosed.as_ref().is_some_and(|disclosed| disclosed.hidden.case.is_some()) {
            findings.check(Err::<(), _>(Refusal::claim(RefusalCode::StateConflict, "case", "opens_a_case")))?;
        }
        if !message.claims().pur.contains(&purpose) {
            findings.check(Err::<(), _>(Refusal::claim(RefusalCode::PurposeNotAllowed, "pur", "actor")))?;
        }
        let mut examined = Examined { recipient, rows, agreement, reliance, permitted: None };
        if let (Some(recipient), Some(question)) =
            (&examined.recipient, examined.question(sent, &self.policy, Relation::Assigned, ends, now))
        {
            let permitted = decision::decide_submission(message, &question, &message.claims().pur, &recipient.registration.purposes)
                .inspect_err(|refusal| call.note(|t| t.rules = refusal.rules.iter().cloned().collect()));
            let permitted = findings.check(permitted)?;
            if let Some(permitted) = &permitted {
                call.note(|t| t.rules.clone_from(permitted.rules()));
                // What let it be sent at all made the decision too.
                call.note(|t| t.rules.extend(opening.permits.iter().chain(sending.permits.iter()).map(ToString::to_string)));
            }
            examined.permitted = permitted;
        }
        Ok(examined)
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

    /// The agreement version a message names, if its sender may see it. Another's is told like one that is not there.
    async fn agreement_of_sender(
        &self,
        caller: &Caller,
        call: &Call,
        message: &Verified<Message>,
        epoch: u64,
    ) -> Result<Arc<KnownAgreement>, Failure> {
        let named = &message.claims().agr;
        let known = self.agreement_in(epoch, &named.id, named.ver).await?;
        known.filter(|known| may_see(&known.record, caller)).ok_or(RefusalCode::NoAgreement)?;
        self.named_agreement(message, call, epoch).await
    }

    /// The agreement version a message names, by id, version and digest.
    pub(super) async fn named_agreement(
        &self,
        message: &Verified<Message>,
        call: &Call,
        epoch: u64,
    ) -> Result<Arc<KnownAgreement>, Failure> {
        let named = &message.claims().agr;
        let agreement = self.agreement_in(epoch, &named.id, named.ver).await?.ok_or(RefusalCode::NoAgreement)?;
        let row = &agreement.row;
        if row.sha256 != message.claims().agr.sha256 {
            return Err(Refusal::claim(RefusalCode::NoAgreement, "agr", "sha256").into());
        }
        call.note(|t| t.agreement = Some(AgreementRef { id: row.id.clone(), ver: row.ver, sha256: row.sha256 }));
        if !agreement.record.agreement.accepts_schema(message.claims().kind, &message.claims().sch.ver) {
            return Err(Refusal::claim(RefusalCode::SchemaMismatch, "sch", "agreement").into());
        }
        Ok(agreement)
    }

    /// The consent a message names, if the sender may rely on it (protocol section 2, "Consent rules").
    async fn named_consent(&self, sent: Sent<'_>, disclosed: &Disclosed, epoch: u64) -> Result<Option<StandingConsent>, Failure> {
        let Sent { caller, call, message, known, .. } = sent;
        let Some(reference) = &disclosed.hidden.con else {
            let skips = self.policy.basis_group(message.claims().bas) != BasisGroup::Consent && message.claims().bref.is_some();
            return if skips { Ok(None) } else { Err(RefusalCode::NoConsent.into()) };
        };
        let none = |rule| Refusal::claim(RefusalCode::NoConsent, "con", rule);
        let consent = self.consent(&reference.jti).await?.ok_or_else(|| none("registered"))?;
        // First of all: what is another's is told like what is not there.
        if consent.row.collector != *caller.party() {
            return Err(none("registered").into());
        }
        self.not_void(epoch, &consent.open.kid, consent.row.idx).await?;
        // A refusal that names the consent is erased with it.
        call.note(|t| t.shred = Some(consent.row.sealed.key));
        if consent.row.sha256 != reference.sha256 {
            return Err(none("sha256").into());
        }
        if disclosed.hidden.sub.as_ref() != Some(&consent.open.subject) {
            return Err(none("sub").into());
        }
        if consent.row.superseded_by.is_some() {
            return Err(Refusal::claim(RefusalCode::ConsentEnded, "con", "superseded").into());
        }
        // An ended consent is told as ended, whatever it was bound to: the decision finds it so.
        let stands = consent.open.scope.standing(&consent.history, self.clock.now()) == ConsentState::Covers;
        if stands && !known && self.case_of(&consent).await?.is_some() {
            return Err(none("bound_to_another_case").into());
        }
        call.note(|t| t.consent = Some(reference.jti));
        Ok(Some(consent))
    }
}

impl Examined<'_> {
    /// What a decision about the message rests on; none where the road did not establish it.
    pub(super) fn question<'q>(
        &'q self,
        sent: Sent<'q>,
        policy: &'q PolicySet,
        relation: Relation,
        ends: Timestamp,
        now: Timestamp,
    ) -> Option<Question<'q>> {
        let (rows, agreement, Reliance(consent)) = (self.rows.as_ref()?, self.agreement.as_ref()?, self.reliance.as_ref()?);
        let claims = sent.message.claims();
        let exchange = Exchange { sender: sent.caller.party(), reader: &claims.aud, kind: claims.kind, basis: claims.bas, relation };
        let rights = Rights { agreement: Some(&agreement.record), consent: consent.as_ref().map(|c| (&c.open.scope, &c.history)) };
        Some(Question { policy, exchange, rights, rows, ends, now })
    }
}

/// What a body holds: its rows with their classes, and what its sender is to be told about them.
pub(super) struct Content {
    pub(super) rows: Vec<Row>,
    pub(super) warnings: Vec<Violation>,
}

/// Checks the body against its schema, the rules of its rows at the time of sending, and for individual numbers; gives each row its class.
pub(super) fn check_content(schema: &MessageSchema, disclosed: &Disclosed, sent: Timestamp) -> Result<Content, Refusal> {
    let body = disclosed.body();
    let invalid = |violations| Refusal { code: RefusalCode::SchemaInvalid, violations, rules: Vec::new() };
    let violations = schema.check(&body);
    if !violations.is_empty() {
        return Err(invalid(violations));
    }
    let numbers: Vec<Violation> = disclosed
        .rows
        .iter()
        .filter(|row| holds_my_number(&row.value))
        .filter_map(|row| Some(Violation::of_row(&row.key, schema.class_of(&row.key)?, "my_number")))
        .collect();
    if !numbers.is_empty() {
        return Err(Refusal { code: RefusalCode::ProhibitedMyNumber, violations: numbers, rules: Vec::new() });
    }
    let findings = schema.check_rules(&body, sent);
    if !findings.violations.is_empty() {
        return Err(invalid(findings.violations));
    }
    Ok(Content { rows: classes(schema, disclosed)?, warnings: findings.warnings })
}

/// The class of each row. A row without one cannot be decided about.
pub(super) fn classes(schema: &MessageSchema, disclosed: &Disclosed) -> Result<Vec<Row>, Refusal> {
    let rows: Vec<Row> =
        disclosed.rows.iter().filter_map(|row| Some(Row { key: row.key.clone(), class: schema.class_of(&row.key)? })).collect();
    let keys: BTreeSet<_> = rows.iter().map(|row| &row.key).collect();
    let open = rows.iter().all(|row| row.class != FieldClass::Prohibited);
    if keys.len() == disclosed.rows.len() && open { Ok(rows) } else { Err(RefusalCode::SchemaInvalid.into()) }
}

/// What the ciphertext of a message is bound to: whoever changes the row that says for whom it is, and in which case, gets nothing opened.
pub(super) fn message_context(iss: &PartyId, jti: &Jti, aud: &PartyId, case: &CaseKey) -> Vec<u8> {
    format!("message/{iss}/{jti}/{aud}/{case}").into_bytes()
}
