//! What goes wrong while a run is followed, by the numbers of the list of faults.

use std::time::Duration;

use harness_exporter::model::{TriggerClass, TriggerStatus};
use harness_exporter::simulator::{Answer, Endpoint, Fault, Script, Simulator, World};

use super::exporter::Exporter;
use super::support::{Setup, calls, ended, failed, missed, pipeline, serve, world};

const HOUR: Duration = Duration::from_hours(1);

/// Of three hours, a few seconds: the event is queued for as long as it was ever seen to be.
const THREE_HOURS: f64 = 3.0 * 3600.0 / 2.5;

/// Due every second while its event is queued for three hours; both endpoints must come to the same.
async fn queued_for_three_hours(world: World) {
    let simulator = serve(world);
    let keys = "every: 1s, polling: {first: 50ms, min: 100ms, max: 1s}";
    let mut exporter = Setup::of(&simulator).pipeline("nightly", keys).start().await;
    let waits = r#"harness_pipeline_active_runs{state="pending"}"#;
    let m = exporter
        .eventually("a due time while it waits", |m| {
            m.value(waits) == 1 && m.value(&missed("nightly", "still_running")) >= 1
        })
        .await;
    assert_eq!(m.value(r#"harness_pipeline_last_trigger_outcome{outcome="pending"}"#), 1);
    exporter.eventually("its end", |m| m.value(&ended("nightly", "success")) >= 1).await;
    {
        let world = simulator.world();
        let received: Vec<_> = world.webhooks_of("nightly").collect();
        let first_end = received[0].at_ms + 2_500;
        assert!(received.iter().skip(1).all(|webhook| webhook.at_ms >= first_end), "{received:?}");
    }
    let reads = calls(&simulator, Endpoint::Event);
    assert!((3..=100).contains(&reads), "{reads} reads");
    exporter.finish(&simulator).await;
}

#[tokio::test]
async fn fault_13_queued_for_three_hours() {
    let mut world = world(THREE_HOURS);
    pipeline(&mut world, "nightly").queue(3 * HOUR);
    queued_for_three_hours(world).await;
}

#[tokio::test]
async fn fault_14_no_history_for_three_hours() {
    let mut world = world(THREE_HOURS);
    world.knows_v2_details = false;
    pipeline(&mut world, "nightly").queue(3 * HOUR);
    queued_for_three_hours(world).await;
}

async fn never_resolved(knows_v2: bool) {
    let mut world = world(600.0);
    world.knows_v2_details = knows_v2;
    pipeline(&mut world, "nightly").will(Script::never_resolve()).will(Script::succeed());
    let simulator = serve(world);
    let keys = "every: 1s, queue_deadline: 500ms";
    let mut exporter = Setup::of(&simulator).pipeline("nightly", keys).start().await;
    let (lost, good) = (failed("nightly", "deadline"), ended("nightly", "success"));
    exporter.eventually("the deadline", |m| m.value(&lost) == 1).await;
    let m = exporter.eventually("a good run", |m| m.value(&good) >= 1).await;
    assert_eq!(m.value(&lost), 1);
    exporter.finish(&simulator).await;
}

#[tokio::test]
async fn fault_15_an_event_that_never_resolves_is_lost_and_the_next_is_not() {
    tokio::join!(never_resolved(true), never_resolved(false));
}

fn reason_of(class: TriggerClass) -> Option<(&'static str, &'static str)> {
    match class {
        TriggerClass::Success => None,
        TriggerClass::Pending | TriggerClass::Unknown => Some(("lost", "deadline")),
        TriggerClass::Skipped => Some(("skipped", "skipped")),
        TriggerClass::NoMatchingTrigger => Some(("failed", "no_matching_trigger")),
        TriggerClass::StartRefused => Some(("failed", "start_refused")),
        TriggerClass::ProcessingError => Some(("failed", "processing_error")),
        TriggerClass::Other => Some(("failed", "other")),
    }
}

/// Every word that Harness has for what became of an event, and one that it has not.
#[tokio::test]
async fn fault_16_every_word_leads_to_its_outcome() {
    let mut words = TriggerStatus::TABLE.to_vec();
    words.push(("A_FRESH_WORD", TriggerClass::Unknown));
    let mut world = world(600.0);
    let mut setup = Setup::new("unknown yet");
    for (word, class) in &words {
        let script = match class {
            TriggerClass::Success => Script::succeed().processed_as(word),
            TriggerClass::Pending => Script::never_resolve(),
            _ => Script::respond(word, "so it is"),
        };
        pipeline(&mut world, word).queue(Duration::ZERO).will(script);
        let open = matches!(class, TriggerClass::Pending | TriggerClass::Unknown);
        setup = setup.pipeline(word, if open { "queue_deadline: 1s" } else { "" });
    }
    let simulator = serve(world);
    let mut exporter = setup.account("url", &simulator.url()).start().await;

    let (open, finals): (Vec<_>, Vec<_>) = words.iter().partition(|(_, class)| {
        matches!(class, TriggerClass::Pending | TriggerClass::Unknown | TriggerClass::Success)
    });
    for (word, _) in &finals {
        exporter.trigger(word).await;
    }
    let all = i64::try_from(finals.len()).unwrap();
    let failures = "harness_pipeline_trigger_failures_total";
    exporter.eventually("the final words", |m| m.sum(failures) == all).await;
    assert_eq!(calls(&simulator, Endpoint::Event), finals.len(), "one look at each was enough");
    for (word, _) in &open {
        exporter.trigger(word).await;
    }
    let m = exporter.eventually("all words", |m| m.sum("harness_pipeline_active_runs") == 0).await;
    for (word, class) in words {
        let of_word =
            format!("harness_pipeline_last_trigger_outcome{{pipeline=\"{word}\",outcome=");
        match reason_of(class) {
            None => {
                assert_eq!(m.value(&format!("{of_word}\"started\"}}")), 1, "{word}");
                assert_eq!(m.value(&ended(word, "success")), 1, "{word}");
            }
            Some((outcome, reason)) => {
                assert_eq!(m.value(&format!("{of_word}\"{outcome}\"}}")), 1, "{word}");
                assert_eq!(m.value(&failed(word, reason)), 1, "{word}");
            }
        }
    }
    assert_eq!(m.value(r#"harness_exporter_unknown_statuses_total{kind="trigger"}"#), 1);
    exporter.finish(&simulator).await;
}

/// A Harness with one pipeline that follows this script, and an exporter that has started it.
async fn one_run(speed: f64, script: Script) -> (Simulator, Exporter) {
    let mut world = world(speed);
    pipeline(&mut world, "nightly").will(script).queue(Duration::ZERO);
    let simulator = serve(world);
    let exporter = Setup::of(&simulator).pipeline("nightly", "").start().await;
    exporter.trigger("nightly").await;
    (simulator, exporter)
}

#[tokio::test]
async fn fault_17_details_that_come_later_are_waited_for() {
    let script = Script::succeed().without_details_for(Duration::from_mins(2));
    let (simulator, mut exporter) = one_run(120.0, script).await;
    let queued = r#"harness_pipeline_active_runs{state="queued"}"#;
    let m = exporter.eventually("an execution without details", |m| m.value(queued) == 1).await;
    assert_eq!(m.value(r#"harness_pipeline_last_trigger_outcome{outcome="started"}"#), 1);
    assert_eq!(m.count("harness_pipeline_last_run_status"), 0);
    exporter.eventually("its end", |m| m.value(&ended("nightly", "success")) == 1).await;
    exporter.finish(&simulator).await;
}

#[tokio::test]
async fn fault_18_an_unheard_of_status_is_followed() {
    let minute = Duration::from_mins(1);
    let script = Script::show("FooBar").then(minute, "Running").then(minute, "FooBar");
    let (simulator, mut exporter) = one_run(120.0, script.then(minute, "Success")).await;
    let unknown = r#"harness_pipeline_last_run_status{status="unknown"}"#;
    let m = exporter.eventually("FooBar", |m| m.count(unknown) == 1).await;
    assert_eq!(m.value(r#"harness_pipeline_active_runs{state="executing"}"#), 1);
    let m = exporter.eventually("its end", |m| m.value(&ended("nightly", "success")) == 1).await;
    assert_eq!(m.value(r#"harness_exporter_unknown_statuses_total{kind="execution"}"#), 1);
    assert_eq!(exporter.output().matches("FooBar").count(), 1, "logged once");
    exporter.finish(&simulator).await;
}

#[tokio::test]
async fn fault_19_and_20_half_of_all_reads_fail_and_then_the_key_is_throttled() {
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let mut world = world(60.0);
    for name in names {
        pipeline(&mut world, name);
    }
    world.faults.rate(Endpoint::Event, 0.5, Fault::Before(Answer::status(500)));
    let simulator = serve(world);
    let mut exporter = Setup::of(&simulator).start_with(names, "").await;
    for name in names {
        exporter.trigger(name).await;
    }
    let good = r#"harness_pipeline_runs_total{result="success"}"#;
    exporter.eventually("eight ends", |m| m.sum(good) == 8).await;

    for name in names {
        exporter.trigger(name).await;
    }
    {
        let mut world = simulator.world();
        world.faults.clear();
        world.faults.rate(Endpoint::Event, 1.0, Fault::Before(Answer::status(429)));
        world.calls.clear();
    }
    exporter.eventually("a probe", |m| m.value("harness_api_throttled_total") >= 2).await;
    // What was under way when the first came, and then one probe a step.
    let during = calls(&simulator, Endpoint::Event);
    assert!(during <= names.len() + 2, "{during} calls while throttled");
    simulator.world().faults.clear();
    exporter.eventually("eight more", |m| m.sum(good) == 16).await;
    exporter.finish(&simulator).await;
}

#[tokio::test]
async fn fault_25_a_run_ends_once() {
    let minute = Duration::from_mins(1);
    let script = Script::show("Failed").then(minute, "Running").then(minute, "Success");
    let (simulator, mut exporter) = one_run(240.0, script).await;
    exporter.eventually("its end", |m| m.value(&ended("nightly", "failure")) == 1).await;
    let reads = calls(&simulator, Endpoint::Event);
    simulator.world().advance(HOUR);
    exporter.restart().await;
    let m = exporter.scrape().await;
    assert_eq!(m.value(&ended("nightly", "failure")), 1);
    assert_eq!(m.value(&ended("nightly", "success")), 0);
    assert_eq!(m.value("harness_pipeline_consecutive_failures"), 1);
    assert_eq!(calls(&simulator, Endpoint::Event), reads, "nobody looks at what is over");
    exporter.finish(&simulator).await;
}
