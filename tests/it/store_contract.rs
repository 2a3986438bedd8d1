//! What every database promises, trait by trait.

use std::os::unix::fs::PermissionsExt as _;

use tsunagi::{
    domain::case::{CaseState, Relation},
    store::{DraftRows, HeadRow, LedgerFilter, OnceKey, OnceKind, OnceRow, Sealed, Store, StoreError, Tag, TileRow, Write, create, open},
};

use crate::{
    ledger_stage::{
        ORIGIN, POLICY, START, Stage, case, case_id, center, data_key, digest, jti, new_case, on_both, party, row, store_entry, town,
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

pub(crate) fn sealed(n: u8) -> Sealed {
    Sealed { key: data_key(1), bytes: vec![n; 40] }
}

pub(crate) fn assert_conflict<T: std::fmt::Debug>(result: &Result<T, StoreError>) {
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
