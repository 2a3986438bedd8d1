//! What a party may say about a version now (protocol section 2).

use super::{AgreementAct, AgreementRecord, AgreementStanding};
use crate::domain::{codes::closed_list, party::PartyId, time::Timestamp};

closed_list! {
    /// Why a party cannot say what it says.
    ActFault {
        /// It is neither named nor leaving.
        NotNamed = "not_named",
        /// It is named: it accepts, it does not accede.
        Named = "named",
        /// Its kind may not accede.
        Kind = "acceding_kind",
        /// It has said so, or the opposite, before.
        Said = "said_before",
        /// The version does not bind it.
        NotBound = "not_bound",
        /// A named party rejected the version: propose another.
        Rejected = "rejected",
        /// Not all have accepted it, so there is nothing to suspend.
        NotAccepted = "not_accepted",
        /// Nothing of this party's is suspended.
        NotSuspended = "not_suspended",
        /// It was revoked, has expired or was superseded.
        Ended = "ended",
    }
}

impl AgreementRecord {
    /// Checks what a party wants to say. Suspending and revoking an old version stays possible as long as messages are read under it.
    pub fn may_say(&self, party: &PartyId, act: AgreementAct, now: Timestamp) -> Result<(), ActFault> {
        let require = |fits: bool, fault: ActFault| if fits { Ok(()) } else { Err(fault) };
        let alive = !matches!(self.standing_alone(now), AgreementStanding::Revoked | AgreementStanding::Expired);
        let named = self.agreement.parties.contains(party);
        match act {
            AgreementAct::Accept | AgreementAct::Reject => {
                require(named || self.leaving.contains(party), ActFault::NotNamed)?;
                let said = self.has_said(party, AgreementAct::Accept) || self.has_said(party, AgreementAct::Reject);
                require(!said, ActFault::Said)?;
                require(!self.is_rejected(), ActFault::Rejected)?;
                require(alive && !self.is_superseded(now), ActFault::Ended)
            }
            AgreementAct::Accede => {
                require(!named, ActFault::Named)?;
                require(self.agreement.acceding.contains(&party.kind()), ActFault::Kind)?;
                require(!self.has_said(party, AgreementAct::Accede), ActFault::Said)?;
                require(!self.is_rejected(), ActFault::Rejected)?;
                require(alive && !self.is_superseded(now), ActFault::Ended)
            }
            AgreementAct::Suspend => {
                require(self.binds(party), ActFault::NotBound)?;
                require(alive, ActFault::Ended)?;
                require(self.is_accepted(), ActFault::NotAccepted)
            }
            AgreementAct::Resume => {
                require(self.binds(party), ActFault::NotBound)?;
                require(alive, ActFault::Ended)?;
                require(self.suspended() && !self.has_resumed(party), ActFault::NotSuspended)
            }
            AgreementAct::Revoke => {
                require(self.binds(party), ActFault::NotBound)?;
                require(alive, ActFault::Ended)
            }
        }
    }

    /// Whether the party has resumed since the last suspension.
    fn has_resumed(&self, party: &PartyId) -> bool {
        let since = self.acts.iter().rev().take_while(|a| a.act != AgreementAct::Suspend);
        since.into_iter().any(|a| a.act == AgreementAct::Resume && a.party == *party)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{
        super::tests::{CENTRE, CITY, HOME, NOW, OFFICE, UNTIL, after, party, record},
        *,
    };
    use AgreementAct::{Accede, Accept, Reject, Resume, Revoke, Suspend};

    fn says(record: &AgreementRecord, who: &str, act: AgreementAct) -> Result<(), ActFault> {
        record.may_say(&party(who), act, NOW)
    }

    #[test]
    fn a_named_party_accepts_or_rejects_once_and_nobody_after_a_rejection() {
        assert_eq!(says(&record(&[]), CENTRE, Accept), Ok(()));
        assert_eq!(says(&record(&[(CENTRE, Accept)]), CENTRE, Accept), Err(ActFault::Said));
        assert_eq!(says(&record(&[(CENTRE, Accept)]), CENTRE, Reject), Err(ActFault::Said));
        assert_eq!(says(&record(&[(CENTRE, Reject)]), CITY, Accept), Err(ActFault::Rejected));
        assert_eq!(says(&record(&[]), HOME, Accept), Err(ActFault::NotNamed));
        let leaving = AgreementRecord { leaving: vec![party(HOME)], ..record(&[]) };
        assert_eq!(says(&leaving, HOME, Accept), Ok(()));
    }

    #[test]
    fn a_kind_that_is_invited_accedes_once() {
        assert_eq!(says(&after(&[]), HOME, Accede), Ok(()));
        assert_eq!(says(&after(&[(HOME, Accede)]), HOME, Accede), Err(ActFault::Said));
        assert_eq!(says(&after(&[]), CENTRE, Accede), Err(ActFault::Named));
        assert_eq!(says(&after(&[]), OFFICE, Accede), Err(ActFault::Kind));
    }

    #[test]
    fn whoever_is_bound_suspends_and_resumes_what_is_suspended() {
        assert_eq!(says(&after(&[]), CITY, Suspend), Ok(()));
        assert_eq!(says(&after(&[(CITY, Suspend)]), CENTRE, Suspend), Ok(()));
        assert_eq!(says(&after(&[]), HOME, Suspend), Err(ActFault::NotBound));
        assert_eq!(says(&record(&[(CITY, Accept)]), CITY, Suspend), Err(ActFault::NotAccepted));
        assert_eq!(says(&after(&[]), CITY, Resume), Err(ActFault::NotSuspended));
        assert_eq!(says(&after(&[(CITY, Suspend)]), CENTRE, Resume), Ok(()));
        assert_eq!(says(&after(&[(CITY, Suspend), (CENTRE, Resume)]), CENTRE, Resume), Err(ActFault::NotSuspended));
        assert_eq!(says(&after(&[(CITY, Suspend), (CENTRE, Resume), (CITY, Suspend)]), CENTRE, Resume), Ok(()));
    }

    #[test]
    fn what_is_over_takes_no_more_words() {
        for act in AgreementAct::ALL {
            let who = if *act == Accede { HOME } else { CENTRE };
            assert!(says(&after(&[(CITY, Revoke)]), who, *act).is_err(), "{act}");
            assert!(after(&[(CITY, Suspend)]).may_say(&party(who), *act, UNTIL).is_err(), "{act}");
        }
    }

    #[test]
    fn an_old_version_can_be_closed_and_reopened_but_not_joined() {
        let old = |acts| AgreementRecord { successor: Some(Arc::new(after(&[]))), ..after(acts) };
        assert_eq!(says(&old(&[]), HOME, Accede), Err(ActFault::Ended));
        assert_eq!(says(&old(&[]), CITY, Suspend), Ok(()));
        assert_eq!(says(&old(&[(CITY, Suspend)]), CITY, Resume), Ok(()));
        assert_eq!(says(&old(&[]), CITY, Revoke), Ok(()));
    }
}
