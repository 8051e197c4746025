//! What is read from good configs, what is said of bad ones, and that the shipped one is right.

mod bad;
mod bad_values;
mod files;
mod good;
mod options;
mod shipped;
mod webhooks;

use std::path::PathBuf;

use super::{Config, Source, Warning, parse};

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
        Err(problems) => problems.to_string().replace("config.yaml: ", ""),
    }
}

/// What one good file is warned about, without its name.
fn warned(text: &str) -> String {
    let lines: Vec<String> = good(text).1.iter().map(Warning::to_string).collect();
    lines.join("\n").replace("config.yaml: ", "")
}
