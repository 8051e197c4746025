//! A board and a process to which everything has happened once.

use std::sync::Arc;
use std::time::Duration;

use crate::board::fixtures::{config, execution, noon, run};
use crate::board::{Board, Snapshot};
use crate::config::{Config, SecretSource};
use crate::metrics::{Endpoint, Loop, Own, StatusKind};
use crate::model::{
    AccountName, Change, Durations, Fact, FailureType, Mark, MissedReason, Origin, Outcome, Phase,
    PipelineName, Reason, ReportedStages, Restored, Run, RunResult, Stage, Status, StoredPipeline,
};

/// Three pipelines: one with a past, one that is paused, one whose first run is on its way.
pub(super) fn the_config() -> Config {
    let mut config = config(&[("default", "checkout"), ("default", "search"), ("eu", "billing")]);
    for account in config.accounts.values_mut() {
        Arc::make_mut(account).api_key = Some(SecretSource::Env("KEY".to_owned()));
    }
    config.metrics.run_info = true;
    Arc::make_mut(&mut config.pipelines[1]).paused = true;
    Arc::make_mut(&mut config.pipelines[2]).overdue_after = Some(Duration::from_mins(10));
    config
}

pub(super) fn the_board() -> Snapshot {
    the_board_of(&the_config())
}

/// The same past, shown as `config` wants it.
pub(super) fn the_board_of(config: &Config) -> Snapshot {
    let mut board = Board::new(config);
    let checkout = PipelineName::new("checkout");
    let succeeded_before =
        Durations { succeeded: [61_000, 75_000].into(), ..Durations::of(checkout.clone()) };
    board.restore(&Restored { durations: vec![succeeded_before], ..Restored::default() });
    board.fold(&Fact::Loaded(StoredPipeline {
        name: checkout,
        schedule: String::new(),
        paused: false,
        held: false,
        since: noon(-3_600),
        mark: Mark::default(),
    }));
    for run in [succeeded(), unreachable(), expired(), waiting_for_approval(), refused()] {
        tell(&mut board, run);
    }
    tell(&mut board, run("eu", "billing", noon(60)));
    board.fold(&Fact::Missed {
        pipeline: PipelineName::new("checkout"),
        reason: MissedReason::StillRunning,
        count: 3,
        latest: noon(5_400),
        mark: Mark::default(),
    });
    let looked_up = |name, message: Option<&str>| Fact::TriggerLookedUp {
        pipeline: PipelineName::new(name),
        usable: message.is_none(),
        message: message.map(str::to_owned),
    };
    board.fold(&looked_up("checkout", None));
    board.fold(&looked_up("search", Some("it is switched off")));
    board.fold(&Fact::Waiting(2));
    board.fold(&Fact::Next { pipeline: PipelineName::new("checkout"), at: Some(noon(6_300)) });
    board.snapshot()
}

/// Folds the life of a run up to where it stands.
pub(super) fn tell(board: &mut Board, run: Run) {
    let mut changes = vec![Change::Begun];
    if run.execution.is_some() {
        changes.push(Change::Started);
    }
    if run.result.is_some() {
        changes.push(Change::Finished);
    } else if run.reason.is_some() {
        changes.push(Change::TriggerFailed);
    }
    let run = Arc::new(run);
    for change in changes {
        board.fold(&Fact::Run { run: Arc::clone(&run), change, mark: None });
    }
}

pub(super) fn stage(id: &str, status: Status, duration: Option<i64>) -> Stage {
    Stage { id: id.to_owned(), status, duration }
}

fn executed(begun: i64, number: u64) -> Run {
    let mut run = run("default", "checkout", noon(begun));
    run.execution = execution(number);
    run.outcome = Outcome::Started;
    run.phase = Phase::Executing;
    run.number = Some(number);
    run.resolved = Some(noon(begun + 2));
    run.processing = Some(1_318);
    run.start = Some(noon(begun + 1));
    run.queue = Some(700);
    run
}

fn succeeded() -> Run {
    let mut run = executed(0, 41);
    run.phase = Phase::Ended;
    run.status = Some(Status::PassedWithWarning);
    run.result = Some(RunResult::Success);
    run.end = Some(noon(91));
    run.duration = Some(90_500);
    run
}

fn unreachable() -> Run {
    let mut run = run("default", "checkout", noon(900));
    run.phase = Phase::Ended;
    run.outcome = Outcome::Unreachable;
    run.reason = Some(Reason::Unreachable);
    run
}

/// By hand, for the pipeline is paused.
fn refused() -> Run {
    let mut run = run("default", "search", noon(2_000));
    run.origin = Origin::Manual;
    run.phase = Phase::Ended;
    run.outcome = Outcome::Rejected;
    run.reason = Some(Reason::Forbidden);
    run
}

/// Harness gave up after a day: 86404.046 s from start to end, and not one stage in its counts.
fn expired() -> Run {
    let mut run = executed(1_800, 42);
    run.phase = Phase::Ended;
    run.status = Some(Status::Expired);
    run.result = Some(RunResult::Timeout);
    run.end = run.start.map(|start| start.after(Duration::from_millis(86_404_046)));
    run.duration = Some(86_404_046);
    run.queue = Some(12_345_678);
    run.failure_types = vec![FailureType::Expired, FailureType::Other, FailureType::Expired];
    run.reported = Some(ReportedStages { successful: 0, running: 0, failed: 0, total: 1 });
    run.stages = vec![
        stage("build", Status::Success, Some(61_000)),
        stage("deploy", Status::Expired, Some(86_343_046)),
        stage("verify", Status::NotStarted, None),
    ];
    run
}

fn waiting_for_approval() -> Run {
    let mut run = executed(2_700, 43);
    run.status = Some(Status::WaitingApproval);
    run.state_since = noon(2_760);
    run.reported = Some(ReportedStages { successful: 1, running: 0, failed: 0, total: 2 });
    run.stages = vec![
        stage("build", Status::Success, Some(59_250)),
        stage("approve", Status::WaitingApproval, None),
    ];
    run
}

pub(super) fn the_process() -> Own {
    let own = Own::new(&the_config()).unwrap();
    let (default, eu) = (AccountName::new("default"), AccountName::new("eu"));
    own.call(&default, Endpoint::Trigger, Some(200), Duration::from_millis(180));
    own.call(&default, Endpoint::Event, Some(429), Duration::from_millis(20));
    own.call(&eu, Endpoint::Event, None, Duration::from_secs(30));
    own.call(&eu, Endpoint::Event, Some(7), Duration::ZERO);
    own.throttled(&default);
    own.rate_limit_waited(&default, Duration::from_millis(1_500));
    own.set_up(&default);
    own.set_down(&eu);
    own.api_success(&default, noon(2_760).after(Duration::from_millis(46)));
    own.set_skew(&default, -2_250);
    own.unknown_status(StatusKind::Execution);
    own.trigger_lag(Duration::from_millis(20));
    own.detection_lag(Duration::from_mins(10));
    own.tick(Loop::Driver, noon(2_765));
    own.tick(Loop::Store, noon(2_764));
    own.store_written();
    own.store_write_failed();
    own.config_loaded((1 << 53) - 1, noon(-30));
    own.config_refused();
    own.build_info("0.1.0", "unknown", "1.95.0");
    own
}
