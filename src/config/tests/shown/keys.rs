//! Keys that are unknown, missing or in the wrong place.

use super::super::shown;

#[test]
fn a_misspelled_key() {
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
  shedule: '@daily'
"), @"
    error: pipelines[0].shedule: unknown key, did you mean `schedule`?
     --> config.yaml:9:3
      |
    9 |   shedule: …
      |   ^^^^^^^
    ");
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
  request_per_minute: 60
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
"), @"
    error: accounts[0].request_per_minute: unknown key, did you mean `requests_per_minute`?
     --> config.yaml:4:3
      |
    4 |   request_per_minute: …
      |   ^^^^^^^^^^^^^^^^^^
    ");
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
metric:
  stages: false
"), @"
    error: metric: unknown key, did you mean `metrics`?
     --> config.yaml:9:1
      |
    9 | metric:
      | ^^^^^^
    ");
}

#[test]
fn a_key_of_another_section() {
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
defaults:
  trigger: exporter
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
"), @"
    error: defaults.trigger: not allowed in defaults, want it in each pipeline
     --> config.yaml:5:3
      |
    5 |   trigger: exporter
      |   ^^^^^^^
    ");
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
  retention: 7d
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
"), @"
    error: accounts[0].retention: unknown key, want one of account_id, allow_http, api_key, api_key_env, api_key_file, ca_file, max_active_runs, name, requests_per_minute, timeout, triggers_per_minute, url
     --> config.yaml:4:3
      |
    4 |   retention: 7d
      |   ^^^^^^^^^
    ");
}

#[test]
fn a_key_that_is_missing() {
    insta::assert_snapshot!(shown("
accounts:
- name: prod
pipelines: []
"), @"
    error: accounts[0].account_id: missing, want your account's identifier
     --> config.yaml:3:3
      |
    3 | - name: prod
      |   ^^^^
    ");
    insta::assert_snapshot!(shown("
accounts:
- account_id: a
pipelines:
- pipeline: checkout
  org: o
  project: p
"), @"
    error: pipelines[0].trigger: missing, want the identifier of its custom webhook trigger
     --> config.yaml:5:3
      |
    5 | - pipeline: checkout
      |   ^^^^^^^^
    ");
    insta::assert_snapshot!(shown("
x-shared:
  org: o
"), @"
    error: accounts: found none, want a list with at least one account
     --> config.yaml:2:1
      |
    2 | x-shared:
      | ^^^^^^^^

    error: pipelines: missing, want a list of pipelines
     --> config.yaml:2:1
      |
    2 | x-shared:
      | ^^^^^^^^
    ");
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
notifications: {}
"), @"
    error: notifications: missing, want one of token_file, token_env, token
     --> config.yaml:9:1
      |
    9 | notifications: {}
      | ^^^^^^^^^^^^^
    ");
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
  maintenance:
  - cron: '@daily'
"), @"
    error: pipelines[0].maintenance[0].duration: missing, want a duration such as 2h
      --> config.yaml:10:5
       |
    10 |   - cron: '@daily'
       |     ^^^^
    ");
}

#[test]
fn keys_that_exclude_each_other() {
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
  every: 6h
  schedule: '@daily'
"), @"
    error: pipelines[0].schedule: found beside `every`, want one of them
      --> config.yaml:10:13
       |
    10 |   schedule: '@daily'
       |             ^^^^^^^^
    ");
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
  api_key_file: key
  api_key_env: KEY
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
"), @"
    error: accounts[0]: found api_key_file and api_key_env, want at most one of api_key_file, api_key_env, api_key
     --> config.yaml:3:3
      |
    3 | - account_id: acme0000000000000000AA
      |   ^^^^^^^^^^
    ");
}

#[test]
fn a_section_that_is_none() {
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
  polling: 2s
"), @"
    error: pipelines[0].polling: found a text, want a mapping of keys to values
     --> config.yaml:9:12
      |
    9 |   polling: 2s
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
  maintenance: {cron: '@daily', duration: 1h}
"), @"
    error: pipelines[0].maintenance: found a mapping, want a list
     --> config.yaml:9:3
      |
    9 |   maintenance: {cron: '@daily', duration: 1h}
      |   ^^^^^^^^^^^
    ");
    insta::assert_snapshot!(shown("
accounts:
pipelines:
- {}
"), @"
    error: accounts: found nothing, want a list
     --> config.yaml:2:1
      |
    2 | accounts:
      | ^^^^^^^^

    error: pipelines[0].org: missing, want Harness' organization identifier
     --> config.yaml:4:3
      |
    4 | - {}
      |   ^^

    error: pipelines[0].project: missing, want Harness' project identifier
     --> config.yaml:4:3
      |
    4 | - {}
      |   ^^

    error: pipelines[0].pipeline: missing, want Harness' pipeline identifier
     --> config.yaml:4:3
      |
    4 | - {}
      |   ^^

    error: pipelines[0].trigger: missing, want the identifier of its custom webhook trigger
     --> config.yaml:4:3
      |
    4 | - {}
      |   ^^
    ");
}

#[test]
fn a_mistake_in_what_is_merged_is_shown_where_it_stands() {
    insta::assert_snapshot!(shown("
x-nightly: &nightly
  every: 1 day
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
  <<: *nightly
"), @"
    error: pipelines[0].every: found `1 day`, want a duration such as 500ms, 30s, 15m, 1h30m, 1d or 1w
     --> config.yaml:3:10
      |
    3 |   every: 1 day
      |          ^^^^^
    ");
}
