//! The wire: a gateway that only answers. CPU time is the server's alone, which has a thread of its own.

use std::{
    convert::Infallible,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::{Arc, mpsc},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt as _, Collected, Full};
use hyper::{body::Incoming, service::service_fn};
use tempfile::TempDir;
use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
    task::JoinSet,
};
use tsunagi::{
    clock::{Clock as _, SystemClock},
    config,
    tls::{
        Deadlines, HandshakeFailure, Observer, Options, Peer, TlsState,
        authority::{Issued, SandboxAuthority, Validity},
        client::{ClientLimits, Connector, HttpsClient},
        serve,
    },
};

use crate::measure::{Case, Cpu};

pub(super) fn cases() -> Vec<Case<'static>> {
    let door = Arc::new(Door::open());
    let (kept, fresh) = (Arc::clone(&door), Arc::clone(&door));
    let client = Arc::new(door.client());
    let echo = move || kept.runtime.block_on(echo(Arc::clone(&client), CONNECTIONS, EACH));
    let handshake = move || fresh.runtime.block_on(echo_one(&fresh.client()));
    vec![
        Case { cpu: door.server.clone(), ..Case::group("wire: POST of 4 KiB over mutual TLS, connection kept", CONNECTIONS * EACH, echo) },
        Case { cpu: door.server.clone(), ..Case::new("wire: the same with a full handshake", handshake) },
    ]
}

/// Connections that are used at the same time: as many as one client keeps.
const CONNECTIONS: u32 = 8;
/// Requests of each in one call.
const EACH: u32 = 8;

async fn echo(client: Arc<HttpsClient>, connections: u32, each: u32) {
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        let client = Arc::clone(&client);
        tasks.spawn(async move {
            for _ in 0..each {
                echo_one(&client).await;
            }
        });
    }
    tasks.join_all().await;
}

async fn echo_one(client: &HttpsClient) {
    let answer = client.request(Method::POST, "/", HeaderMap::new(), Bytes::from_static(&[b'a'; 4096])).await.unwrap();
    assert_eq!(answer.body.len(), 4096);
}

/// A listener that lives as long as the process.
struct Door {
    authority: SandboxAuthority,
    identity: Issued,
    port: u16,
    runtime: Runtime,
    server: Cpu,
    /// Deleted when dropped.
    _folder: TempDir,
}

impl Door {
    fn open() -> Self {
        let (folder, now) = (tempfile::tempdir().unwrap(), SystemClock.now());
        let authority = SandboxAuthority::create(now).unwrap();
        let identity = authority.issue_client(&"settlement_center:13-1".parse().unwrap(), Validity::days(now, 1)).unwrap();
        let tls = files(folder.path(), &authority, Validity::days(now, 1));
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let tls = TlsState::load(&tls, true, Arc::new(SystemClock)).unwrap();
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send((of_this_thread(), listener.local_addr().unwrap().port())).unwrap();
                let make = |_: Arc<Peer>| service_fn(answer);
                serve(listener, tls, OPTIONS, Arc::new(Nobody), make, std::future::pending()).await;
            });
        });
        let (server, port) = told.recv().unwrap();
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        Self { authority, identity, port, runtime, server, _folder: folder }
    }

    fn client(&self) -> HttpsClient {
        let (ca, cert, key) = (self.authority.ca_pem(), &self.identity.cert_pem, &self.identity.key_pem);
        let connector = Connector::new(ca.as_bytes(), cert.as_bytes(), key.as_bytes()).unwrap().http1_only();
        HttpsClient::new(&format!("https://localhost:{}", self.port), connector, ClientLimits::default()).unwrap()
    }
}

/// The CPU time of the thread that calls this.
fn of_this_thread() -> Cpu {
    Cpu(vec![Path::new("/proc").join(fs::read_link("/proc/thread-self").unwrap())])
}

fn files(folder: &Path, authority: &SandboxAuthority, validity: Validity) -> config::Tls {
    let server = authority.issue_server(validity).unwrap();
    let (cert, key, client_ca, crl) = (folder.join("server.pem"), folder.join("server.key"), folder.join("ca.pem"), folder.join("ca.crl"));
    fs::write(&cert, &server.cert_pem).unwrap();
    fs::write(&key, &server.key_pem).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&client_ca, authority.ca_pem()).unwrap();
    fs::write(&crl, authority.crl(&[], validity).unwrap()).unwrap();
    config::Tls { cert, key, client_ca, crls: vec![crl] }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = request.into_body().collect().await.map(Collected::to_bytes).unwrap_or_default();
    Ok(Response::new(Full::new(body)))
}

const OPTIONS: Options = Options {
    connections: 1024,
    connections_per_address: 1024,
    drain: Duration::from_secs(1),
    deadlines: Deadlines {
        handshake: Duration::from_secs(10),
        head: Duration::from_secs(10),
        idle: Duration::from_mins(1),
        answer: Duration::from_mins(1),
        farewell: Duration::from_secs(1),
    },
};

/// Counts nothing.
struct Nobody;

impl Observer for Nobody {
    fn handshake_failed(&self, _: HandshakeFailure) {}

    fn connections_open(&self, _: usize) {}
}
