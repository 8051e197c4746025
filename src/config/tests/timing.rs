//! Schedules, zones and maintenance windows.

use std::time::Duration;

use super::super::{Maintenance, Pipeline};
use super::{START, bad, good, warned};
use crate::schedule::{Align, Schedule};

fn pipeline(more: &str) -> Pipeline {
    Pipeline::clone(&good(&format!("{START}, {more}}}")).0.pipelines[0])
}

fn said(more: &str) -> String {
    bad(&format!("{START}, {more}}}")).replace("pipelines[0].", "")
}

fn cron(text: &str, zone: &str, jitter: u64) -> Schedule {
    Schedule::cron(text, zone, Duration::from_secs(jitter)).unwrap()
}

#[test]
fn schedules() {
    for (keys, wanted) in [
        ("schedule: '*/15 * * * *'", cron("*/15 * * * *", "UTC", 0)),
        ("schedule: 0 2 * * mon-fri", cron("0 2 * * mon-fri", "UTC", 0)),
        ("schedule: '@daily', timezone: europe/berlin", cron("@daily", "Europe/Berlin", 0)),
        ("schedule: '@daily', jitter: 5m", cron("@daily", "UTC", 300)),
        ("every: 1h, align: epoch", Schedule::every(Duration::from_hours(1), Align::Epoch, "1h")),
    ] {
        assert_eq!(pipeline(keys).schedule, Some(wanted), "{keys}");
    }
}

#[test]
fn one_of_schedule_and_every_replaces_the_other_of_the_defaults() {
    let (config, warnings) = good(
        "
accounts: [{account_id: a}]
defaults: {org: o, project: p, schedule: '@daily', timezone: Asia/Tokyo, jitter: 1m}
pipelines:
- {pipeline: inherits, trigger: t}
- {pipeline: every, trigger: t, every: 6h}
- {pipeline: zone, trigger: t, timezone: UTC}
",
    );
    assert_eq!(warnings, []);
    let texts: Vec<_> = config
        .pipelines
        .iter()
        .map(|pipeline| pipeline.schedule.as_ref().unwrap())
        .map(|schedule| (schedule.text(), schedule.timezone()))
        .collect();
    assert_eq!(texts, [("@daily", "Asia/Tokyo"), ("every 6h", "UTC"), ("@daily", "UTC")]);
    let other = "defaults: {every: 6h}";
    let (config, _) = good(&format!("{other}{START}, schedule: '@weekly'}}"));
    assert_eq!(config.pipelines[0].schedule.as_ref().map(Schedule::text), Some("@weekly"));
}

#[test]
fn maintenance() {
    let windows = pipeline(
        "timezone: Europe/Berlin, maintenance: [{cron: '0 22 * * fri', duration: 8h}, {cron: '@monthly', duration: 1d, timezone: UTC}]",
    )
    .maintenance;
    let window = |text, zone, hours| Maintenance {
        begins: cron(text, zone, 0),
        duration: Duration::from_hours(hours),
    };
    assert_eq!(
        windows,
        [window("0 22 * * fri", "Europe/Berlin", 8), window("@monthly", "UTC", 24)]
    );
    let (config, _) = good(&format!(
        "defaults: {{maintenance: [{{cron: '@daily', duration: 1h}}]}}{START}, timezone: Asia/Tokyo}}\n- {{org: o, project: p, pipeline: two, trigger: t, maintenance: []}}"
    ));
    assert_eq!(config.pipelines[0].maintenance, [window("@daily", "Asia/Tokyo", 1)]);
    assert_eq!(config.pipelines[1].maintenance, []);
}

#[test]
fn what_is_wrong() {
    insta::assert_snapshot!(said("every: 1h, schedule: '@daily'"), @"schedule: found beside `every`, want one of them");
    insta::assert_snapshot!(said("schedule: 15m"), @"schedule: found `15m`, which is a duration, want it in `every`");
    insta::assert_snapshot!(said("schedule: 0 0 31 2 *"), @"schedule: found `0 0 31 2 *`, which never fires, want a day that there is");
    insta::assert_snapshot!(said("schedule: 0 25 * * *"), @"schedule: hour: found `25`, want 0 to 23");
    insta::assert_snapshot!(said("schedule: '@dialy'"), @"schedule: found `@dialy`, want one of @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually");
    insta::assert_snapshot!(said("schedule: 15"), @"schedule: found a number, want a text: put it in quotes");
    insta::assert_snapshot!(said("timezone: Europe/Berlni"), @"timezone: found `Europe/Berlni`, which is no time zone, did you mean `Europe/Berlin`?");
    insta::assert_snapshot!(said("timezone: berlin"), @"timezone: found `berlin`, which is no time zone, did you mean `Europe/Berlin`?");
    insta::assert_snapshot!(said("timezone: Mars/Olympus"), @"timezone: found `Mars/Olympus`, want an IANA time zone such as UTC or Europe/Berlin");
    insta::assert_snapshot!(said("timezone: 2"), @"timezone: found a number, want a text: put it in quotes");
    insta::assert_snapshot!(said("jitter: -1s"), @"jitter: found `-1s`, want a duration such as 500ms, 30s, 15m, 1h30m, 1d or 1w");
    insta::assert_snapshot!(said("maintenance: {cron: '@daily', duration: 1h}"), @"maintenance: found a mapping, want a list");
    insta::assert_snapshot!(said("maintenance: [{}, {cron: 61 * * * *, duration: 0s, timezone: x, until: y}, 7]"), @"
    maintenance[0].cron: missing, want a cron expression for when it begins
    maintenance[0].duration: missing, want a duration such as 2h
    maintenance[1].cron: minute: found `61`, want 0 to 59
    maintenance[1].duration: found zero, want more
    maintenance[1].timezone: found `x`, want an IANA time zone such as UTC or Europe/Berlin
    maintenance[1].until: unknown key, want one of cron, duration, timezone
    maintenance[2]: found a number, want a mapping of keys to values
    ");
}

#[test]
fn what_comes_to_nothing() {
    insta::assert_snapshot!(warned(&format!("{START}, every: 1h, jitter: 1m, timezone: UTC}}")), @"
    pipelines[0].jitter: without `schedule` nothing is delayed
    pipelines[0].timezone: without `schedule` no zone is needed
    ");
    insta::assert_snapshot!(warned(&format!("{START}, schedule: '@daily', align: epoch, jitter: 1m, timezone: UTC}}")), @"pipelines[0].align: without `every` there is nothing to align");
    let used = format!(
        "{START}, every: 1h, timezone: UTC, maintenance: [{{cron: '@daily', duration: 1h}}]}}"
    );
    assert_eq!(warned(&used), "");
}
