use super::*;
use crate::model::{AccountName, ActiveState, Mono, Origin, PipelineName, RunId};

const NOW: i64 = 1_764_000_000_000;

fn now() -> Now {
    Now { wall: Wall(NOW), mono: Mono(Duration::from_hours(100)) }
}

fn sight() -> Sight {
    let results = Results::default();
    Sight { now: now(), since_sent: Duration::from_millis(2_500), skew: None, results }
}

fn run() -> Run {
    let pipeline = PipelineName::new("checkout");
    let begun = Wall(NOW - 2_600);
    let id = RunId::of_slot(&pipeline, begun, 1);
    Run {
        origin: Origin::Schedule,
        due: Some(begun),
        phase: Phase::Accepted,
        sent: Some(Wall(NOW - 2_500)),
        accepted: Some(Wall(NOW - 2_400)),
        event: EventId::new("62e2f35160958b611e494564").ok(),
        ..Run::new(id, pipeline, AccountName::new("default"), begun)
    }
}

fn details(status: &str) -> EventDetails {
    EventDetails { found: true, status: status.to_owned(), ..EventDetails::default() }
}

fn executing(status: &str, start: i64, end: Option<i64>) -> EventDetails {
    EventDetails {
        execution: ExecutionId::new("BOvtFC6xRReaPeJiOj2yvA").ok(),
        summary: Some(Summary {
            status: status.to_owned(),
            start: Some(Wall(start)),
            end: end.map(Wall),
            ..Summary::default()
        }),
        ..details("TARGET_EXECUTION_REQUESTED")
    }
}

fn changes(reading: &Reading) -> Vec<Change> {
    reading.changes.iter().map(|(change, _)| *change).collect()
}

#[test]
fn fault_16_every_processing_status_has_its_outcome_and_reason() {
    for (word, class) in TriggerStatus::TABLE {
        let mut run = run();
        let reading = read(&mut run, &details(word), &sight());
        let expected = match class {
            TriggerClass::Pending | TriggerClass::Success => (Outcome::Pending, None),
            TriggerClass::Skipped => (Outcome::Skipped, Some(Reason::Skipped)),
            TriggerClass::NoMatchingTrigger => (Outcome::Failed, Some(Reason::NoMatchingTrigger)),
            TriggerClass::StartRefused => (Outcome::Failed, Some(Reason::StartRefused)),
            TriggerClass::ProcessingError => (Outcome::Failed, Some(Reason::ProcessingError)),
            TriggerClass::Other => (Outcome::Failed, Some(Reason::Other)),
            TriggerClass::Unknown => panic!("{word} is in the table"),
        };
        assert_eq!((run.outcome, run.reason), expected, "{word}");
        assert_eq!(run.is_active(), expected.1.is_none(), "{word}");
        assert_eq!(run.processing.is_some(), expected.1.is_some(), "{word}");
        assert_eq!(reading.unknown, [], "{word}");
    }
}

#[test]
fn every_status_with_an_execution_is_a_start() {
    for word in ["TARGET_EXECUTION_REQUESTED", "BRAND_NEW_WORD", "QUEUED", ""] {
        let mut run = run();
        let mut details = executing("Running", NOW - 1_000, None);
        details.status = word.to_owned();
        let reading = read(&mut run, &details, &sight());
        assert_eq!(changes(&reading), [Change::Started, Change::Progress], "{word}");
        assert_eq!((run.outcome, run.processing), (Outcome::Started, Some(2_500)), "{word}");
    }
}

#[test]
fn an_unknown_word_is_pending_and_told_once() {
    let mut run = run();
    let first = read(&mut run, &details("BRAND_NEW_WORD"), &sight());
    assert_eq!(first.unknown, [UnknownWord::Trigger("BRAND_NEW_WORD".into())]);
    let second = read(&mut run, &details("BRAND_NEW_WORD"), &sight());
    assert_eq!(second.unknown, []);
    assert!(run.is_active() && changes(&second).is_empty());
}

#[test]
fn fault_17_an_execution_without_details_is_looked_at_again() {
    let mut run = run();
    let mut answer = executing("Running", NOW, None);
    answer.summary = None;
    assert_eq!(changes(&read(&mut run, &answer, &sight())), [Change::Started]);
    assert_eq!(run.active_state(), ActiveState::Queued);
    assert_eq!(changes(&read(&mut run, &answer, &sight())), []);
    let end = executing("Success", NOW - 1_000, Some(NOW));
    assert_eq!(changes(&read(&mut run, &end, &sight())), [Change::Finished]);
}

#[test]
fn fault_18_an_unknown_status_is_followed() {
    let mut run = run();
    let reading = read(&mut run, &executing("FooBar", NOW - 1_000, None), &sight());
    assert_eq!(reading.unknown, [UnknownWord::Execution("FooBar".into())]);
    assert_eq!((run.status, run.active_state()), (Some(Status::Unknown), ActiveState::Executing));
    let reading = read(&mut run, &executing("FooBar", NOW - 1_000, None), &sight());
    assert_eq!((changes(&reading), reading.unknown.len()), (vec![], 0));
    read(&mut run, &executing("Success", NOW - 1_000, Some(NOW)), &sight());
    assert_eq!(run.result, Some(RunResult::Success));
}

#[test]
fn fault_24_impossible_times_are_left_out_or_clamped() {
    let cases = [
        // (start, end) as sent; (duration, end, queue) as believed.
        (NOW - 1_000, Some(NOW - 500), (Some(500), NOW - 500, Some(1_400))),
        (NOW - 500, Some(NOW - 1_000), (None, NOW - 1_000, Some(1_900))),
        (-5, Some(NOW), (None, NOW, None)),
        (i64::MIN, Some(i64::MAX), (None, NOW, None)),
        (NOW - 1_000, Some(i64::MAX), (Some(1_000), NOW, Some(1_400))),
        (NOW - 1_000, None, (Some(1_000), NOW, Some(1_400))),
        (NOW - 1_000, Some(NOW + DAY), (Some(DAY + 1_000), NOW, Some(1_400))),
        (NOW - 5_000, Some(NOW), (Some(5_000), NOW, Some(0))),
        (1_659_569_558_476, Some(1_659_655_962_522), (Some(86_404_046), 1_659_655_962_522, None)),
    ];
    for (start, end, (duration, ended, queue)) in cases {
        let mut run = run();
        read(&mut run, &executing("Expired", start, end), &sight());
        assert_eq!(run.result, Some(RunResult::Timeout));
        assert_eq!(
            (run.duration, run.end, run.queue),
            (duration, Some(Wall(ended)), queue),
            "{start} {end:?}"
        );
        assert!(run.start.is_none_or(|start| start <= Wall(NOW)));
    }
}

#[test]
fn clocks_that_differ_by_more_than_two_seconds_are_corrected_up_to_a_day() {
    for (skew, queue) in [(1_500, 1_400), (-3_000, 4_400), (3_000, 0), (2 * DAY, 1_400)] {
        let mut run = run();
        let sight = Sight { skew: Some(skew), ..sight() };
        read(&mut run, &executing("Running", NOW - 1_000, None), &sight);
        assert_eq!(run.queue, Some(queue), "{skew}");
    }
}

#[test]
fn an_answer_about_another_execution_changes_nothing() {
    let mut run = run();
    read(&mut run, &executing("Running", NOW - 1_000, None), &sight());
    let mut other = executing("Failed", NOW - 1_000, Some(NOW));
    if let Some(summary) = &mut other.summary {
        summary.execution = ExecutionId::new("another").ok();
    }
    assert_eq!(changes(&read(&mut run, &other, &sight())), []);
    assert!(run.is_active());
}

#[test]
fn fault_25_what_is_over_stays_over() {
    let mut run = run();
    read(&mut run, &executing("Failed", NOW - 1_000, Some(NOW)), &sight());
    let ended = run.clone();
    let again = read(&mut run, &executing("Running", NOW - 1_000, None), &sight());
    assert_eq!((changes(&again), &run), (vec![], &ended));
}

#[test]
fn the_state_is_dated_from_its_change() {
    let mut run = run();
    read(&mut run, &executing("ApprovalWaiting", NOW - 1_000, None), &sight());
    assert_eq!((run.active_state(), run.state_since), (ActiveState::WaitingPerson, Wall(NOW)));
    let later = Sight { now: Now { wall: Wall(NOW + 60_000), ..now() }, ..sight() };
    let mut moved = executing("InterventionWaiting", NOW - 1_000, None);
    read(&mut run, &moved, &later);
    assert_eq!(run.state_since, Wall(NOW), "still waiting for a person");
    moved = executing("Running", NOW - 1_000, None);
    read(&mut run, &moved, &later);
    assert_eq!((run.active_state(), run.state_since), (ActiveState::Executing, Wall(NOW + 60_000)));
}

#[test]
fn a_start_ahead_of_our_clock_is_dated_once() {
    let mut run = run();
    let ahead = executing("Running", NOW + 3 * DAY, None);
    read(&mut run, &ahead, &sight());
    let later = Sight { now: Now { wall: Wall(NOW + 60_000), ..now() }, ..sight() };
    let again = read(&mut run, &ahead, &later);
    assert_eq!((changes(&again), run.start), (vec![], Some(Wall(NOW))));
}
