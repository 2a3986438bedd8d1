//! `tsunagi certificate`: may an add-on be claimed and what is missing; certificates of a coordination, verified and printed without a connection
//! (protocol section 8); issued, passed on, revoked and fetched over the gateway.

mod check;
mod held;
mod issue;
mod paper;
mod road;

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
    /// Certify a coordination: signed by this party, judged and countersigned by the gateway from the case's own ledger.
    Issue(Box<issue::IssueArgs>),
    /// Pass a certificate on that came to this party, such as a centre's to the provider.
    Forward(Box<issue::ForwardArgs>),
    /// Revoke a certificate that this party issued; with each recipient once.
    Revoke(Box<issue::RevokeArgs>),
    /// List the certificates of a case, with what was revoked. Reading is recorded.
    List(held::ListArgs),
    /// Keep a certificate of a case as the file that `verify` and `print` take. Reading is recorded.
    Fetch(held::FetchArgs),
}

pub(super) async fn run(args: CertificateArgs, voice: Voice) -> Result<(), CliError> {
    unless_closed(match args.command {
        CertificateCommand::Check(args) => check::run(&args, voice),
        CertificateCommand::Verify(args) => paper::verify(&args, voice),
        CertificateCommand::Print(args) => paper::print(&args, voice),
        CertificateCommand::Issue(args) => issue::issue(*args, voice).await,
        CertificateCommand::Forward(args) => issue::forward(*args, voice).await,
        CertificateCommand::Revoke(args) => issue::revoke(*args, voice).await,
        CertificateCommand::List(args) => held::list(args, voice).await,
        CertificateCommand::Fetch(args) => held::fetch(args, voice).await,
    })
}
