//! When runs are looked at: by what was learned, and by what Harness notifies of.

use super::bench::*;
use crate::config::{Account, Pipeline};
use crate::engine::Input;
use crate::model::*;

const NAME: &str = "p";

fn manual() -> Pipeline {
    Pipeline { schedule: None, ..pipeline(NAME) }
}

/// An answer about the execution `id`, which began at `start`.
fn at_work(id: &str, status: &str, start: Wall, end: Option<Wall>) -> EventAnswer {
    let EventAnswer::Details(mut details) = execution(status) else { unreachable!() };
    details.execution = ExecutionId::new(id).ok();
    if let Some(summary) = &mut details.summary {
        (summary.start, summary.end) = (Some(start), end);
        summary.execution = details.execution.clone();
    }
    EventAnswer::Details(details)
}

/// How many looks a run costs that takes ten minutes, and how late its end is seen.
fn ten_minutes(bench: &mut Bench) -> (usize, i64) {
    let before = bench.looks;
    bench.ask(NAME);
    bench.webhook_is_accepted();
    let start = bench.newest().begun;
    let end = start.after(mins(10));
    bench.pass_with(mins(10), |_| Some(at_work("BOvtFC6x", "Running", start, None)));
    bench.pass_with(mins(2), |_| Some(at_work("BOvtFC6x", "Success", start, Some(end))));
    (bench.looks - before, bench.newest().ended.unwrap().0 - end.0)
}

#[test]
fn from_the_eleventh_run_on_looks_are_put_where_runs_end() {
    let mut bench = Bench::new([manual()]);
    let unknown: Vec<_> = (0..10).map(|_| ten_minutes(&mut bench)).collect();
    let (looks, late) = ten_minutes(&mut bench);
    assert!(unknown.iter().all(|(first, _)| *first > 3 * looks), "{unknown:?} {looks}");
    assert!(late < 10_000 && unknown.iter().any(|(_, late)| *late > 10_000), "{unknown:?} {late}");
}

#[test]
fn where_calls_are_scarce_young_runs_of_unknown_pipelines_do_not_keep_old_ones_waiting() {
    let limit = |account: &mut Account| account.requests_per_minute = 6;
    let named = |name| Pipeline { schedule: None, ..pipeline(name) };
    let mut bench = Bench::limited(limit, [NAME, "q", "r", "s"].map(named));
    bench.ask(NAME);
    bench.webhook_is_accepted();
    let (old, start) = (bench.newest().id.clone(), bench.newest().begun);
    bench.pass_with(mins(20), |_| Some(at_work("old", "Running", start, None)));
    for name in ["q", "r", "s"] {
        bench.ask(name);
        bench.pass_with(secs(20), |_| Some(at_work("old", "Running", start, None)));
        bench.webhook_is_accepted();
    }
    let mut looks = 0;
    bench.pass_with(mins(5), |read| {
        looks += usize::from(read.run == old);
        let id = if read.run == old { "old" } else { read.run.as_str() };
        Some(at_work(id, "Running", start, None))
    });
    assert!((4..=6).contains(&looks), "one a minute, as if it were alone: {looks}");
}

#[test]
fn what_was_learned_in_an_earlier_life_is_known() {
    let mut bench = Bench::new([manual()]);
    let (unknown, _) = ten_minutes(&mut bench);
    let mut durations = Durations::of(PipelineName::new(NAME));
    (0..10).for_each(|_| durations.add(600_000, RunResult::Success));
    bench.durations = vec![durations];
    bench.restart();
    let (known, _) = ten_minutes(&mut bench);
    assert!(known * 3 < unknown, "{known} {unknown}");
}

#[test]
fn what_was_learned_of_a_pipeline_outlives_its_removal_by_a_reload() {
    for restarted_without in [false, true] {
        let mut bench = Bench::new([manual()]);
        let (unknown, _) = ten_minutes(&mut bench);
        for _ in 0..9 {
            ten_minutes(&mut bench);
        }
        let config = bench.config.pipelines.clone();
        bench.config.pipelines.clear();
        bench.reload();
        if restarted_without {
            let mut durations = Durations::of(PipelineName::new(NAME));
            (0..10).for_each(|_| durations.add(600_000, RunResult::Success));
            bench.durations = vec![durations];
            bench.restart();
        }
        bench.config.pipelines = config;
        bench.reload();
        let (known, _) = ten_minutes(&mut bench);
        assert!(known * 3 < unknown, "{known} {unknown}");
    }
}

#[test]
fn a_hint_brings_one_look_at_once_and_a_flood_of_them_one_every_few_seconds() {
    let mut bench = Bench::new([manual()]);
    bench.ask(NAME);
    bench.webhook_is_accepted();
    let start = bench.newest().begun;
    let mut running = |_: &_| Some(at_work("BOvtFC6x", "Running", start, None));
    bench.pass_with(mins(20), &mut running);
    let hint = |id: &str| Input::Notified { execution: ExecutionId::new(id).unwrap() };
    bench.handle(hint("someone_elses"));
    assert!(bench.reads.is_empty(), "it costs nothing");
    bench.handle(hint("BOvtFC6x"));
    assert_eq!(bench.reads.len(), 1);
    bench.pass_with(secs(0), &mut running);
    let before = bench.looks;
    for _ in 0..600 {
        bench.handle(hint("BOvtFC6x"));
        bench.pass_with(std::time::Duration::from_millis(100), &mut running);
    }
    let looks = bench.looks - before;
    assert!((19..=22).contains(&looks), "{looks} looks in a minute");
    bench.pass_with(secs(4), &mut running);
    let before = bench.looks;
    bench.pass_with(mins(10), &mut running);
    assert!((9..=11).contains(&(bench.looks - before)), "as before: {}", bench.looks - before);

    bench.handle(hint("BOvtFC6x"));
    bench.read_is_answered(at_work("BOvtFC6x", "Success", start, None));
    assert_eq!(bench.newest().result, Some(RunResult::Success));
    bench.handle(hint("BOvtFC6x"));
    bench.pass(mins(5));
    assert!(bench.reads.is_empty(), "it is over");
}

#[test]
fn what_was_accepted_once_under_webhook_auto_stays_known() {
    let mut bench = Bench::new([manual(), Pipeline { schedule: None, ..pipeline("q") }]);
    bench.ask(NAME);
    bench.webhook_is(UNKNOWN_PATH);
    bench.pass(secs(1));
    assert_eq!(bench.sent[0].address, V2);
    bench.webhook_is_accepted();
    bench.ask("q");
    assert_eq!(bench.sent[0].address, V2);
    bench.webhook_is(UNKNOWN_PATH);
    assert_eq!(bench.newest().outcome, Outcome::Rejected);
    bench.pass(secs(1));
    bench.ask("q");
    assert_eq!(bench.sent[0].address, V2, "one that failed changes nothing");
}
