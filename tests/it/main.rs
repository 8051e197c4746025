//! The integration tests, one binary: the edges against real sockets, and the program as a whole.
#![expect(clippy::unwrap_used, reason = "a helper that can't go on fails its test")]

mod client;
mod simulator;
mod web;
