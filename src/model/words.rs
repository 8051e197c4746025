//! The closed vocabularies: every value that a label can take, each in one place.
//!
//! Harness' words come in at [`Status::of`] and [`super::TriggerStatus::of`] and go no further; past
//! these a status is a variant, never a string.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Declares an enum whose variants are label values, with the list of all of them.
macro_rules! vocabulary {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$doc])* #[serde(rename = $text)] $variant,)+ }

        impl $name {
            /// Every value, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The value as it stands in a label.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// The value that is written `text` in a label.
            #[must_use]
            pub fn from_label(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

vocabulary! {
    /// Why a run was begun.
    Origin {
        /// Its due time came.
        Schedule = "schedule",
        /// An earlier attempt of the same due time went wrong and the config asks for another.
        Retry = "retry",
        /// Somebody asked for it.
        Manual = "manual",
    }
}

vocabulary! {
    /// What became of the trigger of a run.
    Outcome {
        /// Being sent or retried; or accepted by Harness and not resolved yet.
        Pending = "pending",
        /// Harness requested an execution and named it.
        Started = "started",
        /// Harness decided by its own rules that there is nothing to run.
        Skipped = "skipped",
        /// Harness answered the webhook with a refusal.
        Rejected = "rejected",
        /// Harness accepted the webhook and then could not start an execution.
        Failed = "failed",
        /// The webhook never left this machine.
        Unreachable = "unreachable",
        /// The webhook left and no usable answer came back: it may or may not have started a run.
        Unconfirmed = "unconfirmed",
        /// Harness accepted the webhook and never said what became of it.
        Lost = "lost",
    }
}

vocabulary! {
    /// Why a trigger led to no run that we know of.
    Reason {
        /// Nothing left this machine until `start_deadline`: refused, no such host, TLS.
        Unreachable = "unreachable",
        /// The request left and no answer came: timeout or reset.
        Unconfirmed = "unconfirmed",
        /// Answered 401: the API key is missing, wrong or expired.
        Unauthorized = "unauthorized",
        /// Answered 403: the key may not trigger this pipeline.
        Forbidden = "forbidden",
        /// Answered 400, 404, a redirect or another refusal.
        Rejected = "rejected",
        /// Still answered 429 at `start_deadline`.
        RateLimited = "rate_limited",
        /// Answered 5xx: unknown whether a run was started.
        ServerError = "server_error",
        /// Answered something that is not an answer of Harness'.
        BadResponse = "bad_response",
        /// No enabled trigger, or one whose conditions did not match.
        NoMatchingTrigger = "no_matching_trigger",
        /// Harness could not start the pipeline (`INVALID_RUNTIME_INPUT_YAML`).
        StartRefused = "start_refused",
        /// Harness' own "skipped" values.
        Skipped = "skipped",
        /// Harness failed while it processed the event.
        ProcessingError = "processing_error",
        /// Not resolved at `queue_deadline`.
        Deadline = "deadline",
        /// Asked for by hand and not sent by its `start_deadline`.
        NotSent = "not_sent",
        /// Another final value of Harness'.
        Other = "other",
    }
}

vocabulary! {
    /// How a run that had an execution ended.
    RunResult {
        /// It did what it should.
        Success = "success",
        /// It ran and failed.
        Failure = "failure",
        /// Harness could not carry it out.
        Error = "error",
        /// It, one of its stages or steps passed its timeout.
        Timeout = "timeout",
        /// A person, the system or a freeze ended it.
        Cancellation = "cancellation",
        /// There was nothing to do.
        Skip = "skip",
        /// It can't be found any more, or never ended.
        Lost = "lost",
    }
}

impl RunResult {
    /// Whether it counts as a failure for `consecutive_failures` and the service level; `None`
    /// where it says nothing about the pipeline (cancelled, skipped).
    #[must_use]
    pub const fn is_bad(self) -> Option<bool> {
        match self {
            Self::Success => Some(false),
            Self::Failure | Self::Error | Self::Timeout | Self::Lost => Some(true),
            Self::Cancellation | Self::Skip => None,
        }
    }
}

vocabulary! {
    /// Why nothing was sent for a due time.
    MissedReason {
        /// `concurrency: forbid` and an older run is active or still waiting.
        StillRunning = "still_running",
        /// The exporter was not running.
        ExporterDown = "exporter_down",
        /// The exporter ran and was too late: asleep, clock stepped, or the schedule was edited.
        Late = "late",
        /// Still waiting for our own rate limiter at `start_deadline`.
        RateLimited = "rate_limited",
        /// Still waiting for a cap (`max_active_runs`, `triggers_per_minute`) at `start_deadline`.
        Limit = "limit",
        /// The run could not be saved, so its webhook was not sent.
        StoreUnavailable = "store_unavailable",
        /// The trigger's URL could not be looked up until `start_deadline`.
        LookupFailed = "lookup_failed",
    }
}

vocabulary! {
    /// How a due time was settled, for the service level.
    SlotResult {
        /// Its run succeeded.
        Success = "success",
        /// Its run ended with failure, error, timeout or lost.
        Failed = "failed",
        /// Its trigger failed.
        TriggerFailed = "trigger_failed",
        /// Nothing was sent.
        Missed = "missed",
    }
}

vocabulary! {
    /// Why a pipeline is not triggered at its due times.
    PauseCause {
        /// `paused: true` in the config.
        Config = "config",
        /// Inside a maintenance window.
        Maintenance = "maintenance",
        /// Paused through the command or the API.
        Manual = "manual",
        /// The exporter runs with `--dry-run`.
        DryRun = "dry_run",
    }
}

vocabulary! {
    /// Harness' failure types of an execution (`failureInfo.failureTypeList`).
    FailureType {
        /// `EXPIRED`.
        Expired = "expired",
        /// `DELEGATE_PROVISIONING`.
        DelegateProvisioning = "delegate_provisioning",
        /// `CONNECTIVITY`.
        Connectivity = "connectivity",
        /// `AUTHENTICATION`.
        Authentication = "authentication",
        /// `VERIFICATION_FAILURE`.
        VerificationFailure = "verification_failure",
        /// `APPLICATION_ERROR`.
        ApplicationError = "application_error",
        /// `AUTHORIZATION_ERROR`.
        AuthorizationError = "authorization_error",
        /// `TIMEOUT_ERROR`.
        TimeoutError = "timeout_error",
        /// `POLICY_EVALUATION_FAILURE`.
        PolicyEvaluationFailure = "policy_evaluation_failure",
        /// `INPUT_TIMEOUT_FAILURE`.
        InputTimeoutFailure = "input_timeout_failure",
        /// `APPROVAL_REJECTION`.
        ApprovalRejection = "approval_rejection",
        /// `DELEGATE_RESTART`.
        DelegateRestart = "delegate_restart",
        /// `USER_MARKED_FAILURE`.
        UserMarkedFailure = "user_marked_failure",
        /// A type that is not in this list.
        Other = "other",
    }
}

impl FailureType {
    /// The failure type that Harness calls `word`.
    #[must_use]
    pub fn of(word: &str) -> Self {
        Self::from_label(&word.trim().to_ascii_lowercase()).unwrap_or(Self::Other)
    }
}

vocabulary! {
    /// Where a stage stands.
    StageState {
        /// Not started.
        Queued = "queued",
        /// Under way.
        Running = "running",
        /// Waiting for a person or a resource.
        Waiting = "waiting",
        /// Ended well.
        Succeeded = "succeeded",
        /// Ended badly.
        Failed = "failed",
        /// Passed its timeout.
        Expired = "expired",
        /// Ended by a person, the system or a freeze.
        Aborted = "aborted",
        /// Not run, by its conditions.
        Skipped = "skipped",
        /// A status that is not in our tables.
        Other = "other",
    }
}

vocabulary! {
    /// Where an execution or a stage stands: Harness' words, those that mean the same to a reader
    /// of the metrics taken together.
    Status {
        /// `Success`.
        Success = "success",
        /// `PassedWithWarning`.
        PassedWithWarning = "passed_with_warning",
        /// `IgnoreFailed`.
        IgnoreFailed = "ignore_failed",
        /// `Failed`.
        Failed = "failed",
        /// `ApprovalRejected`.
        ApprovalRejected = "approval_rejected",
        /// `Errored`.
        Errored = "errored",
        /// `Expired`.
        Expired = "expired",
        /// `Aborted`.
        Aborted = "aborted",
        /// `AbortedByFreeze`.
        AbortedByFreeze = "aborted_by_freeze",
        /// `Skipped`.
        Skipped = "skipped",
        /// `Suspended`.
        Suspended = "suspended",
        /// Ours: the execution can't be found any more, or never ended.
        Lost = "lost",
        /// `Queued` and its four variations.
        Queued = "queued",
        /// `NotStarted`.
        NotStarted = "not_started",
        /// `ResourceWaiting`.
        WaitingResource = "waiting_resource",
        /// `Running`, its waiting variations, `Pausing` and `Discontinuing`.
        Running = "running",
        /// `ApprovalWaiting`.
        WaitingApproval = "waiting_approval",
        /// `InputWaiting`.
        WaitingInput = "waiting_input",
        /// `InterventionWaiting`.
        WaitingIntervention = "waiting_intervention",
        /// `UploadWaiting`.
        WaitingUpload = "waiting_upload",
        /// `Paused`.
        Paused = "paused",
        /// Anything else: followed as if it were running.
        Unknown = "unknown",
    }
}

impl Status {
    /// What Harness' `word` means. Compared without case and underscores, because Harness' own
    /// spelling is mixed (`QUEUED_PLAN_CREATION` among `ResourceWaiting`).
    #[must_use]
    pub fn of(word: &str) -> Self {
        let plain: String =
            word.chars().filter(|c| *c != '_').map(|c| c.to_ascii_lowercase()).collect();
        match plain.as_str() {
            "success" => Self::Success,
            "passedwithwarning" => Self::PassedWithWarning,
            "ignorefailed" => Self::IgnoreFailed,
            "failed" => Self::Failed,
            "approvalrejected" => Self::ApprovalRejected,
            "errored" => Self::Errored,
            "expired" => Self::Expired,
            "aborted" => Self::Aborted,
            "abortedbyfreeze" => Self::AbortedByFreeze,
            "skipped" => Self::Skipped,
            "suspended" => Self::Suspended,
            "queued"
            | "queuedlicenselimitreached"
            | "queuedexecutionconcurrencyreached"
            | "queuedglobalinfracapacityreached"
            | "queuedplancreation" => Self::Queued,
            "notstarted" => Self::NotStarted,
            "resourcewaiting" => Self::WaitingResource,
            "running" | "asyncwaiting" | "taskwaiting" | "timedwaiting" | "waitsteprunning"
            | "pausing" | "discontinuing" => Self::Running,
            "approvalwaiting" => Self::WaitingApproval,
            "inputwaiting" => Self::WaitingInput,
            "interventionwaiting" => Self::WaitingIntervention,
            "uploadwaiting" => Self::WaitingUpload,
            "paused" => Self::Paused,
            _ => Self::Unknown,
        }
    }

    /// The result that this status is where the config says nothing else, or `None` where the
    /// execution is still active.
    #[must_use]
    pub const fn result(self) -> Option<RunResult> {
        match self {
            Self::Success | Self::PassedWithWarning | Self::IgnoreFailed => {
                Some(RunResult::Success)
            }
            Self::Failed | Self::ApprovalRejected => Some(RunResult::Failure),
            Self::Errored => Some(RunResult::Error),
            Self::Expired => Some(RunResult::Timeout),
            Self::Aborted | Self::AbortedByFreeze => Some(RunResult::Cancellation),
            Self::Skipped | Self::Suspended => Some(RunResult::Skip),
            Self::Lost => Some(RunResult::Lost),
            Self::Queued
            | Self::NotStarted
            | Self::WaitingResource
            | Self::Running
            | Self::WaitingApproval
            | Self::WaitingInput
            | Self::WaitingIntervention
            | Self::WaitingUpload
            | Self::Paused
            | Self::Unknown => None,
        }
    }

    /// What a stage with this status counts as.
    #[must_use]
    pub const fn stage_state(self) -> StageState {
        match self {
            Self::Success | Self::PassedWithWarning | Self::IgnoreFailed => StageState::Succeeded,
            Self::Failed | Self::ApprovalRejected | Self::Errored => StageState::Failed,
            Self::Expired => StageState::Expired,
            Self::Aborted | Self::AbortedByFreeze => StageState::Aborted,
            Self::Skipped | Self::Suspended => StageState::Skipped,
            Self::Queued | Self::NotStarted => StageState::Queued,
            Self::Running => StageState::Running,
            Self::WaitingResource
            | Self::WaitingApproval
            | Self::WaitingInput
            | Self::WaitingIntervention
            | Self::WaitingUpload
            | Self::Paused => StageState::Waiting,
            Self::Lost | Self::Unknown => StageState::Other,
        }
    }

    /// Whether it goes on only when a person does something.
    #[must_use]
    pub const fn waits_for_person(self) -> bool {
        matches!(
            self,
            Self::WaitingApproval
                | Self::WaitingInput
                | Self::WaitingIntervention
                | Self::WaitingUpload
                | Self::Paused
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The 30 execution statuses of Harness' 2026 code, against the table in docs/metrics.md.
    #[test]
    fn every_execution_status_means_what_the_table_says() {
        use RunResult::{Cancellation, Error, Failure, Skip, Success, Timeout};
        let table: &[(&str, Status, Option<RunResult>, StageState)] = &[
            ("Success", Status::Success, Some(Success), StageState::Succeeded),
            ("PassedWithWarning", Status::PassedWithWarning, Some(Success), StageState::Succeeded),
            ("IgnoreFailed", Status::IgnoreFailed, Some(Success), StageState::Succeeded),
            ("Failed", Status::Failed, Some(Failure), StageState::Failed),
            ("ApprovalRejected", Status::ApprovalRejected, Some(Failure), StageState::Failed),
            ("Errored", Status::Errored, Some(Error), StageState::Failed),
            ("Expired", Status::Expired, Some(Timeout), StageState::Expired),
            ("Aborted", Status::Aborted, Some(Cancellation), StageState::Aborted),
            ("AbortedByFreeze", Status::AbortedByFreeze, Some(Cancellation), StageState::Aborted),
            ("Skipped", Status::Skipped, Some(Skip), StageState::Skipped),
            ("Suspended", Status::Suspended, Some(Skip), StageState::Skipped),
            ("Queued", Status::Queued, None, StageState::Queued),
            ("QueuedLicenseLimitReached", Status::Queued, None, StageState::Queued),
            ("QueuedExecutionConcurrencyReached", Status::Queued, None, StageState::Queued),
            ("QueuedGlobalInfraCapacityReached", Status::Queued, None, StageState::Queued),
            ("QUEUED_PLAN_CREATION", Status::Queued, None, StageState::Queued),
            ("NotStarted", Status::NotStarted, None, StageState::Queued),
            ("ResourceWaiting", Status::WaitingResource, None, StageState::Waiting),
            ("Running", Status::Running, None, StageState::Running),
            ("AsyncWaiting", Status::Running, None, StageState::Running),
            ("TaskWaiting", Status::Running, None, StageState::Running),
            ("TimedWaiting", Status::Running, None, StageState::Running),
            ("WaitStepRunning", Status::Running, None, StageState::Running),
            ("Pausing", Status::Running, None, StageState::Running),
            ("Discontinuing", Status::Running, None, StageState::Running),
            ("ApprovalWaiting", Status::WaitingApproval, None, StageState::Waiting),
            ("InputWaiting", Status::WaitingInput, None, StageState::Waiting),
            ("InterventionWaiting", Status::WaitingIntervention, None, StageState::Waiting),
            ("UploadWaiting", Status::WaitingUpload, None, StageState::Waiting),
            ("Paused", Status::Paused, None, StageState::Waiting),
        ];
        for (word, status, result, stage) in table {
            assert_eq!(Status::of(word), *status, "{word}");
            assert_eq!(status.result(), *result, "{word}");
            assert_eq!(status.stage_state(), *stage, "{word}");
        }
        assert_eq!(table.len(), 30);
    }

    #[test]
    fn spelling_does_not_matter_and_the_unknown_is_followed() {
        assert_eq!(Status::of("INTERVENTION_WAITING"), Status::WaitingIntervention);
        assert_eq!(Status::of("not_started"), Status::NotStarted);
        assert_eq!(Status::of("FooBar"), Status::Unknown);
        assert_eq!(Status::Unknown.result(), None);
        assert_eq!(Status::Unknown.stage_state(), StageState::Other);
    }

    #[test]
    fn labels_read_back() {
        for status in Status::ALL {
            assert_eq!(Status::from_label(status.as_str()), Some(*status));
        }
        assert_eq!(FailureType::of("TIMEOUT_ERROR"), FailureType::TimeoutError);
        assert_eq!(FailureType::of("NEW_ONE"), FailureType::Other);
    }
}
