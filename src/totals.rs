//! The books: which numbers a fact changes, and how.
//!
//! One function, [`of`], says it. The store carries the same entries into its tables, in the
//! transaction that saves the fact, as the board carries into what `/metrics` shows, so that the
//! two cannot differ and each run is counted once. Totals are never pruned.

use crate::model::{
    AccountName, Change, Fact, MissedReason, Origin, PipelineName, Reason, Run, RunResult,
    SlotResult,
};

/// Upper bounds of the duration buckets, in milliseconds.
pub const DURATION_BOUNDS: &[i64] = &[
    1_000, 5_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_200_000, 1_800_000,
    3_600_000, 7_200_000, 14_400_000, 43_200_000, 90_000_000,
];

/// Upper bounds of the queue and processing buckets, in milliseconds.
pub const WAIT_BOUNDS: &[i64] =
    &[500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 300_000, 1_800_000, 10_800_000];

/// One cell of a histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cell {
    /// Observations above the bound before and at or below this one (milliseconds); not cumulated.
    Upto(i64),
    /// Observations above every bound.
    Above,
    /// The sum of all observations, in milliseconds.
    Sum,
}

/// Which number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// Runs begun.
    Triggers(Origin),
    /// Runs that ended as a failed trigger.
    TriggerFailures(Reason),
    /// Runs that ended with a result.
    Runs(RunResult),
    /// Due times for which nothing was sent.
    Missed(MissedReason),
    /// Due times settled.
    Slots(SlotResult),
    /// Finished runs gone wrong since the last success.
    ConsecutiveFailures,
    /// Failed triggers since the last started one.
    ConsecutiveTriggerFailures,
    /// When a run last ended so, in milliseconds since the epoch.
    LastResult(RunResult),
    /// The histogram of run durations.
    Duration(RunResult, Cell),
    /// The histogram of queue times, of an account.
    Queue(Cell),
    /// The histogram of trigger processing times, of an account.
    Processing(Cell),
}

/// Whose number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// A pipeline's.
    Pipeline(PipelineName),
    /// An account's.
    Account(AccountName),
}

/// A number as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Total {
    /// Whose.
    pub owner: Owner,
    /// Which.
    pub key: Key,
    /// How much.
    pub value: i64,
}

/// How a number changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// It grows by so much.
    Add(i64),
    /// It is this from now on.
    Set(i64),
    /// It is this, unless it is more already.
    Max(i64),
}

impl Op {
    /// The number after the change; one that was never heard of is 0.
    #[must_use]
    pub fn apply(self, value: i64) -> i64 {
        match self {
            Self::Add(by) => value.saturating_add(by),
            Self::Set(to) => to,
            Self::Max(to) => value.max(to),
        }
    }
}

/// One change of one number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Whose number.
    pub owner: Owner,
    /// Which number.
    pub key: Key,
    /// How it changes.
    pub op: Op,
}

/// What `fact` does to the books.
#[must_use]
pub fn of(fact: &Fact) -> Vec<Entry> {
    match fact {
        Fact::Run { run, change, .. } => of_run(run, *change),
        Fact::Missed { pipeline, reason, count, .. } => {
            let by = Op::Add(i64::try_from(*count).unwrap_or(i64::MAX));
            let entry = |key| Entry { owner: Owner::Pipeline(pipeline.clone()), key, op: by };
            vec![entry(Key::Missed(*reason)), entry(Key::Slots(SlotResult::Missed))]
        }
        Fact::Loaded(_) | Fact::Waiting(_) | Fact::Next { .. } => Vec::new(),
    }
}

fn of_run(run: &Run, change: Change) -> Vec<Entry> {
    let mut book = Book { run, entries: Vec::new() };
    match change {
        Change::Begun => book.pipeline(Key::Triggers(run.origin), Op::Add(1)),
        Change::Started => {
            book.pipeline(Key::ConsecutiveTriggerFailures, Op::Set(0));
            book.observe(
                WAIT_BOUNDS,
                run.processing,
                Owner::Account(run.account.clone()),
                Key::Processing,
            );
        }
        Change::TriggerFailed => book.trigger_failed(),
        Change::Finished => book.finished(),
        Change::Sending | Change::Waiting | Change::Accepted | Change::Progress => {}
    }
    book.entries
}

struct Book<'a> {
    run: &'a Run,
    entries: Vec<Entry>,
}

impl Book<'_> {
    fn pipeline(&mut self, key: Key, op: Op) {
        let owner = Owner::Pipeline(self.run.pipeline.clone());
        self.entries.push(Entry { owner, key, op });
    }

    fn observe(
        &mut self,
        bounds: &[i64],
        value: Option<i64>,
        owner: Owner,
        key: impl Fn(Cell) -> Key,
    ) {
        let Some(value) = value else { return };
        let bound = bounds.iter().copied().find(|bound| value <= *bound);
        let cell = bound.map_or(Cell::Above, Cell::Upto);
        self.entries.push(Entry { owner: owner.clone(), key: key(cell), op: Op::Add(1) });
        self.entries.push(Entry { owner, key: key(Cell::Sum), op: Op::Add(value) });
    }

    fn trigger_failed(&mut self) {
        let reason = self.run.reason.unwrap_or(Reason::Other);
        self.pipeline(Key::TriggerFailures(reason), Op::Add(1));
        self.pipeline(Key::ConsecutiveTriggerFailures, Op::Add(1));
        if reason != Reason::Skipped {
            self.settle(SlotResult::TriggerFailed);
        }
        let owner = Owner::Account(self.run.account.clone());
        self.observe(WAIT_BOUNDS, self.run.processing, owner, Key::Processing);
    }

    fn finished(&mut self) {
        let result = self.run.result.unwrap_or(RunResult::Lost);
        self.pipeline(Key::Runs(result), Op::Add(1));
        if let Some(end) = self.run.end {
            self.pipeline(Key::LastResult(result), Op::Max(end.0));
        }
        match result.is_bad() {
            Some(true) => {
                self.pipeline(Key::ConsecutiveFailures, Op::Add(1));
                self.settle(SlotResult::Failed);
            }
            Some(false) => {
                self.pipeline(Key::ConsecutiveFailures, Op::Set(0));
                self.settle(SlotResult::Success);
            }
            None => {}
        }
        let pipeline = Owner::Pipeline(self.run.pipeline.clone());
        self.observe(DURATION_BOUNDS, self.run.duration, pipeline, |cell| {
            Key::Duration(result, cell)
        });
        let account = Owner::Account(self.run.account.clone());
        self.observe(WAIT_BOUNDS, self.run.queue, account, Key::Queue);
    }

    /// Only due times are settled; what somebody asked for by hand was none.
    fn settle(&mut self, result: SlotResult) {
        if self.run.origin != Origin::Manual {
            self.pipeline(Key::Slots(result), Op::Add(1));
        }
    }
}

/// How a key is written in the store: the family, and the label values within it.
impl Key {
    /// The family and the label text.
    #[must_use]
    pub fn to_text(self) -> (&'static str, String) {
        match self {
            Self::Triggers(origin) => ("triggers", origin.to_string()),
            Self::TriggerFailures(reason) => ("trigger_failures", reason.to_string()),
            Self::Runs(result) => ("runs", result.to_string()),
            Self::Missed(reason) => ("schedules_missed", reason.to_string()),
            Self::Slots(result) => ("slots", result.to_string()),
            Self::ConsecutiveFailures => ("consecutive_failures", String::new()),
            Self::ConsecutiveTriggerFailures => ("consecutive_trigger_failures", String::new()),
            Self::LastResult(result) => ("last_result", result.to_string()),
            Self::Duration(result, cell) => {
                ("run_duration", format!("{result}|{}", cell.to_text()))
            }
            Self::Queue(cell) => ("run_queue", cell.to_text()),
            Self::Processing(cell) => ("trigger_processing", cell.to_text()),
        }
    }

    /// Reads back what [`Key::to_text`] wrote. `None` for what this version does not know, and for
    /// a histogram cell whose bound is not one of today's: that histogram starts anew.
    #[must_use]
    pub fn from_text(family: &str, label: &str) -> Option<Self> {
        Some(match family {
            "triggers" => Self::Triggers(Origin::from_label(label)?),
            "trigger_failures" => Self::TriggerFailures(Reason::from_label(label)?),
            "runs" => Self::Runs(RunResult::from_label(label)?),
            "schedules_missed" => Self::Missed(MissedReason::from_label(label)?),
            "slots" => Self::Slots(SlotResult::from_label(label)?),
            "consecutive_failures" => Self::ConsecutiveFailures,
            "consecutive_trigger_failures" => Self::ConsecutiveTriggerFailures,
            "last_result" => Self::LastResult(RunResult::from_label(label)?),
            "run_duration" => {
                let (result, cell) = label.split_once('|')?;
                let cell = Cell::from_text(cell, DURATION_BOUNDS)?;
                Self::Duration(RunResult::from_label(result)?, cell)
            }
            "run_queue" => Self::Queue(Cell::from_text(label, WAIT_BOUNDS)?),
            "trigger_processing" => Self::Processing(Cell::from_text(label, WAIT_BOUNDS)?),
            _ => return None,
        })
    }
}

impl Cell {
    fn to_text(self) -> String {
        match self {
            Self::Upto(bound) => bound.to_string(),
            Self::Above => "+Inf".to_owned(),
            Self::Sum => "sum".to_owned(),
        }
    }

    fn from_text(text: &str, bounds: &[i64]) -> Option<Self> {
        match text {
            "+Inf" => Some(Self::Above),
            "sum" => Some(Self::Sum),
            _ => text.parse().ok().filter(|bound| bounds.contains(bound)).map(Self::Upto),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_reads_back() {
        let mut keys = vec![Key::ConsecutiveFailures, Key::ConsecutiveTriggerFailures];
        keys.extend(Origin::ALL.iter().map(|origin| Key::Triggers(*origin)));
        keys.extend(Reason::ALL.iter().map(|reason| Key::TriggerFailures(*reason)));
        keys.extend(MissedReason::ALL.iter().map(|reason| Key::Missed(*reason)));
        keys.extend(SlotResult::ALL.iter().map(|result| Key::Slots(*result)));
        for result in RunResult::ALL {
            keys.extend([Key::Runs(*result), Key::LastResult(*result)]);
            keys.extend([Key::Duration(*result, Cell::Sum), Key::Duration(*result, Cell::Above)]);
            keys.extend(DURATION_BOUNDS.iter().map(|le| Key::Duration(*result, Cell::Upto(*le))));
        }
        keys.extend(WAIT_BOUNDS.iter().map(|bound| Key::Queue(Cell::Upto(*bound))));
        keys.extend([Key::Processing(Cell::Sum), Key::Processing(Cell::Above)]);
        for key in keys {
            let (family, label) = key.to_text();
            assert_eq!(Key::from_text(family, &label), Some(key));
        }
        assert_eq!(Key::from_text("run_queue", "501"), None);
        assert_eq!(Key::from_text("unheard_of", ""), None);
    }
}
