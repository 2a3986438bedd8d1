//! PgBouncer in transaction mode: what a connection keeps between two transactions may be another's.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{
    APPLICATION, Database, OWNER, PASSWORD, SUPERUSER, missing,
    user::{self, Watch},
};
use crate::exchange_stage::free_port;

/// A running pooler. Dropped, it ends and its folder is removed.
#[derive(Debug)]
pub(crate) struct Pooler {
    pub(crate) port: u16,
    folder: PathBuf,
    watch: Watch,
}

impl Pooler {
    /// A pooler before the server at `port`, with so many connections to it for each database and role. None: PgBouncer is missing, which was said; with
    /// `CI=true` that fails.
    pub(crate) fn before(port: u16, connections: u16) -> Option<Self> {
        let binary = Path::new("/usr/sbin/pgbouncer");
        if !binary.exists() {
            missing("PgBouncer is not installed (Debian package pgbouncer)");
            return None;
        }
        let folder = user::folder("pgbouncer");
        let (own, place) = (free_port(), folder.display());
        let users: String = [OWNER, APPLICATION, SUPERUSER].iter().map(|role| format!("\"{role}\" \"{PASSWORD}\"\n")).collect();
        fs::write(folder.join("users"), users).unwrap();
        let settings = format!(
            "[databases]\n* = host=127.0.0.1 port={port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {own}\nunix_socket_dir = {place}\n\
             auth_type = plain\nauth_file = {place}/users\npool_mode = transaction\ndefault_pool_size = {connections}\nmax_client_conn = 1000\n\
             ignore_startup_parameters = extra_float_digits\nserver_login_retry = 1\nadmin_users = {SUPERUSER}\nlogfile = {place}/log\n"
        );
        fs::write(folder.join("settings"), settings).unwrap();
        let script = "\"$1\" -q \"$2/settings\" >/dev/null 2>&1 & pooler=$!; until [ -S \"$2\"/.s.PGSQL.* ] || ! kill -0 $pooler; do sleep 0.02; done; \
                      kill -0 $pooler && echo alive; exec >/dev/null; read -r _; kill -9 $pooler; rm -rf \"$2\"";
        let watch = Watch::over(script, &[binary, &folder]);
        Some(Self { port: own, folder, watch })
    }

    /// How many transactions went through it to a database.
    pub(crate) fn transactions(&self, database: &Database) -> u64 {
        let console = Database { name: "pgbouncer".to_owned(), port: self.port };
        let rows = console.sql("SHOW STATS");
        let row = rows.lines().map(|row| row.split('|').collect::<Vec<_>>()).find(|row| row[0] == database.name);
        row.map_or(0, |row| row[1].parse().unwrap())
    }

    /// What the pooler logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap()
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        self.watch.end();
    }
}
