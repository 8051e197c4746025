//! The pages for a person: made from the board at each request, without a script and without
//! anything from elsewhere.
//!
//! Links are relative, so that the pages can lie below any path of a proxy. Text becomes HTML by
//! [`Html`] alone, so that none can be forgotten to be escaped.

mod html;
mod pipeline;
mod run;
mod status;

pub(super) use html::Html;
pub(super) use pipeline::{pipeline, runs};
pub(super) use run::{result, run};
pub(super) use status::{Account, status};

use std::time::Duration;

use crate::board::PipelineBoard;
use crate::config::duration::Span;
use crate::model::{MissedReason, PauseCause, Run, Wall};
use crate::totals::Key;

/// A name or id as a segment of a relative link.
fn segment(name: &str) -> String {
    percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string()
}

fn at_second(wall: Wall) -> String {
    Wall(wall.0.div_euclid(1000) * 1000).to_string()
}

fn took(millis: i64) -> String {
    Span(Duration::from_millis(u64::try_from(millis).unwrap_or(0))).told().to_string()
}

/// What became of the trigger, in a few words.
fn trigger(run: &Run) -> String {
    match run.reason {
        Some(reason) => format!("{}: {reason}", run.outcome),
        None => run.outcome.to_string(),
    }
}

/// Why nothing begins at its due times, if that is so.
pub(super) fn pauses(pipeline: &PipelineBoard) -> Vec<&'static str> {
    let causes = PauseCause::ALL.iter().filter(|cause| pipeline.is_paused_by(**cause));
    causes.map(|cause| cause.as_str()).collect()
}

/// How many of its due times were missed, whatever for.
pub(super) fn missed(pipeline: &PipelineBoard) -> i64 {
    MissedReason::ALL.iter().map(|reason| pipeline.total(Key::Missed(*reason))).sum()
}

/// When it is due, in words.
fn schedule(pipeline: &PipelineBoard) -> String {
    let text = pipeline.config.schedule.as_ref().map_or("by hand only", |schedule| schedule.text());
    match pauses(pipeline).as_slice() {
        [] => text.to_owned(),
        pauses => format!("{text} (paused: {})", pauses.join(", ")),
    }
}
