//! Whether a message would be accepted now: the checks of protocol section 3, in their order, for submissions and explanations alike.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    Gateway,
    affair::{Place, Step},
    agreements::may_see,
    call::{Call, Caller},
    failure::Failure,
    findings::Findings,
    known::KnownAgreement,
    reliance::Reliance,
    submit::Sent,
    terms::late_wish,
};
use crate::{
    decision::{self, Exchange, Permitted, Question, Rights, Row},
    domain::{
        case::Relation,
        field::FieldClass,
        life::Standing,
        party::PartyState,
        refusal::{Refusal, RefusalCode, Violation},
        time::Timestamp,
    },
    ledger::{AgreementRef, SchemaRef},
    message::{
        Verified,
        disclosed::Disclosed,
        schema::{MessageSchema, holds_my_number},
        submission::Message,
    },
    policy::{Deed, PolicySet},
    store::PartyRow,
};

/// What the road established about a message: everything, unless it went on behind a fault.
pub(super) struct Examined<'a> {
    pub(super) recipient: Option<Arc<PartyRow>>,
    pub(super) rows: Option<Vec<Row>>,
    pub(super) disclosed: Option<Disclosed>,
    pub(super) agreement: Option<Arc<KnownAgreement>>,
    pub(super) reliance: Option<Reliance>,
    /// What it makes of its case.
    pub(super) step: Option<Step>,
    pub(super) permitted: Option<Permitted<&'a Verified<Message>>>,
}

impl Gateway {
    /// Whether a message would be accepted now: the checks of protocol section 3, in their order.
    pub(super) async fn examine<'a>(
        &self,
        sent: Sent<'a>,
        place: Place<'_>,
        epoch: u64,
        findings: &mut Findings,
    ) -> Result<Examined<'a>, Failure> {
        let Sent { caller, call, message, purpose, ends, known, .. } = sent;
        let now = self.clock.now();
        let (kind, aud) = (message.claims().kind, message.claims().aud.kind());
        let opening = matches!(place, Place::Opens).then(|| self.policy.may(caller.kind(), Deed::OpenCase(kind)));
        let opened = Standing::opened(kind, caller.party(), &message.claims().aud);
        if let (Some(opening), Some(_)) = (opening.as_ref().filter(|opening| !opening.allow), &opened) {
            let rules = opening.forbids.iter().map(ToString::to_string).collect();
            findings.check(Err::<(), _>(Refusal { code: RefusalCode::OperationNotAllowed, violations: Vec::new(), rules }))?;
        }
        if !known {
            findings.check(message.check_time(now))?;
        }
        let recipient = self.party_in(epoch, &message.claims().aud).await?.ok_or(RefusalCode::RecipientNotAllowed);
        let recipient = findings.check(recipient)?;
        call.note(|t| t.recipient = recipient.as_ref().map(|_| message.claims().aud.clone()));
        if opening.is_some() && opened.is_none() {
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
            Some(disclosed) => findings.check(self.named_consent(sent, place, disclosed, epoch).await)?.map(Reliance),
            None => None,
        };
        if opening.is_some() && disclosed.as_ref().is_some_and(|disclosed| disclosed.hidden.case.is_some()) {
            findings.check(Err::<(), _>(Refusal::claim(RefusalCode::StateConflict, "case", "opens_a_case")))?;
        }
        if !message.claims().pur.contains(&purpose) {
            findings.check(Err::<(), _>(Refusal::claim(RefusalCode::PurposeNotAllowed, "pur", "actor")))?;
        }
        let mut strangers = false;
        let step = match (place, &disclosed) {
            (Place::Opens, _) => opened.map(|opened| Step::opening(&opened, message.claims())),
            (Place::Within(affair), Some(disclosed)) => {
                let step = self.step(sent, affair, disclosed);
                strangers = step.as_ref().is_err_and(Self::nothing_between);
                findings.check(step)?
            }
            (Place::Within(_), None) => None,
        };
        if strangers {
            // Whether a consent or an agreement would cover somebody who has no part in the case, and what it was asked, is not told: it would say who
            // else has one.
            return Ok(Examined { recipient, rows, disclosed, agreement, reliance, step, permitted: None });
        }
        if let (Some(schema), Place::Within(affair), Some(disclosed), true) = (schema, place, &disclosed, rows.is_some() && !known) {
            findings.check(self.stays_anonymous(message, disclosed, schema, affair).await)?;
        }
        let step = match (step, place, &disclosed) {
            (Some(step), Place::Within(affair), Some(disclosed)) if rows.is_some() => {
                let vouched = findings.check(self.vouches(sent, affair, disclosed, epoch).await)?.flatten();
                Some(Step { vouched, ..step })
            }
            (step, ..) => step,
        };
        let mut examined = Examined { recipient, rows, disclosed, agreement, reliance, step, permitted: None };
        // Where the step cannot be taken, what else is wrong is told as for a recipient that is asked or serves: how it stands in truth is not the
        // sender's to learn from that.
        let reader = match (&examined.step, place) {
            (Some(step), _) => Some(step.reader),
            (None, Place::Within(_)) if aud.is_provider() => Some(Relation::Accepted),
            (None, Place::Within(_)) => Some(Relation::Assigned),
            (None, Place::Opens) => None,
        };
        if let (Some(recipient), Some(question)) =
            (&examined.recipient, reader.and_then(|reader| examined.question(sent, &self.policy, reader, ends, now)))
        {
            let permitted = decision::decide_submission(message, &question, &message.claims().pur, &recipient.registration.purposes)
                .inspect_err(|refusal| call.note(|t| t.rules = refusal.rules.iter().cloned().collect()));
            let permitted = findings.check(permitted)?;
            if let Some(permitted) = &permitted {
                call.note(|t| t.rules.clone_from(permitted.rules()));
                // What let it be sent at all made the decision too.
                call.note(|t| {
                    t.rules.extend(
                        opening.iter().flat_map(|opening| opening.permits.iter()).chain(sending.permits.iter()).map(ToString::to_string),
                    );
                });
            }
            examined.permitted = permitted;
        }
        Ok(examined)
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
    let mut warnings = findings.warnings;
    warnings.extend(late_wish(schema.kind(), disclosed, sent));
    Ok(Content { rows: classes(schema, disclosed)?, warnings })
}

/// The class of each row. A row without one cannot be decided about.
pub(super) fn classes(schema: &MessageSchema, disclosed: &Disclosed) -> Result<Vec<Row>, Refusal> {
    let rows: Vec<Row> =
        disclosed.rows.iter().filter_map(|row| Some(Row { key: row.key.clone(), class: schema.class_of(&row.key)? })).collect();
    let keys: BTreeSet<_> = rows.iter().map(|row| &row.key).collect();
    let open = rows.iter().all(|row| row.class != FieldClass::Prohibited);
    if keys.len() == disclosed.rows.len() && open { Ok(rows) } else { Err(RefusalCode::SchemaInvalid.into()) }
}
