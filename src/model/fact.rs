//! What has happened: the one stream that the store keeps, the board counts and the log tells.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{DURATION_BOUNDS, MissedReason, PipelineName, Run, RunResult, Total, Wall};

/// What a run's record has just gone through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// It was begun: saved as `Sending`, or as `Due` where somebody asked for it.
    Begun,
    /// It is being sent, for the first time (manual) or again.
    Sending,
    /// The last attempt to send certainly started nothing; another follows.
    Waiting,
    /// Nobody knows whether Harness took the webhook: its execution is looked for.
    Unconfirmed,
    /// Harness took the webhook.
    Accepted,
    /// Harness named an execution, or it was found.
    Started,
    /// Its execution or one of its stages has moved on.
    Progress,
    /// It ended as a failed trigger.
    TriggerFailed,
    /// It ended with a result.
    Finished,
    /// It had ended and was to be followed by another attempt, of which nothing comes.
    Settled,
}

/// How far the due times of a pipeline have been dealt with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// The latest due time that was noticed. None at or before it is noticed again, ever.
    pub handled_until: Wall,
    /// Those noticed that still wait to be sent, oldest first.
    pub owed: Vec<Wall>,
}

/// Something that has happened and is to be remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A pipeline was loaded: for the first time, or with another schedule or pause than before.
    Loaded(StoredPipeline),
    /// A run moved on. `mark` where the run settles a due time.
    Run {
        /// The record as it stands now.
        run: Arc<Run>,
        /// What it has gone through.
        change: Change,
        /// How far the pipeline's due times have been dealt with, where that changed.
        mark: Option<Mark>,
    },
    /// Due times for which nothing was sent.
    Missed {
        /// Whose.
        pipeline: PipelineName,
        /// Why.
        reason: MissedReason,
        /// How many.
        count: u64,
        /// The latest of them.
        latest: Wall,
        /// How far the pipeline's due times have been dealt with.
        mark: Mark,
    },
    /// What looking a pipeline's trigger up says of it, where that has changed.
    TriggerLookedUp {
        /// Whose.
        pipeline: PipelineName,
        /// Whether it is there and switched on, and the key may see it.
        usable: bool,
        /// What stands in the way; redacted.
        message: Option<String>,
    },
    /// From here on the durations of runs are counted in buckets with these upper bounds, in
    /// milliseconds. What was counted in others does not add up with it and is forgotten.
    Buckets(Arc<[i64]>),
    /// How many due times are waiting now, over all pipelines. Not saved: it can be derived.
    Waiting(u64),
    /// When the pipeline will next be triggered. Not saved: it can be derived.
    Next {
        /// Whose.
        pipeline: PipelineName,
        /// When, or never.
        at: Option<Wall>,
    },
    /// A maintenance window of the pipeline begins or ends. Not saved: it can be derived.
    Maintenance {
        /// Whose.
        pipeline: PipelineName,
        /// Whether the pipeline is inside it now.
        inside: bool,
    },
}

impl Fact {
    /// Whether it follows from the others and the time, so that it need not be saved.
    #[must_use]
    pub const fn is_derived(&self) -> bool {
        matches!(self, Self::Waiting(_) | Self::Next { .. } | Self::Maintenance { .. })
    }
}

/// What the store knows of a pipeline beside its runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPipeline {
    /// The name in the config.
    pub name: PipelineName,
    /// When it is due, as [`crate::calendar::Calendar`] writes it; empty where it has none.
    pub schedule: String,
    /// Whether it was paused by the config.
    pub paused: bool,
    /// Whether it is paused by hand.
    pub held: bool,
    /// The latest of when it was first loaded, last resumed, and had its schedule edited.
    pub since: Wall,
    /// How far its due times have been dealt with.
    pub mark: Mark,
}

/// What a store holds of a past life, in no particular order.
#[derive(Clone, Debug)]
pub struct Restored {
    /// Every pipeline it has heard of.
    pub pipelines: Vec<StoredPipeline>,
    /// Every active run, and of each pipeline those that its gauges speak of: the newest, the
    /// newest with an execution, the newest finished, the one resolved last, and the last attempt
    /// at the newest due time. Where a run is of unknown fate, also every run that has ended since:
    /// their executions are not its own.
    pub runs: Vec<Arc<Run>>,
    /// Every total.
    pub totals: Vec<Total>,
    /// How long the last runs of each pipeline took, where one has ended.
    pub durations: Vec<Durations>,
    /// The upper bounds of the buckets in which the durations are counted, in milliseconds.
    pub buckets: Arc<[i64]>,
}

impl Default for Restored {
    /// No past.
    fn default() -> Self {
        Self {
            pipelines: Vec::new(),
            runs: Vec::new(),
            totals: Vec::new(),
            durations: Vec::new(),
            buckets: Arc::from(DURATION_BOUNDS),
        }
    }
}

/// How long the last finished runs of a pipeline took, in milliseconds, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Durations {
    /// Whose.
    pub pipeline: PipelineName,
    /// Of those that ended with success, the last 30.
    pub succeeded: VecDeque<i64>,
    /// Of those that ended with any result, the last 30.
    pub finished: VecDeque<i64>,
}

impl Durations {
    /// How many of each are remembered.
    pub const REMEMBERED: usize = 30;

    /// Of a pipeline none of whose runs has ended.
    #[must_use]
    pub const fn of(pipeline: PipelineName) -> Self {
        Self { pipeline, succeeded: VecDeque::new(), finished: VecDeque::new() }
    }

    /// Takes note of the next run that has ended; the oldest is forgotten.
    pub fn add(&mut self, took: i64, result: RunResult) {
        remember(&mut self.finished, took);
        if result == RunResult::Success {
            remember(&mut self.succeeded, took);
        }
    }
}

fn remember(durations: &mut VecDeque<i64>, took: i64) {
    durations.push_back(took);
    if durations.len() > Durations::REMEMBERED {
        durations.pop_front();
    }
}
