//! A gateway with a witness, as its operator and its auditor see it.

use std::{fs, process::Command, time::Duration};

use tokio::time::{sleep, timeout};
use tsunagi::{domain::codes::Purpose, tlog::Quorum};

use crate::{
    exchange_stage::{AUDITOR, BINARY, SOON, Sandbox, Settings, party::Party, process::Server},
    witness_stage::{Manner, WitnessServer},
};

pub(crate) fn sandbox_with(witness: &WitnessServer, more: &str) -> Sandbox {
    let sandbox = Sandbox::new(Settings::default());
    let config = fs::read_to_string(sandbox.config()).unwrap();
    let (vkey, url) = (witness.vkey(), &witness.url);
    let config = format!("{config}\n[checkpoints]\ninterval_seconds = 1\n{more}\n[[witness]]\nvkey = \"{vkey}\"\nurl = \"{url}\"\n");
    fs::write(sandbox.config(), config).unwrap();
    sandbox
}

pub(crate) async fn note(party: &Party, target: &str) -> String {
    let answer = party.open_data(target).await.unwrap_or_else(|setback| panic!("{}", setback.problem().text));
    String::from_utf8(answer.body.to_vec()).unwrap()
}

/// Waits until readiness says this.
pub(crate) async fn says(server: &Server, status: u16, words: &str) -> String {
    let wait = async {
        loop {
            match server.admin("/readyz").await {
                Some((found, body)) if found == status && body.contains(words) => return body,
                _ => sleep(Duration::from_millis(50)).await,
            }
        }
    };
    timeout(SOON, wait).await.unwrap_or_else(|_| panic!("readiness never said {status} {words}"))
}

fn code(words: &[&str]) -> i32 {
    let output = Command::new(BINARY).args(["--lang", "en"]).args(words).env_remove("TSUNAGI_IDENTITY").output().unwrap();
    output.status.code().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_are_cosigned_shown_exported_and_verified_and_a_dispute_stops_the_gateway() {
    let witness = WitnessServer::start("witness.example/w", 41).await;
    let sandbox = sandbox_with(&witness, "");
    let server = sandbox.serve().await;
    let auditor = sandbox.party(AUDITOR);
    let log = auditor_key(&sandbox);
    let quorum = Quorum::new(vec![witness.key()], 1).unwrap();

    let first = quorum.open(&note(&auditor, "/v1/ledger/checkpoint/cosigned").await, &log).unwrap();
    assert!(first.size() > 0 && first.size() == witness.size(), "it was asked before anything was served");
    auditor.json("/v1/audit/events?limit=1", Purpose::AuditReview).await.unwrap();
    let wanted = first.size() + 1;
    says(&server, 200, &format!("ready\nwitnesses_in_time: cosigned {wanted}\n")).await;
    let newest = note(&auditor, "/v1/ledger/checkpoint").await;
    assert_eq!(quorum.open(&newest, &log).unwrap().size(), wanted, "the newest head carries its cosignatures when it has them");
    let metrics = server.admin("/metrics").await.unwrap().1;
    assert!(metrics.contains(&format!("tsunagi_cosigned_size {wanted}\n")) && metrics.contains("tsunagi_ledger_disputed 0\n"), "{metrics}");

    let (folder, identity) = (sandbox.path().join("export"), sandbox.identity(&AUDITOR.parse().unwrap()));
    let (folder, identity) = (folder.to_str().unwrap(), identity.to_str().unwrap());
    assert_eq!(code(&["audit", "export", "--as", identity, folder]), 0);
    let (log, vkey) = (log.to_string(), witness.vkey());
    let verify = |more: &[&str]| code(&[&["audit", "verify", folder, "--vkey", &log], more].concat());
    assert_eq!(verify(&["--witness", &vkey]), 0);
    assert_eq!(verify(&["--witness", &vkey, "--quorum", "1"]), 0);
    let stranger = crate::witness_stage::cosigner("stranger.example/w", 42).to_string();
    assert_eq!(verify(&["--witness", &vkey, "--witness", &stranger]), 3);
    assert_eq!(verify(&["--witness", &vkey, "--witness", &stranger, "--quorum", "1"]), 0);
    assert_eq!(verify(&["--witness", &vkey, "--quorum", "2"]), 2);
    assert_eq!(verify(&["--witness", &vkey, "--witness", &vkey]), 2);
    assert_eq!(verify(&["--witness", &log]), 2);

    let check = |words: &str| {
        let output = Command::new(BINARY).args(["--lang", "en", "check", "-c"]).arg(sandbox.config()).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains(words), "{said}");
        output.status.code().unwrap()
    };
    assert_eq!(check("witnesses: 1 of 1 must cosign; while they are away the gateway goes on"), 0);

    // The witness knows more than is stored here: whatever the reason, somebody must look at it.
    // It is away while the request is answered, which a dispute that comes first would refuse.
    witness.behave(Manner::Status(503));
    auditor.json("/v1/audit/events?limit=1", Purpose::AuditReview).await.unwrap();
    witness.behave(Manner::Names(1_000_000));
    let body = says(&server, 503, "ledger_unavailable\nrolled_back 1000000 ").await;
    assert!(body.contains("witnesses_in_time: cosigned "), "{body}");
    let problem = auditor.json("/v1/audit/events?limit=1", Purpose::AuditReview).await.unwrap_err().problem();
    assert_eq!((problem.status, problem.code.as_str()), (503, "ledger_unavailable"));
    for open in ["/v1/ledger/checkpoint", "/v1/ledger/checkpoint/cosigned", "/v1/parties"] {
        assert_eq!(auditor.open_data(open).await.unwrap_err().code(), "ledger_unavailable", "{open}");
    }
    assert!(server.admin("/metrics").await.unwrap().1.contains("tsunagi_ledger_disputed 1\n"));
    assert_eq!(check("witness.example/w holds another ledger: rolled_back 1000000 "), 3);
    server.stop().await;
    let said = sandbox.refuses_to_serve().await;
    assert!(said.contains("older than a head that was signed"), "{said}");
    let log = fs::read_to_string(sandbox.log()).unwrap();
    assert!(log.contains("ERROR") && log.contains("in dispute"), "{log}");
    // An operator who knows that the witness is wrong takes it out.
    let config = fs::read_to_string(sandbox.config()).unwrap();
    fs::write(sandbox.config(), config.split("[[witness]]").next().unwrap()).unwrap();
    let server = sandbox.serve().await;
    auditor.json("/v1/audit/events?limit=1", Purpose::AuditReview).await.unwrap();
    assert_eq!(auditor.open_data("/v1/ledger/checkpoint/cosigned").await.unwrap_err().code(), "not_found");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_starts_without_its_witness_and_a_wrong_witness_is_named() {
    let witness = WitnessServer::start("witness.example/w", 41).await;
    let sandbox = sandbox_with(&witness, "");
    witness.behave(Manner::Status(503));
    let server = sandbox.serve().await;
    says(&server, 200, "witnesses_in_time: cosigned 0, not cosigned since 20").await;
    witness.behave(Manner::Honest);
    says(&server, 200, "ready\nwitnesses_in_time: cosigned").await;
    server.stop().await;
    let config = fs::read_to_string(sandbox.config()).unwrap();
    fs::write(sandbox.config(), config.replace(&witness.vkey(), "witness.example/w+00000000+AAAA")).unwrap();
    let said = sandbox.refuses_to_serve().await;
    assert!(said.contains(&witness.url) && said.contains("not a cosigner key") && said.contains("[[witness]]"), "{said}");
}

pub(crate) fn auditor_key(sandbox: &Sandbox) -> tsunagi::tlog::VerifierKey {
    let pinned = fs::read(sandbox.identity(&AUDITOR.parse().unwrap()).join("gateway-keys.json")).unwrap();
    let pinned: serde_json::Value = serde_json::from_slice(&pinned).unwrap();
    pinned["ledger"]["vkey"].as_str().unwrap().parse().unwrap()
}
