//! What the program reads out of a schema file besides the rules: its id, its pins, and the catalogue rows in the order of the file.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::Value;

use super::SchemaError;
use crate::domain::{
    codes::closed_list,
    digest::Digest,
    field::{FieldClass, FieldKey},
    party::PartyKind,
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

/// One row of the field catalogue: one member of a message body.
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
    /// How far it identifies a person.
    pub ident: Ident,
    /// A body without it is not valid.
    pub required: bool,
    /// Kinds of readers that cannot do their work without it.
    pub needed_by: Vec<PartyKind>,
}

/// The parts of a schema file that the program itself reads.
#[derive(Deserialize)]
pub(super) struct Document {
    #[serde(rename = "$id")]
    pub(super) id: String,
    #[serde(rename = "x-tsunagi-refs", default)]
    pub(super) refs: BTreeMap<String, Digest>,
    #[serde(default)]
    required: Vec<String>,
    #[serde(default)]
    properties: InOrder,
}

impl Document {
    pub(super) fn read(kind: &'static str, bytes: &[u8]) -> Result<Self, SchemaError> {
        serde_json::from_slice(bytes).map_err(|e| SchemaError::Malformed { kind, reason: e.to_string() })
    }

    /// Names of the top-level properties, in the order of the file.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.properties.0.iter().map(|(name, _)| name.as_str())
    }

    /// The catalogue rows; every property must be one.
    pub(super) fn rows(&self, kind: &'static str) -> Result<Vec<Row>, SchemaError> {
        let row = |(name, schema): &(String, Value)| {
            let wrong = |reason: String| SchemaError::Malformed { kind, reason: format!("row {name}: {reason}") };
            let key = name.parse().map_err(|_| wrong("is not a catalogue key".to_owned()))?;
            let about = Annotations::deserialize(schema).map_err(|e| wrong(e.to_string()))?;
            Ok(Row {
                key,
                class: about.class,
                title_ja: about.title,
                title_en: about.title_en,
                consent_text: about.consent_text,
                special: about.special,
                ident: about.ident,
                required: self.required.contains(name),
                needed_by: about.needed_by,
            })
        };
        self.properties.0.iter().map(row).collect()
    }
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
    #[serde(rename = "x-tsunagi-ident")]
    ident: Ident,
    #[serde(rename = "x-tsunagi-consent-text")]
    consent_text: String,
    #[serde(rename = "x-tsunagi-needed-by", default)]
    needed_by: Vec<PartyKind>,
}

/// An object whose members keep the order of the file, each name once.
#[derive(Default)]
struct InOrder(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for InOrder {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = InOrder;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<InOrder, A::Error> {
                let mut members: Vec<(String, Value)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if members.iter().any(|(known, _)| *known == name) {
                        return Err(A::Error::custom(format!("{name} stands twice")));
                    }
                    members.push((name, value));
                }
                Ok(InOrder(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}
