//! The process: the engine with a driver around it as the real one is, in small. It lives from a
//! start to a kill or a stop.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use harness_exporter::calendar::Calendar;
use harness_exporter::config::{Concurrency, Config};
use harness_exporter::engine::{Effect, Engine, Input, Reply, SendTrigger};
use harness_exporter::model::{
    AccountName, Fact, Now, Outcome, Phase, PipelineName, Restored, Run, TriggerAnswer, Wall,
};
use harness_exporter::schedule::Schedule;

use super::bugs::Bug;
use super::invariants::{self, Held, Regime};
use super::lookups::Told;
use super::plan::MINUTE;
use super::store::Store;
use super::timetable::Timetable;
use super::world::{Event, World};

/// What a turn brings that must not be seen before it is saved.
#[derive(Debug, Default)]
pub(super) struct Turn {
    pub(super) facts: Vec<Fact>,
    pub(super) sends: Vec<SendTrigger>,
    pub(super) replies: Vec<(u64, Reply)>,
}

#[derive(Debug)]
pub(super) struct Process {
    pub(super) engine: Engine,
    /// Turns that are not saved yet; the oldest is being saved.
    pub(super) pending: VecDeque<Turn>,
    /// The number of the commit under way.
    pub(super) commits: u64,
    pub(super) committing: bool,
    /// What the engine believes of the store.
    pub(super) writable: bool,
    pub(super) stopping: bool,
    /// Pipelines that are paused by hand.
    pub(super) held: BTreeSet<PipelineName>,
    /// Calls that are not answered.
    pub(super) calls: usize,
    /// Until when an account is to be left alone.
    pub(super) rests: HashMap<AccountName, u64>,
    /// What `/metrics` shows.
    pub(super) board: Store,
    waiting: u64,
    /// The latest time of the wall clock at which it was there, for each pipeline since it was told
    /// of last: the clock may have been set back before that.
    seen: BTreeMap<PipelineName, Wall>,
    wakes_at: Option<u64>,
    pub(super) told: Told,
}

impl Process {
    /// Whether nothing is to be saved.
    pub(super) fn is_idle(&self) -> bool {
        self.pending.is_empty()
    }
}

impl World {
    pub(super) fn start(&mut self) -> Held {
        if self.process.is_some() {
            return Ok(());
        }
        self.life += 1;
        self.origin += self.rng.below(2) * MINUTE;
        if self.resting {
            self.config = self.plan.at_rest();
        } else if self.life > 1 && self.rng.per_mille(self.plan.edits) {
            self.note("edit");
            self.config = self.plan.edited(&mut self.rng);
        }
        if self.life > 1 {
            self.note("restart");
        }
        self.say(|world| format!("starts with {} pipelines", world.config.pipelines.len()));
        for run in self.store.active().filter(|run| run.phase == Phase::Sending) {
            self.harness.hurry_run(&run.id, &mut self.rng);
        }
        for ((owner, key), shown) in &self.shown {
            let saved = self.store.totals.get(&(owner.clone(), *key)).copied().unwrap_or(0);
            invariants::counters_outlive_the_process(*key, *shown, saved)?;
        }
        let now = self.now();
        for (name, regime) in &mut self.regimes {
            let mark = self.store.pipelines.get(name).map(|row| row.mark.handled_until);
            let delay = regime.timetable.as_ref().map_or(Duration::ZERO, Timetable::delay);
            // What is handled has fired.
            regime.seen = mark.unwrap_or_default().after(delay).max(regime.start);
        }
        if self.bug == Some(Bug::ForgetRemoved) {
            let removed = |run: &&Arc<Run>| self.pipeline(&run.pipeline).is_none();
            let removed = self.store.active().filter(removed).map(|run| run.id.clone());
            self.forgotten.extend(removed.collect::<Vec<_>>());
        }
        // What opens a store syncs it.
        self.synced = (self.store.clone(), self.regimes.clone());
        self.process = Some(self.born(now));
        if self.rng.per_mille(500) {
            self.take_effects()?;
        }
        self.turn(Vec::new())
    }

    fn born(&mut self, now: Now) -> Process {
        let mut engine = Engine::new(&self.engine_config(), self.rng.next());
        engine.restore(&self.restored(), now);
        let Store { totals, buckets, .. } = self.store.clone();
        let board = Store { totals, buckets, ..Store::default() };
        Process {
            engine,
            pending: VecDeque::new(),
            commits: 0,
            committing: false,
            writable: true,
            stopping: false,
            held: self
                .store
                .pipelines
                .values()
                .filter(|r| r.held)
                .map(|r| r.name.clone())
                .collect(),
            calls: 0,
            rests: HashMap::new(),
            board,
            waiting: 0,
            seen: BTreeMap::new(),
            wakes_at: None,
            told: Told::new(),
        }
    }

    /// The config as the engine gets it: the plan's, unless that is where the bug is.
    fn engine_config(&self) -> Config {
        let mut config = self.config.clone();
        for pipeline in &mut config.pipelines {
            let pipeline = Arc::make_mut(pipeline);
            match self.bug {
                Some(Bug::NoDeadline) => {
                    pipeline.queue_deadline = Duration::from_hours(876_000);
                    pipeline.run_deadline = Duration::from_hours(876_000);
                }
                Some(Bug::GiveUpEarly) => pipeline.unconfirmed_deadline /= 4,
                Some(Bug::NoForbid) => pipeline.concurrency = Concurrency::Allow,
                Some(Bug::IgnoreMaintenance) => pipeline.maintenance.clear(),
                _ => {}
            }
        }
        for account in config.accounts.values_mut().filter(|_| self.bug == Some(Bug::IgnoreLimiter))
        {
            Arc::make_mut(account).requests_per_minute *= 100;
        }
        for account in config.accounts.values_mut().filter(|_| self.bug == Some(Bug::SkipLookUp)) {
            Arc::make_mut(account).api_key = None;
        }
        config
    }

    fn restored(&self) -> Restored {
        let mut restored = self.store.restored();
        match self.bug {
            Some(Bug::ResendOnRestore) => {
                for run in restored.runs.iter_mut().filter(|run| run.phase == Phase::Sending) {
                    *run = Arc::new(Run { phase: Phase::Waiting, ..Run::clone(run) });
                }
            }
            Some(Bug::ResendUnconfirmed) => {
                for run in restored.runs.iter_mut().filter(|run| run.phase == Phase::Unconfirmed) {
                    *run = Arc::new(Run { phase: Phase::Waiting, ..Run::clone(run) });
                }
            }
            Some(Bug::ForgetClaims) => restored.runs.retain(|run| run.is_active()),
            Some(Bug::ForgetRun) => {
                let open = restored.runs.iter().rposition(|run| run.is_active());
                open.map(|open| restored.runs.remove(open));
            }
            Some(Bug::ForgetOwed) => {
                restored.pipelines.iter_mut().for_each(|row| row.mark.owed.clear());
            }
            Some(Bug::ForgetLastSlot) => {
                for row in &mut restored.pipelines {
                    let until = row.mark.handled_until;
                    if let Ok(schedule) =
                        row.schedule.lines().next().unwrap_or_default().parse::<Schedule>()
                        && let Some(last) = schedule.due_times(&row.name).last_at_or_before(until)
                    {
                        row.mark.handled_until = Wall(last.0 - 1);
                    }
                }
            }
            Some(Bug::CatchUpByEdit) => {
                for row in &mut restored.pipelines {
                    let config = self.pipeline(&row.name);
                    let text = config.map(|config| Calendar::of(config).text().to_owned());
                    row.schedule = text.unwrap_or_default();
                }
            }
            Some(Bug::RetryUnconfirmed) => {
                for run in restored
                    .runs
                    .iter_mut()
                    .filter(|run| run.outcome == Outcome::Unconfirmed && !run.is_active())
                {
                    *run = Arc::new(Run { retry_at: run.ended, ..Run::clone(run) });
                }
            }
            Some(Bug::SettleTwice) => {
                for run in restored.runs.iter_mut().filter(|run| !run.is_active()) {
                    *run = Arc::new(Run { retry_at: run.ended, ..Run::clone(run) });
                }
            }
            Some(Bug::RetryLate) => {
                let rows = &self.store.pipelines;
                let passed = |run: &Run| {
                    rows.get(&run.pipeline)
                        .is_some_and(|row| Some(row.mark.handled_until) > run.due)
                };
                for run in restored.runs.iter_mut().filter(|run| !run.is_active() && passed(run)) {
                    *run = Arc::new(Run { retry_at: run.ended, ..Run::clone(run) });
                }
            }
            Some(Bug::ForgetRemoved) => {
                restored.runs.retain(|run| !self.forgotten.contains(&run.id));
            }
            _ => {}
        }
        restored
    }

    /// The process is no more. A transaction under way may have come through.
    pub(super) fn die(&mut self) {
        let Some(process) = self.process.take() else { return };
        self.shown = process.board.totals;
        if process.committing
            && self.rng.per_mille(500)
            && let Some(turn) = process.pending.front()
        {
            // What is wrong with it would have been found had it lived.
            let _ = self.save(&turn.facts);
        }
    }

    /// Somebody tells the process to end.
    pub(super) fn stop(&mut self) -> Held {
        self.note("stop");
        self.say(|_| "is told to stop".to_owned());
        let Some(process) = &mut self.process else { return Ok(()) };
        process.stopping = true;
        let input = Input::Stop;
        let told = self.bug != Some(Bug::IgnoreStop);
        self.turn(if told { vec![input] } else { Vec::new() })
    }

    fn end_if_stopped(&mut self) {
        let done = |process: &Process| {
            process.stopping
                && process.pending.is_empty()
                && process.engine.webhooks_under_way() == 0
        };
        if self.process.as_ref().is_some_and(done) {
            self.say(|_| "has stopped".to_owned());
            self.die();
            let down = self.rng.below(5 * MINUTE);
            self.after(down, Event::Start);
        }
    }

    pub(super) fn ask(&mut self) -> Held {
        let index = self.rng.below(self.plan.pipelines.len() as u64 + 1);
        let random = self.rng.next();
        let input = Input::Asked {
            request: random,
            pipeline: format!("p{index}"),
            payload: self.rng.per_mille(300).then(|| Arc::from("{\"by\":\"hand\"}")),
            random,
        };
        self.input(input)
    }

    /// Somebody pauses or resumes one pipeline, or all of them.
    pub(super) fn switch(&mut self, held: bool) -> Held {
        self.note(if held { "pause" } else { "resume" });
        let all = self.rng.per_mille(200);
        let index = self.rng.below(self.plan.pipelines.len() as u64);
        let pipelines = if all { Vec::new() } else { vec![format!("p{index}")] };
        let names = self.config.pipelines.iter().map(|pipeline| pipeline.name.clone());
        let names: Vec<_> = names
            .filter(|name| all || pipelines.iter().any(|named| named == name.as_str()))
            .collect();
        let Some(process) = &mut self.process else { return Ok(()) };
        if held {
            process.held.extend(names);
        } else {
            process.held.retain(|name| !names.contains(name));
        }
        if self.bug == Some(Bug::IgnorePause) {
            return Ok(());
        }
        self.input(if held {
            Input::Pause { request: 0, pipelines }
        } else {
            Input::Resume { request: 0, pipelines }
        })
    }

    /// The config is edited and read again.
    pub(super) fn reload(&mut self) -> Held {
        self.note("reload");
        self.config = self.plan.edited(&mut self.rng);
        let config = self.engine_config();
        self.input(Input::Configured(Arc::new(config)))
    }

    pub(super) fn input(&mut self, input: Input) -> Held {
        self.say(|_| format!("{input:?}"));
        if self.is_killed() {
            return Ok(());
        }
        let now = self.mono();
        let Some(process) = &mut self.process else { return Ok(()) };
        if let Input::Triggered { run, answered } = &input {
            process.calls -= 1;
            if let TriggerAnswer::Throttled { retry_after: Some(wait) } = answered.answer
                && let Some(run) = self.store.runs.get(run)
            {
                let until = now + u64::try_from(wait.as_millis()).unwrap();
                process.rests.insert(run.account.clone(), until);
            }
        } else if let Input::EventRead { .. }
        | Input::ExecutionRead { .. }
        | Input::ExecutionsListed { .. }
        | Input::TriggerLookedUp { .. } = &input
        {
            process.calls -= 1;
        }
        let Some(input) = self.spoil(input) else { return Ok(()) };
        self.note_told(&input);
        self.turn(vec![input])
    }

    pub(super) fn turn(&mut self, inputs: Vec<Input>) -> Held {
        let now = self.now();
        let Some(process) = &mut self.process else { return Ok(()) };
        for input in inputs {
            process.engine.handle(input, now);
        }
        process.engine.advance(now);
        let wake = process.engine.wake_at(now);
        invariants::waking_makes_progress(wake.is_none_or(|at| at > now.mono))?;
        if !process.stopping {
            process.seen.values_mut().for_each(|seen| *seen = now.wall.max(*seen));
            for regime in self.regimes.values_mut() {
                regime.seen = regime.seen.max(now.wall);
            }
        }
        self.take_effects()?;
        let Some(wakes_at) = wake.map(|at| self.at + self.until(at)) else {
            return self.rest_of_turn(false);
        };
        if let Some(process) = &mut self.process
            && process.wakes_at != Some(wakes_at)
        {
            process.wakes_at = Some(wakes_at);
            let (life, millis) = (self.life, wakes_at - self.at);
            self.after(millis, Event::Wake { life });
        }
        self.rest_of_turn(true)
    }

    fn rest_of_turn(&mut self, wakes: bool) -> Held {
        if let Some(process) = &self.process {
            let open = process.engine.active_runs().next().is_some() || process.waiting > 0;
            let saves = !process.pending.is_empty() || !process.writable;
            let comes = wakes || process.calls > 0 || saves;
            invariants::nothing_is_forgotten(!open || comes || process.stopping)?;
            if process.pending.is_empty() {
                self.the_schedule_balances_now()?;
            }
        }
        self.end_if_stopped();
        Ok(())
    }

    /// Takes the engine's effects: what needs no saving goes at once, the rest into a transaction.
    fn take_effects(&mut self) -> Held {
        let now = self.now();
        let Some(process) = &mut self.process else { return Ok(()) };
        let mut turn = Turn::default();
        let mut maintenance = false;
        let mut reads = Vec::new();
        let effects = process.engine.effects();
        for effect in effects {
            match effect {
                Effect::Fact(Fact::Waiting(count)) => process.waiting = count,
                Effect::Fact(Fact::Maintenance { .. }) => maintenance = true,
                Effect::Fact(Fact::Next { .. })
                | Effect::ListedOtherwise { .. }
                | Effect::Silenced { .. }
                | Effect::UnknownWord { .. } => {}
                Effect::Withheld { .. } => panic!("nothing is withheld but in a dry run"),
                Effect::Fact(fact) => {
                    if let Fact::Loaded(row) = &fact {
                        process.seen.insert(row.name.clone(), now.wall);
                    }
                    turn.facts.push(fact);
                }
                Effect::SendTrigger(send) => {
                    process.calls += 1;
                    turn.sends.push(send);
                }
                Effect::Reply { request, reply } => turn.replies.push((request, reply)),
                read @ (Effect::LookUpTrigger(_)
                | Effect::ReadEvent(_)
                | Effect::ReadExecution(_)
                | Effect::ListExecutions(_)) => reads.push(read),
            }
        }
        if maintenance {
            self.note("maintenance");
        }
        for read in reads {
            if self.is_killed() {
                return Ok(());
            }
            self.ask_harness(read)?;
        }
        if self.is_killed() {
            return Ok(());
        }
        self.check_sends(&turn)?;
        self.queue(turn)
    }

    fn check_sends(&mut self, turn: &Turn) -> Held {
        let (now, mono) = (self.now(), self.mono());
        let Some(process) = &self.process else { return Ok(()) };
        for send in &turn.sends {
            invariants::stopping_begins_nothing(process.stopping)?;
            self.check_address(send)?;
            let rest = process.rests.get(&send.pipeline.account).copied().unwrap_or(0);
            invariants::throttling_is_heeded(mono, rest)?;
            if let Some(due) = send.due {
                invariants::nothing_is_sent_late(&send.pipeline, due, now.wall)?;
            }
            let begun = turn.facts.iter().find_map(|fact| match fact {
                Fact::Run { run, .. } if run.id == send.run => Some(run),
                _ => None,
            });
            let (Some(run), Some(config)) = (begun, self.pipeline(&send.pipeline.name)) else {
                continue;
            };
            let timetable = Timetable::of(config);
            let paused = config.paused || process.held.contains(&config.name);
            let left_alone = paused || timetable.is_maintenance(now.wall);
            invariants::nothing_is_sent_while_left_alone(run, left_alone)?;
            if run.phase == Phase::Sending && run.sent == Some(run.begun) {
                invariants::a_retry_is_before_the_next_due_time(run, &timetable, now.wall)?;
            }
        }
        Ok(())
    }

    /// What the schedules call for up to now, against what is shown.
    fn the_schedule_balances_now(&self) -> Held {
        let due = self.regimes.values().map(Regime::fired).sum();
        let tallies = self.store.tallies.values();
        let told: i64 = tallies.map(|tally| tally.scheduled + tally.missed).sum();
        let waiting = self.process.as_ref().map_or(0, |process| process.waiting);
        let told = told + i64::try_from(waiting).unwrap();
        invariants::schedule_balances("by the clock", due, told)
    }

    /// Takes note of the schedule that a pipeline has from now on.
    pub(super) fn note_schedule(&mut self, fact: &Fact) {
        let Fact::Loaded(row) = fact else { return };
        let name: PipelineName = row.name.clone();
        let seen = self.process.as_ref().and_then(|process| process.seen.get(&name).copied());
        let regime: &mut Regime = self.regimes.entry(name).or_default();
        let timetable = Timetable::read(&row.name, &row.schedule);
        *regime = Regime {
            closed: regime.count(row.mark.handled_until),
            timetable: timetable.filter(|_| !row.paused && !row.held),
            start: row.mark.handled_until,
            seen: row.mark.handled_until.max(seen.unwrap_or_default()),
            ..Regime::default()
        };
    }
}
