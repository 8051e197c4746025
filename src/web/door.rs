//! Who is let in, how long they are waited for, and how they are seen out.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinError, JoinSet};
use tokio_rustls::TlsAcceptor;

use super::patience::Patient;
use super::presence::{Order, Presence};
use super::routes::Routes;
use super::{Limits, Site};

/// Why serving ended before it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A listener's task ended, which only a defect makes it do.
    #[error("a listener of the web server ended by itself")]
    Ended,
    /// A listener's task panicked.
    #[error("a listener of the web server panicked")]
    Panicked(#[from] JoinError),
}

/// Serves `site` on every listener until `shutdown` is done; then takes no more connections and
/// waits for the responses under way, at most `limits.drain`.
pub async fn serve(
    listeners: Vec<TcpListener>,
    site: Arc<Site>,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let routes = Arc::new(Routes::new(site, limits.body));
    let (open, closing) = watch::channel(());
    let mut doors = JoinSet::new();
    for listener in listeners {
        let door = Door { routes: routes.clone(), limits, closing: closing.clone() };
        doors.spawn(door.keep(listener));
    }
    tokio::select! {
        () = shutdown => drop(open),
        Some(ended) = doors.join_next() => {
            ended?;
            return Err(ServeError::Ended);
        }
    }
    while let Some(ended) = doors.join_next().await {
        ended?;
    }
    Ok(())
}

/// One listener's share of the work. `closing` changes when the other end is dropped.
#[derive(Clone)]
struct Door {
    routes: Arc<Routes>,
    limits: Limits,
    closing: watch::Receiver<()>,
}

/// A connection that was taken.
struct Guest {
    presence: Presence,
    task: AbortHandle,
}

impl Door {
    async fn keep(mut self, listener: TcpListener) {
        let mut attended = JoinSet::new();
        let mut guests: Vec<Guest> = Vec::new();
        let order = Order::default();
        let mut failing = false;
        loop {
            let accepted = tokio::select! {
                _ = self.closing.changed() => break,
                Some(left) = attended.join_next() => {
                    seen_out(left);
                    continue;
                }
                accepted = listener.accept() => accepted,
            };
            guests.retain(|guest| !guest.task.is_finished());
            match accepted {
                Ok((stream, _)) => {
                    failing = false;
                    if guests.len() >= self.limits.connections && !make_room(&mut guests) {
                        continue;
                    }
                    let presence = Presence::new(&order);
                    let task = attended.spawn(self.clone().attend(stream, presence.clone()));
                    guests.push(Guest { presence, task });
                }
                Err(error) => {
                    if !failing {
                        tracing::warn!(%error, "cannot accept connections");
                    }
                    failing = true;
                    make_room(&mut guests);
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
        drop(listener);
        while let Some(left) = attended.join_next().await {
            seen_out(left);
        }
    }

    async fn attend(self, stream: TcpStream, presence: Presence) {
        // Where it cannot be set, the last packet of a response comes a little later.
        let _ = stream.set_nodelay(true);
        let stream = Patient::new(stream, self.limits.stall, presence.clone());
        let Some(tls) = self.routes.tls() else { return self.converse(stream, presence).await };
        let handshake = TlsAcceptor::from(tls).accept(stream);
        // One that fails is the client's affair.
        if let Ok(Ok(stream)) = tokio::time::timeout(self.limits.header, handshake).await {
            self.converse(stream, presence).await;
        }
    }

    async fn converse<S>(mut self, stream: S, presence: Presence)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let io = TokioIo::new(stream);
        let service = service_fn(|request| {
            let service = presence.serve();
            let routes = self.routes.clone();
            async move {
                let reply = routes.answer(request).await;
                drop(service);
                Ok::<_, Infallible>(reply)
            }
        });
        let mut connection = pin!(
            http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(self.limits.idle)
                .max_header_size(MAX_HEAD)
                .serve_connection(io, service)
        );
        // A connection that breaks is the client's affair; what was asked has been answered.
        tokio::select! {
            _ = connection.as_mut() => return,
            () = nothing_asked(&presence, self.limits.header) => return,
            _ = self.closing.changed() => {}
        }
        connection.as_mut().graceful_shutdown();
        let _ = tokio::time::timeout(self.limits.drain, connection).await;
    }
}

/// The longest head of a request that is read; a longer one is answered with 431.
const MAX_HEAD: usize = 32 << 10;

async fn nothing_asked(presence: &Presence, within: Duration) {
    tokio::time::sleep(within).await;
    if presence.has_asked() {
        std::future::pending::<()>().await;
    }
}

/// Sends away whoever has waited longest; false where everybody is being served.
fn make_room(guests: &mut Vec<Guest>) -> bool {
    let waiting = guests
        .iter()
        .enumerate()
        .filter_map(|(place, guest)| guest.presence.waits_since().map(|since| (since, place)));
    let Some((_, place)) = waiting.min() else { return false };
    guests.swap_remove(place).task.abort();
    true
}

fn seen_out(left: Result<(), JoinError>) {
    if let Err(error) = left
        && error.is_panic()
    {
        tracing::error!(%error, "answering a request panicked");
    }
}
