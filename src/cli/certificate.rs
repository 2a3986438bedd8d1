//! `tsunagi certificate`: may an add-on be claimed and what is missing; certificates of a coordination, verified and printed without a connection
//! (protocol section 8).

mod check;
mod paper;

use clap::{Args, Subcommand};

use super::{CliError, Voice, acting::unless_closed};

/// Add-ons to the fees, and the certificates they rest on.
#[derive(Debug, Args)]
pub(super) struct CertificateArgs {
    #[command(subcommand)]
    command: CertificateCommand,
}

#[derive(Debug, Subcommand)]
enum CertificateCommand {
    /// Which add-ons can be claimed for a person with a service, in which days, with how many units, and what is missing. Asks no gateway.
    Check(Box<check::CheckArgs>),
    /// Verify a certificate, as a file or as the page it was printed from. Opens no connection. Exit code 3: it must not be believed.
    Verify(paper::VerifyArgs),
    /// Make the sheet in Japanese, A4, of a certificate that verifies.
    Print(paper::PrintArgs),
}

pub(super) fn run(args: &CertificateArgs, voice: Voice) -> Result<(), CliError> {
    unless_closed(match &args.command {
        CertificateCommand::Check(args) => check::run(args, voice),
        CertificateCommand::Verify(args) => paper::verify(args, voice),
        CertificateCommand::Print(args) => paper::print(args, voice),
    })
}
