//! `tsunagi party`: a party's own identity folder, and what its operator says about parties (protocol sections 1 and 8).
//!
//! Promises: a request names its key, and is registered only with the thumbprint that the party told on another way; what is signed waits in the outbox
//! until its receipt is stored.

mod directory;
mod new;
mod register;
pub(super) mod request;

use clap::{Args, Subcommand};

pub(super) use self::{
    directory::{key_json, key_line},
    register::post,
};
use super::{CliError, Voice, acting::unless_closed};

/// Parties: make an identity folder, look into the directory; as the operator register, change, suspend and readmit.
#[derive(Debug, Args)]
pub(super) struct PartyArgs {
    #[command(subcommand)]
    command: PartyCommand,
}

#[derive(Debug, Subcommand)]
enum PartyCommand {
    /// Make an identity folder: keys, a request for the certificate, and what to ask the operator for. Needs no connection.
    New(new::NewArgs),
    /// List the registered parties.
    List(directory::ListArgs),
    /// Show a registered party with its keys.
    Show(directory::ShowArgs),
    /// Register a party with its first key. As an operator.
    Register(register::RegisterArgs),
    /// Change what a registered party is: names, purposes, certificates, jurisdiction. What it loses ends at once. As an operator.
    Update(register::UpdateArgs),
    /// Suspend a party, at once: it reads and sends nothing any more. As an operator.
    Suspend(register::StandArgs),
    /// Readmit a suspended party. As an operator.
    Readmit(register::StandArgs),
}

pub(super) async fn run(args: PartyArgs, voice: Voice) -> Result<(), CliError> {
    unless_closed(match args.command {
        PartyCommand::New(args) => new::run(args, voice),
        PartyCommand::List(args) => directory::list(&args, voice).await,
        PartyCommand::Show(args) => directory::show(&args, voice).await,
        PartyCommand::Register(args) => register::register(args, voice).await,
        PartyCommand::Update(args) => register::update(args, voice).await,
        PartyCommand::Suspend(args) => register::stand(args, false, voice).await,
        PartyCommand::Readmit(args) => register::stand(args, true, voice).await,
    })
}
