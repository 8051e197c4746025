//! A Harness that plays every fault of the book, and keeps the ledger of what it received.
//!
//! What becomes of an event is settled when it is received; an answer is a function of that and of
//! the time. It speaks in the client's words: what the wire does to them is the client's to test.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use harness_exporter::engine::{ReadEvent, SendTrigger};
use harness_exporter::model::{
    AccountName, Address, Answered, DetailsVersion, EventAnswer, EventDetails, EventId,
    ExecutionId, Reason, RunId, RunResult, Status, Summary, Target, TriggerAnswer, TriggerClass,
    TriggerStatus, Wall, WebhookVersion,
};

use super::lookups::Lookups;
use super::plan::{DAY, HOUR, MINUTE, SECOND};
use super::rng::Rng;

/// When a history begins, by Harness' clock: 2018-11-04T03:55:00Z. Five minutes later the clocks of
/// Cuiabá are put forward at midnight and those of Miquelon back, and half an hour after that those
/// of St. John's.
pub(super) const EPOCH: i64 = 1_541_303_700_000;

const FINAL_WORDS: &[&str] = &[
    "Success",
    "Success",
    "Success",
    "Failed",
    "Errored",
    "Expired",
    "Aborted",
    "ApprovalRejected",
    "IgnoreFailed",
    "Skipped",
    "AbortedByFreeze",
    "PassedWithWarning",
];
const OPEN_WORDS: &[&str] =
    &["Running", "AsyncWaiting", "FooBar", "ApprovalWaiting", "Paused", "ResourceWaiting"];

/// What became of a webhook, as Harness knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Accepted(EventId),
    /// It may have been acted on; the answer did not tell.
    Perhaps,
    Refused,
    NoPath,
    Throttled,
    NeverLeft,
}

#[derive(Clone, Debug)]
pub(super) struct Receipt {
    pub(super) fate: Fate,
}

#[derive(Clone, Debug)]
pub(super) struct Execution {
    pub(super) id: ExecutionId,
    /// Until when the details are null though it exists.
    null_until: u64,
    pub(super) start: u64,
    open_word: &'static str,
    /// When it ended, as what, and until when it says so.
    ends: Vec<(u64, u64, &'static str)>,
    odd_times: bool,
}

impl Execution {
    pub(super) fn may_end_as(&self, result: RunResult) -> bool {
        let shown = |word: &str| Status::of(word).result() == Some(result);
        result == RunResult::Lost || self.ends.iter().any(|(_, _, word)| shown(word))
    }
}

#[derive(Clone, Debug)]
pub(super) struct Event {
    /// None where somebody else sent the webhook.
    pub(super) run: Option<RunId>,
    pub(super) account: AccountName,
    pub(super) target: Target,
    received: u64,
    /// Never, where there is none.
    resolved: Option<u64>,
    /// What it says until then.
    word: &'static str,
    pub(super) refused: Option<&'static str>,
    pub(super) execution: Execution,
}

impl Event {
    /// Whether there is an execution that shows at that time.
    pub(super) fn shows_at(&self, at: u64) -> bool {
        self.refused.is_none() && self.resolved.is_some_and(|resolved| resolved <= at)
    }

    /// When its execution starts.
    pub(super) fn start(&self) -> u64 {
        self.execution.start
    }

    pub(super) fn execution(&self) -> &Execution {
        &self.execution
    }
}

/// Troubles that last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Nothing gets through.
    Away,
    /// Every call is answered 429.
    Throttling,
    /// Every read is answered 500.
    Broken,
}

/// How it lists executions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lists {
    /// By ids and by triggers.
    Well,
    /// By triggers; of ids it takes no notice.
    IgnoringIds,
    /// All of a pipeline's; the rest it refuses.
    OnlyByPipeline,
}

#[expect(clippy::struct_excessive_bools, reason = "what a version knows varies one by one")]
#[derive(Debug)]
pub(super) struct Harness {
    pub(super) events: HashMap<EventId, Event>,
    pub(super) receipts: BTreeMap<RunId, Vec<Receipt>>,
    troubles: Vec<(u64, u64, Trouble)>,
    /// How many of a thousand calls go wrong by themselves.
    pub(super) roughness: u64,
    knows_v1_webhook: bool,
    knows_v2_webhook: bool,
    knows_v2_details: bool,
    pub(super) lists: Lists,
    pub(super) lookups: Lookups,
    /// Whether a list tells the event of an execution.
    pub(super) tells_events: bool,
    /// How long an event is remembered.
    forgets_after: u64,
    skew: i64,
    /// By how much the wall clock of the other side was set, in milliseconds.
    pub(super) their_clock: i64,
    next: u64,
}

impl Harness {
    pub(super) fn new(horizon: u64, rng: &mut Rng) -> Self {
        let mut troubles = Vec::new();
        for _ in 0..rng.below(4) {
            let from = rng.below(horizon);
            let trouble = rng.pick(&[Trouble::Away, Trouble::Throttling, Trouble::Broken]);
            let lasts = rng.pick(&[5 * SECOND, MINUTE, 10 * MINUTE, 2 * HOUR]);
            troubles.push((from, from + lasts, trouble));
        }
        let knows_v1_webhook = rng.per_mille(700);
        Self {
            events: HashMap::new(),
            receipts: BTreeMap::new(),
            troubles,
            roughness: rng.pick(&[0, 50, 250, 500]),
            knows_v1_webhook,
            knows_v2_webhook: !knows_v1_webhook || rng.per_mille(700),
            knows_v2_details: rng.per_mille(700),
            lists: rng.pick(&[Lists::Well, Lists::Well, Lists::IgnoringIds, Lists::OnlyByPipeline]),
            lookups: Lookups::new(rng),
            tells_events: rng.per_mille(700),
            forgets_after: rng.pick(&[u64::MAX, u64::MAX, 10 * MINUTE]),
            their_clock: 0,
            skew: rng.pick(&[0, 0, 1_500, -90_000, 3_600_000, 200_000_000]),
            next: 0,
        }
    }

    pub(super) fn execution(&self, event: &EventId) -> Option<&Execution> {
        self.events.get(event).map(|event| &event.execution)
    }

    /// Receives a webhook. The answer, and how long it takes.
    pub(super) fn post(
        &mut self,
        send: &SendTrigger,
        at: u64,
        rng: &mut Rng,
    ) -> (Answered<TriggerAnswer>, u64) {
        let (fate, answer, code, took) = self.judge(send, at, rng);
        self.receipts.entry(send.run.clone()).or_default().push(Receipt { fate });
        (self.answered(answer, code, took), took)
    }

    fn judge(
        &mut self,
        send: &SendTrigger,
        at: u64,
        rng: &mut Rng,
    ) -> (Fate, TriggerAnswer, Option<u16>, u64) {
        let took = rng.between(1, 400);
        let message = String::new();
        match self.trouble(at) {
            Some(Trouble::Away) => {
                return (Fate::NeverLeft, TriggerAnswer::NeverLeft { message }, None, took);
            }
            Some(Trouble::Throttling) => {
                let retry_after = None;
                let answer = TriggerAnswer::Throttled { retry_after };
                return (Fate::Throttled, answer, Some(429), took);
            }
            _ => {}
        }
        let known = match &send.address {
            Address::Version(WebhookVersion::V1) => self.knows_v1_webhook,
            Address::Version(WebhookVersion::V2) => self.knows_v2_webhook,
            Address::Version(WebhookVersion::V3) => true,
            Address::Told(webhook) if self.takes(send, webhook, at) => true,
            Address::Told(_) => {
                let reason = Reason::Rejected;
                return (
                    Fate::Refused,
                    TriggerAnswer::Refused { reason, message },
                    Some(400),
                    took,
                );
            }
        };
        if !known {
            return (Fate::NoPath, TriggerAnswer::UnknownPath { message }, Some(404), took);
        }
        if rng.per_mille(self.roughness) {
            return self.go_wrong(send, at, took, rng);
        }
        let event = self.accept(send, at, rng);
        (Fate::Accepted(event.clone()), TriggerAnswer::Accepted(event), Some(200), took)
    }

    /// One of the ways in which a webhook goes wrong.
    fn go_wrong(
        &mut self,
        send: &SendTrigger,
        at: u64,
        took: u64,
        rng: &mut Rng,
    ) -> (Fate, TriggerAnswer, Option<u16>, u64) {
        let message = String::new();
        let kind = rng.below(9);
        if (4..=6).contains(&kind) && rng.per_mille(600) {
            let event = self.accept(send, at, rng);
            self.hurry(&event, rng);
        }
        let unknown = |reason| TriggerAnswer::Unknown { reason, message: String::new() };
        let refused = |reason| TriggerAnswer::Refused { reason, message: String::new() };
        match kind {
            0 => {
                let retry_after = rng.per_mille(500).then_some(Duration::from_secs(7));
                (Fate::Throttled, TriggerAnswer::Throttled { retry_after }, Some(429), took)
            }
            1..=3 => (Fate::NeverLeft, TriggerAnswer::NeverLeft { message }, None, took),
            4 => (Fate::Perhaps, unknown(Reason::Unconfirmed), None, rng.pick(&[took, 30_000])),
            5 => (Fate::Perhaps, unknown(Reason::ServerError), Some(502), took),
            6 => (Fate::Perhaps, unknown(Reason::BadResponse), Some(200), took),
            7 => (Fate::Refused, refused(Reason::Unauthorized), Some(401), took),
            _ => {
                let (reason, code) = rng.pick(&[(Reason::Forbidden, 403), (Reason::Rejected, 400)]);
                (Fate::Refused, refused(reason), Some(code), took)
            }
        }
    }

    /// What is of unknown fate starts soon: nobody could tell later whose it is.
    fn hurry(&mut self, event: &EventId, rng: &mut Rng) {
        let Some(event) = self.events.get_mut(event) else { return };
        let resolved = event.received + rng.below(10 * SECOND);
        event.resolved = event.resolved.map(|_| resolved);
        let start = resolved + rng.below(5 * SECOND);
        let later = start.saturating_sub(event.execution.start);
        event.execution.start = start;
        for (from, until, _) in &mut event.execution.ends {
            *from += later;
            *until = until.saturating_add(later);
        }
    }

    /// What was answered, and the answer is not known any more, starts soon too.
    pub(super) fn hurry_run(&mut self, run: &RunId, rng: &mut Rng) {
        let of_run = self.events.iter().filter(|(_, event)| event.run.as_ref() == Some(run));
        if let Some(event) = of_run.map(|(id, _)| id.clone()).min() {
            self.hurry(&event, rng);
        }
    }

    /// Takes a webhook, and now and then one of somebody else's for the same trigger.
    fn accept(&mut self, send: &SendTrigger, at: u64, rng: &mut Rng) -> EventId {
        if rng.per_mille(300) {
            let theirs = self.take(send, at + rng.below(MINUTE), rng);
            if let Some(event) = self.events.get_mut(&theirs) {
                event.run = None;
            }
        }
        self.take(send, at, rng)
    }

    fn take(&mut self, send: &SendTrigger, at: u64, rng: &mut Rng) -> EventId {
        self.next += 1;
        let id = EventId::new(&format!("e{:05}", self.next)).unwrap();
        let delay = rng.pick(&[0, 0, SECOND, 10 * SECOND, 10 * SECOND, MINUTE, HOUR]);
        let resolved = at + rng.below(delay + 1);
        let start = resolved + rng.below(5 * SECOND);
        let lasts = rng.pick(&[SECOND, 10 * SECOND, 10 * SECOND, MINUTE, 10 * MINUTE, HOUR, DAY]);
        let end = start + rng.below(lasts);
        let ends = match rng.below(10) {
            // It hangs for ever.
            0 => Vec::new(),
            // It is run again, and comes to another end.
            1 => {
                let again = end + rng.below(20 * SECOND);
                let word = rng.pick(FINAL_WORDS);
                vec![(end, again, "Failed"), (again + rng.below(MINUTE), u64::MAX, word)]
            }
            _ => vec![(end, u64::MAX, rng.pick(FINAL_WORDS))],
        };
        let execution = Execution {
            id: ExecutionId::new(&format!("x{:05}", self.next)).unwrap(),
            null_until: resolved + if rng.per_mille(200) { rng.below(MINUTE) } else { 0 },
            start,
            open_word: rng.pick(OPEN_WORDS),
            ends,
            odd_times: rng.per_mille(100),
        };
        let event = Event {
            run: Some(send.run.clone()),
            account: send.pipeline.account.clone(),
            target: Target {
                org: send.pipeline.org.clone(),
                project: send.pipeline.project.clone(),
                pipeline: send.pipeline.pipeline.clone(),
                trigger: send.pipeline.trigger.clone(),
            },
            received: at,
            resolved: rng.per_mille(950).then_some(resolved),
            word: rng.pick(&["QUEUED", "QUEUED", "QUEUED", "BRAND_NEW", "", "SUCCESS_SOON"]),
            refused: rng.per_mille(120).then(|| refusal(rng)),
            execution,
        };
        self.events.insert(id.clone(), event);
        id
    }

    /// Answers a read. The answer, and how long it takes.
    pub(super) fn read(
        &mut self,
        read: &ReadEvent,
        at: u64,
        rng: &mut Rng,
    ) -> (Answered<EventAnswer>, u64) {
        let took = rng.between(1, 400);
        let failed = EventAnswer::Failed { message: String::new() };
        let (answer, code, took) = match self.trouble(at) {
            Some(Trouble::Away) => (failed, None, took),
            Some(Trouble::Broken) => (failed, Some(500), took),
            Some(Trouble::Throttling) => {
                (EventAnswer::Throttled { retry_after: None }, Some(429), took)
            }
            None if read.version == DetailsVersion::V2 && !self.knows_v2_details => {
                (EventAnswer::UnknownPath, Some(404), took)
            }
            None if rng.per_mille(self.roughness) => match rng.below(5) {
                0 => (failed, None, 30_000),
                1 => (failed, Some(rng.pick(&[401, 403, 404])), took),
                2 => {
                    let retry_after = rng.per_mille(500).then_some(Duration::from_secs(7));
                    (EventAnswer::Throttled { retry_after }, Some(429), took)
                }
                _ => (failed, Some(500), took),
            },
            None => {
                let answer = self.look(read, at);
                let code = if answer == EventAnswer::NoHistory { 400 } else { 200 };
                (answer, Some(code), took)
            }
        };
        (self.answered(answer, code, took), took)
    }

    fn look(&self, read: &ReadEvent, at: u64) -> EventAnswer {
        let Some(event) = self.events.get(&read.event) else { return EventAnswer::NoHistory };
        if at.saturating_sub(event.received) > self.forgets_after {
            return EventAnswer::NoHistory;
        }
        let mut details = EventDetails { found: true, ..EventDetails::default() };
        if event.resolved.is_none_or(|resolved| at < resolved) {
            if read.version == DetailsVersion::V1 && event.word == "QUEUED" {
                return EventAnswer::NoHistory;
            }
            details.status = match event.word {
                "SUCCESS_SOON" => "TARGET_EXECUTION_REQUESTED",
                word => word,
            }
            .to_owned();
            details.found = !details.status.is_empty();
        } else if let Some(word) = event.refused {
            word.clone_into(&mut details.status);
        } else {
            let execution = &event.execution;
            "TARGET_EXECUTION_REQUESTED".clone_into(&mut details.status);
            details.execution = Some(execution.id.clone());
            details.summary = (at >= execution.null_until).then(|| self.summary(execution, at));
        }
        EventAnswer::Details(Box::new(details))
    }

    pub(super) fn summary(&self, execution: &Execution, at: u64) -> Summary {
        let wall = |at: u64| Some(self.wall(at));
        let ended =
            execution.ends.iter().rev().find(|(from, until, _)| (*from..*until).contains(&at));
        let (start, end) = (wall(execution.start), ended.and_then(|(from, _, _)| wall(*from)));
        let (start, end) = if execution.odd_times { (end, Some(Wall(-7))) } else { (start, end) };
        let status = match ended {
            Some((_, _, word)) => word,
            None if at < execution.start => "QUEUED_PLAN_CREATION",
            None => execution.open_word,
        };
        Summary {
            execution: Some(execution.id.clone()),
            status: status.to_owned(),
            start,
            end,
            ..Summary::default()
        }
    }

    pub(super) fn wall(&self, at: u64) -> Wall {
        Wall(EPOCH + self.skew + i64::try_from(at).unwrap())
    }

    /// What an execution was started for.
    pub(super) fn event_of(&self, execution: &ExecutionId) -> Option<&Event> {
        self.events.values().find(|event| event.execution.id == *execution)
    }

    /// The executions that this trigger has started and that show at that time, with their event.
    pub(super) fn executions_of<'a>(
        &'a self,
        account: &'a AccountName,
        target: &'a Target,
        at: u64,
    ) -> impl Iterator<Item = (&'a EventId, &'a Event)> {
        self.events.iter().filter(move |(_, event)| {
            event.shows_at(at) && event.account == *account && event.target == *target
        })
    }

    pub(super) fn trouble(&self, at: u64) -> Option<Trouble> {
        let lasts = |(from, until, _): &&(u64, u64, Trouble)| (*from..*until).contains(&at);
        self.troubles.iter().find(lasts).map(|(_, _, trouble)| *trouble)
    }

    pub(super) fn answered<T>(&self, answer: T, code: Option<u16>, took: u64) -> Answered<T> {
        let skew = code.map(|_| self.skew - self.their_clock);
        Answered { answer, code, skew, took: Some(Duration::from_millis(took)) }
    }

    /// Whether `event` was given for `run`.
    pub(super) fn gave(&self, event: &EventId, run: &RunId) -> bool {
        self.events.get(event).is_some_and(|known| known.run.as_ref() == Some(run))
    }
}

/// A final word by which an event leads to no execution.
fn refusal(rng: &mut Rng) -> &'static str {
    loop {
        let (word, class) = rng.pick(TriggerStatus::TABLE);
        if !matches!(class, TriggerClass::Pending | TriggerClass::Success) {
            return word;
        }
    }
}
