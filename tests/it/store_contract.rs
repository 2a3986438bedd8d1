//! What every database promises, trait by trait.

use std::os::unix::fs::PermissionsExt as _;

use tsunagi::{
    domain::{
        agreement::AgreementAct,
        case::{CaseState, Relation},
        codes::{MessageKind, Purpose},
        party::{Name, PartyId, PartyKind, PartyState, Registration},
        time::Timestamp,
    },
    store::{
        DraftRows, EvidenceRow, EvidenceState, HeadRow, KeyRow, KeyState, LedgerFilter, MessageRow, OnceKey, OnceKind, OnceRow,
        PartyKeyUse, Sealed, Store, StoreError, Tag, TileRow, Write, create, open,
    },
};

use crate::{
    ledger_stage::{
        ORIGIN, POLICY, START, Stage, case, case_id, center, data_key, digest, jti, new_case, on_both, party, row, store_entry, town,
        try_store_entry,
    },
    postgres_stage,
};

on_both! {
    everything_fails_after_closing,
    a_dropped_append_leaves_nothing_and_a_committed_one_everything,
    an_entry_that_is_there_already_fails_the_whole_batch,
    a_write_that_conflicts_leaves_nothing_and_the_append_goes_on,
    what_was_asked_for_before_a_write_is_answered_as_it_is_behind_it,
    the_rows_of_several_drafts_are_written_up_to_the_one_that_conflicts,
    used_ids_are_answered_in_the_order_of_the_question,
    expired_ids_are_forgotten_in_steps_and_the_others_kept,
    the_database_refuses_changes_of_what_is_for_ever,
    parties_are_registered_updated_and_suspended,
    keys_come_oldest_first_with_the_leaf_that_registered_them,
    agreements_are_listed_for_who_is_named_and_who_may_accede,
    a_consent_binds_to_one_case_and_ends_for_good,
    each_party_knows_a_case_by_its_own_id,
    cases_are_listed_by_their_last_visible_change,
    messages_and_evidence_are_found_in_their_case,
    an_audit_query_finds_exactly_what_passes_in_bounded_pages,
    a_time_range_is_half_open_and_a_size_pins_the_pages,
    an_auditor_finds_the_entries_of_its_places_only,
}

async fn what_was_asked_for_before_a_write_is_answered_as_it_is_behind_it(stage: Stage) {
    let new = [
        new_case(1),
        vec![Write::Consent { jti: jti(7), collector: center(), sha256: digest(1), subject: Tag([1; 16]), sealed: sealed(1) }],
    ];
    store_entry(&*stage.store, &new.concat()).await;
    let mut append = stage.store.appender().begin().await.unwrap();
    append.foresee(&[case(1)], &[jti(7)]).await.unwrap();
    assert_eq!((append.case_revision(&case(1)).await.unwrap(), append.consent_case(&jti(7)).await.unwrap()), (Some(1), None));
    for (revision, write) in [
        (2, Write::CaseState(case(1), CaseState::Accepted)),
        (3, Write::CaseParty { case: case(1), party: town(), id: case_id(1), relation: Relation::Accepted }),
        (4, Write::EraseCase(case(1))),
    ] {
        append.foresee(&[case(1)], &[]).await.unwrap();
        append.write(&[write], 1, START).await.unwrap();
        assert_eq!(append.case_revision(&case(1)).await.unwrap(), Some(revision));
    }
    append.write(&[Write::ConsentBound(jti(7), case(1))], 1, START).await.unwrap();
    assert_eq!(append.consent_case(&jti(7)).await.unwrap(), Some(case(1)));
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

fn sealed(n: u8) -> Sealed {
    Sealed { key: data_key(1), bytes: vec![n; 40] }
}

fn assert_conflict<T: std::fmt::Debug>(result: &Result<T, StoreError>) {
    assert!(matches!(result, Err(StoreError::RowConflict)), "{result:?}");
}

#[tokio::test]
async fn a_database_is_created_once_and_opened_only_if_it_exists() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.db");
    let url = format!("sqlite://{}", path.display());
    assert!(matches!(open(&url).await, Err(StoreError::Missing)));
    assert!(!path.exists(), "opening creates nothing");
    let store = create(&url, ORIGIN, POLICY).await.unwrap();
    let head = store.head().await.unwrap();
    assert_eq!((head.origin.as_str(), head.size, head.rights_epoch, head.policy), (ORIGIN, 0, 0, POLICY));
    assert_eq!((head.root, head.frontier), (tsunagi::tlog::empty_root().0, Vec::new()));
    store_entry(&*store, &[]).await;
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", file.file_name());
    }
    store.close().await;
    assert!(matches!(create(&url, ORIGIN, POLICY).await, Err(StoreError::Exists)));
    assert_eq!(open(&url).await.unwrap().head().await.unwrap().size, 1, "the refused creation touched nothing");
    assert!(matches!(open("mysql://x").await, Err(StoreError::UnknownScheme)));
    assert!(matches!(create("t.db", ORIGIN, POLICY).await, Err(StoreError::UnknownScheme)));
    let nowhere = format!("sqlite://{}", folder.path().join("none").join("t.db").display());
    assert!(matches!(create(&nowhere, ORIGIN, POLICY).await, Err(StoreError::File(std::io::ErrorKind::NotFound))));
}

#[tokio::test]
async fn a_database_of_another_schema_is_refused() {
    for statement in [
        "DROP TABLE _sqlx_migrations",
        "DELETE FROM _sqlx_migrations",
        "UPDATE _sqlx_migrations SET success = 0",
        "UPDATE _sqlx_migrations SET checksum = x'00'",
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'later', 1, x'00', 0)",
    ] {
        let stage = Stage::new().await;
        stage.store.close().await;
        stage.sql(statement).await.unwrap();
        assert!(matches!(open(&stage.url()).await, Err(StoreError::Schema(_) | StoreError::Outdated(_))), "{statement}");
    }
}

#[tokio::test]
async fn a_postgresql_database_is_created_once_and_opened_only_with_its_schema() {
    let Some(database) = postgres_stage::database() else { return };
    let url = database.owner();
    assert!(matches!(open(&url).await, Err(StoreError::Missing)), "opening creates nothing");
    create(&url, ORIGIN, POLICY).await.unwrap().close().await;
    assert!(matches!(create(&url, ORIGIN, POLICY).await, Err(StoreError::Exists)));
    assert_eq!(open(&url).await.unwrap().head().await.unwrap().size, 0);
    for (spoil, heal) in [
        ("ALTER TABLE _sqlx_migrations RENAME TO m", "ALTER TABLE m RENAME TO _sqlx_migrations"),
        ("UPDATE _sqlx_migrations SET success = false", "UPDATE _sqlx_migrations SET success = true"),
        ("UPDATE _sqlx_migrations SET version = version + 1000", "UPDATE _sqlx_migrations SET version = version - 1000"),
        (
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'later', true, '', 0)",
            "DELETE FROM _sqlx_migrations WHERE version = 9999",
        ),
        ("UPDATE _sqlx_migrations SET checksum = ''", "SELECT 1"),
    ] {
        database.sql(spoil);
        assert!(matches!(open(&url).await, Err(StoreError::Schema(_) | StoreError::Outdated(_) | StoreError::Missing)), "{spoil}");
        database.sql(heal);
    }
}

async fn everything_fails_after_closing(stage: Stage) {
    stage.store.close().await;
    assert!(matches!(stage.store.head().await, Err(StoreError::Database(_))));
    assert!(matches!(stage.store.appender().begin().await, Err(StoreError::Database(_))));
}

async fn a_dropped_append_leaves_nothing_and_a_committed_one_everything(stage: Stage) {
    let appender = stage.store.appender();
    let key = OnceKey { kind: OnceKind::Object, iss: center(), jti: jti(1) };
    let used = OnceRow { digest: digest(1), idx: Some(0), result: b"{}".to_vec() };
    let tile = TileRow { level: 0, n: 0, root: [6; 32], hashes: vec![1; 8192] };
    for keep in [false, true] {
        let mut append = appender.begin().await.unwrap();
        append.write(&new_case(1), 0, START).await.unwrap();
        append.use_once(key.clone(), used.clone(), None);
        assert_eq!(append.once(std::slice::from_ref(&key)).await.unwrap(), [Some(used.clone())], "seen before the commit");
        assert_eq!(append.case_revision(&case(1)).await.unwrap(), Some(1));
        assert_eq!(stage.store.case_key(&case(1)).await.unwrap(), None, "not by others");
        if keep {
            let mut entry = row(0, START);
            entry.opening = Some(sealed(1));
            entry.tags = vec![Tag([1; 16])];
            let head =
                HeadRow { size: 1, root: [3; 32], frontier: vec![3; 32], last_time: START, rights_epoch: 4, ..append.head().clone() };
            append.commit(vec![entry], vec![tile.clone()], head.clone()).await.unwrap();
            assert_eq!(stage.store.head().await.unwrap(), head);
        }
        let store = &stage.store;
        assert_eq!(store.head().await.unwrap().size, u64::from(keep));
        assert_eq!(store.once(key.kind, &key.iss, &key.jti).await.unwrap(), keep.then(|| used.clone()));
        assert_eq!(store.case_key(&case(1)).await.unwrap(), keep.then(|| data_key(1)));
        assert_eq!(store.data_key(&data_key(1)).await.unwrap(), keep.then(|| vec![1, 2, 3]));
        assert_eq!(store.entry(0).await.unwrap().map(|row| (row.body, row.opening)), keep.then(|| (b"0".to_vec(), Some(sealed(1)))));
        assert_eq!(store.leaf_hashes(0, 9).await.unwrap().len(), usize::from(keep));
        assert_eq!(store.tile(0, 0).await.unwrap(), keep.then(|| vec![[1; 32]; 256]));
        assert_eq!(store.tile_roots(0, 0, 9).await.unwrap(), if keep { vec![[6; 32]] } else { vec![] });
    }
}

async fn an_entry_that_is_there_already_fails_the_whole_batch(stage: Stage) {
    store_entry(&*stage.store, &[]).await;
    let mut append = stage.store.appender().begin().await.unwrap();
    append.write(&new_case(1), 1, START.plus_secs(1)).await.unwrap();
    let head = HeadRow { size: 3, ..append.head().clone() };
    let rows = vec![row(1, START.plus_secs(1)), row(0, START.plus_secs(2))];
    assert!(matches!(append.commit(rows, Vec::new(), head).await, Err(StoreError::Database(_))));
    assert_eq!(stage.store.head().await.unwrap().size, 1);
    assert_eq!(stage.store.entry(1).await.unwrap(), None);
    assert_eq!(stage.store.case_key(&case(1)).await.unwrap(), None);
}

async fn a_write_that_conflicts_leaves_nothing_and_the_append_goes_on(stage: Stage) {
    store_entry(&*stage.store, &new_case(1)).await;
    let mut append = stage.store.appender().begin().await.unwrap();
    let mut rows = new_case(2);
    rows.extend(new_case(1));
    assert_conflict(&append.write(&rows, 1, START).await);
    append.write(&new_case(3), 1, START.plus_secs(1)).await.unwrap();
    let head = HeadRow { size: 2, last_time: START.plus_secs(1), ..append.head().clone() };
    append.commit(vec![row(1, START.plus_secs(1))], Vec::new(), head).await.unwrap();
    assert_eq!(stage.store.case_key(&case(2)).await.unwrap(), None);
    assert_eq!(stage.store.case_key(&case(3)).await.unwrap(), Some(data_key(3)));
}

async fn the_rows_of_several_drafts_are_written_up_to_the_one_that_conflicts(stage: Stage) {
    store_entry(&*stage.store, &new_case(1)).await;
    // In groups of the same statements, of none, and of others.
    let party = |n: u128| Write::CaseParty { case: case(n), party: center(), id: case_id(n), relation: Relation::Origin };
    let mut drafts: Vec<Vec<Write>> = (2..72).map(new_case).collect();
    drafts.extend([Vec::new(), vec![party(2)], vec![party(3)], Vec::new()]);
    let before = drafts.len();
    drafts.extend([new_case(80), new_case(81), new_case(1), new_case(82)]);
    let rows: Vec<DraftRows<'_>> =
        (1..).zip(&drafts).map(|(idx, rows)| DraftRows { rows, idx, time: START.plus_secs(i64::try_from(idx).unwrap()) }).collect();
    let mut append = stage.store.appender().begin().await.unwrap();
    assert_eq!(append.write_all(&[]).await.unwrap(), 0);
    assert_eq!(append.write_all(&rows).await.unwrap(), before + 2, "the third of its group is there already");
    append.write(&new_case(83), 90, START.plus_secs(90)).await.unwrap();
    let head = HeadRow { size: 2, last_time: START.plus_secs(90), ..append.head().clone() };
    append.commit(vec![row(1, START.plus_secs(90))], Vec::new(), head).await.unwrap();
    for n in (1..72).chain([80, 81, 83]) {
        assert_eq!(stage.store.case_key(&case(n)).await.unwrap(), Some(data_key(n)), "{n}");
    }
    assert_eq!(stage.store.case_key(&case(82)).await.unwrap(), None, "behind the one that conflicts");
    let known = stage.store.case(&center(), &case_id(3)).await.unwrap().unwrap();
    assert_eq!((known.case, known.updated), (case(3), START.plus_secs(73)), "each with the time of its own entry");
}

async fn used_ids_are_answered_in_the_order_of_the_question(stage: Stage) {
    let key = |n| OnceKey { kind: OnceKind::Message, iss: center(), jti: jti(n) };
    let used = |n: u8| OnceRow { digest: digest(n), idx: None, result: vec![n] };
    let mut append = stage.store.appender().begin().await.unwrap();
    for n in 0..150 {
        append.use_once(key(n.into()), used(n), None);
    }
    let head = append.head().clone();
    append.commit(Vec::new(), Vec::new(), head).await.unwrap();
    let mut append = stage.store.appender().begin().await.unwrap();
    append.use_once(key(1000), used(200), None);
    let mut keys: Vec<OnceKey> = (0..150).rev().map(key).collect();
    keys.extend([key(1000), key(1001), key(7), key(7)]);
    let mut expected: Vec<Option<OnceRow>> = (0..150).rev().map(|n| Some(used(n))).collect();
    expected.extend([Some(used(200)), None, Some(used(7)), Some(used(7))]);
    assert_eq!(append.once(&keys).await.unwrap(), expected);
    // Kind and issuer are part of the name.
    let others = [OnceKey { kind: OnceKind::Object, ..key(7) }, OnceKey { iss: town(), ..key(7) }];
    assert_eq!(append.once(&others).await.unwrap(), [None, None]);
    assert_eq!(append.once(&[]).await.unwrap(), []);
}

async fn expired_ids_are_forgotten_in_steps_and_the_others_kept(stage: Stage) {
    let key = |n| OnceKey { kind: OnceKind::Actor, iss: center(), jti: jti(n) };
    let used = OnceRow { digest: digest(0), idx: None, result: Vec::new() };
    let mut append = stage.store.appender().begin().await.unwrap();
    for n in 0..10 {
        append.use_once(key(n), used.clone(), (n < 8).then(|| START.plus_secs(i64::try_from(n).unwrap())));
    }
    let head = append.head().clone();
    append.commit(Vec::new(), Vec::new(), head).await.unwrap();
    let mut append = stage.store.appender().begin().await.unwrap();
    let now = START.plus_secs(5);
    assert_eq!(append.forget_expired(now, 3).await.unwrap(), 3);
    assert_eq!(append.forget_expired(now, 3).await.unwrap(), 2);
    assert_eq!(append.forget_expired(now, 3).await.unwrap(), 0);
    let left = append.once(&(0..10).map(key).collect::<Vec<_>>()).await.unwrap();
    assert_eq!(left.iter().map(Option::is_some).collect::<Vec<_>>(), [false, false, false, false, false, true, true, true, true, true]);
}

async fn the_database_refuses_changes_of_what_is_for_ever(stage: Stage) {
    let tile = TileRow { level: 0, n: 0, root: [6; 32], hashes: vec![1; 8192] };
    let append = stage.store.appender().begin().await.unwrap();
    let head = HeadRow { size: 1, last_time: START, rights_epoch: 1, ..append.head().clone() };
    append.commit(vec![row(0, START)], vec![tile], head).await.unwrap();
    let for_ever = [
        "UPDATE ledger_leaf SET leaf_hash = leaf_hash",
        "DELETE FROM ledger_leaf",
        "UPDATE ledger_entry SET body = body",
        "UPDATE ledger_entry SET actor = 'x'",
        "DELETE FROM ledger_entry",
        "UPDATE ledger_tile SET hashes = hashes",
        "DELETE FROM ledger_tile",
        "DELETE FROM ledger_head",
        "UPDATE ledger_head SET size = 0",
        "UPDATE ledger_head SET rights_epoch = 0",
        "UPDATE ledger_head SET last_time = 0",
        "UPDATE ledger_head SET origin = 'other'",
    ];
    // With CASCADE a truncated table takes along what refers to it; nothing refers to these.
    let truncated = ["TRUNCATE ledger_leaf", "TRUNCATE ledger_entry", "TRUNCATE ledger_tile CASCADE", "TRUNCATE ledger_head"];
    for statement in for_ever.into_iter().chain(truncated.into_iter().filter(|_| stage.postgres.is_some())) {
        let said = stage.sql(statement).await.unwrap_err();
        assert!(said.contains("ledger_"), "{statement}: {said}");
    }
    assert_eq!(stage.store.head().await.unwrap().size, 1);
    assert_eq!(stage.store.entry(0).await.unwrap().unwrap().body, b"0");
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

/// Thirty thousand entries, one a second, every tenth of the municipality, one in a thousand with a tag.
async fn many(store: &dyn Store) {
    let append = store.appender().begin().await.unwrap();
    let size = 30_000;
    let rows = (0..size)
        .map(|idx| {
            let mut row = row(idx, START.plus_secs(i64::try_from(idx).unwrap()));
            if idx % 10 == 0 {
                row.actor = Some(town());
                row.recipient = None;
            }
            if idx % 1000 == 500 {
                row.tags = vec![Tag([1; 16]), Tag([u8::from(idx > 15_000) + 2; 16])];
                row.reason = Some("no_consent".to_owned());
                row.decision = "deny";
            }
            row
        })
        .collect();
    let head = HeadRow { size, last_time: START.plus_secs(40_000), ..append.head().clone() };
    append.commit(rows, Vec::new(), head).await.unwrap();
}

/// All indices a filter finds, page by page, and how many pages it took.
async fn pages(store: &dyn Store, filter: &LedgerFilter, limit: u32) -> (Vec<u64>, usize) {
    let (mut found, mut after, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = store.find(filter, after, 30_000, limit).await.unwrap();
        assert!(page.rows.len() <= limit as usize);
        found.extend(page.rows.iter().map(|row| row.idx));
        pages += 1;
        after = page.next;
        if after.is_none() {
            return (found, pages);
        }
    }
}

async fn an_audit_query_finds_exactly_what_passes_in_bounded_pages(stage: Stage) {
    let store = &*stage.store;
    many(store).await;
    let none = LedgerFilter::default();
    let passing = |test: &dyn Fn(u64) -> bool| (0..30_000).filter(|idx| test(*idx)).collect::<Vec<_>>();
    let tagged = |idx: u64| idx % 1000 == 500;

    let by_actor = LedgerFilter { actor: Some(town()), ..none.clone() };
    assert_eq!(pages(store, &by_actor, 500).await, (passing(&|idx| idx % 10 == 0), 7));
    let by_recipient = LedgerFilter { recipient: Some(town()), reason: Some("no_consent".to_owned()), ..none.clone() };
    assert_eq!(pages(store, &by_recipient, 500).await.0, Vec::<u64>::new(), "those entries have no recipient");
    let by_tag = LedgerFilter { tags: vec![Tag([1; 16])], ..none.clone() };
    assert_eq!(pages(store, &by_tag, 500).await, (passing(&tagged), 1));
    let by_tags = LedgerFilter { tags: vec![Tag([1; 16]), Tag([3; 16])], ..none.clone() };
    assert_eq!(pages(store, &by_tags, 500).await.0, passing(&|idx| tagged(idx) && idx > 15_000));
    // No index helps here: a page looks at 20,000 entries and says where to go on.
    let by_decision = LedgerFilter { decision: Some("deny".to_owned()), ..none.clone() };
    assert_eq!(pages(store, &by_decision, 500).await, (passing(&tagged), 2));
    let nothing = LedgerFilter { operation: Some("case.read".to_owned()), ..none.clone() };
    assert_eq!(pages(store, &nothing, 500).await, (vec![], 2));
    let by_type = LedgerFilter { entry_type: Some("submission".to_owned()), reason: Some("no_consent".to_owned()), ..none.clone() };
    assert_eq!(pages(store, &by_type, 7).await, (passing(&tagged), 5));
    let of_agreement = LedgerFilter { agreement: Some("AG-13-0001".to_owned()), ..none };
    assert_eq!(pages(store, &of_agreement, 7).await, (vec![], 1));
}

async fn a_time_range_is_half_open_and_a_size_pins_the_pages(stage: Stage) {
    let store = &*stage.store;
    many(store).await;
    let at = |secs| Some(START.plus_secs(secs));
    let range = |from, to| LedgerFilter { from, to, ..LedgerFilter::default() };
    let found = |rows: Vec<tsunagi::store::LedgerRow>| rows.into_iter().map(|row| row.idx).collect::<Vec<_>>();
    let filter = range(at(100), at(103));
    assert_eq!(found(store.find(&filter, None, 30_000, 9).await.unwrap().rows), [100, 101, 102]);
    assert_eq!(found(store.find(&filter, Some(100), 102, 9).await.unwrap().rows), [101]);
    let between = range(at(100).map(|time| time.plus_micros(1)), at(101).map(|time| time.plus_micros(1)));
    assert_eq!(found(store.find(&between, None, 30_000, 9).await.unwrap().rows), [101]);
    assert_eq!(pages(store, &range(at(-5), at(2)), 9).await.0, [0, 1]);
    assert_eq!(pages(store, &range(at(29_998), at(90_000)), 9).await.0, [29_998, 29_999]);
    for empty in [range(at(30_000), None), range(None, at(0)), range(at(5), at(5)), range(at(9), at(5))] {
        assert_eq!(pages(store, &empty, 9).await, (vec![], 1));
    }
    assert_eq!(store.find(&LedgerFilter::default(), None, 30_000, 0).await.unwrap().rows, []);
    assert_eq!(found(store.find(&LedgerFilter::default(), Some(29_998), u64::MAX, 9).await.unwrap().rows), [29_999]);
    assert_eq!(found(store.entries(29_998, u64::MAX, 9).await.unwrap()), [29_998, 29_999]);
    assert_eq!(found(store.entries(5, 8, 2).await.unwrap()), [5, 6]);
}

async fn an_auditor_finds_the_entries_of_its_places_only(stage: Stage) {
    let store = &*stage.store;
    let append = store.appender().begin().await.unwrap();
    let sides = [
        (Some("settlement_center:13-1"), Some("municipality:131016-1")),
        (Some("settlement_center:27-1"), Some("group_home:1320100017")),
        (Some("settlement_center:27-1"), None),
        (Some("rehab_facility:4011001098993-1"), None),
        (None, None),
        (Some("municipality:131024-1"), None),
    ];
    let rows: Vec<_> = (0..)
        .zip(sides)
        .map(|(idx, (actor, recipient))| {
            let mut row = row(idx, START.plus_secs(i64::try_from(idx).unwrap()));
            row.actor = actor.map(party);
            row.recipient = recipient.map(party);
            row
        })
        .collect();
    let head = HeadRow { size: 6, last_time: START.plus_secs(6), ..append.head().clone() };
    append.commit(rows, Vec::new(), head).await.unwrap();
    for (places, expected) in [
        (vec!["13"], vec![0, 1, 5]),
        (vec!["27"], vec![1, 2]),
        (vec!["131016"], vec![0]),
        (vec!["131016", "27"], vec![0, 1, 2]),
        (vec!["47"], vec![]),
        (vec![], vec![]),
    ] {
        let filter = LedgerFilter { places: Some(places.iter().map(ToString::to_string).collect()), ..LedgerFilter::default() };
        let found: Vec<u64> = store.find(&filter, None, 6, 9).await.unwrap().rows.into_iter().map(|row| row.idx).collect();
        assert_eq!(found, expected, "{places:?}");
    }
    assert_eq!(store.find(&LedgerFilter::default(), None, 6, 9).await.unwrap().rows.len(), 6);
}
