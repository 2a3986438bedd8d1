//! PostgreSQL for tests, from the binaries of the system's package: one cluster that the tests of a process share with a database each, and
//! clusters of their own for tests that stop, kill or replicate one; a pooler and a proxy before it.
//!
//! A cluster keeps what a real one keeps (`fsync`, `synchronous_commit`) and listens on the loopback interface only. It ends, and its folder goes,
//! when the test process ends, however it ends: a shell waits for the end of a pipe that only the test process holds open.
//!
//! `TSUNAGI_POSTGRES_BIN` names another folder of binaries than the newest of `/usr/lib/postgresql/*/bin`.

pub(crate) mod cluster;
pub(crate) mod pooler;
pub(crate) mod proxy;
mod standby;
mod user;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    thread::sleep,
    time::Duration,
};

pub(crate) use self::{
    cluster::Cluster,
    pooler::Pooler,
    proxy::{Cut, Halted, Moment, Proxy},
};

/// Owns the schema: migrations, `tsunagi init`.
pub(crate) const OWNER: &str = "tsunagi_owner";
/// What the gateway logs in as.
pub(crate) const APPLICATION: &str = "tsunagi_app";
/// A database superuser: what the ledger is protected against.
pub(crate) const SUPERUSER: &str = "postgres";

/// The cluster that the tests of this process share: no test stops it. None: PostgreSQL is missing, which was said; with `CI=true` that fails.
pub(crate) fn shared() -> Option<&'static Cluster> {
    static SHARED: LazyLock<Option<Cluster>> = LazyLock::new(|| binaries().map(|_| Cluster::start(&[])));
    SHARED.as_ref()
}

/// A fresh database on the shared cluster. None as for [`shared`].
pub(crate) fn database() -> Option<Database> {
    shared().map(Cluster::database)
}

/// A cluster of one's own, with further lines of `postgresql.conf`. None as for [`shared`].
pub(crate) fn own(settings: &[&str]) -> Option<Cluster> {
    binaries().map(|_| Cluster::start(settings))
}

/// A database of a cluster. It has no tables; [`OWNER`] owns it.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    pub(crate) name: String,
    pub(crate) port: u16,
}

impl Database {
    fn new(port: u16) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        Self { name: format!("t{}", NEXT.fetch_add(1, Ordering::Relaxed)), port }
    }

    /// URL of the role that owns it.
    pub(crate) fn owner(&self) -> String {
        self.url(OWNER)
    }

    /// URL of the role that the gateway uses.
    pub(crate) fn application(&self) -> String {
        self.url(APPLICATION)
    }

    pub(crate) fn superuser(&self) -> String {
        self.url(SUPERUSER)
    }

    /// URL of a role. The password is right, and on this interface nobody asks for it.
    pub(crate) fn url(&self, role: &str) -> String {
        format!("postgres://{role}:{PASSWORD}@127.0.0.1:{}/{}", self.port, self.name)
    }

    /// The same database behind another port: a pooler, a proxy, another server of a replicated cluster.
    pub(crate) fn at(&self, port: u16) -> Self {
        Self { name: self.name.clone(), port }
    }

    /// Runs SQL as superuser; gives the values, unaligned, one row a line.
    pub(crate) fn sql(&self, sql: &str) -> String {
        self.try_sql(sql).unwrap()
    }

    /// The same; what the database said where it refused.
    pub(crate) fn try_sql(&self, sql: &str) -> Result<String, String> {
        let binaries = binaries().unwrap();
        let ran = Command::new(binaries.join("psql"))
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", &self.superuser(), "-c", sql])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        if ran.status.success() { Ok(text(&ran.stdout)) } else { Err(text(&ran.stderr)) }
    }

    /// A fresh dump of everything in it, as superuser.
    pub(crate) fn dump(&self) -> Vec<u8> {
        self.tool("pg_dump", &[])
    }

    /// Runs a dump in this database, which is empty.
    pub(crate) fn load(&self, dump: &Path) {
        self.tool("psql", &["-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", dump.to_str().unwrap()]);
    }

    fn tool(&self, name: &str, arguments: &[&str]) -> Vec<u8> {
        let program = binaries().unwrap().join(name);
        let ran = Command::new(program).args(arguments).args(["-d", &self.superuser()]).stdin(Stdio::null()).output().unwrap();
        assert!(ran.status.success(), "{name}: {}", String::from_utf8_lossy(&ran.stderr));
        ran.stdout
    }

    /// Ends every connection to the database but one's own, where it stands; says how many there were.
    pub(crate) fn kill_backends(&self) -> usize {
        let sql = "SELECT count(*) FROM (SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()) t";
        self.sql(sql).parse().unwrap()
    }

    /// Lets transactions write, or not: what a gateway sees on a database that an administrator closed for writing.
    pub(crate) fn read_only(&self, read_only: bool) {
        let superuser = Self { name: SUPERUSER.to_owned(), port: self.port };
        superuser.sql(&format!("ALTER SYSTEM SET default_transaction_read_only = {}", if read_only { "on" } else { "off" }));
        superuser.sql("SELECT pg_reload_conf()");
    }
}

/// The folder of PostgreSQL's binaries. None: it is missing, which was said; with `CI=true` that fails.
pub(crate) fn binaries() -> Option<&'static Path> {
    static FOUND: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
        let named = std::env::var_os("TSUNAGI_POSTGRES_BIN").map(PathBuf::from);
        let newest = || {
            let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
            let numbered = versions.filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path().join("bin"))));
            numbered.filter(|(_, folder)| folder.join("initdb").exists()).max().map(|(_, folder)| folder)
        };
        named.or_else(newest).filter(|folder| folder.join("initdb").exists())
    });
    if FOUND.is_none() {
        missing("PostgreSQL is not installed (Debian package postgresql), and TSUNAGI_POSTGRES_BIN does not name its binaries");
    }
    FOUND.as_deref()
}

/// Says why a test cannot run. With `CI=true` that is a failure.
pub(crate) fn missing(why: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{why}");
    eprintln!("skipped: {why}");
}

/// Waits until something holds.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..SOON_MILLIS / 20 {
        if holds() {
            return;
        }
        sleep(Duration::from_millis(20));
    }
    panic!("{what}");
}

/// How long a server may take for what it must do.
const SOON_MILLIS: u64 = 60_000;
const PASSWORD: &str = "a-password-in-a-test";
