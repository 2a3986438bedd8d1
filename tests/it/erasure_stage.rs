//! What an erasure must destroy and what it must leave, read behind the gateway's back from either database.

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use serde_json::Value;
use sqlx::{Connection as _, FromRow, PgConnection, postgres::PgRow, sqlite::SqliteRow};
use tsunagi::{
    message::objects::ConsentGiven,
    store::{DataKeyId, Sealed},
    vault::{Kek, Vault, open},
};
use uuid::Uuid;

use crate::{
    exchange_stage::{
        AUDITOR, BINARY, Sandbox, Settings,
        hunt::Hunt,
        ledger::connect,
        party::Setback,
        policies::tsunagi,
        story::{Sent, Story},
    },
    faults_markers::{ASCII, JAPANESE, KANA, plant},
    postgres_stage,
};

/// Makes of each `async fn name(sandbox: Sandbox)` one test for each database, with a log of this level.
macro_rules! in_both {
    ($log:literal; $($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)] async fn $name() {
                super::$name(crate::exchange_stage::Sandbox::new(crate::erasure_stage::logging($log))).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)] async fn $name() {
                let Some(database) = crate::postgres_stage::database() else { return };
                super::$name(crate::exchange_stage::Sandbox::on(crate::erasure_stage::logging($log), Some(&database))).await;
            })*
        }
    };
}
pub(crate) use in_both;

pub(crate) fn logging(log: &'static str) -> Settings {
    Settings { log, ..Settings::default() }
}

/// A case full of words that stand nowhere else.
pub(crate) async fn marked(sandbox: &Sandbox) -> (Story, Sent) {
    let mut story = Story::open(sandbox).await;
    assert!(plant(&mut story.body) >= 40);
    let consent = story.sign_consent(&marked_consent(&story));
    let sent = story.refer_under(consent).await;
    (story, sent)
}

/// A consent of the person that the words stand for.
pub(crate) fn marked_consent(story: &Story) -> ConsentGiven {
    let mut given = story.consent();
    given.sub = format!("{ASCII}-person").parse().unwrap();
    given.place = Some(format!("{JAPANESE}場所"));
    given.expl.by = format!("{JAPANESE}職員");
    given
}

/// Looks for the words of a marked case.
pub(crate) fn hunt() -> Hunt {
    Hunt::new([JAPANESE, KANA, ASCII])
}

/// `tsunagi erase` for a person's request.
pub(crate) fn erase(sandbox: &Sandbox, case: &str, party: &str, more: &[&str]) -> Output {
    tsunagi(&[&arguments(case, party)[..], more].concat(), sandbox)
}

pub(crate) fn arguments<'a>(case: &'a str, party: &'a str) -> [&'a str; 10] {
    ["--json", "erase", "--case", case, "--party", party, "--reason", "person_request", "--acting-staff", "decision-7"]
}

#[track_caller]
pub(crate) fn printed(done: &Output) -> Value {
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap()
}

pub(crate) fn refused(setback: Setback) -> (u16, String) {
    let problem = setback.problem();
    (problem.status, problem.code)
}

/// Exports as an auditor, in a format; gives where to.
pub(crate) fn export(sandbox: &Sandbox, format: &str, name: &str) -> (PathBuf, Output) {
    let out = sandbox.path().join(name);
    let identity = sandbox.identity(&AUDITOR.parse().unwrap());
    let mut command = Command::new(BINARY);
    command.args(["--json", "audit", "export", "--format", format, "--as"]).arg(identity).arg(&out).stdin(Stdio::null());
    (out, command.output().unwrap())
}

/// A database as who owns the machine sees it.
pub(crate) enum Stored {
    File(PathBuf),
    Server(postgres_stage::Database),
}

/// Columns of a stored message.
type Message = (String, Vec<u8>, String, Vec<u8>, Vec<u8>, Vec<u8>);

impl Stored {
    pub(crate) fn of(sandbox: &Sandbox) -> Self {
        sandbox.postgres().map_or_else(|| Self::File(sandbox.database()), |database| Self::Server(database.clone()))
    }

    /// Rows that a statement of both databases gives.
    pub(crate) async fn rows<T>(&self, statement: &'static str) -> Vec<T>
    where
        T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        match self {
            Self::File(file) => {
                let mut connection = connect(file).await;
                let rows = sqlx::query_as(statement).fetch_all(&mut connection).await.unwrap();
                connection.close().await.unwrap();
                rows
            }
            Self::Server(database) => {
                let mut connection = PgConnection::connect(&database.superuser()).await.unwrap();
                let rows = sqlx::query_as(statement).fetch_all(&mut connection).await.unwrap();
                connection.close().await.unwrap();
                rows
            }
        }
    }

    /// Changes one row past the program.
    pub(crate) async fn change(&self, statement: &'static str, values: [&[u8]; 2]) {
        let [first, second] = values;
        let changed = match self {
            Self::File(file) => {
                let mut connection = connect(file).await;
                sqlx::query(statement).bind(first).bind(second).execute(&mut connection).await.unwrap().rows_affected()
            }
            Self::Server(database) => {
                let mut connection = PgConnection::connect(&database.superuser()).await.unwrap();
                sqlx::query(statement).bind(first).bind(second).execute(&mut connection).await.unwrap().rows_affected()
            }
        };
        assert_eq!(changed, 1, "{statement}");
    }

    pub(crate) async fn count(&self, statement: &'static str) -> i64 {
        let [(count,)] = self.rows::<(i64,)>(statement).await.try_into().unwrap();
        count
    }

    /// What every key in the database opens of everything that is sealed in it.
    pub(crate) async fn openable(&self, sandbox: &Sandbox) -> Vec<Vec<u8>> {
        let vault = Vault::new(&Kek::load(&sandbox.path().join("keys/kek")).unwrap()).unwrap();
        let id = |bytes: &[u8]| Uuid::from_slice(bytes).unwrap();
        let keys: Vec<(Vec<u8>, Option<Vec<u8>>)> = self.rows("SELECT id, wrapped FROM data_key").await;
        let keys: Vec<_> = keys.iter().filter_map(|(key, wrapped)| vault.unwrap(DataKeyId(id(key)), wrapped.as_ref()?).ok()).collect();
        let messages: Vec<Message> = self.rows("SELECT iss, jti, aud, case_, key, sealed FROM message").await;
        let mut sealed: Vec<(String, Vec<u8>, Vec<u8>)> = messages
            .into_iter()
            .map(|(iss, jti, aud, case, key, sealed)| (format!("message/{iss}/{}/{aud}/{}", id(&jti), id(&case)), key, sealed))
            .collect();
        for statement in ["SELECT jti, key, sealed FROM consent", "SELECT consent, key, sealed FROM consent_end"] {
            let rows: Vec<(Vec<u8>, Vec<u8>, Vec<u8>)> = self.rows(statement).await;
            sealed.extend(rows.into_iter().map(|(jti, key, sealed)| (format!("consent/{}", id(&jti)), key, sealed)));
        }
        let rows: Vec<(Vec<u8>, Vec<u8>, Vec<u8>)> =
            self.rows("SELECT e.id, o.key, o.sealed FROM ledger_opening o JOIN ledger_entry e ON e.idx = o.idx").await;
        sealed.extend(rows.into_iter().map(|(entry, key, sealed)| (format!("opening/{}", id(&entry)), key, sealed)));
        let each = |(context, key, bytes): (String, Vec<u8>, Vec<u8>)| {
            let sealed = Sealed { key: DataKeyId(id(&key)), bytes };
            keys.iter().filter_map(|key| Some(open(key, context.as_bytes(), &sealed).ok()?.to_vec())).collect::<Vec<_>>()
        };
        sealed.into_iter().flat_map(each).collect()
    }

    /// The bytes that the erasure of the only case must destroy: wrapped keys and contents of everything but what the gateway's own key holds.
    pub(crate) async fn doomed(&self) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        for statement in [
            "SELECT id, wrapped FROM data_key WHERE wrapped IS NOT NULL",
            "SELECT key, sealed FROM message WHERE length(sealed) > 0",
            "SELECT key, sealed FROM consent WHERE length(sealed) > 0",
            "SELECT key, sealed FROM consent_end WHERE length(sealed) > 0",
            "SELECT key, sealed FROM ledger_opening",
        ] {
            let rows: Vec<(Vec<u8>, Vec<u8>)> = self.rows(statement).await;
            all.extend(rows.into_iter().filter(|(key, _)| key != Uuid::nil().as_bytes()).map(|(_, bytes)| bytes));
        }
        all
    }

    /// Everything the database has on disk of its rows. PostgreSQL's log of writes is not among it: it is kept and recycled by other rules.
    pub(crate) fn on_disk(&self) -> Vec<u8> {
        match self {
            Self::File(file) => {
                let mut bytes = fs::read(file).unwrap();
                bytes.extend(fs::read(file.with_extension("sqlite-wal")).unwrap_or_default());
                bytes
            }
            Self::Server(database) => {
                database.sql("CHECKPOINT");
                let oid = database.sql("SELECT oid FROM pg_database WHERE datname = current_database()");
                let folder = postgres_stage::shared().unwrap().data().join("base").join(oid);
                fs::read_dir(folder).unwrap().flat_map(|file| fs::read(file.unwrap().path()).unwrap()).collect()
            }
        }
    }

    /// A fresh dump as the database's superuser makes it: the files that it consists of, and the dump as a database again.
    pub(crate) async fn dump(&self, sandbox: &Sandbox) -> (PathBuf, Self) {
        match self {
            Self::File(file) => {
                let dump = sandbox.path().join("dump.sqlite");
                let mut connection = connect(file).await;
                sqlx::query("VACUUM INTO $1").bind(dump.to_str().unwrap()).execute(&mut connection).await.unwrap();
                connection.close().await.unwrap();
                (dump.clone(), Self::File(dump))
            }
            Self::Server(database) => {
                let dump = sandbox.path().join("dump.sql");
                fs::write(&dump, database.dump()).unwrap();
                let restored = postgres_stage::database().unwrap();
                restored.load(&dump);
                (dump, Self::Server(restored))
            }
        }
    }
}

/// How many of these stand in bytes, as they are or as PostgreSQL's text form writes them. The beginning of each is enough: what is long stands on pages
/// that are not neighbours.
pub(crate) fn lying(sought: &[Vec<u8>], bytes: &[u8]) -> usize {
    let begun = |one: &Vec<u8>| one[..one.len().min(48)].to_vec();
    let hex = |one: &Vec<u8>| begun(one).iter().map(|byte| format!("{byte:02x}")).collect::<String>().into_bytes();
    let mut forms: HashMap<[u8; HEAD], Vec<(usize, Vec<u8>)>> = HashMap::new();
    for (n, form) in sought.iter().enumerate().flat_map(|(n, one)| [(n, begun(one)), (n, hex(one))]) {
        forms.entry(form[..HEAD].try_into().unwrap()).or_default().push((n, form));
    }
    let mut hit = HashSet::new();
    for (at, head) in bytes.windows(HEAD).enumerate() {
        for (n, form) in forms.get(head).into_iter().flatten() {
            if bytes[at..].starts_with(form) {
                hit.insert(*n);
            }
        }
    }
    hit.len()
}

const HEAD: usize = 8;
