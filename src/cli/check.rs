//! `tsunagi check -c tsunagi.toml`: everything a gateway stands on, each finding with its remedy. Writes nothing, and works while the gateway serves.
//!
//! Promises: one finding that needs something done makes the exit code 2 (what the operator wrote: configuration, keys, certificates, policies) or 3 (what
//! is stored or measured: database, ledger, disk, clock), the graver of both; notices do not. No finding repeats a secret. What a room knows of itself it
//! tells; here it is only put into words. A further area is one function that adds its findings, called from [`run`].

mod files;
mod machine;
mod stored;
mod witnesses;

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{CliError, Voice};
use crate::{
    clock::{Clock, SystemClock},
    config::Config,
    startup::Told,
    text::Lang,
};

/// Check configuration, keys, certificates, revocation lists, policies, schemas, database, ledger, high-water mark, witnesses, disk and clock.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Configuration file.
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
}

/// What was found, in the order it was looked at.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Finding>);

/// One thing that was looked at.
#[derive(Debug)]
struct Finding {
    area: &'static str,
    level: Level,
    /// English, Japanese.
    told: [String; 2],
    remedy: Option<[String; 2]>,
}

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Fine,
    Notice,
    /// What the operator wrote keeps the gateway from serving, or will.
    Written,
    /// What is stored or measured does.
    Found,
}

impl Findings {
    /// Nothing to do.
    pub(super) fn fine(&mut self, area: &'static str, told: [String; 2]) {
        self.0.push(Finding { area, level: Level::Fine, told, remedy: None });
    }

    /// Something to know, or to do soon.
    pub(super) fn notice(&mut self, area: &'static str, told: [String; 2], remedy: [&str; 2]) {
        self.add(area, Level::Notice, told, remedy);
    }

    /// Something to correct in what the operator wrote.
    pub(super) fn wrong(&mut self, area: &'static str, told: [String; 2], remedy: [&str; 2]) {
        self.add(area, Level::Written, told, remedy);
    }

    /// Something to repair in what is stored, or on the machine.
    pub(super) fn broken(&mut self, area: &'static str, told: [String; 2], remedy: [&str; 2]) {
        self.add(area, Level::Found, told, remedy);
    }

    fn add(&mut self, area: &'static str, level: Level, told: [String; 2], remedy: [&str; 2]) {
        self.0.push(Finding { area, level, told, remedy: Some(remedy.map(str::to_owned)) });
    }

    fn print(&self, voice: Voice) {
        for finding in &self.0 {
            println!("{}", if voice.json { finding.json() } else { finding.line(voice.lang) });
        }
    }

    /// The error that the exit code comes from.
    fn verdict(&self) -> Result<(), CliError> {
        let count = self.0.iter().filter(|finding| finding.level > Level::Notice).count();
        let (en, ja) = (format!("findings that need something done: {count}"), format!("対応が必要な項目が {count} 件あります"));
        match self.0.iter().map(|finding| finding.level).max() {
            Some(Level::Found) => Err(CliError::Unverified { en, ja }),
            Some(Level::Written) => Err(CliError::Usage { en, ja }),
            _ => Ok(()),
        }
    }
}

impl Finding {
    fn json(&self) -> String {
        let level = match self.level {
            Level::Fine => "ok",
            Level::Notice => "notice",
            Level::Written | Level::Found => "fault",
        };
        let both = |[en, ja]: &[String; 2]| json!({"en": en, "ja": ja});
        json!({"area": self.area, "level": level, "finding": both(&self.told), "remedy": self.remedy.as_ref().map(both)}).to_string()
    }

    fn line(&self, lang: Lang) -> String {
        let word = match self.level {
            Level::Fine => lang.of("ok    ", "良好"),
            Level::Notice => lang.of("notice", "注意"),
            Level::Written | Level::Found => lang.of("FAULT ", "要対応"),
        };
        let [en, ja] = &self.told;
        let remedy = self.remedy.as_ref().map(|[en, ja]| format!("\n        {}", lang.of(en, ja))).unwrap_or_default();
        format!("{word}  {}: {}{remedy}", self.area, lang.of(en, ja))
    }
}

pub(super) async fn run(args: CheckArgs, voice: Voice) -> Result<(), CliError> {
    let mut findings = Findings::default();
    match Config::load(&args.config) {
        Ok(config) => {
            let now = SystemClock.now();
            files::configuration(&config, &args.config, &mut findings);
            files::keys(&config, &mut findings);
            files::certificates(&config, now, &mut findings);
            let policy = files::policies(&config, &mut findings);
            files::schemas(&mut findings);
            stored::database(&config, policy, now, &mut findings).await;
            machine::disk(&config, &mut findings);
            machine::clock(now, &mut findings);
        }
        Err(error) => findings.wrong(
            "configuration",
            both(&error),
            ["Correct the configuration file; README lists every key.", "設定ファイルを直してください。キーの一覧は README にあります。"],
        ),
    }
    findings.print(voice);
    findings.verdict()
}

/// What another room says, in both languages.
fn both(told: &dyn Told) -> [String; 2] {
    [told.to_string(), told.in_japanese()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_graver_finding_decides_and_a_notice_does_not() {
        let code = |levels: &[Level]| {
            let finding = |level: &Level| Finding { area: "x", level: *level, told: ["x", "x"].map(str::to_owned), remedy: None };
            match Findings(levels.iter().map(finding).collect()).verdict() {
                Ok(()) => 0,
                Err(CliError::Usage { .. }) => 2,
                Err(CliError::Unverified { .. }) => 3,
                Err(other) => panic!("{other}"),
            }
        };
        assert_eq!(code(&[]), 0);
        assert_eq!(code(&[Level::Fine, Level::Notice]), 0);
        assert_eq!(code(&[Level::Written, Level::Notice]), 2);
        assert_eq!(code(&[Level::Found, Level::Written]), 3);
    }

    #[test]
    fn a_finding_is_told_in_both_languages() {
        let mut findings = Findings::default();
        findings.notice("disk", ["little room".to_owned(), "残りわずか".to_owned()], ["Make room.", "空きを作ってください。"]);
        let json: serde_json::Value = serde_json::from_str(&findings.0[0].json()).unwrap();
        assert_eq!((&json["level"], &json["remedy"]["ja"]), (&json!("notice"), &json!("空きを作ってください。")));
        assert_eq!(findings.0[0].line(Lang::En), "notice  disk: little room\n        Make room.");
        assert_eq!(findings.0[0].line(Lang::Ja), "注意  disk: 残りわずか\n        空きを作ってください。");
    }
}
