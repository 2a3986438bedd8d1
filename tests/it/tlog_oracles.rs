//! What foreign programs make of our trees, tiles and notes, and we of theirs: `ct-merkle`, `tlog_tiles` and `signed_note`.

use aws_lc_rs::digest::{Context, SHA256};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ct_merkle::digest::{FixedOutput, HashMarker, Output, OutputSizeUser, Update, consts::U32};
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use signed_note::{StandardSigner, StandardVerifier, Verifier as _, VerifierList};
use tlog_tiles::{HashReader as _, TileHashReader, TileReader};
use tsunagi::tlog::{
    Checkpoint, Hash, Node, Note, NoteSigner, TileId, TileRow, TlogError, VerifierKey, decode_tile, encode_tile, open_checkpoint,
    verify_consistency, verify_inclusion,
};
use zeroize::Zeroizing;

use crate::tlog_store::{Store, entry};

const ORIGIN: &str = "gw.example/ledger";

/// SHA-256 as `ct-merkle` wants it.
#[derive(Clone)]
pub(crate) struct Sha256(Context);

impl Default for Sha256 {
    fn default() -> Self {
        Self(Context::new(&SHA256))
    }
}

impl HashMarker for Sha256 {}

impl OutputSizeUser for Sha256 {
    type OutputSize = U32;
}

impl Update for Sha256 {
    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }
}

impl FixedOutput for Sha256 {
    fn finalize_into(self, out: &mut Output<Self>) {
        out.copy_from_slice(self.0.finish().as_ref());
    }
}

fn bytes(proof: &[Hash]) -> Vec<u8> {
    encode_tile(proof)
}

fn signer(seed: u8) -> NoteSigner {
    NoteSigner::from_seed(ORIGIN.parse().expect("a name"), &Zeroizing::new([seed; 32])).expect("a seed")
}

#[test]
fn ct_merkle_builds_the_same_proofs_and_accepts_ours() {
    let store = Store::with_leaves(100);
    let mut theirs = MemoryBackedTree::<Sha256, _>::new();
    for size in 1..=store.size() {
        theirs.push(entry(size - 1));
        let root = store.root(size);
        assert_eq!(theirs.root().as_bytes().as_slice(), root.as_bytes());
        let their_root = RootHash::<Sha256>::new((*root.as_bytes()).into(), size);
        for index in 0..size {
            let ours = store.inclusion(index, size).expect("a proof");
            assert_eq!(theirs.prove_inclusion(usize::try_from(index).expect("small")).as_bytes(), bytes(&ours), "{index} in {size}");
            let proof = InclusionProof::<Sha256>::try_from_bytes(bytes(&ours)).expect("whole hashes");
            their_root.verify_inclusion(&entry(index), index, &proof).expect("accepted by them");
        }
        for old in 1..=size {
            let ours = store.consistency(old, size).expect("a proof");
            let additions = usize::try_from(size - old).expect("small");
            assert_eq!(theirs.prove_consistency(additions).as_bytes(), bytes(&ours), "{old} to {size}");
            let proof = ConsistencyProof::<Sha256>::try_from_bytes(bytes(&ours)).expect("whole hashes");
            let old_root = RootHash::<Sha256>::new((*store.root(old).as_bytes()).into(), old);
            their_root.verify_consistency(&old_root, &proof).expect("accepted by them");
        }
    }
}

/// Serves our full and partial tiles to `tlog_tiles`.
struct OurTiles<'s> {
    store: &'s Store,
}

impl TileReader for OurTiles<'_> {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[tlog_tiles::Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        tiles
            .iter()
            .map(|tile| {
                // Their paths name the tile height, ours are those of the C2SP API.
                let path = tile.path().replacen("tile/8/", "tile/", 1);
                let id = TileId::parse(&path).map_err(|_| tlog_tiles::Error::InvalidTile)?;
                assert!(id.is_within(self.store.size()), "{path} was asked for");
                Ok(encode_tile(&read(self.store, id)))
            })
            .collect()
    }

    fn save_tiles(&self, _: &[tlog_tiles::Tile], _: &[Vec<u8>]) {}
}

fn read(store: &Store, id: TileId) -> Vec<Hash> {
    id.nodes().map(|node| store.node(node).expect("stored")).collect()
}

#[test]
fn tlog_tiles_reads_our_tiles_and_builds_the_same_proofs() {
    // The second size reaches full tiles of level 1 and partial ones of level 2.
    for (size, step) in [(1_000, 17), (70_000, 9_973)] {
        let store = Store::with_leaves(size);
        let root = tlog_tiles::Hash(*store.root(size).as_bytes());
        let tiles = OurTiles { store: &store };
        let reader = TileHashReader::new(size, root, &tiles);
        assert_eq!(tlog_tiles::tree_hash(size, &reader).expect("authenticated"), root);
        for index in (0..size).step_by(step).chain([size - 1]) {
            let theirs = tlog_tiles::prove_record(size, index, &reader).expect("a proof");
            let ours = store.inclusion(index, size).expect("a proof");
            assert!(theirs.iter().map(|hash| hash.0).eq(ours.iter().map(|hash| hash.0)), "{index} in {size}");
            let leaf = tlog_tiles::record_hash(&entry(index));
            tlog_tiles::check_record(&theirs, size, root, index, leaf).expect("accepted by them");
            verify_inclusion(index, size, &Hash(leaf.0), &ours, &Hash(root.0)).expect("accepted by us");
            let old = index + 1;
            let theirs = tlog_tiles::prove_tree(size, old, &reader).expect("a proof");
            let ours = store.consistency(old, size).expect("a proof");
            assert!(theirs.iter().map(|hash| hash.0).eq(ours.iter().map(|hash| hash.0)), "{old} to {size}");
            let old_root = store.root(old);
            tlog_tiles::check_tree(&theirs, size, root, old, tlog_tiles::Hash(*old_root.as_bytes())).expect("accepted by them");
            verify_consistency(old, size, &old_root, &Hash(root.0), &ours).expect("accepted by us");
        }
    }
}

#[test]
fn tlog_tiles_names_and_completes_the_same_tiles() {
    for (old, new) in [(0, 1), (0, 255), (255, 256), (256, 300), (0, 70_000), (65_535, 65_536), (65_000, 140_000)] {
        let theirs: Vec<_> =
            tlog_tiles::Tile::new_tiles(8, old, new).iter().map(|tile| tile.path().replacen("tile/8/", "tile/", 1)).collect();
        let full: Vec<_> = tsunagi::tlog::completed_tiles(old, new).map(|tile| tile.to_string()).collect();
        let theirs_full: Vec<_> = theirs.iter().filter(|path| !path.contains(".p/")).cloned().collect();
        assert_eq!(theirs_full, full, "{old} to {new}");
        let partial: Vec<_> = tsunagi::tlog::partial_tiles(new).map(|tile| tile.to_string()).collect();
        assert!(theirs.iter().filter(|path| path.contains(".p/")).all(|path| partial.contains(path)), "{old} to {new}");
    }
    for index in [0, 999, 1_000, 1_234_067, 999_999_999, u64::MAX] {
        let ours = TileId::new(TileRow::Hashes(3), index, 7).expect("a tile").to_string();
        assert_eq!(tlog_tiles::Tile::new(8, 3, index, 7, false).path().replacen("tile/8/", "tile/", 1), ours);
    }
}

#[test]
fn stored_tiles_are_the_nodes_they_claim_to_be() {
    let store = Store::with_leaves(70_000);
    for (id, hashes) in &store.tiles {
        assert_eq!(decode_tile(&encode_tile(hashes), id.width()).as_ref(), Ok(hashes));
        let (first, last) = (id.nodes().next().expect("256"), id.nodes().last().expect("256"));
        for (node, hash) in [(first, hashes[0]), (last, hashes[255])] {
            let span = 1 << node.level;
            let leaves = &store.leaves[usize::try_from(node.index * span).expect("small")..][..usize::try_from(span).expect("small")];
            assert_eq!(tsunagi::tlog::perfect_root(leaves), Ok(hash), "{id}");
        }
    }
    assert_eq!(store.node(Node { level: 8, index: 273 }), None);
}

#[test]
fn signed_note_verifies_our_notes_and_knows_our_keys() {
    let ours = signer(1);
    let vkey = ours.verifier().to_string();
    let theirs = StandardVerifier::new(&vkey).expect("a verifier key");
    assert_eq!((theirs.name(), theirs.key_id()), (ORIGIN, ours.verifier().id()));
    let store = Store::with_leaves(70);
    let note = Checkpoint::new(ORIGIN, 70, store.root(70)).expect("a checkpoint").sign(&ours).expect("signed");
    let parsed = signed_note::Note::from_bytes(note.as_bytes()).expect("well-formed");
    let (verified, unverified) = parsed.verify(&VerifierList::new(vec![Box::new(theirs)])).expect("signed by us");
    assert_eq!((verified.len(), unverified.len()), (1, 0));
    assert_eq!(parsed.to_bytes(), note.as_bytes());
    let checkpoint = tlog_tiles::Checkpoint::from_bytes(parsed.text()).expect("a checkpoint");
    assert_eq!((checkpoint.origin(), checkpoint.size(), checkpoint.hash().0), (ORIGIN, 70, *store.root(70).as_bytes()));
}

#[test]
fn we_verify_what_signed_note_signs_and_the_signatures_are_equal() {
    let ours = signer(7);
    let seed = STANDARD.encode([&[1_u8][..], &[7; 32]].concat());
    let theirs = StandardSigner::new(&format!("PRIVATE+KEY+{ORIGIN}+{:08x}+{seed}", ours.verifier().id())).expect("the same key");
    let other = NoteSigner::from_seed("witness.example".parse().expect("a name"), &Zeroizing::new([8; 32])).expect("a seed");
    let seed = STANDARD.encode([&[1_u8][..], &[8; 32]].concat());
    let witness = StandardSigner::new(&format!("PRIVATE+KEY+witness.example+{:08x}+{seed}", other.verifier().id())).expect("a key");

    let checkpoint = Checkpoint::new(ORIGIN, 3, Store::with_leaves(3).root(3)).expect("a checkpoint");
    let mut note = signed_note::Note::new(checkpoint.to_string().as_bytes(), &[]).expect("well-formed");
    note.add_sigs(&[&theirs]).expect("signed");
    let single = String::from_utf8(note.to_bytes()).expect("text");
    assert_eq!(single, checkpoint.sign(&ours).expect("signed"), "Ed25519 is deterministic");

    note.add_sigs(&[&witness]).expect("signed");
    let both = String::from_utf8(note.to_bytes()).expect("text");
    assert_eq!(open_checkpoint(&both, ours.verifier()), Ok(checkpoint.clone()));
    let keys: [VerifierKey; 2] = [ours.verifier().clone(), other.verifier().clone()];
    assert_eq!(Note::parse(&both).expect("well-formed").verify(&keys), Ok(&*checkpoint.to_string()));
    assert_eq!(open_checkpoint(&both, signer(9).verifier()), Err(TlogError::NotSigned));
}

#[test]
fn their_reader_refuses_a_changed_tile() {
    let mut store = Store::with_leaves(1_000);
    let root = tlog_tiles::Hash(*store.root(1_000).as_bytes());
    let first = TileId::full(TileRow::Hashes(0), 0).expect("a tile");
    store.tiles.get_mut(&first).expect("stored")[3].0[0] ^= 1;
    let tiles = OurTiles { store: &store };
    let reader = TileHashReader::new(1_000, root, &tiles);
    assert!(reader.read_hashes(&[tlog_tiles::stored_hash_index(0, 3)]).is_err());
    assert_ne!(store.root(1_000).0, root.0);
}
