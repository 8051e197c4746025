//! The integration tests, one binary: the edges against real sockets, and the program as a whole.

#[cfg(test)]
mod client;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod simulator;
#[cfg(test)]
mod web;
