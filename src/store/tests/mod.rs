//! What the store must hold to, on real files.

mod opening;
mod pruning;
mod saving;
mod threads;

use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;

use super::{Care, OpenError, Store};
use crate::config::Location;
use crate::model::{
    AccountName, Change, EventId, ExecutionId, Fact, FailureType, Mark, MissedReason, Origin,
    Outcome, Phase, PipelineName, Reason, ReportedStages, Restored, Run, RunId, RunResult, Stage,
    Status, StoredPipeline, Wall,
};
use crate::totals::{self, DURATION_BOUNDS, Key, Owner, Total};

/// 2025-11-24T16:00:00Z.
const NOON: Wall = Wall(1_764_000_000_000);
const MINUTE: i64 = 60_000;

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn location(folder: &TempDir) -> Location {
    Location::of_file(folder.path().join("x.db"))
}

fn open(folder: &TempDir) -> Store {
    Store::open(&location(folder), NOON).unwrap()
}

fn refusal(folder: &TempDir) -> OpenError {
    Store::open(&location(folder), NOON).unwrap_err()
}

fn at(minutes: i64) -> Wall {
    Wall(NOON.0 + minutes * MINUTE)
}

fn name(text: &str) -> PipelineName {
    PipelineName::new(text)
}

/// A run of the due time `minutes` after noon, just begun.
fn begun(pipeline: &str, minutes: i64) -> Run {
    let due = at(minutes);
    let id = RunId::of_slot(&name(pipeline), due, 1);
    Run {
        origin: Origin::Schedule,
        due: Some(due),
        phase: Phase::Sending,
        ..Run::new(id, name(pipeline), AccountName::new("default"), due)
    }
}

/// The same run once Harness has named its execution; every field that can have a value has one.
fn started(pipeline: &str, minutes: i64) -> Run {
    let begun = begun(pipeline, minutes);
    Run {
        payload: Some(Arc::from("{\"quote\":\"'\\\" \u{1f980}\"}")),
        phase: Phase::Executing,
        sent: Some(at(minutes)),
        accepted: Some(Wall(begun.begun.0 + 200)),
        event: Some(EventId::new("00aa00aa00aa00aa00aa00aa").unwrap()),
        execution: Some(ExecutionId::new(&format!("exec-{minutes}")).unwrap()),
        outcome: Outcome::Started,
        resolved: Some(Wall(begun.begun.0 + 1_500)),
        processing: Some(1_500),
        status: Some(Status::Running),
        start: Some(Wall(begun.begun.0 + 1_000)),
        queue: Some(800),
        number: Some(7),
        reported: Some(ReportedStages { successful: 1, running: 1, failed: 0, total: 3 }),
        stages: vec![Stage { id: "build".to_owned(), status: Status::Success, duration: Some(9) }],
        message: Some("it's\nso".to_owned()),
        unknown_status: true,
        ..begun
    }
}

/// The same run, over a minute after it began.
fn finished(pipeline: &str, minutes: i64, result: RunResult) -> Run {
    Run {
        phase: Phase::Ended,
        status: Some(Status::Failed),
        result: Some(result),
        end: Some(at(minutes + 1)),
        duration: Some(59_000),
        failure_types: vec![FailureType::TimeoutError],
        ended: Some(at(minutes + 1)),
        ..started(pipeline, minutes)
    }
}

/// A run of the same due time whose trigger failed, half a minute after it began.
fn failed(pipeline: &str, minutes: i64, reason: Reason) -> Run {
    let begun = begun(pipeline, minutes);
    let ended = Some(Wall(begun.begun.0 + 30_000));
    Run {
        phase: Phase::Ended,
        outcome: Outcome::Failed,
        reason: Some(reason),
        resolved: ended,
        ended,
        ..begun
    }
}

fn fact(run: Run, change: Change) -> Fact {
    Fact::Run { run: Arc::new(run), change, mark: None }
}

fn mark(until: i64, owed: &[i64]) -> Mark {
    Mark { handled_until: at(until), owed: owed.iter().copied().map(at).collect() }
}

/// A store of every kind of record.
fn fill(store: &mut Store) -> Vec<Fact> {
    let loaded = StoredPipeline {
        name: name("nightly"),
        schedule: "every 900000ms spread".to_owned(),
        paused: true,
        held: true,
        since: at(-60),
        mark: mark(0, &[]),
    };
    let facts = vec![
        Fact::Loaded(loaded),
        Fact::Run {
            run: Arc::new(begun("nightly", 0)),
            change: Change::Begun,
            mark: Some(mark(0, &[1, 2])),
        },
        fact(started("nightly", 0), Change::Started),
        fact(finished("nightly", 0, RunResult::Timeout), Change::Finished),
        fact(begun("nightly", 15), Change::Begun),
        fact(failed("nightly", 15, Reason::StartRefused), Change::TriggerFailed),
        fact(begun("nightly", 30), Change::Begun),
        fact(started("nightly", 30), Change::Started),
        Fact::Missed {
            pipeline: name("nightly"),
            reason: MissedReason::Late,
            count: 3,
            latest: at(45),
            mark: mark(45, &[]),
        },
        Fact::Waiting(4),
        Fact::Next { pipeline: name("nightly"), at: Some(at(60)) },
    ];
    store.commit(&facts, Care::Synced).unwrap();
    facts
}

/// What `load` says, in an order of its own.
fn loaded(store: &Store) -> Restored {
    let mut restored = store.load().unwrap();
    restored.pipelines.sort_by(|a, b| a.name.cmp(&b.name));
    restored.runs.sort_by(|a, b| a.id.cmp(&b.id));
    restored.totals.sort_by(|a, b| (&a.owner, a.key).cmp(&(&b.owner, b.key)));
    restored
}

fn assert_same(one: &Restored, other: &Restored) {
    assert_eq!(one.pipelines, other.pipelines);
    assert_eq!(one.runs, other.runs);
    assert_eq!(one.totals, other.totals);
    assert_eq!(one.durations, other.durations);
    assert_eq!(one.buckets, other.buckets);
}

/// The due minutes of the runs that are loaded.
fn loaded_minutes(store: &Store) -> Vec<i64> {
    let minute = |run: &Arc<Run>| (run.begun.0 - NOON.0) / MINUTE;
    let mut minutes: Vec<_> = store.load().unwrap().runs.iter().map(minute).collect();
    minutes.sort_unstable();
    minutes
}

fn total(store: &Store, key: Key) -> i64 {
    let totals = store.load().unwrap().totals;
    totals.iter().filter(|total| total.key == key).map(|total| total.value).sum()
}

fn count(store: &Store, table: &str) -> i64 {
    let sql = format!("select count(*) from {table}");
    store.connection.query_row(&sql, [], |row| row.get(0)).unwrap()
}

/// The books as they would be kept in memory.
fn books(facts: &[Fact]) -> Vec<Total> {
    let mut books: std::collections::BTreeMap<(Owner, Key), i64> =
        std::collections::BTreeMap::new();
    for entry in facts.iter().flat_map(|fact| totals::of(fact, DURATION_BOUNDS)) {
        let value = books.entry((entry.owner, entry.key)).or_default();
        *value = entry.op.apply(*value);
    }
    books.into_iter().map(|((owner, key), value)| Total { owner, key, value }).collect()
}

fn copy(from: &Path, to: &Path) {
    std::fs::copy(from, to).unwrap();
}
