//! The log: one line an event on standard error, as Prometheus' own programs write it.
//!
//! A line can't be forged: whatever a value holds, it stays on its line and within its quotes.
//! Other crates are heard from `warn` on only, because at finer levels some of them print URLs and
//! headers, and with these our secrets. The context of spans is not shown: each line carries what
//! it needs.

use std::error::Error;
use std::fmt::{self, Write};
use std::io;

use clap::ValueEnum;
use jiff::Timestamp;
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// From which severity on our own events are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Level {
    /// Also what helps to follow the program's doing.
    Debug,
    /// Also each step of a run.
    #[default]
    Info,
    /// Also what may need somebody's attention.
    Warn,
    /// Only what went wrong.
    Error,
}

/// How a line is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// `time=… level=INFO msg="…" key=value`.
    #[default]
    Logfmt,
    /// One JSON object with the same keys.
    Json,
}

/// Starts writing the log to standard error. An error where it has been started before.
pub fn init(level: Level, format: Format) -> Result<(), TryInitError> {
    subscriber(level, format, io::stderr).try_init()
}

fn subscriber<W>(level: Level, format: Format, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let ours = match level {
        Level::Debug => LevelFilter::DEBUG,
        Level::Info => LevelFilter::INFO,
        Level::Warn => LevelFilter::WARN,
        Level::Error => LevelFilter::ERROR,
    };
    // `LevelFilter` orders by verbosity: the smaller one is the quieter one.
    let theirs = ours.min(LevelFilter::WARN);
    let filter = Targets::new().with_target("harness_exporter", ours).with_default(theirs);
    let lines = tracing_subscriber::fmt::layer().event_format(format).with_writer(writer);
    tracing_subscriber::registry().with(lines.with_filter(filter))
}

impl<S, N> FormatEvent<S, N> for Format
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut entries = Entries::default();
        event.record(&mut entries);
        let mut line = Line::of(*self);
        line.put("time", &Value::String(time()));
        line.put("level", &Value::String(event.metadata().level().to_string()));
        line.put("msg", &Value::String(entries.message));
        for (key, value) in entries.others {
            line.put(key, &value);
        }
        writeln!(writer, "{}", line.end())
    }
}

#[expect(clippy::disallowed_methods, reason = "a log line says when it was written")]
fn time() -> String {
    format!("{:.3}", Timestamp::now())
}

/// What an event holds, in its order.
#[derive(Default)]
struct Entries {
    message: String,
    others: Vec<(&'static str, Value)>,
}

impl Entries {
    fn push(&mut self, field: &Field, value: impl Into<Value>) {
        self.others.push((field.name(), value.into()));
    }

    fn push_text(&mut self, field: &Field, text: String) {
        if field.name() == "message" {
            self.message = text;
        } else {
            self.push(field, text);
        }
    }
}

impl Visit for Entries {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.push_text(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.push_text(field, value.to_owned());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut chain = value.to_string();
        let mut source = value.source();
        while let Some(error) = source {
            // Writing to a string does not fail.
            let _ = write!(chain, ": {error}");
            source = error.source();
        }
        self.push_text(field, chain);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.push(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.push(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.push(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.push(field, value);
    }
}

/// A line in the making.
struct Line {
    format: Format,
    text: String,
}

impl Line {
    fn of(format: Format) -> Self {
        Self { format, text: String::new() }
    }

    fn put(&mut self, key: &str, value: &Value) {
        let first = self.text.is_empty();
        match self.format {
            Format::Logfmt => {
                self.text.push_str(if first { "" } else { " " });
                self.text.push_str(key);
                self.text.push('=');
                match value {
                    Value::String(text) if is_bare(text) => self.text.push_str(text),
                    Value::String(text) => push_quoted(&mut self.text, text),
                    other => self.text.push_str(&other.to_string()),
                }
            }
            Format::Json => {
                self.text.push(if first { '{' } else { ',' });
                push_quoted(&mut self.text, key);
                self.text.push(':');
                match value {
                    Value::String(text) => push_quoted(&mut self.text, text),
                    other => self.text.push_str(&other.to_string()),
                }
            }
        }
    }

    fn end(mut self) -> String {
        if self.format == Format::Json {
            self.text.push('}');
        }
        self.text
    }
}

/// Whether logfmt needs no quotes around it.
fn is_bare(text: &str) -> bool {
    !text.is_empty()
        && text.chars().all(|c| is_printable(c) && !matches!(c, ' ' | '=' | '"' | '\\'))
}

/// Not a control character, a line end, a mark that turns the direction of writing, or the like.
fn is_printable(c: char) -> bool {
    c == '\'' || c.escape_debug().len() == 1
}

/// In quotes, with the escapes of JSON, which readers of logfmt understand too.
fn push_quoted(line: &mut String, text: &str) {
    line.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => line.extend(['\\', c]),
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push_str("\\t"),
            c if is_printable(c) => line.push(c),
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    // Writing to a string does not fail.
                    let _ = write!(line, "\\u{unit:04x}");
                }
            }
        }
    }
    line.push('"');
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(level: Level, format: Format, emit: impl FnOnce()) -> String {
        let sink = Sink::default();
        let writer = sink.clone();
        let subscriber = subscriber(level, format, move || writer.clone());
        tracing::subscriber::with_default(subscriber, emit);
        String::from_utf8(sink.0.lock().unwrap().clone()).unwrap()
    }

    fn emit_all() {
        let cause = io::Error::other("no route");
        let error: &(dyn Error + 'static) = &cause;
        tracing::info!(pipeline = "nightly", attempt = 2, late = false, took = 0.5, "run begun");
        tracing::error!(error, run = %"a b", "could not \"read\"");
        tracing::debug!("details");
        tracing::info!(target: "reqwest::connect", "starting https://user:secret@host/");
        tracing::debug!(target: "hyper_util", "x-api-key: secret");
        tracing::warn!(target: "rustls", "theirs");
    }

    fn without_time(lines: &str) -> String {
        let without = |line: &str| {
            let (start, rest) = line.split_once("20").unwrap();
            let (time, rest) = rest.split_once('Z').unwrap();
            assert_eq!(time.len(), "26-11-24T03:11:51.141".len(), "{line}");
            format!("{start}T{rest}")
        };
        lines.lines().map(without).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn lines_are_those_of_prometheus() {
        let lines = logged(Level::Info, Format::Logfmt, emit_all);
        insta::assert_snapshot!(without_time(&lines), @r#"
        time=T level=INFO msg="run begun" pipeline=nightly attempt=2 late=false took=0.5
        time=T level=ERROR msg="could not \"read\"" error="no route" run="a b"
        time=T level=WARN msg=theirs
        "#);
    }

    #[test]
    fn json_has_the_same_keys() {
        let lines = logged(Level::Info, Format::Json, emit_all);
        insta::assert_snapshot!(without_time(&lines), @r#"
        {"time":"T","level":"INFO","msg":"run begun","pipeline":"nightly","attempt":2,"late":false,"took":0.5}
        {"time":"T","level":"ERROR","msg":"could not \"read\"","error":"no route","run":"a b"}
        {"time":"T","level":"WARN","msg":"theirs"}
        "#);
    }

    #[test]
    fn levels_hold_and_other_crates_are_quiet_at_all_of_them() {
        for (level, shown) in
            [(Level::Debug, 4), (Level::Info, 3), (Level::Warn, 2), (Level::Error, 1)]
        {
            let lines = logged(level, Format::Logfmt, emit_all);
            assert_eq!(lines.lines().count(), shown, "{lines}");
            assert!(!lines.contains("secret"), "{lines}");
        }
    }

    #[test]
    fn no_value_leaves_its_line_or_its_quotes() {
        for (value, shown) in [
            ("plain", "plain"),
            ("it's", "it's"),
            ("ünïcode/ok?x:1", "ünïcode/ok?x:1"),
            ("", r#""""#),
            ("a b", r#""a b""#),
            ("a=b", r#""a=b""#),
            (r#"say "x""#, r#""say \"x\"""#),
            (r"back\slash", r#""back\\slash""#),
            ("x\nlevel=ERROR msg=forged", r#""x\nlevel=ERROR msg=forged""#),
            ("x\r\ty", r#""x\r\ty""#),
            ("\u{1b}[31mred\u{7}", r#""\u001b[31mred\u0007""#),
            ("nul\0del\u{7f}nel\u{85}", r#""nul\u0000del\u007fnel\u0085""#),
            ("sep\u{2028}rtl\u{202e}bom\u{feff}", r#""sep\u2028rtl\u202ebom\ufeff""#),
            ("tag\u{e0041}", r#""tag\udb40\udc41""#),
        ] {
            let line = logged(Level::Info, Format::Logfmt, || tracing::info!(value, "m"));
            assert!(line.ends_with(&format!(" msg=m value={shown}\n")), "{line}");

            let line = logged(Level::Info, Format::Json, || tracing::info!(value, "m"));
            assert_eq!(line.lines().count(), 1, "{line}");
            let read: Value = serde_json::from_str(&line).unwrap();
            assert_eq!(read["value"], value);
        }
    }
}
