//! `pause` and `resume`: have a running exporter leave pipelines alone, and take them up again.

use clap::Args;
use reqwest::Method;

use super::exporter::Exporter;
use super::{Failure, block_on, escaped, print};

/// Have a running exporter leave pipelines alone at their due times
///
/// It must run with --web.enable-lifecycle. Runs under way are followed to their end, and a
/// pipeline can still be triggered by hand. What is due meanwhile is missed. Exit status: 0 all of
/// them are paused now, 1 nothing has changed, 2 bad usage.
#[derive(Args, Debug)]
pub(super) struct Pause {
    #[command(flatten)]
    pipelines: Pipelines,
}

/// Have a running exporter take paused pipelines up again
///
/// It must run with --web.enable-lifecycle. Exit status: 0 all of them are active now, 1 nothing
/// has changed, 2 bad usage.
#[derive(Args, Debug)]
pub(super) struct Resume {
    #[command(flatten)]
    pipelines: Pipelines,
}

#[derive(Args, Debug)]
struct Pipelines {
    /// Pipelines as the config calls them; all of them without a name
    #[arg(value_name = "NAME")]
    names: Vec<String>,

    #[command(flatten)]
    exporter: Exporter,
}

impl Pause {
    pub(super) fn run(self) -> Result<(), Failure> {
        self.pipelines.ask("/-/pause", "paused")
    }
}

impl Resume {
    pub(super) fn run(self) -> Result<(), Failure> {
        self.pipelines.ask("/-/resume", "resumed")
    }
}

impl Pipelines {
    /// Prints a line for each pipeline that is as it was asked.
    fn ask(self, path: &str, done: &str) -> Result<(), Failure> {
        let query: Vec<_> = self.names.iter().map(|name| ("pipeline", name.as_str())).collect();
        let names = block_on(self.exporter.ask(Method::POST, path, &query))??;
        let lines = names.lines().map(|name| format!("{done} {}\n", escaped(name)));
        Ok(print(&lines.collect::<String>())?)
    }
}
