//! `tsunagi agreement diff`: what one version changes against another, in plain words.

use clap::Args;
use serde_json::json;

use super::{MaybeAs, Source, file::Draft, words::Words};
use crate::{
    cli::{CliError, Voice, acting::say},
    client::Client,
    domain::agreement::{Agreement, Change, Effect, Part, Turn},
    text::{Lang, agreement as text},
};

/// What is compared.
#[derive(Debug, Args)]
pub(super) struct DiffArgs {
    /// The earlier version: a file, or ID/VERSION of a registered one.
    old: Source,
    /// The later version: a file, or ID/VERSION of a registered one.
    new: Source,
    #[command(flatten)]
    who: MaybeAs,
}

pub(super) async fn run(args: &DiffArgs, voice: Voice) -> Result<(), CliError> {
    let client = args.who.client(voice)?;
    let old = read(&args.old, client.as_ref(), voice.lang).await?;
    let new = read(&args.new, client.as_ref(), voice.lang).await?;
    let changes = old.changes(&new);
    let words = Words::new()?;
    for change in &changes {
        if voice.json { say(as_json(change))? } else { say(sentence(change, &words, voice.lang))? }
    }
    if voice.json {
        return Ok(());
    }
    say(summary(&changes, voice.lang))
}

async fn read(source: &Source, client: Option<&Client>, lang: Lang) -> Result<Agreement, CliError> {
    match (source, client) {
        (Source::File(file), _) => Ok(Draft::read(file)?.document(lang)?.agreement),
        (Source::Registered(name), Some(client)) => Ok(client.agreement_version(&name.id, name.ver).await?.agreement),
        (Source::Registered(name), None) => Err(CliError::usage(
            format!("{}/{} is asked of the gateway: say --as DIR", name.id, name.ver),
            format!("{}/{} はゲートウェイに尋ねます。--as DIR を付けてください", name.id, name.ver),
        )),
    }
}

fn as_json(change: &Change) -> serde_json::Value {
    let mut told = json!({"part": change.part, "effect": change.effect});
    let mut put = |name: &str, value: serde_json::Value| {
        if let Some(members) = told.as_object_mut() {
            members.insert(name.to_owned(), value);
        }
    };
    if let Some((from, to)) = &change.flow {
        put("flow", json!({"from": from, "to": to}));
    }
    match &change.turn {
        Turn::Added(codes) => put("added", json!(codes)),
        Turn::Removed(codes) => put("removed", json!(codes)),
        Turn::Moved { old, new } => {
            put("old", json!(old));
            put("new", json!(new));
        }
    }
    told
}

fn sentence(change: &Change, words: &Words, lang: Lang) -> String {
    let mark = match change.effect {
        Effect::Widens => "+",
        Effect::Narrows => "-",
        Effect::Neither => "~",
    };
    let flow = change.flow.as_ref().map(|(from, to)| {
        let (from, to) = (words.side(from, lang), words.side(to, lang));
        match lang {
            Lang::En => format!("from {from} to {to}: "),
            Lang::Ja => format!("{from}から{to}へ："),
        }
    });
    let (flow, part) = (flow.unwrap_or_default(), text::part(change.part, lang));
    let effect = text::effect(change.effect, lang);
    let all = |codes: &[String]| words.all(change.part, codes, lang);
    match (&change.turn, lang) {
        (Turn::Added(_), Lang::En) if change.part == Part::Flow => format!("{mark} {flow}a new flow ({effect}), namely"),
        (Turn::Added(_), Lang::Ja) if change.part == Part::Flow => format!("{mark} {flow}流れを新たに設ける（{effect}）。内容は"),
        (Turn::Removed(_), Lang::En) if change.part == Part::Flow => format!("{mark} {flow}the flow ends ({effect}), namely"),
        (Turn::Removed(_), Lang::Ja) if change.part == Part::Flow => format!("{mark} {flow}流れを廃止する（{effect}）。内容は"),
        (Turn::Added(codes), Lang::En) => format!("{mark} {flow}{part}: added ({effect}): {}", all(codes)),
        (Turn::Added(codes), Lang::Ja) => format!("{mark} {flow}{part}に加える（{effect}）：{}", all(codes)),
        (Turn::Removed(codes), Lang::En) => format!("{mark} {flow}{part}: left out ({effect}): {}", all(codes)),
        (Turn::Removed(codes), Lang::Ja) => format!("{mark} {flow}{part}から除く（{effect}）：{}", all(codes)),
        (Turn::Moved { old, new }, Lang::En) => {
            format!("{mark} {flow}{part} ({effect}): {} → {}", super::words::plain(old), super::words::plain(new))
        }
        (Turn::Moved { old, new }, Lang::Ja) => {
            format!("{mark} {flow}{part}（{effect}）：{} → {}", super::words::plain(old), super::words::plain(new))
        }
    }
}

fn summary(changes: &[Change], lang: Lang) -> &'static str {
    let has = |effect| changes.iter().any(|change| change.effect == effect);
    match (has(Effect::Widens), has(Effect::Narrows)) {
        (true, true) => lang.of(
            "\nWider in some things, narrower in others. Messages sent under the earlier version are read under the narrower of the two.",
            "\n広がる点と狭まる点があります。前の版で送られたものは、二つの版の狭い方で読まれます。",
        ),
        (true, false) => lang.of(
            "\nOnly wider. What was sent under the earlier version is not opened further.",
            "\n広がるだけです。前の版で送られたものの開示は増えません。",
        ),
        (false, true) => lang.of(
            "\nOnly narrower. What is left out is closed for messages sent under the earlier version too.",
            "\n狭まるだけです。除いたものは、前の版で送られたものについても閉じます。",
        ),
        (false, false) if changes.is_empty() => lang.of("Both say the same.", "二つの版の内容は同じです。"),
        (false, false) => lang.of("\nNeither wider nor narrower.", "\n広がりも狭まりもしません。"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(part: Part, turn: Turn, effect: Effect) -> Change {
        let flow =
            (!matches!(part, Part::Party | Part::Until)).then(|| ("settlement_center".parse().unwrap(), "municipality".parse().unwrap()));
        Change { part, flow, turn, effect }
    }

    #[test]
    fn changes_are_told_in_plain_words_of_both_languages() {
        let words = Words::new().unwrap();
        let codes = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        let added = change(Part::Class, Turn::Added(codes(&["medical"])), Effect::Widens);
        assert_eq!(
            sentence(&added, &words, Lang::Ja),
            "+ 地域生活定着支援センター（settlement_center）から市町村（municipality）へ：情報区分に加える（広がる）：医療（medical）"
        );
        assert_eq!(
            sentence(&added, &words, Lang::En),
            "+ from settlement center to municipality: classes of information: added (wider): Medical (medical)"
        );
        let removed = change(Part::Party, Turn::Removed(codes(&["municipality:131016-1"])), Effect::Narrows);
        assert_eq!(sentence(&removed, &words, Lang::Ja), "- 当事者から除く（狭まる）：municipality:131016-1");
        let moved = change(Part::Until, Turn::Moved { old: "a".to_owned(), new: "b".to_owned() }, Effect::Widens);
        assert_eq!(sentence(&moved, &words, Lang::En), "+ end (wider): a → b");
        let ends = change(Part::Flow, Turn::Removed(Vec::new()), Effect::Narrows);
        assert!(sentence(&ends, &words, Lang::Ja).ends_with("流れを廃止する（狭まる）。内容は"));
    }

    #[test]
    fn the_summary_says_what_becomes_of_old_messages() {
        let wider = change(Part::Until, Turn::Added(Vec::new()), Effect::Widens);
        let narrower = change(Part::Until, Turn::Added(Vec::new()), Effect::Narrows);
        assert!(summary(&[wider.clone(), narrower.clone()], Lang::En).contains("narrower of the two"));
        assert!(summary(&[wider], Lang::Ja).contains("増えません"));
        assert!(summary(&[narrower], Lang::En).contains("closed"));
        assert_eq!(summary(&[], Lang::Ja), "二つの版の内容は同じです。");
    }
}
