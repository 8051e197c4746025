//! The labels of the metrics, each with the vocabulary its values come from.

use super::catalogue::{Label, words};
use super::own::{Endpoint, Loop, StatusKind};
use crate::config::Concurrency;
use crate::model::{
    ActiveState, FailureType, MissedReason, Origin, Outcome, PauseCause, Reason, RunResult,
    SlotResult, StageState, Status,
};

pub(super) const OUTCOME: Label = Label::closed("outcome", || words(Outcome::ALL, Outcome::as_str));
pub(super) const STATUS: Label = Label::closed("status", || words(Status::ALL, Status::as_str));
pub(super) const RESULT: Label =
    Label::closed("result", || words(RunResult::ALL, RunResult::as_str));
pub(super) const SLOT_RESULT: Label =
    Label::closed("result", || words(SlotResult::ALL, SlotResult::as_str));
pub(super) const STAGE_STATE: Label =
    Label::closed("state", || words(StageState::ALL, StageState::as_str));
pub(super) const ACTIVE_STATE: Label =
    Label::closed("state", || words(ActiveState::ALL, ActiveState::as_str));
pub(super) const REPORTED_STATE: Label =
    Label::closed("state", || vec!["successful", "running", "failed"]);
pub(super) const STAGE: Label = Label::open("stage", "Harness' stage identifier");
pub(super) const FAILURE_TYPE: Label =
    Label::closed("type", || words(FailureType::ALL, FailureType::as_str));
pub(super) const CAUSE: Label =
    Label::closed("cause", || words(PauseCause::ALL, PauseCause::as_str));
pub(super) const ORIGIN: Label = Label::closed("origin", || words(Origin::ALL, Origin::as_str));
pub(super) const FAILURE_REASON: Label =
    Label::closed("reason", || words(Reason::ALL, Reason::as_str));
pub(super) const MISSED_REASON: Label =
    Label::closed("reason", || words(MissedReason::ALL, MissedReason::as_str));

pub(super) const PIPELINE_IDENTIFIER: Label =
    Label::open("pipeline_identifier", "Harness' pipeline identifier");
pub(super) const TRIGGER: Label = Label::open("trigger", "Harness' trigger identifier");
pub(super) const SCHEDULE: Label =
    Label::open("schedule", "as written in the config; `every 15m` for an interval");
pub(super) const TIMEZONE: Label = Label::open("timezone", "an IANA name");
pub(super) const CONCURRENCY: Label = Label::closed("concurrency", || {
    words(&[Concurrency::Forbid, Concurrency::Allow], Concurrency::as_str)
});

pub(super) const EXECUTION_ID: Label = Label::open("execution_id", "Harness' id of the execution");
pub(super) const URL: Label =
    Label::open("url", "its page; empty where the pipeline has moved to another account since");

pub(super) const ACCOUNT: Label = Label::open("account", "the account's name in the config");
pub(super) const ENDPOINT: Label =
    Label::closed("endpoint", || words(Endpoint::ALL, Endpoint::as_str));
pub(super) const CODE: Label =
    Label::open("code", "100 to 599, or `error` where there was no answer");
pub(super) const KIND: Label = Label::closed("kind", || words(StatusKind::ALL, StatusKind::as_str));
pub(super) const LOOP: Label = Label::closed("loop", || words(Loop::ALL, Loop::as_str));
pub(super) const VERSION: Label = Label::open("version", "of the program");
pub(super) const REVISION: Label = Label::open("revision", "of its source");
pub(super) const RUSTVERSION: Label = Label::open("rustversion", "of the compiler");
