//! `tsunagi certificate` as an office runs it: without a gateway, from files.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    certificate_fixture::{Signers, certificate},
    exchange_stage::BINARY,
};

struct Office {
    folder: TempDir,
    signers: Signers,
}

impl Office {
    /// A folder with a certificate and the gateway's pinned keys.
    fn open() -> Self {
        let office = Self { folder: TempDir::new().unwrap(), signers: Signers::new() };
        office.write("certificate.json", &serde_json::to_value(office.signers.file(&certificate())).unwrap().to_string());
        office.write("gateway-keys.json", &office.signers.well_known().to_string());
        office
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn run(&self, lang: &str, args: &[&str]) -> Output {
        let mut command = Command::new(BINARY);
        command.current_dir(self.folder.path()).args(["--lang", lang, "certificate"]).args(args).stdin(Stdio::null()).output().unwrap()
    }

    fn done(&self, args: &[&str]) -> Value {
        let output = self.run("en", &[&["--json"], args].concat());
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn told(&self, lang: &str, args: &[&str]) -> String {
        let output = self.run(lang, args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn fails(&self, args: &[&str], code: i32, because: &str) {
        let output = self.run("en", args);
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(code) && text.contains(because), "{args:?}: {:?} {text}", output.status);
    }
}

const FACTS: &str = r#"
service = "group_home_inclusive"
start = "2026-09-01"
lived_at_home = true
capability = ["notice", "qualified_staff", "guidance", "training", "cooperation"]
evidence = ["support_plan", "coordination_meeting"]
certificate = true

[[event]]
kind = "correctional_release"
on = "2023-10-10"

[coordination]
by = "municipality_with_center"
began = "2026-06-01"

[[other]]
code = "psychiatric_transition"
from = "2027-01-01"
until = "2027-01-31"
"#;

#[test]
fn a_check_explains_who_is_eligible_when_and_with_which_units() {
    let office = Office::open();
    office.write("facts.toml", FACTS);
    let found = office.done(&["check", "--facts", "facts.toml", "--on", "2027-01-15"]);
    assert_eq!(
        (&found["addon"], &found["verdict"], &found["complete"]),
        (&json!("community_life_transition"), &json!("eligible"), &json!(true))
    );
    assert_eq!(found["window"], json!({"from": "2026-09-01", "until": "2029-08-31", "late_start": true}));
    assert_eq!(found["blocked"], json!([{"by": "psychiatric_transition", "from": "2027-01-01", "until": "2027-01-31"}]));
    assert_eq!(found["on"], json!({"day": "2027-01-15", "claim": "excluded"}));
    assert_eq!(found["statement"], "coordinated_by_municipality_with_center");
    let rate = &found["rates"][0];
    assert_eq!((&rate["unit"], &rate["verified"], &rate["verified_by"]), (&json!(670), &json!(false), &Value::Null));
    assert!(found["rules"].as_str().unwrap().starts_with("policy sha256 "));

    let en = office.told("en", &["check", "--facts", "facts.toml"]);
    assert!(en.contains("the person is eligible") && en.contains("UNVERIFIED") && en.contains("2026-09-01 to 2029-08-31"), "{en}");
    let ja = office.told("ja", &["check", "--facts", "facts.toml", "--on", "2027-02-01"]);
    assert!(ja.contains("対象者の要件に当てはまる") && ja.contains("未確認") && ja.contains("2027-02-01: 算定できる"), "{ja}");
    // The same facts as JSON, and one by one.
    let value: Value = serde_json::to_value(toml::from_str::<toml::Table>(FACTS).unwrap()).unwrap();
    office.write("facts.json", &value.to_string());
    let again = ["--on", "2027-01-15"];
    assert_eq!(office.done(&[&["check", "--facts", "facts.json"], &again[..]].concat()), found);
    let mut stated =
        vec!["check", "--service", "group_home_inclusive", "--released", "2023-10-10", "--start", "2026-09-01", "--lived-at-home", "true"];
    stated.extend(["--coordinated-by", "municipality_with_center", "--coordinated-from", "2026-06-01", "--certificate"]);
    for capability in ["notice", "qualified_staff", "guidance", "training", "cooperation"] {
        stated.extend(["--capability", capability]);
    }
    stated.extend([
        "--evidence",
        "support_plan",
        "--evidence",
        "coordination_meeting",
        "--other",
        "psychiatric_transition:2027-01-01:2027-01-31",
    ]);
    stated.extend(again);
    assert_eq!(office.done(&stated), found);
}

#[test]
fn a_check_says_what_is_missing_and_why_not() {
    let office = Office::open();
    let base = ["check", "--service", "support_facility", "--released", "2025-04-01", "--start", "2025-04-10"];
    let found = office.done(&base);
    assert_eq!(found["verdict"], "undecided");
    for need in ["coordination", "lived_at_home", "certificate", "notice", "training", "support_plan", "coordination_meeting"] {
        assert!(found["missing"].as_array().unwrap().contains(&json!(need)), "{need}");
    }
    let units: Vec<&Value> = found["rates"].as_array().unwrap().iter().map(|rate| &rate["unit"]).collect();
    assert_eq!(units, [&json!(306), &json!(306), &json!(12), &json!(12)]);
    let coordinated = ["--coordinated-by", "settlement_center", "--on", "2025-05-01"];
    let en = office.told("en", &[&base[..], &coordinated].concat());
    assert!(en.contains("2025-05-01: can be claimed, once nothing is missing"), "{en}");
    let ja = office.told("ja", &base);
    assert!(ja.contains("事実が足りず") && ja.contains("足りないもの: 調整の証明書") && ja.contains("確認 2026-11-21"), "{ja}");
    let nobody = office.done(&[&base[..], &["--coordinated-by", "nobody"]].concat());
    assert_eq!((&nobody["verdict"], &nobody["reasons"][0]), (&json!("not_eligible"), &json!("not_coordinated")));
    let boundary = office.done(&[
        "check",
        "--service",
        "lodging_training",
        "--released",
        "2023-10-10",
        "--start",
        "2026-10-10",
        "--coordinated-by",
        "probation_office",
    ]);
    assert_eq!(
        (&boundary["verdict"], &boundary["boundary"]),
        (&json!("to_confirm"), &json!({"from": "2026-10-09", "until": "2026-10-10"}))
    );
    let planning = office.done(&["check", "--service", "planning", "--released", "2025-04-01", "--interviews", "4"]);
    assert_eq!(planning["count"], json!({"held": 4, "counted": 3, "most": 3}));
    let observed =
        ["check", "--service", "employment_b", "--outpatient", "2024-05-01", "--extended-until", "2029-04-30", "--start", "2024-06-01"];
    assert_eq!(
        office.done(&observed)["window"],
        json!({"from": "2024-06-01", "until": "2029-04-30", "extended_after": "2027-04-30", "late_start": false})
    );
}

#[test]
fn what_cannot_be_used_is_refused_with_a_next_step() {
    let office = Office::open();
    office.fails(&["check"], 2, "--service");
    office.fails(&["check", "--service", "hospital"], 2, "--service");
    office.fails(&["check", "--service", "daily_care"], 2, "no add-on for the service daily_care");
    office.fails(&["check", "--service", "planning", "--released", "2025-02-30"], 2, "--released");
    office.fails(&["check", "--service", "planning", "--other", "psychiatric_transition:2025-02-01:2025-01-01"], 2, "CODE:FROM[:UNTIL]");
    office.fails(&["check", "--service", "planning", "--extended-until", "2025-02-01"], 2, "--outpatient");
    office.write("facts.toml", "service = \"planning\"\noffence = \"theft\"\n");
    office.fails(&["check", "--facts", "facts.toml"], 2, "unknown field");
    office.fails(&["check", "--facts", "facts.toml", "--released", "2025-01-01"], 2, "cannot be used with");
    office.fails(&["check", "--facts", "nowhere.toml"], 2, "nowhere.toml");
    let rules = include_str!("../../policies/catalogue/addon_rules.toml");
    office.write("rules.toml", &rules.replace("unit = 670", "unit = 671"));
    let changed = office.done(&[
        "check",
        "--service",
        "lodging_training",
        "--rules",
        "rules.toml",
        "--released",
        "2025-04-01",
        "--start",
        "2025-04-02",
    ]);
    assert_eq!((&changed["rates"][0]["unit"], &changed["rules"]), (&json!(671), &json!("rules.toml")));
    office.write("rules.toml", &rules.replace("unit = 670", "unit = 0"));
    office.fails(&["check", "--service", "lodging_training", "--rules", "rules.toml"], 2, "rule 1 gives no units");
}

#[test]
fn a_certificate_is_verified_and_printed_without_a_gateway() {
    let office = Office::open();
    let proven = office.done(&["verify", "certificate.json", "--keys", ".", "--on", "2029-09-01"]);
    assert_eq!((&proven["no"], &proven["issuer"]), (&json!("TC13-0001"), &json!("settlement_center:13-1")));
    assert_eq!((&proven["holds"]["until"], &proven["on"]["covered"]), (&json!("2029-08-31"), &json!(false)));
    let code = proven["code"].as_str().unwrap().to_owned();
    let printed = office.done(&[
        "print",
        "certificate.json",
        "--keys",
        "gateway-keys.json",
        "--out",
        "sheet.html",
        "--issuer-name",
        "東京都センター",
    ]);
    assert_eq!((&printed["code"], &printed["person"]), (&json!(code), &json!(true)));
    // The page is verified as the file is, and the code as people write it.
    let spoken = code.to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l");
    assert_eq!(office.done(&["verify", "sheet.html", "--keys", ".", "--code", &spoken])["code"], code.as_str());
    let ja = office.told("ja", &["verify", "sheet.html", "--keys", "."]);
    assert!(ja.contains("検証できました") && ja.contains(&code) && ja.contains("地域生活移行個別支援特別加算"), "{ja}");
    office.fails(&["print", "certificate.json", "--keys", ".", "--out", "sheet.html"], 2, "is there already");
    office.fails(&["verify", "sheet.html", "--keys", ".", "--code", "0000-0000-0000-0000"], 3, "the code is another");
    let page = fs::read_to_string(office.path("sheet.html")).unwrap();
    office.write("altered.html", &page.replace("2029年", "2030年"));
    office.fails(&["verify", "altered.html", "--keys", "."], 3, "not as it was made");

    let kept: Value = serde_json::from_slice(&fs::read(office.path("certificate.json")).unwrap()).unwrap();
    let file = office.signers.file(&certificate());
    office.write("later.json", &json!([office.signers.revoke(&serde_json::from_value(kept).unwrap(), None)]).to_string());
    office.fails(&["verify", "certificate.json", "--keys", ".", "--revocations", "later.json"], 3, "was revoked");
    office.fails(&["verify", "sheet.html", "--keys", ".", "--revocations", "later.json"], 3, "was revoked");
    office.fails(&["print", "certificate.json", "--keys", ".", "--revocations", "later.json", "--out", "revoked.html"], 3, "was revoked");
    assert!(!office.path("revoked.html").exists());

    office.write("person.json", &serde_json::to_value(&file).unwrap().to_string().replace("小波", "大波"));
    office.fails(&["verify", "person.json", "--keys", "."], 3, "not the one who is certified");
    office.write("other-keys.json", &Signers::new().well_known().to_string());
    office.fails(&["verify", "certificate.json", "--keys", "other-keys.json"], 3, "not countersigned with a receipt key");
    office.fails(&["verify", "certificate.json", "--keys", "certificate.json"], 2, "no document of a gateway");
    office.fails(&["verify", "gateway-keys.json", "--keys", "."], 3, "not a certificate file");
    office.fails(&["verify", "nowhere.json", "--keys", "."], 2, "nowhere.json");
}

#[test]
fn the_sample_that_strangers_verify_is_verified_here_too() {
    let office = Office::open();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/coordination");
    let (file, later) = (format!("{folder}/certificate.json"), format!("{folder}/revocations.json"));
    assert_eq!(office.done(&["verify", &file, "--keys", folder])["holds"], json!({"from": "2026-09-01", "until": "2029-08-31"}));
    let cut = office.done(&["verify", &file, "--keys", folder, "--revocations", &later, "--on", "2027-04-01"]);
    assert_eq!((&cut["holds"]["until"], &cut["on"]["covered"]), (&json!("2027-03-31"), &json!(false)));
    assert_eq!(cut["revoked"], json!({"why": "facts_changed", "from": "2027-04-01", "at": "2026-10-02T00:00:00.000000Z"}));
    let printed = office.done(&["print", &file, "--keys", folder, "--revocations", &later, "--out", "cut.html"]);
    assert_eq!(printed["code"], cut["code"]);
    assert_eq!(office.done(&["verify", "cut.html", "--keys", folder])["holds"]["until"], "2027-03-31");
}
