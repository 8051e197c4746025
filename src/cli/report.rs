//! A run as it is shown: in a line, in a block, or as a JSON object.
//!
//! The object's fields are public interface and always there, null where there is no value. They
//! are those of a run in the HTTP API, and `message`.

use std::fmt::Write;
use std::time::Duration;

use serde::Serialize;
use url::Url;

use super::args::Output;
use super::escaped;
use crate::config::duration::Span;
use crate::model::{Origin, Outcome, Reason, Run, RunResult, Stage, Status, Wall};

/// What is known of a run or an event.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    id: Option<String>,
    pipeline: Option<String>,
    origin: Option<Origin>,
    due: Option<String>,
    begun: Option<String>,
    sent: Option<String>,
    event: Option<String>,
    execution: Option<String>,
    outcome: Outcome,
    reason: Option<Reason>,
    status: Option<Status>,
    result: Option<RunResult>,
    start: Option<String>,
    end: Option<String>,
    duration_seconds: Option<f64>,
    stages: Vec<StageReport>,
    url: Option<String>,
    message: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
struct StageReport {
    id: String,
    status: Status,
    duration_seconds: Option<f64>,
}

impl Report {
    /// Of a run that this process began; `url` is the page of its execution.
    pub(super) fn of_run(run: &Run, url: Option<Url>) -> Self {
        let time = |wall: Wall| wall.to_string();
        Self {
            id: Some(run.id.to_string()),
            pipeline: Some(run.pipeline.to_string()),
            origin: Some(run.origin),
            due: run.due.map(time),
            begun: Some(time(run.begun)),
            sent: run.sent.map(time),
            event: run.event.as_ref().map(ToString::to_string),
            execution: run.execution.as_ref().map(ToString::to_string),
            outcome: run.outcome,
            reason: run.reason,
            status: run.status,
            result: run.result,
            start: run.start.map(time),
            end: run.end.map(time),
            duration_seconds: run.duration.map(seconds),
            stages: run.stages.iter().map(StageReport::of).collect(),
            url: url.map(String::from),
            message: run.message.clone(),
        }
    }

    /// Of an event that somebody else may have caused: how and when it was begun is not known.
    pub(super) fn of_event(run: &Run, pipeline: Option<String>, url: Option<Url>) -> Self {
        Self { id: None, pipeline, origin: None, begun: None, ..Self::of_run(run, url) }
    }

    /// The event's id and nothing else, for a script.
    pub(super) fn event_alone(&self) -> String {
        format!("{}\n", self.event.as_deref().unwrap_or_default())
    }

    /// The same where there are several.
    pub(super) fn name_and_event(&self) -> String {
        let name = escaped(self.pipeline.as_deref().unwrap_or_default());
        format!("{name} {}", self.event_alone())
    }

    /// It in this form, with a line end.
    pub(super) fn written(&self, output: Output, text: fn(&Self) -> String) -> String {
        match output {
            Output::Text => text(self),
            // Texts, numbers and lists can always be written.
            Output::Json => serde_json::to_string(self).unwrap_or_default() + "\n",
        }
    }

    /// In one line.
    pub(super) fn line(&self) -> String {
        let who = self.pipeline.as_ref().or(self.event.as_ref()).map_or("", String::as_str);
        let page = self.url.as_ref().map(|url| format!(", {}", escaped(url)));
        format!("{}: {}{}\n", escaped(who), self.news(), page.unwrap_or_default())
    }

    /// How it stands, in few words.
    pub(super) fn news(&self) -> String {
        let details = [Some(self.verdict()), self.stage_counts(), self.message.clone()];
        escaped(&details.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }

    /// One value a line, and then the stages.
    pub(super) fn block(&self) -> String {
        let mut block = String::new();
        let rows = [
            ("event", self.event.clone()),
            ("pipeline", self.pipeline.clone()),
            ("outcome", Some(self.outcome.to_string())),
            ("reason", self.reason.map(|reason| reason.to_string())),
            ("execution", self.execution.clone()),
            ("status", self.status.map(|status| status.to_string())),
            ("result", self.result.map(|result| result.to_string())),
            ("start", self.start.clone()),
            ("end", self.end.clone()),
            ("duration", self.duration_seconds.map(length)),
            ("message", self.message.clone()),
            ("page", self.url.clone()),
        ];
        for (name, value) in rows {
            if let Some(value) = value {
                // Writing to a string does not fail.
                let _ = writeln!(block, "{name:<10} {}", escaped(&value));
            }
        }
        let widest = self.stages.iter().map(|stage| stage.id.chars().count()).max().unwrap_or(0);
        for (index, stage) in self.stages.iter().enumerate() {
            let name = if index == 0 { "stages" } else { "" };
            let (id, status) = (escaped(&stage.id), stage.status);
            let took = stage.duration_seconds.map(|took| format!(" {}", length(took)));
            let took = took.unwrap_or_default();
            let _ = writeln!(block, "{name:<10} {id:widest$} {status}{took}");
        }
        block
    }

    fn verdict(&self) -> String {
        let after = self.duration_seconds.map(|took| format!(" after {}", length(took)));
        let after = after.unwrap_or_default();
        match (self.result, self.reason, self.status, &self.execution) {
            (Some(result), ..) => format!("{result}{after}"),
            (None, Some(reason), ..) => format!("trigger {}, {reason}", self.outcome),
            (None, None, Some(status), _) => status.to_string(),
            (None, None, None, Some(execution)) => format!("execution {execution} requested"),
            (None, None, None, None) => {
                let event = self.event.as_ref().map(|event| format!(", event {event}"));
                format!("{}{}", self.outcome, event.unwrap_or_default())
            }
        }
    }

    /// `2 succeeded, 1 failed`: how many stages there are of each kind, in the order of the metrics.
    fn stage_counts(&self) -> Option<String> {
        use crate::model::StageState;
        let count = |state: &StageState| {
            let count = self.stages.iter().filter(|s| s.status.stage_state() == *state).count();
            (count > 0).then(|| format!("{count} {state}"))
        };
        let counts: Vec<String> = StageState::ALL.iter().filter_map(count).collect();
        (!counts.is_empty()).then(|| format!("stages: {}", counts.join(" and ")))
    }
}

impl StageReport {
    fn of(stage: &Stage) -> Self {
        let duration_seconds = stage.duration.map(seconds);
        Self { id: stage.id.clone(), status: stage.status, duration_seconds }
    }
}

fn seconds(millis: i64) -> f64 {
    millis as f64 / 1000.0
}

/// As Prometheus writes it: `1h30m`.
fn length(seconds: f64) -> String {
    Span(Duration::try_from_secs_f64(seconds).unwrap_or_default()).told().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AccountName, EventId, ExecutionId, Phase, PipelineName, RunId};

    fn run() -> Run {
        let pipeline = PipelineName::new("check\u{1b}out");
        let id = RunId::of_request(&pipeline, 255);
        Run::new(id, pipeline, AccountName::new("default"), Wall(1_795_489_911_000))
    }

    fn ended() -> Run {
        let stage = |id: &str, status, duration| Stage { id: id.to_owned(), status, duration };
        Run {
            phase: Phase::Ended,
            event: Some(EventId::new("65a1b2c3d4e5f60718293a4b").unwrap()),
            execution: Some(ExecutionId::new("0123456789abcdefghijkl").unwrap()),
            outcome: Outcome::Started,
            status: Some(Status::Failed),
            result: Some(RunResult::Failure),
            start: Some(Wall(1_795_489_912_500)),
            end: Some(Wall(1_795_490_812_500)),
            duration: Some(900_000),
            stages: vec![
                stage("build", Status::Success, Some(360_000)),
                stage("re\nindex", Status::Failed, Some(540_000)),
                stage("deploy", Status::NotStarted, None),
            ],
            message: Some("disk full".to_owned()),
            ..run()
        }
    }

    #[test]
    fn a_person_reads_a_line_or_a_block() {
        let page = Url::parse("https://app.harness.io/ng/x").ok();
        let report = Report::of_run(&ended(), page);
        insta::assert_snapshot!(report.line(), @r"check\u{1b}out: failure after 15m, stages: 1 queued and 1 succeeded and 1 failed, disk full, https://app.harness.io/ng/x");
        insta::assert_snapshot!(report.block(), @r"
        event      65a1b2c3d4e5f60718293a4b
        pipeline   check\u{1b}out
        outcome    started
        execution  0123456789abcdefghijkl
        status     failed
        result     failure
        start      2026-11-24T03:11:52.5Z
        end        2026-11-24T03:26:52.5Z
        duration   15m
        message    disk full
        page       https://app.harness.io/ng/x
        stages     build    success 6m
                   re\nindex failed 9m
                   deploy   not_started
        ");
        let begun = Report::of_run(&run(), None);
        insta::assert_snapshot!(begun.line(), @r"check\u{1b}out: pending");
    }

    #[test]
    fn a_program_reads_the_same_fields_every_time() {
        let keys = |report: &Report| -> Vec<String> {
            let json = report.written(Output::Json, Report::line);
            let value: serde_json::Value = serde_json::from_str(&json).unwrap();
            value.as_object().unwrap().keys().cloned().collect()
        };
        let mut contract: Vec<&str> = "id, pipeline, origin, due, begun, sent, event, execution, \
            outcome, reason, status, result, start, end, duration_seconds, stages, url, message"
            .split(", ")
            .collect();
        contract.sort_unstable();
        assert_eq!(keys(&Report::of_run(&ended(), None)), contract);
        assert_eq!(keys(&Report::of_event(&run(), None, None)), contract);
    }
}
