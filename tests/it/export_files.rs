//! An export as it is written: its files, that it verifies, and that it does so for large ledgers.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tsunagi::{
    domain::entry::EntryType,
    ledger::{
        export::{CsvWriter, ExportError, FolderWriter, JsonLines},
        verify::{Anchors, CONSENT_BASES, Folder, OpeningCount, commitment, verify},
    },
    text::audit::{CSV_COLUMNS, Finding, Remark},
};

use super::export_stage::{Ledger, check, check_since, event, leaf, with_opening};

#[test]
fn an_export_verifies_in_memory_and_as_a_folder() {
    let ledger = Ledger::new(700);
    let report = check(&ledger.files());
    assert!(report.holds(), "{:?}", report.problems);
    assert_eq!(report.remarks, []);
    let head = report.checkpoint.as_ref().unwrap();
    assert_eq!((head.origin(), head.size()), ("gateway.example/ledger", 700));
    assert_eq!(report.openings, OpeningCount { opened: 525, erased: 0, none: 175 });
    assert_eq!(report.types.values().sum::<u64>(), 700);
    assert_eq!(report.types[&EntryType::LedgerOpened], 1);
    assert_eq!(report.order.judged, report.types[&EntryType::Release]);

    let folder = tempfile::tempdir().unwrap();
    ledger.write(&folder.path().join("export"));
    let key = ledger.key();
    let anchors = Anchors { key: &key, kept: None, quorum: None, consent_bases: CONSENT_BASES };
    assert_eq!(verify(&Folder::new(&folder.path().join("export")), &anchors).unwrap(), report);
}

#[test]
fn the_files_are_those_of_tlog_tiles_and_four_more() {
    let names = |size| Ledger::new(size).files().into_keys().collect::<BTreeSet<_>>();
    let beside = ["README.txt", "checkpoint", "openings.ndjson", "vkey"];
    let expected = |tiles: &[&str]| beside.iter().chain(tiles).map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(names(1), expected(&["tile/0/000.p/1", "tile/entries/000.p/1"]));
    assert_eq!(names(256), expected(&["tile/0/000", "tile/1/000.p/1", "tile/entries/000"]));
    assert_eq!(
        names(700),
        expected(&[
            "tile/0/000",
            "tile/0/001",
            "tile/0/002.p/188",
            "tile/1/000.p/2",
            "tile/entries/000",
            "tile/entries/001",
            "tile/entries/002.p/188"
        ])
    );
}

#[test]
fn every_size_around_a_full_tile_verifies() {
    for size in [1, 2, 255, 256, 257, 511, 512, 513] {
        let report = check(&Ledger::new(size).files());
        assert!(report.holds(), "{size}: {:?}", report.problems);
    }
    let report = check(&Ledger::new(0).files());
    assert!(report.has(Finding::LedgerEmpty));
}

#[test]
#[ignore = "writes and reads 250 MB; run it after changing how much is kept in memory"]
fn a_million_entries_verify() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("export");
    let mut writer = FolderWriter::create(&path).unwrap();
    let mut ledger = Ledger::new(0);
    for index in 0..1_000_000 {
        writer.push(&leaf(&event(index)), &Value::Null).unwrap();
    }
    let head = tsunagi::tlog::Checkpoint::new(&ledger.origin, writer.size(), writer.root()).unwrap();
    writer.finish(&head.sign(&ledger.signer()).unwrap(), &ledger.key()).unwrap();
    ledger.entries.clear();
    let key = ledger.key();
    let report = verify(&Folder::new(&path), &Anchors { key: &key, kept: None, quorum: None, consent_bases: CONSENT_BASES }).unwrap();
    assert!(report.holds(), "{:?}", report.problems);
    assert_eq!(report.checkpoint.unwrap().size(), 1_000_000);
}

#[test]
fn a_checkpoint_of_other_entries_is_not_written() {
    let ledger = Ledger::new(3);
    let folder = tempfile::tempdir().unwrap();
    for (name, note, key) in
        [("smaller", ledger.note(2), ledger.key()), ("forked", Ledger::of(Ledger::new(4).entries.split_off(1)).note(3), ledger.key())]
    {
        let mut writer = FolderWriter::create(&folder.path().join(name)).unwrap();
        for (leaf, opened) in &ledger.entries {
            writer.push(leaf, opened).unwrap();
        }
        assert!(matches!(writer.finish(&note, &key), Err(ExportError::Checkpoint)), "{name}");
        assert!(!folder.path().join(name).join("checkpoint").exists());
    }
    assert!(
        matches!(FolderWriter::create(&folder.path().join("smaller")), Err(ExportError::File(..))),
        "a folder with files is not touched"
    );
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_an_export() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("export");
    Ledger::new(300).write(&path);
    let mode = |name: &str| path.join(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!([mode(""), mode("tile"), mode("tile/0"), mode("tile/entries/001.p")], [0o700; 4]);
    assert_eq!([mode("checkpoint"), mode("openings.ndjson"), mode("tile/entries/000"), mode("tile/0/000")], [0o600; 4]);
}

#[test]
fn a_kept_checkpoint_of_any_earlier_size_is_continued() {
    let ledger = Ledger::new(600);
    let files = ledger.files();
    for size in [0, 1, 2, 255, 256, 257, 512, 599, 600] {
        let report = check_since(&files, Some(&ledger.note(size)));
        assert!(report.holds(), "{size}: {:?}", report.problems);
        assert_eq!(report.continues, Some(size));
    }
}

#[test]
fn a_kept_checkpoint_that_the_export_does_not_continue_is_named() {
    let ledger = Ledger::new(600);
    let files = ledger.files();
    let mut other = ledger.clone();
    other.entries.swap(100, 101);
    for (note, finding) in [
        (other.note(102), Finding::HistoryForked),
        (other.note(600), Finding::HistoryForked),
        (Ledger::new(601).note(601), Finding::KeptNewer),
        (ledger.signed_by_another().note(5), Finding::KeptNote),
        (ledger.of_origin("other.example/ledger").note(5), Finding::KeptNote),
        ("a note\n".to_owned(), Finding::KeptNote),
        (String::new(), Finding::KeptNote),
    ] {
        let report = check_since(&files, Some(&note));
        assert_eq!(report.problems.iter().map(|p| p.finding).collect::<Vec<_>>(), [finding], "{note}");
        assert_eq!(report.continues, None);
    }
    assert!(check_since(&files, Some(&other.note(100))).holds(), "up to there both histories are one");
}

#[test]
fn the_key_in_the_export_and_files_beside_it_are_remarked_and_not_believed() {
    let ledger = Ledger::new(3);
    let mut files = ledger.files();
    files.insert("vkey".to_owned(), format!("{}\n", ledger.signed_by_another().key()).into_bytes());
    files.insert("notes.txt".to_owned(), Vec::new());
    let report = check(&files);
    assert!(report.holds());
    assert_eq!(report.remarks, [(Remark::OwnKeyDiffers, None), (Remark::FileBeside, Some("notes.txt".to_owned()))]);
    files.remove("vkey");
    files.remove("README.txt");
    assert_eq!(check(&files).remarks.first(), Some(&(Remark::OwnKeyMissing, None)));
    assert!(check(&files).holds());
}

#[test]
fn an_erased_opening_is_counted_and_everything_still_holds_but_one_that_is_only_gone_is_named() {
    let mut ledger = Ledger::new(300);
    let mut erased = Vec::new();
    for (index, (_, opened)) in (0_u64..).zip(&mut ledger.entries).skip(100) {
        if !std::mem::replace(opened, Value::Null).is_null() {
            erased.push(index);
        }
    }
    let erasure = |erased: &[u64]| {
        let mut event = event(300);
        for member in ["actor", "basis", "agreement"] {
            event.as_object_mut().unwrap().remove(member);
        }
        event["type"] = json!("erasure");
        event["operation"] = json!("case.erase");
        event["count"] = json!(erased.len());
        with_opening(event, Some(json!({"erasure": "order", "erased": erased, "disclosed": [], "withheld": []})))
    };
    let with = |erased: &[u64]| {
        let mut ledger = ledger.clone();
        ledger.entries.push(erasure(erased));
        check(&ledger.files())
    };
    let report = with(&erased);
    assert!(report.holds(), "{:?}", report.problems);
    assert_eq!(report.openings, OpeningCount { opened: 76, erased: 150, none: 75 });
    assert!(report.order.unopened > 0 && report.order.judged > 0);
    let report = with(&erased[1..]);
    assert!(report.has(Finding::OpeningGone) && report.first_bad() == Some(erased[0]), "{:?}", report.problems);
    // One that is there is named as erased.
    assert!(with(&[&[1], &erased[..]].concat()).has(Finding::ErasureList));
    assert!(check(&ledger.files()).has(Finding::OpeningGone), "no erasure at all");
}

#[test]
fn each_line_of_json_is_the_event_of_the_audit_api() {
    let ledger = Ledger::new(20);
    let mut lines = JsonLines::new(Vec::new());
    for (index, (leaf, opened)) in (0..).zip(&ledger.entries) {
        lines.push(index, &serde_json::from_slice(leaf).unwrap(), opened).unwrap();
    }
    let text = String::from_utf8(lines.finish().unwrap()).unwrap();
    assert_eq!(text.lines().count(), 20);
    for (index, (line, (bytes, opened))) in (0_u64..).zip(text.lines().zip(&ledger.entries)) {
        let event: Value = serde_json::from_str(line).unwrap();
        assert_eq!((&event["index"], &event["opened"]), (&json!(index), opened));
        assert_eq!(leaf(&event["entry"]), *bytes);
        if let Some(opened) = event["opened"].as_object() {
            assert_eq!(json!(commitment(opened)), event["entry"]["open_c"]);
        }
    }
}

#[test]
fn a_table_opens_in_a_spreadsheet_and_computes_nothing() {
    let mut table = CsvWriter::new(Vec::new()).unwrap();
    let mut entry: tsunagi::ledger::Entry = serde_json::from_value(event(1)).unwrap();
    entry.reason = Some("=HYPERLINK(\"http://evil.example\")".to_owned());
    entry.rules = vec!["@SUM(1)".to_owned(), "N-01".to_owned()];
    let opening: tsunagi::ledger::Opening = serde_json::from_value(json!({
        "staff": "＋係員,\r\n\"7\"",
        "disclosed": ["family_name", "given_name"],
        "withheld": [{"field": "offence_name", "rules": ["necessity", "P-02"]}],
    }))
    .unwrap();
    table.push(1, &entry, Some(&opening)).unwrap();
    table.push(2, &serde_json::from_value(event(2)).unwrap(), None).unwrap();
    let text = String::from_utf8(table.finish().unwrap()).unwrap();
    let rows = csv(text.strip_prefix('\u{feff}').unwrap());
    assert_eq!(rows.iter().map(Vec::len).collect::<Vec<_>>(), [CSV_COLUMNS.len(); 3]);
    assert_eq!(rows[0], CSV_COLUMNS);
    let cell = |name: &str| rows[1][CSV_COLUMNS.iter().position(|column| column.contains(&format!("({name})"))).unwrap()].as_str();
    assert_eq!(cell("index"), "1");
    assert_eq!((cell("time, UTC"), cell("time, Japan")), ("2026-11-18T11:06:40.001500Z", "2026-11-18 20:06:40"));
    assert_eq!(cell("reason"), "'=HYPERLINK(\"http://evil.example\")");
    assert_eq!(cell("rules"), "'@SUM(1) N-01");
    assert_eq!(cell("staff"), "'＋係員,\r\n\"7\"");
    assert_eq!(cell("disclosed"), "family_name given_name");
    assert_eq!(cell("withheld, rules"), "offence_name(necessity,P-02)");
    assert_eq!(cell("agreement"), "AG-13-0001/1");
    assert!(rows[2][10].is_empty());
}

/// RFC 4180, every cell quoted.
fn csv(text: &str) -> Vec<Vec<String>> {
    let mut rows = vec![vec![]];
    let mut rest = text;
    while let Some(after) = rest.strip_prefix('"') {
        let mut cell = String::new();
        let mut chars = after.char_indices();
        let end = loop {
            let (at, c) = chars.next().expect("a closed cell");
            if c != '"' {
                cell.push(c);
            } else if after[at + 1..].starts_with('"') {
                cell.push('"');
                chars.next();
            } else {
                break at + 1;
            }
        };
        rows.last_mut().unwrap().push(cell);
        rest = &after[end..];
        if let Some(next) = rest.strip_prefix("\r\n") {
            rows.push(vec![]);
            rest = next;
        } else {
            rest = rest.strip_prefix(',').expect("a comma between cells");
        }
    }
    assert!(rest.is_empty());
    rows.pop();
    rows
}
