//! Events and executions: what webhooks have led to.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::clock::{Moment, millis};
use super::execution::{Execution, Starter};
use super::pipeline::{Stage, TriggerKey};
use super::plan::Plan;
use super::script::{Processing, Script};
use super::world::World;

/// Something that Harness stored when a webhook came in.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) id: String,
    pub(super) account: String,
    pub(super) payload: String,
    pub(super) received: Moment,
    /// Whether other triggers matched too.
    pub(super) crowded: bool,
    /// The trigger that matched, with what it will do; none where there is none.
    pub(super) matched: Option<(TriggerKey, Script)>,
    /// None while it is queued.
    pub(super) outcome: Option<Outcome>,
}

/// What became of an event.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) word: String,
    pub(super) message: String,
    /// The place of the execution in the history.
    pub(super) execution: Option<usize>,
    /// When the record of it was made, in milliseconds by this Harness' clock.
    pub(super) created_at: i64,
}

/// A webhook that has been found good.
#[derive(Debug)]
pub(super) struct Accepted {
    pub(super) account: String,
    /// The triggers that match it.
    pub(super) matched: Vec<TriggerKey>,
    pub(super) payload: String,
    pub(super) with_key: bool,
    /// Its place in the ledger.
    pub(super) received: usize,
}

/// A trigger's part in an event, waiting for its time.
#[derive(Debug)]
struct Waiting {
    event: usize,
    received: usize,
    key: TriggerKey,
    script: Script,
    with_key: bool,
    /// Whether the event's details tell of it; of several, they do of one.
    shown: bool,
}

/// Everything that has happened.
#[derive(Debug, Default)]
pub(super) struct History {
    events: Vec<Event>,
    event_ids: HashMap<String, usize>,
    executions: Vec<Execution>,
    execution_ids: HashMap<String, usize>,
    /// By due time, then by arrival.
    waiting: BTreeMap<(Duration, u64), Waiting>,
    arrivals: u64,
    /// The last `runSequence` by organization, project and pipeline.
    numbers: HashMap<[String; 3], u32>,
}

impl History {
    /// Looked up by account and id together, as Harness does.
    pub(super) fn event(&self, account: &str, id: &str) -> Option<&Event> {
        let event = self.event_ids.get(id).and_then(|index| self.events.get(*index))?;
        (event.account == account).then_some(event)
    }

    pub(super) fn execution(&self, id: &str) -> Option<&Execution> {
        self.execution_ids.get(id).and_then(|index| self.executions.get(*index))
    }

    pub(super) fn execution_of(&self, event: &Event) -> Option<&Execution> {
        self.executions.get(event.outcome.as_ref()?.execution?)
    }

    pub(super) fn executions(&self) -> &[Execution] {
        &self.executions
    }

    pub(super) fn forget(&mut self) {
        let numbers = std::mem::take(&mut self.numbers);
        *self = Self { numbers, ..Self::default() };
    }

    fn number(&mut self, key: &TriggerKey) -> u32 {
        let pipeline = [key.org.clone(), key.project.clone(), key.pipeline.clone()];
        let last = self.numbers.entry(pipeline).or_default();
        *last += 1;
        *last
    }
}

impl World {
    /// Stores a webhook as an event and says its id.
    pub(super) fn accept(&mut self, now: Moment, accepted: Accepted) -> String {
        let id = self.random.event_id();
        let index = self.history.events.len();
        let mut first = None;
        for key in &accepted.matched {
            let Some(pipeline) = self.pipelines.get_mut(key) else { continue };
            let script = pipeline.next_script();
            let due = now.simulated.saturating_add(pipeline.queue);
            let shown = first.is_none();
            first.get_or_insert_with(|| (key.clone(), script.clone()));
            let waiting = Waiting {
                event: index,
                received: accepted.received,
                key: key.clone(),
                script,
                with_key: accepted.with_key,
                shown,
            };
            self.history.waiting.insert((due, self.history.arrivals), waiting);
            self.history.arrivals += 1;
        }
        if let Some(received) = self.ledger.get_mut(accepted.received) {
            received.event = Some(id.clone());
        }
        self.history.event_ids.insert(id.clone(), index);
        self.history.events.push(Event {
            id: id.clone(),
            account: accepted.account,
            payload: accepted.payload,
            received: now,
            crowded: accepted.matched.len() > 1,
            matched: first,
            outcome: None,
        });
        id
    }

    /// Processes the events that are due by `now`, each at its own time.
    pub(super) fn process_until(&mut self, now: Moment) {
        while let Some(entry) = self.history.waiting.first_entry() {
            let (due, _) = *entry.key();
            if due > now.simulated {
                return;
            }
            let waiting = entry.remove();
            let real = self.clock.real_at(due).min(now.real);
            self.process(waiting, Moment { real, simulated: due });
        }
    }

    fn process(&mut self, waiting: Waiting, at: Moment) {
        let enabled = self.pipelines.get(&waiting.key).is_some_and(|pipeline| pipeline.enabled);
        let no_trigger = Processing::Word {
            word: "NO_ENABLED_CUSTOM_TRIGGER_FOUND".to_owned(),
            message: format!("No enabled custom trigger found for {}", waiting.key.trigger),
            runs: false,
        };
        let processing = if enabled { waiting.script.processing.clone() } else { no_trigger };
        let Processing::Word { word, message, runs } = processing else { return };
        let (event, received, shown) = (waiting.event, waiting.received, waiting.shown);
        let execution = runs.then(|| self.start(waiting, at));
        if !shown {
            return;
        }
        if let Some(received) = self.ledger.get_mut(received) {
            let execution = execution.and_then(|index| self.history.executions.get(index));
            received.execution = execution.map(|execution| execution.id.clone());
        }
        // The record is younger than the execution that it tells of, by as much as was once seen.
        let created_at = millis(at.real).saturating_add(self.date_offset).saturating_add(318);
        if let Some(event) = self.history.events.get_mut(event) {
            event.outcome = Some(Outcome { word, message, execution, created_at });
        }
    }

    fn start(&mut self, waiting: Waiting, at: Moment) -> usize {
        let event = self.history.events.get(waiting.event);
        let (event, account) =
            event.map(|event| (event.id.clone(), event.account.clone())).unwrap_or_default();
        let starter =
            if waiting.with_key { Starter::WebhookWithKey } else { Starter::WebhookAlone };
        self.begin(Beginning { key: waiting.key, account, event, starter }, waiting.script, at)
    }

    /// Starts a pipeline without any trigger, and says the execution's id.
    pub(super) fn start_by_hand(&mut self, now: Moment, key: TriggerKey) -> String {
        let account = self.accounts.first().cloned().unwrap_or_default();
        let beginning = Beginning { key, account, event: String::new(), starter: Starter::Hand };
        let index = self.begin(beginning, Script::succeed(), now);
        self.history.executions.get(index).map(|one| one.id.clone()).unwrap_or_default()
    }

    fn begin(&mut self, beginning: Beginning, script: Script, at: Moment) -> usize {
        let Beginning { key, account, event, starter } = beginning;
        let plan = Plan::new(self.stages_of(&key), &script.course);
        let index = self.history.executions.len();
        let execution = Execution {
            id: self.random.execution_id(),
            account,
            number: self.history.number(&key),
            key,
            event,
            starter,
            started: at,
            date_offset: self.date_offset,
            plan,
            script,
            nodes: self.random.execution_id(),
            has_rollback_node: self.random.chance(0.25),
        };
        self.history.execution_ids.insert(execution.id.clone(), index);
        self.history.executions.push(execution);
        index
    }

    /// A pipeline has the same stages whatever starts it.
    fn stages_of(&self, key: &TriggerKey) -> &[Stage] {
        let same = |other: &TriggerKey| {
            (&other.org, &other.project, &other.pipeline) == (&key.org, &key.project, &key.pipeline)
        };
        let sibling = || self.pipelines.iter().find(|(other, _)| same(other)).map(|(_, one)| one);
        self.pipelines.get(key).or_else(sibling).map_or(&[], |pipeline| pipeline.stages.as_slice())
    }
}

/// What is known of an execution when it begins.
#[derive(Debug)]
struct Beginning {
    key: TriggerKey,
    account: String,
    event: String,
    starter: Starter,
}
