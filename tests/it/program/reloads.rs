//! The config, read again while the exporter runs, and what is switched by hand.

use std::fs;
use std::time::Duration;

use harness_exporter::driver::wall;
use harness_exporter::simulator::{Script, Simulator};
use reqwest::Method;

use super::exporter::Exporter;
use super::ledger;
use super::scrape::Scrape;
use super::scraper::Scraper;
use super::support::{DATA, MOUNTED, Setup, ended, failed, missed, pipeline, serve, until, world};

pub(super) const SUCCESSFUL: &str = "harness_exporter_config_last_reload_successful";

/// Never due while a test runs, and the last due time is still within its deadline.
const WEEKLY: &str = "every: 7d, align: epoch, start_deadline: 14d";

/// How a reload is asked for.
#[derive(Clone, Copy, Debug)]
enum Way {
    Request,
    Signal,
}

const WAYS: [Way; 2] = [Way::Request, Way::Signal];

impl Way {
    /// The config is read again, and found as good as is said.
    async fn reload(self, exporter: &mut Exporter, good: bool) -> Scrape {
        match self {
            Self::Signal => exporter.signal("HUP"),
            Self::Request => {
                let (status, said) = post(exporter, "/-/reload").await;
                assert_eq!(status, if good { 200 } else { 500 }, "{said}");
                assert_eq!(said.contains("the old one holds"), !good, "{said}");
            }
        }
        exporter.eventually("the reload", |m| m.value(SUCCESSFUL) == i64::from(good)).await
    }
}

fn simulator() -> Simulator {
    let mut world = world(600.0);
    for name in ["steady", "removed", "new"] {
        pipeline(&mut world, name);
    }
    pipeline(&mut world, "removed").will(Script::never_resolve());
    serve(world)
}

pub(super) async fn post(exporter: &Exporter, path: &str) -> (u16, String) {
    let response = exporter.request(Method::POST, path, &[], "").await;
    (response.status().as_u16(), response.text().await.unwrap())
}

/// The config is read again, and is good.
pub(super) async fn reload(exporter: &Exporter) {
    let (status, said) = post(exporter, "/-/reload").await;
    assert_eq!(status, 200, "{said}");
}

/// What tells the config that holds from another.
fn hash(scrape: &Scrape) -> String {
    let mut lines = scrape.text.lines();
    lines.find(|line| line.starts_with("harness_exporter_config_hash ")).unwrap().to_owned()
}

fn info(pipeline: &str) -> String {
    format!("harness_pipeline_info{{pipeline=\"{pipeline}\"}}")
}

#[tokio::test]
async fn fault_36_a_config_that_is_no_good_changes_nothing() {
    let simulator = simulator();
    let setup = Setup::of(&simulator).pipeline("steady", "every: 1s");
    let mut exporter = setup.flag("--web.enable-lifecycle").start().await;
    let scraper = Scraper::of(&exporter, "steady");
    let held = hash(&exporter.scrape().await);
    let good = exporter.setup.text();
    let cut = |length: usize| Some(good[..length].to_owned());
    let bad = [
        cut(good.len() - 2),
        cut(good.len() / 2),
        cut(1),
        Some(String::new()),
        Some("pipelines: 7".to_owned()),
        Some(format!("{good}\nstorage: {{url: \"sqlite://elsewhere.db\"}}\n")),
        None,
    ];
    for (bad, way) in bad.iter().flat_map(|bad| WAYS.map(|way| (bad, way))) {
        println!("{way:?}: {bad:?}");
        match bad {
            Some(text) => exporter.setup.put(text),
            None => fs::remove_file(exporter.setup.folder().join("config.yaml")).unwrap(),
        }
        let scrape = way.reload(&mut exporter, false).await;
        assert_eq!((scrape.count(&info("steady")), hash(&scrape)), (1, held.clone()));
        exporter.setup.put(&good);
        way.reload(&mut exporter, true).await;
    }
    let runs = exporter.scrape().await.value(&ended("steady", "success"));
    exporter.eventually("another run", |m| m.value(&ended("steady", "success")) > runs).await;
    scraper.end().await;
    exporter.finish(&simulator).await;
}

#[tokio::test]
async fn fault_36_a_mounted_config_is_read_anew_when_its_link_is_turned() {
    for config_file in ["mounted/config.yaml", MOUNTED] {
        let simulator = simulator();
        let setup = Setup::of(&simulator).mounted(config_file).pipeline("steady", "every: 1s");
        let mut exporter = setup.flag("--web.enable-lifecycle").start().await;
        let scraper = Scraper::of(&exporter, "steady");
        for way in WAYS {
            exporter.setup.set_pipeline("new", "every: 1s");
            exporter.setup.write();
            let before = exporter.scrape().await;
            assert_eq!(before.count(&info("new")), 0, "only when it is told to");
            way.reload(&mut exporter, true).await;
            exporter.eventually("a pipeline", |m| m.count(&info("new")) == 1).await;

            let data = exporter.setup.folder().join(MOUNTED).join(DATA);
            let target = fs::read_link(&data).unwrap();
            fs::remove_file(&data).unwrap();
            way.reload(&mut exporter, false).await;
            std::os::unix::fs::symlink(target, &data).unwrap();
            way.reload(&mut exporter, true).await;

            exporter.setup.put("pipelines: [");
            let scrape = way.reload(&mut exporter, false).await;
            assert_eq!(scrape.count(&info("new")), 1);
            exporter.setup.pipelines.remove("new");
            exporter.setup.write();
            way.reload(&mut exporter, true).await;
            assert_eq!(exporter.scrape().await.count(&info("new")), 0);
        }
        scraper.end().await;
        exporter.finish(&simulator).await;
    }
}

#[tokio::test]
async fn fault_37_pipelines_come_and_go_and_no_run_is_lost() {
    let simulator = simulator();
    let setup = Setup::of(&simulator).pipeline("removed", "queue_deadline: 2s");
    let mut exporter = setup.flag("--web.enable-lifecycle").start().await;
    exporter.trigger("removed").await;
    let active = "harness_pipeline_active_runs{pipeline=\"removed\",state=\"pending\"}";
    exporter.eventually("the run", |m| m.value(active) == 1).await;
    let keys = exporter.setup.pipelines.remove("removed").unwrap();
    exporter.setup.set_pipeline("new", "every: 1s");
    exporter.setup.write();
    reload(&exporter).await;
    let (_, text) = exporter.get("/metrics").await;
    assert!(!text.contains("pipeline=\"removed\""), "its series go at once");
    assert!(text.contains("pipeline=\"new\""));
    until("its end", async || exporter.output().contains("reason=deadline").then_some(())).await;
    exporter.setup.set_pipeline("removed", &keys);
    exporter.setup.write();
    exporter.signal("HUP");
    let failed = failed("removed", "deadline");
    until("its books", async || {
        let (_, text) = exporter.get("/metrics").await;
        let scrape = Scrape::of(text);
        (scrape.count(&failed) == 1 && scrape.value(&failed) == 1).then_some(())
    })
    .await;
    exporter.finish(&simulator).await;
}

/// Under its new name it is another pipeline: nothing of it is caught up, and the run of the old one
/// is not its own.
#[tokio::test]
async fn fault_37_a_run_of_a_pipeline_that_is_renamed_is_followed_under_its_old_name() {
    let mut world = world(0.0);
    pipeline(&mut world, "renamed").queue(Duration::ZERO);
    let simulator = serve(world);
    let setup = Setup::of(&simulator).pipeline("renamed", "name: old");
    let mut exporter = setup.flag("--web.enable-lifecycle").start().await;
    exporter.trigger("old").await;
    let active = "harness_pipeline_active_runs{pipeline=\"old\",state=\"executing\"}";
    exporter.eventually("the run", |m| m.value(active) == 1).await;
    exporter.setup.set_pipeline("renamed", &format!("name: new, {WEEKLY}"));
    exporter.setup.write();
    reload(&exporter).await;
    let scrape = exporter.scrape().await;
    assert_eq!((scrape.count(&info("old")), scrape.count(&info("new"))), (0, 1));
    assert_eq!(scrape.sum("harness_pipeline_active_runs"), 0, "they are another's");
    simulator.world().advance(Duration::from_hours(1));
    until("its end", async || exporter.output().contains("result=success").then_some(())).await;
    // It stands in nobody's way.
    exporter.trigger("new").await;
    exporter.eventually("a run", |m| m.sum("harness_pipeline_active_runs") == 1).await;
    simulator.world().advance(Duration::from_hours(1));
    let of_new = exporter.eventually("its end", |m| m.value(&ended("new", "success")) == 1).await;
    assert_eq!(of_new.sum("harness_pipeline_triggers_total{origin=\"schedule\"}"), 0);
    assert_eq!(of_new.sum("harness_pipeline_schedules_missed_total"), 0);
    exporter.setup.set_pipeline("renamed", "name: old");
    exporter.setup.write();
    reload(&exporter).await;
    assert_eq!(exporter.scrape().await.value(&ended("old", "success")), 1);
    exporter.finish(&simulator).await;
}

/// Due every second, so that every edit is near a due time.
#[tokio::test]
async fn fault_37_nothing_is_due_by_an_edit_nor_after_it_by_what_was_edited() {
    let simulator = simulator();
    let secondly = "every: 1s, align: epoch, concurrency: allow";
    let setup = Setup::of(&simulator).pipeline("steady", secondly).pipeline("new", "");
    let mut exporter = setup.flag("--web.enable-lifecycle").start().await;
    let good = ended("steady", "success");
    let mut weekly = Vec::new();
    for _ in 0..3 {
        let runs = exporter.scrape().await.sum(&good);
        exporter.eventually("another run", |m| m.sum(&good) > runs).await;
        exporter.setup.set_pipeline("steady", WEEKLY);
        exporter.setup.write();
        reload(&exporter).await;
        let since = wall();
        let marker = ended("new", "success");
        let markers = exporter.scrape().await.value(&marker);
        exporter.trigger("new").await;
        exporter.eventually("something else", |m| m.value(&marker) > markers).await;
        exporter.setup.set_pipeline("steady", secondly);
        exporter.setup.write();
        weekly.push(since..wall());
        reload(&exporter).await;
    }
    let m = exporter.scrape().await;
    assert_eq!(m.value(&missed("steady", "late")) + m.value(&missed("steady", "exporter_down")), 0);
    assert!(exporter.stop().await.success());
    for run in ledger::runs(&exporter.store()) {
        let Some(due) = run.due else { continue };
        assert_eq!(due.0 % 1000, 0, "{run:?}");
        let late = run.begun.since(due);
        assert!(late < Duration::from_mins(5), "the week's due time fired: {run:?}");
        assert!(weekly.iter().all(|weekly| !weekly.contains(&due)), "{weekly:?}: {run:?}");
    }
    exporter.start_again().await;
    exporter.finish(&simulator).await;
}

#[tokio::test]
async fn a_pause_by_hand_holds_over_a_restart() {
    let simulator = simulator();
    let setup = Setup::of(&simulator).pipeline("steady", "every: 1s");
    let mut exporter = setup.flag("--web.enable-lifecycle").start().await;
    exporter.eventually("a run", |m| m.value(&ended("steady", "success")) > 0).await;
    assert_eq!(post(&exporter, "/-/pause").await.0, 200);
    let manual = "harness_pipeline_paused{pipeline=\"steady\",cause=\"manual\"}";
    assert_eq!(exporter.scrape().await.value(manual), 1);
    let idle = |m: &Scrape| m.sum("harness_pipeline_active_runs") == 0;
    exporter.eventually("the end of what was under way", idle).await;
    exporter.restart().await;
    let scrape = exporter.scrape().await;
    assert_eq!(scrape.value(manual), 1);
    assert_eq!(scrape.count("harness_pipeline_next_trigger_timestamp_seconds"), 0);
    let runs = scrape.value(&ended("steady", "success"));
    assert_eq!(post(&exporter, "/-/resume").await.0, 200);
    exporter.eventually("another run", |m| m.value(&ended("steady", "success")) > runs).await;
    exporter.finish(&simulator).await;
}
