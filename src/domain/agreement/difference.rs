//! What a later version of an agreement changes, and whether that gives more or less (protocol section 2).
//!
//! Flows are compared between the same two sides. What is added gives more, what is left out gives less; for handling terms it is the other way round.

use super::{Agreement, Delegation, Flow, Side};
use crate::domain::codes::closed_list;

closed_list! {
    /// Part of an agreement.
    Part {
        Title = "title",
        Party = "party",
        Acceding = "acceding",
        SchemaVersion = "schema_version",
        Flow = "flow",
        Kind = "kind",
        Purpose = "purpose",
        Class = "class",
        Basis = "basis",
        PurposeEntry = "purpose_of_use_entry",
        Term = "term",
        From = "from",
        Until = "until",
        Retention = "retention_months",
        Delegation = "delegation",
    }
}

closed_list! {
    /// What a change does to what may be exchanged.
    Effect {
        Widens = "widens",
        Narrows = "narrows",
        Neither = "neither",
    }
}

/// How a part differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// These are new.
    Added(Vec<String>),
    /// These are left out.
    Removed(Vec<String>),
    /// One value instead of another.
    Moved {
        /// Before.
        old: String,
        /// From now on.
        new: String,
    },
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What it is about.
    pub part: Part,
    /// Between whom, for what belongs to a flow.
    pub flow: Option<(Side, Side)>,
    /// How it differs.
    pub turn: Turn,
    /// More or less.
    pub effect: Effect,
}

impl Agreement {
    /// What `later` changes, in the order of the document. Empty when both say the same.
    #[must_use]
    pub fn changes(&self, later: &Self) -> Vec<Change> {
        let mut found = Found(Vec::new());
        found.moved(Part::Title, &self.title, &later.title, Effect::Neither);
        found.list(Part::Party, None, (&self.parties, &later.parties), false);
        found.list(Part::Acceding, None, (&self.acceding, &later.acceding), false);
        found.list(Part::SchemaVersion, None, (&self.schema_versions, &later.schema_versions), false);
        found.flows(&self.flows, &later.flows);
        found.moved(Part::PurposeEntry, &self.purpose_of_use_entry, &later.purpose_of_use_entry, Effect::Neither);
        found.list(Part::Term, None, (&self.terms, &later.terms), true);
        found.moved(Part::From, &self.from, &later.from, more(later.from < self.from));
        found.moved(Part::Until, &self.until, &later.until, more(later.until > self.until));
        found.moved(Part::Retention, &self.retention_months, &later.retention_months, more(later.retention_months > self.retention_months));
        let named = |list: &[Delegation]| -> Vec<String> { list.iter().map(sentence).collect() };
        found.list(Part::Delegation, None, (&named(&self.delegations), &named(&later.delegations)), false);
        found.0
    }
}

fn texts<T: ToString>(list: &[T]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

/// A delegation in one line of codes.
fn sentence(delegation: &Delegation) -> String {
    let Delegation { from, to, qualification, until } = delegation;
    format!("{from} → {to} / {qualification} / {until}")
}

const fn more(wider: bool) -> Effect {
    if wider { Effect::Widens } else { Effect::Narrows }
}

struct Found(Vec<Change>);

impl Found {
    fn moved<T: PartialEq + ToString>(&mut self, part: Part, old: &T, new: &T, effect: Effect) {
        if old != new {
            self.0.push(Change { part, flow: None, turn: Turn::Moved { old: old.to_string(), new: new.to_string() }, effect });
        }
    }

    /// `restricts`: each member takes something away, so that one more is less.
    fn list<T: PartialEq + ToString>(&mut self, part: Part, flow: Option<&(Side, Side)>, (old, new): (&[T], &[T]), restricts: bool) {
        let without =
            |of: &[T], other: &[T]| -> Vec<String> { of.iter().filter(|v| !other.contains(v)).map(ToString::to_string).collect() };
        let (added, removed) = (without(new, old), without(old, new));
        if !added.is_empty() {
            self.0.push(Change { part, flow: flow.cloned(), turn: Turn::Added(added), effect: more(!restricts) });
        }
        if !removed.is_empty() {
            self.0.push(Change { part, flow: flow.cloned(), turn: Turn::Removed(removed), effect: more(restricts) });
        }
    }

    fn flows(&mut self, old: &[Flow], new: &[Flow]) {
        // What stands in both versions word for word is no change, wherever it stands.
        let mut fresh: Vec<&Flow> = new.iter().collect();
        let mut gone: Vec<&Flow> = Vec::new();
        for flow in old {
            match fresh.iter().position(|other| **other == *flow) {
                Some(at) => drop(fresh.remove(at)),
                None => gone.push(flow),
            }
        }
        for flow in gone {
            let sides = (flow.from.clone(), flow.to.clone());
            let Some(at) = fresh.iter().position(|other| other.from == flow.from && other.to == flow.to) else {
                self.whole(flow, false);
                continue;
            };
            let other = fresh.remove(at);
            self.list(Part::Kind, Some(&sides), (&flow.kinds, &other.kinds), false);
            self.list(Part::Purpose, Some(&sides), (&flow.purposes, &other.purposes), false);
            self.list(Part::Class, Some(&sides), (&flow.classes, &other.classes), false);
            self.list(Part::Basis, Some(&sides), (&flow.bases, &other.bases), false);
        }
        for flow in fresh {
            self.whole(flow, true);
        }
    }

    fn whole(&mut self, flow: &Flow, added: bool) {
        let sides = Some((flow.from.clone(), flow.to.clone()));
        let turn = |codes: Vec<String>| if added { Turn::Added(codes) } else { Turn::Removed(codes) };
        let codes = |part, codes| Change { part, flow: sides.clone(), turn: turn(codes), effect: more(added) };
        self.0.push(codes(Part::Flow, Vec::new()));
        self.0.push(codes(Part::Kind, texts(&flow.kinds)));
        self.0.push(codes(Part::Purpose, texts(&flow.purposes)));
        self.0.push(codes(Part::Class, texts(&flow.classes)));
        self.0.push(codes(Part::Basis, texts(&flow.bases)));
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{CENTRE, CITY, HOME, after, flow, party},
        *,
    };
    use crate::domain::{
        codes::{LegalBasis, MessageKind, Purpose},
        field::FieldClass,
        party::PartyKind,
        time::Timestamp,
    };

    fn base() -> Agreement {
        after(&[]).agreement
    }

    /// The only change that an edit makes.
    fn one(edit: impl FnOnce(&mut Agreement)) -> Change {
        let mut later = base();
        edit(&mut later);
        let mut changes = base().changes(&later);
        assert_eq!(changes.len(), 1, "{changes:?}");
        changes.remove(0)
    }

    fn words(list: &[&str]) -> Vec<String> {
        list.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_same_document_has_no_changes_even_with_its_flows_in_another_order() {
        assert_eq!(base().changes(&base()), []);
        let mut one = base();
        one.flows.push(flow(CITY, HOME));
        let mut other = one.clone();
        other.flows.reverse();
        other.ver = 2;
        assert_eq!(one.changes(&other), []);
    }

    #[test]
    fn parties_and_kinds_that_may_accede_come_and_go() {
        let change = one(|a| a.parties.push(party(HOME)));
        assert_eq!((change.part, change.turn, change.effect), (Part::Party, Turn::Added(words(&[HOME])), Effect::Widens));
        let change = one(|a| a.parties.retain(|p| *p != party(CITY)));
        assert_eq!((change.part, change.turn, change.effect), (Part::Party, Turn::Removed(words(&[CITY])), Effect::Narrows));
        let change = one(|a| a.acceding.push(PartyKind::DayService));
        assert_eq!((change.part, change.turn, change.effect), (Part::Acceding, Turn::Added(words(&["day_service"])), Effect::Widens));
    }

    #[test]
    fn forms_that_are_accepted_come_and_go() {
        let change = one(|a| a.schema_versions.push("referral/1.1.0".parse().unwrap()));
        let told = (change.part, change.turn, change.effect);
        assert_eq!(told, (Part::SchemaVersion, Turn::Added(words(&["referral/1.1.0"])), Effect::Widens));
    }

    #[test]
    fn each_list_of_a_flow_is_compared_between_its_sides() {
        type Edit = fn(&mut Flow);
        let sides = Some(("settlement_center".parse().unwrap(), "municipality".parse().unwrap()));
        let edits: [(Edit, Part, &str); 4] = [
            (|f| f.kinds.push(MessageKind::Supplement), Part::Kind, "supplement"),
            (|f| f.purposes.push(Purpose::BenefitDecision), Part::Purpose, "benefit_decision"),
            (|f| f.classes.push(FieldClass::Medical), Part::Class, "medical"),
            (|f| f.bases.push(LegalBasis::Statute), Part::Basis, "statute"),
        ];
        for (edit, part, code) in edits {
            let change = one(|a| edit(&mut a.flows[0]));
            assert_eq!(change, Change { part, flow: sides.clone(), turn: Turn::Added(words(&[code])), effect: Effect::Widens });
        }
        let change = one(|a| a.flows[0].classes.retain(|class| *class != FieldClass::Identity));
        assert_eq!((change.turn, change.effect), (Turn::Removed(words(&["identity"])), Effect::Narrows));
    }

    #[test]
    fn a_flow_between_other_sides_is_told_as_a_whole() {
        let mut later = base();
        later.flows = vec![flow(CENTRE, CITY)];
        let changes = base().changes(&later);
        let of = |effect: Effect| changes.iter().filter(|c| c.effect == effect).map(|c| c.part).collect::<Vec<_>>();
        let whole = [Part::Flow, Part::Kind, Part::Purpose, Part::Class, Part::Basis];
        assert_eq!((of(Effect::Narrows), of(Effect::Widens)), (whole.to_vec(), whole.to_vec()));
    }

    #[test]
    fn periods_and_retention_widen_in_their_own_direction() {
        let second = |n| Timestamp::from_secs(n);
        assert_eq!(one(|a| a.from = second(900)).effect, Effect::Widens);
        assert_eq!(one(|a| a.from = second(1_100)).effect, Effect::Narrows);
        assert_eq!(one(|a| a.until = second(2_100)).effect, Effect::Widens);
        assert_eq!(one(|a| a.until = second(1_900)).effect, Effect::Narrows);
        assert_eq!(one(|a| a.retention_months = 2).effect, Effect::Widens);
        assert_eq!(one(|a| a.retention_months = 0).effect, Effect::Narrows);
    }

    #[test]
    fn a_term_more_is_less_and_words_alone_are_neither() {
        assert_eq!(one(|a| a.terms.push("消去を知らせる".to_owned())).effect, Effect::Narrows);
        assert_eq!(one(|a| a.title = "other".to_owned()).effect, Effect::Neither);
        assert_eq!(one(|a| a.purpose_of_use_entry = "other".to_owned()).part, Part::PurposeEntry);
    }

    #[test]
    fn a_delegation_is_told_with_its_qualification_and_its_end() {
        let change = one(|a| {
            a.delegations.push(Delegation {
                from: party(CITY),
                to: party("core_center:131016-1"),
                qualification: Delegation::QUALIFICATION.to_owned(),
                until: Timestamp::from_secs(1_900),
            });
        });
        let Turn::Added(told) = change.turn else { panic!() };
        assert!(told[0].contains("core_center:131016-1") && told[0].contains("主任相談支援専門員"), "{told:?}");
        assert_eq!(change.effect, Effect::Widens);
    }
}
