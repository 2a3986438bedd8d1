//! From a configuration to a running gateway. The only file, with `cli`, that knows every room.
//!
//! Promises: nothing listens before keys, policies, schemas, certificates, revocation lists and the ledger's head were checked; on the way
//! down listeners drain first and the ledger last. If we crash anywhere here, nothing was promised to anybody.

pub mod keeping;
pub mod look;

mod activation;
mod erase;
mod founding;
mod keys;
mod mark;
mod registrations;
mod retention;
mod witnesses;
mod words;

use std::{
    os::unix::fs::FileTypeExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::{
    net::{TcpListener, UnixStream},
    sync::watch,
};
use tower::ServiceExt as _;
use zeroize::Zeroizing;

use self::keys::{retired, signer, vault};
use crate::{
    clock::{Clock, Ids},
    config::{self, AdminListen, Config, ConfigError},
    domain::digest::Digest,
    gateway::{Failure, Gateway, GatewayKeys, Parts},
    http::{self, Admin, Limits, Public},
    ledger::{self, HighWaterError, LedgerError, Node},
    message::{
        envelope::{EnvelopeError, Opener},
        keys::{KeyError, OpeningKey, SigningKey},
        objects::GatewayUrl,
        schema::{SchemaError, SchemaSet},
    },
    policy::{PolicyError, PolicySet},
    store::{self, LedgerRead, Store, StoreError},
    telemetry::Metrics,
    tlog::TlogError,
    tls::{self, HandshakeFailure, Observer, Options, Peer, TlsError, TlsState},
    vault::VaultError,
    witness::WitnessError,
};

pub use self::{
    activation::{Activation, activate_policies},
    erase::erase,
    founding::{Founded, found, public_document},
    look::inspect,
    registrations::record_registrations,
    retention::{retention_plan, retention_run},
    witnesses::look as look_at_witnesses,
    words::Told,
};

/// Why the gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartupError {
    /// Configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A key file does not hold the key it should.
    #[error("{0}: {1}")]
    Key(PathBuf, KeyError),
    /// The `enc` key cannot open envelopes.
    #[error("enc key: {0}")]
    Envelope(#[from] EnvelopeError),
    /// The ledger's seed or origin.
    #[error("ledger key: {0}")]
    Tlog(#[from] TlogError),
    /// The file of the ledger's seed is not 64 hexadecimal digits.
    #[error("{0}: expected 64 hexadecimal digits")]
    Seed(PathBuf),
    /// The file of the database password is not text.
    #[error("{0}: expected a password, one line of text")]
    Password(PathBuf),
    /// The gateway's URL is not `https://host:port`.
    #[error("gateway: expected https://host:port")]
    Url,
    /// Vault.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The key-encryption key cannot be used with this database.
    #[error("{0}: {1}")]
    Kek(PathBuf, VaultError),
    /// The database lacks the gateway's own data key.
    #[error("the database lacks the gateway's own data key")]
    NoOwnKey,
    /// Policies.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// Schemas.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// Store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The high-water mark.
    #[error(transparent)]
    Mark(#[from] HighWaterError),
    /// The database went back.
    #[error("the database holds {stored} entries, this gateway has shown a head of {shown}")]
    Behind {
        /// Entries of the newest head that was shown.
        shown: u64,
        /// Entries stored.
        stored: u64,
    },
    /// The ledger was to be opened again, and nothing shows that it lost anything.
    #[error("the ledger goes on from every head that is known: nothing is lost")]
    NothingLost,
    /// The ledger was to be opened again, and nobody brought a head from before.
    #[error("no head of the ledger is known from before")]
    NothingKnown,
    /// A note is no head of this ledger.
    #[error("{0}: not a checkpoint that this ledger's key signed")]
    NoHead(PathBuf),
    /// TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The policy set that was loaded is not the one in force in the ledger.
    #[error("policies: the set loaded here is {loaded}, the one in force is {in_force}")]
    PolicyMismatch {
        /// Loaded.
        loaded: Digest,
        /// In force.
        in_force: Digest,
    },
    /// The policies could not be put in force.
    #[error("policies: {0}")]
    Activation(#[from] Failure),
    /// A witness cannot be asked, or it holds another ledger than the one that is stored; by its URL.
    #[error("{0}: {1}")]
    Witness(String, #[source] WitnessError),
    /// The case could not be erased.
    #[error("erasure: {0}")]
    Erasure(#[source] Failure),
    /// What an earlier version registered could not be recorded.
    #[error("registrations: {0}")]
    Recording(#[source] Failure),
    /// The exchange has parties already, and another operator than the one that was named.
    #[error("the exchange has parties already: its operator registers the others")]
    Founded,
    /// The first operator could not be registered.
    #[error("first operator: {0}")]
    Founding(#[source] Failure),
    /// A listener cannot be opened, or a signal not be waited for.
    #[error("{0}: {1}")]
    Io(String, #[source] std::io::Error),
}

/// A gateway with its ledger running, before anything listens.
pub struct Opened {
    /// The gateway.
    pub gateway: Arc<Gateway>,
    /// Metrics.
    pub metrics: Arc<Metrics>,
    /// The ledger's sequencer; ends after [`Gateway::close`].
    pub sequencer: tokio::task::JoinHandle<()>,
}

/// The policy set a configuration names.
///
/// # Errors
/// When the set does not load.
pub fn policies(config: &Config) -> Result<PolicySet, StartupError> {
    Ok(match &config.policies {
        Some(folder) => PolicySet::load(folder)?,
        None => PolicySet::builtin()?,
    })
}

/// The database a configuration names.
///
/// # Errors
/// When the file with its password cannot be read or is not private.
pub fn database(config: &Config) -> Result<store::Address, StartupError> {
    address(&config.database)
}

/// A database that is named in the form of the configuration.
///
/// # Errors
/// As [`database`].
pub fn address(database: &config::Database) -> Result<store::Address, StartupError> {
    let address = store::Address::new(database.url.expose_all(), database.pooler);
    for file in database.key_files() {
        // The driver reads it whoever else may.
        config::read_secret(&file)?;
    }
    let Some(file) = &database.password_file else { return Ok(address) };
    let bytes = config::read_secret(file)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| StartupError::Password(file.clone()))?;
    Ok(address.with_password(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned())))
}

/// Opens store, ledger and keys and puts the gateway together.
///
/// # Errors
/// Whatever is missing or wrong, by file and key.
pub async fn open(config: &Config, store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Result<Opened, StartupError> {
    let policy = policies(config)?;
    let in_force = store.head().await?.policy;
    if in_force != policy.digest() {
        return Err(StartupError::PolicyMismatch { loaded: policy.digest(), in_force });
    }
    open_by(config, store, clock, policy, false).await
}

/// `beside`: another process of this configuration may be serving.
async fn open_by(
    config: &Config,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    policy: PolicySet,
    beside: bool,
) -> Result<Opened, StartupError> {
    let signing = |file: &PathBuf| -> Result<SigningKey, StartupError> {
        SigningKey::from_jwk(&config::read_secret(file)?).map_err(|e| StartupError::Key(file.clone(), e))
    };
    let (enc_retired, kb_retired) = retired(&config.keys.retired)?;
    let enc = OpeningKey::from_jwk(&config::read_secret(&config.keys.enc)?).map_err(|e| StartupError::Key(config.keys.enc.clone(), e))?;
    let signer = Arc::new(signer(config, &config.origin)?);
    let vkey = signer.verifier().to_string();
    let vault = vault(config, &*store).await?;
    let metrics = Arc::new(Metrics::new());
    let ids = Ids::new(Arc::clone(&clock));
    let node = Node { node: config.node.clone(), version: env!("CARGO_PKG_VERSION").to_owned() };
    let mark = match mark::hold(&config.ledger.high_water, &signer, &store.head().await?) {
        // The gateway that holds it watches the ledger; what is done beside it shows no head.
        Err(StartupError::Mark(HighWaterError::Held(_))) if beside => None,
        held => Some(held?),
    };
    let (ledger, sequencer) = ledger::open_ledger(ledger::Parts {
        appender: store.appender(),
        reads: Arc::clone(&store) as Arc<dyn LedgerRead>,
        signer,
        clock: Arc::clone(&clock),
        node: node.clone(),
        mark,
    })
    .await?;
    let gateway = Gateway::new(Parts {
        url: config.gateway.parse::<GatewayUrl>().map_err(|_| StartupError::Url)?,
        origin: config.origin.clone(),
        node,
        keys: GatewayKeys {
            enc: Opener::new(&enc)?,
            enc_retired,
            enc_public: enc.public().clone(),
            kb: signing(&config.keys.kb)?,
            kb_retired,
            receipt: signing(&config.keys.receipt)?,
            vkey,
        },
        store,
        ledger,
        vault,
        policy,
        schemas: SchemaSet::builtin()?,
        clock,
        ids,
    })
    .uncollected_after(config.limits.uncollected_days.get());
    Ok(Opened { gateway: Arc::new(gateway), metrics, sequencer })
}

/// Runs the gateway until SIGTERM or SIGINT; SIGHUP reads certificates, revocation lists and policies again.
///
/// # Errors
/// What keeps it from starting. Once it serves, it ends only by signal.
pub async fn serve(config: &Config, clock: Arc<dyn Clock>) -> Result<(), StartupError> {
    let tls = TlsState::load(&config.tls, config.sandbox, Arc::clone(&clock))?;
    let store = store::open(database(config)?).await?;
    let opened = open(config, Arc::clone(&store), Arc::clone(&clock)).await?;
    let publisher = witnesses::publisher(config, &opened, store, clock).await?;
    let listener = TcpListener::bind(config.listen).await.map_err(|e| StartupError::Io(format!("listen {}", config.listen), e))?;
    let limits = Limits {
        body: BODY,
        per_second: config.limits.per_party_requests_per_second,
        burst: config.limits.per_party_burst,
        concurrency: places(config.limits.per_party_concurrency),
        together: places(config.limits.concurrency),
    };
    let public = Arc::new(Public::new(Arc::clone(&opened.gateway), Arc::clone(&opened.metrics), limits));
    let (stop, stopped) = watch::channel(false);
    let admin = Arc::new(Admin { gateway: Arc::clone(&opened.gateway), metrics: Arc::clone(&opened.metrics), tls: Arc::clone(&tls) });
    let admin_task = start_admin(config, admin, stopped.clone()).await?;
    let (finish, finished) = watch::channel(false);
    let summaries = tokio::spawn(every_minute(Arc::clone(&opened.gateway), Arc::clone(&public), finished));
    let looking = tokio::spawn(registrations::look(Arc::clone(&opened.gateway)));
    let (unpublish, unpublished) = watch::channel(false);
    let publishing = publisher.map(|publisher| tokio::spawn(publisher.run(unpublished)));
    let door = Door { public: Arc::clone(&public), metrics: Arc::clone(&opened.metrics) };
    let router = http::public_router(Arc::clone(&public));
    let service = move |peer: Arc<Peer>| {
        let router = router.clone();
        hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            let mut request = request.map(axum::body::Body::new);
            request.extensions_mut().insert(Arc::clone(&peer));
            router.clone().oneshot(request)
        })
    };
    let options = Options::from(&config.limits);
    let serving = tls::serve(listener, Arc::clone(&tls), options, Arc::new(door), service, ended(stopped));
    tracing::info!(listen = %config.listen, gateway = %config.gateway, "serving");
    let signals = signals(config, &tls, &opened.gateway, &stop);
    let (drained, signalled) = tokio::join!(serving, signals);
    signalled?;
    tracing::info!(cut_off = drained.cut_off, "drained");
    looking.abort();
    if let Some(task) = admin_task {
        task.abort();
    }
    // What was refused while draining is summarised too; then what is queued is committed and the sequencer ends.
    finish.send_replace(true);
    if tokio::time::timeout(LAST_COMMIT, summaries).await.is_err() {
        tracing::warn!("the last summary of refusals could not be recorded in time");
    }
    // The last head too, before nobody can sign it any more.
    unpublish.send_replace(true);
    if let Some(task) = publishing
        && tokio::time::timeout(LAST_COMMIT, task).await.is_err()
    {
        tracing::warn!("the last checkpoint could not be published in time");
    }
    opened.gateway.close().await;
    if tokio::time::timeout(LAST_COMMIT, opened.sequencer).await.is_err() {
        tracing::warn!("the ledger did not end in time; what was acknowledged is durable");
    }
    Ok(())
}

/// Waits for signals: SIGHUP reloads, SIGTERM and SIGINT stop.
async fn signals(config: &Config, tls: &Arc<TlsState>, gateway: &Gateway, stop: &watch::Sender<bool>) -> Result<(), StartupError> {
    use tokio::signal::unix::{SignalKind, signal};
    let wait = |kind, name: &str| signal(kind).map_err(|e| StartupError::Io(name.to_owned(), e));
    let mut hangup = wait(SignalKind::hangup(), "SIGHUP")?;
    let mut terminate = wait(SignalKind::terminate(), "SIGTERM")?;
    let mut interrupt = wait(SignalKind::interrupt(), "SIGINT")?;
    loop {
        tokio::select! {
            _ = hangup.recv() => {
                match tls.reload() {
                    Ok(()) => tracing::info!("certificates and revocation lists were read again"),
                    Err(error) => tracing::error!(%error, "not reloaded: what was in force stays"),
                }
                reload_policies(config, gateway);
            }
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    stop.send_replace(true);
    Ok(())
}

/// Reads the policies again, each by itself: wrong policies keep no certificate from being renewed. They are used once they are in force.
fn reload_policies(config: &Config, gateway: &Gateway) {
    if config.policies.is_none() {
        return;
    }
    match policies(config) {
        Ok(set) => {
            let (read, used) = (set.digest(), gateway.policies_in_use());
            gateway.offer_policies(set);
            if read == used {
                tracing::info!(policy = %read, "policies were read again and are the same");
            } else {
                tracing::info!(policy = %read, in_use = %used, "policies were read again; they are used once they are put in force");
            }
        }
        Err(error) => tracing::error!(%error, in_use = %gateway.policies_in_use(), "policies not reloaded: the set in use stays"),
    }
}

/// Ready when the gateway is told to stop.
async fn ended(mut stopped: watch::Receiver<bool>) {
    // An error means that the sender is gone, which is an end too.
    let _ended = stopped.wait_for(|stop| *stop).await;
}

/// Summaries that keep a flood from growing the ledger.
async fn every_minute(gateway: Arc<Gateway>, public: Arc<Public>, stopped: watch::Receiver<bool>) {
    let mut minute = tokio::time::interval(MINUTE);
    minute.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    minute.tick().await;
    loop {
        tokio::select! {
            _ = minute.tick() => {}
            () = ended(stopped.clone()) => {}
        }
        let count = public.take_unauthenticated();
        let unauthenticated = gateway.summarise_unauthenticated(count).await;
        if unauthenticated.is_err() {
            public.give_back_unauthenticated(count);
        }
        for outcome in [unauthenticated, gateway.summarise_refusals().await, gateway.look().await] {
            if let Err(error) = outcome {
                tracing::warn!(%error, "the work of the minute could not be done");
            }
        }
        if *stopped.borrow() {
            return;
        }
    }
}

async fn start_admin(
    config: &Config,
    admin: Arc<Admin>,
    stopped: watch::Receiver<bool>,
) -> Result<Option<tokio::task::JoinHandle<()>>, StartupError> {
    let Some(settings) = &config.admin else { return Ok(None) };
    let router = http::admin_router(admin);
    let failed = |name: String| move |error| StartupError::Io(name, error);
    let task = match &settings.listen {
        AdminListen::Tcp(address) => {
            let listener = TcpListener::bind(address).await.map_err(failed(format!("admin listen {address}")))?;
            tokio::spawn(http::serve_admin_tcp(listener, router, ended(stopped)))
        }
        AdminListen::Unix(path) => {
            remove_left_socket(path).await.map_err(failed(format!("admin listen {}", path.display())))?;
            let listener = tokio::net::UnixListener::bind(path).map_err(failed(format!("admin listen {}", path.display())))?;
            tokio::spawn(http::serve_admin_unix(listener, router, ended(stopped)))
        }
    };
    Ok(Some(task))
}

/// An earlier run leaves its socket behind, and nobody could listen there again. One that somebody still answers on is left alone.
async fn remove_left_socket(path: &Path) -> std::io::Result<()> {
    let is_socket = tokio::fs::symlink_metadata(path).await.is_ok_and(|about| about.file_type().is_socket());
    if is_socket && UnixStream::connect(path).await.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused) {
        tokio::fs::remove_file(path).await?;
    }
    Ok(())
}

fn places(limit: std::num::NonZeroU32) -> usize {
    usize::try_from(limit.get()).unwrap_or(usize::MAX)
}

/// What happens at the door, for metrics and for the ledger's summary.
struct Door {
    public: Arc<Public>,
    metrics: Arc<Metrics>,
}

impl Observer for Door {
    fn handshake_failed(&self, failure: HandshakeFailure) {
        self.public.count_unauthenticated();
        self.metrics.handshake_failed(failure);
    }

    fn connections_open(&self, open: usize) {
        self.metrics.connections_open(open);
    }
}

/// How long a body may take (protocol section 6).
const BODY: Duration = Duration::from_secs(30);
/// How often summaries are written at most (`ledger.md` section 1, promise 2).
const MINUTE: Duration = Duration::from_mins(1);
/// How long the last commit may take when the gateway ends.
const LAST_COMMIT: Duration = Duration::from_secs(10);
