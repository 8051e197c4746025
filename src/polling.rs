//! When to look at a run again.
//!
//! The call is the scarce thing, so the gap grows with the run's age: a tenth of it, which keeps
//! the lag in proportion to what is waited for and costs a few dozen calls however long a run
//! takes. Exponential backoff would cost as many and be later on average.

use std::time::Duration;

use crate::config::Polling;

/// Whether what is looked at may take its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// It may be over any moment.
    Usual,
    /// It waits for a person, or has been waiting for Harness for over ten minutes.
    Patient,
}

/// How long an event must have been unresolved to be looked at patiently.
pub const PATIENCE_AFTER: Duration = Duration::from_mins(10);

/// How much further apart patient looks may be than `max`.
const PATIENCE: u32 = 5;

/// The gap before the next look at a run that was sent `age` ago.
#[must_use]
pub fn gap(polling: &Polling, age: Duration, pace: Pace) -> Duration {
    let cap = match pace {
        Pace::Usual => polling.max,
        Pace::Patient => polling.max.saturating_mul(PATIENCE),
    };
    (age / 10).max(polling.min).min(cap.max(polling.min))
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLLING: Polling = Polling {
        first: Duration::from_secs(1),
        min: Duration::from_secs(2),
        max: Duration::from_mins(1),
    };

    #[test]
    fn the_gap_is_a_tenth_of_the_age_within_bounds() {
        let usual = |seconds| gap(&POLLING, Duration::from_secs(seconds), Pace::Usual).as_secs();
        assert_eq!([0, 10, 20, 100, 600, 6000].map(usual), [2, 2, 2, 10, 60, 60]);
        let patient =
            |seconds| gap(&POLLING, Duration::from_secs(seconds), Pace::Patient).as_secs();
        assert_eq!([10, 600, 1000, 3000, 86_400].map(patient), [2, 60, 100, 300, 300]);
    }

    #[test]
    fn fault_13_an_event_queued_for_three_hours_costs_at_most_100_looks() {
        let mut at = POLLING.first;
        let mut looks = 0;
        while at < Duration::from_hours(3) {
            looks += 1;
            let pace = if at > PATIENCE_AFTER { Pace::Patient } else { Pace::Usual };
            at += gap(&POLLING, at, pace);
        }
        assert!((40..=100).contains(&looks), "{looks} looks");
    }
}
