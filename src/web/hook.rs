//! `POST /hooks/harness`: Harness says that something has happened.
//!
//! It saves waiting for the next look, and nothing depends on it: what it says is looked up, so it
//! may be dropped where there is too much of it. It has a token of its own and needs no user.
//! Nothing of a body is logged.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::header::HeaderName;
use http::{HeaderMap, StatusCode};
use secrecy::ExposeSecret;
use secrecy::SecretString;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::keyed::Keyed;
use super::reply::{self, Refusal, Reply};
use super::{Request, notified};
use crate::model::ExecutionId;

/// The most that a notification may hold, in bytes.
pub(super) const MAX_BODY: usize = 64 << 10;

const TOKEN: HeaderName = HeaderName::from_static("x-harness-exporter-token");

/// How long what was said need not be said again. Harness says of an end twice, and a flood says
/// the same all the time.
const SAID_FOR: Duration = Duration::from_secs(2);

/// How much of what was said is remembered.
const MOST_SAID: usize = 256;

/// The lines in which notifications come in.
#[derive(Debug, Default)]
pub(super) struct Hook {
    said: Mutex<VecDeque<(Instant, Said)>>,
}

/// What makes two notifications say the same.
type Said = (ExecutionId, String);

impl Hook {
    /// Whether the request may be listened to.
    pub(super) fn admits(
        headers: &HeaderMap,
        token: Option<&SecretString>,
        keyed: &Keyed,
    ) -> Result<(), Refusal> {
        let Some(token) = token else {
            let what = "notifications are off; `notifications` in the config switches them on";
            return Err(Refusal::new(StatusCode::NOT_FOUND, what));
        };
        let claimed = headers.get(TOKEN).map_or(&b""[..], |value| value.as_bytes());
        let wanted = keyed.tag(&[token.expose_secret().as_bytes()]);
        if keyed.same(&wanted, &keyed.tag(&[claimed])) {
            return Ok(());
        }
        let what = "the header X-Harness-Exporter-Token is not what the config says";
        Err(Refusal::new(StatusCode::UNAUTHORIZED, what))
    }

    /// Hands on what `body` says, unless it was said just now or the driver has enough to do. The
    /// sender is told the same each time: there is nothing it could do better.
    pub(super) fn take(
        &self,
        driver: &mpsc::Sender<Request>,
        body: &[u8],
    ) -> Result<Reply, Refusal> {
        let bad = |what| Refusal::new(StatusCode::BAD_REQUEST, what);
        let notification = notified::read(body).map_err(bad)?;
        // A trigger that failed has no execution to look at; its event is read anyway.
        if let Some(execution) = notification.execution {
            self.hand_on(driver, &execution, notification.event);
        }
        Ok(reply::text(StatusCode::ACCEPTED, "taken"))
    }

    fn hand_on(&self, driver: &mpsc::Sender<Request>, execution: &ExecutionId, event: String) {
        // Half of the queue is for those who wait for an answer.
        let has_room = driver.capacity() > driver.max_capacity() / 2;
        if has_room && self.is_new((execution.clone(), event)) {
            let handed_on = driver.try_send(Request::Notified(execution.clone())).is_ok();
            tracing::debug!(%execution, handed_on, "harness notifies");
        }
    }

    fn is_new(&self, this: Said) -> bool {
        let now = Instant::now();
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        while said.front().is_some_and(|(at, _)| now.duration_since(*at) >= SAID_FOR) {
            said.pop_front();
        }
        if said.iter().any(|(_, other)| *other == this) {
            return false;
        }
        if said.len() >= MOST_SAID {
            said.pop_front();
        }
        said.push_back((now, this));
        true
    }
}
