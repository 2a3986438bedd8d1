//! `tsunagi retention plan|run -c tsunagi.toml`: what is past its time, and its erasure, at the gateway's machine while gateways may serve.

use std::{path::PathBuf, sync::Arc};

use clap::{Args, Subcommand};
use serde_json::json;

use super::{CliError, Voice, acting::say, erase::words};
use crate::{
    clock::SystemClock,
    config::Config,
    gateway::{Keeping, RetentionRun},
    message::disclosed::Pseudonym,
    startup::{self, StartupError},
    store::Leftover,
    text::Lang,
};

/// Cases that are over are kept for the months of their agreements, and then erased.
#[derive(Debug, Args)]
pub(super) struct RetentionArgs {
    #[command(subcommand)]
    command: RetentionCommand,
}

#[derive(Debug, Subcommand)]
enum RetentionCommand {
    /// List the cases that were declined or closed: until when each is kept, and which are past it. Writes nothing.
    Plan(PlanArgs),
    /// Erase the cases that are past their time, each with an entry of its own. An interrupted run goes on with the next.
    Run(RunArgs),
}

#[derive(Debug, Args)]
struct PlanArgs {
    /// Configuration file of a gateway of the ledger. Gateways may be running.
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
}

#[derive(Debug, Args)]
struct RunArgs {
    /// Configuration file of a gateway of the ledger. Gateways may be running.
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// Who decided it: a staff id or file number, kept in the entries' openings. No personal data.
    #[arg(long, value_name = "ID")]
    acting_staff: Option<Pseudonym>,
}

pub(super) async fn run(args: RetentionArgs, voice: Voice) -> Result<(), CliError> {
    match args.command {
        RetentionCommand::Plan(args) => plan(&args, voice).await,
        RetentionCommand::Run(args) => erase(&args, voice).await,
    }
}

async fn plan(args: &PlanArgs, voice: Voice) -> Result<(), CliError> {
    let planned = startup::retention_plan(&load(&args.config)?, Arc::new(SystemClock)).await.map_err(|error| failed(&error))?;
    if planned.is_empty() && !voice.json {
        return say(voice.lang.of(
            "No case was declined or closed that is not erased yet. Periods begin when a case is over.",
            "終わった案件で、まだ消去されていないものはありません。保存期間は案件が終わった日から数えます。",
        ));
    }
    for keeping in &planned {
        if voice.json { say(json!(keeping))? } else { say(line(keeping, voice.lang))? }
    }
    Ok(())
}

async fn erase(args: &RunArgs, voice: Voice) -> Result<(), CliError> {
    let config = load(&args.config)?;
    let done = startup::retention_run(&config, Arc::new(SystemClock), args.acting_staff.as_ref()).await;
    let (run, left) = done.map_err(|error| failed(&error))?;
    let (left, uncut) = match left.transpose() {
        Ok(left) => (left, None),
        Err(error) => (None, Some(error)),
    };
    for (keeping, erased) in &run.erased {
        if voice.json {
            let (messages, consents, kept) = (erased.messages, erased.consents, erased.kept);
            say(json!({"index": erased.index, "messages": messages, "consents": consents, "consents_kept": kept, "kept": keeping}))?;
        } else {
            let index = erased.index.unwrap_or_default();
            say(match voice.lang {
                Lang::En => format!("erased (entry {index}): {}", line(keeping, voice.lang)),
                Lang::Ja => format!("消去しました（台帳の記録 {index}）: {}", line(keeping, voice.lang)),
            })?;
        }
    }
    if !voice.json {
        say(summary(&run, voice.lang))?;
        left.map(|left: Leftover| words::leftover(left, voice.lang)).into_iter().try_for_each(say)?;
    }
    match (run.failed.into_iter().next(), uncut) {
        (Some((keeping, failure)), _) => Err(stopped(&keeping, &StartupError::Erasure(failure))),
        (None, Some(error)) => Err(uncut_log(&error)),
        (None, None) => Ok(()),
    }
}

fn load(file: &std::path::Path) -> Result<Config, CliError> {
    Config::load(file).map_err(|error| failed(&error))
}

fn failed(error: &dyn std::fmt::Display) -> CliError {
    CliError::usage(format!("the periods could not be looked at: {error}"), format!("保存期間を調べられませんでした: {error}"))
}

/// What was erased before stays erased, and is printed.
fn stopped(keeping: &Keeping, error: &StartupError) -> CliError {
    let Keeping { case, party, .. } = keeping;
    CliError::unverified(
        format!(
            "case {case} of {party} was not erased, or it is not known ({error}). Run the same command again: it goes on where it stopped."
        ),
        format!(
            "{party} の案件 {case} を消去できなかったか、結果が分かりません（{error}）。同じコマンドをもう一度実行してください。続きから消去します。"
        ),
    )
}

fn uncut_log(error: &StartupError) -> CliError {
    CliError::unverified(
        format!(
            "everything due is erased, but the database's log could not be cut ({error}). Run `tsunagi erase` for one of the cases again: it only cuts the log."
        ),
        format!(
            "期限を過ぎた案件はすべて消去しましたが、書込みログを切り詰められませんでした（{error}）。どれか一つの案件に tsunagi erase を再度実行すると、ログだけを切り詰めます。"
        ),
    )
}

fn summary(run: &RetentionRun, lang: Lang) -> String {
    let count = run.erased.len();
    match lang {
        Lang::En => format!("{count} cases erased."),
        Lang::Ja => format!("{count} 件を消去しました。"),
    }
}

fn line(keeping: &Keeping, lang: Lang) -> String {
    let Keeping { case, party, ended, months, until, due } = keeping;
    let due = if *due { lang.of("  DUE", "  【期限経過】") } else { "" };
    match lang {
        Lang::En => format!("{case} of {party}: ended {ended}, kept {months} months, until {until}{due}"),
        Lang::Ja => format!("{party} の案件 {case}: 終了 {ended}、保存 {months} か月、消去期限 {until}{due}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_is_marked_in_both_languages() {
        let mut keeping = Keeping {
            party: "settlement_center:13-1".parse().unwrap(),
            case: "0f5b9a52-7c1e-4b7a-9a44-3f3b6f0f7c11".parse().unwrap(),
            ended: "2026-11-22".parse().unwrap(),
            months: 12,
            until: "2027-11-22".parse().unwrap(),
            due: false,
        };
        assert!(line(&keeping, Lang::En).ends_with("until 2027-11-22") && line(&keeping, Lang::Ja).contains("消去期限 2027-11-22"));
        keeping.due = true;
        assert!(line(&keeping, Lang::En).ends_with("DUE") && line(&keeping, Lang::Ja).ends_with("【期限経過】"));
        assert!(summary(&RetentionRun::default(), Lang::Ja).contains("0 件"));
    }
}
