//! Agreements (協定, 取り決め): who may send what to whom, and whether that is in force (protocol section 2, `domain.md` section 11).

mod acts;
mod delegation;
mod difference;
mod succession;

use std::sync::Arc;

pub use self::{
    acts::ActFault,
    delegation::DelegationFault,
    difference::{Change, Effect, Part, Turn},
};
use super::{
    codes::{LegalBasis, MessageKind, Purpose, closed_list},
    field::FieldClass,
    ids::AgreementId,
    party::{PartyId, PartyKind},
    schema_version::SchemaVersion,
    time::Timestamp,
};

/// One side of a flow: a kind of party, or one party.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Side {
    /// Every bound party of this kind.
    Kind(PartyKind),
    /// This party.
    Party(PartyId),
}

impl Side {
    /// Whether a party stands on this side.
    #[must_use]
    pub fn holds(&self, party: &PartyId) -> bool {
        match self {
            Self::Kind(kind) => party.kind() == *kind,
            Self::Party(id) => party == id,
        }
    }
}

impl std::str::FromStr for Side {
    type Err = super::codes::UnknownCode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains(':') { text.parse().map(Self::Party) } else { text.parse().map(Self::Kind) }
    }
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Kind(kind) => kind.fmt(f),
            Self::Party(id) => id.fmt(f),
        }
    }
}

impl serde::Serialize for Side {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Side {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What may flow from one side to the other.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flow {
    /// Sender.
    pub from: Side,
    /// Recipient.
    pub to: Side,
    /// Message kinds.
    pub kinds: Vec<MessageKind>,
    /// Purposes, of the message and of each read.
    pub purposes: Vec<Purpose>,
    /// Field classes.
    pub classes: Vec<FieldClass>,
    /// Legal bases a message may name.
    pub bases: Vec<LegalBasis>,
}

/// A party that acts for another under the agreement (委託).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delegation {
    /// Who delegates.
    pub from: PartyId,
    /// Who acts for it.
    pub to: PartyId,
    /// Qualification of the delegate, e.g. 主任相談支援専門員.
    pub qualification: String,
    /// Until when.
    pub until: Timestamp,
}

/// One agreement version, as its document says. The signed thing is the digest of the exact document bytes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agreement {
    /// `AG-13-0001`.
    pub id: AgreementId,
    /// Version, from 1.
    pub ver: u32,
    /// Title for people.
    pub title: String,
    /// Named parties: all must accept.
    pub parties: Vec<PartyId>,
    /// Kinds that may accede.
    #[serde(default)]
    pub acceding: Vec<PartyKind>,
    /// What may flow.
    pub flows: Vec<Flow>,
    /// Versions of the schemas that messages under it may have.
    pub schema_versions: Vec<SchemaVersion>,
    /// The entry of the purpose of use (利用目的) it rests on (Act art. 61).
    pub purpose_of_use_entry: String,
    /// Handling terms the sender asks of the receiver (Act art. 70). Carried by every release.
    pub terms: Vec<String>,
    /// In force from.
    pub from: Timestamp,
    /// In force until (exclusive).
    pub until: Timestamp,
    /// How many months what was received may be kept.
    pub retention_months: u32,
    /// Delegations.
    #[serde(default)]
    pub delegations: Vec<Delegation>,
}

closed_list! {
    /// What a party says about an agreement.
    AgreementAct {
        Accept = "accept",
        Reject = "reject",
        Accede = "accede",
        Suspend = "suspend",
        Resume = "resume",
        Revoke = "revoke",
    }
}

impl From<AgreementAct> for super::entry::Act {
    fn from(act: AgreementAct) -> Self {
        match act {
            AgreementAct::Accept => Self::Accept,
            AgreementAct::Reject => Self::Reject,
            AgreementAct::Accede => Self::Accede,
            AgreementAct::Suspend => Self::Suspend,
            AgreementAct::Resume => Self::Resume,
            AgreementAct::Revoke => Self::Revoke,
        }
    }
}

impl AgreementAct {
    /// Whether the act takes rights away.
    #[must_use]
    pub const fn narrows(self) -> bool {
        matches!(self, Self::Suspend | Self::Revoke)
    }
}

closed_list! {
    /// State of an agreement version as a whole.
    AgreementStanding {
        Proposed = "proposed",
        InForce = "in_force",
        Suspended = "suspended",
        Revoked = "revoked",
        Expired = "expired",
        Superseded = "superseded",
    }
}

closed_list! {
    /// What an agreement says about one field class of one message, the form the policy sees.
    AgreementState {
        None = "none",
        NotInForce = "not_in_force",
        PartyOutside = "party_outside",
        PurposeOutside = "purpose_outside",
        ClassOutside = "class_outside",
        Covers = "covers",
    }
}

/// One registered act, in ledger order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedAct {
    /// Who.
    pub party: PartyId,
    /// What.
    pub act: AgreementAct,
}

/// An agreement with what its parties have said so far, in ledger order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgreementRecord {
    /// The document.
    pub agreement: Agreement,
    /// Acts in ledger order.
    pub acts: Vec<SignedAct>,
    /// Named parties of the version that this one is to take the place of, which this one no longer names: they must accept it too.
    pub leaving: Vec<PartyId>,
    /// The later version that all named parties of both have accepted. It takes the place of this one when its own period begins.
    pub successor: Option<Arc<Self>>,
}

/// The message that is judged, as far as an agreement is concerned.
#[derive(Debug, Clone, Copy)]
pub struct Exchange<'a> {
    /// Issuer of the message.
    pub sender: &'a PartyId,
    /// Addressee of the message.
    pub recipient: &'a PartyId,
    /// Message kind.
    pub kind: MessageKind,
    /// Legal basis the message names.
    pub basis: LegalBasis,
}

impl AgreementRecord {
    /// State of the version at `now`. Suspension and revocation by any bound party are immediate; resumption needs the `resume` of every
    /// party that was bound at the last suspension, given since.
    #[must_use]
    pub fn standing(&self, now: Timestamp) -> AgreementStanding {
        match self.standing_alone(now) {
            ended @ (AgreementStanding::Revoked | AgreementStanding::Expired) => ended,
            _ if self.is_superseded(now) => AgreementStanding::Superseded,
            standing => standing,
        }
    }

    /// The same without regard to later versions.
    fn standing_alone(&self, now: Timestamp) -> AgreementStanding {
        if self.acts.iter().any(|a| a.act == AgreementAct::Revoke) {
            return AgreementStanding::Revoked;
        }
        if now >= self.agreement.until {
            return AgreementStanding::Expired;
        }
        if now < self.agreement.from || !self.is_accepted() {
            return AgreementStanding::Proposed;
        }
        if self.suspended() { AgreementStanding::Suspended } else { AgreementStanding::InForce }
    }

    fn has_said(&self, party: &PartyId, act: AgreementAct) -> bool {
        self.acts.iter().any(|a| a.party == *party && a.act == act)
    }

    /// Whether one of the named parties has rejected the version, which ends the proposal.
    fn is_rejected(&self) -> bool {
        self.agreement.parties.iter().any(|party| self.has_said(party, AgreementAct::Reject))
    }

    /// Whether every named party has accepted the version and none rejected it.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        !self.is_rejected() && self.agreement.parties.iter().all(|party| self.has_said(party, AgreementAct::Accept))
    }

    /// Suspended by any party, until every party that was bound then has resumed since. Who accedes later has nothing to resume.
    fn suspended(&self) -> bool {
        let Some(last) = self.acts.iter().rposition(|a| a.act == AgreementAct::Suspend) else { return false };
        let (before, since) = self.acts.split_at(last);
        let acceded = before.iter().filter(|a| a.act == AgreementAct::Accede).map(|a| &a.party);
        let resumed = |party: &PartyId| since.iter().any(|a| a.act == AgreementAct::Resume && a.party == *party);
        !self.agreement.parties.iter().chain(acceded).all(resumed)
    }

    /// Whether the version binds a party: it is named, or of an acceding kind and has acceded.
    #[must_use]
    pub fn binds(&self, party: &PartyId) -> bool {
        self.agreement.parties.contains(party)
            || (self.agreement.acceding.contains(&party.kind())
                && self.acts.iter().any(|a| a.party == *party && a.act == AgreementAct::Accede))
    }

    /// The flows between the two parties of an exchange for its kind and basis.
    fn flows<'a>(&'a self, exchange: &'a Exchange<'_>) -> impl Iterator<Item = &'a Flow> {
        self.agreement.flows.iter().filter(move |flow| {
            flow.from.holds(exchange.sender)
                && flow.to.holds(exchange.recipient)
                && flow.kinds.contains(&exchange.kind)
                && flow.bases.contains(&exchange.basis)
        })
    }

    /// What the version says about one class of one exchange for one purpose.
    #[must_use]
    pub fn state(&self, exchange: &Exchange<'_>, purpose: Purpose, class: FieldClass, now: Timestamp) -> AgreementState {
        if self.standing(now) == AgreementStanding::InForce { self.scope(exchange, purpose, class) } else { AgreementState::NotInForce }
    }

    /// What the version says about one class of one exchange for one purpose when it is in force.
    fn scope(&self, exchange: &Exchange<'_>, purpose: Purpose, class: FieldClass) -> AgreementState {
        if !self.binds(exchange.sender) || !self.binds(exchange.recipient) {
            return AgreementState::PartyOutside;
        }
        let mut state = AgreementState::PartyOutside;
        for flow in self.flows(exchange) {
            if !flow.purposes.contains(&purpose) {
                state = state.max(AgreementState::PurposeOutside);
            } else if flow.classes.contains(&class) {
                return AgreementState::Covers;
            } else {
                state = state.max(AgreementState::ClassOutside);
            }
        }
        state
    }

    /// What the version says about the exchange as a whole, for any of the purposes.
    #[must_use]
    pub fn state_of_exchange(&self, exchange: &Exchange<'_>, purposes: &[Purpose], now: Timestamp) -> AgreementState {
        if self.standing(now) == AgreementStanding::InForce {
            self.scope_of_exchange(exchange, purposes)
        } else {
            AgreementState::NotInForce
        }
    }

    fn scope_of_exchange(&self, exchange: &Exchange<'_>, purposes: &[Purpose]) -> AgreementState {
        if !self.binds(exchange.sender) || !self.binds(exchange.recipient) || self.flows(exchange).next().is_none() {
            return AgreementState::PartyOutside;
        }
        if self.flows(exchange).any(|flow| purposes.iter().any(|p| flow.purposes.contains(p))) {
            AgreementState::Covers
        } else {
            AgreementState::PurposeOutside
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) const FROM: Timestamp = Timestamp::from_secs(1_000);
    pub(super) const UNTIL: Timestamp = Timestamp::from_secs(2_000);
    pub(super) const NOW: Timestamp = Timestamp::from_secs(1_500);
    pub(super) const CENTRE: &str = "settlement_center:13-1";
    pub(super) const CITY: &str = "municipality:131016-1";
    pub(super) const HOME: &str = "group_home:1320100017";
    pub(super) const OFFICE: &str = "consultation_office:1330100015";

    pub(super) fn party(text: &str) -> PartyId {
        text.parse().unwrap()
    }

    pub(super) fn flow(from: &str, to: &str) -> Flow {
        Flow {
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
            kinds: vec![MessageKind::Referral],
            purposes: vec![Purpose::PlacementCoordination],
            classes: vec![FieldClass::Identity, FieldClass::Routing],
            bases: vec![LegalBasis::WithinPurpose],
        }
    }

    /// Centre and city are named, group homes may accede.
    pub(super) fn record(acts: &[(&str, AgreementAct)]) -> AgreementRecord {
        AgreementRecord {
            agreement: Agreement {
                id: "AG-13-0001".parse().unwrap(),
                ver: 1,
                title: "test".to_owned(),
                parties: vec![party(CENTRE), party(CITY)],
                acceding: vec![PartyKind::GroupHome],
                flows: vec![flow("settlement_center", "municipality")],
                schema_versions: vec!["referral/1.0.0".parse().unwrap()],
                purpose_of_use_entry: "test".to_owned(),
                terms: Vec::new(),
                from: FROM,
                until: UNTIL,
                retention_months: 1,
                delegations: Vec::new(),
            },
            acts: acts.iter().map(|(who, act)| SignedAct { party: party(who), act: *act }).collect(),
            leaving: Vec::new(),
            successor: None,
        }
    }

    const ACCEPTED: [(&str, AgreementAct); 2] = [(CENTRE, AgreementAct::Accept), (CITY, AgreementAct::Accept)];

    pub(super) fn after(acts: &[(&str, AgreementAct)]) -> AgreementRecord {
        record(&[&ACCEPTED, acts].concat())
    }

    fn standing(acts: &[(&str, AgreementAct)]) -> AgreementStanding {
        after(acts).standing(NOW)
    }

    use AgreementAct::{Accede, Accept, Reject, Resume, Revoke, Suspend};

    #[test]
    fn it_is_in_force_from_its_first_moment_to_the_one_before_its_end() {
        for (now, expected) in [
            (FROM.plus_micros(-1), AgreementStanding::Proposed),
            (FROM, AgreementStanding::InForce),
            (UNTIL.plus_micros(-1), AgreementStanding::InForce),
            (UNTIL, AgreementStanding::Expired),
        ] {
            assert_eq!(after(&[]).standing(now), expected, "{now}");
        }
    }

    #[test]
    fn every_named_party_must_accept_and_one_rejection_keeps_it_proposed() {
        for acts in [
            vec![],
            vec![(CENTRE, Accept)],
            vec![(CITY, Accept)],
            vec![(CENTRE, Accept), (CENTRE, Accept)],
            vec![(CENTRE, Accept), (HOME, Accept)],
        ] {
            assert_eq!(record(&acts).standing(NOW), AgreementStanding::Proposed, "{acts:?}");
        }
        assert_eq!(record(&[(CITY, Accept), (CENTRE, Accept)]).standing(NOW), AgreementStanding::InForce);
        assert_eq!(standing(&[(CITY, Reject)]), AgreementStanding::Proposed);
    }

    #[test]
    fn one_revocation_ends_it_for_good() {
        for who in [CENTRE, CITY, HOME] {
            for acts in [vec![(who, Revoke)], vec![(who, Revoke), (CENTRE, Resume), (CITY, Resume)], vec![(who, Revoke), (who, Accept)]] {
                assert_eq!(standing(&acts), AgreementStanding::Revoked, "{acts:?}");
            }
            assert_eq!(after(&[(who, Revoke)]).standing(UNTIL), AgreementStanding::Revoked, "also after its end");
        }
    }

    #[test]
    fn a_superseded_version_is_not_in_force_and_an_expired_one_says_so_first() {
        let next = Arc::new(after(&[]));
        let old = AgreementRecord { successor: Some(Arc::clone(&next)), ..after(&[]) };
        assert_eq!(old.standing(NOW), AgreementStanding::Superseded);
        assert_eq!(old.standing(UNTIL), AgreementStanding::Expired);
        assert_eq!(AgreementRecord { successor: Some(next), ..after(&[(CITY, Suspend)]) }.standing(NOW), AgreementStanding::Superseded);
    }

    #[test]
    fn a_suspension_by_anybody_ends_when_all_have_resumed_since() {
        for who in [CENTRE, CITY] {
            assert_eq!(standing(&[(who, Suspend)]), AgreementStanding::Suspended);
            assert_eq!(standing(&[(who, Suspend), (who, Resume)]), AgreementStanding::Suspended, "alone nobody resumes");
            assert_eq!(standing(&[(who, Suspend), (CENTRE, Resume), (CENTRE, Resume)]), AgreementStanding::Suspended);
            for all in [[(CENTRE, Resume), (CITY, Resume)], [(CITY, Resume), (CENTRE, Resume)]] {
                assert_eq!(standing(&[&[(who, Suspend)], &all[..]].concat()), AgreementStanding::InForce);
                assert_eq!(standing(&[&all[..], &[(who, Suspend)]].concat()), AgreementStanding::Suspended, "an earlier resume is none");
            }
        }
        let again = [(CENTRE, Suspend), (CENTRE, Resume), (CITY, Suspend), (CITY, Resume)];
        assert_eq!(standing(&again), AgreementStanding::Suspended, "a second suspension asks everybody again");
        assert_eq!(standing(&[&again[..], &[(CENTRE, Resume)]].concat()), AgreementStanding::InForce);
    }

    #[test]
    fn an_acceding_party_suspends_too_and_must_resume_itself() {
        let both = [(CENTRE, Resume), (CITY, Resume)];
        let suspended = [&[(HOME, Accede), (HOME, Suspend)], &both[..]].concat();
        assert_eq!(standing(&suspended), AgreementStanding::Suspended);
        assert_eq!(standing(&[&suspended[..], &[(HOME, Resume)]].concat()), AgreementStanding::InForce);
        let by_another = [&[(HOME, Accede), (CITY, Suspend)], &both[..]].concat();
        assert_eq!(standing(&by_another), AgreementStanding::Suspended, "all that were bound");
        let later = [&[(CITY, Suspend), (HOME, Accede)], &both[..]].concat();
        assert_eq!(standing(&later), AgreementStanding::InForce, "who accedes later has nothing to resume");
        assert_eq!(standing(&[&[(CITY, Suspend)], &both[..], &[(HOME, Accede)]].concat()), AgreementStanding::InForce);
    }

    #[test]
    fn it_binds_the_named_and_those_who_acceded_themselves() {
        let acceded = after(&[(HOME, Accede), (OFFICE, Accede)]);
        for (who, bound) in [
            (CENTRE, true),
            (CITY, true),
            (HOME, true),
            ("group_home:1320100025", false),
            (OFFICE, false),
            ("municipality:131024-1", false),
        ] {
            assert_eq!(acceded.binds(&party(who)), bound, "{who}");
        }
        assert!(!after(&[]).binds(&party(HOME)));
        assert!(record(&[]).binds(&party(CITY)), "named, accepted or not");
    }

    pub(super) fn exchange<'a>(sender: &'a PartyId, recipient: &'a PartyId) -> Exchange<'a> {
        Exchange { sender, recipient, kind: MessageKind::Referral, basis: LegalBasis::WithinPurpose }
    }

    #[test]
    fn a_flow_holds_for_its_sides_by_kind_or_by_party() {
        let (centre, city) = (party(CENTRE), party(CITY));
        for (from, to, state) in [
            ("settlement_center", "municipality", AgreementState::Covers),
            (CENTRE, "municipality", AgreementState::Covers),
            ("settlement_center", CITY, AgreementState::Covers),
            (CENTRE, CITY, AgreementState::Covers),
            ("settlement_center:13-2", CITY, AgreementState::PartyOutside),
            (CENTRE, "municipality:131024-1", AgreementState::PartyOutside),
            ("municipality", "settlement_center", AgreementState::PartyOutside),
            ("probation_office", "municipality", AgreementState::PartyOutside),
        ] {
            let mut record = after(&[]);
            record.agreement.flows = vec![flow(from, to)];
            let found = record.state(&exchange(&centre, &city), Purpose::PlacementCoordination, FieldClass::Identity, NOW);
            assert_eq!(found, state, "{from} -> {to}");
        }
    }

    #[test]
    fn a_flow_by_kind_reaches_only_bound_parties() {
        let (city, home) = (party(CITY), party(HOME));
        for (acts, state) in [(vec![], AgreementState::PartyOutside), (vec![(HOME, Accede)], AgreementState::Covers)] {
            let mut record = after(&acts);
            record.agreement.flows = vec![flow("municipality", "group_home"), flow("group_home", "municipality")];
            for (from, to) in [(&city, &home), (&home, &city)] {
                assert_eq!(record.state(&exchange(from, to), Purpose::PlacementCoordination, FieldClass::Identity, NOW), state);
            }
        }
    }

    #[test]
    fn kind_basis_purpose_and_class_must_stand_in_one_flow() {
        let (centre, city) = (party(CENTRE), party(CITY));
        let mut record = after(&[]);
        let other = Flow { purposes: vec![Purpose::BenefitDecision], classes: vec![FieldClass::Medical], ..flow(CENTRE, CITY) };
        record.agreement.flows = vec![flow(CENTRE, CITY), other];
        let state = |purpose, class| record.state(&exchange(&centre, &city), purpose, class, NOW);
        assert_eq!(state(Purpose::PlacementCoordination, FieldClass::Identity), AgreementState::Covers);
        assert_eq!(state(Purpose::BenefitDecision, FieldClass::Medical), AgreementState::Covers);
        assert_eq!(state(Purpose::BenefitDecision, FieldClass::Identity), AgreementState::ClassOutside, "flows do not mix");
        assert_eq!(state(Purpose::PlacementCoordination, FieldClass::Medical), AgreementState::ClassOutside);
        assert_eq!(state(Purpose::AuditReview, FieldClass::Identity), AgreementState::PurposeOutside);
        let strange = Exchange { kind: MessageKind::Supplement, ..exchange(&centre, &city) };
        assert_eq!(record.state(&strange, Purpose::PlacementCoordination, FieldClass::Identity, NOW), AgreementState::PartyOutside);
        let strange = Exchange { basis: LegalBasis::Statute, ..exchange(&centre, &city) };
        assert_eq!(record.state(&strange, Purpose::PlacementCoordination, FieldClass::Identity, NOW), AgreementState::PartyOutside);
    }

    #[test]
    fn what_is_not_in_force_covers_nothing() {
        let (centre, city) = (party(CENTRE), party(CITY));
        for (record, now) in [
            (record(&[]), NOW),
            (after(&[(CITY, Suspend)]), NOW),
            (after(&[(CITY, Revoke)]), NOW),
            (AgreementRecord { successor: Some(Arc::new(after(&[]))), ..after(&[]) }, NOW),
            (after(&[]), FROM.plus_micros(-1)),
            (after(&[]), UNTIL),
        ] {
            let state = record.state(&exchange(&centre, &city), Purpose::PlacementCoordination, FieldClass::Routing, now);
            assert_eq!(state, AgreementState::NotInForce);
            assert_eq!(record.state_of_exchange(&exchange(&centre, &city), Purpose::ALL, now), AgreementState::NotInForce);
        }
    }

    /// Over every pair of parties, message kind, basis and purpose: an exchange is open for a purpose exactly when some flow reaches it.
    #[test]
    fn the_exchange_as_a_whole_and_its_classes_agree() {
        let parties = [CENTRE, CITY, HOME, OFFICE].map(party);
        let mut record = after(&[(HOME, Accede)]);
        let provider = Flow {
            kinds: vec![MessageKind::Enquiry, MessageKind::PlacementRequest],
            purposes: vec![Purpose::PlacementCoordination, Purpose::ServiceProvision],
            bases: vec![LegalBasis::Consent27],
            ..flow("municipality", HOME)
        };
        record.agreement.flows.push(provider);
        let mut open = 0;
        for (sender, recipient) in parties.iter().flat_map(|s| parties.iter().map(move |r| (s, r))) {
            for (kind, basis) in MessageKind::ALL.iter().flat_map(|k| LegalBasis::ALL.iter().map(move |b| (*k, *b))) {
                let exchange = Exchange { sender, recipient, kind, basis };
                for purpose in Purpose::ALL {
                    let classes = || FieldClass::ALL.iter().map(|class| record.state(&exchange, *purpose, *class, NOW));
                    let best = classes().max().unwrap();
                    match record.state_of_exchange(&exchange, &[*purpose], NOW) {
                        AgreementState::Covers => {
                            open += 1;
                            assert_eq!(best, AgreementState::Covers);
                            assert_eq!(classes().filter(|s| *s == AgreementState::Covers).count(), 2);
                        }
                        closed => assert!(closed < AgreementState::ClassOutside && classes().all(|state| state == closed)),
                    }
                }
            }
        }
        assert_eq!(open, 1 + 2 * 2);
    }

    #[test]
    fn a_side_is_a_kind_or_a_party_and_nothing_else() {
        for good in ["municipality", CITY, HOME] {
            assert_eq!(good.parse::<Side>().unwrap().to_string(), good);
        }
        for bad in ["", "*", "city", "municipality:", "municipality:131017-1"] {
            assert!(bad.parse::<Side>().is_err(), "{bad}");
        }
    }
}
