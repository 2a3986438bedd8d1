//! The field catalogue: every row there is, what it is, where it travels, and the rules it obeys beyond its form.
//!
//! Promises: all rows compile, also those that no message carries yet; a message schema takes its rows from here by reference and from
//! nowhere else, so a row means the same in every message.

use std::{collections::BTreeMap, sync::Arc};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    SchemaError, anonymity,
    document::Document,
    faults::Checker,
    periods::{self, DatedCodes, Periods},
    rules::{self, Findings, Rule, Warning},
    shelf::Shelf,
    violations_of_rows,
};
use crate::domain::{
    codes::{MessageKind, UnknownCode, closed_list},
    field::{FieldClass, FieldKey},
    party::PartyKind,
    refusal::Violation,
    time::Timestamp,
};

closed_list! {
    /// How far a row identifies a person.
    Ident {
        /// Alone.
        Direct = "D",
        /// Together with others.
        Quasi = "Q",
        /// Not at all.
        Neither = "N",
    }
}

/// Where a row travels (protocol section 2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Carried {
    /// As a member of a message's body.
    Body,
    /// As a plain claim of a message.
    Claim(String),
    /// As a hidden claim of a message.
    Hidden(String),
    /// As a claim of a consent.
    Consent(String),
    /// In a coordination certificate.
    Certificate,
    /// Nowhere.
    Never,
}

impl std::str::FromStr for Carried {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match (text, text.split_once(':')) {
            ("body", _) => Ok(Self::Body),
            ("certificate", _) => Ok(Self::Certificate),
            ("never", _) => Ok(Self::Never),
            (_, Some(("claim", name))) => Ok(Self::Claim(name.to_owned())),
            (_, Some(("hidden", name))) => Ok(Self::Hidden(name.to_owned())),
            (_, Some(("consent", name))) => Ok(Self::Consent(name.to_owned())),
            _ => Err(UnknownCode("Carried")),
        }
    }
}

/// One row of the field catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Catalogue key, the member's name.
    pub key: FieldKey,
    /// Class the policy decides on.
    pub class: FieldClass,
    /// Japanese name.
    pub title_ja: String,
    /// English name.
    pub title_en: String,
    /// What the consent form says, in plain Japanese.
    pub consent_text: String,
    /// 要配慮個人情報, or reveals it.
    pub special: bool,
    /// Why it counts as 要配慮個人情報.
    pub basis: Option<String>,
    /// How far it identifies a person.
    pub ident: Ident,
    /// How long a receiver keeps it unless the agreement says otherwise.
    pub retention_months: u32,
    /// Where it travels.
    pub carried: Carried,
    /// Message kinds whose body may hold it.
    pub kinds: Vec<MessageKind>,
    /// Rules beyond the form; a broken one is a refusal.
    pub rules: Vec<Rule>,
    /// What its sender is told without being refused.
    pub warnings: Vec<Warning>,
    /// The row whose date decides which codes are in use; otherwise the day of sending does.
    pub dated_by: Option<FieldKey>,
    /// Codes in it that are not in use at all times.
    pub(super) dated: Vec<DatedCodes>,
    /// A body without it is not valid. Said by the message's schema.
    pub required: bool,
    /// Kinds of readers that cannot do their work without it. Said by the message's schema.
    pub needed_by: Vec<PartyKind>,
}

/// All rows, in their order.
pub struct Catalogue {
    urn: String,
    rows: Vec<Row>,
    index: BTreeMap<FieldKey, usize>,
    checker: Arc<Checker>,
}

impl Catalogue {
    pub(super) fn compile(shelf: &mut Shelf<'_>) -> Result<Self, SchemaError> {
        let file = shelf.file(KIND)?;
        let document = Document::read(KIND, file.bytes)?;
        let codes = shelf.file("codes")?;
        let periods = Periods::read(&codes.urn(), codes.bytes)?;
        let rows = document.defs.0.iter().map(|(name, schema)| row(name, schema, &periods)).collect::<Result<Vec<Row>, _>>()?;
        let index = rows.iter().map(|row| row.key.clone()).zip(0..).collect();
        let mut whole = super::json(file)?;
        let all = |row: &Row| (row.key.to_string(), json!({"$ref": format!("#/$defs/{}", row.key)}));
        if let Some(members) = whole.as_object_mut() {
            members.insert("type".to_owned(), "object".into());
            members.insert("properties".to_owned(), Value::Object(rows.iter().map(all).collect()));
            members.insert("additionalProperties".to_owned(), false.into());
        }
        let names = rows.iter().map(|row| row.key.to_string()).collect();
        let checker = Arc::new(shelf.checker(file, &document, &whole, names)?);
        Ok(Self { urn: file.urn(), rows, index, checker })
    }

    /// The rows in their order.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// One row.
    #[must_use]
    pub fn row(&self, key: &FieldKey) -> Option<&Row> {
        self.index.get(key).and_then(|position| self.rows.get(*position))
    }

    /// What is wrong with the form of some rows, whatever document carries them. No row is missed here.
    #[must_use]
    pub fn check(&self, rows: &Value) -> Vec<Violation> {
        violations_of_rows(&self.checker.faults(rows), &self.rows)
    }

    /// What rules beyond the form some rows break that were sent at a moment.
    #[must_use]
    pub fn check_rules(&self, rows: &Value, sent: Timestamp) -> Findings {
        rules::findings(&self.rows, rows, sent)
    }

    /// The checker of every row's form: messages share it, because a row has one form in all of them.
    pub(super) fn forms(&self) -> Arc<Checker> {
        Arc::clone(&self.checker)
    }

    /// What a message schema must say to take a row.
    pub(super) fn reference(&self, key: &FieldKey) -> String {
        format!("{}#/$defs/{key}", self.urn)
    }
}

impl std::fmt::Debug for Catalogue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Catalogue").field("urn", &self.urn).field("rows", &self.rows.len()).finish_non_exhaustive()
    }
}

fn row(name: &str, schema: &Value, periods: &Periods) -> Result<Row, SchemaError> {
    let wrong = |reason: String| SchemaError::Malformed { kind: KIND, reason: format!("row {name}: {reason}") };
    let key = name.parse().map_err(|_| wrong("is not a catalogue key".to_owned()))?;
    let about = Annotations::deserialize(schema).map_err(|e| wrong(e.to_string()))?;
    let carried: Carried = about.carried.parse().map_err(|_| wrong("x-tsunagi-carried is not a way".to_owned()))?;
    if about.special != about.basis.is_some() {
        return Err(wrong("x-tsunagi-basis belongs to special-care rows, and to all of them".to_owned()));
    }
    if matches!(carried, Carried::Body | Carried::Certificate) == about.kinds.is_empty() {
        return Err(wrong("x-tsunagi-kinds does not fit x-tsunagi-carried".to_owned()));
    }
    let impersonal = about.class.needs_no_consent_item() && !about.special && about.ident == Ident::Neither;
    let nameless = about.ident != Ident::Direct && anonymity::may_hold(about.class);
    for kind in &about.kinds {
        if (kind.concerns_nobody() && !impersonal) || (anonymity::is_demanded(*kind) && !nameless) {
            return Err(wrong(format!("tells more of a person than {kind} may")));
        }
    }
    Ok(Row {
        key,
        class: about.class,
        title_ja: about.title,
        title_en: about.title_en,
        consent_text: about.consent_text,
        special: about.special,
        basis: about.basis,
        ident: about.ident,
        retention_months: about.retention_months,
        carried,
        kinds: about.kinds,
        rules: about.rules,
        warnings: about.warnings,
        dated_by: about.dated_by,
        dated: periods::dated_codes(schema, periods),
        required: false,
        needed_by: Vec::new(),
    })
}

#[derive(Deserialize)]
struct Annotations {
    title: String,
    #[serde(rename = "x-tsunagi-title-en")]
    title_en: String,
    #[serde(rename = "x-tsunagi-class")]
    class: FieldClass,
    #[serde(rename = "x-tsunagi-special")]
    special: bool,
    #[serde(rename = "x-tsunagi-basis")]
    basis: Option<String>,
    #[serde(rename = "x-tsunagi-ident")]
    ident: Ident,
    #[serde(rename = "x-tsunagi-consent-text")]
    consent_text: String,
    #[serde(rename = "x-tsunagi-retention-months")]
    retention_months: u32,
    #[serde(rename = "x-tsunagi-carried")]
    carried: String,
    #[serde(rename = "x-tsunagi-kinds", default)]
    kinds: Vec<MessageKind>,
    #[serde(rename = "x-tsunagi-rules", default)]
    rules: Vec<Rule>,
    #[serde(rename = "x-tsunagi-warnings", default)]
    warnings: Vec<Warning>,
    #[serde(rename = "x-tsunagi-dated-by")]
    dated_by: Option<FieldKey>,
}

/// Kind of the catalogue's schema file.
pub(super) const KIND: &str = "catalogue";
