//! The body of a webhook, which knows whether it has begun to leave.
//!
//! Harness can act on a webhook only once it has its body. A request that failed before the HTTP
//! library asked for the first byte of it has certainly not been acted on, whatever the library's
//! error says (it says the same for a connection closed before and after the request was read).

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// What became of the body, decided once: by the first byte asked for, or by giving the call up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Left,
    Withdrawn,
}

/// A body that leaves only if it was not withdrawn before.
#[derive(Debug)]
pub(super) struct WebhookBody {
    payload: Option<Bytes>,
    fate: Arc<OnceLock<Fate>>,
}

/// The sender's end of a [`WebhookBody`].
#[derive(Debug)]
pub(super) struct Departure(Arc<OnceLock<Fate>>);

/// The call was given up before the body was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the webhook was withdrawn before it was sent")]
pub(super) struct Withdrawn;

impl WebhookBody {
    pub(super) fn new(payload: &str) -> (Self, Departure) {
        let fate = Arc::new(OnceLock::new());
        if payload.is_empty() {
            // Such a request is whole with its head, so nobody asks for its body.
            let _ = fate.set(Fate::Left);
        }
        let body =
            Self { payload: Some(Bytes::copy_from_slice(payload.as_bytes())), fate: fate.clone() };
        (body, Departure(fate))
    }
}

impl Departure {
    /// Whether the webhook may have left. Where it has not it never will: the connection may still
    /// hold the request and wake up after the call was given up, and then gets no body.
    pub(super) fn may_have_left(&self) -> bool {
        *self.0.get_or_init(|| Fate::Withdrawn) == Fate::Left
    }
}

impl Body for WebhookBody {
    type Data = Bytes;
    type Error = Withdrawn;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Withdrawn>>> {
        let frame = match self.fate.get_or_init(|| Fate::Left) {
            Fate::Left => self.payload.take().map(|payload| Ok(Frame::data(payload))),
            Fate::Withdrawn => Some(Err(Withdrawn)),
        };
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.payload.as_ref().is_none_or(Bytes::is_empty)
    }

    /// Exact, so that `content-length` is sent.
    fn size_hint(&self) -> SizeHint {
        let length = self.payload.as_ref().map_or(0, Bytes::len);
        SizeHint::with_exact(u64::try_from(length).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll(body: &mut WebhookBody) -> Poll<Option<Result<Frame<Bytes>, Withdrawn>>> {
        Pin::new(body).poll_frame(&mut Context::from_waker(std::task::Waker::noop()))
    }

    #[test]
    fn it_leaves_with_the_first_byte_asked_for() {
        let (mut body, departure) = WebhookBody::new("{}");
        assert_eq!(body.size_hint().exact(), Some(2));
        assert!(!body.is_end_stream());
        let Poll::Ready(Some(Ok(frame))) = poll(&mut body) else { panic!("no frame") };
        assert_eq!(frame.into_data().unwrap(), "{}");
        assert!(body.is_end_stream());
        assert!(departure.may_have_left());
    }

    #[test]
    fn once_withdrawn_it_never_leaves() {
        let (mut body, departure) = WebhookBody::new("{}");
        assert!(!departure.may_have_left());
        assert!(matches!(poll(&mut body), Poll::Ready(Some(Err(Withdrawn)))));
        assert!(!departure.may_have_left());
    }

    #[test]
    fn an_empty_one_may_leave_unasked() {
        let (_body, departure) = WebhookBody::new("");
        assert!(departure.may_have_left());
    }
}
