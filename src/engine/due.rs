//! Due times: noticing them, and what becomes of each. It is sent, or it waits, or it is missed
//! for a stated reason; there is no fourth.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::account::Job;
use super::retry::Retrying;
use super::{Active, Effect, Engine, Reply, Timer};
use crate::calendar::Calendar;
use crate::config::{Concurrency, Pipeline};
use crate::model::{
    Change, Fact, Mark, MissedReason, Mono, Now, Origin, Phase, PipelineName, Run, RunId,
    StoredPipeline, Wall,
};

/// What the engine knows of a pipeline.
#[derive(Debug)]
pub(super) struct PipelineState {
    pub(super) config: Arc<Pipeline>,
    pub(super) calendar: Calendar,
    /// The latest due time noticed.
    pub(super) handled_until: Wall,
    /// Due times that wait to be sent.
    pub(super) waiting: BTreeMap<Wall, Waiting>,
    /// The due time that went wrong and is to be tried again.
    pub(super) retry: Option<Retrying>,
    /// Its runs that are not over.
    pub(super) active: HashSet<RunId>,
    /// Whether it is paused by hand.
    pub(super) held: bool,
    /// The latest of when it was first loaded, last resumed, and had its schedule edited.
    pub(super) since: Wall,
    /// Whether it was inside a maintenance window when that was last looked at.
    pub(super) in_maintenance: bool,
    /// When it is on the agenda, and what was told of its next due time.
    agenda: Option<Wall>,
    next: Option<Wall>,
}

/// A due time that has been noticed and not been sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    pub(super) since: Mono,
    /// When it is missed.
    pub(super) until: Mono,
}

impl PipelineState {
    pub(super) fn new(config: &Arc<Pipeline>) -> Self {
        Self {
            calendar: Calendar::of(config),
            config: config.clone(),
            handled_until: Wall::default(),
            waiting: BTreeMap::new(),
            retry: None,
            active: HashSet::new(),
            held: false,
            since: Wall::default(),
            in_maintenance: false,
            agenda: None,
            next: None,
        }
    }

    pub(super) fn mark(&self) -> Mark {
        Mark { handled_until: self.handled_until, owed: self.waiting.keys().copied().collect() }
    }

    /// What the store is to remember of it.
    pub(super) fn row(&self, dry_run: bool) -> StoredPipeline {
        StoredPipeline {
            name: self.config.name.clone(),
            schedule: self.calendar.text().to_owned(),
            paused: self.config.paused || dry_run,
            held: self.held,
            since: self.since,
            mark: self.mark(),
        }
    }

    /// Whether nothing is triggered but by hand, whatever the time.
    pub(super) fn is_paused(&self) -> bool {
        self.config.paused || self.held
    }

    /// Whether nothing is triggered but by hand now.
    pub(super) fn is_left_alone(&self, now: Wall) -> bool {
        self.is_paused() || self.calendar.is_maintenance(now)
    }

    /// Whether another run would be one too many.
    pub(super) fn is_taken(&self) -> bool {
        self.config.concurrency == Concurrency::Forbid
            && !(self.active.is_empty() && self.waiting.is_empty())
    }

    /// Until when a due time may be sent.
    pub(super) fn send_by(&self, due: Wall) -> Wall {
        self.calendar.fires(due).after(self.config.start_deadline)
    }

    /// Until when a run may be sent: a due time's first by that, any other by when it was begun.
    pub(super) fn start_by(&self, run: &Run) -> Wall {
        match run.due {
            Some(due) if run.origin == Origin::Schedule => self.send_by(due),
            _ => run.begun.after(self.config.start_deadline),
        }
    }

    /// When the wall clock calls for it, where it does at `at` too.
    pub(super) fn turn_with(&self, at: Wall) -> Wall {
        self.agenda.map_or(at, |turn| turn.min(at))
    }

    /// When the wall clock next calls for it.
    fn next_turn(&self, now: Wall) -> Option<Wall> {
        let fires = self.next.filter(|_| !self.is_paused());
        let retry = self.retry.as_ref().and_then(Retrying::comes_at);
        [fires, retry, self.calendar.next_turn(now)].into_iter().flatten().min()
    }
}

/// Whether nobody asked for it by hand.
pub(super) fn by_itself(run: &Run) -> bool {
    run.origin != Origin::Manual
}

impl Engine {
    pub(super) fn notice_due(&mut self, now: Now) {
        if now.wall < self.seen {
            self.clock_was_set_back(now);
        }
        self.seen = now.wall;
        while self.agenda.first().is_some_and(|(at, _)| *at <= now.wall) {
            let Some((_, name)) = self.agenda.pop_first() else { return };
            self.notice(&name, now);
            self.await_next(&name, now);
        }
    }

    /// What was planned by the clock is planned anew.
    fn clock_was_set_back(&mut self, now: Now) {
        let names: Vec<PipelineName> = self.pipelines.keys().cloned().collect();
        for name in names {
            self.notice(&name, now);
            self.await_next(&name, now);
            self.warn_if_silenced(&name, now);
        }
    }

    /// Puts a pipeline on the agenda, and tells when it is next due.
    pub(super) fn await_next(&mut self, name: &PipelineName, now: Now) {
        let Some(pipeline) = self.pipelines.get_mut(name) else { return };
        let due = pipeline.calendar.next_after(pipeline.handled_until);
        let next = due.filter(|_| !pipeline.is_paused()).map(|due| pipeline.calendar.fires(due));
        let told = std::mem::replace(&mut pipeline.next, next);
        let turn = pipeline.next_turn(now.wall);
        self.put_on_agenda(name, turn);
        if told != next && !self.dry_run {
            self.effects.push(Effect::Fact(Fact::Next { pipeline: name.clone(), at: next }));
        }
    }

    /// Its place on the agenda is at `turn` from now on.
    pub(super) fn put_on_agenda(&mut self, name: &PipelineName, turn: Option<Wall>) {
        let Some(pipeline) = self.pipelines.get_mut(name) else { return };
        if let Some(at) = std::mem::replace(&mut pipeline.agenda, turn) {
            self.agenda.remove(&(at, name.clone()));
        }
        self.agenda.extend(turn.map(|at| (at, name.clone())));
    }

    /// Everything that the wall clock calls for by now.
    pub(super) fn notice(&mut self, name: &PipelineName, now: Now) {
        let Some(pipeline) = self.pipelines.get_mut(name) else { return };
        let inside = pipeline.calendar.is_maintenance(now.wall);
        if std::mem::replace(&mut pipeline.in_maintenance, inside) != inside {
            let fact = Fact::Maintenance { pipeline: name.clone(), inside };
            self.effects.push(Effect::Fact(fact));
        }
        if !pipeline.is_paused() {
            self.pipeline_is_due(name, now);
        }
        if inside {
            self.drop_waiting(name, |_, _| true);
            self.give_up_unsent(name, by_itself, now);
        }
        self.retry_is_due(name, now);
    }

    fn pipeline_is_due(&mut self, name: &PipelineName, now: Now) {
        let Some(pipeline) = self.pipelines.get_mut(name) else { return };
        let from = pipeline.handled_until;
        let Some(newest) = pipeline.calendar.newest_fired(from, now.wall) else { return };
        if self.dry_run {
            pipeline.handled_until = newest;
            let (pipeline, due) = (name.clone(), Some(newest));
            return self.effects.push(Effect::Withheld { pipeline, due });
        }
        let older = pipeline.calendar.count_between(from, newest).saturating_sub(1);
        self.drop_retry(name);
        self.drop_waiting(name, |pipeline, due| pipeline.send_by(due) < now.wall);
        // In this order, so that the mark saved with the older ones says that this one is owed.
        self.take_due(name, newest, MissedReason::Late, now);
        self.missed(name, MissedReason::Late, older, newest);
    }

    /// Due times that wait and for which it is too late. Where the wall clock was set on, or the
    /// machine fell asleep, their timers have not rung.
    pub(super) fn drop_waiting(
        &mut self,
        name: &PipelineName,
        is_late: impl Fn(&PipelineState, Wall) -> bool,
    ) {
        while let Some(pipeline) = self.pipelines.get(name)
            && let Some(due) = pipeline.waiting.keys().next().copied()
            && is_late(pipeline, due)
        {
            self.stop_waiting(name, due);
            self.missed(name, MissedReason::Late, 1, due);
        }
    }

    /// A due time no longer waits for the limits.
    pub(super) fn stop_waiting(&mut self, name: &PipelineName, due: Wall) {
        let Some(pipeline) = self.pipelines.get_mut(name) else { return };
        let Some(Waiting { since, .. }) = pipeline.waiting.remove(&due) else { return };
        self.withdraw(name, &(due, since, Job::Due(name.clone())));
    }

    /// From now on it is left alone, or has another calendar: what is due by now is missed, also
    /// where it has not fired, and nothing is tried again.
    pub(super) fn close(&mut self, name: &PipelineName, now: Now) {
        self.drop_retry(name);
        self.drop_waiting(name, |_, _| true);
        let Some(pipeline) = self.pipelines.get_mut(name) else { return };
        let until = pipeline.handled_until.max(now.wall);
        let count = pipeline.calendar.count_between(pipeline.handled_until, until);
        pipeline.handled_until = until;
        self.missed(name, MissedReason::Late, count, until);
    }

    /// Runs that are begun and not accepted are not sent again.
    pub(super) fn give_up_unsent(
        &mut self,
        name: &PipelineName,
        which: impl Fn(&Run) -> bool,
        now: Now,
    ) {
        let active = self.pipelines.get(name).map(|pipeline| pipeline.active.clone());
        for id in active.into_iter().flatten() {
            let Some(active) = self.runs.get_mut(&id) else { continue };
            let unsent = matches!(active.run.phase, Phase::Due | Phase::Sending | Phase::Waiting);
            if unsent && which(&active.run) {
                active.start_deadline = active.start_deadline.min(now.mono);
                self.start_deadline(&id, now);
            }
        }
    }

    /// Decides about one due time: too late (for `reason`), one too many, or to be sent.
    pub(super) fn take_due(
        &mut self,
        name: &PipelineName,
        due: Wall,
        reason: MissedReason,
        now: Now,
    ) {
        let Some(pipeline) = self.pipelines.get_mut(name) else { return };
        pipeline.handled_until = pipeline.handled_until.max(due);
        let deadline = pipeline.send_by(due);
        if deadline < now.wall || pipeline.calendar.is_maintenance(now.wall) {
            return self.missed(name, reason, 1, due);
        }
        if pipeline.is_taken() {
            return self.missed(name, MissedReason::StillRunning, 1, due);
        }
        self.let_wait(name, due, now);
    }

    /// A due time waits for the limits from now on.
    pub(super) fn let_wait(&mut self, name: &PipelineName, due: Wall, now: Now) {
        let Some(pipeline) = self.pipelines.get_mut(name) else { return };
        let until = now.mono_at(pipeline.send_by(due));
        pipeline.waiting.insert(due, Waiting { since: now.mono, until });
        if let Some(account) = self.accounts.get_mut(&pipeline.config.account) {
            account.fresh.insert((due, now.mono, Job::Due(name.clone())));
        }
        self.timers.insert((until, Timer::DueDeadline(name.clone(), due)));
    }

    pub(super) fn missed(
        &mut self,
        name: &PipelineName,
        reason: MissedReason,
        count: u64,
        latest: Wall,
    ) {
        // One that was removed meanwhile had this due time all the same.
        let removed = || self.removed.get(name).map(|row| row.mark.clone());
        let mark = self.pipelines.get(name).map(PipelineState::mark).or_else(removed);
        let Some(mark) = mark.filter(|_| count > 0) else { return };
        let pipeline = name.clone();
        let missed = Fact::Missed { pipeline, reason, count, latest, mark };
        self.effects.push(Effect::Fact(missed));
    }

    /// A due time has waited as long as it may.
    pub(super) fn due_deadline(&mut self, name: &PipelineName, due: Wall, now: Now) {
        let Some(pipeline) = self.pipelines.get(name) else { return };
        let Some(waits) = pipeline.waiting.get(&due).filter(|waits| waits.until <= now.mono) else {
            return;
        };
        let account = pipeline.config.account.clone();
        let entry = (due, waits.since, Job::Due(name.clone()));
        let looked_up = !self.is_parked(name, &entry);
        self.stop_waiting(name, due);
        let Some(account) = self.accounts.get(&account) else { return };
        let capped = account.cap_free_at(now.mono).is_none_or(|at| at > now.mono);
        let reason = match (self.store_writable, looked_up, capped) {
            (false, _, _) => MissedReason::StoreUnavailable,
            (true, false, _) => MissedReason::LookupFailed,
            (true, true, true) => MissedReason::Limit,
            (true, true, false) => MissedReason::RateLimited,
        };
        self.missed(name, reason, 1, due);
    }

    /// Says so where the due times up to one that is still to come count as dealt with, because the
    /// wall clock was once there.
    pub(super) fn warn_if_silenced(&mut self, name: &PipelineName, now: Now) {
        let Some(pipeline) = self.pipelines.get(name) else { return };
        let (calendar, until) = (&pipeline.calendar, pipeline.handled_until);
        // One of them may be the last, where the clock was set back by a moment.
        if !pipeline.is_paused() && calendar.count_between(now.wall, until) > 1 {
            self.effects.push(Effect::Silenced { pipeline: name.clone(), until });
        }
    }

    /// Somebody asks for a run now. It is begun by being saved, and sent when the limits allow.
    pub(super) fn asked(
        &mut self,
        name: &str,
        payload: Option<Arc<str>>,
        random: u64,
        now: Now,
    ) -> Reply {
        let Some(pipeline) = self.pipelines.get_mut(name) else {
            return Reply::UnknownPipeline(name.to_owned());
        };
        if self.dry_run {
            return Reply::DryRun;
        }
        // Where the store is in trouble, whether this can be saved is for the store to say.
        if self.stopping {
            return Reply::NotSaved;
        }
        if pipeline.is_taken() {
            return Reply::Active;
        }
        let config = pipeline.config.clone();
        let id = RunId::of_request(&config.name, random);
        let run = Run {
            payload,
            ..Run::new(id.clone(), config.name.clone(), config.account.clone(), now.wall)
        };
        let active = Active::of(run, Some(pipeline), now);
        pipeline.active.insert(id.clone());
        self.timers.insert((active.start_deadline, Timer::StartDeadline(id.clone())));
        if let Some(account) = self.accounts.get_mut(&config.account) {
            account.fresh.insert((now.wall, now.mono, Job::Run(id.clone())));
        }
        self.record(Change::Begun, Arc::new(active.run.clone()), None);
        self.runs.insert(id.clone(), active);
        Reply::Begun(id)
    }
}
