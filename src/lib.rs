//! `harness-exporter` triggers Harness NextGen pipelines on a schedule, follows each triggered run
//! to its end and shows Prometheus what became of it.
//!
//! ```text
//! config.yaml ─► config ─► schedule ─ next due time ─┐
//!                                                    ▼        one input at a time, then time, then all effects
//!   clock, timer ──────────────────►  driver ──► engine.handle(input, now) ──► [Effect]
//!                                       ▲        engine.advance(now)            ├─ Fact        ─► store, then board ─► /metrics
//!   answers from Harness ───────────────┤                                       ├─ SendTrigger ─► harness (once its facts are on disk)
//!   requests from the web ──────────────┘                                       └─ ReadEvent   ─► harness
//! ```
//!
//! The modules, in the order in which a newcomer should read them.
//!
//! The words and the pure core, which do no I/O, read no clock, start no task and log nothing (but
//! that [`config`] reads its files, and [`metrics`] what the system says of this process):
//! [`model`], [`config`], [`schedule`], [`calendar`], [`polling`], [`limiter`], [`stages`], [`run`], [`engine`],
//! [`totals`], [`board`], [`metrics`].
//!
//! The edges, each of which talks to one outside thing and knows none of the others:
//! [`harness`], [`store`], [`web`], [`simulator`].
//!
//! The shell: [`driver`] is the only loop, [`app`] builds everything, [`telemetry`] shapes the log,
//! [`cli`] is what a user types.

pub mod app;
pub mod board;
pub mod calendar;
pub mod cli;
pub mod config;
pub mod driver;
pub mod engine;
pub mod harness;
pub mod limiter;
pub mod metrics;
pub mod model;
pub mod polling;
pub mod run;
pub mod schedule;
pub mod simulator;
pub mod stages;
pub mod store;
pub mod telemetry;
pub mod totals;
pub mod web;
