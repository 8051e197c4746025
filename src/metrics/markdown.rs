//! The catalogue as a document for people: docs/metrics.md.

use super::catalogue;
use super::catalogue::{ACCOUNT_LABELS, Label, Metric, PIPELINE_LABELS, Source, Values};

const INTRODUCTION: &str = "\
# Metrics

Printed by `harness-exporter metrics`; a test holds this file to the program.

A state set is a gauge of which exactly one value is 1 once there was such a run.
Counters and state sets of a pipeline in the config are there from the first scrape, at 0.
What has no value is left out, and so is a family without series.
Timestamps are in seconds since 1970-01-01T00:00:00Z.
";

const FLEET: &str = "\
Facts about the fleet, the same on every replica: aggregate with \
`max without (instance, pod, container, endpoint)`.
After a restart they say what they said before.";

const PROCESS: &str = "\
About this process. They start anew with it.";

/// The catalogue as Markdown: name, type, labels with their values, meaning and scope.
#[must_use]
pub fn markdown() -> String {
    let pipelines = format!(
        "{FLEET}\nEach has the labels {}, then those that `metrics.labels` names in the config, and those named here.",
        names(PIPELINE_LABELS)
    );
    let accounts = format!("{FLEET}\nEach has the label {}.", names(ACCOUNT_LABELS));
    let mut document = INTRODUCTION.to_owned();
    document +=
        &chapter("Of a pipeline", &pipelines, |source| matches!(source, Source::Pipeline(_)));
    document += &chapter("Of an account", &accounts, |source| matches!(source, Source::Account(_)));
    document += &chapter("About the exporter", PROCESS, |source| {
        matches!(source, Source::Snapshot(_) | Source::Own | Source::Rendering)
    });
    document
}

fn chapter(title: &str, about: &str, lists: impl Fn(&Source) -> bool) -> String {
    let rows: String = catalogue().filter(|metric| lists(&metric.source)).map(row).collect();
    format!(
        "\n## {title}\n\n{about}\n\n| metric | type | labels | meaning |\n|---|---|---|---|\n{rows}"
    )
}

fn row(metric: &Metric) -> String {
    let labels: Vec<_> = metric.labels.iter().map(label).collect();
    let (labels, meaning) = (labels.join("<br>"), metric.help.replace('|', "\\|"));
    format!("| `{}` | {} | {labels} | {meaning} |\n", metric.name, metric.kind.as_str())
}

fn label(label: &Label) -> String {
    match label.values {
        Values::Closed(words) => format!("`{}`: {}", label.name, names(&words())),
        Values::Open(about) => format!("`{}`: {about}", label.name),
    }
}

fn names(words: &[&str]) -> String {
    let words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    words.join(", ")
}
