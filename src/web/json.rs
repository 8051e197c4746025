//! What the API says of pipelines and runs. Times are RFC 3339; what is not known is null.

use serde_json::{Value, json};

use super::pages::{missed, pauses, runs};
use crate::board::PipelineBoard;
use crate::model::{Reason, Run, RunResult, Status, Wall};
use crate::schedule::Schedule;

fn at(wall: Option<Wall>) -> Option<String> {
    wall.map(|wall| wall.to_string())
}

fn seconds(millis: Option<i64>) -> Option<f64> {
    millis.map(|millis| millis as f64 / 1000.0)
}

/// A run; `url` is where Harness shows its execution.
pub(super) fn run(run: &Run, url: Option<&str>) -> Value {
    let stages = run.stages.iter().map(|stage| {
        let took = seconds(stage.duration);
        json!({ "id": stage.id, "status": stage.status.as_str(), "duration_seconds": took })
    });
    json!({
        "id": run.id,
        "pipeline": run.pipeline,
        "origin": run.origin.as_str(),
        "due": at(run.due),
        "begun": at(Some(run.begun)),
        "sent": at(run.sent),
        "event": run.event,
        "execution": run.execution,
        "outcome": run.outcome.as_str(),
        "reason": run.reason.map(Reason::as_str),
        "status": run.status.map(Status::as_str),
        "result": run.result.map(RunResult::as_str),
        "start": at(run.start),
        "end": at(run.end),
        "duration_seconds": seconds(run.duration),
        "stages": stages.collect::<Vec<_>>(),
        "url": url,
    })
}

/// A pipeline, without its runs.
pub(super) fn pipeline(pipeline: &PipelineBoard) -> Value {
    let config = &pipeline.config;
    json!({
        "name": config.name,
        "account": config.account,
        "org": config.org,
        "project": config.project,
        "pipeline": config.pipeline,
        "trigger": config.trigger,
        "schedule": config.schedule.as_ref().map(Schedule::text),
        "paused": pauses(pipeline),
        "next": at(pipeline.next),
        "active_runs": pipeline.active.len(),
        "missed": missed(pipeline),
        "success_expected_by": at(pipeline.success_expected_by),
    })
}

/// A pipeline with the runs that the board has, newest first.
pub(super) fn pipeline_with_runs(
    board: &PipelineBoard,
    url: impl Fn(&Run) -> Option<String>,
) -> Value {
    let mut value = pipeline(board);
    if let Some(object) = value.as_object_mut() {
        let runs = runs(board).map(|of| run(of, url(of).as_deref()));
        object.insert("runs".to_owned(), runs.collect());
    }
    value
}
