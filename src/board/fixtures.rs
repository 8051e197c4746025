//! A config and runs for the tests of the board and of the metrics.

use std::sync::Arc;
use std::time::Duration;

use crate::config::{Account, Config, Pipeline};
use crate::model::{AccountName, ExecutionId, Origin, Phase, PipelineName, Run, RunId, Wall};
use crate::schedule::{Align, Schedule};

/// 2025-11-25T12:00:00Z.
pub(crate) const NOON: Wall = Wall(1_764_072_000_000);

/// So many seconds after [`NOON`].
pub(crate) fn noon(seconds: i64) -> Wall {
    Wall(NOON.0 + seconds * 1_000)
}

/// A config with these pipelines, each `(account, name)`, and the accounts they name.
pub(crate) fn config(pipelines: &[(&str, &str)]) -> Config {
    let accounts = pipelines.iter().map(|(name, _)| account(name));
    Config {
        accounts: accounts.map(|account| (account.name.clone(), Arc::new(account))).collect(),
        ..Config::new(account(""), pipelines.iter().map(|(account, name)| pipeline(account, name)))
    }
}

fn account(name: &str) -> Account {
    let url = "https://harness.example".parse().unwrap();
    Account::new(AccountName::new(name), url, "acme0000000000000000AA")
}

/// A pipeline with every key at its default, due every 15 minutes.
pub(crate) fn pipeline(account: &str, name: &str) -> Pipeline {
    Pipeline {
        org: "acme".to_owned(),
        project: "shop".to_owned(),
        pipeline: "Checkout_Smoke".to_owned(),
        schedule: Some(Schedule::every(Duration::from_mins(15), Align::Spread, "15m")),
        ..Pipeline::new(PipelineName::new(name), AccountName::new(account))
    }
}

/// A run that has just been begun by its schedule, and is being sent.
pub(crate) fn run(account: &str, name: &str, begun: Wall) -> Run {
    let pipeline = PipelineName::new(name);
    let id = RunId::of_slot(&pipeline, begun, 1);
    Run {
        origin: Origin::Schedule,
        due: Some(begun),
        phase: Phase::Sending,
        ..Run::new(id, pipeline, AccountName::new(account), begun)
    }
}

/// An id such as Harness gives to an execution.
pub(crate) fn execution(number: u64) -> Option<ExecutionId> {
    ExecutionId::new(&format!("BOvtFC6xRReaPeJi{number:06}")).ok()
}
