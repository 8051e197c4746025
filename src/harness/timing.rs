//! The clocks around a call: how long it took, and how far Harness' clock is ahead of ours.

use std::time::{Duration, Instant, SystemTime};

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};

/// When a call began, by both clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stopwatch {
    wall: SystemTime,
    mono: Instant,
}

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "a call is timed where it is made")]
    pub(super) fn start() -> Self {
        Self { wall: SystemTime::now(), mono: Instant::now() }
    }

    /// How long ago it began.
    pub(super) fn elapsed(&self) -> Duration {
        self.mono.elapsed()
    }

    /// How far Harness' clock is ahead of ours, in milliseconds, by the `Date` of an answer whose
    /// head has just come in.
    pub(super) fn skew(&self, headers: &HeaderMap) -> Option<i64> {
        let middle = self.wall.checked_add(self.elapsed() / 2)?;
        skew(date(headers)?, middle)
    }

    /// `Retry-After` of an answer whose head has just come in, as a wait from now on.
    pub(super) fn retry_after(&self, headers: &HeaderMap) -> Option<Duration> {
        let now = date(headers).or_else(|| self.wall.checked_add(self.elapsed()))?;
        retry_after(headers, now)
    }
}

fn date(headers: &HeaderMap) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()
}

fn skew(theirs: SystemTime, ours: SystemTime) -> Option<i64> {
    // `Date` leaves out the fraction of its second, half a second on average.
    let theirs = theirs.checked_add(Duration::from_millis(500))?;
    match theirs.duration_since(ours) {
        Ok(ahead) => i64::try_from(ahead.as_millis()).ok(),
        Err(behind) => i64::try_from(behind.duration().as_millis()).ok().and_then(i64::checked_neg),
    }
}

/// In seconds or as a date (RFC 9110, 10.2.3); a date that is past means no wait. The date is by
/// Harness' clock, and so is `now`, where the answer tells it.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = httpdate::parse_http_date(text).ok()?;
    Some(until.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + DAY;
        let table = [
            ("7", Some(7)),
            (" 0 ", Some(0)),
            ("Fri, 02 Jan 1970 00:01:30 GMT", Some(90)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("-1", None),
            ("7.5", None),
            ("soon", None),
            ("", None),
        ];
        for (text, expected) in table {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
            let expected = expected.map(Duration::from_secs);
            assert_eq!(retry_after(&headers, now), expected, "{text:?}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn skew_is_positive_where_harness_is_ahead() {
        let ours = SystemTime::UNIX_EPOCH + DAY;
        assert_eq!(skew(ours, ours), Some(500));
        assert_eq!(skew(ours + DAY, ours), Some(86_400_500));
        assert_eq!(skew(ours - Duration::from_secs(3), ours), Some(-2_500));
        let headers = HeaderMap::from_iter([(DATE, "no date".parse().unwrap())]);
        assert_eq!(date(&headers), None);
    }
}
