//! Executions that are read together.

use std::collections::BTreeMap;

use secrecy::SecretString;

use super::bench::*;
use crate::config::{Pipeline, SecretSource, Webhook};
use crate::engine::{Input, ListExecutions, ReadEvent};
use crate::model::*;

/// A bench with a key, and runs of as many pipelines at work, of which the first look has told.
fn at_work<const N: usize>() -> Bench {
    let webhook = Webhook::Fixed(WebhookVersion::V1);
    let named = |number: usize| Pipeline {
        schedule: None,
        webhook: webhook.clone(),
        ..pipeline(&format!("p{number}"))
    };
    let key = SecretSource::Inline(SecretString::from("pat.x.y.z"));
    let mut bench = Bench::limited(
        |account| {
            account.api_key = Some(key);
            account.triggers_per_minute = 1000;
        },
        std::array::from_fn::<_, N, _>(named),
    );
    for number in 0..N {
        bench.ask(&format!("p{number}"));
        bench.pass(secs(1));
        let event = EventId::new(&format!("e{number}")).unwrap();
        bench.webhook_is(TriggerAnswer::Accepted(event));
        while bench.newest().execution.is_none() {
            pass(&mut bench, 1, "Running");
        }
    }
    bench
}

/// What is told of the event `e7` is told of the execution `x7`.
fn of(read: &ReadEvent, status: &str) -> EventAnswer {
    let EventAnswer::Details(mut details) = execution(status) else { unreachable!() };
    details.execution = ExecutionId::new(&read.event.as_str().replace('e', "x")).ok();
    details.summary.as_mut().unwrap().execution = details.execution.clone();
    EventAnswer::Details(details)
}

pub(super) fn listed(id: &ExecutionId, status: &str) -> ListedExecution {
    ListedExecution {
        id: id.clone(),
        org: None,
        project: None,
        pipeline: String::new(),
        trigger: None,
        trigger_type: String::new(),
        event: None,
        created: None,
        summary: Summary {
            execution: Some(id.clone()),
            status: status.to_owned(),
            ..Summary::default()
        },
    }
}

fn page(ids: &[ExecutionId], status: &str) -> ExecutionsAnswer {
    let executions = ids.iter().map(|id| listed(id, status)).collect();
    ExecutionsAnswer::Page(Box::new(ExecutionsPage { executions, last: true, total: None }))
}

fn ids(read: &ListExecutions) -> Vec<ExecutionId> {
    match &read.query.filter {
        ExecutionFilter::Ids(ids) => ids.clone(),
        other => panic!("{other:?}"),
    }
}

fn answer_lists(bench: &mut Bench, status: &str) {
    while let Some(list) = bench.lists.first() {
        let answer = page(&ids(list), status);
        bench.list_is(answer);
    }
}

/// Lets time pass, answering what is read; how many calls of which kind that took.
fn pass(bench: &mut Bench, seconds: u64, status: &str) -> (usize, usize) {
    let (mut lists, before) = (0, bench.looks);
    for _ in 0..seconds {
        bench.pass_with(secs(1), |read| Some(of(read, status)));
        lists += bench.lists.len();
        answer_lists(bench, status);
    }
    (lists, bench.looks - before)
}

fn ended(bench: &Bench) -> usize {
    bench.runs.values().filter(|run| run.result == Some(RunResult::Success)).count()
}

#[test]
fn runs_of_a_project_are_read_by_one_call_each_as_often_as_alone() {
    let mut bench = at_work::<20>();
    let (lists, looks) = pass(&mut bench, 600, "Running");
    assert_eq!(looks, 0, "none is read by itself");
    assert!((20..=120).contains(&lists), "{lists} lists in ten minutes");
    let (lists, _) = pass(&mut bench, 60, "Success");
    assert_eq!((ended(&bench), lists <= 4), (20, true), "{lists}");
    assert_eq!(pass(&mut bench, 600, "Running"), (0, 0), "nothing is left to be read");
}

#[test]
fn one_alone_is_read_by_itself() {
    let mut bench = at_work::<1>();
    let (lists, looks) = pass(&mut bench, 600, "Running");
    assert!(lists == 0 && looks > 10, "{lists} {looks}");
}

#[test]
fn what_is_missing_in_a_list_is_read_by_itself_from_then_on() {
    let mut bench = at_work::<5>();
    while bench.lists.is_empty() {
        bench.pass(secs(1));
    }
    let asked = ids(&bench.lists[0]);
    bench.list_is(page(&asked[1..], "Running"));
    bench.pass(secs(1));
    assert_eq!(bench.reads.len(), 1);
    let missing = bench.runs[&bench.reads[0].run].execution.clone().unwrap();
    assert_eq!(missing, asked[0]);
    let mut single = 0;
    for _ in 0..300 {
        bench.pass_with(secs(1), |read| {
            single += 1;
            Some(of(read, "Running"))
        });
        assert!(bench.lists.iter().all(|list| !ids(list).contains(&missing)));
        answer_lists(&mut bench, "Running");
    }
    assert!(single > 5);
}

#[test]
fn where_the_filter_is_refused_or_ignored_triggers_are_listed_and_else_each_run_is_read() {
    let refused =
        || ExecutionsAnswer::Refused(Box::new(Refusal { status: 400, ..Refusal::default() }));
    let stranger = || page(&[ExecutionId::new("stranger").unwrap()], "Running");
    for first in [refused(), stranger()] {
        let mut bench = at_work::<5>();
        while bench.lists.is_empty() {
            bench.pass(secs(1));
        }
        bench.list_is(first);
        while bench.lists.is_empty() {
            bench.pass_with(secs(1), |read| Some(of(read, "Running")));
        }
        let filter = bench.lists[0].query.filter.clone();
        let ExecutionFilter::Triggers { triggers, from, until } = filter else { panic!() };
        assert_eq!(triggers, [bench.config.pipelines[0].trigger.clone()]);
        assert!(from < Wall(START) && until > bench.newest().begun);
        assert_eq!(bench.listed_otherwise, 1);

        // The second page has what the first has not.
        let all: Vec<_> = (0..5).map(|n| ExecutionId::new(&format!("x{n}")).unwrap()).collect();
        let part = |ids: &[ExecutionId], last| {
            let executions = ids.iter().map(|id| listed(id, "Success")).collect();
            ExecutionsAnswer::Page(Box::new(ExecutionsPage { executions, last, total: None }))
        };
        bench.list_is(part(&all[..2], false));
        bench.pass(secs(1));
        assert_eq!((ended(&bench), bench.lists[0].query.page), (2, 1));
        bench.list_is(part(&all[2..], true));
        assert!(ended(&bench) >= 4, "all that were asked for");

        let mut bench = at_work::<5>();
        for _ in 0..2 {
            while bench.lists.is_empty() {
                bench.pass(secs(1));
            }
            bench.list_is(refused());
        }
        let (lists, looks) = pass(&mut bench, 300, "Running");
        assert!(lists == 0 && looks > 20, "{lists} {looks}");
        assert_eq!(bench.listed_otherwise, 2);
    }
}

#[test]
fn an_answer_that_is_too_large_is_asked_for_in_halves() {
    let mut bench = at_work::<8>();
    let mut sizes = BTreeMap::new();
    for _ in 0..120 {
        bench.pass(secs(1));
        while let Some(list) = bench.lists.first() {
            let asked = ids(list);
            assert_eq!(list.query.size as usize, asked.len());
            *sizes.entry(asked.len()).or_insert(0) += 1;
            let fits = asked.len() <= 2;
            bench.list_is(if fits { page(&asked, "Success") } else { ExecutionsAnswer::TooLarge });
        }
        bench.pass_with(secs(0), |read| Some(of(read, "Success")));
    }
    assert_eq!(ended(&bench), 8, "{sizes:?}");
    assert!(sizes.iter().filter(|(size, _)| **size > 2).all(|(_, tries)| *tries == 1), "{sizes:?}");
}

#[test]
fn lists_that_fail_hide_no_end_and_a_429_pauses_the_key() {
    let mut bench = at_work::<5>();
    let mut turn = 0;
    for _ in 0..600 {
        bench.pass(secs(1));
        while let Some(list) = bench.lists.first() {
            let asked = ids(list);
            turn += 1;
            bench.list_is(match turn % 3 {
                0 => ExecutionsAnswer::Failed { message: String::new() },
                1 => ExecutionsAnswer::Throttled { retry_after: Some(secs(20)) },
                _ => page(&asked, if turn < 20 { "Running" } else { "Success" }),
            });
            if turn % 3 == 1 {
                bench.pass(secs(20));
                assert!(bench.lists.is_empty() && bench.reads.is_empty(), "it is paused");
            }
        }
        bench.pass_with(secs(0), |read| Some(of(read, "Success")));
    }
    assert_eq!(ended(&bench), 5);
}

#[test]
fn after_a_restart_a_hundred_are_read_by_one_call() {
    let mut bench = at_work::<30>();
    bench.restart();
    assert_eq!((bench.reads.len(), bench.lists.len()), (0, 1));
    assert_eq!(ids(&bench.lists[0]).len(), 30);
}

#[test]
fn a_project_that_is_refused_is_read_run_by_run_and_no_other() {
    let mut bench = at_work::<3>();
    while bench.lists.is_empty() {
        bench.pass(secs(1));
    }
    bench.list_is(ExecutionsAnswer::Refused(Box::new(Refusal {
        status: 403,
        ..Refusal::default()
    })));
    assert_eq!(bench.listed_otherwise, 0);
    let (lists, looks) = pass(&mut bench, 120, "Running");
    assert!(lists == 0 && looks > 3, "{lists} lists, {looks} looks");
}

#[test]
fn a_hint_while_a_list_is_under_way_takes_no_call_for_good() {
    let mut bench = at_work::<3>();
    let under_way = |bench: &Bench| bench.engine.accounts["default"].under_way;
    while bench.lists.is_empty() {
        bench.pass(secs(1));
    }
    let ids = ids(&bench.lists[0]);
    bench.handle(Input::Notified { execution: ids[0].clone() });
    bench.pass(secs(1));
    assert_eq!((bench.reads.len(), under_way(&bench)), (1, 2), "the list and the look");
    bench.list_is(page(&ids, "Success"));
    assert_eq!(ended(&bench), ids.len());
    let read = bench.reads[0].clone();
    bench.read_is_answered(of(&read, "Success"));
    assert_eq!(under_way(&bench), 0);
}
