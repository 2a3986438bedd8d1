//! What the policy directory says about classes and legal bases: names, marks, and the sentences of the consent form.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Display,
    hash::Hash,
};

use serde::Deserialize;

use super::{
    error::PolicyError,
    lint,
    source::{ADDONS, BASES, CLASSES, CODES, CONSENT, Source},
};
use crate::domain::{
    addon::{Rule, RuleSet},
    agreement::AgreementState,
    case::Relation,
    codes::{BasisGroup, LegalBasis, MessageKind, Purpose},
    consent::{ConsentState, ConsentTerms},
    field::FieldClass,
    party::PartyKind,
};

/// One class of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassText {
    /// The class.
    pub code: FieldClass,
    /// Japanese name.
    pub ja: String,
    /// English name.
    pub en: String,
    /// Holds 要配慮個人情報, or reveals it (Act art. 2 para. 3; Order art. 2).
    pub special: bool,
    /// Holds direct identifiers.
    pub direct_identifier: bool,
    /// What the consent form says, in plain Japanese.
    pub consent_ja: String,
    /// The same in English.
    pub consent_en: String,
}

/// One legal basis of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BasisText {
    /// The basis.
    pub code: LegalBasis,
    /// What it means for the policy.
    pub group: BasisGroup,
    /// Japanese name.
    pub ja: String,
    /// English name.
    pub en: String,
    /// The article it rests on.
    pub article: String,
    /// Whether a lawyer or a public source has confirmed the reading.
    pub verified: bool,
    /// What confirms it, or what is open.
    pub note: String,
}

/// What a code of a closed list is called.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeText {
    /// Japanese name.
    pub ja: String,
    /// English name.
    pub en: String,
}

/// The closed lists whose codes have names in the catalogue, besides classes and legal bases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CodeList {
    /// Kinds of parties.
    OrgKind,
    /// Purposes.
    Purpose,
    /// Message kinds.
    MessageKind,
    /// Relations to a case.
    Relation,
    /// States of an agreement.
    AgreementState,
    /// States of a consent.
    ConsentState,
}

/// All lists, complete, and the conditions of consents.
#[derive(Clone)]
pub(super) struct Catalogue {
    classes: HashMap<FieldClass, ClassText>,
    bases: HashMap<LegalBasis, BasisText>,
    codes: HashMap<CodeList, BTreeMap<String, CodeText>>,
    consent: ConsentTerms,
    addons: RuleSet,
}

impl Catalogue {
    /// Reads the files; each must hold exactly the program's codes, once.
    pub(super) fn read(source: &Source) -> Result<Self, Vec<PolicyError>> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Classes {
            class: Vec<ClassText>,
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Bases {
            basis: Vec<BasisText>,
        }
        let mut faults = Vec::new();
        let classes = parse(CLASSES, source)
            .and_then(|file: Classes| index(CLASSES, "FieldClass", FieldClass::ALL, file.class, |text| text.code))
            .map_err(|fault| faults.push(fault));
        let bases = parse(BASES, source)
            .and_then(|file: Bases| index(BASES, "LegalBasis", LegalBasis::ALL, file.basis, |text| text.code))
            .map_err(|fault| faults.push(fault));
        let consent = parse(CONSENT, source).map_err(|fault| faults.push(fault));
        let addons = source.text(ADDONS).and_then(|text| addon_rules(ADDONS, text)).map_err(|fault| faults.push(fault));
        let mut codes = HashMap::new();
        for (list, file) in CODES {
            match names(*list, file, source) {
                Ok(found) => drop(codes.insert(*list, found)),
                Err(fault) => faults.push(fault),
            }
        }
        match (classes, bases, consent, addons) {
            (Ok(classes), Ok(bases), Ok(consent), Ok(addons)) if faults.is_empty() => Ok(Self { classes, bases, codes, consent, addons }),
            _ => Err(faults),
        }
    }

    pub(super) fn label(&self, list: CodeList, code: &str) -> Option<&CodeText> {
        self.codes.get(&list)?.get(code)
    }

    pub(super) fn class(&self, class: FieldClass) -> Option<&ClassText> {
        self.classes.get(&class)
    }

    pub(super) const fn consent(&self) -> &ConsentTerms {
        &self.consent
    }

    pub(super) const fn addons(&self) -> &RuleSet {
        &self.addons
    }

    pub(super) fn basis(&self, basis: LegalBasis) -> Option<&BasisText> {
        self.bases.get(&basis)
    }
}

/// Rules of the add-ons from the text of their file.
///
/// # Errors
/// When it is not of the form, or the rows contradict each other.
pub fn addon_rules(file: &str, text: &str) -> Result<RuleSet, PolicyError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Rules {
        rule: Vec<Rule>,
    }
    let Rules { rule } = toml::from_str(text).map_err(|e| PolicyError::Syntax { file: file.to_owned(), reason: e.to_string() })?;
    RuleSet::of(rule).map_err(|faults| PolicyError::Addons { file: file.to_owned(), faults })
}

fn names(list: CodeList, file: &'static str, source: &Source) -> Result<BTreeMap<String, CodeText>, PolicyError> {
    let names: BTreeMap<String, CodeText> = parse(file, source)?;
    let found = || names.keys().map(String::as_str);
    match list {
        CodeList::OrgKind => lint::same_codes(file, "OrgKind", PartyKind::ALL, found()),
        CodeList::Purpose => lint::same_codes(file, "Purpose", Purpose::ALL, found()),
        CodeList::MessageKind => lint::same_codes(file, "MessageType", MessageKind::ALL, found()),
        CodeList::Relation => lint::same_codes(file, "CaseRelation", Relation::ALL, found()),
        CodeList::AgreementState => lint::same_codes(file, "AgreementState", AgreementState::ALL, found()),
        CodeList::ConsentState => lint::same_codes(file, "ConsentState", ConsentState::ALL, found()),
    }?;
    Ok(names)
}

fn parse<T: for<'de> Deserialize<'de>>(file: &'static str, source: &Source) -> Result<T, PolicyError> {
    toml::from_str(source.text(file)?).map_err(|e| PolicyError::Syntax { file: file.to_owned(), reason: e.to_string() })
}

fn index<C: Copy + Eq + Hash + Display, T>(
    file: &'static str,
    list: &'static str,
    all: &[C],
    rows: Vec<T>,
    code: impl Fn(&T) -> C,
) -> Result<HashMap<C, T>, PolicyError> {
    let found: Vec<String> = rows.iter().map(|row| code(row).to_string()).collect();
    lint::same_codes(file, list, all, found.iter().map(String::as_str))?;
    Ok(rows.into_iter().map(|row| (code(&row), row)).collect())
}
