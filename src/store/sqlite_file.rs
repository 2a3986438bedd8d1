//! Copies of a whole database in one SQLite file, made while it is used, and put back where none is.
//!
//! Promises: a copy is one snapshot, in a file of its owner alone (mode 0600), flushed before its name is its last one; nothing is ever written over; a
//! copy that does not pass the database's own checks is not called one. Not here: what the rows mean (the ledger examines its own).

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

use sqlx::{ConnectOptions as _, Connection as _};

use super::{
    Address, Hold, Recount, StoreError, copy,
    sqlite::{DbConnection, new_file, no_dangling_row, options},
};

/// A finished copy that waits for its name.
#[derive(Debug)]
pub struct Staged {
    /// Where it is now.
    file: PathBuf,
    /// Where it goes.
    place: PathBuf,
}

/// Copies a database of either kind into a file that `place` will be, as of one moment, while others read and write.
///
/// # Errors
/// When `place` is taken, the copy cannot be written, or it is damaged.
pub async fn back_up(from: &Address, place: &Path, recount: impl Recount) -> Result<Staged, StoreError> {
    let staged = Staged::at(place).await?;
    let made = match from.file() {
        Some(url) => staged.fill_from(url).await,
        None => staged.fill_over(from, recount).await,
    };
    staged.or_discarded(made).await
}

/// Fails if a file cannot be a finished copy, because changes wait beside it.
///
/// # Errors
/// [`StoreError::Unfinished`], [`StoreError::Missing`].
pub async fn finished(copy: &Path) -> Result<(), StoreError> {
    if !present(copy).await? {
        return Err(StoreError::Missing);
    }
    for beside in BESIDE {
        if present(&with(copy, beside)).await? {
            return Err(StoreError::Unfinished);
        }
    }
    Ok(())
}

/// Copies a finished copy to where the SQLite database that `url` names will be.
///
/// # Errors
/// When there is something already, the copy cannot be written, or it is damaged.
pub async fn stage(copy: &Path, url: &str) -> Result<Staged, StoreError> {
    finished(copy).await?;
    let staged = Staged::at(options(url)?.get_filename()).await?;
    let made = staged.fill_with(copy).await;
    staged.or_discarded(made).await
}

/// The URL of a SQLite file.
#[must_use]
pub fn sqlite_url(file: &Path) -> Option<String> {
    Some(format!("sqlite://{}", file.to_str()?.replace('%', "%25").replace('?', "%3F")))
}

/// The file of a SQLite URL.
#[must_use]
pub fn sqlite_path(url: &str) -> Option<PathBuf> {
    options(url).ok().map(|options| options.get_filename().to_owned())
}

impl Staged {
    /// What opens it before it has its name. Close what was opened before going on.
    ///
    /// # Errors
    /// When the path has no text form.
    pub fn url(&self) -> Result<String, StoreError> {
        sqlite_url(&self.file).ok_or(StoreError::File(ErrorKind::InvalidFilename))
    }

    /// Flushes it and gives it its name, if that is still free. A crash before the end leaves nothing under that name.
    ///
    /// # Errors
    /// When the name was taken meanwhile, or the file cannot be flushed.
    pub async fn finish(self) -> Result<PathBuf, StoreError> {
        let named = self.named().await;
        self.or_discarded(named).await.map(|staged| staged.place)
    }

    /// Removes it.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub async fn discard(self) -> Result<(), StoreError> {
        for beside in BESIDE {
            remove(&with(&self.file, beside)).await?;
        }
        remove(&self.file).await
    }

    /// A new, empty file beside the place.
    pub(super) async fn at(place: &Path) -> Result<Self, StoreError> {
        // A log of a database that was there would be replayed into the copy.
        for taken in std::iter::once(place.to_owned()).chain(BESIDE.iter().map(|beside| with(place, beside))) {
            if present(&taken).await? {
                return Err(StoreError::Exists);
            }
        }
        // A name that nobody else has: another copy to the same place may be under way, and what a crash left behind is not told from it.
        for number in 1..=MOST_UNFINISHED {
            let staged = Self { file: with(place, &format!(".{number}.unfinished")), place: place.to_owned() };
            match new_file(&staged.file).await {
                Err(StoreError::Exists) => {}
                Err(error) => return Err(error),
                Ok(()) => return Ok(staged),
            }
        }
        Err(StoreError::Exists)
    }

    /// Copies the file that a connection has, which may hold it alone.
    pub(super) async fn copy_held(connection: &mut DbConnection, place: &Path) -> Result<Self, StoreError> {
        let staged = Self::at(place).await?;
        let made = staged.fill_held(connection).await;
        staged.or_discarded(made).await
    }

    async fn fill_from(&self, url: &str) -> Result<(), StoreError> {
        let mut connection = options(url)?.connect().await.map_err(missing)?;
        let filled = self.fill_held(&mut connection).await;
        connection.close().await.map_err(StoreError::Database)?;
        filled
    }

    async fn fill_held(&self, connection: &mut DbConnection) -> Result<(), StoreError> {
        let text = self.file.to_str().ok_or(StoreError::File(ErrorKind::InvalidFilename))?;
        sqlx::query("VACUUM INTO ?").bind(text).execute(connection).await.map_err(StoreError::Database)?;
        self.sound().await
    }

    async fn fill_over(&self, from: &Address, recount: impl Recount) -> Result<(), StoreError> {
        // The copy makes its file itself.
        remove(&self.file).await?;
        copy(from, &self.url()?.as_str().into(), None, Hold::Shared, recount).await?;
        self.sound().await
    }

    async fn fill_with(&self, copy: &Path) -> Result<(), StoreError> {
        let mut from = tokio::fs::File::open(copy).await.map_err(file)?;
        let mut to = tokio::fs::OpenOptions::new().write(true).open(&self.file).await.map_err(file)?;
        tokio::io::copy(&mut from, &mut to).await.map_err(file)?;
        to.sync_all().await.map_err(file)?;
        self.sound().await
    }

    /// SQLite's own look at every page and every reference.
    async fn sound(&self) -> Result<(), StoreError> {
        let mut connection: DbConnection = options(&self.url()?)?.connect().await.map_err(damaged)?;
        let found: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_all(&mut connection).await.map_err(damaged)?;
        let whole = match found.first().map(String::as_str) {
            Some("ok") => no_dangling_row(&mut connection).await,
            Some(what) => Err(StoreError::Damaged(what.to_owned())),
            None => Err(StoreError::Damaged("it could not be checked".to_owned())),
        };
        connection.close().await.map_err(StoreError::Database)?;
        whole
    }

    async fn named(&self) -> Result<(), StoreError> {
        // VACUUM INTO does not flush what it writes.
        tokio::fs::File::open(&self.file).await.map_err(file)?.sync_all().await.map_err(file)?;
        tokio::fs::hard_link(&self.file, &self.place).await.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => StoreError::Exists,
            kind => StoreError::File(kind),
        })?;
        let settled = self.settled().await;
        if settled.is_err() {
            // It is said that there is none, so there is none.
            remove(&self.place).await?;
        }
        settled
    }

    /// Makes the new name last, and the old one go.
    async fn settled(&self) -> Result<(), StoreError> {
        remove(&self.file).await?;
        let folder = self.place.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
        tokio::fs::File::open(folder).await.map_err(file)?.sync_all().await.map_err(file)
    }

    pub(super) async fn or_discarded(self, done: Result<(), StoreError>) -> Result<Self, StoreError> {
        match done {
            Ok(()) => Ok(self),
            Err(error) => {
                self.discard().await?;
                Err(error)
            }
        }
    }
}

fn with(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

async fn present(path: &Path) -> Result<bool, StoreError> {
    tokio::fs::try_exists(path).await.map_err(file)
}

async fn remove(path: &Path) -> Result<(), StoreError> {
    match tokio::fs::remove_file(path).await {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(file(error)),
        _ => Ok(()),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "as map_err hands it over")]
fn file(error: std::io::Error) -> StoreError {
    StoreError::File(error.kind())
}

fn damaged(error: sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::Database(error) => StoreError::Damaged(error.message().to_owned()),
        other => StoreError::Database(other),
    }
}

/// SQLite's code for a file that cannot be opened is 14 (SQLITE_CANTOPEN).
fn missing(error: sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::Database(told) if told.code().as_deref() == Some("14") => StoreError::Missing,
        other => StoreError::Database(other),
    }
}

/// What SQLite keeps beside a database in use.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// So many copies to one place can be under way, or left behind by a crash.
const MOST_UNFINISHED: u32 = 64;
