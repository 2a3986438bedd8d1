//! Where a schema finds what it refers to: exactly the files it pins, so that a reference to any other does not resolve. Most messages pin the same
//! files, which are read once for all of them.

use std::collections::BTreeMap;

use jsonschema::Registry;
use serde_json::Value;

use super::{File, SchemaError, document::Document, faults::Checker, formats, json};
use crate::domain::digest::Digest;

/// The files, and what was made of those that are pinned together.
pub(super) struct Shelf<'a> {
    files: &'a [File],
    made: Vec<(BTreeMap<String, Digest>, Registry<'static>)>,
}

impl<'a> Shelf<'a> {
    pub(super) const fn of(files: &'a [File]) -> Self {
        Self { files, made: Vec::new() }
    }

    /// The newest file of a kind.
    pub(super) fn file(&self, kind: &'static str) -> Result<&'a File, SchemaError> {
        self.files.iter().rfind(|file| file.kind == kind).ok_or(SchemaError::Id(kind))
    }

    /// Compiles a file, or a value made of it, against exactly the schemas that the file pins.
    pub(super) fn checker(&mut self, file: &File, document: &Document, schema: &Value, names: Vec<String>) -> Result<Checker, SchemaError> {
        if document.id != file.urn() {
            return Err(SchemaError::Id(file.kind));
        }
        let registry = self.registry(file, &document.refs)?;
        let validator = formats::options().with_registry(registry).build(schema).map_err(|e| wrong(file, &e.to_string()))?;
        Ok(Checker::new(validator, names))
    }

    fn registry(&mut self, file: &File, refs: &BTreeMap<String, Digest>) -> Result<&Registry<'static>, SchemaError> {
        if !self.made.iter().any(|(known, _)| known == refs) {
            let mut registry = Registry::new();
            for (urn, sha256) in refs {
                let pinned = self.files.iter().find(|other| other.urn() == *urn && other.sha256 == *sha256);
                let pinned = pinned.ok_or_else(|| SchemaError::Pin { kind: file.kind, pinned: urn.clone() })?;
                registry = registry.add(urn, json(pinned)?).map_err(|e| wrong(file, &e.to_string()))?;
            }
            let registry = registry.prepare().map_err(|e| wrong(file, &e.to_string()))?;
            self.made.push((refs.clone(), registry));
        }
        let made = self.made.iter().find(|(known, _)| known == refs);
        made.map(|(_, registry)| registry).ok_or(SchemaError::Id(file.kind))
    }
}

fn wrong(file: &File, reason: &str) -> SchemaError {
    SchemaError::Compile { kind: file.kind, reason: reason.to_owned() }
}
