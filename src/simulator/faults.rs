//! What goes wrong between Harness and its caller, as a test or a demo wishes it.
//!
//! A fault is put on an endpoint, for a number of calls or for a share of them. It never changes
//! what the world is, only what is said of it, but for one thing: whether the call was processed.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use super::random::Random;

/// The calls that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `POST …/webhook/custom` in its three versions.
    Trigger,
    /// `GET …/triggers/{id}/details`.
    TriggerLookup,
    /// `GET …/webhook/triggerExecutionDetails[V2]/{id}`.
    Event,
    /// `GET …/pipelines/execution/v2/{id}`.
    Execution,
    /// `POST …/pipelines/execution/summary`.
    Executions,
    /// `POST` and `GET …/triggers`.
    Triggers,
    /// Anything else.
    Unknown,
}

/// What befalls a call.
#[derive(Clone, Debug)]
pub enum Fault {
    /// It is not processed, and answered so.
    Before(Answer),
    /// It is processed as usual, but answered so: a webhook has started a run.
    After(Answer),
    /// It is processed and answered as usual, but the answer arrives like this.
    Usual(Delivery),
}

/// What is said instead of the usual answer.
#[derive(Clone, Debug)]
pub enum Answer {
    /// This status with the body that Harness, or the gateway before it, sends with it. 400 is the
    /// transient "Webhook event could not be received".
    Status {
        /// The HTTP status.
        code: u16,
        /// `Retry-After` in seconds, which the real one does not send.
        retry_after: Option<u64>,
    },
    /// Anything at all: a login page, broken JSON, a compressed bomb.
    Body {
        /// The HTTP status.
        status: u16,
        /// The headers beside `Date`.
        headers: Vec<(String, String)>,
        /// The body.
        bytes: Bytes,
    },
    /// 200 and the beginning of a JSON text that goes on for this many bytes, without a length.
    Flood {
        /// How many.
        bytes: u64,
    },
    /// The connection is reset.
    Reset,
    /// The connection is closed in good order, without an answer.
    Close,
    /// Nothing, for ever.
    Never,
}

/// How the usual answer arrives.
#[derive(Clone, Copy, Debug)]
pub enum Delivery {
    /// Half of the body, then the connection ends.
    Cut,
    /// The body byte by byte, so long after each other.
    Slow(Duration),
    /// Whole; then the kept-alive connection is closed without a warning.
    ThenClose,
}

impl Answer {
    /// An HTTP status with its usual body and no `Retry-After`.
    #[must_use]
    pub const fn status(code: u16) -> Self {
        Self::Status { code, retry_after: None }
    }

    /// A body of this content type.
    #[must_use]
    pub fn body(status: u16, content_type: &str, bytes: impl Into<Bytes>) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Self::Body { status, headers, bytes: bytes.into() }
    }
}

/// The faults to come.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    next: VecDeque<(Endpoint, u32, Fault)>,
    rates: Vec<(Endpoint, f64, Fault)>,
}

impl Faults {
    /// The next `count` calls of `endpoint` meet `fault`, after those already told.
    pub fn next(&mut self, endpoint: Endpoint, count: u32, fault: Fault) {
        self.next.push_back((endpoint, count, fault));
    }

    /// Each call of `endpoint` meets `fault` with this probability, 1.0 being always. Several rates
    /// are tried in the order in which they were told.
    pub fn rate(&mut self, endpoint: Endpoint, probability: f64, fault: Fault) {
        self.rates.push((endpoint, probability, fault));
    }

    /// No more faults.
    pub fn clear(&mut self) {
        self.next.clear();
        self.rates.clear();
    }

    pub(super) fn draw(&mut self, endpoint: Endpoint, random: &mut Random) -> Option<Fault> {
        self.next.retain(|(_, count, _)| *count > 0);
        if let Some((_, count, fault)) = self.next.iter_mut().find(|(of, ..)| *of == endpoint) {
            *count -= 1;
            return Some(fault.clone());
        }
        let mut rates = self.rates.iter().filter(|(of, ..)| *of == endpoint);
        rates
            .find(|(_, probability, _)| random.chance(*probability))
            .map(|(.., fault)| fault.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_come_in_turn_and_then_by_chance() {
        let mut faults = Faults::default();
        let mut random = Random::new(3);
        let mut draw = |faults: &mut Faults, endpoint| match faults.draw(endpoint, &mut random) {
            Some(Fault::Before(Answer::Status { code, .. })) => code,
            _ => 0,
        };
        let status = |code| Fault::Before(Answer::status(code));
        faults.next(Endpoint::Event, 2, status(500));
        faults.next(Endpoint::Event, 1, status(429));
        faults.next(Endpoint::Trigger, 0, status(418));
        let seen: Vec<_> = (0..4).map(|_| draw(&mut faults, Endpoint::Event)).collect();
        assert_eq!(seen, [500, 500, 429, 0]);
        assert_eq!(draw(&mut faults, Endpoint::Trigger), 0);

        faults.rate(Endpoint::Event, 0.5, status(503));
        let hits = (0..1_000).filter(|_| draw(&mut faults, Endpoint::Event) == 503).count();
        assert!((400..600).contains(&hits), "{hits}");
        faults.clear();
        assert_eq!(draw(&mut faults, Endpoint::Event), 0);
    }
}
