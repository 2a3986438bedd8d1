//! From rules and facts to an answer that says why.

use super::{
    codes::{AddOn, Coordinator, Eligibility, Ground, Part, Rival, Statement, UnitOf},
    facts::{Coordination, Event, Facts},
    reason::{Need, Reason},
    rule::{Rule, RuleSet},
    window::{Days, Extension, Reach, Window, extension, reach},
};
use crate::domain::{codes::closed_list, day::Day};

closed_list! {
    /// What can be said about an add-on for a person.
    Verdict {
        /// The person is one for whom it can be claimed.
        Eligible = "eligible",
        /// The designating authority must say.
        ToConfirm = "to_confirm",
        /// Too little is known.
        Undecided = "undecided",
        NotEligible = "not_eligible",
    }
}

closed_list! {
    /// What can be said about one day.
    Claim {
        Claimable = "claimable",
        OutsideWindow = "outside_window",
        /// An add-on that excludes this one is claimed.
        Excluded = "excluded",
        /// The notice of the system does not count yet.
        BeforeNotice = "before_notice",
        /// The add-on has no days, or the person is not (or not yet known to be) one for whom it can be claimed.
        NotEligible = "not_eligible",
    }
}

/// Units during some days.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Rate {
    /// Which part of the add-on.
    pub part: Part,
    /// Units.
    pub unit: u32,
    /// What they are for.
    pub unit_of: UnitOf,
    /// First day.
    pub from: Day,
    /// Last day, where one is known.
    pub until: Option<Day>,
    /// Where the figure comes from.
    pub source: String,
    /// What is still open about it.
    pub note: Option<String>,
    /// Whether a source confirmed it.
    pub verified: bool,
    /// What confirmed it.
    pub verified_by: Option<String>,
    /// When.
    pub verified_on: Option<Day>,
}

/// Days that another add-on takes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Blocked {
    /// Which.
    pub by: Rival,
    /// The days.
    #[serde(flatten)]
    pub days: Days,
}

/// How often an add-on counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Count {
    /// What was held.
    pub held: u32,
    /// What counts.
    pub counted: u32,
    /// The most that can count.
    pub most: u32,
}

/// What the rules say about one add-on.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Assessment {
    /// The add-on.
    pub addon: AddOn,
    /// The answer.
    pub verdict: Verdict,
    /// Why.
    pub reasons: Vec<Reason>,
    /// What is missing.
    pub missing: Vec<Need>,
    /// The class of the event it rests on.
    pub eligibility: Option<Eligibility>,
    /// Who coordinated, in the words of a certificate.
    pub statement: Option<Statement>,
    /// When it can be claimed.
    pub window: Option<Window>,
    /// With a boundary: the last day by the way of counting used here, and by the other.
    pub boundary: Option<Days>,
    /// How often.
    pub count: Option<Count>,
    /// Days of the window that another add-on takes.
    pub blocked: Vec<Blocked>,
    /// From when the provider's notice counts, if that is later than the start.
    pub notice_from: Option<Day>,
    /// Units, in the order of their days.
    pub rates: Vec<Rate>,
    /// Days of the window for which no rule is on file.
    pub unruled: Vec<Days>,
}

impl Assessment {
    /// Whether nothing is missing for a claim.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.verdict == Verdict::Eligible && self.missing.is_empty()
    }

    /// What can be said about a claim for one day.
    #[must_use]
    pub fn on(&self, day: Day) -> Claim {
        let Some(window) = self.window.filter(|_| self.verdict == Verdict::Eligible) else { return Claim::NotEligible };
        if !window.days.contain(day) || self.unruled.iter().any(|days| days.contain(day)) {
            Claim::OutsideWindow
        } else if self.blocked.iter().any(|blocked| blocked.days.contain(day)) {
            Claim::Excluded
        } else if self.notice_from.is_some_and(|from| day < from) {
            Claim::BeforeNotice
        } else {
            Claim::Claimable
        }
    }
}

/// What the rules say about each add-on that goes with the service, in the order of the list. None: no rule knows the service.
#[must_use]
pub fn assess(rules: &RuleSet, facts: &Facts) -> Vec<Assessment> {
    let known = AddOn::ALL.iter().filter_map(|code| {
        let rows = rules.with(*code, facts.service);
        let governing = governing(&rows, facts)?;
        let mut draft = Draft::new(*code);
        match governing.window_years {
            Some(years) => draft.windowed(&rows, governing, years, facts),
            None => draft.counted(governing, facts),
        }
        Some(draft.done(governing, facts))
    });
    known.collect()
}

/// The row whose conditions apply: the one in force when the use began, else the first that came later.
fn governing<'a>(rows: &[&'a Rule], facts: &Facts) -> Option<&'a Rule> {
    let day = deciding_day(facts);
    let person = || rows.iter().filter(|rule| rule.part == Part::Person);
    let begun = day.and_then(|day| person().rfind(|rule| rule.from <= day));
    begun.or_else(|| person().next()).copied()
}

fn deciding_day(facts: &Facts) -> Option<Day> {
    facts.start.or_else(|| facts.events.iter().map(|event| event.on).max())
}

/// An answer in the making.
struct Draft(Assessment);

impl Draft {
    const fn new(addon: AddOn) -> Self {
        Self(Assessment {
            addon,
            verdict: Verdict::Undecided,
            reasons: Vec::new(),
            missing: Vec::new(),
            eligibility: None,
            statement: None,
            window: None,
            boundary: None,
            count: None,
            blocked: Vec::new(),
            notice_from: None,
            rates: Vec::new(),
            unruled: Vec::new(),
        })
    }

    fn because(&mut self, reason: Reason) {
        if !self.0.reasons.contains(&reason) {
            self.0.reasons.push(reason);
        }
    }

    fn lacks(&mut self, need: Need) {
        if !self.0.missing.contains(&need) {
            self.0.missing.push(need);
        }
    }

    /// An add-on for days.
    fn windowed(&mut self, rows: &[&Rule], rule: &Rule, years: u8, facts: &Facts) {
        if facts.start.is_none() {
            self.lacks(Need::Start);
        }
        if rule.needs_certificate {
            self.coordination(facts.coordination.as_ref(), facts.start);
        }
        let Some(start) = facts.start else {
            if self.grounds(rule, facts).is_empty() && facts.events.is_empty() {
                self.lacks(Need::Event);
            }
            return;
        };
        self.reach(rule, years, facts, start);
        if let Some(window) = self.0.window {
            self.exclusions(rows, window.days, facts);
            self.rates(rows, window.days);
            if let Some(from) = facts.notice_from.filter(|from| rule.needs_capability.contains(&super::Capability::Notice) && *from > start)
            {
                self.0.notice_from = Some(from);
                self.because(Reason::NoticeLater);
            }
        }
    }

    /// Coordination that began before the use did (F6).
    fn coordination(&mut self, coordination: Option<&Coordination>, start: Option<Day>) {
        let Some(Coordination { by, began }) = coordination else { return self.lacks(Need::Coordination) };
        self.0.statement = by.statement();
        if *by == Coordinator::Nobody {
            return self.because(Reason::NotCoordinated);
        }
        match (began, start) {
            (None, _) => self.lacks(Need::CoordinationBegan),
            (Some(began), Some(start)) if *began > start => self.because(Reason::CoordinationAfterStart),
            _ => {}
        }
    }

    /// The events that the rule knows.
    fn grounds<'a>(&mut self, rule: &Rule, facts: &'a Facts) -> Vec<&'a Event> {
        let counted: Vec<&Event> = facts.events.iter().filter(|event| rule.grounds.contains(&event.kind)).collect();
        if counted.is_empty() && !facts.events.is_empty() {
            self.because(Reason::GroundNotCounted);
        }
        counted
    }

    /// The best of the windows that the events open: the one that lasts longest.
    fn reach(&mut self, rule: &Rule, years: u8, facts: &Facts, start: Day) {
        if facts.events.is_empty() {
            return self.lacks(Need::Event);
        }
        let events = self.grounds(rule, facts);
        let home = facts.lived_at_home.unwrap_or(false);
        let reached: Vec<(&Event, Reach)> = events.iter().map(|event| (*event, reach(event, rule, years, start, home))).collect();
        let within =
            reached.iter().filter_map(|(event, reach)| if let Reach::Within(window) = reach { Some((*event, *window)) } else { None });
        if let Some((event, window)) = within.max_by_key(|(_, window)| window.days.until) {
            self.opens(rule, years, facts, event, window);
        } else if let Some((event, between)) =
            reached.iter().find_map(|(event, reach)| if let Reach::Boundary(days) = reach { Some((event, *days)) } else { None })
        {
            self.0.eligibility = Some(event.kind.eligibility());
            self.0.boundary = Some(between);
            self.because(Reason::Boundary);
        } else if reached.iter().any(|(_, reach)| *reach == Reach::Past) {
            self.because(Reason::PastWindow);
        } else if !reached.is_empty() {
            self.because(Reason::StartBeforeGround);
        }
        if events.iter().any(|event| extension(event, rule, years) == Extension::Unusable) {
            self.because(Reason::ExtensionUnusable);
        }
    }

    fn opens(&mut self, rule: &Rule, years: u8, facts: &Facts, event: &Event, window: Window) {
        self.0.eligibility = Some(event.kind.eligibility());
        self.0.window = Some(window);
        if window.late_start {
            self.because(Reason::LateStartAsNeeded);
        } else if facts.lived_at_home == Some(true) && event.kind == Ground::RehabFacilityRelease {
            self.because(Reason::LateStartUnclear);
        }
        if window.extended_after.is_some() {
            self.because(Reason::ByExtension);
        }
        let at_home = Reach::Within(window) != reach(event, rule, years, window.days.from, true);
        if facts.lived_at_home.is_none() && at_home && window.days.from > event.on.next() {
            self.lacks(Need::LivedAtHome);
        }
    }

    /// Days that another add-on takes (F9). Each row excludes on its own days.
    fn exclusions(&mut self, rows: &[&Rule], window: Days, facts: &Facts) {
        let person = rows.iter().filter(|rule| rule.part == Part::Person);
        for (rule, other) in person.flat_map(|rule| facts.others.iter().map(move |other| (rule, other))) {
            let during = window.common(rule.from, rule.until).filter(|_| rule.excludes.contains(&other.code));
            if let Some(days) = during.and_then(|days| days.common(other.from, other.until)) {
                self.0.blocked.push(Blocked { by: other.code, days });
                self.because(Reason::ExcludedDays);
            }
        }
    }

    /// The units of each part, cut to the window, and the days for which none are on file.
    fn rates(&mut self, rows: &[&Rule], window: Days) {
        let on_file = rows.iter().filter_map(|rule| window.common(rule.from, rule.until).map(|days| (*rule, days)));
        let on_file: Vec<(&Rule, Days)> = on_file.collect();
        let ruled: Vec<Days> = on_file.iter().filter(|(rule, _)| rule.part == Part::Person).map(|(_, days)| *days).collect();
        self.0.unruled = window.without(&ruled);
        self.0.rates = on_file.iter().map(|(rule, days)| rate(rule, days.from, Some(days.until))).collect();
        if ruled.is_empty() {
            self.because(Reason::NoRule);
        } else if !self.0.unruled.is_empty() {
            self.because(Reason::RatesMissing);
        }
        let blocked: Vec<Days> = self.0.blocked.iter().map(|blocked| blocked.days).collect();
        if !ruled.is_empty() && ruled.iter().all(|days| days.without(&blocked).is_empty()) {
            self.because(Reason::ExcludedThroughout);
        }
    }

    /// An add-on that counts occasions (F4).
    fn counted(&mut self, rule: &Rule, facts: &Facts) {
        if facts.events.is_empty() {
            self.lacks(Need::Event);
        }
        self.0.eligibility = self.grounds(rule, facts).first().map(|event| event.kind.eligibility());
        if rule.needs_certificate {
            self.coordination(facts.coordination.as_ref(), facts.start);
        }
        self.0.rates = vec![rate(rule, rule.from, rule.until)];
        if deciding_day(facts).is_some_and(|day| !rule.applies_on(day)) {
            self.because(Reason::RatesMissing);
        }
        let most = rule.max_count.unwrap_or_default();
        match facts.interviews {
            None => self.lacks(Need::Interviews),
            Some(0) => self.because(Reason::NoInterview),
            Some(held) => {
                self.0.count = Some(Count { held, counted: held.min(most), most });
                if held > most {
                    self.because(Reason::CountLimited);
                }
            }
        }
    }

    /// What else is missing, and the answer.
    fn done(mut self, rule: &Rule, facts: &Facts) -> Assessment {
        if rule.needs_certificate && !facts.certificate {
            self.lacks(Need::Certificate);
        }
        for capability in rule.needs_capability.iter().filter(|capability| !facts.has(**capability)) {
            self.lacks((*capability).into());
        }
        for evidence in rule.needs_evidence.iter().filter(|evidence| !facts.evidence.contains(evidence)) {
            self.lacks((*evidence).into());
        }
        if self.0.rates.iter().any(|rate| !rate.verified) {
            self.because(Reason::RatesUnverified);
        }
        self.0.verdict = if self.0.reasons.iter().any(|reason| reason.is_bar()) {
            Verdict::NotEligible
        } else if self.0.missing.iter().any(|need| need.decides()) {
            Verdict::Undecided
        } else if self.0.boundary.is_some() {
            Verdict::ToConfirm
        } else {
            Verdict::Eligible
        };
        self.0
    }
}

fn rate(rule: &Rule, from: Day, until: Option<Day>) -> Rate {
    Rate {
        part: rule.part,
        unit: rule.unit,
        unit_of: rule.unit_of,
        from,
        until,
        source: rule.source.clone(),
        note: rule.note.clone(),
        verified: rule.is_verified(),
        verified_by: rule.verified_by.clone(),
        verified_on: rule.verified_on,
    }
}
