//! What is answered to each request: the conditions that its route sets, and then what it asks for.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, VARY};
use http::{HeaderMap, Method, Request, StatusCode};
use hyper::body::Incoming;
use rustls::ServerConfig;

use super::body::{self, Bounds};
use super::encoding::{gzip, prefers_gzip};
use super::foreign::is_foreign;
use super::hook::{self, Hook};
use super::pages::{self, Account, Html};
use super::rendering::Rendering;
use super::reply::{self, Refusal, Reply};
use super::route::{Change, Route, View};
use super::{Site, json, lifecycle, redacted, trigger};
use crate::board::PipelineBoard;
use crate::metrics::CONTENT_TYPE;

/// The site with the lines in which its scrapers wait.
pub(super) struct Routes {
    site: Arc<Site>,
    body_deadline: Duration,
    plain: Rendering,
    gzip: Rendering,
    hook: Hook,
}

impl Routes {
    /// Answers for `site`; a request's body is to arrive within `body_deadline`.
    pub(super) fn new(site: Arc<Site>, body_deadline: Duration) -> Self {
        Self {
            site,
            body_deadline,
            plain: Rendering::default(),
            gzip: Rendering::default(),
            hook: Hook::default(),
        }
    }

    /// How to speak TLS with the next who connects; none where it is not to be spoken.
    pub(super) fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.site.guard.tls()
    }

    /// The answer to one request.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Reply {
        let path = request.uri().path().to_owned();
        let route = Route::of(&path, &self.site.telemetry_path);
        // Harness has a token of its own, and is no user.
        if route != Route::Hook && !self.site.guard.admits(request.headers()).await {
            return reply::unauthorized(&path);
        }
        let answered = match route {
            Route::View(view) => self.view(view, &request).await,
            Route::Change(change) => self.change(change, request).await,
            Route::Hook => self.notified(request).await,
            Route::Garbled => refused(StatusCode::BAD_REQUEST, "the name is not UTF-8"),
            Route::Nowhere => refused(StatusCode::NOT_FOUND, "there is nothing here"),
        };
        answered.unwrap_or_else(|refusal| refusal.told(&path))
    }

    async fn view(&self, view: View, request: &Request<Incoming>) -> Result<Reply, Refusal> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Ok(reply::wrong_method(request.uri().path(), "GET, HEAD"));
        }
        match view {
            View::Telemetry => Ok(self.exposition(request.headers()).await),
            View::Page => Ok(self.status()),
            View::Config => Ok(reply::yaml(redacted::yaml(&self.site.running.now().config))),
            View::Pipeline(name) => self.pipeline(&name),
            View::Run(id) => self.run(&id),
            View::ApiPipelines => {
                let snapshot = (self.site.snapshot)();
                let pipelines = snapshot.pipelines.iter().map(|pipeline| json::pipeline(pipeline));
                let pipelines: Vec<_> = pipelines.collect();
                Ok(reply::json(StatusCode::OK, &serde_json::json!({ "pipelines": pipelines })))
            }
            View::ApiPipeline(name) => {
                let board = self.board(&name)?;
                let value = json::pipeline_with_runs(&board, &self.site.execution_url);
                Ok(reply::json(StatusCode::OK, &value))
            }
            View::Healthy => verdict((self.site.healthy)(), "healthy", "a loop has stopped"),
            View::Ready => verdict(self.site.ready.load(Ordering::Acquire), "ready", "not ready"),
        }
    }

    /// Does what is asked for, if that is switched on and no page of another site asks.
    async fn change(&self, change: Change, request: Request<Incoming>) -> Result<Reply, Refusal> {
        self.switched_on(&change)?;
        if request.method() != Method::POST {
            return Ok(reply::wrong_method(request.uri().path(), "POST"));
        }
        if is_foreign(request.headers()) {
            return refused(StatusCode::FORBIDDEN, "the request comes from a page of another site");
        }
        let driver = &self.site.driver;
        match change {
            Change::Reload => lifecycle::reload(driver).await,
            Change::Switch(which) => lifecycle::switch(driver, which, request.uri().query()).await,
            Change::Trigger(name) => {
                let bounds = Bounds { size: trigger::MAX_BODY, time: self.body_deadline };
                let body = body::read(request.into_body(), bounds).await?;
                trigger::answer(driver, name, &body).await
            }
        }
    }

    async fn notified(&self, request: Request<Incoming>) -> Result<Reply, Refusal> {
        let token = self.site.running.now().hook_token.clone();
        Hook::admits(request.headers(), token.as_ref(), self.site.guard.keyed())?;
        if request.method() != Method::POST {
            return Ok(reply::wrong_method(request.uri().path(), "POST"));
        }
        let bounds = Bounds { size: hook::MAX_BODY, time: self.body_deadline };
        let body = body::read(request.into_body(), bounds).await?;
        self.hook.take(&self.site.driver, &body)
    }

    /// Each is behind a flag of `serve`.
    fn switched_on(&self, change: &Change) -> Result<(), Refusal> {
        match change {
            Change::Trigger(_) if !self.site.enable_trigger => refused(
                StatusCode::NOT_FOUND,
                "triggering is off; --web.enable-trigger switches it on",
            ),
            Change::Reload | Change::Switch(_) if !self.site.enable_lifecycle => {
                refused(StatusCode::FORBIDDEN, "this is off; --web.enable-lifecycle switches it on")
            }
            _ => Ok(()),
        }
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

    fn status(&self) -> Reply {
        let snapshot = (self.site.snapshot)();
        let accounts = snapshot.accounts.iter().map(|account| Account {
            name: account.name.to_string(),
            up: (self.site.up)(&account.name),
        });
        let accounts: Vec<_> = accounts.collect();
        self.page(pages::status(&snapshot, &accounts), "Pipelines", "./")
    }

    fn pipeline(&self, name: &str) -> Result<Reply, Refusal> {
        let board = self.board(name)?;
        Ok(self.page(pages::pipeline(&board), name, "../"))
    }

    fn run(&self, id: &str) -> Result<Reply, Refusal> {
        let snapshot = (self.site.snapshot)();
        let mut runs = snapshot.pipelines.iter().flat_map(|pipeline| pages::runs(pipeline));
        let Some(run) = runs.find(|run| run.id.as_str() == id) else {
            let what = "no run under way and none of the newest of its pipeline has this id";
            return refused(StatusCode::NOT_FOUND, what);
        };
        Ok(self.page(pages::run(run, (self.site.execution_url)(run)), id, "../"))
    }

    fn board(&self, name: &str) -> Result<Arc<PipelineBoard>, Refusal> {
        let mut pipelines = (self.site.snapshot)().pipelines.into_iter();
        let found = pipelines.find(|pipeline| pipeline.config.name.as_str() == name);
        found.ok_or_else(|| {
            Refusal::new(StatusCode::NOT_FOUND, format!("no pipeline is called {name}"))
        })
    }

    fn page(&self, middle: Html, title: &str, up: &str) -> Reply {
        reply::html(middle.page(title, up, &self.site.telemetry_path))
    }
}

fn refused<T>(status: StatusCode, what: &str) -> Result<T, Refusal> {
    Err(Refusal::new(status, what))
}

fn verdict(good: bool, yes: &str, no: &str) -> Result<Reply, Refusal> {
    if good {
        Ok(reply::text(StatusCode::OK, yes))
    } else {
        refused(StatusCode::SERVICE_UNAVAILABLE, no)
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
