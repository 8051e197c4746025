//! What `/metrics` says.
//!
//! Every metric is declared once, in one of three tables: `gauges` and `counters` follow from
//! the board, `exporter` is about this process and is counted by [`Own`]. From the tables come the
//! exposition and docs/metrics.md. To add a metric of a pipeline is to add one entry.
//!
//! A rendering waits for nothing and nobody, and no data can break it: it cannot fail. It refuses to
//! decide anything: a number that no board and no process holds is not made up here.

mod catalogue;
mod counters;
mod exporter;
mod gauges;
mod labels;
mod markdown;
mod own;
mod proto;
mod stages;
mod text;

#[cfg(test)]
mod tests;

use crate::board::{PipelineBoard, Snapshot};
use crate::config;
use crate::model::AccountName;
use text::{Labels, Text};

pub use catalogue::{
    ACCOUNT_LABELS, Emit, Histogram, Kind, Label, Metric, Number, PIPELINE_LABELS, Source, Value,
    Values,
};
pub use markdown::markdown;
pub use own::{Endpoint, Loop, Own, StatusKind};
pub use text::CONTENT_TYPE;

/// About what one pipeline takes in the text, so that the text is seldom moved while it grows.
const BYTES_A_PIPELINE: usize = 16 * 1024;

/// Every metric there is, in the order of the documentation.
pub fn catalogue() -> impl Iterator<Item = &'static Metric> {
    gauges::FAMILIES.iter().chain(counters::FAMILIES).chain(exporter::FAMILIES)
}

/// The exposition of a board and of this process, as [`CONTENT_TYPE`].
#[must_use]
pub fn render(snapshot: &Snapshot, own: &Own) -> Vec<u8> {
    let mut text = Text::with_capacity((snapshot.pipelines.len() + 1) * BYTES_A_PIPELINE);
    let of_pipelines = snapshot.pipelines.iter().map(|board| pipeline_labels(board));
    let of_accounts = snapshot.accounts.iter().map(|board| account_labels(&board.name));
    let of_pipelines: Vec<_> = snapshot.pipelines.iter().zip(of_pipelines).collect();
    let of_accounts: Vec<_> = snapshot.accounts.iter().zip(of_accounts).collect();
    let gathered = own.gather();
    let none = Labels::default();
    for metric in catalogue() {
        let so_far = text.series();
        let mut family = text.family(metric);
        match metric.source {
            Source::Pipeline(collect) => {
                for (board, fixed) in &of_pipelines {
                    collect(board, &mut |values, value| family.series(fixed, values, value));
                }
            }
            Source::Account(collect) => {
                for (board, fixed) in &of_accounts {
                    collect(board, &mut |values, value| family.series(fixed, values, value));
                }
            }
            Source::Snapshot(collect) => {
                collect(snapshot, &mut |values, value| family.series(&none, values, value));
            }
            Source::Own => {
                for found in gathered.iter().filter(|found| found.name() == metric.name) {
                    let emit = &mut |values: &[&str], value: Value<'_>| {
                        family.series(&none, values, value);
                    };
                    proto::collect(metric, found, emit);
                }
            }
            Source::Rendering => {
                let all = i64::try_from(so_far.saturating_add(1)).unwrap_or(i64::MAX);
                family.series(&none, &[], Value::Number(Number::Count(all)));
            }
        }
    }
    text.into_bytes()
}

/// Those that every pipeline has, then those of the config's own making.
fn pipeline_labels(board: &PipelineBoard) -> Labels {
    let config::Pipeline { account, org, project, name, labels: extra, .. } = board.config.as_ref();
    let mut labels = labels(PIPELINE_LABELS, &[account.as_str(), org, project, name.as_str()]);
    for (name, value) in board.options.labels.iter().zip(extra) {
        labels.push(name, value);
    }
    labels
}

fn account_labels(name: &AccountName) -> Labels {
    labels(ACCOUNT_LABELS, &[name.as_str()])
}

fn labels(names: &[&str], values: &[&str]) -> Labels {
    let mut labels = Labels::default();
    for (name, value) in names.iter().zip(values) {
        labels.push(name, value);
    }
    labels
}
