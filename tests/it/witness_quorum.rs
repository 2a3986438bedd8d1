//! Offline verification with a quorum of witnesses: a fork, a rollback and a stale size are refused, and nobody counts twice.

use serde_json::Value;
use tsunagi::{
    ledger::verify::{Anchors, CONSENT_BASES, Report, verify},
    text::audit::Finding,
    tlog::{CosignerKey, Quorum},
};

use crate::{
    export_stage::{Files, Ledger, event},
    witness_stage::{cosigner, line},
};

const A: (&str, u8) = ("a.example/w", 31);
const B: (&str, u8) = ("b.example/w", 32);

fn key((name, seed): (&str, u8)) -> CosignerKey {
    cosigner(name, seed)
}

/// The cosignature of a witness on the text of a note.
fn over(witness: (&str, u8), note: &str) -> String {
    let text = note.rsplit_once("\n\n").unwrap().0.to_owned() + "\n";
    line(witness.0, witness.1, &key(witness), 1_795_000_100, &text)
}

/// An export whose checkpoint carries these lines.
fn export(ledger: &Ledger, lines: &[String]) -> Files {
    let mut files = ledger.files();
    files.get_mut("checkpoint").unwrap().extend(lines.concat().into_bytes());
    files
}

fn check(files: &Files, witnesses: &[(&str, u8)], needed: usize, kept: Option<&str>) -> Report {
    let quorum = Quorum::new(witnesses.iter().copied().map(key).collect(), needed).unwrap();
    let log = Ledger::new(0).key();
    verify(files, &Anchors { key: &log, kept, quorum: Some(&quorum), consent_bases: CONSENT_BASES }).unwrap()
}

#[test]
fn a_checkpoint_with_enough_cosignatures_is_accepted() {
    let ledger = Ledger::new(40);
    let note = ledger.note(40);
    let files = export(&ledger, &[over(A, &note), over(B, &note), over(("stranger", 7), &note)]);
    for (witnesses, needed) in [(&[A, B][..], 2), (&[A], 1), (&[A, B, ("c", 9)], 2), (&[("c", 9)], 0)] {
        let report = check(&files, witnesses, needed, None);
        assert!(report.holds() && report.cosignatures >= Some(needed), "{witnesses:?}: {:?}", report.problems);
    }
    for (witnesses, needed) in [(&[A, B, ("c", 9)][..], 3), (&[("c", 9)], 1)] {
        let report = check(&files, witnesses, needed, None);
        assert!(!report.holds() && report.has(Finding::CosignaturesMissing), "{witnesses:?}");
    }
}

#[test]
fn nobody_counts_twice() {
    let ledger = Ledger::new(40);
    let note = ledger.note(40);
    let twice = export(&ledger, &[over(A, &note), over(A, &note)]);
    assert!(check(&twice, &[A, B], 2, None).has(Finding::CosignatureWrong));
    let renamed =
        line("a.example/other", A.1, &cosigner("a.example/other", A.1), 5, &(note.rsplit_once("\n\n").unwrap().0.to_owned() + "\n"));
    let files = export(&ledger, &[over(A, &note), renamed]);
    assert!(check(&files, &[A, B], 2, None).has(Finding::CosignaturesMissing));
    assert!(Quorum::new(vec![key(A), cosigner("a.example/other", A.1)], 2).is_err(), "one key under two names is one witness");
}

#[test]
fn a_fork_has_no_cosignature_of_its_own() {
    let (seen, mut forked) = (Ledger::new(40), Ledger::new(39));
    forked.entries.push((serde_json_canonicalizer::to_vec(&event(40)).unwrap(), Value::Null));
    let honest = over(A, &seen.note(40));
    // The stolen key signs the other history; nobody else has.
    let report = check(&export(&forked, &[]), &[A], 1, None);
    assert!(!report.holds() && report.has(Finding::CosignaturesMissing));
    let report = check(&export(&forked, &[honest]), &[A], 1, None);
    assert!(!report.holds() && report.has(Finding::CosignatureWrong));
}

#[test]
fn a_stale_size_and_a_rollback_are_refused() {
    let (newer, older) = (Ledger::new(40), Ledger::new(30));
    let stale = over(A, &older.note(30));
    assert!(
        check(&export(&newer, std::slice::from_ref(&stale)), &[A], 1, None).has(Finding::CosignatureWrong),
        "a cosignature of a smaller tree"
    );
    // Rightly cosigned once, but older than what the verifier has seen.
    let kept = newer.note(40);
    let report = check(&export(&older, &[stale]), &[A], 1, Some(&kept));
    assert!(!report.holds() && report.has(Finding::KeptNewer));
}
