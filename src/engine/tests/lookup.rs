//! Looking triggers up before their webhooks are sent.

use super::bench::*;
use crate::config::{Concurrency, Pipeline, Retry, Webhook};
use crate::engine::Reply;
use crate::model::*;

const URL: &str = "/gateway/pipeline/api/webhook/custom/tok-1/v3?a=b";
const NEW_URL: &str = "/gateway/pipeline/api/webhook/custom/tok-2/v3?a=b";
const FAILED: LookupAnswer = LookupAnswer::Failed { message: NO_MESSAGE };
const SLOW_DOWN: LookupAnswer = LookupAnswer::Throttled { retry_after: None };
const REFUSED: TriggerAnswer =
    TriggerAnswer::Refused { reason: Reason::Rejected, message: NO_MESSAGE };

fn told(path: &str) -> Address {
    Address::Told(WebhookPath::new(path))
}

fn refused(status: u16) -> LookupAnswer {
    LookupAnswer::Refused(Refusal { status, ..Refusal::default() })
}

/// The same bench, with triggers being looked up though no run needs it.
fn checked(mut bench: Bench) -> Bench {
    bench.checks = true;
    bench.rows.clear();
    bench.restart_after(std::time::Duration::ZERO);
    bench
}

/// A bench whose account has a key.
fn keyed<const N: usize>(pipelines: [Pipeline; N]) -> Bench {
    checked(Bench::limited(with_key, pipelines))
}

/// At its first due time, which waits for the look-up.
fn due(pipeline: Pipeline) -> Bench {
    let mut bench = keyed([pipeline]);
    bench.pass(mins(1));
    assert_eq!((bench.lookups.len(), bench.sent.len(), bench.runs.len()), (1, 0, 0));
    assert_eq!(bench.most_waiting, 1, "it waits, and is told to");
    bench
}

#[test]
fn before_its_first_webhook_a_trigger_is_looked_up() {
    let mut bench = due(pipeline("p"));
    assert_eq!(bench.lookups[0].pipeline.name, PipelineName::new("p"));
    bench.look_up_is(found(URL));
    assert_eq!(bench.sent[0].address, told(URL));
    assert_eq!(bench.sent[0].due, Some(Wall(START + 60_000)));
    bench.webhook_is(TriggerAnswer::Refused { reason: Reason::Forbidden, message: NO_MESSAGE });
    bench.pass(mins(1));
    assert_eq!((bench.sent[0].address.clone(), bench.lookups.len()), (told(URL), 0), "only once");
}

#[test]
fn without_a_key_and_where_the_config_says_where_to_nothing_is_looked_up() {
    let mut bench = Bench::new([pipeline("p")]);
    bench.pass(mins(1));
    assert_eq!((bench.sent.len(), bench.lookups.len()), (1, 0));
    let webhook = Webhook::Fixed(WebhookVersion::V2);
    let mut bench = keyed([Pipeline { webhook, ..pipeline("p") }]);
    bench.pass(mins(1));
    assert_eq!(bench.sent.len(), 1, "it did not wait for the look that tells of the trigger");
}

#[test]
fn a_lookup_that_says_no_leads_to_v1_and_from_there_to_v2() {
    let unnamed = LookupAnswer::Found(FoundTrigger { enabled: None, webhook: None });
    for answer in [refused(400), refused(401), refused(403), refused(404), unnamed] {
        let mut bench = due(pipeline("p"));
        bench.look_up_is(answer);
        assert_eq!(bench.sent[0].address, V1);
        bench.webhook_is(UNKNOWN_PATH);
        bench.pass(secs(1));
        assert_eq!((&bench.sent[0].address, bench.runs.len()), (&V2, 1));
        bench.webhook_is_accepted();
        assert_eq!(bench.newest().outcome, Outcome::Pending);
        assert_eq!(bench.lookups.len(), 0);
    }
}

#[test]
fn a_lookup_that_says_nothing_is_repeated_until_the_due_time_is_missed() {
    let start_deadline = secs(40);
    let mut bench = due(Pipeline { start_deadline, ..pipeline("p") });
    let mut asked = 0;
    for _ in 0..40 {
        if !bench.lookups.is_empty() {
            bench.look_up_is(FAILED);
            asked += 1;
        }
        bench.pass(secs(1));
    }
    assert!((4..=8).contains(&asked), "{asked}");
    bench.pass(secs(1));
    assert_eq!(
        (bench.missed.clone(), bench.runs.len()),
        (vec![(MissedReason::LookupFailed, 1)], 0)
    );
    bench.lookups.clear();
    bench.pass(secs(60));
    assert_eq!(bench.lookups.len(), 1, "it is tried again for the next due time");
}

#[test]
fn a_lookup_that_is_never_answered_is_missed_as_well() {
    let mut bench = due(Pipeline { start_deadline: secs(40), ..pipeline("p") });
    bench.pass(secs(41));
    assert_eq!(bench.missed, [(MissedReason::LookupFailed, 1)]);
    bench.look_up_is(found(URL));
    assert_eq!(bench.sent.len(), 0, "it is too late for this one");
    bench.pass(secs(20));
    assert_eq!((bench.sent.len(), bench.lookups.len()), (1, 0));
}

#[test]
fn a_throttled_lookup_pauses_the_key_and_is_repeated() {
    let mut bench = due(pipeline("p"));
    bench.look_up_is(SLOW_DOWN);
    assert_eq!(bench.lookups.len(), 0);
    bench.pass(secs(2));
    bench.look_up_is(found(URL));
    bench.pass(secs(1));
    assert_eq!(bench.sent[0].address, told(URL));
}

#[test]
fn after_a_refused_webhook_the_next_run_looks_up_anew() {
    for answer in [REFUSED, UNKNOWN_PATH] {
        let mut bench = due(pipeline("p"));
        bench.look_up_is(found(URL));
        bench.webhook_is(answer);
        let rejected = (Phase::Ended, Outcome::Rejected, Some(Reason::Rejected), None);
        assert_eq!(bench.state(), rejected);
        bench.pass(secs(30));
        assert_eq!((bench.sent.len(), bench.lookups.len()), (0, 0), "it is not sent again");
        bench.pass(secs(30));
        bench.look_up_is(found(NEW_URL));
        assert_eq!(bench.sent[0].address, told(NEW_URL));
    }
}

#[test]
fn a_webhook_that_never_left_is_sent_again_without_another_lookup() {
    let mut bench = due(pipeline("p"));
    bench.look_up_is(found(URL));
    bench.webhook_is(NEVER_LEFT);
    bench.pass(secs(5));
    assert_eq!((&bench.sent[0].address, bench.lookups.len()), (&told(URL), 0));
}

#[test]
fn after_a_restart_it_is_looked_up_before_a_webhook_is_sent_again() {
    let mut bench = due(pipeline("p"));
    bench.look_up_is(found(URL));
    bench.webhook_is(NEVER_LEFT);
    bench.restart();
    assert_eq!((bench.sent.len(), bench.lookups.len()), (0, 1));
    assert_eq!(bench.newest().phase, Phase::Waiting, "nothing is uncertain meanwhile");
    bench.look_up_is(found(NEW_URL));
    bench.pass(secs(1));
    assert_eq!((&bench.sent[0].address, bench.runs.len()), (&told(NEW_URL), 1));
}

#[test]
fn what_is_asked_for_by_hand_and_can_not_be_looked_up_fails_unsent() {
    let mut bench = keyed([Pipeline { schedule: None, ..pipeline("p") }]);
    assert!(matches!(bench.ask("p"), Reply::Begun(_)));
    assert_eq!((bench.newest().phase, bench.lookups.len()), (Phase::Due, 1));
    bench.look_up_is(FAILED);
    bench.pass(mins(5));
    let unsent = (Phase::Ended, Outcome::Unreachable, Some(Reason::NotSent), None);
    assert_eq!((bench.state(), bench.sent.len()), (unsent, 0));
    assert_eq!(bench.missed, []);
    bench.lookups.clear();
}

#[test]
fn everything_that_waits_for_one_lookup_goes_when_it_is_answered() {
    let concurrency = Concurrency::Allow;
    let mut bench = due(Pipeline { concurrency, ..pipeline("p") });
    bench.ask("p");
    bench.pass(mins(1));
    assert_eq!((bench.lookups.len(), bench.sent.len()), (1, 0), "one call for all");
    bench.look_up_is(found(URL));
    bench.pass(secs(1));
    assert_eq!((bench.sent.len(), bench.lookups.len()), (3, 0));
}

#[test]
fn another_attempt_waits_for_the_lookup_until_the_next_due_time() {
    let retry = Some(Retry { after: secs(10), attempts: 1 });
    let mut bench = due(Pipeline { retry, ..pipeline("p") });
    bench.look_up_is(found(URL));
    bench.webhook_is(REFUSED);
    bench.pass(secs(11));
    assert_eq!((bench.lookups.len(), bench.settled.len()), (1, 0));
    bench.look_up_is(FAILED);
    bench.pass(secs(49));
    assert_eq!(bench.settled, [SlotResult::TriggerFailed], "of the first attempt");
    bench.look_up_is(found(URL));
    assert_eq!((bench.sent.len(), bench.runs.len()), (1, 2), "for the next due time");
}

#[test]
fn an_edit_of_the_trigger_makes_the_answer_about_the_old_one_void() {
    let mut bench = due(pipeline("p"));
    bench.edit(|pipeline| "another".clone_into(&mut pipeline.trigger));
    bench.reload();
    bench.look_up_is(found(URL));
    assert_eq!((bench.sent.len(), bench.lookups.len()), (0, 1));
    bench.look_up_is(found(NEW_URL));
    assert_eq!(bench.sent[0].address, told(NEW_URL));
}

#[test]
fn a_lookup_of_a_pipeline_that_is_gone_or_told_another_way_holds_nothing_up() {
    let mut bench = due(pipeline("p"));
    bench.edit(|pipeline| pipeline.webhook = Webhook::Fixed(WebhookVersion::V1));
    bench.reload();
    assert_eq!(bench.sent[0].address, V1);

    let mut bench = keyed([pipeline("p"), pipeline("q")]);
    bench.pass(mins(1));
    assert_eq!(bench.lookups.len(), 2);
    bench.config.pipelines.remove(0);
    bench.reload();
    assert_eq!(bench.missed, [(MissedReason::Late, 1)]);
    bench.look_up_is(found(URL));
    bench.look_up_is(found(URL));
    let sent: Vec<_> = bench.sent.iter().map(|send| send.pipeline.name.as_str()).collect();
    assert_eq!(sent, ["q"]);
}

#[test]
fn another_key_or_harness_is_asked_anew() {
    let mut bench = due(pipeline("p"));
    bench.look_up_is(found(URL));
    bench.webhook_is(TriggerAnswer::Refused { reason: Reason::Forbidden, message: NO_MESSAGE });
    for account in bench.config.accounts.values_mut() {
        std::sync::Arc::make_mut(account).url = "https://other.example".parse().unwrap();
    }
    bench.reload();
    bench.pass(mins(1));
    assert_eq!((bench.lookups.len(), bench.sent.len()), (1, 0));
}

#[test]
fn what_could_not_be_saved_is_not_looked_up_again() {
    let mut bench = due(pipeline("p"));
    bench.store_fails = true;
    bench.look_up_is(found(URL));
    assert_eq!(bench.missed, [(MissedReason::StoreUnavailable, 1)]);
    assert_eq!((bench.sent.len(), bench.lookups.len()), (0, 0));
}

#[test]
fn nobody_waits_behind_a_lookup_of_another() {
    let quick = Pipeline { webhook: Webhook::Fixed(WebhookVersion::V1), ..pipeline("quick") };
    let mut bench = keyed([pipeline("a"), quick]);
    bench.pass(mins(1));
    let sent: Vec<_> = bench.sent.iter().map(|send| send.pipeline.name.as_str()).collect();
    assert_eq!((sent, bench.lookups.len()), (vec!["quick"], 2));
}

/// Passes the time, each look-up being answered at once; says how many there were.
fn looked_up_within(bench: &mut Bench, minutes: u64, answer: impl Fn() -> LookupAnswer) -> usize {
    let mut looked_up = 0;
    for _ in 0..minutes {
        while !bench.lookups.is_empty() {
            bench.look_up_is(answer());
            looked_up += 1;
        }
        bench.pass(mins(1));
    }
    looked_up
}

#[test]
fn with_a_key_every_trigger_is_looked_up_once_an_hour() {
    let off = || LookupAnswer::Found(FoundTrigger { enabled: Some(false), webhook: None });
    let quiet = Pipeline { schedule: None, ..pipeline("p") };
    let mut bench = keyed([quiet.clone()]);
    bench.pass(secs(1));
    assert_eq!((bench.lookups.len(), bench.usable), (1, None));
    assert_eq!(looked_up_within(&mut bench, 30, || found(URL)), 1);
    assert_eq!(bench.usable, Some(true));
    assert_eq!(looked_up_within(&mut bench, 60, off), 1);
    assert_eq!(bench.usable, Some(false), "switched off");
    assert_eq!(looked_up_within(&mut bench, 60, || found(URL)), 1);
    assert_eq!(bench.usable, Some(true));
    assert_eq!(looked_up_within(&mut bench, 60, || refused(403)), 1);
    assert_eq!(bench.usable, Some(false));
    let again = looked_up_within(&mut bench, 120, || FAILED);
    assert!((8..=24).contains(&again), "{again}: soon again");
    assert_eq!(bench.usable, Some(false), "that says nothing of the trigger");

    let webhook = Webhook::Fixed(WebhookVersion::V1);
    let mut bench = keyed([Pipeline { webhook, ..quiet.clone() }]);
    assert_eq!(looked_up_within(&mut bench, 90, || found(URL)), 2, "whatever its webhook is");
    let mut bench = Bench::new([quiet]);
    assert_eq!(looked_up_within(&mut bench, 90, || found(URL)), 0, "not without a key");
}

#[test]
fn what_is_told_now_and_then_is_where_the_next_webhook_goes() {
    let mut bench = keyed([Pipeline { schedule: None, ..pipeline("p") }]);
    looked_up_within(&mut bench, 5, || found(URL));
    bench.ask("p");
    assert_eq!((&bench.sent[0].address, bench.lookups.len()), (&told(URL), 0));
    bench.webhook_is(TriggerAnswer::Refused { reason: Reason::Forbidden, message: NO_MESSAGE });
    looked_up_within(&mut bench, 60, || refused(401));
    bench.ask("p");
    assert_eq!(bench.sent[0].address, told(URL), "what was told holds until it is refused");
}

#[test]
fn only_what_is_spared_goes_into_looks_that_nothing_waits_for() {
    let quiet = |name: &str| Pipeline { schedule: None, ..pipeline(name) };
    let mut bench = checked(Bench::limited(
        |account| {
            with_key(account);
            account.requests_per_minute = 60;
        },
        [quiet("a"), quiet("b"), quiet("c"), quiet("d")],
    ));
    bench.pass(secs(4));
    assert!((1..=3).contains(&bench.lookups.len()), "{}", bench.lookups.len());
    bench.pass(secs(6));
    assert_eq!(bench.lookups.len(), 4);
}

#[test]
fn an_edit_of_the_trigger_is_looked_up_at_once() {
    let mut bench = keyed([Pipeline { schedule: None, ..pipeline("p") }]);
    looked_up_within(&mut bench, 5, || found(URL));
    bench.edit(|pipeline| "another".clone_into(&mut pipeline.trigger));
    bench.reload();
    bench.pass(secs(1));
    bench.look_up_is(refused(404));
    assert_eq!(bench.usable, Some(false));
    bench.reload();
    bench.pass(secs(1));
    assert_eq!(bench.lookups.len(), 0, "nothing has changed");
}
