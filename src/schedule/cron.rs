//! A cron expression, from text to the local times it names.
//!
//! `croner` decides what an item means, and which days are due. What it takes and nobody can have
//! meant, such as a month in the place of an hour, is refused before; what it refuses is explained
//! here, because its own words name neither the field nor what would do.

use std::fmt;

use croner::parser::{CronParser, Seconds, Year};
use croner::{CronComponent, Weekday};
use jiff::civil::Date;

use super::pattern::{DayTable, Pattern};

/// What is wrong with an expression or a time zone: what was found and what would do, on one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    /// Too few or too many fields.
    #[error(
        "found {0} fields, want five: minute, hour, day of month, month, day of week, \
         such as `30 2 * * mon-fri` (or @hourly, @daily, @weekly, @monthly, @yearly)"
    )]
    Fields(usize),
    /// `@reboot`, which is no time.
    #[error(
        "found `@reboot`, want a time such as `30 2 * * *` or @daily: a restart triggers nothing"
    )]
    Reboot,
    /// Another word that begins with `@`.
    #[error(
        "found {found}, want one of @hourly, @daily, @midnight, @weekly, @monthly, @yearly, \
         @annually", found = quoted(.0)
    )]
    Nickname(String),
    /// An item that has no meaning in its field.
    #[error("{field}: found {found}, want {want}", found = quoted(.item))]
    Item {
        /// The field.
        field: Field,
        /// The part of it, between two commas.
        item: String,
        /// What would do.
        want: String,
    },
    /// No zone of that name.
    #[error("found {found}, want an IANA time zone such as UTC or Europe/Berlin", found = quoted(.0))]
    Timezone(String),
}

/// A field of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// 0 to 59.
    Minute,
    /// 0 to 23.
    Hour,
    /// 1 to 31, and more.
    Day,
    /// 1 to 12 or a name.
    Month,
    /// 0 to 7 or a name, and more.
    Weekday,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day of month",
            Self::Month => "month",
            Self::Weekday => "day of week",
        })
    }
}

const FIELDS: [Field; 5] = [Field::Minute, Field::Hour, Field::Day, Field::Month, Field::Weekday];
const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// Reads an expression of five fields, or a nickname for one.
pub(super) fn parse(expression: &str) -> Result<Pattern, CronError> {
    let written: Vec<&str> = match expression.trim() {
        nickname if nickname.starts_with('@') => long_form(nickname)?,
        expression => expression,
    }
    .split_whitespace()
    .collect();
    let Ok(fields) = <[&str; 5]>::try_from(written.as_slice()) else {
        return Err(CronError::Fields(written.len()));
    };
    for (field, text) in FIELDS.into_iter().zip(fields) {
        for item in text.split(',') {
            field.check(item)?;
        }
    }
    // Each item is good by itself, and so they are together.
    let cron = understood(&fields.join(" ")).ok_or(CronError::Fields(fields.len()))?;
    let [minute, hour, ..] = fields;
    Ok(Pattern {
        minutes: bits(&cron.pattern.minutes),
        hours: u32::try_from(bits(&cron.pattern.hours)).unwrap_or(0),
        months: u32::try_from(bits(&cron.pattern.months)).unwrap_or(0),
        days: days(&cron),
        elapsed: minute.starts_with('*') || hour.starts_with('*'),
    })
}

fn long_form(nickname: &str) -> Result<&'static str, CronError> {
    match nickname.to_ascii_lowercase().as_str() {
        "@hourly" => Ok("0 * * * *"),
        "@daily" | "@midnight" => Ok("0 0 * * *"),
        "@weekly" => Ok("0 0 * * 0"),
        "@monthly" => Ok("0 0 1 * *"),
        "@yearly" | "@annually" => Ok("0 0 1 1 *"),
        "@reboot" => Err(CronError::Reboot),
        _ => Err(CronError::Nickname(nickname.to_owned())),
    }
}

fn understood(expression: &str) -> Option<croner::Cron> {
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    parser.parse(expression).ok()
}

fn bits(component: &CronComponent) -> u64 {
    component.values().into_iter().fold(0, |bits, value| bits | 1 << value)
}

/// The days of every kind of month, of which each is found in any 28 years.
fn days(cron: &croner::Cron) -> DayTable {
    let mut table = DayTable::default();
    let months = (2000..2028).flat_map(|year| (1..=12).map(move |month| (year, month)));
    for first in months.filter_map(|(year, month)| Date::new(year, month, 1).ok()) {
        let weekday = first.weekday().to_sunday_zero_offset().unsigned_abs();
        let length = first.days_in_month().unsigned_abs();
        let row = table.get_mut(usize::from(length - 28));
        let Some(kind) = row.and_then(|row| row.get_mut(usize::from(weekday))) else { continue };
        if *kind != 0 {
            continue;
        }
        for day in 1..=u32::from(length) {
            let weekday = Weekday::from_days_from_sunday(u32::from(weekday) + day - 1);
            let month = first.month().unsigned_abs().into();
            let due = cron.pattern.day_match(first.year().into(), month, day, weekday);
            *kind |= u32::from(due.unwrap_or(false)) << day;
        }
    }
    table
}

impl Field {
    /// The least and the greatest number.
    fn range(self) -> (u16, u16) {
        match self {
            Self::Minute => (0, 59),
            Self::Hour => (0, 23),
            Self::Day => (1, 31),
            Self::Month => (1, 12),
            Self::Weekday => (0, 7),
        }
    }

    fn check(self, item: &str) -> Result<(), CronError> {
        let alone = FIELDS.map(|field| if field == self { item } else { "*" }).join(" ");
        if self.is_spelled_well(item) && understood(&alone).is_some() {
            return Ok(());
        }
        Err(CronError::Item { field: self, item: item.to_owned(), want: self.want(item) })
    }

    /// Whether `item` is made of what may stand in this field. (`croner` replaces names wherever it
    /// finds them, skips empty items, and takes steps that lead nowhere.)
    fn is_spelled_well(self, item: &str) -> bool {
        let item = item.to_ascii_uppercase();
        let (range, step) = item.split_once('/').unwrap_or((&item, "1"));
        let steps = step.parse().is_ok_and(|step: u16| step <= self.range().1);
        steps && range.split('-').all(|atom| self.is_atom(atom))
    }

    fn is_atom(self, atom: &str) -> bool {
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let is_value = |text: &str| is_number(text) || self.names().contains(&text);
        if atom == "*" || is_value(atom) {
            return true;
        }
        match self {
            Self::Minute | Self::Hour | Self::Month => false,
            Self::Day => {
                matches!(atom, "L" | "LW") || atom.strip_suffix('W').is_some_and(is_number)
            }
            Self::Weekday => {
                let nth = || atom.split_once('#').filter(|(_, nth)| is_number(nth));
                let day = atom.strip_suffix('L').or_else(|| Some(nth()?.0));
                day.is_some_and(is_value)
            }
        }
    }

    /// The names that may stand for numbers, from that of the least one on.
    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Minute | Self::Hour | Self::Day => &[],
            Self::Month => &MONTHS,
            Self::Weekday => &WEEKDAYS,
        }
    }

    fn is_value(self, text: &str) -> bool {
        let (least, greatest) = self.range();
        let in_range = text.parse().is_ok_and(|number: u16| (least..=greatest).contains(&number));
        in_range || self.names().iter().any(|name| name.eq_ignore_ascii_case(text))
    }

    /// What would do in the place of `item`.
    fn want(self, item: &str) -> String {
        let (least, greatest) = self.range();
        if let Some((range, step)) = item.split_once('/') {
            let step = step.parse().ok().filter(|step: &u16| (1..=greatest).contains(step));
            return match step {
                None => format!("a step from 1 to {greatest} after the /"),
                Some(step) if self.is_value(range) => format!("{range}-{greatest}/{step}"),
                Some(step) => format!("*/{step} or {least}-{greatest}/{step}"),
            };
        }
        if let Some((from, to)) = item.split_once('-')
            && self.is_value(from)
            && self.is_value(to)
        {
            let named = from.starts_with(|c: char| c.is_ascii_alphabetic());
            return match self.names() {
                [least, .., greatest] if named => {
                    format!("{from}-{greatest},{least}-{to}").to_ascii_lowercase()
                }
                _ => format!("{from}-{greatest},{least}-{to}"),
            };
        }
        let more = match self {
            Self::Minute | Self::Hour => "",
            Self::Day => ", L for the last day or 15W for the weekday nearest to the 15th",
            Self::Month => " or jan to dec",
            Self::Weekday => {
                " (0 and 7 are Sunday), sun to sat, fri#2 for the second Friday or friL for the \
                 last"
            }
        };
        format!("{least} to {greatest}{more}")
    }
}

/// The longest text that is repeated to who wrote it.
const QUOTED: usize = 40;

/// `text` within backticks, on one line, and not at length.
fn quoted(text: &str) -> String {
    let shown: String = text.chars().take(QUOTED).flat_map(char::escape_debug).collect();
    let more = if text.chars().nth(QUOTED).is_some() { "…" } else { "" };
    format!("`{shown}{more}`")
}
