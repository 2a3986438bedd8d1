//! Readers at several gateways that go on reading, whatever they are answered, and remember it: what rights end in the middle of.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use tokio::task::JoinSet;
use tsunagi::{
    message::key_binding::Nonce,
    tls::client::{ClientError, Response},
};

use super::{
    MUNICIPALITY, Sandbox,
    aftermath::pause,
    agreement::CORE,
    load::below,
    party::{Party, Setback},
    story::{BENEFIT, PLACEMENT},
};

/// The readers at one gateway.
pub(crate) struct Door {
    pub(crate) municipality: Party,
    pub(crate) core: Party,
}

impl Door {
    pub(crate) fn open(sandbox: &Sandbox, address: SocketAddr) -> Self {
        Self { municipality: sandbox.party(MUNICIPALITY).at(address), core: sandbox.party(CORE).at(address) }
    }
}

/// What may be read.
#[derive(Clone)]
pub(crate) struct Target {
    /// By the core centre, for the municipality.
    pub(crate) delegate: bool,
    pub(crate) path: String,
}

/// Readers that go on reading, whatever they are answered.
pub(crate) struct Storm {
    pub(crate) doors: Vec<Door>,
    targets: Mutex<Vec<Target>>,
    pub(crate) begun: AtomicUsize,
    pub(crate) seen: Mutex<Seen>,
    pub(crate) done: AtomicBool,
}

/// What they were answered.
#[derive(Default)]
pub(crate) struct Seen {
    /// Index and leaf of every release that arrived.
    pub(crate) shown: Vec<(u64, Vec<u8>)>,
    pub(crate) refused: BTreeMap<String, usize>,
    pub(crate) broken: usize,
}

impl Storm {
    pub(crate) fn new(doors: Vec<Door>) -> Self {
        Self { doors, targets: Mutex::default(), begun: AtomicUsize::new(0), seen: Mutex::default(), done: AtomicBool::new(false) }
    }

    pub(crate) fn start(self: &Arc<Self>) -> JoinSet<()> {
        let mut readers = JoinSet::new();
        for _ in 0..READERS {
            let storm = Arc::clone(self);
            readers.spawn(async move {
                while !storm.done.load(Ordering::SeqCst) {
                    storm.read().await;
                }
            });
        }
        readers
    }

    /// Something else is read from now on, and what was longest ago is not any more.
    pub(crate) fn aim(&self, target: Target) {
        let mut targets = self.targets.lock().unwrap();
        targets.push(target);
        let old = targets.len().saturating_sub(TARGETS);
        targets.drain(..old);
    }

    pub(crate) fn finished(&self) -> usize {
        let seen = self.seen.lock().unwrap();
        seen.shown.len() + seen.broken + seen.refused.values().sum::<usize>()
    }

    pub(crate) fn in_work(&self) -> usize {
        self.begun.load(Ordering::SeqCst).saturating_sub(self.finished())
    }

    async fn read(&self) {
        let target = {
            let targets = self.targets.lock().unwrap();
            // The newest as often as all others together: of those, most have ended.
            let place = if below(2) == 0 { targets.len().saturating_sub(1) } else { pick(targets.len()) };
            targets.get(place).cloned()
        };
        let Some(Target { delegate, path }) = target else { return pause().await };
        let door = &self.doors[pick(self.doors.len())];
        let (reader, purpose) = match (delegate, below(2)) {
            (true, _) => (&door.core, PLACEMENT),
            (false, 0) => (&door.municipality, PLACEMENT),
            (false, _) => (&door.municipality, BENEFIT),
        };
        self.begun.fetch_add(1, Ordering::SeqCst);
        let outcome = reader.get(&path, purpose).await;
        let gone = matches!(outcome, Err(Setback::Broken(ClientError::Unreachable { .. })));
        self.note(outcome);
        if gone {
            // The gateway is not back yet.
            pause().await;
        }
    }

    fn note(&self, outcome: Result<(Response, Nonce), Setback>) {
        let mut seen = self.seen.lock().unwrap();
        match outcome {
            Ok((response, _)) => {
                let header = |name: &str| response.headers[name].to_str().unwrap();
                let index = header("tsunagi-ledger-index").parse().unwrap();
                seen.shown.push((index, URL_SAFE_NO_PAD.decode(header("tsunagi-ledger-leaf")).unwrap()));
            }
            Err(Setback::Refused(problem)) => {
                assert!(REFUSED.contains(&problem.code.as_str()), "{}", problem.text);
                *seen.refused.entry(problem.code).or_default() += 1;
            }
            Err(Setback::Broken(_)) => seen.broken += 1,
        }
    }
}

/// A random place in a list.
fn pick(length: usize) -> usize {
    usize::try_from(below(u64::try_from(length.max(1)).unwrap())).unwrap()
}

/// Reads in work at the same time.
const READERS: usize = 16;
/// Cases that are read at the same time.
const TARGETS: usize = 4;
/// What a reader may be told whose right ended; and that it should come again.
const REFUSED: [&str; 7] =
    ["consent_ended", "agreement_not_in_force", "party_suspended", "key_revoked", "not_found", "policy_mismatch", "ledger_unavailable"];
