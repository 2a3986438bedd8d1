//! Everything the gateway keeps besides the ledger and the actor tokens it saw, as digests: what must not change when something is refused.

use std::{collections::BTreeMap, path::Path};

use sqlx::AssertSqlSafe;
use tsunagi::domain::digest::Digest;

use crate::exchange_stage::ledger::connect;

/// Digest of each table.
pub(crate) struct Kept(BTreeMap<String, Digest>);

impl Kept {
    pub(crate) async fn read(database: &Path) -> Self {
        let mut connection = connect(database).await;
        let tables: Vec<(String,)> =
            sqlx::query_as("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetch_all(&mut connection).await.unwrap();
        let mut kept = BTreeMap::new();
        for (table,) in tables.into_iter().filter(|(name,)| holds_content(name)) {
            let columns: Vec<(String,)> = sqlx::query_as(AssertSqlSafe(format!("SELECT name FROM pragma_table_info('{table}')")))
                .fetch_all(&mut connection)
                .await
                .unwrap();
            let row: Vec<String> = columns.iter().map(|(column,)| format!("quote(\"{column}\")")).collect();
            // An actor token is used up by a refused call as well.
            let only = if table == "used_once" { "WHERE kind <> 'actor'" } else { "" };
            let rows: Vec<(String,)> =
                sqlx::query_as(AssertSqlSafe(format!("SELECT {} FROM \"{table}\" {only} ORDER BY 1", row.join(" || ',' || "))))
                    .fetch_all(&mut connection)
                    .await
                    .unwrap();
            let text: Vec<&str> = rows.iter().map(|(row,)| row.as_str()).collect();
            kept.insert(table, Digest::of(text.join("\n").as_bytes()));
        }
        let head: (i64, Vec<u8>) = sqlx::query_as("SELECT rights_epoch, policy FROM ledger_head").fetch_one(&mut connection).await.unwrap();
        kept.insert("rights".to_owned(), Digest::of(format!("{head:?}").as_bytes()));
        assert!(kept.len() > 10, "the tables were not found");
        Self(kept)
    }

    /// Tables that differ.
    pub(crate) fn changed(&self, other: &Self) -> Vec<String> {
        let tables = self.0.keys().chain(other.0.keys().filter(|table| !self.0.contains_key(*table)));
        tables.filter(|table| self.0.get(*table) != other.0.get(*table)).cloned().collect()
    }
}

fn holds_content(table: &str) -> bool {
    !table.starts_with("ledger_") && !table.starts_with("sqlite_") && !table.starts_with('_')
}

mod tests {
    use super::*;

    #[test]
    fn a_table_that_differs_is_found() {
        let kept = |text: &[u8]| Kept(BTreeMap::from([("case_".to_owned(), Digest::of(text)), ("party".to_owned(), Digest::of(b""))]));
        assert_eq!(kept(b"a").changed(&kept(b"b")), ["case_"]);
        assert_eq!(kept(b"a").changed(&kept(b"a")), Vec::<String>::new());
        assert_eq!(kept(b"a").changed(&Kept(BTreeMap::new())), ["case_", "party"]);
    }
}
