//! A key that its owner declares stolen (protocol section 1): what was entered under it since then is void, for the message and for the consent, and
//! what the owner signs with a new key stands.

use tsunagi::message::{
    keys::SigningKey,
    objects::{KeyAct, KeyStatement},
};

use crate::exchange_stage::{
    Sandbox, Settings,
    party::{Setback, now},
    story::{Consent, PLACEMENT, Referral, Story},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_stolen_key_signed_is_shown_to_nobody_and_a_new_key_stands() {
    let sandbox = Sandbox::new(Settings::default());
    let server = sandbox.serve().await;
    let mut story = Story::open(&sandbox).await;
    let before = now().plus_secs(-60);
    let both = story.refer().await;
    // Here the consent alone is signed with the stolen key; the message that rests on it is not.
    let consent = story.sign_consent(&story.consent());
    story.register(&consent).await.unwrap();
    let new = SigningKey::generate().unwrap();
    story.centre.add_key(&new).await.unwrap();
    let stolen = std::mem::replace(&mut story.centre.signing, new);
    let of_consent = under(&story, consent).await;
    for referral in [&both, &of_consent] {
        read_consent(&story, &referral.consent).await.unwrap();
    }

    let lost = KeyStatement { compromised_at: Some(before), ..story.centre.key_statement(KeyAct::Compromised, &stolen) };
    story.centre.say_of_key(&lost, &story.centre.signing).await.unwrap();
    for referral in [&both, &of_consent] {
        assert_eq!(story.read(&referral.case, PLACEMENT).await.unwrap_err().code(), "key_revoked");
        assert_eq!(read_consent(&story, &referral.consent).await.unwrap_err(), "key_revoked");
    }

    let good = story.refer().await;
    story.read(&good.case, PLACEMENT).await.unwrap();
    read_consent(&story, &good.consent).await.unwrap();
    server.stop().await;
}

/// The municipality looks at a consent.
async fn read_consent(story: &Story, consent: &Consent) -> Result<(), String> {
    let shown = story.municipality.json(&format!("/v1/consents/{}", consent.jti), PLACEMENT).await;
    shown.map(|_| ()).map_err(Setback::code)
}

/// A referral under a consent that is registered.
async fn under(story: &Story, consent: Consent) -> Referral {
    let (_, cursor) = story.cases(None).await.unwrap();
    story.submit(&story.sign(&story.draft(&consent))).await.unwrap();
    let (fresh, _) = story.cases(cursor).await.unwrap();
    let [case] = fresh.try_into().expect("one referral makes one case");
    Referral { consent, case }
}
