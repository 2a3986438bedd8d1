//! Writing a sandbox's files: never over existing ones, private ones readable by their owner only.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use crate::cli::CliError;

/// A folder that was empty when we came.
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Creates the folder, or takes an empty one.
    pub(super) fn create(path: &Path) -> Result<Self, CliError> {
        if path.exists() {
            let mut inside = fs::read_dir(path).map_err(|e| CliError::Io(path.display().to_string(), e))?;
            if inside.next().is_some() {
                let path = path.display();
                return Err(CliError::usage(
                    format!("{path} is not empty: name a new folder"),
                    format!("{path} は空ではありません。新しいフォルダーを指定してください"),
                ));
            }
        }
        make(path)?;
        let path = path.canonicalize().map_err(|e| CliError::Io(path.display().to_string(), e))?;
        Ok(Self(path))
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// A folder inside.
    pub(super) fn sub(&self, name: &str) -> Result<Self, CliError> {
        let path = self.0.join(name);
        make(&path)?;
        Ok(Self(path))
    }

    /// A file that everybody may read.
    pub(super) fn public(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, CliError> {
        self.write(name, bytes, 0o644)
    }

    /// A file for its owner only.
    pub(super) fn private(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, CliError> {
        self.write(name, bytes, 0o600)
    }

    fn write(&self, name: &str, bytes: &[u8], mode: u32) -> Result<PathBuf, CliError> {
        let path = self.0.join(name);
        let failed = |error| CliError::Io(path.display().to_string(), error);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&path).map_err(failed)?;
        file.write_all(bytes).map_err(failed)?;
        Ok(path)
    }
}

fn make(path: &Path) -> Result<(), CliError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|e| CliError::Io(path.display().to_string(), e))
}
