//! The integration tests, one binary: the edges against real sockets, and the program as a whole.

#[cfg(test)]
mod child;
#[cfg(test)]
mod client;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod prometheus;
#[cfg(test)]
mod repo;
#[cfg(test)]
mod simulator;
#[cfg(test)]
mod web;
