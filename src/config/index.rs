//! Where in the text of a file its keys and values stand.
//!
//! The values themselves are read elsewhere; this only finds them again, to point at them, and
//! shows no line in which a secret may be without hiding it.

use std::collections::HashMap;
use std::ops::Range;

use saphyr_parser::{Event, Parser, Span};

use super::hiding::{self, Secrecy};
use super::place::{Part, Spot, Step};
use super::problem::quoted;

/// The nodes of one file. Indices and ranges of text are in characters.
pub(super) struct Index<'a> {
    nodes: Vec<Node>,
    /// The top of the first document.
    root: Option<usize>,
    anchors: HashMap<usize, usize>,
    lines: Vec<Line<'a>>,
    /// What must not be shown, in order.
    hidden: Vec<Range<usize>>,
    /// Where texts stand, in order: a `#` elsewhere begins a comment.
    texts: Vec<Range<usize>>,
    more_documents: Option<usize>,
}

struct Line<'a> {
    /// The index of its first character.
    start: usize,
    text: &'a str,
}

struct Node {
    range: Range<usize>,
    kind: Kind,
}

enum Kind {
    Text(String),
    Mapping(Vec<(usize, usize)>),
    List(Vec<usize>),
    Alias(usize),
}

/// How deep mappings and lists may lie in each other.
const DEEPEST: usize = 128;

/// How deep merges may lead into each other before nobody looks on.
const DEEPEST_MERGE: usize = 32;

impl<'a> Index<'a> {
    /// The index of `text`; none where that is no YAML.
    pub(super) fn new(text: &'a str) -> Option<Self> {
        let mut start = 0;
        let lines = text.split('\n').map(|text| {
            let line = Line { start, text: text.strip_suffix('\r').unwrap_or(text) };
            start += text.chars().count() + 1;
            line
        });
        let mut index = Self {
            nodes: Vec::new(),
            root: None,
            anchors: HashMap::new(),
            lines: lines.collect(),
            hidden: Vec::new(),
            texts: Vec::new(),
            more_documents: None,
        };
        index.build(text)?;
        if let Some(root) = index.root {
            let mut hidden = Vec::new();
            index.hide(root, Shown::Yes, &mut hidden);
            hidden.sort_unstable_by_key(|range| range.start);
            index.hidden = hidden;
        }
        let texts = index.nodes.iter().filter(|node| matches!(node.kind, Kind::Text(_)));
        index.texts = texts.map(|node| node.range.clone()).collect();
        Some(index)
    }

    fn build(&mut self, text: &str) -> Option<()> {
        let mut open: Vec<Open> = Vec::new();
        let mut documents = 0;
        for event in Parser::new_from_str(text) {
            let (event, span) = event.ok()?;
            let (kind, anchor) = match event {
                Event::DocumentStart(_) => {
                    documents += 1;
                    if documents == 2 {
                        self.more_documents = Some(span.start.index());
                    }
                    continue;
                }
                Event::MappingEnd | Event::SequenceEnd => {
                    let closed = open.pop()?;
                    self.nodes.get_mut(closed.node)?.range.end = span.end.index();
                    continue;
                }
                Event::Scalar(text, _, anchor, _) => (Kind::Text(text.into_owned()), anchor),
                Event::SequenceStart(anchor, _) => (Kind::List(Vec::new()), anchor),
                Event::MappingStart(anchor, _) => (Kind::Mapping(Vec::new()), anchor),
                Event::Alias(anchor) => (Kind::Alias(anchor), 0),
                Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {
                    continue;
                }
            };
            if documents > 1 {
                return Some(());
            }
            self.add(kind, anchor, span, &mut open)?;
        }
        Some(())
    }

    fn add(&mut self, kind: Kind, anchor: usize, span: Span, open: &mut Vec<Open>) -> Option<()> {
        let id = self.nodes.len();
        let opens = matches!(kind, Kind::Mapping(_) | Kind::List(_));
        self.nodes.push(Node { range: span.start.index()..span.end.index(), kind });
        if anchor > 0 {
            self.anchors.insert(anchor, id);
        }
        match open.last_mut() {
            None => self.root = Some(id),
            Some(parent) => match (&mut self.nodes.get_mut(parent.node)?.kind, parent.key.take()) {
                (Kind::Mapping(_), None) => parent.key = Some(id),
                (Kind::Mapping(entries), Some(key)) => entries.push((key, id)),
                (Kind::List(items), _) => items.push(id),
                (Kind::Text(_) | Kind::Alias(_), _) => return None,
            },
        }
        if opens {
            open.push(Open { node: id, key: None });
        }
        // As deep as the reader of YAML goes.
        (open.len() <= DEEPEST).then_some(())
    }

    /// The node that `id` stands for.
    fn resolved(&self, id: usize) -> Option<&Node> {
        let node = self.nodes.get(id)?;
        match node.kind {
            Kind::Alias(anchor) => self.nodes.get(*self.anchors.get(&anchor)?),
            _ => Some(node),
        }
    }

    fn text(&self, id: usize) -> Option<&str> {
        match &self.nodes.get(id)?.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The key and the value that `key` has in `mapping`, its own or one that is merged in.
    fn entry(&self, mapping: &Node, key: &str, depth: usize) -> Option<(usize, usize)> {
        let Kind::Mapping(entries) = &mapping.kind else { return None };
        let of = |wanted: &str| entries.iter().find(|(k, _)| self.text(*k) == Some(wanted));
        if let Some(own) = of(key) {
            return Some(*own);
        }
        let depth = depth.checked_sub(1)?;
        let merged = self.resolved(of("<<")?.1)?;
        match &merged.kind {
            Kind::List(items) => items
                .iter()
                .filter_map(|item| self.resolved(*item))
                .find_map(|item| self.entry(item, key, depth)),
            _ => self.entry(merged, key, depth),
        }
    }

    /// What `path` leads to; where it leads nowhere, what it has led to last.
    pub(super) fn spot(&self, path: &[Step], part: Part) -> Option<Spot> {
        let mut node = self.nodes.get(self.root?)?;
        let mut key = None;
        let mut part = part;
        for step in path {
            let next = match (step, &node.kind) {
                (Step::Key(name), _) => {
                    self.entry(node, name, DEEPEST_MERGE).map(|(key, value)| (Some(key), value))
                }
                (Step::Item(index), Kind::List(items)) => {
                    items.get(*index).map(|item| (None, *item))
                }
                (Step::Item(_), _) => None,
            };
            let Some((next_key, value)) = next else {
                part = Part::Value;
                break;
            };
            key = next_key;
            node = self.resolved(value)?;
        }
        let key = key.and_then(|key| self.nodes.get(key));
        let pointed = match (part, key, &node.kind) {
            (Part::Value, _, Kind::Text(_)) if !node.range.is_empty() => node,
            (_, Some(key), _) => key,
            (_, None, Kind::Mapping(entries)) => {
                entries.first().and_then(|(key, _)| self.nodes.get(*key)).unwrap_or(node)
            }
            (_, None, _) => node,
        };
        self.spot_of(&pointed.range)
    }

    fn spot_of(&self, range: &Range<usize>) -> Option<Spot> {
        let number = self.lines.partition_point(|line| line.start <= range.start);
        let line = self.lines.get(number.checked_sub(1)?)?;
        let column = range.start - line.start;
        let mut shown = Shortened::new(column, range.end.saturating_sub(line.start));
        let mut before = ' ';
        for (at, c) in line.text.chars().enumerate() {
            let index = line.start + at;
            if within(&self.hidden, index) {
                shown.hide(at);
            } else if c == '#' && before.is_whitespace() && !within(&self.texts, index) {
                break;
            } else {
                shown.push(at, c);
            }
            before = c;
        }
        Some(shown.spot(number, column + 1))
    }

    /// What keeps a file from being read although it is YAML: keys that stand twice, merges of
    /// something else than mappings, more than one document.
    pub(super) fn mistakes(&self) -> Vec<(Spot, String)> {
        let mut mistakes = Vec::new();
        if let Some(spot) = self.more_documents.and_then(|at| self.spot_of(&(at..at + 3))) {
            mistakes.push((spot, "found a second document, want one in each file".to_owned()));
        }
        for node in &self.nodes {
            let Kind::Mapping(entries) = &node.kind else { continue };
            let mut seen: HashMap<&str, usize> = HashMap::new();
            for (key, value) in entries {
                let (Some(name), Some(node)) = (self.text(*key), self.nodes.get(*key)) else {
                    continue;
                };
                let Some(spot) = self.spot_of(&node.range) else { continue };
                if name == "<<" && !self.merges(*value) {
                    let message = "found something else than a mapping to merge, want an alias \
                                   such as *name or a list of them";
                    mistakes.push((spot.clone(), message.to_owned()));
                }
                if let Some(line) = seen.get(name) {
                    let name = quoted(name);
                    let message = format!(
                        "found {name} again, which is on line {line} already, want it once"
                    );
                    mistakes.push((spot, message));
                } else {
                    seen.insert(name, spot.line);
                }
            }
        }
        mistakes
    }

    fn merges(&self, id: usize) -> bool {
        match self.resolved(id).map(|node| &node.kind) {
            Some(Kind::Mapping(_)) => true,
            Some(Kind::List(items)) => items.iter().all(|item| {
                matches!(self.resolved(*item), Some(Node { kind: Kind::Mapping(_), .. }))
            }),
            _ => false,
        }
    }

    /// Collects the texts below `id` that must not be shown.
    fn hide(&self, id: usize, shown: Shown, hidden: &mut Vec<Range<usize>>) {
        let Some(node) = self.nodes.get(id) else { return };
        match &node.kind {
            Kind::Text(_) if shown == Shown::Yes => {}
            Kind::Text(_) => hidden.push(node.range.clone()),
            Kind::Alias(_) => {}
            Kind::List(items) => items.iter().for_each(|item| self.hide(*item, shown, hidden)),
            Kind::Mapping(entries) => {
                for (key, value) in entries {
                    let shown = match (shown, self.text(*key)) {
                        (Shown::Never, _) | (_, None) => Shown::Never,
                        (_, Some(key)) => self.shown(key, *value),
                    };
                    self.hide(*value, shown, hidden);
                }
            }
        }
    }

    fn shown(&self, key: &str, value: usize) -> Shown {
        match hiding::of(key) {
            Secrecy::Secret => Shown::Never,
            // It may be the misspelled name of a secret, but also of a section.
            Secrecy::Unknown => Shown::No,
            Secrecy::Open if self.text(value).is_some_and(hiding::has_credentials) => Shown::Never,
            Secrecy::Open => Shown::Yes,
        }
    }
}

/// Whether a text is shown: no; no, nor anything below it; or yes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Yes,
    No,
    Never,
}

/// A mapping or a list that has not ended, with the key whose value is to come.
struct Open {
    node: usize,
    key: Option<usize>,
}

fn within(ranges: &[Range<usize>], index: usize) -> bool {
    let after = ranges.partition_point(|range| range.start <= index);
    after.checked_sub(1).and_then(|last| ranges.get(last)).is_some_and(|last| last.contains(&index))
}

/// A line in the making, of which some characters are left out, and what of it is meant.
pub(super) struct Shortened {
    text: String,
    wanted: Range<usize>,
    from: Option<usize>,
    to: usize,
    hiding: bool,
}

/// As much of a line as is worth showing.
const WIDEST: usize = 200;

impl Shortened {
    /// A line of which the characters from `column` to `end` are meant.
    pub(super) fn new(column: usize, end: usize) -> Self {
        let wanted = column..end.max(column + 1);
        Self { text: String::new(), wanted, from: None, to: 0, hiding: false }
    }

    pub(super) fn push(&mut self, at: usize, c: char) {
        if at > self.wanted.start + WIDEST {
            return;
        }
        self.hiding = false;
        self.add(at, if c.is_control() { ' ' } else { c });
    }

    pub(super) fn hide(&mut self, at: usize) {
        if self.hiding {
            self.mark(at, self.text.len().saturating_sub('…'.len_utf8()));
        } else {
            self.hiding = true;
            self.add(at, '…');
        }
    }

    fn add(&mut self, at: usize, c: char) {
        let begin = self.text.len();
        self.text.push(c);
        self.mark(at, begin);
    }

    fn mark(&mut self, at: usize, begin: usize) {
        if self.wanted.contains(&at) {
            self.from.get_or_insert(begin);
            self.to = self.text.len();
        }
    }

    pub(super) fn spot(self, line: usize, column: usize) -> Spot {
        let length = self.text.trim_end().len();
        let from = self.from.unwrap_or(length).min(length);
        let to = self.to.clamp(from, length.max(from));
        let mut shown = self.text;
        shown.truncate(length);
        Spot { line, column, shown, from, to }
    }
}
