//! What the command line itself says of a Harness, where there is no config.
//!
//! It is made into the text of a config and read as one, so that the same rules hold for both and
//! are written once.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;
use serde_json::{Map, Value, json};

use super::Failure;
use crate::config::{Config, Source, parse};

/// Holds the API key where no file is named.
const API_KEY_VARIABLE: &str = "HARNESS_EXPORTER_API_KEY";

/// Holds the webhook token where no file is named.
const TOKEN_VARIABLE: &str = "HARNESS_EXPORTER_WEBHOOK_TOKEN";

#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Instead of a config")]
pub(super) struct DirectAccount {
    /// Identifier of the account in Harness
    #[arg(
        long = "account",
        env = "HARNESS_EXPORTER_ACCOUNT",
        hide_env_values = true,
        value_name = "ID"
    )]
    pub(super) account: Option<String>,

    /// Its cluster, vanity or self-managed host; without it that of Harness' own first cluster
    #[arg(
        long = "url",
        env = "HARNESS_EXPORTER_URL",
        hide_env_values = true,
        value_name = "URL",
        requires = "account"
    )]
    url: Option<String>,

    /// File with the API key; without it the variable `HARNESS_EXPORTER_API_KEY` is read, if set
    #[arg(
        long = "api-key-file",
        env = "HARNESS_EXPORTER_API_KEY_FILE",
        hide_env_values = true,
        value_name = "FILE",
        requires = "account"
    )]
    api_key_file: Option<PathBuf>,
}

#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Instead of a config")]
pub(super) struct DirectPipeline {
    /// Identifier of the organization
    #[arg(
        long = "org",
        env = "HARNESS_EXPORTER_ORG",
        hide_env_values = true,
        value_name = "ID",
        requires = "account"
    )]
    org: Option<String>,

    /// Identifier of the project
    #[arg(
        long = "project",
        env = "HARNESS_EXPORTER_PROJECT",
        hide_env_values = true,
        value_name = "ID",
        requires = "account"
    )]
    project: Option<String>,

    /// Identifier of the pipeline
    #[arg(
        long = "pipeline",
        env = "HARNESS_EXPORTER_PIPELINE",
        hide_env_values = true,
        value_name = "ID",
        requires = "account"
    )]
    pipeline: Option<String>,

    /// Identifier of its custom webhook trigger
    #[arg(
        long = "trigger",
        env = "HARNESS_EXPORTER_TRIGGER",
        hide_env_values = true,
        value_name = "ID",
        requires = "account"
    )]
    trigger: Option<String>,

    /// File with the token of the trigger's URL; or in the variable `HARNESS_EXPORTER_WEBHOOK_TOKEN`
    #[arg(
        long = "webhook-token-file",
        env = "HARNESS_EXPORTER_WEBHOOK_TOKEN_FILE",
        hide_env_values = true,
        value_name = "FILE",
        requires = "account"
    )]
    webhook_token_file: Option<PathBuf>,
}

impl DirectAccount {
    /// A config with this account and no pipeline; none where no account is named.
    pub(super) fn config(&self) -> Result<Option<Config>, Failure> {
        self.account().map(|account| read(&account, &[])).transpose()
    }

    /// A config with this account and that pipeline; none where no account is named.
    pub(super) fn config_with(&self, pipeline: &DirectPipeline) -> Result<Option<Config>, Failure> {
        let Some(account) = self.account() else { return Ok(None) };
        let missing = pipeline.missing();
        if !missing.is_empty() {
            let missing = missing.join(", ");
            return Err(Failure::Usage(anyhow!("--account wants {missing} too")));
        }
        read(&account, &[pipeline.entry()]).map(Some)
    }

    fn account(&self) -> Option<Value> {
        let mut entry = Map::from_iter([("account_id".to_owned(), json!(self.account.as_ref()?))]);
        entry.extend(self.url.as_ref().map(|url| ("url".to_owned(), json!(url))));
        entry.extend(secret("api_key", self.api_key_file.as_ref(), API_KEY_VARIABLE));
        Some(Value::Object(entry))
    }
}

impl DirectPipeline {
    fn identifiers(&self) -> [(&'static str, &Option<String>); 4] {
        let Self { org, project, pipeline, trigger, .. } = self;
        [("org", org), ("project", project), ("pipeline", pipeline), ("trigger", trigger)]
    }

    fn missing(&self) -> Vec<String> {
        let given = self.identifiers();
        let missing = given.iter().filter(|(_, value)| value.is_none());
        missing.map(|(key, _)| format!("--{key}")).collect()
    }

    fn entry(&self) -> Value {
        let mut entry = Map::new();
        for (key, value) in self.identifiers() {
            entry.insert(key.to_owned(), json!(value));
        }
        entry.extend(secret("webhook_token", self.webhook_token_file.as_ref(), TOKEN_VARIABLE));
        Value::Object(entry)
    }
}

/// Where a secret is: in the file, else in the variable where that is set.
fn secret(key: &str, file: Option<&PathBuf>, variable: &str) -> Option<(String, Value)> {
    match file {
        Some(file) => Some((format!("{key}_file"), json!(file))),
        None if std::env::var_os(variable).is_some() => {
            Some((format!("{key}_env"), json!(variable)))
        }
        None => None,
    }
}

fn read(account: &Value, pipelines: &[Value]) -> Result<Config, Failure> {
    let text = json!({ "accounts": [account], "pipelines": pipelines }).to_string();
    let name = PathBuf::from("command line");
    match parse(&[Source { name, text }]) {
        Ok((config, _)) => Ok(config),
        Err(problems) => {
            // The text was made here: a line and a column of it mean nothing to anybody.
            let said = problems.0.iter().map(|problem| {
                let place = &problem.place;
                format!("{}: {}: {}", place.file_name(), place.path(), problem.message)
            });
            Err(Failure::Usage(anyhow!(said.collect::<Vec<_>>().join("; "))))
        }
    }
}
