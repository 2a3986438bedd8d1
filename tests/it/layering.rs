//! The house rules no compiler checks: which room may name which, which crate is named where, how long a file may be, what may not stand
//! in the code. Reads `src/`, unit tests excepted, because they may stand on anything.

use std::path::Path;

/// Room, and the rooms it may name. `lib.rs` and `main.rs` stand outside. Whoever adds an arrow here changes the shape of the house.
const ARROWS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("tlog", &[]),
    ("text", &["domain"]),
    ("clock", &["domain"]),
    ("config", &[]),
    ("store", &["domain"]),
    ("message", &["domain"]),
    ("policy", &["domain", "text"]),
    ("form", &["domain", "message", "policy", "text"]),
    ("decision", &["domain", "policy", "text"]),
    ("vault", &["store"]),
    ("ledger", &["clock", "domain", "store", "text", "tlog"]),
    ("gateway", &["clock", "decision", "domain", "ledger", "message", "policy", "store", "text", "tlog", "vault"]),
    ("tls", &["clock", "config", "domain"]),
    ("telemetry", &["config", "domain", "tls"]),
    ("http", &["clock", "domain", "gateway", "telemetry", "text", "tlog", "tls"]),
    ("witness", &["clock", "domain", "ledger", "store", "tlog", "tls"]),
    ("client", &["clock", "config", "domain", "message", "text", "tlog", "tls"]),
    ("startup", ANY),
    ("cli", ANY),
];

/// Rooms that know everything, and that nobody may know.
const ANY: &[&str] = &["*"];

/// A crate, and where alone it may be named: a room, or one file of it.
const FENCES: &[(&str, &[&str])] = &[
    ("rustls", &["tls/"]),
    ("tokio_rustls", &["tls/"]),
    ("x509_parser", &["tls/"]),
    ("rcgen", &["tls/"]),
    ("sqlx", &["store/"]),
    ("josekit", &["message/envelope.rs"]),
    ("openssl", &[]),
    ("jsonwebtoken", &["message/"]),
    ("jsonschema", &["message/"]),
    ("cedar_policy", &["policy/"]),
    ("axum", &["http/", "startup.rs"]),
    ("clap", &["cli/"]),
    ("prometheus_client", &["telemetry.rs"]),
];

/// What a room of pure functions does without.
const IMPURE: &[&str] = &["tokio", "tracing", "async_trait", "SystemTime", "Instant"];
const PURE: &[&str] = &["domain", "decision", "policy", "message", "form", "tlog", "text"];

const FORBIDDEN_WORDS: &[&str] = &["AssertSqlSafe", "unsafe"];
const FORBIDDEN_MACROS: &[&str] = &["todo", "unimplemented", "dbg"];
const FORBIDDEN_NAMES: &[&str] = &["utils", "util", "helpers", "helper", "common", "manager", "service", "misc"];
const MOST_LINES: usize = 500;

#[test]
fn the_house_stands_as_drawn() {
    let found: Vec<String> = files().iter().flat_map(|(path, text)| findings(path, text)).collect();
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn every_room_is_drawn_and_every_arrow_is_used() {
    let files = files();
    let mut idle = Vec::new();
    for (room, may) in ARROWS {
        let own: Vec<_> = files.iter().filter(|(path, _)| room_of(path) == *room).collect();
        if own.is_empty() {
            continue;
        }
        let used: Vec<String> = own.iter().flat_map(|(path, text)| arrows(path, &tokens(text)).into_iter().map(|(to, _)| to)).collect();
        idle.extend(may.iter().filter(|to| **to != "*" && !used.iter().any(|u| u == *to)).map(|to| format!("{room} -> {to}")));
    }
    let undrawn = files.iter().filter(|(path, _)| !is_root(path) && !ARROWS.iter().any(|(room, _)| *room == room_of(path)));
    let undrawn: Vec<_> = undrawn.map(|(path, _)| path).collect();
    assert!(undrawn.is_empty(), "no row for {undrawn:?}");
    assert!(idle.is_empty(), "an arrow that nothing uses is an open door: {idle:?}");
}

#[test]
fn each_planted_violation_is_found() {
    for (path, text, expected) in [
        ("domain/case.rs", "use crate::store::Row;", "domain/case.rs:1: domain -> store"),
        ("domain/case.rs", "use crate::{\n  domain::ids,\n  gateway::{Call, record},\n};", "domain/case.rs:3: domain -> gateway"),
        ("domain/case.rs", "use super::{ids};\nuse super::super::http;", "domain/case.rs:2: domain -> http"),
        ("domain/mod.rs", "fn f() { super::ledger::open() }", "domain/mod.rs:1: domain -> ledger"),
        ("store/read/cases.rs", "use super::super::super::vault::Vault;", "store -> vault"),
        ("store/read/cases.rs", "mod inner { use super::super::super::super::vault::Vault; }", "store -> vault"),
        ("clock.rs", "use super::tls;", "clock -> tls"),
        ("tls/peer.rs", "fn f() -> crate::gateway::Caller { loop {} }", "tls -> gateway"),
        ("tlog/hash.rs", "pub use crate::domain::digest;", "tlog -> domain"),
        ("message/jws.rs", "use crate::*;", "message -> *"),
        ("message/jws.rs", "use crate::{self as all};", "message -> self"),
        ("message/jws.rs", "#[serde(with = \"crate::store::decode\")] x: u8,", "message -> store"),
        ("gateway/submit.rs", "use crate::cli::Voice;", "gateway -> cli"),
        ("gateway/submit.rs", "// x\nuse r#crate::a; use tsunagi::startup::Parts;", "gateway/submit.rs:2: gateway -> startup"),
        ("attic/mod.rs", "", "attic: a room that is not drawn"),
        ("message/jws.rs", "use josekit::jwe;", "josekit belongs in [\"message/envelope.rs\"]"),
        ("gateway/mod.rs", "fn f(e: sqlx::Error) {}", "sqlx belongs in"),
        ("client/mod.rs", "use tokio_rustls::TlsConnector;", "tokio_rustls belongs in"),
        ("cli/init.rs", "let key = rcgen::KeyPair::generate();", "rcgen belongs in"),
        ("decision/read.rs", "use cedar_policy::Policy;", "cedar_policy belongs in"),
        ("domain/time.rs", "std::time::SystemTime::now()", "SystemTime in a room of pure functions"),
        ("store/sql.rs", "sqlx::query(AssertSqlSafe(text))", "the word AssertSqlSafe"),
        ("store/sql.rs", "fn f() { todo!() }", "the macro todo!"),
        ("store/sql.rs", "fn f() { unimplemented !(\"x\") }", "the macro unimplemented!"),
        ("store/sql.rs", "/* a /* b */ */ // later: TODO", "TODO"),
        ("store/utils.rs", "", "a module named utils"),
        ("store/service/mod.rs", "", "a module named service"),
        ("store/mod.rs", "mod helpers;", "a module named helpers"),
    ] {
        let found = findings(path, text);
        assert!(found.iter().any(|finding| finding.contains(expected)), "{path}: {text}\nexpected {expected}, found {found:?}");
    }
    let long = "\n".repeat(501);
    assert_eq!(findings("store/sql.rs", &long), ["store/sql.rs: 501 lines, more than 500 without unit tests"]);
}

#[test]
fn what_is_allowed_is_not_found() {
    let tests = format!("#[cfg(test)]\nmod tests {{\n use crate::cli::Voice;\n fn f() {{ '}}'; \"}}\"; }} {}\n}}\n", "\n".repeat(600));
    for (path, text) in [
        ("domain/case.rs", "use super::ids::Jti; use crate::domain::party; pub(crate) fn f() {}"),
        ("domain/codes.rs", "macro_rules! m { () => { $crate::domain::codes::X } }"),
        (
            "domain/case.rs",
            "//! [`crate::tls::Peer`] sqlx todo!()\nconst A: &str = \"crate and sqlx\"; const B: char = '\"'; fn f<'a>(x: &'a str) {}",
        ),
        ("domain/case.rs", "const A: &str = r#\"use crate :: store \" AssertSqlSafe\"#; const B: &[u8] = b\"\\\"sqlx::\";"),
        ("store/read/cases.rs", "use super::super::rows::CaseRow; mod inner { use super::super::super::rows; }"),
        ("store/sql.rs", &tests),
        ("startup.rs", "use crate::{cli, gateway, tls};"),
        ("message/envelope.rs", "use josekit::jwe;"),
        ("http/reply.rs", "use http::StatusCode; use crate::{gateway::{self, Release}, text::Lang};"),
    ] {
        assert_eq!(findings(path, text), Vec::<String>::new(), "{path}: {text}");
    }
}

fn files() -> Vec<(String, String)> {
    fn walk(dir: &Path, root: &Path, into: &mut Vec<(String, String)>) {
        let mut entries: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                walk(&path, root, into);
            } else if path.extension().is_some_and(|x| x == "rs") {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                into.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    walk(&root, &root, &mut found);
    assert!(found.len() > 50, "src/ was not found");
    found
}

/// Everything that is wrong with one file, `path` relative to `src/`.
fn findings(path: &str, text: &str) -> Vec<String> {
    let room = room_of(path);
    let (all, cut) = (tokens(text), test_lines(text));
    let mut found = Vec::new();
    let mut say =
        |line: usize, what: String| found.push(if line == 0 { format!("{path}: {what}") } else { format!("{path}:{line}: {what}") });

    let lines = text.lines().count() - cut;
    if lines > MOST_LINES {
        say(0, format!("{lines} lines, more than {MOST_LINES} without unit tests"));
    }
    let declared = all.windows(2).filter(|pair| pair[0].text == "mod").map(|pair| pair[1].text.as_str());
    for name in path.split(['/', '.']).chain(declared).filter(|name| FORBIDDEN_NAMES.contains(name)) {
        say(0, format!("a module named {name} says nothing about what it holds"));
    }
    for mark in ["TODO", "FIXME", "XXX"] {
        if let Some(at) = text.lines().position(|line| line.contains(mark)) {
            say(at + 1, format!("{mark}: finish it or write an issue"));
        }
    }
    for (at, token) in all.iter().enumerate() {
        let (name, next) = (token.text.as_str(), all.get(at + 1).map_or("", |t| t.text.as_str()));
        if FORBIDDEN_WORDS.contains(&name) {
            say(token.line, format!("the word {name}"));
        }
        if next == "!" && FORBIDDEN_MACROS.contains(&name) {
            say(token.line, format!("the macro {name}!"));
        }
        if PURE.contains(&room) && IMPURE.contains(&name) && !(room == "policy" && name == "tracing") {
            say(token.line, format!("{name} in a room of pure functions"));
        }
        let in_path = at > 0 && all[at - 1].text == "::";
        if let Some((_, places)) = FENCES.iter().find(|(fenced, _)| *fenced == name)
            && (next == "::" || at > 0 && all[at - 1].text == "use")
            && !in_path
            && !places.iter().any(|place| path.starts_with(place))
        {
            say(token.line, format!("{name} belongs in {places:?} and nowhere else"));
        }
    }
    if is_root(path) {
        return found;
    }
    let Some((_, may)) = ARROWS.iter().find(|(name, _)| *name == room) else {
        say(0, format!("{room}: a room that is not drawn"));
        return found;
    };
    for (to, line) in arrows(path, &all) {
        let allowed = to == room || may.contains(&to.as_str()) || *may == ANY && ARROWS.iter().any(|(name, _)| *name == to);
        if !allowed {
            say(line, format!("{room} -> {to} is not drawn"));
        }
    }
    found
}

fn is_root(path: &str) -> bool {
    matches!(path, "lib.rs" | "main.rs")
}

fn room_of(path: &str) -> &str {
    path.split(['/', '.']).next().unwrap()
}

/// The rooms that a file names, by `crate::`, by the crate's own name, or by enough `super::`, with the line.
fn arrows(path: &str, all: &[Token]) -> Vec<(String, usize)> {
    let own_depth = path.trim_end_matches(".rs").trim_end_matches("/mod").split('/').count();
    let mut depths = Vec::new();
    let mut braces = 0;
    let mut found = Vec::new();
    let mut at = 0;
    while at < all.len() {
        let (name, next) = (all[at].text.as_str(), all.get(at + 1).map_or("", |t| t.text.as_str()));
        let mut skip = 1;
        match name {
            "{" => braces += 1,
            "}" => {
                braces -= 1;
                depths.retain(|depth| *depth <= braces);
            }
            "mod" if all.get(at + 2).is_some_and(|t| t.text == "{") => depths.push(braces + 1),
            "crate" | "tsunagi" if next == "::" => found.extend(heads(&all[at + 2..])),
            "super" => {
                let chain =
                    all[at..].chunks(2).take_while(|pair| pair.len() == 2 && pair[0].text == "super" && pair[1].text == "::").count();
                if chain >= own_depth + depths.len() {
                    found.extend(heads(&all[at + 2 * chain..]));
                }
                skip = (2 * chain).max(1);
            }
            _ => {}
        }
        at += skip;
    }
    found
}

/// The first names of a use tree: one, or one for each branch.
fn heads(tree: &[Token]) -> Vec<(String, usize)> {
    let Some(first) = tree.first() else { return Vec::new() };
    if first.text != "{" {
        return vec![(first.text.clone(), first.line)];
    }
    let (mut depth, mut begins, mut found) = (0, true, Vec::new());
    for token in tree {
        match token.text.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            "," if depth == 1 => begins = true,
            _ if depth == 1 && begins => {
                found.push((token.text.clone(), token.line));
                begins = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    found
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Token {
    text: String,
    line: usize,
}

/// Names, `::` and punctuation of a file, without comments, literals and unit tests. A string that holds a path counts as that path.
fn tokens(text: &str) -> Vec<Token> {
    let mut all = lex(text);
    while let Some((from, to)) = test_module(&all) {
        all.drain(from..=to);
    }
    all
}

/// How many lines the unit tests take.
fn test_lines(text: &str) -> usize {
    let mut all = lex(text);
    let mut lines = 0;
    while let Some((from, to)) = test_module(&all) {
        lines += all[to].line - all[from].line + 1;
        all.drain(from..=to);
    }
    lines
}

/// First and last token of a `#[cfg(test)] mod name { ... }`, with the attributes and the visibility between them.
fn test_module(all: &[Token]) -> Option<(usize, usize)> {
    let is = |at: usize, text: &str| all.get(at).is_some_and(|t| t.text == text);
    let matching = |from: usize, open: &str, close: &str| {
        let mut depth = 0;
        (from..all.len()).find(|at| {
            depth += i32::from(is(*at, open)) - i32::from(is(*at, close));
            depth == 0
        })
    };
    let begins = |at: &usize| ["#", "[", "cfg", "(", "test", ")", "]"].iter().enumerate().all(|(n, text)| is(at + n, text));
    (0..all.len()).filter(begins).find_map(|from| {
        let mut at = from + 7;
        while is(at, "#") {
            at = matching(at + 1, "[", "]")? + 1;
        }
        if is(at, "pub") {
            at = if is(at + 1, "(") { matching(at + 1, "(", ")")? + 1 } else { at + 1 };
        }
        (is(at, "mod") && is(at + 2, "{")).then(|| matching(at + 2, "{", "}")).flatten().map(|to| (from, to))
    })
}

fn lex(text: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let (mut rest, mut line) = (text, 1);
    while let Some(c) = rest.chars().next() {
        let length = match c {
            _ if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            _ if rest.starts_with("/*") => block_comment(rest),
            _ if string_length(rest).is_some() => {
                let length = string_length(rest).unwrap_or_default();
                if rest[..length].contains("\"crate::") {
                    let inner = rest[..length].trim_matches('"');
                    found.extend(lex(inner).into_iter().map(|token| Token { line, ..token }));
                }
                length
            }
            '\'' => char_length(rest),
            _ if c.is_alphanumeric() || c == '_' => rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len()),
            _ if rest.starts_with("::") => 2,
            _ => c.len_utf8(),
        };
        let piece = &rest[..length];
        let silent =
            c.is_whitespace() || c == '"' || c == '\'' || piece.starts_with("//") || piece.starts_with("/*") || piece.ends_with('"');
        if !silent && !piece.contains('"') {
            found.push(Token { text: piece.to_owned(), line });
        }
        line += piece.matches('\n').count();
        rest = &rest[length..];
    }
    found
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let tail = &text[at..];
        if tail.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if tail.starts_with("*/") {
            depth -= 1;
            at += 2;
        } else {
            at += tail.chars().next().map_or(1, char::len_utf8);
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// The length of the string literal that the text begins with: plain, byte, C or raw.
fn string_length(text: &str) -> Option<usize> {
    let prefix = text.find(|c: char| !matches!(c, 'b' | 'c' | 'r'))?;
    let after = &text[prefix..];
    if prefix > 0 && text[..prefix].ends_with('r') && after.starts_with(['#', '"']) {
        let hashes = after.find(|c| c != '#')?;
        let body = after[hashes..].strip_prefix('"')?;
        let end = format!("\"{}", "#".repeat(hashes));
        return Some(prefix + hashes + 1 + body.find(&end).map_or(body.len(), |at| at + end.len()));
    }
    let body = (prefix <= 1).then(|| after.strip_prefix('"')).flatten()?;
    let mut escaped = false;
    for (at, c) in body.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(prefix + 1 + at + 1),
            _ => {}
        }
    }
    Some(text.len())
}

/// The length of the character literal that the text begins with, or of the quote of a lifetime.
fn char_length(text: &str) -> usize {
    let mut inside = text.chars().skip(1);
    match (inside.next(), inside.next()) {
        (Some('\\'), Some(escaped)) => {
            let skip = 2 + escaped.len_utf8();
            text[skip..].find('\'').map_or(text.len(), |at| skip + at + 1)
        }
        (Some(c), Some('\'')) => 2 + c.len_utf8(),
        _ => 1,
    }
}
