//! A Prometheus of the test's own, and how it is asked.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde_json::{Map, Value};
use tempfile::TempDir;

use crate::child::{Child, until};

pub(crate) struct Prometheus {
    child: Child,
    url: String,
    _folder: TempDir,
}

/// Type and help by name.
pub(super) type Metadata = BTreeMap<String, (String, String)>;

/// The value of `key` in a line of a log.
fn logged<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    line.split_whitespace().find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
}

/// The address at which one of Prometheus' programs says that it listens.
pub(crate) async fn listening(child: &mut Child) -> String {
    let line = |said: &str| {
        let mut lines = said.lines().filter(|line| line.contains("\"Listening on\""));
        logged(lines.next()?, "address").map(str::to_owned)
    };
    child.says("where it listens", line).await
}

impl Prometheus {
    /// Scrapes each of `targets` every second, from a port that is free.
    pub(super) async fn start(targets: &[String]) -> Self {
        let config = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n\
             scrape_configs: [{{job_name: harness, static_configs: [{{targets: {targets:?}}}]}}]\n"
        );
        Self::with(&config).await
    }

    /// Does what a config says that names no file relative to itself, on a port that is free.
    pub(crate) async fn with(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config_file = folder.path().join("prometheus.yaml");
        fs::write(&config_file, config).unwrap();
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", config_file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .args(["--web.listen-address=127.0.0.1:0", "--log.level=info"]);
        let mut child = Child::start(&mut command, folder.path());
        let url = format!("http://{}", listening(&mut child).await);
        Self { child, url, _folder: folder }
    }

    /// `data` of an answer of its API.
    async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, String> {
        let request = super::story::http().get(format!("{}{path}", self.url)).query(query);
        let answer = request.send().await.map_err(|error| error.to_string())?;
        let text = answer.text().await.map_err(|error| error.to_string())?;
        let mut json: Value = serde_json::from_str(&text).map_err(|_| text.clone())?;
        if json["status"] == "success" { Ok(json["data"].take()) } else { Err(text) }
    }

    /// The series that `query` finds, with their values.
    pub(crate) async fn query(&self, query: &str) -> Result<Vec<Value>, String> {
        let mut data = self.get("/api/v1/query", &[("query", query)]).await?;
        match data["result"].take() {
            Value::Array(series) => Ok(series),
            other => Err(other.to_string()),
        }
    }

    /// The answer to `query` comes to be one series that says `wanted`.
    pub(crate) async fn answers(&mut self, query: &str, wanted: &str) {
        until(&format!("{query} is {wanted}"), async || match &self.query(query).await?[..] {
            [one] if one["value"][1] == wanted => Ok(()),
            other => Err(Value::from(other).to_string()),
        })
        .await;
    }

    /// The labels of every series that `selector` finds now.
    pub(super) async fn series(&self, selector: &str) -> Vec<Map<String, Value>> {
        let found = self.query(selector).await.unwrap();
        found.iter().map(|series| series["metric"].as_object().unwrap().clone()).collect()
    }

    /// What it was told of the metrics of its targets.
    pub(super) async fn metadata(&self) -> Metadata {
        let target = [("match_target", r#"{job="harness"}"#)];
        let told = self.get("/api/v1/targets/metadata", &target).await.unwrap();
        let text = |one: &Value, key: &str| one[key].as_str().unwrap().to_owned();
        let all = told.as_array().unwrap().iter();
        all.map(|one| (text(one, "metric"), (text(one, "type"), text(one, "help")))).collect()
    }

    /// It has dropped no sample and warned of nothing.
    pub(super) async fn complained_of_nothing(&self) {
        // Not at once, for on a busy machine a scrape may come to be too late.
        until("the last scrape of each target is good", async || {
            let targets = self.get("/api/v1/targets", &[]).await?;
            let mut targets = targets["activeTargets"].as_array().unwrap().iter();
            let bad = targets.find(|target| target["health"] != "up");
            bad.map_or(Ok(()), |target| Err(target.to_string()))
        })
        .await;
        let said = self.child.said();
        let loud = ["warn", "WARN", "error", "ERROR"].map(|level| format!("level={level} "));
        let complaints = said.lines().filter(|line| loud.iter().any(|level| line.contains(level)));
        assert_eq!(complaints.collect::<Vec<_>>(), [""; 0]);
    }
}
