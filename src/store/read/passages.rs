//! The messages of several cases and what became of them, in one call for a page of a list.

use super::cases::{HeadColumns, message_head};
use crate::{
    domain::{
        case::Relation,
        ids::{CaseKey, Jti},
        party::PartyId,
    },
    store::{
        Passage, StoreError, Term, decode,
        reads::{Database, SqlStore},
        sql,
        statement::Statement,
    },
};

pub(super) async fn passages<D: Database>(store: &SqlStore<D>, cases: &[CaseKey]) -> Result<Vec<Passage>, StoreError> {
    let mut found = Vec::new();
    for some in cases.chunks(AT_ONCE) {
        let query = Statement::new(sql::PASSAGES).among(some.iter().map(|case| case.uuid().as_bytes().as_slice()));
        let rows: Vec<PassageColumns> = store.all(query.push(sql::PASSAGES_ORDER)).await?;
        for row in rows {
            found.push(passage(row)?);
        }
    }
    Ok(found)
}

pub(super) async fn relations<D: Database>(
    store: &SqlStore<D>,
    cases: &[CaseKey],
) -> Result<Vec<(CaseKey, PartyId, Relation)>, StoreError> {
    let mut found = Vec::new();
    for some in cases.chunks(AT_ONCE) {
        let query = Statement::new(sql::RELATIONS).among(some.iter().map(|case| case.uuid().as_bytes().as_slice()));
        let rows: Vec<(Vec<u8>, String, String)> = store.all(query).await?;
        for (case, party, relation) in rows {
            found.push((
                decode::case_key("case_party.case_", &case)?,
                decode::parse("case_party.party", &party)?,
                decode::parse("case_party.relation", &relation)?,
            ));
        }
    }
    Ok(found)
}

/// The head, the term, then the first release with its time, the first acknowledgement and the notice of non-collection.
type PassageColumns = (
    String,
    Vec<u8>,
    String,
    Vec<u8>,
    String,
    Vec<u8>,
    i64,
    i64,
    Option<Vec<u8>>,
    Option<String>,
    Option<Vec<u8>>,
    Option<Vec<u8>>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
);

fn passage(row: PassageColumns) -> Result<Passage, StoreError> {
    let (iss, jti, aud, case, kind, digest, idx, received, consent, reply_by, corrects, source, pulled, at, acknowledged, uncollected) =
        row;
    let head: HeadColumns = (iss, jti, aud, case, kind, digest, idx, received);
    let id = |column, bytes: Option<Vec<u8>>| bytes.map(|bytes| decode::jti(column, &bytes)).transpose();
    let named: Option<Jti> = id("message_term.consent", consent)?;
    let pulled =
        pulled.zip(at).map(|(idx, at)| Ok::<_, StoreError>((decode::count("evidence.idx", idx)?, decode::time(at)))).transpose()?;
    Ok(Passage {
        head: message_head(head)?,
        term: Term {
            consent: named,
            reply_by: reply_by.map(|day| decode::parse("message_term.reply_by", &day)).transpose()?,
            corrects: id("message_term.corrects", corrects)?,
            source: id("message_term.source", source)?,
        },
        pulled,
        acknowledged: acknowledged.is_some(),
        uncollected: uncollected.map(|idx| decode::count("evidence.idx", idx)).transpose()?,
    })
}

/// Cases that one statement names.
const AT_ONCE: usize = 500;
