//! The files of a policy set: embedded, or from a directory. One digest over all that decides or names; prose (`*.md`) and what is rendered are
//! not part of it.

use std::{collections::BTreeMap, path::Path};

use aws_lc_rs::digest;

use super::{catalogue::CodeList, error::PolicyError};
use crate::domain::digest::Digest;

/// File texts by name, sorted by name.
pub(super) struct Source {
    files: BTreeMap<String, String>,
}

impl Source {
    /// The set this program was built with.
    pub(super) fn builtin() -> Self {
        Self { files: BUILTIN.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect() }
    }

    /// The set in a directory. A file or folder in an unexpected place is refused rather than ignored, and each file of the built-in set must be there:
    /// a directory that lost its prohibitions is no policy set. More `.cedar` files may be added.
    pub(super) fn read(dir: &Path) -> Result<Self, PolicyError> {
        let mut files = BTreeMap::new();
        for (folder, prefix) in [(dir.to_path_buf(), ""), (dir.join("catalogue"), "catalogue/")] {
            let unreadable = |source| PolicyError::Unreadable { file: if prefix.is_empty() { "." } else { prefix }.to_owned(), source };
            for entry in std::fs::read_dir(&folder).map_err(unreadable)? {
                let entry = entry.map_err(unreadable)?;
                let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
                let passed_over = if entry.path().is_dir() {
                    prefix.is_empty() && FOLDERS.contains(&name.as_str())
                } else {
                    has_extension(&name, "md") || name == GOLDEN
                };
                if passed_over {
                    continue;
                }
                let known = prefix.is_empty() && has_extension(&name, "cedar") || BUILTIN.iter().any(|(known, _)| *known == name);
                let expected = entry.path().is_file() && known;
                if !expected {
                    return Err(PolicyError::Unexpected(name));
                }
                let text =
                    std::fs::read_to_string(entry.path()).map_err(|source| PolicyError::Unreadable { file: name.clone(), source })?;
                files.insert(name, text);
            }
        }
        match BUILTIN.iter().find(|(name, _)| !files.contains_key(*name)) {
            Some((name, _)) => Err(PolicyError::Missing(name)),
            None => Ok(Self { files }),
        }
    }

    /// SHA-256 over the sorted files, each as length and bytes of its name and length and bytes of its text.
    pub(super) fn digest(&self) -> Digest {
        let mut context = digest::Context::new(&digest::SHA256);
        for part in self.files.iter().flat_map(|(name, text)| [name, text]) {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        let mut bytes = [0; 32];
        bytes.copy_from_slice(context.finish().as_ref());
        Digest(bytes)
    }

    /// The text of a file every set has.
    pub(super) fn text(&self, name: &'static str) -> Result<&str, PolicyError> {
        self.files.get(name).map(String::as_str).ok_or(PolicyError::Missing(name))
    }

    /// The policy files in order.
    pub(super) fn policies(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().filter(|(name, _)| has_extension(name, "cedar")).map(|(name, text)| (name.as_str(), text.as_str()))
    }
}

fn has_extension(name: &str, extension: &str) -> bool {
    Path::new(name).extension().is_some_and(|found| found == extension)
}

pub(super) const SCHEMA: &str = "disclosure.cedarschema";
pub(super) const CLASSES: &str = "catalogue/classes.toml";
pub(super) const BASES: &str = "catalogue/legal_basis.toml";
pub(super) const CODES: &[(CodeList, &str)] = &[
    (CodeList::OrgKind, "catalogue/org_kinds.toml"),
    (CodeList::Purpose, "catalogue/purposes.toml"),
    (CodeList::MessageKind, "catalogue/message_types.toml"),
    (CodeList::Relation, "catalogue/relations.toml"),
    (CodeList::AgreementState, "catalogue/agreement_states.toml"),
    (CodeList::ConsentState, "catalogue/consent_states.toml"),
];
/// Folders of a set: the catalogue, which is read by itself, and what tests the policies, which is no part of the set.
const FOLDERS: &[&str] = &["catalogue", "scenarios"];
/// Rendered from the policies like the `*.md` files, and like them no part of the set.
const GOLDEN: &str = "matrix.golden.csv";
pub(super) const CONSENT: &str = "catalogue/consent.toml";
pub(super) const ADDONS: &str = "catalogue/addon_rules.toml";

const BUILTIN: &[(&str, &str)] = &[
    (SCHEMA, include_str!("../../policies/disclosure.cedarschema")),
    ("10_necessity.cedar", include_str!("../../policies/10_necessity.cedar")),
    ("20_prohibition.cedar", include_str!("../../policies/20_prohibition.cedar")),
    ("30_agreement.cedar", include_str!("../../policies/30_agreement.cedar")),
    ("40_consent.cedar", include_str!("../../policies/40_consent.cedar")),
    ("50_operation.cedar", include_str!("../../policies/50_operation.cedar")),
    (CLASSES, include_str!("../../policies/catalogue/classes.toml")),
    (BASES, include_str!("../../policies/catalogue/legal_basis.toml")),
    ("catalogue/org_kinds.toml", include_str!("../../policies/catalogue/org_kinds.toml")),
    ("catalogue/purposes.toml", include_str!("../../policies/catalogue/purposes.toml")),
    ("catalogue/message_types.toml", include_str!("../../policies/catalogue/message_types.toml")),
    ("catalogue/relations.toml", include_str!("../../policies/catalogue/relations.toml")),
    ("catalogue/agreement_states.toml", include_str!("../../policies/catalogue/agreement_states.toml")),
    ("catalogue/consent_states.toml", include_str!("../../policies/catalogue/consent_states.toml")),
    (CONSENT, include_str!("../../policies/catalogue/consent.toml")),
    (ADDONS, include_str!("../../policies/catalogue/addon_rules.toml")),
];
