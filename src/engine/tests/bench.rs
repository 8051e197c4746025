//! A bench to try the engine on, in steps that read like a story. Every save works at once; what
//! is sent and read is kept until the story answers it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::config::{Account, Config, Pipeline};
use crate::engine::{
    Effect, Engine, Input, ListExecutions, LookUpTrigger, Purpose, ReadEvent, ReadExecution, Reply,
    SendTrigger,
};
use crate::model::{
    AccountName, Answered, Change, DURATION_BOUNDS, Durations, EventAnswer, EventId,
    ExecutionAnswer, ExecutionsAnswer, ExecutionsPage, Fact, Key, ListedExecution, LookupAnswer,
    MissedReason, Mono, Now, Outcome, Phase, PipelineName, Reason, Restored, Run, RunId, RunResult,
    SlotResult, StoredPipeline, TriggerAnswer, Wall,
};
use crate::schedule::{Align, Schedule};

pub(super) use super::said::*;

/// 2025-11-24T16:00:00Z, at which everything here is due that is due by the minute.
pub(super) const START: i64 = 1_764_000_000_000;

/// What the other clock shows then.
const ORIGIN: Mono = Mono(hours(1000 * 24));

pub(super) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(super) const fn mins(minutes: u64) -> Duration {
    Duration::from_mins(minutes)
}

pub(super) const fn hours(hours: u64) -> Duration {
    Duration::from_hours(hours)
}

/// The pipeline `name`, due every minute.
pub(super) fn pipeline(name: &str) -> Pipeline {
    Pipeline {
        schedule: Some(every(mins(1))),
        ..Pipeline::new(PipelineName::new(name), AccountName::new("default"))
    }
}

pub(super) fn every(every: Duration) -> Schedule {
    Schedule::every(every, Align::Epoch, "")
}

fn account() -> Account {
    let url = "https://harness.example".parse().unwrap();
    Account::new(AccountName::new("default"), url, "acme0000000000000000AA")
}

pub(super) struct Bench {
    pub(super) engine: Engine,
    now: Now,
    /// By how much the wall clock was set, in milliseconds.
    set_by: i64,
    pub(super) config: Config,
    pub(super) runs: BTreeMap<RunId, Arc<Run>>,
    pub(super) rows: BTreeMap<PipelineName, StoredPipeline>,
    pub(super) missed: Vec<(MissedReason, u64)>,
    /// How due times with a run were settled.
    pub(super) settled: Vec<SlotResult>,
    /// Webhooks sent and not answered.
    pub(super) sent: Vec<SendTrigger>,
    /// Triggers being looked up.
    pub(super) lookups: Vec<LookUpTrigger>,
    /// Whether triggers are looked up now and then though no run needs it.
    pub(super) checks: bool,
    /// What was told of a trigger last.
    pub(super) usable: Option<bool>,
    /// How many executions were found that others have started.
    pub(super) foreign: u64,
    /// Events being read.
    pub(super) reads: Vec<ReadEvent>,
    /// Executions being read.
    pub(super) execution_reads: Vec<ReadExecution>,
    /// Executions being looked through.
    pub(super) searches: Vec<ListExecutions>,
    /// How far Harness' clock is ahead, in milliseconds, by its answers to looks for executions.
    pub(super) skew: Option<i64>,
    /// Executions being listed.
    pub(super) lists: Vec<ListExecutions>,
    /// How often it was found that executions are listed in another way.
    pub(super) listed_otherwise: usize,
    /// How long the last runs took, as a store would remember it.
    pub(super) durations: Vec<Durations>,
    /// The bounds of the buckets in which durations are counted, as a store would remember them.
    pub(super) buckets: Arc<[i64]>,
    /// How often they were changed.
    pub(super) bucket_changes: usize,
    pub(super) replies: Vec<Reply>,
    /// How often a word was told that is not in our tables.
    pub(super) strange_words: usize,
    /// When the pipeline that was told of last is next due.
    pub(super) next: Option<Wall>,
    /// How often it was said that the clock was once ahead.
    pub(super) silenced: usize,
    /// How many looks were answered.
    pub(super) looks: usize,
    /// The most due times that were told to be waiting.
    pub(super) most_waiting: u64,
    /// Whether saves fail.
    pub(super) store_fails: bool,
}

impl Bench {
    /// An exporter that starts for the first time.
    pub(super) fn new<const N: usize>(pipelines: [Pipeline; N]) -> Self {
        Self::with(account(), pipelines)
    }

    /// The same, with other limits.
    pub(super) fn limited(
        limits: impl FnOnce(&mut Account),
        pipelines: impl IntoIterator<Item = Pipeline>,
    ) -> Self {
        let mut account = account();
        limits(&mut account);
        Self::with(account, pipelines)
    }

    fn with(account: Account, pipelines: impl IntoIterator<Item = Pipeline>) -> Self {
        let config = Config::new(account, pipelines);
        let mut bench = Self {
            engine: Engine::new(&config, 1),
            now: Now { wall: Wall(START), mono: ORIGIN },
            set_by: 0,
            config,
            runs: BTreeMap::new(),
            rows: BTreeMap::new(),
            missed: Vec::new(),
            settled: Vec::new(),
            sent: Vec::new(),
            lookups: Vec::new(),
            checks: false,
            usable: None,
            foreign: 0,
            reads: Vec::new(),
            execution_reads: Vec::new(),
            searches: Vec::new(),
            skew: None,
            lists: Vec::new(),
            listed_otherwise: 0,
            durations: Vec::new(),
            buckets: Arc::from(DURATION_BOUNDS),
            bucket_changes: 0,
            replies: Vec::new(),
            strange_words: 0,
            next: None,
            silenced: 0,
            looks: 0,
            most_waiting: 0,
            store_fails: false,
        };
        bench.start();
        bench
    }

    /// Killed, and started again with what is saved.
    pub(super) fn restart(&mut self) {
        self.restart_after(Duration::ZERO);
    }

    pub(super) fn restart_after(&mut self, down: Duration) {
        self.sent.clear();
        self.lookups.clear();
        self.reads.clear();
        self.execution_reads.clear();
        self.searches.clear();
        self.lists.clear();
        self.missed.clear();
        self.move_to(self.now.mono.after(down));
        self.start();
        // A process that takes up from another lets the first call go after one interval.
        self.pass(Duration::from_millis(250));
    }

    pub(super) fn edit(&mut self, edit: impl FnOnce(&mut Pipeline)) {
        edit(Arc::make_mut(&mut self.config.pipelines[0]));
    }

    /// The config is read again with other limits.
    pub(super) fn limit(&mut self, limits: impl FnOnce(&mut Account)) {
        limits(Arc::make_mut(self.config.accounts.values_mut().next().unwrap()));
        self.reload();
    }

    /// The config is read again, without a restart.
    pub(super) fn reload(&mut self) {
        self.handle(Input::Configured(Arc::new(self.config.clone())));
    }

    fn start(&mut self) {
        let engine = Engine::new(&self.config, 1);
        self.engine = if self.checks { engine } else { engine.without_checks() };
        let restored = Restored {
            pipelines: self.rows.values().cloned().collect(),
            runs: self.runs.values().cloned().collect(),
            durations: self.durations.clone(),
            buckets: self.buckets.clone(),
            ..Restored::default()
        };
        self.engine.restore(&restored, self.now);
        self.turn(Vec::new());
    }

    pub(super) fn handle(&mut self, input: Input) {
        self.turn(vec![input]);
    }

    fn turn(&mut self, inputs: Vec<Input>) {
        for input in inputs {
            self.engine.handle(input, self.now);
        }
        self.engine.advance(self.now);
        let wake = self.engine.wake_at(self.now);
        assert!(wake.is_none_or(|at| at > self.now.mono), "asks to be woken in the past");
        let (mut facts, mut sends) = (Vec::new(), Vec::new());
        for effect in self.engine.effects() {
            match effect {
                Effect::Fact(fact) => facts.push(fact),
                Effect::SendTrigger(send) => sends.push(send),
                Effect::LookUpTrigger(look_up) => self.lookups.push(look_up),
                Effect::ReadEvent(read) => self.reads.push(read),
                Effect::ReadExecution(read) => self.execution_reads.push(read),
                Effect::ListExecutions(list) => {
                    let search = matches!(list.purpose, Purpose::Search(_));
                    if search { &mut self.searches } else { &mut self.lists }.push(list);
                }
                Effect::ListedOtherwise { .. } => self.listed_otherwise += 1,
                Effect::Reply { reply, .. } => self.replies.push(reply),
                Effect::UnknownWord { .. } => self.strange_words += 1,
                Effect::Silenced { .. } => self.silenced += 1,
                Effect::Withheld { .. } => panic!("nothing is withheld but in a dry run"),
            }
        }
        if self.store_fails && !sends.is_empty() {
            return self.not_saved(facts);
        }
        for fact in &facts {
            self.save(fact);
        }
        self.sent.append(&mut sends);
    }

    /// A turn with webhooks could not be saved.
    fn not_saved(&mut self, facts: Vec<Fact>) {
        let (mut begun, mut sending) = (Vec::new(), Vec::new());
        for fact in facts {
            match fact {
                Fact::Run { run, change: Change::Begun, .. } => begun.push(run.id.clone()),
                Fact::Run { run, change: Change::Sending, .. } => sending.push(run.id.clone()),
                fact => self.save(&fact),
            }
        }
        sending.retain(|run| !begun.contains(run));
        let unwritable = Input::StoreWritable { writable: false };
        self.turn(vec![unwritable, Input::NotSaved { begun, sending }]);
    }

    fn save(&mut self, fact: &Fact) {
        let (name, mark) = match fact {
            Fact::Loaded(row) => {
                self.rows.insert(row.name.clone(), row.clone());
                return;
            }
            Fact::Run { run, mark, .. } => {
                for entry in crate::totals::of(fact, DURATION_BOUNDS) {
                    if let Key::Slots(result) = entry.key {
                        self.settled.push(result);
                    }
                }
                self.runs.insert(run.id.clone(), run.clone());
                (&run.pipeline, mark.as_ref())
            }
            Fact::Missed { pipeline, reason, count, mark, .. } => {
                self.missed.push((*reason, *count));
                (pipeline, Some(mark))
            }
            Fact::Next { at, .. } => {
                self.next = *at;
                return;
            }
            Fact::TriggerLookedUp { usable, .. } => return self.usable = Some(*usable),
            Fact::ForeignRuns { count, .. } => return self.foreign += count,
            Fact::Buckets(buckets) => {
                self.buckets = buckets.clone();
                self.bucket_changes += 1;
                return;
            }
            Fact::Waiting(count) => {
                self.most_waiting = self.most_waiting.max(*count);
                return;
            }
            Fact::Maintenance { .. } => return,
        };
        if let (Some(row), Some(mark)) = (self.rows.get_mut(name), mark) {
            row.mark = mark.clone();
        }
    }

    /// Lets time pass, waking up whenever the engine asks for it.
    pub(super) fn pass(&mut self, time: Duration) {
        self.pass_with(time, |_| None);
    }

    /// Lets time pass, each look being answered at once by `look`, given what is asked for.
    pub(super) fn pass_with(
        &mut self,
        time: Duration,
        mut look: impl FnMut(&ReadEvent) -> Option<EventAnswer>,
    ) {
        let until = self.now.mono.after(time);
        let mut turns = 0;
        loop {
            while let Some(answer) = self.reads.first().and_then(&mut look) {
                self.read_is_answered(answer);
            }
            let wake = self.engine.wake_at(self.now).filter(|at| *at <= until);
            let Some(wake) = wake else { break };
            self.move_to(wake);
            self.turn(Vec::new());
            turns += 1;
            assert!(turns < 100_000, "a busy loop");
        }
        self.move_to(until);
        self.turn(Vec::new());
    }

    /// By both clocks.
    pub(super) fn now(&self) -> Now {
        self.now
    }

    /// When the engine asks to be woken.
    pub(super) fn wake_at(&self) -> Option<Mono> {
        self.engine.wake_at(self.now)
    }

    /// Lets time pass up to `at`, for whoever wakes the engine in between as it asks for it.
    pub(super) fn wake(&mut self, at: Mono) {
        self.move_to(at);
        self.turn(Vec::new());
    }

    fn move_to(&mut self, mono: Mono) {
        self.now = Now { wall: Wall(START + self.set_by).after(mono.since(ORIGIN)), mono };
    }

    /// The wall clock is set, or the machine slept: the other clock has not moved.
    pub(super) fn wall_moves(&mut self, millis: i64) {
        self.set_by += millis;
        self.move_to(self.now.mono);
        self.turn(Vec::new());
    }

    /// The oldest webhook is answered.
    pub(super) fn webhook_is(&mut self, answer: TriggerAnswer) {
        let send = self.sent.remove(0);
        let code = match &answer {
            TriggerAnswer::Accepted(_) => Some(200),
            TriggerAnswer::Throttled { .. } => Some(429),
            TriggerAnswer::NeverLeft { .. } | TriggerAnswer::NotSent { .. } => None,
            _ => Some(404),
        };
        let called = !matches!(answer, TriggerAnswer::NotSent { .. });
        let took = called.then_some(Duration::ZERO);
        let answered = Answered { answer, code, skew: None, took };
        self.handle(Input::Triggered { run: send.run, answered });
    }

    pub(super) fn webhook_is_accepted(&mut self) {
        self.webhook_is(TriggerAnswer::Accepted(EventId::new("62e2f3").unwrap()));
    }

    /// The oldest look-up is answered.
    pub(super) fn look_up_is(&mut self, answer: LookupAnswer) {
        let pipeline = self.lookups.remove(0).pipeline.name.clone();
        let code = match &answer {
            LookupAnswer::Found(_) => 200,
            LookupAnswer::Refused(refusal) => refusal.status,
            LookupAnswer::Throttled { .. } => 429,
            LookupAnswer::Failed { .. } => 500,
        };
        let took = Some(Duration::ZERO);
        let answered = Box::new(Answered { answer, code: Some(code), skew: None, took });
        self.handle(Input::TriggerLookedUp { pipeline, answered });
    }

    /// The oldest look is answered.
    pub(super) fn read_is_answered(&mut self, answer: EventAnswer) {
        let read = self.reads.remove(0);
        self.looks += 1;
        let code = match &answer {
            EventAnswer::Details(_) => 200,
            EventAnswer::NoHistory => 400,
            EventAnswer::UnknownPath => 404,
            EventAnswer::Throttled { .. } => 429,
            EventAnswer::Failed { .. } => 500,
        };
        let answered =
            Answered { answer, code: Some(code), skew: None, took: Some(Duration::ZERO) };
        self.handle(Input::EventRead { run: read.run, answered });
    }

    /// The oldest look for an execution is answered.
    pub(super) fn search_is_answered(&mut self, answer: ExecutionsAnswer) {
        let search = self.searches.remove(0);
        self.looks += 1;
        let answered = self.listed(answer);
        self.handle(Input::ExecutionsListed { purpose: search.purpose, answered });
    }

    /// The oldest list is answered.
    pub(super) fn list_is(&mut self, answer: ExecutionsAnswer) {
        let list = self.lists.remove(0);
        let answered = self.listed(answer);
        self.handle(Input::ExecutionsListed { purpose: list.purpose, answered });
    }

    fn listed(&self, answer: ExecutionsAnswer) -> Answered<ExecutionsAnswer> {
        let code = match &answer {
            ExecutionsAnswer::Page(_) | ExecutionsAnswer::TooLarge => 200,
            ExecutionsAnswer::Refused(refusal) => refusal.status,
            ExecutionsAnswer::Throttled { .. } => 429,
            ExecutionsAnswer::Failed { .. } => 500,
        };
        let took = Some(Duration::ZERO);
        Answered { answer, code: Some(code), skew: self.skew, took }
    }

    /// Lets time pass, each look for an execution finding these.
    pub(super) fn pass_finding(&mut self, time: Duration, found: &[ListedExecution]) {
        let until = self.now.mono.after(time);
        loop {
            while !self.searches.is_empty() {
                let page = ExecutionsPage { executions: found.to_vec(), last: true, total: None };
                self.search_is_answered(ExecutionsAnswer::Page(Box::new(page)));
            }
            if self.now.mono >= until {
                return;
            }
            let wake = self.engine.wake_at(self.now).filter(|at| *at <= until);
            self.move_to(wake.unwrap_or(until));
            self.turn(Vec::new());
        }
    }

    /// The oldest look at an execution is answered.
    pub(super) fn execution_is(&mut self, answer: ExecutionAnswer) {
        let read = self.execution_reads.remove(0);
        let code = match &answer {
            ExecutionAnswer::Summary(_) => 200,
            ExecutionAnswer::Missing => 404,
            ExecutionAnswer::Throttled { .. } => 429,
            ExecutionAnswer::Failed { .. } => 500,
        };
        let answered =
            Answered { answer, code: Some(code), skew: None, took: Some(Duration::ZERO) };
        self.handle(Input::ExecutionRead { run: read.run, answered });
    }

    /// Now, by the wall clock.
    pub(super) fn wall(&self) -> Wall {
        self.now.wall
    }

    pub(super) fn ask(&mut self, pipeline: &str) -> Reply {
        let random = self.now.wall.0.unsigned_abs() + self.replies.len() as u64;
        let pipeline = pipeline.to_owned();
        self.handle(Input::Asked { request: 1, pipeline, payload: None, random });
        self.replies.last().cloned().unwrap()
    }

    pub(super) fn stop(&mut self) {
        self.handle(Input::Stop);
    }

    /// Whether Harness is up.
    pub(super) fn up(&self) -> Option<bool> {
        self.engine.up(&AccountName::new("default"))
    }

    /// The run begun last.
    pub(super) fn newest(&self) -> &Run {
        self.runs.values().max_by_key(|run| run.begun).unwrap()
    }

    /// How the run begun last stands.
    pub(super) fn state(&self) -> (Phase, Outcome, Option<Reason>, Option<RunResult>) {
        let run = self.newest();
        (run.phase, run.outcome, run.reason, run.result)
    }
}
