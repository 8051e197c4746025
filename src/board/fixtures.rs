//! A config and runs for the tests of the board and of the metrics.

use std::sync::Arc;
use std::time::Duration;

use crate::config::{Account, Concurrency, Config, Pipeline, Polling, Storage, Webhook};
use crate::model::{AccountName, ExecutionId, Origin, Phase, PipelineName, Run, RunId, Wall};

/// 2025-11-25T12:00:00Z.
pub(crate) const NOON: Wall = Wall(1_764_072_000_000);

/// So many seconds after [`NOON`].
pub(crate) fn noon(seconds: i64) -> Wall {
    Wall(NOON.0 + seconds * 1_000)
}

/// A config with these pipelines, each `(account, name)`, and the accounts they name.
pub(crate) fn config(pipelines: &[(&str, &str)]) -> Config {
    Config {
        accounts: pipelines
            .iter()
            .map(|(name, _)| (AccountName::new(name), Arc::new(account(name))))
            .collect(),
        pipelines: pipelines
            .iter()
            .map(|(account, name)| Arc::new(pipeline(account, name)))
            .collect(),
        storage: Storage::default(),
    }
}

fn account(name: &str) -> Account {
    Account {
        name: AccountName::new(name),
        url: "https://harness.example".parse().unwrap(),
        account_id: "acme0000000000000000AA".to_owned(),
        api_key: None,
        requests_per_minute: 300,
        max_active_runs: 50,
        triggers_per_minute: 30,
        timeout: Duration::from_secs(30),
    }
}

/// A pipeline with every key at its default, due every 15 minutes.
pub(crate) fn pipeline(account: &str, name: &str) -> Pipeline {
    Pipeline {
        name: PipelineName::new(name),
        account: AccountName::new(account),
        org: "acme".to_owned(),
        project: "shop".to_owned(),
        pipeline: "Checkout_Smoke".to_owned(),
        trigger: "exporter".to_owned(),
        webhook: Webhook::Auto,
        schedule: None,
        schedule_text: "every 15m".to_owned(),
        start_deadline: Duration::from_mins(5),
        concurrency: Concurrency::Forbid,
        payload: Arc::from("{}"),
        headers: Vec::new(),
        queue_deadline: Duration::from_hours(6),
        run_deadline: Duration::from_hours(36 * 24),
        paused: false,
        polling: Polling {
            first: Duration::from_secs(1),
            min: Duration::from_secs(2),
            max: Duration::from_mins(1),
        },
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
