//! A witness of our own on the loopback interface: honest until it is told not to be.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use bytes::Bytes;
use http::{Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt as _, Full, combinators::BoxBody};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_rustls::TlsAcceptor;
use tsunagi::{
    clock::{Clock as _, SystemClock},
    tlog::{Checkpoint, CosignerKey, Hash, Note, verify_consistency},
    tls::authority::Issued,
};

/// What the witness does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// As C2SP tlog-witness says.
    Honest,
    /// A cosignature with one bit changed.
    WrongSignature,
    /// A valid cosignature by another key under its own name.
    OtherKey,
    /// The first cosignature it ever made.
    Replay,
    /// A cosignature that is dated so many seconds from now.
    Dated(i64),
    /// An answer that never ends.
    Endless,
    /// An answer that never begins.
    Silent,
    /// 409 with a size one below the last one that was sent.
    Loop,
    /// 409 with this size.
    Names(u64),
    /// 409 without a size.
    ConflictWithoutSize,
    /// 409 with text that is no size.
    ConflictWithText,
    /// This status.
    Status(u16),
    /// 200 with text that is no signature line.
    Text,
}

#[derive(Debug, Default)]
pub(crate) struct Held {
    /// The log that it was asked about last.
    origin: String,
    pub(crate) size: u64,
    root: Option<Hash>,
    /// How far it knows the other logs.
    others: HashMap<String, (u64, Option<Hash>)>,
    first: Option<String>,
    /// The old sizes of all requests, in order.
    pub(crate) asked: Vec<u64>,
}

impl Held {
    /// A witness knows each log by its name, and nothing of one that it was never asked about.
    fn turn_to(&mut self, origin: &str) {
        if self.origin != origin {
            let before = std::mem::replace(&mut self.origin, origin.to_owned());
            self.others.insert(before, (self.size, self.root));
            (self.size, self.root) = self.others.remove(origin).unwrap_or_default();
        }
    }
}

/// The witness. Dropped, it is gone.
pub(crate) struct WitnessServer {
    pub(crate) url: String,
    pub(crate) name: String,
    seed: u8,
    manner: Arc<Mutex<Manner>>,
    held: Arc<Mutex<Held>>,
    task: JoinHandle<()>,
}

impl Drop for WitnessServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl WitnessServer {
    pub(crate) async fn start(name: &str, seed: u8) -> Self {
        Self::start_as(name, seed, None).await
    }

    /// Behind TLS, with this certificate.
    pub(crate) async fn start_as(name: &str, seed: u8, certificate: Option<&Issued>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = certificate.map_or_else(|| format!("http://127.0.0.1:{port}"), |_| format!("https://localhost:{port}"));
        let acceptor = certificate.map(acceptor);
        let (manner, held) = (Arc::new(Mutex::new(Manner::Honest)), Arc::<Mutex<Held>>::default());
        let (name, shared) = (name.to_owned(), (Arc::clone(&manner), Arc::clone(&held)));
        let own = name.clone();
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (manner, held, name) = (Arc::clone(&shared.0), Arc::clone(&shared.1), own.clone());
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let service = service_fn(move |request| answer(request, name.clone(), seed, Arc::clone(&manner), Arc::clone(&held)));
                    // A client that gives up ends the connection: that is what some tests want.
                    let _ended = match acceptor {
                        None => http1::Builder::new().serve_connection(TokioIo::new(stream), service).await,
                        Some(acceptor) => match acceptor.accept(stream).await {
                            Ok(stream) => http1::Builder::new().serve_connection(TokioIo::new(stream), service).await,
                            Err(_) => Ok(()),
                        },
                    };
                });
            }
        });
        Self { url, name, seed, manner, held, task }
    }

    pub(crate) fn vkey(&self) -> String {
        cosigner(&self.name, self.seed).to_string()
    }

    pub(crate) fn key(&self) -> CosignerKey {
        cosigner(&self.name, self.seed)
    }

    pub(crate) fn behave(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    /// The old sizes it was asked with since the last time.
    pub(crate) fn asked(&self) -> Vec<u64> {
        std::mem::take(&mut self.held.lock().unwrap().asked)
    }

    pub(crate) fn size(&self) -> u64 {
        self.held.lock().unwrap().size
    }
}

fn acceptor(certificate: &Issued) -> TlsAcceptor {
    let chain = vec![CertificateDer::from_pem_slice(certificate.cert_pem.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(certificate.key_pem.as_bytes()).unwrap();
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
    TlsAcceptor::from(Arc::new(config))
}

fn pair(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

pub(crate) fn cosigner(name: &str, seed: u8) -> CosignerKey {
    CosignerKey::new(name.parse().unwrap(), pair(seed).public_key().as_ref().try_into().unwrap()).unwrap()
}

/// A cosignature line, made without the code under test.
pub(crate) fn line(name: &str, seed: u8, key: &CosignerKey, time: i64, text: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let signature = pair(seed).sign(format!("cosignature/v1\ntime {time}\n{text}").as_bytes());
    let bytes = [&key.id().to_be_bytes()[..], &time.to_be_bytes(), signature.as_ref()].concat();
    format!("— {name} {}\n", STANDARD.encode(bytes))
}

/// The time of the manual clock of the ledger's stage.
const NOW: i64 = crate::ledger_stage::START.secs();

type Body = BoxBody<Bytes, std::convert::Infallible>;

async fn answer(
    request: Request<Incoming>,
    name: String,
    seed: u8,
    manner: Arc<Mutex<Manner>>,
    held: Arc<Mutex<Held>>,
) -> Result<Response<Body>, std::convert::Infallible> {
    assert_eq!((request.method().as_str(), request.uri().path()), ("POST", "/add-checkpoint"));
    let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let body = String::from_utf8(body.to_vec()).unwrap();
    let (head, note) = body.split_once("\n\n").unwrap();
    let mut lines = head.split('\n');
    let old: u64 = lines.next().unwrap().strip_prefix("old ").unwrap().parse().unwrap();
    let proof: Vec<Hash> = lines.map(|line| line.parse().unwrap()).collect();
    let text = note.rsplit_once("\n\n").unwrap().0.to_owned() + "\n";
    Note::parse(note).unwrap();
    let checkpoint = Checkpoint::parse(&text).unwrap();
    let manner = *manner.lock().unwrap();
    held.lock().unwrap().asked.push(old);
    held.lock().unwrap().turn_to(checkpoint.origin());
    // Tests with a manual clock live at its start, those with a real gateway now.
    let now = if checkpoint.origin().starts_with(crate::ledger_stage::ORIGIN) { NOW } else { SystemClock.now().secs() };
    let key = cosigner(&name, seed);
    let cosign = |seed, time| line(&name, seed, &key, time, &text);
    let size = |size: u64| reply(409, "text/x.tlog.size", format!("{size}\n"));
    Ok(match manner {
        Manner::Honest => honest(&mut held.lock().unwrap(), old, &proof, &checkpoint, cosign(seed, now)),
        Manner::WrongSignature => {
            let text = text.replacen('\n', "x\n", 1);
            reply(200, "text/plain", line(&name, seed, &key, now, &text))
        }
        Manner::OtherKey => reply(200, "text/plain", cosign(seed ^ 1, now)),
        Manner::Replay => reply(200, "text/plain", held.lock().unwrap().first.clone().unwrap()),
        Manner::Dated(apart) => reply(200, "text/plain", cosign(seed, now + apart)),
        Manner::Endless => Response::builder().status(200).body(endless()).unwrap(),
        Manner::Silent => std::future::pending().await,
        Manner::Loop => size(old.checked_sub(1).unwrap_or(checkpoint.size())),
        Manner::Names(named) => size(named),
        Manner::ConflictWithoutSize => reply(409, "text/plain", "another root".to_owned()),
        Manner::ConflictWithText => reply(409, "text/x.tlog.size", "many\n".to_owned()),
        Manner::Status(status) => reply(status, "text/plain", "no\n".to_owned()),
        Manner::Text => reply(200, "text/plain", "thank you\n".to_owned()),
    })
}

fn honest(held: &mut Held, old: u64, proof: &[Hash], checkpoint: &Checkpoint, cosignature: String) -> Response<Body> {
    if old > checkpoint.size() {
        return reply(400, "text/plain", "old size\n".to_owned());
    }
    if old != held.size {
        return reply(409, "text/x.tlog.size", format!("{}\n", held.size));
    }
    if old == checkpoint.size() && held.root != Some(checkpoint.root()) {
        return reply(409, "text/x.tlog.size", format!("{}\n", held.size));
    }
    if let Some(root) = held.root
        && verify_consistency(old, checkpoint.size(), &root, &checkpoint.root(), proof).is_err()
    {
        return reply(422, "text/plain", "inconsistent\n".to_owned());
    }
    (held.size, held.root) = (checkpoint.size(), Some(checkpoint.root()));
    held.first.get_or_insert_with(|| cosignature.clone());
    reply(200, "text/plain", cosignature)
}

fn reply(status: u16, kind: &str, body: String) -> Response<Body> {
    let body = Full::new(Bytes::from(body)).boxed();
    Response::builder().status(StatusCode::from_u16(status).unwrap()).header(CONTENT_TYPE, kind).body(body).unwrap()
}

/// A body without an end.
fn endless() -> Body {
    struct Endless;
    impl hyper::body::Body for Endless {
        type Data = Bytes;
        type Error = std::convert::Infallible;
        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
            std::task::Poll::Ready(Some(Ok(hyper::body::Frame::data(Bytes::from_static(&[b'x'; 1024])))))
        }
    }
    BoxBody::new(Endless)
}
