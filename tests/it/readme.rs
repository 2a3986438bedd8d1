//! The README says what is so: its tables are compared with the program, its commands are run as they stand, in both languages.

use std::{
    collections::BTreeSet,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use serde_json::Value;
use tsunagi::domain::refusal::RefusalCode;

const BINARY: &str = env!("CARGO_BIN_EXE_tsunagi");

fn file(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

fn readmes() -> [(&'static str, String); 2] {
    ["README.md", "README.ja.md"].map(|name| (name, file(name)))
}

/// The lines of each `sh` block.
fn blocks(text: &str) -> Vec<Vec<&str>> {
    text.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap().lines().collect()).collect()
}

/// What stands between backticks.
fn marked(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The rows of the table that follows the `number`th heading of the second level, one text per cell.
fn table(text: &str, number: usize) -> Vec<Vec<&str>> {
    let section = text.split("\n## ").nth(number).unwrap();
    let rows = section.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

const SANDBOX: usize = 5;
const CONFIGURATION: usize = 8;
const ENDPOINTS: usize = 9;
const ERRORS: usize = 10;
const LAYOUT: usize = 11;

#[test]
fn both_languages_have_the_same_sections_commands_and_names() {
    let [(_, en), (_, ja)] = readmes();
    assert_eq!(blocks(&en), blocks(&ja));
    assert_eq!(en.matches("\n## ").count(), ja.matches("\n## ").count());
    for number in 1..en.split("\n## ").count() {
        let names = |text: &str| -> Vec<Vec<String>> {
            table(text, number).iter().map(|row| marked(row[0]).into_iter().map(str::to_owned).collect()).collect()
        };
        assert_eq!(names(&en), names(&ja), "table of section {number}");
    }
}

#[test]
fn every_link_leads_to_a_file() {
    for (name, text) in readmes() {
        for target in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            let known = target.starts_with("https://") || Path::new(env!("CARGO_MANIFEST_DIR")).join(target).exists();
            assert!(known, "{name}: {target}");
        }
        for row in table(&text, LAYOUT) {
            assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(marked(row[0])[0]).exists(), "{name}: {row:?}");
        }
    }
}

#[test]
fn the_configuration_is_listed_option_by_option() {
    let source = file("src/config.rs") + &file("src/config/database.rs") + &file("src/config/witnesses.rs");
    let mut options = BTreeSet::new();
    for (room, prefix) in [
        ("Config", ""),
        ("Tls", "tls."),
        ("Keys", "keys."),
        ("Database", "database."),
        ("Ledger", "ledger."),
        ("Admin", "admin."),
        ("Limits", "limits."),
        ("Log", "log."),
        ("Checkpoints", "checkpoints."),
        ("Witness", "witness."),
    ] {
        let body = source.split_once(&format!("pub struct {room} {{")).unwrap().1.split("\n}").next().unwrap();
        let fields = body.lines().filter_map(|line| line.trim().strip_prefix("pub ")?.split(':').next());
        options.extend(fields.map(|field| format!("{prefix}{field}")));
    }
    for table in ["tls", "keys", "database", "ledger", "checkpoints", "witness", "admin", "limits", "log"] {
        options.remove(table);
    }
    for (name, text) in readmes() {
        let listed: BTreeSet<String> = table(&text, CONFIGURATION).iter().flat_map(|row| marked(row[0])).map(str::to_owned).collect();
        assert_eq!(listed, options, "{name}");
        let is_default = |row: &Vec<&str>, number: &str| {
            let (_, told) = row[1].rsplit_once(if name == "README.md" { "Default " } else { "既定 " }).unwrap();
            told.trim_end_matches(['.', '。', ' ']) == number
        };
        let limits = source.split_once("impl Default for Limits {").unwrap().1.split("\n}").next().unwrap();
        let mut compared = 0;
        for (option, number) in limits.lines().filter_map(|line| line.trim().strip_suffix("),")?.split_once(": at_least_one(")) {
            let rows = table(&text, CONFIGURATION);
            let row = rows.iter().find(|row| marked(row[0]).contains(&format!("limits.{option}").as_str())).unwrap();
            assert!(is_default(row, number), "{name}: limits.{option} is {number}");
            compared += 1;
        }
        assert_eq!(compared, 8, "{name}");
    }
}

#[test]
fn the_endpoints_and_the_codes_are_all_there() {
    let document: Value = serde_json::from_str(&file("src/http/openapi.json")).unwrap();
    let paths = document["paths"].as_object().unwrap().iter();
    let served: BTreeSet<String> = paths
        .flat_map(|(path, methods)| methods.as_object().unwrap().keys().map(move |m| format!("{} {path}", m.to_uppercase())))
        .collect();
    for (name, text) in readmes() {
        let listed: Vec<String> = table(&text, ENDPOINTS).iter().flat_map(|row| marked(row[0])).map(str::to_owned).collect();
        assert_eq!(listed.iter().cloned().collect::<BTreeSet<_>>(), served, "{name}");
        assert_eq!(listed.len(), served.len(), "{name}: each once");
        let mut codes = Vec::new();
        for row in table(&text, ERRORS) {
            let status: Vec<u16> = row[0].split(", ").map(|status| status.parse().unwrap()).collect();
            for code in marked(row[1]).into_iter().filter(|code| *code != "Retry-After") {
                let code: RefusalCode = code.parse().unwrap();
                assert!(status.contains(&code.status()), "{name}: {code}");
                codes.push(code);
            }
        }
        assert!(codes.iter().eq(RefusalCode::ALL) || BTreeSet::from_iter(&codes) == RefusalCode::ALL.iter().collect(), "{name}: {codes:?}");
    }
}

/// A gateway that ends with the test.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The walk through a sandbox and the verification, line by line as printed; only the folder and the port are others.
#[test]
fn the_walk_through_a_sandbox_is_true() {
    let [(_, text), _] = readmes();
    let home = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut here = PathBuf::from(home.path());
    let mut served = None;
    let mut said = Vec::new();
    let walk = blocks(&text);
    for line in walk.iter().skip(1).flatten() {
        let line = line.replace("8443", &port.to_string());
        let tool = line.split(' ').next().unwrap();
        match tool {
            "cargo" | "export" => continue,
            "cd" => {
                here = home.path().join(line.trim_start_matches("cd ").trim_start_matches("~/"));
                assert!(here.is_dir(), "{line}");
                continue;
            }
            "curl" | "python3" if !exists(tool) => {
                eprintln!("skipped: {tool} is not installed");
                if tool == "python3" {
                    return;
                }
                continue;
            }
            _ => {}
        }
        let mut shell = Command::new("bash");
        shell.arg("-c").current_dir(&here).env("HOME", home.path()).env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
        shell.env("PATH", format!("{}:{}", Path::new(BINARY).parent().unwrap().display(), std::env::var("PATH").unwrap()));
        if line.starts_with("tsunagi serve") {
            let child = shell.arg(format!("exec {line}")).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            served = Some(Served(child));
            wait_for(port);
        } else {
            let output = shell.arg(&line).output().unwrap();
            assert!(output.status.success(), "{line}: {output:?}");
            said.push((line, output));
        }
    }
    assert!(served.is_some());
    let told = |start: &str, end: &str| -> Option<String> {
        let text = |output: &Output| String::from_utf8(output.stdout.clone()).unwrap();
        said.iter().find(|(line, _)| line.starts_with(start) && line.ends_with(end)).map(|(_, output)| text(output))
    };
    if let Some(cases) = told("curl", "/v1/cases") {
        assert!(told("curl", "/v1/parties").unwrap().contains("municipality:131016-1"));
        let problem: Value = serde_json::from_str(&cases).unwrap();
        assert_eq!((&problem["status"], &problem["code"]), (&401.into(), &"actor_missing".into()));
        let events = told("tsunagi audit events", "").unwrap();
        let last = events.lines().rfind(|line| [" permitted ", " refused "].iter().any(|word| line.contains(word)));
        assert!(last.is_some_and(|line| line.contains("actor_missing")), "the refusal is the last entry: {events}");
    }
    assert!(told("tsunagi audit verify", "").unwrap().contains("verifies"));
    for row in table(&text, SANDBOX) {
        for path in marked(row[0]).into_iter().filter(|path| !path.contains('<')) {
            assert!(home.path().join("tsunagi-sandbox").join(path).exists(), "{path}");
        }
    }
    for path in ["identity.toml", "tls.pem", "tls.key", "signing.jwk", "encryption.jwk", "ca.pem", "gateway-keys.json"] {
        assert!(home.path().join("tsunagi-sandbox/parties/municipality-131016-1").join(path).exists(), "{path}");
        assert!(text.contains(&format!("`{path}`")), "{path}");
    }
}

fn exists(tool: &str) -> bool {
    Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

fn wait_for(port: u16) {
    for _ in 0..200 {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("the gateway does not answer");
}
