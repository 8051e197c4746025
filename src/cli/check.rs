//! `check`: is the config valid, and what would it do?

use std::fmt::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{Failure, load::load, print, remark};
use crate::config::{Colours, Config, PLACEHOLDER_ACCOUNT_ID, Pipeline};
use crate::driver;
use crate::model::Wall;
use crate::schedule::Schedule;

/// Check the config and show when each pipeline is due
#[derive(Args, Debug)]
pub(super) struct Check {
    /// Config to read, or a directory of them; repeatable
    #[arg(
        long = "config.file",
        env = "HARNESS_EXPORTER_CONFIG_FILE",
        hide_env_values = true,
        value_name = "FILE",
        default_value = "config.yaml"
    )]
    config_files: Vec<PathBuf>,
}

impl Check {
    pub(super) fn run(self) -> Result<(), Failure> {
        let loaded = load(&self.config_files)?;
        for warning in &loaded.warnings {
            remark(&format!("{}\n", warning.rendered(Colours::Ansi)));
        }
        for account in loaded.config.placeholder_accounts() {
            let name = &account.name;
            remark(&format!(
                "warning: the account_id of account {name} is still {PLACEHOLDER_ACCOUNT_ID}: \
                 `demo` takes it, `serve` does not"
            ));
        }
        Ok(print(&report(&loaded.config, driver::wall()))?)
    }
}

const DAY: Duration = Duration::from_hours(24);

/// A table of the pipelines and the sum of their runs.
fn report(config: &Config, now: Wall) -> String {
    let mut rows = vec![["PIPELINE", "SCHEDULE", "NEXT DUE", "RUNS A DAY"].map(str::to_owned)];
    let mut total: u64 = 0;
    for pipeline in &config.pipelines {
        let (next, runs) = outlook(pipeline, now);
        total = total.saturating_add(runs);
        let schedule = pipeline.schedule.as_ref().map_or("-", Schedule::text);
        rows.push([pipeline.name.to_string(), schedule.to_owned(), next, runs.to_string()]);
    }
    let mut report = table(&rows);
    let pipelines = counted(config.pipelines.len(), "pipeline");
    let runs = counted(total, "run");
    // Writing to a string does not fail.
    let _ = writeln!(report, "\nThe config is valid: {pipelines}, {runs} in the next 24 hours.");
    report
}

/// When a pipeline is due next, and how often within a day.
fn outlook(pipeline: &Pipeline, now: Wall) -> (String, u64) {
    let Some(schedule) = &pipeline.schedule else {
        return ("only when asked for".to_owned(), 0);
    };
    if pipeline.paused {
        return ("paused".to_owned(), 0);
    }
    let due = schedule.due_times(&pipeline.name);
    let next = due.next_after(now).map_or_else(|| "never".to_owned(), |next| next.to_string());
    (next, due.count_between(now, now.after(DAY)))
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
    use crate::config::Account;
    use crate::model::{AccountName, PipelineName};
    use crate::schedule::Align;

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
        insta::assert_snapshot!(report(&config("acme0000000000000000AA"), at), @r"
        PIPELINE        SCHEDULE     NEXT DUE              RUNS A DAY
        checkout-smoke  every 15m    2026-11-24T03:15:00Z  96
        prüfung         every 1440m  2026-11-25T00:00:00Z  1
        sleeping        every 15m    paused                0
        release         -            only when asked for   0

        The config is valid: 4 pipelines, 97 runs in the next 24 hours.
        ");
    }
}
