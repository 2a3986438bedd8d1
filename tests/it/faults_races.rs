//! The same thing twice at the same time: one entry, and an answer to everybody that says what happened.

use std::sync::Arc;

use tokio::task::JoinSet;
use tsunagi::{
    domain::entry::{EntryType, Outcome},
    message::objects::{ConsentGiven, SignedObject as _},
};

use crate::{
    consent_rules::violation,
    exchange_stage::{
        Sandbox, Settings,
        ledger::Ledger,
        party::{Setback, new_jti},
        story::{Message, PLACEMENT, Story},
        told::Answer,
    },
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_message_sent_many_times_at_once_is_entered_once_and_answered_alike() {
    let sandbox = Sandbox::new(Settings::default());
    let server = sandbox.serve().await;
    let story = Arc::new(Story::open(&sandbox).await);
    let consent = story.sign_consent(&story.consent());
    story.register(&consent).await.unwrap();
    let message = story.sign(&story.draft(&consent));
    let outcomes = at_once(&story, vec![message.clone(); 8]).await;
    let answers: Vec<Answer> = outcomes.into_iter().map(Result::unwrap).collect();
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    let ledger = Ledger::read(&story.auditor).await;
    assert_eq!(ledger.records.iter().filter(|record| record.entry.entry_type == EntryType::Submission).count(), 1);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_messages_under_one_id_at_once_are_one_entry_and_a_recorded_conflict() {
    let sandbox = Sandbox::new(Settings::default());
    let server = sandbox.serve().await;
    let story = Arc::new(Story::open(&sandbox).await);
    for _ in 0..ROUNDS {
        let mut messages = Vec::new();
        let jti = new_jti();
        for _ in 0..4 {
            let consent = story.sign_consent(&story.consent());
            story.register(&consent).await.unwrap();
            let mut draft = story.draft(&consent);
            draft.claims.jti = jti;
            messages.push(story.sign(&draft));
        }
        let outcomes = at_once(&story, messages).await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
        for refused in outcomes.into_iter().filter_map(Result::err) {
            assert_eq!(refused.code(), "replay_conflict");
        }
    }
    assert_refusals(&story, "replay_conflict", 3 * ROUNDS).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_consent_for_two_messages_at_once_is_bound_to_one_case() {
    let sandbox = Sandbox::new(Settings::default());
    let server = sandbox.serve().await;
    let story = Arc::new(Story::open(&sandbox).await);
    for _ in 0..ROUNDS {
        let consent = story.sign_consent(&story.consent());
        story.register(&consent).await.unwrap();
        let messages: Vec<Message> = (0..4).map(|_| story.sign(&story.draft(&consent))).collect();
        let outcomes = at_once(&story, messages).await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
        for refused in outcomes.into_iter().filter_map(Result::err) {
            assert_eq!(refused.code(), "no_consent");
        }
    }
    assert_refusals(&story, "no_consent", 3 * ROUNDS).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_first_consents_of_one_person_at_once_one_is_registered() {
    let sandbox = Sandbox::new(Settings::default());
    let server = sandbox.serve().await;
    let story = Arc::new(Story::open(&sandbox).await);
    for _ in 0..ROUNDS {
        let given = story.consent();
        let mut registering = JoinSet::new();
        for _ in 0..8 {
            let story = Arc::clone(&story);
            let consent = story.sign_consent(&ConsentGiven { issued: story.centre.issued(), ..given.clone() });
            registering.spawn(async move { story.register(&consent).await });
        }
        let outcomes = registering.join_all().await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
        for refused in outcomes.into_iter().filter_map(Result::err) {
            let problem = refused.problem();
            let told = (problem.code.as_str(), violation(&problem));
            assert_eq!(told, ("state_conflict", ("sub".to_owned(), "in_use".to_owned())));
        }
    }
    assert_refusals(&story, "state_conflict", 7 * ROUNDS).await;

    // The pseudonym is the collector's own: another one has made up the same for somebody else, and learns nothing of this.
    let given = story.consent();
    story.register(&story.sign_consent(&given)).await.unwrap();
    let city = &story.municipality;
    let elsewhere = ConsentGiven { issued: city.issued(), ..given }.sign(&city.signing).unwrap();
    city.post_object("/v1/consents", PLACEMENT, &elsewhere).await.unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consent_that_supersedes_nothing_is_refused_and_recorded() {
    let sandbox = Sandbox::new(Settings::default());
    let server = sandbox.serve().await;
    let story = Arc::new(Story::open(&sandbox).await);
    let mut given = story.consent();
    given.sup = Some(new_jti());
    assert_eq!(story.register(&story.sign_consent(&given)).await.unwrap_err().code(), "no_consent");
    assert_refusals(&story, "no_consent", 1).await;
    server.stop().await;
}

/// Sends messages at the same time.
async fn at_once(story: &Arc<Story>, messages: Vec<Message>) -> Vec<Result<Answer, Setback>> {
    let mut sending = JoinSet::new();
    for message in messages {
        let story = Arc::clone(story);
        sending.spawn(async move { story.submit(&message).await.map(|accepted| Answer::new(&message, &accepted)) });
    }
    sending.join_all().await
}

/// Every refusal is an entry, under the code that the caller was told.
async fn assert_refusals(story: &Story, code: &str, count: usize) {
    let ledger = Ledger::read(&story.auditor).await;
    let refusals = ledger.records.iter().filter(|record| record.entry.decision == Outcome::Deny);
    let reasons: Vec<_> = refusals.map(|record| record.entry.reason.as_deref().unwrap_or_default()).collect();
    assert_eq!(reasons, vec![code; count]);
}

const ROUNDS: usize = 3;
