//! `tsunagi audit` as an auditor runs it, against a gateway that is a process of its own.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use serde_json::Value;

use super::export_stage::read;

struct Sandbox {
    folder: tempfile::TempDir,
    gateway: Child,
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let ended = self.gateway.kill().and_then(|()| self.gateway.wait());
        assert!(ended.is_ok() || std::thread::panicking(), "{ended:?}");
    }
}

impl Sandbox {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path().join("sandbox");
        assert_eq!(code(&tsunagi(&["init".as_ref(), at.as_ref()])), 0);
        let gateway = Command::new(BINARY)
            .args(["serve".as_ref(), "-c".as_ref(), at.join("tsunagi.toml").as_os_str()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("started");
        let sandbox = Self { folder, gateway };
        let serves = (0..150).any(|_| {
            std::thread::sleep(Duration::from_millis(200));
            code(&sandbox.audit(&["events", "--limit", "1"])) == 0
        });
        assert!(serves, "the gateway did not come up");
        sandbox
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn party(&self, name: &str) -> PathBuf {
        self.path("sandbox/parties").join(name)
    }

    fn audit(&self, words: &[&str]) -> Output {
        self.audit_as("auditor-tokyo", words)
    }

    fn audit_as(&self, party: &str, words: &[&str]) -> Output {
        let (command, rest) = words.split_first().expect("a command");
        let mut all = vec!["audit".into(), (*command).into(), "--as".into(), self.party(party).into_os_string()];
        all.extend(rest.iter().map(std::ffi::OsString::from));
        tsunagi(&all.iter().map(AsRef::as_ref).collect::<Vec<_>>())
    }

    fn export(&self, format: &str, name: &str) -> Output {
        self.audit(&["export", "--format", format, self.path(name).to_str().expect("UTF-8")])
    }

    fn verify(&self, name: &str, since: Option<&str>) -> Output {
        let mut words =
            vec!["--json".into(), "audit".into(), "verify".into(), self.path(name).into_os_string(), "--vkey".into(), self.vkey().into()];
        if let Some(since) = since {
            words.extend(["--since".into(), self.path(since).join("checkpoint").into_os_string()]);
        }
        tsunagi(&words.iter().map(AsRef::as_ref).collect::<Vec<_>>())
    }

    /// The key as the auditor pinned it.
    fn vkey(&self) -> String {
        let pinned = std::fs::read(self.party("auditor-tokyo").join("gateway-keys.json")).expect("pinned");
        let pinned: Value = serde_json::from_slice(&pinned).expect("JSON");
        pinned["ledger"]["vkey"].as_str().expect("a key").to_owned()
    }
}

fn tsunagi(words: &[&std::ffi::OsStr]) -> Output {
    Command::new(BINARY).args(["--lang", "en"]).args(words).env_remove("TSUNAGI_IDENTITY").output().expect("started")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("ended by itself")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn object(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}

const BINARY: &str = env!("CARGO_BIN_EXE_tsunagi");

#[test]
fn an_auditor_exports_verifies_and_keeps_watch() {
    let mut sandbox = Sandbox::start();

    let exported = sandbox.export("tiles", "first");
    assert_eq!(code(&exported), 0, "{}", said(&exported));
    let verified = object(&sandbox.verify("first", None));
    let size = verified["size"].as_u64().expect("a size");
    assert_eq!((&verified["holds"], verified["types"]["ledger_opened"].as_u64()), (&Value::Bool(true), Some(1)));
    assert!(size > 20 && verified["openings"]["opened"].as_u64() > Some(10), "{verified}");
    let files = read(&sandbox.path("first"));
    assert!(files.contains_key(&format!("tile/entries/000.p/{size}")) && files.contains_key("README.txt"));

    assert_eq!(code(&sandbox.export("tiles", "first")), 2, "what is there is not touched");
    assert_eq!(read(&sandbox.path("first")), files);

    assert_eq!(code(&sandbox.export("tiles", "second")), 0);
    let later = object(&sandbox.verify("second", Some("first")));
    assert_eq!((later["holds"].as_bool(), later["continues"].as_u64()), (Some(true), Some(size)));
    let earlier = sandbox.verify("first", Some("second"));
    assert_eq!((code(&earlier), &object(&earlier)["problems"][0]["finding"]), (3, &Value::from("kept_newer")));

    lines_and_tables(&sandbox);
    events(&sandbox);

    let refused = sandbox.audit_as("group_home-1320100017", &["export", sandbox.path("stolen").to_str().expect("UTF-8")]);
    assert_eq!(code(&refused), 1);
    assert!(said(&refused).contains("operation_not_allowed"), "{}", said(&refused));

    another_key_is_pinned(&sandbox);

    sandbox.gateway.kill().and_then(|()| sandbox.gateway.wait()).expect("ended");
    let unreachable = sandbox.export("csv", "late.csv");
    assert_eq!(code(&unreachable), 3, "{}", said(&unreachable));
    for name in ["stolen", "stolen.unfinished", "late.csv", "late.csv.unfinished", "second.unfinished"] {
        assert!(!sandbox.path(name).exists(), "{name}");
    }
}

fn lines_and_tables(sandbox: &Sandbox) {
    for (format, name) in [("ndjson", "events.ndjson"), ("csv", "events.csv")] {
        let exported = sandbox.export(format, name);
        assert_eq!(code(&exported), 0, "{}", said(&exported));
        assert!(String::from_utf8_lossy(&exported.stdout).contains("each of them in the signed ledger"));
    }
    let text = |name| std::fs::read_to_string(sandbox.path(name)).expect("UTF-8");
    for (index, line) in (0_u64..).zip(text("events.ndjson").lines()) {
        let event: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(event["index"].as_u64(), Some(index), "no event is missing");
    }
    let table = text("events.csv");
    assert!(table.starts_with('\u{feff}') && table.ends_with("\r\n"));
    assert!(table.lines().count() > text("events.ndjson").lines().count(), "a heading, and the queries of the export before");
}

fn events(sandbox: &Sandbox) {
    let output = sandbox.audit(&["events", "--type", "party", "--limit", "5", "--json"]);
    let events: Vec<Value> =
        String::from_utf8_lossy(&output.stdout).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(events.len(), 5);
    assert!(events.iter().all(|event| event["entry"]["type"] == "party"));
    let text = String::from_utf8(sandbox.audit(&["events", "--type", "agreement_signature"]).stdout).expect("UTF-8");
    assert!(
        text.contains("agreement signed (agreement.sign, accept)") && text.contains("each proven to stand in the signed ledger"),
        "{text}"
    );
    for wrong in [&["events", "--type", "rumour"][..], &["events", "--from", "yesterday"], &["events", "--limit", "0"]] {
        assert_eq!(code(&sandbox.audit(wrong)), 2, "{wrong:?}");
    }
}

/// The same gateway, but the auditor trusts another ledger key: nothing is believed, and what was received is not called an export.
fn another_key_is_pinned(sandbox: &Sandbox) {
    let file = sandbox.party("auditor-tokyo").join("gateway-keys.json");
    let before = std::fs::read_to_string(&file).expect("pinned");
    let mut pinned: Value = serde_json::from_str(&before).expect("JSON");
    let name = pinned["ledger"]["origin"].as_str().expect("an origin").parse().expect("a name");
    let other = tsunagi::tlog::NoteSigner::from_seed(name, &zeroize::Zeroizing::new([8; 32])).expect("a key");
    pinned["ledger"]["vkey"] = Value::from(other.verifier().to_string());
    rewrite(&file, &pinned.to_string());
    let doubted = sandbox.export("tiles", "doubted");
    assert_eq!(code(&doubted), 3, "{}", said(&doubted));
    assert!(!sandbox.path("doubted").exists());
    assert_eq!(code(&sandbox.audit(&["events", "--limit", "1"])), 3);
    rewrite(&file, &before);
}

fn rewrite(file: &Path, text: &str) {
    std::fs::write(file, text).expect("written");
}
