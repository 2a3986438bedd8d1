//! After `tsunagi ledger reopen` with a witness: the witness knows the ledger under its old name and learns the new one, and an auditor can see both.

use std::fs;

use sqlx::Connection as _;
use tsunagi::{domain::codes::Purpose, tlog::Quorum};

use crate::{
    backup_restore::{lose, text, tsunagi},
    exchange_stage::{AUDITOR, ledger::connect, story::Story},
    witness_gateway::{auditor_key, note, sandbox_with, says},
    witness_stage::WitnessServer,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reopened_ledger_is_cosigned_under_its_new_name_and_the_loss_stays_on_record() {
    let witness = WitnessServer::start("witness.example/w", 41).await;
    let sandbox = sandbox_with(&witness, "");
    let config = sandbox.config();
    let server = sandbox.serve().await;
    let story = Story::open(&sandbox).await;
    let survived = story.refer().await;
    let backup = sandbox.path().join("backup.sqlite");
    assert_eq!(tsunagi(["backup", "-c", text(&config), text(&backup)]).code, 0);
    let old = auditor_key(&sandbox);
    story.refer().await;
    let auditor = &story.auditor;
    let newest = tsunagi::tlog::open_checkpoint(&note(auditor, "/v1/ledger/checkpoint").await, &old).unwrap().size();
    says(&server, 200, &format!("ready\nwitnesses_in_time: cosigned {newest}\n")).await;
    let quorum = Quorum::new(vec![witness.key()], 1).unwrap();
    let lost = note(auditor, "/v1/ledger/checkpoint/cosigned").await;
    let cosigned = quorum.open(&lost, &old).unwrap().size();
    let kept = sandbox.path().join("kept-by-the-auditor");
    fs::write(&kept, &lost).unwrap();
    server.stop().await;

    // The machine is lost, and with it the mark; the backup is older than what the witness cosigned.
    lose(&sandbox);
    fs::remove_file(sandbox.path().join("tsunagi.high-water")).unwrap();
    let restored = tsunagi(["restore", "-c", text(&config), text(&backup)]);
    assert!(restored.code == 4 && restored.err.contains("tsunagi ledger adopt"), "{}", restored.err);
    assert_eq!(tsunagi(["ledger", "adopt", "-c", text(&config)]).code, 0, "nothing here says that anything is lost");
    let said = sandbox.refuses_to_serve().await;
    assert!(said.contains("tsunagi ledger reopen") && said.contains("the head that the witness keeps"), "{said}");
    let check = tsunagi(["check", "-c", text(&config)]);
    assert!(check.code == 3 && check.out.contains(&format!("holds another ledger: rolled_back {cosigned} ")), "{}", check.out);

    let origin = "localhost/ledger-2";
    let reopened = tsunagi(["--json", "ledger", "reopen", "-c", text(&config), "--origin", origin, "--known", text(&kept)]);
    assert_eq!(reopened.code, 0, "{}", reopened.err);
    let told = reopened.json();
    let (index, vkey) = (told["index"].as_u64().unwrap(), told["vkey"].as_str().unwrap());
    assert_eq!(told["reopens"]["known"]["size"].as_u64(), Some(cosigned));
    sandbox.rename(origin, vkey);
    // The lease of the gateway that is lost came with the backup. It runs out by itself; nobody waits for that here.
    let mut connection = connect(&sandbox.database()).await;
    sqlx::query("UPDATE ledger_publisher SET expires = 0").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();

    // The same witness cosigns the new name from its first head on, and the dispute over the old one is over.
    let server = sandbox.serve().await;
    let new = auditor_key(&sandbox);
    assert!(new.to_string() == vkey && new.name().as_str() == origin);
    let story = Story::open(&sandbox).await;
    let first = quorum.open(&note(&story.auditor, "/v1/ledger/checkpoint/cosigned").await, &new).unwrap();
    assert!(first.size() > index && first.size() < cosigned, "{first:?}");
    story.read(&survived.case, crate::exchange_stage::story::PLACEMENT).await.unwrap();
    let after = story.auditor.json("/v1/audit/events?limit=1", Purpose::AuditReview).await;
    assert!(after.is_ok());
    let size = tsunagi::tlog::open_checkpoint(&note(&story.auditor, "/v1/ledger/checkpoint").await, &new).unwrap().size();
    says(&server, 200, &format!("ready\nwitnesses_in_time: cosigned {size}\n")).await;
    let check = tsunagi(["check", "-c", text(&config)]);
    assert!(check.code == 0 && check.out.contains("witnesses: 1 of 1 must cosign"), "{}", check.out);

    // An auditor verifies the export with the witness, and with the cosigned head that was lost.
    let export = sandbox.path().join("export");
    let identity = sandbox.identity(&AUDITOR.parse().unwrap());
    assert_eq!(tsunagi(["audit", "export", "--as", text(&identity), text(&export)]).code, 0);
    let verify = |key: &str, more: &[&str]| {
        let vkey = witness.vkey();
        let mut words = vec!["--json", "audit", "verify", text(&export), "--vkey", key, "--witness", &vkey, "--quorum", "1"];
        words.extend(more);
        let done = std::process::Command::new(crate::exchange_stage::BINARY).args(words).output().unwrap();
        (done.status.code().unwrap(), String::from_utf8(done.stdout).unwrap())
    };
    let (code, report) = verify(vkey, &["--since", text(&kept)]);
    assert_eq!(code, 0, "{report}");
    assert!(report.contains("entries_lost") && report.contains("ledger_reopened"), "{report}");
    assert_eq!(verify(&old.to_string(), &[]).0, 3, "nothing is signed under the old name any more");
    // The database: with what it kept from before, and with the head that is lost.
    for since in [["audit", "inspect", "-c", text(&config)].as_slice(), &["audit", "inspect", "-c", text(&config), "--since", text(&kept)]]
    {
        let done = std::process::Command::new(crate::exchange_stage::BINARY).arg("--json").args(since).output().unwrap();
        let report = String::from_utf8(done.stdout).unwrap();
        assert!(done.status.success() && report.contains("ledger_reopened"), "{report}");
        assert_eq!(report.contains("entries_lost"), since.contains(&"--since"), "{report}");
    }
    server.stop().await;
}
