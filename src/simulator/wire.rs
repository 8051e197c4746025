//! The connection and the body as they must be for an answer to go wrong on its way: reset, closed
//! behind the caller's back, cut in the middle, a byte a second, without an end.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

/// What is to become of a connection.
#[derive(Debug, Default)]
pub(super) struct Fate {
    reset: AtomicBool,
    hang_up: AtomicBool,
}

impl Fate {
    /// Its end shall be a reset.
    pub(super) fn reset(&self) {
        self.reset.store(true, Ordering::SeqCst);
    }
}

/// A connection that obeys its fate.
pub(super) struct Line {
    stream: TcpStream,
    fate: Arc<Fate>,
}

impl Line {
    pub(super) const fn new(stream: TcpStream, fate: Arc<Fate>) -> Self {
        Self { stream, fate }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if self.fate.reset.load(Ordering::SeqCst) {
            // Where that fails the connection just ends, which is as bad for its other end.
            drop(self.stream.set_zero_linger());
        }
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // Nothing read is the end of the stream: the server then closes as if the caller had.
        if self.fate.hang_up.load(Ordering::SeqCst) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // An orderly end would get there before the reset.
        if self.fate.reset.load(Ordering::SeqCst) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// How a body comes out.
enum Manner {
    /// All of it.
    Whole,
    /// So much of it, and then an end of the connection.
    Cut { after: usize, sent: bool },
    /// A byte at a time.
    Slow { every: Duration, next: Pin<Box<Sleep>> },
    /// So many bytes more of a JSON text, in as many pieces as it takes.
    Flood { left: u64 },
}

/// The body of an answer.
pub(super) struct Outgoing {
    bytes: Bytes,
    manner: Manner,
    /// Hung up on when the body is out.
    line: Option<Arc<Fate>>,
}

const FLOOD: &[u8] = &[b'a'; 16 * 1024];

impl Outgoing {
    pub(super) const fn whole(bytes: Bytes) -> Self {
        Self { bytes, manner: Manner::Whole, line: None }
    }

    /// Whole, after which the connection is closed without a word.
    pub(super) const fn then_close(bytes: Bytes, line: Arc<Fate>) -> Self {
        Self { bytes, manner: Manner::Whole, line: Some(line) }
    }

    pub(super) const fn cut(bytes: Bytes) -> Self {
        let after = bytes.len() / 2;
        Self { bytes, manner: Manner::Cut { after, sent: false }, line: None }
    }

    pub(super) fn slow(bytes: Bytes, every: Duration) -> Self {
        Self { bytes, manner: Manner::Slow { every, next: Box::pin(sleep(every)) }, line: None }
    }

    pub(super) const fn flood(left: u64) -> Self {
        let bytes = Bytes::from_static(b"{\"status\":\"SUCCESS\",\"data\":\"");
        Self { bytes, manner: Manner::Flood { left }, line: None }
    }

    fn piece(bytes: Bytes) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        if let Some(line) = &self.line {
            line.hang_up.store(true, Ordering::SeqCst);
        }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = &mut *self;
        match &mut this.manner {
            Manner::Whole | Manner::Slow { .. } if this.bytes.is_empty() => Poll::Ready(None),
            Manner::Whole => Self::piece(std::mem::take(&mut this.bytes)),
            Manner::Cut { after, sent: false } => {
                let half = this.bytes.split_to(*after);
                this.manner = Manner::Cut { after: 0, sent: true };
                Self::piece(half)
            }
            Manner::Cut { after: 0, sent: true } => {
                // One turn for the half to be written, which an error would keep from it.
                this.manner = Manner::Cut { after: 1, sent: true };
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Manner::Cut { .. } => Poll::Ready(Some(Err(io::ErrorKind::BrokenPipe.into()))),
            Manner::Slow { every, next } => {
                ready!(next.as_mut().poll(context));
                *next = Box::pin(sleep(*every));
                Self::piece(this.bytes.split_to(1))
            }
            Manner::Flood { .. } if !this.bytes.is_empty() => {
                Self::piece(std::mem::take(&mut this.bytes))
            }
            Manner::Flood { left: 0 } => Poll::Ready(None),
            Manner::Flood { left } => {
                let size = usize::try_from(*left).unwrap_or(usize::MAX).min(FLOOD.len());
                *left = left.saturating_sub(u64::try_from(size).unwrap_or(u64::MAX));
                Self::piece(Bytes::from_static(FLOOD.get(..size).unwrap_or(FLOOD)))
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self.manner {
            Manner::Flood { .. } => SizeHint::default(),
            _ => SizeHint::with_exact(u64::try_from(self.bytes.len()).unwrap_or(u64::MAX)),
        }
    }
}
