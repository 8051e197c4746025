//! The pages and the API: what they show of pipelines, runs and the config, and what they never do.

use std::path::PathBuf;
use std::sync::Arc;

use harness_exporter::config::{Account, Config, Pipeline, SecretSource, Webhook};
use harness_exporter::model::{
    AccountName, Change, ExecutionId, Fact, Mark, MissedReason, Phase, PipelineName, Run, RunId,
    RunResult, Stage, Status, Wall, WebhookVersion,
};
use reqwest::Method;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::server::{Server, Setup, config, header};

/// 2026-11-24T07:00:00Z.
const SEVEN: Wall = Wall(1_795_503_600_000);

fn run() -> Run {
    let name = PipelineName::new("nightly");
    let id = RunId::of_slot(&name, SEVEN, 1);
    Run {
        due: Some(SEVEN),
        phase: Phase::Ended,
        execution: Some(ExecutionId::new("BOvtFC6xRReaPeJiOj2yvA").unwrap()),
        status: Some(Status::Failed),
        result: Some(RunResult::Failure),
        start: Some(Wall(SEVEN.0 + 1_000)),
        end: Some(Wall(SEVEN.0 + 62_500)),
        duration: Some(61_500),
        message: Some("<script>alert(1)</script>".to_owned()),
        stages: vec![Stage { id: "build".to_owned(), status: Status::Failed, duration: Some(5) }],
        ..Run::new(id, name, AccountName::new("default"), SEVEN)
    }
}

async fn server() -> Server {
    let run = Arc::new(run());
    let pipeline = PipelineName::new("nightly");
    let missed = Fact::Missed {
        pipeline: pipeline.clone(),
        reason: MissedReason::Late,
        count: 3,
        latest: SEVEN,
        mark: Mark { handled_until: SEVEN, owed: Vec::new() },
    };
    let facts = vec![
        Fact::Run { run, change: Change::Finished, mark: None },
        Fact::Next { pipeline, at: Some(Wall(SEVEN.0 + 86_400_000)) },
        missed,
    ];
    Setup { telemetry_path: "/m", facts, ..Setup::default() }.start().await
}

async fn page(server: &Server, path: &str) -> String {
    let page = server.request(Method::GET, path, &[]).await;
    assert_eq!(page.status(), 200, "{path}");
    assert_eq!(header(&page, "content-type"), "text/html; charset=utf-8");
    assert_eq!(header(&page, "x-content-type-options"), "nosniff");
    let policy = header(&page, "content-security-policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'unsafe-inline';"), "{policy}");
    let page = page.text().await.unwrap();
    for never in ["<script", "src=", "@import", "url("] {
        assert!(!page.contains(never), "{never} in {page}");
    }
    page
}

#[tokio::test]
async fn the_pages_lead_from_one_to_the_next_and_run_nothing() {
    let server = server().await;
    let id = "nightly%2D2026%2D11%2D24T07%3A00%3A00Z%2D1";
    for (path, parts) in [
        (
            "/",
            &[
                "<title>Pipelines</title>",
                env!("CARGO_PKG_VERSION"),
                "href=\"./m\"",
                "href=\"./-/ready\"",
                "<td>default</td><td>up</td>",
                "href=\"pipelines/nightly\"",
                "<td>by hand only</td>",
                "2026-11-25T07:00:00Z",
                "<td>3</td>",
                ">failure</a>",
                "<td>1m1s</td>",
                "href=\"runs/nightly%2D2026%2D11%2D24T07%3A00%3A00Z%2D1\"",
            ][..],
        ),
        (
            "/pipelines/nightly",
            &["<title>nightly</title>", "href=\"../runs/nightly%2D2026", "href=\"../config\""],
        ),
        (
            &format!("/runs/{id}"),
            &[
                "href=\"https://app.harness.io/BOvtFC6xRReaPeJiOj2yvA\"",
                "href=\"../pipelines/nightly\"",
                "&#60;script&#62;alert(1)",
                "<td>build</td><td>failed</td>",
            ],
        ),
    ] {
        let page = page(&server, path).await;
        for part in parts {
            assert!(page.contains(part), "{part} in {page}");
        }
    }
    for (path, said) in [
        ("/pipelines/nobody", "no pipeline is called nobody\n"),
        ("/runs/none", "no run under way and none of the newest of its pipeline has this id\n"),
        ("/pipelines/%ff", "the name is not UTF-8\n"),
    ] {
        let status = if path.contains('%') { 400 } else { 404 };
        assert_eq!(server.get(path).await, (status, said.to_owned()));
    }
}

#[tokio::test]
async fn a_program_is_told_the_same() {
    let server = server().await;
    let read = async |path| serde_json::from_str::<Value>(&server.get(path).await.1).unwrap();
    let mut nightly = json!({
        "name": "nightly", "account": "default", "org": "default", "project": "default",
        "pipeline": "nightly", "trigger": "exporter", "schedule": null, "paused": [],
        "next": "2026-11-25T07:00:00Z", "active_runs": 0, "missed": 3, "success_expected_by": null,
    });
    assert_eq!(read("/api/v1/pipelines").await, json!({ "pipelines": [nightly] }));
    nightly["runs"] = json!([{
        "id": "nightly-2026-11-24T07:00:00Z-1", "pipeline": "nightly", "origin": "manual",
        "due": "2026-11-24T07:00:00Z", "begun": "2026-11-24T07:00:00Z", "sent": null,
        "event": null, "execution": "BOvtFC6xRReaPeJiOj2yvA", "outcome": "pending",
        "reason": null, "status": "failed", "result": "failure",
        "start": "2026-11-24T07:00:01Z", "end": "2026-11-24T07:01:02.5Z",
        "duration_seconds": 61.5,
        "stages": [{ "id": "build", "status": "failed", "duration_seconds": 0.005 }],
        "url": "https://app.harness.io/BOvtFC6xRReaPeJiOj2yvA",
    }]);
    assert_eq!(read("/api/v1/pipelines/nightly").await, nightly);
    let unknown = json!({ "error": "no pipeline is called nobody" });
    assert_eq!(read("/api/v1/pipelines/nobody").await, unknown);
}

const SECRET: &str = "s3cret-0815";

/// A config with a secret wherever one may be.
fn full_of_secrets() -> Config {
    let inline = || SecretSource::Inline(SecretString::from(SECRET));
    let name = AccountName::new("default");
    let url = "https://app.harness.io".parse().unwrap();
    let account = Account { api_key: Some(inline()), ..Account::new(name.clone(), url, "acme") };
    let pipeline = |text: &str, webhook| Pipeline {
        webhook,
        payload: Arc::from(format!(r#"{{"branch": "main", "token": "{SECRET}"}}"#)),
        headers: vec![("X-Auth".to_owned(), SECRET.to_owned())],
        ..Pipeline::new(PipelineName::new(text), name.clone())
    };
    let by_url = Webhook::Url { source: inline(), version: WebhookVersion::V3 };
    let by_file = Webhook::Token(SecretSource::File(PathBuf::from("secrets/token")));
    let mut config = Config::new(
        account,
        [
            pipeline("one", by_url),
            pipeline("two", by_file),
            pipeline("three", Webhook::Token(SecretSource::Env("TOKEN".to_owned()))),
        ],
    );
    config.notifications = Some(inline());
    config
}

#[tokio::test]
async fn fault_45_no_secret_is_on_any_page() {
    let hook_token = Some(SecretString::from(SECRET));
    let setup = Setup { config: full_of_secrets(), hook_token, ..Setup::default() };
    let server = setup.start().await;
    for path in ["/config", "/", "/pipelines/one", "/api/v1/pipelines", "/api/v1/pipelines/two"] {
        let (status, said) = server.get(path).await;
        assert_eq!(status, 200, "{path}");
        assert!(!said.contains("s3cret") && !said.contains("0815"), "{path}: {said}");
    }
    let shown: serde_yaml::Value = serde_yaml::from_str(&server.get("/config").await.1).unwrap();
    assert_eq!(shown["accounts"][0]["api_key"], "<hidden>");
    assert_eq!(shown["notifications"]["token"], "<hidden>");
    let [one, two, three] = [0, 1, 2].map(|at| &shown["pipelines"][at]);
    assert_eq!(one["webhook_url"], "<hidden>");
    assert_eq!(one["payload"]["branch"], "<hidden>", "which of them is a secret is not guessed");
    assert_eq!(one["headers"]["X-Auth"], "<hidden>");
    assert_eq!(two["webhook_token_file"], "secrets/token");
    assert_eq!(three["webhook_token_env"], "TOKEN");
}

#[tokio::test]
async fn the_config_is_shown_with_its_defaults() {
    let server = Setup { config: config(), ..Setup::default() }.start().await;
    let answer = server.request(Method::GET, "/config", &[]).await;
    assert_eq!(header(&answer, "content-type"), "text/plain; charset=utf-8");
    assert_eq!(header(&answer, "cache-control"), "no-store");
    let shown: serde_yaml::Value = serde_yaml::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!(shown["accounts"][0]["requests_per_minute"], 300);
    assert_eq!(shown["pipelines"][0]["queue_deadline"], "6h");
    assert_eq!(shown["pipelines"][0]["polling"]["max"], "1m");
    assert_eq!(shown["storage"]["retention"], "30d");
}
