//! Due times: noticing them, and what becomes of each. It is sent, or it waits, or it is missed
//! for a stated reason; there is no fourth.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::account::Job;
use super::{Active, Effect, Engine, Reply, Timer};
use crate::config::{Concurrency, Pipeline};
use crate::model::{Change, Fact, Mark, MissedReason, Mono, Now, PipelineName, Run, RunId, Wall};
use crate::polling::Memory;
use crate::schedule::DueTimes;

/// What the engine knows of a pipeline.
#[derive(Debug)]
pub(super) struct PipelineState {
    pub(super) config: Arc<Pipeline>,
    /// None without a schedule.
    pub(super) due_times: Option<DueTimes>,
    /// The latest due time noticed.
    pub(super) handled_until: Wall,
    /// Due times that wait to be sent, and since when.
    pub(super) waiting: BTreeMap<Wall, Mono>,
    /// Its runs that are not over.
    pub(super) active: HashSet<RunId>,
    /// How long its last runs took.
    pub(super) memory: Memory,
}

impl PipelineState {
    pub(super) fn new(config: &Arc<Pipeline>) -> Self {
        Self {
            due_times: config.schedule.as_ref().map(|schedule| schedule.due_times(&config.name)),
            config: config.clone(),
            handled_until: Wall::default(),
            waiting: BTreeMap::new(),
            active: HashSet::new(),
            memory: Memory::default(),
        }
    }

    pub(super) fn mark(&self) -> Mark {
        Mark { handled_until: self.handled_until, owed: self.waiting.keys().copied().collect() }
    }

    /// Whether another run would be one too many.
    fn is_taken(&self) -> bool {
        self.config.concurrency == Concurrency::Forbid
            && !(self.active.is_empty() && self.waiting.is_empty())
    }
}

impl Engine {
    pub(super) fn notice_due(&mut self, now: Now) {
        while self.due.first().is_some_and(|(due, _)| *due <= now.wall) {
            let Some((_, name)) = self.due.pop_first() else { return };
            self.pipeline_is_due(&name, now);
            self.await_next(&name);
        }
    }

    /// Sets the clock to the next due time of a pipeline, and tells when that is.
    pub(super) fn await_next(&mut self, name: &PipelineName) {
        let Some(pipeline) = self.pipelines.get(name) else { return };
        let due_times = pipeline.due_times.as_ref().filter(|_| !pipeline.config.paused);
        let at = due_times.and_then(|due_times| due_times.next_after(pipeline.handled_until));
        self.due.extend(at.map(|at| (at, name.clone())));
        let at = at.filter(|_| !self.dry_run);
        let fact = Fact::Next { pipeline: name.clone(), at };
        self.effects.push(Effect::Fact(fact));
    }

    fn pipeline_is_due(&mut self, name: &PipelineName, now: Now) {
        let Some(pipeline) = self.pipelines.get_mut(name) else { return };
        let Some(due_times) = pipeline.due_times.clone() else { return };
        let from = pipeline.handled_until;
        let Some(newest) = due_times.last_at_or_before(now.wall).filter(|newest| *newest > from)
        else {
            return;
        };
        if self.dry_run {
            pipeline.handled_until = newest;
            let (pipeline, due) = (name.clone(), Some(newest));
            return self.effects.push(Effect::Withheld { pipeline, due });
        }
        self.drop_outdated(name, now);
        let older = due_times.count_between(from, newest).saturating_sub(1);
        // In this order, so that the mark saved with the older ones says that this one is owed.
        self.take_due(name, newest, MissedReason::Late, now);
        self.missed(name, MissedReason::Late, older, newest);
    }

    /// Due times that waited when the wall clock was set on, or the machine fell asleep: their
    /// timers have not rung, and yet they are too old to be sent.
    fn drop_outdated(&mut self, name: &PipelineName, now: Now) {
        while let Some(pipeline) = self.pipelines.get_mut(name)
            && let Some(first) = pipeline.waiting.first_entry()
            && first.key().after(pipeline.config.start_deadline) < now.wall
        {
            let (due, since) = first.remove_entry();
            if let Some(account) = self.accounts.get_mut(&pipeline.config.account) {
                account.fresh.remove(&(due, since, Job::Due(name.clone())));
            }
            self.missed(name, MissedReason::Late, 1, due);
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
        let deadline = due.after(pipeline.config.start_deadline);
        if deadline < now.wall {
            return self.missed(name, reason, 1, due);
        }
        if pipeline.is_taken() {
            return self.missed(name, MissedReason::StillRunning, 1, due);
        }
        pipeline.waiting.insert(due, now.mono);
        let account = pipeline.config.account.clone();
        if let Some(account) = self.accounts.get_mut(&account) {
            account.fresh.insert((due, now.mono, Job::Due(name.clone())));
        }
        self.timers.insert((now.mono_at(deadline), Timer::DueDeadline(name.clone(), due)));
    }

    pub(super) fn missed(
        &mut self,
        name: &PipelineName,
        reason: MissedReason,
        count: u64,
        latest: Wall,
    ) {
        let Some(pipeline) = self.pipelines.get(name).filter(|_| count > 0) else { return };
        self.effects.push(Effect::Fact(Fact::Missed {
            pipeline: name.clone(),
            reason,
            count,
            latest,
            mark: pipeline.mark(),
        }));
    }

    /// A due time has waited as long as it may.
    pub(super) fn due_deadline(&mut self, name: &PipelineName, due: Wall, now: Now) {
        let Some(pipeline) = self.pipelines.get_mut(name) else { return };
        let Some(since) = pipeline.waiting.remove(&due) else { return };
        let account = pipeline.config.account.clone();
        let Some(account) = self.accounts.get_mut(&account) else { return };
        account.fresh.remove(&(due, since, Job::Due(name.clone())));
        let capped = account.cap_free_at(now.mono).is_none_or(|at| at > now.mono);
        let reason = match (self.store_writable, capped) {
            (false, _) => MissedReason::StoreUnavailable,
            (true, true) => MissedReason::Limit,
            (true, false) => MissedReason::RateLimited,
        };
        self.missed(name, reason, 1, due);
    }

    /// Somebody asks for a run now. It is begun by being saved, and sent when the limits allow.
    pub(super) fn asked(
        &mut self,
        name: &str,
        payload: Option<Arc<str>>,
        random: u64,
        now: Now,
    ) -> Reply {
        let Some(pipeline) = self.pipelines.get_mut(name) else { return Reply::UnknownPipeline };
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
        pipeline.active.insert(id.clone());
        let active = Active::of(run, Some(config.clone()), now);
        self.timers.insert((active.start_deadline, Timer::StartDeadline(id.clone())));
        if let Some(account) = self.accounts.get_mut(&config.account) {
            account.fresh.insert((now.wall, now.mono, Job::Run(id.clone())));
        }
        self.record(Change::Begun, Arc::new(active.run.clone()), None);
        self.runs.insert(id.clone(), active);
        Reply::Begun(id)
    }
}
