//! What `certs-example/README.md` tells an administrator to type makes certificates that the gateway accepts.

use std::{fs, path::Path, process::Command, sync::Arc};

use tsunagi::{
    clock::{Clock as _, SystemClock},
    tls::{
        TlsState,
        client::{ClientError, Connector},
    },
};

use crate::tls_stage::{CENTRE, PATIENT, Stage, get, options, text};

#[tokio::test]
async fn the_commands_of_the_readme_make_what_the_gateway_accepts() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("certs-example/README.md")).unwrap();
    let commands = page.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let revoke = page.split('`').find(|code| code.ends_with("-revoke client.pem")).unwrap();
    let list = commands.lines().find(|line| line.contains("-gencrl")).unwrap();
    if Command::new("openssl").arg("version").output().is_err() {
        eprintln!("skipped: there is no openssl command on this machine");
        return;
    }
    // The names in the page are those of the stage, so the commands replace what it started with.
    let stage = Stage::open(options(PATIENT)).await;
    let run = |script: &str| {
        let output = Command::new("sh").args(["-e", "-c", script]).current_dir(stage.files.folder.path()).output().unwrap();
        assert!(output.status.success(), "{script}\n{}", String::from_utf8_lossy(&output.stderr));
    };
    run(commands);
    stage.clock.set(SystemClock.now());
    TlsState::load(&stage.files.config(), false, Arc::new(SystemClock)).unwrap();
    stage.tls.reload().unwrap();
    let [ca, cert, key] = ["ca.pem", "client.pem", "client.key"].map(|name| fs::read(stage.files.path(name)).unwrap());
    let client = stage.https(Connector::new(&ca, &cert, &key).unwrap());
    assert_eq!(text(&get(&client, "/").await.unwrap()), CENTRE);

    run(&format!("{revoke}\n{list}"));
    stage.tls.reload().unwrap();
    stage.seen.open(0).await;
    assert!(matches!(get(&client, "/").await, Err(ClientError::Refused(alert)) if alert == "CertificateRevoked"));
}
