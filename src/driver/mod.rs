//! The only loop: waits, feeds the engine one input at a time, and carries out what it asks for,
//! in order.
//!
//! It decides nothing. A webhook is released only when the facts before it are on disk, and what
//! is on `/metrics` is on disk too. Whatever ends unasked (the store, a call that panics) ends the
//! loop with an error, and the process with it: recovery is the normal way to begin.

mod calls;
mod clock;
mod follow;
mod telling;
mod turns;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinError;

use calls::{Answer, Calls};
pub use clock::{Clock, wall};
pub use follow::Follower;
use turns::{Next, Turn, Turns};

use crate::board::Board;
use crate::engine::{Effect, Engine, Input, ReadEvent, Reply, SendTrigger};
use crate::harness::Client;
use crate::metrics::{Endpoint, Loop, Own, StatusKind};
use crate::model::{
    AccountName, Answered, Change, EventAnswer, Fact, Mono, PipelineName, Run, RunId,
};
use crate::run::UnknownWord;
use crate::store::{self, Batch, Writer};
use crate::web::{TriggerReply, TriggerRequest};

/// How long the loop sleeps at most: often enough that a clock that was set is noticed soon, and
/// that a loop which stands still can be told from one that has nothing to do.
const LONGEST_SLEEP: Duration = Duration::from_secs(5);

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

/// How many unknown words are remembered, to log each once.
const MOST_WORDS: usize = 1000;

/// What the driver works with.
pub struct Parts {
    /// With the past taken up.
    pub engine: Engine,
    /// The clocks by which it was.
    pub clock: Clock,
    /// What is shown.
    pub board: Arc<RwLock<Board>>,
    /// The exporter's own metrics.
    pub own: Arc<Own>,
    /// One for each account.
    pub clients: BTreeMap<AccountName, Client>,
    /// The store's thread.
    pub writer: Writer,
    /// What came of what it was handed.
    pub saved: mpsc::Receiver<store::Answer>,
    /// Requests from outside.
    pub asks: mpsc::Receiver<TriggerRequest>,
    /// Whether the store can be written.
    pub ready: Arc<AtomicBool>,
    /// When the loop last turned, in milliseconds of the monotonic clock.
    pub pulse: Arc<AtomicU64>,
    /// Who wants to see each run that ends.
    pub ended: Option<mpsc::UnboundedSender<Arc<Run>>>,
}

/// Why the loop ended unasked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store's thread has ended.
    #[error("the store's thread has ended")]
    StoreGone,
    /// The process is to end and what has happened last can't be saved.
    #[error("what has happened last could not be saved: after a restart those runs are read again")]
    NotSaved,
    /// A call to Harness panicked.
    #[error("a call to harness broke down")]
    Call(#[from] JoinError),
    /// The engine would not begin a run.
    #[error("no run of {0} could be begun")]
    NotBegun(PipelineName),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
}

struct Driver {
    parts: Parts,
    turns: Turns,
    calls: Calls,
    asked: HashMap<u64, oneshot::Sender<TriggerReply>>,
    last_ask: u64,
    /// Set while something gathers that nobody waits for: when to save it.
    save_at: Option<tokio::time::Instant>,
    /// Set while the engine is to let nothing go, because the store fails or is slow: until when.
    held_until: Option<tokio::time::Instant>,
    /// Set while the store can't be written: when to try again.
    save_again: Option<tokio::time::Instant>,
    words: HashSet<String>,
    /// Accounts whose Harness refuses reads, which was said.
    refused: HashSet<AccountName>,
    stopping: bool,
}

/// What [`Parts::pulse`] is where the loop turns at `now`.
#[must_use]
pub fn pulse_at(now: Mono) -> u64 {
    u64::try_from(now.0.as_millis()).unwrap_or(u64::MAX)
}

/// Runs until `stop` resolves and everything under way has been saved.
///
/// # Errors
/// Where something that must not end has ended.
pub async fn run(mut parts: Parts, stop: impl Future<Output = ()>) -> Result<(), Error> {
    let mut driver = Driver {
        calls: Calls::new(std::mem::take(&mut parts.clients)),
        parts,
        turns: Turns::default(),
        asked: HashMap::new(),
        last_ask: 0,
        save_at: None,
        held_until: None,
        save_again: None,
        words: HashSet::new(),
        refused: HashSet::new(),
        stopping: false,
    };
    let ended = driver.work(stop).await;
    let closed = driver.close().await;
    ended.and(closed)
}

impl Driver {
    async fn work(&mut self, stop: impl Future<Output = ()>) -> Result<(), Error> {
        tokio::pin!(stop);
        loop {
            self.turn()?;
            if self.stopping && self.calls.no_webhooks() {
                if self.save_again.is_some() {
                    return Err(Error::NotSaved);
                }
                if self.turns.is_idle() {
                    return Ok(());
                }
            }
            let sleep = tokio::time::sleep(self.sleep());
            tokio::select! {
                () = &mut stop, if !self.stopping => self.stop(),
                answer = self.parts.saved.recv() => self.saved(answer.ok_or(Error::StoreGone)?),
                Some(answer) = self.calls.next() => self.answered(answer?),
                Some(ask) = self.parts.asks.recv() => self.ask(ask)?,
                () = sleep => {}
            }
        }
    }

    /// The store is closed before the process ends: what it leaves behind is one whole file.
    async fn close(self) -> Result<(), Error> {
        let writer = self.parts.writer;
        match tokio::task::spawn_blocking(|| writer.finish()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Error::StoreGone),
        }
    }

    /// Everything that has happened by now, then what the time calls for, then all the effects.
    fn turn(&mut self) -> Result<(), Error> {
        while let Ok(answer) = self.parts.saved.try_recv() {
            self.saved(answer);
        }
        while let Some(answer) = self.calls.try_next() {
            self.answered(answer?);
        }
        while let Ok(ask) = self.parts.asks.try_recv() {
            self.ask(ask)?;
        }
        self.mind_store();
        let now = self.parts.clock.now();
        self.parts.engine.advance(now);
        self.parts.own.tick(Loop::Driver, now.wall);
        self.parts.pulse.store(pulse_at(now.mono), Ordering::Relaxed);
        for effect in self.parts.engine.effects() {
            match self.turns.gathering().add(effect) {
                Some(Effect::ReadEvent(read)) => self.read(read),
                Some(Effect::Reply { request, reply }) => self.reply(request, reply),
                Some(Effect::UnknownWord { run, word }) => self.unknown_word(&run, word),
                Some(Effect::Withheld { pipeline, due }) => telling::withheld(&pipeline, due),
                Some(Effect::Silenced { pipeline, until }) => telling::silenced(&pipeline, until),
                _ => {}
            }
        }
        self.hand_over()
    }

    /// Hands what has gathered to the store, or releases what does not need it.
    fn hand_over(&mut self) -> Result<(), Error> {
        let now = tokio::time::Instant::now();
        if self.save_again.is_some_and(|at| at > now) {
            return Ok(());
        }
        if !self.turns.gathering().is_urgent()
            && !self.turns.gathering().is_empty()
            && !self.stopping
        {
            let at = *self.save_at.get_or_insert(now + GATHER);
            if at > now {
                return Ok(());
            }
        }
        self.save_at = None;
        loop {
            let next = match self.turns.next(now) {
                Next::Wait if self.save_again.is_some() => self.turns.probe(now),
                next => next,
            };
            match next {
                Next::Wait => return Ok(()),
                Next::Release(turn) => self.release(turn),
                Next::Save(id, facts) => {
                    let batch = Batch { id, facts };
                    return self.parts.writer.save(batch).map_err(|_| Error::StoreGone);
                }
            }
        }
    }

    fn saved(&mut self, (id, result): store::Answer) {
        match result {
            Ok(()) => {
                self.parts.own.store_written();
                if self.save_again.take().is_some() {
                    tracing::info!("the store can be written again");
                    self.parts.ready.store(true, Ordering::Relaxed);
                }
                if let Some(turn) = self.turns.saved(id) {
                    self.release(turn);
                }
            }
            Err(error) => {
                self.parts.own.store_write_failed();
                if self.save_again.is_none() {
                    let error: &dyn std::error::Error = &error;
                    tracing::error!(
                        error,
                        "the store can't be written: nothing is triggered until it can"
                    );
                }
                self.save_again = Some(tokio::time::Instant::now() + SAVE_AGAIN_AFTER);
                self.parts.ready.store(false, Ordering::Relaxed);
                self.hold();
                if let Some(failed) = self.turns.failed(id) {
                    for request in failed.refused {
                        self.reply(request, Reply::NotSaved);
                    }
                    self.parts.engine.handle(failed.told, self.parts.clock.now());
                }
            }
        }
    }

    /// Lets nothing new go while the store fails or is slow, and for a while after.
    fn mind_store(&mut self) {
        let now = tokio::time::Instant::now();
        if self.turns.with_store_for(now) > SLOW_SAVE {
            self.hold();
        } else if self.save_again.is_none() && self.held_until.is_some_and(|until| until <= now) {
            self.held_until = None;
            let input = Input::StoreWritable { writable: true };
            self.parts.engine.handle(input, self.parts.clock.now());
        }
    }

    fn hold(&mut self) {
        if self.held_until.replace(tokio::time::Instant::now() + CALM).is_none() {
            let input = Input::StoreWritable { writable: false };
            self.parts.engine.handle(input, self.parts.clock.now());
        }
    }

    /// What is on disk is shown, told and sent.
    fn release(&mut self, turn: Turn) {
        {
            let mut board = self.parts.board.write().unwrap_or_else(PoisonError::into_inner);
            for fact in &turn.facts {
                board.fold(fact);
            }
        }
        for fact in &turn.facts {
            telling::tell(fact);
            if let Fact::Run { run, change: Change::Finished | Change::TriggerFailed, .. } = fact {
                self.run_ended(run);
            }
        }
        for (request, reply) in turn.replies {
            self.reply(request, reply);
        }
        for send in turn.sends {
            self.send(send);
        }
    }

    fn reply(&mut self, request: u64, reply: Reply) {
        if let Some(waits) = self.asked.remove(&request) {
            // Whoever asked may have gone; the run goes on all the same.
            let _ = waits.send(told(reply));
        }
    }

    fn run_ended(&self, run: &Arc<Run>) {
        if let (Some(_), Some(end), Some(ended)) = (run.duration, run.end, run.ended) {
            self.parts.own.detection_lag(ended.since(end));
        }
        if let Some(watcher) = &self.parts.ended {
            // The one who watches may have gone.
            let _ = watcher.send(run.clone());
        }
    }

    fn send(&mut self, send: SendTrigger) {
        self.parts.own.rate_limit_waited(&send.pipeline.account, send.waited);
        if let Some(due) = send.due {
            self.parts.own.trigger_lag(self.parts.clock.now().wall.since(due));
        }
        self.calls.trigger(send);
    }

    fn read(&mut self, read: ReadEvent) {
        self.parts.own.rate_limit_waited(&read.account, read.waited);
        self.calls.read_event(read);
    }

    fn answered(&mut self, Answer { account, input }: Answer) {
        match &input {
            Input::Triggered { answered, .. } => {
                self.note_call(&account, Endpoint::Trigger, answered);
            }
            Input::EventRead { run, answered } => {
                self.note_call(&account, Endpoint::Event, answered);
                if let EventAnswer::Failed { message: detail } = &answered.answer {
                    tracing::debug!(%run, %account, code = answered.code, detail, "could not read the event");
                    self.note_refusal(&account, answered.code, detail);
                } else {
                    self.refused.remove(&account);
                }
            }
            _ => {}
        }
        self.parts.engine.handle(input, self.parts.clock.now());
        self.note_up(&account);
    }

    /// Where Harness refuses reads, runs are sent and not followed, while webhooks go on as if all
    /// were well: said once, until a read is answered again.
    fn note_refusal(&mut self, account: &AccountName, code: Option<u16>, detail: &str) {
        if matches!(code, Some(400..=499)) && self.refused.insert(account.clone()) {
            tracing::warn!(
                %account,
                code,
                detail,
                "harness refuses to tell of runs: they can't be followed until it does"
            );
        }
    }

    fn note_call<T>(&self, account: &AccountName, endpoint: Endpoint, answered: &Answered<T>) {
        let own = &self.parts.own;
        own.call(account, endpoint, answered.code, answered.took);
        match answered.code {
            Some(429) => own.throttled(account),
            Some(200..=299) => own.api_success(account, self.parts.clock.now().wall),
            _ => {}
        }
        if let Some(skew) = answered.skew {
            own.set_skew(account, skew);
        }
    }

    fn note_up(&self, account: &AccountName) {
        match self.parts.engine.up(account) {
            Some(true) => self.parts.own.set_up(account),
            Some(false) => self.parts.own.set_down(account),
            None => {}
        }
    }

    fn ask(&mut self, ask: TriggerRequest) -> Result<(), Error> {
        self.last_ask += 1;
        let random = getrandom::u64().map_err(Error::Random)?;
        self.asked.insert(self.last_ask, ask.reply);
        let input = Input::Asked {
            request: self.last_ask,
            pipeline: ask.pipeline,
            payload: ask.payload.map(Arc::from),
            random,
        };
        self.parts.engine.handle(input, self.parts.clock.now());
        Ok(())
    }

    /// Nothing new begins, and what only reads is dropped; webhooks under way are waited for.
    fn stop(&mut self) {
        self.stopping = true;
        self.calls.drop_reads();
        self.parts.engine.handle(Input::Stop, self.parts.clock.now());
    }

    fn sleep(&self) -> Duration {
        let now = self.parts.clock.now();
        let wake = self.parts.engine.wake_at(now).map(|at| at.since(now.mono));
        let now = tokio::time::Instant::now();
        let ours = [self.save_at, self.save_again, self.held_until];
        // What is past waits for an answer, which wakes by itself.
        let ours = ours.into_iter().flatten().filter(|at| *at > now).min();
        let ours = ours.map(|at| at.saturating_duration_since(now));
        let slow = self.turns.is_with_store().then_some(SLOW_SAVE);
        [wake, ours, slow].into_iter().flatten().fold(LONGEST_SLEEP, Duration::min)
    }

    fn unknown_word(&mut self, run: &RunId, word: UnknownWord) {
        let (kind, word) = match word {
            UnknownWord::Execution(word) => (StatusKind::Execution, word),
            UnknownWord::Trigger(word) => (StatusKind::Trigger, word),
        };
        self.parts.own.unknown_status(kind);
        let short: String = word.chars().take(100).collect();
        if self.words.len() < MOST_WORDS && self.words.insert(short.clone()) {
            tracing::warn!(%run, kind = kind.as_str(), status = short, "harness sent a status that is not in our tables");
        }
    }
}

fn told(reply: Reply) -> TriggerReply {
    match reply {
        Reply::Begun(run) => TriggerReply::Accepted { run: run.to_string() },
        Reply::UnknownPipeline(_) | Reply::Switched(_) => TriggerReply::UnknownPipeline,
        Reply::Active => TriggerReply::Active,
        Reply::NotSaved => TriggerReply::StoreUnavailable,
        Reply::DryRun => TriggerReply::DryRun,
    }
}
