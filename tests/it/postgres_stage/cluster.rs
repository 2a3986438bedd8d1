//! A cluster: made, started, stopped, killed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread::sleep,
    time::Duration,
};

use super::{
    APPLICATION, Database, OWNER, PASSWORD, SUPERUSER, binaries, until,
    user::{self, Watch},
};
use crate::exchange_stage::free_port;

/// A running cluster. Dropped, it is stopped at once and its folder is removed.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(super) folder: PathBuf,
    pub(crate) port: u16,
    watch: Watch,
}

impl Cluster {
    /// A new cluster with its roles.
    pub(super) fn start(settings: &[&str]) -> Self {
        let cluster = Self::watched("postgres");
        let mut make = tool("initdb");
        make.args(["-U", SUPERUSER, "--auth=trust", "--no-sync", "--no-locale", "-E", "UTF8", "-D"]).arg(cluster.data());
        user::run(&mut make).unwrap();
        cluster.configure(settings);
        cluster.resume();
        let main = Database { name: SUPERUSER.to_owned(), port: cluster.port };
        main.sql(&format!(
            "CREATE ROLE {OWNER} LOGIN PASSWORD '{PASSWORD}'; CREATE ROLE {APPLICATION} LOGIN PASSWORD '{PASSWORD}'; \
             CREATE ROLE {REPLICATOR} LOGIN REPLICATION PASSWORD '{PASSWORD}'"
        ));
        cluster
    }

    /// A folder for a cluster that is not there yet.
    pub(super) fn watched(what: &str) -> Self {
        let folder = user::folder(what);
        // What makes the cluster may still be at it when the test process is killed.
        let script = "echo alive; exec >/dev/null; read -r _; \"$1/pg_ctl\" -D \"$2/data\" -m immediate -w stop; \
                      n=0; until rm -rf \"$2\" || [ -z \"$(ls -A \"$2\")\" ] || [ $((n += 1)) -gt 60 ]; do sleep 0.5; done";
        let watch = Watch::over(script, &[binaries().unwrap(), &folder]);
        Self { folder, port: free_port(), watch }
    }

    /// Adds the stage's settings and further ones. What is said last holds.
    pub(super) fn configure(&self, settings: &[&str]) {
        let folder = self.folder.display();
        let mut text = format!(
            "listen_addresses = '127.0.0.1'\nport = {}\nunix_socket_directories = '{folder}'\nmax_connections = 300\nfsync = on\n\
             synchronous_commit = on\nfull_page_writes = on\nwal_level = replica\nmax_wal_senders = 8\nlog_min_messages = warning\n",
            self.port
        );
        for setting in settings {
            text += setting;
            text.push('\n');
        }
        let file = self.data().join("postgresql.auto.conf");
        let before = fs::read_to_string(&file).unwrap();
        // Written in place: the file stays its owner's.
        fs::write(file, before + &text).unwrap();
    }

    /// A fresh database.
    pub(crate) fn database(&self) -> Database {
        let database = Database::new(self.port);
        let main = Database { name: SUPERUSER.to_owned(), port: self.port };
        main.sql(&format!("CREATE DATABASE {} OWNER {OWNER}", database.name));
        database
    }

    /// Stops the cluster as a crash of the machine's power would: nothing is finished, the next start recovers from the log.
    pub(crate) fn stop_at_once(&self) {
        self.stop("immediate");
    }

    /// Stops the cluster: connections are ended, everything is written.
    pub(crate) fn stop_fast(&self) {
        self.stop("fast");
    }

    fn stop(&self, mode: &str) {
        user::run(tool("pg_ctl").args(["-w", "-m", mode, "stop", "-D"]).arg(self.data())).unwrap();
    }

    /// Kills the postmaster (SIGKILL). The others notice and end.
    pub(crate) fn kill(&self) {
        let file = fs::read_to_string(self.data().join("postmaster.pid")).unwrap();
        let id = file.lines().next().unwrap();
        assert!(Command::new("kill").args(["-9", id]).status().unwrap().success());
        // As long as one of them lives, it may write. They are a session of their own.
        until("the server's processes do not end", || !lives(id));
        // What nobody has waited for yet counts as a running process to those who read this file.
        fs::remove_file(self.data().join("postmaster.pid")).unwrap();
    }

    /// Starts the cluster again, on the same port.
    pub(crate) fn resume(&self) {
        let log = self.log();
        // After a kill, processes of the old server may live for a moment.
        for attempt in 0.. {
            let mut start = tool("pg_ctl");
            start.args(["-s", "-w", "-t", "60", "start", "-D"]).arg(self.data()).arg("-l").arg(&log);
            // The server keeps what it is given.
            let status = start.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
            if status.success() {
                return;
            }
            assert!(attempt < 20, "the cluster does not start: {}", fs::read_to_string(&log).unwrap_or_default());
            sleep(Duration::from_millis(100));
        }
    }

    /// What the server logged.
    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// The folder of its files.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.watch.end();
        // The servers' user may not remove it from every folder for temporary files.
        let _removed = fs::remove_dir(&self.folder);
    }
}

/// Whether a process of this session lives, which is more than not having been waited for.
fn lives(session: &str) -> bool {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let states = processes.filter_map(|process| fs::read_to_string(process.path().join("stat")).ok());
    // Behind the name in parentheses: state, parent, group, session (proc(5)).
    states.filter_map(|stat| Some(stat.rsplit_once(") ")?.1.split(' ').take(4).map(str::to_owned).collect::<Vec<_>>())).any(|of| {
        let [state, _, _, own] = of.as_slice() else { return false };
        own == session && state != "Z"
    })
}

/// One of PostgreSQL's programs, as the servers' user.
pub(super) fn tool(name: &str) -> Command {
    let path: &Path = binaries().unwrap();
    user::command(&path.join(name))
}

/// Copies a cluster's log.
pub(super) const REPLICATOR: &str = "tsunagi_replicator";
