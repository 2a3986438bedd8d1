//! Delegation (委託): a municipality has a core centre act for it (`domain.md` sections 1 and 11; 障害者総合支援法 77条の2, 個人情報保護法 66条2項).
//!
//! Promises: a delegation that does not name the qualification, or goes from or to another kind of body, gives no right; and none gives a right
//! to a party that the agreement does not bind.

use super::{AgreementRecord, Delegation};
use crate::domain::{
    codes::closed_list,
    party::{PartyId, PartyKind},
    time::Timestamp,
};

closed_list! {
    /// Why a delegation gives no right.
    DelegationFault {
        /// Only a municipality delegates.
        From = "from_municipality",
        /// Only a core centre acts for it.
        To = "to_core_center",
        /// The delegate's qualification, 主任相談支援専門員, is not named.
        Qualification = "qualification",
    }
}

impl Delegation {
    /// What every delegate must have placed (`domain.md` section 1).
    pub const QUALIFICATION: &str = "主任相談支援専門員";

    /// What is wrong with the delegation by itself.
    #[must_use]
    pub fn fault(&self) -> Option<DelegationFault> {
        if self.from.kind() != PartyKind::Municipality {
            Some(DelegationFault::From)
        } else if self.to.kind() != PartyKind::CoreCenter {
            Some(DelegationFault::To)
        } else if self.qualification.starts_with(Self::QUALIFICATION) && !DENIALS.iter().any(|denial| self.qualification.contains(denial)) {
            None
        } else {
            Some(DelegationFault::Qualification)
        }
    }
}

/// Words by which a text that begins with the qualification says that nobody has it, or that it is still to be written. The text itself is the
/// signers' statement; a program cannot know more.
const DENIALS: &[&str] = &["ない", "なし", "無し", "無い", "不在", "未配置", "予定", "【"];

impl AgreementRecord {
    /// Until when `to` may act for `from` under this version by itself.
    pub(super) fn delegated_alone(&self, from: &PartyId, to: &PartyId, now: Timestamp) -> Option<Timestamp> {
        let bound = self.binds(from) && self.binds(to);
        let fits = |d: &&Delegation| bound && d.from == *from && d.to == *to && now < d.until && d.fault().is_none();
        self.agreement.delegations.iter().filter(fits).map(|d| d.until).max()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{
        super::tests::{CENTRE, CITY, NOW, UNTIL, after, party},
        *,
    };
    use crate::domain::agreement::{AgreementAct, SignedAct};

    const CORE: &str = "core_center:131016-1";

    fn delegation(from: &str, to: &str, qualification: &str, until: Timestamp) -> Delegation {
        Delegation { from: party(from), to: party(to), qualification: qualification.to_owned(), until }
    }

    fn with(delegations: Vec<Delegation>) -> AgreementRecord {
        let mut record = after(&[]);
        record.agreement.parties.push(party(CORE));
        record.acts.push(SignedAct { party: party(CORE), act: AgreementAct::Accept });
        record.agreement.delegations = delegations;
        record
    }

    #[test]
    fn it_holds_until_its_end_for_a_qualified_core_centre_of_a_municipality() {
        let until = NOW.plus_secs(10);
        let record = with(vec![delegation(CITY, CORE, "主任相談支援専門員", until)]);
        assert_eq!(record.delegated_until(&party(CITY), &party(CORE), NOW), Some(until));
        assert_eq!(record.delegated_until(&party(CITY), &party(CORE), until), None);
        assert_eq!(record.delegated_until(&party(CORE), &party(CITY), NOW), None, "it has a direction");
        assert_eq!(record.delegated_until(&party(CENTRE), &party(CORE), NOW), None);
        let twice = with(vec![delegation(CITY, CORE, "主任相談支援専門員", until), delegation(CITY, CORE, "主任相談支援専門員", UNTIL)]);
        assert_eq!(twice.delegated_until(&party(CITY), &party(CORE), NOW), Some(UNTIL));
    }

    #[test]
    fn without_the_qualification_or_between_other_bodies_it_gives_nothing() {
        for (delegation, fault) in [
            (delegation(CITY, CORE, "相談支援専門員", UNTIL), DelegationFault::Qualification),
            (delegation(CITY, CORE, "主任相談支援専門員は配置していない", UNTIL), DelegationFault::Qualification),
            (delegation(CITY, CORE, "主任相談支援専門員を配置【要記入】", UNTIL), DelegationFault::Qualification),
            (delegation(CITY, CORE, "相談支援専門員（主任相談支援専門員なし）", UNTIL), DelegationFault::Qualification),
            (delegation(CENTRE, CORE, "主任相談支援専門員", UNTIL), DelegationFault::From),
            (delegation(CITY, CENTRE, "主任相談支援専門員", UNTIL), DelegationFault::To),
        ] {
            assert_eq!(delegation.fault(), Some(fault));
            let (from, to) = (delegation.from.clone(), delegation.to.clone());
            assert_eq!(with(vec![delegation]).delegated_until(&from, &to, NOW), None);
        }
    }

    #[test]
    fn a_delegate_that_the_agreement_does_not_bind_has_no_right() {
        let mut record = with(vec![delegation(CITY, CORE, "主任相談支援専門員", UNTIL)]);
        record.agreement.parties.retain(|p| *p != party(CORE));
        assert_eq!(record.delegated_until(&party(CITY), &party(CORE), NOW), None);
    }

    #[test]
    fn a_delegation_that_a_new_version_leaves_out_or_brings_opens_no_old_message() {
        let given = || with(vec![delegation(CITY, CORE, "主任相談支援専門員", UNTIL)]);
        for (old, new, open) in [(given(), with(vec![]), false), (with(vec![]), given(), false), (given(), given(), true)] {
            let old = AgreementRecord { successor: Some(Arc::new(new)), ..old };
            assert_eq!(old.delegated_until(&party(CITY), &party(CORE), NOW).is_some(), open);
        }
    }
}
