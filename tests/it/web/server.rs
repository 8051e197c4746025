//! A server with a site of little content, and how tests speak to it.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use harness_exporter::board::Board;
use harness_exporter::config::{Account, Config, Pipeline};
use harness_exporter::model::{AccountName, Fact, PipelineName};
use harness_exporter::web::{
    self, Guard, Limits, Request, Running, RunningConfig, Site, TriggerReply,
};
use reqwest::{Client, Method, Response};
use secrecy::SecretString;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

pub(super) const EXPOSITION: &str = "# TYPE harness_up gauge\nharness_up 1\n";

/// Long enough for anything that does not hang.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) ready: Arc<AtomicBool>,
    pub(super) healthy: Arc<AtomicBool>,
    pub(super) renderings: Arc<AtomicUsize>,
    pub(super) stop: Option<oneshot::Sender<()>>,
    pub(super) tasks: JoinSet<()>,
}

/// What a test changes of the usual server.
pub(super) struct Setup {
    pub(super) limits: Limits,
    pub(super) telemetry_path: &'static str,
    pub(super) config: Config,
    /// What has happened so far.
    pub(super) facts: Vec<Fact>,
    pub(super) hook_token: Option<SecretString>,
    pub(super) guard: Guard,
    /// Who is asked; without it, nothing can be changed.
    pub(super) driver: Option<mpsc::Sender<Request>>,
    pub(super) body: Bytes,
}

/// An account and a pipeline.
pub(super) fn config() -> Config {
    let name = AccountName::new("default");
    let url = "https://app.harness.io".parse().unwrap();
    let pipeline = Pipeline::new(PipelineName::new("nightly"), name.clone());
    Config::new(Account::new(name, url, "acme"), [pipeline])
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            telemetry_path: "/metrics",
            config: config(),
            facts: Vec::new(),
            hook_token: None,
            guard: Guard::none().unwrap(),
            driver: None,
            body: Bytes::from_static(EXPOSITION.as_bytes()),
        }
    }
}

impl Setup {
    pub(super) async fn start(self) -> Server {
        let listener = web::bind(&"127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let ready = Arc::new(AtomicBool::new(true));
        let healthy = Arc::new(AtomicBool::new(true));
        let renderings = Arc::new(AtomicUsize::new(0));
        let (is_healthy, rendered, body) = (healthy.clone(), renderings.clone(), self.body);
        let mut board = Board::new(&self.config);
        for fact in self.facts {
            board.fold(&fact);
        }
        let site = Site {
            render: Box::new(move || {
                rendered.fetch_add(1, Ordering::SeqCst);
                body.clone()
            }),
            snapshot: Box::new(move || board.snapshot()),
            up: Box::new(|_| Some(true)),
            execution_url: Box::new(|run| {
                run.execution.as_ref().map(|id| format!("https://app.harness.io/{id}"))
            }),
            healthy: Box::new(move || is_healthy.load(Ordering::SeqCst)),
            ready: ready.clone(),
            telemetry_path: self.telemetry_path.to_owned(),
            running: Running::new(RunningConfig {
                config: Arc::new(self.config),
                hook_token: self.hook_token,
            }),
            guard: self.guard,
            enable_trigger: self.driver.is_some(),
            enable_lifecycle: self.driver.is_some(),
            driver: self.driver.unwrap_or_else(|| mpsc::channel(1).0),
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let shutdown = async {
                let _ = stopped.await;
            };
            web::serve(vec![listener], Arc::new(site), self.limits, shutdown).await.unwrap();
        });
        Server { address, ready, healthy, renderings, stop: Some(stop), tasks }
    }

    /// A server that may trigger, and a driver that knows four pipelines and echoes the payload.
    pub(super) async fn start_with_driver(mut self) -> Server {
        let (sender, mut requests) = mpsc::channel::<Request>(8);
        self.driver = Some(sender);
        let mut server = self.start().await;
        server.tasks.spawn(async move {
            while let Some(request) = requests.recv().await {
                let Request::Trigger { pipeline, payload, reply: asker } = request else {
                    continue;
                };
                let payload = payload.unwrap_or_else(|| "none".to_owned());
                let reply = match pipeline.as_str() {
                    "nightly" | "a/b ü" => TriggerReply::Accepted { run: payload },
                    "busy" => TriggerReply::Active,
                    "unsaved" => TriggerReply::StoreUnavailable,
                    "dropped" => continue,
                    _ => TriggerReply::UnknownPipeline,
                };
                asker.send(reply).unwrap();
            }
        });
        server
    }
}

impl Server {
    pub(super) async fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Response {
        self.send(method, path, headers, "").await
    }

    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> Response {
        let url = format!("http://{}{path}", self.address);
        let mut request = client().request(method, url).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }

    pub(super) async fn get(&self, path: &str) -> (u16, String) {
        let response = self.request(Method::GET, path, &[]).await;
        (response.status().as_u16(), response.text().await.unwrap())
    }

    pub(super) async fn trigger(&self, name: &str, body: &'static str) -> (u16, serde_json::Value) {
        let path = format!("/api/v1/pipelines/{name}/trigger");
        let response = self.send(Method::POST, &path, &[], body).await;
        assert_eq!(header(&response, "content-type"), "application/json");
        let status = response.status().as_u16();
        (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap())
    }

    pub(super) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends `bytes` on a connection of its own and reads until the server closes it.
    pub(super) async fn raw(&self, bytes: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        in_time(stream.read_to_end(&mut answer)).await.unwrap();
        String::from_utf8(answer).unwrap()
    }
}

/// A client that neither unpacks nor follows nor goes round.
pub(super) fn client() -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder().no_gzip().no_proxy().timeout(PATIENCE);
    builder.redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

pub(super) fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

pub(super) async fn in_time<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.expect("it hangs")
}
