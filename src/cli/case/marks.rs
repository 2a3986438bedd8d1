//! What stands below a case in the list: what is to be done in it, one line each.

use crate::{
    cli::names::Names,
    domain::{
        codes::MessageKind,
        consent::{ErasureDue, Taking},
        tasks::CaseTasks,
    },
};

/// The lines.
pub(super) fn marks(tasks: &CaseTasks, names: &Names) -> Vec<String> {
    let (lang, mut lines) = (names.lang(), Vec::new());
    let mut say = |en: String, ja: String| lines.push(format!("    {}", lang.of(&en, &ja)));
    for question in &tasks.due {
        let (message, kind) = (question.message, names.kind(question.kind));
        match (question.reply_by, question.overdue) {
            (Some(by), true) => {
                say(
                    format!("OVERDUE: answer {kind} {message}, wished by {by}"),
                    format!("【期限切れ】{kind} {message} に回答（期限 {by}）"),
                );
            }
            (Some(by), false) => say(format!("to answer by {by}: {kind} {message}"), format!("{by} までに回答: {kind} {message}")),
            (None, _) => say(format!("to answer: {kind} {message}"), format!("回答: {kind} {message}")),
        }
    }
    for question in tasks.asked.iter().filter(|question| question.overdue) {
        let (message, kind) = (question.message, names.kind(question.kind));
        let to = question.to.as_ref().map(ToString::to_string).unwrap_or_default();
        say(
            format!("OVERDUE: {to} has not answered {kind} {message}"),
            format!("【期限切れ】{to} から {kind} {message} の回答がありません"),
        );
    }
    for late in &tasks.uncollected {
        let (message, kind, to, since) = (late.message, names.kind(late.kind), &late.to, late.since);
        say(
            format!("NOT COLLECTED: {to} has not collected {kind} {message} (since {since})"),
            format!("【未受領】{to} が {kind} {message} を受け取っていません（{since} から）"),
        );
    }
    for held in &tasks.quarantined {
        let (message, kind, to, since) = (held.message, names.kind(held.kind), &held.to, held.since);
        say(
            format!("WITHHELD: {kind} {message} to {to}: the consent was taken back before it was collected ({since})"),
            format!("【停止】{to} あての {kind} {message}: 受け取られる前に同意が撤回・縮小されました（{since}）"),
        );
    }
    if let Some(taken) = &tasks.consent {
        let since = taken.since;
        let (en, ja) = match taken.state {
            Taking::Ended => ("the consent was withdrawn", "同意が撤回されました"),
            Taking::Narrowed => ("the consent was narrowed", "同意の範囲がせばまりました"),
        };
        let (next_en, next_ja) = match taken.report {
            Some(ErasureDue::Due) => {
                let report = names.kind(MessageKind::ErasureReport);
                (format!(": erase what you hold and send {report}"), format!("。手元の情報を消去し、{report}を送ってください"))
            }
            Some(ErasureDue::Done) => ("; the erasure was reported".to_owned(), "。消去は報告済みです".to_owned()),
            None => (String::new(), String::new()),
        };
        say(format!("{en} ({since}){next_en}"), format!("{ja}（{since}）{next_ja}"));
    }
    for holder in &tasks.unreported {
        let party = &holder.party;
        say(
            format!("{party} holds what was taken back and has not reported its erasure"),
            format!("{party} から、撤回・縮小された情報の消去報告がまだありません"),
        );
    }
    for wrong in &tasks.correct {
        let (message, to, because) = (wrong.message, &wrong.to, wrong.because);
        say(
            format!("to correct too: {message} to {to}, because {because} was corrected"),
            format!("訂正が必要: {to} あての {message}（{because} が訂正されたため）"),
        );
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::text::Lang;

    #[test]
    fn every_task_has_a_line_in_both_languages() {
        let (id, party, at) = ("0f5b9a52-7c1e-4b7a-9a44-3f3b6f0f7c11", "municipality:131016-1", "2026-11-22T00:00:00Z");
        let tasks: CaseTasks = serde_json::from_value(json!({
            "reply_by": "2026-11-20", "overdue": true,
            "due": [{"message": id, "kind": "referral", "reply_by": "2026-11-20", "overdue": true},
                    {"message": id, "kind": "referral", "reply_by": "2026-11-30", "overdue": false},
                    {"message": id, "kind": "referral", "overdue": false}],
            "asked": [{"message": id, "kind": "enquiry", "to": party, "reply_by": "2026-11-20", "overdue": true},
                      {"message": id, "kind": "enquiry", "to": party, "overdue": false}],
            "uncollected": [{"message": id, "kind": "referral", "to": party, "index": 7, "since": "2026-11-21"}],
            "quarantined": [{"message": id, "kind": "referral", "to": party, "since": at}],
            "consent": {"state": "ended", "since": at, "report": "due"},
            "unreported": [{"party": party, "since": at}],
            "correct": [{"message": id, "to": party, "because": id}]
        }))
        .unwrap();
        let [english, japanese] = [Lang::En, Lang::Ja].map(|lang| Names::new(lang).unwrap());
        let (en, ja) = (marks(&tasks, &english), marks(&tasks, &japanese));
        assert_eq!((en.len(), ja.len()), (9, 9), "a question that is not late is no mark of who asked it");
        assert!(en.iter().all(|mark| mark.is_ascii()) && !ja.iter().any(|mark| mark.is_ascii()), "{en:?} {ja:?}");
        assert!(en[0].contains("OVERDUE") && ja[0].contains("期限切れ") && ja[4].contains("未受領"));
        assert!(en[0].contains("referral (Referral)") && ja[0].contains("利用調整依頼（referral）"), "{en:?} {ja:?}");
        assert!(marks(&CaseTasks::default(), &english).is_empty());
    }
}
