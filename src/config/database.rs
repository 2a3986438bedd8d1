//! The section `[database]`: where cases and ledger are stored.
//!
//! Promises: a database in memory is refused; a server on another machine proves that it is the right one, or it is written down that nothing is encrypted;
//! no message and no `Debug` output repeats an address.

use std::{
    ffi::OsString,
    fmt,
    os::unix::ffi::OsStringExt as _,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Deserializer, de::Error as _};
use zeroize::Zeroizing;

/// The database.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// `sqlite:FILE`, the file relative to this configuration; or `postgres://ROLE@HOST:PORT/NAME`, or a list of such URLs: a PostgreSQL database and its
    /// standbys, of which the one that can be written is used. Whoever can write the database can remove the service, but not change
    /// the ledger unnoticed nor read the messages. A file with a password in it must have mode 0600.
    pub url: DatabaseUrl,
    /// File that holds the password of the PostgreSQL role, mode 0600. Then no URL holds one.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// `true` where the URLs lead to a pooler in transaction mode (PgBouncer): nothing is then kept in a session. It costs three more round trips a read.
    #[serde(default)]
    pub pooler: bool,
}

/// The address of a database: one URL or several. It may carry a password, so it prints as `[redacted]`.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(Vec<Zeroizing<String>>);

impl DatabaseUrl {
    /// The first URL, for the driver.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.first().map_or("", |url| url)
    }

    /// All URLs, for the driver.
    pub fn expose_all(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|url| url.as_str())
    }

    /// Whether a URL carries a password.
    pub(crate) fn has_password(&self) -> bool {
        self.expose_all().any(|url| {
            let behind = url.split_once("://").map_or("", |(_, rest)| rest);
            let authority = behind.split(['/', '?']).next().unwrap_or_default();
            authority.rsplit_once('@').is_some_and(|(role, _)| role.contains(':')) || pairs(url).any(|(key, _)| key == "password")
        })
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl<'de> Deserialize<'de> for DatabaseUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Urls {
            One(String),
            Many(Vec<String>),
        }
        // The error of the derived reader would be as long and might quote.
        let urls = Urls::deserialize(deserializer).map_err(|_| D::Error::custom("write one URL or a list of URLs"))?;
        Ok(Self(match urls {
            Urls::One(url) => vec![Zeroizing::new(url)],
            Urls::Many(urls) => urls.into_iter().map(Zeroizing::new).collect(),
        }))
    }
}

/// Gives the value of a variable.
type Environment = dyn Fn(&str) -> Option<String>;

impl Database {
    /// A database that is named outside the configuration, with paths from the working directory. What must be written instead where it cannot be used.
    pub fn named(url: &str) -> Result<Self, &'static str> {
        let url = DatabaseUrl(vec![Zeroizing::new(url.to_owned())]);
        let mut named = Self { url, password_file: None, pooler: false };
        named.resolve(Path::new("")).map_err(|(_, remedy)| remedy)?;
        Ok(named)
    }

    /// The files of private keys that the URLs name.
    pub fn key_files(&self) -> impl Iterator<Item = PathBuf> {
        let named = self.url.expose_all().flat_map(pairs).filter(|(key, _)| *key == "sslkey");
        named.map(|(_, value)| decoded(value))
    }

    /// Makes paths relative to the configuration's folder. What must stand there instead, by key, where it cannot be used.
    pub(super) fn resolve(&mut self, base: &Path) -> Result<(), (&'static str, &'static str)> {
        self.resolve_with(base, &|name| std::env::var(name).ok())
    }

    /// The same in an environment, where the driver looks for the host that a URL leaves out.
    fn resolve_with(&mut self, base: &Path, environment: &Environment) -> Result<(), (&'static str, &'static str)> {
        let refused = |remedy| ("database.url", remedy);
        if let [url] = self.url.0.as_slice()
            && url.starts_with("sqlite:")
        {
            if self.pooler || self.password_file.is_some() {
                return Err(("database.pooler", "leave pooler and password_file out; a SQLite file has neither"));
            }
            self.url = sqlite_beside(url, base).ok_or(refused(SQLITE))?;
            return Ok(());
        }
        if let Some(file) = &mut self.password_file {
            if self.url.has_password() {
                return Err(("database.password_file", "write the password in the file or in the URL, not in both"));
            }
            *file = base.join(&*file);
        }
        if self.url.0.is_empty() || self.url.expose_all().any(|url| !url.starts_with("postgres://") && !url.starts_with("postgresql://")) {
            return Err(refused(SQLITE));
        }
        for url in &mut self.url.0 {
            *url = postgres_beside(url, base, environment).map_err(refused)?;
        }
        Ok(())
    }
}

/// `sqlite:FILE` with the file made relative to `base`. In such a URL `?` begins the options and `%` an escape.
fn sqlite_beside(url: &str, base: &Path) -> Option<DatabaseUrl> {
    let rest = url.strip_prefix("sqlite:")?;
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let (file, options) = rest.split_once('?').map_or((rest, None), |(file, options)| (file, Some(options)));
    if file.is_empty() || file == ":memory:" || options.is_some_and(|options| options.contains("mode=memory")) {
        return None;
    }
    let place = if Path::new(file).is_absolute() {
        file.to_owned()
    } else {
        let escaped = base.to_str()?.replace('%', "%25").replace('?', "%3F");
        Path::new(&escaped).join(file).to_str()?.to_owned()
    };
    let options = options.map(|options| format!("?{options}")).unwrap_or_default();
    Some(DatabaseUrl(vec![Zeroizing::new(format!("sqlite://{place}{options}"))]))
}

/// A PostgreSQL URL with its certificate files made relative to `base`. What the driver would pass over is refused: it would pass over a typing error too.
fn postgres_beside(url: &str, base: &Path, environment: &Environment) -> Result<Zeroizing<String>, &'static str> {
    // What stands behind it is no part of an address, and where the address ends would be for each reader to say.
    if url.contains('#') {
        return Err(POSTGRES);
    }
    let (mut host, mut mode) = (host_of(url).to_owned(), None);
    let mut out = Zeroizing::new(url.split_once('?').map_or(url, |(before, _)| before).to_owned());
    for (position, (key, value)) in pairs(url).enumerate() {
        out.push(if position == 0 { '?' } else { '&' });
        out.push_str(key);
        out.push('=');
        match key {
            "sslmode" => mode = Some(value),
            "host" => host = value.replace("%2F", "/").replace("%2f", "/"),
            "sslrootcert" | "sslcert" | "sslkey" if !value.starts_with('/') => {
                let folder = base.to_str().ok_or(POSTGRES)?;
                // What would end the value, or be read as an escape.
                let escaped =
                    ['%', '&', '#', '+', ' '].iter().fold(folder.to_owned(), |text, c| text.replace(*c, &format!("%{:02X}", *c as u32)));
                out.push_str(&escaped);
                if !escaped.is_empty() {
                    out.push('/');
                }
            }
            "sslrootcert" | "sslcert" | "sslkey" | "user" | "password" | "dbname" | "port" => {}
            _ => return Err(POSTGRES),
        }
        out.push_str(value);
    }
    if host.is_empty() {
        host = environment("PGHOSTADDR").or_else(|| environment("PGHOST")).unwrap_or_default();
    }
    // `require` encrypts and asks nobody who it is; `prefer` and `allow` take what they get.
    if is_near(&host) || matches!(mode, Some("verify-full" | "verify-ca" | "disable")) { Ok(out) } else { Err(REMOTE) }
}

/// Whether what is said to this host stays on this machine.
fn is_near(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.is_empty()
        || ["/", "%2F", "%2f"].iter().any(|socket| host.starts_with(socket))
        || host == "localhost"
        || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A path as it stands in the options of a URL.
fn decoded(value: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let escaped = || u8::from_str_radix(std::str::from_utf8(behind.get(..2)?).ok()?, 16).ok();
        let (byte, left) = match (first, escaped()) {
            (b'%', Some(byte)) => (byte, behind.get(2..).unwrap_or_default()),
            (b'+', _) => (b' ', behind),
            _ => (*first, behind),
        };
        bytes.push(byte);
        rest = left;
    }
    OsString::from_vec(bytes).into()
}

fn host_of(url: &str) -> &str {
    let behind = url.split_once("://").map_or("", |(_, rest)| rest);
    let authority = behind.split(['/', '?']).next().unwrap_or_default();
    let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
    match place.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => host,
        _ => place,
    }
}

fn pairs(url: &str) -> impl Iterator<Item = (&str, &str)> {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

const SQLITE: &str =
    "write sqlite:FILE with a path in UTF-8 (a database in memory would lose the ledger), or postgres:// URLs of one database";
const POSTGRES: &str = "write postgres://ROLE@HOST:PORT/NAME; behind ? only host, port, user, password, dbname, sslmode, sslrootcert, sslcert and sslkey; no #";
const REMOTE: &str = "add sslmode=verify-full (or verify-ca) and sslrootcert=FILE for a server on another machine; sslmode=disable only where the network itself protects";

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Result<Database, (&'static str, &'static str)> {
        let mut database: Database = toml::from_str(url).unwrap();
        database.resolve(Path::new("/srv/a b")).map(|()| database)
    }

    #[test]
    fn postgresql_is_named_once_or_several_times() {
        let one = read("url = 'postgres://app@127.0.0.1:5432/tsunagi'").unwrap();
        assert_eq!(one.url.expose(), "postgres://app@127.0.0.1:5432/tsunagi");
        let two = read("url = ['postgresql://app@[::1]/t', 'postgres:///t?host=/run/postgresql']\npooler = true").unwrap();
        assert_eq!(two.url.expose_all().count(), 2);
        assert!(two.pooler);
        for bad in ["url = []", "url = ['sqlite:a', 'sqlite:b']", "url = ['postgres:///t', 'sqlite:b']", "url = 'sqlite:x'\npooler = true"]
        {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert!(toml::from_str::<Database>("url = 5").unwrap_err().message().contains("one URL or a list"));
    }

    #[test]
    fn a_server_elsewhere_is_not_spoken_to_in_the_clear_by_oversight() {
        assert_eq!(read("url = 'postgres://app@db.example/t'").unwrap_err(), ("database.url", REMOTE));
        assert_eq!(read("url = 'postgres://app@127.0.0.1/t?host=db.example'").unwrap_err(), ("database.url", REMOTE));
        let sure = read("url = 'postgres://app@db.example:5432/t?sslmode=verify-full&sslrootcert=ca.pem'").unwrap();
        assert_eq!(sure.url.expose(), "postgres://app@db.example:5432/t?sslmode=verify-full&sslrootcert=/srv/a%20b/ca.pem");
        assert!(read("url = 'postgres://app@10.0.0.5/t?sslmode=disable'").is_ok());
        assert_eq!(read("url = 'postgres://app@localhost/t?sslmod=verify-full'").unwrap_err(), ("database.url", POSTGRES));
    }

    #[test]
    fn a_server_elsewhere_must_prove_itself_unless_it_is_written_that_nothing_does() {
        for mode in ["prefer", "allow", "require", "verify", "verify-full&sslmode=prefer", ""] {
            let url = format!("url = 'postgres://app@db.example/t?sslmode={mode}'");
            assert_eq!(read(&url).unwrap_err(), ("database.url", REMOTE), "{mode}");
        }
        for mode in ["verify-full", "verify-ca", "disable", "prefer&sslmode=verify-full"] {
            assert!(read(&format!("url = 'postgres://app@db.example/t?sslmode={mode}'")).is_ok(), "{mode}");
        }
        // The driver connects to hostaddr, whatever the host is; and a reader may end the address at another place.
        for other in ["localhost/t?hostaddr=10.0.0.5", "db.example#@localhost/t"] {
            assert_eq!(read(&format!("url = 'postgres://app@{other}'")).unwrap_err(), ("database.url", POSTGRES), "{other}");
        }
    }

    #[test]
    fn a_host_that_the_environment_names_counts() {
        let with = |variables: &'static [(&str, &str)]| {
            let mut database: Database = toml::from_str("url = 'postgres:///t'").unwrap();
            let environment = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
            database.resolve_with(Path::new(""), &environment)
        };
        for near in [&[][..], &[("PGHOST", "/run/postgresql")], &[("PGHOSTADDR", "127.0.0.1"), ("PGHOST", "db.example")]] {
            assert_eq!(with(near), Ok(()), "{near:?}");
        }
        for far in [&[("PGHOST", "db.example")][..], &[("PGHOSTADDR", "10.0.0.5"), ("PGHOST", "localhost")]] {
            assert_eq!(with(far), Err(("database.url", REMOTE)), "{far:?}");
        }
    }

    #[test]
    fn the_files_of_private_keys_are_named_as_the_driver_reads_them() {
        let urls = "url = ['postgres:///t?sslkey=a.key', 'postgres:///t?sslcert=b.pem&sslkey=/c+d%2Fe%.key']";
        let files: Vec<_> = read(urls).unwrap().key_files().collect();
        assert_eq!(files, [Path::new("/srv/a b/a.key"), Path::new("/c d/e%.key")]);
        assert_eq!(Database::named("postgres:///t?sslkey=a.key").unwrap().key_files().collect::<Vec<_>>(), [Path::new("a.key")]);
    }

    #[test]
    fn a_password_is_seen_and_never_shown() {
        for (url, has) in [
            ("postgres://app:secret@localhost/t", true),
            ("postgres://localhost/t?user=app&password=secret", true),
            ("postgres://app@localhost:5432/t", false),
            ("postgres://localhost:5432/t", false),
        ] {
            let database = read(&format!("url = '{url}'")).unwrap();
            assert_eq!(database.url.has_password(), has, "{url}");
            assert!(!format!("{database:?}").contains("localhost"));
        }
    }
}
