//! Pauses by hand, maintenance, retries, jitter, and another config in the middle of a life.

use super::bench::*;
use crate::config::{Concurrency, Maintenance, Pipeline, Retry};
use crate::engine::{Input, Reply};
use crate::model::*;
use crate::schedule::Schedule;

fn tried_again(after: u64) -> Pipeline {
    let retry = Some(Retry { after: secs(after), attempts: 1 });
    Pipeline { retry, schedule: Some(every(mins(10))), ..pipeline("p") }
}

fn pause(bench: &mut Bench) {
    bench.handle(Input::Pause { request: 1, pipelines: vec!["p".to_owned()] });
}

fn resume(bench: &mut Bench) {
    bench.handle(Input::Resume { request: 1, pipelines: Vec::new() });
}

const REFUSED: TriggerAnswer =
    TriggerAnswer::Refused { reason: Reason::Forbidden, message: NO_MESSAGE };

#[test]
fn a_pause_by_hand_outlives_a_restart_and_nothing_inside_it_is_caught_up() {
    let mut bench = Bench::new([pipeline("p")]);
    bench.pass(secs(30));
    pause(&mut bench);
    assert_eq!(bench.replies, [Reply::Switched(vec![PipelineName::new("p")])]);
    assert_eq!(bench.next, None);
    bench.pass(mins(2));
    bench.restart_after(mins(2));
    assert!(matches!(bench.ask("p"), Reply::Begun(_)), "a person may all the same");
    bench.webhook_is(REFUSED);
    bench.pass(mins(2));
    resume(&mut bench);
    assert!(bench.sent.is_empty() && bench.missed.is_empty());
    let since = bench.rows[&PipelineName::new("p")].since;
    assert_eq!(since.since(Wall(START)).as_secs(), 390);
    bench.pass(mins(1));
    assert_eq!(bench.sent.len(), 1);
}

#[test]
fn what_waits_when_a_pause_begins_is_given_up() {
    let mut bench = Bench::new([tried_again(1)]);
    bench.pass(mins(10));
    bench.webhook_is(NEVER_LEFT);
    assert_eq!(bench.newest().phase, Phase::Waiting);
    pause(&mut bench);
    let unreachable = (Phase::Ended, Outcome::Unreachable, Some(Reason::Unreachable), None);
    assert_eq!(bench.state(), unreachable);
    bench.pass(mins(3));
    assert!(bench.sent.is_empty());

    let allow = Pipeline { concurrency: Concurrency::Allow, ..pipeline("p") };
    let mut bench = Bench::limited(|a| a.max_active_runs = 1, [allow]);
    bench.pass(mins(3));
    pause(&mut bench);
    assert_eq!(bench.missed, [(MissedReason::Late, 1); 2]);
}

#[test]
fn one_unknown_name_changes_nothing() {
    let mut bench = Bench::new([pipeline("p")]);
    let pipelines = vec!["p".to_owned(), "q".to_owned()];
    bench.handle(Input::Pause { request: 1, pipelines });
    assert_eq!(bench.replies, [Reply::UnknownPipeline("q".to_owned())]);
    bench.pass(mins(1));
    assert_eq!(bench.sent.len(), 1);
}

#[test]
fn in_maintenance_nothing_is_due() {
    let window = Maintenance { begins: every(mins(10)), duration: secs(150) };
    let mut bench = Bench::new([Pipeline { maintenance: vec![window], ..pipeline("p") }]);
    bench.pass(secs(150));
    assert!(bench.sent.is_empty() && bench.missed.is_empty());
    assert_eq!(bench.next, Some(Wall(START + 180_000)));
    bench.pass(secs(30));
    assert_eq!(bench.sent.len(), 1);
}

#[test]
fn what_went_wrong_is_tried_again_and_settles_its_due_time_once() {
    let mut bench = Bench::new([tried_again(120)]);
    bench.pass(mins(10));
    bench.webhook_is(REFUSED);
    assert!(bench.settled.is_empty());
    bench.restart_after(secs(60));
    bench.pass(secs(60));
    let run = bench.newest();
    assert_eq!((run.attempt, run.origin, run.due), (2, Origin::Retry, Some(Wall(START + 600_000))));
    bench.webhook_is(REFUSED);
    assert_eq!(bench.settled, [SlotResult::TriggerFailed]);
    bench.pass(mins(7));
    assert!(bench.sent.is_empty(), "one attempt more, not two");
}

#[test]
fn a_retry_that_would_come_after_the_next_due_time_is_none() {
    let mut bench = Bench::new([tried_again(11 * 60)]);
    bench.pass(mins(10));
    bench.webhook_is(REFUSED);
    assert_eq!(bench.settled, [SlotResult::TriggerFailed]);
}

#[test]
fn what_may_have_happened_is_not_tried_again() {
    let unknown = TriggerAnswer::Unknown { reason: Reason::ServerError, message: NO_MESSAGE };
    let mut bench = Bench::new([tried_again(1)]);
    bench.pass(mins(10));
    bench.webhook_is(unknown);
    bench.pass(mins(5));
    assert!(bench.runs.values().all(|run| run.attempt == 1));
}

#[test]
fn a_pause_and_a_run_by_hand_stand_in_the_way_of_a_retry() {
    let mut bench = Bench::new([tried_again(120)]);
    bench.pass(mins(10));
    bench.webhook_is(REFUSED);
    bench.ask("p");
    bench.pass(secs(121));
    assert_eq!((bench.sent.len(), bench.settled.len()), (1, 1), "forbid");

    let mut bench = Bench::new([tried_again(120)]);
    bench.pass(mins(10));
    bench.webhook_is(REFUSED);
    pause(&mut bench);
    assert_eq!(bench.settled, [SlotResult::TriggerFailed]);
}

#[test]
fn a_retry_whose_beginning_is_not_saved_leaves_its_due_time_settled() {
    let mut bench = Bench::new([tried_again(60)]);
    bench.pass(mins(10));
    bench.webhook_is(REFUSED);
    bench.store_fails = true;
    bench.pass(secs(61));
    assert_eq!((bench.settled.len(), bench.missed.len()), (1, 0));
}

#[test]
fn jitter_delays_what_is_sent_and_not_what_it_is_called() {
    let cron = Schedule::cron("*/10 * * * *", "UTC", mins(5)).unwrap();
    let delay = cron.due_times(&PipelineName::new("p")).delay();
    assert!(delay > secs(0));
    let deadline = secs(30);
    let mut bench =
        Bench::new([Pipeline { schedule: Some(cron), start_deadline: deadline, ..pipeline("p") }]);
    let fires = Wall(START + 600_000).after(delay);
    assert_eq!(bench.next, Some(fires));
    bench.pass(mins(10));
    assert!(bench.sent.is_empty());
    bench.pass(delay);
    assert_eq!(bench.sent[0].due, Some(fires));
    assert_eq!(bench.newest().due, Some(Wall(START + 600_000)));
    assert!(bench.missed.is_empty());
}

#[test]
fn fault_37_a_reload_near_a_due_time_fires_nothing_and_misses_what_was_due() {
    let mut bench = Bench::new([pipeline("p")]);
    bench.handle(Input::StoreWritable { writable: false });
    bench.pass(secs(61));
    bench.edit(|p| p.schedule = Some(every(secs(7))));
    bench.reload();
    bench.handle(Input::StoreWritable { writable: true });
    assert!(bench.sent.is_empty());
    assert_eq!(bench.missed, [(MissedReason::Late, 1)]);
    bench.pass(secs(7));
    assert_eq!(bench.sent.len(), 1);
}

#[test]
fn fault_37_a_reload_that_removes_a_pipeline_loses_no_run_of_it() {
    let mut bench = Bench::new([pipeline("p"), pipeline("q")]);
    bench.pass(mins(1));
    bench.webhook_is_accepted();
    let removed = bench.config.pipelines.remove(0);
    bench.reload();
    bench.pass_with(secs(30), |_| Some(execution("Success")));
    assert_eq!(bench.runs.values().filter(|run| run.result.is_some()).count(), 1);
    bench.config.pipelines.push(removed);
    bench.pass(mins(10));
    bench.missed.clear();
    let sent = bench.sent.len();
    bench.reload();
    assert_eq!((bench.sent.len(), bench.missed.len()), (sent, 0), "nothing is caught up");
}

#[test]
fn a_reload_that_changes_nothing_changes_nothing() {
    let allow = |name| Pipeline { concurrency: Concurrency::Allow, ..pipeline(name) };
    let mut bench = Bench::limited(|a| a.max_active_runs = 1, [allow("p")]);
    bench.pass(mins(3));
    let rows = bench.rows.clone();
    bench.reload();
    assert_eq!((&bench.rows, bench.missed.len()), (&rows, 0));
    bench.webhook_is(REFUSED);
    assert_eq!(bench.sent[0].due, Some(Wall(START + 120_000)), "what waited goes on to wait");
}

#[test]
fn other_limits_hold_from_a_reload_on_and_what_was_spent_stays_spent() {
    let manual = || Pipeline { schedule: None, concurrency: Concurrency::Allow, ..pipeline("p") };
    let mut bench = Bench::limited(|a| a.triggers_per_minute = 2, [manual()]);
    (0..8).for_each(|_| drop(bench.ask("p")));
    bench.pass(secs(1));
    for (limit, sent) in [(2, 2), (3, 3), (1, 3)] {
        bench.limit(|a| a.triggers_per_minute = limit);
        bench.pass(secs(5));
        assert_eq!(bench.sent.len(), sent, "{limit} a minute");
    }
    bench.pass(mins(2));
    assert_eq!(bench.sent.len(), 5, "one a minute");
    bench.limit(|a| (a.triggers_per_minute, a.max_active_runs) = (100, 6));
    bench.pass(mins(1));
    assert_eq!(bench.sent.len(), 6, "five are active");

    let mut bench = Bench::limited(|a| a.triggers_per_minute = 1_000, [manual()]);
    (0..20).for_each(|_| drop(bench.ask("p")));
    assert_eq!(bench.sent.len(), 3, "the burst");
    for requests in [300, 400, 6] {
        bench.limit(|a| a.requests_per_minute = requests);
        assert_eq!(bench.sent.len(), 3, "no other burst with {requests}");
    }
    bench.pass(mins(1));
    assert!((8..=9).contains(&bench.sent.len()), "{}", bench.sent.len());
    let sent = bench.sent.len();
    bench.limit(|a| a.requests_per_minute = 300);
    assert_eq!(bench.sent.len(), sent, "a call has gone within its ten seconds");
}

/// By which the wall clock is set, or ahead when the machine wakes up, in milliseconds.
const STEPS: [i64; 5] = [3_600_000, -3_600_000, 72 * 3_600_000, -72 * 3_600_000, 8 * 3_600_000];

#[test]
fn fault_35_whatever_the_clock_does_each_due_time_is_sent_once_or_missed() {
    for step in STEPS {
        let mut bench = Bench::new([pipeline("p")]);
        let (mut sent, mut furthest) = (Vec::new(), bench.wall());
        let mut minutes = |bench: &mut Bench, count: u64| {
            for _ in 0..count {
                bench.pass(mins(1));
                while let Some(webhook) = bench.sent.first() {
                    sent.push(webhook.run.clone());
                    bench.webhook_is(REFUSED);
                }
                furthest = furthest.max(bench.wall());
            }
        };
        minutes(&mut bench, 3);
        bench.wall_moves(step);
        minutes(&mut bench, 5);
        bench.wall_moves(-step);
        minutes(&mut bench, 5);
        // Where it was once ahead nothing is due until it is there again.
        let until = u64::try_from(step.max(0)).unwrap() / 60_000;
        minutes(&mut bench, until);
        let due = furthest.since(Wall(START)).as_secs() / 60;
        let missed: u64 = bench.missed.iter().map(|(_, count)| count).sum();
        let begun = bench.runs.len() as u64;
        assert_eq!(begun + missed, due, "{step}");
        let webhooks = sent.len() as u64;
        sent.sort();
        sent.dedup();
        assert_eq!((webhooks, sent.len() as u64), (begun, begun), "{step}: each once");
    }
}

#[test]
fn fault_35_deadlines_take_no_notice_of_the_wall_clock() {
    for step in STEPS {
        let manual = Pipeline { schedule: None, queue_deadline: mins(10), ..pipeline("p") };
        let mut bench = Bench::new([manual]);
        bench.ask("p");
        bench.webhook_is_accepted();
        let unknown = |_: &_| Some(EventAnswer::NoHistory);
        bench.pass_with(mins(1), unknown);
        bench.wall_moves(step);
        bench.pass_with(mins(8), unknown);
        assert_eq!(bench.newest().phase, Phase::Accepted, "{step}");
        bench.pass_with(mins(2), unknown);
        assert_eq!(bench.newest().outcome, Outcome::Lost, "{step}");
    }
}

#[test]
fn fault_35_a_clock_that_was_once_days_ahead_is_told_of_and_doubles_nothing() {
    let mut bench = Bench::new([pipeline("p")]);
    bench.wall_moves(3 * 86_400_000);
    bench.webhook_is(REFUSED);
    assert_eq!(
        (bench.missed.clone(), bench.silenced),
        (vec![(MissedReason::Late, 3 * 1_440 - 1)], 0)
    );
    bench.wall_moves(-3 * 86_400_000);
    assert_eq!(bench.silenced, 1);
    bench.pass(mins(5));
    bench.restart();
    assert_eq!((bench.sent.len(), bench.silenced), (0, 2));
}
