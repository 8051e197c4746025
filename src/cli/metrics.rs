//! `metrics`: the catalogue.

use clap::Args;

use super::{Failure, print};
use crate::metrics::markdown;

/// Print every metric with its labels and meaning, as Markdown
#[derive(Args, Debug)]
pub(super) struct Metrics {}

impl Metrics {
    #[expect(clippy::unused_self, reason = "every command is run the same way")]
    pub(super) fn run(self) -> Result<(), Failure> {
        Ok(print(&markdown())?)
    }
}
