//! What every database promises of the rows that the gateway works with: parties, keys, agreements, consents, cases, messages.

use tsunagi::{
    domain::{
        agreement::AgreementAct,
        case::{CaseState, Relation},
        codes::{MessageKind, Purpose},
        party::{Name, PartyId, PartyKind, PartyState, Registration},
        time::Timestamp,
    },
    store::{EvidenceRow, EvidenceState, KeyRow, KeyState, MessageRow, PartyKeyUse, Tag, Write},
};

use crate::{
    ledger_stage::{
        START, Stage, case, case_id, center, data_key, digest, jti, new_case, on_both, party, row, store_entry, town, try_store_entry,
    },
    store_contract::{assert_conflict, sealed},
};

on_both! {
    parties_are_registered_updated_and_suspended,
    keys_come_oldest_first_with_the_leaf_that_registered_them,
    agreements_are_listed_for_who_is_named_and_who_may_accede,
    a_consent_binds_to_one_case_and_ends_for_good,
    each_party_knows_a_case_by_its_own_id,
    cases_are_listed_by_their_last_visible_change,
    messages_and_evidence_are_found_in_their_case,
}

fn registration(id: &PartyId, ja: &str) -> Registration {
    Registration {
        party: id.clone(),
        name: Name { ja: ja.to_owned(), en: "name".to_owned() },
        corporate_number: None,
        purposes: vec![Purpose::PlacementCoordination],
        certificates: vec![digest(4)],
        jurisdiction: None,
    }
}

async fn parties_are_registered_updated_and_suspended(stage: Stage) {
    let store = &*stage.store;
    assert_eq!(store.party(&center()).await.unwrap(), None);
    assert_conflict(&try_store_entry(store, &[Write::PartyState(center(), PartyState::Suspended)]).await);
    store_entry(store, &[Write::Party(registration(&center(), "一")), Write::Party(registration(&town(), "二"))]).await;
    store_entry(store, &[Write::PartyState(center(), PartyState::Suspended)]).await;
    store_entry(store, &[Write::Party(registration(&center(), "三"))]).await;
    let found = store.party(&center()).await.unwrap().unwrap();
    assert_eq!(
        (found.registration.name.ja.as_str(), found.state, found.idx),
        ("三", PartyState::Suspended, 2),
        "an update does not readmit"
    );
    store_entry(store, &[Write::PartyState(center(), PartyState::Active)]).await;
    assert_eq!(store.party(&center()).await.unwrap().unwrap().state, PartyState::Active);
    let ids = |rows: Vec<tsunagi::store::PartyRow>| rows.into_iter().map(|row| row.registration.party).collect::<Vec<_>>();
    assert_eq!(ids(store.parties(None, 9).await.unwrap()), [town(), center()]);
    assert_eq!(ids(store.parties(None, 1).await.unwrap()), [town()]);
    assert_eq!(ids(store.parties(Some(&town()), 9).await.unwrap()), [center()]);
}

async fn keys_come_oldest_first_with_the_leaf_that_registered_them(stage: Stage) {
    let store = &*stage.store;
    let key = |n: u8, usage| KeyRow {
        kid: digest(n),
        party: center(),
        usage,
        jwk: "{}".to_owned(),
        state: KeyState::Active,
        nbf: START,
        naf: START.plus_secs(9),
        compromised_at: None,
        idx: 0,
        leaf: digest(0),
    };
    assert_conflict(&try_store_entry(store, &[Write::Key(key(9, PartyKeyUse::Sig))]).await);
    store_entry(store, &[Write::Party(registration(&center(), "a")), Write::Key(key(9, PartyKeyUse::Sig))]).await;
    store_entry(store, &[Write::Key(key(1, PartyKeyUse::Enc))]).await;
    assert_conflict(&try_store_entry(store, &[Write::Key(key(1, PartyKeyUse::Enc))]).await);
    let keys = store.keys(&center()).await.unwrap();
    assert_eq!(
        keys.iter().map(|key| (key.kid, key.idx, key.leaf.0)).collect::<Vec<_>>(),
        [(digest(9), 0, row(0, START).leaf_hash), (digest(1), 1, row(1, START).leaf_hash)]
    );
    let compromised = Write::KeyState { kid: digest(1), state: KeyState::Compromised, compromised_at: Some(START) };
    store_entry(store, &[compromised]).await;
    let found = store.key(&digest(1)).await.unwrap().unwrap();
    assert_eq!(
        (found.state, found.compromised_at, found.usage, found.naf),
        (KeyState::Compromised, Some(START), PartyKeyUse::Enc, START.plus_secs(9))
    );
    let unknown = Write::KeyState { kid: digest(5), state: KeyState::Retired, compromised_at: None };
    assert_conflict(&try_store_entry(store, &[unknown]).await);
    assert_eq!(store.key(&digest(5)).await.unwrap(), None);
    assert_eq!(store.keys(&town()).await.unwrap(), []);
}

async fn agreements_are_listed_for_who_is_named_and_who_may_accede(stage: Stage) {
    let store = &*stage.store;
    let id = "AG-13-0001".parse().unwrap();
    let version = |ver, parties: &[PartyId], acceding: &[PartyKind]| Write::Agreement {
        id: "AG-13-0001".parse().unwrap(),
        ver,
        sha256: digest(1),
        document: vec![u8::try_from(ver).unwrap(); 3],
        parties: parties.to_vec(),
        acceding: acceding.to_vec(),
    };
    let act =
        |ver, who: PartyId, act| Write::AgreementAct { id: "AG-13-0001".parse().unwrap(), ver, party: who, act, signature: "s".to_owned() };
    let home = party("group_home:1320100017");
    store_entry(store, &[version(1, &[center(), center()], &[])]).await;
    store_entry(store, &[version(2, &[center(), town()], &[PartyKind::GroupHome])]).await;
    store_entry(store, &[act(2, town(), AgreementAct::Accept), act(2, center(), AgreementAct::Accept)]).await;
    store_entry(store, &[act(2, home.clone(), AgreementAct::Accede), Write::AgreementSuperseded("AG-13-0001".parse().unwrap(), 1)]).await;
    let vers = |rows: Vec<tsunagi::store::AgreementRow>| rows.into_iter().map(|row| row.ver).collect::<Vec<_>>();
    assert_eq!(vers(store.agreements(None, None, 9).await.unwrap()), [1, 2]);
    assert_eq!(vers(store.agreements(Some(&center()), None, 9).await.unwrap()), [1, 2]);
    assert_eq!(vers(store.agreements(Some(&center()), Some(0), 9).await.unwrap()), [2]);
    assert_eq!(vers(store.agreements(Some(&center()), None, 1).await.unwrap()), [1]);
    assert_eq!(vers(store.agreements(Some(&town()), None, 9).await.unwrap()), [2]);
    assert_eq!(vers(store.agreements(Some(&home), None, 9).await.unwrap()), [2]);
    assert_eq!(vers(store.agreements(Some(&party("auditor:tokyo")), None, 9).await.unwrap()), Vec::<u32>::new());
    assert_eq!(vers(store.versions(&id).await.unwrap()), [1, 2]);
    let second = store.agreement(&id, 2).await.unwrap().unwrap();
    assert_eq!(second.acts.iter().map(|act| (act.party.clone(), act.idx)).collect::<Vec<_>>(), [(town(), 2), (center(), 2), (home, 3)]);
    assert_eq!((second.document.as_slice(), second.superseded, second.idx), ([2, 2, 2].as_slice(), false, 1));
    assert!(store.agreement(&id, 1).await.unwrap().unwrap().superseded);
    assert_eq!(store.agreement(&id, 3).await.unwrap(), None);
    assert_conflict(&try_store_entry(store, &[version(2, &[], &[])]).await);
    assert_conflict(&try_store_entry(store, &[act(3, town(), AgreementAct::Accept)]).await);
    assert_conflict(&try_store_entry(store, &[Write::AgreementSuperseded("AG-13-0001".parse().unwrap(), 3)]).await);
}

async fn a_consent_binds_to_one_case_and_ends_for_good(stage: Stage) {
    let store = &*stage.store;
    let consent = |n| Write::Consent { jti: jti(n), collector: center(), sha256: digest(2), subject: Tag([9; 16]), sealed: sealed(1) };
    let mut first = new_case(1);
    first.extend(new_case(2));
    first.extend([Write::Person(Tag([9; 16])), Write::PersonKey(Tag([9; 16]), data_key(1)), consent(1), consent(2), consent(3)]);
    store_entry(store, &first).await;
    assert_eq!(store.person_keys(&Tag([9; 16])).await.unwrap(), vec![data_key(1)]);
    assert_eq!(store.person_keys(&Tag([8; 16])).await.unwrap(), vec![]);
    store_entry(store, &[Write::PersonKey(Tag([9; 16]), data_key(2))]).await;
    assert_eq!(store.person_keys(&Tag([9; 16])).await.unwrap(), vec![data_key(1), data_key(2)]);
    assert_conflict(&try_store_entry(store, &[Write::PersonKey(Tag([9; 16]), data_key(2))]).await);
    assert_conflict(&try_store_entry(store, &[Write::Person(Tag([7; 16])), Write::PersonKey(Tag([7; 16]), data_key(99))]).await);
    assert_conflict(&try_store_entry(store, &[Write::PersonKey(Tag([8; 16]), data_key(2))]).await);
    assert_conflict(&try_store_entry(store, &[Write::Person(Tag([9; 16]))]).await);
    assert_conflict(&try_store_entry(store, &[consent(1)]).await);
    let found = store.consent(&jti(1)).await.unwrap().unwrap();
    assert_eq!((found.collector, found.sha256, found.subject, found.sealed), (center(), digest(2), Tag([9; 16]), sealed(1)));
    assert_eq!((found.case, found.ended, found.ends, found.idx), (None, false, vec![], 0));

    store_entry(store, &[Write::ConsentBound(jti(1), case(1))]).await;
    store_entry(store, &[Write::ConsentBound(jti(1), case(1))]).await;
    assert_conflict(&try_store_entry(store, &[Write::ConsentBound(jti(1), case(2))]).await);
    let mut append = stage.store.appender().begin().await.unwrap();
    assert_eq!(append.consent_case(&jti(1)).await.unwrap(), Some(case(1)));
    assert_eq!(append.consent_case(&jti(2)).await.unwrap(), None);
    assert_eq!(append.consent_case(&jti(99)).await.unwrap(), None);
    drop(append);

    store_entry(store, &[Write::ConsentEnd { consent: jti(1), whole: false, sealed: sealed(3) }]).await;
    let narrowed = store.consent(&jti(1)).await.unwrap().unwrap();
    assert_eq!((narrowed.case, narrowed.ended, narrowed.ends), (Some(case(1)), false, vec![sealed(3)]));
    store_entry(store, &[Write::ConsentEnd { consent: jti(1), whole: true, sealed: sealed(2) }]).await;
    let ended = store.consent(&jti(1)).await.unwrap().unwrap();
    assert_eq!((ended.ended, ended.ends), (true, vec![sealed(3), sealed(2)]));
    store_entry(store, &[Write::ConsentSuperseded { consent: jti(2), by: jti(3) }]).await;
    let superseded = store.consent(&jti(2)).await.unwrap().unwrap();
    assert_eq!((superseded.ended, superseded.superseded_by, superseded.ends), (true, Some(jti(3)), vec![]));
    assert_conflict(&try_store_entry(store, &[Write::ConsentSuperseded { consent: jti(2), by: jti(3) }]).await);
    assert!(!store.consent(&jti(3)).await.unwrap().unwrap().ended);
    assert_conflict(&try_store_entry(store, &[Write::ConsentSuperseded { consent: jti(9), by: jti(3) }]).await);
    assert_conflict(&try_store_entry(store, &[Write::ConsentEnd { consent: jti(9), whole: true, sealed: sealed(2) }]).await);
}

async fn each_party_knows_a_case_by_its_own_id(stage: Stage) {
    let store = &*stage.store;
    let relation = |n, who: PartyId, id, relation| Write::CaseParty { case: case(n), party: who, id: case_id(id), relation };
    let mut first = new_case(1);
    first.extend([relation(1, center(), 11, Relation::Origin), relation(1, town(), 12, Relation::Assigned)]);
    store_entry(store, &first).await;
    let own = store.case(&town(), &case_id(12)).await.unwrap().unwrap();
    assert_eq!((own.case, own.party.clone(), own.relation, own.state), (case(1), town(), Relation::Assigned, CaseState::Open));
    assert_eq!((own.kind, own.received, own.updated, own.updated_idx, own.revision), (MessageKind::Referral, START, START, 0, 3));
    assert_eq!(store.case(&town(), &case_id(11)).await.unwrap(), None, "the id of another party is not there");
    assert_eq!(store.case_of_any(&case_id(11)).await.unwrap(), Some(case(1)));
    assert_eq!(store.case_of_any(&case_id(99)).await.unwrap(), None);
    assert_eq!(store.case_parties(&case(1)).await.unwrap().iter().map(|row| row.id).collect::<Vec<_>>(), [case_id(12), case_id(11)]);

    // A known party keeps its id; the revision moves; only who is touched sees the change.
    store_entry(store, &[relation(1, town(), 77, Relation::Accepted), Write::CaseState(case(1), CaseState::Accepted)]).await;
    let changed = store.case(&town(), &case_id(12)).await.unwrap().unwrap();
    assert_eq!((changed.relation, changed.state, changed.revision, changed.updated_idx), (Relation::Accepted, CaseState::Accepted, 5, 1));
    assert_eq!(changed.received, START);
    assert!(changed.updated > START);
    assert_eq!(store.case(&center(), &case_id(11)).await.unwrap().unwrap().updated_idx, 0);
    store_entry(store, &[Write::CaseTouched(case(1), center())]).await;
    let touched = store.case(&center(), &case_id(11)).await.unwrap().unwrap();
    assert_eq!((touched.updated_idx, touched.revision), (2, 5));
    assert_conflict(&try_store_entry(store, &[Write::CaseTouched(case(1), party("auditor:x"))]).await);
    assert_conflict(&try_store_entry(store, &[Write::CaseState(case(9), CaseState::Closed)]).await);
    assert_conflict(&try_store_entry(store, &[relation(9, town(), 78, Relation::Origin)]).await);
    assert_conflict(&try_store_entry(store, &[relation(1, party("auditor:x"), 11, Relation::Origin)]).await);
}

async fn cases_are_listed_by_their_last_visible_change(stage: Stage) {
    let store = &*stage.store;
    for n in 1..=4 {
        let mut rows = new_case(n);
        rows.push(Write::CaseParty { case: case(n), party: town(), id: case_id(n), relation: Relation::Assigned });
        store_entry(store, &rows).await;
    }
    store_entry(store, &[Write::CaseTouched(case(1), town()), Write::CaseState(case(1), CaseState::Closed)]).await;
    store_entry(store, &[Write::CaseParty { case: case(2), party: town(), id: case_id(2), relation: Relation::None }]).await;
    let ids = |rows: Vec<tsunagi::store::CaseRow>| rows.into_iter().map(|row| row.id).collect::<Vec<_>>();
    assert_eq!(ids(store.cases(&town(), None, None, 9).await.unwrap()), [case_id(3), case_id(4), case_id(1)]);
    assert_eq!(ids(store.cases(&town(), None, Some(2), 1).await.unwrap()), [case_id(4)]);
    assert_eq!(ids(store.cases(&town(), Some(CaseState::Closed), None, 9).await.unwrap()), [case_id(1)]);
    assert_eq!(ids(store.cases(&town(), None, Some(u64::MAX), 9).await.unwrap()), []);
    assert_eq!(ids(store.cases(&center(), None, None, 9).await.unwrap()), []);
    // Where it has a place, in the order of the keys, whatever changed since.
    let later = START.plus_secs(86_400);
    assert_eq!(store.taken_part(&town(), later, None, 9).await.unwrap(), [case(1), case(3), case(4)]);
    assert_eq!(store.taken_part(&town(), later, Some(&case(1)), 1).await.unwrap(), [case(3)]);
    assert_eq!(store.taken_part(&town(), later, Some(&case(4)), 9).await.unwrap(), []);
    assert_eq!(store.taken_part(&town(), START, None, 9).await.unwrap(), []);
}

async fn messages_and_evidence_are_found_in_their_case(stage: Stage) {
    let store = &*stage.store;
    let message = |n, from: PartyId, to: PartyId| {
        Write::Message(MessageRow {
            iss: from,
            jti: jti(n),
            aud: to,
            case: case(1),
            kind: MessageKind::Referral,
            digest: digest(3),
            sealed: sealed(u8::try_from(n).unwrap()),
            idx: 99,
            received: Timestamp::default(),
        })
    };
    let evidence = |n, state| {
        Write::Evidence(EvidenceRow {
            case: case(1),
            iss: center(),
            jti: jti(n),
            digest: digest(3),
            state,
            receipt: jti(n + 500),
            idx: 99,
            leaf: digest(0),
            time: Timestamp::default(),
        })
    };
    let home = party("group_home:1320100017");
    let mut first = new_case(1);
    first.extend([message(1, center(), town()), evidence(1, EvidenceState::Accepted)]);
    first.push(Write::CaseParty { case: case(1), party: town(), id: case_id(7), relation: Relation::Assigned });
    store_entry(store, &first).await;
    store_entry(store, &[message(2, center(), town())]).await;
    store_entry(store, &[message(3, town(), home.clone())]).await;
    store_entry(store, &[evidence(1, EvidenceState::Released), evidence(2, EvidenceState::Accepted)]).await;
    let opening = store.first_message(&case(1), &town()).await.unwrap().unwrap();
    assert_eq!((opening.jti, opening.sealed.bytes, opening.idx, opening.received), (jti(1), vec![1; 40], 0, START));
    assert_eq!(store.first_message(&case(1), &center()).await.unwrap(), None);
    let found = store.addressed(&town(), &case_id(7)).await.unwrap().unwrap();
    let wrapped = store.data_key(&found.message.sealed.key).await.unwrap();
    assert_eq!((found.relation, found.message.jti, found.wrapped), (Relation::Assigned, jti(1), wrapped));
    assert_eq!(store.addressed(&center(), &case_id(7)).await.unwrap(), None, "the id of another party is not there");
    assert_eq!(store.message(&case(1), &jti(3)).await.unwrap().unwrap().aud, home);
    assert_eq!(store.message(&case(2), &jti(3)).await.unwrap(), None);
    let ids = |rows: Vec<tsunagi::store::MessageHead>| rows.into_iter().map(|row| row.jti).collect::<Vec<_>>();
    assert_eq!(ids(store.messages(&case(1), &town(), None, 9).await.unwrap()), [jti(1), jti(2), jti(3)]);
    assert_eq!(ids(store.messages(&case(1), &town(), Some(0), 1).await.unwrap()), [jti(2)]);
    assert_eq!(ids(store.messages(&case(1), &home, None, 9).await.unwrap()), [jti(3)]);
    assert_conflict(&try_store_entry(store, &[message(1, town(), center())]).await);
    let told = store.evidence(&case(1), &center()).await.unwrap();
    assert_eq!(
        told.iter().map(|row| (row.jti, row.state, row.idx, row.receipt)).collect::<Vec<_>>(),
        [
            (jti(1), EvidenceState::Accepted, 0, jti(501)),
            (jti(1), EvidenceState::Released, 3, jti(501)),
            (jti(2), EvidenceState::Accepted, 3, jti(502)),
        ]
    );
    assert_eq!(told[1].leaf.0, row(3, START).leaf_hash);
    assert_eq!(store.evidence(&case(1), &town()).await.unwrap(), []);
}
