//! One read for everybody who asks at the same time.
//!
//! Promises: what is given was read after it was asked for, so it is never older than the question. A read that fails fails for whoever made it; the
//! next one who waited reads again. Not here: keeping anything for later.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

/// Reads that are shared.
#[derive(Debug)]
pub(super) struct Together<T> {
    /// How many reads began.
    begun: AtomicU64,
    /// Held while one reads. Fair, so nobody waits for more than the read that is under way and the next.
    turn: tokio::sync::Mutex<()>,
    /// The newest result and the number of its read.
    newest: Mutex<Option<(u64, T)>>,
}

impl<T> Default for Together<T> {
    fn default() -> Self {
        Self { begun: AtomicU64::new(0), turn: tokio::sync::Mutex::new(()), newest: Mutex::new(None) }
    }
}

impl<T: Clone> Together<T> {
    /// The result of a read that begins after this call.
    pub(super) async fn read<E>(&self, read: impl AsyncFnOnce() -> Result<T, E>) -> Result<T, E> {
        let before = self.begun.load(Ordering::SeqCst);
        let turn = self.turn.lock().await;
        if let Some((number, value)) = &*self.newest()
            && *number > before
        {
            return Ok(value.clone());
        }
        let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let value = read().await?;
        *self.newest() = Some((number, value.clone()));
        drop(turn);
        Ok(value)
    }

    fn newest(&self) -> std::sync::MutexGuard<'_, Option<(u64, T)>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Semaphore;

    use super::*;

    /// A source that counts how often it was read, and reads only when it is let.
    #[derive(Default)]
    struct Source {
        reads: AtomicU64,
        begun: AtomicU64,
    }

    async fn ask(together: Arc<Together<u64>>, source: Arc<Source>, gate: Arc<Semaphore>) -> Result<u64, u64> {
        together
            .read(async || {
                source.begun.fetch_add(1, Ordering::SeqCst);
                gate.acquire().await.unwrap().forget();
                Ok(source.reads.fetch_add(1, Ordering::SeqCst) + 1)
            })
            .await
    }

    async fn until(met: impl Fn() -> bool) {
        while !met() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn who_asks_during_a_read_gets_the_next_one_and_shares_it() {
        let (together, source, gate) = (Arc::default(), Arc::new(Source::default()), Arc::new(Semaphore::new(0)));
        let spawn = || tokio::spawn(ask(Arc::clone(&together), Arc::clone(&source), Arc::clone(&gate)));
        let first = spawn();
        until(|| source.begun.load(Ordering::SeqCst) == 1).await;
        let later: Vec<_> = (0..5).map(|_| spawn()).collect();
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        gate.add_permits(10);
        assert_eq!(first.await.unwrap(), Ok(1));
        for asked in later {
            assert_eq!(asked.await.unwrap(), Ok(2), "read after it was asked, once for all five");
        }
        assert_eq!(ask(together, Arc::clone(&source), gate).await, Ok(3), "nothing is kept for later");
        assert_eq!(source.reads.load(Ordering::SeqCst), 3);
    }

    #[tokio::test]
    async fn a_read_that_fails_is_made_again_by_the_next() {
        let together = Together::default();
        assert_eq!(together.read(async || Err::<u64, _>("down")).await, Err("down"));
        assert_eq!(together.read(async || Ok::<_, &str>(7)).await, Ok(7));
    }
}
