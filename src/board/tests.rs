//! The fold against a plain recount of everything that happened.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::fixtures::{NOON, config, execution, noon, run};
use super::*;
use crate::model::{Mark, MissedReason, Origin, Outcome, Phase, Reason, Status};
use crate::totals::Total;

/// Two pipelines of one account, one of another, and one that is not in the config.
const PIPELINES: [(&str, &str); 4] =
    [("default", "checkout"), ("default", "search"), ("eu", "billing"), ("default", "removed")];

/// What a store and a reader of the whole history would know.
struct History {
    facts: Vec<Fact>,
    buckets: Arc<[i64]>,
    runs: BTreeMap<RunId, Arc<Run>>,
    totals: BTreeMap<(Owner, Key), i64>,
}

/// One step: of which pipeline, what, and a number that decides the rest.
type Step = (usize, u8, u32);

impl History {
    fn of(steps: &[Step]) -> Self {
        let mut history = Self {
            facts: Vec::new(),
            buckets: Arc::from(totals::DURATION_BOUNDS),
            runs: BTreeMap::new(),
            totals: BTreeMap::new(),
        };
        for (at, step) in steps.iter().enumerate() {
            history.step(*step, noon(i64::try_from(at).unwrap() / 2));
        }
        history
    }

    /// Every step is a turn that the life of a run may take; time passes every other step, so that
    /// instants coincide.
    fn step(&mut self, (which, what, number): Step, now: Wall) {
        let (account, name) = PIPELINES[which];
        let pick = number as usize;
        let pipeline = PipelineName::new(name);
        match what {
            0 | 1 => {
                let mut run = run(account, name, now);
                run.id = RunId::of_request(&pipeline, number.into());
                run.origin = Origin::ALL[pick % Origin::ALL.len()];
                if !self.runs.contains_key(&run.id) {
                    self.record(run, Change::Begun);
                }
            }
            2 => self.missed(pipeline, MissedReason::ALL[pick % MissedReason::ALL.len()], now),
            3 => self.push(Fact::Waiting(number.into())),
            4 => {
                let at = number.is_multiple_of(2).then_some(Wall(NOON.0 + i64::from(number)));
                self.push(Fact::Next { pipeline, at });
            }
            5 if number.is_multiple_of(4) => {
                self.push(Fact::Buckets([i64::from(number), 20_000_000].into()));
            }
            _ => {
                let mut active = self.runs.values();
                let picked = active.find(|run| run.is_active() && run.pipeline == pipeline);
                if let Some(run) = picked.map(|run| Run::clone(run)) {
                    self.advance(run, number, now);
                }
            }
        }
    }

    fn advance(&mut self, mut run: Run, number: u32, now: Wall) {
        // Independent of what the remainders by 2 and 3 decide.
        let pick = number as usize / 6;
        let ends = number.is_multiple_of(3);
        run.state_since = now;
        let change = match run.execution {
            None if ends => {
                run.reason = Some(Reason::ALL[pick % Reason::ALL.len()]);
                (run.phase, run.outcome, run.ended) = (Phase::Ended, Outcome::Failed, Some(now));
                (run.resolved, run.processing) =
                    (Some(now).filter(|_| number.is_multiple_of(2)), Some(i64::from(number)));
                Change::TriggerFailed
            }
            None => {
                run.execution = execution(number.into());
                (run.phase, run.outcome) = (Phase::Executing, Outcome::Started);
                (run.resolved, run.processing) = (Some(now), Some(i64::from(number)));
                Change::Started
            }
            Some(_) if ends => {
                run.result = Some(RunResult::ALL[pick % RunResult::ALL.len()]);
                (run.phase, run.ended, run.end) = (Phase::Ended, Some(now), Some(now));
                run.duration = number.is_multiple_of(2).then_some(i64::from(number) * 1_000);
                run.queue = Some(i64::from(number));
                Change::Finished
            }
            Some(_) => {
                run.status = Some(Status::ALL[pick % Status::ALL.len()]);
                Change::Progress
            }
        };
        self.record(run, change);
    }

    fn missed(&mut self, pipeline: PipelineName, reason: MissedReason, latest: Wall) {
        let mark = crate::model::Mark::default();
        self.push(Fact::Missed { pipeline, reason, count: 2, latest, mark });
    }

    fn record(&mut self, run: Run, change: Change) {
        let run = Arc::new(run);
        self.runs.insert(run.id.clone(), Arc::clone(&run));
        self.push(Fact::Run { run, change, mark: None });
    }

    fn push(&mut self, fact: Fact) {
        if let Fact::Buckets(buckets) = &fact {
            self.totals.retain(|(_, key), _| !matches!(key, Key::Duration(..)));
            self.buckets = buckets.clone();
        }
        for entry in totals::of(&fact, &self.buckets) {
            let value = self.totals.entry((entry.owner, entry.key)).or_default();
            *value = entry.op.apply(*value);
        }
        self.facts.push(fact);
    }

    /// The run of `pipeline` that ranks highest.
    fn first_by<R: Ord>(
        &self,
        pipeline: &PipelineName,
        rank: impl Fn(&Run) -> Option<R>,
    ) -> Option<Arc<Run>> {
        let runs = self.runs.values().filter(|run| run.pipeline == *pipeline);
        runs.filter(|run| rank(run).is_some())
            .max_by_key(|run| (rank(run), run.begun, run.id.clone()))
            .cloned()
    }

    /// What a store hands over: in no particular order, and each run once.
    fn restored(&self) -> Restored {
        let mut runs: BTreeMap<RunId, Arc<Run>> = BTreeMap::new();
        runs.extend(self.runs.clone().into_iter().filter(|(_, run)| run.is_active()));
        for (_, name) in PIPELINES {
            for run in gauged(self, &PipelineName::new(name)).into_iter().flatten() {
                runs.insert(run.id.clone(), run);
            }
        }
        let totals = self.totals.iter().map(|((owner, key), value)| Total {
            owner: owner.clone(),
            key: *key,
            value: *value,
        });
        Restored {
            pipelines: vec![StoredPipeline {
                name: PipelineName::new("removed"),
                schedule: String::new(),
                paused: false,
                held: false,
                since: NOON,
                mark: crate::model::Mark::default(),
            }],
            runs: runs.into_values().collect(),
            totals: totals.collect(),
            durations: Vec::new(),
            buckets: self.buckets.clone(),
        }
    }

    /// The facts that a store does not keep and the engine states anew: here the last of each.
    fn derived(&self) -> Vec<Fact> {
        let derived = |fact: &&Fact| matches!(fact, Fact::Waiting(_) | Fact::Next { .. });
        self.facts.iter().filter(derived).cloned().collect()
    }
}

/// The runs that the gauges speak of: begun, executed, finished and resolved last.
fn gauged(history: &History, pipeline: &PipelineName) -> [Option<Arc<Run>>; 4] {
    [
        history.first_by(pipeline, |run| Some(run.begun)),
        history.first_by(pipeline, |run| run.execution.as_ref().map(|_| run.begun)),
        history.first_by(pipeline, |run| run.result.and(run.end)),
        history.first_by(pipeline, |run| run.resolved),
    ]
}

fn folded(facts: &[Fact]) -> Board {
    let mut board = Board::new(&config(&PIPELINES[..3]));
    for fact in facts {
        board.fold(fact);
    }
    board
}

/// Everything that a snapshot says but the config, which is given.
fn said(board: &Board) -> String {
    let snapshot = board.snapshot();
    let pipelines = snapshot.pipelines.iter().map(|board| {
        let PipelineBoard { config, totals, active, next, .. } = board.as_ref();
        let runs =
            [&board.newest, &board.newest_executed, &board.newest_finished, &board.newest_resolved];
        let took = RunResult::ALL.iter().map(|result| board.durations(*result));
        let took: Vec<_> = took.collect();
        format!("{} {totals:?} {active:?} {next:?} {runs:?} {took:?}\n", config.name)
    });
    let accounts = snapshot.accounts.iter().map(|account| format!("{account:?}\n"));
    pipelines.chain(accounts).collect::<String>() + &snapshot.waiting.to_string()
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec((0..PIPELINES.len(), 0_u8..10, 0_u32..10_000), 0..120)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn the_books_balance_after_every_fact(steps in steps()) {
        let mut board = folded(&[]);
        for fact in &History::of(&steps).facts {
            board.fold(fact);
            for pipeline in board.snapshot().pipelines {
                let sum = |keys: &mut dyn Iterator<Item = Key>| -> i64 {
                    keys.map(|key| pipeline.total(key)).sum()
                };
                let triggers = sum(&mut Origin::ALL.iter().copied().map(Key::Triggers));
                let failures = sum(&mut Reason::ALL.iter().copied().map(Key::TriggerFailures));
                let ended = sum(&mut RunResult::ALL.iter().copied().map(Key::Runs));
                let active = i64::try_from(pipeline.active.len()).unwrap();
                prop_assert_eq!(triggers, failures + ended + active, "{}", pipeline.config.name);
                let in_states: usize =
                    ActiveState::ALL.iter().map(|state| pipeline.active_in(*state).count()).sum();
                prop_assert_eq!(in_states, pipeline.active.len());
            }
        }
    }

    #[test]
    fn the_board_says_what_a_recount_says(steps in steps()) {
        let history = History::of(&steps);
        for board in folded(&history.facts).snapshot().pipelines {
            let name = &board.config.name;
            let runs = [
                board.newest.clone(),
                board.newest_executed.clone(),
                board.newest_finished.clone(),
                board.newest_resolved.clone(),
            ];
            prop_assert_eq!(runs, gauged(&history, name));
            let active = history.runs.values().filter(|run| run.is_active());
            let active: Vec<_> = active.filter(|run| run.pipeline == *name).cloned().collect();
            prop_assert_eq!(board.active.values().cloned().collect::<Vec<_>>(), active);
            let begun = history.runs.values().filter(|run| run.pipeline == *name);
            let begun = begun.filter(|run| run.origin == Origin::Manual).count();
            let counted = board.total(Key::Triggers(Origin::Manual));
            prop_assert_eq!(counted, i64::try_from(begun).unwrap());
        }
    }

    #[test]
    fn a_restart_changes_nothing(before in steps(), after in steps(), seed in any::<u32>()) {
        let history = History::of(&before);
        let mut restored = history.restored();
        let middle = seed as usize % (restored.runs.len() + 1);
        restored.runs.rotate_left(middle);
        let mut board = folded(&[]);
        board.restore(&restored);
        for fact in history.derived() {
            board.fold(&fact);
        }
        let mut lived = folded(&history.facts);
        prop_assert_eq!(said(&board), said(&lived));

        let mut history = history;
        let known = history.facts.len();
        for step in &after {
            history.step(*step, noon(1_000));
        }
        for fact in &history.facts[known..] {
            board.fold(fact);
            lived.fold(fact);
        }
        prop_assert_eq!(said(&board), said(&lived));
    }
}

#[test]
fn what_is_not_in_the_config_is_not_shown_but_its_account_counts_it() {
    let mut finished = run("default", "removed", NOON);
    finished.execution = execution(1);
    finished.phase = Phase::Ended;
    finished.result = Some(RunResult::Success);
    finished.queue = Some(700);
    let mut elsewhere = finished.clone();
    elsewhere.account = AccountName::new("gone");
    let facts = [finished, elsewhere].map(|run| Fact::Run {
        run: Arc::new(run),
        change: Change::Finished,
        mark: None,
    });
    let snapshot = folded(&facts).snapshot();
    let names: Vec<_> = snapshot.pipelines.iter().map(|board| board.config.name.as_str()).collect();
    assert_eq!(names, ["billing", "checkout", "search"]);
    assert!(snapshot.pipelines.iter().all(|board| board.totals.is_empty()));
    let counts: Vec<_> =
        snapshot.accounts.iter().map(|board| (board.name.as_str(), board.queue().count)).collect();
    assert_eq!(counts, [("default", 1), ("eu", 0)]);
}

#[test]
fn a_snapshot_stays_as_it_was() {
    let mut board = folded(&[]);
    let before = board.snapshot();
    let run = Arc::new(run("default", "checkout", NOON));
    board.fold(&Fact::Run { run, change: Change::Begun, mark: None });
    let after = board.snapshot();
    assert!(before.pipelines[1].newest.is_none());
    assert!(after.pipelines[1].newest.is_some());
    assert!(Arc::ptr_eq(&before.pipelines[0], &after.pipelines[0]));
}

#[test]
fn a_distribution_cumulates_its_cells() {
    let cells = [(Cell::Upto(500), 2), (Cell::Upto(2_000), 3), (Cell::Upto(5_000), -7)];
    let mut totals: Totals =
        cells.into_iter().map(|(cell, value)| (Key::Queue(cell), value)).collect();
    totals.insert(Key::Queue(Cell::Above), 1);
    totals.insert(Key::Queue(Cell::Sum), 12_345);
    let distribution = Distribution::of(&totals, &[500, 1_000, 2_000, 5_000], Key::Queue);
    assert_eq!(distribution.buckets, [(500, 2), (1_000, 2), (2_000, 5), (5_000, 5)]);
    assert_eq!((distribution.count, distribution.sum), (6, 12_345));
}

#[test]
fn success_is_expected_after_two_due_times_and_room_for_the_run() {
    let config = config(&[("default", "nightly")]);
    let name = PipelineName::new("nightly");
    let mut board = Board::new(&config);
    let row = |held, since| {
        Fact::Loaded(StoredPipeline {
            name: name.clone(),
            schedule: String::new(),
            paused: false,
            held,
            since,
            mark: Mark::default(),
        })
    };
    let shown = |board: &Board| board.snapshot().pipelines[0].clone();
    let calendar = crate::calendar::Calendar::of(&config.pipelines[0]);
    let second = |from| calendar.next_after(calendar.next_after(from).unwrap()).unwrap();
    board.fold(&row(false, NOON));
    let hour = Duration::from_hours(1);
    assert_eq!(shown(&board).success_expected_by, Some(second(NOON).after(hour)));
    for minutes in [3, 1, 2] {
        let end = noon(minutes * 60);
        let finished = Run {
            id: RunId::of_request(&name, minutes.unsigned_abs()),
            phase: Phase::Ended,
            result: Some(RunResult::Success),
            duration: Some(minutes * 60_000),
            end: Some(end),
            ..run("default", "nightly", NOON)
        };
        board.fold(&Fact::Run { run: Arc::new(finished), change: Change::Finished, mark: None });
    }
    assert_eq!(shown(&board).typical_duration(), Some(Duration::from_mins(2)));
    let expected = second(noon(180)).after(Duration::from_mins(4));
    assert_eq!(shown(&board).success_expected_by, Some(expected));
    board.fold(&row(true, NOON));
    assert_eq!(shown(&board).success_expected_by, None);
}

#[test]
fn what_leaves_the_config_is_counted_on_and_shown_again_when_it_is_back() {
    let both = config(&[("default", "nightly"), ("default", "hourly")]);
    let one = config(&[("default", "hourly")]);
    let mut board = Board::new(&both);
    let begun = Arc::new(run("default", "nightly", NOON));
    board.fold(&Fact::Run { run: begun.clone(), change: Change::Begun, mark: None });
    board.configure(&one);
    assert_eq!(board.snapshot().pipelines.len(), 1);
    let failed = Run { phase: Phase::Ended, reason: Some(Reason::Other), ..Run::clone(&begun) };
    board.fold(&Fact::Run { run: Arc::new(failed), change: Change::TriggerFailed, mark: None });
    board.configure(&both);
    let back =
        board.snapshot().pipelines.iter().find(|b| b.config.name.as_str() == "nightly").cloned();
    let back = back.unwrap();
    assert_eq!((back.total(Key::Triggers(Origin::Schedule)), back.active.len()), (1, 0));
    assert_eq!(back.total(Key::TriggerFailures(Reason::Other)), 1);
}

#[test]
fn changed_buckets_begin_every_histogram_of_durations_anew_and_nothing_else() {
    let finished = |name: &str, id: u64| Fact::Run {
        run: Arc::new(Run {
            id: RunId::of_request(&PipelineName::new(name), id),
            execution: execution(id),
            phase: Phase::Ended,
            result: Some(RunResult::Success),
            duration: Some(90_000),
            queue: Some(700),
            end: Some(NOON),
            ..run("default", name, NOON)
        }),
        change: Change::Finished,
        mark: None,
    };
    let both = config(&[("default", "checkout"), ("default", "removed")]);
    let mut board = folded(&[finished("checkout", 1), finished("removed", 2)]);
    let others: Arc<[i64]> = [60_000, 300_000].into();
    board.fold(&Fact::Buckets(others.clone()));
    board.configure(&both);
    let shown = |board: &Board| {
        let snapshot = board.snapshot();
        let counts = snapshot.pipelines.iter().map(|board| {
            let runs = board.total(Key::Runs(RunResult::Success));
            (board.durations(RunResult::Success).unwrap(), runs, board.durations(RunResult::Error))
        });
        (counts.collect::<Vec<_>>(), snapshot.accounts[0].queue().count)
    };
    let none = Distribution { buckets: vec![(60_000, 0), (300_000, 0)], count: 0, sum: 0 };
    assert_eq!(shown(&board), (vec![(none.clone(), 1, None), (none.clone(), 1, None)], 2));
    board.fold(&finished("removed", 3));
    let one = Distribution { buckets: vec![(60_000, 0), (300_000, 1)], count: 1, sum: 90_000 };
    assert_eq!(shown(&board), (vec![(none, 1, None), (one, 2, None)], 3));

    let mut again = Board::new(&both);
    let totals = board.pipelines.values().flat_map(|board| {
        let owner = Owner::Pipeline(board.config.name.clone());
        let total = move |(key, value): (&Key, &i64)| Total {
            owner: owner.clone(),
            key: *key,
            value: *value,
        };
        board.totals.iter().map(total)
    });
    again.restore(&Restored { totals: totals.collect(), buckets: others, ..Restored::default() });
    assert_eq!(shown(&again).0, shown(&board).0);
}
