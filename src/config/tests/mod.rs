//! What is read from good configs, what is said of bad ones, and that the shipped one is right.

mod bad;
mod bad_values;
mod files;
mod good;
mod keys;
mod options;
mod shipped;
mod shown;
mod timing;
mod webhooks;

use std::path::PathBuf;

use super::{Colours, Config, Place, Source, Warning, parse};

/// One account and the start of a pipeline, to be continued with more of its keys.
const START: &str = "
accounts: [{account_id: acme0000000000000000AA}]
pipelines:
- {org: shop, project: web, pipeline: checkout, trigger: nightly";

fn source(name: &str, text: &str) -> Source {
    Source { name: PathBuf::from(name), text: text.to_owned() }
}

/// The config of one file.
fn good(text: &str) -> (Config, Vec<Warning>) {
    parse(&[source("config.yaml", text)]).unwrap_or_else(|problems| panic!("{problems}\n{text}"))
}

/// What is said of one bad file, without its name.
fn bad(text: &str) -> String {
    match parse(&[source("config.yaml", text)]) {
        Ok(_) => panic!("this should not be a config:\n{text}"),
        Err(problems) => {
            let lines = problems.0.iter().map(|problem| line(&problem.place, &problem.message));
            lines.collect::<Vec<_>>().join("\n")
        }
    }
}

/// What one good file is warned about, without its name.
fn warned(text: &str) -> String {
    let warnings = good(text).1;
    let lines = warnings.iter().map(|warning| line(&warning.place, &warning.message));
    lines.collect::<Vec<_>>().join("\n")
}

/// What is said of the path, or of the spot where there is no path.
fn line(place: &Place, message: &str) -> String {
    match (place.path(), place.spot()) {
        (path, _) if !path.is_empty() => format!("{path}: {message}"),
        (_, Some(spot)) => format!("{}:{}: {message}", spot.line, spot.column),
        _ => message.to_owned(),
    }
}

/// What is said of a bad file, as it is shown, with a blank line between two problems.
fn shown(text: &str) -> String {
    let problems = parse(&[source("config.yaml", text)]).expect_err("this should be no config");
    let all = problems.0.iter().map(|problem| problem.rendered(Colours::Plain));
    let all = all.collect::<Vec<_>>().join("\n\n");
    assert!(!all.contains("hunter2"), "a secret is shown: {all}");
    all
}
