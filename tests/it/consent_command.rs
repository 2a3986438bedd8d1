//! From the paper to the record and to its end, by the command line alone: the form, its answers, the draft, the signature, the outbox, and what the
//! municipality is shown at the next read.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;
use tsunagi::{
    domain::{digest::Digest, field::FieldClass},
    form::Form,
    message::objects::{ConsentGiven, SignedObject as _},
};

use crate::exchange_stage::{
    BINARY, CENTRE, MUNICIPALITY, Sandbox, Settings,
    story::{Consent, PLACEMENT, Story},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paper_becomes_a_record_and_its_end_bites_at_the_next_read() {
    let sandbox = Sandbox::new(Settings::default());
    let server = sandbox.serve().await;
    let story = Story::open(&sandbox).await;
    let desk = Desk { folder: tempfile::tempdir().unwrap(), centre: sandbox.identity(&CENTRE.parse().unwrap()) };

    // The form for the municipality, with the names of the directory.
    let made =
        desk.done(&["form", "--agreement", "AG-13-0001", "--recipient", MUNICIPALITY, "--out", "form.html", "--answers", "answers.toml"]);
    let page = fs::read(desk.path("form.html")).unwrap();
    let form = Form::read(&page).unwrap();
    assert_eq!((made["form"].as_str().unwrap(), &form.columns[0].ja), (form.number().as_str(), &"試験区 障害福祉課".to_owned()));
    desk.fails(&["form", "--agreement", "AG-13-0001", "--out", "form.html"], 2, "is there already");

    // Every box ticked but that of the medical class, which is crossed; signed on paper and scanned.
    fs::write(desk.path("scan.pdf"), b"a scan").unwrap();
    let template = fs::read_to_string(desk.path("answers.toml")).unwrap();
    let crossed = form.boxes().find(|(_, _, line, _)| line.class == FieldClass::Finance).unwrap().0;
    let filled = template
        .replace("\"blank\"", "\"yes\"")
        .replace(&format!("{crossed} = \"yes\""), &format!("{crossed} = \"no\""))
        .replace("by = \"\"", "by = \"staff-0001\"")
        .replace("understood = \"\"", "understood = \"言い直した\"");
    fs::write(desk.path("answers.toml"), &filled).unwrap();

    // What the form does not offer, and what the rules of consents forbid, makes no draft.
    fs::write(desk.path("more.toml"), format!("{filled}\nB1 = \"yes\"\n")).unwrap();
    desk.fails(&["draft", "--form", "form.html", "--answers", "more.toml", "--out", "draft.json"], 2, "no box B1");
    fs::write(desk.path("custody.toml"), filled.replace("kind = \"office\"", "kind = \"custody\"")).unwrap();
    desk.fails(&["draft", "--form", "form.html", "--answers", "custody.toml", "--out", "draft.json"], 2, "needs a witness");
    fs::write(desk.path("future.toml"), filled.replace("given = \"2", "given = \"3")).unwrap();
    desk.fails(&["draft", "--form", "form.html", "--answers", "future.toml", "--out", "draft.json"], 2, "in the future");
    let altered = String::from_utf8(page).unwrap().replace("</body>", "<p></p></body>");
    fs::write(desk.path("altered.html"), altered).unwrap();
    desk.fails(&["draft", "--form", "altered.html", "--answers", "answers.toml", "--out", "draft.json"], 2, "was changed");
    assert!(!desk.path("draft.json").exists());

    let drafted = desk.done(&["draft", "--form", "form.html", "--answers", "answers.toml", "--out", "draft.json"]);
    assert_eq!(drafted["form"], form.number());
    let signed = desk.done(&["sign", "draft.json"]);
    let jti = signed["consent"].as_str().unwrap().to_owned();
    assert_eq!(desk.lines(&["list"])[0]["state"], "waiting");
    let sent = desk.done(&["send", &jti]);
    assert_eq!(desk.done(&["send", &jti]), sent, "the same again is the same");
    assert_eq!(desk.lines(&["list"])[0]["state"], "delivered");

    // The number on the paper is the one in the record, and so is the scan.
    let shown = desk.done(&["show", &jti]);
    assert_eq!(shown["state"], "in_force");
    assert_eq!(shown["claims"]["form"]["ver"], form.number());
    assert_eq!(shown["claims"]["form"]["sha256"], serde_json::json!(Digest::of(b"a scan")));
    assert_eq!(shown["claims"]["refused"][0]["cls"], serde_json::json!(["finance"]));

    // A referral under it: what was crossed may not be sent, the rest is shown.
    let consent = Consent {
        jti: jti.parse().unwrap(),
        sub: serde_json::from_value(signed["pseudonym"].clone()).unwrap(),
        token: signed_token(&story, &jti).await,
    };
    assert_eq!(serde_json::to_value(Digest::of(consent.token.as_bytes())).unwrap(), signed["sha256"]);
    let mut draft = story.draft(&consent);
    let refused = story.submit(&story.sign(&draft)).await.unwrap_err().problem();
    assert!(refused.code == "over_disclosure" && refused.text.contains("finance"), "{}", refused.text);
    draft = story.draft(&consent);
    draft.body.retain(|(key, _)| story.classes[key] != FieldClass::Finance);
    story.submit(&story.sign(&draft)).await.unwrap();
    let (cases, _) = story.cases(None).await.unwrap();
    let has = async |class: FieldClass| {
        let released = story.read(&cases[0], PLACEMENT).await.unwrap();
        released.release.disclosed.rows.iter().any(|row| story.classes[&row.key] == class)
    };
    assert!(has(FieldClass::Medical).await);

    // Narrowed, then withdrawn. What is held takes effect when it is sent.
    desk.done(&["narrow", &jti, "--recipient", MUNICIPALITY, "--class", "medical", "--why", "本人の希望"]);
    assert!(!has(FieldClass::Medical).await && has(FieldClass::Identity).await);
    assert_eq!(desk.done(&["show", &jti])["narrowed"][0]["cls"], serde_json::json!(["medical"]));
    let held = desk.done(&["withdraw", &jti, "--why", "電話で申出", "--hold"]);
    assert!(has(FieldClass::Identity).await);
    desk.done(&["send", held["end"].as_str().unwrap()]);
    assert_eq!(story.read(&cases[0], PLACEMENT).await.unwrap_err().code(), "consent_ended");
    assert_eq!(desk.done(&["show", &jti])["state"], "ended");
    desk.fails(&["withdraw", &jti, "--why", "もう一度"], 1, "state_conflict");
    desk.fails(&["show", "5d0f3a52-1c8e-4b7a-9a44-3f3b6f0f7c11"], 1, "not_found");
    server.stop().await;
}

/// What is refused is named, says why, and keeps nothing else back; what could not be sent waits, and says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_refused_consent_keeps_no_other_back_and_an_end_waits_for_the_gateway() {
    let sandbox = Sandbox::new(Settings::default());
    let server = sandbox.serve().await;
    let story = Story::open(&sandbox).await;
    let desk = Desk { folder: tempfile::tempdir().unwrap(), centre: sandbox.identity(&CENTRE.parse().unwrap()) };
    // Two first consents of one person, and one of another, who comes last.
    let mut ids = Vec::new();
    for person in ["person-one", "person-one", "person-two"] {
        let given = ConsentGiven { sub: person.parse().unwrap(), ..story.consent() };
        let mut claims = given.to_claims().unwrap();
        for member in ["iss", "aud", "jti", "iat"] {
            claims.as_object_mut().unwrap().remove(member);
        }
        let draft = desk.path("draft.json");
        fs::write(&draft, serde_json::json!({"collector": CENTRE, "claims": claims}).to_string()).unwrap();
        fs::set_permissions(&draft, fs::Permissions::from_mode(0o600)).unwrap();
        ids.push(desk.done(&["sign", "draft.json"])["consent"].as_str().unwrap().to_owned());
    }
    let output = desk.run(&["send"]);
    assert_eq!(output.status.code(), Some(1));
    let refused: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(refused["violations"], serde_json::json!([{"field": "sub", "rule": "in_use"}]));
    assert!(ids[..2].contains(&refused["id"].as_str().unwrap().to_owned()) && refused["state"] == "refused", "{refused}");
    let listed = desk.lines(&["list"]);
    let delivered: Vec<&str> = listed.iter().filter(|item| item["state"] == "delivered").map(|item| item["id"].as_str().unwrap()).collect();
    assert!(delivered.len() == 2 && delivered.contains(&ids[2].as_str()), "{listed:?}");

    server.stop().await;
    let output = desk.run(&["withdraw", &ids[2], "--why", "電話で申出"]);
    assert_eq!(output.status.code(), Some(3));
    let waits: Value = serde_json::from_slice(&output.stderr).unwrap();
    let end = waits["id"].as_str().unwrap();
    assert_eq!((&waits["error"], &waits["state"]), (&serde_json::json!("unreachable"), &serde_json::json!("waiting")));
    assert_eq!(waits["next"], format!("tsunagi consent send {end}"));
    let server = sandbox.serve().await;
    desk.done(&["send", end]);
    assert_eq!(desk.done(&["show", &ids[2]])["state"], "ended");
    server.stop().await;
}

async fn signed_token(story: &Story, jti: &str) -> String {
    let shown = story.centre.json(&format!("/v1/consents/{jti}"), PLACEMENT).await.unwrap();
    shown["signed"].as_str().unwrap().to_owned()
}

/// Where the collector works.
struct Desk {
    folder: tempfile::TempDir,
    centre: PathBuf,
}

impl Desk {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(BINARY);
        command.current_dir(self.folder.path()).args(["--json", "--lang", "en", "consent"]).args(args);
        command.env("TSUNAGI_IDENTITY", Path::new(&self.centre)).output().unwrap()
    }

    fn lines(&self, args: &[&str]) -> Vec<Value> {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn done(&self, args: &[&str]) -> Value {
        let [one] = self.lines(args).try_into().unwrap();
        one
    }

    fn fails(&self, args: &[&str], code: i32, says: &str) {
        let output = self.run(args);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), told.contains(says)), (Some(code), true), "{args:?}: {told}");
    }
}
