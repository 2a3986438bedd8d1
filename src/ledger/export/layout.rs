//! Names of the files of an exported ledger.

use crate::tlog::{TILE_WIDTH, TileId, TileRow, VerifierKey};

/// The signed checkpoint.
pub const CHECKPOINT: &str = "checkpoint";
/// The verifier key, for comparison only.
pub const VKEY: &str = "vkey";
/// The openings, one line per entry.
pub const OPENINGS: &str = "openings.ndjson";
/// What this is and how to verify it.
pub const README: &str = "README.txt";
/// Files beside the tiles.
pub const FILES: [&str; 4] = [CHECKPOINT, VKEY, OPENINGS, README];
/// The folder of hash tiles and entry bundles.
pub const TILE: &str = "tile";
/// Where paths of hash tiles and entry bundles start.
pub const TILES: &str = "tile/";

/// The content of [`VKEY`].
#[must_use]
pub fn vkey_file(key: &VerifierKey) -> String {
    format!("{key}\n")
}

/// Whether an export of this size has exactly this file: each tile and bundle once, as wide as it can be.
#[must_use]
pub fn holds(size: u64, tile: TileId) -> bool {
    let width = u64::from(TILE_WIDTH);
    let first = tile.index().checked_mul(width);
    let rest = first.and_then(|first| tile.row().len(size).checked_sub(first));
    rest.is_some_and(|rest| rest > 0 && u64::from(tile.width()) == rest.min(width))
}

/// The bundles of entries of an export of this size, in order.
pub fn bundles(size: u64) -> impl Iterator<Item = TileId> {
    row(TileRow::Entries, size)
}

/// The tiles of leaf hashes of an export of this size, in order.
pub fn leaf_tiles(size: u64) -> impl Iterator<Item = TileId> {
    row(TileRow::Hashes(0), size)
}

fn row(row: TileRow, size: u64) -> impl Iterator<Item = TileId> {
    let width = u64::from(TILE_WIDTH);
    (0..size.div_ceil(width)).filter_map(move |index| {
        let rest = size - index * width;
        TileId::new(row, index, u16::try_from(rest.min(width)).ok()?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_has_the_widest_tiles_and_no_others() {
        let tile = |path: &str| TileId::parse(path).unwrap();
        for path in [
            "tile/entries/000",
            "tile/entries/273.p/112",
            "tile/0/000",
            "tile/0/273.p/112",
            "tile/1/000",
            "tile/1/001.p/17",
            "tile/2/000.p/1",
        ] {
            assert!(holds(70_000, tile(path)), "{path}");
        }
        for path in [
            "tile/entries/273.p/111",
            "tile/entries/273",
            "tile/0/272.p/255",
            "tile/0/274.p/1",
            "tile/1/002.p/1",
            "tile/2/000.p/2",
            "tile/3/000.p/1",
            "tile/63/000.p/1",
        ] {
            assert!(!holds(70_000, tile(path)), "{path}");
        }
        assert!(bundles(70_000).all(|id| holds(70_000, id)));
        assert_eq!((bundles(0).count(), bundles(256).count(), leaf_tiles(257).count()), (0, 1, 2));
        assert_eq!(leaf_tiles(257).last().map(|id| id.to_string()).as_deref(), Some("tile/0/001.p/1"));
    }
}
