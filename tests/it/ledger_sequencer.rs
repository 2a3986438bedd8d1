//! The sequencer on a real database: order, groups, single use, grounds, turns, restarts (`ledger.md` section 4).

use std::{sync::Arc, time::Duration};

use tsunagi::{
    domain::{
        entry::{EntryType, Outcome},
        ids::AgreementId,
        time::Timestamp,
    },
    ledger::{Answer, Draft, Entry, Ground, LedgerError, SequencerHandle},
    store::{HeadRow, OnceKind, Write},
    tlog::{Hash, NoteSigner, open_checkpoint, verify_consistency},
};
use zeroize::Zeroizing;

use crate::ledger_stage::{
    Faulty, POLICY, START, Stage, actor, case, case_id, center, committed, digest, draft, entry, ground, jti, new_case, object, on_both,
    town,
};

on_both! {
    an_empty_ledger_opens_with_its_first_entry,
    an_answer_carries_a_proof_that_verifies,
    what_is_queued_together_is_committed_together_and_in_order,
    every_entry_is_proven_across_the_borders_of_tiles,
    a_proof_of_the_newest_tree_reads_its_entry_and_full_tiles_alone,
    a_repeated_object_gets_the_first_answer_and_another_one_a_conflict,
    an_actor_token_is_spent_by_an_entry_and_by_a_repetition,
    an_expired_actor_token_is_forgotten_and_objects_are_not,
    what_stands_behind_a_narrowing_in_its_batch_is_handed_back,
    a_right_that_ended_by_the_time_of_the_entry_is_handed_back,
    a_decision_on_an_older_revision_of_a_case_is_handed_back,
    a_consent_that_another_case_took_is_handed_back,
    a_row_that_somebody_else_took_hands_back_one_draft_and_keeps_the_others,
    a_turn_keeps_everybody_else_out_until_it_is_used,
    a_turn_that_is_dropped_or_refused_leaves_nothing,
    a_turn_that_is_held_too_long_is_over,
    a_draft_that_is_too_large_fails_alone,
    a_clock_that_steps_back_is_recorded_once_and_order_holds,
    a_policy_entry_puts_its_digest_in_force_and_ends_older_decisions,
    a_restart_continues_the_tree,
    closing_finishes_what_is_queued_and_takes_nothing_more,
    who_stops_waiting_before_the_batch_wants_nothing_recorded,
    waiting_for_growth_ends_with_the_next_entry,
    everything_of_a_draft_is_stored_with_its_entry,
    a_signer_of_another_ledger_is_refused,
    a_head_that_does_not_fit_its_frontier_is_never_written_behind,
}

/// Appends drafts in this order as one batch: a turn holds the lock until all of them are queued.
async fn as_one_batch(ledger: &SequencerHandle, drafts: Vec<Draft>) -> Vec<Result<Answer, LedgerError>> {
    let turn = ledger.exclusive().await.unwrap();
    let mut waiting = tokio::task::JoinSet::new();
    let mut order = Vec::new();
    for draft in drafts {
        let ledger = ledger.clone();
        order.push(waiting.spawn(async move { ledger.append(draft).await }).id());
        // On this one thread the task runs until its draft is queued.
        tokio::task::yield_now().await;
    }
    drop(turn);
    let mut answers = std::collections::HashMap::new();
    while let Some(done) = waiting.join_next_with_id().await {
        let (id, answer) = done.unwrap();
        answers.insert(id, answer);
    }
    order.into_iter().map(|id| answers.remove(&id).unwrap()).collect()
}

async fn an_empty_ledger_opens_with_its_first_entry(stage: Stage) {
    let (ledger, _task) = stage.ledger().await;
    let entries = stage.entries().await;
    assert_eq!(entries.len(), 1);
    assert_eq!((entries[0].entry_type, entries[0].time), (EntryType::LedgerOpened, START));
    let checkpoint = open_checkpoint(&ledger.checkpoint(), stage.signer.verifier()).unwrap();
    assert_eq!((checkpoint.size(), ledger.size(), ledger.rights_epoch(), ledger.policy()), (1, 1, 0, POLICY));
}

async fn an_answer_carries_a_proof_that_verifies(stage: Stage) {
    let (ledger, _task) = stage.ledger().await;
    let mut wanted = entry();
    wanted.sd_hash = Some(digest(9));
    let done = committed(ledger.append(Draft::of_gateway(wanted.clone())).await);
    assert_eq!((done.idx(), done.sd_hash()), (1, Some(digest(9))));
    stage.holds(&done).await;
    wanted.time = done.time();
    assert_eq!(done.leaf(), serde_json_canonicalizer::to_vec(&wanted).unwrap());
    assert_eq!(&*ledger.checkpoint(), done.checkpoint());
}

async fn what_is_queued_together_is_committed_together_and_in_order(stage: Stage) {
    let appender = Arc::new(Faulty::new(stage.store.appender()));
    let (ledger, _task) = stage.try_ledger(Arc::clone(&appender) as _).await.unwrap();
    let before = appender.commits();
    let answers = as_one_batch(&ledger, (0..50).map(|_| draft()).collect()).await;
    assert_eq!(appender.commits() - before, 1);
    let mut last = START;
    for (n, answer) in answers.into_iter().enumerate() {
        let done = committed(answer);
        assert_eq!(done.idx(), n as u64 + 1);
        assert_eq!(done.time(), last.plus_micros(1), "the clock stands: each entry is a microsecond later");
        last = done.time();
        stage.holds(&done).await;
    }
}

async fn every_entry_is_proven_across_the_borders_of_tiles(stage: Stage) {
    let (ledger, _task) = stage.ledger().await;
    let mut notes = vec![ledger.checkpoint()];
    for size in [1, 200, 54, 1, 255, 257, 3] {
        for answer in as_one_batch(&ledger, (0..size).map(|_| draft()).collect()).await {
            let done = committed(answer);
            stage.verify(done.idx(), done.leaf(), done.proof(), done.checkpoint());
        }
        notes.push(ledger.checkpoint());
    }
    let size = ledger.size();
    assert_eq!(size, 772);
    assert_eq!(stage.store.tile_roots(0, 0, 9).await.unwrap().len(), 3);
    for idx in 0..size {
        let proven = ledger.prove(idx).await.unwrap();
        assert_eq!(proven.row.idx, idx);
        stage.verify(idx, &proven.row.body, &proven.proof, &proven.checkpoint);
    }
    assert_eq!(ledger.prove(size).await, Err(LedgerError::NotInLedger));
    let heads: Vec<_> = notes.iter().map(|note| open_checkpoint(note, stage.signer.verifier()).unwrap()).collect();
    for old in &heads {
        for new in heads.iter().filter(|new| new.size() >= old.size()) {
            let (proof, note) = ledger.consistency(old.size(), new.size()).await.unwrap();
            let proof: Vec<Hash> = proof.into_iter().map(Hash).collect();
            assert_eq!(verify_consistency(old.size(), new.size(), &old.root(), &new.root(), &proof), Ok(()));
            assert_eq!(note, ledger.checkpoint());
        }
    }
    assert_eq!(ledger.consistency(0, size).await, Err(LedgerError::NotInLedger));
    assert_eq!(ledger.consistency(1, size + 1).await, Err(LedgerError::NotInLedger));
}

async fn a_proof_of_the_newest_tree_reads_its_entry_and_full_tiles_alone(stage: Stage) {
    let (ledger, _task) = stage.ledger().await;
    as_one_batch(&ledger, (0..600).map(|_| draft()).collect()).await;
    let (other, _other) = stage.ledger().await;
    stage.sql("ALTER TABLE ledger_leaf RENAME TO away").await.unwrap();
    for ledger in [&ledger, &other] {
        for idx in [0, 255, 256, 511, 512, 600] {
            let proven = ledger.prove(idx).await.unwrap();
            stage.verify(idx, &proven.row.body, &proven.proof, &proven.checkpoint);
        }
        assert!(ledger.consistency(513, 601).await.is_ok());
    }
    stage.sql("ALTER TABLE away RENAME TO ledger_leaf").await.unwrap();
    // What the other appended is not at hand here, and is read.
    committed(other.append(draft()).await);
    assert_eq!(ledger.refresh().await.unwrap(), 602);
    let proven = ledger.prove(601).await.unwrap();
    stage.verify(601, &proven.row.body, &proven.proof, &proven.checkpoint);
}

async fn a_repeated_object_gets_the_first_answer_and_another_one_a_conflict(mut stage: Stage) {
    let (ledger, task) = stage.ledger().await;
    let with = |once| Draft { object: Some(once), ..draft() };
    let done = committed(ledger.append(with(object(1, 1))).await);
    // In one batch, in later batches, and after a restart.
    let answers = as_one_batch(&ledger, vec![with(object(2, 1)), with(object(2, 1)), with(object(2, 9)), with(object(1, 1))]).await;
    assert!(matches!(&answers[0], Ok(Answer::Committed(done)) if done.idx() == 2));
    assert!(matches!(&answers[1], Ok(Answer::Known { idx: 2, result }) if result == br#"{"n":2}"#));
    assert!(matches!(&answers[2], Ok(Answer::Conflict)));
    assert!(matches!(&answers[3], Ok(Answer::Known { idx, .. }) if *idx == done.idx()));
    ledger.close().await;
    task.await.unwrap();
    stage.reopen().await;
    let (ledger, _task) = stage.ledger().await;
    assert!(matches!(ledger.append(with(object(1, 1))).await, Ok(Answer::Known { idx: 1, .. })));
    assert!(matches!(ledger.append(with(object(1, 2))).await, Ok(Answer::Conflict)));
    assert_eq!(stage.entries().await.len(), 3);
    // The same id of another issuer is another object.
    committed(ledger.append(with(tsunagi::ledger::Once { iss: town(), ..object(1, 1) })).await);
}

async fn an_actor_token_is_spent_by_an_entry_and_by_a_repetition(stage: Stage) {
    let (ledger, _task) = stage.ledger().await;
    let until = START.plus_secs(300);
    let with = |n, who| Draft { object: Some(object(n, 1)), actor: Some(actor(who, until)), ..draft() };
    committed(ledger.append(with(1, 1)).await);
    assert!(matches!(ledger.append(with(2, 1)).await, Ok(Answer::ActorReplayed)));
    assert!(matches!(ledger.append(Draft { actor: Some(actor(1, until)), ..draft() }).await, Ok(Answer::ActorReplayed)));
    // The very same request again is the same answer, whatever became of its token.
    assert!(matches!(ledger.append(with(1, 1)).await, Ok(Answer::Known { idx: 1, .. })));
    // A repetition under a new token spends that token.
    assert!(matches!(ledger.append(with(1, 2)).await, Ok(Answer::Known { idx: 1, .. })));
    assert!(matches!(ledger.append(with(3, 2)).await, Ok(Answer::ActorReplayed)));
    assert_eq!(stage.store.once(OnceKind::Actor, &center(), &jti(2)).await.unwrap().unwrap().idx, Some(1));
    assert_eq!(ledger.size(), 2);
}

async fn an_expired_actor_token_is_forgotten_and_objects_are_not(stage: Stage) {
    let (ledger, _task) = stage.ledger().await;
    let with = |n| Draft { object: Some(object(n, 1)), actor: Some(actor(n, START.plus_secs(300))), ..draft() };
    committed(ledger.append(with(1)).await);
    stage.clock.advance(Duration::from_secs(301));
    committed(ledger.append(with(2)).await);
    assert_eq!(stage.store.once(OnceKind::Actor, &center(), &jti(1)).await.unwrap(), None);
    assert!(stage.store.once(OnceKind::Message, &center(), &jti(1)).await.unwrap().is_some());
}

async fn what_stands_behind_a_narrowing_in_its_batch_is_handed_back(stage: Stage) {
    let (ledger, _task) = stage.ledger().await;
    let grounded = |epoch| Draft { ground: Some(ground(epoch)), ..draft() };
    let narrowing = Draft { narrows: true, ..grounded(0) };
    let answers = as_one_batch(&ledger, vec![grounded(0), narrowing, grounded(0), draft(), grounded(1)]).await;
    assert!(matches!(answers[0], Ok(Answer::Committed(_))), "before the narrowing the right stood");
    assert!(matches!(answers[1], Ok(Answer::Committed(_))));
    assert!(matches!(answers[2], Ok(Answer::Stale)), "behind it the right is gone");
    assert!(matches!(answers[3], Ok(Answer::Committed(_))), "a refusal has no ground");
    assert!(matches!(answers[4], Ok(Answer::Committed(_))), "decided on the new rights");
    assert_eq!(ledger.rights_epoch(), 1);
    assert_eq!(stage.store.head().await.unwrap().rights_epoch, 1);
    assert!(matches!(ledger.append(grounded(0)).await, Ok(Answer::Stale)));
    assert!(matches!(ledger.append(grounded(2)).await, Ok(Answer::Stale)), "an epoch that never was");
}

async fn a_right_that_ended_by_the_time_of_the_entry_is_handed_back(stage: Stage) {
    let (ledger, _task) = stage.ledger().await;
    let until = |valid_until| Draft { ground: Some(Ground { valid_until, ..ground(0) }), ..draft() };
    stage.clock.advance(Duration::from_secs(10));
    let now = START.plus_secs(10);
    assert!(matches!(ledger.append(until(now)).await, Ok(Answer::Stale)), "the end is exclusive");
    assert_eq!(committed(ledger.append(until(now.plus_micros(1))).await).time(), now);
    // The clock stands, so the next entry is a microsecond later than that.
    assert!(matches!(ledger.append(until(now.plus_micros(1))).await, Ok(Answer::Stale)));
}

async fn a_decision_on_an_older_revision_of_a_case_is_handed_back(stage: Stage) {
    let (ledger, _task) = stage.ledger().await;
    committed(ledger.append(Draft { writes: new_case(1), ..draft() }).await);
    let on = |revision| Draft {
        ground: Some(Ground { case: Some((case(1), revision)), ..ground(0) }),
        writes: vec![Write::CaseState(case(1), tsunagi::domain::case::CaseState::Accepted)],
        ..draft()
    };
    let answers = as_one_batch(&ledger, vec![on(1), on(1), on(2)]).await;
    assert!(matches!(answers[0], Ok(Answer::Committed(_))));
    assert!(matches!(answers[1], Ok(Answer::Stale)));
    assert!(matches!(answers[2], Ok(Answer::Committed(_))));
    let nowhere = Ground { case: Some((case(9), 1)), ..ground(0) };
    assert!(matches!(ledger.append(Draft { ground: Some(nowhere), ..draft() }).await, Ok(Answer::Stale)));
}

async fn a_consent_that_another_case_took_is_handed_back(stage: Stage) {
    let (ledger, _task) = stage.ledger().await;
    let sealed = tsunagi::store::Sealed { key: crate::ledger_stage::data_key(1), bytes: vec![1] };
    let consent = Write::Consent { jti: jti(5), collector: center(), sha256: digest(5), subject: tsunagi::store::Tag([5; 16]), sealed };
    let mut writes = new_case(1);
    writes.extend(new_case(2));
    writes.push(consent);
    committed(ledger.append(Draft { writes, ..draft() }).await);
    let bind = |n| Draft {
        ground: Some(Ground { consent: Some((jti(5), case(n))), ..ground(0) }),
        writes: vec![Write::ConsentBound(jti(5), case(n))],
        ..draft()
    };
    let answers = as_one_batch(&ledger, vec![bind(1), bind(2), bind(1)]).await;
    assert!(matches!(answers[0], Ok(Answer::Committed(_))));
    assert!(matches!(answers[1], Ok(Answer::Stale)));
    assert!(matches!(answers[2], Ok(Answer::Committed(_))));
}

async fn a_row_that_somebody_else_took_hands_back_one_draft_and_keeps_the_others(stage: Stage) {
    let (ledger, _task) = stage.ledger().await;
    let opens = |n| Draft { writes: new_case(n), ..draft() };
    let mut half = new_case(3);
    half.extend(new_case(1));
    let answers = as_one_batch(&ledger, vec![opens(1), Draft { writes: half, ..draft() }, opens(2)]).await;
    assert!(matches!(answers[0], Ok(Answer::Committed(_))));
    assert!(matches!(answers[1], Ok(Answer::Stale)));
    assert!(matches!(answers[2], Ok(Answer::Committed(_))));
    assert!(stage.store.case_key(&case(2)).await.unwrap().is_some());
    assert_eq!(stage.store.case_key(&case(3)).await.unwrap(), None, "nothing of the draft that was handed back");
}

async fn a_turn_keeps_everybody_else_out_until_it_is_used(stage: Stage) {
    let (ledger, _task) = stage.ledger().await;
    let turn = ledger.exclusive().await.unwrap();
    let other = tokio::spawn({
        let ledger = ledger.clone();
        async move { ledger.append(Draft { narrows: true, ..draft() }).await }
    });
    tokio::task::yield_now().await;
    // Deciding under the lock reads through other connections.
    assert_eq!(stage.store.head().await.unwrap().size, 1);
    let decided = Draft { ground: Some(ground(turn.rights_epoch())), ..draft() };
    let done = committed(turn.append(decided).await);
    assert_eq!(done.idx(), 1);
    stage.holds(&done).await;
    assert_eq!(committed(other.await.unwrap()).idx(), 2);
}

async fn a_turn_that_is_dropped_or_refused_leaves_nothing(stage: Stage) {
    let (ledger, _task) = stage.ledger().await;
    drop(ledger.exclusive().await.unwrap());
    let turn = ledger.exclusive().await.unwrap();
    assert!(matches!(turn.append(Draft { ground: Some(ground(4)), ..draft() }).await, Ok(Answer::Stale)));
    let turn = ledger.exclusive().await.unwrap();
    let mut large = draft();
    large.entry.rules = vec!["r".repeat(4096)];
    assert_eq!(turn.append(large).await.unwrap_err(), LedgerError::TooLarge);
    assert_eq!(committed(ledger.append(draft()).await).idx(), 1);
}

async fn a_turn_that_is_held_too_long_is_over(stage: Stage) {
    let (ledger, _task) = stage.ledger().await;
    let turn = ledger.exclusive().await.unwrap();
    // Waits for the lock, and so for the deadline of the turn.
    assert_eq!(committed(ledger.append(draft()).await).idx(), 1);
    assert_eq!(turn.append(draft()).await.unwrap_err(), LedgerError::TurnOver);
    assert_eq!(ledger.size(), 2);
}

async fn a_draft_that_is_too_large_fails_alone(stage: Stage) {
    let (ledger, _task) = stage.ledger().await;
    let mut large = draft();
    large.entry.rules = vec!["r".repeat(4096)];
    let answers = as_one_batch(&ledger, vec![draft(), large, draft()]).await;
    assert!(matches!(answers[0], Ok(Answer::Committed(_))));
    assert_eq!(answers[1].as_ref().unwrap_err(), &LedgerError::TooLarge);
    assert!(matches!(answers[2], Ok(Answer::Committed(_))));
}

async fn a_clock_that_steps_back_is_recorded_once_and_order_holds(stage: Stage) {
    let (ledger, _task) = stage.ledger().await;
    stage.clock.set(START.plus_secs(-1));
    let last = committed(ledger.append(draft()).await).time();
    assert_eq!(last, START.plus_micros(1), "a second is within what clocks do");
    stage.clock.set(START.plus_secs(-60));
    for _ in 0..3 {
        committed(ledger.append(draft()).await);
    }
    stage.clock.set(START.plus_secs(5));
    committed(ledger.append(draft()).await);
    stage.clock.set(START);
    committed(ledger.append(draft()).await);
    let entries = stage.entries().await;
    assert!(entries.is_sorted_by(|one, next| one.time < next.time));
    let skews: Vec<usize> = (0..entries.len()).filter(|n| entries[*n].entry_type == EntryType::ClockSkew).collect();
    assert_eq!(skews, [2, 7], "one for each occurrence, before what it affects");
}

async fn a_policy_entry_puts_its_digest_in_force_and_ends_older_decisions(stage: Stage) {
    let (ledger, _task) = stage.ledger().await;
    let mut activation = Entry::of_gateway(uuid::Uuid::new_v4(), crate::ledger_stage::node(), EntryType::Policy);
    activation.policy = Some(digest(8));
    let mut refused = activation.clone();
    refused.decision = Outcome::Deny;
    committed(ledger.append(Draft::of_gateway(refused)).await);
    assert_eq!(ledger.policy(), POLICY);
    let answers = as_one_batch(&ledger, vec![Draft::of_gateway(activation), Draft { ground: Some(ground(0)), ..draft() }]).await;
    assert!(matches!(answers[0], Ok(Answer::Committed(_))));
    assert!(matches!(answers[1], Ok(Answer::Stale)));
    assert_eq!((ledger.policy(), stage.store.head().await.unwrap().policy), (digest(8), digest(8)));
}

async fn a_restart_continues_the_tree(mut stage: Stage) {
    let mut before = Vec::new();
    for round in 0..3 {
        let (ledger, task) = stage.ledger().await;
        assert_eq!(ledger.size(), if round == 0 { 1 } else { round * 101 + 1 });
        for answer in as_one_batch(&ledger, (0..101).map(|_| draft()).collect()).await {
            committed(answer);
        }
        before.push(ledger.checkpoint());
        ledger.close().await;
        task.await.unwrap();
        stage.reopen().await;
    }
    let (ledger, _task) = stage.ledger().await;
    assert_eq!(ledger.checkpoint(), before[2], "the signature is a pure function of what is committed");
    let new = open_checkpoint(&ledger.checkpoint(), stage.signer.verifier()).unwrap();
    for note in before {
        let old = open_checkpoint(&note, stage.signer.verifier()).unwrap();
        let (proof, _) = ledger.consistency(old.size(), new.size()).await.unwrap();
        let proof: Vec<Hash> = proof.into_iter().map(Hash).collect();
        assert_eq!(verify_consistency(old.size(), new.size(), &old.root(), &new.root(), &proof), Ok(()));
    }
}

async fn closing_finishes_what_is_queued_and_takes_nothing_more(stage: Stage) {
    let (ledger, task) = stage.ledger().await;
    let turn = ledger.exclusive().await.unwrap();
    let mut waiting = Vec::new();
    for _ in 0..20 {
        let ledger = ledger.clone();
        waiting.push(tokio::spawn(async move { ledger.append(draft()).await }));
        tokio::task::yield_now().await;
    }
    ledger.close().await;
    drop(turn);
    for answer in waiting {
        committed(answer.await.unwrap());
    }
    task.await.unwrap();
    assert_eq!(ledger.append(draft()).await.unwrap_err(), LedgerError::Closed);
    assert_eq!(ledger.exclusive().await.unwrap_err(), LedgerError::Closed);
    assert_eq!(ledger.size(), 21);
    ledger.close().await;
}

async fn who_stops_waiting_before_the_batch_wants_nothing_recorded(stage: Stage) {
    let (ledger, _task) = stage.ledger().await;
    let turn = ledger.exclusive().await.unwrap();
    let gone = tokio::spawn({
        let ledger = ledger.clone();
        async move { ledger.append(draft()).await }
    });
    tokio::task::yield_now().await;
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    drop(turn);
    assert_eq!(committed(ledger.append(draft()).await).idx(), 1);
    assert_eq!(stage.entries().await.len(), 2);
}

async fn waiting_for_growth_ends_with_the_next_entry(stage: Stage) {
    let (ledger, _task) = stage.ledger().await;
    assert_eq!(ledger.grown(0).await, Ok(1));
    let grown = tokio::spawn({
        let ledger = ledger.clone();
        async move { ledger.grown(1).await }
    });
    tokio::task::yield_now().await;
    committed(ledger.append(draft()).await);
    assert_eq!(grown.await.unwrap(), Ok(2));
}

async fn everything_of_a_draft_is_stored_with_its_entry(stage: Stage) {
    let (ledger, _task) = stage.ledger().await;
    let sealed = tsunagi::store::Sealed { key: crate::ledger_stage::data_key(1), bytes: vec![4, 5] };
    let tag = tsunagi::store::Tag([3; 16]);
    let mut writes = new_case(1);
    writes.push(Write::CaseParty { case: case(1), party: center(), id: case_id(1), relation: tsunagi::domain::case::Relation::Origin });
    let mut full = entry();
    full.agreement = Some(tsunagi::ledger::AgreementRef { id: "AG-13-0001".parse::<AgreementId>().unwrap(), ver: 1, sha256: digest(2) });
    let draft = Draft { opening: Some(sealed.clone()), tags: vec![tag, tag], writes, ..Draft::of_gateway(full) };
    let done = committed(ledger.append(draft).await);
    assert_eq!(stage.store.entry(done.idx()).await.unwrap().unwrap().opening, Some(sealed));
    let filter = tsunagi::store::LedgerFilter { tags: vec![tag], agreement: Some("AG-13-0001".to_owned()), ..Default::default() };
    assert_eq!(stage.store.find(&filter, None, ledger.size(), 10).await.unwrap().rows.len(), 1);
    let row = stage.store.case(&center(), &case_id(1)).await.unwrap().unwrap();
    assert_eq!((row.received, row.updated_idx), (done.time(), done.idx()));
}

async fn a_signer_of_another_ledger_is_refused(mut stage: Stage) {
    stage.signer = Arc::new(NoteSigner::from_seed("other.example/log".parse().unwrap(), &Zeroizing::new([5; 32])).unwrap());
    assert_eq!(stage.try_ledger(stage.store.appender()).await.unwrap_err(), LedgerError::Signer);
}

async fn a_head_that_does_not_fit_its_frontier_is_never_written_behind(stage: Stage) {
    let (ledger, _task) = stage.ledger().await;
    let append = stage.store.appender().begin().await.unwrap();
    let head = append.head().clone();
    append.commit(Vec::new(), Vec::new(), HeadRow { root: [9; 32], ..head.clone() }).await.unwrap();
    assert_eq!(ledger.append(draft()).await.unwrap_err(), LedgerError::Broken("frontier and root"));
    let append = stage.store.appender().begin().await.unwrap();
    append.commit(Vec::new(), Vec::new(), head).await.unwrap();
    assert_eq!(committed(ledger.append(draft()).await).idx(), 1);
    assert!(Timestamp::default() < stage.store.head().await.unwrap().last_time);
}
