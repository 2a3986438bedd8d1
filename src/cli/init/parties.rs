//! Who is in a sandbox, and what they agreed on. Fictitious units with well-formed codes.

use serde_json::{Value, json};

use crate::domain::{
    codes::Purpose,
    field::FieldClass,
    party::{All, Jurisdiction, Name, PartyId, PartyKind, Registration},
    time::Timestamp,
};

/// A unit of the sandbox.
pub(super) struct Unit {
    code: &'static str,
    ja: &'static str,
    en: &'static str,
    purposes: &'static [Purpose],
}

use Purpose::{
    AddonCertification as Addon, AuditReview, BackupConsultation as Backup, BenefitDecision as Benefit, PlacementCoordination as Placement,
    ServicePlanning as Planning, ServiceProvision as Provision,
};

/// The operator comes first: it registers the others.
pub(super) const UNITS: &[Unit] = &[
    Unit { code: "operator:sandbox", ja: "つなぎ運用者（試験）", en: "Sandbox operator", purposes: &[] },
    Unit {
        code: "settlement_center:13-1",
        ja: "東京試験地域生活定着支援センター",
        en: "Test Community Life Settlement Support Centre",
        purposes: &[Placement, Backup, Addon],
    },
    Unit {
        code: "municipality:131016-1",
        ja: "試験区 障害福祉課",
        en: "Test Ward, Disability Welfare Section",
        purposes: &[Placement, Benefit, Backup, Addon],
    },
    Unit {
        code: "core_center:131016-1",
        ja: "試験区基幹相談支援センター",
        en: "Test Ward Core Consultation Centre",
        purposes: &[Placement, Backup],
    },
    Unit {
        code: "consultation_office:1330100015",
        ja: "試験相談支援事業所",
        en: "Test Consultation Office",
        purposes: &[Planning, Backup],
    },
    Unit {
        code: "group_home:1320100017",
        ja: "試験グループホーム",
        en: "Test Group Home",
        purposes: &[Placement, Provision, Addon, Backup],
    },
    Unit {
        code: "day_service:1310100019",
        ja: "試験就労支援事業所",
        en: "Test Day Service",
        purposes: &[Placement, Provision, Addon, Backup],
    },
    Unit { code: "probation_office:13-1", ja: "試験保護観察所", en: "Test Probation Office", purposes: &[Placement, Addon] },
    Unit { code: "auditor:tokyo", ja: "試験監査室", en: "Test Audit Office", purposes: &[AuditReview] },
];

/// Who takes part in the whole work of a case besides.
pub(super) const FURTHER_UNITS: &[Unit] = &[
    Unit {
        code: "group_home:1320100025",
        ja: "試験第二グループホーム",
        en: "Second Test Group Home",
        purposes: &[Placement, Provision, Addon, Backup],
    },
    Unit { code: "bar_association:13-1", ja: "試験弁護士会", en: "Test Bar Association", purposes: &[Placement] },
    Unit {
        code: "municipality:131024-1",
        ja: "隣試験区 障害福祉課",
        en: "Neighbouring Test Ward, Disability Welfare Section",
        purposes: &[Placement, Benefit, Backup, Addon],
    },
    Unit {
        code: "settlement_center:14-1",
        ja: "神奈川試験地域生活定着支援センター",
        en: "Neighbouring Test Community Life Settlement Support Centre",
        purposes: &[Placement, Backup, Addon],
    },
];

/// What those who receive something promise (個人情報の保護に関する法律 70条).
pub(super) const TERMS: &[&str] = &[
    "受け取った情報は、示された利用目的以外に使わない。",
    "必要のなくなった情報は速やかに消去し、消去したことを知らせる。",
    "漏えい等が起きたときは、直ちに送り手とつなぎ運用者に知らせる。",
];

impl Unit {
    /// What it works for.
    pub(super) const fn purposes(&self) -> &'static [Purpose] {
        self.purposes
    }

    /// Its registration.
    pub(super) fn registration(&self) -> Option<Registration> {
        let party: PartyId = self.code.parse().ok()?;
        let jurisdiction = (party.kind() == PartyKind::Auditor).then_some(Jurisdiction::Everything(All::All));
        Some(Registration {
            party,
            name: Name { ja: self.ja.to_owned(), en: self.en.to_owned() },
            corporate_number: None,
            purposes: self.purposes.to_vec(),
            certificates: Vec::new(),
            jurisdiction,
        })
    }
}

/// Number of the agreement about referrals.
pub(super) const REFERRALS: &str = "AG-13-0001";

/// The agreement about referrals alone: referrals from those who meet the person to those who arrange, for arranging and for the benefit decision.
pub(super) fn agreement(parties: &[PartyId], from: Timestamp) -> Value {
    let classes: Vec<FieldClass> =
        FieldClass::ALL.iter().copied().filter(|c| !c.consent_may_not_name() && *c != FieldClass::AddonProof).collect();
    let pairs = [
        ("settlement_center", "municipality"),
        ("settlement_center", "core_center"),
        ("probation_office", "municipality"),
        ("probation_office", "core_center"),
        ("municipality", "core_center"),
        ("core_center", "municipality"),
    ];
    let flows: Vec<Value> = pairs
        .iter()
        .map(|(from, to)| {
            let purposes: &[&str] =
                if *to == "municipality" { &["placement_coordination", "benefit_decision"] } else { &["placement_coordination"] };
            json!({
                "from": from,
                "to": to,
                "kinds": ["referral"],
                "purposes": purposes,
                "classes": classes,
                "bases": ["within_purpose", "consent_69_2_1", "consent_27"],
            })
        })
        .collect();
    json!({
        "id": REFERRALS,
        "ver": 1,
        "title": "地域生活定着支援における個人情報の取扱いに関する協定（試験）",
        "parties": parties,
        "acceding": ["group_home", "support_facility", "lodging_training", "day_service", "consultation_office"],
        "flows": flows,
        "schema_versions": ["referral/1.0.0"],
        "purpose_of_use_entry": "個人情報ファイル簿（試験）：障害福祉サービスの利用調整および支給決定に関する事務",
        "terms": TERMS,
        "from": from,
        "until": from.plus_secs(365 * 86_400),
        "retention_months": 60,
        "delegations": [],
    })
}
