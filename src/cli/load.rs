//! Reads the config for a command, and says what is wrong with it.

use std::path::PathBuf;

use anyhow::anyhow;

use super::{Failure, remark};
use crate::config::{self, ConfigError, Loaded, Secrets};
use crate::harness::read_secret;

/// The config in `files`. Several problems are told one a line before the failure sums them up; a
/// single one is the failure.
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
        ConfigError::Problems(problems) if problems.0.len() > 1 => {
            for problem in &problems.0 {
                remark(&problem.to_string());
            }
            Failure::Usage(anyhow!("the config has {} problems", problems.0.len()))
        }
        error => Failure::Usage(error.into()),
    })
}
