//! `tsunagi audit inspect`: the database behind the ledger, with the gateway's own keys, at its machine. Reads only.

use std::path::PathBuf;

use clap::Args;

use super::verify::{About, read_text, show, verdict};
use crate::{
    cli::{CliError, Voice, serve::told},
    config::Config,
    startup::{self, StartupError, Told},
};

/// What to inspect.
#[derive(Debug, Args)]
pub(super) struct InspectArgs {
    /// Configuration file of a gateway of the ledger. The gateway may be running.
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// A checkpoint that was kept elsewhere: the ledger must continue it.
    #[arg(long, value_name = "FILE")]
    since: Option<PathBuf>,
}

pub(super) async fn run(args: InspectArgs, voice: Voice) -> Result<(), CliError> {
    let usage = |error: &dyn Told| {
        CliError::usage(
            format!("the database cannot be inspected: {error}"),
            format!("データベースを検査できません: {}", error.in_japanese()),
        )
    };
    let config = Config::load(&args.config).map_err(|error| usage(&error))?;
    let kept = args.since.as_deref().map(read_text).transpose()?;
    let report = startup::inspect(&config, kept.as_deref()).await.map_err(|error| match &error {
        StartupError::Store(_) => told(&error, "the database cannot be inspected", "データベースを検査できません"),
        _ => usage(&error),
    })?;
    let told = show(&report, About::Database, voice);
    verdict(&report, About::Database)?;
    told
}
