//! Why an answer is what it is, and what is missing: closed lists, so that each has its words in both languages.

use super::codes::{Capability, Evidence};
use crate::domain::codes::closed_list;

closed_list! {
    /// Why an answer is what it is.
    Reason {
        /// The add-on does not know this event.
        GroundNotCounted = "ground_not_counted",
        StartBeforeGround = "start_before_ground",
        /// The use began after the years of the window.
        PastWindow = "past_window",
        NotCoordinated = "not_coordinated",
        CoordinationAfterStart = "coordination_after_start",
        /// An add-on that excludes this one is claimed on every day of the window.
        ExcludedThroughout = "excluded_throughout",
        NoInterview = "no_interview",
        /// No rule is on file for any day of the window.
        NoRule = "no_rule",
        /// Within the years by one way of counting and not by the other.
        Boundary = "boundary",
        /// Only as long as it is needed.
        LateStartAsNeeded = "late_start_as_needed",
        /// Whether a time at home after this event moves the window is not settled.
        LateStartUnclear = "late_start_unclear",
        /// A part of the window rests on a court's extension.
        ByExtension = "by_extension",
        ExtensionUnusable = "extension_unusable",
        ExcludedDays = "excluded_days",
        /// The notice of the system counts from a later day only.
        NoticeLater = "notice_later",
        /// More interviews than count.
        CountLimited = "count_limited",
        /// For some days of the window no rule is on file.
        RatesMissing = "rates_missing",
        /// No source has confirmed some of the figures.
        RatesUnverified = "rates_unverified",
    }
}

impl Reason {
    /// Whether the add-on cannot be claimed for this reason.
    #[must_use]
    pub const fn is_bar(self) -> bool {
        matches!(
            self,
            Self::GroundNotCounted
                | Self::StartBeforeGround
                | Self::PastWindow
                | Self::NotCoordinated
                | Self::CoordinationAfterStart
                | Self::ExcludedThroughout
                | Self::NoInterview
                | Self::NoRule
        )
    }
}

closed_list! {
    /// What is missing.
    Need {
        /// When and from what the person left, or what a court decided.
        Event = "event",
        Start = "start",
        Coordination = "coordination",
        CoordinationBegan = "coordination_began",
        /// Whether the person lived at home in between: it changes the window.
        LivedAtHome = "lived_at_home",
        Interviews = "interviews",
        Certificate = "certificate",
        Notice = "notice",
        QualifiedStaff = "qualified_staff",
        Guidance = "guidance",
        Training = "training",
        Cooperation = "cooperation",
        SupportPlan = "support_plan",
        CoordinationMeeting = "coordination_meeting",
        FacilityInformation = "facility_information",
        ServicePlan = "service_plan",
    }
}

impl Need {
    /// Whether nothing can be said about the person without it.
    #[must_use]
    pub const fn decides(self) -> bool {
        matches!(self, Self::Event | Self::Start | Self::Coordination | Self::Interviews)
    }
}

impl From<Capability> for Need {
    fn from(capability: Capability) -> Self {
        match capability {
            Capability::Notice => Self::Notice,
            Capability::QualifiedStaff => Self::QualifiedStaff,
            Capability::Guidance => Self::Guidance,
            Capability::Training => Self::Training,
            Capability::Cooperation => Self::Cooperation,
        }
    }
}

impl From<Evidence> for Need {
    fn from(evidence: Evidence) -> Self {
        match evidence {
            Evidence::SupportPlan => Self::SupportPlan,
            Evidence::CoordinationMeeting => Self::CoordinationMeeting,
            Evidence::FacilityInformation => Self::FacilityInformation,
            Evidence::ServicePlan => Self::ServicePlan,
        }
    }
}
