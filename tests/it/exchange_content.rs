//! What a message, a consent, an agreement and a registration may say, at the running gateway: rules with their names, warnings that do not
//! refuse, the versions an agreement accepts, and no My Number anywhere.

use serde_json::{Value, json};
use tsunagi::{
    domain::{agreement::AgreementAct, codes::Purpose, day::Day, digest::Digest, field::FieldKey},
    message::{
        base64url,
        compose::Draft,
        keys::SigningKey,
        objects::{AgreementSignature, PartyStatement, SignedObject as _},
        submission::{AgreementRef, BasisRef},
    },
};

use crate::exchange_stage::{
    Sandbox, Settings,
    party::{Accepted, Problem, Setback, now},
    story::{PLACEMENT, Story},
};
use crate::message_fixture;

const MY_NUMBER: &str = "9832-0567-3214";

/// `field:rule` of every violation of a problem document.
fn violations(problem: &Problem) -> Vec<String> {
    let document: Value = serde_json::from_str(&problem.text).unwrap();
    let rows = document["violations"].as_array().unwrap();
    rows.iter().map(|row| format!("{}:{}", row["field"].as_str().unwrap(), row["rule"].as_str().unwrap())).collect()
}

/// The same signed object with one member set, as a stranger's program would sign it: ours refuses to.
fn forged(token: &str, key: &SigningKey, pointer: &str, value: Value) -> String {
    let part = |at: usize| String::from_utf8(base64url::decode(token.split('.').nth(at).unwrap()).unwrap()).unwrap();
    let mut claims: Value = serde_json::from_str(&part(1)).unwrap();
    *claims.pointer_mut(pointer).unwrap() = value;
    message_fixture::token(key, &part(0), &claims.to_string())
}

/// A referral of the example with some rows set, under a consent of its own.
async fn referral(story: &Story, rows: &[(&str, Value)]) -> Draft {
    let consent = story.sign_consent(&story.consent());
    story.register(&consent).await.unwrap();
    let mut draft = story.draft(&consent);
    for (name, value) in rows {
        let key: FieldKey = name.parse().unwrap();
        draft.body.iter_mut().find(|(row, _)| *row == key).unwrap().1 = value.clone();
    }
    draft
}

async fn sent(story: &Story, draft: &Draft) -> Result<Accepted, Setback> {
    story.submit(&story.sign(draft)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_schema_is_served_as_the_bytes_of_its_file() {
    let sandbox = Sandbox::new(Settings::default());
    let server = sandbox.serve().await;
    let story = Story::open(&sandbox).await;
    let known: Value = serde_json::from_slice(&story.centre.open_data("/.well-known/tsunagi").await.unwrap().body).unwrap();
    let listed = known["schemas"].as_array().unwrap();
    assert_eq!(listed.len(), 45, "one for each of forty kinds, and five that they rest on or go with");
    for schema in listed {
        let (kind, ver) = (schema["kind"].as_str().unwrap(), schema["ver"].as_str().unwrap());
        let served = story.centre.open_data(&format!("/v1/schemas/{kind}/{ver}")).await.unwrap().body;
        let file = std::fs::read(format!("{}/schemas/{kind}/{ver}.json", env!("CARGO_MANIFEST_DIR"))).unwrap();
        assert_eq!(served, file, "{kind}");
        assert_eq!(schema["sha256"], Digest::of(&served).to_string());
    }
    for absent in ["referral/1.0.1", "nothing/1.0.0", "referral/..", "examples/referral"] {
        assert_eq!(story.centre.open_data(&format!("/v1/schemas/{absent}")).await.unwrap_err().code(), "not_found", "{absent}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_rule_is_refused_with_its_name_and_nothing_is_stored() {
    let sandbox = Sandbox::new(Settings::default());
    let server = sandbox.serve().await;
    let story = Story::open(&sandbox).await;
    let day = |days: i64| json!(Day::in_japan(now().plus_secs(days * 86_400)).to_string());
    for (rows, said) in [
        (vec![("birth_date", day(2))], vec!["birth_date:not_in_future", "birth_date:age_12_to_120"]),
        (
            vec![("expected_release_date", day(-2)), ("desired_reply_by", day(-2))],
            vec!["desired_reply_by:not_before_sending", "expected_release_date:not_before_sending"],
        ),
        (
            vec![("subject_category", json!("exit")), ("support_route", json!("exit_coordination"))],
            vec!["detention_deadline:entry_support_only"],
        ),
        (vec![("sentence_kind", json!("imprisonment_2025"))], vec!["sentence_kind:code_not_in_use"]),
        (vec![("no_go_area", json!("090-1234-5678 の人の家"))], vec!["no_go_area:no_contact_details"]),
    ] {
        let refused = sent(&story, &referral(&story, &rows).await).await.unwrap_err().problem();
        assert_eq!((refused.status, refused.code.as_str()), (422, "schema_invalid"), "{}", refused.text);
        assert_eq!(violations(&refused), said);
        assert!(!refused.text.contains("1234-5678"));
    }
    assert!(story.cases(None).await.unwrap().0.is_empty());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_only_suspicious_is_told_with_the_acceptance_and_told_again() {
    let sandbox = Sandbox::new(Settings::default());
    let server = sandbox.serve().await;
    let story = Story::open(&sandbox).await;
    let plain = sent(&story, &referral(&story, &[]).await).await.unwrap();
    assert_eq!(plain.subject.get("warnings"), None);
    let rows = [("recipient_cert_number", json!("0131001233")), ("disposition_date", json!("2025-06-01"))];
    let message = story.sign(&referral(&story, &rows).await);
    let dry = story.centre.post("/v1/explain", PLACEMENT, "application/jose", story.centre.seal(&message.sd_jwt)).await.unwrap();
    let dry: Value = serde_json::from_slice(&dry.body).unwrap();
    let first = story.submit(&message).await.unwrap();
    let told = json!([
        {"field": "sentence_kind", "rule": "code_may_be_over", "class": "criminal_detail"},
        {"field": "recipient_cert_number", "rule": "check_digit", "class": "gov_identifier"},
    ]);
    assert_eq!(first.subject["warnings"], told);
    assert_eq!((&dry["outcome"], &dry["warnings"]), (&json!("accepted"), &told), "a dry run tells it before");
    let again = story.submit(&message).await.unwrap();
    assert_eq!((&again.subject["warnings"], again.index), (&told, first.index));
    server.stop().await;
}

/// A next agreement between the centre and the municipality like the one in force, with some members set.
async fn proposed(story: &Story, members: &[(&str, Value)]) -> Result<AgreementRef, Setback> {
    let target = format!("/v1/agreements/{}/{}", story.agreement.id, story.agreement.ver);
    let known: Value = serde_json::from_slice(&story.centre.open_data(&target).await?.body).unwrap();
    let bytes = base64url::decode(known["document"].as_str().unwrap()).unwrap();
    let mut document: Value = serde_json::from_slice(&bytes).unwrap();
    document["id"] = json!("AG-13-0002");
    document["parties"] = json!([story.centre.id, story.municipality.id]);
    for (name, value) in members {
        document[*name] = value.clone();
    }
    let bytes = serde_json::to_vec(&document).unwrap();
    let agr = AgreementRef { id: "AG-13-0002".parse().unwrap(), ver: 1, sha256: Digest::of(&bytes) };
    let mut said = AgreementSignature { issued: story.centre.issued(), agr: agr.clone(), act: AgreementAct::Accept };
    let proposal = json!({"document": base64url::encode(&bytes), "signature": said.sign(&story.centre.signing).unwrap()});
    let answer = story.centre.post("/v1/agreements", Purpose::Administration, "application/json", proposal.to_string()).await?;
    assert_eq!(answer.status, 201);
    said.issued = story.municipality.issued();
    let target = format!("/v1/agreements/{}/{}/signatures", agr.id, agr.ver);
    let signed = said.sign(&story.municipality.signing).unwrap();
    story.municipality.post_object(&target, Purpose::Administration, &signed).await?;
    Ok(agr)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agreement_names_the_versions_it_accepts() {
    let sandbox = Sandbox::new(Settings::default());
    let server = sandbox.serve().await;
    let story = Story::open(&sandbox).await;
    for wrong in [json!([]), json!(["referral"]), json!(["consent/1.0.0"]), json!(null)] {
        let refused = proposed(&story, &[("schema_versions", wrong)]).await.unwrap_err().problem();
        assert_eq!(refused.code, "schema_invalid");
        assert!(violations(&refused)[0].starts_with("schema_versions:"), "{}", refused.text);
    }
    let other = proposed(&story, &[("schema_versions", json!(["referral/1.0.1", "enquiry/1.0.0"]))]).await.unwrap();
    let mut draft = referral(&story, &[]).await;
    draft.claims.agr = other;
    let refused = sent(&story, &draft).await.unwrap_err().problem();
    assert_eq!((refused.status, refused.code.as_str()), (422, "schema_mismatch"));
    assert_eq!(violations(&refused), ["sch:agreement"]);
    draft.claims.agr = story.agreement.clone();
    sent(&story, &draft).await.unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_my_number_is_refused_in_every_text_however_it_is_written() {
    let sandbox = Sandbox::new(Settings::default());
    let server = sandbox.serve().await;
    let story = Story::open(&sandbox).await;
    for text in [MY_NUMBER, "９８３２０５６７３２１４", "番号 9832 0567 3214 です", "九八三二〇五六七三二一四"]
    {
        let refused = sent(&story, &referral(&story, &[("free_note", json!(text))]).await).await.unwrap_err().problem();
        assert_eq!((refused.status, refused.code.as_str()), (422, "prohibited_my_number"));
        assert_eq!(violations(&refused), ["free_note:my_number"]);
        assert!(!refused.text.contains(text));
    }
    let nested = json!([{"name": format!("薬 {MY_NUMBER}"), "self_manage": "self"}]);
    let refused = sent(&story, &referral(&story, &[("medications", nested)]).await).await.unwrap_err().problem();
    assert_eq!(violations(&refused), ["medications:my_number"]);

    let mut draft = referral(&story, &[]).await;
    draft.claims.bref = Some(BasisRef { article: "69".to_owned(), reason: "why".to_owned() });
    let sd_jwt = story.sign(&draft).sd_jwt;
    let (token, disclosures) = sd_jwt.split_once('~').unwrap();
    let token = forged(token, &story.centre.signing, "/bref/reason", json!(format!("about {MY_NUMBER}")));
    let sent = story.centre.post_message("/v1/referrals", PLACEMENT, &format!("{token}~{disclosures}")).await;
    let refused = sent.unwrap_err().problem();
    assert_eq!((refused.code.as_str(), violations(&refused)), ("prohibited_my_number", vec!["reason:my_number".to_owned()]));

    let mut given = story.consent();
    (given.place, given.witness) = (Some("office".to_owned()), Some("colleague".to_owned()));
    let consent = story.sign_consent(&given);
    for (claim, pointer) in [("place", "/place"), ("witness", "/witness"), ("by", "/expl/by"), ("how", "/expl/how"), ("ver", "/form/ver")] {
        let token = forged(&consent.token, &story.centre.signing, pointer, json!(MY_NUMBER));
        let refused = story.centre.post_object("/v1/consents", PLACEMENT, &token).await.unwrap_err().problem();
        assert_eq!((refused.code.as_str(), violations(&refused)), ("prohibited_my_number", vec![format!("{claim}:my_number")]));
    }
    given.place = Some(MY_NUMBER.to_owned());
    assert!(given.sign(&story.centre.signing).is_err(), "our own program does not sign it");

    story.register(&consent).await.unwrap();
    let token = forged(&story.sign_end(&consent, None), &story.centre.signing, "/why", json!(MY_NUMBER));
    let refused = story.register_end(&consent, &token).await.unwrap_err().problem();
    assert_eq!((refused.code.as_str(), violations(&refused)), ("prohibited_my_number", vec!["why:my_number".to_owned()]));

    let refused = proposed(&story, &[("terms", json!([format!("about {MY_NUMBER}")]))]).await.unwrap_err().problem();
    assert_eq!((refused.code.as_str(), violations(&refused)), ("prohibited_my_number", vec!["terms:my_number".to_owned()]));
    server.stop().await;
}

/// The operator registers a party with a fresh key, with whatever number.
async fn registered(story: &Story, party: &str, corporate_number: Option<&str>) -> Result<Accepted, Setback> {
    let key = SigningKey::generate().unwrap();
    let issued = story.operator.issued();
    let (nbf, naf) = (now().plus_secs(-60).secs(), now().plus_secs(86_400).secs());
    let mut claims = json!({
        "iss": issued.iss, "aud": issued.aud, "jti": issued.jti, "iat": issued.iat.secs(), "act": "register",
        "party": {
            "party": party, "name": {"ja": "架空の機関", "en": "Imaginary body"}, "purposes": ["placement_coordination"],
            "key": {"jwk": key.public().jwk(), "nbf": nbf, "naf": naf},
        },
    });
    if let Some(number) = corporate_number {
        claims["party"]["corporate_number"] = json!(number);
    }
    let signing = &story.operator.signing;
    let header = json!({"alg": "ES256", "typ": PartyStatement::TYP, "kid": signing.public().thumbprint()});
    let token = message_fixture::token(signing, &header.to_string(), &claims.to_string());
    story.operator.post_object("/v1/parties", Purpose::Administration, &token).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_of_bodies_are_checked_at_registration() {
    let sandbox = Sandbox::new(Settings::default());
    let server = sandbox.serve().await;
    let story = Story::open(&sandbox).await;
    for (party, number, rule) in [
        ("municipality:141003-1", "4000020141003", "check_digit"),
        ("municipality:141003-1", "4000020120006", "party"),
        ("prefecture:120006", "3000020141003", "party"),
        ("rehab_facility:4011001098993-1", "7010705000725", "party"),
        ("core_center:141003-1", "8123456789012", "check_digit"),
    ] {
        let refused = registered(&story, party, Some(number)).await.unwrap_err().problem();
        assert_eq!((refused.status, refused.code.as_str()), (422, "bad_identifier"), "{party}");
        assert_eq!(violations(&refused), [format!("corporate_number:{rule}")]);
    }
    for (party, number) in [
        ("municipality:141003-1", Some("3000020141003")),
        ("prefecture:120006", Some("4000020120006")),
        ("rehab_facility:4011001098993-1", Some("4011001098993")),
        ("core_center:141003-1", Some("7123456789012")),
        ("group_home:2070900168", None),
    ] {
        assert_eq!(registered(&story, party, number).await.unwrap().subject.get("warnings"), None, "{party}");
    }
    let doubtful = registered(&story, "group_home:2070900167", None).await.unwrap();
    assert_eq!(doubtful.subject["warnings"], json!([{"field": "party", "rule": "check_digit"}]));
    let refused = registered(&story, "municipality:131017-1", None).await.unwrap_err().problem();
    assert_eq!((refused.code.as_str(), violations(&refused)), ("bad_identifier", vec!["party:code".to_owned()]));
    server.stop().await;
}
