//! `tsunagi serve -c tsunagi.toml`: the gateway.

use std::{path::PathBuf, sync::Arc};

use clap::Args;

use super::{CliError, Voice};
use crate::{
    clock::SystemClock,
    config::Config,
    startup::{self, StartupError},
    telemetry,
};

/// Run the gateway until SIGTERM or SIGINT. SIGHUP reads certificates, revocation lists and policies again.
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
    startup::serve(&config, Arc::new(SystemClock)).await.map_err(|error| match &error {
        StartupError::Policy(fault) => super::policy::unusable(fault),
        StartupError::PolicyMismatch { loaded, in_force } => CliError::usage(
            format!(
                "cannot serve: the policies loaded here are {loaded}, those in force are {in_force}. Next: put back the files of the set in force, or put this one in force with `tsunagi policy activate -c`"
            ),
            format!(
                "起動できません: 読み込んだ方針は {loaded}、効力のある方針は {in_force} です。次にすること: 効力のある方針のファイルに戻すか、`tsunagi policy activate -c` でこの方針に切り替えてください"
            ),
        ),
        other => usage(other),
    })
}
