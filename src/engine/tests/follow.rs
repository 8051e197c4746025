//! From the webhook being taken to the end of the run.

use super::bench::*;
use crate::config::{Pipeline, Retry};
use crate::model::*;

/// A bench whose only run has just been accepted; the next is due in a year.
fn accepted(edit: impl FnOnce(&mut Pipeline)) -> Bench {
    let mut only = Pipeline { schedule: None, ..pipeline("p") };
    edit(&mut only);
    let mut bench = Bench::new([only]);
    bench.ask("p");
    bench.webhook_is_accepted();
    bench
}

#[test]
fn a_run_from_its_webhook_to_its_end() {
    let mut bench = accepted(|_| {});
    assert!(bench.reads.is_empty(), "not before `first`");
    bench.pass(secs(1));
    assert_eq!(bench.reads[0].version, DetailsVersion::V2);
    bench.read_is_answered(event("QUEUED"));
    bench.pass(secs(2));
    bench.read_is_answered(execution("Running"));
    assert_eq!(bench.state(), (Phase::Executing, Outcome::Started, None, None));
    bench.pass(secs(2));
    bench.read_is_answered(execution("Failed"));
    let ended = (Phase::Ended, Outcome::Started, None, Some(RunResult::Failure));
    assert_eq!(bench.state(), ended);
    bench.pass(hours(1));
    assert!(bench.reads.is_empty(), "fault_25: an end is an end");
}

#[test]
fn fault_13_and_14_three_hours_in_the_queue_cost_at_most_100_looks() {
    for answer in [event("QUEUED"), EventAnswer::NoHistory] {
        let mut bench = accepted(|_| {});
        bench.pass_with(hours(3), |_| Some(answer.clone()));
        assert!((40..=100).contains(&bench.looks), "{} looks", bench.looks);
        bench.pass_with(mins(6), |_| Some(execution("Success")));
        assert_eq!((bench.newest().result, bench.runs.len()), (Some(RunResult::Success), 1));
    }
}

#[test]
fn fault_15_an_event_that_never_appears_is_lost_and_the_next_run_may_begin() {
    let mut bench = accepted(|_| {});
    bench.pass_with(hours(6), |_| Some(event("QUEUED")));
    assert_eq!(bench.state(), (Phase::Ended, Outcome::Lost, Some(Reason::Deadline), None));
    assert!(matches!(bench.ask("p"), crate::engine::Reply::Begun(_)));
}

#[test]
fn fault_16_a_final_word_ends_the_run_at_once() {
    for (word, class) in TriggerStatus::TABLE {
        let mut bench = accepted(|_| {});
        bench.pass(secs(1));
        bench.read_is_answered(event(word));
        let open = matches!(class, TriggerClass::Pending | TriggerClass::Success);
        assert_eq!(bench.newest().is_active(), open, "{word}");
        bench.pass(mins(1));
        assert_eq!(!bench.reads.is_empty(), open, "{word}");
    }
}

#[test]
fn fault_17_an_execution_without_details_is_looked_at_again() {
    let mut bench = accepted(|_| {});
    bench.pass_with(mins(1), |_| Some(execution_without_details()));
    assert_eq!(bench.state(), (Phase::Executing, Outcome::Started, None, None));
    bench.pass_with(mins(1), |_| Some(execution("Success")));
    assert_eq!(bench.newest().result, Some(RunResult::Success));
}

#[test]
fn fault_18_unknown_words_are_told_once_and_followed() {
    let mut bench = accepted(|_| {});
    bench.pass_with(mins(5), |_| Some(event("BRAND_NEW")));
    bench.pass_with(mins(5), |_| Some(execution("FooBar")));
    assert_eq!((bench.strange_words, bench.newest().status), (2, Some(Status::Unknown)));
    bench.pass_with(mins(5), |_| Some(execution("Aborted")));
    assert_eq!(bench.newest().result, Some(RunResult::Cancellation));
}

#[test]
fn fault_19_failed_reads_hide_no_end() {
    let mut bench = accepted(|_| {});
    let mut turn = 0;
    bench.pass_with(mins(10), |_| {
        turn += 1;
        Some(if turn % 2 == 0 { execution("Running") } else { FAILED_READ })
    });
    bench.pass_with(mins(3), |_| {
        turn += 1;
        Some(if turn % 2 == 0 { execution("Success") } else { FAILED_READ })
    });
    assert_eq!(bench.newest().result, Some(RunResult::Success));
}

#[test]
fn v1_of_the_details_is_tried_at_once_where_v2_is_not_known_and_then_kept() {
    let mut bench = accepted(|_| {});
    bench.pass(secs(1));
    bench.read_is_answered(EventAnswer::UnknownPath);
    bench.pass(secs(1));
    assert_eq!(bench.reads[0].version, DetailsVersion::V1);
    bench.read_is_answered(EventAnswer::NoHistory);
    bench.pass(secs(3));
    assert_eq!(bench.reads[0].version, DetailsVersion::V1);
    bench.read_is_answered(EventAnswer::UnknownPath);
    bench.pass(secs(10));
    assert_eq!(bench.reads[0].version, DetailsVersion::V1, "it has worked");
}

#[test]
fn a_run_deadline_ends_a_run_only_by_a_look_that_tells() {
    let short = |p: &mut Pipeline| p.run_deadline = mins(30);
    let mut bench = accepted(short);
    bench.pass_with(mins(20), |_| Some(execution("Running")));
    bench.pass_with(mins(20), |_| Some(FAILED_READ));
    assert!(bench.newest().is_active(), "nobody has said that it is unfinished");
    bench.pass_with(mins(2), |_| Some(execution("Running")));
    let lost = (Phase::Ended, Outcome::Started, None, Some(RunResult::Lost));
    assert_eq!(bench.state(), lost);

    let mut bench = accepted(short);
    bench.pass_with(mins(20), |_| Some(execution("Running")));
    bench.pass_with(mins(65), |_| Some(FAILED_READ));
    assert!(bench.newest().is_active());
    bench.pass_with(mins(10), |_| Some(FAILED_READ));
    assert_eq!(bench.state(), lost, "an hour after the deadline");

    let mut bench = accepted(short);
    bench.pass_with(mins(40), |_| Some(FAILED_READ));
    bench.pass_with(mins(2), |_| Some(execution("Success")));
    assert_eq!(bench.newest().result, Some(RunResult::Success), "late, and yet the truth");
}

#[test]
fn a_status_counts_as_the_config_says_when_the_run_ends() {
    let retry = Some(Retry { after: mins(2), attempts: 1 });
    let hourly = Some(every(hours(1)));
    let mut bench = Bench::new([Pipeline { schedule: hourly, retry, ..pipeline("p") }]);
    bench.pass(hours(1));
    bench.webhook_is_accepted();
    bench.pass_with(mins(1), |_| Some(execution("Running")));
    bench.config.results.suspended = RunResult::Failure;
    bench.reload();
    bench.pass_with(mins(1), |_| Some(execution("Suspended")));
    assert_eq!(bench.newest().result, Some(RunResult::Failure));
    assert_eq!(bench.settled, [], "a failure is tried again");
    bench.pass(mins(2));
    bench.config.results.suspended = RunResult::Success;
    bench.reload();
    bench.webhook_is_accepted();
    bench.pass_with(mins(1), |_| Some(execution("Suspended")));
    assert_eq!(bench.newest().result, Some(RunResult::Success));
    assert_eq!(bench.settled, [SlotResult::Success]);
}

#[test]
fn an_execution_that_has_aged_out_is_lost_after_its_deadline_and_an_hour() {
    let mut bench = accepted(|p| p.run_deadline = mins(30));
    bench.pass_with(mins(1), |_| Some(execution("Running")));
    bench.pass_with(mins(80), |_| Some(EventAnswer::NoHistory));
    assert!(bench.newest().is_active());
    bench.pass_with(mins(15), |_| Some(EventAnswer::NoHistory));
    assert_eq!(bench.newest().result, Some(RunResult::Lost));
}

#[test]
fn expired_after_24_hours_holds_forbid_all_along_and_ends_as_timeout() {
    let mut bench = Bench::new([Pipeline { schedule: Some(every(hours(1))), ..pipeline("p") }]);
    bench.pass(hours(1));
    bench.webhook_is_accepted();
    bench.pass_with(mins(24 * 60 - 1), |_| Some(execution("Running")));
    assert_eq!(bench.missed, [(MissedReason::StillRunning, 1); 23]);
    bench.pass_with(secs(59), |_| Some(execution("Expired")));
    assert_eq!(bench.newest().result, Some(RunResult::Timeout));
    bench.pass(secs(1));
    assert_eq!(bench.sent.len(), 1, "the next due time may run");
    assert!(bench.looks < 1_600, "{} looks in a day", bench.looks);
}

#[test]
fn a_run_that_waits_for_a_person_is_looked_at_patiently() {
    let looks = |status: &str| {
        let mut bench = accepted(|_| {});
        bench.pass_with(hours(10), |_| Some(execution(status)));
        bench.looks
    };
    assert!(looks("ApprovalWaiting") * 3 < looks("Running"));
}

#[test]
fn fault_20_a_minute_of_429_costs_a_handful_of_probes() {
    let mut bench = accepted(|_| {});
    bench.pass(secs(1));
    let before = bench.looks;
    let throttled = EventAnswer::Throttled { retry_after: None };
    bench.pass_with(mins(1), |_| Some(throttled.clone()));
    assert!((3..=9).contains(&(bench.looks - before)), "{} probes", bench.looks - before);
    bench.pass_with(mins(2), |_| Some(execution("Success")));
    assert_eq!(bench.newest().result, Some(RunResult::Success));
}
