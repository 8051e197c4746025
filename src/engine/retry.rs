//! Trying a due time again that went wrong.
//!
//! That it is to be tried again is part of the record of the run that went wrong, so that it
//! outlives the process; until it is decided whether another attempt begins, the due time is not
//! settled. An attempt that is not sent before the next due time comes was no run.

use std::sync::Arc;
use std::time::Duration;

use super::account::Job;
use super::{Active, Effect, Engine};
use crate::model::{
    Change, Fact, Mono, Now, Origin, Outcome, PipelineName, Run, RunId, RunResult, Wall,
};

/// A due time that is to be tried again.
#[derive(Debug)]
pub(super) struct Retrying {
    /// The attempt that went wrong.
    pub(super) run: Arc<Run>,
    /// Since when the next one waits for the limits.
    waits: Option<Mono>,
}

impl Retrying {
    /// After this attempt.
    pub(super) fn after(run: Arc<Run>) -> Self {
        Self { run, waits: None }
    }

    /// When the next attempt comes, if it does not wait already.
    pub(super) fn comes_at(&self) -> Option<Wall> {
        self.run.retry_at.filter(|_| self.waits.is_none())
    }
}

/// Whether what became of a run is worth another attempt. What may have happened, or may still
/// happen, is not: a second run might be one too many.
fn went_wrong(run: &Run) -> bool {
    match run.result {
        Some(RunResult::Failure | RunResult::Error | RunResult::Timeout) => true,
        Some(_) => false,
        None => {
            matches!(run.outcome, Outcome::Rejected | Outcome::Failed | Outcome::Unreachable)
        }
    }
}

impl Engine {
    /// The record of a run that has just ended, with when its due time is tried again.
    pub(super) fn with_retry(&mut self, run: Arc<Run>) -> Arc<Run> {
        let Some(at) = self.retry_at(&run) else { return run };
        let run = Arc::new(Run { retry_at: Some(at), ..Run::clone(&run) });
        let Some(pipeline) = self.pipelines.get_mut(&run.pipeline) else { return run };
        pipeline.retry = Some(Retrying::after(run.clone()));
        let turn = pipeline.turn_with(at);
        self.put_on_agenda(&run.pipeline, Some(turn));
        run
    }

    fn retry_at(&self, run: &Run) -> Option<Wall> {
        let pipeline = self.pipelines.get(&run.pipeline)?;
        let retry = pipeline.config.retry?;
        let (due, ended) = (run.due?, run.ended?);
        let at = ended.after(retry.after);
        let next = pipeline.calendar.next_after(due);
        // Since it was due no other due time, no pause and no edit of the schedule has come.
        let is_newest = pipeline.handled_until == due;
        let in_time = next.is_none_or(|next| at < pipeline.calendar.fires(next));
        let again = run.attempt <= retry.attempts
            && run.origin != Origin::Manual
            && went_wrong(run)
            && is_newest
            && in_time
            && !self.dry_run
            && !pipeline.is_left_alone(at);
        again.then_some(at)
    }

    /// Once its time has come another attempt waits for the limits, unless the pipeline is to be left
    /// alone.
    pub(super) fn retry_is_due(&mut self, name: &PipelineName, now: Now) {
        let Some(pipeline) = self.pipelines.get_mut(name) else { return };
        let left_alone = pipeline.is_left_alone(now.wall);
        let Some(retry) = &mut pipeline.retry else { return };
        if retry.run.retry_at.is_some_and(|at| at > now.wall) {
            return;
        }
        if left_alone {
            return self.drop_retry(name);
        }
        if retry.waits.is_some() {
            return;
        }
        retry.waits = Some(now.mono);
        let Some(due) = retry.run.due else { return };
        if let Some(account) = self.accounts.get_mut(&pipeline.config.account) {
            account.fresh.insert((due, now.mono, Job::Retry(name.clone())));
        }
    }

    /// There is no other attempt: what the last one came to holds.
    pub(super) fn drop_retry(&mut self, name: &PipelineName) {
        let Some(pipeline) = self.pipelines.get_mut(name) else { return };
        let Some(retry) = pipeline.retry.take() else { return };
        if let (Some(due), Some(since)) = (retry.run.due, retry.waits) {
            self.withdraw(name, &(due, since, Job::Retry(name.clone())));
        }
        self.settle(&retry.run);
    }

    /// The due time of this attempt is settled by it.
    pub(super) fn settle(&mut self, run: &Run) {
        let run = Arc::new(Run { retry_at: None, ..run.clone() });
        self.effects.push(Effect::Fact(Fact::Run { run, change: Change::Settled, mark: None }));
    }

    /// Begins the next attempt, where the pipeline is still such that it may.
    pub(super) fn begin_retry(&mut self, name: &PipelineName, waited: Duration, now: Now) {
        let Some(pipeline) = self.pipelines.get_mut(name) else { return };
        if pipeline.is_taken() || pipeline.is_left_alone(now.wall) || self.dry_run {
            return self.drop_retry(name);
        }
        let Some(last) = pipeline.retry.take().map(|retry| retry.run) else { return };
        let Some(due) = last.due else { return };
        let config = pipeline.config.clone();
        let attempt = last.attempt.saturating_add(1);
        let id = RunId::of_slot(name, due, attempt);
        let run = Run {
            origin: Origin::Retry,
            due: Some(due),
            attempt,
            ..Run::new(id.clone(), name.clone(), config.account.clone(), now.wall)
        };
        let active = Active { retries: Some(last), ..Active::of(run, Some(pipeline), now) };
        pipeline.active.insert(id.clone());
        self.runs.insert(id.clone(), active);
        self.dispatch(&id, Change::Begun, waited, now);
    }
}
