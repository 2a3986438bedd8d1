//! Upgrades the tables of a SQLite file that an earlier version of this program made.
//!
//! Promises: nobody else has the file open meanwhile; a copy of it as it was stands beside it before anything is changed; all steps are one transaction.
//! If we crash before its commit, the file is what it was and the copy is left over; if a step fails, the copy goes too. A file that is up to date is not
//! touched and not copied. Not here: what the rows mean.

use std::path::{Path, PathBuf};

use sqlx::{ConnectOptions as _, Connection as _, sqlite::SqliteLockingMode};

use super::{
    Staged, StoreError,
    migrations::{APPLIED, SQLITE, pending},
    sqlite::{self, DbConnection, in_use},
};

/// What an upgrade did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upgraded {
    /// The steps that were made, by their numbers. None: the tables were those of this program.
    pub steps: Vec<i64>,
    /// The copy of the file from before.
    pub backup: Option<PathBuf>,
}

/// Makes the steps that a file lacks, after it was copied to `backup`, or to a name beside it that says which step comes next.
///
/// # Errors
/// [`StoreError::InUse`] while anybody has the file open; [`StoreError::Exists`] when the place of the copy is taken; [`StoreError::Schema`] when the file is
/// of a newer version or not of this program, or a step fails.
pub async fn upgrade(url: &str, backup: Option<&Path>) -> Result<Upgraded, StoreError> {
    // Said before anything is read, it takes the file's lock, which every other connection shares as long as it is open.
    let options = sqlite::existing(url).await?.locking_mode(SqliteLockingMode::Exclusive);
    let mut connection = options.connect().await.map_err(|error| in_use(StoreError::Database(error)))?;
    let upgraded = upgrade_held(&mut connection, options.get_filename(), backup).await;
    let closed = connection.close().await.map_err(StoreError::Database);
    upgraded.and_then(|upgraded| closed.map(|()| upgraded))
}

/// Makes the steps that a copy lacks, of which the original is kept elsewhere; gives them.
///
/// # Errors
/// As [`upgrade`]. The copy is of no use then.
pub async fn upgrade_copy(url: &str) -> Result<Vec<i64>, StoreError> {
    let mut connection = sqlite::existing(url).await?.connect().await.map_err(StoreError::Database)?;
    let made = async {
        let steps = lacking(&mut connection).await?;
        if !steps.is_empty() {
            make(&mut connection).await?;
        }
        Ok(steps)
    };
    let made = made.await;
    let closed = connection.close().await.map_err(StoreError::Database);
    made.and_then(|steps| closed.map(|()| steps))
}

async fn upgrade_held(connection: &mut DbConnection, file: &Path, backup: Option<&Path>) -> Result<Upgraded, StoreError> {
    let steps = lacking(connection).await.map_err(in_use)?;
    let Some(first) = steps.first() else { return Ok(Upgraded { steps, backup: None }) };
    let place = backup.map_or_else(|| beside(file, *first), Path::to_owned);
    let backup = Staged::copy_held(connection, &place).await?.finish().await?;
    match make(connection).await {
        Ok(()) => Ok(Upgraded { steps, backup: Some(backup) }),
        Err(error) => {
            // The file is what it was, and a copy would be in the way of the next attempt. Where nobody knows, the copy stays.
            if !matches!(error, StoreError::CommitUnknown(_)) {
                tokio::fs::remove_file(&backup).await.map_err(|error| StoreError::File(error.kind()))?;
            }
            Err(error)
        }
    }
}

/// All steps that are lacking, in one transaction.
async fn make(connection: &mut DbConnection) -> Result<(), StoreError> {
    let mut transaction = connection.begin_with("BEGIN EXCLUSIVE").await.map_err(StoreError::Database)?;
    let made = async {
        SQLITE.run(&mut *transaction).await.map_err(|error| StoreError::Schema(error.to_string()))?;
        sqlite::check_schema(&mut transaction).await?;
        sqlite::no_dangling_row(&mut transaction).await
    };
    match made.await {
        Ok(()) => transaction.commit().await.map_err(StoreError::CommitUnknown),
        Err(error) => {
            transaction.rollback().await.map_err(StoreError::Database)?;
            Err(error)
        }
    }
}

async fn lacking(connection: &mut DbConnection) -> Result<Vec<i64>, StoreError> {
    sqlite::is_ours(connection).await?;
    let applied: Vec<(i64, Vec<u8>)> = sqlx::query_as(APPLIED).fetch_all(&mut *connection).await.map_err(StoreError::Database)?;
    pending(&SQLITE, &applied)
}

/// Where the copy goes that nobody named.
fn beside(file: &Path, step: i64) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(format!(".before-{step:04}"));
    name.into()
}
