//! One person, one centre, one municipality, everything covered: what the tests of decisions start from and take things away from.

use std::sync::LazyLock;

use tsunagi::{
    decision::{Exchange, Rights, Row},
    domain::{
        agreement::{Agreement, AgreementAct, AgreementRecord, Flow, SignedAct},
        case::Relation,
        codes::{LegalBasis, MessageKind, Purpose},
        consent::{Consent, ConsentHistory, Item},
        field::FieldClass,
        party::{PartyId, PartyKind},
        time::Timestamp,
    },
    policy::PolicySet,
};

pub(crate) static POLICY: LazyLock<PolicySet> = LazyLock::new(|| PolicySet::builtin().unwrap());

pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_500);
pub(crate) const CONSENT_FROM: Timestamp = Timestamp::from_secs(1_200);
pub(crate) const CONSENT_UNTIL: Timestamp = Timestamp::from_secs(1_800);
pub(crate) const AGREEMENT_FROM: Timestamp = Timestamp::from_secs(1_000);
pub(crate) const AGREEMENT_UNTIL: Timestamp = Timestamp::from_secs(2_000);
/// Certificate and key outlive everything else unless a test says otherwise.
pub(crate) const ENDS: Timestamp = Timestamp::from_secs(9_000);

pub(crate) const CENTRE: &str = "settlement_center:13-1";
pub(crate) const CITY: &str = "municipality:131016-1";
pub(crate) const HOME: &str = "group_home:1320100017";

/// Classes a consent may name.
pub(crate) fn nameable() -> Vec<FieldClass> {
    FieldClass::ALL.iter().copied().filter(|class| !class.consent_may_not_name()).collect()
}

/// The classes that the necessity policy opens only when they were ticked.
pub(crate) const TICKED: &[FieldClass] = &[
    FieldClass::CriminalDetail,
    FieldClass::CriminalBackground,
    FieldClass::MedicalObservation,
    FieldClass::VictimRelated,
    FieldClass::MedicalRestricted,
    FieldClass::AssessmentClinical,
    FieldClass::LifeHistory,
    FieldClass::GovIdentifier,
    FieldClass::Finance,
    FieldClass::Family,
    FieldClass::FreeText,
];

pub(crate) fn party(text: &str) -> PartyId {
    text.parse().unwrap()
}

pub(crate) fn flow(from: &str, to: &str) -> Flow {
    Flow {
        from: from.parse().unwrap(),
        to: to.parse().unwrap(),
        kinds: MessageKind::ALL.to_vec(),
        purposes: vec![Purpose::PlacementCoordination, Purpose::BenefitDecision, Purpose::ServiceProvision],
        classes: FieldClass::ALL.to_vec(),
        bases: LegalBasis::ALL.to_vec(),
    }
}

pub(crate) fn agreement(flows: Vec<Flow>) -> AgreementRecord {
    let parties = vec![party(CENTRE), party(CITY)];
    let accepted = parties.iter().cloned().map(|party| SignedAct { party, act: AgreementAct::Accept });
    let acceded = SignedAct { party: party(HOME), act: AgreementAct::Accede };
    AgreementRecord {
        acts: accepted.chain([acceded]).collect(),
        agreement: Agreement {
            id: "AG-13-0001".parse().unwrap(),
            ver: 1,
            title: "test".to_owned(),
            parties,
            acceding: vec![PartyKind::GroupHome],
            flows,
            schema_versions: vec!["referral/1.0.0".parse().unwrap()],
            purpose_of_use_entry: "test".to_owned(),
            terms: Vec::new(),
            from: AGREEMENT_FROM,
            until: AGREEMENT_UNTIL,
            retention_months: 1,
            delegations: Vec::new(),
        },
        leaving: Vec::new(),
        successor: None,
    }
}

pub(crate) fn consent(items: Vec<Item>) -> Consent {
    Consent {
        jti: "0b0e5f6a-5c7e-4f0e-8d57-2f6f0ac1b1a4".parse().unwrap(),
        collector: party(CENTRE),
        not_before: CONSENT_FROM,
        expires: CONSENT_UNTIL,
        items,
        refused: Vec::new(),
    }
}

pub(crate) fn item(rcp: &str, pur: &[Purpose], cls: Vec<FieldClass>, tick: &[FieldClass]) -> Item {
    Item { rcp: vec![rcp.parse().unwrap()], pur: pur.to_vec(), cls, tick: tick.to_vec() }
}

/// One row of every class, named after it.
pub(crate) fn rows(classes: &[FieldClass]) -> Vec<Row> {
    classes.iter().map(|class| Row { key: class.as_str().parse().unwrap(), class: *class }).collect()
}

/// A world in which the centre's referral to the municipality is covered by everything.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) sender: PartyId,
    pub(crate) reader: PartyId,
    pub(crate) kind: MessageKind,
    pub(crate) basis: LegalBasis,
    pub(crate) relation: Relation,
    pub(crate) agreement: Option<AgreementRecord>,
    pub(crate) consent: Option<(Consent, ConsentHistory)>,
}

impl World {
    pub(crate) fn referral() -> Self {
        let purposes = [Purpose::PlacementCoordination, Purpose::BenefitDecision];
        let items = vec![item("municipality", &purposes, nameable(), TICKED)];
        Self {
            sender: party(CENTRE),
            reader: party(CITY),
            kind: MessageKind::Referral,
            basis: LegalBasis::WithinPurpose,
            relation: Relation::Assigned,
            agreement: Some(agreement(vec![flow("settlement_center", "municipality")])),
            consent: Some((consent(items), ConsentHistory::default())),
        }
    }

    pub(crate) fn exchange(&self) -> Exchange<'_> {
        Exchange { sender: &self.sender, reader: &self.reader, kind: self.kind, basis: self.basis, relation: self.relation }
    }

    pub(crate) fn rights(&self) -> Rights<'_> {
        Rights { agreement: self.agreement.as_ref(), consent: self.consent.as_ref().map(|(consent, history)| (consent, history)) }
    }

    pub(crate) fn the_agreement(&mut self) -> &mut AgreementRecord {
        self.agreement.as_mut().unwrap()
    }

    pub(crate) fn the_consent(&mut self) -> &mut Consent {
        &mut self.consent.as_mut().unwrap().0
    }

    pub(crate) fn history(&mut self) -> &mut ConsentHistory {
        &mut self.consent.as_mut().unwrap().1
    }
}
