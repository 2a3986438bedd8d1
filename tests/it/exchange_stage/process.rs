//! The gateway as a process: started, asked over its admin socket, ended by its own id.

use std::{
    fs::{self, OpenOptions},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
    time::{sleep, timeout},
};

use super::{BINARY, SOON, Sandbox};

/// A running gateway. Dropped, it is killed.
pub(crate) struct Server {
    child: Child,
    admin: PathBuf,
    log: PathBuf,
}

impl Server {
    pub(super) fn start(sandbox: &Sandbox, config: &Path, admin: &str) -> Self {
        // A gateway that is new to the ledger has no high-water mark: its operator says once that this is the one.
        if config != sandbox.config() && !config.with_extension("high-water").exists() {
            let adopted = Command::new(BINARY).args(["ledger", "adopt", "-c"]).arg(config).stdin(Stdio::null()).output().unwrap();
            assert!(adopted.status.success(), "adopt: {}", String::from_utf8_lossy(&adopted.stderr));
        }
        let log = sandbox.log();
        let open = || OpenOptions::new().create(true).append(true).open(&log).unwrap();
        // What is ignored stays ignored behind `exec`.
        let prepared = if sandbox.settings.full_disk { "trap '' XFSZ; exec \"$0\" \"$@\"" } else { "exec \"$0\" \"$@\"" };
        let mut command = Command::new("sh");
        if let Some(library) = &sandbox.settings.clock {
            command.env("LD_PRELOAD", library).env("FAKETIME_TIMESTAMP_FILE", sandbox.clock());
            command.env("FAKETIME_NO_CACHE", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        }
        let child = command
            .args(["-c", prepared, BINARY, "serve", "-c"])
            .arg(config)
            .stdin(Stdio::null())
            .stdout(open())
            .stderr(open())
            .spawn()
            .unwrap();
        Self { child, admin: sandbox.path().join(admin), log }
    }

    /// Waits until the gateway says that it is ready.
    pub(super) async fn ready(&mut self) {
        let ready = async {
            while self.admin("/readyz").await.is_none_or(|(status, _)| status != 200) {
                if let Some(status) = self.child.try_wait().unwrap() {
                    panic!("the gateway ended, {status}: {}", fs::read_to_string(&self.log).unwrap());
                }
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(SOON, ready).await.expect("the gateway is not ready");
    }

    /// Waits until the gateway ends by itself; gives the last line it wrote.
    pub(super) async fn refusal(mut self) -> String {
        let status = self.ended().await;
        assert!(!status.success(), "the gateway served");
        fs::read_to_string(&self.log).unwrap().lines().last().unwrap_or_default().to_owned()
    }

    async fn ended(&mut self) -> ExitStatus {
        let ended = async {
            loop {
                match self.child.try_wait().unwrap() {
                    Some(status) => return status,
                    None => sleep(Duration::from_millis(5)).await,
                }
            }
        };
        timeout(SOON, ended).await.expect("the gateway did not end")
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends the process where it stands (SIGKILL).
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks the gateway to drain and end (SIGTERM).
    pub(crate) async fn stop(mut self) {
        assert!(Command::new("kill").arg(self.child.id().to_string()).status().unwrap().success());
        assert!(self.ended().await.success());
    }

    /// Status and body of a path of the admin listener; nothing when it is not reachable.
    pub(crate) async fn admin(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = UnixStream::connect(&self.admin).await.ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already, which is what is wanted.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
