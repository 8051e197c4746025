//! The faults: connections that fail at every step, and answers that are none.

use std::collections::HashMap;
use std::io::Write;

use super::server::{Play, Received, Server, Then, answer, closed_port, slamming_door};
use super::*;
use harness_exporter::model::Reason;

fn play(answer: impl Into<Vec<u8>>, then: Then) -> Play {
    Play { answer: answer.into(), then }
}

fn unknown(answer: &TriggerAnswer) -> Option<(Reason, &str)> {
    match answer {
        TriggerAnswer::Unknown { reason, message } => Some((*reason, message)),
        _ => None,
    }
}

#[tokio::test]
async fn fault_01_a_refused_connection_and_an_unknown_host_never_left() {
    let mut unresolvable = closed_port().await;
    // Longer than a label of a name can be, so that no resolver is asked.
    unresolvable.set_host(Some(&format!("{}.localhost", "a".repeat(64)))).unwrap();
    let table = [
        (closed_port().await, "could not connect: tcp connect error: connection refused"),
        (unresolvable, "could not connect: dns error: "),
    ];
    for (url, expected) in table {
        let answered = trigger(&client(&url), WebhookVersion::V3).await;
        let TriggerAnswer::NeverLeft { message } = answered.answer else {
            panic!("{:?}", answered.answer)
        };
        assert!(message.starts_with(expected), "{message}");
        assert_eq!((answered.code, answered.skew), (None, None));
        let EventAnswer::Failed { message } = read(&client(&url), DetailsVersion::V2).await.answer
        else {
            panic!("it was read")
        };
        assert!(message.starts_with(expected), "{message}");
    }
}

#[tokio::test]
async fn a_connection_closed_at_once_is_never_called_accepted_or_refused() {
    let (url, _listening) = slamming_door().await;
    let client = client(&url);
    for _ in 0..100 {
        let answer = trigger(&client, WebhookVersion::V1).await.answer;
        let left = unknown(&answer).is_some_and(|(reason, _)| reason == Reason::Unconfirmed);
        assert!(left || matches!(answer, TriggerAnswer::NeverLeft { .. }), "{answer:?}");
    }
}

#[tokio::test]
async fn faults_04_to_08_a_webhook_that_was_read_is_of_unknown_fate_and_not_sent_again() {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 94\r\n\r\n";
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let cut = &ACCEPTED[..40];
    let no_gzip = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\nno";
    let table = [
        (play("", Then::Reset), Reason::Unconfirmed, "connection reset"),
        (play("", Then::Close), Reason::Unconfirmed, "connection closed before message completed"),
        (play("", Then::Stall), Reason::Unconfirmed, "operation timed out"),
        (play("HTTP/1.1 200 OK\r\nx", Then::Stall), Reason::Unconfirmed, "operation timed out"),
        (play("HTTP/1.1 200 OK\r\nx", Then::Close), Reason::Unconfirmed, "connection closed"),
        (play("SSH-2.0-OpenSSH\r\n\r\n", Then::Close), Reason::Unconfirmed, "invalid http version"),
        (play(answer("502 Bad Gateway", "<html>"), Then::Close), Reason::ServerError, "HTTP 502"),
        (play(answer("500 Error", "{}"), Then::KeepAlive), Reason::ServerError, "HTTP 500"),
        (play(answer("200 OK", "<html>"), Then::KeepAlive), Reason::BadResponse, "a page instead"),
        (play(answer("200 OK", cut), Then::KeepAlive), Reason::BadResponse, "not JSON"),
        (play(format!("{head}{cut}"), Then::Close), Reason::BadResponse, "end of file"),
        (play(format!("{head}{cut}"), Then::Reset), Reason::BadResponse, "connection reset"),
        (play(format!("{chunked}5\r\n{{\"sta"), Then::Close), Reason::BadResponse, "unexpected"),
        (play(no_gzip, Then::Close), Reason::BadResponse, "gzip"),
        (play(format!("{head}{cut}"), Then::Stall), Reason::Unconfirmed, "operation timed out"),
        (play(head, Then::Stall), Reason::Unconfirmed, "operation timed out"),
    ];
    let mut tries = tokio::task::JoinSet::new();
    for (play, reason, expected) in table {
        tries.spawn(async move {
            let text = String::from_utf8_lossy(&play.answer).into_owned();
            let server = Server::start(move |_: &Received| play.clone()).await;
            let answer = trigger(&client(&server.url), WebhookVersion::V1).await.answer;
            let (found, message) = unknown(&answer).unwrap_or_else(|| panic!("{text}: {answer:?}"));
            assert_eq!(found, reason, "{text}: {message}");
            assert!(message.contains(expected), "{text}: {message}");
            assert_eq!(server.received().len(), 1, "{text}");
        });
    }
    while let Some(tried) = tries.join_next().await {
        tried.unwrap();
    }
}

#[tokio::test]
async fn fault_21_an_answer_that_trickles_hangs_or_ends_half_way_is_given_up() {
    let slow = "HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n{\"status\":\"SUCCESS\",";
    let cut =
        "HTTP 200: error reading a body from connection: end of file before message length reached";
    for (begins, then, code, said) in [
        (slow, Then::Trickle, Some(200), "HTTP 200: operation timed out"),
        (slow, Then::Stall, Some(200), "HTTP 200: operation timed out"),
        ("", Then::Stall, None, "operation timed out"),
        (slow, Then::Close, Some(200), cut),
    ] {
        let server = Server::start(move |_: &Received| play(begins, then.clone())).await;
        let answered = read(&client(&server.url), DetailsVersion::V2).await;
        assert_eq!(answered.answer, EventAnswer::Failed { message: said.to_owned() });
        assert_eq!(answered.code, code);
    }
}

#[tokio::test]
async fn fault_22_reading_stops_at_the_limit() {
    let endless = Play {
        answer: b"HTTP/1.1 200 OK\r\n\r\n{\"status\":\"SUCCESS\",\"data\":\"e1\",\"x\":\"".to_vec(),
        then: Then::Repeat(vec![b'x'; 64 * 1024]),
    };
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mebibyte = vec![b' '; 1024 * 1024];
    for _ in 0..64 {
        gzip.write_all(&mebibyte).unwrap();
    }
    let packed = gzip.finish().unwrap();
    let length = packed.len();
    assert!(length < 1024 * 1024);
    let mut bomb =
        format!("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {length}\r\n\r\n")
            .into_bytes();
    bomb.extend(packed);
    for play in [endless, play(bomb, Then::KeepAlive)] {
        let server = Server::start(move |_: &Received| play.clone()).await;
        let client =
            client_of(&Account { timeout: Duration::from_mins(1), ..account(&server.url) });
        let message = "HTTP 200: the answer is too large".to_owned();
        let answer = trigger(&client, WebhookVersion::V1).await.answer;
        let reason = Reason::BadResponse;
        assert_eq!(answer, TriggerAnswer::Unknown { reason, message: message.clone() });
        let answer = read(&client, DetailsVersion::V2).await.answer;
        assert_eq!(answer, EventAnswer::Failed { message });
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let other =
        Server::start(|_: &Received| play(answer("200 OK", ACCEPTED), Then::KeepAlive)).await;
    for status in ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let redirect =
            format!("HTTP/1.1 {status}\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n", other.url);
        let server =
            Server::start(move |_: &Received| play(redirect.clone(), Then::KeepAlive)).await;
        let client = client(&server.url);
        let answer = trigger(&client, WebhookVersion::V3).await.answer;
        let refused = matches!(answer, TriggerAnswer::Refused { reason: Reason::Rejected, .. });
        assert!(refused, "{status}: {answer:?}");
        let answer = read(&client, DetailsVersion::V2).await.answer;
        assert!(matches!(answer, EventAnswer::Failed { .. }), "{status}: {answer:?}");
        assert_eq!(server.received().len(), 2);
    }
    assert!(other.received().is_empty());
}

/// Of the connections kept alive after a webhook, a third is closed at once, a third while the next
/// one comes in, and a third once that was read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_11_a_connection_closed_just_before_the_webhook_doubles_none() {
    let server = Server::start(|request: &Received| {
        let then = match request.connection % 3 {
            0 => Then::Close,
            1 => Then::CloseOnNext,
            _ => Then::KeepAlive,
        };
        match request.number {
            0 => play(answer("200 OK", ACCEPTED), then),
            _ => play("", Then::Close),
        }
    })
    .await;
    let client = client(&server.url);
    let pipeline = pipeline();
    let mut answers = Vec::new();
    for number in 0..1_000 {
        let payload = format!(r#"{{"try":{number}}}"#);
        let answer = send(&client, &pipeline, WebhookVersion::V1, &payload).await.answer;
        answers.push((payload, answer));
    }
    let mut seen: HashMap<String, usize> = HashMap::new();
    for request in server.received() {
        *seen.entry(request.body.clone()).or_default() += 1;
    }
    let (mut accepted, mut read, mut unread) = (0, 0, 0);
    for (payload, answer) in answers {
        let times = seen.get(&payload).copied().unwrap_or_default();
        match answer {
            TriggerAnswer::Accepted(_) => {
                accepted += 1;
                assert_eq!(times, 1, "{payload}");
            }
            TriggerAnswer::NeverLeft { message } => assert_eq!(times, 0, "{payload}: {message}"),
            answer => {
                assert!(times <= 1, "{payload}");
                *if times == 1 { &mut read } else { &mut unread } += 1;
                assert!(unknown(&answer).is_some(), "{payload}: {answer:?}");
            }
        }
    }
    assert!(accepted > 400 && read > 100 && unread > 100, "{accepted}, {read}, {unread}");
}
