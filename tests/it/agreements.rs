//! Agreements as their parties live them: the program itself as every party's client, a gateway of its own, everything through the listener.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};
use tsunagi::{
    domain::{
        entry::{Act, EntryType, Operation},
        field::FieldClass,
        party::PartyId,
        time::Timestamp,
    },
    message::submission::AgreementRef,
};

use crate::exchange_stage::{
    BINARY, CENTRE, MUNICIPALITY, Sandbox, Settings,
    ledger::{Ledger, Record},
    party::{Setback, now},
    process::Server,
    story::{BENEFIT, Message, PLACEMENT, Story},
};

const CORE: &str = "core_center:131016-1";
const HOME: &str = "group_home:1320100017";
const DAY: &str = "day_service:1310100019";

/// A sandbox with a running gateway and drafts in a folder.
struct Stage {
    sandbox: Sandbox,
    drafts: tempfile::TempDir,
    story: Story,
    server: Server,
}

impl Stage {
    async fn new() -> Self {
        let sandbox = Sandbox::new(Settings::default());
        let server = sandbox.serve().await;
        let story = Story::open(&sandbox).await;
        Self { sandbox, drafts: tempfile::tempdir().unwrap(), story, server }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.drafts.path().join(name)
    }

    /// `tsunagi agreement` as a party, for machines.
    fn run(&self, party: &str, words: &[&str]) -> Output {
        let party: PartyId = party.parse().unwrap();
        let mut command = Command::new(BINARY);
        command.args(["--lang", "en", "--json", "agreement"]).args(words).current_dir(self.drafts.path()).stdin(Stdio::null());
        command.env("TSUNAGI_IDENTITY", self.sandbox.identity(&party)).output().unwrap()
    }

    /// The objects it prints when it ends well.
    fn done(&self, party: &str, words: &[&str]) -> Vec<Value> {
        let output = self.run(party, words);
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        lines(&output)
    }

    /// The text of its refusal by the gateway.
    fn refused(&self, party: &str, words: &[&str]) -> String {
        let output = self.run(party, words);
        assert_eq!(output.status.code(), Some(1), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stderr).unwrap()
    }

    /// The classes of the published example, and what releases need besides.
    fn classes(&self) -> Vec<FieldClass> {
        let mut classes: Vec<FieldClass> = self.story.body.iter().map(|(key, _)| self.story.classes[key]).collect();
        classes.push(FieldClass::ConsentDetail);
        classes.sort_unstable();
        classes.dedup();
        classes
    }

    /// A version between centre, municipality and core centre, that group homes may join.
    fn version(ver: u32, classes: &[FieldClass], delegations: &Value) -> Value {
        json!({
            "id": "AG-13-0002", "ver": ver, "title": "試験協定",
            "parties": [CENTRE, MUNICIPALITY, CORE], "acceding": ["group_home"],
            "flows": [
                {"from": CENTRE, "to": MUNICIPALITY, "kinds": ["referral"], "purposes": [PLACEMENT, BENEFIT], "classes": classes,
                 "bases": ["consent_69_2_1"]},
                {"from": "municipality", "to": "core_center", "kinds": ["referral"], "purposes": [PLACEMENT], "classes": ["identity"],
                 "bases": ["within_purpose"]}
            ],
            "schema_versions": ["referral/1.0.0"], "purpose_of_use_entry": "個人情報ファイル簿 3", "terms": ["目的外に使わない"],
            "from": now().plus_secs(-60), "until": now().plus_secs(30 * 86_400), "retention_months": 12, "delegations": delegations
        })
    }

    fn delegation(qualification: &str, until: Timestamp) -> Value {
        json!([{"from": MUNICIPALITY, "to": CORE, "qualification": qualification, "until": until}])
    }

    /// Writes the draft and makes the document of it.
    fn draft(&self, version: &Value, name: &str) -> AgreementRef {
        fs::write(self.file("draft.json"), version.to_string()).unwrap();
        let made = self.done(CENTRE, &["draft", "draft.json", "--out", name]);
        AgreementRef {
            id: made[0]["id"].as_str().unwrap().parse().unwrap(),
            ver: made[0]["ver"].as_u64().unwrap().try_into().unwrap(),
            sha256: serde_json::from_value(made[0]["sha256"].clone()).unwrap(),
        }
    }

    /// Drafts a version and puts it in force.
    fn settle(&self, version: &Value, name: &str) -> AgreementRef {
        let reference = self.draft(version, name);
        for party in [CENTRE, MUNICIPALITY, CORE] {
            self.done(party, &["sign", name]);
        }
        reference
    }

    fn state(&self, ver: u32) -> String {
        let listed = self.done(CENTRE, &["list"]);
        let found = listed.iter().find(|head| head["id"] == "AG-13-0002" && head["ver"] == ver).unwrap();
        found["state"].as_str().unwrap().to_owned()
    }

    /// A message under the story's agreement, not yet sent.
    async fn message(&self) -> Message {
        let consent = self.story.sign_consent(&self.story.consent());
        self.story.register(&consent).await.unwrap();
        self.story.sign(&self.story.draft(&consent))
    }

    /// Classes of the rows that the municipality is shown.
    async fn seen(&self, case: &str) -> Result<Vec<FieldClass>, Setback> {
        let released = self.story.read(case, PLACEMENT).await?;
        let mut classes: Vec<FieldClass> = released.release.disclosed.rows.iter().map(|row| self.story.classes[&row.key]).collect();
        classes.sort_unstable();
        classes.dedup();
        Ok(classes)
    }
}

fn lines(output: &Output) -> Vec<Value> {
    String::from_utf8(output.stdout.clone()).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agreement_lives_from_its_draft_to_its_revocation() {
    let mut stage = Stage::new().await;

    // Drafted: the template is refused as it is, the draft is checked and made into the document.
    fs::write(stage.file("template.toml"), stage.template()).unwrap();
    let linted = stage.run(CENTRE, &["lint", "template.toml"]);
    assert_eq!(linted.status.code(), Some(2));
    let rules: Vec<Value> = lines(&linted).into_iter().map(|finding| finding["rule"].clone()).collect();
    assert!(rules.contains(&json!("placeholder")), "{rules:?}");
    let classes = stage.classes();
    let first = Stage::version(1, &classes, &json!([]));
    let reference = stage.draft(&first, "v1.json");
    let notes: Vec<Value> = stage.done(CENTRE, &["lint", "v1.json"]).into_iter().map(|finding| finding["rule"].clone()).collect();
    assert_eq!(notes, ["period_retroactive"]);
    let unready = stage.run(CENTRE, &["sign", "draft.json"]);
    assert_eq!(unready.status.code(), Some(2), "only the document itself is signed");

    // Signed by each: in force with the last signature.
    stage.done(CENTRE, &["sign", "v1.json"]);
    stage.done(MUNICIPALITY, &["sign", "v1.json"]);
    assert_eq!(stage.state(1), "proposed");
    stage.done(CORE, &["sign", "AG-13-0002/1"]);
    assert_eq!(stage.state(1), "in_force");
    let shown = &stage.done(HOME, &["show", "AG-13-0002/1"])[0];
    let said: Vec<&Value> = shown["said"].as_array().unwrap().iter().map(|said| &said["act"]).collect();
    assert_eq!(said, ["accept", "accept", "accept"]);
    assert!(stage.refused(CENTRE, &["sign", "AG-13-0002/1"]).contains("state_conflict"), "once is enough");

    // A message under it is sent and read.
    stage.story.agreement = reference;
    let old = stage.story.refer().await;
    assert!(stage.seen(&old.case).await.unwrap().contains(&FieldClass::Wishes));

    // Joined by whom it invites, once; for others it is not there.
    stage.done(HOME, &["accede", "AG-13-0002/1"]);
    assert!(stage.refused(HOME, &["accede", "AG-13-0002/1"]).contains("state_conflict"));
    assert!(stage.refused(DAY, &["accede", "AG-13-0002/1"]).contains("not_found"));

    // A second version without a class takes the place of the first when all have accepted it.
    let fewer: Vec<FieldClass> = classes.iter().copied().filter(|class| *class != FieldClass::Wishes).collect();
    let second = Stage::version(2, &fewer, &json!([]));
    stage.draft(&second, "v2.json");
    let changes = stage.done(CENTRE, &["diff", "AG-13-0002/1", "v2.json"]);
    let class = changes.iter().find(|change| change["part"] == "class").unwrap();
    assert_eq!((&class["removed"], &class["effect"]), (&json!(["wishes"]), &json!("narrows")));
    for party in [CENTRE, MUNICIPALITY] {
        stage.done(party, &["sign", "v2.json"]);
    }
    assert_eq!((stage.state(1), stage.state(2)), ("in_force".to_owned(), "proposed".to_owned()));
    let unsent = stage.message().await;
    stage.done(CORE, &["sign", "v2.json"]);
    assert_eq!((stage.state(1), stage.state(2)), ("superseded".to_owned(), "in_force".to_owned()));

    // What was sent is read under the narrower of the two; nothing new is taken under the first.
    let seen = stage.seen(&old.case).await.unwrap();
    assert!(!seen.contains(&FieldClass::Wishes) && seen.contains(&FieldClass::Identity), "{seen:?}");
    assert_eq!(stage.story.submit(&unsent).await.unwrap_err().code(), "agreement_not_in_force");
    assert!(stage.refused(HOME, &["accede", "AG-13-0002/1"]).contains("state_conflict"));

    // Suspended by one at once, resumed by all.
    let suspended = &stage.done(CORE, &["suspend", "AG-13-0002/2"])[0];
    assert_eq!(suspended["act"], "suspend");
    assert_eq!(stage.seen(&old.case).await.unwrap_err().code(), "agreement_not_in_force");
    for party in [CORE, CENTRE] {
        stage.done(party, &["resume", "AG-13-0002/2"]);
        assert_eq!(stage.seen(&old.case).await.unwrap_err().code(), "agreement_not_in_force");
    }
    assert!(stage.refused(CENTRE, &["resume", "AG-13-0002/2"]).contains("state_conflict"));
    stage.done(MUNICIPALITY, &["resume", "AG-13-0002/2"]);
    assert_eq!(stage.seen(&old.case).await.unwrap(), seen);

    // Revoked by one, for good.
    stage.done(MUNICIPALITY, &["revoke", "AG-13-0002/2"]);
    assert_eq!(stage.state(2), "revoked");
    assert_eq!(stage.seen(&old.case).await.unwrap_err().code(), "agreement_not_in_force");
    for words in [["resume", "AG-13-0002/2"], ["suspend", "AG-13-0002/2"], ["revoke", "AG-13-0002/2"]] {
        assert!(stage.refused(CENTRE, &words).contains("state_conflict"), "{words:?}");
    }

    stage.every_act_is_an_entry(suspended["index"].as_u64().unwrap()).await;
}

impl Stage {
    fn template(&self) -> Vec<u8> {
        let output = self.run(CENTRE, &["template"]);
        assert!(output.status.success());
        output.stdout
    }

    /// What was said stands in the ledger in its order, and no release rests on what was suspended then.
    async fn every_act_is_an_entry(&self, suspended: u64) {
        let ledger = Ledger::read(&self.story.auditor).await;
        let of_it = |e: &&Record| e.entry.agreement.as_ref().is_some_and(|a| a.id.as_str() == "AG-13-0002");
        let acts: Vec<Act> = ledger
            .records
            .iter()
            .filter(of_it)
            .filter(|r| matches!(r.entry.entry_type, EntryType::Agreement | EntryType::AgreementSignature))
            .map(|r| r.entry.act.unwrap())
            .collect();
        let (accept, resume) = (Act::Accept, Act::Resume);
        let expected = [accept, accept, accept, Act::Accede, accept, accept, accept, Act::Suspend, resume, resume, resume, Act::Revoke];
        assert_eq!(acts, expected);
        let said = |r: &&Record| r.entry.entry_type == EntryType::AgreementSignature && r.entry.act == Some(resume);
        let resumed = ledger.records.iter().rfind(said).unwrap().index;
        let released = ledger.records.iter().filter(of_it).filter(|r| r.entry.entry_type == EntryType::Release);
        assert!(released.clone().count() > 2);
        assert!(released.map(|r| r.index).all(|index| index < suspended || index > resumed));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_begins_later_takes_the_place_later() {
    let mut stage = Stage::new().await;
    let classes = stage.classes();
    stage.story.agreement = stage.settle(&Stage::version(1, &classes, &json!([])), "v1.json");
    let mut later = Stage::version(2, &classes, &json!([]));
    later["from"] = json!(now().plus_secs(86_400));
    stage.settle(&later, "v2.json");
    assert_eq!((stage.state(1), stage.state(2)), ("in_force".to_owned(), "proposed".to_owned()));
    let message = stage.message().await;
    stage.story.submit(&message).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_leaves_must_accept_that_it_does() {
    let stage = Stage::new().await;
    let classes = stage.classes();
    stage.settle(&Stage::version(1, &classes, &json!([])), "v1.json");
    let mut without = Stage::version(2, &classes, &json!([]));
    without["parties"] = json!([CENTRE, MUNICIPALITY]);
    stage.draft(&without, "v2.json");
    for party in [CENTRE, MUNICIPALITY] {
        stage.done(party, &["sign", "v2.json"]);
    }
    assert_eq!((stage.state(1), stage.state(2)), ("in_force".to_owned(), "in_force".to_owned()), "the core centre has not let go");
    stage.done(CORE, &["sign", "AG-13-0002/2"]);
    assert_eq!((stage.state(1), stage.state(2)), ("superseded".to_owned(), "in_force".to_owned()));
    assert!(stage.refused(CORE, &["suspend", "AG-13-0002/2"]).contains("state_conflict"), "it is bound no more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rejected_version_is_over_and_a_stranger_takes_no_number() {
    let stage = Stage::new().await;
    let classes = stage.classes();
    stage.draft(&Stage::version(1, &classes, &json!([])), "v1.json");
    stage.done(CENTRE, &["sign", "v1.json"]);
    stage.done(MUNICIPALITY, &["reject", "AG-13-0002/1"]);
    assert!(stage.refused(CORE, &["sign", "v1.json"]).contains("state_conflict"));
    let mut foreign = Stage::version(2, &classes, &json!([]));
    foreign["parties"] = json!([HOME, DAY]);
    stage.draft(&foreign, "foreign.json");
    assert!(stage.refused(HOME, &["sign", "foreign.json"]).contains("state_conflict"));
    stage.settle(&Stage::version(2, &classes, &json!([])), "v2.json");
    assert_eq!((stage.state(1), stage.state(2)), ("superseded".to_owned(), "in_force".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_qualified_delegate_reads_for_its_municipality_and_nobody_else_does() {
    let mut stage = Stage::new().await;
    let classes = stage.classes();
    let until = now().plus_secs(86_400);

    // Without the qualification it is not even registered.
    stage.draft(&Stage::version(1, &classes, &Stage::delegation("社会福祉士", until)), "bad.json");
    assert_eq!(stage.run(CENTRE, &["lint", "bad.json"]).status.code(), Some(2));
    assert!(stage.refused(CENTRE, &["sign", "bad.json"]).contains("schema_invalid"));

    let qualified = Stage::delegation("主任相談支援専門員を配置する基幹相談支援センター", until);
    stage.story.agreement = stage.settle(&Stage::version(1, &classes, &qualified), "v1.json");
    let referral = stage.story.refer().await;
    let core = stage.sandbox.party(CORE);
    let listed = core.json("/v1/cases", PLACEMENT).await.unwrap();
    let [case] = listed["cases"].as_array().unwrap().as_slice() else { panic!("{listed}") };
    assert_eq!((&case["for"], &case["relation"]), (&json!(MUNICIPALITY), &json!("assigned")));
    let id = case["case"].as_str().unwrap();
    assert_ne!(id, referral.case, "it knows the case by an id of its own");

    // It reads what its municipality may read, and says for whom.
    let sender = stage.story.centre.signing.public();
    let target = format!("/v1/cases/{id}");
    let read = core.read(&target, PLACEMENT, sender).await.unwrap();
    assert_eq!(read.release.binding.tsn.on_behalf_of, Some(MUNICIPALITY.parse().unwrap()));
    let entry: Value = serde_json::from_slice(&read.leaf).unwrap();
    assert_eq!((&entry["actor"]["party"], &entry["actor"]["for"]), (&json!(CORE), &json!(MUNICIPALITY)));
    let shown: Vec<_> = read.release.disclosed.rows.iter().map(|row| &row.key).collect();
    let own = stage.story.read(&referral.case, PLACEMENT).await.unwrap();
    assert!(!shown.is_empty() && shown.iter().all(|key| own.release.disclosed.rows.iter().any(|row| row.key == **key)));
    let messages = core.json(&format!("{target}/messages"), PLACEMENT).await.unwrap();
    let jti = messages["messages"][0]["message"].as_str().unwrap();
    assert!(core.read(&format!("{target}/messages/{jti}"), PLACEMENT, sender).await.is_ok());
    let ledger = Ledger::read(&stage.story.auditor).await;
    for operation in [Operation::CaseList, Operation::MessageList] {
        let mut lists = ledger.records.iter().filter(|r| r.entry.operation == operation).filter_map(|r| r.entry.actor.as_ref());
        let list = lists.find(|actor| actor.party == core.id).unwrap();
        assert_eq!(list.acting_for, Some(MUNICIPALITY.parse().unwrap()), "{operation}");
    }

    // Others, and the municipality's own id of the case, open nothing; nor a purpose it does not work for.
    assert_eq!(core.read(&target, BENEFIT, sender).await.unwrap_err().code(), "purpose_not_allowed");
    assert_eq!(core.read(&format!("/v1/cases/{}", referral.case), PLACEMENT, sender).await.unwrap_err().code(), "not_found");
    assert_eq!(stage.sandbox.party(HOME).read(&target, PLACEMENT, sender).await.unwrap_err().code(), "not_found");

    // A next version without the delegation ends it at once, and the case is not there any more.
    stage.settle(&Stage::version(2, &classes, &json!([])), "v2.json");
    assert_eq!(core.read(&target, PLACEMENT, sender).await.unwrap_err().code(), "not_found");
    assert_eq!(core.json(&format!("{target}/messages"), PLACEMENT).await.unwrap_err().code(), "not_found");
    assert!(core.json("/v1/cases", PLACEMENT).await.unwrap()["cases"].as_array().unwrap().is_empty());
    assert!(stage.story.read(&referral.case, PLACEMENT).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_delegation_or_after_its_end_there_is_no_delegate() {
    let mut stage = Stage::new().await;
    let classes = stage.classes();
    let until = now().plus_secs(20);
    stage.story.agreement = stage.settle(&Stage::version(1, &classes, &json!([])), "v1.json");
    stage.story.refer().await;
    let core = stage.sandbox.party(CORE);
    let count = async || core.json("/v1/cases", PLACEMENT).await.unwrap()["cases"].as_array().unwrap().len();
    assert_eq!(count().await, 0);

    let short = Stage::delegation("主任相談支援専門員", until);
    stage.story.agreement = stage.settle(&Stage::version(2, &classes, &short), "v2.json");
    stage.story.refer().await;
    assert_eq!(count().await, 1, "what was sent before the delegation is not opened by it");
    while now() < until {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    assert_eq!(count().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_signed_waits_in_the_outbox_and_goes_out_once() {
    let stage = Stage::new().await;
    let classes = stage.classes();
    stage.draft(&Stage::version(1, &classes, &json!([])), "v1.json");
    let held = &stage.done(CENTRE, &["sign", "v1.json", "--hold"])[0];
    assert_eq!(held["state"], "waiting");
    let (jti, folder) = (held["id"].as_str().unwrap(), PathBuf::from(held["outbox"].as_str().unwrap()));
    let waiting = stage.done(CENTRE, &["list"]);
    assert_eq!(waiting.iter().find(|line| line["outbox"] == jti).unwrap()["state"], "waiting");

    // Nobody there: it goes on waiting.
    let Stage { sandbox, drafts, story, server } = stage;
    server.kill();
    let offline = Command::new(BINARY)
        .args(["--lang", "ja", "agreement", "send"])
        .env("TSUNAGI_IDENTITY", sandbox.identity(&CENTRE.parse().unwrap()))
        .output()
        .unwrap();
    assert_eq!(offline.status.code(), Some(3), "{}", String::from_utf8_lossy(&offline.stderr));
    assert!(!folder.join(format!("{jti}.receipt.json")).exists());
    let server = sandbox.serve().await;
    let stage = Stage { sandbox, drafts, story, server };

    let sent = &stage.done(CENTRE, &["send"])[0];
    assert_eq!((&sent["id"], &sent["state"]), (&json!(jti), &json!("delivered")));
    assert!(folder.join(format!("{jti}.receipt.json")).exists());
    assert!(stage.done(CENTRE, &["send"]).is_empty(), "nothing waits");
    let stored = &stage.done(CENTRE, &["send", jti])[0];
    assert_eq!(stored["index"], sent["index"], "verified from what is stored");

    // A receipt that was lost in a crash is fetched with the very same message: no second entry.
    fs::remove_file(folder.join(format!("{jti}.receipt.json"))).unwrap();
    let again = &stage.done(CENTRE, &["send"])[0];
    assert_eq!((&again["index"], &again["time"]), (&sent["index"], &sent["time"]));
    let ledger = Ledger::read(&stage.story.auditor).await;
    let proposed = ledger
        .records
        .iter()
        .filter(|r| r.entry.entry_type == EntryType::Agreement && r.entry.agreement.as_ref().unwrap().id.as_str() == "AG-13-0002");
    assert_eq!(proposed.count(), 1);

    // What the gateway refuses is kept with its reason, and not sent again by itself.
    stage.done(CENTRE, &["suspend", "AG-13-0001/1"]);
    assert!(stage.refused(CENTRE, &["accede", "AG-13-0002/1"]).contains("state_conflict"));
    let kept = stage.done(CENTRE, &["list"]);
    let refused = kept.iter().find(|line| line["state"] == "refused").unwrap();
    assert!(refused["why"].as_str().unwrap().starts_with("state_conflict"));
    assert!(stage.done(CENTRE, &["send"]).is_empty());
    assert!(stage.refused(CENTRE, &["send", refused["outbox"].as_str().unwrap()]).contains("state_conflict"));
    assert_eq!(stage.run(CENTRE, &["send", "0b0e5f6a-5c7e-4f0e-8d57-2f6f0ac1b1a4"]).status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_is_told_in_japanese() {
    let stage = Stage::new().await;
    let classes = stage.classes();
    stage.settle(&Stage::version(1, &classes, &json!([])), "v1.json");
    let told = |words: &[&str]| {
        let mut command = Command::new(BINARY);
        command.args(["--lang", "ja", "agreement"]).args(words).current_dir(stage.drafts.path());
        let output = command.env("TSUNAGI_IDENTITY", stage.sandbox.identity(&HOME.parse().unwrap())).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, shown) = told(&["show", "AG-13-0002/1"]);
    assert_eq!(code, Some(0));
    for words in ["有効", "当事者：", "利用目的：利用調整（placement_coordination）", "承諾", "目的外に使わない"]
    {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let (_, listed) = told(&["list"]);
    assert!(listed.contains("AG-13-0002/1  有効"), "{listed}");
    let (code, joined) = told(&["accede", "AG-13-0002/1"]);
    assert!(code == Some(0) && joined.contains("加入") && joined.contains("確認済み"), "{joined}");
    let (_, same) = told(&["diff", "v1.json", "AG-13-0002/1"]);
    assert_eq!(same.trim(), "二つの版の内容は同じです。");
}
