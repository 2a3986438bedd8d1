//! The routes of the published document, and which codes each can give whatever it does.

use std::{path::Path, sync::LazyLock};

use serde_json::Value;
use tsunagi::domain::refusal::RefusalCode;

/// One method of one path.
pub(crate) struct Route {
    /// `POST /v1/referrals`.
    pub(crate) name: &'static str,
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    /// What its entries say was asked for.
    pub(crate) operation: &'static str,
    pub(crate) security: Security,
    /// Media type of its body.
    pub(crate) body: Option<&'static str>,
    pub(crate) has_query: bool,
    /// Names in its path.
    pub(crate) names: Vec<&'static str>,
}

/// Whether a call needs an actor token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Security {
    /// Open to every registered party, not recorded.
    Open,
    /// With an actor token.
    Actor,
    /// Either, by what is asked for.
    Both,
}

impl Route {
    /// Every route of `openapi.json`.
    pub(crate) fn all() -> &'static [Self] {
        static ROUTES: LazyLock<Vec<Route>> = LazyLock::new(read);
        &ROUTES
    }

    pub(crate) fn find(name: &str) -> Option<&'static Self> {
        Self::all().iter().find(|route| route.name == name)
    }

    /// Codes that follow from how the route is called: each must be provoked at this route.
    pub(crate) fn codes(&self) -> Vec<RefusalCode> {
        use RefusalCode as C;
        let mut codes = vec![C::UnknownParty, C::BadIdentity, C::PartySuspended, C::HeadersTooLarge, C::MethodNotAllowed, C::NotAcceptable];
        if self.security != Security::Open {
            codes.extend([C::ActorMissing, C::ActorInvalid, C::ActorBinding, C::ActorReplayed, C::PurposeNotAllowed]);
        }
        if self.body.is_some() {
            codes.extend([C::BadMediaType, C::LengthRequired, C::TooLarge]);
        }
        if self.has_query {
            codes.push(C::BadRequest);
        }
        if !self.names.is_empty() {
            codes.push(C::NotFound);
        }
        codes
    }
}

fn read() -> Vec<Route> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/openapi.json");
    let document: &'static Value = Box::leak(Box::new(serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()));
    let mut routes = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let security: Vec<bool> = operation["security"].as_array().unwrap().iter().map(|way| way.get("actor").is_some()).collect();
            let name: &'static str = Box::leak(format!("{} {path}", method.to_uppercase()).into_boxed_str());
            let parameters = operation["parameters"].as_array().map_or(&[] as &[Value], Vec::as_slice);
            routes.push(Route {
                name,
                method: name.split(' ').next().unwrap(),
                path,
                operation: operation["operationId"].as_str().unwrap(),
                security: match security.as_slice() {
                    [false] => Security::Open,
                    [true] => Security::Actor,
                    _ => Security::Both,
                },
                body: operation["requestBody"]["content"].as_object().map(|content| content.keys().next().unwrap().as_str()),
                has_query: parameters.iter().any(|parameter| parameter["in"] == "query"),
                names: parameters.iter().filter(|p| p["in"] == "path").map(|p| p["name"].as_str().unwrap()).collect(),
            });
        }
    }
    assert!(routes.len() > 20, "the document was not understood");
    routes
}
