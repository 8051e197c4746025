//! Neither key nor token in anything that can be printed.

use std::fmt::Debug;
use std::io;
use std::sync::{Arc, Mutex};

use tracing_subscriber::fmt::MakeWriter;

use super::server::{Play, Received, Server, Then, answer};
use super::*;
use harness_exporter::model::WebhookPath;

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn assert_clean(text: &str) {
    for secret in [KEY, TOKEN] {
        assert!(!text.to_lowercase().contains(secret), "{text}");
    }
}

fn printed(value: &impl Debug) -> String {
    format!("{value:?} {value:#?}")
}

/// The server says the secrets in everything it can: errors, messages, redirects, broken heads.
#[tokio::test]
async fn fault_45_no_secret_in_answers_debug_texts_and_logs() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let echo = format!("the key {KEY} and the webhook token: {TOKEN}");
    let error = format!(r#"{{"status":"ERROR","code":"{KEY}","message":"{echo}"}}"#);
    let details = format!(
        r#"{{"status":"SUCCESS","data":{{"webhookProcessingDetails":{{"status":"QUEUED",
        "message":"{echo}"}},"executionDetails":{{"pipelineExecutionSummary":{{"status":"Failed",
        "failureInfo":{{"message":"{echo}"}}}}}}}}}}"#
    );
    let refused = format!(r#"{{"status":"{TOKEN}","message":"{echo}","data":"{KEY}"}}"#);
    let answers = [
        answer("400 Bad Request", &error),
        answer("401 Unauthorized", &error),
        answer("404 Not Found", &echo),
        answer("500 Internal Server Error", &echo),
        answer("200 OK", &details),
        answer("200 OK", &refused),
        answer("200 OK", &echo),
        format!("HTTP/1.1 307 {KEY}\r\nlocation: http://{TOKEN}.invalid/{KEY}\r\n\r\n")
            .into_bytes(),
        format!("{KEY} {TOKEN}\r\n\r\n").into_bytes(),
        Vec::new(),
    ];
    for answer in answers {
        let server =
            Server::start(move |_: &Received| Play { answer: answer.clone(), then: Then::Close })
                .await;
        let client = client(&server.url);
        assert_clean(&printed(&client));
        let sent = trigger(&client, WebhookVersion::V3).await;
        assert_clean(&printed(&sent));
        assert_clean(&printed(&read(&client, DetailsVersion::V1).await));
        let head = &server.received()[0].head;
        assert!(head.contains(KEY) && head.contains(TOKEN), "{head}");
    }
    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(!logged.is_empty());
    assert_clean(&logged);
}

#[test]
fn no_secret_in_what_is_passed_in_and_in_errors() {
    let url: Url = "http://localhost".parse().unwrap();
    let pipeline = pipeline();
    let told = format!("/gateway/pipeline/api/webhook/custom/{TOKEN}/v3");
    let told = Address::Told(WebhookPath::new(&told));
    for address in [Address::Version(WebhookVersion::V3), told] {
        let call = TriggerCall { pipeline: &pipeline, address: &address, payload: "{}" };
        assert_clean(&printed(&call));
    }
    assert_clean(&printed(&account(&url)));

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    std::fs::write(&path, format!("{KEY}\n{TOKEN}\n")).unwrap();
    harness::install_crypto();
    let error = Client::new(&Account { api_key: Some(file(&path)), ..account(&url) }).unwrap_err();
    assert_clean(&format!("{error} {}", printed(&error)));
    assert!(error.to_string().contains("holds white space"), "{error}");
}

/// Codings in which what was sent may come back.
#[tokio::test]
async fn fault_45_what_is_echoed_in_another_coding_is_hidden_too() {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

    let bearer = "a-bearer-of-another-service";
    let given = "https://h.example/webhook/custom/t%C3%B6ken-0004/v3".to_owned();
    let mut pipeline = pipeline();
    pipeline.headers = vec![
        ("Authorization".to_owned(), format!("Bearer {bearer}")),
        ("X-Flag".to_owned(), "1".to_owned()),
    ];
    let percent = TOKEN.replace('-', "%2d").replace("token", "%74oken");
    let echo = [
        format!("authorization: Bearer {bearer}"),
        STANDARD.encode(KEY),
        URL_SAFE_NO_PAD.encode(format!("user:{TOKEN}")),
        percent,
        "tök%65n-0004".to_owned(),
        "in 1 of 1 cases".to_owned(),
    ]
    .join(" / ");
    let body = answer("400 Bad Request", &echo);
    let server =
        Server::start(move |_: &Received| Play { answer: body.clone(), then: Then::KeepAlive })
            .await;
    let client = client(&server.url);
    send(&client, &pipeline, WebhookVersion::V3, "{}").await;
    pipeline.webhook = Webhook::Url { source: inline(&given), version: WebhookVersion::V3 };
    let answered = send(&client, &pipeline, WebhookVersion::V3, "{}").await;
    let TriggerAnswer::Refused { message, .. } = answered.answer else { panic!("{answered:?}") };
    let expected = "HTTP 400: authorization: [redacted] / [redacted]E= / dXNlcjp[redacted] / \
                    [redacted] / [redacted] / in 1 of 1 cases";
    assert_eq!(message, expected);
}
