//! The alert rules and the configs: read by Prometheus' and Alertmanager's own tools, and held to
//! the rules of the house.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fmt::Debug;
use std::process::Command;

use serde_json::Value;

use crate::child::output;
use crate::repo::{files, root, text};

use super::{closed, document};

/// A tool is content with files of the repository.
fn content<S: AsRef<OsStr> + Debug>(program: &str, arguments: &[&str], files: &[S]) {
    let mut command = Command::new(program);
    let output = output(command.args(arguments).args(files).current_dir(root()));
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "{program} {arguments:?} {files:?}: {said}");
}

const ALERTMANAGER: &str = "deploy/alertmanager/alertmanager.yml";

/// The files of rules, those that are loaded and the recipe that is not.
fn rule_files() -> Vec<String> {
    let mut paths = files("deploy/prometheus/rules", "yaml");
    paths.push("deploy/prometheus/slo.yaml".to_owned());
    paths
}

/// The files of unit tests of the rules.
fn test_files() -> Vec<String> {
    files("deploy/prometheus/tests", "yaml")
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Every rule that is shipped.
fn rules() -> Vec<Value> {
    let files: Vec<_> = rule_files().iter().map(|path| document(path)).collect();
    let groups = files.iter().flat_map(|file| list(&file["groups"]));
    groups.flat_map(|group| list(&group["rules"])).cloned().collect()
}

/// The alerts, by name.
fn alerts() -> BTreeMap<String, Value> {
    let mut alerts = BTreeMap::new();
    for rule in rules() {
        if let Some(name) = rule["alert"].as_str() {
            let twice = alerts.insert(name.to_owned(), rule.clone());
            assert!(twice.is_none(), "there are two of {name}");
        }
    }
    alerts
}

#[test]
fn the_rules_fire_when_they_should_and_only_then() {
    content("promtool", &["check", "rules", "--lint-fatal"], &rule_files());
    content("promtool", &["test", "rules"], &test_files());
}

/// What a key of a test case says; a case may take it from another one.
fn given<'a>(case: &'a Value, key: &str) -> &'a Value {
    case.get(key).unwrap_or_else(|| &case["<<"][key])
}

#[test]
fn every_alert_is_seen_firing_and_silent() {
    let mut fires = BTreeSet::new();
    let mut silent = BTreeSet::new();
    for path in test_files() {
        let file = document(&path);
        for case in list(&file["tests"]).flat_map(|test| list(&test["alert_rule_test"])) {
            let name = given(case, "alertname").as_str().unwrap().to_owned();
            let expected = given(case, "exp_alerts").as_array().unwrap();
            if expected.is_empty() {
                silent.insert(name)
            } else {
                fires.insert(name)
            };
        }
    }
    let alerts: BTreeSet<_> = alerts().into_keys().collect();
    assert!(alerts.len() > 20, "{alerts:?}");
    assert_eq!(fires, alerts, "each has a case in which it fires");
    assert_eq!(silent, alerts, "each has a case in which it is silent");
}

/// Where a heading of a document is linked to.
fn anchors(document: &str) -> BTreeSet<String> {
    let headings = document.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-"))
        .collect()
}

#[test]
fn every_alert_says_what_it_is_about_and_leads_to_what_to_do() {
    let operations = text("docs/operations.md");
    let anchors = anchors(&operations);
    for (name, alert) in alerts() {
        let severity = alert["labels"]["severity"].as_str().unwrap_or_default();
        assert!(["critical", "warning", "info"].contains(&severity), "{name}: {severity}");
        for key in ["summary", "description"] {
            assert!(alert["annotations"][key].is_string(), "{name} has no {key}");
        }
        let runbook = alert["annotations"]["runbook_url"].as_str().unwrap_or_default();
        let anchor = runbook.strip_prefix("docs/operations.md#").unwrap_or_default();
        assert!(anchors.contains(anchor), "{name}: there is no {runbook}");
        assert!(operations.contains(&format!("`{name}`")), "docs/operations.md leaves out {name}");
    }
}

#[test]
fn an_alert_about_a_pipeline_is_one_whatever_the_number_of_replicas() {
    for (name, alert) in alerts() {
        let query = alert["expr"].as_str().unwrap();
        let is_of_the_fleet = ["harness_pipeline_", "harness_up", "harness_api_"]
            .iter()
            .any(|start| query.contains(start));
        let aggregates = query.contains("without (instance, pod, container, endpoint")
            || query.contains("pipeline:harness_")
            || query.contains("account:harness_");
        assert!(aggregates || !is_of_the_fleet, "{name}: {query}");
        assert!(!query.contains("_info "), "{name} joins what changes with a restart");
    }
}

/// Reasons that a rule leaves out, and those it has no better word for than "else".
const UNEXPLAINED: [&str; 1] = ["skipped"];

#[test]
fn every_reason_is_explained_in_the_alert_that_names_it() {
    let alerts = alerts();
    let reasons = closed("harness_pipeline_trigger_failures_total", "reason");
    let missed = closed("harness_pipeline_schedules_missed_total", "reason");
    for (alert, reasons) in [("HarnessTriggerFailed", reasons), ("HarnessDueTimesMissed", missed)] {
        let description = alerts[alert]["annotations"]["description"].as_str().unwrap();
        for reason in reasons.iter().filter(|reason| !UNEXPLAINED.contains(reason)) {
            let explained = format!("eq . \"{reason}\"");
            assert!(description.contains(&explained), "{alert} does not explain {reason}");
        }
    }
}

#[test]
fn prometheus_and_alertmanager_take_their_configs() {
    for config in ["prometheus.yml", "prometheus.compose.yml"] {
        let config = format!("deploy/prometheus/{config}");
        content("promtool", &["check", "config", "--lint-fatal"], &[config]);
    }
    content("amtool", &["check-config"], &[ALERTMANAGER]);
}

#[test]
fn alertmanager_sends_each_severity_where_it_belongs() {
    let known = document(ALERTMANAGER);
    let receivers: BTreeSet<_> =
        list(&known["receivers"]).map(|one| one["name"].as_str().unwrap()).collect();
    let wanted = [("critical", "page"), ("warning", "look"), ("info", "note"), ("new", "page")];
    for (severity, receiver) in wanted {
        assert!(receivers.contains(receiver), "{receivers:?}");
        let config = format!("--config.file={ALERTMANAGER}");
        let verify = format!("--verify.receivers={receiver}");
        let labels = [format!("severity={severity}"), "alertname=HarnessAny".to_owned()];
        content("amtool", &["config", "routes", "test", &config, &verify], &labels);
    }
    let alerts = alerts();
    for rule in list(&known["inhibit_rules"]) {
        let matchers = list(&rule["source_matchers"]).chain(list(&rule["target_matchers"]));
        for matcher in matchers.map(|one| one.as_str().unwrap()) {
            let names = matcher.trim_start_matches("alertname").trim_start_matches(['=', '~']);
            for name in names.trim_matches('"').split('|') {
                assert!(alerts.contains_key(name), "{matcher}: there is no {name}");
            }
        }
    }
}

#[test]
fn both_configs_of_prometheus_say_the_same() {
    let settings = |path: &str| -> Vec<String> {
        let text = text(path);
        text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    };
    let changed: Vec<_> = settings("deploy/prometheus/prometheus.yml")
        .iter()
        .map(|line| line.replace("localhost:9093", "alertmanager:9093"))
        .map(|line| line.replace("localhost:10427", "exporter:10427"))
        .collect();
    assert_eq!(settings("deploy/prometheus/prometheus.compose.yml"), changed);
}

#[test]
fn what_is_recorded_is_named_after_what_it_is_made_of() {
    let mut recorded = BTreeSet::new();
    let mut asked = BTreeSet::new();
    for rule in rules() {
        recorded.extend(rule["record"].as_str().map(str::to_owned));
        let query = rule["expr"].as_str().unwrap();
        let is_part = |c: char| c.is_ascii_alphanumeric() || "_:".contains(c);
        let words = query.split(|c| !is_part(c)).filter(|word| word.contains(":harness_"));
        asked.extend(words.map(str::to_owned));
    }
    assert!(asked.is_subset(&recorded), "{:?}", asked.difference(&recorded));
    for name in recorded {
        assert_eq!(name.split(':').count(), 3, "{name}: level:metric:operations");
    }
}
