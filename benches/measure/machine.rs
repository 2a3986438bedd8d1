//! The machine and its CPU clocks (Linux).

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::{Value, json};

/// One line that says where and how it was measured.
pub(crate) fn heading(benchmark: &str, runs: usize) -> String {
    let machine = machine();
    format!(
        "{benchmark}: {} cores of {}, load {}; {runs} runs in turns",
        machine["cores"],
        machine["cpu"].as_str().unwrap_or("?"),
        machine["load"].as_str().unwrap_or("?"),
    )
}

/// The machine, as far as it explains figures.
pub(crate) fn machine() -> Value {
    let read = |file| fs::read_to_string(file).unwrap_or_default();
    let cpu = read("/proc/cpuinfo").lines().find_map(|line| Some(line.strip_prefix("model name")?.split_once(':')?.1.trim().to_owned()));
    let load = read("/proc/loadavg").split(' ').next().map(str::to_owned);
    json!({"cores": std::thread::available_parallelism().map_or(0, usize::from), "cpu": cpu, "load": load})
}

/// The CPU time of some processes or of one thread. Linux counts for each thread in nanoseconds (`schedstat`). The count of a thread that runs is
/// old by up to a tick, so the one that asks yields first and the others must be idle. Threads that ended in between are missing, so
/// nothing that is measured ends threads.
#[derive(Clone)]
pub(crate) struct Cpu(pub(crate) Vec<PathBuf>);

impl Cpu {
    /// All threads of a process.
    pub(crate) fn of_process(pid: u32) -> Self {
        Self::of_processes([pid])
    }

    /// All threads of these processes.
    pub(crate) fn of_processes(pids: impl IntoIterator<Item = u32>) -> Self {
        Self(pids.into_iter().map(|pid| format!("/proc/{pid}/task").into()).collect())
    }

    /// CPU time until now.
    pub(crate) fn spent(&self) -> Duration {
        std::thread::yield_now();
        let of_thread = |thread: &Path| fs::read_to_string(thread.join("schedstat")).ok()?.split(' ').next()?.parse::<u64>().ok();
        let all = |task: &PathBuf| fs::read_dir(task).into_iter().flatten().flatten().filter_map(|thread| of_thread(&thread.path())).sum();
        Duration::from_nanos(self.0.iter().map(|task| of_thread(task).unwrap_or_else(|| all(task))).sum())
    }
}

pub(crate) fn micros(span: Duration) -> f64 {
    span.as_secs_f64() * 1e6
}
