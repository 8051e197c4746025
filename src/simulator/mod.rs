//! A small Harness, for the demo, the tests and the benchmarks: a world with pipelines, events and
//! executions, and the endpoints that answer from it in Harness' own JSON.
//!
//! It is a model of the world, not a list of canned answers: a webhook starts an execution, which
//! goes through its stages as simulated time passes, and every endpoint tells of the same state.
//! It shares no code with our client and none of our readings of Harness' words, because a
//! misunderstanding that both shared would never be found. It refuses to run anything, and to be
//! complete: what the exporter does not ask for is answered as an unknown path and noted.
//!
//! The clock: simulated durations pass `speed` times as fast as real ones. `startTs` is the wall
//! time at which an execution really started; a run is over when its simulated age says so, and
//! `endTs` then is `startTs` and the whole simulated duration, so that it may lie in the future.

mod clock;
mod demo;
mod execution;
mod faults;
mod history;
mod layout;
mod pipeline;
mod plan;
mod random;
mod reads;
mod reply;
mod routes;
mod script;
mod server;
mod summary;
mod triggers;
mod webhook;
mod wire;
mod world;

pub use demo::{DEMO_API_KEY, DEMO_TOKEN, demo_world};
pub use execution::Execution;
pub use faults::{Answer, Delivery, Endpoint, Fault, Faults};
pub use pipeline::{SimulatedPipeline, Stage};
pub use script::Script;
pub use server::Simulator;
pub use world::{FilterSupport, Received, World};
