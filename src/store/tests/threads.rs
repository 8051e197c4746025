//! The writer's thread: in order, answering each, alive while idle, closed when let go.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;

use super::*;
use crate::store::{Batch, Error, Writer};

const RETENTION: Duration = Duration::from_hours(24);
/// In minutes.
const A_YEAR: i64 = 60 * 24 * 365;

fn batch(run: Run) -> Batch {
    Batch { facts: vec![fact(run, Change::Begun)], care: Care::Written }
}

#[test]
fn batches_are_answered_in_order_and_on_disk_when_it_ends() {
    let folder = folder();
    let (sender, mut answers) = mpsc::channel(64);
    let heartbeat = Arc::new(AtomicI64::new(0));
    let writer = Writer::start(open(&folder), RETENTION, || at(0), heartbeat, sender).unwrap();
    let claimed = Run { id: RunId::of_request(&name("nightly"), 1), ..begun("nightly", 0) };
    writer.save(batch(begun("nightly", 0))).unwrap();
    writer.save(batch(claimed)).unwrap();
    writer.save(Batch { facts: Vec::new(), care: Care::Synced }).unwrap();
    writer.save(batch(begun("nightly", 1))).unwrap();
    writer.finish().unwrap();
    assert!(matches!(answers.blocking_recv(), Some(Ok(()))));
    assert!(matches!(answers.blocking_recv(), Some(Err(Error::AlreadyClaimed { .. }))));
    assert!(matches!(answers.blocking_recv(), Some(Ok(()))));
    assert!(matches!(answers.blocking_recv(), Some(Ok(()))));
    assert!(answers.blocking_recv().is_none());
    // The lock is free again.
    assert_eq!(loaded_minutes(&open(&folder)), [0, 1]);
}

#[test]
fn it_prunes_at_its_start_and_beats_while_idle() {
    let folder = folder();
    let mut store = open(&folder);
    let ends = (0..200).map(|minutes| finished("nightly", minutes, RunResult::Failure));
    let facts: Vec<Fact> = ends.map(|run| fact(run, Change::Finished)).collect();
    store.commit(&facts, Care::Synced).unwrap();
    let (sender, _answers) = mpsc::channel(64);
    let heartbeat = Arc::new(AtomicI64::new(0));
    // Each look at this clock is a minute later than the one before.
    let (looks, looked) = std::sync::mpsc::channel();
    let ticks = AtomicI64::new(A_YEAR);
    let clock = move || {
        let now = at(ticks.fetch_add(1, Ordering::Relaxed));
        let _ = looks.send(now);
        now
    };
    let writer = Writer::start(store, RETENTION, clock, Arc::clone(&heartbeat), sender).unwrap();
    // At its start, before each of two bites, before it falls idle, and once idle.
    for look in 0..5 {
        let now = looked.recv_timeout(Duration::from_mins(1)).unwrap();
        assert_eq!(now, at(A_YEAR + look));
    }
    assert!(heartbeat.load(Ordering::Relaxed) >= at(A_YEAR + 3).0);
    drop(looked);
    writer.finish().unwrap();
    assert_eq!(count(&open(&folder), "runs"), 1);
}

#[test]
fn it_ends_when_nobody_reads_the_answers() {
    let folder = folder();
    let (sender, answers) = mpsc::channel(1);
    drop(answers);
    let heartbeat = Arc::new(AtomicI64::new(0));
    let writer = Writer::start(open(&folder), RETENTION, || at(0), heartbeat, sender).unwrap();
    writer.save(batch(begun("nightly", 0))).unwrap();
    writer.finish().unwrap();
    assert_eq!(loaded_minutes(&open(&folder)), [0]);
}
