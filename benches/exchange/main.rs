//! `cargo bench --bench exchange`: consents, referrals of 60 rows and reads, end to end against a gateway in a process of its own on a loopback
//! port, and appends to the ledger inside this process. Beside them what the single operations cost in the same run.
//!
//! Every request is signed and sealed before its run and every status is checked; between the runs whole exchanges are verified as their
//! receivers would, proofs included.
//! Runs for one to two minutes and stops its gateways. `options.rs` says what may be asked for.

#[path = "../floor/mod.rs"]
mod floor;
#[path = "../measure/mod.rs"]
mod measure;

mod appends;
mod late;
mod load;
mod options;
mod party;
mod sandbox;
mod steady;

use std::{
    io::{self, Write as _},
    process::ExitCode,
    sync::Arc,
};

use http::StatusCode;
use serde_json::{Value, json};

use late::Pair;
use load::Line;
use measure::{Case, Figure};
use options::Options;
use party::{PURPOSE, Party, Terms};
use sandbox::Sandbox;
use steady::Steady;

fn main() -> ExitCode {
    let options = match Options::from_arguments() {
        Ok(options) => options,
        Err(reason) => {
            eprintln!("{reason}");
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let program = options.program.as_deref().unwrap_or(env!("CARGO_BIN_EXE_tsunagi"));
    let (mut lines, steady) = runtime.block_on(exchange(program, &options));
    if options.database.is_none() || options.ledger.is_some() {
        lines.extend(runtime.block_on(appends::measure(options.ledger.as_deref())));
    }
    drop(runtime);
    let floors = [Floor::of("submit", SUBMIT), Floor::of("read", READ), Floor::of("wall", WALL)];
    match print(&lines, steady.as_ref(), &floors, &options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn exchange(program: &str, options: &Options) -> (Vec<Line>, Option<Steady>) {
    let sandbox = Sandbox::start(program, options);
    let (centre, municipality) =
        (Party::load(&sandbox.identity("settlement_center-13-1")), Arc::new(Party::load(&sandbox.identity("municipality-131016-1"))));
    let (terms, server, mut cursor) = (centre.terms().await, sandbox.cpu(), None);
    let lines = |what| -> Vec<Line> { options.clients.iter().map(|clients| Line { what, clients: *clients, runs: Vec::new() }).collect() };
    let (mut consents, mut submits, mut reads) = (lines("consent"), lines("submit"), lines("read"));
    let most = options.clients.iter().max().copied().unwrap_or(1);
    let (senders, readers) = (centre.connections(most, sandbox.ports()), municipality.connections(most, sandbox.ports()));
    let mut cases = Vec::new();
    for _ in 0..options.runs {
        for (at, clients) in options.clients.iter().copied().enumerate() {
            let given: Vec<_> = (0..Options::requests(clients)).map(|_| centre.consent(&municipality)).collect();
            let requests = given.iter().map(|consent| centre.registration(consent)).collect();
            consents[at].runs.push(load::send(&senders[..clients], requests, StatusCode::CREATED, &server).await);

            let requests = given.iter().map(|consent| centre.submission(&terms.referral(&municipality, consent))).collect();
            submits[at].runs.push(load::send(&senders[..clients], requests, StatusCode::CREATED, &server).await);

            cases = municipality.new_cases(&mut cursor).await;
            let requests = cases.iter().map(|case| municipality.reading(*case)).collect();
            reads[at].runs.push(load::send(&readers[..clients], requests, StatusCode::OK, &server).await);
        }
        verify_one(&centre, &municipality, &terms, &mut cursor).await;
    }
    let steady = match options.steady {
        0 => None,
        seconds => Some(steady::read(&municipality, &readers[..most.min(STEADY_CLIENTS)], &cases, seconds, &server).await),
    };
    let mut lines: Vec<Line> = consents.into_iter().chain(submits).chain(reads).collect();
    if options.late > 0 {
        let consent = centre.consent(&municipality);
        centre.client.register_consent(&consent, PURPOSE).await.unwrap();
        let own = centre.client.submit_referral(&terms.referral(&municipality, &consent), PURPOSE).await.unwrap();
        let theirs = municipality.new_cases(&mut cursor).await.pop().unwrap();
        let pair = Pair { sender: (&centre, &senders[0]), reader: (&municipality, &readers[0]), terms: &terms, consent: &consent };
        lines.extend(late::measure(&pair, (own.into_inner().subject.case.unwrap(), theirs), options.late, &server).await);
    }
    (lines, steady)
}

/// Clients of the steady load.
const STEADY_CLIENTS: usize = 64;

/// One more exchange, of which every signature, binding and ledger proof is verified.
async fn verify_one(centre: &Party, municipality: &Party, terms: &Terms, cursor: &mut Option<String>) {
    let consent = centre.consent(municipality);
    centre.client.register_consent(&consent, PURPOSE).await.unwrap();
    centre.client.submit_referral(&terms.referral(municipality, &consent), PURPOSE).await.unwrap();
    let newest = municipality.new_cases(cursor).await.pop().unwrap();
    let read = municipality.client.read_case(&newest, PURPOSE).await.unwrap().into_inner();
    assert_eq!(read.release.disclosed.hidden.con, Some(consent.reference()), "the case just opened");
}

/// The operations that one exchange cannot do without, each as often as it is needed.
struct Floor {
    of: &'static str,
    parts: Vec<(f64, Figure)>,
}

/// Parts of a submission: actor token and message are verified, the receipt is signed.
const SUBMIT: &[(&str, f64)] = &[
    ("wire: POST of 4 KiB over mutual TLS, connection kept", 1.0),
    ("JWE open of 4 KiB: aws-lc-rs, its steps alone", 1.0),
    ("ES256 verify: aws-lc-rs", 2.0),
    ("SD-JWT of 60 rows: split, hash, serde_json, nothing checked", 1.0),
    ("schema of 60 rows: message room", 1.0),
    ("policy decision: remembered", 120.0),
    ("leaf of an entry: canonical JSON (RFC 8785)", 1.0),
    ("store: 64 entries made durable together", 1.0),
    ("ES256 sign: aws-lc-rs", 1.0),
];

/// Parts of a read: the actor token is verified, the key binding signed.
const READ: &[(&str, f64)] = &[
    ("wire: POST of 4 KiB over mutual TLS, connection kept", 1.0),
    ("ES256 verify: aws-lc-rs", 1.0),
    ("SD-JWT of 60 rows: split, hash, serde_json, nothing checked", 1.0),
    ("policy decision: remembered", 61.0),
    ("SD-JWT of 60 rows: message room, present 30", 1.0),
    ("leaf of an entry: canonical JSON (RFC 8785)", 1.0),
    ("store: 64 entries made durable together", 1.0),
    ("ES256 sign: aws-lc-rs", 1.0),
    ("JWE seal of 4 KiB: aws-lc-rs, its steps alone", 1.0),
];

/// What a client waits for at least, beside the CPU time: the disk once, and the wire.
const WALL: &[(&str, f64)] =
    &[("disk: 4 KiB overwritten and fdatasync", 1.0), ("wire: POST of 4 KiB over mutual TLS, connection kept", 1.0)];

impl Floor {
    fn of(of: &'static str, needed: &[(&str, f64)]) -> Self {
        let times = |name: &str| needed.iter().find(|(needed, _)| *needed == name).map(|(_, times)| *times);
        let mut cases: Vec<Case<'_>> = floor::cases().into_iter().filter(|case| times(case.name).is_some()).collect();
        assert_eq!(cases.len(), needed.len(), "every part of {of} is measured");
        let figures = measure::measure(&mut cases);
        Self { of, parts: figures.into_iter().map(|figure| (times(figure.name).unwrap_or_default(), figure)).collect() }
    }

    fn sum(&self) -> f64 {
        self.parts.iter().map(|(times, figure)| times * figure.cpu.median).sum()
    }

    fn to_json(&self) -> Value {
        let parts: Vec<Value> = self.parts.iter().map(|(times, figure)| json!({"times": times, "operation": figure.to_json()})).collect();
        json!({"of": self.of, "sum_us": self.sum().round(), "parts": parts})
    }
}

fn print(lines: &[Line], steady: Option<&Steady>, floors: &[Floor], options: &Options) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if options.json {
        let lines: Vec<Value> = lines.iter().map(Line::to_json).collect();
        let floors: Vec<Value> = floors.iter().map(Floor::to_json).collect();
        let steady = steady.map(Steady::to_json);
        let all = json!({"benchmark": "exchange", "machine": measure::machine(), "lines": lines, "steady": steady, "floors": floors});
        return writeln!(out, "{all}");
    }
    writeln!(out, "{}\n\n{}", measure::heading("exchange", options.runs), load::HEAD)?;
    for line in lines {
        writeln!(out, "{}", line.row())?;
    }
    if let Some(steady) = steady {
        writeln!(out, "\n{}", steady.text())?;
    }
    let (crypto, wall): (Vec<_>, Vec<_>) = floors.iter().partition(|floor| floor.of != "wall");
    for (_, figure) in wall.iter().flat_map(|floor| &floor.parts) {
        writeln!(out, "\n{}: {:.0} us on the wall (median)", figure.name, figure.wall.median)?;
    }
    for floor in crypto {
        writeln!(out, "\nWhat a {} cannot do without, in CPU microseconds (medians):", floor.of)?;
        for (times, figure) in &floor.parts {
            writeln!(out, "  {:<62} {:>5.0} x {:>8.2} = {:>7.1}", figure.name, times, figure.cpu.median, times * figure.cpu.median)?;
        }
        let measured =
            lines.iter().filter(|line| line.what == floor.of).map(|line| format!("{:.0} with {}", line.cpu().median, line.clients));
        writeln!(out, "  floor {:.0}; measured {} clients", floor.sum(), measured.collect::<Vec<_>>().join(", "))?;
    }
    Ok(())
}
