//! What a person or another program asks of a running exporter.

use std::io::Read;

use harness_exporter::simulator::Script;
use reqwest::Method;
use serde_json::json;

use super::support::{Setup, ended, pipeline, serve, world};

#[tokio::test]
async fn a_pipeline_is_triggered_by_hand() {
    let mut world = world(600.0);
    for name in ["nightly", "paused", "busy", "doubled"] {
        pipeline(&mut world, name);
    }
    for name in ["busy", "doubled"] {
        pipeline(&mut world, name).will(Script::never_resolve());
    }
    let simulator = serve(world);
    let mut exporter = Setup::of(&simulator)
        .pipeline("nightly", "payload: {branch: main}")
        .pipeline("paused", "every: 1s, paused: true")
        .pipeline("busy", "concurrency: forbid")
        .pipeline("doubled", "concurrency: allow")
        .start()
        .await;
    let (status, said) = exporter.ask("nightly", r#"{"branch": "fix"}"#).await;
    assert_eq!(status, 202);
    let run = said["run"].as_str().unwrap().to_owned();
    assert!(run.starts_with("nightly-manual-"), "{run}");
    exporter.eventually("its end", |m| m.value(&ended("nightly", "success")) == 1).await;
    assert!(exporter.output().contains(&format!("run={run}")), "the log has its id");
    assert_eq!(exporter.ask("nightly", "").await.0, 202);
    exporter.eventually("its end", |m| m.value(&ended("nightly", "success")) == 2).await;
    {
        let world = simulator.world();
        let payloads: Vec<_> =
            world.ledger.iter().map(|webhook| webhook.payload.as_str()).collect();
        assert_eq!(payloads, [r#"{"branch": "fix"}"#, r#"{"branch":"main"}"#]);
    }

    assert_eq!(exporter.ask("paused", "").await.0, 202, "works while paused");
    exporter.eventually("its end", |m| m.value(&ended("paused", "success")) == 1).await;

    assert_eq!(exporter.ask("busy", "").await.0, 202);
    let (status, said) = exporter.ask("busy", "").await;
    let error = "a run of busy is active and its concurrency is forbid";
    assert_eq!((status, said), (409, json!({"error": error})));
    assert_eq!(exporter.ask("doubled", "").await.0, 202);
    assert_eq!(exporter.ask("doubled", "").await.0, 202);

    let (status, said) = exporter.ask("unheard-of", "").await;
    assert_eq!((status, said), (404, json!({"error": "no pipeline is called unheard-of"})));
    assert_eq!(exporter.ask("nightly", "{broken").await.0, 400);
    let path = "/api/v1/pipelines/nightly/trigger";
    let foreign = [("origin", "https://elsewhere.example")];
    assert_eq!(exporter.request(Method::POST, path, &foreign, "").await.status(), 403);
    let foreign = [("sec-fetch-site", "cross-site")];
    assert_eq!(exporter.request(Method::POST, path, &foreign, "").await.status(), 403);
    assert_eq!(exporter.request(Method::GET, path, &[], "").await.status(), 405);

    let m = exporter.eventually("all sent", |_| simulator.world().ledger.len() == 6).await;
    assert_eq!(m.sum(r#"harness_pipeline_triggers_total{origin="manual"}"#), 6);
    assert_eq!(m.sum("harness_pipeline_triggers_total"), 6, "and none at a due time");
    assert_eq!(m.sum("harness_pipeline_schedules_missed_total"), 0);
    exporter.finish(&simulator).await;
}

#[tokio::test]
async fn without_its_flag_nothing_is_triggered() {
    let mut world = world(600.0);
    pipeline(&mut world, "nightly");
    let simulator = serve(world);
    let setup = Setup::of(&simulator).pipeline("nightly", "").without_flags();
    let mut exporter = setup.start().await;
    let path = "/api/v1/pipelines/nightly/trigger";
    let answer = exporter.request(Method::POST, path, &[], "").await;
    assert_eq!(answer.status(), 404);
    assert!(answer.text().await.unwrap().contains("--web.enable-trigger"));
    assert_eq!(exporter.scrape().await.sum("harness_pipeline_triggers_total"), 0);
    exporter.finish(&simulator).await;
}

#[tokio::test]
async fn it_says_how_it_is_and_packs_what_it_says() {
    let simulator = serve(world(1.0));
    let setup = Setup::of(&simulator).pipeline("nightly", "every: 365d");
    let mut exporter = setup.flag("--web.telemetry-path=/m").start().await;
    assert_eq!(exporter.get("/-/healthy").await, (200, "healthy\n".to_owned()));
    assert_eq!(exporter.get("/-/ready").await, (200, "ready\n".to_owned()));
    assert_eq!(exporter.get("/metrics").await.0, 404);
    let accept = [("accept-encoding", "gzip")];
    let packed = exporter.request(Method::GET, "/m", &accept, "").await;
    assert_eq!(packed.headers()["content-encoding"], "gzip");
    assert_eq!(packed.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let packed = packed.bytes().await.unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(&packed[..]).read_to_string(&mut text).unwrap();
    let m = super::scrape::Scrape::of(text);
    assert_eq!(m.value(r#"harness_pipeline_info{schedule="every 365d"}"#), 1);
    assert_eq!(m.count("harness_exporter_build_info"), 1);
    let (_, page) = exporter.get("/").await;
    for part in ["nightly", "every 365d", "href=\"./m\""] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert!(exporter.stop().await.success());
    exporter.finish(&simulator).await;
}
