//! When what has been decided goes to the store, and what follows from how that went.
//!
//! It refuses to decide what is saved together, which is for [`Turns`], and to tell the engine
//! anything: what the engine is to hear comes back to the loop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Error;
use super::turns::{Failed, Next, Turn, Turns};
use crate::metrics::Own;
use crate::store::{self, Writer};

/// How long after a failed save the next is tried.
const SAVE_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// How long what nobody waits for may gather before it is saved: a sync of the disk costs more than
/// everything else about a run together.
const GATHER: Duration = Duration::from_millis(50);

/// How long a save may take before nothing new is let go: webhooks that wait for the disk would
/// leave all at once, and break the limit of the second they leave in.
const SLOW_SAVE: Duration = Duration::from_millis(250);

/// How long after trouble with the store nothing new is let go.
const CALM: Duration = Duration::from_secs(1);

/// See the module's documentation.
pub struct Saving {
    writer: Writer,
    answers: mpsc::Receiver<store::Answer>,
    /// Whether the store can be written, for whoever asks from outside.
    ready: Arc<AtomicBool>,
    own: Arc<Own>,
    turns: Turns,
    /// Set while something gathers that nobody waits for: when to save it.
    save_at: Option<Instant>,
    /// Set while the store can't be written: when to try again.
    again_at: Option<Instant>,
    /// Set while nothing new is to be let go, because the store fails or is slow: until when.
    held_until: Option<Instant>,
}

impl Saving {
    /// Nothing saved yet. `answers` are those of `writer`; `ready` is kept up to date.
    #[must_use]
    pub fn new(
        writer: Writer,
        answers: mpsc::Receiver<store::Answer>,
        ready: Arc<AtomicBool>,
        own: Arc<Own>,
    ) -> Self {
        let turns = Turns::default();
        let (save_at, again_at, held_until) = (None, None, None);
        Self { writer, answers, ready, own, turns, save_at, again_at, held_until }
    }

    /// What is being gathered.
    pub(super) fn gathering(&mut self) -> &mut Turn {
        self.turns.gathering()
    }

    /// Whether nothing is left to be saved or released.
    pub(super) fn is_idle(&self) -> bool {
        self.turns.is_idle()
    }

    /// Whether the last save failed, and none has succeeded since.
    pub(super) fn fails(&self) -> bool {
        self.again_at.is_some()
    }

    /// Hands what has gathered to the store where it is time, or at once where `now_or_never`. What
    /// comes back needs no saving and is to be released.
    pub(super) fn hand_over(&mut self, now_or_never: bool) -> Result<Vec<Turn>, Error> {
        let now = Instant::now();
        let mut released = Vec::new();
        if self.again_at.is_some_and(|at| at > now) || self.gathers(now, now_or_never) {
            return Ok(released);
        }
        self.save_at = None;
        loop {
            let next = match self.turns.next(now) {
                Next::Wait if self.fails() => self.turns.probe(now),
                next => next,
            };
            match next {
                Next::Wait => return Ok(released),
                Next::Release(turn) => released.push(turn),
                Next::Save(batch) => {
                    self.writer.save(batch).map_err(|_| Error::StoreGone)?;
                    return Ok(released);
                }
            }
        }
    }

    /// Whether there is something that nobody waits for and that more may be added to.
    fn gathers(&mut self, now: Instant, now_or_never: bool) -> bool {
        let gathering = self.turns.gathering();
        let waits = !now_or_never && !gathering.is_empty() && !gathering.is_urgent();
        waits && *self.save_at.get_or_insert(now + GATHER) > now
    }

    /// What came of what was handed over last. Dropping the future loses nothing.
    pub(super) async fn answer(&mut self) -> Result<store::Answer, Error> {
        self.answers.recv().await.ok_or(Error::StoreGone)
    }

    /// The same, where it is known already.
    pub(super) fn answer_now(&mut self) -> Option<store::Answer> {
        self.answers.try_recv().ok()
    }

    /// Takes in an answer: what is on disk is to be released, and what follows from what is not is
    /// for the engine.
    pub(super) fn answered(&mut self, answer: store::Answer) -> Result<Turn, Failed> {
        match answer {
            Ok(()) => {
                self.own.store_written();
                if self.again_at.take().is_some() {
                    tracing::info!("the store can be written again");
                    self.ready.store(true, Ordering::Release);
                }
                Ok(self.turns.saved())
            }
            Err(error) => {
                // Whoever has seen the failure counted finds it not ready.
                self.ready.store(false, Ordering::Release);
                self.own.store_write_failed();
                let error: &dyn std::error::Error = &error;
                let again_at = Instant::now() + SAVE_AGAIN_AFTER;
                if self.again_at.replace(again_at).is_none() {
                    tracing::error!(
                        error,
                        "the store can't be written: nothing is triggered until it can"
                    );
                }
                Err(self.turns.failed())
            }
        }
    }

    /// Whether something new may be let go, where that has changed: not while the store fails or is
    /// slow, nor for a while after.
    pub(super) fn may_let_go(&mut self) -> Option<bool> {
        let now = Instant::now();
        if self.fails() || self.turns.with_store_for(now) > SLOW_SAVE {
            return self.held_until.replace(now + CALM).is_none().then_some(false);
        }
        self.held_until.take_if(|until| *until <= now).map(|_| true)
    }

    /// How long there is nothing to do here but to wait for an answer, which wakes by itself.
    pub(super) fn sleep(&self) -> Duration {
        let now = Instant::now();
        let at = [self.save_at, self.again_at, self.held_until];
        let at = at.into_iter().flatten().filter(|at| *at > now).min();
        let at = at.map_or(Duration::MAX, |at| at.saturating_duration_since(now));
        if self.turns.is_with_store() { at.min(SLOW_SAVE) } else { at }
    }

    /// Closes the store, and waits for that: what it leaves behind is one whole file.
    pub(super) async fn close(self) -> Result<(), Error> {
        let writer = self.writer;
        match tokio::task::spawn_blocking(|| writer.finish()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Error::StoreGone),
        }
    }
}
