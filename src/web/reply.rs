//! The responses: few forms, one place for their headers.

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue,
    REFERRER_POLICY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use http::{Response, StatusCode};
use http_body_util::Full;

/// What every route answers with.
pub(super) type Reply = Response<Full<Bytes>>;

const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";
/// No script, nothing from elsewhere, in no frame.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

/// A body of the given type.
pub(super) fn body(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Full::new(body.into()));
    *reply.status_mut() = status;
    let reply = with(reply, CONTENT_TYPE, kind);
    with(reply, X_CONTENT_TYPE_OPTIONS, "nosniff")
}

/// `reply` with one more header.
pub(super) fn with(mut reply: Reply, name: HeaderName, value: &'static str) -> Reply {
    reply.headers_mut().insert(name, HeaderValue::from_static(value));
    reply
}

/// Why a request is not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// What the client is told by number.
    pub(super) status: StatusCode,
    what: String,
}

impl Refusal {
    /// Refuses with `status`, and says why.
    pub(super) fn new(status: StatusCode, what: impl Into<String>) -> Self {
        Self { status, what: what.into() }
    }

    /// What whoever asked for `path` is told.
    pub(super) fn told(&self, path: &str) -> Reply {
        error(path, self.status, &self.what)
    }
}

/// Plain text and a line end.
pub(super) fn text(status: StatusCode, line: &str) -> Reply {
    body(status, TEXT, format!("{line}\n"))
}

/// YAML, for a person who looks at it in a browser.
pub(super) fn yaml(document: String) -> Reply {
    with(body(StatusCode::OK, TEXT, document), CACHE_CONTROL, "no-store")
}

/// An answer of the API.
pub(super) fn json(status: StatusCode, value: &serde_json::Value) -> Reply {
    body(status, JSON, value.to_string())
}

/// A page for a person, made anew for each.
pub(super) fn html(page: String) -> Reply {
    let reply = body(StatusCode::OK, HTML, page);
    let reply = with(reply, CONTENT_SECURITY_POLICY, POLICY);
    let reply = with(reply, REFERRER_POLICY, "no-referrer");
    with(reply, CACHE_CONTROL, "no-store")
}

/// An error in the form that fits the path: JSON below `/api/`, else one line of text.
pub(super) fn error(path: &str, status: StatusCode, what: &str) -> Reply {
    if path.starts_with("/api/") {
        json(status, &serde_json::json!({ "error": what }))
    } else {
        text(status, what)
    }
}

/// Only users may come in.
pub(super) fn unauthorized(path: &str) -> Reply {
    let reply = error(path, StatusCode::UNAUTHORIZED, "a user and the right password are needed");
    with(reply, WWW_AUTHENTICATE, "Basic realm=\"harness-exporter\", charset=\"UTF-8\"")
}

/// The method is none that the path knows.
pub(super) fn wrong_method(path: &str, allowed: &'static str) -> Reply {
    let what = format!("this path knows only {allowed}");
    with(error(path, StatusCode::METHOD_NOT_ALLOWED, &what), ALLOW, allowed)
}
