//! The accept loop: from a TCP connection to a service that knows its peer.
//!
//! Promises: connections are capped, all together and per address; every phase of a connection has a deadline (silent before the
//! handshake, silent after it, half a request, an answer nobody reads); each request and each reload judges the certificate again; stopping lets
//! requests in work finish, for a bounded time. HTTP/1.1 or HTTP/2 is chosen by ALPN, because a builder that guesses waits for a silent
//! client.
//! Not here: what requests mean, body sizes and body deadlines, rates of one party.

use std::{
    collections::HashMap,
    future::Future,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::{Request, Response};
use hyper::{
    body::{Body, Incoming},
    server::conn::{http1, http2},
    service::Service,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::graceful::GracefulConnection,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{
    gate::{BoxError, Gate},
    handshake::{HandshakeFailure, Pace},
    parting::{Parting, linger},
    peer::Peer,
    pulse::{Due, Heard, Pulse},
    state::{ALPN_H2, TlsState},
};
use crate::config::Limits;

/// How long each phase of a connection may last (protocol section 6).
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    /// From the TCP connection to the end of the handshake.
    pub handshake: Duration,
    /// From the first byte of a request's head to its last (HTTP/1.1; in HTTP/2 `idle` covers it).
    pub head: Duration,
    /// Without a request in work.
    pub idle: Duration,
    /// From a request's head to the end of its answer. A backstop: the time for bodies and waiting is capped by the service.
    pub answer: Duration,
    /// From the polite close of a connection to the hard one.
    pub farewell: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(10),
            idle: Duration::from_mins(1),
            answer: Duration::from_mins(2),
            farewell: Duration::from_secs(5),
        }
    }
}

/// Caps and deadlines of a listener.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Open connections. Further ones wait in the queue of the operating system.
    pub connections: u32,
    /// Open connections from one address, or one /64.
    pub connections_per_address: u32,
    /// How long requests in work may take to finish when the listener stops.
    pub drain: Duration,
    /// The deadlines.
    pub deadlines: Deadlines,
}

impl From<&Limits> for Options {
    fn from(limits: &Limits) -> Self {
        Self {
            connections: limits.connections.get(),
            connections_per_address: limits.connections_per_address.get(),
            drain: Duration::from_secs(limits.drain_seconds.get().into()),
            deadlines: Deadlines::default(),
        }
    }
}

/// Is told what happens at the door, for metrics and for the ledger's summary of the unauthenticated.
pub trait Observer: Send + Sync {
    /// A connection ended before it could send a request.
    fn handshake_failed(&self, failure: HandshakeFailure);

    /// So many connections are open now.
    fn connections_open(&self, open: usize);
}

/// How a listener ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were cut off because the time was over.
    pub cut_off: usize,
}

/// Accepts connections until `stop` is ready, then drains. `make` is called once per connection; its service is called for every request
/// whose certificate is still good, or cannot be judged because a revocation list is stale: [`Peer::party`] tells.
pub async fn serve<M, S, B>(
    listener: TcpListener,
    tls: Arc<TlsState>,
    options: Options,
    observer: Arc<dyn Observer>,
    make: M,
    stop: impl Future<Output = ()>,
) -> Drained
where
    M: Fn(Arc<Peer>) -> S + Send + Sync + 'static,
    S: Service<Request<Incoming>, Response = Response<B>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    let permits = Arc::new(Semaphore::new(usize::try_from(options.connections).unwrap_or(Semaphore::MAX_PERMITS)));
    let (stopping, stopped) = watch::channel(false);
    let door = Arc::new(Door { tls, options, observer, make, stopped, addresses: Mutex::default(), pace: Pace::default() });
    let mut open = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        let next = async {
            let permit = permits.clone().acquire_owned().await;
            (permit, listener.accept().await)
        };
        tokio::select! {
            biased;
            () = &mut stop => break,
            Some(ended) = open.join_next(), if !open.is_empty() => door.ended(ended.is_err(), open.len()),
            (permit, accepted) = next => {
                let (Ok(permit), Ok((tcp, remote))) = (permit, accepted) else {
                    door.cannot_accept().await;
                    continue;
                };
                let Some(place) = door.clone().take_place(remote.ip()) else {
                    door.failed(HandshakeFailure::TooMany);
                    continue;
                };
                let door_of_it = door.clone();
                open.spawn(async move {
                    door_of_it.connection(tcp, remote).await;
                    drop((place, permit));
                });
                door.observer.connections_open(open.len());
            }
        }
    }
    drop(listener);
    stopping.send_replace(true);
    let finished = timeout(options.drain, async {
        while let Some(ended) = open.join_next().await {
            door.ended(ended.is_err(), open.len());
        }
    })
    .await;
    let cut_off = if finished.is_ok() { 0 } else { open.len() };
    open.shutdown().await;
    door.observer.connections_open(0);
    Drained { cut_off }
}

/// HTTP headers that are read at all. The service refuses more than the protocol's 16 KiB (section 6) in words; what goes beyond this gets a bare 431.
const MAX_HEAD: usize = 32 * 1024;
/// What the HTTP/1.1 library reads or writes at once; at least a head.
const BUFFER: usize = 64 * 1024;
/// Requests of one HTTP/2 connection at the same time.
const MAX_STREAMS: u32 = 64;
/// How long a handshake that is under way when the listener stops may still take.
const LAST_HANDSHAKE: Duration = Duration::from_secs(1);
/// Pause when the system cannot accept (no more file descriptors), instead of spinning.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// Everything that was begun was answered.
    Politely,
    CutOff,
}

/// What all connections share.
struct Door<M> {
    tls: Arc<TlsState>,
    options: Options,
    observer: Arc<dyn Observer>,
    make: M,
    stopped: watch::Receiver<bool>,
    addresses: Mutex<HashMap<IpAddr, u32>>,
    pace: Pace,
}

impl<M> Door<M> {
    async fn connection<S, B>(&self, tcp: TcpStream, remote: SocketAddr)
    where
        M: Fn(Arc<Peer>) -> S,
        S: Service<Request<Incoming>, Response = Response<B>> + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError>,
        B: Body + Send + Unpin + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        let mut stopped = self.stopped.clone();
        let begun = AtomicBool::new(false);
        let mut hands = pin!(timeout(self.options.deadlines.handshake, self.shake_hands(tcp, remote, &begun)));
        let stopping = async { stopped.wait_for(|stopped| *stopped).await.is_ok() };
        let shaken = tokio::select! {
            shaken = hands.as_mut() => Some(shaken),
            _ = stopping => None,
        };
        let shaken = match shaken {
            Some(shaken) => shaken,
            // Whoever has not been answered has no request yet and loses nothing.
            None if !begun.load(Ordering::Relaxed) => return,
            // A client sends its first request before it learns whether this side is done with the handshake (RFC 8446 section 2).
            None => match timeout(LAST_HANDSHAKE.min(self.options.drain / 2), hands).await {
                Ok(shaken) => shaken,
                Err(_) => return,
            },
        };
        let (stream, peer) = match shaken {
            Ok(Ok(shaken)) => shaken,
            Ok(Err(failure)) => return self.failed(failure),
            Err(_) => return self.failed(HandshakeFailure::Timeout),
        };
        let pulse = Pulse::new(self.options.deadlines, Instant::now());
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(ALPN_H2);
        let (stream, parting) = Parting::of(stream);
        let service = Gate { inner: (self.make)(peer.clone()), peer: peer.clone(), pulse: pulse.clone() };
        let ended = if is_http2 {
            let connection = http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX))
                .max_concurrent_streams(MAX_STREAMS)
                .serve_connection(TokioIo::new(stream), service);
            self.watch(connection, &peer, &pulse).await
        } else {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(None)
                .max_header_size(MAX_HEAD)
                .max_buf_size(BUFFER)
                .serve_connection(TokioIo::new(Heard { stream, pulse: pulse.clone() }), service);
            self.watch(connection, &peer, &pulse).await
        };
        if ended == Ended::Politely
            && let Some(stream) = parting.take()
        {
            linger(stream.into_inner().0).await;
        }
    }

    async fn shake_hands(
        &self,
        tcp: TcpStream,
        remote: SocketAddr,
        begun: &AtomicBool,
    ) -> Result<(TlsStream<TcpStream>, Arc<Peer>), HandshakeFailure> {
        // Where it fails the handshake will. Nothing is taken from the stream.
        let heard = tcp.peek(&mut [0]).await;
        begun.store(heard.is_ok(), Ordering::Relaxed);
        // Fails only on a connection that is already gone, and the handshake will say so.
        let _ = tcp.set_nodelay(true);
        let (config, epoch) = self.tls.accept();
        let stream = match TlsAcceptor::from(config).accept(tcp).into_fallible().await {
            Ok(stream) => stream,
            Err((error, tcp)) => {
                linger(tcp).await;
                return Err(HandshakeFailure::of(&error));
            }
        };
        let (_, session) = stream.get_ref();
        let group = session.negotiated_key_exchange_group().map_or_else(String::new, |group| format!("{:?}", group.name()));
        let chain = session.peer_certificates().unwrap_or_default().iter().map(|der| der.clone().into_owned()).collect();
        let peer = Peer::read(chain, remote, group, self.tls.clone(), epoch).map_err(|_| HandshakeFailure::BadCertificate)?;
        Ok((stream, Arc::new(peer)))
    }

    /// Drives a connection until it ends, by itself or because it must.
    async fn watch<C>(&self, connection: C, peer: &Peer, pulse: &Pulse) -> Ended
    where
        C: GracefulConnection<Error = hyper::Error>,
    {
        let mut connection = pin!(connection);
        let mut stopped = self.stopped.clone();
        let mut reloads = self.tls.changes();
        let mut draining = false;
        let mut hard_end = None;
        // A reload or a stop that came during the handshake.
        reloads.mark_changed();
        stopped.mark_changed();
        loop {
            let now = Instant::now();
            let due = pulse.due(now);
            let is_over = due == Due::Idle || draining && pulse.is_quiet();
            if is_over && hard_end.is_none() {
                connection.as_mut().graceful_shutdown();
                hard_end = Some(now + self.options.deadlines.farewell);
            }
            let wake = match (due, hard_end) {
                (Due::Stalled, _) => {
                    tracing::debug!("connection stalled");
                    return Ended::CutOff;
                }
                // A request that came while the connection was asked to end was taken: it is answered.
                (_, Some(end)) if now >= end && pulse.is_quiet() => {
                    tracing::debug!("connection did not end when asked");
                    return Ended::CutOff;
                }
                (Due::At(answered), Some(end)) if now >= end => answered,
                (_, Some(end)) | (Due::At(end), None) => end,
                (Due::Idle, None) => now,
            };
            tokio::select! {
                ended = connection.as_mut() => {
                    return match ended {
                        Ok(()) => Ended::Politely,
                        Err(error) => {
                            tracing::debug!(%error, "connection ended");
                            Ended::CutOff
                        }
                    };
                }
                () = pulse.condemned() => {
                    tracing::info!("connection closed: certificate no longer accepted");
                    return Ended::CutOff;
                }
                () = sleep_until(wake.min(Instant::now() + pulse.step())) => {}
                Ok(()) = reloads.changed() => {
                    if let Err(fault) = peer.judge_now() && fault.closes() {
                        tracing::info!(%fault, "connection closed after a reload");
                        return Ended::CutOff;
                    }
                }
                Ok(()) = stopped.changed() => {
                    if *stopped.borrow_and_update() {
                        draining = true;
                        connection.as_mut().graceful_shutdown();
                    }
                }
            }
        }
    }

    fn failed(&self, failure: HandshakeFailure) {
        self.observer.handshake_failed(failure);
        if let Some(suppressed) = self.pace.allows() {
            tracing::info!(%failure, suppressed, "connection refused");
        }
    }

    fn ended(&self, panicked: bool, open: usize) {
        if panicked {
            tracing::error!("a connection ended in a panic");
        }
        self.observer.connections_open(open);
    }

    async fn cannot_accept(&self) {
        if self.pace.allows().is_some() {
            tracing::error!("the system cannot accept connections; raise the limit of open files (LimitNOFILE)");
        }
        sleep(ACCEPT_PAUSE).await;
    }

    fn take_place(self: Arc<Self>, address: IpAddr) -> Option<Place<M>> {
        let block = block_of(address);
        {
            let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
            let taken = addresses.entry(block).or_insert(0);
            if *taken >= self.options.connections_per_address {
                return None;
            }
            *taken += 1;
        }
        Some(Place { door: self, block })
    }
}

/// One of the connections an address may have.
struct Place<M> {
    door: Arc<Door<M>>,
    block: IpAddr,
}

impl<M> Drop for Place<M> {
    fn drop(&mut self) {
        let mut addresses = self.door.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(taken) = addresses.get_mut(&self.block) {
            *taken = taken.saturating_sub(1);
            if *taken == 0 {
                addresses.remove(&self.block);
            }
        }
    }
}

/// What counts as one address: in IPv6 everybody has a /64 to choose from.
fn block_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_network_counts_as_one_address() {
        let block = |text: &str| block_of(text.parse().unwrap());
        assert_eq!(block("2001:db8:1:2::1"), block("2001:db8:1:2:ffff::9"));
        assert_ne!(block("2001:db8:1:2::1"), block("2001:db8:1:3::1"));
        assert_eq!(block("::ffff:192.0.2.1"), block("192.0.2.1"));
        assert_ne!(block("192.0.2.1"), block("192.0.2.2"));
    }
}
