//! The closed lists of the add-ons (`domain.md` section 5 O and section 9). What a certificate or a message names has the codes of the schemas.

use crate::domain::codes::closed_list;

closed_list! {
    /// An add-on (list `addOn` of the schemas).
    AddOn {
        /// 地域生活移行個別支援特別加算.
        CommunityLifeTransition = "community_life_transition",
        /// 社会生活支援特別加算.
        SocialLifeSupport = "social_life_support",
        /// 退院・退所加算.
        DischargePlanning = "discharge_planning",
    }
}

closed_list! {
    /// What a certificate says about who coordinated (list `certStatement`).
    Statement {
        CoordinatedByCenter = "coordinated_by_center",
        CoordinatedByProbationOffice = "coordinated_by_probation_office",
        CoordinatedByMunicipalityWithCenter = "coordinated_by_municipality_with_center",
    }
}

closed_list! {
    /// What a certificate says about why: no finer than this (list `certEligibility`).
    Eligibility {
        CorrectionalRelease = "correctional_release",
        RehabFacilityRelease = "rehab_facility_release",
        OutpatientObservation = "outpatient_observation",
    }
}

closed_list! {
    /// The event from which the years of a window are counted.
    Ground {
        /// 矯正施設等の退所.
        CorrectionalRelease = "correctional_release",
        /// 更生保護施設等の退所.
        RehabFacilityRelease = "rehab_facility_release",
        /// 医療観察法の通院決定.
        OutpatientDecision = "outpatient_decision",
        /// 医療観察法の退院許可決定.
        DischargePermission = "discharge_permission",
    }
}

impl Ground {
    /// The class that a certificate shows of it.
    #[must_use]
    pub const fn eligibility(self) -> Eligibility {
        match self {
            Self::CorrectionalRelease => Eligibility::CorrectionalRelease,
            Self::RehabFacilityRelease => Eligibility::RehabFacilityRelease,
            Self::OutpatientDecision | Self::DischargePermission => Eligibility::OutpatientObservation,
        }
    }

    /// Whether a court can extend the period that it begins (医療観察法44条).
    #[must_use]
    pub const fn is_extensible(self) -> bool {
        matches!(self.eligibility(), Eligibility::OutpatientObservation)
    }
}

closed_list! {
    /// Who coordinated the use of the service.
    Coordinator {
        SettlementCenter = "settlement_center",
        ProbationOffice = "probation_office",
        /// The municipality or its core centre, together with the settlement centre: counts as the centre.
        MunicipalityWithCenter = "municipality_with_center",
        /// The person, the family or somebody else: no coordination in the sense of the add-ons.
        Nobody = "nobody",
    }
}

impl Coordinator {
    /// What a certificate would say; nothing where nobody coordinated.
    #[must_use]
    pub const fn statement(self) -> Option<Statement> {
        match self {
            Self::SettlementCenter => Some(Statement::CoordinatedByCenter),
            Self::ProbationOffice => Some(Statement::CoordinatedByProbationOffice),
            Self::MunicipalityWithCenter => Some(Statement::CoordinatedByMunicipalityWithCenter),
            Self::Nobody => None,
        }
    }
}

closed_list! {
    /// A kind of service (list `serviceType`).
    Service {
        GroupHomeInclusive = "group_home_inclusive",
        GroupHomeExternal = "group_home_external",
        GroupHomeDaytime = "group_home_daytime",
        LodgingTraining = "lodging_training",
        SupportFacility = "support_facility",
        FunctionalTraining = "functional_training",
        LifeTraining = "life_training",
        EmploymentTransition = "employment_transition",
        EmploymentA = "employment_a",
        EmploymentB = "employment_b",
        DailyCare = "daily_care",
        ShortStay = "short_stay",
        CommunityTransition = "community_transition",
        CommunitySettlement = "community_settlement",
        IndependentLiving = "independent_living",
        Planning = "planning",
        Other = "other",
    }
}

closed_list! {
    /// What a number of units is for.
    UnitOf {
        Day = "day",
        /// 1回.
        Time = "time",
    }
}

closed_list! {
    /// Which part of an add-on a rule is about.
    Part {
        /// For the person who is served.
        Person = "person",
        /// For having the system in place (体制).
        System = "system",
    }
}

closed_list! {
    /// An add-on of others' rules that cannot be claimed on the same day.
    Rival {
        /// 精神障害者地域移行特別加算.
        PsychiatricTransition = "psychiatric_transition",
    }
}

closed_list! {
    /// What the provider must have in place.
    Capability {
        /// The notice of the system was accepted (体制の届出).
        Notice = "notice",
        /// 社会福祉士・精神保健福祉士・公認心理師.
        QualifiedStaff = "qualified_staff",
        /// A system of guidance by them.
        Guidance = "guidance",
        /// Training at least once a year.
        Training = "training",
        /// Cooperation with probation office, rehabilitation facility, designated hospital, mental-health centre.
        Cooperation = "cooperation",
    }
}

closed_list! {
    /// What a claim must be able to show.
    Evidence {
        /// A support plan with the adjustment of the surroundings.
        SupportPlan = "support_plan",
        /// A coordination meeting.
        CoordinationMeeting = "coordination_meeting",
        /// What the staff of the facility told.
        FacilityInformation = "facility_information",
        /// サービス等利用計画.
        ServicePlan = "service_plan",
    }
}

closed_list! {
    /// Why a certificate is revoked (list `revocationReason`).
    RevocationReason {
        IssuedInError = "issued_in_error",
        FactsChanged = "facts_changed",
        NotEligible = "not_eligible",
        Replaced = "replaced",
    }
}
