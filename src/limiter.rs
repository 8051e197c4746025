//! How many calls an account's key may make, and when the next one may go.
//!
//! Harness allows 400 calls a minute and key and answers the rest with 429, without saying for how
//! long. Being throttled costs more than waiting, so we stay below a limit of our own: smooth (a
//! small burst, then evenly spaced), and never more than the budget in any 60 s. The limiter knows
//! nothing of what the calls are for; who goes first is the engine's to say.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::Mono;

/// Calls that may go at once after a quiet time. Two below what the contract allows in any one
/// second, because calls let go over more than a second may arrive within one.
const BURST: u32 = 3;

/// Over how long the budget is counted: a minute, and a second for calls that arrive late.
const WINDOW: Duration = Duration::from_secs(61);

/// The first pause after a 429 that does not say how long, and the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// The longest `Retry-After` that is believed: a word of a proxy's must not stop us for a day.
const LONGEST_RETRY_AFTER: Duration = Duration::from_hours(1);

/// Added to `Retry-After`, so that a call arrives after it and not on it.
const RETRY_MARGIN: Duration = Duration::from_millis(100);

/// The limiter of one account.
#[derive(Clone, Debug)]
pub struct Limiter {
    per_minute: usize,
    interval: Duration,
    burst: u32,
    /// When the calls so far would be due if they had been evenly spaced.
    spaced_until: Mono,
    recent: VecDeque<Mono>,
    pause: Option<Pause>,
    random: u64,
}

#[derive(Clone, Copy, Debug)]
struct Pause {
    until: Mono,
    /// How many pauses in a row.
    step: u32,
    /// Whether the one call that may follow a pause is under way.
    probing: bool,
}

/// What a call must bring back when it has been answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    probe: bool,
    taken: Mono,
}

/// When a call may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Free {
    /// Now.
    Now,
    /// Not before this instant.
    At(Mono),
    /// Not before the call under way has been answered.
    AfterProbe,
}

impl Limiter {
    /// A limiter for `per_minute` calls; `seed` makes the jitter of replicas differ.
    #[must_use]
    pub fn new(per_minute: u32, seed: u64) -> Self {
        let per_minute = per_minute.max(1);
        Self {
            per_minute: usize::try_from(per_minute).unwrap_or(usize::MAX),
            interval: Duration::from_mins(1) / per_minute,
            burst: BURST.min(per_minute),
            spaced_until: Mono::default(),
            recent: VecDeque::new(),
            pause: None,
            random: seed | 1,
        }
    }

    /// Allows `per_minute` calls from now on. What has been called counts as it did.
    pub fn set_limit(&mut self, per_minute: u32) {
        let per_minute = per_minute.max(1);
        self.per_minute = usize::try_from(per_minute).unwrap_or(usize::MAX);
        self.interval = Duration::from_mins(1) / per_minute;
        self.burst = BURST.min(per_minute);
    }

    /// When the next call may go.
    #[must_use]
    pub fn free(&self, now: Mono) -> Free {
        if self.pause.is_some_and(|pause| pause.probing) {
            return Free::AfterProbe;
        }
        let paused = self.pause.map_or(now, |pause| pause.until);
        let room = self.interval.saturating_mul(self.burst.saturating_sub(1));
        let smooth = Mono(self.spaced_until.0.saturating_sub(room));
        let budget = match self.recent.len().checked_sub(self.per_minute) {
            Some(index) => self.recent.get(index).map_or(now, |call| call.after(WINDOW)),
            None => now,
        };
        let at = paused.max(smooth).max(budget);
        if at <= now { Free::Now } else { Free::At(at) }
    }

    /// Counts a call that goes now.
    pub fn take(&mut self, now: Mono) -> Ticket {
        while self.recent.front().is_some_and(|call| call.after(WINDOW) <= now) {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
        self.spaced_until = self.spaced_until.max(now).after(self.interval);
        let probe = self.pause.is_some();
        if let Some(pause) = &mut self.pause {
            pause.probing = true;
        }
        Ticket { probe, taken: now }
    }

    /// A call left only at `left`: what had to be saved before it took long. It counts from then.
    pub fn left(&mut self, ticket: Ticket, left: Mono) {
        if left <= ticket.taken {
            return;
        }
        if let Ok(index) = self.recent.binary_search(&ticket.taken) {
            self.recent.remove(index);
        }
        let index = self.recent.partition_point(|call| *call <= left);
        self.recent.insert(index, left);
    }

    /// A call was answered with something else than 429, or not at all.
    pub fn answered(&mut self, ticket: Ticket, now: Mono) {
        if ticket.probe {
            self.pause = None;
            // What has gathered meanwhile follows evenly spaced, not in a burst.
            let spent = self.interval.saturating_mul(self.burst);
            self.spaced_until = self.spaced_until.max(now.after(spent));
        }
    }

    /// A call was answered with 429: the whole key pauses. The answers to calls that were under way
    /// when the pause began do not lengthen it, unless they say for how long.
    pub fn throttled(&mut self, ticket: Ticket, retry_after: Option<Duration>, now: Mono) {
        let asked = retry_after.map(|wait| now.after(wait.min(LONGEST_RETRY_AFTER) + RETRY_MARGIN));
        if let Some(pause) = self.pause.as_mut().filter(|_| !ticket.probe) {
            pause.until = pause.until.max(asked.unwrap_or_default());
            return;
        }
        let step = self.pause.map_or(0, |pause| pause.step.saturating_add(1));
        let backoff = FIRST_PAUSE.saturating_mul(1 << step.min(10)).min(LONGEST_PAUSE);
        let until = asked.unwrap_or_else(|| now.after(self.jittered(backoff)));
        self.pause = Some(Pause { until, step, probing: false });
    }

    /// Between three quarters of `pause` and all of it, so that replicas do not probe in step.
    fn jittered(&mut self, pause: Duration) -> Duration {
        // xorshift64: any spread will do here.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let part = u32::try_from(self.random % 256).unwrap_or(0);
        pause / 4 * 3 + pause / 4 * part / 256
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Mono {
        Mono(Duration::from_hours(1) + Duration::from_millis(millis))
    }

    /// Calls for as long as `until` milliseconds as often as the limiter lets, each answered at once.
    fn saturate(limiter: &mut Limiter, until: u64) -> Vec<Mono> {
        let mut calls = Vec::new();
        let mut now = at(0);
        while now < at(until) {
            match limiter.free(now) {
                Free::Now => {
                    let ticket = limiter.take(now);
                    limiter.answered(ticket, now);
                    calls.push(now);
                }
                Free::At(later) => now = later,
                Free::AfterProbe => panic!("every call has been answered"),
            }
        }
        calls
    }

    fn most_within(calls: &[Mono], window: Duration) -> usize {
        let within =
            |from: &Mono| calls.iter().filter(|c| **c >= *from && c.since(*from) < window).count();
        calls.iter().map(within).max().unwrap_or(0)
    }

    #[test]
    fn no_minute_is_above_the_budget_and_no_second_above_a_sixtieth_and_five() {
        for per_minute in [1, 7, 30, 60, 400, 1000] {
            let calls = saturate(&mut Limiter::new(per_minute, 1), 300_000);
            let budget = per_minute as usize;
            assert!(most_within(&calls, Duration::from_mins(1)) <= budget, "{per_minute}");
            assert!(most_within(&calls, Duration::from_secs(1)) <= budget / 60 + 5, "{per_minute}");
            assert!(calls.len() >= budget * 4, "{per_minute}: only {} calls in 5 min", calls.len());
        }
    }

    #[test]
    fn a_call_that_left_late_counts_from_when_it_left() {
        let mut limiter = Limiter::new(2, 1);
        let late = limiter.take(at(0));
        let punctual = limiter.take(at(1));
        limiter.answered(punctual, at(100));
        limiter.left(late, at(9_000));
        limiter.left(late, at(0));
        limiter.answered(late, at(9_100));
        assert_eq!(limiter.free(at(61_001)), Free::Now, "the punctual one is a minute old");
        limiter.take(at(61_001));
        assert_eq!(limiter.free(at(69_999)), Free::At(at(70_000)), "the late one is not");
    }

    #[test]
    fn retry_after_is_kept_and_then_one_probe_goes() {
        let mut limiter = Limiter::new(6000, 1);
        let early = limiter.take(at(0));
        let ticket = limiter.take(at(1));
        limiter.throttled(ticket, Some(Duration::from_secs(7)), at(10));
        assert_eq!(limiter.free(at(11)), Free::At(at(7_110)));
        limiter.answered(early, at(20));
        assert_eq!(limiter.free(at(21)), Free::At(at(7_110)), "an older call ends no pause");
        assert_eq!(limiter.free(at(7_110)), Free::Now);
        let probe = limiter.take(at(7_110));
        assert_eq!(limiter.free(at(7_111)), Free::AfterProbe);
        limiter.answered(probe, at(7_200));
        assert!(matches!(limiter.free(at(7_200)), Free::At(_)), "no burst after a pause");
        assert_eq!(limiter.free(at(7_250)), Free::Now);
    }

    #[test]
    fn pauses_without_retry_after_double_up_to_a_minute() {
        let mut limiter = Limiter::new(6000, 99);
        let mut now = at(0);
        let mut pauses = Vec::new();
        // A second call that was under way does not add a step.
        let stray = limiter.take(now);
        for _ in 0..9 {
            let ticket = limiter.take(now);
            limiter.throttled(ticket, None, now);
            limiter.throttled(stray, None, now);
            let Free::At(until) = limiter.free(now) else { panic!("not paused") };
            pauses.push(until.since(now).as_millis());
            now = until;
        }
        for (index, pause) in pauses.iter().enumerate() {
            let full = (1000 << index).min(60_000);
            assert!((full * 3 / 4..=full).contains(pause), "{pauses:?}");
        }
    }
}
