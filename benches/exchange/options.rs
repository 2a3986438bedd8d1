//! What the command line asks for. Everything has a bound: nobody starts a load that does not end.

/// How much is measured, and where.
pub(crate) struct Options {
    /// Machine-readable output.
    pub(crate) json: bool,
    /// Another build of the program.
    pub(crate) program: Option<String>,
    /// Clients at the same time, one level after the other.
    pub(crate) clients: Vec<usize>,
    /// Runs of each operation at each level.
    pub(crate) runs: usize,
    /// Gateway processes on one database.
    pub(crate) gateways: usize,
    /// Database URL for `tsunagi init`; none: SQLite in the sandbox.
    pub(crate) database: Option<String>,
    /// Database URL in which a ledger is created for the appends; none: SQLite in a temporary folder.
    pub(crate) ledger: Option<String>,
    /// Seconds of reading without a pause, after everything else.
    pub(crate) steady: u64,
    /// Messages that one case is let grow to, after everything else.
    pub(crate) late: usize,
}

impl Options {
    /// Reads the arguments. `cargo bench` adds `--bench` on its own.
    pub(crate) fn from_arguments() -> Result<Self, String> {
        let (json, program, clients) = (false, None, vec![1, 16, 64, 256]);
        let mut options = Self { json, program, clients, runs: 3, gateways: 1, database: None, ledger: None, steady: 0, late: 0 };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument}: a value is missing"));
            match argument.as_str() {
                "--bench" => {}
                "--json" => options.json = true,
                "--clients" => {
                    let levels = value()?.split(',').map(|level| number(level, 1, MOST_CLIENTS)).collect::<Result<Vec<_>, _>>()?;
                    options.clients = levels;
                }
                "--runs" => options.runs = number(&value()?, 1, 25)?,
                "--gateways" => options.gateways = number(&value()?, 1, 8)?,
                "--database" => options.database = Some(value()?),
                "--ledger" => options.ledger = Some(value()?),
                "--steady" => options.steady = number(&value()?, 0, 3600)?,
                "--late" => options.late = number(&value()?, 0, MOST_LATE)?,
                flag if flag.starts_with('-') => return Err(format!("{flag}: {USAGE}")),
                file => options.program = Some(file.to_owned()),
            }
        }
        Ok(options)
    }

    /// Requests of one run with so many clients: enough that each sends some.
    pub(crate) fn requests(clients: usize) -> usize {
        (clients * 10).clamp(100, 1024)
    }
}

fn number<T: std::str::FromStr + PartialOrd + std::fmt::Display + Copy>(text: &str, least: T, most: T) -> Result<T, String> {
    let outside = || format!("{text}: a number from {least} to {most}");
    text.parse().ok().filter(|number| (&least..=&most).contains(&number)).ok_or_else(outside)
}

const MOST_CLIENTS: usize = 512;
const MOST_LATE: usize = 4096;
const USAGE: &str =
    "there are --json, --clients 1,16,64, --runs N, --gateways N, --database URL, --ledger URL, --steady SECONDS and --late MESSAGES";
