//! Certificates and revocation lists change while connections are open, and a gateway stops without breaking requests.

use std::{fs, os::unix::fs::PermissionsExt as _, sync::Arc, time::Duration};

use tokio::{io::AsyncWriteExt as _, time::sleep};
use tsunagi::{
    clock::ManualClock,
    tls::{
        Drained, HandshakeFailure, TlsError, TlsState,
        authority::{Issued, SandboxAuthority, Serial, Validity},
        client::ClientError,
    },
};

use crate::tls_stage::{CENTRE, Files, PATIENT, Stage, ends, get, options, text};

#[tokio::test]
async fn a_reload_closes_the_open_connection_of_a_revoked_client_and_no_other() {
    let stage = Stage::open(options(PATIENT)).await;
    let (revoked, good) = (stage.files.client(CENTRE), stage.files.client("auditor:tokyo"));
    let good_client = stage.client(&good);
    assert_eq!(get(&good_client, "/").await.unwrap().status, 200);
    // Silent connections, so that it is the reload and not a request that closes them.
    let mut silent_1 = stage.raw(Some(&revoked), b"http/1.1").await.unwrap();
    let mut silent_2 = stage.raw(Some(&revoked), b"h2").await.unwrap();
    stage.seen.open(3).await;
    stage.files.revoke(&[revoked.serial]);
    stage.tls.reload().unwrap();
    ends(&mut silent_1).await;
    ends(&mut silent_2).await;
    stage.seen.open(1).await;
    assert_eq!(text(&get(&good_client, "/").await.unwrap()), "auditor:tokyo");
    stage.seen.open(1).await;
}

#[tokio::test]
async fn a_request_in_work_of_a_revoked_client_is_cut_off() {
    let stage = Stage::open(options(PATIENT)).await;
    let who = stage.files.client(CENTRE);
    let client = stage.client(&who);
    let waiting = tokio::spawn(async move { get(&client, "/never").await });
    stage.seen.open(1).await;
    sleep(Duration::from_millis(200)).await;
    stage.files.revoke(&[who.serial]);
    stage.tls.reload().unwrap();
    assert!(waiting.await.unwrap().is_err());
    stage.seen.open(0).await;
}

#[tokio::test]
async fn a_certificate_that_ends_ends_its_connection_at_the_next_request() {
    let stage = Stage::open(options(PATIENT)).await;
    let until = stage.files.now.plus_secs(3600);
    let short = Validity { from: stage.files.now.plus_secs(-60), until };
    let who = stage.files.authority.issue_client(&CENTRE.parse().unwrap(), short).unwrap();
    for connector in [stage.connector(&who), stage.connector(&who).http1_only()] {
        stage.clock.set(stage.files.now);
        let client = stage.https(connector);
        assert_eq!(get(&client, "/").await.unwrap().status, 200);
        stage.clock.set(until.plus_secs(1));
        assert!(get(&client, "/").await.is_err());
        stage.seen.open(0).await;
    }
}

#[tokio::test]
async fn an_authority_that_is_taken_away_takes_its_clients_with_it() {
    let stage = Stage::open(options(PATIENT)).await;
    let client = stage.client(&stage.files.client(CENTRE));
    assert_eq!(get(&client, "/").await.unwrap().status, 200);
    let other = SandboxAuthority::create(stage.files.now).unwrap();
    fs::write(stage.files.path("ca.pem"), other.ca_pem()).unwrap();
    stage.files.write_list(&other.crl(&[], Validity::days(stage.files.now, 1)).unwrap());
    stage.tls.reload().unwrap();
    stage.seen.open(0).await;
    let new = other.issue_client(&CENTRE.parse().unwrap(), Validity::days(stage.files.now, 1)).unwrap();
    assert_eq!(text(&get(&stage.client(&new), "/").await.unwrap()), CENTRE);
}

#[tokio::test]
async fn a_fresh_list_opens_the_door_again() {
    let stage = Stage::open(options(PATIENT)).await;
    let client = stage.client(&stage.files.client(CENTRE));
    assert_eq!(get(&client, "/").await.unwrap().status, 200);
    let stale = stage.tls.crl_next_update();
    stage.clock.set(stale);
    assert_eq!(get(&client, "/").await.unwrap().status, 503);
    stage.clock.set(stale.plus_secs(-3600));
    stage.files.write_list(&stage.files.authority.crl(&[], Validity::days(stale, 1)).unwrap());
    stage.tls.reload().unwrap();
    assert_eq!(get(&client, "/").await.unwrap().status, 200);
    assert!(stage.tls.crl_next_update() > stale);
}

#[test]
fn a_reload_that_fails_changes_nothing() {
    let files = Files::new();
    let state = files.load().unwrap();
    let in_force = state.crl_next_update();
    let good = fs::read_to_string(files.path("ca.crl")).unwrap();
    let older = Validity { from: files.now.plus_secs(-7200), until: files.now.plus_secs(2 * 86_400) };
    let broken = [
        ("", "no readable revocation list"),
        ("not a list", "no readable revocation list"),
        (&flip_a_signature_byte(&good), "not signed by"),
        (&files.authority.crl(&[], older).unwrap(), "older than the one in force"),
        (&format!("{good}{good}"), "a second revocation list"),
        (&SandboxAuthority::create(files.now).unwrap().crl(&[], Validity::days(files.now, 9)).unwrap(), "no revocation list of"),
    ];
    for (list, complaint) in broken {
        files.write_list(list);
        let said = state.reload().unwrap_err().to_string();
        assert!(said.contains(complaint), "{complaint}: {said}");
        assert_eq!(state.crl_next_update(), in_force, "{complaint}");
    }
    files.write_list(&good);
    state.reload().unwrap();
}

#[tokio::test]
async fn a_client_below_an_intermediate_needs_the_lists_of_both_authorities() {
    let stage = Stage::open(options(PATIENT)).await;
    let tree = Tree::grow(&stage.files);
    fs::write(stage.files.path("ca.pem"), &tree.root_pem).unwrap();
    stage.files.write_list(&tree.root_list);
    stage.tls.reload().unwrap();
    let client = stage.client(&tree.client);
    assert!(matches!(get(&client, "/").await, Err(ClientError::Refused(_))));
    assert_eq!(stage.seen.failure().await, HandshakeFailure::RevocationUnknown);

    stage.files.write_list(&format!("{}{}", tree.root_list, tree.intermediate_list));
    stage.tls.reload().unwrap();
    assert_eq!(text(&get(&client, "/").await.unwrap()), CENTRE);

    stage.files.write_list(&format!("{}{}", tree.root_list_that_revokes, tree.intermediate_list));
    stage.tls.reload().unwrap();
    stage.seen.open(0).await;
    assert!(matches!(get(&client, "/").await, Err(ClientError::Refused(alert)) if alert == "CertificateRevoked"));
}

#[test]
fn a_binary_list_is_read_too() {
    use rustls::pki_types::{CertificateRevocationListDer, pem::PemObject};
    let files = Files::new();
    let der = CertificateRevocationListDer::from_pem_file(files.path("ca.crl")).unwrap();
    fs::write(files.path("ca.crl"), &der).unwrap();
    files.load().unwrap();
}

#[test]
fn the_sandbox_authority_is_refused_outside_a_sandbox() {
    let files = Files::new();
    let outside = TlsState::load(&files.config(), false, Arc::new(ManualClock::new(files.now)));
    assert!(matches!(outside, Err(TlsError::Example { .. })), "{outside:?}");
}

#[test]
fn a_private_key_that_others_can_read_is_refused() {
    let files = Files::new();
    fs::set_permissions(files.path("server.key"), fs::Permissions::from_mode(0o644)).unwrap();
    assert!(files.load().unwrap_err().to_string().contains("chmod 600"));
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let files = Files::new();
    let other = files.authority.issue_server(Validity::days(files.now, 1)).unwrap();
    fs::write(files.path("server.key"), other.key_pem.as_bytes()).unwrap();
    assert!(matches!(files.load(), Err(TlsError::Rejected { .. })));
}

#[test]
fn a_certificate_past_its_end_is_refused() {
    let files = Files::new();
    let past = Validity { from: files.now.plus_secs(-7200), until: files.now.plus_secs(-3600) };
    let server = files.authority.issue_server(past).unwrap();
    fs::write(files.path("server.pem"), &server.cert_pem).unwrap();
    fs::write(files.path("server.key"), server.key_pem.as_bytes()).unwrap();
    assert!(files.load().unwrap_err().to_string().contains("ended at"));
}

#[tokio::test]
async fn stopping_lets_requests_in_work_finish() {
    let stage = Stage::open(options(PATIENT)).await;
    let who = stage.files.client(CENTRE);
    let clients = [stage.client(&who), stage.https(stage.connector(&who).http1_only())];
    let [over_2, over_1] = clients.map(|client| tokio::spawn(async move { get(&client, "/slow").await }));
    stage.seen.open(2).await;
    // Until both requests are in work; an idle connection may be closed at once.
    sleep(Duration::from_millis(400)).await;
    let address = stage.address;
    assert_eq!(stage.close().await, Drained { cut_off: 0 });
    assert_eq!(text(&over_2.await.unwrap().unwrap()), "slow");
    assert_eq!(text(&over_1.await.unwrap().unwrap()), "slow");
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn stopping_does_not_wait_for_ever() {
    let stage = Stage::open(tsunagi::tls::Options { drain: Duration::from_millis(300), ..options(PATIENT) }).await;
    let mut stuck = stage.raw(Some(&stage.files.client(CENTRE)), b"http/1.1").await.unwrap();
    stuck.write_all(b"GET /never HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let _silent = tokio::net::TcpStream::connect(stage.address).await.unwrap();
    stage.seen.open(2).await;
    sleep(Duration::from_millis(200)).await;
    assert_eq!(stage.close().await, Drained { cut_off: 1 });
    ends(&mut stuck).await;
}

fn flip_a_signature_byte(pem: &str) -> String {
    use base64::Engine as _;
    use rustls::pki_types::{CertificateRevocationListDer, pem::PemObject};
    let mut der = CertificateRevocationListDer::from_pem_slice(pem.as_bytes()).unwrap().to_vec();
    *der.last_mut().unwrap() ^= 1;
    let body = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN X509 CRL-----\n{body}\n-----END X509 CRL-----\n")
}

/// A root, an intermediate below it, a client below that, and their lists.
struct Tree {
    root_pem: String,
    root_list: String,
    root_list_that_revokes: String,
    intermediate_list: String,
    client: Issued,
}

impl Tree {
    fn grow(files: &Files) -> Self {
        use rcgen::{
            BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
            KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType, SerialNumber,
        };
        let authority = |name: &str| {
            let mut params = CertificateParams::default();
            params.distinguished_name.push(DnType::CommonName, name);
            params.serial_number = Some(SerialNumber::from(77));
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
            params
        };
        let root = CertifiedIssuer::self_signed(authority("Root"), KeyPair::generate().unwrap()).unwrap();
        let middle = CertifiedIssuer::signed_by(authority("Intermediate"), KeyPair::generate().unwrap(), &root).unwrap();
        let list = |issuer: &CertifiedIssuer<'_, KeyPair>, revoked: &[u64]| {
            let day = |days: i64| time::OffsetDateTime::from_unix_timestamp(files.now.plus_secs(days * 86_400).secs()).unwrap();
            let entry = |serial: &u64| RevokedCertParams {
                serial_number: SerialNumber::from(*serial),
                revocation_time: day(0),
                reason_code: None,
                invalidity_date: None,
            };
            let params = CertificateRevocationListParams {
                this_update: day(0),
                next_update: day(1),
                crl_number: SerialNumber::from(1),
                issuing_distribution_point: None,
                revoked_certs: revoked.iter().map(entry).collect(),
                key_identifier_method: KeyIdMethod::Sha256,
            };
            params.signed_by(issuer).unwrap().pem().unwrap()
        };
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::URI(format!("urn:tsunagi:party:{CENTRE}").try_into().unwrap())];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let own = params.signed_by(&key, &middle).unwrap().pem();
        let client = Issued {
            serial: Serial::of(&own).unwrap(),
            digest: files.client(CENTRE).digest,
            cert_pem: format!("{own}{}", middle.pem()),
            key_pem: key.serialize_pem().into(),
        };
        Self {
            root_pem: root.pem(),
            root_list: list(&root, &[]),
            root_list_that_revokes: list(&root, &[77]),
            intermediate_list: list(&middle, &[]),
            client,
        }
    }
}
