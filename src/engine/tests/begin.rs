//! What begins when, and what becomes of due times that can't be sent.

use super::bench::*;
use crate::config::Concurrency;
use crate::engine::Reply;
use crate::model::*;

fn allow(name: &str) -> crate::config::Pipeline {
    crate::config::Pipeline { concurrency: Concurrency::Allow, ..pipeline(name) }
}

fn hourly(name: &str) -> crate::config::Pipeline {
    crate::config::Pipeline { schedule: Some(every(hours(1))), ..pipeline(name) }
}

#[test]
fn a_due_time_is_sent_when_it_comes_and_a_first_start_sends_nothing() {
    let mut bench = Bench::new([pipeline("p")]);
    assert!(bench.sent.is_empty(), "due this very moment, and never loaded before");
    bench.pass(mins(1));
    let send = bench.sent.remove(0);
    assert_eq!((send.due, &send.address), (Some(Wall(START + 60_000)), &V1));
    assert_eq!(bench.newest().phase, Phase::Sending);
    assert_eq!(bench.newest().begun, Wall(START + 60_000));
}

#[test]
fn forbid_misses_what_is_due_while_a_run_is_open_and_allow_sends_it() {
    let mut bench = Bench::new([pipeline("p"), allow("q")]);
    bench.pass(mins(3));
    assert_eq!(bench.missed, [(MissedReason::StillRunning, 1); 2]);
    assert_eq!(bench.sent.len(), 1 + 3);
}

#[test]
fn forbid_counts_a_due_time_that_waits() {
    let mut bench = Bench::limited(|a| a.triggers_per_minute = 1, [pipeline("p"), pipeline("q")]);
    bench.pass(mins(1));
    let waiting = bench.rows.keys().find(|name| !bench.runs.values().any(|r| r.pipeline == **name));
    assert_eq!(bench.ask(&waiting.unwrap().clone().to_string()), Reply::Active);
}

#[test]
fn allow_sends_what_waits_in_due_order_and_remembers_what_is_owed() {
    let mut bench = Bench::limited(|a| a.max_active_runs = 1, [allow("p")]);
    bench.pass(mins(3));
    assert_eq!(bench.sent.len(), 1);
    bench.webhook_is(TriggerAnswer::Refused { reason: Reason::Forbidden, message: NO_MESSAGE });
    assert_eq!(bench.sent[0].due, Some(Wall(START + 120_000)));
    let owed = &bench.rows[&PipelineName::new("p")].mark.owed;
    assert_eq!(*owed, [Wall(START + 180_000)]);
}

#[test]
fn what_holds_back_a_due_time_until_its_deadline_is_the_reason_why_it_is_missed() {
    type Setting = fn(&mut crate::config::Account);
    let limits: [(Setting, MissedReason); 3] = [
        (|a| a.max_active_runs = 1, MissedReason::Limit),
        (|a| a.triggers_per_minute = 1, MissedReason::Limit),
        (|a| a.requests_per_minute = 1, MissedReason::RateLimited),
    ];
    for (limit, reason) in limits {
        let quick = |name| crate::config::Pipeline {
            start_deadline: secs(20),
            schedule: Some(every(mins(10))),
            ..allow(name)
        };
        let mut bench = Bench::limited(limit, [quick("p"), quick("q")]);
        bench.pass(mins(11));
        assert_eq!((bench.sent.len(), bench.missed.clone()), (1, vec![(reason, 1)]));
    }
}

#[test]
fn without_a_store_nothing_is_sent_and_due_times_are_missed_for_that() {
    let mut bench = Bench::new([pipeline("p")]);
    bench.handle(crate::engine::Input::StoreWritable { writable: false });
    bench.pass(secs(5 * 60 + 61));
    assert!(bench.sent.is_empty());
    let gone = bench.missed.iter().filter(|(why, _)| *why == MissedReason::StoreUnavailable);
    assert_eq!(gone.count(), 1);
    bench.handle(crate::engine::Input::StoreWritable { writable: true });
    bench.pass(mins(2));
    assert_eq!(bench.sent.len(), 1, "it goes on by itself");
}

/// A slow disk is no refusal.
#[test]
fn asked_for_while_nothing_may_go_a_run_is_begun_and_sent_afterwards() {
    let mut bench = Bench::new([hourly("p")]);
    bench.handle(crate::engine::Input::StoreWritable { writable: false });
    assert!(matches!(bench.ask("p"), Reply::Begun(_)));
    bench.pass(secs(2));
    assert!(bench.sent.is_empty());
    assert_eq!(bench.newest().phase, Phase::Due);
    bench.handle(crate::engine::Input::StoreWritable { writable: true });
    bench.pass(secs(1));
    assert_eq!(bench.sent.len(), 1);
}

#[test]
fn a_run_whose_beginning_is_not_saved_never_was() {
    let mut bench = Bench::new([pipeline("p")]);
    bench.store_fails = true;
    bench.pass(mins(1));
    assert_eq!(bench.missed, [(MissedReason::StoreUnavailable, 1)]);
    assert!(bench.runs.is_empty() && bench.sent.is_empty());
}

#[test]
fn a_manual_run_whose_sending_is_not_saved_is_sent_when_it_can_be() {
    let manual = crate::config::Pipeline { schedule: None, ..pipeline("p") };
    let mut bench =
        Bench::limited(|a| (a.max_active_runs, a.requests_per_minute) = (1, 6), [manual]);
    // The limiter holds it back, so that it is saved before it is sent.
    bench.ask("p");
    bench.webhook_is(TriggerAnswer::Refused { reason: Reason::Forbidden, message: NO_MESSAGE });
    bench.ask("p");
    let open = bench.sent.len();
    bench.store_fails = true;
    bench.pass(secs(30));
    bench.store_fails = false;
    bench.handle(crate::engine::Input::StoreWritable { writable: true });
    bench.pass(secs(30));
    assert_eq!((open, bench.sent.len()), (0, 1));
}

#[test]
fn a_manual_run_not_sent_by_its_deadline_has_failed_even_if_its_sending_was_tried() {
    let manual = crate::config::Pipeline { schedule: None, ..pipeline("p") };
    let mut bench = Bench::limited(|a| a.requests_per_minute = 1, [manual]);
    bench.ask("p");
    bench.webhook_is(TriggerAnswer::Refused { reason: Reason::Forbidden, message: NO_MESSAGE });
    bench.ask("p");
    bench.store_fails = true;
    bench.pass(mins(10));
    bench.store_fails = false;
    bench.handle(crate::engine::Input::StoreWritable { writable: true });
    bench.pass(mins(10));
    assert!(bench.sent.is_empty(), "ten minutes late");
    let expected = (Phase::Ended, Outcome::Unreachable, Some(Reason::NotSent), None);
    assert_eq!(bench.state(), expected);
}

#[test]
fn after_a_gap_of_the_clock_the_newest_is_sent_and_the_older_are_late() {
    let mut bench = Bench::new([pipeline("p")]);
    bench.wall_moves(10 * 60_000 + 5_000);
    assert_eq!(bench.sent[0].due, Some(Wall(START + 600_000)));
    assert_eq!(bench.missed, [(MissedReason::Late, 9)]);
    bench.wall_moves(-3_600_000);
    bench.pass(mins(30));
    assert_eq!((bench.sent.len(), bench.missed.len()), (1, 1), "nothing twice");
}

#[test]
fn a_due_time_that_waited_over_a_sleep_is_late_and_the_newest_is_sent() {
    let mut bench = Bench::limited(|a| a.triggers_per_minute = 1, [pipeline("p"), pipeline("q")]);
    bench.pass(mins(1));
    assert_eq!(bench.sent.len(), 1, "the other waits for the cap");
    bench.wall_moves(8 * 3_600_000);
    bench.pass(mins(1));
    let newest = Wall(START + 8 * 3_600_000 + 60_000);
    let sent: Vec<_> = bench.sent.iter().map(|send| send.due).collect();
    assert_eq!(sent, [Some(Wall(START + 60_000)), Some(newest)]);
    let late = bench.missed.iter().filter(|(why, _)| *why == MissedReason::Late);
    assert_eq!(late.map(|(_, count)| count).sum::<u64>(), 1 + 2 * 479);
}

#[test]
fn fault_01_never_left_is_tried_until_the_deadline_and_then_unreachable() {
    let mut bench = Bench::new([hourly("p")]);
    bench.pass(hours(1));
    let mut attempts = 0;
    while attempts < 1_000 && !bench.sent.is_empty() {
        bench.webhook_is(NEVER_LEFT);
        attempts += 1;
        bench.pass(secs(5));
    }
    assert!((30..=70).contains(&attempts), "{attempts} attempts in five minutes");
    let unreachable = (Phase::Ended, Outcome::Unreachable, Some(Reason::Unreachable), None);
    assert_eq!(bench.state(), unreachable);
}

#[test]
fn fault_03_a_429_pauses_the_whole_key_and_at_the_deadline_is_rate_limited() {
    let mut bench = Bench::new([hourly("p"), hourly("q")]);
    bench.pass(hours(1));
    assert_eq!(bench.sent.len(), 2);
    bench.webhook_is(THROTTLED);
    bench.webhook_is_accepted();
    assert!(bench.sent.is_empty() && bench.reads.is_empty());
    bench.pass(secs(1));
    assert_eq!((bench.sent.len(), bench.reads.len()), (1, 0), "one probe, a trigger before a read");
    for _ in 0..9 {
        if !bench.sent.is_empty() {
            bench.webhook_is(THROTTLED);
        }
        bench.pass(mins(1));
    }
    let limited = bench.runs.values().find(|run| run.reason == Some(Reason::RateLimited));
    assert_eq!(limited.map(|run| run.outcome), Some(Outcome::Rejected));
}

#[test]
fn fault_02_retry_after_is_heeded() {
    let mut bench = Bench::new([pipeline("p"), hourly("q")]);
    bench.ask("q");
    bench.webhook_is_accepted();
    bench.pass_with(secs(59), |_| Some(execution("Running")));
    bench.pass_with(secs(1), |_| Some(execution("Running")));
    bench.webhook_is(TriggerAnswer::Throttled { retry_after: Some(secs(7)) });
    bench.pass(secs(7));
    assert!(bench.sent.is_empty() && bench.reads.is_empty(), "the whole key waits");
    bench.pass(std::time::Duration::from_millis(500));
    assert_eq!((bench.sent.len(), bench.reads.len()), (1, 0), "one webhook");
    bench.webhook_is_accepted();
    bench.pass_with(mins(1), |_| Some(execution("Success")));
    assert_eq!(bench.sent.len(), 1, "of the next due time");
}

#[test]
fn under_auto_an_unknown_path_is_followed_by_v2_with_the_same_run() {
    let mut bench = Bench::new([pipeline("p")]);
    bench.pass(mins(1));
    let first = bench.sent[0].run.clone();
    bench.webhook_is(UNKNOWN_PATH);
    bench.pass(secs(1));
    assert_eq!((&bench.sent[0].run, &bench.sent[0].address), (&first, &V2));
    bench.webhook_is(TriggerAnswer::Refused { reason: Reason::Forbidden, message: NO_MESSAGE });
    bench.pass(mins(1));
    assert_eq!(bench.sent[0].address, V2, "remembered for the next");
    bench.webhook_is(UNKNOWN_PATH);
    assert_eq!(bench.state(), (Phase::Ended, Outcome::Rejected, Some(Reason::Rejected), None));
}

#[test]
fn an_unknown_path_is_a_refusal_where_the_version_is_fixed() {
    let webhook = crate::config::Webhook::Fixed(WebhookVersion::V1);
    let mut bench = Bench::new([crate::config::Pipeline { webhook, ..pipeline("p") }]);
    bench.pass(mins(1));
    bench.webhook_is(UNKNOWN_PATH);
    assert_eq!(bench.state(), (Phase::Ended, Outcome::Rejected, Some(Reason::Rejected), None));
}

#[test]
fn fault_04_an_answer_that_leaves_it_open_ends_the_run_and_nothing_is_sent_again() {
    for reason in [Reason::Unconfirmed, Reason::ServerError, Reason::BadResponse] {
        let mut bench = Bench::new([pipeline("p")]);
        bench.pass(mins(1));
        bench.webhook_is(TriggerAnswer::Unknown { reason, message: NO_MESSAGE });
        assert_eq!(bench.state(), (Phase::Ended, Outcome::Unconfirmed, Some(reason), None));
        bench.pass(secs(59));
        assert!(bench.sent.is_empty());
    }
}

#[test]
fn asking_for_a_run() {
    let mut bench = Bench::new([pipeline("p")]);
    assert_eq!(bench.ask("nobody"), Reply::UnknownPipeline("nobody".to_owned()));
    assert!(matches!(bench.ask("p"), Reply::Begun(_)));
    assert_eq!(bench.ask("p"), Reply::Active);
    assert_eq!(bench.newest().origin, Origin::Manual);
    assert_eq!(bench.sent.len(), 1);
}

#[test]
fn after_a_stop_nothing_new_begins_and_answers_are_still_taken() {
    let mut bench = Bench::new([allow("p")]);
    bench.pass(mins(1));
    bench.stop();
    assert_eq!(bench.ask("p"), Reply::NotSaved);
    bench.webhook_is_accepted();
    bench.pass(mins(10));
    assert!(bench.sent.is_empty() && bench.reads.is_empty() && bench.missed.is_empty());
    assert_eq!(bench.newest().phase, Phase::Accepted);
}

#[test]
fn a_sending_that_is_found_unsaved_after_the_deadline_is_not_tried_again() {
    let manual = |name| crate::config::Pipeline { schedule: None, ..pipeline(name) };
    let mut bench = Bench::limited(|a| a.max_active_runs = 1, [manual("p"), manual("q")]);
    bench.ask("q");
    let Reply::Begun(run) = bench.ask("p") else { panic!("not begun") };
    bench.pass(secs(5 * 60 - 1));
    bench.webhook_is(TriggerAnswer::Refused { reason: Reason::Forbidden, message: NO_MESSAGE });
    assert_eq!(bench.sent.remove(0).run, run);
    bench.pass(secs(2));
    let sending = vec![run.clone()];
    bench.handle(crate::engine::Input::NotSaved { begun: Vec::new(), sending });
    assert!(bench.sent.is_empty(), "its deadline passed while it was being saved");
    assert_eq!(bench.runs[&run].reason, Some(Reason::NotSent));
}

#[test]
fn without_a_call_for_want_of_a_secret_harness_is_as_it_was_and_the_secret_may_still_come() {
    let manual = crate::config::Pipeline { schedule: None, ..pipeline("p") };
    let mut bench = Bench::new([manual]);
    let no_token = || TriggerAnswer::NotSent { message: "no webhook token".to_owned() };
    bench.ask("p");
    for _ in 0..5 {
        bench.webhook_is(no_token());
        assert_eq!(bench.newest().phase, Phase::Waiting);
        bench.pass(secs(5));
    }
    assert_eq!(bench.up(), None);
    bench.webhook_is_accepted();
    assert_eq!((bench.newest().phase, bench.up()), (Phase::Accepted, Some(true)));

    bench.reads.clear();
    let mut bench = Bench::new([crate::config::Pipeline { schedule: None, ..pipeline("p") }]);
    bench.ask("p");
    while !bench.sent.is_empty() {
        bench.webhook_is(no_token());
        bench.pass(secs(10));
    }
    let expected = (Phase::Ended, Outcome::Unreachable, Some(Reason::NotSent), None);
    assert_eq!(bench.state(), expected);
    assert_eq!(bench.newest().message.as_deref(), Some("no webhook token"));
    assert_eq!(bench.up(), None);
}
