//! May this message be accepted? Over-disclosure is refused, never stripped: stripping would hide the sender's mistake from the sender.

use std::collections::{BTreeMap, BTreeSet};

use super::exchange::{Message, Question, Row};
use crate::{
    domain::{
        codes::Purpose,
        field::FieldClass,
        refusal::{Refusal, RefusalCode, Violation},
        time::Timestamp,
    },
    policy::RuleId,
};

/// Something that was decided to be permitted, with the rules that did and the moment until which the decision holds.
#[derive(Debug, Clone)]
pub struct Permitted<T> {
    what: T,
    rules: BTreeSet<String>,
    valid_until: Timestamp,
}

impl<T> Permitted<T> {
    /// What was permitted.
    pub const fn what(&self) -> &T {
        &self.what
    }

    /// Gives what was permitted away.
    pub fn into_inner(self) -> T {
        self.what
    }

    /// Ids of the policies that determined the decision.
    pub const fn rules(&self) -> &BTreeSet<String> {
        &self.rules
    }

    /// The decision holds for entries before this time.
    pub const fn valid_until(&self) -> Timestamp {
        self.valid_until
    }
}

/// Decides a submission. `message` is what was verified; `purposes` are those it was sent for, `recipient_purposes` those the recipient's
/// unit is registered for.
///
/// # Errors
/// The first reason in the order of protocol section 3; `over_disclosure` lists every row at fault.
pub fn decide_submission<T>(
    message: T,
    question: &Question<'_>,
    purposes: &[Purpose],
    recipient_purposes: &[Purpose],
) -> Result<Permitted<T>, Refusal> {
    for purpose in purposes {
        question.gate(Message::New, std::slice::from_ref(purpose))?;
    }
    let open: Vec<Purpose> = purposes.iter().copied().filter(|p| recipient_purposes.contains(p)).collect();
    if open.is_empty() {
        return Err(Refusal::claim(RefusalCode::PurposeNotAllowed, "pur", "recipient_registration"));
    }
    let reader = question.exchange.reader.kind();
    let (mut rules, mut allowed) = (BTreeSet::new(), BTreeSet::new());
    let mut denied: BTreeMap<FieldClass, BTreeSet<String>> = BTreeMap::new();
    for class in question.classes() {
        let rulings: Vec<_> = open.iter().map(|p| question.ruling(Message::New, reader, *p, class)).collect();
        if rulings.iter().any(|r| r.allow) {
            rules.extend(rulings.iter().filter(|r| r.allow).flat_map(|r| r.permits.iter().map(ToString::to_string)));
            allowed.insert(class);
        } else {
            denied.insert(class, rulings.iter().flat_map(|r| r.forbids.iter().map(ToString::to_string)).collect());
        }
    }
    let violation = |row: &Row| {
        let rule = denied.get(&row.class).and_then(BTreeSet::first).cloned().unwrap_or_else(|| RuleId::NECESSITY.to_owned());
        Violation::of_row(&row.key, row.class, rule)
    };
    let violations: Vec<_> = question.rows.iter().filter(|row| !allowed.contains(&row.class)).map(violation).collect();
    if violations.is_empty() {
        return Ok(Permitted { what: message, rules, valid_until: question.valid_until() });
    }
    let denying: BTreeSet<String> = denied.into_values().flatten().collect();
    Err(Refusal { code: RefusalCode::OverDisclosure, violations, rules: denying.into_iter().collect() })
}
