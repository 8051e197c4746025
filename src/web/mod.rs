//! What is served over HTTP: the exposition, the health of the process, pages for a person, and what
//! can be asked of the driver by a [`Request`].
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
mod hook;
mod json;
mod keyed;
mod lifecycle;
mod notified;
mod pages;
mod patience;
mod presence;
mod redacted;
mod rendering;
mod reply;
mod request;
mod route;
mod routes;
mod running;
mod tls;
mod trigger;
mod users;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::board::Snapshot;
use crate::model::{AccountName, Run};
pub use address::{BindError, InvalidAddress, ListenAddress, bind};
pub use door::{ServeError, serve};
pub use guard::{Guard, WebConfigError};
pub use request::{ReloadReply, Request, SwitchReply, TriggerReply};
pub use running::{Running, RunningConfig};

/// What can be said of one thing.
pub type Told<Of, What> = Box<dyn Fn(&Of) -> What + Send + Sync>;

/// What the routes need of the rest of the program.
pub struct Site {
    /// The exposition as it is now, in Prometheus' text format 0.0.4. Called on a thread that may
    /// be blocked.
    pub render: Box<dyn Fn() -> Bytes + Send + Sync>,
    /// What the board says now.
    pub snapshot: Box<dyn Fn() -> Snapshot + Send + Sync>,
    /// Whether Harness serves an account; none before the first call.
    pub up: Told<AccountName, Option<bool>>,
    /// Where Harness shows the execution of a run.
    pub execution_url: Told<Run, Option<String>>,
    /// Whether the loops tick.
    pub healthy: Box<dyn Fn() -> bool + Send + Sync>,
    /// Whether config and store are loaded and the store can be written.
    pub ready: Arc<AtomicBool>,
    /// The path of the exposition, such as `/metrics`.
    pub telemetry_path: String,
    /// The config that holds.
    pub running: Running,
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
    /// How many connections a listener holds. Where all places are taken, the one on which nobody
    /// has been served for longest gives way.
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
