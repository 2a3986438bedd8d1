//! `tsunagi policy` as somebody who answers for the policies runs it.

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::exchange_stage::BINARY;

fn policy(args: &[&str]) -> Output {
    Command::new(BINARY).args(["--lang", "ja", "policy"]).args(args).stdin(Stdio::null()).output().unwrap()
}

fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn published(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("policies").join(file)).unwrap()
}

/// A copy of the published policies in which texts are replaced once each.
fn changed(changes: &[(&str, &str, &str)]) -> TempDir {
    let (from, dir) = (Path::new(env!("CARGO_MANIFEST_DIR")).join("policies"), TempDir::new().unwrap());
    fs::create_dir(dir.path().join("catalogue")).unwrap();
    for folder in ["", "catalogue"] {
        for entry in fs::read_dir(from.join(folder)).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file()) {
            fs::copy(entry.path(), dir.path().join(folder).join(entry.file_name())).unwrap();
        }
    }
    for (file, old, new) in changes {
        let text = fs::read_to_string(dir.path().join(file)).unwrap();
        assert!(text.contains(old), "{file} has no {old}");
        fs::write(dir.path().join(file), text.replacen(old, new, 1)).unwrap();
    }
    dir
}

#[test]
fn the_matrix_is_the_published_one() {
    assert_eq!(printed(&policy(&["matrix"])).trim_end(), published("matrix.ja.md").trim_end());
    assert_eq!(printed(&policy(&["matrix", "--csv"])).trim_end(), published("matrix.golden.csv").trim_end());
}

#[test]
fn a_check_lists_every_finding_with_its_remedy() {
    let good = printed(&policy(&["check"]));
    assert!(good.starts_with("問題なし: 方針 98 件") && good.contains("F-05"), "{good}");
    let dir = changed(&[
        ("10_necessity.cedar", "@basis(\"障害者総合支援法 支給決定事務\")", ""),
        ("10_necessity.cedar", "@id(\"N-11\")", "@id(\"N-10\")"),
        ("40_consent.cedar", "forbid (principal", "permit (principal"),
        ("catalogue/purposes.toml", "audit_review", "audit"),
    ]);
    let output = policy(&["--json", "check", dir.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    let findings: Vec<Value> =
        output.stdout.split(|b| *b == b'\n').filter(|l| !l.is_empty()).map(|l| serde_json::from_slice(l).unwrap()).collect();
    let found: Vec<&str> = findings.iter().map(|finding| finding["finding"].as_str().unwrap()).collect();
    assert_eq!(found, ["list", "duplicate_id", "no_annotation", "effect"]);
    for finding in &findings {
        assert!(!finding["remedy"]["ja"].as_str().unwrap().is_ascii() && finding["remedy"]["en"].as_str().unwrap().is_ascii(), "{finding}");
    }
    assert!(String::from_utf8_lossy(&output.stderr).contains('4'));
}

#[test]
fn a_condition_whose_reach_cannot_be_told_and_a_title_used_twice_are_found() {
    let dir = changed(&[
        ("10_necessity.cedar", "context.named_recipient &&", "principal != context.sender_kind &&"),
        ("20_prohibition.cedar", "@title(\"運営者には何も出さない\")", "@title(\"同意書の画像は中継しない\")"),
    ]);
    let output = policy(&["check", dir.path().to_str().unwrap()]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(2));
    assert!(text.contains("form: ") && text.contains("N-31") && text.contains("same_title: ") && text.contains("F-11"), "{text}");
    assert!(text.contains("直し方: "));
}

#[test]
fn a_difference_says_what_is_newly_shown_to_whom_and_what_no_longer() {
    assert!(printed(&policy(&["diff", "builtin", "builtin"])).contains("見せず"));
    // A day service would learn of illness without a tick; core centres may no longer enquire.
    let dir = changed(&[
        (
            "10_necessity.cedar",
            "FieldClass::\"disability\", FieldClass::\"care_need\", FieldClass::\"assessment\", FieldClass::\"gov_identifier\"",
            "FieldClass::\"disability\", FieldClass::\"medical\", FieldClass::\"care_need\", FieldClass::\"assessment\", FieldClass::\"gov_identifier\"",
        ),
        ("20_prohibition.cedar", "OrgKind::\"operator\", action", "OrgKind::\"prefecture\", action"),
    ]);
    let new = dir.path().to_str().unwrap();
    let told: Value = serde_json::from_str(&printed(&policy(&["--json", "diff", new]))).unwrap();
    let shown = &told["shows"]["situations"];
    // Where consent is the basis, and where life and body are to be protected: that needs no consent.
    let by_basis = |basis: &str| shown.as_array().unwrap().iter().find(|s| s["bases"] == serde_json::json!([basis])).unwrap().clone();
    let life = by_basis("vital_interest");
    let shown = by_basis("consent");
    assert_eq!(told["shows"]["situations"].as_array().unwrap().len(), 2);
    assert_eq!(life["consents"].as_array().unwrap().len(), 7, "all but ticked, which was shown before");
    assert_eq!(shown["readers"], serde_json::json!(["day_service"]));
    assert_eq!(shown["classes"], serde_json::json!(["medical"]));
    assert_eq!(shown["purposes"], serde_json::json!(["service_provision"]));
    assert_eq!(shown["relations"], serde_json::json!(["accepted"]));
    assert_eq!(shown["consents"], serde_json::json!(["covers"]));
    assert_eq!(shown["permitted_by"], serde_json::json!(["N-42"]));
    assert_eq!(shown["withheld_by"], serde_json::json!(["necessity"]));
    // Eleven senders whose name tells nothing, 40 message kinds, named or not.
    assert_eq!(told["shows"]["count"], 11 * 40 * 2 * (1 + 7));
    let gone = told["no_longer_shows"]["situations"].as_array().unwrap();
    assert!(!gone.is_empty() && gone.iter().all(|situation| situation["readers"] == serde_json::json!(["prefecture"])), "{gone:?}");
    let text = printed(&policy(&["diff", new]));
    assert!(
        text.contains("新たに見せるもの") && text.contains("日中系サービス事業所") && text.contains("医療") && text.contains("都道府県"),
        "{text}"
    );
    let back: Value = serde_json::from_str(&printed(&policy(&["--json", "diff", new, "builtin"]))).unwrap();
    assert_eq!(back["no_longer_shows"]["count"], told["shows"]["count"]);
}

#[test]
fn a_difference_tells_operations_too() {
    let dir = changed(&[(
        "50_operation.cedar",
        "permit (principal == OrgKind::\"operator\", action == Action::\"register_party\"",
        "permit (principal == OrgKind::\"prefecture\", action == Action::\"register_party\"",
    )]);
    let told: Value = serde_json::from_str(&printed(&policy(&["--json", "diff", dir.path().to_str().unwrap()]))).unwrap();
    assert_eq!(told["shows"]["operations"], serde_json::json!([{"actor": "prefecture", "operation": "register_party"}]));
    assert_eq!(told["no_longer_shows"]["operations"], serde_json::json!([{"actor": "operator", "operation": "register_party"}]));
    assert_eq!(told["shows"]["count"], 0);
}

#[test]
fn an_explanation_names_the_policies_and_their_basis_in_both_languages() {
    let situation = "--sender settlement_center --reader municipality --kind referral --purpose placement_coordination --relation assigned";
    let ask = |more: &str| {
        let args: Vec<&str> =
            ["explain"].into_iter().chain(situation.split(' ')).chain(more.split(' ').filter(|arg| !arg.is_empty())).collect();
        printed(&policy(&args))
    };
    let withheld = ask("--class criminal_detail");
    assert!(withheld.contains("開示しない") && withheld.contains("necessity") && withheld.contains("No policy says"), "{withheld}");
    assert!(withheld.contains("個人情報保護法69条2項1号") && withheld.contains("O-10"), "{withheld}");
    let ticked = ask("--class criminal_detail --consent covers_ticked");
    assert!(ticked.contains("N-11") && ticked.contains("本人が個別に丸を付けた項目") && ticked.contains("ticked one by one"), "{ticked}");
    let withdrawn = ask("--class identity --consent withdrawn");
    assert!(withdrawn.contains("C-02") && withdrawn.contains("The consent was withdrawn") && withdrawn.contains("N-10"), "{withdrawn}");
    assert_eq!(ask("").matches("\n● ").count() + ask("").matches("\n－ ").count(), 41);
    let refused = policy(&["explain", "--sender", "nobody"]);
    assert_eq!(refused.status.code(), Some(2));
}
