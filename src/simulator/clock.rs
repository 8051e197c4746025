//! The world's own clock: simulated time, which passes faster than the wall's.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// One instant on both clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// By the wall clock, since 1970-01-01T00:00:00Z.
    pub(super) real: Duration,
    /// By the simulated clock, since an arbitrary origin.
    pub(super) simulated: Duration,
}

/// Turns wall time into simulated time: `speed` times as fast, from an anchor that a jump moves.
#[derive(Debug)]
pub(super) struct Clock {
    speed: f64,
    anchor: Moment,
}

impl Clock {
    pub(super) fn new(speed: f64) -> Self {
        Self { speed, anchor: Moment { real: wall(), simulated: Duration::ZERO } }
    }

    pub(super) fn now(&self) -> Moment {
        self.at(wall())
    }

    fn at(&self, real: Duration) -> Moment {
        let passed = real.saturating_sub(self.anchor.real);
        let passed = seconds(passed.as_secs_f64() * self.speed);
        Moment { real, simulated: self.anchor.simulated.saturating_add(passed) }
    }

    /// Lets `by` of simulated time pass at once.
    pub(super) fn jump(&mut self, by: Duration) {
        let now = self.now();
        self.anchor = Moment { real: now.real, simulated: now.simulated.saturating_add(by) };
    }

    /// The wall time at which the simulated clock showed `simulated`; where it was jumped over,
    /// that is the instant of the jump.
    pub(super) fn real_at(&self, simulated: Duration) -> Duration {
        let passed = simulated.saturating_sub(self.anchor.simulated);
        self.anchor.real.saturating_add(seconds(passed.as_secs_f64() / self.speed))
    }
}

/// As `Duration::from_secs_f64`, but saturating: nought over a standing clock's nought is nothing.
fn seconds(seconds: f64) -> Duration {
    if seconds.is_nan() || seconds <= 0.0 {
        return Duration::ZERO;
    }
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the simulator plays a server elsewhere, which has a clock of its own"
)]
fn wall() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// A duration in whole milliseconds, as Harness states its times.
pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn minutes(minutes: u64) -> Duration {
        Duration::from_secs(60 * minutes)
    }

    #[test]
    fn simulated_time_runs_faster_and_can_be_told_back() {
        let start = minutes(1_000);
        let anchor = Moment { real: start, simulated: minutes(5) };
        let clock = Clock { speed: 60.0, anchor };
        assert_eq!(clock.at(start + minutes(1)).simulated, minutes(65));
        assert_eq!(clock.real_at(minutes(65)), start + minutes(1));
        assert_eq!(clock.real_at(minutes(1)), start);
    }

    #[test]
    fn a_standing_clock_moves_by_jumps_alone() {
        let mut clock = Clock::new(0.0);
        assert_eq!(clock.at(clock.anchor.real + minutes(60)).simulated, Duration::ZERO);
        clock.jump(minutes(7));
        assert_eq!(clock.now().simulated, minutes(7));
        assert_eq!(clock.real_at(minutes(7)), clock.anchor.real);
    }
}
