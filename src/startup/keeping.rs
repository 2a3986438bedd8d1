//! What an operator does with the database as a whole: copy it, put a copy back, adopt a ledger, open one again after a loss (`ledger.md` section 5).
//!
//! Promises: nothing is written over; a copy that does not hold the whole ledger is not kept; a ledger that went back is served again only under a new
//! name that records it.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    StartupError, database,
    keys::{signer, vault},
    mark,
};
use crate::{
    clock::Clock,
    config::{self, Config},
    ledger::{
        Examined, HighWater, HighWaterError, LedgerError, Node, Reopen, Reopened, TreeRecount, examine, goes_on_from, mark_note, read_mark,
        reopen, set_aside,
    },
    store::{self, Address, Hold, LedgerRead, Store, StoreError},
    tlog::{Checkpoint, VerifierKey, open_checkpoint},
};

/// How the ledger stands beside this gateway's mark.
#[derive(Debug)]
pub enum MarkState {
    /// The ledger goes on from it.
    Fits {
        /// Entries of the newest head that was shown.
        shown: u64,
    },
    /// The ledger holds fewer entries than were shown.
    Behind {
        /// Entries of the newest head that was shown.
        shown: u64,
    },
    /// The ledger is another one than was shown.
    Forked {
        /// Entries of the newest head that was shown.
        shown: u64,
    },
    /// The mark cannot be used.
    Unusable(HighWaterError),
}

/// A copy that was made or put back.
#[derive(Debug)]
pub struct Copied {
    /// Its file; none: a PostgreSQL database.
    pub place: Option<PathBuf>,
    /// What it holds.
    pub examined: Examined,
}

/// Copies the database while gateways serve from it. The copy holds no key.
///
/// # Errors
/// When it cannot be made, or does not hold the whole ledger that this gateway has shown.
pub async fn back_up(config: &Config, place: &Path) -> Result<Copied, StartupError> {
    let key = signer(config, &config.origin)?.verifier().clone();
    // Read before the copy is made: what was shown by then must be in it.
    let shown = match read_mark(&config.ledger.high_water, &key) {
        Ok(shown) => Some(shown),
        Err(HighWaterError::Missing(_)) => None,
        Err(error) => return Err(error.into()),
    };
    let staged = store::back_up(&database(config)?, place, TreeRecount::default()).await?;
    let copied = look(config, &staged.url()?, shown.as_ref()).await;
    settle(staged, copied).await
}

/// Puts a copy where the configured database will be; of a PostgreSQL database its tables belong to `owner`. What is there already is left alone. How what
/// was restored stands to this gateway's mark is told apart from that: it is restored even if that cannot be found out.
///
/// # Errors
/// When there is a database, the copy is damaged, or belongs to another ledger or another key-encryption key.
pub async fn restore(
    config: &Config,
    copy: &Path,
    owner: Option<&Address>,
) -> Result<(Copied, Result<MarkState, StartupError>), StartupError> {
    let to = database(config)?;
    let copied = if let Some(url) = to.file() {
        let staged = store::stage(copy, url).await?;
        let looked = look_at_upgraded(config, &staged.url()?).await;
        settle(staged, looked).await?
    } else {
        store::finished(copy).await?;
        let from = store::sqlite_url(copy).ok_or(StoreError::UnknownScheme)?;
        let examined = look(config, &from, None).await?;
        store::copy(&from.as_str().into(), &to, owner, Hold::Shared, TreeRecount::default()).await?;
        Copied { place: None, examined }
    };
    // From here on it is restored, whatever is found.
    Ok((copied, restored_state(config, to).await))
}

async fn restored_state(config: &Config, to: Address) -> Result<MarkState, StartupError> {
    let store = store::open(to).await?;
    let state = mark_state(config, &*store).await;
    store.close().await;
    state
}

/// A backup that an earlier version made gets the tables of this one; the backup itself stays as it is.
async fn look_at_upgraded(config: &Config, url: &str) -> Result<Examined, StartupError> {
    let steps = store::upgrade_copy(url).await?;
    if !steps.is_empty() {
        tracing::info!(?steps, "the restored copy was of an earlier version");
    }
    look(config, url, None).await
}

/// Compares the ledger with this gateway's mark, without holding it.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn mark_state(config: &Config, reads: &dyn LedgerRead) -> Result<MarkState, StartupError> {
    let held = match read_mark(&config.ledger.high_water, signer(config, &config.origin)?.verifier()) {
        Ok(held) => held,
        Err(error) => return Ok(MarkState::Unusable(error)),
    };
    let shown = held.size();
    match goes_on_from(reads, &held).await {
        Ok(()) => Ok(MarkState::Fits { shown }),
        Err(LedgerError::RolledBack) => Ok(MarkState::Behind { shown }),
        Err(LedgerError::Forked) => Ok(MarkState::Forked { shown }),
        Err(error) => Err(error.into()),
    }
}

/// What adopting did.
#[derive(Debug)]
pub struct Adopted {
    /// Entries of the ledger.
    pub size: u64,
    /// Whether the mark was there and fits.
    pub already: bool,
    /// Where a mark that was there is kept.
    pub aside: Option<PathBuf>,
}

/// Makes the mark of a gateway that has none, because an operator says that the ledger is the right one.
///
/// # Errors
/// When the mark shows that it is not, or the ledger does not fit together.
pub async fn adopt(config: &Config) -> Result<Adopted, StartupError> {
    let store = store::open(database(config)?).await?;
    let adopted = adopt_stored(config, &*store).await;
    store.close().await;
    adopted
}

async fn adopt_stored(config: &Config, store: &dyn Store) -> Result<Adopted, StartupError> {
    let path = &config.ledger.high_water;
    let own = signer(config, &config.origin)?;
    let Examined { head, breaks, .. } = examine(store).await?;
    if head.origin != config.origin {
        return Err(LedgerError::Signer.into());
    }
    let size = head.size;
    let aside = match HighWater::open(path, own.verifier()) {
        Ok(mark) => {
            goes_on_from(store, &mark.head()).await?;
            return Ok(Adopted { size, already: true, aside: None });
        }
        Err(HighWaterError::Missing(_)) => None,
        Err(HighWaterError::Spoilt(_)) => Some(set_aside(path)?),
        // Its name is one that the ledger had: the entry that records the break is the operator's word for it.
        Err(HighWaterError::OtherOrigin { origin, .. }) if breaks.iter().any(|(_, broke)| broke.from == origin) => Some(set_aside(path)?),
        Err(error) => return Err(error.into()),
    };
    mark::make(path, &own, &head)?;
    Ok(Adopted { size, already: false, aside })
}

/// A ledger that goes on under another name.
#[derive(Debug)]
pub struct Renamed {
    /// The entry that says so.
    pub reopened: Reopened,
    /// The key that opens heads from now on.
    pub vkey: VerifierKey,
    /// Where the mark from before is kept, once the new one is there; or why it is not. The break is on record either way, and `ledger adopt` makes a mark.
    pub aside: Result<Option<PathBuf>, StartupError>,
}

/// Opens a ledger that lost entries again, under another name. `known`: notes from before that others kept; `unknown`: nobody has one.
///
/// # Errors
/// When nothing shows a loss, a gateway of this configuration is running, or what survived does not fit together.
pub async fn reopen_ledger(
    config: &Config,
    origin: &str,
    known: &[PathBuf],
    unknown: bool,
    clock: Arc<dyn Clock>,
) -> Result<Renamed, StartupError> {
    let store = store::open(database(config)?).await?;
    let renamed = reopen_stored(config, origin, known, unknown, clock, &*store).await;
    store.close().await;
    renamed
}

async fn reopen_stored(
    config: &Config,
    origin: &str,
    known: &[PathBuf],
    unknown: bool,
    clock: Arc<dyn Clock>,
    store: &dyn Store,
) -> Result<Renamed, StartupError> {
    let path = &config.ledger.high_water;
    vault(config, store).await?;
    let Examined { head, .. } = examine(store).await?;
    let (old, new) = (signer(config, &head.origin)?, signer(config, origin)?);
    // Held until the end: a gateway that shows this ledger must not run meanwhile.
    let mark = match HighWater::open(path, old.verifier()) {
        Ok(mark) => Some(mark),
        Err(HighWaterError::Missing(_) | HighWaterError::Spoilt(_)) => None,
        Err(error) => return Err(error.into()),
    };
    let mut heads: Vec<Checkpoint> = mark.iter().map(HighWater::head).collect();
    for file in known {
        heads.push(kept(file, old.verifier())?);
    }
    let mut newest: Option<&Checkpoint> = None;
    for held in &heads {
        match goes_on_from(store, held).await {
            Ok(()) => {}
            Err(LedgerError::RolledBack | LedgerError::Forked) => {
                newest = newest.filter(|newest| newest.size() >= held.size()).or(Some(held));
            }
            Err(error) => return Err(error.into()),
        }
    }
    match (newest, heads.is_empty()) {
        (None, false) => return Err(StartupError::NothingLost),
        (None, true) if !unknown => return Err(StartupError::NothingKnown),
        _ => {}
    }
    let node = Node { node: config.node.clone(), version: env!("CARGO_PKG_VERSION").to_owned() };
    let reopened = reopen(Reopen { appender: &*store.appender(), reads: store, signer: &new, clock, node, known: newest }).await?;
    // If we crash here, the mark has the old name and nothing is served; adopting it goes on from here, because the ledger records the break.
    let aside = new_mark(path, &reopened.note, new.verifier());
    drop(mark);
    Ok(Renamed { reopened, vkey: new.verifier().clone(), aside })
}

/// Puts a mark of the new name in the place of the one that is there. Says where that one is kept.
fn new_mark(path: &Path, note: &str, key: &VerifierKey) -> Result<Option<PathBuf>, StartupError> {
    let aside = match std::fs::exists(path) {
        Ok(true) => Some(set_aside(path)?),
        Ok(false) => None,
        Err(source) => return Err(HighWaterError::File { path: path.to_owned(), source }.into()),
    };
    HighWater::create(path, note, key)?;
    Ok(aside)
}

/// A head in a file: a signed note, or the mark of another gateway.
fn kept(file: &Path, key: &VerifierKey) -> Result<Checkpoint, StartupError> {
    let note = match mark_note(file) {
        Ok(note) => note,
        Err(HighWaterError::Spoilt(_)) => String::from_utf8(config::read_file(file)?).map_err(|_| StartupError::NoHead(file.to_owned()))?,
        Err(error) => return Err(error.into()),
    };
    open_checkpoint(&note, key).map_err(|_| StartupError::NoHead(file.to_owned()))
}

/// The copy's own whole ledger, its name, and that the key-encryption key opens it.
async fn look(config: &Config, url: &str, shown: Option<&Checkpoint>) -> Result<Examined, StartupError> {
    let store = store::open(url).await?;
    let looked = look_into(config, &*store, shown).await;
    store.close().await;
    looked
}

async fn look_into(config: &Config, store: &dyn Store, shown: Option<&Checkpoint>) -> Result<Examined, StartupError> {
    vault(config, store).await?;
    let examined = examine(store).await?;
    if examined.head.origin != config.origin {
        return Err(LedgerError::Signer.into());
    }
    if let Some(shown) = shown {
        goes_on_from(store, shown).await?;
    }
    Ok(examined)
}

/// Names a copy that was found good, removes one that was not.
async fn settle(staged: store::Staged, looked: Result<Examined, StartupError>) -> Result<Copied, StartupError> {
    match looked {
        Ok(examined) => Ok(Copied { place: Some(staged.finish().await?), examined }),
        Err(error) => {
            staged.discard().await.inspect_err(|left: &StoreError| tracing::warn!(error = %left, "a refused copy could not be removed"))?;
            Err(error)
        }
    }
}
