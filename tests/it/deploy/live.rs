//! What a new user sees: the demonstration, and a real Prometheus and a real Alertmanager with the
//! shipped configs, rules and dashboard.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::child::{Child, exporter, until};
use crate::prometheus::server::{Prometheus, listening};
use crate::prometheus::story::http;
use crate::repo::{root, text};

use super::dashboard;

/// The alerts, and which pipeline of the demonstration each is about.
const ALERTS: [(&str, &str); 5] = [
    ("HarnessPipelineExpired", "nightly-backup"),
    ("HarnessPipelineFailed", "search-index"),
    ("HarnessPipelineFailingRepeatedly", "search-index"),
    ("HarnessTriggerFailed", "legacy-billing"),
    ("HarnessDueTimesMissed", "nightly-backup"),
];

/// The demonstration, a day in 6 seconds, and where it listens. Its pipelines have an extra label,
/// which no rule and no panel may trip over.
async fn demo(folder: &Path) -> (Child, String) {
    let choices = [
        ("run_info: false", "run_info: true"),
        ("labels: []", "labels: [team]"),
        ("labels: {}", "labels: {team: web}"),
    ];
    let path = folder.join("config.yaml");
    fs::write(&path, changed(&text("config.yaml"), &choices)).unwrap();
    let mut command = exporter();
    command
        .args(["demo", "--speed=14400", "--web.listen-address=127.0.0.1:0"])
        .arg(format!("--config.file={}", path.display()))
        .env("TMPDIR", folder);
    let mut child = Child::start(&mut command, folder);
    let address = |said: &str| {
        let line = said.lines().find(|line| line.starts_with("metrics "))?;
        let url = line.split_whitespace().nth(1)?;
        Some(url.strip_prefix("http://")?.strip_suffix("/metrics")?.to_owned())
    };
    let address = child.says("where its metrics are", address).await;
    (child, address)
}

/// An Alertmanager with the shipped config, and where it listens.
async fn alertmanager(folder: &Path) -> (Child, String) {
    let config = root().join("deploy/alertmanager/alertmanager.yml");
    let mut command = Command::new("prometheus-alertmanager");
    command
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.path={}", folder.join("alerts").display()))
        .args(["--web.listen-address=127.0.0.1:0", "--cluster.listen-address="]);
    let mut child = Child::start(&mut command, folder);
    let address = listening(&mut child).await;
    (child, address)
}

/// The shipped config with other addresses, and so often that a test need not wait.
fn config(demo: &str, alertmanager: &str) -> String {
    let rules = root().join("deploy/prometheus/rules/*.yaml");
    let changes = [
        ("scrape_interval: 15s", "scrape_interval: 1s\n  scrape_timeout: 1s"),
        ("evaluation_interval: 15s", "evaluation_interval: 1s"),
        ("- rules/*.yaml", &format!("- {}", rules.display())),
        ("localhost:9093", alertmanager),
        ("localhost:10427", demo),
    ];
    changed(&text("deploy/prometheus/prometheus.yml"), &changes)
}

/// A text in which each of these is there once, and is something else now.
fn changed(text: &str, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(text.to_owned(), |text, (from, to)| {
        assert_eq!(text.matches(from).count(), 1, "{from}");
        text.replace(from, to)
    })
}

/// The alerts that have come to an Alertmanager.
async fn arrived(alertmanager: &str) -> Result<Vec<Value>, String> {
    let url = format!("http://{alertmanager}/api/v2/alerts");
    let answer = http().get(url).send().await.map_err(|error| error.to_string())?;
    let text = answer.text().await.map_err(|error| error.to_string())?;
    serde_json::from_str(&text).map_err(|_| text)
}

#[tokio::test]
async fn the_demo_fires_its_alerts_and_fills_every_panel() {
    let folder = tempfile::tempdir().unwrap();
    let (_demo, demo_address) = demo(folder.path()).await;
    let (_alertmanager, alerts) = alertmanager(folder.path()).await;
    let mut prometheus = Prometheus::with(&config(&demo_address, &alerts)).await;

    for (name, pipeline) in ALERTS {
        let query = format!(
            r#"count(ALERTS{{alertname="{name}",pipeline="{pipeline}",team="web",alertstate="firing"}})"#
        );
        prometheus.answers(&query, "1").await;
        until(&format!("{name} comes to the Alertmanager"), async || {
            let arrived = arrived(&alerts).await?;
            let is_it = |alert: &&Value| {
                alert["labels"]["alertname"] == name && alert["labels"]["pipeline"] == pipeline
            };
            match arrived.iter().find(is_it) {
                Some(_) => Ok(()),
                None => Err(Value::from(arrived.clone()).to_string()),
            }
        })
        .await;
    }

    for (title, query) in dashboard::queries() {
        until(&format!("{title}: {query} finds something"), async || {
            let found = prometheus.query(&query).await?;
            if found.is_empty() { Err("nothing".to_owned()) } else { Ok(()) }
        })
        .await;
    }
}
