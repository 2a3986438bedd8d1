//! Subjects by category through a gateway: corrected ones count as what they were corrected to, what was taken back or erased is not opened, nobody
//! learns a category from the numbers, and what was published once stays.

use std::time::Duration;

use serde_json::{Value, json};
use tsunagi::{
    domain::{
        codes::{MessageKind, Purpose},
        consent::Exception,
        field::FieldClass,
        ids::Jti,
        time::Timestamp,
    },
    message::{
        keys::SigningKey,
        objects::{KeyAct, KeyStatement},
    },
};

use crate::{
    erasure_stage::{erase, in_both, printed},
    exchange_stage::{CENTRE, MUNICIPALITY as CITY, Sandbox, Settings, party::now, policies::tsunagi, story::BENEFIT},
    life_stage::{Life, PLACEMENT, letter},
    statistics_stage::{a_year_later, last_year, told},
    tamper_stage::superuser::{SqliteAdmin, Superuser as _},
};

/// Another person, referred as of a category; gives the message.
async fn referred_as(life: &mut Life, category: &str) -> Jti {
    life.another_person(CENTRE).await;
    let route = if category == "entry" { "entry_support" } else { "exit_coordination" };
    life.goes(letter(MessageKind::Referral, CENTRE, CITY).with("subject_category", category).with("support_route", route)).await
}

async fn corrected(life: &mut Life, message: Jti, rows: &[(&'static str, Value)]) -> Jti {
    let letter = letter(MessageKind::Correction, CENTRE, CITY).with("corrects", message.to_string());
    life.goes(rows.iter().fold(letter, |letter, (key, value)| letter.with(key, value.clone()))).await
}

/// The person takes something back, or everything.
async fn taken_back(life: &Life, class: Option<FieldClass>) {
    let narrow = class.map(|class| vec![Exception { rcp: vec![CITY.parse().unwrap()], pur: None, cls: Some(vec![class]) }]);
    let end = life.story.sign_end(&life.consent, narrow);
    life.story.register_end(&life.consent, &end).await.unwrap();
}

/// The centre says that its key was stolen, and signs with another.
async fn key_stolen(life: &mut Life, since: Timestamp) {
    let new = SigningKey::generate().unwrap();
    life.story.centre.add_key(&new).await.unwrap();
    let old = std::mem::replace(&mut life.story.centre.signing, new);
    let centre = &life.story.centre;
    let lost = KeyStatement { compromised_at: Some(since), ..centre.key_statement(KeyAct::Compromised, &old) };
    centre.say_of_key(&lost, &centre.signing).await.unwrap();
}

in_both!("warn"; a_person_counts_by_category_where_that_may_be_opened);

async fn a_person_counts_by_category_where_that_may_be_opened(sandbox: Sandbox) {
    let mut life = Life::referred_on(sandbox, false).await;
    let mut erased = Vec::new();
    // Ten that cannot be known, eight here: the consent ended, the class was taken back, a correction was taken back with it, the case was erased.
    for at in 0..8 {
        let message = referred_as(&mut life, "exit").await;
        match at {
            0..3 => taken_back(&life, None).await,
            3..5 => taken_back(&life, Some(FieldClass::CriminalStatus)).await,
            5 => {
                corrected(&mut life, message, &[("subject_category", json!("entry"))]).await;
                taken_back(&life, None).await;
            }
            _ => erased.push(life.case(CITY).to_owned()),
        }
    }
    // Eleven of the first category, of whom one was corrected to it, and one away from it and back; one lost another class.
    for _ in 0..8 {
        referred_as(&mut life, "exit").await;
    }
    taken_back(&life, Some(FieldClass::Identity)).await;
    let message = referred_as(&mut life, "exit").await;
    corrected(&mut life, message, &[("wishes_life", json!("静かに暮らしたい"))]).await;
    let message = referred_as(&mut life, "entry").await;
    corrected(&mut life, message, &[("subject_category", json!("exit"))]).await;
    let message = referred_as(&mut life, "exit").await;
    let correction = corrected(&mut life, message, &[("subject_category", json!("municipal_recognised"))]).await;
    corrected(&mut life, correction, &[("subject_category", json!("exit"))]).await;
    // Twelve of the second, the first of them there from the beginning; one of them consented anew. Thirteen of the third.
    for _ in 0..11 {
        referred_as(&mut life, "entry").await;
    }
    life.supersede().await.unwrap();
    for _ in 0..13 {
        referred_as(&mut life, "municipal_recognised").await;
    }
    let last = life.consent.clone();
    // And two that were signed with a stolen key.
    // The moment is told in whole seconds.
    let stolen = now().plus_secs(1);
    while now() < stolen {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for _ in 0..2 {
        referred_as(&mut life, "entry").await;
    }
    key_stolen(&mut life, stolen).await;
    for case in &erased {
        printed(&erase(&life.sandbox, case, CITY, &[]));
    }
    a_year_later(&life).await;

    let target = format!("/v1/statistics?year={}", last_year());
    let answer = life.party(CITY).json(&target, PLACEMENT).await.unwrap();
    let counts = told(&answer);
    let expected = [
        ("received", 46),
        ("received.exit", 11),
        ("received.entry", 12),
        ("received.municipal_recognised", 13),
        ("received.not_known", 10),
        ("received.settlement_center", 46),
        ("consulted", 0),
    ];
    for (name, count) in expected {
        assert_eq!(counts[name], Some(count), "{name}: {answer}");
    }

    // What happens to one person now shows to nobody: the difference would tell of what category that person is.
    let end = life.story.sign_end(&last, None);
    life.story.register_end(&last, &end).await.unwrap();
    let audited = format!("{target}&municipality=131016");
    for again in
        [life.party(CITY).json(&target, BENEFIT).await.unwrap(), life.story.auditor.json(&audited, Purpose::AuditReview).await.unwrap()]
    {
        assert_eq!(again["numbers"], answer["numbers"]);
    }

    // An inspection finds nothing but what was moved into the year before.
    let inspected = tsunagi(&["--json", "audit", "inspect"], &life.sandbox);
    let said: Value = serde_json::from_slice(&inspected.stdout).unwrap();
    let problems = said["problems"].as_array().unwrap();
    assert!(!problems.is_empty() && problems.iter().all(|problem| problem["path"] == "message.received"), "{problems:?}");
    life.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_worlds_that_differ_in_the_categories_of_fewer_than_ten_have_the_same_numbers() {
    let mut worlds = Vec::new();
    for categories in [["exit", "municipal_recognised", "exit"], ["entry", "entry", "entry"]] {
        let mut life = Life::referred_on(Sandbox::new(Settings::default()), false).await;
        for category in categories {
            referred_as(&mut life, category).await;
        }
        // In one of them the person took it back.
        taken_back(&life, (categories[0] == "exit").then_some(FieldClass::CriminalStatus)).await;
        a_year_later(&life).await;
        let target = format!("/v1/statistics?year={}", last_year());
        let audited = format!("{target}&municipality=131016");
        // Whoever is first: it is counted once.
        let (own, of_auditor) =
            tokio::join!(life.party(CITY).json(&target, BENEFIT), life.story.auditor.json(&audited, Purpose::AuditReview));
        let mut seen = Vec::new();
        for mut answer in [own.unwrap(), of_auditor.unwrap()] {
            // The entry and its proof are of the question, and differ from one to the next in any world.
            assert!(answer.as_object_mut().unwrap().remove("ledger").is_some());
            assert!(told(&answer).iter().filter(|(name, _)| name.starts_with("received")).any(|(_, count)| count.is_none()));
            seen.push(answer.to_string());
        }
        assert_eq!(seen[0], seen[1]);
        worlds.push(seen);
        // What was published and cannot be read any more is not counted again.
        SqliteAdmin::open(&life.sandbox.database())
            .await
            .run("UPDATE ledger_opening SET sealed = zeroblob(length(sealed))".to_owned())
            .await;
        assert_eq!(life.party(CITY).json(&target, PLACEMENT).await.unwrap_err().problem().status, 500);
        life.server.stop().await;
    }
    assert_eq!(worlds[0], worlds[1]);
}
