//! The web server by real sockets: every route, and what is asked of it that it must refuse.

// Says that its helpers are part of tests, which lints ask for.
#[cfg(test)]
mod door;
#[cfg(test)]
mod hook;
#[cfg(test)]
mod lifecycle;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod server;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod users;

use std::io::Read;
use std::sync::atomic::Ordering;
use std::time::Duration;

use harness_exporter::web::Limits;
use reqwest::Method;
use tokio::sync::mpsc;

use server::{EXPOSITION, Setup, header};

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
    let (status, body) = server.get("/api/v1/nothing").await;
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
