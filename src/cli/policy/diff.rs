//! `tsunagi policy diff`: what a new set shows to whom that an old one did not, over the whole closed domain, and the other way round.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::{CliError, Voice, load, say, words};
use crate::{
    domain::party::PartyKind,
    policy::{CodeList, Deed, PolicySet, Region, RuleId, Situations},
    text::Lang,
};

/// Compares two policy sets. `builtin` is the set this program was built with.
#[derive(Debug, Args)]
pub(super) struct DiffArgs {
    /// Folder of the old set; left out: the set this program was built with.
    #[arg(value_name = "OLD")]
    first: PathBuf,
    /// Folder of the new set. With one folder only, that is the new one.
    #[arg(value_name = "NEW")]
    second: Option<PathBuf>,
}

pub(super) fn run(args: &DiffArgs, voice: Voice) -> Result<(), CliError> {
    let named = |folder: &Path| load((folder != Path::new("builtin")).then_some(folder));
    let (old, new) = match &args.second {
        Some(second) => (named(&args.first)?, named(second)?),
        None => (load(None)?, named(&args.first)?),
    };
    let more = Side { by: &new, than: &old, region: new.shows_beyond(&old), deeds: new.may_beyond(&old) };
    let less = Side { by: &old, than: &new, region: old.shows_beyond(&new), deeds: old.may_beyond(&new) };
    if voice.json {
        return say(json!({"old": old.digest(), "new": new.digest(), "shows": more.json(), "no_longer_shows": less.json()}));
    }
    if more.is_empty() && less.is_empty() {
        return say(voice.lang.of(
            "The new set shows nobody anything that the old one did not, and nothing less; everybody may do the same.",
            "新しい方針は、古い方針が見せなかったものをだれにも見せず、減るものもありません。できる操作も同じです。",
        ));
    }
    let headings = [
        (&more, "Newly shown", "新たに見せるもの", "Newly allowed", "新たにできる操作"),
        (&less, "No longer shown", "見せなくなるもの", "No longer allowed", "できなくなる操作"),
    ];
    for (side, shown_en, shown_ja, allowed_en, allowed_ja) in headings {
        side.print(voice.lang, voice.lang.of(shown_en, shown_ja), voice.lang.of(allowed_en, allowed_ja))?;
    }
    Ok(())
}

/// What one set shows and allows beyond the other.
struct Side<'a> {
    by: &'a PolicySet,
    than: &'a PolicySet,
    region: Region,
    deeds: Vec<(PartyKind, Deed)>,
}

impl Side<'_> {
    fn is_empty(&self) -> bool {
        self.region.is_empty() && self.deeds.is_empty()
    }

    /// The policies that permit the first of some situations by one set, and what withholds it by the other.
    fn rules(&self, situations: &Situations) -> (Vec<String>, Vec<String>) {
        let Some(key) = situations.first() else { return Default::default() };
        let (shows, withholds) = (self.by.decide(&key), self.than.decide(&key));
        let mut against: Vec<String> = withholds.forbids.iter().map(ToString::to_string).collect();
        if withholds.permits.is_empty() {
            against.push(RuleId::NECESSITY.to_owned());
        }
        (shows.permits.iter().map(ToString::to_string).collect(), against)
    }

    fn print(&self, lang: Lang, shown: &str, allowed: &str) -> Result<(), CliError> {
        if !self.region.is_empty() {
            say(format!("{shown} ({}):", self.region.count()))?;
        }
        for situations in self.region.situations() {
            let mut lines = words::lines(self.by, &situations, lang).into_iter();
            say(format!("- {}", lines.next().unwrap_or_else(|| lang.of("everything", "すべて").to_owned())))?;
            for line in lines {
                say(format!("  {line}"))?;
            }
            let (permits, against) = self.rules(&situations);
            let (permits, against) = (permits.join(" "), against.join(" "));
            say(match lang {
                Lang::En => format!("  permitted by {permits}; by the other set withheld by {against}"),
                Lang::Ja => format!("  許可する方針: {permits}／他方の方針で止めるもの: {against}"),
            })?;
        }
        if !self.deeds.is_empty() {
            say(format!("{allowed} ({}):", self.deeds.len()))?;
        }
        for (actor, deed) in &self.deeds {
            say(format!("- {}: {deed}", self.by.label(CodeList::OrgKind, actor.as_str(), lang)))?;
        }
        Ok(())
    }

    fn json(&self) -> Value {
        let situation = |situations: &Situations| {
            let (permitted_by, withheld_by) = self.rules(situations);
            json!({
                "readers": situations.readers, "purposes": situations.purposes, "relations": situations.relations,
                "classes": situations.classes, "senders": situations.senders, "kinds": situations.kinds, "bases": situations.bases,
                "agreements": situations.agreements, "consents": situations.consents, "named": situations.named,
                "permitted_by": permitted_by, "withheld_by": withheld_by,
            })
        };
        let situations: Vec<Value> = self.region.situations().iter().map(situation).collect();
        let deeds: Vec<Value> = self.deeds.iter().map(|(actor, deed)| json!({"actor": actor, "operation": deed.to_string()})).collect();
        json!({"count": self.region.count(), "situations": situations, "operations": deeds})
    }
}
