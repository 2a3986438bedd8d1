//! What is known about one person and one service. Dates say when somebody left a facility: nothing here prints itself.

use serde::Deserialize;

use super::codes::{Capability, Coordinator, Evidence, Ground, Rival, Service};
use crate::domain::day::Day;

/// The facts that the rules ask about. What is absent is not known.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// The service.
    pub service: Service,
    /// The events that may open the window.
    #[serde(default, rename = "event")]
    pub events: Vec<Event>,
    /// When the use of the service began.
    pub start: Option<Day>,
    /// Whether the person lived at home between the event and the start.
    pub lived_at_home: Option<bool>,
    /// Who coordinated.
    pub coordination: Option<Coordination>,
    /// Add-ons of other rules that are claimed for the person.
    #[serde(default, rename = "other")]
    pub others: Vec<OtherClaim>,
    /// How many interviews the consultation office had with the staff of the facility.
    pub interviews: Option<u32>,
    /// What the provider has in place.
    #[serde(default)]
    pub capability: Vec<Capability>,
    /// From when the accepted notice of the system counts.
    pub notice_from: Option<Day>,
    /// What can be shown.
    #[serde(default)]
    pub evidence: Vec<Evidence>,
    /// Whether a certificate of the coordination is there.
    #[serde(default)]
    pub certificate: bool,
}

/// An event that may open a window.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// What happened.
    pub kind: Ground,
    /// When.
    pub on: Day,
    /// To when a court extended the period.
    pub extended_until: Option<Day>,
}

/// Coordination of the use of the service.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coordination {
    /// By whom.
    pub by: Coordinator,
    /// When it began.
    pub began: Option<Day>,
}

/// Another add-on, claimed during some days.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OtherClaim {
    /// Which.
    pub code: Rival,
    /// First day.
    pub from: Day,
    /// Last day; none: no end is known.
    pub until: Option<Day>,
}

impl Facts {
    /// That nothing is known but the service.
    #[must_use]
    pub const fn of(service: Service) -> Self {
        Self {
            service,
            events: Vec::new(),
            start: None,
            lived_at_home: None,
            coordination: None,
            others: Vec::new(),
            interviews: None,
            capability: Vec::new(),
            notice_from: None,
            evidence: Vec::new(),
            certificate: false,
        }
    }

    /// Whether the provider has something in place. A notice that counts from some day is a notice.
    pub(super) fn has(&self, capability: Capability) -> bool {
        self.capability.contains(&capability) || (capability == Capability::Notice && self.notice_from.is_some())
    }
}

impl std::fmt::Debug for OtherClaim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OtherClaim").field("code", &self.code).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Facts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Facts").field("service", &self.service).finish_non_exhaustive()
    }
}
