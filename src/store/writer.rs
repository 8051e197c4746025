//! The store's own thread, so that a sync of the disk never holds up anything else.
//!
//! It does what it is handed, in order, answers each, and forgets old runs in between. It decides
//! nothing: whether to try again is for whoever handed it over.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::mpsc;

use crate::model::{Fact, Wall};

use super::{Care, Error, Store};

/// How often the heart beats while there is nothing to do.
const TICK: Duration = Duration::from_secs(5);

/// How often old runs are looked for.
const BETWEEN_PRUNES: Duration = Duration::from_hours(1);

/// How long what was written with less care may wait for a sync of the disk.
const LONGEST_UNSYNCED: Duration = Duration::from_secs(5);

/// What is saved in one transaction. One without any fact asks whether the store can be written.
#[derive(Debug)]
pub struct Batch {
    /// What has happened, in order.
    pub facts: Vec<Fact>,
    /// How safe it must be when it is answered.
    pub care: Care,
}

/// What came of a batch.
pub type Answer = Result<(), Error>;

/// The thread has ended.
#[derive(Debug, thiserror::Error)]
#[error("the store's thread has ended")]
pub struct Gone;

/// A handle on the thread. The channel of answers ends when the thread has, the store closed.
#[derive(Debug)]
pub struct Writer {
    batches: Sender<Batch>,
    thread: JoinHandle<()>,
}

impl Writer {
    /// Starts the thread, which owns `store` from now on. It stamps `heartbeat` with milliseconds
    /// since the epoch at least every 5 s while the disk does not hang, and deletes what ended more
    /// than `retention` ago, now and every hour.
    ///
    /// # Errors
    /// Where the system has no thread to give.
    pub fn start(
        store: Store,
        retention: Duration,
        clock: impl Fn() -> Wall + Send + 'static,
        heartbeat: Arc<AtomicI64>,
        answers: mpsc::Sender<Answer>,
    ) -> io::Result<Self> {
        let (sender, batches) = channel();
        let thread = thread::Builder::new().name("store".to_owned()).spawn(move || {
            Keeper { store, retention, clock, heartbeat, unsynced: None }.work(&batches, &answers);
        })?;
        Ok(Self { batches: sender, thread })
    }

    /// Hands over what is to be saved, and never waits. Each batch is answered, in order: whoever hands
    /// over the next one before that lets it wait in memory.
    ///
    /// # Errors
    /// Where the thread has ended.
    pub fn save(&self, batch: Batch) -> Result<(), Gone> {
        self.batches.send(batch).map_err(|_| Gone)
    }

    /// Lets the thread finish what it was handed, close the store and end, and waits for that. The
    /// answers must be read meanwhile, or there must be room for them.
    ///
    /// # Errors
    /// What the thread panicked with, where it did.
    pub fn finish(self) -> thread::Result<()> {
        drop(self.batches);
        self.thread.join()
    }
}

/// What the thread owns.
struct Keeper<C> {
    store: Store,
    retention: Duration,
    clock: C,
    heartbeat: Arc<AtomicI64>,
    /// Since when something is written that no sync of the disk has followed.
    unsynced: Option<Wall>,
}

impl<C: Fn() -> Wall> Keeper<C> {
    /// Ends, with the store closed, when nobody hands over batches or reads answers any more.
    fn work(mut self, batches: &Receiver<Batch>, answers: &mpsc::Sender<Answer>) {
        let mut prune_at = self.beat();
        loop {
            let now = self.beat();
            // A clock that was set back must not put it off for longer than usual.
            let prune_due = now >= prune_at || now.after(BETWEEN_PRUNES) < prune_at;
            let wait = if prune_due { Duration::ZERO } else { TICK };
            match batches.recv_timeout(wait) {
                Ok(batch) => {
                    let answer = self.save(batch, now);
                    self.beat();
                    if answers.blocking_send(answer).is_err() {
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) if prune_due => {
                    if self.prune(now) {
                        prune_at = now.after(BETWEEN_PRUNES);
                    }
                }
                Err(RecvTimeoutError::Timeout) => self.sync(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn beat(&self) -> Wall {
        let now = (self.clock)();
        self.heartbeat.store(now.0, Ordering::Relaxed);
        now
    }

    fn save(&mut self, Batch { facts, mut care }: Batch, now: Wall) -> Result<(), Error> {
        if facts.is_empty() {
            return self.store.probe();
        }
        if self.unsynced.is_some_and(|since| now.since(since) >= LONGEST_UNSYNCED) {
            care = Care::Synced;
        }
        self.store.commit(&facts, care)?;
        match care {
            Care::Synced => self.unsynced = None,
            Care::Written => {
                self.unsynced.get_or_insert(now);
            }
        }
        Ok(())
    }

    /// Where there is nothing else to do. If it fails, so will the next batch, and be told of.
    fn sync(&mut self) {
        if self.unsynced.is_some() && self.store.sync().is_ok() {
            self.unsynced = None;
        }
    }

    /// Deletes some of what is old; true where there is nothing more to delete for now.
    fn prune(&mut self, now: Wall) -> bool {
        match self.store.prune(now, self.retention) {
            Ok(deleted) => deleted == 0,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "old runs are not deleted; tried again in an hour");
                true
            }
        }
    }
}
