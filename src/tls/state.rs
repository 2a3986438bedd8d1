//! The TLS configuration in force, and how it is replaced while connections are open.
//!
//! TLS 1.3 only, client certificate mandatory, X25519MLKEM768 preferred, no early data, no session tickets and no resumption: a revoked client
//! must not come back through an old session (protocol section 1).

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use rustls::{
    CertificateError, Error as RustlsError, ServerConfig,
    crypto::aws_lc_rs::default_provider,
    pki_types::{PrivateKeyDer, UnixTime, pem::PemObject},
    server::NoServerSessionStorage,
    time_provider::TimeProvider,
    version::TLS13,
};
use tokio::sync::watch;

use super::{
    handshake::Noting,
    judge::Fault,
    peer::Peer,
    trust::{self, Trust},
    x509,
};
use crate::{
    clock::Clock,
    config::{self, ConfigError, read_secret},
    domain::{refusal::RefusalCode, time::Timestamp},
};

/// What is wrong with certificates, authorities or revocation lists. Each message names the file and what to do.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or others may read the private key.
    #[error(transparent)]
    File(#[from] ConfigError),
    /// No certificate in a file that must hold one.
    #[error("{file}: no readable certificate in PEM form (-----BEGIN CERTIFICATE-----)", file = file.display())]
    BadPem {
        /// The file.
        file: PathBuf,
    },
    /// No private key in the file.
    #[error("{file}: no readable private key in PEM form (PKCS#8, SEC1 or PKCS#1)", file = file.display())]
    BadKey {
        /// The file.
        file: PathBuf,
    },
    /// A certificate is past its end.
    #[error("{file}: the certificate of {subject} ended at {until}. Install a new one", file = file.display())]
    Expired {
        /// The file.
        file: PathBuf,
        /// Whose certificate.
        subject: String,
        /// When it ended.
        until: Timestamp,
    },
    /// A sandbox certificate outside a sandbox.
    #[error("{file}: made by the sandbox authority, whose key protects nobody. Use certificates of your own authority, or set sandbox = true", file = file.display())]
    Example {
        /// The file.
        file: PathBuf,
    },
    /// The library refuses the file.
    #[error("{file}: {why}", file = file.display())]
    Rejected {
        /// The file.
        file: PathBuf,
        /// Its reason.
        why: String,
    },
    /// Not a revocation list, or one without `nextUpdate`.
    #[error("{file}: no readable revocation list with a nextUpdate (PEM -----BEGIN X509 CRL-----, or DER)", file = file.display())]
    BadList {
        /// The file.
        file: PathBuf,
    },
    /// A list that its issuer did not sign.
    #[error("{file}: not signed by {issuer}. Fetch the revocation list again", file = file.display())]
    ForgedList {
        /// The file.
        file: PathBuf,
        /// The issuer it names.
        issuer: String,
    },
    /// An older list would bring revoked certificates back.
    #[error("{file}: the revocation list of {issuer} is older than the one in force. Fetch the current one", file = file.display())]
    OlderList {
        /// The file.
        file: PathBuf,
        /// Its issuer.
        issuer: String,
    },
    /// Two lists of one authority.
    #[error("{file}: a second revocation list of {issuer}. Keep only the current, complete one", file = file.display())]
    ListTwice {
        /// The file.
        file: PathBuf,
        /// Its issuer.
        issuer: String,
    },
    /// An authority without a list.
    #[error("tls.crls: no revocation list of {issuer}. Every authority in tls.client_ca needs one, even if it is empty")]
    NoList {
        /// The authority.
        issuer: String,
    },
    /// Two authorities of one name: a revocation list would be ambiguous.
    #[error("tls.client_ca: two authorities are named {issuer}. Keep one of them")]
    AuthorityTwice {
        /// The name.
        issuer: String,
    },
}

/// The TLS configuration in force.
pub struct TlsState {
    files: config::Tls,
    sandbox: bool,
    clock: Arc<dyn Clock>,
    current: ArcSwap<Loaded>,
    epoch: watch::Sender<u64>,
    reloading: Mutex<()>,
}

impl TlsState {
    /// Reads everything. With `sandbox` false, certificates of the sandbox authority are refused.
    pub fn load(files: &config::Tls, sandbox: bool, clock: Arc<dyn Clock>) -> Result<Arc<Self>, TlsError> {
        let loaded = Loaded::read(files, sandbox, &clock, FIRST_EPOCH)?;
        let (epoch, _) = watch::channel(FIRST_EPOCH);
        let current = ArcSwap::from_pointee(loaded);
        Ok(Arc::new(Self { files: files.clone(), sandbox, clock, current, epoch, reloading: Mutex::new(()) }))
    }

    /// Reads everything again. On an error what was in force stays in force. Otherwise new connections meet the new configuration, and
    /// open ones are judged by it at once.
    pub fn reload(&self) -> Result<(), TlsError> {
        let _one_at_a_time = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.current.load_full();
        let next = Loaded::read(&self.files, self.sandbox, &self.clock, before.epoch + 1)?;
        for (name, list) in &next.trust.lists {
            if before.trust.lists.get(name).is_some_and(|in_force| list.made < in_force.made) {
                return Err(TlsError::OlderList { file: list.file.clone(), issuer: list.issuer.clone() });
            }
        }
        let epoch = next.epoch;
        self.current.store(Arc::new(next));
        self.epoch.send_replace(epoch);
        Ok(())
    }

    /// When the first of the revocation lists must be replaced.
    #[must_use]
    pub fn crl_next_update(&self) -> Timestamp {
        self.current.load().trust.next_update
    }

    /// When the gateway's own certificate ends.
    #[must_use]
    pub fn certificate_not_after(&self) -> Timestamp {
        self.current.load().not_after
    }

    /// When the first of the authorities of clients ends.
    #[must_use]
    pub fn authority_not_after(&self) -> Timestamp {
        self.current.load().trust.not_after
    }

    /// When the oldest of the revocation lists was made.
    #[must_use]
    pub fn crl_this_update(&self) -> Option<Timestamp> {
        self.current.load().trust.lists.values().map(|list| list.made).min()
    }

    /// Whether the door is open: `crl_stale` from the moment a revocation list is past its `nextUpdate`.
    pub fn ready(&self, now: Timestamp) -> Result<(), RefusalCode> {
        if now >= self.crl_next_update() { Err(RefusalCode::CrlStale) } else { Ok(()) }
    }

    /// Whether the peer's certificate is still accepted. The chain is verified again only after a reload; otherwise two comparisons.
    pub(super) fn judge(&self, peer: &Peer, now: Timestamp) -> Result<(), Fault> {
        let loaded = self.current.load();
        if now >= loaded.trust.next_update {
            return Err(Fault::CrlStale);
        }
        if now >= peer.not_after() {
            return Err(Fault::Expired);
        }
        if peer.judged() == loaded.epoch {
            return Ok(());
        }
        let (own, above) = peer.chain().split_first().ok_or(Fault::Untrusted)?;
        loaded.trust.verifier.verify_client_cert(own, above, unix(now)).map_err(|error| fault(&error))?;
        peer.set_judged(loaded.epoch);
        Ok(())
    }

    /// The configuration for a new connection, and its epoch.
    pub(super) fn accept(&self) -> (Arc<ServerConfig>, u64) {
        let loaded = self.current.load();
        (loaded.config.clone(), loaded.epoch)
    }

    /// Changes whenever a reload succeeded.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.epoch.subscribe()
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl std::fmt::Debug for TlsState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsState").field("epoch", &*self.epoch.borrow()).finish_non_exhaustive()
    }
}

const FIRST_EPOCH: u64 = 1;

struct Loaded {
    epoch: u64,
    config: Arc<ServerConfig>,
    trust: Trust,
    not_after: Timestamp,
}

impl Loaded {
    fn read(files: &config::Tls, sandbox: bool, clock: &Arc<dyn Clock>, epoch: u64) -> Result<Self, TlsError> {
        let now = clock.now();
        let trust = trust::load(files, sandbox, now)?;
        let chain = trust::certificates(&files.cert)?;
        let mut not_after = Timestamp::from_micros(i64::MAX);
        for der in &chain {
            not_after = not_after.min(x509::moment(trust::accepted(der, &files.cert, sandbox, now)?.validity().not_after));
        }
        let pem = read_secret(&files.key)?;
        let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| TlsError::BadKey { file: files.key.clone() })?;
        let rejected = |error: RustlsError| TlsError::Rejected { file: files.cert.clone(), why: error.to_string() };
        let time = Arc::new(ClockOfRustls(clock.clone()));
        let verifier = Arc::new(Noting::new(trust.verifier.clone(), trust.issuers.clone()));
        let mut config = ServerConfig::builder_with_details(Arc::new(default_provider()), time)
            .with_protocol_versions(&[&TLS13])
            .map_err(rejected)?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)
            .map_err(rejected)?;
        config.alpn_protocols = vec![ALPN_H2.to_vec(), ALPN_HTTP1.to_vec()];
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.max_early_data_size = 0;
        Ok(Self { epoch, config: Arc::new(config), trust, not_after })
    }
}

/// ALPN names (RFC 7301 section 6).
pub(super) const ALPN_H2: &[u8] = b"h2";
pub(super) const ALPN_HTTP1: &[u8] = b"http/1.1";

pub(super) struct ClockOfRustls(pub(super) Arc<dyn Clock>);

impl TimeProvider for ClockOfRustls {
    fn current_time(&self) -> Option<UnixTime> {
        Some(unix(self.0.now()))
    }
}

impl std::fmt::Debug for ClockOfRustls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClockOfRustls")
    }
}

fn unix(now: Timestamp) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_micros(u64::try_from(now.micros()).unwrap_or(0)))
}

fn fault(error: &RustlsError) -> Fault {
    match error {
        RustlsError::InvalidCertificate(CertificateError::Revoked) => Fault::Revoked,
        RustlsError::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => Fault::Expired,
        RustlsError::InvalidCertificate(
            CertificateError::ExpiredRevocationList | CertificateError::ExpiredRevocationListContext { .. },
        ) => Fault::CrlStale,
        _ => Fault::Untrusted,
    }
}
