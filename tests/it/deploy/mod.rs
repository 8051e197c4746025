//! What is in deploy/, against the real programs that read it and against our own.

// Says that its helpers are part of tests, which lints ask for.
#[cfg(test)]
mod chart;
#[cfg(test)]
mod dashboard;
#[cfg(test)]
mod health;
#[cfg(test)]
mod live;
#[cfg(test)]
mod manifests;
#[cfg(test)]
mod names;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod workflows;

use harness_exporter::metrics::{self, Values};
use serde::Deserialize;
use serde_json::Value;

use crate::repo::text;

/// The documents of a file of YAML in the repository.
fn documents(path: &str) -> Vec<Value> {
    let text = text(path);
    let read =
        |document| Value::deserialize(document).unwrap_or_else(|why| panic!("{path}: {why}"));
    serde_yaml::Deserializer::from_str(&text).map(read).collect()
}

/// The only document of a file of YAML.
fn document(path: &str) -> Value {
    let mut documents = documents(path);
    assert_eq!(documents.len(), 1, "{path}");
    documents.remove(0)
}

/// The texts of a list.
fn texts(list: &Value) -> Vec<&str> {
    let list = list.as_array().unwrap_or_else(|| panic!("not a list: {list}"));
    list.iter().map(|one| one.as_str().unwrap_or_else(|| panic!("not a text: {one}"))).collect()
}

/// The values that a label of a metric can have.
fn closed(metric: &str, label: &str) -> Vec<&'static str> {
    let metric = metrics::catalogue().find(|one| one.name == metric).expect("a metric");
    let label = metric.labels.iter().find(|one| one.name == label).expect("a label");
    match label.values {
        Values::Closed(values) => values(),
        Values::Open(_) => panic!("{metric:?} is open"),
    }
}
