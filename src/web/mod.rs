//! What is served over HTTP: the exposition, the health of the process, a page for a person, and
//! the one request that triggers a pipeline.
//!
//! It knows neither the engine nor the store: a [`Site`] is all it is given. It refuses to reach
//! into the file system, to decide anything about runs, and to serve a rendering that is older than
//! the request it answers. What changes something is refused to pages of other sites.

mod address;
mod body;
mod door;
mod encoding;
mod file;
mod foreign;
mod guard;
mod keyed;
mod lifecycle;
mod page;
mod patience;
mod rendering;
mod reply;
mod request;
mod route;
mod routes;
mod tls;
mod trigger;
mod users;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

pub use address::{BindError, InvalidAddress, ListenAddress, bind};
pub use door::{ServeError, serve};
pub use guard::{Guard, WebConfigError};
pub use page::pipelines_table;
pub use reply::escape_html;
pub use request::{
    Notification, NotifiedEvent, NotifiedScope, ReloadReply, Request, SwitchReply, TriggerReply,
};

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
    /// Who is let in.
    pub guard: Guard,
    /// Who does what is asked for.
    pub driver: mpsc::Sender<Request>,
    /// Whether a pipeline may be triggered.
    pub enable_trigger: bool,
    /// Whether the config may be read again, and pipelines paused and resumed.
    pub enable_lifecycle: bool,
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
