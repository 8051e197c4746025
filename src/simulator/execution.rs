//! An execution, and its state at an instant.

use std::time::Duration;

use super::clock::{Moment, millis};
use super::pipeline::TriggerKey;
use super::plan::{Plan, is_final};
use super::script::Script;

/// Who started an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Starter {
    /// A webhook that came with an API key: the run is its owner's.
    WebhookWithKey,
    /// A webhook without one.
    WebhookAlone,
    /// A person.
    Hand,
}

/// One execution of a pipeline.
#[derive(Debug)]
pub struct Execution {
    pub(super) id: String,
    pub(super) account: String,
    pub(super) key: TriggerKey,
    /// The event that started it; empty where none did.
    pub(super) event: String,
    pub(super) starter: Starter,
    /// Harness' `runSequence`.
    pub(super) number: u32,
    /// When it started.
    pub(super) started: Moment,
    /// How far this Harness' clock is ahead of the machine's, in milliseconds.
    pub(super) date_offset: i64,
    pub(super) plan: Plan,
    pub(super) script: Script,
    /// What the ids of its nodes begin with.
    pub(super) nodes: String,
    /// Whether its layout has a node for a rollback that nothing leads to.
    pub(super) has_rollback_node: bool,
}

impl Execution {
    /// Harness' `planExecutionId`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The pipeline's identifier.
    #[must_use]
    pub fn pipeline(&self) -> &str {
        &self.key.pipeline
    }

    /// The identifier of the trigger that started it; empty where none did.
    #[must_use]
    pub fn trigger(&self) -> &str {
        &self.key.trigger
    }

    /// The id of the event that started it; empty where none did.
    #[must_use]
    pub fn event(&self) -> &str {
        &self.event
    }

    /// `runSequence`: its number among the pipeline's executions, from 1.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// `startTs`, in milliseconds since 1970, patches left aside.
    #[must_use]
    pub fn start_ms(&self) -> i64 {
        self.instant_ms(self.plan.statuses.begins().unwrap_or_default())
    }

    /// The status it will have at last; none where that is not final.
    #[must_use]
    pub fn ends_as(&self) -> Option<&str> {
        let (_, status) = self.plan.statuses.last()?;
        is_final(status).then_some(status)
    }

    /// What `endTs` will be at last, in milliseconds since 1970; none where it never ends.
    #[must_use]
    pub fn end_ms(&self) -> Option<i64> {
        let (since, status) = self.plan.statuses.last()?;
        is_final(status).then(|| self.instant_ms(since))
    }

    /// Its simulated age.
    pub(super) const fn age(&self, now: Moment) -> Duration {
        now.simulated.saturating_sub(self.started.simulated)
    }

    /// The status at this age, and the age at which it came to have it.
    pub(super) fn status_at(&self, age: Duration) -> (Duration, &str) {
        self.plan.statuses.at(age).unwrap_or((Duration::ZERO, "Running"))
    }

    /// The instant, by this Harness' clock, that lies this much simulated time after the start: what
    /// is told of an execution took as long as it would have, though less time has passed here.
    pub(super) fn instant_ms(&self, age: Duration) -> i64 {
        millis(self.started.real).saturating_add(self.date_offset).saturating_add(millis(age))
    }
}
