//! What may this reader see now? The classes permitted at this moment; everything else is withheld without a marker.

use std::collections::{BTreeMap, BTreeSet};

use super::exchange::{Message, Question};
use crate::{
    domain::{
        codes::Purpose,
        field::{FieldClass, FieldKey},
        party::PartyKind,
        refusal::{Refusal, RefusalCode},
        time::Timestamp,
    },
    policy::RuleId,
};

/// A row that is not shown, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hidden {
    /// Catalogue key.
    pub key: FieldKey,
    /// Ids of the rules; `necessity` where no policy permits.
    pub rules: Vec<String>,
}

/// What one reader may see of one message now. Made only by [`decide_read`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    shown: Vec<FieldKey>,
    hidden: Vec<Hidden>,
    consent_detail: bool,
    rules: BTreeSet<String>,
    valid_until: Timestamp,
}

impl View {
    /// Rows that are shown, in the message's order.
    #[must_use]
    pub fn shown(&self) -> &[FieldKey] {
        &self.shown
    }

    /// Rows that are withheld, in the message's order.
    #[must_use]
    pub fn hidden(&self) -> &[Hidden] {
        &self.hidden
    }

    /// Whether the reader may see the consent's pseudonym and reference.
    #[must_use]
    pub const fn consent_detail(&self) -> bool {
        self.consent_detail
    }

    /// Ids of the policies that permitted something.
    #[must_use]
    pub const fn rules(&self) -> &BTreeSet<String> {
        &self.rules
    }

    /// The view holds for entries before this time.
    #[must_use]
    pub const fn valid_until(&self) -> Timestamp {
        self.valid_until
    }
}

/// The purposes that limit a read.
#[derive(Debug, Clone, Copy)]
pub struct Viewing<'a> {
    /// Purpose of the actor token.
    pub purpose: Purpose,
    /// Purposes the message was sent for.
    pub message: &'a [Purpose],
}

/// Decides a read of one's own message: the sender sees what it wrote, as long as the message as a whole may be released.
///
/// # Errors
/// As [`decide_read`].
pub fn decide_own_read(question: &Question<'_>, viewing: &Viewing<'_>) -> Result<View, Refusal> {
    enter(question, viewing)?;
    Ok(View {
        shown: question.rows.iter().map(|row| row.key.clone()).collect(),
        hidden: Vec::new(),
        consent_detail: true,
        rules: BTreeSet::new(),
        valid_until: question.valid_until(),
    })
}

/// Decides a read.
///
/// # Errors
/// `purpose_not_allowed` when the message was not sent for the purpose, and what closes the message as a whole (agreement, consent).
pub fn decide_read(question: &Question<'_>, viewing: &Viewing<'_>) -> Result<View, Refusal> {
    decide(question, viewing, &[question.exchange.reader.kind()])
}

/// Decides a read by a delegate of the reader: what the reader may see now, and the policies permit a body of the delegate's kind too. That the
/// delegation is in force is the caller's to establish, and its end one of the ends of the question.
///
/// # Errors
/// As [`decide_read`].
pub fn decide_delegated_read(question: &Question<'_>, viewing: &Viewing<'_>, delegate: PartyKind) -> Result<View, Refusal> {
    decide(question, viewing, &[question.exchange.reader.kind(), delegate])
}

/// What the policies permit bodies of each of these kinds.
fn decide(question: &Question<'_>, viewing: &Viewing<'_>, kinds: &[PartyKind]) -> Result<View, Refusal> {
    enter(question, viewing)?;
    let rulings = |class| kinds.iter().map(move |kind| question.ruling(Message::Accepted, *kind, viewing.purpose, class));
    let mut view = View {
        shown: Vec::with_capacity(question.rows.len()),
        hidden: Vec::new(),
        consent_detail: rulings(FieldClass::ConsentDetail).all(|ruling| ruling.allow),
        rules: BTreeSet::new(),
        valid_until: question.valid_until(),
    };
    let (mut allowed, mut denied) = (BTreeSet::new(), BTreeMap::new());
    for class in question.classes() {
        let rulings: Vec<_> = rulings(class).collect();
        if rulings.iter().all(|ruling| ruling.allow) {
            view.rules.extend(rulings.iter().flat_map(|ruling| ruling.permits.iter()).map(ToString::to_string));
            allowed.insert(class);
        } else {
            let mut rules: Vec<String> = Vec::new();
            for ruling in rulings.iter().filter(|ruling| !ruling.allow) {
                rules.extend(ruling.forbids.iter().map(ToString::to_string));
                if ruling.permits.is_empty() {
                    rules.push(RuleId::NECESSITY.to_owned());
                }
            }
            let mut seen = BTreeSet::new();
            rules.retain(|rule| seen.insert(rule.clone()));
            denied.insert(class, rules);
        }
    }
    for row in question.rows {
        if allowed.contains(&row.class) {
            view.shown.push(row.key.clone());
        } else {
            view.hidden.push(Hidden { key: row.key.clone(), rules: denied.get(&row.class).cloned().unwrap_or_default() });
        }
    }
    Ok(view)
}

/// What closes a message to any read.
fn enter(question: &Question<'_>, viewing: &Viewing<'_>) -> Result<(), Refusal> {
    if !viewing.message.contains(&viewing.purpose) {
        return Err(Refusal::claim(RefusalCode::PurposeNotAllowed, "pur", "message"));
    }
    question.gate(Message::Accepted, &[viewing.purpose])
}
