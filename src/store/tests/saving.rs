//! One transaction a batch: all of it or nothing, and all of it again after a restart.

use super::*;
use crate::store::Error;
use crate::totals::Cell;

#[test]
fn everything_is_there_again_after_a_restart() {
    let folder = folder();
    let mut store = open(&folder);
    let facts = fill(&mut store);
    let before = loaded(&store);
    drop(store);

    let after = loaded(&open(&folder));
    assert_same(&before, &after);
    assert_eq!(after.totals, books(&facts));
    let pipeline = StoredPipeline {
        name: name("nightly"),
        schedule: "every 900000ms spread".to_owned(),
        paused: true,
        held: true,
        since: at(-60),
        mark: mark(45, &[]),
    };
    assert_eq!(after.pipelines, [pipeline]);
    let runs: Vec<Run> = after.runs.iter().map(|run| Run::clone(run)).collect();
    // No gauge speaks of the failed one: a newer one was begun and resolved.
    let expected = [finished("nightly", 0, RunResult::Timeout), started("nightly", 30)];
    assert_eq!(runs, expected);
    assert_eq!(count(&open(&folder), "runs"), 3);
}

#[test]
fn counters_go_on_after_a_restart() {
    let folder = folder();
    for round in 1..=3 {
        let mut store = open(&folder);
        fill_round(&mut store, round);
        assert_eq!(total(&store, Key::Triggers(Origin::Schedule)), round);
        assert_eq!(total(&store, Key::Runs(RunResult::Success)), round);
        assert_eq!(total(&store, Key::ConsecutiveFailures), 0);
        let end = finished("nightly", 1, RunResult::Success).end.unwrap().0;
        // Later rounds end earlier: the latest end stays.
        assert_eq!(total(&store, Key::LastResult(RunResult::Success)), end);
    }
}

fn fill_round(store: &mut Store, round: i64) {
    let minutes = 2 - round;
    let facts = [
        fact(begun("nightly", minutes), Change::Begun),
        fact(finished("nightly", minutes, RunResult::Success), Change::Finished),
    ];
    store.commit(&facts, Care::Synced).unwrap();
}

#[test]
fn a_total_saturates_as_in_memory() {
    let folder = folder();
    let mut store = open(&folder);
    let missed = |count| Fact::Missed {
        pipeline: name("nightly"),
        reason: MissedReason::Late,
        count,
        latest: at(0),
        mark: mark(0, &[]),
    };
    let facts = [missed(7), missed(u64::MAX), missed(7)];
    store.commit(&facts, Care::Synced).unwrap();
    assert_eq!(loaded(&store).totals, books(&facts));
    assert_eq!(total(&store, Key::Missed(MissedReason::Late)), i64::MAX);
}

#[test]
fn totals_of_another_version_are_left_alone() {
    let folder = folder();
    let mut store = open(&folder);
    fill(&mut store);
    let known = loaded(&store).totals;
    let strangers = "insert into totals values ('pipeline', 'nightly', 'unheard_of', '', 5),
        ('pipeline', 'nightly', 'run_duration', 'success|half', 5), ('team', 'a', 'runs', '', 5)";
    store.connection.execute(strangers, []).unwrap();
    assert_eq!(loaded(&store).totals, known);
    assert_eq!(count(&store, "totals"), i64::try_from(known.len()).unwrap() + 3);
}

#[test]
fn a_mark_leaves_schedule_and_pause_alone_and_a_load_replaces_all() {
    let folder = folder();
    let mut store = open(&folder);
    let loaded = |schedule: &str, until| StoredPipeline {
        name: name("nightly"),
        schedule: schedule.to_owned(),
        paused: until == 0,
        held: until == 9,
        since: at(until),
        mark: mark(until, &[until]),
    };
    store.commit(&[Fact::Loaded(loaded("every 1000ms epoch", 0))], Care::Synced).unwrap();
    let run = Fact::Run {
        run: Arc::new(begun("nightly", 5)),
        change: Change::Begun,
        mark: Some(mark(5, &[3, 5])),
    };
    store.commit(&[run], Care::Synced).unwrap();
    let marked = StoredPipeline { mark: mark(5, &[3, 5]), ..loaded("every 1000ms epoch", 0) };
    assert_eq!(store.load().unwrap().pipelines, [marked]);
    store.commit(&[Fact::Loaded(loaded("", 9))], Care::Synced).unwrap();
    assert_eq!(store.load().unwrap().pipelines, [loaded("", 9)]);
}

#[test]
fn a_due_time_is_claimed_once() {
    let folder = folder();
    let mut store = open(&folder);
    store.commit(&[fact(begun("nightly", 0), Change::Begun)], Care::Synced).unwrap();
    let other = Run { id: RunId::of_request(&name("nightly"), 1), ..begun("nightly", 0) };
    let facts = [fact(begun("nightly", 1), Change::Begun), fact(other, Change::Begun)];
    let error = store.commit(&facts, Care::Synced).unwrap_err();
    assert!(matches!(&error, Error::AlreadyClaimed { run } if run.as_str().contains("manual")));
    // Nothing of the batch is there, the books included.
    assert_eq!(loaded_minutes(&store), [0]);
    assert_eq!(total(&store, Key::Triggers(Origin::Schedule)), 1);

    let retry = RunId::of_slot(&name("nightly"), at(0), 2);
    let retry = Run { id: retry, attempt: 2, ..begun("nightly", 0) };
    let by_hand = |random| Run {
        id: RunId::of_request(&name("nightly"), random),
        due: None,
        ..begun("nightly", 0)
    };
    let facts = [retry, by_hand(1), by_hand(2)].map(|run| fact(run, Change::Begun));
    store.commit(&facts, Care::Synced).unwrap();
    assert_eq!(count(&store, "runs"), 4);
}

#[test]
fn what_can_be_derived_is_not_written() {
    let folder = folder();
    let mut store = open(&folder);
    store.connection.pragma_update(None, "query_only", true).unwrap();
    let next = Fact::Next { pipeline: name("nightly"), at: None };
    store.commit(&[Fact::Waiting(2), next], Care::Synced).unwrap();
    store.commit(&[], Care::Synced).unwrap();
    store.commit(&[fact(begun("nightly", 0), Change::Begun)], Care::Synced).unwrap_err();
}

#[test]
fn a_full_disk_rolls_back_and_with_room_it_goes_on() {
    let folder = folder();
    let mut store = open(&folder);
    fill(&mut store);
    store.probe().unwrap();
    let before = loaded(&store);
    let limit = |store: &Store, pages: i64| {
        let set = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
        store.connection.pragma_update_and_check(None, "max_page_count", pages, set).unwrap()
    };
    // The room that the probe has left must not hide that the file can't grow.
    store.connection.execute_batch("vacuum").unwrap();
    let pages = limit(&store, 1);
    let facts: Vec<Fact> =
        (100..400).map(|minutes| fact(begun("nightly", minutes), Change::Begun)).collect();
    for _ in 0..2 {
        let error = store.commit(&facts, Care::Synced).unwrap_err();
        assert!(error.to_string().ends_with("make room on its disk"), "{error}");
        store.probe().unwrap_err();
        assert_same(&loaded(&store), &before);
    }
    limit(&store, pages + 1_000);
    store.probe().unwrap();
    assert_eq!(count(&store, "probe"), 0);
    store.commit(&facts, Care::Synced).unwrap();
    assert_eq!(total(&store, Key::Triggers(Origin::Schedule)), 303);
}

#[test]
fn a_thousand_runs_are_one_batch() {
    let folder = folder();
    let mut store = open(&folder);
    let runs: Vec<Run> = (0..1_000).map(|minutes| started("nightly", minutes)).collect();
    let facts: Vec<Fact> = runs.iter().map(|run| fact(run.clone(), Change::Begun)).collect();
    store.commit(&facts, Care::Synced).unwrap();
    drop(store);
    let mut restored = open(&folder).load().unwrap();
    restored.runs.sort_by_key(|run| run.begun);
    assert_eq!(restored.runs.iter().map(|run| Run::clone(run)).collect::<Vec<_>>(), runs);
    assert_eq!(restored.totals, books(&facts));
}

/// As after a kill: the files as they lie there, the log not yet played into the store, and the end
/// of the log torn.
#[test]
fn every_answered_batch_survives_a_crash() {
    let folder = folder();
    let mut store = open(&folder);
    for batch in 0..20 {
        store.commit(&[fact(begun("nightly", batch), Change::Begun)], Care::Synced).unwrap();
        let crashed = super::folder();
        let (from, to) = (folder.path(), crashed.path());
        copy(&from.join("x.db"), &to.join("x.db"));
        let mut log = std::fs::read(from.join("x.db-wal")).unwrap();
        log.extend_from_slice(&[7; 5_000]);
        std::fs::write(to.join("x.db-wal"), log).unwrap();
        let found = open(&crashed);
        assert_same(&loaded(&found), &loaded(&store));
        assert_eq!(total(&found, Key::Triggers(Origin::Schedule)), batch + 1);
    }
}

#[test]
fn an_unreadable_record_is_named() {
    let folder = folder();
    let mut store = open(&folder);
    fill(&mut store);
    store.connection.execute("update runs set body = '{}' where ended is null", []).unwrap();
    let error = store.load().unwrap_err().to_string();
    assert!(error.contains("run nightly-2025-11-24T16:30:00Z-1"), "{error}");
}

#[test]
fn changed_buckets_begin_the_histograms_of_durations_anew_and_nothing_else() {
    let folder = folder();
    let mut store = open(&folder);
    fill(&mut store);
    assert_eq!(&*loaded(&store).buckets, DURATION_BOUNDS);
    let durations = |store: &Store| -> Vec<_> {
        let of = |total: Total| match total.key {
            Key::Duration(result, cell) => Some((result, cell, total.value)),
            _ => None,
        };
        loaded(store).totals.into_iter().filter_map(of).collect()
    };
    let timeout = RunResult::Timeout;
    let before = [(timeout, Cell::Upto(60_000), 1), (timeout, Cell::Sum, 59_000)];
    assert_eq!(durations(&store), before);
    let others = |store: &Store| {
        let mut totals = loaded(store).totals;
        totals.retain(|total| !matches!(total.key, Key::Duration(..)));
        totals
    };
    let kept = others(&store);

    // What comes after it in a transaction is counted in the new ones; one that fails changes nothing.
    let buckets = Fact::Buckets([30_000, 45_000].into());
    let again = fact(begun("nightly", 0), Change::Begun);
    store.commit(&[buckets.clone(), again], Care::Synced).unwrap_err();
    assert_eq!((durations(&store), others(&store)), (before.to_vec(), kept.clone()));
    assert_eq!(&*loaded(&store).buckets, DURATION_BOUNDS);
    store.commit(std::slice::from_ref(&buckets), Care::Written).unwrap();
    assert_eq!((durations(&store), others(&store)), (Vec::new(), kept));
    let next = fact(finished("nightly", 30, RunResult::Success), Change::Finished);
    store.commit(&[buckets, next], Care::Synced).unwrap();
    drop(store);
    let store = open(&folder);
    let success = RunResult::Success;
    let after = [(success, Cell::Above, 1), (success, Cell::Sum, 59_000)];
    assert_eq!(
        (durations(&store), &*loaded(&store).buckets),
        (after.to_vec(), &[30_000, 45_000][..])
    );
    assert_eq!(total(&store, Key::Runs(timeout)), 1);
}
