//! What the program reads out of a schema file besides the rules: its id, its pins, and its rows in the order of the file.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::Value;

use super::{
    SchemaError,
    anonymity::AnonymityTerm,
    catalogue::{Carried, Catalogue, Row},
};
use crate::domain::{codes::MessageKind, digest::Digest, party::PartyKind};

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
    #[serde(rename = "$defs", default)]
    pub(super) defs: InOrder,
    #[serde(rename = "x-tsunagi-anonymity", default)]
    pub(super) anonymity: Vec<AnonymityTerm>,
}

impl Document {
    pub(super) fn read(kind: &'static str, bytes: &[u8]) -> Result<Self, SchemaError> {
        serde_json::from_slice(bytes).map_err(|e| SchemaError::Malformed { kind, reason: e.to_string() })
    }

    /// Names of the top-level properties, in the order of the file.
    pub(super) fn names(&self) -> Vec<String> {
        self.properties.0.iter().map(|(name, _)| name.clone()).collect()
    }

    /// The rows of a message's body: every property refers to the row of its own name, and the catalogue lets this kind carry it.
    pub(super) fn rows(&self, kind: MessageKind, catalogue: &Catalogue) -> Result<Vec<Row>, SchemaError> {
        let row = |(name, schema): &(String, Value)| {
            let wrong = |reason: String| SchemaError::Malformed { kind: kind.as_str(), reason: format!("row {name}: {reason}") };
            let use_of = RowUse::deserialize(schema).map_err(|e| wrong(e.to_string()))?;
            let key = name.parse().map_err(|_| wrong("is not a catalogue key".to_owned()))?;
            let row = catalogue.row(&key).ok_or_else(|| wrong("is not in the catalogue".to_owned()))?;
            if use_of.reference != catalogue.reference(&key) {
                return Err(wrong("is not the row of this name".to_owned()));
            }
            if row.carried != Carried::Body || !row.kinds.contains(&kind) {
                return Err(wrong("does not travel in this kind".to_owned()));
            }
            Ok(Row { required: self.required.contains(name), needed_by: use_of.needed_by, ..row.clone() })
        };
        self.properties.0.iter().map(row).collect()
    }
}

/// What a message's schema says of a row besides its name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RowUse {
    #[serde(rename = "$ref")]
    reference: String,
    #[serde(rename = "x-tsunagi-needed-by", default)]
    needed_by: Vec<PartyKind>,
}

/// An object whose members keep the order of the file, each name once.
#[derive(Default)]
pub(super) struct InOrder(pub(super) Vec<(String, Value)>);

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
