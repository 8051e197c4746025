//! Problems and warnings as a compiler shows them: with the line, and a mark under what is meant.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::place::Place;
use super::{Problem, Warning};

/// Whether a text has colours in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    /// As escape sequences for a terminal.
    Ansi,
    /// None.
    Plain,
}

impl Problem {
    /// Several lines, without a line end after the last.
    #[must_use]
    pub fn rendered(&self, colours: Colours) -> String {
        rendered(Level::ERROR, &self.place, &self.message, colours)
    }
}

impl Warning {
    /// Several lines, without a line end after the last.
    #[must_use]
    pub fn rendered(&self, colours: Colours) -> String {
        rendered(Level::WARNING, &self.place, &self.message, colours)
    }
}

fn rendered(level: Level<'_>, place: &Place, message: &str, colours: Colours) -> String {
    let path = place.path();
    let title = if path.is_empty() { message.to_owned() } else { format!("{path}: {message}") };
    let title = Group::with_title(level.clone().primary_title(title));
    let mut origin = Origin::path(place.file_name());
    let mut groups = Vec::new();
    if let Some(spot) = place.spot() {
        origin = origin.line(spot.line).char_column(spot.column);
        groups.push(title.element(origin));
        let mark = AnnotationKind::Primary.span(spot.from..spot.to);
        let line = Snippet::source(spot.shown.as_str()).line_start(spot.line).annotation(mark);
        groups.push(Group::with_level(level).element(line));
    } else {
        groups.push(title.element(origin));
    }
    let renderer = match colours {
        Colours::Ansi => Renderer::styled(),
        Colours::Plain => Renderer::plain(),
    };
    let drawn = renderer.decor_style(DecorStyle::Ascii).render(&groups);
    // Two groups, so that the column is that in the file and not that in the line as it is shown;
    // the renderer sets them apart by a line too many.
    let mut lines: Vec<&str> = drawn.lines().collect();
    lines.dedup();
    lines.join("\n")
}
