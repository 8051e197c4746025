//! Reads the config for a command, and says what is wrong with it.

use std::path::PathBuf;

use anyhow::anyhow;

use super::{Failure, check::counted, remark};
use crate::config::{self, Colours, ConfigError, Loaded, Secrets};
use crate::harness::read_secret;

/// The config in `files`. Its problems are shown before the failure counts them.
pub(super) fn load(files: &[PathBuf]) -> Result<Loaded, Failure> {
    let open = |source: &_| read_secret(source).map_err(|error| error.to_string());
    told(config::load(files, Secrets::Opened(&open)))
}

/// The same with every secret left alone.
pub(super) fn load_closed(files: &[PathBuf]) -> Result<Loaded, Failure> {
    told(config::load(files, Secrets::Closed))
}

fn told(loaded: Result<Loaded, ConfigError>) -> Result<Loaded, Failure> {
    loaded.map_err(|error| match error {
        ConfigError::Problems(problems) => {
            for problem in &problems.0 {
                remark(&format!("{}\n", problem.rendered(Colours::Ansi)));
            }
            let count = counted(problems.0.len(), "problem");
            Failure::Usage(anyhow!("the config has {count}"))
        }
        error @ ConfigError::NoFile => Failure::Usage(error.into()),
    })
}
