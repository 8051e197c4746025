//! Parsers for single values. Their errors say what was found and what would do.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_yaml::Value;

use super::duration::{NotASpan, Span};
use super::problem::{nearest, quoted};

/// The longest name, which becomes a label's value, and the longest identifier of Harness'.
const LONGEST_NAME: usize = 128;

/// `found …, want …` for a value of the wrong type. It shows no value, which may be a secret.
pub(super) fn unlike(value: &Value, want: &str) -> String {
    let found = match value {
        Value::Null => "nothing",
        Value::Bool(true) => "true",
        Value::Bool(false) => "false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Sequence(_) => "a list",
        Value::Mapping(_) => "a mapping",
        Value::Tagged(_) => "a value with a tag",
    };
    format!("found {found}, want {want}")
}

/// Any text but an empty one.
pub(super) fn text(value: &Value) -> Result<&str, String> {
    match value {
        Value::String(text) if text.is_empty() => {
            Err("found an empty text, want at least one character".to_owned())
        }
        Value::String(text) => Ok(text),
        Value::Bool(_) | Value::Number(_) => Err(unlike(value, "a text: put it in quotes")),
        _ => Err(unlike(value, "a text")),
    }
}

/// A name of ours or an identifier of Harness'. Whoever shows one must cope with any character.
pub(super) fn name(value: &Value) -> Result<&str, String> {
    let name = text(value)?;
    check_name(name).map(|()| name)
}

/// The same of a text that did not stand in the YAML.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    let length = name.chars().count();
    if length > LONGEST_NAME {
        return Err(format!("found {length} characters, want at most {LONGEST_NAME}"));
    }
    if name.contains('\0') {
        return Err(format!("found {}, want a text without NUL", quoted(name)));
    }
    Ok(())
}

/// The same, as a text of its own.
pub(super) fn identifier(value: &Value) -> Result<String, String> {
    name(value).map(str::to_owned)
}

/// The path of a file, relative to `folder`.
pub(super) fn path(value: &Value, folder: &Path) -> Result<PathBuf, String> {
    match text(value)? {
        path if path.contains('\0') => Err("found NUL in it, want a path".to_owned()),
        path => Ok(folder.join(path)),
    }
}

/// A number from 1.
pub(super) fn count(value: &Value) -> Result<u32, String> {
    whole(value, 1..=u32::MAX)
}

/// A whole number within `range`.
pub(super) fn whole(value: &Value, range: RangeInclusive<u32>) -> Result<u32, String> {
    let want = format!("a whole number from {} to {}", range.start(), range.end());
    let Value::Number(number) = value else { return Err(unlike(value, &want)) };
    number
        .as_u64()
        .and_then(|number| u32::try_from(number).ok())
        .filter(|number| range.contains(number))
        .ok_or_else(|| format!("found {number}, want {want}"))
}

/// `true` or `false`.
pub(super) fn flag(value: &Value) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| match value {
        Value::String(text) => format!("found {}, want true or false", quoted(text)),
        _ => unlike(value, "true or false"),
    })
}

/// A duration, zero included.
pub(super) fn duration(value: &Value) -> Result<Duration, String> {
    match value {
        Value::String(text) => {
            let span = text.parse::<Span>();
            span.map(|span| span.0).map_err(|error| format!("found {}, {error}", quoted(text)))
        }
        Value::Number(number) => Err(format!("found {number}, {}", NotASpan::NoUnit)),
        _ => Err(unlike(value, "a duration such as 30s, 15m, 1h30m or 1d")),
    }
}

/// A duration above zero.
pub(super) fn positive_duration(value: &Value) -> Result<Duration, String> {
    match duration(value)? {
        Duration::ZERO => Err("found zero, want more".to_owned()),
        duration => Ok(duration),
    }
}

/// One of a few words.
pub(super) fn word<T: Copy>(value: &Value, words: &[(&'static str, T)]) -> Result<T, String> {
    let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
    let want = format!("one of {}", names.join(", "));
    let Value::String(text) = value else { return Err(unlike(value, &want)) };
    words.iter().find(|(name, _)| name == text).map(|(_, word)| *word).ok_or_else(|| {
        let meant = nearest(text, names.iter().copied())
            .map(|meant| format!("; did you mean {}?", quoted(meant)))
            .unwrap_or_default();
        format!("found {}, want {want}{meant}", quoted(text))
    })
}

/// A payload as compact JSON: a mapping or a list is written as such, a text must be JSON already
/// and is sent as it is.
pub(super) fn payload(value: &Value) -> Result<String, String> {
    match value {
        Value::Mapping(_) | Value::Sequence(_) => {
            let mut json = String::new();
            write_json(value, &mut json)?;
            Ok(json)
        }
        Value::String(text) => match serde_json::from_str::<serde::de::IgnoredAny>(text) {
            Ok(_) => Ok(text.trim().to_owned()),
            // The text itself may be a secret; this error repeats none of it.
            Err(error) => Err(format!(
                "found a text that is not JSON ({error}), want a mapping, a list or a text that is JSON"
            )),
        },
        _ => Err(unlike(value, "a mapping, a list or a text that is JSON")),
    }
}

/// By hand, because serializing would turn what JSON cannot say (`.nan`, `.inf`) into null, and
/// would sort the keys.
fn write_json(value: &Value, json: &mut String) -> Result<(), String> {
    match value {
        Value::Null => json.push_str("null"),
        Value::Bool(value) => json.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => {
            if number.as_f64().is_some_and(|number| !number.is_finite()) {
                return Err(format!("found {number} in it, want numbers that JSON has"));
            }
            json.push_str(&number.to_string());
        }
        Value::String(text) => write_json_text(text, json),
        Value::Sequence(items) => {
            json.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    json.push(',');
                }
                write_json(item, json)?;
            }
            json.push(']');
        }
        Value::Mapping(mapping) => {
            json.push('{');
            for (index, (key, item)) in mapping.iter().enumerate() {
                let Value::String(key) = key else {
                    return Err(unlike(key, "only texts as keys: put it in quotes"));
                };
                if index > 0 {
                    json.push(',');
                }
                write_json_text(key, json);
                json.push(':');
                write_json(item, json)?;
            }
            json.push('}');
        }
        Value::Tagged(_) => return Err(unlike(value, "no tags within a payload")),
    }
    Ok(())
}

fn write_json_text(text: &str, json: &mut String) {
    json.push_str(&serde_json::Value::from(text).to_string());
}
