//! `tsunagi erase -c tsunagi.toml --case ID --party PARTY --reason CODE`: erases a case at the gateway's machine, while gateways may serve.

pub(super) mod words;

use std::{path::PathBuf, sync::Arc};

use clap::Args;
use serde_json::json;

use super::{CliError, Voice, acting::say};
use crate::{
    clock::SystemClock,
    config::Config,
    domain::{entry::ErasureReason, ids::CaseId, party::PartyId, refusal::RefusalCode},
    gateway::{Erased, Erasure, Failure},
    ledger::LedgerError,
    message::disclosed::Pseudonym,
    startup::{self, StartupError, Told},
    store::{Leftover, StoreError},
    text::Lang,
};

/// Erases a case for ever: contents, data keys, details of entries, search tags, and the consents that no other case rests on. Whoever holds the
/// configuration and its keys may; no party can over the network. Repeating it changes nothing.
#[derive(Debug, Args)]
pub(super) struct EraseArgs {
    /// Configuration file of a gateway of the ledger. Gateways may be running.
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// The case, by the id under which the party knows it.
    #[arg(long, value_name = "ID")]
    case: String,
    /// The party that asked for it and stands in the case.
    #[arg(long, value_name = "PARTY")]
    party: String,
    /// Why: retention_over, person_request, consent_withdrawn, entered_in_error or order.
    #[arg(long, value_name = "CODE")]
    reason: String,
    /// Who decided it: a staff id or file number, kept in the entry's opening. No personal data.
    #[arg(long, value_name = "ID")]
    acting_staff: Option<String>,
    /// Say what would be destroyed and do nothing.
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn run(args: EraseArgs, voice: Voice) -> Result<(), CliError> {
    let failed =
        |error: &dyn Told| CliError::usage(format!("nothing was erased: {error}"), format!("消去していません: {}", error.in_japanese()));
    let case: CaseId = args.case.parse().map_err(|_| {
        CliError::usage("--case: expected the id of a case, as its party knows it", "--case: その機関から見た案件の ID を指定してください")
    })?;
    let party: PartyId = args.party.parse().map_err(|_| {
        CliError::usage(
            "--party: expected a party, such as municipality:131016-1",
            "--party: 機関（例 municipality:131016-1）を指定してください",
        )
    })?;
    let reason: ErasureReason = args.reason.parse().map_err(|_| {
        let codes: Vec<_> = ErasureReason::ALL.iter().map(|code| code.as_str()).collect();
        let codes = codes.join(", ");
        CliError::usage(format!("--reason: expected one of {codes}"), format!("--reason: 次のどれかを指定してください: {codes}"))
    })?;
    let by = args.acting_staff.as_deref().map(str::parse::<Pseudonym>).transpose().map_err(|_| {
        CliError::usage(
            "--acting-staff: expected a staff id or file number, 1 to 128 characters without spaces",
            "--acting-staff: 職員番号か文書番号（1〜128字、空白なし）を指定してください",
        )
    })?;
    let config = Config::load(&args.config).map_err(|error| failed(&error))?;
    let asked = Erasure { case: &case, party: &party, reason, by: by.as_ref() };
    let done = startup::erase(&config, Arc::new(SystemClock), &asked, args.dry_run).await;
    let (erased, left) = done.map_err(|error| match &error {
        StartupError::Erasure(Failure::Refused(refusal)) if refusal.code == RefusalCode::NotFound => CliError::usage(
            format!("nothing was erased: {party} stands in no case {case}. Each party knows a case by an id of its own: take the id from that party"),
            format!("消去していません: {party} の案件に {case} はありません。案件の ID は機関ごとに違います。その機関から見た ID を指定してください"),
        ),
        StartupError::Erasure(Failure::Ledger(LedgerError::OutcomeUnknown) | Failure::Store(StoreError::CommitUnknown(_))) => CliError::unverified(
            "whether the case was erased is not known: the connection to the database was lost while it was written. Run the same command again: it says that \
             the case was erased before, or erases it.",
            "消去されたかどうか分かりません。書き込み中にデータベースとの接続が切れました。同じコマンドをもう一度実行してください。消去済みならそう表示し、\
             そうでなければ消去します。",
        ),
        other => failed(other),
    })?;
    let (left, uncut) = match left.transpose() {
        Ok(left) => (left, None),
        Err(error) => (None, Some(error)),
    };
    if voice.json {
        say(as_json(&erased, left, args.dry_run))?;
    } else {
        lines(&erased, left, args.dry_run, voice.lang).iter().try_for_each(say)?;
    }
    uncut.map_or(Ok(()), |error| Err(not_cut(&error)))
}

/// The erasure stands; what it left in the files of the database is not known.
fn not_cut(error: &StartupError) -> CliError {
    CliError::unverified(
        format!(
            "the case is erased, but the database's log could not be cut ({error}). Run the same command again: it changes nothing else."
        ),
        format!(
            "消去は完了しましたが、書込みログを切り詰められませんでした（{}）。同じコマンドをもう一度実行してください（ほかは何も変わりません）。",
            error.in_japanese()
        ),
    )
}

fn as_json(erased: &Erased, left: Option<Leftover>, dry_run: bool) -> serde_json::Value {
    json!({
        "index": erased.index, "dry_run": dry_run, "erased_before": erased.before,
        "keys": erased.keys, "messages": erased.messages, "consents": erased.consents, "consents_kept": erased.kept,
        "openings": erased.openings, "tags": erased.tags, "left": left.map(words::code),
    })
}

fn lines(erased: &Erased, left: Option<Leftover>, dry_run: bool, lang: Lang) -> Vec<String> {
    let first = match (erased.index, erased.before, dry_run) {
        (_, true, _) => lang
            .of("This case was erased before; there is nothing left of it.", "この案件は既に消去済みです。残っている内容はありません。")
            .to_owned(),
        (Some(index), ..) => match lang {
            Lang::En => format!("Erased: entry {index} of the ledger."),
            Lang::Ja => format!("消去しました（台帳の記録 {index}）。"),
        },
        (None, ..) => lang
            .of("Dry run: nothing was erased. This would be destroyed:", "試し実行です。何も消去していません。消去されるもの:")
            .to_owned(),
    };
    let mut lines = vec![first];
    if !erased.before {
        let mut add = |en, ja, count: usize| lines.push(format!("  {}: {count}", lang.of(en, ja)));
        add("data keys", "データ鍵", erased.keys);
        add("messages", "文書", erased.messages);
        add("consents", "同意", erased.consents);
        add("consents kept, because another case rests on them", "別の案件の根拠なので残す同意", erased.kept);
        add("openings of entries", "記録の開示情報", erased.openings);
        add("search tags", "検索用の索引", erased.tags);
    }
    lines.extend(left.map(|left| words::leftover(left, lang).to_owned()));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_is_told_in_both_languages() {
        let erased = Erased { index: Some(7), openings: 3, ..Erased::default() };
        assert!(lines(&erased, Some(Leftover::Nothing), false, Lang::En)[0].contains("entry 7"));
        assert!(lines(&erased, None, false, Lang::Ja)[0].contains("記録 7"));
        let rehearsed = Erased { index: None, ..erased };
        assert!(lines(&rehearsed, None, true, Lang::En)[0].starts_with("Dry run"));
        let again = Erased { before: true, ..Erased::default() };
        assert_eq!(lines(&again, Some(Leftover::Log), false, Lang::En).len(), 2);
        assert_eq!(as_json(&erased, Some(Leftover::Owner), false)["left"], "owner");
        let CliError::Unverified { en, ja } = not_cut(&StartupError::NoOwnKey) else { panic!("the erasure stands") };
        assert!(en.contains("is erased") && ja.contains("消去は完了"), "{en} {ja}");
    }
}
