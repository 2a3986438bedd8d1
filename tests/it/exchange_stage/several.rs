//! A sandbox that moves to PostgreSQL, to several servers of one database, or behind a pooler.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    process::{Command, Output, Stdio},
};

use super::{BINARY, Sandbox};
use crate::postgres_stage::Database;

impl Sandbox {
    /// Runs `tsunagi migrate-store` as an operator does. The owner's URL and the password stand in files.
    pub(crate) fn migrate_store(&self, to: &Database) -> Output {
        let whole = to.application();
        let (role, place) = whole.split_once('@').unwrap();
        let (role, password) = role.rsplit_once(':').unwrap();
        self.migrate_store_to(&format!("{role}@{place}"), to, password)
    }

    /// The same to this URL.
    pub(crate) fn migrate_store_to(&self, url: &str, to: &Database, password: &str) -> Output {
        let private = |name: &str, content: &str| {
            let file = self.folder.path().join(name);
            fs::write(&file, content).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
            file
        };
        let mut command = Command::new(BINARY);
        command.args(["migrate-store", "--lang", "en", "--json", "--to", url]);
        command.arg("--to-owner-url-file").arg(private("owner-url", &to.owner()));
        command.arg("--to-password-file").arg(private("password", password));
        command.arg("-c").arg(self.config()).stdin(Stdio::null()).output().unwrap()
    }

    /// Every gateway that is started from now on uses a database behind these ports.
    pub(crate) fn use_postgres(&mut self, database: &Database, ports: &[u16], pooler: bool) {
        let urls: Vec<String> = ports.iter().map(|port| database.at(*port).application()).collect();
        let config = fs::read_to_string(self.config()).unwrap();
        let (before, rest) = config.split_once("[database]\n").unwrap();
        let (_, behind) = rest.split_once("\n\n").unwrap();
        fs::write(self.config(), format!("{before}[database]\nurl = {urls:?}\npooler = {pooler}\n\n{behind}")).unwrap();
        // There is a password in it.
        fs::set_permissions(self.config(), fs::Permissions::from_mode(0o600)).unwrap();
        self.postgres = Some(database.clone());
    }

    /// Does what `tsunagi ledger reopen` says: the configurations get the new name, and the parties pin the new key. Gives the name before.
    pub(crate) fn rename(&self, origin: &str, vkey: &str) -> String {
        let mut before = String::new();
        for config in [self.config(), self.path().join("another.toml")].into_iter().filter(|config| config.exists()) {
            let text = fs::read_to_string(&config).unwrap();
            text.lines().find_map(|line| line.strip_prefix("origin = ")).unwrap().trim_matches('"').clone_into(&mut before);
            fs::write(config, text.replace(&format!("origin = \"{before}\""), &format!("origin = \"{origin}\""))).unwrap();
        }
        for folder in fs::read_dir(self.path().join("parties")).unwrap() {
            let file = folder.unwrap().path().join("gateway-keys.json");
            let mut pinned: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
            pinned["ledger"]["origin"] = origin.into();
            pinned["ledger"]["vkey"] = vkey.into();
            fs::write(&file, pinned.to_string()).unwrap();
        }
        before
    }
}
