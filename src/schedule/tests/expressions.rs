//! What an expression names, and what is said of one that is none.

use std::fmt::Write;
use std::time::Duration;

use super::cron;
use crate::model::{PipelineName, Wall};
use crate::schedule::{CronError, Schedule, timezones};

/// The first `count` due times from 2026-01-01T00:00 (a Thursday) on, in UTC.
fn first(expression: &str, count: usize) -> Vec<String> {
    let schedule = cron(expression, "UTC", Duration::ZERO);
    let due_times = schedule.due_times(&PipelineName::new("any"));
    let start = "2026-01-01T00:00:00Z".parse::<jiff::Timestamp>().unwrap();
    let first = due_times.next_after(Wall(start.as_millisecond() - 1));
    let all = std::iter::successors(first, |at| due_times.next_after(*at));
    all.take(count).map(|at| at.to_string().replace(":00Z", "")).collect()
}

#[test]
fn what_is_due() {
    for (expression, expected) in [
        ("* * * * *", "2026-01-01T00:00 2026-01-01T00:01"),
        ("*/25 * * * *", "2026-01-01T00:00 2026-01-01T00:25 2026-01-01T00:50 2026-01-01T01:00"),
        ("5-59/20 * * * *", "2026-01-01T00:05 2026-01-01T00:25 2026-01-01T00:45 2026-01-01T01:05"),
        ("59 23 31 12 *", "2026-12-31T23:59 2027-12-31T23:59"),
        ("0 0 29 2 *", "2028-02-29T00:00 2032-02-29T00:00"),
        ("30 2 * * mon-fri", "2026-01-01T02:30 2026-01-02T02:30 2026-01-05T02:30"),
        ("0 0 * * 7", "2026-01-04T00:00 2026-01-11T00:00"),
        ("0 0 * * fri-sun", "2026-01-02T00:00 2026-01-03T00:00 2026-01-04T00:00 2026-01-09T00:00"),
        ("0 0 31 * *", "2026-01-31T00:00 2026-03-31T00:00 2026-05-31T00:00"),
        ("0 12 1 JAN,jul *", "2026-01-01T12:00 2026-07-01T12:00 2027-01-01T12:00"),
        // Where both are given, a day of either kind.
        ("0 0 13 * fri", "2026-01-02T00:00 2026-01-09T00:00 2026-01-13T00:00 2026-01-16T00:00"),
        ("0 0 L * *", "2026-01-31T00:00 2026-02-28T00:00"),
        ("0 0 LW * *", "2026-01-30T00:00 2026-02-27T00:00"),
        ("0 0 15W * *", "2026-01-15T00:00 2026-02-16T00:00"),
        ("0 0 * * friL", "2026-01-30T00:00 2026-02-27T00:00"),
        ("0 0 * * 2#2", "2026-01-13T00:00 2026-02-10T00:00"),
        ("@hourly", "2026-01-01T00:00 2026-01-01T01:00"),
        ("@Daily", "2026-01-01T00:00 2026-01-02T00:00"),
        ("@midnight", "2026-01-01T00:00 2026-01-02T00:00"),
        ("@weekly", "2026-01-04T00:00 2026-01-11T00:00"),
        ("@monthly", "2026-01-01T00:00 2026-02-01T00:00"),
        ("@yearly", "2026-01-01T00:00 2027-01-01T00:00"),
        ("@annually", "2026-01-01T00:00 2027-01-01T00:00"),
    ] {
        let expected: Vec<&str> = expected.split(' ').collect();
        assert_eq!(first(expression, expected.len()), expected, "{expression}");
    }
}

fn error(expression: &str, timezone: &str) -> CronError {
    let error = Schedule::cron(expression, timezone, Duration::ZERO).err();
    error.unwrap_or_else(|| panic!("{expression} is taken"))
}

#[test]
fn what_is_no_expression_is_explained() {
    let mut told = String::new();
    for expression in [
        "",
        "0 2 * *",
        "0 0 2 * * *",
        "@reboot",
        "@dayly",
        "60 2 * * *",
        "0 24 * * *",
        "0 2 0 * *",
        "0 2 * 13 *",
        "0 2 * * 8",
        "5/15 * * * *",
        "/15 * * * *",
        "*/90 * * * *",
        "*/0 * * * *",
        "*/x * * * *",
        "0 22-6 * * *",
        "0 2 * * fri-mon",
        "0 2 * * MON-FRI-SUN",
        "0,,30 2 * * *",
        "0 2 * * L",
        "0 mon * * *",
        "0 2 * montue *",
        "0 2 * 1jan *",
        "0 2 ? * *",
        "0 2 1 * +1",
        "0 2 32W * *",
        "0 2 * * 5#6",
        "H 2 * * *",
        "1.5 2 * * *",
        "\n\u{1b}[31m 2 * * *",
        "TZ=UTC 0 2 * * *",
    ] {
        let _ = writeln!(told, "{expression:?}: {}", error(expression, "UTC"));
    }
    let _ = writeln!(told, "{}", error("0 2 * * *", "Europe/Berlim"));
    insta::assert_snapshot!(told, @r#"
    "": found 0 fields, want five: minute, hour, day of month, month, day of week, such as `30 2 * * mon-fri` (or @hourly, @daily, @weekly, @monthly, @yearly)
    "0 2 * *": found 4 fields, want five: minute, hour, day of month, month, day of week, such as `30 2 * * mon-fri` (or @hourly, @daily, @weekly, @monthly, @yearly)
    "0 0 2 * * *": found 6 fields, want five: minute, hour, day of month, month, day of week, such as `30 2 * * mon-fri` (or @hourly, @daily, @weekly, @monthly, @yearly)
    "@reboot": found `@reboot`, want a time such as `30 2 * * *` or @daily: a restart triggers nothing
    "@dayly": found `@dayly`, want one of @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually
    "60 2 * * *": minute: found `60`, want 0 to 59
    "0 24 * * *": hour: found `24`, want 0 to 23
    "0 2 0 * *": day of month: found `0`, want 1 to 31, L for the last day or 15W for the weekday nearest to the 15th
    "0 2 * 13 *": month: found `13`, want 1 to 12 or jan to dec
    "0 2 * * 8": day of week: found `8`, want 0 to 7 (0 and 7 are Sunday), sun to sat, fri#2 for the second Friday or friL for the last
    "5/15 * * * *": minute: found `5/15`, want 5-59/15
    "/15 * * * *": minute: found `/15`, want */15 or 0-59/15
    "*/90 * * * *": minute: found `*/90`, want a step from 1 to 59 after the /
    "*/0 * * * *": minute: found `*/0`, want a step from 1 to 59 after the /
    "*/x * * * *": minute: found `*/x`, want a step from 1 to 59 after the /
    "0 22-6 * * *": hour: found `22-6`, want 22-23,0-6
    "0 2 * * fri-mon": day of week: found `fri-mon`, want fri-sat,sun-mon
    "0 2 * * MON-FRI-SUN": day of week: found `MON-FRI-SUN`, want 0 to 7 (0 and 7 are Sunday), sun to sat, fri#2 for the second Friday or friL for the last
    "0,,30 2 * * *": minute: found ``, want 0 to 59
    "0 2 * * L": day of week: found `L`, want 0 to 7 (0 and 7 are Sunday), sun to sat, fri#2 for the second Friday or friL for the last
    "0 mon * * *": hour: found `mon`, want 0 to 23
    "0 2 * montue *": month: found `montue`, want 1 to 12 or jan to dec
    "0 2 * 1jan *": month: found `1jan`, want 1 to 12 or jan to dec
    "0 2 ? * *": day of month: found `?`, want 1 to 31, L for the last day or 15W for the weekday nearest to the 15th
    "0 2 1 * +1": day of week: found `+1`, want 0 to 7 (0 and 7 are Sunday), sun to sat, fri#2 for the second Friday or friL for the last
    "0 2 32W * *": day of month: found `32W`, want 1 to 31, L for the last day or 15W for the weekday nearest to the 15th
    "0 2 * * 5#6": day of week: found `5#6`, want 0 to 7 (0 and 7 are Sunday), sun to sat, fri#2 for the second Friday or friL for the last
    "H 2 * * *": minute: found `H`, want 0 to 59
    "1.5 2 * * *": minute: found `1.5`, want 0 to 59
    "\n\u{1b}[31m 2 * * *": minute: found `\u{1b}[31m`, want 0 to 59
    "TZ=UTC 0 2 * * *": found 6 fields, want five: minute, hour, day of month, month, day of week, such as `30 2 * * mon-fri` (or @hourly, @daily, @weekly, @monthly, @yearly)
    found `Europe/Berlim`, want an IANA time zone such as UTC or Europe/Berlin
    "#);
}

#[test]
fn zones_are_found_by_any_case_and_told_by_their_name() {
    for (written, name) in
        [("europe/berlin", "Europe/Berlin"), ("utc", "UTC"), ("EST5EDT", "EST5EDT")]
    {
        assert_eq!(cron("@daily", written, Duration::ZERO).timezone(), name);
    }
    for unknown in
        ["", " ", "Berlin", "+02:00", "Etc/Unknown", "CET-1CEST,M3.5.0,M10.5.0/3", "../x"]
    {
        assert_eq!(error("@daily", unknown), CronError::Timezone(unknown.to_owned()));
    }
    let names: Vec<String> = timezones().collect();
    assert!(names.len() > 500 && names.iter().any(|name| name == "Europe/Berlin"));
}
