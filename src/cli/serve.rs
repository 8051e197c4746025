//! `serve`: the exporter.

use std::path::PathBuf;

use anyhow::{Context, anyhow};
use clap::Args;

use super::args::ConfigFiles;
use super::{Failure, args, block_on, load::load};
use crate::app;
use crate::config::{self, Account, Config, Loaded, Location, PLACEHOLDER_ACCOUNT_ID, Secrets};
use crate::harness::read_secret;
use crate::telemetry::{self, Format, Level};
use crate::web::{Guard, ListenAddress};

/// Trigger, follow and export, until told to stop
#[derive(Args, Debug)]
pub(super) struct Serve {
    #[command(flatten)]
    config: ConfigFiles,

    /// Address to listen on, :PORT for all of this machine's; repeatable
    #[arg(
        long = "web.listen-address",
        env = "HARNESS_EXPORTER_WEB_LISTEN_ADDRESS",
        hide_env_values = true,
        value_name = "ADDRESS",
        value_delimiter = ',',
        default_value = ":10427"
    )]
    listen_addresses: Vec<ListenAddress>,

    /// Path to serve the metrics at
    #[arg(
        long = "web.telemetry-path",
        env = "HARNESS_EXPORTER_WEB_TELEMETRY_PATH",
        hide_env_values = true,
        value_name = "PATH",
        default_value = "/metrics",
        value_parser = args::telemetry_path
    )]
    telemetry_path: String,

    /// Who may come in, and how to speak TLS, in the format of Prometheus' exporter-toolkit
    #[arg(
        long = "web.config.file",
        env = "HARNESS_EXPORTER_WEB_CONFIG_FILE",
        hide_env_values = true,
        value_name = "FILE"
    )]
    web_config_file: Option<PathBuf>,

    /// Let POST /api/v1/pipelines/NAME/trigger trigger a pipeline; where others reach it, web users
    /// are needed
    #[arg(
        long = ENABLE_TRIGGER,
        env = "HARNESS_EXPORTER_WEB_ENABLE_TRIGGER",
        hide_env_values = true,
        value_parser = clap::builder::BoolishValueParser::new()
    )]
    enable_trigger: bool,

    /// Let POST /-/reload, /-/pause and /-/resume do what they say; where others reach it, web users
    /// are needed
    #[arg(
        long = ENABLE_LIFECYCLE,
        env = "HARNESS_EXPORTER_WEB_ENABLE_LIFECYCLE",
        hide_env_values = true,
        value_parser = clap::builder::BoolishValueParser::new()
    )]
    enable_lifecycle: bool,

    /// Where the runs are kept, instead of where the config says
    #[arg(
        long = "storage.url",
        env = "HARNESS_EXPORTER_STORAGE_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    storage_url: Option<String>,

    /// Do everything but trigger: log what would have been triggered
    #[arg(
        long = "dry-run",
        env = "HARNESS_EXPORTER_DRY_RUN",
        hide_env_values = true,
        value_parser = clap::builder::BoolishValueParser::new()
    )]
    dry_run: bool,

    /// From which severity on to log
    #[arg(
        long = "log.level",
        env = "HARNESS_EXPORTER_LOG_LEVEL",
        hide_env_values = true,
        value_name = "LEVEL",
        value_enum,
        default_value_t
    )]
    log_level: Level,

    /// How to write the log
    #[arg(
        long = "log.format",
        env = "HARNESS_EXPORTER_LOG_FORMAT",
        hide_env_values = true,
        value_name = "FORMAT",
        value_enum,
        default_value_t
    )]
    log_format: Format,
}

const ENABLE_TRIGGER: &str = "web.enable-trigger";
const ENABLE_LIFECYCLE: &str = "web.enable-lifecycle";

impl Serve {
    pub(super) fn run(self) -> Result<(), Failure> {
        let guard = self.guard()?;
        self.check_exposure(&guard)?;
        let loaded = load(&self.config.config_files)?;
        let loaded = checked(loaded, self.storage_url.as_deref())?;
        telemetry::init(self.log_level, self.log_format).map_err(anyhow::Error::from)?;
        for warning in loaded.warnings {
            tracing::warn!(%warning, "the config may not mean what it says");
        }
        let (files, storage_url) = (self.config.config_files, self.storage_url);
        let again = move || {
            let open = |source: &_| read_secret(source).map_err(|error| error.to_string());
            let loaded = config::load(&files, Secrets::Opened(&open))?;
            checked(loaded, storage_url.as_deref()).map_err(Failure::into_error)
        };
        let setup = app::Setup {
            config: loaded.config,
            fingerprint: loaded.fingerprint,
            listeners: Vec::new(),
            telemetry_path: self.telemetry_path,
            guard,
            enable_trigger: self.enable_trigger,
            enable_lifecycle: self.enable_lifecycle,
            dry_run: self.dry_run,
            load: Some(Box::new(again)),
            ended: None,
        };
        let addresses = self.listen_addresses;
        Ok(block_on(async move { app::serve(&addresses, setup).await })??)
    }

    fn guard(&self) -> Result<Guard, Failure> {
        let Some(path) = &self.web_config_file else {
            let none = Guard::none().context("the system gives no random numbers");
            return Ok(none?);
        };
        let guard = Guard::open(path);
        guard.map_err(|error| Failure::Usage(anyhow::Error::from(error)))
    }

    /// Nobody but users may change something from elsewhere.
    fn check_exposure(&self, guard: &Guard) -> Result<(), Failure> {
        if guard.has_users() {
            return Ok(());
        }
        let flags = [
            (self.enable_trigger, ENABLE_TRIGGER, "trigger pipelines"),
            (self.enable_lifecycle, ENABLE_LIFECYCLE, "reload the config and pause pipelines"),
        ];
        let mut reachable = self.listen_addresses.iter().filter(|address| !address.is_loopback());
        let on = flags.into_iter().find(|(on, ..)| *on);
        match (reachable.next(), on) {
            (Some(address), Some((_, flag, what))) => Err(Failure::Usage(anyhow!(
                "--{flag} with --web.listen-address={address} would let anyone who reaches that \
                 address {what}: name users in --web.config.file, or listen on a loopback address \
                 such as 127.0.0.1:10427"
            ))),
            _ => Ok(()),
        }
    }
}

/// The config with what the command line overrides, if it can be served.
fn checked(mut loaded: Loaded, storage_url: Option<&str>) -> Result<Loaded, Failure> {
    check_accounts(&loaded.config)?;
    if let Some(url) = storage_url {
        // Not by clap, which would repeat the URL with whatever password is in it.
        let location = url.parse::<Location>();
        loaded.config.storage.location =
            location.map_err(|what| Failure::Usage(anyhow!("--storage.url: {what}")))?;
    }
    Ok(loaded)
}

/// Refuses a config that still has the placeholder of the shipped one.
pub(super) fn check_accounts(config: &Config) -> Result<(), Failure> {
    config.accounts.values().try_for_each(|account| check_account(account))
}

/// The same for one account.
pub(super) fn check_account(account: &Account) -> Result<(), Failure> {
    if account.account_id != PLACEHOLDER_ACCOUNT_ID {
        return Ok(());
    }
    Err(Failure::Usage(anyhow!(
        "the account_id of account {} is still {PLACEHOLDER_ACCOUNT_ID}: put yours there, or try \
         `harness-exporter demo`, which needs none",
        account.name
    )))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::check::tests::config;
    use super::super::{Cli, Command};
    use super::*;

    fn parsed(flags: &[&str]) -> Serve {
        let line = ["harness-exporter", "serve"].iter().chain(flags);
        match Cli::try_parse_from(line).unwrap().command {
            Command::Serve(serve) => serve,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_changes_something_needs_loopback_addresses() {
        let nobody = Guard::none().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("web.yml");
        let hash = bcrypt::hash("word", 4).unwrap();
        std::fs::write(&file, format!("basic_auth_users: {{admin: {hash}}}")).unwrap();
        let users = Guard::open(&file).unwrap();
        let local = "--web.listen-address=127.0.0.1:1";
        let other = "--web.listen-address=192.0.2.1:2";
        for flag in ["--web.enable-trigger", "--web.enable-lifecycle"] {
            for good in
                [&[][..], &[flag, local], &[flag, local, "--web.listen-address=localhost:2"]]
            {
                assert!(parsed(good).check_exposure(&nobody).is_ok(), "{good:?}");
            }
            for bad in [&[flag][..], &[flag, local, other]] {
                let failure = parsed(bad).check_exposure(&nobody).unwrap_err();
                assert_eq!(failure.status(), 2);
                assert!(failure.to_string().starts_with(&format!("{flag} with ")), "{failure}");
                assert!(parsed(bad).check_exposure(&users).is_ok(), "{bad:?}");
            }
        }
    }

    #[test]
    fn a_placeholder_is_refused_by_name() {
        let failure = check_accounts(&config("YOUR_ACCOUNT_ID")).unwrap_err();
        assert_eq!(failure.status(), 2);
        insta::assert_snapshot!(failure, @"the account_id of account default is still YOUR_ACCOUNT_ID: put yours there, or try `harness-exporter demo`, which needs none");
        assert!(check_accounts(&config("acme0000000000000000AA")).is_ok());
    }
}
