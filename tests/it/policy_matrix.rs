//! The rendered matrix: what the file says, and what the design decided.

use tsunagi::{domain::field::FieldClass, policy::PolicySet};

/// The decided table (`domain.md` section 8), one row per class in catalogue order; columns as in the rendered matrix.
const DECIDED: &[(&str, &str)] = &[
    ("routing", "● ● ● ● ● ● ● ● ● ● ● ● ● ● ●"),
    ("task", "● ● ● ● ● ● ● ● ● ● ● ● ● － ●"),
    ("criminal_status", "● ● － ● － ● ● ○ － － ● ● － － －"),
    ("identity", "● ● ● ● － ● ● ● ● ● ● ● － － －"),
    ("minimal", "● ● － － ● ● － － － － － － ● － －"),
    ("accommodation", "● ● ● ● ● ● ● ● － － － － － － －"),
    ("contact", "● ● ● ● － － ● ● － － － ● － － －"),
    ("residence", "● ● ● ● － ● ● － － － ● ● － － －"),
    ("wishes", "● ● ● ● － ● ● ● － － － ● － － －"),
    ("custody", "● ● － ● － － － － － － － － － － －"),
    ("release_fact", "● ● － ● － － ● － － ● － － － － －"),
    ("supervision", "● ● － ○ － － ○ － － － － － － － －"),
    ("criminal_summary", "● ● － ● － ○ ● － － － － － － － －"),
    ("criminal_detail", "○ ○ － － － － － － － － － － － － －"),
    ("criminal_background", "○ ○ － ○ － － ○ ○ － － － － － － －"),
    ("medical_observation", "○ ○ － ○ － － ○ － － － － － － － －"),
    ("risk_environment", "● ● － ● － ● ● ○ － － － ● ● － －"),
    ("safety", "● ● － ● － ● ● ● － － － ● ● － －"),
    ("victim_related", "○ ○ － － － － ○ － － － － － － － －"),
    ("disability", "● ● ● ● － ● ● ● － － － ● － － －"),
    ("medical", "● ● ● ● － ● ● ○ － － － － － － －"),
    ("medical_restricted", "○ ○ － ○ － － ○ － － － － － － － －"),
    ("care_need", "● ● ● ● ● ● ● ● － － － ● － － －"),
    ("assessment", "● ● ● ● － ● ● ● － － － ● ● － －"),
    ("assessment_clinical", "○ ○ － ○ － － － － － － － － － － －"),
    ("life_history", "○ ○ － ○ － － － － － － － － － － －"),
    ("gov_identifier", "○ ○ ● ● － － ● ● ● ● － － － － －"),
    ("benefit", "● ● ● ● － － ● ● － － － － － － －"),
    ("finance", "○ ○ － ○ － － ○ － － － － － － － －"),
    ("guardian", "● ● ● ● － ● ● ● － － － － － － －"),
    ("family", "○ ○ － ○ － － ○ － － － － － － － －"),
    ("network", "● ● － ● － － ● － － － － ● － － －"),
    ("plan", "● ● ● ● － － ● ● － － － ● － － －"),
    ("placement", "● ● － ● － － ● － － ● ● ● － － －"),
    ("followup", "● ● － ● － － ● ○ － － － ● ● － －"),
    ("addon_proof", "－ － － － － － － － ● ● － － － － －"),
    ("consent_meta", "● ● ● ● ● ● ● ● ● ● ● ● ● ● ●"),
    ("consent_detail", "● ● － ● － － ● － － － － ● － － －"),
    ("consent_scan", "－ － － － － － － － － － － － － － －"),
    ("free_text", "○ ○ － ○ － － － － － － － － － － －"),
    ("prohibited", "－ － － － － － － － － － － － － － －"),
];

#[test]
fn the_policies_say_what_the_design_decided() {
    let matrix = PolicySet::builtin().unwrap().matrix();
    assert_eq!(DECIDED.len(), FieldClass::ALL.len());
    for (class, cells) in DECIDED {
        let head = format!("| `{class}` | ");
        let line = matrix.lines().find_map(|line| line.strip_prefix(&head)).unwrap();
        let rendered: Vec<&str> = line.split(" | ").skip(1).map(|cell| cell.trim_end_matches(" |")).collect();
        assert_eq!(rendered.join(" "), *cells, "{class}");
    }
}

/// Whether a file in `policies/` is what is rendered; `TSUNAGI_BLESS=1` renders it anew.
fn is_rendered(file: &str, rendered: &str) -> bool {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("policies").join(file);
    if std::env::var_os("TSUNAGI_BLESS").is_some() {
        std::fs::write(&path, rendered).unwrap();
    }
    std::fs::read_to_string(&path).unwrap() == rendered
}

#[test]
fn the_committed_matrix_is_the_rendered_one() {
    let policies = PolicySet::builtin().unwrap();
    for (file, rendered) in [("matrix.ja.md", policies.matrix()), ("matrix.golden.csv", policies.table())] {
        assert!(is_rendered(file, &rendered), "{file}: render it anew with TSUNAGI_BLESS=1 and have the change approved");
    }
}

#[test]
fn the_table_for_machines_says_what_the_matrix_says() {
    let policies = PolicySet::builtin().unwrap();
    let table = policies.table();
    let line = |start: &str| table.lines().find_map(|line| line.strip_prefix(start)).unwrap().split(',').collect::<Vec<_>>().join(" ");
    let column = |at: usize| DECIDED.iter().map(|(_, cells)| cells.split(' ').nth(at).unwrap()).collect::<Vec<_>>().join(" ");
    assert_eq!(line("municipality,placement_coordination,assigned,any,any,"), column(0));
    assert_eq!(line("municipality,benefit_decision,assigned,any,any,"), column(2));
    assert_eq!(line("group_home,placement_coordination,prospective,yes,no,"), column(4));
    assert_eq!(line("group_home,placement_coordination,considering,no,yes,"), column(5));
    assert_eq!(line("day_service,service_provision,accepted,any,any,"), column(7));
    assert!(!table.contains("operator,") && table.lines().count() > 200);
}
