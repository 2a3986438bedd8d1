//! The stage: a sandbox folder and the gateway as a process of its own.
//!
//! Promises: the gateway is ended by its own process id whatever happens, unless it is to be kept; a folder the demo named itself is removed
//! when nobody asked for it.

use std::{
    ffi::OsStr,
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use aws_lc_rs::rand;
use tokio::{
    process::{Child, Command},
    time::{sleep, timeout},
};

use super::DemoArgs;
use crate::{
    cli::{CliError, Voice},
    client::{Client, ClientError, Identity},
    domain::party::{PartyId, PartyKind},
    text::Lang,
};

/// A sandbox folder.
pub(super) struct Sandbox {
    dir: PathBuf,
    /// Named by the demo itself, so it may remove it.
    own: bool,
    program: PathBuf,
    lang: Lang,
}

/// A gateway that runs.
pub(super) struct Server {
    child: Child,
    pid: u32,
    left_running: bool,
}

/// Whatever ends the demo, a reader that closed the pipe included, ends its gateway too.
impl Drop for Server {
    fn drop(&mut self) {
        if !self.left_running && matches!(self.child.try_wait(), Ok(None)) {
            // It may have ended by itself in between; then there is nothing to end.
            let _ended = self.child.start_kill();
        }
    }
}

/// A reader that closed the pipe ends the demo where it stands; a folder nobody asked for does not stay behind.
impl Drop for Sandbox {
    fn drop(&mut self) {
        if std::thread::panicking() && self.remove().is_err() {
            eprintln!("{}: {}", self.dir.display(), self.lang.of("could not be removed", "消せませんでした"));
        }
    }
}

impl Sandbox {
    /// Makes the sandbox with `tsunagi init`.
    pub(super) async fn make(args: &DemoArgs, voice: Voice) -> Result<Self, CliError> {
        let program = std::env::current_exe().map_err(|e| CliError::Io("tsunagi".to_owned(), e))?;
        let (dir, own) = match &args.dir {
            Some(dir) => (dir.clone(), false),
            None => (fresh_folder()?, true),
        };
        let sandbox = Self { dir, own, program, lang: voice.lang };
        let port = args.port.map(|port| port.to_string());
        let mut words = vec![OsStr::new("init"), sandbox.dir.as_os_str()];
        if let Some(port) = &port {
            words.extend([OsStr::new("--port"), OsStr::new(port)]);
        }
        let output = sandbox.run(&words).await?;
        if output.status.success() {
            return Ok(sandbox);
        }
        if sandbox.dir.exists() {
            sandbox.remove()?;
        }
        Err(process_failed("init", &output))
    }

    /// Where it is.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether the demo named the folder itself.
    pub(super) const fn is_own(&self) -> bool {
        self.own
    }

    /// Starts `tsunagi serve`. Its log goes to `serve.log` in the folder.
    pub(super) fn serve(&self) -> Result<Server, CliError> {
        let log = self.dir.join("serve.log");
        let failed = |error| CliError::Io(log.display().to_string(), error);
        let file = OpenOptions::new().create_new(true).append(true).mode(0o600).open(&log).map_err(failed)?;
        let again: File = file.try_clone().map_err(failed)?;
        let child = Command::new(&self.program)
            .arg("serve")
            .arg("-c")
            .arg(self.dir.join("tsunagi.toml"))
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(again)
            // An interrupt at the keyboard is for the demo, which then ends the gateway in good order.
            .process_group(0)
            .spawn()
            .map_err(|e| CliError::Io("tsunagi serve".to_owned(), e))?;
        let pid = child.id().ok_or_else(|| CliError::Io("tsunagi serve".to_owned(), io::ErrorKind::NotFound.into()))?;
        Ok(Server { child, pid, left_running: false })
    }

    /// Runs this program again and waits for it.
    pub(super) async fn run(&self, words: &[&OsStr]) -> Result<Output, CliError> {
        let output = Command::new(&self.program)
            .args(["--lang", self.lang.of("en", "ja")])
            .args(words)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        output.await.map_err(|e| CliError::Io("tsunagi".to_owned(), e))
    }

    /// The folder of the first party of a kind.
    pub(super) fn folder_of(&self, kind: PartyKind) -> Result<PathBuf, CliError> {
        let parties = self.dir.join("parties");
        let failed = |error| CliError::Io(parties.display().to_string(), error);
        let mut found: Vec<PathBuf> = Vec::new();
        for entry in fs::read_dir(&parties).map_err(failed)? {
            found.push(entry.map_err(failed)?.path());
        }
        found.sort();
        let prefix = format!("{kind}-");
        let fits = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(&prefix));
        found.into_iter().find(fits).ok_or_else(|| {
            CliError::usage(format!("the sandbox has no party of the kind {kind}"), format!("お試し用の環境に {kind} がありません"))
        })
    }

    /// A client that acts as the first party of a kind.
    pub(super) fn client(&self, kind: PartyKind, staff: &str) -> Result<Client, CliError> {
        self.client_in(&self.folder_of(kind)?, staff)
    }

    /// A client that acts as a party.
    pub(super) fn client_of(&self, party: &PartyId, staff: &str) -> Result<Client, CliError> {
        self.client_in(&self.folder_of_party(party), staff)
    }

    /// The folder of a party.
    pub(super) fn folder_of_party(&self, party: &PartyId) -> PathBuf {
        self.dir.join("parties").join(format!("{}-{}", party.kind(), party.code()))
    }

    fn client_in(&self, folder: &Path, staff: &str) -> Result<Client, CliError> {
        let unusable = |error: &dyn std::fmt::Display| CliError::usage(format!("{error}"), format!("身元フォルダーを使えません: {error}"));
        let identity = Identity::load(folder).map_err(|e| unusable(&e))?;
        let client = Client::new(identity).map_err(|e| unusable(&e))?;
        Ok(client.with_staff(staff.parse().map_err(|e| unusable(&e))?).with_lang(self.lang))
    }

    /// Removes the folder, if the demo named it itself.
    pub(super) fn remove(&self) -> Result<(), CliError> {
        if self.own { fs::remove_dir_all(&self.dir).map_err(|e| CliError::Io(self.dir.display().to_string(), e)) } else { Ok(()) }
    }
}

impl Server {
    /// Leaves it serving when the demo ends.
    pub(super) const fn leave_running(&mut self) {
        self.left_running = true;
    }

    /// Its process id.
    pub(super) const fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits until the gateway answers this client over TLS with the pinned keys.
    pub(super) async fn ready(&mut self, client: &Client) -> Result<(), CliError> {
        for _ in 0..TRIES {
            if let Some(status) = self.child.try_wait().map_err(|e| CliError::Io("tsunagi serve".to_owned(), e))? {
                let (en, ja) = (format!("the gateway ended at once: {status}"), format!("ゲートウェイがすぐに終わりました: {status}"));
                return Err(CliError::Unreachable { en, ja });
            }
            match client.well_known().await {
                Ok(_) => return Ok(()),
                Err(ClientError::Unreachable(_)) => sleep(PAUSE).await,
                Err(error) => return Err(error.into()),
            }
        }
        let (en, ja) = ("the gateway does not answer".to_owned(), "ゲートウェイが応答しません".to_owned());
        Err(CliError::Unreachable { en, ja })
    }

    /// Asks the gateway to end and waits; ends it if it does not.
    pub(super) async fn stop(mut self) -> Result<(), CliError> {
        let failed = |error| CliError::Io("tsunagi serve".to_owned(), error);
        if self.child.try_wait().map_err(failed)?.is_some() {
            return Ok(());
        }
        // There is no call for SIGTERM in the standard library; the shell of POSIX has one.
        let asked =
            Command::new("/bin/sh").args(["-c", "kill -TERM \"$1\"", "sh", &self.pid.to_string()]).stderr(Stdio::null()).status().await;
        let asked = asked.is_ok_and(|status| status.success());
        if asked && let Ok(ended) = timeout(DRAIN, self.child.wait()).await {
            return ended.map(|_| ()).map_err(failed);
        }
        self.child.kill().await.map_err(failed)
    }
}

/// A process of ours that ended badly: its own words, and its own kind of failure.
pub(super) fn process_failed(what: &str, output: &Output) -> CliError {
    let said = String::from_utf8_lossy(if output.stderr.is_empty() { &output.stdout } else { &output.stderr }).trim().to_owned();
    let (en, ja) = (format!("tsunagi {what} failed: {said}"), format!("tsunagi {what} が失敗しました: {said}"));
    if output.status.code() == Some(UNVERIFIED) { CliError::unverified(en, ja) } else { CliError::usage(en, ja) }
}

/// A name nobody can guess in the folder for temporary files; `init` makes it, for its owner only.
fn fresh_folder() -> Result<PathBuf, CliError> {
    let mut bytes = [0; 8];
    rand::fill(&mut bytes).map_err(|_| CliError::Io("random".to_owned(), io::Error::other("no entropy")))?;
    Ok(std::env::temp_dir().join(format!("tsunagi-demo-{:016x}", u64::from_be_bytes(bytes))))
}

/// The exit code of a command that could not reach or verify (protocol section 8).
const UNVERIFIED: i32 = 3;
const PAUSE: Duration = Duration::from_millis(100);
/// Half a minute of pauses.
const TRIES: u32 = 300;
const DRAIN: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    fn ended(code: i32, stdout: &str, stderr: &str) -> Output {
        Output { status: std::process::ExitStatus::from_raw(code << 8), stdout: stdout.into(), stderr: stderr.into() }
    }

    #[test]
    fn a_failed_process_is_told_in_its_own_words_and_kind() {
        let unverified = process_failed("audit verify", &ended(3, "out", "entry 5 does not fit\n"));
        assert!(matches!(unverified, CliError::Unverified { en, .. } if en == "tsunagi audit verify failed: entry 5 does not fit"));
        let usage = process_failed("init", &ended(2, "only this", ""));
        assert!(matches!(usage, CliError::Usage { en, .. } if en.ends_with("only this")));
    }

    #[test]
    fn every_demo_has_a_folder_of_its_own() {
        let (one, other) = (fresh_folder().unwrap(), fresh_folder().unwrap());
        assert_ne!(one, other);
        assert!(!one.exists() && one.starts_with(std::env::temp_dir()));
    }
}
