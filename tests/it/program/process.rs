//! What befalls the process: killed, told to end, started again, started twice, given a bad store.

use std::fs;
use std::time::Duration;

use harness_exporter::model::Phase;
use harness_exporter::simulator::{Answer, Delivery, Endpoint, Fault, Script};
use rusqlite::Connection;

use super::exporter::run;
use super::ledger;
use super::support::{Setup, calls, ended, failed, pipeline, serve, until, world};

const MINUTE: Duration = Duration::from_mins(1);

/// One run is being sent and its answer does not come, one is accepted and queued, one executes.
#[tokio::test]
async fn fault_26_killed_in_the_middle_of_three_runs() {
    let mut world = world(0.0);
    pipeline(&mut world, "sending");
    pipeline(&mut world, "accepted").queue(MINUTE);
    pipeline(&mut world, "executing").queue(Duration::ZERO).will(Script::fail_at(1));
    world.faults.next(Endpoint::Trigger, 1, Fault::After(Answer::Never));
    let simulator = serve(world);
    let setup = Setup::of(&simulator).account("timeout", "30s").without_key();
    let names = ["sending", "accepted", "executing"];
    let mut exporter = setup.start_with(names, "concurrency: forbid").await;

    exporter.trigger("sending").await;
    until("the webhook", async || (!simulator.world().ledger.is_empty()).then_some(())).await;
    exporter.trigger("accepted").await;
    exporter.trigger("executing").await;
    let executing = r#"harness_pipeline_active_runs{pipeline="executing",state="executing"}"#;
    exporter.eventually("one at work", |m| m.value(executing) == 1).await;
    let accepted = "msg=\"webhook accepted\" pipeline=accepted";
    until("the other's event", async || exporter.output().contains(accepted).then_some(())).await;
    exporter.kill().await;
    let phases: Vec<_> = ledger::runs(&exporter.store()).iter().map(|run| run.phase).collect();
    assert_eq!(phases, [Phase::Sending, Phase::Accepted, Phase::Executing]);

    exporter.start_again().await;
    let unconfirmed = failed("sending", "unconfirmed");
    let m = exporter.eventually("its verdict", |m| m.value(&unconfirmed) == 1).await;
    let outcome =
        r#"harness_pipeline_last_trigger_outcome{pipeline="sending",outcome="unconfirmed"}"#;
    assert_eq!(m.value(outcome), 1);
    assert_eq!(exporter.ask("accepted", "").await.0, 409, "it is still active");
    simulator.world().advance(MINUTE);
    simulator.world().advance(MINUTE);
    let m = exporter
        .eventually("their ends", |m| {
            m.value(&ended("accepted", "success")) == 1
                && m.value(&ended("executing", "failure")) == 1
        })
        .await;
    assert_eq!(m.sum("harness_pipeline_triggers_total"), 3);
    assert_eq!(m.sum("harness_pipeline_active_runs"), 0);
    assert_eq!(simulator.world().ledger.len(), 3);
    exporter.finish(&simulator).await;
}

/// Both ways to end leave the same behind, and nothing in what is shown of the fleet is moved by
/// time alone: a run that ended, one that waits for Harness, one that failed, a next due time.
#[tokio::test]
async fn a_restart_shows_what_was_shown_before() {
    let mut world = world(600.0);
    pipeline(&mut world, "good");
    pipeline(&mut world, "open").will(Script::never_resolve());
    pipeline(&mut world, "refused").will(Script::refuse_start("no such branch"));
    pipeline(&mut world, "scheduled");
    let simulator = serve(world);
    let setup = Setup::of(&simulator).pipeline("scheduled", "every: 365d").pipeline("new", "");
    let mut exporter = setup.start_with(["good", "open", "refused"], "").await;
    for name in ["good", "open", "refused"] {
        exporter.trigger(name).await;
    }
    let before = exporter
        .eventually("two ends", |m| {
            m.value(&ended("good", "success")) == 1
                && m.value(&failed("refused", "start_refused")) == 1
        })
        .await;
    for killed in [false, true] {
        if killed {
            exporter.kill().await;
        } else {
            assert!(exporter.stop().await.success());
        }
        exporter.start_again().await;
        // The engine says when a pipeline is next due as soon as it has turned once.
        let next = "harness_pipeline_next_trigger_timestamp_seconds";
        let after = exporter.eventually("the first turn", |m| m.count(next) == 1).await;
        assert_eq!(after.lasting(), before.lasting(), "killed: {killed}");
        assert!(before.lasting().len() > 300);
    }
    exporter.finish(&simulator).await;
}

/// It waits for the one webhook that is under way, and for none of the reads, which nobody answers.
#[tokio::test]
async fn fault_30_told_to_end_with_five_hundred_runs_in_flight() {
    let names: Vec<_> = (0..500).map(|number| format!("p{number}")).collect();
    let mut world = world(0.0);
    let mut setup = Setup::new("unknown yet").account("timeout", "10m");
    for name in names.iter().map(String::as_str).chain(["last"]) {
        pipeline(&mut world, name).queue(Duration::ZERO);
        setup.set_pipeline(name, "polling: {first: 1s, min: 2s, max: 2s}");
    }
    let simulator = serve(world);
    let mut exporter = setup.account("url", &simulator.url()).start().await;
    // Those who ask together share a sync of the disk.
    let asking = async |first: usize| {
        for name in names.iter().skip(first).step_by(5) {
            exporter.trigger(name).await;
        }
    };
    tokio::join!(asking(0), asking(1), asking(2), asking(3), asking(4));
    let executing = r#"harness_pipeline_active_runs{state="executing"}"#;
    exporter.rises_to(executing, 500).await;
    {
        let mut world = simulator.world();
        for endpoint in [Endpoint::Event, Endpoint::Executions] {
            world.faults.rate(endpoint, 1.0, Fault::Before(Answer::Never));
        }
        let slow = Fault::Usual(Delivery::Slow(Duration::from_millis(5)));
        world.faults.next(Endpoint::Trigger, 1, slow);
    }
    let reads = || calls(&simulator, Endpoint::Event) + calls(&simulator, Endpoint::Executions);
    let before = reads();
    until("a read that hangs", async || (reads() > before).then_some(())).await;
    exporter.trigger("last").await;
    until("its webhook", async || (simulator.world().ledger.len() == 501).then_some(())).await;
    assert!(exporter.stop().await.success());
    let runs = ledger::runs(&exporter.store());
    let last = runs.iter().find(|run| run.pipeline.as_str() == "last").unwrap();
    assert_eq!(last.phase, Phase::Accepted, "its answer was waited for: {last:?}");

    simulator.world().faults.clear();
    exporter.start_again().await;
    let m = exporter.scrape().await;
    assert_eq!(m.sum("harness_pipeline_active_runs"), 501);
    simulator.world().advance(MINUTE);
    let good = r#"harness_pipeline_runs_total{result="success"}"#;
    let m = exporter.rises_to(good, 501).await;
    assert_eq!(m.sum("harness_pipeline_triggers_total"), 501);
    exporter.finish(&simulator).await;
}

/// A file beside the store would have to be copied with it, and could spoil a copy put back.
#[tokio::test]
async fn ended_in_order_the_store_is_one_file() {
    let simulator = serve(world(1.0));
    let mut exporter = Setup::of(&simulator).pipeline("nightly", "every: 365d").start().await;
    assert!(exporter.stop().await.success());
    let files = fs::read_dir(exporter.store().parent().unwrap()).unwrap();
    let mut names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["harness-exporter.db", "harness-exporter.db.lock"]);
    exporter.finish(&simulator).await;
}

#[tokio::test]
async fn fault_29_a_second_process_on_one_store_is_refused() {
    let simulator = serve(world(1.0));
    let exporter = Setup::of(&simulator).pipeline("nightly", "every: 365d").start().await;
    let (status, said) = run(&exporter.setup, &["serve", "--web.listen-address=127.0.0.1:0"]).await;
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("harness-exporter.db is in use by another exporter: "), "{said}");
    let (status, _) = exporter.get("/-/ready").await;
    assert_eq!(status, 200, "the first goes on");
    exporter.finish(&simulator).await;
}

#[tokio::test]
async fn fault_27_and_31_a_store_that_cannot_be_trusted_is_refused() {
    let simulator = serve(world(1.0));
    let mut exporter = Setup::of(&simulator).pipeline("nightly", "every: 365d").start().await;
    assert!(exporter.stop().await.success());
    let store = exporter.store();
    let good = fs::read(&store).unwrap();
    let refused = async |what: &str| {
        let before = fs::read(&store).unwrap();
        let arguments = ["serve", "--web.listen-address=127.0.0.1:0"];
        let (status, said) = run(&exporter.setup, &arguments).await;
        assert_eq!(status, 1, "{said}");
        let last = said.lines().last().unwrap();
        assert!(last.starts_with("error: ") && last.contains(what), "{said}");
        assert_eq!(fs::read(&store).unwrap(), before, "it was left as it was");
    };
    fs::write(&store, "").unwrap();
    refused("is damaged: the file is empty").await;
    fs::write(&store, "no database").unwrap();
    refused("is damaged: the file is not a database").await;
    fs::write(&store, &good[..good.len() / 2]).unwrap();
    refused("is damaged").await;
    fs::write(&store, &good).unwrap();
    Connection::open(&store).unwrap().pragma_update(None, "user_version", 99).unwrap();
    refused("has schema version 99").await;
    fs::write(&store, &good).unwrap();
    exporter.start_again().await;
    exporter.finish(&simulator).await;
}

#[tokio::test]
async fn a_run_that_was_asked_for_and_not_sent_is_sent_by_the_next_process() {
    let mut world = world(600.0);
    for name in ["first", "second"] {
        pipeline(&mut world, name);
    }
    world.faults.next(Endpoint::Trigger, 1, Fault::After(Answer::Never));
    let simulator = serve(world);
    let setup = Setup::of(&simulator).account("max_active_runs", "1").account("timeout", "30s");
    let setup = setup.without_key();
    let mut exporter = setup.start_with(["first", "second"], "").await;
    exporter.trigger("first").await;
    exporter.trigger("second").await;
    until("the webhook", async || (!simulator.world().ledger.is_empty()).then_some(())).await;
    exporter.kill().await;
    exporter.start_again().await;
    let m = exporter.eventually("its end", |m| m.value(&ended("second", "success")) == 1).await;
    assert_eq!(m.value(&failed("first", "unconfirmed")), 1);
    assert_eq!(calls(&simulator, Endpoint::Trigger), 2);
    exporter.finish(&simulator).await;
}
