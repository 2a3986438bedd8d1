//! What a policy directory must be before a gateway believes it.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tsunagi::{
    domain::{
        agreement::AgreementState,
        codes::{BasisGroup, LegalBasis},
        consent::ConsentState,
        field::FieldClass,
    },
    message::schema::{Ident, MessageSchema, SchemaSet},
    policy::{PolicyError, PolicySet},
    text::Lang,
};

const NECESSITY: &str = "10_necessity.cedar";
const AGREEMENT: &str = "30_agreement.cedar";
const CONSENT: &str = "40_consent.cedar";
const CLASSES: &str = "catalogue/classes.toml";

fn published() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("policies")
}

/// A copy of the published policies in which one text is replaced once.
fn changed(file: &str, from: &str, to: &str) -> TempDir {
    let dir = TempDir::new().unwrap();
    std::fs::create_dir(dir.path().join("catalogue")).unwrap();
    for folder in ["", "catalogue"] {
        for entry in std::fs::read_dir(published().join(folder)).unwrap().map(Result::unwrap).filter(|e| e.path().is_file()) {
            std::fs::copy(entry.path(), dir.path().join(folder).join(entry.file_name())).unwrap();
        }
    }
    let path = dir.path().join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{file} has no {from}");
    std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
    dir
}

fn refused(file: &str, from: &str, to: &str) -> PolicyError {
    PolicySet::load(changed(file, from, to).path()).expect_err("the change must not load")
}

#[test]
fn the_directory_and_the_built_in_set_are_the_same() {
    assert_eq!(PolicySet::load(&published()).unwrap().digest(), PolicySet::builtin().unwrap().digest());
}

#[test]
fn the_digest_covers_every_deciding_file_and_no_prose() {
    let digest = |file: &str, from: &str, to: &str| PolicySet::load(changed(file, from, to).path()).unwrap().digest();
    let known = PolicySet::builtin().unwrap().digest();
    assert_ne!(digest(NECESSITY, "業務上不可欠", "業務上必要"), known);
    assert_ne!(digest("catalogue/legal_basis.toml", "verified = false", "verified = true"), known);
    assert_ne!(digest(CLASSES, "経路情報", "経路"), known);
    assert_ne!(digest("catalogue/addon_rules.toml", "unit = 670", "unit = 671"), known);
    assert_ne!(digest("disclosure.cedarschema", "// ", "//  "), known);
    assert_eq!(digest("README.ja.md", "#", "##"), known);
}

#[test]
fn a_misspelt_class_is_refused() {
    assert!(matches!(refused(NECESSITY, r#"FieldClass::"custody""#, r#"FieldClass::"custdy""#), PolicyError::Invalid(_)));
    assert!(matches!(
        refused("20_prohibition.cedar", r#"FieldClass::"prohibited""#, r#"FieldClass::"prohibitted""#),
        PolicyError::Invalid(_)
    ));
}

#[test]
fn a_policy_that_names_one_organisation_is_refused() {
    let one = refused(NECESSITY, r#"principal == OrgKind::"day_service""#, r#"principal == OrgKind::"day_service:1320100017""#);
    assert!(matches!(one, PolicyError::Invalid(_)), "{one}");
    let typed = refused(NECESSITY, r#"principal == OrgKind::"day_service""#, r#"principal == Party::"day_service:1320100017""#);
    assert!(matches!(typed, PolicyError::Invalid(_)), "{typed}");
    let open = refused("disclosure.cedarschema", r#"action "disclose""#, "entity Party;\naction \"disclose\"");
    assert!(matches!(open, PolicyError::List { list: "entity types", .. }), "{open}");
    let text = refused("disclosure.cedarschema", "named_recipient: Bool", "named_recipient: Bool, reader: String");
    assert!(matches!(text, PolicyError::List { list: "context", .. }), "{text}");
    let boolean = refused("disclosure.cedarschema", "named_recipient: Bool", "named_recipient: Long");
    assert!(matches!(boolean, PolicyError::Invalid(_) | PolicyError::Schema(_)), "{boolean}");
}

#[test]
fn two_policies_with_one_id_are_refused() {
    assert!(matches!(refused(NECESSITY, r#"@id("N-11")"#, r#"@id("N-10")"#), PolicyError::DuplicateId(id) if id == "N-10"));
    let across_files = refused("40_consent.cedar", r#"@id("C-01")"#, r#"@id("A-01")"#);
    assert!(matches!(across_files, PolicyError::DuplicateId(id) if id == "A-01"));
}

#[test]
fn a_policy_that_does_not_explain_itself_is_refused() {
    assert!(matches!(refused(NECESSITY, r#"@id("N-01")"#, ""), PolicyError::NoId { position: _, .. }));
    assert!(matches!(refused(NECESSITY, r#"@id("N-01")"#, r#"@id("first")"#), PolicyError::NoId { .. }));
    let title = refused(NECESSITY, r#"@title("市町村：支給決定")"#, r#"@title(" ")"#);
    assert!(matches!(title, PolicyError::NoAnnotation { annotation: "title", .. }));
    let basis = refused(NECESSITY, r#"@basis("障害者総合支援法 支給決定事務")"#, "");
    assert!(matches!(basis, PolicyError::NoAnnotation { annotation: "basis", .. }));
}

#[test]
fn a_permit_among_the_prohibitions_is_refused() {
    assert!(
        matches!(refused("20_prohibition.cedar", "forbid (principal == ", "permit (principal == "), PolicyError::Effect(id) if id.starts_with('F'))
    );
    assert!(matches!(refused(NECESSITY, "permit (principal,", "forbid (principal,"), PolicyError::Effect(id) if id == "N-01"));
}

#[test]
fn a_template_is_refused() {
    assert!(matches!(refused(NECESSITY, r#"principal == OrgKind::"day_service""#, "principal == ?principal"), PolicyError::Template(_)));
}

#[test]
fn a_policy_that_can_never_apply_is_refused() {
    let never = refused(NECESSITY, r#"context.purpose == Purpose::"benefit_decision""#, "false");
    assert!(matches!(never, PolicyError::Invalid(_)), "{never}");
}

#[test]
fn a_directory_that_lost_or_gained_a_file_is_refused() {
    for file in ["40_consent.cedar", CLASSES, "disclosure.cedarschema"] {
        let dir = changed(NECESSITY, "permit", "permit");
        std::fs::remove_file(dir.path().join(file)).unwrap();
        assert!(matches!(PolicySet::load(dir.path()), Err(PolicyError::Missing(name)) if name == file));
    }
    for file in ["20_prohibition.cedar.bak", "catalogue/11_more.cedar", "notes.toml"] {
        let dir = changed(NECESSITY, "permit", "permit");
        std::fs::write(dir.path().join(file), "").unwrap();
        assert!(matches!(PolicySet::load(dir.path()), Err(PolicyError::Unexpected(name)) if name == file));
    }
    assert!(matches!(PolicySet::load(Path::new("no such directory")), Err(PolicyError::Unreadable { .. })));
}

#[test]
fn a_folder_that_nobody_would_read_is_refused() {
    for (folder, file) in [("sub", "sub/99.cedar"), ("catalogue/more", "catalogue/more/classes.toml"), ("99_more.cedar", "99_more.cedar/a")]
    {
        let dir = changed(NECESSITY, "permit", "permit");
        std::fs::create_dir(dir.path().join(folder)).unwrap();
        std::fs::write(dir.path().join(file), "").unwrap();
        assert!(matches!(PolicySet::load(dir.path()), Err(PolicyError::Unexpected(name)) if name == folder));
    }
    let dir = changed(NECESSITY, "permit", "permit");
    std::fs::create_dir(dir.path().join("scenarios")).unwrap();
    std::fs::write(dir.path().join("scenarios/more.toml"), "").unwrap();
    assert_eq!(
        PolicySet::load(dir.path()).unwrap().digest(),
        PolicySet::builtin().unwrap().digest(),
        "what tests the policies is not part of them"
    );
}

#[test]
fn a_layer_without_a_policy_is_refused() {
    for file in [NECESSITY, "20_prohibition.cedar", AGREEMENT, CONSENT, "50_operation.cedar"] {
        for text in ["", "// nothing\n"] {
            let dir = changed(NECESSITY, "permit", "permit");
            std::fs::write(dir.path().join(file), text).unwrap();
            assert!(matches!(PolicySet::load(dir.path()), Err(PolicyError::EmptyLayer(layer)) if layer == file), "{file}");
            assert!(!PolicySet::faults(dir.path()).is_empty());
        }
    }
    let dir = changed(NECESSITY, "permit", "permit");
    std::fs::write(dir.path().join("60_more.cedar"), "// nothing yet\n").unwrap();
    PolicySet::load(dir.path()).expect("a file that was added is no layer");
}

#[test]
fn a_state_in_which_nothing_withholds_any_more_is_refused() {
    let open = |file: &str, from: &str, to: &str| match refused(file, from, to) {
        PolicyError::Unguarded { layer, state } => (layer.to_owned(), state.to_owned()),
        other => panic!("{from}: {other}"),
    };
    for state in AgreementState::ALL.iter().filter(|state| **state != AgreementState::Covers) {
        let (from, to) = (format!("AgreementState::\"{state}\""), "AgreementState::\"covers\"");
        assert_eq!(open(AGREEMENT, &from, to), (AGREEMENT.to_owned(), state.to_string()));
    }
    let withholds = |state: &&ConsentState| !matches!(state, ConsentState::Covers | ConsentState::CoversTicked);
    for state in ConsentState::ALL.iter().filter(withholds) {
        let (from, to) = (format!("ConsentState::\"{state}\""), "ConsentState::\"covers\"");
        assert_eq!(open(CONSENT, &from, to), (CONSENT.to_owned(), state.to_string()));
    }
    // A guard that spares one kind of reader, or one class with personal data, is open too.
    let spared = open(AGREEMENT, "forbid (principal,", "forbid (principal == OrgKind::\"municipality\",");
    assert_eq!(spared, (AGREEMENT.to_owned(), "none".to_owned()));
    let more = "FieldClass::\"task\", FieldClass::\"consent_meta\", FieldClass::\"medical\"";
    let spared = open(CONSENT, "FieldClass::\"task\", FieldClass::\"consent_meta\"", more);
    assert_eq!(spared, (CONSENT.to_owned(), "none".to_owned()));
}

#[test]
fn a_catalogue_that_is_not_the_programs_list_is_refused() {
    let twice = refused(CLASSES, r#"code = "task""#, r#"code = "routing""#);
    assert!(matches!(&twice, PolicyError::List { difference, .. } if difference == "routing twice, task"), "{twice}");
    assert!(matches!(refused(CLASSES, r#"code = "task""#, r#"code = "tusk""#), PolicyError::Syntax { .. }));
    assert!(matches!(refused(CLASSES, "special = true", "spezial = true"), PolicyError::Syntax { .. }));
    let schema = refused("disclosure.cedarschema", r#""free_text", "#, "");
    assert!(matches!(schema, PolicyError::List { list: "FieldClass", .. }), "{schema}");
    let basis = refused("catalogue/legal_basis.toml", r#"code = "consent_27""#, r#"code = "statute""#);
    assert!(matches!(basis, PolicyError::List { list: "LegalBasis", .. }), "{basis}");
}

#[test]
fn the_legal_bases_fold_as_decided() {
    let policies = PolicySet::builtin().unwrap();
    for basis in LegalBasis::ALL {
        let group = match basis {
            LegalBasis::WithinPurpose | LegalBasis::Consent69_2_1 | LegalBasis::Consent27 | LegalBasis::Delegation66_2 => {
                BasisGroup::Consent
            }
            LegalBasis::OtherPublicBody69_2_3 | LegalBasis::ClearlyForPerson69_2_4 | LegalBasis::Statute => BasisGroup::Statute,
            LegalBasis::VitalInterest => BasisGroup::VitalInterest,
        };
        assert_eq!(policies.basis_group(*basis), group, "{basis}");
        assert!(policies.basis_text(*basis).unwrap().article.contains('条'), "{basis}");
    }
}

#[test]
fn every_rule_and_every_class_speaks_both_languages() {
    let policies = PolicySet::builtin().unwrap();
    let japanese = |text: &str| text.chars().any(|c| matches!(c, 'ぁ'..='ヿ' | '一'..='鿿'));
    assert_eq!(policies.rules().count(), 98);
    for rule in policies.rules() {
        assert!(japanese(policies.title(rule.as_str(), Lang::Ja).unwrap()), "{rule}");
        assert!(policies.title(rule.as_str(), Lang::En).unwrap().is_ascii(), "{rule}");
        assert!(!policies.basis(rule.as_str()).unwrap().is_empty(), "{rule}");
    }
    assert_eq!(policies.title("N-99", Lang::Ja), None);
    for class in FieldClass::ALL {
        let text = policies.class_text(*class).unwrap();
        assert!(japanese(&text.ja) && japanese(&text.consent_ja), "{class}");
        assert!(!text.en.is_empty() && !japanese(&text.consent_en), "{class}");
    }
}

#[test]
fn rules_of_add_ons_that_contradict_each_other_keep_a_set_from_loading() {
    let overlap = refused("catalogue/addon_rules.toml", "until = \"2026-05-31\"\n", "");
    assert!(matches!(&overlap, PolicyError::Addons { .. }) && overlap.to_string().contains("rule 2 overlaps"), "{overlap}");
}

#[test]
fn the_classes_of_the_schemas_agree_with_the_catalogue() {
    let (policies, schemas) = (PolicySet::builtin().unwrap(), SchemaSet::builtin().unwrap());
    for row in schemas.messages().flat_map(MessageSchema::rows) {
        let class = policies.class_text(row.class).unwrap();
        assert!(class.special || !row.special, "{}: a special-care row in a class that is not", row.key);
        assert!(class.direct_identifier || row.ident != Ident::Direct, "{}: an identifier in a class without", row.key);
    }
}
