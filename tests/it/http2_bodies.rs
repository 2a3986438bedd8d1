//! Bodies far beyond the limit over HTTP/2: the answer comes whole before the stream ends, and the connection goes on (RFC 9113 section 8.1).

use std::{future::poll_fn, time::Duration};

use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream, client};
use http::{Method, Request, StatusCode, header};
use serde_json::Value;

use crate::exchange_stage::{
    CENTRE, Sandbox, Settings,
    raw::{Version, connect},
};

const FAR_BEYOND: usize = 32 * 1024 * 1024;
const PIECE: usize = 16 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_far_beyond_the_limit_is_answered_before_its_stream_ends_without_an_error() {
    let sandbox = Sandbox::new(Settings::default());
    let server = sandbox.serve().await;
    let (mut sender, connection) = client::handshake(connect(&sandbox, CENTRE, Version::Http2).await).await.unwrap();
    let driven = tokio::spawn(connection);
    let target = |path: &str| format!("https://localhost:{}{path}", sandbox.address().port());
    for announced in [Some(FAR_BEYOND), None] {
        let mut request =
            Request::builder().method(Method::POST).uri(target("/v1/referrals")).header(header::CONTENT_TYPE, "application/jose");
        if let Some(length) = announced {
            request = request.header(header::CONTENT_LENGTH, length);
        }
        let (answer, mut body) = sender.send_request(request.body(()).unwrap(), false).unwrap();
        let writing = tokio::spawn(async move {
            let sent = write(&mut body).await;
            (sent, reset(&mut body).await)
        });
        let answer = within(answer).await.unwrap();
        let (status, code) = if announced.is_some() {
            (StatusCode::PAYLOAD_TOO_LARGE, "too_large")
        } else {
            (StatusCode::LENGTH_REQUIRED, "length_required")
        };
        assert_eq!((answer.status(), answer.headers()[header::CONTENT_TYPE].to_str().unwrap()), (status, "application/problem+json"));
        let problem: Value = serde_json::from_slice(&within(read(answer.into_body())).await).unwrap();
        assert_eq!((&problem["code"], &problem["status"]), (&Value::from(code), &Value::from(status.as_u16())));
        let (sent, reason) = within(writing).await.unwrap();
        assert!(sent < FAR_BEYOND / 4, "{sent}: nobody takes all of it");
        assert_eq!(reason, Reason::NO_ERROR, "what was sent is no error of the protocol");
    }
    let further = Request::builder().uri(target("/v1/parties")).body(()).unwrap();
    let (answer, _) = sender.send_request(further, true).unwrap();
    assert_eq!(within(answer).await.unwrap().status(), StatusCode::OK, "the connection goes on");
    drop(sender);
    driven.abort();
    server.stop().await;
}

/// Writes as far as the gateway lets it. Says how much that was.
async fn write(body: &mut SendStream<Bytes>) -> usize {
    let mut sent = 0;
    while sent < FAR_BEYOND {
        body.reserve_capacity(PIECE);
        match poll_fn(|context| body.poll_capacity(context)).await {
            Some(Ok(room)) => {
                sent += room;
                if body.send_data(Bytes::from(vec![b'A'; room]), false).is_err() {
                    break;
                }
            }
            Some(Err(_)) | None => break,
        }
    }
    sent
}

/// Why the gateway ended the stream.
async fn reset(body: &mut SendStream<Bytes>) -> Reason {
    poll_fn(|context| body.poll_reset(context)).await.unwrap()
}

async fn read(mut body: RecvStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(piece) = body.data().await {
        let piece = piece.unwrap();
        body.flow_control().release_capacity(piece.len()).unwrap();
        bytes.extend_from_slice(&piece);
    }
    bytes
}

async fn within<T>(done: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), done).await.unwrap()
}
