//! Tiles: the static files by which a log is read (C2SP tlog-tiles). Paths, contents, and which tiles a tree of a given size has.
//!
//! A partial tile is a prefix of the full one, so each width up to what the tree holds can be served, whatever size it was asked for.

use std::fmt;

use super::hash::Hash;
use super::node::Node;
use super::{TlogError, decimal};

/// Hashes, or entries, in a full tile.
pub const TILE_WIDTH: u16 = 256;

/// Levels of the tree between a tile and the one above it.
pub(super) const TILE_HEIGHT: u8 = 8;

/// What a tile holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TileRow {
    /// The log entries themselves (an "entry bundle").
    Entries,
    /// Hashes of this tile level: 0 holds leaf hashes, each level above the roots of the full tiles below.
    Hashes(u8),
}

/// One tile: its row, its number within the row, and how many hashes or entries of it exist. Its text form is its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    row: TileRow,
    index: u64,
    width: u16,
}

impl TileId {
    /// A full tile. `None`: no such level.
    #[must_use]
    pub fn full(row: TileRow, index: u64) -> Option<Self> {
        Self::new(row, index, TILE_WIDTH)
    }

    /// A tile of 1 to 256 hashes or entries; 256 is a full one. `None`: no such level or width.
    #[must_use]
    pub fn new(row: TileRow, index: u64, width: u16) -> Option<Self> {
        let level_exists = matches!(row, TileRow::Entries | TileRow::Hashes(0..=MAX_LEVEL));
        (level_exists && (1..=TILE_WIDTH).contains(&width)).then_some(Self { row, index, width })
    }

    /// Reads a path such as `tile/1/x001/x234/067.p/3` or `tile/entries/000`.
    pub fn parse(path: &str) -> Result<Self, TlogError> {
        Self::read(path).filter(|tile| tile.to_string() == path).ok_or(TlogError::TilePath)
    }

    /// What it holds.
    #[must_use]
    pub const fn row(&self) -> TileRow {
        self.row
    }

    /// Its number within the row.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// How many hashes or entries.
    #[must_use]
    pub const fn width(&self) -> u16 {
        self.width
    }

    /// Has it all the hashes or entries that fit? Full tiles never change.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.width == TILE_WIDTH
    }

    /// Does a tree of `size` leaves hold all of this tile?
    #[must_use]
    pub fn is_within(&self, size: u64) -> bool {
        let end = self.index.checked_mul(TILE_WIDTH.into()).and_then(|first| first.checked_add(self.width.into()));
        end.is_some_and(|end| end <= self.row.len(size))
    }

    /// The nodes whose hashes a hash tile holds, in order; for an entry bundle, the leaves it holds. Empty if the tile is in no tree.
    pub fn nodes(self) -> impl Iterator<Item = Node> {
        let level = self.row.node_level().filter(|_| self.is_within(u64::MAX));
        let first = self.index.wrapping_mul(TILE_WIDTH.into());
        level.into_iter().flat_map(move |level| (first..first + u64::from(self.width)).map(move |index| Node { level, index }))
    }

    fn read(path: &str) -> Option<Self> {
        // Seven path elements already exceed 64 bits; the length bound keeps what is only compared short.
        let rest = path.strip_prefix("tile/").filter(|rest| rest.len() <= MAX_PATH)?;
        let (row, rest) = rest.split_once('/')?;
        let row = if row == "entries" { TileRow::Entries } else { TileRow::Hashes(decimal::parse(row)?.try_into().ok()?) };
        let (index, width) = match rest.split_once(".p/") {
            Some((index, width)) => (index, decimal::parse(width)?.try_into().ok().filter(|width| *width < TILE_WIDTH)?),
            None => (rest, TILE_WIDTH),
        };
        let mut number = 0_u64;
        for element in index.split('/') {
            let digits = element.strip_prefix('x').unwrap_or(element);
            if digits.len() != 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            number = number.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
        }
        Self::new(row, number, width)
    }
}

/// Writes the path. That [`TileId::parse`] accepts only what this writes makes every path canonical.
impl fmt::Display for TileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.row {
            TileRow::Entries => f.write_str("tile/entries")?,
            TileRow::Hashes(level) => write!(f, "tile/{level}")?,
        }
        let groups = std::iter::successors(Some(self.index), |n| Some(n / 1000).filter(|n| *n > 0)).count();
        for group in (0..groups).rev() {
            let divisor = 1000_u64.saturating_pow(u32::try_from(group).unwrap_or(u32::MAX));
            write!(f, "/{}{:03}", if group > 0 { "x" } else { "" }, self.index / divisor % 1000)?;
        }
        if self.is_full() { Ok(()) } else { write!(f, ".p/{}", self.width) }
    }
}

impl TileRow {
    /// How many hashes or entries this row has in a tree of `size` leaves.
    #[must_use]
    pub fn len(self, size: u64) -> u64 {
        self.node_level().and_then(|level| size.checked_shr(level.into())).unwrap_or(0)
    }

    /// The level of the row's hashes above the leaves; `None` above any tree.
    fn node_level(self) -> Option<u8> {
        match self {
            Self::Entries => Some(0),
            Self::Hashes(level) => level.checked_mul(TILE_HEIGHT).filter(|level| u32::from(*level) < u64::BITS),
        }
    }
}

/// The hash tiles that become full when a tree grows from `old` to `new` leaves, lower levels first, so that each can be computed from stored
/// leaf hashes and the tiles before it.
pub fn completed_tiles(old: u64, new: u64) -> impl Iterator<Item = TileId> {
    rows().flat_map(move |row| {
        let full = |size| row.len(size) / u64::from(TILE_WIDTH);
        (full(old)..full(new)).filter_map(move |index| TileId::full(row, index))
    })
}

/// The partial hash tiles of a tree with `size` leaves, lower levels first.
pub fn partial_tiles(size: u64) -> impl Iterator<Item = TileId> {
    rows().filter_map(move |row| {
        let len = row.len(size);
        TileId::new(row, len / u64::from(TILE_WIDTH), u16::try_from(len % u64::from(TILE_WIDTH)).ok()?)
    })
}

/// A hash tile's bytes.
#[must_use]
pub fn encode_tile(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// Reads a hash tile of exactly this width.
pub fn decode_tile(bytes: &[u8], width: u16) -> Result<Vec<Hash>, TlogError> {
    match bytes.as_chunks() {
        (chunks, []) if (1..=TILE_WIDTH).contains(&width) && chunks.len() == usize::from(width) => {
            Ok(chunks.iter().copied().map(Hash).collect())
        }
        _ => Err(TlogError::TileLength),
    }
}

/// An entry bundle of 1 to 256 entries: each after its length in two bytes, big-endian.
pub fn encode_bundle<E: AsRef<[u8]>>(entries: impl IntoIterator<Item = E>) -> Result<Vec<u8>, TlogError> {
    let mut bytes = Vec::new();
    let mut width = 0;
    for entry in entries {
        let len = u16::try_from(entry.as_ref().len()).map_err(|_| TlogError::Bundle)?;
        width += 1;
        if width > TILE_WIDTH {
            return Err(TlogError::Bundle);
        }
        bytes.extend(len.to_be_bytes());
        bytes.extend(entry.as_ref());
    }
    if width > 0 { Ok(bytes) } else { Err(TlogError::Bundle) }
}

/// Reads an entry bundle of exactly `width` entries, with nothing after them.
pub fn decode_bundle(bytes: &[u8], width: u16) -> Result<Vec<&[u8]>, TlogError> {
    if !(1..=TILE_WIDTH).contains(&width) {
        return Err(TlogError::Bundle);
    }
    let mut rest = bytes;
    let mut entries = Vec::with_capacity(width.into());
    for _ in 0..width {
        let (len, after) = rest.split_first_chunk().ok_or(TlogError::Bundle)?;
        let (entry, after) = after.split_at_checked(u16::from_be_bytes(*len).into()).ok_or(TlogError::Bundle)?;
        entries.push(entry);
        rest = after;
    }
    if rest.is_empty() { Ok(entries) } else { Err(TlogError::Bundle) }
}

fn rows() -> impl Iterator<Item = TileRow> {
    (0..=u64::BITS / u32::from(TILE_HEIGHT)).filter_map(|level| u8::try_from(level).ok().map(TileRow::Hashes))
}

/// The highest level a path may name (tlog-tiles, Merkle Tree). Trees of 64-bit size end at level 7.
const MAX_LEVEL: u8 = 63;
const MAX_PATH: usize = 48;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::leaf_hash;

    fn tile(row: TileRow, index: u64, width: u16) -> TileId {
        TileId::new(row, index, width).unwrap()
    }

    #[test]
    fn paths_are_those_of_the_specification() {
        for (path, expected) in [
            ("tile/0/x001/x234/067", tile(TileRow::Hashes(0), 1_234_067, 256)),
            ("tile/3/x001/x234/067.p/1", tile(TileRow::Hashes(3), 1_234_067, 1)),
            ("tile/entries/000.p/255", tile(TileRow::Entries, 0, 255)),
            ("tile/63/x001/000", tile(TileRow::Hashes(63), 1_000, 256)),
            ("tile/entries/x018/x446/x744/x073/x709/x551/615.p/255", tile(TileRow::Entries, u64::MAX, 255)),
        ] {
            assert_eq!(TileId::parse(path), Ok(expected));
            assert_eq!(expected.to_string(), path);
        }
    }

    #[test]
    fn any_other_spelling_is_refused() {
        for path in [
            "",
            "tile",
            "tile/",
            "tile/0",
            "tile/0/",
            "/tile/0/000",
            "tile/0/000/",
            "tile//000",
            "tile/00/000",
            "tile/+1/000",
            "tile/64/000",
            "tile/256/000",
            "tile/data/000",
            "tile/-1/000",
            "tile/0/0",
            "tile/0/0000",
            "tile/0/x000",
            "tile/0/x000/000",
            "tile/0/001/000",
            "tile/0/X001/000",
            "tile/0/xx01/000",
            "tile/0/x001/x000",
            "tile/0/00１",
            "tile/0/000.p",
            "tile/0/000.p/",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/01",
            "tile/0/000.p/+1",
            "tile/0/000.p/1/",
            "tile/0/000.p/1.p/1",
            "tile/0/x001.p/000",
            "tile/0/../000",
            "tile/0/000?x",
            "tile/0/%30%30%30",
            "tile/0/x018/x446/x744/x073/x709/x551/616",
        ] {
            assert_eq!(TileId::parse(path), Err(TlogError::TilePath), "{path}");
        }
    }

    #[test]
    fn a_tree_of_70_000_has_the_tiles_of_the_specification() {
        let size = 70_000;
        let partial: Vec<_> = partial_tiles(size).collect();
        let expected = [tile(TileRow::Hashes(0), 273, 112), tile(TileRow::Hashes(1), 1, 17), tile(TileRow::Hashes(2), 0, 1)];
        assert_eq!(partial, expected);
        let full: Vec<_> = completed_tiles(0, size).collect();
        assert_eq!(full.len(), 274);
        assert_eq!(full.last(), Some(&tile(TileRow::Hashes(1), 0, 256)));
        assert!(partial.iter().chain(&full).all(|tile| tile.is_within(size)));
        assert!(!tile(TileRow::Hashes(0), 273, 113).is_within(size));
        assert!(!tile(TileRow::Hashes(1), 1, 18).is_within(size));
        assert!(!tile(TileRow::Hashes(3), 0, 1).is_within(size));
        assert!(tile(TileRow::Entries, 273, 112).is_within(size));
        assert!(!TileId::full(TileRow::Entries, 273).unwrap().is_within(size));
    }

    #[test]
    fn the_256th_leaf_completes_a_tile() {
        assert_eq!(completed_tiles(0, 255).count(), 0);
        assert_eq!(completed_tiles(255, 256).collect::<Vec<_>>(), [tile(TileRow::Hashes(0), 0, 256)]);
        assert_eq!(partial_tiles(256).collect::<Vec<_>>(), [tile(TileRow::Hashes(1), 0, 1)]);
        assert_eq!(completed_tiles(256, 511).count(), 0);
        assert_eq!(
            completed_tiles(65_535, 65_536).collect::<Vec<_>>(),
            [tile(TileRow::Hashes(0), 255, 256), tile(TileRow::Hashes(1), 0, 256)]
        );
        assert_eq!(completed_tiles(9, 3).count(), 0);
    }

    #[test]
    fn no_tile_overflows_the_largest_tree() {
        assert_eq!(partial_tiles(u64::MAX).count(), 8);
        for row in [TileRow::Entries, TileRow::Hashes(0), TileRow::Hashes(7), TileRow::Hashes(8), TileRow::Hashes(63)] {
            let tile = TileId::full(row, u64::MAX).unwrap();
            assert!(!tile.is_within(u64::MAX));
            assert_eq!(tile.nodes().count(), 0);
        }
        assert_eq!(TileId::full(TileRow::Hashes(64), 0), None);
        assert_eq!(TileId::new(TileRow::Entries, 0, 0), None);
        assert_eq!(TileId::new(TileRow::Entries, 0, 257), None);
    }

    #[test]
    fn a_tile_names_its_nodes() {
        let nodes: Vec<_> = tile(TileRow::Hashes(1), 2, 3).nodes().collect();
        assert_eq!(nodes, [512, 513, 514].map(|index| Node { level: 8, index }));
        assert_eq!(tile(TileRow::Entries, 1, 2).nodes().collect::<Vec<_>>(), [256, 257].map(Node::leaf));
    }

    #[test]
    fn tile_bytes_have_exactly_the_width() {
        let hashes: Vec<_> = (0_u8..3).map(|n| leaf_hash(&[n])).collect();
        let bytes = encode_tile(&hashes);
        assert_eq!(decode_tile(&bytes, 3), Ok(hashes));
        for (bytes, width) in [(&bytes[..], 2), (&bytes[..], 4), (&bytes[..95], 3), (&bytes[..95], 2), (b"", 0), (&[0; 257 * 32], 257)] {
            assert_eq!(decode_tile(bytes, width), Err(TlogError::TileLength));
        }
    }

    #[test]
    fn a_bundle_holds_exactly_its_entries() {
        let entries = [&b"one"[..], b"", b"three"];
        let bytes = encode_bundle(entries).unwrap();
        assert_eq!(bytes, b"\0\x03one\0\0\0\x05three");
        assert_eq!(decode_bundle(&bytes, 3), Ok(entries.to_vec()));
        for (bytes, width) in [
            (&bytes[..], 2),
            (&bytes[..], 4),
            (&bytes[..11], 3),
            (&bytes[..6], 2),
            (&b""[..], 1),
            (&b"\0"[..], 0),
            (b"", 0),
            (&[0; 514], 257),
        ] {
            assert_eq!(decode_bundle(bytes, width), Err(TlogError::Bundle));
        }
        assert_eq!(encode_bundle([vec![0; 65_536]]), Err(TlogError::Bundle));
        assert_eq!(encode_bundle([b""; 257]), Err(TlogError::Bundle));
        assert_eq!(encode_bundle::<&[u8]>([]), Err(TlogError::Bundle));
        assert_eq!(encode_bundle([b""; 256]), Ok(vec![0; 512]));
        let longest = vec![7; 65_535];
        assert_eq!(decode_bundle(&encode_bundle([&longest]).unwrap(), 1), Ok(vec![&longest[..]]));
    }
}
