//! What Harness says of executions and triggers when it is asked for them rather than for an event.
//!
//! As in `answer`, the client tells what was said; what follows from it is the core's to decide.
//! These calls need a key.

use std::fmt;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::{EventId, ExecutionId, Summary, Wall};

/// Which executions are asked for, and which part of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutionsQuery {
    /// Harness' organization identifier.
    pub org: String,
    /// Harness' project identifier.
    pub project: String,
    /// Which of the project's.
    pub filter: ExecutionFilter,
    /// Which page, from 0; the newest execution is on the first.
    pub page: u32,
    /// How many a page has, 1 to 100.
    pub size: u32,
}

/// Which of a project's executions are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExecutionFilter {
    /// These. Versions before 2026 do not know the filter, and refuse it or answer with all.
    Ids(Vec<ExecutionId>),
    /// Those that these triggers started in a span of time, by Harness' clock. Identifiers of
    /// triggers are unique within a pipeline only.
    Triggers {
        /// The triggers' identifiers.
        triggers: Vec<String>,
        /// The earliest start.
        from: Wall,
        /// The latest start.
        until: Wall,
    },
    /// All of the pipeline with this identifier: what every version can answer.
    Pipeline(String),
}

impl ExecutionFilter {
    /// What these triggers started in a span of time by our clock, where Harness' is so many
    /// milliseconds ahead, and by so much more on either side.
    #[must_use]
    pub fn started(
        [from, until]: [Wall; 2],
        triggers: Vec<String>,
        ahead: i64,
        margin: Duration,
    ) -> Self {
        let theirs = |ours: Wall| Wall(ours.0.saturating_add(ahead));
        let (from, until) = (theirs(from).before(margin), theirs(until).after(margin));
        Self::Triggers { triggers, from, until }
    }
}

/// An execution as it stands in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedExecution {
    /// `planExecutionId`.
    pub id: ExecutionId,
    /// `orgIdentifier`, which old versions leave out.
    pub org: Option<String>,
    /// `projectIdentifier`, which old versions leave out.
    pub project: Option<String>,
    /// `pipelineIdentifier`; empty where it is absent.
    pub pipeline: String,
    /// The trigger that started it, where one did.
    pub trigger: Option<String>,
    /// `triggerType`, as sent: `WEBHOOK_CUSTOM`, `MANUAL` …; empty where it is absent.
    pub trigger_type: String,
    /// The event that started it, where a webhook did.
    pub event: Option<EventId>,
    /// `createdAt`, by Harness' clock: slightly after the start.
    pub created: Option<Wall>,
    /// How it stands.
    pub summary: Summary,
}

/// One page of a list of executions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecutionsPage {
    /// What is on it, in the order of the answer. Nothing says that it is what was asked for.
    pub executions: Vec<ListedExecution>,
    /// Whether no other page follows.
    pub last: bool,
    /// How many executions all pages have together, where Harness says it.
    pub total: Option<u64>,
}

/// What came of listing executions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExecutionsAnswer {
    /// A good answer.
    Page(Box<ExecutionsPage>),
    /// The answer is larger than is read of any: fewer at once may fit.
    TooLarge,
    /// 4xx: this is not answered, or not to this key.
    Refused(Box<Refusal>),
    /// 429.
    Throttled {
        /// `Retry-After`, which Harness does not send today.
        retry_after: Option<Duration>,
    },
    /// Anything else: no answer, 5xx, something that is no answer of Harness'.
    Failed {
        /// What failed, redacted.
        message: String,
    },
}

/// What Harness says where it does not do what it was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// Harness' error code; empty where there is none.
    pub code: String,
    /// A line with status, code and message, redacted.
    pub message: String,
}

/// What came of reading one execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExecutionAnswer {
    /// A good answer.
    Summary(Box<Summary>),
    /// Harness has no such execution: 404 with `ENTITY_NOT_FOUND` or `RESOURCE_NOT_FOUND`.
    Missing,
    /// 429.
    Throttled {
        /// `Retry-After`, which Harness does not send today.
        retry_after: Option<Duration>,
    },
    /// Anything else.
    Failed {
        /// What failed, redacted.
        message: String,
    },
}

/// What came of looking a trigger up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookupAnswer {
    /// There is such a trigger.
    Found(FoundTrigger),
    /// 4xx: there is none, or it is not told to this key.
    Refused(Refusal),
    /// 429.
    Throttled {
        /// `Retry-After`, which Harness does not send today.
        retry_after: Option<Duration>,
    },
    /// Anything else: no answer, 5xx, something that is no answer of Harness'.
    Failed {
        /// What failed, redacted.
        message: String,
    },
}

/// A trigger as it was looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundTrigger {
    /// Whether it is switched on, where Harness says so.
    pub enabled: Option<bool>,
    /// Where its webhook is to be sent, where Harness says so in a way that can be used.
    pub webhook: Option<WebhookPath>,
}

/// Path and query of a webhook's URL. They may hold a token, so they are as secret as a key: kept
/// in memory only, and never printed. The host is not part of it: it is the account's own, always.
#[derive(Clone)]
pub struct WebhookPath(SecretString);

impl WebhookPath {
    /// Takes the path and query of a URL, with the slash it begins with.
    #[must_use]
    pub fn new(path_and_query: &str) -> Self {
        Self(SecretString::from(path_and_query))
    }

    /// Path and query as they are.
    #[must_use]
    pub fn exposed(&self) -> &str {
        self.0.expose_secret()
    }
}

impl PartialEq for WebhookPath {
    fn eq(&self, other: &Self) -> bool {
        self.exposed() == other.exposed()
    }
}

impl Eq for WebhookPath {}

impl fmt::Debug for WebhookPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookPath([redacted])")
    }
}
