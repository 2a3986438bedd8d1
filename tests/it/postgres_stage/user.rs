//! The user that the servers run as. PostgreSQL and PgBouncer refuse to run as root.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::{
        fs::{MetadataExt as _, chown},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
};

/// A folder of a server: below the system's folder for temporary files, and the server's user's own.
pub(super) fn folder(what: &str) -> PathBuf {
    let folder = tempfile::Builder::new().prefix(&format!("tsunagi-{what}-")).tempdir().unwrap().keep();
    if is_root() {
        let passwd = fs::read_to_string("/etc/passwd").unwrap();
        let line = passwd.lines().find(|line| line.starts_with("postgres:")).expect("there is no user postgres");
        let ids: Vec<u32> = line.split(':').skip(2).take(2).map(|id| id.parse().unwrap()).collect();
        chown(&folder, Some(ids[0]), Some(ids[1])).unwrap();
    }
    folder
}

/// A command as the servers' user.
pub(super) fn command(program: &Path) -> Command {
    let mut command = if is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    // The folder of the test process may be closed to the servers' user.
    command.current_dir("/").stdin(Stdio::null());
    command
}

/// Runs a command of the servers' user to its end; what it said where it failed.
pub(super) fn run(command: &mut Command) -> Result<(), String> {
    let ran = command.output().unwrap();
    let said = || format!("{command:?}: {}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    if ran.status.success() { Ok(()) } else { Err(said()) }
}

/// A shell that outlives the test process by the time its last commands take.
#[derive(Debug)]
pub(super) struct Watch {
    shell: Child,
    /// Held open by this process alone: Rust opens files close-on-exec.
    pipe: Option<ChildStdin>,
}

impl Watch {
    /// Runs `script` with `arguments` (`$1` and on). The script runs `alive` when the server stands, which is waited for, and `read` to wait for the
    /// end of the test process.
    pub(super) fn over(script: &str, arguments: &[&Path]) -> Self {
        let script = format!("trap '' INT TERM HUP; {script}");
        let mut shell = command(Path::new("sh"))
            .args(["-c", &script, "watch"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // What is sent to the terminal's process group is not for it.
            .process_group(0)
            .spawn()
            .unwrap();
        let pipe = shell.stdin.take();
        let mut said = String::new();
        BufReader::new(shell.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said, "alive\n", "{script}");
        Self { shell, pipe }
    }

    /// Lets the shell run its last commands and waits for them.
    pub(super) fn end(&mut self) {
        self.pipe = None;
        self.shell.wait().unwrap();
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}
