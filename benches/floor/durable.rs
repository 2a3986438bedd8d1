//! From an entry to durable bytes: canonical form, tree, disk.

use std::{
    fs::File,
    io::{Seek as _, SeekFrom, Write as _},
    sync::Arc,
};

use tokio::runtime::{Builder, Runtime};
use tsunagi::{
    domain::{
        codes::{LegalBasis, MessageKind, Purpose},
        digest::Digest,
        entry::{EntryType, Operation, Outcome},
        time::Timestamp,
    },
    ledger::{Actor, AgreementRef, Entry, Node, SchemaRef},
    store::{self, Appender, DataKeyId, EntryRow, HeadRow, Sealed, Tag},
    tlog::{BatchTree, Frontier, leaf_hash},
};
use uuid::Uuid;

use crate::measure::Case;

pub(super) fn cases() -> Vec<Case<'static>> {
    let mut cases = tree();
    cases.extend(disk());
    cases
}

/// Entries of one group commit.
const GROUP: u16 = 64;
/// Entries before the ones that are measured.
const BEFORE: u32 = 100_000;

fn tree() -> Vec<Case<'static>> {
    let leaf = serde_json_canonicalizer::to_vec(&entry(1)).unwrap();
    let hash = leaf_hash(&leaf);
    let mut frontier = Frontier::new();
    for _ in 0..BEFORE {
        frontier.push(hash).unwrap();
    }
    let (mut growing, before) = (frontier.clone(), frontier);
    vec![
        Case::new("leaf of an entry: canonical JSON (RFC 8785)", || serde_json_canonicalizer::to_vec(&entry(1)).unwrap()),
        Case::new("leaf of an entry: hash", move || leaf_hash(&leaf)),
        Case::new("tree of 100,000: append one, new root", move || {
            growing.push(hash).unwrap();
            growing.root()
        }),
        Case::group("tree of 100,000: append 64, root and 64 inclusion proofs", GROUP.into(), move || {
            let tree = BatchTree::new(before.clone(), vec![hash; GROUP.into()]).unwrap();
            for index in before.size()..tree.size() {
                assert!(tree.inclusion_proof(index).is_some());
            }
        }),
    ]
}

fn disk() -> Vec<Case<'static>> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&[0; 4096]).unwrap();
    let (mut one, mut many) = (Ledger::new(), Ledger::new());
    vec![
        Case::new("disk: 4 KiB overwritten and fdatasync", move || overwrite(&mut file)),
        Case::new("store: an entry made durable alone", move || one.append(1)),
        Case::group("store: 64 entries made durable together", GROUP.into(), move || many.append(GROUP)),
    ]
}

fn overwrite(file: &mut File) {
    file.seek(SeekFrom::Start(0)).unwrap();
    file.write_all(&[7; 4096]).unwrap();
    file.sync_data().unwrap();
}

/// A ledger in a file, written through the store alone: no tree, no signatures.
struct Ledger {
    runtime: Runtime,
    appender: Arc<dyn Appender>,
    /// Deleted when dropped.
    _folder: tempfile::TempDir,
}

impl Ledger {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let url = format!("sqlite://{}", folder.path().join("floor.sqlite").display());
        let store = runtime.block_on(store::create(&url, "bench.example/ledger", Digest::of(b"policy"))).unwrap();
        Self { runtime, appender: store.appender(), _folder: folder }
    }

    fn append(&mut self, count: u16) {
        self.runtime.block_on(async {
            let append = self.appender.begin().await.unwrap();
            let head = append.head().clone();
            let rows = (0..count).map(|n| row(head.size + u64::from(n))).collect();
            let size = head.size + u64::from(count);
            // The store does not look into the frontier; its length is what a tree of this size has.
            let frontier = vec![7; 32 * usize::try_from(size.count_ones()).unwrap()];
            append.commit(rows, Vec::new(), HeadRow { size, frontier, last_time: time(size), ..head }).await.unwrap();
        });
    }
}

fn row(idx: u64) -> EntryRow {
    let body = serde_json_canonicalizer::to_vec(&entry(idx)).unwrap();
    let id = Uuid::from_u128(idx.into());
    EntryRow {
        idx,
        id,
        leaf_hash: leaf_hash(&body).0,
        body,
        time: time(idx + 1),
        entry_type: EntryType::Release.as_str(),
        operation: Operation::CaseRead.as_str(),
        actor: "municipality:131016-1".parse().ok(),
        recipient: "municipality:131016-1".parse().ok(),
        decision: Outcome::Permit.as_str(),
        reason: None,
        agreement: "AG-13-0001".parse().ok(),
        opening: Some(Sealed { key: DataKeyId(id), bytes: vec![7; 900] }),
        tags: (0..4).map(|n| tag(idx, n)).collect(),
    }
}

/// Tags of different entries are spread, as keyed hashes are.
fn tag(idx: u64, n: u8) -> Tag {
    let mut tag = [n; 16];
    tag.copy_from_slice(&Digest::of(&[&idx.to_be_bytes()[..], &[n]].concat()).as_bytes()[..16]);
    Tag(tag)
}

fn time(idx: u64) -> Timestamp {
    Timestamp::from_secs(1_790_812_800).plus_micros(i64::try_from(idx).unwrap())
}

/// The entry of a release.
fn entry(idx: u64) -> Entry {
    let node = Node { node: "bench-1".to_owned(), version: "0.1.0".to_owned() };
    let digest = Digest::of(&idx.to_be_bytes());
    Entry {
        time: time(idx),
        actor: Some(Actor { party: "municipality:131016-1".parse().unwrap(), cert: digest, acting_for: None }),
        recipient: "municipality:131016-1".parse().ok(),
        operation: Operation::CaseRead,
        purpose: Some(Purpose::PlacementCoordination),
        basis: Some(LegalBasis::Consent69_2_1),
        kind: Some(MessageKind::Referral),
        schema: Some(SchemaRef { id: "urn:tsunagi:schema:referral".to_owned(), ver: "1.0.0".to_owned() }),
        agreement: Some(AgreementRef { id: "AG-13-0001".parse().unwrap(), ver: 1, sha256: digest }),
        decision: Outcome::Permit,
        rules: (1..8).map(|n| format!("N-{n:02}")).collect(),
        policy: Some(digest),
        request: Some(digest),
        sd_hash: Some(digest),
        shown: Some(30),
        open_c: Some(digest),
        ..Entry::of_gateway(Uuid::from_u128(idx.into()), node, EntryType::Release)
    }
}
