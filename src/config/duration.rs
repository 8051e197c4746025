//! Durations as Prometheus writes them: `30s`, `1h30m`, `1d`.
//!
//! A number without a unit is refused, because nobody can tell whether seconds or minutes were
//! meant. So are fractions and units out of order: each length has few ways to be written.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A length of time, to the millisecond, at most a hundred years.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

/// Why a text is no duration; says what would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotASpan {
    /// A bare number.
    #[error("want a duration with a unit, such as 30s, 15m, 1h30m or 1d")]
    NoUnit,
    /// Anything else that is not one.
    #[error("want a duration such as 500ms, 30s, 15m, 1h30m, 1d or 1w")]
    Form,
    /// More than anyone waits, and more than a clock may have room for.
    #[error("want at most 100y")]
    TooLong,
}

/// From the largest to the smallest, which is also the order they are written in. Prometheus'
/// years have 365 days.
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

const LONGEST: u64 = 100 * 365 * 86_400_000;

impl FromStr for Span {
    type Err = NotASpan;

    fn from_str(text: &str) -> Result<Self, NotASpan> {
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NotASpan::NoUnit);
        }
        let mut rest = text;
        let mut units = UNITS.iter();
        let mut total: u64 = 0;
        loop {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, tail) = rest.split_at_checked(digits).ok_or(NotASpan::Form)?;
            let letters = tail.bytes().take_while(u8::is_ascii_lowercase).count();
            let (word, tail) = tail.split_at_checked(letters).ok_or(NotASpan::Form)?;
            if number.is_empty() {
                return Err(NotASpan::Form);
            }
            // Goes on where the last unit was found, so that none comes twice or too late.
            let (_, unit) = units.find(|(name, _)| *name == word).ok_or(NotASpan::Form)?;
            let part = number.parse().ok().and_then(|count: u64| count.checked_mul(*unit));
            total = part.and_then(|part| total.checked_add(part)).ok_or(NotASpan::TooLong)?;
            if tail.is_empty() {
                break;
            }
            rest = tail;
        }
        if total > LONGEST {
            return Err(NotASpan::TooLong);
        }
        Ok(Self(Duration::from_millis(total)))
    }
}

impl Span {
    /// What is told of how long something took: without milliseconds from a minute on.
    #[must_use]
    pub const fn told(self) -> Self {
        let whole = Duration::from_secs(self.0.as_secs());
        if whole.as_secs() < 60 { self } else { Self(whole) }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        if rest == 0 {
            return f.write_str("0s");
        }
        for (name, unit) in UNITS {
            // As Prometheus does: nobody reads 5w1d, so years and weeks stand alone.
            if matches!(name, "y" | "w") && rest % unit != 0 {
                continue;
            }
            if rest >= unit {
                write!(f, "{}{name}", rest / unit)?;
                rest %= unit;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_a_duration() {
        for (text, millis, shown) in [
            ("0s", 0, "0s"),
            ("0ms", 0, "0s"),
            ("500ms", 500, "500ms"),
            ("1500ms", 1500, "1s500ms"),
            ("30s", 30_000, "30s"),
            ("90s", 90_000, "1m30s"),
            ("15m", 900_000, "15m"),
            ("1h30m", 5_400_000, "1h30m"),
            ("90m", 5_400_000, "1h30m"),
            ("6h", 21_600_000, "6h"),
            ("1d", 86_400_000, "1d"),
            ("24h", 86_400_000, "1d"),
            ("36d", 36 * 86_400_000, "36d"),
            ("1w", 604_800_000, "1w"),
            ("7d", 604_800_000, "1w"),
            ("8d", 8 * 86_400_000, "8d"),
            ("1y", 365 * 86_400_000, "1y"),
            ("1y2w3d4h5m6s7ms", 33_019_506_007, "382d4h5m6s7ms"),
            ("007s", 7000, "7s"),
            ("100y", LONGEST, "100y"),
        ] {
            let span: Span = text.parse().unwrap();
            assert_eq!(span.0, Duration::from_millis(millis), "{text}");
            assert_eq!(span.to_string(), shown, "{text}");
        }
    }

    #[test]
    fn milliseconds_are_told_of_less_than_a_minute() {
        for (millis, told) in [
            (86_404_046, "1d4s"),
            (60_999, "1m"),
            (60_000, "1m"),
            (59_999, "59s999ms"),
            (46, "46ms"),
            (0, "0s"),
        ] {
            assert_eq!(Span(Duration::from_millis(millis)).told().to_string(), told);
        }
    }

    #[test]
    fn what_is_none() {
        for text in ["0", "15", "900"] {
            assert_eq!(text.parse::<Span>(), Err(NotASpan::NoUnit), "{text}");
        }
        for text in [
            "", "s", "m15", "15 m", " 15m", "15m ", "1h 30m", "1.5h", "-1m", "+1m", "1H", "15min",
            "30m1h", "1m1m", "1h30", "1µs", "١h", "1e3s", "1:30", "∞",
        ] {
            assert_eq!(text.parse::<Span>(), Err(NotASpan::Form), "{text}");
        }
        for text in ["101y", "100y1ms", "99999999999999999999s", "18446744073709551615y"] {
            assert_eq!(text.parse::<Span>(), Err(NotASpan::TooLong), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(millis in 0..=LONGEST) {
            let span = Span(Duration::from_millis(millis));
            prop_assert_eq!(span.to_string().parse(), Ok(span));
        }
    }
}
