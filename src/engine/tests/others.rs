//! Executions that others start: what is counted, once, and what never is.

use super::adoption::{listed, lost_answer, manual, page};
use super::bench::*;
use super::lookup::keyed;
use crate::engine::Purpose;
use crate::model::*;

/// The look that is due for what others have started finds these.
fn look(bench: &mut Bench, found: Vec<ListedExecution>) {
    assert_eq!(bench.lists.len(), 1, "one look is due");
    assert!(matches!(bench.lists[0].purpose, Purpose::FindOthers(_)));
    bench.list_is(page(found));
}

#[test]
fn what_others_start_is_counted_once_and_nothing_of_ours() {
    let mut bench = keyed([manual("p")]);
    let before = listed("before", bench.wall().before(secs(1)));
    bench.ask("p");
    bench.webhook_is(TriggerAnswer::Accepted(EventId::new("e1").unwrap()));
    bench.pass(secs(1));
    bench.read_is_answered(execution("Success"));
    bench.pass(mins(9));
    assert!(bench.lists.is_empty(), "ten minutes after the start");
    let stranger = listed("x1", bench.wall());
    bench.pass(mins(1));
    let ours = ListedExecution { event: EventId::new("e1").ok(), ..listed("x2", bench.wall()) };
    let by_its_id = listed("BOvtFC6x", bench.wall());
    let another =
        ListedExecution { trigger: Some("by-hand".to_owned()), ..listed("x3", bench.wall()) };
    look(&mut bench, vec![by_its_id, ours, another, stranger.clone(), before]);
    assert_eq!(bench.foreign, 1);

    bench.pass(mins(10));
    let later = listed("x4", bench.wall().before(mins(2)));
    look(&mut bench, vec![later, stranger]);
    assert_eq!(bench.foreign, 2, "what was counted is not counted again");
}

#[test]
fn what_may_be_ours_is_decided_later() {
    let mut bench = keyed([manual("p")]);
    bench.ask("p");
    bench.webhook_is(TriggerAnswer::Accepted(EventId::new("e1").unwrap()));
    let one = listed("x1", bench.wall());
    bench.pass(mins(10));
    look(&mut bench, vec![one.clone()]);
    assert_eq!(bench.foreign, 0, "it may be what the event is about");
    bench.reads.clear();
    bench.restart();
    bench.read_is_answered(execution("Success"));
    bench.pass(mins(10));
    let theirs = listed("x5", bench.wall());
    look(&mut bench, vec![theirs, one]);
    assert_eq!(bench.foreign, 1, "of what began before this process nothing is counted");
}

#[test]
fn what_may_be_that_of_a_run_of_unknown_fate_is_not_counted() {
    let mut bench = keyed([manual("p")]);
    bench.ask("p");
    bench.webhook_is(lost_answer());
    let candidates = vec![listed("x1", bench.wall()), listed("x2", bench.wall())];
    bench.pass_finding(mins(10), &candidates);
    look(&mut bench, candidates.clone());
    assert_eq!(bench.foreign, 0, "it is looked for");
    bench.pass_finding(mins(10), &candidates);
    assert_eq!(bench.newest().phase, Phase::Ended, "two are there, so none is taken");
    look(&mut bench, candidates);
    assert_eq!(bench.foreign, 0, "one of them is its own");
}

#[test]
fn without_a_key_and_where_triggers_cannot_be_listed_nobody_looks() {
    let mut bench = Bench::new([manual("p")]);
    bench.checks = true;
    bench.restart();
    bench.pass(hours(2));
    assert!(bench.lists.is_empty(), "without a key");

    let mut bench = keyed([manual("p")]);
    bench.pass(mins(10));
    let refusal = Refusal { status: 400, ..Refusal::default() };
    bench.list_is(ExecutionsAnswer::Refused(Box::new(refusal)));
    bench.pass(hours(2));
    assert!(bench.lists.is_empty(), "it was refused");
}
