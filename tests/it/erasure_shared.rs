//! Consents that two cases rest on: erasing the one case leaves them, erasing the other takes them along.

use tsunagi::message::objects::ConsentGiven;

use crate::{
    erasure_stage::{Stored, erase, hunt, in_both, marked, marked_consent, printed, refused},
    exchange_stage::{
        MUNICIPALITY, Sandbox,
        policies::tsunagi,
        story::{PLACEMENT, Story},
    },
};

in_both! {
    "error";
    consents_that_another_case_rests_on_stay_until_that_case_is_erased_too,
}

async fn consents_that_another_case_rests_on_stay_until_that_case_is_erased_too(sandbox: Sandbox) {
    let server = sandbox.serve().await;
    let stored = Stored::of(&sandbox);
    let (story, sent) = marked(&sandbox).await;
    let first = sent.referral.consent.jti;
    let later = ConsentGiven { issued: story.centre.issued(), sup: Some(first), ..marked_consent(&story) };
    let second = story.sign_consent(&later);
    story.register(&second).await.unwrap();
    let other = Story::open(&sandbox).await.refer().await;

    // The protocol binds the consents of a person to one case. A database in which the later one belongs to another case is what the erasure must not
    // take for granted that it cannot meet.
    let cases: Vec<(Vec<u8>, Vec<u8>)> = stored.rows("SELECT id, consent FROM case_ WHERE consent IS NOT NULL").await;
    let (another, _) = cases.iter().find(|(_, consent)| consent == other.consent.jti.uuid().as_bytes()).unwrap();
    stored.change("UPDATE consent SET case_ = $1 WHERE jti = $2", [another, second.jti.uuid().as_bytes()]).await;
    stored.change("UPDATE case_ SET consent = $1 WHERE id = $2", [second.jti.uuid().as_bytes(), another]).await;

    let consents = [first, second.jti].map(|jti| format!("/v1/consents/{jti}"));
    let hunt = hunt();
    let marked = async || stored.openable(&sandbox).await.iter().filter(|text| !hunt.in_bytes(text).is_empty()).count();
    assert_eq!(marked().await, 3, "the message and two consents");

    let done = printed(&erase(&sandbox, &sent.referral.case, MUNICIPALITY, &[]));
    assert_eq!((&done["keys"], &done["messages"], &done["consents"], &done["consents_kept"]), (&1.into(), &1.into(), &0.into(), &2.into()));
    assert_eq!(marked().await, 2, "the message is gone, the consents are not");
    assert_eq!(refused(story.read(&sent.referral.case, PLACEMENT).await.unwrap_err()), (410, "erased".to_owned()));
    for consent in &consents {
        story.centre.json(consent, PLACEMENT).await.unwrap();
    }
    assert_eq!(printed(&tsunagi(&["--json", "audit", "inspect"], &sandbox))["holds"], true, "nothing is found by the erased case");

    // Nothing rests on them any more.
    let done = printed(&erase(&sandbox, &other.case, MUNICIPALITY, &[]));
    assert_eq!((&done["keys"], &done["messages"], &done["consents"], &done["consents_kept"]), (&3.into(), &1.into(), &2.into(), &0.into()));
    assert_eq!(marked().await, 0);
    for consent in &consents {
        assert_eq!(refused(story.centre.json(consent, PLACEMENT).await.unwrap_err()), (410, "erased".to_owned()));
    }
    assert_eq!(printed(&tsunagi(&["--json", "audit", "inspect"], &sandbox))["holds"], true);
    server.stop().await;
}
