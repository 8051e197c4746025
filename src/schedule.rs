//! When a pipeline is due.
//!
//! A schedule is a function of time and of the pipeline's name alone, so that every replica and
//! every restart arrives at the same due times. It knows nothing of what was sent.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{PipelineName, Wall};

/// Where the due times of an interval lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// At a phase hashed from the pipeline's name, so that a fleet does not fire at once.
    Spread,
    /// At multiples of the interval since 1970-01-01T00:00:00Z.
    Epoch,
}

/// A schedule: due every so often.
#[derive(Clone, Debug)]
pub struct Schedule {
    interval: Duration,
    align: Align,
    text: Arc<str>,
}

/// The same due times, however they were written.
impl PartialEq for Schedule {
    fn eq(&self, other: &Self) -> bool {
        (self.interval, self.align) == (other.interval, other.align)
    }
}

impl Eq for Schedule {}

/// The due times of one pipeline: its schedule with its phase worked out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueTimes {
    interval: i64,
    phase: i64,
}

impl Schedule {
    /// Due at an interval of at least a second, which was written as `text`: `15m`.
    #[must_use]
    pub fn every(interval: Duration, align: Align, text: &str) -> Self {
        Self { interval, align, text: Arc::from(format!("every {text}")) }
    }

    /// The schedule as it was written: `every 15m` for an interval.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The interval of its due times.
    #[must_use]
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// The same at `speed` times the pace, but at most once a second.
    #[must_use]
    pub fn sped_up(&self, speed: f64) -> Self {
        let interval = self.interval.div_f64(speed.max(1.0)).max(Duration::from_secs(1));
        Self { interval, ..self.clone() }
    }

    /// The due times of the pipeline called `name`.
    #[must_use]
    pub fn due_times(&self, name: &PipelineName) -> DueTimes {
        let interval = i64::try_from(self.interval.as_millis()).unwrap_or(i64::MAX).max(1);
        let phase = match self.align {
            Align::Epoch => 0,
            Align::Spread => {
                let within = fnv1a(name.as_str().as_bytes()) % interval.unsigned_abs();
                i64::try_from(within).unwrap_or(0)
            }
        };
        DueTimes { interval, phase }
    }
}

impl DueTimes {
    /// The jitter: how long after a due time the pipeline is triggered.
    #[must_use]
    pub fn delay(&self) -> Duration {
        Duration::ZERO
    }

    /// The first due time after `instant`; none where the clock has no room for it.
    #[must_use]
    pub fn next_after(&self, instant: Wall) -> Option<Wall> {
        self.last_at_or_before(instant)?.0.checked_add(self.interval).map(Wall)
    }

    /// The last due time at or before `instant`.
    #[must_use]
    pub fn last_at_or_before(&self, instant: Wall) -> Option<Wall> {
        let into = instant.0.checked_sub(self.phase)?.rem_euclid(self.interval);
        instant.0.checked_sub(into).map(Wall)
    }

    /// How many due times lie after `from` and at or before `until`.
    #[must_use]
    pub fn count_between(&self, from: Wall, until: Wall) -> u64 {
        let index = |instant: Wall| instant.0.saturating_sub(self.phase).div_euclid(self.interval);
        u64::try_from(index(until).saturating_sub(index(from))).unwrap_or(0)
    }
}

/// The form in which the store remembers it, to notice an edit: `every 900000ms spread`.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let align = match self.align {
            Align::Spread => "spread",
            Align::Epoch => "epoch",
        };
        write!(f, "every {}ms {align}", self.interval.as_millis())
    }
}

/// A text in the store that no version of ours wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a schedule")]
pub struct NotASchedule;

impl FromStr for Schedule {
    type Err = NotASchedule;

    fn from_str(text: &str) -> Result<Self, NotASchedule> {
        let (written, align) = text
            .strip_prefix("every ")
            .and_then(|rest| rest.split_once(' '))
            .ok_or(NotASchedule)?;
        let millis = written.strip_suffix("ms").and_then(|millis| millis.parse().ok());
        let interval = millis.map(Duration::from_millis).ok_or(NotASchedule)?;
        let align = match align {
            "spread" => Align::Spread,
            "epoch" => Align::Epoch,
            _ => return Err(NotASchedule),
        };
        Ok(Self::every(interval, align, written))
    }
}

/// FNV-1a with a final mix. Part of the contract: a phase must not move between versions.
pub(crate) fn fnv1a(bytes: &[u8]) -> u64 {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    // Short names that differ in their last letter would else land next to each other.
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due_times(seconds: u64, align: Align, name: &str) -> DueTimes {
        let every = Duration::from_secs(seconds);
        Schedule::every(every, align, "").due_times(&PipelineName::new(name))
    }

    #[test]
    fn epoch_due_times_are_multiples_of_the_interval() {
        let due = due_times(900, Align::Epoch, "any");
        let noon = Wall(1_764_072_000_000);
        assert_eq!(due.last_at_or_before(noon), Some(noon));
        assert_eq!(due.next_after(noon), Some(Wall(noon.0 + 900_000)));
        assert_eq!(due.next_after(Wall(noon.0 - 1)), Some(noon));
    }

    #[test]
    fn spread_is_the_same_every_time_and_differs_by_name() {
        let at = Wall(1_764_072_000_000);
        let one = due_times(900, Align::Spread, "checkout").next_after(at);
        assert_eq!(one, due_times(900, Align::Spread, "checkout").next_after(at));
        assert_ne!(one, due_times(900, Align::Spread, "checkouu").next_after(at));
        // The phase is public: replicas of different versions must agree.
        assert_eq!(fnv1a(b"checkout"), 917_671_893_122_870_901);
    }

    #[test]
    fn counting_is_exact() {
        let due = due_times(60, Align::Spread, "x");
        let from = Wall(1_764_072_000_123);
        for minutes in 0..5 {
            let until = Wall(from.0 + minutes * 60_000);
            assert_eq!(due.count_between(from, until), minutes.unsigned_abs());
        }
        let first = due.next_after(from).unwrap();
        assert_eq!(due.count_between(from, first), 1);
        assert_eq!(due.count_between(first, first), 0);
        assert_eq!(due.count_between(first, from), 0);
    }

    #[test]
    fn the_stored_form_reads_back() {
        for align in [Align::Spread, Align::Epoch] {
            let schedule = Schedule::every(Duration::from_mins(90), align, "90m");
            assert_eq!(schedule.to_string().parse(), Ok(schedule));
        }
        assert_eq!("every x".parse::<Schedule>(), Err(NotASchedule));
    }
}
