//! The policies as a table a person can read: who may see what, at which stage (`domain.md` section 8). Rendered by asking the policies,
//! so it cannot say anything else than they do. CI compares it with `policies/matrix.ja.md`.

use super::{
    engine::PolicySet,
    key::Key,
    lint,
    region::{Region, Situations},
};
use crate::domain::{
    agreement::AgreementState,
    case::Relation,
    codes::{BasisGroup, MessageKind, Purpose},
    consent::ConsentState,
    field::FieldClass,
    party::PartyKind,
};

impl PolicySet {
    /// Markdown in Japanese: one row per class, one column per situation, then the policies with their reasons. Assumes an agreement that
    /// covers the class, consent as the basis, and a consent that names the reader: ● covered, ○ only when ticked, － withheld even then.
    #[must_use]
    pub fn matrix(&self) -> String {
        let labels: Vec<&str> = COLUMNS.iter().map(|column| column.label).collect();
        let head = format!("| class | 情報区分 | {} |\n|---|---|{}\n", labels.join(" | "), ":-:|".repeat(COLUMNS.len()));
        let rows: Vec<String> = FieldClass::ALL.iter().map(|class| self.row(*class)).collect();
        let rules: Vec<String> =
            self.rule_texts().map(|(id, text)| format!("| {id} | {} | {} | {} |\n", text.ja, text.en, text.basis)).collect();
        [HEAD, &head, &rows.concat(), RULES, &rules.concat()].concat()
    }

    /// The same for every situation there is, as a table for machines: one line per reader, purpose, relation, and, where it matters, whether the
    /// message is an enquiry and whether the consent names the reader; one column per class. What is not listed shows nothing.
    #[must_use]
    pub fn table(&self) -> String {
        let shown = self.permitted();
        let classes: Vec<&str> = FieldClass::ALL.iter().map(|class| class.as_str()).collect();
        let mut lines = vec![format!("reader,purpose,relation,enquiry,named,{}", classes.join(","))];
        for reader in PartyKind::ALL {
            for purpose in lint::purposes() {
                for relation in Relation::ALL {
                    let here = Situations {
                        readers: vec![*reader],
                        purposes: vec![purpose],
                        relations: vec![*relation],
                        agreements: vec![AgreementState::Covers],
                        ..Situations::all()
                    };
                    let shown = shown.and(&Region::from(&here));
                    if !shown.is_empty() {
                        lines.extend(table_lines(&shown, *reader, purpose, *relation));
                    }
                }
            }
        }
        lines.push(String::new());
        lines.join("\n")
    }

    fn row(&self, class: FieldClass) -> String {
        let name = self.class_text(class).map_or(class.as_str(), |text| text.ja.as_str());
        let cells: Vec<&str> = COLUMNS.iter().map(|column| self.cell(column, class)).collect();
        format!("| `{class}` | {name} | {} |\n", cells.join(" | "))
    }

    fn cell(&self, column: &Column, class: FieldClass) -> &'static str {
        let shown = |consent| self.decide(&column.key(class, consent)).allow;
        if shown(ConsentState::Covers) {
            "●"
        } else if shown(ConsentState::CoversTicked) {
            "○"
        } else {
            "－"
        }
    }
}

/// The lines of one reader, purpose and relation: one where neither the kind of message nor being named matters.
fn table_lines(shown: &Region, reader: PartyKind, purpose: Purpose, relation: Relation) -> Vec<String> {
    let cells = |kind: MessageKind, named: bool| -> String {
        let cell = |class: &FieldClass| {
            let column = Column { label: "", reader, purpose, relation, sender: PartyKind::Municipality, kind };
            let at = |consent| shown.contains(&Key { named, ..column.key(*class, consent) });
            if at(ConsentState::Covers) {
                "●"
            } else if at(ConsentState::CoversTicked) {
                "○"
            } else {
                "－"
            }
        };
        FieldClass::ALL.iter().map(cell).collect::<Vec<_>>().join(",")
    };
    let variants: Vec<(&str, &str, String)> = [(MessageKind::Enquiry, "yes"), (MessageKind::Referral, "no")]
        .into_iter()
        .flat_map(|(kind, enquiry)| [(true, "yes"), (false, "no")].map(|(named, word)| (enquiry, word, cells(kind, named))))
        .collect();
    let line = |enquiry: &str, named: &str, cells: &str| format!("{reader},{purpose},{relation},{enquiry},{named},{cells}");
    let shows = |cells: &str| cells.contains(['●', '○']);
    match variants.first() {
        Some((.., first)) if variants.iter().all(|(.., cells)| cells == first) => {
            if shows(first) {
                vec![line("any", "any", first)]
            } else {
                Vec::new()
            }
        }
        _ => variants.iter().filter(|(.., cells)| shows(cells)).map(|(enquiry, named, cells)| line(enquiry, named, cells)).collect(),
    }
}

/// One situation: who reads, for what, standing where, what kind of message from whom.
struct Column {
    label: &'static str,
    reader: PartyKind,
    purpose: Purpose,
    relation: Relation,
    sender: PartyKind,
    kind: MessageKind,
}

impl Column {
    const fn key(&self, class: FieldClass, consent: ConsentState) -> Key {
        Key {
            reader: self.reader,
            sender: self.sender,
            class,
            purpose: self.purpose,
            kind: self.kind,
            relation: self.relation,
            basis: BasisGroup::Consent,
            agreement: AgreementState::Covers,
            consent,
            named: true,
        }
    }
}

const fn column(
    label: &'static str,
    reader: PartyKind,
    purpose: Purpose,
    relation: Relation,
    sender: PartyKind,
    kind: MessageKind,
) -> Column {
    Column { label, reader, purpose, relation, sender, kind }
}

const COLUMNS: &[Column] = {
    use MessageKind as K;
    use PartyKind as P;
    use Purpose as U;
    use Relation as R;
    &[
        column("市町村<br>利用調整<br>担当", P::Municipality, U::PlacementCoordination, R::Assigned, P::SettlementCenter, K::Referral),
        column("基幹<br>利用調整<br>担当", P::CoreCenter, U::PlacementCoordination, R::Assigned, P::SettlementCenter, K::Referral),
        column("市町村<br>支給決定<br>担当", P::Municipality, U::BenefitDecision, R::Assigned, P::SettlementCenter, K::Referral),
        column("相談支援<br>計画<br>担当", P::ConsultationOffice, U::ServicePlanning, R::Assigned, P::Municipality, K::PlanRequest),
        column("GH<br>利用調整<br>打診", P::GroupHome, U::PlacementCoordination, R::Prospective, P::Municipality, K::Enquiry),
        column("GH<br>利用調整<br>検討", P::GroupHome, U::PlacementCoordination, R::Considering, P::Municipality, K::PlacementRequest),
        column("GH<br>提供<br>受入後", P::GroupHome, U::ServiceProvision, R::Accepted, P::Municipality, K::ServiceHandoff),
        column("日中系<br>提供<br>受入後", P::DayService, U::ServiceProvision, R::Accepted, P::Municipality, K::ServiceHandoff),
        column("GH<br>加算<br>受入後", P::GroupHome, U::AddonCertification, R::Accepted, P::Municipality, K::CoordinationCertificate),
        column(
            "市町村<br>加算<br>担当",
            P::Municipality,
            U::AddonCertification,
            R::Assigned,
            P::SettlementCenter,
            K::CoordinationCertificate,
        ),
        column(
            "保護観察所<br>利用調整<br>依頼元",
            P::ProbationOffice,
            U::PlacementCoordination,
            R::Origin,
            P::SettlementCenter,
            K::StatusNotice,
        ),
        column("センター<br>利用調整<br>依頼元", P::SettlementCenter, U::PlacementCoordination, R::Origin, P::Municipality, K::Supplement),
        column("基幹<br>後方支援<br>担当", P::CoreCenter, U::BackupConsultation, R::Assigned, P::GroupHome, K::ConsultationRequest),
        column("監査<br>監査<br>依頼元", P::Auditor, U::AuditReview, R::Origin, P::SettlementCenter, K::Referral),
        column(
            "弁護士会<br>利用調整<br>依頼元",
            P::BarAssociation,
            U::PlacementCoordination,
            R::Origin,
            P::Municipality,
            K::ReferralDecision,
        ),
    ]
};

const HEAD: &str = "# 必要最小限の開示表

この表は方針（`*.cedar`）に一つずつ問い合わせて作る。手で直さず、方針を直して作り直す。

協定がその情報区分に及び、根拠が同意で、本人がその機関を名指しで同意しているときの答え：
● 開示する　○ 本人がその項目に個別に丸を付けたときだけ　－ それでも開示しない。
`support_facility`（障害者支援施設）と `lodging_training`（宿泊型自立訓練）は `group_home`（GH）と同じ。

";

const RULES: &str = "
# 方針の一覧

| id | 方針 | in English | 根拠 |
|---|---|---|---|
";
