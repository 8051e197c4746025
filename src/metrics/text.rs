//! Writes the text format of Prometheus, version 0.0.4.
//!
//! It takes any text for a label value and any number, and has no way to fail. A series that says
//! "not a number" is left out.

use std::io::Write as _;

use super::catalogue::{Histogram, Metric, Number, Value};

/// The `Content-Type` of what is written.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The text so far.
#[derive(Debug, Default)]
pub(super) struct Text {
    out: Vec<u8>,
    series: u64,
    /// The labels of the series being written, kept for their memory.
    labels: Labels,
}

/// A family being written. Its header is written with its first series, or never.
#[derive(Debug)]
pub(super) struct Family<'a> {
    text: &'a mut Text,
    metric: &'a Metric,
    begun: bool,
}

/// Labels as they stand between the braces. Those of a pipeline are written once and used for all
/// of its series.
#[derive(Debug, Default)]
pub(super) struct Labels(Vec<u8>);

impl Text {
    /// An empty text with room for `bytes`.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { out: Vec::with_capacity(bytes), ..Self::default() }
    }

    /// How many series there are so far: lines with a value, as a server counts them.
    pub(super) fn series(&self) -> u64 {
        self.series
    }

    /// Begins the family of `metric`. Each is to be begun once.
    pub(super) fn family<'a>(&'a mut self, metric: &'a Metric) -> Family<'a> {
        Family { text: self, metric, begun: false }
    }

    /// The text itself.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    fn put(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }
}

impl Labels {
    /// Adds a label.
    pub(super) fn push(&mut self, name: &str, value: &str) {
        self.begin(name);
        for character in value.chars() {
            match character {
                '\\' => self.0.extend_from_slice(b"\\\\"),
                '"' => self.0.extend_from_slice(b"\\\""),
                '\n' => self.0.extend_from_slice(b"\\n"),
                _ => self.0.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        self.0.push(b'"');
    }

    fn push_bound(&mut self, bound: Number) {
        self.begin("le");
        write_number(&mut self.0, bound);
        self.0.push(b'"');
    }

    fn begin(&mut self, name: &str) {
        if !self.0.is_empty() {
            self.0.push(b',');
        }
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"=\"");
    }
}

impl Family<'_> {
    /// Writes a series: `fixed`, then the metric's own labels with these values.
    pub(super) fn series(&mut self, fixed: &Labels, values: &[&str], value: Value<'_>) {
        if !is_number(value) {
            return;
        }
        if !self.begun {
            self.begun = true;
            self.header();
        }
        let mut labels = std::mem::take(&mut self.text.labels);
        labels.0.clear();
        labels.0.extend_from_slice(&fixed.0);
        for (label, value) in self.metric.labels.iter().zip(values) {
            labels.push(label.name, value);
        }
        match value {
            Value::Number(value) => self.line("", &labels, value),
            Value::Histogram(value) => self.histogram(&mut labels, value),
        }
        self.text.labels = labels;
    }

    fn header(&mut self) {
        let Metric { name, kind, .. } = self.metric;
        // A line feed would end the line; everything else but a backslash stands for itself.
        let help = self.metric.help_text().replace('\\', "\\\\").replace('\n', "\\n");
        for part in ["# HELP ", name, " ", &help, "\n# TYPE ", name, " ", kind.as_str(), "\n"] {
            self.text.put(part);
        }
    }

    fn histogram(&mut self, labels: &mut Labels, value: &Histogram) {
        let end = labels.0.len();
        let all = (Number::Float(f64::INFINITY), value.count);
        for (bound, observed) in value.buckets.iter().copied().chain([all]) {
            labels.push_bound(bound);
            self.line("_bucket", labels, count(observed));
            labels.0.truncate(end);
        }
        self.line("_sum", labels, value.sum);
        self.line("_count", labels, count(value.count));
    }

    fn line(&mut self, suffix: &str, labels: &Labels, value: Number) {
        let text = &mut *self.text;
        text.put(self.metric.name);
        text.put(suffix);
        if !labels.0.is_empty() {
            text.put("{");
            text.out.extend_from_slice(&labels.0);
            text.put("}");
        }
        text.put(" ");
        write_number(&mut text.out, value);
        text.put("\n");
        text.series += 1;
    }
}

fn count(observed: u64) -> Number {
    Number::Count(i64::try_from(observed).unwrap_or(i64::MAX))
}

fn is_number(value: Value<'_>) -> bool {
    let number = match value {
        Value::Number(number) => number,
        Value::Histogram(histogram) => histogram.sum,
    };
    !matches!(number, Number::Float(float) if float.is_nan())
}

pub(super) fn write_number(out: &mut Vec<u8>, number: Number) {
    // Writing to memory cannot fail.
    let _ = match number {
        Number::Count(value) => write!(out, "{value}"),
        Number::Millis(value) => write_millis(out, value),
        Number::Float(f64::INFINITY) => write!(out, "+Inf"),
        Number::Float(f64::NEG_INFINITY) => write!(out, "-Inf"),
        Number::Float(value) => write!(out, "{value}"),
    };
}

/// As seconds, exactly and without trailing zeros: a float would not hold every instant.
fn write_millis(out: &mut Vec<u8>, millis: i64) -> std::io::Result<()> {
    let sign = if millis < 0 { "-" } else { "" };
    let (seconds, rest) = (millis.unsigned_abs() / 1_000, millis.unsigned_abs() % 1_000);
    write!(out, "{sign}{seconds}")?;
    match (rest, rest % 10, rest % 100) {
        (0, ..) => Ok(()),
        (_, _, 0) => write!(out, ".{}", rest / 100),
        (_, 0, _) => write!(out, ".{:02}", rest / 10),
        _ => write!(out, ".{rest:03}"),
    }
}
