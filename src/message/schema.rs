//! The published JSON Schemas (2020-12): what a message body, a consent and an agreement look like, and the field catalogue, which is the
//! annotations of the same files.
//!
//! Promises: the schemas are part of the program, compiled once, offline; a format nobody checks does not compile; each schema pins the digest
//! of every other it refers to, so its own digest fixes the whole; a violation names a catalogue key and a JSON Schema keyword or a rule, never
//! a value and never a name the sender made up.
//! Not here: reading bytes strictly (`json`), the rules that need another document.

mod anonymity;
mod catalogue;
mod document;
mod faults;
mod files;
mod formats;
mod my_number;
mod periods;
mod rules;
mod shelf;

use std::{collections::BTreeMap, sync::Arc};

use aws_lc_rs::digest;
use serde_json::Value;

pub use anonymity::AnonymityTerm;
pub use catalogue::{Carried, Catalogue, Ident, Row};
pub use my_number::holds_my_number;
pub use rules::{Findings, Rule, Warning};

use self::{
    anonymity::Anonymity,
    document::Document,
    faults::{Checker, Faults},
    files::FILES,
    shelf::Shelf,
};
use crate::domain::{
    codes::MessageKind,
    digest::Digest,
    field::{FieldClass, FieldKey},
    refusal::{RefusalCode, Violation},
    time::Timestamp,
};

/// A fault in a schema file. These are ours and public, so reasons may quote them.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// Not JSON, or without the annotations that the catalogue needs.
    #[error("schema {kind}: {reason}")]
    Malformed {
        /// The schema's kind.
        kind: &'static str,
        /// What the parser says.
        reason: String,
    },
    /// `$id` is not `urn:tsunagi:schema:<kind>:<ver>`.
    #[error("schema {0}: $id does not fit its place")]
    Id(&'static str),
    /// A pinned schema is not there, or has another digest.
    #[error("schema {kind}: the digest of {pinned} is not the pinned one")]
    Pin {
        /// The schema that pins.
        kind: &'static str,
        /// The URN it pins.
        pinned: String,
    },
    /// The schema does not compile.
    #[error("schema {kind}: {reason}")]
    Compile {
        /// The schema's kind.
        kind: &'static str,
        /// Why.
        reason: String,
    },
}

/// One published version, as `/.well-known/tsunagi` lists it (protocol section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published<'a> {
    /// Kind: a message kind, `consent`, `agreement`, or a part the others refer to.
    pub kind: &'a str,
    /// `urn:tsunagi:schema:<kind>`, the `id` of a `sch` claim.
    pub id: &'a str,
    /// Version.
    pub ver: &'a str,
    /// SHA-256 of the exact bytes.
    pub sha256: Digest,
}

/// Every schema of this program, compiled.
pub struct SchemaSet {
    files: Vec<File>,
    catalogue: Catalogue,
    messages: Vec<MessageSchema>,
    consent: Checker,
    agreement: Checker,
}

impl SchemaSet {
    /// Compiles the built-in schemas.
    pub fn builtin() -> Result<Self, SchemaError> {
        Self::compile(FILES.iter().map(|(kind, ver, bytes)| File::new(kind, ver, bytes)).collect())
    }

    fn compile(files: Vec<File>) -> Result<Self, SchemaError> {
        let mut shelf = Shelf::of(&files);
        let catalogue = Catalogue::compile(&mut shelf)?;
        let mut messages = Vec::new();
        for file in &files {
            if let Ok(kind) = file.kind.parse() {
                messages.push(MessageSchema::compile(kind, file, &mut shelf, &catalogue)?);
            }
        }
        let (consent, agreement) = (claims("consent", &mut shelf)?, claims("agreement", &mut shelf)?);
        Ok(Self { files, catalogue, messages, consent, agreement })
    }

    /// Every published version.
    pub fn published(&self) -> impl Iterator<Item = Published<'_>> {
        self.files.iter().map(|file| Published { kind: file.kind, id: &file.id, ver: file.ver, sha256: file.sha256 })
    }

    /// The exact bytes of a published version.
    #[must_use]
    pub fn bytes(&self, kind: &str, ver: &str) -> Option<&'static [u8]> {
        self.files.iter().find(|file| file.kind == kind && file.ver == ver).map(|file| file.bytes)
    }

    /// The field catalogue.
    #[must_use]
    pub const fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// The schema that a message's `sch` claim names. `schema_unknown` when there is no such schema, `schema_mismatch` when it is another
    /// kind's or its digest differs.
    pub fn for_message(&self, kind: MessageKind, id: &str, ver: &str, sha256: &Digest) -> Result<&MessageSchema, RefusalCode> {
        let named = self.messages.iter().find(|schema| schema.id == id && schema.ver == ver).ok_or(RefusalCode::SchemaUnknown)?;
        if named.kind == kind && named.sha256 == *sha256 { Ok(named) } else { Err(RefusalCode::SchemaMismatch) }
    }

    /// The message schemas.
    pub fn messages(&self) -> impl Iterator<Item = &MessageSchema> {
        self.messages.iter()
    }

    /// What is wrong with the claims of a consent. Violations name claims of the schema; others are only counted.
    #[must_use]
    pub fn check_consent(&self, claims: &Value) -> Vec<Violation> {
        violations_of_claims(&self.consent, claims, "consent")
    }

    /// What is wrong with an agreement document. What passes can be read as `domain::agreement::Agreement`.
    #[must_use]
    pub fn check_agreement(&self, document: &Value) -> Vec<Violation> {
        violations_of_claims(&self.agreement, document, "agreement")
    }
}

impl std::fmt::Debug for SchemaSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.published()).finish()
    }
}

/// The schema of one message kind: the form of its body and the class of each row.
pub struct MessageSchema {
    kind: MessageKind,
    id: String,
    ver: &'static str,
    sha256: Digest,
    rows: Vec<Row>,
    index: BTreeMap<FieldKey, usize>,
    anonymity: Anonymity,
    /// What the file says of a body as a whole: which rows there may and must be, and what one row asks of another.
    whole: Checker,
    /// What the catalogue says of each row: [`Document::rows`] has seen that the file says nothing else.
    forms: Arc<Checker>,
}

impl MessageSchema {
    fn compile(kind: MessageKind, file: &File, shelf: &mut Shelf<'_>, catalogue: &Catalogue) -> Result<Self, SchemaError> {
        let document = Document::read(file.kind, file.bytes)?;
        let whole = shelf.checker(file, &document, &without_forms(json(file)?), document.names())?;
        let rows = document.rows(kind, catalogue)?;
        let index = rows.iter().map(|row| row.key.clone()).zip(0..).collect();
        let anonymity = Anonymity::of(kind, document.anonymity)?;
        Ok(Self { kind, id: file.id.clone(), ver: file.ver, sha256: file.sha256, rows, index, anonymity, whole, forms: catalogue.forms() })
    }

    /// The message kind.
    #[must_use]
    pub const fn kind(&self) -> MessageKind {
        self.kind
    }

    /// Id, version and digest, as a `sch` claim names them.
    #[must_use]
    pub fn published(&self) -> Published<'_> {
        Published { kind: self.kind.as_str(), id: &self.id, ver: self.ver, sha256: self.sha256 }
    }

    /// The class of a row, or nothing for a key that is not in the catalogue.
    #[must_use]
    pub fn class_of(&self, key: &FieldKey) -> Option<FieldClass> {
        self.row(key).map(|row| row.class)
    }

    /// One row of the catalogue.
    #[must_use]
    pub fn row(&self, key: &FieldKey) -> Option<&Row> {
        self.index.get(key).and_then(|position| self.rows.get(*position))
    }

    /// The rows in the order of the catalogue.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// What is wrong with a body's form: one violation per row and broken keyword, in the order of the catalogue. Rows outside the catalogue are
    /// one violation of `body`, `unknown_rows:<number>`; a body that is no object is a violation of `body` too.
    #[must_use]
    pub fn check(&self, body: &Value) -> Vec<Violation> {
        violations_of_rows(&self.whole.faults_with_forms(&self.forms, body), &self.rows)
    }

    /// How much a message of this kind may tell of a person who is not named; empty where the kind is not anonymous.
    #[must_use]
    pub fn anonymity(&self) -> &[AnonymityTerm] {
        self.anonymity.terms()
    }

    /// What rules beyond the form a body breaks that was sent at a moment. For a body whose form was checked.
    #[must_use]
    pub fn check_rules(&self, body: &Value, sent: Timestamp) -> Findings {
        let mut found = rules::findings(&self.rows, body, sent);
        found.violations.extend(self.anonymity.violations(&self.rows, body, sent));
        found
    }

    /// Whether who receives it must not learn who the person is.
    #[must_use]
    pub const fn is_anonymous(&self) -> bool {
        anonymity::is_demanded(self.kind)
    }

    /// Why several bodies of this kind must not go to one reader, the last of them sent at a moment: together they tell too much.
    #[must_use]
    pub fn check_together(&self, bodies: &[Value], sent: Timestamp) -> Option<Violation> {
        self.anonymity.violation_together(&self.rows, bodies, sent)
    }
}

impl std::fmt::Debug for MessageSchema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.published().fmt(f)
    }
}

/// One embedded file.
struct File {
    kind: &'static str,
    ver: &'static str,
    id: String,
    bytes: &'static [u8],
    sha256: Digest,
}

impl File {
    fn new(kind: &'static str, ver: &'static str, bytes: &'static [u8]) -> Self {
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
        Self { kind, ver, id: format!("urn:tsunagi:schema:{kind}"), bytes, sha256: Digest(sha256) }
    }

    fn urn(&self) -> String {
        format!("{}:{}", self.id, self.ver)
    }
}

fn json(file: &File) -> Result<Value, SchemaError> {
    serde_json::from_slice(file.bytes).map_err(|e| SchemaError::Malformed { kind: file.kind, reason: e.to_string() })
}

/// A message's schema with its rows named and their forms left to the catalogue: compiled anew for each message they would be most of the start.
fn without_forms(mut schema: Value) -> Value {
    for row in schema.get_mut("properties").and_then(Value::as_object_mut).into_iter().flat_map(serde_json::Map::values_mut) {
        *row = true.into();
    }
    schema
}

fn claims(kind: &'static str, shelf: &mut Shelf<'_>) -> Result<Checker, SchemaError> {
    let file = shelf.file(kind)?;
    let document = Document::read(kind, file.bytes)?;
    shelf.checker(file, &document, &json(file)?, document.names())
}

fn violations_of_rows(faults: &Faults, rows: &[Row]) -> Vec<Violation> {
    let mut found = faults.of_whole("body", "unknown_rows");
    let broken = faults.named.iter().filter_map(|(position, rule)| rows.get(*position).map(|row| (row, rule)));
    found.extend(broken.map(|(row, rule)| Violation::of_row(&row.key, row.class, rule.clone())));
    found
}

fn violations_of_claims(checker: &Checker, value: &Value, whole: &str) -> Vec<Violation> {
    let faults = checker.faults(value);
    let mut found = faults.of_whole(whole, "unknown_claims");
    let claims = faults.named.iter().filter_map(|(position, rule)| checker.name(*position).map(|name| (name, rule)));
    found.extend(claims.map(|(name, rule)| Violation { field: name.to_owned(), rule: rule.clone(), class: None }));
    found.extend(my_number::in_claims(value, |name| checker.knows(name)));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The built-in set with one text of one file replaced once.
    fn changed(changed: &str, from: &str, to: &str) -> Result<SchemaSet, SchemaError> {
        let files = FILES.iter().map(|(kind, ver, bytes)| {
            if *kind != changed {
                return File::new(kind, ver, bytes);
            }
            let text = std::str::from_utf8(bytes).unwrap();
            assert!(text.contains(from), "{from}");
            File::new(kind, ver, text.replacen(from, to, 1).into_bytes().leak())
        });
        SchemaSet::compile(files.collect())
    }

    #[test]
    fn a_schema_that_pins_other_bytes_does_not_compile() {
        let digest = |kind: &str| SchemaSet::builtin().unwrap().published().find(|p| p.kind == kind).unwrap().sha256.to_string();
        let other = Digest([7; 32]).to_string();
        for (kind, pinned) in [("catalogue", "codes"), ("catalogue", "common"), ("referral", "catalogue"), ("consent", "codes")] {
            let urn = format!("urn:tsunagi:schema:{pinned}:1.0.0");
            let error = changed(kind, &digest(pinned), &other);
            assert!(matches!(error, Err(SchemaError::Pin { pinned, .. }) if pinned == urn), "{kind} {pinned}");
            let later = urn.replace("1.0.0", "2.0.0");
            assert!(
                matches!(changed(kind, &format!("{urn}\": "), &format!("{later}\": ")), Err(SchemaError::Pin { .. })),
                "{kind} {pinned}"
            );
        }
    }

    #[test]
    fn a_body_is_judged_as_the_published_file_judges_it() {
        let files: Vec<File> = FILES.iter().map(|(kind, ver, bytes)| File::new(kind, ver, bytes)).collect();
        let mut shelf = Shelf::of(&files);
        let set = SchemaSet::builtin().unwrap();
        for schema in set.messages() {
            let file = shelf.file(schema.kind.as_str()).unwrap();
            let document = Document::read(file.kind, file.bytes).unwrap();
            let published = shelf.checker(file, &document, &json(file).unwrap(), document.names()).unwrap();
            let path = format!("{}/schemas/examples/{}.json", env!("CARGO_MANIFEST_DIR"), schema.kind);
            let example: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
            let mut bodies =
                vec![example.clone(), Value::Null, serde_json::json!({}), serde_json::json!({"no_such_row": 1, "my_number": 1})];
            for row in &schema.rows {
                for wrong in ["?".into(), serde_json::json!([{"?": 1}])] {
                    let mut body = example.clone();
                    body[row.key.as_str()] = wrong;
                    bodies.push(body);
                }
                let mut body = example.clone();
                body.as_object_mut().unwrap().remove(row.key.as_str());
                bodies.push(body);
            }
            for body in bodies {
                assert_eq!(schema.check(&body), violations_of_rows(&published.faults(&body), &schema.rows), "{}: {body}", schema.kind);
            }
        }
    }

    #[test]
    fn a_kind_that_concerns_nobody_takes_no_row_about_a_person() {
        let (from, to) = ("\"referral\",\n        \"supplement\"", "\"training_notice\",\n        \"supplement\"");
        let error = changed(
            "catalogue",
            &format!("\"x-tsunagi-kinds\": [\n        {from},\n        \"correction\",\n        \"placement_request\""),
            &format!("\"x-tsunagi-kinds\": [\n        {to},\n        \"correction\",\n        \"placement_request\""),
        );
        assert!(matches!(&error, Err(SchemaError::Malformed { reason, .. }) if reason.contains("training_notice")), "{error:?}");
    }

    #[test]
    fn an_anonymous_kind_has_terms_in_order_and_takes_no_row_that_says_who() {
        let said = |error: Result<SchemaSet, SchemaError>, what: &str| match error {
            Err(SchemaError::Malformed { reason, .. }) => assert!(reason.contains(what), "{reason}"),
            other => panic!("{other:?}"),
        };
        said(changed("enquiry", "\"x-tsunagi-anonymity\"", "\"x-anonymity\""), "all of them");
        let terms = "\"x-tsunagi-anonymity\": [";
        said(changed("enquiry", "\"quasi_values\"", "\"values\""), "values");
        let later = format!("{terms}{{\"from\": \"2027-01-01\", \"quasi_values\": 5, \"verified\": true, \"note\": \"x\"}}, ");
        said(changed("enquiry", terms, &later), "order of their days");
        said(
            changed(
                "referral",
                "\"type\": \"object\"",
                &format!(
                    "{terms}{{\"from\": \"2027-01-01\", \"quasi_values\": 5, \"verified\": true, \"note\": \"x\"}}], \"type\": \"object\""
                ),
            ),
            "belongs to kinds",
        );
        said(changed("catalogue", "\"x-tsunagi-class\": \"minimal\"", "\"x-tsunagi-class\": \"wishes\""), "enquiry");
        said(
            changed(
                "catalogue",
                "\"x-tsunagi-ident\": \"Q\",\n      \"x-tsunagi-consent-text\": \"あなたの年代",
                "\"x-tsunagi-ident\": \"D\",\n      \"x-tsunagi-consent-text\": \"あなたの年代",
            ),
            "enquiry",
        );
    }

    #[test]
    fn a_reference_to_a_schema_that_is_not_pinned_does_not_compile() {
        let urgency = "codes:1.0.0#/$defs/urgency";
        assert!(matches!(changed("catalogue", urgency, "consent:1.0.0#/properties/how"), Err(SchemaError::Compile { .. })));
        assert!(matches!(changed("catalogue", urgency, "codes:1.0.0#/$defs/urgent"), Err(SchemaError::Compile { .. })));
    }

    #[test]
    fn a_row_without_its_annotations_does_not_compile() {
        for annotation in ["class", "special", "ident", "consent-text", "retention-months", "carried", "kinds", "basis"] {
            let (from, to) = (format!("\"x-tsunagi-{annotation}\": "), format!("\"x-other-{annotation}\": "));
            assert!(matches!(changed("catalogue", &from, &to), Err(SchemaError::Malformed { .. })), "{annotation}");
        }
        for (from, to) in [
            // Not the title of the whole catalogue, which stands before the rows and is spelt alike.
            ("\"x-tsunagi-title-en\": \"Message id\"", "\"x-other\": \"Message id\""),
            ("\"x-tsunagi-class\": \"routing\"", "\"x-tsunagi-class\": \"rooting\""),
            ("\"x-tsunagi-carried\": \"body\"", "\"x-tsunagi-carried\": \"somehow\""),
            ("\"x-tsunagi-carried\": \"body\"", "\"x-tsunagi-carried\": \"never\""),
            ("\"x-tsunagi-special\": true", "\"x-tsunagi-special\": false"),
            ("\"not_in_future\"", "\"not_in_past\""),
            ("\"check_digit\"", "\"check_digits\""),
            ("\"urgency\": {", "\"Urgency\": {"),
            ("\"desired_reply_by\": {", "\"urgency\": {"),
        ] {
            assert!(matches!(changed("catalogue", from, to), Err(SchemaError::Malformed { .. })), "{from}");
        }
    }

    #[test]
    fn a_message_takes_a_row_only_under_its_own_name_and_only_if_it_may_carry_it() {
        for (from, to) in [
            ("$defs/urgency\"", "$defs/desired_reply_by\""),
            ("\"urgency\": {", "\"urgent\": {"),
            ("\"urgency\": {", "\"Urgency\": {"),
            ("\"desired_reply_by\": {", "\"urgency\": {"),
            ("$defs/urgency\"", "$defs/urgency\", \"x-tsunagi-class\": \"task\""),
            (
                "\"urgency\": {\n      \"$ref\": \"urn:tsunagi:schema:catalogue:1.0.0#/$defs/urgency",
                "\"handover_date\": {\n      \"$ref\": \"urn:tsunagi:schema:catalogue:1.0.0#/$defs/handover_date",
            ),
            (
                "\"urgency\": {\n      \"$ref\": \"urn:tsunagi:schema:catalogue:1.0.0#/$defs/urgency",
                "\"photo\": {\n      \"$ref\": \"urn:tsunagi:schema:catalogue:1.0.0#/$defs/photo",
            ),
        ] {
            assert!(matches!(changed("referral", from, to), Err(SchemaError::Malformed { .. })), "{from}");
        }
        assert!(matches!(changed("referral", "schema:referral:1.0.0", "schema:referral:1.0.1"), Err(SchemaError::Id("referral"))));
    }
}
