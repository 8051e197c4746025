//! Reloading, pausing and resuming: what the driver is asked, and what the client is told.

use harness_exporter::web::{ReloadReply, Request, SwitchReply};
use reqwest::Method;
use tokio::sync::mpsc;

use super::server::{Server, Setup, header};

/// A server whose driver answers so, and tells what it was asked.
async fn server(
    reload: ReloadReply,
    switch: SwitchReply,
) -> (Server, mpsc::UnboundedReceiver<String>) {
    let (sender, mut requests) = mpsc::channel(8);
    let (tell, told) = mpsc::unbounded_channel();
    let mut server = Setup { driver: Some(sender), ..Setup::default() }.start().await;
    server.tasks.spawn(async move {
        while let Some(request) = requests.recv().await {
            let asked = match request {
                Request::Pause { pipelines, reply } => {
                    reply.send(switch.clone()).unwrap();
                    format!("pause {}", pipelines.join(","))
                }
                Request::Resume { pipelines, reply } => {
                    reply.send(switch.clone()).unwrap();
                    format!("resume {}", pipelines.join(","))
                }
                Request::Reload { reply } => {
                    reply.send(reload.clone()).unwrap();
                    "reload".to_owned()
                }
                other @ (Request::Trigger { .. } | Request::Notified(_)) => panic!("{other:?}"),
            };
            tell.send(asked).unwrap();
        }
    });
    (server, told)
}

async fn post(server: &Server, path: &str) -> (u16, String) {
    let response = server.request(Method::POST, path, &[]).await;
    (response.status().as_u16(), response.text().await.unwrap())
}

fn paused(names: &[&str]) -> SwitchReply {
    SwitchReply::Done { pipelines: names.iter().copied().map(str::to_owned).collect() }
}

#[tokio::test]
async fn what_is_asked_reaches_the_driver() {
    let (server, mut told) = server(ReloadReply::Done, paused(&["a", "b c"])).await;
    for (path, asked, answer) in [
        ("/-/pause?pipeline=a&pipeline=b%20c", "pause a,b c", "a\nb c\n"),
        ("/-/pause", "pause ", "a\nb c\n"),
        ("/-/resume?pipeline=a", "resume a", "a\nb c\n"),
        ("/-/reload", "reload", "reloaded\n"),
    ] {
        assert_eq!(post(&server, path).await, (200, answer.to_owned()), "{path}");
        assert_eq!(told.recv().await.unwrap(), asked);
    }
}

#[tokio::test]
async fn refusals_say_why() {
    let problems = "config.yaml:3: accounts[0]: no account_id\n".to_owned();
    for (reload, switch, told_of_reload, told_of_switch) in [
        (
            ReloadReply::Refused(problems),
            SwitchReply::UnknownPipeline("x".to_owned()),
            (
                500,
                "the config is refused, the old one holds:\n\
                 config.yaml:3: accounts[0]: no account_id\n",
            ),
            (404, "no pipeline is called x: nothing has changed\n"),
        ),
        (
            ReloadReply::NotSupported,
            SwitchReply::StoreUnavailable,
            (501, "not supported yet: nothing has changed\n"),
            (503, "the store cannot be written: nothing has changed\n"),
        ),
    ] {
        let (server, _told) = server(reload, switch).await;
        for (path, (status, what)) in [
            ("/-/reload", told_of_reload),
            ("/-/pause", told_of_switch),
            ("/-/resume", told_of_switch),
        ] {
            assert_eq!(post(&server, path).await, (status, what.to_owned()), "{path}");
        }
    }
}

#[tokio::test]
async fn what_is_not_understood_reaches_nobody() {
    let (server, mut told) = server(ReloadReply::Done, paused(&[])).await;
    for path in ["/-/pause?pipelines=a", "/-/resume?a", "/-/pause?pipeline=a&all=1"] {
        assert_eq!(post(&server, path).await.0, 400, "{path}");
    }
    for path in ["/-/reload", "/-/pause", "/-/resume"] {
        let response = server.request(Method::GET, path, &[]).await;
        assert_eq!(response.status(), 405);
        assert_eq!(header(&response, "allow"), "POST");
        for (name, value) in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")]
        {
            let response = server.request(Method::POST, path, &[(name, value)]).await;
            assert_eq!(response.status(), 403, "{path} {name}");
        }
    }
    assert!(told.try_recv().is_err());
}

#[tokio::test]
async fn it_is_off_unless_switched_on() {
    let server = Setup::default().start().await;
    let off = "this is off; --web.enable-lifecycle switches it on\n";
    for path in ["/-/reload", "/-/pause", "/-/resume"] {
        assert_eq!(post(&server, path).await, (403, off.to_owned()), "{path}");
        assert_eq!(server.get(path).await, (403, off.to_owned()), "{path}");
    }
}

#[tokio::test]
async fn a_driver_that_is_gone_changes_nothing() {
    let gone = mpsc::channel(1).0;
    let server = Setup { driver: Some(gone), ..Setup::default() }.start().await;
    for path in ["/-/reload", "/-/pause", "/-/resume"] {
        let stopping = (503, "stopping: nothing has changed\n".to_owned());
        assert_eq!(post(&server, path).await, stopping, "{path}");
    }
}
