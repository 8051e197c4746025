//! Our record of one triggering.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    AccountName, EventId, ExecutionId, FailureType, Origin, Outcome, PipelineName, Reason, RunId,
    RunResult, Status, Target, Wall,
};

/// Where a run is between being asked for and being over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Asked for by hand and saved; not sent yet.
    Due,
    /// Saved, and its webhook may have left. Found after a crash it means: fate unknown.
    Sending,
    /// The last attempt to send certainly started nothing; another follows.
    Waiting,
    /// Sent, and nobody knows whether Harness acted: its execution is looked for.
    Unconfirmed,
    /// Harness took the webhook and has not said what became of it.
    Accepted,
    /// Harness named an execution.
    Executing,
    /// Over, and counted.
    Ended,
}

/// Where an active run stands: the label `state` of `harness_pipeline_active_runs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ActiveState {
    /// Begun, no execution known.
    Pending,
    /// An execution that has not begun to work.
    Queued,
    /// An execution at work.
    Executing,
    /// An execution that goes on only when a person does something.
    WaitingPerson,
}

impl ActiveState {
    /// Every state, in the order of the documentation.
    pub const ALL: &'static [Self] =
        &[Self::Pending, Self::Queued, Self::Executing, Self::WaitingPerson];

    /// The state as it stands in a label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Queued => "queued",
            Self::Executing => "executing",
            Self::WaitingPerson => "waiting_person",
        }
    }
}

/// Why an attempt to send a webhook certainly started nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Setback {
    /// Answered 429.
    Throttled,
    /// Nothing left this machine.
    NeverLeft,
    /// No call was made, for want of a secret say.
    NotSent,
    /// The URL is not one of this Harness'.
    UnknownPath,
}

/// One stage of an execution, by our reading of Harness' stage map.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// `nodeIdentifier`, at most 128 characters.
    pub id: String,
    /// Where it stands.
    pub status: Status,
    /// How long it took, in milliseconds, once it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<i64>,
}

/// Harness' own stage counts. They leave out most statuses: an expired run shows 0, 0, 0 of 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedStages {
    /// `successfulStagesCount`.
    pub successful: u64,
    /// `runningStagesCount`.
    pub running: u64,
    /// `failedStagesCount`.
    pub failed: u64,
    /// `totalStagesCount`.
    pub total: u64,
}

/// One triggering of a pipeline, from being begun to ended.
///
/// It ends in exactly one of two ways: as a failed trigger (`reason` is set and no execution was
/// ever known) or with a `result`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Unique over all runs.
    pub id: RunId,
    /// The pipeline it triggers.
    pub pipeline: PipelineName,
    /// The account of that pipeline when the run was begun.
    pub account: AccountName,
    /// Why it was begun.
    pub origin: Origin,
    /// The due time it is for, jitter not included; none for a manual one.
    pub due: Option<Wall>,
    /// 1 for the first run of a due time, 2 for its first retry.
    pub attempt: u32,
    /// The JSON body that was asked for, where it is not the config's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Arc<str>>,
    /// Where it stands.
    pub phase: Phase,
    /// When it was begun: first saved.
    pub begun: Wall,
    /// When its webhook was last sent.
    pub sent: Option<Wall>,
    /// When Harness answered the webhook with an event id.
    pub accepted: Option<Wall>,
    /// The event id; none of one that was found by looking for its execution.
    pub event: Option<EventId>,
    /// The execution id.
    pub execution: Option<ExecutionId>,
    /// What became of the trigger.
    pub outcome: Outcome,
    /// Why the trigger failed, where it did.
    pub reason: Option<Reason>,
    /// When Harness said started or refused, by our clock.
    pub resolved: Option<Wall>,
    /// From the webhook being sent to `resolved`, in milliseconds.
    pub processing: Option<i64>,
    /// Harness' status of the execution, once a summary was read.
    pub status: Option<Status>,
    /// How it ended, once it has.
    pub result: Option<RunResult>,
    /// Since when it is in its present active state.
    pub state_since: Wall,
    /// When the execution started, by our clock.
    pub start: Option<Wall>,
    /// When it ended, by our clock; the moment of detection where Harness gives no time.
    pub end: Option<Wall>,
    /// From `startTs` to `endTs`, in milliseconds.
    pub duration: Option<i64>,
    /// From being accepted to the execution's start, in milliseconds, clocks corrected.
    pub queue: Option<i64>,
    /// Harness' `runSequence`.
    pub number: Option<u64>,
    /// Harness' own stage counts.
    pub reported: Option<ReportedStages>,
    /// The stages; none until a summary had a stage map.
    #[serde(default)]
    pub stages: Vec<Stage>,
    /// The failure types Harness names, each once.
    #[serde(default)]
    pub failure_types: Vec<FailureType>,
    /// What Harness said about it, redacted and shortened; for people, never for a label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Whether a status of its execution that is not in our tables was counted.
    #[serde(default)]
    pub unknown_status: bool,
    /// Whether a status of its event that is not in our tables was counted.
    #[serde(default)]
    pub unknown_trigger_status: bool,
    /// Why the last attempt to send it certainly started nothing, where one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setback: Option<Setback>,
    /// Why its fate is not known, while its execution is looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<Reason>,
    /// What it triggered, where a key lets its execution be looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
    /// When another attempt at its due time follows, where one does: until then the due time is not
    /// settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Wall>,
    /// When we recorded its end.
    pub ended: Option<Wall>,
}

impl Run {
    /// A run that somebody asked for and that has not been sent.
    #[must_use]
    pub const fn new(id: RunId, pipeline: PipelineName, account: AccountName, begun: Wall) -> Self {
        Self {
            id,
            pipeline,
            account,
            origin: Origin::Manual,
            due: None,
            attempt: 1,
            payload: None,
            phase: Phase::Due,
            begun,
            sent: None,
            accepted: None,
            event: None,
            execution: None,
            outcome: Outcome::Pending,
            reason: None,
            resolved: None,
            processing: None,
            status: None,
            result: None,
            state_since: begun,
            start: None,
            end: None,
            duration: None,
            queue: None,
            number: None,
            reported: None,
            stages: Vec::new(),
            failure_types: Vec::new(),
            message: None,
            unknown_status: false,
            unknown_trigger_status: false,
            setback: None,
            doubt: None,
            target: None,
            retry_at: None,
            ended: None,
        }
    }

    /// Whether it is not over yet.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.phase != Phase::Ended
    }

    /// The state an active run is in; of an ended one, the state it was in last.
    #[must_use]
    pub fn active_state(&self) -> ActiveState {
        match (&self.execution, self.status) {
            (None, _) => ActiveState::Pending,
            (
                Some(_),
                None | Some(Status::Queued | Status::NotStarted | Status::WaitingResource),
            ) => ActiveState::Queued,
            (Some(_), Some(status)) if status.waits_for_person() => ActiveState::WaitingPerson,
            (Some(_), Some(_)) => ActiveState::Executing,
        }
    }
}
