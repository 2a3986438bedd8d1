//! The PostgreSQL of the tests does what the tests rest on.

use sqlx::{Connection as _, Executor as _, PgConnection, Row as _};

use crate::postgres_stage::{self, APPLICATION, Cut, Database, Pooler, Proxy};

#[test]
fn a_database_is_fresh_and_durable_and_its_application_role_owns_nothing() {
    let (Some(one), Some(other)) = (postgres_stage::database(), postgres_stage::database()) else { return };
    assert_ne!(one.name, other.name);
    for setting in ["fsync", "synchronous_commit", "full_page_writes"] {
        assert_eq!(one.sql(&format!("SHOW {setting}")), "on");
    }
    assert_eq!(one.sql("SHOW listen_addresses"), "127.0.0.1");
    assert_eq!(one.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), "0");
    let may = format!("SELECT has_schema_privilege('{APPLICATION}', 'public', 'CREATE')");
    assert_eq!(one.sql(&may), "f");
    assert!(one.try_sql("SELECT nonsense").unwrap_err().contains("nonsense"));
}

#[tokio::test]
async fn a_cluster_of_ones_own_can_be_stopped_killed_and_closed_for_writing() {
    let Some(cluster) = postgres_stage::own(&["log_statement = 'all'"]) else { return };
    let database = cluster.database();
    database.sql("CREATE TABLE t (n int); INSERT INTO t VALUES (1)");
    let mut held = PgConnection::connect(&database.owner()).await.unwrap();
    assert_eq!(database.kill_backends(), 1);
    held.execute("SELECT 1").await.unwrap_err();
    cluster.stop_at_once();
    PgConnection::connect(&database.owner()).await.unwrap_err();
    cluster.resume();
    cluster.kill();
    cluster.resume();
    cluster.stop_fast();
    cluster.resume();
    assert_eq!(database.sql("SELECT n FROM t"), "1");
    database.read_only(true);
    assert!(database.try_sql("INSERT INTO t VALUES (2)").unwrap_err().contains("read-only"));
    database.read_only(false);
    database.sql("INSERT INTO t VALUES (2)");
    let folder = cluster.log().parent().unwrap().to_owned();
    drop(cluster);
    assert!(!folder.exists());
}

#[test]
fn a_standby_has_what_was_committed_and_takes_over() {
    let Some(primary) = postgres_stage::own(&[]) else { return };
    let database = primary.database();
    let standby = primary.standby(true);
    database.sql("CREATE TABLE t (n int)");
    database.sql("INSERT INTO t VALUES (1)");
    primary.kill();
    standby.promote();
    let there = database.at(standby.port);
    assert_eq!(there.sql("SELECT n FROM t"), "1");
    let second = standby.standby(false);
    second.fall_behind();
    there.sql("INSERT INTO t VALUES (2)");
    second.promote();
    assert_eq!(database.at(second.port).sql("SELECT count(*) FROM t"), "1");
}

#[tokio::test]
async fn the_proxy_loses_the_commit_or_its_answer() {
    let Some(database) = postgres_stage::database() else { return };
    database.sql("CREATE TABLE t (n int); GRANT ALL ON t TO PUBLIC");
    let proxy = Proxy::before(database.port);
    let through = database.at(proxy.port);
    for (cut, kept) in [(Cut::CommitLost, "0"), (Cut::AnswerLost, "1")] {
        let mut connection = PgConnection::connect(&through.application()).await.unwrap();
        let fired = proxy.fired();
        proxy.arm(cut);
        let mut transaction = connection.begin().await.unwrap();
        transaction.execute("INSERT INTO t VALUES (1)").await.unwrap();
        transaction.commit().await.unwrap_err();
        assert_eq!((proxy.fired(), database.sql("SELECT count(*) FROM t").as_str()), (fired + 1, kept), "{cut:?}");
    }
    proxy.close();
    PgConnection::connect(&through.application()).await.unwrap_err();
    proxy.open();
    PgConnection::connect(&through.application()).await.unwrap();
}

#[tokio::test]
async fn the_pooler_gives_each_transaction_any_connection() {
    let Some(database) = postgres_stage::database() else { return };
    let Some(pooler) = Pooler::before(database.port, 1) else { return };
    let through: Database = database.at(pooler.port);
    let mut one = PgConnection::connect(&through.application()).await.unwrap();
    let mut other = PgConnection::connect(&through.application()).await.unwrap();
    let who = "SELECT pg_backend_pid()";
    let (Ok(first), Ok(second)) = (one.fetch_one(who).await, other.fetch_one(who).await) else { panic!("{}", pooler.log()) };
    assert_eq!(first.get::<i32, _>(0), second.get::<i32, _>(0));
}
