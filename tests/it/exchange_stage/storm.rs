//! Readers in several processes, at several gateways, that go on reading whatever they are answered: what rights end in the middle of.

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::PathBuf,
    process::Stdio,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{UnixListener, UnixStream, unix::OwnedWriteHalf},
    process::{Child, Command},
    task::JoinHandle,
    time::timeout,
};

pub(crate) use super::reader::Target;
use super::{
    MUNICIPALITY, SOON, Sandbox,
    aftermath::pause,
    agreement::CORE,
    reader::{Doors, Outcome, Read},
};

/// The processes, and what they read.
pub(crate) struct Storm {
    processes: Vec<Process>,
    reads: Arc<Mutex<Vec<Read>>>,
}

struct Process {
    /// Dropped, it is killed.
    child: Child,
    /// What it printed.
    said: PathBuf,
    orders: OwnedWriteHalf,
    hearing: JoinHandle<()>,
}

impl Storm {
    /// Starts readers at these gateways, in processes of this very program that run the one test `entry`.
    pub(crate) async fn start(sandbox: &Sandbox, gateways: &[SocketAddr], entry: &str) -> Self {
        let identity = |party: &str| sandbox.identity(&party.parse().unwrap());
        let doors = Doors { municipality: identity(MUNICIPALITY), core: identity(CORE), gateways: gateways.to_vec() };
        let socket = sandbox.path().join("readers.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let reads = Arc::default();
        let mut processes = Vec::new();
        for number in 0..PROCESSES {
            let said = sandbox.path().join(format!("reader-{number}.log"));
            let log = File::create(&said).unwrap();
            let child = Command::new(std::env::current_exe().unwrap())
                .args([entry, "--exact", "--ignored", "--nocapture"])
                .env(SOCKET, &socket)
                .stdin(Stdio::null())
                .stdout(log.try_clone().unwrap())
                .stderr(log)
                .kill_on_drop(true)
                .spawn()
                .unwrap();
            let Ok(came) = timeout(SOON, listener.accept()).await else { panic!("no reader came: {}", fs::read_to_string(&said).unwrap()) };
            processes.push(Process::new(child, said, came.unwrap().0, &reads));
        }
        let mut storm = Self { processes, reads };
        storm.say(&serde_json::to_string(&doors).unwrap()).await;
        storm
    }

    /// Something else is read from now on, beside the few before it.
    pub(crate) async fn aim(&mut self, target: &Target) {
        self.say(&serde_json::to_string(target).unwrap()).await;
    }

    /// Reads that a gateway answered.
    pub(crate) fn answered(&self) -> usize {
        self.reads.lock().unwrap().iter().filter(|read| !matches!(read.outcome, Outcome::Broken)).count()
    }

    /// Waits for a read, from those that ended after this was called on.
    pub(crate) async fn until(&self, what: &str, is: impl Fn(&Read) -> bool) {
        let mut looked = self.reads.lock().unwrap().len();
        let there = async {
            loop {
                {
                    let reads = self.reads.lock().unwrap();
                    if reads[looked..].iter().any(&is) {
                        return;
                    }
                    looked = reads.len();
                }
                pause().await;
            }
        };
        timeout(SOON, there).await.unwrap_or_else(|_| panic!("among all reads there is none: {what}"));
    }

    /// Ends the processes; gives what they read.
    pub(crate) async fn end(self) -> Vec<Read> {
        for Process { mut child, said, orders, hearing } in self.processes {
            drop(orders);
            hearing.await.unwrap();
            let status = timeout(SOON, child.wait()).await.expect("a reader does not end").unwrap();
            assert!(status.success(), "a reader failed, {status}: {}", fs::read_to_string(said).unwrap());
        }
        std::mem::take(&mut *self.reads.lock().unwrap())
    }

    pub(crate) const fn processes(&self) -> usize {
        self.processes.len()
    }

    async fn say(&mut self, line: &str) {
        for process in &mut self.processes {
            process.orders.write_all(format!("{line}\n").as_bytes()).await.expect("a reader ended by itself");
        }
    }
}

impl Process {
    fn new(child: Child, said: PathBuf, stream: UnixStream, reads: &Arc<Mutex<Vec<Read>>>) -> Self {
        let (told, orders) = stream.into_split();
        let (mut told, reads) = (BufReader::new(told).lines(), Arc::clone(reads));
        let hearing = tokio::spawn(async move {
            while let Some(line) = told.next_line().await.unwrap() {
                let read: Read = serde_json::from_str(&line).unwrap();
                if let Outcome::Refused { code, text } = &read.outcome {
                    assert!(REFUSED.contains(&code.as_str()), "{text}");
                }
                reads.lock().unwrap().push(read);
            }
        });
        Self { child, said, orders, hearing }
    }
}

/// Names the socket in the environment of a process of readers.
pub(crate) const SOCKET: &str = "TSUNAGI_READER_SOCKET";
const PROCESSES: usize = 4;
/// What a reader may be told whose right ended; and that it should come again.
const REFUSED: [&str; 7] =
    ["consent_ended", "agreement_not_in_force", "party_suspended", "key_revoked", "not_found", "policy_mismatch", "ledger_unavailable"];
