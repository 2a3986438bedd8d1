//! What is refused about a message: every fault of form, time, content and right, each differing in one thing from a message that is accepted.

use std::{future::Future, pin::Pin, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tsunagi::{
    domain::{
        agreement::AgreementAct,
        codes::{MessageKind, Purpose},
        consent::Recipient,
        digest::Digest,
        refusal::RefusalCode,
    },
    message::{
        compose::Draft,
        disclosed::ConsentRef,
        envelope, jws,
        keys::{KeyUse, OpeningKey, SigningKey},
        objects::{ConsentGiven, KeyAct, KeyStatement, SignedObject as _},
        profile::MESSAGE_TYP,
    },
};
use uuid::Uuid;

use crate::{
    exchange_stage::{
        AUDITOR,
        party::{Party, new_jti, now},
        story::{Consent, PLACEMENT},
    },
    refusal_stage::{
        Ask, Case, run,
        world::{HOME, World},
    },
};

/// A message that must be refused with a code.
pub(crate) struct Wrong {
    pub(crate) code: RefusalCode,
    pub(crate) how: &'static str,
    pub(crate) make: Make,
}

type Make = for<'a> fn(&'a World) -> Making<'a>;
type Making<'a> = Pin<Box<dyn Future<Output = Posted> + 'a>>;

/// A message on its way.
pub(crate) struct Posted {
    pub(crate) by: Arc<Party>,
    pub(crate) purpose: Purpose,
    pub(crate) envelope: String,
}

impl Posted {
    pub(crate) fn ask(self, target: &str) -> Ask {
        Ask::post(&self.by, target, self.purpose, "application/jose", self.envelope)
    }
}

/// Every fault as a case of a submission.
pub(crate) fn cases() -> Vec<Case> {
    FORM.iter().chain(RIGHTS).map(case).collect()
}

fn case(wrong: &'static Wrong) -> Case {
    let make = wrong.make;
    Case::new("POST /v1/referrals", wrong.code, wrong.how, move |world| Box::pin(async move { make(world).await.ask("/v1/referrals") }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_of_wrong_form_time_or_content_is_refused() {
    let world = World::open().await;
    run(&world, &FORM.iter().map(case).collect::<Vec<_>>()).await;
    world.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_without_the_rights_it_needs_is_refused() {
    let world = World::open().await;
    run(&world, &RIGHTS.iter().map(case).collect::<Vec<_>>()).await;
    world.server.stop().await;
}

const fn wrong(code: RefusalCode, how: &'static str, make: Make) -> Wrong {
    Wrong { code, how, make }
}

/// Faults of envelope, token, disclosures, schema and content.
pub(crate) const FORM: &[Wrong] = &[
    wrong(RefusalCode::BadEnvelope, "four parts", |world| sealed(world, |envelope| envelope.rsplit_once('.').unwrap().0.to_owned())),
    wrong(RefusalCode::DecryptFailed, "a tag of one byte", |world| {
        sealed(world, |envelope| format!("{}.AA", envelope.rsplit_once('.').unwrap().0))
    }),
    wrong(RefusalCode::DecryptFailed, "for another key", |world| {
        let key = OpeningKey::generate().unwrap();
        let text = envelope::seal(key.public(), MESSAGE_TYP, good(world).as_bytes()).unwrap();
        // The other key's ciphertext under the gateway's own name.
        let (own, other) = (world.centre().seal("x"), text);
        let parts: Vec<&str> = other.split('.').collect();
        let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[0]).unwrap()).unwrap();
        let mut named: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(own.split('.').next().unwrap()).unwrap()).unwrap();
        named["epk"] = header["epk"].clone();
        let header = URL_SAFE_NO_PAD.encode(named.to_string());
        ready(world, std::iter::once(header.as_str()).chain(parts[1..].iter().copied()).collect::<Vec<_>>().join("."))
    }),
    wrong(RefusalCode::DecryptFailed, "a changed byte", |world| sealed(world, |envelope| flip(&envelope, envelope.len() - 4))),
    wrong(RefusalCode::BadToken, "a changed signature", |world| {
        message(world, |text| {
            let end = text.find('~').unwrap();
            flip(&text, end - 10)
        })
    }),
    wrong(RefusalCode::BadToken, "from the future", |world| drafted(world, |draft| draft.claims.iat = now().plus_secs(600))),
    wrong(RefusalCode::BadToken, "an unknown claim", |world| claims(world, |claims| claims["exp"] = json!(1))),
    wrong(RefusalCode::BadDisclosure, "a disclosure that nothing refers to", |world| message(world, |text| format!("{text}WyJ4Il0~"))),
    wrong(RefusalCode::BadDisclosure, "a disclosure twice", |world| {
        message(world, |text| format!("{text}{}~", text.split('~').nth(1).unwrap()))
    }),
    wrong(RefusalCode::LimitExceeded, "257 disclosures", |world| message(world, |text| format!("{text}{}", "WyJ4Il0~".repeat(257)))),
    wrong(RefusalCode::IssuerMismatch, "another's message", |world| {
        let by = Arc::clone(world.municipality());
        let envelope = by.seal(&good(world));
        Box::pin(std::future::ready(Posted { by, purpose: PLACEMENT, envelope }))
    }),
    wrong(RefusalCode::KeyNotAllowed, "a key that nobody registered", |world| {
        let text = world.draft().sign(&SigningKey::generate().unwrap()).unwrap();
        ready(world, world.centre().seal(&text))
    }),
    wrong(RefusalCode::KeyNotAllowed, "another's key", |world| {
        let text = world.draft().sign(&world.municipality().signing).unwrap();
        ready(world, world.centre().seal(&text))
    }),
    wrong(RefusalCode::KeyRevoked, "a retired key", |world| Box::pin(retired(world))),
    wrong(RefusalCode::BindingMismatch, "bound to another gateway", |world| {
        drafted(world, |draft| draft.claims.cnf = SigningKey::generate().unwrap().public().clone())
    }),
    wrong(RefusalCode::ReplayConflict, "an id that was used", |world| {
        drafted(world, |draft| draft.claims.jti = world.referral.message.jti)
    }),
    wrong(RefusalCode::MessageTooOld, "of yesterday", |world| drafted(world, |draft| draft.claims.iat = now().plus_secs(-25 * 3600))),
    wrong(RefusalCode::SchemaUnknown, "a version that was never published", |world| {
        drafted(world, |draft| "9.9.9".clone_into(&mut draft.claims.sch.ver))
    }),
    wrong(RefusalCode::SchemaMismatch, "another digest", |world| drafted(world, |draft| draft.claims.sch.sha256 = Digest::of(b"other"))),
    wrong(RefusalCode::SchemaInvalid, "a row that no catalogue has", |world| {
        drafted(world, |draft| draft.body.push(("name_of_the_victim".parse().unwrap(), json!("値"))))
    }),
    wrong(RefusalCode::SchemaInvalid, "a row of another type", |world| {
        drafted(world, |draft| {
            let row = draft.body.iter_mut().find(|(_, value)| value.is_string()).unwrap();
            row.1 = json!({"no_such_member": "値"});
        })
    }),
    wrong(RefusalCode::ProhibitedMyNumber, "twelve digits with their check digit", |world| {
        drafted(world, |draft| {
            let row = draft.body.iter_mut().find(|(key, _)| key.as_str() == "assessment_summary").unwrap();
            row.1 = json!("番号は983205673214です");
        })
    }),
];

/// Faults of agreement, consent, purpose, recipient and state.
pub(crate) const RIGHTS: &[Wrong] = &[
    wrong(RefusalCode::NoAgreement, "an agreement that does not exist", |world| {
        drafted(world, |draft| draft.claims.agr.id = "AG-47-9999".parse().unwrap())
    }),
    wrong(RefusalCode::NoAgreement, "other bytes", |world| drafted(world, |draft| draft.claims.agr.sha256 = Digest::of(b"other"))),
    wrong(RefusalCode::NoConsent, "none", |world| drafted(world, |draft| (draft.hidden.sub, draft.hidden.con) = (None, None))),
    wrong(RefusalCode::NoConsent, "one that was never registered", |world| {
        drafted(world, |draft| draft.hidden.con = Some(ConsentRef { jti: new_jti(), sha256: Digest::of(b"x") }))
    }),
    wrong(RefusalCode::NoConsent, "another person's pseudonym", |world| {
        drafted(world, |draft| draft.hidden.sub = Some(Uuid::new_v4().simple().to_string().parse().unwrap()))
    }),
    wrong(RefusalCode::NoConsent, "one that is bound to another case", |world| under(world, &world.referral.consent)),
    wrong(RefusalCode::ConsentEnded, "withdrawn", |world| Box::pin(withdrawn(world))),
    wrong(RefusalCode::ConsentScope, "names somebody else", |world| {
        consenting(world, |given| given.items[0].rcp = vec![Recipient::Party(crate::refusal_stage::world::CORE.parse().unwrap())])
    }),
    wrong(RefusalCode::ConsentScope, "not yet valid", |world| consenting(world, |given| given.nbf = now().plus_secs(3600))),
    wrong(RefusalCode::OverDisclosure, "nothing was ticked", |world| consenting(world, |given| given.items[0].tick.clear())),
    wrong(RefusalCode::PurposeNotAllowed, "the staff acts for another purpose", |world| {
        let envelope = world.centre().seal(&good(world));
        let by = Arc::clone(world.centre());
        Box::pin(std::future::ready(Posted { by, purpose: Purpose::BackupConsultation, envelope }))
    }),
    wrong(RefusalCode::PurposeNotAllowed, "a purpose outside the agreement", |world| {
        drafted(world, |draft| draft.claims.pur = vec![PLACEMENT, Purpose::BackupConsultation])
    }),
    wrong(RefusalCode::RecipientNotAllowed, "a provider", |world| drafted(world, |draft| draft.claims.aud = HOME.parse().unwrap())),
    wrong(RefusalCode::RecipientNotAllowed, "itself", |world| drafted(world, |draft| draft.claims.aud = draft.claims.iss.clone())),
    wrong(RefusalCode::StateConflict, "names a case", |world| {
        drafted(world, |draft| draft.hidden.case = Some(world.referral.at_centre.parse().unwrap()))
    }),
    wrong(RefusalCode::StateConflict, "opens no case", |world| drafted(world, |draft| draft.claims.kind = MessageKind::Enquiry)),
    wrong(RefusalCode::AgreementNotInForce, "suspended", |world| Box::pin(suspended(world))),
];

/// The signed message that would be accepted.
fn good(world: &World) -> String {
    signed(world, &world.draft())
}

fn signed(world: &World, draft: &Draft) -> String {
    draft.sign(&world.centre().signing).unwrap()
}

fn ready(world: &World, envelope: String) -> Making<'_> {
    Box::pin(std::future::ready(Posted { by: Arc::clone(world.centre()), purpose: PLACEMENT, envelope }))
}

/// With a changed envelope.
fn sealed(world: &World, change: impl FnOnce(String) -> String) -> Making<'_> {
    ready(world, change(world.centre().seal(&good(world))))
}

/// With changed bytes in a sound envelope.
fn message(world: &World, change: impl FnOnce(String) -> String) -> Making<'_> {
    ready(world, world.centre().seal(&change(good(world))))
}

/// With other claims or rows, signed.
fn drafted(world: &World, change: impl FnOnce(&mut Draft)) -> Making<'_> {
    let mut draft = world.draft();
    change(&mut draft);
    ready(world, world.centre().seal(&signed(world, &draft)))
}

/// With claims that no sound program makes, signed.
fn claims(world: &World, change: impl FnOnce(&mut Value)) -> Making<'_> {
    let text = good(world);
    let (token, disclosures) = text.split_once('~').unwrap();
    let mut claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap();
    change(&mut claims);
    let token = jws::sign(&world.centre().signing, MESSAGE_TYP, &claims).unwrap();
    ready(world, world.centre().seal(&format!("{token}~{disclosures}")))
}

/// Under another consent.
fn under<'a>(world: &'a World, consent: &Consent) -> Making<'a> {
    let text = signed(world, &world.story.draft(consent));
    ready(world, world.centre().seal(&text))
}

/// Under a consent with other claims.
fn consenting<'a>(world: &'a World, change: impl FnOnce(&mut ConsentGiven) + 'a) -> Making<'a> {
    Box::pin(async move {
        let mut given = world.story.consent();
        change(&mut given);
        let consent = world.story.sign_consent(&given);
        world.story.register(&consent).await.unwrap();
        under(world, &consent).await
    })
}

async fn withdrawn(world: &World) -> Posted {
    let consent = world.story.sign_consent(&world.story.consent());
    world.story.register(&consent).await.unwrap();
    let end = world.story.sign_end(&consent, None);
    world.story.register_end(&consent, &end).await.unwrap();
    under(world, &consent).await
}

async fn suspended(world: &World) -> Posted {
    world.story.say(AgreementAct::Suspend).await.unwrap();
    ready(world, world.centre().seal(&good(world))).await
}

async fn retired(world: &World) -> Posted {
    let (centre, key) = (world.centre(), SigningKey::generate().unwrap());
    let statement = |act| KeyStatement {
        issued: centre.issued(),
        act,
        purpose: KeyUse::Sig,
        jwk: key.public().clone(),
        nbf: (act == KeyAct::Add).then(now),
        naf: (act == KeyAct::Add).then(|| now().plus_secs(86_400)),
        pop: None,
        compromised_at: None,
    };
    let target = "/v1/parties/self/keys";
    let add = statement(KeyAct::Add).sign_with_proof(&centre.signing, &key).unwrap();
    centre.post_object(target, Purpose::Administration, &add).await.unwrap();
    let retire = statement(KeyAct::Retire).sign(&centre.signing).unwrap();
    centre.post_object(target, Purpose::Administration, &retire).await.unwrap();
    let text = world.draft().sign(&key).unwrap();
    ready(world, centre.seal(&text)).await
}

/// One character of base64url changed into another.
fn flip(text: &str, at: usize) -> String {
    let mut bytes = text.as_bytes().to_vec();
    bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
    String::from_utf8(bytes).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_party_of_a_kind_that_opens_no_cases_may_not_send() {
    let world = World::open().await;
    run(&world, &[operation_case()]).await;
    world.server.stop().await;
}

/// Refused for who asks, whatever is sent.
pub(crate) fn operation_case() -> Case {
    Case::new("POST /v1/referrals", RefusalCode::OperationNotAllowed, "an auditor", |world| {
        let auditor = world.party(AUDITOR);
        let envelope = auditor.seal(&good(world));
        Ask::post(auditor, "/v1/referrals", Purpose::AuditReview, "application/jose", envelope).ready()
    })
}
