//! The task that publishes: at an interval, and only when the ledger grew, it keeps the signed head and collects cosignatures, all witnesses at
//! once. Of several gateways on one database one publishes, by a lease in the database; all of them learn what came of it.
//!
//! A crash anywhere here loses nothing: what was kept is read again, and a witness says itself how far it is.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::watch, task::JoinSet};

use super::{
    Outcome, Witness, WitnessError,
    dialogue::{Away, ask},
    kept, past,
};
use crate::{
    clock::Clock,
    ledger::{Dispute, LedgerError, SequencerHandle, SignedHead},
    store::{CheckpointRow, Store, WitnessRow},
    tlog::{NoteSignature, Quorum},
};

/// How it is done.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How many witnesses are enough.
    pub quorum: usize,
    /// How often a head is published at most.
    pub interval: Duration,
    /// How long entries may stay without a cosigned head before that is called overdue.
    pub patience: Duration,
    /// Whether nothing is appended while it is overdue.
    pub stop: bool,
}

/// Publishes heads.
pub struct Publisher {
    ledger: SequencerHandle,
    store: Arc<dyn Store>,
    witnesses: Vec<Arc<Witness>>,
    quorum: Quorum,
    settings: Settings,
    clock: Arc<dyn Clock>,
    holder: String,
    /// Entries that no head under the present name has to cover: they were there when the ledger got it.
    before: AtomicU64,
}

impl Publisher {
    /// A publisher with a name of its own for the lease. Refuses a quorum that these witnesses cannot reach.
    pub fn new(
        ledger: SequencerHandle,
        store: Arc<dyn Store>,
        witnesses: Vec<Witness>,
        settings: Settings,
        clock: Arc<dyn Clock>,
        holder: String,
    ) -> Result<Self, WitnessError> {
        let quorum = Quorum::new(witnesses.iter().map(|witness| witness.key().clone()).collect(), settings.quorum)?;
        let witnesses: Vec<_> = witnesses.into_iter().map(Arc::new).collect();
        ledger.standing().update(|stand| stand.witnessed = !witnesses.is_empty());
        Ok(Self { ledger, store, witnesses, quorum, settings, clock, holder, before: AtomicU64::new(0) })
    }

    /// Before anything is served: compares the stored ledger with what was kept and with what the witnesses hold.
    ///
    /// # Errors
    /// [`LedgerError::RolledBack`] and [`LedgerError::Forked`] when they hold something else; what keeps the ledger from being read.
    pub async fn start(&self) -> Result<(), WitnessError> {
        self.compare_kept().await?;
        self.before.store(past::renamed(&*self.store, &self.ledger).await?.unwrap_or(0), Ordering::Relaxed);
        let head = self.ledger.head().await?;
        let answered = self.publish(&head).await?;
        // A dispute that was found before stays until its witness says otherwise.
        for row in self.configured().await? {
            if !answered.contains(&row.vkey) {
                self.learn(&row);
            }
        }
        self.judge().await?;
        match self.ledger.standing().now().dispute {
            Some(dispute) => Err(dispute.error().into()),
            None => Ok(()),
        }
    }

    /// Publishes at every interval until `stopped` says so, and then once more.
    pub async fn run(self, mut stopped: watch::Receiver<bool>) {
        let mut interval = tokio::time::interval(self.settings.interval);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        interval.tick().await;
        loop {
            let ended = tokio::select! {
                _ = interval.tick() => false,
                // An error means that the sender is gone, which is an end too.
                _ = stopped.wait_for(|stop| *stop) => true,
            };
            if let Err(error) = self.round().await {
                tracing::warn!(%error, "checkpoints could not be published");
            }
            if ended {
                return;
            }
        }
    }

    /// One round: learns what others found, publishes if there is something to publish and nobody else does, and judges how the ledger stands.
    pub async fn round(&self) -> Result<(), WitnessError> {
        let rows = self.configured().await?;
        for row in &rows {
            self.learn(row);
        }
        self.compare_kept().await?;
        if self.ledger.standing().now().dispute.is_some() {
            return Ok(());
        }
        let head = self.ledger.head().await?;
        if !self.is_done(&head, &rows).await? && self.leased().await? {
            self.publish(&head).await?;
            self.tidy().await;
        }
        self.judge().await
    }

    /// Whether the head is kept, and cosigned by everybody. How far a witness is remembered to be may be of a name that the ledger had before.
    async fn is_done(&self, head: &SignedHead, rows: &[WitnessRow]) -> Result<bool, WitnessError> {
        let witnesses = self.witnesses.iter().map(|witness| witness.key().clone());
        let kept = self.store.published(head.size).await?.is_some_and(|row| kept::has_all(&row, self.ledger.verifier(), witnesses));
        Ok(kept && rows.len() == self.witnesses.len() && rows.iter().all(|row| row.size >= head.size))
    }

    /// Drops heads that a newer one makes needless. In dispute they are evidence.
    async fn tidy(&self) {
        if self.ledger.standing().now().dispute.is_some() {
            return;
        }
        let witnesses: Vec<_> = self.witnesses.iter().map(|witness| witness.key().clone()).collect();
        match past::prune(&*self.store, &self.ledger, &witnesses).await {
            Ok(count) => tracing::debug!(count, "published checkpoints were dropped"),
            // What is published stands; they are dropped another time.
            Err(error) => tracing::warn!(%error, "old published checkpoints could not be dropped"),
        }
    }

    async fn leased(&self) -> Result<bool, WitnessError> {
        let now = self.clock.now();
        let until = self.settings.interval.saturating_mul(2).saturating_add(LEASE);
        Ok(self.store.lease(&self.holder, now, now.plus_secs(i64::try_from(until.as_secs()).unwrap_or(i64::MAX))).await?)
    }

    /// Keeps the head and asks every witness. Says which of them gave an answer about the ledger.
    async fn publish(&self, head: &SignedHead) -> Result<Vec<String>, WitnessError> {
        self.keep(head).await?;
        let known: HashMap<String, u64> = self.configured().await?.into_iter().map(|row| (row.vkey, row.size)).collect();
        let mut asked = JoinSet::new();
        for witness in &self.witnesses {
            let known = known.get(&witness.key().to_string()).copied().unwrap_or(0);
            asked.spawn(consult(Arc::clone(witness), self.ledger.clone(), head.clone(), known, Arc::clone(&self.clock)));
        }
        let mut answered = Vec::new();
        while let Some(done) = asked.join_next().await {
            let Ok((witness, told)) = done else { continue };
            let vkey = witness.key().to_string();
            match told? {
                Told::Cosigned(head, line) => {
                    self.keep(&head).await?;
                    // What is not kept is asked for again.
                    if kept::add(&*self.store, &row(&head), witness.key(), &line).await? {
                        self.store.keep_witness(&WitnessRow { vkey: vkey.clone(), size: head.size, dispute: None }).await?;
                    }
                    tracing::debug!(witness = %witness.key().name(), size = head.size, "cosigned");
                    answered.push(vkey);
                }
                Told::Dispute(dispute) => {
                    tracing::error!(witness = %witness.key().name(), %dispute, "a witness holds another head");
                    // Here first: storing it may fail.
                    self.ledger.standing().dispute(dispute);
                    let text = kept::dispute_text(dispute, self.ledger.verifier());
                    let size = known.get(&vkey).copied().unwrap_or(0);
                    self.store.keep_witness(&WitnessRow { vkey: vkey.clone(), size, dispute: Some(text) }).await?;
                    answered.push(vkey);
                }
                Told::Away(away) => tracing::warn!(witness = %witness.key().name(), %away, "a witness did not cosign"),
            }
        }
        Ok(answered)
    }

    /// Keeps a head that is not kept yet.
    async fn keep(&self, head: &SignedHead) -> Result<(), WitnessError> {
        if self.store.published(head.size).await?.is_none() && !self.store.keep_checkpoint(&row(head), "").await? {
            tracing::debug!(size = head.size, "another process kept this checkpoint");
        }
        Ok(())
    }

    /// The newest head that was kept must belong to the stored ledger.
    async fn compare_kept(&self) -> Result<(), WitnessError> {
        // In dispute the ledger shows no head to compare with.
        if self.ledger.standing().now().dispute.is_some() {
            return Ok(());
        }
        // In this order: the ledger grows between the two.
        let Some(newest) = self.store.newest_published().await? else { return Ok(()) };
        let stored = self.ledger.head().await?.size;
        if let Some(dispute) = kept::against(&newest, &self.ledger, stored).await? {
            self.ledger.standing().dispute(dispute);
        }
        Ok(())
    }

    /// How the configured witnesses stand.
    async fn configured(&self) -> Result<Vec<WitnessRow>, WitnessError> {
        let mut rows = self.store.witnesses().await?;
        rows.retain(|row| self.witnesses.iter().any(|witness| witness.key().to_string() == row.vkey));
        Ok(rows)
    }

    /// Takes over a dispute that another process found.
    fn learn(&self, row: &WitnessRow) {
        if let Some(dispute) = kept::dispute_of(row, self.ledger.verifier()) {
            self.ledger.standing().dispute(dispute);
        }
    }

    /// What is cosigned, and since when something is not.
    async fn judge(&self) -> Result<(), WitnessError> {
        if self.witnesses.is_empty() {
            return Ok(());
        }
        let cosigned = kept::newest(&*self.store, &self.ledger, &self.quorum).await?;
        // Nobody could cosign under this name what was there before.
        let covered = cosigned.as_ref().map_or(0, |cosigned| cosigned.size).max(self.before.load(Ordering::Relaxed));
        let since = self.ledger.time_of(covered).await?;
        let bears = i64::try_from(self.settings.patience.as_secs()).unwrap_or(i64::MAX);
        let overdue = since.is_some_and(|since| since.plus_secs(bears) < self.clock.now());
        let before = self.ledger.standing().now().overdue;
        self.ledger.standing().update(|stand| {
            stand.cosigned = cosigned;
            stand.uncosigned_since = since;
            stand.overdue = overdue;
            stand.stopped = overdue && self.settings.stop;
        });
        if overdue && !before {
            tracing::error!(since = %since.unwrap_or_default(), stopped = self.settings.stop, "the ledger's head is not cosigned");
        } else if before && !overdue {
            tracing::info!(size = covered, "the ledger's head is cosigned in time again");
        }
        Ok(())
    }
}

impl std::fmt::Debug for Publisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Publisher").field("witnesses", &self.witnesses.len()).field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// What a witness told us in the end.
enum Told {
    Cosigned(SignedHead, NoteSignature),
    Dispute(Dispute),
    Away(Away),
}

/// Asks one witness; where it is ahead of this head, with the head as it is stored by then: another gateway may have published it meanwhile.
async fn consult(
    witness: Arc<Witness>,
    ledger: SequencerHandle,
    mut head: SignedHead,
    known: u64,
    clock: Arc<dyn Clock>,
) -> (Arc<Witness>, Result<Told, LedgerError>) {
    let told = async {
        for _ in 0..RACES {
            match ask(&witness, &ledger, &head, known, clock.now()).await? {
                Outcome::Cosigned(line) => return Ok(Told::Cosigned(head, line)),
                Outcome::Conflict(held) => return Ok(Told::Dispute(Dispute::Forked { held })),
                Outcome::Away(away) => return Ok(Told::Away(away)),
                Outcome::Ahead(held) => {
                    head = ledger.head().await?;
                    // Entries are committed before their head is signed: whoever holds a larger signed head holds what is not here.
                    if held > head.size {
                        return Ok(Told::Dispute(Dispute::RolledBack { held, stored: head.size }));
                    }
                }
            }
        }
        Ok(Told::Away(Away::Loop))
    };
    let told = told.await;
    (witness, told)
}

fn row(head: &SignedHead) -> CheckpointRow {
    CheckpointRow { size: head.size, root: head.root.0, note: head.note.to_string(), cosignatures: String::new() }
}

/// How long a publisher may be silent beyond its interval before another takes over: longer than a whole round may last.
const LEASE: Duration = Duration::from_mins(2);
/// How often a witness may be ahead because another gateway is faster.
const RACES: u8 = 3;
