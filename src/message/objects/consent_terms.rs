//! The rules of consents that rest on the conditions of the policy set (`domain.md` section 10.3): spoken consents, consents given in custody,
//! witnesses, representatives. Each rule has a word of its own, which the refusal names.

use super::consent::ConsentGiven;
use crate::domain::{
    consent::{ConsentMethod, ConsentTerms, Exception},
    field::FieldClass,
    refusal::{Refusal, RefusalCode},
    time::Timestamp,
};

impl ConsentGiven {
    /// That the consent keeps the conditions on which consents are taken, `now`.
    pub fn keeps(&self, terms: &ConsentTerms, now: Timestamp) -> Result<(), Refusal> {
        if now >= self.exp {
            return wrong("exp", "expired");
        }
        self.keeps_oral(terms)?;
        self.keeps_witness(terms)?;
        self.keeps_representative(terms)
    }

    /// Until when it stands towards providers, if it was given in custody.
    #[must_use]
    pub fn providers_until(&self, terms: &ConsentTerms) -> Option<Timestamp> {
        self.in_custody(terms).then(|| terms.custody.stands_until(self.nbf))
    }

    /// That a representative brings nothing back which the person took out or refused before: the new record refuses it as well.
    pub fn restores_nothing(&self, taken: &[Exception]) -> Result<(), Refusal> {
        let restored = |old: &Exception| self.items.iter().any(|item| old.touches(item)) && !self.refused.iter().any(|new| old.within(new));
        if self.rep.is_some() && taken.iter().any(restored) { wrong("rep", "restores_what_was_refused") } else { Ok(()) }
    }

    fn in_custody(&self, terms: &ConsentTerms) -> bool {
        self.place.as_ref().is_some_and(|place| terms.custody.is_place(place))
    }

    fn classes(&self) -> impl Iterator<Item = &FieldClass> {
        self.items.iter().flat_map(|item| item.cls.iter().chain(&item.tick))
    }

    fn keeps_oral(&self, terms: &ConsentTerms) -> Result<(), Refusal> {
        if self.how != ConsentMethod::OralWitnessed {
            return Ok(());
        }
        if self.exp > terms.oral.ends(self.nbf) {
            return wrong("exp", "oral_days");
        }
        if self.classes().any(|class| !terms.oral.classes.contains(class)) {
            return wrong("items", "oral_class");
        }
        if self.items.iter().flat_map(|item| &item.rcp).any(|recipient| !terms.oral.recipients.contains(&recipient.kind())) {
            return wrong("items", "oral_recipient");
        }
        Ok(())
    }

    fn keeps_witness(&self, terms: &ConsentTerms) -> Result<(), Refusal> {
        let in_custody = self.in_custody(terms);
        let Some(witness) = self.witness.as_ref().map(|words| words.trim()).filter(|words| !words.is_empty()) else {
            return match (self.how, in_custody) {
                (ConsentMethod::OralWitnessed, _) => wrong("witness", "oral_needs_witness"),
                (_, true) => wrong("witness", "custody_needs_witness"),
                _ => Ok(()),
            };
        };
        if witness == self.expl.by.trim() {
            return wrong("witness", "explained_it");
        }
        if in_custody && terms.custody.is_staff(witness) {
            return wrong("witness", "custody_staff");
        }
        Ok(())
    }

    fn keeps_representative(&self, terms: &ConsentTerms) -> Result<(), Refusal> {
        let Some(representative) = &self.rep else { return Ok(()) };
        if !terms.representative.kinds.contains(&representative.kind) {
            return wrong("rep", "kind");
        }
        if representative.authority.trim().is_empty() {
            return wrong("rep", "authority");
        }
        if self.classes().any(|class| terms.representative.never.contains(class)) {
            return wrong("items", "representative_class");
        }
        Ok(())
    }
}

fn wrong(claim: &'static str, rule: &'static str) -> Result<(), Refusal> {
    Err(Refusal::claim(RefusalCode::BadToken, claim, rule))
}
