//! State and relations of a case, worked out anew from its messages with the gateway's own rules, and compared with the rows.
//!
//! Promises: an entry says which case it opened, so no case is left out because its row is gone. A case that somebody moves while it is read is read again.
//! What cannot be worked out is counted and not accused: a message of an earlier version may lack in whose place it was got, and a newer version may
//! refuse what an earlier one took. Not here: cases that were erased; when a party first got a case, and its own id of it.

use std::collections::BTreeMap;

use super::{Found, Insight, stored::Wrong, unavailable};
use crate::{
    domain::{
        case::{CaseState, Relation},
        entry::{Operation, Outcome},
        ids::{CaseKey, Jti},
        life::{Act, Outcome as Word, Sent, Standing},
        party::PartyId,
    },
    gateway::{affair::outcome, read_case::open_message},
    ledger::{Entry, LedgerError},
    store::{CaseRow, Passage, StoreError},
    text::audit::Finding,
};

/// How a case must stand.
enum Worked {
    Standing(Box<Standing>),
    /// It cannot be told.
    Untold,
}

impl Insight {
    /// Compares the case that an entry opened. Whether it could be worked out.
    pub(super) async fn life(&self, case: &CaseKey, wrong: &mut Wrong) -> Result<bool, LedgerError> {
        for _ in 0..TRIES {
            let Some(parties) = legible(self.store.case_parties(case).await, wrong)? else { return Ok(false) };
            let Some(passages) = legible(self.store.passages(&[*case]).await, wrong)? else { return Ok(false) };
            let Some(content) = legible(self.store.case_content(case).await, wrong)? else { return Ok(false) };
            let Some(content) = content.filter(|_| !parties.is_empty()) else {
                wrong.push((Finding::StoredMissing, "case_"));
                return Ok(true);
            };
            let worked = self.work_out(case, &passages, &content.terms).await?;
            let Some(again) = legible(self.store.case_parties(case).await, wrong)? else { return Ok(false) };
            if moved(&parties, &again) {
                continue;
            }
            let Worked::Standing(standing) = worked else { return Ok(false) };
            compare(&standing, &parties, wrong);
            return Ok(true);
        }
        Ok(false)
    }

    async fn work_out(&self, case: &CaseKey, passages: &[Passage], terms: &[Jti]) -> Result<Worked, LedgerError> {
        let Some((first, later)) = passages.split_first() else { return Ok(Worked::Untold) };
        let Some(mut standing) = Standing::opened(first.head.kind, &first.head.iss, &first.head.aud) else { return Ok(Worked::Untold) };
        for passage in later {
            let head = &passage.head;
            let Some(entry) = self.entry_of(passage).await? else { return Ok(Worked::Untold) };
            // An earlier version kept nothing beside a message: whether a newcomer got it in another's place cannot be told.
            let newcomer = matches!(standing.parties.get(&head.aud), None | Some(Relation::None));
            if newcomer && !terms.contains(&head.jti) {
                return Ok(Worked::Untold);
            }
            let acting = entry.actor.and_then(|actor| actor.acting_for).map(|by| (head.iss.clone(), by));
            let got = passage.term.sent_to.clone().map(|by| (head.aud.clone(), by));
            standing.delegates = acting.into_iter().chain(got).collect();
            let word = match Word::row(head.kind) {
                None => None,
                Some(_) => match self.word(case, passage).await? {
                    Some(word) => word,
                    None => return Ok(Worked::Untold),
                },
            };
            let act = Act { kind: head.kind, from: &head.iss, to: &head.aud, outcome: word };
            let Ok(change) = standing.step(&act) else { return Ok(Worked::Untold) };
            let sent = Sent { kind: head.kind, from: standing.seat(&head.iss).clone(), to: standing.seat(&head.aud).clone() };
            standing.state = change.state.unwrap_or(standing.state);
            standing.parties.extend(change.relations);
            standing.sent.push(sent);
        }
        Ok(Worked::Standing(Box::new(standing)))
    }

    /// The entry that took a message in; none where it is not of this message, which is named elsewhere.
    async fn entry_of(&self, passage: &Passage) -> Result<Option<Entry>, LedgerError> {
        let row = match self.store.entry(passage.head.idx).await {
            Ok(row) => row,
            Err(StoreError::Corrupt(_)) => None,
            Err(error) => return Err(unavailable(&error)),
        };
        let entry: Option<Entry> = row.and_then(|row| serde_json::from_slice(&row.body).ok());
        let takes_in = |entry: &Entry| entry.operation == Operation::MessageSubmit && entry.decision == Outcome::Permit;
        Ok(entry.filter(takes_in).filter(|entry| entry.request == Some(passage.head.digest)))
    }

    /// What a deciding message says. None: it does not open.
    async fn word(&self, case: &CaseKey, passage: &Passage) -> Result<Option<Option<Word>>, LedgerError> {
        let row = match self.store.message(case, &passage.head.jti).await {
            Ok(Some(row)) => row,
            Ok(None) | Err(StoreError::Corrupt(_)) => return Ok(None),
            Err(error) => return Err(unavailable(&error)),
        };
        let Found::Key(key) = self.key(row.sealed.key).await? else { return Ok(None) };
        let opened = open_message(&key, &row).ok();
        Ok(opened.map(|(_, disclosed)| outcome(row.kind, &disclosed)))
    }
}

/// Whether a message came into the case in between: every one moves its revision.
fn moved(before: &[CaseRow], after: &[CaseRow]) -> bool {
    before.first().map(|row| row.revision) != after.first().map(|row| row.revision)
}

fn compare(standing: &Standing, rows: &[CaseRow], wrong: &mut Wrong) {
    let stood: BTreeMap<&PartyId, Relation> = rows.iter().map(|row| (&row.party, row.relation)).collect();
    let expected = |party: &PartyId| standing.parties.get(party).copied().unwrap_or(Relation::None);
    if standing.parties.keys().any(|party| !stood.contains_key(party)) {
        wrong.push((Finding::StoredMissing, "case_party"));
    }
    if stood.iter().any(|(party, relation)| *relation != expected(party)) {
        wrong.push((Finding::StoredDiffers, "case_party.relation"));
    }
    let state: Option<CaseState> = rows.first().map(|row| row.state);
    if state.is_some_and(|state| state != standing.state) {
        wrong.push((Finding::StoredDiffers, "case_.state"));
    }
}

fn legible<T>(read: Result<T, StoreError>, wrong: &mut Wrong) -> Result<Option<T>, LedgerError> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(StoreError::Corrupt(column)) => {
            wrong.push((Finding::RowUnreadable, column));
            Ok(None)
        }
        Err(error) => Err(unavailable(&error)),
    }
}

/// How often a case is read anew because somebody moved it.
const TRIES: u8 = 8;
