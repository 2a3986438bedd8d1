//! Business rows of one entry: each [`Write`] as statements, each of which must change exactly one row.

use std::collections::BTreeSet;

use super::{
    StoreError, Write,
    decode::integer,
    rows::{EvidenceRow, KeyRow, MessageRow},
    script::Script,
    sql,
};
use crate::domain::{case::CaseState, party::PartyState, time::Timestamp};

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

/// Adds the statements of a row.
pub(super) fn apply(script: &mut Script, row: &Write, at: At) -> Result<(), StoreError> {
    match row {
        Write::Party(registration) => {
            let text = serde_json::to_string(registration).map_err(|_| StoreError::Corrupt("party.registration"))?;
            let party = registration.party.to_string();
            script.run(sql::PUT_PARTY)?.text(party)?.text(text)?.text(PartyState::Active.as_str())?.int(at.idx)?;
        }
        Write::PartyState(party, state) => {
            script.run(sql::SET_PARTY_STATE)?.text(party.to_string())?.text(state.as_str())?.int(at.idx)?;
        }
        Write::Key(key) => insert_key(script, key, at)?,
        Write::KeyState { kid, state, compromised_at } => {
            let since = compromised_at.map(Timestamp::micros);
            script.run(sql::SET_KEY_STATE)?.blob(&kid.0)?.text(state.as_str())?.some_int(since)?;
        }
        Write::Agreement { .. } | Write::AgreementAct { .. } | Write::AgreementSuperseded(..) => agreement(script, row, at)?,
        Write::DataKey(id, wrapped) => {
            script.run(sql::INSERT_DATA_KEY)?.blob(id.0.as_bytes())?.blob(wrapped)?;
        }
        Write::Person(subject) => {
            script.run(sql::INSERT_PERSON)?.blob(&subject.0)?.int(at.idx)?;
        }
        Write::PersonKey(subject, key) => {
            script.run(sql::INSERT_PERSON_KEY)?.blob(&subject.0)?.blob(key.0.as_bytes())?;
        }
        Write::Consent { .. } | Write::ConsentEnd { .. } | Write::ConsentSuperseded { .. } | Write::ConsentBound(..) => {
            consent(script, row, at)?;
        }
        Write::Case { .. } | Write::CaseState(..) | Write::CaseParty { .. } | Write::CaseTouched(..) => case(script, row, at)?,
        Write::Message(message) => insert_message(script, message, at)?,
        Write::Evidence(evidence) => insert_evidence(script, evidence, at)?,
    }
    Ok(())
}

fn agreement(script: &mut Script, row: &Write, at: At) -> Result<(), StoreError> {
    match row {
        Write::Agreement { id, ver, sha256, document, parties, acceding } => {
            let statement = script.run(sql::INSERT_AGREEMENT)?;
            statement.text(id.as_str())?.int((*ver).into())?.blob(&sha256.0)?.blob(document)?.int(at.idx)?;
            // A side named twice is one row.
            let sides: BTreeSet<String> = parties.iter().map(ToString::to_string).chain(acceding.iter().map(ToString::to_string)).collect();
            for side in sides {
                script.run(sql::INSERT_AGREEMENT_PARTY)?.text(side)?.int(at.idx)?;
            }
        }
        Write::AgreementAct { id, ver, party, act, signature } => {
            let statement = script.run(sql::INSERT_AGREEMENT_ACT)?;
            let statement = statement.text(id.as_str())?.int((*ver).into())?.text(party.to_string())?;
            statement.text(act.as_str())?.text(signature.as_str())?.int(at.idx)?;
        }
        Write::AgreementSuperseded(id, ver) => {
            script.run(sql::SUPERSEDE_AGREEMENT)?.text(id.as_str())?.int((*ver).into())?;
        }
        _ => {}
    }
    Ok(())
}

fn consent(script: &mut Script, row: &Write, at: At) -> Result<(), StoreError> {
    match row {
        Write::Consent { jti, collector, sha256, subject, sealed } => {
            let statement = script.run(sql::INSERT_CONSENT)?;
            let statement = statement.blob(jti.uuid().as_bytes())?.text(collector.to_string())?.blob(&sha256.0)?;
            statement.blob(&subject.0)?.int(at.idx)?.sealed(sealed)?;
        }
        Write::ConsentEnd { consent, whole, sealed } => {
            script.run(sql::INSERT_CONSENT_END)?.blob(consent.uuid().as_bytes())?.int(at.idx)?.sealed(sealed)?;
            if *whole {
                script.run(sql::END_CONSENT)?.blob(consent.uuid().as_bytes())?;
            }
        }
        Write::ConsentSuperseded { consent, by } => {
            script.run(sql::SUPERSEDE_CONSENT)?.blob(consent.uuid().as_bytes())?.blob(by.uuid().as_bytes())?;
        }
        Write::ConsentBound(jti, case) => {
            script.run(sql::BIND_CONSENT)?.blob(jti.uuid().as_bytes())?.blob(case.uuid().as_bytes())?;
        }
        _ => {}
    }
    Ok(())
}

fn case(script: &mut Script, row: &Write, at: At) -> Result<(), StoreError> {
    match row {
        Write::Case { case, kind, key, consent } => {
            let statement = script.run(sql::INSERT_CASE)?;
            let statement = statement.blob(case.uuid().as_bytes())?.text(kind.as_str())?.text(CaseState::Open.as_str())?;
            statement.some_blob(consent.as_ref().map(|jti| jti.uuid().as_bytes().as_slice()))?.blob(key.0.as_bytes())?;
        }
        Write::CaseState(case, state) => {
            script.run(sql::SET_CASE_STATE)?.blob(case.uuid().as_bytes())?.text(state.as_str())?;
        }
        Write::CaseParty { case, party, id, relation } => {
            let statement = script.run(sql::PUT_CASE_PARTY)?;
            let statement = statement.blob(case.uuid().as_bytes())?.text(party.to_string())?.blob(id.uuid().as_bytes())?;
            statement.text(relation.as_str())?.int(at.time)?.int(at.idx)?;
            script.run(sql::MOVE_CASE_REVISION)?.blob(case.uuid().as_bytes())?;
        }
        Write::CaseTouched(case, party) => {
            let statement = script.run(sql::TOUCH_CASE)?;
            statement.blob(case.uuid().as_bytes())?.text(party.to_string())?.int(at.time)?.int(at.idx)?;
        }
        _ => {}
    }
    Ok(())
}

fn insert_key(script: &mut Script, key: &KeyRow, at: At) -> Result<(), StoreError> {
    let statement = script.run(sql::INSERT_KEY)?;
    let statement = statement.blob(&key.kid.0)?.text(key.party.to_string())?.text(key.usage.as_str())?.text(key.jwk.as_str())?;
    let statement = statement.text(key.state.as_str())?.int(key.nbf.micros())?.int(key.naf.micros())?;
    statement.some_int(key.compromised_at.map(Timestamp::micros))?.int(at.idx)?;
    Ok(())
}

fn insert_message(script: &mut Script, message: &MessageRow, at: At) -> Result<(), StoreError> {
    let statement = script.run(sql::INSERT_MESSAGE)?;
    let statement = statement.text(message.iss.to_string())?.blob(message.jti.uuid().as_bytes())?.text(message.aud.to_string())?;
    let statement = statement.blob(message.case.uuid().as_bytes())?.text(message.kind.as_str())?.blob(&message.digest.0)?;
    statement.int(at.idx)?.int(at.time)?.sealed(&message.sealed)?;
    Ok(())
}

fn insert_evidence(script: &mut Script, evidence: &EvidenceRow, at: At) -> Result<(), StoreError> {
    let statement = script.run(sql::INSERT_EVIDENCE)?;
    let statement = statement.blob(evidence.case.uuid().as_bytes())?.text(evidence.iss.to_string())?;
    let statement = statement.blob(evidence.jti.uuid().as_bytes())?.blob(&evidence.digest.0)?.text(evidence.state.as_str())?;
    statement.blob(evidence.receipt.uuid().as_bytes())?.int(at.time)?.int(at.idx)?;
    Ok(())
}
