//! `tsunagi party list` and `show`: who is registered, as the gateway's directory says.

use clap::Args;
use serde_json::{Value, json};

use crate::{
    cli::{
        CliError, Voice,
        acting::{As, say},
    },
    client::{DirectoryKey, Party},
    domain::{
        party::{PartyId, PartyState},
        time::Timestamp,
    },
    text::{Lang, audit::japan},
};

/// Who looks.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    who: As,
}

/// Who is looked up.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// The party, KIND:CODE.
    party: PartyId,
    #[command(flatten)]
    who: As,
}

pub(super) async fn list(args: &ListArgs, voice: Voice) -> Result<(), CliError> {
    for party in args.who.client(voice)?.parties().await? {
        if voice.json { say(as_json(&party))? } else { say(line(&party, voice.lang))? }
    }
    Ok(())
}

pub(super) async fn show(args: &ShowArgs, voice: Voice) -> Result<(), CliError> {
    let party = args.who.client(voice)?.party_of(&args.party).await?;
    if voice.json {
        return say(as_json(&party));
    }
    say(line(&party, voice.lang))?;
    let purposes: Vec<&str> = party.purposes.iter().map(|purpose| purpose.as_str()).collect();
    say(format!("    {}: {}", voice.lang.of("purposes", "利用目的"), purposes.join(", ")))?;
    party.keys.iter().try_for_each(|key| say(format!("    {}", key_line(key, voice.lang))))
}

fn line(party: &Party, lang: Lang) -> String {
    let name = printable(lang.of(&party.name.en, &party.name.ja));
    let state = match party.state {
        PartyState::Active => lang.of("active", "有効"),
        PartyState::Suspended => lang.of("suspended", "停止中"),
    };
    format!("{}  {state}  {name}", party.party)
}

/// A key on a line of its own.
pub(in crate::cli) fn key_line(key: &DirectoryKey, lang: Lang) -> String {
    let usage = match key.usage.as_str() {
        "sig" => lang.of("signs", "署名用"),
        "enc" => lang.of("opens", "暗号用"),
        _ => lang.of("other", "その他"),
    };
    let state = match key.state.as_str() {
        "active" => lang.of("active", "有効"),
        "retiring" => lang.of("retiring", "交代中"),
        "retired" => lang.of("retired", "使用終了"),
        "compromised" => lang.of("compromised", "漏えい"),
        _ => lang.of("unknown state", "不明"),
    };
    let since = key.compromised_at.map(|since| format!(" ({})", zoned(since))).unwrap_or_default();
    format!("{}  {usage}  {state}{since}  {} - {}", key.kid, zoned(key.nbf), zoned(key.naf))
}

/// The time in Japan with its zone, as it may be given back to a command.
fn zoned(time: Timestamp) -> String {
    format!("{}+09:00", japan(time).replace(' ', "T"))
}

/// A key for machines.
pub(in crate::cli) fn key_json(key: &DirectoryKey) -> Value {
    json!({"kid": key.kid, "use": key.usage, "state": key.state, "nbf": key.nbf, "naf": key.naf, "compromised_at": key.compromised_at})
}

fn as_json(party: &Party) -> Value {
    let keys: Vec<Value> = party.keys.iter().map(key_json).collect();
    json!({"party": party.party, "name": party.name, "state": party.state, "purposes": party.purposes, "keys": keys})
}

/// Nothing in a name may steer the terminal, nor turn round what stands beside it (Unicode UAX #9).
pub(super) fn printable(name: &str) -> String {
    let steers =
        |c: char| c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    name.chars().map(|c| if steers(c) { '?' } else { c }).collect()
}
