//! Nothing of a person stands in the clear anywhere the gateway writes (protocol section 7): words are planted into everything a sender can fill,
//! the whole road is walked, accepted and refused, and then every byte it left is searched.

use std::{
    collections::BTreeMap,
    fs,
    sync::{Mutex, MutexGuard},
};

use http::{HeaderMap, Method, header::CONTENT_TYPE};
use serde_json::{Value, json};
use tsunagi::{
    domain::{
        codes::{MessageKind, Purpose},
        field::{FieldClass, FieldKey},
    },
    message::{
        base64url,
        compose::Draft,
        objects::{Representative, SignedObject as _, Ways},
        schema::{MessageSchema, SchemaSet},
        submission::BasisRef,
    },
};

use crate::{
    exchange_stage::{
        Sandbox, Settings, files,
        hunt::Hunt,
        party::{ACTOR, Problem, Setback, now, value},
        story::{BENEFIT, Consent, PLACEMENT, Story},
    },
    message_fixture::token,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_a_sender_wrote_is_left_in_the_clear() {
    let sandbox = Sandbox::new(Settings { log: "trace", ..Settings::default() });
    let server = sandbox.serve().await;
    let mut story = Story::open(&sandbox).await;
    story.centre.staff = format!("{ASCII}-centre").parse().unwrap();
    story.municipality.staff = format!("{ASCII}-municipality").parse().unwrap();
    story.auditor.staff = format!("{ASCII}-auditor").parse().unwrap();
    let planted = plant(&mut story.body);
    assert!(planted >= 40, "only {planted} strings took a word");
    let hunt = Hunt::new([JAPANESE, KANA, ASCII, LOWER, MY_NUMBER, DATE]);
    let told = Told::default();

    walk(&story, &told).await;
    let codes = stumble(&story, &told).await;
    told.keep(&server.admin("/metrics").await.unwrap().1);

    let log_of_writes = sandbox.database().with_extension("sqlite-wal");
    assert!(fs::metadata(log_of_writes).unwrap().len() > 100_000, "the write-ahead log is searched too");
    let mut found = search(&sandbox, &hunt);
    server.kill();
    found.extend(search(&sandbox, &hunt));
    sandbox.serve().await.stop().await;
    found.extend(search(&sandbox, &hunt));
    assert_eq!(found, Vec::<String>::new());
    for text in told.all().iter() {
        assert!(hunt.in_bytes(text.as_bytes()).is_empty(), "{text}");
    }

    // The search reaches what it should: a table's plain text, the log's lines, and a file that does hold a word.
    eprintln!("{planted} strings planted, {} answers kept, refused with {codes:?}", told.all().len());
    assert!(!Hunt::new(["settlement_center:13-1"]).in_bytes(&fs::read(sandbox.database()).unwrap()).is_empty());
    let log = fs::read_to_string(sandbox.log()).unwrap();
    assert!(codes.iter().all(|code| log.contains(code.as_str())), "the log is not at work");
    fs::write(sandbox.path().join("data/leak"), format!("{{\"name\":\"{JAPANESE}\"}}")).unwrap();
    assert_eq!(search(&sandbox, &hunt).len(), 1);
}

/// Consent, referral, lists, both views, receipts, an auditor's look, a withdrawal and what follows it.
async fn walk(story: &Story, told: &Told) {
    let mut given = story.consent();
    given.sub = format!("{ASCII}-person").parse().unwrap();
    given.expl.by = format!("{JAPANESE}職員");
    given.expl.how = Ways::One(format!("{JAPANESE}説明"));
    given.form.ver = format!("{ASCII}-form");
    given.place = Some(format!("{JAPANESE}場所"));
    given.witness = Some(format!("{JAPANESE}立会人"));
    let consent = story.sign_consent(&given);
    given.issued = story.centre.issued();
    given.sub = format!("{ASCII}-represented").parse().unwrap();
    given.rep = Some(Representative { kind: "guardianship".to_owned(), authority: format!("{JAPANESE}権限") });
    for list in given.items.iter_mut().flat_map(|item| [&mut item.cls, &mut item.tick]) {
        list.retain(|class| *class != FieldClass::CriminalDetail);
    }
    told.keep(&story.register(&story.sign_consent(&given)).await.unwrap().subject);
    told.keep(&story.register(&consent).await.unwrap().subject);
    let mut draft = story.draft(&consent);
    draft.hidden.thr = Some(format!("{ASCII}-thread").parse().unwrap());
    draft.claims.bref = Some(BasisRef { article: format!("{JAPANESE}条"), reason: format!("{JAPANESE}理由") });
    let message = story.sign(&draft);
    let accepted = story.submit(&message).await.unwrap();
    told.keep(&accepted.subject);
    told.keep(&story.submit(&message).await.unwrap().subject);

    let (cases, _) = story.cases(None).await.unwrap();
    let [case] = cases.try_into().unwrap();
    for purpose in [PLACEMENT, BENEFIT] {
        let shown = story.read(&case, purpose).await.unwrap();
        let rows = &shown.release.disclosed.rows;
        assert!(rows.iter().any(|row| row.value.to_string().contains(JAPANESE)), "the reader sees the words");
        let (sealed, _) = story.municipality.get(&format!("/v1/cases/{case}"), purpose).await.unwrap();
        told.keep(&String::from_utf8(sealed.body.to_vec()).unwrap());
    }
    let own = accepted.subject["case"].as_str().unwrap();
    told.keep(&story.centre.json(&format!("/v1/cases/{own}/receipts"), PLACEMENT).await.unwrap());
    told.keep(&story.municipality.json(&format!("/v1/cases/{case}/messages"), PLACEMENT).await.unwrap());
    // The collector is shown its consent, words and all; nobody else is looking.
    let consent_again = story.centre.json(&format!("/v1/consents/{}", consent.jti), PLACEMENT).await.unwrap();
    assert!(consent_again.to_string().contains(JAPANESE));
    // The auditor is shown who of the staff it was.
    let seen = story.auditor.json(&format!("/v1/audit/events?staff={ASCII}-municipality"), Purpose::AuditReview).await.unwrap();
    assert!(!seen["events"].as_array().unwrap().is_empty() && seen.to_string().contains(ASCII));

    let end = story.sign_end_because(&consent, None, &format!("{JAPANESE}撤回"));
    told.keep(&story.register_end(&consent, &end).await.unwrap().subject);
    told.refused(story.read(&case, PLACEMENT).await.unwrap_err());
}

/// Everything that is refused with words in it. Gives the codes.
async fn stumble(story: &Story, told: &Told) -> Vec<String> {
    let mut codes = Vec::new();
    let mut refused = |setback: Setback, code: &str| {
        let problem = told.refused(setback);
        assert_eq!(problem.code, code, "{}", problem.text);
        codes.push(problem.code);
    };
    let consent = fresh(story).await;
    let send = async |change: fn(&mut Draft)| {
        let mut draft = story.draft(&consent);
        change(&mut draft);
        story.submit(&story.sign(&draft)).await.map(|accepted| accepted.index).unwrap_err()
    };
    refused(send(|draft| set(draft, "sex", json!(format!("{JAPANESE}性別")))).await, "schema_invalid");
    refused(send(|draft| set(draft, "birth_date", json!({ASCII: JAPANESE}))).await, "schema_invalid");
    refused(send(|draft| set(draft, "markerqzfindme_row", json!(JAPANESE))).await, "schema_invalid");
    refused(send(|draft| set(draft, "return_destination_wish", json!(format!("番号は{MY_NUMBER}")))).await, "prohibited_my_number");
    refused(send(|draft| draft.claims.aud = "group_home:1320100017".parse().unwrap()).await, "recipient_not_allowed");
    refused(send(|draft| draft.hidden.sub = Some(format!("{ASCII}-other").parse().unwrap())).await, "no_consent");

    let mut narrow = story.consent();
    narrow.items[0].cls = vec![FieldClass::Identity];
    narrow.items[0].tick = Vec::new();
    let narrow = story.sign_consent(&narrow);
    story.register(&narrow).await.unwrap();
    refused(story.submit(&story.sign(&story.draft(&narrow))).await.unwrap_err(), "over_disclosure");

    let centre = &story.centre;
    let post = async |target: &str, media: &str, body: String| centre.post(target, PLACEMENT, media, body).await.unwrap_err();
    let referrals = "/v1/referrals";
    refused(post(referrals, "application/jose", format!("{JAPANESE}.{ASCII}")).await, "bad_envelope");
    refused(post(referrals, "text/markerqzfindme", ASCII.to_owned()).await, "bad_media_type");
    refused(post(referrals, "application/jose", centre.seal(&format!("{{\"{JAPANESE}\": "))).await, "bad_token");
    let header = |typ: &str| json!({"alg": "ES256", "kid": centre.signing.public().thumbprint(), "typ": typ}).to_string();
    let forged = token(&centre.signing, &header("tsunagi-message+sd-jwt"), &json!({"iss": centre.id, ASCII: JAPANESE}).to_string());
    refused(post(referrals, "application/jose", centre.seal(&format!("{forged}~"))).await, "bad_token");
    let mut claims = story.consent().to_claims().unwrap();
    claims[format!("{LOWER}_claim")] = json!(JAPANESE);
    claims["place"] = json!({ASCII: DATE});
    let forged = token(&centre.signing, &header("tsunagi-consent+jwt"), &claims.to_string());
    refused(post("/v1/consents", "application/jwt", forged).await, "bad_token");
    refused(post("/v1/consents", "application/jwt", format!("{JAPANESE}.a.b")).await, "bad_token");
    let document = json!({"title": JAPANESE, ASCII: 1}).to_string();
    let proposal = json!({"document": base64url::encode(document), "signature": JAPANESE});
    let administration = Purpose::Administration;
    refused(centre.post("/v1/agreements", administration, "application/json", proposal.to_string()).await.unwrap_err(), "bad_token");

    let get = async |target: &str| centre.get(target, PLACEMENT).await.unwrap_err();
    refused(get(&format!("/v1/cases/{ASCII}")).await, "not_found");
    refused(get(&format!("/v1/cases?state={ASCII}")).await, "bad_request");
    refused(get(&format!("/v1/cases?{ASCII}=1")).await, "bad_request");
    refused(get(&format!("/v1/{ASCII}?{LOWER}=%E6%A8%99%E8%AD%98%E8%AA%9E%E3%81%BF%E3%81%A4%E3%81%91%E3%81%A6")).await, "not_found");
    let mut headers = HeaderMap::new();
    headers.insert(ACTOR, value(&format!("{ASCII}.{LOWER}.x")));
    headers.insert(CONTENT_TYPE, value(ASCII));
    headers.insert("x-name", http::HeaderValue::from_bytes(JAPANESE.as_bytes()).unwrap());
    let answer = centre.send(Method::GET, "/v1/cases", headers, bytes::Bytes::new()).await.unwrap();
    refused(Setback::Refused(Problem::read(&answer)), "actor_invalid");
    codes
}

async fn fresh(story: &Story) -> Consent {
    let consent = story.sign_consent(&story.consent());
    story.register(&consent).await.unwrap();
    consent
}

fn set(draft: &mut Draft, row: &str, value: Value) {
    let key: FieldKey = row.parse().unwrap();
    draft.body.retain(|(present, _)| *present != key);
    draft.body.push((key, value));
}

/// Puts a word into every string that may hold one; says into how many.
pub(crate) fn plant(body: &mut [(FieldKey, Value)]) -> usize {
    let schemas = SchemaSet::builtin().unwrap();
    let schema = schemas.messages().find(|schema| schema.kind() == MessageKind::Referral).unwrap();
    assert!(valid(schema, body));
    let mut planted = 0;
    for row in 0..body.len() {
        for pointer in strings(&body[row].1, "") {
            let before = body[row].1.clone();
            let key = body[row].0.clone();
            for word in [format!("{JAPANESE}{key}"), KANA.to_owned(), format!("{ASCII}-{key}"), DATE.to_owned()] {
                *body[row].1.pointer_mut(&pointer).unwrap() = json!(word);
                if valid(schema, body) {
                    planted += 1;
                    break;
                }
                body[row].1.clone_from(&before);
            }
        }
    }
    planted
}

fn valid(schema: &MessageSchema, body: &[(FieldKey, Value)]) -> bool {
    let body = json!(body.iter().map(|(key, value)| (key.as_str(), value)).collect::<BTreeMap<_, _>>());
    schema.check(&body).is_empty() && schema.check_rules(&body, now()).violations.is_empty()
}

/// JSON pointers of the strings in a value.
fn strings(value: &Value, at: &str) -> Vec<String> {
    match value {
        Value::String(_) => vec![at.to_owned()],
        Value::Array(items) => items.iter().enumerate().flat_map(|(n, item)| strings(item, &format!("{at}/{n}"))).collect(),
        Value::Object(members) => members.iter().flat_map(|(name, member)| strings(member, &format!("{at}/{name}"))).collect(),
        _ => Vec::new(),
    }
}

/// Every file of the gateway and everything it printed: where a word stands, and in which form.
fn search(sandbox: &Sandbox, hunt: &Hunt) -> Vec<String> {
    let mut all = files(&sandbox.path());
    all.push(sandbox.log());
    assert!(all.iter().any(|file| file.ends_with("data/tsunagi.sqlite")));
    let found = |file: &std::path::PathBuf| {
        let words = hunt.in_bytes(&fs::read(file).unwrap());
        (!words.is_empty()).then(|| format!("{}: {words:?}", file.display()))
    };
    all.iter().filter_map(found).collect()
}

/// What the gateway answered.
#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl Told {
    fn all(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap()
    }

    fn keep(&self, answer: &impl ToString) {
        self.all().push(answer.to_string());
    }

    fn refused(&self, setback: Setback) -> Problem {
        let problem = setback.problem();
        self.keep(&problem.text);
        problem
    }
}

/// What every planted word holds: what is searched for.
pub(crate) const JAPANESE: &str = "標識語みつけて";
pub(crate) const KANA: &str = "ヒョウシキゴミツケテ";
pub(crate) const ASCII: &str = "MarkerQzFindMe";
const LOWER: &str = "markerqzfindme";
/// Passes as an individual number.
const MY_NUMBER: &str = "123456789018";
const DATE: &str = "1911-02-23";
