//! What is refused about a signed object: registrations, keys, agreements, consents and their ends, acknowledgements.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tsunagi::{
    domain::{
        agreement::AgreementAct,
        codes::Purpose,
        consent::EndedBy,
        digest::Digest,
        ids::Jti,
        party::{PartyId, PartyKind},
        refusal::RefusalCode,
    },
    message::{
        jws,
        keys::{KeyUse, SigningKey},
        objects::{
            AckStatus, Acknowledgement, AgreementSignature, ConsentEnd, ConsentGiven, KeyAct, KeyStatement, PartyAct, PartyStatement,
            SignedObject,
        },
        submission::{AgreementRef, MessageRef},
    },
};

use crate::{
    exchange_stage::{
        OPERATOR,
        party::{Party, new_jti, now},
        story::PLACEMENT,
    },
    refusal_stage::{
        Ask, Asking, Case, run,
        world::{HOME, OFFICE, PROBATION, World},
    },
};

const CONSENTS: &str = "POST /v1/consents";
const END: &str = "POST /v1/consents/{jti}/end";
const PARTIES: &str = "POST /v1/parties";
const KEYS: &str = "POST /v1/parties/self/keys";
const PROPOSE: &str = "POST /v1/agreements";
const SIGN: &str = "POST /v1/agreements/{id}/{ver}/signatures";
const ACKNOWLEDGE: &str = "POST /v1/cases/{id}/acknowledgements";

pub(crate) fn cases() -> Vec<Case> {
    [of_consents(), of_parties_and_keys(), of_agreements(), of_acknowledgements()].into_iter().flatten().collect()
}

fn of_consents() -> Vec<Case> {
    use RefusalCode as C;
    vec![
        Case::new(CONSENTS, C::OperationNotAllowed, "a provider collects", |world| {
            let home = world.party(HOME);
            jwt(home, "/v1/consents", PLACEMENT, &token(&home.signing, &given(world, home)))
        }),
        Case::new(CONSENTS, C::IssuerMismatch, "another's", |world| {
            let of_municipality = given(world, world.municipality());
            jwt(world.centre(), "/v1/consents", PLACEMENT, &token(&world.municipality().signing, &of_municipality))
        }),
        Case::new(CONSENTS, C::KeyNotAllowed, "a key that nobody registered", |world| {
            jwt(world.centre(), "/v1/consents", PLACEMENT, &token(&SigningKey::generate().unwrap(), &given(world, world.centre())))
        }),
        Case::new(CONSENTS, C::BadToken, "a class that no consent may name", |world| {
            consent_with(world, |claims| claims["items"][0]["cls"] = json!(["prohibited"]))
        }),
        Case::new(CONSENTS, C::BadToken, "for another gateway", |world| {
            consent_with(world, |claims| claims["aud"] = json!("https://elsewhere"))
        }),
        Case::new(CONSENTS, C::NoConsent, "supersedes one that is not there", |world| {
            consent_with(world, |claims| claims["sup"] = json!(new_jti()))
        }),
        Case::new(CONSENTS, C::ReplayConflict, "an id that was used", |world| {
            consent_with(world, |claims| claims["jti"] = json!(world.spare.jti))
        }),
        Case::new(END, C::NotFound, "of a stranger", |world| {
            let office = world.party(OFFICE);
            end(office, world.spare.jti, world.spare.jti, Purpose::ServicePlanning)
        }),
        Case::new(END, C::NotFound, "that was never given", |world| {
            let jti = new_jti();
            end(world.centre(), jti, jti, PLACEMENT)
        }),
        Case::new(END, C::BadToken, "another in the path", |world| end(world.centre(), new_jti(), world.spare.jti, PLACEMENT)),
        Case::new(END, C::StateConflict, "ended before", |world| {
            Box::pin(async move {
                let consent = world.story.sign_consent(&world.story.consent());
                world.story.register(&consent).await.unwrap();
                world.story.register_end(&consent, &world.story.sign_end(&consent, None)).await.unwrap();
                end(world.centre(), consent.jti, consent.jti, PLACEMENT).await
            })
        }),
    ]
}

fn of_parties_and_keys() -> Vec<Case> {
    use RefusalCode as C;
    vec![
        Case::new(PARTIES, C::OperationNotAllowed, "not the operator", |world| statement(world.municipality(), "auditor:nobody")),
        Case::new(PARTIES, C::StateConflict, "a party that is not there", |world| statement(world.party(OPERATOR), "auditor:nobody")),
        Case::new(PARTIES, C::BadIdentifier, "a code with a wrong check digit", |world| {
            let operator = world.party(OPERATOR);
            let claims = json!({
                "iss": operator.id, "aud": operator.gateway, "jti": new_jti(), "iat": now().secs(),
                "act": "suspend", "party": {"party": "municipality:131017-1"},
            });
            jwt(operator, "/v1/parties", Purpose::Administration, &jws::sign(&operator.signing, PartyStatement::TYP, &claims).unwrap())
        }),
        Case::new(PARTIES, C::BadToken, "a registration without its key", |world| {
            let operator = world.party(OPERATOR);
            let claims = json!({
                "iss": operator.id, "aud": operator.gateway, "jti": new_jti(), "iat": now().secs(), "act": "register", "party": {"party": "auditor:new"},
            });
            jwt(operator, "/v1/parties", Purpose::Administration, &jws::sign(&operator.signing, PartyStatement::TYP, &claims).unwrap())
        }),
        Case::new(KEYS, C::BadToken, "no proof of possession", |world| {
            let claims = key_claims(world.centre(), &SigningKey::generate().unwrap());
            let mut claims = claims.to_claims().unwrap();
            claims.as_object_mut().unwrap().remove("pop");
            let token = jws::sign(&world.centre().signing, KeyStatement::TYP, &claims).unwrap();
            jwt(world.centre(), "/v1/parties/self/keys", Purpose::Administration, &token)
        }),
        Case::new(KEYS, C::StateConflict, "a key that is registered", |world| {
            let own = &world.centre().signing;
            let token = key_claims(world.centre(), own).sign_with_proof(own, own).unwrap();
            jwt(world.centre(), "/v1/parties/self/keys", Purpose::Administration, &token)
        }),
        Case::new(KEYS, C::StateConflict, "the last signature key retires", |world| {
            let centre = world.centre();
            let retire = KeyStatement { act: KeyAct::Retire, nbf: None, naf: None, ..key_claims(centre, &centre.signing) };
            jwt(centre, "/v1/parties/self/keys", Purpose::Administration, &token(&centre.signing, &retire))
        }),
    ]
}

fn of_agreements() -> Vec<Case> {
    use RefusalCode as C;
    vec![
        Case::new(PROPOSE, C::BadRequest, "no document", |world| {
            Ask::post(world.centre(), "/v1/agreements", Purpose::Administration, "application/json", r#"{"document":1}"#).ready()
        }),
        Case::new(PROPOSE, C::SchemaInvalid, "an empty document", |world| propose(world, world.centre(), |_| json!({}))),
        Case::new(PROPOSE, C::OperationNotAllowed, "of others", |world| propose(world, world.party(OPERATOR), |document| document)),
        Case::new(PROPOSE, C::StateConflict, "a version that is there", |world| propose(world, world.centre(), |document| document)),
        Case::new(PROPOSE, C::BadToken, "the signature is over other bytes", |world| {
            let centre = world.centre();
            Box::pin(async move {
                let document = document(world).await;
                let agr = AgreementRef { sha256: Digest::of(b"other"), ..world.story.agreement.clone() };
                proposal(centre, &document, agr)
            })
        }),
        Case::new(SIGN, C::NotFound, "a version that is not there", |world| {
            sign(world.centre(), &AgreementRef { ver: 9, ..world.story.agreement.clone() }, 9, AgreementAct::Accept)
        }),
        Case::new(SIGN, C::NotFound, "of whom it does not concern", |world| {
            sign(world.party(OPERATOR), &world.story.agreement, world.story.agreement.ver, AgreementAct::Accept)
        }),
        Case::new(SIGN, C::StateConflict, "accepted before", |world| {
            sign(world.centre(), &world.story.agreement, world.story.agreement.ver, AgreementAct::Accept)
        }),
        Case::new(SIGN, C::BadToken, "other bytes", |world| {
            let agr = AgreementRef { sha256: Digest::of(b"other"), ..world.story.agreement.clone() };
            sign(world.centre(), &agr, world.story.agreement.ver, AgreementAct::Suspend)
        }),
        Case::new(SIGN, C::BadToken, "another version in the path", |world| {
            sign(world.centre(), &world.story.agreement, 7, AgreementAct::Suspend)
        }),
    ]
}

fn of_acknowledgements() -> Vec<Case> {
    use RefusalCode as C;
    vec![
        Case::new(ACKNOWLEDGE, C::NotFound, "a stranger's case", |world| {
            acknowledge(world, world.party(PROBATION), world.referral.rel, &world.referral.at_municipality)
        }),
        Case::new(ACKNOWLEDGE, C::NotFound, "its sender", |world| {
            acknowledge(world, world.centre(), world.referral.rel, &world.referral.at_centre)
        }),
        Case::new(ACKNOWLEDGE, C::StateConflict, "a release that never was", |world| {
            acknowledge(world, world.municipality(), new_jti(), &world.referral.at_municipality)
        }),
        Case::new(ACKNOWLEDGE, C::BadToken, "something else", |world| {
            let target = format!("/v1/cases/{}/acknowledgements", world.referral.at_municipality);
            jwt(world.municipality(), &target, PLACEMENT, &world.spare.token.replace('.', ".x"))
        }),
    ]
}

fn jwt<'a>(by: &Arc<Party>, target: &str, purpose: Purpose, token: &str) -> Asking<'a> {
    Ask::post(by, target, purpose, "application/jwt", token.to_owned()).ready()
}

fn token<T: SignedObject>(key: &SigningKey, object: &T) -> String {
    jws::sign(key, T::TYP, &object.to_claims().unwrap()).unwrap()
}

/// A consent of a party.
fn given(world: &World, by: &Party) -> ConsentGiven {
    ConsentGiven { issued: by.issued(), ..world.story.consent() }
}

/// The centre's consent with claims that no sound program makes.
fn consent_with(world: &World, change: impl FnOnce(&mut Value)) -> Asking<'_> {
    let mut claims = given(world, world.centre()).to_claims().unwrap();
    change(&mut claims);
    let token = jws::sign(&world.centre().signing, ConsentGiven::TYP, &claims).unwrap();
    jwt(world.centre(), "/v1/consents", PLACEMENT, &token)
}

fn end<'a>(by: &Arc<Party>, path: Jti, con: Jti, purpose: Purpose) -> Asking<'a> {
    let object = ConsentEnd { issued: by.issued(), con, by: EndedBy::Self_, why: "withdrawn".to_owned(), narrow: None, from: None };
    jwt(by, &format!("/v1/consents/{path}/end"), purpose, &token(&by.signing, &object))
}

fn statement<'a>(by: &Arc<Party>, about: &str) -> Asking<'a> {
    let party: PartyId = about.parse().unwrap();
    assert_eq!(party.kind(), PartyKind::Auditor);
    let object = PartyStatement { issued: by.issued(), act: PartyAct::Suspend, party, registration: None, key: None };
    jwt(by, "/v1/parties", Purpose::Administration, &token(&by.signing, &object))
}

fn key_claims(by: &Party, key: &SigningKey) -> KeyStatement {
    KeyStatement {
        issued: by.issued(),
        act: KeyAct::Add,
        purpose: KeyUse::Sig,
        jwk: key.public().clone(),
        nbf: Some(now()),
        naf: Some(now().plus_secs(86_400)),
        pop: None,
        compromised_at: None,
    }
}

/// The agreement of the sandbox.
async fn document(world: &World) -> Vec<u8> {
    let agreement = &world.story.agreement;
    let answer = world.centre().open_data(&format!("/v1/agreements/{}/{}", agreement.id, agreement.ver)).await.unwrap();
    let answer: Value = serde_json::from_slice(&answer.body).unwrap();
    URL_SAFE_NO_PAD.decode(answer["document"].as_str().unwrap()).unwrap()
}

/// Proposes what becomes of the agreement of the sandbox.
fn propose<'a>(world: &'a World, by: &'a Arc<Party>, change: fn(Value) -> Value) -> Asking<'a> {
    Box::pin(async move {
        let document = change(serde_json::from_slice(&document(world).await).unwrap()).to_string();
        proposal(by, document.as_bytes(), AgreementRef { sha256: Digest::of(document.as_bytes()), ..world.story.agreement.clone() })
    })
}

fn proposal(by: &Arc<Party>, document: &[u8], agr: AgreementRef) -> Ask {
    let signature = token(&by.signing, &AgreementSignature { issued: by.issued(), agr, act: AgreementAct::Accept });
    let body = json!({"document": URL_SAFE_NO_PAD.encode(document), "signature": signature}).to_string();
    Ask::post(by, "/v1/agreements", Purpose::Administration, "application/json", body)
}

fn sign<'a>(by: &Arc<Party>, agr: &AgreementRef, ver: u32, act: AgreementAct) -> Asking<'a> {
    let object = AgreementSignature { issued: by.issued(), agr: agr.clone(), act };
    let target = format!("/v1/agreements/{}/{ver}/signatures", agr.id);
    jwt(by, &target, Purpose::Administration, &token(&by.signing, &object))
}

fn acknowledge<'a>(world: &'a World, by: &Arc<Party>, rel: Jti, case: &str) -> Asking<'a> {
    let msg = MessageRef { iss: world.centre().id.clone(), jti: world.referral.message.jti };
    let object = Acknowledgement { issued: by.issued(), msg, rel, sd_hash: world.referral.sd_hash, st: AckStatus::Received };
    jwt(by, &format!("/v1/cases/{case}/acknowledgements"), PLACEMENT, &token(&by.signing, &object))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consent_or_its_end_that_may_not_be_is_refused() {
    let world = World::open().await;
    run(&world, &of_consents()).await;
    world.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registration_or_key_that_may_not_be_is_refused() {
    let world = World::open().await;
    run(&world, &of_parties_and_keys()).await;
    world.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agreement_or_signature_that_may_not_be_is_refused() {
    let world = World::open().await;
    run(&world, &of_agreements()).await;
    world.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acknowledgement_of_what_was_not_released_is_refused() {
    let world = World::open().await;
    run(&world, &of_acknowledgements()).await;
    world.server.stop().await;
}
