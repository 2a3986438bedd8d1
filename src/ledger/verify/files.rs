//! The files of an export, wherever they are. A folder on disk, or bytes in memory.
//!
//! Promises: only regular files are opened, never a link, a pipe or a device; nothing is read beyond the limit its reader names.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufRead, BufReader, Read as _},
    path::{Path, PathBuf},
};

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// Anything else that is no folder: a link, a pipe, a device; or a folder too deep to be looked into.
    Other,
}

/// Files by their path relative to the export, with `/` between names.
pub trait Files {
    /// Opens a regular file; none: it is not there.
    fn open(&self, path: &str) -> io::Result<Option<Box<dyn BufRead + '_>>>;

    /// Names everything that is not a folder, in any order.
    fn visit(&self, each: &mut dyn FnMut(&str, Kind)) -> io::Result<()>;
}

/// A folder on disk.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

impl Folder {
    /// The export in this folder.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }
}

impl Files for Folder {
    fn open(&self, path: &str) -> io::Result<Option<Box<dyn BufRead + '_>>> {
        let path = self.0.join(path);
        // A folder whose own name is a link may be verified; a link inside it may not.
        match path.symlink_metadata() {
            Ok(found) if found.is_file() => Ok(Some(Box::new(BufReader::new(File::open(path)?)))),
            Ok(_) => Ok(None),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn visit(&self, each: &mut dyn FnMut(&str, Kind)) -> io::Result<()> {
        let mut open = vec![(self.0.clone(), String::new(), 0_u8)];
        while let Some((folder, prefix, depth)) = open.pop() {
            for entry in folder.read_dir()? {
                let entry = entry?;
                let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
                let kind = entry.file_type()?;
                if kind.is_dir() && depth < DEEPEST {
                    open.push((entry.path(), format!("{path}/"), depth + 1));
                } else {
                    each(&path, if kind.is_file() { Kind::File } else { Kind::Other });
                }
            }
        }
        Ok(())
    }
}

impl Files for BTreeMap<String, Vec<u8>> {
    fn open(&self, path: &str) -> io::Result<Option<Box<dyn BufRead + '_>>> {
        Ok(self.get(path).map(|bytes| -> Box<dyn BufRead> { Box::new(bytes.as_slice()) }))
    }

    fn visit(&self, each: &mut dyn FnMut(&str, Kind)) -> io::Result<()> {
        for path in self.keys() {
            each(path, Kind::File);
        }
        Ok(())
    }
}

/// What reading a whole file gave.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Whole {
    Absent,
    TooLong,
    Bytes(Vec<u8>),
}

/// Reads a file of at most `limit` bytes.
pub(super) fn whole(files: &dyn Files, path: &str, limit: u64) -> io::Result<Whole> {
    let Some(reader) = files.open(path)? else { return Ok(Whole::Absent) };
    let mut bytes = Vec::new();
    reader.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    let fits = u64::try_from(bytes.len()).is_ok_and(|len| len <= limit);
    Ok(if fits { Whole::Bytes(bytes) } else { Whole::TooLong })
}

/// Tile paths of 64-bit indexes have at most nine elements.
const DEEPEST: u8 = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_beyond_the_limit_is_not_read() {
        let files = BTreeMap::from([("a".to_owned(), vec![0; 10])]);
        assert_eq!(whole(&files, "a", 10).unwrap(), Whole::Bytes(vec![0; 10]));
        assert_eq!(whole(&files, "a", 9).unwrap(), Whole::TooLong);
        assert_eq!(whole(&files, "b", 9).unwrap(), Whole::Absent);
    }

    #[test]
    fn a_folder_gives_its_regular_files_only() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("tile/0")).unwrap();
        std::fs::write(folder.path().join("tile/0/000"), b"x").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("tile/0/000", folder.path().join("link")).unwrap();
        let files = Folder::new(folder.path());
        let mut seen = Vec::new();
        files.visit(&mut |path, kind| seen.push((path.to_owned(), kind))).unwrap();
        seen.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(seen.last(), Some(&("tile/0/000".to_owned(), Kind::File)));
        #[cfg(unix)]
        assert_eq!(seen.first(), Some(&("link".to_owned(), Kind::Other)));
        assert!(files.open("link").unwrap().is_none() || cfg!(not(unix)));
        assert!(files.open("tile").unwrap().is_none());
        assert!(files.open("tile/0/000/none").unwrap().is_none());
        assert_eq!(whole(&files, "tile/0/000", 1).unwrap(), Whole::Bytes(b"x".to_vec()));
    }
}
