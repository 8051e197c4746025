//! What has been decided and is not on disk yet.
//!
//! One batch is with the store at a time; what is decided meanwhile gathers into the next, so that
//! triggers that are due together share one sync and a retry can never overtake what came after
//! it. Only when a batch is on disk are its webhooks released and its facts shown.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::Instant;

use crate::engine::{Effect, Input, Reply, SendTrigger};
use crate::model::{Change, Fact, RunId};

/// Things that belong together: saved in one transaction, released at once.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// What is to be remembered.
    pub(super) facts: Vec<Fact>,
    /// The webhooks that may leave after that.
    pub(super) sends: Vec<SendTrigger>,
    /// What is to be answered after that.
    pub(super) replies: Vec<(u64, Reply)>,
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

    /// Whether any of it needs the store.
    fn is_saved(&self) -> bool {
        !self.facts.iter().all(Fact::is_derived)
    }

    /// Adds an effect, unless it is one that needs no saving: that comes back.
    pub(super) fn add(&mut self, effect: Effect) -> Option<Effect> {
        match effect {
            Effect::Fact(fact) => self.facts.push(fact),
            Effect::SendTrigger(send) => self.sends.push(send),
            // Of the answers, these two depend on what is on disk.
            Effect::Reply { request, reply: reply @ (Reply::Begun(_) | Reply::Switched(_)) } => {
                self.replies.push((request, reply));
            }
            Effect::Reply { .. }
            | Effect::ReadEvent(_)
            | Effect::UnknownWord { .. }
            | Effect::Withheld { .. }
            | Effect::Silenced { .. } => return Some(effect),
        }
        None
    }
}

/// The batch with the store, and the one that gathers.
#[derive(Debug, Default)]
pub(super) struct Turns {
    with_store: Option<(u64, Turn)>,
    handed_over: Option<Instant>,
    gathering: Turn,
    last_id: u64,
}

/// What to do next.
#[derive(Debug)]
pub(super) enum Next {
    /// Nothing: the store is at work, or there is nothing to save.
    Wait,
    /// Have these facts saved, under this id.
    Save(u64, Vec<Fact>),
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
        let since = self.handed_over.filter(|_| self.with_store.is_some());
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
        self.last_id += 1;
        let facts = turn.facts.clone();
        self.handed_over = Some(now);
        self.with_store = Some((self.last_id, turn));
        Next::Save(self.last_id, facts)
    }

    /// Asks whether the store can be written at all, where there is nothing else to save.
    pub(super) fn probe(&mut self, now: Instant) -> Next {
        if self.with_store.is_some() {
            return Next::Wait;
        }
        self.last_id += 1;
        self.handed_over = Some(now);
        self.with_store = Some((self.last_id, Turn::default()));
        Next::Save(self.last_id, Vec::new())
    }

    /// The batch is on disk: it may be released.
    pub(super) fn saved(&mut self, id: u64) -> Option<Turn> {
        self.with_store.take_if(|(with_store, _)| *with_store == id).map(|(_, turn)| turn)
    }

    /// The batch is not on disk. What was about to begin or to be sent did not happen, which the
    /// engine must hear, and those who asked for it at once; the rest goes in front of what has
    /// gathered, to be tried again.
    pub(super) fn failed(&mut self, id: u64) -> Option<Failed> {
        let (_, mut turn) = self.with_store.take_if(|(with_store, _)| *with_store == id)?;
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
        turn.facts.append(&mut self.gathering.facts);
        turn.sends.append(&mut self.gathering.sends);
        turn.replies.append(&mut self.gathering.replies);
        self.gathering = turn;
        Some(Failed { told: Input::NotSaved { begun, sending }, refused })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::board::fixtures::{NOON, pipeline, run};
    use crate::model::{Run, WebhookVersion};

    fn fact(run: &Run, change: Change) -> Effect {
        Effect::Fact(Fact::Run { run: Arc::new(run.clone()), change, mark: None })
    }

    fn send(run: &Run) -> Effect {
        Effect::SendTrigger(SendTrigger {
            run: run.id.clone(),
            pipeline: Arc::new(pipeline("default", run.pipeline.as_str())),
            version: WebhookVersion::V1,
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

    fn hand_over(turns: &mut Turns) -> (u64, usize) {
        match turns.next(Instant::now()) {
            Next::Save(id, facts) => (id, facts.len()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn of_a_run_whose_beginning_is_not_saved_nothing_is_sent_later() {
        let (never, other) = (run("default", "never", NOON), run("default", "other", NOON));
        let mut turns = Turns::default();
        let begun = Effect::Reply { request: 7, reply: Reply::Begun(never.id.clone()) };
        add(&mut turns, [fact(&never, Change::Begun), begun, fact(&other, Change::Progress)]);
        let (batch, _) = hand_over(&mut turns);
        add(&mut turns, [fact(&never, Change::Sending), send(&never)]);
        add(&mut turns, [fact(&other, Change::Sending), send(&other)]);

        let failed = turns.failed(batch).unwrap();
        assert_eq!(failed.refused, [7]);
        let Input::NotSaved { begun, sending } = failed.told else { panic!("{failed:?}") };
        assert_eq!((begun, sending), (vec![never.id.clone()], Vec::new()));
        let (batch, facts) = hand_over(&mut turns);
        let turn = turns.saved(batch).unwrap();
        let sent: Vec<_> = turn.sends.iter().map(|send| &send.run).collect();
        assert_eq!((facts, sent, turn.replies.len()), (2, vec![&other.id], 0));
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
