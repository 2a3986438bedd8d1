//! Sets of keys, computed with exactly: a union of boxes, each the product of subsets of the closed lists. So "over the whole domain" means every
//! key there is, without visiting them one by one.
//!
//! Not here: what the policies say (the form of a policy gives its region) and the engine, which alone decides.

use super::{key::Key, lint};
use crate::domain::{
    agreement::AgreementState,
    case::Relation,
    codes::{BasisGroup, MessageKind, Purpose},
    consent::ConsentState,
    field::FieldClass,
    party::PartyKind,
};

/// A product of subsets of the closed lists, readable: every key whose members are all in their lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Situations {
    /// Kinds of readers.
    pub readers: Vec<PartyKind>,
    /// Purposes of the read. Administration never shows anything and is outside the domain.
    pub purposes: Vec<Purpose>,
    /// Relations of the reader to the case.
    pub relations: Vec<Relation>,
    /// Classes.
    pub classes: Vec<FieldClass>,
    /// Kinds of senders.
    pub senders: Vec<PartyKind>,
    /// Message kinds.
    pub kinds: Vec<MessageKind>,
    /// What the legal basis means.
    pub bases: Vec<BasisGroup>,
    /// What the agreement says.
    pub agreements: Vec<AgreementState>,
    /// What the consent says.
    pub consents: Vec<ConsentState>,
    /// Whether the consent names the reader.
    pub named: Vec<bool>,
}

impl Situations {
    /// Every key there is.
    #[must_use]
    pub fn all() -> Self {
        Self::of(&Cells::whole())
    }

    fn of(cells: &Cells) -> Self {
        Self {
            readers: chosen(cells.at(Dimension::Reader), PartyKind::ALL),
            purposes: chosen(cells.at(Dimension::Purpose), Purpose::ALL),
            relations: chosen(cells.at(Dimension::Relation), Relation::ALL),
            classes: chosen(cells.at(Dimension::Class), FieldClass::ALL),
            senders: chosen(cells.at(Dimension::Sender), PartyKind::ALL),
            kinds: chosen(cells.at(Dimension::Kind), MessageKind::ALL),
            bases: chosen(cells.at(Dimension::Basis), BasisGroup::ALL),
            agreements: chosen(cells.at(Dimension::Agreement), AgreementState::ALL),
            consents: chosen(cells.at(Dimension::Consent), ConsentState::ALL),
            named: chosen(cells.at(Dimension::Named), &[false, true]),
        }
    }

    fn cells(&self) -> Cells {
        Cells::whole()
            .with(Dimension::Reader, places(&self.readers, PartyKind::ALL))
            .with(Dimension::Purpose, places(&self.purposes, Purpose::ALL) & Dimension::Purpose.whole())
            .with(Dimension::Relation, places(&self.relations, Relation::ALL))
            .with(Dimension::Class, places(&self.classes, FieldClass::ALL))
            .with(Dimension::Sender, places(&self.senders, PartyKind::ALL))
            .with(Dimension::Kind, places(&self.kinds, MessageKind::ALL))
            .with(Dimension::Basis, places(&self.bases, BasisGroup::ALL))
            .with(Dimension::Agreement, places(&self.agreements, AgreementState::ALL))
            .with(Dimension::Consent, places(&self.consents, ConsentState::ALL))
            .with(Dimension::Named, places(&self.named, &[false, true]))
    }

    /// One of the keys.
    #[must_use]
    pub fn first(&self) -> Option<Key> {
        Some(Key {
            reader: *self.readers.first()?,
            sender: *self.senders.first()?,
            class: *self.classes.first()?,
            purpose: *self.purposes.first()?,
            kind: *self.kinds.first()?,
            relation: *self.relations.first()?,
            basis: *self.bases.first()?,
            agreement: *self.agreements.first()?,
            consent: *self.consents.first()?,
            named: *self.named.first()?,
        })
    }
}

/// A set of keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Region {
    /// Pairwise disjoint, none empty.
    boxes: Vec<Cells>,
}

impl From<&Situations> for Region {
    fn from(situations: &Situations) -> Self {
        Self::one(situations.cells())
    }
}

impl FromIterator<Situations> for Region {
    fn from_iter<I: IntoIterator<Item = Situations>>(all: I) -> Self {
        all.into_iter().fold(Self::default(), |region, situations| region.or(&Self::from(&situations)))
    }
}

impl Region {
    /// Every key.
    #[must_use]
    pub fn whole() -> Self {
        Self::one(Cells::whole())
    }

    /// The keys with one of some codes in one dimension.
    pub(super) fn with(dimension: Dimension, places: u64) -> Self {
        Self::one(Cells::whole().with(dimension, places))
    }

    fn one(cells: Cells) -> Self {
        Self { boxes: if cells.is_empty() { Vec::new() } else { vec![cells] } }
    }

    /// Keys in either.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        let mut boxes = self.boxes.clone();
        boxes.extend(other.minus(self).boxes);
        Self { boxes }
    }

    /// Keys in both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let pairs = self.boxes.iter().flat_map(|a| other.boxes.iter().map(|b| a.common(b)));
        Self { boxes: pairs.filter(|cells| !cells.is_empty()).collect() }
    }

    /// Keys in this one and not in the other.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        other
            .boxes
            .iter()
            .fold(self.clone(), |left, taken| Self { boxes: left.boxes.iter().flat_map(|cells| cells.minus(taken)).collect() })
    }

    /// Whether it has no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.boxes.is_empty()
    }

    /// How many keys it has.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.boxes.iter().map(Cells::count).sum()
    }

    /// Whether a key is in it.
    #[must_use]
    pub fn contains(&self, key: &Key) -> bool {
        let cells = Situations::from(key).cells();
        self.boxes.iter().any(|own| !own.common(&cells).is_empty())
    }

    /// One of its keys.
    #[must_use]
    pub fn first(&self) -> Option<Key> {
        self.boxes.first().and_then(|cells| Situations::of(cells).first())
    }

    /// The same keys in few boxes, in an order that does not depend on how the region came about.
    #[must_use]
    pub fn situations(&self) -> Vec<Situations> {
        let mut boxes = self.boxes.clone();
        while let Some((kept, taken, merged)) = mergeable(&boxes) {
            boxes.swap_remove(taken);
            if let Some(cells) = boxes.get_mut(kept) {
                *cells = merged;
            }
        }
        boxes.sort_by_key(|cells| cells.0);
        boxes.iter().map(Situations::of).collect()
    }
}

impl From<&Key> for Situations {
    fn from(key: &Key) -> Self {
        Self {
            readers: vec![key.reader],
            purposes: vec![key.purpose],
            relations: vec![key.relation],
            classes: vec![key.class],
            senders: vec![key.sender],
            kinds: vec![key.kind],
            bases: vec![key.basis],
            agreements: vec![key.agreement],
            consents: vec![key.consent],
            named: vec![key.named],
        }
    }
}

/// Two boxes that differ in one dimension only, the first position smaller, and what they are together.
fn mergeable(boxes: &[Cells]) -> Option<(usize, usize, Cells)> {
    boxes.iter().enumerate().find_map(|(kept, a)| {
        boxes.iter().enumerate().skip(kept + 1).find_map(|(taken, b)| a.merged(b).map(|merged| (kept, taken, merged)))
    })
}

/// What a key depends on, one closed list each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dimension {
    Reader,
    Purpose,
    Relation,
    Class,
    Sender,
    Kind,
    Basis,
    Agreement,
    Consent,
    Named,
}

impl Dimension {
    const ALL: [Self; 10] = [
        Self::Reader,
        Self::Purpose,
        Self::Relation,
        Self::Class,
        Self::Sender,
        Self::Kind,
        Self::Basis,
        Self::Agreement,
        Self::Consent,
        Self::Named,
    ];

    /// The places of all codes.
    pub(super) fn whole(self) -> u64 {
        match self {
            Self::Reader | Self::Sender => places(PartyKind::ALL, PartyKind::ALL),
            Self::Purpose => places(&lint::purposes().collect::<Vec<_>>(), Purpose::ALL),
            Self::Relation => places(Relation::ALL, Relation::ALL),
            Self::Class => places(FieldClass::ALL, FieldClass::ALL),
            Self::Kind => places(MessageKind::ALL, MessageKind::ALL),
            Self::Basis => places(BasisGroup::ALL, BasisGroup::ALL),
            Self::Agreement => places(AgreementState::ALL, AgreementState::ALL),
            Self::Consent => places(ConsentState::ALL, ConsentState::ALL),
            Self::Named => 0b11,
        }
    }

    /// The place of a code, nothing for one that is not of the list.
    pub(super) fn place(self, code: &str) -> Option<u64> {
        match self {
            Self::Reader | Self::Sender => place(code, PartyKind::ALL),
            Self::Purpose => place(code, Purpose::ALL),
            Self::Relation => place(code, Relation::ALL),
            Self::Class => place(code, FieldClass::ALL),
            Self::Kind => place(code, MessageKind::ALL),
            Self::Basis => place(code, BasisGroup::ALL),
            Self::Agreement => place(code, AgreementState::ALL),
            Self::Consent => place(code, ConsentState::ALL),
            Self::Named => place(code, &[false, true]),
        }
    }
}

/// One box: for each dimension the places of its codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cells([u64; 10]);

impl Cells {
    fn whole() -> Self {
        Self(Dimension::ALL.map(Dimension::whole))
    }

    fn at(&self, dimension: Dimension) -> u64 {
        self.0.get(dimension as usize).copied().unwrap_or_default()
    }

    fn with(mut self, dimension: Dimension, places: u64) -> Self {
        if let Some(own) = self.0.get_mut(dimension as usize) {
            *own = places;
        }
        self
    }

    fn is_empty(&self) -> bool {
        self.0.contains(&0)
    }

    fn count(&self) -> u64 {
        self.0.iter().map(|places| u64::from(places.count_ones())).product()
    }

    fn common(&self, other: &Self) -> Self {
        Dimension::ALL.into_iter().fold(*self, |cells, d| cells.with(d, self.at(d) & other.at(d)))
    }

    /// What is left when a box is taken out, as disjoint boxes.
    fn minus(&self, taken: &Self) -> Vec<Self> {
        let common = self.common(taken);
        if common.is_empty() {
            return vec![*self];
        }
        let (mut rest, mut left) = (*self, Vec::new());
        for d in Dimension::ALL {
            let piece = rest.with(d, self.at(d) & !taken.at(d));
            if !piece.is_empty() {
                left.push(piece);
            }
            rest = rest.with(d, common.at(d));
        }
        left
    }

    /// Both together, where that is one box.
    fn merged(&self, other: &Self) -> Option<Self> {
        let mut different = Dimension::ALL.into_iter().filter(|d| self.at(*d) != other.at(*d));
        let d = different.next()?;
        different.next().is_none().then(|| self.with(d, self.at(d) | other.at(d)))
    }
}

fn places<T: PartialEq>(chosen: &[T], all: &[T]) -> u64 {
    all.iter().zip(0_u32..).filter(|(code, _)| chosen.contains(code)).fold(0, |places, (_, n)| places | 1 << n)
}

fn place<T: ToString>(code: &str, all: &[T]) -> Option<u64> {
    all.iter().zip(0_u32..).find(|(own, _)| own.to_string() == code).map(|(_, n)| 1 << n)
}

fn chosen<T: Copy>(places: u64, all: &[T]) -> Vec<T> {
    all.iter().zip(0_u32..).filter(|(_, n)| places & (1 << n) != 0).map(|(code, _)| *code).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readers(readers: &[PartyKind]) -> Region {
        Region::from(&Situations { readers: readers.to_vec(), ..Situations::all() })
    }

    fn classes(classes: &[FieldClass]) -> Region {
        Region::from(&Situations { classes: classes.to_vec(), ..Situations::all() })
    }

    #[test]
    fn the_whole_domain_has_every_combination_but_administration() {
        assert_eq!(Region::whole().count(), 14 * 7 * 7 * 41 * 14 * 40 * 3 * 6 * 8 * 2);
        assert_eq!(Region::from(&Situations { purposes: vec![Purpose::Administration], ..Situations::all() }), Region::default());
    }

    #[test]
    fn the_algebra_of_sets_holds() {
        let (a, b) = (readers(&[PartyKind::Municipality, PartyKind::GroupHome]), classes(&[FieldClass::Identity, FieldClass::Task]));
        assert_eq!(a.or(&b).count() + a.and(&b).count(), a.count() + b.count());
        assert_eq!(a.minus(&b).count() + a.and(&b).count(), a.count());
        assert!(a.minus(&a).is_empty() && a.minus(&Region::whole()).is_empty());
        let neither = Region::whole().minus(&a).minus(&b);
        assert!(neither.minus(&Region::whole().minus(&a.or(&b))).is_empty() && Region::whole().minus(&a.or(&b)).minus(&neither).is_empty());
        assert!(a.contains(&a.first().unwrap()) && !neither.contains(&a.first().unwrap()));
    }

    #[test]
    fn few_boxes_say_the_same() {
        let one = PartyKind::ALL.iter().map(|kind| Situations { readers: vec![*kind], ..Situations::all() });
        let region: Region = one.collect();
        assert_eq!(region.situations(), [Situations::all()]);
        assert_eq!(region.situations().into_iter().collect::<Region>().count(), region.count());
    }
}
