//! What is served over HTTP: the exposition, the health of the process, a page for a person, and
//! the one request that triggers a pipeline.
//!
//! It knows neither the engine nor the store: a [`Site`] is all it is given. It refuses to reach
//! into the file system, to decide anything about runs, and to serve a rendering that is older than
//! the request it answers. What changes something is refused to pages of other sites.

mod address;
mod door;
mod encoding;
mod page;
mod patience;
mod rendering;
mod reply;
mod routes;
mod trigger;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

pub use address::{BindError, InvalidAddress, ListenAddress, bind};
pub use door::{ServeError, serve};
pub use page::pipelines_table;
pub use reply::escape_html;

/// What the routes need of the rest of the program.
pub struct Site {
    /// The exposition as it is now, in Prometheus' text format 0.0.4. Called on a thread that may
    /// be blocked.
    pub render: Box<dyn Fn() -> Bytes + Send + Sync>,
    /// The middle of the status page as HTML, already escaped (see [`escape_html`]).
    pub page: Box<dyn Fn() -> String + Send + Sync>,
    /// Whether the loops tick.
    pub healthy: Box<dyn Fn() -> bool + Send + Sync>,
    /// Whether config and store are loaded and the store can be written.
    pub ready: Arc<AtomicBool>,
    /// The path of the exposition, such as `/metrics`.
    pub telemetry_path: String,
    /// Where requests to trigger go; none where that is switched off.
    pub trigger: Option<mpsc::Sender<TriggerRequest>>,
}

/// Somebody asks for a run, now.
#[derive(Debug)]
pub struct TriggerRequest {
    /// The pipeline's name as it was asked for; it may be one that nobody knows.
    pub pipeline: String,
    /// The JSON to send instead of the configured payload.
    pub payload: Option<String>,
    /// Who waits for the answer. Dropping it says that nothing was triggered.
    pub reply: oneshot::Sender<TriggerReply>,
}

/// What became of a [`TriggerRequest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TriggerReply {
    /// The run is saved and will be sent.
    Accepted {
        /// Its id.
        run: String,
    },
    /// No pipeline has that name.
    UnknownPipeline,
    /// A run of it is active and its concurrency is `forbid`.
    Active,
    /// The run could not be saved, so nothing will be sent.
    StoreUnavailable,
    /// This is a dry run, in which nothing is sent.
    DryRun,
}

/// How long clients are waited for, and how many there may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From a connection being accepted to its first request's head being read.
    pub header: Duration,
    /// From a response to the head of the next request on that connection. Longer than the usual
    /// scrape intervals, so that a connection is not closed while the next scrape is on its way.
    pub idle: Duration,
    /// For the whole body of a request.
    pub body: Duration,
    /// A client that reads nothing for this long while there is something to read is dropped.
    pub stall: Duration,
    /// For the responses under way when the server stops.
    pub drain: Duration,
    /// How many connections a listener holds. Where all places are taken, the one that has waited
    /// longest without having asked for anything gives way.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header: Duration::from_secs(10),
            idle: Duration::from_mins(2),
            body: Duration::from_secs(10),
            stall: Duration::from_secs(30),
            drain: Duration::from_secs(5),
            connections: 512,
        }
    }
}
