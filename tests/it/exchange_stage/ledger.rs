//! The whole ledger, read as an auditor reads it (over HTTPS, verified against a signed checkpoint) and as it lies in the database.

use std::path::Path;

use serde_json::{Value, json};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, SqliteConnection, sqlite::SqliteConnectOptions};
use tsunagi::{
    domain::{codes::Purpose, digest::Digest},
    ledger::{Entry, Opening, SaltedOpening},
    tlog::{Checkpoint, Frontier, Hash, TILE_WIDTH, TileId, TileRow, decode_bundle, leaf_hash, open_checkpoint},
};

use super::{Sandbox, party::Party};
use crate::postgres_stage::Database;

/// An entry and what stands beside it.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) index: u64,
    pub(crate) leaf: Vec<u8>,
    pub(crate) entry: Entry,
    pub(crate) opening: Option<Opening>,
}

/// Every entry up to a signed checkpoint, which it recomputes to.
pub(crate) struct Ledger {
    pub(crate) records: Vec<Record>,
    pub(crate) checkpoint: Checkpoint,
    roots: Vec<Hash>,
}

impl Ledger {
    /// Reads checkpoint, entry bundles and openings; every commitment must open whose opening was not erased.
    pub(crate) async fn read(auditor: &Party) -> Self {
        let note = auditor.open_data("/v1/ledger/checkpoint").await.unwrap();
        let checkpoint = open_checkpoint(std::str::from_utf8(&note.body).unwrap(), &auditor.pinned.ledger).unwrap();
        let leaves = leaves(auditor, checkpoint.size()).await;
        let openings = openings(auditor, checkpoint.size()).await;
        assert_eq!(leaves.len(), openings.len());
        let roots = roots(leaves.iter().map(|leaf| leaf_hash(leaf)));
        assert_eq!(roots.last(), Some(&checkpoint.root()), "the entries are not those of the signed checkpoint");
        let records = (0..).zip(leaves.into_iter().zip(openings)).map(|(index, (leaf, (entry, opened)))| {
            assert_eq!(serde_json::from_slice::<Value>(&leaf).unwrap(), entry, "{index}: entry and leaf differ");
            let entry: Entry = serde_json::from_slice(&leaf).unwrap();
            let opening = opened.map(|opened| {
                assert!(opened.opens(&entry.open_c.unwrap()), "{index}: the opening is not what the leaf committed to");
                opened.opening
            });
            Record { index, leaf, entry, opening }
        });
        Self { records: records.collect(), checkpoint, roots }
    }

    /// Whether a checkpoint that was signed earlier is one of this ledger's own past.
    pub(crate) fn had(&self, earlier: &Checkpoint) -> bool {
        root_at(&self.roots, earlier.size()) == Some(earlier.root())
    }
}

async fn leaves(auditor: &Party, size: u64) -> Vec<Vec<u8>> {
    let mut leaves = Vec::new();
    for (n, first) in (0..).zip((0..size).step_by(TILE_WIDTH.into())) {
        let width = u16::try_from((size - first).min(TILE_WIDTH.into())).unwrap();
        let tile = TileId::new(TileRow::Entries, n, width).unwrap();
        let (bundle, _) = auditor.get(&format!("/v1/ledger/{tile}"), Purpose::AuditReview).await.unwrap();
        leaves.extend(decode_bundle(&bundle.body, width).unwrap().into_iter().map(<[u8]>::to_vec));
    }
    leaves
}

/// Entry and salted opening of every index, as the audit API gives them.
async fn openings(auditor: &Party, size: u64) -> Vec<(Value, Option<SaltedOpening>)> {
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = auditor.json(&format!("/v1/audit/events?limit=500{cursor}"), Purpose::AuditReview).await.unwrap();
        for event in page["events"].as_array().unwrap() {
            if event["index"].as_u64().unwrap() < size {
                assert_eq!(event["index"], found.len(), "a gap in the audit pages");
                found.push((event["entry"].clone(), salted(&event["opened"])));
            }
        }
        match page["cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

fn salted(opened: &Value) -> Option<SaltedOpening> {
    let mut opening = opened.as_object()?.clone();
    let salt = opening.remove("salt").unwrap();
    Some(SaltedOpening::from_bytes(json!({"salt": salt, "opening": opening}).to_string().as_bytes()).unwrap())
}

/// The tree as it lies in the database: leaves and entries without a gap, each entry the leaf's, the head over all of them.
pub(crate) struct Stored {
    pub(crate) leaves: Vec<Hash>,
    roots: Vec<Hash>,
}

impl Stored {
    /// Reads behind the gateway's back.
    pub(crate) async fn read(database: &Path) -> Self {
        let mut connection = connect(database).await;
        let mut snapshot = connection.begin().await.unwrap();
        let rows = sqlx::query_as(ROWS).fetch_all(&mut *snapshot).await.unwrap();
        let count = sqlx::query_as(COUNT).fetch_one(&mut *snapshot).await.unwrap();
        let head = sqlx::query_as(HEAD).fetch_one(&mut *snapshot).await.unwrap();
        Self::whole(rows, count, head)
    }

    /// The same from PostgreSQL, as superuser.
    pub(crate) async fn read_postgres(database: &Database) -> Self {
        let mut connection = PgConnection::connect(&database.superuser()).await.unwrap();
        let mut snapshot = connection.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await.unwrap();
        let rows = sqlx::query_as(ROWS).fetch_all(&mut *snapshot).await.unwrap();
        let count = sqlx::query_as(COUNT).fetch_one(&mut *snapshot).await.unwrap();
        let head = sqlx::query_as(HEAD).fetch_one(&mut *snapshot).await.unwrap();
        Self::whole(rows, count, head)
    }

    /// Of the database of a sandbox, whichever it is.
    pub(crate) async fn of(sandbox: &Sandbox) -> Self {
        match sandbox.postgres() {
            Some(database) => Self::read_postgres(database).await,
            None => Self::read(&sandbox.database()).await,
        }
    }

    fn whole(rows: Vec<(i64, Vec<u8>, Vec<u8>)>, count: (i64, i64), (size, root): (i64, Vec<u8>)) -> Self {
        let mut leaves = Vec::with_capacity(rows.len());
        for (position, (idx, hash, body)) in (0..).zip(rows) {
            assert_eq!(idx, position, "a gap in the ledger");
            assert_eq!(leaf_hash(&body).0.as_slice(), hash, "{idx}: the entry is not the leaf's");
            leaves.push(leaf_hash(&body));
        }
        assert_eq!((size, size), count, "head, leaves and entries");
        assert_eq!(usize::try_from(size).unwrap(), leaves.len());
        let roots = roots(leaves.iter().copied());
        assert_eq!(roots.last().unwrap().0.as_slice(), root, "the leaves do not recompute to the head");
        Self { leaves, roots }
    }

    /// Whether an entry that was acknowledged lies where the acknowledgement said.
    pub(crate) fn holds(&self, index: u64, leaf: &[u8]) -> bool {
        usize::try_from(index).ok().and_then(|index| self.leaves.get(index)) == Some(&leaf_hash(leaf))
    }

    /// Whether a checkpoint that was signed earlier is one of this ledger's own past.
    pub(crate) fn had(&self, earlier: &Checkpoint) -> bool {
        root_at(&self.roots, earlier.size()) == Some(earlier.root())
    }
}

const ROWS: &str = "SELECT l.idx, l.leaf_hash, e.body FROM ledger_leaf l JOIN ledger_entry e ON e.idx = l.idx ORDER BY l.idx";
const COUNT: &str = "SELECT (SELECT count(*) FROM ledger_leaf), (SELECT count(*) FROM ledger_entry)";
const HEAD: &str = "SELECT size, root FROM ledger_head";

/// A second connection to the database of a gateway that may be running.
pub(crate) async fn connect(database: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(database).foreign_keys(false).disable_statement_logging().connect().await.unwrap()
}

/// The root of every size from one leaf on.
fn roots(leaves: impl Iterator<Item = Hash>) -> Vec<Hash> {
    let mut frontier = Frontier::default();
    leaves
        .map(|leaf| {
            frontier.push(leaf).unwrap();
            frontier.root()
        })
        .collect()
}

fn root_at(roots: &[Hash], size: u64) -> Option<Hash> {
    roots.get(usize::try_from(size.checked_sub(1)?).ok()?).copied()
}

pub(crate) mod tests {
    use tsunagi::{
        domain::entry::{EntryType, Operation},
        ledger::Node,
    };
    use uuid::Uuid;

    use super::*;

    /// A permitted entry without an opening.
    pub(crate) fn record(index: u64, entry_type: EntryType, operation: Operation) -> Record {
        let gateway = Node { node: "test".to_owned(), version: "1".to_owned() };
        let mut entry = Entry::of_gateway(Uuid::new_v4(), gateway, entry_type);
        entry.operation = operation;
        entry.request = Some(Digest::of(&index.to_be_bytes()));
        Record { index, leaf: serde_json::to_vec(&entry).unwrap(), entry, opening: None }
    }

    /// These records as they would lie in a database.
    pub(crate) fn stored(records: &[Record]) -> Stored {
        let leaves: Vec<Hash> = records.iter().map(|record| leaf_hash(&record.leaf)).collect();
        Stored { roots: roots(leaves.iter().copied()), leaves }
    }

    /// A ledger of these records, signed by nobody.
    pub(crate) fn ledger(records: Vec<Record>) -> Ledger {
        let roots = roots(records.iter().map(|record| leaf_hash(&record.leaf)));
        let checkpoint = Checkpoint::new("test/ledger", records.len().try_into().unwrap(), *roots.last().unwrap()).unwrap();
        Ledger { records, checkpoint, roots }
    }
}
