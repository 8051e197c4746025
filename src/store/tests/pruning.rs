//! What is loaded after a restart is never pruned; of the rest only so much is kept.

use std::time::Duration;

use rusqlite::StatementStatus;

use super::*;

const DAY: Duration = Duration::from_hours(24);

fn commit(store: &mut Store, runs: impl IntoIterator<Item = Run>) {
    let facts: Vec<Fact> = runs.into_iter().map(|run| fact(run, Change::Progress)).collect();
    store.commit(&facts, Care::Synced).unwrap();
}

/// One run is the newest, another the newest with an execution, and so on.
fn history() -> Vec<Run> {
    let resolved_late = Run {
        resolved: Some(at(90)),
        ended: Some(at(90)),
        ..failed("nightly", 2, Reason::ProcessingError)
    };
    let ended_late = Run {
        end: Some(at(80)),
        ended: Some(at(80)),
        ..finished("nightly", 1, RunResult::Failure)
    };
    vec![
        finished("nightly", 0, RunResult::Success),
        ended_late,
        resolved_late,
        finished("nightly", 3, RunResult::Success),
        finished("nightly", 4, RunResult::Cancellation),
        failed("nightly", 5, Reason::Rejected),
        Run { resolved: None, ..failed("nightly", 6, Reason::Unreachable) },
    ]
}

#[test]
fn the_active_and_those_spoken_of_are_loaded_each_once() {
    let folder = folder();
    let mut store = open(&folder);
    commit(&mut store, history());
    // 1 ended last, 2 was resolved last, 4 has the newest execution, 6 is the newest.
    assert_eq!(loaded_minutes(&store), [1, 2, 4, 6]);
    // Active ones, however old; and another pipeline's newest is everything at once.
    let accepted = Run { phase: Phase::Accepted, ..begun("nightly", -9) };
    commit(&mut store, [accepted, started("nightly", -8)]);
    commit(&mut store, [finished("hourly", 7, RunResult::Success)]);
    assert_eq!(loaded_minutes(&store), [-9, -8, 1, 2, 4, 6, 7]);
}

#[test]
fn with_one_of_unknown_fate_those_that_ended_since_are_loaded_each_once() {
    for phase in [Phase::Sending, Phase::Unconfirmed] {
        let folder = folder();
        let mut store = open(&folder);
        commit(&mut store, history());
        // Those that ended an hour before it was begun, and later: clocks may have been set.
        commit(&mut store, [Run { phase, ..begun("hourly", 64) }]);
        assert_eq!(loaded_minutes(&store), [1, 2, 3, 4, 5, 6, 64], "{phase:?}");
    }
}

#[test]
fn of_runs_begun_at_once_the_id_decides() {
    let folder = folder();
    let mut store = open(&folder);
    let by_hand = |random| Run {
        id: RunId::of_request(&name("nightly"), random),
        due: None,
        resolved: None,
        ..failed("nightly", 0, Reason::NotSent)
    };
    commit(&mut store, [by_hand(2), by_hand(3), by_hand(1)]);
    let runs = store.load().unwrap().runs;
    assert_eq!(runs.iter().map(|run| run.id.clone()).collect::<Vec<_>>(), [by_hand(3).id]);
}

#[test]
fn old_runs_go_but_for_what_is_loaded() {
    let folder = folder();
    let mut store = open(&folder);
    commit(&mut store, history());
    commit(&mut store, [Run { phase: Phase::Accepted, ..begun("nightly", -9) }]);
    let before = loaded(&store);
    assert_eq!(store.prune(at(60), DAY).unwrap(), 0);
    assert_eq!(count(&store, "runs"), 8);
    // 0 and 3 stay because they say how long a successful run takes.
    assert_eq!(store.prune(at(60 * 24 * 365), DAY).unwrap(), 1);
    assert_eq!(store.prune(at(60 * 24 * 365), DAY).unwrap(), 0);
    assert_same(&loaded(&store), &before);
    assert_eq!(count(&store, "runs"), 7);
}

#[test]
fn age_is_counted_from_the_recorded_end() {
    let folder = folder();
    let mut store = open(&folder);
    commit(&mut store, (0..10).map(|minutes| finished("nightly", minutes, RunResult::Failure)));
    // Ends were recorded at 1, 2, 3 … minutes: those of 1 and 2 lie more than a day back.
    assert_eq!(store.prune(at(24 * 60 + 3), DAY).unwrap(), 2);
}

#[test]
fn pruning_takes_small_bites_and_no_total() {
    let folder = folder();
    let mut store = open(&folder);
    for pipeline in ["a", "b", "c", "d"] {
        let ends = (0..200).map(|minutes| finished(pipeline, minutes, RunResult::Success));
        let facts: Vec<Fact> = ends.map(|run| fact(run, Change::Finished)).collect();
        store.commit(&facts, Care::Synced).unwrap();
    }
    let before = loaded(&store);
    let late = at(60 * 24 * 365);
    let bites = std::iter::repeat_with(|| store.prune(late, DAY).unwrap());
    // The last 30 of each pipeline stay.
    assert_eq!(bites.take(3).collect::<Vec<_>>(), [500, 180, 0]);
    assert_same(&loaded(&store), &before);
}

#[test]
fn the_last_thirty_durations_are_learned_from_however_old() {
    let folder = folder();
    let mut store = open(&folder);
    let took =
        |minutes, result| Run { duration: Some(minutes), ..finished("nightly", minutes, result) };
    let loads = mark(0, &[]);
    let nightly = StoredPipeline {
        name: name("nightly"),
        schedule: String::new(),
        paused: false,
        held: false,
        since: NOON,
        mark: loads,
    };
    store.commit(&[Fact::Loaded(nightly)], Care::Synced).unwrap();
    assert_eq!(store.load().unwrap().durations, []);
    commit(&mut store, (0..40).map(|minutes| took(minutes, RunResult::Success)));
    commit(&mut store, (40..60).map(|minutes| took(minutes, RunResult::Failure)));
    commit(&mut store, [started("nightly", 60), failed("nightly", 61, Reason::Rejected)]);
    let unknown = Run { duration: None, ..finished("nightly", 62, RunResult::Success) };
    commit(&mut store, [unknown]);
    let durations = store.load().unwrap().durations;
    let [durations] = durations.as_slice() else { panic!("{durations:?}") };
    assert!(durations.succeeded.iter().copied().eq(10..40), "{durations:?}");
    assert!(durations.finished.iter().copied().eq(30..60), "{durations:?}");

    let before = loaded(&store);
    assert!(store.prune(at(60 * 24 * 365), DAY).unwrap() > 0);
    let after = loaded(&store);
    assert_eq!(after.durations[0].succeeded, before.durations[0].succeeded);
}

#[test]
fn two_hundred_good_and_two_hundred_bad_ones_are_kept_of_a_pipeline() {
    let folder = folder();
    let mut store = open(&folder);
    // The oldest ended last, as far as the gauges are concerned.
    let kept = Run { end: Some(at(9_999)), ..finished("nightly", 0, RunResult::Success) };
    commit(&mut store, [kept, finished("hourly", 0, RunResult::Success)]);
    commit(&mut store, (1..=250).map(|minute| finished("nightly", minute, RunResult::Success)));
    commit(&mut store, (251..=261).map(|minute| failed("nightly", minute, Reason::Skipped)));
    commit(&mut store, (301..=400).map(|minute| finished("nightly", minute, RunResult::Lost)));
    commit(&mut store, (401..=550).map(|minute| failed("nightly", minute, Reason::Rejected)));
    let of = |bad| format!("runs where pipeline = 'nightly' and bad = {bad}");
    assert_eq!(count(&store, &of(0)), 201);
    assert_eq!(count(&store, &of(1)), 200);
    let oldest = |bad| -> i64 {
        let sql = format!("select min(begun) from {} and begun > ?1", of(bad));
        store.connection.query_row(&sql, [NOON.0], |row| row.get(0)).unwrap()
    };
    assert_eq!(oldest(0), at(62).0);
    assert_eq!(oldest(1), at(351).0);
    assert_eq!(count(&store, "runs where pipeline = 'hourly'"), 1);
    assert_eq!(loaded_minutes(&store), [0, 0, 400, 550]);
}

/// Loading and pruning must not read a history through.
#[test]
fn the_indexes_are_used() {
    let folder = folder();
    let store = open(&folder);
    let sql = &store.sql;
    let texts = [&sql.runs, &sql.ended_since, &sql.durations, &sql.delete_old, &sql.delete_surplus];
    for text in texts {
        let plan = format!("explain query plan {text}");
        let mut statement = store.connection.prepare(&plan).unwrap();
        let parameters = vec![rusqlite::types::Null; statement.parameter_count()];
        let steps = statement.query_map(rusqlite::params_from_iter(parameters), |row| row.get(3));
        let steps: Vec<String> = steps.unwrap().map(Result::unwrap).collect();
        // `p` are the names of the pipelines, read off an index, and `learned` is a row for each.
        let few = ["SCAN p", "SCAN learned"];
        let scan = |step: &String| {
            let through = step.starts_with("SCAN") && !few.contains(&step.as_str());
            // The few durations of each pipeline are sorted; they come off the index in parts.
            through || (step.contains("TEMP B-TREE") && *text != store.sql.durations)
        };
        assert!(!steps.iter().any(scan), "{steps:#?}");
        let all_of_a_pipeline = "SEARCH p USING INDEX runs_newest (pipeline=?)".to_owned();
        assert!(!steps.contains(&all_of_a_pipeline), "{steps:#?}");
    }
}

/// SQLite would plan a statement anew each time another number is bound to a limit.
#[test]
fn statements_are_planned_once() {
    let folder = folder();
    let mut store = open(&folder);
    for minutes in 0..3 {
        let good = finished("nightly", minutes, RunResult::Success);
        let bad = finished("hourly", minutes, RunResult::Failure);
        store
            .commit(&[fact(good, Change::Finished), fact(bad, Change::Finished)], Care::Synced)
            .unwrap();
        store.prune(at(minutes), DAY).unwrap();
    }
    let sql = &store.sql;
    for text in [&sql.save_run, &sql.add_to_total, &sql.delete_surplus, &sql.delete_old] {
        let statement = store.connection.prepare_cached(text).unwrap();
        assert_eq!(statement.get_status(StatementStatus::RePrepare), 0, "{text}");
        assert!(statement.get_status(StatementStatus::Run) >= 3, "{text}");
    }
}
