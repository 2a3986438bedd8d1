//! The configuration of a gateway: one TOML file.
//!
//! Promises: an unknown key is an error; every path is relative to the file that names it; a private file that others can read is
//! refused; no message repeats the contents of a private file or the database URL.
//! Not here: what the named files contain (each room reads its own), command line arguments, defaults that open a door.

mod database;

use std::{
    fs::File,
    io::{self, Read as _},
    net::SocketAddr,
    num::NonZeroU32,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Deserializer, de::Error as _};
use zeroize::Zeroizing;

pub use self::{
    database::{Database, DatabaseUrl},
    witnesses::{Checkpoints, Witness, WitnessesAway},
};

/// Everything a gateway is told. Whoever may write this file, or a file it names, controls the gateway.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The gateway as its clients name it, exactly `https://host:port`. It is the `aud` of everything that is signed for this gateway,
    /// so changing it makes every signed object address another gateway.
    pub gateway: String,
    /// Where the public listener binds, `address:port`. In a sandbox a loopback address only.
    pub listen: SocketAddr,
    /// Name of this node among those that share a ledger: `[a-z0-9-]`, at most 32. For logs; nobody trusts it.
    pub node: String,
    /// Origin line of the ledger's checkpoints (C2SP tlog-checkpoint), a name without schema such as `gateway.example/ledger`. Auditors
    /// and witnesses know the ledger by it; a new origin is a new ledger.
    pub origin: String,
    /// `true` only for trying things out: example keys and the test authority are accepted, and only on a loopback address.
    #[serde(default)]
    pub sandbox: bool,
    /// Folder of policy files that replaces the built-in policies, read again on SIGHUP. What it permits is shown to readers: trusted like the program
    /// itself.
    #[serde(default)]
    pub policies: Option<PathBuf>,
    /// The TLS side of the public listener.
    pub tls: Tls,
    /// The gateway's own keys.
    pub keys: Keys,
    /// Where cases and ledger are stored.
    pub database: Database,
    /// What the gateway remembers of the ledger outside the database.
    #[serde(default)]
    pub ledger: Ledger,
    /// Published checkpoints. Absent, and without witnesses: none are kept.
    #[serde(default)]
    pub checkpoints: Option<Checkpoints>,
    /// Those who sign the heads of this ledger too.
    #[serde(default)]
    pub witness: Vec<Witness>,
    /// The listener for liveness, readiness and metrics. Absent: there is none.
    #[serde(default)]
    pub admin: Option<Admin>,
    /// How much one client, and all together, may ask for.
    #[serde(default)]
    pub limits: Limits,
    /// What is logged, and how.
    #[serde(default)]
    pub log: Log,
}

/// Certificates of the public listener. All of these are read again on SIGHUP.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// Certificate chain of the gateway, PEM, its own certificate first. Clients trust its issuer.
    pub cert: PathBuf,
    /// Private key of that certificate, PEM, mode 0600. Whoever reads it can pose as the gateway.
    pub key: PathBuf,
    /// Authorities whose client certificates are accepted, PEM bundle. Each of them can name any party: they are trusted with the
    /// identity of every caller.
    pub client_ca: PathBuf,
    /// Revocation lists, PEM: one for every authority in `client_ca` and for every intermediate that clients present.
    pub crls: Vec<PathBuf>,
}

/// Key files of the gateway, each with mode 0600.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// Private JWK (P-256) that opens requests.
    pub enc: PathBuf,
    /// Private JWK (P-256) that signs releases; senders bind their messages to it.
    pub kb: PathBuf,
    /// Private JWK (P-256) that signs receipts.
    pub receipt: PathBuf,
    /// Ed25519 seed that signs the ledger's checkpoints; auditors and witnesses pin its public half.
    pub ledger: PathBuf,
    /// Key-encryption key that wraps the data keys in the database. Without it the stored messages are lost; with it and the database they
    /// can be read.
    pub kek: PathBuf,
    /// Private JWKs of earlier `enc` and `kb` keys: what was bound to them is still opened and released.
    #[serde(default)]
    pub retired: Vec<PathBuf>,
}

/// What the gateway remembers of the ledger outside the database.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ledger {
    /// File that holds the newest head this gateway showed; beside the configuration and under its name, ending in `.high-water`, unless given. A
    /// database that went back behind it is not served. Each gateway needs its own; it does not belong into backups, nor on the disk of the database.
    pub high_water: PathBuf,
}

/// The admin listener. It serves no data and asks for no certificate, so it must not be reachable from outside.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Admin {
    /// A loopback `address:port`, or `unix:PATH`.
    pub listen: AdminListen,
}

/// Caps. The defaults suit one prefecture; sizes and deadlines are fixed by the protocol (section 6) and are not settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Open connections, all clients together. Further ones wait in the queue of the operating system.
    pub connections: NonZeroU32,
    /// Open connections from one address (one /64 for IPv6). Raise it where all parties come through one address translator.
    pub connections_per_address: NonZeroU32,
    /// Requests a second of one party, in the long run.
    pub per_party_requests_per_second: NonZeroU32,
    /// Requests of one party that may come at once before that rate bites.
    pub per_party_burst: NonZeroU32,
    /// Requests of one party that may be in work at the same time.
    pub per_party_concurrency: NonZeroU32,
    /// Requests of all parties together that may be in work at the same time. Further ones are told to come back.
    pub concurrency: NonZeroU32,
    /// Seconds that requests in work get to finish when the gateway is stopped.
    pub drain_seconds: NonZeroU32,
    /// Days after which a sender is told that nobody collected its message. A reply wished earlier counts from its own day.
    pub uncollected_days: NonZeroU32,
}

/// Logging, to standard error. Contents of messages are never logged at any level.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `text` for people, `json` for machines.
    pub format: LogFormat,
    /// `error`, `warn`, `info`, `debug` or `trace`, for this program. Libraries always log from `warn` on.
    pub level: LogLevel,
}

/// Form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// From which level on this program logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// What failed.
    Error,
    /// And what may fail soon.
    Warn,
    /// And what happened.
    #[default]
    Info,
    /// And why.
    Debug,
    /// Everything.
    Trace,
}

/// Where the admin listener binds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminListen {
    /// A loopback address.
    Tcp(SocketAddr),
    /// A unix socket.
    Unix(PathBuf),
}

/// What is wrong with a configuration. Each message names the file, the key where there is one, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("{file}: {source}. Check the path, and that the service's user may read it", file = file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is larger than anything that belongs there.
    #[error("{file}: larger than {MAX_FILE} bytes. Check that the path names the right file", file = file.display())]
    TooLarge {
        /// The file.
        file: PathBuf,
    },
    /// The file is not the TOML that is expected.
    #[error("{file}, line {line}, key `{key}`: {message}", file = file.display())]
    Syntax {
        /// The file.
        file: PathBuf,
        /// Line, counted from 1.
        line: usize,
        /// The key on that line.
        key: String,
        /// What is wrong.
        message: String,
    },
    /// A value is not acceptable.
    #[error("{file}, key `{key}`: {remedy}", file = file.display())]
    Invalid {
        /// The file.
        file: PathBuf,
        /// The key, with its table.
        key: &'static str,
        /// What must stand there.
        remedy: &'static str,
    },
    /// Others may read a private file.
    #[error("{file}: mode {mode:04o} lets others read a private file. Run: chmod 600 {file}", file = file.display())]
    Exposed {
        /// The file.
        file: PathBuf,
        /// Its mode.
        mode: u32,
    },
}

impl Config {
    /// Reads and checks the file. The files it names are not opened yet.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let bytes = read_file(file)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| ConfigError::Syntax {
            file: file.to_owned(),
            line: 1,
            key: String::new(),
            message: "not UTF-8 text".to_owned(),
        })?;
        let config = Self::parse(text, file)?;
        if config.database.url.has_password() {
            // Read again as what it is: refused where others may read it too.
            drop(read_secret(file)?);
        }
        Ok(config)
    }

    /// Checks the text as if it stood in `file`, which gives the paths their base and the errors their name.
    pub fn parse(text: &str, file: &Path) -> Result<Self, ConfigError> {
        let mut config: Self = toml::from_str(text).map_err(|error| syntax(&error, text, file))?;
        config.resolve(file)?;
        config.validate(file)?;
        Ok(config)
    }

    fn resolve(&mut self, file: &Path) -> Result<(), ConfigError> {
        let base = file.parent().unwrap_or_else(|| Path::new(""));
        let Self { tls, keys, policies, admin, database, witness, ledger, .. } = self;
        if ledger.high_water.as_os_str().is_empty() {
            let mut name = file.file_stem().unwrap_or_else(|| std::ffi::OsStr::new("ledger")).to_owned();
            name.push(".high-water");
            ledger.high_water = name.into();
        }
        let single = [
            &mut tls.cert,
            &mut tls.key,
            &mut tls.client_ca,
            &mut keys.enc,
            &mut keys.kb,
            &mut keys.receipt,
            &mut keys.ledger,
            &mut keys.kek,
            &mut ledger.high_water,
        ];
        let socket = admin.as_mut().and_then(|admin| match &mut admin.listen {
            AdminListen::Unix(path) => Some(path),
            AdminListen::Tcp(_) => None,
        });
        let cas = witness.iter_mut().filter_map(|witness| witness.ca.as_mut());
        for path in single.into_iter().chain(&mut tls.crls).chain(&mut keys.retired).chain(policies).chain(socket).chain(cas) {
            *path = base.join(&*path);
        }
        database.resolve(base).map_err(|(key, remedy)| ConfigError::Invalid { file: file.to_owned(), key, remedy })
    }

    fn validate(&self, file: &Path) -> Result<(), ConfigError> {
        let require = |holds: bool, key: &'static str, remedy: &'static str| {
            if holds { Ok(()) } else { Err(ConfigError::Invalid { file: file.to_owned(), key, remedy }) }
        };
        require(is_gateway_url(&self.gateway), "gateway", "write https://host:port in lower case, with nothing after the port")?;
        require(
            !self.sandbox || self.listen.ip().is_loopback(),
            "listen",
            "a sandbox listens on a loopback address only; use 127.0.0.1, or set sandbox = false and use real certificates",
        )?;
        let plain = |text: &str| text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        require((1..=32).contains(&self.node.len()) && plain(&self.node), "node", "use a to z, 0 to 9 and -, at most 32 of them")?;
        require(
            is_origin(&self.origin),
            "origin",
            "write a name without schema, without spaces and without +, for example gateway.example/ledger",
        )?;
        require(
            !self.tls.crls.is_empty(),
            "tls.crls",
            "name a revocation list for every authority in tls.client_ca; an empty list is one too",
        )?;
        if let Some((key, remedy)) = witnesses::fault(&self.witness, self.checkpoints.as_ref()) {
            return require(false, key, remedy);
        }
        let admin_is_local = match self.admin.as_ref().map(|admin| &admin.listen) {
            Some(AdminListen::Tcp(address)) => address.ip().is_loopback(),
            Some(AdminListen::Unix(_)) | None => true,
        };
        require(admin_is_local, "admin.listen", "use a loopback address or unix:PATH; it asks nobody for a certificate")
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: at_least_one(2048),
            connections_per_address: at_least_one(1024),
            per_party_requests_per_second: at_least_one(500),
            per_party_burst: at_least_one(2000),
            per_party_concurrency: at_least_one(256),
            concurrency: at_least_one(4096),
            drain_seconds: at_least_one(30),
            uncollected_days: at_least_one(14),
        }
    }
}

impl LogLevel {
    /// The word of the level.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

impl<'de> Deserialize<'de> for AdminListen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.strip_prefix("unix:") {
            Some(path) => Ok(Self::Unix(path.into())),
            None => text.parse().map(Self::Tcp).map_err(|_| D::Error::custom("write address:port or unix:PATH")),
        }
    }
}

/// Reads a file that is no secret.
pub fn read_file(file: &Path) -> Result<Vec<u8>, ConfigError> {
    let opened = File::open(file).map_err(|source| ConfigError::Read { file: file.to_owned(), source })?;
    let mut bytes = Vec::new();
    read_whole(opened, file, &mut bytes)?;
    Ok(bytes)
}

/// Reads a private file. Refuses it when group or others have any access: whoever could read it before must be assumed to know it.
pub fn read_secret(file: &Path) -> Result<Zeroizing<Vec<u8>>, ConfigError> {
    let failed = |source| ConfigError::Read { file: file.to_owned(), source };
    let opened = File::open(file).map_err(failed)?;
    let about = opened.metadata().map_err(failed)?;
    let mode = about.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(ConfigError::Exposed { file: file.to_owned(), mode });
    }
    // Room for the whole file at once: a growing buffer would leave copies behind that nobody wipes.
    let room = usize::try_from(about.len().min(MAX_FILE)).unwrap_or(0).saturating_add(1);
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    read_whole(opened, file, &mut bytes)?;
    Ok(bytes)
}

/// Certificates, keys, revocation lists and this configuration are all far smaller.
const MAX_FILE: u64 = 8 * 1024 * 1024;

fn read_whole(opened: File, file: &Path, into: &mut Vec<u8>) -> Result<(), ConfigError> {
    let read = opened.take(MAX_FILE + 1).read_to_end(into).map_err(|source| ConfigError::Read { file: file.to_owned(), source })?;
    if u64::try_from(read).is_ok_and(|read| read <= MAX_FILE) { Ok(()) } else { Err(ConfigError::TooLarge { file: file.to_owned() }) }
}

/// Only the message and the place: the full text of a TOML error quotes the line, and a line may hold a password.
fn syntax(error: &toml::de::Error, text: &str, file: &Path) -> ConfigError {
    let at = error.span().map_or(0, |span| span.start.min(text.len()));
    let before = text.get(..at).unwrap_or_default();
    let line = before.matches('\n').count();
    let key = text.lines().nth(line).and_then(|line| line.split('=').next()).unwrap_or_default().trim().to_owned();
    ConfigError::Syntax { file: file.to_owned(), line: line + 1, key, message: error.message().to_owned() }
}

/// Whether a text names a gateway as its clients do, `https://host:port`.
#[must_use]
pub fn is_gateway_url(text: &str) -> bool {
    let Some(authority) = text.strip_prefix("https://").and_then(|rest| rest.parse::<http::uri::Authority>().ok()) else {
        return false;
    };
    let port_is_plain = authority.port().is_some_and(|port| port.as_u16() != 0 && port.as_str() == port.as_u16().to_string());
    port_is_plain && !authority.host().is_empty() && !text.contains('@') && !text.bytes().any(|b| b.is_ascii_uppercase())
}

/// A key name of C2SP signed-note: no space, no plus.
fn is_origin(text: &str) -> bool {
    (1..=255).contains(&text.len()) && !text.contains("://") && !text.contains('+') && text.bytes().all(|b| b.is_ascii_graphic())
}

const fn at_least_one(number: u32) -> NonZeroU32 {
    match NonZeroU32::new(number) {
        Some(number) => number,
        None => NonZeroU32::MIN,
    }
}

mod witnesses;

#[cfg(test)]
mod tests;
