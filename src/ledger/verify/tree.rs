//! The tree of an export, recomputed twice in one pass: from the entries and from the stored leaf hashes. Where the two differ, the one that leads to
//! the signed root tells which file was changed.

use std::io;

use super::{
    files::{Files, Whole, whole},
    report::{Problem, Problems},
};
use crate::{
    text::audit::Finding,
    tlog::{
        Checkpoint, Frontier, FullTile, Hash, RightEdge, TILE_WIDTH, TileId, TileRow, TlogError, decode_bundle, decode_tile, empty_root,
        encode_tile, leaf_hash,
    },
};

/// A tree that grows leaf by leaf and compares the stored tiles above the leaves with its own.
#[derive(Debug, Default)]
struct Lane {
    edge: RightEdge,
    frontier: Frontier,
    /// Stored tiles that are not what this lane gives.
    wrong: Vec<(Finding, String)>,
    kept_root: Option<Hash>,
    /// A leaf hash was not there and another lane's was taken.
    borrowed: bool,
}

impl Lane {
    fn push(&mut self, files: &dyn Files, leaf: Hash, kept: Option<u64>) -> io::Result<()> {
        let full = self.edge.push(leaf).map_err(invalid)?;
        self.frontier.push(leaf).map_err(invalid)?;
        for FullTile { id, hashes } in full {
            self.compare(files, id, &hashes)?;
        }
        if kept == Some(self.frontier.size()) {
            self.kept_root = Some(self.frontier.root());
        }
        Ok(())
    }

    /// Compares a stored tile above the leaves. The leaf hashes themselves are compared one by one.
    fn compare(&mut self, files: &dyn Files, id: TileId, hashes: &[Hash]) -> io::Result<()> {
        if id.row() == TileRow::Hashes(0) {
            return Ok(());
        }
        let path = id.to_string();
        let finding = match whole(files, &path, TILE_BYTES)? {
            Whole::Bytes(bytes) if bytes == encode_tile(hashes) => return Ok(()),
            Whole::Bytes(bytes) if bytes.len() == hashes.len() * Hash::LEN => Finding::TileChanged,
            Whole::Bytes(_) | Whole::TooLong => Finding::FileLength,
            Whole::Absent => Finding::FileMissing,
        };
        self.wrong.push((finding, path));
        Ok(())
    }
}

/// The leaves of one bundle, in order; none: could not be read.
pub(super) type Leaves = Vec<Option<Vec<u8>>>;

/// The tree of an export.
pub(super) struct Tree<'a> {
    files: &'a dyn Files,
    size: u64,
    kept: Option<u64>,
    entries: Lane,
    stored: Lane,
    /// Where entry and stored leaf hash differ. Bounded: beyond that many the list of problems is full anyway.
    differ: Vec<u64>,
    /// Neither entry nor leaf hash is there: what follows cannot be placed.
    broken: bool,
    /// The tree before the bundle that was read last, and the hashes of its entries: for roots within it.
    before: Frontier,
    bundle: Vec<Hash>,
}

impl<'a> Tree<'a> {
    /// A tree of this size; `kept` is the size of an older checkpoint to compare with.
    pub(super) fn new(files: &'a dyn Files, size: u64, kept: Option<u64>) -> Self {
        let lane = || Lane { kept_root: (kept == Some(0)).then(empty_root), ..Lane::default() };
        Self {
            files,
            size,
            kept,
            entries: lane(),
            stored: lane(),
            differ: Vec::new(),
            broken: false,
            before: Frontier::new(),
            bundle: Vec::new(),
        }
    }

    /// The root of the entries before one of the bundle that was read last.
    pub(super) fn root_before(&self, index: u64) -> Option<Hash> {
        let mut frontier = self.before.clone();
        let count = usize::try_from(index.checked_sub(frontier.size())?).ok()?;
        for hash in self.bundle.get(..count)? {
            frontier.push(*hash).ok()?;
        }
        Some(frontier.root())
    }

    /// The next bundle of entries, hashed and compared. None: the tree is complete, or nothing further can be placed.
    pub(super) fn next(&mut self, problems: &mut Problems) -> io::Result<Option<(u64, Leaves)>> {
        let first = self.entries.frontier.size();
        let Some(width) = self.size.checked_sub(first).filter(|rest| *rest > 0 && !self.broken) else { return Ok(None) };
        let width = u16::try_from(width).unwrap_or(TILE_WIDTH).min(TILE_WIDTH);
        let at = |row| TileId::new(row, first / u64::from(TILE_WIDTH), width);
        let (Some(bundle), Some(tile)) = (at(TileRow::Entries), at(TileRow::Hashes(0))) else { return Ok(None) };
        let leaves = self.bundle(bundle, first, problems)?;
        let hashes = self.leaf_tile(tile, problems)?;
        self.before = self.entries.frontier.clone();
        self.bundle.clear();
        for (index, (leaf, stored)) in (first..).zip(leaves.iter().zip(hashes)) {
            let hash = leaf.as_deref().map(leaf_hash);
            if let (Some(hash), Some(stored)) = (hash, stored)
                && hash != stored
                && self.differ.len() < MOST_DIFFERENCES
            {
                self.differ.push(index);
            }
            let (Some(from_entry), Some(from_tile)) = (hash.or(stored), stored.or(hash)) else {
                self.broken = true;
                break;
            };
            self.entries.borrowed |= hash.is_none();
            self.stored.borrowed |= stored.is_none();
            self.bundle.push(from_entry);
            self.entries.push(self.files, from_entry, self.kept)?;
            self.stored.push(self.files, from_tile, self.kept)?;
        }
        Ok(Some((first, leaves)))
    }

    /// Compares the root with the signed one, and with the older checkpoint, and says which files are wrong.
    pub(super) fn finish(mut self, signed: &Checkpoint, kept: Option<&Checkpoint>, problems: &mut Problems) -> io::Result<()> {
        if self.broken {
            // The first entry that is missing was named.
            return Ok(());
        }
        for lane in [&mut self.entries, &mut self.stored] {
            let partial: Vec<(TileId, Vec<Hash>)> = lane.edge.partial().map(|(id, hashes)| (id, hashes.to_vec())).collect();
            for (id, hashes) in partial {
                lane.compare(self.files, id, &hashes)?;
            }
        }
        let right = |lane: &Lane| lane.frontier.root() == signed.root();
        let (by_entries, by_tiles) = (right(&self.entries), right(&self.stored));
        let finding = match (by_entries, by_tiles) {
            (true, _) => Finding::TileChanged,
            (false, true) => Finding::EntryChanged,
            (false, false) => Finding::EntryOrTileChanged,
        };
        for index in &self.differ {
            let tile = TileId::new(TileRow::Hashes(0), index / u64::from(TILE_WIDTH), self.width_at(*index));
            let path = tile.filter(|_| finding == Finding::TileChanged).map(|tile| tile.to_string());
            problems.add(Problem { finding, index: Some(*index), path });
        }
        if !by_entries && !by_tiles {
            problems.whole(Finding::RootMismatch);
        }
        let lane = if by_tiles && !by_entries { self.stored } else { self.entries };
        for (finding, path) in &lane.wrong {
            problems.file(*finding, path);
        }
        if let Some(kept) = kept
            && lane.kept_root.is_some_and(|root| root != kept.root())
        {
            problems.whole(Finding::HistoryForked);
        }
        Ok(())
    }

    fn width_at(&self, index: u64) -> u16 {
        let first = index - index % u64::from(TILE_WIDTH);
        u16::try_from(self.size.saturating_sub(first)).unwrap_or(TILE_WIDTH).min(TILE_WIDTH)
    }

    /// The entries of a bundle. What breaks off is named by the first index that cannot be read.
    fn bundle(&self, id: TileId, first: u64, problems: &mut Problems) -> io::Result<Leaves> {
        let path = id.to_string();
        let width = usize::from(id.width());
        let mut trouble = |finding, good: usize| {
            let index = u64::try_from(good).ok().and_then(|good| first.checked_add(good));
            problems.add(Problem { finding, index, path: Some(path.clone()) });
        };
        let bytes = match whole(self.files, &path, BUNDLE_BYTES)? {
            Whole::Bytes(bytes) => bytes,
            Whole::Absent => {
                trouble(Finding::FileMissing, 0);
                return Ok(vec![None; width]);
            }
            Whole::TooLong => {
                trouble(Finding::FileLength, 0);
                return Ok(vec![None; width]);
            }
        };
        if let Ok(entries) = decode_bundle(&bytes, id.width()) {
            return Ok(entries.into_iter().map(|entry| Some(entry.to_vec())).collect());
        }
        let mut leaves: Leaves = readable(&bytes).take(width).map(|entry| Some(entry.to_vec())).collect();
        trouble(Finding::EntryUnreadable, leaves.len());
        leaves.resize(width, None);
        Ok(leaves)
    }

    fn leaf_tile(&self, id: TileId, problems: &mut Problems) -> io::Result<Vec<Option<Hash>>> {
        let path = id.to_string();
        let finding = match whole(self.files, &path, TILE_BYTES)? {
            Whole::Bytes(bytes) => match decode_tile(&bytes, id.width()) {
                Ok(hashes) => return Ok(hashes.into_iter().map(Some).collect()),
                Err(_) => Finding::FileLength,
            },
            Whole::TooLong => Finding::FileLength,
            Whole::Absent => Finding::FileMissing,
        };
        problems.file(finding, &path);
        Ok(vec![None; usize::from(id.width())])
    }
}

/// Entries as far as they can be read.
fn readable(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (len, after) = rest.split_first_chunk()?;
        let (entry, after) = after.split_at_checked(u16::from_be_bytes(*len).into())?;
        rest = after;
        Some(entry)
    })
}

/// A tree of 2^64 leaves: no file can have given that many.
fn invalid(error: TlogError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

const MOST_DIFFERENCES: usize = 1024;
const TILE_BYTES: u64 = TILE_WIDTH as u64 * Hash::LEN as u64;
/// 256 entries of 65,535 bytes, each after its length.
const BUNDLE_BYTES: u64 = TILE_WIDTH as u64 * (2 + 65_535);
