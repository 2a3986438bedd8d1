//! Every question an observer can ask: each read route with names of its own and with names that it may have heard of, and what it could send to
//! find out whether something is there.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, Method};
use serde_json::Value;
use tsunagi::{
    domain::{codes::Purpose, consent::EndedBy, ids::Jti},
    message::{
        objects::{ConsentEnd, SignedObject as _},
        profile::RELEASE_CTY,
    },
};

use super::{Hidden, World, draft, normal::normal};
use crate::{
    exchange_stage::{
        AUDITOR, CENTRE, MUNICIPALITY,
        party::{Party, new_jti},
        story::{BENEFIT, Consent, PLACEMENT},
    },
    refusal_stage::{
        Ask,
        routes::{Route, Security},
        world::{CORE, HOME, PROBATION},
    },
};

/// A question and its answer without ids, times and ciphertext.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) question: String,
    pub(crate) answer: String,
}

/// Asks everything, in the same order in both worlds.
pub(crate) async fn ask_everything(world: &World, observer: &Arc<Party>, hidden: &Hidden) -> Vec<Seen> {
    let mut seen = Vec::new();
    let purpose = hidden.purpose.unwrap_or_else(|| purpose_of(observer));
    let mut questions = Vec::new();
    for route in Route::all().iter().filter(|route| route.method == "GET") {
        for target in targets(route, world, observer, hidden) {
            let sound = match route.security {
                Security::Open => Ask::of(observer, Method::GET, &target),
                Security::Actor | Security::Both => Ask::get(observer, &target, purpose),
            };
            questions.push((format!("{} {} {}", observer.id, route.name, target.matches('/').count()), sound));
        }
    }
    questions.extend(sent(world, observer, hidden));
    for (question, ask) in questions {
        let target = ask.target.clone();
        let answer = observer.send(ask.method, &ask.target, ask.headers, ask.body).await.unwrap();
        let body = if answer.headers["content-type"] == "application/jose" {
            opened(observer, &answer.body)
        } else {
            let text = String::from_utf8(answer.body.to_vec());
            text.map_or_else(|_| format!("{} bytes", answer.body.len()), |text| normal(&in_order(&target, text)))
        };
        seen.push(Seen { question, answer: format!("{} {} {body}", answer.status, told(&answer.headers)) });
    }
    seen
}

fn purpose_of(observer: &Party) -> Purpose {
    match observer.id.to_string().as_str() {
        MUNICIPALITY => BENEFIT,
        AUDITOR => Purpose::AuditReview,
        _ => PLACEMENT,
    }
}

/// The path of a route with everything that its names could stand for.
fn targets(route: &Route, world: &World, observer: &Party, hidden: &Hidden) -> Vec<String> {
    let own_case = match observer.id.to_string().as_str() {
        CORE => Some(&world.own.at_core),
        PROBATION => Some(&world.own.at_probation),
        _ => None,
    };
    let cases: Vec<String> = own_case.cloned().into_iter().chain(hidden.cases.clone()).collect();
    let mut targets = vec![route.path.to_owned()];
    for name in &route.names {
        let values: Vec<String> = match (*name, route.path) {
            ("id", path) if path.starts_with("/v1/agreements") => {
                let heard = hidden.agreement.as_ref().map(|agreement| agreement.id.to_string());
                [world.story.agreement.id.to_string()].into_iter().chain(heard).collect()
            }
            ("ver", path) if path.starts_with("/v1/agreements") => vec!["1".to_owned(), "2".to_owned()],
            ("id", _) => cases.clone(),
            ("jti", path) if path.starts_with("/v1/consents") => {
                [Some(world.own.consent), hidden.consent].into_iter().flatten().map(|jti: Jti| jti.to_string()).collect()
            }
            ("jti", _) => {
                let known = [Some(world.own.message), hidden.message].into_iter().flatten();
                known.chain(hidden.messages.iter().copied()).map(|jti: Jti| jti.to_string()).collect()
            }
            ("kind", _) => vec!["referral".to_owned()],
            ("ver", _) => vec![world.story.schema.ver.clone()],
            ("party", _) => vec![CENTRE.to_owned(), HOME.to_owned(), "auditor:nobody".to_owned()],
            ("idx", _) => vec!["40".to_owned(), "100000".to_owned()],
            ("path", _) => vec!["0/000.p/60".to_owned(), "entries/000.p/60".to_owned()],
            (name, path) => panic!("{path}: say what {{{name}}} could be"),
        };
        let place = format!("{{{name}}}");
        targets = targets.iter().flat_map(|target| values.iter().map(|value| target.replace(&place, value))).collect();
    }
    match route.path {
        "/v1/ledger/consistency" => vec!["/v1/ledger/consistency?from=10&to=70".to_owned()],
        "/v1/cases" => vec!["/v1/cases".to_owned(), "/v1/cases?limit=1".to_owned(), "/v1/cases?cursor=40".to_owned()],
        _ => targets,
    }
}

/// What an observer could send to find out.
fn sent(world: &World, observer: &Arc<Party>, hidden: &Hidden) -> Vec<(String, Ask)> {
    let mut asks = Vec::new();
    let purpose = hidden.purpose.unwrap_or_else(|| purpose_of(observer));
    for (what, case, sd_jwt) in &hidden.tries {
        for target in [format!("/v1/cases/{case}/messages"), "/v1/explain".to_owned()] {
            let ask = Ask::post(observer, &target, purpose, "application/jose", observer.seal(sd_jwt));
            asks.push((format!("{what} {}", target.matches('/').count()), ask));
        }
    }
    if let Some(jti) = hidden.consent.filter(|_| hidden.reference.is_some()) {
        let object =
            ConsentEnd { issued: observer.issued(), con: jti, by: EndedBy::Self_, why: "heard of".to_owned(), narrow: None, from: None };
        let token = object.sign(&observer.signing).unwrap();
        asks.push((
            "end of a consent".to_owned(),
            Ask::post(observer, &format!("/v1/consents/{jti}/end"), purpose, "application/jwt", token),
        ));
    }
    if observer.id.to_string() != PROBATION {
        return asks;
    }
    // The probation office refers to the core centre under what it may have heard of.
    let core = world.sandbox.party(CORE);
    let consent = Consent { jti: new_jti(), sub: "somebody".parse().unwrap(), token: "unknown".to_owned() };
    let mut tries = Vec::new();
    if let Some((reference, sub)) = &hidden.reference {
        for (what, sub, sha256) in [
            ("consent with its pseudonym", sub.clone(), reference.sha256),
            ("consent of another pseudonym", "somebody".to_owned(), reference.sha256),
            ("consent of another digest", sub.clone(), tsunagi::domain::digest::Digest::of(b"other")),
        ] {
            let mut tried = draft(&world.story, observer, &core, &consent);
            tried.hidden.sub = Some(sub.parse().unwrap());
            tried.hidden.con = Some(tsunagi::message::disclosed::ConsentRef { jti: reference.jti, sha256 });
            tries.push((what, tried));
        }
    }
    if let Some(agreement) = &hidden.agreement {
        for (what, sha256) in
            [("agreement with its digest", agreement.sha256), ("agreement of another digest", world.story.agreement.sha256)]
        {
            let mut tried = draft(&world.story, observer, &core, &consent);
            tried.claims.agr = agreement.clone();
            tried.claims.agr.sha256 = sha256;
            tries.push((what, tried));
        }
    }
    for (what, tried) in tries {
        for target in ["/v1/referrals", "/v1/explain"] {
            let envelope = observer.seal(&tried.sign(&observer.signing).unwrap());
            asks.push((format!("{what} {target}"), Ask::post(observer, target, PLACEMENT, "application/jose", envelope)));
        }
    }
    asks
}

/// What is said of the rows of a message, in one order: each signature has them in another.
fn in_order(target: &str, text: String) -> String {
    if target != "/v1/explain" && !target.ends_with("/disclosures") {
        return text;
    }
    let mut answer: Value = serde_json::from_str(&text).unwrap();
    sort(&mut answer);
    answer.to_string()
}

fn sort(value: &mut Value) {
    match value {
        Value::Array(items) => {
            items.iter_mut().for_each(sort);
            items.sort_by_key(ToString::to_string);
        }
        Value::Object(members) => members.values_mut().for_each(sort),
        _ => {}
    }
}

/// Headers but for the date; a leaf is opened, because it says what was recorded.
fn told(headers: &HeaderMap) -> String {
    let mut told: Vec<String> = headers
        .iter()
        .filter(|(name, _)| *name != "date")
        .map(|(name, value)| {
            let value = value.to_str().unwrap();
            if name == "tsunagi-ledger-leaf" {
                let leaf = URL_SAFE_NO_PAD.decode(value).unwrap();
                return format!("{name}: {}", normal(std::str::from_utf8(&leaf).unwrap()));
            }
            format!("{name}: {}", normal(value))
        })
        .collect();
    told.sort_unstable();
    told.join("; ")
}

/// What is inside a release: claims, disclosures without their order, key binding.
fn opened(observer: &Party, body: &[u8]) -> String {
    let text = String::from_utf8(observer.unseal(body, RELEASE_CTY)).unwrap();
    let mut parts: Vec<&str> = text.split('~').collect();
    let binding = parts.pop().unwrap();
    let token = parts.remove(0);
    let claims = |token: &str| normal(std::str::from_utf8(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap());
    let mut disclosures: Vec<String> = parts
        .iter()
        .map(|disclosure| {
            let triple: Vec<Value> = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(disclosure).unwrap()).unwrap();
            let value = if matches!(triple[1].as_str(), Some("sub" | "con" | "corrects")) {
                normal(&triple[2].to_string())
            } else {
                triple[2].to_string()
            };
            format!("{} {value}", triple[1])
        })
        .collect();
    disclosures.sort_unstable();
    format!("{} characters: {} | {} | {}", body.len(), claims(token), disclosures.join(" "), claims(binding))
}
