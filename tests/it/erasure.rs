//! Erasing a case while two gateways serve it: nothing of the person opens or is found any more, every old proof and receipt stands, and nobody is shown
//! anything behind the erasure's entry.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use serde_json::Value;
use sqlx::Connection as _;
use tsunagi::domain::{
    codes::Purpose,
    digest::Digest,
    entry::{EntryType, Outcome},
};

use crate::{
    erasure_stage::{Stored, erase, export, hunt, in_both, lying, marked, printed, refused},
    exchange_stage::{
        BINARY, CENTRE, MUNICIPALITY, Sandbox, Settings, files,
        ledger::{Ledger, connect},
        policies::tsunagi,
        story::{BENEFIT, PLACEMENT, Sent, Story},
    },
    postgres_stage,
};

in_both! {
    "trace";
    nothing_of_an_erased_case_opens_or_is_found_and_every_proof_still_stands,
}

mod under_load {
    use super::nobody_is_shown_anything_behind_the_erasure_and_a_killed_one_did_all_or_nothing;
    crate::erasure_stage::in_both! {
        "info";
        nobody_is_shown_anything_behind_the_erasure_and_a_killed_one_did_all_or_nothing,
    }
}

async fn nothing_of_an_erased_case_opens_or_is_found_and_every_proof_still_stands(sandbox: Sandbox) {
    let stored = Stored::of(&sandbox);
    let server = sandbox.serve().await;
    let (another, address) = sandbox.serve_another().await;
    let (story, sent) = marked(&sandbox).await;
    let elsewhere = Story::open(&sandbox).await.at(address);
    let case = sent.referral.case.as_str();
    let own = sent.accepted.subject["case"].as_str().unwrap();
    let first = story.read(case, PLACEMENT).await.unwrap();
    elsewhere.read(case, BENEFIT).await.unwrap();
    story.municipality.json(&format!("/v1/cases/{case}/messages"), PLACEMENT).await.unwrap();
    let receipts = story.centre.json(&format!("/v1/cases/{own}/receipts"), PLACEMENT).await.unwrap();
    let consent = format!("/v1/consents/{}", sent.referral.consent.jti);
    story.centre.json(&consent, PLACEMENT).await.unwrap();

    // What is searched for is there: it opens, and it lies in the files.
    let hunt = hunt();
    let before = stored.openable(&sandbox).await;
    assert!(before.iter().any(|text| !hunt.in_bytes(text).is_empty()), "nothing is marked");
    let doomed = stored.doomed().await;
    assert!(doomed.len() > 8, "only {} are searched for", doomed.len());
    assert_eq!(lying(&doomed, &stored.on_disk()), doomed.len());

    // Another case, which must not suffer.
    let other = Story::open(&sandbox).await;
    let kept = other.refer().await;

    let rehearsed = printed(&erase(&sandbox, case, MUNICIPALITY, &["--dry-run"]));
    assert_eq!(
        (rehearsed["index"].clone(), rehearsed["messages"].clone(), rehearsed["consents"].clone()),
        (Value::Null, 1.into(), 1.into())
    );
    story.read(case, PLACEMENT).await.unwrap();
    let done = printed(&erase(&sandbox, case, MUNICIPALITY, &[]));
    let index = done["index"].as_u64().unwrap();
    let left = if sandbox.postgres().is_some() { "owner" } else { "nothing" };
    assert_eq!((done["keys"].as_u64(), done["left"].as_str()), (Some(2), Some(left)), "{done}");
    assert_eq!(done["openings"].as_u64(), rehearsed["openings"].as_u64().map(|openings| openings + 1), "the read since");
    let again = printed(&erase(&sandbox, case, MUNICIPALITY, &[]));
    assert_eq!((again["erased_before"].clone(), again["index"].clone()), (true.into(), Value::Null));
    let again = printed(&erase(&sandbox, own, CENTRE, &[]));
    assert_eq!(again["erased_before"], true, "by the other side's id");

    // Who stood in it is told at either gateway; it is in no list.
    for side in [&story, &elsewhere] {
        assert_eq!(refused(side.read(case, PLACEMENT).await.unwrap_err()), (410, "erased".to_owned()));
        let messages = side.municipality.json(&format!("/v1/cases/{case}/messages"), PLACEMENT).await.unwrap_err();
        assert_eq!(refused(messages), (410, "erased".to_owned()));
        assert_eq!(refused(side.centre.json(&consent, PLACEMENT).await.unwrap_err()), (410, "erased".to_owned()));
        assert_eq!(refused(side.municipality.json(&consent, PLACEMENT).await.unwrap_err()), (404, "not_found".to_owned()));
        assert_eq!(side.cases(None).await.unwrap().0, std::slice::from_ref(&kept.case));
    }
    // For everybody else it was never there.
    assert_eq!(refused(story.centre.json(&format!("/v1/cases/{case}"), PLACEMENT).await.unwrap_err()), (404, "not_found".to_owned()));
    // The same message again gets its first answer again; its receipts are given as before.
    let repeated = elsewhere.submit(&sent.message).await.unwrap();
    assert_eq!((repeated.index, &repeated.leaf), (sent.accepted.index, &sent.accepted.leaf));
    for member in ["case", "message"] {
        assert_eq!(repeated.subject[member], sent.accepted.subject[member]);
    }
    let still = story.centre.json(&format!("/v1/cases/{own}/receipts"), PLACEMENT).await.unwrap();
    let receipts = receipts["receipts"].as_array().unwrap().len();
    assert!(receipts >= 3 && still["receipts"].as_array().unwrap().len() > receipts, "the dry run's read has its receipt too");
    // A new message cannot rest on what was erased.
    let late = story.sign(&story.draft(&sent.referral.consent));
    assert_eq!(refused(story.submit(&late).await.unwrap_err()), (403, "no_consent".to_owned()));
    other.read(&kept.case, PLACEMENT).await.unwrap();

    // The ledger: old leaves and heads stand, the erased details are gone, nothing is found by the case or the consent.
    let ledger = Ledger::read(&story.auditor).await;
    assert!(ledger.had(&sent.accepted.checkpoint) && ledger.had(&first.checkpoint));
    let at = |index: u64| &ledger.records[usize::try_from(index).unwrap()];
    assert_eq!((at(sent.accepted.index).leaf.as_slice(), at(sent.accepted.index).opening.is_none()), (sent.accepted.leaf.as_slice(), true));
    let erasure = at(index);
    let opening = erasure.opening.as_ref().unwrap();
    assert_eq!(
        (erasure.entry.entry_type, erasure.entry.recipient.as_ref().unwrap().to_string()),
        (EntryType::Erasure, MUNICIPALITY.to_owned())
    );
    assert_eq!((u64::try_from(opening.erased.len()).ok(), opening.staff.as_deref()), (erasure.entry.count, Some("decision-7")));
    assert!(opening.erased.contains(&sent.accepted.index) && opening.erased.iter().all(|one| at(*one).opening.is_none()));
    for target in [format!("case={case}"), format!("case={own}"), format!("consent={}", sent.referral.consent.jti)] {
        let found = story.auditor.json(&format!("/v1/audit/events?{target}"), Purpose::AuditReview).await.unwrap();
        assert_eq!(found["events"], serde_json::json!([]), "{target}");
    }
    let found = story.auditor.json(&format!("/v1/audit/events?case={}", kept.case), Purpose::AuditReview).await.unwrap();
    assert!(!found["events"].as_array().unwrap().is_empty());

    // Exports verify and hold no word; the database is as its ledger says.
    for (format, name) in [("tiles", "copy"), ("ndjson", "copy.ndjson"), ("csv", "copy.csv")] {
        let done = export(&sandbox, format, name).1;
        let report = printed(&done);
        assert!(format != "tiles" || (report["holds"] == true && report["openings"]["erased"] == opening.erased.len()), "{report}");
    }
    assert_eq!(printed(&tsunagi(&["--json", "audit", "inspect"], &sandbox))["holds"], true);

    // Nothing that remains opens to a word, and nothing that was destroyed is in a fresh dump, as it is or sealed.
    let (dump, restored) = stored.dump(&sandbox).await;
    assert_eq!(lying(&doomed, &fs::read(dump).unwrap()), 0, "in the dump");
    for database in [&stored, &restored] {
        let after = database.openable(&sandbox).await;
        assert!(!after.is_empty() && after.iter().all(|text| hunt.in_bytes(text).is_empty()));
        let orphans = "SELECT count(*) FROM ledger_opening o JOIN data_key k ON k.id = o.key WHERE k.wrapped IS NULL";
        assert_eq!(database.count(orphans).await, 0);
    }
    // SQLite overwrote it; PostgreSQL's owner does what the command said.
    if let Stored::Server(database) = &stored {
        let dead = lying(&doomed, &stored.on_disk());
        database.sql("VACUUM");
        let reusable = lying(&doomed, &stored.on_disk());
        database.sql("VACUUM FULL");
        eprintln!("of {} on PostgreSQL's disk: {dead} after the erasure, {reusable} after VACUUM", doomed.len());
    }
    assert_eq!(lying(&doomed, &stored.on_disk()), 0, "of {} on disk", doomed.len());
    server.stop().await;
    another.stop().await;
    let mut all = files(&sandbox.path());
    all.push(sandbox.log());
    all.extend(sandbox.postgres().map(|_| postgres_stage::shared().unwrap().log()));
    // The parties keep their own identities there and nothing else; the copies and both logs are among the files.
    let found: Vec<_> = all.iter().filter(|file| !hunt.in_bytes(&fs::read(file).unwrap()).is_empty()).collect();
    assert_eq!(found, Vec::<&PathBuf>::new());
}

async fn nobody_is_shown_anything_behind_the_erasure_and_a_killed_one_did_all_or_nothing(sandbox: Sandbox) {
    let server = sandbox.serve().await;
    let (another, address) = sandbox.serve_another().await;
    let story = Arc::new(Story::open(&sandbox).await);
    let elsewhere = Arc::new(Story::open(&sandbox).await.at(address));
    let mut erased = 0;
    for round in 0..6_u32 {
        let consent = story.sign_consent(&story.consent());
        let Sent { referral, message, .. } = story.refer_under(consent).await;
        let request = digest_of(&story, &message).await;
        let over = Arc::new(AtomicBool::new(false));
        let readers: Vec<_> = [Arc::clone(&story), Arc::clone(&elsewhere)]
            .into_iter()
            .map(|side| {
                let (case, over) = (referral.case.clone(), Arc::clone(&over));
                tokio::spawn(async move {
                    let (mut shown, mut gone) = (0_u32, 0_u32);
                    while !over.load(Ordering::Relaxed) {
                        match side.read(&case, PLACEMENT).await {
                            Ok(_) => shown += 1,
                            Err(setback) => {
                                assert_eq!(refused(setback), (410, "erased".to_owned()));
                                gone += 1;
                            }
                        }
                    }
                    (shown, gone)
                })
            })
            .collect();
        let mut command = Command::new(BINARY);
        command.args(["erase", "--case", &referral.case, "--party", MUNICIPALITY, "--reason", "order", "-c"]).arg(sandbox.config());
        let mut erasing = command.stdout(Stdio::null()).stderr(Stdio::null()).stdin(Stdio::null()).spawn().unwrap();
        // Every other one is killed, each at another moment.
        if round % 2 == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(u64::from(40 + round * 60))).await;
            erasing.kill().unwrap();
        }
        erasing.wait().unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        over.store(true, Ordering::Relaxed);
        let mut shown = 0;
        for reader in readers {
            shown += reader.await.unwrap().0;
        }
        assert!(shown > 0, "nobody read before");
        assert_eq!(printed(&tsunagi(&["--json", "audit", "inspect"], &sandbox))["holds"], true, "half an erasure");
        let ledger = Ledger::read(&story.auditor).await;
        let erasures = ledger.records.iter().filter(|record| record.entry.entry_type == EntryType::Erasure);
        let Some(last) = erasures.clone().nth(erased) else { continue };
        erased = erasures.count();
        let released = |record: &&crate::exchange_stage::ledger::Record| {
            record.entry.entry_type == EntryType::Release
                && record.entry.decision == Outcome::Permit
                && record.entry.request == Some(request)
        };
        assert!(ledger.records.iter().filter(released).all(|record| record.index < last.index));
    }
    assert!(erased >= 3, "only {erased} were not killed");
    server.stop().await;
    another.stop().await;
}

async fn digest_of(story: &Story, message: &crate::exchange_stage::story::Message) -> Digest {
    // The same message again names the same entry, whose leaf holds the digest.
    let repeated = story.submit(message).await.unwrap();
    let entry: Value = serde_json::from_slice(&repeated.leaf).unwrap();
    serde_json::from_value(entry["request"].clone()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_opening_that_was_deleted_and_not_erased_is_named() {
    let sandbox = Sandbox::new(Settings::default());
    let server = sandbox.serve().await;
    let (story, sent) = marked(&sandbox).await;
    let other = Story::open(&sandbox).await;
    let kept = other.refer_under(other.sign_consent(&other.consent())).await;
    printed(&erase(&sandbox, &sent.referral.case, MUNICIPALITY, &[]));
    assert!(export(&sandbox, "tiles", "lawful").1.status.success());
    // An administrator of the database hides who sent the other case, before an erasure that stands there already and behind it.
    let mut connection = connect(&sandbox.database()).await;
    sqlx::query("DELETE FROM ledger_opening WHERE idx = $1")
        .bind(i64::try_from(kept.accepted.index).unwrap())
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    printed(&erase(&sandbox, &story.refer().await.case, MUNICIPALITY, &[]));
    let refused = export(&sandbox, "tiles", "unlawful").1;
    assert_eq!(refused.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&refused.stderr).contains(&format!("first bad index {}", kept.accepted.index)));
    let inspected = tsunagi(&["--json", "audit", "inspect"], &sandbox);
    let report: Value = serde_json::from_slice(inspected.stdout.split(|byte| *byte == b'\n').next().unwrap()).unwrap();
    let named = report["problems"]
        .as_array()
        .unwrap()
        .iter()
        .any(|problem| problem["finding"] == "opening_gone" && problem["index"] == kept.accepted.index);
    assert!(named, "{report}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_asked_wrongly_is_refused_in_both_languages_and_nothing_happens() {
    let sandbox = Sandbox::new(Settings::default());
    let server = sandbox.serve().await;
    let story = Story::open(&sandbox).await;
    let referral = story.refer().await;
    let case = referral.case.as_str();
    for (case, party, reason, en, ja) in [
        (case, CENTRE, "order", "stands in no case", "その機関から見た ID"),
        ("3c9d0a3e-7f3a-4f55-9d2e-0f6b1d8c4e21", MUNICIPALITY, "order", "stands in no case", "その機関から見た ID"),
        ("nonsense", MUNICIPALITY, "order", "--case", "--case"),
        (case, "somebody", "order", "--party", "--party"),
        (case, MUNICIPALITY, "because", "retention_over", "retention_over"),
    ] {
        for (lang, told) in [("en", en), ("ja", ja)] {
            let done = tsunagi(&["--lang", lang, "erase", "--case", case, "--party", party, "--reason", reason], &sandbox);
            let stderr = String::from_utf8_lossy(&done.stderr).into_owned();
            assert!(done.status.code() == Some(2) && stderr.contains(told), "{stderr}");
        }
    }
    story.read(case, PLACEMENT).await.unwrap();
    server.stop().await;
}
