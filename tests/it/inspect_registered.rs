//! Who is who stands in the ledger: an administrator of the database who changes a party, a key or how they stand is found, and nothing is done by
//! what was changed. What an earlier version registered is recorded at the gateway's machine.

use serde_json::{Value, json};
use tsunagi::{
    clock::Clock as _,
    domain::{
        codes::Purpose,
        digest::Digest,
        entry::Act,
        party::{Name, PartyId, Registration},
        time::Timestamp,
    },
    message::{
        base64url,
        keys::{OpeningKey, SigningKey},
        objects::{FirstKey, KeyAct, KeyStatement, PartyAct, PartyStatement, SignedObject as _},
    },
    store::{KeyRow, KeyState, PartyKeyUse, Write},
};

use crate::{
    erasure_stage::in_both,
    exchange_stage::{
        AUDITOR, CENTRE, MUNICIPALITY as CITY, Sandbox,
        agreement::CORE,
        inside::Inside,
        party::now,
        policies::tsunagi,
        story::{PLACEMENT, Story},
    },
    inspect_cases::put_back,
    inspect_stored::{inspection, of_schema, superuser, told},
    life_stage::{DAY, HOME, OFFICE},
    tamper_stage::superuser::{Superuser, Value as Cell},
};

in_both! {
    "error";
    what_is_changed_of_a_party_or_a_key_is_named_and_nothing_is_done_by_it,
    nothing_is_done_by_a_key_or_a_party_that_is_set_back_to_what_it_was,
    what_an_earlier_version_registered_is_recorded_and_stays_what_it_was,
    an_earlier_version_beside_this_one_makes_no_key_suspect_and_recording_makes_none_newer,
}

async fn what_is_changed_of_a_party_or_a_key_is_named_and_nothing_is_done_by_it(sandbox: Sandbox) {
    let server = sandbox.serve().await;
    let story = Story::open(&sandbox).await;
    let referral = story.refer().await;
    let new = SigningKey::generate().unwrap();
    story.municipality.add_key(&new).await.unwrap();
    let retire = story.municipality.key_statement(KeyAct::Retire, &new);
    story.municipality.say_of_key(&retire, &story.municipality.signing).await.unwrap();
    for (act, party) in [(PartyAct::Suspend, HOME), (PartyAct::Suspend, DAY), (PartyAct::Readmit, DAY)] {
        story.operate(act, &party.parse().unwrap()).await.unwrap();
    }
    server.stop().await;
    assert_eq!(inspected(&sandbox), [], "before anybody changed anything");

    let mut admin = superuser(&sandbox).await;
    let keys = keys(&mut *admin).await;
    let kid = |party: &str, usage: &str| {
        let found = keys.iter().find(|key| key.1 == party && key.2 == usage && key.3 == "active");
        found.unwrap_or_else(|| panic!("{party} {usage}")).0
    };
    let retired = keys.iter().find(|key| key.3 == "retired").unwrap().0;
    let rogue = Digest([9; 32]);
    let blob = |digest: &Digest| admin.literal(&Cell::Blob(digest.0.to_vec()));
    let changes = [
        // Another's key in the place of a reader's; one that nobody registered; one that is gone; one that was good earlier.
        format!(
            "UPDATE party_key SET jwk = (SELECT jwk FROM party_key WHERE kid = {}) WHERE kid = {}",
            blob(&kid(CORE, "enc")),
            blob(&kid(CITY, "enc"))
        ),
        format!(
            "INSERT INTO party_key (kid, party, usage, jwk, state, nbf, naf, compromised_at, idx) SELECT {}, '{CENTRE}', usage, jwk, state, nbf, naf, \
             compromised_at, idx FROM party_key WHERE kid = {}",
            blob(&rogue),
            blob(&kid(CORE, "enc"))
        ),
        format!("DELETE FROM party_key WHERE kid = {}", blob(&kid(OFFICE, "enc"))),
        format!("UPDATE party_key SET nbf = nbf - 1 WHERE kid = {}", blob(&kid(DAY, "sig"))),
        format!("UPDATE party_key SET usage = 'enc' WHERE kid = {}", blob(&kid(AUDITOR, "sig"))),
        // How they stand.
        format!("UPDATE party_key SET state = 'active' WHERE kid = {}", blob(&retired)),
        format!("UPDATE party SET state = 'active' WHERE id = '{HOME}'"),
        // Who somebody is; since when it is so.
        format!("UPDATE party SET registration = (SELECT registration FROM party WHERE id = '{DAY}') WHERE id = '{OFFICE}'"),
        format!("UPDATE party SET idx = (SELECT idx FROM party WHERE id = '{CITY}') WHERE id = '{DAY}'"),
        format!("UPDATE party_key SET idx = (SELECT idx FROM party WHERE id = '{CITY}') WHERE kid = {}", blob(&kid(DAY, "enc"))),
    ];
    for change in changes {
        admin.run(change).await;
    }
    let key = |finding: &str, kid: &Digest| (finding.to_owned(), format!("party_key {kid}"));
    let differs = |party: &str| ("registration_differs".to_owned(), format!("party {party}"));
    let mut expected = vec![
        key("registration_differs", &kid(CITY, "enc")),
        key("registration_unrecorded", &rogue),
        key("registration_missing", &kid(OFFICE, "enc")),
        key("registration_differs", &kid(DAY, "sig")),
        key("registration_differs", &kid(AUDITOR, "sig")),
        key("registration_differs", &retired),
        differs(HOME),
        differs(OFFICE),
        differs(DAY),
        key("registration_differs", &kid(DAY, "enc")),
    ];
    expected.sort_unstable();
    assert_eq!(inspected(&sandbox), expected);

    // Nothing is sealed to the other key, nobody is told of it, and the others go on.
    let server = sandbox.serve().await;
    let problem = story.read(&referral.case, PLACEMENT).await.unwrap_err().problem();
    assert_eq!((problem.status, problem.code.as_str()), (500, "internal"), "{}", problem.text);
    for party in [CITY, CENTRE, HOME, OFFICE] {
        let problem = story.auditor.open_data(&format!("/v1/parties/{party}")).await.unwrap_err().problem();
        assert_eq!((problem.status, problem.code.as_str()), (500, "internal"), "{party}");
    }
    story.operator.open_data(&format!("/v1/parties/{CORE}")).await.unwrap();
    let listed = async || {
        let listed: Value = serde_json::from_slice(&story.operator.open_data("/v1/parties").await.unwrap().body).unwrap();
        let named = |party: &Value| party["party"].as_str().unwrap().to_owned();
        listed["parties"].as_array().unwrap().iter().map(named).collect::<Vec<_>>()
    };
    let others = listed().await;
    let is_listed = |party: &&str| others.iter().any(|listed| listed == party);
    assert!(is_listed(&CORE) && ![CITY, CENTRE, HOME, DAY, OFFICE].iter().any(is_listed), "{others:?}");
    server.stop().await;

    // Nor does a row that cannot be read keep anybody from the others.
    let unreadable = others.iter().find(|party| *party != CORE && **party != story.operator.id.to_string()).unwrap();
    admin.run(format!("UPDATE party SET registration = '{{' WHERE id = '{unreadable}'")).await;
    let server = sandbox.serve().await;
    assert_eq!(listed().await, others.iter().filter(|party| *party != unreadable).cloned().collect::<Vec<_>>());
    server.stop().await;
    let said: Value = serde_json::from_slice(&tsunagi(&["--json", "ledger", "record"], &sandbox).stdout).unwrap();
    assert!(said["differing"].as_array().unwrap().contains(&json!({"party": unreadable, "key": null})), "{said}");
}

async fn nothing_is_done_by_a_key_or_a_party_that_is_set_back_to_what_it_was(sandbox: Sandbox) {
    let server = sandbox.serve().await;
    let mut story = Story::open(&sandbox).await;
    let referral = story.refer().await;
    story.read(&referral.case, PLACEMENT).await.unwrap();
    let (home, new): (PartyId, _) = (HOME.parse().unwrap(), SigningKey::generate().unwrap());
    story.centre.add_key(&new).await.unwrap();
    let stolen = std::mem::replace(&mut story.centre.signing, new);
    let lost = KeyStatement { compromised_at: Some(now().plus_secs(-60)), ..story.centre.key_statement(KeyAct::Compromised, &stolen) };
    story.centre.say_of_key(&lost, &story.centre.signing).await.unwrap();
    story.operate(PartyAct::Suspend, &home).await.unwrap();
    let read = async || story.read(&referral.case, PLACEMENT).await.map(|_| ()).map_err(crate::exchange_stage::party::Setback::code);
    assert_eq!(read().await, Err("key_revoked".to_owned()));
    server.stop().await;

    let mut admin = superuser(&sandbox).await;
    let kid = admin.literal(&Cell::Blob(stolen.public().thumbprint().0.to_vec()));
    let good = format!("UPDATE party_key SET state = 'active', compromised_at = NULL WHERE kid = {kid}");
    let newest = "(SELECT max(idx) FROM ledger_entry WHERE type = 'key')";
    let registered = format!("(SELECT min(idx) FROM ledger_entry WHERE type = 'party' AND recipient = '{HOME}')");
    let tables = ["party", "party_key", "ledger_opening"];
    for table in tables {
        admin.keep(table).await;
    }
    // Somebody else's first key it does not become either.
    let other: PartyId = "operator:other".parse().unwrap();
    let register = async || {
        let first = FirstKey { jwk: stolen.public().clone(), nbf: now(), naf: now().plus_secs(86_400) };
        let (registration, key) = (Some(registration(&other)), Some(first));
        let operator = &story.operator;
        let statement = PartyStatement { issued: operator.issued(), act: PartyAct::Register, party: other.clone(), registration, key };
        operator.post_object("/v1/parties", Purpose::Administration, &statement.sign(&operator.signing).unwrap()).await.map(|_| ())
    };
    for (changes, party) in [
        // It was never stolen; it was never there; it was never suspended; and nobody can read any more that it was stolen.
        (vec![good.clone()], CENTRE),
        (vec![format!("DELETE FROM party_key WHERE kid = {kid}")], CENTRE),
        (vec![format!("UPDATE party SET state = 'active', idx = {registered} WHERE id = '{HOME}'")], HOME),
        (vec![good, format!("DELETE FROM ledger_opening WHERE idx = {newest}")], CENTRE),
    ] {
        for change in &changes {
            admin.run(change.clone()).await;
        }
        assert_eq!(inspection(&sandbox)["holds"], false, "{changes:?}");
        let server = sandbox.serve().await;
        let problem = story.auditor.open_data(&format!("/v1/parties/{party}")).await.unwrap_err().problem();
        assert_eq!((problem.status, problem.code.as_str()), (500, "internal"), "{changes:?}");
        let code = if party == CENTRE { "internal" } else { "key_revoked" };
        assert_eq!(read().await, Err(code.to_owned()), "{changes:?}");
        let code = if party == CENTRE { "internal" } else { "state_conflict" };
        assert_eq!(register().await.unwrap_err().code(), code, "{changes:?}");
        server.stop().await;
        for table in tables {
            put_back(&mut *admin, table).await;
        }
    }
}

async fn what_an_earlier_version_registered_is_recorded_and_stays_what_it_was(sandbox: Sandbox) {
    sandbox.serve().await.stop().await;
    let (party, signing): (PartyId, _) = ("auditor:kyoto".parse().unwrap(), SigningKey::generate().unwrap());
    let inside = Inside::open(&sandbox).await;
    let registration = registration(&party);
    let row = key_row(&party, &signing);
    inside.as_earlier(&party, vec![Write::Party(registration.clone()), Write::Key(row)]).await;
    let survey = inside.gateway.survey_registrations().await.unwrap();
    assert_eq!((survey.earlier.len(), survey.differing.len()), (2, 0));
    inside.close().await;
    let kid = signing.public().thumbprint();
    let paths = [format!("party {party}"), format!("party_key {kid}")];
    assert_eq!(inspected(&sandbox), paths.clone().map(|path| ("registration_unrecorded".to_owned(), path)));

    let record = || {
        let done = tsunagi(&["--json", "ledger", "record"], &sandbox);
        (done.status.code(), serde_json::from_slice::<Value>(&done.stdout).unwrap(), String::from_utf8_lossy(&done.stderr).into_owned())
    };
    let both = json!([{"party": party, "key": null}, {"party": party, "key": kid}]);
    let (code, said, _) = record();
    assert_eq!((code, &said["recorded"], &said["differing"]), (Some(0), &both, &json!([])));
    assert_eq!(inspected(&sandbox), [], "recorded");
    let (code, said, _) = record();
    assert_eq!((code, &said["recorded"]), (Some(0), &json!([])), "once");
    let server = sandbox.serve().await;
    Story::open(&sandbox).await.operator.open_data(&format!("/v1/parties/{party}")).await.unwrap();
    server.stop().await;

    // What was recorded cannot be recorded otherwise, not even by a row that names the entry which commits to nothing.
    let mut admin = superuser(&sandbox).await;
    let rows = admin.rows("party").await;
    let named = |row: &&std::collections::BTreeMap<String, Cell>| row["id"] == Cell::Text(party.to_string());
    let Cell::Int(recorded) = rows.iter().find(named).unwrap()["idx"] else { panic!("idx") };
    admin.run(format!("UPDATE party SET state = 'suspended' WHERE id = '{party}'")).await;
    let (code, said, told) = record();
    assert_eq!((code, &said["recorded"], &said["differing"]), (Some(3), &json!([]), &json!([{"party": party, "key": null}])));
    assert!(told.contains("audit inspect"), "{told}");
    assert_eq!(inspected(&sandbox), [("registration_differs".to_owned(), paths[0].clone())]);
    admin.run(format!("UPDATE party SET idx = {} WHERE id = '{party}'", recorded - 1)).await;
    let (code, said, _) = record();
    assert_eq!((code, &said["recorded"], &said["differing"]), (Some(3), &json!([]), &json!([{"party": party, "key": null}])));
    assert_eq!(inspected(&sandbox), [("registration_differs".to_owned(), paths[0].clone())]);
}

async fn an_earlier_version_beside_this_one_makes_no_key_suspect_and_recording_makes_none_newer(sandbox: Sandbox) {
    let server = sandbox.serve().await;
    let story = Story::open(&sandbox).await;
    let referral = story.refer().await;
    let committed = SigningKey::generate().unwrap();
    story.municipality.add_key(&committed).await.unwrap();
    server.stop().await;

    // An earlier version retires a key that an entry commits to, and adds two to which nothing does: the one that is good since later comes first.
    let inside = Inside::open(&sandbox).await;
    let city = &story.municipality;
    let retired = Write::KeyState { kid: committed.public().thumbprint(), state: KeyState::Retired, compromised_at: None };
    inside.key_as_earlier(city, Act::Retire, retired).await;
    // The clock of the gateway inside stands still.
    let begins = Timestamp::from_secs(inside.clock.now().secs());
    let [newest, older] = [0, 1].map(|hours| {
        let key = OpeningKey::generate().unwrap();
        let (kid, jwk) = (key.public().thumbprint(), key.public().jwk().to_string());
        KeyRow { kid, usage: PartyKeyUse::Enc, jwk, nbf: begins.plus_secs(-3600 * hours), leaf: kid, ..key_row(&city.id, &committed) }
    });
    for row in [&newest, &older] {
        inside.key_as_earlier(city, Act::Add, Write::Key(row.clone())).await;
    }
    let chosen = async || kid_of(&inside.read(city, &referral.case, PLACEMENT).await.unwrap().body);
    assert_eq!(chosen().await, newest.kid);
    let unrecorded = |row: &KeyRow| ("registration_unrecorded".to_owned(), format!("party_key {}", row.kid));
    let mut expected = [unrecorded(&newest), unrecorded(&older)];
    expected.sort_unstable();
    assert_eq!(inspected(&sandbox), expected, "the keys that entries commit to are not suspected");

    let recorded = inside.gateway.record_registrations().await.unwrap();
    assert_eq!((recorded.earlier.len(), recorded.differing.len()), (2, 0));
    assert_eq!(inspected(&sandbox), []);
    assert_eq!(chosen().await, newest.kid, "releases are sealed to the same key");
    inside.close().await;
}

/// To which key something is sealed.
fn kid_of(envelope: &str) -> Digest {
    let header = base64url::decode(envelope.split('.').next().unwrap()).unwrap();
    serde_json::from_slice::<Value>(&header).unwrap()["kid"].as_str().unwrap().parse().unwrap()
}

fn registration(party: &PartyId) -> Registration {
    Registration {
        party: party.clone(),
        name: Name { ja: "京都の監査".to_owned(), en: "Audit of Kyoto".to_owned() },
        corporate_number: None,
        purposes: Vec::new(),
        certificates: Vec::new(),
        jurisdiction: None,
    }
}

fn key_row(party: &PartyId, key: &SigningKey) -> KeyRow {
    let kid = key.public().thumbprint();
    KeyRow {
        kid,
        party: party.clone(),
        usage: PartyKeyUse::Sig,
        jwk: key.public().jwk().to_string(),
        state: KeyState::Active,
        nbf: now(),
        naf: now().plus_secs(86_400),
        compromised_at: None,
        idx: 0,
        leaf: kid,
    }
}

/// Thumbprint, party, use and state of every key.
async fn keys(admin: &mut dyn Superuser) -> Vec<(Digest, String, String, String)> {
    let text = |cell: &Cell| match cell {
        Cell::Text(text) => text.clone(),
        other => panic!("{other:?}"),
    };
    let rows = admin.rows("party_key").await;
    let key = |row: &std::collections::BTreeMap<String, Cell>| {
        let Cell::Blob(kid) = &row["kid"] else { panic!("kid") };
        (Digest(kid.as_slice().try_into().unwrap()), text(&row["party"]), text(&row["usage"]), text(&row["state"]))
    };
    rows.iter().map(key).collect()
}

/// What an inspection finds, each with where.
fn inspected(sandbox: &Sandbox) -> Vec<(String, String)> {
    let said = inspection(sandbox);
    for problem in said["problems"].as_array().unwrap().iter().filter(|problem| !of_schema(problem)) {
        assert_eq!(problem["index"].is_u64(), problem["finding"] != "registration_unrecorded", "{problem}");
    }
    told(&said, "problems", "finding")
}
