//! What a certificate must fit before a gateway vouches for it: the rules of the add-ons, and what the ledger shows of the case.
//!
//! Not here: whether what the issuer states is true. The ledger holds no day of a release; what it shows is who worked on the case before the provider
//! took the person on.

use super::{
    codes::{AddOn, Eligibility, Part, Service, Statement},
    rule::{Rule, RuleSet},
    window::Days,
};
use crate::domain::{
    codes::MessageKind,
    party::{PartyId, PartyKind},
};

/// A message of a case and its entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passed {
    /// Index of the entry.
    pub idx: u64,
    /// Kind.
    pub kind: MessageKind,
    /// Issuer.
    pub from: PartyId,
    /// Recipient.
    pub to: PartyId,
}

/// What a certificate does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misfit {
    /// No rule lets the add-on be claimed on a certificate with a service of this provider from the first day on.
    AddOn,
    /// The rules do not know this ground for the add-on.
    Eligibility,
    /// The window is longer than the years of the rules.
    Window,
    /// Whoever is said to have coordinated did nothing in the case before the provider took the person on.
    Coordination,
    /// The provider never took the person on.
    Provider,
}

/// What is certified.
#[derive(Debug, Clone, Copy)]
pub struct Certified<'a> {
    /// Who certifies.
    pub issuer: &'a PartyId,
    /// Who coordinated.
    pub statement: Statement,
    /// The provider who serves the person.
    pub provider: &'a PartyId,
    /// The add-ons.
    pub addons: &'a [AddOn],
    /// The ground.
    pub eligibility: Eligibility,
    /// The days.
    pub window: Days,
}

impl Certified<'_> {
    /// Whether the dated rules allow the add-ons with a service that the provider can be, on this ground, for so long.
    ///
    /// # Errors
    /// The first misfit.
    pub fn fits(&self, rules: &RuleSet) -> Result<(), Misfit> {
        let services = services(self.provider.kind());
        for addon in self.addons {
            let with = |rule: &&Rule| {
                let of_service = rule.service_types.iter().any(|service| services.contains(service));
                rule.code == *addon && rule.part == Part::Person && rule.needs_certificate && of_service
            };
            let mut applying = rules.rules().iter().filter(with).filter(|rule| rule.applies_on(self.window.from)).peekable();
            if applying.peek().is_none() {
                return Err(Misfit::AddOn);
            }
            let grounds = |rule: &Rule| rule.grounds.iter().any(|ground| ground.eligibility() == self.eligibility);
            let lasts = applying.filter(|rule| grounds(rule)).map(|rule| years(rule, self.eligibility)).max().ok_or(Misfit::Eligibility)?;
            if self.window.until > self.window.from.last_of_years(lasts) {
                return Err(Misfit::Window);
            }
        }
        Ok(())
    }

    /// The entries that bear it out, as few as do: with which the coordinator first acted, with which the municipality first answered it or asked
    /// it, and with which the provider took the person on. What came after that coordinated no start of use.
    ///
    /// # Errors
    /// What the entries do not show.
    pub fn borne_out_by(&self, passed: &[Passed]) -> Result<Vec<u64>, Misfit> {
        let takes_on = |kind| matches!(kind, MessageKind::PlacementDecision | MessageKind::ProviderConsultation);
        let began = passed.iter().rfind(|passed| passed.from == *self.provider && takes_on(passed.kind)).ok_or(Misfit::Provider)?;
        let before = || passed.iter().filter(|passed| passed.idx < began.idx);
        let worked = before().find(|passed| self.coordinated(&passed.from) && coordinates(passed.kind)).ok_or(Misfit::Coordination)?;
        let met = before().find(|passed| passed.from.kind().leads_cases() && passed.to == worked.from);
        if met.is_none() && self.statement == Statement::CoordinatedByMunicipalityWithCenter {
            return Err(Misfit::Coordination);
        }
        let mut entries: Vec<u64> = [Some(worked), met, Some(began)].into_iter().flatten().map(|passed| passed.idx).collect();
        entries.sort_unstable();
        entries.dedup();
        Ok(entries)
    }

    /// Whether this party is the one that the statement is about.
    fn coordinated(&self, party: &PartyId) -> bool {
        match self.statement {
            Statement::CoordinatedByCenter | Statement::CoordinatedByProbationOffice => party == self.issuer,
            Statement::CoordinatedByMunicipalityWithCenter => party.kind() == PartyKind::SettlementCenter,
        }
    }
}

/// How many years a window under a rule lasts at most: what a court added, only its decision shows.
fn years(rule: &Rule, eligibility: Eligibility) -> i32 {
    let extends = eligibility == Eligibility::OutpatientObservation;
    i32::from(rule.window_years.unwrap_or_default()) + i32::from(rule.extension_years.filter(|_| extends).unwrap_or_default())
}

/// Kinds with which somebody works on a case, other than being told of it.
const fn coordinates(kind: MessageKind) -> bool {
    matches!(
        kind,
        MessageKind::Referral
            | MessageKind::ThirdPartyReferral
            | MessageKind::Supplement
            | MessageKind::CenterTransfer
            | MessageKind::ConsultationReply
            | MessageKind::MunicipalAdviceReply
            | MessageKind::StatusNotice
            | MessageKind::VisitRecord
            | MessageKind::HandoverProposal
            | MessageKind::HandoverAgreed
    )
}

/// The services that a provider of this kind can be.
const fn services(kind: PartyKind) -> &'static [Service] {
    match kind {
        PartyKind::GroupHome => &[Service::GroupHomeInclusive, Service::GroupHomeExternal, Service::GroupHomeDaytime],
        PartyKind::LodgingTraining => &[Service::LodgingTraining],
        PartyKind::SupportFacility => &[Service::SupportFacility],
        PartyKind::DayService => &[
            Service::FunctionalTraining,
            Service::LifeTraining,
            Service::EmploymentTransition,
            Service::EmploymentA,
            Service::EmploymentB,
            Service::DailyCare,
        ],
        PartyKind::ConsultationOffice => &[Service::Planning],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{days, rules},
        *,
    };

    const CENTRE: &str = "settlement_center:13-1";
    const CITY: &str = "municipality:131016-1";
    const HOME: &str = "group_home:1320100017";
    const DAY: &str = "day_service:1310100019";

    fn certified<R>(statement: Statement, provider: &str, ask: impl FnOnce(Certified<'_>) -> R) -> R {
        let issuer = if statement == Statement::CoordinatedByCenter { CENTRE } else { CITY }.parse().unwrap();
        let provider: PartyId = provider.parse().unwrap();
        ask(Certified {
            issuer: &issuer,
            statement,
            provider: &provider,
            addons: &[AddOn::CommunityLifeTransition],
            eligibility: Eligibility::CorrectionalRelease,
            window: days("2026-09-01", "2029-08-31"),
        })
    }

    fn story(steps: &[(MessageKind, &str, &str)]) -> Vec<Passed> {
        let passed = |(idx, (kind, from, to)): (u64, &(MessageKind, &str, &str))| Passed {
            idx,
            kind: *kind,
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
        };
        (10..).zip(steps).map(passed).collect()
    }

    #[test]
    fn the_dated_rules_decide_about_service_ground_and_length() {
        let fits = |provider: &str, change: fn(&mut Certified<'_>)| {
            certified(Statement::CoordinatedByCenter, provider, |mut certified| {
                change(&mut certified);
                certified.fits(&rules())
            })
        };
        assert_eq!(fits(HOME, |_| ()), Ok(()));
        assert_eq!(fits(DAY, |_| ()), Err(Misfit::AddOn), "a day service has another add-on");
        assert_eq!(fits(DAY, |certified| certified.addons = &[AddOn::SocialLifeSupport]), Ok(()));
        assert_eq!(fits("consultation_office:1330100015", |c| c.addons = &[AddOn::DischargePlanning]), Err(Misfit::AddOn), "needs none");
        assert_eq!(fits(HOME, |certified| certified.window = days("1970-01-01", "1972-01-01")), Err(Misfit::AddOn), "before every rule");
        assert_eq!(fits(HOME, |certified| certified.window = days("2026-09-01", "2029-09-01")), Err(Misfit::Window));
        let longer = |certified: &mut Certified<'_>| {
            (certified.eligibility, certified.window) = (Eligibility::OutpatientObservation, days("2026-09-01", "2031-08-31"));
        };
        assert_eq!(fits(HOME, longer), Ok(()), "a court can extend it by two years");
        let mut narrow = rules().rules().to_vec();
        for rule in &mut narrow {
            rule.grounds.retain(|ground| ground.is_extensible() || rule.max_count.is_some());
        }
        for rule in &mut narrow {
            rule.late_start.clear();
        }
        let narrow = RuleSet::of(narrow).unwrap();
        assert_eq!(certified(Statement::CoordinatedByCenter, HOME, |certified| certified.fits(&narrow)), Err(Misfit::Eligibility));
    }

    #[test]
    fn the_ledger_shows_who_worked_before_the_provider_took_the_person_on() {
        use MessageKind as K;
        let whole = story(&[
            (K::Referral, CENTRE, CITY),
            (K::ReferralDecision, CITY, CENTRE),
            (K::Supplement, CENTRE, CITY),
            (K::PlacementRequest, CITY, HOME),
            (K::PlacementDecision, HOME, CITY),
            (K::StatusNotice, HOME, CITY),
        ]);
        let asked = |statement, provider: &str, passed: &[Passed]| certified(statement, provider, |c| c.borne_out_by(passed));
        let (centre, city) = (Statement::CoordinatedByCenter, Statement::CoordinatedByMunicipalityWithCenter);
        assert_eq!(asked(centre, HOME, &whole), Ok(vec![10, 11, 14]), "no more entries than show it");
        assert_eq!(asked(city, HOME, &whole), Ok(vec![10, 11, 14]));
        assert_eq!(asked(centre, DAY, &whole), Err(Misfit::Provider), "another provider");
        assert_eq!(asked(Statement::CoordinatedByProbationOffice, HOME, &whole), Err(Misfit::Coordination), "the issuer sent nothing");
        let told = story(&[
            (K::ThirdPartyReferral, "bar_association:13-1", CITY),
            (K::CenterShare, CITY, CENTRE),
            (K::PlacementDecision, HOME, CITY),
        ]);
        assert_eq!(asked(city, HOME, &told), Err(Misfit::Coordination), "a centre that was only told coordinated nothing");
        let late =
            story(&[(K::ProviderConsultation, HOME, CITY), (K::ConsultationRequest, CITY, CENTRE), (K::ConsultationReply, CENTRE, CITY)]);
        assert_eq!(asked(city, HOME, &late), Err(Misfit::Coordination), "the use had begun");
        let silent = story(&[(K::Referral, CENTRE, CITY), (K::PlacementDecision, HOME, CITY)]);
        assert_eq!((asked(centre, HOME, &silent), asked(city, HOME, &silent)), (Ok(vec![10, 11]), Err(Misfit::Coordination)));
        assert_eq!(asked(centre, HOME, &[]), Err(Misfit::Provider));
    }
}
