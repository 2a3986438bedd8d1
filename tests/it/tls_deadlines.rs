//! No phase of a connection waits for ever, and nobody takes all connections (protocol section 6).

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{sleep, timeout},
};
use tsunagi::tls::{
    Deadlines, HandshakeFailure, Options,
    client::{ClientError, HttpsClient, Response},
};

use crate::tls_stage::{CENTRE, PATIENT, Stage, ends, get, options, text};

const SHORT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn a_client_that_never_says_hello_is_dropped() {
    let stage = Stage::open(options(Deadlines { handshake: SHORT, ..PATIENT })).await;
    let mut tcp = TcpStream::connect(stage.address).await.unwrap();
    ends(&mut tcp).await;
    assert_eq!(stage.seen.failure().await, HandshakeFailure::Timeout);
    stage.seen.open(0).await;
}

#[tokio::test]
async fn a_client_that_stops_within_the_handshake_is_dropped() {
    let stage = Stage::open(options(Deadlines { handshake: SHORT, ..PATIENT })).await;
    let mut tcp = TcpStream::connect(stage.address).await.unwrap();
    // The head of a handshake record whose rest never comes.
    tcp.write_all(&[22, 3, 1, 1, 0, 1]).await.unwrap();
    ends(&mut tcp).await;
    assert_eq!(stage.seen.failure().await, HandshakeFailure::Timeout);
}

#[tokio::test]
async fn a_client_that_shakes_hands_and_asks_nothing_is_dropped() {
    let stage = Stage::open(options(Deadlines { idle: SHORT, farewell: SHORT, ..PATIENT })).await;
    let who = stage.files.client(CENTRE);
    for alpn in [&b"http/1.1"[..], b"h2"] {
        let mut stream = stage.raw(Some(&who), alpn).await.unwrap();
        ends(&mut stream).await;
        stage.seen.open(0).await;
    }
}

#[tokio::test]
async fn half_a_head_is_dropped_even_if_it_keeps_dripping() {
    let stage = Stage::open(options(Deadlines { head: SHORT, ..PATIENT })).await;
    let who = stage.files.client(CENTRE);
    let mut stream = stage.raw(Some(&who), b"http/1.1").await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nX-Slow: ").await.unwrap();
    let (mut read, mut write) = tokio::io::split(stream);
    let drip = tokio::spawn(async move {
        while write.write_all(b"x").await.is_ok() && write.flush().await.is_ok() {
            sleep(SHORT / 6).await;
        }
    });
    ends(&mut read).await;
    timeout(Duration::from_secs(10), drip).await.expect("the client cannot go on").unwrap();
    stage.seen.open(0).await;
}

#[tokio::test]
async fn a_connection_that_was_used_is_dropped_when_it_falls_silent_and_our_client_opens_another() {
    let stage = Stage::open(options(Deadlines { idle: SHORT, farewell: SHORT, ..PATIENT })).await;
    let who = stage.files.client(CENTRE);
    for connector in [stage.connector(&who), stage.connector(&who).http1_only()] {
        let client = stage.https(connector);
        assert_eq!(get(&client, "/").await.unwrap().status, 200);
        stage.seen.open(0).await;
        assert_eq!(get(&client, "/").await.unwrap().status, 200);
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_is_dropped() {
    let stage = Stage::open(options(Deadlines { answer: SHORT, idle: SHORT, farewell: SHORT, ..PATIENT })).await;
    let who = stage.files.client(CENTRE);
    let mut stream = stage.raw(Some(&who), b"http/1.1").await.unwrap();
    stream.write_all(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    stream.flush().await.unwrap();
    stage.seen.open(1).await;
    stage.seen.open(0).await;
}

#[tokio::test]
async fn a_client_that_opens_no_window_for_its_answer_is_dropped() {
    let stage = Stage::open(options(Deadlines { answer: SHORT, idle: SHORT, farewell: SHORT, ..PATIENT })).await;
    let who = stage.files.client(CENTRE);
    let mut stream = stage.raw(Some(&who), b"h2").await.unwrap();
    // RFC 9113: preface; SETTINGS with INITIAL_WINDOW_SIZE 0; HEADERS of GET https / with an authority.
    let settings = [0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0];
    let headers = [0, 0, 6, 1, 5, 0, 0, 0, 1, 0x82, 0x87, 0x84, 0x41, 1, b'x'];
    stream.write_all(&[&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &settings, &headers].concat()).await.unwrap();
    stream.flush().await.unwrap();
    // It does read, so the connection is alive; only the answer cannot be sent.
    ends(&mut stream).await;
    stage.seen.open(0).await;
}

#[tokio::test]
async fn an_answer_that_never_comes_ends_the_connection() {
    let stage = Stage::open(options(Deadlines { answer: SHORT, ..PATIENT })).await;
    let client = stage.client(&stage.files.client(CENTRE));
    assert!(get(&client, "/never").await.is_err());
    stage.seen.open(0).await;
}

#[tokio::test]
async fn a_head_of_more_than_32_kib_is_not_even_read() {
    let stage = Stage::open(options(PATIENT)).await;
    let who = stage.files.client(CENTRE);
    for (connector, name) in [(stage.connector(&who), "HTTP/2"), (stage.connector(&who).http1_only(), "HTTP/1.1")] {
        let client = stage.https(connector);
        for (size, status) in [(31 * 1024, 200), (33 * 1024, 431)] {
            assert_eq!(with_header_of(&client, size).await.unwrap().status, status, "{name}, {size}");
        }
        // Far beyond it HTTP/2 ends the connection.
        let far_beyond = with_header_of(&client, 100 * 1024).await;
        assert!(far_beyond.is_err() || far_beyond.is_ok_and(|answer| answer.status == 431), "{name}");
    }
}

async fn with_header_of(client: &HttpsClient, size: usize) -> Result<Response, ClientError> {
    let mut headers = HeaderMap::new();
    headers.insert("x-large", HeaderValue::from_str(&"x".repeat(size)).unwrap());
    client.request(Method::GET, "/", headers, Bytes::new()).await
}

#[tokio::test]
async fn one_address_cannot_take_all_connections() {
    let stage = Stage::open(Options { connections_per_address: 2, ..options(PATIENT) }).await;
    let (one, _two) = (TcpStream::connect(stage.address).await.unwrap(), TcpStream::connect(stage.address).await.unwrap());
    stage.seen.open(2).await;
    let mut three = TcpStream::connect(stage.address).await.unwrap();
    ends(&mut three).await;
    assert_eq!(stage.seen.failure().await, HandshakeFailure::TooMany);
    drop(one);
    stage.seen.open(1).await;
    let client = stage.client(&stage.files.client(CENTRE));
    assert_eq!(text(&get(&client, "/").await.unwrap()), CENTRE);
}

#[tokio::test]
async fn beyond_the_cap_a_connection_waits_its_turn() {
    let stage = Stage::open(Options { connections: 1, ..options(PATIENT) }).await;
    let who = stage.files.client(CENTRE);
    let mut first = stage.raw(Some(&who), b"http/1.1").await.unwrap();
    first.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    assert_eq!(first.read_u8().await.unwrap(), b'H');
    let client = stage.client(&who);
    let mut waiting = Box::pin(get(&client, "/"));
    assert!(timeout(SHORT, &mut waiting).await.is_err());
    drop(first);
    assert_eq!(text(&waiting.await.unwrap()), CENTRE);
}
