//! The web server by real sockets: every route, and what is asked of it that it must refuse.

// Says that its helpers are part of tests, which lints ask for.
#[cfg(test)]
mod lifecycle;
#[cfg(test)]
mod server;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod users;

use std::io::Read;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use harness_exporter::web::{Limits, Request, TriggerReply};
use reqwest::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use server::{EXPOSITION, Setup, client, header, in_time};

#[tokio::test]
async fn the_exposition_is_plain_or_packed_as_the_client_likes() {
    let server = Setup::default().start().await;
    let plain = server.request(Method::GET, "/metrics?x=1", &[]).await;
    assert_eq!(plain.status(), 200);
    assert_eq!(header(&plain, "content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(header(&plain, "vary"), "Accept-Encoding");
    assert_eq!(header(&plain, "content-encoding"), "");
    assert_eq!(plain.text().await.unwrap(), EXPOSITION);

    let packed = server.request(Method::GET, "/metrics", &[("accept-encoding", "gzip")]).await;
    assert_eq!(header(&packed, "content-encoding"), "gzip");
    let packed = packed.bytes().await.unwrap();
    let mut unpacked = String::new();
    flate2::read::GzDecoder::new(&packed[..]).read_to_string(&mut unpacked).unwrap();
    assert_eq!(unpacked, EXPOSITION);
    assert_eq!(server.renderings.load(Ordering::SeqCst), 2, "each scrape was rendered anew");
}

#[tokio::test]
async fn head_has_the_headers_of_get_and_no_body() {
    let server = Setup::default().start().await;
    for (path, length) in [("/metrics", EXPOSITION.len()), ("/-/healthy", "healthy\n".len())] {
        let request = format!("HEAD {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let answer = server.raw(&request).await.to_ascii_lowercase();
        assert!(answer.starts_with("http/1.1 200 ok\r\n"), "{answer}");
        assert!(answer.contains(&format!("content-length: {length}\r\n")), "{answer}");
        assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn the_page_shows_the_table_and_runs_nothing() {
    let server = Setup { telemetry_path: "/m", ..Setup::default() }.start().await;
    let page = server.request(Method::GET, "/", &[]).await;
    assert_eq!(header(&page, "content-type"), "text/html; charset=utf-8");
    assert_eq!(header(&page, "x-content-type-options"), "nosniff");
    let policy = header(&page, "content-security-policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'unsafe-inline';"), "{policy}");
    let page = page.text().await.unwrap();
    for part in [
        "<title>harness-exporter</title>",
        env!("CARGO_PKG_VERSION"),
        "<table><tr><td>nightly</td></tr></table>",
        "href=\"/m\"",
        "href=\"/-/healthy\"",
        "href=\"/-/ready\"",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert_eq!(server.get("/m").await.1, EXPOSITION);
    assert_eq!(server.get("/metrics").await.0, 404);
}

#[tokio::test]
async fn health_and_readiness_are_told_apart() {
    let server = Setup::default().start().await;
    assert_eq!(server.get("/-/healthy").await, (200, "healthy\n".to_owned()));
    assert_eq!(server.get("/-/ready").await, (200, "ready\n".to_owned()));
    server.ready.store(false, Ordering::SeqCst);
    assert_eq!(server.get("/-/ready").await, (503, "not ready\n".to_owned()));
    assert_eq!(server.get("/-/healthy").await.0, 200);
    assert_eq!(server.get("/metrics").await.0, 200, "served though not ready");
    server.healthy.store(false, Ordering::SeqCst);
    assert_eq!(server.get("/-/healthy").await, (503, "a loop has stopped\n".to_owned()));
}

#[tokio::test]
async fn wrong_methods_are_told_the_right_ones() {
    let server = Setup::default().start_with_driver().await;
    let trigger = "/api/v1/pipelines/nightly/trigger";
    for (method, path, allowed) in [
        (Method::POST, "/", "GET, HEAD"),
        (Method::PUT, "/metrics", "GET, HEAD"),
        (Method::DELETE, "/-/healthy", "GET, HEAD"),
        (Method::OPTIONS, "/-/ready", "GET, HEAD"),
        (Method::GET, trigger, "POST"),
        (Method::HEAD, trigger, "POST"),
        (Method::PUT, trigger, "POST"),
    ] {
        let response = server.request(method.clone(), path, &[]).await;
        assert_eq!(response.status(), 405, "{method} {path}");
        assert_eq!(header(&response, "allow"), allowed);
        let body = response.text().await.unwrap();
        let expected = match (method, path) {
            (Method::HEAD, _) => String::new(),
            (_, path) if path == trigger => r#"{"error":"this path knows only POST"}"#.to_owned(),
            _ => "this path knows only GET, HEAD\n".to_owned(),
        };
        assert_eq!(body, expected);
    }
}

#[tokio::test]
async fn a_path_has_one_spelling() {
    let server = Setup::default().start_with_driver().await;
    for path in [
        "/metrics/",
        "//metrics",
        "/./metrics",
        "/x/../metrics",
        "/..%2fmetrics",
        "/%6detrics",
        "/METRICS",
        "/metrics;x=1",
        "/-/healthy/",
        "/-//healthy",
        "/config.yaml",
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/favicon.ico",
        "*",
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let answer = server.raw(&request).await;
        // What is no path at all is refused before any route is looked for.
        let refused = ["HTTP/1.1 404 Not Found\r\n", "HTTP/1.1 400 Bad Request\r\n"];
        assert!(refused.iter().any(|status| answer.starts_with(status)), "{path}: {answer}");
        assert!(!answer.contains("harness_up"), "{path}: {answer}");
    }
    let (status, body) = server.get("/nothing").await;
    assert_eq!((status, body.as_str()), (404, "there is nothing here\n"));
    let (status, body) = server.get("/api/v1/pipelines").await;
    assert_eq!((status, body.as_str()), (404, r#"{"error":"there is nothing here"}"#));
    for name in ["", "nightly/", "nightly/x", "x/../nightly", "x%2f..%2fnightly"] {
        let head = format!("POST /api/v1/pipelines/{name}/trigger HTTP/1.1\r\nhost: x\r\n");
        let answer = server.raw(&format!("{head}connection: close\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 404 Not Found\r\n"), "{name}: {answer}");
    }
}

#[tokio::test]
async fn a_trigger_is_answered_with_what_became_of_it() {
    let server = Setup::default().start_with_driver().await;
    for (name, body, status, answer) in [
        ("nightly", "", 202, r#"{"run":"none"}"#),
        ("nightly", " \n", 202, r#"{"run":"none"}"#),
        ("nightly", "[1]", 202, r#"{"run":"[1]"}"#),
        ("a%2Fb%20%C3%BC", "", 202, r#"{"run":"none"}"#),
        ("nobody", "", 404, r#"{"error":"no pipeline is called nobody"}"#),
        ("%22", "", 404, r#"{"error":"no pipeline is called \""}"#),
        ("..%2F..", "", 404, r#"{"error":"no pipeline is called ../.."}"#),
        ("busy", "", 409, r#"{"error":"a run of busy is active and its concurrency is forbid"}"#),
        ("unsaved", "", 503, r#"{"error":"the store cannot be written: nothing was triggered"}"#),
        ("dropped", "", 503, r#"{"error":"stopping: nothing was triggered"}"#),
        ("%ff", "", 400, r#"{"error":"the name is not UTF-8"}"#),
    ] {
        let answer: serde_json::Value = serde_json::from_str(answer).unwrap();
        assert_eq!(server.trigger(name, body).await, (status, answer), "{name} {body:?}");
    }
    for body in ["{", "{} {}", "payload", "{\"a\":1,}"] {
        let (status, answer) = server.trigger("nightly", body).await;
        assert_eq!(status, 400, "{body}");
        assert!(answer["error"].as_str().unwrap().starts_with("the body is not JSON: "));
    }
}

#[tokio::test]
async fn triggering_is_off_unless_switched_on() {
    let server = Setup::default().start().await;
    let off = serde_json::json!({
        "error": "triggering is off; --web.enable-trigger switches it on"
    });
    assert_eq!(server.trigger("nightly", "").await, (404, off));
}

#[tokio::test]
async fn a_driver_that_is_gone_triggers_nothing() {
    let (sender, requests) = mpsc::channel(1);
    drop(requests);
    let server = Setup { driver: Some(sender), ..Setup::default() }.start().await;
    let gone = serde_json::json!({ "error": "stopping: nothing was triggered" });
    assert_eq!(server.trigger("nightly", "").await, (503, gone));
}

#[tokio::test]
async fn pages_of_other_sites_trigger_nothing() {
    let server = Setup::default().start_with_driver().await;
    let path = "/api/v1/pipelines/nightly/trigger";
    let own = format!("http://{}", server.address);
    for (headers, status) in [
        (&[("origin", own.as_str()), ("sec-fetch-site", "same-origin")][..], 202),
        (&[("sec-fetch-site", "none")], 202),
        (&[("origin", "https://evil.example")], 403),
        (&[("origin", "null")], 403),
        (&[("sec-fetch-site", "cross-site")], 403),
        (&[("origin", own.as_str()), ("sec-fetch-site", "same-site")], 403),
        (&[("origin", own.as_str()), ("origin", "https://evil.example")], 403),
        (&[("origin", "http://evil.example"), ("host", "evil.example")], 403),
    ] {
        let response = server.send(Method::POST, path, headers, "{}").await;
        assert_eq!(response.status(), status, "{headers:?}");
    }
}

#[tokio::test]
async fn a_body_is_bounded_in_size_and_time() {
    let limits = Limits { body: Duration::from_millis(200), ..Limits::default() };
    let server = Setup { limits, ..Setup::default() }.start_with_driver().await;
    let head = "POST /api/v1/pipelines/nightly/trigger HTTP/1.1\r\nhost: x\r\n";

    let announced = server.raw(&format!("{head}content-length: 1048577\r\n\r\n")).await;
    assert!(announced.starts_with("HTTP/1.1 413 Payload Too Large\r\n"), "{announced}");

    let chunk = "1".repeat(0x10_0001);
    let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n100001\r\n{chunk}");
    let chunked = server.raw(&chunked).await;
    assert!(chunked.starts_with("HTTP/1.1 413 Payload Too Large\r\n"), "{chunked}");
    assert!(chunked.ends_with(r#"{"error":"the body is over 1024 KiB"}"#), "{chunked}");

    let slow = server.raw(&format!("{head}content-length: 9\r\n\r\n{{")).await;
    assert!(slow.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{slow}");

    let most = format!("{head}connection: close\r\ncontent-length: 1048576\r\n\r\n{{");
    let most = server.raw(&format!("{most}{}}}", " ".repeat(0x10_0000 - 2))).await;
    assert!(most.starts_with("HTTP/1.1 202 Accepted\r\n"), "{most:.200}");
}

#[tokio::test]
async fn who_sends_no_whole_head_is_not_waited_for() {
    let limits = Limits { header: Duration::from_millis(200), ..Limits::default() };
    let server = Setup { limits, ..Setup::default() }.start().await;
    for sent in ["", "GET /metrics HTTP/1.1\r\nhost: x\r\nx-a: "] {
        assert_eq!(server.raw(sent).await, "", "closed without an answer");
    }
}

#[tokio::test]
async fn a_connection_is_kept_between_requests_but_not_for_ever() {
    let header = Duration::from_millis(200);
    let limits = Limits { header, idle: 10 * header, ..Limits::default() };
    let server = Setup { limits, ..Setup::default() }.start().await;
    let mut stream = server.connect().await;
    for _ in 0..2 {
        stream.write_all(b"GET /-/ready HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut answer = vec![0; 4096];
        let length = in_time(stream.read(&mut answer)).await.unwrap();
        assert!(answer[..length].ends_with(b"ready\n"));
        tokio::time::sleep(header + header / 2).await;
    }
    let mut rest = Vec::new();
    in_time(stream.read_to_end(&mut rest)).await.unwrap();
    assert_eq!(rest, b"");
}

#[tokio::test]
async fn a_long_head_is_refused() {
    let server = Setup::default().start().await;
    let filler = "a".repeat(40_000);
    let answer = server.raw(&format!("GET /metrics HTTP/1.1\r\nhost: x\r\nx-a: {filler}")).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[tokio::test]
async fn a_reader_that_stops_reading_is_dropped() {
    let limits = Limits { stall: Duration::from_millis(200), ..Limits::default() };
    let body = Bytes::from(vec![b'#'; 64 << 20]);
    let server = Setup { limits, body, ..Setup::default() }.start().await;
    let mut stalled = server.connect().await;
    stalled.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    // The server's end is closed by now or soon: a write to it fails, though nothing was read.
    let dropped = async {
        while stalled.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    in_time(dropped).await;
}

#[tokio::test]
async fn silent_connections_give_way_to_who_asks() {
    let limits = Limits { connections: 4, ..Limits::default() };
    let server = Setup { limits, ..Setup::default() }.start().await;
    let mut silent = Vec::new();
    for _ in 0..12 {
        silent.push(server.connect().await);
    }
    assert_eq!(server.get("/metrics").await.0, 200);
    let mut oldest = silent.remove(0);
    assert_eq!(in_time(oldest.read(&mut [0; 1])).await.unwrap_or(0), 0, "the oldest was closed");
}

#[tokio::test]
async fn the_server_stops_and_finishes_what_it_was_asked() {
    let (sender, mut requests) = mpsc::channel(1);
    let mut server = Setup { driver: Some(sender), ..Setup::default() }.start().await;
    let idle = server.connect().await;
    let url = format!("http://{}/api/v1/pipelines/nightly/trigger", server.address);
    let mut asking = JoinSet::new();
    asking.spawn(client().post(url).send());
    let request = in_time(requests.recv()).await.unwrap();
    let Request::Trigger { reply, .. } = request else { panic!("{request:?}") };

    server.stop.take().unwrap().send(()).unwrap();
    let refused = async { while TcpStream::connect(server.address).await.is_ok() {} };
    in_time(refused).await;
    reply.send(TriggerReply::Accepted { run: "r".to_owned() }).unwrap();
    let answer = in_time(asking.join_next()).await.unwrap().unwrap().unwrap();
    assert_eq!(answer.status(), 202);
    in_time(server.tasks.join_next()).await.unwrap().unwrap();
    drop(idle);
}
