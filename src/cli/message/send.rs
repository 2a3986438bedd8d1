//! `tsunagi message send`: from a body file to a message in its case, or one that opens a case, over the outbox.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Map, Value};

use super::{
    deliver::Posted,
    grounds::{Grounds, What},
};
use crate::{
    cli::{CliError, Voice, acting::As},
    client::Later,
    config,
    domain::{
        codes::{MessageKind, Purpose},
        field::FieldKey,
        ids::CaseId,
        life::Standing,
        party::PartyId,
    },
    message::{json as strict, submission::MessageRef},
};

/// What is sent, in which case, to whom.
#[derive(Debug, Args)]
pub(super) struct SendArgs {
    #[command(flatten)]
    who: As,
    /// Kind of the message, e.g. `referral_decision`.
    #[arg(long, value_name = "KIND")]
    kind: MessageKind,
    /// The case, as this party knows it. Without it the message opens one.
    #[arg(long, value_name = "ID")]
    case: Option<CaseId>,
    /// Recipient.
    #[arg(long, value_name = "PARTY")]
    to: PartyId,
    /// File with the rows of the body: one JSON object, as in `schemas/examples`.
    #[arg(long, value_name = "FILE")]
    body: PathBuf,
    /// What it is sent for; more than once. This party acts for the first.
    #[arg(long = "for", value_name = "PURPOSE", default_value = "placement_coordination")]
    purposes: Vec<Purpose>,
    #[command(flatten)]
    grounds: Grounds,
    /// The message that this one passes on, as PARTY/ID. Only the gateway and auditors learn of it.
    #[arg(long, value_name = "PARTY/ID", value_parser = source, requires = "case")]
    source: Option<MessageRef>,
    /// Sign and keep it in the outbox, and do not send it yet.
    #[arg(long)]
    hold: bool,
}

pub(super) async fn send(args: SendArgs, voice: Voice) -> Result<(), CliError> {
    if args.case.is_none() && !Standing::opens(args.kind) {
        let en = format!("{} belongs to a case: name it with --case (tsunagi case list shows the cases of this party)", args.kind);
        let ja = format!("{} は事案の中で送ります。--case で指定してください（この機関の事案は tsunagi case list）", args.kind);
        return Err(CliError::usage(en, ja));
    }
    let client = args.who.client(voice)?;
    let purpose = args.purposes.first().copied().unwrap_or(Purpose::PlacementCoordination);
    let what = What { kind: args.kind, to: &args.to, purposes: &args.purposes, body: rows(&args.body)? };
    let content = args.grounds.content(&client, what, purpose).await?;
    let draft = match args.case {
        Some(case) => client.draft_later(&Later { kind: args.kind, case, source: args.source.clone(), content })?,
        None => client.draft_opening(args.kind, &content)?,
    };
    let signed = client.sign(&draft)?;
    let parcel = match args.case {
        Some(case) => client.later_parcel(&case, &signed, purpose),
        None => client.opening_parcel(&signed, purpose),
    };
    let posted = Posted { parcel: &parcel, kind: args.kind, case: args.case, told: Map::new() };
    posted.send(&client, args.hold, voice).await
}

/// The rows of a body file.
fn rows(file: &Path) -> Result<Vec<(FieldKey, Value)>, CliError> {
    let wrong = || {
        CliError::usage(
            format!("{} is no JSON object of catalogue rows", file.display()),
            format!("{} は項目の JSON オブジェクトではありません", file.display()),
        )
    };
    let bytes = config::read_file(file).map_err(|error| CliError::usage(error.to_string(), format!("ファイルを読めません: {error}")))?;
    let Ok(Value::Object(members)) = strict::parse(&bytes) else { return Err(wrong()) };
    members.into_iter().map(|(key, value)| Ok((key.parse().map_err(|_| wrong())?, value))).collect()
}

fn source(text: &str) -> Result<MessageRef, String> {
    let wrong = || "PARTY/ID".to_owned();
    let (iss, jti) = text.split_once('/').ok_or_else(wrong)?;
    Ok(MessageRef { iss: iss.parse().map_err(|_| wrong())?, jti: jti.parse().map_err(|_| wrong())? })
}
