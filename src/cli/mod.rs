//! What a user types: one file a command.
//!
//! A command reads its flags, builds what it needs and says what came of it. Results go to standard
//! output, everything else to standard error.

mod args;
mod check;
mod demo;
mod direct;
mod exporter;
mod health;
mod load;
mod metrics;
mod online;
mod pause;
mod report;
mod run;
mod schedule;
mod schema;
mod serve;
mod status;
mod trigger;

use std::fmt;
use std::future::Future;
use std::io::{self, Write};

use anyhow::Context;
use clap::{Parser, Subcommand};

/// Triggers Harness pipelines on a schedule, follows every run to its end and exports what became
/// of it to Prometheus.
///
/// Each flag can be set by an environment variable too; the flag wins.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true, subcommand_required = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    Demo(demo::Demo),
    Check(check::Check),
    Schedule(schedule::ScheduleCommand),
    Health(health::Health),
    Pause(pause::Pause),
    Resume(pause::Resume),
    Run(run::Run),
    Status(status::Status),
    Trigger(trigger::Trigger),
    Metrics(metrics::Metrics),
    Schema(schema::Schema),
}

/// Does what the command line says.
pub fn run(cli: Cli) -> Result<(), Failure> {
    match cli.command {
        Command::Serve(command) => command.run(),
        Command::Demo(command) => command.run(),
        Command::Check(command) => command.run(),
        Command::Schedule(command) => command.run(),
        Command::Health(command) => command.run(),
        Command::Pause(command) => command.run(),
        Command::Resume(command) => command.run(),
        Command::Run(command) => command.run(),
        Command::Status(command) => command.run(),
        Command::Trigger(command) => command.run(),
        Command::Metrics(command) => command.run(),
        Command::Schema(command) => command.run(),
    }
}

/// Why a command did not do what was asked.
#[derive(Debug)]
pub enum Failure {
    /// The command line or the config is not right: nothing was begun.
    Usage(anyhow::Error),
    /// It went wrong.
    Failed(anyhow::Error),
    /// Something was to be triggered and certainly was not.
    TriggerFailed(anyhow::Error),
    /// Nobody knows whether something was triggered.
    Unknown(anyhow::Error),
}

impl Failure {
    /// What went wrong, whatever follows from it.
    pub(crate) fn into_error(self) -> anyhow::Error {
        match self {
            Self::Usage(error)
            | Self::Failed(error)
            | Self::TriggerFailed(error)
            | Self::Unknown(error) => error,
        }
    }

    /// The status to exit with.
    #[must_use]
    pub const fn status(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::TriggerFailed(_) => 3,
            Self::Unknown(_) => 4,
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

/// The chain of causes on one line, and no backtrace.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Usage(error)
        | Self::Failed(error)
        | Self::TriggerFailed(error)
        | Self::Unknown(error)) = self;
        f.write_str(&escaped(&format!("{error:#}")))
    }
}

/// `text` on one line and without power over a terminal.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { escaped.extend(c.escape_default()) } else { escaped.push(c) }
    }
    escaped
}

/// Writes a result; its colours only to a terminal that wants them. A reader that has seen enough
/// of it is no failure.
pub fn print(result: &str) -> anyhow::Result<()> {
    let mut stdout = anstream::AutoStream::auto(io::stdout().lock());
    match stdout.write_all(result.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(()),
    }
}

/// Writes a remark for a person; its colours only to a terminal that wants them.
fn remark(line: &str) {
    // Where standard error is closed, nobody wants to know.
    let _ = writeln!(anstream::AutoStream::auto(io::stderr().lock()), "{line}");
}

/// Runs `work` on this thread. One is enough: a run costs less than a millisecond, what takes long
/// (the disk, a rendering) has threads of its own, and handing each call from thread to thread would
/// cost more than it brings.
fn block_on<T>(work: impl Future<Output = T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.context("cannot start the runtime")?.block_on(work))
}

#[cfg(test)]
mod tests;
