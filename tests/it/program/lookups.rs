//! Triggers that are looked up: where their webhooks go, and what is said of those that can't be used.

use harness_exporter::simulator::{Answer, Endpoint, Fault, Simulator};

use super::scrape::Scrape;
use super::support::{Setup, TOKEN, calls, ended, failed, pipeline, serve, world};

fn usable(name: &str) -> String {
    format!("harness_pipeline_trigger_usable{{pipeline=\"{name}\"}}")
}

fn lookups_are(simulator: &Simulator, status: u16) {
    let fault = Fault::Before(Answer::status(status));
    simulator.world().faults.rate(Endpoint::TriggerLookup, 1.0, fault);
}

/// Harness repeats the token that it does not know any more; at the end it is looked for everywhere.
#[tokio::test]
async fn the_token_is_looked_up_and_again_after_it_was_refused() {
    let mut world = world(600.0);
    pipeline(&mut world, "nightly").token(Some(TOKEN));
    let simulator = serve(world);
    let mut exporter = Setup::of(&simulator).pipeline("nightly", "").start().await;
    let good = ended("nightly", "success");
    for count in 1..=2 {
        exporter.trigger("nightly").await;
        exporter.eventually("a good run", |m| m.value(&good) == count).await;
    }
    assert_eq!(calls(&simulator, Endpoint::TriggerLookup), 1, "once");

    pipeline(&mut simulator.world(), "nightly").token(Some("another-token-4713"));
    exporter.trigger("nightly").await;
    let rejected = failed("nightly", "rejected");
    exporter.eventually("the refusal", |m| m.value(&rejected) == 1).await;
    exporter.trigger("nightly").await;
    exporter.eventually("a good run by the new token", |m| m.value(&good) == 3).await;
    assert_eq!(calls(&simulator, Endpoint::TriggerLookup), 2);
    let ledger = simulator.world().ledger.clone();
    let with = |token: &str| ledger.iter().filter(|one| one.path.contains(token)).count();
    assert_eq!((with(TOKEN), with("another-token-4713"), ledger.len()), (3, 1, 4), "none twice");
    exporter.finish(&simulator).await;
}

#[tokio::test]
async fn what_can_not_be_looked_up_in_time_is_missed_and_nothing_is_sent() {
    let mut world = world(600.0);
    pipeline(&mut world, "often").token(Some(TOKEN));
    pipeline(&mut world, "asked").token(Some(TOKEN));
    let simulator = serve(world);
    lookups_are(&simulator, 500);
    let mut exporter = Setup::of(&simulator)
        .pipeline("often", "every: 2s, align: epoch, start_deadline: 1s")
        .pipeline("asked", "start_deadline: 1s")
        .start()
        .await;
    exporter.trigger("asked").await;
    let missed = r#"harness_pipeline_schedules_missed_total{reason="lookup_failed"}"#;
    let unsent = failed("asked", "not_sent");
    let done = |m: &Scrape| m.sum(missed) >= 2 && m.value(&unsent) == 1;
    let m = exporter.eventually("what is not sent", done).await;
    assert_eq!(m.sum(r#"harness_pipeline_triggers_total{origin="schedule"}"#), 0);
    assert!(simulator.world().ledger.is_empty());
    assert_eq!(m.count("harness_pipeline_trigger_usable"), 0, "nothing was said of it");

    simulator.world().faults.clear();
    let good = ended("often", "success");
    exporter.eventually("a good run", |m| m.value(&good) >= 1).await;
    exporter.finish(&simulator).await;
}

#[tokio::test]
async fn where_harness_does_not_tell_it_goes_to_v1() {
    let mut world = world(600.0);
    pipeline(&mut world, "nightly");
    let simulator = serve(world);
    lookups_are(&simulator, 403);
    let mut exporter = Setup::of(&simulator).pipeline("nightly", "").start().await;
    exporter.trigger("nightly").await;
    let good = ended("nightly", "success");
    let m = exporter.eventually("a good run", |m| m.value(&good) == 1).await;
    assert_eq!(m.value(&usable("nightly")), 0);
    assert_eq!(simulator.world().ledger[0].path, "/gateway/api/webhook/custom");
    exporter.finish(&simulator).await;
}

#[tokio::test]
async fn a_trigger_that_is_switched_off_or_gone_is_told_of_before_it_is_needed() {
    let mut world = world(600.0);
    pipeline(&mut world, "good");
    pipeline(&mut world, "off").enabled(false);
    let simulator = serve(world);
    let setup = Setup::of(&simulator)
        .pipeline("good", "every: 365d")
        .pipeline("off", "webhook: v3, webhook_token: t, every: 365d")
        .pipeline("gone", "webhook: v1");
    let mut exporter = setup.start().await;
    let told = |m: &Scrape| m.count("harness_pipeline_trigger_usable") == 3;
    let all = |m: &Scrape| ["good", "off", "gone"].map(|name| m.value(&usable(name)));
    let m = exporter.eventually("what is said of three", told).await;
    assert_eq!(all(&m), [1, 0, 0]);
    assert!(exporter.output().contains("it is switched off"));

    lookups_are(&simulator, 500);
    exporter.restart().await;
    assert_eq!(all(&exporter.scrape().await), [1, 0, 0], "what it said before");
    exporter.finish(&simulator).await;
    assert!(simulator.world().ledger.is_empty());
}

#[tokio::test]
async fn without_a_key_nothing_is_said_of_triggers() {
    let mut world = world(600.0);
    pipeline(&mut world, "nightly");
    let simulator = serve(world);
    let mut exporter = Setup::of(&simulator).without_key().pipeline("nightly", "").start().await;
    exporter.trigger("nightly").await;
    let good = ended("nightly", "success");
    let m = exporter.eventually("a good run", |m| m.value(&good) == 1).await;
    assert_eq!(m.count("harness_pipeline_trigger_usable"), 0);
    assert_eq!(calls(&simulator, Endpoint::TriggerLookup), 0);
    exporter.finish(&simulator).await;
}
