//! Exports of the ledger: a folder that foreign tools read as it is, lines of JSON, or a table (`ledger.md` section 6).
//!
//! Promises: what is written is exactly the entries and openings that were handed over, in their order; the folder has the C2SP `tlog-tiles` layout and
//! every hash in it was computed here from the entries. Not here: fetching, and any claim that it is right ([`super::verify`] checks it).

pub mod layout;

mod folder;
mod table;

pub use self::{
    folder::FolderWriter,
    table::{CsvWriter, JsonLines},
};

/// Why an export could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A file could not be written; its path within the export.
    #[error("{0}")]
    File(String, #[source] std::io::Error),
    /// An entry does not fit into a bundle, or the tree is full.
    #[error(transparent)]
    Tree(#[from] crate::tlog::TlogError),
    /// A value has no JSON form.
    #[error("not a JSON value")]
    Json,
    /// The checkpoint speaks of another number of entries or of another root than what was written.
    #[error("the checkpoint does not belong to these entries")]
    Checkpoint,
}
