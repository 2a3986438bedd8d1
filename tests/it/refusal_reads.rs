//! What is refused about a read: what is not the reader's, what its purpose does not open, what has ended and what is gone.

use http::Method;
use sqlx::Connection as _;
use tsunagi::domain::{agreement::AgreementAct, codes::Purpose, refusal::RefusalCode};

use crate::{
    exchange_stage::{
        AUDITOR, OPERATOR,
        ledger::connect,
        story::{BENEFIT, PLACEMENT},
    },
    refusal_stage::{
        Ask, Asking, Case, run,
        world::{CORE, HOME, OFFICE, World},
    },
};

const CASE: &str = "GET /v1/cases/{id}";
const MESSAGE: &str = "GET /v1/cases/{id}/messages/{jti}";

/// Cases of one world, and cases that spoil it for all others: each of those has its own.
pub(crate) fn cases() -> Vec<Case> {
    [of_what_is_not_yours(), of_what_is_asked(), of_what_ended(), vec![without_agreement()], vec![erased(), erased_disclosures()]]
        .into_iter()
        .flatten()
        .collect()
}

fn of_what_is_not_yours() -> Vec<Case> {
    use RefusalCode as C;
    let stranger = |route: &'static str, target: fn(&World) -> String| {
        Case::new(route, C::NotFound, "a stranger", move |world| Ask::get(world.party(CORE), &target(world), PLACEMENT).ready())
    };
    let nobody = |route: &'static str, target: &'static str| {
        Case::new(route, C::NotFound, "never was", move |world| Ask::get(world.municipality(), target, PLACEMENT).ready())
    };
    vec![
        stranger(CASE, |world| format!("/v1/cases/{}", world.referral.at_municipality)),
        stranger("GET /v1/cases/{id}/messages", |world| format!("/v1/cases/{}/messages", world.referral.at_municipality)),
        stranger(MESSAGE, |world| format!("/v1/cases/{}/messages/{}", world.referral.at_municipality, world.referral.message.jti)),
        stranger("GET /v1/cases/{id}/receipts", |world| format!("/v1/cases/{}/receipts", world.referral.at_centre)),
        Case::new("GET /v1/cases/{id}/certificates", C::NotFound, "a stranger", |world| {
            let target = format!("/v1/cases/{}/certificates", world.referral.at_municipality);
            Ask::get(world.party(HOME), &target, Purpose::AddonCertification).ready()
        }),
        stranger("GET /v1/cases/{id}/disclosures", |world| format!("/v1/cases/{}/disclosures", world.referral.at_municipality)),
        stranger("GET /v1/consents/{jti}", |world| format!("/v1/consents/{}", world.referral.consent.jti)),
        nobody(CASE, "/v1/cases/3c9d0a3e-7f3a-4f55-9d2e-0f6b1d8c4e21"),
        nobody("GET /v1/consents/{jti}", "/v1/consents/3c9d0a3e-7f3a-4f55-9d2e-0f6b1d8c4e21"),
        Case::new(CASE, C::NotFound, "under the other side's id", |world| {
            Ask::get(world.municipality(), &format!("/v1/cases/{}", world.referral.at_centre), PLACEMENT).ready()
        }),
        Case::new(CASE, C::NotFound, "nothing was addressed to its sender", |world| {
            Ask::get(world.centre(), &format!("/v1/cases/{}", world.referral.at_centre), PLACEMENT).ready()
        }),
        Case::new("GET /v1/agreements/{id}/{ver}", C::NotFound, "an agreement of others", |world| {
            let target = format!("/v1/agreements/{}/{}", world.story.agreement.id, world.story.agreement.ver);
            Ask::of(world.party(OPERATOR), Method::GET, &target).ready()
        }),
        Case::new("GET /v1/parties/{party}", C::NotFound, "never registered", |world| {
            Ask::of(world.party(HOME), Method::GET, "/v1/parties/auditor:nobody").ready()
        }),
        Case::new("GET /v1/ledger/tile/{path}", C::NotFound, "beyond the tree", |world| {
            Ask::of(world.party(HOME), Method::GET, "/v1/ledger/tile/0/x999/999").ready()
        }),
        Case::new("GET /v1/audit/events/{idx}", C::NotFound, "beyond the ledger", |world| {
            Ask::get(world.party(AUDITOR), "/v1/audit/events/999999", Purpose::AuditReview).ready()
        }),
    ]
}

fn of_what_is_asked() -> Vec<Case> {
    use RefusalCode as C;
    let audit = |route: &'static str, target: &'static str| {
        Case::new(route, C::OperationNotAllowed, "not an auditor", move |world| {
            Ask::get(world.party(OFFICE), target, Purpose::ServicePlanning).ready()
        })
    };
    let range = |target: &'static str| {
        Case::new("GET /v1/cases", C::BadRequest, target, move |world| Ask::get(world.municipality(), target, PLACEMENT).ready())
    };
    vec![
        audit("GET /v1/audit/events", "/v1/audit/events"),
        audit("GET /v1/audit/events/{idx}", "/v1/audit/events/0"),
        audit("GET /v1/audit/events/{idx}/proof", "/v1/audit/events/0/proof"),
        audit("GET /v1/ledger/tile/{path}", "/v1/ledger/tile/entries/000.p/1"),
        Case::new(CASE, C::PurposeNotAllowed, "the message was not sent for it", |world| {
            Ask::get(world.municipality(), &format!("/v1/cases/{}", world.referral.at_municipality), Purpose::BackupConsultation).ready()
        }),
        Case::new("GET /v1/cases/{id}/certificates", C::PurposeNotAllowed, "for another purpose", |world| {
            Ask::get(world.municipality(), &format!("/v1/cases/{}/certificates", world.referral.at_municipality), PLACEMENT).ready()
        }),
        Case::new("GET /v1/cases/{id}/certificates", C::BadRequest, "a cursor that is none", |world| {
            let target = format!("/v1/cases/{}/certificates?cursor=x", world.referral.at_municipality);
            Ask::get(world.municipality(), &target, Purpose::AddonCertification).ready()
        }),
        Case::new("GET /v1/statistics", C::OperationNotAllowed, "of another municipality", |world| {
            Ask::get(world.municipality(), "/v1/statistics?year=2025&municipality=131024", PLACEMENT).ready()
        }),
        Case::new("GET /v1/statistics", C::OperationNotAllowed, "a provider", |world| {
            Ask::get(world.party(OFFICE), "/v1/statistics?year=2025&municipality=131016", Purpose::ServicePlanning).ready()
        }),
        Case::new("GET /v1/statistics", C::BadRequest, "a year that is not over", |world| {
            Ask::get(world.municipality(), "/v1/statistics?year=9990", PLACEMENT).ready()
        }),
        Case::new("GET /v1/cases/{id}/disclosures", C::BadRequest, "a page without end", |world| {
            let target = format!("/v1/cases/{}/disclosures?limit=201", world.referral.at_municipality);
            Ask::get(world.municipality(), &target, PLACEMENT).ready()
        }),
        range("/v1/cases?limit=0"),
        range("/v1/cases?limit=201"),
        range("/v1/cases?wait=31"),
        range("/v1/cases?cursor=x"),
        range("/v1/cases?limit=1&limit=2"),
        Case::new("GET /v1/ledger/consistency", C::BadRequest, "backwards", |world| {
            Ask::of(world.centre(), Method::GET, "/v1/ledger/consistency?from=2&to=1").ready()
        }),
        Case::new("GET /v1/audit/events", C::BadRequest, "a cursor of another query", |world| {
            Ask::get(world.party(AUDITOR), "/v1/audit/events?cursor=WzEsMSwxLCJ4Il0", Purpose::AuditReview).ready()
        }),
    ]
}

fn of_what_ended() -> Vec<Case> {
    [PLACEMENT, BENEFIT]
        .map(|purpose| {
            Case::new(CASE, RefusalCode::ConsentEnded, "withdrawn", move |world| {
                Box::pin(async move {
                    // Ended once; the second time it is known.
                    let ended =
                        world.story.register_end(&world.referral.consent, &world.story.sign_end(&world.referral.consent, None)).await;
                    if let Err(setback) = ended {
                        assert_eq!(setback.code(), "state_conflict");
                        world.expect(&world.centre().id.to_string(), "consent.end", "state_conflict");
                    }
                    read(world, purpose).await
                })
            })
        })
        .into()
}

fn without_agreement() -> Case {
    Case::new(CASE, RefusalCode::AgreementNotInForce, "suspended", |world| {
        Box::pin(async move {
            world.story.say(AgreementAct::Suspend).await.unwrap();
            read(world, PLACEMENT).await
        })
    })
}

/// The case's data key is destroyed; what the ledger holds stays.
fn erased() -> Case {
    Case::new(CASE, RefusalCode::Erased, "its data key is gone", |world| {
        Box::pin(async move {
            destroy_keys(world).await;
            read(world, PLACEMENT).await
        })
    })
}

fn erased_disclosures() -> Case {
    Case::new("GET /v1/cases/{id}/disclosures", RefusalCode::Erased, "its data key is gone", |world| {
        Box::pin(async move {
            destroy_keys(world).await;
            let target = format!("/v1/cases/{}/disclosures", world.referral.at_municipality);
            Ask::get(world.municipality(), &target, PLACEMENT).ready().await
        })
    })
}

async fn destroy_keys(world: &World) {
    let mut connection = connect(&world.sandbox.database()).await;
    sqlx::query("UPDATE data_key SET wrapped = NULL WHERE id IN (SELECT key FROM message)").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

fn read(world: &World, purpose: Purpose) -> Asking<'_> {
    Ask::get(world.municipality(), &format!("/v1/cases/{}", world.referral.at_municipality), purpose).ready()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_yours_is_not_there() {
    let world = World::open().await;
    run(&world, &of_what_is_not_yours()).await;
    world.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_not_be_asked_is_refused() {
    let world = World::open().await;
    run(&world, &of_what_is_asked()).await;
    world.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ended_is_refused() {
    let world = World::open().await;
    run(&world, &of_what_ended()).await;
    run(&world, &[without_agreement()]).await;
    world.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_erased_is_gone() {
    let world = World::open().await;
    run(&world, &[erased(), erased_disclosures()]).await;
    world.server.stop().await;
}
