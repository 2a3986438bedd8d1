//! The migrations of this build, in order. Listed here, because sqlx's macro for it would be half of what has to be built.

use std::sync::LazyLock;

use sqlx::{
    SqlSafeStr as _,
    migrate::{Migration, MigrationType, Migrator},
};

use super::StoreError;

pub(super) static SQLITE: LazyLock<Migrator> = LazyLock::new(|| {
    migrator(&[
        (1, "init", include_str!("migrations/sqlite/0001_init.sql")),
        (2, "witnesses", include_str!("migrations/sqlite/0002_witnesses.sql")),
        (3, "origin", include_str!("migrations/sqlite/0003_origin.sql")),
    ])
});
pub(super) static POSTGRES: LazyLock<Migrator> = LazyLock::new(|| {
    migrator(&[
        (1, "init", include_str!("migrations/postgres/0001_init.sql")),
        (2, "witnesses", include_str!("migrations/postgres/0002_witnesses.sql")),
        (3, "origin", include_str!("migrations/postgres/0003_origin.sql")),
    ])
});
/// Version and checksum of what was applied.
pub(super) const APPLIED: &str = "SELECT version, checksum FROM _sqlx_migrations WHERE success ORDER BY version";

fn migrator(list: &[(i64, &'static str, &'static str)]) -> Migrator {
    let migration = |&(version, name, sql): &(i64, &'static str, &'static str)| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(list.iter().map(migration).collect())
}

/// Every migration of this build is applied, unchanged, and no other.
pub(super) fn applied_are_known(migrations: &Migrator, applied: &[(i64, Vec<u8>)]) -> Result<(), StoreError> {
    for migration in migrations.iter() {
        match applied.iter().find(|(version, _)| *version == migration.version) {
            None => return Err(StoreError::Schema(format!("migration {} is pending", migration.version))),
            Some((version, checksum)) if *checksum != *migration.checksum => {
                return Err(StoreError::Schema(format!("migration {version} was changed after it was applied")));
            }
            Some(_) => {}
        }
    }
    match applied.iter().find(|(version, _)| !migrations.version_exists(*version)) {
        Some((version, _)) => Err(StoreError::Schema(format!("migration {version} is of a newer version"))),
        None => Ok(()),
    }
}
