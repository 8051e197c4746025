//! When the local times of a cron expression come about in a time zone.
//!
//! A zone is a row of stretches of time, each with one offset from UTC, so that inside a stretch
//! local time is plain arithmetic. What is special happens where two of them meet:
//!
//! - Forward, some local times do not exist. Those of a fixed schedule come about together, at the
//!   first instant after the gap, unless it is longer than [`LONGEST_GAP`]: then the calendar was
//!   changed, not the clock, and they do not come about at all.
//! - Back, some local times exist twice. Those of a fixed schedule come about the first time.
//! - A schedule that follows elapsed time comes about wherever its local times exist.
//!
//! These are the rules of Vixie's cron.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::pattern::Pattern;

/// The longest gap whose local times are made up for, in seconds.
const LONGEST_GAP: i64 = 3 * 60 * 60;

/// How far back a change of the clock is looked for at first, in seconds: where it is changed at all,
/// that is mostly twice a year.
const FIRST_SPAN: i64 = 300 * 24 * 60 * 60;

/// The occurrences of an expression in a zone, in seconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Occurrences {
    pub(super) pattern: Arc<Pattern>,
    pub(super) zone: TimeZone,
}

/// A stretch of time with one offset. Without a neighbour it reaches to the end of all time.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    start: i64,
    end: i64,
    /// How far local time is ahead of UTC.
    offset: i64,
    /// How far it was ahead just before.
    before: i64,
}

impl Occurrences {
    /// The first at or after `from`.
    pub(super) fn first_from(&self, from: i64) -> Option<i64> {
        let mut from = from.max(Timestamp::MIN.as_second());
        loop {
            let stretch = self.stretch_at(from)?;
            if from == stretch.start && self.makes_up(&stretch) {
                return Some(from);
            }
            let local = stretch.local(from).max(self.first_local(&stretch));
            let found = stretch.instant(self.pattern.first_from(minute_from(local))?);
            if found < stretch.end {
                return Some(found);
            }
            from = stretch.end;
        }
    }

    /// The last at or before `until`.
    pub(super) fn last_until(&self, until: i64) -> Option<i64> {
        let mut until = until.min(Timestamp::MAX.as_second());
        loop {
            let stretch = self.stretch_at(until)?;
            let local = self.pattern.last_until(stretch.local(until).div_euclid(60))?;
            if local * 60 >= self.first_local(&stretch) {
                return Some(stretch.instant(local));
            }
            if self.makes_up(&stretch) {
                return Some(stretch.start);
            }
            until = stretch.start.checked_sub(1)?;
        }
    }

    /// How many lie at or after `from` and before `until`.
    pub(super) fn count(&self, from: i64, until: i64) -> u64 {
        let mut from = from.max(Timestamp::MIN.as_second());
        let until = until.min(Timestamp::MAX.as_second());
        let mut count = 0;
        while from < until
            && let Some(stretch) = self.stretch_at(from)
        {
            let end = stretch.end.min(until);
            let mut local = stretch.local(from).max(self.first_local(&stretch));
            if from == stretch.start && self.makes_up(&stretch) {
                count += 1;
                // Should a local time be due at this very instant too, they are one.
                local += 1;
            }
            count += self.pattern.count(minute_from(local), minute_from(stretch.local(end)));
            from = end;
        }
        count
    }

    /// The local second from which on local times count in a stretch: a fixed one that came about
    /// before the clock went back does not do so again.
    fn first_local(&self, stretch: &Stretch) -> i64 {
        let offset =
            if self.pattern.elapsed { stretch.offset } else { stretch.offset.max(stretch.before) };
        stretch.start.saturating_add(offset)
    }

    /// Whether at the start of a stretch fixed local times are due that did not exist before it.
    fn makes_up(&self, stretch: &Stretch) -> bool {
        let gap = stretch.offset - stretch.before;
        if self.pattern.elapsed || !(1..=LONGEST_GAP).contains(&gap) {
            return false;
        }
        let first = self.pattern.first_from(minute_from(stretch.start + stretch.before));
        first.is_some_and(|local| local * 60 < stretch.local(stretch.start))
    }

    /// The stretch that `second` is in; none beyond the clock's end.
    fn stretch_at(&self, second: i64) -> Option<Stretch> {
        let instant = Timestamp::from_second(second).ok()?;
        let offset_at = |second| {
            let instant = Timestamp::from_second(second).ok()?;
            Some(i64::from(self.zone.to_offset(instant).seconds()))
        };
        let start = self.change_by(second);
        let end = self.zone.following(instant).next().map(|change| change.timestamp().as_second());
        let offset = offset_at(second)?;
        Some(Stretch {
            start: start.unwrap_or(i64::MIN),
            end: end.unwrap_or(i64::MAX),
            offset,
            before: start.and_then(|start| offset_at(start - 1)).unwrap_or(offset),
        })
    }

    /// When the clock was last changed by `second`. It is looked for forward: backward, jiff 1.0 names
    /// wrong instants where a zone changes its rules too, as America/Metlakatla in January 2019.
    fn change_by(&self, second: i64) -> Option<i64> {
        let mut span = FIRST_SPAN;
        loop {
            let from = second.saturating_sub(span).max(Timestamp::MIN.as_second());
            let changes = self.zone.following(Timestamp::from_second(from).ok()?);
            let changes = changes.map(|change| change.timestamp().as_second());
            let change = changes.take_while(|at| *at <= second).last();
            if change.is_some() || from == Timestamp::MIN.as_second() {
                return change;
            }
            span = span.saturating_mul(16);
        }
    }
}

impl Stretch {
    /// The local second at an instant.
    fn local(&self, second: i64) -> i64 {
        second.saturating_add(self.offset)
    }

    /// The instant of a local minute.
    fn instant(&self, local: i64) -> i64 {
        local * 60 - self.offset
    }
}

/// The first local minute that begins at or after a local second.
fn minute_from(second: i64) -> i64 {
    second.saturating_add(59).div_euclid(60)
}
