//! Who is let in, and how those who are not learn why (protocol section 1).

use std::sync::Arc;

use rustls::{AlertDescription, Error as TlsLibError, HandshakeKind, client::Resumption};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tsunagi::{
    clock::{Clock as _, SystemClock},
    domain::refusal::RefusalCode,
    tls::{
        HandshakeFailure,
        authority::{Issued, SandboxAuthority, Validity},
        client::{ClientError, Connector},
    },
};

use crate::tls_stage::{CENTRE, PATIENT, Stage, get, options, raw_config, text};

async fn stage() -> Stage {
    Stage::open(options(PATIENT)).await
}

/// What our own client is told, and what the gateway counts.
async fn refused(stage: &Stage, who: &Issued) -> (String, HandshakeFailure) {
    let told = match get(&stage.client(who), "/").await {
        Err(ClientError::Refused(alert)) => alert,
        other => panic!("not refused: {other:?}"),
    };
    (told, stage.seen.failure().await)
}

#[tokio::test]
async fn a_party_is_let_in_over_http_1_and_2_and_keeps_its_connection() {
    let stage = stage().await;
    let who = stage.files.client(CENTRE);
    for connector in [stage.connector(&who), stage.connector(&who).http1_only()] {
        let client = stage.https(connector);
        for _ in 0..3 {
            assert_eq!(text(&get(&client, "/").await.unwrap()), CENTRE);
        }
        stage.seen.open(1).await;
        assert_eq!(text(&get(&client, "/certificate").await.unwrap()), client.certificate().to_string());
        assert_eq!(client.certificate(), who.digest);
        drop(client);
        stage.seen.open(0).await;
    }
    assert_eq!(stage.seen.failures(), []);
}

#[tokio::test]
async fn the_key_exchange_is_post_quantum() {
    let stage = stage().await;
    let client = stage.client(&stage.files.client(CENTRE));
    assert_eq!(text(&get(&client, "/group").await.unwrap()), "X25519MLKEM768");
}

#[tokio::test]
async fn without_a_certificate_there_is_an_alert() {
    let stage = stage().await;
    let mut stream = stage.raw(None, b"http/1.1").await.unwrap();
    let error = stream.read_u8().await.unwrap_err();
    let alert = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsLibError>());
    assert_eq!(alert, Some(&TlsLibError::AlertReceived(AlertDescription::CertificateRequired)));
    assert_eq!(stage.seen.failure().await, HandshakeFailure::NoCertificate);
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_refused() {
    let stage = stage().await;
    let other = SandboxAuthority::create(stage.files.now).unwrap();
    let who = other.issue_client(&CENTRE.parse().unwrap(), Validity::days(stage.files.now, 1)).unwrap();
    assert_eq!(refused(&stage, &who).await, ("UnknownCA".to_owned(), HandshakeFailure::UnknownIssuer));
}

#[tokio::test]
async fn an_expired_certificate_is_refused() {
    let stage = stage().await;
    let past = Validity { from: stage.files.now.plus_secs(-7200), until: stage.files.now.plus_secs(-3600) };
    let who = stage.files.authority.issue_client(&CENTRE.parse().unwrap(), past).unwrap();
    assert_eq!(refused(&stage, &who).await, ("CertificateExpired".to_owned(), HandshakeFailure::Expired));
}

#[tokio::test]
async fn a_revoked_certificate_is_refused_and_others_are_not() {
    let stage = stage().await;
    let (revoked, good) = (stage.files.client(CENTRE), stage.files.client(CENTRE));
    stage.files.revoke(std::slice::from_ref(&revoked.serial));
    stage.tls.reload().unwrap();
    assert_eq!(refused(&stage, &revoked).await, ("CertificateRevoked".to_owned(), HandshakeFailure::Revoked));
    assert_eq!(text(&get(&stage.client(&good), "/").await.unwrap()), CENTRE);
}

#[tokio::test]
async fn a_server_certificate_is_no_client_certificate() {
    let stage = stage().await;
    let who = stage.files.authority.issue_server(Validity::days(stage.files.now, 1)).unwrap();
    assert_eq!(refused(&stage, &who).await.1, HandshakeFailure::BadCertificate);
}

#[tokio::test]
async fn a_stale_revocation_list_closes_the_door() {
    let stage = stage().await;
    let who = stage.files.client(CENTRE);
    let open = stage.client(&who);
    assert_eq!(get(&open, "/").await.unwrap().status, 200);
    let stale = stage.tls.crl_next_update();
    stage.clock.set(stale.plus_secs(-1));
    assert_eq!(stage.tls.ready(stage.clock.now()), Ok(()));
    assert_eq!(get(&open, "/").await.unwrap().status, 200);

    stage.clock.set(stale);
    assert_eq!(stage.tls.ready(stale), Err(RefusalCode::CrlStale));
    let answer = get(&open, "/").await.unwrap();
    assert_eq!((answer.status.as_u16(), text(&answer)), (503, "crl_stale"));
    assert_eq!(refused(&stage, &who).await.1, HandshakeFailure::RevocationUnknown);
}

#[tokio::test]
async fn a_certificate_that_does_not_name_exactly_one_party_gets_no_party() {
    let stage = stage().await;
    let faulty: [&[&str]; 4] = [
        &[],
        &["urn:tsunagi:party:settlement_center:13-1", "urn:tsunagi:party:auditor:tokyo"],
        &["urn:tsunagi:party:settlement_center:99-1"],
        &["https://example.org/settlement_center:13-1"],
    ];
    for uris in faulty {
        let who = stage.files.authority.issue_client_with_uris(uris, Validity::days(stage.files.now, 1)).unwrap();
        let answer = get(&stage.client(&who), "/").await.unwrap();
        assert_eq!((answer.status.as_u16(), text(&answer)), (403, "bad_identity"), "{uris:?}");
    }
}

#[tokio::test]
async fn no_session_is_resumed() {
    let stage = stage().await;
    let who = stage.files.client(CENTRE);
    let mut config = raw_config(&stage.files, Some(&who), b"http/1.1");
    config.resumption = Resumption::in_memory_sessions(8);
    config.enable_early_data = true;
    let config = Arc::new(config);
    for _ in 0..2 {
        let mut stream = stage.raw_with((*config).clone()).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with(CENTRE), "{answer}");
        let session = stream.get_ref().1;
        assert_eq!(session.handshake_kind(), Some(HandshakeKind::Full));
        assert_eq!(session.tls13_tickets_received(), 0);
        assert!(!session.is_early_data_accepted());
    }
}

#[tokio::test]
async fn tls_1_2_is_refused() {
    let stage = stage().await;
    let mut tcp = TcpStream::connect(stage.address).await.unwrap();
    tcp.write_all(&client_hello_of_tls_1_2()).await.unwrap();
    let mut alert = Vec::new();
    tcp.read_to_end(&mut alert).await.unwrap();
    // Record: alert (21), version, length 2; fatal (2), protocol_version (70). RFC 8446 section 6.
    assert!(matches!(alert.as_slice(), [21, _, _, 0, 2, 2, 70]), "{alert:?}");
    assert_eq!(stage.seen.failure().await, HandshakeFailure::Incompatible);
}

#[tokio::test]
async fn what_is_not_tls_is_refused() {
    let stage = stage().await;
    let mut tcp = TcpStream::connect(stage.address).await.unwrap();
    tcp.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    tcp.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer.first(), Some(&21), "an alert record: {answer:?}");
    assert_eq!(stage.seen.failure().await, HandshakeFailure::Malformed);
}

#[tokio::test]
async fn our_client_trusts_only_the_authority_it_was_given() {
    let stage = stage().await;
    let who = stage.files.client(CENTRE);
    let other = SandboxAuthority::create(SystemClock.now()).unwrap();
    let wary = Connector::new(other.ca_pem().as_bytes(), who.cert_pem.as_bytes(), who.key_pem.as_bytes()).unwrap();
    let said = get(&stage.https(wary), "/").await.unwrap_err();
    assert!(matches!(said, ClientError::Tls(_)), "{said:?}");
    assert_eq!(stage.seen.failure().await, HandshakeFailure::RefusedByClient);
}

/// A ClientHello as TLS 1.2 has it: one ECDHE suite, groups, signature algorithms, no `supported_versions`.
fn client_hello_of_tls_1_2() -> Vec<u8> {
    let with_length = |bytes: &[u8]| [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat();
    let extension = |kind: u16, inside: &[u8]| [&kind.to_be_bytes()[..], &with_length(inside)].concat();
    let extensions =
        [extension(10, &with_length(&[0, 23])), extension(11, &[1, 0]), extension(13, &with_length(&[4, 3])), extension(23, &[])].concat();
    let suites = with_length(&[0xc0, 0x2b]);
    let hello = [&[3, 3][..], &[7; 32], &[0], &suites, &[1, 0], &with_length(&extensions)].concat();
    let handshake = [&[1, 0][..], &with_length(&hello)].concat();
    [&[22, 3, 1][..], &with_length(&handshake)].concat()
}
