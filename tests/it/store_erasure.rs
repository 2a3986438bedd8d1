//! What every database promises about the writes of an erasure: each changes what it names and nothing else, none can be made twice, and a batch with one
//! that does not fit changes nothing.

use tsunagi::{
    clock::Stopwatch,
    domain::{codes::MessageKind, ids::Jti, time::Timestamp},
    store::{DataKeyId, EntryRow, HeadRow, LedgerFilter, MessageRow, Sealed, Store, StoreError, Tag, Write},
};

use crate::ledger_stage::{
    START, Stage, case, case_id, center, data_key, digest, jti, new_case, on_both, row, store_entry, town, try_store_entry,
};

on_both! {
    an_erased_case_is_listed_nowhere_and_its_key_is_gone_for_good,
    an_erased_message_keeps_its_place_and_loses_its_content,
    an_erased_consent_is_nobodys_and_all_its_ends_are_empty,
    an_erased_person_is_unknown_and_the_other_stays,
    openings_and_tags_go_one_by_one,
    a_batch_with_one_write_that_does_not_fit_erases_nothing,
    a_case_of_sixteen_thousand_entries_is_erased_in_one_transaction,
}

/// Two persons, each with a case, a message, a consent with two ends, and an entry with an opening and two tags.
async fn two_cases(store: &dyn Store) {
    for n in [1, 2] {
        let mut rows = new_case(n);
        rows.push(Write::DataKey(data_key(n + 100), vec![4, 5, 6]));
        rows.push(Write::CaseParty { case: case(n), party: town(), id: case_id(n), relation: tsunagi::domain::case::Relation::Assigned });
        rows.extend([Write::Person(subject(n)), Write::PersonKey(subject(n), data_key(n + 100))]);
        let consent = Write::Consent { jti: jti(n), collector: center(), sha256: digest(2), subject: subject(n), sealed: sealed(n + 100) };
        rows.extend([consent, message(n)]);
        rows.extend([false, true].map(|whole| Write::ConsentEnd { consent: jti(n), whole, sealed: sealed(n + 100) }));
        let (idx, time) = (store.head().await.unwrap().size, START.plus_secs(i64::try_from(n).unwrap()));
        let mut append = store.appender().begin().await.unwrap();
        append.write(&rows, idx, time).await.unwrap();
        let entry = EntryRow { opening: Some(sealed(n)), tags: vec![tag(1), tag(n + 10)], ..row(idx, time) };
        let head = HeadRow { size: idx + 1, last_time: time, ..append.head().clone() };
        append.commit(vec![entry], Vec::new(), head).await.unwrap();
    }
}

fn subject(n: u128) -> Tag {
    tag(n + 50)
}

fn tag(n: u128) -> Tag {
    Tag(n.to_be_bytes())
}

fn sealed(key: u128) -> Sealed {
    Sealed { key: data_key(key), bytes: vec![9; 40] }
}

fn message(n: u128) -> Write {
    Write::Message(MessageRow {
        iss: center(),
        jti: jti(n),
        aud: town(),
        case: case(n),
        kind: MessageKind::Referral,
        digest: digest(3),
        sealed: sealed(n),
        idx: 0,
        received: Timestamp::default(),
    })
}

/// Everything that an erasure of the first case may do.
fn whole() -> Vec<Write> {
    vec![
        Write::EraseCase(case(1)),
        Write::EraseMessage(case(1), jti(1)),
        Write::EraseConsent { consent: jti(1), ends: 2 },
        Write::ErasePerson(subject(1), vec![data_key(101)]),
        Write::EraseOpening(0),
        Write::EraseTag(tag(1), 0),
        Write::EraseTag(tag(11), 0),
        Write::EraseKey(data_key(1)),
        Write::EraseKey(data_key(101)),
    ]
}

/// What is left of a case: its keys, message, consent, ends, person, opening, tags; each as the number of what still holds something.
async fn left(store: &dyn Store, n: u128) -> [usize; 7] {
    let idx = u64::try_from(n - 1).unwrap();
    let mut keys = 0;
    for key in [data_key(n), data_key(n + 100)] {
        keys += usize::from(store.data_key(&key).await.unwrap().is_some());
    }
    let message = store.message(&case(n), &jti(n)).await.unwrap().unwrap();
    let consent = store.consent(&jti(n)).await.unwrap().unwrap();
    let mut tagged = 0;
    for tags in [vec![tag(1)], vec![tag(n + 10)]] {
        let found = store.find(&LedgerFilter { tags, ..LedgerFilter::default() }, None, u64::MAX, 9).await.unwrap();
        tagged += found.rows.iter().filter(|row| row.idx == idx).count();
    }
    [
        keys,
        usize::from(!message.sealed.bytes.is_empty()),
        usize::from(!consent.is_erased()),
        consent.ends.iter().filter(|end| !end.bytes.is_empty()).count(),
        store.person_keys(&subject(n)).await.unwrap().len(),
        usize::from(store.entry(idx).await.unwrap().unwrap().opening.is_some()),
        tagged,
    ]
}

const ALL: [usize; 7] = [2, 1, 1, 2, 1, 1, 2];

#[track_caller]
fn conflicts(done: &Result<u64, StoreError>) {
    assert!(matches!(done, Err(StoreError::RowConflict)), "{done:?}");
}

async fn an_erased_case_is_listed_nowhere_and_its_key_is_gone_for_good(stage: Stage) {
    let store = &*stage.store;
    two_cases(store).await;
    let before = store.case(&town(), &case_id(1)).await.unwrap().unwrap();
    assert!(!before.erased && store.cases(&town(), None, None, 9).await.unwrap().len() == 2);
    store_entry(store, &[Write::EraseCase(case(1)), Write::EraseKey(data_key(1))]).await;
    let after = store.case(&town(), &case_id(1)).await.unwrap().unwrap();
    assert_eq!((after.erased, after.revision), (true, before.revision + 1), "who was about to write to it decides again");
    let listed: Vec<_> = store.cases(&town(), None, None, 9).await.unwrap().into_iter().map(|row| row.id).collect();
    assert_eq!(listed, [case_id(2)]);
    assert_eq!(store.data_key(&data_key(1)).await.unwrap(), None);
    assert!(store.addressed(&town(), &case_id(1)).await.unwrap().unwrap().wrapped.is_none());
    // Neither again, nor what was never there; and no new key takes the place.
    conflicts(&try_store_entry(store, &[Write::EraseKey(data_key(1))]).await);
    conflicts(&try_store_entry(store, &[Write::EraseKey(data_key(77))]).await);
    conflicts(&try_store_entry(store, &[Write::EraseCase(case(77))]).await);
    conflicts(&try_store_entry(store, &[Write::DataKey(data_key(1), vec![1])]).await);
    assert_eq!(left(store, 2).await, ALL);
}

async fn an_erased_message_keeps_its_place_and_loses_its_content(stage: Stage) {
    let store = &*stage.store;
    two_cases(store).await;
    let before = store.message(&case(1), &jti(1)).await.unwrap().unwrap();
    store_entry(store, &[Write::EraseMessage(case(1), jti(1))]).await;
    let after = store.message(&case(1), &jti(1)).await.unwrap().unwrap();
    assert_eq!(
        (after.digest, after.idx, after.received, after.sealed.key),
        (before.digest, before.idx, before.received, before.sealed.key)
    );
    assert!(after.sealed.bytes.is_empty());
    assert_eq!(store.messages(&case(1), &town(), None, 9).await.unwrap().len(), 1);
    conflicts(&try_store_entry(store, &[Write::EraseMessage(case(2), jti(1))]).await);
    conflicts(&try_store_entry(store, &[Write::EraseMessage(case(1), Jti::from_uuid(uuid::Uuid::nil()))]).await);
    assert_eq!(left(store, 2).await, ALL);
}

async fn an_erased_consent_is_nobodys_and_all_its_ends_are_empty(stage: Stage) {
    let store = &*stage.store;
    two_cases(store).await;
    // As many ends as there are, no more: otherwise one was written since they were counted.
    conflicts(&try_store_entry(store, &[Write::EraseConsent { consent: jti(1), ends: 3 }]).await);
    assert_eq!(left(store, 1).await, ALL);
    store_entry(store, &[Write::EraseConsent { consent: jti(1), ends: 2 }]).await;
    let erased = store.consent(&jti(1)).await.unwrap().unwrap();
    assert!(erased.is_erased() && erased.ended && erased.ends.iter().all(|end| end.bytes.is_empty()));
    assert_eq!((erased.subject, erased.collector, erased.sha256), (Tag([0; 16]), center(), digest(2)));
    conflicts(&try_store_entry(store, &[Write::EraseConsent { consent: jti(9), ends: 0 }]).await);
    assert_eq!(left(store, 2).await, ALL);
}

async fn an_erased_person_is_unknown_and_the_other_stays(stage: Stage) {
    let store = &*stage.store;
    two_cases(store).await;
    conflicts(&try_store_entry(store, &[Write::ErasePerson(subject(1), vec![data_key(102)])]).await);
    assert_eq!(store.person_keys(&subject(1)).await.unwrap(), [data_key(101)]);
    store_entry(store, &[Write::ErasePerson(subject(1), vec![data_key(101)])]).await;
    assert_eq!(store.person_keys(&subject(1)).await.unwrap(), Vec::<DataKeyId>::new());
    conflicts(&try_store_entry(store, &[Write::ErasePerson(subject(1), Vec::new())]).await);
    // The same pseudonym may begin anew.
    store_entry(store, &[Write::Person(subject(1))]).await;
    assert_eq!(left(store, 2).await, ALL);
}

async fn openings_and_tags_go_one_by_one(stage: Stage) {
    let store = &*stage.store;
    two_cases(store).await;
    store_entry(store, &[Write::EraseOpening(0), Write::EraseTag(tag(1), 0)]).await;
    assert_eq!(left(store, 1).await[5..], [0, 1], "the other tag of the entry is there");
    for write in [Write::EraseOpening(0), Write::EraseOpening(99), Write::EraseTag(tag(1), 0), Write::EraseTag(tag(12), 0)] {
        conflicts(&try_store_entry(store, &[write]).await);
    }
    assert_eq!(store.entry(0).await.unwrap().unwrap().body, b"0", "the entry stays");
    assert_eq!(left(store, 2).await, ALL);
}

async fn a_batch_with_one_write_that_does_not_fit_erases_nothing(stage: Stage) {
    let store = &*stage.store;
    two_cases(store).await;
    let wrong = [
        Write::EraseCase(case(9)),
        Write::EraseMessage(case(1), jti(9)),
        Write::EraseConsent { consent: jti(1), ends: 1 },
        Write::ErasePerson(subject(9), Vec::new()),
        Write::EraseOpening(9),
        Write::EraseTag(tag(9), 0),
        Write::EraseKey(data_key(9)),
    ];
    for write in wrong {
        let mut writes = whole();
        writes.push(write);
        conflicts(&try_store_entry(store, &writes).await);
        assert_eq!((left(store, 1).await, left(store, 2).await), (ALL, ALL));
    }
    // Nor when the connection goes before the commit.
    let mut append = store.appender().begin().await.unwrap();
    append.write(&whole(), 2, START.plus_secs(9)).await.unwrap();
    drop(append);
    assert_eq!((left(store, 1).await, left(store, 2).await), (ALL, ALL));
    store_entry(store, &whole()).await;
    assert_eq!((left(store, 1).await, left(store, 2).await), ([0; 7], ALL));
}

/// As many as one erasure may have.
async fn a_case_of_sixteen_thousand_entries_is_erased_in_one_transaction(stage: Stage) {
    const ENTRIES: u64 = 16_384;
    const TAGS: u64 = 10;
    let store = &*stage.store;
    two_cases(store).await;
    let mine = |idx: u64| (0..TAGS).map(move |n| tag(u128::from(1_000_000 + idx * TAGS + n)));
    for first in (2..ENTRIES).step_by(2048) {
        let last = (first + 2048).min(ENTRIES);
        let append = store.appender().begin().await.unwrap();
        let time = |idx: u64| START.plus_secs(i64::try_from(idx + 9).unwrap());
        let rows: Vec<EntryRow> =
            (first..last).map(|idx| EntryRow { opening: Some(sealed(1)), tags: mine(idx).collect(), ..row(idx, time(idx)) }).collect();
        let head = HeadRow { size: last, last_time: time(last - 1), ..append.head().clone() };
        append.commit(rows, Vec::new(), head).await.unwrap();
    }
    let mut writes = whole();
    writes.extend((2..ENTRIES).flat_map(|idx| mine(idx).map(move |tag| Write::EraseTag(tag, idx)).chain([Write::EraseOpening(idx)])));
    // One that is not there spoils it, whatever else was deleted by then.
    conflicts(&try_store_entry(store, &[writes.clone(), vec![Write::EraseTag(tag(9), 5)]].concat()).await);
    assert!(store.entry(ENTRIES - 1).await.unwrap().unwrap().opening.is_some());
    let took = Stopwatch::start();
    store_entry(store, &writes).await;
    eprintln!("{} writes of one erasure in {:?}", writes.len(), took.elapsed());
    assert_eq!((left(store, 1).await, left(store, 2).await), ([0; 7], ALL));
    let size = store.head().await.unwrap().size;
    for idx in [2, ENTRIES / 2, ENTRIES - 1] {
        assert!(store.entry(idx).await.unwrap().unwrap().opening.is_none());
        let filter = LedgerFilter { tags: vec![mine(idx).next().unwrap()], ..LedgerFilter::default() };
        assert!(store.find(&filter, None, size, 9).await.unwrap().rows.is_empty());
    }
}
