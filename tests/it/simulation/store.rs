//! A store in memory. A transaction is applied whole or not at all; what is committed outlives the
//! process.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use harness_exporter::model::{
    Change, Fact, Mark, Phase, PipelineName, Restored, Run, RunId, Wall,
};
use harness_exporter::model::{Origin, StoredPipeline};
use harness_exporter::totals::{self, Entry, Key, Op, Owner, Total};

use super::invariants::{self, Held};

const HOUR: Duration = Duration::from_hours(1);

/// The books of one pipeline, added up over their labels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) triggers: i64,
    pub(super) scheduled: i64,
    pub(super) failures: i64,
    pub(super) runs: i64,
    pub(super) missed: i64,
    pub(super) active: i64,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Store {
    pub(super) runs: BTreeMap<RunId, Arc<Run>>,
    pub(super) pipelines: BTreeMap<PipelineName, StoredPipeline>,
    pub(super) totals: BTreeMap<(Owner, Key), i64>,
    pub(super) tallies: BTreeMap<PipelineName, Tally>,
    /// Due times with a run that are settled.
    pub(super) settled: BTreeSet<(PipelineName, Wall)>,
    /// The bounds by which durations are counted. None at first, so that each history begins with
    /// others.
    pub(super) buckets: Arc<[i64]>,
}

impl Store {
    /// Takes in one fact of a transaction. What holds between transactions is checked after it.
    pub(super) fn apply(&mut self, fact: &Fact) -> Held {
        match fact {
            Fact::Loaded(row) => {
                self.pipelines.insert(row.name.clone(), row.clone());
            }
            Fact::Run { run, change, mark } => {
                let before = self.runs.get(&run.id);
                match change {
                    Change::Begun => {
                        invariants::a_slot_is_begun_once(before, run)?;
                        self.tally(&run.pipeline).active += 1;
                    }
                    Change::Settled => invariants::only_the_ended_is_settled(before, run)?,
                    _ => {
                        invariants::nothing_follows_the_end(before, run)?;
                        invariants::never_two_for_one(before, run)?;
                    }
                }
                if !run.is_active() && *change != Change::Settled {
                    self.tally(&run.pipeline).active -= 1;
                }
                let settles = |entry: &Entry| matches!(entry.key, Key::Slots(_));
                if let Some(due) =
                    run.due.filter(|_| totals::of(fact, &self.buckets).iter().any(settles))
                {
                    let new = self.settled.insert((run.pipeline.clone(), due));
                    invariants::a_slot_is_settled_once(new, run)?;
                }
                self.runs.insert(run.id.clone(), run.clone());
                self.set_mark(&run.pipeline, mark.as_ref());
            }
            Fact::Missed { pipeline, mark, .. } => self.set_mark(pipeline, Some(mark)),
            Fact::TriggerLookedUp { .. }
            | Fact::Buckets(_)
            | Fact::Waiting(_)
            | Fact::Next { .. }
            | Fact::Maintenance { .. } => {}
        }
        self.count(fact);
        Ok(())
    }

    /// The books of a fact alone.
    pub(super) fn count(&mut self, fact: &Fact) {
        if let Fact::Buckets(buckets) = fact {
            self.totals.retain(|(_, key), _| !matches!(key, Key::Duration(..)));
            self.buckets = buckets.clone();
        }
        for Entry { owner, key, op } in totals::of(fact, &self.buckets) {
            if let (Owner::Pipeline(name), Op::Add(by)) = (&owner, op) {
                let tally = self.tally(name);
                match key {
                    Key::Triggers(origin) => {
                        tally.triggers += by;
                        tally.scheduled += if origin == Origin::Schedule { by } else { 0 };
                    }
                    Key::TriggerFailures(_) => tally.failures += by,
                    Key::Runs(_) => tally.runs += by,
                    Key::Missed(_) => tally.missed += by,
                    _ => {}
                }
            }
            let total = self.totals.entry((owner, key)).or_default();
            *total = op.apply(*total);
        }
    }

    pub(super) fn set_mark(&mut self, pipeline: &PipelineName, mark: Option<&Mark>) {
        if let (Some(row), Some(mark)) = (self.pipelines.get_mut(pipeline), mark) {
            row.mark = mark.clone();
        }
    }

    /// What a new process is given.
    pub(super) fn restored(&self) -> Restored {
        let total = |((owner, key), value): (&(Owner, Key), &i64)| Total {
            owner: owner.clone(),
            key: *key,
            value: *value,
        };
        let mut newest: BTreeMap<&PipelineName, &Arc<Run>> = BTreeMap::new();
        for run in self.runs.values().filter(|run| run.due.is_some()) {
            let there = newest.entry(&run.pipeline).or_insert(run);
            if (run.due, run.attempt) > (there.due, there.attempt) {
                *there = run;
            }
        }
        let last = newest.into_values().filter(|run| !run.is_active());
        Restored {
            pipelines: self.pipelines.values().cloned().collect(),
            runs: {
                let mut runs: BTreeMap<&RunId, &Arc<Run>> =
                    self.runs.iter().filter(|(_, run)| self.is_restored(run)).collect();
                runs.extend(last.map(|run| (&run.id, run)));
                runs.into_values().cloned().collect()
            },
            totals: self.totals.iter().map(total).collect(),
            buckets: self.buckets.clone(),
            ..Restored::default()
        }
    }

    /// Those that are active, and where one of them is of unknown fate, those that ended since.
    fn is_restored(&self, run: &Run) -> bool {
        let unknown =
            self.active().filter(|run| matches!(run.phase, Phase::Sending | Phase::Unconfirmed));
        let since = unknown.map(|run| run.begun).min();
        run.is_active() || since.is_some_and(|since| run.ended >= Some(since.before(HOUR)))
    }

    pub(super) fn active(&self) -> impl Iterator<Item = &Arc<Run>> {
        self.runs.values().filter(|run| run.is_active())
    }

    fn tally(&mut self, pipeline: &PipelineName) -> &mut Tally {
        self.tallies.entry(pipeline.clone()).or_default()
    }
}

/// The pipeline that a fact is about.
pub(super) fn pipeline_of(fact: &Fact) -> Option<&PipelineName> {
    match fact {
        Fact::Loaded(row) => Some(&row.name),
        Fact::Run { run, .. } => Some(&run.pipeline),
        Fact::Missed { pipeline, .. } => Some(pipeline),
        Fact::TriggerLookedUp { .. }
        | Fact::Buckets(_)
        | Fact::Waiting(_)
        | Fact::Next { .. }
        | Fact::Maintenance { .. } => None,
    }
}
