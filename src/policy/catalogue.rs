//! What the policy directory says about classes and legal bases: names, marks, and the sentences of the consent form.

use std::{collections::HashMap, fmt::Display, hash::Hash};

use serde::Deserialize;

use super::{
    error::PolicyError,
    lint,
    source::{BASES, CLASSES, CONSENT, Source},
};
use crate::domain::{
    codes::{BasisGroup, LegalBasis},
    consent::ConsentTerms,
    field::FieldClass,
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

/// Both lists, complete, and the conditions of consents.
pub(super) struct Catalogue {
    classes: HashMap<FieldClass, ClassText>,
    bases: HashMap<LegalBasis, BasisText>,
    consent: ConsentTerms,
}

impl Catalogue {
    /// Reads both files; each must hold exactly the program's codes, once.
    pub(super) fn read(source: &Source) -> Result<Self, PolicyError> {
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
        let classes: Classes = parse(CLASSES, source)?;
        let bases: Bases = parse(BASES, source)?;
        Ok(Self {
            classes: index(CLASSES, "FieldClass", FieldClass::ALL, classes.class, |text| text.code)?,
            bases: index(BASES, "LegalBasis", LegalBasis::ALL, bases.basis, |text| text.code)?,
            consent: parse(CONSENT, source)?,
        })
    }

    pub(super) fn class(&self, class: FieldClass) -> Option<&ClassText> {
        self.classes.get(&class)
    }

    pub(super) const fn consent(&self) -> &ConsentTerms {
        &self.consent
    }

    pub(super) fn basis(&self, basis: LegalBasis) -> Option<&BasisText> {
        self.bases.get(&basis)
    }
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
