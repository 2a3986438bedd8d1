//! Whatever the bytes of an export are: verification ends with a report, and only the original holds.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::export_stage::{Files, Ledger, check, check_since};

static ORIGINAL: LazyLock<Files> = LazyLock::new(|| Ledger::new(260).files());

fn a_path() -> impl Strategy<Value = String> {
    proptest::sample::select(ORIGINAL.keys().cloned().collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_in_any_file_give_a_report(path in a_path(), bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let mut files = ORIGINAL.clone();
        files.insert(path.clone(), bytes);
        let report = check(&files);
        prop_assert_eq!(report.holds(), ["README.txt", "vkey"].contains(&path.as_str()));
    }

    #[test]
    fn any_changed_byte_of_the_evidence_is_refused(path in a_path(), at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let mut files = ORIGINAL.clone();
        let bytes = files.get_mut(&path).expect("a file");
        let place = at.index(bytes.len());
        prop_assume!(bytes[place] != to && !["README.txt", "vkey"].contains(&path.as_str()));
        bytes[place] = to;
        prop_assert!(!check(&files).holds());
    }

    #[test]
    fn any_line_of_openings_gives_a_report(line in "[\\{\\}\\[\\]\":,a-z0-9\\\\. ]{0,200}", at in 0_usize..260) {
        let mut files = ORIGINAL.clone();
        let text = String::from_utf8(files["openings.ndjson"].clone()).expect("UTF-8");
        let mut lines: Vec<&str> = text.lines().collect();
        lines[at] = &line;
        files.insert("openings.ndjson".to_owned(), (lines.join("\n") + "\n").into_bytes());
        prop_assert!(!check(&files).holds());
    }

    #[test]
    fn any_kept_note_gives_a_report(note in "\\PC{0,80}(\\n\\PC{0,80}){0,6}\\n?") {
        prop_assert!(!check_since(&ORIGINAL, Some(&note)).holds());
    }

    #[test]
    fn any_set_of_files_gives_a_report(paths in proptest::collection::vec("tile/(entries|[0-9]{1,2})(/x?[0-9]{3}){1,3}(\\.p/[0-9]{1,3})?", 1..8)) {
        let mut files = ORIGINAL.clone();
        for path in &paths {
            files.entry(path.clone()).or_insert_with(|| vec![0; 32]);
        }
        let report = check(&files);
        prop_assert_eq!(report.holds(), files.len() == ORIGINAL.len());
    }
}
