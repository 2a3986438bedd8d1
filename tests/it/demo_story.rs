//! `tsunagi demo --story` as a newcomer runs it: a whole case, and after each step what every party is told.

use std::{
    collections::BTreeSet,
    process::{Command, Output},
};

use serde_json::{Value, json};

fn demo(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tsunagi")).args(["demo", "--story"]).args(words).env_remove("TSUNAGI_IDENTITY").output().unwrap()
}

fn lines(output: &Output) -> Vec<String> {
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap().lines().map(str::to_owned).collect()
}

const CENTRE: &str = "settlement_center:13-1";
const CORE: &str = "core_center:131016-1";
const HOME: &str = "group_home:1320100017";
const OTHER: &str = "group_home:1320100025";
const DAY: &str = "day_service:1310100019";

/// Steps, as a machine gets them.
struct Told(Vec<Value>);

impl Told {
    fn step(&self, id: &str) -> &Value {
        self.0.iter().find(|step| step["id"] == id).unwrap_or_else(|| panic!("no step {id}"))
    }

    fn view(&self, id: &str, party: &str) -> &Value {
        self.step(id)["views"].as_array().unwrap().iter().find(|view| view["party"] == party).unwrap()
    }

    /// State, relation and number of messages.
    fn stands(&self, id: &str, party: &str) -> (&Value, &Value, u64) {
        let view = self.view(id, party);
        (&view["state"], &view["relation"], view["messages"].as_u64().unwrap())
    }

    fn shown(&self, id: &str, party: &str) -> BTreeSet<&str> {
        self.view(id, party)["shown"].as_array().unwrap().iter().map(|row| row.as_str().unwrap()).collect()
    }

    fn codes(&self, id: &str) -> Vec<&str> {
        self.step(id)["refused"].as_array().unwrap().iter().map(|refused| refused["code"].as_str().unwrap()).collect()
    }
}

#[test]
fn a_whole_case_is_told_and_each_party_sees_its_part() {
    let told = Told(lines(&demo(&["--json"])).iter().map(|line| serde_json::from_str(line).unwrap()).collect());
    let ids: Vec<&str> = told.0.iter().map(|step| step["id"].as_str().unwrap()).collect();
    let expected = "gateway consent referral accepted supplement enquiry impossible possible named request placed plan hand_off started meeting eligible \
                    certified passed_on verified proposal agreed question advice withdrawn closed kept audit summary";
    assert_eq!(ids, expected.split_whitespace().collect::<Vec<_>>());

    assert_eq!(told.view("accepted", CORE)["for"], "municipality:131016-1");
    assert_eq!(told.stands("enquiry", HOME), (&json!("open"), &json!("prospective"), 1));
    assert_eq!(told.stands("enquiry", DAY), (&Value::Null, &Value::Null, 0), "who was not asked knows of nothing");
    assert!(told.shown("enquiry", HOME).contains("age_band") && !told.shown("enquiry", HOME).contains("family_name"));
    assert_eq!(told.stands("impossible", OTHER), (&json!("closed"), &json!("closed"), 2));
    assert_eq!(told.codes("named"), ["consent_scope"]);
    assert!(told.shown("request", HOME).contains("family_name") && !told.shown("request", HOME).contains("offence_category"));
    assert_eq!(told.view("request", OTHER)["shown"], Value::Null);
    assert!(told.shown("hand_off", HOME).contains("offence_background"), "ticked for the home");
    assert!(told.shown("hand_off", HOME).is_disjoint(&BTreeSet::from(["offence_name", "custody_facility_name", "contact_prohibition"])));
    assert_eq!(told.step("eligible")["check"]["missing"], json!(["certificate"]));
    let (certified, check) = (&told.step("verified")["certificate"], &told.step("eligible")["check"]);
    assert_eq!((&certified["issuer"], &certified["provider"]), (&json!(CENTRE), &json!("1320100017")));
    for end in ["from", "until"] {
        assert_eq!(certified["holds"][end], check["window"][end], "certified is what the rules told");
    }
    assert_eq!(certified["entries"].as_array().unwrap().len(), 3, "countersigned from the entries of the case");
    assert_eq!(told.view("certified", HOME)["shown"], Value::Null, "what the centre sent to the municipality is not there for the home");
    assert!(told.shown("passed_on", HOME).contains("certificate"));
    assert_eq!(told.stands("proposal", CENTRE).0, "accepted");
    assert_eq!((told.stands("agreed", CENTRE).0, told.stands("agreed", HOME).0), (&json!("handed_over"), &json!("accepted")));
    assert_eq!((told.codes("agreed"), told.codes("withdrawn")), (vec!["state_conflict"], vec!["consent_ended"]));
    assert!(told.step("agreed")["left"].as_u64().unwrap() < 5, "the centre is left with what concerns nobody");
    let last = told.step("closed")["views"].as_array().unwrap();
    assert!(last.iter().all(|view| view["party"] == DAY || view["relation"] == "closed"), "{last:?}");
    assert!(told.step("audit")["delegated"].as_u64().unwrap() > 0);

    let (folder, pid) = (told.step("gateway")["folder"].as_str().unwrap(), told.step("gateway")["pid"].as_u64().unwrap());
    assert!(!std::path::Path::new(folder).exists(), "the sandbox was removed");
    let command = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    assert!(!command.contains(folder), "the gateway was ended");
}

#[test]
fn a_person_is_told_the_whole_case_in_japanese_within_a_terminal() {
    let output = demo(&["--lang", "ja"]);
    let lines = lines(&output);
    for sentence in ["本人がホームを名指しして同意する", "事業所はありません"] {
        assert!(lines.iter().any(|line| line.contains(sentence)), "{sentence}");
    }
    let columns = |line: &str| line.chars().map(|c| if matches!(u32::from(c), 0x2e80..=0xffe6) { 2 } else { 1 }).sum::<usize>();
    for line in &lines {
        assert!(columns(line) <= 80, "{line}");
    }
}
