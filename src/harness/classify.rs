//! From an HTTP answer to our words.
//!
//! The HTTP status decides first and what the body says second, since Harness' errors have no one
//! form and gateways answer with pages. A webhook is only called refused where Harness certainly
//! did not act on it.

mod listing;

use std::time::Duration;

use super::secret::Secrets;
use super::wire::{self, Refusal, TriggerReply};
use crate::model::{EventAnswer, Reason, TriggerAnswer};
pub(super) use listing::{execution, executions, lookup};

/// The code with which Harness says, under status 400, that it does not know a path.
const UNKNOWN_PATH: &str = "RESOURCE_NOT_FOUND_EXCEPTION";

/// An answer whose head has come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    /// The HTTP status.
    pub(super) status: u16,
    /// `Retry-After`.
    pub(super) retry_after: Option<Duration>,
    /// What came after the head.
    pub(super) body: Body,
}

impl Reply {
    /// A line that names the HTTP status, the code and the message, cleaned.
    pub(super) fn told(&self, secrets: &Secrets) -> String {
        secrets.clean(&said(self).1)
    }
}

/// The body of an answer, decompressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// All of it.
    Whole(Vec<u8>),
    /// More than is read of any answer.
    TooLarge,
    /// It ended too early or could not be decompressed: this is what happened.
    Broken(String),
    /// It did not end in time: this is what happened.
    Stalled(String),
}

/// What an answer to a webhook means.
pub(super) fn trigger(reply: &Reply, secrets: &Secrets) -> TriggerAnswer {
    let unknown = |reason, message: &str| TriggerAnswer::Unknown {
        reason,
        message: secrets.clean(&format!("HTTP {}: {message}", reply.status)),
    };
    match (reply.status, &reply.body) {
        (429, _) => TriggerAnswer::Throttled { retry_after: reply.retry_after },
        (200..300, Body::Whole(body)) => match wire::trigger_reply(body, secrets) {
            Ok(TriggerReply::Event(event)) => TriggerAnswer::Accepted(event),
            Ok(TriggerReply::Refused(message)) => TriggerAnswer::Refused {
                reason: Reason::Rejected,
                message: secrets.clean(&format!("HTTP {}: {message}", reply.status)),
            },
            Err(problem) => unknown(Reason::BadResponse, &problem),
        },
        (200..300, Body::TooLarge) => unknown(Reason::BadResponse, "the answer is too large"),
        (200..300, Body::Broken(problem)) => unknown(Reason::BadResponse, problem),
        (200..300, Body::Stalled(problem)) => unknown(Reason::Unconfirmed, problem),
        (300..500, body) => refused(reply.status, body, secrets),
        (500..600, _) => TriggerAnswer::Unknown {
            reason: Reason::ServerError,
            message: secrets.clean(&said(reply).1),
        },
        _ => unknown(Reason::BadResponse, "no such status"),
    }
}

fn refused(status: u16, body: &Body, secrets: &Secrets) -> TriggerAnswer {
    let (code, text) = said_under(status, body);
    let message = secrets.clean(&text);
    if status == 404 || (status == 400 && code == UNKNOWN_PATH) {
        return TriggerAnswer::UnknownPath { message };
    }
    let reason = match status {
        401 => Reason::Unauthorized,
        403 => Reason::Forbidden,
        _ => Reason::Rejected,
    };
    TriggerAnswer::Refused { reason, message }
}

/// What an answer to the reading of an event means.
pub(super) fn event(reply: &Reply, secrets: &Secrets) -> EventAnswer {
    let failed = |problem: &str| EventAnswer::Failed {
        message: secrets.clean(&format!("HTTP {}: {problem}", reply.status)),
    };
    match (reply.status, &reply.body) {
        (429, _) => EventAnswer::Throttled { retry_after: reply.retry_after },
        (404 | 405, _) => EventAnswer::UnknownPath,
        (200, Body::Whole(body)) => match wire::event_details(body, secrets) {
            Ok(details) => EventAnswer::Details(Box::new(details)),
            Err(problem) => failed(&problem),
        },
        (200, Body::TooLarge) => failed("the answer is too large"),
        (200, Body::Broken(problem) | Body::Stalled(problem)) => failed(problem),
        (status, _) => {
            let (code, text) = said(reply);
            if status == 400 && code == UNKNOWN_PATH {
                EventAnswer::UnknownPath
            } else if status == 400 && tells_no_history(&text) {
                EventAnswer::NoHistory
            } else {
                EventAnswer::Failed { message: secrets.clean(&text) }
            }
        }
    }
}

/// "Trigger event history doesn't exist …", whatever becomes of its apostrophe on the way.
fn tells_no_history(text: &str) -> bool {
    let letters: String = text
        .to_lowercase()
        .replace("&#39;", "")
        .replace("does not", "doesnt")
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    letters.contains("historydoesntexist")
}

/// The error code, and a line that names the HTTP status, the code and the message.
fn said(reply: &Reply) -> (String, String) {
    said_under(reply.status, &reply.body)
}

fn said_under(status: u16, body: &Body) -> (String, String) {
    let refusal = match body {
        Body::Whole(body) => Refusal::read(body),
        Body::TooLarge | Body::Broken(_) | Body::Stalled(_) => Refusal::default(),
    };
    let mut line = format!("HTTP {status}");
    for part in [&refusal.code, &refusal.message] {
        if !part.is_empty() {
            line.push_str(": ");
            line.push_str(part);
        }
    }
    (refusal.code, line)
}

#[cfg(test)]
mod tests;
