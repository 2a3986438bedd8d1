//! The messages of several cases and what became of them, in one call for a page of a list.

use sqlx::{ColumnIndex, Decode, FromRow, Row, Type};

use super::cases::{HeadColumns, message_head};
use crate::{
    domain::{case::Relation, ids::CaseKey, party::PartyId},
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
        let these = || some.iter().map(|case| case.uuid().as_bytes().as_slice());
        let query = Statement::new(sql::FATES).among(these()).push(sql::PASSAGES).among(these());
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

/// What is known of a message without opening it.
pub(super) type TermColumns = (Option<Vec<u8>>, Option<String>, Option<Vec<u8>>, Option<Vec<u8>>, Option<String>, Option<String>);

pub(super) fn term((consent, reply_by, corrects, source, sent_for, sent_to): TermColumns) -> Result<Term, StoreError> {
    let id = |column, bytes: Option<Vec<u8>>| bytes.map(|bytes| decode::jti(column, &bytes)).transpose();
    let party = |column, text: Option<String>| text.map(|text| decode::parse::<PartyId>(column, &text)).transpose();
    Ok(Term {
        consent: id("message_term.consent", consent)?,
        reply_by: reply_by.map(|day| decode::parse("message_term.reply_by", &day)).transpose()?,
        corrects: id("message_term.corrects", corrects)?,
        source: id("message_term.source", source)?,
        sent_for: party("message_term.sent_for", sent_for)?,
        sent_to: party("message_term.sent_to", sent_to)?,
    })
}

/// The head, the term, then the first release with its time, the first acknowledgement and the notice of non-collection: more columns than a tuple may have.
struct PassageColumns {
    head: HeadColumns,
    term: TermColumns,
    pulled: (Option<i64>, Option<i64>),
    acknowledged: Option<i64>,
    uncollected: Option<i64>,
}

impl<'r, R: Row> FromRow<'r, R> for PassageColumns
where
    usize: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
{
    fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
        Ok(Self {
            head: (
                row.try_get(0)?,
                row.try_get(1)?,
                row.try_get(2)?,
                row.try_get(3)?,
                row.try_get(4)?,
                row.try_get(5)?,
                row.try_get(6)?,
                row.try_get(7)?,
            ),
            term: (row.try_get(8)?, row.try_get(9)?, row.try_get(10)?, row.try_get(11)?, row.try_get(12)?, row.try_get(13)?),
            pulled: (row.try_get(14)?, row.try_get(15)?),
            acknowledged: row.try_get(16)?,
            uncollected: row.try_get(17)?,
        })
    }
}

fn passage(row: PassageColumns) -> Result<Passage, StoreError> {
    let PassageColumns { head, term: columns, pulled: (pulled, at), acknowledged, uncollected } = row;
    let pulled =
        pulled.zip(at).map(|(idx, at)| Ok::<_, StoreError>((decode::count("evidence.idx", idx)?, decode::time(at)))).transpose()?;
    Ok(Passage {
        head: message_head(head)?,
        term: term(columns)?,
        pulled,
        acknowledged: acknowledged.is_some(),
        uncollected: uncollected.map(|idx| decode::count("evidence.idx", idx)).transpose()?,
    })
}

/// Cases that one statement names.
const AT_ONCE: usize = 500;
