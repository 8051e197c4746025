//! The only loop: waits, feeds the engine one input at a time, and carries out what it asks for,
//! in order.
//!
//! It decides nothing. A webhook is released only when the facts before it are on disk, and what
//! is on `/metrics` is on disk too. Whatever ends unasked (the store, a call that panics) ends the
//! loop with an error, and the process with it: recovery is the normal way to begin.

mod asker;
mod calls;
mod clock;
mod follow;
mod reload;
mod saving;
mod telling;
mod turns;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinError;

use asker::Asker;
use calls::{Answer, Calls};
pub use clock::{Clock, wall};
pub use follow::Follower;
use reload::Reloading;
pub use reload::{Fresh, Reread};
pub use saving::Saving;
use turns::Turn;

use crate::board::Board;
use crate::engine::{Effect, Engine, Input, Purpose, Reply, SendTrigger};
use crate::harness::Client;
use crate::metrics::{Endpoint, Loop, Own, StatusKind};
use crate::model::{
    AccountName, Answered, Change, EventAnswer, ExecutionAnswer, ExecutionsAnswer, Fact, Mono,
    PipelineName, Run, RunId, Wall,
};
use crate::run::UnknownWord;
use crate::store;
use crate::web::{ReloadReply, Request, Running, SwitchReply, TriggerReply};

/// How long the loop sleeps at most: often enough that a clock that was set is noticed soon, and
/// that a loop which stands still can be told from one that has nothing to do.
const LONGEST_SLEEP: Duration = Duration::from_secs(5);

/// By how much an execution may seem to have ended before its webhook was sent, clocks being what
/// they are.
const CLOCKS_DIFFER: Duration = Duration::from_secs(2);

/// How many unknown words are remembered, to log each once.
const MOST_WORDS: usize = 1000;

/// How many may wait for their run to be on disk at once.
const MOST_ASKS: usize = 512;

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
    /// What saves what has happened.
    pub saving: Saving,
    /// Requests from outside.
    pub asks: mpsc::Receiver<Request>,
    /// When the loop last turned, in milliseconds of the monotonic clock.
    pub pulse: Arc<AtomicU64>,
    /// How the config is read again; none where it can't be.
    pub reread: Option<Reread>,
    /// Where the web finds the config that holds.
    pub running: Running,
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
    /// The reading of the config panicked.
    #[error("the reading of the config broke down")]
    Reread(#[source] JoinError),
    /// The engine would not begin a run.
    #[error("no run of {0} could be begun")]
    NotBegun(PipelineName),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
}

struct Driver {
    parts: Parts,
    calls: Calls,
    asked: HashMap<u64, Asker>,
    last_ask: u64,
    reloading: Reloading,
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
        reloading: Reloading::new(parts.reread.take()),
        parts,
        asked: HashMap::new(),
        last_ask: 0,
        words: HashSet::new(),
        refused: HashSet::new(),
        stopping: false,
    };
    let ended = driver.work(stop).await;
    let closed = driver.parts.saving.close().await;
    ended.and(closed)
}

impl Driver {
    async fn work(&mut self, stop: impl Future<Output = ()>) -> Result<(), Error> {
        tokio::pin!(stop);
        loop {
            self.turn()?;
            if self.stopping && self.calls.no_webhooks() {
                if self.parts.saving.fails() {
                    return Err(Error::NotSaved);
                }
                if self.parts.saving.is_idle() {
                    return Ok(());
                }
            }
            let sleep = tokio::time::sleep(self.sleep());
            tokio::select! {
                () = &mut stop, if !self.stopping => self.stop(),
                answer = self.parts.saving.answer() => self.saved(answer?),
                Some(answer) = self.calls.next() => self.answered(answer?),
                Some(read) = self.reloading.next() => self.reread(read.map_err(Error::Reread)?),
                Some(ask) = self.parts.asks.recv() => self.ask(ask)?,
                () = sleep => {}
            }
        }
    }

    /// Everything that has happened by now, then what the time calls for, then all the effects.
    fn turn(&mut self) -> Result<(), Error> {
        while let Some(answer) = self.parts.saving.answer_now() {
            self.saved(answer);
        }
        while let Some(answer) = self.calls.try_next() {
            self.answered(answer?);
        }
        while let Ok(ask) = self.parts.asks.try_recv() {
            self.ask(ask)?;
        }
        let now = self.parts.clock.now();
        if let Some(writable) = self.parts.saving.may_let_go() {
            self.parts.engine.handle(Input::StoreWritable { writable }, now);
        }
        self.parts.engine.advance(now);
        self.parts.own.tick(Loop::Driver, now.wall);
        self.parts.pulse.store(pulse_at(now.mono), Ordering::Relaxed);
        for effect in self.parts.engine.effects() {
            let Some(effect) = self.parts.saving.gathering().add(effect) else { continue };
            if let Some((account, waited)) = effect.read() {
                self.parts.own.rate_limit_waited(account, waited);
            }
            match self.calls.make(effect) {
                Some(Effect::ListedOtherwise { account, listing, message }) => {
                    telling::listed_otherwise(&account, listing, &message);
                }
                Some(Effect::Reply { request, reply }) => self.reply(request, reply),
                Some(Effect::UnknownWord { run, word }) => self.unknown_word(&run, word),
                Some(Effect::Withheld { pipeline, due }) => telling::withheld(&pipeline, due),
                Some(Effect::Silenced { pipeline, until }) => telling::silenced(&pipeline, until),
                _ => {}
            }
        }
        for turn in self.parts.saving.hand_over(self.stopping)? {
            self.release(turn);
        }
        Ok(())
    }

    fn saved(&mut self, answer: store::Answer) {
        match self.parts.saving.answered(answer) {
            Ok(turn) => self.release(turn),
            Err(failed) => {
                for request in failed.refused {
                    self.reply(request, Reply::NotSaved);
                }
                self.parts.engine.handle(failed.told, self.parts.clock.now());
            }
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
        let config = self.parts.running.now().config.clone();
        for fact in &turn.facts {
            telling::tell(fact, &config);
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
            waits.tell(reply);
        }
    }

    fn run_ended(&self, run: &Arc<Run>) {
        // What had ended before it was asked for is another execution's end, of an event that was
        // answered with an old one; it says nothing of how late we are.
        let ours = |end: &Wall| run.sent.is_some_and(|sent| *end >= sent.before(CLOCKS_DIFFER));
        if let (Some(_), Some(end), Some(ended)) = (run.duration, run.end.filter(ours), run.ended) {
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

    fn answered(&mut self, Answer { account, input }: Answer) {
        match &input {
            Input::Triggered { answered, .. } => {
                self.note_call(&account, Endpoint::Trigger, answered);
            }
            Input::EventRead { run, answered } => {
                self.note_call(&account, Endpoint::Event, answered);
                let failed = match &answered.answer {
                    EventAnswer::Failed { message } => Some(message),
                    _ => None,
                };
                self.note_read(run, &account, answered.code, failed);
            }
            Input::ExecutionRead { run, answered } => {
                self.note_call(&account, Endpoint::Execution, answered);
                let failed = match &answered.answer {
                    ExecutionAnswer::Failed { message } => Some(message),
                    _ => None,
                };
                self.note_read(run, &account, answered.code, failed);
            }
            Input::ExecutionsListed { purpose, answered } => {
                self.note_call(&account, Endpoint::Executions, answered);
                self.note_list(purpose, &account, answered);
            }
            Input::TriggerLookedUp { pipeline, answered } => {
                self.note_call(&account, Endpoint::TriggerLookup, answered);
                telling::looked_up(pipeline, &answered.answer);
            }
            _ => {}
        }
        self.parts.engine.handle(input, self.parts.clock.now());
        self.note_up(&account);
    }

    fn note_list(
        &mut self,
        purpose: &Purpose,
        account: &AccountName,
        answered: &Answered<ExecutionsAnswer>,
    ) {
        let failed = match &answered.answer {
            ExecutionsAnswer::Failed { message } => Some(message),
            _ => None,
        };
        match (purpose, &answered.answer, failed) {
            // 400 is what an old version says to a filter that it does not know.
            (Purpose::Search(run), ExecutionsAnswer::Refused(refusal), _)
                if refusal.status != 400 =>
            {
                self.note_read(run, account, answered.code, Some(&refusal.message));
            }
            (Purpose::Search(run), ..) => self.note_read(run, account, answered.code, failed),
            (_, _, Some(detail)) => {
                tracing::debug!(%account, code = answered.code, detail, "could not list executions");
            }
            _ => {}
        }
    }

    fn note_read(
        &mut self,
        run: &RunId,
        account: &AccountName,
        code: Option<u16>,
        failed: Option<&String>,
    ) {
        let Some(detail) = failed else {
            self.refused.remove(account);
            return;
        };
        if !self.tells_refusal(account, code, detail) {
            tracing::debug!(%run, %account, code, detail, "could not read how the run stands");
        }
    }

    /// Where Harness refuses reads, runs are sent and not followed, while webhooks go on as if all
    /// were well: said once, until a read is answered again. Whether it was said now.
    fn tells_refusal(&mut self, account: &AccountName, code: Option<u16>, detail: &str) -> bool {
        let tells = matches!(code, Some(400..=499)) && self.refused.insert(account.clone());
        if tells {
            tracing::warn!(
                %account,
                code,
                detail,
                "harness refuses to tell of runs: they can't be followed until it does"
            );
        }
        tells
    }

    fn note_call<T>(&self, account: &AccountName, endpoint: Endpoint, answered: &Answered<T>) {
        let Some(took) = answered.took else { return };
        let own = &self.parts.own;
        own.call(account, endpoint, answered.code, took);
        if answered.code == Some(429) {
            own.throttled(account);
        }
        if !self.shows(account) {
            return;
        }
        if matches!(answered.code, Some(200..=299)) {
            own.api_success(account, self.parts.clock.now().wall);
        }
        if let Some(skew) = answered.skew {
            own.set_skew(account, skew);
        }
    }

    /// Whether it is told how an account is: not of one that is no longer in the config, whose last
    /// runs are followed all the same.
    fn shows(&self, account: &AccountName) -> bool {
        self.parts.running.now().config.accounts.contains_key(account)
    }

    fn note_up(&self, account: &AccountName) {
        match self.parts.engine.up(account).filter(|_| self.shows(account)) {
            Some(true) => self.parts.own.set_up(account),
            Some(false) => self.parts.own.set_down(account),
            None => {}
        }
    }

    /// Whoever asked may have gone, which changes nothing.
    fn ask(&mut self, ask: Request) -> Result<(), Error> {
        // While the store fails, or too many wait for it, nobody is let wait in vain, and nothing
        // gathers for them here.
        let in_vain = self.parts.saving.fails() || self.asked.len() >= MOST_ASKS;
        match ask {
            Request::Trigger { reply, .. } if in_vain => {
                let _ = reply.send(TriggerReply::StoreUnavailable);
            }
            Request::Pause { reply, .. } | Request::Resume { reply, .. } if in_vain => {
                let _ = reply.send(SwitchReply::StoreUnavailable);
            }
            Request::Trigger { pipeline, payload, reply } => {
                let random = getrandom::u64().map_err(Error::Random)?;
                let request = self.awaited_by(Asker::Trigger(reply));
                let payload = payload.map(Arc::from);
                let input = Input::Asked { request, pipeline, payload, random };
                self.parts.engine.handle(input, self.parts.clock.now());
            }
            Request::Pause { pipelines, reply } => {
                let request = self.awaited_by(Asker::Switch(reply));
                let input = Input::Pause { request, pipelines };
                self.parts.engine.handle(input, self.parts.clock.now());
            }
            Request::Resume { pipelines, reply } => {
                let request = self.awaited_by(Asker::Switch(reply));
                let input = Input::Resume { request, pipelines };
                self.parts.engine.handle(input, self.parts.clock.now());
            }
            Request::Reload { reply } => self.reloading.ask(reply),
            Request::Notified(execution) => {
                self.parts.engine.handle(Input::Notified { execution }, self.parts.clock.now());
            }
        }
        Ok(())
    }

    /// The config was read again: all of it holds from now on, or nothing of it.
    fn reread(&mut self, read: Result<Fresh, String>) {
        let now = self.parts.clock.now();
        let reply = match read {
            Ok(fresh) => {
                for warning in &fresh.warnings {
                    tracing::warn!(%warning, "the config may not mean what it says");
                }
                let config = fresh.running.config.clone();
                self.parts.running.replace(fresh.running);
                self.parts.engine.handle(Input::Configured(config.clone()), now);
                let engine = &self.parts.engine;
                self.calls.take_over(fresh.clients, |account| engine.follows(account));
                let mut board = self.parts.board.write().unwrap_or_else(PoisonError::into_inner);
                board.configure(&config);
                drop(board);
                self.parts.own.configured(&config);
                self.parts.own.config_loaded(fresh.fingerprint, now.wall);
                self.refused.retain(|account| config.accounts.contains_key(account));
                tracing::info!(pipelines = config.pipelines.len(), "config reloaded");
                ReloadReply::Done
            }
            Err(problems) => {
                self.parts.own.config_refused();
                tracing::error!(%problems, "the config is no good: the old one holds");
                ReloadReply::Refused(problems)
            }
        };
        self.reloading.tell(&reply);
    }

    /// The number by which the engine answers this one.
    fn awaited_by(&mut self, asker: Asker) -> u64 {
        self.last_ask += 1;
        self.asked.insert(self.last_ask, asker);
        self.last_ask
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
        let sleep = self.parts.saving.sleep().min(LONGEST_SLEEP);
        wake.map_or(sleep, |wake| wake.min(sleep))
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
