//! Everything that can be done to an export without the ledger's key, one change at a time: each is refused, and the first bad index is named where
//! one can be told. And what a ledger's own gateway could sign and should not.

use serde_json::{Value, json};
use tsunagi::{ledger::verify::Report, text::audit::Finding};

use super::export_stage::{Files, Ledger, check, event, jti, leaf, with_opening};

const SIZE: u64 = 700;

/// A changed export, and what must be said about it.
struct Mutation {
    name: String,
    files: Files,
    /// The first bad index, where it can be told.
    index: Option<u64>,
    /// A finding that must be among the problems.
    finding: Option<Finding>,
}

struct Matrix {
    original: Files,
    list: Vec<Mutation>,
}

impl Matrix {
    fn add(&mut self, name: impl Into<String>, finding: Option<Finding>, index: Option<u64>, change: impl FnOnce(&mut Files)) {
        let mut files = self.original.clone();
        change(&mut files);
        let name = name.into();
        assert!(files != self.original, "{name} changes nothing");
        self.list.push(Mutation { name, files, index, finding });
    }

    fn edit(&mut self, path: &str, name: &str, finding: Option<Finding>, index: Option<u64>, change: impl FnOnce(&mut Vec<u8>)) {
        let path = path.to_owned();
        self.add(format!("{path}: {name}"), finding, index, |files| change(files.get_mut(&path).expect("a file")));
    }
}

/// The files whose bytes are evidence; README and vkey are not.
fn evidence(files: &Files) -> Vec<String> {
    files.keys().filter(|path| !["README.txt", "vkey"].contains(&path.as_str())).cloned().collect()
}

#[test]
fn every_change_of_an_export_is_refused_and_the_first_bad_index_named() {
    let ledger = Ledger::new(SIZE);
    let mut matrix = Matrix { original: ledger.files(), list: Vec::new() };
    assert!(check(&matrix.original).holds());
    bytes_of_files(&mut matrix);
    places_of_files(&mut matrix);
    entries(&mut matrix, &ledger);
    tiles(&mut matrix);
    openings(&mut matrix);
    checkpoints(&mut matrix, &ledger);
    whole_ledgers(&mut matrix, &ledger);

    assert!(matrix.list.len() >= 200, "only {} mutations", matrix.list.len());
    let (one, other) = matrix.list.split_at(matrix.list.len() / 2);
    let wrong = std::thread::scope(|scope| {
        let other = scope.spawn(|| accepted(other));
        [accepted(one), other.join().expect("no panic")].concat()
    });
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), matrix.list.len(), wrong.join("\n"));
}

/// What is not refused as it should be.
fn accepted(mutations: &[Mutation]) -> Vec<String> {
    let mut wrong = Vec::new();
    for Mutation { name, files, index, finding } in mutations {
        let report = check(files);
        let named = index.is_none() || report.first_bad() == *index;
        if report.holds() || !named || finding.is_some_and(|finding| !report.has(finding)) {
            wrong.push(format!("{name}: wanted {finding:?} at {index:?}, found {:?}", report.problems));
        }
    }
    wrong
}

/// Each file: bits flipped, cut, lengthened, emptied, doubled, removed.
fn bytes_of_files(matrix: &mut Matrix) {
    for path in evidence(&matrix.original) {
        let len = matrix.original[&path].len();
        for (name, at) in [("first", 0), ("middle", len / 2), ("last", len - 1)] {
            matrix.edit(&path, &format!("{name} byte flipped"), None, None, |bytes| bytes[at] ^= 1);
        }
        matrix.edit(&path, "last byte cut off", None, None, |bytes| bytes.truncate(len - 1));
        matrix.edit(&path, "half cut off", None, None, |bytes| bytes.truncate(len / 2));
        matrix.edit(&path, "emptied", None, None, Vec::clear);
        matrix.edit(&path, "a byte appended", None, None, |bytes| bytes.push(0));
        matrix.edit(&path, "twice", None, None, |bytes| bytes.extend_from_within(..));
        matrix.add(format!("{path}: removed"), Some(Finding::FileMissing), None, |files| {
            files.remove(&path);
        });
    }
}

/// Files under another name, and files too many.
fn places_of_files(matrix: &mut Matrix) {
    for (from, to) in [
        ("tile/0/002.p/188", "tile/0/002.p/187"),
        ("tile/0/002.p/188", "tile/0/002.p/189"),
        ("tile/0/002.p/188", "tile/0/002"),
        ("tile/entries/002.p/188", "tile/entries/002.p/187"),
        ("tile/entries/002.p/188", "tile/entries/002"),
        ("tile/1/000.p/2", "tile/1/000.p/1"),
        ("tile/0/000", "tile/0/003"),
        ("tile/entries/001", "tile/entries/x001/001"),
    ] {
        matrix.add(format!("{from} renamed {to}"), Some(Finding::FileUnexpected), None, |files| {
            let bytes = files.remove(from).expect("a file");
            files.insert(to.to_owned(), bytes);
        });
        matrix.add(format!("{from} copied to {to}"), Some(Finding::FileUnexpected), None, |files| {
            files.insert(to.to_owned(), files[from].clone());
        });
    }
    for (one, other) in [("tile/0/000", "tile/0/001"), ("tile/entries/000", "tile/entries/001"), ("tile/0/000", "tile/entries/000")] {
        matrix.add(format!("{one} and {other} swapped"), None, Some(0), |files| {
            let (a, b) = (files[one].clone(), files[other].clone());
            files.insert(one.to_owned(), b);
            files.insert(other.to_owned(), a);
        });
    }
    for path in [
        "tile/0/000.p/255",
        "tile/0/003.p/1",
        "tile/2/000.p/1",
        "tile/63/000.p/1",
        "tile/64/000",
        "tile/entries/003.p/1",
        "tile/entries/900",
        "tile/0/0000",
        "tile/0/00",
        "tile/0/x000/000",
        "tile/00/000",
        "tile/0/000~",
        "tile/.hidden",
        "tile/0/002.p/0188",
        "tile/0/002.p/188/1",
    ] {
        matrix.add(format!("{path} added"), Some(Finding::FileUnexpected), None, |files| {
            files.insert(path.to_owned(), vec![0; 32]);
        });
    }
}

/// Where the entries of a bundle begin and end in its bytes.
fn spans(bundle: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut spans = Vec::new();
    let mut at = 0;
    while at < bundle.len() {
        let len = usize::from(u16::from_be_bytes([bundle[at], bundle[at + 1]]));
        spans.push(at..at + 2 + len);
        at += 2 + len;
    }
    spans
}

fn bundle_of(index: u64) -> String {
    match index / 256 {
        2 => "tile/entries/002.p/188".to_owned(),
        n => format!("tile/entries/{n:03}"),
    }
}

/// Single entries changed, swapped, dropped, doubled within their bundle.
fn entries(matrix: &mut Matrix, ledger: &Ledger) {
    for index in (0..SIZE).step_by(71).chain([255, 256, SIZE - 1]) {
        let path = bundle_of(index);
        let place = usize::try_from(index % 256).expect("small");
        let span = spans(&matrix.original[&path])[place].clone();
        matrix.edit(&path, &format!("entry {index} changed"), Some(Finding::EntryChanged), Some(index), |bytes| {
            let digit = span.clone().rev().find(|&at| bytes[at].is_ascii_digit()).expect("a digit");
            bytes[digit] = if bytes[digit] == b'1' { b'2' } else { b'1' };
        });
        matrix.edit(&path, &format!("entry {index} dropped"), None, Some(index), |bytes| {
            bytes.drain(span.clone());
        });
        matrix.edit(&path, &format!("entry {index} twice"), None, None, |bytes| {
            let entry = bytes[span.clone()].to_vec();
            bytes.splice(span.start..span.start, entry);
        });
        if let Some(next) = spans(&matrix.original[&path]).get(place + 1).cloned() {
            matrix.edit(&path, &format!("entries {index} and the next swapped"), Some(Finding::EntryChanged), Some(index), |bytes| {
                let swapped = [&bytes[next.clone()], &bytes[span.clone()]].concat();
                bytes.splice(span.start..next.end, swapped);
            });
        }
        matrix.edit(&path, &format!("length of entry {index} changed"), None, None, |bytes| bytes[span.start + 1] ^= 1);
    }
    let (leaf, _) = &ledger.entries[9];
    let text = String::from_utf8(leaf.clone()).expect("UTF-8");
    let span = spans(&matrix.original["tile/entries/000"])[9].clone();
    for (name, other) in [
        ("another decision", text.replace("permit", "deny")),
        ("another party", text.replace("131016", "131024")),
        ("white space", text.replacen(':', ": ", 1)),
        ("nothing", String::new()),
    ] {
        matrix.edit("tile/entries/000", &format!("entry 9 with {name}"), Some(Finding::EntryChanged), Some(9), |bytes| {
            let len = u16::try_from(other.len()).expect("short").to_be_bytes();
            bytes.splice(span.clone(), [&len, other.as_bytes()].concat());
        });
    }
}

/// Hashes in tiles.
fn tiles(matrix: &mut Matrix) {
    for index in (0..SIZE).step_by(53) {
        let path = bundle_of(index).replace("entries", "0");
        let at = usize::try_from(index % 256).expect("small") * 32;
        matrix.edit(&path, &format!("hash {index} flipped"), Some(Finding::TileChanged), Some(index), |bytes| bytes[at + 7] ^= 0x20);
    }
    matrix.edit("tile/0/001", "two hashes swapped", Some(Finding::TileChanged), Some(256), |bytes| bytes[..64].rotate_left(32));
    matrix.edit("tile/1/000.p/2", "two hashes swapped", Some(Finding::TileChanged), None, |bytes| bytes.rotate_left(32));
    matrix.edit("tile/1/000.p/2", "a hash less", Some(Finding::FileLength), None, |bytes| bytes.truncate(32));
    matrix.add("entry and its hash changed together", Some(Finding::EntryOrTileChanged), None, |files| {
        let span = spans(&files["tile/entries/000"])[3].clone();
        files.get_mut("tile/entries/000").expect("a file")[span.end - 3] ^= 1;
        files.get_mut("tile/0/000").expect("a file")[200] ^= 1;
    });
}

fn lines(files: &mut Files, change: impl FnOnce(&mut Vec<String>)) {
    let text = String::from_utf8(files["openings.ndjson"].clone()).expect("UTF-8");
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    change(&mut lines);
    files.insert("openings.ndjson".to_owned(), (lines.join("\n") + "\n").into_bytes());
}

/// Openings edited, moved, dropped, doubled. That one becomes null cannot be told from an erasure and is counted as one.
fn openings(matrix: &mut Matrix) {
    let mut edit = |name: String, finding, index, change: &dyn Fn(&mut Vec<String>)| {
        matrix.add(format!("openings: {name}"), Some(finding), Some(index), |files| lines(files, change));
    };
    for index in [1_usize, 255, 257, 699] {
        let at = index as u64;
        let with = |from: &'static str, to: &'static str| {
            move |lines: &mut Vec<String>| {
                assert!(lines[index].contains(from));
                lines[index] = lines[index].replacen(from, to, 1);
            }
        };
        edit(format!("{index} other staff"), Finding::OpeningMismatch, at, &with("係員", "職員"));
        edit(format!("{index} a row more"), Finding::OpeningMismatch, at, &with("[\"family_name\"", "[\"offence_name\",\"family_name\""));
        edit(format!("{index} a row less withheld"), Finding::OpeningMismatch, at, &with("\"rules\":[\"necessity\"]", "\"rules\":[]"));
        edit(format!("{index} a member added"), Finding::OpeningMismatch, at, &with("{\"case\"", "{\"note\":\"x\",\"case\""));
        edit(format!("{index} a member twice"), Finding::OpeningForm, at, &with("{\"case\"", "{\"staff\":\"x\",\"case\""));
        edit(format!("{index} no salt"), Finding::OpeningMismatch, at, &with("\"salt\"", "\"tlas\""));
        edit(format!("{index} a line of another form"), Finding::OpeningForm, at, &with("\"opened\"", "\"opening\""));
        edit(format!("{index} dropped"), Finding::OpeningMissing, at, &|lines| {
            lines.remove(index);
        });
        edit(format!("{index} twice"), Finding::OpeningRepeated, at, &|lines| lines.insert(index, lines[index].clone()));
        edit(format!("{index} and the first swapped"), Finding::OpeningMissing, 0, &|lines| lines.swap(0, index));
        edit(format!("{index} carried to entry 4"), Finding::OpeningUncommitted, 4, &|lines| {
            lines[4] = lines[index].replacen(&format!("\"index\":{index},"), "\"index\":4,", 1);
        });
        edit(format!("{index} carried to entry 5"), Finding::OpeningMismatch, 5, &|lines| {
            lines[5] = lines[index].replacen(&format!("\"index\":{index},"), "\"index\":5,", 1);
        });
    }
    edit("one line too many".to_owned(), Finding::OpeningBeyond, SIZE, &|lines| lines.push("{\"index\":700,\"opened\":null}".to_owned()));
    edit("an empty line".to_owned(), Finding::OpeningForm, 30, &|lines| lines.insert(30, String::new()));
}

/// The checkpoint resized, re-rooted, signed by others, of others.
fn checkpoints(matrix: &mut Matrix, ledger: &Ledger) {
    let note = String::from_utf8(matrix.original["checkpoint"].clone()).expect("UTF-8");
    let text: Vec<&str> = note.split('\n').collect();
    let with = |line: usize, other: &str| {
        let mut changed = text.clone();
        changed[line] = other;
        changed.join("\n")
    };
    let root = Ledger::new(SIZE + 1).note(SIZE + 1).split('\n').nth(2).expect("a root").to_owned();
    for (name, finding, other) in [
        ("another origin in the text", Finding::CheckpointSignature, with(0, "other.example/ledger")),
        ("one less", Finding::CheckpointSignature, with(1, "699")),
        ("one more", Finding::CheckpointSignature, with(1, "701")),
        ("size not canonical", Finding::CheckpointSignature, with(1, "0700")),
        ("another root", Finding::CheckpointSignature, with(2, &root)),
        ("an extension line", Finding::CheckpointSignature, note.replacen("\n\n", "\nmore\n\n", 1)),
        ("without signature", Finding::CheckpointForm, note.split("\n\n").next().expect("a text").to_owned() + "\n"),
        ("signed by another key", Finding::CheckpointKey, ledger.signed_by_another().note(SIZE)),
        ("of another origin", Finding::CheckpointKey, ledger.of_origin("other.example/ledger").note(SIZE)),
        ("signed twice", Finding::CheckpointSignature, format!("{note}{}\n", text[4])),
        ("of fewer entries", Finding::FileUnexpected, ledger.note(SIZE - 1)),
        ("of no entries", Finding::LedgerEmpty, ledger.note(0)),
        ("of more entries", Finding::FileUnexpected, Ledger::new(SIZE + 1).note(SIZE + 1)),
    ] {
        matrix.edit("checkpoint", name, Some(finding), None, |bytes| *bytes = other.into_bytes());
    }
    matrix.edit("checkpoint", "not UTF-8", Some(Finding::CheckpointForm), None, |bytes| bytes[0] = 0xff);
    matrix.edit("checkpoint", "endless", Some(Finding::FileLength), None, |bytes| bytes.resize(600_000, b'a'));
}

/// Ledgers that are whole in themselves: only the signature can tell.
fn whole_ledgers(matrix: &mut Matrix, ledger: &Ledger) {
    let note = ledger.note(SIZE).into_bytes();
    let changed = |change: &dyn Fn(&mut Ledger)| {
        let mut other = ledger.clone();
        change(&mut other);
        other
    };
    let swapped = changed(&|l| l.entries.swap(10, 11));
    let without = changed(&|l| {
        l.entries.remove(300);
    });
    let cut = changed(&|l| l.entries.truncate(699));
    let more = changed(&|l| l.entries.push(l.entries[699].clone()));
    let edited = changed(&|l| {
        let text = String::from_utf8(l.entries[33].0.clone()).expect("UTF-8");
        l.entries[33].0 = text.replace("131016", "131024").into_bytes();
    });
    for (name, other) in [("swapped", swapped), ("without one", without), ("cut", cut), ("one more", more), ("edited", edited)] {
        let rebuilt = other.files();
        matrix.add(format!("rebuilt, {name}, old checkpoint"), None, None, |files| {
            *files = rebuilt.clone();
            files.insert("checkpoint".to_owned(), note.clone());
        });
        matrix.add(format!("rebuilt, {name}, signed by another"), Some(Finding::CheckpointKey), None, |files| {
            *files = other.signed_by_another().files();
        });
    }
    matrix.add("unchanged, but signed by another", Some(Finding::CheckpointKey), None, |files| *files = ledger.signed_by_another().files());
    matrix.add("unchanged, but of another origin", Some(Finding::CheckpointKey), None, |files| {
        *files = ledger.of_origin("other.example/ledger").files();
    });
}

fn of_signed(entries: Vec<(Vec<u8>, Value)>) -> Report {
    check(&Ledger::of(entries).files())
}

#[test]
fn what_the_gateway_itself_signed_wrongly_is_found() {
    let leaf_with = |index: u64, name: &str, value: Value| {
        let mut event = event(index);
        event[name] = value;
        leaf(&event)
    };
    let base = Ledger::new(300).entries;
    for (finding, index, bytes) in [
        (Finding::FirstEntry, 0, leaf_with(0, "type", json!("release"))),
        (Finding::EntryVersion, 270, leaf_with(270, "v", json!(2))),
        (Finding::EntryId, 4, leaf_with(4, "id", json!(jti("version 4")))),
        (Finding::EntryIdRepeated, 264, leaf_with(264, "id", event(263)["id"].clone())),
        (Finding::EntryTime, 4, leaf_with(4, "time", json!("2026-11-18T20:06:40.006000+09:00"))),
        (Finding::EntryTimeOrder, 256, leaf_with(256, "time", event(255)["time"].clone())),
        (Finding::EntryForm, 8, leaf_with(8, "operation", json!("case.steal"))),
        (Finding::EntryForm, 8, b"not json".to_vec()),
        (Finding::EntryForm, 8, [leaf(&event(8)), b" ".to_vec()].concat()),
        (Finding::EntryForm, 8, Vec::new()),
        (Finding::EntryLength, 12, leaf_with(12, "reason", json!("x".repeat(4_096)))),
    ] {
        let mut entries = base.clone();
        entries[usize::try_from(index).unwrap()] = (bytes, Value::Null);
        let report = of_signed(entries);
        assert_eq!(report.problems.first().map(|p| (p.finding, p.index)), Some((finding, Some(index))), "{:?}", report.problems);
    }
}

#[test]
fn a_release_behind_the_end_of_its_right_is_found() {
    let consent = jti("ended");
    let act = |index: u64, kind: &str, operation: &str, act: &str| {
        let mut event = event(index);
        event["type"] = json!(kind);
        event["operation"] = json!(operation);
        event["act"] = json!(act);
        with_opening(event, Some(json!({"consent": consent})))
    };
    let release = |index: u64| {
        let mut event = event(index);
        event["type"] = json!("release");
        event["operation"] = json!("message.read");
        with_opening(event, Some(json!({"consent": consent})))
    };
    for (kind, operation, what, finding) in [
        ("consent_end", "consent.end", "end", Some(Finding::ReleaseAfterConsentEnd)),
        ("consent_end", "consent.end", "narrow", None),
        ("agreement_signature", "agreement.sign", "revoke", Some(Finding::ReleaseAfterAgreementEnd)),
        ("agreement_signature", "agreement.sign", "suspend", Some(Finding::ReleaseAfterAgreementEnd)),
        ("agreement_signature", "agreement.sign", "accept", None),
        ("party", "party.register", "suspend", Some(Finding::ReleaseToSuspended)),
        ("party", "party.register", "readmit", None),
    ] {
        let mut entries = Ledger::new(10).entries;
        entries[3] = release(3);
        entries[5] = act(5, kind, operation, what);
        entries[9] = release(9);
        let report = of_signed(entries);
        let found: Vec<_> = report.problems.iter().map(|p| (p.finding, p.index)).collect();
        let expected: Vec<_> = finding.into_iter().flat_map(|f| releases_after(5, kind).map(move |index| (f, Some(index)))).collect();
        assert_eq!(found, expected, "{kind} {what}");
        assert_eq!(report.order.releases, 7);
    }
}

/// Releases of the stage behind an index that the end concerns: all name one agreement and one party, only the last the consent.
fn releases_after(index: u64, kind: &str) -> impl Iterator<Item = u64> {
    let only_last = kind == "consent_end";
    [6, 8, 9].into_iter().filter(move |&at| at > index && (!only_last || at == 9))
}
