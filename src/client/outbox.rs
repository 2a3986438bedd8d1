//! The outbox of an identity folder (protocol section 8): what is signed waits here until its receipt is stored beside it.
//!
//! Promises: what [`Outbox::put`] has returned for survives a crash, and is sent again byte for byte the same, whatever became of the first
//! sending: the gateway then gives its first answer again. A receipt is stored only after it was verified, and verified again when it is read.
//! Files are written whole or not at all (written beside, synced, renamed, folder synced) and readable by their owner only.
//! Not here: sealing. A message is kept signed and sealed afresh each time it is sent, to the key that is pinned then.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    answer::{Accepted, Sent, identity_of},
    connection::{Body, Client, JSON, WIDE},
    error::{ClientError, Doubt},
    problem::{Problem, ProblemRow},
    proven::Proven,
};
use crate::{
    config::{self, ConfigError},
    domain::{codes::Purpose, digest::Digest, entry::Operation, ids::Jti, party::PartyId, time::Timestamp},
    message::{base64url, envelope, json as strict, profile::MESSAGE_TYP},
};

/// The outbox folder of a party.
#[derive(Debug, Clone)]
pub struct Outbox {
    folder: PathBuf,
}

/// Something signed, and where it goes. Its content is never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parcel {
    v: u8,
    party: PartyId,
    gateway: String,
    operation: Operation,
    target: String,
    purpose: Purpose,
    jti: Jti,
    iat: Timestamp,
    sha256: Digest,
    content: Content,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
enum Content {
    /// A signed object.
    Object(String),
    /// An agreement document in base64url, with the signature that proposes it.
    Proposal { document: String, signature: String },
    /// A message as it was signed, with all its disclosures.
    Message(String),
}

/// A parcel with what became of it.
#[derive(Debug, Clone)]
pub struct Item {
    /// The parcel.
    pub parcel: Parcel,
    /// What became of it.
    pub fate: Fate,
}

/// What lies in the outbox. A file that cannot be used hides none of the others.
#[derive(Debug)]
pub struct Listing {
    /// Every parcel, the oldest first.
    pub items: Vec<Item>,
    /// Files that cannot be used, and why.
    pub damaged: Vec<OutboxError>,
}

/// What became of a parcel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// Its receipt is not there yet: it may or may not have arrived.
    Waiting,
    /// The gateway judged and refused it. It may be sent again: what was refused is judged anew.
    Refused(Refused),
    /// Its receipt is stored.
    Delivered,
}

/// The last refusal of a parcel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// When.
    pub time: Timestamp,
    /// Code of the problem document.
    pub code: String,
    /// Its title, in the language that was asked for.
    pub title: String,
    /// What to do next.
    pub detail: String,
    /// What exactly was wrong.
    #[serde(default)]
    pub violations: Vec<ProblemRow>,
}

/// Why the outbox cannot do what it is asked to. Names files, never their content.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// The folder or a file in it cannot be used.
    #[error("{}: {source}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be read, or others may read it.
    #[error(transparent)]
    File(#[from] ConfigError),
    /// A file does not hold what the outbox writes.
    #[error("{}: is not what the outbox wrote; move it away", .0.display())]
    Damaged(PathBuf),
    /// Another parcel has this id.
    #[error("{0} is in the outbox already, with another content")]
    Taken(Jti),
    /// No such parcel.
    #[error("{0} is not in the outbox")]
    Unknown(Jti),
    /// A parcel of another party, or for another gateway.
    #[error("{0} is of another party or for another gateway than this identity")]
    Foreign(Jti),
    /// Only what was refused is put away: anything else may have arrived.
    #[error("{0} was not refused: it may have arrived, and only its receipt tells (`--even-waiting` puts it away all the same)")]
    NotRefused(Jti),
}

impl OutboxError {
    /// The same in Japanese.
    #[must_use]
    pub fn ja(&self) -> String {
        match self {
            Self::Io { file, source } => format!("{}: 使えません（{source}）", file.display()),
            Self::File(error) => format!("ファイルを使えません: {error}"),
            Self::Damaged(file) => format!("{}: 送信箱が書いた内容ではありません。別の場所に移してください", file.display()),
            Self::Taken(jti) => format!("{jti} は、別の内容で送信箱にあります"),
            Self::Unknown(jti) => format!("{jti} は送信箱にありません"),
            Self::Foreign(jti) => format!("{jti} は、この身元とは別の機関か別のゲートウェイのものです"),
            Self::NotRefused(jti) => format!(
                "{jti} は断られていません。届いているかもしれず、受領証を得るまで分かりません（それでも片付けるなら `--even-waiting`）"
            ),
        }
    }
}

impl Parcel {
    /// A signed object (protocol section 2, "Other signed objects") for a path of the gateway.
    pub fn object(client: &Client, operation: Operation, target: &str, purpose: Purpose, token: String) -> Result<Self, ClientError> {
        let (jti, iat) = stamp(&token)?;
        let sha256 = identity_of(&token);
        Ok(Self::new(client, operation, target, purpose, (jti, iat, sha256), Content::Object(token)))
    }

    /// An agreement document with the signature that proposes it.
    pub fn proposal(client: &Client, document: &[u8], signature: String) -> Result<Self, ClientError> {
        let (jti, iat) = stamp(&signature)?;
        let sha256 = identity_of(&signature);
        let content = Content::Proposal { document: base64url::encode(document), signature };
        Ok(Self::new(client, Operation::AgreementPropose, "/v1/agreements", Purpose::Administration, (jti, iat, sha256), content))
    }

    /// A signed message, with its id and its digest (protocol section 2, `msg.sha256`).
    #[must_use]
    pub fn message(
        client: &Client,
        operation: Operation,
        target: &str,
        purpose: Purpose,
        (jti, digest): (Jti, Digest),
        sd_jwt: String,
    ) -> Self {
        Self::new(client, operation, target, purpose, (jti, client.now(), digest), Content::Message(sd_jwt))
    }

    fn new(
        client: &Client,
        operation: Operation,
        target: &str,
        purpose: Purpose,
        (jti, iat, sha256): (Jti, Timestamp, Digest),
        content: Content,
    ) -> Self {
        let (party, gateway) = (client.party().clone(), client.identity().gateway().as_str().to_owned());
        Self { v: VERSION, party, gateway, operation, target: target.to_owned(), purpose, jti, iat, sha256, content }
    }

    /// Its id: the `jti` of what was signed.
    #[must_use]
    pub const fn jti(&self) -> Jti {
        self.jti
    }

    /// What is asked for.
    #[must_use]
    pub const fn operation(&self) -> Operation {
        self.operation
    }

    /// Path at the gateway.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// When it was signed.
    #[must_use]
    pub const fn signed(&self) -> Timestamp {
        self.iat
    }

    fn is_whole(&self) -> bool {
        let own = match &self.content {
            Content::Object(token) | Content::Proposal { signature: token, .. } => identity_of(token) == self.sha256,
            Content::Message(_) => true,
        };
        own && self.v == VERSION
    }
}

impl std::fmt::Debug for Parcel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parcel").field("jti", &self.jti).field("operation", &self.operation).finish_non_exhaustive()
    }
}

impl Outbox {
    /// The outbox of an identity folder; made when it is not there.
    pub fn of(identity: &Path) -> Result<Self, OutboxError> {
        let folder = identity.join(FOLDER);
        let failed = |source| OutboxError::Io { file: folder.clone(), source };
        match DirBuilder::new().mode(0o700).create(&folder) {
            Ok(()) => File::open(identity).and_then(|parent| parent.sync_all()).map_err(failed)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(error)),
        }
        Ok(Self { folder })
    }

    /// Where it is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Keeps a parcel until it is delivered. When this returns, it survives a crash.
    pub fn put(&self, parcel: &Parcel) -> Result<(), OutboxError> {
        let _alone = self.lock()?;
        let file = self.file(&parcel.jti, PARCEL);
        match Self::read::<Parcel>(&file)? {
            None => self.write(&file, json!(parcel).to_string().as_bytes()),
            Some(kept) if kept == *parcel => Ok(()),
            Some(_) => Err(OutboxError::Taken(parcel.jti)),
        }
    }

    /// A parcel with what became of it.
    pub fn get(&self, jti: &Jti) -> Result<Item, OutboxError> {
        let file = self.file(jti, PARCEL);
        let parcel: Parcel = Self::read(&file)?.ok_or(OutboxError::Unknown(*jti))?;
        if parcel.jti != *jti || !parcel.is_whole() {
            return Err(OutboxError::Damaged(file));
        }
        let fate = if self.file(jti, RECEIPT).exists() {
            Fate::Delivered
        } else {
            Self::read(&self.file(jti, REFUSAL))?.map_or(Fate::Waiting, Fate::Refused)
        };
        Ok(Item { parcel, fate })
    }

    /// Every parcel, the oldest first, and the files that cannot be used.
    pub fn list(&self) -> Result<Listing, OutboxError> {
        let (mut items, mut damaged) = (Vec::new(), Vec::new());
        for jti in self.ids(PARCEL)? {
            match self.get(&jti) {
                Ok(item) => items.push(item),
                Err(error) => damaged.push(error),
            }
        }
        // What is ended was registered before, also within one second.
        items.sort_by_key(|item| (item.parcel.iat, item.parcel.operation == Operation::ConsentEnd, item.parcel.jti));
        Ok(Listing { items, damaged })
    }

    /// What was put away.
    pub fn dropped(&self) -> Result<Vec<Jti>, OutboxError> {
        self.ids(DROPPED)
    }

    /// Puts a refused parcel away: it stays in the folder, and is neither listed nor sent. With `even_waiting` also one that may have arrived.
    pub fn drop_refused(&self, jti: &Jti, even_waiting: bool) -> Result<(), OutboxError> {
        let _alone = self.lock()?;
        match self.get(jti)?.fate {
            Fate::Refused(_) => self.rename(jti, PARCEL, DROPPED),
            Fate::Waiting if even_waiting => self.rename(jti, PARCEL, DROPPED),
            Fate::Waiting | Fate::Delivered => Err(OutboxError::NotRefused(*jti)),
        }
    }

    /// Takes a parcel back that was put away. Says whether there was one.
    pub fn take_back(&self, jti: &Jti) -> Result<bool, OutboxError> {
        let _alone = self.lock()?;
        if self.file(jti, PARCEL).exists() || !self.file(jti, DROPPED).exists() {
            return Ok(false);
        }
        self.rename(jti, DROPPED, PARCEL).map(|()| true)
    }

    fn rename(&self, jti: &Jti, from: &str, to: &str) -> Result<(), OutboxError> {
        let file = self.file(jti, from);
        let renamed = fs::rename(&file, self.file(jti, to)).and_then(|()| File::open(&self.folder)?.sync_all());
        renamed.map_err(|source| OutboxError::Io { file, source })
    }

    fn ids(&self, ending: &str) -> Result<Vec<Jti>, OutboxError> {
        let failed = |source| OutboxError::Io { file: self.folder.clone(), source };
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            found.extend(name.to_str().and_then(|name| name.strip_suffix(ending)).and_then(|stem| stem.parse::<Jti>().ok()));
        }
        found.sort_unstable();
        Ok(found)
    }

    /// The gateway's answer as it came, if it is stored. [`Client::deliver`] verifies it.
    fn answer(&self, jti: &Jti) -> Result<Option<Vec<u8>>, OutboxError> {
        let file = self.file(jti, RECEIPT);
        if file.exists() { Ok(Some(config::read_secret(&file)?.to_vec())) } else { Ok(None) }
    }

    /// Stores a verified answer.
    fn delivered(&self, jti: &Jti, answer: &[u8]) -> Result<(), OutboxError> {
        let _alone = self.lock()?;
        self.write(&self.file(jti, RECEIPT), answer)
    }

    /// Notes a refusal.
    fn refused(&self, jti: &Jti, refused: &Refused) -> Result<(), OutboxError> {
        let _alone = self.lock()?;
        self.write(&self.file(jti, REFUSAL), json!(refused).to_string().as_bytes())
    }

    fn file(&self, jti: &Jti, ending: &str) -> PathBuf {
        self.folder.join(format!("{jti}{ending}"))
    }

    fn read<T: serde::de::DeserializeOwned>(file: &Path) -> Result<Option<T>, OutboxError> {
        if !file.exists() {
            return Ok(None);
        }
        let damaged = || OutboxError::Damaged(file.to_owned());
        let value = strict::parse_within(&config::read_secret(file)?, &WIDE).map_err(|_| damaged())?;
        serde_json::from_value(value).map(Some).map_err(|_| damaged())
    }

    /// One writer at a time: a half-written file of another would be renamed into place.
    fn lock(&self) -> Result<File, OutboxError> {
        let file = self.folder.join(LOCK);
        let opened = OpenOptions::new().create(true).write(true).truncate(false).mode(0o600).open(&file);
        opened.and_then(|opened| opened.lock().map(|()| opened)).map_err(|source| OutboxError::Io { file, source })
    }

    /// If we crash before the rename, the file is as it was; once this returns, it is as it should be.
    fn write(&self, file: &Path, bytes: &[u8]) -> Result<(), OutboxError> {
        let beside = self.folder.join(BESIDE);
        let written = || {
            let mut new = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&beside)?;
            new.set_permissions(Permissions::from_mode(0o600))?;
            new.write_all(bytes)?;
            new.sync_all()?;
            fs::rename(&beside, file)?;
            File::open(&self.folder)?.sync_all()
        };
        written().map_err(|source| OutboxError::Io { file: file.to_owned(), source })
    }
}

impl Client {
    /// Sends a parcel of the outbox and stores its verified receipt beside it. A delivered one is not sent again: its stored answer is verified.
    pub async fn deliver(&self, outbox: &Outbox, jti: &Jti) -> Result<Proven<Accepted>, ClientError> {
        let Item { parcel, .. } = outbox.get(jti)?;
        if parcel.party != *self.party() || parcel.gateway != self.identity.gateway().as_str() {
            return Err(OutboxError::Foreign(*jti).into());
        }
        let sent = Sent { party: self.party(), operation: parcel.operation, jti: parcel.jti, digest: parcel.sha256 };
        if let Some(answer) = outbox.answer(jti)? {
            return Ok(sent.accept(&answer, &self.identity.pinned)?);
        }
        let answer = match self.post(&parcel.target, parcel.purpose, self.body(&parcel.content)?).await {
            Err(ClientError::Refused(problem)) => {
                self.note(outbox, jti, &problem)?;
                return Err(ClientError::Refused(problem));
            }
            other => other?,
        };
        let accepted = sent.accept(&answer.body, &self.identity.pinned)?;
        outbox.delivered(jti, &answer.body)?;
        Ok(accepted)
    }

    /// What says "not now" or "not so" is no judgement of what was signed: the parcel goes on waiting.
    fn note(&self, outbox: &Outbox, jti: &Jti, problem: &Problem) -> Result<(), OutboxError> {
        if !problem.judges_the_object() {
            return Ok(());
        }
        let Problem { code, title, detail, violations, .. } = problem.clone();
        outbox.refused(jti, &Refused { time: self.now(), code, title, detail, violations })
    }

    fn body(&self, content: &Content) -> Result<Body, ClientError> {
        Ok(match content {
            Content::Object(token) => Body::jwt(token),
            Content::Proposal { document, signature } => {
                let text = json!({"document": document, "signature": signature}).to_string();
                Body { media: JSON, bytes: Bytes::from(text) }
            }
            Content::Message(sd_jwt) => Body::jose(envelope::seal(&self.identity.pinned.document().enc, MESSAGE_TYP, sd_jwt.as_bytes())?),
        })
    }
}

/// `jti` and `iat` of a compact token that this party signed.
fn stamp(token: &str) -> Result<(Jti, Timestamp), Doubt> {
    #[derive(Deserialize)]
    struct Stamp {
        jti: Jti,
        iat: i64,
    }
    let form = Doubt::Form("token");
    let Some(payload) = token.split('.').nth(1) else { return Err(form) };
    let Ok(bytes) = base64url::decode(payload) else { return Err(form) };
    let Ok(value) = strict::parse(&bytes) else { return Err(form) };
    let stamp: Stamp = serde_json::from_value(value).map_err(|_| form)?;
    Ok((stamp.jti, Timestamp::from_secs(stamp.iat)))
}

/// Of the form of the files.
const VERSION: u8 = 1;
const FOLDER: &str = "outbox";
const PARCEL: &str = ".json";
const RECEIPT: &str = ".receipt.json";
const REFUSAL: &str = ".refusal.json";
/// A parcel that was put away. Its refusal stays beside it.
const DROPPED: &str = ".dropped.json";
const LOCK: &str = ".lock";
const BESIDE: &str = ".new";

#[cfg(test)]
mod tests;
