//! Which path leads where. A path is compared as it was sent: nothing is decoded, joined or
//! cleaned up first, so there is one spelling of each.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, VARY};
use http::{HeaderMap, Method, Request, StatusCode};
use hyper::body::Incoming;

use super::encoding::{gzip, prefers_gzip};
use super::rendering::Rendering;
use super::reply::{self, Reply};
use super::{Site, escape_html, trigger};
use crate::metrics::CONTENT_TYPE;

/// The site with the lines in which its scrapers wait.
pub(super) struct Routes {
    site: Arc<Site>,
    body_deadline: Duration,
    plain: Rendering,
    gzip: Rendering,
}

impl Routes {
    /// Answers for `site`; a request's body is to arrive within `body_deadline`.
    pub(super) fn new(site: Arc<Site>, body_deadline: Duration) -> Self {
        Self { site, body_deadline, plain: Rendering::default(), gzip: Rendering::default() }
    }

    /// The answer to one request.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Reply {
        let path = request.uri().path();
        if let Some(name) = trigger::pipeline_of(path) {
            let name = name.to_owned();
            return self.triggered(&name, request).await;
        }
        let telemetry = path == self.site.telemetry_path;
        if !telemetry && !matches!(path, "/" | "/-/healthy" | "/-/ready") {
            return reply::error(path, StatusCode::NOT_FOUND, "there is nothing here");
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return reply::wrong_method(path, "GET, HEAD");
        }
        match path {
            "/" if !telemetry => reply::html(self.page()),
            "/-/healthy" => verdict((self.site.healthy)(), "healthy", "a loop has stopped"),
            "/-/ready" => verdict(self.site.ready.load(Ordering::Acquire), "ready", "not ready"),
            _ => self.exposition(request.headers()).await,
        }
    }

    async fn triggered(&self, name: &str, request: Request<Incoming>) -> Reply {
        let path = request.uri().path();
        if !self.site.enable_trigger {
            let what = "triggering is off; --web.enable-trigger switches it on";
            return reply::error(path, StatusCode::NOT_FOUND, what);
        }
        if request.method() != Method::POST {
            return reply::wrong_method(path, "POST");
        }
        trigger::answer(&self.site.driver, name, request, self.body_deadline).await
    }

    async fn exposition(&self, headers: &HeaderMap) -> Reply {
        let site = self.site.clone();
        let packed = prefers_gzip(headers);
        let rendered = if packed {
            self.gzip.get(move || gzip(&(site.render)())).await
        } else {
            self.plain.get(move || (site.render)()).await
        };
        match rendered {
            Ok(bytes) => exposed(bytes, packed.then_some("gzip")),
            Err(error) => {
                tracing::error!(%error, "the exposition could not be rendered");
                let what = "the exposition could not be rendered";
                reply::text(StatusCode::INTERNAL_SERVER_ERROR, what)
            }
        }
    }

    fn page(&self) -> String {
        let version = env!("CARGO_PKG_VERSION");
        let telemetry = escape_html(&self.site.telemetry_path);
        let middle = (self.site.page)();
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n\
             <title>harness-exporter</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
             <h1>harness-exporter <small>{version}</small></h1>\n\
             <nav><a href=\"{telemetry}\">metrics</a> <a href=\"/-/healthy\">healthy</a> \
             <a href=\"/-/ready\">ready</a></nav>\n{middle}\n</body>\n</html>\n"
        )
    }
}

const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;margin:2rem;color-scheme:light dark}\
                     table{border-collapse:collapse;margin-top:1rem}\
                     th,td{padding:.2rem .8rem;text-align:left;border-bottom:1px solid #8886}\
                     small{font-weight:normal;opacity:.7}";

fn verdict(good: bool, yes: &str, no: &str) -> Reply {
    if good {
        reply::text(StatusCode::OK, yes)
    } else {
        reply::text(StatusCode::SERVICE_UNAVAILABLE, no)
    }
}

fn exposed(bytes: Bytes, encoding: Option<&'static str>) -> Reply {
    let reply = reply::body(StatusCode::OK, CONTENT_TYPE, bytes);
    let reply = reply::with(reply, VARY, "Accept-Encoding");
    match encoding {
        Some(encoding) => reply::with(reply, CONTENT_ENCODING, encoding),
        None => reply,
    }
}
