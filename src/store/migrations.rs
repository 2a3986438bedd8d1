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
        (4, "terms", include_str!("migrations/sqlite/0004_terms.sql")),
        (5, "registrations", include_str!("migrations/sqlite/0005_registrations.sql")),
    ])
});
pub(super) static POSTGRES: LazyLock<Migrator> = LazyLock::new(|| {
    migrator(&[
        (1, "init", include_str!("migrations/postgres/0001_init.sql")),
        (2, "witnesses", include_str!("migrations/postgres/0002_witnesses.sql")),
        (3, "origin", include_str!("migrations/postgres/0003_origin.sql")),
        (4, "terms", include_str!("migrations/postgres/0004_terms.sql")),
        (5, "registrations", include_str!("migrations/postgres/0005_registrations.sql")),
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

/// The migrations of this build that are not applied. Those that are, are unchanged, and there is no other.
pub(super) fn pending(migrations: &Migrator, applied: &[(i64, Vec<u8>)]) -> Result<Vec<i64>, StoreError> {
    let mut pending = Vec::new();
    for migration in migrations.iter() {
        match applied.iter().find(|(version, _)| *version == migration.version) {
            None => pending.push(migration.version),
            Some((version, checksum)) if *checksum != *migration.checksum => {
                return Err(StoreError::Schema(format!("migration {version} was changed after it was applied")));
            }
            Some(_) => {}
        }
    }
    match applied.iter().find(|(version, _)| !migrations.version_exists(*version)) {
        Some((version, _)) => Err(StoreError::Schema(format!("migration {version} is of a newer version"))),
        None => Ok(pending),
    }
}

/// Every migration of this build is applied, unchanged, and no other.
pub(super) fn applied_are_known(migrations: &Migrator, applied: &[(i64, Vec<u8>)]) -> Result<(), StoreError> {
    match pending(migrations, applied)?.first() {
        Some(version) => Err(StoreError::Outdated(*version)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A database that was made by an earlier version refuses a build in which one of its steps reads differently.
    #[test]
    fn a_step_that_was_published_never_changes() {
        for (database, version, checksum) in [
            ("sqlite", 1, "2bcaf5a41fcee47ba2cf7215665f486c"),
            ("sqlite", 2, "ff73a7b294288fde41a4f8794af4ef89"),
            ("sqlite", 3, "03328b29d12373e65dd268f3214f5b5c"),
            ("sqlite", 4, "064f2a32e3ea06819f3df3a9f17ec667"),
            ("sqlite", 5, "47a127fdb345b7ac8d68b98571f5c80f"),
            ("postgres", 1, "9fc01c0b54ef3b38ed7e062c841c19fa"),
            ("postgres", 2, "d4371e0deb212f8c776e83722dded1f7"),
            ("postgres", 3, "1d5b66c5168858120a3b18c89bbd3716"),
            ("postgres", 4, "963444e3f0ee87f621d09a52788903d7"),
            ("postgres", 5, "d45c990f818e00cc5313f073ac18a798"),
        ] {
            let migrator = if database == "sqlite" { &SQLITE } else { &POSTGRES };
            let step = migrator.iter().find(|step| step.version == version).unwrap();
            let found: Vec<_> = step.checksum.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
            let found = found.concat();
            assert_eq!(found, checksum, "{database} {version}: add a new step instead");
        }
    }

    #[test]
    fn both_databases_have_the_same_steps() {
        let steps = |migrator: &Migrator| migrator.iter().map(|step| (step.version, step.description.clone())).collect::<Vec<_>>();
        assert_eq!(steps(&SQLITE), steps(&POSTGRES));
    }
}
