//! The due times of cron expressions by another way: every minute of a few days is looked at, and
//! the written rules are applied to it one by one.
//!
//! It shares no code with the search. It reads the expressions itself, and of the time zone it asks
//! only what the clock on the wall shows at an instant.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use harness_exporter::model::{PipelineName, Wall};
use harness_exporter::schedule::Schedule;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

/// Forty kinds of expressions: times at which clocks are set and others, in every kind of field.
pub(crate) const SHAPES: [&str; 40] = [
    "* * * * *",
    "*/5 * * * *",
    "*/7 * * * *",
    "*/15 * * * *",
    "0 * * * *",
    "30 * * * *",
    "45 0-23 * * *",
    "0-59 0-23 * * *",
    "*/15 0-6 * * *",
    "*/30 1 * * *",
    "*/10 2 * * *",
    "30 */2 * * *",
    "15 */3 * * *",
    "0 */6 * * 1-5",
    "0 0 * * *",
    "1 0 * * *",
    "30 0 * * *",
    "0 1 * * *",
    "30 1 * * *",
    "59 1 * * *",
    "0 2 * * *",
    "15 2 * * *",
    "30 2 * * *",
    "0 3 * * *",
    "30 3 * * *",
    "15 4 * * *",
    "30 23 * * *",
    "59 23 * * *",
    "0,15,30,45 1,2,3 * * *",
    "5-55/10 0-4 * * *",
    "0 1,13 * * *",
    "30 1,2,23 * * *",
    "0 2 * * 0",
    "30 1 * * sun",
    "30 2 1-15 * *",
    "0 2 13 * 5",
    "30 2 L * *",
    "30 1 * 3,10 0L",
    "30 2 * mar-apr 0#2",
    "0 9 29-31 10-12 *",
];

const MINUTE: i64 = 60_000;

/// How far before and after an instant is looked at, in minutes.
const REACH: i64 = 2 * 24 * 60;

/// What of that only serves to know what the clock has shown before, and goes uncompared.
const HALF_A_DAY: u16 = 12 * 60;

/// What is left of it.
pub(crate) const COMPARED: i64 = 2 * (REACH - HALF_A_DAY as i64);

/// Gaps over three hours are none that is made up for.
const LONGEST_GAP: usize = 180;

/// One minute of real time, by the clock on the wall.
struct Minute {
    instant: Wall,
    local: DateTime,
    /// Whether the clock has shown that before.
    again: bool,
    /// The local times that the clock has left out just before, if they are to be made up for.
    left_out: Vec<DateTime>,
}

/// The days around an instant in a zone.
pub(crate) struct Days {
    minutes: Vec<Minute>,
    /// Those of the calendar.
    dates: BTreeSet<Date>,
}

impl Days {
    pub(crate) fn around(zone: &TimeZone, instant: Timestamp) -> Self {
        let middle = instant.as_millisecond().div_euclid(MINUTE);
        let mut minutes: Vec<Minute> = Vec::new();
        let mut shown = HashSet::new();
        for minute in middle - REACH..middle + REACH {
            let instant = Wall(minute * MINUTE);
            let local = zone.to_datetime(Timestamp::from_millisecond(instant.0).unwrap());
            assert_eq!(local.second(), 0, "the clock is off by seconds");
            let left_out = minutes.last().map_or_else(Vec::new, |last| between(last.local, local));
            let left_out = if left_out.len() <= LONGEST_GAP { left_out } else { Vec::new() };
            minutes.push(Minute { instant, local, again: !shown.insert(local), left_out });
        }
        let shown = minutes.iter().map(|minute| minute.local);
        let left_out = minutes.iter().flat_map(|minute| minute.left_out.iter().copied());
        let dates = shown.chain(left_out).map(DateTime::date).collect();
        Self { minutes, dates }
    }

    /// Those that are compared.
    fn minutes(&self) -> &[Minute] {
        let margin = usize::from(HALF_A_DAY);
        &self.minutes[margin..self.minutes.len() - margin]
    }

    /// When an expression is due within [`COMPARED`] minutes, half of them before the instant.
    pub(crate) fn due(&self, text: &str) -> Vec<Wall> {
        let expression = Expression::read(text);
        let dates: Vec<Date> =
            self.dates.iter().copied().filter(|date| expression.names_day(*date)).collect();
        let due = self.minutes().iter().filter(|minute| expression.is_due(minute, &dates));
        due.map(|minute| minute.instant).collect()
    }

    /// Compares what the search says with what each minute says; how many were compared, or where
    /// they disagree.
    pub(crate) fn compare(&self, text: &str, timezone: &str) -> Result<u64, String> {
        let minutes = self.minutes();
        let expected = self.due(text);
        let schedule = Schedule::cron(text, timezone, Duration::ZERO).unwrap();
        let due_times = schedule.due_times(&PipelineName::new("any"));
        let before = Wall(minutes[0].instant.0 - 1);
        let last = minutes[minutes.len() - 1].instant;
        let steps = |first, step: &dyn Fn(Wall) -> Option<Wall>| {
            let steps = std::iter::successors(first, |at| step(*at));
            steps.take_while(|at| *at > before && *at <= last).collect::<Vec<_>>()
        };
        let onward = steps(due_times.next_after(before), &|at| due_times.next_after(at));
        let mut back = steps(due_times.last_at_or_before(last), &|at| {
            due_times.last_at_or_before(Wall(at.0 - 1))
        });
        back.reverse();
        let counted = due_times.count_between(before, last);
        for (way, found) in [("onward", onward), ("back", back)] {
            if found != expected {
                let [mut found, mut expected] = [found, expected];
                let all = found.clone();
                found.retain(|at| !expected.contains(at));
                expected.retain(|at| !all.contains(at));
                return Err(format!(
                    "`{text}` in {timezone}, {way}: due at {}, and not at {}",
                    list(&expected),
                    list(&found)
                ));
            }
        }
        if counted != expected.len() as u64 {
            return Err(format!(
                "`{text}` in {timezone}: {} after {before} until {last}, counted {counted}",
                expected.len()
            ));
        }
        Ok(COMPARED.unsigned_abs())
    }
}

fn list(instants: &[Wall]) -> String {
    let first: Vec<String> = instants.iter().take(5).map(Wall::to_string).collect();
    if first.is_empty() { "none".to_owned() } else { first.join(", ") }
}

/// The minutes after `from` and before `until`.
fn between(from: DateTime, until: DateTime) -> Vec<DateTime> {
    let next = |at: &DateTime| Some(*at + Duration::from_mins(1));
    std::iter::successors(next(&from), next).take_while(|at| *at < until).collect()
}

/// An expression as the sets of its numbers.
struct Expression {
    minutes: Vec<i8>,
    hours: Vec<i8>,
    days: Vec<String>,
    months: Vec<i8>,
    weekdays: Vec<String>,
    any_day: bool,
    any_weekday: bool,
    /// Whether its minute or its hour begins with `*`.
    elapsed: bool,
}

impl Expression {
    fn read(text: &str) -> Self {
        let months = "jan feb mar apr may jun jul aug sep oct nov dec".split(' ').zip(1..);
        let weekdays = "sun mon tue wed thu fri sat".split(' ').zip(0..);
        let text = months
            .chain(weekdays)
            .fold(text.to_owned(), |text, (name, number)| text.replace(name, &number.to_string()));
        let fields: Vec<&str> = text.split(' ').collect();
        let numbers = |field: usize, least, greatest| {
            let items = items(fields[field], least, greatest);
            items.iter().map(|item| item.parse().unwrap()).collect()
        };
        Self {
            minutes: numbers(0, 0, 59),
            hours: numbers(1, 0, 23),
            days: items(fields[2], 1, 31),
            months: numbers(3, 1, 12),
            weekdays: items(fields[4], 0, 6),
            any_day: fields[2] == "*",
            any_weekday: fields[4] == "*",
            elapsed: fields[..2].iter().any(|field| field.starts_with('*')),
        }
    }

    /// Whether it is due in a minute, if these are its days.
    fn is_due(&self, minute: &Minute, dates: &[Date]) -> bool {
        let names = |local: &DateTime| self.names_time(*local) && dates.contains(&local.date());
        let here = names(&minute.local);
        if self.elapsed { here } else { here && !minute.again || minute.left_out.iter().any(names) }
    }

    fn names_time(&self, local: DateTime) -> bool {
        self.minutes.contains(&local.minute()) && self.hours.contains(&local.hour())
    }

    /// Where a day and a weekday are given, either will do.
    fn names_day(&self, date: Date) -> bool {
        if !self.months.contains(&date.month()) {
            return false;
        }
        let is_last = |days| date.day() > date.days_in_month() - days;
        let weekday = date.weekday().to_sunday_zero_offset();
        let nth = (date.day() + 6) / 7;
        let day =
            self.days.iter().any(|day| *day == date.day().to_string() || day == "L" && is_last(1));
        let on_weekday = self.weekdays.iter().any(|item| {
            *item == weekday.to_string()
                || *item == format!("{weekday}#{nth}")
                || *item == format!("{weekday}L") && is_last(7)
        });
        match (self.any_day, self.any_weekday) {
            (true, _) => on_weekday,
            (false, true) => day,
            (false, false) => day || on_weekday,
        }
    }
}

/// The items of a field one by one; a range is all of its numbers.
fn items(field: &str, least: u8, greatest: u8) -> Vec<String> {
    let mut items = Vec::new();
    for item in field.split(',') {
        let (range, step) = item.split_once('/').unwrap_or((item, "1"));
        let range = if range == "*" { format!("{least}-{greatest}") } else { range.to_owned() };
        match range.split_once('-') {
            Some((from, to)) => {
                let numbers = from.parse::<u8>().unwrap()..=to.parse().unwrap();
                items.extend(numbers.step_by(step.parse().unwrap()).map(|n| n.to_string()));
            }
            None => items.push(range),
        }
    }
    items
}

/// The instants at which the clock of a zone is set, from the year `from` until before the year
/// `until`.
pub(crate) fn changes(zone: &TimeZone, from: i16, until: i16) -> Vec<Timestamp> {
    let [from, until] = [from, until]
        .map(|year| zone.to_timestamp(Date::new(year, 1, 1).unwrap().at(0, 0, 0, 0)).unwrap());
    let changes = zone.following(from).map(|change| change.timestamp());
    changes.take_while(|at| *at < until).collect()
}
