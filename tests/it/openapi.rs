//! The published OpenAPI document says what the listener does: routes, media types, query names, actor tokens and codes are read out of
//! `src/http` and compared.

use std::{collections::BTreeSet, path::Path};

use serde_json::Value;
use tsunagi::domain::{entry::Operation, refusal::RefusalCode};

fn document() -> Value {
    serde_json::from_str(&source("openapi.json")).unwrap()
}

fn source(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http").join(name)).unwrap()
}

/// One method of one route, and the code that answers it.
struct Handler {
    path: String,
    method: String,
    code: String,
}

impl Handler {
    /// Every literal that directly follows `before`.
    fn after(&self, before: &str) -> BTreeSet<String> {
        let follows = |rest: &str| rest.trim_start().strip_prefix('"')?.split('"').next().map(str::to_owned);
        self.code.split(before).skip(1).filter_map(follows).collect()
    }

    /// What follows the operation in a call of `function`.
    fn media(&self, function: &str) -> BTreeSet<String> {
        let text: String = self.code.split_whitespace().collect();
        let follows = |rest: &str| Some(rest.split_once("Operation::")?.1.split_once(",\"")?.1.split('"').next()?.to_owned());
        text.split(function).skip(1).filter_map(follows).collect()
    }

    fn operation(&self) -> Option<&'static str> {
        let name: String = self.code.split_once("Operation::")?.1.chars().take_while(|c| c.is_alphanumeric()).collect();
        Operation::ALL.iter().find(|operation| format!("{operation:?}") == name).map(|operation| operation.as_str())
    }

    fn query(&self) -> BTreeSet<String> {
        let Some((_, rest)) = self.code.split_once(".values(&[") else { return BTreeSet::new() };
        rest.split_once(']').unwrap().0.split('"').skip(1).step_by(2).map(str::to_owned).collect()
    }
}

/// The routes of the public listener, from the text of its router.
fn handlers() -> Vec<Handler> {
    let text = source("mod.rs");
    let mut found = Vec::new();
    for route in text.split(".route(\"").skip(1) {
        let (path, methods) = route.split_once("\", ").unwrap();
        let methods = methods.split('\n').next().unwrap();
        for method in ["get", "post", "put", "delete", "patch"] {
            let Some((_, call)) = methods.split_once(&format!("{method}(")) else { continue };
            let (module, function) = call.split(')').next().unwrap().split_once("::").unwrap();
            let file = source(&format!("{module}.rs"));
            let (_, code) = file.split_once(&format!("async fn {function}(")).unwrap();
            let code = code.split("\n}\n").next().unwrap().to_owned();
            found.push(Handler { path: path.replace("{*", "{"), method: method.to_owned(), code });
        }
    }
    assert!(found.len() > 20, "the router was not understood");
    found
}

fn keys(value: &Value) -> BTreeSet<String> {
    value.as_object().map(|members| members.keys().cloned().collect()).unwrap_or_default()
}

fn named(value: &Value, place: &str) -> BTreeSet<String> {
    let parameters = value["parameters"].as_array().cloned().unwrap_or_default();
    parameters.iter().filter(|p| p["in"] == place).map(|p| p["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_document_has_exactly_the_routes_of_the_listener() {
    let document = document();
    let served: BTreeSet<String> = handlers().iter().map(|h| format!("{} {}", h.method, h.path)).collect();
    let paths = document["paths"].as_object().unwrap();
    let written = paths.iter().flat_map(|(path, methods)| keys(methods).into_iter().map(move |method| format!("{method} {path}")));
    assert_eq!(written.collect::<BTreeSet<_>>(), served);
}

#[test]
fn each_operation_says_what_its_handler_takes_and_gives() {
    let document = document();
    let mut ids = BTreeSet::new();
    for handler in handlers() {
        let name = format!("{} {}", handler.method, handler.path);
        let operation = &document["paths"][&handler.path][&handler.method];
        assert!(operation["summary"].is_string(), "{name}");
        assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{name}: an operationId is unique");
        if let Some(code) = handler.operation() {
            assert_eq!(operation["operationId"], code, "{name}: recorded under another name");
        }
        assert_eq!(keys(&operation["requestBody"]["content"]), handler.media("call_with_body("), "{name}: request");
        let status = if handler.code.contains("StatusCode::CREATED") { "201" } else { "200" };
        assert_eq!(keys(&operation["responses"]), [status, "4XX", "5XX"].map(str::to_owned).into(), "{name}: statuses");
        let recorded = handler.media(".recorded(");
        let open: BTreeSet<String> = handler.after(".open(");
        assert!(!recorded.is_empty() || !open.is_empty(), "{name}: neither recorded nor open");
        let produced: BTreeSet<String> = recorded.union(&open).cloned().collect();
        assert_eq!(keys(&operation["responses"][status]["content"]), produced, "{name}: response");
        assert_eq!(named(operation, "query"), handler.query(), "{name}: query");
        let in_path = handler.path.split(['{', '}']).skip(1).step_by(2).map(str::to_owned).collect();
        assert_eq!(named(operation, "path"), in_path, "{name}: path");
        let security: Vec<_> = operation["security"].as_array().unwrap().iter().map(keys).collect();
        let expected = [(!open.is_empty(), vec!["mutualTLS"]), (!recorded.is_empty(), vec!["actor", "mutualTLS"])];
        let expected = expected.into_iter().filter(|(applies, _)| *applies);
        let expected: Vec<BTreeSet<String>> = expected.map(|(_, names)| names.into_iter().map(str::to_owned).collect()).collect();
        assert_eq!(security, expected, "{name}: who may ask");
    }
}

#[test]
fn every_problem_code_is_listed_with_the_one_for_our_own_failures() {
    let document = document();
    let listed = document["components"]["schemas"]["ProblemCode"]["enum"].as_array().unwrap().iter().map(|code| code.as_str().unwrap());
    let codes = RefusalCode::ALL.iter().map(|code| code.as_str()).chain(["internal"]);
    assert!(listed.eq(codes));
}

#[test]
fn every_reference_leads_somewhere_and_nothing_is_left_over() {
    fn walk(value: &Value, into: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                into.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
                members.values().for_each(|value| walk(value, into));
            }
            Value::Array(items) => items.iter().for_each(|value| walk(value, into)),
            _ => {}
        }
    }
    let document = document();
    let mut referred = BTreeSet::new();
    walk(&document, &mut referred);
    for reference in &referred {
        assert!(document.pointer(reference.strip_prefix('#').unwrap()).is_some(), "{reference}");
    }
    for part in ["schemas", "responses"] {
        for name in keys(&document["components"][part]) {
            assert!(referred.contains(&format!("#/components/{part}/{name}")), "{part}/{name} is used by nothing");
        }
    }
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        assert!(jsonschema::meta::is_valid(schema), "{name} is no JSON Schema");
    }
}

#[test]
fn the_document_is_of_this_version_and_asks_for_certificate_and_actor() {
    let document = document();
    assert_eq!((&document["openapi"], &document["info"]["version"]), (&"3.1.0".into(), &env!("CARGO_PKG_VERSION").into()));
    let schemes = &document["components"]["securitySchemes"];
    assert_eq!(schemes["mutualTLS"]["type"], "mutualTLS");
    assert_eq!((&schemes["actor"]["in"], &schemes["actor"]["name"]), (&"header".into(), &"Tsunagi-Actor".into()));
}
