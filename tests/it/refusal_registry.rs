//! No code and no route without a test: what the tables of refusals provoke is compared with the codes of protocol section 5 and with the routes of
//! the published document. The tables are what the tests run, so nothing stands here that is not provoked.

use std::collections::BTreeSet;

use tsunagi::domain::refusal::RefusalCode;

use crate::{
    explain_messages, refusal_gateway, refusal_later, refusal_messages, refusal_objects, refusal_reads, refusal_routes,
    refusal_stage::{Case, routes::Route},
};

fn all() -> Vec<Case> {
    let tables = [
        refusal_routes::cases(),
        refusal_messages::cases(),
        vec![refusal_messages::operation_case()],
        refusal_later::cases(),
        refusal_objects::cases(),
        refusal_reads::cases(),
        refusal_gateway::cases(),
        explain_messages::cases(),
    ];
    tables.into_iter().flatten().collect()
}

#[test]
fn every_code_is_provoked() {
    let provoked: BTreeSet<RefusalCode> = all().iter().map(|case| case.code).collect();
    for code in RefusalCode::ALL {
        assert!(provoked.contains(code), "{code}");
    }
}

#[test]
fn every_route_is_provoked_with_every_code_that_follows_from_its_call() {
    let provoked: BTreeSet<(&str, RefusalCode)> = all().iter().map(|case| (case.route, case.code)).collect();
    let missing: Vec<String> = Route::all()
        .iter()
        .flat_map(|route| route.codes().into_iter().map(|code| (route.name, code)))
        .filter(|pair| !provoked.contains(pair))
        .map(|(route, code)| format!("{route} {code}"))
        .collect();
    assert!(missing.is_empty(), "\n{}", missing.join("\n"));
}

#[test]
fn every_route_that_takes_something_signed_is_provoked_with_what_can_be_wrong_about_it() {
    let all = all();
    for route in Route::all().iter().filter(|route| route.body.is_some()) {
        let codes: BTreeSet<RefusalCode> = all.iter().filter(|case| case.route == route.name).map(|case| case.code).collect();
        let own: Vec<_> = codes.iter().filter(|code| !route.codes().contains(code)).collect();
        assert!(!own.is_empty(), "{}: only what any route refuses", route.name);
    }
}

#[test]
fn every_case_is_of_a_route_that_exists() {
    for case in all() {
        assert!(case.route == "no route" || Route::find(case.route).is_some(), "{case}");
    }
}
