//! A sandbox that moves to PostgreSQL, to several servers of one database, or behind a pooler.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    process::{Command, Output, Stdio},
};

use super::{BINARY, Sandbox};
use crate::postgres_stage::Database;

impl Sandbox {
    /// Runs `tsunagi migrate-store` as an operator does. The owner's URL stands in a file.
    pub(crate) fn migrate_store(&self, to: &Database) -> Output {
        let owner = self.folder.path().join("owner-url");
        fs::write(&owner, to.owner()).unwrap();
        fs::set_permissions(&owner, fs::Permissions::from_mode(0o600)).unwrap();
        let mut command = Command::new(BINARY);
        command.args(["migrate-store", "--lang", "en", "--json", "--to", &to.application(), "--to-owner-url-file"]).arg(owner);
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
            before = text.lines().find_map(|line| line.strip_prefix("origin = ")).unwrap().trim_matches('"').to_owned();
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
