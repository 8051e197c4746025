//! What Harness received against what the store says, and the store against itself.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use harness_exporter::model::{Outcome, Reason, Run};
use harness_exporter::simulator::Received;
use rusqlite::{Connection, OpenFlags};

/// How much later than a run ended its webhook may be read by Harness, in milliseconds: what was
/// in flight when the exporter was killed arrives all the same.
const STRAGGLES: i64 = 3_000;

/// Every run in the store, by when it was begun.
pub(super) fn runs(store: &Path) -> Vec<Run> {
    let connection = open(store);
    let mut statement = connection.prepare("select body from runs").unwrap();
    let bodies = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let mut runs: Vec<Run> =
        bodies.map(|body| serde_json::from_str(&body.unwrap()).unwrap()).collect();
    runs.sort_by_key(|run| run.begun);
    runs
}

/// The totals of the pipelines: (pipeline, family, label) and the number.
pub(super) fn totals(store: &Path) -> HashMap<(String, String, String), i64> {
    let connection = open(store);
    let text = "select owner, family, label, value from totals where owner_kind = 'pipeline'";
    let mut statement = connection.prepare(text).unwrap();
    let rows = statement
        .query_map([], |row| Ok(((row.get(0)?, row.get(1)?, row.get(2)?), row.get(3)?)))
        .unwrap();
    rows.map(Result::unwrap).collect()
}

fn open(store: &Path) -> Connection {
    Connection::open_with_flags(store, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
}

/// The books add up to the runs, each of which is in the store: no test makes so many that old ones
/// are forgotten.
pub(super) fn check_totals(store: &Path) {
    let mut counted: HashMap<(String, String, String), i64> = HashMap::new();
    let mut add = |run: &Run, family: &str, label: &str| {
        let key = (run.pipeline.to_string(), family.to_owned(), label.to_owned());
        *counted.entry(key).or_default() += 1;
    };
    for run in runs(store) {
        add(&run, "triggers", run.origin.as_str());
        match (run.result, run.reason) {
            (Some(result), None) => add(&run, "runs", result.as_str()),
            (None, Some(reason)) => add(&run, "trigger_failures", reason.as_str()),
            (None, None) => assert!(run.is_active(), "{run:?}"),
            (Some(_), Some(_)) => panic!("it ended twice: {run:?}"),
        }
    }
    let mut totals = totals(store);
    totals.retain(|(_, family, _), _| {
        ["triggers", "runs", "trigger_failures"].contains(&family.as_str())
    });
    assert_eq!(totals, counted, "the books against the runs");
}

/// What came of comparing.
#[derive(Debug, Default)]
pub(super) struct Compared {
    /// How many webhooks are in exactly one run that has no other.
    pub(super) accounted: usize,
    /// How many are in a run that has another one on which Harness acted.
    pub(super) doubled: usize,
    /// How many are in no run.
    pub(super) unaccounted: usize,
    /// Everything that is not as it must be.
    pub(super) wrong: Vec<String>,
}

/// Every webhook is in exactly one run, and every run that says so has one.
pub(super) fn check(store: &Path, received: &[Received]) {
    let compared = compare(&runs(store), received);
    assert!(compared.wrong.is_empty(), "{}\n{:#?}", compared.wrong.join("\n"), runs(store));
}

/// Finds the run of each webhook. Names are Harness' identifiers here.
pub(super) fn compare(runs: &[Run], received: &[Received]) -> Compared {
    let mut compared = Compared::default();
    let mut knows: HashMap<&str, usize> = HashMap::new();
    for (index, run) in runs.iter().enumerate() {
        if let Some(event) = &run.event
            && knows.insert(event.as_str(), index).is_some()
        {
            compared.wrong.push(format!("an event of several runs: {run:?}"));
        }
    }
    // One that was found by looking for it has an execution and no event.
    let mut found: HashMap<&str, usize> = HashMap::new();
    for (index, run) in runs.iter().enumerate() {
        if let (None, Some(execution)) = (&run.event, &run.execution) {
            let other = found.insert(execution.as_str(), index);
            assert_eq!(other, None, "an execution of several runs: {run:?}");
        }
    }
    let owner = |webhook: &Received| {
        let by_event = knows.get(webhook.event.as_deref()?).copied();
        let by_execution = webhook.execution.as_deref().and_then(|id| found.get(id)).copied();
        assert!(by_event.is_none() || by_execution.is_none(), "of two runs: {webhook:?}");
        by_event.or(by_execution)
    };
    let mut webhooks: BTreeMap<usize, Vec<&Received>> = BTreeMap::new();
    for webhook in received {
        if let Some(owner) = owner(webhook) {
            webhooks.entry(owner).or_default().push(webhook);
        }
    }
    for webhook in received.iter().filter(|webhook| owner(webhook).is_none()) {
        // The one begun last before it came in, among those that have room for it.
        let owner = (0..runs.len()).rev().find(|index| {
            let run = &runs[*index];
            let before = webhooks.get(index).map_or(&[][..], Vec::as_slice);
            run.pipeline.as_str() == webhook.pipeline && has_room(run, webhook, before)
        });
        let Some(owner) = owner else {
            compared.unaccounted += 1;
            compared.wrong.push(format!("in no run: {webhook:?}"));
            continue;
        };
        webhooks.entry(owner).or_default().push(webhook);
    }
    for (index, run) in runs.iter().enumerate() {
        let webhooks = webhooks.get(&index).map_or(&[][..], Vec::as_slice);
        compared.take(run, webhooks);
    }
    compared
}

impl Compared {
    /// Takes in a run with the webhooks that are its own.
    fn take(&mut self, run: &Run, webhooks: &[&Received]) {
        let processed = webhooks.iter().filter(|webhook| webhook.event.is_some()).count();
        let doubled = processed.saturating_sub(1);
        self.doubled += doubled;
        self.accounted += webhooks.len() - doubled;
        if doubled > 0 {
            self.wrong.push(format!("sent twice: {run:?}"));
        }
        if run.event.is_some() && processed == 0 {
            self.wrong.push(format!("its event was never given: {run:?}"));
        }
        let was_answered = matches!(
            run.reason,
            Some(
                Reason::ServerError
                    | Reason::BadResponse
                    | Reason::Unauthorized
                    | Reason::Forbidden
                    | Reason::Rejected
                    | Reason::RateLimited
            )
        );
        if was_answered && webhooks.is_empty() {
            self.wrong.push(format!("Harness received nothing of {run:?}"));
        }
    }
}

/// Whether a webhook whose event no run knows may be one of this run's.
fn has_room(run: &Run, webhook: &Received, before: &[&Received]) -> bool {
    let from = run.begun.0;
    let until = run.accepted.or(run.ended).map_or(i64::MAX, |end| end.0 + STRAGGLES);
    if !(from..=until).contains(&webhook.at_ms) {
        return false;
    }
    if webhook.event.is_some() {
        // Harness acted on it: its run must not know better.
        let unsure = run.is_active() || run.outcome == Outcome::Unconfirmed;
        return run.event.is_none() && unsure && before.iter().all(|one| one.event.is_none());
    }
    match run.reason {
        // One answer, and that was it; v1 may have been unknown before v2 was refused.
        Some(Reason::Unauthorized | Reason::Forbidden | Reason::ServerError) => before.is_empty(),
        Some(Reason::Rejected) => before.len() < 2,
        Some(Reason::NotSent) => false,
        // Anything that certainly started nothing may have come before.
        _ => true,
    }
}
