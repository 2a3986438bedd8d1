//! `tsunagi policy check`: everything that is wrong with a set, with its remedy.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{CliError, Voice, load, say};
use crate::{
    policy::{PolicyError, PolicySet, Weight},
    text::{Lang, policy as words},
};

/// Exit code 0: it loads. 2: it does not.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Folder of the policy set. Default: the set this program was built with.
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

pub(super) fn run(args: &CheckArgs, voice: Voice) -> Result<(), CliError> {
    let faults = args.folder.as_deref().map(PolicySet::faults).unwrap_or_default();
    for fault in &faults {
        say(told(fault, voice))?;
    }
    if !faults.is_empty() {
        let found = faults.len();
        return Err(CliError::usage(
            format!("{found} finding(s): a gateway refuses to start with these policies, and a running one keeps those it has"),
            format!("{found} 件の問題があります。この方針ではゲートウェイは起動せず、動いているゲートウェイはいまの方針を保ちます"),
        ));
    }
    let set = load(args.folder.as_deref())?;
    let idle: Vec<Weight> = set.weights().into_iter().filter(|weight| weight.decides.is_empty()).collect();
    if voice.json {
        let idle: Vec<&str> = idle.iter().map(|weight| weight.rule.as_str()).collect();
        return say(json!({"ok": true, "policy": set.digest(), "rules": set.rules().count(), "decides_nothing_today": idle}));
    }
    let (digest, rules, shown) = (set.digest(), set.rules().count(), set.permitted().count());
    say(match voice.lang {
        Lang::En => format!("ok: {rules} rules, {shown} situations shown, policy sha256 {digest}"),
        Lang::Ja => format!("問題なし: 方針 {rules} 件、開示する組み合わせ {shown} 通り、policy sha256 {digest}"),
    })?;
    if !idle.is_empty() {
        say(voice.lang.of(
            "Rules that decide nothing today, because others say the same; they stand against policies to come:",
            "次の方針は、ほかの方針が同じことを言うため、いまは何も左右しない（将来の方針への備え）:",
        ))?;
    }
    for weight in &idle {
        let rule = weight.rule.as_str();
        say(format!("  {rule} {}", set.title(rule, voice.lang).unwrap_or_default()))?;
    }
    Ok(())
}

fn told(error: &PolicyError, voice: Voice) -> String {
    let fault = error.fault();
    if voice.json {
        let (meaning, remedy) = (|lang| words::fault(fault, lang), |lang| words::remedy(fault, lang));
        return json!({
            "finding": fault, "detail": error.to_string(),
            "ja": meaning(Lang::Ja), "en": meaning(Lang::En), "remedy": {"ja": remedy(Lang::Ja), "en": remedy(Lang::En)},
        })
        .to_string();
    }
    let (meaning, remedy) = (words::fault(fault, voice.lang), words::remedy(fault, voice.lang));
    match voice.lang {
        Lang::En => format!("{fault}: {meaning}\n  {error}\n  remedy: {remedy}"),
        Lang::Ja => format!("{fault}: {meaning}\n  {error}\n  直し方: {remedy}"),
    }
}
