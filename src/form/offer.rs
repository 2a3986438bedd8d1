//! What a form offers: for each recipient the classes that may reach it, and for what.

use serde::{Deserialize, Serialize};

use super::labels::Labels;
use crate::{
    domain::{
        agreement::{Agreement, AgreementState, Flow, Side},
        case::Relation,
        codes::{BasisGroup, Purpose},
        consent::ConsentState,
        digest::Digest,
        field::FieldClass,
        ids::AgreementId,
        party::{PartyId, PartyKind},
        time::Timestamp,
    },
    policy::{Key, PolicySet},
};

/// What a form is made of.
pub struct Basis<'a> {
    /// The agreement.
    pub agreement: &'a Agreement,
    /// SHA-256 of its exact document.
    pub sha256: Digest,
    /// Who explains the form and keeps it.
    pub collector: &'a PartyId,
    /// Recipients in the order of the form. Empty: every named party of the agreement that may receive something.
    pub recipients: &'a [PartyId],
    /// Japanese names of parties, where they are known.
    pub names: &'a dyn Fn(&PartyId) -> Option<String>,
    /// The policies.
    pub policy: &'a PolicySet,
    /// Names of codes.
    pub labels: &'a Labels,
}

/// A form before anybody filled it. Everything that varies on the page stands here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Form {
    /// Who explains it and keeps it.
    pub collector: Coded<PartyId>,
    /// The agreement.
    pub agreement: AgreementShown,
    /// Recipients.
    pub columns: Vec<Column>,
    /// Classes.
    pub lines: Vec<Line>,
    /// How consent may be given.
    pub methods: Vec<Coded<String>>,
    /// Who may consent in the person's place.
    pub representatives: Vec<Coded<String>>,
    /// What a representative cannot consent to.
    pub person_alone: Vec<FieldClass>,
    /// How many days a consent given in custody stands towards providers.
    pub custody_days: u16,
    /// How many days a spoken consent lasts.
    pub oral_days: u16,
}

/// A code with its Japanese name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coded<T> {
    /// The code.
    pub code: T,
    /// Its name.
    pub ja: String,
}

/// The agreement as the form shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgreementShown {
    /// Id.
    pub id: AgreementId,
    /// Version.
    pub ver: u32,
    /// SHA-256 of the document.
    pub sha256: Digest,
    /// Title.
    pub title: String,
    /// The purpose of use it rests on.
    pub purpose_of_use_entry: String,
    /// Handling terms.
    pub terms: Vec<String>,
    /// Its end.
    pub until: Timestamp,
}

/// A recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// The letter of its boxes.
    pub letter: char,
    /// The party.
    pub party: PartyId,
    /// Its name.
    pub ja: String,
    /// The name of its kind.
    pub kind: String,
    /// What it may receive something for.
    pub purposes: Vec<Coded<Purpose>>,
}

/// A class, with one cell per recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The class.
    pub class: FieldClass,
    /// The sentence of the catalogue.
    pub sentence: String,
    /// Whether it is 要配慮個人情報.
    pub special: bool,
    /// One per recipient, in their order.
    pub cells: Vec<Cell>,
}

/// What stands where a class and a recipient meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cell {
    /// A box: may be shown when the consent covers the class.
    Plain,
    /// A box: may be shown only when the class was ticked one by one.
    Each,
    /// No box: never reaches this recipient.
    Never,
}

/// Why there is no form.
#[derive(Debug, thiserror::Error)]
pub enum FormError {
    /// The collector may collect no consent, or is no party of the agreement.
    #[error("{0} cannot collect a consent under this agreement")]
    Collector(PartyId),
    /// A recipient to which nothing may go.
    #[error("under this agreement and these policies nothing may reach {0}")]
    NothingFor(PartyId),
    /// A recipient is named twice.
    #[error("{0} is named twice")]
    Twice(PartyId),
    /// Nobody may receive anything.
    #[error("under this agreement and these policies nothing may reach anybody on the ground of a consent")]
    Nothing,
    /// More recipients than there are letters.
    #[error("a form has at most {MOST_COLUMNS} recipients")]
    TooMany,
    /// The code lists of the program cannot be read.
    #[error("the code lists cannot be read")]
    Labels,
    /// A code has no name.
    #[error("the code list {0} has no name for {1}")]
    NoLabel(&'static str, String),
    /// A class has no sentence.
    #[error("the catalogue has no sentence for {0}")]
    NoSentence(FieldClass),
}

impl FormError {
    /// The same in Japanese.
    #[must_use]
    pub fn ja(&self) -> String {
        match self {
            Self::Collector(party) => format!("{party} は、この協定のもとで同意を取得できません"),
            Self::NothingFor(party) => format!("この協定と方針では、{party} に伝えられる情報がありません"),
            Self::Twice(party) => format!("{party} が二度書かれています"),
            Self::Nothing => "この協定と方針では、同意にもとづいて伝えられる相手がありません".to_owned(),
            Self::TooMany => format!("一枚の同意書に書ける相手は {MOST_COLUMNS} までです"),
            Self::Labels => "コード一覧を読めません".to_owned(),
            Self::NoLabel(list, code) => format!("コード一覧 {list} に {code} の名前がありません"),
            Self::NoSentence(class) => format!("項目一覧に {class} の文がありません"),
        }
    }
}

impl Form {
    /// The form for a collector under an agreement.
    pub fn offer(basis: &Basis<'_>) -> Result<Self, FormError> {
        let Basis { agreement, collector, policy, labels, .. } = basis;
        if !collector.kind().may_collect_consent() || !agreement.parties.contains(collector) {
            return Err(FormError::Collector((*collector).clone()));
        }
        let columns = columns(basis)?;
        let mut lines = Vec::new();
        for class in FieldClass::ALL.iter().filter(|class| !class.needs_no_consent_item() && !class.consent_may_not_name()) {
            let cells: Vec<Cell> = columns.iter().map(|column| cell(basis, &column.party, None, *class)).collect();
            if cells.iter().any(|cell| *cell != Cell::Never) {
                let text = policy.class_text(*class).ok_or(FormError::NoSentence(*class))?;
                lines.push(Line { class: *class, sentence: text.consent_ja.clone(), special: text.special, cells });
            }
        }
        // In the order in which they are printed and numbered.
        lines.sort_by_key(|line| line.special);
        let coded = |list, code: &str| labels.of(list, code).map(|ja| Coded { code: code.to_owned(), ja: ja.to_owned() });
        let terms = policy.consent_terms();
        Ok(Self {
            collector: Coded { code: (*collector).clone(), ja: name(basis, collector)? },
            agreement: AgreementShown {
                id: agreement.id.clone(),
                ver: agreement.ver,
                sha256: basis.sha256,
                title: agreement.title.clone(),
                purpose_of_use_entry: agreement.purpose_of_use_entry.clone(),
                terms: agreement.terms.clone(),
                until: agreement.until,
            },
            columns,
            lines,
            methods: METHODS.iter().map(|code| coded("consentMethod", code)).collect::<Result<_, _>>()?,
            representatives: terms.representative.kinds.iter().map(|kind| coded("guardianKind", kind)).collect::<Result<_, _>>()?,
            person_alone: terms.representative.never.clone(),
            custody_days: terms.custody.provider_days,
            oral_days: terms.oral.days,
        })
    }

    /// The boxes: their names, recipient by recipient, with the recipient, the class and how the box counts.
    pub fn boxes(&self) -> impl Iterator<Item = (String, &Column, &Line, Cell)> {
        self.columns.iter().enumerate().flat_map(move |(at, column)| {
            let cells = self.lines.iter().zip(1..).filter_map(move |(line, number)| Some((line, number, *line.cells.get(at)?)));
            cells.filter(|(_, _, cell)| *cell != Cell::Never).map(move |(line, number, cell)| {
                let name = format!("{}{number}", column.letter);
                (name, column, line, cell)
            })
        })
    }
}

fn columns(basis: &Basis<'_>) -> Result<Vec<Column>, FormError> {
    let named = basis.recipients.is_empty();
    let parties: &[PartyId] = if named { &basis.agreement.parties } else { basis.recipients };
    let mut columns: Vec<Column> = Vec::new();
    for party in parties {
        let mut purposes = Vec::new();
        for purpose in Purpose::ALL.iter().filter(|purpose| **purpose != Purpose::Administration) {
            let asked = FieldClass::ALL.iter().filter(|class| !class.needs_no_consent_item() && !class.consent_may_not_name());
            if asked.into_iter().any(|class| cell(basis, party, Some(*purpose), *class) != Cell::Never) {
                purposes.push(Coded { code: *purpose, ja: basis.labels.of("purpose", purpose.as_str())?.to_owned() });
            }
        }
        if purposes.is_empty() {
            if named {
                continue;
            }
            return Err(FormError::NothingFor(party.clone()));
        }
        if columns.iter().any(|column| column.party == *party) {
            return Err(FormError::Twice(party.clone()));
        }
        let letter = LETTERS.chars().nth(columns.len()).ok_or(FormError::TooMany)?;
        let kind = basis.labels.of("partyKind", party.kind().as_str())?.to_owned();
        columns.push(Column { letter, party: party.clone(), ja: name(basis, party)?, kind, purposes });
    }
    if columns.is_empty() { Err(FormError::Nothing) } else { Ok(columns) }
}

fn name(basis: &Basis<'_>, party: &PartyId) -> Result<String, FormError> {
    let kind = basis.labels.of("partyKind", party.kind().as_str())?;
    Ok((basis.names)(party).unwrap_or_else(|| format!("{kind} {}", party.code())))
}

/// Whether a class could ever be shown to a party on the ground of a consent that names it: for one purpose, or for any.
fn cell(basis: &Basis<'_>, party: &PartyId, purpose: Option<Purpose>, class: FieldClass) -> Cell {
    let Basis { agreement, policy, .. } = basis;
    let bound = agreement.parties.contains(party) || agreement.acceding.contains(&party.kind());
    let consented = |flow: &&Flow| flow.bases.iter().any(|basis| policy.basis_group(*basis) == BasisGroup::Consent);
    let flows = agreement.flows.iter().filter(|flow| bound && flow.to.holds(party) && flow.classes.contains(&class)).filter(consented);
    let mut found = Cell::Never;
    for flow in flows {
        for (kind, asked, relation) in situations(flow, purpose) {
            let key = |consent| Key {
                reader: party.kind(),
                sender: sender(&flow.from),
                class,
                purpose: asked,
                kind,
                relation,
                basis: BasisGroup::Consent,
                agreement: AgreementState::Covers,
                consent,
                named: true,
            };
            if policy.decide(&key(ConsentState::Covers)).allow {
                return Cell::Plain;
            }
            if found == Cell::Never && policy.decide(&key(ConsentState::CoversTicked)).allow {
                found = Cell::Each;
            }
        }
    }
    found
}

fn situations(flow: &Flow, purpose: Option<Purpose>) -> impl Iterator<Item = (crate::domain::codes::MessageKind, Purpose, Relation)> {
    let purposes = flow.purposes.iter().copied().filter(move |of| purpose.is_none_or(|asked| asked == *of));
    purposes.flat_map(move |purpose| {
        flow.kinds.iter().flat_map(move |kind| Relation::ALL.iter().map(move |relation| (*kind, purpose, *relation)))
    })
}

const fn sender(side: &Side) -> PartyKind {
    match side {
        Side::Kind(kind) => *kind,
        Side::Party(party) => party.kind(),
    }
}

/// How a person may give consent on this paper. `electronic` is none of them.
const METHODS: &[&str] = &["paper_signed", "paper_seal", "thumbprint", "oral_witnessed"];
/// Letters that cannot be taken for numbers.
const LETTERS: &str = "ABCDEFGHJKLMNPQRSTUVWXYZ";
const MOST_COLUMNS: usize = LETTERS.len();
