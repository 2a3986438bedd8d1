//! Cases, their messages and what happened to them.

use async_trait::async_trait;

use super::passages::{passages, relations, term};
use crate::{
    domain::{
        case::{CaseState, Relation},
        ids::{CaseId, CaseKey, Jti},
        party::PartyId,
        time::Timestamp,
    },
    store::{
        Addressed, CaseContent, CaseRow, Cases, DataKeyId, EvidenceRow, MessageHead, MessageRow, Passage, StoreError, Term, decode,
        reads::{Database, SqlStore},
        sql,
        statement::Statement,
    },
};

#[async_trait]
impl<D: Database> Cases for SqlStore<D> {
    async fn case(&self, party: &PartyId, id: &CaseId) -> Result<Option<CaseRow>, StoreError> {
        let query = Statement::new(sql::CASE).blob(id.uuid().as_bytes()).text(party.to_string());
        let row: Option<CaseColumns> = self.one(query).await?;
        row.map(case).transpose()
    }

    async fn case_parties(&self, key: &CaseKey) -> Result<Vec<CaseRow>, StoreError> {
        let query = Statement::new(sql::CASE_PARTIES).blob(key.uuid().as_bytes());
        let rows: Vec<CaseColumns> = self.all(query).await?;
        rows.into_iter().map(case).collect()
    }

    async fn case_of_any(&self, id: &CaseId) -> Result<Option<CaseKey>, StoreError> {
        let query = Statement::new(sql::CASE_OF_ANY).blob(id.uuid().as_bytes());
        let row: Option<Vec<u8>> = self.cell(query).await?;
        row.map(|key| decode::case_key("case_party.case_", &key)).transpose()
    }

    async fn case_content(&self, case: &CaseKey) -> Result<Option<CaseContent>, StoreError> {
        let row: Option<(Vec<u8>, Option<Vec<u8>>)> = self.one(Statement::new(sql::CASE_CONTENT).blob(case.uuid().as_bytes())).await?;
        let Some((key, consent)) = row else { return Ok(None) };
        let messages: Vec<Vec<u8>> = self.column(Statement::new(sql::CASE_MESSAGES).blob(case.uuid().as_bytes())).await?;
        let terms: Vec<Vec<u8>> = self.column(Statement::new(sql::CASE_TERMS).blob(case.uuid().as_bytes())).await?;
        Ok(Some(CaseContent {
            key: decode::data_key_id("case_.key", &key)?,
            consent: consent.map(|jti| decode::jti("case_.consent", &jti)).transpose()?,
            terms: terms.iter().map(|jti| decode::jti("message_term.jti", jti)).collect::<Result<_, _>>()?,
            messages: messages.iter().map(|jti| decode::jti("message.jti", jti)).collect::<Result<_, _>>()?,
        }))
    }

    async fn case_key(&self, case: &CaseKey) -> Result<Option<DataKeyId>, StoreError> {
        let query = Statement::new(sql::CASE_KEY).blob(case.uuid().as_bytes());
        let row: Option<Vec<u8>> = self.cell(query).await?;
        row.map(|key| decode::data_key_id("case_.key", &key)).transpose()
    }

    async fn cases(&self, party: &PartyId, state: Option<CaseState>, after: Option<u64>, limit: u32) -> Result<Vec<CaseRow>, StoreError> {
        self.listed(sql::CASES, party, state, (after, limit)).await
    }

    async fn foreign_cases(
        &self,
        party: &PartyId,
        state: Option<CaseState>,
        after: Option<u64>,
        limit: u32,
    ) -> Result<Vec<CaseRow>, StoreError> {
        self.listed(sql::FOREIGN_CASES, party, state, (after, limit)).await
    }

    async fn addressed(&self, party: &PartyId, id: &CaseId) -> Result<Option<Addressed>, StoreError> {
        let query = Statement::new(sql::ADDRESSED).blob(id.uuid().as_bytes()).text(party.to_string());
        let row: Option<AddressedColumns> = self.one(query).await?;
        let Some((relation, state, wrapped, iss, jti, aud, case, kind, digest, idx, received, key, sealed)) = row else { return Ok(None) };
        let relation = decode::parse("case_party.relation", &relation)?;
        let state = decode::parse("case_.state", &state)?;
        Ok(Some(Addressed { relation, state, message: message((iss, jti, aud, case, kind, digest, idx, received, key, sealed))?, wrapped }))
    }

    async fn first_message(&self, case: &CaseKey, aud: &PartyId) -> Result<Option<MessageRow>, StoreError> {
        let query = Statement::new(sql::FIRST_MESSAGE).blob(case.uuid().as_bytes()).text(aud.to_string());
        let row: Option<MessageColumns> = self.one(query).await?;
        row.map(message).transpose()
    }

    async fn message(&self, case: &CaseKey, jti: &Jti) -> Result<Option<MessageRow>, StoreError> {
        let query = Statement::new(sql::MESSAGE).blob(case.uuid().as_bytes()).blob(jti.uuid().as_bytes());
        let row: Option<MessageColumns> = self.one(query).await?;
        row.map(message).transpose()
    }

    async fn messages(&self, case: &CaseKey, party: &PartyId, after: Option<u64>, limit: u32) -> Result<Vec<MessageHead>, StoreError> {
        let query = Statement::new(sql::MESSAGES)
            .blob(case.uuid().as_bytes())
            .text(party.to_string())
            .int(decode::after(after))
            .int(i64::from(limit));
        let rows: Vec<HeadColumns> = self.all(query).await?;
        rows.into_iter().map(message_head).collect()
    }

    async fn taken_part(
        &self,
        party: &PartyId,
        before: Timestamp,
        after: Option<&CaseKey>,
        limit: u32,
    ) -> Result<Vec<CaseKey>, StoreError> {
        // Every key is longer than nothing, and so behind it.
        let after = after.map(|key| key.uuid().into_bytes().to_vec()).unwrap_or_default();
        let query = Statement::new(sql::TAKEN_PART).text(party.to_string()).int(before.micros()).blob(&after).int(i64::from(limit));
        let keys: Vec<Vec<u8>> = self.column(query).await?;
        keys.iter().map(|key| decode::case_key("case_party.case_", key)).collect()
    }

    async fn case_heads(&self, case: &CaseKey) -> Result<Vec<MessageHead>, StoreError> {
        let rows: Vec<HeadColumns> = self.all(Statement::new(sql::CASE_HEADS).blob(case.uuid().as_bytes())).await?;
        rows.into_iter().map(message_head).collect()
    }

    async fn term(&self, case: &CaseKey, jti: &Jti) -> Result<Option<Term>, StoreError> {
        let query = Statement::new(sql::TERM).blob(case.uuid().as_bytes()).blob(jti.uuid().as_bytes());
        self.one(query).await?.map(term).transpose()
    }

    async fn passages(&self, cases: &[CaseKey]) -> Result<Vec<Passage>, StoreError> {
        passages(self, cases).await
    }

    async fn relations(&self, cases: &[CaseKey]) -> Result<Vec<(CaseKey, PartyId, Relation)>, StoreError> {
        relations(self, cases).await
    }

    async fn cases_over(&self, after: Option<&CaseKey>, limit: u32) -> Result<Vec<CaseKey>, StoreError> {
        let after = after.map_or(&[][..], |case| case.uuid().as_bytes());
        let keys: Vec<Vec<u8>> = self.column(Statement::new(sql::CASES_OVER).blob(after).int(i64::from(limit))).await?;
        keys.iter().map(|key| decode::case_key("case_.id", key)).collect()
    }

    async fn evidence(&self, case: &CaseKey, iss: &PartyId) -> Result<Vec<EvidenceRow>, StoreError> {
        let query = Statement::new(sql::EVIDENCE).blob(case.uuid().as_bytes()).text(iss.to_string());
        let rows: Vec<EvidenceColumns> = self.all(query).await?;
        rows.into_iter().map(|row| evidence(*case, iss, row)).collect()
    }
}

impl<D: Database> SqlStore<D> {
    async fn listed(
        &self,
        statement: &'static str,
        party: &PartyId,
        state: Option<CaseState>,
        (after, limit): (Option<u64>, u32),
    ) -> Result<Vec<CaseRow>, StoreError> {
        let query = Statement::new(statement)
            .text(party.to_string())
            .int(decode::after(after))
            .some_text(state.map(CaseState::as_str))
            .int(i64::from(limit));
        let rows: Vec<CaseColumns> = self.all(query).await?;
        rows.into_iter().map(case).collect()
    }
}

type CaseColumns = (Vec<u8>, Vec<u8>, String, String, String, i64, String, i64, i64, i64, i64);

fn case(
    (case, id, party, relation, state, revision, kind, received, updated, updated_idx, erased): CaseColumns,
) -> Result<CaseRow, StoreError> {
    Ok(CaseRow {
        case: decode::case_key("case_party.case_", &case)?,
        id: decode::case_id("case_party.id", &id)?,
        party: decode::parse("case_party.party", &party)?,
        relation: decode::parse("case_party.relation", &relation)?,
        state: decode::parse("case_.state", &state)?,
        revision: decode::count("case_.revision", revision)?,
        kind: decode::parse("case_.kind", &kind)?,
        received: decode::time(received),
        updated: decode::time(updated),
        updated_idx: decode::count("case_party.updated_idx", updated_idx)?,
        erased: erased != 0,
    })
}

pub(super) type HeadColumns = (String, Vec<u8>, String, Vec<u8>, String, Vec<u8>, i64, i64);

pub(super) fn message_head((iss, jti, aud, case, kind, digest, idx, received): HeadColumns) -> Result<MessageHead, StoreError> {
    Ok(MessageHead {
        iss: decode::parse("message.iss", &iss)?,
        jti: decode::jti("message.jti", &jti)?,
        aud: decode::parse("message.aud", &aud)?,
        case: decode::case_key("message.case_", &case)?,
        kind: decode::parse("message.kind", &kind)?,
        digest: decode::digest("message.digest", &digest)?,
        idx: decode::count("message.idx", idx)?,
        received: decode::time(received),
    })
}

type MessageColumns = (String, Vec<u8>, String, Vec<u8>, String, Vec<u8>, i64, i64, Vec<u8>, Vec<u8>);

fn message((iss, jti, aud, case, kind, digest, idx, received, key, sealed): MessageColumns) -> Result<MessageRow, StoreError> {
    let head = message_head((iss, jti, aud, case, kind, digest, idx, received))?;
    Ok(MessageRow {
        iss: head.iss,
        jti: head.jti,
        aud: head.aud,
        case: head.case,
        kind: head.kind,
        digest: head.digest,
        sealed: decode::sealed("message.key", &key, sealed)?,
        idx: head.idx,
        received: head.received,
    })
}

/// Relation, state and wrapped key, then the message.
type AddressedColumns = (String, String, Option<Vec<u8>>, String, Vec<u8>, String, Vec<u8>, String, Vec<u8>, i64, i64, Vec<u8>, Vec<u8>);

type EvidenceColumns = (Vec<u8>, Vec<u8>, String, Vec<u8>, i64, Vec<u8>, i64);

fn evidence(case: CaseKey, iss: &PartyId, row: EvidenceColumns) -> Result<EvidenceRow, StoreError> {
    let (jti, digest, state, receipt, idx, leaf, time) = row;
    Ok(EvidenceRow {
        case,
        iss: iss.clone(),
        jti: decode::jti("evidence.jti", &jti)?,
        digest: decode::digest("evidence.digest", &digest)?,
        state: decode::parse("evidence.state", &state)?,
        receipt: decode::jti("evidence.receipt", &receipt)?,
        idx: decode::count("evidence.idx", idx)?,
        leaf: decode::digest("ledger_leaf.leaf_hash", &leaf)?,
        time: decode::time(time),
    })
}
