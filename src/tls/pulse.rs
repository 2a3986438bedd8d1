//! What a connection is doing right now, so that none can stay silent for ever (protocol section 6).
//!
//! A connection is always in one of three phases, each with its own deadline: waiting for a request, reading a request's head, or answering.
//! The deadline of an answer runs from the request's head to the last byte that the library took from the body, so it also ends a client that
//! stops reading.

use std::{
    collections::BTreeMap,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::Notify,
    time::Instant,
};

use super::listener::Deadlines;

/// The phase of one connection, shared between its reader, its requests and its watchdog.
pub(super) struct Pulse {
    deadlines: Deadlines,
    now: Mutex<Phase>,
    condemned: Notify,
}

struct Phase {
    /// Requests in work, in the order they came, with the time each must be finished.
    answering: BTreeMap<u64, Instant>,
    next: u64,
    /// Since when no request is in work.
    quiet: Instant,
    /// When the first byte of the next request's head came.
    head: Option<Instant>,
}

/// What the watchdog sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// Nothing before this moment.
    At(Instant),
    /// No request for too long: close politely.
    Idle,
    /// A head or an answer takes too long: drop.
    Stalled,
}

impl Pulse {
    /// A connection whose handshake is done at `now`.
    pub(super) fn new(deadlines: Deadlines, now: Instant) -> Arc<Self> {
        let phase = Phase { answering: BTreeMap::new(), next: 0, quiet: now, head: None };
        Arc::new(Self { deadlines, now: Mutex::new(phase), condemned: Notify::new() })
    }

    /// A request's head is complete at `now`. The request is in work until the returned guard is dropped.
    pub(super) fn begin(self: &Arc<Self>, now: Instant) -> InWork {
        let mut phase = self.phase();
        let number = phase.next;
        phase.next = number.wrapping_add(1);
        phase.head = None;
        phase.answering.insert(number, now + self.deadlines.answer);
        InWork { pulse: self.clone(), number }
    }

    /// What is due at `now`.
    pub(super) fn due(&self, now: Instant) -> Due {
        let phase = self.phase();
        let (deadline, missed) = match (phase.answering.values().next(), phase.head) {
            (Some(answer), _) => (*answer, Due::Stalled),
            (None, Some(began)) => (began + self.deadlines.head, Due::Stalled),
            (None, None) => (phase.quiet + self.deadlines.idle, Due::Idle),
        };
        if now >= deadline { missed } else { Due::At(deadline) }
    }

    /// Whether no request is in work.
    pub(super) fn is_quiet(&self) -> bool {
        self.phase().answering.is_empty()
    }

    /// How long the watchdog may sleep without missing a phase that began meanwhile.
    pub(super) fn step(&self) -> Duration {
        self.deadlines.head.min(self.deadlines.idle).min(self.deadlines.answer)
    }

    /// The connection must end at once.
    pub(super) fn condemn(&self) {
        self.condemned.notify_one();
    }

    /// Waits until the connection must end.
    pub(super) async fn condemned(&self) {
        self.condemned.notified().await;
    }

    fn heard(&self, now: Instant) {
        let mut phase = self.phase();
        if phase.answering.is_empty() && phase.head.is_none() {
            phase.head = Some(now);
        }
    }

    fn finish(&self, number: u64, now: Instant) {
        let mut phase = self.phase();
        phase.answering.remove(&number);
        phase.quiet = now;
    }

    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request in work.
pub(super) struct InWork {
    pulse: Arc<Pulse>,
    number: u64,
}

impl Drop for InWork {
    fn drop(&mut self) {
        self.pulse.finish(self.number, Instant::now());
    }
}

/// A stream that tells the pulse when bytes of a head come. For HTTP/1.1 only: in HTTP/2 bytes come between requests too.
pub(super) struct Heard<T> {
    pub(super) stream: T,
    pub(super) pulse: Arc<Pulse>,
}

impl<T: AsyncRead + Unpin> AsyncRead for Heard<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.pulse.heard(Instant::now());
        }
        read
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Heard<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEADLINES: Deadlines = Deadlines {
        handshake: Duration::from_secs(10),
        head: Duration::from_secs(10),
        idle: Duration::from_mins(1),
        answer: Duration::from_mins(2),
        farewell: Duration::from_secs(5),
    };

    fn begun() -> (Arc<Pulse>, impl Fn(u64) -> Instant) {
        let start = Instant::now();
        (Pulse::new(DEADLINES, start), move |secs| start + Duration::from_secs(secs))
    }

    #[tokio::test]
    async fn a_connection_without_a_request_is_idle_after_its_deadline() {
        let (pulse, at) = begun();
        assert_eq!(pulse.due(at(59)), Due::At(at(60)));
        assert_eq!(pulse.due(at(60)), Due::Idle);
    }

    #[tokio::test]
    async fn a_begun_head_has_the_shorter_deadline_and_more_bytes_do_not_extend_it() {
        let (pulse, at) = begun();
        pulse.heard(at(50));
        pulse.heard(at(59));
        assert_eq!(pulse.due(at(59)), Due::At(at(60)));
        assert_eq!(pulse.due(at(60)), Due::Stalled);
    }

    #[tokio::test]
    async fn the_oldest_answer_counts_and_after_the_last_the_connection_is_quiet_again() {
        let (pulse, at) = begun();
        pulse.heard(at(1));
        let first = pulse.begin(at(2));
        let second = pulse.begin(at(100));
        assert_eq!(pulse.due(at(101)), Due::At(at(122)));
        pulse.finish(first.number, at(110));
        assert_eq!(pulse.due(at(219)), Due::At(at(220)));
        assert_eq!(pulse.due(at(220)), Due::Stalled);
        pulse.finish(second.number, at(120));
        assert_eq!(pulse.due(at(121)), Due::At(at(180)));
    }

    #[tokio::test]
    async fn a_dropped_answer_is_finished() {
        let (pulse, at) = begun();
        drop(pulse.begin(at(0)));
        assert!(pulse.phase().answering.is_empty());
    }
}
