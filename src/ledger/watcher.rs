//! Watching for what other processes append to the same ledger, so that an idle process shows it too. It asks and is not told: a notification would need a
//! session of its own, which a pooler does not give.

use std::{sync::Arc, time::Duration};

use tokio::sync::{mpsc, oneshot, watch};

use super::{handle::Published, sequencer::Order};
use crate::store::LedgerRead;

/// Ends when the sequencer takes nothing more.
pub(super) async fn watch(queue: mpsc::WeakSender<Order>, reads: Arc<dyn LedgerRead>, published: watch::Receiver<Arc<Published>>) {
    loop {
        tokio::time::sleep(PERIOD).await;
        if queue.upgrade().is_none_or(|queue| queue.is_closed()) {
            return;
        }
        let head = match reads.head().await {
            Ok(head) => head,
            // Whoever appends or reads says so where it matters; this comes again.
            Err(error) => {
                tracing::debug!(%error, "the head of the ledger could not be read");
                continue;
            }
        };
        if head.size <= published.borrow().size {
            continue;
        }
        let Some(queue) = queue.upgrade() else { return };
        let (reply, shown) = oneshot::channel();
        if queue.send(Order::Show(Box::new(head), reply)).await.is_err() {
            return;
        }
        if let Ok(Err(error)) = shown.await {
            tracing::warn!(%error, "the newest head cannot be shown");
        }
    }
}

/// How old a head that this process shows may be.
const PERIOD: Duration = Duration::from_millis(500);
