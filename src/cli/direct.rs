//! What the command line itself says of a Harness, where there is no config.
//!
//! It is made into the text of a config and read as one, so that the same rules hold for both and
//! are written once.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, FromArgMatches};
use serde_json::{Map, Value, json};

use super::Failure;
use crate::config::{Config, Source, parse};

/// Holds the API key where no file is named.
const API_KEY_VARIABLE: &str = "HARNESS_EXPORTER_API_KEY";

/// Holds the webhook token where no file is named.
const TOKEN_VARIABLE: &str = "HARNESS_EXPORTER_WEBHOOK_TOKEN";

/// What `run` may be told in place of a config and of names in it.
///
/// Both on one command line are a mistake. Variables are not: they are left alone where names are
/// given, for somebody may have set them for good.
#[derive(Clone, Debug, Default)]
pub(super) struct Instead {
    pub(super) account: DirectAccount,
    pub(super) pipeline: DirectPipeline,
}

impl FromArgMatches for Instead {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let typed = FLAGS.into_iter().find(|id| {
            matches.value_source(id).is_some_and(|source| source == ValueSource::CommandLine)
        });
        let named = matches.get_many::<String>("names").is_some_and(|names| names.len() > 0);
        match typed {
            Some(id) if named => {
                let flag = id.replace('_', "-");
                let what = format!("a NAME and --{flag} exclude each other\n");
                Err(clap::Error::raw(ErrorKind::ArgumentConflict, what))
            }
            None if named => Ok(Self::default()),
            _ if matches.get_one::<String>("account").is_none() => {
                let what = "want the NAME of a pipeline in the config, or --account and so on\n";
                Err(clap::Error::raw(ErrorKind::MissingRequiredArgument, what))
            }
            _ => Ok(Self {
                account: DirectAccount::from_arg_matches(matches)?,
                pipeline: DirectPipeline::from_arg_matches(matches)?,
            }),
        }
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Instead {
    fn augment_args(command: clap::Command) -> clap::Command {
        DirectPipeline::augment_args(DirectAccount::augment_args(command))
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

/// Their ids in clap.
const FLAGS: [&str; 8] = [
    "account",
    "url",
    "api_key_file",
    "org",
    "project",
    "pipeline",
    "trigger",
    "webhook_token_file",
];

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
    account: Option<String>,

    /// Its cluster, vanity or self-managed host; without it that of Harness' own first cluster
    #[arg(
        long = "url",
        env = "HARNESS_EXPORTER_HARNESS_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    url: Option<String>,

    /// File with the API key; without it the variable `HARNESS_EXPORTER_API_KEY` is read, if set
    #[arg(
        long = "api-key-file",
        env = "HARNESS_EXPORTER_API_KEY_FILE",
        hide_env_values = true,
        value_name = "FILE"
    )]
    api_key_file: Option<PathBuf>,
}

#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Instead of a config")]
pub(super) struct DirectPipeline {
    /// Identifier of the organization
    #[arg(long = "org", env = "HARNESS_EXPORTER_ORG", hide_env_values = true, value_name = "ID")]
    org: Option<String>,

    /// Identifier of the project
    #[arg(
        long = "project",
        env = "HARNESS_EXPORTER_PROJECT",
        hide_env_values = true,
        value_name = "ID"
    )]
    project: Option<String>,

    /// Identifier of the pipeline
    #[arg(
        long = "pipeline",
        env = "HARNESS_EXPORTER_PIPELINE",
        hide_env_values = true,
        value_name = "ID"
    )]
    pipeline: Option<String>,

    /// Identifier of its custom webhook trigger
    #[arg(
        long = "trigger",
        env = "HARNESS_EXPORTER_TRIGGER",
        hide_env_values = true,
        value_name = "ID"
    )]
    trigger: Option<String>,

    /// File with the token of the trigger's URL; or in the variable `HARNESS_EXPORTER_WEBHOOK_TOKEN`
    #[arg(
        long = "webhook-token-file",
        env = "HARNESS_EXPORTER_WEBHOOK_TOKEN_FILE",
        hide_env_values = true,
        value_name = "FILE"
    )]
    webhook_token_file: Option<PathBuf>,
}

impl DirectAccount {
    /// A config with this account and no pipeline; none where no account is named.
    pub(super) fn config(&self) -> Result<Option<Config>, Failure> {
        if self.account.is_none() && (self.url.is_some() || self.api_key_file.is_some()) {
            return Err(Failure::Usage(anyhow!("--url and --api-key-file want --account too")));
        }
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
            // A place in a text that nobody has written helps nobody.
            let told = problems.0.iter().map(|problem| {
                format!("command line: {}: {}", problem.place.path(), problem.message)
            });
            Err(Failure::Usage(anyhow!(told.collect::<Vec<_>>().join("; "))))
        }
    }
}
