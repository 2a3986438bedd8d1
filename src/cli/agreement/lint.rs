//! `tsunagi agreement lint`: what is wrong with a draft before anybody signs it.
//!
//! Without an identity it looks at the draft and this program's policies; with one also at the directory and the versions of the gateway.

mod delegations;
mod flows;

use std::{collections::BTreeMap, path::PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::{
    MaybeAs,
    file::Draft,
    template::PLACEHOLDER,
    words::{Words, plain},
};
use crate::{
    cli::{CliError, Voice, acting::say},
    client::{Client, Party},
    clock::{Clock as _, SystemClock},
    domain::{
        agreement::{Agreement, Side},
        party::{PartyId, PartyKind, PartyState},
        schema_version::SchemaVersion,
        time::Timestamp,
    },
    message::schema::{MessageSchema, SchemaSet},
    text::{
        Lang,
        agreement::{self as text, Lint},
    },
};

/// What is checked.
#[derive(Debug, Args)]
pub(super) struct LintArgs {
    /// The draft: TOML or JSON.
    file: PathBuf,
    #[command(flatten)]
    who: MaybeAs,
}

/// Something found.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    rule: Lint,
    /// Where in the document.
    at: String,
    /// The codes it is about.
    what: Vec<String>,
}

/// What a gateway knows.
#[derive(Debug, Default)]
struct Known {
    parties: BTreeMap<PartyId, Party>,
    /// The highest version of the agreement, 0 when there is none.
    last: u32,
}

pub(super) async fn run(args: &LintArgs, voice: Voice) -> Result<(), CliError> {
    let draft = Draft::read(&args.file)?;
    let words = Words::new()?;
    let mut findings: Vec<Finding> = draft.faults()?.into_iter().map(|fault| found(Lint::Form, fault.field, [fault.rule])).collect();
    findings.extend(placeholders(&draft.value));
    match serde_json::from_value::<Agreement>(draft.value.clone()) {
        Ok(agreement) => {
            let known = match args.who.client(voice)? {
                Some(client) => Some(Known::ask(&client, &agreement).await?),
                None => None,
            };
            let (published, now) = (published()?, SystemClock.now());
            findings.extend(Check { agreement: &agreement, words: &words, known: known.as_ref(), published: &published, now }.all());
        }
        // What stands in no list cannot be looked at further; the schema has said so, or the calendar does.
        Err(_) if findings.iter().any(|finding| finding.rule == Lint::Form) => {}
        Err(_) => findings.push(found(Lint::Form, "document", [])),
    }
    report(&findings, &words, voice)?;
    let errors = findings.iter().filter(|finding| !finding.rule.is_warning()).count();
    if errors == 0 {
        return Ok(());
    }
    Err(CliError::usage(
        format!("{errors} findings must be corrected before it is signed"),
        format!("署名の前に直すものが {errors} 件あります"),
    ))
}

fn report(findings: &[Finding], words: &Words, voice: Voice) -> Result<(), CliError> {
    for finding in findings {
        let level = if finding.rule.is_warning() { "warning" } else { "error" };
        let (problem, remedy) = text::lint(finding.rule, voice.lang);
        if voice.json {
            say(
                json!({"rule": finding.rule, "level": level, "at": finding.at, "what": finding.what, "problem": problem, "remedy": remedy}),
            )?;
            continue;
        }
        let level = if finding.rule.is_warning() { voice.lang.of("note", "注意") } else { voice.lang.of("error", "誤り") };
        let colon = voice.lang.of(": ", "：");
        say(format!("{level}  {}{colon}{}{problem}", finding.at, finding.named(words, voice.lang)))?;
        say(format!("      → {remedy}"))?;
    }
    if findings.is_empty() && !voice.json {
        say(voice.lang.of("Nothing found.", "指摘はありません。"))?;
    }
    Ok(())
}

impl Finding {
    fn named(&self, words: &Words, lang: Lang) -> String {
        use crate::domain::agreement::Part;
        let part = match self.rule {
            Lint::ClassNever | Lint::ClassProhibited => Part::Class,
            Lint::PurposeIdle | Lint::PurposeUnregistered => Part::Purpose,
            Lint::AccedingKind => Part::Acceding,
<<<<<<< HEAD
            Lint::KindWithoutSchema => Part::Kind,
=======
            Lint::SchemaMissing => Part::Kind,
>>>>>>> main
            _ => Part::Title,
        };
        if self.what.is_empty() { String::new() } else { format!("{} ", words.all(part, &self.what, lang)) }
    }
}

fn found(rule: Lint, at: impl Into<String>, what: impl IntoIterator<Item = String>) -> Finding {
    Finding { rule, at: plain(&at.into()), what: what.into_iter().collect() }
}

/// The message schemas of this program.
fn published() -> Result<Vec<SchemaVersion>, CliError> {
    let damaged = |error: &dyn std::fmt::Display| CliError::usage(format!("{error}"), format!("プログラムが壊れています: {error}"));
    let schemas = SchemaSet::builtin().map_err(|error| damaged(&error))?;
    let named = |schema: &MessageSchema| format!("{}/{}", schema.kind(), schema.published().ver).parse();
    schemas.messages().map(|schema| named(schema).map_err(|error| damaged(&error))).collect()
}

/// Every text of the draft that the template left to be written.
fn placeholders(draft: &Value) -> Vec<Finding> {
    fn walk(value: &Value, at: &str, findings: &mut Vec<Finding>) {
        match value {
            Value::String(text) if text.contains(PLACEHOLDER) => findings.push(found(Lint::Placeholder, at, [])),
            Value::Array(items) => items.iter().enumerate().for_each(|(n, item)| walk(item, &format!("{at}[{n}]"), findings)),
            Value::Object(members) => {
                let below = |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
                members.iter().for_each(|(name, member)| walk(member, &below(name), findings));
            }
            _ => {}
        }
    }
    let mut findings = Vec::new();
    walk(draft, "", &mut findings);
    findings
}

impl Known {
    async fn ask(client: &Client, agreement: &Agreement) -> Result<Self, CliError> {
        let parties = client.parties().await?.into_iter().map(|party| (party.party.clone(), party)).collect();
        let own = client.agreements().await?;
        let last = own.iter().filter(|head| head.id == agreement.id).map(|head| head.ver).max().unwrap_or(0);
        Ok(Self { parties, last })
    }
}

/// A draft with what it is checked against.
struct Check<'a> {
    agreement: &'a Agreement,
    words: &'a Words,
    known: Option<&'a Known>,
    /// The message schemas of this program.
    published: &'a [SchemaVersion],
    now: Timestamp,
}

impl Check<'_> {
    fn all(&self) -> Vec<Finding> {
        let mut findings = self.parties();
        findings.extend(self.flows());
        findings.extend(self.schema_versions());
        findings.extend(self.period());
        findings.extend(self.texts());
        findings.extend(self.delegations());
        findings
    }

    /// Named parties, and parties that only a flow names.
    fn parties(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let Agreement { parties, acceding, flows, .. } = self.agreement;
        let one = |rule, at: String, party: &PartyId| found(rule, at, [party.to_string()]);
        for (n, party) in parties.iter().enumerate() {
            let at = format!("parties[{n}]");
            match self.known.map(|known| known.parties.get(party)) {
                Some(None) => findings.push(one(Lint::PartyUnknown, at.clone(), party)),
                Some(Some(listed)) if listed.state != PartyState::Active => findings.push(one(Lint::PartySuspended, at.clone(), party)),
                _ => {}
            }
            let delegate = self.agreement.delegations.iter().any(|d| d.to == *party);
            if !delegate && !flows.iter().any(|flow| flow.from.holds(party) || flow.to.holds(party)) {
                findings.push(one(Lint::PartyIdle, at, party));
            }
        }
        for (n, kind) in acceding.iter().enumerate() {
            if matches!(kind, PartyKind::Auditor | PartyKind::Operator) {
                findings.push(found(Lint::AccedingKind, format!("acceding[{n}]"), [kind.to_string()]));
            }
        }
        for (n, flow) in flows.iter().enumerate() {
            for (name, side) in [("from", &flow.from), ("to", &flow.to)] {
                let at = format!("flows[{n}].{name}");
                if let (Side::Party(party), Some(known)) = (side, self.known)
                    && !parties.contains(party)
                    && !known.parties.contains_key(party)
                {
                    findings.push(one(Lint::PartyUnknown, at.clone(), party));
                }
                let (kind, named) = match side {
                    Side::Kind(kind) => (*kind, parties.iter().any(|party| party.kind() == *kind)),
                    Side::Party(party) => (party.kind(), parties.contains(party)),
                };
                if !named && !acceding.contains(&kind) {
                    findings.push(found(Lint::SideOutside, at, [side.to_string()]));
                }
            }
        }
        if let Some(known) = self.known
            && self.agreement.ver != known.last.saturating_add(1)
        {
            findings.push(found(Lint::VersionNext, "ver", [format!("{}/{}", self.agreement.id, self.agreement.ver)]));
        }
        findings
    }

    /// Kinds that flow but are accepted in no version, and versions that nobody published.
    fn schema_versions(&self) -> Vec<Finding> {
        let Agreement { schema_versions, flows, .. } = self.agreement;
        let mut findings = Vec::new();
        for (n, flow) in flows.iter().enumerate() {
            let closed = flow.kinds.iter().filter(|kind| schema_versions.iter().all(|named| named.kind() != **kind));
            let closed: Vec<String> = closed.map(ToString::to_string).collect();
            if !closed.is_empty() {
                findings.push(found(Lint::SchemaMissing, format!("flows[{n}].kinds"), closed));
            }
        }
        for (n, named) in schema_versions.iter().enumerate() {
            if !self.published.contains(named) {
                findings.push(found(Lint::SchemaUnknown, format!("schema_versions[{n}]"), [named.to_string()]));
            }
        }
        findings
    }

    fn period(&self) -> Vec<Finding> {
        let Agreement { from, until, retention_months, .. } = self.agreement;
        let mut findings = Vec::new();
        let mut add = |holds: bool, rule, at: &str| {
            if holds {
                findings.push(found(rule, at, []));
            }
        };
        add(from >= until, Lint::PeriodEmpty, "until");
        add(from < until && *until <= self.now, Lint::PeriodPast, "until");
        add(*from < self.now && self.now < *until, Lint::PeriodRetroactive, "from");
        add(*until > from.plus_secs(LONGEST_DAYS * 86_400), Lint::PeriodLong, "until");
        add(*retention_months == 0, Lint::RetentionNone, "retention_months");
        findings
    }

    fn texts(&self) -> Vec<Finding> {
        let Agreement { purpose_of_use_entry, terms, .. } = self.agreement;
        let mut findings = Vec::new();
        if purpose_of_use_entry.trim().is_empty() {
            findings.push(found(Lint::PurposeEntryMissing, "purpose_of_use_entry", []));
        }
        if terms.iter().all(|term| term.trim().is_empty()) {
            findings.push(found(Lint::TermsMissing, "terms", []));
        }
        findings
    }
}

/// Five years, with their leap days.
const LONGEST_DAYS: i64 = 5 * 365 + 2;

#[cfg(test)]
mod tests;
