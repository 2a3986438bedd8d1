//! Durable appends through the sequencer in this process: no network, no cryptography but the ledger's own.

use std::sync::Arc;

use tokio::task::JoinSet;
use tsunagi::{
    clock::{Clock, Ids, Stopwatch, SystemClock},
    domain::{digest::Digest, entry::EntryType},
    ledger::{Answer, Draft, Entry, Ground, Node, Once, Parts, SequencerHandle, open_ledger},
    store::{self, DataKeyId, LedgerRead, OnceKind, Sealed, Store, Tag},
    tlog::NoteSigner,
};
use zeroize::Zeroizing;

use crate::{
    load::{Line, Run},
    measure::{Cpu, micros},
};

/// Clients and appends of one run.
const LEVELS: [(usize, usize); 4] = [(1, 200), (16, 1600), (64, 4000), (128, 6400)];
const RUNS: usize = 3;

/// In a new ledger: in this database, or in a file that is deleted.
pub(crate) async fn measure(database: Option<&str>) -> Vec<Line> {
    let folder = tempfile::tempdir().unwrap();
    let (clock, node) = (Arc::new(SystemClock) as Arc<dyn Clock>, Node { node: "bench-1".to_owned(), version: "0.1.0".to_owned() });
    let file = format!("sqlite://{}", folder.path().join("ledger.sqlite").display());
    let store: Arc<dyn Store> = store::create(database.unwrap_or(&file), ORIGIN, Digest::of(b"policy")).await.unwrap();
    let parts = Parts {
        appender: store.appender(),
        reads: Arc::clone(&store) as Arc<dyn LedgerRead>,
        signer: Arc::new(NoteSigner::from_seed(ORIGIN.parse().unwrap(), &Zeroizing::new([7; 32])).unwrap()),
        clock: Arc::clone(&clock),
        node: node.clone(),
        mark: None,
    };
    let (ledger, sequencer) = open_ledger(parts).await.unwrap();
    let drafts = Drafts { ids: Ids::new(Arc::clone(&clock)), node, clock };
    let mut lines: Vec<Line> =
        LEVELS.iter().map(|(clients, _)| Line { what: "ledger append", clients: *clients, runs: Vec::new() }).collect();
    for _ in 0..RUNS {
        for (line, (clients, appends)) in lines.iter_mut().zip(LEVELS) {
            line.runs.push(run(&ledger, clients, (0..appends).map(|_| drafts.draft(&ledger)).collect()).await);
        }
    }
    ledger.close().await;
    sequencer.await.unwrap();
    store.close().await;
    lines
}

async fn run(ledger: &SequencerHandle, clients: usize, mut drafts: Vec<Draft>) -> Run {
    let each = drafts.len() / clients;
    let cpu = Cpu::of_process(std::process::id());
    let shares: Vec<Vec<Draft>> = (0..clients).map(|_| drafts.split_off(drafts.len() - each)).collect();
    let (before, watch, mut tasks) = (cpu.spent(), Stopwatch::start(), JoinSet::new());
    for share in shares {
        let ledger = ledger.clone();
        tasks.spawn(async move {
            let mut latencies = Vec::with_capacity(share.len());
            for draft in share {
                let watch = Stopwatch::start();
                assert!(matches!(ledger.append(draft).await, Ok(Answer::Committed(_))));
                latencies.push(micros(watch.elapsed()));
            }
            latencies
        });
    }
    let latencies = tasks.join_all().await.concat();
    let wall = watch.elapsed();
    Run::new(wall, cpu.spent().saturating_sub(before), latencies)
}

struct Drafts {
    ids: Ids,
    node: Node,
    clock: Arc<dyn Clock>,
}

impl Drafts {
    /// What a read leaves behind: an entry with an opening, four tags and a used actor token, on a ground that stands.
    fn draft(&self, ledger: &SequencerHandle) -> Draft {
        let id = self.ids.v7().unwrap();
        let digest = Digest::of(id.as_bytes());
        let tag = |n: u8| {
            let mut tag = [0; 16];
            tag.copy_from_slice(&Digest::of(&[id.as_bytes().as_slice(), &[n]].concat()).as_bytes()[..16]);
            Tag(tag)
        };
        let entry = Entry { request: Some(digest), open_c: Some(digest), ..Entry::of_gateway(id, self.node.clone(), EntryType::Release) };
        let (iss, jti) = ("municipality:131016-1".parse().unwrap(), self.ids.jti().unwrap());
        let expires = Some(self.clock.now().plus_secs(600));
        Draft {
            opening: Some(Sealed { key: DataKeyId(id), bytes: vec![7; 900] }),
            tags: (0..4).map(tag).collect(),
            actor: Some(Once { kind: OnceKind::Actor, iss, jti, digest, expires, result: Vec::new() }),
            ground: Some(Ground {
                rights_epoch: ledger.rights_epoch(),
                valid_until: self.clock.now().plus_secs(600),
                case: None,
                consent: None,
            }),
            ..Draft::of_gateway(entry)
        }
    }
}

const ORIGIN: &str = "bench.example/ledger";
