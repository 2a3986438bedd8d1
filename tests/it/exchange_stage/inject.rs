//! Faults at a chosen system call of a running gateway, made by strace(1) from outside: nothing of it is in the product. What strace writes proves
//! that the fault fired.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, Stdio},
    thread::sleep,
    time::Duration,
};

use tsunagi::clock::Stopwatch;

use super::process::Server;

/// What happens at the chosen system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The process ends before the call is made (SIGKILL).
    Kill,
    /// The call is not made and fails with this error.
    Error(&'static str),
}

/// Which system calls are hit. Each thread counts its own, each kind of call for itself.
#[derive(Debug, Clone, Copy)]
pub(crate) enum When {
    /// The nth alone.
    Nth(usize),
    /// Every one, as long as it lasts.
    Always,
}

/// An injection in place. Dropped, it ends.
pub(crate) struct Injection {
    strace: Child,
    /// Held open: of every thread that is new it says something, and it would end (SIGPIPE) where nobody could hear it.
    _said: BufReader<ChildStderr>,
    trace: PathBuf,
    _folder: tempfile::TempDir,
}

impl Injection {
    /// Into every thread of a gateway.
    pub(crate) fn into(server: &Server, calls: &str, fault: Fault, when: When) -> Self {
        Self::attach(&["-f".to_owned(), format!("-p{}", server.id())], calls, fault, when)
    }

    /// Into calls on one file, by whichever thread.
    pub(crate) fn into_file(server: &Server, file: &Path, calls: &str, fault: Fault, when: When) -> Self {
        let file = format!("-P{}", file.display());
        Self::attach(&["-f".to_owned(), file, format!("-p{}", server.id())], calls, fault, when)
    }

    /// Into one thread.
    pub(crate) fn into_thread(thread: u32, calls: &str, fault: Fault, when: When) -> Self {
        Self::attach(&[format!("-p{thread}")], calls, fault, when)
    }

    /// Runs a command that is killed at the nth of these calls on one file, and waits for its end.
    pub(crate) fn killing(program: &str, words: &[&str], file: &Path, calls: &str, nth: usize) -> Trace {
        let folder = tempfile::tempdir().unwrap();
        let trace = folder.path().join("trace");
        let ran = Command::new("strace")
            .args(["-f", "-P", file.to_str().unwrap(), "-e", &format!("trace={calls}"), "-e", "signal=none", "-s", "0"])
            .args(["-e", &format!("inject={calls}:signal=SIGKILL:when={nth}"), "-o", trace.to_str().unwrap(), program])
            .args(words)
            .stdin(Stdio::null())
            .output()
            .expect("strace (Debian package strace) is installed");
        let trace = Trace::read(&trace);
        assert!(ran.status.success() || trace.fired() > 0, "{}", String::from_utf8_lossy(&ran.stderr));
        trace
    }

    /// Into nothing: system calls are seen and left alone.
    pub(crate) fn watch(server: &Server, calls: &str) -> Self {
        Self::strace(&["-f".to_owned(), format!("-p{}", server.id())], calls, &[])
    }

    fn attach(whom: &[String], calls: &str, fault: Fault, when: When) -> Self {
        let what = match fault {
            Fault::Kill => "signal=SIGKILL".to_owned(),
            Fault::Error(name) => format!("error={name}"),
        };
        let which = match when {
            When::Nth(nth) => nth.to_string(),
            When::Always => "1+".to_owned(),
        };
        Self::strace(whom, calls, &["-e".to_owned(), format!("inject={calls}:{what}:when={which}")])
    }

    fn strace(whom: &[String], calls: &str, inject: &[String]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let trace = folder.path().join("trace");
        let mut strace = Command::new("strace")
            .args(whom)
            .args(["-e", &format!("trace={calls}"), "-e", "signal=none", "-s", "0"])
            .args(inject)
            .arg("-o")
            .arg(&trace)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("strace (Debian package strace) is installed");
        // It says so when it is attached. Of the paths it is to watch it may say first how it resolved them.
        let mut said = String::new();
        let mut lines = BufReader::new(strace.stderr.take().unwrap());
        while !said.contains("attached") {
            assert!(lines.read_line(&mut said).unwrap() > 0, "strace: {said}");
        }
        Self { strace, _said: lines, trace, _folder: folder }
    }

    /// Takes the fault away; gives what it did.
    pub(crate) fn end(mut self) -> Trace {
        // It ends well by itself when the gateway has ended, and only then.
        let early = self.strace.try_wait().unwrap();
        assert!(early.is_none_or(|status| status.success()), "strace did not last: {early:?}");
        self.detach();
        Trace::read(&self.trace)
    }

    fn detach(&mut self) {
        // It ends with the process it was attached to. Its id is nobody else's before it was waited for.
        if self.strace.try_wait().unwrap().is_none() {
            let asked = Command::new("kill").args(["-INT", &self.strace.id().to_string()]).status();
            assert!(asked.unwrap().success());
            // Asked while the process dies it can wait for ever: for the first thread, which nobody can collect before strace collected the others.
            // Each line of its trace is written when it is made.
            let asked = Stopwatch::start();
            while self.strace.try_wait().unwrap().is_none() {
                if asked.elapsed() > PATIENCE {
                    self.strace.kill().unwrap();
                }
                sleep(Duration::from_millis(5));
            }
        }
    }
}

impl Drop for Injection {
    fn drop(&mut self) {
        self.detach();
    }
}

/// What strace is given to let go of a process.
const PATIENCE: Duration = Duration::from_secs(3);

/// The system calls that strace saw.
#[derive(Debug)]
pub(crate) struct Trace {
    lines: Vec<String>,
}

impl Trace {
    fn read(file: &Path) -> Self {
        Self { lines: fs::read_to_string(file).unwrap().lines().map(str::to_owned).collect() }
    }

    /// How often the fault fired. The call at which the process was killed has no result.
    pub(crate) fn fired(&self) -> usize {
        self.lines.iter().filter(|line| line.contains("(INJECTED)") || line.ends_with(" = ?")).count()
    }

    /// How often one thread made one call, at most: what is counted for itself.
    pub(crate) fn most(&self) -> usize {
        let mut calls: BTreeMap<&str, usize> = BTreeMap::new();
        for line in self.lines.iter().filter(|line| !line.contains(" resumed>")) {
            // Before the call stands the thread, where there are several.
            if let Some((call, _)) = line.split_once('(') {
                *calls.entry(call).or_default() += 1;
            }
        }
        calls.into_values().max().unwrap_or_default()
    }

    /// The thread that made a call first, of a gateway that was watched.
    pub(crate) fn thread(&self, call: &str) -> Option<u32> {
        let line = self.lines.iter().find(|line| line.contains(&format!("{call}(")))?;
        Some(line.split(' ').next().unwrap().parse().unwrap())
    }

    /// Whether a system call was through before the fault.
    pub(crate) fn did(&self, call: &str) -> bool {
        self.lines.iter().any(|line| line.contains(&format!("{call}(")) && line.ends_with("= 0"))
    }
}
