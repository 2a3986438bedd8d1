//! What the role of the gateways may do, table by table: as little as it needs. The owner grants it; a gateway can check what it was granted.
//!
//! A new table needs a row in [`NEEDED`]; a test compares it with the tables that there are.

use sqlx::{Connection as _, PgConnection, Postgres, QueryBuilder};

use super::{fault, servers};
use crate::store::{Address, StoreError};

/// A privilege that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantFault {
    /// Table, or `role` for what the role itself is, `schema` for the schema of the tables.
    pub table: String,
    /// Privilege.
    pub privilege: String,
    /// Whether it lacks; otherwise there is more than the gateway needs.
    pub missing: bool,
}

impl GrantFault {
    /// Whether whoever has it can do away with what the database keeps a gateway from, its triggers and grants.
    #[must_use]
    pub fn is_grave(&self) -> bool {
        !self.missing && (self.privilege == OWNER || (self.table == ROLE && self.privilege != CREATE))
    }
}

/// What a table allows the role.
#[derive(Debug, Clone, Copy)]
struct Needed {
    table: &'static str,
    privileges: &'static [&'static str],
}

/// Gives a role exactly what gateways need, in the transaction of the caller.
pub(in crate::store) async fn grant(connection: &mut PgConnection, role: &str) -> Result<(), StoreError> {
    let role = quoted(role);
    let mut statements = vec![];
    let schema: (String,) = sqlx::query_as("SELECT current_schema()").fetch_one(&mut *connection).await.map_err(fault)?;
    statements.push(format!("GRANT USAGE ON SCHEMA {} TO {role}", quoted(&schema.0)));
    for Needed { table, privileges } in NEEDED {
        statements.push(format!("REVOKE ALL ON {table} FROM PUBLIC, {role}"));
        statements.push(format!("GRANT {} ON {table} TO {role}", privileges.join(", ")));
    }
    for statement in statements {
        QueryBuilder::<Postgres>::new(statement).build().persistent(false).execute(&mut *connection).await.map_err(fault)?;
    }
    Ok(())
}

/// Compares what the role of this address may do with what it needs: by itself, or as another role that it is a member of, whether it inherits from that
/// one or has to say `SET ROLE`. Empty: it may do exactly what it needs.
pub(in crate::store) async fn check(address: &Address) -> Result<Vec<GrantFault>, StoreError> {
    let mut connection = servers(address)?.connect().await?;
    let mut transaction = connection.begin().await.map_err(fault)?;
    let mut faults = Vec::new();
    let more = |table: &str, privilege: &str| GrantFault { table: table.to_owned(), privilege: privilege.to_owned(), missing: false };
    let (superuser,): (bool,) = sqlx::query_as(IS_SUPERUSER).persistent(false).fetch_one(&mut *transaction).await.map_err(fault)?;
    if superuser {
        // It may do everything and be everybody: the rest would be a long list of that.
        faults.push(more(ROLE, "SUPERUSER"));
    } else {
        let found: Vec<(String, String)> = sqlx::query_as(POWERS).persistent(false).fetch_all(&mut *transaction).await.map_err(fault)?;
        faults.extend(found.iter().map(|(what, power)| more(what, power)));
    }
    // Whoever can be a superuser may do everything on every table; that was said already.
    let all = faults.iter().any(|fault| fault.privilege == "SUPERUSER");
    let rows: Vec<(String, String, bool, bool, bool)> =
        sqlx::query_as(GRANTED).persistent(false).fetch_all(&mut *transaction).await.map_err(fault)?;
    for (table, privilege, owns, granted, reachable) in rows {
        let needed = NEEDED.iter().find(|needed| needed.table == table);
        let needs = needed.is_some_and(|needed| needed.privileges.contains(&privilege.as_str()));
        if owns && !all && privilege == "SELECT" {
            faults.push(more(&table, OWNER));
        }
        if needs && !granted {
            faults.push(GrantFault { table, privilege, missing: true });
        } else if !needs && reachable && !owns && !all {
            faults.push(more(&table, &privilege));
        }
    }
    transaction.commit().await.map_err(fault)?;
    connection.close().await.map_err(fault)?;
    Ok(faults)
}

/// An identifier as SQL writes it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

const fn needed(table: &'static str, privileges: &'static [&'static str]) -> Needed {
    Needed { table, privileges }
}

const NEEDED: &[Needed] = &[
    needed("_sqlx_migrations", &["SELECT"]),
    needed("ledger_head", &["SELECT", "UPDATE"]),
    needed("ledger_leaf", &["SELECT", "INSERT"]),
    needed("ledger_entry", &["SELECT", "INSERT"]),
    needed("ledger_tile", &["SELECT", "INSERT"]),
    needed("ledger_checkpoint", &["SELECT", "INSERT", "UPDATE", "DELETE"]),
    needed("ledger_witness", &["SELECT", "INSERT", "UPDATE"]),
    needed("ledger_publisher", &["SELECT", "UPDATE"]),
    needed("ledger_index", &["SELECT", "INSERT", "DELETE"]),
    needed("ledger_opening", &["SELECT", "INSERT", "DELETE"]),
    needed("used_once", &["SELECT", "INSERT", "DELETE"]),
    needed("data_key", &["SELECT", "INSERT", "UPDATE"]),
    needed("person", &["SELECT", "INSERT", "DELETE"]),
    needed("person_key", &["SELECT", "INSERT", "DELETE"]),
    needed("party", &["SELECT", "INSERT", "UPDATE"]),
    needed("party_key", &["SELECT", "INSERT", "UPDATE"]),
    needed("agreement", &["SELECT", "INSERT", "UPDATE"]),
    needed("agreement_party", &["SELECT", "INSERT"]),
    needed("agreement_act", &["SELECT", "INSERT"]),
    needed("consent", &["SELECT", "INSERT", "UPDATE"]),
    needed("consent_end", &["SELECT", "INSERT", "UPDATE"]),
    needed("case_", &["SELECT", "INSERT", "UPDATE"]),
    needed("case_party", &["SELECT", "INSERT", "UPDATE"]),
    needed("message", &["SELECT", "INSERT", "UPDATE"]),
    needed("message_term", &["SELECT", "INSERT", "DELETE"]),
    needed("evidence", &["SELECT", "INSERT"]),
];
const ROLE: &str = "role";
const OWNER: &str = "OWNER";
const CREATE: &str = "CREATE";
const IS_SUPERUSER: &str = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user";
/// What makes a role more than one that is granted something: its own attributes, those of each role that it can become, and the schema of the tables,
/// whose owner may drop what is in it.
const POWERS: &str = "WITH reachable AS (SELECT * FROM pg_roles WHERE pg_has_role(oid, 'MEMBER')) \
     SELECT DISTINCT 'role', p.power FROM reachable r CROSS JOIN LATERAL (VALUES ('SUPERUSER', r.rolsuper), ('CREATEROLE', r.rolcreaterole), \
       ('REPLICATION', r.rolreplication), ('BYPASSRLS', r.rolbypassrls), \
       ('CREATE', has_schema_privilege(r.oid, current_schema(), 'CREATE') AND NOT r.rolsuper)) AS p (power, has) WHERE p.has \
     UNION SELECT 'role', upper(rolname) FROM reachable WHERE rolname IN ('pg_write_all_data', 'pg_read_all_data', 'pg_write_server_files', \
       'pg_read_server_files', 'pg_execute_server_program') \
     UNION SELECT 'schema', 'OWNER' FROM pg_namespace n JOIN reachable r ON r.oid = n.nspowner \
       WHERE n.oid = current_schema()::regnamespace AND NOT r.rolsuper ORDER BY 1, 2";
/// Every privilege on every table of the schema: as the role is, and as any role that it can become; on a column it counts as on the table.
const GRANTED: &str = "SELECT c.relname::text, p.name, pg_has_role(c.relowner, 'MEMBER'), \
     has_table_privilege(c.oid, p.name) OR (p.by_column AND has_any_column_privilege(c.oid, p.name)), \
     EXISTS (SELECT FROM pg_roles r WHERE pg_has_role(r.oid, 'MEMBER') AND \
       (has_table_privilege(r.oid, c.oid, p.name) OR (p.by_column AND has_any_column_privilege(r.oid, c.oid, p.name)))) \
     FROM pg_class c CROSS JOIN (VALUES ('SELECT', true), ('INSERT', true), ('UPDATE', true), ('DELETE', false), ('TRUNCATE', false), \
       ('REFERENCES', true), ('TRIGGER', false)) AS p (name, by_column) \
     WHERE c.relkind IN ('r', 'p') AND c.relnamespace = current_schema()::regnamespace ORDER BY c.relname, p.name";
