//! What holds for all files together and stands in one of them: `results`, `metrics` and
//! `notifications`.

use std::path::Path;
use std::sync::Arc;

use serde_yaml::Value;

use super::fields::{Fields, Read};
use super::problem::quoted;
use super::{MetricsOptions, Results, SecretSource, secret, values};
use crate::model::RunResult;

/// Names that no extra label may have: those of our own labels, those that Prometheus puts beside or
/// into a series, and those by which the rules tell replicas apart.
pub const RESERVED_LABELS: [&str; 33] = [
    "account",
    "cause",
    "code",
    "concurrency",
    "container",
    "endpoint",
    "execution_id",
    "instance",
    "job",
    "kind",
    "le",
    "loop",
    "org",
    "origin",
    "outcome",
    "pipeline",
    "pipeline_identifier",
    "pod",
    "project",
    "quantile",
    "reason",
    "result",
    "revision",
    "rustversion",
    "schedule",
    "stage",
    "state",
    "status",
    "timezone",
    "trigger",
    "type",
    "url",
    "version",
];

/// Each bucket is a series of every pipeline and result.
const MOST_BUCKETS: usize = 50;

/// Each label is on every series of every pipeline.
const MOST_LABELS: usize = 10;

/// Reads `results`; none where a problem was reported.
pub(super) fn read_results(fields: &mut Fields<'_>) -> Option<Results> {
    let default = Results::default();
    let mut read = |key, default| fields.read(key, result).unless_absent(default);
    let ignore_failed = read("ignore_failed", default.ignore_failed);
    let approval_rejected = read("approval_rejected", default.approval_rejected);
    let aborted_by_freeze = read("aborted_by_freeze", default.aborted_by_freeze);
    let suspended = read("suspended", default.suspended);
    Some(Results {
        ignore_failed: ignore_failed?,
        approval_rejected: approval_rejected?,
        aborted_by_freeze: aborted_by_freeze?,
        suspended: suspended?,
    })
}

/// `lost` is not among them: Harness says nothing of the kind.
fn result(value: &Value) -> Result<RunResult, String> {
    let results = [
        RunResult::Success,
        RunResult::Failure,
        RunResult::Error,
        RunResult::Timeout,
        RunResult::Cancellation,
        RunResult::Skip,
    ];
    values::word(value, &results.map(|result| (result.as_str(), result)))
}

/// Reads `metrics`; none where a problem was reported.
pub(super) fn read_metrics(fields: &mut Fields<'_>) -> Option<MetricsOptions> {
    let default = MetricsOptions::default();
    let stages = fields.read("stages", values::flag).unless_absent(default.stages);
    let run_info = fields.read("run_info", values::flag).unless_absent(default.run_info);
    let labels = read_labels(fields).unless_absent(default.labels);
    let buckets = fields.read("duration_buckets", buckets).unless_absent(default.duration_buckets);
    Some(MetricsOptions {
        stages: stages?,
        run_info: run_info?,
        labels: labels?,
        duration_buckets: buckets?,
    })
}

fn read_labels(fields: &mut Fields<'_>) -> Read<Vec<String>> {
    let mut seen: Vec<String> = Vec::new();
    fields.items("labels", MOST_LABELS, |value| {
        let name = label(value)?;
        if seen.contains(&name) {
            return Err(format!("found {} a second time, want each once", quoted(&name)));
        }
        seen.push(name.clone());
        Ok(name)
    })
}

/// The name of a label, as Prometheus has them.
fn label(value: &Value) -> Result<String, String> {
    let name = values::name(value)?;
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    if !name.starts_with(first) || !name.chars().all(|c| first(c) || c.is_ascii_digit()) {
        let found = quoted(name);
        return Err(format!("found {found}, want letters, digits and `_`, and no digit first"));
    }
    if name.starts_with("__") || RESERVED_LABELS.contains(&name) {
        return Err(format!("found {}, which is taken, want another name", quoted(name)));
    }
    Ok(name.to_owned())
}

fn buckets(value: &Value) -> Result<Arc<[i64]>, String> {
    let want = "a list of rising durations such as [30s, 5m, 1h]";
    let Value::Sequence(items) = value else { return Err(values::unlike(value, want)) };
    if items.is_empty() || items.len() > MOST_BUCKETS {
        return Err(format!("found {} of them, want 1 to {MOST_BUCKETS}", items.len()));
    }
    let mut bounds: Vec<i64> = Vec::with_capacity(items.len());
    for item in items {
        let bound = values::positive_duration(item)?;
        let bound = i64::try_from(bound.as_millis()).unwrap_or(i64::MAX);
        if bounds.last().is_some_and(|last| *last >= bound) {
            let found = item.as_str().map_or_else(String::new, quoted);
            return Err(format!("found {found} after one that is no less, want {want}"));
        }
        bounds.push(bound);
    }
    Ok(Arc::from(bounds))
}

/// Reads `notifications`; none where a problem was reported.
pub(super) fn read_notifications(fields: &mut Fields<'_>, folder: &Path) -> Option<SecretSource> {
    let keys = ["token_file", "token_env", "token"];
    let want = "one of token_file, token_env, token";
    secret::read(fields, folder, keys).required(&fields.place, want, fields.report)
}
