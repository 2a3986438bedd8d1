//! Files that commands make: never over one that is there.

use std::{fs::OpenOptions, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path};

use super::CliError;

/// Writes a new file.
pub(super) fn write(file: &Path, bytes: &[u8], mode: u32) -> Result<(), CliError> {
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => CliError::usage(
            format!("{} is there already: name a new file", file.display()),
            format!("{} はすでにあります。新しい名前を指定してください", file.display()),
        ),
        _ => CliError::Io(file.display().to_string(), error),
    };
    let mut new = OpenOptions::new().write(true).create_new(true).mode(mode).open(file).map_err(failed)?;
    new.write_all(bytes).map_err(failed)
}

/// For everybody.
pub(super) const PUBLIC: u32 = 0o644;
/// What says things of a person.
pub(super) const PRIVATE: u32 = 0o600;
