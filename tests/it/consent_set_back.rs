//! A consent whose place another took does not stand again because an administrator of the database sets its row back while a gateway serves.

use tsunagi::message::objects::ConsentGiven;

use crate::{
    erasure_stage::in_both,
    exchange_stage::{
        Sandbox,
        party::Setback,
        story::{PLACEMENT, Story},
    },
    inspect_cases::put_back,
    inspect_stored::{inspection, superuser, told},
};

in_both!("error"; a_consent_that_was_replaced_does_not_stand_again_because_its_row_is_set_back);

async fn a_consent_that_was_replaced_does_not_stand_again_because_its_row_is_set_back(sandbox: Sandbox) {
    let mut server = Some(sandbox.serve().await);
    let story = Story::open(&sandbox).await;
    let given = story.consent();
    let first = story.refer_under(story.sign_consent(&given)).await.referral;
    let later = |before: &ConsentGiven| ConsentGiven { issued: story.centre.issued(), sup: Some(before.issued.jti), ..before.clone() };
    let second = later(&given);
    let third = later(&second);
    for later in [&second, &third] {
        story.register(&story.sign_consent(later)).await.unwrap();
    }
    // Another person's consent is nothing to it.
    let other = story.refer().await;
    let read = async |case: &str| story.read(case, PLACEMENT).await.map(drop).map_err(Setback::code);
    assert_eq!((read(&first.case).await, read(&other.case).await), (Ok(()), Ok(())), "before anybody changed anything");

    let mut admin = superuser(&sandbox).await;
    for table in ["consent", "person_key"] {
        admin.keep(table).await;
    }
    let reset = "UPDATE consent SET ended = 0, superseded_by = NULL WHERE superseded_by IS NOT NULL";
    let first_alone = format!("{reset} AND idx = (SELECT min(idx) FROM consent)");
    // In the very process that knew the successor, and in one that begins with what stands there.
    for (again, sql) in [(false, reset.to_owned()), (false, first_alone.clone()), (true, first_alone)] {
        if let Some(server) = server.take_if(|_| again) {
            server.stop().await;
        }
        admin.run(sql.clone()).await;
        if server.is_none() {
            server = Some(sandbox.serve().await);
        }
        let on_consent = format!("/v1/consents/{}", first.consent.jti);
        let shown = story.centre.json(&on_consent, PLACEMENT).await.map(drop);
        let end = story.register_end(&first.consent, &story.sign_end(&first.consent, None)).await.map(drop);
        let named = story.submit(&story.sign(&story.draft(&first.consent))).await.map(drop);
        let replaced = story.register(&story.sign_consent(&later(&given))).await.map(drop);
        for (what, outcome) in [("shown", shown), ("ended", end), ("named by a message", named), ("replaced once more", replaced)] {
            assert_eq!(outcome.map_err(Setback::code), Err("internal".to_owned()), "{what}: {sql}");
        }
        assert_eq!(read(&first.case).await, Err("internal".to_owned()), "{sql}");
        assert_eq!(read(&other.case).await, Ok(()), "{sql}");
        put_back(&mut *admin, "consent").await;
        assert_eq!(read(&first.case).await, Ok(()), "as it was");
    }
    server.unwrap().stop().await;

    // Whoever takes away the key by which the gateway tells, too, is found by an inspection.
    let newest = "(SELECT max(idx) FROM consent)";
    let last = format!("(SELECT key FROM consent WHERE superseded_by IS NULL AND idx < {newest})");
    let others = format!("(SELECT subject FROM consent WHERE idx = {newest})");
    for (sql, finding, path) in [
        (format!("DELETE FROM person_key WHERE key = {last}"), "stored_missing", "person_key"),
        (format!("UPDATE consent SET subject = {others} WHERE superseded_by IS NULL"), "stored_differs", "consent.subject"),
    ] {
        admin.run(sql.clone()).await;
        assert_eq!(told(&inspection(&sandbox), "problems", "finding"), [(finding.to_owned(), path.to_owned())], "{sql}");
        for table in ["consent", "person_key"] {
            put_back(&mut *admin, table).await;
        }
    }
    assert_eq!(told(&inspection(&sandbox), "problems", "finding"), [], "as it was");
}
