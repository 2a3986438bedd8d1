//! What a set shows over the whole closed domain, how two sets differ, and which of its rules carry weight.

use std::sync::RwLock;

use cedar_policy::{Authorizer, Effect, PolicySet as Cedar};

use super::{engine::PolicySet, key::RuleId, region::Region};

/// How much depends on one rule of a set about disclosure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weight {
    /// Rule.
    pub rule: RuleId,
    /// Keys whose answer changes when the rule is taken away. None: other rules say the same, or it stands against permits to come.
    pub decides: Region,
}

impl PolicySet {
    /// Every key that the policies show. As [`PolicySet::decide`] answers, which a test compares.
    #[must_use]
    pub fn permitted(&self) -> Region {
        self.permitted_without(None)
    }

    /// What this set shows and an older one does not.
    #[must_use]
    pub fn shows_beyond(&self, old: &Self) -> Region {
        self.permitted().minus(&old.permitted())
    }

    /// The weight of each rule about disclosure, in the order of their ids.
    #[must_use]
    pub fn weights(&self) -> Vec<Weight> {
        let shown = self.permitted();
        let disclosing = self.rules.iter().filter(|(_, text)| !text.reach.is_empty());
        disclosing
            .map(|(rule, text)| {
                let without = self.permitted_without(Some(rule));
                let decides = if text.effect == Effect::Permit { shown.minus(&without) } else { without.minus(&shown) };
                Weight { rule: rule.clone(), decides }
            })
            .collect()
    }

    /// The set without one of its rules: to see what depends on it. Not a set that any file gives, so its digest remains that of the whole.
    #[must_use]
    pub fn without(&self, rule: &RuleId) -> Self {
        let left = |set: &Cedar| {
            let policies = set.policies().filter(|policy| AsRef::<str>::as_ref(policy.id()) != rule.as_str());
            Cedar::from_policies(policies.cloned()).unwrap_or_default()
        };
        let mut rules = self.rules.clone();
        rules.remove(rule);
        Self {
            permits: left(&self.permits),
            forbids: left(&self.forbids),
            may: left(&self.may),
            may_not: left(&self.may_not),
            schema: self.schema.clone(),
            authorizer: Authorizer::new(),
            types: self.types.clone(),
            operations: self.operations.clone(),
            rules,
            catalogue: self.catalogue.clone(),
            digest: self.digest,
            memo: RwLock::default(),
            deeds: RwLock::default(),
        }
    }

    fn permitted_without(&self, left_out: Option<&RuleId>) -> Region {
        let reach = |effect: Effect| {
            self.rules.iter().filter(move |(id, text)| text.effect == effect && Some(*id) != left_out).map(|(_, text)| &text.reach)
        };
        let permits = reach(Effect::Permit).fold(Region::default(), |shown, reach| shown.or(reach));
        reach(Effect::Forbid).fold(permits, |shown, reach| shown.minus(reach))
    }
}
