//! Why something was refused: one closed list, the same word in problem document, ledger and metric (protocol section 5).

use super::{
    codes::closed_list,
    field::{FieldClass, FieldKey},
};

closed_list! {
    /// The code of a refusal.
    RefusalCode {
        BadRequest = "bad_request",
        BadEnvelope = "bad_envelope",
        DecryptFailed = "decrypt_failed",
        BadToken = "bad_token",
        BadDisclosure = "bad_disclosure",
        LimitExceeded = "limit_exceeded",
        ActorMissing = "actor_missing",
        ActorInvalid = "actor_invalid",
        ActorBinding = "actor_binding",
        ActorReplayed = "actor_replayed",
        UnknownParty = "unknown_party",
        BadIdentity = "bad_identity",
        PartySuspended = "party_suspended",
        IssuerMismatch = "issuer_mismatch",
        KeyNotAllowed = "key_not_allowed",
        KeyRevoked = "key_revoked",
        BindingMismatch = "binding_mismatch",
        NoAgreement = "no_agreement",
        AgreementNotInForce = "agreement_not_in_force",
        NoConsent = "no_consent",
        ConsentEnded = "consent_ended",
        ConsentScope = "consent_scope",
        PurposeNotAllowed = "purpose_not_allowed",
        RecipientNotAllowed = "recipient_not_allowed",
        OperationNotAllowed = "operation_not_allowed",
        NotFound = "not_found",
        MethodNotAllowed = "method_not_allowed",
        NotAcceptable = "not_acceptable",
        LengthRequired = "length_required",
        TooLarge = "too_large",
        BadMediaType = "bad_media_type",
        HeadersTooLarge = "headers_too_large",
        ReplayConflict = "replay_conflict",
        StateConflict = "state_conflict",
        MessageTooOld = "message_too_old",
        Erased = "erased",
        SchemaUnknown = "schema_unknown",
        SchemaMismatch = "schema_mismatch",
        SchemaInvalid = "schema_invalid",
        OverDisclosure = "over_disclosure",
        PaddingRequired = "padding_required",
        ProhibitedMyNumber = "prohibited_my_number",
        BadIdentifier = "bad_identifier",
        RateLimited = "rate_limited",
        LedgerUnavailable = "ledger_unavailable",
        PolicyMismatch = "policy_mismatch",
        CrlStale = "crl_stale",
        Overloaded = "overloaded",
    }
}

impl RefusalCode {
    /// HTTP status of the problem document (protocol section 5).
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::BadRequest | Self::BadEnvelope | Self::DecryptFailed | Self::BadToken | Self::BadDisclosure | Self::LimitExceeded => 400,
            Self::ActorMissing | Self::ActorInvalid | Self::ActorBinding | Self::ActorReplayed => 401,
            Self::UnknownParty
            | Self::BadIdentity
            | Self::PartySuspended
            | Self::IssuerMismatch
            | Self::KeyNotAllowed
            | Self::KeyRevoked
            | Self::BindingMismatch
            | Self::NoAgreement
            | Self::AgreementNotInForce
            | Self::NoConsent
            | Self::ConsentEnded
            | Self::ConsentScope
            | Self::PurposeNotAllowed
            | Self::RecipientNotAllowed
            | Self::OperationNotAllowed => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::NotAcceptable => 406,
            Self::ReplayConflict | Self::StateConflict => 409,
            Self::MessageTooOld | Self::Erased => 410,
            Self::LengthRequired => 411,
            Self::TooLarge => 413,
            Self::BadMediaType => 415,
            Self::SchemaUnknown
            | Self::SchemaMismatch
            | Self::SchemaInvalid
            | Self::OverDisclosure
            | Self::PaddingRequired
            | Self::ProhibitedMyNumber
            | Self::BadIdentifier => 422,
            Self::RateLimited => 429,
            Self::HeadersTooLarge => 431,
            Self::LedgerUnavailable | Self::PolicyMismatch | Self::CrlStale | Self::Overloaded => 503,
        }
    }
}

/// One thing that was wrong. Names a catalogue key and a rule, never a value.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Violation {
    /// Catalogue key, or a protocol claim name.
    pub field: String,
    /// What rule it breaks: a JSON Schema keyword, a policy id, or a word of the protocol.
    pub rule: String,
    /// The class of the field, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<FieldClass>,
}

impl Violation {
    /// A violation of a catalogue row.
    #[must_use]
    pub fn of_row(field: &FieldKey, class: FieldClass, rule: impl Into<String>) -> Self {
        Self { field: field.to_string(), rule: rule.into(), class: Some(class) }
    }

    /// A violation of a claim that the protocol names.
    #[must_use]
    pub fn of_claim(claim: &'static str, rule: impl Into<String>) -> Self {
        Self { field: claim.to_owned(), rule: rule.into(), class: None }
    }
}

/// A refusal: its code and what exactly was wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The code.
    pub code: RefusalCode,
    /// Details, in a stable order. May be empty.
    pub violations: Vec<Violation>,
    /// Ids of the policies that decided, where policies did.
    pub rules: Vec<String>,
}

impl Refusal {
    /// A refusal without details.
    #[must_use]
    pub const fn new(code: RefusalCode) -> Self {
        Self { code, violations: Vec::new(), rules: Vec::new() }
    }

    /// The refusal of a document whose content breaks its schema, or holds a 個人番号 (rule `my_number`) and nothing worse.
    #[must_use]
    pub fn of_content(violations: Vec<Violation>) -> Self {
        let number = !violations.is_empty() && violations.iter().all(|violation| violation.rule == "my_number");
        let code = if number { RefusalCode::ProhibitedMyNumber } else { RefusalCode::SchemaInvalid };
        Self { code, violations, rules: Vec::new() }
    }

    /// A refusal that names the claim at fault.
    #[must_use]
    pub fn claim(code: RefusalCode, claim: &'static str, rule: &'static str) -> Self {
        Self { code, violations: vec![Violation::of_claim(claim, rule)], rules: Vec::new() }
    }
}

impl From<RefusalCode> for Refusal {
    fn from(code: RefusalCode) -> Self {
        Self::new(code)
    }
}
