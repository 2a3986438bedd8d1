//! Proving: who saw what, that nothing was rewritten, and that a stranger can check it without us.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    process::Output,
};

use serde_json::json;

use super::{
    layout::Table,
    material::telling,
    reading::clock_time,
    sandbox::process_failed,
    story::{Read, Story, must},
};
use crate::{
    cli::CliError,
    client::{AuditFilter, Event, Opened, SignedCheckpoint},
    domain::{
        entry::{Operation, Outcome},
        field::FieldKey,
        party::PartyKind,
    },
    text::demo as text,
};

impl Story<'_> {
    pub(super) async fn audit(&mut self, read: &Read, end: u64) -> Result<(), CliError> {
        let auditor = &self.cast.auditor;
        let about_case = AuditFilter { case: Some(read.case), ..AuditFilter::default() };
        let events = auditor.all_audit_events(&about_case).await?;
        let denied = AuditFilter { decision: Some(Outcome::Deny), ..AuditFilter::default() };
        let refusals = auditor.all_audit_events(&denied).await?;
        let head = auditor.checkpoint().await?;
        let mut tree = auditor.tree(&head.head);
        for event in events.iter().chain(&refusals) {
            tree.includes(event.index, &event.leaf).await?;
        }
        let released = |event: &&Event| event.entry.operation == Operation::CaseRead && event.entry.decision == Outcome::Permit;
        must(
            !events.iter().filter(released).any(|event| event.index > end),
            "a release follows the withdrawal",
            "撤回の後に開示があります",
        )?;
        let opened = |index: u64| {
            let event = events.iter().find(|event| event.index == index).and_then(|event| event.opened.as_ref());
            event.ok_or_else(|| CliError::unverified("a read has no opening", "読み取りの控えがありません"))
        };
        let (placement, benefit) = (opened(read.placement.place().index())?, opened(read.benefit.place().index())?);
        let agree = |opened: &Opened, reading: &crate::client::Reading| {
            let rows = &reading.release.disclosed.rows;
            opened.disclosed.len() == rows.len() && rows.iter().all(|row| opened.disclosed.contains(&row.key))
        };
        let same = agree(placement, &read.placement) && agree(benefit, &read.benefit);
        must(same, "the ledger names other rows than were received", "台帳の項目と受け取った項目が違います")?;

        self.page.step("audit", text::AUDIT);
        self.page.say(text::AUDIT_IS, &[&events.len()]);
        self.events(&events);
        let (table, both) = self.rows(placement, benefit);
        self.page.say(text::ROWS_WITHHELD, &[&both]);
        self.page.table(&table);
        self.page.check(text::ROWS_AGREE, &[]);
        self.page.check(text::OPENINGS_FIT, &[&head.head.size()]);
        self.page.check(text::AFTER_ORDER, &[&end]);
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        for event in &refusals {
            *reasons.entry(event.entry.reason.as_deref().unwrap_or("-")).or_default() += 1;
        }
        let list: Vec<String> = reasons.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
        self.page.note(text::REFUSALS_TOO, &[&list.join(self.page.lang().of(", ", "、"))]);
        self.page.fact("refusals", json!(reasons));
        Ok(())
    }

    fn events(&mut self, events: &[Event]) {
        let lang = self.page.lang();
        let names = [text::COL_ENTRY, text::COL_TIME, text::COL_PARTY, text::COL_WHAT, text::COL_ANSWER];
        let columns = names.map(|line| line.say(lang, &[]));
        let mut table = Table::new(&columns.iter().map(String::as_str).zip([6, 8, 17, 19, 19]).collect::<Vec<_>>());
        for event in events {
            let entry = &event.entry;
            let party = entry.party().map_or("", |party| party.kind().as_str());
            let counts = entry.shown.zip(withheld_in(event)).map(|(shown, withheld)| format!("● {shown}  － {withheld}"));
            let answer = counts.or(entry.reason.clone()).unwrap_or_else(|| entry.decision.to_string());
            let time = clock_time(entry.time);
            let time = time.split_once(' ').map_or("", |(_, time)| time);
            table.row([&event.index.to_string(), time, party, entry.operation.as_str(), &answer]);
        }
        self.page.table(&table);
        let list = events.iter().map(|event| {
            let entry = &event.entry;
            json!({
                "index": event.index, "time": entry.time, "party": entry.party(), "operation": entry.operation, "decision": entry.decision,
                "reason": entry.reason, "purpose": entry.purpose, "shown": entry.shown, "withheld": withheld_in(event)
            })
        });
        self.page.fact("events", list.collect::<Vec<_>>());
    }

    /// Rows withheld in either read, and how many were shown in both.
    fn rows(&mut self, placement: &Opened, benefit: &Opened) -> (Table, usize) {
        let lang = self.page.lang();
        let names = [text::COL_ROW, text::COL_PLACEMENT, text::COL_BENEFIT, text::COL_RULE];
        let columns = names.map(|line| line.say(lang, &[]));
        let mut table = Table::new(&columns.iter().map(String::as_str).zip([36, 9, 8, 18]).collect::<Vec<_>>());
        let withheld = |opened: &Opened, key: &FieldKey| opened.withheld.iter().find(|row| row.field == *key).map(|row| row.rules.clone());
        let shown = |key: &FieldKey| placement.disclosed.contains(key) && benefit.disclosed.contains(key);
        let both = self.material.rows.iter().filter(|(key, _)| shown(key)).count();
        let either = |key: &FieldKey| withheld(placement, key).is_some() || withheld(benefit, key).is_some();
        let mut facts = Vec::new();
        for (class, keys) in self.material.by_class(either) {
            table.section(self.material.class_name(class, lang));
            for key in keys {
                let (first, second) = (withheld(placement, &key), withheld(benefit, &key));
                let mark = |rules: &Option<Vec<String>>| if rules.is_some() { "－" } else { "●" };
                let rules = second.as_ref().or(first.as_ref()).map(Vec::as_slice).unwrap_or_default();
                let rule = self.material.rule(telling(rules), lang);
                let title = format!("  {}", self.material.title(&key, lang));
                table.row([title.as_str(), mark(&first), mark(&second), &rule]);
                facts.push(json!({"row": key, "placement": first, "benefit": second}));
            }
        }
        self.page.fact("withheld", facts);
        (table, both)
    }

    pub(super) async fn consistency(&mut self, first: &SignedCheckpoint) -> Result<(), CliError> {
        let now = self.cast.auditor.checkpoint().await?;
        let hashes = self.cast.auditor.consistency(&first.head, &now.head).await?;
        self.page.step("consistency", text::CONSISTENCY);
        self.page.say(text::CONSISTENCY_IS, &[&first.head.size(), &now.head.size()]);
        self.page.check(text::ONLY_ADDED, &[&hashes]);
        self.page.fact("from", first.head.size());
        self.page.fact("to", now.head.size());
        self.page.fact("checkpoint", now.note);
        Ok(())
    }

    pub(super) async fn offline(&mut self) -> Result<(), CliError> {
        let (export, tampered) = (self.sandbox.dir().join("export"), self.sandbox.dir().join("export-tampered"));
        let auditor = self.sandbox.folder_of(PartyKind::Auditor)?;
        let export_as = ["audit".as_ref(), "export".as_ref(), "--as".as_ref(), auditor.as_os_str()];
        let exported = self.sandbox.run(&[&export_as[..], &["--format".as_ref(), "tiles".as_ref(), export.as_os_str()]].concat()).await?;
        if !exported.status.success() {
            return Err(process_failed("audit export", &exported));
        }
        self.page.step("offline", text::OFFLINE);
        self.page.say(text::OFFLINE_IS, &[&export.display()]);
        let verified = self.verify(&export).await?;
        if !verified.status.success() {
            return Err(process_failed("audit verify", &verified));
        }
        self.page.quote("tsunagi audit verify export --vkey …", &words(&verified));
        self.page.check(text::OFFLINE_GOOD, &[]);
        let changed = tamper(&export, &tampered).map_err(|e| CliError::Io(tampered.display().to_string(), e))?;
        self.page.gap();
        self.page.say(text::TAMPERED_IS, &[&changed]);
        let verified = self.verify(&tampered).await?;
        must(!verified.status.success(), "a changed ledger verified", "変えた台帳が検証を通りました")?;
        self.page.quote("tsunagi audit verify export-tampered --vkey …", &words(&verified));
        self.page.check(text::TAMPERED_FOUND, &[]);
        self.page.fact("export", export.display().to_string());
        self.page.fact("changed", changed);
        Ok(())
    }

    /// Verifies an export in a process that is told the public key and nothing else.
    async fn verify(&self, export: &Path) -> Result<Output, CliError> {
        let vkey = self.cast.auditor.identity().pinned().document().vkey.to_string();
        self.sandbox.run(&["audit".as_ref(), "verify".as_ref(), export.as_os_str(), "--vkey".as_ref(), vkey.as_ref()]).await
    }
}

/// A process in its own words.
pub(super) fn words(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|said| String::from_utf8_lossy(said).into_owned()).concat()
}

/// Copies an export and changes one byte of its first entry bundle. Says which.
fn tamper(from: &Path, to: &Path) -> io::Result<String> {
    copy(from, to)?;
    let bundle = first_file(&to.join("tile").join("entries"))?;
    let mut bytes = fs::read(&bundle)?;
    let at = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1;
    }
    fs::write(&bundle, bytes)?;
    let name = bundle.strip_prefix(to).unwrap_or(&bundle);
    Ok(format!("{} [{at}]", name.display()))
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() { copy(&entry.path(), &target)? } else { fs::copy(entry.path(), target).map(|_| ())? }
    }
    Ok(())
}

fn first_file(folder: &Path) -> io::Result<PathBuf> {
    let mut found = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?;
    found.sort();
    let first = found.into_iter().next().ok_or(io::ErrorKind::NotFound)?;
    if first.is_dir() { first_file(&first) } else { Ok(first) }
}

/// How many rows a release withheld: told to auditors alone.
fn withheld_in(event: &Event) -> Option<usize> {
    event.entry.shown.and(event.opened.as_ref()).map(|opened| opened.withheld.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_one_byte_of_one_bundle_is_changed_and_only_in_the_copy() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("export"), folder.path().join("copy"));
        fs::create_dir_all(from.join("tile/entries/000.p")).unwrap();
        fs::create_dir_all(from.join("tile/0")).unwrap();
        fs::write(from.join("checkpoint"), "note").unwrap();
        fs::write(from.join("tile/0/000"), "hashes").unwrap();
        fs::write(from.join("tile/entries/000.p/3"), "entries").unwrap();

        assert_eq!(tamper(&from, &to).unwrap(), "tile/entries/000.p/3 [3]");
        assert_eq!(fs::read(from.join("tile/entries/000.p/3")).unwrap(), b"entries");
        let changed = fs::read(to.join("tile/entries/000.p/3")).unwrap();
        assert_eq!(changed.iter().zip(b"entries").filter(|(one, other)| one != other).count(), 1);
        for same in ["checkpoint", "tile/0/000"] {
            assert_eq!(fs::read(from.join(same)).unwrap(), fs::read(to.join(same)).unwrap());
        }
        assert!(tamper(&from, &to).is_err(), "an existing folder is not written over");
    }
}
