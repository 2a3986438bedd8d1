//! The gateway as a process of its own: `tsunagi init` and `tsunagi serve` on a loopback port, stopped by its process id.

use std::{
    fs::{self, File},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;
use tsunagi::{clock::Stopwatch, config::Config};

use crate::measure::Cpu;

/// A running gateway with its parties. Dropped, it is stopped and its folder deleted.
pub(crate) struct Sandbox {
    folder: TempDir,
    server: Child,
}

impl Sandbox {
    pub(crate) fn start(program: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("sandbox");
        let made = Command::new(program).arg("init").arg(&root).stdout(Stdio::null()).status().unwrap();
        assert!(made.success(), "tsunagi init: {made}");
        let file = root.join("tsunagi.toml");
        let mut config: toml::Table = fs::read_to_string(&file).unwrap().parse().unwrap();
        config.insert("limits".to_owned(), LIMITS.parse::<toml::Table>().unwrap().into());
        fs::write(&file, config.to_string()).unwrap();
        let log = File::create(folder.path().join("log")).unwrap();
        let (out, err) = (log.try_clone().unwrap(), log);
        let server = Command::new(program).args(["serve", "-c"]).arg(&file).stdin(Stdio::null()).stdout(out).stderr(err).spawn().unwrap();
        let mut sandbox = Self { folder, server };
        sandbox.wait_for(Config::load(&file).unwrap().listen);
        sandbox
    }

    /// The identity folder of a party.
    pub(crate) fn identity(&self, party: &str) -> PathBuf {
        self.folder.path().join("sandbox/parties").join(party)
    }

    /// CPU time of the gateway.
    pub(crate) fn cpu(&self) -> Cpu {
        Cpu::of_process(self.server.id())
    }

    fn wait_for(&mut self, address: SocketAddr) {
        let watch = Stopwatch::start();
        while TcpStream::connect(address).is_err() {
            let ended = self.server.try_wait().unwrap();
            assert!(ended.is_none() && watch.elapsed() < PATIENCE, "tsunagi serve did not start: {ended:?}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Asks the gateway to end, and ends it when it does not.
    fn stop(&mut self) -> std::io::Result<()> {
        Command::new("kill").args(["-TERM", &self.server.id().to_string()]).status()?;
        let watch = Stopwatch::start();
        while self.server.try_wait()?.is_none() {
            if watch.elapsed() > PATIENCE {
                eprintln!("the gateway does not stop, so it is killed");
                self.server.kill()?;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("process {} could not be stopped: {error}", self.server.id());
        }
    }
}

/// The rates of a party must not be what is measured.
const LIMITS: &str = r"
connections = 1024
connections_per_address = 1024
per_party_requests_per_second = 1000000
per_party_burst = 1000000
per_party_concurrency = 1024
drain_seconds = 5
";
const PATIENCE: Duration = Duration::from_secs(20);
