//! What a unit may do, before the question of what it may see: the operations in `50_operation.cedar`.

use std::sync::PoisonError;

use cedar_policy::{Context, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression};

use super::{
    engine::PolicySet,
    error::PolicyError,
    key::{RuleId, Ruling},
};
use crate::domain::{case::Relation, codes::MessageKind, party::PartyKind};

/// An operation with all its answer depends on, from closed lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Deed {
    /// Opening a case with a message of this kind.
    OpenCase(MessageKind),
    /// Sending a message to a party of this kind.
    Submit {
        /// Message kind.
        kind: MessageKind,
        /// Kind of the recipient.
        recipient: PartyKind,
    },
    /// Reading a message as a party that stands so to the case.
    Pull {
        /// Message kind.
        kind: MessageKind,
        /// Relation of the reader to the case.
        relation: Relation,
    },
    /// Registering a consent.
    RegisterConsent,
    /// Ending or narrowing a consent.
    WithdrawConsent,
    /// Proposing or signing an agreement.
    RegisterAgreement,
    /// Registering, suspending and readmitting parties.
    RegisterParty,
    /// Querying the ledger.
    QueryAudit {
        /// Whether what is asked for lies within the auditor's jurisdiction.
        within: bool,
    },
    /// Listing for a person what was disclosed from its case to whom.
    ListDisclosures {
        /// How the unit stands to the case.
        relation: Relation,
        /// Whether it collected the consent of the case.
        collector: bool,
    },
    /// Counting the cases of a municipality.
    QueryStatistics {
        /// Whether the municipality is the caller itself, or lies within its jurisdiction.
        within: bool,
    },
}

impl Deed {
    /// Names of the actions in the policies.
    pub(super) const ACTIONS: &[&str] = &[
        "open_case",
        "submit",
        "pull",
        "register_consent",
        "withdraw_consent",
        "register_agreement",
        "register_party",
        "query_audit",
        "list_disclosures",
        "query_statistics",
    ];

    /// Every operation with everything its answer can depend on.
    pub fn all() -> impl Iterator<Item = Self> {
        let kinds = || MessageKind::ALL.iter().copied();
        let submit = kinds().flat_map(|kind| PartyKind::ALL.iter().map(move |recipient| Self::Submit { kind, recipient: *recipient }));
        let pull = kinds().flat_map(|kind| Relation::ALL.iter().map(move |relation| Self::Pull { kind, relation: *relation }));
        let rest = [
            Self::RegisterConsent,
            Self::WithdrawConsent,
            Self::RegisterAgreement,
            Self::RegisterParty,
            Self::QueryAudit { within: true },
            Self::QueryAudit { within: false },
            Self::QueryStatistics { within: true },
            Self::QueryStatistics { within: false },
        ];
        let lists = Relation::ALL
            .iter()
            .flat_map(|relation| [true, false].map(|collector| Self::ListDisclosures { relation: *relation, collector }));
        kinds().map(Self::OpenCase).chain(submit).chain(pull).chain(rest).chain(lists)
    }

    const fn action(self) -> &'static str {
        match self {
            Self::OpenCase(_) => "open_case",
            Self::Submit { .. } => "submit",
            Self::Pull { .. } => "pull",
            Self::RegisterConsent => "register_consent",
            Self::WithdrawConsent => "withdraw_consent",
            Self::RegisterAgreement => "register_agreement",
            Self::RegisterParty => "register_party",
            Self::QueryAudit { .. } => "query_audit",
            Self::ListDisclosures { .. } => "list_disclosures",
            Self::QueryStatistics { .. } => "query_statistics",
        }
    }
}

impl std::fmt::Display for Deed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let action = self.action();
        match self {
            Self::OpenCase(kind) => write!(f, "{action}({kind})"),
            Self::Submit { kind, recipient } => write!(f, "{action}({kind} -> {recipient})"),
            Self::Pull { kind, relation } => write!(f, "{action}({kind}, {relation})"),
            Self::QueryAudit { within } | Self::QueryStatistics { within } => write!(f, "{action}(within jurisdiction: {within})"),
            Self::ListDisclosures { relation, collector } => write!(f, "{action}({relation}, collector of the consent: {collector})"),
            Self::RegisterConsent | Self::WithdrawConsent | Self::RegisterAgreement | Self::RegisterParty => f.write_str(action),
        }
    }
}

impl PolicySet {
    /// What units may do by this set and may not by an older one, over every operation there is.
    #[must_use]
    pub fn may_beyond(&self, old: &Self) -> Vec<(PartyKind, Deed)> {
        if self.may == old.may && self.may_not == old.may_not {
            return Vec::new();
        }
        let everybody = PartyKind::ALL.iter().flat_map(|actor| Deed::all().map(move |deed| (*actor, deed)));
        everybody.filter(|(actor, deed)| self.may(*actor, *deed).allow && !old.may(*actor, *deed).allow).collect()
    }

    /// Whether a unit of this kind may do this. What no policy permits may not be done; a fault of the engine is a denial that says so. Answers are
    /// remembered like those of [`PolicySet::decide`].
    #[must_use]
    pub fn may(&self, actor: PartyKind, deed: Deed) -> Ruling {
        if let Some(known) = self.deeds.read().unwrap_or_else(PoisonError::into_inner).get(&(actor, deed)) {
            return known.clone();
        }
        let ruling = self.ask(actor, deed).unwrap_or_else(|reason| {
            tracing::error!(%reason, "policy evaluation failed, the operation is refused");
            Ruling::of(Vec::new(), vec![RuleId::new(RuleId::ENGINE_FAILED)])
        });
        if ruling.is_of_the_policies() {
            // Bounded by the closed lists: a few thousand keys at most.
            self.deeds.write().unwrap_or_else(PoisonError::into_inner).insert((actor, deed), ruling.clone());
        }
        ruling
    }

    fn ask(&self, actor: PartyKind, deed: Deed) -> Result<Ruling, String> {
        let request = self.operations.request(actor, deed, &self.schema)?;
        Ok(Ruling::of(self.applying(&self.may, &request)?, self.applying(&self.may_not, &request)?))
    }
}

/// The type names of operations in the Cedar schema, parsed once.
#[derive(Clone)]
pub(super) struct OperationTypes {
    org: EntityTypeName,
    kind: EntityTypeName,
    relation: EntityTypeName,
    record: EntityTypeName,
    action: EntityTypeName,
}

impl OperationTypes {
    pub(super) fn new() -> Result<Self, PolicyError> {
        let name = |text: &str| text.parse::<EntityTypeName>().map_err(|e| PolicyError::Schema(e.to_string()));
        Ok(Self {
            org: name("OrgKind")?,
            kind: name("MessageType")?,
            relation: name("CaseRelation")?,
            record: name("Record")?,
            action: name("Action")?,
        })
    }

    pub(super) fn request(&self, actor: PartyKind, deed: Deed, schema: &cedar_policy::Schema) -> Result<Request, String> {
        let uid = |name: &EntityTypeName, code: &str| EntityUid::from_type_name_and_id(name.clone(), EntityId::new(code));
        let kind = |kind: MessageKind| uid(&self.kind, kind.as_str());
        let record = |code: &str| uid(&self.record, code);
        let coded = |name: &str, value: EntityUid| vec![(name.to_owned(), RestrictedExpression::new_entity_uid(value))];
        let told = |name: &str, value| vec![(name.to_owned(), RestrictedExpression::new_bool(value))];
        let (resource, pairs) = match deed {
            Deed::OpenCase(message) => (kind(message), Vec::new()),
            Deed::Submit { kind: message, recipient } => (kind(message), coded("recipient_kind", uid(&self.org, recipient.as_str()))),
            Deed::Pull { kind: message, relation } => (kind(message), coded("relation", uid(&self.relation, relation.as_str()))),
            Deed::RegisterConsent | Deed::WithdrawConsent => (record("consent"), Vec::new()),
            Deed::RegisterAgreement => (record("agreement"), Vec::new()),
            Deed::RegisterParty => (record("party"), Vec::new()),
            Deed::QueryAudit { within } => (record("ledger"), told("jurisdiction_match", within)),
            Deed::QueryStatistics { within } => (record("statistics"), told("jurisdiction_match", within)),
            Deed::ListDisclosures { relation, collector } => {
                let mut pairs = coded("relation", uid(&self.relation, relation.as_str()));
                pairs.extend(told("collector", collector));
                (record("disclosures"), pairs)
            }
        };
        let context = Context::from_pairs(pairs).map_err(|e| e.to_string())?;
        let (principal, action) = (uid(&self.org, actor.as_str()), uid(&self.action, deed.action()));
        Request::new(principal, action, resource, context, Some(schema)).map_err(|e| e.to_string())
    }
}
