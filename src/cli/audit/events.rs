//! `tsunagi audit events`: who saw what, page by page.

use clap::Args;
use serde_json::json;

use super::{As, Event, patient, say};
use crate::{
    cli::{CliError, Voice},
    client::AuditFilter,
    domain::{
        codes::{LegalBasis, MessageKind, Purpose},
        entry::{EntryType, Operation, Outcome},
        ids::{AgreementId, CaseId, Jti},
        party::PartyId,
        refusal::RefusalCode,
        time::Timestamp,
    },
    text::{Lang, audit},
};

/// Every option narrows.
#[derive(Debug, Args)]
pub(super) struct EventsArgs {
    #[command(flatten)]
    who: As,
    /// From this time on: RFC 3339, or a day in Japan (2026-11-21).
    #[arg(long, value_parser = moment, value_name = "TIME")]
    from: Option<Timestamp>,
    /// Before this time: RFC 3339, or a day in Japan.
    #[arg(long, value_parser = moment, value_name = "TIME")]
    to: Option<Timestamp>,
    /// Acting party.
    #[arg(long, value_name = "PARTY")]
    actor: Option<PartyId>,
    /// Receiving party.
    #[arg(long, value_name = "PARTY")]
    recipient: Option<PartyId>,
    /// A case, by the id that any party knows it under.
    #[arg(long, value_name = "ID")]
    case: Option<CaseId>,
    /// Staff id.
    #[arg(long, value_name = "ID")]
    staff: Option<String>,
    /// Field class that was shown.
    #[arg(long, value_name = "CLASS")]
    class: Option<String>,
    /// Operation, such as case.read.
    #[arg(long, value_name = "CODE")]
    operation: Option<Operation>,
    /// Entry type, such as release or refusal.
    #[arg(long = "type", value_name = "CODE")]
    entry_type: Option<EntryType>,
    /// permit or deny.
    #[arg(long, value_name = "CODE")]
    decision: Option<Outcome>,
    /// Code of a refusal.
    #[arg(long, value_name = "CODE")]
    reason: Option<RefusalCode>,
    /// Agreement.
    #[arg(long, value_name = "ID")]
    agreement: Option<AgreementId>,
    /// Consent.
    #[arg(long, value_name = "ID")]
    consent: Option<Jti>,
    /// At most so many events.
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
}

pub(super) async fn run(args: &EventsArgs, voice: Voice) -> Result<(), CliError> {
    let client = args.who.client(voice)?;
    let mut filter = args.filter();
    let (mut cursor, mut shown) = (None::<String>, 0);
    let mut tree = None;
    while shown < args.limit {
        let wanted = u32::try_from(args.limit - shown).unwrap_or(LONGEST_PAGE).min(LONGEST_PAGE);
        filter.limit = Some(wanted);
        let page = patient(async || client.audit_page(&filter, cursor.as_deref()).await).await?;
        // The first page fixes the tree that the cursor goes on in.
        let tree = tree.get_or_insert_with(|| client.tree(&page.checkpoint));
        for raw in page.events {
            let event = Event::read(raw)?;
            tree.includes(event.index, &event.leaf_hash()).await?;
            show(&event, voice)?;
            shown += 1;
        }
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    if !voice.json
        && let Some(tree) = &tree
    {
        say(footer(shown, cursor.is_some(), tree.head().size(), voice.lang))?;
    }
    Ok(())
}

fn footer(shown: u64, more: bool, size: u64, lang: Lang) -> String {
    let rest = if more {
        lang.of(" There are more: raise --limit.", "続きがあります（--limit を増やしてください）。")
    } else {
        ""
    };
    match lang {
        Lang::En => format!("\n{shown} events, each proven to stand in the signed ledger of {size} entries.{rest}"),
        Lang::Ja => format!("\n{shown} 件。どれも、署名された台帳（{size} 件）にあることを確かめました。{rest}"),
    }
}

fn show(event: &Event, voice: Voice) -> Result<(), CliError> {
    if voice.json {
        return say(json!({"index": event.raw.index, "entry": event.raw.entry, "opened": event.raw.opened}));
    }
    lines(event, voice.lang).iter().try_for_each(|line| say(plain(line)))
}

/// The event as a person reads it.
fn lines(event: &Event, lang: Lang) -> Vec<String> {
    let entry = &event.entry;
    let outcome = match &entry.reason {
        Some(reason) => format!("{} {reason}", audit::outcome(entry.decision, lang)),
        None => audit::outcome(entry.decision, lang).to_owned(),
    };
    let mut lines = vec![format!(
        "{:>7}  {}  {}  {} ({})",
        event.index,
        audit::japan(entry.time),
        outcome,
        audit::entry_type(entry.entry_type, lang),
        entry.act.map_or_else(|| entry.operation.to_string(), |act| format!("{}, {act}", entry.operation))
    )];
    let mut add = |en, ja, value: String| {
        if !value.is_empty() {
            lines.push(format!("         {}: {value}", lang.of(en, ja)));
        }
    };
    let text = |value: Option<String>| value.unwrap_or_default();
    let parties = match (&entry.actor, &entry.recipient) {
        (Some(actor), Some(to)) if actor.party != *to => format!("{} → {to}", actor.party),
        (Some(actor), _) => actor.party.to_string(),
        (None, to) => text(to.as_ref().map(ToString::to_string)),
    };
    let opening = event.opening.clone().unwrap_or_default();
    let staff = opening.staff.map(|staff| format!("  {staff}"));
    add("party", "機関", parties + &text(staff));
    let codes = [entry.purpose.map(Purpose::as_str), entry.basis.map(LegalBasis::as_str), entry.kind.map(MessageKind::as_str)];
    add("purpose, basis, kind", "目的・根拠・種類", codes.into_iter().flatten().collect::<Vec<_>>().join("  "));
    add("agreement", "協定", text(entry.agreement.as_ref().map(|a| format!("{}/{}", a.id, a.ver))));
    add("case", "案件", text(opening.case.map(|case| case.to_string())));
    add("consent", "同意", text(opening.consent.map(|consent| consent.to_string())));
    add("shown", "示した項目", opening.disclosed.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
    let withheld = opening.withheld.iter().map(|row| format!("{}({})", row.field, row.rules.join(",")));
    add("withheld", "示さなかった項目", withheld.collect::<Vec<_>>().join(" "));
    add("violations", "違反", opening.violations.join(" "));
    add("count", "件数", text(entry.count.map(|count| count.to_string())));
    if entry.open_c.is_some() && event.opening.is_none() {
        lines.push(format!("         {}", lang.of("(the rest was erased)", "（その他は消去済み）")));
    }
    lines
}

/// Nothing that was received may steer the terminal.
pub(super) fn plain(line: &str) -> String {
    line.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A time, or the beginning of a day in Japan.
fn moment(text: &str) -> Result<Timestamp, String> {
    let day = if text.len() == "2026-11-21".len() { format!("{text}T00:00:00+09:00") } else { text.to_owned() };
    day.parse().map_err(|_| "2026-11-21T09:00:00+09:00 | 2026-11-21".to_owned())
}

impl EventsArgs {
    fn filter(&self) -> AuditFilter {
        AuditFilter {
            from: self.from.map(|time| time.to_string()),
            to: self.to.map(|time| time.to_string()),
            actor: self.actor.clone(),
            recipient: self.recipient.clone(),
            case: self.case,
            staff: self.staff.clone(),
            class: self.class.clone(),
            operation: self.operation,
            entry_type: self.entry_type,
            decision: self.decision,
            reason: self.reason.map(|code| code.to_string()),
            agreement: self.agreement.as_ref().map(ToString::to_string),
            consent: self.consent,
            limit: None,
        }
    }
}

/// Longest page (`ledger.md` section 6).
pub(super) const LONGEST_PAGE: u32 = 500;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::RawEvent;

    #[test]
    fn a_day_begins_in_japan() {
        assert_eq!(moment("2026-11-21").unwrap().to_string(), "2026-11-20T15:00:00.000000Z");
        assert_eq!(moment("2026-11-21T00:00:00Z").unwrap().to_string(), "2026-11-21T00:00:00.000000Z");
        for bad in ["", "yesterday", "2026-13-01", "2026/11/21"] {
            assert!(moment(bad).is_err(), "{bad}");
        }
    }

    fn event(opened: serde_json::Value) -> Event {
        let mut entry = json!({
            "v": 1, "id": "019a9b3c-0000-7000-8000-000000000001", "type": "release", "time": "2026-11-18T11:06:40.000001Z",
            "gateway": {"node": "gw-1", "version": "0.1.0"}, "operation": "case.read", "decision": "permit", "purpose": "benefit_decision",
            "actor": {"party": "municipality:131016-1", "cert": crate::domain::digest::Digest([0; 32])}, "recipient": "municipality:131016-1"
        });
        if let Some(members) = opened.as_object() {
            entry["open_c"] = json!(crate::ledger::verify::commitment(members).unwrap());
        }
        Event::read(RawEvent { index: 12, entry, opened }).unwrap()
    }

    #[test]
    fn an_event_is_told_in_both_languages_and_cannot_steer_the_terminal() {
        let opened = json!({"salt": "A".repeat(43), "staff": "s-\u{1b}[2J", "disclosed": ["family_name"], "withheld": [{"field": "offence_name", "rules": ["necessity"]}]});
        let event = event(opened);
        for (lang, words) in
            [(Lang::En, ["permitted", "withheld: offence_name(necessity)"]), (Lang::Ja, ["許可", "示した項目: family_name"])]
        {
            let text: String = lines(&event, lang).iter().map(|line| plain(line) + "\n").collect();
            assert!(text.contains("2026-11-18 20:06:40") && text.contains("municipality:131016-1  s-\u{fffd}[2J"), "{text}");
            assert!(words.iter().all(|word| text.contains(word)), "{text}");
        }
    }

    #[test]
    fn an_opening_that_the_entry_does_not_commit_to_is_not_shown() {
        let good = event(json!({"salt": "A".repeat(43), "staff": "s-1"}));
        let mut raw = good.raw.clone();
        raw.opened["staff"] = json!("s-2");
        assert!(matches!(Event::read(raw), Err(CliError::Unverified { .. })));
        let mut raw = event(serde_json::Value::Null).raw;
        raw.opened = good.raw.opened;
        assert!(matches!(Event::read(raw), Err(CliError::Unverified { .. })));
    }
}
