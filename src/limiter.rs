//! How many calls an account's key may make, and when the next one may go.
//!
//! Harness allows 400 calls a minute and key and answers the rest with 429, without saying for how
//! long. Being throttled costs more than waiting, so we stay below a limit of our own: smooth (a
//! small burst, then evenly spaced), and never more than the budget in any 60 s. The limiter knows
//! nothing of what the calls are for; who goes first is the engine's to say.
//!
//! Burst and spacing together are the budget of a minute: whatever a minute is made of, it holds no
//! more calls than a whole burst and what the spacing lets through. So nothing need be remembered of
//! single calls, and nothing be saved: a process that takes up from another begins without a burst,
//! as if the other had spent it just now, and over both no minute holds more than the budget. It does
//! not know either whether the key is paused, so its first call goes alone, as after a pause.

use std::time::Duration;

use crate::model::Mono;

/// Calls that may go at once after a quiet time. Two below what the contract allows in any one
/// second, because calls let go over more than a second may arrive within one. Where less than a call
/// a second may go there is no burst: it would be missing for long.
const BURST: u32 = 3;

/// A further one for so many calls a minute: what the spacing leaves of a sixtieth of the budget in a
/// second. Where thousands may go in a second, it makes up for a clock that wakes us every
/// millisecond.
const FURTHER: u32 = 4_000;

/// Within which time no more calls than the budget go: a minute, and a second for calls that arrive
/// late.
const WINDOW: Duration = Duration::from_secs(61);

/// The first pause after a 429 that does not say how long, and the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// How long the one call after a pause is waited for: a 429 comes fast, and a call that hangs must
/// not hold up the key.
const PROBE_PATIENCE: Duration = Duration::from_secs(5);

/// A call that leaves later than this is no longer one of the minute in which it was let go.
const LATE: Duration = Duration::from_millis(500);

/// The longest `Retry-After` that is believed: a word of a proxy's must not stop us for a day.
const LONGEST_RETRY_AFTER: Duration = Duration::from_hours(1);

/// Added to `Retry-After`, so that a call arrives after it and not on it.
const RETRY_MARGIN: Duration = Duration::from_millis(100);

/// The limiter of one account.
#[derive(Clone, Debug)]
pub struct Limiter {
    interval: Duration,
    burst: u32,
    /// When the calls so far would be due if they had been evenly spaced.
    spaced_until: Mono,
    pause: Option<Pause>,
    random: u64,
}

#[derive(Clone, Copy, Debug)]
struct Pause {
    until: Mono,
    /// How many pauses in a row.
    step: u32,
    /// Since when the one call that may follow a pause is under way, if it is.
    probing: Option<Mono>,
}

/// What a call must bring back when it has been answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    taken: Mono,
}

impl Pause {
    /// Whether a call can tell if the pause is over: one that went before can't.
    fn is_probed_by(&self, ticket: Ticket) -> bool {
        ticket.taken >= self.until
    }
}

impl Limiter {
    /// A limiter for `per_minute` calls; `seed` makes the jitter of replicas differ.
    #[must_use]
    pub fn new(per_minute: u32, seed: u64) -> Self {
        let per_minute = per_minute.max(1);
        let burst = if per_minute < 60 { 1 } else { BURST + per_minute / FURTHER };
        Self {
            // A burst, and then one call an interval: that is the budget within the window.
            interval: WINDOW / (per_minute - burst + 1),
            burst,
            spaced_until: Mono::default(),
            pause: None,
            random: seed | 1,
        }
    }

    /// Allows `per_minute` calls from now on. What has been called counts as it did.
    pub fn set_limit(&mut self, per_minute: u32) {
        let fresh = Self::new(per_minute, self.random);
        (self.interval, self.burst) = (fresh.interval, fresh.burst);
    }

    /// Another process has used the key until now: it may have spent the burst, and been told to
    /// pause.
    pub fn take_over(&mut self, now: Mono) {
        self.spaced_until = now.after(self.interval.saturating_mul(self.burst));
        self.pause = Some(Pause { until: now, step: 0, probing: None });
    }

    /// When the next call may go: `now`, or later.
    #[must_use]
    pub fn free_at(&self, now: Mono) -> Mono {
        let paused = match self.pause {
            Some(Pause { until, probing: Some(since), .. }) => {
                until.max(since.after(PROBE_PATIENCE))
            }
            Some(pause) => pause.until,
            None => now,
        };
        let room = self.interval.saturating_mul(self.burst.saturating_sub(1));
        let smooth = Mono(self.spaced_until.0.saturating_sub(room));
        paused.max(smooth).max(now)
    }

    /// When a call may go that nobody waits for: the whole burst is there for what may come, and an
    /// interval has passed in which nobody wanted anything.
    #[must_use]
    pub fn spare_at(&self, now: Mono) -> Mono {
        self.free_at(now).max(self.spaced_until.after(self.interval))
    }

    /// How far apart calls go where they are as many as may be.
    #[must_use]
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// Counts a call that goes now.
    pub fn take(&mut self, now: Mono) -> Ticket {
        self.spaced_until = self.spaced_until.max(now).after(self.interval);
        if let Some(pause) = &mut self.pause {
            pause.probing = Some(now);
        }
        Ticket { taken: now }
    }

    /// A call left only at `left`: what had to be saved before it took long. It counts from then, and
    /// what it has left room for since it was taken is no longer there.
    pub fn left(&mut self, ticket: Ticket, left: Mono) {
        if left > ticket.taken.after(LATE) {
            let late = left.since(ticket.taken).min(self.interval);
            self.spaced_until = self.spaced_until.max(left).after(late);
        }
    }

    /// A call was answered with something else than 429, or not at all.
    pub fn answered(&mut self, ticket: Ticket, now: Mono) {
        if self.pause.is_some_and(|pause| pause.is_probed_by(ticket)) {
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
        if let Some(pause) = self.pause.as_mut().filter(|pause| !pause.is_probed_by(ticket)) {
            pause.until = pause.until.max(asked.unwrap_or_default());
            return;
        }
        let step = self.pause.map_or(0, |pause| pause.step.saturating_add(1));
        let backoff = FIRST_PAUSE.saturating_mul(1 << step.min(10)).min(LONGEST_PAUSE);
        let until = asked.unwrap_or_else(|| now.after(self.jittered(backoff)));
        self.pause = Some(Pause { until, step, probing: None });
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
    use std::ops::Range;

    use super::*;

    fn at(millis: u64) -> Mono {
        Mono(Duration::from_hours(1) + Duration::from_millis(millis))
    }

    /// Calls within a span of milliseconds as often as the limiter lets, each answered at once.
    fn saturate(limiter: &mut Limiter, within: Range<u64>) -> Vec<Mono> {
        let mut calls = Vec::new();
        let mut now = at(within.start);
        while now < at(within.end) {
            let free_at = limiter.free_at(now);
            if free_at == now {
                let ticket = limiter.take(now);
                limiter.answered(ticket, now);
                calls.push(now);
            }
            now = free_at;
        }
        calls
    }

    fn most_within(calls: &[Mono], window: Duration) -> usize {
        let within = |first: usize| {
            let later = &calls[first..];
            later.partition_point(|call| call.since(later[0]) < window)
        };
        (0..calls.len()).map(within).max().unwrap_or(0)
    }

    #[test]
    fn no_minute_is_above_the_budget_and_no_second_above_a_sixtieth_and_five() {
        for per_minute in [1, 7, 30, 60, 400, 1000, 8000] {
            let calls = saturate(&mut Limiter::new(per_minute, 1), 0..300_000);
            let budget = per_minute as usize;
            assert!(most_within(&calls, Duration::from_mins(1)) <= budget, "{per_minute}");
            assert!(most_within(&calls, Duration::from_secs(1)) <= budget / 60 + 5, "{per_minute}");
            assert!(
                calls.len() * 10 >= budget * 45,
                "{per_minute}: only {} calls in 5 min",
                calls.len()
            );
        }
    }

    /// As the driver does, which is not woken more often.
    #[test]
    fn whoever_asks_every_millisecond_gets_what_may_go() {
        let mut limiter = Limiter::new(600_000, 1);
        let mut calls = 0;
        for millisecond in 0..1_000 {
            while limiter.free_at(at(millisecond)) == at(millisecond) {
                limiter.take(at(millisecond));
                calls += 1;
            }
        }
        assert!((9_800..=10_005).contains(&calls), "{calls} calls in a second");
    }

    #[test]
    fn over_a_restart_no_minute_is_above_the_budget() {
        for per_minute in [1, 7, 60, 300] {
            for ended_after in [0, 999, 20_000, 59_000] {
                let mut calls = saturate(&mut Limiter::new(per_minute, 1), 0..ended_after);
                // Three lives in a row, none of which knows what the one before has spent.
                for begins in [ended_after, ended_after + 1, ended_after + 7_000] {
                    let mut next = Limiter::new(per_minute, 1);
                    next.take_over(at(begins));
                    calls.retain(|call| *call < at(begins));
                    calls.extend(saturate(&mut next, begins..begins + 200_000));
                }
                let budget = per_minute as usize;
                let most = most_within(&calls, Duration::from_mins(1));
                assert!(most <= budget, "{most} of {per_minute}, restarted at {ended_after}");
                assert!(most * 10 >= budget * 9, "{most} of {per_minute}");
            }
        }
    }

    #[test]
    fn after_a_restart_the_first_call_goes_alone_and_finds_a_pause_again() {
        let mut limiter = Limiter::new(6000, 1);
        limiter.take_over(at(0));
        let first = limiter.free_at(at(0));
        assert!(first > at(0), "a burst");
        assert!(first <= at(20), "it reads again at once");
        let probe = limiter.take(first);
        assert_eq!(limiter.free_at(at(1_000)), first.after(PROBE_PATIENCE));
        limiter.throttled(probe, None, at(1_000));
        let until = limiter.free_at(at(1_000));
        assert!(until > at(1_000), "not paused");
        assert!(until >= at(1_750), "the pause goes on");
    }

    #[test]
    fn a_call_that_left_late_counts_from_when_it_left() {
        let mut limiter = Limiter::new(1, 1);
        let late = limiter.take(at(0));
        limiter.left(late, at(400));
        assert_eq!(limiter.free_at(at(401)), at(61_000));
        limiter.left(late, at(9_000));
        assert_eq!(limiter.free_at(at(9_100)), at(70_000), "a minute after it left");

        let mut limiter = Limiter::new(60, 1);
        let late = [limiter.take(at(0)), limiter.take(at(0)), limiter.take(at(0))];
        for ticket in late {
            limiter.left(ticket, at(9_000));
        }
        assert!(limiter.free_at(at(9_000)) > at(9_000), "three have gone just now");
    }

    #[test]
    fn retry_after_is_kept_and_then_one_probe_goes() {
        let mut limiter = Limiter::new(6000, 1);
        let early = limiter.take(at(0));
        let ticket = limiter.take(at(1));
        limiter.throttled(ticket, Some(Duration::from_secs(7)), at(10));
        assert_eq!(limiter.free_at(at(11)), at(7_110));
        limiter.answered(early, at(20));
        assert_eq!(limiter.free_at(at(21)), at(7_110), "an older call ends no pause");
        assert_eq!(limiter.free_at(at(7_110)), at(7_110));
        let probe = limiter.take(at(7_110));
        assert_eq!(limiter.free_at(at(7_111)), at(7_110).after(PROBE_PATIENCE));
        limiter.answered(probe, at(7_200));
        assert!(limiter.free_at(at(7_200)) > at(7_200), "no burst after a pause");
        assert_eq!(limiter.free_at(at(7_250)), at(7_250));
    }

    #[test]
    fn the_answer_to_an_older_pauses_probe_ends_no_later_one() {
        let mut limiter = Limiter::new(6000, 1);
        let first = limiter.take(at(0));
        limiter.throttled(first, Some(Duration::from_secs(1)), at(10));
        let hanging = limiter.take(at(1_110));
        let next = limiter.take(at(7_000));
        limiter.throttled(next, Some(Duration::from_secs(7)), at(7_010));
        limiter.answered(hanging, at(9_000));
        assert_eq!(limiter.free_at(at(9_000)), at(14_110));
    }

    #[test]
    fn what_is_asked_for_while_a_probe_is_under_way_is_kept() {
        let mut limiter = Limiter::new(6000, 1);
        let (first, slow) = (limiter.take(at(0)), limiter.take(at(1)));
        limiter.throttled(first, Some(Duration::from_secs(1)), at(10));
        limiter.take(at(1_110));
        limiter.throttled(slow, Some(Duration::from_secs(30)), at(1_200));
        assert_eq!(limiter.free_at(at(1_300)), at(31_300));
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
            let until = limiter.free_at(now);
            assert!(until > now, "not paused");
            pauses.push(until.since(now).as_millis());
            now = until;
        }
        for (index, pause) in pauses.iter().enumerate() {
            let full = (1000 << index).min(60_000);
            assert!((full * 3 / 4..=full).contains(pause), "{pauses:?}");
        }
    }
}
