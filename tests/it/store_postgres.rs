//! PostgreSQL as a server that stops, stands by, forgets, or has a pooler before it.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use tokio::task::JoinSet;
use tsunagi::{
    clock::{Clock as _, SystemClock},
    ledger::{Answer, Draft, LedgerError, Parts, SequencerHandle, open_ledger},
    store::{Address, Store, StoreError, Write, create, create_by_owner, open},
    tls::authority::{SandboxAuthority, Validity},
};

use crate::{
    ledger_stage::{
        ORIGIN, POLICY, START, Stage, actor, case, center, committed, data_key, digest, draft, ground, jti, new_case, node, object,
        store_entry, try_store_entry,
    },
    postgres_stage::{self, Cut, Database, Pooler, Proxy},
};

async fn ledger(stage: &Stage, store: &Arc<dyn Store>) -> SequencerHandle {
    let parts = Parts {
        appender: store.appender(),
        reads: Arc::clone(store) as _,
        signer: Arc::clone(&stage.signer),
        clock: Arc::clone(&stage.clock) as _,
        node: node(),
        mark: None,
    };
    open_ledger(parts).await.unwrap().0
}

/// The stage's ledger, reached through another port.
async fn through(stage: &Stage, port: u16, pooled: bool) -> Arc<dyn Store> {
    let url = stage.postgres.as_ref().unwrap().at(port).owner();
    open(Address::new([url.as_str()], pooled)).await.unwrap()
}

#[tokio::test]
async fn an_append_looks_everything_up_by_an_index_however_small_the_tables_were_when_it_was_planned() {
    let Some(stage) = Stage::postgres().await else { return };
    let (ledger, sequencer) = stage.ledger().await;
    for n in 0..40 {
        let draft = Draft { object: Some(object(n, 1)), actor: Some(actor(n, START.plus_secs(60))), writes: new_case(n), ..draft() };
        committed(ledger.append(draft).await);
    }
    ledger.close().await;
    sequencer.await.unwrap();
    stage.store.close().await;
    // What a session counted is there when it has ended.
    let database = stage.postgres.as_ref().unwrap();
    let counted = |of: &str| database.sql(&format!("SELECT sum({of}) FROM pg_stat_user_tables WHERE relname IN ('used_once', 'case_')"));
    postgres_stage::until("the inserts are counted", || counted("n_tup_ins").parse::<i64>().is_ok_and(|rows| rows >= 120));
    // Making their indexes read the empty tables.
    assert!(counted("seq_scan").parse::<i64>().unwrap() < 10, "a whole table was read {} times", counted("seq_scan"));
}

fn assert_unsafe<T>(result: Result<T, StoreError>, why: &str) {
    match result {
        Err(StoreError::Unsafe(said)) => assert!(said.contains(why), "{said}"),
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("accepted although {why}"),
    }
}

#[tokio::test]
async fn a_server_that_forgets_what_it_confirms_is_refused_at_the_start_and_at_every_batch() {
    let Some(cluster) = postgres_stage::own(&[]) else { return };
    let database = cluster.database();
    let store = create(&database.owner(), ORIGIN, POLICY).await.unwrap();
    store_entry(&*store, &[]).await;
    for (setting, weak, strong, why) in [
        ("fsync", "off", "on", "fsync"),
        ("full_page_writes", "off", "on", "full_page_writes"),
        ("synchronous_commit", "off", "on", "synchronous_commit"),
    ] {
        database.sql(&format!("ALTER SYSTEM SET {setting} = {weak}"));
        database.sql("SELECT pg_reload_conf()");
        until(async || matches!(open(&database.owner()).await, Err(StoreError::Unsafe(_)))).await;
        assert_unsafe(open(&database.owner()).await, why);
        until(async || matches!(store.appender().begin().await, Err(StoreError::Unsafe(_)))).await;
        database.sql(&format!("ALTER SYSTEM SET {setting} = {strong}"));
        database.sql("SELECT pg_reload_conf()");
        until(async || store.appender().begin().await.is_ok()).await;
    }
    assert_eq!(store_entries(&*store).await, 1);
}

async fn store_entries(store: &dyn Store) -> usize {
    store.entries(0, u64::MAX, 99).await.unwrap().len()
}

/// A server takes a moment to read its settings again.
async fn until(mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..500 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it never came to be");
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_pooler_nothing_rests_on_a_session() {
    let Some(stage) = Stage::postgres().await else { return };
    let database = stage.postgres.clone().unwrap();
    // A connection for each gateway that waits for the lock and few for everything else: whatever a session kept would be another's.
    let Some(pooler) = Pooler::before(database.port, 5) else { return };
    let (one, other) = (through(&stage, pooler.port, true).await, through(&stage, pooler.port, true).await);
    let (a, b) = (ledger(&stage, &one).await, ledger(&stage, &other).await);
    let mut waiting = JoinSet::new();
    for n in 0..60_u128 {
        let (ledger, store) = if n % 2 == 0 { (a.clone(), Arc::clone(&one)) } else { (b.clone(), Arc::clone(&other)) };
        waiting.spawn(async move {
            let mut writes = new_case(n + 1);
            writes.push(Write::CaseTouched(case(n + 1), center()));
            let refused = Draft { ground: Some(ground(0)), writes, ..draft() };
            assert!(matches!(ledger.append(refused).await, Ok(Answer::Stale)), "the party has no row in the case");
            let done = committed(ledger.append(Draft { object: Some(object(n, 1)), writes: new_case(n + 1), ..draft() }).await);
            assert_eq!(store.case_key(&case(n + 1)).await.unwrap(), Some(data_key(n + 1)));
            assert!(matches!(ledger.append(Draft { object: Some(object(n, 1)), ..draft() }).await, Ok(Answer::Known { idx, .. }) if idx == done.idx()));
            assert_eq!(store.once(tsunagi::store::OnceKind::Message, &center(), &jti(n)).await.unwrap().unwrap().digest, digest(1));
            done
        });
    }
    for done in waiting.join_all().await {
        stage.holds(&done).await;
    }
    assert_eq!(stage.entries().await.len(), 61);
    assert!(pooler.transactions(&database) > 0);
    let kept = database.sql("SELECT count(*) FROM pg_prepared_statements");
    assert_eq!(kept, "0");
}

#[tokio::test]
async fn of_several_addresses_the_one_that_can_be_written_is_found_again_and_again() {
    let Some(stage) = Stage::postgres().await else { return };
    let database = stage.postgres.clone().unwrap();
    let (first, second) = (Proxy::before(database.port), Proxy::before(database.port));
    first.close();
    let urls = [database.at(first.port).owner(), database.at(second.port).owner()];
    let store = open(Address::new(urls.iter().map(String::as_str), false)).await.unwrap();
    let ledger = ledger(&stage, &store).await;
    let mut entries = 1;
    for (up, down) in [(&first, &second), (&second, &first), (&first, &second)] {
        up.open();
        down.close();
        // What breaks is told once at most, then the other address is used.
        let again = match ledger.append(draft()).await {
            Err(LedgerError::Unavailable) => ledger.append(draft()).await,
            first => first,
        };
        assert_eq!(committed(again).idx(), entries);
        entries += 1;
        assert_eq!(store.head().await.unwrap().size, entries);
    }
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_known_or_made_by_its_repetition() {
    let Some(stage) = Stage::postgres().await else { return };
    let proxy = Proxy::before(stage.postgres.as_ref().unwrap().port);
    let store = through(&stage, proxy.port, false).await;
    let ledger = ledger(&stage, &store).await;
    for (n, cut, durable) in [(1, Cut::AnswerLost, true), (2, Cut::CommitLost, false)] {
        let with = || Draft { object: Some(object(n, 1)), writes: new_case(n), ..draft() };
        let before = proxy.fired();
        proxy.arm(cut);
        assert_eq!(ledger.append(with()).await.unwrap_err(), LedgerError::OutcomeUnknown);
        assert_eq!(proxy.fired(), before + 1);
        let answer = ledger.append(with()).await.unwrap();
        assert_eq!(matches!(answer, Answer::Known { .. }), durable, "{answer:?}");
        assert_eq!(stage.entries().await.len(), usize::try_from(n).unwrap() + 1);
    }
}

#[tokio::test]
async fn a_connection_that_answers_nothing_any_more_is_closed_and_not_asked_to_roll_back() {
    let Some(stage) = Stage::postgres().await else { return };
    let database = stage.postgres.clone().unwrap();
    let proxy = Proxy::before(database.port);
    let store = through(&stage, proxy.port, false).await;
    let mut append = store.appender().begin().await.unwrap();
    proxy.silence();
    let asked = append.case_revision(&case(1)).await;
    assert!(matches!(asked, Err(StoreError::Database(sqlx::Error::PoolTimedOut))), "{asked:?}");
    drop(append);
    // The place it had is free, and the server gave up the lock when the connection went.
    store_entry(&*store, &[]).await;
    let unheard = proxy.unheard();
    assert!(unheard.contains("case_") && !unheard.contains("ROLLBACK"), "{unheard:?}");
}

#[tokio::test]
async fn an_outage_is_an_error_within_seconds_and_ends_by_itself() {
    let Some(cluster) = postgres_stage::own(&[]) else { return };
    let database = cluster.database();
    let (owner, application) = (Address::from(&database.owner()), Address::from(&database.application()));
    let store = create_by_owner(&application, &owner, ORIGIN, POLICY).await.unwrap();
    store_entry(&*store, &new_case(1)).await;
    cluster.stop_at_once();
    let bound = Duration::from_secs(15);
    let down = tokio::time::timeout(bound, async { (store.head().await, try_store_entry(&*store, &[]).await) }).await.unwrap();
    assert!(matches!(down, (Err(StoreError::Database(_)), Err(StoreError::Database(_)))), "{down:?}");
    cluster.resume();
    assert_eq!(store.head().await.unwrap().size, 1, "what was confirmed is there");
    store_entry(&*store, &[]).await;
    assert_eq!(store_entries(&*store).await, 2);
}

/// What the server was asked since, one line for each round trip.
fn asked(cluster: &postgres_stage::cluster::Cluster, since: usize) -> (Vec<String>, usize) {
    let log = std::fs::read_to_string(cluster.log()).unwrap();
    let lines =
        log.lines().skip(since).filter_map(|line| Some(line.split_once("  statement: ").or_else(|| line.split_once("  execute "))?.1));
    (lines.map(str::to_owned).collect(), log.lines().count())
}

#[tokio::test]
async fn a_batch_takes_four_round_trips_and_one_for_every_eight_drafts_that_change_rows() {
    let Some(cluster) = postgres_stage::own(&["log_min_duration_statement = 0"]) else { return };
    let database = cluster.database();
    let mut stage = Stage::new().await;
    stage.store = create(&database.owner(), ORIGIN, POLICY).await.unwrap();
    let ledger = ledger(&stage, &stage.store).await;
    committed(ledger.append(draft()).await);
    let (_, mut seen) = asked(&cluster, 0);
    let mut next = 1;
    for (drafts, with_rows, expected) in [(1, false, 4), (40, false, 4), (40, true, 9)] {
        // A turn holds the lock until all of them are queued. The clock stands, so nothing expires.
        let turn = ledger.exclusive().await.unwrap();
        let mut waiting = JoinSet::new();
        for _ in 0..drafts {
            let draft = Draft { object: Some(object(next, 1)), writes: if with_rows { new_case(next) } else { Vec::new() }, ..draft() };
            let ledger = ledger.clone();
            waiting.spawn(async move { committed(ledger.append(draft).await) });
            tokio::task::yield_now().await;
            next += 1;
        }
        drop(turn);
        waiting.join_all().await;
        let (lines, now) = asked(&cluster, seen);
        // The turn took the lock and gave it back; the watcher reads the head by itself.
        let batch = lines.iter().skip_while(|line| !line.contains("ROLLBACK")).skip(1);
        let batch: Vec<_> = batch.filter(|line| line.contains("FOR UPDATE") || !line.contains("FROM ledger_head")).collect();
        assert_eq!(batch.len(), expected, "{batch:#?}");
        seen = now;
    }
}

#[tokio::test]
async fn the_way_to_the_server_is_encrypted_and_the_server_proves_its_name() {
    let Some(cluster) = postgres_stage::own(&[]) else { return };
    let database = cluster.database();
    let (authority, year) = (SandboxAuthority::create(SystemClock.now()).unwrap(), Validity::days(SystemClock.now(), 365));
    let server = authority.issue_server(year).unwrap();
    // The server writes its own files, which makes it their owner.
    for (name, content) in [("server.crt", &*server.cert_pem), ("server.key", &*server.key_pem)] {
        let content = STANDARD.encode(content);
        database.sql(&format!("COPY (SELECT '{content}') TO PROGRAM 'umask 077 && base64 -d > {name}'"));
    }
    database.sql("ALTER SYSTEM SET ssl = on");
    database.sql("SELECT pg_reload_conf()");
    let folder = tempfile::tempdir().unwrap();
    let trusted = |authority: &SandboxAuthority, name: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, authority.ca_pem()).unwrap();
        database.owner().replace("127.0.0.1", "localhost") + &format!("?sslmode=verify-full&sslrootcert={}", file.display())
    };
    let url = trusted(&authority, "ca.pem");
    until(async || create(&url, ORIGIN, POLICY).await.is_ok()).await;
    let store = open(&url).await.unwrap();
    assert_eq!(store.head().await.unwrap().size, 0);
    assert_eq!(
        database.sql("SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'tsunagi'"),
        "t"
    );
    let stranger = SandboxAuthority::create(SystemClock.now()).unwrap();
    assert!(matches!(open(&trusted(&stranger, "other.pem")).await, Err(StoreError::Database(_))));
    let elsewhere = url.replace("@localhost", "@127.0.0.2");
    assert!(matches!(open(&elsewhere).await, Err(StoreError::Database(_))), "the certificate does not name it");
}

#[tokio::test]
async fn no_error_repeats_a_value() {
    let Some(stage) = Stage::postgres().await else { return };
    store_entry(&*stage.store, &[]).await;
    let append = stage.store.appender().begin().await.unwrap();
    let mut spoilt = crate::ledger_stage::row(0, crate::ledger_stage::START);
    spoilt.body = b"a marker that nobody may log".to_vec();
    let head = append.head().clone();
    let error = append.commit(vec![spoilt], Vec::new(), head).await.unwrap_err();
    let said = format!("{error} {error:?} {:?}", std::error::Error::source(&error).unwrap());
    assert!(said.contains("23505") && !said.contains("marker") && !said.contains("(0)"), "{said}");
    let Database { port, .. } = stage.postgres.clone().unwrap();
    let wrong = format!("postgres://nobody:hunter2@127.0.0.1:{port}/nowhere");
    let error = open(&wrong).await.err().unwrap();
    assert!(!format!("{error} {error:?}").contains("hunter2"));
    let unparsable = open("postgres://u:hunter2@[bad").await.err().unwrap();
    assert!(!format!("{unparsable} {unparsable:?}").contains("hunter2"));
}
