//! The books: which numbers a fact changes, and how.
//!
//! One function, [`of`], says it. The store carries the same entries into its tables, in the
//! transaction that saves the fact, as the board carries into what `/metrics` shows, so that the
//! two cannot differ and each run is counted once. Totals are never pruned.
//!
//! Histograms of durations have the buckets that the config wants. Both have to begin them anew at
//! [`Fact::Buckets`], which comes in order with the facts that are counted in them.

pub use crate::model::{Cell, DURATION_BOUNDS, DURATIONS, Key, Owner, Total, WAIT_BOUNDS};
use crate::model::{Change, Fact, Origin, Reason, Run, RunResult, SlotResult};

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

/// What `fact` does to the books, in which durations are counted in buckets with these upper bounds
/// (milliseconds, rising).
#[must_use]
pub fn of(fact: &Fact, buckets: &[i64]) -> Vec<Entry> {
    match fact {
        Fact::Run { run, change, .. } => of_run(run, *change, buckets),
        Fact::Missed { pipeline, reason, count, .. } => {
            let by = Op::Add(i64::try_from(*count).unwrap_or(i64::MAX));
            let entry = |key| Entry { owner: Owner::Pipeline(pipeline.clone()), key, op: by };
            vec![entry(Key::Missed(*reason)), entry(Key::Slots(SlotResult::Missed))]
        }
        Fact::TriggerLookedUp { pipeline, usable, .. } => {
            let (owner, op) = (Owner::Pipeline(pipeline.clone()), Op::Set(i64::from(*usable)));
            vec![Entry { owner, key: Key::TriggerUsable, op }]
        }
        Fact::Loaded(_)
        | Fact::Buckets(_)
        | Fact::Waiting(_)
        | Fact::Next { .. }
        | Fact::Maintenance { .. } => Vec::new(),
    }
}

fn of_run(run: &Run, change: Change, buckets: &[i64]) -> Vec<Entry> {
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
        Change::Finished => book.finished(buckets),
        Change::Settled => book.settle(),
        Change::Sending
        | Change::Waiting
        | Change::Unconfirmed
        | Change::Accepted
        | Change::Progress => {}
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
        self.settle();
        let owner = Owner::Account(self.run.account.clone());
        self.observe(WAIT_BOUNDS, self.run.processing, owner, Key::Processing);
    }

    fn finished(&mut self, buckets: &[i64]) {
        let result = self.run.result.unwrap_or(RunResult::Lost);
        self.pipeline(Key::Runs(result), Op::Add(1));
        if let Some(end) = self.run.end {
            self.pipeline(Key::LastResult(result), Op::Max(end.0));
        }
        match result.is_bad() {
            Some(true) => self.pipeline(Key::ConsecutiveFailures, Op::Add(1)),
            Some(false) => self.pipeline(Key::ConsecutiveFailures, Op::Set(0)),
            None => {}
        }
        self.settle();
        let pipeline = Owner::Pipeline(self.run.pipeline.clone());
        self.observe(buckets, self.run.duration, pipeline, |cell| Key::Duration(result, cell));
        let account = Owner::Account(self.run.account.clone());
        self.observe(WAIT_BOUNDS, self.run.queue, account, Key::Queue);
    }

    /// A due time is settled once, by its last attempt. What somebody asked for by hand was none,
    /// and what was cancelled or skipped settles nothing.
    fn settle(&mut self) {
        let bad = self.run.result.map(RunResult::is_bad);
        let result = match (bad, self.run.reason) {
            (Some(Some(true)), _) => SlotResult::Failed,
            (Some(Some(false)), _) => SlotResult::Success,
            (Some(None), _) | (None, Some(Reason::Skipped)) => return,
            (None, _) => SlotResult::TriggerFailed,
        };
        if self.run.origin != Origin::Manual && self.run.retry_at.is_none() {
            self.pipeline(Key::Slots(result), Op::Add(1));
        }
    }
}
