//! An export verified by other people's Rust: leaves, tiles and root by `ct-merkle`, the checkpoint by `signed_note`. It accepts what the gateway's own
//! writer made and refuses more than 500 generated mutations of it. It knows nothing of openings: what is beside the tree is for the strangers in
//! `tests/clients`, which refuse the mutations of everything.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ct_merkle::{InclusionProof, RootHash, mem_backed_tree::MemoryBackedTree};
use signed_note::{StandardVerifier, VerifierList};

use super::{
    export_stage::{Files, Ledger},
    tlog_oracles::Sha256,
};

const SIZE: u64 = 600;
const WIDTH: usize = 256;

/// What the foreign code says of an export.
fn verify(files: &Files, vkey: &str) -> Result<(), String> {
    let (size, root) = checkpoint(files.get("checkpoint").ok_or("files")?, vkey)?;
    let paths = paths(size);
    let present: BTreeSet<&String> = files.keys().filter(|path| path.starts_with("tile")).collect();
    if present != paths.keys().collect() {
        return Err("files".to_owned());
    }
    let mut tree = MemoryBackedTree::<Sha256, Vec<u8>>::new();
    let mut entries = Vec::new();
    for first in (0..size).step_by(WIDTH) {
        let width = (size - first).min(WIDTH);
        let bundle = split(&files[&path("entries", first / WIDTH, width)]).ok_or("form")?;
        if bundle.len() != width {
            return Err("form".to_owned());
        }
        entries.extend(bundle);
    }
    for entry in &entries {
        tree.push(entry.clone());
    }
    if tree.root().as_bytes().as_slice() != root {
        return Err("root".to_owned());
    }
    for (path, (level, first, width)) in &paths {
        let Some(level) = level else { continue };
        let span = WIDTH.pow(*level);
        let hashes: Vec<u8> = (*first..first + width).flat_map(|at| subtree(&entries[at * span..(at + 1) * span])).collect();
        if files[path] != hashes {
            return Err("tile".to_owned());
        }
    }
    let signed = RootHash::<Sha256>::new(root.into(), size as u64);
    for index in [0, size / 2, size - 1] {
        let proof =
            InclusionProof::<Sha256>::try_from_bytes(tree.prove_inclusion(index).as_bytes().to_vec()).map_err(|e| format!("{e:?}"))?;
        signed.verify_inclusion(&entries[index], index as u64, &proof).map_err(|error| format!("{error:?}"))?;
    }
    Ok(())
}

/// Size and root of a checkpoint that the key signed.
fn checkpoint(bytes: &[u8], vkey: &str) -> Result<(usize, [u8; 32]), String> {
    let note = signed_note::Note::from_bytes(bytes).map_err(|error| format!("signature: {error:?}"))?;
    let key = StandardVerifier::new(vkey).map_err(|error| format!("{error:?}"))?;
    let name = vkey.split('+').next().unwrap().to_owned();
    note.verify(&VerifierList::new(vec![Box::new(key)])).map_err(|error| format!("signature: {error:?}"))?;
    // A note that is written again is what was read: no stray bits, nothing between the lines.
    let text = String::from_utf8(note.text().to_vec()).map_err(|_| "checkpoint")?;
    let mut lines = text.split('\n');
    let (origin, size, root) = (lines.next(), lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let number: usize = size.parse().map_err(|_| "checkpoint")?;
    if note.to_bytes() != bytes || origin != Some(&name) || number.to_string() != size || number == 0 {
        return Err("checkpoint".to_owned());
    }
    let root = STANDARD.decode(root).map_err(|_| "checkpoint")?.try_into().map_err(|_| "checkpoint")?;
    Ok((number, root))
}

/// The hash of some leaves as a tree of their own.
fn subtree(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut tree = MemoryBackedTree::<Sha256, Vec<u8>>::new();
    for entry in entries {
        tree.push(entry.clone());
    }
    tree.root().as_bytes().to_vec()
}

/// Every file of a tree, with its level (none: a bundle), first element and width.
fn paths(size: usize) -> BTreeMap<String, (Option<u32>, usize, usize)> {
    let mut found = BTreeMap::new();
    let (mut level, mut count) = (0, size);
    while count > 0 {
        for first in (0..count).step_by(WIDTH) {
            let width = (count - first).min(WIDTH);
            found.insert(path(&level.to_string(), first / WIDTH, width), (Some(level), first, width));
            if level == 0 {
                found.insert(path("entries", first / WIDTH, width), (None, first, width));
            }
        }
        (level, count) = (level + 1, count / WIDTH);
    }
    found
}

fn path(row: &str, n: usize, width: usize) -> String {
    let partial = if width < WIDTH { format!(".p/{width}") } else { String::new() };
    format!("tile/{row}/{n:03}{partial}")
}

fn split(mut rest: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut entries = Vec::new();
    while !rest.is_empty() {
        let (len, after) = rest.split_first_chunk::<2>()?;
        let (entry, after) = after.split_at_checked(u16::from_be_bytes(*len).into())?;
        entries.push(entry.to_vec());
        rest = after;
    }
    Some(entries)
}

/// The next number of a fixed row (SplitMix64): the same mutations each time.
fn next(state: &mut u64) -> usize {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    usize::try_from((mixed ^ (mixed >> 27)) >> 32).unwrap()
}

/// Mutations of what the tree holds, each with its name.
fn mutations(files: &Files, ledger: &Ledger) -> Vec<(String, Files)> {
    let mut found: Vec<(String, Files)> = Vec::new();
    let mut add = |name: String, change: &mut dyn FnMut(&mut Files)| {
        let mut spoilt = files.clone();
        change(&mut spoilt);
        assert_ne!(&spoilt, files, "{name} changes nothing");
        found.push((name, spoilt));
    };
    let tree: Vec<&String> = files.keys().filter(|path| path.starts_with("tile") || *path == "checkpoint").collect();
    let mut state = 1;
    for path in &tree {
        let len = files[*path].len();
        let places: BTreeSet<(usize, u8)> =
            (0..80).map(|_| (next(&mut state) % len, u8::try_from(next(&mut state) % 8).unwrap())).collect();
        for (at, bit) in places.into_iter().chain([(0, 0), (len - 1, 7)]).collect::<BTreeSet<_>>() {
            add(format!("{path}: bit {bit} of byte {at}"), &mut |files| files.get_mut(*path).unwrap()[at] ^= 1 << bit);
        }
        add(format!("{path}: cut"), &mut |files| files.get_mut(*path).unwrap().truncate(len - 1));
        add(format!("{path}: lengthened"), &mut |files| files.get_mut(*path).unwrap().push(0));
        add(format!("{path}: emptied"), &mut |files| files.get_mut(*path).unwrap().clear());
        add(format!("{path}: removed"), &mut |files| drop(files.remove(*path)));
        if path.starts_with("tile") {
            add(format!("{path}: also elsewhere"), &mut |files| drop(files.insert(format!("{path}~"), files[*path].clone())));
        }
    }
    for (one, other) in [("tile/0/000", "tile/0/001"), ("tile/entries/000", "tile/entries/001"), ("tile/0/000", "tile/entries/000")] {
        add(format!("{one} and {other} exchanged"), &mut |files| {
            let (first, second) = (files[one].clone(), files[other].clone());
            files.extend([(one.to_owned(), second), (other.to_owned(), first)]);
        });
    }
    for size in [1, SIZE / 2, SIZE - 1] {
        add(format!("stale checkpoint of {size}"), &mut |files| {
            drop(files.insert("checkpoint".to_owned(), ledger.note(size).into_bytes()));
        });
    }
    add("signed by another".to_owned(), &mut |files| {
        files.insert("checkpoint".to_owned(), ledger.signed_by_another().note(SIZE).into_bytes());
    });
    add("of another origin".to_owned(), &mut |files| {
        files.insert("checkpoint".to_owned(), ledger.of_origin("other.example/ledger").note(SIZE).into_bytes());
    });
    found
}

#[test]
fn ct_merkle_accepts_an_export_and_refuses_every_mutation_of_it() {
    let ledger = Ledger::new(SIZE);
    let (files, vkey) = (ledger.files(), ledger.key().to_string());
    assert_eq!(verify(&files, &vkey), Ok(()));
    let mut beside = files.clone();
    beside.insert("README.txt".to_owned(), b"another".to_vec());
    assert_eq!(verify(&beside, &vkey), Ok(()), "not everything that differs is refused");

    let mutations = mutations(&files, &ledger);
    let mut reasons: BTreeMap<String, u32> = BTreeMap::new();
    for (name, spoilt) in &mutations {
        let reason = verify(spoilt, &vkey).expect_err(name);
        *reasons.entry(reason.split(':').next().unwrap().to_owned()).or_default() += 1;
    }
    println!("{} mutations refused: {reasons:?}", mutations.len());
    assert!(mutations.len() >= 500, "only {}", mutations.len());
    for reason in ["files", "form", "root", "signature", "tile"] {
        assert!(reasons.contains_key(reason), "nothing was refused for {reason}: {reasons:?}");
    }
}
