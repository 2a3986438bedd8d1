//! Consent of the person (本人同意): what it covers and whether it still stands (protocol section 2, `domain.md` section 10).

mod taken;
mod terms;

use std::collections::BTreeSet;

pub use self::{
    taken::{ErasureDue, Taking},
    terms::{ConsentTerms, CustodyTerms, OralTerms, RepresentativeTerms},
};
use super::{
    agreement::Side,
    codes::{Purpose, closed_list},
    field::FieldClass,
    ids::Jti,
    party::{PartyId, PartyKind},
    time::Timestamp,
};

/// Who a consent item names: a party, or a kind of public bodies.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Recipient {
    /// Every party of a public kind.
    Kind(PartyKind),
    /// One party. Providers are always named.
    Party(PartyId),
}

impl Recipient {
    fn holds(&self, party: &PartyId) -> bool {
        match self {
            Self::Kind(kind) => kind.is_public() && party.kind() == *kind,
            Self::Party(id) => id == party,
        }
    }

    fn names(&self, party: &PartyId) -> bool {
        matches!(self, Self::Party(id) if id == party)
    }

    /// Whether some party may be both.
    fn meets(&self, side: &Side) -> bool {
        match (self, side) {
            (Self::Party(party), side) => side.holds(party),
            (Self::Kind(kind), Side::Kind(other)) => kind == other,
            (Self::Kind(kind), Side::Party(party)) => party.kind() == *kind,
        }
    }

    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> PartyKind {
        match self {
            Self::Kind(kind) => *kind,
            Self::Party(party) => party.kind(),
        }
    }
}

impl std::str::FromStr for Recipient {
    type Err = super::codes::UnknownCode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains(':') {
            return text.parse().map(Self::Party);
        }
        let kind: PartyKind = text.parse()?;
        if kind.is_public() { Ok(Self::Kind(kind)) } else { Err(super::codes::UnknownCode("Recipient")) }
    }
}

impl std::fmt::Display for Recipient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Kind(kind) => kind.fmt(f),
            Self::Party(id) => id.fmt(f),
        }
    }
}

impl serde::Serialize for Recipient {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Recipient {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A product of recipients, purposes and classes, with the classes ticked one by one.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// Recipients.
    pub rcp: Vec<Recipient>,
    /// Purposes.
    pub pur: Vec<Purpose>,
    /// Classes.
    pub cls: Vec<FieldClass>,
    /// Classes ticked one by one (個別に丸を付けた項目); they count as covered too.
    #[serde(default)]
    pub tick: Vec<FieldClass>,
}

/// A product taken out of a consent, or refused in it. An absent list stands for everything.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// Recipients. In a refusal a provider kind may stand here: refusing may be broader than consenting.
    pub rcp: Vec<Side>,
    /// Purposes; absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pur: Option<Vec<Purpose>>,
    /// Classes; absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cls: Option<Vec<FieldClass>>,
}

impl Exception {
    fn takes(&self, recipient: &PartyId, purpose: Purpose, class: FieldClass) -> bool {
        self.rcp.iter().any(|side| side.holds(recipient))
            && self.pur.as_ref().is_none_or(|list| list.contains(&purpose))
            && self.cls.as_ref().is_none_or(|list| list.contains(&class))
    }

    /// Whether it takes anything from a party.
    #[must_use]
    pub fn concerns(&self, party: &PartyId) -> bool {
        self.rcp.iter().any(|side| side.holds(party))
    }

    /// Whether it touches anything that an item covers.
    #[must_use]
    pub fn touches(&self, item: &Item) -> bool {
        let meets = |side: &Side| item.rcp.iter().any(|recipient| recipient.meets(side));
        self.rcp.iter().any(meets)
            && self.pur.as_ref().is_none_or(|list| list.iter().any(|purpose| item.pur.contains(purpose)))
            && self.cls.as_ref().is_none_or(|list| list.iter().any(|class| item.cls.contains(class) || item.tick.contains(class)))
    }

    /// Whether the other takes out all that this one does.
    #[must_use]
    pub fn within(&self, other: &Self) -> bool {
        let held = |side: &Side| {
            other.rcp.iter().any(|wider| match (side, wider) {
                (Side::Party(party), wider) => wider.holds(party),
                (Side::Kind(kind), Side::Kind(wider)) => kind == wider,
                (Side::Kind(_), Side::Party(_)) => false,
            })
        };
        self.rcp.iter().all(held) && all_in(self.pur.as_deref(), other.pur.as_deref()) && all_in(self.cls.as_deref(), other.cls.as_deref())
    }
}

/// Whether a list stands in a wider one. An absent list stands for everything.
fn all_in<T: PartialEq>(list: Option<&[T]>, wider: Option<&[T]>) -> bool {
    match (list, wider) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(list), Some(wider)) => list.iter().all(|value| wider.contains(value)),
    }
}

closed_list! {
    /// How the person gave consent (同意の取得方法).
    ConsentMethod {
        PaperSigned = "paper_signed",
        PaperSeal = "paper_seal",
        Thumbprint = "thumbprint",
        Electronic = "electronic",
        OralWitnessed = "oral_witnessed",
    }
}

closed_list! {
    /// Who ended a consent.
    EndedBy {
        Self_ = "self",
        Representative = "representative",
    }
}

/// The scope of a consent, as the collector signed it. The pseudonym of the person and other personal claims stay in the signed object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// Id.
    pub jti: Jti,
    /// Who collected and signed it.
    pub collector: PartyId,
    /// Valid from.
    pub not_before: Timestamp,
    /// Valid until (exclusive); at most a year after `not_before`.
    pub expires: Timestamp,
    /// What is consented to.
    pub items: Vec<Item>,
    /// What is expressly refused; beats every item.
    pub refused: Vec<Exception>,
}

/// What has happened to a consent since, in ledger order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConsentHistory {
    /// Ended as a whole, or superseded by another.
    pub ended: bool,
    /// Products taken out.
    pub narrowed: Vec<Exception>,
    /// Until when it stands towards providers, if it was given in custody and not confirmed elsewhere since.
    pub providers_until: Option<Timestamp>,
}

closed_list! {
    /// What a consent says about one field class, the form the policy sees.
    ConsentState {
        None = "none",
        Withdrawn = "withdrawn",
        NotInForce = "not_in_force",
        RecipientOutside = "recipient_outside",
        PurposeOutside = "purpose_outside",
        ClassOutside = "class_outside",
        Covers = "covers",
        CoversTicked = "covers_ticked",
    }
}

impl Consent {
    /// Whether the consent stands as a whole at `now`: `Withdrawn`, `NotInForce` or `Covers`.
    #[must_use]
    pub fn standing(&self, history: &ConsentHistory, now: Timestamp) -> ConsentState {
        if history.ended {
            ConsentState::Withdrawn
        } else if now < self.not_before || now >= self.expires {
            ConsentState::NotInForce
        } else {
            ConsentState::Covers
        }
    }

    /// From when on it is not in force for a recipient, whatever happens to it until then.
    #[must_use]
    pub fn ends_for(&self, history: &ConsentHistory, recipient: &PartyId) -> Timestamp {
        let providers = history.providers_until.filter(|_| recipient.kind().is_provider());
        providers.map_or(self.expires, |until| until.min(self.expires))
    }

    /// As [`Self::standing`], for one recipient. Whom it covers for nothing is not told what becomes of it: for that one it stands as on its first day.
    #[must_use]
    pub fn standing_for(&self, history: &ConsentHistory, recipient: &PartyId, now: Timestamp) -> ConsentState {
        let standing = match self.standing(history, now) {
            ConsentState::Covers if now >= self.ends_for(history, recipient) => ConsentState::NotInForce,
            standing => standing,
        };
        let told = standing == ConsentState::Covers || self.covers_something(history, recipient);
        if told { standing } else { ConsentState::Covers }
    }

    /// What the consent says about one class, for one recipient and purpose. One item must cover all three.
    #[must_use]
    pub fn state(
        &self,
        history: &ConsentHistory,
        recipient: &PartyId,
        purpose: Purpose,
        class: FieldClass,
        now: Timestamp,
    ) -> ConsentState {
        let standing = self.standing_for(history, recipient, now);
        if standing != ConsentState::Covers {
            return standing;
        }
        let mut state = ConsentState::RecipientOutside;
        for item in self.items.iter().filter(|item| item.rcp.iter().any(|r| r.holds(recipient))) {
            if !item.pur.contains(&purpose) {
                state = state.max(ConsentState::PurposeOutside);
            } else if item.tick.contains(&class) {
                state = state.max(ConsentState::CoversTicked);
            } else if item.cls.contains(&class) {
                state = state.max(ConsentState::Covers);
            } else {
                state = state.max(ConsentState::ClassOutside);
            }
        }
        let covered = matches!(state, ConsentState::Covers | ConsentState::CoversTicked);
        if covered && self.taken(history, recipient, purpose, class) { ConsentState::ClassOutside } else { state }
    }

    /// Whether the person refused it from the start or took it out since.
    fn taken(&self, history: &ConsentHistory, recipient: &PartyId, purpose: Purpose, class: FieldClass) -> bool {
        self.refused.iter().chain(&history.narrowed).any(|x| x.takes(recipient, purpose, class))
    }

    /// Whether the consent covers the recipient at all for any of the purposes: `RecipientOutside`, `PurposeOutside` or `Covers`, or the standing.
    /// An item from which every class was taken, at once or piece by piece, covers nothing.
    #[must_use]
    pub fn state_of_recipient(&self, history: &ConsentHistory, recipient: &PartyId, purposes: &[Purpose], now: Timestamp) -> ConsentState {
        let standing = self.standing_for(history, recipient, now);
        if standing != ConsentState::Covers {
            return standing;
        }
        let left = |item: &Item, purpose| item.cls.iter().chain(&item.tick).any(|c| !self.taken(history, recipient, purpose, *c));
        let mut state = ConsentState::RecipientOutside;
        for item in self.items.iter().filter(|item| item.rcp.iter().any(|r| r.holds(recipient))) {
            let open = purposes.iter().any(|p| item.pur.contains(p) && left(item, *p));
            state = state.max(if open { ConsentState::Covers } else { ConsentState::PurposeOutside });
        }
        state
    }

    /// Whether it covers anything for a party, whatever its time and its end. An item from which every class was taken covers nothing.
    #[must_use]
    pub fn covers_something(&self, history: &ConsentHistory, party: &PartyId) -> bool {
        let left = |item: &Item, purpose| item.cls.iter().chain(&item.tick).any(|class| !self.taken(history, party, purpose, *class));
        let mut items = self.items.iter().filter(|item| item.rcp.iter().any(|r| r.holds(party)));
        items.any(|item| item.pur.iter().any(|purpose| left(item, *purpose)))
    }

    /// What it covers for a party alone, purpose by purpose, without what was refused and taken out, whatever its time and its end.
    #[must_use]
    pub fn part_of(&self, history: &ConsentHistory, party: &PartyId) -> Vec<Item> {
        let held: Vec<&Item> = self.items.iter().filter(|item| item.rcp.iter().any(|r| r.holds(party))).collect();
        let mut part: Vec<Item> = Vec::new();
        for (purpose, class) in self.covered(history, party) {
            let ticked = held.iter().any(|item| item.pur.contains(&purpose) && item.tick.contains(&class));
            if part.last().is_none_or(|item| !item.pur.contains(&purpose)) {
                part.push(Item { rcp: vec![Recipient::Party(party.clone())], pur: vec![purpose], cls: Vec::new(), tick: Vec::new() });
            }
            if let Some(item) = part.last_mut() {
                if ticked { item.tick.push(class) } else { item.cls.push(class) }
            }
        }
        part
    }

    /// What the consent covers for a party, whatever its time and its end.
    #[must_use]
    pub fn covered(&self, history: &ConsentHistory, party: &PartyId) -> BTreeSet<(Purpose, FieldClass)> {
        let items = self.items.iter().filter(|item| item.rcp.iter().any(|r| r.holds(party)));
        let products = items.flat_map(|item| item.pur.iter().flat_map(|p| item.cls.iter().chain(&item.tick).map(|c| (*p, *c))));
        products.filter(|(purpose, class)| !self.taken(history, party, *purpose, *class)).collect()
    }

    /// Whether an item names the party itself, not only its kind.
    #[must_use]
    pub fn names(&self, party: &PartyId) -> bool {
        self.items.iter().any(|item| item.rcp.iter().any(|r| r.names(party)))
    }
}

#[cfg(test)]
mod tests;
