//! Bad configs, each with what is shown of it: the place, what was found and what would do.

use super::shown;

#[test]
fn a_value() {
    insta::assert_snapshot!(shown("
accounts:
- account_id: a
pipelines:
- pipeline: checkout   # hunter2
  every: 15   # minutes, api_key: hunter2
  ognr: {a: 1}
"), @"
    error: pipelines[0].every: found 15, want a duration with a unit, such as 30s, 15m, 1h30m or 1d
     --> config.yaml:6:10
      |
    6 |   every: 15
      |          ^^

    error: pipelines[0].ognr: unknown key, want one of account, align, concurrency, every, headers, jitter, labels, maintenance, name, org, overdue_after, paused, payload, pipeline, polling, project, queue_deadline, retry, run_deadline, schedule, start_deadline, timezone, trigger, unconfirmed_deadline, webhook, webhook_token, webhook_token_env, webhook_token_file, webhook_url, webhook_url_env, webhook_url_file
     --> config.yaml:7:3
      |
    7 |   ognr: {a: …}
      |   ^^^^

    error: pipelines[0].org: missing, want Harness' organization identifier
     --> config.yaml:5:3
      |
    5 | - pipeline: checkout
      |   ^^^^^^^^

    error: pipelines[0].project: missing, want Harness' project identifier
     --> config.yaml:5:3
      |
    5 | - pipeline: checkout
      |   ^^^^^^^^

    error: pipelines[0].trigger: missing, want the identifier of its custom webhook trigger
     --> config.yaml:5:3
      |
    5 | - pipeline: checkout
      |   ^^^^^^^^
    ");
    insta::assert_snapshot!(shown("
accounts:
- {account_id: a, api_key: 'hunter2 hunter2', url: https://me:hunter2@app.harness.io, timeout: 1}
pipelines:
  - &x
    webhook_token: [hunter2]
  - {schedul: hunter2, headers: {a b: hunter2}, payload: hunter2}
  - <<: *x
    org: ü
"), @"
    error: accounts[0].url: found credentials in the URL, want only scheme and host
     --> config.yaml:3:52
      |
    3 | - {account_id: a, api_key: …, url: …, timeout: 1}
      |                                    ^

    error: accounts[0].api_key: found a character that no header or URL may hold, want letters, digits and signs
     --> config.yaml:3:28
      |
    3 | - {account_id: a, api_key: …, url: …, timeout: 1}
      |                            ^

    error: accounts[0].timeout: found 1, want a duration with a unit, such as 30s, 15m, 1h30m or 1d
     --> config.yaml:3:96
      |
    3 | - {account_id: a, api_key: …, url: …, timeout: 1}
      |                                                ^

    error: pipelines[0].webhook_token: found a list, want a text
     --> config.yaml:6:5
      |
    6 |     webhook_token: […]
      |     ^^^^^^^^^^^^^

    error: pipelines[1].payload: found a text that is not JSON (expected value at line 1 column 1), want a mapping, a list or a text that is JSON
     --> config.yaml:7:58
      |
    7 |   - {schedul: …, headers: {a b: …}, payload: …}
      |                                              ^

    error: pipelines[1].headers.`a b`: found no name of a header, want letters, digits and `-`
     --> config.yaml:7:34
      |
    7 |   - {schedul: …, headers: {a b: …}, payload: …}
      |                            ^^^

    error: pipelines[1].schedul: unknown key, did you mean `schedule`?
     --> config.yaml:7:6
      |
    7 |   - {schedul: …, headers: {a b: …}, payload: …}
      |      ^^^^^^^

    error: pipelines[2].webhook_token: found a list, want a text
     --> config.yaml:6:5
      |
    6 |     webhook_token: […]
      |     ^^^^^^^^^^^^^

    error: pipelines[0].org: missing, want Harness' organization identifier
     --> config.yaml:6:5
      |
    6 |     webhook_token: […]
      |     ^^^^^^^^^^^^^

    error: pipelines[0].project: missing, want Harness' project identifier
     --> config.yaml:6:5
      |
    6 |     webhook_token: […]
      |     ^^^^^^^^^^^^^

    error: pipelines[0].pipeline: missing, want Harness' pipeline identifier
     --> config.yaml:6:5
      |
    6 |     webhook_token: […]
      |     ^^^^^^^^^^^^^

    error: pipelines[0].trigger: missing, want the identifier of its custom webhook trigger
     --> config.yaml:6:5
      |
    6 |     webhook_token: […]
      |     ^^^^^^^^^^^^^

    error: pipelines[1].org: missing, want Harness' organization identifier
     --> config.yaml:7:6
      |
    7 |   - {schedul: …, headers: {a b: …}, payload: …}
      |      ^^^^^^^

    error: pipelines[1].project: missing, want Harness' project identifier
     --> config.yaml:7:6
      |
    7 |   - {schedul: …, headers: {a b: …}, payload: …}
      |      ^^^^^^^

    error: pipelines[1].pipeline: missing, want Harness' pipeline identifier
     --> config.yaml:7:6
      |
    7 |   - {schedul: …, headers: {a b: …}, payload: …}
      |      ^^^^^^^

    error: pipelines[1].trigger: missing, want the identifier of its custom webhook trigger
     --> config.yaml:7:6
      |
    7 |   - {schedul: …, headers: {a b: …}, payload: …}
      |      ^^^^^^^

    error: pipelines[2].project: missing, want Harness' project identifier
     --> config.yaml:8:5
      |
    8 |   - <<: *x
      |     ^^

    error: pipelines[2].pipeline: missing, want Harness' pipeline identifier
     --> config.yaml:8:5
      |
    8 |   - <<: *x
      |     ^^

    error: pipelines[2].trigger: missing, want the identifier of its custom webhook trigger
     --> config.yaml:8:5
      |
    8 |   - <<: *x
      |     ^^
    ");
    insta::assert_snapshot!(shown("
accounts:
- account_id: a
pipelines:
- schedule: */15 * * * *
"), @r#"
    error: found `*`, which begins an alias in YAML; quote the cron expression: schedule: "*/15 * * * *"
     --> config.yaml:5:13
      |
    5 | - schedule: */15 * * * *
      |             ^
    "#);
    insta::assert_snapshot!(shown("
accounts:
- account_id: a
  api_key: !!int hunter2
"), @"
    error: accounts[0].api_key: the value is not what its tag says
     --> config.yaml:4:12
      |
    4 |   api_key: …
      |            ^
    ");
    insta::assert_snapshot!(shown("
accounts:
\t- account_id: a
"), @"
    error: found a tab at the beginning of the line, want spaces: YAML allows no tabs there
     --> config.yaml:3:1
      |
    3 |  - account_id: a
      | ^
    ");
}
