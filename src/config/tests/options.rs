//! Retries, labels, results, metrics and notifications.

use std::time::Duration;

use secrecy::ExposeSecret as _;

use super::super::{
    MetricsOptions, Pipeline, RESERVED_LABELS, Results, Retry, SecretSource, Webhook,
};
use super::{START, bad, good};
use crate::config::Config;
use crate::model::{RunResult, Status};

fn pipeline(more: &str) -> Pipeline {
    Pipeline::clone(&good(&format!("{START}, {more}}}")).0.pipelines[0])
}

/// The config with this section at the top.
fn section(text: &str) -> Config {
    good(&format!("{text}\n{START}}}")).0
}

fn said(text: &str) -> String {
    bad(&format!("{text}\n{START}}}"))
}

#[test]
fn the_defaults() {
    let config = section("");
    assert_eq!(config.results, Results::default());
    assert_eq!(config.metrics, MetricsOptions::default());
    assert!(config.notifications.is_none());
    let pipeline = &config.pipelines[0];
    assert_eq!(pipeline.unconfirmed_deadline, Duration::from_mins(15));
    assert_eq!((pipeline.overdue_after, pipeline.retry), (None, None));
    assert_eq!(pipeline.labels, [""; 0]);
    assert!(matches!(pipeline.webhook, Webhook::Auto));
    assert!(config.accounts["default"].ca_file.is_none());
}

#[test]
fn deadlines_and_retries() {
    let read = pipeline("unconfirmed_deadline: 20m, overdue_after: 1h30m");
    assert_eq!(read.unconfirmed_deadline, Duration::from_mins(20));
    assert_eq!(read.overdue_after, Some(Duration::from_mins(90)));
    let after = |minutes, attempts| Some(Retry { after: Duration::from_mins(minutes), attempts });
    for (text, retry) in [
        ("{}", after(2, 1)),
        ("{after: 5m}", after(5, 1)),
        ("{attempts: 3}", after(2, 3)),
        ("{after: 1m, attempts: 0}", None),
    ] {
        assert_eq!(pipeline(&format!("retry: {text}")).retry, retry, "{text}");
    }
    let (config, _) = good(&format!(
        "defaults: {{retry: {{after: 1m}}}}\n{START}, retry: {{attempts: 0}}}}\n- {{org: o, project: p, pipeline: two, trigger: t}}"
    ));
    assert_eq!(config.pipelines[0].retry, None);
    assert_eq!(config.pipelines[1].retry, after(1, 1));
    insta::assert_snapshot!(bad(&format!("{START}, retry: 2m, unconfirmed_deadline: 0s, overdue_after: soon}}")), @"
    pipelines[0].unconfirmed_deadline: found zero, want more
    pipelines[0].overdue_after: found `soon`, want a duration such as 500ms, 30s, 15m, 1h30m, 1d or 1w
    pipelines[0].retry: found a text, want a mapping of keys to values
    ");
    insta::assert_snapshot!(bad(&format!("{START}, retry: {{after: 0s, attempts: 101, times: 1}}}}")), @"
    pipelines[0].retry.after: found zero, want more
    pipelines[0].retry.attempts: found 101, want a whole number from 0 to 100
    pipelines[0].retry.times: unknown key, want one of after, attempts
    ");
}

#[test]
fn accounts_may_trust_another_authority_and_speak_http() {
    let (config, _) = good(
        "{accounts: [{account_id: a, url: 'http://harness.corp', allow_http: true, ca_file: ca.pem}], pipelines: []}",
    );
    let account = &config.accounts["default"];
    assert_eq!(account.url.as_str(), "http://harness.corp/");
    assert_eq!(account.ca_file.as_deref(), Some("ca.pem".as_ref()));
    insta::assert_snapshot!(bad("{accounts: [{account_id: a, allow_http: 'yes', ca_file: []}], pipelines: []}"), @"
    accounts[0].allow_http: found `yes`, want true or false
    accounts[0].ca_file: found a list, want a text
    ");
}

#[test]
fn results() {
    let config = section("results: {ignore_failed: failure, suspended: cancellation}");
    let wanted = Results {
        ignore_failed: RunResult::Failure,
        suspended: RunResult::Cancellation,
        ..Results::default()
    };
    assert_eq!(config.results, wanted);
    for status in Status::ALL {
        let result = match status {
            Status::IgnoreFailed => Some(RunResult::Failure),
            Status::Suspended => Some(RunResult::Cancellation),
            _ => status.result(),
        };
        assert_eq!(config.results.of(*status), result, "{status}");
        assert_eq!(Results::default().of(*status), status.result(), "{status}");
    }
    insta::assert_snapshot!(said("results: {ignore_failed: lost, aborted_by_freeze: canceled, failed: skip}"), @"
    results.ignore_failed: found `lost`, want one of success, failure, error, timeout, cancellation, skip
    results.aborted_by_freeze: found `canceled`, want one of success, failure, error, timeout, cancellation, skip
    results.failed: unknown key, want one of aborted_by_freeze, approval_rejected, ignore_failed, suspended
    ");
}

#[test]
fn metrics() {
    let config = section(
        "metrics: {stages: false, run_info: true, labels: [team, Tier_2], duration_buckets: [500ms, 1m, 1h]}",
    );
    let wanted = MetricsOptions {
        stages: false,
        run_info: true,
        labels: vec!["team".to_owned(), "Tier_2".to_owned()],
        duration_buckets: vec![500, 60_000, 3_600_000].into(),
    };
    assert_eq!(config.metrics, wanted);
    insta::assert_snapshot!(said("metrics: {labels: [team, team, job, 2nd, a-b, __x, 7, '']}"), @"
    metrics.labels[1]: found `team` a second time, want each once
    metrics.labels[2]: found `job`, which is taken, want another name
    metrics.labels[3]: found `2nd`, want letters, digits and `_`, and no digit first
    metrics.labels[4]: found `a-b`, want letters, digits and `_`, and no digit first
    metrics.labels[5]: found `__x`, which is taken, want another name
    metrics.labels[6]: found a number, want a text: put it in quotes
    metrics.labels[7]: found an empty text, want at least one character
    ");
    insta::assert_snapshot!(said("metrics: {labels: team, stages: 1, duration_buckets: []}"), @"
    metrics.stages: found a number, want true or false
    metrics.labels: found a text, want a list
    metrics.duration_buckets: found 0 of them, want 1 to 50
    ");
    insta::assert_snapshot!(said("metrics: {duration_buckets: [1m, 30s]}"), @"metrics.duration_buckets: found `30s` after one that is no less, want a list of rising durations such as [30s, 5m, 1h]");
    insta::assert_snapshot!(said("metrics: {duration_buckets: [1, 2]}"), @"metrics.duration_buckets: found 1, want a duration with a unit, such as 30s, 15m, 1h30m or 1d");
    insta::assert_snapshot!(said("metrics: {duration_buckets: [0s]}"), @"metrics.duration_buckets: found zero, want more");
    insta::assert_snapshot!(said("metrics: {duration_buckets: 1m}"), @"metrics.duration_buckets: found a text, want a list of rising durations such as [30s, 5m, 1h]");
    for label in RESERVED_LABELS {
        let message = said(&format!("metrics: {{labels: [{label}]}}"));
        assert!(message.ends_with("which is taken, want another name"), "{message}");
    }
}

#[test]
fn labels_are_those_that_the_metrics_name() {
    let (config, _) = good(&format!(
        "metrics: {{labels: [team, tier]}}\ndefaults: {{labels: {{tier: gold}}}}\n{START}, labels: {{team: web}}}}\n- {{org: o, project: p, pipeline: two, trigger: t}}"
    ));
    assert_eq!(config.pipelines[0].labels, ["web", ""]);
    assert_eq!(config.pipelines[1].labels, ["", "gold"]);
    insta::assert_snapshot!(bad(&format!("metrics: {{labels: [team, tier]}}\ndefaults: {{labels: {{teem: a}}}}\n{START}, labels: {{color: red, team: 7}}}}")), @"
    pipelines[0].labels.team: found a number, want a text: put it in quotes
    defaults.labels.teem: unknown label, did you mean `team`?
    ");
    insta::assert_snapshot!(bad(&format!("{START}, labels: {{team: web}}}}")), @"pipelines[0].labels.team: unknown label, want it named in metrics.labels first");
    // What a section would have said is not missed where it has a problem of its own.
    insta::assert_snapshot!(bad(&format!("metrics: {{labels: [job]}}\n{START}, labels: {{team: web}}}}")), @"metrics.labels[0]: found `job`, which is taken, want another name");
}

#[test]
fn notifications() {
    let config = section("notifications: {token: tok-1}");
    let Some(SecretSource::Inline(token)) = &config.notifications else { panic!("{config:?}") };
    assert_eq!(token.expose_secret(), "tok-1");
    let file = section("notifications: {token_file: secrets/token}").notifications;
    assert!(matches!(file, Some(SecretSource::File(path)) if path.ends_with("secrets/token")));
    insta::assert_snapshot!(said("notifications: {}"), @"notifications: missing, want one of token_file, token_env, token");
    insta::assert_snapshot!(said("notifications: {token: a, token_env: B}"), @"notifications: found token_env and token, want at most one of token_file, token_env, token");
}
