//! `/`: what a person wants to see of each account and pipeline at a glance.

use super::html::{Cell, Html};
use super::{at_second, missed, result, schedule, segment, took, trigger};
use crate::board::{PipelineBoard, Snapshot};

/// How an account stands.
pub(in crate::web) struct Account {
    /// Its name.
    pub(in crate::web) name: String,
    /// Whether Harness serves it; none before the first call.
    pub(in crate::web) up: Option<bool>,
}

const TITLES: [&str; 9] = [
    "Pipeline",
    "Schedule",
    "Next due",
    "Active",
    "Missed",
    "Newest trigger",
    "Newest result",
    "Ended",
    "Took",
];

/// The middle of the page.
pub(in crate::web) fn status(snapshot: &Snapshot, accounts: &[Account]) -> Html {
    let mut html = Html::default();
    let harness = accounts.iter().map(|account| {
        let up = match account.up {
            None => "not called yet",
            Some(true) => "up",
            Some(false) => "down",
        };
        vec![account.name.as_str().into(), up.into()]
    });
    html.table(&["Account", "Harness"], harness.collect());
    if snapshot.waiting > 0 {
        html.paragraph(&format!("{} due times wait for a limit.", snapshot.waiting));
    }
    html.table(&TITLES, snapshot.pipelines.iter().map(|pipeline| row(pipeline)).collect());
    html
}

fn row(pipeline: &PipelineBoard) -> Vec<Cell> {
    let name = pipeline.config.name.as_str();
    let finished = pipeline.newest_finished.as_deref();
    let newest = pipeline.newest.as_deref().map_or_else(
        || "".into(),
        |run| Cell::Link(format!("runs/{}", segment(run.id.as_str())), trigger(run)),
    );
    let ended = finished.map_or_else(
        || "".into(),
        |run| Cell::Link(format!("runs/{}", segment(run.id.as_str())), result(run).to_owned()),
    );
    vec![
        Cell::Link(format!("pipelines/{}", segment(name)), name.to_owned()),
        schedule(pipeline).into(),
        pipeline.next.map_or_else(String::new, at_second).into(),
        pipeline.active.len().to_string().into(),
        missed(pipeline).to_string().into(),
        newest,
        ended,
        finished.and_then(|run| run.end).map_or_else(String::new, at_second).into(),
        finished.and_then(|run| run.duration).map_or_else(String::new, took).into(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::{Board, fixtures};

    #[test]
    fn hostile_names_stay_text() {
        let config = fixtures::config(&[("default", "<script>alert(1)</script>")]);
        let accounts = [Account { name: "<b>".to_owned(), up: Some(false) }];
        let page = status(&Board::new(&config).snapshot(), &accounts).page("x", "", "/metrics");
        assert!(page.contains("&#60;script&#62;alert(1)") && !page.contains("<script"), "{page}");
        assert!(page.contains("<td>&#60;b&#62;</td><td>down</td>"), "{page}");
        let link = "href=\"pipelines/%3Cscript%3Ealert%281%29%3C%2Fscript%3E\"";
        assert!(page.contains(link), "{page}");
    }
}
