//! `tsunagi consent holders`: who holds what was sent under a consent, and who has not reported its erasure (`domain.md` section 10.3, rule 3).

use clap::Args;
use serde_json::json;

use super::record::Acting;
use crate::{
    cli::{
        CliError, Voice,
        acting::{As, patient, say},
    },
    domain::{consent::ErasureDue, ids::Jti, tasks::ConsentHolder},
    text::Lang,
};

/// A consent that this unit collected.
#[derive(Debug, Args)]
pub(super) struct HoldersArgs {
    #[command(flatten)]
    who: As,
    /// The consent.
    consent: Jti,
    /// Only who has still to report.
    #[arg(long)]
    unreported: bool,
    #[command(flatten)]
    acting: Acting,
}

pub(super) async fn holders(args: HoldersArgs, voice: Voice) -> Result<(), CliError> {
    let client = args.who.client(voice)?;
    let shown = patient(async || client.read_consent(&args.consent, args.acting.purpose).await).await?;
    let Some(holders) = shown.whole().and_then(|shown| shown.holders) else {
        return Err(CliError::usage(
            "only the unit that collected a consent is told who holds what was sent under it",
            "同意に基づく情報を誰が持っているかは、その同意を取得した機関にだけ示されます",
        ));
    };
    let wanted = |holder: &&ConsentHolder| !args.unreported || holder.report == Some(ErasureDue::Due);
    for holder in holders.iter().filter(wanted) {
        if voice.json { say(json!(holder))? } else { say(line(holder, voice.lang))? }
    }
    Ok(())
}

fn line(holder: &ConsentHolder, lang: Lang) -> String {
    let ConsentHolder { party, collected, .. } = holder;
    let state = match (holder.report, holder.reported) {
        (Some(ErasureDue::Due), _) => lang.of("has to report its erasure", "消去報告がまだありません").to_owned(),
        (Some(ErasureDue::Done), Some(at)) => lang.of(&format!("reported on {at}"), &format!("{at} に報告済み")).to_owned(),
        _ => lang.of("may keep what it holds", "同意は続いています").to_owned(),
    };
    let since = holder.since.map_or_else(String::new, |at| format!("  {} {at}", lang.of("taken back", "撤回・縮小")));
    format!("{party}  {} {collected}{since}  {state}", lang.of("collected", "受領"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_not_reported_is_told_so_in_both_languages() {
        let at = "2026-11-22T00:00:00Z";
        let holder = |more: serde_json::Value| {
            let mut told = json!({"party": "group_home:1320100017", "collected": at});
            told.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            serde_json::from_value::<ConsentHolder>(told).unwrap()
        };
        let due = holder(json!({"since": at, "report": "due"}));
        assert!(line(&due, Lang::En).contains("has to report") && line(&due, Lang::Ja).contains("消去報告がまだ"));
        let done = holder(json!({"since": at, "report": "done", "reported": at}));
        assert!(line(&done, Lang::En).contains("reported on") && line(&done, Lang::Ja).contains("報告済み"));
        assert!(line(&holder(json!({})), Lang::En).contains("may keep"));
    }
}
