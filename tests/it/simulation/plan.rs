//! What a seed decides before a history begins: the config, the temper of its surroundings, and
//! when what is done to it from outside.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use harness_exporter::config::{
    Account, Concurrency, Config, Maintenance, MetricsOptions, Pipeline, Polling, Results, Retry,
    SecretSource, Storage, Webhook,
};
use harness_exporter::model::{AccountName, PipelineName, WebhookVersion};
use harness_exporter::schedule::{Align, Schedule};
use secrecy::SecretString;

use super::rng::Rng;

pub(super) const SECOND: u64 = 1_000;
pub(super) const MINUTE: u64 = 60 * SECOND;
pub(super) const HOUR: u64 = 60 * MINUTE;
pub(super) const DAY: u64 = 24 * HOUR;

/// How a history is to go.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) accounts: BTreeMap<AccountName, Arc<Account>>,
    /// Every pipeline there ever is; a config may leave some out.
    pub(super) pipelines: Vec<Pipeline>,
    /// When due times and troubles end, in milliseconds since the beginning.
    pub(super) horizon: u64,
    /// At how many of a thousand places the process is killed.
    pub(super) crashes: u64,
    /// How many of a thousand commits fail.
    pub(super) failing_commits: u64,
    /// How many of a thousand commits take long.
    pub(super) slow_commits: u64,
    /// How many of a thousand restarts come with another config.
    pub(super) edits: u64,
    pub(super) asks: u64,
    /// How often somebody pauses or resumes.
    pub(super) switches: u64,
    pub(super) reloads: u64,
    pub(super) steps: u64,
    pub(super) suspends: u64,
    pub(super) stops: u64,
}

impl Plan {
    pub(super) fn new(rng: &mut Rng) -> Self {
        let mut accounts = BTreeMap::new();
        for index in 0..rng.between(1, 2) {
            let account = account(&format!("acct{index}"), rng);
            accounts.insert(account.name.clone(), Arc::new(account));
        }
        let names: Vec<_> = accounts.keys().cloned().collect();
        let base = rng.pick(&[5 * SECOND, 20 * SECOND, MINUTE, 10 * MINUTE]);
        let pipelines = (0..rng.between(1, 4))
            .map(|index| {
                let owner = &names[usize::try_from(index).unwrap() % names.len()];
                pipeline(&format!("p{index}"), owner, base, rng)
            })
            .collect();
        let calm = rng.per_mille(250);
        let mut often = |most: u64| if calm { 0 } else { rng.below(most + 1) };
        Self {
            accounts,
            pipelines,
            crashes: often(12),
            failing_commits: often(80),
            slow_commits: often(50),
            edits: often(500),
            steps: often(3),
            suspends: often(1),
            stops: often(2),
            switches: often(4),
            reloads: often(4),
            asks: rng.below(8),
            horizon: base * rng.between(4, 14),
        }
    }

    /// The longest that a run may take to be over once it has been left alone.
    pub(super) fn patience(&self) -> u64 {
        let deadlines = |p: &Pipeline| {
            p.run_deadline + p.queue_deadline + p.start_deadline + p.unconfirmed_deadline
        };
        let longest = self.pipelines.iter().map(deadlines).max().unwrap_or_default();
        u64::try_from(longest.as_millis()).unwrap() + 4 * HOUR
    }

    /// The config as first written.
    pub(super) fn config(&self) -> Config {
        Config {
            accounts: self.accounts.clone(),
            pipelines: self.pipelines.iter().cloned().map(Arc::new).collect(),
            storage: Storage::default(),
            results: Results::default(),
            metrics: MetricsOptions::default(),
            notifications: None,
        }
    }

    /// The config with some pipelines changed, paused or left out.
    pub(super) fn edited(&self, rng: &mut Rng) -> Config {
        let mut config = self.config();
        config.pipelines.retain_mut(|pipeline| {
            match rng.below(8) {
                0 => Arc::make_mut(pipeline).paused ^= true,
                1 => {
                    let base = rng.pick(&[3, 7, 60, 600]) * SECOND;
                    Arc::make_mut(pipeline).schedule = Some(schedule(base, rng));
                }
                2 => Arc::make_mut(pipeline).schedule = None,
                3 => return false,
                4 => Arc::make_mut(pipeline).maintenance.clear(),
                5 => Arc::make_mut(pipeline).retry = None,
                _ => {}
            }
            true
        });
        config
    }

    /// Every pipeline, and none of them due.
    pub(super) fn at_rest(&self) -> Config {
        let mut config = self.config();
        for pipeline in &mut config.pipelines {
            Arc::make_mut(pipeline).paused = true;
        }
        config
    }
}

fn account(name: &str, rng: &mut Rng) -> Account {
    let url = "https://harness.example".parse().unwrap();
    Account {
        requests_per_minute: u32::try_from(rng.pick(&[6, 30, 120, 300, 300])).unwrap(),
        max_active_runs: u32::try_from(rng.pick(&[1, 2, 50, 50])).unwrap(),
        api_key: rng
            .per_mille(600)
            .then(|| SecretSource::Inline(SecretString::from("pat.acme.key.secret"))),
        triggers_per_minute: u32::try_from(rng.pick(&[1, 5, 30, 1000])).unwrap(),
        ..Account::new(AccountName::new(name), url, "acme0000000000000000AA")
    }
}

/// By the minute, and with local times that come twice or not at all while a history lasts.
const MINUTELY: [&str; 4] = ["* * * * *", "*/2 * * * *", "1-59/2 * * * *", "0-9,30-59/3 0-2 * * *"];
const SELDOM: [&str; 6] = [
    "*/10 * * * *",
    "5 * * * *",
    "0,20,40 * * * *",
    "30 0 * * *",
    "0,15,30,45 0-2 4 * *",
    "10,40 1,2 * nov sun",
];
const ZONES: [&str; 4] = ["UTC", "America/Cuiaba", "America/Miquelon", "America/St_Johns"];

fn interval(base: u64, rng: &mut Rng) -> Schedule {
    let every = Duration::from_millis(base * rng.between(1, 2) + rng.below(3) * 250);
    Schedule::every(every, rng.pick(&[Align::Spread, Align::Epoch]), "")
}

fn cron(base: u64, jitter: Duration, rng: &mut Rng) -> Schedule {
    let expression = if base < 10 * MINUTE { rng.pick(&MINUTELY) } else { rng.pick(&SELDOM) };
    Schedule::cron(expression, rng.pick(&ZONES), jitter).unwrap()
}

/// Due about so often.
fn schedule(base: u64, rng: &mut Rng) -> Schedule {
    if base < MINUTE || rng.per_mille(500) {
        return interval(base, rng);
    }
    let jitter = Duration::from_millis(rng.pick(&[0, 0, base / 2, 2 * base]));
    cron(base, jitter, rng)
}

fn maintenance(base: u64, rng: &mut Rng) -> Vec<Maintenance> {
    let windows = rng.pick(&[0, 0, 0, 0, 1, 2]);
    let window = |_| {
        let every = Duration::from_millis(base * rng.between(3, 6));
        let begins = if base < MINUTE || rng.per_mille(600) {
            Schedule::every(every, Align::Epoch, "")
        } else {
            cron(10 * MINUTE, Duration::ZERO, rng)
        };
        let duration = Duration::from_millis(base * rng.between(1, 2) + rng.below(3) * 300);
        Maintenance { begins, duration }
    };
    (0..windows).map(window).collect()
}

fn pipeline(name: &str, account: &AccountName, base: u64, rng: &mut Rng) -> Pipeline {
    let millis = |rng: &mut Rng, from: &[u64]| Duration::from_millis(rng.pick(from));
    Pipeline {
        webhook: match rng.below(4) {
            0 => Webhook::Fixed(WebhookVersion::V1),
            1 => Webhook::Fixed(WebhookVersion::V2),
            _ => Webhook::Auto,
        },
        schedule: rng.per_mille(930).then(|| schedule(base, rng)),
        start_deadline: millis(rng, &[3 * SECOND, 30 * SECOND, 5 * MINUTE, 5 * MINUTE]),
        concurrency: rng.pick(&[Concurrency::Forbid, Concurrency::Allow]),
        queue_deadline: millis(rng, &[MINUTE, 10 * MINUTE, HOUR]),
        unconfirmed_deadline: millis(rng, &[MINUTE, 5 * MINUTE, 15 * MINUTE]),
        run_deadline: millis(rng, &[5 * MINUTE, 30 * MINUTE, 2 * HOUR]),
        paused: rng.per_mille(60),
        retry: rng.per_mille(400).then(|| Retry {
            after: millis(rng, &[SECOND, base / 4, base]),
            attempts: u32::try_from(rng.between(1, 3)).unwrap(),
        }),
        maintenance: maintenance(base, rng),
        polling: Polling {
            first: Duration::from_secs(1),
            min: millis(rng, &[2 * SECOND, 10 * SECOND]),
            max: millis(rng, &[MINUTE, 5 * MINUTE]),
        },
        ..Pipeline::new(PipelineName::new(name), account.clone())
    }
}
