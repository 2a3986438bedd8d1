//! `tsunagi message list`, `show`.

use clap::Args;
use serde_json::{Map, Value, json};

use crate::{
    cli::{
        CliError, Voice,
        acting::{As, patient, say},
        names::Names,
    },
    domain::{
        codes::Purpose,
        ids::{CaseId, Jti},
    },
    message::schema::SchemaSet,
};

/// Whose messages.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    who: As,
    /// The case, as this party knows it.
    #[arg(long, value_name = "ID")]
    case: CaseId,
    /// Purpose of the unit under which it acts.
    #[arg(long, value_name = "PURPOSE", default_value = "placement_coordination")]
    purpose: Purpose,
}

/// Which message, for what.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    #[command(flatten)]
    who: As,
    /// The case, as this party knows it.
    #[arg(long, value_name = "ID")]
    case: CaseId,
    /// The message. Default: the first that is addressed to this party.
    message: Option<Jti>,
    /// What the message is read for: what is shown depends on it.
    #[arg(long, value_name = "PURPOSE", default_value = "placement_coordination")]
    purpose: Purpose,
}

pub(super) async fn list(args: ListArgs, voice: Voice) -> Result<(), CliError> {
    let client = args.who.client(voice)?;
    let names = Names::new(voice.lang)?;
    let mut cursor = None;
    loop {
        let page = patient(async || client.list_messages(&args.case, args.purpose, cursor.as_deref()).await).await?;
        if page.messages.is_empty() {
            return Ok(());
        }
        for head in &page.messages {
            if voice.json {
                let (message, kind, received, consent) = (head.message, head.kind, head.received, head.consent);
                say(json!({"message": message, "kind": kind, "received": received, "direction": head.direction, "consent": consent}))?;
            } else {
                let direction = if head.direction == "out" { voice.lang.of("sent", "送信") } else { voice.lang.of("received", "受信") };
                let rests_on = |consent| format!("  {} {consent}", voice.lang.of("consent", "同意"));
                let consent = head.consent.map_or_else(String::new, rests_on);
                say(format!("{}  {}  {direction}  {}{consent}", head.received, head.message, names.kind(head.kind)))?;
            }
        }
        cursor = page.cursor;
    }
}

pub(super) async fn show(args: ShowArgs, voice: Voice) -> Result<(), CliError> {
    let client = args.who.client(voice)?;
    let reading = patient(async || match &args.message {
        Some(message) => client.read_message(&args.case, message, args.purpose).await,
        None => client.read_case(&args.case, args.purpose).await,
    })
    .await?;
    let release = &reading.release;
    let claims = &release.claims;
    if voice.json {
        let body: Map<String, Value> = release.disclosed.rows.iter().map(|row| (row.key.to_string(), row.value.clone())).collect();
        return say(json!({
            "message": claims.jti, "kind": claims.kind, "from": claims.iss, "to": claims.aud, "signed": claims.iat, "purposes": claims.pur,
            "retention_months": reading.keep.months, "erase_by": reading.keep.until, "body": body, "consent": release.disclosed.hidden.con, "index": release.binding.tsn.idx,
        }));
    }
    say(format!("{}  {}", Names::new(voice.lang)?.kind(claims.kind), claims.jti))?;
    say(format!("  {} {}", voice.lang.of("from:", "差出人:"), claims.iss))?;
    say(format!("  {} {}", voice.lang.of("to:", "宛先:"), claims.aud))?;
    let schemas =
        SchemaSet::builtin().map_err(|error| CliError::usage(error.to_string(), format!("このプログラムは壊れています: {error}")))?;
    let form = schemas.messages().find(|form| form.kind() == claims.kind);
    for row in &release.disclosed.rows {
        let title = form.and_then(|form| form.row(&row.key)).map(|named| voice.lang.of(&named.title_en, &named.title_ja));
        let value = row.value.as_str().map_or_else(|| row.value.to_string(), str::to_owned);
        say(format!("  {}: {value}", title.unwrap_or(row.key.as_str())))?;
    }
    if release.disclosed.rows.is_empty() {
        say(voice
            .lang
            .of("  Nothing of it may be shown to this party for this purpose now.", "  今、この目的でこの機関に示せる項目はありません。"))?;
    }
    match (reading.keep.until, reading.keep.months) {
        (Some(until), _) => say(voice.lang.of(&format!("Erase it by {until} (end of that day)."), &format!("消去期限: {until}")))?,
        (None, Some(months)) => say(voice.lang.of(
            &format!("Keep it for {months} months from the end of the case at most, then erase it."),
            &format!("消去期限: 案件が終わった日から {months} か月"),
        ))?,
        (None, None) => {}
    }
    say(voice.lang.of(
        &format!("Entry {} of the ledger records this read.", release.binding.tsn.idx),
        &format!("この閲覧は台帳の記録 {} にあります。", release.binding.tsn.idx),
    ))
}
