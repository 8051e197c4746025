//! Values that no key takes.

use super::super::shown;

#[test]
fn durations() {
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
  every: 15
"), @"
    error: pipelines[0].every: found 15, want a duration with a unit, such as 30s, 15m, 1h30m or 1d
     --> config.yaml:9:10
      |
    9 |   every: 15
      |          ^^
    ");
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
  start_deadline: 5 minutes
"), @"
    error: pipelines[0].start_deadline: found `5 minutes`, want a duration such as 500ms, 30s, 15m, 1h30m, 1d or 1w
     --> config.yaml:9:19
      |
    9 |   start_deadline: 5 minutes
      |                   ^^^^^^^^^
    ");
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
  every: 100ms
"), @"
    error: pipelines[0].every: found `100ms`, want at least 1s
     --> config.yaml:9:10
      |
    9 |   every: 100ms
      |          ^^^^^
    ");
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
  timeout: 0s
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
"), @"
    error: accounts[0].timeout: found zero, want more
     --> config.yaml:4:12
      |
    4 |   timeout: 0s
      |            ^^
    ");
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
metrics:
  duration_buckets: [1m, 30s]
"), @"
    error: metrics.duration_buckets: found `30s` after one that is no less, want a list of rising durations such as [30s, 5m, 1h]
      --> config.yaml:10:3
       |
    10 |   duration_buckets: [1m, 30s]
       |   ^^^^^^^^^^^^^^^^
    ");
}

#[test]
fn schedules() {
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
  schedule: 0 2 * *
"), @"
    error: pipelines[0].schedule: found 4 fields, want five: minute, hour, day of month, month, day of week, such as `30 2 * * mon-fri` (or @hourly, @daily, @weekly, @monthly, @yearly)
     --> config.yaml:9:13
      |
    9 |   schedule: 0 2 * *
      |             ^^^^^^^
    ");
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
  schedule: 0 25 * * *
"), @"
    error: pipelines[0].schedule: hour: found `25`, want 0 to 23
     --> config.yaml:9:13
      |
    9 |   schedule: 0 25 * * *
      |             ^^^^^^^^^^
    ");
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
  schedule: '0 0 31 2 *'
"), @"
    error: pipelines[0].schedule: found `0 0 31 2 *`, which never fires, want a day that there is
     --> config.yaml:9:13
      |
    9 |   schedule: '0 0 31 2 *'
      |             ^^^^^^^^^^^^
    ");
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
  schedule: 15m
"), @"
    error: pipelines[0].schedule: found `15m`, which is a duration, want it in `every`
     --> config.yaml:9:13
      |
    9 |   schedule: 15m
      |             ^^^
    ");
}

#[test]
fn time_zones() {
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
defaults:
  timezone: Europe/Berlni
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
"), @"
    error: defaults.timezone: found `Europe/Berlni`, which is no time zone, did you mean `Europe/Berlin`?
     --> config.yaml:5:13
      |
    5 |   timezone: Europe/Berlni
      |             ^^^^^^^^^^^^^
    ");
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
  timezone: CEST
"), @"
    error: pipelines[0].timezone: found `CEST`, which is no time zone, did you mean `CET`?
     --> config.yaml:9:13
      |
    9 |   timezone: CEST
      |             ^^^^
    ");
}

#[test]
fn words() {
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
  concurrency: alow
"), @"
    error: pipelines[0].concurrency: found `alow`, want one of forbid, allow; did you mean `allow`?
     --> config.yaml:9:16
      |
    9 |   concurrency: alow
      |                ^^^^
    ");
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
  webhook: v4
"), @"
    error: pipelines[0].webhook: found `v4`, want one of auto, v1, v2, v3; did you mean `v1`?
     --> config.yaml:9:12
      |
    9 |   webhook: v4
      |            ^^
    ");
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
results:
  suspended: canceled
"), @"
    error: results.suspended: found `canceled`, want one of success, failure, error, timeout, cancellation, skip
      --> config.yaml:10:14
       |
    10 |   suspended: canceled
       |              ^^^^^^^^
    ");
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
  paused: yes
"), @"
    error: pipelines[0].paused: found `yes`, want true or false
     --> config.yaml:9:11
      |
    9 |   paused: yes
      |           ^^^
    ");
}

#[test]
fn counts() {
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
  max_active_runs: 0
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
"), @"
    error: accounts[0].max_active_runs: found 0, want a whole number from 1 to 4294967295
     --> config.yaml:4:20
      |
    4 |   max_active_runs: 0
      |                    ^
    ");
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
  requests_per_minute: many
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
"), @"
    error: accounts[0].requests_per_minute: found a text, want a whole number from 1 to 4294967295
     --> config.yaml:4:24
      |
    4 |   requests_per_minute: many
      |                        ^^^^
    ");
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
  retry: {attempts: -1}
"), @"
    error: pipelines[0].retry.attempts: found -1, want a whole number from 0 to 100
     --> config.yaml:9:21
      |
    9 |   retry: {attempts: -1}
      |                     ^^
    ");
}

#[test]
fn urls() {
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
  url: http://harness.corp
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
"), @"
    error: accounts[0].url: found http to `harness.corp`, want https (http only to a loopback host such as localhost, or with `allow_http: true`)
     --> config.yaml:4:8
      |
    4 |   url: http://harness.corp
      |        ^^^^^^^^^^^^^^^^^^^
    ");
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
  url: https://app.harness.io/ng/account
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
"), @"
    error: accounts[0].url: found a path in the URL, want only scheme and host
     --> config.yaml:4:8
      |
    4 |   url: https://app.harness.io/ng/account
      |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    ");
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
storage:
  url: data/runs.db
"), @"
    error: storage.url: found no scheme, want sqlite:// and a path, such as sqlite://data/harness-exporter.db
      --> config.yaml:10:8
       |
    10 |   url: data/runs.db
       |        ^^^^^^^^^^^^
    ");
}

#[test]
fn texts() {
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
  headers: {X-Attempt: 1}
"), @"
    error: pipelines[0].headers.X-Attempt: found a number, want a text: put it in quotes
     --> config.yaml:9:13
      |
    9 |   headers: {X-Attempt: …}
      |             ^^^^^^^^^
    ");
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
  headers: {X-Api-Key: pat.a.b}
"), @"
    error: pipelines[0].headers.X-Api-Key: not allowed here, want api_key_file in the account
     --> config.yaml:9:13
      |
    9 |   headers: {X-Api-Key: …}
      |             ^^^^^^^^^
    ");
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
  payload: branch=main
"), @"
    error: pipelines[0].payload: found a text that is not JSON (expected value at line 1 column 1), want a mapping, a list or a text that is JSON
     --> config.yaml:9:12
      |
    9 |   payload: …
      |            ^
    ");
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
  name: ''
"), @"
    error: pipelines[0].name: found an empty text, want at least one character
     --> config.yaml:9:9
      |
    9 |   name: ''
      |         ^^
    ");
}
