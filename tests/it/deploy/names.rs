//! Every metric, and every value of a label, that a file in deploy/ names is one of ours.

use std::collections::{BTreeMap, BTreeSet};

use harness_exporter::metrics::{self, Kind, Values};

use crate::repo::{files, text};

/// The names under which Prometheus knows the series of our metrics.
fn series() -> BTreeSet<String> {
    let mut series = BTreeSet::new();
    for metric in metrics::catalogue() {
        match metric.kind {
            Kind::Counter | Kind::Gauge => {
                series.insert(metric.name.to_owned());
            }
            Kind::Histogram => {
                let parts = ["_bucket", "_sum", "_count"].iter();
                series.extend(parts.map(|part| format!("{}{part}", metric.name)));
            }
        }
    }
    series
}

/// The words that begin as our metrics do. What is recorded is named after a metric, whose last word
/// it may leave out: `pipeline:harness_pipeline_runs:success_ratio_7d`.
fn named(text: &str) -> BTreeSet<&str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_:".contains(c);
    let words = text.split(|c| !is_part(c));
    words.filter(|word| word.starts_with("harness_") || word.contains(":harness_")).collect()
}

/// Whether a word is a metric of ours, or is recorded of one.
fn is_ours(word: &str, known: &BTreeSet<String>) -> bool {
    match word.split(':').collect::<Vec<_>>()[..] {
        [name] => known.contains(name),
        [_, metric, _] => {
            let endings = ["", "_total", "_bucket"];
            endings.iter().any(|end| known.contains(&format!("{metric}{end}")))
        }
        _ => false,
    }
}

/// Also what Prometheus' operator calls a port, where anything may stand.
const SHARED: &str = "endpoint";

/// The labels whose values are known, and these values, over all metrics.
fn closed() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let mut closed: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for label in metrics::catalogue().flat_map(|metric| metric.labels) {
        if let Values::Closed(values) = label.values
            && label.name != SHARED
        {
            closed.entry(label.name).or_default().extend(values());
        }
    }
    closed
}

/// The values that matchers in `text` ask of a label.
fn asked<'a>(text: &'a str, label: &str) -> Vec<&'a str> {
    let mut asked = Vec::new();
    for operator in ["=", "=~", "!=", "!~"] {
        for sign in ["\"", "\\\""] {
            for before in ["{", ",", " "] {
                let matcher = format!("{before}{label}{operator}{sign}");
                let pieces = text.split(&matcher).skip(1);
                let values = pieces.filter_map(|rest| rest.split(['\\', '"']).next());
                asked.extend(values.flat_map(|values| values.split('|')));
            }
        }
    }
    asked
}

#[test]
fn every_metric_that_is_shipped_is_one_of_ours() {
    let known = series();
    let mut seen = BTreeMap::new();
    for path in ["yaml", "yml", "json"].iter().flat_map(|kind| files("deploy", kind)) {
        let text = text(&path);
        let named = named(&text);
        for name in &named {
            assert!(is_ours(name, &known), "{path} names {name}, which is no metric");
        }
        seen.insert(path, named.len());
    }
    assert!(seen["deploy/prometheus/rules/runs.yaml"] >= 7, "{seen:?}");
    assert!(seen["deploy/grafana/dashboards/harness-overview.json"] >= 20, "{seen:?}");
}

#[test]
fn every_value_of_a_label_that_is_shipped_is_one_of_ours() {
    let mut seen = 0;
    for path in ["yaml", "yml", "json"].iter().flat_map(|kind| files("deploy", kind)) {
        let text = text(&path);
        for (label, known) in closed() {
            for value in asked(&text, label) {
                assert!(known.contains(value), "{path} asks for {label} {value:?}");
                seen += 1;
            }
        }
    }
    assert!(seen > 20, "{seen}");
}
