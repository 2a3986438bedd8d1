//! `tsunagi outbox` as an office uses it: what was refused for good waits for nobody, is kept with its reason, and a damaged file hides no other.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};

use crate::exchange_stage::{BINARY, CENTRE, Sandbox, Settings};

/// A desk with an identity of its own.
struct Desk {
    identity: PathBuf,
}

impl Desk {
    fn run(&self, lang: &str, args: &[&str]) -> Output {
        let mut command = Command::new(BINARY);
        command.args(["--lang", lang]).args(args).env("TSUNAGI_IDENTITY", &self.identity).stdin(Stdio::null()).output().unwrap()
    }

    /// The lines of a command that ends with this code.
    fn lines(&self, args: &[&str], code: i32) -> Vec<Value> {
        let output = self.run("en", &[&["--json"], args].concat());
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What a person is told by a command that ends with this code.
    fn told(&self, lang: &str, args: &[&str], code: i32) -> String {
        let output = self.run(lang, args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        [output.stdout, output.stderr].map(|said| String::from_utf8(said).unwrap()).concat()
    }
}

const NOBODYS: &str = "0b0e5f6a-5c7e-4f0e-8d57-2f6f0ac1b1a4";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_withdrawal_that_is_refused_for_good_leaves_the_queue_with_its_reason() {
    let sandbox = Sandbox::new(Settings::default());
    let server = sandbox.serve().await;
    let desk = Desk { identity: sandbox.identity(&CENTRE.parse().unwrap()) };
    let ja = desk.told("ja", &["consent", "withdraw", NOBODYS, "--why", "電話で申出"], 1);
    let refused = &desk.lines(&["outbox", "list"], 0)[0];
    let id = refused["id"].as_str().unwrap();
    assert_eq!(
        (&refused["state"], &refused["code"], &refused["operation"]),
        (&json!("refused"), &json!("not_found"), &json!("consent.end"))
    );
    assert!(ja.contains(&format!("tsunagi outbox retry {id}")) && ja.contains("送信箱に残っています"), "{ja}");
    // Nothing of it is sent by the commands that send what waits.
    for command in [&["consent", "send"][..], &["message", "deliver"]] {
        assert!(desk.lines(command, 0).is_empty(), "{command:?}");
    }
    let told = desk.told("ja", &["outbox", "list"], 0);
    for word in ["断られた", "not_found: ", "次の手順", &format!("tsunagi outbox drop {id}")] {
        assert!(told.contains(word), "{word}: {told}");
    }
    assert!(!told.contains("電話で申出"), "no content is printed: {told}");

    assert!(desk.told("en", &["outbox", "retry", id], 1).contains("not_found"), "judged anew, and refused again");
    assert_eq!(desk.lines(&["outbox", "drop", id], 0)[0]["state"], "dropped");
    assert!(desk.lines(&["outbox", "list"], 0).is_empty());
    assert_eq!(desk.lines(&["outbox", "list", "--all"], 0), [json!({"id": id, "state": "dropped"})]);
    assert!(desk.told("en", &["outbox", "drop", id], 2).contains("is not in the outbox"));
    assert!(desk.told("ja", &["outbox", "retry", id], 1).contains("同意の終わり"), "taken back and sent");
    assert_eq!(desk.lines(&["outbox", "list"], 0)[0]["state"], "refused");
    server.stop().await;

    // What nobody answered may have arrived: it goes on waiting, and is not put away.
    let held = desk.lines(&["consent", "withdraw", NOBODYS, "--why", "電話で申出", "--hold"], 0)[0]["end"].as_str().unwrap().to_owned();
    assert!(desk.told("en", &["outbox", "retry", &held], 3).contains(&format!("tsunagi outbox retry {held}")));
    assert!(desk.told("ja", &["outbox", "drop", &held], 2).contains("断られていません"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_file_in_the_outbox_is_named_and_the_rest_is_listed_and_sent() {
    let sandbox = Sandbox::new(Settings::default());
    let desk = Desk { identity: sandbox.identity(&CENTRE.parse().unwrap()) };
    let held = desk.lines(&["consent", "withdraw", NOBODYS, "--why", "電話で申出", "--hold"], 0)[0]["end"].as_str().unwrap().to_owned();
    let damaged = "5d0f3a52-1c8e-4b7a-9a44-3f3b6f0f7c11.json";
    let file = desk.identity.join("outbox").join(damaged);
    fs::copy(desk.identity.join("outbox").join(format!("{held}.json")), &file).unwrap();
    for command in [&["outbox", "list"][..], &["consent", "list"]] {
        let lines = desk.lines(command, 2);
        assert_eq!(lines.iter().map(|line| line["id"].as_str().unwrap()).collect::<Vec<_>>(), [held.as_str()], "{command:?}");
        for (lang, words) in [("en", "is not what the outbox wrote"), ("ja", "送信箱が書いた内容ではありません")] {
            let told = desk.told(lang, command, 2);
            assert!(told.contains(damaged) && told.contains(words) && told.contains(&held) && !told.contains("電話で申出"), "{told}");
        }
    }
    let server = sandbox.serve().await;
    let told = desk.told("en", &["consent", "send"], 2);
    assert!(told.contains("not_found") && told.contains(damaged), "{told}");
    assert_eq!(desk.lines(&["outbox", "list"], 2)[0]["state"], "refused", "the good one was sent, and judged");
    fs::remove_file(&file).unwrap();
    assert_eq!(desk.lines(&["outbox", "list"], 0).len(), 1);
    server.stop().await;
}
