//! `POST /api/v1/pipelines/{name}/trigger`: the only request that changes something.
//!
//! A browser that stands on another site must not be able to send it, not even where that site's
//! name has been made to lead to this machine.

use std::error::Error;
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, HeaderName, HeaderValue, ORIGIN};
use http::uri::Authority;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use percent_encoding::percent_decode_str;
use serde::de::IgnoredAny;
use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use super::reply::{self, Reply};
use super::{Request as Ask, TriggerReply};

/// The most that a request's body may hold.
const MAX_BODY: usize = 1 << 20;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The name in the path, still encoded, where it is a path of this kind.
pub(super) fn pipeline_of(path: &str) -> Option<&str> {
    let name = path.strip_prefix("/api/v1/pipelines/")?.strip_suffix("/trigger")?;
    (!name.is_empty() && !name.contains('/')).then_some(name)
}

/// Hands the request to the driver and answers with what became of it.
pub(super) async fn answer(
    driver: &mpsc::Sender<Ask>,
    name: &str,
    request: Request<Incoming>,
    deadline: Duration,
) -> Reply {
    match ask(driver, name, request, deadline).await {
        Ok(run) => reply::json(StatusCode::ACCEPTED, &json!({ "run": run })),
        Err((status, what)) => reply::json(status, &json!({ "error": what })),
    }
}

type Refusal = (StatusCode, String);

fn refusal<T>(status: StatusCode, what: impl Into<String>) -> Result<T, Refusal> {
    Err((status, what.into()))
}

async fn ask(
    driver: &mpsc::Sender<Ask>,
    name: &str,
    request: Request<Incoming>,
    deadline: Duration,
) -> Result<String, Refusal> {
    if is_foreign(request.headers()) {
        return refusal(StatusCode::FORBIDDEN, "the request comes from a page of another site");
    }
    let Ok(pipeline) = percent_decode_str(name).decode_utf8().map(String::from) else {
        return refusal(StatusCode::BAD_REQUEST, "the name is not UTF-8");
    };
    let body = read(request.into_body(), deadline).await?;
    let payload = payload(&body)?;

    let (reply, answered) = oneshot::channel();
    let gone = (StatusCode::SERVICE_UNAVAILABLE, "stopping: nothing was triggered".to_owned());
    let question = Ask::Trigger { pipeline: pipeline.clone(), payload, reply };
    driver.send(question).await.map_err(|_| gone.clone())?;
    match answered.await.map_err(|_| gone)? {
        TriggerReply::Accepted { run } => Ok(run),
        TriggerReply::UnknownPipeline => {
            refusal(StatusCode::NOT_FOUND, format!("no pipeline is called {pipeline}"))
        }
        TriggerReply::Active => refusal(
            StatusCode::CONFLICT,
            format!("a run of {pipeline} is active and its concurrency is forbid"),
        ),
        TriggerReply::DryRun => {
            refusal(StatusCode::CONFLICT, "the exporter runs with --dry-run: nothing was triggered")
        }
        TriggerReply::StoreUnavailable => refusal(
            StatusCode::SERVICE_UNAVAILABLE,
            "the store cannot be written: nothing was triggered",
        ),
    }
}

async fn read(body: Incoming, deadline: Duration) -> Result<Bytes, Refusal> {
    let too_large = || (StatusCode::PAYLOAD_TOO_LARGE, "the body is over 1 MiB".to_owned());
    if body.size_hint().lower() > MAX_BODY as u64 {
        return Err(too_large());
    }
    let whole = Limited::new(body, MAX_BODY).collect();
    match tokio::time::timeout(deadline, whole).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if is_too_large(error.as_ref()) => Err(too_large()),
        Ok(Err(_)) => refusal(StatusCode::BAD_REQUEST, "the body broke off"),
        Err(_) => refusal(StatusCode::REQUEST_TIMEOUT, "the body took too long"),
    }
}

fn is_too_large(error: &(dyn Error + Send + Sync + 'static)) -> bool {
    error.is::<LengthLimitError>()
}

/// The body as it is to be sent, if it is JSON; none where there is nothing in it.
fn payload(body: &[u8]) -> Result<Option<String>, Refusal> {
    if body.trim_ascii().is_empty() {
        return Ok(None);
    }
    if let Err(error) = serde_json::from_slice::<IgnoredAny>(body) {
        return refusal(StatusCode::BAD_REQUEST, format!("the body is not JSON: {error}"));
    }
    match std::str::from_utf8(body) {
        Ok(text) => Ok(Some(text.to_owned())),
        Err(_) => refusal(StatusCode::BAD_REQUEST, "the body is not UTF-8"),
    }
}

/// Whether a page of another site made a browser send this. Programs send neither header.
fn is_foreign(headers: &HeaderMap) -> bool {
    let other_site = |site: &HeaderValue| site != "same-origin" && site != "none";
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    headers.get_all(SEC_FETCH_SITE).iter().any(other_site)
        || headers.get_all(ORIGIN).iter().any(|origin| !is_own(origin, host))
}

/// Our own pages lie where the request went, and that is this machine by a name that no other site
/// can have: a name of theirs may be made to lead here.
fn is_own(origin: &HeaderValue, host: &str) -> bool {
    let origin = origin.to_str().ok().and_then(|origin| origin.strip_prefix("http://"));
    origin.is_some_and(|origin| origin.eq_ignore_ascii_case(host)) && is_loopback(host)
}

fn is_loopback(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host();
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || bare.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_in_one_place() {
        for (path, name) in [
            ("/api/v1/pipelines/nightly/trigger", Some("nightly")),
            ("/api/v1/pipelines/a%2Fb/trigger", Some("a%2Fb")),
            ("/api/v1/pipelines//trigger", None),
            ("/api/v1/pipelines/trigger", None),
            ("/api/v1/pipelines/a/b/trigger", None),
            ("/api/v1/pipelines/a/trigger/", None),
            ("/api/v1/pipelines/../trigger", Some("..")),
            ("//api/v1/pipelines/a/trigger", None),
        ] {
            assert_eq!(pipeline_of(path), name, "{path}");
        }
    }

    #[test]
    fn other_sites_are_foreign() {
        let own = "127.0.0.1:10427";
        for (host, origin, site, foreign) in [
            (own, None, None, false),
            (own, None, Some("none"), false),
            (own, Some("http://127.0.0.1:10427"), Some("same-origin"), false),
            ("LocalHost:10427", Some("http://localhost:10427"), None, false),
            ("[::1]:10427", Some("http://[::1]:10427"), None, false),
            (own, Some("http://127.0.0.1:10427"), Some("cross-site"), true),
            (own, None, Some("same-site"), true),
            (own, None, Some(""), true),
            (own, Some("null"), None, true),
            (own, Some("http://127.0.0.1:9090"), None, true),
            (own, Some("https://127.0.0.1:10427"), None, true),
            (own, Some("http://evil.example"), None, true),
            ("evil.example:10427", Some("http://evil.example:10427"), Some("same-origin"), true),
            ("localhost.evil.example", Some("http://localhost.evil.example"), None, true),
            ("", Some("http://"), None, true),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_static(host));
            if let Some(origin) = origin {
                headers.insert(ORIGIN, HeaderValue::from_static(origin));
            }
            if let Some(site) = site {
                headers.insert(SEC_FETCH_SITE, HeaderValue::from_static(site));
            }
            assert_eq!(is_foreign(&headers), foreign, "{host} {origin:?} {site:?}");
        }
    }
}
