//! Another config, while runs are under way. Nothing is caught up by an edit, and no run is
//! forgotten: what was sent is followed to its end, whether or not its pipeline and its account are
//! still in the config.

use std::collections::HashSet;
use std::sync::Arc;

use super::account::{AccountState, Harness};
use super::due::{PipelineState, by_itself};
use super::{Engine, Rules};
use crate::config::{Config, Pipeline};
use crate::model::{AccountName, Fact, Now, PipelineName, Wall};

impl PipelineState {
    /// From now on by the present calendar: nothing before it is due, ever.
    pub(super) fn begin_anew(&mut self, now: Wall) {
        // The clock may have been set back: what was handled once stays handled.
        self.handled_until = self.handled_until.max(now);
        self.since = now;
    }
}

impl Engine {
    /// Takes over `config`.
    pub(super) fn configured(&mut self, config: &Config, now: Now) {
        // Until now the old one held.
        self.notice_due(now);
        self.results = config.results;
        self.count_in(&config.metrics.duration_buckets);
        let mut others = HashSet::new();
        for (name, account) in &config.accounts {
            if let Some(state) = self.accounts.get_mut(name) {
                if state.reconfigure(account.clone()) == Harness::Another {
                    others.insert(name);
                }
            } else {
                let state = AccountState::new(account.clone(), self.seed);
                self.accounts.insert(name.clone(), state);
            }
        }
        let stay: HashSet<_> = config.pipelines.iter().map(|pipeline| &pipeline.name).collect();
        let gone = self.pipelines.keys().filter(|name| !stay.contains(name));
        let gone: Vec<PipelineName> = gone.cloned().collect();
        for name in gone {
            self.remove(&name, now);
        }
        for pipeline in &config.pipelines {
            if self.pipelines.contains_key(&pipeline.name) {
                self.reconfigure(pipeline, now);
            } else {
                self.add(pipeline, now);
            }
            if others.contains(&pipeline.account) {
                self.forget_trigger(&pipeline.name);
            }
            self.check_soon(&pipeline.name, now);
            self.watch_for_others(&pipeline.name, now);
            self.await_next(&pipeline.name, now);
        }
        for run in std::mem::take(&mut self.orphans) {
            self.take_up(&run, now);
        }
        let asked: HashSet<AccountName> =
            self.runs.values().map(|active| active.run.account.clone()).collect();
        self.accounts.retain(|name, _| config.accounts.contains_key(name) || asked.contains(name));
        self.others.retain(|project, _| self.accounts.contains_key(&project.account));
    }

    /// Durations are counted in buckets with these bounds from now on.
    pub(super) fn count_in(&mut self, buckets: &Arc<[i64]>) {
        if self.buckets != *buckets {
            self.buckets = Arc::clone(buckets);
            self.effects.push(super::Effect::Fact(Fact::Buckets(Arc::clone(buckets))));
        }
    }

    /// A pipeline is no longer in the config.
    fn remove(&mut self, name: &PipelineName, now: Now) {
        self.give_up_unsent(name, |_| true, now);
        if self.pipelines.get(name).is_some_and(|pipeline| !pipeline.is_paused() && !self.dry_run) {
            self.close(name, now);
        }
        self.put_on_agenda(name, None);
        self.drop_lookup(name);
        let Some(mut pipeline) = self.pipelines.remove(name) else { return };
        for id in &pipeline.active {
            if let Some(active) = self.runs.get_mut(id) {
                active.config = None;
            }
        }
        pipeline.handled_until = pipeline.handled_until.max(now.wall);
        // As if it were paused: should it come back, nothing is caught up.
        let row = pipeline.row(true);
        self.removed.insert(name.clone(), row.clone());
        self.effects.push(super::Effect::Fact(Fact::Loaded(row)));
    }

    /// A pipeline is new, or has come back.
    fn add(&mut self, config: &Arc<Pipeline>, now: Now) {
        let mut pipeline = PipelineState::new(config);
        for (id, active) in &mut self.runs {
            if active.run.pipeline == config.name {
                active.config = Some(config.clone());
                active.rules = Rules::of(Some(config));
                pipeline.active.insert(id.clone());
            }
        }
        self.pipelines.insert(config.name.clone(), pipeline);
        let stored = self.removed.remove(&config.name);
        self.catch_up(&config.name, stored.as_ref(), now);
        self.notice(&config.name, now);
    }

    /// A pipeline stays, with whatever was changed of it.
    fn reconfigure(&mut self, config: &Arc<Pipeline>, now: Now) {
        let name = &config.name;
        let new = PipelineState::new(config);
        let Some(old) = self.pipelines.get(name) else { return };
        let edited = old.calendar != new.calendar;
        let moved = old.config.account != config.account;
        let retargeted = moved || old.config.target() != config.target();
        let resumed = old.config.paused && !config.paused && !old.held;
        let row = old.row(self.dry_run);
        let ran = !old.is_paused() && !self.dry_run;
        if ran && (edited || config.paused) {
            self.close(name, now);
        } else if moved || old.config.retry != config.retry {
            self.drop_retry(name);
        }
        let waiting = self.take_waiting(name);
        if retargeted {
            self.forget_trigger(name);
        }
        let Some(pipeline) = self.pipelines.get_mut(name) else { return };
        (pipeline.config, pipeline.calendar) = (new.config, new.calendar);
        if edited || resumed {
            pipeline.begin_anew(now.wall);
        }
        // It may be sent in another way now.
        self.let_go_on(name);
        let Some(pipeline) = self.pipelines.get(name) else { return };
        for id in &pipeline.active {
            if let Some(active) = self.runs.get_mut(id) {
                active.config = Some(config.clone());
                active.rules = Rules::of(Some(config));
            }
        }
        for due in waiting {
            self.let_wait(name, due, now);
        }
        if config.paused {
            self.give_up_unsent(name, by_itself, now);
        }
        self.notice(name, now);
        let changed = self.pipelines.get(name).is_some_and(|state| state.row(self.dry_run) != row);
        if changed {
            self.tell_row(name);
        }
    }

    /// The due times that wait, which no longer do.
    fn take_waiting(&mut self, name: &PipelineName) -> Vec<Wall> {
        let Some(pipeline) = self.pipelines.get(name) else { return Vec::new() };
        let waiting: Vec<Wall> = pipeline.waiting.keys().copied().collect();
        for due in &waiting {
            self.stop_waiting(name, *due);
        }
        waiting
    }
}
