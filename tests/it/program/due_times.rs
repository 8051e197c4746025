//! Which due times fire, over a first start, gaps, edits, and a run that takes a day.

use std::collections::BTreeSet;
use std::time::Duration;

use harness_exporter::simulator::{Script, Simulator};
use rusqlite::Connection;

use super::exporter::Exporter;
use super::ledger;
use super::scrape::Scrape;
use super::support::{Setup, ended, missed, pipeline, serve, until, world};

const HOUR_MS: i64 = 3_600_000;

/// An hour's due times lie within their deadline, so that only the rules keep them from firing.
const HOURLY: &str = "every: 1h, align: epoch, start_deadline: 2h";

const TRIGGERS: &str = r#"harness_pipeline_triggers_total{origin="schedule"}"#;
const MISSED: &str = "harness_pipeline_schedules_missed_total";

/// Something has been begun and has ended: by then, whatever was due at the start has been dealt
/// with.
async fn after_a_marker(exporter: &mut Exporter) -> Scrape {
    let markers = ended("marker", "success");
    let before = exporter.scrape().await.value(&markers);
    exporter.trigger("marker").await;
    exporter.eventually("the marker", |m| m.value(&markers) > before).await
}

/// An exporter with a pipeline that is due every second.
async fn due_every_second() -> (Simulator, Exporter) {
    let mut world = world(6_000.0);
    pipeline(&mut world, "secondly");
    let simulator = serve(world);
    let keys = "every: 1s, align: epoch, concurrency: allow";
    let exporter = Setup::of(&simulator).pipeline("secondly", keys).start().await;
    (simulator, exporter)
}

/// Makes it so that the last due time was handled `hours` due times ago.
fn was_down_for(exporter: &Exporter, pipeline: &str, hours: i64) {
    let store = Connection::open(exporter.store()).unwrap();
    let text = "update pipelines set handled_until = handled_until - ?1 where name = ?2";
    assert_eq!(store.execute(text, (hours * HOUR_MS, pipeline)).unwrap(), 1);
}

#[tokio::test]
async fn a_first_start_fires_nothing_of_the_past() {
    let mut world = world(600.0);
    pipeline(&mut world, "marker");
    pipeline(&mut world, "hourly");
    let simulator = serve(world);
    let setup = Setup::of(&simulator).pipeline("hourly", HOURLY).pipeline("marker", "");
    let mut exporter = setup.start().await;
    let m = after_a_marker(&mut exporter).await;
    assert_eq!((m.sum(TRIGGERS), m.sum(MISSED)), (0, 0));
    let next = m.millis("harness_pipeline_next_trigger_timestamp_seconds").unwrap();
    assert_eq!(next % HOUR_MS, 0, "aligned to the epoch");
    exporter.finish(&simulator).await;
}

/// Down over several due times of a second each.
#[tokio::test]
async fn after_a_gap_the_newest_due_time_fires_and_the_others_are_missed() {
    let (simulator, mut exporter) = due_every_second().await;
    let before = exporter.eventually("a run", |m| m.sum(TRIGGERS) >= 1).await;
    assert!(exporter.stop().await.success());
    let runs = ledger::runs(&exporter.store());
    let last_before = runs.last().unwrap().due.unwrap();
    until("a few due times", async || (elapsed_since(last_before.0) > 3_200).then_some(())).await;
    exporter.start_again().await;
    let first_after = before.sum(TRIGGERS) + 1;
    exporter.eventually("a run", |m| m.sum(TRIGGERS) >= first_after).await;
    assert!(exporter.stop().await.success());

    let runs = ledger::runs(&exporter.store());
    let due: Vec<_> = runs.iter().map(|run| run.due.unwrap().0).collect();
    let at = due.iter().position(|due| *due == last_before.0).unwrap();
    let gap = (due[at + 1] - due[at]) / 1000;
    assert!(gap >= 3, "{due:?}");
    let totals = ledger::totals(&exporter.store());
    let down = ("secondly".to_owned(), "schedules_missed".to_owned(), "exporter_down".to_owned());
    assert_eq!(totals[&down], gap - 1, "{due:?}");
    exporter.start_again().await;
    exporter.finish(&simulator).await;
}

/// Nothing of it runs for a while, as when the machine sleeps.
#[tokio::test]
async fn fault_35_a_process_that_stood_still_sends_the_newest_due_time_and_misses_the_others() {
    let (simulator, mut exporter) = due_every_second().await;
    exporter.eventually("a run", |m| m.sum(TRIGGERS) >= 1).await;
    let since = harness_exporter::driver::wall().0;
    exporter.signal("STOP");
    until("a few due times", async || (elapsed_since(since) > 4_200).then_some(())).await;
    exporter.signal("CONT");
    let late = missed("secondly", "late");
    let m = exporter.eventually("what was missed", |m| m.value(&late) >= 2).await;
    let triggers = m.sum(TRIGGERS);
    exporter.eventually("a run", |m| m.sum(TRIGGERS) > triggers).await;
    assert!(exporter.stop().await.success());
    let runs = ledger::runs(&exporter.store());
    let due: BTreeSet<_> = runs.iter().map(|run| run.due.unwrap().0 / 1000).collect();
    let all = due.last().unwrap() - due.first().unwrap() + 1;
    let totals = ledger::totals(&exporter.store());
    let late = totals[&("secondly".to_owned(), "schedules_missed".to_owned(), "late".to_owned())];
    assert_eq!(all, i64::try_from(due.len()).unwrap() + late, "{due:?}");
    exporter.start_again().await;
    exporter.finish(&simulator).await;
}

/// In milliseconds, by the clock of the machine.
fn elapsed_since(instant: i64) -> i64 {
    harness_exporter::driver::wall().0 - instant
}

#[tokio::test]
async fn after_a_gap_what_is_too_old_does_not_fire() {
    let mut world = world(600.0);
    pipeline(&mut world, "marker");
    pipeline(&mut world, "hourly");
    let simulator = serve(world);
    let setup = Setup::of(&simulator).pipeline("marker", "");
    let late = "every: 1h, align: epoch, start_deadline: 1ms";
    let mut exporter = setup.pipeline("hourly", late).start().await;
    assert!(exporter.stop().await.success());
    was_down_for(&exporter, "hourly", 5);
    exporter.start_again().await;
    let m = after_a_marker(&mut exporter).await;
    assert_eq!(m.sum(TRIGGERS), 0);
    assert_eq!(m.value(&missed("hourly", "exporter_down")), 5);
    assert_eq!(m.sum(MISSED), 5);
    exporter.finish(&simulator).await;
}

/// The same gap fires with the old schedule, and not with another.
#[tokio::test]
async fn a_schedule_edited_while_down_fires_nothing() {
    let mut world = world(600.0);
    for name in ["marker", "edited", "paused", "same"] {
        pipeline(&mut world, name);
    }
    let simulator = serve(world);
    let setup = Setup::of(&simulator).pipeline("marker", "");
    let mut exporter = setup.start_with(["edited", "paused", "same"], HOURLY).await;
    assert!(exporter.stop().await.success());
    for name in ["edited", "paused", "same"] {
        was_down_for(&exporter, name, 3);
    }
    exporter.setup.set_pipeline("edited", "every: 30m, align: epoch, start_deadline: 2h");
    exporter.setup.set_pipeline("paused", &format!("{HOURLY}, paused: true"));
    exporter.start_again().await;
    let good = ended("same", "success");
    exporter.eventually("the one that fires", |m| m.value(&good) == 1).await;
    let m = after_a_marker(&mut exporter).await;
    assert_eq!(m.sum(TRIGGERS), 1);
    assert_eq!(m.value(&missed("same", "exporter_down")), 2);
    assert_eq!(m.value(&missed("edited", "exporter_down")), 3);
    assert_eq!(m.value(&missed("paused", "exporter_down")), 3);
    assert_eq!(m.value(r#"harness_pipeline_paused{pipeline="paused",cause="config"}"#), 1);
    exporter.finish(&simulator).await;
}

/// Harness ends it as expired after 24 hours.
#[tokio::test]
async fn a_run_that_expires_after_a_day_has_timed_out_and_held_back_the_others() {
    let mut world = world(0.0);
    pipeline(&mut world, "backup").queue(Duration::ZERO).will(Script::expire());
    let simulator = serve(world);
    let mut exporter = Setup::of(&simulator).pipeline("backup", "every: 1s").start().await;
    let waits = missed("backup", "still_running");
    let m = exporter.eventually("further due times", |m| m.value(&waits) >= 2).await;
    assert_eq!(m.value(r#"harness_pipeline_active_runs{state="executing"}"#), 1);
    assert_eq!(simulator.world().ledger.len(), 1);
    simulator.world().advance(Duration::from_hours(25));
    let m = exporter.eventually("its end", |m| m.value(&ended("backup", "timeout")) == 1).await;
    assert_eq!(m.value(r#"harness_pipeline_last_run_result{result="timeout"}"#), 1);
    assert_eq!(m.millis("harness_pipeline_last_run_duration_seconds"), Some(86_404_046));
    assert_eq!(m.value(&ended("backup", "lost")), 0);
    exporter.finish(&simulator).await;
}

/// `allow` starts a run at each due time, `max_active_runs` makes the next ones wait, and what has
/// waited too long is missed for that reason.
#[tokio::test]
async fn a_cap_makes_due_times_wait_and_then_miss() {
    let mut world = world(1.0);
    pipeline(&mut world, "busy")
        .will(Script::show("Running").then(Duration::from_hours(1), "Success"));
    let simulator = serve(world);
    let keys = "every: 1s, concurrency: allow, start_deadline: 900ms";
    let setup = Setup::of(&simulator).account("max_active_runs", "2").pipeline("busy", keys);
    let mut exporter = setup.start().await;
    let m = exporter.eventually("a miss", |m| m.value(&missed("busy", "limit")) >= 1).await;
    assert_eq!(m.sum(TRIGGERS), 2);
    assert_eq!(m.sum("harness_pipeline_active_runs"), 2);
    assert_eq!(m.value(&missed("busy", "rate_limited")), 0, "the limiter had room");
    exporter.finish(&simulator).await;
}
