//! The command line: one file per subcommand (protocol section 8). Human output by default, `--json` for machines.

mod acting;
mod agreement;
mod audit;
mod backup;
mod case;
mod certificate;
mod check;
mod consent;
mod database;
mod demo;
mod erase;
mod failure;
mod folder;
mod init;
mod key;
mod ledger;
mod message;
mod migrate_store;
mod names;
mod new_file;
mod outbox;
mod party;
mod policy;
mod restore;
mod retention;
mod serve;
mod setup;
mod usage;

use std::{io::IsTerminal as _, process::ExitCode};

use clap::{Parser, Subcommand};

pub use failure::CliError;

use crate::text::Lang;

/// つなぎ: secure data exchange between public and welfare bodies.
#[derive(Debug, Parser)]
#[command(name = "tsunagi", version, about, propagate_version = true)]
struct Cli {
    /// Language of what is printed: en or ja. Default: the locale's.
    #[arg(long, global = true, value_parser = language)]
    lang: Option<Lang>,
    /// Print JSON, one object a line.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Everything in one go, in a fresh sandbox: what each role sees, what is refused and why, how the proof is checked.
    Demo(demo::DemoArgs),
    /// Make a complete sandbox in a new folder: authority, keys, configuration, parties, agreements in force.
    Init(init::InitArgs),
    /// Set up a gateway for real work: keys and configuration, the exchange and its first operator, what the parties pin.
    Setup(setup::SetupArgs),
    /// Run the gateway.
    Serve(serve::ServeArgs),
    /// Check everything a gateway stands on, each finding with its remedy. Writes nothing.
    Check(check::CheckArgs),
    /// Copy the database while the gateway serves, and verify the copy.
    Backup(backup::BackupArgs),
    /// Put a verified copy where the database was. Never writes over one.
    Restore(restore::RestoreArgs),
    /// The operator's word about the ledger: adopt it on a new gateway, open it again under another name after a loss.
    Ledger(ledger::LedgerArgs),
    /// Create or upgrade the tables of a PostgreSQL database, as their owner.
    Database(database::DatabaseArgs),
    /// Move a SQLite exchange to PostgreSQL, with its ledger intact.
    MigrateStore(migrate_store::MigrateStoreArgs),
    /// Who may see what: the matrix, checks, differences, explanations, and putting a policy set in force.
    Policy(policy::PolicyArgs),
    /// Parties: make an identity folder, look into the directory; as the operator register, change, suspend and readmit.
    Party(party::PartyArgs),
    /// The keys of this party: list, add, renew, retire, declare compromised.
    Key(key::KeyArgs),
    /// Draft, check, sign, suspend and end agreements.
    Agreement(agreement::AgreementArgs),
    /// Consents of persons: the paper form, the record made from it, its end.
    Consent(consent::ConsentArgs),
    /// Certificates of a coordination and the add-ons they are for: who is eligible and when; issuing, fetching, revoking; verification without a connection.
    Certificate(certificate::CertificateArgs),
    /// The cases this party stands in, and who received which items of one.
    Case(case::CaseArgs),
    /// Messages: open a case, go on in it, list, show.
    Message(message::MessageArgs),
    /// What was signed and is not delivered: look at it, send again what was refused, put it away.
    Outbox(outbox::OutboxArgs),
    /// Erase a case at the gateway's machine: its content, its key, its details and search tags. Proofs and receipts stay.
    Erase(erase::EraseArgs),
    /// What is past the period of its agreement: list it, and erase it at the gateway's machine.
    Retention(retention::RetentionArgs),
    /// The auditor's side: query events, export the ledger, verify an export offline.
    Audit(audit::AuditArgs),
}

/// What every subcommand knows of how to speak.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Voice {
    /// Language.
    pub(crate) lang: Lang,
    /// Machine output.
    pub(crate) json: bool,
    /// Whether standard output is a person's terminal.
    pub(crate) terminal: bool,
}

/// Runs the command line and says how it ended: 0 done, 1 refused by the gateway, 2 usage, 3 cannot reach or verify.
#[must_use]
pub fn run() -> ExitCode {
    quiet_when_nobody_reads();
    let (cli, lang) = match usage::parse() {
        Ok(parsed) => parsed,
        Err(said) => return said,
    };
    let voice = Voice { lang: cli.lang.unwrap_or(lang), json: cli.json, terminal: std::io::stdout().is_terminal() };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return CliError::Io("runtime".to_owned(), error).report(voice),
    };
    let outcome = runtime.block_on(async {
        match cli.command {
            Command::Demo(args) => demo::run(args, voice).await,
            Command::Init(args) => init::run(args, voice).await,
            Command::Setup(args) => Box::pin(setup::run(args, voice)).await,
            Command::Serve(args) => serve::run(args, voice).await,
            Command::Check(args) => check::run(args, voice).await,
            Command::Backup(args) => backup::run(args, voice).await,
            Command::Restore(args) => restore::run(args, voice).await,
            Command::Ledger(args) => ledger::run(args, voice).await,
            Command::Database(args) => database::run(args, voice).await,
            Command::MigrateStore(args) => migrate_store::run(args, voice).await,
            Command::Policy(args) => policy::run(args, voice).await,
            Command::Party(args) => Box::pin(party::run(args, voice)).await,
            Command::Key(args) => Box::pin(key::run(args, voice)).await,
            Command::Agreement(args) => Box::pin(agreement::run(args, voice)).await,
            Command::Consent(args) => consent::run(args, voice).await,
            Command::Certificate(args) => Box::pin(certificate::run(args, voice)).await,
            Command::Case(args) => Box::pin(case::run(args, voice)).await,
            Command::Message(args) => Box::pin(message::run(args, voice)).await,
            Command::Outbox(args) => Box::pin(outbox::run(args, voice)).await,
            Command::Erase(args) => Box::pin(erase::run(args, voice)).await,
            Command::Retention(args) => Box::pin(retention::run(args, voice)).await,
            Command::Audit(args) => audit::run(args, voice).await,
        }
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.report(voice),
    }
}

/// A reader that closed the pipe (`tsunagi ... | head`) has what it wanted: the standard library's panic about it is not worth a message.
fn quiet_when_nobody_reads() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let closed = panic.payload().downcast_ref::<String>().is_some_and(|text| text.starts_with("failed printing to stdout"));
        if !closed {
            usual(panic);
        }
    }));
}

fn language(text: &str) -> Result<Lang, String> {
    match text {
        "en" => Ok(Lang::En),
        "ja" => Ok(Lang::Ja),
        _ => Err("en | ja".to_owned()),
    }
}

/// The language of the first locale variable that is set (POSIX.1-2017 section 8.2).
fn locale() -> Lang {
    ["LC_ALL", "LC_MESSAGES", "LANG"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .map_or(Lang::En, |value| Lang::from_locale(&value))
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    #[test]
    fn a_thumbprint_may_begin_with_a_hyphen() {
        // One of 64 does, and -h asks for help.
        let kid = "-hEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU0";
        for words in [
            &["setup", "exchange", "-c", "c", "--operator", "o", "--kid", kid][..],
            &["party", "register", "request.json", "--kid", kid, "--as", "d"],
            &["key", "retire", "--kid", kid, "--as", "d"],
            &["key", "compromised", "--kid", kid, "--since", "2026-11-23T09:00:00Z", "--as", "d"],
        ] {
            if let Err(error) = super::Cli::try_parse_from([&["tsunagi"][..], words].concat()) {
                panic!("{words:?}: {error}");
            }
        }
    }

    #[test]
    fn no_command_contradicts_itself() {
        super::Cli::command().debug_assert();
    }
}
