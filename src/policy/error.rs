//! Why a policy set does not load. Policy files hold no personal data, so reasons may quote them.

/// A fault in the policy files.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// A file cannot be read.
    #[error("{file}: cannot be read")]
    Unreadable {
        /// The file, relative to the policy directory.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// A file the set needs is not there.
    #[error("{0}: is missing")]
    Missing(&'static str),
    /// A file nobody would read.
    #[error("{0}: is not a file of a policy set")]
    Unexpected(String),
    /// Not Cedar, not TOML, or not of the expected shape.
    #[error("{file}: {reason}")]
    Syntax {
        /// The file.
        file: String,
        /// What the parser says.
        reason: String,
    },
    /// A closed list differs between the policy files and the program.
    #[error("{file}: the list {list} is not the program's: {difference}")]
    List {
        /// The file.
        file: &'static str,
        /// The list.
        list: &'static str,
        /// Codes that only one side has.
        difference: String,
    },
    /// The Cedar schema has something besides closed lists and the one action.
    #[error("disclosure.cedarschema: {0}")]
    Schema(String),
    /// Two policies with one id.
    #[error("{0}: two policies have this id")]
    DuplicateId(String),
    /// A policy without a proper id; named by file and position.
    #[error("{file}: policy {position} has no id of the form X-00")]
    NoId {
        /// The file.
        file: String,
        /// Position in the file, from 1.
        position: usize,
    },
    /// A policy says too little about itself.
    #[error("{id}: @{annotation} is missing")]
    NoAnnotation {
        /// The policy.
        id: String,
        /// The annotation.
        annotation: &'static str,
    },
    /// `N-` policies permit, all others forbid.
    #[error("{0}: permits must be called N-.., prohibitions otherwise")]
    Effect(String),
    /// Templates are policies that something outside could fill in.
    #[error("{0}: templates are not allowed")]
    Template(String),
    /// Cedar's strict validation found faults.
    #[error("strict validation: {}", .0.join("; "))]
    Invalid(Vec<String>),
}
