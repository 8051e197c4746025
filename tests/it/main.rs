//! The integration tests, one binary: the edges against real sockets, the core through simulated
//! histories, the program as a whole, and the files of the repository against the program.

#[cfg(test)]
mod child;
#[cfg(test)]
mod client;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod deploy;
#[cfg(test)]
mod program;
#[cfg(test)]
mod prometheus;
#[cfg(test)]
mod repo;
#[cfg(test)]
mod schedule;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod simulator;
#[cfg(test)]
mod web;
