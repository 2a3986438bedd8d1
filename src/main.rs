//! The `tsunagi` binary: arguments in, exit code out.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::panic,
        clippy::todo,
        clippy::unimplemented,
        clippy::unreachable
    )
)]

use std::process::ExitCode;

fn main() -> ExitCode {
    tsunagi::cli::run()
}
