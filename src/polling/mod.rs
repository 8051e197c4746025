//! When to look at a run again.
//!
//! The call is the scarce thing. Of a pipeline whose runs are not known yet the gap grows with the
//! run's age, by a tenth of it. Once ten are known, the looks are put where a run is likely to have
//! ended, and kept away from where it hardly can.
//!
//! How: let `F` say how likely it is that a run takes no longer than a given time. After a look at
//! `t0` that found it running, the end goes unseen for longer and longer; at `t` the delay to be
//! expected so far is
//!
//! ```text
//! E(t) = ∫ (F(s) - F(t0)) / (1 - F(t0)) ds,  s from t0 to t
//! ```
//!
//! and the next look is due when `E(t)` has come to what a look is worth. Where the chance `h` to
//! end within a second is constant, that is the gap `sqrt(2 * worth / h)`, which is the best there is
//! for a given number of looks (Keller 1974, after Barlow, Hunter and Proschan 1963); where it is
//! not, no derivative and no table is needed. `learned` says how `F` is made from the last runs.
//!
//! Two things follow from what `E` is. Delays add up: one call that reads several runs is due when
//! their sum is worth a call, see `together`. And what waits for a call can be put in an
//! order: whoever has waited longest compared with the gap that was to be, see `turn`.
//!
//! No gap is longer than `max`, whatever was learned: what never happened may.

mod learned;
pub mod together;

use std::time::Duration;

pub use learned::{Learned, Memory};

use crate::config::Polling;

/// Whether what is looked at may take its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// It may be over any moment.
    Usual,
    /// It waits for a person, or has been waiting for Harness for over ten minutes.
    Patient,
}

/// What is known of a run that is to be looked at again.
#[derive(Clone, Copy, Debug)]
pub struct Sighting<'a> {
    /// How long ago the webhook was sent.
    pub since_sent: Duration,
    /// How long the execution has been at work, where Harness has said when it began.
    pub at_work: Option<Duration>,
    /// How long those before it took, where enough are known.
    pub learned: Option<&'a Learned>,
    /// Whether it may take its time.
    pub pace: Pace,
}

/// How long an event must have been unresolved to be looked at patiently.
pub const PATIENCE_AFTER: Duration = Duration::from_mins(10);

/// How much further apart patient looks may be than `max`.
const PATIENCE: u32 = 5;

/// A look is worth a delay of this part of `min`. With a whole one a run that ends at random would
/// be looked at at gaps of the geometric mean of `min` and twice the time it is expected to take;
/// this makes it half as much, which long runs repay best.
const WORTH: u32 = 4;

/// The gap before the next look at a run.
#[must_use]
pub fn gap(polling: &Polling, sighting: &Sighting<'_>) -> Duration {
    let longest = match sighting.pace {
        Pace::Usual => polling.max,
        Pace::Patient => polling.max.saturating_mul(PATIENCE),
    };
    let longest = longest.max(polling.min);
    match (sighting.at_work, sighting.learned) {
        // When a person acts was not learned from anything.
        (Some(age), Some(learned)) if sighting.pace == Pace::Usual => {
            learned.gap(age, polling.min / WORTH, polling.min..=longest)
        }
        _ => (sighting.since_sent / 10).clamp(polling.min, longest),
    }
}

/// How long after its last look a run is looked at in its turn, where calls are too scarce for the
/// gaps of all of them; never sooner than after its gap.
///
/// What was learned says how much a look at each is worth. Else the gap tells how old a run is and
/// not when it may end: one whose execution has not begun is taken to have just done so, and of
/// those that nothing is known of, nobody comes before others.
#[must_use]
pub fn turn(polling: &Polling, sighting: &Sighting<'_>, gap_now: Duration) -> Duration {
    match (sighting.at_work, sighting.learned) {
        (Some(_), Some(_)) => gap_now,
        (None, Some(_)) => {
            let begun = Sighting { at_work: Some(Duration::ZERO), ..*sighting };
            gap(polling, &begun).max(gap_now)
        }
        (_, None) => gap_now.max(polling.max),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLLING: Polling = Polling {
        first: Duration::from_secs(1),
        min: Duration::from_secs(2),
        max: Duration::from_mins(1),
    };

    fn unknown(since_sent: Duration, pace: Pace) -> Duration {
        gap(&POLLING, &Sighting { since_sent, at_work: None, learned: None, pace })
    }

    #[test]
    fn of_what_is_not_known_the_gap_is_a_tenth_of_the_age_within_bounds() {
        let usual = |seconds| unknown(Duration::from_secs(seconds), Pace::Usual).as_secs();
        assert_eq!([0, 10, 20, 100, 600, 6000].map(usual), [2, 2, 2, 10, 60, 60]);
        let patient = |seconds| unknown(Duration::from_secs(seconds), Pace::Patient).as_secs();
        assert_eq!([10, 600, 1000, 3000, 86_400].map(patient), [2, 60, 100, 300, 300]);
    }

    #[test]
    fn fault_13_an_event_queued_for_three_hours_costs_at_most_100_looks() {
        let mut at = POLLING.first;
        let mut looks = 0;
        while at < Duration::from_hours(3) {
            looks += 1;
            let pace = if at > PATIENCE_AFTER { Pace::Patient } else { Pace::Usual };
            at += unknown(at, pace);
        }
        assert!((40..=100).contains(&looks), "{looks} looks");
    }

    #[test]
    fn what_waits_for_a_person_is_not_timed_by_what_was_learned() {
        let learned = Learned::of([600_000; 10]).unwrap();
        let at = Duration::from_secs(598);
        let look = |pace| {
            let (at_work, learned) = (Some(at), Some(&learned));
            gap(&POLLING, &Sighting { since_sent: at, at_work, learned, pace })
        };
        assert!(look(Pace::Usual) < Duration::from_secs(10));
        assert_eq!(look(Pace::Patient), at / 10);
    }

    #[test]
    fn a_turn_is_what_a_look_is_worth_and_not_how_old_a_run_is() {
        let learned = Learned::of([600_000; 10]).unwrap();
        let both = |seconds, at_work: Option<u64>, learned| {
            let since_sent = Duration::from_secs(seconds);
            let at_work = at_work.map(Duration::from_secs);
            let sighting = Sighting { since_sent, at_work, learned, pace: Pace::Usual };
            let gap = gap(&POLLING, &sighting);
            (gap.as_secs(), turn(&POLLING, &sighting, gap).as_secs())
        };
        assert_eq!(both(3, Some(1), None), (2, 60), "a young one does not come before others");
        assert_eq!(both(590, Some(588), None), (59, 60));
        let (gap, turn) = both(598, Some(596), Some(&learned));
        assert!(gap < 10 && gap == turn, "{gap} {turn}");
        assert_eq!(both(3, None, Some(&learned)), (2, 60), "it has a while to go");
        let learned = Learned::of([4_000; 10]).unwrap();
        let (gap, turn) = both(3, None, Some(&learned));
        assert!(gap == 2 && turn < 10, "it may be over soon: {turn}");
    }
}
