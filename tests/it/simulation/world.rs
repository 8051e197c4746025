//! One history: the order of events, the clocks, and the troubles that come from outside.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use harness_exporter::config::{Config, Pipeline};
use harness_exporter::engine::Input;
use harness_exporter::model::{AccountName, Mono, Now, PipelineName, RunId, Wall};
use harness_exporter::totals::{Key, Owner};

use super::bugs::Bug;
use super::harness::{EPOCH, Harness};
use super::invariants::{self, Held, Regime, Violation};
use super::plan::{HOUR, MINUTE, Plan, SECOND};
use super::process::Process;
use super::rng::Rng;
use super::store::Store;

/// How far the clock that is never set lies from its origin when a history begins.
const ORIGIN: u64 = 1_000 * 24 * HOUR;

/// What was met in a history, for [`super::everything_was_met`].
pub(super) type Met = BTreeSet<String>;

/// Something that happens at an instant. What belongs to a process is void for the next one.
#[derive(Debug)]
pub(super) enum Event {
    Input {
        life: u32,
        input: Input,
    },
    /// The oldest transaction is done, or has failed.
    Commit {
        life: u32,
        works: bool,
    },
    /// The oldest transaction is taking long.
    Slow {
        life: u32,
        commit: u64,
    },
    /// It is time to try a transaction again.
    Again {
        life: u32,
    },
    /// The store has worked for a while.
    Recovered {
        life: u32,
    },
    Wake {
        life: u32,
    },
    Ask,
    /// Somebody pauses (true) or resumes.
    Switch(bool),
    Reload,
    Step(i64),
    Suspend(u64),
    Stop,
    Start,
    /// Troubles end: what is open is to come to its end.
    Rest,
}

pub(super) struct World {
    pub(super) rng: Rng,
    pub(super) bug: Option<Bug>,
    pub(super) plan: Plan,
    pub(super) harness: Harness,
    pub(super) store: Store,
    pub(super) process: Option<Process>,
    pub(super) config: Config,
    pub(super) regimes: BTreeMap<PipelineName, Regime>,
    /// The store, and the schedules that it was told of, as they were when the disk was last synced:
    /// all that is left when the power goes.
    pub(super) synced: (Store, BTreeMap<PipelineName, Regime>),
    /// When calls went within the last minute, whichever process made them.
    pub(super) calls: BTreeMap<AccountName, VecDeque<u64>>,
    /// What the last process showed.
    pub(super) shown: BTreeMap<(Owner, Key), i64>,
    /// Runs of which Harness has said something that is in none of our tables.
    pub(super) strange: BTreeSet<RunId>,
    /// Runs that are not given back any more, because that is the bug.
    pub(super) forgotten: BTreeSet<RunId>,
    pub(super) met: Met,
    /// When the executions were last looked through for each run.
    pub(super) searched: BTreeMap<RunId, u64>,
    /// Whether the clocks have always told the time.
    pub(super) clocks_true: bool,
    pub(super) resting: bool,
    /// Milliseconds since the beginning.
    pub(super) at: u64,
    pub(super) life: u32,
    wall_offset: i64,
    suspended: u64,
    pub(super) origin: u64,
    events: BTreeMap<(u64, u64), Event>,
    sequence: u64,
    tale: Option<Vec<String>>,
}

/// Lives through the history of `seed`.
pub(super) fn live(seed: u64, bug: Option<Bug>) -> Result<Met, Violation> {
    let mut world = World::new(seed, bug);
    world.run()?;
    Ok(world.met)
}

/// Lives through it and tells how it went.
pub(super) fn tell(seed: u64, bug: Option<Bug>) -> (Held, Vec<String>) {
    let mut world = World::new(seed, bug);
    world.tale = Some(vec![format!("{:#?}", world.plan)]);
    let held = world.run();
    (held, world.tale.unwrap_or_default())
}

impl World {
    fn new(seed: u64, bug: Option<Bug>) -> Self {
        let mut rng = Rng::new(seed);
        let plan = Plan::new(&mut rng);
        let mut world = Self {
            harness: Harness::new(plan.horizon, &mut rng),
            config: plan.config(),
            rng,
            bug,
            plan,
            store: Store::default(),
            process: None,
            regimes: BTreeMap::new(),
            synced: Default::default(),
            calls: BTreeMap::new(),
            shown: BTreeMap::new(),
            strange: BTreeSet::new(),
            forgotten: BTreeSet::new(),
            met: Met::new(),
            searched: BTreeMap::new(),
            clocks_true: true,
            resting: false,
            at: 0,
            life: 0,
            wall_offset: 0,
            suspended: 0,
            origin: ORIGIN,
            events: BTreeMap::new(),
            sequence: 0,
            tale: None,
        };
        world.foresee();
        world
    }

    /// What will be done to the process from outside.
    fn foresee(&mut self) {
        self.after(0, Event::Start);
        let horizon = self.plan.horizon;
        self.after(horizon, Event::Rest);
        for _ in 0..self.plan.asks {
            let at = self.rng.below(horizon);
            self.after(at, Event::Ask);
        }
        for _ in 0..self.plan.switches {
            let at = self.rng.below(horizon);
            let held = self.rng.per_mille(500);
            self.after(at, Event::Switch(held));
        }
        for _ in 0..self.plan.reloads {
            let at = self.rng.below(horizon);
            self.after(at, Event::Reload);
        }
        for _ in 0..self.plan.steps {
            let at = self.rng.below(horizon);
            let hour = i64::try_from(HOUR).unwrap();
            let by = self.rng.pick(&[hour, -hour, 72 * hour, -72 * hour, 1_500, -1_500]);
            self.after(at, Event::Step(by));
        }
        for _ in 0..self.plan.suspends {
            let at = self.rng.below(horizon);
            let lasts = self.rng.pick(&[MINUTE, 8 * HOUR]);
            self.after(at, Event::Suspend(lasts));
        }
        for _ in 0..self.plan.stops {
            let at = self.rng.below(horizon);
            self.after(at, Event::Stop);
        }
    }

    fn run(&mut self) -> Held {
        let mut last = u64::MAX;
        while let Some(((at, _), event)) = self.events.pop_first() {
            if at > last {
                break;
            }
            self.at = self.at.max(at);
            if matches!(event, Event::Rest) {
                last = self.at + self.plan.patience();
            }
            self.happen(event)?;
            if self.resting && self.is_quiet() {
                break;
            }
        }
        self.say(|_| "the end".to_owned());
        self.judge()
    }

    fn is_quiet(&self) -> bool {
        let idle = |process: &Process| process.is_idle();
        self.store.active().next().is_none() && self.process.as_ref().is_some_and(idle)
    }

    fn judge(&mut self) -> Held {
        invariants::every_run_ends_once(&self.store)?;
        invariants::every_slot_is_settled(&self.store)?;
        for run in &self.strange {
            if let Some(run) = self.store.runs.get(run) {
                invariants::unknown_words_are_followed(run, &self.harness)?;
            }
        }
        invariants::ledger_accounted(&self.store, &self.harness)?;
        for run in self.store.runs.values() {
            self.met.insert(format!("{:?}", run.outcome));
            self.met.extend(run.reason.map(|reason| format!("{reason:?}")));
            self.met.extend(run.result.map(|result| format!("{result:?}")));
        }
        for (_, key) in self.store.totals.keys() {
            if let Key::Missed(reason) = key {
                self.met.insert(format!("{reason:?}"));
            }
        }
        Ok(())
    }

    fn happen(&mut self, event: Event) -> Held {
        let alive = |life: u32| life == self.life && self.process.is_some();
        match event {
            Event::Input { life, input } if alive(life) => self.input(input),
            Event::Commit { life, works } if alive(life) => self.commit_ends(works),
            Event::Slow { life, commit } if alive(life) => self.commit_is_slow(commit),
            Event::Again { life } if alive(life) => {
                self.commit();
                Ok(())
            }
            Event::Recovered { life } if alive(life) => self.store_recovers(),
            Event::Wake { life } if alive(life) => self.turn(Vec::new()),
            Event::Ask if self.process.is_some() => self.ask(),
            Event::Switch(held) if self.process.is_some() => self.switch(held),
            Event::Reload if self.process.is_some() && !self.resting => self.reload(),
            Event::Step(by) => {
                self.note("step");
                self.say(|_| format!("the wall clock is set by {by} ms"));
                self.wall_offset += by;
                self.harness.their_clock += by;
                self.clocks_true = false;
                let notices = self.rng.below(30 * SECOND);
                self.after(notices, Event::Wake { life: self.life });
                Ok(())
            }
            Event::Suspend(lasts) => {
                self.note("suspend");
                self.say(|_| format!("asleep for {lasts} ms"));
                self.at += lasts;
                self.suspended += lasts;
                self.clocks_true = false;
                Ok(())
            }
            Event::Stop if self.process.is_some() => self.stop(),
            Event::Start => self.start(),
            Event::Rest => {
                self.say(|_| "rest".to_owned());
                self.resting = true;
                if self.process.is_some() {
                    self.die();
                }
                self.events.retain(|_, event| !matches!(event, Event::Start | Event::Stop));
                self.start()
            }
            _ => Ok(()),
        }
    }

    /// The kill signal, at one of the many places where it could come.
    pub(super) fn is_killed(&mut self) -> bool {
        if self.resting || self.process.is_none() || !self.rng.per_mille(self.plan.crashes) {
            return self.process.is_none();
        }
        self.note("crash");
        self.say(|_| "killed".to_owned());
        self.die();
        if self.rng.per_mille(200) {
            self.note("power");
            self.say(|_| "and the power is gone".to_owned());
            (self.store, self.regimes) = self.synced.clone();
            self.shown.clear();
        }
        let down = self.rng.pick(&[0, SECOND, SECOND, 30 * SECOND, 10 * MINUTE]);
        self.after(down, Event::Start);
        true
    }

    pub(super) fn after(&mut self, millis: u64, event: Event) {
        self.sequence += 1;
        self.events.insert((self.at + millis, self.sequence), event);
    }

    /// The two clocks, as the process reads them.
    pub(super) fn now(&self) -> Now {
        let wall = Wall(EPOCH + i64::try_from(self.at).unwrap() + self.wall_offset);
        Now { wall, mono: Mono(Duration::from_millis(self.mono())) }
    }

    pub(super) fn mono(&self) -> u64 {
        self.origin + self.at - self.suspended
    }

    /// In how many milliseconds the clock that is never set shows `mono`.
    pub(super) fn until(&self, mono: Mono) -> u64 {
        let millis = u64::try_from(mono.0.as_nanos().div_ceil(1_000_000)).unwrap();
        millis.saturating_sub(self.mono())
    }

    pub(super) fn pipeline(&self, name: &PipelineName) -> Option<&Arc<Pipeline>> {
        self.config.pipelines.iter().find(|pipeline| pipeline.name == *name)
    }

    pub(super) fn note(&mut self, what: &str) {
        if !self.met.contains(what) {
            self.met.insert(what.to_owned());
        }
    }

    pub(super) fn say(&mut self, what: impl FnOnce(&Self) -> String) {
        if self.tale.is_some() {
            let text = format!("{:>12} {} #{} {}", self.at, self.now().wall, self.life, what(self));
            self.tale.iter_mut().for_each(|tale| tale.push(text.clone()));
        }
    }
}
