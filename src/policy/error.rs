//! Why a policy set does not load. Policy files hold no personal data, so reasons may quote them.

use crate::{domain::addon::RuleFault, text::policy::PolicyFault};

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
    /// `N-` and `O-` policies permit, all others forbid.
    #[error("{0}: permits must be called N-.. or O-.., prohibitions otherwise")]
    Effect(String),
    /// A policy about no action, several, or another than its id announces.
    #[error("{0}: must be about one action: O-.. and X-.. about an operation, all others about disclose")]
    Action(String),
    /// A condition that tests something else than a member of the key against codes of its list.
    #[error("{id}: {what} is not a test of one member against codes of its closed list")]
    Form {
        /// The policy.
        id: String,
        /// What is not understood.
        what: String,
    },
    /// Two policies with one title.
    #[error("{first} and {second}: two policies have this title")]
    SameTitle {
        /// One of them.
        first: String,
        /// The other.
        second: String,
    },
    /// A layer without a policy.
    #[error("{0}: has no policy")]
    EmptyLayer(&'static str),
    /// A state of an agreement or a consent in which its layer lets something through.
    #[error("{layer}: no policy withholds everything that {state} must withhold")]
    Unguarded {
        /// The file of the layer.
        layer: &'static str,
        /// The state.
        state: &'static str,
    },
    /// The rules of the add-ons contradict each other or say too little.
    #[error("{file}: {}", rows(.faults))]
    Addons {
        /// The file.
        file: String,
        /// What is wrong, in the order of the rows.
        faults: Vec<RuleFault>,
    },
    /// Templates are policies that something outside could fill in.
    #[error("{0}: templates are not allowed")]
    Template(String),
    /// Cedar's strict validation found faults.
    #[error("strict validation: {}", .0.join("; "))]
    Invalid(Vec<String>),
}

impl PolicyError {
    /// What sort of fault it is: the word under which it is explained, with its remedy.
    #[must_use]
    pub const fn fault(&self) -> PolicyFault {
        match self {
            Self::Unreadable { .. } => PolicyFault::Unreadable,
            Self::Missing(_) => PolicyFault::Missing,
            Self::Unexpected(_) => PolicyFault::Unexpected,
            Self::Syntax { .. } => PolicyFault::Syntax,
            Self::List { .. } => PolicyFault::List,
            Self::Schema(_) => PolicyFault::Schema,
            Self::DuplicateId(_) => PolicyFault::DuplicateId,
            Self::NoId { .. } => PolicyFault::NoId,
            Self::NoAnnotation { .. } => PolicyFault::NoAnnotation,
            Self::Effect(_) => PolicyFault::Effect,
            Self::Action(_) => PolicyFault::Action,
            Self::Form { .. } => PolicyFault::Form,
            Self::SameTitle { .. } => PolicyFault::SameTitle,
            Self::EmptyLayer(_) => PolicyFault::EmptyLayer,
            Self::Unguarded { .. } => PolicyFault::Unguarded,
            Self::Addons { .. } => PolicyFault::Addons,
            Self::Template(_) => PolicyFault::Template,
            Self::Invalid(_) => PolicyFault::Invalid,
        }
    }
}

fn rows(faults: &[RuleFault]) -> String {
    let told = faults.iter().map(|RuleFault { row, what }| if *row == 0 { (*what).to_owned() } else { format!("rule {row} {what}") });
    told.collect::<Vec<_>>().join("; ")
}
