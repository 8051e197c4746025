//! `run`: pipelines triggered now and followed to their ends, by hand and on no account.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use clap::Args;

use super::args::OutputFormat;
use super::direct::Instead;
use super::report::Report;
use super::{
    Failure,
    args::{self, ConfigFiles},
    block_on, escaped,
    load::load,
    print, remark, serve,
};
use crate::app::{self, clients};
use crate::config::{Config, Pipeline};
use crate::driver::Follower;
use crate::harness;
use crate::model::{Change, Outcome, Phase, PipelineName, Run as Record, RunResult};

/// Trigger pipelines now and follow them to their ends
///
/// Opens no store, heeds no `concurrency` and counts in no metric.
///
/// Exit status: 0 every run succeeded; 1 one of them ended otherwise, or was still going on when
/// following it ended; 2 bad usage or config, nothing was triggered; 3 a trigger failed for
/// certain; 4 nobody knows whether Harness has acted on a webhook: look there before you send
/// another. Of several runs the highest of 4, 3, 1 and 0 counts.
#[derive(Args, Debug)]
pub(super) struct Run {
    // First, because it must see the names before they are taken away.
    #[command(flatten)]
    instead: Instead,

    /// Names of pipelines in the config; they run side by side
    #[arg(value_name = "NAME", help_heading = None)]
    names: Vec<String>,

    #[command(flatten)]
    config: ConfigFiles,

    #[command(flatten)]
    format: OutputFormat,

    /// Stop following after this long, such as 30m; the runs go on in Harness
    #[arg(
        long = "timeout",
        env = "HARNESS_EXPORTER_TIMEOUT",
        hide_env_values = true,
        value_name = "DURATION",
        value_parser = args::duration
    )]
    timeout: Option<Duration>,

    /// Do not follow: print the event's id as soon as Harness has taken the webhook
    #[arg(
        long = "detach",
        env = "HARNESS_EXPORTER_DETACH",
        hide_env_values = true,
        value_parser = clap::builder::BoolishValueParser::new()
    )]
    detach: bool,
}

/// What a run came to; of several the greatest counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Good,
    Other,
    TriggerFailed,
    Unknown,
}

impl Verdict {
    fn of(run: &Record) -> Self {
        match (run.phase, run.result, run.outcome) {
            (_, Some(RunResult::Success), _) => Self::Good,
            (_, Some(_), _) => Self::Other,
            _ if is_taken(run) => Self::Other,
            (Phase::Sending, ..) | (_, _, Outcome::Unconfirmed | Outcome::Lost) => Self::Unknown,
            _ => Self::TriggerFailed,
        }
    }
}

impl Run {
    pub(super) fn run(self) -> Result<(), Failure> {
        let config = match self.instead.account.config_with(&self.instead.pipeline)? {
            Some(config) => config,
            None => self.chosen()?,
        };
        serve::check_accounts(&config)?;
        harness::install_crypto();
        let clients = clients(&config).map_err(Failure::Usage)?;
        block_on(async {
            let mut follower = Follower::new(&config, clients, Vec::new())
                .map_err(|error| Failure::Usage(error.into()))?;
            remark(
                "note: by hand: no store is opened, no `concurrency` heeded, and no metric counts it",
            );
            for pipeline in &config.pipelines {
                follower
                    .ask(&pipeline.name)
                    .map_err(|error| Failure::TriggerFailed(error.into()))?;
            }
            Following {
                command: &self,
                config: &config,
                runs: BTreeMap::new(),
                told: BTreeMap::new(),
            }
            .follow(follower)
            .await
        })?
    }

    /// The pipelines of the config that were named, and no others.
    fn chosen(&self) -> Result<Config, Failure> {
        let loaded = load(&self.config.config_files)?;
        for (index, name) in self.names.iter().enumerate() {
            if self.names.iter().take(index).any(|earlier| earlier == name) {
                return Err(Failure::Usage(anyhow!("{name} is named twice: name it once")));
            }
            find(&loaded.config, name)?;
        }
        Ok(narrowed(loaded.config, &self.names))
    }
}

/// The pipeline of that name.
pub(super) fn find<'a>(config: &'a Config, name: &str) -> Result<&'a Arc<Pipeline>, Failure> {
    config.pipelines.iter().find(|pipeline| pipeline.name.as_str() == name).ok_or_else(|| {
        Failure::Usage(anyhow!(
            "no pipeline of the config is called {name}: `harness-exporter check` lists them"
        ))
    })
}

/// The config with these pipelines and their accounts only, so that no other key is read.
fn narrowed(mut config: Config, names: &[String]) -> Config {
    config.pipelines.retain(|pipeline| names.iter().any(|name| name == pipeline.name.as_str()));
    let pipelines = &config.pipelines;
    config.accounts.retain(|name, _| pipelines.iter().any(|pipeline| pipeline.account == *name));
    config
}

/// The runs, and what has been told of them.
struct Following<'a> {
    command: &'a Run,
    config: &'a Config,
    /// The record of each as it stands.
    runs: BTreeMap<PipelineName, Arc<Record>>,
    /// The last remark on each.
    told: BTreeMap<PipelineName, String>,
}

impl Following<'_> {
    async fn follow(mut self, mut follower: Follower) -> Result<(), Failure> {
        // Nothing has been sent yet.
        let interrupted = app::told_to_end().map_err(Failure::TriggerFailed)?;
        let length = self.command.timeout.unwrap_or(Duration::MAX);
        let end = async move {
            tokio::select! {
                () = interrupted => {}
                () = tokio::time::sleep(length) => {}
            }
        };
        tokio::pin!(end);
        let mut ended = false;
        while !(self.command.detach && self.all_sent()) {
            tokio::select! {
                seen = follower.next() => match seen {
                    Ok(Some((run, change))) => self.see(run, change)?,
                    Ok(None) => break,
                    Err(error) => return Err(Failure::Unknown(error.into())),
                },
                () = &mut end, if !ended => {
                    ended = true;
                    follower.stop();
                }
            }
        }
        for run in self.runs.values().filter(|run| run.is_active()) {
            self.leave(run)?;
        }
        self.conclude()
    }

    /// Whether nothing is left to send.
    fn all_sent(&self) -> bool {
        let sent = |run: &Arc<Record>| {
            is_taken(run) || run.phase == Phase::Unconfirmed || !run.is_active()
        };
        self.runs.len() == self.config.pipelines.len() && self.runs.values().all(sent)
    }

    fn see(&mut self, run: Arc<Record>, change: Change) -> Result<(), Failure> {
        let news = match change {
            Change::Begun | Change::Settled => None,
            Change::Sending => Some("sending the webhook".to_owned()),
            Change::Waiting => {
                let message = run.message.as_deref().unwrap_or("asked to slow down");
                Some(format!("no effect, trying again: {message}"))
            }
            Change::Unconfirmed => {
                let message = run.message.as_deref().unwrap_or("no usable answer");
                Some(format!("it may have been taken, looking for its execution: {message}"))
            }
            Change::Accepted => {
                run.event.as_ref().map(|event| format!("webhook taken, event {event}"))
            }
            Change::Started | Change::Progress => Some(self.report(&run).news()),
            Change::TriggerFailed | Change::Finished => {
                print(&self.report(&run).written(self.command.format.output, Report::line))?;
                None
            }
        };
        if let Some(news) = news
            && self.told.get(&run.pipeline) != Some(&news)
        {
            remark(&escaped(&format!("{}: {news}", run.pipeline)));
            self.told.insert(run.pipeline.clone(), news);
        }
        self.runs.insert(run.pipeline.clone(), run);
        Ok(())
    }

    fn report(&self, run: &Record) -> Report {
        Report::of_run(run, self.config.execution_page(run))
    }

    /// What is known of a run that is not followed to its end.
    fn leave(&self, run: &Record) -> Result<(), Failure> {
        let report = self.report(run);
        if self.command.detach && is_taken(run) {
            let several = self.config.pipelines.len() > 1;
            let text = if several { Report::name_and_event } else { Report::event_alone };
            return Ok(print(&report.written(self.command.format.output, text))?);
        }
        let what = if is_taken(run) { "goes on in Harness" } else { "was not triggered" };
        remark(&escaped(&format!("{}: no longer followed, {what}", run.pipeline)));
        Ok(print(&report.written(self.command.format.output, Report::line))?)
    }

    fn conclude(&self) -> Result<(), Failure> {
        let detach = self.command.detach;
        let verdict = |run: &Record| match Verdict::of(run) {
            Verdict::Other if detach && is_taken(run) => Verdict::Good,
            verdict => verdict,
        };
        let Some(worst) = self.runs.values().map(|run| verdict(run)).max() else { return Ok(()) };
        let those = self.runs.values().filter(|run| verdict(run) == worst);
        let names: Vec<&str> = those.map(|run| run.pipeline.as_str()).collect();
        let names = names.join(", ");
        match worst {
            Verdict::Good => Ok(()),
            Verdict::Other => Err(Failure::Failed(anyhow!("no success: {names}"))),
            Verdict::TriggerFailed => {
                Err(Failure::TriggerFailed(anyhow!("the trigger failed, nothing runs: {names}")))
            }
            Verdict::Unknown => Err(Failure::Unknown(anyhow!(
                "unknown whether it runs, look in Harness before you trigger it again: {names}"
            ))),
        }
    }
}

/// Whether Harness has it, and goes on with it whatever becomes of this process.
fn is_taken(run: &Record) -> bool {
    matches!(run.phase, Phase::Accepted | Phase::Executing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AccountName, Reason, RunId, Wall};

    #[test]
    fn each_end_has_its_verdict_and_the_worst_counts() {
        let name = PipelineName::new("nightly");
        let run = Record::new(
            RunId::of_request(&name, 1),
            name,
            AccountName::new("default"),
            Wall(1_795_489_911_000),
        );
        let ended = |outcome, result| Record {
            phase: Phase::Ended,
            outcome,
            result,
            reason: (outcome != Outcome::Started).then_some(Reason::Other),
            ..run.clone()
        };
        for (result, verdict) in RunResult::ALL.iter().map(|result| match result {
            RunResult::Success => (*result, Verdict::Good),
            _ => (*result, Verdict::Other),
        }) {
            assert_eq!(Verdict::of(&ended(Outcome::Started, Some(result))), verdict, "{result}");
        }
        for (outcome, verdict) in [
            (Outcome::Skipped, Verdict::TriggerFailed),
            (Outcome::Rejected, Verdict::TriggerFailed),
            (Outcome::Failed, Verdict::TriggerFailed),
            (Outcome::Unreachable, Verdict::TriggerFailed),
            (Outcome::Unconfirmed, Verdict::Unknown),
            (Outcome::Lost, Verdict::Unknown),
        ] {
            assert_eq!(Verdict::of(&ended(outcome, None)), verdict, "{outcome}");
        }
        for (phase, verdict) in [
            (Phase::Due, Verdict::TriggerFailed),
            (Phase::Waiting, Verdict::TriggerFailed),
            (Phase::Sending, Verdict::Unknown),
            (Phase::Accepted, Verdict::Other),
            (Phase::Executing, Verdict::Other),
        ] {
            assert_eq!(Verdict::of(&Record { phase, ..run.clone() }), verdict, "{phase:?}");
        }
        let order = [Verdict::Good, Verdict::Other, Verdict::TriggerFailed, Verdict::Unknown];
        assert!(order.is_sorted());
    }
}
