//! The rules of the house, read from the sources.

use std::collections::BTreeSet;

use super::sources::{self, Source};
use super::text;

/// What a pure module must not name: a disk, a net, a clock, a task, a log.
const IMPURE: [&str; 20] = [
    "std::env",
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "std::os",
    "SystemTime",
    "Instant::now",
    "Timestamp::now",
    "Zoned::now",
    "stdin()",
    "stdout()",
    "stderr()",
    "tokio",
    "reqwest",
    "hyper",
    "rusqlite",
    "tracing",
    "getrandom",
    "prometheus::",
];

/// Where a pure module may do what others must not, and why.
const EXCEPTIONS: [(&str, &str, &str); 3] = [
    ("src/config/load.rs", "std::fs", "it reads the config's files, and nothing else"),
    ("src/metrics/own.rs", "prometheus::", "counts of this process, in a registry of its own"),
    ("src/metrics/proto.rs", "prometheus::", "turns what that registry gathered into series"),
];

/// What an edge may know of the crate. It knows no other edge and nothing of the shell.
const EDGES: [(&str, &[&str]); 4] = [
    ("harness", &["config", "model"]),
    ("simulator", &["config"]),
    ("store", &["config", "model", "totals"]),
    ("web", &["board", "config", "metrics", "model", "schedule", "totals"]),
];

/// The functions that look again and again, and so may wait between two looks.
const POLLING_HELPERS: [&str; 1] = ["until"];

/// Tests that wait, and why.
const WAITS: [(&str, &str, &str); 2] = [
    (
        "tests/it/web/door.rs",
        "a_reader_that_stops_reading_is_dropped",
        "looks for the end of a connection by writing to it",
    ),
    ("tests/it/client/server.rs", "perform", "a server that trickles is what is played"),
];

const LONGEST_FILE: usize = 500;

/// The modules that lib.rs names in the paragraph that begins so, sorted.
fn listed(beginning: &str) -> Vec<String> {
    let library = text("src/lib.rs");
    let mut lines = library.lines().map(|line| line.trim_start_matches("//!").trim());
    let first = lines.find(|line| line.starts_with(beginning)).expect(beginning);
    let paragraph: String =
        std::iter::once(first).chain(lines.take_while(|line| !line.is_empty())).collect();
    let names = paragraph.split("[`").skip(1).filter_map(|rest| rest.split_once("`]"));
    // A remark in the paragraph may name one of them again.
    let names: BTreeSet<_> = names.map(|(name, _)| name.to_owned()).collect();
    names.into_iter().collect()
}

fn pure() -> Vec<String> {
    listed("The words and the pure core")
}

#[test]
fn the_library_names_every_module_once() {
    let library = text("src/lib.rs");
    let declared = library.lines().filter_map(|line| line.strip_prefix("pub mod "));
    let declared: Vec<_> = declared.map(|line| line.trim_end_matches(';')).collect();
    let mut named = [pure(), listed("The edges"), listed("The shell")].concat();
    named.sort();
    assert_eq!(named, declared);
    let edges = EDGES.map(|(edge, _)| edge);
    assert_eq!(listed("The edges"), edges);
}

#[test]
fn the_pure_modules_touch_nothing_outside() {
    let pure = pure();
    let mut excused = BTreeSet::new();
    let mut read = BTreeSet::new();
    for source in sources::program().iter().filter(|source| pure.iter().any(|m| m == source.top()))
    {
        let path = source.path.as_str();
        read.insert(source.top().to_owned());
        assert!(
            !source.code.contains("std::{") && !source.code.contains("crate::{"),
            "{path}: name each import alone, so that this test can read it"
        );
        for word in IMPURE.into_iter().filter(|word| source.code.contains(word)) {
            let excuse = EXCEPTIONS.iter().find(|(file, what, _)| *file == path && *what == word);
            assert!(excuse.is_some(), "{path} is pure and names {word}");
            excused.extend(excuse);
        }
        for import in source.imports() {
            assert!(pure.iter().any(|m| m == import), "{path} is pure and uses {import}");
        }
    }
    assert_eq!(read.into_iter().collect::<Vec<_>>(), pure, "a module without a source");
    assert_eq!(excused, EXCEPTIONS.iter().collect(), "an exception that nobody needs");
}

#[test]
fn the_edges_do_not_know_each_other() {
    let sources = sources::program();
    for (edge, may_use) in EDGES {
        let mine: Vec<&Source> = sources.iter().filter(|source| source.top() == edge).collect();
        let used: BTreeSet<_> = mine.iter().flat_map(|source| source.imports()).collect();
        assert_eq!(used.into_iter().collect::<Vec<_>>(), may_use, "{edge}");
        let grouped = mine.iter().find(|source| source.code.contains("crate::{"));
        assert!(grouped.is_none(), "{edge}: name each import alone");
    }
}

#[test]
fn no_source_is_too_long_to_read() {
    for source in sources::program() {
        let lines = text(&source.path).lines().count();
        assert!(lines <= LONGEST_FILE, "{} has {lines} lines", source.path);
    }
}

#[test]
fn no_test_is_left_out_and_none_sleeps() {
    // Taken apart, lest this file be found.
    let ignore = concat!("#[", "ignore");
    let sleep = concat!("sleep", "(");
    let mut excused = BTreeSet::new();
    let mut polled = BTreeSet::new();
    for source in sources::program().iter().chain(&sources::tests()) {
        let path = source.path.as_str();
        for code in [&source.code, &source.tests] {
            assert!(!code.contains(ignore), "{path} leaves a test out");
        }
        let mut function = "";
        for line in source.tests.lines() {
            function = named(line, "fn").unwrap_or(function);
            if !line.contains(sleep) {
                continue;
            }
            let excuse = WAITS.iter().find(|(file, name, _)| *file == path && *name == function);
            let polls = POLLING_HELPERS.iter().find(|name| **name == function);
            assert!(excuse.is_some() || polls.is_some(), "{path}: {function} sleeps");
            excused.extend(excuse);
            polled.extend(polls);
        }
    }
    assert_eq!(excused, WAITS.iter().collect(), "an exception that nobody needs");
    assert_eq!(polled, POLLING_HELPERS.iter().collect(), "a helper that nobody has");
}

/// The name of what begins on this line, where that is a `what`: a `fn` say.
pub(super) fn named<'a>(line: &'a str, what: &str) -> Option<&'a str> {
    let mut words = line.trim_start().split(' ');
    let before = ["pub", "pub(crate)", "pub(super)", "const", "async"];
    let word = words.find(|word| !before.contains(word))?;
    let name = if word == what { words.next()? } else { return None };
    name.split(['(', '<', ';']).next()
}
