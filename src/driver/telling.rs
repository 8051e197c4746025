//! What the log says of what has happened: one line a transition, readable alone.

use tracing::{debug, info, warn};

use crate::config::Config;
use crate::engine::Listing;
use crate::model::{AccountName, Change, Fact, LookupAnswer, PipelineName, Run, Setback, Wall};

/// Logs a fact, once it is on disk; `config` is the one that holds.
pub(super) fn tell(fact: &Fact, config: &Config) {
    match fact {
        Fact::Run { run, change, .. } => tell_run(run, *change, config),
        Fact::Missed { pipeline, reason, count, latest, .. } => {
            warn!(%pipeline, %reason, count, %latest, "nothing was sent for a due time");
        }
        Fact::Loaded(stored) => {
            debug!(pipeline = %stored.name, schedule = stored.schedule, paused = stored.paused, "schedule loaded");
        }
        Fact::Next { pipeline, at } => {
            debug!(%pipeline, next = at.map(tracing::field::display), "next due time");
        }
        Fact::Maintenance { pipeline, inside: true } => {
            info!(%pipeline, "maintenance begins: nothing is triggered until it ends");
        }
        Fact::Maintenance { pipeline, inside: false } => {
            info!(%pipeline, "maintenance is over");
        }
        Fact::TriggerLookedUp { pipeline, usable: true, .. } => {
            debug!(%pipeline, "the trigger is there and switched on");
        }
        Fact::TriggerLookedUp { pipeline, message, .. } => {
            let detail = message.as_deref();
            warn!(%pipeline, detail, "the trigger can't be used: look at it in Harness");
        }
        Fact::ForeignRuns { pipeline, count, execution } => {
            warn!(%pipeline, count, %execution, "somebody else has started what this trigger starts");
        }
        Fact::Buckets(bounds) => {
            info!(
                buckets = bounds.len(),
                "durations are counted in other buckets: their histograms begin anew"
            );
        }
        Fact::Waiting(_) => {}
    }
}

/// Logs what a dry run has not sent.
pub(super) fn withheld(pipeline: &PipelineName, due: Option<Wall>) {
    let due = due.map(tracing::field::display);
    info!(%pipeline, due, "dry run: would have triggered");
}

/// Logs that a pipeline is not triggered because the clock was once ahead.
pub(super) fn silenced(pipeline: &PipelineName, until: Wall) {
    warn!(
        %pipeline,
        %until,
        "the clock was once ahead of now: due times up to then count as dealt with, so nothing is \
         triggered until then; to go on at once, give the pipeline another name"
    );
}

/// What came of looking a trigger up, where it was not told of.
pub(super) fn looked_up(pipeline: &PipelineName, answer: &LookupAnswer) {
    // A refusal is a fact about the trigger, told as such.
    if let LookupAnswer::Failed { message: detail } = answer {
        debug!(%pipeline, detail, "the trigger could not be looked up");
    }
}

/// From now on executions are listed in another way, or not at all.
pub(super) fn listed_otherwise(account: &AccountName, listing: Listing, detail: &str) {
    let how = match listing {
        Listing::Ids => "by their ids",
        Listing::Triggers => "by their triggers",
        Listing::Not => "one by one",
    };
    info!(%account, detail, how, "runs under way are read in another way from now on");
}

fn tell_run(run: &Run, change: Change, config: &Config) {
    let (pipeline, id) = (&run.pipeline, &run.id);
    let event = run.event.as_ref().map(tracing::field::display);
    let execution = run.execution.as_ref().map(tracing::field::display);
    let detail = run.message.as_deref();
    match change {
        Change::Begun => info!(%pipeline, run = %id, origin = %run.origin, "run begun"),
        // Whether it leaves shows only then.
        Change::Sending => info!(%pipeline, run = %id, "trying to send the webhook"),
        Change::Waiting => {
            let why = run.setback.map_or("the webhook had no effect", set_back);
            info!(%pipeline, run = %id, detail, "{why}: it is tried again until its deadline");
        }
        Change::Accepted => info!(%pipeline, run = %id, event, "webhook accepted"),
        Change::Unconfirmed => {
            let reason = run.doubt.map(tracing::field::display);
            warn!(%pipeline, run = %id, reason, detail, "harness may have taken the webhook: looking for its execution");
        }
        Change::Started if event.is_none() => {
            info!(%pipeline, run = %id, execution, "found the execution of a webhook of unknown fate");
        }
        Change::Started => info!(%pipeline, run = %id, event, execution, "execution requested"),
        Change::Progress => {
            let status = run.status.map(tracing::field::display);
            debug!(%pipeline, run = %id, execution, status, "execution moved on");
        }
        Change::TriggerFailed => {
            let reason = run.reason.map(tracing::field::display);
            warn!(%pipeline, run = %id, event, outcome = %run.outcome, reason, detail, "trigger failed");
        }
        Change::Settled => info!(%pipeline, run = %id, "it is not tried again"),
        Change::Finished => {
            let result = run.result.map(tracing::field::display);
            let status = run.status.map(tracing::field::display);
            let url = config.execution_page(run).map(tracing::field::display);
            let seconds = run.duration.map(|millis| millis as f64 / 1000.0);
            info!(%pipeline, run = %id, execution, result, status, duration_seconds = seconds, url, detail, "run ended");
        }
    }
}

/// What came of an attempt that certainly started nothing.
const fn set_back(setback: Setback) -> &'static str {
    match setback {
        Setback::Throttled => "harness throttles and did not take the webhook",
        Setback::NeverLeft => "the webhook never left this machine",
        Setback::NotSent => "no webhook could be made",
        Setback::UnknownPath => "harness does not know the webhook's url",
    }
}
