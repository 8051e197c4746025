//! The world that the simulator's endpoints answer from: pipelines, keys, what was received.
//!
//! A test changes the world, lets its time pass, and asks it what came in. The endpoints only read
//! it, but for a webhook, which adds an event.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::clock::{Clock, Moment, millis};
use super::execution::Execution;
use super::faults::{Endpoint, Fault, Faults};
use super::history::{Accepted, History};
use super::pipeline::{SimulatedPipeline, TriggerKey};
use super::random::Random;

/// The place of a webhook that somebody else sent.
const NOT_IN_THE_LEDGER: usize = usize::MAX;

/// A webhook as it was received, whatever was answered.
#[derive(Clone, Debug)]
pub struct Received {
    /// When, in milliseconds since 1970 by the machine's clock.
    pub at_ms: i64,
    /// The path it was sent to, a v3 token included.
    pub path: String,
    /// `orgIdentifier`; empty where it is missing.
    pub org: String,
    /// `projectIdentifier`; empty where it is missing.
    pub project: String,
    /// `pipelineIdentifier`; empty where it is missing.
    pub pipeline: String,
    /// `triggerIdentifier`; empty where it is missing.
    pub trigger: String,
    /// The body.
    pub payload: String,
    /// The headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The event it became; none where it was refused or a fault kept it from being processed.
    pub event: Option<String>,
    /// The execution that the event came to have.
    pub execution: Option<String>,
}

/// What a Harness makes of a filter in the body of a list of executions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FilterSupport {
    /// It heeds it.
    #[default]
    Known,
    /// It does not know it, and lists as if it were not there.
    Ignored,
    /// It does not know it, and refuses the request.
    Refused,
}

/// A Harness account, or several with the same pipelines, with all that is in it.
#[derive(Debug)]
pub struct World {
    /// The account identifiers that are known.
    pub accounts: BTreeSet<String>,
    /// API keys that may do everything.
    pub keys: BTreeSet<String>,
    /// API keys that are valid and may do nothing.
    pub keys_without_rights: BTreeSet<String>,
    /// Whether there is `triggerExecutionDetailsV2`, which came after 2023.
    pub knows_v2_details: bool,
    /// Whether there is nothing but the v1 webhook and `triggerExecutionDetails`.
    pub seed_only: bool,
    /// What becomes of `planExecutionIds` in a list of executions: versions before 2026 lack it.
    pub plan_execution_ids: FilterSupport,
    /// The same of `triggerIdentifiers`.
    pub trigger_identifiers: FilterSupport,
    /// Harness' flag `CDS_AUTH_CHECK_IN_WEBHOOK_DETAILS_ENDPOINTS`: an event is read only with a key.
    pub details_require_key: bool,
    /// How far this Harness' clock is ahead of the machine's, in milliseconds.
    pub date_offset: i64,
    /// The account's own base URL, which `apiUrl` and its like name; as called where it is none.
    pub base_url: Option<String>,
    /// What goes wrong.
    pub faults: Faults,
    /// Every webhook received, in order.
    pub ledger: Vec<Received>,
    /// Every call received: when, in milliseconds since 1970 by the machine's clock, and of what.
    pub calls: Vec<(i64, Endpoint)>,
    /// Requests that were not understood.
    pub unexpected: Vec<String>,
    pub(super) clock: Clock,
    pub(super) random: Random,
    pub(super) pipelines: BTreeMap<TriggerKey, SimulatedPipeline>,
    pub(super) history: History,
}

impl World {
    /// A world without pipelines, in which time passes `speed` times as fast as outside; with 0 it
    /// passes only by [`World::advance`].
    #[must_use]
    pub fn new(account_id: &str, speed: f64) -> Self {
        Self {
            accounts: BTreeSet::from([account_id.to_owned()]),
            keys: BTreeSet::new(),
            keys_without_rights: BTreeSet::new(),
            knows_v2_details: true,
            seed_only: false,
            plan_execution_ids: FilterSupport::Known,
            trigger_identifiers: FilterSupport::Known,
            details_require_key: false,
            date_offset: 0,
            base_url: None,
            faults: Faults::default(),
            ledger: Vec::new(),
            calls: Vec::new(),
            unexpected: Vec::new(),
            clock: Clock::new(speed),
            random: Random::new(0),
            pipelines: BTreeMap::new(),
            history: History::default(),
        }
    }

    /// Begins ids and chances anew from this seed.
    pub const fn seed(&mut self, seed: u64) {
        self.random = Random::new(seed);
    }

    /// The trigger of that pipeline, which is made where there is none.
    pub fn pipeline(
        &mut self,
        org: &str,
        project: &str,
        pipeline: &str,
        trigger: &str,
    ) -> &mut SimulatedPipeline {
        self.pipelines.entry(TriggerKey::new(org, project, pipeline, trigger)).or_default()
    }

    /// Lets so much simulated time pass at once. What becomes due in it is due now by the machine's
    /// clock, in order.
    pub fn advance(&mut self, by: Duration) {
        self.settle();
        self.clock.jump(by);
        self.settle();
    }

    /// Processes the events that are due.
    pub(super) fn settle(&mut self) -> Moment {
        let now = self.clock.now();
        self.process_until(now);
        now
    }

    /// The webhooks received for this pipeline identifier, in order.
    pub fn webhooks_of(&self, pipeline: &str) -> impl Iterator<Item = &Received> {
        self.ledger.iter().filter(move |received| received.pipeline == pipeline)
    }

    /// The executions, in the order in which they started.
    #[must_use]
    pub fn executions(&self) -> &[Execution] {
        self.history.executions()
    }

    /// The execution with this id.
    #[must_use]
    pub fn execution(&self, id: &str) -> Option<&Execution> {
        self.history.execution(id)
    }

    /// Somebody else sends this trigger's webhook: an event of which the ledger knows nothing, and
    /// an execution in its time. Says the event's id.
    pub fn triggered_by_others(&mut self, [org, project, pipeline, trigger]: [&str; 4]) -> String {
        let now = self.settle();
        let key = TriggerKey::new(org, project, pipeline, trigger);
        let accepted = Accepted {
            account: self.accounts.first().cloned().unwrap_or_default(),
            matched: vec![key],
            payload: "{}".to_owned(),
            with_key: false,
            received: NOT_IN_THE_LEDGER,
        };
        self.accept(now, accepted)
    }

    /// Somebody starts this pipeline by hand, without any trigger. Says the execution's id.
    pub fn started_by_hand(&mut self, [org, project, pipeline]: [&str; 3]) -> String {
        let now = self.settle();
        self.start_by_hand(now, TriggerKey::new(org, project, pipeline, ""))
    }

    /// Forgets every event and execution, as Harness does when they are too old. The ledger stays.
    pub fn forget_history(&mut self) {
        self.history.forget();
    }

    /// The most calls that came in within any `window`.
    #[must_use]
    pub fn most_calls_within(&self, window: Duration) -> usize {
        let window = millis(window);
        let mut first = self.calls.iter();
        let mut most = 0;
        for (index, (at, _)) in self.calls.iter().enumerate() {
            while first.as_slice().first().is_some_and(|(begin, _)| at - begin >= window) {
                first.next();
            }
            most = most.max(index + 1 - (self.calls.len() - first.len()));
        }
        most
    }

    pub(super) fn note_call(&mut self, now: Moment, endpoint: Endpoint) -> Option<Fault> {
        self.calls.push((millis(now.real), endpoint));
        self.faults.draw(endpoint, &mut self.random)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busiest_window_is_found() {
        let mut world = World::new("acme0000000000000000AA", 0.0);
        assert_eq!(world.most_calls_within(Duration::from_secs(1)), 0);
        world.calls =
            [0, 900, 999, 1_000, 1_500, 1_998, 5_000].map(|at| (at, Endpoint::Event)).into();
        assert_eq!(world.most_calls_within(Duration::from_secs(1)), 4);
        assert_eq!(world.most_calls_within(Duration::from_mins(1)), 7);
    }
}
