//! The export as a folder: checkpoint, hash tiles, entry bundles, openings, key, README.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use super::{ExportError, layout};
use crate::{
    text::audit::EXPORT_README,
    tlog::{
        Frontier, FullTile, Hash, RightEdge, TILE_WIDTH, TileId, TileRow, VerifierKey, encode_bundle, encode_tile, leaf_hash,
        open_checkpoint,
    },
};

/// Writes an export entry by entry. Its memory is one bundle and the right edge of the tree.
#[derive(Debug)]
pub struct FolderWriter {
    folder: PathBuf,
    edge: RightEdge,
    frontier: Frontier,
    /// Entries of the bundle that is not full yet.
    bundle: Vec<Vec<u8>>,
    openings: BufWriter<File>,
}

impl FolderWriter {
    /// Starts an export in a new folder that only its owner can read: entries and openings are personal data.
    pub fn create(folder: &Path) -> Result<Self, ExportError> {
        new_folder(folder).map_err(|error| ExportError::File(String::new(), error))?;
        let openings = new_file(&folder.join(layout::OPENINGS)).map_err(|error| ExportError::File(layout::OPENINGS.to_owned(), error))?;
        Ok(Self {
            folder: folder.to_owned(),
            edge: RightEdge::new(),
            frontier: Frontier::new(),
            bundle: Vec::new(),
            openings: BufWriter::new(openings),
        })
    }

    /// Number of entries so far.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// The root of the entries so far.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.frontier.root()
    }

    /// Appends an entry, with its opening as the audit API gives it (null: none, or erased).
    pub fn push(&mut self, leaf: &[u8], opened: &Value) -> Result<(), ExportError> {
        let line = serde_json::to_string(&json!({"index": self.size(), "opened": opened})).map_err(|_| ExportError::Json)?;
        writeln!(self.openings, "{line}").map_err(|error| ExportError::File(layout::OPENINGS.to_owned(), error))?;
        let hash = leaf_hash(leaf);
        let full = self.edge.push(hash)?;
        self.frontier.push(hash)?;
        self.bundle.push(leaf.to_vec());
        if self.bundle.len() == usize::from(TILE_WIDTH) {
            self.write_bundle()?;
        }
        for FullTile { id, hashes } in full {
            self.write(&id.to_string(), &encode_tile(&hashes))?;
        }
        Ok(())
    }

    /// Writes what is left and last of all the checkpoint, which must be signed by this key for exactly these entries.
    pub fn finish(mut self, checkpoint: &str, key: &VerifierKey) -> Result<(), ExportError> {
        let signed = open_checkpoint(checkpoint, key)?;
        if signed.size() != self.size() || signed.root() != self.root() {
            return Err(ExportError::Checkpoint);
        }
        if !self.bundle.is_empty() {
            self.write_bundle()?;
        }
        for (id, hashes) in self.edge.partial() {
            self.write(&id.to_string(), &encode_tile(hashes))?;
        }
        self.openings.flush().map_err(|error| ExportError::File(layout::OPENINGS.to_owned(), error))?;
        self.write(layout::VKEY, layout::vkey_file(key).as_bytes())?;
        self.write(layout::README, EXPORT_README.as_bytes())?;
        self.write(layout::CHECKPOINT, checkpoint.as_bytes())
    }

    fn write_bundle(&mut self) -> Result<(), ExportError> {
        let entries = std::mem::take(&mut self.bundle);
        let width = u16::try_from(entries.len()).unwrap_or(TILE_WIDTH);
        let index = (self.size() - 1) / u64::from(TILE_WIDTH);
        let id = TileId::new(TileRow::Entries, index, width).ok_or(crate::tlog::TlogError::Bundle)?;
        self.write(&id.to_string(), &encode_bundle(entries)?)
    }

    fn write(&self, path: &str, bytes: &[u8]) -> Result<(), ExportError> {
        let write = || {
            let full = self.folder.join(path);
            if let Some(parent) = full.parent() {
                folder_builder().recursive(true).create(parent)?;
            }
            new_file(&full)?.write_all(bytes)
        };
        write().map_err(|error| ExportError::File(path.to_owned(), error))
    }
}

fn folder_builder() -> DirBuilder {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// A new folder, or an empty one that is there.
fn new_folder(folder: &Path) -> io::Result<()> {
    match folder_builder().create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && fs::read_dir(folder)?.next().is_none() => Ok(()),
        other => other,
    }
}

/// A new file that only its owner can read.
pub(super) fn new_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
