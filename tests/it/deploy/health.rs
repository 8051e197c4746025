//! `harness-exporter health`, as a container runs it.

use std::net::TcpListener;
use std::process::Output;

use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::child::{exporter, output};

fn asked(url: &str) -> Output {
    output(exporter().arg("health").env("HARNESS_EXPORTER_URL", url))
}

async fn server(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    let healthy = Mock::given(method("GET")).and(path("/prefix/-/healthy"));
    healthy.respond_with(answer).mount(&server).await;
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exporter_that_is_well_is_healthy() {
    let server = server(ResponseTemplate::new(200)).await;
    for url in [format!("{}/prefix", server.uri()), format!("{}/prefix/", server.uri())] {
        let said = asked(&url);
        assert!(said.status.success(), "{said:?}");
        assert_eq!(said.stdout, b"healthy\n");
        assert_eq!(said.stderr, b"");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_not_is_refused_in_a_line() {
    let refusing = server(ResponseTemplate::new(503).set_body_string("a loop has stopped\n")).await;
    let leading_on = ResponseTemplate::new(302).insert_header("location", "/elsewhere");
    let leading_on = server(leading_on).await;
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (server, wanted) in [
        (refusing.uri(), "answers 503 Service Unavailable: a loop has stopped"),
        (leading_on.uri(), "answers 302 Found"),
        (format!("http://{nobody}"), "does not answer: "),
    ] {
        let said = asked(&format!("{server}/prefix"));
        assert_eq!(said.status.code(), Some(1), "{said:?}");
        assert_eq!(said.stdout, b"");
        let error = String::from_utf8(said.stderr).unwrap();
        let wanted = format!("error: {server}/prefix/-/healthy {wanted}");
        assert!(error.starts_with(&wanted), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}
