//! Lines with secrets in them, none of which is shown.

use super::super::shown;

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn in_the_config_itself() {
    insta::assert_snapshot!(shown("
accounts:
- {account_id: a, api_key: 'hunter2 hunter2', timeout: 1}
pipelines: []
"), @"
    error: accounts[0].api_key: found a character that no header or URL may hold, want letters, digits and signs
     --> config.yaml:3:28
      |
    3 | - {account_id: a, api_key: …, timeout: 1}
      |                            ^

    error: accounts[0].timeout: found 1, want a duration with a unit, such as 30s, 15m, 1h30m or 1d
     --> config.yaml:3:56
      |
    3 | - {account_id: a, api_key: …, timeout: 1}
      |                                        ^
    ");
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
  api_key: hunter2   # hunter2
  api_key_env: hunter2=x
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
"), @"
    error: accounts[0].api_key_env: found `=` or NUL in it, want the name of an environment variable
     --> config.yaml:5:16
      |
    5 |   api_key_env: …
      |                ^

    error: accounts[0]: found api_key_env and api_key, want at most one of api_key_file, api_key_env, api_key
     --> config.yaml:3:3
      |
    3 | - account_id: acme0000000000000000AA
      |   ^^^^^^^^^^
    ");
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
  webhook_token: [hunter2]
"), @"
    error: pipelines[0].webhook_token: found a list, want a text
     --> config.yaml:9:3
      |
    9 |   webhook_token: […]
      |   ^^^^^^^^^^^^^
    ");
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
  webhook_url: https://hunter2
"), @"
    error: pipelines[0].webhook_url: found another path than that of a custom webhook, want the URL as Harness shows it for a custom webhook trigger
     --> config.yaml:9:16
      |
    9 |   webhook_url: …
      |                ^
    ");
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
  webhook_url: 'https://app.harness.io/gateway/pipeline/api/webhook/custom/hunter2/v3'
"), @"
    error: pipelines[0].webhook_url: found no accountIdentifier in it, want the URL as Harness shows it for a custom webhook trigger
     --> config.yaml:9:16
      |
    9 |   webhook_url: …
      |                ^
    ");
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
notifications: {token: 40490, token_env: hunter2}
"), @"
    error: notifications.token: found a number, want a text: put it in quotes
     --> config.yaml:9:24
      |
    9 | notifications: {token: …, token_env: …}
      |                        ^

    error: notifications: found token_env and token, want at most one of token_file, token_env, token
     --> config.yaml:9:1
      |
    9 | notifications: {token: …, token_env: …}
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
  webhook_token: |
    hunter2
    hunter2
"), @"
    error: pipelines[0].webhook_token: found a character that no header or URL may hold, want letters, digits and signs
      --> config.yaml:10:5
       |
    10 |     …
       |     ^
    ");
}

#[test]
fn under_a_misspelled_key() {
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
  api_kye: hunter2
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
"), @"
    error: accounts[0].api_kye: unknown key, did you mean `api_key`?
     --> config.yaml:4:3
      |
    4 |   api_kye: …
      |   ^^^^^^^
    ");
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
  password: {is: hunter2}
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
"), @"
    error: accounts[0].password: unknown key, want one of account_id, allow_http, api_key, api_key_env, api_key_file, ca_file, max_active_runs, name, requests_per_minute, timeout, triggers_per_minute, url
     --> config.yaml:4:3
      |
    4 |   password: {is: …}
      |   ^^^^^^^^
    ");
}

#[test]
fn in_headers_and_payloads() {
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
  headers: {'a b': hunter2, Authorization: \"hunter2\\n\"}
"), @"
    error: pipelines[0].headers.`a b`: found no name of a header, want letters, digits and `-`
     --> config.yaml:9:13
      |
    9 |   headers: {'a b': …, Authorization: …}
      |             ^^^^^

    error: pipelines[0].headers.Authorization: found a character that no header may hold, want ASCII
     --> config.yaml:9:29
      |
    9 |   headers: {'a b': …, Authorization: …}
      |                       ^^^^^^^^^^^^^
    ");
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
  payload: hunter2
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
  payload: {key: [hunter2, .nan]}
"), @"
    error: pipelines[0].payload: found .nan in it, want numbers that JSON has
     --> config.yaml:9:3
      |
    9 |   payload: {key: […, …]}
      |   ^^^^^^^
    ");
}

#[test]
fn in_urls() {
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
  url: https://me:hunter2@app.harness.io
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
"), @"
    error: accounts[0].url: found credentials in the URL, want only scheme and host
     --> config.yaml:4:8
      |
    4 |   url: …
      |        ^
    ");
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
storage: {url: 'postgres://db/runs?password=hunter2'}
"), @"
    error: storage.url: PostgreSQL is not supported yet, want sqlite:// and a path, such as sqlite://data/harness-exporter.db
     --> config.yaml:9:16
      |
    9 | storage: {url: …}
      |                ^
    ");
}

#[test]
fn in_comments() {
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
  every: 15 # webhook_token: hunter2
"), @"
    error: pipelines[0].every: found 15, want a duration with a unit, such as 30s, 15m, 1h30m or 1d
     --> config.yaml:9:10
      |
    9 |   every: 15
      |          ^^
    ");
}

#[test]
fn in_what_is_no_yaml() {
    insta::assert_snapshot!(shown("
accounts:
- account_id: a
  api_key: @hunter2
"), @"
    error: found `@`, with which no text begins in YAML; put the text in quotes
     --> config.yaml:4:12
      |
    4 |   api_key: …
      |            ^
    ");
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
- {account_id: a, api_key: hunter2, timeout: @}
"), @"
    error: found a character with which no text begins in YAML, want the text in quotes (found character that cannot start any token, while scanning for the next token)
     --> config.yaml:3:46
      |
    3 | - …
      |   ^
    ");
    insta::assert_snapshot!(shown("
accounts:
- account_id: a
  api_key: 'hunter2
"), @"
    error: found the end of the file, want each bracket and quote closed (found unexpected end of stream, while scanning a quoted scalar at line 4 column 12)
     --> config.yaml:4:20
      |
    4 |   api_key: …
      |             ^
    ");
    insta::assert_snapshot!(shown("
accounts:
- account_id: a
  api_key: |
  hunter2: '
  hunter2 @
"), @"
    error: found the end of the file, want each bracket and quote closed (found unexpected end of stream, while scanning a quoted scalar at line 5 column 12)
     --> config.yaml:6:12
      |
    6 |   …
      |    ^
    ");
    insta::assert_snapshot!(shown("
accounts:
- account_id: a
  api_key: *hunter2
"), @"
    error: found an alias of what is not there, want `&` and the same name before it, or the text in quotes (unknown anchor)
     --> config.yaml:4:12
      |
    4 |   api_key: …
      |            ^
    ");
    insta::assert_snapshot!(shown("
accounts:
- account_id: a
\tapi_key: hunter2
"), @"
    error: found a tab at the beginning of the line, want spaces: YAML allows no tabs there
     --> config.yaml:4:1
      |
    4 |  api_key: …
      | ^
    ");
}
