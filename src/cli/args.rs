//! Flags that several commands share, and forms of values that clap does not know.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::config::duration::Span;

/// Where the config is.
#[derive(Args, Clone, Debug)]
pub(super) struct ConfigFiles {
    /// Config to read, or a directory of them; repeatable
    #[arg(
        long = "config.file",
        env = "HARNESS_EXPORTER_CONFIG_FILE",
        hide_env_values = true,
        value_name = "FILE",
        default_value = "config.yaml"
    )]
    pub(super) config_files: Vec<PathBuf>,
}

/// How a result is written.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct OutputFormat {
    /// How to print what came of it
    #[arg(
        long = "output",
        env = "HARNESS_EXPORTER_OUTPUT",
        hide_env_values = true,
        value_name = "FORMAT",
        value_enum,
        default_value_t
    )]
    pub(super) output: Output,
}

/// A form of results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// For a person.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// A path to serve the exposition at: absolute, spelled in one way only, and none of our others.
pub(super) fn telemetry_path(text: &str) -> Result<String, &'static str> {
    let segments = text.strip_prefix('/').ok_or("must begin with /")?;
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.~/".contains(c);
    if !text.chars().all(fits) {
        return Err("may hold letters, digits and -_.~/ only");
    }
    if text != "/" && segments.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
        return Err("must not hold empty segments, . or ..");
    }
    let taken = ["/-/", "/api/", "/hooks/", "/pipelines/", "/runs/"];
    if text == "/config" || taken.iter().any(|taken| text.starts_with(taken)) {
        return Err("/-/, /api/, /hooks/, /pipelines/, /runs/ and /config are taken");
    }
    Ok(text.to_owned())
}

/// How many times as fast as the clock: at least 1.
pub(super) fn speed(text: &str) -> Result<f64, &'static str> {
    let speed: f64 = text.parse().map_err(|_| "must be a number")?;
    if (1.0..=100_000.0).contains(&speed) { Ok(speed) } else { Err("must be from 1 to 100000") }
}

/// A length of time that is not zero.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(Span(Duration::ZERO)) => Err("must be longer than nothing".to_owned()),
        Ok(Span(duration)) => Ok(duration),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn telemetry_paths() {
        for good in ["/metrics", "/a/b-c_d.e~f", "/", "/-metrics", "/apis"] {
            assert_eq!(telemetry_path(good).as_deref(), Ok(good));
        }
        for bad in [
            "",
            "metrics",
            "/metrics/",
            "//metrics",
            "/a/../b",
            "/./a",
            "/a b",
            "/a?b",
            "/a#b",
            "/%6d",
            "/ä",
            "/-/healthy",
            "/api/v1/pipelines/x/trigger",
            "/hooks/harness",
            "/config",
            "/runs/x",
        ] {
            assert!(telemetry_path(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn speeds_and_durations() {
        assert_eq!(speed("1"), Ok(1.0));
        assert_eq!(speed("2.5"), Ok(2.5));
        for bad in ["", "x", "0", "0.5", "-1", "inf", "NaN", "100001"] {
            assert!(speed(bad).is_err(), "{bad:?}");
        }
        assert_eq!(duration("60s"), Ok(Duration::from_mins(1)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_mins(90)));
        for bad in ["", "0s", "60", "s", "1 h", "banana"] {
            let said = duration(bad).unwrap_err();
            assert_eq!(said.matches("want").count(), usize::from(bad != "0s"), "{bad:?}: {said}");
        }
    }
}
