//! The simulator on a socket.

use std::collections::BTreeMap;
use std::future::pending;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::DATE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::clock::Moment;
use super::faults::{Answer, Delivery, Fault};
use super::reply::Reply;
use super::routes::{Asked, Call, Route};
use super::wire::{Fate, Line, Outgoing};
use super::world::World;

/// A running simulator. Dropping it ends it, connections included.
#[derive(Debug)]
pub struct Simulator {
    address: SocketAddr,
    world: Arc<Mutex<World>>,
    /// The one task that accepts connections, and owns those that serve them.
    tasks: JoinSet<()>,
}

impl Simulator {
    /// Serves `world` at `address`; port 0 is any that is free.
    ///
    /// # Errors
    /// Where the address can't be had, or where there is no Tokio runtime to run in.
    pub fn start(world: World, address: SocketAddr) -> io::Result<Self> {
        let runtime = tokio::runtime::Handle::try_current().map_err(io::Error::other)?;
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let world = Arc::new(Mutex::new(world));
        let mut tasks = JoinSet::new();
        tasks.spawn_on(accept(listener, Arc::clone(&world)), &runtime);
        Ok(Self { address, world, tasks })
    }

    /// The base URL, without a path: `http://127.0.0.1:40123`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The world as it is now. It stands still, and nobody is answered, until this is dropped.
    pub fn world(&self) -> MutexGuard<'_, World> {
        let mut world = lock(&self.world);
        world.settle();
        world
    }

    /// Ends it, closes its connections, and gives the world back, to be served again.
    pub async fn stop(mut self) -> World {
        self.tasks.shutdown().await;
        std::mem::replace(&mut *lock(&self.world), World::new("", 0.0))
    }
}

/// A panic elsewhere leaves nothing half-done that would matter here.
fn lock(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: tokio::net::TcpListener, world: Arc<Mutex<World>>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(serve(stream, Arc::clone(&world)));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: TcpStream, world: Arc<Mutex<World>>) {
    let fate = Arc::new(Fate::default());
    let line = Line::new(stream, Arc::clone(&fate));
    let service = service_fn(|request| {
        let (world, fate) = (Arc::clone(&world), Arc::clone(&fate));
        async move { respond(request, &world, &fate).await }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(line), service);
    // What goes wrong here is either a fault that was wished for or the caller's own doing.
    drop(connection.await);
}

async fn respond(
    request: Request<Incoming>,
    world: &Mutex<World>,
    fate: &Arc<Fate>,
) -> io::Result<Response<Outgoing>> {
    let call = read(request).await?;
    let said = say(&mut lock(world), &call);
    let (reply, delivery) = match said.what {
        What::Reply(reply, delivery) => (reply, delivery),
        What::Flood(bytes) => {
            let reply = Reply::typed(200, "application/json", "");
            return said.date.response(reply, |_| Outgoing::flood(bytes));
        }
        What::Reset => {
            fate.reset();
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        What::Close => return Err(io::ErrorKind::ConnectionAborted.into()),
        What::Never => pending().await,
    };
    said.date.response(reply, |bytes| match delivery {
        None => Outgoing::whole(bytes),
        Some(Delivery::Cut) => Outgoing::cut(bytes),
        Some(Delivery::Slow(every)) => Outgoing::slow(bytes, every),
        Some(Delivery::ThenClose) => Outgoing::then_close(bytes, Arc::clone(fate)),
    })
}

async fn read(request: Request<Incoming>) -> io::Result<Call> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let query = head.uri.query().unwrap_or_default();
    let mut headers = BTreeMap::<String, String>::new();
    for (name, value) in &head.headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        headers
            .entry(name.as_str().to_owned())
            .and_modify(|all| *all = format!("{all}, {value}"))
            .or_insert_with(|| value.into_owned());
    }
    Ok(Call {
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        headers,
        body,
    })
}

/// What is to happen on the connection, and the time to name.
struct Said {
    date: Date,
    what: What,
}

enum What {
    Reply(Reply, Option<Delivery>),
    Flood(u64),
    Reset,
    Close,
    Never,
}

fn say(world: &mut World, call: &Call) -> Said {
    let now = world.settle();
    let correlation = call.header("x-requestid").map_or_else(|| world.random.uuid(), str::to_owned);
    let asked = Asked { call, now, correlation: &correlation };
    let route = Route::of(call);
    let fault = world.note_call(now, route.endpoint());
    let received = route.is_webhook().then(|| world.receive(asked));
    let what = match fault {
        None => What::Reply(world.answer(asked, &route, received), None),
        Some(Fault::Usual(delivery)) => {
            What::Reply(world.answer(asked, &route, received), Some(delivery))
        }
        Some(Fault::Before(answer)) => instead(answer, &correlation),
        Some(Fault::After(answer)) => {
            world.answer(asked, &route, received);
            instead(answer, &correlation)
        }
    };
    Said { date: Date::new(now, world.date_offset), what }
}

fn instead(answer: Answer, correlation: &str) -> What {
    match answer {
        Answer::Status { code, retry_after } => {
            let mut reply = Reply::of_status(code, correlation);
            let header = retry_after.map(|after| ("retry-after".to_owned(), after.to_string()));
            reply.headers.extend(header);
            What::Reply(reply, None)
        }
        Answer::Body { status, headers, bytes } => {
            What::Reply(Reply { status, headers, body: bytes }, None)
        }
        Answer::Flood { bytes } => What::Flood(bytes),
        Answer::Reset => What::Reset,
        Answer::Close => What::Close,
        Answer::Never => What::Never,
    }
}

/// The header `Date`: this Harness' clock.
struct Date(String);

impl Date {
    /// The last instant that the header's form has room for, less than a year 10000.
    const LATEST: Duration = Duration::from_secs(253_402_300_799);

    fn new(now: Moment, offset_ms: i64) -> Self {
        let offset = Duration::from_millis(offset_ms.unsigned_abs());
        let shown = if offset_ms < 0 {
            now.real.saturating_sub(offset)
        } else {
            now.real.saturating_add(offset)
        };
        Self(httpdate::fmt_http_date(UNIX_EPOCH + shown.min(Self::LATEST)))
    }

    fn response(
        self,
        reply: Reply,
        body: impl FnOnce(bytes::Bytes) -> Outgoing,
    ) -> io::Result<Response<Outgoing>> {
        let mut response = Response::builder().status(reply.status).header(DATE, self.0);
        for (name, value) in reply.headers {
            response = response.header(name, value);
        }
        response.body(body(reply.body)).map_err(io::Error::other)
    }
}
