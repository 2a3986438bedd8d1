//! `audit inspect` of a ledger that lost entries and went on under another name: the record of the break is compared with the entries before it, with the
//! names, and with a head that was kept, as `audit verify` does with an export.

use std::sync::Arc;

use serde_json::{Value, json};
use tsunagi::{
    gateway::Insight,
    ledger::{
        inspect::{Anchors, inspect},
        verify::{CONSENT_BASES, Report},
    },
    message::schema::SchemaSet,
    text::audit::{Finding, Remark},
    tlog::{Frontier, Hash, NoteSigner, leaf_hash},
    vault::{Kek, Vault},
};

use crate::{
    ledger_stage::{POLICY, Stage},
    rolled_back::reopened,
};

async fn inspected(stage: &Stage, signer: &NoteSigner, kept: Option<&str>) -> Report {
    let insight = Insight::new(Arc::clone(&stage.store), Vault::new(&Kek::generate().unwrap()).unwrap(), SchemaSet::builtin().unwrap());
    let anchors = Anchors { key: signer.verifier(), kept, witnesses: &[], consent_bases: CONSENT_BASES, policy: POLICY };
    inspect(&*stage.store, &insight, &anchors).await.unwrap()
}

#[tokio::test]
async fn a_break_on_record_is_told_with_what_a_kept_head_says_about_it() {
    let (stage, signer, notes) = reopened(Some(300)).await;
    let report = inspected(&stage, &signer, None).await;
    assert!(report.holds(), "{:?}", report.problems);
    assert_eq!(report.breaks.iter().map(|broke| broke.index).collect::<Vec<_>>(), [260]);
    assert_eq!(report.remarks, [(Remark::LedgerReopened, Some("260".to_owned()))]);
    // Under the old name: continued as far as it survived; beyond that the loss is on record.
    let report = inspected(&stage, &signer, Some(&notes[0])).await;
    assert_eq!((report.holds(), report.continues), (true, Some(250)), "{:?}", report.problems);
    let report = inspected(&stage, &signer, Some(&notes[3])).await;
    assert_eq!((report.holds(), report.continues), (true, None), "{:?}", report.problems);
    assert!(report.remarks.iter().any(|(remark, at)| *remark == Remark::EntriesLost && at.as_deref() == Some("300")));
}

#[tokio::test]
async fn a_record_of_a_break_that_was_made_to_fit_everything_else_is_named() {
    let (stage, signer, notes) = reopened(Some(300)).await;
    for trigger in ["ledger_entry_no_update", "ledger_leaf_no_update"] {
        stage.sql(&format!("DROP TRIGGER {trigger}")).await.unwrap();
    }
    let whole = stage.store.entry(260).await.unwrap().unwrap().body;
    let told: Value = serde_json::from_slice(&whole).unwrap();
    let changed = |member: &str, value: Value| {
        let mut entry = told.clone();
        *entry.pointer_mut(member).unwrap() = value;
        serde_json_canonicalizer::to_vec(&entry).unwrap()
    };
    let mismatch = [Finding::ReopeningMismatch];
    let root = json!(tsunagi::domain::digest::Digest([9; 32]));
    for (what, body, alone, with_kept) in [
        ("as it was", whole.clone(), [].as_slice(), [].as_slice()),
        ("the size that survived", changed("/reopens/survived/size", json!(259)), &mismatch, &mismatch),
        ("the root that survived", changed("/reopens/survived/root", root), &mismatch, &mismatch),
        ("the name that follows", changed("/reopens/origin", json!("third.example")), &mismatch, &mismatch),
        (
            "the name from before",
            changed("/reopens/from", json!("ledger.example/tsunagi-2")),
            &mismatch,
            &[Finding::ReopeningMismatch, Finding::KeptNote, Finding::HistoryForked],
        ),
        // Nobody can tell who has only the database.
        ("how much there was", changed("/reopens/known/size", json!(290)), &[], &[Finding::LossConcealed]),
        ("as it was, again", whole.clone(), &[], &[]),
    ] {
        rewrite(&stage, &body).await;
        for (kept, expected) in [(None, alone), (Some(notes[3].as_str()), with_kept)] {
            let report = inspected(&stage, &signer, kept).await;
            let found: Vec<_> = report.problems.iter().map(|problem| problem.finding).collect();
            assert_eq!(found, expected, "{what}: {:?}", report.problems);
            assert_eq!(report.first_bad(), (!expected.is_empty()).then_some(260), "{what}");
        }
    }
}

/// Puts another body in place of the last entry, with the leaf, the root and the frontier that belong to it.
async fn rewrite(stage: &Stage, body: &[u8]) {
    let mut frontier = Frontier::new();
    for hash in stage.store.leaf_hashes(0, 260).await.unwrap() {
        frontier.push(Hash(hash)).unwrap();
    }
    let leaf = leaf_hash(body);
    frontier.push(leaf).unwrap();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    for statement in [
        format!("UPDATE ledger_entry SET body = x'{}' WHERE idx = 260", hex(body)),
        format!("UPDATE ledger_leaf SET leaf_hash = x'{}' WHERE idx = 260", hex(&leaf.0)),
        format!("UPDATE ledger_head SET root = x'{}', frontier = x'{}'", hex(&frontier.root().0), hex(&frontier.to_bytes())),
    ] {
        stage.sql(&statement).await.unwrap();
    }
}

#[tokio::test]
async fn a_head_that_claims_more_than_there_can_be_is_named_and_ends() {
    let (stage, signer, _) = reopened(None).await;
    for size in ["9223372036854775807", "4611686018427387904", "262"] {
        stage.sql(&format!("UPDATE ledger_head SET size = {size}")).await.unwrap();
        let report = inspected(&stage, &signer, None).await;
        assert_eq!(report.first_bad(), Some(261), "{size}: {:?}", report.problems);
        assert!(report.problems.iter().any(|problem| problem.path.as_deref() == Some("ledger_head.size")), "{:?}", report.problems);
        stage.sql("DROP TRIGGER IF EXISTS ledger_head_forward").await.unwrap();
    }
}
