//! `health`: asks a running exporter whether it is well.
//!
//! For containers, which have no other program to ask with. It says what `/-/healthy` says and
//! judges nothing itself.

use clap::Args;
use reqwest::Method;

use super::exporter::Exporter;
use super::{Failure, block_on, print};

/// Ask a running exporter whether it is well; exit status 0 if it is, else 1
#[derive(Args, Debug)]
pub(super) struct Health {
    #[command(flatten)]
    exporter: Exporter,
}

impl Health {
    pub(super) fn run(self) -> Result<(), Failure> {
        block_on(self.exporter.ask(Method::GET, "/-/healthy", &[]))??;
        Ok(print("healthy\n")?)
    }
}
