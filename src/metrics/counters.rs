//! What is counted over a pipeline's and an account's life: one entry a metric.
//!
//! The numbers are the totals of the books and nothing else, so they go on over a restart.

use super::catalogue::{Emit, Histogram, Kind, Label, Metric, Number, Source, Value};
use super::labels::{FAILURE_REASON, MISSED_REASON, ORIGIN, RESULT, SLOT_RESULT};
use crate::board::{AccountBoard, Distribution, PipelineBoard};
use crate::model::{MissedReason, Origin, Reason, RunResult, SlotResult};
use crate::totals::Key;

/// The counters and histograms, in the order of the documentation.
pub(super) static FAMILIES: &[Metric] = &[
    counter(
        "harness_pipeline_triggers_total",
        "Runs begun. They equal trigger failures plus finished runs plus active runs.",
        &[ORIGIN],
        |board, emit| each(board, emit, (Origin::ALL, Origin::as_str), Key::Triggers),
    ),
    counter(
        "harness_pipeline_trigger_failures_total",
        "Runs that ended as a failed trigger: no execution was ever known.",
        &[FAILURE_REASON],
        |board, emit| each(board, emit, (Reason::ALL, Reason::as_str), Key::TriggerFailures),
    ),
    counter(
        "harness_pipeline_runs_total",
        "Runs that had an execution and ended.",
        &[RESULT],
        |board, emit| each(board, emit, (RunResult::ALL, RunResult::as_str), Key::Runs),
    ),
    counter(
        "harness_pipeline_schedules_missed_total",
        "Due times for which nothing was attempted.",
        &[MISSED_REASON],
        |board, emit| each(board, emit, (MissedReason::ALL, MissedReason::as_str), Key::Missed),
    ),
    counter(
        "harness_pipeline_foreign_runs_total",
        "Executions of this trigger that others have started while this exporter ran: another one on \
         the same config, or a person. Looked for every 10 minutes where a call can be spared; with a \
         key only.",
        &[],
        |board, emit| {
            if board.has_key {
                emit(&[], Value::Number(Number::Count(board.total(Key::ForeignRuns))));
            }
        },
    ),
    counter(
        "harness_pipeline_slots_total",
        "Due times settled, retries included: the service level. Cancelled and skipped runs and \
         skipped triggers settle none.",
        &[SLOT_RESULT],
        |board, emit| each(board, emit, (SlotResult::ALL, SlotResult::as_str), Key::Slots),
    ),
    Metric {
        name: "harness_pipeline_run_duration_seconds",
        kind: Kind::Histogram,
        help: "How long finished runs took, from start to end. A result's series begin when it is \
               first seen. Its buckets are metrics.duration_buckets; changed ones begin it anew.",
        labels: &[RESULT],
        source: Source::Pipeline(|board, emit| {
            for result in RunResult::ALL {
                if let Some(durations) = board.durations(*result) {
                    emit(&[result.as_str()], Value::Histogram(&Histogram::from(durations)));
                }
            }
        }),
    },
    account_histogram(
        "harness_run_queue_seconds",
        "From the webhook being accepted to the execution's start, clocks corrected, of finished \
         runs.",
        |board, emit| observe(emit, board.queue()),
    ),
    account_histogram(
        "harness_trigger_processing_seconds",
        "From the webhook being sent to Harness saying started or refused.",
        |board, emit| observe(emit, board.processing()),
    ),
];

const fn counter(
    name: &'static str,
    help: &'static str,
    labels: &'static [Label],
    collect: fn(&PipelineBoard, &mut Emit<'_>),
) -> Metric {
    Metric { name, kind: Kind::Counter, help, labels, source: Source::Pipeline(collect) }
}

const fn account_histogram(
    name: &'static str,
    help: &'static str,
    collect: fn(&AccountBoard, &mut Emit<'_>),
) -> Metric {
    Metric { name, kind: Kind::Histogram, help, labels: &[], source: Source::Account(collect) }
}

/// One series for each word of a vocabulary, 0 where nothing was counted.
fn each<T: Copy>(
    board: &PipelineBoard,
    emit: &mut Emit<'_>,
    (all, word): (&[T], fn(T) -> &'static str),
    key: fn(T) -> Key,
) {
    for value in all {
        emit(&[word(*value)], Value::Number(Number::Count(board.total(key(*value)))));
    }
}

fn observe(emit: &mut Emit<'_>, distribution: Distribution) {
    emit(&[], Value::Histogram(&Histogram::from(distribution)));
}
