//! A store that is slow or can't be written, and a process that may have few files.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use harness_exporter::driver::wall;
use harness_exporter::simulator::{Answer, Endpoint, Fault, Simulator};
use rusqlite::{Connection, TransactionBehavior};

use super::exporter::{Exporter, run};
use super::support::{Setup, calls, ended, pipeline, serve, until, world};

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

/// One pipeline is due every second, the other when it is asked for.
async fn busy(first: &'static str) -> (Exporter, Simulator) {
    let mut world = world(600.0);
    pipeline(&mut world, "scheduled");
    pipeline(&mut world, "asked");
    let simulator = serve(world);
    let setup = Setup::of(&simulator).pipeline("scheduled", "every: 1s").pipeline("asked", "");
    let mut exporter = setup.first(first).start().await;
    exporter.eventually("a run", |m| m.value(&ended("scheduled", "success")) >= 1).await;
    (exporter, simulator)
}

/// Nothing is triggered without a saved record; the metrics are served. What Harness received.
async fn suffers(exporter: &mut Exporter, simulator: &Simulator) -> usize {
    let failures = "harness_exporter_store_write_failures_total";
    let before = exporter.scrape().await.value(failures);
    exporter.eventually("a failed save", |m| m.value(failures) > before).await;
    assert_eq!(exporter.get("/-/ready").await.0, 503);
    assert_eq!(exporter.get("/-/healthy").await.0, 200);
    let (status, said) = exporter.ask("asked", "").await;
    assert_eq!(status, 503, "{said}");
    let received = simulator.world().ledger.len();
    exporter.eventually("further attempts", |m| m.value(failures) > before + 2).await;
    assert_eq!(simulator.world().ledger.len(), received, "nothing was saved, nothing sent");
    received
}

/// It goes on by itself.
async fn goes_on(exporter: &mut Exporter, simulator: &Simulator, received: usize) {
    until("it is ready", async || (exporter.get("/-/ready").await.0 == 200).then_some(())).await;
    exporter.eventually("more runs", |_| simulator.world().ledger.len() > received).await;
    let good = ended("asked", "success");
    let before = exporter.scrape().await.value(&good);
    exporter.trigger("asked").await;
    exporter.eventually("its end", |m| m.value(&good) > before).await;
}

#[tokio::test]
async fn fault_28_a_store_that_somebody_else_has_locked() {
    let (mut exporter, simulator) = busy("true").await;
    let store = exporter.store();
    let received = locked(&store, suffers(&mut exporter, &simulator)).await;
    goes_on(&mut exporter, &simulator, received).await;
    exporter.finish(&simulator).await;
}

#[tokio::test]
async fn fault_28_a_full_disk() {
    let (mut exporter, simulator) = busy("trap '' XFSZ").await;
    exporter.limit_files("0");
    let received = suffers(&mut exporter, &simulator).await;
    exporter.limit_files("unlimited");
    goes_on(&mut exporter, &simulator, received).await;
    // Killed while there is no room, it goes on from what is on disk.
    exporter.limit_files("0");
    suffers(&mut exporter, &simulator).await;
    exporter.kill().await;
    exporter.start_again().await;
    let failures = "harness_exporter_store_write_failures_total";
    let received = simulator.world().ledger.len();
    exporter.eventually("a run", |_| simulator.world().ledger.len() > received).await;
    assert_eq!(exporter.scrape().await.value(failures), 0);
    exporter.finish(&simulator).await;
}

/// What is written after somebody has made a copy is not lost with the process. `SQLite`'s own lock on
/// the file tells other programs that they are not the last to close it, and are to leave the log
/// alone; the newest look twice, as the one in these tests does, so that the lock itself is looked for.
#[tokio::test]
async fn a_copy_made_while_it_runs_leaves_it_its_log() {
    let (mut exporter, simulator) = busy("true").await;
    let store = exporter.store();
    let log = store.with_extension("db-wal");
    for copy in ["one.db", "two.db"] {
        let (process, file) = (exporter.id(), fs::metadata(&store).unwrap().ino());
        let locks = fs::read_to_string("/proc/locks").unwrap();
        let mut locks = locks.lines().filter(|lock| lock.contains("POSIX"));
        let ours = |lock: &str| {
            lock.contains(&format!(" {process} ")) && lock.contains(&format!(":{file} "))
        };
        assert!(locks.any(ours), "it holds no lock on its store");
        let copy = exporter.setup.folder().join(copy);
        let other = Connection::open(&store).unwrap();
        other.execute("vacuum into ?1", [copy.to_str().unwrap()]).unwrap();
        other.close().unwrap();
        assert!(log.exists(), "the last to close a store removes its log");
        let received = simulator.world().ledger.len();
        exporter.eventually("more runs", |_| simulator.world().ledger.len() > received + 1).await;
        exporter.kill().await;
        exporter.start_again().await;
    }
    exporter.finish(&simulator).await;
}

/// Has root heed the permissions of files, as everybody else does.
const WITHOUT_POWERS: &str = "if [ \"$(id -u)\" = 0 ]; then \
    set -- setpriv --bounding-set=-dac_override,-dac_read_search \
        --inh-caps=-dac_override,-dac_read_search \"$@\"; fi";

/// It begins nothing that it could not remember: it ends, says why, and goes on once it may write.
#[tokio::test]
async fn fault_28_a_file_or_folder_that_may_only_be_read() {
    let (mut exporter, simulator) = busy(WITHOUT_POWERS).await;
    let store = exporter.store();
    for (path, read_only) in [(store.as_path(), 0o444), (store.parent().unwrap(), 0o555)] {
        assert!(exporter.stop().await.success());
        let usual = fs::metadata(path).unwrap().permissions();
        fs::set_permissions(path, Permissions::from_mode(read_only)).unwrap();
        let received = simulator.world().ledger.len();
        let (status, said) =
            run(&exporter.setup, &["serve", "--web.listen-address=127.0.0.1:0"]).await;
        assert_eq!(status, 1, "{said}");
        let last = said.lines().last().unwrap();
        assert!(last.starts_with("error: ") && last.contains("its folder"), "{said}");
        assert_eq!(simulator.world().ledger.len(), received);
        fs::set_permissions(path, usual).unwrap();
        exporter.start_again().await;
        goes_on(&mut exporter, &simulator, received).await;
    }
    exporter.finish(&simulator).await;
}

/// Without bounds, reads that nobody answers would take every descriptor, and webhooks and scrapes
/// get none.
#[tokio::test]
async fn fault_32_sixty_four_file_descriptors() {
    let names: Vec<_> = (0..100).map(|number| format!("p{number}")).collect();
    let mut world = world(600.0);
    let mut setup = Setup::new("unknown yet").first("ulimit -n 64").account("timeout", "10m");
    for name in &names {
        pipeline(&mut world, name);
        setup.set_pipeline(name, "");
    }
    world.faults.rate(Endpoint::Event, 1.0, Fault::Before(Answer::Never));
    let simulator = serve(world);
    let mut exporter = setup.account("url", &simulator.url()).start().await;
    for name in &names {
        exporter.trigger(name).await;
    }
    let active = "harness_pipeline_active_runs";
    exporter.rises_to(active, 100).await;
    let accepted = |exporter: &Exporter| exporter.output().matches("\"webhook accepted\"").count();
    until("all answers", async || (accepted(&exporter) == 100).then_some(())).await;
    assert_eq!(calls(&simulator, Endpoint::Trigger), 100);

    // Slower, not dead: some hold their place until the timeout, and every run ends.
    simulator.world().faults.clear();
    simulator.world().faults.rate(Endpoint::Event, 0.15, Fault::Before(Answer::Never));
    exporter.setup.set_account("timeout", "2s");
    exporter.restart().await;
    exporter.rises_to(r#"harness_pipeline_runs_total{result="success"}"#, 100).await;
    exporter.finish(&simulator).await;
}
