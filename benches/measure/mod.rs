//! What the benchmarks share: CPU clocks of Linux, runs that alternate, and a table.
//!
//! Promises: every figure is CPU time per operation, kernel work included, beside the time on the wall; all cases take turns, so that a
//! disturbance of the machine falls on each of them; minimum, median and maximum are shown, never a mean.
//! Not here: comparing with an earlier day. Rates do not travel between machines, nor between hours of a shared one.

mod machine;

use std::{hint::black_box, time::Duration};

use serde_json::{Value, json};
use tsunagi::clock::Stopwatch;

pub(crate) use machine::{Cpu, heading, machine, micros};

/// One thing to measure.
pub(crate) struct Case<'a> {
    /// What, and after a colon how.
    pub(crate) name: &'static str,
    /// Operations in one call.
    pub(crate) operations: u32,
    /// Does it once.
    pub(crate) run: Box<dyn FnMut() + 'a>,
    /// Whose CPU time counts.
    pub(crate) cpu: Cpu,
}

impl<'a> Case<'a> {
    pub(crate) fn new<T>(name: &'static str, run: impl FnMut() -> T + 'a) -> Self {
        Self::group(name, 1, run)
    }

    /// A call that does several operations at once.
    pub(crate) fn group<T>(name: &'static str, operations: u32, mut run: impl FnMut() -> T + 'a) -> Self {
        let run = Box::new(move || {
            black_box(run());
        });
        Self { name, operations, run, cpu: Cpu::of_process(std::process::id()) }
    }
}

/// Minimum, median and maximum, in microseconds for one operation.
#[derive(Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) min: f64,
    pub(crate) median: f64,
    pub(crate) max: f64,
}

impl Spread {
    pub(crate) fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |position: usize| values.get(position).copied().unwrap_or(f64::NAN);
        Self { min: at(0), median: at(values.len() / 2), max: at(values.len().saturating_sub(1)) }
    }

    pub(crate) fn to_json(self) -> Value {
        json!({"min": rounded(self.min), "median": rounded(self.median), "max": rounded(self.max)})
    }
}

/// What one case came to.
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) cpu: Spread,
    pub(crate) wall: Spread,
    /// Operations of one run.
    operations: u64,
}

impl Figure {
    pub(crate) fn to_json(&self) -> Value {
        json!({"name": self.name, "cpu_us": self.cpu.to_json(), "wall_us": self.wall.to_json(), "runs": RUNS, "operations": self.operations})
    }
}

/// Measures all cases in turns.
pub(crate) fn measure(cases: &mut [Case<'_>]) -> Vec<Figure> {
    let calls: Vec<u32> = cases.iter_mut().map(|case| calls_of_a_run(&mut case.run)).collect();
    let mut samples: Vec<(Vec<f64>, Vec<f64>)> = cases.iter().map(|_| (Vec::new(), Vec::new())).collect();
    for _ in 0..RUNS {
        for ((case, calls), (cpu, wall)) in cases.iter_mut().zip(&calls).zip(&mut samples) {
            let operations = f64::from(*calls) * f64::from(case.operations);
            let (before, watch) = (case.cpu.spent(), Stopwatch::start());
            for _ in 0..*calls {
                (case.run)();
            }
            let elapsed = watch.elapsed();
            cpu.push(micros(case.cpu.spent().saturating_sub(before)) / operations);
            wall.push(micros(elapsed) / operations);
        }
    }
    let figures = cases.iter().zip(calls).zip(samples);
    figures
        .map(|((case, calls), (cpu, wall))| Figure {
            name: case.name,
            cpu: Spread::of(cpu),
            wall: Spread::of(wall),
            operations: u64::from(calls) * u64::from(case.operations),
        })
        .collect()
}

/// Enough calls for a run that the clocks can measure.
fn calls_of_a_run(run: &mut dyn FnMut()) -> u32 {
    let mut calls = 1;
    loop {
        let watch = Stopwatch::start();
        for _ in 0..calls {
            run();
        }
        if watch.elapsed() >= RUN || calls >= MOST_CALLS {
            return calls;
        }
        calls *= 2;
    }
}

fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// Runs of each case. Odd, so that the median is one of them.
pub(crate) const RUNS: usize = 15;
/// Shortest run.
const RUN: Duration = Duration::from_millis(15);
const MOST_CALLS: u32 = 1 << 16;
