//! Many pipelines at once, against a model of Harness that takes its time and lets calls go wrong:
//! what of the faults shows only in numbers.

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::SecretString;

use super::bench::*;
use super::together;
use crate::config::{Account, Concurrency, Pipeline, SecretSource, Webhook};
use crate::engine::{Input, Reply};
use crate::model::*;

/// How long a call takes that nothing befalls.
const CALL: Duration = Duration::from_millis(150);

/// When a call is given up.
const TIMEOUT: Duration = secs(30);

/// With a key runs of a project are read together.
const WITHOUT_AND_WITH_KEY: [bool; 2] = [false, true];

/// What befalls a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Answered,
    Fails,
    Throttled,
    Hangs,
}

impl Fate {
    fn dress<T>(self, answer: T) -> Answered<T> {
        let (code, took) = match self {
            Self::Answered => (Some(200), CALL),
            Self::Fails => (Some(500), CALL),
            Self::Throttled => (Some(429), CALL),
            Self::Hangs => (None, TIMEOUT),
        };
        Answered { answer, code, skew: None, took: Some(took) }
    }
}

/// A call, as whoever decides its fate sees it.
#[derive(Clone, Debug)]
struct Call {
    at: Mono,
    /// How many went before it.
    number: usize,
    is_webhook: bool,
    /// When the webhook was due, where it was not asked for by hand.
    due: Option<Wall>,
    project: String,
}

impl Call {
    /// Half of all calls are, in no order.
    fn is_odd(&self) -> bool {
        self.number.wrapping_mul(0x9e37_79b9) >> 7 & 1 == 1
    }
}

struct Fleet<'a> {
    bench: Bench,
    fate: Box<dyn FnMut(&Call) -> Fate + 'a>,
    answers: BTreeMap<(Mono, usize), Input>,
    /// When an execution began, and when it ends.
    executions: BTreeMap<String, (Wall, Wall)>,
    calls: Vec<Call>,
}

/// One pipeline of many, in one project of four.
fn one(number: usize) -> Pipeline {
    let schedule = Some(every(hours(24)));
    let project = format!("project{}", number % 4);
    let start_deadline = hours(1);
    // Nothing has to be looked up before it is sent.
    let webhook = Webhook::Fixed(WebhookVersion::V1);
    Pipeline { project, webhook, schedule, start_deadline, ..pipeline(&format!("p{number:04}")) }
}

/// Nothing stands in the way but the limiter.
fn uncapped(per_minute: u32, key: bool) -> impl FnOnce(&mut Account) {
    let secret = SecretSource::Inline(SecretString::from("pat.x.y.z"));
    move |account| {
        account.requests_per_minute = per_minute;
        (account.triggers_per_minute, account.max_active_runs) = (u32::MAX, u32::MAX);
        account.api_key = key.then_some(secret);
    }
}

impl<'a> Fleet<'a> {
    fn new(bench: Bench, fate: impl FnMut(&Call) -> Fate + 'a) -> Self {
        let (answers, executions, calls) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        Self { bench, fate: Box::new(fate), answers, executions, calls }
    }

    /// So many runs, begun one a second, and a pipeline that has none.
    fn at_work(count: usize, key: bool, fate: impl FnMut(&Call) -> Fate + 'a) -> Self {
        let bench = Bench::limited(uncapped(300, key), (0..=count).map(one));
        let mut fleet = Self::new(bench, fate);
        for number in 0..count {
            fleet.bench.ask(&format!("p{number:04}"));
            fleet.pass(secs(1));
        }
        fleet
    }

    /// Lets time pass, in which calls are answered.
    fn pass(&mut self, time: Duration) {
        let until = self.bench.now().mono.after(time);
        self.take_calls();
        loop {
            let answer = self.answers.first_key_value().map(|((at, _), _)| *at);
            let next = [answer, self.bench.wake_at()].into_iter().flatten().min();
            let Some(at) = next.filter(|at| *at <= until) else { break };
            self.bench.wake(at);
            while self.answers.first_key_value().is_some_and(|((due, _), _)| *due <= at) {
                let (_, input) = self.answers.pop_first().unwrap();
                self.bench.handle(input);
            }
            self.take_calls();
        }
        self.bench.wake(until);
    }

    fn take_calls(&mut self) {
        for send in std::mem::take(&mut self.bench.sent) {
            let fate = self.call(true, send.due, &send.pipeline.project);
            let answer = match fate {
                Fate::Answered => TriggerAnswer::Accepted(self.begin()),
                Fate::Throttled => THROTTLED,
                Fate::Fails | Fate::Hangs => NEVER_LEFT,
            };
            let answered = fate.dress(answer);
            self.answer(fate, Input::Triggered { run: send.run, answered });
        }
        for read in std::mem::take(&mut self.bench.reads) {
            let name = &self.bench.runs[&read.run].pipeline;
            let config = &self.bench.config.pipelines;
            let project = config.iter().find(|p| p.name == *name).unwrap().project.clone();
            let fate = self.call(false, None, &project);
            let answer = match fate {
                Fate::Answered => self.event(read.event.as_str()),
                Fate::Throttled => EventAnswer::Throttled { retry_after: None },
                Fate::Fails | Fate::Hangs => FAILED_READ,
            };
            self.answer(fate, Input::EventRead { run: read.run, answered: fate.dress(answer) });
        }
        for list in std::mem::take(&mut self.bench.lists) {
            let fate = self.call(false, None, &list.query.project);
            let answer = match fate {
                Fate::Answered => self.page(&list.query.filter),
                Fate::Throttled => ExecutionsAnswer::Throttled { retry_after: None },
                Fate::Fails | Fate::Hangs => ExecutionsAnswer::Failed { message: NO_MESSAGE },
            };
            let (purpose, answered) = (list.purpose, fate.dress(answer));
            self.answer(fate, Input::ExecutionsListed { purpose, answered });
        }
    }

    fn call(&mut self, is_webhook: bool, due: Option<Wall>, project: &str) -> Fate {
        let (at, number) = (self.bench.now().mono, self.calls.len());
        let call = Call { at, number, is_webhook, due, project: project.to_owned() };
        let fate = (self.fate)(&call);
        self.calls.push(call);
        fate
    }

    fn answer(&mut self, fate: Fate, input: Input) {
        let took = if fate == Fate::Hangs { TIMEOUT } else { CALL };
        self.answers.insert((self.bench.now().mono.after(took), self.calls.len()), input);
    }

    /// An execution begins in two seconds and takes ten minutes and some.
    fn begin(&mut self) -> EventId {
        let number = self.executions.len();
        let (event, begins) = (format!("x{number}"), self.bench.now().wall.after(secs(2)));
        let ends = begins.after(mins(10) + secs(number as u64 * 37 % 200));
        self.executions.insert(event.clone(), (begins, ends));
        EventId::new(&event).unwrap()
    }

    /// How an execution stands; nothing before it has begun.
    fn summary(&self, id: &str) -> Option<Summary> {
        let (begins, ends) = self.executions[id];
        let now = self.bench.now().wall;
        let over = ends <= now;
        (begins <= now).then(|| Summary {
            execution: ExecutionId::new(id).ok(),
            status: if over { "Success" } else { "Running" }.to_owned(),
            start: Some(begins),
            end: over.then_some(ends),
            ..Summary::default()
        })
    }

    fn event(&self, id: &str) -> EventAnswer {
        let Some(summary) = self.summary(id) else { return event("QUEUED") };
        let EventAnswer::Details(mut details) = execution("Running") else { unreachable!() };
        details.execution.clone_from(&summary.execution);
        details.summary = Some(summary);
        EventAnswer::Details(details)
    }

    fn page(&self, filter: &ExecutionFilter) -> ExecutionsAnswer {
        let ExecutionFilter::Ids(ids) = filter else { panic!("{filter:?}") };
        let listed = |id: &ExecutionId| {
            let summary = self.summary(id.as_str()).unwrap();
            ListedExecution { summary, ..together::listed(id, "") }
        };
        let executions = ids.iter().map(listed).collect();
        ExecutionsAnswer::Page(Box::new(ExecutionsPage { executions, last: true, total: None }))
    }

    /// How late each end was seen that was, of pipelines in these projects, in order.
    fn lags(&self, project: impl Fn(&str) -> bool) -> Vec<Duration> {
        let config = self.bench.config.pipelines.iter();
        let projects: BTreeMap<_, _> = config.map(|p| (&p.name, p.project.as_str())).collect();
        let runs = self.bench.runs.values().filter(|run| project(projects[&run.pipeline]));
        let ended = runs.filter(|run| run.result == Some(RunResult::Success));
        let mut lags: Vec<_> =
            ended.map(|run| run.ended.unwrap().since(run.end.unwrap())).collect();
        lags.sort_unstable();
        lags
    }

    fn reads_between(&self, from: Mono, until: Mono) -> usize {
        let reads = self.calls.iter().filter(|call| !call.is_webhook);
        reads.filter(|call| from <= call.at && call.at < until).count()
    }

    /// The most calls that went within any such time.
    fn most_within(&self, window: Duration) -> usize {
        let within = |first: usize| {
            let later = &self.calls[first..];
            later.partition_point(|call| call.at.since(later[0].at) < window)
        };
        (0..self.calls.len()).map(within).max().unwrap_or(0)
    }
}

/// One more is due every 35 s, and waits until those that were due before it have been sent.
#[test]
fn fault_12_a_thousand_due_at_once_are_paced_and_sent_by_due_time() {
    for key in WITHOUT_AND_WITH_KEY {
        let hourly = |number| Pipeline { schedule: Some(every(hours(1))), ..one(number) };
        let later = Pipeline {
            schedule: Some(every(secs(35))),
            concurrency: Concurrency::Allow,
            webhook: Webhook::Fixed(WebhookVersion::V1),
            ..pipeline("a")
        };
        let pipelines = (0..1_000).map(hourly).chain([later]);
        let bench = Bench::limited(uncapped(400, key), pipelines);
        let mut fleet = Fleet::new(bench, |_| Fate::Answered);
        fleet.pass(hours(1));
        fleet.calls.clear();
        fleet.pass(mins(5));
        assert_eq!(fleet.bench.missed, []);
        let (begins, due) = (fleet.calls[0].at, Wall(START).after(hours(1)));
        let mut sent: Vec<_> = fleet.calls.iter().filter_map(|call| call.due).collect();
        assert!(sent.is_sorted(), "by due time");
        sent.retain(|fired| *fired == due);
        assert!((1_000..=1_001).contains(&sent.len()), "{}", sent.len());
        let last = fleet.calls.iter().rfind(|call| call.due == Some(due)).unwrap();
        let took = last.at.since(begins).as_secs();
        assert!((145..=160).contains(&took), "{took} s for a thousand at 400 a minute");
        assert_eq!(fleet.reads_between(begins, last.at), 0, "webhooks before looks");
        assert!(fleet.bench.most_waiting > 900, "it is to be seen that they wait");
        let most = fleet.most_within(mins(1));
        assert!((390..=400).contains(&most), "{most} calls in a minute");
    }
}

#[test]
fn fault_19_half_of_all_reads_fail() {
    for key in WITHOUT_AND_WITH_KEY {
        let calls_where = |fate: fn(&Call) -> Fate| {
            let mut fleet = Fleet::at_work(40, key, fate);
            fleet.pass(mins(20));
            assert_eq!(fleet.lags(|_| true).len(), 40, "every end is found");
            fleet.calls.len()
        };
        let clean = calls_where(|_| Fate::Answered);
        let half = |call: &Call| {
            if !call.is_webhook && call.is_odd() { Fate::Fails } else { Fate::Answered }
        };
        let failing = calls_where(half);
        assert!(failing * 10 <= clean * 22, "key: {key}, {failing} calls instead of {clean}");
    }
}

#[test]
fn fault_20_after_a_minute_of_429_no_herd_and_nothing_lost() {
    for key in WITHOUT_AND_WITH_KEY {
        // Some have ended, most are at work, and then nothing goes for a minute.
        let mut trouble = None;
        let mut fleet = Fleet::at_work(100, key, |call| {
            let begins = *trouble.get_or_insert(call.at.after(mins(10)));
            let throttled = (begins..begins.after(mins(1))).contains(&call.at);
            if throttled { Fate::Throttled } else { Fate::Answered }
        });
        let begins = fleet.calls[0].at.after(mins(10));
        let ends = begins.after(mins(1));
        fleet.pass(begins.since(fleet.bench.now().mono) + secs(30));
        assert!(matches!(fleet.bench.ask("p0100"), Reply::Begun(_)));
        fleet.pass(mins(15));
        let during = fleet.reads_between(begins, ends);
        assert!((3..=15).contains(&during), "key: {key}, {during} calls while throttled");
        fleet.calls.retain(|call| call.at >= ends);
        let most = fleet.most_within(secs(1));
        // Five a second are allowed, and one may lie on the edge.
        assert!(most <= 6, "key: {key}, {most} calls in a second");
        let webhook = fleet.calls.iter().position(|call| call.is_webhook).unwrap();
        assert!(webhook <= 1, "the webhook goes first, or after one that probes: {webhook}");
        assert_eq!(fleet.lags(|_| true).len(), 101, "nothing is lost");
    }
}

/// Half of the looks at the runs of one project of four hang.
#[test]
fn fault_21_calls_that_hang_make_nobody_else_later() {
    for key in WITHOUT_AND_WITH_KEY {
        let others = |project: &str| project != "project0";
        let p99 = |fate: fn(&Call) -> Fate| {
            let mut fleet = Fleet::at_work(120, key, fate);
            // Whatever has ended is begun again, so that there are always as many.
            for _ in 0..80 {
                (0..120).for_each(|number| drop(fleet.bench.ask(&format!("p{number:04}"))));
                fleet.pass(secs(30));
            }
            let lags = fleet.lags(others);
            fleet.pass(mins(40));
            assert_eq!(fleet.lags(|_| true).len(), fleet.executions.len(), "every end is found");
            lags[lags.len() * 99 / 100]
        };
        let usual = p99(|_| Fate::Answered);
        let hanging = p99(|call| {
            let theirs = !call.is_webhook && call.project == "project0";
            if theirs && call.is_odd() { Fate::Hangs } else { Fate::Answered }
        });
        assert!(hanging <= usual.mul_f64(1.2), "key: {key}, {hanging:?} instead of {usual:?}");
    }
}

#[test]
fn a_flood_of_notifications_takes_half_of_the_calls_at_most_and_holds_up_nothing() {
    for key in WITHOUT_AND_WITH_KEY {
        let mut fleet = Fleet::at_work(60, key, |_| Fate::Answered);
        fleet.pass(mins(5));
        fleet.calls.clear();
        fleet.pass(mins(2));
        let usual = fleet.calls.len();
        fleet.calls.clear();
        for step in 0..1_200 {
            // One of each two is about a run that is ours.
            let hint = ExecutionId::new(&format!("x{}", step * 7 % 120)).unwrap();
            fleet.bench.handle(Input::Notified { execution: hint });
            if step == 600 {
                assert!(matches!(fleet.bench.ask("p0060"), Reply::Begun(_)));
            }
            fleet.pass(Duration::from_millis(100));
        }
        // Half of 300 a minute, and what was under way.
        let (calls, most) = (fleet.calls.len(), usual + 2 * 150 + 10);
        assert!((280..=most).contains(&calls), "key: {key}, {calls} instead of {usual}");
        let began = fleet.calls[0].at;
        let webhook = fleet.calls.iter().find(|call| call.is_webhook).unwrap();
        assert!(webhook.at.since(began) <= secs(61), "webhooks go first");
        fleet.pass(mins(15));
        assert_eq!(fleet.lags(|_| true).len(), 61, "nothing is lost");
    }
}
