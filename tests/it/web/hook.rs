//! Notifications: who is listened to, what is handed on, and that nothing else happens.

use harness_exporter::web::{Guard, Request};
use reqwest::Method;
use secrecy::SecretString;
use serde_json::json;
use tokio::sync::mpsc;

use super::server::{Server, Setup, header};
use super::users;

const TOKEN: &str = "the-token-of-the-hook-0815";

async fn server(queue: usize) -> (Server, mpsc::Receiver<Request>) {
    let (sender, requests) = mpsc::channel(queue);
    let hook_token = Some(SecretString::from(TOKEN));
    let setup = Setup { driver: Some(sender), hook_token, ..Setup::default() };
    (setup.start().await, requests)
}

async fn notify(server: &Server, token: &str, body: String) -> (u16, String) {
    let headers = [("x-harness-exporter-token", token)];
    let answer = server.send(Method::POST, "/hooks/harness", &headers, body).await;
    (answer.status().as_u16(), answer.text().await.unwrap())
}

fn ended(execution: &str) -> String {
    let data = json!({ "planExecutionId": execution, "eventType": "PipelineEnd", "endTs": 7 });
    json!({ "eventData": data }).to_string()
}

fn taken() -> (u16, String) {
    (202, "taken\n".to_owned())
}

fn notified(request: Result<Request, mpsc::error::TryRecvError>) -> String {
    match request {
        Ok(Request::Notified(execution)) => execution.to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_harness_says_reaches_the_driver_once() {
    let (server, mut requests) = server(16).await;
    assert_eq!(notify(&server, TOKEN, ended("one")).await, taken());
    assert_eq!(notified(requests.try_recv()), "one");

    let success = ended("one").replace("PipelineEnd", "PipelineSuccess");
    assert_eq!(notify(&server, TOKEN, success).await, taken());
    assert!(requests.try_recv().is_err(), "an end is told twice and handed on once");
    assert_eq!(notify(&server, TOKEN, ended("two")).await, taken());
    assert_eq!(notified(requests.try_recv()), "two");
}

#[tokio::test]
async fn fault_47_without_the_right_token_nothing_happens() {
    let (server, mut requests) = server(16).await;
    let longer = format!("{TOKEN}x");
    for wrong in ["", "wrong", "the-token-of-the-hook-081", &longer, &TOKEN.to_uppercase()] {
        let (status, said) = notify(&server, wrong, ended("one")).await;
        let wanted = "the header X-Harness-Exporter-Token is not what the config says\n";
        assert_eq!((status, said.as_str()), (401, wanted), "{wrong}");
    }
    let answer = server.send(Method::POST, "/hooks/harness", &[], ended("one")).await;
    assert_eq!(answer.status(), 401, "without the header");
    let bearer = [("authorization", TOKEN)];
    assert_eq!(server.send(Method::POST, "/hooks/harness", &bearer, "{}").await.status(), 401);
    assert!(requests.try_recv().is_err());
}

#[tokio::test]
async fn it_is_off_without_a_token() {
    let (sender, mut requests) = mpsc::channel(16);
    let server = Setup { driver: Some(sender), ..Setup::default() }.start().await;
    for token in ["", TOKEN] {
        let (status, said) = notify(&server, token, ended("one")).await;
        assert_eq!(status, 404, "{said}");
    }
    assert!(requests.try_recv().is_err());
}

#[tokio::test]
async fn it_asks_for_no_user_and_opens_nothing_else() {
    let (_folder, path) = users::web_config(&[("admin", "s3cret")]);
    let (sender, mut requests) = mpsc::channel(16);
    let setup = Setup {
        guard: Guard::open(&path).unwrap(),
        hook_token: Some(SecretString::from(TOKEN)),
        driver: Some(sender),
        ..Setup::default()
    };
    let server = setup.start().await;
    assert_eq!(notify(&server, TOKEN, ended("one")).await, taken());
    notified(requests.try_recv());
    let token = [("x-harness-exporter-token", TOKEN)];
    for path in ["/metrics", "/hooks/harness/", "/hooks/harness/../../metrics", "/hooks//harness"] {
        assert_eq!(server.request(Method::GET, path, &token).await.status(), 401, "{path}");
    }
}

#[tokio::test]
async fn what_is_no_notification_is_refused() {
    let (server, mut requests) = server(16).await;
    for (body, status) in [
        (String::new(), 400),
        ("{".to_owned(), 400),
        ("[]".to_owned(), 400),
        (json!({ "eventData": { "eventType": "PipelineEnd" } }).to_string(), 400),
        (format!("\"{}\"", "x".repeat(64 << 10)), 413),
        (format!("{}1", "[".repeat(10_000)), 400),
    ] {
        let (answered, said) = notify(&server, TOKEN, body.clone()).await;
        assert_eq!(answered, status, "{said}");
        assert!(said.len() < 200 && said.lines().count() == 1, "{said}");
    }
    let token = [("x-harness-exporter-token", TOKEN)];
    let got = server.request(Method::GET, "/hooks/harness", &token).await;
    assert_eq!((got.status().as_u16(), header(&got, "allow")), (405, "POST"));
    assert!(requests.try_recv().is_err());
}

#[tokio::test]
async fn a_flood_is_taken_and_leaves_room_for_who_waits_for_an_answer() {
    let (server, mut requests) = server(8).await;
    for number in 0..50 {
        assert_eq!(notify(&server, TOKEN, ended(&number.to_string())).await, taken());
    }
    let mut handed_on = Vec::new();
    while let Ok(request) = requests.try_recv() {
        handed_on.push(notified(Ok(request)));
    }
    assert_eq!(handed_on, ["0", "1", "2", "3"], "half of the queue, whatever comes");
    assert_eq!(notify(&server, TOKEN, ended("later")).await, taken());
    assert_eq!(notified(requests.try_recv()), "later");
}
