//! `tsunagi agreement`: drafting, checking, signing and ending agreements (protocol section 8, `domain.md` section 11).
//!
//! Promises: what is signed is the exact bytes that were read, by their digest; it waits in the outbox until its receipt is stored; what was said by
//! others is shown only with its signature checked.

mod changes;
mod file;
mod lint;
mod register;
mod say;
mod template;
mod words;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{
    CliError, Voice,
    acting::{As, unless_closed},
};
use crate::domain::{agreement::AgreementAct, ids::AgreementId};

/// Draft, check, sign, suspend and end agreements.
#[derive(Debug, Args)]
pub(super) struct AgreementArgs {
    #[command(subcommand)]
    command: AgreementCommand,
}

#[derive(Debug, Subcommand)]
enum AgreementCommand {
    /// Print a template with comments in Japanese and English, for a jurist to fill in.
    Template(template::TemplateArgs),
    /// Make the canonical document, the bytes that are signed, out of a filled-in template or a JSON file.
    Draft(file::DraftArgs),
    /// Check a draft: form, parties, classes that no policy would permit, periods, delegations. Exit code 2: it must not be signed as it is.
    Lint(lint::LintArgs),
    /// Say in plain words what one version changes against another.
    Diff(changes::DiffArgs),
    /// Accept a document: proposes it, or adds this party's signature when it is proposed already.
    Sign(say::SignArgs),
    /// Reject a proposed version.
    Reject(say::ActArgs),
    /// Join an agreement that this party's kind may accede to.
    Accede(say::ActArgs),
    /// Suspend a version, at once. Any bound party does so alone.
    Suspend(say::ActArgs),
    /// Agree that a suspended version goes on. It does when all have.
    Resume(say::ActArgs),
    /// End a version for good, at once. Any bound party does so alone.
    Revoke(say::ActArgs),
    /// Send what waits in the outbox.
    Send(say::SendArgs),
    /// List the agreements of this party, and what waits to be sent.
    List(register::ListArgs),
    /// Show a version in plain words, with what was said about it.
    Show(register::ShowArgs),
}

/// A version as it is written: `AG-13-0001/2`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct VersionName {
    id: AgreementId,
    ver: u32,
}

impl std::str::FromStr for VersionName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || "AG-13-0001/1".to_owned();
        let (id, ver) = text.split_once('/').ok_or_else(wrong)?;
        let (id, ver) = (id.parse().map_err(|_| wrong())?, ver.parse().map_err(|_| wrong())?);
        if ver == 0 { Err(wrong()) } else { Ok(Self { id, ver }) }
    }
}

/// A document: a file, or a registered version.
#[derive(Debug, Clone)]
enum Source {
    File(PathBuf),
    Registered(VersionName),
}

impl std::str::FromStr for Source {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(text.parse().map_or_else(|_| Self::File(PathBuf::from(text)), Self::Registered))
    }
}

/// Who looks, where looking needs a gateway.
#[derive(Debug, Args)]
struct MaybeAs {
    /// Identity folder of the party, to ask its gateway.
    #[arg(long = "as", env = "TSUNAGI_IDENTITY", value_name = "DIR")]
    identity: Option<PathBuf>,
}

impl MaybeAs {
    fn client(&self, voice: Voice) -> Result<Option<crate::client::Client>, CliError> {
        self.identity.as_deref().map(|folder| As::of(folder).client(voice)).transpose()
    }
}

pub(super) async fn run(args: AgreementArgs, voice: Voice) -> Result<(), CliError> {
    unless_closed(match args.command {
        AgreementCommand::Template(args) => template::run(&args),
        AgreementCommand::Draft(args) => file::run(&args, voice),
        AgreementCommand::Lint(args) => Box::pin(lint::run(&args, voice)).await,
        AgreementCommand::Diff(args) => changes::run(&args, voice).await,
        AgreementCommand::Sign(args) => say::sign(&args, voice).await,
        AgreementCommand::Reject(args) => say::act(&args, AgreementAct::Reject, voice).await,
        AgreementCommand::Accede(args) => say::act(&args, AgreementAct::Accede, voice).await,
        AgreementCommand::Suspend(args) => say::act(&args, AgreementAct::Suspend, voice).await,
        AgreementCommand::Resume(args) => say::act(&args, AgreementAct::Resume, voice).await,
        AgreementCommand::Revoke(args) => say::act(&args, AgreementAct::Revoke, voice).await,
        AgreementCommand::Send(args) => say::send(&args, voice).await,
        AgreementCommand::List(args) => register::list(&args, voice).await,
        AgreementCommand::Show(args) => register::show(&args, voice).await,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_an_id_and_a_number_and_anything_else_a_file() {
        assert!(matches!("AG-13-0001/2".parse(), Ok(Source::Registered(VersionName { ver: 2, .. }))));
        for file in ["AG-13-0001", "AG-13-0001/0", "AG-13-0001/x", "draft.toml", "./AG-13-0001/2"] {
            assert!(matches!(file.parse(), Ok(Source::File(_))), "{file}");
        }
    }
}
