//! What must hold in every history, each a function that names it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use harness_exporter::config::{Account, Concurrency, Pipeline};
use harness_exporter::model::{
    EventId, Origin, Outcome, Phase, PipelineName, Reason, Run, RunId, RunResult, Wall,
};
use harness_exporter::totals::{Key, Op};

use super::harness::{EPOCH, Event, Execution, Fate, Harness, Receipt};
use super::store::{Store, Tally};
use super::timetable::{Counted, Timetable};

/// An invariant that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Violation {
    pub(super) invariant: &'static str,
    pub(super) what: String,
}

pub(super) type Held = Result<(), Violation>;

fn hold(invariant: &'static str, holds: bool, what: impl FnOnce() -> String) -> Held {
    if holds { Ok(()) } else { Err(Violation { invariant, what: what() }) }
}

/// When a webhook leaves, its run is in the store as `Sending`.
pub(super) fn saved_before_sent(saved: Option<&Arc<Run>>) -> Held {
    hold("saved_before_sent", saved.is_some_and(|run| run.phase == Phase::Sending), || {
        format!("sent while the store has {saved:?}")
    })
}

/// One webhook that Harness may have acted on, per slot and attempt: another follows only one that
/// was answered 429, that never left, or whose URL Harness does not know.
pub(super) fn at_most_one_accepted_webhook_per_slot_and_attempt(earlier: &[Receipt]) -> Held {
    let followed = |fate: &Fate| matches!(fate, Fate::Throttled | Fate::NeverLeft | Fate::NoPath);
    let holds = earlier.iter().all(|receipt| followed(&receipt.fate));
    hold("at_most_one_accepted_webhook_per_slot_and_attempt", holds, || {
        format!("sent again after {earlier:?}")
    })
}

/// A slot and attempt becomes a run once in the store's whole life.
pub(super) fn a_slot_is_begun_once(before: Option<&Arc<Run>>, run: &Run) -> Held {
    hold("a_slot_is_begun_once", before.is_none(), || format!("{} is begun again", run.id))
}

/// Nothing is recorded of a run before its beginning or after its end.
pub(super) fn nothing_follows_the_end(before: Option<&Arc<Run>>, run: &Run) -> Held {
    hold("every_run_ends_once", before.is_some_and(|run| run.is_active()), || {
        format!("{} becomes {:?} and was {before:?}", run.id, run.phase)
    })
}

/// With time for every deadline, and no troubles, no run is open.
pub(super) fn every_run_ends_once(store: &Store) -> Held {
    let open: Vec<_> = store.active().map(|run| (run.id.as_str(), run.phase)).collect();
    hold("every_run_ends_once", open.is_empty(), || format!("never ended: {open:?}"))
}

/// `triggers = trigger_failures + runs + active`, in every committed state.
pub(super) fn books_balance(name: &str, tally: &Tally) -> Held {
    let holds = tally.triggers == tally.failures + tally.runs + tally.active;
    hold("books_balance", holds && tally.active >= 0, || format!("{name}: {tally:?}"))
}

/// The due times of a pipeline, by its schedules and pauses, without a look at what was sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Regime {
    /// Those of earlier schedules.
    pub(super) closed: u64,
    /// By what it is due now, unless it is paused.
    pub(super) timetable: Option<Timetable>,
    pub(super) start: Wall,
    /// The latest time of the wall clock at which the process was there.
    pub(super) seen: Wall,
    /// What was counted before.
    pub(super) dealt_with: Counted,
    pub(super) by_the_clock: Counted,
}

impl Regime {
    /// Its due times up to `until`.
    pub(super) fn count(&self, until: Wall) -> u64 {
        let due = |table: &Timetable| table.count(self.start, until, &self.dealt_with);
        self.closed + self.timetable.as_ref().map_or(0, due)
    }

    /// Those that have fired by the time at which the process was last there.
    pub(super) fn fired(&self) -> u64 {
        let fired = |table: &Timetable| {
            table.count(self.start, self.seen.before(table.delay()), &self.by_the_clock)
        };
        self.closed + self.timetable.as_ref().map_or(0, fired)
    }
}

/// What begins by itself is for a due time of the schedule that holds, and for none from before it
/// did: nothing is caught up by an edit, a resume or a first start.
pub(super) fn nothing_fires_by_an_edit(regime: Option<&Regime>, run: &Run) -> Held {
    let Some(due) = run.due.filter(|_| run.origin == Origin::Schedule) else { return Ok(()) };
    let table = regime.and_then(|regime| regime.timetable.as_ref().map(|t| (t, regime.start)));
    let is_due = |(table, start): (&Timetable, Wall)| due > start && table.is_due(due);
    hold("nothing_fires_by_an_edit", table.is_some_and(is_due), || {
        format!("{} was no due time of {regime:?}", run.id)
    })
}

/// Nothing is sent by itself while the pipeline is paused, by the config or by hand, or in
/// maintenance.
pub(super) fn nothing_is_sent_while_left_alone(run: &Run, left_alone: bool) -> Held {
    hold("nothing_is_sent_while_left_alone", !left_alone || run.origin == Origin::Manual, || {
        format!("{} is sent", run.id)
    })
}

/// A retry is the next attempt at a due time whose last one certainly went wrong.
pub(super) fn a_retry_follows_what_went_wrong(run: &Run, store: &Store) -> Held {
    let Some(due) = run.due.filter(|_| run.origin == Origin::Retry) else { return Ok(()) };
    let last = store.runs.get(&RunId::of_slot(&run.pipeline, due, run.attempt - 1));
    let wrong = last.is_some_and(|last| match last.result {
        Some(result) => {
            matches!(result, RunResult::Failure | RunResult::Error | RunResult::Timeout)
        }
        None => matches!(last.outcome, Outcome::Rejected | Outcome::Failed | Outcome::Unreachable),
    });
    let settled = store.settled.contains(&(run.pipeline.clone(), due));
    hold("a_retry_follows_what_went_wrong", wrong && !settled, || {
        format!("{} follows {last:?}", run.id)
    })
}

/// A retry is not sent once the next due time has come.
pub(super) fn a_retry_is_before_the_next_due_time(run: &Run, table: &Timetable, now: Wall) -> Held {
    let Some(due) = run.due.filter(|_| run.origin == Origin::Retry) else { return Ok(()) };
    let next = table.next_after(due).map(|next| next.after(table.delay()));
    hold("a_retry_is_before_the_next_due_time", next.is_none_or(|next| now < next), || {
        format!("{} is begun at {now}, and {next:?} was next", run.id)
    })
}

/// A due time is settled by one of its attempts, not by two.
pub(super) fn a_slot_is_settled_once(new: bool, run: &Run) -> Held {
    hold("a_slot_is_settled_once", new, || format!("{} settles its due time again", run.id))
}

/// In the end every due time with a run is settled by its last attempt, unless that was cancelled
/// or skipped.
pub(super) fn every_slot_is_settled(store: &Store) -> Held {
    let mut last: BTreeMap<(&PipelineName, Wall), &Run> = BTreeMap::new();
    for run in store.runs.values() {
        let Some(due) = run.due else { continue };
        let there = last.entry((&run.pipeline, due)).or_insert(run);
        if run.attempt > there.attempt {
            *there = run;
        }
    }
    for ((pipeline, due), run) in last {
        let settles = match run.result {
            Some(result) => result.is_bad().is_some(),
            None => run.reason != Some(Reason::Skipped),
        };
        let settled = store.settled.contains(&(pipeline.clone(), due));
        hold("a_slot_is_settled_once", settles == settled, || {
            format!("{} has ended so, and its due time is settled: {settled}", run.id)
        })?;
    }
    Ok(())
}

/// Only of a run that is over another attempt can be given up.
pub(super) fn only_the_ended_is_settled(before: Option<&Arc<Run>>, run: &Run) -> Held {
    let ended = before.is_some_and(|before| !before.is_active());
    hold("every_run_ends_once", ended, || format!("{} is settled and was {before:?}", run.id))
}

/// Due times since the store was made, by the schedule and the pauses, = scheduled triggers +
/// missed + waiting: in every committed state as far as its mark says, and whenever nothing is
/// being saved as far as the clock says.
pub(super) fn schedule_balances(what: &str, due: u64, told: i64) -> Held {
    hold("schedule_balances", i64::try_from(due) == Ok(told), || {
        format!("{what}: {due} due times, {told} accounted for")
    })
}

/// No fact lowers a counter.
pub(super) fn counters_never_fall(key: Key, op: Op) -> Held {
    let falls = is_counter(key) && !matches!(op, Op::Add(by) if by >= 0);
    hold("counters_never_fall", !falls, || format!("{key:?} changes by {op:?}"))
}

/// A restart shows no counter lower than it was shown before.
pub(super) fn counters_outlive_the_process(key: Key, shown: i64, saved: i64) -> Held {
    hold("counters_never_fall", !is_counter(key) || saved >= shown, || {
        format!("{key:?} was shown as {shown} and is {saved} after the restart")
    })
}

fn is_counter(key: Key) -> bool {
    let gauge = matches!(
        key,
        Key::ConsecutiveFailures
            | Key::ConsecutiveTriggerFailures
            | Key::LastResult(_)
            | Key::TriggerUsable
    );
    !gauge
}

/// What Harness received and what the store says tell the same story, run by run.
pub(super) fn ledger_accounted(store: &Store, harness: &Harness) -> Held {
    for run in harness.receipts.keys() {
        hold("ledger_accounted", store.runs.contains_key(run), || {
            format!("Harness received {run}, which the store has never heard of")
        })?;
    }
    for run in store.runs.values() {
        let receipts = harness.receipts.get(&run.id).map_or(&[][..], Vec::as_slice);
        hold("ledger_accounted", accounted(run, receipts, harness), || {
            format!("{run:?} against {receipts:?}")
        })?;
    }
    Ok(())
}

fn accounted(run: &Run, receipts: &[Receipt], harness: &Harness) -> bool {
    let last = receipts.last().map(|receipt| &receipt.fate);
    let acted = receipts.iter().any(|r| matches!(r.fate, Fate::Accepted(_) | Fate::Perhaps));
    let event_is_its_own = run.event.as_ref().is_none_or(|event| {
        matches!(last, Some(Fate::Accepted(taken)) if taken == event)
            && harness.gave(event, &run.id)
    });
    let story = match run.reason {
        Some(Reason::NotSent | Reason::Unreachable | Reason::RateLimited) => !acted,
        // Found after a crash: it may have left and may have been answered anything.
        Some(Reason::Unconfirmed) => run.event.is_none(),
        Some(Reason::ServerError | Reason::BadResponse) => matches!(last, Some(Fate::Perhaps)),
        Some(Reason::Rejected | Reason::Unauthorized | Reason::Forbidden) => {
            matches!(last, Some(Fate::Refused | Fate::NoPath))
        }
        // Without an event it was found by looking for it.
        _ => run.event.is_some() || run.execution.is_some(),
    };
    event_is_its_own && story && (run.result.is_none() || tells_the_truth(run, harness))
}

/// A run's result is one that Harness has shown, or lost.
fn tells_the_truth(run: &Run, harness: &Harness) -> bool {
    let found = || run.execution.as_ref().and_then(|id| harness.event_of(id)).map(Event::execution);
    let execution = match &run.event {
        Some(event) => harness.execution(event),
        None => found(),
    };
    let truth = |execution: &Execution| {
        run.execution.as_ref() == Some(&execution.id)
            && run.result.is_some_and(|result| execution.may_end_as(result))
    };
    run.outcome == Outcome::Started && execution.is_some_and(truth)
}

/// A run has one execution at most: what it once was stays.
pub(super) fn never_two_for_one(before: Option<&Arc<Run>>, run: &Run) -> Held {
    let had = before.and_then(|before| before.execution.as_ref());
    let holds = had.is_none() || had == run.execution.as_ref();
    hold("never_two_for_one", holds, || format!("{} had {had:?}: {:?}", run.id, run.execution))
}

/// No execution is that of two runs, neither by our records nor in truth.
pub(super) fn never_one_for_two(run: &Run, store: &Store, harness: &Harness) -> Held {
    let Some(execution) = &run.execution else { return Ok(()) };
    let other = store
        .runs
        .values()
        .find(|other| other.id != run.id && other.execution.as_ref() == Some(execution));
    let owner = harness.event_of(execution).and_then(|event| event.run.as_ref());
    let holds = other.is_none() && owner.is_none_or(|owner| *owner == run.id);
    hold("never_one_for_two", holds, || {
        format!("{execution} of {owner:?} is that of {} and {:?}", run.id, other.map(|run| &run.id))
    })
}

/// Before its deadline a run of unknown fate is given an execution only if there is no other that
/// could be its own and is known to be no other run's. `looked` is when it was looked for.
pub(super) fn nothing_is_guessed(
    run: &Run,
    deadline: Duration,
    looked: u64,
    (store, harness): (&Store, &Harness),
) -> Held {
    let (Some(target), Some(sent)) = (&run.target, run.sent) else { return Ok(()) };
    let sent = u64::try_from(sent.0 - EPOCH).unwrap_or(0);
    // Clocks that differ by up to 2 s are taken as equal: what starts at an edge may be either.
    let from = sent.saturating_sub(SURE);
    let until = sent + u64::try_from(deadline.as_millis()).unwrap();
    if looked >= until {
        return Ok(());
    }
    let others = || store.runs.values().filter(|other| other.id != run.id);
    let known = |id: &EventId, event: &Event| {
        others().any(|other| {
            other.event.as_ref() == Some(id)
                || other.execution.as_ref() == Some(&event.execution().id)
        })
    };
    let in_window = |event: &Event| (from..=until).contains(&event.start());
    let candidates = harness
        .executions_of(&run.account, target, looked)
        .filter(|(id, event)| in_window(event) && !known(id, event))
        .count();
    hold("nothing_is_guessed", candidates <= 1, || {
        format!("{} is given {:?}, one of {candidates}", run.id, run.execution)
    })
}

/// By how much the edges of a window may be off.
const SURE: u64 = 2_000;

/// With a key, a run of unknown fate is given up only when it has been looked for long enough.
pub(super) fn looked_for_until_the_deadline(run: &Run, deadline: Duration, now: Wall) -> Held {
    let holds = run.sent.is_none_or(|sent| now.since(sent) >= deadline);
    hold("looked_for_until_the_deadline", holds, || {
        format!("{} of {:?} is given up at {now}", run.id, run.sent)
    })
}

/// No more calls in any minute than the budget, and in any second a sixtieth of it and five.
/// `calls` are those of the last minute, by the clock that is never set.
pub(super) fn budget_kept(account: &Account, calls: &VecDeque<u64>) -> Held {
    let budget = account.requests_per_minute as usize;
    let now = calls.back().copied().unwrap_or(0);
    let second = calls.iter().rev().take_while(|call| now - **call < 1_000).count();
    let holds = calls.len() <= budget && second <= budget / 60 + 5;
    hold("budget_kept", holds, || {
        format!("{} calls in a minute and {second} in a second of {budget}", calls.len())
    })
}

/// After a 429 that says for how long, nothing is called for so long.
pub(super) fn throttling_is_heeded(mono: u64, rest_until: u64) -> Held {
    hold("throttling_is_heeded", mono >= rest_until, || {
        format!("called {} ms too early", rest_until - mono)
    })
}

/// Only an event that Harness gave for this very run is asked for.
pub(super) fn reads_only_known_events(known: bool, run: &str) -> Held {
    hold("reads_only_known_events", known, || format!("{run} reads a strange event"))
}

/// A run in which a word that is not in our tables was met ends as Harness says it did, or is lost
/// by its deadline; never as anything else.
pub(super) fn unknown_words_are_followed(run: &Run, harness: &Harness) -> Held {
    let reason = run.reason;
    let by_deadline = reason == Some(Reason::Deadline) || run.result == Some(RunResult::Lost);
    let event = run.event.as_ref().and_then(|event| harness.events.get(event));
    let refused = event.is_some_and(|event| event.refused.is_some()) && reason.is_some();
    // Killed before the event was saved: then nobody is there to follow it.
    let unsaved = reason == Some(Reason::Unconfirmed) && run.event.is_none();
    let holds = by_deadline || refused || unsaved || tells_the_truth(run, harness);
    hold("unknown_words_are_followed", holds, || format!("{run:?}"))
}

/// Under `forbid` no run is begun while another of the pipeline is open, asked for or not.
pub(super) fn forbid_holds(pipeline: Option<&Pipeline>, run: &Run, store: &Store) -> Held {
    let forbids = pipeline.is_some_and(|p| p.concurrency == Concurrency::Forbid);
    let other = |other: &&Arc<Run>| other.pipeline == run.pipeline && other.id != run.id;
    let other = store.active().filter(|_| forbids).find(other);
    hold("forbid_holds", other.is_none(), || {
        format!("{} is begun while {:?} is open", run.id, other.map(|run| &run.id))
    })
}

/// A due time is not sent once it is older than its `start_deadline`.
pub(super) fn nothing_is_sent_late(pipeline: &Pipeline, due: Wall, now: Wall) -> Held {
    let holds = now <= due.after(pipeline.start_deadline);
    hold("nothing_is_sent_late", holds, || format!("{} of {due} is sent at {now}", pipeline.name))
}

/// Who is told that a run was begun finds it in the store.
pub(super) fn replies_are_true(saved: Option<&Arc<Run>>) -> Held {
    hold("replies_are_true", saved.is_some(), || "a run was promised that is not saved".to_owned())
}

/// Once the process is told to end, no webhook is begun and nothing read.
pub(super) fn stopping_begins_nothing(stopping: bool) -> Held {
    hold("stopping_begins_nothing", !stopping, || "a call was let go after the stop".to_owned())
}

/// Under `webhook: auto` and with a key, nothing is sent before Harness was asked where to, nor, after
/// it was refused there, before Harness was asked again.
pub(super) fn a_look_up_comes_first(holds: bool) -> Held {
    hold("a_look_up_comes_first", holds, || "a webhook goes where nobody said so".to_owned())
}

/// What the clock calls for is done in one turn: the engine never asks to be woken in the past.
pub(super) fn waking_makes_progress(awake: bool) -> Held {
    hold("waking_makes_progress", awake, || "the engine asks to be woken at once, again".to_owned())
}

/// As long as something is open or waits, an answer, a commit or a timer is to come.
pub(super) fn nothing_is_forgotten(something_comes: bool) -> Held {
    hold("nothing_is_forgotten", something_comes, || {
        "open runs, and nothing to wait for".to_owned()
    })
}
