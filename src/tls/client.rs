//! The other side: an HTTPS client with a certificate, for the command line and the demo.
//!
//! Promises: TLS 1.3 only, trusts exactly the authorities it is given, shows its own certificate; connections are reused; every request
//! has a deadline and every answer a cap. A request is sent again only if no byte of it was written.
//! Not here: what the answers mean, redirects (the gateway has none), proxies, cookies.

use std::{
    error::Error as _,
    fmt, io,
    pin::Pin,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header::HOST, uri::Authority};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::{
    body::Incoming,
    client::conn::{TrySendError, http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::{
    ClientConfig, Error as RustlsError, RootCertStore,
    client::Resumption,
    crypto::aws_lc_rs::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    version::TLS13,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    task::JoinHandle,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::{
    state::{ALPN_H2, ALPN_HTTP1, ClockOfRustls},
    x509,
};
use crate::{clock::SystemClock, domain::digest::Digest};

/// What a client presents and whom it trusts.
#[derive(Clone)]
pub struct Connector {
    tls: TlsConnector,
    certificate: Digest,
}

impl Connector {
    /// From PEM texts: the authorities of the gateway's certificate, the client's certificate chain (its own first) and its private key.
    pub fn new(ca_pem: &[u8], cert_pem: &[u8], key_pem: &[u8]) -> Result<Self, ClientError> {
        let mut roots = RootCertStore::empty();
        for authority in certificates(ca_pem, "ca")? {
            roots.add(authority).map_err(|error| ClientError::Tls(error.to_string()))?;
        }
        let chain = certificates(cert_pem, "tls_cert")?;
        let certificate = chain.first().map(|own| x509::sha256(own)).ok_or(ClientError::BadPem("tls_cert"))?;
        let key = PrivateKeyDer::from_pem_slice(key_pem).map_err(|_| ClientError::BadPem("tls_key"))?;
        let mut config = ClientConfig::builder_with_details(Arc::new(default_provider()), Arc::new(ClockOfRustls(Arc::new(SystemClock))))
            .with_protocol_versions(&[&TLS13])
            .map_err(|error| ClientError::Tls(error.to_string()))?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .map_err(|error| ClientError::Tls(error.to_string()))?;
        config.resumption = Resumption::disabled();
        config.alpn_protocols = vec![ALPN_H2.to_vec(), ALPN_HTTP1.to_vec()];
        Ok(Self { tls: Arc::new(config).into(), certificate })
    }

    /// The same, speaking HTTP/1.1 only.
    #[must_use]
    pub fn http1_only(&self) -> Self {
        let mut config = ClientConfig::clone(self.tls.config());
        config.alpn_protocols = vec![ALPN_HTTP1.to_vec()];
        Self { tls: Arc::new(config).into(), certificate: self.certificate }
    }

    /// SHA-256 of the client's own certificate: `cnf.x5t#S256` of its actor tokens.
    #[must_use]
    pub const fn certificate(&self) -> Digest {
        self.certificate
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

/// Deadlines and caps of a client.
#[derive(Debug, Clone, Copy)]
pub struct ClientLimits {
    /// Until a connection is open and encrypted.
    pub connect: Duration,
    /// From the start of a request to the last byte of its answer, connecting included.
    pub request: Duration,
    /// Bytes of an answer's body.
    pub answer: usize,
}

impl Default for ClientLimits {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), request: Duration::from_mins(1), answer: 32 * 1024 * 1024 }
    }
}

/// An answer, whole.
#[derive(Clone)]
pub struct Response {
    /// Status code.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response").field("status", &self.status).field("body", &"[redacted]").finish_non_exhaustive()
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The gateway's URL is not usable.
    #[error("the gateway must be named https://host:port")]
    BadGateway,
    /// A PEM text is not what it should be.
    #[error("{0}: not readable as PEM")]
    BadPem(&'static str),
    /// A certificate or key is refused by the library, or the gateway's certificate is not trusted.
    #[error("TLS: {0}")]
    Tls(String),
    /// The gateway ended the handshake with an alert: it does not accept the client's certificate.
    #[error("the gateway refused the client certificate: TLS alert {0}")]
    Refused(String),
    /// No connection.
    #[error("cannot reach {authority}: {source}")]
    Unreachable {
        /// Host and port.
        authority: String,
        /// Why.
        source: io::Error,
    },
    /// Too slow.
    #[error("no answer in time")]
    TimedOut,
    /// The answer is larger than the cap.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// The request cannot be written as HTTP.
    #[error("not a valid request: {0}")]
    BadRequest(#[from] http::Error),
    /// HTTP was not spoken as expected, or the connection broke. The gateway may or may not have seen the request.
    #[error("the connection failed: {0}")]
    Broken(#[source] hyper::Error),
}

/// A client for one gateway. Cheap to share; connections stay open between requests.
pub struct HttpsClient {
    connector: Connector,
    authority: Authority,
    name: ServerName<'static>,
    limits: ClientLimits,
    idle: Mutex<Vec<Link>>,
}

impl HttpsClient {
    /// A client for the gateway `https://host:port`. Does not connect yet.
    pub fn new(gateway: &str, connector: Connector, limits: ClientLimits) -> Result<Self, ClientError> {
        let authority: Authority = gateway.strip_prefix("https://").and_then(|rest| rest.parse().ok()).ok_or(ClientError::BadGateway)?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(host).map_err(|_| ClientError::BadGateway)?;
        Ok(Self { connector, authority, name, limits, idle: Mutex::default() })
    }

    /// SHA-256 of the client's own certificate.
    #[must_use]
    pub const fn certificate(&self) -> Digest {
        self.connector.certificate()
    }

    /// Sends a request and reads the whole answer. `target` is path and query.
    pub async fn request(&self, method: Method, target: &str, headers: HeaderMap, body: Bytes) -> Result<Response, ClientError> {
        timeout(self.limits.request, self.exchange(&method, target, &headers, &body)).await.map_err(|_| ClientError::TimedOut)?
    }

    async fn exchange(&self, method: &Method, target: &str, headers: &HeaderMap, body: &Bytes) -> Result<Response, ClientError> {
        let mut untaken = 0;
        loop {
            let idle = self.take_idle();
            let reused = idle.is_some();
            let mut link = match idle {
                Some(link) => link,
                None => self.connect().await?,
            };
            let request = self.compose(&link, method, target, headers, body)?;
            let answer = match link.send(request).await {
                Ok(answer) => answer,
                // Nothing was written: the gateway had closed the connection while it was idle.
                Err(failed) if reused && failed.message().is_some() => continue,
                Err(failed) if untaken < UNTAKEN && was_not_taken(failed.error()) => {
                    untaken += 1;
                    continue;
                }
                Err(failed) => return Err(link.reason(failed.into_error()).await),
            };
            let (head, body) = answer.into_parts();
            let body = match Limited::new(body, self.limits.answer).collect().await {
                Ok(body) => body.to_bytes(),
                Err(error) if error.is::<LengthLimitError>() => return Err(ClientError::TooLarge(self.limits.answer)),
                Err(error) => {
                    return Err(match error.downcast::<hyper::Error>() {
                        Ok(error) => link.reason(*error).await,
                        Err(error) => ClientError::Tls(error.to_string()),
                    });
                }
            };
            self.keep(link);
            return Ok(Response { status: head.status, headers: head.headers, body });
        }
    }

    /// HTTP/2 wants the whole URI, HTTP/1.1 the target and a `Host` (RFC 9112 section 3.2).
    fn compose(
        &self,
        link: &Link,
        method: &Method,
        target: &str,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<Request<Full<Bytes>>, ClientError> {
        let target: http::uri::PathAndQuery = target.parse().map_err(http::Error::from)?;
        let mut request = Request::builder().method(method).body(Full::new(body.clone()))?;
        request.headers_mut().clone_from(headers);
        match link.sender {
            Sender::Http1(_) => {
                *request.uri_mut() = Uri::from(target);
                request.headers_mut().insert(HOST, HeaderValue::from_str(self.authority.as_str()).map_err(http::Error::from)?);
            }
            Sender::Http2(_) => {
                *request.uri_mut() = Uri::builder().scheme("https").authority(self.authority.clone()).path_and_query(target).build()?;
            }
        }
        Ok(request)
    }

    async fn connect(&self) -> Result<Link, ClientError> {
        timeout(self.limits.connect, self.open()).await.map_err(|_| ClientError::TimedOut)?
    }

    async fn open(&self) -> Result<Link, ClientError> {
        let unreachable = |source| ClientError::Unreachable { authority: self.authority.to_string(), source };
        let port = self.authority.port_u16().unwrap_or(443);
        let host = self.authority.host().trim_start_matches('[').trim_end_matches(']');
        let tcp = TcpStream::connect((host, port)).await.map_err(unreachable)?;
        tcp.set_nodelay(true).map_err(unreachable)?;
        let stream = self.connector.tls.connect(self.name.clone(), tcp).await.map_err(|error| match tls_error(&error) {
            Some(error) => ClientError::of_tls(error),
            None => unreachable(error),
        })?;
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(ALPN_H2);
        let told = Arc::new(OnceLock::new());
        let io = TokioIo::new(Told { stream, told: told.clone() });
        if is_http2 {
            let built = http2::Builder::new(TokioExecutor::new()).timer(TokioTimer::new()).handshake(io).await;
            let (sender, connection) = built.map_err(ClientError::Broken)?;
            Ok(Link { sender: Sender::Http2(sender), driver: tokio::spawn(connection), told })
        } else {
            let (sender, connection) = http1::handshake(io).await.map_err(ClientError::Broken)?;
            Ok(Link { sender: Sender::Http1(sender), driver: tokio::spawn(connection), told })
        }
    }

    fn take_idle(&self) -> Option<Link> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|link| !link.driver.is_finished());
        idle.pop()
    }

    fn keep(&self, link: Link) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MAX_IDLE {
            idle.push(link);
        }
    }
}

impl fmt::Debug for HttpsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpsClient").field("authority", &self.authority).finish_non_exhaustive()
    }
}

/// Connections that are kept open between requests.
const MAX_IDLE: usize = 8;
/// How often a request is sent again that a gateway said it did not take.
const UNTAKEN: u32 = 3;
/// How long the end of a connection is waited for, to learn its reason.
const LAST_WORDS: Duration = Duration::from_millis(500);

type Outgoing = Request<Full<Bytes>>;

/// One connection, used by one request at a time.
struct Link {
    sender: Sender,
    driver: JoinHandle<Result<(), hyper::Error>>,
    told: Arc<OnceLock<RustlsError>>,
}

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Link {
    async fn send(&mut self, request: Outgoing) -> Result<http::Response<Incoming>, TrySendError<Outgoing>> {
        match &mut self.sender {
            Sender::Http1(sender) => sender.try_send_request(request).await,
            Sender::Http2(sender) => sender.try_send_request(request).await,
        }
    }

    /// In TLS 1.3 a client learns only after its own handshake that the gateway refuses its certificate: the alert ends the connection, not
    /// the request, and the request may fail first.
    async fn reason(mut self, error: hyper::Error) -> ClientError {
        // How the driver ended does not matter, only that nothing more will be told.
        let _ = timeout(LAST_WORDS, &mut self.driver).await;
        self.told.get().map_or(ClientError::Broken(error), ClientError::of_tls)
    }
}

/// Whether the gateway said that it did nothing with the request. A GOAWAY without an error ends the requests above the last one that it takes, and
/// nothing was done with those (RFC 9113 section 6.8); nor with one that it refuses (section 8.7). What it took ends with another error.
fn was_not_taken(error: &hyper::Error) -> bool {
    let Some(error) = error.source().and_then(|source| source.downcast_ref::<h2::Error>()) else { return false };
    let said = if error.is_go_away() { h2::Reason::NO_ERROR } else { h2::Reason::REFUSED_STREAM };
    error.is_remote() && (error.is_go_away() || error.is_reset()) && error.reason() == Some(said)
}

impl Drop for Link {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl ClientError {
    fn of_tls(error: &RustlsError) -> Self {
        match error {
            RustlsError::AlertReceived(alert) => Self::Refused(format!("{alert:?}")),
            other => Self::Tls(other.to_string()),
        }
    }
}

fn tls_error(error: &io::Error) -> Option<&RustlsError> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}

/// A stream that remembers the TLS error that ended it: the HTTP libraries keep its text at most.
struct Told<T> {
    stream: T,
    told: Arc<OnceLock<RustlsError>>,
}

impl<T: AsyncRead + Unpin> AsyncRead for Told<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if let Poll::Ready(Err(error)) = &read
            && let Some(error) = tls_error(error)
        {
            self.told.get_or_init(|| error.clone());
        }
        read
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Told<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

pub(super) fn certificates(pem: &[u8], what: &'static str) -> Result<Vec<CertificateDer<'static>>, ClientError> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|_| ClientError::BadPem(what))?;
    if found.is_empty() { Err(ClientError::BadPem(what)) } else { Ok(found) }
}
