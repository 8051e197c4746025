//! The local times that a cron expression names. It knows the calendar and no time zone.

use jiff::SignedDuration;
use jiff::civil::{Date, date};

const MINUTES_A_DAY: i64 = 24 * 60;
const EPOCH: Date = date(1970, 1, 1);

/// Which minutes of which days, as sets of bits: bit 5 of `minutes` is the fifth minute.
///
/// It is asked in local minutes, which count from 1970-01-01T00:00 on the clock on the wall.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    pub(super) minutes: u64,
    pub(super) hours: u32,
    pub(super) months: u32,
    pub(super) days: DayTable,
    /// Whether it follows the time that elapses rather than what the clock on the wall shows.
    pub(super) elapsed: bool,
}

/// The days of a month, by how many days more than 28 it has and by the weekday it begins with,
/// counted from Sunday. Whatever an expression says of days, they depend on nothing else.
pub(super) type DayTable = [[u32; 7]; 4];

impl Pattern {
    /// Whether no day ever fits, as with the 31st of February.
    pub(super) fn is_empty(&self) -> bool {
        // Any month begins with any weekday in some year.
        let possible = |month: u32| match month {
            2 => 28..=29,
            4 | 6 | 9 | 11 => 30..=30,
            _ => 31..=31,
        };
        let fits = |month, length| (0..7).any(|first| self.days_of(month, length, first) != 0);
        !(1..=12).any(|month| possible(month).any(|length| fits(month, length)))
    }

    /// The first local minute at or after `from`.
    pub(super) fn first_from(&self, from: i64) -> Option<i64> {
        let (day, minute) = split(from)?;
        if let Some(minute) = self.time_from(minute).filter(|_| self.is_on(day)) {
            return Some(joined(day, minute));
        }
        let mut month = day.first_of_month();
        let mut days = self.days_in(month) & !up_to(day);
        while days == 0 {
            month = month.last_of_month().tomorrow().ok().filter(|_| !self.is_empty())?;
            days = self.days_in(month);
        }
        Some(joined(with_day(month, days.trailing_zeros())?, self.time_from(0)?))
    }

    /// The last local minute at or before `until`.
    pub(super) fn last_until(&self, until: i64) -> Option<i64> {
        let (day, minute) = split(until)?;
        if let Some(minute) = self.time_until(minute).filter(|_| self.is_on(day)) {
            return Some(joined(day, minute));
        }
        let mut month = day.first_of_month();
        let mut days = self.days_in(month) & before(day);
        while days == 0 {
            month = month.yesterday().ok().filter(|_| !self.is_empty())?.first_of_month();
            days = self.days_in(month);
        }
        Some(joined(with_day(month, days.ilog2())?, self.time_until(MINUTES_A_DAY - 1)?))
    }

    /// How many local minutes lie at or after `from` and before `until`.
    pub(super) fn count(&self, from: i64, until: i64) -> u64 {
        let (Some((first, from)), Some((last, until))) = (split(from), split(until)) else {
            return 0;
        };
        let a_day = u64::from(self.hours.count_ones() * self.minutes.count_ones());
        let into = |day: Date, minute| if self.is_on(day) { self.times_before(minute) } else { 0 };
        let whole = self.count_days(first, last) * a_day;
        (whole + into(last, until)).saturating_sub(into(first, from))
    }

    /// How many days lie at or after `from` and before `until`.
    fn count_days(&self, from: Date, until: Date) -> u64 {
        let mut count = 0;
        let mut month = from.first_of_month();
        let mut passed = before(from);
        while month < until {
            let end = if month == until.first_of_month() { before(until) } else { u32::MAX };
            count += u64::from((self.days_in(month) & end & !passed).count_ones());
            passed = 0;
            let Ok(next) = month.last_of_month().tomorrow() else { break };
            month = next;
        }
        count
    }

    fn is_on(&self, day: Date) -> bool {
        self.days_in(day) & up_to(day) & !before(day) != 0
    }

    /// The days of the month of `day`.
    fn days_in(&self, day: Date) -> u32 {
        let first = day.first_of_month().weekday().to_sunday_zero_offset();
        self.days_of(day.month().unsigned_abs().into(), day.days_in_month(), first)
    }

    fn days_of(&self, month: u32, length: i8, first: i8) -> u32 {
        let index = |n: i8| usize::try_from(n).unwrap_or(usize::MAX);
        let days =
            self.days.get(index(length - 28)).and_then(|by_first| by_first.get(index(first)));
        days.copied().filter(|_| self.months & (1 << month) != 0).unwrap_or(0)
    }

    /// The first minute of a day at or after `minute`.
    fn time_from(&self, minute: i64) -> Option<i64> {
        let (hour, minute) = (minute / 60, minute % 60);
        let now = self.minutes & (u64::MAX << minute);
        if now != 0 && self.hours & (1 << hour) != 0 {
            return Some(hour * 60 + i64::from(now.trailing_zeros()));
        }
        let later = self.hours & (u32::MAX << hour << 1);
        let hour = (later != 0).then(|| i64::from(later.trailing_zeros()))?;
        Some(hour * 60 + i64::from(self.minutes.trailing_zeros()))
    }

    /// The last minute of a day at or before `minute`.
    fn time_until(&self, minute: i64) -> Option<i64> {
        let (hour, minute) = (minute / 60, minute % 60);
        let now = self.minutes & !(u64::MAX << minute << 1);
        if now != 0 && self.hours & (1 << hour) != 0 {
            return Some(hour * 60 + i64::from(now.ilog2()));
        }
        let earlier = self.hours & !(u32::MAX << hour);
        Some(i64::from(earlier.checked_ilog2()?) * 60 + i64::from(self.minutes.checked_ilog2()?))
    }

    /// How many minutes of a day lie before `minute`.
    fn times_before(&self, minute: i64) -> u64 {
        let (hour, minute) = (minute / 60, minute % 60);
        let hours = (self.hours & !(u32::MAX << hour)).count_ones();
        let here = if self.hours & (1 << hour) == 0 { 0 } else { self.minutes };
        let minutes = (here & !(u64::MAX << minute)).count_ones();
        u64::from(hours * self.minutes.count_ones() + minutes)
    }
}

/// The days of a month before that of `day`.
fn before(day: Date) -> u32 {
    !(u32::MAX << day.day())
}

/// The days of a month up to that of `day` and including it.
fn up_to(day: Date) -> u32 {
    !(u32::MAX << day.day() << 1)
}

fn with_day(month: Date, day: u32) -> Option<Date> {
    Date::new(month.year(), month.month(), i8::try_from(day).ok()?).ok()
}

/// A local minute as its day and its minute of that day; none beyond the calendar's end.
fn split(local: i64) -> Option<(Date, i64)> {
    let minute = local.rem_euclid(MINUTES_A_DAY);
    let midnight = SignedDuration::from_secs(local.checked_sub(minute)?.checked_mul(60)?);
    Some((EPOCH.checked_add(midnight).ok()?, minute))
}

fn joined(day: Date, minute: i64) -> i64 {
    day.duration_since(EPOCH).as_hours() * 60 + minute
}
