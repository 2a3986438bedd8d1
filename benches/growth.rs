//! `cargo bench --bench growth -- 100000 1000000 10000000`: what a ledger of so many entries costs: to append to it, to prove an entry of it, to
//! turn an auditor's page.
//!
//! The ledger is filled through the store in large batches, with leaves, tags and tiles as a gateway writes them, then opened and checked as a
//! gateway does. Each size goes on from the one before. Only the tags of the filling come in their order, because ten million times four of them
//! scattered over an index would take hours; those of the appends that are measured are scattered as keyed hashes are.
//! A million entries take about 2 GB of disk, in a temporary folder (`TMPDIR`) that is deleted. `--json` prints JSON; `postgres://...`, the URL of an
//! empty database, is filled instead of a file.

#[path = "measure/machine.rs"]
mod machine;

use std::{
    io::{self, Write as _},
    process::ExitCode,
    sync::Arc,
};

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tsunagi::{
    clock::{Ids, Stopwatch, SystemClock},
    domain::{
        codes::{LegalBasis, MessageKind, Purpose},
        digest::Digest,
        entry::{EntryType, Operation, Outcome},
        time::Timestamp,
    },
    ledger::{Actor, AgreementRef, Answer, Draft, Entry, Node, Parts, SchemaRef, SequencerHandle, open_ledger},
    store::{self, EntryRow, HeadRow, LedgerFilter, LedgerRead, Store, Tag, TileRow},
    tlog::{BatchTree, Frontier, NoteSigner, RightEdge, TileRow as Row, encode_tile, leaf_hash, perfect_root},
};
use uuid::Uuid;
use zeroize::Zeroizing;

use machine::{Cpu, micros};

fn main() -> ExitCode {
    let (mut json, mut sizes, mut database) = (false, Vec::new(), None);
    for argument in std::env::args().skip(1).filter(|argument| argument != "--bench") {
        match argument.parse::<u64>() {
            Ok(size) if (1..=MOST).contains(&size) => sizes.push(size),
            _ if argument == "--json" => json = true,
            _ if argument.starts_with("postgres") => database = Some(argument),
            _ => {
                eprintln!("{argument}: there are --json, the URL of a PostgreSQL database and numbers of entries, each from 1 to {MOST}");
                return ExitCode::from(2);
            }
        }
    }
    if sizes.is_empty() {
        sizes.push(100_000);
    }
    sizes.sort_unstable();
    let grown = tokio::runtime::Runtime::new().unwrap().block_on(grow(&sizes, database));
    match print(&grown, json) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// What a ledger of one size costs.
struct Grown {
    size: u64,
    /// CPU microseconds of one append, of 128 clients together; median and largest of the runs.
    append: (f64, f64),
    /// Milliseconds of a proof: half and 99 of 100 are not slower.
    proof: (f64, f64),
    page: (f64, f64),
    /// Seconds until it was filled, opened and checked.
    filled: f64,
    opened: f64,
}

async fn grow(sizes: &[u64], database: Option<String>) -> Vec<Grown> {
    let folder = tempfile::tempdir().unwrap();
    let file = format!("sqlite://{}", folder.path().join("ledger.sqlite").display());
    let store: Arc<dyn Store> = store::create(&database.unwrap_or(file), ORIGIN, Digest::of(b"policy")).await.unwrap();
    let mut grown = Vec::new();
    for size in sizes {
        let watch = Stopwatch::start();
        fill(&*store, *size).await;
        let filled = watch.elapsed().as_secs_f64();
        let watch = Stopwatch::start();
        let (ledger, sequencer) = open_ledger(parts(&store)).await.unwrap();
        let opened = watch.elapsed().as_secs_f64();
        let (append, proof, page) = (append(&ledger).await, prove(&ledger).await, page(&*store, ledger.size()).await);
        ledger.close().await;
        sequencer.await.unwrap();
        grown.push(Grown { size: *size, append, proof, page, filled, opened });
    }
    store.close().await;
    grown
}

fn parts(store: &Arc<dyn Store>) -> Parts {
    Parts {
        appender: store.appender(),
        reads: Arc::clone(store) as Arc<dyn LedgerRead>,
        signer: Arc::new(NoteSigner::from_seed(ORIGIN.parse().unwrap(), &Zeroizing::new([7; 32])).unwrap()),
        clock: Arc::new(SystemClock),
        node: node(),
        mark: None,
    }
}

/// Appends behind what is there until the ledger has so many entries: the tree as the sequencer builds it, without its queue and its signatures.
async fn fill(store: &dyn Store, size: u64) {
    let appender = store.appender();
    loop {
        let append = appender.begin().await.unwrap();
        let head = append.head().clone();
        let Some(missing) = size.checked_sub(head.size).filter(|missing| *missing > 0) else { return };
        let frontier = Frontier::from_parts(head.size, &head.frontier).unwrap();
        let mut edge = edge(store, head.size).await;
        let begin = head.last_time.max(BEGIN);
        let rows: Vec<EntryRow> = (0..missing.min(BATCH)).map(|n| row(head.size + n, later(begin, n + 1))).collect();
        let mut tiles = Vec::new();
        for hash in rows.iter().map(|row| tsunagi::tlog::Hash(row.leaf_hash)) {
            for tile in edge.push(hash).unwrap() {
                if let Row::Hashes(level) = tile.id.row() {
                    let root = perfect_root(&tile.hashes).unwrap().0;
                    tiles.push(TileRow { level, n: tile.id.index(), root, hashes: encode_tile(&tile.hashes) });
                }
            }
        }
        let tree = BatchTree::new(frontier, rows.iter().map(|row| tsunagi::tlog::Hash(row.leaf_hash)).collect()).unwrap();
        let last_time = rows.last().map_or(head.last_time, |row| row.time);
        let moved = HeadRow { size: tree.size(), root: tree.root().0, frontier: tree.frontier().to_bytes(), last_time, ..head };
        append.commit(rows, tiles, moved).await.unwrap();
    }
}

/// The unfinished tiles of what is stored.
async fn edge(store: &dyn Store, size: u64) -> RightEdge {
    let mut known = std::collections::HashMap::new();
    for node in RightEdge::nodes(size) {
        let hash = if node.level == 0 {
            store.leaf_hashes(node.index, node.index + 1).await.unwrap()[0]
        } else {
            store.tile_roots(node.level / 8 - 1, node.index, node.index + 1).await.unwrap()[0]
        };
        known.insert(node, tsunagi::tlog::Hash(hash));
    }
    RightEdge::from_nodes(size, |node| known.get(&node).copied()).unwrap()
}

async fn append(ledger: &SequencerHandle) -> (f64, f64) {
    let (ids, cpu) = (Ids::new(Arc::new(SystemClock)), Cpu::of_process(std::process::id()));
    let mut runs = Vec::new();
    for _ in 0..RUNS {
        let before = cpu.spent();
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            let (ledger, ids) = (ledger.clone(), ids.clone());
            clients.spawn(async move {
                for _ in 0..EACH {
                    let id = ids.v7().unwrap();
                    let tags = (0..4).map(|n| tag(id.as_bytes(), n)).collect();
                    let draft = Draft { tags, ..Draft::of_gateway(Entry { id, ..entry(id, Timestamp::default()) }) };
                    assert!(matches!(ledger.append(draft).await, Ok(Answer::Committed(_))));
                }
            });
        }
        clients.join_all().await;
        runs.push(micros(cpu.spent().saturating_sub(before)) / f64::from(CLIENTS * EACH));
    }
    ends(runs, 0.5, 1.0)
}

async fn prove(ledger: &SequencerHandle) -> (f64, f64) {
    let mut took = Vec::new();
    for idx in scattered(ledger.size()).take(PROOFS) {
        let watch = Stopwatch::start();
        assert_eq!(ledger.prove(idx).await.unwrap().row.idx, idx);
        took.push(micros(watch.elapsed()) / 1000.0);
    }
    ends(took, 0.5, 0.99)
}

/// Pages as auditors ask for them: of a time, of a person, of a party, of a recipient at a time.
async fn page(store: &dyn Store, size: u64) -> (f64, f64) {
    let mut took = Vec::new();
    for (n, idx) in scattered(size).take(PAGES).enumerate() {
        let from = Some(later(BEGIN, idx));
        let filter = match n % 4 {
            0 => LedgerFilter { from, ..LedgerFilter::default() },
            1 => LedgerFilter { tags: vec![filled(idx, 1)], ..LedgerFilter::default() },
            2 => LedgerFilter { actor: PARTY.parse().ok(), from, ..LedgerFilter::default() },
            _ => LedgerFilter { recipient: PARTY.parse().ok(), operation: Some("case.read".to_owned()), from, ..LedgerFilter::default() },
        };
        let watch = Stopwatch::start();
        let found = store.find(&filter, None, size, PAGE).await.unwrap();
        took.push(micros(watch.elapsed()) / 1000.0);
        assert!(found.rows.len() <= PAGE as usize);
    }
    ends(took, 0.5, 0.99)
}

/// Two places in a sorted list.
fn ends(mut all: Vec<f64>, one: f64, other: f64) -> (f64, f64) {
    all.sort_by(f64::total_cmp);
    let last = f64::from(u32::try_from(all.len() - 1).unwrap());
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a position in the list, between 0 and its last one")]
    let at = |part: f64| all[(last * part).round() as usize];
    (at(one), at(other))
}

/// Indexes all over the ledger, the same in every run.
fn scattered(size: u64) -> impl Iterator<Item = u64> {
    (1_u64..).map(move |n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15) % size)
}

fn row(idx: u64, time: Timestamp) -> EntryRow {
    let id = Uuid::from_u128((u128::from(idx) << 64) | 7);
    let body = serde_json_canonicalizer::to_vec(&entry(id, time)).unwrap();
    EntryRow {
        idx,
        id,
        leaf_hash: leaf_hash(&body).0,
        body,
        time,
        entry_type: EntryType::Release.as_str(),
        operation: Operation::CaseRead.as_str(),
        actor: PARTY.parse().ok(),
        recipient: PARTY.parse().ok(),
        decision: Outcome::Permit.as_str(),
        reason: None,
        agreement: "AG-13-0001".parse().ok(),
        opening: None,
        tags: (0..4).map(|n| filled(idx, n)).collect(),
    }
}

fn entry(id: Uuid, time: Timestamp) -> Entry {
    let digest = Digest::of(id.as_bytes());
    Entry {
        time,
        actor: Some(Actor { party: PARTY.parse().unwrap(), cert: digest, acting_for: None }),
        recipient: PARTY.parse().ok(),
        operation: Operation::CaseRead,
        purpose: Some(Purpose::PlacementCoordination),
        basis: Some(LegalBasis::Consent69_2_1),
        kind: Some(MessageKind::Referral),
        schema: Some(SchemaRef { id: "urn:tsunagi:schema:referral".to_owned(), ver: "1.0.0".to_owned() }),
        agreement: Some(AgreementRef { id: "AG-13-0001".parse().unwrap(), ver: 1, sha256: digest }),
        decision: Outcome::Permit,
        policy: Some(digest),
        request: Some(digest),
        sd_hash: Some(digest),
        shown: Some(30),
        open_c: Some(digest),
        ..Entry::of_gateway(id, node(), EntryType::Release)
    }
}

/// Tags of different entries are spread, as keyed hashes are.
fn tag(of: &[u8], n: u8) -> Tag {
    let mut tag = [n; 16];
    tag.copy_from_slice(&Digest::of(&[of, &[n]].concat()).as_bytes()[..16]);
    Tag(tag)
}

/// A tag of the filling: in the order of the entries.
fn filled(idx: u64, n: u8) -> Tag {
    let Tag(mut tag) = tag(&idx.to_be_bytes(), n);
    tag[..8].copy_from_slice(&idx.to_be_bytes());
    Tag(tag)
}

fn later(time: Timestamp, n: u64) -> Timestamp {
    time.plus_micros(i64::try_from(n).unwrap())
}

fn node() -> Node {
    Node { node: "bench-1".to_owned(), version: "0.1.0".to_owned() }
}

fn print(grown: &[Grown], json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        let pair = |(one, other): (f64, f64)| json!([one, other]);
        let lines: Vec<Value> = grown
            .iter()
            .map(|it| {
                let (append, proof, page) = (pair(it.append), pair(it.proof), pair(it.page));
                json!({"entries": it.size, "append_cpu_us_median_max": append, "proof_ms_p50_p99": proof, "page_ms_p50_p99": page,
                    "fill_seconds": it.filled, "open_seconds": it.opened})
            })
            .collect();
        return writeln!(out, "{}", json!({"benchmark": "growth", "machine": machine::machine(), "sizes": lines}));
    }
    writeln!(out, "{}\n", machine::heading("growth", RUNS))?;
    writeln!(
        out,
        "   entries   append, CPU us: median/max   proof, ms: p50/p99   page of {PAGE}, ms: p50/p99   filled in s   opened in s"
    )?;
    for it in grown {
        let ((append, slow_append), (proof, slow_proof), (page, slow_page)) = (it.append, it.proof, it.page);
        writeln!(
            out,
            "{:>10} {append:>17.1} {slow_append:>11.1} {proof:>13.3} {slow_proof:>7.3} {page:>17.2} {slow_page:>7.2} {:>15.1} {:>13.2}",
            it.size, it.filled, it.opened
        )?;
    }
    Ok(())
}

const ORIGIN: &str = "bench.example/ledger";
const PARTY: &str = "municipality:131016-1";
/// 2026-10-01, before any clock that measures.
const BEGIN: Timestamp = Timestamp::from_secs(1_790_812_800);
/// Entries of one commit while filling.
const BATCH: u64 = 16_384;
const MOST: u64 = 100_000_000;
const CLIENTS: u32 = 128;
const EACH: u32 = 20;
const RUNS: usize = 5;
const PROOFS: usize = 2_000;
const PAGES: usize = 1_000;
/// Entries of a page: the most an auditor gets at once.
const PAGE: u32 = 200;
