//! What Harness said, in our words: what the client hands to the core.
//!
//! The client tells what was said; what follows from it is the core's to decide.

use std::collections::HashMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{EventId, ExecutionId, Reason, Wall, WebhookPath};

/// Which of the webhook's three URLs a trigger is sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WebhookVersion {
    /// `POST /gateway/api/webhook/custom`, as in the seed; `data` is the event id.
    V1,
    /// `POST /gateway/pipeline/api/webhook/custom/v2`; `data` is an object.
    V2,
    /// `POST /gateway/pipeline/api/webhook/custom/{token}/v3`; `data` is an object.
    V3,
}

impl WebhookVersion {
    /// The word in the config.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
            Self::V3 => "v3",
        }
    }
}

/// Where a webhook is sent to. It is always on the account's own host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// The URL of this version, made of what the config says; the whole URL where it gives one.
    Version(WebhookVersion),
    /// Path and query as Harness told them when the trigger was looked up.
    Told(WebhookPath),
}

/// Which of the two detail endpoints an event is read at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DetailsVersion {
    /// `triggerExecutionDetails/{id}`: answers 400 while the event is queued.
    V1,
    /// `triggerExecutionDetailsV2/{id}`: answers `QUEUED` while the event is queued.
    V2,
}

/// What came of a webhook. The question that matters: did Harness certainly not act?
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TriggerAnswer {
    /// Harness took it; this is the event.
    Accepted(EventId),
    /// Harness refused it for certain: 4xx, 3xx, or a 200 that says so.
    Refused {
        /// `Rejected`, `Unauthorized` or `Forbidden`.
        reason: Reason,
        /// What it said, redacted.
        message: String,
    },
    /// The URL is not one that this Harness knows: 404, or 400 `RESOURCE_NOT_FOUND_EXCEPTION`.
    UnknownPath {
        /// What it said, redacted.
        message: String,
    },
    /// 429: certainly not acted on.
    Throttled {
        /// `Retry-After`, which Harness does not send today.
        retry_after: Option<Duration>,
    },
    /// No call was made: what it takes, a secret say, could not be had.
    NotSent {
        /// What is missing.
        message: String,
    },
    /// Nothing of the request's body left this machine.
    NeverLeft {
        /// What failed, redacted.
        message: String,
    },
    /// The request left and no usable answer came: it may or may not have been acted on.
    Unknown {
        /// `Unconfirmed`, `ServerError` or `BadResponse`.
        reason: Reason,
        /// What failed, redacted.
        message: String,
    },
}

/// What came of reading an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventAnswer {
    /// A good answer.
    Details(Box<EventDetails>),
    /// The 400 "Trigger event history doesn't exist …": queued, never heard of, or aged out.
    NoHistory,
    /// The URL is not one that this Harness knows.
    UnknownPath,
    /// 429.
    Throttled {
        /// `Retry-After`, which Harness does not send today.
        retry_after: Option<Duration>,
    },
    /// Anything else: no answer, 5xx, another 4xx, something that is no answer of Harness'.
    Failed {
        /// What failed, redacted.
        message: String,
    },
}

/// `data` of a detail endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventDetails {
    /// `eventFound`; true where it is absent.
    pub found: bool,
    /// `webhookProcessingDetails.status`; empty where it is absent.
    pub status: String,
    /// `pipelineExecutionId`.
    pub execution: Option<ExecutionId>,
    /// `message`, redacted and shortened.
    pub message: Option<String>,
    /// `executionDetails.pipelineExecutionSummary`; may be missing though a run exists.
    pub summary: Option<Summary>,
    /// What the event was for; none where Harness found nothing that it matched.
    pub target: Option<Target>,
}

/// Which trigger of which pipeline, in Harness' identifiers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// `orgIdentifier`.
    pub org: String,
    /// `projectIdentifier`.
    pub project: String,
    /// `pipelineIdentifier`.
    pub pipeline: String,
    /// `triggerIdentifier`.
    pub trigger: String,
}

/// `pipelineExecutionSummary`, as much of it as is used. Every field may be absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// `planExecutionId`.
    pub execution: Option<ExecutionId>,
    /// `status`, as sent.
    pub status: String,
    /// `startTs`, by Harness' clock.
    pub start: Option<Wall>,
    /// `endTs`, by Harness' clock.
    pub end: Option<Wall>,
    /// `runSequence`.
    pub number: Option<u64>,
    /// `successfulStagesCount`.
    pub successful_stages: Option<u64>,
    /// `runningStagesCount`.
    pub running_stages: Option<u64>,
    /// `failedStagesCount`.
    pub failed_stages: Option<u64>,
    /// `totalStagesCount`.
    pub total_stages: Option<u64>,
    /// `startingNodeId`, or `startingNodeIds` where there are several.
    pub starting_nodes: Vec<String>,
    /// `layoutNodeMap`.
    pub layout: HashMap<String, LayoutNode>,
    /// `failureInfo.failureTypeList`, as sent.
    pub failure_types: Vec<String>,
    /// `failureInfo.message` or `executionErrorInfo.message`, redacted and shortened.
    pub message: Option<String>,
}

/// A node of `layoutNodeMap`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LayoutNode {
    /// `nodeType`: `Deployment`, `CI`, …; `parallel`, `MATRIX`, `LOOP`, `PARALLELISM` for wrappers.
    pub kind: String,
    /// `nodeIdentifier`.
    pub identifier: String,
    /// `status`, as sent.
    pub status: String,
    /// `startTs`.
    pub start: Option<Wall>,
    /// `endTs`.
    pub end: Option<Wall>,
    /// `edgeLayoutList.nextIds`.
    pub next: Vec<String>,
    /// `edgeLayoutList.currentNodeChildren`.
    pub children: Vec<String>,
}

/// An answer with what the call itself tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered<T> {
    /// What was said.
    pub answer: T,
    /// The HTTP status; none where there was no answer.
    pub code: Option<u16>,
    /// How far Harness' clock is ahead of ours, in milliseconds, by the answer's `Date`.
    pub skew: Option<i64>,
    /// How long the call took; none where none was made.
    pub took: Option<Duration>,
}
