//! Runs of unknown fate with a key: their executions are looked for, and taken where it is certain.

use harness_exporter::model::Phase;
use harness_exporter::simulator::{Answer, Endpoint, Fault, FilterSupport, Script, Simulator};

use super::exporter::Exporter;
use super::ledger;
use super::support::{Setup, calls, ended, failed, pipeline, serve, until, world};

const IDS: [&str; 4] = ["default", "shop", "nightly", "exporter"];

/// The next answer to a webhook is lost after Harness has acted on it.
fn lose_answer(simulator: &Simulator) {
    simulator.world().faults.next(Endpoint::Trigger, 1, Fault::After(Answer::Reset));
}

/// A Harness with one pipeline, and an exporter with a key that starts it when asked.
async fn nightly(speed: f64, keys: &str) -> (Simulator, Exporter) {
    let mut world = world(speed);
    pipeline(&mut world, "nightly").will(Script::fail_at(1));
    let simulator = serve(world);
    let exporter = Setup::of(&simulator).pipeline("nightly", keys).start().await;
    (simulator, exporter)
}

fn outcome(word: &str) -> String {
    format!("harness_pipeline_last_trigger_outcome{{outcome=\"{word}\"}}")
}

const PENDING: &str = r#"harness_pipeline_active_runs{state="pending"}"#;

#[tokio::test]
async fn fault_04_with_a_key_the_execution_is_found_and_followed_to_its_end() {
    for filter in [FilterSupport::Known, FilterSupport::Ignored, FilterSupport::Refused] {
        let (simulator, mut exporter) = nightly(0.0, "concurrency: forbid").await;
        simulator.world().trigger_identifiers = filter;
        simulator.world().started_by_hand(["default", "shop", "nightly"]);
        lose_answer(&simulator);
        exporter.trigger("nightly").await;
        let unconfirmed = outcome("unconfirmed");
        let m = exporter.eventually("doubt", |m| m.value(&unconfirmed) == 1).await;
        assert_eq!((m.value(PENDING), m.sum("harness_pipeline_trigger_failures_total")), (1, 0));
        assert_eq!(exporter.ask("nightly", "").await.0, 409, "it holds forbid");

        simulator.world().advance(std::time::Duration::from_secs(3));
        let started = outcome("started");
        exporter.eventually("its execution", |m| m.value(&started) == 1).await;
        exporter.restart().await;
        simulator.world().advance(std::time::Duration::from_mins(2));
        let failure = ended("nightly", "failure");
        let m = exporter.eventually("its end", |m| m.value(&failure) == 1).await;
        assert_eq!(m.sum("harness_pipeline_trigger_failures_total"), 0);
        let looks = r#"harness_api_requests_total{endpoint="execution"}"#;
        assert!(m.sum(looks) > 0, "it is followed by its execution");
        assert_eq!(calls(&simulator, Endpoint::Trigger), 1);
        assert_eq!(calls(&simulator, Endpoint::Event), 0);
        assert!(exporter.output().contains("found the execution of a webhook of unknown fate"));
        exporter.finish(&simulator).await;
    }
}

#[tokio::test]
async fn fault_26_killed_while_sending_with_a_key_the_next_process_finds_the_execution() {
    let mut world = world(0.0);
    pipeline(&mut world, "nightly");
    world.faults.next(Endpoint::Trigger, 1, Fault::After(Answer::Never));
    let simulator = serve(world);
    let setup = Setup::of(&simulator).account("timeout", "30s");
    let mut exporter = setup.pipeline("nightly", "").start().await;
    exporter.trigger("nightly").await;
    until("the webhook", async || (!simulator.world().ledger.is_empty()).then_some(())).await;
    exporter.kill().await;
    assert_eq!(ledger::runs(&exporter.store())[0].phase, Phase::Sending);
    exporter.start_again().await;
    let unconfirmed = outcome("unconfirmed");
    exporter.eventually("doubt", |m| m.value(&unconfirmed) == 1).await;
    exporter.kill().await;
    simulator.world().advance(std::time::Duration::from_mins(5));
    exporter.start_again().await;
    let success = ended("nightly", "success");
    exporter.eventually("its end", |m| m.value(&success) == 1).await;
    assert_eq!(simulator.world().ledger.len(), 1);
    exporter.finish(&simulator).await;
}

/// One that somebody else started at the same time, one that was never acted on, and two at once:
/// where it is not certain nothing is taken.
#[tokio::test]
async fn where_it_is_not_certain_it_is_unconfirmed_at_the_deadline() {
    let keys = "concurrency: allow, unconfirmed_deadline: 3s";
    let unconfirmed = failed("nightly", "unconfirmed");
    let server_error = failed("nightly", "server_error");

    let (simulator, mut exporter) = nightly(600.0, keys).await;
    let before = Fault::Before(Answer::status(502));
    simulator.world().faults.next(Endpoint::Trigger, 1, before);
    exporter.trigger("nightly").await;
    exporter.eventually("one that never was", |m| m.value(&server_error) == 1).await;

    simulator.world().faults.next(Endpoint::Executions, 1, Fault::Before(Answer::status(500)));
    simulator.world().triggered_by_others(IDS);
    lose_answer(&simulator);
    exporter.trigger("nightly").await;
    exporter.eventually("one of two", |m| m.value(&unconfirmed) == 1).await;
    assert_eq!(simulator.world().executions().len(), 2);
    exporter.finish(&simulator).await;

    let (simulator, mut exporter) = nightly(0.0, keys).await;
    for _ in 0..2 {
        lose_answer(&simulator);
        exporter.trigger("nightly").await;
    }
    exporter.eventually("two in doubt", |m| m.value(PENDING) == 2).await;
    simulator.world().advance(std::time::Duration::from_secs(3));
    let m = exporter.eventually("two verdicts", |m| m.value(&unconfirmed) == 2).await;
    assert_eq!(m.sum("harness_pipeline_runs_total"), 0);
    assert_eq!(simulator.world().ledger.len(), 2);
    exporter.finish(&simulator).await;
}

#[tokio::test]
async fn fault_04_without_a_key_it_has_failed_at_once_and_holds_nothing_back() {
    let mut world = world(0.0);
    pipeline(&mut world, "nightly");
    let simulator = serve(world);
    let setup = Setup::of(&simulator).without_key();
    let mut exporter = setup.pipeline("nightly", "concurrency: forbid").start().await;
    lose_answer(&simulator);
    exporter.trigger("nightly").await;
    let unconfirmed = failed("nightly", "unconfirmed");
    let m = exporter.eventually("its verdict", |m| m.value(&unconfirmed) == 1).await;
    assert_eq!(m.value(PENDING), 0);
    assert_eq!(calls(&simulator, Endpoint::Executions), 0);
    exporter.trigger("nightly").await;
    exporter.finish(&simulator).await;
}
