//! What somebody adds to the schema of the database, takes from it or changes in it is found by name; a database as the migrations make it is not accused.

use std::path::Path;

use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, sqlite::SqliteConnectOptions};
use tsunagi::store::{Address, Difference, SchemaFault, Store, create, create_by_owner, open};

use crate::{
    exchange_stage::{Sandbox, Settings, policies::tsunagi},
    inspect_stored::inspection,
    ledger_stage::{ORIGIN, POLICY, new_case, store_entry},
    postgres_stage,
};

use Difference::{Damaged, Differs, Missing, Surplus};

/// What is planted, what is found, and what takes it back.
type Planted = (&'static [&'static str], &'static [(&'static str, Difference)], &'static [&'static str]);

async fn faults(store: &dyn Store) -> Vec<(String, Difference)> {
    let told = |fault: SchemaFault| (fault.object, fault.difference);
    store.schema_faults().await.unwrap().expect("the catalogs can be looked at").into_iter().map(told).collect()
}

fn named(expected: &[(&str, Difference)]) -> Vec<(String, Difference)> {
    expected.iter().map(|(object, difference)| ((*object).to_owned(), *difference)).collect()
}

const IN_SQLITE: &[Planted] = &[
    (
        &["CREATE TRIGGER planted AFTER INSERT ON message BEGIN UPDATE message SET aud = 'x'; END"],
        &[("trigger planted on message", Surplus)],
        &["DROP TRIGGER planted"],
    ),
    (
        &["DROP TRIGGER ledger_leaf_no_delete"],
        &[("trigger ledger_leaf_no_delete on ledger_leaf", Missing)],
        &["CREATE TRIGGER ledger_leaf_no_delete BEFORE DELETE ON ledger_leaf BEGIN SELECT RAISE(ABORT, 'ledger_leaf is append-only'); END"],
    ),
    (
        &["DROP INDEX case_party_updated", "CREATE INDEX case_party_updated ON case_party (party, updated_idx) WHERE relation <> 'closed'"],
        &[("index case_party_updated on case_party", Differs)],
        &["DROP INDEX case_party_updated", "CREATE INDEX case_party_updated ON case_party (party, updated_idx)"],
    ),
    (
        &["DROP INDEX message_case_jti"],
        &[("index message_case_jti on message", Missing)],
        &["CREATE UNIQUE INDEX message_case_jti ON message (case_, jti)"],
    ),
    (&["CREATE UNIQUE INDEX planted ON evidence (case_)"], &[("index planted on evidence", Surplus)], &["DROP INDEX planted"]),
    (&["CREATE VIEW planted AS SELECT * FROM consent"], &[("view planted", Surplus)], &["DROP VIEW planted"]),
    (&["ALTER TABLE consent ADD COLUMN planted INTEGER"], &[("table consent", Differs)], &["ALTER TABLE consent DROP COLUMN planted"]),
    // Somebody else's table, with an index and a trigger of its own, is nothing to the gateway.
    (
        &["CREATE TABLE own (a INTEGER)", "CREATE INDEX own_a ON own (a)", "CREATE TRIGGER own_t AFTER INSERT ON own BEGIN SELECT 1; END"],
        &[],
        &["DROP TABLE own"],
    ),
    (&["ANALYZE"], &[], &[]),
    // An index that lacks rows says of itself what it should: only the database's own check tells.
    (
        &[
            "DROP INDEX ledger_entry_actor",
            "CREATE INDEX ledger_entry_actor ON ledger_entry (actor, idx) WHERE idx < 0",
            "PRAGMA writable_schema = ON",
            "UPDATE sqlite_master SET sql = 'CREATE INDEX ledger_entry_actor ON ledger_entry (actor, idx)' WHERE name = 'ledger_entry_actor'",
            "PRAGMA writable_schema = RESET",
        ],
        &[("index ledger_entry_actor", Damaged)],
        &["REINDEX ledger_entry_actor"],
    ),
];

#[tokio::test]
async fn what_is_planted_in_a_sqlite_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.db");
    let url = format!("sqlite:{}", file.display());
    let store = create(&*url, ORIGIN, POLICY).await.unwrap();
    store_entry(&*store, &new_case(1)).await;
    assert_eq!(faults(&*store).await, [], "before anybody changed anything");
    store.close().await;
    for (planted, expected, back) in IN_SQLITE {
        run(&file, planted).await;
        let store = open(&*url).await.unwrap();
        assert_eq!(faults(&*store).await, named(expected), "{planted:?}");
        store.close().await;
        run(&file, back).await;
        let store = open(&*url).await.unwrap();
        assert_eq!(faults(&*store).await, [], "taken back: {back:?}");
        store.close().await;
    }
}

async fn run(file: &Path, statements: &[&str]) {
    let mut admin = SqliteConnectOptions::new().filename(file).connect().await.unwrap();
    for statement in statements {
        let done = sqlx::raw_sql(AssertSqlSafe(*statement)).execute(&mut admin).await;
        assert!(done.is_ok(), "{statement}: {done:?}");
    }
    admin.close().await.unwrap();
}

const IN_POSTGRES: &[Planted] = &[
    (
        &[
            "CREATE FUNCTION planted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
            "CREATE TRIGGER planted BEFORE INSERT ON message FOR EACH ROW EXECUTE FUNCTION planted()",
        ],
        &[("function planted", Surplus), ("trigger planted on message", Surplus)],
        &["DROP FUNCTION planted CASCADE"],
    ),
    (
        &["ALTER TABLE ledger_leaf DISABLE TRIGGER ledger_leaf_append_only"],
        &[("trigger ledger_leaf_append_only on ledger_leaf", Differs)],
        &["ALTER TABLE ledger_leaf ENABLE ALWAYS TRIGGER ledger_leaf_append_only"],
    ),
    (
        &["ALTER TABLE consent DISABLE TRIGGER ALL"],
        &[
            ("constraint consent_superseded_by_fkey on consent", Differs),
            ("constraint consent_key_fkey on consent", Differs),
            ("constraint case__consent_fkey on case_", Differs),
            ("constraint consent_end_consent_fkey on consent_end", Differs),
            ("constraint message_term_consent_fkey on message_term", Differs),
        ],
        &["ALTER TABLE consent ENABLE TRIGGER ALL"],
    ),
    (
        &["CREATE OR REPLACE FUNCTION tsunagi_head_forward() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"],
        &[("function tsunagi_head_forward", Differs)],
        &[concat!(
            "CREATE OR REPLACE FUNCTION tsunagi_head_forward() RETURNS trigger LANGUAGE plpgsql AS $$\n",
            "BEGIN\n",
            "    IF NEW.size < OLD.size OR NEW.last_time < OLD.last_time OR NEW.rights_epoch < OLD.rights_epoch THEN\n",
            "        RAISE EXCEPTION 'ledger_head only moves forward';\n",
            "    END IF;\n",
            "    RETURN NEW;\n",
            "END $$"
        )],
    ),
    (
        &["DROP INDEX case_party_updated", "CREATE INDEX case_party_updated ON case_party (party, updated_idx) WHERE relation <> 'closed'"],
        &[("index case_party_updated on case_party", Differs)],
        &["DROP INDEX case_party_updated", "CREATE INDEX case_party_updated ON case_party (party, updated_idx)"],
    ),
    (
        &["UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'message_case'::regclass"],
        &[("index message_case on message", Differs)],
        &["UPDATE pg_index SET indisvalid = true WHERE indexrelid = 'message_case'::regclass"],
    ),
    (
        &["DROP INDEX message_case_jti"],
        &[("index message_case_jti on message", Missing)],
        &["CREATE UNIQUE INDEX message_case_jti ON message (case_, jti)"],
    ),
    (
        &["CREATE RULE planted AS ON DELETE TO consent_end DO INSTEAD NOTHING"],
        &[("rule planted on consent_end", Surplus)],
        &["DROP RULE planted ON consent_end"],
    ),
    (
        &["ALTER TABLE consent_end ENABLE ROW LEVEL SECURITY", "CREATE POLICY planted ON consent_end USING (idx < 0)"],
        &[("policy planted on consent_end", Surplus), ("table consent_end", Differs)],
        &["DROP POLICY planted ON consent_end", "ALTER TABLE consent_end DISABLE ROW LEVEL SECURITY"],
    ),
    (&["CREATE VIEW planted AS SELECT jti FROM consent"], &[("view planted", Surplus)], &["DROP VIEW planted"]),
    (&["CREATE TABLE planted () INHERITS (message)"], &[("child table planted on message", Surplus)], &["DROP TABLE planted"]),
    (
        &[
            "CREATE SCHEMA tsunagi_app",
            "CREATE VIEW tsunagi_app.consent_end AS SELECT * FROM public.consent_end",
            "GRANT USAGE ON SCHEMA tsunagi_app TO PUBLIC",
        ],
        &[
            ("table in front consent_end", Surplus),
            ("index consent_end_consent on consent_end", Differs),
            ("index consent_end_pkey on consent_end", Differs),
        ],
        &["DROP SCHEMA tsunagi_app CASCADE"],
    ),
    (
        &["ALTER TABLE ledger_leaf DROP CONSTRAINT ledger_leaf_leaf_hash_check"],
        &[("constraint ledger_leaf_leaf_hash_check on ledger_leaf", Missing)],
        &["ALTER TABLE ledger_leaf ADD CONSTRAINT ledger_leaf_leaf_hash_check CHECK (length(leaf_hash) = 32)"],
    ),
    (
        &["ALTER TABLE evidence ALTER COLUMN state SET DEFAULT 'released'"],
        &[("column state on evidence", Differs)],
        &["ALTER TABLE evidence ALTER COLUMN state DROP DEFAULT"],
    ),
    // Somebody else's table is nothing to the gateway, and neither is what an administrator tunes.
    (
        &["CREATE TABLE own (a INT PRIMARY KEY)", "ALTER TABLE message SET (autovacuum_vacuum_scale_factor = 0.01)", "ANALYZE"],
        &[],
        &["DROP TABLE own"],
    ),
];

#[tokio::test]
async fn what_is_planted_in_postgresql_is_named() {
    let Some(database) = postgres_stage::database() else { return };
    let (application, owner) = (Address::from(&database.application()), Address::from(&database.owner()));
    let store = create_by_owner(&application, &owner, ORIGIN, POLICY).await.unwrap();
    store_entry(&*store, &new_case(1)).await;
    assert_eq!(faults(&*store).await, [], "what is written down is what the migrations make");
    for (planted, expected, back) in IN_POSTGRES {
        for statement in *planted {
            database.sql(statement);
        }
        let mut expected = named(expected);
        let mut found = faults(&*store).await;
        expected.sort_by(|a, b| a.0.cmp(&b.0));
        found.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(found, expected, "{planted:?}");
        for statement in *back {
            database.sql(statement);
        }
        assert_eq!(faults(&*store).await, [], "taken back: {back:?}");
    }
    // A role from which the catalogs were taken away is told so, and nobody is accused.
    database.sql("REVOKE SELECT ON pg_policy FROM PUBLIC");
    assert_eq!(store.schema_faults().await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_inspection_names_what_was_planted_in_both_languages() {
    let sandbox = Sandbox::new(Settings::default());
    sandbox.serve().await.stop().await;
    assert_eq!(inspection(&sandbox)["holds"], true, "before anybody changed anything");
    run(&sandbox.database(), &["CREATE TRIGGER planted AFTER INSERT ON message BEGIN UPDATE message SET aud = 'x'; END"]).await;
    let said = inspection(&sandbox);
    assert_eq!(
        (&said["problems"][0]["finding"], &said["problems"][0]["path"]),
        (&"schema_surplus".into(), &"trigger planted on message".into())
    );
    for (lang, words) in [("en", "have the owner of the tables drop it"), ("ja", "表の所有者が削除してください")] {
        let done = tsunagi(&["--lang", lang, "audit", "inspect"], &sandbox);
        let text = String::from_utf8(done.stdout).unwrap();
        assert_eq!(done.status.code(), Some(3));
        assert!(text.contains(words) && text.contains("trigger planted on message"), "{text}");
    }
}
