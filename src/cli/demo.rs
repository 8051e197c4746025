//! `demo`: the exporter and a stand-in of Harness in one process.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{Failure, args, block_on, load::load};
use crate::app;
use crate::config::Config;
use crate::telemetry::{self, Format, Level};
use crate::web::ListenAddress;

/// Show what it does, with a stand-in of Harness and sped up; needs no account
#[derive(Args, Debug)]
pub(super) struct Demo {
    /// Config to read
    #[arg(
        long = "config.file",
        env = "HARNESS_EXPORTER_CONFIG_FILE",
        hide_env_values = true,
        value_name = "FILE",
        default_value = "config.yaml"
    )]
    config_file: PathBuf,

    /// Address to listen on
    #[arg(
        long = "web.listen-address",
        env = "HARNESS_EXPORTER_WEB_LISTEN_ADDRESS",
        hide_env_values = true,
        value_name = "ADDRESS",
        default_value = "127.0.0.1:10427"
    )]
    listen_address: ListenAddress,

    /// How many times as fast as in reality time passes; at 3600 an hour is a second
    #[arg(
        long = "speed",
        env = "HARNESS_EXPORTER_SPEED",
        hide_env_values = true,
        value_name = "FACTOR",
        default_value = "3600",
        value_parser = args::speed
    )]
    speed: f64,

    /// End after this long, such as 60s, instead of when interrupted
    #[arg(
        long = "for",
        env = "HARNESS_EXPORTER_FOR",
        hide_env_values = true,
        value_name = "DURATION",
        value_parser = args::duration
    )]
    length: Option<Duration>,
}

/// What the demonstration is to be run with.
#[derive(Debug)]
pub struct DemoOptions {
    /// The config as it was read. Its URLs, secrets, limits and storage are not to be used.
    pub config: Config,
    /// What tells this config from another.
    pub fingerprint: u64,
    /// Where to listen.
    pub listen_address: ListenAddress,
    /// How many times as fast as the config says, at least 1.
    pub speed: f64,
    /// How long it goes on; until interrupted where there is none.
    pub length: Option<Duration>,
}

impl Demo {
    pub(super) fn run(self) -> Result<(), Failure> {
        let loaded = load(&[self.config_file])?;
        telemetry::init(Level::Warn, Format::Logfmt).map_err(anyhow::Error::from)?;
        let options = DemoOptions {
            config: loaded.config,
            fingerprint: loaded.fingerprint,
            listen_address: self.listen_address,
            speed: self.speed,
            length: self.length,
        };
        Ok(block_on(app::demo(options))??)
    }
}
