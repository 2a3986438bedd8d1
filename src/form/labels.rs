//! Japanese names of codes, as the code lists of the schemas publish them.

use std::collections::HashMap;

use serde::Deserialize;

use super::offer::FormError;
use crate::message::schema::SchemaSet;

/// Names of the codes of every list.
pub struct Labels {
    lists: HashMap<String, List>,
}

#[derive(Deserialize)]
struct List {
    #[serde(rename = "oneOf", default)]
    codes: Vec<Code>,
}

#[derive(Deserialize)]
struct Code {
    #[serde(rename = "const", default)]
    code: String,
    #[serde(default)]
    title: String,
}

impl Labels {
    /// The lists this program publishes.
    pub fn builtin() -> Result<Self, FormError> {
        #[derive(Deserialize)]
        struct Document {
            #[serde(rename = "$defs")]
            lists: HashMap<String, List>,
        }
        let wrong = || FormError::Labels;
        let schemas = SchemaSet::builtin().map_err(|_| wrong())?;
        let codes = schemas.published().filter(|schema| schema.kind == CODES).last().ok_or_else(wrong)?;
        let bytes = schemas.bytes(CODES, codes.ver).ok_or_else(wrong)?;
        let document: Document = serde_json::from_slice(bytes).map_err(|_| wrong())?;
        Ok(Self { lists: document.lists })
    }

    /// The name of a code of a list.
    pub fn of(&self, list: &'static str, code: &str) -> Result<&str, FormError> {
        let codes = self.lists.get(list).map_or(&[][..], |list| &list.codes);
        let found = codes.iter().find(|known| known.code == code && !known.title.is_empty());
        found.map(|known| known.title.as_str()).ok_or_else(|| FormError::NoLabel(list, code.to_owned()))
    }
}

const CODES: &str = "codes";
