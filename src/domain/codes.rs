//! Closed lists: ASCII code on the wire, one Rust variant each (`design: protocol.md` sections 1, 2 and 5, `domain.md` section 6).

/// The text is not one of the codes of its list. Holds the list's name, never the text: it may be personal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a code of the list {0}")]
pub struct UnknownCode(pub &'static str);

/// Declares an enum whose values are exactly the codes of a closed list, with `ALL`, `as_str`, `FromStr`, `Display` and serde.
macro_rules! closed_list {
    ($(#[$meta:meta])* $name:ident { $($(#[$var_meta:meta])* $variant:ident = $code:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$var_meta])* #[doc = concat!("`", $code, "`")] $variant,)+ }

        impl $name {
            /// Every code, in the order of the list.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The code as it stands on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::domain::codes::UnknownCode;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($code => Ok(Self::$variant),)+
                    _ => Err($crate::domain::codes::UnknownCode(stringify!($name))),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use closed_list;

closed_list! {
    /// What a message or a read is for (利用目的).
    Purpose {
        PlacementCoordination = "placement_coordination",
        ServicePlanning = "service_planning",
        ServiceProvision = "service_provision",
        BackupConsultation = "backup_consultation",
        AddonCertification = "addon_certification",
        BenefitDecision = "benefit_decision",
        AuditReview = "audit_review",
        /// Keys, agreements, registration: every unit has it.
        Administration = "administration",
    }
}

closed_list! {
    /// Message kinds (`domain.md` section 4).
    MessageKind {
        Referral = "referral",
        ReferralAck = "referral_ack",
        ReferralDecision = "referral_decision",
        Supplement = "supplement",
        Correction = "correction",
        ResourceInfo = "resource_info",
        Enquiry = "enquiry",
        EnquiryReply = "enquiry_reply",
        PlacementRequest = "placement_request",
        PlacementDecision = "placement_decision",
        PlanRequest = "plan_request",
        PlanNotice = "plan_notice",
        BenefitNotice = "benefit_notice",
        ServiceHandoff = "service_handoff",
        MeetingNotice = "meeting_notice",
        MeetingRecord = "meeting_record",
        StatusNotice = "status_notice",
        HandoverProposal = "handover_proposal",
        HandoverAgreed = "handover_agreed",
        ConsultationRequest = "consultation_request",
        ConsultationReply = "consultation_reply",
        MunicipalAdviceRequest = "municipal_advice_request",
        MunicipalAdviceReply = "municipal_advice_reply",
        ThirdPartyReferral = "third_party_referral",
        CenterShare = "center_share",
        CenterTransfer = "center_transfer",
        CoordinationCertificate = "coordination_certificate",
        CertificateRevocation = "certificate_revocation",
        ConsentEvent = "consent_event",
        ErasureRequest = "erasure_request",
        ErasureReport = "erasure_report",
        IncidentNotice = "incident_notice",
        ClosingNotice = "closing_notice",
        /// A consultation about a person whom the provider already serves; no referral came before it.
        ProviderConsultation = "provider_consultation",
        VisitRecord = "visit_record",
        /// Evidence of the interviews for the discharge add-on (退院・退所加算).
        InterviewEvidence = "interview_evidence",
        TrainingNotice = "training_notice",
        PeriodicConsultation = "periodic_consultation",
        CouncilNotice = "council_notice",
        ProviderNotice = "provider_notice",
    }
}

impl MessageKind {
    /// Kinds that tell of places, dates and services and of no person: no row of theirs can hold personal data (the catalogue refuses it), so they
    /// rest on no consent.
    #[must_use]
    pub const fn concerns_nobody(self) -> bool {
        matches!(self, Self::ResourceInfo | Self::TrainingNotice | Self::PeriodicConsultation | Self::CouncilNotice | Self::ProviderNotice)
    }

    /// Kinds that need not name a consent, and then hold classes without personal data only (`C-01` in `40_consent.cedar`): those that concern nobody,
    /// and answers and formal notices, whose sender may not know the consent and which must arrive after a withdrawal too.
    #[must_use]
    pub const fn may_name_no_consent(self) -> bool {
        self.concerns_nobody()
            || matches!(
                self,
                Self::ReferralAck
                    | Self::ReferralDecision
                    | Self::EnquiryReply
                    | Self::PlacementDecision
                    | Self::MeetingNotice
                    | Self::StatusNotice
                    | Self::HandoverProposal
                    | Self::HandoverAgreed
                    | Self::CertificateRevocation
                    | Self::ConsentEvent
                    | Self::ErasureRequest
                    | Self::ErasureReport
                    | Self::IncidentNotice
                    | Self::ClosingNotice
            )
    }
}

closed_list! {
    /// Legal basis of a provision (提供根拠, `domain.md` section 6).
    LegalBasis {
        WithinPurpose = "within_purpose",
        Consent69_2_1 = "consent_69_2_1",
        Consent27 = "consent_27",
        OtherPublicBody69_2_3 = "other_public_body_69_2_3",
        ClearlyForPerson69_2_4 = "clearly_for_person_69_2_4",
        Delegation66_2 = "delegation_66_2",
        Statute = "statute",
        VitalInterest = "vital_interest",
    }
}

closed_list! {
    /// What a legal basis means for the policy: the eight bases fold into these three by the catalogue's table.
    BasisGroup {
        /// Consent is demanded.
        Consent = "consent",
        /// A statute stands in for consent, between public bodies only.
        Statute = "statute",
        /// Life and body are in danger.
        VitalInterest = "vital_interest",
    }
}
