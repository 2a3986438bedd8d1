//! Cedar behind one question: may a class be shown for this key, and which policies say so.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{PoisonError, RwLock},
};

use cedar_policy::{
    Authorizer, Context, Effect, Entities, EntityId, EntityTypeName, EntityUid, PolicySet as Cedar, Request, RestrictedExpression, Schema,
};

use super::{
    catalogue::{BasisText, Catalogue, ClassText, CodeList},
    error::PolicyError,
    key::{Key, RuleId, Ruling},
    operation::{Deed, OperationTypes},
    region::Region,
};
use crate::{
    domain::{
        addon::RuleSet,
        agreement::AgreementState,
        case::Relation,
        codes::{BasisGroup, LegalBasis, MessageKind, Purpose},
        consent::{ConsentState, ConsentTerms},
        digest::Digest,
        field::FieldClass,
        party::PartyKind,
    },
    text::Lang,
};

/// A loaded, linted and validated set of policies.
pub struct PolicySet {
    /// Two sets, because Cedar names only the prohibitions once one applies, and "not necessary anyway" would be lost.
    pub(super) permits: Cedar,
    pub(super) forbids: Cedar,
    /// The same of operations.
    pub(super) may: Cedar,
    pub(super) may_not: Cedar,
    pub(super) schema: Schema,
    pub(super) authorizer: Authorizer,
    pub(super) types: Types,
    pub(super) operations: OperationTypes,
    pub(super) rules: BTreeMap<RuleId, RuleText>,
    pub(super) catalogue: Catalogue,
    pub(super) digest: Digest,
    pub(super) memo: RwLock<HashMap<Key, Ruling>>,
    pub(super) deeds: RwLock<HashMap<(PartyKind, Deed), Ruling>>,
}

/// What a policy says about itself.
#[derive(Clone)]
pub(super) struct RuleText {
    pub(super) ja: String,
    pub(super) en: String,
    pub(super) basis: String,
    pub(super) effect: Effect,
    /// The keys it applies to; of an operation none.
    pub(super) reach: Region,
}

impl PolicySet {
    /// What the policies say about a key. An answer is remembered, whatever it is: the set never changes, and how every right stands is part of
    /// the key, so the same key has the same answer for ever. Only a fault of the engine is asked again.
    #[must_use]
    pub fn decide(&self, key: &Key) -> Ruling {
        if let Some(known) = self.memo.read().unwrap_or_else(PoisonError::into_inner).get(key) {
            return known.clone();
        }
        let ruling = self.evaluate(key);
        if ruling.is_of_the_policies() {
            let mut memo = self.memo.write().unwrap_or_else(PoisonError::into_inner);
            if memo.len() >= REMEMBERED {
                memo.clear();
            }
            memo.insert(*key, ruling.clone());
        }
        ruling
    }

    /// SHA-256 over all files that decide: two gateways with the same digest decide alike.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The sentence that explains a rule, or nothing for a rule this set does not have.
    #[must_use]
    pub fn title(&self, rule: &str, lang: Lang) -> Option<&str> {
        match rule {
            RuleId::ENGINE_FAILED => {
                Some(lang.of("The policies could not be evaluated, so nothing is shown", "方針を評価できなかったため開示しません"))
            }
            RuleId::NECESSITY => Some(lang.of(
                "No policy says that this reader needs it for this purpose at this stage",
                "この機関がこの目的・段階で必要とする方針がありません（必要最小限）",
            )),
            _ => self.rules.get(rule).map(|text| lang.of(&text.en, &text.ja)),
        }
    }

    /// The article or guideline a rule rests on.
    #[must_use]
    pub fn basis(&self, rule: &str) -> Option<&str> {
        match rule {
            RuleId::NECESSITY => Some("平成21年社援総発第0527001号 指針（必要な範囲を超えない）"),
            _ => self.rules.get(rule).map(|text| text.basis.as_str()),
        }
    }

    /// What a legal basis means for the policies. A basis that the catalogue does not know would demand consent, the strictest answer;
    /// such a catalogue does not load.
    #[must_use]
    pub fn basis_group(&self, basis: LegalBasis) -> BasisGroup {
        self.catalogue.basis(basis).map_or(BasisGroup::Consent, |text| text.group)
    }

    /// What the catalogue says about a legal basis.
    #[must_use]
    pub fn basis_text(&self, basis: LegalBasis) -> Option<&BasisText> {
        self.catalogue.basis(basis)
    }

    /// On what conditions a consent is taken.
    #[must_use]
    pub const fn consent_terms(&self) -> &ConsentTerms {
        self.catalogue.consent()
    }

    /// The dated rules of the add-ons.
    #[must_use]
    pub const fn addon_rules(&self) -> &RuleSet {
        self.catalogue.addons()
    }

    /// What the catalogue says about a class.
    #[must_use]
    pub fn class_text(&self, class: FieldClass) -> Option<&ClassText> {
        self.catalogue.class(class)
    }

    /// What the catalogue calls a code of a closed list; the code itself where it has no name.
    #[must_use]
    pub fn label<'a>(&'a self, list: CodeList, code: &'a str, lang: Lang) -> &'a str {
        self.catalogue.label(list, code).map_or(code, |text| lang.of(&text.en, &text.ja))
    }

    /// The rules of the set in the order of their ids.
    pub fn rules(&self) -> impl Iterator<Item = &RuleId> {
        self.rules.keys()
    }

    pub(super) fn rule_texts(&self) -> impl Iterator<Item = (&RuleId, &RuleText)> {
        self.rules.iter()
    }

    fn evaluate(&self, key: &Key) -> Ruling {
        if key.purpose == Purpose::Administration {
            return Ruling::of(Vec::new(), Vec::new());
        }
        let answer = self.types.request(key, &self.schema).and_then(|request| {
            let permits = self.applying(&self.permits, &request)?;
            let forbids = self.applying(&self.forbids, &request)?;
            Ok(Ruling::of(permits, forbids))
        });
        answer.unwrap_or_else(|reason| {
            tracing::error!(%reason, "policy evaluation failed, the class is withheld");
            Ruling::of(Vec::new(), vec![RuleId::new(RuleId::ENGINE_FAILED)])
        })
    }

    /// Ids of the policies of one effect that apply. In a set of one effect, Cedar's determining policies are all that apply.
    pub(super) fn applying(&self, set: &Cedar, request: &Request) -> Result<Vec<RuleId>, String> {
        let response = self.authorizer.is_authorized(request, set, &Entities::empty());
        if let Some(error) = response.diagnostics().errors().next() {
            return Err(error.to_string());
        }
        Ok(response.diagnostics().reason().map(|id| RuleId::new(id.as_ref())).collect())
    }
}

impl std::fmt::Debug for PolicySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PolicySet").field("digest", &self.digest.to_string()).field("rules", &self.rules.len()).finish_non_exhaustive()
    }
}

/// The type names of the Cedar schema, parsed once.
#[derive(Clone)]
pub(super) struct Types {
    org: EntityTypeName,
    class: EntityTypeName,
    purpose: EntityTypeName,
    kind: EntityTypeName,
    relation: EntityTypeName,
    basis: EntityTypeName,
    agreement: EntityTypeName,
    consent: EntityTypeName,
    disclose: EntityUid,
}

impl Types {
    pub(super) fn new() -> Result<Self, PolicyError> {
        let name = |text: &str| text.parse::<EntityTypeName>().map_err(|e| PolicyError::Schema(e.to_string()));
        Ok(Self {
            org: name("OrgKind")?,
            class: name("FieldClass")?,
            purpose: name("Purpose")?,
            kind: name("MessageType")?,
            relation: name("CaseRelation")?,
            basis: name("LegalBasis")?,
            agreement: name("AgreementState")?,
            consent: name("ConsentState")?,
            disclose: EntityUid::from_type_name_and_id(name("Action")?, EntityId::new("disclose")),
        })
    }

    pub(super) fn request(&self, key: &Key, schema: &Schema) -> Result<Request, String> {
        let uid = |name: &EntityTypeName, code: &str| EntityUid::from_type_name_and_id(name.clone(), EntityId::new(code));
        let attribute = |attribute: &str, name: &EntityTypeName, code: &str| {
            (attribute.to_owned(), RestrictedExpression::new_entity_uid(uid(name, code)))
        };
        let context = Context::from_pairs([
            attribute("sender_kind", &self.org, key.sender.as_str()),
            attribute("purpose", &self.purpose, key.purpose.as_str()),
            attribute("message_type", &self.kind, key.kind.as_str()),
            attribute("relation", &self.relation, key.relation.as_str()),
            attribute("legal_basis", &self.basis, key.basis.as_str()),
            attribute("agreement", &self.agreement, key.agreement.as_str()),
            attribute("consent", &self.consent, key.consent.as_str()),
            ("named_recipient".to_owned(), RestrictedExpression::new_bool(key.named)),
        ])
        .map_err(|e| e.to_string())?;
        let reader = uid(&self.org, key.reader.as_str());
        let class = uid(&self.class, key.class.as_str());
        Request::new(reader, self.disclose.clone(), class, context, Some(schema)).map_err(|e| e.to_string())
    }
}

/// A key whose request must fit the Cedar schema: a context of other types is found when the set is loaded, not at the first message.
pub(super) const PROBE: Key = Key {
    reader: PartyKind::Municipality,
    sender: PartyKind::SettlementCenter,
    class: FieldClass::Routing,
    purpose: Purpose::PlacementCoordination,
    kind: MessageKind::Referral,
    relation: Relation::Assigned,
    basis: BasisGroup::Consent,
    agreement: AgreementState::Covers,
    consent: ConsentState::Covers,
    named: false,
};

/// Answers kept per set. A gateway meets a few hundred keys; the bound is for what no one foresees.
const REMEMBERED: usize = 8_192;

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys spread evenly over the whole domain of about two thousand million.
    fn sample(count: usize) -> impl Iterator<Item = Key> {
        fn pick<T: Copy>(rest: &mut usize, list: &[T]) -> T {
            let chosen = list[*rest % list.len()];
            *rest /= list.len();
            chosen
        }
        (0..count).map(|n| {
            let mut rest = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 8;
            let rest = &mut rest;
            Key {
                class: pick(rest, FieldClass::ALL),
                agreement: pick(rest, &[AgreementState::Covers, AgreementState::Covers, AgreementState::ClassOutside]),
                consent: pick(rest, ConsentState::ALL),
                relation: pick(rest, Relation::ALL),
                purpose: pick(rest, Purpose::ALL),
                reader: pick(rest, PartyKind::ALL),
                sender: pick(rest, PartyKind::ALL),
                basis: pick(rest, BasisGroup::ALL),
                named: pick(rest, &[true, false]),
                kind: pick(rest, &[MessageKind::Referral, MessageKind::Enquiry, MessageKind::ServiceHandoff]),
            }
        })
    }

    #[test]
    fn our_answer_is_cedars_own() {
        let policies = PolicySet::builtin().unwrap();
        let mut whole = Cedar::new();
        for policy in policies.permits.policies().chain(policies.forbids.policies()) {
            whole.add(policy.clone()).unwrap();
        }
        let mut allowed = 0;
        for key in sample(2_000).filter(|key| key.purpose != Purpose::Administration) {
            let request = policies.types.request(&key, &policies.schema).unwrap();
            let response = policies.authorizer.is_authorized(&request, &whole, &Entities::empty());
            let ruling = policies.decide(&key);
            assert_eq!(response.decision() == cedar_policy::Decision::Allow, ruling.allow, "{key:?}");
            allowed += usize::from(ruling.allow);
        }
        assert!(allowed > 20, "the sample meets too few permits: {allowed}");
    }

    #[test]
    fn the_region_of_the_set_is_what_cedar_says() {
        let policies = PolicySet::builtin().unwrap();
        let shown = policies.permitted();
        let boxes = shown.situations();
        let inside = boxes.iter().filter_map(crate::policy::Situations::first);
        let weights = policies.weights();
        let decided = weights.iter().filter_map(|weight| weight.decides.first());
        let mut allowed = 0;
        for key in sample(4_000).filter(|key| key.purpose != Purpose::Administration).chain(inside).chain(decided) {
            let ruling = policies.evaluate(&key);
            assert_eq!(shown.contains(&key), ruling.allow, "{key:?}");
            for (rule, text) in policies.rules.iter().filter(|(_, text)| !text.reach.is_empty()) {
                let applies = ruling.permits.contains(rule) || ruling.forbids.contains(rule);
                assert_eq!(text.reach.contains(&key), applies, "{rule} {key:?}");
            }
            allowed += usize::from(ruling.allow);
        }
        assert!(allowed > boxes.len() && boxes.len() > 40, "{allowed} {}", boxes.len());
    }

    #[test]
    fn what_decides_nothing_today_is_defence_in_depth() {
        let policies = PolicySet::builtin().unwrap();
        let idle: Vec<String> =
            policies.weights().into_iter().filter(|weight| weight.decides.is_empty()).map(|weight| weight.rule.to_string()).collect();
        assert_eq!(idle, ["F-01", "F-02", "F-03", "F-04", "F-05", "F-06", "F-08", "F-11"]);
    }

    #[test]
    fn an_answer_is_remembered_for_its_key_alone() {
        let policies = PolicySet::builtin().unwrap();
        let denied = Key { agreement: AgreementState::None, ..PROBE };
        for (key, allow) in [(PROBE, true), (denied, false)] {
            let ruling = policies.decide(&key);
            assert_eq!(ruling.allow, allow);
            assert_eq!(policies.memo.read().unwrap().get(&key), Some(&ruling));
            assert_eq!(policies.decide(&key), ruling);
        }
    }

    #[test]
    fn a_fault_of_the_engine_is_a_denial_that_says_so() {
        let mut policies = PolicySet::builtin().unwrap();
        policies.types.consent = "OrgKind".parse().unwrap();
        let ruling = policies.decide(&PROBE);
        assert!(!ruling.allow && ruling.permits.is_empty());
        assert_eq!(ruling.forbids.iter().map(RuleId::as_str).collect::<Vec<_>>(), [RuleId::ENGINE_FAILED]);
        assert!(policies.memo.read().unwrap().is_empty(), "the engine is asked again");
        assert!(policies.title(RuleId::ENGINE_FAILED, Lang::Ja).is_some());
    }
}
