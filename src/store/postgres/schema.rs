//! The schema in PostgreSQL: made and upgraded by its owner, checked by everybody.

use sqlx::{Connection as _, PgConnection, migrate::MigrateError};

use super::{PostgresDatabase, fault, grants, open, role, servers};
use crate::{
    domain::digest::Digest,
    store::{
        Address, StoreError,
        migrations::{APPLIED, POSTGRES, applied_are_known},
        reads::SqlStore,
        sql,
        statement::is_constraint,
    },
};

/// Creates or upgrades the schema as its owner, and gives the role of the gateways what it needs, if it is another one. The address must lead to the
/// server itself, not through a pooler: an advisory lock of the session keeps two from doing it at the same time.
pub(in crate::store) async fn migrate(owner: &Address, application: Option<&str>) -> Result<(), StoreError> {
    let mut connection = servers(owner)?.connect().await?;
    POSTGRES.run(&mut connection).await.map_err(|error| StoreError::Schema(refusal(&error)))?;
    if let Some(role) = application {
        let mut transaction = connection.begin().await.map_err(fault)?;
        grants::grant(&mut transaction, role).await?;
        transaction.commit().await.map_err(fault)?;
    }
    connection.close().await.map_err(fault)
}

/// What a migrator says, without the detail of the server's message.
pub(in crate::store) fn refusal(error: &MigrateError) -> String {
    match error {
        MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _) => match source.as_database_error() {
            Some(said) => said.message().to_owned(),
            None => source.to_string(),
        },
        other => other.to_string(),
    }
}

/// Creates the schema where it is missing, and an empty ledger: as the owner, who is the role of the address where no other is given.
pub(in crate::store) async fn create(
    address: &Address,
    owner: Option<&Address>,
    origin: &str,
    policy: Digest,
) -> Result<SqlStore<PostgresDatabase>, StoreError> {
    let application = owner.is_some().then(|| role(address)).transpose()?;
    let owner = owner.unwrap_or(address);
    migrate(owner, application.as_deref()).await?;
    let mut connection = servers(owner)?.connect().await?;
    let head = sqlx::query(sql::INSERT_HEAD)
        .bind(origin)
        .bind(sql::EMPTY_ROOT.as_slice())
        .bind(Vec::<u8>::new())
        .bind(policy.0.as_slice())
        .execute(&mut connection)
        .await;
    head.map_err(|error| if is_constraint(&error) { StoreError::Exists } else { fault(error) })?;
    connection.close().await.map_err(fault)?;
    open(address).await
}

/// Every migration of this build is applied, unchanged, and no other; and there is a ledger.
pub(in crate::store) async fn check(connection: &mut PgConnection) -> Result<(), StoreError> {
    let mut transaction = connection.begin().await.map_err(fault)?;
    let made: (bool,) = sqlx::query_as(HAS_MIGRATIONS).persistent(false).fetch_one(&mut *transaction).await.map_err(fault)?;
    if !made.0 {
        return Err(StoreError::Missing);
    }
    let applied: Vec<(i64, Vec<u8>)> = sqlx::query_as(APPLIED).persistent(false).fetch_all(&mut *transaction).await.map_err(fault)?;
    applied_are_known(&POSTGRES, &applied)?;
    let head = sqlx::query(sql::HEAD).persistent(false).fetch_optional(&mut *transaction).await.map_err(fault)?;
    if head.is_none() {
        return Err(StoreError::Missing);
    }
    transaction.commit().await.map_err(fault)
}

const HAS_MIGRATIONS: &str = "SELECT to_regclass('_sqlx_migrations') IS NOT NULL";
