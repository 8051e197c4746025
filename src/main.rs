//! The program: reads its command line, does what it says, and prints what went wrong, once.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use harness_exporter::cli::{self, Cli};

fn main() -> ExitCode {
    match cli::run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Where standard error is closed, the exit status still tells.
            let _ = writeln!(io::stderr(), "error: {failure}");
            ExitCode::from(failure.status())
        }
    }
}
