//! `tsunagi serve -c tsunagi.toml`: the gateway.

use std::{path::PathBuf, sync::Arc};

use clap::Args;

use super::{CliError, Voice};
use crate::{clock::SystemClock, config::Config, startup, telemetry};

/// Run the gateway until SIGTERM or SIGINT. SIGHUP reads certificates and revocation lists again.
#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// Configuration file.
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
}

pub(super) async fn run(args: ServeArgs, _voice: Voice) -> Result<(), CliError> {
    let usage = |error: &dyn std::fmt::Display| CliError::usage(format!("cannot serve: {error}"), format!("起動できません: {error}"));
    let config = Config::load(&args.config).map_err(|e| usage(&e))?;
    telemetry::start_logging(config.log).map_err(|e| usage(&e))?;
    startup::serve(&config, Arc::new(SystemClock)).await.map_err(|e| usage(&e))
}
