//! One version takes the place of another: what was sent under the old one is read under the narrower of the two (protocol section 2).
//!
//! Promises: a version that was superseded takes no new message, and nothing of an old message is shown that either of the two versions does not
//! cover at that moment: what a new version leaves out is closed from its beginning, and what it adds opens nothing of what was sent before.
//! Each of the two must stand by itself. So the end, the suspension or the revocation of either closes the old messages; a reader that acceded to
//! the old version reads them again once it has acceded to the new one.

use super::{AgreementRecord, AgreementStanding, AgreementState, Exchange};
use crate::domain::{codes::Purpose, field::FieldClass, party::PartyId, time::Timestamp};

impl AgreementRecord {
    /// The version that stands in the place of this one: the last of its successors whose period has begun, or itself.
    #[must_use]
    pub fn in_place(&self, now: Timestamp) -> &Self {
        let mut record = self;
        while let Some(next) = record.successor.as_deref().filter(|next| now >= next.agreement.from) {
            record = next;
        }
        record
    }

    /// Whether another version stands in the place of this one.
    pub(super) fn is_superseded(&self, now: Timestamp) -> bool {
        !std::ptr::eq(self, self.in_place(now))
    }

    /// Until when something that was decided under the version at `now` may hold: its end, that of the version in its place, or the moment at
    /// which the next one takes that place.
    #[must_use]
    pub fn holds_until(&self, now: Timestamp) -> Timestamp {
        let current = self.in_place(now);
        let end = self.agreement.until.min(current.agreement.until);
        current.successor.as_ref().map_or(end, |next| end.min(next.agreement.from))
    }

    /// For how many months what was sent under the version is kept: as it says, or the version in its place if that says fewer.
    #[must_use]
    pub fn retention_months(&self, now: Timestamp) -> u32 {
        self.agreement.retention_months.min(self.in_place(now).agreement.retention_months)
    }

    /// State of the version for what was sent under it: in force when it and the version in its place would both be.
    #[must_use]
    pub fn standing_for_readers(&self, now: Timestamp) -> AgreementStanding {
        match self.standing_alone(now) {
            AgreementStanding::InForce => self.in_place(now).standing_alone(now),
            closed => closed,
        }
    }

    /// What the narrower of the version and the one in its place says about one class of a message that was sent under it.
    #[must_use]
    pub fn state_for_readers(&self, exchange: &Exchange<'_>, purpose: Purpose, class: FieldClass, now: Timestamp) -> AgreementState {
        if self.standing_for_readers(now) != AgreementStanding::InForce {
            return AgreementState::NotInForce;
        }
        self.scope(exchange, purpose, class).min(self.in_place(now).scope(exchange, purpose, class))
    }

    /// What the narrower of the version and the one in its place says about a message as a whole, for any of the purposes.
    #[must_use]
    pub fn state_of_exchange_for_readers(&self, exchange: &Exchange<'_>, purposes: &[Purpose], now: Timestamp) -> AgreementState {
        if self.standing_for_readers(now) != AgreementStanding::InForce {
            return AgreementState::NotInForce;
        }
        let current = self.in_place(now);
        let narrower = |purpose: &Purpose| {
            let one = std::slice::from_ref(purpose);
            self.scope_of_exchange(exchange, one).min(current.scope_of_exchange(exchange, one))
        };
        purposes.iter().map(narrower).max().unwrap_or(AgreementState::PurposeOutside)
    }

    /// Whether this version takes the place of an earlier one: it is accepted by its own named parties and, when the earlier one was accepted too, by
    /// all of that one's. An earlier proposal that was never accepted by all is over.
    #[must_use]
    pub fn takes_the_place_of(&self, earlier: &Self) -> bool {
        let others = if earlier.is_accepted() { earlier.agreement.parties.as_slice() } else { &[] };
        self.is_accepted() && others.iter().all(|party| self.has_said(party, super::AgreementAct::Accept))
    }

    /// Until when a party may act for another, as its delegate, under this version and the one in its place. A version that is not in force delegates
    /// nothing: what else may be in force between the two does not bring its delegation back.
    #[must_use]
    pub fn delegated_until(&self, from: &PartyId, to: &PartyId, now: Timestamp) -> Option<Timestamp> {
        if self.standing_for_readers(now) != AgreementStanding::InForce {
            return None;
        }
        let named = self.delegated_alone(from, to, now)?;
        let current = self.in_place(now).delegated_alone(from, to, now)?;
        Some(named.min(current))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{
        super::tests::{CENTRE, CITY, FROM, HOME, NOW, UNTIL, after, exchange, flow, party, record},
        *,
    };
    use crate::domain::agreement::{AgreementAct, Flow};
    use AgreementAct::{Accede, Accept, Reject, Revoke, Suspend};

    const PLACEMENT: Purpose = Purpose::PlacementCoordination;

    /// A first version with its successor.
    fn pair(old: AgreementRecord, new: AgreementRecord) -> AgreementRecord {
        AgreementRecord { successor: Some(Arc::new(new)), ..old }
    }

    fn seen(record: &AgreementRecord, class: FieldClass, now: Timestamp) -> AgreementState {
        let (centre, city) = (party(CENTRE), party(CITY));
        record.state_for_readers(&exchange(&centre, &city), PLACEMENT, class, now)
    }

    #[test]
    fn what_both_versions_cover_is_read_and_nothing_else() {
        let with = |classes: &[FieldClass]| {
            let mut record = after(&[]);
            record.agreement.flows = vec![Flow { classes: classes.to_vec(), ..flow(CENTRE, CITY) }];
            record
        };
        let old = pair(with(&[FieldClass::Identity, FieldClass::Medical]), with(&[FieldClass::Identity, FieldClass::Contact]));
        for (class, state) in [
            (FieldClass::Identity, AgreementState::Covers),
            (FieldClass::Medical, AgreementState::ClassOutside),
            (FieldClass::Contact, AgreementState::ClassOutside),
        ] {
            assert_eq!(seen(&old, class, NOW), state, "{class}");
        }
        let (centre, city) = (party(CENTRE), party(CITY));
        assert_eq!(old.state(&exchange(&centre, &city), PLACEMENT, FieldClass::Identity, NOW), AgreementState::NotInForce, "nothing new");
    }

    #[test]
    fn a_purpose_or_a_party_that_the_new_version_leaves_out_is_closed() {
        let (centre, city) = (party(CENTRE), party(CITY));
        let mut new = after(&[]);
        new.agreement.flows = vec![Flow { purposes: vec![Purpose::BenefitDecision], ..flow(CENTRE, CITY) }];
        let old = pair(after(&[]), new);
        assert_eq!(old.state_of_exchange_for_readers(&exchange(&centre, &city), &[PLACEMENT], NOW), AgreementState::PurposeOutside);

        let mut new = record(&[(HOME, Accept), (CITY, Accept), (CENTRE, Accept)]);
        new.agreement.parties = vec![party(HOME), party(CITY)];
        assert_eq!(seen(&pair(after(&[]), new), FieldClass::Identity, NOW), AgreementState::PartyOutside);
    }

    #[test]
    fn suspension_or_revocation_of_either_closes_the_old_messages() {
        for (old, new, standing) in [
            (after(&[]), after(&[]), AgreementStanding::InForce),
            (after(&[]), after(&[(CITY, Suspend)]), AgreementStanding::Suspended),
            (after(&[]), after(&[(CITY, Revoke)]), AgreementStanding::Revoked),
            (after(&[(CITY, Suspend)]), after(&[]), AgreementStanding::Suspended),
            (after(&[(CITY, Revoke)]), after(&[]), AgreementStanding::Revoked),
        ] {
            let old = pair(old, new);
            assert_eq!(old.standing_for_readers(NOW), standing);
            let open = standing == AgreementStanding::InForce;
            assert_eq!(seen(&old, FieldClass::Identity, NOW) == AgreementState::Covers, open);
        }
    }

    #[test]
    fn the_new_version_takes_the_place_when_its_period_begins_and_not_before() {
        let mut new = after(&[]);
        new.agreement.from = NOW.plus_secs(10);
        new.agreement.until = UNTIL.plus_secs(1_000);
        let old = pair(after(&[]), new);
        assert_eq!((old.standing(NOW), old.holds_until(NOW)), (AgreementStanding::InForce, NOW.plus_secs(10)));
        let then = NOW.plus_secs(10);
        assert_eq!((old.standing(then), old.holds_until(then)), (AgreementStanding::Superseded, UNTIL));
        assert_eq!(old.standing_for_readers(then), AgreementStanding::InForce);
        assert_eq!(old.standing_for_readers(UNTIL), AgreementStanding::Expired, "its own end stays its end");
    }

    #[test]
    fn of_three_versions_the_first_is_read_with_the_last() {
        let with = |classes: &[FieldClass]| {
            let mut record = after(&[]);
            record.agreement.flows = vec![Flow { classes: classes.to_vec(), ..flow(CENTRE, CITY) }];
            record
        };
        let both = [FieldClass::Identity, FieldClass::Medical];
        let old = pair(with(&both), pair(with(&[FieldClass::Identity]), with(&both)));
        assert_eq!(seen(&old, FieldClass::Medical, NOW), AgreementState::Covers);
        assert_eq!(old.standing(NOW), AgreementStanding::Superseded);
    }

    #[test]
    fn who_acceded_to_the_old_version_reads_again_once_it_acceded_to_the_new_one() {
        let (city, home) = (party(CITY), party(HOME));
        for (acts, state) in [(vec![], AgreementState::PartyOutside), (vec![(HOME, Accede)], AgreementState::Covers)] {
            let with = |mut record: AgreementRecord| {
                record.agreement.flows = vec![flow("municipality", "group_home")];
                record
            };
            let old = pair(with(after(&[(HOME, Accede)])), with(after(&acts)));
            assert_eq!(old.state_for_readers(&exchange(&city, &home), PLACEMENT, FieldClass::Identity, NOW), state);
        }
    }

    #[test]
    fn all_named_parties_of_both_versions_must_accept_the_new_one() {
        let old = after(&[]);
        let mut new = record(&[(CITY, Accept), (HOME, Accept)]);
        new.agreement.parties = vec![party(CITY), party(HOME)];
        assert!(new.is_accepted() && !new.takes_the_place_of(&old), "the centre left without a word");
        new.acts.push(crate::domain::agreement::SignedAct { party: party(CENTRE), act: Accept });
        assert!(new.takes_the_place_of(&old));
        assert!(!record(&[(CITY, Accept)]).takes_the_place_of(&old));
        assert!(!after(&[(CITY, Reject)]).takes_the_place_of(&old));
        assert!(after(&[]).takes_the_place_of(&record(&[(CITY, Accept)])), "a proposal that never was accepted is over");
    }

    #[test]
    fn without_a_successor_nothing_changes() {
        let record = after(&[]);
        for now in [FROM, NOW, UNTIL] {
            assert_eq!(record.standing(now), record.standing_for_readers(now));
        }
        assert_eq!(record.holds_until(NOW), UNTIL);
    }
}
