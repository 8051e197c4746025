//! The simulator over real HTTP: the states of every endpoint, the error bodies, the faults.
//!
//! Time stands still in most of these worlds and is moved by hand, so that nothing is waited for.

mod faults;
mod refusals;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::LazyLock;
use std::time::{Duration, UNIX_EPOCH};

use harness_exporter::simulator::{Script, Simulator, Stage, World};
use serde_json::{Value, json};

const ACCOUNT: &str = "acme0000000000000000AA";
const KEY: &str = "sat.acme.good.secret";
const POOR_KEY: &str = "sat.acme.poor.secret";
const TOKEN: &str = "tok-0123456789abcdef";
const IDS: &str = "accountIdentifier=acme0000000000000000AA&orgIdentifier=default&\
                   projectIdentifier=shop&pipelineIdentifier=checkout&triggerIdentifier=nightly";
const PROJECT: &str =
    "accountIdentifier=acme0000000000000000AA&orgIdentifier=default&projectIdentifier=shop";
const V1: &str = "/gateway/api/webhook/custom";
const API: &str = "/gateway/pipeline/api";
const MINUTE: Duration = Duration::from_mins(1);
const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A world that stands still, with one pipeline and two keys.
fn world() -> World {
    let mut world = World::new(ACCOUNT, 0.0);
    world.pipeline("default", "shop", "checkout", "nightly");
    world.keys.insert(KEY.to_owned());
    world.keys_without_rights.insert(POOR_KEY.to_owned());
    world
}

fn world_that_will(script: Script) -> World {
    let mut world = world();
    world.pipeline("default", "shop", "checkout", "nightly").will(script);
    world
}

fn start(world: World) -> Simulator {
    Simulator::start(world, ANY_PORT).expect("a free port")
}

/// One for all tests, because making one reads every root certificate. No connection is kept, for
/// it would belong to the runtime of the test that made it.
fn http() -> &'static reqwest::Client {
    static HTTP: LazyLock<reqwest::Client> = LazyLock::new(|| {
        // Where another test was first, its choice is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0);
        client.build().expect("a client")
    });
    &HTTP
}

struct Said {
    status: u16,
    date: String,
    body: Value,
}

async fn said(request: reqwest::RequestBuilder) -> Said {
    let response = request.send().await.expect("an answer");
    let status = response.status().as_u16();
    let date = response.headers()["date"].to_str().expect("text").to_owned();
    let body = response.text().await.expect("a body");
    Said { status, date, body: serde_json::from_str(&body).unwrap_or(Value::String(body)) }
}

async fn get(simulator: &Simulator, path: &str) -> Said {
    said(http().get(format!("{}{path}", simulator.url())).header("x-api-key", KEY)).await
}

async fn post(simulator: &Simulator, path: &str, body: &str) -> Said {
    said(http().post(format!("{}{path}", simulator.url())).body(body.to_owned())).await
}

/// Sends the webhook and says the event's id.
async fn trigger(simulator: &Simulator) -> String {
    let said = post(simulator, &format!("{V1}?{IDS}"), "{}").await;
    assert_eq!((said.status, &said.body["status"]), (200, &json!("SUCCESS")));
    said.body["data"].as_str().expect("an id").to_owned()
}

async fn details(simulator: &Simulator, version: &str, event: &str) -> Said {
    let path = format!("{API}/webhook/triggerExecutionDetails{version}/{event}");
    get(simulator, &format!("{path}?accountIdentifier={ACCOUNT}")).await
}

/// The summary that the event's details show.
async fn summary(simulator: &Simulator, event: &str) -> Value {
    let said = details(simulator, "V2", event).await;
    said.body["data"]["executionDetails"]["pipelineExecutionSummary"].clone()
}

fn advance(simulator: &Simulator, by: Duration) {
    simulator.world().advance(by);
}

fn counts(summary: &Value) -> [Option<u64>; 4] {
    ["successful", "running", "failed", "total"]
        .map(|state| summary[format!("{state}StagesCount")].as_u64())
}

#[tokio::test]
async fn a_run_is_queued_then_requested_then_runs_then_ends() {
    let simulator = start(world());
    let event = trigger(&simulator).await;
    assert_eq!(event.len(), 24);

    let old = details(&simulator, "", &event).await;
    assert_eq!((old.status, &old.body["code"]), (400, &json!("INVALID_REQUEST")));
    let message = format!("Trigger event history doesn't exist for event with eventId {event}");
    assert!(old.body["message"].as_str().unwrap().ends_with(&message));
    let queued = details(&simulator, "V2", &event).await.body["data"].clone();
    assert_eq!(queued["webhookProcessingDetails"]["status"], "QUEUED");
    assert_eq!(queued["webhookProcessingDetails"]["exceptionOccured"], false);
    assert_eq!(queued["executionDetails"], Value::Null);

    advance(&simulator, Duration::from_secs(3));
    for version in ["", "V2"] {
        let data = details(&simulator, version, &event).await.body["data"].clone();
        let processing = &data["webhookProcessingDetails"];
        assert_eq!(processing["status"], "TARGET_EXECUTION_REQUESTED");
        assert_eq!(processing["payload"], "{}");
        let summary = &data["executionDetails"]["pipelineExecutionSummary"];
        assert_eq!(processing["pipelineExecutionId"], summary["planExecutionId"]);
        assert_eq!(summary["status"], "Running");
        assert_eq!(summary["runSequence"], 1);
        assert!(summary.get("endTs").is_none());
        assert_eq!(counts(summary), [0, 1, 0, 1].map(Some));
        let lead =
            processing["eventCreatedAt"].as_i64().unwrap() - summary["startTs"].as_i64().unwrap();
        assert_eq!(lead, 318);
    }

    advance(&simulator, MINUTE);
    let summary = summary(&simulator, &event).await;
    assert_eq!(summary["status"], "Success");
    let took = summary["endTs"].as_i64().unwrap() - summary["startTs"].as_i64().unwrap();
    assert_eq!(took, 60_000);
    assert_eq!(counts(&summary), [1, 0, 0, 1].map(Some));
    let correlation = &summary["executionTriggerInfo"]["triggeredBy"]["extraInfo"];
    assert_eq!(correlation["eventCorrelationId"], event);

    let world = simulator.world();
    let received = world.webhooks_of("checkout").next().expect("a webhook");
    assert_eq!(received.event.as_ref(), Some(&event));
    assert_eq!(received.execution.as_deref(), summary["planExecutionId"].as_str());
    assert_eq!(world.executions()[0].end_ms(), summary["endTs"].as_i64());
    assert!(world.unexpected.is_empty());
}

#[tokio::test]
async fn an_execution_is_read_alone_and_in_lists() {
    let simulator = start(world());
    for _ in 0..3 {
        trigger(&simulator).await;
        advance(&simulator, MINUTE);
    }
    let ids: Vec<String> =
        simulator.world().executions().iter().map(|one| one.id().to_owned()).collect();
    assert_eq!(ids.len(), 3);

    let one = get(&simulator, &format!("{API}/pipelines/execution/v2/{}?{PROJECT}", ids[0])).await;
    assert_eq!(one.body["data"]["pipelineExecutionSummary"]["planExecutionId"], ids[0]);
    let none = get(&simulator, &format!("{API}/pipelines/execution/v2/unheard-of?{PROJECT}")).await;
    assert_eq!((none.status, &none.body["code"]), (404, &json!("ENTITY_NOT_FOUND")));

    let filter = |more: Value| {
        let mut filter = json!({ "filterType": "PipelineExecution" });
        filter.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        filter.to_string()
    };
    let table = [
        ("", String::new(), vec![2, 1, 0]),
        ("&size=2", String::new(), vec![2, 1]),
        ("&size=2&page=1", String::new(), vec![0]),
        ("&status=Success", String::new(), vec![1, 0]),
        ("", filter(json!({ "triggerIdentifiers": ["nightly"], "status": ["Running"] })), vec![2]),
        ("", filter(json!({ "triggerIdentifiers": ["other"] })), vec![]),
        ("", filter(json!({ "planExecutionIds": [ids[0], ids[2]] })), vec![2, 0]),
        ("", filter(json!({ "timeRange": { "startTime": 0, "endTime": 1 } })), vec![]),
    ];
    for (query, body, wanted) in table {
        let path = format!("{}{API}/pipelines/execution/summary?{PROJECT}{query}", simulator.url());
        let said = said(http().post(path).header("x-api-key", KEY).body(body.clone())).await;
        let content = said.body["data"]["content"].as_array().expect("a page");
        let found: Vec<_> = content.iter().map(|one| &one["planExecutionId"]).collect();
        let wanted: Vec<_> = wanted.into_iter().map(|index: usize| &ids[index]).collect();
        assert_eq!(found, wanted, "{query} {body}");
    }
    simulator.world().forget_history();
    let gone = get(&simulator, &format!("{API}/pipelines/execution/v2/{}?{PROJECT}", ids[0])).await;
    assert_eq!(gone.status, 404);
}

#[tokio::test]
async fn a_run_that_expires_is_in_none_of_the_counts() {
    let simulator = start(world_that_will(Script::expire()));
    let event = trigger(&simulator).await;
    advance(&simulator, Duration::from_hours(24));
    assert_eq!(summary(&simulator, &event).await["status"], "Running");
    advance(&simulator, MINUTE);
    let summary = summary(&simulator, &event).await;
    assert_eq!(summary["status"], "Expired");
    let took = summary["endTs"].as_i64().unwrap() - summary["startTs"].as_i64().unwrap();
    assert_eq!(took, 86_404_046);
    assert_eq!(counts(&summary), [0, 0, 0, 1].map(Some));
    assert_eq!(summary["failureInfo"]["failureTypeList"], json!(["TIMEOUT_ERROR"]));
}

#[tokio::test]
async fn scripts_show_what_they_say() {
    let second = Duration::from_secs(1);
    let odd = json!({ "startTs": -5, "endTs": null, "totalStagesCount": 5_000_000_000_u64 });
    let retried = Script::show("QUEUED_PLAN_CREATION")
        .then(2 * second, "Failed")
        .then(second, "FooBar")
        .then(second, "Success");
    let table = [
        (Script::fail_at(1), 60, json!({ "status": "Failed", "failedStagesCount": 1 })),
        (
            Script::abort_after(9 * second),
            10,
            json!({ "status": "Aborted", "failedStagesCount": 0 }),
        ),
        (Script::wait_for_approval(MINUTE), 59, json!({ "status": "ApprovalWaiting" })),
        (Script::wait_for_approval(MINUTE), 119, json!({ "status": "Running" })),
        (Script::wait_for_approval(MINUTE), 120, json!({ "status": "Success" })),
        (retried.clone(), 0, json!({ "status": "QUEUED_PLAN_CREATION", "totalStagesCount": 0 })),
        (retried.clone(), 1, json!({ "startTs": null, "startingNodeId": null })),
        (retried.clone(), 2, json!({ "status": "Failed", "failedStagesCount": 1 })),
        (retried.clone(), 3, json!({ "status": "FooBar", "endTs": null })),
        (retried, 9, json!({ "status": "Success", "successfulStagesCount": 1 })),
        (Script::succeed().patch(odd.clone()), 60, odd),
    ];
    for (script, age, wanted) in table {
        let case = format!("{script:?} at {age}");
        let simulator = start(world_that_will(script));
        let event = trigger(&simulator).await;
        advance(&simulator, Duration::from_secs(3 + age));
        let summary = summary(&simulator, &event).await;
        for (name, value) in wanted.as_object().unwrap() {
            assert_eq!(&summary[name], value, "{name}: {case}");
        }
    }
}

#[tokio::test]
async fn events_end_as_their_scripts_say() {
    let word = |word: &str| json!({ "status": word });
    let refused = json!({
        "status": "INVALID_RUNTIME_INPUT_YAML",
        "exceptionOccured": true,
        "pipelineExecutionId": null,
        "message": "Failed while requesting Pipeline Execution through Trigger: no such branch",
    });
    let lost = json!({ "webhookProcessingDetails": { "eventFound": false } });
    let table = [
        (Script::refuse_start("no such branch"), refused),
        (Script::respond("SKIPPED", "nothing to do"), word("SKIPPED")),
        (Script::succeed().processed_as("FRESH_WORD"), word("FRESH_WORD")),
        (Script::never_resolve(), word("QUEUED")),
        (Script::never_resolve().patch_details(lost), json!({ "eventFound": false })),
    ];
    for (script, wanted) in table {
        let simulator = start(world_that_will(script));
        let event = trigger(&simulator).await;
        advance(&simulator, Duration::from_hours(9));
        let data = details(&simulator, "V2", &event).await.body["data"].clone();
        for (name, value) in wanted.as_object().unwrap() {
            assert_eq!(&data["webhookProcessingDetails"][name], value, "{data}");
        }
    }

    let simulator = start(world_that_will(Script::succeed().without_details_for(2 * MINUTE)));
    let event = trigger(&simulator).await;
    advance(&simulator, MINUTE);
    let data = details(&simulator, "V2", &event).await.body["data"].clone();
    assert!(data["webhookProcessingDetails"]["pipelineExecutionId"].is_string());
    assert_eq!(data["executionDetails"], Value::Null);
    advance(&simulator, 2 * MINUTE);
    assert_eq!(summary(&simulator, &event).await["status"], "Success");
}

#[tokio::test]
async fn a_trigger_switched_off_before_its_event_is_processed_does_not_fire() {
    let simulator = start(world());
    let event = trigger(&simulator).await;
    simulator.world().pipeline("default", "shop", "checkout", "nightly").enabled(false);
    advance(&simulator, MINUTE);
    let data = details(&simulator, "", &event).await.body["data"].clone();
    assert_eq!(data["webhookProcessingDetails"]["status"], "NO_ENABLED_CUSTOM_TRIGGER_FOUND");
}

#[tokio::test]
async fn the_layout_misleads_as_the_real_one_does() {
    let mut world = world();
    let tests = ["unit", "api"].map(|name| Stage::new(name, MINUTE).kind("CI"));
    let stages = [
        Stage::new("build", MINUTE).ends("IgnoreFailed"),
        Stage::parallel(tests),
        Stage::matrix("deploy", MINUTE, 3).kind("Deployment"),
    ];
    world.pipeline("default", "shop", "checkout", "nightly").stages(stages);
    let simulator = start(world);
    let event = trigger(&simulator).await;
    advance(&simulator, Duration::from_secs(63));
    assert_eq!(counts(&summary(&simulator, &event).await), [0, 2, 0, 4].map(Some));
    advance(&simulator, 2 * MINUTE);
    let summary = summary(&simulator, &event).await;
    assert_eq!(summary["status"], "IgnoreFailed");
    // The matrix stays as it never started, and what was ignored is no success.
    assert_eq!(counts(&summary), [2, 0, 0, 4].map(Some));

    let map = &summary["layoutNodeMap"];
    let node = |id: &Value| map[id.as_str().expect("an id")].clone();
    let build = node(&summary["startingNodeId"]);
    assert_eq!(build["nodeIdentifier"], "build");
    assert!(build["endTs"].is_i64());
    let group = node(&build["edgeLayoutList"]["nextIds"][0]);
    assert_eq!((&group["nodeType"], &group["status"]), (&json!("parallel"), &json!("NotStarted")));
    let unit = node(&group["edgeLayoutList"]["currentNodeChildren"][0]);
    assert_eq!((&unit["nodeIdentifier"], &unit["status"]), (&json!("unit"), &json!("Success")));
    let matrix = node(&group["edgeLayoutList"]["nextIds"][0]);
    assert_eq!((&matrix["nodeType"], &matrix["status"]), (&json!("MATRIX"), &json!("NotStarted")));
    let children = matrix["edgeLayoutList"]["currentNodeChildren"].as_array().unwrap().clone();
    assert_eq!(children.len(), 3);
    assert!(children.iter().all(|id| node(id)["status"] == "Success"));
    assert_eq!(matrix["edgeLayoutList"]["nextIds"], json!([]));
}

#[tokio::test]
async fn a_token_url_works_and_is_found_by_looking_the_trigger_up() {
    let mut world = world();
    world.pipeline("default", "shop", "checkout", "nightly").token(Some(TOKEN));
    let simulator = start(world);
    let lookup = format!("{API}/triggers/nightly/details?{PROJECT}&targetIdentifier=checkout");
    let found = get(&simulator, &lookup).await;
    assert_eq!(found.body["data"]["enabled"], true);
    let url = found.body["data"]["webhookUrl"].as_str().unwrap().to_owned();
    assert!(url.contains(&format!("/custom/{TOKEN}/v3?")), "{url}");
    let answer = said(http().post(url).body("{}")).await;
    let event = answer.body["data"]["eventCorrelationId"].as_str().unwrap().to_owned();
    advance(&simulator, MINUTE);
    let details = answer.body["data"]["apiUrl"].as_str().unwrap();
    let read = said(http().get(details)).await;
    assert_eq!(read.body["data"]["webhookProcessingDetails"]["eventId"], event);
    assert!(read.body["data"]["executionUrl"].is_string());
}

#[tokio::test]
async fn time_passes_by_itself_and_the_date_may_be_wrong() {
    let mut world = World::new(ACCOUNT, 60_000.0);
    world.pipeline("default", "shop", "checkout", "nightly");
    world.keys.insert(KEY.to_owned());
    let hour = 3_600_000;
    world.date_offset = hour;
    let simulator = start(world);
    let now = || UNIX_EPOCH.elapsed().unwrap();
    let before = now();
    let event = trigger(&simulator).await;
    let ended = async {
        loop {
            let summary = summary(&simulator, &event).await;
            if summary["status"] == "Success" {
                break summary;
            }
        }
    };
    let summary = tokio::time::timeout(Duration::from_secs(30), ended).await.expect("an end");
    let start = summary["startTs"].as_i64().unwrap();
    let started = u128::try_from(start - hour).unwrap();
    assert!((before.as_millis()..=now().as_millis()).contains(&started));
    assert_eq!(summary["endTs"].as_i64().unwrap() - start, 60_000);
    let date = get(&simulator, "/").await.date;
    let date = httpdate::parse_http_date(&date).unwrap();
    assert!(date.duration_since(UNIX_EPOCH).unwrap() > Duration::from_mins(59) + now());
}
