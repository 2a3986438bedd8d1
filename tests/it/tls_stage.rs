//! A listener on a loopback port with its own authority, and clients that behave or do not.

use std::{
    convert::Infallible,
    fs,
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response as HttpResponse};
use http_body_util::Full;
use hyper::{body::Incoming, service::service_fn};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    version::TLS13,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tsunagi::{
    clock::{Clock as _, ManualClock, SystemClock},
    config,
    domain::{party::PartyId, time::Timestamp},
    tls::{
        Deadlines, Drained, HandshakeFailure, Observer, Options, Peer, TlsError, TlsState,
        authority::{Issued, SandboxAuthority, Serial, Validity},
        client::{ClientError, ClientLimits, Connector, HttpsClient, Response},
        serve,
    },
};

pub(crate) const CENTRE: &str = "settlement_center:13-1";

/// Deadlines that no test reaches.
pub(crate) const PATIENT: Deadlines = Deadlines {
    handshake: Duration::from_secs(30),
    head: Duration::from_secs(30),
    idle: Duration::from_secs(30),
    answer: Duration::from_secs(30),
    farewell: Duration::from_secs(30),
};

/// How long a test waits for something that must happen.
pub(crate) const SOON: Duration = Duration::from_secs(15);

pub(crate) fn options(deadlines: Deadlines) -> Options {
    Options { connections: 64, connections_per_address: 64, drain: Duration::from_secs(10), deadlines }
}

/// What the observer was told.
#[derive(Default)]
pub(crate) struct Seen {
    failures: Mutex<Vec<HandshakeFailure>>,
    open: Mutex<usize>,
}

impl Observer for Seen {
    fn handshake_failed(&self, failure: HandshakeFailure) {
        self.failures.lock().unwrap().push(failure);
    }

    fn connections_open(&self, open: usize) {
        *self.open.lock().unwrap() = open;
    }
}

impl Seen {
    pub(crate) fn failures(&self) -> Vec<HandshakeFailure> {
        self.failures.lock().unwrap().clone()
    }

    pub(crate) async fn failure(&self) -> HandshakeFailure {
        eventually(|| self.failures().first().copied()).await
    }

    pub(crate) async fn open(&self, wanted: usize) {
        eventually(|| (*self.open.lock().unwrap() == wanted).then_some(())).await;
    }
}

/// Polls until there is something.
pub(crate) async fn eventually<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let found = async {
        loop {
            match look() {
                Some(found) => return found,
                None => sleep(Duration::from_millis(10)).await,
            }
        }
    };
    timeout(SOON, found).await.expect("it never happened")
}

/// Files of a gateway in a folder of their own.
pub(crate) struct Files {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) authority: SandboxAuthority,
    pub(crate) now: Timestamp,
}

impl Files {
    pub(crate) fn new() -> Self {
        let now = SystemClock.now();
        let files = Self { folder: tempfile::tempdir().unwrap(), authority: SandboxAuthority::create(now).unwrap(), now };
        let server = files.authority.issue_server(Validity::days(now, 10)).unwrap();
        fs::write(files.path("server.pem"), &server.cert_pem).unwrap();
        write_private(&files.path("server.key"), &server.key_pem);
        fs::write(files.path("ca.pem"), files.authority.ca_pem()).unwrap();
        files.revoke(&[]);
        files
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn config(&self) -> config::Tls {
        config::Tls {
            cert: self.path("server.pem"),
            key: self.path("server.key"),
            client_ca: self.path("ca.pem"),
            crls: vec![self.path("ca.crl")],
        }
    }

    /// Replaces the revocation list by one that is made now and holds for a day.
    pub(crate) fn revoke(&self, serials: &[Serial]) {
        self.write_list(&self.authority.crl(serials, Validity::days(self.now, 1)).unwrap());
    }

    pub(crate) fn write_list(&self, pem: &str) {
        fs::write(self.path("ca.crl"), pem).unwrap();
    }

    pub(crate) fn client(&self, party: &str) -> Issued {
        let party: PartyId = party.parse().unwrap();
        self.authority.issue_client(&party, Validity::days(self.now, 1)).unwrap()
    }

    pub(crate) fn load(&self) -> Result<Arc<TlsState>, TlsError> {
        TlsState::load(&self.config(), true, Arc::new(ManualClock::new(self.now)))
    }
}

fn write_private(file: &Path, text: &str) {
    use std::io::Write as _;
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// A running listener.
pub(crate) struct Stage {
    pub(crate) files: Files,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) tls: Arc<TlsState>,
    pub(crate) address: SocketAddr,
    pub(crate) seen: Arc<Seen>,
    stop: oneshot::Sender<()>,
    server: JoinHandle<Drained>,
}

impl Stage {
    pub(crate) async fn open(options: Options) -> Self {
        let files = Files::new();
        let clock = Arc::new(ManualClock::new(files.now));
        let tls = TlsState::load(&files.config(), true, clock.clone()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let (stop, stopped) = oneshot::channel();
        let asked = clock.clone();
        let make = move |peer: Arc<Peer>| {
            let clock = asked.clone();
            service_fn(move |request| answer(request, peer.clone(), clock.clone()))
        };
        let stop_signal = async {
            stopped.await.ok();
        };
        let server = tokio::spawn(serve(listener, tls.clone(), options, seen.clone(), make, stop_signal));
        Self { files, clock, tls, address, seen, stop, server }
    }

    pub(crate) fn connector(&self, who: &Issued) -> Connector {
        Connector::new(self.files.authority.ca_pem().as_bytes(), who.cert_pem.as_bytes(), who.key_pem.as_bytes()).unwrap()
    }

    pub(crate) fn https(&self, connector: Connector) -> HttpsClient {
        HttpsClient::new(&format!("https://localhost:{}", self.address.port()), connector, ClientLimits::default()).unwrap()
    }

    pub(crate) fn client(&self, who: &Issued) -> HttpsClient {
        self.https(self.connector(who))
    }

    /// A TLS connection without HTTP on it.
    pub(crate) async fn raw(&self, who: Option<&Issued>, alpn: &[u8]) -> std::io::Result<TlsStream<TcpStream>> {
        self.raw_with(raw_config(&self.files, who, alpn)).await
    }

    pub(crate) async fn raw_with(&self, config: ClientConfig) -> std::io::Result<TlsStream<TcpStream>> {
        let tcp = TcpStream::connect(self.address).await.unwrap();
        TlsConnector::from(Arc::new(config)).connect("localhost".try_into().unwrap(), tcp).await
    }

    /// Asks the listener to stop and waits until it has.
    pub(crate) async fn close(self) -> Drained {
        self.stop.send(()).unwrap();
        timeout(SOON, self.server).await.expect("it stops").unwrap()
    }
}

pub(crate) fn raw_config(files: &Files, who: Option<&Issued>, alpn: &[u8]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(files.authority.ca_pem().as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_protocol_versions(&[&TLS13]).with_root_certificates(roots);
    let mut config = match who {
        None => builder.with_no_client_auth(),
        Some(who) => {
            let chain = vec![CertificateDer::from_pem_slice(who.cert_pem.as_bytes()).unwrap()];
            builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(who.key_pem.as_bytes()).unwrap()).unwrap()
        }
    };
    config.alpn_protocols = vec![alpn.to_vec()];
    config
}

/// Waits for the end of a stream, and drops what comes before.
pub(crate) async fn ends(stream: &mut (impl AsyncRead + Unpin)) {
    let read = async {
        let mut buffer = [0; 4096];
        while let Ok(1..) = stream.read(&mut buffer).await {}
    };
    timeout(SOON, read).await.expect("the stream ends");
}

pub(crate) async fn get(client: &HttpsClient, target: &str) -> Result<Response, ClientError> {
    client.request(Method::GET, target, HeaderMap::new(), Bytes::new()).await
}

pub(crate) fn text(response: &Response) -> &str {
    std::str::from_utf8(&response.body).unwrap()
}

/// The size of the answer to `/large`: more than sockets and libraries buffer.
pub(crate) const LARGE: usize = 64 * 1024 * 1024;

async fn answer(request: Request<Incoming>, peer: Arc<Peer>, clock: Arc<ManualClock>) -> Result<HttpResponse<Full<Bytes>>, Infallible> {
    use tsunagi::clock::Clock as _;
    let body = match request.uri().path() {
        "/group" => peer.key_exchange().to_owned(),
        "/certificate" => peer.certificate().to_string(),
        "/slow" => {
            sleep(Duration::from_secs(1)).await;
            "slow".to_owned()
        }
        "/never" => std::future::pending().await,
        "/large" => return Ok(HttpResponse::new(Full::new(Bytes::from(vec![b'x'; LARGE])))),
        _ => match peer.party(clock.now()) {
            Ok(party) => party.to_string(),
            Err(code) => {
                let mut refused = HttpResponse::new(Full::new(Bytes::from(code.as_str())));
                *refused.status_mut() = code.status().try_into().unwrap();
                return Ok(refused);
            }
        },
    };
    Ok(HttpResponse::new(Full::new(Bytes::from(body))))
}
