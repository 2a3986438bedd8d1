//! Business rows of one entry: each [`Write`] as statements for either database, each of which must change exactly one row.

use std::collections::BTreeSet;

use super::{
    StoreError, Write,
    decode::integer,
    rows::{EvidenceRow, KeyRow, MessageRow, Tag, Term},
    sql,
    statement::Statement,
};
use crate::domain::{
    case::CaseState,
    ids::{CaseKey, Jti},
    party::{PartyId, PartyState},
    time::Timestamp,
};

/// The entry that the rows belong to.
#[derive(Debug, Clone, Copy)]
pub(super) struct At {
    idx: i64,
    time: i64,
}

impl At {
    pub(super) fn new(idx: u64, time: Timestamp) -> Self {
        Self { idx: integer(idx), time: time.micros() }
    }
}

/// The statements of the rows, in order.
pub(super) fn script<'w>(rows: impl IntoIterator<Item = &'w Write>, at: At) -> Result<Vec<Statement>, StoreError> {
    let mut script = Vec::new();
    for row in rows {
        apply(&mut script, row, at)?;
    }
    Ok(script)
}

fn apply(script: &mut Vec<Statement>, row: &Write, at: At) -> Result<(), StoreError> {
    match row {
        Write::Party(registration) => {
            let text = serde_json::to_string(registration).map_err(|_| StoreError::Corrupt("party.registration"))?;
            let party = registration.party.to_string();
            script.push(Statement::new(sql::PUT_PARTY).text(party).text(text).text(PartyState::Active.as_str()).int(at.idx));
        }
        Write::PartyState(party, state) => {
            script.push(Statement::new(sql::SET_PARTY_STATE).text(party.to_string()).text(state.as_str()).int(at.idx));
        }
        Write::Key(key) => insert_key(script, key, at),
        Write::KeyState { kid, state, compromised_at } => {
            let since = compromised_at.map(Timestamp::micros);
            script.push(Statement::new(sql::SET_KEY_STATE).blob(&kid.0).text(state.as_str()).some_int(since));
        }
        Write::KeyRecorded(kid) => script.push(Statement::new(sql::SET_KEY_ENTRY).blob(&kid.0).int(at.idx)),
        Write::Agreement { .. } | Write::AgreementAct { .. } | Write::AgreementSuperseded(..) => agreement(script, row, at),
        Write::DataKey(id, wrapped) => {
            script.push(Statement::new(sql::INSERT_DATA_KEY).blob(id.0.as_bytes()).blob(wrapped));
        }
        Write::Person(subject) => {
            script.push(Statement::new(sql::INSERT_PERSON).blob(&subject.0).int(at.idx));
        }
        Write::PersonKey(subject, key) => {
            script.push(Statement::new(sql::INSERT_PERSON_KEY).blob(&subject.0).blob(key.0.as_bytes()));
        }
        Write::Consent { .. }
        | Write::ConsentEnd { .. }
        | Write::ConsentSuperseded { .. }
        | Write::ConsentBound(..)
        | Write::ConsentUnbound(_) => {
            consent(script, row, at);
        }
        Write::Case { .. } | Write::CaseState(..) | Write::CaseParty { .. } | Write::CaseTouched(..) => case(script, row, at),
        Write::Message(message) => insert_message(script, message, at),
        Write::Term(case, jti, term) => insert_term(script, (case, jti), term, at),
        Write::EraseCase(_)
        | Write::EraseKey(_)
        | Write::EraseMessage(..)
        | Write::EraseTerm(..)
        | Write::EraseConsent { .. }
        | Write::ErasePerson(..)
        | Write::EraseOpening(_)
        | Write::EraseTag(..) => erase(script, row),
        Write::Evidence(evidence) => insert_evidence(script, (sql::INSERT_EVIDENCE, evidence), at),
        Write::Uncollected(evidence) => insert_evidence(script, (sql::INSERT_UNCOLLECTED, evidence), at),
    }
    Ok(())
}

fn agreement(script: &mut Vec<Statement>, row: &Write, at: At) {
    match row {
        Write::Agreement { id, ver, sha256, document, parties, acceding } => {
            let statement = Statement::new(sql::INSERT_AGREEMENT);
            script.push(statement.text(id.as_str()).int((*ver).into()).blob(&sha256.0).blob(document).int(at.idx));
            // A side named twice is one row.
            let sides: BTreeSet<String> = parties.iter().map(ToString::to_string).chain(acceding.iter().map(ToString::to_string)).collect();
            for side in sides {
                script.push(Statement::new(sql::INSERT_AGREEMENT_PARTY).text(side).int(at.idx));
            }
        }
        Write::AgreementAct { id, ver, party, act, signature } => {
            let statement = Statement::new(sql::INSERT_AGREEMENT_ACT);
            let statement = statement.text(id.as_str()).int((*ver).into()).text(party.to_string());
            script.push(statement.text(act.as_str()).text(signature.as_str()).int(at.idx));
        }
        Write::AgreementSuperseded(id, ver) => {
            script.push(Statement::new(sql::SUPERSEDE_AGREEMENT).text(id.as_str()).int((*ver).into()));
        }
        _ => {}
    }
}

fn consent(script: &mut Vec<Statement>, row: &Write, at: At) {
    match row {
        Write::Consent { jti, collector, sha256, subject, sealed } => {
            let statement = Statement::new(sql::INSERT_CONSENT);
            let statement = statement.blob(jti.uuid().as_bytes()).text(collector.to_string()).blob(&sha256.0);
            script.push(statement.blob(&subject.0).int(at.idx).sealed(sealed));
        }
        Write::ConsentEnd { consent, whole, sealed } => {
            script.push(Statement::new(sql::INSERT_CONSENT_END).blob(consent.uuid().as_bytes()).int(at.idx).sealed(sealed));
            if *whole {
                script.push(Statement::new(sql::END_CONSENT).blob(consent.uuid().as_bytes()));
            }
        }
        Write::ConsentSuperseded { consent, by } => {
            script.push(Statement::new(sql::SUPERSEDE_CONSENT).blob(consent.uuid().as_bytes()).blob(by.uuid().as_bytes()));
        }
        Write::ConsentUnbound(jti) => script.push(Statement::new(sql::CONSENT_UNBOUND).blob(jti.uuid().as_bytes())),
        Write::ConsentBound(jti, case) => {
            script.push(Statement::new(sql::BIND_CONSENT).blob(jti.uuid().as_bytes()).blob(case.uuid().as_bytes()));
        }
        _ => {}
    }
}

fn case(script: &mut Vec<Statement>, row: &Write, at: At) {
    match row {
        Write::Case { case, kind, key, consent } => {
            let statement = Statement::new(sql::INSERT_CASE);
            let statement = statement.blob(case.uuid().as_bytes()).text(kind.as_str()).text(CaseState::Open.as_str());
            script.push(statement.some_blob(consent.as_ref().map(|jti| jti.uuid().as_bytes().as_slice())).blob(key.0.as_bytes()));
        }
        Write::CaseState(case, state) => {
            script.push(Statement::new(sql::SET_CASE_STATE).blob(case.uuid().as_bytes()).text(state.as_str()));
        }
        Write::CaseParty { case, party, id, relation } => {
            let statement = Statement::new(sql::PUT_CASE_PARTY);
            let statement = statement.blob(case.uuid().as_bytes()).text(party.to_string()).blob(id.uuid().as_bytes());
            script.push(statement.text(relation.as_str()).int(at.time).int(at.idx));
            script.push(Statement::new(sql::MOVE_CASE_REVISION).blob(case.uuid().as_bytes()));
        }
        Write::CaseTouched(case, party) => {
            let statement = Statement::new(sql::TOUCH_CASE);
            script.push(statement.blob(case.uuid().as_bytes()).text(party.to_string()).int(at.time).int(at.idx));
        }
        _ => {}
    }
}

fn erase(script: &mut Vec<Statement>, row: &Write) {
    match row {
        Write::EraseCase(case) => script.push(Statement::new(sql::MOVE_CASE_REVISION).blob(case.uuid().as_bytes())),
        Write::EraseKey(key) => script.push(Statement::new(sql::ERASE_KEY).blob(key.0.as_bytes())),
        Write::EraseMessage(case, jti) => {
            script.push(Statement::new(sql::ERASE_MESSAGE).blob(case.uuid().as_bytes()).blob(jti.uuid().as_bytes()).blob(&[]));
        }
        Write::EraseTerm(case, jti) => {
            script.push(Statement::new(sql::ERASE_TERM).blob(case.uuid().as_bytes()).blob(jti.uuid().as_bytes()));
        }
        Write::EraseConsent { consent, ends } => {
            script.push(Statement::new(sql::ERASE_CONSENT).blob(consent.uuid().as_bytes()).blob(&[]).blob(&NOBODY.0));
            for _ in 0..*ends {
                script.push(Statement::new(sql::ERASE_CONSENT_END).blob(consent.uuid().as_bytes()).blob(&[]));
            }
        }
        Write::ErasePerson(subject, keys) => {
            for key in keys {
                script.push(Statement::new(sql::ERASE_PERSON_KEY).blob(&subject.0).blob(key.0.as_bytes()));
            }
            script.push(Statement::new(sql::ERASE_PERSON).blob(&subject.0));
        }
        Write::EraseOpening(idx) => script.push(Statement::new(sql::ERASE_OPENING).int(integer(*idx))),
        Write::EraseTag(tag, idx) => script.push(Statement::new(sql::ERASE_TAG).blob(&tag.0).int(integer(*idx))),
        _ => {}
    }
}

/// Whose an erased consent is.
const NOBODY: Tag = Tag([0; 16]);

fn insert_key(script: &mut Vec<Statement>, key: &KeyRow, at: At) {
    let statement = Statement::new(sql::INSERT_KEY);
    let statement = statement.blob(&key.kid.0).text(key.party.to_string()).text(key.usage.as_str()).text(key.jwk.as_str());
    let statement = statement.text(key.state.as_str()).int(key.nbf.micros()).int(key.naf.micros());
    script.push(statement.some_int(key.compromised_at.map(Timestamp::micros)).int(at.idx));
}

fn insert_message(script: &mut Vec<Statement>, message: &MessageRow, at: At) {
    let statement = Statement::new(sql::INSERT_MESSAGE);
    let statement = statement.text(message.iss.to_string()).blob(message.jti.uuid().as_bytes()).text(message.aud.to_string());
    let statement = statement.blob(message.case.uuid().as_bytes()).text(message.kind.as_str()).blob(&message.digest.0);
    script.push(statement.int(at.idx).int(at.time).sealed(&message.sealed));
}

fn insert_term(script: &mut Vec<Statement>, (case, jti): (&CaseKey, &Jti), term: &Term, at: At) {
    let id = |jti: &Option<Jti>| jti.map(|jti| jti.uuid().as_bytes().to_vec());
    let (consent, corrects, source) = (id(&term.consent), id(&term.corrects), id(&term.source));
    let by = term.reply_by.map(|day| day.to_string());
    let statement = Statement::new(sql::INSERT_TERM).blob(case.uuid().as_bytes()).blob(jti.uuid().as_bytes()).int(at.idx);
    let statement = statement.some_blob(consent.as_deref()).some_text(by.as_deref());
    let party = |party: &Option<PartyId>| party.as_ref().map(ToString::to_string);
    let (sent_for, sent_to) = (party(&term.sent_for), party(&term.sent_to));
    let statement = statement.some_blob(corrects.as_deref()).some_blob(source.as_deref());
    script.push(statement.some_text(sent_for.as_deref()).some_text(sent_to.as_deref()));
}

fn insert_evidence(script: &mut Vec<Statement>, (sql, evidence): (&'static str, &EvidenceRow), at: At) {
    let statement = Statement::new(sql);
    let statement = statement.blob(evidence.case.uuid().as_bytes()).text(evidence.iss.to_string());
    let statement = statement.blob(evidence.jti.uuid().as_bytes()).blob(&evidence.digest.0).text(evidence.state.as_str());
    script.push(statement.blob(evidence.receipt.uuid().as_bytes()).int(at.time).int(at.idx));
}
