//! `/runs/{id}`: one run.

use super::html::{Cell, Html};
use super::{at_second, segment, took, trigger};
use crate::model::Run;

const STAGES: [&str; 3] = ["Stage", "Status", "Took"];

/// How it ended, or how it stands.
pub(in crate::web) fn result(run: &Run) -> &'static str {
    match run.result {
        Some(result) => result.as_str(),
        None if run.is_active() => run.active_state().as_str(),
        None => "",
    }
}

/// The middle of the page. `url` is where Harness shows the execution.
pub(in crate::web) fn run(run: &Run, url: Option<String>) -> Html {
    let at = |wall: Option<_>| Cell::from(wall.map_or_else(String::new, at_second));
    let long = |millis: Option<_>| Cell::from(millis.map_or_else(String::new, took));
    let name = run.pipeline.as_str();
    let execution = run.execution.as_ref().map_or("", |id| id.as_str());
    let execution = match url {
        Some(url) => Cell::Link(url, execution.to_owned()),
        None => execution.into(),
    };
    let mut html = Html::default();
    html.facts(vec![
        ("Pipeline", Cell::Link(format!("../pipelines/{}", segment(name)), name.to_owned())),
        ("Account", run.account.as_str().into()),
        ("Origin", run.origin.as_str().into()),
        ("Due", at(run.due)),
        ("Attempt", run.attempt.to_string().into()),
        ("Begun", at(Some(run.begun))),
        ("Webhook sent", at(run.sent)),
        ("Event", run.event.as_ref().map_or("", |id| id.as_str()).into()),
        ("Trigger", trigger(run).into()),
        ("Execution", execution),
        ("Status in Harness", run.status.map_or("", |status| status.as_str()).into()),
        ("Result", result(run).into()),
        ("Waited in the queue", long(run.queue)),
        ("Started", at(run.start)),
        ("Ended", at(run.end)),
        ("Took", long(run.duration)),
        ("Harness says", run.message.as_deref().unwrap_or_default().into()),
    ]);
    if !run.stages.is_empty() {
        let stages = run.stages.iter().map(|stage| {
            vec![stage.id.as_str().into(), stage.status.as_str().into(), long(stage.duration)]
        });
        html.heading("Stages").table(&STAGES, stages.collect());
    }
    html
}
