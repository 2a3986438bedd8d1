//! `tsunagi demo` as a newcomer runs it: the program itself, its own gateway, nothing prepared.

use std::process::{Command, Output};

use serde_json::Value;

fn demo(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tsunagi")).arg("demo").args(words).env_remove("TSUNAGI_IDENTITY").output().unwrap()
}

fn lines(output: &Output) -> Vec<String> {
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap().lines().map(str::to_owned).collect()
}

fn codes(step: &Value) -> Vec<&str> {
    step["refused"].as_array().unwrap().iter().map(|refused| refused["code"].as_str().unwrap()).collect()
}

#[test]
fn a_machine_gets_one_object_a_step_and_nothing_is_left_behind() {
    let steps: Vec<Value> = lines(&demo(&["--json"])).iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ids: Vec<&str> = steps.iter().map(|step| step["id"].as_str().unwrap()).collect();
    assert_eq!(
        ids,
        [
            "gateway",
            "consent",
            "over_disclosure",
            "referral",
            "view_placement",
            "view_benefit",
            "strangers",
            "refusals",
            "receipts",
            "withdrawal",
            "audit",
            "consistency",
            "offline",
            "summary"
        ]
    );
    assert!(steps.iter().take(13).all(|step| !step["checked"].as_array().unwrap().is_empty()), "every step verifies something");

    assert_eq!(codes(&steps[2]), ["over_disclosure"]);
    assert!(codes(&steps[6]).iter().all(|code| *code == "not_found"));
    for code in ["replay_conflict", "actor_binding", "actor_replayed", "key_not_allowed", "purpose_not_allowed", "prohibited_my_number"] {
        assert!(codes(&steps[7]).contains(&code), "{code}");
    }
    assert_eq!(codes(&steps[9]), ["consent_ended", "consent_ended"]);

    // The person did not tick what the offence was; the benefit desk does not learn that there was one.
    let (placement, benefit) = (steps[4]["shown"].as_object().unwrap(), steps[5]["shown"].as_object().unwrap());
    assert!(placement.contains_key("family_name") && benefit.contains_key("family_name"));
    assert!(!placement.contains_key("offence_name") && placement.contains_key("offence_category"));
    assert!(!benefit.contains_key("offence_category") && !benefit.contains_key("custody_facility_name"));
    assert!(benefit.contains_key("recipient_cert_number") && !placement.contains_key("recipient_cert_number"));

    // The auditor sees names of rows; the value of none of them.
    let audit = steps[10].to_string();
    assert!(audit.contains("offence_category") && !audit.contains("小波"));

    let (folder, pid) = (steps[0]["folder"].as_str().unwrap(), steps[0]["pid"].as_u64().unwrap());
    assert!(!std::path::Path::new(folder).exists(), "the sandbox was removed");
    let command = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    assert!(!command.contains(folder), "the gateway was ended");
}

#[test]
fn a_person_is_told_in_japanese_within_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("sandbox");
    let output = demo(&["--lang", "ja", "--dir", dir.to_str().unwrap()]);
    let lines = lines(&output);
    assert!(lines.iter().any(|line| line.contains("本人が同意を撤回し、すぐに効く")));
    let columns = |line: &str| line.chars().map(|c| if matches!(u32::from(c), 0x2e80..=0xffe6) { 2 } else { 1 }).sum::<usize>();
    for line in lines.iter().filter(|line| !line.contains(dir.to_str().unwrap())) {
        assert!(columns(line) <= 80, "{line}");
    }
    assert!(!String::from_utf8_lossy(&output.stdout).contains('\u{1b}'), "no colours outside a terminal");
    assert!(dir.join("export/checkpoint").exists(), "a named folder stays");
}

#[test]
fn a_folder_that_is_in_use_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mine"), "x").unwrap();
    let output = demo(&["--dir", folder.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
