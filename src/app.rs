//! Builds the exporter from a config, runs it, and ends it in order.
//!
//! Everything that can be refused is refused before anything is triggered: the addresses are bound
//! and the store is opened first. Every part is watched; where one ends unasked, the process ends
//! with an error, because an exporter that half works shows what is no longer true.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use crate::board::{Board, Snapshot};
use crate::config::{Account, Config, Loaded, Storage};
use crate::driver::{self, Clock, Fresh, Parts, Reread, Saving};
use crate::engine::Engine;
use crate::harness::{self, Client};
use crate::metrics::{self, Loop, Own};
use crate::model::{AccountName, Mono, Run, Wall};
use crate::store::{Store, Writer};
use crate::web::{self, Guard, Limits, ListenAddress, Request, Running, RunningConfig, Site};

/// How long the loop may stand still before `/-/healthy` says so.
const STANDS_STILL: Duration = Duration::from_secs(30);

/// The commit the binary was built from, where the build says so.
const REVISION: &str = match option_env!("HARNESS_EXPORTER_REVISION") {
    Some(revision) => revision,
    None => "unknown",
};

/// The compiler it was built with.
const RUST_VERSION: &str = env!("HARNESS_EXPORTER_RUSTC");

/// What an exporter is made of.
pub struct Setup {
    /// What to trigger, and where to keep what came of it.
    pub config: Config,
    /// The config's fingerprint.
    pub fingerprint: u64,
    /// Where to be scraped, bound already.
    pub listeners: Vec<TcpListener>,
    /// The path of the exposition.
    pub telemetry_path: String,
    /// Who may come in there.
    pub guard: Guard,
    /// Whether a pipeline may be triggered over HTTP.
    pub enable_trigger: bool,
    /// Whether the config may be read again, and pipelines paused and resumed, over HTTP.
    pub enable_lifecycle: bool,
    /// Whether everything is done but the triggering.
    pub dry_run: bool,
    /// How the config is read again, at SIGHUP and when asked over HTTP; none where it can't be.
    pub load: Option<Load>,
    /// Who wants to see each run that ends.
    pub ended: Option<mpsc::UnboundedSender<Arc<Run>>>,
}

/// Runs the exporter until the process is told to end, listening at these addresses.
pub async fn serve(addresses: &[ListenAddress], mut setup: Setup) -> anyhow::Result<()> {
    let stop = told_to_end()?;
    warn_of_tokens(&setup.config);
    for address in addresses {
        let listener = web::bind(address).await?;
        let address = listener.local_addr().context("cannot tell where it listens")?;
        tracing::info!(%address, path = setup.telemetry_path, "listening");
        setup.listeners.push(listener);
    }
    run(setup, stop).await?;
    tracing::info!("ended as told");
    Ok(())
}

/// Tells of tokens that can't be had. One pipeline's does not keep the others from being triggered.
fn warn_of_tokens(config: &Config) {
    for (pipeline, error) in harness::unreadable_tokens(config) {
        tracing::warn!(%pipeline, %error, "its webhook token can't be had: nothing is sent without it");
    }
}

/// How the config is read again.
pub type Load = Box<dyn Fn() -> anyhow::Result<Loaded> + Send + Sync>;

/// Reads the config again and makes ready what it takes to go on by it.
fn reread(load: Load, storage: Storage) -> Reread {
    Arc::new(move || {
        let read = || {
            let loaded = load()?;
            anyhow::ensure!(
                loaded.config.storage == storage,
                "storage: a change of it takes a restart"
            );
            let fresh = Fresh {
                clients: clients(&loaded.config)?,
                warnings: loaded.warnings.iter().map(ToString::to_string).collect(),
                fingerprint: loaded.fingerprint,
                running: running_config(loaded.config)?,
            };
            warn_of_tokens(&fresh.running.config);
            Ok(fresh)
        };
        read().map_err(|error| format!("{error:#}"))
    })
}

/// Has the config read again at each SIGHUP. Never resolves.
async fn reload_at_hangup(mut hangup: Option<Signal>, requests: mpsc::Sender<Request>) {
    while let Some(hangup) = &mut hangup
        && hangup.recv().await.is_some()
    {
        let (reply, _) = oneshot::channel();
        if requests.send(Request::Reload { reply }).await.is_err() {
            break;
        }
    }
    std::future::pending::<()>().await;
}

/// Runs an exporter until `stop` resolves and what is under way has been saved.
pub async fn run(
    setup: Setup,
    stop: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    harness::install_crypto();
    let clock = Clock::start();
    let config = &setup.config;
    let clients = clients(config)?;
    let running = Running::new(running_config(config.clone())?);
    let store = Store::open(&config.storage.location, clock.now().wall)?;
    let restored = store.load().context("cannot read the store")?;
    let own = Arc::new(own_metrics(&setup, clock.now().wall)?);
    let mut board = Board::new(config);
    if setup.dry_run {
        tracing::warn!("dry run: nothing is triggered, and no due time is caught up afterwards");
        board = board.dry_run();
    }
    board.restore(&restored);
    let board = Arc::new(RwLock::new(board));
    let seed = getrandom::u64().context("the system gives no random numbers")?;
    let mut engine = Engine::new(config, seed);
    if setup.dry_run {
        engine = engine.dry_run();
    }
    engine.restore(&restored, clock.now());
    drop(restored);

    let heartbeat = Arc::new(AtomicI64::new(clock.now().wall.0));
    // Alive from the first request on, which may come before the loop's first turn.
    let pulse = Arc::new(AtomicU64::new(driver::pulse_at(clock.now().mono)));
    let (answers, saved) = mpsc::channel(1);
    let writer =
        Writer::start(store, config.storage.retention, driver::wall, heartbeat.clone(), answers)
            .context("cannot start the store's thread")?;
    let (requests, incoming) = mpsc::channel(64);
    let ready = Arc::new(AtomicBool::new(true));
    let shown = Shown { board: board.clone(), own: own.clone(), heartbeat };
    let site = Site {
        healthy: still_ticks(clock, pulse.clone()),
        snapshot: {
            let shown = shown.clone();
            Box::new(move || shown.snapshot())
        },
        up: {
            let own = own.clone();
            Box::new(move |account| own.up(account))
        },
        execution_url: {
            let running = running.clone();
            Box::new(move |run| running.now().config.execution_page(run).map(String::from))
        },
        render: shown.exposition(),
        ready: ready.clone(),
        telemetry_path: setup.telemetry_path,
        running: running.clone(),
        driver: requests.clone(),
        guard: setup.guard,
        enable_trigger: setup.enable_trigger,
        enable_lifecycle: setup.enable_lifecycle,
    };
    let load = setup.load;
    // Where there is nothing to read again it ends the process, as ever.
    let hangup = load.is_some().then(|| signal(SignalKind::hangup())).transpose();
    let hangup = hangup.context("cannot listen for SIGHUP")?;
    let reread = load.map(|load| reread(load, setup.config.storage.clone()));
    let saving = Saving::new(writer, saved, ready, own.clone());
    let parts = Parts {
        engine,
        clock,
        board,
        own,
        clients,
        saving,
        asks: incoming,
        pulse,
        reread,
        running,
        ended: setup.ended,
    };
    tokio::select! {
        ended = supervise(setup.listeners, site, parts, stop) => ended,
        () = reload_at_hangup(hangup, requests) => Ok(()),
    }
}

/// A client for each account.
pub(crate) fn clients(config: &Config) -> anyhow::Result<BTreeMap<AccountName, Client>> {
    let client =
        |(name, account): (&AccountName, &Arc<Account>)| Ok((name.clone(), Client::new(account)?));
    config.accounts.iter().map(client).collect()
}

/// What the web has to know of a config.
fn running_config(config: Config) -> anyhow::Result<RunningConfig> {
    let hook_token = config.notifications.as_ref().map(harness::read_secret).transpose();
    Ok(RunningConfig { hook_token: hook_token.context("notifications")?, config: Arc::new(config) })
}

/// Runs the loop and the server side by side. The server outlives the loop by a moment, so that
/// the last scrape still sees what was saved last. Where either ends unasked, both end.
async fn supervise(
    listeners: Vec<TcpListener>,
    site: Site,
    parts: Parts,
    stop: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let (loop_runs, mut loop_ended) = watch::channel(());
    let shutdown = async move {
        // Resolves when the sender is gone.
        while loop_ended.changed().await.is_ok() {}
    };
    let server = web::serve(listeners, Arc::new(site), Limits::default(), shutdown);
    // A task of its own, so that a panic in it is an error here.
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let ended = driver::run(parts, stop).await;
        drop(loop_runs);
        ended
    });
    let driver = async {
        match tasks.join_next().await {
            Some(ended) => Ok(ended.context("the loop broke down")??),
            None => Ok(()),
        }
    };
    let server = async { server.await.context("the web server") };
    tokio::try_join!(driver, server).map(|((), ())| ())
}

/// What can be seen from outside, put together at each request.
#[derive(Clone)]
struct Shown {
    board: Arc<RwLock<Board>>,
    own: Arc<Own>,
    /// When the store's thread last showed that it is there, in milliseconds since the epoch.
    heartbeat: Arc<AtomicI64>,
}

impl Shown {
    fn snapshot(&self) -> Snapshot {
        self.board.read().unwrap_or_else(PoisonError::into_inner).snapshot()
    }

    fn exposition(self) -> Box<dyn Fn() -> Bytes + Send + Sync> {
        Box::new(move || {
            self.own.tick(Loop::Store, Wall(self.heartbeat.load(Ordering::Relaxed)));
            Bytes::from(metrics::render(&self.snapshot(), &self.own))
        })
    }
}

fn still_ticks(clock: Clock, pulse: Arc<AtomicU64>) -> Box<dyn Fn() -> bool + Send + Sync> {
    Box::new(move || {
        let last = Mono(Duration::from_millis(pulse.load(Ordering::Relaxed)));
        clock.now().mono.since(last) < STANDS_STILL
    })
}

fn own_metrics(setup: &Setup, now: Wall) -> anyhow::Result<Own> {
    let own = Own::new(&setup.config).context("cannot set up the metrics")?;
    own.config_loaded(setup.fingerprint, now);
    own.build_info(env!("CARGO_PKG_VERSION"), REVISION, RUST_VERSION);
    Ok(own)
}

/// Resolves at SIGTERM and at SIGINT.
pub(crate) fn told_to_end() -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("told to end: nothing new is begun, webhooks under way are waited for");
    })
}
