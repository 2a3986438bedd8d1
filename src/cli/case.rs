//! `tsunagi case`: what belongs to a case as a whole (protocol section 8).

mod disclosures;

use clap::{Args, Subcommand};

use super::{CliError, Voice, acting::unless_closed};

/// The case as a whole.
#[derive(Debug, Args)]
pub(super) struct CaseArgs {
    #[command(subcommand)]
    command: CaseCommand,
}

#[derive(Debug, Subcommand)]
enum CaseCommand {
    /// Who received which items of a case, when, for what, under which consent and agreement: the list that the person may ask for. Making it is recorded.
    Disclosures(Box<disclosures::DisclosuresArgs>),
}

pub(super) async fn run(args: CaseArgs, voice: Voice) -> Result<(), CliError> {
    unless_closed(match args.command {
        CaseCommand::Disclosures(args) => disclosures::run(&args, voice).await,
    })
}
