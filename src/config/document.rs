//! From a text to one YAML document, with its merges resolved.

use serde_yaml::Value;

use super::problem::{Place, Report};

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
            let mut message = error.to_string();
            let mut place = place.clone();
            if let Some(at) = error.location() {
                let (line, column) = (at.line(), at.column());
                place = place.at(line, column);
                message = message.replacen(&format!(" at line {line} column {column}"), "", 1);
            }
            report.problem(&place, message);
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
