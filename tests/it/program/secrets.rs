//! The key and the token go to Harness and nowhere else, however Harness behaves. What is looked
//! through for them at the end of every test is the output at debug level, the store, `/metrics`
//! and the page.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use harness_exporter::simulator::{Answer, Endpoint, Fault, Script};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::support::{KEY, Setup, TOKEN, ended, failed, pipeline, serve, until, world};

#[tokio::test]
async fn fault_45_no_secret_gets_out() {
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let elsewhere = format!("http://{}/", other.local_addr().unwrap());
    let visits = Arc::new(AtomicUsize::new(0));
    let counted = visits.clone();
    let mut listening = JoinSet::new();
    listening.spawn(async move {
        while other.accept().await.is_ok() {
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });

    let mut world = world(600.0);
    world.base_url = Some(elsewhere.clone());
    let echo = format!("key {KEY}, token {TOKEN}, {elsewhere}gateway/custom/{TOKEN}/v3");
    let details = json!({"webhookProcessingDetails": {"message": echo}});
    let summary = json!({
        "failureInfo": {"message": echo, "failureTypeList": [KEY]},
        "layoutNodeMap": null,
    });
    let script = Script::fail_at(1).patch(summary).patch_details(details.clone());
    pipeline(&mut world, "good").token(Some(TOKEN)).will(script);
    let refuses = Script::refuse_start(&echo).patch_details(details);
    pipeline(&mut world, "refuses").token(Some(TOKEN)).will(refuses);
    // Harness says the token in its error where it does not know it.
    pipeline(&mut world, "echoes").token(Some("another-token"));
    pipeline(&mut world, "echoes").enabled(false);
    let simulator = serve(world);
    let keys = "webhook: v3, webhook_token_file: token, unconfirmed_deadline: 1s";
    let setup =
        Setup::of(&simulator).pipeline("echoes", &format!("{keys}, headers: {{X-Note: hello}}"));
    let mut exporter = setup.start_with(["good", "refuses"], keys).await;

    exporter.trigger("good").await;
    exporter.trigger("refuses").await;
    exporter
        .eventually("two ends", |m| {
            m.value(&ended("good", "failure")) == 1
                && m.value(&failed("refuses", "start_refused")) == 1
        })
        .await;

    pipeline(&mut simulator.world(), "good").token(None);
    pipeline(&mut simulator.world(), "refuses").token(None);
    exporter.trigger("echoes").await;
    let rejected = failed("echoes", "rejected");
    exporter.eventually("the echo", |m| m.value(&rejected) == 1).await;
    assert!(exporter.output().contains("custom webhook token: [redacted]"), "it was echoed");

    let location = ("location".to_owned(), format!("{elsewhere}{TOKEN}?{KEY}"));
    let mut answers: Vec<_> = [301, 302, 303, 307, 308]
        .map(|status| Answer::Body { status, headers: vec![location.clone()], bytes: "".into() })
        .into();
    answers.extend([400, 401, 403, 500].map(|status| {
        let body = json!({"status": "ERROR", "code": KEY, "message": echo}).to_string();
        Answer::body(status, "application/json", body)
    }));
    answers.push(Answer::body(200, "text/html", echo.clone()));
    let count = i64::try_from(answers.len()).unwrap();
    let failures = "harness_pipeline_trigger_failures_total";
    let before = exporter.scrape().await.sum(failures);
    for (number, answer) in (1..).zip(answers) {
        simulator.world().faults.next(Endpoint::Trigger, 1, Fault::Before(answer.clone()));
        simulator.world().faults.next(Endpoint::Event, 1, Fault::Before(answer));
        exporter.trigger("echoes").await;
        exporter.eventually("its failure", |m| m.sum(failures) == before + number).await;
    }
    // The same answers once more, to looks at an event.
    pipeline(&mut simulator.world(), "good").token(Some(TOKEN));
    exporter.trigger("good").await;
    let m = exporter.eventually("its end", |m| m.value(&ended("good", "failure")) == 2).await;
    assert!(m.sum(r#"harness_api_requests_total{endpoint="event"}"#) > count);

    {
        let world = simulator.world();
        let with_key = |webhook: &&harness_exporter::simulator::Received| {
            webhook.headers["x-api-key"] == KEY && webhook.path.contains(TOKEN)
        };
        assert_eq!(world.ledger.iter().filter(with_key).count(), world.ledger.len());
    }
    assert_eq!(visits.load(Ordering::SeqCst), 0, "nobody went elsewhere");
    exporter.finish(&simulator).await;
}

#[tokio::test]
async fn a_token_file_that_is_not_there_yet_is_no_trouble_of_harness() {
    let mut world = world(600.0);
    pipeline(&mut world, "nightly").token(Some(TOKEN));
    let simulator = serve(world);
    let setup = Setup::of(&simulator).without_key().pipeline("nightly", "webhook_token_file: late");
    let path = setup.folder().join("late");
    let mut exporter = setup.start().await;
    exporter.trigger("nightly").await;
    let waiting = r#"harness_pipeline_active_runs{state="pending"}"#;
    exporter.eventually("a run without its token", |m| m.value(waiting) == 1).await;
    until("the second attempt", async || {
        (exporter.output().matches("no webhook could be made").count() >= 2).then_some(())
    })
    .await;
    let m = exporter.scrape().await;
    assert_eq!(m.sum(r#"harness_api_requests_total{endpoint="trigger"}"#), 0);
    assert!(!m.text.contains("\nharness_up{"), "nobody was called: {}", m.text);
    assert!(simulator.world().calls.is_empty());

    std::fs::write(&path, format!(" {TOKEN}\n")).unwrap();
    let success = ended("nightly", "success");
    let m = exporter.eventually("a good run", |m| m.value(&success) == 1).await;
    assert_eq!(m.sum(r#"harness_api_requests_total{endpoint="trigger"}"#), 1);
    exporter.finish(&simulator).await;
}
