//! When one call is to look at several runs.
//!
//! The delays that are to be expected of the runs add up, and one call ends them all, so it is due
//! when their sum is worth the call. That is a little dearer than a look at one run, for Harness has
//! to search; and a run that was looked at just now is not worth its lines in the answer. A call is
//! never later than a look at one of them would have been.
//!
//! Both prices were chosen by what 500 runs in ten projects then cost and how late their ends are seen,
//! whether they take twenty minutes or two hours (`benches/polling.rs`).
//!
//! The delay of one run is taken to grow with the square of the time since its last look and to be
//! worth a call after its own gap, which is so where the chance to end is constant in between.

use std::time::Duration;

use crate::model::Mono;

/// What a call for several runs costs, in looks at one.
const CALL: f64 = 1.35;

/// What each run in its answer costs beside that.
const SHARE: f64 = 0.005;

/// After how many halvings an instant is near enough.
const HALVINGS: u32 = 10;

/// A run as it was left at its last look.
#[derive(Clone, Copy, Debug)]
pub struct Left {
    /// When that was.
    pub at: Mono,
    /// How long the next look would wait if the run were alone.
    pub gap: Duration,
}

impl Left {
    /// What its delay is worth by now, in looks.
    #[must_use]
    pub fn urgency(&self, now: Mono) -> f64 {
        let gap = self.gap;
        if gap.is_zero() {
            return f64::INFINITY;
        }
        (now.since(self.at).as_secs_f64() / gap.as_secs_f64()).powi(2)
    }

    /// Whether it is worth being asked for in a call that goes anyway.
    #[must_use]
    pub fn is_due_with_others(&self, now: Mono) -> bool {
        self.urgency(now) >= SHARE
    }
}

/// When a call for all of these is due; never where there are none.
#[must_use]
pub fn due(runs: &[Left]) -> Option<Mono> {
    let worth = |now: Mono| -> f64 {
        let gains = runs.iter().map(|run| (run.urgency(now) - SHARE).max(0.0));
        gains.sum()
    };
    let first = runs.iter().map(|run| run.at).min()?;
    let mut late = runs.iter().map(|run| run.at.after(run.gap)).min()?;
    let mut early = first;
    for _ in 0..HALVINGS {
        let middle = early.after(late.since(early) / 2);
        if worth(middle) < CALL {
            early = middle;
        } else {
            late = middle;
        }
    }
    Some(late)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Mono {
        Mono(Duration::from_hours(1) + Duration::from_millis(millis))
    }

    fn left(millis: u64, gap: u64) -> Left {
        Left { at: at(millis), gap: Duration::from_secs(gap) }
    }

    fn due_after(runs: &[Left]) -> u128 {
        due(runs).unwrap().since(at(0)).as_millis()
    }

    #[test]
    fn alone_a_run_is_due_after_its_own_gap() {
        assert_eq!(due(&[]), None);
        for gap in [0, 2, 60, 300] {
            let alone = due_after(&[left(5_000, gap)]);
            let gap = u128::from(gap) * 1_000;
            assert!((gap + 4_999..=gap + 5_001).contains(&alone), "{gap}: {alone}");
        }
    }

    #[test]
    fn the_more_runs_the_sooner_and_the_dearer_a_call() {
        let gaps = [1, 4, 50, 100].map(|count| due_after(&vec![left(0, 20); count]));
        assert!(gaps.is_sorted_by(|few, many| few > many), "{gaps:?}");
        // Half as long for four, were a call not dearer than a look.
        assert!((11_000..12_000).contains(&gaps[1]), "{gaps:?}");
        assert!((2_500..2_900).contains(&gaps[3]), "{gaps:?}");
    }

    #[test]
    fn who_was_looked_at_just_now_is_left_out() {
        let (old, new) = (left(0, 20), left(9_000, 20));
        assert!(old.is_due_with_others(at(10_000)) && !new.is_due_with_others(at(10_000)));
        assert!(new.is_due_with_others(at(19_000)));
        assert!(left(0, 0).is_due_with_others(at(0)), "what is to be looked at at once is");
    }
}
