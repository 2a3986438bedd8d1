//! Policies of a sandbox in a folder of their own: changed, read again, put in force.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};

use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::{BINARY, SOON, Sandbox, Settings, process::Server};
use crate::postgres_stage::Database;

/// A sandbox whose gateway reads its policies from a folder of its own.
pub(crate) fn sandbox(settings: Settings) -> Sandbox {
    sandbox_on(settings, None)
}

/// The same on a database of a PostgreSQL server.
pub(crate) fn sandbox_on(settings: Settings, postgres: Option<&Database>) -> Sandbox {
    let sandbox = Sandbox::on(settings, postgres);
    copy_published(&policies(&sandbox));
    let config = fs::read_to_string(sandbox.config()).unwrap();
    fs::write(sandbox.config(), format!("policies = \"policies\"\n{config}")).unwrap();
    sandbox
}

/// The published policies, in another folder.
pub(crate) fn copy_published(folder: &Path) {
    fs::create_dir_all(folder.join("catalogue")).unwrap();
    let published = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    for part in ["", "catalogue"] {
        for entry in fs::read_dir(published.join(part)).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file()) {
            fs::copy(entry.path(), folder.join(part).join(entry.file_name())).unwrap();
        }
    }
}

pub(crate) fn policies(sandbox: &Sandbox) -> PathBuf {
    sandbox.path().join("policies")
}

/// Replaces a text of the policies once.
pub(crate) fn change(folder: &Path, file: &str, from: &str, to: &str) {
    let path = folder.join(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{file} has no {from}");
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}

/// The benefit desk no longer sees disability.
pub(crate) fn narrow(folder: &Path) {
    change(folder, NECESSITY, WITH_DISABILITY, WITHOUT_DISABILITY);
}

/// And sees it again.
pub(crate) fn widen(folder: &Path) {
    change(folder, NECESSITY, WITHOUT_DISABILITY, WITH_DISABILITY);
}

/// Runs the program with the sandbox's configuration.
pub(crate) fn tsunagi(args: &[&str], sandbox: &Sandbox) -> Output {
    let config = sandbox.config();
    Command::new(BINARY).args(args).arg("-c").arg(config).stdin(Stdio::null()).output().unwrap()
}

/// Puts the policies of the folder in force; gives what the command printed.
pub(crate) fn activate(sandbox: &Sandbox) -> Value {
    let done = tsunagi(&["--json", "policy", "activate", "--by", "decision-2026-11"], sandbox);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap()
}

pub(crate) fn reread(server: &Server) {
    assert!(Command::new("kill").args(["-HUP", &server.id().to_string()]).status().unwrap().success());
}

/// Waits until the log of the gateways says something for the `nth` time.
pub(crate) async fn logged(sandbox: &Sandbox, text: &str, nth: usize) {
    let there = async {
        while fs::read_to_string(sandbox.log()).unwrap().matches(text).count() < nth {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(SOON, there).await.unwrap_or_else(|_| panic!("the log never said {text}"));
}

const NECESSITY: &str = "10_necessity.cedar";
const WITH_DISABILITY: &str = "FieldClass::\"wishes\",\n    FieldClass::\"disability\", FieldClass::\"medical\"";
const WITHOUT_DISABILITY: &str = "FieldClass::\"wishes\",\n    FieldClass::\"medical\"";
