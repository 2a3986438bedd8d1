//! `cargo bench --bench floors`: what the single operations of an exchange cost here and now, the bare library beside our room.
//!
//! Runs for about a minute. `-- --json` prints JSON, `-- WORD` measures only what has the word in its name.

mod floor;
mod measure;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use measure::{Case, Figure, RUNS};
use serde_json::{Value, json};

fn main() -> ExitCode {
    let options = match Options::from_arguments() {
        Ok(options) => options,
        Err(reason) => {
            eprintln!("{reason}");
            return ExitCode::from(2);
        }
    };
    let asked = |case: &Case<'_>| options.word.as_deref().is_none_or(|part| case.name.contains(part));
    let mut cases: Vec<Case<'_>> = floor::cases().into_iter().filter(asked).collect();
    match print(&measure::measure(&mut cases), options.json) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn print(figures: &[Figure], json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        let figures: Vec<Value> = figures.iter().map(Figure::to_json).collect();
        return writeln!(out, "{}", json!({"benchmark": "floors", "machine": measure::machine(), "figures": figures}));
    }
    writeln!(out, "{}\n", measure::heading("floors", RUNS))?;
    writeln!(out, "{:<66} {:>9} {:>9} {:>9} {:>12}", "CPU microseconds for one operation", "min", "median", "max", "wall median")?;
    for Figure { name, cpu, wall, .. } in figures {
        writeln!(out, "{name:<66} {:>9.2} {:>9.2} {:>9.2} {:>12.2}", cpu.min, cpu.median, cpu.max, wall.median)?;
    }
    Ok(())
}

/// What the command line asks for.
struct Options {
    /// Machine-readable output.
    json: bool,
    /// Only cases that have it in their name.
    word: Option<String>,
}

impl Options {
    /// Reads the arguments. `cargo bench` adds `--bench` on its own.
    fn from_arguments() -> Result<Self, String> {
        let mut options = Self { json: false, word: None };
        for argument in std::env::args().skip(1) {
            match argument.as_str() {
                "--bench" => {}
                "--json" => options.json = true,
                flag if flag.starts_with('-') => return Err(format!("{flag}: there is only --json")),
                word => options.word = Some(word.to_owned()),
            }
        }
        Ok(options)
    }
}
