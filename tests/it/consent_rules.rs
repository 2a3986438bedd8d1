//! Each rule of consents (protocol section 2, `domain.md` section 10.3), broken alone, through the real listener. The problem document names the
//! claim and the rule, and nothing was registered.

use serde_json::{Value, json};
use tsunagi::message::{
    jws,
    objects::{ConsentEnd, ConsentGiven, SignedObject as _},
};

use crate::exchange_stage::{
    MUNICIPALITY, Sandbox, Settings,
    party::{Party, Problem, new_jti, now},
    story::{BENEFIT, Consent, PLACEMENT, Story},
};

const HOME: &str = "group_home:1320100017";
const DAY: i64 = 86_400;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consent_that_breaks_one_rule_is_refused_by_the_name_of_that_rule() {
    let sandbox = Sandbox::new(Settings::default());
    let server = sandbox.serve().await;
    let story = Story::open(&sandbox).await;
    let nbf = story.consent().nbf.secs();
    let item = |rcp: &str, pur: &str, cls: &str| json!([{"rcp": [rcp], "pur": [pur], "cls": [cls]}]);
    let oral = json!({"nbf": nbf, "how": "oral_witnessed", "witness": "弁護士", "exp": nbf + 14 * DAY, "items": item(MUNICIPALITY, "placement_coordination", "identity")});
    let custody = json!({"place": "custody 面会室", "witness": "弁護士"});
    let plain = item(MUNICIPALITY, "placement_coordination", "identity");
    let guardian = json!({"rep": {"kind": "guardianship", "authority": "登記事項証明書 令和8年第1号"}, "items": plain});
    let none = json!({});
    // What stands: each change below starts from one of these.
    for good in [
        &none,
        &oral,
        &custody,
        &guardian,
        &json!({"place": "office", "witness": "刑務官"}),
        &json!({"place": "刑務所", "witness": "保佐人"}),
    ] {
        let (answer, jti) = register(&story.centre, claims(&story, good)).await;
        assert!(answer.is_ok(), "{good}: {answer:?}");
        assert!(shown(&story, &jti).await.is_some());
    }
    let taken = story.sign_consent(&story.consent());
    story.register(&taken).await.unwrap();
    let cases: Vec<(&Value, Value, &str, &str)> = vec![
        (&none, json!({"exp": nbf + 367 * DAY}), "exp", "one_year"),
        (&none, json!({"exp": nbf}), "exp", "one_year"),
        (&none, json!({"nbf": nbf - 200, "exp": nbf - 100}), "exp", "expired"),
        (&none, json!({"items": []}), "items", "empty"),
        (&none, json!({"items": [{"rcp": [MUNICIPALITY], "pur": ["placement_coordination"], "cls": []}]}), "items", "empty"),
        (&none, json!({"items": [{"rcp": [], "pur": ["placement_coordination"], "cls": ["identity"]}]}), "rcp", "empty"),
        (&none, json!({"items": item("group_home", "placement_coordination", "identity")}), "items", "recipient_not_named"),
        (&none, json!({"items": item("bar_association", "placement_coordination", "identity")}), "items", "recipient_not_named"),
        (&none, json!({"items": item(MUNICIPALITY, "administration", "identity")}), "items", "purpose"),
        (&none, json!({"items": item(MUNICIPALITY, "placement_coordination", "prohibited")}), "items", "class"),
        (&none, json!({"items": item(MUNICIPALITY, "placement_coordination", "consent_scan")}), "items", "class"),
        (
            &none,
            json!({"items": [{"rcp": [MUNICIPALITY], "pur": ["placement_coordination"], "cls": ["identity"], "tick": ["prohibited"]}]}),
            "items",
            "class",
        ),
        (&none, json!({"refused": [{"rcp": []}]}), "rcp", "empty"),
        (&none, json!({"refused": [{"rcp": ["day_service"], "cls": []}]}), "cls", "empty"),
        (&none, json!({"sub": "山田太郎"}), "sub", "form"),
        (&none, json!({"sub": "123456789018"}), "sub", "form"),
        (&none, json!({"how": "shouted"}), "how", "form"),
        (&none, json!({"form": {"ver": "1"}}), "sha256", "missing"),
        (&none, json!({"form": {"ver": "", "sha256": "Wd7uSdwJq7CiXUiUGz8FenSDphS5kyr4k5_t9Izq9Lo"}}), "ver", "length"),
        (&none, json!({"expl": {"by": " ", "how": "aloud", "understood": true}}), "expl", "by"),
        (&none, json!({"expl": {"by": "staff", "how": " ", "understood": true}}), "expl", "how"),
        (&none, json!({"expl": {"by": "staff", "how": "aloud", "understood": false}}), "expl", "understood"),
        (&none, json!({"expl": {"by": "staff", "how": "aloud", "understood": " "}}), "expl", "understood"),
        (&none, json!({"witness": "staff-0001"}), "witness", "explained_it"),
        (&none, json!({"sup": new_jti()}), "sup", "registered"),
        (&none, json!({"sub": taken.sub}), "sub", "in_use"),
        (&custody, json!({"witness": null}), "witness", "custody_needs_witness"),
        (&custody, json!({"witness": " "}), "witness", "custody_needs_witness"),
        (&custody, json!({"witness": "刑務官"}), "witness", "custody_staff"),
        (&custody, json!({"place": "拘置所の面会室", "witness": null}), "witness", "custody_needs_witness"),
        (&oral, json!({"exp": nbf + 14 * DAY + 1}), "exp", "oral_days"),
        (&oral, json!({"witness": null}), "witness", "oral_needs_witness"),
        (&oral, json!({"items": item(MUNICIPALITY, "placement_coordination", "medical")}), "items", "oral_class"),
        (&oral, json!({"items": item("core_center", "placement_coordination", "identity")}), "items", "oral_recipient"),
        (&guardian, json!({"rep": {"kind": "applying", "authority": "申立書"}}), "rep", "kind"),
        (&guardian, json!({"rep": {"kind": "none", "authority": "なし"}}), "rep", "kind"),
        (&guardian, json!({"rep": {"kind": "friend", "authority": "長年の友人"}}), "rep", "kind"),
        (&guardian, json!({"rep": {"kind": "guardianship", "authority": " "}}), "rep", "authority"),
        (&guardian, json!({"rep": {"kind": "guardianship"}}), "authority", "missing"),
        (&guardian, json!({"items": item(MUNICIPALITY, "placement_coordination", "criminal_detail")}), "items", "representative_class"),
    ];
    for (from, change, claim, rule) in cases {
        let mut broken = claims(&story, from);
        merge(&mut broken, &change);
        let (answer, jti) = register(&story.centre, broken).await;
        let problem = answer.expect_err(&format!("{change}"));
        let code = match rule {
            "registered" => "no_consent",
            "in_use" => "state_conflict",
            _ => "bad_token",
        };
        assert_eq!((problem.code.as_str(), violation(&problem)), (code, (claim.to_owned(), rule.to_owned())), "{change}");
        assert!(shown(&story, &jti).await.is_none(), "{change}");
    }
    // Who may collect: never a provider, whatever it signs.
    let home = sandbox.party(HOME);
    let mut collected = claims(&story, &none);
    merge(&mut collected, &json!({"iss": HOME}));
    let problem = register(&home, collected).await.0.unwrap_err();
    assert_eq!((problem.code.as_str(), violation(&problem)), ("operation_not_allowed", ("iss".to_owned(), "collector".to_owned())));
    // Only what one collected oneself.
    let problem = register(&story.municipality, claims(&story, &none)).await.0.unwrap_err();
    assert!(["issuer_mismatch", "key_not_allowed"].contains(&problem.code.as_str()), "{}", problem.text);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_that_breaks_one_rule_is_refused_by_the_name_of_that_rule() {
    let sandbox = Sandbox::new(Settings::default());
    let server = sandbox.serve().await;
    let story = Story::open(&sandbox).await;
    let referral = story.refer().await;
    let consent = &referral.consent;
    for (change, claim, rule) in [
        (json!({"con": new_jti()}), "con", "path"),
        (json!({"by": "neighbour"}), "by", "form"),
        (json!({"why": ""}), "why", "length"),
        (json!({"narrow": []}), "narrow", "empty"),
        (json!({"narrow": [{"rcp": []}]}), "rcp", "empty"),
        (json!({"narrow": [{"rcp": [MUNICIPALITY], "cls": []}]}), "cls", "empty"),
    ] {
        let mut end = end_claims(&story.centre, consent);
        merge(&mut end, &change);
        let problem = post_end(&story.centre, consent, &end).await.unwrap_err();
        assert_eq!((problem.code.as_str(), violation(&problem)), ("bad_token", (claim.to_owned(), rule.to_owned())), "{change}");
    }
    assert!(story.read(&referral.case, PLACEMENT).await.is_ok(), "none of them ended it");

    // Who stands nowhere in the case does not find it; before any case only the collector does.
    let stranger = sandbox.party("core_center:131016-1");
    assert_eq!(post_end(&stranger, consent, &end_claims(&stranger, consent)).await.unwrap_err().code, "not_found");
    let unused = story.sign_consent(&story.consent());
    story.register(&unused).await.unwrap();
    let city = &story.municipality;
    assert_eq!(post_end(city, &unused, &end_claims(city, &unused)).await.unwrap_err().code, "not_found");
    post_end(&story.centre, &unused, &end_claims(&story.centre, &unused)).await.unwrap();

    // The assigned party records a representative's withdrawal, of a consent it did not collect; it ends once.
    let mut end = end_claims(city, consent);
    merge(&mut end, &json!({"by": "representative"}));
    post_end(city, consent, &end).await.unwrap();
    let problem = story.read(&referral.case, PLACEMENT).await.unwrap_err().problem();
    assert_eq!((problem.code.as_str(), violation(&problem)), ("consent_ended", ("con".to_owned(), "withdrawn".to_owned())));
    let problem = post_end(&story.centre, consent, &end_claims(&story.centre, consent)).await.unwrap_err();
    assert_eq!((problem.code.as_str(), violation(&problem)), ("state_conflict", ("con".to_owned(), "already_ended".to_owned())));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_relies_on_its_consent_alone() {
    let sandbox = Sandbox::new(Settings::default());
    let server = sandbox.serve().await;
    let story = Story::open(&sandbox).await;
    let consent = story.sign_consent(&story.consent());
    story.register(&consent).await.unwrap();

    // Each thing that ties a message to its consent, broken alone.
    let mut draft = story.draft(&consent);
    draft.hidden.con.as_mut().unwrap().jti = new_jti();
    refused(&story, &draft, "no_consent", "registered").await;
    let mut draft = story.draft(&consent);
    draft.hidden.con.as_mut().unwrap().sha256 = tsunagi::domain::digest::Digest::of(b"another");
    refused(&story, &draft, "no_consent", "sha256").await;
    let mut draft = story.draft(&consent);
    draft.hidden.sub = Some("someone-else-entirely".parse().unwrap());
    refused(&story, &draft, "no_consent", "sub").await;

    // A consent that another body collected.
    let mut given = story.consent();
    given.issued = story.municipality.issued();
    let foreign = Consent { jti: given.issued.jti, sub: given.sub.clone(), token: given.sign(&story.municipality.signing).unwrap() };
    story.municipality.post_object("/v1/consents", PLACEMENT, &foreign.token).await.unwrap();
    refused(&story, &story.draft(&foreign), "no_consent", "registered").await;

    // Recipient, purpose, period: one of them outside.
    for (change, field, rule) in [
        (
            json!({"items": [{"rcp": ["core_center"], "pur": ["placement_coordination", "benefit_decision"], "cls": ["identity"]}]}),
            "aud",
            "consent_item",
        ),
        (json!({"items": [{"rcp": [MUNICIPALITY], "pur": ["placement_coordination"], "cls": ["identity"]}]}), "pur", "consent_item"),
        (json!({"nbf": now().secs() + 600}), "con", "not_yet_valid"),
    ] {
        let (answer, given) = signed(&story, &change).await;
        answer.unwrap();
        let problem = story.submit(&story.sign(&story.draft(&given))).await.unwrap_err().problem();
        assert_eq!((problem.code.as_str(), violation(&problem)), ("consent_scope", (field.to_owned(), rule.to_owned())), "{change}");
    }
    // What is refused stays refused, whatever the items say.
    let (answer, given) = signed(&story, &json!({"refused": [{"rcp": ["municipality"], "cls": ["medical"]}]})).await;
    answer.unwrap();
    let problem = story.submit(&story.sign(&story.draft(&given))).await.unwrap_err().problem();
    let document: Value = serde_json::from_str(&problem.text).unwrap();
    let violations = document["violations"].as_array().unwrap();
    assert_eq!(problem.code, "over_disclosure");
    assert!(!violations.is_empty() && violations.iter().all(|v| v["class"] == "medical" && v["rule"] == "C-06"), "{}", problem.text);

    // Used once, it is bound to that case; it stays readable there.
    story.submit(&story.sign(&story.draft(&consent))).await.unwrap();
    refused(&story, &story.draft(&consent), "no_consent", "bound_to_another_case").await;
    let (cases, _) = story.cases(None).await.unwrap();
    story.read(&cases[0], BENEFIT).await.unwrap();

    // And it ends by time.
    let (answer, given) = signed(&story, &json!({"exp": now().secs() + 3})).await;
    answer.unwrap();
    story.submit(&story.sign(&story.draft(&given))).await.unwrap();
    let (cases, _) = story.cases(None).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    let problem = story.read(&cases[1], PLACEMENT).await.unwrap_err().problem();
    assert_eq!((problem.code.as_str(), violation(&problem)), ("consent_ended", ("con".to_owned(), "expired".to_owned())));
    server.stop().await;
}

async fn refused(story: &Story, draft: &tsunagi::message::compose::Draft, code: &str, rule: &str) {
    let problem = story.submit(&story.sign(draft)).await.unwrap_err().problem();
    assert_eq!((problem.code.as_str(), violation(&problem)), (code, ("con".to_owned(), rule.to_owned())));
}

/// Signs and registers a consent of the story with changed claims.
async fn signed(story: &Story, change: &Value) -> (Result<(), Problem>, Consent) {
    let claims = claims(story, change);
    let token = jws::sign(&story.centre.signing, ConsentGiven::TYP, &claims).unwrap();
    let consent = Consent {
        jti: serde_json::from_value(claims["jti"].clone()).unwrap(),
        sub: serde_json::from_value(claims["sub"].clone()).unwrap(),
        token,
    };
    (story.register(&consent).await.map(|_| ()).map_err(|setback| setback.problem()), consent)
}

fn claims(story: &Story, change: &Value) -> Value {
    let mut claims = story.consent().to_claims().unwrap();
    merge(&mut claims, change);
    claims
}

fn end_claims(by: &Party, consent: &Consent) -> Value {
    json!({"iss": by.id, "aud": by.gateway, "jti": new_jti(), "iat": now().secs(), "con": consent.jti, "by": "self", "why": "the person withdrew"})
}

async fn post_end(by: &Party, consent: &Consent, claims: &Value) -> Result<(), Problem> {
    let token = jws::sign(&by.signing, ConsentEnd::TYP, claims).unwrap();
    let target = format!("/v1/consents/{}/end", consent.jti);
    by.post_object(&target, PLACEMENT, &token).await.map(|_| ()).map_err(|setback| setback.problem())
}

async fn register(by: &Party, claims: Value) -> (Result<(), Problem>, String) {
    let token = jws::sign(&by.signing, ConsentGiven::TYP, &claims).unwrap();
    let answer = by.post_object("/v1/consents", PLACEMENT, &token).await;
    (answer.map(|_| ()).map_err(|setback| setback.problem()), claims["jti"].as_str().unwrap().to_owned())
}

/// The consent as its collector is shown it, if it is registered.
async fn shown(story: &Story, jti: &str) -> Option<Value> {
    story.centre.json(&format!("/v1/consents/{jti}"), PLACEMENT).await.ok()
}

/// Members of `change` over those of `into`; `null` takes a member out.
fn merge(into: &mut Value, change: &Value) {
    let members = into.as_object_mut().unwrap();
    for (name, value) in change.as_object().unwrap() {
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
}

/// The one violation of a problem document: field and rule.
pub(crate) fn violation(problem: &Problem) -> (String, String) {
    let document: Value = serde_json::from_str(&problem.text).unwrap();
    let [one] = document["violations"].as_array().unwrap().as_slice() else { panic!("not one violation: {}", problem.text) };
    (one["field"].as_str().unwrap().to_owned(), one["rule"].as_str().unwrap().to_owned())
}
