//! How late the end of a run is seen, and for how many calls.
//!
//! The engine itself, with time as an argument, against a model of Harness without sockets: the
//! same figures on every machine. Each row keeps a number of runs in flight, each of a pipeline of
//! its own that has had thirty runs before, in up to ten projects; where none are to be known, nearly
//! every run is the first of its pipeline.
//! Without a key it is compared with what a constant gap does in the same engine: how late it is for
//! as many reads, and how many it needs to be as early. A row fails where a minute or a second is
//! above the budget, or a webhook is held back.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a measurement, run by hand"
)]

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use harness_exporter::config::{Account, Config, Pipeline, Polling, SecretSource, Webhook};
use harness_exporter::engine::{Effect, Engine, Input};
use harness_exporter::model::{
    AccountName, Answered, Change, Durations, EventAnswer, EventDetails, EventId, ExecutionFilter,
    ExecutionId, ExecutionsAnswer, ExecutionsPage, Fact, ListedExecution, Mark, Mono, Now,
    PipelineName, Restored, Run, RunResult, StoredPipeline, Summary, TriggerAnswer, Wall,
    WebhookVersion,
};
use secrecy::SecretString;

/// When a row begins, by the wall clock.
const EPOCH: i64 = 1_764_000_000_000;

/// What the clock shows then that is never set.
const ORIGIN: Duration = Duration::from_hours(24_000);

/// How long a call takes, of which the answer is settled half-way.
const CALL: u64 = 150;

/// From an event being accepted to its execution starting.
const QUEUE: u64 = 2_000;

/// How many runs are measured at least.
const RUNS: usize = 2_000;

const BUDGET: u32 = 300;

/// How long runs take.
#[derive(Clone, Copy)]
struct Law {
    name: &'static str,
    /// About how long, in seconds.
    mean: f64,
    draw: fn(&mut Chance) -> f64,
    /// How many are known beforehand.
    known: usize,
    polling: Polling,
}

impl Law {
    const fn new(name: &'static str, mean: f64, draw: fn(&mut Chance) -> f64) -> Self {
        Self { name, mean, draw, known: Durations::REMEMBERED, polling: Polling::DEFAULT }
    }
}

const TWENTY_MINUTES: fn(&mut Chance) -> f64 = |c| 1_200.0 * (0.03 * c.bell()).exp();

const TWO_HOURS: fn(&mut Chance) -> f64 = |c| 7_200.0 * (0.1 * c.bell()).exp();

const LAWS: [Law; 8] = [
    Law::new("short: 40 s ± 10 %", 40.0, |c| 40.0 * (0.1 * c.bell()).exp()),
    Law::new("medium: 10 min ± 20 %", 612.0, |c| 600.0 * (0.2 * c.bell()).exp()),
    Law::new("regular: 20 min ± 3 %", 1_200.0, TWENTY_MINUTES),
    Law { known: 0, ..Law::new("new: 20 min ± 3 %, none known", 1_200.0, TWENTY_MINUTES) },
    Law::new("nightly: 2 h ± 10 %", 7_236.0, TWO_HOURS),
    Law {
        polling: Polling { max: Duration::from_mins(10), ..Polling::DEFAULT },
        ..Law::new("nightly, `max: 10m`", 7_236.0, TWO_HOURS)
    },
    Law::new("bimodal: 2 min, or 15 min in 30 %", 354.0, |c| {
        let middle = if c.next() < 0.7 { 120.0 } else { 900.0 };
        middle * (0.08 * c.bell()).exp()
    }),
    Law::new("scattered: 10 min, without memory", 600.0, |c| -600.0 * c.next().max(1e-9).ln()),
];

/// Words of the command line pick the rows that have one of them.
fn main() {
    let picked: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    println!(
        "| in flight, durations | key | reads a run | reads a minute | calls a minute | mean lag | p95 | \
         constant gap, as many reads: mean lag | p95 | constant gap, same mean lag: reads a run |\n\
         |---|---|--:|--:|--:|--:|--:|--:|--:|--:|"
    );
    for law in LAWS {
        for in_flight in [1, 20, 200, 500, 2_000] {
            let label = format!("{in_flight}, {}", law.name);
            if !picked.is_empty() && !picked.iter().any(|word| label.contains(word.as_str())) {
                continue;
            }
            row(law, in_flight, false);
            // One alone is read alone.
            if in_flight > 1 {
                row(law, in_flight, true);
            }
        }
    }
}

fn row(law: Law, in_flight: usize, key: bool) {
    let started_a_minute = in_flight as f64 * 60.0 / (law.mean + 5.0);
    let told = format!("| {in_flight}, {} | {}", law.name, if key { "yes" } else { "no" });
    if started_a_minute * 3.0 > f64::from(BUDGET) {
        return println!("{told} | more than the budget can start and look at | | | | | | | |");
    }
    let learned = Row { law, in_flight, key, gap: None }.measure();
    print!(
        "{told} | {:.1} | {:.0} | {:.0} | {:.1} s | {:.1} s | ",
        learned.reads, learned.reads_a_minute, learned.calls_a_minute, learned.mean, learned.p95,
    );
    if key {
        return println!("| | |");
    }
    let constant = |gap: f64| {
        let gap = Some(Duration::from_secs_f64(gap));
        Row { law, in_flight, key: false, gap }.measure()
    };
    let as_many = search(constant, |figures| figures.reads > learned.reads);
    let same = search(constant, |figures| figures.mean < learned.mean);
    // Where calls are scarce a shorter gap costs no more of them, and helps nobody.
    let is_spent = same.calls_a_minute > f64::from(BUDGET) * 0.9;
    let same = if is_spent && same.mean > learned.mean * 1.05 {
        "not within the budget".to_owned()
    } else {
        format!("{:.1}", same.reads)
    };
    println!("{:.1} s | {:.1} s | {same} |", as_many.mean, as_many.p95);
}

/// The gap at which what is searched for begins or ends to hold.
fn search(measure: impl Fn(f64) -> Figures, is_short: impl Fn(&Figures) -> bool) -> Figures {
    let (mut short, mut long) = (0.5_f64, 1_000.0);
    let mut last = measure(long);
    for _ in 0..9 {
        let middle = (short * long).sqrt();
        let figures = measure(middle);
        if is_short(&figures) {
            short = middle;
        } else {
            (long, last) = (middle, figures);
        }
    }
    last
}

/// What a row has shown.
struct Figures {
    /// Reads for each run.
    reads: f64,
    reads_a_minute: f64,
    calls_a_minute: f64,
    /// From an end to its being recorded, in seconds.
    mean: f64,
    p95: f64,
}

#[derive(Clone, Copy)]
struct Row {
    law: Law,
    in_flight: usize,
    key: bool,
    /// A constant gap instead of the policy.
    gap: Option<Duration>,
}

impl Row {
    fn measure(self) -> Figures {
        World::new(self).live()
    }

    fn config(self) -> Config {
        let key = SecretSource::Inline(SecretString::from("pat.acme.key.secret"));
        let url = "https://harness.example".parse().unwrap();
        let account = Account {
            api_key: self.key.then_some(key),
            requests_per_minute: BUDGET,
            max_active_runs: u32::MAX,
            triggers_per_minute: u32::MAX,
            ..Account::new(AccountName::new("default"), url, "acme0000000000000000AA")
        };
        let polling = self.gap.map_or(self.law.polling, |gap| Polling {
            first: Polling::DEFAULT.first,
            min: gap,
            max: gap,
        });
        let projects = (self.in_flight / 50).clamp(1, 10);
        let pipeline = |number: usize| Pipeline {
            project: format!("project{}", number % projects),
            polling,
            start_deadline: Duration::from_hours(1),
            // What is measured are looks at runs.
            webhook: Webhook::Fixed(WebhookVersion::V1),
            ..Pipeline::new(PipelineName::new(&format!("p{number}")), account.name.clone())
        };
        Config::new(account.clone(), (0..self.pipelines()).map(pipeline))
    }

    /// What is to stay unknown takes more pipelines than runs in flight.
    fn pipelines(self) -> usize {
        if self.law.known == 0 { self.in_flight + RUNS } else { self.in_flight }
    }
}

/// An execution, in milliseconds since the beginning.
struct Execution {
    start: u64,
    end: u64,
}

/// What happens next.
enum Event {
    Input(Input),
    Ask(usize),
}

struct World {
    row: Row,
    engine: Engine,
    chance: Chance,
    at: u64,
    events: BTreeMap<(u64, u64), Event>,
    sequence: u64,
    /// When the engine wants to be woken.
    wakes: Option<u64>,
    executions: HashMap<String, Execution>,
    calls: VecDeque<u64>,
    /// From when on it is measured: what began together has come apart by then.
    measured_from: u64,
    reads: usize,
    asked: usize,
    sent: usize,
    delays: Vec<u64>,
}

impl World {
    fn new(row: Row) -> Self {
        let config = row.config();
        let mut chance = Chance(7);
        let mut engine = Engine::new(&config, 1).without_checks();
        let mut durations = |pipeline: &Arc<Pipeline>| {
            let mut durations = Durations::of(pipeline.name.clone());
            for _ in 0..row.law.known {
                durations.add(((row.law.draw)(&mut chance) * 1e3) as i64, RunResult::Success);
            }
            durations
        };
        let restored = Restored {
            durations: config.pipelines.iter().map(&mut durations).collect(),
            pipelines: vec![stored()],
            ..Restored::default()
        };
        let mut world = Self {
            row,
            engine: Engine::new(&config, 1).without_checks(),
            chance: Chance(11),
            at: 0,
            events: BTreeMap::new(),
            sequence: 0,
            wakes: None,
            executions: HashMap::new(),
            calls: VecDeque::new(),
            measured_from: (row.law.mean * 1_500.0) as u64,
            reads: 0,
            asked: 0,
            sent: 0,
            delays: Vec::new(),
        };
        engine.restore(&restored, world.now());
        world.engine = engine;
        for number in 0..row.in_flight {
            let at = (world.chance.next() * row.law.mean * 1e3) as u64;
            world.after(at, Event::Ask(number));
        }
        world
    }

    fn live(mut self) -> Figures {
        let least = self.measured_from + (self.row.law.mean * 1e3) as u64;
        while self.delays.len() < RUNS || self.at < least {
            let next = self.events.first_key_value().map(|((at, _), _)| *at);
            self.at = [next, self.wakes].into_iter().flatten().min().unwrap();
            let now = self.now();
            if next == Some(self.at) {
                match self.events.pop_first().unwrap().1 {
                    Event::Input(input) => self.engine.handle(input, now),
                    Event::Ask(number) => self.ask(number),
                }
            }
            self.engine.advance(now);
            for effect in self.engine.effects() {
                self.carry_out(effect);
            }
            let millis = |wake: Mono| wake.0.saturating_sub(ORIGIN).as_nanos().div_ceil(1_000_000);
            self.wakes = self.engine.wake_at(now).map(|wake| millis(wake) as u64);
            assert!(self.wakes.is_none_or(|wake| wake > self.at), "a busy loop");
        }
        assert!(self.asked - self.sent <= 3 + self.asked / 20, "webhooks are held back");
        self.figures()
    }

    fn figures(mut self) -> Figures {
        self.delays.sort_unstable();
        let count = self.delays.len() as f64;
        let sum: u64 = self.delays.iter().sum();
        let p95 = *self.delays.get(self.delays.len() * 95 / 100).unwrap();
        let minutes = (self.at - self.measured_from) as f64 / 60e3;
        Figures {
            reads: self.reads as f64 / count,
            reads_a_minute: self.reads as f64 / minutes,
            calls_a_minute: (self.reads as f64 + count) / minutes,
            mean: sum as f64 / count / 1e3,
            p95: p95 as f64 / 1e3,
        }
    }

    fn ask(&mut self, number: usize) {
        self.asked += 1;
        let random = self.asked as u64;
        let pipeline = format!("p{number}");
        let asked = Input::Asked { request: 1, pipeline, payload: None, random };
        self.engine.handle(asked, self.now());
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Fact(Fact::Run { run, change: Change::Finished, .. }) => self.ended(&run),
            Effect::SendTrigger(send) => {
                self.count_call();
                self.sent += 1;
                let id = self.sent.to_string();
                let start = self.at + QUEUE;
                let lasts = (self.row.law.draw)(&mut self.chance) * 1e3;
                let execution = Execution { start, end: start + lasts as u64 };
                self.executions.insert(id.clone(), execution);
                let answer = TriggerAnswer::Accepted(EventId::new(&id).unwrap());
                let input = Input::Triggered { run: send.run, answered: answered(answer) };
                self.after(CALL, Event::Input(input));
            }
            Effect::ReadEvent(read) => {
                self.count_read();
                let answer = self.event(read.event.as_str());
                let input = Input::EventRead { run: read.run, answered: answered(answer) };
                self.after(CALL, Event::Input(input));
            }
            Effect::ListExecutions(list) => {
                self.count_read();
                let ExecutionFilter::Ids(ids) = &list.query.filter else { unreachable!() };
                let listed = |id: &ExecutionId| ListedExecution {
                    id: id.clone(),
                    org: None,
                    project: None,
                    pipeline: String::new(),
                    trigger: None,
                    trigger_type: String::new(),
                    event: None,
                    created: None,
                    summary: self.summary(id.as_str()).unwrap(),
                };
                let executions = ids.iter().map(listed).collect();
                let page = ExecutionsPage { executions, last: true, total: None };
                let answered = answered(ExecutionsAnswer::Page(Box::new(page)));
                let input = Input::ExecutionsListed { purpose: list.purpose, answered };
                self.after(CALL, Event::Input(input));
            }
            _ => {}
        }
    }

    fn ended(&mut self, run: &Run) {
        if self.at >= self.measured_from {
            self.delays.push(run.ended.unwrap().since(run.end.unwrap()).as_millis() as u64);
        }
        self.executions.remove(run.event.as_ref().unwrap().as_str());
        let number: usize = run.pipeline.as_str().trim_start_matches('p').parse().unwrap();
        let number = (number + self.row.in_flight) % self.row.pipelines();
        let pause = (self.chance.next() * 2_000.0) as u64;
        self.after(pause, Event::Ask(number));
    }

    fn event(&self, id: &str) -> EventAnswer {
        let summary = self.summary(id);
        let status = if summary.is_some() { "TARGET_EXECUTION_REQUESTED" } else { "QUEUED" };
        EventAnswer::Details(Box::new(EventDetails {
            found: true,
            status: status.to_owned(),
            execution: summary.as_ref().and_then(|summary| summary.execution.clone()),
            summary,
            ..EventDetails::default()
        }))
    }

    /// As it stands when the call is half-way.
    fn summary(&self, id: &str) -> Option<Summary> {
        let execution = self.executions.get(id)?;
        let at = self.at + CALL / 2;
        let wall = |at: u64| Some(Wall(EPOCH + i64::try_from(at).unwrap()));
        (at >= execution.start).then(|| Summary {
            execution: ExecutionId::new(id).ok(),
            status: if at >= execution.end { "Success" } else { "Running" }.to_owned(),
            start: wall(execution.start),
            end: wall(execution.end).filter(|_| at >= execution.end),
            ..Summary::default()
        })
    }

    fn count_read(&mut self) {
        self.count_call();
        self.reads += usize::from(self.at >= self.measured_from);
    }

    /// No minute may be above the budget, and no second above a sixtieth and five.
    fn count_call(&mut self) {
        while self.calls.front().is_some_and(|call| self.at - call >= 60_000) {
            self.calls.pop_front();
        }
        self.calls.push_back(self.at);
        assert!(self.calls.len() <= BUDGET as usize, "a minute above the budget");
        let second = self.calls.iter().rev().take_while(|call| self.at - **call < 1_000);
        assert!(second.count() <= BUDGET as usize / 60 + 5, "a second above the budget");
    }

    fn after(&mut self, millis: u64, event: Event) {
        self.sequence += 1;
        self.events.insert((self.at + millis, self.sequence), event);
    }

    fn now(&self) -> Now {
        let wall = Wall(EPOCH + i64::try_from(self.at).unwrap());
        Now { wall, mono: Mono(ORIGIN + Duration::from_millis(self.at)) }
    }
}

fn answered<T>(answer: T) -> Answered<T> {
    let took = Some(Duration::from_millis(CALL));
    Answered { answer, code: Some(200), skew: Some(0), took }
}

/// What a store that is not new holds.
fn stored() -> StoredPipeline {
    StoredPipeline {
        name: PipelineName::new("another"),
        schedule: String::new(),
        paused: true,
        held: false,
        since: Wall(EPOCH),
        mark: Mark::default(),
    }
}

/// `SplitMix64`, as numbers between 0 and 1.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Normally distributed around 0 by 1, near enough.
    fn bell(&mut self) -> f64 {
        (0..12).map(|_| self.next()).sum::<f64>() - 6.0
    }
}
