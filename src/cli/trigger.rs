//! `trigger`: the custom webhook trigger that an entry of the config names, in Harness.

use std::sync::Arc;

use anyhow::Context;
use clap::{Args, Subcommand};

use super::args::ConfigFiles;
use super::{Failure, block_on, check::table, escaped, load::load, print, remark, run, serve};
use crate::config::{Account, Pipeline};
use crate::harness::{self, Client, NewTrigger, TriggerError, triggers_url};

/// Make, list or look up the custom webhook trigger that the config names
#[derive(Args, Debug)]
pub(super) struct Trigger {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Create(Create),
    List(List),
    Url(Find),
}

/// Make it; without --yes only print what would be sent
#[derive(Args, Debug)]
struct Create {
    #[command(flatten)]
    entry: Entry,

    /// Branch that a pipeline stored in Git is to be read from
    #[arg(
        long = "branch",
        env = "HARNESS_EXPORTER_BRANCH",
        hide_env_values = true,
        value_name = "NAME"
    )]
    branch: Option<String>,

    /// Identifier of an input set to run with; repeatable
    #[arg(
        long = "input-set",
        env = "HARNESS_EXPORTER_INPUT_SET",
        hide_env_values = true,
        value_name = "ID",
        value_delimiter = ','
    )]
    input_sets: Vec<String>,

    /// Do it
    #[arg(
        long = "yes",
        env = "HARNESS_EXPORTER_TRIGGER_CREATE_YES",
        hide_env_values = true,
        value_parser = clap::builder::BoolishValueParser::new()
    )]
    yes: bool,
}

/// List every trigger of its pipeline
#[derive(Args, Debug)]
struct List {
    #[command(flatten)]
    entry: Entry,
}

/// Print the URL of its webhook, the token in it redacted
#[derive(Args, Debug)]
struct Find {
    #[command(flatten)]
    entry: Entry,

    /// Print the token too: whoever has it can trigger the pipeline
    #[arg(
        long = "show-secrets",
        env = "HARNESS_EXPORTER_SHOW_SECRETS",
        hide_env_values = true,
        value_parser = clap::builder::BoolishValueParser::new()
    )]
    show_secrets: bool,
}

#[derive(Args, Debug)]
struct Entry {
    /// Name of a pipeline in the config
    #[arg(value_name = "NAME")]
    name: String,

    #[command(flatten)]
    config: ConfigFiles,
}

impl Trigger {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self.action {
            Action::Create(create) => create.run(),
            Action::List(list) => list.run(),
            Action::Url(find) => find.run(),
        }
    }
}

/// The pipeline that is meant, and its account.
struct Meant {
    account: Arc<Account>,
    pipeline: Arc<Pipeline>,
}

impl Entry {
    fn find(&self) -> Result<Meant, Failure> {
        let config = load(&self.config.config_files)?.config;
        let pipeline = run::find(&config, &self.name)?.clone();
        let account = config.accounts.get(&pipeline.account);
        let account = account.context("its account is not in the config")?.clone();
        Ok(Meant { account, pipeline })
    }
}

impl Meant {
    fn client(&self) -> Result<Client, Failure> {
        serve::check_account(&self.account)?;
        harness::install_crypto();
        Client::new(&self.account).map_err(|error| Failure::Usage(error.into()))
    }
}

impl Create {
    fn run(self) -> Result<(), Failure> {
        let meant = self.entry.find()?;
        let new = NewTrigger {
            pipeline: &meant.pipeline,
            branch: self.branch.as_deref(),
            input_sets: &self.input_sets,
        };
        if !self.yes {
            let url = triggers_url(&meant.account, &meant.pipeline);
            let yaml = new.yaml().context("cannot write the trigger as YAML")?;
            print(&format!("POST {url}\ncontent-type: application/yaml\n\n{yaml}"))?;
            remark("nothing was sent: --yes does it");
            return Ok(());
        }
        let client = meant.client()?;
        let made = block_on(client.create_trigger(&meant.account, &new))?;
        let name = &meant.pipeline.trigger;
        let made = made.map_err(|error| {
            let what = match error {
                TriggerError::NoAnswer(_) => {
                    format!("unknown whether trigger {name} was made, `trigger list` tells")
                }
                _ => format!("cannot make trigger {name}"),
            };
            anyhow::Error::new(error).context(what)
        })?;
        print(&escaped_line(&format!("made trigger {}", made.identifier)))?;
        remark("its webhook's URL has a token: `harness-exporter trigger url` prints it");
        Ok(())
    }
}

impl List {
    fn run(self) -> Result<(), Failure> {
        let meant = self.entry.find()?;
        let client = meant.client()?;
        let triggers = block_on(client.list_triggers(&meant.account, &meant.pipeline))?
            .with_context(|| format!("cannot list the triggers of {}", meant.pipeline.name))?;
        let mut rows = vec![["TRIGGER", "TYPE", "ENABLED", "IN CONFIG"].map(str::to_owned)];
        for trigger in triggers {
            let yes_or_no = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
            let named = trigger.identifier == meant.pipeline.trigger;
            rows.push([
                escaped(&trigger.identifier),
                escaped(&trigger.kind),
                trigger.enabled.map_or_else(|| "unknown".to_owned(), yes_or_no),
                yes_or_no(named),
            ]);
        }
        Ok(print(&table(&rows))?)
    }
}

impl Find {
    fn run(self) -> Result<(), Failure> {
        let meant = self.entry.find()?;
        let client = meant.client()?;
        let name = &meant.pipeline.trigger;
        let trigger = block_on(client.look_up_trigger(&meant.pipeline))?
            .with_context(|| format!("cannot look up trigger {name}"))?;
        let url = trigger
            .webhook_url
            .with_context(|| format!("Harness names no webhook URL for trigger {name}"))?;
        if self.show_secrets {
            print(&escaped_line(url.exposed()))?;
        } else {
            print(&escaped_line(&url.redacted()))?;
            remark("its token, if there is one, is redacted: --show-secrets prints it");
        }
        Ok(())
    }
}

fn escaped_line(text: &str) -> String {
    escaped(text) + "\n"
}
