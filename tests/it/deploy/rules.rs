//! The alert rules and the configs, read by Prometheus' and Alertmanager's own tools.

use std::process::Command;

use crate::child::output;
use crate::repo::{root, text};

/// A tool is content with files of the repository.
fn content(program: &str, arguments: &[&str]) {
    let output = output(Command::new(program).args(arguments).current_dir(root().join("deploy")));
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
}

#[test]
fn the_rules_fire_when_they_should_and_only_then() {
    content("promtool", &["check", "rules", "--lint-fatal", "prometheus/rules.yaml"]);
    content("promtool", &["test", "rules", "prometheus/rules.test.yaml"]);
}

#[test]
fn prometheus_and_alertmanager_take_their_configs() {
    let configs = ["prometheus/prometheus.yml", "prometheus/prometheus.compose.yml"];
    for config in configs {
        content("promtool", &["check", "config", "--lint-fatal", config]);
    }
    content("amtool", &["check-config", "alertmanager/alertmanager.yml"]);
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
