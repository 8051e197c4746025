//! Taking up a past life: recovery is the normal way to begin.
//!
//! A run found in `Sending` may have been sent or not: nobody knows, so it is never sent again, and
//! its execution is looked for.
//! Every other open run goes on where it was. Of the due times that nobody was there for, the
//! newest is sent if it is still within `start_deadline`; the others are missed.

use std::collections::HashMap;
use std::sync::Arc;

use super::account::Job;
use super::{Active, Effect, Engine, Timer};
use crate::model::{
    Fact, Mark, MissedReason, Now, Phase, PipelineName, Reason, Restored, Run, StoredPipeline, Wall,
};
use crate::schedule::Schedule;

impl Engine {
    /// Takes up what a store holds. To be called once, before anything else.
    pub fn restore(&mut self, restored: &Restored, now: Now) {
        for run in &restored.runs {
            if run.is_active() {
                self.take_up(run, now);
            } else {
                let config = self.pipelines.get(&run.pipeline).map(|p| p.config.clone());
                self.remember(&Active::of(Run::clone(run), config, now));
            }
        }
        let stored: HashMap<_, _> = restored.pipelines.iter().map(|row| (&row.name, row)).collect();
        let names: Vec<PipelineName> = self.pipelines.keys().cloned().collect();
        for name in names {
            self.catch_up(&name, stored.get(&name).copied(), now);
            self.await_next(&name);
        }
        self.forget_removed(restored, now);
    }

    fn take_up(&mut self, run: &Arc<Run>, now: Now) {
        let config = self.pipelines.get(&run.pipeline).map(|pipeline| pipeline.config.clone());
        let mut run = Run::clone(run);
        if !self.accounts.contains_key(&run.account) {
            // Without an account there is no one to ask. The run stays open in the store.
            let Some(config) = &config else { return };
            run.account = config.account.clone();
        }
        let id = run.id.clone();
        let active = Active::of(run, config, now);
        if let Some(pipeline) = self.pipelines.get_mut(&active.run.pipeline) {
            pipeline.active.insert(id.clone());
        }
        let (phase, begun) = (active.run.phase, active.run.begun);
        let deadline = active.start_deadline;
        let Some(account) = self.accounts.get_mut(&active.run.account) else { return };
        match phase {
            Phase::Due => account.fresh.insert((begun, now.mono, Job::Run(id.clone()))),
            Phase::Waiting => account.resends.insert((now.mono, id.clone())),
            Phase::Accepted | Phase::Executing => account.reads.insert((now.mono, id.clone())),
            Phase::Sending | Phase::Unconfirmed | Phase::Ended => false,
        };
        if phase != Phase::Due {
            account.sent.insert(id.clone());
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
            Phase::Accepted | Phase::Executing | Phase::Ended => {}
        }
    }

    /// Settles the due times between a past life and now.
    fn catch_up(&mut self, name: &PipelineName, stored: Option<&StoredPipeline>, now: Now) {
        let Some(pipeline) = self.pipelines.get_mut(name) else { return };
        let schedule =
            pipeline.config.schedule.as_ref().map(ToString::to_string).unwrap_or_default();
        let paused = pipeline.config.paused || self.dry_run;
        // The due times count, not how they are written.
        let same = stored.filter(|stored| stored.schedule.parse().ok() == pipeline.config.schedule);
        match (stored, same) {
            // It went on as it was, and is to go on: the one case in which a due time may be sent.
            (_, Some(stored)) if !stored.paused && !paused => {
                pipeline.handled_until = stored.mark.handled_until;
                return self.send_newest(name, &stored.mark, now);
            }
            // It ran until the last life ended, by a schedule that may have been another.
            (Some(stored), _) if !stored.paused => self.miss_all(name, stored, now),
            // Never heard of, or paused: there was no due time.
            _ => {}
        }
        let Some(pipeline) = self.pipelines.get_mut(name) else { return };
        // The clock may have been set back: what was handled once stays handled.
        let handled = stored.map_or(pipeline.handled_until, |stored| stored.mark.handled_until);
        pipeline.handled_until = handled.max(now.wall);
        let since = same.filter(|stored| !stored.paused || paused).map(|stored| stored.since);
        self.effects.push(Effect::Fact(Fact::Loaded(StoredPipeline {
            name: name.clone(),
            schedule,
            paused,
            held: false,
            since: since.unwrap_or(now.wall),
            mark: pipeline.mark(),
        })));
    }

    fn send_newest(&mut self, name: &PipelineName, mark: &Mark, now: Now) {
        let Some(due_times) = self.pipelines.get(name).and_then(|p| p.due_times.clone()) else {
            return;
        };
        let since = due_times.count_between(mark.handled_until, now.wall);
        let count = since.saturating_add(mark.owed.len() as u64);
        let newest = due_times.last_at_or_before(now.wall).filter(|_| since > 0);
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
            if self.pipelines.contains_key(&stored.name) || stored.paused {
                continue;
            }
            let handled_until = stored.mark.handled_until.max(now.wall);
            let mark = Mark { handled_until, owed: Vec::new() };
            let (pipeline, count) = (stored.name.clone(), overdue(stored, now.wall));
            if count > 0 {
                let (reason, latest) = (MissedReason::ExporterDown, handled_until);
                let missed = Fact::Missed { pipeline, reason, count, latest, mark: mark.clone() };
                self.effects.push(Effect::Fact(missed));
            }
            let removed = StoredPipeline { paused: true, mark, ..stored.clone() };
            self.effects.push(Effect::Fact(Fact::Loaded(removed)));
        }
    }
}

/// How many due times a past life left behind, by the schedule it had.
fn overdue(stored: &StoredPipeline, until: Wall) -> u64 {
    let since = stored.schedule.parse::<Schedule>().map_or(0, |schedule| {
        let due_times = schedule.due_times(&stored.name);
        due_times.count_between(stored.mark.handled_until, until)
    });
    since.saturating_add(stored.mark.owed.len() as u64)
}
