//! The due times of one pipeline.

use std::time::Duration;

use super::occurrences::Occurrences;
use crate::model::Wall;

/// The due times of one pipeline: its schedule with what depends on its name worked out.
///
/// The same for every process that is handed the same config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueTimes(pub(super) Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// In milliseconds.
    Every { interval: i64, phase: i64 },
    /// Each of them fires `delay` later.
    Cron { occurrences: Occurrences, delay: Duration },
}

impl DueTimes {
    /// The first due time after `instant`; none where there is none that the clock has room for.
    #[must_use]
    pub fn next_after(&self, instant: Wall) -> Option<Wall> {
        match &self.0 {
            Kind::Every { interval, .. } => {
                self.last_at_or_before(instant)?.0.checked_add(*interval).map(Wall)
            }
            Kind::Cron { occurrences, .. } => {
                occurrences.first_from(second_after(instant)).and_then(wall)
            }
        }
    }

    /// The last due time at or before `instant`.
    #[must_use]
    pub fn last_at_or_before(&self, instant: Wall) -> Option<Wall> {
        match &self.0 {
            Kind::Every { interval, phase } => {
                let into = instant.0.checked_sub(*phase)?.rem_euclid(*interval);
                instant.0.checked_sub(into).map(Wall)
            }
            Kind::Cron { occurrences, .. } => {
                occurrences.last_until(second_after(instant) - 1).and_then(wall)
            }
        }
    }

    /// How many due times lie after `from` and at or before `until`.
    #[must_use]
    pub fn count_between(&self, from: Wall, until: Wall) -> u64 {
        match &self.0 {
            Kind::Every { interval, phase } => {
                let index = |instant: Wall| instant.0.saturating_sub(*phase).div_euclid(*interval);
                u64::try_from(index(until).saturating_sub(index(from))).unwrap_or(0)
            }
            Kind::Cron { occurrences, .. } => {
                occurrences.count(second_after(from), second_after(until))
            }
        }
    }

    /// How long after a due time it fires: the pipeline's share of the jitter. It never changes
    /// from one due time to the next, so that they keep their order and their distances.
    #[must_use]
    pub fn delay(&self) -> Duration {
        match &self.0 {
            Kind::Every { .. } => Duration::ZERO,
            Kind::Cron { delay, .. } => *delay,
        }
    }
}

/// The first whole second after an instant.
fn second_after(instant: Wall) -> i64 {
    instant.0.div_euclid(1000) + 1
}

fn wall(second: i64) -> Option<Wall> {
    second.checked_mul(1000).map(Wall)
}
