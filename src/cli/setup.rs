//! `tsunagi setup`: a gateway for real work, step by step: its keys and configuration, the exchange with its first operator, what its parties pin.
//!
//! Promises: no file is written over; nothing here makes an authority: who vouches for gateway and parties is decided outside, and gets requests.

mod exchange;
mod files;

use clap::{Args, Subcommand};

use super::{CliError, Voice, acting::unless_closed};

/// Set up a gateway for real work: keys and configuration, the exchange and its first operator, what the parties pin.
#[derive(Debug, Args)]
pub(super) struct SetupArgs {
    #[command(subcommand)]
    command: SetupCommand,
}

#[derive(Debug, Subcommand)]
enum SetupCommand {
    /// Make the folder of a gateway: its keys, a request for its certificate, its configuration. Needs nothing else yet.
    Files(files::FilesArgs),
    /// Begin the exchange: create its database and register its first operator, who registers everybody else. Once for each exchange.
    Exchange(exchange::ExchangeArgs),
    /// Write what the parties pin: the keys of the gateway and of its ledger. Hand it out on a way that nobody else can change.
    Document(exchange::DocumentArgs),
}

pub(super) async fn run(args: SetupArgs, voice: Voice) -> Result<(), CliError> {
    unless_closed(match args.command {
        SetupCommand::Files(args) => files::run(&args, voice),
        SetupCommand::Exchange(args) => exchange::run(args, voice).await,
        SetupCommand::Document(args) => exchange::document(&args, voice).await,
    })
}
