//! `/pipelines/{name}`: one pipeline, with its runs as far as the board has them.

use std::collections::BTreeMap;

use super::html::{Cell, Html};
use super::{at_second, missed, pauses, result, schedule, segment, took, trigger};
use crate::board::PipelineBoard;
use crate::model::Run;

const RUNS: [&str; 6] = ["Run", "Begun", "Trigger", "Result", "Ended", "Took"];

/// The middle of the page.
pub(in crate::web) fn pipeline(pipeline: &PipelineBoard) -> Html {
    let config = &pipeline.config;
    let mut html = Html::default();
    let typical = pipeline.typical_duration();
    html.facts(vec![
        ("Account", config.account.as_str().into()),
        ("Harness", format!("{} / {} / {}", config.org, config.project, config.pipeline).into()),
        ("Trigger", config.trigger.as_str().into()),
        ("Schedule", schedule(pipeline).into()),
        ("Paused", pauses(pipeline).join(", ").into()),
        ("Next due", pipeline.next.map_or_else(String::new, at_second).into()),
        ("Missed", missed(pipeline).to_string().into()),
        (
            "Usually takes",
            typical
                .map_or_else(String::new, |d| took(d.as_millis().try_into().unwrap_or(0)))
                .into(),
        ),
        (
            "Success expected by",
            pipeline.success_expected_by.map_or_else(String::new, at_second).into(),
        ),
    ]);
    html.heading("Runs").table(&RUNS, runs(pipeline).map(row).collect());
    html.paragraph("Runs under way and the newest ones; the metrics count all of them.");
    html
}

/// The runs that the board has, newest first.
pub(in crate::web) fn runs(pipeline: &PipelineBoard) -> impl Iterator<Item = &Run> {
    let newest = [
        &pipeline.newest,
        &pipeline.newest_executed,
        &pipeline.newest_finished,
        &pipeline.newest_resolved,
    ];
    let known = pipeline.active.values().chain(newest.into_iter().flatten());
    let ranked: BTreeMap<_, &Run> = known.map(|run| ((run.begun, &run.id), &**run)).collect();
    ranked.into_values().rev()
}

fn row(run: &Run) -> Vec<Cell> {
    let id = run.id.as_str();
    vec![
        Cell::Link(format!("../runs/{}", segment(id)), id.to_owned()),
        at_second(run.begun).into(),
        trigger(run).into(),
        result(run).into(),
        run.end.map_or_else(String::new, at_second).into(),
        run.duration.map_or_else(String::new, took).into(),
    ]
}
