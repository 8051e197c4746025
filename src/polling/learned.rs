//! How long a pipeline's runs take, as far as the last of them tell.
//!
//! Each known duration stands for the times around it: a bell with the spread of its neighbours, so
//! that a pipeline that takes now two minutes and now fifteen has two narrow humps and none between.
//! The bell is Student's t with two degrees of freedom. Its tails are heavy, which is what a
//! surprise calls for: a first failure in the first minute, or a run that is a third longer than any
//! before, finds looks there, if fewer. And both it and its integral have a closed form. What a bell
//! has below zero is folded back, for no run takes less.
//!
//! Thirty durations of a pipeline whose runs may end at any moment alike look like humps too, and
//! looks at such humps are wasted. So each duration is foretold from all the others in both ways, by
//! bells and as if the runs had no memory, and each way counts for as much as its foretelling is
//! worth.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::model::Durations;

/// How many durations must be known for anything to follow from them.
const ENOUGH: usize = 10;

/// No bell is narrower than this part of its duration, or than half a second: Harness' runs are not
/// that regular.
const NARROWEST: f64 = 0.02;
const NARROWEST_SECONDS: f64 = 0.5;

/// A bell is this much wider than the distance to the neighbours that it covers.
const WIDENED: f64 = 2.0;

/// After how many halvings a gap is near enough: a minute to 15 milliseconds.
const HALVINGS: u32 = 12;

/// How long the last runs of a pipeline took, and what follows from it.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// In milliseconds, oldest first.
    last: VecDeque<i64>,
    learned: Option<Learned>,
}

impl Memory {
    /// Takes note of how long runs took, in milliseconds, oldest first.
    pub fn note(&mut self, durations: impl IntoIterator<Item = i64>) {
        self.last.extend(durations);
        let outdated = self.last.len().saturating_sub(Durations::REMEMBERED);
        self.last.drain(..outdated);
        self.learned = Learned::of(self.last.iter().copied());
    }

    /// What follows from it; nothing before the tenth run.
    #[must_use]
    pub fn learned(&self) -> Option<&Learned> {
        self.learned.as_ref()
    }
}

/// See the module's documentation.
#[derive(Clone, Debug)]
pub struct Learned {
    bells: Vec<Bell>,
    /// How long runs take on average, in seconds.
    mean: f64,
    /// How likely it is that they have no memory.
    memoryless: f64,
}

/// The times around one known duration, in seconds.
#[derive(Clone, Copy, Debug)]
struct Bell {
    middle: f64,
    width: f64,
}

/// What is known of a time, over all bells.
#[derive(Clone, Copy, Debug, Default)]
struct At {
    /// How likely it is that a run takes no longer.
    ended: f64,
    /// The integral of that, up to here.
    delay: f64,
}

impl Learned {
    /// What follows from these durations, in milliseconds; nothing where they are too few.
    #[must_use]
    pub fn of(durations: impl IntoIterator<Item = i64>) -> Option<Self> {
        let mut known: Vec<f64> =
            durations.into_iter().map(|millis| millis.max(0) as f64 / 1e3).collect();
        if known.len() < ENOUGH {
            return None;
        }
        known.sort_by(f64::total_cmp);
        let near = (known.len() / 4).max(2);
        let bell = |middle: &f64| {
            let middle = *middle;
            let mut distances: Vec<f64> =
                known.iter().map(|other| (other - middle).abs()).collect();
            distances.sort_by(f64::total_cmp);
            let spread = distances.get(near).copied().unwrap_or_default() * WIDENED;
            Bell { middle, width: spread.max(NARROWEST * middle).max(NARROWEST_SECONDS) }
        };
        let bells: Vec<Bell> = known.iter().map(bell).collect();
        let mean = (known.iter().sum::<f64>() / known.len() as f64).max(NARROWEST_SECONDS);
        let memoryless = memoryless(&bells, mean);
        Some(Self { bells, mean, memoryless })
    }

    /// How long to wait with the next look at a run of this age, where a look is worth a delay of
    /// `worth`.
    #[must_use]
    pub(super) fn gap(
        &self,
        age: Duration,
        worth: Duration,
        within: RangeInclusive<Duration>,
    ) -> Duration {
        let (age, worth) = (age.as_secs_f64(), worth.as_secs_f64());
        let now = self.at(age);
        let left = (1.0 - now.ended).max(f64::EPSILON);
        let delay = |gap: f64| (self.at(age + gap).delay - now.delay - now.ended * gap) / left;
        let (mut short, mut long) = (within.start().as_secs_f64(), within.end().as_secs_f64());
        if delay(long) <= worth {
            return *within.end();
        }
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(short, long);
            if delay(middle) < worth {
                short = middle;
            } else {
                long = middle;
            }
        }
        Duration::try_from_secs_f64(short).unwrap_or_default().max(*within.start())
    }

    fn at(&self, seconds: f64) -> At {
        let mut sum = At::default();
        for bell in &self.bells {
            let (above, below) = (bell.at(seconds), bell.at(-seconds));
            sum.ended += above.ended - below.ended;
            sum.delay += above.delay + below.delay;
        }
        let count = self.bells.len() as f64;
        let left = (-seconds / self.mean).exp();
        let mix = |bells: f64, without: f64| {
            (without - bells / count).mul_add(self.memoryless, bells / count)
        };
        At {
            ended: mix(sum.ended, 1.0 - left),
            delay: mix(sum.delay, self.mean.mul_add(left, seconds)),
        }
    }
}

impl Bell {
    fn at(&self, seconds: f64) -> At {
        let x = (seconds - self.middle) / self.width;
        let root = x.mul_add(x, 1.0).sqrt();
        At { ended: f64::midpoint(1.0, x / root), delay: self.width * f64::midpoint(x, root) }
    }

    fn density(&self, seconds: f64) -> f64 {
        let x = (seconds - self.middle) / self.width;
        0.5 / (self.width * x.mul_add(x, 1.0).powf(1.5))
    }
}

/// How likely it is that runs have no memory, by how well the other durations foretell each one (the
/// likelihoods of cross-validation, of which both ways are given the same chance beforehand).
fn memoryless(bells: &[Bell], mean: f64) -> f64 {
    let others = bells.len() as f64 - 1.0;
    let foretold = |left_out: usize, taken: f64| {
        let bells = bells.iter().enumerate().filter(|(at, _)| *at != left_out);
        let dense: f64 = bells.map(|(_, bell)| bell.density(taken) + bell.density(-taken)).sum();
        let mean = mean.mul_add(others + 1.0, -taken) / others;
        let mean = mean.max(NARROWEST_SECONDS);
        (dense / others).ln() - (-mean.ln() - taken / mean)
    };
    let by_bells: f64 = bells.iter().enumerate().map(|(at, bell)| foretold(at, bell.middle)).sum();
    1.0 / (1.0 + by_bells.exp())
}

#[cfg(test)]
#[expect(
    clippy::cast_possible_truncation,
    clippy::type_complexity,
    reason = "durations made up here are small, and laws are a table"
)]
mod tests {
    use super::*;
    use crate::config::Polling;
    use crate::polling::{Pace, Sighting, gap};

    const POLLING: Polling = Polling {
        first: Duration::from_secs(1),
        min: Duration::from_secs(2),
        max: Duration::from_mins(1),
    };

    /// `SplitMix64`, as numbers between 0 and 1.
    struct Chance(u64);

    impl Chance {
        fn next(&mut self) -> f64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
        }

        /// Normally distributed around 0 by 1, near enough.
        fn bell(&mut self) -> f64 {
            (0..12).map(|_| self.next()).sum::<f64>() - 6.0
        }
    }

    /// The gap after a look at this age.
    fn look(age: Duration, learned: &Learned) -> Duration {
        let (at_work, learned) = (Some(age), Some(learned));
        gap(&POLLING, &Sighting { since_sent: age, at_work, learned, pace: Pace::Usual })
    }

    /// Looks and mean delay, in seconds, of runs that take as long as `law` says, once thirty are
    /// known; and the mean delay of a constant gap that costs as many looks.
    fn compare(law: impl Fn(&mut Chance) -> f64) -> (f64, f64, f64) {
        const RUNS: usize = 400;
        let mut chance = Chance(7);
        let mut lasts: Vec<f64> = (0..30 + RUNS).map(|_| law(&mut chance)).collect();
        let (mut looks, mut delay) = (0_u32, 0.0);
        for last in 30..lasts.len() {
            let known = lasts[last - 30..last].iter().map(|seconds| (seconds * 1e3) as i64);
            let learned = Learned::of(known).unwrap();
            let mut age = Duration::ZERO;
            while age.as_secs_f64() < lasts[last] {
                age += look(age, &learned);
                looks += 1;
            }
            delay += age.as_secs_f64() - lasts[last];
        }
        let runs = lasts.split_off(30);
        let constant = |gap: f64| -> (f64, f64) {
            let looks: f64 = runs.iter().map(|took| (took / gap).ceil()).sum();
            let delay: f64 = runs.iter().map(|took| (took / gap).ceil() * gap - took).sum();
            (looks / RUNS as f64, delay / RUNS as f64)
        };
        let looks = f64::from(looks) / RUNS as f64;
        // The delay falls with the number of looks but for a ripple, over which it is averaged.
        let (mut short, mut long) = (0.1_f64, 4_000.0);
        for _ in 0..60 {
            let middle = (short * long).sqrt();
            if constant(middle).0 > looks { short = middle } else { long = middle }
        }
        (looks, delay / RUNS as f64, constant(long).1)
    }

    #[test]
    fn looks_gather_where_runs_end() {
        let learned = Learned::of((0..30).map(|n| 300_000 + n * 500)).unwrap();
        let next = |seconds: u64| {
            let age = Duration::from_secs(seconds);
            look(age, &learned).as_secs()
        };
        assert_eq!((next(1), next(100)), (60, 60), "it has never ended there");
        assert!((2..=6).contains(&next(305)), "{}", next(305));
        assert!((3..=20).contains(&next(330)), "longer than any before: {}", next(330));
        assert!(next(600) > next(330) && next(3_600) <= 60, "it may take for ever");
    }

    #[test]
    fn runs_without_memory_are_told_from_those_with_one() {
        let memoryless = |law: fn(f64) -> f64| {
            let known = (0..30).map(|nth| (law((f64::from(nth) + 0.5) / 30.0) * 1e3) as i64);
            Learned::of(known).unwrap().memoryless
        };
        let (without, even, humps) = (
            memoryless(|part| -600.0 * part.ln()),
            memoryless(|part| 500.0 + 200.0 * part),
            memoryless(|part| if part < 0.7 { 120.0 + part } else { 900.0 + part }),
        );
        assert!(without > 0.8 && even < 1e-3 && humps < 1e-3, "{without} {even} {humps}");
    }

    #[test]
    fn nothing_follows_from_few_runs_and_nothing_breaks_by_odd_ones() {
        assert!(Learned::of([60_000; 9]).is_none());
        for odd in [0, -5, i64::MAX, i64::MIN, 1] {
            let learned = Learned::of([odd; 12]).unwrap();
            for age in [0, 1, 1_000_000, u64::MAX / 2_000_000_000] {
                let age = Duration::from_secs(age);
                let gap = look(age, &learned);
                assert!((POLLING.min..=POLLING.max).contains(&gap), "{odd} {age:?} {gap:?}");
            }
        }
    }

    #[test]
    fn it_is_never_much_later_than_a_constant_gap_of_as_many_looks() {
        let laws: [(&str, f64, fn(&mut Chance) -> f64); 7] = [
            ("regular, short", 0.5, |c| 30.0 * (0.03 * c.bell()).exp()),
            ("regular", 0.25, |c| 300.0 * (0.05 * c.bell()).exp()),
            ("nightly", 0.75, |c| 7_200.0 * (0.1 * c.bell()).exp()),
            ("bimodal", 0.5, |c| {
                let middle = if c.next() < 0.7 { 120.0 } else { 900.0 };
                middle * (0.08 * c.bell()).exp()
            }),
            ("fails early now and then", 0.5, |c| {
                if c.next() < 0.9 { 600.0 * (0.05 * c.bell()).exp() } else { 600.0 * c.next() }
            }),
            ("scattered", 1.05, |c| 600.0 * c.bell().exp()),
            ("without memory", 1.05, |c| -600.0 * c.next().max(1e-9).ln()),
        ];
        for (name, most, law) in laws {
            let (looks, delay, constant) = compare(law);
            let told = format!("{name}: {looks:.1} looks, {delay:.1} s, constant {constant:.1} s");
            assert!(delay <= constant * most, "{told}");
        }
    }
}
