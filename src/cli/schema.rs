//! `schema`: what a config may say, for editors and for people.

use clap::{Args, ValueEnum};

use super::{Failure, print};
use crate::config::{reference, schema};

/// Print the JSON Schema of the config
#[derive(Args, Debug)]
pub(super) struct Schema {
    /// How to write it: `markdown` is docs/configuration.md
    #[arg(
        long = "format",
        env = "HARNESS_EXPORTER_FORMAT",
        hide_env_values = true,
        value_name = "FORMAT",
        value_enum,
        default_value_t
    )]
    format: Format,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    #[default]
    Json,
    Markdown,
}

impl Schema {
    pub(super) fn run(self) -> Result<(), Failure> {
        Ok(print(&match self.format {
            Format::Json => schema(),
            Format::Markdown => reference(),
        })?)
    }
}
