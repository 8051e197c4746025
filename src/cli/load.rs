//! Reads the config for a command, and says what is wrong with it.

use std::path::PathBuf;

use anyhow::anyhow;

use super::{Failure, remark};
use crate::config::{self, ConfigError, Loaded};

/// The config in `files`. Several problems are told one a line before the failure sums them up; a
/// single one is the failure.
pub(super) fn load(files: &[PathBuf]) -> Result<Loaded, Failure> {
    config::load(files).map_err(|error| match error {
        ConfigError::Problems(problems) if problems.0.len() > 1 => {
            for problem in &problems.0 {
                remark(&problem.to_string());
            }
            Failure::Usage(anyhow!("the config has {} problems", problems.0.len()))
        }
        error => Failure::Usage(error.into()),
    })
}
