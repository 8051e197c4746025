//! What is said of configs whose keys are wrong, missing or at odds with each other.

use super::bad;

#[test]
fn all_problems_are_told_at_once() {
    insta::assert_snapshot!(bad("
accounts:
- {nmae: prod, url: http://app.harness.io, requests_per_minute: 0}
defaults: {evry: 1h, trigger: t}
pipelines:
- {pipeline: one, every: 15}
- [pipeline, two]
- {org: o, project: p, pipeline: three, trigger: t, webhook: v4, paused: 'yes'}
storage: {url: mysql://root:hunter2@db/runs}
storrage: {}
"), @"
    accounts[0].url: found http to `app.harness.io`, want https (http only to a loopback host such as localhost, or with `allow_http: true`)
    accounts[0].account_id: missing, want your account's identifier
    accounts[0].requests_per_minute: found 0, want a whole number from 1 to 4294967295
    accounts[0].nmae: unknown key, did you mean `name`?
    defaults.evry: unknown key, did you mean `every`?
    defaults.trigger: not allowed in defaults, want it in each pipeline
    pipelines[0].every: found 15, want a duration with a unit, such as 30s, 15m, 1h30m or 1d
    pipelines[1]: found a list, want a mapping of keys to values
    pipelines[2].webhook: found `v4`, want one of auto, v1, v2, v3; did you mean `v1`?
    pipelines[2].paused: found `yes`, want true or false
    storage.url: found the scheme `mysql`, want sqlite:// and a path, such as sqlite://data/harness-exporter.db
    storrage: unknown key, did you mean `storage`?
    pipelines[0].org: missing, want Harness' organization identifier
    pipelines[0].project: missing, want Harness' project identifier
    pipelines[0].trigger: missing, want the identifier of its custom webhook trigger
    ");
}

#[test]
fn nothing_is_there() {
    insta::assert_snapshot!(bad("{}"), @"
    accounts: found none, want a list with at least one account
    pipelines: missing, want a list of pipelines
    ");
    insta::assert_snapshot!(bad("{accounts: [], pipelines: [{}]}"), @"
    accounts: found none, want a list with at least one account
    pipelines[0].org: missing, want Harness' organization identifier
    pipelines[0].project: missing, want Harness' project identifier
    pipelines[0].pipeline: missing, want Harness' pipeline identifier
    pipelines[0].trigger: missing, want the identifier of its custom webhook trigger
    ");
    insta::assert_snapshot!(bad("accounts:\ndefaults:\npipelines:\nstorage:"), @"
    accounts: found nothing, want a list
    defaults: found nothing, want a mapping of keys to values
    pipelines: found nothing, want a list
    storage: found nothing, want a mapping of keys to values
    ");
    // What a section would have said is not missed where the section is none.
    insta::assert_snapshot!(bad("{accounts: 1, defaults: 2, pipelines: [{}]}"), @"
    accounts: found a number, want a list
    defaults: found a number, want a mapping of keys to values
    ");
    insta::assert_snapshot!(bad("[]"), @"1:1: found a list, want a mapping of keys to values");
}

#[test]
fn unknown_keys() {
    insta::assert_snapshot!(bad("
accounts: [{account_id: a, 1: x, api-key-file: k, password: p}]
pipelines:
- org: o
  project: p
  pipeline: q
  trigger: t
  cron: daily
  x-free: only at the top
  \"two\\nlines\": 1
  polling: {maximum: 1m, minn: 1s}
x-free: {anything: here}
X-free: 1
[1]: 2
"), @r"
    accounts[0]: found a number, want a text as the key
    accounts[0].api-key-file: unknown key, did you mean `api_key_file`?
    accounts[0].password: unknown key, want one of account_id, allow_http, api_key, api_key_env, api_key_file, ca_file, max_active_runs, name, requests_per_minute, timeout, triggers_per_minute, url
    pipelines[0].polling.maximum: unknown key, want one of first, max, min
    pipelines[0].polling.minn: unknown key, did you mean `min`?
    pipelines[0].cron: unknown key, want one of account, align, concurrency, every, headers, jitter, labels, maintenance, name, org, overdue_after, paused, payload, pipeline, polling, project, queue_deadline, retry, run_deadline, schedule, start_deadline, timezone, trigger, unconfirmed_deadline, webhook, webhook_token, webhook_token_env, webhook_token_file, webhook_url, webhook_url_env, webhook_url_file
    pipelines[0].x-free: unknown key, want one of account, align, concurrency, every, headers, jitter, labels, maintenance, name, org, overdue_after, paused, payload, pipeline, polling, project, queue_deadline, retry, run_deadline, schedule, start_deadline, timezone, trigger, unconfirmed_deadline, webhook, webhook_token, webhook_token_env, webhook_token_file, webhook_url, webhook_url_env, webhook_url_file
    pipelines[0].`two\nlines`: unknown key, want one of account, align, concurrency, every, headers, jitter, labels, maintenance, name, org, overdue_after, paused, payload, pipeline, polling, project, queue_deadline, retry, run_deadline, schedule, start_deadline, timezone, trigger, unconfirmed_deadline, webhook, webhook_token, webhook_token_env, webhook_token_file, webhook_url, webhook_url_env, webhook_url_file
    X-free: unknown key, want one of accounts, defaults, metrics, notifications, pipelines, results, storage
    2:1: found a list, want a text as the key
    ");
}

#[test]
fn keys_that_have_no_place_in_defaults() {
    for key in [
        "name",
        "pipeline",
        "trigger",
        "webhook_token_file",
        "webhook_token_env",
        "webhook_token",
        "webhook_url_file",
        "webhook_url_env",
        "webhook_url",
    ] {
        let text = format!("defaults: {{{key}: x}}{}}}", super::START);
        let message = "not allowed in defaults, want it in each pipeline";
        assert_eq!(bad(&text), format!("defaults.{key}: {message}"));
    }
}

#[test]
fn what_is_wrong_in_defaults_is_told_once() {
    insta::assert_snapshot!(bad("
accounts: [{account_id: a}]
defaults: {account: b, org: 7, project: p, every: 1ms, polling: {min: 2m}, headers: {a b: c}}
pipelines: [{pipeline: one, trigger: t}, {pipeline: two, trigger: t}]
"), @"
    defaults.org: found a number, want a text: put it in quotes
    defaults.every: found `1ms`, want at least 1s
    defaults.headers.`a b`: found no name of a header, want letters, digits and `-`
    defaults.polling: found min 2m and max 1m, want min up to max
    defaults.account: unknown account `b`, want one of `default`
    ");
}

#[test]
fn accounts_that_are_not_there() {
    insta::assert_snapshot!(bad("
accounts: [{name: production, account_id: a}, {name: test, account_id: b}]
defaults: {org: o, project: p}
pipelines:
- {pipeline: one, trigger: t, account: prodution}
- {pipeline: two, trigger: t}
- {pipeline: three, trigger: t, account: \"so\\nmany\"}
- {pipeline: four, trigger: t, account: test}
"), @"
    pipelines[0].account: unknown account `prodution`, did you mean `production`?
    pipelines[1].account: missing, want one of `production`, `test`
    pipelines[2].account: unknown account `so\\nmany`, want one of `production`, `test`
    ");
    // An account whose name cannot be read may be the one that is meant.
    insta::assert_snapshot!(bad("
accounts: [{name: 1, account_id: a}]
defaults: {org: o, project: p}
pipelines: [{pipeline: one, trigger: t, account: prod}, {pipeline: two, trigger: t}]
"), @"accounts[0].name: found a number, want a text: put it in quotes");
    // One with another problem is there all the same.
    insta::assert_snapshot!(bad("
accounts: [{name: prod}]
defaults: {org: o, project: p}
pipelines: [{pipeline: one, trigger: t, account: prod}, {pipeline: two, trigger: t}]
"), @"accounts[0].account_id: missing, want your account's identifier");
}

#[test]
fn names_that_are_there_twice() {
    insta::assert_snapshot!(bad("
accounts: [{account_id: a}, {account_id: b}]
defaults: {org: o, project: p, account: default}
pipelines:
- {pipeline: one, trigger: t}
- {pipeline: two, trigger: t, name: one}
- {pipeline: one, trigger: other}
"), @"
    accounts[1].name: found `default`, which accounts[0].name is already, want another
    pipelines[1].name: found `one`, which pipelines[0].name is already, want another
    pipelines[2].name: found `one`, which pipelines[0].name is already, want another
    ");
}

#[test]
fn secrets_and_webhooks() {
    insta::assert_snapshot!(bad("
accounts: [{account_id: a, api_key_file: k, api_key_env: K, api_key: hunter2}]
defaults: {org: o, project: p, webhook: v3}
pipelines:
- {pipeline: a, trigger: t, webhook_token_env: T, webhook_token: hunter2}
- {pipeline: b, trigger: t}
- {pipeline: c, trigger: t, webhook: v1, webhook_token_env: T}
- {pipeline: d, trigger: t, webhook: v2, webhook_token_env: T}
"), @"
    accounts[0]: found api_key_file and api_key_env and api_key, want at most one of api_key_file, api_key_env, api_key
    pipelines[0]: found webhook_token_env and webhook_token, want at most one of webhook_token_file, webhook_token_env, webhook_token
    pipelines[1].webhook: found v3 without a token, want one of webhook_token_file, webhook_token_env, webhook_token, webhook_url_file, webhook_url_env, webhook_url
    pipelines[2].webhook: found a token with v1 or v2, want v3 or auto
    pipelines[3].webhook: found a token with v1 or v2, want v3 or auto
    ");
}
