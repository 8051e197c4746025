//! The config, read again while the exporter runs, and what is switched by hand.

use std::fs;
use std::process::Command;

use harness_exporter::simulator::{Script, Simulator};
use reqwest::Method;

use super::exporter::Exporter;
use super::support::{Setup, ended, pipeline, serve, world};

const SUCCESSFUL: &str = "harness_exporter_config_last_reload_successful";

fn simulator() -> Simulator {
    let mut world = world(600.0);
    for name in ["steady", "removed", "new"] {
        pipeline(&mut world, name);
    }
    pipeline(&mut world, "removed").will(Script::never_resolve());
    serve(world)
}

async fn post(exporter: &Exporter, path: &str) -> (u16, String) {
    let response = exporter.request(Method::POST, path, &[], "").await;
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test]
async fn fault_36_a_config_that_is_no_good_changes_nothing() {
    let simulator = simulator();
    let setup = Setup::of(&simulator).pipeline("steady", "every: 1s");
    let mut exporter = setup.flag("--web.enable-lifecycle").start().await;
    let path = exporter.setup.folder().join("config.yaml");
    let good = fs::read_to_string(&path).unwrap();
    let half = good[..good.len() / 2].to_owned();
    let other_store = format!("{good}\nstorage: {{url: \"sqlite://elsewhere.db\"}}\n");
    let bad =
        [Some(half), Some(String::new()), Some("pipelines: 7".to_owned()), Some(other_store), None];
    for bad in bad {
        match &bad {
            Some(text) => fs::write(&path, text).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let (status, said) = post(&exporter, "/-/reload").await;
        assert_eq!(status, 500, "{bad:?}: {said}");
        let scrape = exporter.scrape().await;
        assert_eq!(scrape.value(SUCCESSFUL), 0);
        assert_eq!(scrape.count("harness_pipeline_info{pipeline=\"steady\"}"), 1);
    }
    fs::write(&path, &good).unwrap();
    assert_eq!(post(&exporter, "/-/reload").await.0, 200);
    assert_eq!(exporter.scrape().await.value(SUCCESSFUL), 1);
    let runs = exporter.scrape().await.value(&ended("steady", "success"));
    exporter.eventually("another run", |m| m.value(&ended("steady", "success")) > runs).await;
    exporter.finish(&simulator).await;
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
    assert_eq!(post(&exporter, "/-/reload").await.0, 200);
    let (_, text) = exporter.get("/metrics").await;
    assert!(!text.contains("pipeline=\"removed\""), "its series go at once");
    assert!(text.contains("pipeline=\"new\""));
    super::support::until("its end", async || {
        exporter.output().contains("reason=deadline").then_some(())
    })
    .await;
    exporter.setup.set_pipeline("removed", &keys);
    exporter.setup.write();
    let id = exporter.id().to_string();
    assert!(Command::new("kill").args(["-HUP", &id]).status().unwrap().success());
    let failed = super::support::failed("removed", "deadline");
    super::support::until("its books", async || {
        let (_, text) = exporter.get("/metrics").await;
        let scrape = super::scrape::Scrape::of(text);
        (scrape.count(&failed) == 1 && scrape.value(&failed) == 1).then_some(())
    })
    .await;
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
    let idle = |m: &super::scrape::Scrape| m.sum("harness_pipeline_active_runs") == 0;
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

#[tokio::test]
async fn fault_38_a_thousand_reloads_under_load_lose_nothing_and_keep_nothing() {
    const RESIDENT: &str = "process_resident_memory_bytes";
    let simulator = simulator();
    let mut setup = Setup::of(&simulator).flag("--web.enable-lifecycle");
    for name in ["steady", "new"] {
        setup.set_pipeline(name, "every: 1s, concurrency: allow");
    }
    let mut exporter = setup.start().await;
    let mut resident = Vec::new();
    for count in 0..1_000 {
        let steady =
            ["every: 1s, concurrency: allow", "every: 1s, paused: false, run_deadline: 1h"];
        exporter.setup.set_pipeline("new", steady[count % 2]);
        exporter.setup.write();
        assert_eq!(post(&exporter, "/-/reload").await.0, 200);
        if count % 100 == 99 {
            resident.push(exporter.scrape().await.value(RESIDENT) / 1024);
        }
    }
    println!("resident after each hundred reloads, in KiB: {resident:?}");
    let grown = resident.last().unwrap() - resident[0];
    assert!(grown < 16 * 1024, "it grew by {grown} KiB: {resident:?}");
    let scrape = exporter.scrape().await;
    assert_eq!(scrape.sum("harness_pipeline_schedules_missed_total{pipeline=\"steady\"}"), 0);
    exporter.finish(&simulator).await;
}
