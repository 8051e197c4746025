//! The loop without a store: for the few runs that a person asked for and waits for.
//!
//! The same engine decides and the same calls are made as in the exporter's loop. What differs is
//! that nothing is remembered: a fact goes to the one who watches and is forgotten, and a webhook
//! is not held back for it. Whatever ends this process therefore leaves its runs to Harness.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::{Calls, Clock, Error, LONGEST_SLEEP};
use crate::config::{Concurrency, Config, Pipeline};
use crate::engine::{Effect, Engine, Input, Reply};
use crate::harness::Client;
use crate::model::{AccountName, Change, Fact, PipelineName, Restored, Run};

/// Runs being followed, until each has ended.
pub struct Follower {
    engine: Engine,
    clock: Clock,
    calls: Calls,
    seen: VecDeque<(Arc<Run>, Change)>,
    stopping: bool,
}

impl Follower {
    /// Takes up `runs` where they stand; their accounts, and the pipelines that may be asked for, are
    /// in `config`. Its schedules and its `concurrency` are left aside: nothing runs unasked.
    ///
    /// # Errors
    /// Where the system gives no random numbers.
    pub fn new(
        config: &Config,
        clients: BTreeMap<AccountName, Client>,
        runs: Vec<Arc<Run>>,
    ) -> Result<Self, Error> {
        let clock = Clock::start();
        let config = by_hand(config);
        let mut engine =
            Engine::new(&config, getrandom::u64().map_err(Error::Random)?).without_checks();
        let restored = Restored { runs, ..Restored::default() };
        engine.restore(&restored, clock.now());
        let calls = Calls::new(clients);
        Ok(Self { engine, clock, calls, seen: VecDeque::new(), stopping: false })
    }

    /// Begins a run of a pipeline of the config.
    ///
    /// # Errors
    /// Where it can't: then nothing is sent for it.
    pub fn ask(&mut self, pipeline: &PipelineName) -> Result<(), Error> {
        let input = Input::Asked {
            request: 0,
            pipeline: pipeline.to_string(),
            payload: None,
            random: getrandom::u64().map_err(Error::Random)?,
        };
        self.engine.handle(input, self.clock.now());
        let mut refused = false;
        for effect in self.engine.effects() {
            refused |= matches!(&effect, Effect::Reply { reply, .. } if !begun(reply));
            self.carry_out(effect);
        }
        if refused { Err(Error::NotBegun(pipeline.clone())) } else { Ok(()) }
    }

    /// Begins and reads nothing more; the answers of webhooks under way are waited for.
    pub fn stop(&mut self) {
        self.stopping = true;
        self.calls.drop_reads();
        self.engine.handle(Input::Stop, self.clock.now());
    }

    /// The next thing that happens to one of the runs; none once all have ended, or, after
    /// [`Follower::stop`], once no webhook is under way. Dropping the future loses nothing.
    ///
    /// # Errors
    /// Where a call broke down.
    pub async fn next(&mut self) -> Result<Option<(Arc<Run>, Change)>, Error> {
        loop {
            let now = self.clock.now();
            self.engine.advance(now);
            for effect in self.engine.effects() {
                self.carry_out(effect);
            }
            if let Some(seen) = self.seen.pop_front() {
                return Ok(Some(seen));
            }
            let over = self.engine.active_runs().next().is_none();
            if over || (self.stopping && self.calls.no_webhooks()) {
                return Ok(None);
            }
            let wake = self.engine.wake_at(now).map_or(LONGEST_SLEEP, |at| at.since(now.mono));
            tokio::select! {
                Some(answer) = self.calls.next() => {
                    self.engine.handle(answer?.input, self.clock.now());
                }
                () = tokio::time::sleep(wake.min(LONGEST_SLEEP)) => {}
            }
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match self.calls.make(effect) {
            Some(Effect::Fact(Fact::Run { run, change, .. })) => self.seen.push_back((run, change)),
            Some(Effect::SendTrigger(send)) => self.calls.trigger(send),
            // Of due times there are none, and a word that is not in our tables shows as unknown.
            Some(_) | None => {}
        }
    }
}

fn by_hand(config: &Config) -> Config {
    let pipeline = |pipeline: &Arc<Pipeline>| {
        Arc::new(Pipeline {
            schedule: None,
            concurrency: Concurrency::Allow,
            ..Pipeline::clone(pipeline)
        })
    };
    Config { pipelines: config.pipelines.iter().map(pipeline).collect(), ..config.clone() }
}

fn begun(reply: &Reply) -> bool {
    matches!(reply, Reply::Begun(_))
}
