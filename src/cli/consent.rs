//! `tsunagi consent`: the paper form, the record made from a filled one, and what becomes of it (protocol section 8).

mod holders;
mod paper;
mod record;

use clap::{Args, Subcommand};

use super::{CliError, Voice, acting::unless_closed};

/// From the paper form to the record, and its end.
#[derive(Debug, Args)]
pub(super) struct ConsentArgs {
    #[command(subcommand)]
    command: ConsentCommand,
}

#[derive(Debug, Subcommand)]
enum ConsentCommand {
    /// Make the printable form in Japanese that an agreement and the policies allow, and a file for its answers.
    Form(paper::FormArgs),
    /// Make the draft of a record from a filled form. What the form does not offer is refused.
    Draft(paper::DraftArgs),
    /// Sign a draft. It waits in the outbox until it is sent.
    Sign(record::SignArgs),
    /// Send what waits: one consent or end by its id, or all.
    Send(record::SendArgs),
    /// End a consent as a whole, at once.
    Withdraw(record::WithdrawArgs),
    /// Take recipients, purposes or classes out of a consent, at once.
    Narrow(record::NarrowArgs),
    /// Show a consent as it stands.
    Show(record::ShowArgs),
    /// List who collected what was sent under a consent that this unit collected, and who has reported its erasure since it was taken back.
    Holders(holders::HoldersArgs),
    /// List the consents and ends of the outbox, and what became of them.
    List(record::ListArgs),
}

pub(super) async fn run(args: ConsentArgs, voice: Voice) -> Result<(), CliError> {
    unless_closed(match args.command {
        ConsentCommand::Form(args) => paper::form(args, voice).await,
        ConsentCommand::Draft(args) => paper::draft(&args, voice),
        ConsentCommand::Sign(args) => record::sign(&args, voice),
        ConsentCommand::Send(args) => record::send(args, voice).await,
        ConsentCommand::Withdraw(args) => record::withdraw(args, voice).await,
        ConsentCommand::Narrow(args) => record::narrow(args, voice).await,
        ConsentCommand::Show(args) => record::show(args, voice).await,
        ConsentCommand::Holders(args) => holders::holders(args, voice).await,
        ConsentCommand::List(args) => record::list(&args, voice),
    })
}
