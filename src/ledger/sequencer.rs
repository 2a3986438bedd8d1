//! The one task of this process that appends (`ledger.md` section 4): it drains what is queued, commits it as one batch, signs once, answers everybody.
//!
//! Promises: nothing is answered before it is durable; a batch that fails fails for all its callers and for nobody else; the task ends only when
//! it is told to and its queue is empty. Without load it waits without a timer, so a lone caller pays for one commit and nothing more. Other processes
//! may append to the same ledger at any time: what they committed is seen under the head lock, and answered for or shown behind a commit of one's own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::{mpsc, oneshot, watch};

use super::{
    Answer, Committed, Draft, Entry, LedgerError, Node, Standing,
    batch::{Batch, Done, Prepared, Verdict},
    handle::Published,
    heads::Heads,
    tree,
};
use crate::{
    clock::{Clock, ClockWatch, Ids},
    domain::{entry::EntryType, time::Timestamp},
    store::{Appender, HeadRow, LedgerRead},
    tlog::{Frontier, RightEdge},
};

/// Where an answer goes.
pub(super) type Reply<T> = oneshot::Sender<Result<T, LedgerError>>;

/// What callers put into the queue.
pub(super) enum Order {
    /// Append a draft.
    Append(Box<Waiting>),
    /// Hold the head lock for one caller.
    Turn(Reply<Grant>),
    /// Try whether anything can be written.
    Probe(Reply<()>),
    /// Show a head of this size or a larger one. The store has one.
    Show(u64, Reply<()>),
    /// Take nothing more, finish what is queued, end.
    Close,
}

/// A draft and where its answer goes.
pub(super) struct Waiting {
    pub(super) draft: Prepared,
    pub(super) reply: Reply<Answer>,
}

/// The head lock, held for one caller.
pub(super) struct Grant {
    pub(super) rights_epoch: u64,
    /// Entries before the draft.
    pub(super) size: u64,
    /// Takes the one draft. Dropped, the lock is released.
    pub(super) draft: oneshot::Sender<Box<Waiting>>,
}

/// The state of the task.
pub(super) struct Sequencer {
    pub(super) appender: Arc<dyn Appender>,
    pub(super) reads: Arc<dyn LedgerRead>,
    pub(super) heads: Arc<Heads>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) watch: ClockWatch,
    pub(super) node: Node,
    pub(super) published: watch::Sender<Arc<Published>>,
    /// The right edge after the last batch of this process. None: read it again.
    pub(super) edge: Option<RightEdge>,
    /// The frontier of the tree that the right edge belongs to. None: read the edge again where another process appended.
    pub(super) frontier: Option<Frontier>,
    /// Whether the last batch failed: until one succeeds, readiness asks for a probe.
    pub(super) failing: Arc<AtomicBool>,
    /// How the ledger stands beside what others hold of it.
    pub(super) standing: Standing,
    /// Whether the clock is behind the ledger and that was recorded.
    pub(super) skewed: bool,
    /// When expired ids are looked for again.
    pub(super) forget_at: Timestamp,
}

impl Sequencer {
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<Order>) {
        let mut next = None;
        while let Some(order) = or_receive(next.take(), &mut queue).await {
            match order {
                Order::Append(first) => {
                    let mut waiting = vec![*first];
                    while waiting.len() < MAX_BATCH {
                        match queue.try_recv() {
                            Ok(Order::Append(draft)) => waiting.push(*draft),
                            Ok(other) => {
                                next = Some(other);
                                break;
                            }
                            Err(_) => break,
                        }
                    }
                    // Who does not wait any more wants nothing recorded: nothing left and nothing changed.
                    waiting.retain(|waiting| !waiting.reply.is_closed());
                    if !waiting.is_empty() {
                        let batch = self.begin().await;
                        self.append(batch, waiting).await;
                    }
                }
                Order::Turn(reply) => self.turn(reply).await,
                Order::Probe(reply) => {
                    let outcome = self.probe().await;
                    answer(reply, outcome);
                }
                Order::Show(size, reply) => {
                    let outcome = self.show_stored(size).await;
                    answer(reply, outcome);
                }
                Order::Close => queue.close(),
            }
        }
        self.heads.flush().await;
    }

    /// Holds the head lock for one caller, who sends one draft or gives up, within the deadline.
    async fn turn(&mut self, reply: Reply<Grant>) {
        if reply.is_closed() {
            return;
        }
        let batch = match self.begin().await {
            Ok(batch) => batch,
            Err(error) => {
                self.failing.store(true, Ordering::Relaxed);
                return answer(reply, Err(error));
            }
        };
        let shown = self.heads.shown();
        if let Err(error) = self.heads.follow(shown, &*self.reads, batch.head()).await {
            return answer(reply, Err(error));
        }
        let (draft, wanted) = oneshot::channel();
        answer(reply, Ok(Grant { rights_epoch: batch.head().rights_epoch, size: batch.head().size, draft }));
        if let Ok(Ok(waiting)) = tokio::time::timeout(TURN, wanted).await {
            self.append(Ok(batch), vec![*waiting]).await;
        }
    }

    async fn probe(&self) -> Result<(), LedgerError> {
        let jti = Ids::new(Arc::clone(&self.clock)).jti().map_err(|_| LedgerError::NoEntropy)?;
        let now = self.now()?;
        let shown = self.heads.shown();
        let batch = self.begin().await?;
        self.heads.follow(shown, &*self.reads, batch.head()).await?;
        batch.probe(jti, now).await?;
        self.failing.store(false, Ordering::Relaxed);
        Ok(())
    }

    async fn begin(&self) -> Result<Batch, LedgerError> {
        self.standing.check()?;
        self.lock().await
    }

    /// The head lock, where nothing is to be appended.
    async fn lock(&self) -> Result<Batch, LedgerError> {
        self.standing.undisputed()?;
        let before = self.heads.shown();
        let append = self.appender.begin().await.map_err(|error| tree::unavailable(&error))?;
        let batch = Batch::new(append)?;
        self.heads.compare(before, batch.head())?;
        Ok(batch)
    }

    fn now(&self) -> Result<Timestamp, LedgerError> {
        self.watch.now().map_err(|error| {
            tracing::error!(%error, "nothing is appended until the clock is right again or the gateway is started again");
            LedgerError::Clock
        })
    }

    async fn append(&mut self, batch: Result<Batch, LedgerError>, waiting: Vec<Waiting>) {
        let (drafts, replies): (Vec<_>, Vec<_>) = waiting.into_iter().map(|waiting| (waiting.draft, waiting.reply)).unzip();
        let outcome = match batch {
            Ok(batch) => self.commit(batch, drafts).await,
            Err(error) => Err(error),
        };
        match outcome {
            Ok(answers) => {
                for (reply, given) in replies.into_iter().zip(answers) {
                    answer(reply, Ok(given));
                }
            }
            Err(error) => {
                self.failing.store(true, Ordering::Relaxed);
                // What is stored now is not known: the next batch reads it again.
                self.edge = None;
                for reply in replies {
                    answer(reply, Err(error));
                }
            }
        }
    }

    async fn commit(&mut self, mut batch: Batch, drafts: Vec<Prepared>) -> Result<Vec<Answer>, LedgerError> {
        let now = self.now()?;
        batch.set_now(now);
        let before = batch.head().clone();
        let edge = self.edge_of(&mut batch, &before).await?;
        let skew = self.note_skew(&mut batch, now).await?;
        let forget_at = self.forget(&mut batch, now).await?;
        batch.look_up(&drafts).await?;
        let verdicts = batch.take(drafts).await?;
        let committed = if batch.touched() {
            let Done { head, tree, edge, entries } = batch.commit(edge).await?;
            self.edge = Some(edge);
            self.frontier = Some(tree.frontier().clone());
            self.failing.store(false, Ordering::Relaxed);
            let note = self.publish(&head, self.edge.as_ref())?;
            let prove = |mut entry: Committed| {
                let proof = tree.inclusion_proof(entry.idx).ok_or(LedgerError::OutcomeUnknown)?;
                entry.proof = proof.into_iter().map(|hash| hash.0).collect();
                entry.checkpoint = Arc::clone(&note);
                Ok(Some(entry))
            };
            entries.into_iter().map(prove).collect::<Result<Vec<_>, _>>()?
        } else {
            self.frontier = Some(batch.frontier().clone());
            self.edge = Some(edge);
            if before.size > self.published.borrow().size {
                // What is answered here rests on entries of another process, or on a commit of this one of which nothing was heard.
                batch.confirm().await?;
                // Who is handed back decides again by them.
                self.publish(&before, self.edge.as_ref())?;
            }
            Vec::new()
        };
        self.skewed = skew;
        self.forget_at = forget_at;
        place(verdicts, committed)
    }

    /// The right edge of the tree under the lock, which goes on from what was shown. Where another process appended since, the leaves in between are
    /// enough for both.
    async fn edge_of(&mut self, batch: &mut Batch, head: &HeadRow) -> Result<RightEdge, LedgerError> {
        let (shown, size) = (self.heads.shown(), batch.frontier().size());
        let edge = match (self.edge.take(), self.frontier.take()) {
            (Some(edge), _) if edge.size() == size => Ok(edge),
            (Some(edge), Some(before)) if edge.size() < size && size - edge.size() <= CATCH_UP => {
                let shown_is_before = shown.is(before.size(), before.root());
                let leaves = batch.leaves(edge.size()).await?;
                match tree::catch_up(edge, before, leaves, batch.frontier()) {
                    // The root under the lock was just made from the leaves of what was shown and those behind it: that proves more than following would.
                    Ok(proven) if shown_is_before => return Ok(proven),
                    caught_up => caught_up,
                }
            }
            _ => tree::edge(&*self.reads, batch.frontier()).await,
        };
        // A tree that went another way spoils the edge too, and says here what it is.
        self.heads.follow(shown, &*self.reads, head).await?;
        edge
    }

    /// Shows what other processes appended. Looked at under the lock: a ledger that went another way is found out there, and stays so.
    async fn show_stored(&self, size: u64) -> Result<(), LedgerError> {
        if size <= self.published.borrow().size {
            return Ok(());
        }
        let looked = async {
            let shown = self.heads.shown();
            let batch = self.lock().await?;
            self.heads.follow(shown, &*self.reads, batch.head()).await?;
            self.publish(&batch.confirm().await?, None).map(drop)
        };
        looked.await.inspect_err(|_| self.failing.store(true, Ordering::Relaxed))
    }

    /// Records once that the clock is behind the ledger. Order never changes: the time of entries is clamped.
    async fn note_skew(&self, batch: &mut Batch, now: Timestamp) -> Result<bool, LedgerError> {
        let last = batch.head().last_time;
        if now.plus_secs(1) >= last {
            return Ok(self.skewed && now < last);
        }
        if !self.skewed {
            let id = Ids::new(Arc::clone(&self.clock)).v7().map_err(|_| LedgerError::NoEntropy)?;
            let entry = Entry::of_gateway(id, self.node.clone(), EntryType::ClockSkew);
            batch.take(vec![Prepared::new(Draft::of_gateway(entry))?]).await?;
        }
        Ok(true)
    }

    /// Forgets expired ids in small steps; says when to look again.
    async fn forget(&self, batch: &mut Batch, now: Timestamp) -> Result<Timestamp, LedgerError> {
        if now < self.forget_at {
            return Ok(self.forget_at);
        }
        let more = batch.forget_expired(FORGET).await?;
        Ok(if more { now } else { now.plus_secs(1) })
    }

    /// Signs the checkpoint of a committed head and shows it to everybody, with the right edge of its tree.
    fn publish(&self, head: &HeadRow, edge: Option<&RightEdge>) -> Result<Arc<str>, LedgerError> {
        // The entries are durable whatever happens here; who is told that the outcome is unknown asks again and gets them.
        let published = Arc::new(self.heads.sign(head, edge).map_err(|_| LedgerError::OutcomeUnknown)?);
        let note = Arc::clone(&published.note);
        self.published.send_replace(published);
        Ok(note)
    }
}

/// Puts the entries where their drafts stood.
fn place(verdicts: Vec<Verdict>, mut entries: Vec<Option<Committed>>) -> Result<Vec<Answer>, LedgerError> {
    let answer = |verdict| match verdict {
        Verdict::Answered(answer) => Ok(answer),
        Verdict::Entry(at) => entries.get_mut(at).and_then(Option::take).map(Answer::Committed).ok_or(LedgerError::OutcomeUnknown),
    };
    verdicts.into_iter().map(answer).collect()
}

async fn or_receive(next: Option<Order>, queue: &mut mpsc::Receiver<Order>) -> Option<Order> {
    match next {
        Some(order) => Some(order),
        None => queue.recv().await,
    }
}

/// A caller that stopped waiting needs no answer.
fn answer<T>(reply: Reply<T>, given: Result<T, LedgerError>) {
    if reply.send(given).is_err() {
        tracing::debug!("a caller of the ledger stopped waiting");
    }
}

const MAX_BATCH: usize = 1024;
/// Leaves of other processes that are read one by one; behind more of them the whole edge is.
const CATCH_UP: u64 = 4096;
/// How long one caller may hold the head lock.
const TURN: Duration = Duration::from_secs(2);
/// Expired ids forgotten in one batch: more than a batch can bring.
const FORGET: u32 = 2048;
