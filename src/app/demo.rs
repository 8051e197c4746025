//! `demo`: the exporter and a stand-in of Harness in one process.
//!
//! The config is taken as it is and turned away from the world: every account points at the
//! stand-in, no secret is read, nothing but loopback is reached, and the store is one of its own
//! that goes with the process.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use anyhow::Context;
use secrecy::SecretString;
use tokio::sync::mpsc;

use super::{Setup, run, told_to_end};
use crate::cli::{self, DemoOptions};
use crate::config::{Account, Config, Location, Pipeline, Polling, SecretSource, Storage, Webhook};
use crate::model::{Run, RunResult};
use crate::schedule::Schedule;
use crate::simulator::{DEMO_TOKEN, Simulator, demo_world};
use crate::web;

/// How often runs are looked at: the demonstration's hours are seconds.
const POLLING: Polling = Polling {
    first: Duration::from_millis(50),
    min: Duration::from_millis(100),
    max: Duration::from_secs(1),
};

/// Runs the exporter against a stand-in of Harness.
pub async fn demo(options: DemoOptions) -> anyhow::Result<()> {
    let stop = told_to_end()?;
    let folder = Folder::make()?;
    let listener = web::bind(&options.listen_address).await?;
    let address = listener.local_addr().context("cannot tell where it listens")?;
    let world = demo_world(&options.config, options.speed);
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let simulator = Simulator::start(world, anywhere).context("cannot start the stand-in")?;
    let url = simulator.url().parse().context("the stand-in's address")?;
    let config = secluded(&options.config, &url, &folder.0, options.speed);

    cli::print(&format!("stand-in of harness   {url}\n"))?;
    cli::print(&format!("metrics               http://{address}/metrics\n"))?;
    cli::print(&format!("status page           http://{address}/\n"))?;
    cli::print(&format!("time passes {} times as fast\n", options.speed))?;
    cli::print(&hint(address))?;
    let (ended, runs) = mpsc::unbounded_channel();
    let setup = Setup {
        config,
        fingerprint: options.fingerprint,
        listeners: vec![listener],
        telemetry_path: "/metrics".to_owned(),
        enable_trigger: options.listen_address.is_loopback(),
        dry_run: false,
        ended: Some(ended),
    };
    let length = async move {
        match options.length {
            Some(length) => tokio::time::sleep(length).await,
            None => std::future::pending().await,
        }
    };
    let stop = async move {
        tokio::select! {
            () = stop => {}
            () = length => {}
        }
    };
    let (exporter, printed) = tokio::join!(run(setup, stop), print_runs(runs));
    exporter?;
    printed
}

/// A folder for the store, removed with the process.
struct Folder(PathBuf);

impl Folder {
    fn make() -> anyhow::Result<Self> {
        let name = format!("harness-exporter-demo-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path)
            .with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What can't be removed is in the folder for temporary things all the same.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The same config, with nothing in it that leads outside.
fn secluded(config: &Config, url: &url::Url, folder: &Path, speed: f64) -> Config {
    let account = |account: &Arc<Account>| {
        Arc::new(Account {
            url: url.clone(),
            api_key: None,
            requests_per_minute: 1_000_000,
            max_active_runs: u32::MAX,
            triggers_per_minute: u32::MAX,
            ..Account::clone(account)
        })
    };
    let accounts = config.accounts.iter().map(|(name, config)| (name.clone(), account(config)));
    let pipeline = |config: &Arc<Pipeline>| {
        Arc::new(Pipeline {
            webhook: match &config.webhook {
                Webhook::Token(_) => {
                    Webhook::Token(SecretSource::Inline(SecretString::from(DEMO_TOKEN)))
                }
                other => other.clone(),
            },
            schedule: config.schedule.map(|schedule| sped_up(schedule, speed)),
            polling: POLLING,
            ..Pipeline::clone(config)
        })
    };
    Config {
        accounts: accounts.collect(),
        pipelines: config.pipelines.iter().map(pipeline).collect(),
        storage: Storage {
            location: Location::of_file(folder.join("demo.db")),
            ..config.storage.clone()
        },
    }
}

fn sped_up(schedule: Schedule, speed: f64) -> Schedule {
    let every = schedule.every.div_f64(speed.max(1.0)).max(Duration::from_secs(1));
    Schedule { every, ..schedule }
}

async fn print_runs(mut runs: mpsc::UnboundedReceiver<Arc<Run>>) -> anyhow::Result<()> {
    while let Some(run) = runs.recv().await {
        cli::print(&format!("{}\n", line(&run)))?;
    }
    Ok(())
}

/// What to look at next.
fn hint(address: SocketAddr) -> String {
    format!("{DIM}next: curl -s http://{address}/metrics | grep last_run_result{DIM:#}\n")
}

const DIM: Style = Style::new().dimmed();
const GOOD: Style = AnsiColor::Green.on_default();
const NEITHER: Style = AnsiColor::Yellow.on_default();
const BAD: Style = AnsiColor::Red.on_default();

/// One run in one line, as a person reads it.
fn line(run: &Run) -> String {
    let (verdict, style) = match (run.result, run.reason) {
        (Some(result), _) => (result.as_str(), style_of(result)),
        (None, Some(reason)) => (reason.as_str(), BAD),
        (None, None) => (run.outcome.as_str(), NEITHER),
    };
    let duration = run.duration.map_or_else(String::new, |millis| {
        let seconds = millis.div_euclid(1000);
        format!("{}h{:02}m{:02}s", seconds / 3600, seconds / 60 % 60, seconds % 60)
    });
    let kind = if run.result.is_some() { "run" } else { "trigger failed" };
    let name = run.pipeline.as_str();
    format!("{name:<20} {kind:<14} {style}{verdict:<14}{style:#} {duration:>10}")
}

fn style_of(result: RunResult) -> Style {
    match result.is_bad() {
        Some(false) => GOOD,
        Some(true) => BAD,
        None => NEITHER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AccountName, PipelineName, Reason, RunId, Wall};

    #[test]
    fn a_line_a_run_with_its_verdict_in_colour() {
        let name = PipelineName::new("checkout");
        let id = RunId::of_request(&name, 1);
        let run = Run::new(id, name, AccountName::new("default"), Wall(1_795_489_911_000));
        let ended = |result| Run { result: Some(result), duration: Some(1_200_000), ..run.clone() };
        for (run, expected) in [
            (
                ended(RunResult::Success),
                "run            \u{1b}[32msuccess       \u{1b}[0m   0h20m00s",
            ),
            (
                ended(RunResult::Timeout),
                "run            \u{1b}[31mtimeout       \u{1b}[0m   0h20m00s",
            ),
            (ended(RunResult::Skip), "run            \u{1b}[33mskip          \u{1b}[0m   0h20m00s"),
            (
                Run { reason: Some(Reason::StartRefused), ..run.clone() },
                "trigger failed \u{1b}[31mstart_refused \u{1b}[0m           ",
            ),
        ] {
            assert_eq!(line(&run), format!("checkout             {expected}"));
        }
    }
}
