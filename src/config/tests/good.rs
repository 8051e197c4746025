//! What is read from good configs, and what they are warned about.

use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::*;
use secrecy::ExposeSecret as _;

use super::super::{Concurrency, Location, Pipeline, Polling, SecretSource, Webhook, parse};
use super::{START, good, source, warned};
use crate::model::WebhookVersion;
use crate::schedule::{Align, Schedule};

/// The only pipeline of a config that has these keys besides the required ones.
fn pipeline(more: &str) -> Pipeline {
    Pipeline::clone(&good(&format!("{START}, {more}}}")).0.pipelines[0])
}

#[test]
fn little_is_needed() {
    let (config, warnings) = good(&format!("{START}}}"));
    assert_eq!(warnings, []);
    let account = &config.accounts["default"];
    assert_eq!(account.name.as_str(), "default");
    assert_eq!(account.url.as_str(), "https://app.harness.io/");
    assert_eq!(account.account_id, "acme0000000000000000AA");
    assert!(account.api_key.is_none());
    assert_eq!(account.requests_per_minute, 300);
    assert_eq!((account.max_active_runs, account.triggers_per_minute), (50, 30));
    assert_eq!(account.timeout, Duration::from_secs(30));

    let pipeline = &config.pipelines[0];
    assert_eq!(pipeline.name.as_str(), "checkout");
    assert_eq!(pipeline.account.as_str(), "default");
    let ids = [&pipeline.org, &pipeline.project, &pipeline.pipeline, &pipeline.trigger];
    assert_eq!(ids, ["shop", "web", "checkout", "nightly"]);
    assert!(matches!(pipeline.webhook, Webhook::Auto));
    assert_eq!(pipeline.schedule, None);
    assert_eq!(pipeline.start_deadline, Duration::from_mins(5));
    assert_eq!(pipeline.concurrency, Concurrency::Forbid);
    assert_eq!((&*pipeline.payload, pipeline.headers.len()), ("{}", 0));
    assert_eq!(pipeline.queue_deadline, Duration::from_hours(6));
    assert_eq!(pipeline.run_deadline, Duration::from_hours(36 * 24));
    assert!(!pipeline.paused);
    assert_eq!(pipeline.polling, Polling::DEFAULT);

    assert_eq!(config.storage.location.to_string(), "sqlite://data/harness-exporter.db");
    assert_eq!(config.storage.retention, Duration::from_hours(30 * 24));
    assert!(config.placeholder_accounts().is_empty());
}

pub(super) const EVERYTHING: &str = "
x-anchors: {any: [thing, 1]}
accounts:
- name: prod
  url: https://acme.harness.io/
  account_id: acme0000000000000000AA
  api_key_env: ACME_KEY
  requests_per_minute: 400
  max_active_runs: 1
  triggers_per_minute: 7
  timeout: 1500ms
- {name: test, url: 'http://[::1]:8080', account_id: acme0000000000000000BB}
pipelines:
- name: \"it's \\\"hostile\\\"\\n🚀\"
  account: prod
  org: o
  project: p
  pipeline: q
  trigger: t
  webhook: v3
  webhook_token_file: /run/secrets/token
  every: 90m
  align: epoch
  start_deadline: 1s
  concurrency: allow
  payload: {ref: main, tags: [1, true, null, 0.5], \"a\\\"b\": {}}
  headers: {X-Team: web, content-type: text/plain}
  queue_deadline: 1d
  run_deadline: 1w
  paused: true
  polling: {first: 0s, max: 10s}
storage: {url: sqlite:///var/lib/runs.db, retention: 1y}
";

#[test]
fn everything_can_be_said() {
    let (config, _) = good(EVERYTHING);
    assert_eq!(config.accounts.len(), 2);
    let account = &config.accounts["prod"];
    assert!(matches!(&account.api_key, Some(SecretSource::Env(name)) if name == "ACME_KEY"));
    assert_eq!((account.requests_per_minute, account.max_active_runs), (400, 1));
    assert_eq!(account.triggers_per_minute, 7);
    assert_eq!(account.timeout, Duration::from_millis(1500));
    assert_eq!(config.accounts["test"].url.as_str(), "http://[::1]:8080/");

    let pipeline = &config.pipelines[0];
    assert_eq!(pipeline.name.as_str(), "it's \"hostile\"\n🚀");
    assert_eq!(pipeline.account.as_str(), "prod");
    let token = PathBuf::from("/run/secrets/token");
    assert!(
        matches!(&pipeline.webhook, Webhook::Token(SecretSource::File(path)) if *path == token)
    );
    let schedule = Schedule::every(Duration::from_mins(90), Align::Epoch, "90m");
    assert_eq!(pipeline.schedule, Some(schedule));
    assert_eq!(pipeline.schedule.as_ref().map(Schedule::text), Some("every 90m"));
    assert_eq!(pipeline.start_deadline, Duration::from_secs(1));
    assert_eq!(pipeline.concurrency, Concurrency::Allow);
    let payload = r#"{"ref":"main","tags":[1,true,null,0.5],"a\"b":{}}"#;
    assert_eq!(&*pipeline.payload, payload);
    let headers = [("X-Team", "web"), ("content-type", "text/plain")];
    assert_eq!(pipeline.headers, headers.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(pipeline.queue_deadline, Duration::from_hours(24));
    assert_eq!(pipeline.run_deadline, Duration::from_hours(7 * 24));
    assert!(pipeline.paused);
    let ten = Duration::from_secs(10);
    assert_eq!(pipeline.polling, Polling { first: Duration::ZERO, max: ten, ..Polling::DEFAULT });
    assert_eq!(config.storage.location.to_string(), "sqlite:///var/lib/runs.db");
    assert_eq!(config.storage.retention, Duration::from_hours(365 * 24));
}

#[test]
fn defaults_fill_in_and_never_mix() {
    let (config, _) = good(
        "
accounts: [{name: a, account_id: one}, {name: b, account_id: two}]
defaults:
  account: a
  org: o
  project: p
  webhook: v1
  every: 15m
  align: epoch
  start_deadline: 1m
  payload: {branch: main, deep: true}
  headers: {x-one: '1'}
  polling: {first: 3s, min: 4s}
  paused: true
pipelines:
- {pipeline: inherits, trigger: t}
- pipeline: differs
  trigger: t
  account: b
  org: other
  project: other
  webhook: auto
  every: 1h
  align: spread
  start_deadline: 2m
  payload: {branch: dev}
  headers: {}
  polling: {min: 5s}
  paused: false
",
    );
    let [inherits, differs] = config.pipelines.as_slice() else { panic!("two pipelines") };
    assert_eq!((inherits.account.as_str(), differs.account.as_str()), ("a", "b"));
    assert_eq!((inherits.org.as_str(), differs.org.as_str()), ("o", "other"));
    assert_eq!((inherits.project.as_str(), differs.project.as_str()), ("p", "other"));
    assert!(matches!(inherits.webhook, Webhook::Fixed(WebhookVersion::V1)));
    assert!(matches!(differs.webhook, Webhook::Auto));
    let schedule = |minutes, align| Some(Schedule::every(Duration::from_mins(minutes), align, ""));
    assert_eq!(inherits.schedule, schedule(15, Align::Epoch));
    assert_eq!(differs.schedule, schedule(60, Align::Spread));
    assert_eq!(inherits.start_deadline, Duration::from_mins(1));
    assert_eq!(differs.start_deadline, Duration::from_mins(2));
    assert_eq!(&*inherits.payload, r#"{"branch":"main","deep":true}"#);
    assert_eq!(&*differs.payload, r#"{"branch":"dev"}"#);
    assert_eq!((inherits.headers.len(), differs.headers.len()), (1, 0));
    let seconds = Duration::from_secs;
    let polling = |first, min| Polling { first, min, max: seconds(60) };
    assert_eq!(inherits.polling, polling(seconds(3), seconds(4)));
    assert_eq!(differs.polling, polling(seconds(1), seconds(5)));
    assert_eq!((inherits.paused, differs.paused), (true, false));
}

#[test]
fn merges_are_resolved_from_the_inside_out() {
    let (config, _) = good(
        "
x-base: &base {org: base, trigger: base}
x-web: &web {<<: *base, project: web, trigger: web}
x-nightly: &nightly {<<: *base, every: 1d, org: nightly}
accounts: [{account_id: acme0000000000000000AA}]
pipelines:
- {<<: *web, pipeline: one}
- {<<: [*web, *nightly], pipeline: two, trigger: own}
",
    );
    let [one, two] = config.pipelines.as_slice() else { panic!("two pipelines") };
    assert_eq!([&one.org, &one.project, &one.trigger], ["base", "web", "web"]);
    assert_eq!([&two.org, &two.project, &two.trigger], ["base", "web", "own"]);
    assert_eq!(two.schedule.as_ref().map(Schedule::text), Some("every 1d"));
}

#[test]
fn payloads() {
    for (payload, json) in [
        ("{}", "{}"),
        ("[]", "[]"),
        ("[1, -2, 1.5, 1e30, .5, 0x10]", "[1,-2,1.5,1e30,0.5,16]"),
        (r#"{z: 1, a: "ü\n\u0000"}"#, r#"{"z":1,"a":"ü\n\u0000"}"#),
        (r#"' {"as": "written"} '"#, r#"{"as": "written"}"#),
        ("'null'", "null"),
    ] {
        let payload = pipeline(&format!("payload: {payload}")).payload;
        assert_eq!(&*payload, json);
        serde_json::from_str::<serde_json::Value>(&payload).unwrap();
    }
}

#[test]
fn webhooks() {
    for (keys, want) in [
        ("webhook: auto", "Auto"),
        ("webhook: v1", "Fixed(V1)"),
        ("webhook: v2", "Fixed(V2)"),
        ("webhook_token_env: TOKEN", "Token(Env(\"TOKEN\"))"),
        ("webhook: auto, webhook_token_file: t/x", "Token(File(\"t/x\"))"),
        ("webhook: v3, webhook_token_env: TOKEN", "Token(Env(\"TOKEN\"))"),
    ] {
        assert_eq!(format!("{:?}", pipeline(keys).webhook), want, "{keys}");
    }
    let inline = pipeline("webhook_token: tok-1");
    let Webhook::Token(SecretSource::Inline(token)) = &inline.webhook else { panic!("{inline:?}") };
    assert_eq!(token.expose_secret(), "tok-1");
    assert!(!format!("{inline:?}").contains("tok-1"));
}

#[test]
fn stores() {
    for url in ["sqlite://a.db", "sqlite://a/b.db", "sqlite:///a/b.db", "sqlite://../a b.db"] {
        assert_eq!(url.parse::<Location>().unwrap().to_string(), url);
    }
}

#[test]
fn names_may_be_anything_but_long() {
    let longest = "🚀".repeat(128);
    assert_eq!(pipeline(&format!("name: {longest}")).name.as_str(), longest);
}

#[test]
fn what_is_warned_about() {
    insta::assert_snapshot!(warned("
accounts:
- {name: a, account_id: one, api_key: pat.one.two.three, requests_per_minute: 401}
- {name: b, account_id: two}
defaults: {account: a, org: o, project: p, every: 59s}
pipelines:
- {pipeline: one, trigger: t}
- {pipeline: two, trigger: t, every: 1m}
- {pipeline: one, trigger: t, name: again, webhook_token: tok-1}
- {pipeline: one, trigger: t, name: elsewhere, account: b, every: 1s}
"), @"
    accounts[0].api_key: a secret in the config is easily given away, better is api_key_file or api_key_env
    accounts[0].requests_per_minute: Harness allows a key 400 calls a minute
    defaults.every: a pipeline started more than once a minute is rarely meant
    pipelines[2].webhook_token: a secret in the config is easily given away, better is webhook_token_file or webhook_token_env
    pipelines[3].every: a pipeline started more than once a minute is rarely meant
    pipelines[2]: pipelines[0] starts the same by the same trigger
    accounts[1].triggers_per_minute: its pipelines start up to 86,400 runs a day, 60 a minute, more than triggers_per_minute: 30
    ");
    let nothing = "accounts: [{account_id: one}]\npipelines: []";
    insta::assert_snapshot!(warned(nothing), @"pipelines: there is no pipeline, so nothing is ever triggered");
    let idle = format!("{START}, align: epoch}}");
    insta::assert_snapshot!(warned(&idle), @"pipelines[0].align: without `every` there is nothing to align");
}

#[test]
fn too_much_for_an_account_is_reckoned_up() {
    let text = |account: &str, due: &str, count: usize| {
        let pipelines: Vec<_> =
            (0..count).map(|n| format!("- {{pipeline: p{n}, trigger: t}}")).collect();
        format!(
            "accounts:\n- {{account_id: a, {account}}}\ndefaults: {{org: o, project: p, {due}}}\npipelines:\n{}",
            pipelines.join("\n")
        )
    };
    insta::assert_snapshot!(warned(&text("requests_per_minute: 5", "every: 1m", 2)), @"accounts[0].requests_per_minute: its pipelines start up to 2,880 runs a day, which takes 6 calls a minute at 3 a run (webhook, start and end), more than requests_per_minute: 5");
    insta::assert_snapshot!(warned(&text("requests_per_minute: 1", "schedule: '*/2 * * * *'", 1)), @"accounts[0].requests_per_minute: its pipelines start up to 720 runs a day, which takes 2 calls a minute at 3 a run (webhook, start and end), more than requests_per_minute: 1");
    insta::assert_snapshot!(warned(&text("triggers_per_minute: 1", "every: 5m, align: epoch", 11)), @"accounts[0].triggers_per_minute: its pipelines start up to 3,168 runs a day, 3 a minute, more than triggers_per_minute: 1");
    insta::assert_snapshot!(warned(&text("triggers_per_minute: 2", "schedule: '@monthly'", 11)), @"accounts[0].triggers_per_minute: 11 of its pipelines are due at once, as at 2026-02-01T00:00:00Z, and within their start_deadline of 5m only 10 can start at triggers_per_minute: 2; a jitter or a longer start_deadline would do");
    insta::assert_snapshot!(warned(&text("triggers_per_minute: 2", "schedule: 0 3 * * mon", 11)), @"accounts[0].triggers_per_minute: 11 of its pipelines are due at once, as at 2026-02-02T03:00:00Z, and within their start_deadline of 5m only 10 can start at triggers_per_minute: 2; a jitter or a longer start_deadline would do");
    for fits in [
        text("requests_per_minute: 6", "every: 1m", 2),
        text("triggers_per_minute: 2", "schedule: 0 3 * * *", 10),
        text("triggers_per_minute: 2", "schedule: 0 3 * * *, jitter: 1h", 11),
        text("triggers_per_minute: 2", "schedule: 0 3 * * *, start_deadline: 6m", 11),
        text("triggers_per_minute: 2", "schedule: 0 3 * * *, paused: true", 11),
        text("requests_per_minute: 1", "schedule: '@hourly'", 1),
    ] {
        assert_eq!(warned(&fits), "");
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[-\\[\\]{}:,#&*!|>'\"%@`\\n a-z0-9<]{0,80}") {
        if let Err(problems) = parse(&[source("x.yaml", &text)]) {
            prop_assert_eq!(problems.to_string().lines().count(), problems.0.len());
        }
    }

    /// Every key with every kind of value, well formed or not.
    #[test]
    fn no_value_makes_it_panic(
        account in entries(&[
            "name", "url", "account_id", "api_key_file", "api_key_env", "api_key",
            "requests_per_minute", "max_active_runs", "triggers_per_minute", "timeout",
        ]),
        pipeline in entries(&[
            "name", "account", "org", "project", "pipeline", "trigger", "webhook", "every",
            "align", "payload", "headers", "polling", "webhook_token", "paused", "<<",
        ]),
    ) {
        let text = format!("accounts: [{account}]\ndefaults: {pipeline}\npipelines: [{pipeline}]");
        if let Err(problems) = parse(&[source("x.yaml", &text)]) {
            prop_assert!(!problems.0.is_empty());
            prop_assert_eq!(problems.to_string().lines().count(), problems.0.len());
        }
    }
}

fn entries(keys: &'static [&'static str]) -> impl Strategy<Value = String> {
    let value = prop_oneof![
        Just("1".to_owned()),
        Just("-0.5".to_owned()),
        Just(".nan".to_owned()),
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("[{a: b}, .inf]".to_owned()),
        Just("{1: x, [a]: {b: c}}".to_owned()),
        Just("!tag x".to_owned()),
        Just("'http://localhost'".to_owned()),
        Just("99999999999999999999y".to_owned()),
        any::<String>().prop_map(|text| serde_json::Value::from(text).to_string()),
    ];
    proptest::collection::btree_map(proptest::sample::select(keys), value, 0..keys.len()).prop_map(
        |map| {
            let pairs: Vec<_> = map.iter().map(|(key, value)| format!("{key}: {value}")).collect();
            format!("{{{}}}", pairs.join(", "))
        },
    )
}
