//! Durable state. sqlx lives in this room and nowhere else.
//!
//! Promises: every write goes through one [`Append`], which either commits a whole batch durably or leaves nothing ([`Checkpoints`] alone write
//! single rows, of which nothing depends); reads are one small trait per noun. What is personal is sealed before it comes here. Not here: decisions,
//! hashing of the tree, encryption.
//!
//! There are two databases behind the same traits. What is added is added for both:
//! - a table or column: a migration in each folder below `migrations/`, listed in `migrations.rs`; for PostgreSQL the least privileges in
//!   `postgres/grants.rs`, TEXT with `COLLATE "C"` (byte order, as SQLite compares) and every number as BIGINT;
//! - a read: a statement in `sql.rs` that both understand, built as a `Statement` whose values know their type, in the file of its noun below `read/`;
//! - a change that goes with an entry: a [`Write`], and its statements in `apply.rs`, each of which must change exactly one row;
//! - what only one database understands stands in that database's files (`sqlite*.rs`, `postgres/`).

mod address;
mod append;
mod apply;
mod checkpoints;
mod copy;
mod decode;
mod find;
mod gone;
mod inspect;
mod migrations;
mod postgres;
mod read;
mod reads;
mod rows;
mod shape;
mod sql;
mod sqlite;
mod sqlite_append;
mod sqlite_file;
mod sqlite_migrate;
mod sqlite_readers;
mod sqlite_script;
mod sqlite_shape;
mod statement;
mod write;

use std::sync::Arc;

use async_trait::async_trait;

pub use self::{
    address::Address,
    append::{Append, Appender, DraftRows, EntryRow, OnceKey, TileRow},
    checkpoints::{CheckpointRow, Checkpoints, WitnessRow},
    copy::{Copied, Hold, Recount, copy},
    inspect::{CheckpointColumns, EntryColumns, IndexColumns, Inspect, TileColumns},
    postgres::GrantFault,
    rows::{
        Addressed, AgreementActRow, AgreementRow, CaseContent, CaseRow, ConsentFate, ConsentRow, DataKeyId, EvidenceRow, EvidenceState,
        Found, HeadRow, KeyRow, KeyState, LedgerFilter, LedgerRow, LedgerTable, Leftover, MessageHead, MessageRow, OnceKind, OnceRow,
        PartyKeyUse, PartyRow, Passage, Sealed, Tag, Term,
    },
    shape::{Difference, SchemaFault},
    sqlite_file::{Staged, back_up, finished, sqlite_path, sqlite_url, stage},
    sqlite_migrate::{Upgraded, upgrade, upgrade_copy},
    write::Write,
};
use crate::domain::{
    case::{CaseState, Relation},
    digest::Digest,
    ids::{AgreementId, CaseId, CaseKey, Jti},
    party::PartyId,
    time::Timestamp,
};

/// Opens a database: `sqlite:<path>`, or `postgres://...` once or several times. Refuses one that does not exist or whose schema is not the one this
/// program writes, and a PostgreSQL server that cannot be written or does not keep what it confirms.
pub async fn open(address: impl Into<Address>) -> Result<Arc<dyn Store>, StoreError> {
    let address = address.into();
    match address.file() {
        Some(url) => Ok(Arc::new(sqlite::open(url).await?)),
        None if address.is_postgres() => Ok(Arc::new(postgres::open(&address).await?)),
        None => Err(StoreError::UnknownScheme),
    }
}

/// Creates a database with an empty ledger of this origin: the file of SQLite, the tables in a database of PostgreSQL, whose role must own them.
/// Refuses one that holds a ledger. Used by `tsunagi setup exchange` and `tsunagi init`.
pub async fn create(address: impl Into<Address>, origin: &str, policy: Digest) -> Result<Arc<dyn Store>, StoreError> {
    let address = address.into();
    match address.file() {
        Some(url) => Ok(Arc::new(sqlite::create(url, origin, policy).await?)),
        None if address.is_postgres() => Ok(Arc::new(postgres::create(&address, None, origin, policy).await?)),
        None => Err(StoreError::UnknownScheme),
    }
}

/// As [`create`] for a PostgreSQL database whose tables belong to another role than the one the gateways use, which gets what it needs.
pub async fn create_by_owner(address: &Address, owner: &Address, origin: &str, policy: Digest) -> Result<Arc<dyn Store>, StoreError> {
    if !address.is_postgres() || !owner.is_postgres() {
        return Err(StoreError::UnknownScheme);
    }
    Ok(Arc::new(postgres::create(address, Some(owner), origin, policy).await?))
}

/// Creates or upgrades the tables of a PostgreSQL database as their owner, directly and not through a pooler, and gives the role of the gateways exactly
/// what it needs.
pub async fn migrate(owner: &Address, application: &str) -> Result<(), StoreError> {
    if !owner.is_postgres() {
        return Err(StoreError::UnknownScheme);
    }
    postgres::migrate(owner, Some(application)).await
}

/// The role that the gateways use, as the address of a PostgreSQL database names it.
pub fn role(address: &Address) -> Result<String, StoreError> {
    if address.is_postgres() { postgres::role(address) } else { Err(StoreError::UnknownScheme) }
}

/// What the role of this address may do beyond or short of what a gateway needs. SQLite knows no roles: nothing.
pub async fn check_grants(address: &Address) -> Result<Vec<GrantFault>, StoreError> {
    if address.is_postgres() { postgres::check_grants(address).await } else { Ok(Vec::new()) }
}

/// What storage can fail with. No variant carries a value that was stored or bound.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A stored value does not parse; names the column.
    #[error("column {0} holds a value that does not parse")]
    Corrupt(&'static str),
    /// The database refused or failed before anything was committed.
    #[error("database failure")]
    Database(#[source] sqlx::Error),
    /// The commit was sent and its outcome is unknown.
    #[error("commit outcome unknown")]
    CommitUnknown(#[source] sqlx::Error),
    /// The schema is not the one this program writes.
    #[error("database schema: {0}")]
    Schema(String),
    /// The tables are of an earlier version of this program; names the first step that they lack.
    #[error("the tables are of an earlier version of this program: step {0} is missing")]
    Outdated(i64),
    /// A business row that a write creates is there already, or one it rests on is not there. Nothing of this write remains; the append goes on.
    #[error("a row is not as the write expects")]
    RowConflict,
    /// Another writer moved the head.
    #[error("the ledger head moved")]
    HeadMoved,
    /// The database does not exist; only `tsunagi setup exchange` and, for a sandbox, `tsunagi init` create one.
    #[error("database does not exist; `tsunagi setup exchange` creates it (a sandbox: `tsunagi init`)")]
    Missing,
    /// A database that exists was to be created.
    #[error("database exists already")]
    Exists,
    /// The database file cannot be created.
    #[error("the database file cannot be created: {0}")]
    File(std::io::ErrorKind),
    /// A copy does not pass the database's own checks.
    #[error("the copy is damaged: {0}")]
    Damaged(String),
    /// A file that has changes of its own waiting beside it is no finished copy.
    #[error("the file has a write-ahead log beside it: it is a database in use, not a finished copy")]
    Unfinished,
    /// No backend has this scheme.
    #[error("database URL must start with sqlite: or postgres://")]
    UnknownScheme,
    /// A URL that no driver understands. It is not repeated: it may carry a password.
    #[error("the database URL cannot be understood")]
    Address,
    /// Somebody has the database open, and it is to be had alone.
    #[error("the database is in use")]
    InUse,
    /// What was written into a copy is not what was read; names the table.
    #[error("table {0} was not copied as it is")]
    Miscopied(&'static str),
    /// The leaves, entries and head of a ledger do not belong together; names the first index that is wrong.
    #[error("the ledger is broken at index {0}")]
    Broken(u64),
    /// The database server must not be used as it is; says why.
    #[error("the database server cannot be used: {0}")]
    Unsafe(&'static str),
}

impl StoreError {
    /// The same without the details of a server's message, which repeat values.
    fn without_values(self) -> Self {
        match self {
            Self::Database(error) => Self::Database(postgres::plain(error)),
            other => other,
        }
    }
}

/// Parties and their keys.
#[async_trait]
pub trait Directory: Send + Sync {
    /// A party.
    async fn party(&self, id: &PartyId) -> Result<Option<PartyRow>, StoreError>;
    /// Parties in the order of their ids, after one of them.
    async fn parties(&self, after: Option<&PartyId>, limit: u32) -> Result<Vec<PartyRow>, StoreError>;
    /// A key by its thumbprint.
    async fn key(&self, kid: &Digest) -> Result<Option<KeyRow>, StoreError>;
    /// All keys of a party, oldest first.
    async fn keys(&self, party: &PartyId) -> Result<Vec<KeyRow>, StoreError>;
}

/// Agreements.
#[async_trait]
pub trait Agreements: Send + Sync {
    /// One version with its acts.
    async fn agreement(&self, id: &AgreementId, ver: u32) -> Result<Option<AgreementRow>, StoreError>;
    /// All versions of an id, ascending.
    async fn versions(&self, id: &AgreementId) -> Result<Vec<AgreementRow>, StoreError>;
    /// Versions that name the party, that it acceded to or may accede to; for `None` all. Ascending by ledger index, after one of them.
    async fn agreements(&self, party: Option<&PartyId>, after: Option<u64>, limit: u32) -> Result<Vec<AgreementRow>, StoreError>;
}

/// Consents.
#[async_trait]
pub trait Consents: Send + Sync {
    /// A consent.
    async fn consent(&self, jti: &Jti) -> Result<Option<ConsentRow>, StoreError>;
    /// What became of each of these consents, in no order. Those that are not there are left out.
    async fn consent_fates(&self, consents: &[Jti]) -> Result<Vec<ConsentFate>, StoreError>;
    /// The data keys of a person: one for each consent.
    async fn person_keys(&self, subject: &Tag) -> Result<Vec<DataKeyId>, StoreError>;
}

/// Cases and their messages.
#[async_trait]
pub trait Cases: Send + Sync {
    /// A case by the id under which the party knows it.
    async fn case(&self, party: &PartyId, id: &CaseId) -> Result<Option<CaseRow>, StoreError>;
    /// The rows of all parties of a case.
    async fn case_parties(&self, case: &CaseKey) -> Result<Vec<CaseRow>, StoreError>;
    /// The inside key of a case by the id under which any party knows it (for auditors).
    async fn case_of_any(&self, id: &CaseId) -> Result<Option<CaseKey>, StoreError>;
    /// What a case holds and rests on, erased or not.
    async fn case_content(&self, case: &CaseKey) -> Result<Option<CaseContent>, StoreError>;
    /// The data key of a case.
    async fn case_key(&self, case: &CaseKey) -> Result<Option<DataKeyId>, StoreError>;
    /// The party's cases (relation other than `none`) with `updated_idx > after`, ascending by it. Those that were erased
    /// are not among them.
    async fn cases(&self, party: &PartyId, state: Option<CaseState>, after: Option<u64>, limit: u32) -> Result<Vec<CaseRow>, StoreError>;
    /// The same for the cases that the party has an id of and no relation to: what a delegate may be told of.
    async fn foreign_cases(
        &self,
        party: &PartyId,
        state: Option<CaseState>,
        after: Option<u64>,
        limit: u32,
    ) -> Result<Vec<CaseRow>, StoreError>;
    /// The first message that is addressed to the party in the case it knows by this id, with its data key: what [`Cases::case`],
    /// [`Cases::first_message`] and [`LedgerRead::data_key`] say, in one call.
    async fn addressed(&self, party: &PartyId, id: &CaseId) -> Result<Option<Addressed>, StoreError>;
    /// The first message of a case that is addressed to the party.
    async fn first_message(&self, case: &CaseKey, aud: &PartyId) -> Result<Option<MessageRow>, StoreError>;
    /// A message of a case by id.
    async fn message(&self, case: &CaseKey, jti: &Jti) -> Result<Option<MessageRow>, StoreError>;
    /// Messages of a case that the party sent or received, ascending by index, without content.
    async fn messages(&self, case: &CaseKey, party: &PartyId, after: Option<u64>, limit: u32) -> Result<Vec<MessageHead>, StoreError>;
    /// Cases in which the party has a place (relation other than `none`) that it first reached before a moment, erased ones too; ascending by their
    /// keys, after one of them.
    async fn taken_part(&self, party: &PartyId, before: Timestamp, after: Option<&CaseKey>, limit: u32)
    -> Result<Vec<CaseKey>, StoreError>;
    /// All messages of a case without content, whoever sent them: what its life rests on.
    async fn case_heads(&self, case: &CaseKey) -> Result<Vec<MessageHead>, StoreError>;
    /// What is known of a message without opening it; none where an earlier version stored it.
    async fn term(&self, case: &CaseKey, jti: &Jti) -> Result<Option<Term>, StoreError>;
    /// The messages of these cases and what became of them, case by case, ascending by index.
    async fn passages(&self, cases: &[CaseKey]) -> Result<Vec<Passage>, StoreError>;
    /// Who stands in each of these cases, and how.
    async fn relations(&self, cases: &[CaseKey]) -> Result<Vec<(CaseKey, PartyId, Relation)>, StoreError>;
    /// Cases that were declined or closed and not erased, in the order of their keys, behind one of them.
    async fn cases_over(&self, after: Option<&CaseKey>, limit: u32) -> Result<Vec<CaseKey>, StoreError>;
    /// Evidence about messages that the party sent in the case, ascending by index.
    async fn evidence(&self, case: &CaseKey, iss: &PartyId) -> Result<Vec<EvidenceRow>, StoreError>;
}

/// Reading the ledger.
#[async_trait]
pub trait LedgerRead: Send + Sync {
    /// The head.
    async fn head(&self) -> Result<HeadRow, StoreError>;
    /// One entry.
    async fn entry(&self, idx: u64) -> Result<Option<LedgerRow>, StoreError>;
    /// Entries `from..to`, at most `limit`.
    async fn entries(&self, from: u64, to: u64, limit: u32) -> Result<Vec<LedgerRow>, StoreError>;
    /// Entries `from..to` that register parties and keys or change how they stand, at most `limit`.
    async fn registrations(&self, from: u64, to: u64, limit: u32) -> Result<Vec<LedgerRow>, StoreError>;
    /// Entries that pass the filter with `after < idx < size`, ascending; `after` `None` starts at 0. The work of one call is bounded, so a page may
    /// hold fewer than `limit` entries, even none, before the end: [`Found::next`] says where to go on.
    async fn find(&self, filter: &LedgerFilter, after: Option<u64>, size: u64, limit: u32) -> Result<Found, StoreError>;
    /// Leaf hashes `from..to`.
    async fn leaf_hashes(&self, from: u64, to: u64) -> Result<Vec<[u8; 32]>, StoreError>;
    /// A full tile of 256 hashes at a level, if it is stored.
    async fn tile(&self, level: u8, n: u64) -> Result<Option<Vec<[u8; 32]>>, StoreError>;
    /// The hashes of the full tiles `from..to` of a level: elements of the level above.
    async fn tile_roots(&self, level: u8, from: u64, to: u64) -> Result<Vec<[u8; 32]>, StoreError>;
    /// What a used id was answered.
    async fn once(&self, kind: OnceKind, iss: &PartyId, jti: &Jti) -> Result<Option<OnceRow>, StoreError>;
    /// A wrapped data key; none after erasure.
    async fn data_key(&self, id: &DataKeyId) -> Result<Option<Vec<u8>>, StoreError>;
}

/// Everything that can be read.
#[async_trait]
pub trait Store: Directory + Agreements + Consents + Cases + LedgerRead + Checkpoints + Inspect {
    /// Opens appends. Used by the ledger's sequencer only.
    fn appender(&self) -> Arc<dyn Appender>;
    /// After an erasure: removes what was deleted from the files beside the database, as far as this database lets a gateway do it.
    async fn scrub(&self) -> Result<Leftover, StoreError>;
    /// Waits for what is open and closes the database. Everything after that fails.
    async fn close(&self);
}
