//! What the runs and the schedule of a pipeline say now: one entry a metric.
//!
//! "The newest run" is the one begun last among those with an execution, "the newest finished run"
//! the one with the latest end. A metric of a run that has no such value is left out: it never
//! falls back on an older run.

use std::time::Duration;

use super::catalogue::{Emit, Kind, Label, Metric, Number, Source, Value};
use super::labels::{
    ACTIVE_STATE, CAUSE, CONCURRENCY, EXECUTION_ID, FAILURE_REASON, FAILURE_TYPE, OUTCOME,
    PIPELINE_IDENTIFIER, REPORTED_STATE, RESULT, SCHEDULE, STAGE, STAGE_STATE, STATUS, TIMEZONE,
    TRIGGER, URL,
};
use super::stages;
use crate::board::PipelineBoard;
use crate::model::{
    ActiveState, ExecutionId, FailureType, Outcome, PauseCause, Phase, Run, RunResult, StageState,
    Wall,
};
use crate::schedule::Schedule;
use crate::totals::Key;

/// The gauges of a pipeline, in the order of the documentation.
pub(super) static FAMILIES: &[Metric] = &[
    gauge(
        "harness_pipeline_info",
        "What the config says of the pipeline. Always 1.",
        &[PIPELINE_IDENTIFIER, TRIGGER, SCHEDULE, TIMEZONE, CONCURRENCY],
        |board, emit| {
            let config = &board.config;
            let schedule = config.schedule.as_ref().map_or("", Schedule::text);
            let timezone = config.schedule.as_ref().map_or("UTC", Schedule::timezone);
            let concurrency = config.concurrency.as_str();
            let values = [&config.pipeline, &config.trigger, schedule, timezone, concurrency];
            emit(&values, count(1));
        },
    ),
    gauge(
        "harness_pipeline_last_trigger_outcome",
        "1 for what became of the trigger of the run begun last, 0 for everything else. All 0 \
         before the first run.",
        &[OUTCOME],
        |board, emit| {
            let outcome = board.newest.as_ref().map(|run| run.outcome);
            state_set(emit, (Outcome::ALL, Outcome::as_str), |value| outcome == Some(value));
        },
    ),
    gauge(
        "harness_pipeline_last_trigger_failure_reason",
        "1 for the reason why the trigger of the run begun last failed, as one series. Absent where \
         it did not fail.",
        &[FAILURE_REASON],
        |board, emit| {
            let ended = board.newest.as_ref().filter(|run| run.phase == Phase::Ended);
            if let Some(reason) = ended.and_then(|run| run.reason) {
                emit(&[reason.as_str()], count(1));
            }
        },
    ),
    gauge(
        "harness_pipeline_last_run_status",
        "1 for the status that the newest run has now, as one series. Absent until a status is \
         known.",
        &[STATUS],
        |board, emit| {
            if let Some(status) = executed(board).and_then(|run| run.status) {
                emit(&[status.as_str()], count(1));
            }
        },
    ),
    gauge(
        "harness_pipeline_last_run_result",
        "1 for the result of the newest finished run, 0 for the others. All 0 before the first.",
        &[RESULT],
        |board, emit| {
            let result = finished(board).and_then(|run| run.result);
            state_set(emit, (RunResult::ALL, RunResult::as_str), |value| result == Some(value));
        },
    ),
    gauge(
        "harness_pipeline_last_result_timestamp_seconds",
        "When a run last ended with this result. 0 = never.",
        &[RESULT],
        |board, emit| {
            for result in RunResult::ALL {
                emit(&[result.as_str()], millis(board.total(Key::LastResult(*result))));
            }
        },
    ),
    gauge(
        "harness_pipeline_last_run_duration_seconds",
        "From start to end of the newest finished run.",
        &[],
        |board, emit| optional(emit, finished(board).and_then(|run| run.duration).map(millis)),
    ),
    gauge(
        "harness_pipeline_last_run_queue_seconds",
        "From the webhook being accepted to the start of the newest run's execution, clocks \
         corrected.",
        &[],
        |board, emit| optional(emit, executed(board).and_then(|run| run.queue).map(millis)),
    ),
    gauge(
        "harness_pipeline_last_trigger_processing_seconds",
        "From the webhook being sent to Harness saying started or refused, of the run of which it \
         said so last.",
        &[],
        |board, emit| {
            let processing = board.newest_resolved.as_ref().and_then(|run| run.processing);
            optional(emit, processing.map(millis));
        },
    ),
    gauge(
        "harness_pipeline_last_run_stages",
        "How many stages of the newest run are in this state, by our reading of Harness' stage \
         map. Their sum is the number of stages. Absent until there is a map.",
        &[STAGE_STATE],
        |board, emit| {
            let run = executed(board).filter(|run| !run.stages.is_empty());
            let Some(run) = run else { return };
            for state in StageState::ALL {
                let there = run.stages.iter().filter(|stage| stage.status.stage_state() == *state);
                emit(&[state.as_str()], count(there.count()));
            }
        },
    ),
    gauge(
        "harness_pipeline_last_run_reported_stages",
        "How many stages of the newest run are in this state, as Harness counts them. It leaves \
         out most states.",
        &[REPORTED_STATE],
        |board, emit| {
            if let Some(reported) = executed(board).and_then(|run| run.reported) {
                emit(&["successful"], count(reported.successful));
                emit(&["running"], count(reported.running));
                emit(&["failed"], count(reported.failed));
            }
        },
    ),
    gauge(
        "harness_pipeline_last_run_stage_count",
        "How many stages the newest run has, as Harness counts them.",
        &[],
        |board, emit| {
            let reported = executed(board).and_then(|run| run.reported);
            optional(emit, reported.map(|reported| count(reported.total)));
        },
    ),
    gauge(
        "harness_pipeline_last_run_stage_duration_seconds",
        "How long a stage of the newest finished run took. At most 50 stages of a pipeline, and none \
         with metrics.stages: false.",
        &[STAGE],
        |board, emit| {
            for (id, stage) in stages::shown(board, finished(board)) {
                if let Some(duration) = stage.duration {
                    emit(&[id], millis(duration));
                }
            }
        },
    ),
    gauge(
        "harness_pipeline_last_run_stage_status",
        "1 for the status that a stage of the newest run has now. At most 50 stages of a pipeline, and \
         none with metrics.stages: false.",
        &[STAGE, STATUS],
        |board, emit| {
            for (id, stage) in stages::shown(board, executed(board)) {
                emit(&[id, stage.status.as_str()], count(1));
            }
        },
    ),
    gauge(
        "harness_pipeline_last_run_failure_type",
        "1 for each failure type that Harness names for the newest finished run.",
        &[FAILURE_TYPE],
        |board, emit| {
            let Some(run) = finished(board) else { return };
            for named in FailureType::ALL.iter().filter(|one| run.failure_types.contains(one)) {
                emit(&[named.as_str()], count(1));
            }
        },
    ),
    gauge(
        "harness_pipeline_last_run_number",
        "Harness' number of the newest run (runSequence).",
        &[],
        |board, emit| optional(emit, executed(board).and_then(|run| run.number).map(count)),
    ),
    gauge(
        "harness_pipeline_last_run_start_timestamp_seconds",
        "When the newest run started.",
        &[],
        |board, emit| optional(emit, executed(board).and_then(|run| run.start).map(instant)),
    ),
    gauge(
        "harness_pipeline_last_run_end_timestamp_seconds",
        "When the newest finished run ended; the moment of detection where Harness does not say.",
        &[],
        |board, emit| optional(emit, finished(board).and_then(|run| run.end).map(instant)),
    ),
    gauge(
        "harness_pipeline_last_trigger_timestamp_seconds",
        "When the run begun last was begun, whether or not it was sent.",
        &[],
        |board, emit| optional(emit, board.newest.as_ref().map(|run| instant(run.begun))),
    ),
    gauge(
        "harness_pipeline_next_trigger_timestamp_seconds",
        "When the pipeline will next be triggered, jitter included. Absent while it is paused and \
         where it has no schedule.",
        &[],
        |board, emit| optional(emit, board.next.map(instant)),
    ),
    gauge(
        "harness_pipeline_success_expected_by_timestamp_seconds",
        "By when the pipeline should have succeeded again: its second due time (pauses and \
         maintenance left out) after the latest of its last success, first load, last resume and \
         last edit of its schedule, plus jitter, plus twice the typical run, or 1 h while that is \
         unknown. Absent while it is paused and where it has no schedule.",
        &[],
        |board, emit| optional(emit, board.success_expected_by.map(instant)),
    ),
    gauge(
        "harness_pipeline_typical_run_duration_seconds",
        "The median duration of the last 30 successful runs. Absent before the third.",
        &[],
        |board, emit| optional(emit, board.typical_duration().map(duration)),
    ),
    gauge(
        "harness_pipeline_overdue_after_seconds",
        "How long a run should take, where the config says so (overdue_after).",
        &[],
        |board, emit| optional(emit, board.config.overdue_after.map(duration)),
    ),
    gauge(
        "harness_pipeline_consecutive_failures",
        "Runs finished with failure, error, timeout or lost since the last success. Cancelled and \
         skipped runs change nothing.",
        &[],
        |board, emit| emit(&[], count(board.total(Key::ConsecutiveFailures))),
    ),
    gauge(
        "harness_pipeline_consecutive_trigger_failures",
        "Failed triggers since the last one that started an execution.",
        &[],
        |board, emit| emit(&[], count(board.total(Key::ConsecutiveTriggerFailures))),
    ),
    gauge(
        "harness_pipeline_active_runs",
        "Runs that are not over. pending: begun, no execution known.",
        &[ACTIVE_STATE],
        |board, emit| {
            for state in ActiveState::ALL {
                emit(&[state.as_str()], count(board.active_in(*state).count()));
            }
        },
    ),
    gauge(
        "harness_pipeline_oldest_active_run_timestamp_seconds",
        "Since when the oldest run in this state has been in it. Absent where there is none.",
        &[ACTIVE_STATE],
        |board, emit| {
            for state in ActiveState::ALL {
                if let Some(since) = board.active_in(*state).map(|run| run.state_since).min() {
                    emit(&[state.as_str()], instant(since));
                }
            }
        },
    ),
    gauge(
        "harness_pipeline_paused",
        "1 where this keeps the pipeline from being triggered at its due times.",
        &[CAUSE],
        |board, emit| {
            let paused = |cause| board.is_paused_by(cause);
            state_set(emit, (PauseCause::ALL, PauseCause::as_str), paused);
        },
    ),
    gauge(
        "harness_pipeline_trigger_usable",
        "1 where the trigger was there, switched on and seen with this key when it was last looked \
         up, else 0. With a key only, and absent before the first look-up.",
        &[],
        |board, emit| {
            let known = board.totals.get(&Key::TriggerUsable).filter(|_| board.has_key);
            optional(emit, known.map(|usable| count(u64::from(*usable == 1))));
        },
    ),
    gauge(
        "harness_pipeline_last_run_info",
        "The execution of the newest run, and the page on which Harness shows it. Always 1. Absent \
         without metrics.run_info: true, for every run makes a new series.",
        &[EXECUTION_ID, URL],
        |board, emit| {
            let Some(run) = executed(board).filter(|_| board.options.run_info) else { return };
            let execution = run.execution.as_ref().map_or("", ExecutionId::as_str);
            let page = board.execution_page(run).map_or_else(String::new, String::from);
            emit(&[execution, &page], count(1));
        },
    ),
];

const fn gauge(
    name: &'static str,
    help: &'static str,
    labels: &'static [Label],
    collect: fn(&PipelineBoard, &mut Emit<'_>),
) -> Metric {
    Metric { name, kind: Kind::Gauge, help, labels, source: Source::Pipeline(collect) }
}

fn executed(board: &PipelineBoard) -> Option<&Run> {
    board.newest_executed.as_deref()
}

fn finished(board: &PipelineBoard) -> Option<&Run> {
    board.newest_finished.as_deref()
}

fn state_set<T: Copy>(
    emit: &mut Emit<'_>,
    (all, word): (&[T], fn(T) -> &'static str),
    holds: impl Fn(T) -> bool,
) {
    for value in all {
        emit(&[word(*value)], count(u8::from(holds(*value))));
    }
}

fn optional(emit: &mut Emit<'_>, value: Option<Value<'_>>) {
    if let Some(value) = value {
        emit(&[], value);
    }
}

fn count(value: impl TryInto<i64>) -> Value<'static> {
    Value::Number(Number::Count(value.try_into().unwrap_or(i64::MAX)))
}

fn millis(value: i64) -> Value<'static> {
    Value::Number(Number::Millis(value))
}

fn duration(value: Duration) -> Value<'static> {
    millis(i64::try_from(value.as_millis()).unwrap_or(i64::MAX))
}

fn instant(value: Wall) -> Value<'static> {
    millis(value.0)
}
