//! `schedule`: the next times at which pipelines are triggered.

use std::io::{IsTerminal, stdout};
use std::str::FromStr;
use std::sync::Arc;

use clap::Args;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::args::{ConfigFiles, Output, OutputFormat};
use super::check::table;
use super::{Failure, escaped, load::load, print, run};
use crate::calendar::Calendar;
use crate::config::Pipeline;
use crate::driver;
use crate::model::Wall;
use crate::schedule::Schedule;

/// Show when pipelines will be triggered
///
/// Due times in the time zone of the schedule and in UTC, jitter included. Of a pipeline that is
/// paused in the config, and of a due time in maintenance, it says so: nothing is triggered then.
/// Asks neither Harness nor a running exporter.
#[derive(Args, Debug)]
pub(super) struct ScheduleCommand {
    /// Pipelines as the config calls them; all of them without a name
    #[arg(value_name = "NAME")]
    names: Vec<String>,

    #[command(flatten)]
    config: ConfigFiles,

    /// How many due times of each pipeline
    #[arg(
        long = "count",
        env = "HARNESS_EXPORTER_COUNT",
        hide_env_values = true,
        value_name = "NUMBER",
        default_value = "5",
        value_parser = clap::value_parser!(u16).range(1..=10_000)
    )]
    count: u16,

    /// From when on, instead of now: 2026-03-29T00:00:00Z, or a day in each schedule's time zone
    #[arg(
        long = "from",
        env = "HARNESS_EXPORTER_FROM",
        hide_env_values = true,
        value_name = "TIME",
        value_parser = From::from_str
    )]
    from: Option<From>,

    #[command(flatten)]
    format: OutputFormat,
}

/// An instant, or the beginning of a day wherever the schedule is at home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    Instant(Wall),
    Day(Date),
}

impl FromStr for From {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(instant) = text.parse::<Timestamp>() {
            return Ok(Self::Instant(Wall(instant.as_millisecond())));
        }
        // A time without an offset would be read as the day alone.
        let day = text.parse().ok().filter(|_| !text.contains(['T', 't', ' ']));
        day.map(Self::Day).ok_or("want a time such as 2026-03-29T00:00:00Z, or a day: 2026-03-29")
    }
}

impl From {
    fn wall(self, zone: &TimeZone) -> Wall {
        match self {
            Self::Instant(wall) => wall,
            Self::Day(day) => match zone.to_timestamp(day.at(0, 0, 0, 0)) {
                Ok(instant) => Wall(instant.as_millisecond()),
                // Only at the calendar's ends, where nothing is due.
                Err(_) => Wall(i64::MAX),
            },
        }
    }
}

/// What becomes of a due time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Fate {
    Triggered,
    Paused,
    Maintenance,
}

/// A due time, or a pipeline that has none.
#[derive(Clone, Debug, Serialize)]
struct Line {
    pipeline: String,
    schedule: Option<String>,
    timezone: Option<String>,
    /// As the schedule has it.
    due: Option<String>,
    /// When the webhook is to be sent: the same with the jitter.
    fires: Option<String>,
    /// That in the zone of the schedule.
    local: Option<String>,
    /// The same as a person reads it.
    #[serde(skip)]
    shown: Option<String>,
    fate: Option<Fate>,
}

impl ScheduleCommand {
    pub(super) fn run(self) -> Result<(), Failure> {
        let config = load(&self.config.config_files)?.config;
        let pipelines: Vec<&Arc<Pipeline>> = match self.names.as_slice() {
            [] => config.pipelines.iter().collect(),
            names => names.iter().map(|name| run::find(&config, name)).collect::<Result<_, _>>()?,
        };
        let from = self.from.unwrap_or_else(|| From::Instant(driver::wall()));
        let lines: Vec<Line> = pipelines
            .into_iter()
            .flat_map(|pipeline| lines(pipeline, from, usize::from(self.count)))
            .collect();
        Ok(print(&match self.format.output {
            Output::Json => lines.iter().map(Line::json).collect::<String>(),
            Output::Text if stdout().is_terminal() => for_a_person(&lines),
            Output::Text => lines.iter().map(Line::plain).collect(),
        })?)
    }
}

/// The first due times of a pipeline that fire at or after `from`.
fn lines(pipeline: &Pipeline, from: From, count: usize) -> Vec<Line> {
    let nothing = Line {
        pipeline: pipeline.name.to_string(),
        schedule: pipeline.schedule.as_ref().map(|schedule| schedule.text().to_owned()),
        timezone: pipeline.schedule.as_ref().map(|schedule| schedule.timezone().to_owned()),
        due: None,
        fires: None,
        local: None,
        shown: None,
        fate: None,
    };
    let Some(schedule) = &pipeline.schedule else { return vec![nothing] };
    let zone = TimeZone::get(schedule.timezone()).unwrap_or(TimeZone::UTC);
    let found = due_times(pipeline, schedule, from.wall(&zone)).take(count);
    let calendar = Calendar::of(pipeline);
    let line = |due: Wall| {
        let fires = calendar.fires(due);
        let fate = match pipeline.paused {
            true => Fate::Paused,
            false if calendar.is_maintenance(fires) => Fate::Maintenance,
            false => Fate::Triggered,
        };
        Line {
            due: Some(due.to_string()),
            fires: Some(fires.to_string()),
            local: local(fires, &zone, "%Y-%m-%dT%H:%M:%S%:z"),
            shown: local(fires, &zone, "%a %Y-%m-%d %H:%M:%S %:z"),
            fate: Some(fate),
            ..nothing.clone()
        }
    };
    found.map(line).collect()
}

fn due_times(pipeline: &Pipeline, schedule: &Schedule, from: Wall) -> impl Iterator<Item = Wall> {
    let due_times = schedule.due_times(&pipeline.name);
    let before = from.before(due_times.delay());
    let first = due_times.next_after(Wall(before.0.saturating_sub(1)));
    std::iter::successors(first, move |due| due_times.next_after(*due))
}

fn local(at: Wall, zone: &TimeZone, form: &str) -> Option<String> {
    let at = Timestamp::from_millisecond(at.0).ok()?.to_zoned_datetime(zone.clone());
    Some(at.strftime(form).to_string())
}

impl Line {
    fn json(&self) -> String {
        // Texts and times can always be written.
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }

    fn cells(&self) -> [String; 6] {
        let text = |text: &Option<String>| escaped(text.as_deref().unwrap_or("-"));
        let note = match self.fate {
            Some(Fate::Triggered) => "",
            Some(Fate::Paused) => "paused",
            Some(Fate::Maintenance) => "maintenance",
            None => "only when asked for",
        };
        [
            escaped(&self.pipeline),
            text(&self.schedule),
            text(&self.timezone),
            text(&self.shown),
            text(&self.fires),
            note.to_owned(),
        ]
    }

    /// For a program that splits at tabs.
    fn plain(&self) -> String {
        self.cells().join("\t").trim_end().to_owned() + "\n"
    }
}

fn for_a_person(lines: &[Line]) -> String {
    let head = ["PIPELINE", "SCHEDULE", "TIMEZONE", "LOCAL TIME", "UTC", ""].map(str::to_owned);
    table(&[&[head][..], &lines.iter().map(Line::cells).collect::<Vec<_>>()].concat())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::Maintenance;
    use crate::model::{AccountName, PipelineName};
    use crate::schedule::Align;

    fn pipeline(name: &str, schedule: Option<Schedule>) -> Pipeline {
        Pipeline { schedule, ..Pipeline::new(PipelineName::new(name), AccountName::new("default")) }
    }

    fn cron(expression: &str, timezone: &str, jitter: Duration) -> Schedule {
        Schedule::cron(expression, timezone, jitter).unwrap()
    }

    fn fleet() -> Vec<Pipeline> {
        let two = |expression| cron(expression, "Europe/London", Duration::ZERO);
        let begins = cron("0 12 * * sun", "Europe/London", Duration::ZERO);
        let maintenance = vec![Maintenance { begins, duration: Duration::from_hours(2) }];
        let every = Schedule::every(Duration::from_hours(6), Align::Epoch, "6h");
        vec![
            pipeline("nightly", Some(two("30 1 * * *"))),
            pipeline("late", Some(cron("30 1 * * *", "Europe/London", Duration::from_mins(5)))),
            Pipeline { maintenance, ..pipeline("noon", Some(two("0 9,13 * * *"))) },
            Pipeline { paused: true, ..pipeline("sleeping", Some(every)) },
            pipeline("by\thand", None),
        ]
    }

    fn shown(from: &str) -> Vec<Line> {
        let from = from.parse().unwrap();
        fleet().iter().flat_map(|pipeline| lines(pipeline, from, 2)).collect()
    }

    #[test]
    fn a_table_for_a_person() {
        // The night in which the clocks are put forward.
        insta::assert_snapshot!(for_a_person(&shown("2026-03-29")), @r#"
        PIPELINE  SCHEDULE      TIMEZONE       LOCAL TIME                      UTC
        nightly   30 1 * * *    Europe/London  Sun 2026-03-29 02:00:00 +01:00  2026-03-29T01:00:00Z
        nightly   30 1 * * *    Europe/London  Mon 2026-03-30 01:30:00 +01:00  2026-03-30T00:30:00Z
        late      30 1 * * *    Europe/London  Sun 2026-03-29 02:04:32 +01:00  2026-03-29T01:04:32.424Z
        late      30 1 * * *    Europe/London  Mon 2026-03-30 01:34:32 +01:00  2026-03-30T00:34:32.424Z
        noon      0 9,13 * * *  Europe/London  Sun 2026-03-29 09:00:00 +01:00  2026-03-29T08:00:00Z
        noon      0 9,13 * * *  Europe/London  Sun 2026-03-29 13:00:00 +01:00  2026-03-29T12:00:00Z      maintenance
        sleeping  every 6h      UTC            Sun 2026-03-29 00:00:00 +00:00  2026-03-29T00:00:00Z      paused
        sleeping  every 6h      UTC            Sun 2026-03-29 06:00:00 +00:00  2026-03-29T06:00:00Z      paused
        by\thand  -             -              -                               -                         only when asked for
        "#);
    }

    #[test]
    fn a_line_each_for_a_program() {
        let lines = shown("2026-10-25T12:30:00+00:00");
        insta::assert_snapshot!(lines.iter().map(Line::plain).collect::<String>(), @r#"
        nightly	30 1 * * *	Europe/London	Mon 2026-10-26 01:30:00 +00:00	2026-10-26T01:30:00Z
        nightly	30 1 * * *	Europe/London	Tue 2026-10-27 01:30:00 +00:00	2026-10-27T01:30:00Z
        late	30 1 * * *	Europe/London	Mon 2026-10-26 01:34:32 +00:00	2026-10-26T01:34:32.424Z
        late	30 1 * * *	Europe/London	Tue 2026-10-27 01:34:32 +00:00	2026-10-27T01:34:32.424Z
        noon	0 9,13 * * *	Europe/London	Sun 2026-10-25 13:00:00 +00:00	2026-10-25T13:00:00Z	maintenance
        noon	0 9,13 * * *	Europe/London	Mon 2026-10-26 09:00:00 +00:00	2026-10-26T09:00:00Z
        sleeping	every 6h	UTC	Sun 2026-10-25 18:00:00 +00:00	2026-10-25T18:00:00Z	paused
        sleeping	every 6h	UTC	Mon 2026-10-26 00:00:00 +00:00	2026-10-26T00:00:00Z	paused
        by\thand	-	-	-	-	only when asked for
        "#);
        let few = [3, 4, 6, 8].map(|index| lines[index].json());
        insta::assert_snapshot!(few.concat(), @r#"
        {"pipeline":"late","schedule":"30 1 * * *","timezone":"Europe/London","due":"2026-10-27T01:30:00Z","fires":"2026-10-27T01:34:32.424Z","local":"2026-10-27T01:34:32+00:00","fate":"triggered"}
        {"pipeline":"noon","schedule":"0 9,13 * * *","timezone":"Europe/London","due":"2026-10-25T13:00:00Z","fires":"2026-10-25T13:00:00Z","local":"2026-10-25T13:00:00+00:00","fate":"maintenance"}
        {"pipeline":"sleeping","schedule":"every 6h","timezone":"UTC","due":"2026-10-25T18:00:00Z","fires":"2026-10-25T18:00:00Z","local":"2026-10-25T18:00:00+00:00","fate":"paused"}
        {"pipeline":"by\thand","schedule":null,"timezone":null,"due":null,"fires":null,"local":null,"fate":null}
        "#);
    }

    #[test]
    fn a_due_time_at_the_very_beginning_is_shown() {
        let lines = shown("2026-03-29T01:00:00Z");
        assert_eq!(lines[0].fires.as_deref(), Some("2026-03-29T01:00:00Z"));
        // It was due before, and fires after.
        assert_eq!(lines[2].due.as_deref(), Some("2026-03-29T01:00:00Z"));
    }

    #[test]
    fn what_is_no_time() {
        for bad in ["", "now", "2026-03-29T00:00:00", "2026-03-29 00:00", "2026-13-01", "12:00"] {
            assert!(bad.parse::<From>().is_err(), "{bad}");
        }
    }
}
