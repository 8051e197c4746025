//! Configs whose parts are good and do not go together.

use super::super::shown;

#[test]
fn accounts() {
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
  account: prod
"), @"
    error: pipelines[0].account: unknown account `prod`, want one of `default`
     --> config.yaml:9:12
      |
    9 |   account: prod
      |            ^^^^
    ");
    insta::assert_snapshot!(shown("
accounts:
- {name: production, account_id: a}
- {name: test, account_id: b}
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
  account: prodution
"), @"
    error: pipelines[0].account: unknown account `prodution`, did you mean `production`?
      --> config.yaml:10:12
       |
    10 |   account: prodution
       |            ^^^^^^^^^
    ");
    insta::assert_snapshot!(shown("
accounts:
- {name: production, account_id: a}
- {name: test, account_id: b}
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
"), @"
    error: pipelines[0].account: missing, want one of `production`, `test`
     --> config.yaml:6:3
      |
    6 | - pipeline: checkout
      |   ^^^^^^^^
    ");
}

#[test]
fn names_that_are_there_twice() {
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
- pipeline: checkout
  trigger: other
  org: default
  project: shop
"), @"
    error: pipelines[1].name: found `checkout`, which pipelines[0].name is already, want another
     --> config.yaml:9:3
      |
    9 | - pipeline: checkout
      |   ^^^^^^^^
    ");
}

#[test]
fn polling_gaps() {
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
  polling: {min: 5m}
"), @"
    error: pipelines[0].polling: found min 5m and max 1m, want min up to max
     --> config.yaml:9:3
      |
    9 |   polling: {min: 5m}
      |   ^^^^^^^
    ");
}

#[test]
fn tokens_and_urls() {
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
  webhook: v3
"), @"
    error: pipelines[0].webhook: found v3 without a token, want one of webhook_token_file, webhook_token_env, webhook_token, webhook_url_file, webhook_url_env, webhook_url
     --> config.yaml:9:12
      |
    9 |   webhook: v3
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
  webhook: v1
  webhook_token_file: token
"), @"
    error: pipelines[0].webhook: found a token with v1 or v2, want v3 or auto
     --> config.yaml:9:12
      |
    9 |   webhook: v1
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
  webhook_url: https://app.harness.io/gateway/pipeline/api/webhook/custom/tok-1/v3?accountIdentifier=acme0000000000000000AA&orgIdentifier=default&projectIdentifier=shop&pipelineIdentifier=checkout&triggerIdentifier=other
"), @"
    error: pipelines[0].trigger: found `exporter`, and another one in webhook_url, want the same or none here
     --> config.yaml:6:12
      |
    6 |   trigger: exporter
      |            ^^^^^^^^
    ");
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
  url: https://acme.harness.io
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
  webhook_url: https://app.harness.io/gateway/pipeline/api/webhook/custom/tok-1/v3?accountIdentifier=acme0000000000000000AA&orgIdentifier=default&projectIdentifier=shop&pipelineIdentifier=checkout&triggerIdentifier=exporter
"), @"
    error: pipelines[0].webhook_url: found another host than that of the account, want https://acme.harness.io/
      --> config.yaml:10:16
       |
    10 |   webhook_url: …
       |                ^
    ");
}

#[test]
fn labels() {
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
  labels: {team: web}
"), @"
    error: pipelines[0].labels.team: unknown label, want it named in metrics.labels first
     --> config.yaml:9:18
      |
    9 |   labels: {team: …}
      |                  ^
    ");
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
  labels: {teem: web}
metrics:
  labels: [team]
"), @"
    error: pipelines[0].labels.teem: unknown label, did you mean `team`?
     --> config.yaml:9:18
      |
    9 |   labels: {teem: …}
      |                  ^
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
  labels: [pipeline]
"), @"
    error: metrics.labels[0]: found `pipeline`, which is taken, want another name
      --> config.yaml:10:12
       |
    10 |   labels: [pipeline]
       |            ^^^^^^^^
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
  labels: [team-name]
"), @"
    error: metrics.labels[0]: found `team-name`, want letters, digits and `_`, and no digit first
      --> config.yaml:10:12
       |
    10 |   labels: [team-name]
       |            ^^^^^^^^^
    ");
}
