//! Backups of a gateway that serves, what restoring them says, and the way on after a loss: by the commands, on a real process.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::Value;
use tokio::time::{sleep, timeout};
use tsunagi::{
    ledger::{TreeRecount, examine},
    store::{self, Hold},
    text::audit::Remark,
};

use crate::{
    exchange_stage::{
        BINARY, SOON, Sandbox, Settings,
        ledger::{Stored, connect},
        party::Setback,
        story::Story,
    },
    ledger_stage::{Stage, committed, draft},
    postgres_stage,
};

/// How a command ended, and what it said.
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("{} {}", self.out, self.err))
    }
}

pub(crate) fn tsunagi<const N: usize>(args: [&str; N]) -> Said {
    let done = Command::new(BINARY).args(["--lang", "en"]).args(args).stdin(Stdio::null()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said { code: done.status.code().unwrap(), out: text(done.stdout), err: text(done.stderr) }
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn quiet() -> Sandbox {
    Sandbox::new(Settings { log: "warn", ..Settings::default() })
}

fn mark(sandbox: &Sandbox) -> PathBuf {
    sandbox.path().join("tsunagi.high-water")
}

/// Moves the database away, with what SQLite keeps beside it.
pub(crate) fn lose(sandbox: &Sandbox) {
    let database = sandbox.database();
    for ending in ["", "-wal", "-shm"] {
        let file = PathBuf::from(format!("{}{ending}", database.display()));
        if file.exists() {
            fs::rename(&file, format!("{}.lost", file.display())).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_is_whole_and_a_restored_one_is_served_only_under_a_new_name() {
    let sandbox = quiet();
    let server = sandbox.serve().await;
    let story = Arc::new(Story::open(&sandbox).await);
    let done = Arc::new(AtomicBool::new(false));
    let count = Arc::new(AtomicUsize::new(0));
    let load = tokio::spawn({
        let (story, done, count) = (Arc::clone(&story), Arc::clone(&done), Arc::clone(&count));
        async move {
            let mut sent = Vec::new();
            while !done.load(Ordering::Relaxed) {
                sent.push(story.refer().await.case);
                count.fetch_add(1, Ordering::Relaxed);
            }
            sent
        }
    });
    let config = sandbox.config();
    let folder = sandbox.path().join("backups");
    fs::create_dir(&folder).unwrap();
    let first = folder.join("first.sqlite");
    let mut sizes = Vec::new();
    for place in [&folder, &first] {
        let before = count.load(Ordering::Relaxed);
        let moving = async {
            while count.load(Ordering::Relaxed) < before + 2 {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(SOON, moving).await.expect("there is no load");
        let (config, place) = (config.clone(), place.clone());
        let said = tokio::task::spawn_blocking(move || tsunagi(["--json", "backup", "-c", text(&config), text(&place)])).await.unwrap();
        assert_eq!(said.code, 0, "{}", said.err);
        let told = said.json();
        assert_eq!(told["keys"], false);
        let beside: Vec<&str> = told["keep_beside"].as_array().unwrap().iter().map(|file| file.as_str().unwrap()).collect();
        assert!(
            beside.iter().any(|file| file.ends_with("keys/kek")) && !beside.iter().any(|file| file.ends_with("high-water")),
            "{beside:?}"
        );
        let file = PathBuf::from(told["backup"]["file"].as_str().unwrap());
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let looked_at = sandbox.path().join(format!("looked-at-{}", sizes.len()));
        fs::copy(&file, &looked_at).unwrap();
        let copy = Stored::read(&looked_at).await;
        assert_eq!(Some(u64::try_from(copy.leaves.len()).unwrap()), told["backup"]["size"].as_u64());
        sizes.push(copy.leaves.len());
    }
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "nothing unfinished is left");
    let again = tsunagi(["backup", "-c", text(&config), text(&first)]);
    assert_eq!(again.code, 2, "a file that is there is not written over: {}", again.err);
    done.store(true, Ordering::Relaxed);
    let sent = load.await.unwrap();
    let shown = story.refer().await;
    assert!(sizes[0] < sizes[1] && sent.len() > 3, "there was load: {sizes:?}");
    let kept = String::from_utf8(story.auditor.open_data("/v1/ledger/checkpoint").await.unwrap().body.to_vec()).unwrap();
    server.stop().await;
    let kept_file = sandbox.path().join("kept-by-the-auditor");
    fs::write(&kept_file, &kept).unwrap();
    let whole = Stored::read(&sandbox.database()).await;

    // The database is there: nothing is written over it.
    let refused = tsunagi(["restore", "-c", text(&config), text(&first)]);
    assert!(refused.code == 2 && refused.err.contains("written over"), "{}", refused.err);
    lose(&sandbox);
    let restored = tsunagi(["--json", "restore", "-c", text(&config), text(&first)]);
    let told = restored.json();
    assert_eq!((restored.code, &told["mark"]), (4, &Value::from("behind")), "{}", restored.err);
    assert!(restored.err.contains("not_served") && restored.err.contains("tsunagi ledger reopen"), "{}", restored.err);
    assert_eq!(told["shown"].as_u64(), Some(u64::try_from(whole.leaves.len()).unwrap()));
    assert_eq!(fs::metadata(sandbox.database()).unwrap().permissions().mode() & 0o777, 0o600);
    let stored = Stored::read(&sandbox.database()).await;
    assert_eq!((stored.leaves.len(), &stored.leaves[..]), (sizes[1], &whole.leaves[..sizes[1]]));

    // It is not served, and everything says why and how to go on.
    let said = sandbox.refuses_to_serve().await;
    assert!(said.contains("tsunagi ledger reopen") && said.contains(&whole.leaves.len().to_string()), "{said}");
    let check = tsunagi(["check", "-c", text(&config)]);
    assert!(check.code == 3 && check.out.contains("tsunagi ledger reopen"), "{}", check.out);
    let adopt = tsunagi(["ledger", "adopt", "-c", text(&config)]);
    assert!(adopt.code == 3 && mark(&sandbox).exists(), "adopting is no way past a loss: {}", adopt.err);

    // The way on.
    let origin = "localhost/ledger-2";
    let reopened = tsunagi(["--json", "ledger", "reopen", "-c", text(&config), "--origin", origin]);
    assert_eq!(reopened.code, 0, "{}", reopened.err);
    let told = reopened.json();
    assert_eq!(told["index"].as_u64(), Some(u64::try_from(sizes[1]).unwrap()));
    assert_eq!(told["reopens"]["known"]["size"].as_u64(), Some(u64::try_from(whole.leaves.len()).unwrap()));
    assert!(Path::new(told["aside"].as_str().unwrap()).exists(), "the mark from before is evidence");
    let said = sandbox.refuses_to_serve().await;
    assert!(said.contains("origin"), "the configuration still has the old name: {said}");
    let old_origin = sandbox.rename(origin, told["vkey"].as_str().unwrap());
    let server = sandbox.serve().await;
    let check = tsunagi(["check", "-c", text(&config)]);
    assert_eq!(check.code, 0, "{}", check.out);
    let story = Story::open(&sandbox).await;
    let (cases, _) = story.cases(None).await.unwrap();
    assert!(cases.contains(&sent[0]) && !cases.contains(&shown.case), "what survived is there, what was lost is not");
    let after = story.refer().await;
    assert!(story.read(&after.case, crate::exchange_stage::story::PLACEMENT).await.is_ok());

    // What an auditor sees who kept a head from before.
    let export = sandbox.path().join("export");
    let auditor = sandbox.path().join("parties/auditor-tokyo");
    let exported = tsunagi(["audit", "export", "--as", text(&auditor), text(&export)]);
    assert_eq!(exported.code, 0, "{}", exported.err);
    let vkey = told["vkey"].as_str().unwrap();
    let verified = tsunagi(["--json", "audit", "verify", text(&export), "--vkey", vkey, "--since", text(&kept_file)]);
    let report = verified.json();
    assert_eq!((verified.code, &report["holds"]), (0, &Value::from(true)), "{report}");
    assert_eq!(report["breaks"][0]["reopens"]["from"], Value::from(old_origin));
    let remarks = report["remarks"].as_array().unwrap();
    for remark in [Remark::LedgerReopened, Remark::EntriesLost] {
        assert!(remarks.iter().any(|told| told["remark"] == serde_json::to_value(remark).unwrap()), "{report}");
    }
    let told = tsunagi(["audit", "verify", text(&export), "--vkey", vkey]).out;
    assert!(told.contains(origin) && told.contains("break: "), "{told}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_break_on_record_is_told_even_when_no_mark_can_be_made_behind_it() {
    let sandbox = quiet();
    let config = sandbox.config();
    let server = sandbox.serve().await;
    Story::open(&sandbox).await.refer().await;
    let backup = sandbox.path().join("early.sqlite");
    assert_eq!(tsunagi(["backup", "-c", text(&config), text(&backup)]).code, 0);
    Story::open(&sandbox).await.refer().await;
    server.stop().await;
    lose(&sandbox);
    assert_eq!(tsunagi(["restore", "-c", text(&config), text(&backup)]).code, 4);

    // Where the new mark is written first there is a folder.
    let in_the_way = sandbox.path().join("tsunagi.high-water.new");
    fs::create_dir(&in_the_way).unwrap();
    let origin = "localhost/ledger-2";
    let reopened = tsunagi(["--json", "ledger", "reopen", "-c", text(&config), "--origin", origin]);
    assert_eq!(reopened.code, 3, "{}", reopened.err);
    let told = reopened.json();
    assert!(told["index"].as_u64().is_some() && told["reopens"]["origin"] == origin, "what is on record is told: {told}");
    assert!(reopened.err.contains("Do not run this again") && reopened.err.contains("tsunagi ledger adopt"), "{}", reopened.err);

    fs::remove_dir(&in_the_way).unwrap();
    sandbox.rename(origin, told["vkey"].as_str().unwrap());
    let adopted = tsunagi(["ledger", "adopt", "-c", text(&config)]);
    assert_eq!(adopted.code, 0, "{}", adopted.err);
    let server = sandbox.serve().await;
    Story::open(&sandbox).await.refer().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_backups_to_one_file_one_is_made_and_it_is_whole() {
    let sandbox = quiet();
    let config = sandbox.config();
    let backup = sandbox.path().join("one.sqlite");
    // What a crash left behind is in nobody's way and is not written over.
    let left = sandbox.path().join("one.sqlite.1.unfinished");
    fs::write(&left, b"half").unwrap();
    let runs: Vec<_> = (0..4)
        .map(|_| {
            let (config, backup) = (config.clone(), backup.clone());
            tokio::task::spawn_blocking(move || tsunagi(["--json", "backup", "-c", text(&config), text(&backup)]))
        })
        .collect();
    let mut made = Vec::new();
    for run in runs {
        let done = run.await.unwrap();
        match done.code {
            0 => made.push(done.json()["backup"]["size"].as_u64().unwrap()),
            2 => {}
            code => panic!("{code}: {}", done.err),
        }
    }
    let [size] = made.as_slice() else { panic!("one is made: {made:?}") };
    assert_eq!(u64::try_from(Stored::read(&backup).await.leaves.len()).unwrap(), *size);
    assert_eq!(fs::read(&left).unwrap(), b"half");
    let names = fs::read_dir(sandbox.path()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.filter(|name| name.contains("unfinished")).count(), 1, "nothing else unfinished is left");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_newest_backup_serves_again_and_a_mark_says_what_it_can() {
    let sandbox = quiet();
    let config = sandbox.config();
    let backup = sandbox.path().join("whole.sqlite");
    assert_eq!(tsunagi(["backup", "-c", text(&config), text(&backup)]).code, 0);
    lose(&sandbox);
    let said = sandbox.refuses_to_serve().await;
    assert!(said.contains("database"), "{said}");
    // A log that a database left behind would be replayed into the copy.
    let left = sandbox.path().join("data/tsunagi.sqlite-wal");
    fs::write(&left, b"x").unwrap();
    assert_eq!(tsunagi(["restore", "-c", text(&config), text(&backup)]).code, 2);
    fs::remove_file(&left).unwrap();
    // A damaged copy is refused and leaves nothing.
    let damaged = sandbox.path().join("damaged.sqlite");
    let mut bytes = fs::read(&backup).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 20_000].fill(0xAA);
    for spoilt in [&bytes[..], &bytes[..middle / 3 * 2], &vec![0xAA; 40_000], b"no copy"] {
        fs::write(&damaged, spoilt).unwrap();
        let refused = tsunagi(["restore", "-c", text(&config), text(&damaged)]);
        assert!(refused.code == 3 && !sandbox.database().exists(), "{}: {}", refused.code, refused.err);
    }
    assert!(
        fs::read_dir(sandbox.path().join("data")).unwrap().all(|file| file.unwrap().path().extension().is_some_and(|end| end == "lost"))
    );
    let restored = tsunagi(["--json", "restore", "-c", text(&config), text(&backup)]);
    assert_eq!((restored.code, &restored.json()["mark"]), (0, &Value::from("fits")), "{}", restored.err);
    let reopened = tsunagi(["ledger", "reopen", "-c", text(&config), "--origin", "localhost/ledger-2"]);
    assert!(reopened.code != 0 && reopened.err.contains("nothing is lost"), "{}", reopened.err);

    // A torn slot leaves the other one, which is older and fits as well.
    sandbox.serve().await.stop().await;
    let mut bytes = fs::read(mark(&sandbox)).unwrap();
    bytes[40] ^= 1;
    fs::write(mark(&sandbox), &bytes).unwrap();
    sandbox.serve().await.stop().await;
    // Two gateways cannot share one.
    let server = sandbox.serve().await;
    let other = sandbox.path().join("other.toml");
    fs::write(&other, fs::read_to_string(&config).unwrap() + "\n[ledger]\nhigh_water = \"tsunagi.high-water\"\n").unwrap();
    let refused = tsunagi(["serve", "-c", text(&other)]);
    assert!(refused.code != 0 && refused.err.contains("another gateway holds"), "{}", refused.err);
    server.stop().await;

    // Without a mark nobody can tell; an operator says so once.
    fs::remove_file(mark(&sandbox)).unwrap();
    let said = sandbox.refuses_to_serve().await;
    assert!(said.contains("tsunagi ledger adopt"), "{said}");
    let check = tsunagi(["check", "-c", text(&config)]);
    assert!(check.code == 3 && check.out.contains("tsunagi ledger adopt"), "{}", check.out);
    assert_eq!(tsunagi(["ledger", "adopt", "-c", text(&config)]).code, 0);
    assert_eq!(tsunagi(["ledger", "adopt", "-c", text(&config)]).code, 0, "saying it again changes nothing");
    sandbox.serve().await.stop().await;

    // The mark of another ledger is none, and is not put aside for the asking.
    let stranger = quiet();
    fs::copy(mark(&stranger), mark(&sandbox)).unwrap();
    let said = sandbox.refuses_to_serve().await;
    assert!(said.contains("is of the ledger"), "{said}");
    assert_ne!(tsunagi(["ledger", "adopt", "-c", text(&config)]).code, 0);
    fs::write(mark(&sandbox), b"spoilt").unwrap();
    assert!(sandbox.refuses_to_serve().await.contains("cannot be read"));
    assert_eq!(tsunagi(["ledger", "adopt", "-c", text(&config)]).code, 0);
    sandbox.serve().await.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_goes_back_while_it_is_served_ends_the_service() {
    let sandbox = quiet();
    let server = sandbox.serve().await;
    let story = Story::open(&sandbox).await;
    let referral = story.refer().await;
    let mut connection = connect(&sandbox.database()).await;
    // One entry less, as after a failover to a standby that lacked it.
    let backup = sandbox.path().join("whole.sqlite");
    assert_eq!(tsunagi(["backup", "-c", text(&sandbox.config()), text(&backup)]).code, 0);
    story.refer().await;
    for sql in ["DROP TRIGGER ledger_leaf_no_delete", "DROP TRIGGER ledger_entry_no_delete", "DROP TRIGGER ledger_head_forward"] {
        sqlx::query(sql).execute(&mut connection).await.unwrap();
    }
    sqlx::query("ATTACH ? AS old").bind(text(&backup)).execute(&mut connection).await.unwrap();
    for sql in [
        "DELETE FROM ledger_leaf WHERE idx >= (SELECT size FROM old.ledger_head)",
        "DELETE FROM ledger_entry WHERE idx >= (SELECT size FROM old.ledger_head)",
        "UPDATE ledger_head SET (size, root, frontier, last_time) = (SELECT size, root, frontier, last_time FROM old.ledger_head)",
    ] {
        sqlx::query(sql).execute(&mut connection).await.unwrap();
    }
    for target in ["/v1/ledger/checkpoint", "/v1/parties"] {
        let refused = story.auditor.open_data(target).await.map(|answer| answer.status).unwrap_err();
        assert_eq!((refused.problem().code.as_str()), "ledger_unavailable", "{target}");
    }
    let refused: Setback = story.read(&referral.case, crate::exchange_stage::story::PLACEMENT).await.err().unwrap();
    assert_eq!(refused.code(), "ledger_unavailable");
    let (status, _) = server.admin("/readyz").await.unwrap();
    assert_eq!(status, 503);
    server.kill();
    let said = sandbox.refuses_to_serve().await;
    assert!(said.contains("tsunagi ledger reopen"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_finds_what_is_wrong_writes_nothing_and_says_what_to_do() {
    let sandbox = quiet();
    let config = sandbox.config();
    let check = || tsunagi(["--json", "check", "-c", text(&config)]);
    let levels = |said: &Said| -> Vec<(String, String)> {
        let findings = said.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let word = |value: &Value| value.as_str().unwrap().to_owned();
        findings
            .map(|finding| {
                let remedied = finding["remedy"]["en"].is_string() && finding["remedy"]["ja"].is_string();
                assert_eq!(remedied, finding["level"] != "ok", "{finding}");
                (word(&finding["area"]), word(&finding["level"]))
            })
            .collect()
    };
    let faults =
        |said: &Said| -> Vec<String> { levels(said).into_iter().filter(|(_, level)| level == "fault").map(|(area, _)| area).collect() };
    let mark_before = fs::read(mark(&sandbox)).unwrap();
    let before = Stored::read(&sandbox.database()).await.leaves;
    let said = check();
    assert_eq!((said.code, faults(&said)), (0, vec![]), "{}", said.out);
    assert!(levels(&said).contains(&("configuration".to_owned(), "notice".to_owned())), "it says that it is a sandbox");
    assert!(Stored::read(&sandbox.database()).await.leaves == before && fs::read(mark(&sandbox)).unwrap() == mark_before, "it wrote");
    let areas: std::collections::BTreeSet<String> = levels(&said).into_iter().map(|(area, _)| area).collect();
    for area in [
        "configuration",
        "keys",
        "certificates",
        "revocation lists",
        "policies",
        "schemas",
        "database",
        "ledger",
        "high-water mark",
        "disk",
        "clock",
    ] {
        assert!(areas.contains(area), "{area}");
    }
    let server = sandbox.serve().await;
    assert_eq!(check().code, 0, "while it serves");
    server.stop().await;

    let key = sandbox.path().join("keys/kb.jwk");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let said = check();
    assert_eq!((said.code, faults(&said)), (2, vec!["keys".to_owned()]));
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();

    // A key of another kind, and a key-encryption key of another database.
    let own = fs::read(&key).unwrap();
    fs::write(&key, fs::read(sandbox.path().join("keys/ledger.seed")).unwrap()).unwrap();
    assert_eq!(faults(&check()), ["keys"]);
    fs::write(&key, own).unwrap();
    let kek = sandbox.path().join("keys/kek");
    let own = fs::read(&kek).unwrap();
    fs::write(&kek, "0".repeat(64)).unwrap();
    let said = check();
    assert_eq!((said.code, faults(&said)), (3, vec!["keys".to_owned()]));
    fs::write(&kek, own).unwrap();

    let written = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{written}\nunheard = 1\n")).unwrap();
    let said = check();
    assert_eq!((said.code, faults(&said)), (2, vec!["configuration".to_owned()]));
    fs::write(&config, written.replace("ca/crl.pem", "ca/ca.pem")).unwrap();
    assert_eq!(faults(&check()), ["certificates"]);
    fs::write(&config, written.replace("/ledger\"", "/other\"")).unwrap();
    let said = check();
    assert_eq!(said.code, 3);
    assert_eq!(faults(&said), ["ledger", "high-water mark"], "the name is another");
    fs::write(&config, written).unwrap();

    lose(&sandbox);
    let said = check();
    assert_eq!((said.code, faults(&said)), (3, vec!["database".to_owned()]));
}

/// A PostgreSQL exchange is backed up into one file and put back into an empty database.
#[tokio::test]
async fn a_postgresql_ledger_is_backed_up_into_a_file_and_restored_into_an_empty_database() {
    let (Some(stage), Some(empty)) = (Stage::postgres().await, postgres_stage::database()) else { return };
    let (ledger, task) = stage.ledger().await;
    for _ in 0..300 {
        committed(ledger.append(draft()).await);
    }
    let place = stage.folder.path().join("backup.sqlite");
    let from = stage.url().as_str().into();
    let staged = store::back_up(&from, &place, TreeRecount::default()).await.unwrap();
    committed(ledger.append(draft()).await);
    ledger.close().await;
    task.await.unwrap();
    let place = staged.finish().await.unwrap();
    assert_eq!(fs::metadata(&place).unwrap().permissions().mode() & 0o777, 0o600);
    let copy = store::sqlite_url(&place).unwrap();
    let opened = store::open(&copy).await.unwrap();
    let examined = examine(&*opened).await.unwrap();
    assert_eq!((examined.head.size, examined.tiles), (301, 1));
    opened.close().await;
    store::copy(&copy.as_str().into(), &empty.owner().as_str().into(), None, Hold::Shared, TreeRecount::default()).await.unwrap();
    let back = store::open(&empty.owner()).await.unwrap();
    assert_eq!(examine(&*back).await.unwrap(), examined);
    back.close().await;
}
