//! `tsunagi agreement list` and `show`: what is registered, in plain words, and what waits to be sent.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{
    VersionName,
    file::write_new,
    say::is_ours,
    words::{Words, plain},
};
use crate::{
    cli::{
        CliError, Voice,
        acting::{As, all_told, outbox, say, unusable},
    },
    client::{AgreementHead, AgreementVersion, ClientError, Fate, Listing, Said},
    domain::agreement::{Agreement, Part},
    message::base64url,
    text::{Lang, agreement as text, audit::japan},
};

/// Who lists.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    who: As,
}

/// What is shown.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// The version, as ID/VERSION.
    #[arg(value_name = "ID/VERSION")]
    name: VersionName,
    #[command(flatten)]
    who: As,
    /// Also write the exact document to a new file.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) async fn list(args: &ListArgs, voice: Voice) -> Result<(), CliError> {
    let client = args.who.client(voice)?;
    for head in client.agreements().await? {
        if voice.json { say(as_json(&head))? } else { say(line(&head, voice.lang))? }
    }
    let Listing { items, damaged } = outbox(&client)?.list().map_err(ClientError::from)?;
    for item in items.iter().filter(|item| is_ours(item)) {
        let (jti, target) = (item.parcel.jti(), item.parcel.target());
        let (state, why) = match &item.fate {
            Fate::Delivered => continue,
            Fate::Waiting => ("waiting", String::new()),
            Fate::Refused(refused) => ("refused", format!("{}: {}", refused.code, refused.title)),
        };
        if voice.json {
            say(json!({"outbox": jti, "state": state, "target": target, "why": why}))?;
        } else {
            let state = if state == "waiting" {
                voice.lang.of("waits to be sent", "送信待ち")
            } else {
                voice.lang.of("refused", "拒否された")
            };
            say(format!("{jti}  {state}  {target}  {}", plain(&why)))?;
        }
    }
    all_told(damaged.into_iter().map(unusable).collect())
}

pub(super) async fn show(args: &ShowArgs, voice: Voice) -> Result<(), CliError> {
    let client = args.who.client(voice)?;
    let version = client.agreement_version(&args.name.id, args.name.ver).await?;
    let said = client.said_about(&version).await?;
    if let Some(file) = &args.out {
        write_new(file, &version.bytes)?;
    }
    if voice.json {
        let mut shown = as_json(&version.head);
        if let Some(members) = shown.as_object_mut() {
            members.insert("document".to_owned(), json!(version.agreement));
            let said: Vec<_> = said.iter().map(|s| json!({"party": s.party, "act": s.act, "signed": s.signed})).collect();
            members.insert("said".to_owned(), json!(said));
        }
        return say(shown);
    }
    let words = Words::new()?;
    lines(&version, &said, &words, voice.lang).into_iter().try_for_each(say)
}

fn as_json(head: &AgreementHead) -> serde_json::Value {
    json!({
        "id": head.id, "ver": head.ver, "sha256": head.sha256, "state": head.state, "parties": head.parties, "from": head.from,
        "until": head.until,
    })
}

fn line(head: &AgreementHead, lang: Lang) -> String {
    let parties: Vec<String> = head.parties.iter().map(ToString::to_string).collect();
    let (state, from, until) = (text::standing(head.state, lang), japan(head.from), japan(head.until));
    format!("{}/{}  {state}  {from} - {until}  {}", head.id, head.ver, parties.join(" "))
}

fn lines(version: &AgreementVersion, said: &[Said], words: &Words, lang: Lang) -> Vec<String> {
    let Agreement { title, parties, acceding, flows, schema_versions, purpose_of_use_entry, terms, retention_months, delegations, .. } =
        &version.agreement;
    let colon = lang.of(": ", "：");
    let texts = |list: &[String]| list.iter().map(|text| plain(text)).collect::<Vec<_>>();
    let named = |part: Part, codes: Vec<String>| format!("{}{colon}{}", text::part(part, lang), words.all(part, &codes, lang));
    let mut lines = vec![plain(title), line(&version.head, lang), format!("SHA-256 {}", base64url::encode(version.head.sha256.0))];
    lines.push(named(Part::Party, parties.iter().map(ToString::to_string).collect()));
    if !acceding.is_empty() {
        lines.push(named(Part::Acceding, acceding.iter().map(ToString::to_string).collect()));
    }
    lines.push(named(Part::SchemaVersion, schema_versions.iter().map(ToString::to_string).collect()));
    lines.push(format!("{}{colon}{}", text::part(Part::PurposeEntry, lang), plain(purpose_of_use_entry)));
    lines.push(format!("{}{colon}{retention_months}", text::part(Part::Retention, lang)));
    for flow in flows {
        lines.push(format!("{} → {}", words.side(&flow.from, lang), words.side(&flow.to, lang)));
        for line in [
            named(Part::Kind, flow.kinds.iter().map(ToString::to_string).collect()),
            named(Part::Purpose, flow.purposes.iter().map(ToString::to_string).collect()),
            named(Part::Class, flow.classes.iter().map(ToString::to_string).collect()),
            named(Part::Basis, flow.bases.iter().map(ToString::to_string).collect()),
        ] {
            lines.push(format!("    {line}"));
        }
    }
    for delegation in delegations {
        let (from, to, until) = (&delegation.from, &delegation.to, japan(delegation.until));
        lines.push(format!("{}{colon}{from} → {to}  {}  - {until}", text::part(Part::Delegation, lang), plain(&delegation.qualification)));
    }
    lines.push(format!("{}{colon}", text::part(Part::Term, lang)));
    lines.extend(texts(terms).into_iter().map(|term| format!("    {term}")));
    for said in said {
        lines.push(format!("{}  {}  {}", japan(said.signed), said.party, text::act(said.act, lang)));
    }
    lines
}
