//! The body of a request, bounded in size and in time.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};

use super::reply::Refusal;

/// What a body may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// The most that it may hold, in bytes.
    pub(super) size: usize,
    /// How long all of it may take to arrive.
    pub(super) time: Duration,
}

/// The whole body.
pub(super) async fn read(body: Incoming, bounds: Bounds) -> Result<Bytes, Refusal> {
    let too_large = || {
        let what = format!("the body is over {} KiB", bounds.size >> 10);
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, what)
    };
    if body.size_hint().lower() > bounds.size as u64 {
        return Err(too_large());
    }
    let whole = Limited::new(body, bounds.size).collect();
    match tokio::time::timeout(bounds.time, whole).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if is_too_large(error.as_ref()) => Err(too_large()),
        Ok(Err(_)) => Err(Refusal::new(StatusCode::BAD_REQUEST, "the body broke off")),
        Err(_) => Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, "the body took too long")),
    }
}

fn is_too_large(error: &(dyn Error + Send + Sync + 'static)) -> bool {
    error.is::<LengthLimitError>()
}
