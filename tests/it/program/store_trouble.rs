//! A store that is slow or can't be written: somebody else's tool holds its lock.

use std::path::Path;
use std::time::Duration;

use harness_exporter::driver::wall;
use rusqlite::{Connection, TransactionBehavior};

use super::support::{Setup, ended, pipeline, serve, until, world};

/// Keeps everybody else from writing for as long as `meanwhile` takes. The exporter waits a second
/// for such a lock.
async fn locked<T>(store: &Path, meanwhile: impl Future<Output = T>) -> T {
    let mut other = Connection::open(store).unwrap();
    let lock = other.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    let done = meanwhile.await;
    lock.rollback().unwrap();
    done
}

async fn passed(time: Duration) {
    let end = wall().after(time);
    until("a moment", async || (wall() >= end).then_some(())).await;
}

/// What is asked for while a save takes long waits for the disk; it is not turned away.
#[tokio::test]
async fn a_slow_store_turns_nobody_away() {
    let mut world = world(600.0);
    pipeline(&mut world, "first");
    pipeline(&mut world, "second");
    let simulator = serve(world);
    let mut exporter = Setup::of(&simulator).start_with(["first", "second"], "").await;
    exporter
        .eventually("the first save", |m| m.value("harness_exporter_store_writes_total") > 0)
        .await;
    let first = exporter.ask("first", "");
    let second = async {
        passed(Duration::from_millis(350)).await;
        exporter.ask("second", "").await
    };
    let store = exporter.store();
    let slow = locked(&store, passed(Duration::from_millis(450)));
    let (first, second, ()) = tokio::join!(first, second, slow);
    assert_eq!((first.0, second.0), (202, 202), "{first:?} {second:?}");
    let good = [ended("first", "success"), ended("second", "success")];
    let m = exporter.eventually("both ends", |m| good.iter().all(|good| m.value(good) == 1)).await;
    assert_eq!(m.value("harness_exporter_store_write_failures_total"), 0);
    exporter.finish(&simulator).await;
}

/// Nothing is triggered without a saved record; the metrics are served; it goes on by itself.
#[tokio::test]
async fn fault_28_a_store_that_cannot_be_written() {
    let mut world = world(600.0);
    pipeline(&mut world, "scheduled");
    pipeline(&mut world, "asked");
    let simulator = serve(world);
    let setup = Setup::of(&simulator).pipeline("scheduled", "every: 1s").pipeline("asked", "");
    let mut exporter = setup.start().await;
    let (good, asked) = (ended("scheduled", "success"), ended("asked", "success"));
    exporter.eventually("a run", |m| m.value(&good) >= 1).await;
    let store = exporter.store();
    let missed = r#"harness_pipeline_schedules_missed_total{reason="store_unavailable"}"#;
    let received = locked(&store, async {
        let failures = "harness_exporter_store_write_failures_total";
        exporter.eventually("a failed save", |m| m.value(failures) >= 1).await;
        assert_eq!(exporter.get("/-/ready").await.0, 503);
        assert_eq!(exporter.get("/-/healthy").await.0, 200);
        let (status, said) = exporter.ask("asked", "").await;
        assert_eq!(status, 503, "{said}");
        let received = simulator.world().ledger.len();
        exporter.eventually("further attempts", |m| m.value(failures) >= 2).await;
        assert_eq!(simulator.world().ledger.len(), received, "nothing was saved, nothing sent");
        received
    })
    .await;
    until("it is ready", async || (exporter.get("/-/ready").await.0 == 200).then_some(())).await;
    exporter.eventually("the loss is counted", |m| m.sum(missed) >= 1).await;
    exporter.eventually("more runs", |_| simulator.world().ledger.len() > received).await;
    exporter.trigger("asked").await;
    exporter.eventually("its end", |m| m.value(&asked) == 1).await;
    exporter.finish(&simulator).await;
}
