//! What the rules for clocks that are put forward or back mean, case by case.

use std::time::Duration;

use jiff::tz::TimeZone;

use super::cron;
use crate::model::{PipelineName, Wall};

/// The due times of an expression from one civil time of its zone to another, in that zone.
fn due(expression: &str, timezone: &str, from: &str, until: &str) -> String {
    let zone = TimeZone::get(timezone).unwrap();
    let instant = |text: &str| {
        let local: jiff::civil::DateTime = text.parse().unwrap();
        Wall(zone.to_timestamp(local).unwrap().as_millisecond())
    };
    let schedule = cron(expression, timezone, Duration::ZERO);
    let due_times = schedule.due_times(&PipelineName::new("any"));
    let (until, mut at) = (instant(until), instant(from));
    let counted = due_times.count_between(at, until);
    let mut found = Vec::new();
    while let Some(next) = due_times.next_after(at).filter(|next| *next <= until) {
        assert_eq!(due_times.last_at_or_before(next), Some(next));
        assert_eq!(due_times.last_at_or_before(Wall(next.0 - 1)).filter(|last| *last > at), None);
        let instant = jiff::Timestamp::from_millisecond(next.0).unwrap();
        let local = zone.to_datetime(instant).strftime("%-d %H:%M");
        found.push(format!("{local}{}", zone.to_offset(instant)));
        at = next;
    }
    assert_eq!(counted, found.len() as u64);
    found.join(", ")
}

/// Expression, zone, from, until, and what is due: the day, the time and the offset of each.
type Case = (&'static str, &'static str, &'static str, &'static str, &'static str);

fn hold(cases: &[Case]) {
    for (expression, timezone, from, until, expected) in cases {
        assert_eq!(due(expression, timezone, from, until), *expected, "{expression} {timezone}");
    }
}

/// In London 01:00 to 02:00 did not exist on 29 March 2026.
#[test]
fn fault_33_times_that_do_not_exist_come_about_once_after_the_gap() {
    const LONDON: &str = "Europe/London";
    let day = |expression, expected| {
        (expression, LONDON, "2026-03-28T23:59", "2026-03-29T23:58", expected)
    };
    hold(&[
        day("30 1 * * *", "29 02:00+01"),
        day("30 1,13 * * *", "29 02:00+01, 29 13:30+01"),
        // Several at one instant are one, and so is one that is due there anyway.
        day("0,15,30 1 * * *", "29 02:00+01"),
        day("0 1,2 * * *", "29 02:00+01"),
        day("30 0,1,2 * * *", "29 00:30+00, 29 02:00+01, 29 02:30+01"),
        day("0,30 1,2 * * *", "29 02:00+01, 29 02:30+01"),
        // Begins after the gap, or before it.
        day("0 2 * * *", "29 02:00+01"),
        day("59 0 * * *", "29 00:59+00"),
        day("59 1 * * *", "29 02:00+01"),
        // These follow the time that elapses.
        day("*/30 1 * * *", ""),
        day("30 */6 * * *", "29 00:30+00, 29 06:30+01, 29 12:30+01, 29 18:30+01"),
        day("*/40 0-2 * * *", "29 00:00+00, 29 00:40+00, 29 02:00+01, 29 02:40+01"),
        // Only the days that are meant.
        day("30 1 * * mon", ""),
        day("30 1 29 3 *", "29 02:00+01"),
    ]);
}

#[test]
fn fault_33_wherever_the_clock_is_put_forward() {
    hold(&[
        // Half an hour is enough.
        (
            "15 2 * * *",
            "Australia/Lord_Howe",
            "2026-10-03T03:00",
            "2026-10-05T03:00",
            "4 02:30+11, 5 02:15+11",
        ),
        // A midnight that is missing.
        (
            "@daily",
            "Africa/Cairo",
            "2026-04-23T12:00",
            "2026-04-25T12:00",
            "24 01:00+03, 25 00:00+03",
        ),
        (
            "30 0 * * *",
            "Asia/Beirut",
            "2026-03-28T12:00",
            "2026-03-30T12:00",
            "29 01:00+03, 30 00:30+03",
        ),
        (
            "30 2 * * *",
            "America/New_York",
            "2026-03-07T12:00",
            "2026-03-09T12:00",
            "8 03:00-04, 9 02:30-04",
        ),
        // Samoa went over to the other side of the date line: 30 December was no day there.
        (
            "0 9 * * *",
            "Pacific/Apia",
            "2011-12-28T12:00",
            "2012-01-01T12:00",
            "29 09:00-10, 31 09:00+14, 1 09:00+14",
        ),
        // A gap of three hours is made up for; this one is as long.
        ("30 3 * * *", "Antarctica/Casey", "2009-10-17T12:00", "2009-10-18T23:59", "18 05:00+11"),
    ]);
}

/// In London 01:00 to 02:00 existed twice on 25 October 2026.
#[test]
fn fault_34_times_that_exist_twice_come_about_the_first_time() {
    let day = |expression, expected| {
        (expression, "Europe/London", "2026-10-24T23:59", "2026-10-25T23:58", expected)
    };
    hold(&[
        day("30 1 * * *", "25 01:30+01"),
        day("0,30 1 * * *", "25 01:00+01, 25 01:30+01"),
        day("0 1,2 * * *", "25 01:00+01, 25 02:00+00"),
        day("0,30 1,2 * * *", "25 01:00+01, 25 01:30+01, 25 02:00+00, 25 02:30+00"),
        day("59 0,1 * * *", "25 00:59+01, 25 01:59+01"),
        // These follow the time that elapses.
        day("*/30 1 * * *", "25 01:00+01, 25 01:30+01, 25 01:00+00, 25 01:30+00"),
        day("0 */1 * * sun", ALL_HOURS),
        day("30 1 * * mon", ""),
    ]);
    hold(&[
        (
            "45 1 * * *",
            "Australia/Lord_Howe",
            "2026-04-04T12:00",
            "2026-04-06T12:00",
            "5 01:45+11, 6 01:45+10:30",
        ),
        // Midnight is where the clock goes back, to the last hour of the day before.
        (
            "@daily",
            "Asia/Beirut",
            "2026-10-23T12:00",
            "2026-10-26T12:00",
            "24 00:00+03, 25 00:00+02, 26 00:00+02",
        ),
        (
            "30 23 * * *",
            "Asia/Beirut",
            "2026-10-24T12:00",
            "2026-10-25T23:58",
            "24 23:30+03, 25 23:30+02",
        ),
    ]);
}

const ALL_HOURS: &str = "25 00:00+01, 25 01:00+01, 25 01:00+00, 25 02:00+00, 25 03:00+00, 25 04:00+00, 25 05:00+00, \
    25 06:00+00, 25 07:00+00, 25 08:00+00, 25 09:00+00, 25 10:00+00, 25 11:00+00, \
    25 12:00+00, 25 13:00+00, 25 14:00+00, 25 15:00+00, 25 16:00+00, 25 17:00+00, \
    25 18:00+00, 25 19:00+00, 25 20:00+00, 25 21:00+00, 25 22:00+00, 25 23:00+00";

#[test]
fn the_ends_of_the_clock_are_survived() {
    for timezone in ["UTC", "Europe/Berlin", "Pacific/Apia", "Pacific/Kiritimati"] {
        for expression in ["* * * * *", "0 2 * * *", "0 0 29 2 *"] {
            let due_times = cron(expression, timezone, Duration::ZERO);
            let due_times = due_times.due_times(&PipelineName::new("any"));
            for end in [i64::MIN, i64::MIN + 1, -377_705_116_800_000, 253_402_300_799_999, i64::MAX]
            {
                for at in [end.saturating_sub(86_400_000), end, end.saturating_add(86_400_000)] {
                    let at = Wall(at);
                    assert!(due_times.next_after(at).is_none_or(|next| next > at));
                    assert!(due_times.last_at_or_before(at).is_none_or(|last| last <= at));
                }
            }
            assert_eq!(due_times.count_between(Wall(i64::MAX), Wall(i64::MIN)), 0);
        }
    }
    let all = cron("0 2 * * *", "UTC", Duration::ZERO).due_times(&PipelineName::new("any"));
    let days = all.count_between(Wall(250_000_000_000_000), Wall(i64::MAX));
    assert!((39_370..39_380).contains(&days), "{days}");
}

/// Where a zone changes its clock and its rules at once, and between its usual changes.
#[test]
fn faults_33_and_34_changes_out_of_turn() {
    hold(&[
        // To the time of the neighbours, an hour after the usual change.
        (
            "30 1,2,3 * * *",
            "America/Indiana/Winamac",
            "2007-03-11T00:00",
            "2007-03-11T23:00",
            "11 01:30-06, 11 04:00-04",
        ),
        // Back at midnight and in January.
        (
            "30 23 * * *",
            "America/Ciudad_Juarez",
            "2022-11-29T00:00",
            "2022-11-30T12:00",
            "29 23:30-06",
        ),
        ("30 1 * * *", "America/Metlakatla", "2019-01-19T12:00", "2019-01-20T12:00", "20 01:30-08"),
    ]);
}
