//! `pause` and `resume`, against a server that answers as the exporter does.

use wiremock::matchers::{basic_auth, header_exists, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::Desk;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_named_is_asked_for_and_what_changed_is_printed() {
    let server = MockServer::start().await;
    let both = Mock::given(method("POST"))
        .and(path("/-/pause"))
        .and(query_param("pipeline", "a & b"))
        .respond_with(ResponseTemplate::new(200).set_body_string("a & b\nc\u{1b}[1m\n"));
    both.mount(&server).await;
    let all = Mock::given(method("POST"))
        .and(path("/-/resume"))
        .and(|request: &wiremock::Request| request.url.query().is_none())
        .respond_with(ResponseTemplate::new(200).set_body_string("a & b\n"));
    all.mount(&server).await;

    let desk = Desk::empty();
    let said = desk.run(&["pause", "a & b", "c", "--url", &server.uri()]).await;
    assert_eq!((said.status, said.err.as_str()), (0, ""));
    assert_eq!(said.out, "paused a & b\npaused c\\u{1b}[1m\n");
    let said = desk.run(&["resume", "--url", &server.uri()]).await;
    assert_eq!((said.status, said.out.as_str()), (0, "resumed a & b\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_one_line_and_status_1() {
    let server = MockServer::start().await;
    let refused = ResponseTemplate::new(404)
        .set_body_string("no pipeline is called x: nothing has changed\n");
    Mock::given(method("POST")).respond_with(refused).mount(&server).await;
    let desk = Desk::empty();
    for command in ["pause", "resume"] {
        let said = desk.run(&[command, "x", "--url", &server.uri()]).await;
        let wanted = format!(
            "error: {}/-/{command} answers 404 Not Found: no pipeline is called x: nothing has \
             changed\n",
            server.uri()
        );
        assert_eq!((said.status, said.out.as_str(), said.err), (1, "", wanted));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_come_from_a_file_and_are_sent_once_they_are_whole() {
    let server = MockServer::start().await;
    let known = Mock::given(basic_auth("admin", "s3cret word"))
        .respond_with(ResponseTemplate::new(200).set_body_string("nightly\n"));
    known.mount(&server).await;
    let unknown = Mock::given(header_exists("host")).respond_with(ResponseTemplate::new(401));
    unknown.mount(&server).await;

    let desk = Desk::empty();
    desk.write("password", "s3cret word\n");
    let url = server.uri();
    let whole = ["--url", &url, "--user", "admin", "--password-file", "password"];
    for (command, out) in [("pause", "paused nightly\n"), ("health", "healthy\n")] {
        let said = desk.run(&[&[command], &whole[..]].concat()).await;
        assert_eq!((said.status, said.out.as_str()), (0, out), "{}", said.err);
    }
    for (flags, status, wanted) in [
        (&["--url", &url][..], 1, "answers 401 Unauthorized"),
        (&["--url", &url, "--user", "admin"], 2, "--password-file"),
        (&["--url", &url, "--password-file", "password"], 2, "--user"),
        (&["--url", &url, "--user", "a", "--password-file", "none"], 1, "--password-file none"),
    ] {
        let said = desk.run(&[&["pause"], flags].concat()).await;
        assert_eq!(said.status, status, "{}", said.err);
        assert!(said.err.contains(wanted) && !said.err.contains("s3cret"), "{}", said.err);
    }
}
