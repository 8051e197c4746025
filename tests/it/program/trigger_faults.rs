//! What goes wrong with the webhook, by the numbers of the list of faults.

use std::time::Duration;

use harness_exporter::simulator::{Answer, Delivery, Endpoint, Fault, Simulator};
use serde_json::json;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use super::exporter::Exporter;
use super::support::{ACCOUNT, Setup, calls, ended, failed, pipeline, serve, until, world};

/// A Harness with one pipeline, `nightly`, and an exporter that starts it when asked.
async fn one_pipeline() -> (Simulator, Exporter) {
    let simulator = nightly();
    let exporter = Setup::of(&simulator).pipeline("nightly", "").start().await;
    (simulator, exporter)
}

fn nightly() -> Simulator {
    let mut world = world(600.0);
    pipeline(&mut world, "nightly");
    serve(world)
}

fn fail_next(simulator: &Simulator, fault: Fault) {
    simulator.world().faults.next(Endpoint::Trigger, 1, fault);
}

/// Without a key nobody can find out whether Harness acted: `unconfirmed` for this reason, and never
/// sent again, not even by the next process.
async fn unknown_fate(faults: impl IntoIterator<Item = Fault>, reason: &str) {
    let simulator = nightly();
    let setup = Setup::of(&simulator).without_key();
    let mut exporter = setup.pipeline("nightly", "").start().await;
    let mut sent = 0_u8;
    for fault in faults {
        fail_next(&simulator, fault.clone());
        exporter.trigger("nightly").await;
        sent += 1;
        let failures = format!("harness_pipeline_trigger_failures_total{{reason=\"{reason}\"}}");
        let what = format!("{fault:?} as {reason}");
        let m = exporter.eventually(&what, |m| m.value(&failures) >= i64::from(sent)).await;
        let outcome = r#"harness_pipeline_last_trigger_outcome{outcome="unconfirmed"}"#;
        assert!(m.value(outcome) > 0, "{fault:?}");
        assert_eq!(simulator.world().ledger.len(), usize::from(sent), "{fault:?}");
    }
    assert_eq!(calls(&simulator, Endpoint::Event), 0, "there is no event to look at");
    exporter.restart().await;
    exporter.trigger("nightly").await;
    exporter
        .eventually("a good run", |m| m.sum(r#"harness_pipeline_runs_total{result="success"}"#) > 0)
        .await;
    assert_eq!(simulator.world().ledger.len(), usize::from(sent) + 1);
    exporter.finish(&simulator).await;
}

/// The port is the exporter's to find closed: it is held without anybody listening.
#[tokio::test]
async fn fault_01_refused_and_then_back() {
    let mut world = world(600.0);
    pipeline(&mut world, "nightly");
    let simulator = serve(world);
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    let mut exporter = Setup::new(&url).pipeline("nightly", "webhook: v1").start().await;
    exporter.trigger("nightly").await;
    let refused = r#"harness_api_requests_total{endpoint="trigger",code="error"}"#;
    let m = exporter.eventually("two refused calls", |m| m.sum(refused) >= 2).await;
    assert_eq!(m.sum("harness_pipeline_trigger_failures_total"), 0);

    let listener = socket.listen(16).unwrap();
    let address = simulator.address();
    let mut doors = JoinSet::new();
    doors.spawn(async move {
        let mut guests = JoinSet::new();
        loop {
            let (mut guest, _) = listener.accept().await.unwrap();
            guests.spawn(async move {
                let mut host = TcpStream::connect(address).await.unwrap();
                let _ = copy_bidirectional(&mut guest, &mut host).await;
            });
        }
    });
    let m = exporter.eventually("a good run", |m| m.sum("harness_pipeline_runs_total") > 0).await;
    assert_eq!(m.value(r#"harness_pipeline_runs_total{result="success"}"#), 1);
    assert_eq!(m.sum("harness_pipeline_schedules_missed_total"), 0);
    assert_eq!(simulator.world().ledger.len(), 1);
    exporter.finish(&simulator).await;
}

#[tokio::test]
async fn fault_01_nobody_there_until_the_start_deadline() {
    let simulator = serve(world(1.0));
    let closed = TcpSocket::new_v4().unwrap();
    closed.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let more = |name: &str, url: String| {
        format!("name: {name}, url: \"{url}\", account_id: {ACCOUNT}, timeout: 1s")
    };
    let mut setup = Setup::new(&format!("http://{}", closed.local_addr().unwrap()))
        .pipeline("refused", "account: default, webhook: v1, start_deadline: 1s")
        .pipeline("nameless", "account: nameless, start_deadline: 1s")
        .pipeline("plain", "account: plain, start_deadline: 1s");
    setup.more_accounts = vec![
        more("nameless", "https://no-such-host.invalid".to_owned()),
        more("plain", simulator.url().replace("http:", "https:")),
    ];
    let mut exporter = setup.start().await;
    for name in ["refused", "nameless", "plain"] {
        exporter.trigger(name).await;
    }
    let failed = r#"harness_pipeline_trigger_failures_total{reason="unreachable"}"#;
    let m = exporter.eventually("three failures", |m| m.sum(failed) >= 3).await;
    assert_eq!(m.sum(r#"harness_pipeline_last_trigger_outcome{outcome="unreachable"}"#), 3);
    assert_eq!(m.sum("harness_pipeline_schedules_missed_total"), 0, "they were attempted");
    assert!(simulator.world().calls.is_empty());
    exporter.finish(&simulator).await;
}

#[tokio::test]
async fn fault_02_retry_after_is_kept_by_the_whole_key() {
    let mut world = world(600.0);
    pipeline(&mut world, "nightly");
    pipeline(&mut world, "other");
    let simulator = serve(world);
    let setup =
        Setup::of(&simulator).pipeline("nightly", "webhook: v1").pipeline("other", "webhook: v1");
    let mut exporter = setup.start().await;
    fail_next(&simulator, Fault::Before(Answer::Status { code: 429, retry_after: Some(2) }));
    exporter.trigger("nightly").await;
    exporter.eventually("429", |m| m.sum("harness_api_throttled_total") > 0).await;
    exporter.trigger("other").await;
    let done =
        |m: &super::scrape::Scrape| m.sum(r#"harness_pipeline_runs_total{result="success"}"#) >= 2;
    exporter.eventually("both", done).await;
    // Before it, the triggers may have been looked up.
    let calls = simulator.world().calls.clone();
    let refused = calls.iter().position(|(_, endpoint)| *endpoint == Endpoint::Trigger).unwrap();
    let pause = calls[refused + 1].0 - calls[refused].0;
    assert!((2_000..10_000).contains(&pause), "{pause} ms between {calls:?}");
    let received = simulator.world().ledger.clone();
    let of_nightly = received.iter().filter(|webhook| webhook.pipeline == "nightly").count();
    assert_eq!((of_nightly, received.len()), (2, 3));
    exporter.finish(&simulator).await;
}

#[tokio::test]
async fn fault_04_processed_and_then_reset() {
    unknown_fate([Fault::After(Answer::Reset), Fault::After(Answer::Close)], "unconfirmed").await;
}

#[tokio::test]
async fn fault_05_processed_and_then_a_gateways_error() {
    let faults = [502, 503, 504].map(|code| Fault::After(Answer::status(code)));
    unknown_fate(faults, "server_error").await;
}

#[tokio::test]
async fn fault_06_read_whole_and_never_answered() {
    unknown_fate([Fault::After(Answer::Never)], "unconfirmed").await;
}

#[tokio::test]
async fn fault_07_an_internal_error() {
    let error = Answer::status(500);
    unknown_fate([Fault::Before(error.clone()), Fault::After(error)], "server_error").await;
}

#[tokio::test]
async fn fault_08_good_status_and_no_answer_of_harness() {
    let page = "<!doctype html><title>Sign in</title>";
    let faults = [
        Fault::After(Answer::body(200, "text/html", page)),
        Fault::After(Answer::body(200, "application/json", r#"{"status":"SUCCESS","data":"#)),
        Fault::After(Answer::body(200, "application/json", "")),
        Fault::Usual(Delivery::Cut),
    ];
    unknown_fate(faults, "bad_response").await;
}

#[tokio::test]
async fn fault_09_ids_that_are_none() {
    let ids = [json!(""), json!(null), json!("a".repeat(1_000_000)), json!("../../etc"), json!({})];
    let faults = ids.map(|id| {
        let body = json!({"status": "SUCCESS", "data": id, "metaData": null, "correlationId": "c"});
        Fault::After(Answer::body(200, "application/json", body.to_string()))
    });
    unknown_fate(faults, "bad_response").await;
}

#[tokio::test]
async fn fault_09_accepted_in_form_and_refused_in_fact() {
    let (simulator, mut exporter) = one_pipeline().await;
    let bodies = [
        json!({"status": "SUCCESS", "data": "Unrecognized Webhook"}),
        json!({"status": "SUCCESS", "data": {"eventCorrelationId": "Unrecognized Webhook"}}),
        json!({"status": "ERROR", "code": "UNKNOWN_ERROR", "message": "no", "data": null}),
        json!({"status": "FAILED", "data": "62e2f35160958b611e494564"}),
    ];
    let mut sent = 0;
    for body in bodies {
        fail_next(
            &simulator,
            Fault::Before(Answer::body(200, "application/json", body.to_string())),
        );
        exporter.trigger("nightly").await;
        sent += 1;
        let failed = r#"harness_pipeline_trigger_failures_total{reason="rejected"}"#;
        let m = exporter.eventually(&body.to_string(), |m| m.value(failed) >= sent).await;
        assert_eq!(m.value(r#"harness_pipeline_last_trigger_outcome{outcome="rejected"}"#), 1);
        assert_eq!(m.value("harness_pipeline_consecutive_trigger_failures"), sent);
    }
    assert_eq!(calls(&simulator, Endpoint::Event), 0);
    assert_eq!(simulator.world().ledger.len(), 4);
    exporter.finish(&simulator).await;
}

/// Each is final, and at the next due time there is another try.
#[tokio::test]
async fn fault_10_refusals_end_the_run_and_not_the_schedule() {
    let reasons = [(400, "rejected"), (401, "unauthorized"), (403, "forbidden"), (404, "rejected")];
    let mut world = world(600.0);
    let names = ["a", "b", "c", "d"];
    for name in names {
        pipeline(&mut world, name);
    }
    for (code, _) in reasons {
        world.faults.next(Endpoint::Trigger, 1, Fault::Before(Answer::status(code)));
    }
    let simulator = serve(world);
    let mut exporter = Setup::of(&simulator).start_with(names, "every: 1s, align: epoch").await;
    exporter
        .eventually("four good runs", |m| {
            names.iter().all(|name| {
                let good = format!(
                    "harness_pipeline_runs_total{{pipeline=\"{name}\",result=\"success\"}}"
                );
                m.value(&good) >= 1
            })
        })
        .await;
    let m = exporter.scrape().await;
    for reason in ["rejected", "unauthorized", "forbidden"] {
        let failed = format!("harness_pipeline_trigger_failures_total{{reason=\"{reason}\"}}");
        let wanted = reasons.iter().filter(|(_, wanted)| *wanted == reason).count();
        assert_eq!(m.sum(&failed), i64::try_from(wanted).unwrap(), "{reason}");
    }
    assert_eq!(m.value("harness_up"), 1, "a good answer after the 401");
    assert_eq!(m.sum("harness_pipeline_schedules_missed_total"), 0);
    exporter.finish(&simulator).await;
}

/// SIGTERM comes while the answer does, byte by byte.
#[tokio::test]
async fn a_webhook_under_way_at_the_end_is_waited_for() {
    let (simulator, mut exporter) = one_pipeline().await;
    fail_next(&simulator, Fault::Usual(Delivery::Slow(Duration::from_millis(5))));
    exporter.trigger("nightly").await;
    until("the webhook", async || (!simulator.world().ledger.is_empty()).then_some(())).await;
    exporter.restart().await;
    let m = exporter.eventually("its end", |m| m.sum("harness_pipeline_runs_total") > 0).await;
    assert_eq!(m.sum("harness_pipeline_trigger_failures_total"), 0, "its answer was waited for");
    assert_eq!(simulator.world().ledger.len(), 1);
    exporter.finish(&simulator).await;
}

/// One webhook is never answered, one was throttled: the first ends the wait by its timeout, the
/// second is left to the next process.
#[tokio::test]
async fn told_to_end_it_waits_no_longer_than_a_call_may_take() {
    let mut world = world(600.0);
    pipeline(&mut world, "hangs");
    pipeline(&mut world, "throttled");
    let simulator = serve(world);
    let setup = Setup::of(&simulator).without_key();
    let mut exporter = setup.start_with(["hangs", "throttled"], "").await;
    fail_next(&simulator, Fault::After(Answer::Never));
    exporter.trigger("hangs").await;
    until("the webhook", async || (!simulator.world().ledger.is_empty()).then_some(())).await;
    fail_next(&simulator, Fault::Before(Answer::Status { code: 429, retry_after: Some(60) }));
    exporter.trigger("throttled").await;
    exporter.eventually("429", |m| m.value("harness_api_throttled_total") == 1).await;
    exporter.restart().await;
    let good = ended("throttled", "success");
    let m = exporter.eventually("its end", |m| m.value(&good) == 1).await;
    assert_eq!(m.value(&failed("hangs", "unconfirmed")), 1);
    assert_eq!(simulator.world().ledger.len(), 3);
    exporter.finish(&simulator).await;
}
