//! `tsunagi demo --story`: the whole work of a case of exit support, told over HTTP; after each step everybody looks at what it is told.

mod proof;
mod stage;

use serde_json::{Value, json};

use self::stage::{CAST, CENTRE, CITY, CORE, DAY, HOME, Letter, OFFICE, OTHER, Sent, Stage};
use super::{
    layout::Table,
    page::Page,
    sandbox::{Sandbox, Server},
    story::{must, refused},
};
use crate::{
    cli::CliError,
    client::AuditFilter,
    domain::{
        codes::{MessageKind as M, Purpose},
        consent::EndedBy,
        field::FieldClass,
        refusal::RefusalCode,
    },
    text::demo::{self as text, Line, work as said},
};

/// Tells it from the first consent to the closing. Gives the gateway's name.
pub(super) async fn tell(sandbox: &Sandbox, server: &mut Server, page: &mut Page) -> Result<String, CliError> {
    let mut stage = Stage::load(sandbox, page)?;
    server.ready(stage.client(CENTRE)?).await?;
    stage.meet().await?;
    who(&mut stage, server)?;
    stage.page.fact("folder", sandbox.dir().display().to_string());
    step(&mut stage, "consent", said::CONSENT, said::CONSENT_IS);
    stage.consents(&first_consent()).await?;
    stage.page.check(text::RECEIPT_FITS, &[]);
    let supplement = both_support(&mut stage).await?;
    homes_are_asked(&mut stage).await?;
    let hand_off = one_is_named(&mut stage).await?;
    let kept = proof::is_certified(&mut stage).await?;
    lead_moves(&mut stage, supplement).await?;
    home_is_backed(&mut stage).await?;
    consent_ends(&mut stage, hand_off).await?;
    step(&mut stage, "closed", said::CLOSED, said::CLOSED_IS);
    let closing = stage.send(letter(M::ClosingNotice, CITY, HOME, &[PLACEMENT, PROVISION])).await?;
    stage.everybody_looks(Some(closing)).await?;
    step(&mut stage, "kept", said::KEPT, said::KEPT_IS);
    kept.verify(&stage).await?;
    stage.page.check(said::VERIFIED_GOOD, &[]);
    audit(&mut stage).await?;
    stage.page.summary(said::SUMMARY);
    Ok(stage.client(CENTRE)?.identity().gateway().to_string())
}

fn who(stage: &mut Stage<'_>, server: &Server) -> Result<(), CliError> {
    let gateway = stage.client(CENTRE)?.identity().gateway().to_string();
    stage.page.step("gateway", said::GATEWAY);
    stage.page.say(said::GATEWAY_IS, &[&gateway, &server.pid(), &stage.agreement.id]);
    let lang = stage.page.lang();
    let columns = [text::COL_PARTY, text::COL_ID].map(|line| line.say(lang, &[]));
    let mut table = Table::new(&columns.iter().map(String::as_str).zip([42, 32]).collect::<Vec<_>>());
    for party in CAST {
        table.row([stage.name(party, lang), (*party).to_owned()]);
    }
    stage.page.table(&table);
    stage.page.fact("gateway", gateway);
    stage.page.fact("pid", server.pid());
    stage.page.fact("parties", CAST.to_vec());
    Ok(())
}

/// From the referral to what both tell each other.
async fn both_support(stage: &mut Stage<'_>) -> Result<Sent, CliError> {
    step(stage, "referral", said::REFERRAL, said::REFERRAL_IS);
    told(stage, letter(M::Referral, CENTRE, CITY, &[PLACEMENT])).await?;
    step(stage, "accepted", said::ACCEPTED, said::ACCEPTED_IS);
    told(stage, letter(M::ReferralDecision, CORE, CENTRE, &[PLACEMENT]).that("decision", "accepted")).await?;
    step(stage, "supplement", said::SUPPLEMENT, said::SUPPLEMENT_IS);
    told(stage, letter(M::Supplement, CITY, CENTRE, &[PLACEMENT])).await
}

/// Anonymous enquiries: one home cannot, the other can.
async fn homes_are_asked(stage: &mut Stage<'_>) -> Result<(), CliError> {
    step(stage, "enquiry", said::ENQUIRY, said::ENQUIRY_IS);
    stage.send(letter(M::Enquiry, CITY, OTHER, &[PLACEMENT])).await?;
    told(stage, letter(M::Enquiry, CORE, HOME, &[PLACEMENT])).await?;
    step(stage, "impossible", said::IMPOSSIBLE, said::IMPOSSIBLE_IS);
    told(stage, letter(M::EnquiryReply, OTHER, CITY, &[PLACEMENT]).that("reply", "impossible")).await?;
    step(stage, "possible", said::POSSIBLE, said::POSSIBLE_IS);
    told(stage, letter(M::EnquiryReply, HOME, CORE, &[PLACEMENT]).that("reply", "possible")).await?;
    Ok(())
}

/// The consent names one home; it takes the person. Gives what it was handed.
async fn one_is_named(stage: &mut Stage<'_>) -> Result<Sent, CliError> {
    step(stage, "named", said::NAMED, said::NAMED_IS);
    stage.consents(&second_consent()).await?;
    stage.page.check(text::RECEIPT_FITS, &[]);
    let other = letter(M::PlacementRequest, CITY, DAY, &[PLACEMENT]);
    stage.is_refused(other, RefusalCode::ConsentScope, said::OTHER_HOME).await?;
    step(stage, "request", said::REQUEST, said::REQUEST_IS);
    told(stage, letter(M::PlacementRequest, CITY, HOME, &[PLACEMENT])).await?;
    step(stage, "placed", said::PLACED, said::PLACED_IS);
    told(stage, letter(M::PlacementDecision, HOME, CITY, &[PLACEMENT]).that("decision", "accepted")).await?;
    step(stage, "plan", said::PLAN, said::PLAN_IS);
    told(stage, letter(M::PlanRequest, CITY, OFFICE, &[PLACEMENT, PLANNING])).await?;
    step(stage, "hand_off", said::HAND_OFF, said::HAND_OFF_IS);
    let hand_off = told(stage, letter(M::ServiceHandoff, CITY, HOME, &[PLACEMENT, PROVISION])).await?;
    step(stage, "started", said::STARTED, said::STARTED_IS);
    told(stage, letter(M::StatusNotice, HOME, CITY, &[PLACEMENT, PROVISION]).that("status", "started")).await?;
    step(stage, "meeting", said::MEETING, said::MEETING_IS);
    told(stage, letter(M::MeetingNotice, CORE, HOME, &[PLACEMENT, PROVISION])).await?;
    Ok(hand_off)
}

/// The hand-over, signed by both, ends what the centre was shown.
async fn lead_moves(stage: &mut Stage<'_>, supplement: Sent) -> Result<(), CliError> {
    step(stage, "proposal", said::PROPOSAL, said::PROPOSAL_IS);
    told(stage, letter(M::HandoverProposal, CENTRE, CITY, &[PLACEMENT])).await?;
    stage.page.step("agreed", said::AGREED);
    let agreed = stage.send(letter(M::HandoverAgreed, CITY, CENTRE, &[PLACEMENT]).that("handover_reply", "agreed")).await?;
    let case = stage.case(CENTRE)?;
    let left = stage.shown(CENTRE, &case, supplement).await?.len();
    stage.page.say(said::AGREED_IS, &[&left]);
    stage.page.fact("left", left);
    let late = letter(M::Supplement, CITY, CENTRE, &[PLACEMENT]);
    stage.is_refused(late, RefusalCode::StateConflict, said::TOLD_LATE).await?;
    stage.everybody_looks(Some(agreed)).await
}

async fn home_is_backed(stage: &mut Stage<'_>) -> Result<(), CliError> {
    step(stage, "question", said::QUESTION, said::QUESTION_IS);
    told(stage, letter(M::ConsultationRequest, HOME, CITY, &[BACKUP])).await?;
    step(stage, "advice", said::ADVICE, said::ADVICE_IS);
    told(stage, letter(M::ConsultationReply, CITY, HOME, &[BACKUP])).await?;
    Ok(())
}

/// The withdrawal bites at once.
async fn consent_ends(stage: &mut Stage<'_>, hand_off: Sent) -> Result<(), CliError> {
    let Some(consent) = stage.consent.as_ref().map(crate::client::SignedConsent::jti) else { return Ok(()) };
    stage.page.step("withdrawn", said::WITHDRAWN);
    let answer = stage.client(HOME)?.end_consent(consent, EndedBy::Self_, "本人が撤回した", None, PROVISION).await?;
    let index = answer.place().index();
    stage.page.say(said::WITHDRAWN_IS, &[&index]);
    let case = stage.case(HOME)?;
    let problem = refused(RefusalCode::ConsentEnded, stage.read(HOME, &case, hand_off).await?)?;
    let tried = said::READ_AGAIN.say(stage.page.lang(), &[]);
    stage.page.refused(&tried, &problem);
    stage.page.check(text::RECEIPT_FITS, &[]);
    stage.everybody_looks(None).await
}

/// What the ledger says of all that.
async fn audit(stage: &mut Stage<'_>) -> Result<(), CliError> {
    let about = AuditFilter { case: Some(stage.case(CITY)?), ..AuditFilter::default() };
    let events = stage.auditor.all_audit_events(&about).await?;
    let head = stage.auditor.checkpoint().await?;
    let mut tree = stage.auditor.tree(&head.head);
    for event in &events {
        tree.includes(event.index, &event.leaf).await?;
    }
    let delegated = events.iter().filter(|event| event.entry.actor.as_ref().is_some_and(|actor| actor.acting_for.is_some())).count();
    must(delegated > 0, "no entry says for whom the core centre acted", "基幹がだれのために動いたかの記録がありません")?;
    step(stage, "audit", said::AUDIT, said::NO_LEAK);
    stage.page.say(said::AUDIT_IS, &[&events.len(), &delegated]);
    stage.page.check(said::AUDIT_PROVEN, &[&head.head.size()]);
    stage.page.fact("entries", events.len());
    stage.page.fact("delegated", delegated);
    Ok(())
}

fn step(stage: &mut Stage<'_>, id: &'static str, title: Line, what: Line) {
    stage.page.step(id, title);
    stage.page.say(what, &[]);
}

/// Sends, and everybody looks.
async fn told(stage: &mut Stage<'_>, letter: Letter) -> Result<Sent, CliError> {
    let sent = stage.send(letter).await?;
    stage.everybody_looks(Some(sent)).await?;
    Ok(sent)
}

const fn letter(kind: M, from: &'static str, to: &'static str, purposes: &'static [Purpose]) -> Letter {
    Letter { kind, from, to, purposes, decides: None }
}

impl Letter {
    const fn that(self, row: &'static str, word: &'static str) -> Self {
        Self { decides: Some((row, word)), ..self }
    }
}

fn first_consent() -> Value {
    let anonymous = [FieldClass::Minimal, FieldClass::Accommodation, FieldClass::CareNeed];
    json!([
        {"rcp": [CENTRE, CITY, CORE], "pur": [PLACEMENT, PLANNING, PROVISION, BACKUP], "cls": every_class(), "tick": TICKED},
        {"rcp": [HOME, OTHER], "pur": [PLACEMENT], "cls": anonymous, "tick": []},
    ])
}

fn second_consent() -> Value {
    json!([
        {"rcp": [CENTRE, CITY, CORE], "pur": [PLACEMENT, PLANNING, PROVISION, BACKUP, ADDON], "cls": every_class(), "tick": TICKED},
        {"rcp": [HOME], "pur": [PLACEMENT, PROVISION, BACKUP, ADDON], "cls": every_class(), "tick": [FieldClass::CriminalBackground]},
        {"rcp": [OFFICE], "pur": [PLACEMENT, PLANNING, BACKUP], "cls": every_class(), "tick": []},
    ])
}

fn every_class() -> Vec<FieldClass> {
    FieldClass::ALL.iter().copied().filter(|class| !class.needs_no_consent_item() && !class.consent_may_not_name()).collect()
}

/// What the person ticked for the public bodies.
const TICKED: &[FieldClass] = &[FieldClass::CriminalBackground, FieldClass::VictimRelated, FieldClass::Family];
const PLACEMENT: Purpose = Purpose::PlacementCoordination;
const PLANNING: Purpose = Purpose::ServicePlanning;
const PROVISION: Purpose = Purpose::ServiceProvision;
const BACKUP: Purpose = Purpose::BackupConsultation;
const ADDON: Purpose = Purpose::AddonCertification;
