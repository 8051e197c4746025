//! Harness says that a run is over, and it is seen long before anybody would have looked.

use std::time::Duration;

use harness_exporter::simulator::{Endpoint, Script};
use reqwest::Method;

use super::exporter::Exporter;
use super::support::{Setup, TOKEN, calls, ended, pipeline, serve, world};

async fn notify(exporter: &Exporter, execution: &str) -> u16 {
    let body = serde_json::json!({
        "eventData": { "planExecutionId": execution, "eventType": "PipelineEnd" }
    });
    let headers = [("x-harness-exporter-token", TOKEN)];
    let answer =
        exporter.request(Method::POST, "/hooks/harness", &headers, &body.to_string()).await;
    answer.status().as_u16()
}

#[tokio::test]
async fn a_notification_shows_an_end_long_before_the_next_look() {
    let mut world = world(0.0);
    pipeline(&mut world, "nightly").will(Script::succeed()).queue(Duration::ZERO);
    let simulator = serve(world);
    let seldom = "polling: {first: 50ms, min: 12h, max: 12h}";
    let mut setup = Setup::of(&simulator).pipeline("nightly", seldom);
    setup.more_keys = "notifications: {token_file: token}".to_owned();
    let mut exporter = setup.start().await;
    exporter.trigger("nightly").await;
    let executing = r#"harness_pipeline_active_runs{state="executing"}"#;
    exporter.eventually("it at work", |m| m.value(executing) == 1).await;
    let execution = simulator.world().executions()[0].id().to_owned();
    simulator.world().advance(Duration::from_hours(2));
    let looks = calls(&simulator, Endpoint::Event);
    for number in 0..200 {
        assert_eq!(notify(&exporter, &format!("of-somebody-else-{number}")).await, 202);
    }
    let m = exporter.scrape().await;
    assert_eq!((m.value(executing), calls(&simulator, Endpoint::Event)), (1, looks));

    assert_eq!(notify(&exporter, &execution).await, 202);
    let m = exporter.eventually("its end", |m| m.value(&ended("nightly", "success")) == 1).await;
    assert_eq!(calls(&simulator, Endpoint::Event), looks + 1, "one look");
    assert_eq!(m.value("harness_exporter_detection_lag_seconds_count"), 1);
    exporter.finish(&simulator).await;
}
