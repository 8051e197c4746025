//! Answers to a look at an event that are too large, too odd, or no answers at all.

use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use harness_exporter::simulator::{Answer, Endpoint, Fault, Script};
use serde_json::{Value, json};

use super::exporter::peak_memory;
use super::support::{Setup, calls, ended, failed, pipeline, serve, world};

const MIB: u64 = 1 << 20;

/// So many zeros, small on the wire.
fn bomb(bytes: u64) -> Answer {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let zeros = vec![b'0'; 1 << 20];
    for _ in 0..bytes / MIB {
        encoder.write_all(&zeros).unwrap();
    }
    let headers = [("content-type", "application/json"), ("content-encoding", "gzip")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    Answer::Body { status: 200, headers, bytes: encoder.finish().unwrap().into() }
}

#[tokio::test]
async fn fault_22_what_is_too_large_is_not_read() {
    let mut world = world(600.0);
    pipeline(&mut world, "nightly").queue(Duration::ZERO);
    let simulator = serve(world);
    let mut exporter =
        Setup::of(&simulator).pipeline("nightly", "unconfirmed_deadline: 1s").start().await;
    exporter.trigger("nightly").await;
    let good = ended("nightly", "success");
    exporter.eventually("a usual run", |m| m.value(&good) == 1).await;
    let usual = peak_memory(exporter.id());

    let too_large = [Answer::Flood { bytes: 1 << 30 }, bomb(64 * MIB)];
    for endpoint in [Endpoint::Trigger, Endpoint::Event] {
        for answer in &too_large {
            let fault = Fault::Before(answer.clone());
            simulator.world().faults.next(endpoint, 1, fault);
        }
    }
    for times in [1, 2] {
        exporter.trigger("nightly").await;
        let bad = failed("nightly", "bad_response");
        exporter.eventually("its failure", |m| m.value(&bad) == times).await;
    }
    exporter.trigger("nightly").await;
    exporter.eventually("its end", |m| m.value(&good) == 2).await;
    let grown = peak_memory(exporter.id()) - usual;
    assert!(grown <= 16 * MIB, "{} MiB more", grown / MIB);
    exporter.finish(&simulator).await;
}

/// What a summary says that can't be, and how long the run then took, in milliseconds.
fn odd_summaries() -> Vec<(&'static str, Value, Option<i64>)> {
    let start = 1_764_000_000_000_i64;
    let far = i64::MAX;
    vec![
        ("end_before_start", json!({"startTs": start, "endTs": start - 1}), None),
        ("negative", json!({"startTs": -5, "endTs": -1}), None),
        ("far", json!({"startTs": far, "endTs": far}), None),
        ("too_large_for_anything", json!({"startTs": 1e300, "endTs": 1e300}), None),
        ("in_words", json!({"startTs": "soon", "endTs": [1]}), None),
        ("no_length", json!({"startTs": start, "endTs": start}), Some(0)),
        ("usual", json!({"startTs": start, "endTs": start + 1_234}), Some(1_234)),
        (
            "many_stages",
            json!({
                "startTs": start, "endTs": start + 1,
                "totalStagesCount": 5_000_000_000_i64, "failedStagesCount": -3,
                "successfulStagesCount": 1e30, "runningStagesCount": "two",
                "runSequence": 10_000_000_000_i64,
            }),
            Some(1),
        ),
        (
            "no_stages",
            json!({"startTs": start, "endTs": start + 2, "layoutNodeMap": null}),
            Some(2),
        ),
    ]
}

#[tokio::test]
async fn fault_24_times_and_counts_that_cannot_be() {
    let mut world = world(600.0);
    let mut setup = Setup::new("unknown yet");
    let odd = odd_summaries();
    let endless =
        [("without_end", json!({"endTs": null})), ("far_end", json!({"endTs": i64::MAX}))];
    let all = odd.iter().map(|(name, patch, _)| (*name, patch));
    let all = all.chain(endless.iter().map(|(name, patch)| (*name, patch)));
    for (name, patch) in all.clone() {
        let script = Script::succeed().patch(patch.clone());
        pipeline(&mut world, name).queue(Duration::ZERO).will(script);
        setup = setup.pipeline(name, "");
    }
    let simulator = serve(world);
    let mut exporter = setup.account("url", &simulator.url()).start().await;
    for (name, _) in all.clone() {
        exporter.trigger(name).await;
    }
    let good = r#"harness_pipeline_runs_total{result="success"}"#;
    let count = i64::try_from(all.count()).unwrap();
    let m = exporter.eventually("all ends", |m| m.sum(good) == count).await;
    let of = |metric: &str, name: &str| format!("{metric}{{pipeline=\"{name}\"}}");
    for (name, _, took) in &odd {
        assert_eq!(
            m.millis(&of("harness_pipeline_last_run_duration_seconds", name)),
            *took,
            "{name}"
        );
        let observed = m.value(&of("harness_pipeline_run_duration_seconds_count", name));
        assert_eq!(observed, i64::from(took.is_some()), "{name}");
    }
    // It then ended when it was seen to have ended.
    for (name, _) in endless {
        let took = m.millis(&of("harness_pipeline_last_run_duration_seconds", name)).unwrap();
        assert!((0..60_000).contains(&took), "{name} took {took} ms");
    }
    let stages = of("harness_pipeline_last_run_stage_count", "many_stages");
    assert_eq!(m.value(&stages), 5_000_000_000);
    exporter.finish(&simulator).await;
}

/// What no answer can be, each put before the usual one.
#[tokio::test]
async fn fault_23_answers_that_cannot_be_read_are_read_again() {
    let deep =
        |open: &str, close: &str| format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
    let details = json!({"webhookProcessingDetails": 7, "executionDetails": ["a"]});
    let bodies: Vec<Vec<u8>> = vec![
        json!({"status": "SUCCESS", "data": details}).to_string().into(),
        json!({"status": ["SUCCESS"], "data": {"webhookProcessingDetails": {"status": 1}}})
            .to_string()
            .into(),
        json!({"status": "SUCCESS", "data": [{}, null]}).to_string().into(),
        json!([1, 2, 3]).to_string().into(),
        b"null".to_vec(),
        b"{\"status\":\"SUCCESS\",\"data\":{\"webhookProcessingDetails\":{\"status\":\"\0\"}}"
            .to_vec(),
        b"{\"status\":\"SUCCESS\",\"data\":\xff\xfe}".to_vec(),
        deep("[", "]").into(),
        deep("{\"data\":", "}").into(),
    ];
    let mut world = world(600.0);
    pipeline(&mut world, "nightly").queue(Duration::ZERO);
    let wrong = bodies.len();
    for endpoint in [Endpoint::Trigger, Endpoint::Event] {
        for body in &bodies {
            let answer = Answer::body(200, "application/json", body.clone());
            world.faults.next(endpoint, 1, Fault::Before(answer));
        }
    }
    let simulator = serve(world);
    let keys = "polling: {first: 10ms, min: 10ms, max: 50ms}, unconfirmed_deadline: 1s";
    let mut exporter = Setup::of(&simulator).pipeline("nightly", keys).start().await;
    let failures = "harness_pipeline_trigger_failures_total";
    for number in 1..=wrong {
        exporter.trigger("nightly").await;
        let number = i64::try_from(number).unwrap();
        exporter.eventually("its failure", |m| m.sum(failures) == number).await;
    }
    exporter.trigger("nightly").await;
    exporter.eventually("its end", |m| m.value(&ended("nightly", "success")) == 1).await;
    assert!(calls(&simulator, Endpoint::Event) > wrong);
    exporter.finish(&simulator).await;
}
