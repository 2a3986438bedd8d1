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

#[test]
fn the_committed_matrix_is_the_rendered_one() {
    let rendered = PolicySet::builtin().unwrap().matrix();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/policies/matrix.ja.md");
    if std::env::var_os("TSUNAGI_BLESS").is_some() {
        std::fs::write(file, &rendered).unwrap();
    }
    assert_eq!(std::fs::read_to_string(file).unwrap(), rendered, "render it anew with TSUNAGI_BLESS=1 and have the change approved");
}
