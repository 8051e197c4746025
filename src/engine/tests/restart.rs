//! A past life taken up.

use super::bench::*;
use crate::config::Pipeline;
use crate::model::*;

#[test]
fn what_was_handled_stays_handled_when_the_clock_is_set_back_over_a_pause() {
    let mut bench = Bench::new([pipeline("p")]);
    bench.pass(mins(1));
    bench.webhook_is(NEVER_LEFT);
    let handled = |bench: &Bench| bench.rows[&PipelineName::new("p")].mark.handled_until;
    assert_eq!(handled(&bench), Wall(START + 60_000));
    bench.edit(|p| p.paused = true);
    bench.restart();
    bench.wall_moves(-3_600_000);
    bench.edit(|p| p.paused = false);
    bench.restart();
    assert_eq!(handled(&bench), Wall(START + 60_000), "else its slots would fire a second time");
}

#[test]
fn a_waiting_run_is_sent_again_after_a_restart_as_the_same_attempt() {
    let mut bench = Bench::new([pipeline("p")]);
    bench.pass(mins(1));
    assert_eq!(bench.sent[0].due, Some(Wall(START + 60_000)));
    bench.webhook_is(NEVER_LEFT);
    bench.restart_after(secs(10));
    assert_eq!(bench.sent[0].run.as_str(), "p-2025-11-24T16:01:00Z-1");
    assert_eq!(bench.sent[0].due, None, "it is not the first attempt to send");
    assert_eq!(bench.runs.len(), 1);
}

#[test]
fn a_waiting_run_whose_deadline_is_over_fails_by_what_stood_in_its_way() {
    let mut bench = Bench::new([pipeline("p")]);
    bench.pass(mins(1));
    bench.webhook_is(NEVER_LEFT);
    bench.edit(|p| p.schedule = None);
    bench.restart_after(mins(6));
    bench.pass(mins(1));
    assert!(bench.sent.is_empty());
    assert_eq!(
        bench.state(),
        (Phase::Ended, Outcome::Unreachable, Some(Reason::Unreachable), None)
    );
}

#[test]
fn a_run_found_in_sending_is_unconfirmed_at_once_and_never_sent() {
    let mut bench = Bench::new([Pipeline { schedule: Some(every(mins(10))), ..pipeline("p") }]);
    bench.pass(mins(10));
    assert_eq!(bench.newest().phase, Phase::Sending);
    bench.restart();
    let unconfirmed = (Phase::Ended, Outcome::Unconfirmed, Some(Reason::Unconfirmed), None);
    assert_eq!(bench.state(), unconfirmed);
    bench.pass(mins(9));
    assert!(bench.sent.is_empty());
}

#[test]
fn a_manual_run_that_was_saved_and_not_sent_is_sent_within_its_deadline() {
    for (down, sent) in [(mins(2), 1), (mins(6), 0)] {
        let manual = |name| Pipeline { schedule: None, ..pipeline(name) };
        let mut bench = Bench::limited(|a| a.max_active_runs = 1, [manual("p"), manual("q")]);
        bench.ask("p");
        bench.webhook_is_accepted();
        bench.ask("q");
        assert_eq!(bench.sent.len(), 0, "the cap holds it back");
        bench.runs.retain(|_, run| run.phase == Phase::Due);
        bench.restart_after(down);
        bench.pass(secs(1));
        assert_eq!(bench.sent.len(), sent, "{down:?}");
    }
}

#[test]
fn an_open_run_is_read_at_once_and_holds_forbid() {
    let mut bench = Bench::new([pipeline("p")]);
    bench.pass(mins(1));
    bench.webhook_is_accepted();
    bench.restart_after(secs(30));
    assert_eq!((bench.reads.len(), bench.sent.len()), (1, 0));
    bench.pass(secs(30));
    assert_eq!(bench.missed, [(MissedReason::StillRunning, 1)]);
}

#[test]
fn of_the_due_times_while_it_was_down_the_newest_is_sent_if_it_is_not_too_old() {
    for (interval, down, sent, missed) in
        [(mins(1), mins(10), 1, 9), (mins(10), mins(16), 0, 1), (mins(10), mins(11), 1, 0)]
    {
        let mut bench = Bench::new([Pipeline { schedule: Some(every(interval)), ..pipeline("p") }]);
        bench.restart_after(down);
        let down: u64 = bench
            .missed
            .iter()
            .map(|(reason, count)| {
                assert_eq!(*reason, MissedReason::ExporterDown);
                count
            })
            .sum();
        assert_eq!((bench.sent.len(), down), (sent, missed), "every {interval:?}");
    }
}

#[test]
fn what_was_owed_is_sent_or_missed() {
    let allow = Pipeline { concurrency: crate::config::Concurrency::Allow, ..pipeline("p") };
    let mut bench = Bench::limited(|a| a.triggers_per_minute = 1, [allow]);
    bench.wall_moves(0);
    bench.pass(secs(61));
    bench.webhook_is(TriggerAnswer::Refused { reason: Reason::Forbidden, message: NO_MESSAGE });
    let row = bench.rows.get_mut(&PipelineName::new("p")).unwrap();
    row.mark.owed = vec![Wall(START + 1_000), Wall(START + 2_000)];
    bench.restart();
    assert_eq!(bench.missed, [(MissedReason::ExporterDown, 1)]);
    assert_eq!(bench.sent[0].due, Some(Wall(START + 2_000)));
}

#[test]
fn an_edited_schedule_fires_nothing_and_what_was_due_by_the_old_one_is_missed() {
    let mut bench = Bench::new([pipeline("p")]);
    bench.edit(|p| p.schedule = Some(every(secs(7))));
    bench.restart_after(secs(150));
    assert!(bench.sent.is_empty());
    assert_eq!(bench.missed, [(MissedReason::ExporterDown, 2)]);
    bench.pass(secs(7));
    assert_eq!(bench.sent.len(), 1);
}

#[test]
fn what_is_expected_is_counted_from_the_load_the_resume_and_the_edit() {
    let since =
        |bench: &Bench| (bench.rows[&PipelineName::new("p")].since.0 - START).div_euclid(1_000);
    let mut bench = Bench::new([pipeline("p")]);
    assert_eq!(since(&bench), 0);
    bench.restart_after(secs(10));
    assert_eq!(since(&bench), 0, "a restart changes nothing");
    bench.edit(|p| p.paused = true);
    bench.restart_after(secs(10));
    assert_eq!(since(&bench), 0, "nor does a pause");
    bench.edit(|p| p.paused = false);
    bench.restart_after(secs(10));
    assert_eq!(since(&bench), 30, "a resume does");
    bench.edit(|p| p.schedule = Some(every(secs(7))));
    bench.restart_after(secs(10));
    assert_eq!(since(&bench), 40, "and so does an edit");
}

#[test]
fn a_pause_misses_what_came_before_it_and_nothing_inside_it() {
    let mut bench = Bench::new([pipeline("p")]);
    bench.edit(|p| p.paused = true);
    bench.restart_after(secs(90));
    assert_eq!(bench.missed, [(MissedReason::ExporterDown, 1)]);
    bench.pass(mins(10));
    bench.edit(|p| p.paused = false);
    bench.restart_after(secs(1));
    assert!(bench.sent.is_empty() && bench.missed.is_empty());
}

#[test]
fn fault_37_a_run_of_a_pipeline_that_was_removed_is_followed_and_fires_nothing_when_it_is_back() {
    let mut bench = Bench::new([pipeline("p")]);
    bench.pass(mins(1));
    bench.webhook_is_accepted();
    let removed = std::mem::take(&mut bench.config.pipelines);
    bench.restart_after(secs(90));
    assert_eq!(bench.missed, [(MissedReason::ExporterDown, 1)]);
    bench.read_is_answered(execution("Success"));
    assert_eq!(bench.newest().result, Some(RunResult::Success));
    bench.config.pipelines = removed;
    bench.restart_after(hours(1));
    assert!(bench.sent.is_empty() && bench.missed.is_empty());
}

#[test]
fn other_buckets_are_told_once_at_a_start_and_at_a_reload() {
    let mut bench = Bench::new([pipeline("p")]);
    assert_eq!(bench.bucket_changes, 0);
    for (changes, bounds) in [(1, [60_000, 300_000]), (2, [1_000, 60_000])] {
        bench.config.metrics.duration_buckets = bounds.into();
        match changes {
            1 => bench.restart(),
            _ => bench.reload(),
        }
        assert_eq!((bench.bucket_changes, &*bench.buckets), (changes, &bounds[..]));
        bench.restart();
        bench.reload();
        assert_eq!(bench.bucket_changes, changes);
    }
}
