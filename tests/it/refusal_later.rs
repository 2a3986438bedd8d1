//! What is refused about a message into a case: the faults of any message, and those of its place in the case.

use std::{fs, path::Path, sync::Arc};

use serde_json::{Map, Value};
use tsunagi::{
    domain::{codes::MessageKind, refusal::RefusalCode, time::Timestamp},
    message::{
        compose::{Draft, Padding},
        disclosed::Hidden,
        schema::SchemaSet,
        submission::SchemaRef,
    },
};
use uuid::Uuid;

use crate::{
    exchange_stage::{
        party::{new_jti, now},
        story::PLACEMENT,
    },
    refusal_messages::{FORM, Wrong},
    refusal_stage::{
        Ask, Case, run,
        world::{HOME, PROBATION, World},
    },
};

const ROUTE: &str = "POST /v1/cases/{id}/messages";

/// Every fault as a case of a message into a case.
pub(crate) fn cases() -> Vec<Case> {
    let form = FORM.iter().map(form);
    let place = [
        Case::new(ROUTE, RefusalCode::StateConflict, "opens a case and comes into one", |world| {
            let mut draft = world.draft();
            draft.hidden.case = Some(world.referral.at_centre.parse().unwrap());
            centre(world, &draft).ready()
        }),
        Case::new(ROUTE, RefusalCode::StateConflict, "says that it belongs to another case", |world| {
            let mut draft = world.draft();
            draft.hidden.case = Some(Uuid::new_v4().to_string().parse().unwrap());
            centre(world, &draft).ready()
        }),
        Case::new(ROUTE, RefusalCode::RecipientNotAllowed, "an enquiry to a body that provides nothing", |world| {
            let mut draft = enquiry(world);
            draft.claims.aud = PROBATION.parse().unwrap();
            municipality(world, &draft).ready()
        }),
        Case::new(ROUTE, RefusalCode::PaddingRequired, "an enquiry without padding", |world| municipality(world, &enquiry(world)).ready()),
        Case::new(ROUTE, RefusalCode::NotFound, "a stranger's message into the case", |world| {
            let by = world.party(PROBATION);
            let target = format!("/v1/cases/{}/messages", world.referral.at_centre);
            Ask::post(by, &target, PLACEMENT, "application/jose", by.seal("x")).ready()
        }),
    ];
    form.chain(place).collect()
}

fn form(wrong: &'static Wrong) -> Case {
    let make = wrong.make;
    Case::new(ROUTE, wrong.code, wrong.how, move |world| {
        Box::pin(async move {
            let posted = make(world).await;
            // One that another party posts comes into the case as that party knows it.
            let own = Arc::ptr_eq(&posted.by, world.municipality());
            let case = if own { &world.referral.at_municipality } else { &world.referral.at_centre };
            posted.ask(&format!("/v1/cases/{case}/messages"))
        })
    })
}

fn centre(world: &World, draft: &Draft) -> Ask {
    let by = world.centre();
    let envelope = by.seal(&draft.sign(&by.signing).unwrap());
    Ask::post(by, &format!("/v1/cases/{}/messages", world.referral.at_centre), PLACEMENT, "application/jose", envelope)
}

fn municipality(world: &World, draft: &Draft) -> Ask {
    let by = world.municipality();
    let envelope = by.seal(&draft.sign(&by.signing).unwrap());
    Ask::post(by, &format!("/v1/cases/{}/messages", world.referral.at_municipality), PLACEMENT, "application/jose", envelope)
}

/// An enquiry of the municipality to a group home, not padded.
fn enquiry(world: &World) -> Draft {
    let schemas = SchemaSet::builtin().unwrap();
    let schema = schemas.messages().find(|schema| schema.kind() == MessageKind::Enquiry).unwrap().published();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/examples/enquiry.json");
    let body: Map<String, Value> = serde_json::from_slice(&fs::read(example).unwrap()).unwrap();
    let (by, second) = (world.municipality(), now().secs());
    let mut draft = world.draft();
    draft.claims.iss = by.id.clone();
    draft.claims.aud = HOME.parse().unwrap();
    draft.claims.jti = new_jti();
    draft.claims.iat = Timestamp::from_secs(second - second % 3600);
    draft.claims.kind = MessageKind::Enquiry;
    draft.claims.sch = SchemaRef { id: schema.id.to_owned(), ver: schema.ver.to_owned(), sha256: schema.sha256 };
    draft.claims.pur = vec![PLACEMENT];
    draft.claims.cnf = by.pinned.kb.clone();
    draft.hidden = Hidden { case: Some(world.referral.at_municipality.parse().unwrap()), ..draft.hidden };
    draft.body = body.into_iter().map(|(key, value)| (key.parse().unwrap(), value)).collect();
    draft.padding = Padding::None;
    draft
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_into_a_case_is_refused_for_its_form_and_for_its_place() {
    let world = World::open().await;
    run(&world, &cases()).await;
    world.server.stop().await;
}
