//! What is kept beside a message, compared with what its signed form and its entry say: the consent, the days, the messages that it names, and in whose
//! place a delegate sent or got it.
//!
//! Promises: a row that is gone is named where the gateway that took the message in kept such rows: in a ledger whose first party was registered by a
//! version that keeps them, and behind the first of them that the same gateway wrote. Messages from before that have none. Not here: whether a delegation
//! was in force at that moment, and a place that was taken out of a row.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use super::{Found, Insight, stored::Wrong, unavailable};
use crate::{
    domain::{
        agreement::Agreement,
        entry::{EntryType, Operation},
        party::{PartyId, PartyKind},
    },
    gateway::{read_case::open_message, terms::term},
    ledger::{Entry, LedgerError, Node, Opening},
    message::disclosed::Disclosed,
    store::{MessageRow, StoreError, Term},
    text::audit::Finding,
};

/// Which gateways keep something beside messages, as far as the entries were looked at.
#[derive(Debug, Default)]
pub(super) struct Keeping(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// Whether the first party was registered by a version that does.
    from_the_first: Option<bool>,
    /// Name and version of those that wrote such a row.
    gateways: BTreeSet<(String, String)>,
}

impl Keeping {
    /// Begins anew.
    pub(super) fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Kept::default();
    }

    /// Takes an entry that registers something.
    pub(super) fn registered(&self, entry: &Entry, opening: &Opening) {
        if entry.entry_type == EntryType::Party {
            // The version that says in the opening what it registers came after the one that keeps these rows.
            self.0.lock().unwrap_or_else(PoisonError::into_inner).from_the_first.get_or_insert(!opening.registered.is_empty());
        }
    }

    /// Whether the gateway of an entry had to keep something, which it did or did not.
    fn had_to(&self, entry: &Entry, did: bool) -> bool {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Node { node, version } = &entry.gateway;
        let gateway = (node.clone(), version.clone());
        if did {
            kept.gateways.insert(gateway);
            return true;
        }
        kept.from_the_first == Some(true) || kept.gateways.contains(&gateway)
    }
}

impl Insight {
    /// Compares what is kept beside a message; its content where it could be opened.
    pub(super) async fn kept_beside(
        &self,
        entry: &Entry,
        row: &MessageRow,
        disclosed: Option<&Disclosed>,
        wrong: &mut Wrong,
    ) -> Result<(), LedgerError> {
        let kept = match self.store.term(&row.case, &row.jti).await {
            Ok(kept) => kept,
            Err(StoreError::Corrupt(column)) => {
                wrong.push((Finding::RowUnreadable, column));
                return Ok(());
            }
            Err(error) => return Err(unavailable(&error)),
        };
        let had_to = self.keeping.had_to(entry, kept.is_some());
        let Some(kept) = kept else {
            if had_to {
                wrong.push((Finding::StoredMissing, "message_term"));
            }
            return Ok(());
        };
        let by = entry.actor.as_ref().and_then(|actor| actor.acting_for.as_ref());
        let mut same = vec![
            (kept.sent_for.as_ref() == by, "message_term.sent_for"),
            (self.may_have_got(entry, row, kept.sent_to.as_ref()).await?, "message_term.sent_to"),
        ];
        if let Some(disclosed) = disclosed {
            let said = term(disclosed);
            same.extend([
                (kept.consent == said.consent, "message_term.consent"),
                (kept.reply_by == said.reply_by, "message_term.reply_by"),
                (kept.corrects == said.corrects, "message_term.corrects"),
                (names_its_source(entry, &kept, disclosed), "message_term.source"),
            ]);
        }
        wrong.extend(same.into_iter().filter(|(same, _)| !same).map(|(_, column)| (Finding::StoredDiffers, column)));
        Ok(())
    }

    /// Whether the addressee may have got a message in the place of this party: it acts for it by the agreement under which that party was written to
    /// first in this case.
    async fn may_have_got(&self, entry: &Entry, row: &MessageRow, by: Option<&PartyId>) -> Result<bool, LedgerError> {
        let Some(by) = by else { return Ok(true) };
        if entry.operation != Operation::MessageSubmit || row.aud.kind() != PartyKind::CoreCenter {
            return Ok(false);
        }
        let first = match self.store.first_message(&row.case, by).await {
            Ok(Some(first)) if first.idx < row.idx => first,
            Ok(_) => return Ok(false),
            // A row that cannot be read is named at its own entry, and so is a message that does not open.
            Err(StoreError::Corrupt(_)) => return Ok(true),
            Err(error) => return Err(unavailable(&error)),
        };
        let Found::Key(key) = self.key(first.sealed.key).await? else { return Ok(true) };
        let Ok((message, _)) = open_message(&key, &first) else { return Ok(true) };
        let named = &message.claims().agr;
        let agreement = match self.store.agreement(&named.id, named.ver).await {
            Ok(Some(agreement)) => agreement,
            Ok(None) | Err(StoreError::Corrupt(_)) => return Ok(true),
            Err(error) => return Err(unavailable(&error)),
        };
        let agreement: Option<Agreement> = serde_json::from_slice(&agreement.document).ok();
        Ok(agreement.is_none_or(|agreement| agreement.delegations.iter().any(|one| one.from == *by && one.to == row.aud)))
    }
}

/// What a message passes on is kept only where its sender got that in the same case; a message that opens one passes on nothing of it.
fn names_its_source(entry: &Entry, kept: &Term, disclosed: &Disclosed) -> bool {
    let Some(source) = kept.source else { return true };
    entry.operation == Operation::MessageSubmit && disclosed.hidden.drv.as_ref().is_some_and(|said| said.jti == source)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Registered;

    fn entry(version: &str) -> Entry {
        let node = Node { node: "gateway-1".to_owned(), version: version.to_owned() };
        Entry::of_gateway(uuid::Uuid::nil(), node, EntryType::Party)
    }

    fn said() -> Opening {
        let key = Registered::Party {
            party: "operator:tsunagi".parse().unwrap(),
            sha256: crate::domain::digest::Digest([1; 32]),
            state: crate::domain::party::PartyState::Active,
        };
        Opening { registered: vec![key], ..Opening::default() }
    }

    #[test]
    fn a_row_is_missed_in_a_ledger_that_began_with_such_rows() {
        let keeping = Keeping::default();
        keeping.registered(&entry("2"), &said());
        assert!(keeping.had_to(&entry("2"), false));
        keeping.forget();
        assert!(!keeping.had_to(&entry("2"), false), "another look begins anew");
    }

    #[test]
    fn in_an_older_ledger_a_row_is_missed_behind_the_first_of_the_same_gateway() {
        let keeping = Keeping::default();
        keeping.registered(&entry("1"), &Opening::default());
        keeping.registered(&entry("2"), &said());
        assert!(!keeping.had_to(&entry("2"), false), "what came later does not say how it began");
        assert!(keeping.had_to(&entry("2"), true));
        assert!(keeping.had_to(&entry("2"), false));
        assert!(!keeping.had_to(&entry("1"), false), "an earlier version beside it keeps nothing");
    }
}
