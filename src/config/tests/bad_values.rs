//! What is said of values that are wrong, one at a time.

use super::super::Location;
use super::{START, bad};

/// What is said of a pipeline that has these keys besides the required ones.
fn pipeline(more: &str) -> String {
    bad(&format!("{START}, {more}}}")).replace("pipelines[0].", "")
}

/// What is said of an account that has these keys besides the required one.
fn account(more: &str) -> String {
    bad(&format!("{{accounts: [{{account_id: a, {more}}}], pipelines: []}}"))
        .replace("accounts[0].", "")
}

#[test]
fn urls() {
    let http = "(http only to a loopback host such as localhost, or with `allow_http: true`)";
    let plain = "in the URL, want only scheme and host";
    for (url, want) in [
        ("http://app.harness.io", format!("found http to `app.harness.io`, want https {http}")),
        (
            "http://localhost.acme.example",
            format!("found http to `localhost.acme.example`, want https {http}"),
        ),
        ("http://10.0.0.1:80", format!("found http to `10.0.0.1`, want https {http}")),
        ("http://[2001:db8::1]", format!("found http to `[2001:db8::1]`, want https {http}")),
        (
            "ftp://app.harness.io",
            "found the scheme `ftp`, want a URL such as https://app.harness.io".to_owned(),
        ),
        (
            "app.harness.io",
            "found no URL (relative URL without a base), want a URL such as https://app.harness.io"
                .to_owned(),
        ),
        (
            "https://",
            "found no URL (empty host), want a URL such as https://app.harness.io".to_owned(),
        ),
        ("https://me:hunter2@app.harness.io", format!("found credentials {plain}")),
        ("https://me@app.harness.io", format!("found credentials {plain}")),
        ("https://app.harness.io/ng", format!("found a path {plain}")),
        ("https://app.harness.io//", format!("found a path {plain}")),
        ("https://app.harness.io?a=b", format!("found a query {plain}")),
        ("https://app.harness.io/#top", format!("found a fragment {plain}")),
    ] {
        assert_eq!(account(&format!("url: '{url}'")), format!("url: {want}"));
    }
    for url in ["http://localhost:8080", "http://127.1.2.3", "http://[::1]/", "https://10.0.0.1/"] {
        super::good(&format!("{{accounts: [{{account_id: a, url: '{url}'}}], pipelines: []}}"));
    }
}

#[test]
fn counts() {
    for value in ["0", "-1", "1.5", "4294967296", ".inf"] {
        for key in ["requests_per_minute", "max_active_runs", "triggers_per_minute"] {
            let want = format!("{key}: found {value}, want a whole number from 1 to 4294967295");
            assert_eq!(account(&format!("{key}: {value}")), want);
        }
    }
    let want = "max_active_runs: found a text, want a whole number from 1 to 4294967295";
    assert_eq!(account("max_active_runs: '5'"), want);
}

#[test]
fn durations() {
    let unit = "want a duration with a unit, such as 30s, 15m, 1h30m or 1d";
    let form = "want a duration such as 500ms, 30s, 15m, 1h30m, 1d or 1w";
    for (value, want) in [
        ("15", format!("found 15, {unit}")),
        ("0", format!("found 0, {unit}")),
        ("'15'", format!("found `15`, {unit}")),
        ("1.5h", format!("found `1.5h`, {form}")),
        ("''", format!("found ``, {form}")),
        ("soon", format!("found `soon`, {form}")),
        ("'1h 30m'", format!("found `1h 30m`, {form}")),
        ("-5m", format!("found `-5m`, {form}")),
        ("[1h]", "found a list, want a duration such as 30s, 15m, 1h30m or 1d".to_owned()),
        ("", "found nothing, want a duration such as 30s, 15m, 1h30m or 1d".to_owned()),
        ("0s", "found zero, want more".to_owned()),
        ("101y", "found `101y`, want at most 100y".to_owned()),
    ] {
        for key in ["start_deadline", "queue_deadline", "run_deadline"] {
            assert_eq!(pipeline(&format!("{key}: {value}")), format!("{key}: {want}"));
        }
        assert_eq!(account(&format!("timeout: {value}")), format!("timeout: {want}"));
    }
    for (value, want) in [
        ("0s", "every: found `0s`, want at least 1s"),
        ("999ms", "every: found `999ms`, want at least 1s"),
    ] {
        assert_eq!(pipeline(&format!("every: {value}")), want);
    }
    for (value, want) in [
        ("{min: 0s}", "polling.min: found zero, want more"),
        ("{max: 0s}", "polling.max: found zero, want more"),
        ("{max: 1s}", "polling: found min 2s and max 1s, want min up to max"),
        ("{first: -1s}", &*format!("polling.first: found `-1s`, {form}")),
        ("2s", "polling: found a text, want a mapping of keys to values"),
    ] {
        assert_eq!(pipeline(&format!("polling: {value}")), want);
    }
}

#[test]
fn names() {
    let long = "é".repeat(129);
    for (value, want) in [
        ("''", "found an empty text, want at least one character"),
        ("\"a\\0b\"", "found `a\\0b`, want a text without NUL"),
        (long.as_str(), "found 129 characters, want at most 128"),
        ("7", "found a number, want a text: put it in quotes"),
        ("true", "found true, want a text: put it in quotes"),
        ("{}", "found a mapping, want a text"),
        ("!id x", "found a value with a tag, want a text"),
        ("", "found nothing, want a text"),
    ] {
        for key in ["name", "account"] {
            assert_eq!(pipeline(&format!("{key}: {value}")), format!("{key}: {want}"));
        }
        let text = format!(
            "{{accounts: [{{account_id: {value}}}], pipelines: [{{org: {value}, project: {value}, pipeline: {value}, trigger: {value}}}]}}"
        );
        let keys = ["org", "project", "pipeline", "trigger"];
        let places = keys.map(|key| format!("pipelines[0].{key}: {want}"));
        assert_eq!(bad(&text), format!("accounts[0].account_id: {want}\n{}", places.join("\n")));
    }
}

#[test]
fn words() {
    for (key, want) in [
        ("webhook: V3", "webhook: found `V3`, want one of auto, v1, v2, v3; did you mean `v3`?"),
        ("webhook: 3", "webhook: found a number, want one of auto, v1, v2, v3"),
        ("align: phase", "align: found `phase`, want one of spread, epoch"),
        (
            "concurrency: alow",
            "concurrency: found `alow`, want one of forbid, allow; did you mean `allow`?",
        ),
        ("paused: no", "paused: found `no`, want true or false"),
        ("paused: 1", "paused: found a number, want true or false"),
    ] {
        assert_eq!(pipeline(key), want);
    }
}

#[test]
fn payloads() {
    let json = "want a mapping, a list or a text that is JSON";
    for (value, want) in [
        ("7", format!("found a number, {json}")),
        ("true", format!("found true, {json}")),
        ("", format!("found nothing, {json}")),
        (
            "hunter2",
            format!("found a text that is not JSON (expected value at line 1 column 1), {json}"),
        ),
        (
            "'{} {}'",
            format!(
                "found a text that is not JSON (trailing characters at line 1 column 4), {json}"
            ),
        ),
        ("[.nan]", "found .nan in it, want numbers that JSON has".to_owned()),
        ("{a: [-.inf]}", "found -.inf in it, want numbers that JSON has".to_owned()),
        ("{1: a}", "found a number, want only texts as keys: put it in quotes".to_owned()),
        ("[!secret a]", "found a value with a tag, want no tags within a payload".to_owned()),
    ] {
        assert_eq!(pipeline(&format!("payload: {value}")), format!("payload: {want}"));
    }
}

#[test]
fn headers() {
    let connection = "not allowed: this header belongs to the connection";
    for (value, want) in [
        ("[a]", "headers: found a list, want a mapping of names to texts".to_owned()),
        (
            "{X-Api-Key: hunter2}",
            "headers.X-Api-Key: not allowed here, want api_key_file in the account".to_owned(),
        ),
        ("{Content-Length: '2'}", format!("headers.Content-Length: {connection}")),
        ("{host: acme}", format!("headers.host: {connection}")),
        ("{Transfer-Encoding: chunked}", format!("headers.Transfer-Encoding: {connection}")),
        ("{CONNECTION: close}", format!("headers.CONNECTION: {connection}")),
        (
            "{x-a: '1', X-A: '2'}",
            "headers.X-A: found a second time, want each header once".to_owned(),
        ),
        ("{x-a: 1}", "headers.x-a: found a number, want a text: put it in quotes".to_owned()),
        (
            "{'a:b': c}",
            "headers.`a:b`: found no name of a header, want letters, digits and `-`".to_owned(),
        ),
        ("{1: c}", "headers: found a number, want a text as the name".to_owned()),
        (
            "{x-a: \"hunter2\\n\"}",
            "headers.x-a: found a character that no header may hold, want ASCII".to_owned(),
        ),
    ] {
        assert_eq!(pipeline(&format!("headers: {value}")), want);
    }
}

#[test]
fn secrets_are_never_repeated() {
    for (key, want) in [
        (
            "api_key: 'hunter2 hunter2'",
            "api_key: found a character that no header or URL may hold, want letters, digits and signs",
        ),
        ("api_key: 40490", "api_key: found a number, want a text: put it in quotes"),
        ("api_key: ''", "api_key: found an empty text, want at least one character"),
        ("api_key: [hunter2]", "api_key: found a list, want a text"),
        (
            "api_key_env: 'KEY=hunter2'",
            "api_key_env: found `=` or NUL in it, want the name of an environment variable",
        ),
        ("api_key_file: \"hunter2\\0\"", "api_key_file: found NUL in it, want a path"),
        ("api_key_file: {a: hunter2}", "api_key_file: found a mapping, want a text"),
    ] {
        assert_eq!(account(key), want);
    }
    let tagged = account("api_key: !!int hunter2");
    assert_eq!(tagged, "1:38: api_key: the value is not what its tag says");
}

#[test]
fn stores() {
    let want = "want sqlite:// and a path, such as sqlite://data/harness-exporter.db";
    for (url, found) in [
        ("sqlite://", "found no path".to_owned()),
        ("sqlite://:memory:", "found something else than the path of a file".to_owned()),
        ("sqlite://a.db?mode=ro", "found something else than the path of a file".to_owned()),
        ("sqlite:a.db", "found no scheme".to_owned()),
        ("a.db", "found no scheme".to_owned()),
        ("postgres://me:hunter2@db/runs", "PostgreSQL is not supported yet".to_owned()),
        ("postgresql://db/runs", "PostgreSQL is not supported yet".to_owned()),
        ("mysql://me:hunter2@db/runs", "found the scheme `mysql`".to_owned()),
    ] {
        assert_eq!(url.parse::<Location>(), Err(format!("{found}, {want}")), "{url}");
        let text = format!("storage: {{url: '{url}'}}{START}}}");
        assert_eq!(bad(&text), format!("storage.url: {found}, {want}"));
    }
    let zero = format!("storage: {{retention: 0s}}{START}}}");
    assert_eq!(bad(&zero), "storage.retention: found zero, want more");
}
