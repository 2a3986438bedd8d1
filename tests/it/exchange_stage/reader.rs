//! A process of readers: a program of its own that goes on reading as its parties, whatever it is answered, and tells the test of every read. What is
//! read it is told over a socket, and it ends when the socket does.

use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::Mutex,
    time::sleep,
};
use tsunagi::{
    clock::{Clock as _, SystemClock},
    tls::client::{ClientError, Response},
};

use super::{
    aftermath::pause,
    load::below,
    party::{Party, Setback},
    story::{BENEFIT, PLACEMENT},
};

/// Whose identities the readers have, and where the gateways are.
#[derive(Serialize, Deserialize)]
pub(crate) struct Doors {
    pub(crate) municipality: PathBuf,
    pub(crate) core: PathBuf,
    pub(crate) gateways: Vec<SocketAddr>,
}

/// What may be read.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Target {
    /// By the core centre, for the municipality.
    pub(crate) delegate: bool,
    pub(crate) path: String,
}

/// One read: when it began and ended by the machine's clock in microseconds, and what it was answered.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Read {
    pub(crate) path: String,
    pub(crate) began: i64,
    pub(crate) ended: i64,
    pub(crate) outcome: Outcome,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Outcome {
    /// Index and leaf of the release.
    Shown { index: u64, leaf: String },
    /// Code and text of the problem document.
    Refused { code: String, text: String },
    /// The connection broke.
    Broken,
}

/// Reads until the socket ends.
pub(crate) async fn read_for(socket: &Path) {
    let (orders, told) = UnixStream::connect(socket).await.unwrap().into_split();
    let mut orders = BufReader::new(orders);
    let doors: Doors = serde_json::from_str(&line(&mut orders).await.expect("the test says where the gateways are")).unwrap();
    let readers = Readers {
        doors: doors.gateways.iter().map(|address| [&doors.municipality, &doors.core].map(|id| Party::load(id).at(*address))).collect(),
        targets: RefCell::default(),
        told: Mutex::new(told),
        done: Cell::new(false),
    };
    let aims = async {
        while let Some(aim) = line(&mut orders).await {
            readers.aim(serde_json::from_str(&aim).unwrap());
        }
        readers.done.set(true);
    };
    // Few at once, because there are several processes.
    tokio::join!(aims, readers.go_on(), readers.go_on(), readers.go_on(), readers.go_on());
}

/// Cases that are read at the same time.
const TARGETS: usize = 4;

async fn line(orders: &mut BufReader<OwnedReadHalf>) -> Option<String> {
    let mut line = String::new();
    (orders.read_line(&mut line).await.unwrap() > 0).then_some(line)
}

struct Readers {
    /// The municipality and the core centre, at each gateway.
    doors: Vec<[Party; 2]>,
    targets: RefCell<Vec<Target>>,
    told: Mutex<OwnedWriteHalf>,
    done: Cell<bool>,
}

impl Readers {
    /// Something else is read from now on, and what was longest ago is not any more.
    fn aim(&self, target: Target) {
        let mut targets = self.targets.borrow_mut();
        targets.push(target);
        let old = targets.len().saturating_sub(TARGETS);
        targets.drain(..old);
    }

    async fn go_on(&self) {
        while !self.done.get() {
            let Some(target) = self.target() else {
                pause().await;
                continue;
            };
            let (read, gone) = self.read(target).await;
            let told = serde_json::to_string(&read).unwrap() + "\n";
            self.told.lock().await.write_all(told.as_bytes()).await.expect("the test listens to the end");
            if gone {
                sleep(Duration::from_millis(50)).await;
            }
        }
    }

    /// The newest as often as all others together: of those, most have ended.
    fn target(&self) -> Option<Target> {
        let targets = self.targets.borrow();
        let place = if below(2) == 0 { targets.len().saturating_sub(1) } else { pick(targets.len()) };
        targets.get(place).cloned()
    }

    /// One read, and whether the gateway was gone.
    async fn read(&self, target: Target) -> (Read, bool) {
        let [municipality, core] = &self.doors[pick(self.doors.len())];
        let (reader, purpose) = match (target.delegate, below(2)) {
            (true, _) => (core, PLACEMENT),
            (false, 0) => (municipality, PLACEMENT),
            (false, _) => (municipality, BENEFIT),
        };
        let began = SystemClock.now().micros();
        let outcome = reader.get(&target.path, purpose).await.map(|(response, _)| response);
        let gone = matches!(outcome, Err(Setback::Broken(ClientError::Unreachable { .. })));
        (Read { path: target.path, began, ended: SystemClock.now().micros(), outcome: Outcome::of(outcome) }, gone)
    }
}

impl Outcome {
    fn of(outcome: Result<Response, Setback>) -> Self {
        match outcome {
            Ok(response) => {
                let header = |name: &str| response.headers[name].to_str().unwrap();
                Self::Shown { index: header("tsunagi-ledger-index").parse().unwrap(), leaf: header("tsunagi-ledger-leaf").to_owned() }
            }
            Err(Setback::Refused(problem)) => Self::Refused { code: problem.code, text: problem.text },
            Err(Setback::Broken(_)) => Self::Broken,
        }
    }
}

impl Read {
    /// Index of the release, where there was one.
    pub(crate) const fn shown(&self) -> Option<u64> {
        match self.outcome {
            Outcome::Shown { index, .. } => Some(index),
            _ => None,
        }
    }

    pub(crate) fn leaf(&self) -> Option<Vec<u8>> {
        match &self.outcome {
            Outcome::Shown { leaf, .. } => Some(URL_SAFE_NO_PAD.decode(leaf).unwrap()),
            _ => None,
        }
    }

    pub(crate) fn refused(&self) -> Option<&str> {
        match &self.outcome {
            Outcome::Refused { code, .. } => Some(code),
            _ => None,
        }
    }
}

/// A random place in a list.
fn pick(length: usize) -> usize {
    usize::try_from(below(u64::try_from(length.max(1)).unwrap())).unwrap()
}
