//! `tsunagi policy activate -c tsunagi.toml`: the configured set comes into force by an entry of the ledger, for every gateway at once.

use std::{path::PathBuf, sync::Arc};

use clap::Args;
use serde_json::json;

use super::{CliError, Voice, say, unusable};
use crate::{
    clock::SystemClock,
    config::Config,
    message::disclosed::Pseudonym,
    startup::{self, Activation, StartupError, Told},
    text::Lang,
};

/// Puts the policies that the configuration names in force. Whoever holds the configuration and its keys is the gateway's owner; no party can do it
/// over the network. Running gateways that have read the same files (SIGHUP) change over with this entry; others answer 503 until they have.
#[derive(Debug, Args)]
pub(super) struct ActivateArgs {
    /// Configuration file of a gateway of the ledger.
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// Who decided it: a staff id or file number, kept in the entry's opening. No personal data.
    #[arg(long, value_name = "ID")]
    by: Option<String>,
}

pub(super) async fn run(args: ActivateArgs, voice: Voice) -> Result<(), CliError> {
    let usage = |error: &dyn Told| {
        CliError::usage(
            format!("the policies were not put in force: {error}"),
            format!("方針を切り替えられません: {}", error.in_japanese()),
        )
    };
    let config = Config::load(&args.config).map_err(|e| usage(&e))?;
    let by = args.by.as_deref().map(str::parse::<Pseudonym>).transpose().map_err(|_| {
        CliError::usage(
            "--by: expected a staff id or file number, 1 to 128 characters without spaces",
            "--by: 職員番号か文書番号（1〜128字、空白なし）を指定してください",
        )
    })?;
    let done = startup::activate_policies(&config, Arc::new(SystemClock), by.as_ref()).await.map_err(|error| match &error {
        StartupError::Policy(fault) => unusable(fault),
        other => usage(other),
    })?;
    let Activation { old, new, index } = done;
    if voice.json {
        return say(json!({"old": old, "new": new, "index": index}));
    }
    say(match (index, voice.lang) {
        (Some(index), Lang::En) => format!(
            "in force since entry {index}: policy sha256 {new} (before: {old})\nGateways that have not read these files yet answer 503 policy_mismatch: send them SIGHUP or restart them."
        ),
        (Some(index), Lang::Ja) => format!(
            "記録 {index} から効力があります: policy sha256 {new}（前: {old}）\nまだこの方針を読み込んでいないゲートウェイは 503 policy_mismatch を返します。SIGHUP を送るか、再起動してください。"
        ),
        (None, Lang::En) => format!("already in force: policy sha256 {new}"),
        (None, Lang::Ja) => format!("すでに効力があります: policy sha256 {new}"),
    })
}
