//! `tsunagi message`: the messages of a case, sent, listed and read (protocol section 8).

pub(super) mod deliver;
pub(super) mod grounds;
mod read;
mod send;

use clap::{Args, Subcommand};

use super::{CliError, Voice, acting::unless_closed};

/// The work on a case, message by message.
#[derive(Debug, Args)]
pub(super) struct MessageArgs {
    #[command(subcommand)]
    command: MessageCommand,
}

#[derive(Debug, Subcommand)]
enum MessageCommand {
    /// Sign a message and send it: into a case, or to open one. What is not possible now is refused with what is.
    Send(Box<send::SendArgs>),
    /// Send what waits in the outbox: what was held, or did not arrive.
    Deliver(deliver::DeliverArgs),
    /// List what this party sent and received in a case, without content.
    List(read::ListArgs),
    /// Read one message of a case, or the first. Reading is recorded.
    Show(read::ShowArgs),
}

pub(super) async fn run(args: MessageArgs, voice: Voice) -> Result<(), CliError> {
    unless_closed(match args.command {
        MessageCommand::Send(args) => send::send(*args, voice).await,
        MessageCommand::Deliver(args) => deliver::deliver(args, voice).await,
        MessageCommand::List(args) => read::list(args, voice).await,
        MessageCommand::Show(args) => read::show(args, voice).await,
    })
}
