//! The search for due times against the oracle, which looks at every minute.
//!
//! `make oracle` asks it about all zones, 50 years and 40 kinds of expressions.

pub(crate) mod oracle;

use harness_exporter::schedule::timezones;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use proptest::sample::select;

use self::oracle::{Days, SHAPES, changes};

/// Where the clock is set in ways that differ: by half an hour, by two and three, at midnight, over
/// the date line, for a month of fasting, at short notice.
const ZONES: [&str; 30] = [
    "Africa/Cairo",
    "Africa/Casablanca",
    "America/Asuncion",
    "America/Havana",
    "America/Los_Angeles",
    "America/New_York",
    "America/Nuuk",
    "America/Santiago",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Antarctica/Casey",
    "Antarctica/Troll",
    "Asia/Amman",
    "Asia/Beirut",
    "Asia/Gaza",
    "Asia/Jerusalem",
    "Asia/Pyongyang",
    "Asia/Tehran",
    "Atlantic/Azores",
    "Australia/Lord_Howe",
    "Australia/Sydney",
    "Europe/Berlin",
    "Europe/Istanbul",
    "Europe/London",
    "Europe/Moscow",
    "Pacific/Apia",
    "Pacific/Auckland",
    "Pacific/Chatham",
    "Pacific/Easter",
    "Pacific/Fiji",
];

/// Expressions that between them follow every rule.
const FEW_SHAPES: [&str; 8] = [
    "*/15 0-5 * * *",
    "0-59/20 0-6 * * *",
    "*/30 1 * * *",
    "30 */2 * * *",
    "0 0 * * *",
    "30 1,2,23 * * *",
    "0 2 * * sun",
    "30 2 * 3,10 0L",
];

#[test]
fn faults_33_and_34_around_every_change_of_the_clock_the_oracle_agrees() {
    let mut compared = 0;
    for name in ZONES {
        let zone = TimeZone::get(name).unwrap();
        for change in changes(&zone, 2008, 2030) {
            let days = Days::around(&zone, change);
            for shape in FEW_SHAPES {
                compared += days.compare(shape, name).unwrap_or_else(|error| panic!("{error}"));
            }
        }
    }
    assert!(compared > 1_000_000, "{compared}");
}

/// An item of a field: a number, a range, every so many of them.
fn item(least: u8, greatest: u8) -> impl Strategy<Value = String> {
    let number = least..=greatest;
    prop_oneof![
        4 => number.clone().prop_map(|n| n.to_string()),
        2 => (number.clone(), number.clone())
            .prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
        1 => (number.clone(), number, 1..=greatest)
            .prop_map(|(a, b, step)| format!("{}-{}/{step}", a.min(b), a.max(b))),
    ]
}

fn field(least: u8, greatest: u8) -> impl Strategy<Value = String> {
    let items = prop::collection::vec(item(least, greatest), 1..4);
    prop_oneof![
        2 => Just("*".to_owned()),
        1 => (1..=greatest).prop_map(|step| format!("*/{step}")),
        5 => items.prop_map(|items| items.join(",")),
    ]
}

/// A field that is everything more often than not.
fn mostly_any(least: u8, greatest: u8) -> impl Strategy<Value = String> {
    prop_oneof![3 => Just("*".to_owned()), 1 => field(least, greatest)]
}

fn expression() -> impl Strategy<Value = String> {
    // Clocks are set at night.
    let hour = prop_oneof![field(0, 23), field(0, 4)];
    let fields = (field(0, 59), hour, mostly_any(1, 31), mostly_any(1, 12), mostly_any(0, 6));
    let any = fields.prop_map(|(a, b, c, d, e)| format!("{a} {b} {c} {d} {e}"));
    prop_oneof![3 => any, 1 => select(&SHAPES[..]).prop_map(str::to_owned)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..Default::default() })]

    /// Any expression, in any zone, around any of its changes or anywhere else.
    #[test]
    fn at_any_time_the_oracle_agrees(
        expression in expression(),
        name in select(timezones().collect::<Vec<_>>()),
        change in any::<prop::sample::Index>(),
        at_change in prop::bool::weighted(0.8),
        elsewhere in 631_152_000_i64..2_208_988_800,
    ) {
        let zone = TimeZone::get(&name).unwrap();
        // Elsewhere too between 1990 and 2040: before, clocks were off by seconds.
        let changes = changes(&zone, 1990, 2040);
        let around = if at_change && !changes.is_empty() {
            *change.get(&changes)
        } else {
            Timestamp::from_second(elsewhere).unwrap()
        };
        let agreed = Days::around(&zone, around).compare(&expression, &name);
        prop_assert!(agreed.is_ok(), "{}", agreed.unwrap_err());
    }
}
