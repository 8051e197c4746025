//! The door: how long connections are waited for, and who gives way where all places are taken.

use std::time::Duration;

use bytes::Bytes;
use harness_exporter::web::{Limits, Request, TriggerReply};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::server::{Server, Setup, client, in_time};

/// A connection that is kept after it has been answered.
async fn kept(server: &Server) -> TcpStream {
    let mut stream = server.connect().await;
    ask(&mut stream).await;
    stream
}

async fn ask(stream: &mut TcpStream) {
    stream.write_all(b"GET /-/ready HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\nready\n") {
        assert_ne!(in_time(stream.read_buf(&mut answer)).await.unwrap(), 0, "it was closed");
    }
}

async fn is_closed(stream: &mut TcpStream) -> bool {
    in_time(stream.read(&mut [0; 1])).await.unwrap_or(0) == 0
}

#[tokio::test]
async fn fault_39_kept_connections_give_way_the_longest_idle_first() {
    let limits = Limits { connections: 4, ..Limits::default() };
    let server = Setup { limits, ..Setup::default() }.start().await;
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(kept(&server).await);
    }
    // The first has asked last now, so the second is idle for longest.
    ask(&mut held[0]).await;
    let mut newcomer = kept(&server).await;
    assert!(is_closed(&mut held[1]).await);
    for at in [0, 2, 3] {
        ask(&mut held[at]).await;
    }
    ask(&mut newcomer).await;
    for _ in 0..12 {
        assert_eq!(server.get("/metrics").await.0, 200);
    }
}

#[tokio::test]
async fn who_is_being_served_does_not_give_way() {
    let (sender, mut requests) = mpsc::channel(1);
    let limits = Limits { connections: 3, ..Limits::default() };
    let body = Bytes::from(vec![b'#'; 64 << 20]);
    let setup = Setup { driver: Some(sender), limits, body, ..Setup::default() };
    let server = setup.start().await;
    let url = format!("http://{}/api/v1/pipelines/nightly/trigger", server.address);
    let mut asking = JoinSet::new();
    asking.spawn(client().post(url).send());
    let Some(Request::Trigger { reply, .. }) = in_time(requests.recv()).await else { panic!() };
    let mut reading = server.connect().await;
    reading
        .write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut first = [0; 1];
    in_time(reading.read_exact(&mut first)).await.unwrap();

    for _ in 0..12 {
        drop(kept(&server).await);
        let _idle = kept(&server).await;
    }
    reply.send(TriggerReply::Accepted { run: "r".to_owned() }).unwrap();
    assert_eq!(in_time(asking.join_next()).await.unwrap().unwrap().unwrap().status(), 202);
    let mut rest = Vec::new();
    in_time(reading.read_to_end(&mut rest)).await.unwrap();
    assert!(rest.len() > 64 << 20, "the whole of it");
}

#[tokio::test]
async fn who_sends_no_whole_head_is_not_waited_for() {
    let limits = Limits { header: Duration::from_millis(200), ..Limits::default() };
    let server = Setup { limits, ..Setup::default() }.start().await;
    for sent in ["", "GET /metrics HTTP/1.1\r\nhost: x\r\nx-a: "] {
        assert_eq!(server.raw(sent).await, "", "closed without an answer");
    }
}

#[tokio::test]
async fn who_has_asked_is_kept_for_longer_than_who_has_not() {
    let limits = Limits { header: Duration::from_millis(200), ..Limits::default() };
    let server = Setup { limits, ..Setup::default() }.start().await;
    let mut asked = kept(&server).await;
    // Comes later and is sent away for having asked nothing.
    assert!(is_closed(&mut server.connect().await).await);
    ask(&mut asked).await;
}

#[tokio::test]
async fn who_asks_no_more_is_not_kept_for_ever() {
    let limits = Limits { idle: Duration::from_millis(200), ..Limits::default() };
    let server = Setup { limits, ..Setup::default() }.start().await;
    assert!(is_closed(&mut kept(&server).await).await);
}

#[tokio::test]
async fn a_long_head_is_refused() {
    let server = Setup::default().start().await;
    let filler = "a".repeat(40_000);
    let answer = server.raw(&format!("GET /metrics HTTP/1.1\r\nhost: x\r\nx-a: {filler}")).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[tokio::test]
async fn a_reader_that_stops_reading_is_dropped() {
    let limits = Limits { stall: Duration::from_millis(200), ..Limits::default() };
    let body = Bytes::from(vec![b'#'; 64 << 20]);
    let server = Setup { limits, body, ..Setup::default() }.start().await;
    let mut stalled = server.connect().await;
    stalled.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    // The server's end is closed by now or soon: a write to it fails, though nothing was read.
    let dropped = async {
        while stalled.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    in_time(dropped).await;
}

#[tokio::test]
async fn silent_connections_give_way_to_who_asks() {
    let limits = Limits { connections: 4, ..Limits::default() };
    let server = Setup { limits, ..Setup::default() }.start().await;
    let mut silent = Vec::new();
    for _ in 0..12 {
        silent.push(server.connect().await);
    }
    assert_eq!(server.get("/metrics").await.0, 200);
    let mut oldest = silent.remove(0);
    assert_eq!(in_time(oldest.read(&mut [0; 1])).await.unwrap_or(0), 0, "the oldest was closed");
}

#[tokio::test]
async fn the_server_stops_and_finishes_what_it_was_asked() {
    let (sender, mut requests) = mpsc::channel(1);
    let mut server = Setup { driver: Some(sender), ..Setup::default() }.start().await;
    let idle = server.connect().await;
    let url = format!("http://{}/api/v1/pipelines/nightly/trigger", server.address);
    let mut asking = JoinSet::new();
    asking.spawn(client().post(url).send());
    let request = in_time(requests.recv()).await.unwrap();
    let Request::Trigger { reply, .. } = request else { panic!("{request:?}") };

    server.stop.take().unwrap().send(()).unwrap();
    let refused = async { while TcpStream::connect(server.address).await.is_ok() {} };
    in_time(refused).await;
    reply.send(TriggerReply::Accepted { run: "r".to_owned() }).unwrap();
    let answer = in_time(asking.join_next()).await.unwrap().unwrap().unwrap();
    assert_eq!(answer.status(), 202);
    in_time(server.tasks.join_next()).await.unwrap().unwrap();
    drop(idle);
}
