//! The roles of a PostgreSQL database: the owner makes the tables, the gateways may add to the ledger and never change it.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use sqlx::{Connection as _, PgConnection};
use tsunagi::store::{self, Address, GrantFault};

use crate::{
    exchange_stage::BINARY,
    ledger_stage::{ORIGIN, POLICY, new_case, store_entry},
    postgres_stage::{self, APPLICATION, Database},
};

async fn made(database: &Database) {
    let (application, owner) = (Address::from(&database.application()), Address::from(&database.owner()));
    let store = store::create_by_owner(&application, &owner, ORIGIN, POLICY).await.unwrap();
    store_entry(&*store, &new_case(1)).await;
    store.close().await;
}

async fn refusal(connection: &mut PgConnection, statement: &str) -> String {
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(connection).await.unwrap_err().to_string()
}

#[tokio::test]
async fn the_role_of_the_gateways_can_add_to_the_ledger_and_change_nothing_of_it() {
    let Some(database) = postgres_stage::database() else { return };
    made(&database).await;
    let mut gateway = PgConnection::connect(&database.application()).await.unwrap();
    for table in ["ledger_leaf", "ledger_entry", "ledger_tile", "ledger_head"] {
        for statement in [
            format!("DELETE FROM {table}"),
            format!("TRUNCATE {table}"),
            format!("DROP TABLE {table}"),
            format!("ALTER TABLE {table} DISABLE TRIGGER ALL"),
            format!("CREATE TRIGGER mine AFTER INSERT ON {table} EXECUTE FUNCTION tsunagi_append_only()"),
        ] {
            let said = refusal(&mut gateway, &statement).await;
            assert!(said.contains("permission denied") || said.contains("must be owner"), "{statement}: {said}");
        }
    }
    for statement in ["UPDATE ledger_leaf SET idx = idx", "UPDATE ledger_entry SET body = body", "UPDATE ledger_tile SET n = n"] {
        assert!(refusal(&mut gateway, statement).await.contains("permission denied"), "{statement}");
    }
    assert!(refusal(&mut gateway, "UPDATE ledger_head SET size = 0").await.contains("only moves forward"));
    assert!(refusal(&mut gateway, "INSERT INTO ledger_head SELECT * FROM ledger_head").await.contains("permission denied"));
    for statement in ["SET session_replication_role = replica", "CREATE TABLE mine (x INT)", "UPDATE _sqlx_migrations SET success = false"]
    {
        assert!(refusal(&mut gateway, statement).await.contains("permission denied"), "{statement}");
    }
    assert!(
        refusal(&mut gateway, "CREATE OR REPLACE FUNCTION tsunagi_append_only() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN END'")
            .await
            .contains("permission denied")
    );
    assert_eq!(store::open(&database.application()).await.unwrap().head().await.unwrap().size, 1);
}

#[tokio::test]
async fn each_missing_and_each_superfluous_privilege_is_found() {
    let Some(database) = postgres_stage::database() else { return };
    made(&database).await;
    let application = Address::from(&database.application());
    let check = async || store::check_grants(&application).await.unwrap();
    assert_eq!(check().await, []);
    let fault = |table: &str, privilege: &str, missing| GrantFault { table: table.to_owned(), privilege: privilege.to_owned(), missing };
    for (change, expected, back) in [
        ("GRANT UPDATE ON ledger_leaf TO", fault("ledger_leaf", "UPDATE", false), "REVOKE UPDATE ON ledger_leaf FROM"),
        ("GRANT UPDATE (body) ON ledger_entry TO", fault("ledger_entry", "UPDATE", false), "REVOKE UPDATE (body) ON ledger_entry FROM"),
        ("GRANT TRUNCATE ON message TO", fault("message", "TRUNCATE", false), "REVOKE TRUNCATE ON message FROM"),
        ("GRANT TRIGGER ON ledger_tile TO", fault("ledger_tile", "TRIGGER", false), "REVOKE TRIGGER ON ledger_tile FROM"),
        ("REVOKE INSERT ON case_ FROM", fault("case_", "INSERT", true), "GRANT INSERT ON case_ TO"),
        ("REVOKE DELETE ON used_once FROM", fault("used_once", "DELETE", true), "GRANT DELETE ON used_once TO"),
        ("GRANT CREATE ON SCHEMA public TO", fault("role", "CREATE", false), "REVOKE CREATE ON SCHEMA public FROM"),
    ] {
        database.sql(&format!("{change} {APPLICATION}"));
        assert_eq!(check().await, [expected], "{change}");
        database.sql(&format!("{back} {APPLICATION}"));
    }
    database.sql("GRANT SELECT, DELETE ON ledger_leaf TO PUBLIC");
    assert_eq!(check().await, [fault("ledger_leaf", "DELETE", false)]);
    // The owner puts all of it right again.
    store::migrate(&Address::from(&database.owner()), APPLICATION).await.unwrap();
    assert_eq!(check().await, []);
    let owner = store::check_grants(&Address::from(&database.owner())).await.unwrap();
    assert!(owner.contains(&fault("ledger_leaf", "OWNER", false)), "{owner:?}");
    let superuser = store::check_grants(&Address::from(&database.superuser())).await.unwrap();
    assert!(superuser.contains(&fault("role", "SUPERUSER", false)), "{superuser:?}");
}

#[tokio::test]
async fn what_a_role_can_become_counts_as_what_it_is() {
    let Some(database) = postgres_stage::database() else { return };
    made(&database).await;
    let name = &database.name;
    let (app, group) = (format!("app_{name}"), format!("group_{name}"));
    database.sql(&format!("CREATE ROLE {app} LOGIN NOINHERIT; CREATE ROLE {group}; GRANT UPDATE ON ledger_leaf TO {group}"));
    store::migrate(&Address::from(&database.owner()), &app).await.unwrap();
    let application = Address::from(&database.url(&app));
    let check = async || store::check_grants(&application).await.unwrap();
    assert_eq!(check().await, []);
    let more = |table: &str, privilege: &str| GrantFault { table: table.to_owned(), privilege: privilege.to_owned(), missing: false };
    for (change, found, grave, back) in [
        (format!("GRANT {group} TO {app}"), more("ledger_leaf", "UPDATE"), false, format!("REVOKE {group} FROM {app}")),
        (format!("GRANT tsunagi_owner TO {app}"), more("ledger_leaf", "OWNER"), true, format!("REVOKE tsunagi_owner FROM {app}")),
        (format!("GRANT postgres TO {app}"), more("role", "SUPERUSER"), true, format!("REVOKE postgres FROM {app}")),
        (format!("ALTER ROLE {app} CREATEROLE"), more("role", "CREATEROLE"), true, format!("ALTER ROLE {app} NOCREATEROLE")),
        (
            format!("ALTER ROLE {group} REPLICATION; GRANT {group} TO {app}"),
            more("role", "REPLICATION"),
            true,
            format!("REVOKE {group} FROM {app}"),
        ),
        (format!("ALTER ROLE {app} BYPASSRLS"), more("role", "BYPASSRLS"), true, format!("ALTER ROLE {app} NOBYPASSRLS")),
        (
            format!("GRANT pg_write_all_data TO {app}"),
            more("role", "PG_WRITE_ALL_DATA"),
            true,
            format!("REVOKE pg_write_all_data FROM {app}"),
        ),
        (
            format!("ALTER SCHEMA public OWNER TO {app}"),
            more("schema", "OWNER"),
            true,
            "ALTER SCHEMA public OWNER TO pg_database_owner".to_owned(),
        ),
    ] {
        database.sql(&change);
        let faults = check().await;
        assert!(faults.contains(&found), "{change}: {faults:?}");
        assert_eq!(faults.iter().any(GrantFault::is_grave), grave, "{change}: {faults:?}");
        assert!(faults.iter().all(|fault| !fault.missing), "{change}: {faults:?}");
        database.sql(&back);
        assert_eq!(check().await, [], "{back}");
    }
}

fn tsunagi(arguments: &[&str]) -> Output {
    Command::new(BINARY).args(["--lang", "en"]).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn owner_file(folder: &Path, database: &Database, mode: u32) -> PathBuf {
    let file = folder.join("owner");
    fs::write(&file, database.owner()).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    file
}

#[tokio::test]
async fn a_sandbox_on_postgresql_is_made_by_the_owner_and_migrated_by_command() {
    let Some(database) = postgres_stage::database() else { return };
    let folder = tempfile::tempdir().unwrap();
    let sandbox = folder.path().join("sandbox");
    let (sandbox, url) = (sandbox.to_str().unwrap(), database.application());
    let exposed = owner_file(folder.path(), &database, 0o644);
    let init =
        |sandbox: &str, owner: &Path| tsunagi(&["init", sandbox, "--database", &url, "--database-owner-url-file", owner.to_str().unwrap()]);
    let refused = init(sandbox, &exposed);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("chmod 600"), "{refused:?}");
    let owner = owner_file(folder.path(), &database, 0o600);
    let done = init(sandbox, &owner);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let config = format!("{sandbox}/tsunagi.toml");
    assert_eq!(fs::metadata(&config).unwrap().permissions().mode() & 0o777, 0o600, "it holds a password");
    assert_eq!(store::check_grants(&Address::from(&url)).await.unwrap(), []);
    assert!(store::open(&url).await.unwrap().head().await.unwrap().size > 10);

    let again = init(&format!("{sandbox}-2"), &owner);
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(!again.status.success() && said.contains("holds a ledger already"), "{said}");
    assert!(!said.contains("password"), "{said}");

    database.sql(&format!("GRANT ALL ON ledger_leaf TO {APPLICATION}"));
    let migrated = tsunagi(&["database", "migrate", "-c", &config, "--owner-url-file", owner.to_str().unwrap()]);
    assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
    assert!(String::from_utf8_lossy(&migrated.stdout).contains(APPLICATION));
    assert_eq!(store::check_grants(&Address::from(&url)).await.unwrap(), []);

    // What holds for the gateway's address holds for the owner's.
    for bad in ["postgres://owner@db.example/t?sslmode=prefer", "postgres://owner@localhost/t?hostaddr=192.0.2.1"] {
        fs::write(&owner, bad).unwrap();
        let refused = tsunagi(&["database", "migrate", "-c", &config, "--owner-url-file", owner.to_str().unwrap()]);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(refused.status.code() == Some(2) && said.contains("sslmode") && !said.contains("example"), "{bad}: {said}");
    }

    let check = |url: &str| {
        let text = fs::read_to_string(&config).unwrap();
        let (before, rest) = text.split_once("url = \"postgres").unwrap();
        let (_, behind) = rest.split_once('\n').unwrap();
        fs::write(&config, format!("{before}url = \"{url}\"\n{behind}")).unwrap();
        let checked = tsunagi(&["check", "-c", &config]);
        (checked.status.code(), String::from_utf8_lossy(&checked.stdout).into_owned())
    };
    let (code, said) = check(&url);
    assert!(code == Some(0) && said.contains("and nothing more"), "{said}");
    let (code, said) = check(&database.owner());
    assert!(code == Some(3) && said.contains("FAULT   database: ledger_leaf: OWNER"), "{said}");
    let key = folder.path().join("client.key");
    fs::write(&key, "a private key").unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let (code, said) = check(&format!("{url}?sslkey={}", key.display()));
    assert!(code == Some(2) && said.contains("client.key") && said.contains("chmod 600"), "{said}");
}
