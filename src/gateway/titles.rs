//! Who may look a consent up and record its end, and what of it concerns whom (protocol sections 2 and 9; `domain.md` section 10.3, rule 3).
//!
//! Promises: a body that takes part in the case of a consent finds the number of the consent with the messages that rest on it, as long as the one that
//! stands in its place covers something for that body, or the body is in charge of the case; by this number it looks up what concerns itself, and records
//! what the person takes back. Of other recipients a provider is told nothing, whatever it serves the person with, and nobody who may not see
//! `consent_detail`. For everybody else, and for whom a later consent left out, the consent is not there.

use std::collections::{BTreeMap, HashMap, btree_map::Entry};

use serde_json::{Value, json};

use super::{Gateway, call::Caller, delegates::Delegated, failure::Failure, outlook::Outlook, rights::StandingConsent};
use crate::{
    domain::{
        case::Relation,
        consent::{ConsentHistory, ConsentState},
        ids::{CaseKey, Jti},
        party::PartyId,
        refusal::RefusalCode,
        time::Timestamp,
    },
    store::MessageHead,
};

/// As what a body looks at a consent, or records its end.
pub(super) enum Title {
    /// It collected it.
    Collector,
    /// It takes part in the case of a consent that concerns it, or acts for one that does.
    Concerned(Concerned),
}

/// A body that a consent concerns.
pub(super) struct Concerned {
    /// The one that takes part in the case.
    pub seat: PartyId,
    /// The one that acts for it.
    pub delegation: Option<Delegated>,
    pub case: CaseKey,
    /// The consent that stands in the place of the one that was asked for.
    pub in_place: Jti,
}

impl Gateway {
    /// The consent with the caller's title to it; without one it is not there.
    pub(super) async fn titled_consent(&self, caller: &Caller, jti: &Jti, epoch: u64) -> Result<(StandingConsent, Title), Failure> {
        let Some(consent) = self.consent(jti).await? else {
            // Its collector knows that it was there.
            let own = self.store.consent(jti).await?.is_some_and(|row| row.collector == *caller.party());
            return Err(if own { RefusalCode::Erased } else { RefusalCode::NotFound }.into());
        };
        if consent.row.collector == *caller.party() {
            self.stands_last(&consent).await?;
            return Ok((consent, Title::Collector));
        }
        let case = self.unless_erased(self.case_of(&consent).await?).await?.ok_or(RefusalCode::NotFound)?;
        let in_place = self.consent_in_place(jti).await?.ok_or(Failure::Corrupt("consent"))?;
        let rows = self.store.case_parties(&case).await?;
        let row = rows.into_iter().find(|row| row.party == *caller.party()).ok_or(RefusalCode::NotFound)?;
        // One that never covered anything for it is another's, even if the one in its place does.
        let covered = |party: &PartyId| in_place.concerns(party) && consent.open.scope.covers_something(&ConsentHistory::default(), party);
        let concerns = |party: &PartyId, relation: Relation| relation.may_end_consent() && (in_charge(party, relation) || covered(party));
        let title = |seat: PartyId, delegation| Title::Concerned(Concerned { seat, delegation, case, in_place: in_place.row.jti });
        if concerns(caller.party(), row.relation) {
            return Ok((consent, title(caller.party().clone(), None)));
        }
        for (row, delegation) in self.delegated_cases(caller.party(), epoch, row).await? {
            if concerns(&delegation.by, row.relation) {
                return Ok((consent, title(delegation.by.clone(), Some(delegation))));
            }
        }
        Err(RefusalCode::NotFound.into())
    }

    /// Whether a party for which a consent covered something was left out since. What it wrote under that one is not shown to it under the one in its place
    /// either: whether that stands is not its affair any more.
    pub(super) async fn left_out_since(&self, named: &Jti, in_place: &StandingConsent, party: &PartyId) -> Result<bool, Failure> {
        if in_place.row.collector == *party || in_place.concerns(party) {
            return Ok(false);
        }
        let named = self.consent(named).await?.ok_or(Failure::Corrupt("consent"))?;
        Ok(named.open.scope.covers_something(&ConsentHistory::default(), party))
    }

    /// The consent on which each of these messages of one case rests now, where the caller has a title to it.
    pub(super) async fn numbers(
        &self,
        caller: &Caller,
        outlook: &Outlook,
        heads: &[(MessageHead, Option<Delegated>)],
    ) -> Result<HashMap<Jti, Jti>, Failure> {
        let (mut known, mut numbers) = (BTreeMap::new(), HashMap::new());
        for (head, delegation) in heads {
            let passage = outlook.passages(&head.case).iter().find(|passage| passage.head.jti == head.jti);
            let Some(last) = passage.and_then(|passage| passage.term.consent).and_then(|named| outlook.in_place(&named)) else { continue };
            if let Entry::Vacant(unread) = known.entry(last) {
                unread.insert(self.consent(&last).await?);
            }
            // An erased consent has no number any more.
            let Some(Some(consent)) = known.get(&last) else { continue };
            let seat = delegation.as_ref().map_or_else(|| caller.party(), |delegation| &delegation.by);
            let relation = outlook.relation(&head.case, seat);
            let concerned = relation.may_end_consent() && (in_charge(seat, relation) || consent.concerns(seat));
            if concerned || consent.row.collector == *caller.party() {
                numbers.insert(head.jti, last);
            }
        }
        Ok(numbers)
    }
}

/// Whether a party is in charge of the case. The person tells it what it takes back, whatever the consent covers for the body itself, and it discloses to
/// others under that consent.
fn in_charge(party: &PartyId, relation: Relation) -> bool {
    relation == Relation::Assigned && party.kind().leads_cases()
}

impl Concerned {
    /// How the consent stands for this body and what it covers for it; nothing of anybody else. `named` adds by what a message names it, which a body that
    /// may see `consent_detail` finds in the messages that it is shown as well.
    pub(super) fn part(&self, consent: &StandingConsent, named: bool, now: Timestamp) -> Value {
        let (scope, history, jti) = (&consent.open.scope, &consent.history, consent.row.jti);
        // Of a body in charge for which it covers nothing: how it stands at all.
        let covered = scope.covers_something(history, &self.seat);
        let standing = if covered { scope.standing_for(history, &self.seat, now) } else { scope.standing(history, now) };
        let state = match standing {
            ConsentState::Covers => "in_force",
            ConsentState::Withdrawn => "ended",
            _ => "not_in_force",
        };
        let (from, until, items) = (scope.not_before, scope.ends_for(history, &self.seat), scope.part_of(history, &self.seat));
        // What it covered was replaced as a whole.
        let state = if self.in_place == jti { state } else { "ended" };
        let mut told = json!({"consent": jti, "state": state, "from": from, "until": until, "items": items});
        if let Some(members) = told.as_object_mut() {
            let later = (self.in_place != jti).then_some(self.in_place);
            members.extend(later.map(|later| ("superseded_by".to_owned(), json!(later))));
            if named {
                members.insert("sub".to_owned(), json!(consent.open.subject.as_str()));
                members.insert("sha256".to_owned(), json!(consent.row.sha256));
            }
            members.extend(self.delegation.as_ref().map(|delegation| ("for".to_owned(), json!(delegation.by))));
        }
        told
    }
}
