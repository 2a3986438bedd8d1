//! Openings and search tags of erased entries. A case may have ten thousands of them, and the head lock is held while they go, so neither database deletes
//! them one by one.

use super::{Write, decode::integer, statement::Statement};

/// What goes, of the writes of one draft.
#[derive(Debug, Default)]
pub(super) struct Gone {
    pub(super) openings: Vec<i64>,
    pub(super) tags: Vec<Vec<u8>>,
    /// The entries of the tags, in their order.
    pub(super) indexes: Vec<i64>,
}

impl Gone {
    /// Takes these writes out of a draft's; gives the others.
    pub(super) fn take(rows: &[Write]) -> (Self, Vec<&Write>) {
        let (mut gone, mut others) = (Self::default(), Vec::new());
        for row in rows {
            match row {
                Write::EraseOpening(idx) => gone.openings.push(integer(*idx)),
                Write::EraseTag(tag, idx) => {
                    gone.tags.push(tag.0.to_vec());
                    gone.indexes.push(integer(*idx));
                }
                other => others.push(other),
            }
        }
        (gone, others)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.openings.is_empty() && self.tags.is_empty()
    }

    /// Statements for a database that knows no arrays, each of which must change as many rows as it names.
    pub(super) fn statements(&self) -> Vec<Statement> {
        let openings = self.openings.chunks(AT_ONCE).map(|some| {
            let listed = |statement: Statement, (n, idx): (usize, &i64)| comma(statement, n).next().int(*idx);
            let statement = some.iter().enumerate().fold(Statement::new("DELETE FROM ledger_opening WHERE idx IN ("), listed);
            statement.push(")").changing(some.len())
        });
        let tags = self.tags.chunks(AT_ONCE).zip(self.indexes.chunks(AT_ONCE)).map(|(tags, indexes)| {
            let listed = |statement: Statement, (n, (tag, idx)): (usize, (&Vec<u8>, &i64))| {
                comma(statement, n).push("(").next().blob(tag).push(", ").next().int(*idx).push(")")
            };
            let statement = Statement::new("DELETE FROM ledger_index WHERE (tag, idx) IN (VALUES ");
            tags.iter().zip(indexes).enumerate().fold(statement, listed).push(")").changing(tags.len())
        });
        openings.chain(tags).collect()
    }
}

fn comma(statement: Statement, before: usize) -> Statement {
    if before == 0 { statement } else { statement.push(", ") }
}

/// Rows that one statement names.
const AT_ONCE: usize = 500;
