//! The table on the status page: what a person wants to see of each pipeline at a glance.

use std::fmt::Write;
use std::time::Duration;

use crate::board::{PipelineBoard, Snapshot};
use crate::config::duration::Span;
use crate::model::{Run, Wall};

use super::escape_html;

const COLUMNS: [&str; 7] =
    ["Pipeline", "Schedule", "Next", "Active", "Newest trigger", "Newest result", "Duration"];

/// The pipelines as an HTML table, escaped.
#[must_use]
pub fn pipelines_table(snapshot: &Snapshot) -> String {
    let mut table = String::from("<table><thead><tr>");
    for column in COLUMNS {
        // Writing to a string cannot fail.
        let _ = write!(table, "<th>{column}</th>");
    }
    table.push_str("</tr></thead><tbody>\n");
    for pipeline in &snapshot.pipelines {
        table.push_str("<tr>");
        for cell in row(pipeline) {
            let _ = write!(table, "<td>{}</td>", escape_html(&cell));
        }
        table.push_str("</tr>\n");
    }
    table.push_str("</tbody></table>");
    table
}

fn row(pipeline: &PipelineBoard) -> [String; COLUMNS.len()] {
    let finished = pipeline.newest_finished.as_deref();
    let result = finished.and_then(|run| run.result).map_or("", |result| result.as_str());
    let schedule = match pipeline.config.schedule.as_ref().map_or("", |schedule| schedule.text()) {
        _ if pipeline.dry_run => "dry run",
        _ if pipeline.config.paused => "paused",
        "" => "by hand only",
        text => text,
    };
    [
        pipeline.config.name.to_string(),
        schedule.to_owned(),
        pipeline.next.map_or_else(String::new, at_second),
        pipeline.active.len().to_string(),
        pipeline.newest.as_deref().map_or_else(String::new, trigger),
        result.to_owned(),
        finished.and_then(|run| run.duration).map_or_else(String::new, duration),
    ]
}

fn trigger(run: &Run) -> String {
    match run.reason {
        Some(reason) => format!("{}: {reason}", run.outcome),
        None => run.outcome.to_string(),
    }
}

fn at_second(wall: Wall) -> String {
    Wall(wall.0.div_euclid(1000) * 1000).to_string()
}

fn duration(millis: i64) -> String {
    Span(Duration::from_millis(u64::try_from(millis).unwrap_or(0))).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::{Board, fixtures};

    #[test]
    fn hostile_names_stay_text() {
        let config = fixtures::config(&[("default", "<script>alert(1)</script>")]);
        let table = pipelines_table(&Board::new(&config).snapshot());
        assert!(table.contains("&#60;script&#62;alert(1)"), "{table}");
    }
}
