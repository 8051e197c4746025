//! Runs of unknown fate: what is looked for, what is taken, and when it is given up.

use std::time::Duration;

use secrecy::SecretString;

use super::bench::*;
use crate::config::{Account, Concurrency, Pipeline, SecretSource, Webhook};
use crate::engine::Reply;
use crate::model::*;

const DEADLINE: Duration = mins(15);

fn with_key(account: &mut Account) {
    account.api_key = Some(SecretSource::Inline(SecretString::from("key")));
}

fn manual(name: &str) -> Pipeline {
    let webhook = Webhook::Fixed(WebhookVersion::V1);
    Pipeline { schedule: None, unconfirmed_deadline: DEADLINE, webhook, ..pipeline(name) }
}

fn several(name: &str) -> Pipeline {
    Pipeline { concurrency: Concurrency::Allow, ..manual(name) }
}

/// An exporter with a key and this pipeline, which was asked to run and heard no answer.
fn in_doubt(pipeline: Pipeline) -> Bench {
    let mut bench = Bench::limited(with_key, [pipeline]);
    bench.ask("p");
    bench.webhook_is(lost_answer());
    bench
}

fn lost_answer() -> TriggerAnswer {
    TriggerAnswer::Unknown { reason: Reason::ServerError, message: "HTTP 502".to_owned() }
}

/// An execution that the trigger of the pipeline `p` has started.
fn listed(id: &str, start: Wall) -> ListedExecution {
    let id = ExecutionId::new(id).unwrap();
    ListedExecution {
        summary: Summary {
            execution: Some(id.clone()),
            status: "Running".to_owned(),
            start: Some(start),
            ..Summary::default()
        },
        id,
        org: Some("default".to_owned()),
        project: Some("default".to_owned()),
        pipeline: "p".to_owned(),
        trigger: Some("exporter".to_owned()),
        trigger_type: "WEBHOOK_CUSTOM".to_owned(),
        event: None,
        created: None,
    }
}

fn page(executions: Vec<ListedExecution>) -> ExecutionsAnswer {
    ExecutionsAnswer::Page(Box::new(ExecutionsPage { executions, last: true, total: None }))
}

const GIVEN_UP: (Phase, Outcome, Option<Reason>, Option<RunResult>) =
    (Phase::Ended, Outcome::Unconfirmed, Some(Reason::ServerError), None);
const LOOKED_FOR: (Phase, Outcome, Option<Reason>, Option<RunResult>) =
    (Phase::Unconfirmed, Outcome::Unconfirmed, None, None);
const FOLLOWED: (Phase, Outcome, Option<Reason>, Option<RunResult>) =
    (Phase::Executing, Outcome::Started, None, None);

#[test]
fn the_only_execution_is_taken_at_the_first_look_and_followed_to_its_end() {
    let mut bench = in_doubt(manual("p"));
    assert_eq!(bench.state(), LOOKED_FOR);
    assert_eq!(bench.newest().active_state(), ActiveState::Pending);
    assert_eq!(bench.ask("p"), Reply::Active, "it holds forbid");
    bench.pass(secs(1));
    let query = &bench.searches[0].query;
    let ExecutionFilter::Triggers { triggers, from, until } = &query.filter else { panic!() };
    assert_eq!((triggers.as_slice(), query.page), (&["exporter".to_owned()][..], 0));
    let sent = bench.newest().sent.unwrap();
    assert!(*from < sent && *until > sent.after(DEADLINE));

    let start = bench.wall();
    bench.search_is_answered(page(vec![listed("x1", start)]));
    assert_eq!(bench.state(), FOLLOWED);
    let run = bench.newest();
    assert_eq!(run.execution, ExecutionId::new("x1").ok());
    assert_eq!((run.status, run.start, &run.event), (Some(Status::Running), Some(start), &None));
    assert_eq!((run.resolved, run.processing, run.queue), (None, None, None), "nobody knows");

    bench.pass(mins(1));
    let read = &bench.execution_reads[0];
    assert_eq!((read.execution.as_str(), read.target.project.as_str()), ("x1", "default"));
    let summary = |status: &str| {
        let summary = Summary { status: status.to_owned(), ..Summary::default() };
        ExecutionAnswer::Summary(Box::new(summary))
    };
    bench.execution_is(summary("ApprovalWaiting"));
    assert_eq!(bench.newest().active_state(), ActiveState::WaitingPerson);
    bench.pass(mins(10));
    bench.execution_is(summary("Success"));
    assert_eq!(
        (bench.newest().phase, bench.newest().result),
        (Phase::Ended, Some(RunResult::Success))
    );
    assert!(bench.sent.is_empty());
}

#[test]
fn without_a_key_it_has_failed_at_once() {
    let mut bench = Bench::new([manual("p")]);
    bench.ask("p");
    bench.webhook_is(lost_answer());
    assert_eq!(bench.state(), GIVEN_UP);
    bench.pass(mins(20));
    assert!(bench.searches.is_empty());
}

#[test]
fn where_nothing_is_found_it_has_failed_at_the_deadline_and_cost_few_looks() {
    let mut bench = in_doubt(manual("p"));
    bench.pass_finding(mins(14), &[]);
    assert_eq!(bench.state(), LOOKED_FOR);
    bench.pass_finding(mins(1), &[]);
    assert_eq!(bench.state(), GIVEN_UP);
    assert_eq!(bench.newest().message.as_deref(), Some("HTTP 502"));
    assert!(matches!(bench.ask("p"), Reply::Begun(_)), "forbid is free again");
    assert!(bench.looks <= 25, "{}", bench.looks);
}

#[test]
fn what_others_started_or_own_is_none_of_its_own() {
    type Change = fn(&mut ListedExecution, Wall);
    let sent = |bench: &Bench| bench.newest().sent.unwrap();
    let changes: [Change; 8] = [
        |one, _| one.trigger = Some("another".to_owned()),
        |one, _| one.trigger = None,
        |one, _| one.pipeline = "another".to_owned(),
        |one, _| one.org = Some("another".to_owned()),
        |one, _| one.project = Some("another".to_owned()),
        |one, _| one.trigger_type = "MANUAL".to_owned(),
        |one, sent| one.summary.start = Some(sent.before(secs(6))),
        |one, sent| one.summary.start = Some(sent.after(DEADLINE + secs(1))),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut bench = in_doubt(manual("p"));
        let mut foreign = listed("x1", sent(&bench));
        change(&mut foreign, sent(&bench));
        bench.pass_finding(DEADLINE, &[foreign]);
        assert_eq!(bench.state(), GIVEN_UP, "{number}");
    }
    // Old versions leave organization and project out; one that is queued has not started.
    let mut bench = in_doubt(manual("p"));
    let mut own = listed("x1", sent(&bench));
    (own.org, own.project, own.created) = (None, None, own.summary.start.take());
    bench.pass_finding(secs(1), &[own]);
    assert_eq!(bench.state(), FOLLOWED);
}

#[test]
fn of_several_nothing_is_guessed_and_a_stranger_that_turns_out_to_be_ours_leaves_one() {
    let mut bench = in_doubt(manual("p"));
    let two = [listed("x1", bench.wall()), listed("x2", bench.wall())];
    bench.pass_finding(DEADLINE, &two);
    assert_eq!(bench.state(), GIVEN_UP);

    let mut bench = Bench::limited(with_key, [several("p")]);
    bench.ask("p");
    bench.webhook_is_accepted();
    bench.pass(secs(2));
    bench.ask("p");
    bench.webhook_is(lost_answer());
    let mut others = listed("x1", bench.wall());
    others.event = EventId::new("62e2f3").ok();
    let mut own = listed("x2", bench.wall());
    own.event = EventId::new("never-heard-of").ok();
    let found = [others, own];
    bench.pass_finding(secs(1), &found);
    assert_eq!(bench.state(), FOLLOWED);
    assert_eq!(bench.newest().execution, ExecutionId::new("x2").ok());
}

#[test]
fn what_an_ended_run_has_had_is_never_taken_again_not_even_by_the_next_process() {
    for restarts in [false, true] {
        let mut bench = Bench::limited(with_key, [several("p")]);
        bench.ask("p");
        bench.webhook_is_accepted();
        bench.pass(secs(2));
        bench.read_is_answered(execution("Success"));
        bench.ask("p");
        bench.webhook_is(lost_answer());
        if restarts {
            bench.restart();
        }
        let theirs = listed("BOvtFC6x", bench.wall());
        bench.pass_finding(mins(1), std::slice::from_ref(&theirs));
        assert_eq!(bench.state(), LOOKED_FOR, "{restarts}");
        let own = listed("x2", bench.wall());
        bench.pass_finding(mins(1), &[theirs, own]);
        assert_eq!(bench.newest().execution, ExecutionId::new("x2").ok(), "{restarts}");
    }
}

#[test]
fn what_may_be_the_execution_of_a_webhook_under_way_is_left_until_that_is_answered() {
    let mut bench = in_doubt(several("p"));
    bench.ask("p");
    let found = [listed("x1", bench.wall())];
    bench.pass_finding(mins(2), &found);
    let doubtful =
        |bench: &Bench| bench.runs.values().find(|run| run.phase == Phase::Unconfirmed).cloned();
    assert!(doubtful(&bench).is_some(), "x1 may belong to the second");
    bench.webhook_is(TriggerAnswer::Refused { reason: Reason::Forbidden, message: NO_MESSAGE });
    bench.pass_finding(mins(2), &found);
    assert!(doubtful(&bench).is_none(), "the second was refused");
}

#[test]
fn two_in_doubt_are_told_apart_only_at_the_deadline_and_only_where_that_is_certain() {
    // The first can't be the second's, who was not sent yet.
    let mut bench = in_doubt(several("p"));
    let first = bench.newest().id.clone();
    let early = listed("x1", bench.wall());
    bench.pass(mins(1));
    bench.ask("p");
    bench.webhook_is(lost_answer());
    let second = bench.newest().id.clone();
    let found = [listed("x2", bench.wall()), early];
    bench.pass_finding(mins(13), &found);
    assert!(bench.runs.values().all(|run| run.phase == Phase::Unconfirmed));
    bench.pass_finding(mins(3), &found);
    let execution = |bench: &Bench, run: &RunId| bench.runs[run].execution.clone();
    assert_eq!(execution(&bench, &first), ExecutionId::new("x1").ok());
    assert_eq!(execution(&bench, &second), ExecutionId::new("x2").ok());

    // Both may be either's, and one of them stays when the first is given up.
    let mut bench = in_doubt(several("p"));
    bench.pass(mins(1));
    bench.ask("p");
    bench.webhook_is(lost_answer());
    let found = [listed("x1", bench.wall()), listed("x2", bench.wall())];
    bench.pass_finding(mins(20), &found);
    assert!(bench.runs.values().all(|run| run.execution.is_none() && !run.is_active()));
    let mut bench = in_doubt(several("p"));
    bench.pass(mins(1));
    bench.ask("p");
    bench.webhook_is(lost_answer());
    let found = [listed("x1", bench.wall())];
    bench.pass_finding(mins(20), &found);
    assert!(bench.runs.values().all(|run| run.execution.is_none() && !run.is_active()));
}

#[test]
fn a_run_found_in_sending_is_looked_for_by_the_next_process_and_a_second_one_goes_on() {
    let mut bench = Bench::limited(with_key, [manual("p")]);
    bench.ask("p");
    assert_eq!(bench.newest().phase, Phase::Sending);
    let own = listed("x1", bench.wall());
    bench.restart_after(secs(30));
    assert_eq!(bench.state(), LOOKED_FOR);
    assert_eq!(bench.newest().doubt, Some(Reason::Unconfirmed));
    bench.restart_after(mins(1));
    assert_eq!(bench.state(), LOOKED_FOR);
    bench.pass_finding(secs(1), &[own]);
    assert_eq!(bench.state(), FOLLOWED);
    bench.restart();
    bench.pass(secs(5));
    assert_eq!(bench.execution_reads.len(), 1, "it is followed by its execution");
    bench.execution_is(ExecutionAnswer::Missing);
    assert_eq!(bench.state(), (Phase::Ended, Outcome::Started, None, Some(RunResult::Lost)));
    assert!(bench.sent.is_empty());
}

#[test]
fn a_restart_after_the_deadline_has_one_last_look_and_one_without_the_key_has_none() {
    let mut bench = in_doubt(manual("p"));
    bench.restart_after(mins(40));
    assert_eq!(bench.searches.len(), 1);
    bench.search_is_answered(page(Vec::new()));
    assert_eq!(bench.state(), GIVEN_UP);

    let mut bench = in_doubt(manual("p"));
    let account = bench.config.accounts.values_mut().next().unwrap();
    std::sync::Arc::make_mut(account).api_key = None;
    bench.restart();
    assert_eq!(bench.state(), GIVEN_UP);
}

#[test]
fn while_nothing_can_be_read_it_is_given_up_a_minute_after_the_deadline() {
    let fail = |bench: &mut Bench| {
        while !bench.searches.is_empty() {
            bench.search_is_answered(ExecutionsAnswer::Failed { message: NO_MESSAGE });
        }
    };
    let mut bench = in_doubt(manual("p"));
    for _ in 0..15 * 60 {
        bench.pass(secs(1));
        fail(&mut bench);
    }
    assert_eq!(bench.state(), LOOKED_FOR);
    bench.pass(mins(1));
    assert!(bench.searches.len() == 1, "a call under way decides");
    fail(&mut bench);
    assert_eq!(bench.state(), GIVEN_UP);

    let mut bench = in_doubt(manual("p"));
    bench.handle(crate::engine::Input::StoreWritable { writable: false });
    bench.pass(DEADLINE + mins(1));
    assert_eq!(bench.state(), GIVEN_UP, "where nothing may be read at all");
}

#[test]
fn pages_are_read_to_the_end_sizes_are_halved_and_an_unknown_filter_is_left_out() {
    let mut bench = in_doubt(manual("p"));
    bench.pass(secs(1));
    assert_eq!(bench.searches[0].query.size, 100);
    bench.search_is_answered(ExecutionsAnswer::TooLarge);
    assert_eq!(bench.searches[0].query.size, 50);
    let refusal = Refusal { status: 400, code: "INVALID_REQUEST".to_owned(), message: NO_MESSAGE };
    bench.search_is_answered(ExecutionsAnswer::Refused(Box::new(refusal)));
    let expected = ExecutionFilter::Pipeline("p".to_owned());
    assert_eq!((&bench.searches[0].query.filter, bench.searches[0].query.page), (&expected, 0));
    let more = |executions: Vec<ListedExecution>| {
        ExecutionsAnswer::Page(Box::new(ExecutionsPage { executions, last: false, total: None }))
    };
    let (own, now) = (listed("x1", bench.wall()), bench.wall());
    bench.search_is_answered(more(vec![own.clone()]));
    assert_eq!(bench.state(), LOOKED_FOR, "there may be another on the next page");
    bench.pass(secs(1));
    assert_eq!(bench.searches[0].query.page, 1);
    // Shifted by a page, the same one is met again; what follows is too old to matter.
    let old = listed("x0", now.before(hours(1)));
    bench.search_is_answered(more(vec![own, old]));
    assert_eq!(bench.state(), FOLLOWED);

    let mut bench = in_doubt(manual("p"));
    bench.pass(secs(1));
    for number in 0..10 {
        assert_eq!(bench.searches[0].query.page, number);
        let start = bench.wall();
        bench.search_is_answered(more(vec![listed("x1", start)]));
        bench.pass(secs(1));
    }
    assert_eq!(bench.state(), LOOKED_FOR, "not all of them were seen");
    assert!(bench.searches.is_empty());
}

#[test]
fn an_event_that_has_aged_out_leaves_its_execution_to_be_followed() {
    let mut bench = Bench::limited(with_key, [manual("p")]);
    bench.ask("p");
    bench.webhook_is_accepted();
    bench.pass(secs(2));
    bench.read_is_answered(execution("Running"));
    bench.pass(mins(1));
    bench.read_is_answered(EventAnswer::NoHistory);
    assert_eq!(bench.execution_reads.len(), 1, "at once");
    bench.execution_is(ExecutionAnswer::Failed { message: NO_MESSAGE });
    bench.pass(mins(1));
    assert_eq!(bench.reads.len(), 0);
    let summary = Summary { status: "Failed".to_owned(), ..Summary::default() };
    bench.execution_is(ExecutionAnswer::Summary(Box::new(summary)));
    assert_eq!(bench.newest().result, Some(RunResult::Failure));
}

#[test]
fn times_are_compared_by_one_clock_even_if_it_was_set_meanwhile() {
    let mut bench = in_doubt(manual("p"));
    bench.wall_moves(-3_600_000);
    let own = listed("x1", bench.wall());
    bench.pass_finding(secs(2), &[own]);
    assert_eq!(bench.state(), FOLLOWED);
}

#[test]
fn a_look_made_while_the_clocks_were_not_known_to_differ_decides_nothing() {
    let mut bench = in_doubt(manual("p"));
    bench.pass(secs(1));
    let hour = Duration::from_hours(1);
    let theirs = listed("x1", bench.wall().after(hour));
    bench.skew = Some(3_600_000);
    bench.search_is_answered(page(vec![theirs.clone()]));
    assert_eq!(bench.state(), LOOKED_FOR, "another may lie outside the span that was asked for");
    bench.pass(secs(4));
    let ExecutionFilter::Triggers { from, .. } = &bench.searches[0].query.filter else { panic!() };
    assert!(*from > bench.newest().sent.unwrap().after(mins(58)), "by Harness' clock");
    bench.search_is_answered(page(vec![theirs]));
    assert_eq!(bench.state(), FOLLOWED);
}
