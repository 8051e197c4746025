//! The life of one run: what each thing that happens makes of its record.
//!
//! Each function takes the record and says which changes it went through. None of them knows of
//! other runs, of timers or of calls; when to look again is the engine's to say.

use std::sync::Arc;
use std::time::Duration;

use crate::config::Results;
use crate::model::{
    Change, EventDetails, EventId, ExecutionId, FailureType, LONGEST_DURATION, Now, Outcome, Phase,
    Reason, ReportedStages, Run, RunResult, Status, Summary, Target, TriggerClass, TriggerStatus,
    Wall,
};
use crate::stages;

const DAY: i64 = 24 * 60 * 60 * 1000;

/// 2000-01-01T00:00:00Z: Harness knows no earlier time.
const EARLIEST: i64 = 946_684_800_000;

/// Clocks that differ by less are taken as equal, in milliseconds: `Date` has whole seconds.
const SKEW_IGNORED: i64 = 2_000;

/// With what eyes an answer is read.
#[derive(Clone, Copy, Debug)]
pub struct Sight {
    /// When it was read.
    pub now: Now,
    /// How long ago the webhook was sent.
    pub since_sent: Duration,
    /// How far Harness' clock is ahead of ours, in milliseconds.
    pub skew: Option<i64>,
    /// What a status counts as.
    pub results: Results,
}

/// A word of Harness' that is not in our tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnknownWord {
    /// A status of an execution.
    Execution(String),
    /// A status of an event.
    Trigger(String),
}

/// What reading an answer brought.
#[derive(Debug, Default)]
pub struct Reading {
    /// The record after each change, in order.
    pub changes: Vec<(Change, Arc<Run>)>,
    /// Words that were met for the first time in this run.
    pub unknown: Vec<UnknownWord>,
}

/// The webhook was taken. What stood in the way of earlier attempts is no longer of interest.
pub fn accepted(run: &mut Run, event: EventId, now: Now) -> Change {
    run.accepted = Some(now.wall);
    run.event = Some(event);
    run.message = None;
    run.phase = Phase::Accepted;
    Change::Accepted
}

/// Nobody knows whether Harness acted on the webhook, for this reason: its execution is looked for.
pub fn unconfirmed(run: &mut Run, doubt: Reason, target: Target) -> Change {
    run.outcome = Outcome::Unconfirmed;
    run.doubt = Some(doubt);
    run.target = Some(target);
    run.phase = Phase::Unconfirmed;
    Change::Unconfirmed
}

/// The execution of a run of unknown fate was found. When Harness decided to start it is not known.
pub fn adopted(run: &mut Run, execution: ExecutionId, now: Now) -> Change {
    run.execution = Some(execution);
    run.outcome = Outcome::Started;
    run.doubt = None;
    run.message = None;
    run.phase = Phase::Executing;
    run.state_since = now.wall;
    Change::Started
}

/// The trigger failed; the run is over and no execution was ever known.
pub fn trigger_failed(run: &mut Run, outcome: Outcome, reason: Reason, now: Now) -> Change {
    run.outcome = outcome;
    run.reason = Some(reason);
    run.doubt = None;
    run.phase = Phase::Ended;
    run.ended = Some(now.wall);
    Change::TriggerFailed
}

/// The execution can't be found any more, or never ended.
pub fn lost(run: &mut Run, now: Now) -> Change {
    run.status = Some(Status::Lost);
    run.result = Some(RunResult::Lost);
    run.end = Some(now.wall);
    run.phase = Phase::Ended;
    run.ended = Some(now.wall);
    Change::Finished
}

/// Takes in what Harness says about the event.
pub fn read(run: &mut Run, details: &EventDetails, sight: &Sight) -> Reading {
    let mut reading = Reading::default();
    if run.phase == Phase::Accepted {
        resolve(run, details, sight, &mut reading);
    }
    if let Some(summary) = &details.summary {
        follow_its_own(run, summary, sight, &mut reading);
    }
    reading
}

/// Takes in what Harness says about the execution itself.
pub fn read_summary(run: &mut Run, summary: &Summary, sight: &Sight) -> Reading {
    let mut reading = Reading::default();
    follow_its_own(run, summary, sight, &mut reading);
    reading
}

fn follow_its_own(run: &mut Run, summary: &Summary, sight: &Sight, reading: &mut Reading) {
    // Several triggers may match one event; the answer then speaks of the one that came last.
    let its_own = summary.execution.is_none() || summary.execution == run.execution;
    if run.phase == Phase::Executing && its_own {
        follow(run, summary, sight, reading);
    }
}

fn resolve(run: &mut Run, details: &EventDetails, sight: &Sight, reading: &mut Reading) {
    let class = TriggerStatus::of(&details.status);
    if class == TriggerClass::Unknown && !details.status.is_empty() && !run.unknown_trigger_status {
        run.unknown_trigger_status = true;
        reading.unknown.push(UnknownWord::Trigger(details.status.clone()));
    }
    let named = details.summary.as_ref().and_then(|summary| summary.execution.clone());
    if let Some(execution) = details.execution.clone().or(named) {
        started(run, execution, sight);
        reading.changes.push((Change::Started, Arc::new(run.clone())));
        return;
    }
    let (outcome, reason) = match class {
        // A success without an execution, and a word we do not know, may still come to have one.
        TriggerClass::Pending | TriggerClass::Success | TriggerClass::Unknown => return,
        _ if !details.found => return,
        TriggerClass::Skipped => (Outcome::Skipped, Reason::Skipped),
        TriggerClass::NoMatchingTrigger => (Outcome::Failed, Reason::NoMatchingTrigger),
        TriggerClass::StartRefused => (Outcome::Failed, Reason::StartRefused),
        TriggerClass::ProcessingError => (Outcome::Failed, Reason::ProcessingError),
        TriggerClass::Other => (Outcome::Failed, Reason::Other),
    };
    run.message.clone_from(&details.message);
    resolved(run, sight);
    let change = trigger_failed(run, outcome, reason, sight.now);
    reading.changes.push((change, Arc::new(run.clone())));
}

fn resolved(run: &mut Run, sight: &Sight) {
    run.resolved = Some(sight.now.wall);
    run.processing = i64::try_from(sight.since_sent.as_millis()).ok();
}

fn started(run: &mut Run, execution: ExecutionId, sight: &Sight) {
    resolved(run, sight);
    run.execution = Some(execution);
    run.outcome = Outcome::Started;
    run.phase = Phase::Executing;
    run.state_since = sight.now.wall;
}

fn follow(run: &mut Run, summary: &Summary, sight: &Sight, reading: &mut Reading) {
    if summary.status.is_empty() {
        return;
    }
    let before = run.clone();
    let state = run.active_state();
    let status = Status::of(&summary.status);
    if status == Status::Unknown && !run.unknown_status {
        run.unknown_status = true;
        reading.unknown.push(UnknownWord::Execution(summary.status.clone()));
    }
    run.status = Some(status);
    take_details(run, summary, sight);
    if let Some(result) = sight.results.of(status) {
        finish(run, summary, result, sight);
        reading.changes.push((Change::Finished, Arc::new(run.clone())));
        return;
    }
    if run.active_state() != state {
        run.state_since = sight.now.wall;
    }
    if *run != before {
        reading.changes.push((Change::Progress, Arc::new(run.clone())));
    }
}

fn take_details(run: &mut Run, summary: &Summary, sight: &Sight) {
    run.number = summary.number.or(run.number);
    let stages = stages::read(summary);
    if !stages.is_empty() {
        run.stages = stages;
    }
    run.reported = reported(summary).or(run.reported);
    run.failure_types = failure_types(&summary.failure_types);
    if summary.message.is_some() {
        run.message.clone_from(&summary.message);
    }
    if let Some(start) = believable(summary.start, sight).filter(|_| run.start.is_none()) {
        let ours = by_our_clock(start, sight);
        run.start = Some(ours.min(sight.now.wall));
        run.queue = run.accepted.and_then(|accepted| queue(accepted, ours));
    }
}

fn finish(run: &mut Run, summary: &Summary, result: RunResult, sight: &Sight) {
    let now = sight.now.wall;
    let end = believable(summary.end, sight);
    run.duration = match (believable(summary.start, sight), end, run.start) {
        (Some(start), Some(end), _) => Some(end.0.saturating_sub(start.0)),
        // Harness gives no end now and then; then it ended when we saw it.
        (_, None, Some(start)) => Some(now.0.saturating_sub(start.0)),
        _ => None,
    }
    .filter(|duration| (0..=LONGEST_DURATION).contains(duration));
    // Nothing has ended after it was seen to have ended.
    run.end = Some(end.map_or(now, |end| by_our_clock(end, sight).min(now)));
    run.result = Some(result);
    run.phase = Phase::Ended;
    run.ended = Some(now);
}

fn reported(summary: &Summary) -> Option<ReportedStages> {
    Some(ReportedStages {
        total: summary.total_stages?,
        successful: summary.successful_stages.unwrap_or(0),
        running: summary.running_stages.unwrap_or(0),
        failed: summary.failed_stages.unwrap_or(0),
    })
}

fn failure_types(words: &[String]) -> Vec<FailureType> {
    let mut types: Vec<FailureType> = words.iter().map(|word| FailureType::of(word)).collect();
    types.sort_unstable();
    types.dedup();
    types
}

/// A time of Harness' that can be one. A simulated or badly set clock may be ahead; a time beyond
/// any run's length is none.
fn believable(time: Option<Wall>, sight: &Sight) -> Option<Wall> {
    let latest = sight.now.wall.0.saturating_add(LONGEST_DURATION);
    time.filter(|time| (EARLIEST..=latest).contains(&time.0))
}

fn by_our_clock(time: Wall, sight: &Sight) -> Wall {
    Wall(time.0.saturating_sub(correction(sight.skew)))
}

/// By how many milliseconds Harness' times are to be corrected, where its clock is so far ahead.
#[must_use]
pub fn correction(skew: Option<i64>) -> i64 {
    skew.filter(|skew| skew.abs() > SKEW_IGNORED && skew.abs() <= DAY).unwrap_or(0)
}

/// From being accepted to the start. Clocks differ by a little, so a small negative time is none.
fn queue(accepted: Wall, start: Wall) -> Option<i64> {
    let queue = start.0.saturating_sub(accepted.0);
    (-DAY..=DAY).contains(&queue).then_some(queue.max(0))
}

#[cfg(test)]
mod tests;
