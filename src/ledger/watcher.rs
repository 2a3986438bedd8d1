//! Watching for what other processes append to the same ledger, so that an idle process shows it too. It asks and is not told: a notification would need a
//! session of its own, which a pooler does not give.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::sync::{mpsc, oneshot, watch};

use super::{handle::Published, heads::Heads, sequencer::Order};
use crate::store::LedgerRead;

/// Ends when the sequencer takes nothing more.
pub(super) async fn watch(
    queue: mpsc::WeakSender<Order>,
    reads: Arc<dyn LedgerRead>,
    published: watch::Receiver<Arc<Published>>,
    heads: Weak<Heads>,
) {
    loop {
        tokio::time::sleep(PERIOD).await;
        if queue.upgrade().is_none_or(|queue| queue.is_closed()) {
            return;
        }
        // Not held meanwhile: who closed the ledger may open it again at once.
        let Some(before) = heads.upgrade().map(|heads| heads.shown()) else { return };
        let head = match reads.head().await {
            Ok(head) => head,
            // Whoever appends or reads says so where it matters; this comes again.
            Err(error) => {
                tracing::debug!(%error, "the head of the ledger could not be read");
                continue;
            }
        };
        let went_back = Heads::glance(before, &head).is_err();
        if head.size <= published.borrow().size && !went_back {
            continue;
        }
        let Some(queue) = queue.upgrade() else { return };
        let (reply, shown) = oneshot::channel();
        // Whether entries were lost shows under the lock.
        let order = if went_back { Order::Probe(reply) } else { Order::Show(head.size, reply) };
        if queue.send(order).await.is_err() {
            return;
        }
        if let Ok(Err(error)) = shown.await {
            tracing::warn!(%error, "the newest head cannot be shown");
        }
    }
}

/// How old a head that this process shows may be.
const PERIOD: Duration = Duration::from_millis(500);
