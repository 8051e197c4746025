//! `/config`: the config that holds, with all defaults and without a secret.
//!
//! Every field is named, so that a new one has to be thought of here. Where a secret is to be read
//! is shown, a secret never is; of payloads and headers, in which users may have put some, only the
//! keys are.

use std::fmt;

use serde_yaml::{Mapping, Value};

use crate::config::duration::Span;
use crate::config::{
    Account, Config, Maintenance, MetricsOptions, Pipeline, Polling, Results, SecretSource,
    Storage, Webhook,
};
use crate::model::WebhookVersion;

const HIDDEN: &str = "<hidden>";

/// The config as YAML.
pub(super) fn yaml(config: &Config) -> String {
    let Config { accounts, pipelines, storage, results, metrics, notifications } = config;
    let Storage { location, retention } = storage;
    let Results { ignore_failed, approval_rejected, aborted_by_freeze, suspended } = results;
    let MetricsOptions { stages, run_info, labels, duration_buckets } = metrics;
    let mut root = Map::default();
    root.add("accounts", accounts.values().map(|account| self::account(account)));
    root.add("pipelines", pipelines.iter().map(|pipeline| self::pipeline(pipeline)));
    let mut inner = Map::default();
    inner.text("url", location).text("retention", &Span(*retention));
    root.map("storage", inner);
    let mut inner = Map::default();
    inner
        .text("ignore_failed", ignore_failed)
        .text("approval_rejected", approval_rejected)
        .text("aborted_by_freeze", aborted_by_freeze)
        .text("suspended", suspended);
    root.map("results", inner);
    let mut inner = Map::default();
    inner.value("stages", *stages).value("run_info", *run_info);
    inner.add("labels", labels.iter().map(|label| label.as_str().into()));
    let seconds = duration_buckets.iter().map(|millis| (*millis as f64 / 1000.0).into());
    inner.add("duration_buckets", seconds);
    root.map("metrics", inner);
    if let Some(source) = notifications {
        let mut inner = Map::default();
        inner.secret("token", source);
        root.map("notifications", inner);
    }
    // What is made of texts and numbers alone can be written.
    serde_yaml::to_string(&root.0).unwrap_or_default()
}

fn account(account: &Account) -> Value {
    let Account {
        name,
        url,
        account_id,
        api_key,
        requests_per_minute,
        max_active_runs,
        triggers_per_minute,
        timeout,
        ca_file,
    } = account;
    let mut map = Map::default();
    map.text("name", name).text("url", url).text("account_id", account_id);
    if let Some(source) = api_key {
        map.secret("api_key", source);
    }
    map.value("requests_per_minute", *requests_per_minute)
        .value("max_active_runs", *max_active_runs)
        .value("triggers_per_minute", *triggers_per_minute)
        .text("timeout", &Span(*timeout));
    if let Some(path) = ca_file {
        map.text("ca_file", &path.display());
    }
    map.0.into()
}

fn pipeline(pipeline: &Pipeline) -> Value {
    let Pipeline {
        name,
        account,
        org,
        project,
        pipeline,
        trigger,
        webhook,
        schedule,
        start_deadline,
        concurrency,
        payload,
        headers,
        queue_deadline,
        run_deadline,
        paused,
        polling: Polling { first, min, max },
        unconfirmed_deadline,
        overdue_after,
        retry,
        maintenance,
        labels,
    } = pipeline;
    let mut map = Map::default();
    map.text("name", name).text("account", account).text("org", org).text("project", project);
    map.text("pipeline", pipeline).text("trigger", trigger);
    add_webhook(&mut map, webhook);
    if let Some(schedule) = schedule {
        map.text("schedule", &schedule.text());
    }
    map.text("start_deadline", &Span(*start_deadline)).text("concurrency", &concurrency.as_str());
    map.value("payload", keys_only(payload));
    let mut hidden = Map::default();
    for (header, _) in headers {
        hidden.text(header, &HIDDEN);
    }
    map.map("headers", hidden);
    map.text("queue_deadline", &Span(*queue_deadline)).text("run_deadline", &Span(*run_deadline));
    map.text("unconfirmed_deadline", &Span(*unconfirmed_deadline)).value("paused", *paused);
    let mut inner = Map::default();
    inner.text("first", &Span(*first)).text("min", &Span(*min)).text("max", &Span(*max));
    map.map("polling", inner);
    if let Some(after) = overdue_after {
        map.text("overdue_after", &Span(*after));
    }
    if let Some(retry) = retry {
        let mut inner = Map::default();
        inner.text("after", &Span(retry.after)).value("attempts", retry.attempts);
        map.map("retry", inner);
    }
    map.add("maintenance", maintenance.iter().map(window));
    map.add("labels", labels.iter().map(|label| label.as_str().into()));
    map.0.into()
}

fn window(Maintenance { begins, duration }: &Maintenance) -> Value {
    let mut map = Map::default();
    map.text("cron", &begins.text()).text("duration", &Span(*duration));
    map.0.into()
}

fn add_webhook(map: &mut Map, webhook: &Webhook) {
    let word = |version: WebhookVersion| match version {
        WebhookVersion::V1 => "v1",
        WebhookVersion::V2 => "v2",
        WebhookVersion::V3 => "v3",
    };
    match webhook {
        Webhook::Auto => map.text("webhook", &"auto"),
        Webhook::Fixed(version) => map.text("webhook", &word(*version)),
        Webhook::Token(source) => map.text("webhook", &"v3").secret("webhook_token", source),
        Webhook::Url { source, version } => {
            map.text("webhook", &word(*version)).secret("webhook_url", source)
        }
    };
}

/// The payload's top-level keys.
fn keys_only(payload: &str) -> Value {
    match serde_json::from_str(payload) {
        Ok(serde_json::Value::Object(object)) => {
            let mut map = Map::default();
            for key in object.keys() {
                map.text(key, &HIDDEN);
            }
            map.0.into()
        }
        _ => HIDDEN.into(),
    }
}

/// A mapping in the making.
#[derive(Default)]
struct Map(Mapping);

impl Map {
    fn value(&mut self, key: &str, value: impl Into<Value>) -> &mut Self {
        self.0.insert(key.into(), value.into());
        self
    }

    fn text(&mut self, key: &str, text: &dyn fmt::Display) -> &mut Self {
        self.value(key, text.to_string())
    }

    /// A mapping below it, unless that is empty.
    fn map(&mut self, key: &str, map: Self) -> &mut Self {
        if map.0.is_empty() { self } else { self.value(key, map.0) }
    }

    /// A list below it, unless that is empty.
    fn add(&mut self, key: &str, values: impl Iterator<Item = Value>) -> &mut Self {
        let values: Vec<Value> = values.collect();
        if values.is_empty() { self } else { self.value(key, values) }
    }

    /// Where it is read, by the key that says so.
    fn secret(&mut self, key: &str, source: &SecretSource) -> &mut Self {
        match source {
            SecretSource::File(path) => self.text(&format!("{key}_file"), &path.display()),
            SecretSource::Env(name) => self.text(&format!("{key}_env"), name),
            SecretSource::Inline(_) => self.text(key, &HIDDEN),
        }
    }
}
