//! The table of keys against the reader, and what is made of the table.

use std::collections::BTreeSet;
use std::path::Path;

use regex::Regex;
use serde_json::Value;

use super::super::keys::{Absent, Key, SECTIONS, Section};
use super::super::{reference, schema};
use super::good::EVERYTHING;
use super::shipped::SHIPPED;
use super::{bad, good};

const ACCOUNT: &str = "account_id: a";
const PIPELINE: &str = "org: o, project: p, pipeline: q, trigger: t";

/// A config that has `inner` among the keys of the mapping at `path`, beside what must be there.
fn around(path: &str, inner: &str) -> String {
    let mut account = ACCOUNT.to_owned();
    let mut pipeline = PIPELINE.to_owned();
    let mut top = String::new();
    match path {
        "" => top = inner.to_owned(),
        "accounts[]" => account = format!("{ACCOUNT}, {inner}"),
        "pipelines[]" => pipeline = format!("{PIPELINE}, {inner}"),
        "pipelines[].maintenance[]" => {
            pipeline =
                format!("{PIPELINE}, maintenance: [{{cron: '@daily', duration: 1h, {inner}}}]");
        }
        path => match path.strip_prefix("pipelines[].") {
            Some(key) => pipeline = format!("{PIPELINE}, {key}: {{{inner}}}"),
            None => top = format!("{path}: {{{inner}}}"),
        },
    }
    let comma = if top.is_empty() { "" } else { ", " };
    format!("{{accounts: [{{{account}}}], pipelines: [{{{pipeline}}}]{comma}{top}}}")
}

#[test]
fn the_reader_asks_for_the_keys_of_the_table_and_no_others() {
    for (path, section) in SECTIONS {
        // An unknown key is answered with those that are known.
        let answer = bad(&around(path, "zzzzzz: 1"));
        let (_, known) = answer.split_once("zzzzzz: unknown key, want one of ").unwrap();
        let known: BTreeSet<_> = known.lines().next().unwrap().split(", ").collect();
        let table: BTreeSet<_> = section.keys().map(|key| key.name).collect();
        assert_eq!(known, table, "{path}");
        assert_eq!(section.keys().count(), table.len(), "{path}: a key stands twice");
    }
}

/// What must stand beside a key so that it has an effect at all.
fn beside(key: &Key) -> &'static str {
    match key.name {
        "timezone" | "jitter" => "schedule: '@daily', ",
        "align" => "every: 1h, ",
        _ => "",
    }
}

#[test]
fn what_the_table_gives_as_default_changes_nothing() {
    let mut seen = 0;
    for (path, section) in SECTIONS {
        for key in section.keys() {
            let Absent::Is(default) = key.default else { continue };
            let beside = beside(key);
            let without = good(&around(path, beside.trim_end_matches(", "))).0;
            let default =
                if default.contains("://") { format!("'{default}'") } else { default.to_owned() };
            let with = good(&around(path, &format!("{beside}{}: {default}", key.name))).0;
            assert_eq!(format!("{with:?}"), format!("{without:?}"), "{path} {}", key.name);
            seen += 1;
        }
    }
    assert!(seen > 40, "{seen}");
}

#[test]
fn what_the_table_calls_required_is() {
    let account = bad("{accounts: [{name: x}], pipelines: []}");
    assert_eq!(account, "accounts[0].account_id: missing, want your account's identifier");
    let required: Vec<_> = SECTIONS
        .iter()
        .flat_map(|(path, section)| section.keys().map(move |key| (*path, key)))
        .filter(|(_, key)| key.default == Absent::Required)
        .map(|(path, key)| (path, key.name))
        .collect();
    let window = "pipelines[].maintenance[]";
    assert_eq!(required, [("accounts[]", "account_id"), (window, "cron"), (window, "duration")]);
    let windows = bad(&format!(
        "{{accounts: [{{{ACCOUNT}}}], pipelines: [{{{PIPELINE}, maintenance: [{{}}]}}]}}"
    ));
    assert_eq!(windows.lines().count(), 2, "{windows}");
}

/// Compares a committed file with what the program says; `UPDATE=1` writes it anew.
fn assert_file(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == text, "{name} is not what the program says: run the test with UPDATE=1");
}

#[test]
fn the_schema_and_the_reference_are_the_committed_ones() {
    assert_file("docs/config.schema.json", &schema());
    assert_file("docs/configuration.md", &reference());
}

#[test]
fn the_shipped_config_names_its_schema() {
    let named = SHIPPED.lines().find_map(|line| line.split_once("$schema="));
    assert_eq!(named.map(|(_, path)| path), Some("docs/config.schema.json"));
}

/// What `schema` has against the value at `path`: those keywords of JSON Schema that ours has.
fn against(schema: &Value, value: &Value, path: &str, found: &mut Vec<String>) {
    for (keyword, wanted) in schema.as_object().unwrap() {
        let fits = match keyword.as_str() {
            "type" => {
                let of = |name: &Value| match name.as_str().unwrap() {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "boolean" => value.is_boolean(),
                    "integer" => value.is_i64(),
                    other => panic!("{other}"),
                };
                wanted.as_array().map_or_else(|| of(wanted), |any| any.iter().any(of))
            }
            "enum" => wanted.as_array().unwrap().contains(value),
            "minimum" => value.as_u64().is_none_or(|number| number >= wanted.as_u64().unwrap()),
            "maximum" => value.as_u64().is_none_or(|number| number <= wanted.as_u64().unwrap()),
            "minLength" => {
                value.as_str().is_none_or(|t| t.chars().count() as u64 >= wanted.as_u64().unwrap())
            }
            "maxLength" => {
                value.as_str().is_none_or(|t| t.chars().count() as u64 <= wanted.as_u64().unwrap())
            }
            "pattern" => {
                let pattern = Regex::new(wanted.as_str().unwrap()).unwrap();
                value.as_str().is_none_or(|text| pattern.is_match(text))
            }
            "minItems" => {
                value.as_array().is_none_or(|a| a.len() as u64 >= wanted.as_u64().unwrap())
            }
            "maxItems" => {
                value.as_array().is_none_or(|a| a.len() as u64 <= wanted.as_u64().unwrap())
            }
            "uniqueItems" => value
                .as_array()
                .is_none_or(|a| a.iter().enumerate().all(|(i, item)| !a[..i].contains(item))),
            "required" => value.as_object().is_none_or(|object| {
                wanted
                    .as_array()
                    .unwrap()
                    .iter()
                    .all(|key| object.contains_key(key.as_str().unwrap()))
            }),
            "items" => {
                for item in value.as_array().into_iter().flatten() {
                    against(wanted, item, &format!("{path}[]"), found);
                }
                true
            }
            "properties" => {
                for (key, value) in value.as_object().into_iter().flatten() {
                    if let Some(schema) = wanted.get(key) {
                        against(schema, value, &format!("{path}.{key}"), found);
                    }
                }
                true
            }
            "additionalProperties" => value.as_object().is_none_or(|object| {
                object
                    .iter()
                    .filter(|(key, _)| !declared(schema, key))
                    .all(|(_, value)| wanted.as_bool().unwrap_or_else(|| value.is_string()))
            }),
            "$schema" | "title" | "description" | "default" | "patternProperties" => true,
            other => panic!("{other} is not checked here"),
        };
        if !fits {
            found.push(format!("{path}: {keyword}"));
        }
    }
}

fn declared(schema: &Value, key: &str) -> bool {
    let own = schema.get("properties").is_some_and(|own| own.get(key).is_some());
    own || schema.get("patternProperties").is_some() && key.starts_with("x-")
}

fn checked(text: &str) -> Vec<String> {
    let schema: Value = serde_json::from_str(&schema()).unwrap();
    let mut found = Vec::new();
    against(&schema, &serde_yaml::from_str(text).unwrap(), "", &mut found);
    found
}

#[test]
fn good_configs_keep_to_the_schema() {
    for text in [SHIPPED, EVERYTHING] {
        good(text);
        assert_eq!(checked(text), [""; 0]);
    }
    for (path, section) in SECTIONS {
        for key in Section::keys(section) {
            let Absent::Is(default) = key.default else { continue };
            let text = around(path, &format!("{}: '{default}'", key.name));
            let text = if default.contains("://") { text } else { text.replace('\'', "") };
            assert_eq!(
                checked(&text.replace("cron: @daily", "cron: 0 0 * * *")),
                [""; 0],
                "{text}"
            );
        }
    }
}

#[test]
fn the_schema_refuses_what_the_reader_refuses() {
    for (path, inner, said) in [
        ("", "acounts: []", ": additionalProperties"),
        ("accounts[]", "api_kye: x", ".accounts[]: additionalProperties"),
        ("accounts[]", "max_active_runs: 0", ".accounts[].max_active_runs: minimum"),
        ("accounts[]", "timeout: 30", ".accounts[].timeout: type"),
        ("accounts[]", "url: app.harness.io", ".accounts[].url: pattern"),
        ("pipelines[]", "shedule: x", ".pipelines[]: additionalProperties"),
        ("pipelines[]", "start_deadline: 5 minutes", ".pipelines[].start_deadline: pattern"),
        ("pipelines[]", "start_deadline: 1s1m", ".pipelines[].start_deadline: pattern"),
        ("pipelines[]", "concurrency: never", ".pipelines[].concurrency: enum"),
        ("pipelines[]", "payload: 7", ".pipelines[].payload: type"),
        ("pipelines[]", "headers: {a: 1}", ".pipelines[].headers: additionalProperties"),
        ("pipelines[].polling", "maximum: 1m", ".pipelines[].polling: additionalProperties"),
        ("metrics", "labels: [a, a]", ".metrics.labels: uniqueItems"),
        ("metrics", "duration_buckets: []", ".metrics.duration_buckets: minItems"),
        ("storage", "url: 'postgres://db/runs'", ".storage.url: pattern"),
    ] {
        let text = around(path, inner);
        bad(&text);
        assert_eq!(checked(&text), [said], "{text}");
    }
    let nameless = "{accounts: [{name: x}], pipelines: []}";
    assert_eq!(checked(nameless), [".accounts[]: required"]);
}
