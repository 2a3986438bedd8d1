//! What the entries of a ledger say of parties and keys, in their order: the newest word about each.
//!
//! Promises: what is remembered is one digest for each party and key. Pure: the rows that it is compared with, and the entries, are read elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    domain::{
        digest::Digest,
        entry::{Act, EntryType, Outcome},
        party::PartyId,
    },
    ledger::{Entry, Opening, Registered},
    store::KeyState,
};

/// What entries said so far.
#[derive(Debug, Default)]
pub(super) struct Registry {
    known: BTreeMap<Name, Known>,
    /// Entries that commit to nothing, each with its party: an earlier version wrote them.
    earlier: BTreeMap<u64, PartyId>,
    /// Of whom an entry said something that cannot be read any more.
    doubted: BTreeSet<PartyId>,
}

/// What is registered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Name {
    Party(PartyId),
    Key(Digest),
}

impl Name {
    /// What something registered is called.
    pub(super) fn of(is: &Registered) -> Self {
        match is {
            Registered::Party { party, .. } => Self::Party(party.clone()),
            Registered::Key { key, .. } => Self::Key(*key),
        }
    }

    /// Where it is said to be: the table with the row.
    pub(super) fn path(&self) -> String {
        match self {
            Self::Party(party) => format!("{} {party}", self.table()),
            Self::Key(kid) => format!("{} {kid}", self.table()),
        }
    }

    const fn table(&self) -> &'static str {
        match self {
            Self::Party(_) => "party",
            Self::Key(_) => "party_key",
        }
    }
}

/// What the newest entry says.
#[derive(Debug, Clone)]
struct Known {
    said: Registered,
    /// The newest entry.
    newest: u64,
    /// The entry that the row must name; none: an earlier version wrote it.
    named: Option<u64>,
    /// Whether an entry says how it stands now. An earlier version, beside this one for a while, may have changed that.
    settled: bool,
}

impl Registry {
    /// Takes the next entry; where it says of a registration what it cannot change, that is named.
    pub(super) fn next(&mut self, idx: u64, entry: &Entry, opening: Option<&Opening>) -> Vec<&'static str> {
        let list = match said(entry, opening) {
            Said::These(list) => list,
            // It added a key that nobody can tell, or changed how one stands. What a key is never changes.
            Said::Earlier(party) if entry.entry_type == EntryType::Key => {
                for known in self.known.values_mut() {
                    known.settled &= !matches!(&known.said, Registered::Key { party: of, .. } if *of == party);
                }
                self.earlier.insert(idx, party);
                return Vec::new();
            }
            // It changed something of the party, and nobody can tell what: it is to be recorded again.
            Said::Earlier(party) => {
                self.known.remove(&Name::Party(party.clone()));
                self.earlier.insert(idx, party);
                return Vec::new();
            }
            Said::Nothing => return Vec::new(),
        };
        let mut wrong = Vec::new();
        for said in list {
            let name = Name::of(&said);
            let before = self.known.get(&name);
            if !before.is_none_or(|before| leads(before, &said, entry)) {
                wrong.push(name.table());
            }
            let changes_state = matches!(entry.act, Some(Act::Retire | Act::Compromised));
            let named = if changes_state { before.and_then(|before| before.named) } else { Some(idx) };
            self.known.insert(name, Known { said, newest: idx, named, settled: true });
        }
        wrong
    }

    /// Takes an entry whose opening is gone, or is another than it commits to.
    pub(super) fn doubt(&mut self, entry: &Entry) {
        self.doubted.extend(party_of(entry).cloned());
    }

    /// How a row that names this entry stands beside what was said.
    pub(super) fn fit(&self, is: &Registered, idx: u64) -> Fit {
        let (Registered::Party { party, .. } | Registered::Key { party, .. }) = is;
        if self.doubted.contains(party) {
            return Fit::Differs(None);
        }
        let Some(known) = self.known.get(&Name::of(is)) else {
            return if self.earlier.get(&idx) == Some(party) { Fit::Earlier } else { Fit::Unrecorded };
        };
        let same = if known.settled { known.said == *is } else { went_on(&known.said, is) };
        if same && known.named.is_none_or(|named| named == idx) { Fit::Says } else { Fit::Differs(Some(known.newest)) }
    }

    /// Everything that is registered, with the newest entry about it.
    pub(super) fn all(&self) -> impl Iterator<Item = (&Name, u64)> {
        self.known.iter().map(|(name, known)| (name, known.newest))
    }

    /// The keys of a party.
    pub(super) fn keys_of(&self, party: &PartyId) -> impl Iterator<Item = &Digest> {
        self.known.iter().filter_map(move |(name, known)| match (name, &known.said) {
            (Name::Key(kid), Registered::Key { party: of, .. }) if of == party => Some(kid),
            _ => None,
        })
    }

    /// Whether something is registered under a name.
    pub(super) fn knows(&self, name: &Name) -> bool {
        self.known.contains_key(name)
    }
}

/// How a row stands beside the newest entry about what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// The entry says so.
    Says,
    /// An earlier version registered it, and nothing commits to it.
    Earlier,
    /// No entry registered it.
    Unrecorded,
    /// That entry says otherwise, or none can be read.
    Differs(Option<u64>),
}

/// Whether an entry can make the one of the other: only its own act changes what it changes, and what is recorded again is what it was.
fn leads(before: &Known, now: &Registered, entry: &Entry) -> bool {
    let act = entry.act.filter(|_| entry.actor.is_some());
    if !before.settled {
        return before.said.is_same_thing(now);
    }
    match (&before.said, now) {
        (Registered::Party { sha256, state, .. }, Registered::Party { sha256: s, state: t, .. }) => {
            (sha256 == s || act == Some(Act::Update)) && (state == t || matches!(act, Some(Act::Suspend | Act::Readmit)))
        }
        (Registered::Key { sha256, state, compromised_at, .. }, Registered::Key { sha256: s, state: t, compromised_at: since, .. }) => {
            sha256 == s && ((state, compromised_at) == (t, since) || matches!(act, Some(Act::Retire | Act::Compromised)))
        }
        _ => false,
    }
}

/// Whether a key may stand so behind what was last said of it, where nobody can tell what an earlier version did: what was taken away is never given back.
fn went_on(before: &Registered, now: &Registered) -> bool {
    let (Registered::Key { state, compromised_at, .. }, Registered::Key { state: now_state, compromised_at: since, .. }) = (before, now)
    else {
        return before == now;
    };
    let forward = match state {
        KeyState::Active => true,
        KeyState::Retiring => *now_state != KeyState::Active,
        KeyState::Retired => matches!(now_state, KeyState::Retired | KeyState::Compromised),
        // Told twice, the earlier time counts.
        KeyState::Compromised => *now_state == KeyState::Compromised && since.is_some() && since <= compromised_at,
    };
    before.is_same_thing(now) && forward
}

/// Of whom an entry registers something: who acts for itself, or whom the gateway's owner records at the machine.
fn party_of(entry: &Entry) -> Option<&PartyId> {
    match entry.entry_type {
        EntryType::Party => entry.recipient.as_ref(),
        EntryType::Key => entry.actor.as_ref().map(|actor| &actor.party).or(entry.recipient.as_ref()),
        _ => None,
    }
}

/// What an entry says of registrations.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Said {
    /// These are registered, or stand so from now on.
    These(Vec<Registered>),
    /// Something of this party: an earlier version wrote the entry, which commits to nothing.
    Earlier(PartyId),
    /// Nothing.
    Nothing,
}

/// What an entry says with this opening, which is the one it commits to.
fn said(entry: &Entry, opening: Option<&Opening>) -> Said {
    let Some(of) = party_of(entry).filter(|_| entry.decision == Outcome::Permit) else { return Said::Nothing };
    match opening.filter(|opening| !opening.registered.is_empty()) {
        Some(opening) => Said::These(opening.registered.clone()),
        None => Said::Earlier(of.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{party::PartyState, time::Timestamp},
        ledger::{Actor, Node},
    };

    fn city() -> PartyId {
        "municipality:131016-1".parse().unwrap()
    }

    fn party(state: PartyState) -> Registered {
        Registered::Party { party: city(), sha256: Digest([1; 32]), state }
    }

    fn key(state: KeyState, compromised_at: Option<Timestamp>) -> Registered {
        Registered::Key { key: Digest([7; 32]), party: city(), sha256: Digest([2; 32]), state, compromised_at }
    }

    /// An entry of this type, by the party itself where it does something.
    fn entry(entry_type: EntryType, act: Option<Act>) -> Entry {
        let node = Node { node: "gateway-1".to_owned(), version: "test".to_owned() };
        let mut entry = Entry::of_gateway(uuid::Uuid::nil(), node, entry_type);
        (entry.act, entry.recipient) = (act, Some(city()));
        entry.actor = act.map(|_| Actor { party: city(), cert: Digest([0; 32]), acting_for: None });
        entry
    }

    fn opening(registered: &[Registered]) -> Opening {
        Opening { registered: registered.to_vec(), ..Opening::default() }
    }

    /// A party with a key, registered in entry 3.
    fn registry() -> Registry {
        let mut registry = Registry::default();
        let first = opening(&[party(PartyState::Active), key(KeyState::Active, None)]);
        assert!(registry.next(3, &entry(EntryType::Party, Some(Act::Register)), Some(&first)).is_empty());
        registry
    }

    #[test]
    fn only_the_newest_word_fits_and_only_the_entry_it_is_named_by() {
        let mut registry = registry();
        let (active, stolen) = (key(KeyState::Active, None), key(KeyState::Compromised, Some(Timestamp::from_secs(9))));
        assert_eq!((registry.fit(&active, 3), registry.fit(&active, 4)), (Fit::Says, Fit::Differs(Some(3))));
        let told = registry.next(5, &entry(EntryType::Key, Some(Act::Compromised)), Some(&opening(std::slice::from_ref(&stolen))));
        assert!(told.is_empty());
        // A key's row goes on naming the entry that registered it; a party's names the newest.
        assert_eq!((registry.fit(&stolen, 3), registry.fit(&active, 3)), (Fit::Says, Fit::Differs(Some(5))));
        registry.next(6, &entry(EntryType::Party, Some(Act::Suspend)), Some(&opening(&[party(PartyState::Suspended)])));
        assert_eq!(registry.fit(&party(PartyState::Suspended), 6), Fit::Says);
        assert_eq!(registry.fit(&party(PartyState::Active), 3), Fit::Differs(Some(6)));
        assert_eq!(registry.keys_of(&city()).collect::<Vec<_>>(), [&Digest([7; 32])]);
    }

    #[test]
    fn an_entry_that_changes_what_its_act_cannot_change_is_named() {
        for (act, registered) in [
            (Act::Add, key(KeyState::Retired, None)),
            (Act::Update, party(PartyState::Suspended)),
            (Act::Suspend, Registered::Party { party: city(), sha256: Digest([9; 32]), state: PartyState::Suspended }),
        ] {
            let kind = if matches!(registered, Registered::Key { .. }) { EntryType::Key } else { EntryType::Party };
            assert_eq!(registry().next(5, &entry(kind, Some(act)), Some(&opening(&[registered]))).len(), 1, "{act:?}");
        }
    }

    #[test]
    fn where_an_entry_cannot_be_read_nothing_of_its_party_fits() {
        let mut registry = registry();
        registry.doubt(&entry(EntryType::Key, Some(Act::Compromised)));
        assert_eq!(registry.fit(&key(KeyState::Active, None), 3), Fit::Differs(None));
        assert_eq!(registry.fit(&party(PartyState::Active), 3), Fit::Differs(None));
        // What `tsunagi ledger record` wrote has no actor.
        let mut recorded = Registry::default();
        recorded.next(2, &entry(EntryType::Key, Some(Act::Add)), None);
        assert_eq!(recorded.fit(&key(KeyState::Active, None), 2), Fit::Earlier);
        recorded.doubt(&entry(EntryType::Key, None));
        assert_eq!(recorded.fit(&key(KeyState::Active, None), 2), Fit::Differs(None));
    }

    #[test]
    fn behind_an_earlier_version_a_key_only_goes_on_to_less() {
        let at = |secs| Some(Timestamp::from_secs(secs));
        let mut registry = registry();
        let stolen = opening(&[key(KeyState::Compromised, at(9))]);
        registry.next(5, &entry(EntryType::Key, Some(Act::Compromised)), Some(&stolen));
        registry.next(6, &entry(EntryType::Key, Some(Act::Add)), None);
        for (state, since, fits) in [
            (KeyState::Compromised, at(9), true),
            (KeyState::Compromised, at(8), true),
            (KeyState::Compromised, at(10), false),
            (KeyState::Compromised, None, false),
            (KeyState::Retired, None, false),
            (KeyState::Active, None, false),
        ] {
            assert_eq!(registry.fit(&key(state, since), 3) == Fit::Says, fits, "{state:?} {since:?}");
        }
    }

    #[test]
    fn what_an_earlier_version_registered_fits_the_entry_it_came_with_alone() {
        let mut registry = Registry::default();
        registry.next(2, &entry(EntryType::Party, None), None);
        let is = party(PartyState::Active);
        assert_eq!((registry.fit(&is, 2), registry.fit(&is, 3)), (Fit::Earlier, Fit::Unrecorded));
        registry.next(4, &entry(EntryType::Party, Some(Act::Update)), Some(&opening(std::slice::from_ref(&is))));
        assert_eq!((registry.fit(&is, 4), registry.fit(&is, 2)), (Fit::Says, Fit::Differs(Some(4))));
    }
}
