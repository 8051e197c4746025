//! What `defaults` may hold as well as an entry of `pipelines`.
//!
//! Each is read once, where it stands, so that a mistake in `defaults` is not reported again for
//! every pipeline.

use std::time::Duration;

use http::{HeaderName, HeaderValue};
use serde_yaml::Value;

use super::duration::Span;
use super::fields::{Fields, Read};
use super::timing::Timing;
use super::{Concurrency, DEFAULT_RETRY, Polling, Retry, values};
use crate::model::{AccountName, WebhookVersion};

/// Settings as they were found.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) account: Read<AccountName>,
    pub(super) org: Read<String>,
    pub(super) project: Read<String>,
    pub(super) webhook: Read<WebhookWord>,
    pub(super) timing: Timing,
    pub(super) start_deadline: Read<Duration>,
    pub(super) concurrency: Read<Concurrency>,
    pub(super) payload: Read<String>,
    pub(super) headers: Read<Vec<(String, String)>>,
    pub(super) queue_deadline: Read<Duration>,
    pub(super) run_deadline: Read<Duration>,
    pub(super) paused: Read<bool>,
    pub(super) polling: Read<Polling>,
    pub(super) unconfirmed_deadline: Read<Duration>,
    pub(super) overdue_after: Read<Duration>,
    pub(super) retry: Read<Option<Retry>>,
    /// By the names of the labels.
    pub(super) labels: Read<Vec<(String, String)>>,
}

/// The value of `webhook`.
#[derive(Clone, Copy)]
pub(super) enum WebhookWord {
    Auto,
    Version(WebhookVersion),
}

impl WebhookWord {
    /// The version, unless it is `auto`.
    pub(super) const fn version(self) -> Option<WebhookVersion> {
        match self {
            Self::Auto => None,
            Self::Version(version) => Some(version),
        }
    }
}

impl Settings {
    /// No settings at all.
    pub(super) const NONE: Self = Self {
        account: Read::Absent,
        org: Read::Absent,
        project: Read::Absent,
        webhook: Read::Absent,
        timing: Timing::NONE,
        start_deadline: Read::Absent,
        concurrency: Read::Absent,
        payload: Read::Absent,
        headers: Read::Absent,
        queue_deadline: Read::Absent,
        run_deadline: Read::Absent,
        paused: Read::Absent,
        polling: Read::Absent,
        unconfirmed_deadline: Read::Absent,
        overdue_after: Read::Absent,
        retry: Read::Absent,
        labels: Read::Absent,
    };

    /// Reads what there is of them.
    pub(super) fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            account: fields.read("account", |value| values::name(value).map(AccountName::new)),
            org: fields.read("org", values::identifier),
            project: fields.read("project", values::identifier),
            webhook: fields.read("webhook", webhook),
            timing: Timing::read(fields),
            start_deadline: fields.read("start_deadline", values::positive_duration),
            concurrency: fields.read("concurrency", concurrency),
            payload: fields.read("payload", values::payload),
            headers: read_headers(fields),
            queue_deadline: fields.read("queue_deadline", values::positive_duration),
            run_deadline: fields.read("run_deadline", values::positive_duration),
            paused: fields.read("paused", values::flag),
            polling: fields.nested("polling", polling),
            unconfirmed_deadline: fields.read("unconfirmed_deadline", values::positive_duration),
            overdue_after: fields.read("overdue_after", values::positive_duration),
            retry: fields.nested("retry", retry),
            labels: fields.entries("labels", |name, value| {
                values::name(value).map(|value| (name.to_owned(), value.to_owned()))
            }),
        }
    }

    /// These, and where one is absent that of `defaults`: maps and lists are taken whole.
    pub(super) fn or(self, defaults: &Self) -> Self {
        let defaults = defaults.clone();
        Self {
            account: self.account.or(defaults.account),
            org: self.org.or(defaults.org),
            project: self.project.or(defaults.project),
            webhook: self.webhook.or(defaults.webhook),
            timing: self.timing.or(defaults.timing),
            start_deadline: self.start_deadline.or(defaults.start_deadline),
            concurrency: self.concurrency.or(defaults.concurrency),
            payload: self.payload.or(defaults.payload),
            headers: self.headers.or(defaults.headers),
            queue_deadline: self.queue_deadline.or(defaults.queue_deadline),
            run_deadline: self.run_deadline.or(defaults.run_deadline),
            paused: self.paused.or(defaults.paused),
            polling: self.polling.or(defaults.polling),
            unconfirmed_deadline: self.unconfirmed_deadline.or(defaults.unconfirmed_deadline),
            overdue_after: self.overdue_after.or(defaults.overdue_after),
            retry: self.retry.or(defaults.retry),
            labels: self.labels.or(defaults.labels),
        }
    }
}

fn webhook(value: &Value) -> Result<WebhookWord, String> {
    let words = [
        ("auto", WebhookWord::Auto),
        ("v1", WebhookWord::Version(WebhookVersion::V1)),
        ("v2", WebhookWord::Version(WebhookVersion::V2)),
        ("v3", WebhookWord::Version(WebhookVersion::V3)),
    ];
    values::word(value, &words)
}

fn concurrency(value: &Value) -> Result<Concurrency, String> {
    let word = |concurrency: Concurrency| (concurrency.as_str(), concurrency);
    values::word(value, &[word(Concurrency::Forbid), word(Concurrency::Allow)])
}

fn polling(fields: &mut Fields<'_>) -> Option<Polling> {
    let default = Polling::DEFAULT;
    let first = fields.read("first", values::duration).unless_absent(default.first);
    let min = fields.read("min", values::positive_duration).unless_absent(default.min);
    let max = fields.read("max", values::positive_duration).unless_absent(default.max);
    let (min, max) = (min?, max?);
    if min > max {
        let message = format!("found min {} and max {}, want min up to max", Span(min), Span(max));
        fields.report.problem(&fields.place, message);
        return None;
    }
    Some(Polling { first: first?, min, max })
}

/// Without attempts there is no retry, so that a pipeline can be spared that of the defaults.
#[expect(clippy::option_option, reason = "none where a problem was reported, else maybe a retry")]
fn retry(fields: &mut Fields<'_>) -> Option<Option<Retry>> {
    let after = fields.read("after", values::positive_duration).unless_absent(DEFAULT_RETRY.after);
    let attempts = fields
        .read("attempts", |value| values::whole(value, 0..=MOST_ATTEMPTS))
        .unless_absent(DEFAULT_RETRY.attempts);
    let retry = Retry { after: after?, attempts: attempts? };
    Some((retry.attempts > 0).then_some(retry))
}

/// More is no retry but a schedule.
const MOST_ATTEMPTS: u32 = 100;

/// Headers that shape the request itself: with another value it would not be one.
pub const RESERVED_HEADERS: [&str; 5] =
    ["connection", "content-length", "host", "transfer-encoding", "upgrade"];

fn read_headers(fields: &mut Fields<'_>) -> Read<Vec<(String, String)>> {
    let mut seen: Vec<HeaderName> = Vec::new();
    fields.entries("headers", |name, value| {
        let header = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| "found no name of a header, want letters, digits and `-`".to_owned())?;
        match header.as_str() {
            "x-api-key" => {
                return Err("not allowed here, want api_key_file in the account".to_owned());
            }
            reserved if RESERVED_HEADERS.contains(&reserved) => {
                return Err("not allowed: this header belongs to the connection".to_owned());
            }
            _ if seen.contains(&header) => {
                return Err("found a second time, want each header once".to_owned());
            }
            _ => seen.push(header),
        }
        let text = match value {
            Value::String(text) => text,
            other => return Err(values::unlike(other, "a text: put it in quotes")),
        };
        // The value is not shown: it may be a secret.
        HeaderValue::from_str(text)
            .map_err(|_| "found a character that no header may hold, want ASCII".to_owned())?;
        Ok((name.to_owned(), text.clone()))
    })
}
