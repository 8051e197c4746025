//! Stand-ins with the names and signatures of what `config` and `metrics` are about to offer. They
//! go when those come: only the `use` lines that name this module change.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::config::Config;

/// As `config::Loaded`.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) config: Config,
    pub(super) warnings: Vec<String>,
    pub(super) fingerprint: u64,
}

/// As `config::ConfigError`.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConfigError {
    #[error("no config file was named, want at least one --config.file")]
    NoFile,
    #[error(transparent)]
    Problems(#[from] Problems),
}

/// As `config::Problems`.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub(super) struct Problems(pub(super) Vec<Problem>);

/// As `config::Problem`.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(super) struct Problem {
    message: String,
}

/// As `config::load`.
pub(super) fn load(paths: &[PathBuf]) -> Result<Loaded, ConfigError> {
    if paths.is_empty() {
        return Err(ConfigError::NoFile);
    }
    let unread =
        |path: &PathBuf| Problem { message: format!("{}: cannot be read yet", path.display()) };
    Err(Problems(paths.iter().map(unread).collect()).into())
}

/// As `config::check_storage_url`.
pub(super) fn check_storage_url(text: &str) -> Result<(), String> {
    match text.strip_prefix("sqlite://") {
        Some(path) if !path.is_empty() => Ok(()),
        _ => Err("want sqlite:// and a path".to_owned()),
    }
}

/// As `metrics::markdown`.
pub(super) fn markdown() -> String {
    String::new()
}

/// As `config::duration::Span`, of which this is a part.
pub(super) struct Span(pub(super) Duration);

impl FromStr for Span {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = "a duration such as 30s, 15m or 1d";
        let (number, seconds) = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)]
            .into_iter()
            .find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)))
            .ok_or(error)?;
        let count = number.parse::<u64>().map_err(|_| error)?;
        Ok(Self(Duration::from_secs(count.saturating_mul(seconds))))
    }
}
