//! Which stages of a run become series.
//!
//! Stage identifiers are the one label whose values come from Harness. They are bounded here in
//! number and in length, and no two are alike, whatever a stage map holds.

use std::collections::HashSet;

use crate::board::PipelineBoard;
use crate::model::{Run, Stage};

/// How many stages of a pipeline are shown.
const MOST: usize = 50;

/// How many characters of an identifier are shown.
const LONGEST: usize = 128;

/// The stages of `run` that are shown, each with the value of its label: none where the config has
/// switched them off. Of those with one identifier the first is.
pub(super) fn shown<'a>(
    board: &PipelineBoard,
    run: Option<&'a Run>,
) -> impl Iterator<Item = (&'a str, &'a Stage)> {
    let mut seen = HashSet::new();
    run.filter(|_| board.options.stages)
        .into_iter()
        .flat_map(|run| &run.stages)
        .map(|stage| (shortened(&stage.id), stage))
        .filter(move |(id, _)| seen.insert(*id))
        .take(MOST)
}

fn shortened(id: &str) -> &str {
    id.char_indices().nth(LONGEST).map_or(id, |(end, _)| id.split_at(end).0)
}
