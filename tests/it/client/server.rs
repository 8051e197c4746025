//! A server that does to a connection what no HTTP server library would do.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use url::Url;

/// What happens once a request was read as a whole.
#[derive(Clone)]
pub(super) struct Play {
    pub(super) answer: Vec<u8>,
    pub(super) then: Then,
}

#[derive(Clone)]
pub(super) enum Then {
    KeepAlive,
    Close,
    /// Closes as soon as the next request begins to come in, and reads nothing of it.
    CloseOnNext,
    Reset,
    Stall,
    /// Sends a byte now and then, for ever.
    Trickle,
    Repeat(Vec<u8>),
}

/// A request as it was received.
pub(super) struct Received {
    /// Which connection it came in on, from 0.
    pub(super) connection: usize,
    /// Which request of that connection it is, from 0.
    pub(super) number: usize,
    pub(super) head: String,
    pub(super) body: String,
}

pub(super) struct Server {
    pub(super) url: Url,
    received: Arc<Mutex<Vec<Arc<Received>>>>,
    _listening: JoinSet<()>,
}

impl Server {
    pub(super) async fn start(play: impl Fn(&Received) -> Play + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let received = Arc::default();
        let mut listening = JoinSet::new();
        listening.spawn(listen(listener, Arc::new(play), Arc::clone(&received)));
        Self { url, received, _listening: listening }
    }

    /// Every request that came in whole.
    pub(super) fn received(&self) -> Vec<Arc<Received>> {
        self.received.lock().unwrap().clone()
    }
}

/// A port at which nobody listens.
pub(super) async fn closed_port() -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap()).parse().unwrap()
}

/// A server that takes connections and closes them at once.
pub(super) async fn slamming_door() -> (Url, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let mut listening = JoinSet::new();
    listening.spawn(async move { while listener.accept().await.is_ok() {} });
    (url, listening)
}

async fn listen(
    listener: TcpListener,
    play: Arc<impl Fn(&Received) -> Play + Send + Sync + 'static>,
    received: Arc<Mutex<Vec<Arc<Received>>>>,
) {
    let mut connections = JoinSet::new();
    for connection in 0.. {
        let (mut stream, _) = listener.accept().await.unwrap();
        let (play, received) = (Arc::clone(&play), Arc::clone(&received));
        connections.spawn(async move {
            for number in 0.. {
                let Some((head, body)) = read_request(&mut stream).await else { return };
                let request = Arc::new(Received { connection, number, head, body });
                received.lock().unwrap().push(Arc::clone(&request));
                if perform(&mut stream, play(&request)).await.is_none() {
                    return;
                }
            }
        });
    }
}

/// `None` where the connection is to be closed.
async fn perform(stream: &mut TcpStream, play: Play) -> Option<()> {
    stream.write_all(&play.answer).await.ok()?;
    match play.then {
        Then::KeepAlive => return Some(()),
        Then::Close => {}
        Then::CloseOnNext => stream.readable().await.ok()?,
        Then::Reset => stream.set_zero_linger().unwrap(),
        Then::Stall => std::future::pending().await,
        Then::Trickle => {
            while stream.write_all(b" ").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        Then::Repeat(piece) => while stream.write_all(&piece).await.is_ok() {},
    }
    None
}

async fn read_request(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && body.len() >= content_length(head)
        {
            return Some((head.to_owned(), body.to_owned()));
        }
        let read = stream.read_buf(&mut bytes).await;
        if !read.is_ok_and(|count| count > 0) {
            return None;
        }
    }
}

fn content_length(head: &str) -> usize {
    let value = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    value.map_or(0, |length| length.parse().unwrap())
}

/// A whole answer with this status line and body.
pub(super) fn answer(status: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}
