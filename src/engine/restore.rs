//! Taking up a past life: recovery is the normal way to begin.
//!
//! A run found in `Sending` may have been sent or not: nobody knows, so it is never sent again, and
//! its execution is looked for.
//! Every other open run goes on where it was. Of the due times that nobody was there for, the
//! newest is sent if it is still within `start_deadline`; the others are missed.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::account::Job;
use super::due::by_itself;
use super::retry::Retrying;
use super::{Active, Effect, Engine, Timer};
use crate::calendar::Calendar;
use crate::model::{
    Fact, Mark, MissedReason, Now, Phase, PipelineName, Reason, Restored, Run, StoredPipeline, Wall,
};

impl Engine {
    /// Takes up what a store holds. To be called once, before anything else.
    pub fn restore(&mut self, restored: &Restored, now: Now) {
        self.seen = now.wall;
        let wanted = std::mem::replace(&mut self.buckets, Arc::clone(&restored.buckets));
        self.count_in(&wanted);
        self.follow_up(restored, now);
        for run in &restored.runs {
            if run.is_active() {
                self.take_up(run, now);
            } else {
                let pipeline = self.pipelines.get(&run.pipeline);
                self.remember(&Active::of(Run::clone(run), pipeline, now));
            }
        }
        let stored: HashMap<_, _> = restored.pipelines.iter().map(|row| (&row.name, row)).collect();
        let retries = retries(&restored.runs);
        let names: Vec<PipelineName> = self.pipelines.keys().cloned().collect();
        for name in names {
            if let Some(pipeline) = self.pipelines.get_mut(&name) {
                pipeline.retry = retries.get(&name).map(|run| Retrying::after(Arc::clone(run)));
            }
            self.catch_up(&name, stored.get(&name).copied(), now);
            self.notice(&name, now);
            self.await_next(&name, now);
            self.check_soon(&name, now);
            self.warn_if_silenced(&name, now);
        }
        for (name, run) in retries {
            if !self.pipelines.contains_key(name) {
                self.settle(run);
            }
        }
        self.forget_removed(restored, now);
    }

    /// The limits, and what was learned, go on from one life to the next.
    fn follow_up(&mut self, restored: &Restored, now: Now) {
        if restored.pipelines.is_empty() {
            return;
        }
        for account in self.accounts.values_mut() {
            account.limiter.take_over(now.mono);
        }
        for durations in &restored.durations {
            let memory = self.memories.entry(durations.pipeline.clone()).or_default();
            memory.note(durations.finished.iter().copied());
        }
    }

    /// Goes on with an open run where it stands.
    pub(super) fn take_up(&mut self, run: &Arc<Run>, now: Now) {
        let pipeline = self.pipelines.get(&run.pipeline);
        if !self.accounts.contains_key(&run.account) && pipeline.is_none() {
            return self.orphans.push(run.clone());
        }
        let mut run = Run::clone(run);
        if let Some(pipeline) = pipeline.filter(|_| !self.accounts.contains_key(&run.account)) {
            run.account = pipeline.config.account.clone();
        }
        let id = run.id.clone();
        let active = Active::of(run, pipeline, now);
        if let Some(pipeline) = self.pipelines.get_mut(&active.run.pipeline) {
            pipeline.active.insert(id.clone());
        }
        let (phase, begun) = (active.run.phase, active.run.begun);
        let deadline = active.start_deadline;
        let Some(account) = self.accounts.get_mut(&active.run.account) else { return };
        match phase {
            Phase::Due => account.fresh.insert((begun, now.mono, Job::Run(id.clone()))),
            Phase::Waiting => account.resends.insert((now.mono, id.clone())),
            Phase::Accepted
            | Phase::Executing
            | Phase::Sending
            | Phase::Unconfirmed
            | Phase::Ended => false,
        };
        if phase != Phase::Due {
            account.sent.insert(id.clone());
        }
        if let Some(execution) = &active.run.execution {
            self.executions.insert(execution.clone(), id.clone());
        }
        self.runs.insert(id.clone(), active);
        match phase {
            Phase::Sending => {
                self.doubt(&id, Reason::Unconfirmed, None, now);
            }
            Phase::Unconfirmed => self.go_on_searching(&id, now),
            Phase::Due | Phase::Waiting => {
                self.timers.insert((deadline, Timer::StartDeadline(id)));
            }
            Phase::Accepted | Phase::Executing => {
                if !self.join(&id) {
                    self.read_at(&id, now.mono);
                }
            }
            Phase::Ended => {}
        }
    }

    /// Settles the due times between a past life and now.
    pub(super) fn catch_up(
        &mut self,
        name: &PipelineName,
        stored: Option<&StoredPipeline>,
        now: Now,
    ) {
        let Some(pipeline) = self.pipelines.get_mut(name) else { return };
        pipeline.held = stored.is_some_and(|stored| stored.held);
        let paused = pipeline.is_paused() || self.dry_run;
        let was_paused = stored.is_some_and(|stored| stored.paused || stored.held);
        let same =
            stored.filter(|stored| Calendar::read(name, &stored.schedule) == pipeline.calendar);
        match (stored, same) {
            // It went on as it was, and is to go on: the one case in which a due time may be sent.
            (_, Some(stored)) if !was_paused && !paused => {
                pipeline.handled_until = stored.mark.handled_until;
                pipeline.since = stored.since;
                return self.send_newest(name, &stored.mark, now);
            }
            // It ran until the last life ended, by a schedule that may have been another.
            (Some(stored), _) if !was_paused => self.miss_all(name, stored, now),
            // Never heard of, or paused: there was no due time.
            _ => {}
        }
        self.drop_retry(name);
        if paused {
            self.give_up_unsent(name, by_itself, now);
        }
        let Some(pipeline) = self.pipelines.get_mut(name) else { return };
        // The clock may have been set back: what was handled once stays handled.
        let handled = stored.map_or(pipeline.handled_until, |stored| stored.mark.handled_until);
        pipeline.handled_until = handled.max(now.wall);
        let since = same.filter(|_| !was_paused || paused).map(|stored| stored.since);
        pipeline.since = since.unwrap_or(now.wall);
        self.tell_row(name);
    }

    fn send_newest(&mut self, name: &PipelineName, mark: &Mark, now: Now) {
        let Some(pipeline) = self.pipelines.get(name) else { return };
        let calendar = &pipeline.calendar;
        let newest = calendar.newest_fired(mark.handled_until, now.wall);
        let since = newest.map_or(0, |due| calendar.count_between(mark.handled_until, due));
        let count = since.saturating_add(mark.owed.len() as u64);
        if since > 0 {
            self.drop_retry(name);
        }
        let Some(newest) = newest.or(mark.owed.iter().max().copied()) else { return };
        self.take_due(name, newest, MissedReason::ExporterDown, now);
        self.missed(name, MissedReason::ExporterDown, count.saturating_sub(1), newest);
    }

    fn miss_all(&mut self, name: &PipelineName, stored: &StoredPipeline, now: Now) {
        let Some(pipeline) = self.pipelines.get_mut(name) else { return };
        pipeline.handled_until = now.wall.max(stored.mark.handled_until);
        self.missed(name, MissedReason::ExporterDown, overdue(stored, now.wall), now.wall);
    }

    /// Pipelines that are no longer in the config: should one come back, nothing is caught up.
    fn forget_removed(&mut self, restored: &Restored, now: Now) {
        for stored in &restored.pipelines {
            if self.pipelines.contains_key(&stored.name) {
                continue;
            }
            if stored.paused {
                self.removed.insert(stored.name.clone(), stored.clone());
                continue;
            }
            let handled_until = stored.mark.handled_until.max(now.wall);
            let mark = Mark { handled_until, owed: Vec::new() };
            let (pipeline, count) = (stored.name.clone(), overdue(stored, now.wall));
            if count > 0 && !stored.held {
                let (reason, latest) = (MissedReason::ExporterDown, handled_until);
                let missed = Fact::Missed { pipeline, reason, count, latest, mark: mark.clone() };
                self.effects.push(Effect::Fact(missed));
            }
            let removed = StoredPipeline { paused: true, mark, ..stored.clone() };
            self.removed.insert(stored.name.clone(), removed.clone());
            self.effects.push(Effect::Fact(Fact::Loaded(removed)));
        }
    }
}

/// The due times that were to be tried again, by pipeline: of each, the last attempt at the newest.
fn retries(runs: &[Arc<Run>]) -> BTreeMap<&PipelineName, &Arc<Run>> {
    let mut last: BTreeMap<&PipelineName, &Arc<Run>> = BTreeMap::new();
    for run in runs.iter().filter(|run| run.due.is_some()) {
        let there = last.entry(&run.pipeline).or_insert(run);
        if (run.due, run.attempt) > (there.due, there.attempt) {
            *there = run;
        }
    }
    last.retain(|_, run| !run.is_active() && run.retry_at.is_some());
    last
}

/// How many due times a past life left behind, by the calendar it had.
fn overdue(stored: &StoredPipeline, until: Wall) -> u64 {
    let calendar = Calendar::read(&stored.name, &stored.schedule);
    let since = calendar.count_between(stored.mark.handled_until, until);
    since.saturating_add(stored.mark.owed.len() as u64)
}
