//! All runs together: what is due, what may begin, what is sent, when to look again.
//!
//! One input at a time goes in by [`Engine::handle`], time goes in by [`Engine::advance`], and what
//! is to be done comes out as [`Effect`]s, in order. The whole behaviour of the program can be read
//! in these two enums. There is no I/O here, no clock and no task: the driver waits until
//! [`Engine::wake_at`], and the tests live through years in a second.
//!
//! What is kept to, whatever happens: a webhook is only asked for together with the fact that saves
//! its run, and for one due time and attempt only one that Harness may have accepted.

mod account;
mod adoption;
mod answers;
mod batch;
mod by_execution;
mod calls;
mod claims;
mod configure;
mod due;
mod hints;
mod lookup;
mod matching;
mod messages;
mod others;
mod pause;
mod restore;
mod retry;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use account::AccountState;
use adoption::Search;
use batch::Group;
pub use batch::{Listing, Project};
use claims::Claims;
use due::PipelineState;
pub use lookup::LookUpTrigger;
use lookup::Lookup;
pub use messages::{
    Effect, Input, ListExecutions, Purpose, ReadEvent, ReadExecution, Reply, SendTrigger,
};
use others::Others;

use crate::config::{
    Account, Config, DEFAULT_QUEUE_DEADLINE, DEFAULT_RUN_DEADLINE, DEFAULT_UNCONFIRMED_DEADLINE,
    Pipeline, Polling, Results,
};
use crate::model::{
    AccountName, Address, Change, ExecutionId, Fact, Mark, Mono, Now, PipelineName, Run, RunId,
    StoredPipeline, Wall,
};
use crate::polling::Memory;

/// Something that is to be done at an instant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// Look at a run.
    Read(RunId),
    /// Look at a run of which Harness says that something has happened to it.
    Hint(RunId),
    /// Look at the runs of a project that are worth it by then.
    Together(Arc<Project>),
    /// Look a pipeline's trigger up again.
    LookUp(PipelineName),
    /// Send a run's webhook again.
    Resend(RunId),
    /// A run that has not been accepted by now has failed.
    StartDeadline(RunId),
    /// The execution of a run of unknown fate is looked for no longer.
    SearchEnds(RunId),
    /// A due time that has not been sent by now is missed.
    DueDeadline(PipelineName, Wall),
}

/// A run that is not over, with the clocks that it lives by.
#[derive(Clone, Debug)]
struct Active {
    run: Run,
    /// What to send; none where the pipeline is no longer in the config.
    config: Option<Arc<Pipeline>>,
    /// By what rules it is followed.
    rules: Rules,
    sent_at: Mono,
    accepted_at: Mono,
    /// When the execution began, once Harness has said so.
    started_at: Option<Mono>,
    start_deadline: Mono,
    /// Where the webhook was last sent to.
    address: Address,
    /// How many attempts to send certainly started nothing.
    attempts: u32,
    /// When it was looked at last.
    looked_at: Mono,
    /// How long the next look is to wait, where the run is alone.
    gap: Duration,
    /// The same where calls are scarce.
    turn: Duration,
    /// When the next look at it alone is due, while its timer runs.
    look_at: Option<Mono>,
    /// When it was last looked at because of a hint, or is to be.
    hinted_at: Option<Mono>,
    /// With whose executions its own is read.
    group: Option<Arc<Project>>,
    /// Whether its execution was missing in a list, so that it is read by itself.
    alone: bool,
    /// The call under way, if any.
    call: Option<calls::Call>,
    /// How far the looking for its execution has come, where its fate is unknown.
    search: Search,
    /// Whether Harness has forgotten its event, so that it is followed by its execution.
    by_execution: bool,
    /// The attempt at the same due time that went wrong before it.
    retries: Option<Arc<Run>>,
}

/// How a run is followed: its pipeline's word, or the defaults where that is gone.
#[derive(Clone, Copy, Debug)]
struct Rules {
    polling: Polling,
    queue_deadline: Duration,
    run_deadline: Duration,
    unconfirmed_deadline: Duration,
}

impl Rules {
    fn of(config: Option<&Arc<Pipeline>>) -> Self {
        Self {
            polling: config.map_or(Polling::DEFAULT, |pipeline| pipeline.polling),
            queue_deadline: config
                .map_or(DEFAULT_QUEUE_DEADLINE, |pipeline| pipeline.queue_deadline),
            run_deadline: config.map_or(DEFAULT_RUN_DEADLINE, |pipeline| pipeline.run_deadline),
            unconfirmed_deadline: config
                .map_or(DEFAULT_UNCONFIRMED_DEADLINE, |pipeline| pipeline.unconfirmed_deadline),
        }
    }
}

/// See the module's documentation.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Engine {
    accounts: BTreeMap<AccountName, AccountState>,
    pipelines: BTreeMap<PipelineName, PipelineState>,
    /// What the statuses of executions count as, of those that end from now on.
    results: Results,
    /// The upper bounds of the buckets in which durations are counted.
    buckets: Arc<[i64]>,
    /// What the store knows of pipelines that are not in the config.
    removed: BTreeMap<PipelineName, StoredPipeline>,
    /// How long the last runs of each pipeline took, those not in the config included: one may come
    /// back.
    memories: HashMap<PipelineName, Memory>,
    /// Open runs of accounts that are not in the config: there is no one to ask.
    orphans: Vec<Arc<Run>>,
    runs: HashMap<RunId, Active>,
    /// What others start, by project.
    others: HashMap<Arc<Project>, Others>,
    /// Executions that were counted as others', and when.
    counted: HashMap<ExecutionId, Mono>,
    /// What is known of the pipelines' triggers.
    lookups: HashMap<PipelineName, Lookup>,
    /// What is to be sent once it is known where to, of those pipelines that have any.
    parked: BTreeMap<PipelineName, BTreeSet<lookup::Entry>>,
    /// What runs have had that are over.
    claims: Claims,
    /// The executions of the runs.
    executions: HashMap<ExecutionId, RunId>,
    /// Runs whose executions are read together.
    groups: HashMap<Arc<Project>, Group>,
    /// Those of them in which something has changed.
    unplanned: BTreeSet<Arc<Project>>,
    timers: BTreeSet<(Mono, Timer)>,
    /// When the wall clock next calls for each pipeline.
    agenda: BTreeSet<(Wall, PipelineName)>,
    /// What the wall clock showed last.
    seen: Wall,
    seed: u64,
    effects: Vec<Effect>,
    waiting_told: Option<u64>,
    store_writable: bool,
    stopping: bool,
    /// Every pipeline is as if it were paused, and no webhook is sent.
    dry_run: bool,
    /// Whether triggers are looked up now and then though no run needs it.
    checks: bool,
}

impl Engine {
    /// An engine for `config` that knows of no past; `seed` makes the jitter of replicas differ.
    #[must_use]
    pub fn new(config: &Config, seed: u64) -> Self {
        let account = |(name, account): (&AccountName, &Arc<Account>)| {
            (name.clone(), AccountState::new(account.clone(), seed))
        };
        let pipeline =
            |pipeline: &Arc<Pipeline>| (pipeline.name.clone(), PipelineState::new(pipeline));
        Self {
            accounts: config.accounts.iter().map(account).collect(),
            pipelines: config.pipelines.iter().map(pipeline).collect(),
            results: config.results,
            buckets: config.metrics.duration_buckets.clone(),
            removed: BTreeMap::new(),
            memories: HashMap::new(),
            orphans: Vec::new(),
            runs: HashMap::new(),
            others: HashMap::new(),
            counted: HashMap::new(),
            lookups: HashMap::new(),
            parked: BTreeMap::new(),
            claims: Claims::default(),
            executions: HashMap::new(),
            groups: HashMap::new(),
            unplanned: BTreeSet::new(),
            timers: BTreeSet::new(),
            agenda: BTreeSet::new(),
            seen: Wall::default(),
            seed,
            effects: Vec::new(),
            waiting_told: None,
            store_writable: true,
            stopping: false,
            dry_run: false,
            checks: true,
        }
    }

    /// The same engine in a dry run: it sends no webhook. Every pipeline is as if it were paused,
    /// so that nothing is caught up afterwards; runs of an earlier life are followed to their end.
    /// To be said before [`Engine::restore`].
    #[must_use]
    pub fn dry_run(self) -> Self {
        Self { dry_run: true, ..self }
    }

    /// The same engine for a person who waits for a run: triggers are looked up where a run needs it,
    /// and not otherwise. To be said before [`Engine::restore`].
    #[must_use]
    pub fn without_checks(self) -> Self {
        Self { checks: false, ..self }
    }

    /// Takes in one thing that has happened.
    pub fn handle(&mut self, input: Input, now: Now) {
        match input {
            Input::Triggered { run, answered } => self.triggered(&run, answered, now),
            Input::EventRead { run, answered } => self.event_read(&run, answered, now),
            Input::ExecutionRead { run, answered } => self.execution_read(&run, answered, now),
            Input::ExecutionsListed { purpose, answered } => match purpose {
                Purpose::Search(run) => self.searched(&run, answered, now),
                Purpose::Follow(project) => self.listed(&project, answered, now),
                Purpose::FindOthers(project) => self.others_listed(&project, answered, now),
            },
            Input::TriggerLookedUp { pipeline, answered } => {
                self.looked_up(&pipeline, *answered, now);
            }
            Input::Notified { execution } => self.notified(&execution, now),
            Input::Asked { request, pipeline, payload, random } => {
                let reply = self.asked(&pipeline, payload, random, now);
                self.effects.push(Effect::Reply { request, reply });
            }
            Input::Pause { request, pipelines } => {
                let reply = self.pause(&pipelines, now);
                self.effects.push(Effect::Reply { request, reply });
            }
            Input::Resume { request, pipelines } => {
                let reply = self.resume(&pipelines, now);
                self.effects.push(Effect::Reply { request, reply });
            }
            // What is due after the end is the next process' to say.
            Input::Configured(_) if self.stopping => {}
            Input::Configured(config) => self.configured(&config, now),
            Input::NotSaved { begun, sending } => {
                for run in &begun {
                    self.never_begun(run, now);
                }
                for run in &sending {
                    self.not_sending(run, now);
                }
            }
            Input::StoreWritable { writable } => self.store_writable = writable,
            Input::Stop => self.stopping = true,
        }
    }

    /// Does what the time calls for: notices due times, ends what is too late, lets calls go.
    /// To be called once a turn, after the inputs.
    pub fn advance(&mut self, now: Now) {
        self.claims.pass(now.mono);
        self.plan(now);
        // What has waited too long goes before what is due now, or it would stand in its way.
        self.ring(now);
        if !self.stopping {
            self.notice_due(now);
            self.ring(now);
        }
        if !self.stopping && self.store_writable {
            self.let_go(now);
        }
        self.plan(now);
        let limited: u64 = self.accounts.values().map(AccountState::due_waiting).sum();
        let waiting = limited + self.due_parked();
        if self.waiting_told != Some(waiting) {
            self.waiting_told = Some(waiting);
            self.effects.push(Effect::Fact(Fact::Waiting(waiting)));
        }
    }

    /// What is to be done, in order. Empties the list.
    pub fn effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// When time next calls for something, if nothing happens before.
    #[must_use]
    pub fn wake_at(&self, now: Now) -> Option<Mono> {
        let timer = self.timers.first().map(|(at, _)| *at);
        if self.stopping {
            return timer;
        }
        let due = self.agenda.first().map(|(due, _)| now.mono_at(*due));
        let calls = self.accounts.values().filter(|_| self.store_writable);
        let call = calls.filter_map(|account| account.next_call_at(now.mono)).min();
        [timer, due, call].into_iter().flatten().min()
    }

    /// How many webhooks have been sent and not been answered.
    #[must_use]
    pub fn webhooks_under_way(&self) -> usize {
        let sending = |active: &&Active| matches!(active.call, Some(calls::Call::Trigger(_)));
        self.runs.values().filter(sending).count()
    }

    /// Whether an account's Harness is up, once it has been called.
    #[must_use]
    pub fn up(&self, account: &AccountName) -> Option<bool> {
        self.accounts.get(account).and_then(AccountState::up)
    }

    /// Whether there are runs of an account to be followed, or the config has it.
    #[must_use]
    pub fn follows(&self, account: &AccountName) -> bool {
        self.accounts.contains_key(account)
    }

    /// The records of the runs that are not over, in no particular order.
    pub fn active_runs(&self) -> impl Iterator<Item = &Run> {
        self.runs.values().map(|active| &active.run)
    }

    fn record(&mut self, change: Change, run: Arc<Run>, mark: Option<Mark>) {
        if let (Change::Started, Some(execution)) = (change, &run.execution) {
            self.executions.insert(execution.clone(), run.id.clone());
        }
        let run = match change {
            Change::TriggerFailed | Change::Finished => self.with_retry(run),
            _ => run,
        };
        self.effects.push(Effect::Fact(Fact::Run { run, change, mark }));
    }

    /// A run is over: forget it here. What it was is in the facts.
    fn retire(&mut self, run: &RunId) {
        self.leave(run);
        let Some(active) = self.runs.remove(run) else { return };
        self.remember(&active);
        if let Some(execution) = &active.run.execution {
            self.executions.remove(execution);
        }
        if let Some(pipeline) = self.pipelines.get_mut(&active.run.pipeline) {
            pipeline.active.remove(run);
        }
        if let Some(account) = self.accounts.get_mut(&active.run.account) {
            account.forget(run);
            if active.call.is_some() {
                // Another call has told the end. Nobody will wait for the answer of this one.
                account.under_way = account.under_way.saturating_sub(1);
            }
        }
    }
}

#[cfg(test)]
mod tests;
