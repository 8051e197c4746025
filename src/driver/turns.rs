//! What has been decided and is not on disk yet.
//!
//! One batch is with the store at a time; what is decided meanwhile gathers into the next, so that
//! triggers that are due together share one sync and a retry can never overtake what came after
//! it. Only when a batch is on disk are its webhooks released and its facts shown.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;

use crate::engine::{Effect, Input, Reply, SendTrigger};
use crate::model::{Change, Fact, MissedReason, PipelineName, RunId};
use crate::store::{Batch, Care};

/// Fewer facts than this are not worth being condensed.
const LEAST_CONDENSED: usize = 1_000;

/// Things that belong together: saved in one transaction, released at once.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// What is to be remembered.
    pub(super) facts: Vec<Fact>,
    /// The webhooks that may leave after that.
    pub(super) sends: Vec<SendTrigger>,
    /// What is to be answered after that.
    pub(super) replies: Vec<(u64, Reply)>,
    /// How many facts are enough to be condensed.
    condense_at: usize,
}

impl Turn {
    /// Whether there is nothing in it.
    #[must_use]
    pub(super) fn is_empty(&self) -> bool {
        self.facts.is_empty() && self.sends.is_empty() && self.replies.is_empty()
    }

    /// Whether somebody waits for it to be on disk: Harness for a webhook, the store for an event
    /// id that would be lost with the process, or whoever asked for a run.
    pub(super) fn is_urgent(&self) -> bool {
        let accepted = |fact: &Fact| matches!(fact, Fact::Run { change: Change::Accepted, .. });
        !self.sends.is_empty() || !self.replies.is_empty() || self.facts.iter().any(accepted)
    }

    /// How safe it must be before it is released. Of a run that Harness has taken, whatever is lost with
    /// the power can be read again, or shows that its fate is not known.
    fn care(&self) -> Care {
        if self.sends.is_empty() && self.replies.is_empty() { Care::Written } else { Care::Synced }
    }

    /// Whether any of it needs the store.
    fn is_saved(&self) -> bool {
        !self.facts.iter().all(Fact::is_derived)
    }

    /// Adds a fact. However long a failing store lets them gather, there is no more than what the runs
    /// under way have gone through and a few for each pipeline.
    fn note(&mut self, fact: Fact) {
        self.facts.push(fact);
        if self.facts.len() >= self.condense_at {
            self.condense();
            self.condense_at = (self.facts.len() * 2).max(LEAST_CONDENSED);
        }
    }

    /// Makes one of all due times that a pipeline has missed for one reason, and keeps of what can be
    /// derived only the last. Each takes the place of the last of its kind.
    fn condense(&mut self) {
        let mut later: HashMap<Kind, usize> = HashMap::new();
        let mut kept: Vec<Fact> = Vec::new();
        for fact in std::mem::take(&mut self.facts).into_iter().rev() {
            let Some(kind) = Kind::of(&fact) else {
                kept.push(fact);
                continue;
            };
            match later.entry(kind) {
                Entry::Vacant(place) => {
                    place.insert(kept.len());
                    kept.push(fact);
                }
                Entry::Occupied(place) => {
                    if let Some(later) = kept.get_mut(*place.get()) {
                        absorb(later, &fact);
                    }
                }
            }
        }
        kept.reverse();
        self.facts = kept;
    }

    /// Adds an effect, unless it is one that needs no saving: that comes back.
    pub(super) fn add(&mut self, effect: Effect) -> Option<Effect> {
        match effect {
            Effect::Fact(fact) => self.note(fact),
            Effect::SendTrigger(send) => self.sends.push(send),
            // Of the answers, these two depend on what is on disk.
            Effect::Reply { request, reply: reply @ (Reply::Begun(_) | Reply::Switched(_)) } => {
                self.replies.push((request, reply));
            }
            Effect::Reply { .. }
            | Effect::LookUpTrigger(_)
            | Effect::ReadEvent(_)
            | Effect::ReadExecution(_)
            | Effect::ListExecutions(_)
            | Effect::ListedOtherwise { .. }
            | Effect::UnknownWord { .. }
            | Effect::Withheld { .. }
            | Effect::Silenced { .. } => return Some(effect),
        }
        None
    }
}

/// What facts of which only the last, or the sum, need be kept have in common.
#[derive(PartialEq, Eq, Hash)]
enum Kind {
    Missed(PipelineName, MissedReason),
    /// The last forgets what was counted after an earlier one.
    Buckets,
    Waiting,
    Next(PipelineName),
    Maintenance(PipelineName),
    Trigger(PipelineName),
    Foreign(PipelineName),
}

impl Kind {
    fn of(fact: &Fact) -> Option<Self> {
        match fact {
            Fact::Missed { pipeline, reason, .. } => Some(Self::Missed(pipeline.clone(), *reason)),
            Fact::Buckets(_) => Some(Self::Buckets),
            Fact::Waiting(_) => Some(Self::Waiting),
            Fact::Next { pipeline, .. } => Some(Self::Next(pipeline.clone())),
            Fact::Maintenance { pipeline, .. } => Some(Self::Maintenance(pipeline.clone())),
            Fact::TriggerLookedUp { pipeline, .. } => Some(Self::Trigger(pipeline.clone())),
            Fact::ForeignRuns { pipeline, .. } => Some(Self::Foreign(pipeline.clone())),
            Fact::Run { .. } | Fact::Loaded(_) => None,
        }
    }
}

/// Lets `later` say what `earlier` said too; both are of one kind.
fn absorb(later: &mut Fact, earlier: &Fact) {
    match (later, earlier) {
        (Fact::Missed { count, latest, .. }, Fact::Missed { count: before, latest: until, .. }) => {
            *count = count.saturating_add(*before);
            *latest = (*latest).max(*until);
        }
        (Fact::ForeignRuns { count, .. }, Fact::ForeignRuns { count: before, .. }) => {
            *count = count.saturating_add(*before);
        }
        _ => {}
    }
}

/// The batch with the store, and the one that gathers.
#[derive(Debug, Default)]
pub(super) struct Turns {
    with_store: Option<(Instant, Turn)>,
    gathering: Turn,
}

/// What to do next.
#[derive(Debug)]
pub(super) enum Next {
    /// Nothing: the store is at work, or there is nothing to save.
    Wait,
    /// Have these facts saved.
    Save(Batch),
    /// Release this: none of it needs the store.
    Release(Turn),
}

/// What follows from a batch that is not on disk.
#[derive(Debug)]
pub(super) struct Failed {
    /// What the engine must hear.
    pub(super) told: Input,
    /// Whose runs were not begun.
    pub(super) refused: Vec<u64>,
}

impl Turns {
    /// The batch that gathers.
    pub(super) fn gathering(&mut self) -> &mut Turn {
        &mut self.gathering
    }

    /// Whether nothing is left to be saved or released.
    #[must_use]
    pub(super) fn is_idle(&self) -> bool {
        self.with_store.is_none() && self.gathering.is_empty()
    }

    /// Whether a batch is with the store.
    pub(super) fn is_with_store(&self) -> bool {
        self.with_store.is_some()
    }

    /// For how long a batch has been with the store.
    pub(super) fn with_store_for(&self, now: Instant) -> Duration {
        let since = self.with_store.as_ref().map(|(since, _)| *since);
        since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// What to do next with what has gathered.
    pub(super) fn next(&mut self, now: Instant) -> Next {
        if self.with_store.is_some() || self.gathering.is_empty() {
            return Next::Wait;
        }
        let turn = std::mem::take(&mut self.gathering);
        if !turn.is_saved() {
            return Next::Release(turn);
        }
        let batch = Batch { facts: turn.facts.clone(), care: turn.care() };
        self.with_store = Some((now, turn));
        Next::Save(batch)
    }

    /// Asks whether the store can be written at all, where there is nothing else to save.
    pub(super) fn probe(&mut self, now: Instant) -> Next {
        if self.with_store.is_some() {
            return Next::Wait;
        }
        self.with_store = Some((now, Turn::default()));
        Next::Save(Batch { facts: Vec::new(), care: Care::Synced })
    }

    /// The batch is on disk: it may be released.
    pub(super) fn saved(&mut self) -> Turn {
        self.with_store.take().map(|(_, turn)| turn).unwrap_or_default()
    }

    /// The batch is not on disk. What was about to begin or to be sent did not happen, which the
    /// engine must hear, and those who asked for it at once; the rest goes in front of what has
    /// gathered, to be tried again.
    pub(super) fn failed(&mut self) -> Failed {
        let mut turn = self.saved();
        let changed = |turn: &Turn, change: Change| -> Vec<RunId> {
            let runs = turn.facts.iter().filter_map(|fact| match fact {
                Fact::Run { run, change: was, .. } if *was == change => Some(run.id.clone()),
                _ => None,
            });
            runs.collect()
        };
        let begun = changed(&turn, Change::Begun);
        let mut sending = changed(&turn, Change::Sending);
        sending.retain(|run| !begun.contains(run));
        let never: HashSet<&RunId> = begun.iter().collect();
        let stays = |fact: &Fact| match fact {
            Fact::Run { run, change, .. } => *change != Change::Sending && !never.contains(&run.id),
            _ => true,
        };
        turn.facts.retain(stays);
        self.gathering.facts.retain(|fact| match fact {
            Fact::Run { run, .. } => !never.contains(&run.id),
            _ => true,
        });
        self.gathering.sends.retain(|send| !never.contains(&send.run));
        let refused = turn.replies.drain(..).map(|(request, _)| request).collect();
        turn.sends.clear();
        for fact in self.gathering.facts.drain(..) {
            turn.note(fact);
        }
        turn.sends.append(&mut self.gathering.sends);
        turn.replies.append(&mut self.gathering.replies);
        self.gathering = turn;
        Failed { told: Input::NotSaved { begun, sending }, refused }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::board::fixtures::{NOON, pipeline, run};
    use crate::model::{Address, Mark, Run, Wall, WebhookVersion};

    fn fact(run: &Run, change: Change) -> Effect {
        Effect::Fact(Fact::Run { run: Arc::new(run.clone()), change, mark: None })
    }

    fn send(run: &Run) -> Effect {
        Effect::SendTrigger(SendTrigger {
            run: run.id.clone(),
            pipeline: Arc::new(pipeline("default", run.pipeline.as_str())),
            address: Address::Version(WebhookVersion::V1),
            payload: "{}".into(),
            waited: Duration::ZERO,
            due: None,
        })
    }

    fn add(turns: &mut Turns, effects: impl IntoIterator<Item = Effect>) {
        for effect in effects {
            assert!(turns.gathering().add(effect).is_none());
        }
    }

    fn hand_over(turns: &mut Turns) -> usize {
        match turns.next(Instant::now()) {
            Next::Save(batch) => batch.facts.len(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn of_a_run_whose_beginning_is_not_saved_nothing_is_sent_later() {
        let (never, other) = (run("default", "never", NOON), run("default", "other", NOON));
        let mut turns = Turns::default();
        let begun = Effect::Reply { request: 7, reply: Reply::Begun(never.id.clone()) };
        add(&mut turns, [fact(&never, Change::Begun), begun, fact(&other, Change::Progress)]);
        hand_over(&mut turns);
        add(&mut turns, [fact(&never, Change::Sending), send(&never)]);
        add(&mut turns, [fact(&other, Change::Sending), send(&other)]);

        let failed = turns.failed();
        assert_eq!(failed.refused, [7]);
        let Input::NotSaved { begun, sending } = failed.told else { panic!("{failed:?}") };
        assert_eq!((begun, sending), (vec![never.id.clone()], Vec::new()));
        let facts = hand_over(&mut turns);
        let turn = turns.saved();
        let sent: Vec<_> = turn.sends.iter().map(|send| &send.run).collect();
        assert_eq!((facts, sent, turn.replies.len()), (2, vec![&other.id], 0));
    }

    /// As many due times as a pipeline may miss while the disk is full.
    #[test]
    fn what_is_missed_while_the_store_fails_is_a_few_facts() {
        let name = |number| PipelineName::new(["a", "b", "c"][number % 3]);
        let missed = |number: usize| {
            let at = Wall(i64::try_from(number).unwrap());
            Effect::Fact(Fact::Missed {
                pipeline: name(number),
                reason: MissedReason::StoreUnavailable,
                count: 2,
                latest: at,
                mark: Mark { handled_until: at, owed: Vec::new() },
            })
        };
        let active = run("default", "a", NOON);
        let mut turns = Turns::default();
        for number in 0..30_000 {
            add(&mut turns, [missed(number), Effect::Fact(Fact::Waiting(number as u64))]);
            if number % 10_000 == 0 {
                add(&mut turns, [fact(&active, Change::Progress)]);
                hand_over(&mut turns);
                assert!(turns.failed().refused.is_empty());
            }
            assert!(turns.gathering().facts.len() <= LEAST_CONDENSED);
        }
        turns.gathering().condense();
        let facts = &turns.gathering().facts;
        let of_run = facts.iter().filter(|fact| matches!(fact, Fact::Run { .. })).count();
        assert_eq!((facts.len(), of_run), (7, 3));
        for fact in facts {
            if let Fact::Missed { count, latest, mark, pipeline, .. } = fact {
                assert_eq!((*count, *latest), (20_000, mark.handled_until));
                assert!(latest.0 >= 29_997 && *pipeline == name(latest.0.try_into().unwrap()));
            }
        }
    }

    #[test]
    fn a_refusal_waits_for_nothing() {
        let mut turns = Turns::default();
        for reply in [Reply::UnknownPipeline(String::new()), Reply::Active, Reply::NotSaved] {
            let effect = Effect::Reply { request: 1, reply };
            assert!(turns.gathering().add(effect).is_some());
        }
        assert!(turns.is_idle());
    }
}
