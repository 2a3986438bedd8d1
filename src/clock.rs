//! Where time and identifiers come from.
//!
//! Promises: the wall clock of the machine and its monotonic clock are read in this file and nowhere else; a test moves time with
//! [`ManualClock`]. Identifiers are random (UUIDv4, RFC 9562 section 5.4) or ordered by time (UUIDv7, section 5.7).
//! Not here: whether the machine's time is right.

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::rand;
use uuid::{Builder, Uuid};

use crate::domain::{
    ids::{CaseId, CaseKey, Jti},
    time::Timestamp,
};

/// Tells the time.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;

    /// Time since some moment of this process, from a clock that nobody sets.
    fn steady(&self) -> Duration;
}

/// The clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the machine for the time")]
    fn now(&self) -> Timestamp {
        let now = SystemTime::now();
        let micros = |span: Duration| i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        Timestamp::from_micros(match now.duration_since(UNIX_EPOCH) {
            Ok(after) => micros(after),
            Err(before) => micros(before.duration()).saturating_neg(),
        })
    }

    fn steady(&self) -> Duration {
        STARTED.elapsed()
    }
}

/// When this process first asked for steady time.
static STARTED: LazyLock<Stopwatch> = LazyLock::new(Stopwatch::start);

/// A clock that stands until it is moved.
#[derive(Debug)]
pub struct ManualClock {
    wall: AtomicI64,
    steady: AtomicI64,
}

impl ManualClock {
    /// A clock that stands at `now`.
    #[must_use]
    pub const fn new(now: Timestamp) -> Self {
        Self { wall: AtomicI64::new(now.micros()), steady: AtomicI64::new(0) }
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        self.set(self.now().plus_micros(by));
    }

    /// Forward: lets time pass until then. Backwards: sets the clock back.
    pub fn set(&self, now: Timestamp) {
        let before = self.wall.swap(now.micros(), Ordering::SeqCst);
        self.steady.fetch_add(now.micros().saturating_sub(before).max(0), Ordering::SeqCst);
    }

    /// Somebody sets the clock: no time passes.
    pub fn step(&self, now: Timestamp) {
        self.wall.store(now.micros(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.wall.load(Ordering::SeqCst))
    }

    fn steady(&self) -> Duration {
        Duration::from_micros(u64::try_from(self.steady.load(Ordering::SeqCst)).unwrap_or(0))
    }
}

/// The clock was set far ahead while the process ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the clock is {} s ahead of the time that passed since the start", .ahead.as_secs())]
pub struct ClockJump {
    /// By how much.
    pub ahead: Duration,
}

/// Compares the wall clock with the time that really passed since it was made. Times in the ledger only grow, so one entry from a clock that is years
/// ahead would drag every later one along. Whether the clock was right at the start cannot be known here.
pub struct ClockWatch {
    clock: Arc<dyn Clock>,
    wall: Timestamp,
    steady: Duration,
}

impl ClockWatch {
    /// Believes the clock as it stands now.
    #[must_use]
    pub fn start(clock: Arc<dyn Clock>) -> Self {
        let (wall, steady) = (clock.now(), clock.steady());
        Self { clock, wall, steady }
    }

    /// The time, unless the clock is more than [`MOST_AHEAD`] ahead. Passes when the clock is right again.
    pub fn now(&self) -> Result<Timestamp, ClockJump> {
        let now = self.clock.now();
        let walked = now.micros().saturating_sub(self.wall.micros());
        let passed = self.clock.steady().saturating_sub(self.steady);
        let ahead = Duration::from_micros(u64::try_from(walked).unwrap_or(0)).saturating_sub(passed);
        if ahead > MOST_AHEAD { Err(ClockJump { ahead }) } else { Ok(now) }
    }
}

impl std::fmt::Debug for ClockWatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClockWatch").field("wall", &self.wall).finish_non_exhaustive()
    }
}

/// What a clock may be corrected by while the process runs: more than a time service steps a clock that it keeps.
pub const MOST_AHEAD: Duration = Duration::from_mins(5);

/// Measures how long something took; does not jump when the wall clock is set.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts measuring.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the monotonic clock")]
    #[must_use]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// The random generator failed. Nothing that needs an identifier can go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the random generator of the machine failed")]
pub struct NoEntropy;

/// Fills buffers with unpredictable bytes. A trait so that a test can make identifiers repeatable.
pub trait Entropy: Send + Sync {
    /// Fills the whole buffer.
    fn fill(&self, buffer: &mut [u8]) -> Result<(), NoEntropy>;
}

/// The generator of AWS-LC.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), NoEntropy> {
        rand::fill(buffer).map_err(|_| NoEntropy)
    }
}

/// Makes identifiers.
#[derive(Clone)]
pub struct Ids {
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl Ids {
    /// Identifiers from this clock and the system's random generator.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::with_entropy(clock, Arc::new(SystemEntropy))
    }

    /// Identifiers from this clock and this generator.
    #[must_use]
    pub fn with_entropy(clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { clock, entropy }
    }

    /// A random UUIDv4: says nothing about when or where it was made, so it may be shown to others.
    pub fn v4(&self) -> Result<Uuid, NoEntropy> {
        let mut bytes = [0; 16];
        self.entropy.fill(&mut bytes)?;
        Ok(Builder::from_random_bytes(bytes).into_uuid())
    }

    /// A UUIDv7: begins with the milliseconds of the clock, so database rows stay in order. Tells its reader the time; keep it inside.
    pub fn v7(&self) -> Result<Uuid, NoEntropy> {
        let mut bytes = [0; 10];
        self.entropy.fill(&mut bytes)?;
        let millis = u64::try_from(self.clock.now().micros().div_euclid(1000)).unwrap_or(0);
        Ok(Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid())
    }

    /// A new `jti`.
    pub fn jti(&self) -> Result<Jti, NoEntropy> {
        self.v4().map(Jti::from_uuid)
    }

    /// A new case id for one party.
    pub fn case_id(&self) -> Result<CaseId, NoEntropy> {
        self.v4().map(CaseId::from_uuid)
    }

    /// A new key of a case. Random like the others, because its text form is read back as UUIDv4.
    pub fn case_key(&self) -> Result<CaseKey, NoEntropy> {
        self.v4().map(CaseKey::from_uuid)
    }
}

impl std::fmt::Debug for Ids {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ids").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp::from_secs(1_795_000_000);

    struct Empty;

    impl Entropy for Empty {
        fn fill(&self, _: &mut [u8]) -> Result<(), NoEntropy> {
            Err(NoEntropy)
        }
    }

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = ManualClock::new(NOON);
        assert_eq!(clock.now(), clock.now());
        clock.advance(Duration::from_millis(1500));
        assert_eq!(clock.now(), NOON.plus_micros(1_500_000));
        clock.set(NOON);
        assert_eq!(clock.now(), NOON);
    }

    #[test]
    fn a_clock_that_is_set_far_ahead_is_not_believed_until_it_is_right_again() {
        let clock = Arc::new(ManualClock::new(NOON));
        let watch = ClockWatch::start(clock.clone());
        clock.advance(Duration::from_hours(24 * 400));
        let later = clock.now();
        assert_eq!(watch.now(), Ok(later), "time that passed is no jump");
        clock.step(later.plus_secs(300));
        assert_eq!(watch.now(), Ok(later.plus_secs(300)));
        clock.step(later.plus_secs(301));
        assert_eq!(watch.now(), Err(ClockJump { ahead: Duration::from_secs(301) }));
        clock.step(later);
        assert_eq!(watch.now(), Ok(later));
        clock.step(NOON.plus_secs(-3600));
        assert_eq!(watch.now(), Ok(NOON.plus_secs(-3600)), "a step back is the ledger's to record");
    }

    #[test]
    fn the_system_clock_is_past_2025() {
        assert!(SystemClock.now() > Timestamp::from_secs(1_735_689_600));
    }

    #[test]
    fn a_new_jti_has_the_form_that_is_read_back() {
        let ids = Ids::new(Arc::new(ManualClock::new(NOON)));
        let (one, two) = (ids.jti().unwrap(), ids.jti().unwrap());
        assert_ne!(one, two);
        assert_eq!(one.to_string().parse(), Ok(one));
        let key = ids.case_key().unwrap();
        assert_eq!(key.to_string().parse(), Ok(key));
    }

    #[test]
    fn a_uuid_of_version_7_carries_the_clock_and_sorts_by_it() {
        let clock = Arc::new(ManualClock::new(NOON));
        let ids = Ids::new(clock.clone());
        let first = ids.v7().unwrap();
        clock.advance(Duration::from_millis(1));
        let second = ids.v7().unwrap();
        assert!(first < second);
        assert_eq!(first.get_version_num(), 7);
        assert_eq!(first.get_timestamp().unwrap().to_unix().0, 1_795_000_000);
    }

    #[test]
    fn without_randomness_there_is_no_identifier() {
        let ids = Ids::with_entropy(Arc::new(SystemClock), Arc::new(Empty));
        assert_eq!(ids.v4(), Err(NoEntropy));
        assert_eq!(ids.v7(), Err(NoEntropy));
    }

    #[test]
    fn a_stopwatch_does_not_run_backwards() {
        let watch = Stopwatch::start();
        let first = watch.elapsed();
        assert!(watch.elapsed() >= first);
    }
}
