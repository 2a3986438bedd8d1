//! A ledger in memory, and its export as files by path.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tsunagi::{
    domain::{digest::Digest, time::Timestamp},
    ledger::{
        export::FolderWriter,
        verify::{Anchors, CONSENT_BASES, Report, commitment, verify},
    },
    tlog::{Checkpoint, Frontier, NoteSigner, VerifierKey, leaf_hash},
};
use zeroize::Zeroizing;

pub(crate) type Files = BTreeMap<String, Vec<u8>>;

pub(crate) const ORIGIN: &str = "gateway.example/ledger";

/// Entries with what stands beside them, and the key that signs for them.
#[derive(Clone)]
pub(crate) struct Ledger {
    seed: u8,
    pub(crate) origin: String,
    /// Leaf bytes, and the opening as the audit API gives it.
    pub(crate) entries: Vec<(Vec<u8>, Value)>,
}

impl Ledger {
    pub(crate) fn new(size: u64) -> Self {
        Self { seed: 1, origin: ORIGIN.to_owned(), entries: (0..size).map(|index| with_opening(event(index), opening(index))).collect() }
    }

    pub(crate) fn of(entries: Vec<(Vec<u8>, Value)>) -> Self {
        Self { seed: 1, origin: ORIGIN.to_owned(), entries }
    }

    /// The same entries, signed for by somebody else.
    pub(crate) fn signed_by_another(&self) -> Self {
        Self { seed: 9, ..self.clone() }
    }

    pub(crate) fn of_origin(&self, origin: &str) -> Self {
        Self { origin: origin.to_owned(), ..self.clone() }
    }

    pub(crate) fn signer(&self) -> NoteSigner {
        NoteSigner::from_seed(self.origin.parse().expect("a name"), &Zeroizing::new([self.seed; 32])).expect("a seed")
    }

    pub(crate) fn key(&self) -> VerifierKey {
        self.signer().verifier().clone()
    }

    /// The signed checkpoint of the first `size` entries.
    pub(crate) fn note(&self, size: u64) -> String {
        let mut frontier = Frontier::new();
        for (leaf, _) in self.entries.iter().take(usize::try_from(size).expect("small")) {
            frontier.push(leaf_hash(leaf)).expect("not full");
        }
        Checkpoint::new(&self.origin, size, frontier.root()).expect("a checkpoint").sign(&self.signer()).expect("signed")
    }

    pub(crate) fn write(&self, folder: &Path) {
        let mut writer = FolderWriter::create(folder).expect("a new folder");
        for (leaf, opened) in &self.entries {
            writer.push(leaf, opened).expect("written");
        }
        writer.finish(&self.note(self.entries.len() as u64), &self.key()).expect("written");
    }

    pub(crate) fn files(&self) -> Files {
        let folder = tempfile::tempdir().expect("a folder");
        self.write(folder.path());
        read(folder.path())
    }
}

/// Every file below a folder.
pub(crate) fn read(folder: &Path) -> Files {
    let mut files = Files::new();
    let mut open = vec![PathBuf::new()];
    while let Some(below) = open.pop() {
        for entry in folder.join(&below).read_dir().expect("a folder") {
            let entry = entry.expect("readable");
            let path = below.join(entry.file_name());
            if entry.file_type().expect("readable").is_dir() {
                open.push(path);
            } else {
                files.insert(path.to_str().expect("UTF-8").to_owned(), std::fs::read(entry.path()).expect("readable"));
            }
        }
    }
    files
}

/// Verifies with the key of [`Ledger::new`].
pub(crate) fn check(files: &Files) -> Report {
    check_since(files, None)
}

pub(crate) fn check_since(files: &Files, kept: Option<&str>) -> Report {
    let key = Ledger::of(Vec::new()).key();
    verify(files, &Anchors { key: &key, kept, quorum: None, consent_bases: CONSENT_BASES }).expect("in memory")
}

/// An entry without opening, in the order of its index.
pub(crate) fn event(index: u64) -> Value {
    let (kind, operation) = match index {
        0 => ("ledger_opened", "gateway"),
        _ if index.is_multiple_of(7) => ("list", "case.list"),
        _ if index.is_multiple_of(5) => ("submission", "referral.submit"),
        _ => ("release", "case.read"),
    };
    let time = Timestamp::from_micros(1_795_000_000_000_000 + i64::try_from(index).expect("small") * 1_500);
    let mut event = json!({
        "v": 1,
        "id": id(index),
        "type": kind,
        "time": time,
        "gateway": {"node": "gw-1", "version": "0.1.0"},
        "operation": operation,
        "decision": "permit",
    });
    if index > 0 {
        event["actor"] = json!({"party": "municipality:131016-1", "cert": Digest::of(b"certificate")});
        event["recipient"] = json!("municipality:131016-1");
        event["basis"] = json!("within_purpose");
        event["agreement"] = json!({"id": "AG-13-0001", "ver": 1, "sha256": Digest::of(b"agreement")});
    }
    event
}

fn id(index: u64) -> String {
    uuid::Builder::from_unix_timestamp_millis(1_795_000_000_000 + index, &random(index)).into_uuid().to_string()
}

/// Ten bytes that differ from index to index.
fn random(index: u64) -> [u8; 10] {
    let digest = Digest::of(&index.to_be_bytes());
    digest.as_bytes()[..10].try_into().expect("ten bytes")
}

/// A UUID of version 4.
pub(crate) fn jti(name: &str) -> String {
    let bytes: [u8; 16] = Digest::of(name.as_bytes()).as_bytes()[..16].try_into().expect("sixteen bytes");
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}

/// Three of four entries have an opening.
fn opening(index: u64) -> Option<Value> {
    (index > 0 && !index.is_multiple_of(4)).then(|| {
        json!({
            "case": jti(&format!("case {}", index / 3)),
            "consent": jti(&format!("consent {}", index / 3)),
            "staff": "係員 \"7\"",
            "disclosed": ["family_name", "given_name"],
            "withheld": [{"field": "offence_name", "rules": ["necessity"]}],
        })
    })
}

/// The leaf of an event that commits to an opening, and the opening with its salt.
pub(crate) fn with_opening(mut event: Value, opening: Option<Value>) -> (Vec<u8>, Value) {
    let opened = opening.map_or(Value::Null, |mut opening| {
        let salt = Digest::of(event["id"].to_string().as_bytes());
        opening["salt"] = json!(URL_SAFE_NO_PAD.encode(salt.as_bytes()));
        event["open_c"] = json!(commitment(opening.as_object().expect("an object")).expect("an opening"));
        opening
    });
    (leaf(&event), opened)
}

pub(crate) fn leaf(event: &Value) -> Vec<u8> {
    serde_json_canonicalizer::to_vec(event).expect("canonical")
}
