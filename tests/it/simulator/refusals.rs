//! Everything that Harness refuses, with its words.

use harness_exporter::simulator::{Execution, World};
use serde_json::{Value, json};

use super::{
    ACCOUNT, API, IDS, KEY, POOR_KEY, PROJECT, TOKEN, V1, advance, details, http, said, start,
    trigger, world,
};

/// What is asked, and by whom.
struct Case {
    path: String,
    key: Option<&'static str>,
    status: u16,
    code: &'static str,
    message: &'static str,
}

fn case(path: String, key: Option<&'static str>, status: u16, code: &'static str) -> Case {
    Case { path, key, status, code, message: "" }
}

impl Case {
    fn saying(self, message: &'static str) -> Self {
        Self { message, ..self }
    }
}

fn with_token() -> World {
    let mut world = world();
    world.pipeline("default", "shop", "checkout", "nightly").token(Some(TOKEN));
    world.pipeline("default", "shop", "search", "off").token(Some("off")).enabled(false);
    world.pipeline("default", "shop", "vault", "locked").requires_key(true);
    world
}

#[tokio::test]
async fn webhooks_are_refused_with_harness_own_words() {
    let locked = IDS.replace("checkout", "vault").replace("nightly", "locked");
    let table = [
        case(format!("{V1}?{IDS}"), Some("wrong"), 401, "INVALID_TOKEN")
            .saying("Account id for API called: acme0000000000000000AA"),
        case(format!("{V1}?{IDS}"), Some(POOR_KEY), 403, "NG_ACCESS_DENIED"),
        case(format!("{V1}?{locked}"), None, 400, "INVALID_REQUEST").saying(
            "Authorization is mandatory for custom triggers in acme0000000000000000AA:default:shop",
        ),
        case(format!("{V1}?{}", IDS.replace(ACCOUNT, "other")), None, 400, "INVALID_REQUEST")
            .saying("No enabled custom trigger found for Account:other, Org: default"),
        case(format!("{V1}?{}", IDS.replace("nightly", "hourly")), None, 400, "INVALID_REQUEST")
            .saying("Pipeline: checkout, Trigger: hourly"),
        case(format!("{V1}?{IDS}"), None, 400, "INVALID_REQUEST")
            .saying("This webhook url is no longer supported"),
        case(format!("{API}/webhook/custom/v2?{IDS}"), None, 400, "INVALID_REQUEST")
            .saying("This webhook url is no longer supported"),
        case(format!("{API}/webhook/custom/none/v3?{IDS}"), None, 400, "INVALID_REQUEST")
            .saying("No custom trigger found for the used custom webhook token: none"),
        case(format!("{API}/webhook/custom/off/v3?{IDS}"), None, 400, "INVALID_REQUEST")
            .saying("No enabled custom trigger found for the used custom webhook token: off"),
        case(format!("{V1}?accountIdentifier={ACCOUNT}"), None, 400, "INVALID_REQUEST")
            .saying("orgIdentifier and projectIdentifier are required query parameters"),
        case(V1.to_owned(), None, 400, "INVALID_REQUEST").saying("accountIdentifier"),
        case(format!("{API}/webhook/odd"), None, 400, "RESOURCE_NOT_FOUND_EXCEPTION"),
    ];
    let simulator = start(with_token());
    for Case { path, key, status, code, message } in table {
        let mut request = http().post(format!("{}{path}", simulator.url())).body("{}");
        if let Some(key) = key {
            request = request.header("X-Api-Key", key);
        }
        let said = said(request).await;
        assert_eq!((said.status, &said.body["code"]), (status, &json!(code)), "{path}");
        assert_ne!(said.body["status"], "SUCCESS", "{path}");
        let text = said.body["message"].as_str().expect("a message");
        assert!(text.contains(message), "{path}: {text}");
    }
    let world = simulator.world();
    assert_eq!(world.ledger.len(), 11);
    assert!(world.ledger.iter().all(|received| received.event.is_none()));
    assert!(world.executions().is_empty());
    assert_eq!(world.unexpected, [format!("POST {API}/webhook/odd")]);
}

#[tokio::test]
async fn the_shapes_of_errors_differ() {
    let simulator = start(world());
    let ask = async |path: String, key: &str| {
        said(http().get(format!("{}{path}", simulator.url())).header("x-api-key", key)).await.body
    };
    let error = ask(format!("{API}/pipelines/execution/v2/none?{PROJECT}"), KEY).await;
    assert_eq!(error["status"], "ERROR");
    assert_eq!(error["responseMessages"][0]["code"], "ENTITY_NOT_FOUND");
    assert!(error["correlationId"].is_string());
    let failure = ask(format!("{API}/webhook/triggerExecutionDetails/none"), KEY).await;
    assert_eq!(failure["status"], "FAILURE");
    assert_eq!(failure["errors"][0]["fieldId"], "accountIdentifier");
    let unknown = ask("/nowhere".to_owned(), KEY).await;
    assert_eq!((&unknown["status"], &unknown["errors"]), (&json!("FAILURE"), &Value::Null));
    let denied = ask(format!("{API}/pipelines/execution/v2/none?{PROJECT}"), POOR_KEY).await;
    assert_eq!(denied["failedPermissionChecks"][0]["permission"], "core_pipeline_view");
    assert_eq!(denied["correlationId"], Value::Null);
}

#[tokio::test]
async fn reads_want_a_key_but_an_events_details_do_not() {
    let simulator = start(world());
    let event = trigger(&simulator).await;
    advance(&simulator, super::MINUTE);
    let details = format!("{API}/webhook/triggerExecutionDetails/{event}?{PROJECT}");
    let execution = simulator.world().executions()[0].id().to_owned();
    let execution = format!("{API}/pipelines/execution/v2/{execution}?{PROJECT}");
    let lookup = format!("{API}/triggers/nightly/details?{PROJECT}&targetIdentifier=checkout");
    let status = async |path: &str, key: Option<&str>| {
        let mut request = http().get(format!("{}{path}", simulator.url()));
        if let Some(key) = key {
            request = request.header("x-api-key", key);
        }
        said(request).await.status
    };
    for path in [&execution, &lookup] {
        assert_eq!(status(path, None).await, 401, "{path}");
        assert_eq!(status(path, Some("wrong")).await, 401, "{path}");
        assert_eq!(status(path, Some(POOR_KEY)).await, 403, "{path}");
        assert_eq!(status(path, Some(KEY)).await, 200, "{path}");
    }
    assert_eq!(status(&details, None).await, 200);
    assert_eq!(status(&details, Some(POOR_KEY)).await, 200);
    assert_eq!(status(&details, Some("wrong")).await, 401);
    simulator.world().details_require_key = true;
    assert_eq!(status(&details, None).await, 401);
    assert_eq!(status(&details, Some(POOR_KEY)).await, 403);
    assert_eq!(status(&details, Some(KEY)).await, 200);
}

#[tokio::test]
async fn an_old_harness_knows_less() {
    let simulator = start(world());
    simulator.world().knows_v2_details = false;
    let event = trigger(&simulator).await;
    let said = details(&simulator, "V2", &event).await;
    let unknown = json!("RESOURCE_NOT_FOUND_EXCEPTION");
    assert_eq!((said.status, &said.body["code"]), (400, &unknown));

    simulator.world().seed_only = true;
    let event = trigger(&simulator).await;
    advance(&simulator, super::MINUTE);
    assert_eq!(details(&simulator, "", &event).await.status, 200);
    assert_eq!(details(&simulator, "V2", &event).await.status, 404);
    let execution = format!("{API}/pipelines/execution/v2/any?{PROJECT}");
    assert_eq!(super::get(&simulator, &execution).await.status, 404);
    let second = super::post(&simulator, &format!("{API}/webhook/custom/v2?{IDS}"), "{}").await;
    assert_eq!(second.status, 404);
    assert!(simulator.world().unexpected.is_empty());
}

#[tokio::test]
async fn a_webhook_that_names_no_pipeline_starts_all_of_the_project() {
    let mut world = world();
    world.pipeline("default", "shop", "checkout", "weekly");
    world.pipeline("default", "elsewhere", "checkout", "nightly");
    let simulator = start(world);
    let said = super::post(&simulator, &format!("{V1}?{PROJECT}"), "{}").await;
    let event = said.body["data"].as_str().expect("an id").to_owned();
    advance(&simulator, super::MINUTE);
    let numbers: Vec<_> = simulator.world().executions().iter().map(Execution::number).collect();
    assert_eq!(numbers, [1, 2]);
    let data = details(&simulator, "V2", &event).await.body["data"].clone();
    assert!(data["webhookProcessingDetails"]["warningMsg"].is_string());
}
