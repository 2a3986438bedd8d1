//! What the operator says about a party: signed, kept in the outbox, sent.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{directory::printable, request};
use crate::{
    cli::{
        CliError, Voice,
        acting::{As, Family, deliver, outbox, say},
    },
    client::{Accepted, Client, ClientError, Fate, Parcel, Proven},
    domain::{
        digest::Digest,
        entry::Operation,
        party::{Jurisdiction, PartyId, PartyKind, Registration},
    },
    message::objects::PartyRequest,
    text::Lang,
};

/// Who is registered.
#[derive(Debug, Args)]
pub(super) struct RegisterArgs {
    /// What the party asks for: the file request.json that `tsunagi party new` made. Look into it: its purposes are what you grant.
    request: PathBuf,
    /// Thumbprint of the key as the party itself tells it, on another way than the file came.
    #[arg(long, value_name = "KID", value_parser = request::kid, allow_hyphen_values = true)]
    kid: Digest,
    #[command(flatten)]
    who: As,
}

/// What a party is from now on.
#[derive(Debug, Args)]
pub(super) struct UpdateArgs {
    /// A file of the form of request.json. Its key is not looked at: a party changes its keys itself.
    request: PathBuf,
    #[command(flatten)]
    who: As,
}

/// Who is suspended or readmitted.
#[derive(Debug, Args)]
pub(super) struct StandArgs {
    /// The party, KIND:CODE.
    party: PartyId,
    #[command(flatten)]
    who: As,
}

pub(super) async fn register(args: RegisterArgs, voice: Voice) -> Result<(), CliError> {
    let PartyRequest { registration, key } = request::read(&args.request, Some(&args.kid))?;
    let (client, party) = (operator(&args.who, voice)?, registration.party.clone());
    let is = registration.clone();
    let parcel = client.register_party(registration, key)?;
    let done = post(&client, &parcel).await?;
    told(&party, &done, ["registered", "登録しました"], voice)?;
    granted(&is, voice)
}

pub(super) async fn update(args: UpdateArgs, voice: Voice) -> Result<(), CliError> {
    let PartyRequest { registration, .. } = request::read(&args.request, None)?;
    let (client, party) = (operator(&args.who, voice)?, registration.party.clone());
    let is = registration.clone();
    let parcel = client.update_party(registration)?;
    let done = post(&client, &parcel).await?;
    told(&party, &done, ["changed", "変更しました"], voice)?;
    granted(&is, voice)
}

pub(super) async fn stand(args: StandArgs, active: bool, voice: Voice) -> Result<(), CliError> {
    let client = operator(&args.who, voice)?;
    let parcel = client.set_party(args.party.clone(), active)?;
    let done = post(&client, &parcel).await?;
    let words = if active { ["readmitted", "再開しました"] } else { ["suspended", "停止しました"] };
    told(&args.party, &done, words, voice)
}

/// The client of an operator.
fn operator(who: &As, voice: Voice) -> Result<Client, CliError> {
    let client = who.client(voice)?;
    if client.party().kind() == PartyKind::Operator {
        return Ok(client);
    }
    let party = client.party();
    Err(CliError::usage(
        format!("{party} is no operator, who alone says who is registered: name the operator's folder with --as"),
        format!("{party} は運用者ではありません。登録を行えるのは運用者だけです。--as で運用者のフォルダーを指定してください"),
    ))
}

fn told(party: &PartyId, done: &Proven<Accepted>, [en, ja]: [&str; 2], voice: Voice) -> Result<(), CliError> {
    let index = done.place().index();
    if voice.json {
        return say(json!({"party": party, "act": done.entry.act, "index": index, "warnings": done.warnings}));
    }
    say(match voice.lang {
        Lang::En => format!("{party}: {en}. Ledger entry {index}, proven."),
        Lang::Ja => format!("{party}: {ja}。台帳 {index} 番（確認済み）。"),
    })?;
    if done.warnings.iter().any(|row| row.rule == "check_digit") {
        say(voice.lang.of(
            "  Its number has an unusual check digit: compare it with the designation notice.",
            "  番号の検査数字が通常と異なります。指定通知書と照らし合わせてください。",
        ))?;
    }
    Ok(())
}

/// What the operator has granted, to be looked at once more.
fn granted(is: &Registration, voice: Voice) -> Result<(), CliError> {
    if voice.json {
        return Ok(());
    }
    let none = voice.lang.of("none", "なし");
    let codes: Vec<&str> = is.purposes.iter().map(|purpose| purpose.as_str()).collect();
    let codes = if codes.is_empty() { none.to_owned() } else { codes.join(", ") };
    let pins: Vec<String> = is.certificates.iter().map(ToString::to_string).collect();
    let pins = if pins.is_empty() {
        voice.lang.of("any of an accepted authority", "認められた認証局のもの").to_owned()
    } else {
        pins.join(", ")
    };
    let lines = [
        (["name", "名称"], format!("{} / {}", printable(&is.name.ja), printable(&is.name.en))),
        (["works for", "利用目的"], codes),
        (["corporate number", "法人番号"], is.corporate_number.clone().unwrap_or_else(|| none.to_owned())),
        (["certificates", "証明書"], pins),
    ];
    let places = is.jurisdiction.as_ref().map(|place| match place {
        Jurisdiction::Everything(_) => "all".to_owned(),
        Jurisdiction::Places(places) => places.join(", "),
    });
    let places = places.map(|places| (["jurisdiction", "所管"], places));
    for ([en, ja], text) in lines.into_iter().chain(places) {
        say(format!("  {}: {text}", voice.lang.of(en, ja)))?;
    }
    Ok(())
}

/// Keeps what was signed and sends it. Where it does not arrive, the error says how it goes on.
pub(in crate::cli) async fn post(client: &Client, parcel: &Parcel) -> Result<Proven<Accepted>, CliError> {
    let outbox = outbox(client)?;
    // A statement takes effect when it arrives, whenever it was signed: what waits would undo what is said now.
    let items = outbox.list().map_err(ClientError::from)?.items;
    if let Some(item) = items.iter().find(|item| item.fate == Fate::Waiting && (STATEMENTS.holds)(&item.parcel)) {
        let ([en, ja], id) = ((STATEMENTS.name)(&item.parcel), item.parcel.jti());
        return Err(CliError::usage(
            format!(
                "nothing was sent: the {en} waits, and would take effect behind this one. Send it first: tsunagi outbox retry {id} (or put it away: tsunagi outbox drop {id} --even-waiting)"
            ),
            format!(
                "何も送っていません。{ja} が待っており、あとから効いてしまいます。先に送ってください: tsunagi outbox retry {id}（または片付けてください: tsunagi outbox drop {id} --even-waiting）"
            ),
        ));
    }
    outbox.put(parcel).map_err(ClientError::from)?;
    let id = parcel.jti();
    deliver(client, &outbox, &id).await.map_err(|cause| STATEMENTS.undelivered(&outbox, &id, cause))
}

/// Statements about parties and keys in the outbox.
const STATEMENTS: Family = Family {
    holds: |parcel| matches!(parcel.operation(), Operation::PartyRegister | Operation::KeyRegister),
    name: |parcel| {
        let id = parcel.jti();
        match parcel.operation() {
            Operation::KeyRegister => [format!("statement about a key {id}"), format!("鍵についての届出 {id}")],
            _ => [format!("statement about a party {id}"), format!("機関についての届出 {id}")],
        }
    },
    all: ["the statements about parties and keys", "機関や鍵についての届出"],
    command: "tsunagi outbox retry",
};
