//! What the ledger calls things (`ledger.md` section 2).

use super::codes::closed_list;

closed_list! {
    /// Type of a ledger entry.
    EntryType {
        Submission = "submission",
        Release = "release",
        List = "list",
        Refusal = "refusal",
        Explain = "explain",
        Consent = "consent",
        ConsentEnd = "consent_end",
        Agreement = "agreement",
        AgreementSignature = "agreement_signature",
        Party = "party",
        Key = "key",
        Acknowledgement = "acknowledgement",
        Certificate = "certificate",
        AuditQuery = "audit_query",
        SubjectReport = "subject_report",
        Policy = "policy",
        Erasure = "erasure",
        UnauthSummary = "unauth_summary",
        RefusalSummary = "refusal_summary",
        ClockSkew = "clock_skew",
        LedgerOpened = "ledger_opened",
        LedgerClosed = "ledger_closed",
    }
}

closed_list! {
    /// What was asked for: one per row of protocol section 4, and what the gateway does by itself.
    Operation {
        PartyRegister = "party.register",
        KeyRegister = "key.register",
        AgreementPropose = "agreement.propose",
        AgreementSign = "agreement.sign",
        AgreementRead = "agreement.read",
        ConsentRegister = "consent.register",
        ConsentEnd = "consent.end",
        ConsentRead = "consent.read",
        ReferralSubmit = "referral.submit",
        MessageSubmit = "message.submit",
        Explain = "explain",
        CaseList = "case.list",
        CaseRead = "case.read",
        MessageList = "message.list",
        MessageRead = "message.read",
        Acknowledge = "message.acknowledge",
        ReceiptList = "receipt.list",
        CertificateList = "certificate.list",
        /// What was disclosed from a case to whom, for the person.
        DisclosureList = "disclosure.list",
        AuditEvents = "audit.events",
        AuditEvent = "audit.event",
        AuditProof = "audit.proof",
        StatisticsRead = "statistics.read",
        LedgerEntries = "ledger.entries",
        /// At the machine itself: another policy set is put in force (`ledger.md` section 4).
        PolicyActivate = "policy.activate",
        /// At the machine itself: a case is erased.
        CaseErase = "case.erase",
        /// A request for no known route, or by a wrong method.
        Unknown = "unknown",
        /// The gateway itself.
        Gateway = "gateway",
    }
}

impl Operation {
    /// Whether it registers what a party says of an agreement.
    #[must_use]
    pub const fn is_about_agreements(self) -> bool {
        matches!(self, Self::AgreementPropose | Self::AgreementSign)
    }
}

closed_list! {
    /// What a registered object does, in the object's own word (protocol section 2): without it, nobody could tell from the ledger whether an entry
    /// gave a right or took it away.
    Act {
        Accept = "accept",
        Reject = "reject",
        Accede = "accede",
        Suspend = "suspend",
        Resume = "resume",
        Revoke = "revoke",
        Register = "register",
        Update = "update",
        Readmit = "readmit",
        Add = "add",
        Retire = "retire",
        Compromised = "compromised",
        /// A consent ended as a whole.
        End = "end",
        /// Products were taken out of a consent.
        Narrow = "narrow",
        /// A consent took the place of another.
        Supersede = "supersede",
    }
}

closed_list! {
    /// Why a case is erased.
    ErasureReason {
        /// The period for which it was to be kept is over.
        RetentionOver = "retention_over",
        /// The person asked for it.
        PersonRequest = "person_request",
        /// The person took the consent back.
        ConsentWithdrawn = "consent_withdrawn",
        /// It should never have been entered: another person, a test, a mistake.
        EnteredInError = "entered_in_error",
        /// A court or an authority ordered it.
        Order = "order",
    }
}

closed_list! {
    /// Outcome of a decision.
    Outcome {
        Permit = "permit",
        Deny = "deny",
    }
}
