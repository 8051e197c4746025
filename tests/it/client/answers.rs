//! What is sent, and what comes of each answer.

use std::time::{Duration, SystemTime};

use http::header::{DATE, RETRY_AFTER};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::*;
use harness_exporter::model::{Reason, WebhookPath};

async fn answering(template: ResponseTemplate) -> (MockServer, Url) {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(template).mount(&server).await;
    let url = server.uri().parse().unwrap();
    (server, url)
}

fn json(status: u16, body: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_raw(body, "application/json")
}

async fn only_request(server: &MockServer) -> Request {
    let mut requests = server.received_requests().await.unwrap();
    assert_eq!(requests.len(), 1);
    requests.remove(0)
}

fn header<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    request.headers.get(name).map(|value| value.to_str().unwrap())
}

const IDS: &str = "accountIdentifier=acme0000000000000000AA&orgIdentifier=default\
                   &projectIdentifier=shop+front&pipelineIdentifier=checkout\
                   &triggerIdentifier=by_exporter";

#[tokio::test]
async fn a_webhook_goes_to_the_url_of_its_version() {
    let table = [
        (WebhookVersion::V1, "/gateway/api/webhook/custom"),
        (WebhookVersion::V2, "/gateway/pipeline/api/webhook/custom/v2"),
        (WebhookVersion::V3, "/gateway/pipeline/api/webhook/custom/the-token-of-nightly-0002/v3"),
    ];
    for (version, path) in table {
        let (server, url) = answering(json(200, ACCEPTED)).await;
        let answered = send(&client(&url), &pipeline(), version, r#"{"a":"ä"}"#).await;
        assert_eq!((answered.answer, answered.code), (accepted(), Some(200)));
        let request = only_request(&server).await;
        assert_eq!(request.method, "POST");
        assert_eq!(request.url.path(), path);
        assert_eq!(request.url.query(), Some(IDS));
        assert_eq!(request.body, r#"{"a":"ä"}"#.as_bytes());
        assert_eq!(header(&request, "content-type"), Some("application/json"));
        assert_eq!(header(&request, "content-length"), Some("10"));
        assert_eq!(header(&request, "transfer-encoding"), None);
        assert_eq!(header(&request, "x-api-key"), Some(KEY));
        assert_eq!(header(&request, "x-team"), Some("payments"));
        assert_eq!(header(&request, "user-agent"), Some("harness-exporter/0.1.0"));
    }
}

#[tokio::test]
async fn an_event_is_read_at_the_url_of_its_version() {
    let table = [
        (DetailsVersion::V1, "triggerExecutionDetails"),
        (DetailsVersion::V2, "triggerExecutionDetailsV2"),
    ];
    for (version, endpoint) in table {
        let body =
            r#"{"status":"SUCCESS","data":{"webhookProcessingDetails":{"status":"QUEUED"}}}"#;
        let (server, url) = answering(json(200, body)).await;
        let EventAnswer::Details(details) = read(&client(&url), version).await.answer else {
            panic!("no details")
        };
        assert!(details.found);
        assert_eq!(details.status, "QUEUED");
        let request = only_request(&server).await;
        assert_eq!(request.method, "GET");
        let path = format!("/gateway/pipeline/api/webhook/{endpoint}/65a1b2c3d4e5f60718293a4b");
        assert_eq!(request.url.path(), path);
        assert_eq!(request.url.query(), Some("accountIdentifier=acme0000000000000000AA"));
        assert_eq!(header(&request, "x-api-key"), Some(KEY));
    }
}

#[tokio::test]
async fn without_a_key_none_is_sent() {
    let (server, url) = answering(json(200, ACCEPTED)).await;
    let client = client_of(&Account { api_key: None, ..account(&url) });
    assert_eq!(trigger(&client, WebhookVersion::V1).await.answer, accepted());
    read(&client, DetailsVersion::V2).await;
    for request in server.received_requests().await.unwrap() {
        assert_eq!(header(&request, "x-api-key"), None);
    }
}

#[tokio::test]
async fn extra_headers_may_replace_ours_but_neither_key_nor_framing() {
    let (server, url) = answering(json(200, ACCEPTED)).await;
    let client = client(&url);
    let with = |name: &str, value: &str| {
        let mut pipeline = pipeline();
        pipeline.headers = vec![(name.to_owned(), value.to_owned())];
        pipeline
    };
    for (name, value) in [("X-Api-Key", "other"), ("Content-Type", "text/plain")] {
        let answered = send(&client, &with(name, value), WebhookVersion::V1, "{}").await;
        assert_eq!(answered.answer, accepted(), "{name}");
    }
    let requests = server.received_requests().await.unwrap();
    assert_eq!(header(&requests[0], "x-api-key"), Some(KEY));
    assert_eq!(header(&requests[1], "content-type"), Some("text/plain"));
    for (name, value) in [("Content-Length", "1"), ("Host", "x.invalid"), ("a b", "c"), ("a", "\n")]
    {
        let answered = send(&client, &with(name, value), WebhookVersion::V1, "{}").await;
        let expected = format!("header {name} can't be sent: take it out of the config");
        assert_eq!(answered.answer, TriggerAnswer::NotSent { message: expected });
        assert_eq!((answered.code, answered.took), (None, None));
    }
    assert_eq!(server.received_requests().await.unwrap().len(), 2);
}

#[tokio::test]
async fn each_status_reaches_the_caller() {
    let body = r#"{"status":"ERROR","code":"INVALID_REQUEST","message":"Invalid request: no"}"#;
    let said = |status| format!("HTTP {status}: INVALID_REQUEST: Invalid request: no");
    let refused = |reason, status| TriggerAnswer::Refused { reason, message: said(status) };
    let table = [
        (400, refused(Reason::Rejected, 400)),
        (401, refused(Reason::Unauthorized, 401)),
        (403, refused(Reason::Forbidden, 403)),
        (404, TriggerAnswer::UnknownPath { message: said(404) }),
        (405, refused(Reason::Rejected, 405)),
        (429, TriggerAnswer::Throttled { retry_after: None }),
        (500, TriggerAnswer::Unknown { reason: Reason::ServerError, message: said(500) }),
        (503, TriggerAnswer::Unknown { reason: Reason::ServerError, message: said(503) }),
    ];
    for (status, expected) in table {
        let (server, url) = answering(json(status, body)).await;
        let client = client(&url);
        let answered = trigger(&client, WebhookVersion::V1).await;
        assert_eq!((answered.answer, answered.code), (expected, Some(status)));
        only_request(&server).await;
        let answered = read(&client, DetailsVersion::V2).await;
        assert_eq!(answered.code, Some(status));
        let expected = match status {
            404 | 405 => EventAnswer::UnknownPath,
            429 => EventAnswer::Throttled { retry_after: None },
            _ => EventAnswer::Failed { message: said(status) },
        };
        assert_eq!(answered.answer, expected);
    }
}

#[tokio::test]
async fn retry_after_and_skew_come_from_the_head() {
    let hour = Duration::from_hours(1);
    #[expect(
        clippy::disallowed_methods,
        reason = "the stand-in's clock is set against the real one"
    )]
    let ahead = SystemTime::now() + hour;
    let template = json(429, "")
        .insert_header(DATE, httpdate::fmt_http_date(ahead))
        .insert_header(RETRY_AFTER, httpdate::fmt_http_date(ahead + Duration::from_secs(7)));
    let (_server, url) = answering(template).await;
    let answered = trigger(&client(&url), WebhookVersion::V1).await;
    let retry_after = Some(Duration::from_secs(7));
    assert_eq!(answered.answer, TriggerAnswer::Throttled { retry_after });
    let skew = answered.skew.unwrap();
    assert!((skew - 3_600_000).abs() < 5_000, "{skew}");
    assert!(answered.took > Some(Duration::ZERO));
}

#[tokio::test]
async fn a_compressed_answer_is_understood() {
    use std::io::Write;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(ACCEPTED.as_bytes()).unwrap();
    let template = ResponseTemplate::new(200)
        .insert_header("content-encoding", "gzip")
        .set_body_bytes(gzip.finish().unwrap());
    let (server, url) = answering(template).await;
    assert_eq!(trigger(&client(&url), WebhookVersion::V1).await.answer, accepted());
    assert_eq!(header(&only_request(&server).await, "accept-encoding"), Some("gzip"));
}

#[tokio::test]
async fn after_a_401_the_key_file_is_read_again() {
    let (server, url) = answering(json(401, "{}")).await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    let write = |key: &str| std::fs::write(&path, key).unwrap();
    write("first\n");
    let client = client_of(&Account { api_key: Some(file(&path)), ..account(&url) });
    write("second\n");
    trigger(&client, WebhookVersion::V1).await;
    read(&client, DetailsVersion::V2).await;
    write("third\n");
    server.reset().await;
    Mock::given(any()).respond_with(json(200, ACCEPTED)).mount(&server).await;
    read(&client, DetailsVersion::V2).await;
    write("fourth\n");
    trigger(&client, WebhookVersion::V1).await;
    let requests = server.received_requests().await.unwrap();
    let keys: Vec<_> = requests.iter().map(|request| header(request, "x-api-key")).collect();
    assert_eq!(keys, [Some("third"), Some("third")]);
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_stops_the_call() {
    let (server, url) = answering(json(200, ACCEPTED)).await;
    let client = client(&url);
    let mut pipeline = pipeline();
    pipeline.webhook = Webhook::Token(file(Path::new("/nowhere/token")));
    let answered = send(&client, &pipeline, WebhookVersion::V3, "{}").await;
    assert_eq!(answered.took, None, "no call was made");
    let TriggerAnswer::NotSent { message } = answered.answer else { panic!("it left") };
    assert!(message.starts_with("no webhook token: secret file /nowhere/token"), "{message}");
    pipeline.webhook = Webhook::Auto;
    let answered = send(&client, &pipeline, WebhookVersion::V3, "{}").await;
    assert!(matches!(answered.answer, TriggerAnswer::NotSent { .. }));
    assert!(server.received_requests().await.unwrap().is_empty());

    let keyless = Account { api_key: Some(file(Path::new("/nowhere/key"))), ..account(&url) };
    let error = Client::new(&keyless).unwrap_err().to_string();
    let expected = "the API key of account acme can't be used: secret file /nowhere/key can't be";
    assert!(error.starts_with(expected), "{error}");
}

#[tokio::test]
async fn a_key_file_that_has_gone_stops_reads_and_webhooks_without_a_call() {
    let (server, url) = answering(json(401, "{}")).await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    std::fs::write(&path, "first").unwrap();
    let client = client_of(&Account { api_key: Some(file(&path)), ..account(&url) });
    std::fs::remove_file(&path).unwrap();
    read(&client, DetailsVersion::V2).await;
    let answered = read(&client, DetailsVersion::V2).await;
    assert_eq!((answered.code, answered.took), (None, None));
    let EventAnswer::Failed { message } = answered.answer else { panic!("it was read") };
    assert!(message.starts_with("no API key: secret file "), "{message}");
    let answered = trigger(&client, WebhookVersion::V1).await;
    assert_eq!((answered.code, answered.took), (None, None));
    assert!(matches!(answered.answer, TriggerAnswer::NotSent { .. }), "{answered:?}");
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
}

/// The pipeline with this webhook URL, as the config would have it.
fn with_url(url: &str) -> Pipeline {
    // The version is the config's reading of the URL; where it goes is the URL's.
    let webhook = Webhook::Url { source: inline(url), version: WebhookVersion::V1 };
    Pipeline { webhook, ..pipeline() }
}

#[tokio::test]
async fn of_a_given_url_path_and_query_are_used_on_the_accounts_own_host() {
    let api = "/gateway/pipeline/api/webhook/custom";
    let v3 = format!("{api}/another-token-0003/v3");
    let table = [
        (format!("https://elsewhere.example{v3}?{IDS}"), v3.clone(), IDS.to_owned()),
        (format!("http://elsewhere.example:81{api}/v2?{IDS}"), format!("{api}/v2"), IDS.to_owned()),
        (
            format!("https://h.example/gateway/api/webhook/custom?extra=1&{IDS}"),
            "/gateway/api/webhook/custom".to_owned(),
            format!("extra=1&{IDS}"),
        ),
        // Without the last two, every trigger of the project would be fired.
        (
            "https://h.example/webhook/custom?accountIdentifier=acme0000000000000000AA\
             &orgIdentifier=default&projectIdentifier=shop%20front&triggerIdentifier="
                .to_owned(),
            "/webhook/custom".to_owned(),
            "accountIdentifier=acme0000000000000000AA&orgIdentifier=default\
             &projectIdentifier=shop%20front&triggerIdentifier=&pipelineIdentifier=checkout\
             &triggerIdentifier=by_exporter"
                .to_owned(),
        ),
        (format!("https://h.example{v3}"), v3.clone(), IDS.to_owned()),
    ];
    for (given, path, query) in table {
        let (server, url) = answering(json(200, ACCEPTED)).await;
        let answered = send(&client(&url), &with_url(&given), WebhookVersion::V1, "{}").await;
        assert_eq!(answered.answer, accepted(), "{given}");
        let request = only_request(&server).await;
        assert_eq!(
            (request.url.path(), request.url.query()),
            (path.as_str(), Some(query.as_str()))
        );
        assert_eq!(header(&request, "x-api-key"), Some(KEY));
    }
}

#[tokio::test]
async fn what_a_lookup_tells_is_used_on_the_accounts_own_host() {
    let path = "/gateway/pipeline/api/webhook/custom/another-token-0003/v3";
    let (server, url) = answering(json(200, ACCEPTED)).await;
    let address = Address::Told(WebhookPath::new(&format!("{path}?{IDS}")));
    let pipeline = Pipeline { webhook: Webhook::Auto, ..pipeline() };
    let call = TriggerCall { pipeline: &pipeline, address: &address, payload: "{}" };
    assert_eq!(client(&url).trigger(call).await.answer, accepted());
    let request = only_request(&server).await;
    assert_eq!((request.url.path(), request.url.query()), (path, Some(IDS)));
    assert_eq!(header(&request, "x-api-key"), Some(KEY));
}

#[tokio::test]
async fn a_given_url_that_can_not_be_meant_is_not_called() {
    let other = |name: &str| {
        let url = "https://h.example/gateway/api/webhook/custom";
        format!("{url}?{name}=another")
    };
    let table = [
        (other("accountIdentifier"), "the webhook URL's accountIdentifier is another than"),
        (other("triggerIdentifier"), "the webhook URL's triggerIdentifier is another than"),
        ("the-token-alone".to_owned(), "the webhook URL is none"),
        ("https://h.example/ng/#/account/x".to_owned(), "the webhook URL is none"),
        ("https://h.example/webhook/custom two".to_owned(), "no webhook URL: the secret in"),
    ];
    let (server, url) = answering(json(200, ACCEPTED)).await;
    for (given, expected) in table {
        let answered = send(&client(&url), &with_url(&given), WebhookVersion::V1, "{}").await;
        let TriggerAnswer::NotSent { message } = answered.answer else { panic!("{given}") };
        assert!(message.starts_with(expected), "{message}");
        assert!(!message.contains("=another") && !message.contains("the-token"), "{message}");
    }
    assert!(server.received_requests().await.unwrap().is_empty());
}
