//! When a pipeline is due.
//!
//! A schedule is a function of time and of the pipeline's name alone, so that every replica and
//! every restart arrives at the same due times. It knows nothing of what was sent.
//!
//! Due times are asked for at any instant; none are stored, and what it costs does not depend on
//! how many there are.

mod cron;
mod due_times;
mod occurrences;
mod pattern;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::date;
use jiff::tz::{self, TimeZone};

pub use self::cron::{CronError, Field};
pub use self::due_times::DueTimes;
use self::due_times::Kind;
use self::occurrences::Occurrences;
use self::pattern::Pattern;
use crate::model::PipelineName;

/// Where the due times of an interval lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// At a phase hashed from the pipeline's name, so that a fleet does not fire at once.
    Spread,
    /// At multiples of the interval since 1970-01-01T00:00:00Z.
    Epoch,
}

/// A schedule: due every so often, or when the clock on some wall shows certain times.
#[derive(Clone, Debug)]
pub struct Schedule {
    rule: Rule,
    text: Arc<str>,
    timezone: Arc<str>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    Every { interval: Duration, align: Align },
    Cron { occurrences: Occurrences, jitter: Duration },
}

/// The same due times, however they were written.
impl PartialEq for Schedule {
    fn eq(&self, other: &Self) -> bool {
        self.rule == other.rule
    }
}

impl Eq for Schedule {}

impl Schedule {
    /// Due at an interval of at least a second, which was written as `text`: `15m`.
    #[must_use]
    pub fn every(interval: Duration, align: Align, text: &str) -> Self {
        Self {
            rule: Rule::Every { interval, align },
            text: Arc::from(format!("every {text}")),
            timezone: Arc::from("UTC"),
        }
    }

    /// Due at the times that a cron expression (five fields, or a nickname such as `@daily`) names
    /// in the IANA time zone `timezone`. They fire after a delay below `jitter`.
    ///
    /// # Errors
    /// Where the expression or the zone is none. An expression that never fires is no error:
    /// see [`Self::never_fires`].
    pub fn cron(expression: &str, timezone: &str, jitter: Duration) -> Result<Self, CronError> {
        let pattern = Arc::new(cron::parse(expression)?);
        let unknown = || CronError::Timezone(timezone.to_owned());
        let zone = TimeZone::get(timezone).map_err(|_| unknown())?;
        let timezone = zone.iana_name().map(Arc::from).ok_or_else(unknown)?;
        let text = expression.split_whitespace().collect::<Vec<_>>().join(" ");
        let occurrences = Occurrences { pattern, zone };
        Ok(Self { rule: Rule::Cron { occurrences, jitter }, text: Arc::from(text), timezone })
    }

    /// The schedule as it was written: `every 15m` for an interval, `0 2 * * *` for an expression.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The zone in which its times are meant; UTC for an interval.
    #[must_use]
    pub fn timezone(&self) -> &str {
        &self.timezone
    }

    /// Whether it is never due, as on the 31st of February.
    #[must_use]
    pub fn never_fires(&self) -> bool {
        match &self.rule {
            Rule::Every { .. } => false,
            Rule::Cron { occurrences, .. } => occurrences.pattern.is_empty(),
        }
    }

    /// The same at `speed` times the pace, but at most once a second. Sped up, an hour is none any
    /// more: an expression becomes an interval, that between two of its times on average.
    #[must_use]
    pub fn sped_up(&self, speed: f64) -> Self {
        let (interval, align) = match &self.rule {
            Rule::Every { interval, align } => (*interval, *align),
            Rule::Cron { occurrences, .. } => (mean_gap(&occurrences.pattern), Align::Spread),
        };
        let interval = interval.div_f64(speed.max(1.0)).max(Duration::from_secs(1));
        Self { rule: Rule::Every { interval, align }, ..self.clone() }
    }

    /// The due times of the pipeline called `name`.
    #[must_use]
    pub fn due_times(&self, name: &PipelineName) -> DueTimes {
        DueTimes(match &self.rule {
            Rule::Every { interval, align } => {
                let phase = match align {
                    Align::Epoch => Duration::ZERO,
                    Align::Spread => share_of(*interval, name),
                };
                Kind::Every { interval: millis(*interval).max(1), phase: millis(phase) }
            }
            Rule::Cron { occurrences, jitter } => {
                Kind::Cron { occurrences: occurrences.clone(), delay: share_of(*jitter, name) }
            }
        })
    }
}

/// The names of all time zones, to find the one that was meant.
pub fn timezones() -> impl Iterator<Item = String> {
    tz::db().available().map(|name| name.as_str().to_owned())
}

/// The gap between two of its times on average, over the 400 years after which the calendar
/// repeats itself.
fn mean_gap(pattern: &Pattern) -> Duration {
    let [from, until] = [date(2000, 1, 1), date(2400, 1, 1)]
        .map(|day| day.duration_since(date(1970, 1, 1)).as_mins());
    let length = Duration::from_mins((until - from).unsigned_abs());
    length.div_f64(pattern.count(from, until).max(1) as f64)
}

/// The pipeline's own part of a span, to the millisecond: somewhere below it.
fn share_of(span: Duration, name: &PipelineName) -> Duration {
    let span = u64::try_from(span.as_millis()).unwrap_or(u64::MAX).max(1);
    Duration::from_millis(fnv1a(name.as_str().as_bytes()) % span)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// The form in which the store remembers it, to notice an edit: `every 900000ms spread`, or
/// `cron 0ms Europe/Berlin 0 2 * * *` with the jitter before the zone.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.rule {
            Rule::Every { interval, align } => {
                let align = match align {
                    Align::Spread => "spread",
                    Align::Epoch => "epoch",
                };
                write!(f, "every {}ms {align}", interval.as_millis())
            }
            Rule::Cron { jitter, .. } => {
                write!(f, "cron {}ms {} {}", jitter.as_millis(), self.timezone, self.text)
            }
        }
    }
}

/// A text in the store that no version of ours wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a schedule")]
pub struct NotASchedule;

impl FromStr for Schedule {
    type Err = NotASchedule;

    fn from_str(text: &str) -> Result<Self, NotASchedule> {
        let (kind, rest) = text.split_once(' ').ok_or(NotASchedule)?;
        let (written, rest) = rest.split_once(' ').ok_or(NotASchedule)?;
        let span = written.strip_suffix("ms").and_then(|millis| millis.parse().ok());
        let span = span.map(Duration::from_millis).ok_or(NotASchedule)?;
        match (kind, rest) {
            ("every", "spread") => Ok(Self::every(span, Align::Spread, written)),
            ("every", "epoch") => Ok(Self::every(span, Align::Epoch, written)),
            ("cron", rest) => {
                let (timezone, expression) = rest.split_once(' ').ok_or(NotASchedule)?;
                Self::cron(expression, timezone, span).map_err(|_| NotASchedule)
            }
            _ => Err(NotASchedule),
        }
    }
}

/// FNV-1a with a final mix. Part of the contract: a phase must not move between versions.
pub(crate) fn fnv1a(bytes: &[u8]) -> u64 {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    // Short names that differ in their last letter would else land next to each other.
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests;
