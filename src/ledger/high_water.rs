//! The high-water mark: the newest signed head this gateway showed, in a file outside the database (`ledger.md` section 5).
//!
//! Promises: a head is in the file before anybody is shown it; of two slots written in turn, a torn write spoils only the one it was for; what is read
//! back counts only with its check and the ledger's own signature. One process holds the file at a time. Writing is one small write into the page
//! cache, so the end of the process or of the database loses nothing; the file is flushed about once a second and at the end, so the end of the
//! operating system may lose the last second.
//! Not here: comparing it with the ledger ([`super::heads`]). Whoever can put back both the database and this file is caught by others who kept a
//! head, not by this.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Write as _},
    os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::{
    domain::digest::Digest,
    tlog::{Checkpoint, TlogError, VerifierKey, open_checkpoint},
};

/// The mark of one gateway, held by this process.
#[derive(Debug)]
pub struct HighWater {
    path: PathBuf,
    file: File,
    newest: Mutex<Newest>,
    /// Whether something was written since the last flush.
    dirty: AtomicBool,
}

/// What the file holds.
#[derive(Debug)]
struct Newest {
    head: Checkpoint,
    slot: Slot,
}

/// Why a mark cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HighWaterError {
    /// There is none.
    #[error("{path}: there is no high-water mark", path = .0.display())]
    Missing(PathBuf),
    /// There is one already.
    #[error("{path}: there is a high-water mark already", path = .0.display())]
    Exists(PathBuf),
    /// Neither slot holds a note that this ledger's key signed.
    #[error("{path}: the high-water mark cannot be read", path = .0.display())]
    Spoilt(PathBuf),
    /// The mark of a ledger of another name.
    #[error("{path}: the high-water mark is of the ledger {origin}", path = path.display())]
    OtherOrigin {
        /// The file.
        path: PathBuf,
        /// The name in it.
        origin: String,
    },
    /// Another process holds it.
    #[error("{path}: another gateway holds this high-water mark; each needs its own `ledger.high_water`", path = .0.display())]
    Held(PathBuf),
    /// The file cannot be read or written.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Reads a mark without holding it.
///
/// # Errors
/// When there is none, or it is not of this key.
pub fn read_mark(path: &Path, key: &VerifierKey) -> Result<Checkpoint, HighWaterError> {
    let file = existing(path, OpenOptions::new().read(true))?;
    newest(path, &file, key).map(|newest| newest.head)
}

/// The note in a mark, whichever ledger's it is and whoever signed it: for the record of a break.
///
/// # Errors
/// When there is none or neither slot passes its check.
pub fn mark_note(path: &Path) -> Result<String, HighWaterError> {
    let file = existing(path, OpenOptions::new().read(true))?;
    let notes = slots(path, &file)?.into_iter().map(|(_, note)| note);
    notes.max_by_key(|note| claimed(note).map_or(0, |head| head.size())).ok_or_else(|| HighWaterError::Spoilt(path.to_owned()))
}

/// Gives a mark another name beside its own, for keeping. Gives that name.
///
/// # Errors
/// When it cannot be renamed.
pub fn set_aside(path: &Path) -> Result<PathBuf, HighWaterError> {
    let failed = |source| HighWaterError::File { path: path.to_owned(), source };
    for number in 1..=MOST_ASIDE {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{number}.old"));
        match std::fs::hard_link(path, &name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(error)),
            Ok(()) => {
                std::fs::remove_file(path).and_then(|()| sync_folder(path)).map_err(failed)?;
                return Ok(name.into());
            }
        }
    }
    Err(HighWaterError::Exists(path.to_owned()))
}

impl HighWater {
    /// Takes hold of an existing mark.
    ///
    /// # Errors
    /// When there is none, another process holds it, or it is not of this key.
    pub fn open(path: &Path, key: &VerifierKey) -> Result<Self, HighWaterError> {
        let file = existing(path, OpenOptions::new().read(true).write(true))?;
        hold(path, &file)?;
        let newest = newest(path, &file, key)?;
        Ok(Self { path: path.to_owned(), file, newest: Mutex::new(newest), dirty: AtomicBool::new(false) })
    }

    /// Makes a mark with its first note; durable when it returns. Never writes over one.
    ///
    /// # Errors
    /// When there is one already, or it cannot be written.
    pub fn create(path: &Path, note: &str, key: &VerifierKey) -> Result<Self, HighWaterError> {
        let failed = |source| HighWaterError::File { path: path.to_owned(), source };
        let mut unfinished = path.as_os_str().to_owned();
        unfinished.push(".new");
        let unfinished = PathBuf::from(unfinished);
        // Emptied only when it is held: until then it may be another's, or by now its mark.
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&unfinished).map_err(failed)?;
        hold(path, &file)?;
        if !is_still(&file, &unfinished).map_err(failed)? {
            return Err(HighWaterError::Held(path.to_owned()));
        }
        file.set_len(0).map_err(failed)?;
        let whole = [slot_of(note).ok_or_else(|| HighWaterError::Spoilt(path.to_owned()))?, vec![0; SLOT]].concat();
        file.write_all(&whole).and_then(|()| file.sync_all()).map_err(failed)?;
        // A link, because a name that is there already must stay what it is. A crash before it leaves a file that the next attempt takes over.
        let linked = std::fs::hard_link(&unfinished, path);
        std::fs::remove_file(&unfinished).map_err(failed)?;
        linked.map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => HighWaterError::Exists(path.to_owned()),
            _ => failed(source),
        })?;
        sync_folder(path).map_err(failed)?;
        let newest = newest(path, &file, key)?;
        Ok(Self { path: path.to_owned(), file, newest: Mutex::new(newest), dirty: AtomicBool::new(false) })
    }

    /// The newest head that was shown.
    #[must_use]
    pub fn head(&self) -> Checkpoint {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).head.clone()
    }

    /// Remembers a signed head before it is shown. One that is no larger than the newest is there already.
    pub(super) fn remember(&self, head: &Checkpoint, note: &str) -> Result<(), HighWaterError> {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if head.size() <= newest.head.size() {
            return Ok(());
        }
        let slot = newest.slot.other();
        let bytes = slot_of(note).ok_or_else(|| HighWaterError::Spoilt(self.path.clone()))?;
        // If this is torn, the other slot still holds the head before, and nobody was shown this one.
        self.file.write_all_at(&bytes, slot.offset()).map_err(|source| HighWaterError::File { path: self.path.clone(), source })?;
        *newest = Newest { head: head.clone(), slot };
        self.dirty.store(true, Ordering::Release);
        Ok(())
    }

    /// Flushes what was written since the last time.
    pub(super) fn flush(&self) -> io::Result<()> {
        if !self.dirty.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        self.file.sync_data().inspect_err(|_| self.dirty.store(true, Ordering::Release))
    }

    /// Flushes every second, away from the threads that serve connections, as long as somebody holds the mark.
    pub(super) async fn keep_flushed(mark: Weak<Self>) {
        let mut second = tokio::time::interval(FLUSH);
        second.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            second.tick().await;
            let Some(mark) = mark.upgrade() else { return };
            if mark.dirty.load(Ordering::Acquire) {
                flush(mark).await;
            }
        }
    }
}

/// Flushes a mark on a thread that may wait.
pub(super) async fn flush(mark: Arc<HighWater>) {
    let path = mark.path.clone();
    let flushed = tokio::task::spawn_blocking(move || mark.flush()).await.map_err(io::Error::other).and_then(|done| done);
    if let Err(error) = flushed {
        // The next second tries again. Until then only the end of the operating system could lose it.
        tracing::error!(file = %path.display(), %error, "the high-water mark could not be flushed");
    }
}

/// One of the two places of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    First,
    Second,
}

impl Slot {
    const fn offset(self) -> u64 {
        match self {
            Self::First => 0,
            Self::Second => SLOT as u64,
        }
    }

    const fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }
}

/// A slot's bytes: a title, the digest of the note, the note, zeros. None: the note is too long, which no note of one signature is.
fn slot_of(note: &str) -> Option<Vec<u8>> {
    let mut bytes = format!("{TITLE}{}\n{note}", Digest::of(note.as_bytes())).into_bytes();
    if bytes.len() > SLOT || note.contains('\0') {
        return None;
    }
    bytes.resize(SLOT, 0);
    Some(bytes)
}

/// The note of a slot that passes its check.
fn note_of(slot: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(slot).ok()?.trim_end_matches('\0');
    let (check, note) = text.strip_prefix(TITLE)?.split_once('\n')?;
    (check == Digest::of(note.as_bytes()).to_string()).then(|| note.to_owned())
}

fn slots(path: &Path, file: &File) -> Result<Vec<(Slot, String)>, HighWaterError> {
    let mut found = Vec::new();
    for slot in [Slot::First, Slot::Second] {
        let mut bytes = vec![0; SLOT];
        match file.read_exact_at(&mut bytes, slot.offset()) {
            Ok(()) => found.extend(note_of(&bytes).map(|note| (slot, note))),
            // A file that was cut off has lost what stood behind the cut.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
            Err(source) => return Err(HighWaterError::File { path: path.to_owned(), source }),
        }
    }
    Ok(found)
}

fn newest(path: &Path, file: &File, key: &VerifierKey) -> Result<Newest, HighWaterError> {
    let mut newest: Option<Newest> = None;
    for (slot, note) in slots(path, file)? {
        let head = match open_checkpoint(&note, key) {
            Ok(head) => head,
            Err(TlogError::NotSigned | TlogError::Origin) => match claimed(&note) {
                Some(other) if other.origin() != key.name().as_str() => {
                    return Err(HighWaterError::OtherOrigin { path: path.to_owned(), origin: other.origin().to_owned() });
                }
                _ => continue,
            },
            Err(_) => continue,
        };
        if newest.as_ref().is_none_or(|known| head.size() > known.head.size()) {
            newest = Some(Newest { head, slot });
        }
    }
    newest.ok_or_else(|| HighWaterError::Spoilt(path.to_owned()))
}

/// What a note says, whoever signed it.
fn claimed(note: &str) -> Option<Checkpoint> {
    let (text, _) = note.split_once("\n\n")?;
    Checkpoint::parse(&format!("{text}\n")).ok()
}

fn existing(path: &Path, how: &OpenOptions) -> Result<File, HighWaterError> {
    how.open(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => HighWaterError::Missing(path.to_owned()),
        _ => HighWaterError::File { path: path.to_owned(), source },
    })
}

/// The lock goes with the process, however it ends.
fn hold(path: &Path, file: &File) -> Result<(), HighWaterError> {
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => HighWaterError::Held(path.to_owned()),
        TryLockError::Error(source) => HighWaterError::File { path: path.to_owned(), source },
    })
}

/// Whether a name still belongs to an open file.
fn is_still(file: &File, name: &Path) -> io::Result<bool> {
    let open = file.metadata()?;
    match std::fs::metadata(name) {
        Ok(named) => Ok((named.dev(), named.ino()) == (open.dev(), open.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Makes the name of a new file durable.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    File::open(folder)?.sync_all()
}

const TITLE: &str = "tsunagi high-water mark 1\n";
/// A page, so that writing one slot cannot touch the other.
const SLOT: usize = 4096;
const MOST_ASIDE: u32 = 1000;
const FLUSH: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use zeroize::Zeroizing;

    use super::*;
    use crate::tlog::{NoteSigner, leaf_hash};

    const ORIGIN: &str = "ledger.example/tsunagi";

    fn signer(origin: &str, seed: u8) -> NoteSigner {
        NoteSigner::from_seed(origin.parse().unwrap(), &Zeroizing::new([seed; 32])).unwrap()
    }

    fn head(origin: &str, size: u64) -> Checkpoint {
        Checkpoint::new(origin, size, leaf_hash(&size.to_be_bytes())).unwrap()
    }

    fn note(size: u64) -> String {
        head(ORIGIN, size).sign(&signer(ORIGIN, 5)).unwrap()
    }

    /// A folder with a mark that was moved on through these sizes.
    fn marked(sizes: &[u64]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gw.high-water");
        let mark = HighWater::create(&path, &note(1), signer(ORIGIN, 5).verifier()).unwrap();
        for size in sizes {
            mark.remember(&head(ORIGIN, *size), &note(*size)).unwrap();
        }
        mark.flush().unwrap();
        (folder, path)
    }

    fn reads(path: &Path) -> Result<u64, HighWaterError> {
        read_mark(path, signer(ORIGIN, 5).verifier()).map(|head| head.size())
    }

    fn spoil(path: &Path, at: u64) {
        OpenOptions::new().write(true).open(path).unwrap().write_all_at(b"#", at).unwrap();
    }

    #[test]
    fn a_mark_that_another_makes_meanwhile_is_neither_emptied_nor_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gw.high-water");
        let unfinished = folder.path().join("gw.high-water.new");
        let other = OpenOptions::new().create_new(true).write(true).open(&unfinished).unwrap();
        other.try_lock().unwrap();
        other.write_all_at(b"theirs", 0).unwrap();
        let made = HighWater::create(&path, &note(1), signer(ORIGIN, 5).verifier());
        assert!(matches!(made, Err(HighWaterError::Held(_))), "{made:?}");
        assert_eq!(std::fs::read(&unfinished).unwrap(), b"theirs");
        // It crashed: what it left is taken over.
        drop(other);
        HighWater::create(&path, &note(1), signer(ORIGIN, 5).verifier()).unwrap();
        assert_eq!((reads(&path).unwrap(), unfinished.exists()), (1, false));
    }

    #[test]
    fn the_newest_head_is_read_back_whichever_slot_it_is_in() {
        for sizes in [&[][..], &[2], &[2, 3], &[2, 3, 900]] {
            let (_folder, path) = marked(sizes);
            let newest = sizes.last().copied().unwrap_or(1);
            assert_eq!(reads(&path).unwrap(), newest);
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            let held = HighWater::open(&path, signer(ORIGIN, 5).verifier()).unwrap();
            assert_eq!(held.head(), head(ORIGIN, newest));
            held.remember(&head(ORIGIN, newest + 1), &note(newest + 1)).unwrap();
            assert_eq!(reads(&path).unwrap(), newest + 1);
            held.remember(&head(ORIGIN, newest), &note(newest)).unwrap();
            assert_eq!(reads(&path).unwrap(), newest + 1, "it never goes back");
        }
    }

    #[test]
    fn a_torn_write_leaves_the_head_before() {
        for (sizes, newest_slot) in [(&[7][..], 1), (&[7, 8], 0)] {
            for at in [0, 40, 200] {
                let (_folder, path) = marked(sizes);
                spoil(&path, newest_slot * 4096 + at);
                let before = if sizes.len() == 1 { 1 } else { 7 };
                assert_eq!(reads(&path).unwrap(), before, "slot {newest_slot} at {at}");
                // And the next head goes where the torn one was.
                let held = HighWater::open(&path, signer(ORIGIN, 5).verifier()).unwrap();
                held.remember(&head(ORIGIN, 9), &note(9)).unwrap();
                assert_eq!(reads(&path).unwrap(), 9);
            }
        }
        let (_folder, path) = marked(&[7]);
        OpenOptions::new().write(true).open(&path).unwrap().set_len(5000).unwrap();
        assert_eq!(reads(&path).unwrap(), 1, "a file that was cut off");
    }

    #[test]
    fn a_mark_that_says_nothing_certain_is_refused() {
        let (folder, path) = marked(&[7]);
        spoil(&path, 30);
        spoil(&path, 4096 + 30);
        assert!(matches!(reads(&path), Err(HighWaterError::Spoilt(_))));
        std::fs::write(&path, b"").unwrap();
        assert!(matches!(reads(&path), Err(HighWaterError::Spoilt(_))));
        assert!(matches!(reads(&folder.path().join("none")), Err(HighWaterError::Missing(_))));
    }

    #[test]
    fn the_mark_of_another_ledger_or_key_does_not_count() {
        let (_folder, path) = marked(&[7]);
        let other = read_mark(&path, signer("other.example/ledger", 5).verifier());
        assert!(matches!(other, Err(HighWaterError::OtherOrigin { origin, .. }) if origin == ORIGIN));
        assert!(matches!(read_mark(&path, signer(ORIGIN, 6).verifier()), Err(HighWaterError::Spoilt(_))), "signed by another key");
        assert_eq!(mark_note(&path).unwrap(), note(7));
    }

    #[test]
    fn one_process_holds_a_mark_and_nobody_makes_a_second() {
        let (folder, path) = marked(&[7]);
        let key = signer(ORIGIN, 5).verifier().clone();
        let held = HighWater::open(&path, &key).unwrap();
        assert!(matches!(HighWater::open(&path, &key), Err(HighWaterError::Held(_))));
        assert_eq!(reads(&path).unwrap(), 7, "reading it needs no hold");
        drop(held);
        assert!(matches!(HighWater::create(&path, &note(9), &key), Err(HighWaterError::Exists(_))));
        assert_eq!(reads(&path).unwrap(), 7);
        let aside = set_aside(&path).unwrap();
        assert_eq!((reads(&aside).unwrap(), path.exists()), (7, false));
        drop(HighWater::create(&path, &note(9), &key).unwrap());
        assert_ne!(set_aside(&path).unwrap(), aside);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing unfinished is left");
    }
}
