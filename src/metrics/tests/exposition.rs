//! A reader of the text format, as strict as the strictest of those in use.

use std::collections::{BTreeMap, BTreeSet};

/// One family as it was read.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) series: Vec<Series>,
}

/// One line with a value.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) name: String,
    pub(super) labels: Vec<(String, String)>,
    pub(super) value: String,
}

impl Series {
    pub(super) fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(label, _)| label == name).map(|(_, value)| value.as_str())
    }
}

/// Reads `text`, and panics at whatever a server might object to.
pub(super) fn read(text: &str) -> Vec<Family> {
    assert!(text.ends_with('\n'), "the last line does not end");
    let mut families: Vec<Family> = Vec::new();
    let mut seen = BTreeSet::new();
    let mut lines = text.split('\n').peekable();
    while let Some(line) = lines.next().filter(|line| !line.is_empty()) {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').expect("a help");
            assert!(
                !help.is_empty() && families.iter().all(|family| family.name != name),
                "{line}"
            );
            let kind = lines.next().and_then(|line| line.strip_prefix("# TYPE "));
            let kind = kind.and_then(|rest| rest.strip_prefix(name)).expect("its type").trim();
            families.push(Family { name: name.to_owned(), kind: kind.to_owned(), series: vec![] });
        } else {
            let series = series(line);
            let family = families.last_mut().expect("a header first");
            let suffix = series.name.strip_prefix(&family.name).expect("a family at a time");
            let suffixes: &[&str] = match family.kind.as_str() {
                "histogram" => &["_bucket", "_sum", "_count"],
                _ => &[""],
            };
            assert!(suffixes.contains(&suffix), "{line}");
            let mut key = series.labels.clone();
            key.sort();
            assert!(seen.insert((series.name.clone(), key)), "twice: {line}");
            family.series.push(series);
        }
    }
    assert_eq!(lines.count(), 0, "an empty line in the middle");
    for family in &families {
        assert!(!family.series.is_empty(), "{} has no series", family.name);
        if family.kind == "histogram" {
            check_histogram(family);
        }
    }
    families
}

fn series(line: &str) -> Series {
    let end = line.find(['{', ' ']).expect("a name");
    let (name, mut rest) = line.split_at(end);
    assert!(name.bytes().all(|c| c == b'_' || c.is_ascii_lowercase()), "{line}");
    let mut labels = Vec::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        loop {
            let (label, value) = rest.split_once("=\"").expect("a label");
            let (value, after) = unescape(value);
            assert!(labels.iter().all(|(known, _)| known != label), "{line}");
            labels.push((label.to_owned(), value));
            if let Some(after) = after.strip_prefix('}') {
                rest = after;
                break;
            }
            rest = after.strip_prefix(',').expect("a comma");
        }
    }
    let value = rest.strip_prefix(' ').expect("a value");
    let number = value.replace("+Inf", "inf").parse::<f64>().expect("a number");
    assert!(!number.is_nan() && !value.contains(['e', 'i', ' ']), "{line}");
    Series { name: name.to_owned(), labels, value: value.to_owned() }
}

/// The value up to the closing quote, and what follows it.
fn unescape(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, &text[at + 1..]),
            '\\' => value.push(match characters.next().expect("an escaped character").1 {
                'n' => '\n',
                escaped @ ('"' | '\\') => escaped,
                other => panic!("\\{other} is no escape"),
            }),
            _ => value.push(character),
        }
    }
    panic!("a quote is missing: {text}");
}

/// Buckets ascend in bound and count and end with `+Inf`, which says what `_count` says.
fn check_histogram(family: &Family) {
    let mut buckets: BTreeMap<Vec<(String, String)>, (f64, f64)> = BTreeMap::new();
    for series in &family.series {
        let value: f64 = series.value.parse().unwrap();
        let mut labels = series.labels.clone();
        labels.retain(|(label, _)| label != "le");
        match series.label("le") {
            Some(le) => {
                let le: f64 = le.parse().unwrap();
                let last = buckets.insert(labels, (le, value));
                assert!(last.is_none_or(|last| last.0 < le && last.1 <= value), "{series:?}");
            }
            None if series.name.ends_with("_count") => {
                assert_eq!(buckets.get(&labels), Some(&(f64::INFINITY, value)), "{series:?}");
            }
            None => {}
        }
    }
}
