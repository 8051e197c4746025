//! Instants as plain numbers, so that the pure core can be handed any time at all.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The longest duration of a run or stage that is believed, in milliseconds: 400 days, where
/// Harness' longest timeout is 35.
pub const LONGEST_DURATION: i64 = 400 * 24 * 60 * 60 * 1000;

/// An instant of the wall clock, in milliseconds since 1970-01-01T00:00:00Z.
///
/// Harness states its times in the same unit. Due times are wall time; nothing that is waited for
/// is, because a wall clock may be set.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Wall(pub i64);

impl Wall {
    /// The instant that lies `duration` later, saturating.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }

    /// The instant that lies `duration` earlier, saturating.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)))
    }

    /// How long it is from `earlier` to this instant; zero where `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let gap = self.0.saturating_sub(earlier.0);
        Duration::from_millis(u64::try_from(gap).unwrap_or(0))
    }
}

/// RFC 3339 in UTC, to the millisecond where there are milliseconds.
impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(timestamp) => timestamp.fmt(f),
            Err(_) => write!(f, "{}ms", self.0),
        }
    }
}

/// An instant of a clock that is never set, as the time since an arbitrary origin.
///
/// The origin lies further back than any run can be old, so that what began before a restart has an
/// instant on this clock too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mono(pub Duration);

impl Mono {
    /// The instant that lies `duration` later, saturating.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }

    /// How long it is from `earlier` to this instant; zero where `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// The two clocks, read together once a turn and passed on as an argument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// What the wall clock says.
    pub wall: Wall,
    /// What the monotonic clock says.
    pub mono: Mono,
}

impl Now {
    /// The monotonic instant at which the wall clock will show `wall` if nobody sets it; now where
    /// that is past.
    #[must_use]
    pub fn mono_at(&self, wall: Wall) -> Mono {
        self.mono.after(wall.since(self.wall))
    }

    /// The monotonic instant that lies as far back as `wall` does: how a clock that counts from a
    /// saved instant is anchored anew after a restart. Now where `wall` is still to come.
    #[must_use]
    pub fn mono_of(&self, wall: Wall) -> Mono {
        Mono(self.mono.0.saturating_sub(self.wall.since(wall)))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
