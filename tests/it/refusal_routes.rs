//! What every route refuses, because of how it is called: who calls, with which token, which body, which path.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::Method;
use tsunagi::{
    domain::{codes::Purpose, refusal::RefusalCode},
    message::{
        keys::SigningKey,
        objects::{Actor, PartyAct, SignedObject as _},
    },
};

use crate::{
    exchange_stage::{
        AUDITOR, CENTRE, MUNICIPALITY, OPERATOR,
        party::{ACTOR, Party, now},
        story::PLACEMENT,
    },
    refusal_stage::{
        Ask, Asking, Case,
        routes::{Route, Security},
        run, send,
        world::{DAY, World, nonce},
    },
};

/// The codes of each test: as many entries as a party's budget of refusals has room for.
const TABLES: [&[RefusalCode]; 6] = [
    &[RefusalCode::ActorMissing, RefusalCode::ActorInvalid],
    &[RefusalCode::ActorBinding, RefusalCode::ActorReplayed],
    &[RefusalCode::PurposeNotAllowed, RefusalCode::NotAcceptable, RefusalCode::BadRequest],
    &[RefusalCode::BadMediaType, RefusalCode::LengthRequired, RefusalCode::TooLarge, RefusalCode::NotFound],
    &[RefusalCode::HeadersTooLarge, RefusalCode::MethodNotAllowed],
    &[RefusalCode::PartySuspended, RefusalCode::UnknownParty, RefusalCode::BadIdentity],
];

/// Every code that follows from the call, at every route that can give it.
pub(crate) fn cases() -> Vec<Case> {
    TABLES.iter().flat_map(|codes| cases_of(codes)).collect()
}

fn cases_of(codes: &[RefusalCode]) -> Vec<Case> {
    let mut cases = Vec::new();
    for (number, route) in Route::all().iter().enumerate() {
        for code in route.codes().into_iter().filter(|code| codes.contains(code)) {
            let case = Case::new(route.name, code, "of the call", move |world| provoke(world, Sound::of(route, number), code));
            cases.push(case);
        }
    }
    cases
}

/// What becomes of an actor token.
type Change = fn(&mut Actor);

/// A request that has the right form.
#[derive(Clone, Copy)]
struct Sound {
    route: &'static Route,
    by: &'static str,
    purpose: Purpose,
}

impl Sound {
    fn of(route: &'static Route, number: usize) -> Self {
        let audits = route.path.starts_with("/v1/audit/") || route.path.starts_with("/v1/ledger/tile/");
        let administers = route.operation.starts_with("agreement.") || route.operation == "key.register";
        let (by, purpose) = match route.operation {
            "party.register" => (OPERATOR, Purpose::Administration),
            "certificate.list" => (MUNICIPALITY, Purpose::AddonCertification),
            _ if audits => (AUDITOR, Purpose::AuditReview),
            // In turn, because each party has a budget of refusals.
            _ => {
                let by = if number.is_multiple_of(2) { CENTRE } else { MUNICIPALITY };
                (by, if administers { Purpose::Administration } else { PLACEMENT })
            }
        };
        Self { route, by, purpose }
    }

    /// The path with names of things that are there.
    fn target(&self, world: &World) -> String {
        let case = if self.by == CENTRE { &world.referral.at_centre } else { &world.referral.at_municipality };
        let mut target = self.route.path.to_owned();
        for name in &self.route.names {
            let named = match (*name, self.route.path) {
                ("id", path) if path.starts_with("/v1/agreements") => world.story.agreement.id.to_string(),
                ("ver", path) if path.starts_with("/v1/agreements") => world.story.agreement.ver.to_string(),
                ("id", _) => case.clone(),
                ("jti", path) if path.starts_with("/v1/consents") => world.referral.consent.jti.to_string(),
                ("jti", _) => world.referral.message.jti.to_string(),
                ("kind", _) => "referral".to_owned(),
                ("ver", _) => world.story.schema.ver.clone(),
                ("party", _) => CENTRE.to_owned(),
                ("idx", _) => "0".to_owned(),
                ("path", _) => "entries/000.p/1".to_owned(),
                (name, path) => panic!("{path}: say what {{{name}}} is"),
            };
            target = target.replace(&format!("{{{name}}}"), &named);
        }
        if self.route.path == "/v1/ledger/consistency" {
            target.push_str("?from=1&to=2");
        }
        target
    }

    /// With a body of the right kind that says nothing.
    fn ask(&self, world: &World) -> Ask {
        let (by, target) = (world.party(self.by), self.target(world));
        match self.route.body {
            Some(media) => Ask::post(by, &target, self.purpose, media, "a.b.c"),
            None => Ask::get(by, &target, self.purpose),
        }
    }

    fn method(&self) -> Method {
        self.route.method.parse().unwrap()
    }

    /// With an actor token of its own.
    fn with_actor(&self, world: &World, change: impl FnOnce(&mut Actor), key: Option<&SigningKey>) -> Ask {
        let ask = self.ask(world);
        let party = &ask.by;
        let body = self.route.body.map(|_| ask.body.clone());
        let mut actor = actor(party, &self.method(), &ask.target, self.purpose, body.as_ref());
        change(&mut actor);
        let token = actor.sign(key.unwrap_or(&party.signing)).unwrap();
        ask.with(ACTOR, &token)
    }
}

fn actor(party: &Arc<Party>, method: &Method, target: &str, purpose: Purpose, body: Option<&Bytes>) -> Actor {
    use tsunagi::message::objects::Signed;
    let token = party.actor(method, target, purpose, body.map(AsRef::as_ref), body.is_none().then(nonce).as_ref());
    Signed::<Actor>::read(token.as_bytes()).unwrap().unproven().clone()
}

fn provoke(world: &World, sound: Sound, code: RefusalCode) -> Asking<'_> {
    use RefusalCode as C;
    let ask = match code {
        C::ActorMissing => sound.ask(world).without(ACTOR),
        C::ActorInvalid => sound.with_actor(world, |_| {}, Some(&SigningKey::generate().unwrap())),
        C::ActorBinding => sound.with_actor(world, |actor| "/v1/elsewhere".clone_into(&mut actor.htu), None),
        C::ActorReplayed => return Box::pin(replayed(world, sound)),
        C::PurposeNotAllowed => {
            let wrong = if sound.purpose == Purpose::AuditReview { PLACEMENT } else { Purpose::AuditReview };
            sound.with_actor(world, |actor| actor.pur = wrong, None)
        }
        C::NotAcceptable => sound.ask(world).with("accept", "image/png, text/html;q=0.9"),
        C::BadMediaType => sound.ask(world).with("content-type", "text/plain"),
        C::LengthRequired => Ask { chunked: true, ..sound.ask(world) },
        C::TooLarge => Ask { body: "x".repeat(512 * 1024 + 1).into(), ..sound.ask(world) },
        C::BadRequest => {
            let ask = sound.ask(world);
            let join = if ask.target.contains('?') { '&' } else { '?' };
            Ask { target: format!("{}{join}nonsense=1", ask.target), ..ask }
        }
        C::NotFound => nowhere(world, sound),
        C::MethodNotAllowed => Ask { method: Method::DELETE, body: Bytes::new(), ..sound.ask(world).without("content-type") },
        C::HeadersTooLarge => sound.ask(world).with("x-large", &"x".repeat(17 * 1024)),
        C::PartySuspended => return Box::pin(suspended(world, sound)),
        C::UnknownParty => by(world, sound, &["urn:tsunagi:party:municipality:131016-99"]),
        C::BadIdentity => by(world, sound, &["urn:tsunagi:party:group_home:1320100017", "urn:tsunagi:party:settlement_center:13-1"]),
        other => panic!("{other} does not follow from the call"),
    };
    ask.ready()
}

/// Uses the token first for a call that may itself be refused for its body.
async fn replayed(world: &World, sound: Sound) -> Ask {
    let (first, mut again) = (sound.ask(world), sound.ask(world));
    let token = first.headers[ACTOR].clone();
    again.headers.insert(ACTOR, token);
    let (_, _, body) = send(world, first, tsunagi::text::Lang::En).await;
    let answer: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    if let Some(code) = answer["code"].as_str() {
        world.expect(sound.by, sound.route.operation, code);
    }
    again
}

/// A path that names nothing.
fn nowhere(world: &World, sound: Sound) -> Ask {
    let ask = sound.ask(world);
    let mut target = sound.route.path.to_owned();
    for name in &sound.route.names {
        target = target.replace(&format!("{{{name}}}"), "nothing");
    }
    Ask { target, ..ask }
}

async fn suspended(world: &World, sound: Sound) -> Ask {
    let day = world.party(DAY);
    world.story.operate(PartyAct::Suspend, &day.id).await.unwrap();
    Ask { by: Arc::clone(day), ..sound.ask(world) }
}

fn by(world: &World, sound: Sound, uris: &[&str]) -> Ask {
    Ask { by: world.with_certificate(DAY, uris), ..sound.ask(world) }
}

macro_rules! table {
    ($name:ident, $number:literal) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let world = World::open().await;
            run(&world, &cases_of(TABLES[$number])).await;
            world.server.stop().await;
        }
    };
}
table!(no_route_works_without_a_sound_actor_token, 0);
table!(no_route_takes_an_actor_token_made_for_something_else_or_used_before, 1);
table!(no_route_serves_a_wrong_purpose_a_format_it_does_not_have_or_a_query_it_does_not_know, 2);
table!(no_route_takes_a_body_of_another_kind_or_size_or_a_name_that_is_none, 3);
table!(no_route_takes_too_large_headers_or_another_method, 4);
table!(no_route_serves_whom_nobody_knows_who_has_two_names_or_is_suspended, 5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_of_more_than_five_minutes_a_past_one_and_one_without_a_challenge_are_invalid() {
    let world = World::open().await;
    let route = Route::all().iter().find(|route| route.operation == "case.read").unwrap();
    assert_eq!(route.security, Security::Actor);
    let sound = Sound { route, by: MUNICIPALITY, purpose: PLACEMENT };
    let changes: [(&str, Change); 3] = [
        ("301 seconds", |actor| actor.exp = actor.issued.iat.plus_secs(301)),
        ("expired", |actor| {
            actor.issued.iat = now().plus_secs(-200);
            actor.exp = now().plus_secs(-100);
        }),
        ("no challenge", |actor| actor.nonce = None),
    ];
    let cases = changes.map(|(how, change)| {
        Case::new(route.name, RefusalCode::ActorInvalid, how, move |world| sound.with_actor(world, change, None).ready())
    });
    run(&world, &cases).await;
    world.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_that_is_no_route_is_not_there() {
    let world = World::open().await;
    let cases = ["/", "/v1", "/v1/nothing", "/metrics", "/readyz"].map(|path| {
        Case::new("no route", RefusalCode::NotFound, path, move |world| Ask::of(world.municipality(), Method::GET, path).ready())
    });
    run(&world, &cases).await;
    world.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_has_no_good_certificate_gets_a_tls_alert_and_is_counted() {
    let world = World::open().await;
    let failures = async || {
        let (_, metrics) = world.server.admin("/metrics").await.unwrap();
        let counts = metrics.lines().filter(|line| line.starts_with("tsunagi_handshake_failures_total"));
        counts.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum::<u64>()
    };
    let before = failures().await;
    let stranger = world.with_foreign_certificate(DAY);
    let ask = Ask::of(&stranger, Method::GET, "/.well-known/tsunagi");
    let failed = ask.by.send(ask.method, &ask.target, ask.headers, ask.body).await;
    assert!(failed.is_err(), "an alert, no answer");
    let counted = async {
        while failures().await != before + 1 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(crate::exchange_stage::SOON, counted).await.expect("the failed handshake is counted once");
    world.server.stop().await;
}
