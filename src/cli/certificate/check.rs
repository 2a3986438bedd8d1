//! `tsunagi certificate check`: facts and rules in, an explained answer out. What is stated here is believed and kept nowhere.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use crate::{
    cli::{CliError, Voice, acting::say, policy},
    config,
    domain::{
        addon::{
            Assessment, Capability, Claim, Coordination, Coordinator, Event, Evidence, Facts, Ground, OtherClaim, Rate, Rival, RuleSet,
            Service, assess,
        },
        day::Day,
    },
    message::json as strict,
    policy::{PolicyError, PolicySet, addon_rules},
    text::{Lang, addon},
};

/// The facts, in a file or one by one.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// File with the facts: TOML, or JSON when its name ends so. The other options state them one by one instead.
    #[arg(long, value_name = "FILE", conflicts_with = "service")]
    facts: Option<PathBuf>,
    /// File of dated rules. Default: those this program was built with.
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// A day to be claimed: whether it can be.
    #[arg(long, value_name = "DAY")]
    on: Option<Day>,
    /// The service, such as group_home_inclusive, lodging_training, employment_b or planning.
    #[arg(long, value_name = "CODE")]
    service: Option<Service>,
    #[command(flatten)]
    stated: Stated,
}

/// Facts one by one. Days are written YYYY-MM-DD.
#[derive(Debug, Args)]
struct Stated {
    /// Release from a correctional facility.
    #[arg(long, value_name = "DAY", conflicts_with = "facts")]
    released: Option<Day>,
    /// Leaving a rehabilitation facility.
    #[arg(long, value_name = "DAY", conflicts_with = "facts")]
    left_rehab: Option<Day>,
    /// Decision for treatment outside hospital under the medical observation act.
    #[arg(long, value_name = "DAY", conflicts_with = "facts")]
    outpatient: Option<Day>,
    /// Permission to leave hospital under that act.
    #[arg(long, value_name = "DAY", conflicts_with = "facts")]
    discharge_permitted: Option<Day>,
    /// To when a court extended the period of either.
    #[arg(long, value_name = "DAY", conflicts_with = "facts")]
    extended_until: Option<Day>,
    /// When the use of the service began, or would begin.
    #[arg(long, value_name = "DAY", conflicts_with = "facts")]
    start: Option<Day>,
    /// Whether the person lived at home between release and use.
    #[arg(long, value_name = "true|false", conflicts_with = "facts")]
    lived_at_home: Option<bool>,
    /// Who coordinated: settlement_center, probation_office, municipality_with_center or nobody.
    #[arg(long, value_name = "CODE", conflicts_with = "facts")]
    coordinated_by: Option<Coordinator>,
    /// When the coordination began.
    #[arg(long, value_name = "DAY", conflicts_with = "facts", requires = "coordinated_by")]
    coordinated_from: Option<Day>,
    /// Another add-on that is claimed, CODE:FROM or CODE:FROM:UNTIL, such as psychiatric_transition:2026-04-01; more than once.
    #[arg(long = "other", value_name = "CODE:FROM[:UNTIL]", value_parser = other_claim, conflicts_with = "facts")]
    others: Vec<OtherClaim>,
    /// Interviews of the consultation office with the staff of the facility.
    #[arg(long, value_name = "N", conflicts_with = "facts")]
    interviews: Option<u32>,
    /// What the provider has in place: notice, qualified_staff, guidance, training, cooperation; more than once.
    #[arg(long = "capability", value_name = "CODE", conflicts_with = "facts")]
    capability: Vec<Capability>,
    /// From when the accepted notice counts.
    #[arg(long, value_name = "DAY", conflicts_with = "facts")]
    notice_from: Option<Day>,
    /// What can be shown: support_plan, coordination_meeting, facility_information, service_plan; more than once.
    #[arg(long = "evidence", value_name = "CODE", conflicts_with = "facts")]
    evidence: Vec<Evidence>,
    /// A certificate of the coordination is there.
    #[arg(long, conflicts_with = "facts")]
    certificate: bool,
}

pub(super) fn run(args: &CheckArgs, voice: Voice) -> Result<(), CliError> {
    let facts = match (&args.facts, args.service) {
        (Some(file), _) => read_facts(file)?,
        (None, Some(service)) => args.stated.facts(service)?,
        (None, None) => {
            return Err(CliError::usage("name the facts with --facts or --service", "--facts か --service で事実を示してください"));
        }
    };
    let (rules, origin) = rules(args.rules.as_deref())?;
    let found = assess(&rules, &facts);
    if voice.json {
        for one in &found {
            let mut line = serde_json::to_value(one).unwrap_or_default();
            if let Some(members) = line.as_object_mut() {
                members.insert("complete".to_owned(), json!(one.is_complete()));
                members.insert("rules".to_owned(), json!(origin));
                if let Some(day) = args.on {
                    members.insert("on".to_owned(), json!({"day": day, "claim": one.on(day)}));
                }
            }
            say(line)?;
        }
    } else {
        found.iter().flat_map(|one| lines(one, args.on, voice.lang)).try_for_each(say)?;
    }
    if found.is_empty() {
        return Err(CliError::usage(
            format!("these rules know no add-on for the service {}", facts.service),
            format!("サービス {} に当てはまる加算の規則がありません", facts.service),
        ));
    }
    Ok(())
}

/// The rules, and where they come from.
fn rules(file: Option<&Path>) -> Result<(RuleSet, String), CliError> {
    let Some(file) = file else {
        let set = PolicySet::builtin().map_err(|error| policy::unusable(&error))?;
        return Ok((set.addon_rules().clone(), format!("policy sha256 {}", set.digest())));
    };
    let name = file.display().to_string();
    let text = text(file)?;
    let wrong = |error: PolicyError| CliError::usage(format!("the rules cannot be used: {error}"), format!("規則を使えません: {error}"));
    Ok((addon_rules(&name, &text).map_err(wrong)?, name))
}

fn read_facts(file: &Path) -> Result<Facts, CliError> {
    let text = text(file)?;
    let wrong = |why: String| {
        CliError::usage(
            format!("{} does not state facts: {why}", file.display()),
            format!("{} は事実を書いたファイルではありません: {why}", file.display()),
        )
    };
    if file.extension().is_some_and(|extension| extension == "json") {
        let value = strict::parse(text.as_bytes()).map_err(|error| wrong(error.to_string()))?;
        return serde_json::from_value(value).map_err(|error| wrong(error.to_string()));
    }
    toml::from_str(&text).map_err(|error| wrong(error.message().to_owned()))
}

fn text(file: &Path) -> Result<String, CliError> {
    let unreadable = |why: String| CliError::usage(why.clone(), format!("ファイルを読めません: {why}"));
    let bytes = config::read_file(file).map_err(|error| unreadable(error.to_string()))?;
    String::from_utf8(bytes).map_err(|_| unreadable(format!("{}: not UTF-8", file.display())))
}

impl Stated {
    fn facts(&self, service: Service) -> Result<Facts, CliError> {
        let observed = self.outpatient.is_some() || self.discharge_permitted.is_some();
        if self.extended_until.is_some() && !observed {
            return Err(CliError::usage(
                "--extended-until goes with --outpatient or --discharge-permitted",
                "--extended-until は --outpatient か --discharge-permitted と一緒に使います",
            ));
        }
        let event = |kind: Ground, on: Option<Day>| {
            on.map(|on| Event { kind, on, extended_until: self.extended_until.filter(|_| kind.is_extensible()) })
        };
        Ok(Facts {
            events: [
                event(Ground::CorrectionalRelease, self.released),
                event(Ground::RehabFacilityRelease, self.left_rehab),
                event(Ground::OutpatientDecision, self.outpatient),
                event(Ground::DischargePermission, self.discharge_permitted),
            ]
            .into_iter()
            .flatten()
            .collect(),
            start: self.start,
            lived_at_home: self.lived_at_home,
            coordination: self.coordinated_by.map(|by| Coordination { by, began: self.coordinated_from }),
            others: self.others.clone(),
            interviews: self.interviews,
            capability: self.capability.clone(),
            notice_from: self.notice_from,
            evidence: self.evidence.clone(),
            certificate: self.certificate,
            ..Facts::of(service)
        })
    }
}

/// An answer for a person to read.
fn lines(one: &Assessment, on: Option<Day>, lang: Lang) -> Vec<String> {
    let (name, other) = (addon::addon(one.addon, lang), addon::addon(one.addon, if lang == Lang::Ja { Lang::En } else { Lang::Ja }));
    let mut told = vec![format!("{name} ({other}): {}", addon::verdict(one.verdict, lang))];
    let mut say = |heading: [&str; 2], text: String| told.push(format!("  {}: {text}", lang.of(heading[0], heading[1])));
    if let Some(code) = one.eligibility {
        say(["ground", "要件の別"], addon::eligibility(code, lang).to_owned());
    }
    if let Some(code) = one.statement {
        say(["coordination", "調整"], addon::statement(code, lang).to_owned());
    }
    if let Some(window) = one.window {
        say(["window", "算定できる期間"], days(window.days.from, Some(window.days.until), lang));
    }
    if let Some(between) = one.boundary {
        say(["last day by the two ways of counting", "二つの数え方による末日"], format!("{} / {}", between.from, between.until));
    }
    if let Some(count) = one.count {
        let (held, counted, most) = (count.held, count.counted, count.most);
        say(
            ["times", "回数"],
            lang.of(&format!("{counted} of {held} (at most {most})"), &format!("{held} 回のうち {counted} 回（上限 {most} 回）"))
                .to_owned(),
        );
    }
    for rate in &one.rates {
        say(["units", "単位数"], units(rate, lang));
    }
    for without in &one.unruled {
        say(["no rule on file", "規則のない日"], days(without.from, Some(without.until), lang));
    }
    for blocked in &one.blocked {
        say(
            ["not on", "除く日"],
            format!("{} ({})", days(blocked.days.from, Some(blocked.days.until), lang), addon::rival(blocked.by, lang)),
        );
    }
    if let Some(from) = one.notice_from {
        say(["notice counts from", "届出の適用日"], from.to_string());
    }
    for reason in &one.reasons {
        say(["note", "注意"], addon::reason(*reason, lang).to_owned());
    }
    for need in &one.missing {
        say(["missing", "足りないもの"], addon::need(*need, lang).to_owned());
    }
    if let Some(day) = on {
        let claim = one.on(day);
        let if_complete = if claim == Claim::Claimable && !one.is_complete() {
            lang.of(", once nothing is missing", "（足りないものがそろえば）")
        } else {
            ""
        };
        told.push(format!("  {day}: {}{if_complete}", addon::claim(claim, lang)));
    }
    told
}

fn units(rate: &Rate, lang: Lang) -> String {
    let figure = format!("{} {} ({})", rate.unit, addon::per(rate.unit_of, lang), addon::part(rate.part, lang));
    let when = days(rate.from, rate.until, lang);
    let confirmed = match (&rate.verified_by, rate.verified_on) {
        (Some(by), Some(on)) => lang.of(&format!("verified {on}: {by}"), &format!("確認 {on}: {by}")).to_owned(),
        _ => format!("{}: {}", lang.of("UNVERIFIED", "未確認"), rate.note.as_deref().unwrap_or_default()),
    };
    format!("{figure}, {when} [{}] {confirmed}", rate.source)
}

fn days(from: Day, until: Option<Day>, lang: Lang) -> String {
    match (until, lang) {
        (Some(until), Lang::En) => format!("{from} to {until}"),
        (Some(until), Lang::Ja) => format!("{from} から {until} まで"),
        (None, Lang::En) => format!("from {from}"),
        (None, Lang::Ja) => format!("{from} から"),
    }
}

fn other_claim(text: &str) -> Result<OtherClaim, String> {
    let wrong = |_| "CODE:FROM[:UNTIL]".to_owned();
    let mut parts = text.split(':');
    let (code, from) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let until = parts.next().map(str::parse::<Day>).transpose().map_err(wrong)?;
    let (code, from) = (code.parse::<Rival>().map_err(wrong)?, from.parse::<Day>().map_err(wrong)?);
    if parts.next().is_some() || until.is_some_and(|until| until < from) {
        return Err("CODE:FROM[:UNTIL]".to_owned());
    }
    Ok(OtherClaim { code, from, until })
}
