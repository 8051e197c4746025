//! `demo`: the exporter and a stand-in of Harness in one process.
//!
//! The config is taken as it is and turned away from the world: every account points at the
//! stand-in and has the stand-in's own key, so that what takes one is shown too; no secret is read,
//! nothing but loopback is reached, and the store is one of its own that goes with the process.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use anyhow::Context;
use clap::Args;
use secrecy::SecretString;
use tokio::sync::mpsc;
use url::Url;

use super::args::ConfigFiles;
use super::{Failure, args, block_on, load::load_closed, print};
use crate::app;
use crate::config::duration::Span;
use crate::config::{
    Account, Config, Loaded, Location, Pipeline, Polling, SecretSource, Storage, Webhook,
};
use crate::model::{Run, RunResult, WebhookVersion};
use crate::simulator::{DEMO_API_KEY, DEMO_TOKEN, Simulator, demo_world};
use crate::telemetry::{self, Format, Level};
use crate::web::{self, Guard, ListenAddress};

/// How often runs are looked at: the demonstration's hours are seconds.
const POLLING: Polling = Polling {
    first: Duration::from_millis(50),
    min: Duration::from_millis(100),
    max: Duration::from_secs(1),
};

/// Show what it does, with a stand-in of Harness and sped up; needs no account
#[derive(Args, Debug)]
pub(super) struct Demo {
    #[command(flatten)]
    config: ConfigFiles,

    /// Address to listen on
    #[arg(
        long = "web.listen-address",
        env = "HARNESS_EXPORTER_WEB_LISTEN_ADDRESS",
        hide_env_values = true,
        value_name = "ADDRESS",
        default_value = "127.0.0.1:10427"
    )]
    listen_address: ListenAddress,

    /// How many times as fast as in reality time passes; at 3600 an hour is a second
    #[arg(
        long = "speed",
        env = "HARNESS_EXPORTER_SPEED",
        hide_env_values = true,
        value_name = "FACTOR",
        default_value = "3600",
        value_parser = args::speed
    )]
    speed: f64,

    /// End after this long, such as 60s, instead of when interrupted
    #[arg(
        long = "for",
        env = "HARNESS_EXPORTER_FOR",
        hide_env_values = true,
        value_name = "DURATION",
        value_parser = args::duration
    )]
    length: Option<Duration>,
}

impl Demo {
    pub(super) fn run(self) -> Result<(), Failure> {
        let loaded = load_closed(&self.config.config_files)?;
        telemetry::init(Level::Warn, Format::Logfmt).map_err(anyhow::Error::from)?;
        Ok(block_on(self.show(loaded))??)
    }

    /// Runs the exporter against a stand-in of Harness.
    async fn show(self, loaded: Loaded) -> anyhow::Result<()> {
        let stop = app::told_to_end()?;
        let folder = Folder::make()?;
        let listener = web::bind(&self.listen_address).await?;
        let address = listener.local_addr().context("cannot tell where it listens")?;
        let world = demo_world(&loaded.config, self.speed);
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let simulator = Simulator::start(world, anywhere).context("cannot start the stand-in")?;
        let url = simulator.url().parse().context("the stand-in's address")?;
        self.introduce(&url, address)?;
        let (ended, runs) = mpsc::unbounded_channel();
        let setup = app::Setup {
            config: secluded(&loaded.config, &url, &folder.0, self.speed),
            fingerprint: loaded.fingerprint,
            listeners: vec![listener],
            telemetry_path: "/metrics".to_owned(),
            guard: Guard::none().context("the system gives no random numbers")?,
            enable_trigger: self.listen_address.is_loopback(),
            enable_lifecycle: self.listen_address.is_loopback(),
            dry_run: false,
            load: None,
            ended: Some(ended),
        };
        let stop = async move {
            match self.length {
                Some(length) => _ = tokio::time::timeout(length, stop).await,
                None => stop.await,
            }
        };
        let (exporter, printed) = tokio::join!(app::run(setup, stop), print_runs(runs));
        exporter?;
        printed
    }

    fn introduce(&self, url: &Url, address: SocketAddr) -> anyhow::Result<()> {
        print(&format!(
            "stand-in of harness   {url}\n\
             metrics               http://{address}/metrics\n\
             status page           http://{address}/\n\
             time passes {} times as fast\n\
             {DIM}next: curl -s http://{address}/metrics | grep last_run_result{DIM:#}\n",
            self.speed
        ))
    }
}

/// A folder for the store, removed with the process.
struct Folder(PathBuf);

impl Folder {
    fn make() -> anyhow::Result<Self> {
        let random = getrandom::u64().context("the system gives no random numbers")?;
        let path = std::env::temp_dir().join(format!("harness-exporter-demo-{random:016x}"));
        std::fs::create_dir(&path).with_context(|| format!("cannot make {}", path.display()))?;
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
fn secluded(config: &Config, url: &Url, folder: &Path, speed: f64) -> Config {
    let account = |account: &Arc<Account>| {
        Arc::new(Account {
            url: url.clone(),
            api_key: Some(SecretSource::Inline(SecretString::from(DEMO_API_KEY))),
            ca_file: None,
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
                Webhook::Token(_) | Webhook::Url { version: WebhookVersion::V3, .. } => {
                    Webhook::Token(SecretSource::Inline(SecretString::from(DEMO_TOKEN)))
                }
                Webhook::Url { version, .. } => Webhook::Fixed(*version),
                other => other.clone(),
            },
            schedule: config.schedule.as_ref().map(|schedule| schedule.sped_up(speed)),
            polling: POLLING,
            ..Pipeline::clone(config)
        })
    };
    Config {
        accounts: accounts.collect(),
        pipelines: config.pipelines.iter().map(pipeline).collect(),
        notifications: None,
        storage: Storage {
            location: Location::of_file(folder.join("demo.db")),
            ..config.storage.clone()
        },
        ..config.clone()
    }
}

async fn print_runs(mut runs: mpsc::UnboundedReceiver<Arc<Run>>) -> anyhow::Result<()> {
    while let Some(run) = runs.recv().await {
        print(&format!("{}\n", line(&run)))?;
    }
    Ok(())
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
        Span(Duration::from_secs(u64::try_from(millis / 1000).unwrap_or(0))).to_string()
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
    use secrecy::ExposeSecret;

    use super::*;
    use crate::model::{AccountName, PipelineName, Reason, RunId, Wall};

    #[test]
    fn nothing_of_an_account_leads_outside() {
        let account = Account {
            api_key: Some(SecretSource::Env("KEY".to_owned())),
            ca_file: Some(PathBuf::from("nowhere.pem")),
            ..Account::new(
                AccountName::new("default"),
                "https://app.harness.io".parse().unwrap(),
                "a",
            )
        };
        let url: Url = "http://127.0.0.1:9".parse().unwrap();
        let config = secluded(&Config::new(account, []), &url, Path::new("/tmp"), 1.0);
        let account = &config.accounts["default"];
        assert_eq!((&account.url, &account.ca_file), (&url, &None));
        let Some(SecretSource::Inline(key)) = &account.api_key else {
            panic!("{:?}", account.api_key);
        };
        assert_eq!(key.expose_secret(), DEMO_API_KEY);
    }

    #[test]
    fn a_line_a_run_with_its_verdict_in_colour() {
        let name = PipelineName::new("checkout");
        let id = RunId::of_request(&name, 1);
        let run = Run::new(id, name, AccountName::new("default"), Wall(1_795_489_911_000));
        let ended = |result| Run { result: Some(result), duration: Some(1_200_000), ..run.clone() };
        for (run, expected) in [
            (
                ended(RunResult::Success),
                "run            \u{1b}[32msuccess       \u{1b}[0m        20m",
            ),
            (
                ended(RunResult::Timeout),
                "run            \u{1b}[31mtimeout       \u{1b}[0m        20m",
            ),
            (ended(RunResult::Skip), "run            \u{1b}[33mskip          \u{1b}[0m        20m"),
            (
                Run { reason: Some(Reason::StartRefused), ..run.clone() },
                "trigger failed \u{1b}[31mstart_refused \u{1b}[0m           ",
            ),
        ] {
            assert_eq!(line(&run), format!("checkout             {expected}"));
        }
    }
}
