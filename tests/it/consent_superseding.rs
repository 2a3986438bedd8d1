//! A later consent replaces an earlier one as a whole, from its ledger entry on (`domain.md` section 10.3): what was sent under the earlier is read
//! under the later, no more and no less.

use serde_json::json;
use tsunagi::{
    domain::{
        agreement::Side,
        consent::{Exception, Item},
        field::FieldClass,
        ids::Jti,
    },
    message::objects::{ConsentGiven, Representative},
};

use crate::{
    consent_rules::violation,
    exchange_stage::{
        Sandbox, Settings,
        party::{Problem, Released, Setback},
        process::Server,
        story::{BENEFIT, Consent, PLACEMENT, Referral, Story},
    },
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_sent_under_the_old_consent_is_read_under_the_new_one() {
    let (_sandbox, server, story) = stage().await;
    let (first, referral) = refer(&story).await;
    let before = story.read(&referral.case, PLACEMENT).await.unwrap();
    assert!(classes(&story, &before).contains(&FieldClass::Medical));

    // The person takes the medical class back by signing anew.
    let narrower = without(&later(&story, &first), FieldClass::Medical);
    let second = register(&story, &narrower).await.unwrap();
    let after = story.read(&referral.case, PLACEMENT).await.unwrap();
    let mut expected = classes(&story, &before);
    expected.retain(|class| *class != FieldClass::Medical);
    assert_eq!(classes(&story, &after), expected);
    assert_eq!(after.release.binding.tsn.con.as_ref().unwrap().jti, second.jti, "the release says what it rests on");

    // And gives it again, with a third. What the message holds is shown again.
    let third = register(&story, &later(&story, &narrower)).await;
    assert!(third.is_ok());
    let widened = ConsentGiven { items: first.items.clone(), ..later_than(&story, &narrower, third.unwrap().jti) };
    register(&story, &widened).await.unwrap();
    assert_eq!(classes(&story, &story.read(&referral.case, PLACEMENT).await.unwrap()), classes(&story, &before));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_the_later_consent_closes_what_was_sent_under_the_earlier() {
    let (_sandbox, server, story) = stage().await;
    let (first, referral) = refer(&story).await;
    let second = register(&story, &later(&story, &first)).await.unwrap();
    story.read(&referral.case, BENEFIT).await.unwrap();

    // The old one says what took its place, to its collector and to the reader, and can do no more itself.
    for party in [&story.centre, &story.municipality] {
        let shown = party.json(&format!("/v1/consents/{}", referral.consent.jti), PLACEMENT).await.unwrap();
        assert_eq!((&shown["state"], &shown["superseded_by"]), (&json!("ended"), &json!(second.jti)), "{}", party.id);
    }
    let end = story.sign_end(&referral.consent, None);
    let problem = story.register_end(&referral.consent, &end).await.unwrap_err().problem();
    assert_eq!((problem.code.as_str(), violation(&problem)), ("state_conflict", ("con".to_owned(), "superseded".to_owned())));
    let problem = story.submit(&story.sign(&story.draft(&referral.consent))).await.unwrap_err().problem();
    assert_eq!((problem.code.as_str(), violation(&problem)), ("consent_ended", ("con".to_owned(), "superseded".to_owned())));
    // The new one belongs to the case of the old one: it opens no other, and the assigned party can end it.
    let problem = story.submit(&story.sign(&story.draft(&second))).await.unwrap_err().problem();
    assert_eq!((problem.code.as_str(), violation(&problem)), ("no_consent", ("con".to_owned(), "bound_to_another_case".to_owned())));

    let narrow = Exception { rcp: vec![Side::Party(story.municipality.id.clone())], pur: None, cls: Some(vec![FieldClass::Medical]) };
    story.register_end(&second, &story.sign_end(&second, Some(vec![narrow]))).await.unwrap();
    assert!(!classes(&story, &story.read(&referral.case, PLACEMENT).await.unwrap()).contains(&FieldClass::Medical));
    let city = &story.municipality;
    let end = tsunagi::message::objects::ConsentEnd {
        issued: city.issued(),
        con: second.jti,
        by: tsunagi::domain::consent::EndedBy::Self_,
        why: "本人から電話".to_owned(),
        narrow: None,
        from: None,
    };
    let end = tsunagi::message::objects::SignedObject::sign(&end, &city.signing).unwrap();
    city.post_object(&format!("/v1/consents/{}/end", second.jti), PLACEMENT, &end).await.unwrap();
    for purpose in [PLACEMENT, BENEFIT] {
        assert_eq!(story.read(&referral.case, purpose).await.unwrap_err().code(), "consent_ended");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_not_take_the_place_of_a_consent_is_refused_by_name() {
    let (_sandbox, server, story) = stage().await;
    let (first, referral) = refer(&story).await;
    let refuse = async |given: &ConsentGiven, code: &str, claim: &str, rule: &str| {
        let problem = register(&story, given).await.err().expect(rule);
        assert_eq!((problem.code.as_str(), violation(&problem)), (code, (claim.to_owned(), rule.to_owned())));
        story.read(&referral.case, PLACEMENT).await.unwrap();
    };
    let other_person = ConsentGiven { sub: "another-person-altogether".parse().unwrap(), ..later(&story, &first) };
    refuse(&other_person, "no_consent", "sup", "registered").await;
    let next = later(&story, &first);
    let from_tomorrow = ConsentGiven { nbf: next.nbf.plus_secs(86_400), ..next };
    refuse(&from_tomorrow, "bad_token", "nbf", "supersedes_at_once").await;

    // The person took something out; a paper signed before that does not bring it back, and a representative never does.
    let medical = Exception { rcp: vec![Side::Party(story.municipality.id.clone())], pur: None, cls: Some(vec![FieldClass::Medical]) };
    let earlier = later(&story, &first);
    let earlier = ConsentGiven {
        issued: tsunagi::message::objects::Issued { iat: earlier.issued.iat.plus_secs(-60), ..earlier.issued.clone() },
        ..earlier
    };
    story.register_end(&referral.consent, &story.sign_end(&referral.consent, Some(vec![medical.clone()]))).await.unwrap();
    refuse(&earlier, "state_conflict", "sup", "narrowed_since").await;
    // Nor does a paper of an earlier day that is written down only now.
    let next = later(&story, &first);
    let of_yesterday = ConsentGiven { nbf: next.nbf.plus_secs(-86_400), ..next };
    refuse(&of_yesterday, "state_conflict", "sup", "narrowed_since").await;
    let restoring = without(&ConsentGiven { rep: Some(guardian()), ..later(&story, &first) }, FieldClass::CriminalDetail);
    refuse(&restoring, "bad_token", "rep", "restores_what_was_refused").await;
    assert!(!classes(&story, &story.read(&referral.case, PLACEMENT).await.unwrap()).contains(&FieldClass::Medical));

    // With the refusal in it, the representative's stands. Of two, the first takes the place.
    let keeping = ConsentGiven { refused: vec![medical], ..later(&story, &first) };
    let keeping = without(&ConsentGiven { rep: restoring.rep.clone(), ..keeping }, FieldClass::CriminalDetail);
    let second = register(&story, &keeping).await.unwrap();
    assert!(!classes(&story, &story.read(&referral.case, PLACEMENT).await.unwrap()).contains(&FieldClass::Medical));
    refuse(&later(&story, &first), "state_conflict", "sup", "superseded").await;

    // What was withdrawn is not brought back.
    story.register_end(&second, &story.sign_end(&second, None)).await.unwrap();
    let problem = register(&story, &later_than(&story, &keeping, second.jti)).await.err().unwrap();
    assert_eq!((problem.code.as_str(), violation(&problem)), ("state_conflict", ("sup".to_owned(), "already_ended".to_owned())));
    assert_eq!(story.read(&referral.case, PLACEMENT).await.unwrap_err().code(), "consent_ended");
    server.stop().await;
}

/// What the person refused or took out stays out until the person speaks again, however many records a representative puts in between.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_representative_does_not_bring_back_in_two_steps_what_the_person_refused() {
    let (_sandbox, server, story) = stage().await;
    let medical = Exception { rcp: vec![Side::Party(story.municipality.id.clone())], pur: None, cls: Some(vec![FieldClass::Medical]) };
    for taken_out_later in [true, false] {
        let own = without(&story.consent(), FieldClass::CriminalDetail);
        let refused = if taken_out_later { Vec::new() } else { vec![medical.clone()] };
        let own = ConsentGiven { refused, ..own };
        let consent = register(&story, &own).await.unwrap();
        if taken_out_later {
            story.register_end(&consent, &story.sign_end(&consent, Some(vec![medical.clone()]))).await.unwrap();
        }
        // The first record of the representative says nothing of the class, neither yes nor no. The next would say yes.
        let of_guardian = ConsentGiven { rep: Some(guardian()), refused: Vec::new(), ..own.clone() };
        let silent = without(&later(&story, &of_guardian), FieldClass::Medical);
        let silent = register(&story, &silent).await.unwrap();
        let back = later_than(&story, &of_guardian, silent.jti);
        let problem = register(&story, &back).await.err().expect("the class is back");
        assert_eq!(
            (problem.code.as_str(), violation(&problem)),
            ("bad_token", ("rep".to_owned(), "restores_what_was_refused".to_owned())),
            "{taken_out_later}"
        );
        // The person may. From then on that is what the person said last.
        let spoken = register(&story, &ConsentGiven { rep: None, ..later_than(&story, &back, silent.jti) }).await.unwrap();
        register(&story, &later_than(&story, &of_guardian, spoken.jti)).await.unwrap();
    }
    server.stop().await;
}

fn guardian() -> Representative {
    Representative { kind: "guardianship".to_owned(), authority: "登記事項証明書".to_owned() }
}

async fn stage() -> (Sandbox, Server, Story) {
    let sandbox = Sandbox::new(Settings::default());
    let server = sandbox.serve().await;
    let story = Story::open(&sandbox).await;
    (sandbox, server, story)
}

/// A referral under a consent, with the consent's claims.
async fn refer(story: &Story) -> (ConsentGiven, Referral) {
    let given = story.consent();
    let consent = register(story, &given).await.unwrap();
    story.submit(&story.sign(&story.draft(&consent))).await.unwrap();
    let (mut cases, _) = story.cases(None).await.unwrap();
    (given, Referral { consent, case: cases.pop().unwrap() })
}

/// The same consent, given anew in place of the earlier one.
fn later(story: &Story, earlier: &ConsentGiven) -> ConsentGiven {
    later_than(story, earlier, earlier.issued.jti)
}

fn later_than(story: &Story, earlier: &ConsentGiven, sup: Jti) -> ConsentGiven {
    ConsentGiven { issued: story.centre.issued(), sup: Some(sup), ..earlier.clone() }
}

fn without(given: &ConsentGiven, class: FieldClass) -> ConsentGiven {
    let left = |list: &[FieldClass]| list.iter().copied().filter(|c| *c != class).collect();
    let items = given.items.iter().map(|item| Item { cls: left(&item.cls), tick: left(&item.tick), ..item.clone() }).collect();
    ConsentGiven { items, ..given.clone() }
}

async fn register(story: &Story, given: &ConsentGiven) -> Result<Consent, Problem> {
    let consent = story.sign_consent(given);
    story.register(&consent).await.map(|_| consent).map_err(Setback::problem)
}

/// The classes of the rows that were shown.
fn classes(story: &Story, released: &Released) -> Vec<FieldClass> {
    let mut found: Vec<_> = released.release.disclosed.rows.iter().map(|row| story.classes[&row.key]).collect();
    found.sort_unstable();
    found.dedup();
    found
}
