//! The configuration, in a form that has no invalid states.
//!
//! What a user writes is read by [`load()`], which finds every problem of a file at once and names
//! its place. Nothing here opens a secret: a [`SecretSource`] says where one is to be read.

mod account;
mod document;
pub mod duration;
mod fields;
mod load;
mod parse;
mod pipeline;
mod problem;
mod secret;
mod settings;
mod storage;
mod values;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

pub use self::load::{ConfigError, Loaded, fingerprint, load};
pub use self::parse::{Source, parse};
pub use self::problem::{Place, Problem, Problems, Warning};
pub use self::settings::RESERVED_HEADERS;
pub use self::storage::Location;
use crate::model::{AccountName, PipelineName, WebhookVersion};
use crate::schedule::Schedule;

/// The account id of the shipped `config.yaml`, which stands for one's own. `serve` refuses it.
pub const PLACEHOLDER_ACCOUNT_ID: &str = "YOUR_ACCOUNT_ID";

/// How long an event may stay unresolved. Harness has lagged by over two hours.
pub const DEFAULT_QUEUE_DEADLINE: Duration = Duration::from_hours(6);

/// How long a run may take: a day more than Harness' longest timeout.
pub const DEFAULT_RUN_DEADLINE: Duration = Duration::from_hours(36 * 24);

/// A whole configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// By name; at least one.
    pub accounts: BTreeMap<AccountName, Arc<Account>>,
    /// In the order of the file; names are unique.
    pub pipelines: Vec<Arc<Pipeline>>,
    /// Where the runs are kept.
    pub storage: Storage,
}

impl Config {
    /// The accounts that still have the id of the shipped `config.yaml`.
    #[must_use]
    pub fn placeholder_accounts(&self) -> Vec<&Account> {
        let accounts = self.accounts.values().map(Arc::as_ref);
        accounts.filter(|account| account.account_id == PLACEHOLDER_ACCOUNT_ID).collect()
    }
}

/// A Harness account, and how it may be used.
#[derive(Clone, Debug)]
pub struct Account {
    /// The label `account`.
    pub name: AccountName,
    /// Cluster, vanity or self-managed host, without a path.
    pub url: Url,
    /// Harness' account identifier.
    pub account_id: String,
    /// Where the API key is, if there is one.
    pub api_key: Option<SecretSource>,
    /// Our limit for all calls, at least 1.
    pub requests_per_minute: u32,
    /// How many runs may be active at once, at least 1.
    pub max_active_runs: u32,
    /// How many webhooks may be sent in a minute, at least 1.
    pub triggers_per_minute: u32,
    /// For one call as a whole.
    pub timeout: Duration,
}

/// Where a secret is to be read.
#[derive(Clone, Debug)]
pub enum SecretSource {
    /// A file; one trailing line end is not part of the secret. Read again after a 401.
    File(PathBuf),
    /// An environment variable.
    Env(String),
    /// The config itself, which is warned about.
    Inline(SecretString),
}

/// One entry of `pipelines`.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// The label `pipeline`.
    pub name: PipelineName,
    /// Whose.
    pub account: AccountName,
    /// Harness' organization identifier.
    pub org: String,
    /// Harness' project identifier.
    pub project: String,
    /// Harness' pipeline identifier.
    pub pipeline: String,
    /// The custom webhook trigger's identifier.
    pub trigger: String,
    /// Which URL the webhook has.
    pub webhook: Webhook,
    /// When it is due; never where there is none.
    pub schedule: Option<Schedule>,
    /// The schedule as it was written: `every 15m`; empty where there is none.
    pub schedule_text: String,
    /// A due time older than this is missed.
    pub start_deadline: Duration,
    /// Whether a run may begin while an older one is active.
    pub concurrency: Concurrency,
    /// The JSON body of the webhook.
    pub payload: Arc<str>,
    /// Extra headers of the webhook.
    pub headers: Vec<(String, String)>,
    /// An event unresolved this long after the webhook was accepted is lost.
    pub queue_deadline: Duration,
    /// A run unfinished this long after the webhook was accepted is lost.
    pub run_deadline: Duration,
    /// Whether it is left alone at its due times.
    pub paused: bool,
    /// How often it is looked at.
    pub polling: Polling,
}

/// Which URL a webhook has.
#[derive(Clone, Debug)]
pub enum Webhook {
    /// v1; v2 where the server does not know that.
    Auto,
    /// v1 or v2, as the config says.
    Fixed(WebhookVersion),
    /// v3, whose URL holds this token.
    Token(SecretSource),
}

/// What happens at a due time while an older run is active or waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Concurrency {
    /// It is missed.
    Forbid,
    /// It is sent too, in due order.
    Allow,
}

impl Concurrency {
    /// The word in the config and in the label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Forbid => "forbid",
            Self::Allow => "allow",
        }
    }
}

/// How often a run is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Polling {
    /// From the webhook being sent to the first look.
    pub first: Duration,
    /// The shortest gap.
    pub min: Duration,
    /// The longest gap, but for runs that wait for a person or long for Harness.
    pub max: Duration,
}

impl Polling {
    /// What holds where nothing else is said.
    pub const DEFAULT: Self = Self {
        first: Duration::from_secs(1),
        min: Duration::from_secs(2),
        max: Duration::from_mins(1),
    };
}

/// Where the runs are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    /// The file.
    pub location: Location,
    /// How long ended runs are kept. Totals are kept for ever.
    pub retention: Duration,
}
