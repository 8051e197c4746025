//! Whether what the pipelines of an account start fits into its limits.
//!
//! Reckoned on two days that have all that schedules tell apart: a Sunday that is the first of a
//! month, and the Monday after it. So nothing depends on when the config is read.

use std::collections::BTreeMap;
use std::time::Duration;

use super::duration::Span;
use super::place::Place;
use super::problem::Report;
use super::{Account, Pipeline};
use crate::model::Wall;

/// Just before Sunday, 2026-02-01T00:00:00Z, and before the Monday: midnight is due on its own day.
const DAYS: [Wall; 2] = [Wall(1_769_903_999_999), Wall(1_769_990_399_999)];

const DAY: Duration = Duration::from_hours(24);
const MINUTES_A_DAY: u64 = 24 * 60;

/// The webhook, the look that says it has started and the look that says it has ended.
const CALLS_A_RUN: u64 = 3;

/// More due times of one pipeline than this are not gone through one by one.
const MOST_INSTANTS: u64 = 2 * MINUTES_A_DAY;

/// Warns at `place`, that of the `account`, of what is too much for it.
pub(super) fn check(account: &Account, place: &Place, pipelines: &[Pipeline], report: &mut Report) {
    let own = || pipelines.iter().filter(|p| p.account == account.name && !p.paused);
    let on = |day: Wall| own().map(|p| due_within(p, day)).fold(0, u64::saturating_add);
    let runs = DAYS.map(on).into_iter().max().unwrap_or(0);
    let a_minute = |count: u64| count.div_ceil(MINUTES_A_DAY);
    let calls = a_minute(runs.saturating_mul(CALLS_A_RUN));
    if calls > u64::from(account.requests_per_minute) {
        let message = format!(
            "its pipelines start up to {} runs a day, which takes {calls} calls a minute at \
             {CALLS_A_RUN} a run (webhook, start and end), more than requests_per_minute: {}",
            grouped(runs),
            account.requests_per_minute
        );
        report.warn(&place.key("requests_per_minute"), message);
    }
    if a_minute(runs) > u64::from(account.triggers_per_minute) {
        let message = format!(
            "its pipelines start up to {} runs a day, {} a minute, more than \
             triggers_per_minute: {}",
            grouped(runs),
            a_minute(runs),
            account.triggers_per_minute
        );
        report.warn(&place.key("triggers_per_minute"), message);
    } else if let Some((count, within, at)) = crowd(own(), account) {
        let fit = fitting(account, within);
        let message = format!(
            "{} of its pipelines are due at once, as at {at}, and within their start_deadline of {} \
             only {} can start at triggers_per_minute: {}; a jitter or a longer start_deadline \
             would do",
            grouped(count),
            Span(within),
            grouped(fit),
            account.triggers_per_minute
        );
        report.warn(&place.key("triggers_per_minute"), message);
    }
}

fn due_within(pipeline: &Pipeline, day: Wall) -> u64 {
    let schedule = pipeline.schedule.as_ref();
    schedule.map_or(0, |s| s.due_times(&pipeline.name).count_between(day, day.after(DAY)))
}

/// How many can be sent within `deadline`.
fn fitting(account: &Account, deadline: Duration) -> u64 {
    let minutes = deadline.as_secs().div_ceil(60).max(1);
    minutes.saturating_mul(u64::from(account.triggers_per_minute))
}

/// The most that are due at one instant, where they cannot all start: how many, the longest of
/// their deadlines, and when.
fn crowd<'a>(
    pipelines: impl Iterator<Item = &'a Pipeline>,
    account: &Account,
) -> Option<(u64, Duration, Wall)> {
    let pipelines: Vec<_> = pipelines.collect();
    let shortest = pipelines.iter().map(|pipeline| pipeline.start_deadline).min()?;
    if pipelines.len() as u64 <= fitting(account, shortest) {
        return None;
    }
    let mut instants: BTreeMap<Wall, (u64, Duration)> = BTreeMap::new();
    for pipeline in pipelines {
        let Some(schedule) = &pipeline.schedule else { continue };
        let due = schedule.due_times(&pipeline.name);
        for day in DAYS {
            if due.count_between(day, day.after(DAY)) > MOST_INSTANTS {
                continue;
            }
            let mut at = day;
            while let Some(next) = due.next_after(at).filter(|next| *next <= day.after(DAY)) {
                at = next;
                let (count, longest) =
                    instants.entry(next.after(due.delay())).or_insert((0, Duration::ZERO));
                *count += 1;
                *longest = (*longest).max(pipeline.start_deadline);
            }
        }
    }
    let crowds = instants.into_iter().map(|(at, (count, within))| (count, within, at));
    let too_many = crowds.filter(|(count, within, _)| *count > fitting(account, *within));
    too_many.max_by_key(|(count, _, at)| (*count, std::cmp::Reverse(*at)))
}

/// `2880` as `2,880`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped_by_three() {
        for (number, text) in
            [(0, "0"), (999, "999"), (2880, "2,880"), (10_000, "10,000"), (1_234_567, "1,234,567")]
        {
            assert_eq!(grouped(number), text);
        }
    }
}
