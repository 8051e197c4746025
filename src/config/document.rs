//! From a text to one YAML document, with its merges resolved.

use serde_yaml::Value;

use super::hiding::{self, Secrecy};
use super::index::{Index, Shortened};
use super::place::{Place, Spot};
use super::problem::Report;

/// Reads the only document of `text`; none where a problem was reported.
pub(super) fn read(text: &str, place: &Place, report: &mut Report) -> Option<Value> {
    let read = serde_yaml::from_str(text).and_then(|mut document| {
        merge(&mut document)?;
        Ok(document)
    });
    match read {
        Ok(Value::Null) => {
            report.problem(place, "the file is empty, want accounts and pipelines");
            None
        }
        Ok(document) => Some(document),
        Err(error) => {
            let mistakes = Index::new(text).map(|index| index.mistakes()).unwrap_or_default();
            if mistakes.is_empty() {
                let (spot, message) = told(text, &error);
                report.problem(&place.clone().at(spot), message);
            }
            for (spot, message) in mistakes {
                report.problem(&place.clone().at(Some(spot)), message);
            }
            None
        }
    }
}

/// Puts what `<<` names in its place, from the inside out: a merged mapping may have a `<<` itself.
fn merge(value: &mut Value) -> Result<(), serde_yaml::Error> {
    match value {
        Value::Mapping(mapping) => mapping.values_mut().try_for_each(merge)?,
        Value::Sequence(items) => items.iter_mut().try_for_each(merge)?,
        Value::Tagged(tagged) => merge(&mut tagged.value)?,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    value.apply_merge()
}

/// Where `text` ceases to be YAML, and why. What the reader of YAML says of the mistakes that are
/// made most often would lead astray.
fn told(text: &str, error: &serde_yaml::Error) -> (Option<Spot>, String) {
    let mut message = error.to_string();
    let Some(at) = error.location() else { return (None, message) };
    let (number, column) = (at.line(), at.column());
    message = message.replacen(&format!(" at line {number} column {column}"), "", 1);
    // `!!int secret` is the one case in which the reader repeats a value.
    if let Some((path, _)) = message.split_once("invalid value: ") {
        message = format!("{path}the value is not what its tag says");
    }
    let lines: Vec<&str> = text.lines().collect();
    if lines.iter().skip(number.saturating_sub(1)).all(|line| line.trim().is_empty()) {
        let last = lines.iter().rposition(|line| !line.trim().is_empty());
        let line = last.and_then(|last| lines.get(last)).unwrap_or(&"").trim_end();
        let message =
            format!("found the end of the file, want each bracket and quote closed ({message})");
        let number = last.map_or(1, |last| last + 1);
        return (Some(spot(line, number, line.chars().count() + 1)), message);
    }
    let line = lines.get(number.saturating_sub(1)).copied().unwrap_or_default();
    let indent = line.len() - line.trim_start().len();
    if line.get(..indent).is_some_and(|indent| indent.contains('\t')) {
        let tab = line.chars().take_while(|c| *c != '\t').count();
        let message = "found a tab at the beginning of the line, want spaces: YAML allows no tabs \
                       there";
        return (Some(spot(line, number, tab + 1)), message.to_owned());
    }
    if let Some((key, value)) = key_and_value(line)
        && let Some(what) = unquoted(key, value)
    {
        let column = line.chars().count() - value.chars().count() + 1;
        return (Some(spot(line, number, column)), what);
    }
    (Some(spot(line, number, column)), with_hint(message))
}

/// What the reader of YAML says, and what would do.
fn with_hint(message: String) -> String {
    let hints = [
        (
            "mapping values are not allowed",
            "found a `:` where no key can be, want the key in line with its neighbours, or the text \
             in quotes",
        ),
        ("did not find expected key", "found no key, want it in line with its neighbours"),
        (
            "unknown anchor",
            "found an alias of what is not there, want `&` and the same name before it, or the text \
             in quotes",
        ),
        (
            "cannot start any token",
            "found a character with which no text begins in YAML, want the text in quotes",
        ),
    ];
    match hints.iter().find(|(said, _)| message.contains(said)) {
        Some((_, hint)) => format!("{hint} ({message})"),
        None => message,
    }
}

/// What is to be said of a `value` that needs quotes and has none.
fn unquoted(key: &str, value: &str) -> Option<String> {
    let begins = match value.chars().next()? {
        '*' if matches!(key, "schedule" | "cron") => "`*`, which begins an alias in YAML",
        '@' => "`@`, with which no text begins in YAML",
        '`' => "a backtick, with which no text begins in YAML",
        '%' => "`%`, with which no text begins in YAML",
        _ => return None,
    };
    Some(match key {
        "schedule" | "cron" => {
            let value = value.trim_end();
            format!("found {begins}; quote the cron expression: {key}: \"{value}\"")
        }
        _ => format!("found {begins}; put the text in quotes"),
    })
}

/// What stands before and after the first `:` of a line with nothing else before it than `- `.
fn key_and_value(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once(':')?;
    let key = key.trim_start_matches([' ', '-', '\t']);
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_key = key == "<<" || !key.is_empty() && key.chars().all(word);
    is_key.then(|| (key, value.trim_start()))
}

/// A place in a line of what is no YAML. Its value is shown where its key says that it is no
/// secret, and nothing of a line without a key.
fn spot(line: &str, number: usize, column: usize) -> Spot {
    let plain = |key: &str| hiding::of(key) == Secrecy::Open;
    let (open, hidden) = match key_and_value(line) {
        Some((key, value)) => {
            let simple = !value.contains(['{', '[', '"', '#']) && !hiding::has_credentials(value);
            let start = line.chars().count() - value.chars().count();
            if plain(key) && simple { (line.chars().count(), 0) } else { (start, 1) }
        }
        None => (line.len() - line.trim_start_matches([' ', '-', '\t']).len(), 1),
    };
    let at = column.saturating_sub(1);
    let mut shown = Shortened::new(at, at + 1);
    for (index, c) in line.chars().enumerate() {
        if index < open || hidden == 0 { shown.push(index, c) } else { shown.hide(index) }
    }
    shown.spot(number, column)
}
