//! `status`: what became of an event, whoever caused it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use clap::Args;

use super::args::{ConfigFiles, Output, OutputFormat};
use super::direct::DirectAccount;
use super::report::Report;
use super::{Failure, block_on, load::load, print, serve};
use crate::app::clients;
use crate::config::{Account, Config, Pipeline, Results};
use crate::driver::{Clock, Follower};
use crate::harness::{self, Client};
use crate::model::{
    AccountName, Answered, DetailsVersion, EventAnswer, EventId, Phase, PipelineName, Run, RunId,
    Target,
};
use crate::run::{self, Sight};

/// Look at what became of an event, such as `run --detach` prints
///
/// Exit status: 0 it could be read, whatever it says; 1 it could not; 2 bad usage or config.
#[derive(Args, Debug)]
pub(super) struct Status {
    /// What Harness gave back for a webhook
    #[arg(value_name = "EVENT_ID", value_parser = EventId::new)]
    event: EventId,

    #[command(flatten)]
    config: ConfigFiles,

    #[command(flatten)]
    format: OutputFormat,

    /// Look again until it has ended, and print each change
    #[arg(
        long = "watch",
        env = "HARNESS_EXPORTER_WATCH",
        hide_env_values = true,
        value_parser = clap::builder::BoolishValueParser::new()
    )]
    watch: bool,

    #[command(flatten)]
    account: DirectAccount,
}

/// What a look at an event brought.
enum Look {
    Told(Box<Event>),
    /// Harness has nothing under this id. The older endpoint also says so of one that is queued.
    NoRecord {
        may_be_queued: bool,
    },
    Failed(String),
}

/// An event as it stands.
struct Event {
    run: Run,
    target: Option<Target>,
}

impl Status {
    pub(super) fn run(self) -> Result<(), Failure> {
        let config = match self.account.config()? {
            Some(config) => config,
            None => load(&self.config.config_files)?.config,
        };
        serve::check_accounts(&config)?;
        harness::install_crypto();
        let clients = clients(&config).map_err(Failure::Usage)?;
        block_on(self.show(&config, clients))?
    }

    async fn show(
        &self,
        config: &Config,
        clients: BTreeMap<AccountName, Client>,
    ) -> Result<(), Failure> {
        let (account, event) = self.find(config, &clients).await?;
        let view = View { config, account, output: self.format.output };
        if !self.watch {
            return view.print(&event, Report::block);
        }
        view.print(&event, Report::line)?;
        let event = view.watch(event, clients).await?;
        if self.format.output == Output::Text { view.print(&event, Report::block) } else { Ok(()) }
    }

    /// The account that knows the event.
    async fn find<'a>(
        &self,
        config: &'a Config,
        clients: &BTreeMap<AccountName, Client>,
    ) -> Result<(&'a Account, Event), Failure> {
        let mut refusals = Vec::new();
        for (name, account) in &config.accounts {
            let Some(client) = clients.get(name) else { continue };
            let why = match look(client, name, &self.event, config.results).await {
                Look::Told(mut event) => {
                    // So that it is looked at as its entry says.
                    if let Some(entry) = entry_of(config, account, event.target.as_ref()) {
                        event.run.pipeline = entry.name.clone();
                    }
                    return Ok((account, *event));
                }
                Look::NoRecord { may_be_queued: true }
                    if self.watch && config.accounts.len() == 1 =>
                {
                    return Ok((account, Event { run: unread(name, &self.event), target: None }));
                }
                Look::NoRecord { may_be_queued: true } => {
                    "no record of it: it is queued, too old or mistyped".to_owned()
                }
                Look::NoRecord { may_be_queued: false } => {
                    "no record of it: it is too old or mistyped".to_owned()
                }
                Look::Failed(why) => why,
            };
            refusals.push(format!("account {name}: {why}"));
        }
        let refusals = refusals.join("; ");
        Err(Failure::Failed(anyhow!("cannot read event {}: {refusals}", self.event)))
    }
}

/// Looks once, at the older endpoint where the newer one is not there.
async fn look(client: &Client, account: &AccountName, event: &EventId, results: Results) -> Look {
    let mut version = DetailsVersion::V2;
    let mut answered = client.read_event(version, event).await;
    if answered.answer == EventAnswer::UnknownPath {
        version = DetailsVersion::V1;
        answered = client.read_event(version, event).await;
    }
    let Answered { answer, skew, .. } = answered;
    match answer {
        EventAnswer::Details(details) => {
            let now = Clock::start().now();
            let mut run = unread(account, event);
            let sight = Sight { now, since_sent: Duration::ZERO, skew, results };
            run::read(&mut run, &details, &sight);
            Look::Told(Box::new(Event { run, target: details.target }))
        }
        EventAnswer::NoHistory => Look::NoRecord { may_be_queued: version == DetailsVersion::V1 },
        EventAnswer::UnknownPath => Look::Failed("this host has no such endpoint".to_owned()),
        EventAnswer::Throttled { .. } => {
            Look::Failed("HTTP 429: asked to slow down, try again in a minute".to_owned())
        }
        EventAnswer::Failed { message } => Look::Failed(message),
    }
}

/// An event that Harness has taken and of which nothing else is known.
fn unread(account: &AccountName, event: &EventId) -> Run {
    let pipeline = PipelineName::new(event.as_str());
    let id = RunId::of_request(&pipeline, 0);
    let now = Clock::start().now().wall;
    Run {
        phase: Phase::Accepted,
        event: Some(event.clone()),
        ..Run::new(id, pipeline, account.clone(), now)
    }
}

/// How an event is shown.
struct View<'a> {
    config: &'a Config,
    account: &'a Account,
    output: Output,
}

impl View<'_> {
    fn print(&self, event: &Event, text: fn(&Report) -> String) -> Result<(), Failure> {
        let Event { run, target } = event;
        let page = target.as_ref().zip(run.execution.as_ref());
        let page = page.map(|(target, execution)| self.account.execution_page(target, execution));
        let name = target.as_ref().map(|target| self.name_of(target));
        Ok(print(&Report::of_event(run, name, page).written(self.output, text))?)
    }

    /// The name in the config, else Harness' own.
    fn name_of(&self, target: &Target) -> String {
        let entry = entry_of(self.config, self.account, Some(target));
        entry.map_or_else(|| target.pipeline.clone(), |entry| entry.name.to_string())
    }

    /// Follows the event to its end.
    async fn watch(
        &self,
        mut event: Event,
        clients: BTreeMap<AccountName, Client>,
    ) -> Result<Event, Failure> {
        let client = clients.get(&self.account.name).cloned();
        let open = event.run.is_active().then(|| Arc::new(event.run.clone()));
        let failed = |error: crate::driver::Error| Failure::Failed(error.into());
        let mut follower =
            Follower::new(self.config, clients, open.into_iter().collect()).map_err(failed)?;
        while let Some((run, _)) = follower.next().await.map_err(failed)? {
            // An event that was queued at the first look did not say what it was for.
            if event.target.is_none()
                && let (Some(client), Some(id)) = (&client, &run.event)
                && let Look::Told(again) =
                    look(client, &self.account.name, id, self.config.results).await
            {
                event.target = again.target;
            }
            event.run = Run::clone(&run);
            self.print(&event, Report::line)?;
        }
        Ok(event)
    }
}

/// The entry of the config that triggers `target`.
fn entry_of<'a>(
    config: &'a Config,
    account: &Account,
    target: Option<&Target>,
) -> Option<&'a Arc<Pipeline>> {
    let target = target?;
    config.pipelines.iter().find(|entry| {
        entry.account == account.name
            && entry.org == target.org
            && entry.project == target.project
            && entry.pipeline == target.pipeline
            && entry.trigger == target.trigger
    })
}
