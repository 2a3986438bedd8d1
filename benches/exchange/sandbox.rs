//! The gateway as a process of its own: `tsunagi init` and `tsunagi serve` on a loopback port, stopped by its process id.

use std::{
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;
use tsunagi::{clock::Stopwatch, config::Config};

use crate::{measure::Cpu, options::Options};

/// Running gateways with their parties. Dropped, they are stopped and their folder deleted.
pub(crate) struct Sandbox {
    folder: TempDir,
    servers: Vec<Child>,
    ports: Vec<u16>,
}

impl Sandbox {
    pub(crate) fn start(program: &str, options: &Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("sandbox");
        let mut init = Command::new(program);
        init.arg("init").arg(&root).stdout(Stdio::null());
        if let Some(url) = &options.database {
            init.args(["--database", url]);
        }
        let made = init.status().unwrap();
        assert!(made.success(), "tsunagi init: {made}");
        let mut config: toml::Table = fs::read_to_string(root.join("tsunagi.toml")).unwrap().parse().unwrap();
        config.insert("limits".to_owned(), LIMITS.parse::<toml::Table>().unwrap().into());
        let mut sandbox = Self { folder, servers: Vec::new(), ports: Vec::new() };
        for n in 0..options.gateways {
            if n > 0 {
                // The others are the same gateway on another port, which nobody administers.
                let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
                config.insert("listen".to_owned(), free.to_string().into());
                config.insert("node".to_owned(), format!("bench-{n}").into());
                config.remove("admin");
            }
            let file = root.join(format!("bench-{n}.toml"));
            fs::write(&file, config.to_string()).unwrap();
            // Each has a high-water mark beside its configuration, under its name.
            let adopted = Command::new(program).args(["ledger", "adopt", "-c"]).arg(&file).stdout(Stdio::null()).status().unwrap();
            assert!(adopted.success(), "tsunagi ledger adopt: {adopted}");
            sandbox.serve(program, &file);
        }
        sandbox
    }

    fn serve(&mut self, program: &str, file: &Path) {
        let log = File::options().create(true).append(true).open(self.folder.path().join("log")).unwrap();
        let (out, err) = (log.try_clone().unwrap(), log);
        let server = Command::new(program).args(["serve", "-c"]).arg(file).stdin(Stdio::null()).stdout(out).stderr(err).spawn().unwrap();
        self.servers.push(server);
        let address = Config::load(file).unwrap().listen;
        self.wait_for(address);
        self.ports.push(address.port());
    }

    /// Where the gateways listen.
    pub(crate) fn ports(&self) -> &[u16] {
        &self.ports
    }

    /// The identity folder of a party.
    pub(crate) fn identity(&self, party: &str) -> PathBuf {
        self.folder.path().join("sandbox/parties").join(party)
    }

    /// CPU time of the gateways together, without their database where it is another program.
    pub(crate) fn cpu(&self) -> Cpu {
        Cpu::of_processes(self.servers.iter().map(Child::id))
    }

    fn wait_for(&mut self, address: SocketAddr) {
        let watch = Stopwatch::start();
        while TcpStream::connect(address).is_err() {
            let ended = self.servers.last_mut().and_then(|server| server.try_wait().unwrap());
            assert!(ended.is_none() && watch.elapsed() < PATIENCE, "tsunagi serve did not start: {ended:?}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

/// Asks a gateway to end, and ends it when it does not.
fn stop(server: &mut Child) -> std::io::Result<()> {
    Command::new("kill").args(["-TERM", &server.id().to_string()]).status()?;
    let watch = Stopwatch::start();
    while server.try_wait()?.is_none() {
        if watch.elapsed() > PATIENCE {
            eprintln!("the gateway does not stop, so it is killed");
            server.kill()?;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        for server in &mut self.servers {
            if let Err(error) = stop(server) {
                eprintln!("process {} could not be stopped: {error}", server.id());
            }
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
