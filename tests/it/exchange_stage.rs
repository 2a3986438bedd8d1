//! A sandbox made by `tsunagi init`, its gateway as a process of its own, and parties that speak the protocol to it over HTTPS.

pub(crate) mod aftermath;
pub(crate) mod agreement;
pub(crate) mod attempts;
pub(crate) mod endings;
pub(crate) mod hunt;
pub(crate) mod inject;
pub(crate) mod inside;
pub(crate) mod ledger;
pub(crate) mod load;
pub(crate) mod party;
pub(crate) mod policies;
pub(crate) mod process;
pub(crate) mod raw;
pub(crate) mod reader;
pub(crate) mod rights;
pub(crate) mod several;
pub(crate) mod storm;
pub(crate) mod story;
pub(crate) mod told;

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicU16, Ordering},
    time::Duration,
};

use party::Party;
use process::Server;
use tsunagi::domain::party::PartyId;

use crate::postgres_stage::Database;

pub(crate) const CENTRE: &str = "settlement_center:13-1";
pub(crate) const MUNICIPALITY: &str = "municipality:131016-1";
pub(crate) const AUDITOR: &str = "auditor:tokyo";
pub(crate) const OPERATOR: &str = "operator:sandbox";

/// How long a test waits for something that must happen.
pub(crate) const SOON: Duration = Duration::from_mins(1);

/// What a test wants of the configuration.
#[derive(Clone, Copy)]
pub(crate) struct Settings {
    /// Level of the log.
    pub(crate) log: &'static str,
    /// Requests of one party at once and a second.
    pub(crate) rate: u32,
    /// Whether a write beyond the limit of file sizes fails, as on a full disk, instead of ending the process (SIGXFSZ).
    pub(crate) full_disk: bool,
    /// libfaketime, where the gateway has a clock that can be set: [`Sandbox::clock`].
    pub(crate) clock: Option<&'static Path>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { log: "info", rate: 1_000_000, full_disk: false, clock: None }
    }
}

/// A sandbox in a folder that goes with the test.
pub(crate) struct Sandbox {
    folder: tempfile::TempDir,
    settings: Settings,
    /// The database, as its superuser reaches it, where it is PostgreSQL.
    postgres: Option<Database>,
}

impl Sandbox {
    /// A sandbox on SQLite.
    pub(crate) fn new(settings: Settings) -> Self {
        Self::on(settings, None)
    }

    /// What was set up otherwise in `sandbox/` of the folder.
    pub(crate) fn of(folder: tempfile::TempDir, postgres: Option<&Database>) -> Self {
        Self { folder, settings: Settings::default(), postgres: postgres.cloned() }
    }

    /// A sandbox on SQLite, or on an empty database of a PostgreSQL server.
    pub(crate) fn on(settings: Settings, postgres: Option<&Database>) -> Self {
        let sandbox = Self { folder: tempfile::tempdir().unwrap(), settings, postgres: postgres.cloned() };
        let mut init = Command::new(BINARY);
        init.args(["init", "--port", &free_port().to_string()]).arg(sandbox.path()).stdin(Stdio::null());
        if let Some(database) = postgres {
            let owner = sandbox.folder.path().join("owner-url");
            fs::write(&owner, database.owner()).unwrap();
            fs::set_permissions(&owner, fs::Permissions::from_mode(0o600)).unwrap();
            init.args(["--database", &database.application(), "--database-owner-url-file"]).arg(owner);
        }
        let made = init.output().unwrap();
        assert!(made.status.success(), "init: {}", String::from_utf8_lossy(&made.stderr));
        let config = fs::read_to_string(sandbox.config()).unwrap();
        // A socket in the folder instead of one more port.
        let (before, _) = config.split_once("[admin]").unwrap();
        let Settings { log, rate, .. } = settings;
        let config = format!(
            "{before}[admin]\nlisten = \"unix:admin.sock\"\n\n[limits]\nconnections_per_address = 1024\n\
             per_party_requests_per_second = {rate}\nper_party_burst = {rate}\n\n[log]\nlevel = \"{log}\"\n"
        );
        fs::write(sandbox.config(), config).unwrap();
        sandbox
    }

    /// The same sandbox again: the same keys, ledger and address. Only one of them can serve at a time.
    pub(crate) fn twin(&self) -> Self {
        let twin = Self { folder: tempfile::tempdir().unwrap(), settings: self.settings, postgres: self.postgres.clone() };
        for file in files(&self.path()) {
            let copy = twin.path().join(file.strip_prefix(self.path()).unwrap());
            fs::create_dir_all(copy.parent().unwrap()).unwrap();
            fs::copy(file, copy).unwrap();
        }
        twin
    }

    /// Where the public listener is.
    pub(crate) fn address(&self) -> SocketAddr {
        let config: toml::Table = fs::read_to_string(self.config()).unwrap().parse().unwrap();
        config["listen"].as_str().unwrap().parse().unwrap()
    }

    /// Everything the gateway owns, and the identity folders of the parties.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("sandbox")
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path().join("tsunagi.toml")
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.path().join("data/tsunagi.sqlite")
    }

    /// The PostgreSQL database, where it is one.
    pub(crate) const fn postgres(&self) -> Option<&Database> {
        self.postgres.as_ref()
    }

    /// Lets the gateways reach the PostgreSQL server at another port from their next start on: a proxy, a pooler.
    pub(crate) fn reach(&self, port: u16) {
        let before = self.postgres.as_ref().unwrap().port;
        let config = fs::read_to_string(self.config()).unwrap();
        fs::write(self.config(), config.replace(&format!("127.0.0.1:{before}/"), &format!("127.0.0.1:{port}/"))).unwrap();
    }

    /// What every run of the gateway wrote to standard output and standard error.
    pub(crate) fn log(&self) -> PathBuf {
        self.folder.path().join("serve.log")
    }

    /// How far the clock of the gateway is off, where it can be set.
    pub(crate) fn clock(&self) -> PathBuf {
        self.folder.path().join("clock")
    }

    /// Starts the gateway and waits until it is ready.
    pub(crate) async fn serve(&self) -> Server {
        let mut server = Server::start(self, &self.config(), "admin.sock");
        server.ready().await;
        server
    }

    /// Starts another gateway on the same ledger, at a port of its own. Its parties still sign for the same gateway.
    pub(crate) async fn serve_another(&self) -> (Server, SocketAddr) {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let config = fs::read_to_string(self.config()).unwrap();
        let config = config.replace(&format!("listen = \"{}\"", self.address()), &format!("listen = \"{address}\""));
        let config = config.replace("sandbox-1", "sandbox-2").replace("admin.sock", "admin-2.sock");
        let file = self.path().join("another.toml");
        // Private where the first is: it may hold a password.
        fs::copy(self.config(), &file).unwrap();
        fs::write(&file, config).unwrap();
        let mut server = Server::start(self, &file, "admin-2.sock");
        server.ready().await;
        (server, address)
    }

    /// Starts that other gateway again, at the port it had.
    pub(crate) async fn resume_another(&self) -> Server {
        let mut server = Server::start(self, &self.path().join("another.toml"), "admin-2.sock");
        server.ready().await;
        server
    }

    /// Starts the gateway, which must refuse; gives what it said.
    pub(crate) async fn refuses_to_serve(&self) -> String {
        Server::start(self, &self.config(), "admin.sock").refusal().await
    }

    /// A party with the identity folder that `init` made for it.
    pub(crate) fn party(&self, party: &str) -> Party {
        let party: PartyId = party.parse().unwrap();
        Party::load(&self.identity(&party))
    }

    pub(crate) fn identity(&self, party: &PartyId) -> PathBuf {
        self.path().join("parties").join(format!("{}-{}", party.kind(), party.code()))
    }
}

/// The files below a folder.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.extend(files(&entry.path()));
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
    found
}

/// A port below those that the system gives to outgoing connections: it stays free while the gateway is down between two runs.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 9_000).unwrap() + 20_000;
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_tsunagi");
