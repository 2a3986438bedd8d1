//! Publishing to witnesses that are honest, away, or hostile; one publisher at a time; and what stops a ledger that was rolled back or forked.

use std::{sync::Arc, time::Duration};

use tsunagi::{
    clock::Clock,
    ledger::{Dispute, LedgerError, SequencerHandle},
    store::{CheckpointRow, WitnessRow},
    tlog::{Quorum, TlogError},
    tls::authority::{SandboxAuthority, Validity},
    witness::{Away, Outcome, Publisher, Settings, Witness, WitnessError, ask, cover},
};

use crate::{
    ledger_stage::{START, Stage, committed, draft, on_both},
    witness_stage::{Manner, WitnessServer},
};

on_both!(
    a_head_is_cosigned_by_all_witnesses_and_opens_with_a_quorum,
    a_witness_that_is_further_than_we_remember_is_asked_again_from_there,
    hostile_answers_give_no_cosignature_and_stop_nothing,
    a_running_gateway_stops_when_a_witness_knows_more_than_is_stored,
    a_kept_head_that_the_stored_ledger_does_not_continue_is_a_dispute_and_a_forged_one_is_not,
    one_of_several_gateways_publishes_and_another_takes_over,
    a_gateway_that_reads_an_old_head_while_another_publishes_is_in_no_dispute,
    cosignatures_of_one_head_are_collected_over_time_and_never_lost,
);

pub(crate) const SETTINGS: Settings =
    Settings { quorum: 1, interval: Duration::from_mins(1), patience: Duration::from_hours(1), stop: false };

pub(crate) fn witness(stage: &Stage, server: &WitnessServer) -> Witness {
    Witness::new(&server.vkey(), &server.url, None, Arc::clone(&stage.clock) as Arc<dyn Clock>).unwrap()
}

pub(crate) fn publisher(
    stage: &Stage,
    ledger: &SequencerHandle,
    servers: &[&WitnessServer],
    settings: Settings,
    holder: &str,
) -> Publisher {
    let witnesses = servers.iter().map(|server| witness(stage, server)).collect();
    let clock = Arc::clone(&stage.clock) as Arc<dyn Clock>;
    Publisher::new(ledger.clone(), Arc::clone(&stage.store), witnesses, settings, clock, holder.to_owned()).unwrap()
}

pub(crate) async fn grow(ledger: &SequencerHandle, entries: usize) {
    for _ in 0..entries {
        committed(ledger.append(draft()).await);
    }
}

pub(crate) fn cosigned(ledger: &SequencerHandle) -> Option<u64> {
    ledger.standing().now().cosigned.map(|cosigned| cosigned.size)
}

async fn a_head_is_cosigned_by_all_witnesses_and_opens_with_a_quorum(stage: Stage) {
    let (ledger, _task) = stage.ledger().await;
    let (a, b) = (WitnessServer::start("a.example/w", 31).await, WitnessServer::start("b.example/w", 32).await);
    let publisher = publisher(&stage, &ledger, &[&a, &b], Settings { quorum: 2, ..SETTINGS }, "one");
    publisher.start().await.unwrap();
    grow(&ledger, 300).await;
    publisher.round().await.unwrap();
    assert_eq!((cosigned(&ledger), a.size(), b.size()), (Some(301), 301, 301));
    assert_eq!((a.asked(), b.asked()), (vec![0, 1], vec![0, 1]), "what a witness knows is remembered");
    let note = ledger.standing().now().cosigned.unwrap().note;
    let quorum = Quorum::new(vec![a.key(), b.key()], 2).unwrap();
    assert_eq!(quorum.open(&note, stage.signer.verifier()).unwrap().size(), 301);
    // Nothing grew: nobody is asked.
    publisher.round().await.unwrap();
    assert!(a.asked().is_empty() && b.asked().is_empty());
    let told = cover(&*stage.store, ledger.verifier(), &quorum).await.unwrap();
    assert_eq!((told.newest, told.disputes), (Some(301), Vec::new()));
    let nobody = Quorum::new(vec![crate::witness_stage::cosigner("c.example/w", 33)], 1).unwrap();
    assert_eq!(cover(&*stage.store, ledger.verifier(), &nobody).await.unwrap().newest, None);
}

async fn a_witness_that_is_further_than_we_remember_is_asked_again_from_there(stage: Stage) {
    let (ledger, _task) = stage.ledger().await;
    let server = WitnessServer::start("a.example/w", 31).await;
    let publisher = publisher(&stage, &ledger, &[&server], SETTINGS, "one");
    publisher.start().await.unwrap();
    grow(&ledger, 4).await;
    publisher.round().await.unwrap();
    grow(&ledger, 3).await;
    for (remembered, holds) in [(0, 5), (2, 8)] {
        server.asked();
        stage.store.keep_witness(&WitnessRow { vkey: server.vkey(), size: remembered, dispute: None }).await.unwrap();
        publisher.round().await.unwrap();
        assert_eq!(server.asked(), [remembered, holds]);
        assert_eq!(cosigned(&ledger), Some(8));
    }
}

async fn hostile_answers_give_no_cosignature_and_stop_nothing(stage: Stage) {
    let (ledger, _task) = stage.ledger().await;
    let server = WitnessServer::start("a.example/w", 31).await;
    let good = WitnessServer::start("b.example/w", 32).await;
    let publisher = publisher(&stage, &ledger, &[&server, &good], SETTINGS, "one");
    publisher.start().await.unwrap();
    let short = witness(&stage, &server).within(Duration::from_millis(300));
    for (manner, expected) in [
        (Manner::WrongSignature, Away::Signature(TlogError::BadSignature)),
        (Manner::OtherKey, Away::Signature(TlogError::BadSignature)),
        (Manner::Replay, Away::Signature(TlogError::BadSignature)),
        (Manner::Dated(-601), Away::Time(-601)),
        (Manner::Dated(601), Away::Time(601)),
        (Manner::Endless, Away::TooLarge),
        (Manner::Silent, Away::TooSlow),
        (Manner::Loop, Away::Loop),
        (Manner::Names(0), Away::Loop),
        (Manner::ConflictWithoutSize, Away::Form),
        (Manner::ConflictWithText, Away::Form),
        (Manner::Text, Away::Form),
        (Manner::Status(403), Away::Status(403)),
        (Manner::Status(404), Away::Status(404)),
        (Manner::Status(301), Away::Status(301)),
        (Manner::Status(503), Away::Status(503)),
    ] {
        grow(&ledger, 1).await;
        let head = ledger.head().await.unwrap();
        server.asked();
        server.behave(manner);
        let outcome = ask(&short, &ledger, &head, 0, stage.clock.now()).await.unwrap();
        assert_eq!(outcome, Outcome::Away(expected), "{manner:?}");
        let asked = server.asked();
        assert!((1..=4).contains(&asked.len()), "{manner:?}: {asked:?}");
        if manner != Manner::Silent {
            publisher.round().await.unwrap();
            assert_eq!(
                (ledger.standing().check(), cosigned(&ledger)),
                (Ok(()), Some(head.size)),
                "{manner:?}: the other one is not held up"
            );
        }
    }
    let row = stage.store.newest_published().await.unwrap().unwrap();
    assert!(row.cosignatures.contains("b.example/w") && !row.cosignatures.contains("a.example/w"));
}

#[tokio::test]
async fn a_witness_behind_tls_is_believed_with_a_certificate_of_its_authority_only() {
    let stage = Stage::new().await;
    let (ledger, _task) = stage.ledger().await;
    let head = ledger.head().await.unwrap();
    let (own, other) = (SandboxAuthority::create(START).unwrap(), SandboxAuthority::create(START).unwrap());
    let server = WitnessServer::start_as("a.example/w", 31, Some(&own.issue_server(Validity::days(START, 1)).unwrap())).await;
    let clock = || Arc::clone(&stage.clock) as Arc<dyn Clock>;
    let with = |url: &str, ca: Option<&[u8]>| Witness::new(&server.vkey(), url, ca, clock());
    let trusting = with(&server.url, Some(own.ca_pem().as_bytes())).unwrap();
    let outcome = ask(&trusting, &ledger, &head, 0, stage.clock.now()).await.unwrap();
    assert!(matches!(outcome, Outcome::Cosigned(_)), "{outcome:?}");
    server.asked();
    let doubting = with(&server.url, Some(other.ca_pem().as_bytes())).unwrap();
    let another_name = with(&server.url.replace("localhost", "127.0.0.2"), Some(own.ca_pem().as_bytes())).unwrap();
    for witness in [doubting, another_name] {
        let outcome = ask(&witness, &ledger, &head, 0, stage.clock.now()).await.unwrap();
        assert!(matches!(outcome, Outcome::Away(Away::Unreachable(_))), "{outcome:?}");
    }
    stage.clock.advance(Duration::from_hours(48));
    let outcome = ask(&trusting, &ledger, &head, 0, stage.clock.now()).await.unwrap();
    assert!(matches!(outcome, Outcome::Away(Away::Unreachable(_))), "the certificate has expired: {outcome:?}");
    assert!(server.asked().is_empty());
    assert!(matches!(with(&server.url, None), Err(WitnessError::NoAuthority)));
    assert!(matches!(with("http://10.0.0.1/", None), Err(WitnessError::Connection(_))));
}

#[tokio::test]
async fn a_witness_that_nobody_answers_for_is_away() {
    let stage = Stage::new().await;
    let (ledger, _task) = stage.ledger().await;
    let server = WitnessServer::start("a.example/w", 31).await;
    let witness = witness(&stage, &server);
    drop(server);
    let head = ledger.head().await.unwrap();
    let outcome = ask(&witness, &ledger, &head, 0, stage.clock.now()).await.unwrap();
    assert!(matches!(outcome, Outcome::Away(Away::Unreachable(_))), "{outcome:?}");
}

/// A ledger of which a witness cosigned seven entries, put back to the five that it had before.
async fn put_back(server: &WitnessServer) -> Stage {
    let mut stage = Stage::new().await;
    let (ledger, _task) = stage.ledger().await;
    grow(&ledger, 4).await;
    ledger.close().await;
    stage.store.close().await;
    let file = stage.folder.path().join("t.db");
    let copy = std::fs::read(&file).unwrap();
    stage.reopen().await;
    let (ledger, _task) = stage.ledger().await;
    grow(&ledger, 2).await;
    publisher(&stage, &ledger, &[server], SETTINGS, "one").start().await.unwrap();
    assert_eq!(server.size(), 7);
    ledger.close().await;
    stage.store.close().await;
    std::fs::write(&file, &copy).unwrap();
    stage.reopen().await;
    stage
}

#[tokio::test]
async fn a_rolled_back_database_is_found_by_its_witness_and_serves_nothing() {
    let server = WitnessServer::start("a.example/w", 31).await;
    let stage = put_back(&server).await;
    let (ledger, _task) = stage.ledger().await;
    let back = publisher(&stage, &ledger, &[&server], SETTINGS, "two");
    let refused = back.start().await;
    assert!(matches!(refused, Err(WitnessError::Ledger(LedgerError::RolledBack))), "{refused:?}");
    assert_eq!(ledger.append(draft()).await.unwrap_err(), LedgerError::RolledBack);
    assert_eq!(ledger.writable().await, Err(LedgerError::RolledBack));
    // It stays so while the witness cannot be asked, and for gateways that are running.
    ledger.close().await;
    let (other, _task) = stage.ledger().await;
    publisher(&stage, &other, &[&server], SETTINGS, "three").round().await.unwrap();
    assert_eq!(other.standing().now().dispute, Some(Dispute::RolledBack { held: 7, stored: 5 }));
    server.behave(Manner::Status(503));
    other.close().await;
    let (again, _task) = stage.ledger().await;
    assert!(publisher(&stage, &again, &[&server], SETTINGS, "four").start().await.is_err());
}

#[tokio::test]
async fn a_forked_ledger_is_found_by_its_witness_at_the_same_and_at_a_larger_size() {
    for (more, remembered) in [(2, 0), (2, 7), (5, 0), (5, 7)] {
        let server = WitnessServer::start("a.example/w", 31).await;
        let stage = put_back(&server).await;
        let (ledger, _task) = stage.ledger().await;
        // The same key signs another history.
        grow(&ledger, more).await;
        stage.store.keep_witness(&WitnessRow { vkey: server.vkey(), size: remembered, dispute: None }).await.unwrap();
        let fork = publisher(&stage, &ledger, &[&server], SETTINGS, "two");
        let refused = fork.start().await;
        assert!(matches!(refused, Err(WitnessError::Ledger(LedgerError::Forked))), "{more} {remembered}: {refused:?}");
        assert_eq!(ledger.append(draft()).await.unwrap_err(), LedgerError::Forked);
        assert_eq!(server.size(), 7, "it cosigned nothing of it");
    }
}

async fn a_running_gateway_stops_when_a_witness_knows_more_than_is_stored(stage: Stage) {
    let (ledger, _task) = stage.ledger().await;
    let server = WitnessServer::start("a.example/w", 31).await;
    let publisher = publisher(&stage, &ledger, &[&server], SETTINGS, "one");
    publisher.start().await.unwrap();
    grow(&ledger, 1).await;
    server.behave(Manner::Names(9));
    publisher.round().await.unwrap();
    assert_eq!(ledger.append(draft()).await.unwrap_err(), LedgerError::RolledBack);
    assert!(ledger.prove(0).await.is_ok(), "what is stored stays readable: it is evidence");
    let rows = stage.store.witnesses().await.unwrap();
    assert_eq!(rows[0].dispute.as_deref(), Some("rolled_back 9 2 ledger.example/tsunagi"));
    let renamed = tsunagi::tlog::NoteSigner::from_seed("other.example/ledger".parse().unwrap(), &zeroize::Zeroizing::new([5; 32])).unwrap();
    let other = cover(&*stage.store, renamed.verifier(), &Quorum::new(vec![server.key()], 1).unwrap()).await.unwrap();
    assert_eq!((other.newest, other.disputes), (None, Vec::new()), "a ledger that was opened again under another name is in no dispute");
    let told = cover(&*stage.store, ledger.verifier(), &Quorum::new(vec![server.key()], 1).unwrap()).await.unwrap();
    assert_eq!(told.disputes, [("a.example/w".to_owned(), Dispute::RolledBack { held: 9, stored: 2 })]);
    // A witness that is taken out of the configuration, or that says something else at a start, is in dispute with nobody.
    server.behave(Manner::Honest);
    ledger.close().await;
    let (ledger, _task) = stage.ledger().await;
    assert!(self::publisher(&stage, &ledger, &[&server], SETTINGS, "two").start().await.is_ok());
    assert_eq!(stage.store.witnesses().await.unwrap()[0].dispute, None);
}

async fn a_kept_head_that_the_stored_ledger_does_not_continue_is_a_dispute_and_a_forged_one_is_not(mut stage: Stage) {
    let (ledger, _task) = stage.ledger().await;
    grow(&ledger, 4).await;
    let publish = |ledger: &SequencerHandle| publisher(&stage, ledger, &[], Settings { quorum: 0, ..SETTINGS }, "one");
    publish(&ledger).start().await.unwrap();
    let forged = CheckpointRow { size: 99, root: [7; 32], note: "x\n99\n".to_owned(), cosignatures: String::new() };
    assert!(stage.store.keep_checkpoint(&forged, "").await.unwrap());
    publish(&ledger).start().await.unwrap();
    assert_eq!(ledger.standing().check(), Ok(()));
    let newer = tsunagi::tlog::Checkpoint::new(crate::ledger_stage::ORIGIN, 100, tsunagi::tlog::Hash([7; 32])).unwrap();
    let signed = CheckpointRow { size: 100, note: newer.sign(&stage.signer).unwrap(), ..forged };
    assert!(stage.store.keep_checkpoint(&signed, "").await.unwrap());
    let refused = publish(&ledger).start().await;
    assert!(matches!(refused, Err(WitnessError::Ledger(LedgerError::RolledBack))), "{refused:?}");
    stage.reopen().await;
}

async fn one_of_several_gateways_publishes_and_another_takes_over(stage: Stage) {
    let server = WitnessServer::start("a.example/w", 31).await;
    let (one, _task) = stage.ledger().await;
    let (two, _task) = stage.ledger().await;
    let (first, second) = (publisher(&stage, &one, &[&server], SETTINGS, "one"), publisher(&stage, &two, &[&server], SETTINGS, "two"));
    first.start().await.unwrap();
    second.start().await.unwrap();
    grow(&one, 1).await;
    first.round().await.unwrap();
    grow(&one, 1).await;
    server.asked();
    second.round().await.unwrap();
    assert!(server.asked().is_empty(), "the other one holds the lease");
    assert_eq!((cosigned(&two), two.standing().now().uncosigned_since.is_some()), (Some(2), true), "and still knows how the ledger stands");
    first.round().await.unwrap();
    assert_eq!(server.asked(), [2]);
    // The first one is gone.
    stage.clock.advance(Duration::from_secs(241));
    grow(&two, 1).await;
    second.round().await.unwrap();
    assert_eq!((server.asked(), cosigned(&two)), (vec![3], Some(4)));
    assert!(!stage.store.lease("one", stage.clock.now(), stage.clock.now().plus_secs(60)).await.unwrap());
}

async fn a_gateway_that_reads_an_old_head_while_another_publishes_is_in_no_dispute(stage: Stage) {
    let server = WitnessServer::start("a.example/w", 31).await;
    let (ledger, _task) = stage.ledger().await;
    grow(&ledger, 1).await;
    let old = ledger.head().await.unwrap();
    grow(&ledger, 3).await;
    publisher(&stage, &ledger, &[&server], SETTINGS, "one").start().await.unwrap();
    let outcome = ask(&witness(&stage, &server), &ledger, &old, 0, stage.clock.now()).await.unwrap();
    assert_eq!(outcome, Outcome::Ahead(5), "for the head that was read before");
    publisher(&stage, &ledger, &[&server], SETTINGS, "two").start().await.unwrap();
    assert_eq!(ledger.standing().check(), Ok(()));
}

#[tokio::test]
async fn witnesses_that_stay_away_are_shown_and_stop_only_who_wants_that() {
    for stop in [false, true] {
        let stage = Stage::new().await;
        let server = WitnessServer::start("a.example/w", 31).await;
        let (ledger, _task) = stage.ledger().await;
        let publisher = publisher(&stage, &ledger, &[&server], Settings { stop, ..SETTINGS }, "one");
        publisher.start().await.unwrap();
        server.behave(Manner::Status(503));
        grow(&ledger, 1).await;
        publisher.round().await.unwrap();
        assert_eq!(
            ledger.standing().now().lines(),
            format!("witnesses_in_time: cosigned 1, not cosigned since {}\n", START.plus_micros(1))
        );
        stage.clock.advance(Duration::from_secs(3601));
        publisher.round().await.unwrap();
        assert!(ledger.standing().now().lines().starts_with("witnesses_overdue: cosigned 1"));
        let expected = if stop { Err(LedgerError::Uncosigned) } else { Ok(()) };
        assert_eq!((ledger.standing().check(), ledger.writable().await), (expected, expected));
        assert_eq!(ledger.append(draft()).await.is_err(), stop);
        // They are back; the manual clock of the witness is not ours.
        stage.clock.set(START);
        server.behave(Manner::Honest);
        publisher.round().await.unwrap();
        assert_eq!((ledger.standing().check(), ledger.writable().await), (Ok(()), Ok(())));
        committed(ledger.append(draft()).await);
    }
}

async fn cosignatures_of_one_head_are_collected_over_time_and_never_lost(stage: Stage) {
    let (a, b) = (WitnessServer::start("a.example/w", 31).await, WitnessServer::start("b.example/w", 32).await);
    let (ledger, _task) = stage.ledger().await;
    let publisher = publisher(&stage, &ledger, &[&a, &b], Settings { quorum: 2, ..SETTINGS }, "one");
    b.behave(Manner::Status(500));
    publisher.start().await.unwrap();
    assert_eq!(cosigned(&ledger), None);
    b.behave(Manner::Honest);
    publisher.round().await.unwrap();
    assert_eq!(cosigned(&ledger), Some(1));
    // What stands in the database is not believed.
    let mut row = stage.store.published(1).await.unwrap().unwrap();
    let before = row.cosignatures.clone();
    row.cosignatures = before.replace("b.example/w", "c.example/w");
    assert!(!stage.store.keep_checkpoint(&row, "other").await.unwrap(), "somebody else wrote meanwhile");
    assert!(stage.store.keep_checkpoint(&row, &before).await.unwrap());
    b.behave(Manner::Status(500));
    publisher.round().await.unwrap();
    assert_eq!(cosigned(&ledger), None);
    // What is missing is asked for again, although nothing grew.
    b.behave(Manner::Honest);
    publisher.round().await.unwrap();
    assert_eq!(cosigned(&ledger), Some(1));
}
