mod clock_changes;
mod expressions;

use super::*;
use crate::model::Wall;

fn due_times(seconds: u64, align: Align, name: &str) -> DueTimes {
    let every = Duration::from_secs(seconds);
    Schedule::every(every, align, "").due_times(&PipelineName::new(name))
}

#[test]
fn epoch_due_times_are_multiples_of_the_interval() {
    let due = due_times(900, Align::Epoch, "any");
    let noon = Wall(1_764_072_000_000);
    assert_eq!(due.last_at_or_before(noon), Some(noon));
    assert_eq!(due.next_after(noon), Some(Wall(noon.0 + 900_000)));
    assert_eq!(due.next_after(Wall(noon.0 - 1)), Some(noon));
}

#[test]
fn spread_is_the_same_every_time_and_differs_by_name() {
    let at = Wall(1_764_072_000_000);
    let one = due_times(900, Align::Spread, "checkout").next_after(at);
    assert_eq!(one, due_times(900, Align::Spread, "checkout").next_after(at));
    assert_ne!(one, due_times(900, Align::Spread, "checkouu").next_after(at));
    // The phase is public: replicas of different versions must agree.
    assert_eq!(fnv1a(b"checkout"), 917_671_893_122_870_901);
}

#[test]
fn counting_is_exact() {
    let due = due_times(60, Align::Spread, "x");
    let from = Wall(1_764_072_000_123);
    for minutes in 0..5 {
        let until = Wall(from.0 + minutes * 60_000);
        assert_eq!(due.count_between(from, until), minutes.unsigned_abs());
    }
    let first = due.next_after(from).unwrap();
    assert_eq!(due.count_between(from, first), 1);
    assert_eq!(due.count_between(first, first), 0);
    assert_eq!(due.count_between(first, from), 0);
}

#[test]
fn the_stored_form_reads_back() {
    for align in [Align::Spread, Align::Epoch] {
        let schedule = Schedule::every(Duration::from_mins(90), align, "90m");
        assert_eq!(schedule.to_string().parse(), Ok(schedule));
    }
    let jitter = Duration::from_mins(5);
    for expression in ["0 2 * * *", "@daily", "*/15 8-18 * * mon-fri"] {
        let schedule = cron(expression, "Europe/Berlin", jitter);
        let stored = schedule.to_string();
        assert_eq!(stored, format!("cron 300000ms Europe/Berlin {expression}"));
        let read: Schedule = stored.parse().unwrap();
        assert_eq!((read.text(), read.timezone()), (expression, "Europe/Berlin"));
        assert_eq!(read, schedule);
    }
    for text in ["", "every x", "every 1ms often", "cron 0ms UTC", "cron 0ms Nowhere 0 2 * * *"] {
        assert_eq!(text.parse::<Schedule>(), Err(NotASchedule), "{text:?}");
    }
}

fn cron(expression: &str, timezone: &str, jitter: Duration) -> Schedule {
    Schedule::cron(expression, timezone, jitter).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn an_edit_is_noticed_and_another_spelling_is_none() {
    let ten = Duration::from_secs(10);
    let schedule = cron("0 2 * * sun", "Europe/Berlin", ten);
    for same in ["0 2 * * 0", "0  2 * * 7", "00 02 * JAN-DEC SUN", "0 2 * * 0,7"] {
        assert_eq!(cron(same, "europe/berlin", ten), schedule, "{same}");
    }
    for other in [
        cron("0 2 * * mon", "Europe/Berlin", ten),
        cron("0 2 * * sun", "Europe/Paris", ten),
        cron("0 2 * * sun", "Europe/Berlin", Duration::ZERO),
        // Another answer to what the clock going back means.
        cron("0 */22 * * sun", "Europe/Berlin", ten),
        Schedule::every(Duration::from_hours(168), Align::Epoch, "1w"),
    ] {
        assert_ne!(other, schedule, "{other}");
    }
    let every = |minutes, text| Schedule::every(Duration::from_mins(minutes), Align::Epoch, text);
    assert_eq!(every(60, "60m"), every(60, "1h"));
    assert_eq!(cron("@daily", "UTC", ten), cron("0 0 * * *", "UTC", ten));
}

#[test]
fn the_jitter_is_a_share_that_stays() {
    let delay =
        |schedule: &Schedule, name: &str| schedule.due_times(&PipelineName::new(name)).delay();
    let [none, least, most] =
        [0, 1, 300_000].map(|jitter| cron("0 2 * * *", "UTC", Duration::from_millis(jitter)));
    let share = Duration::from_millis(917_671_893_122_870_901 % 300_000);
    assert_eq!(delay(&most, "checkout"), share);
    assert_ne!(delay(&most, "checkouu"), share);
    assert_eq!(delay(&none, "checkout"), Duration::ZERO);
    assert_eq!(delay(&least, "checkout"), Duration::ZERO);
    assert!((0..1000).all(|n| delay(&most, &n.to_string()) < Duration::from_mins(5)));
}

#[test]
fn what_never_fires_is_known() {
    let never = |expression| cron(expression, "UTC", Duration::ZERO).never_fires();
    for expression in ["0 2 31 2 *", "0 2 30 2 *", "0 2 31 4,6,9,11 *", "0 2 31W 2 *"] {
        assert!(never(expression), "{expression}");
        let due =
            cron(expression, "Europe/Berlin", Duration::ZERO).due_times(&PipelineName::new(""));
        assert_eq!(due.next_after(Wall(0)), None);
        assert_eq!(due.last_at_or_before(Wall(0)), None);
        assert_eq!(due.count_between(Wall(0), Wall(2_000_000_000_000)), 0);
    }
    for expression in ["0 2 29 2 *", "0 2 31 2 mon", "0 2 * 2 mon#5", "0 2 L 2 *", "@yearly"] {
        assert!(!never(expression), "{expression}");
    }
}

#[test]
fn sped_up_an_expression_is_an_interval() {
    for (expression, speed, stored) in [
        ("0 2 * * *", 3600.0, "every 24000ms spread"),
        ("*/15 * * * *", 60.0, "every 15000ms spread"),
        ("0,30 8 * * mon-fri", 1.0, "every 60480000ms spread"),
        ("* * * * *", 3600.0, "every 1000ms spread"),
        ("0 0 31 2 *", 100_000.0, "every 126227808ms spread"),
    ] {
        let schedule = cron(expression, "Europe/Berlin", Duration::ZERO);
        let sped_up = schedule.sped_up(speed);
        assert_eq!(sped_up.to_string(), stored, "{expression}");
        assert_eq!((sped_up.text(), sped_up.timezone()), (expression, "Europe/Berlin"));
    }
}
