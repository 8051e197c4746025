//! `check`: is the config valid, and what would it do?

use std::fmt::{self, Write};
use std::time::Duration;

use clap::Args;

use super::args::ConfigFiles;
use super::{Failure, escaped, load::load, online, print, remark, serve};
use crate::calendar::Calendar;
use crate::config::{Colours, Config, Pipeline};
use crate::driver;
use crate::harness::{read_secret, unreadable_tokens};
use crate::model::Wall;

/// Check the config and show when each pipeline is due
#[derive(Args, Debug)]
pub(super) struct Check {
    #[command(flatten)]
    config: ConfigFiles,

    /// Ask Harness whether each trigger is there and switched on; changes nothing
    #[arg(
        long = "online",
        env = "HARNESS_EXPORTER_ONLINE",
        hide_env_values = true,
        value_parser = clap::builder::BoolishValueParser::new()
    )]
    online: bool,
}

impl Check {
    pub(super) fn run(self) -> Result<(), Failure> {
        let loaded = load(&self.config.config_files)?;
        for warning in &loaded.warnings {
            remark(&format!("{}\n", warning.rendered(Colours::Ansi)));
        }
        warn_of_tokens(&loaded.config);
        print(&report(&loaded.config, driver::wall()))?;
        if self.online {
            return online::check(&loaded.config);
        }
        warn_of_keys(&loaded.config);
        if let Err(failure) = serve::check_accounts(&loaded.config) {
            warn(&failure.to_string());
        }
        Ok(())
    }
}

/// What is no failure of a config that may be meant for another machine.
fn warn(problem: &str) {
    remark(&escaped(&format!("warning: {problem}")));
}

/// Warns of the tokens that can't be had here.
fn warn_of_tokens(config: &Config) {
    for (pipeline, error) in unreadable_tokens(config) {
        warn(&format!("the webhook token of pipeline {pipeline} can't be used: {error}"));
    }
}

/// Warns of the API keys and the token of notifications that can't be had here.
fn warn_of_keys(config: &Config) {
    for account in config.accounts.values() {
        if let Some(error) = account.api_key.as_ref().and_then(|key| read_secret(key).err()) {
            warn(&format!("the API key of account {} can't be used: {error}", account.name));
        }
    }
    if let Some(error) = config.notifications.as_ref().and_then(|token| read_secret(token).err()) {
        warn(&format!("the token of notifications can't be used: {error}"));
    }
}

const DAY: Duration = Duration::from_hours(24);

/// A table of the pipelines and the sum of their runs.
fn report(config: &Config, now: Wall) -> String {
    let heading = ["PIPELINE", "SCHEDULE", "NEXT DUE", "AND THEN", "RUNS A DAY"];
    let mut rows = vec![heading.map(str::to_owned)];
    let mut total: u64 = 0;
    for pipeline in &config.pipelines {
        let (next, then, runs) = outlook(pipeline, now);
        total = total.saturating_add(runs);
        let name = escaped(pipeline.name.as_str());
        rows.push([name, schedule(pipeline), next, then, runs.to_string()]);
    }
    let mut report = table(&rows);
    let pipelines = counted(config.pipelines.len(), "pipeline");
    let runs = counted(total, "run");
    // Writing to a string does not fail.
    let _ = writeln!(report, "\nThe config is valid: {pipelines}, {runs} in the next 24 hours.");
    report
}

/// The schedule as it was written, with its zone where that is not UTC.
fn schedule(pipeline: &Pipeline) -> String {
    match &pipeline.schedule {
        None => "-".to_owned(),
        Some(schedule) if schedule.timezone() == "UTC" => schedule.text().to_owned(),
        Some(schedule) => format!("{} {}", schedule.text(), schedule.timezone()),
    }
}

/// When a pipeline is started next and when after that, jitter and maintenance heeded, and how
/// often within a day.
fn outlook(pipeline: &Pipeline, now: Wall) -> (String, String, u64) {
    let never = |why: &str| (why.to_owned(), "-".to_owned(), 0);
    if pipeline.schedule.is_none() {
        return never("only when asked for");
    }
    if pipeline.paused {
        return never("paused");
    }
    let calendar = Calendar::of(pipeline);
    // What has been due and not fired yet is still to come.
    let now = now.before(calendar.delay());
    let Some(next) = calendar.next_after(now) else { return never("never") };
    let then = calendar.next_after(next).map(|then| calendar.fires(then).to_string());
    let then = then.unwrap_or_else(|| "never".to_owned());
    (calendar.fires(next).to_string(), then, calendar.count_between(now, now.after(DAY)))
}

/// A number and what there are so many of.
pub(super) fn counted(count: impl fmt::Display, what: &str) -> String {
    let count = count.to_string();
    let plural = if count == "1" { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// Columns as wide as their widest cell.
pub(super) fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let widest = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: [usize; N] = std::array::from_fn(|column| widest(column).unwrap_or(0));
    rows.iter().fold(String::new(), |mut table, row| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        table.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        table.push('\n');
        table
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::sync::Arc;

    use crate::config::{Account, Maintenance};
    use crate::model::{AccountName, PipelineName};
    use crate::schedule::{Align, Schedule};

    const MINUTE: Duration = Duration::from_mins(1);

    fn pipeline(name: &str, minutes: Option<u32>, paused: bool) -> Pipeline {
        let every =
            |minutes: u32| Schedule::every(MINUTE * minutes, Align::Epoch, &format!("{minutes}m"));
        Pipeline {
            schedule: minutes.map(every),
            paused,
            ..Pipeline::new(PipelineName::new(name), AccountName::new("default"))
        }
    }

    /// A config of four pipelines whose only account has the given id.
    pub(in crate::cli) fn config(account_id: &str) -> Config {
        let url = "https://app.harness.io".parse().unwrap();
        let pipelines = [
            pipeline("checkout-smoke", Some(15), false),
            pipeline("prüfung", Some(1440), false),
            pipeline("sleeping", Some(15), true),
            pipeline("release", None, false),
        ];
        Config::new(Account::new(AccountName::new("default"), url, account_id), pipelines)
    }

    #[test]
    fn the_report_says_what_the_config_does() {
        let at = Wall(1_795_489_911_000);
        let mut config = config("acme0000000000000000AA");
        let name = PipelineName::new("nightly");
        let berlin = |text, jitter| Schedule::cron(text, "Europe/Berlin", jitter).unwrap();
        let window = berlin("0 0 25 11 *", Duration::ZERO);
        config.pipelines.push(Arc::new(Pipeline {
            schedule: Some(berlin("30 2 * * *", MINUTE * 10)),
            maintenance: vec![Maintenance { begins: window, duration: DAY }],
            ..Pipeline::new(name, AccountName::new("default"))
        }));
        insta::assert_snapshot!(report(&config, at), @"
        PIPELINE        SCHEDULE                  NEXT DUE                 AND THEN                 RUNS A DAY
        checkout-smoke  every 15m                 2026-11-24T03:15:00Z     2026-11-24T03:30:00Z     96
        prüfung         every 1440m               2026-11-25T00:00:00Z     2026-11-26T00:00:00Z     1
        sleeping        every 15m                 paused                   -                        0
        release         -                         only when asked for      -                        0
        nightly         30 2 * * * Europe/Berlin  2026-11-26T01:30:34.15Z  2026-11-27T01:30:34.15Z  0

        The config is valid: 5 pipelines, 97 runs in the next 24 hours.
        ");
    }
}
