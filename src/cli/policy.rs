//! `tsunagi policy`: who may see what, what is wrong with a policy set, what a new one changes, why something is shown or withheld, and putting
//! one in force (protocol section 8).

mod activate;
mod check;
mod diff;
mod explain;
mod words;

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};

use super::{CliError, Voice};
use crate::{
    policy::{PolicyError, PolicySet},
    text,
};

/// Who may see what: the matrix, checks, differences, explanations, and putting a policy set in force.
#[derive(Debug, Args)]
pub(super) struct PolicyArgs {
    #[command(subcommand)]
    command: PolicyCommand,
}

#[derive(Debug, Subcommand)]
enum PolicyCommand {
    /// Who may see what, as a table.
    Matrix(MatrixArgs),
    /// What is wrong with a policy set, each finding with its remedy, and which rules decide nothing today.
    Check(check::CheckArgs),
    /// What a new policy set shows to whom that an old one did not, and the other way round, over every situation there is.
    Diff(diff::DiffArgs),
    /// Which policies permit or withhold a class in a situation, and why.
    Explain(explain::ExplainArgs),
    /// Put the configured policies in force for every gateway of the ledger. Done at the machine, by whoever holds the configuration.
    Activate(activate::ActivateArgs),
}

#[derive(Debug, Args)]
struct MatrixArgs {
    #[command(flatten)]
    set: SetArgs,
    /// Every situation there is as CSV, instead of the usual ones as Markdown.
    #[arg(long)]
    csv: bool,
}

/// Which policy set.
#[derive(Debug, Args)]
struct SetArgs {
    /// Folder of a policy set. Default: the set this program was built with.
    #[arg(long, value_name = "DIR")]
    policies: Option<PathBuf>,
}

impl SetArgs {
    fn load(&self) -> Result<PolicySet, CliError> {
        load(self.policies.as_deref())
    }
}

pub(super) async fn run(args: PolicyArgs, voice: Voice) -> Result<(), CliError> {
    let outcome = match args.command {
        PolicyCommand::Matrix(args) => matrix(&args, voice),
        PolicyCommand::Check(args) => check::run(&args, voice),
        PolicyCommand::Diff(args) => diff::run(&args, voice),
        PolicyCommand::Explain(args) => explain::run(&args, voice),
        PolicyCommand::Activate(args) => activate::run(args, voice).await,
    };
    match outcome {
        // Whoever reads the output has read enough.
        Err(CliError::Io(_, error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome,
    }
}

fn matrix(args: &MatrixArgs, voice: Voice) -> Result<(), CliError> {
    let set = args.set.load()?;
    let text = if args.csv { set.table() } else { set.matrix() };
    let told = if voice.json { serde_json::json!({"policy": set.digest(), "matrix": text}).to_string() } else { text };
    say(told.trim_end())
}

/// A set from a folder, or the built-in one.
fn load(folder: Option<&Path>) -> Result<PolicySet, CliError> {
    folder.map_or_else(PolicySet::builtin, PolicySet::load).map_err(|error| unusable(&error))
}

/// Why a set does not load, with the remedy, in both languages.
pub(super) fn unusable(error: &PolicyError) -> CliError {
    let fault = error.fault();
    let told = |lang: text::Lang| (text::policy::fault(fault, lang), text::policy::remedy(fault, lang));
    let ((en, en_remedy), (ja, ja_remedy)) = (told(text::Lang::En), told(text::Lang::Ja));
    CliError::usage(
        format!("the policies do not load: {error}: {en}. Next: {en_remedy}; `tsunagi policy check` lists everything"),
        format!("方針を読み込めません: {error}: {ja}。次にすること: {ja_remedy}（`tsunagi policy check` がすべてを示します）"),
    )
}

/// Prints a line.
fn say(line: impl std::fmt::Display) -> Result<(), CliError> {
    writeln!(io::stdout(), "{line}").map_err(|error| CliError::Io("standard output".to_owned(), error))
}
