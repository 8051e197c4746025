//! What has happened so far, in numbers: a fold over facts.
//!
//! It exists so that a scrape has nothing to ask of anyone. Every number on it follows from the
//! facts: the totals by [`totals::of`], the gauges from the few runs it keeps. Read back from the
//! store it says what it would have said had the process never stopped.
//!
//! It refuses to know anything else: what happened is not judged here, and nothing expires. What is
//! not in the config is not shown, and counted on all the same, in case it comes back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::calendar::Calendar;
use crate::config::{self, Config, MetricsOptions};
use crate::model::{
    AccountName, ActiveState, Change, Durations, Fact, PauseCause, PipelineName, Restored, Run,
    RunId, RunResult, StoredPipeline, Wall,
};
use crate::totals::{self, Cell, Entry, Key, Owner};

#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod tests;

/// How many runs must have succeeded before one is typical.
const FEWEST_RUNS: usize = 3;

/// What a run is given where none is typical yet.
const UNKNOWN_RUN: Duration = Duration::from_hours(1);

/// The totals of one owner. What is not in it is 0.
pub type Totals = BTreeMap<Key, i64>;

/// The fold: it takes facts and hands out snapshots.
#[derive(Clone, Debug)]
pub struct Board {
    pipelines: BTreeMap<PipelineName, Arc<PipelineBoard>>,
    accounts: BTreeMap<AccountName, Arc<AccountBoard>>,
    /// Those of them that are in the config.
    shown: Shown,
    waiting: u64,
    dry_run: bool,
    /// The upper bounds of the buckets in which durations are counted, in milliseconds.
    buckets: Arc<[i64]>,
}

#[derive(Clone, Debug, Default)]
struct Shown {
    pipelines: BTreeSet<PipelineName>,
    accounts: BTreeSet<AccountName>,
}

/// What a board says at one moment. It shares what has not changed with the board and with other
/// snapshots.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The pipelines of the config, by name.
    pub pipelines: Vec<Arc<PipelineBoard>>,
    /// The accounts of the config, by name.
    pub accounts: Vec<Arc<AccountBoard>>,
    /// How many due times are waiting, over all pipelines.
    pub waiting: u64,
}

/// What has happened to one pipeline.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct PipelineBoard {
    /// Its entry in the config.
    pub config: Arc<config::Pipeline>,
    /// What of its series is a matter of choice. Its durations are counted in the buckets of
    /// [`Fact::Buckets`], which follows from them.
    pub options: Arc<MetricsOptions>,
    account: Option<Arc<config::Account>>,
    /// Its totals.
    pub totals: Totals,
    /// Its runs that are not over.
    pub active: BTreeMap<RunId, Arc<Run>>,
    /// The run begun last, sent or not. Here and below equals are told apart by when they were
    /// begun and then by id.
    pub newest: Option<Arc<Run>>,
    /// The run begun last among those with an execution id.
    pub newest_executed: Option<Arc<Run>>,
    /// The run with the latest end among those with a result.
    pub newest_finished: Option<Arc<Run>>,
    /// The run of which Harness said last that it started or was refused.
    pub newest_resolved: Option<Arc<Run>>,
    /// When it will next be triggered, jitter included.
    pub next: Option<Wall>,
    /// Whether the exporter is in a dry run.
    pub dry_run: bool,
    /// Whether its account has a key, so that its trigger can be looked up.
    pub has_key: bool,
    /// Whether it is paused by hand.
    pub held: bool,
    /// Whether it is inside a maintenance window.
    pub in_maintenance: bool,
    /// By when it should have succeeded again; none while it is paused and where it has no schedule.
    pub success_expected_by: Option<Wall>,
    calendar: Calendar,
    /// The latest of when it was first loaded, last resumed, and had its schedule edited.
    since: Option<Wall>,
    durations: Durations,
    buckets: Arc<[i64]>,
}

/// What has happened to all pipelines of one account.
#[derive(Clone, Debug)]
pub struct AccountBoard {
    /// The account.
    pub name: AccountName,
    /// Its totals: those of every run, also of pipelines that are no longer in the config.
    pub totals: Totals,
}

/// A histogram as its cells add up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distribution {
    /// Upper bound in milliseconds, and how many observations are at or below it.
    pub buckets: Vec<(i64, u64)>,
    /// How many observations there are.
    pub count: u64,
    /// Their sum, in milliseconds.
    pub sum: i64,
}

impl Board {
    /// The board of a first start: every pipeline and account of `config`, and no past.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let mut board = Self {
            pipelines: BTreeMap::new(),
            accounts: BTreeMap::new(),
            shown: Shown::default(),
            waiting: 0,
            dry_run: false,
            buckets: config.metrics.duration_buckets.clone(),
        };
        board.configure(config);
        board
    }

    /// Shows the pipelines and accounts of `config` from now on, with what has been counted of each.
    pub fn configure(&mut self, config: &Config) {
        let options = Arc::new(config.metrics.clone());
        for pipeline in &config.pipelines {
            let dry_run = self.dry_run;
            let options = Arc::clone(&options);
            let board = self.pipeline(&pipeline.name);
            (board.config, board.dry_run, board.options) = (Arc::clone(pipeline), dry_run, options);
            board.account = config.accounts.get(&pipeline.account).cloned();
            board.calendar = Calendar::of(pipeline);
            let account = config.accounts.get(&pipeline.account);
            board.has_key = account.is_some_and(|account| account.api_key.is_some());
            board.expect();
        }
        for name in config.accounts.keys() {
            self.account(name);
        }
        let pipelines = config.pipelines.iter().map(|pipeline| pipeline.name.clone()).collect();
        self.shown = Shown { pipelines, accounts: config.accounts.keys().cloned().collect() };
    }

    /// The same board, of an exporter in a dry run.
    #[must_use]
    pub fn dry_run(mut self) -> Self {
        self.dry_run = true;
        for board in self.pipelines.values_mut() {
            let board = Arc::make_mut(board);
            board.dry_run = true;
            board.expect();
        }
        self
    }

    /// Takes over what a store holds of a past life. Meant for a new board, before its first fact.
    ///
    /// How many due times wait and when a pipeline is next due are not in a store: the engine says
    /// so by a fact.
    pub fn restore(&mut self, restored: &Restored) {
        self.count_in(&restored.buckets);
        for total in &restored.totals {
            self.totals_of(&total.owner).insert(total.key, total.value);
        }
        for durations in &restored.durations {
            self.pipeline(&durations.pipeline).durations = durations.clone();
        }
        for run in &restored.runs {
            self.pipeline(&run.pipeline).keep(run);
        }
        for row in &restored.pipelines {
            self.pipeline(&row.name).take(row);
        }
    }

    /// Takes note of a fact. Each is to be folded once.
    pub fn fold(&mut self, fact: &Fact) {
        for Entry { owner, key, op } in totals::of(fact, &self.buckets) {
            let value = self.totals_of(&owner).entry(key).or_default();
            *value = op.apply(*value);
        }
        match fact {
            Fact::Run { run, change, .. } => {
                let board = self.pipeline(&run.pipeline);
                board.keep(run);
                if *change == Change::Finished {
                    board.learn(run);
                }
            }
            Fact::Waiting(waiting) => self.waiting = *waiting,
            Fact::Next { pipeline, at } => {
                self.pipeline(pipeline).next = *at;
            }
            Fact::Maintenance { pipeline, inside } => {
                self.pipeline(pipeline).in_maintenance = *inside;
            }
            Fact::Loaded(row) => self.pipeline(&row.name).take(row),
            Fact::Buckets(buckets) => self.count_in(buckets),
            Fact::Missed { .. } | Fact::TriggerLookedUp { .. } => {}
        }
    }

    /// Durations are counted in these buckets from now on. Those of pipelines that are not shown
    /// begin anew too: they would not add up when they are back.
    fn count_in(&mut self, buckets: &Arc<[i64]>) {
        self.buckets = Arc::clone(buckets);
        for board in self.pipelines.values_mut() {
            let board = Arc::make_mut(board);
            board.buckets = Arc::clone(buckets);
            board.totals.retain(|key, _| !matches!(key, Key::Duration(..)));
        }
    }

    /// What the board says now. Costs two pointers a pipeline.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            pipelines: shown(&self.pipelines, &self.shown.pipelines),
            accounts: shown(&self.accounts, &self.shown.accounts),
            waiting: self.waiting,
        }
    }

    fn totals_of(&mut self, owner: &Owner) -> &mut Totals {
        match owner {
            Owner::Pipeline(name) => &mut self.pipeline(name).totals,
            Owner::Account(name) => &mut self.account(name).totals,
        }
    }

    fn pipeline(&mut self, name: &PipelineName) -> &mut PipelineBoard {
        let buckets = &self.buckets;
        let board = self.pipelines.entry(name.clone()).or_insert_with(|| {
            let nobodys = config::Pipeline::new(name.clone(), AccountName::new(""));
            Arc::new(PipelineBoard::new(Arc::new(nobodys), Arc::clone(buckets)))
        });
        Arc::make_mut(board)
    }

    fn account(&mut self, name: &AccountName) -> &mut AccountBoard {
        let board = self.accounts.entry(name.clone()).or_insert_with(|| {
            Arc::new(AccountBoard { name: name.clone(), totals: Totals::new() })
        });
        Arc::make_mut(board)
    }
}

fn shown<K: Ord, B>(boards: &BTreeMap<K, Arc<B>>, shown: &BTreeSet<K>) -> Vec<Arc<B>> {
    boards.iter().filter(|(name, _)| shown.contains(*name)).map(|(_, b)| Arc::clone(b)).collect()
}

impl PipelineBoard {
    fn new(config: Arc<config::Pipeline>, buckets: Arc<[i64]>) -> Self {
        Self {
            options: Arc::default(),
            account: None,
            durations: Durations::of(config.name.clone()),
            calendar: Calendar::of(&config),
            since: None,
            success_expected_by: None,
            config,
            totals: Totals::new(),
            active: BTreeMap::new(),
            newest: None,
            newest_executed: None,
            newest_finished: None,
            newest_resolved: None,
            next: None,
            dry_run: false,
            has_key: false,
            held: false,
            in_maintenance: false,
            buckets,
        }
    }

    fn keep(&mut self, run: &Arc<Run>) {
        if run.is_active() {
            self.active.insert(run.id.clone(), Arc::clone(run));
        } else {
            self.active.remove(&run.id);
        }
        replace(&mut self.newest, run, |run| Some(run.begun));
        replace(&mut self.newest_executed, run, |run| run.execution.as_ref().map(|_| run.begun));
        replace(&mut self.newest_finished, run, |run| {
            run.result.map(|_| run.end.or(run.ended).unwrap_or(run.begun))
        });
        replace(&mut self.newest_resolved, run, |run| run.resolved);
    }

    fn take(&mut self, row: &StoredPipeline) {
        (self.held, self.since) = (row.held, Some(row.since));
        self.expect();
    }

    /// A run has ended.
    fn learn(&mut self, run: &Run) {
        if let (Some(took), Some(result)) = (run.duration, run.result) {
            self.durations.add(took, result);
        }
        self.expect();
    }

    /// Its second due time after the last success, or since there was something to expect, and time
    /// for the run.
    fn expect(&mut self) {
        let paused = self.config.paused || self.held || self.dry_run;
        let succeeded = Wall(self.total(Key::LastResult(RunResult::Success)));
        let from = self.since.map(|since| since.max(succeeded)).filter(|_| !paused);
        let first = from.and_then(|from| self.calendar.next_after(from));
        let second = first.and_then(|first| self.calendar.next_after(first));
        let room = self.typical_duration().map_or(UNKNOWN_RUN, |typical| typical * 2);
        self.success_expected_by = second.map(|second| self.calendar.fires(second).after(room));
    }

    /// How long its runs take when they succeed: the median of the last 30; none before the third.
    #[must_use]
    pub fn typical_duration(&self) -> Option<Duration> {
        let mut sorted: Vec<i64> = self.durations.succeeded.iter().copied().collect();
        sorted.sort_unstable();
        let middle = sorted.len() / 2;
        let upper = *sorted.get(middle).filter(|_| sorted.len() >= FEWEST_RUNS)?;
        let lower = if sorted.len().is_multiple_of(2) { *sorted.get(middle - 1)? } else { upper };
        u64::try_from(lower.midpoint(upper)).ok().map(Duration::from_millis)
    }

    /// Whether this keeps it from being triggered at its due times.
    #[must_use]
    pub fn is_paused_by(&self, cause: PauseCause) -> bool {
        match cause {
            PauseCause::Config => self.config.paused,
            PauseCause::DryRun => self.dry_run,
            PauseCause::Maintenance => self.in_maintenance,
            PauseCause::Manual => self.held,
        }
    }

    /// Where Harness shows the execution of one of its runs; none where the run is of another account
    /// than the config names now.
    #[must_use]
    pub fn execution_page(&self, run: &Run) -> Option<Url> {
        let account = self.account.as_ref().filter(|account| account.name == run.account)?;
        Some(account.execution_page(&self.config.target(), run.execution.as_ref()?))
    }

    /// One of its totals.
    #[must_use]
    pub fn total(&self, key: Key) -> i64 {
        self.totals.get(&key).copied().unwrap_or(0)
    }

    /// How long the runs with this result took; `None` before the first.
    #[must_use]
    pub fn durations(&self, result: RunResult) -> Option<Distribution> {
        let cell = |cell| Key::Duration(result, cell);
        (self.total(Key::Runs(result)) > 0)
            .then(|| Distribution::of(&self.totals, &self.buckets, cell))
    }

    /// The active runs in `state`.
    pub fn active_in(&self, state: ActiveState) -> impl Iterator<Item = &Run> {
        self.active.values().map(Arc::as_ref).filter(move |run| run.active_state() == state)
    }
}

impl AccountBoard {
    /// How long the executions of its runs were queued.
    #[must_use]
    pub fn queue(&self) -> Distribution {
        Distribution::of(&self.totals, totals::WAIT_BOUNDS, Key::Queue)
    }

    /// How long Harness took to say what became of a trigger.
    #[must_use]
    pub fn processing(&self) -> Distribution {
        Distribution::of(&self.totals, totals::WAIT_BOUNDS, Key::Processing)
    }
}

impl Distribution {
    /// Cumulates the cells. A negative one, which only a damaged store holds, counts as none, so
    /// that the buckets never fall.
    fn of(totals: &Totals, bounds: &[i64], key: impl Fn(Cell) -> Key) -> Self {
        let value = |cell| totals.get(&key(cell)).copied().unwrap_or(0);
        let observed = |cell| u64::try_from(value(cell)).unwrap_or(0);
        let mut count = 0_u64;
        let buckets = bounds.iter().map(|bound| {
            count = count.saturating_add(observed(Cell::Upto(*bound)));
            (*bound, count)
        });
        let buckets = buckets.collect();
        let count = count.saturating_add(observed(Cell::Above));
        Self { buckets, count, sum: value(Cell::Sum) }
    }
}

/// Puts `run` into `place`, unless the run that is there ranks above it. `rank` is none for a run that
/// does not belong there.
fn replace(place: &mut Option<Arc<Run>>, run: &Arc<Run>, rank: impl Fn(&Run) -> Option<Wall>) {
    let Some(of_run) = rank(run) else { return };
    let above = place.as_ref().is_some_and(|there| {
        there.id != run.id
            && (rank(there), there.begun, &there.id) > (Some(of_run), run.begun, &run.id)
    });
    if !above {
        *place = Some(Arc::clone(run));
    }
}
