//! The configuration, in a form that has no invalid states.
//!
//! What a user writes is read by [`load()`], which finds every problem of a file at once and names
//! its place. Nothing here opens a secret: a [`SecretSource`] says where one is to be read.

mod account;
mod budget;
mod document;
pub mod duration;
mod fields;
mod hiding;
mod index;
pub mod keys;
mod load;
mod options;
mod parse;
mod pipeline;
mod place;
mod problem;
mod reference;
mod render;
mod schema;
mod secret;
mod settings;
mod storage;
mod timing;
mod values;
mod webhook;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

pub use self::load::{ConfigError, Loaded, fingerprint, load};
pub use self::options::RESERVED_LABELS;
pub use self::parse::{Source, parse};
pub use self::place::{Place, Spot};
pub use self::problem::{Problem, Problems, Warning};
pub use self::reference::reference;
pub use self::render::Colours;
pub use self::schema::schema;
pub use self::secret::Secrets;
pub use self::settings::RESERVED_HEADERS;
pub use self::storage::Location;
use crate::model::{
    AccountName, DURATION_BOUNDS, ExecutionId, PipelineName, Run, RunResult, Status, Target,
    WebhookVersion,
};
use crate::schedule::Schedule;

/// The account id of the shipped `config.yaml`, which stands for one's own. `serve` refuses it.
pub const PLACEHOLDER_ACCOUNT_ID: &str = "YOUR_ACCOUNT_ID";

/// How many calls we make in a minute, of the 400 that Harness allows a key.
pub const DEFAULT_REQUESTS_PER_MINUTE: u32 = 300;

/// How many runs of an account may be active at once.
pub const DEFAULT_MAX_ACTIVE_RUNS: u32 = 50;

/// How many webhooks may be sent in a minute.
pub const DEFAULT_TRIGGERS_PER_MINUTE: u32 = 30;

/// How long one call may take.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// How long after its due time a webhook may still be sent.
pub const DEFAULT_START_DEADLINE: Duration = Duration::from_mins(5);

/// How long an event may stay unresolved. Harness has lagged by over two hours.
pub const DEFAULT_QUEUE_DEADLINE: Duration = Duration::from_hours(6);

/// How long a run of unknown fate is looked for.
pub const DEFAULT_UNCONFIRMED_DEADLINE: Duration = Duration::from_mins(15);

/// What holds of a retry where nothing else is said.
pub const DEFAULT_RETRY: Retry = Retry { after: Duration::from_mins(2), attempts: 1 };

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
    /// How the four debatable statuses of Harness count.
    pub results: Results,
    /// What is shown beside what always is.
    pub metrics: MetricsOptions,
    /// The token of `POST /hooks/harness`, which is off without one.
    pub notifications: Option<SecretSource>,
}

impl Config {
    /// A config of `account` and these pipelines of it, with everything else at its default.
    #[must_use]
    pub fn new(account: Account, pipelines: impl IntoIterator<Item = Pipeline>) -> Self {
        Self {
            accounts: BTreeMap::from([(account.name.clone(), Arc::new(account))]),
            pipelines: pipelines.into_iter().map(Arc::new).collect(),
            storage: Storage::default(),
            results: Results::default(),
            metrics: MetricsOptions::default(),
            notifications: None,
        }
    }

    /// Where Harness shows the execution of `run`; none where it has none, or where its pipeline or
    /// account is no longer here.
    #[must_use]
    pub fn execution_page(&self, run: &Run) -> Option<Url> {
        let account = self.accounts.get(&run.account)?;
        let pipeline = self.pipelines.iter().find(|pipeline| pipeline.name == run.pipeline)?;
        Some(account.execution_page(&pipeline.target(), run.execution.as_ref()?))
    }

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
    /// Certificates to trust beside the usual ones, as a PEM file.
    pub ca_file: Option<PathBuf>,
}

impl Account {
    /// The account with this Harness identifier, with everything else at its default: no key.
    #[must_use]
    pub fn new(name: AccountName, url: Url, account_id: &str) -> Self {
        Self {
            name,
            url,
            account_id: account_id.to_owned(),
            api_key: None,
            requests_per_minute: DEFAULT_REQUESTS_PER_MINUTE,
            max_active_runs: DEFAULT_MAX_ACTIVE_RUNS,
            triggers_per_minute: DEFAULT_TRIGGERS_PER_MINUTE,
            timeout: DEFAULT_TIMEOUT,
            ca_file: None,
        }
    }

    /// The page on which Harness shows an execution. Built from the account's own URL: none that an
    /// answer names is ever shown as a place to go to.
    #[must_use]
    pub fn execution_page(&self, target: &Target, execution: &ExecutionId) -> Url {
        let Target { org, project, pipeline, .. } = target;
        let mut url = self.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["ng", "account", &self.account_id, "all"]);
            segments.extend(["orgs", org, "projects", project, "pipelines", pipeline]);
            segments.extend(["executions", execution.as_str(), "pipeline"]);
        }
        url
    }
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
    /// How long a run of unknown fate is looked for.
    pub unconfirmed_deadline: Duration,
    /// How long a run should take; for alerts, nothing follows from it here.
    pub overdue_after: Option<Duration>,
    /// Whether what went wrong is begun anew.
    pub retry: Option<Retry>,
    /// When it is left alone, whatever its schedule says.
    pub maintenance: Vec<Maintenance>,
    /// The values of [`MetricsOptions::labels`], in their order; empty where none is given.
    pub labels: Vec<String>,
}

impl Pipeline {
    /// A pipeline that has its name in Harness too, with every setting at its default: triggered
    /// only when asked for.
    #[must_use]
    pub fn new(name: PipelineName, account: AccountName) -> Self {
        Self {
            org: "default".to_owned(),
            project: "default".to_owned(),
            pipeline: name.to_string(),
            trigger: "exporter".to_owned(),
            name,
            account,
            webhook: Webhook::Auto,
            schedule: None,
            start_deadline: DEFAULT_START_DEADLINE,
            concurrency: Concurrency::Forbid,
            payload: Arc::from("{}"),
            headers: Vec::new(),
            queue_deadline: DEFAULT_QUEUE_DEADLINE,
            run_deadline: DEFAULT_RUN_DEADLINE,
            paused: false,
            polling: Polling::DEFAULT,
            unconfirmed_deadline: DEFAULT_UNCONFIRMED_DEADLINE,
            overdue_after: None,
            retry: None,
            maintenance: Vec::new(),
            labels: Vec::new(),
        }
    }
}

impl Pipeline {
    /// What it triggers, in Harness' words.
    #[must_use]
    pub fn target(&self) -> Target {
        Target {
            org: self.org.clone(),
            project: self.project.clone(),
            pipeline: self.pipeline.clone(),
            trigger: self.trigger.clone(),
        }
    }
}

/// A due time that went wrong is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// How long after the end of what went wrong.
    pub after: Duration,
    /// How often, at least once.
    pub attempts: u32,
}

/// A window in which nothing is triggered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maintenance {
    /// When it begins.
    pub begins: Schedule,
    /// How long it lasts.
    pub duration: Duration,
}

/// How the statuses that can be read either way count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Results {
    /// Harness' `IgnoreFailed`.
    pub ignore_failed: RunResult,
    /// Harness' `ApprovalRejected`.
    pub approval_rejected: RunResult,
    /// Harness' `AbortedByFreeze`.
    pub aborted_by_freeze: RunResult,
    /// Harness' `Suspended`.
    pub suspended: RunResult,
}

impl Results {
    /// What `status` counts as, or `None` where the execution is still active.
    #[must_use]
    pub const fn of(&self, status: Status) -> Option<RunResult> {
        match status {
            Status::IgnoreFailed => Some(self.ignore_failed),
            Status::ApprovalRejected => Some(self.approval_rejected),
            Status::AbortedByFreeze => Some(self.aborted_by_freeze),
            Status::Suspended => Some(self.suspended),
            settled => settled.result(),
        }
    }
}

impl Default for Results {
    fn default() -> Self {
        Self {
            ignore_failed: RunResult::Success,
            approval_rejected: RunResult::Failure,
            aborted_by_freeze: RunResult::Cancellation,
            suspended: RunResult::Skip,
        }
    }
}

/// What of `/metrics` is a matter of choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricsOptions {
    /// Whether stages have series of their own.
    pub stages: bool,
    /// Whether the newest run's execution id and URL are shown.
    pub run_info: bool,
    /// Names of extra labels; their values are [`Pipeline::labels`].
    pub labels: Vec<String>,
    /// Upper bounds of the duration buckets, in milliseconds, rising.
    pub duration_buckets: Arc<[i64]>,
}

impl Default for MetricsOptions {
    fn default() -> Self {
        Self {
            stages: true,
            run_info: false,
            labels: Vec::new(),
            duration_buckets: Arc::from(DURATION_BOUNDS),
        }
    }
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
    /// The whole URL as Harness shows it, of which path and query are used.
    Url {
        /// Where the URL is to be read; it holds a token where it is v3's.
        source: SecretSource,
        /// Which URL it is.
        version: WebhookVersion,
    },
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
