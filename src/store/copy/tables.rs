//! The tables that are copied, those first that others refer to.

/// A table.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    /// The columns that order it and tell its rows apart.
    pub(super) key: &'static [&'static str],
}

pub(super) const TABLES: &[Table] = &[
    Table { name: "party", key: &["id"] },
    Table { name: "party_key", key: &["kid"] },
    Table { name: "agreement", key: &["id", "ver"] },
    Table { name: "agreement_party", key: &["side", "idx"] },
    Table { name: "agreement_act", key: &["seq"] },
    Table { name: "data_key", key: &["id"] },
    Table { name: "person", key: &["subject"] },
    Table { name: "person_key", key: &["subject", "key"] },
    Table { name: "consent", key: &["jti"] },
    Table { name: "consent_end", key: &["seq"] },
    Table { name: "case_", key: &["id"] },
    Table { name: "case_party", key: &["case_", "party"] },
    Table { name: "message", key: &["seq"] },
    Table { name: "message_term", key: &["case_", "jti"] },
    Table { name: "evidence", key: &["seq"] },
    Table { name: "used_once", key: &["kind", "iss", "jti"] },
    Table { name: "ledger_leaf", key: &["idx"] },
    Table { name: "ledger_entry", key: &["idx"] },
    Table { name: "ledger_tile", key: &["level", "n"] },
    Table { name: "ledger_checkpoint", key: &["size"] },
    Table { name: "ledger_witness", key: &["vkey"] },
    Table { name: "ledger_index", key: &["tag", "idx"] },
    Table { name: "ledger_opening", key: &["idx"] },
    Table { name: "ledger_head", key: &["one"] },
];

/// Tables that are about running gateways and not about the exchange: a new database has its own.
pub(super) const LEFT_OUT: &[&str] = &["ledger_publisher"];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::store::migrations::{POSTGRES, SQLITE};

    #[test]
    fn every_table_of_either_database_is_copied_or_left_out_on_purpose() {
        let listed: BTreeSet<&str> = TABLES.iter().map(|table| table.name).chain(LEFT_OUT.iter().copied()).collect();
        assert_eq!(listed.len(), TABLES.len() + LEFT_OUT.len());
        for migrations in [&SQLITE, &POSTGRES] {
            let made: BTreeSet<&str> = migrations
                .iter()
                .flat_map(|migration| migration.sql.as_str().split("CREATE TABLE ").skip(1))
                .filter_map(|rest| rest.split_whitespace().next())
                .collect();
            assert_eq!(made, listed);
        }
    }
}
