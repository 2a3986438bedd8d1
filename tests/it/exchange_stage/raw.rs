//! A party's connection below the client: HTTP as it should not be.

use std::{
    fs,
    path::Path,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::BodyExt as _;
use hyper::{
    body::{Body, Frame, Incoming},
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    version::TLS13,
};
use tokio::{
    net::TcpStream,
    time::{Interval, interval},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::Sandbox;

/// Versions of HTTP that the listener speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    Http1,
    Http2,
}

pub(crate) const VERSIONS: [Version; 2] = [Version::Http1, Version::Http2];

/// An encrypted connection of a party.
pub(crate) async fn connect(sandbox: &Sandbox, party: &str, version: Version) -> TlsStream<TcpStream> {
    let folder = sandbox.identity(&party.parse().unwrap());
    let mut config = config(&folder);
    config.alpn_protocols = vec![if version == Version::Http1 { b"http/1.1".to_vec() } else { b"h2".to_vec() }];
    let tcp = TcpStream::connect(sandbox.address()).await.unwrap();
    TlsConnector::from(Arc::new(config)).connect("localhost".try_into().unwrap(), tcp).await.unwrap()
}

fn config(folder: &Path) -> ClientConfig {
    let read = |name: &str| fs::read(folder.join(name)).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&read("ca.pem")).unwrap()).unwrap();
    let chain = CertificateDer::pem_slice_iter(&read("tls.pem")).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(&read("tls.key")).unwrap();
    ClientConfig::builder_with_protocol_versions(&[&TLS13]).with_root_certificates(roots).with_client_auth_cert(chain, key).unwrap()
}

/// Sends one request with a body of its own making; gives the answer with its body.
pub(crate) async fn send(sandbox: &Sandbox, party: &str, version: Version, mut request: Request<Drip>) -> Response<Bytes> {
    let io = TokioIo::new(connect(sandbox, party, version).await);
    let host = format!("localhost:{}", sandbox.address().port());
    let answer: Response<Incoming> = match version {
        Version::Http1 => {
            let (mut sender, connection) = http1::handshake(io).await.unwrap();
            tokio::spawn(connection);
            request.headers_mut().insert(http::header::HOST, host.parse().unwrap());
            sender.send_request(request).await.unwrap()
        }
        Version::Http2 => {
            let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
            tokio::spawn(connection);
            let target = request.uri().path_and_query().unwrap().clone();
            *request.uri_mut() = Uri::builder().scheme("https").authority(host).path_and_query(target).build().unwrap();
            sender.send_request(request).await.unwrap()
        }
    };
    let (head, body) = answer.into_parts();
    Response::from_parts(head, body.collect().await.unwrap().to_bytes())
}

/// A body that does not say how long it is, given a piece at a time.
pub(crate) struct Drip {
    pieces: Vec<Bytes>,
    pace: Option<Interval>,
    given: Arc<AtomicUsize>,
}

impl Drip {
    /// All of it at once.
    pub(crate) fn whole(bytes: impl Into<Bytes>) -> Self {
        Self { pieces: vec![bytes.into()], pace: None, given: Arc::default() }
    }

    /// So many bytes, one at each tick.
    pub(crate) fn slow(count: usize, tick: Duration) -> Self {
        Self { pieces: vec![Bytes::from_static(b"."); count], pace: Some(interval(tick)), given: Arc::default() }
    }
}

impl Drip {
    /// Counts the pieces that were taken, also when the body is sent away.
    pub(crate) fn given(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.given)
    }
}

impl Body for Drip {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Some(pace) = &mut self.pace
            && pace.poll_tick(cx).is_pending()
        {
            return Poll::Pending;
        }
        let piece = self.pieces.pop();
        self.given.fetch_add(usize::from(piece.is_some()), Ordering::Relaxed);
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }
}
