//! The permitted set over the whole closed domain, compared with a table written by hand from `domain.md` sections 3, 8 and 10: about four and a half
//! thousand million keys, each of them, and nothing of the table was derived from the policies.

use tsunagi::{
    domain::{
        agreement::AgreementState,
        case::Relation,
        codes::{BasisGroup, MessageKind, Purpose},
        consent::ConsentState,
        field::FieldClass,
        party::PartyKind,
    },
    policy::{PolicySet, Region, Situations},
};

use ConsentState as Given;
use FieldClass as C;
use PartyKind as P;
use Purpose as U;
use Relation as R;

/// One situation of the table: who reads, for what, standing where.
struct Column {
    readers: &'static [PartyKind],
    purposes: &'static [Purpose],
    relations: &'static [Relation],
    /// Only in this kind of message.
    kind: Option<MessageKind>,
    /// Only where the consent names the reader.
    named: bool,
}

const fn column(readers: &'static [PartyKind], purposes: &'static [Purpose], relations: &'static [Relation]) -> Column {
    Column { readers, purposes, relations, kind: None, named: false }
}

const SERVICES: &[PartyKind] = &[P::GroupHome, P::SupportFacility, P::LodgingTraining, P::DayService];
const RESIDENCES: &[PartyKind] = &[P::GroupHome, P::SupportFacility, P::LodgingTraining];

const COLUMNS: &[Column] = &[
    column(&[P::Municipality, P::CoreCenter], &[U::PlacementCoordination], &[R::Assigned]),
    column(&[P::Municipality], &[U::BenefitDecision], &[R::Assigned]),
    column(&[P::ConsultationOffice], &[U::ServicePlanning], &[R::Assigned, R::Accepted]),
    Column { kind: Some(MessageKind::Enquiry), ..column(SERVICES, &[U::PlacementCoordination], &[R::Prospective]) },
    Column { named: true, ..column(SERVICES, &[U::PlacementCoordination], &[R::Considering]) },
    column(RESIDENCES, &[U::ServiceProvision], &[R::Accepted]),
    column(&[P::DayService], &[U::ServiceProvision], &[R::Accepted]),
    column(SERVICES, &[U::AddonCertification], &[R::Accepted]),
    column(&[P::SettlementCenter, P::Municipality, P::CoreCenter, P::ProbationOffice], &[U::AddonCertification], &[R::Assigned, R::Origin]),
    column(&[P::ProbationOffice], &[U::PlacementCoordination], &[R::Origin]),
    column(&[P::SettlementCenter], &[U::PlacementCoordination, U::BackupConsultation], &[R::Origin, R::Assigned]),
    column(&[P::SettlementCenter], &[U::PlacementCoordination], &[R::Assigned]),
    column(
        &[P::Municipality, P::CoreCenter, P::ConsultationOffice, P::GroupHome, P::SupportFacility, P::LodgingTraining, P::DayService],
        &[U::BackupConsultation],
        &[R::Assigned, R::Accepted],
    ),
    column(&[P::Auditor], &[U::AuditReview], R::ALL),
];

/// ● permitted, ○ only when ticked, － withheld: coordination, benefit, planning, enquiry, considering, residence, day service, add-on at the provider,
/// add-on at the public body, probation office, centre, centre for direct requests, back-up, auditor.
const TABLE: &[(FieldClass, &str)] = &[
    (C::Routing, "－ － － － － － － － － － － － － ●"),
    (C::Task, "－ － － － － － － － － － － － － －"),
    (C::CriminalStatus, "● － ● － ● ● ○ － － ● ● － － －"),
    (C::Identity, "● ● ● － ● ● ● ● ● ● ● － － －"),
    (C::Minimal, "● － － ● ● － － － － － － － ● －"),
    (C::Accommodation, "● ● ● ● ● ● ● － － － － － － －"),
    (C::Contact, "● ● ● － － ● ● － － － ● － － －"),
    (C::Residence, "● ● ● － ● ● － － － ● ● － － －"),
    (C::Wishes, "● ● ● － ● ● ● － － － ● － － －"),
    (C::Custody, "● － ● － － － － － － － － ○ － －"),
    (C::ReleaseFact, "● － ● － － ● － － ● － － － － －"),
    (C::Supervision, "● － ○ － － ○ － － － － － ○ － －"),
    (C::CriminalSummary, "● － ● － ○ ● － － － － － ○ － －"),
    (C::CriminalDetail, "○ － － － － － － － － － － ○ － －"),
    (C::CriminalBackground, "○ － ○ － － ○ ○ － － － － ○ － －"),
    (C::MedicalObservation, "○ － ○ － － ○ － － － － － － － －"),
    (C::RiskEnvironment, "● － ● － ● ● ○ － － － ● － ● －"),
    (C::Safety, "● － ● － ● ● ● － － － ● － ● －"),
    (C::VictimRelated, "○ － － － － ○ － － － － － － － －"),
    (C::Disability, "● ● ● － ● ● ● － － － ● － － －"),
    (C::Medical, "● ● ● － ● ● ○ － － － － ○ － －"),
    (C::MedicalRestricted, "○ － ○ － － ○ － － － － － － － －"),
    (C::CareNeed, "● ● ● ● ● ● ● － － － ● － － －"),
    (C::Assessment, "● ● ● － ● ● ● － － － ● － ● －"),
    (C::AssessmentClinical, "○ － ○ － － － － － － － － － － －"),
    (C::LifeHistory, "○ － ○ － － － － － － － － － － －"),
    (C::GovIdentifier, "○ ● ● － － ● ● ● ● － － － － －"),
    (C::Benefit, "● ● ● － － ● ● － － － － ○ － －"),
    (C::Finance, "○ － ○ － － ○ － － － － － － － －"),
    (C::Guardian, "● ● ● － ● ● ● － － － － ○ － －"),
    (C::Family, "○ － ○ － － ○ － － － － － － － －"),
    (C::Network, "● － ● － － ● － － － － ● － － －"),
    (C::Plan, "● ● ● － － ● ● － － － ● － － －"),
    (C::Placement, "● － ● － － ● － － ● ● ● － － －"),
    (C::Followup, "● － ● － － ● ○ － － － ● － ● －"),
    (C::AddonProof, "－ － － － － － － ● ● － － － － －"),
    (C::ConsentMeta, "－ － － － － － － － － － － － － ●"),
    (C::ConsentDetail, "● － ● － － ● － － － － ● － － －"),
    (C::ConsentScan, "－ － － － － － － － － － － － － －"),
    (C::FreeText, "○ － ○ － － － － － － － － － － －"),
    (C::Prohibited, "－ － － － － － － － － － － － － －"),
];

/// What carries no personal data, and goes to every party to the case.
const IMPERSONAL: &[FieldClass] = &[C::Routing, C::Task, C::ConsentMeta];
/// Kinds that need not name a consent: nobody is concerned, or whoever answers or gives notice may not know it.
const WITHOUT_CONSENT: &[MessageKind] = &[
    MessageKind::ReferralAck,
    MessageKind::ReferralDecision,
    MessageKind::ResourceInfo,
    MessageKind::EnquiryReply,
    MessageKind::PlacementDecision,
    MessageKind::MeetingNotice,
    MessageKind::StatusNotice,
    MessageKind::HandoverProposal,
    MessageKind::HandoverAgreed,
    MessageKind::CertificateRevocation,
    MessageKind::ConsentEvent,
    MessageKind::ErasureRequest,
    MessageKind::ErasureReport,
    MessageKind::IncidentNotice,
    MessageKind::ClosingNotice,
    MessageKind::TrainingNotice,
    MessageKind::PeriodicConsultation,
    MessageKind::CouncilNotice,
    MessageKind::ProviderNotice,
];
const PUBLIC: &[PartyKind] = &[P::SettlementCenter, P::ProbationOffice, P::Municipality, P::CoreCenter, P::Prefecture];
const PRIVATE: &[PartyKind] =
    &[P::ConsultationOffice, P::GroupHome, P::SupportFacility, P::LodgingTraining, P::DayService, P::RehabFacility];
/// Public bodies that certify, or need a certificate.
const CERTIFIERS: &[PartyKind] = &[P::SettlementCenter, P::ProbationOffice, P::Municipality, P::CoreCenter];
/// Whose name alone tells of criminal history.
const TELLING: &[PartyKind] = &[P::SettlementCenter, P::ProbationOffice, P::BarAssociation];
const TO_PROTECT_LIFE: &[FieldClass] = &[
    C::Routing,
    C::Task,
    C::ConsentMeta,
    C::Identity,
    C::Accommodation,
    C::Contact,
    C::Safety,
    C::Medical,
    C::MedicalRestricted,
    C::CareNeed,
];

fn all<T: Copy + PartialEq>(list: &[T], but: &[T]) -> Vec<T> {
    list.iter().copied().filter(|code| !but.contains(code)).collect()
}

fn region(situations: &Situations) -> Region {
    Region::from(situations)
}

fn needed() -> Region {
    assert_eq!(TABLE.iter().map(|(class, _)| *class).collect::<Vec<_>>(), FieldClass::ALL, "a row per class");
    let mut cells = vec![Situations {
        readers: all(PartyKind::ALL, &[P::Auditor, P::Operator]),
        relations: all(Relation::ALL, &[R::None]),
        classes: IMPERSONAL.to_vec(),
        ..Situations::all()
    }];
    // Claims are looked into for years behind the end of a case.
    cells.push(Situations {
        readers: [CERTIFIERS, SERVICES].concat(),
        purposes: vec![Purpose::AddonCertification],
        relations: vec![R::Closed],
        classes: vec![C::AddonProof],
        ..Situations::all()
    });
    for (class, row) in TABLE {
        let row: Vec<&str> = row.split(' ').collect();
        assert_eq!(row.len(), COLUMNS.len(), "{class}");
        for (column, cell) in COLUMNS.iter().zip(row).filter(|(_, cell)| *cell != "－") {
            let whole = Situations::all();
            cells.push(Situations {
                readers: column.readers.to_vec(),
                purposes: column.purposes.to_vec(),
                relations: column.relations.to_vec(),
                classes: vec![*class],
                kinds: column.kind.map_or(whole.kinds, |kind| vec![kind]),
                consents: if cell == "●" { whole.consents } else { vec![Given::CoversTicked] },
                named: if column.named { vec![true] } else { whole.named },
                ..Situations::all()
            });
        }
    }
    cells.into_iter().collect()
}

/// What the rights leave: the agreement covers, and the basis carries.
fn rightful() -> Region {
    let covered = Situations { agreements: vec![AgreementState::Covers], ..Situations::all() };
    let basis = |basis| Situations { bases: vec![basis], ..covered.clone() };
    let consent = basis(BasisGroup::Consent);
    let (statute, life) = (basis(BasisGroup::Statute), basis(BasisGroup::VitalInterest));
    [
        Situations { consents: vec![Given::Covers, Given::CoversTicked], ..consent.clone() },
        Situations {
            consents: vec![Given::RecipientOutside, Given::PurposeOutside, Given::ClassOutside],
            classes: IMPERSONAL.to_vec(),
            ..consent
        },
        Situations {
            consents: vec![Given::None],
            kinds: WITHOUT_CONSENT.to_vec(),
            classes: IMPERSONAL.to_vec(),
            ..basis(BasisGroup::Consent)
        },
        Situations { readers: PUBLIC.to_vec(), ..statute.clone() },
        Situations { classes: IMPERSONAL.to_vec(), ..statute },
        Situations { classes: TO_PROTECT_LIFE.to_vec(), ..life },
    ]
    .into_iter()
    .collect()
}

fn decided() -> Region {
    let after_closing =
        Situations { relations: vec![R::Closed], classes: all(C::ALL, &[C::Routing, C::AddonProof, C::ConsentMeta]), ..Situations::all() };
    let told_by_name = Situations { readers: PRIVATE.to_vec(), senders: TELLING.to_vec(), ..Situations::all() };
    needed().and(&rightful()).minus(&region(&after_closing)).minus(&region(&told_by_name))
}

fn tell(region: &Region) -> String {
    let few: Vec<String> = region.situations().iter().take(3).map(|situations| format!("{situations:?}")).collect();
    format!("{} keys, such as {}", region.count(), few.join("\n"))
}

#[test]
fn over_the_whole_closed_domain_the_policies_permit_what_the_table_says_and_nothing_else() {
    let (permitted, decided) = (PolicySet::builtin().unwrap().permitted(), decided());
    let (too_much, too_little) = (permitted.minus(&decided), decided.minus(&permitted));
    assert!(too_much.is_empty(), "the policies show more than the table: {}", tell(&too_much));
    assert!(too_little.is_empty(), "the policies show less than the table: {}", tell(&too_little));
    assert_eq!(permitted.count(), decided.count());
}

#[test]
fn every_cell_of_the_table_matters() {
    let decided = decided();
    for column in COLUMNS {
        let cell = Situations {
            readers: column.readers.to_vec(),
            purposes: column.purposes.to_vec(),
            relations: column.relations.to_vec(),
            ..Situations::all()
        };
        assert!(!region(&cell).and(&decided).is_empty());
    }
    assert_eq!(Region::whole().count(), 14 * 7 * 7 * 41 * 14 * 40 * 3 * 6 * 8 * 2);
}
