//! The flow that the program was asked for, against a server that knows its two calls and nothing
//! else: a webhook answered with an event's id, and that event's details.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::support::{ACCOUNT, Setup, ended};

const TRIGGERED: &str = r#"{ "status":"SUCCESS", "data":"62e2f35160958b611e494564", "metaData":null, "correlationId":"b452749f-9cb7-484a-a755-ec494dae6071"}"#;

const DETAILS: &str = r#"{
"status": "SUCCESS",
"data": {
"webhookProcessingDetails": {
"eventFound": true,
"eventId": "62eb058f11d58d120e940a5d",
"accountIdentifier": "XXXXXXXX",
"orgIdentifier": "XXXX",
"projectIdentifier": "XXXXXXX",
"triggerIdentifier": "XXXXX",
"pipelineIdentifier": "XXXX",
"pipelineExecutionId": "BOvtFC6xRReaPeJiOj2yvA",
"exceptionOccured": false,
"status": "TARGET_EXECUTION_REQUESTED",
"message": "Pipeline execution was requested successfully",
"payload": "{}",
"eventCreatedAt": 1659569558794,
"runtimeInput": "pipeline: {}\n"
},
"executionDetails": {
"pipelineExecutionSummary": {
"pipelineIdentifier": "test",
"planExecutionId": "BOvtFC6xRReaPeJiOj2yvA",
"name": "test",
"status": "Expired",
"tags": [],
"executionTriggerInfo": {},
"governanceMetadata": {},
"moduleInfo": {},
"layoutNodeMap": {},
"modules": ["pms"],
"startingNodeId": "Usu77wypQum1gB2hdur-8A",
"startTs": 1659569558476,
"endTs": 1659655962522,
"createdAt": 1659569558663,
"canRetry": true,
"showRetryHistory": false,
"runSequence": 9,
"successfulStagesCount": 0,
"runningStagesCount": 0,
"failedStagesCount": 0,
"totalStagesCount": 1,
"executionInputConfigured": false,
"allowStageExecutions": false,
"stagesExecution": false
}
}
},
"metaData": null,
"correlationId": "c793026a-a152-4377-ba97-b10d12f0df5d"
}"#;

const WEBHOOK: &str = "POST /gateway/api/webhook/custom?";
const EVENT: &str =
    "GET /gateway/pipeline/api/webhook/triggerExecutionDetails/62e2f35160958b611e494564?";

/// A server of two calls; `otherwise` answers everything else.
struct Server {
    url: String,
    received: Arc<Mutex<Vec<String>>>,
    _listening: JoinSet<()>,
}

impl Server {
    async fn start(otherwise: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let received = Arc::<Mutex<Vec<String>>>::default();
        let requests = received.clone();
        let mut listening = JoinSet::new();
        listening.spawn(async move {
            let mut guests = JoinSet::new();
            loop {
                let (mut guest, _) = listener.accept().await.unwrap();
                let (otherwise, requests) = (otherwise.clone(), requests.clone());
                guests.spawn(async move {
                    while let Some(request) = read(&mut guest).await {
                        let answer = answer(&request, &otherwise);
                        requests.lock().unwrap().push(request);
                        guest.write_all(answer.as_bytes()).await.unwrap();
                    }
                });
            }
        });
        Self { url, received, _listening: listening }
    }

    /// The requests that begin so.
    fn received(&self, beginning: &str) -> Vec<String> {
        let received = self.received.lock().unwrap();
        received.iter().filter(|request| request.starts_with(beginning)).cloned().collect()
    }
}

/// A request with a body of known length, or none.
async fn read(guest: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return Some(text.into_owned());
            }
        }
        if guest.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return None;
        }
    }
}

fn answer(request: &str, otherwise: &str) -> String {
    let body = if request.starts_with(WEBHOOK) {
        TRIGGERED
    } else if request.starts_with(EVENT) {
        DETAILS
    } else {
        return otherwise.to_owned();
    };
    said("200 OK", "application/json", body)
}

fn said(status: &str, content_type: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

/// The run of four years ago is shown as it was, and counted once.
async fn the_flow(otherwise: String) {
    let server = Server::start(otherwise).await;
    let setup = Setup::new(&server.url).without_key().pipeline("test", "every: 365d");
    let mut exporter = setup.start().await;
    exporter.trigger("test").await;
    let timeouts = ended("test", "timeout");
    exporter.eventually("its end", |m| m.value(&timeouts) == 1).await;
    let m = exporter.scrape().await;
    let lags = m.value("harness_exporter_detection_lag_seconds_count");
    assert_eq!(lags, 0, "an end before its webhook says nothing of how late we are");
    let reads = server.received(EVENT).len();
    for _ in 0..2 {
        let m = exporter.scrape().await;
        assert_eq!(m.sum("harness_pipeline_triggers_total"), 1);
        assert_eq!(m.sum("harness_pipeline_runs_total"), 1);
        assert_eq!(m.value(&timeouts), 1);
        assert_eq!(m.value(r#"harness_pipeline_last_run_result{result="timeout"}"#), 1);
        assert_eq!(m.value(r#"harness_pipeline_last_run_status{status="expired"}"#), 1);
        assert_eq!(m.value(r#"harness_pipeline_last_trigger_outcome{outcome="started"}"#), 1);
        assert_eq!(m.millis("harness_pipeline_last_run_duration_seconds"), Some(86_404_046));
        let start = m.millis("harness_pipeline_last_run_start_timestamp_seconds");
        assert_eq!(start, Some(1_659_569_558_476));
        let end = m.millis("harness_pipeline_last_run_end_timestamp_seconds");
        assert_eq!(end, Some(1_659_655_962_522));
        assert_eq!(m.value("harness_pipeline_last_run_number"), 9);
        assert_eq!(m.value("harness_pipeline_last_run_stage_count"), 1);
        assert_eq!(m.sum("harness_pipeline_last_run_reported_stages"), 0);
        assert_eq!(m.value(r#"harness_pipeline_run_duration_seconds_count{result="timeout"}"#), 1);
        exporter.restart().await;
    }
    assert_eq!(server.received(EVENT).len(), reads, "what is over is not looked at");
    let webhooks = server.received("POST");
    let ids = format!(
        "{WEBHOOK}accountIdentifier={ACCOUNT}&orgIdentifier=default&projectIdentifier=shop&\
         pipelineIdentifier=test&triggerIdentifier=exporter HTTP/1.1\r\n"
    );
    assert_eq!(webhooks.len(), 1);
    assert!(webhooks[0].starts_with(&ids), "{webhooks:?}");
    assert!(webhooks[0].contains("\r\ncontent-type: application/json\r\n"), "{webhooks:?}");
    assert!(webhooks[0].ends_with("\r\n\r\n{}"), "{webhooks:?}");
    exporter.end().await;
}

#[tokio::test]
async fn the_seed_is_served_whatever_the_server_says_of_the_rest() {
    let unknown = r#"{"status":"FAILURE","code":"RESOURCE_NOT_FOUND_EXCEPTION","message":"HTTP 404 Not Found","correlationId":"c","errors":null}"#;
    tokio::join!(
        the_flow(said("404 Not Found", "text/plain", "")),
        the_flow(said("404 Not Found", "text/html", "<html><h1>404 Not Found</h1></html>")),
        the_flow(said("400 Bad Request", "application/json", unknown)),
    );
}
