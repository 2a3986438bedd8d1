//! Agreements between centre, municipality and core centre, made and changed as their parties do it: with the program.

use std::{
    fs,
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use tsunagi::{
    domain::{field::FieldClass, party::PartyId},
    message::submission::AgreementRef,
};

use super::{
    BINARY, CENTRE, MUNICIPALITY, Sandbox,
    party::now,
    story::{BENEFIT, PLACEMENT, Story},
};

pub(crate) const CORE: &str = "core_center:131016-1";

/// The classes of the published example, and what releases need besides.
pub(crate) fn classes(story: &Story) -> Vec<FieldClass> {
    let mut classes: Vec<FieldClass> = story.body.iter().map(|(key, _)| story.classes[key]).collect();
    classes.push(FieldClass::ConsentDetail);
    classes.sort_unstable();
    classes.dedup();
    classes
}

/// A version that lets the centre refer to the municipality, perhaps with the core centre as its delegate.
pub(crate) fn version(id: &str, ver: u32, classes: &[FieldClass], delegated: bool) -> Value {
    let until = now().plus_secs(30 * 86_400);
    let qualification = "主任相談支援専門員を配置する基幹相談支援センター";
    let delegations =
        if delegated { json!([{"from": MUNICIPALITY, "to": CORE, "qualification": qualification, "until": until}]) } else { json!([]) };
    json!({
        "id": id, "ver": ver, "title": "試験協定", "parties": [CENTRE, MUNICIPALITY, CORE], "acceding": [],
        "flows": [
            {"from": CENTRE, "to": MUNICIPALITY, "kinds": ["referral"], "purposes": [PLACEMENT, BENEFIT], "classes": classes,
             "bases": ["consent_69_2_1"]}
        ],
        "schema_versions": ["referral/1.0.0"], "purpose_of_use_entry": "個人情報ファイル簿 3", "terms": ["目的外に使わない"],
        "from": now().plus_secs(-60), "until": until, "retention_months": 12, "delegations": delegations
    })
}

/// Drafts a version and puts it in force; gives its reference and the index of the entry by which it is in force.
pub(crate) fn settle(sandbox: &Sandbox, version: &Value) -> (AgreementRef, u64) {
    let folder = tempfile::tempdir().unwrap();
    let (draft, document) = (folder.path().join("draft.json"), folder.path().join("document.json"));
    let (draft, document) = (draft.to_str().unwrap(), document.to_str().unwrap());
    fs::write(draft, version.to_string()).unwrap();
    let made = say(sandbox, CENTRE, &["draft", draft, "--out", document]);
    let signed = [CENTRE, MUNICIPALITY, CORE].map(|party| say(sandbox, party, &["sign", document]));
    let reference = AgreementRef {
        id: made["id"].as_str().unwrap().parse().unwrap(),
        ver: made["ver"].as_u64().unwrap().try_into().unwrap(),
        sha256: serde_json::from_value(made["sha256"].clone()).unwrap(),
    };
    (reference, signed[2]["index"].as_u64().unwrap())
}

/// `tsunagi agreement` as a party; gives what it printed.
pub(crate) fn say(sandbox: &Sandbox, party: &str, words: &[&str]) -> Value {
    let party: PartyId = party.parse().unwrap();
    let mut command = Command::new(BINARY);
    command.args(["--lang", "en", "--json", "agreement"]).args(words).stdin(Stdio::null());
    let output = command.env("TSUNAGI_IDENTITY", sandbox.identity(&party)).output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}
