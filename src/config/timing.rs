//! When a pipeline is started and when it is left alone: `schedule`, `every` and what goes with
//! them.

use std::time::Duration;

use serde_yaml::Value;

use super::fields::{Fields, Read};
use super::place::Place;
use super::problem::{Report, nearest, quoted};
use super::{Maintenance, values};
use crate::schedule::{Align, CronError, Schedule, timezones};

/// The keys as they were found.
#[derive(Clone)]
pub(super) struct Timing {
    due: Read<Due>,
    timezone: Read<String>,
    align: Read<Align>,
    jitter: Read<Duration>,
    maintenance: Read<Vec<Window>>,
}

/// The value of `schedule` or of `every`, of which one replaces the other.
#[derive(Clone)]
enum Due {
    Cron(String),
    Every { interval: Duration, written: String },
}

/// An entry of `maintenance`.
#[derive(Clone)]
struct Window {
    cron: String,
    duration: Duration,
    timezone: Option<String>,
}

impl Timing {
    /// Nothing at all.
    pub(super) const NONE: Self = Self {
        due: Read::Absent,
        timezone: Read::Absent,
        align: Read::Absent,
        jitter: Read::Absent,
        maintenance: Read::Absent,
    };

    /// Reads what there is of them.
    pub(super) fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            due: read_due(fields),
            timezone: fields.read("timezone", timezone),
            align: fields.read("align", align),
            jitter: fields.read("jitter", values::duration),
            maintenance: read_maintenance(fields),
        }
    }

    /// These, and where one is absent that of `defaults`.
    pub(super) fn or(self, defaults: Self) -> Self {
        Self {
            due: self.due.or(defaults.due),
            timezone: self.timezone.or(defaults.timezone),
            align: self.align.or(defaults.align),
            jitter: self.jitter.or(defaults.jitter),
            maintenance: self.maintenance.or(defaults.maintenance),
        }
    }

    /// Warns of what the pipeline at `place` says itself and what comes to nothing with `all`,
    /// which has the defaults in it.
    pub(super) fn warn_of_idle(&self, all: &Self, place: &Place, report: &mut Report) {
        let (cron, every) = match &all.due {
            Read::Is(Due::Cron(_)) => (true, false),
            Read::Is(Due::Every { .. }) => (false, true),
            Read::Absent => (false, false),
            Read::Wrong => return,
        };
        let windows = !matches!(all.maintenance, Read::Absent);
        for (key, given, of_use, without) in [
            (
                "align",
                !matches!(self.align, Read::Absent),
                every,
                "`every` there is nothing to align",
            ),
            ("jitter", !matches!(self.jitter, Read::Absent), cron, "`schedule` nothing is delayed"),
            (
                "timezone",
                !matches!(self.timezone, Read::Absent),
                cron || windows,
                "`schedule` no zone is needed",
            ),
        ] {
            if given && !of_use {
                report.warn(&place.key(key), format!("without {without}"));
            }
        }
    }

    /// The schedule, and when it does not hold; none where a problem was reported.
    pub(super) fn finish(self) -> Option<(Option<Schedule>, Vec<Maintenance>)> {
        let due = self.due.maybe().good();
        let zone = self.timezone.unless_absent("UTC".to_owned())?;
        let align = self.align.unless_absent(Align::Spread)?;
        let jitter = self.jitter.unless_absent(Duration::ZERO)?;
        let windows = self.maintenance.unless_absent(Vec::new())?;
        let schedule = match due? {
            None => None,
            Some(Due::Every { interval, written }) => {
                Some(Schedule::every(interval, align, &written))
            }
            // Expression and zone were found good where they stand.
            Some(Due::Cron(cron)) => Some(Schedule::cron(&cron, &zone, jitter).ok()?),
        };
        let window = |window: Window| {
            let zone = window.timezone.as_deref().unwrap_or(&zone);
            let begins = Schedule::cron(&window.cron, zone, Duration::ZERO).ok()?;
            Some(Maintenance { begins, duration: window.duration })
        };
        Some((schedule, windows.into_iter().map(window).collect::<Option<_>>()?))
    }
}

fn read_due(fields: &mut Fields<'_>) -> Read<Due> {
    let schedule = fields.read("schedule", cron);
    let every = read_every(fields);
    match (schedule, every) {
        (Read::Absent, Read::Absent) => Read::Absent,
        (Read::Is(cron), Read::Absent) => Read::Is(Due::Cron(cron)),
        (Read::Absent, Read::Is(every)) => Read::Is(every),
        (Read::Absent, Read::Wrong) | (Read::Wrong, Read::Absent) => Read::Wrong,
        _ => {
            fields.problem("schedule", "found beside `every`, want one of them");
            Read::Wrong
        }
    }
}

fn read_every(fields: &mut Fields<'_>) -> Read<Due> {
    let mut short = false;
    let every = fields.read("every", |value| {
        let interval = values::duration(value)?;
        let written = values::text(value)?.to_owned();
        if interval < Duration::from_secs(1) {
            return Err(format!("found {}, want at least 1s", quoted(&written)));
        }
        short = interval < Duration::from_mins(1);
        Ok(Due::Every { interval, written })
    });
    if short {
        fields.warn("every", "a pipeline started more than once a minute is rarely meant");
    }
    every
}

/// A cron expression that fires.
fn cron(value: &Value) -> Result<String, String> {
    let text = values::text(value)?;
    let schedule =
        Schedule::cron(text, "UTC", Duration::ZERO).map_err(|error| match text
            .parse::<super::duration::Span>()
        {
            Ok(_) => format!("found {}, which is a duration, want it in `every`", quoted(text)),
            Err(_) => error.to_string(),
        })?;
    if schedule.never_fires() {
        let found = quoted(text);
        return Err(format!("found {found}, which never fires, want a day that there is"));
    }
    Ok(text.to_owned())
}

fn timezone(value: &Value) -> Result<String, String> {
    let text = values::text(value)?;
    match Schedule::cron("@daily", text, Duration::ZERO) {
        Ok(schedule) => Ok(schedule.timezone().to_owned()),
        Err(error @ CronError::Timezone(_)) => {
            let zones: Vec<String> = timezones().collect();
            Err(match nearest_zone(text, &zones) {
                Some(meant) => {
                    format!(
                        "found {}, which is no time zone, did you mean {}?",
                        quoted(text),
                        quoted(meant)
                    )
                }
                None => error.to_string(),
            })
        }
        Err(error) => Err(error.to_string()),
    }
}

/// The zone whose name, or whose city, was probably meant.
fn nearest_zone<'a>(text: &str, zones: &'a [String]) -> Option<&'a str> {
    let names = || zones.iter().map(String::as_str);
    let city = |zone: &'a str| zone.rsplit('/').next().unwrap_or(zone);
    let wanted = text.replace(' ', "_");
    let of_city = || {
        let meant = nearest(&wanted, names().map(city))?;
        names().find(|zone| city(zone) == meant)
    };
    // Not by their case: `europe/berlin` is one letter from nothing else.
    let lower: Vec<String> = zones.iter().map(|zone| zone.to_lowercase()).collect();
    let meant = nearest(&wanted, lower.iter().map(String::as_str));
    let by_name = meant.and_then(|meant| zones.iter().find(|zone| zone.to_lowercase() == meant));
    by_name.map(String::as_str).or_else(of_city)
}

fn align(value: &Value) -> Result<Align, String> {
    values::word(value, &[("spread", Align::Spread), ("epoch", Align::Epoch)])
}

fn read_maintenance(fields: &mut Fields<'_>) -> Read<Vec<Window>> {
    let windows = fields.each("maintenance", |fields| {
        let cron = fields.required("cron", cron, "a cron expression for when it begins");
        let want = "a duration such as 2h";
        let duration = fields.required("duration", values::positive_duration, want);
        let timezone = fields.read("timezone", timezone).maybe().good();
        Some(Window { cron: cron?, duration: duration?, timezone: timezone? })
    });
    let whole = |windows: Vec<Option<Option<Window>>>| {
        windows.into_iter().map(Option::flatten).collect::<Option<Vec<_>>>()
    };
    match windows {
        Read::Absent => Read::Absent,
        Read::Wrong => Read::Wrong,
        Read::Is(windows) => whole(windows).map_or(Read::Wrong, Read::Is),
    }
}
