//! Every way in which an answer can go wrong, and that the world is what it then should be.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use harness_exporter::simulator::{Answer, Delivery, Endpoint, Fault, Simulator};

use super::{IDS, MINUTE, V1, advance, details, http, post, start, trigger, world};

fn simulator_with(fault: Fault) -> Simulator {
    let mut world = world();
    world.faults.next(Endpoint::Trigger, 1, fault);
    start(world)
}

/// A connection of our own, to see what no client shows. Whoever waits for ever fails.
fn connect(simulator: &Simulator) -> TcpStream {
    let stream = TcpStream::connect(simulator.address()).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    stream
}

fn send_webhook(stream: &mut TcpStream) {
    let head =
        format!("POST {V1}?{IDS} HTTP/1.1\r\nhost: harness\r\ncontent-length: 2\r\n\r\n{{}}");
    stream.write_all(head.as_bytes()).expect("a request");
}

/// Everything until the connection ends, and how it does.
fn read_to_end(stream: &mut TcpStream) -> (String, Option<ErrorKind>) {
    let mut bytes = Vec::new();
    let end = stream.read_to_end(&mut bytes).err().map(|error| error.kind());
    (String::from_utf8_lossy(&bytes).into_owned(), end)
}

/// How many webhooks came in, and how many of them became an event.
fn books(simulator: &Simulator) -> (usize, usize) {
    let world = simulator.world();
    let accepted = world.ledger.iter().filter(|received| received.event.is_some());
    (world.ledger.len(), accepted.count())
}

async fn raw(simulator: Simulator) -> (Simulator, String, Option<ErrorKind>) {
    tokio::task::spawn_blocking(move || {
        let mut stream = connect(&simulator);
        send_webhook(&mut stream);
        let (text, end) = read_to_end(&mut stream);
        (simulator, text, end)
    })
    .await
    .expect("an end")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_ends_as_it_was_wished() {
    let table = [
        (Fault::Before(Answer::Reset), Some(ErrorKind::ConnectionReset), 0),
        (Fault::After(Answer::Reset), Some(ErrorKind::ConnectionReset), 1),
        (Fault::Before(Answer::Close), None, 0),
        (Fault::After(Answer::Close), None, 1),
    ];
    for (fault, wanted, accepted) in table {
        let (simulator, text, end) = raw(simulator_with(fault.clone())).await;
        assert_eq!((text.as_str(), end), ("", wanted), "{fault:?}");
        assert_eq!(books(&simulator), (1, accepted), "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_body_comes_and_then_nothing() {
    let (simulator, text, end) = raw(simulator_with(Fault::Usual(Delivery::Cut))).await;
    assert_eq!(end, None);
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let (_, length) = head.split_once("content-length: ").expect("a length");
    let length: usize = length.lines().next().unwrap().parse().unwrap();
    assert_eq!(body.len(), length / 2);
    assert!(body.starts_with('{') && !body.is_empty());
    assert_eq!(books(&simulator), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_alive_connection_is_closed_without_a_warning() {
    let (simulator, text, end) = raw(simulator_with(Fault::Usual(Delivery::ThenClose))).await;
    assert_eq!(end, None);
    assert!(text.starts_with("HTTP/1.1 200 OK") && text.ends_with('}'), "{text}");
    assert!(!text.to_lowercase().contains("connection: close"), "{text}");
    assert_eq!(books(&simulator), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_may_come_slowly() {
    let every = Duration::from_millis(1);
    let simulator = simulator_with(Fault::Usual(Delivery::Slow(every)));
    let simulator = tokio::task::spawn_blocking(move || {
        let mut stream = connect(&simulator);
        send_webhook(&mut stream);
        let (mut pieces, mut piece) = (0, [0; 4096]);
        let mut text = String::new();
        while !text.ends_with('}') {
            let length = stream.read(&mut piece).expect("a piece");
            assert_ne!(length, 0, "{text}");
            text.push_str(std::str::from_utf8(&piece[..length]).expect("text"));
            pieces += 1;
        }
        assert!(pieces > 5, "{pieces}");
        simulator
    })
    .await
    .expect("an end");
    assert_eq!(books(&simulator), (1, 1));
}

#[tokio::test]
async fn nothing_is_ever_said() {
    for (fault, accepted) in [(Fault::Before(Answer::Never), 0), (Fault::After(Answer::Never), 1)] {
        let simulator = simulator_with(fault);
        let request = http().post(format!("{}{V1}?{IDS}", simulator.url())).body("{}");
        let error = request.timeout(Duration::from_millis(300)).send().await.unwrap_err();
        assert!(error.is_timeout(), "{error}");
        assert_eq!(books(&simulator), (1, accepted));
    }
}

#[tokio::test]
async fn other_statuses_and_bodies_are_said() {
    let throttled = Answer::Status { code: 429, retry_after: Some(7) };
    let table = [
        (Fault::Before(throttled), 429, Some("7"), "429", 0),
        (Fault::Before(Answer::status(429)), 429, None, "429", 0),
        (Fault::Before(Answer::status(400)), 400, None, "could not be received", 0),
        (Fault::After(Answer::status(500)), 500, None, "Oops", 1),
        (Fault::After(Answer::status(502)), 502, None, "<html>", 1),
        (Fault::After(Answer::body(200, "text/html", "<p>Log in")), 200, None, "Log in", 1),
        (Fault::After(Answer::body(200, "application/json", &b"{\xff\0"[..])), 200, None, "{", 1),
    ];
    for (fault, status, retry_after, text, accepted) in table {
        let case = format!("{fault:?}");
        let simulator = simulator_with(fault);
        let request = http().post(format!("{}{V1}?{IDS}", simulator.url())).body("{}");
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status().as_u16(), status, "{case}");
        let header = response.headers().get("retry-after").map(|value| value.to_str().unwrap());
        assert_eq!(header, retry_after, "{case}");
        assert!(response.headers().contains_key("date"), "{case}");
        let body = response.text().await.expect("a body");
        assert!(body.contains(text), "{case}: {body}");
        assert_eq!(books(&simulator), (1, accepted), "{case}");
        // A fault leaves no trace: the next one is as any other.
        trigger(&simulator).await;
        assert_eq!(books(&simulator), (2, accepted + 1), "{case}");
    }
}

#[tokio::test]
async fn a_flood_is_as_long_as_was_wished() {
    let bytes = 3_000_001;
    let simulator = simulator_with(Fault::Before(Answer::Flood { bytes }));
    let request = http().post(format!("{}{V1}?{IDS}", simulator.url())).body("{}");
    let response = request.send().await.expect("an answer");
    assert_eq!(response.content_length(), None);
    let body = response.text().await.expect("a body");
    assert_eq!(body.len() - body.trim_end_matches('a').len(), 3_000_001);
}

#[tokio::test]
async fn each_endpoint_has_faults_of_its_own_and_calls_are_counted() {
    let simulator = start(world());
    let fault = Fault::Before(Answer::status(503));
    simulator.world().faults.rate(Endpoint::Event, 1.0, fault);
    let event = trigger(&simulator).await;
    for _ in 0..3 {
        assert_eq!(details(&simulator, "V2", &event).await.status, 503);
    }
    simulator.world().faults.clear();
    assert_eq!(details(&simulator, "V2", &event).await.status, 200);
    let world = simulator.world();
    let endpoints: Vec<_> = world.calls.iter().map(|(_, endpoint)| *endpoint).collect();
    let event = Endpoint::Event;
    assert_eq!(endpoints, [Endpoint::Trigger, event, event, event, event]);
    assert_eq!(world.most_calls_within(Duration::from_hours(1)), 5);
}

#[tokio::test]
async fn it_can_be_away_and_come_back_with_its_world() {
    let simulator = start(world());
    let (url, address) = (simulator.url(), simulator.address());
    let event = trigger(&simulator).await;
    let world = simulator.stop().await;
    let error = http().post(format!("{url}{V1}?{IDS}")).body("{}").send().await.unwrap_err();
    assert!(error.is_connect(), "{error}");
    let simulator = Simulator::start(world, address).expect("the same address");
    advance(&simulator, MINUTE);
    assert_eq!(details(&simulator, "", &event).await.status, 200);
    post(&simulator, &format!("{V1}?{IDS}"), "{}").await;
    assert_eq!(books(&simulator), (2, 2));
}
