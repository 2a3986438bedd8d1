//! Streaming replication.

use super::{
    Database, SUPERUSER,
    cluster::{Cluster, REPLICATOR, tool},
    until, user,
};

impl Cluster {
    /// A standby that follows this cluster. Synchronous: from now on this cluster acknowledges a commit once the standby has it on disk.
    pub(crate) fn standby(&self, synchronous: bool) -> Self {
        let standby = Self::watched("standby");
        let primary = format!("host=127.0.0.1 port={} user={REPLICATOR}", self.port);
        let mut copy = tool("pg_basebackup");
        copy.args(["-c", "fast", "-X", "stream", "--no-sync", "-R", "-d", &format!("{primary} application_name={STANDBY}"), "-D"])
            .arg(standby.data());
        user::run(&mut copy).unwrap();
        standby.configure(&["synchronous_standby_names = ''"]);
        standby.resume();
        if synchronous {
            self.wait_for_standbys(STANDBY);
        }
        standby
    }

    /// Which standbys a commit waits for; none: nobody.
    pub(crate) fn wait_for_standbys(&self, names: &str) {
        let main = self.main();
        main.sql(&format!("ALTER SYSTEM SET synchronous_standby_names = '{names}'"));
        main.sql("SELECT pg_reload_conf()");
        if !names.is_empty() {
            let waits = "SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')";
            until("the standby is not synchronous", || main.sql(waits) != "0");
        }
    }

    /// Makes a standby a primary; it takes writes when this returns.
    pub(crate) fn promote(&self) {
        user::run(tool("pg_ctl").args(["-s", "-w", "-t", "60", "promote", "-D"]).arg(self.data())).unwrap();
    }

    /// A standby stops taking over what the primary writes, for good.
    pub(crate) fn fall_behind(&self) {
        let main = self.main();
        main.sql("ALTER SYSTEM SET primary_conninfo = ''");
        main.sql("SELECT pg_reload_conf()");
        until("the standby goes on receiving", || main.sql("SELECT count(*) FROM pg_stat_wal_receiver") == "0");
    }

    fn main(&self) -> Database {
        Database { name: SUPERUSER.to_owned(), port: self.port }
    }
}

const STANDBY: &str = "standby";
