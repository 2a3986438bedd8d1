//! What holds for every tree and every input: proofs verify, any change to one is refused, no parser panics, one value has one text.

use proptest::collection::vec;
use proptest::prelude::*;
use tsunagi::tlog::{
    BatchTree, Checkpoint, Frontier, Hash, Note, NoteSigner, RightEdge, TileId, TileRow, TlogProof, VerifierKey, completed_tiles,
    decode_bundle, decode_tile, encode_bundle, leaf_hash, open_checkpoint, verify_consistency, verify_inclusion, verify_proof,
};
use zeroize::Zeroizing;

use crate::tlog_store::{Store, entry};

const ORIGIN: &str = "gw.example/ledger";
const LARGEST: u64 = 3_000;

thread_local! {
    static STORE: Store = Store::with_leaves(LARGEST);
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn signer() -> NoteSigner {
    NoteSigner::from_seed(ORIGIN.parse().expect("a name"), &Zeroizing::new([1; 32])).expect("a seed")
}

/// Two numbers in order, the smaller below the larger.
fn index_and_size() -> impl Strategy<Value = (u64, u64)> {
    (1..=LARGEST).prop_flat_map(|size| (0..size, Just(size)))
}

/// Every way to spoil a list of hashes in one place.
fn spoiled(proof: &[Hash], place: usize, bit: usize, foreign: Hash) -> Vec<Vec<Hash>> {
    let mut all = Vec::new();
    let mut change = |edit: &dyn Fn(&mut Vec<Hash>)| {
        let mut copy = proof.to_vec();
        edit(&mut copy);
        if copy != proof {
            all.push(copy);
        }
    };
    let at = place % (proof.len() + 1);
    change(&|copy| copy.insert(at, foreign));
    change(&|copy| copy.push(foreign));
    if let Some(last) = proof.len().checked_sub(1) {
        let at = place % proof.len();
        change(&|copy| copy[at].0[bit / 8] ^= 1 << (bit % 8));
        change(&|copy| copy[at] = foreign);
        change(&|copy| {
            copy.remove(at);
        });
        change(&|copy| copy.truncate(at));
        change(&|copy| copy.insert(at, proof[at]));
        change(&|copy| copy.swap(at, last));
        change(&|copy| copy.reverse());
    }
    all
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn an_inclusion_proof_holds_and_any_change_is_refused(
        (index, size) in index_and_size(), place in any::<usize>(), bit in 0..256_usize, foreign in any::<[u8; 32]>(),
    ) {
        STORE.with(|store| {
            let (root, leaf) = (store.root(size), store.leaf(index));
            let proof = store.inclusion(index, size).expect("a proof");
            prop_assert_eq!(verify_inclusion(index, size, &leaf, &proof, &root), Ok(()));
            for bad in spoiled(&proof, place, bit, Hash(foreign)) {
                prop_assert!(verify_inclusion(index, size, &leaf, &bad, &root).is_err());
            }
            for other in [index ^ 1, index + 1, index.wrapping_sub(1), size, index ^ (1 << 63), (place as u64) % size] {
                prop_assert!(other == index || verify_inclusion(other, size, &leaf, &proof, &root).is_err());
            }
            let mut flipped = leaf;
            flipped.0[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(verify_inclusion(index, size, &flipped, &proof, &root).is_err());
            prop_assert!(verify_inclusion(index, size, &leaf, &proof, &flipped).is_err());
            Ok(())
        })?;
    }

    #[test]
    fn a_consistency_proof_holds_and_any_change_is_refused(
        (old, new) in (1..=LARGEST).prop_flat_map(|new| (1..=new, Just(new))),
        place in any::<usize>(), bit in 0..256_usize, foreign in any::<[u8; 32]>(),
    ) {
        STORE.with(|store| {
            let (old_root, new_root) = (store.root(old), store.root(new));
            let proof = store.consistency(old, new).expect("a proof");
            prop_assert_eq!(verify_consistency(old, new, &old_root, &new_root, &proof), Ok(()));
            for bad in spoiled(&proof, place, bit, Hash(foreign)) {
                prop_assert!(verify_consistency(old, new, &old_root, &new_root, &bad).is_err());
            }
            let mut flipped = (old_root, new_root);
            flipped.0.0[bit / 8] ^= 1 << (bit % 8);
            flipped.1.0[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(verify_consistency(old, new, &flipped.0, &new_root, &proof).is_err());
            prop_assert!(verify_consistency(old, new, &old_root, &flipped.1, &proof).is_err());
            prop_assert!(old == new || verify_consistency(old, new, &new_root, &old_root, &proof).is_err());
            prop_assert!(old == new || verify_consistency(new, old, &new_root, &old_root, &proof).is_err());
            Ok(())
        })?;
    }

    #[test]
    fn a_batch_proves_what_storage_proves((old, new) in (0..=LARGEST).prop_flat_map(|new| (0..=new, Just(new))), pick in any::<u64>()) {
        STORE.with(|store| {
            let leaves = (old..new).map(|index| store.leaf(index)).collect();
            let batch = BatchTree::new(store.frontier(old), leaves).expect("not full");
            prop_assert_eq!(batch.frontier(), &store.frontier(new));
            prop_assert_eq!(batch.root(), store.root(new));
            prop_assert_eq!(batch.consistency_proof(), store.consistency(old, new).ok());
            for index in [old, new.saturating_sub(1), pick % LARGEST, new] {
                let expected = if (old..new).contains(&index) { store.inclusion(index, new).ok() } else { None };
                prop_assert_eq!(batch.inclusion_proof(index), expected);
            }
            Ok(())
        })?;
    }

    #[test]
    fn the_frontier_of_pushes_is_the_one_of_storage(size in 0..=LARGEST, tail in 0..600_u64) {
        STORE.with(|store| {
            let start = size.saturating_sub(tail);
            let stored = store.frontier(start);
            let mut frontier = Frontier::from_parts(start, &stored.to_bytes()).expect("its own bytes");
            for index in start..size {
                prop_assert_eq!(frontier.push(store.leaf(index)), Ok(index));
            }
            prop_assert_eq!(frontier, store.frontier(size));
            Ok(())
        })?;
    }

    #[test]
    fn a_proof_text_holds_for_its_leaf_and_no_changed_character_is_accepted(
        (index, size) in index_and_size(), place in any::<usize>(), character in "[ -~\n]",
    ) {
        STORE.with(|store| {
            let note = Checkpoint::new(ORIGIN, size, store.root(size)).expect("a checkpoint").sign(&signer()).expect("signed");
            let proof = TlogProof::new(index, store.inclusion(index, size).expect("a proof"), note).expect("a proof");
            let text = proof.to_string();
            prop_assert_eq!(TlogProof::parse(&text), Ok(proof));
            let key = signer().verifier().clone();
            let (found, checkpoint) = verify_proof(&entry(index), &text, &key).expect("included");
            prop_assert_eq!((found, checkpoint.size()), (index, size));
            prop_assert!(verify_proof(&entry(index + 1), &text, &key).is_err());
            let places: Vec<_> = text.char_indices().collect();
            let (at, old) = places[place % places.len()];
            let mut changed = text.clone();
            changed.replace_range(at..at + old.len_utf8(), &character);
            prop_assert!(changed == text || verify_proof(&entry(index), &changed, &key).is_err(), "{}", changed);
            let mut shorter = text.clone();
            shorter.replace_range(at..at + old.len_utf8(), "");
            prop_assert!(verify_proof(&entry(index), &shorter, &key).is_err(), "{}", shorter);
            Ok(())
        })?;
    }

    #[test]
    fn a_note_with_a_changed_character_is_refused(text in "[ -~あ-ん\n]{0,80}\n", place in any::<usize>(), character in "[ -~\n]") {
        let note = Note::sign(&text, &signer()).expect("signed").to_string();
        let keys = [signer().verifier().clone()];
        let parsed = Note::parse(&note).expect("well-formed");
        prop_assert_eq!(parsed.verify(&keys), Ok(&*text));
        let places: Vec<_> = note.char_indices().collect();
        let (at, old) = places[place % places.len()];
        let mut changed = note.clone();
        changed.replace_range(at..at + old.len_utf8(), &character);
        if changed != note && let Ok(parsed) = Note::parse(&changed) {
            prop_assert!(parsed.verify(&keys).is_err(), "{}", changed);
        }
    }

    #[test]
    fn a_bundle_comes_back(entries in vec(vec(any::<u8>(), 0..40), 1..256), cut in any::<usize>(), junk in any::<u8>()) {
        let width = u16::try_from(entries.len()).expect("small");
        let bytes = encode_bundle(&entries).expect("short entries");
        prop_assert!(decode_bundle(&bytes, width).expect("its own bytes").iter().eq(&entries));
        prop_assert!(decode_bundle(&bytes[..cut % bytes.len()], width).is_err());
        prop_assert!(decode_bundle(&[&bytes[..], &[junk]].concat(), width).is_err());
        prop_assert!(decode_bundle(&bytes, width + 1).is_err());
    }
}

proptest! {
    #![proptest_config(config(2_000))]

    #[test]
    fn no_parser_panics_on_bytes(bytes in vec(any::<u8>(), 0..600), number in any::<u64>(), width in any::<u16>()) {
        let text = String::from_utf8_lossy(&bytes);
        every_parser(&text);
        if let Ok(entries) = decode_bundle(&bytes, width) {
            prop_assert_eq!(encode_bundle(entries), Ok(bytes.clone()));
        }
        if let Ok(hashes) = decode_tile(&bytes, width) {
            prop_assert_eq!(hashes.len(), usize::from(width));
        }
        if let Ok(frontier) = Frontier::from_parts(number, &bytes) {
            prop_assert_eq!(frontier.to_bytes(), bytes);
        }
    }

    #[test]
    fn no_parser_panics_on_what_looks_like_its_format(
        text in "(c2sp\\.org/tlog-proof@v1\n)?(extra [A-Za-z0-9+/=]{0,8}\n)?(index [0-9]{0,21}\n)?([A-Za-z0-9+/]{43}=\n){0,3}\n?(o\n[0-9]{0,3}\n([A-Za-z0-9+/]{43}=\n)?)?\n?(— [a-z.+ ]{0,4} [A-Za-z0-9+/]{4,12}={0,2}\n){0,2}",
        path in "tile/([0-9]{0,3}|entries)(/x?[0-9]{2,4}){0,8}(\\.p(/[0-9]{0,4})?)?",
        vkey in "[a-z+ ]{0,4}\\+[0-9a-fA-F]{7,9}\\+(AQ)?[A-Za-z0-9+/]{42}=?",
    ) {
        every_parser(&text);
        every_parser(&vkey);
        if let Ok(tile) = TileId::parse(&path) {
            prop_assert_eq!(tile.to_string(), path);
        }
    }

    #[test]
    fn no_verification_panics(index in edgy(), size in edgy(), proof in vec(any::<[u8; 32]>(), 0..70), hash in any::<[u8; 32]>()) {
        let proof: Vec<_> = proof.into_iter().map(Hash).collect();
        let hash = Hash(hash);
        prop_assert!(proof.is_empty() || verify_inclusion(index, size, &hash, &proof, &hash).is_err());
        prop_assert!(index == size || verify_consistency(index, size, &hash, &hash, &proof).is_err());
    }

    #[test]
    fn a_tile_path_has_one_tile(level in 0..64_u8, entries in any::<bool>(), index in edgy(), width in 1..=256_u16) {
        let row = if entries { TileRow::Entries } else { TileRow::Hashes(level) };
        let tile = TileId::new(row, index, width).expect("within the limits");
        prop_assert_eq!(TileId::parse(&tile.to_string()), Ok(tile));
    }
}

/// Numbers around powers of two, and any others.
fn edgy() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        0..1_000_u64,
        (0..64_u32, 0..5_u64).prop_map(|(bit, offset)| (1_u64 << bit).wrapping_add(offset).wrapping_sub(2))
    ]
}

/// Whatever is accepted has exactly this text.
fn every_parser(text: &str) {
    if let Ok(hash) = text.parse::<Hash>() {
        assert_eq!(hash.to_string(), text);
    }
    if let Ok(key) = text.parse::<VerifierKey>() {
        assert_eq!(key.to_string(), text);
    }
    if let Ok(tile) = TileId::parse(text) {
        assert_eq!(tile.to_string(), text);
    }
    if let Ok(note) = Note::parse(text) {
        assert_eq!(note.to_string(), text);
    }
    if let Ok(checkpoint) = Checkpoint::parse(text) {
        assert_eq!(checkpoint.to_string(), text);
    }
    if let Ok(proof) = TlogProof::parse(text) {
        assert_eq!(proof.to_string(), text);
    }
    assert!(open_checkpoint(text, signer().verifier()).is_err());
    assert!(verify_proof(b"leaf", text, signer().verifier()).is_err());
}

#[test]
fn a_large_batch_costs_as_many_hashes_as_it_has_leaves() {
    // 200,000 leaves at once: a cost that grew with the square would take hours here.
    let leaves: Vec<_> = (0..200_000_u64).map(|n| leaf_hash(&n.to_be_bytes())).collect();
    let old = STORE.with(|store| store.frontier(LARGEST));
    let batch = BatchTree::new(old, leaves.clone()).expect("not full");
    for (n, leaf) in (0_u64..).zip(&leaves).step_by(1_999) {
        let index = LARGEST + n;
        let proof = batch.inclusion_proof(index).expect("of this batch");
        assert_eq!(verify_inclusion(index, batch.size(), leaf, &proof, &batch.root()), Ok(()));
    }
}

#[test]
fn tiles_come_out_of_any_split_into_batches() {
    let mut edge = RightEdge::new();
    let mut emitted = Vec::new();
    let mut announced = Vec::new();
    for (old, new) in [(0, 0), (0, 1), (1, 255), (255, 256), (256, 700), (700, 2_900)] {
        announced.extend(completed_tiles(old, new));
        for index in old..new {
            let leaf = STORE.with(|store| store.leaf(index));
            emitted.extend(edge.push(leaf).expect("not full").into_iter().map(|tile| tile.id));
        }
    }
    assert_eq!(emitted, announced);
    assert_eq!(edge.size(), 2_900);
    let resumed = STORE.with(|store| RightEdge::from_nodes(2_900, |node| store.node(node)));
    assert_eq!(resumed, Ok(edge));
}
