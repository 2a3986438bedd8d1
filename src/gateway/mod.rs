//! The use cases: one file each. A use case takes a [`Caller`], a [`Call`] and bytes, and answers only after its ledger entry is durable.
//!
//! Promises: nothing is released and nothing changes without its entry (`ledger.md` section 1); rights are read after the rights epoch, so
//! what was decided on moved ground is handed back by the sequencer and decided again; `now` comes from the one clock.
//! Not here: HTTP, TLS, SQL, policies.

mod acknowledge;
mod actor;
mod affair;
mod agreements;
mod anonymity;
mod answer;
mod audit;
mod bootstrap;
mod call;
mod cases;
mod categories;
mod certificates;
mod certify;
mod consents;
mod delegates;
mod directory;
mod disclosures;
mod discovery;
mod erase;
mod examine;
mod explain;
mod failure;
mod fates;
mod findings;
mod holders;
mod inspect;
mod keys;
mod known;
mod later;
mod ledger_read;
mod outlook;
mod policies;
mod published;
mod read_case;
mod receipts;
mod record;
mod recording;
mod register;
mod registered;
mod registry;
mod reliance;
mod retention;
mod rights;
mod standing;
mod statistics;
mod submit;
mod successors;
mod tags;
mod terms;
mod titles;
mod together;

use std::sync::Arc;

use zeroize::Zeroizing;

pub use answer::{Accepted, LedgerProof, Release};
pub use audit::AuditQuery;
use call::Seen;
pub use call::{Call, Caller};
pub use cases::CaseQuery;
pub use certificates::CertificatePage;
pub use disclosures::{DisclosureQuery, Disclosures};
pub use erase::{Erased, Erasure};
pub use explain::{Explained, Explanation, Fault, PolicyName, PurposeView, ReaderView, RowView, Rule, Words};
pub use failure::Failure;
pub use inspect::Insight;
pub use record::GATEWAY_KEY;
pub use recording::{Registration, Survey};
pub use retention::{KeepFor, Keeping, RetentionRun};
pub use statistics::StatisticsMade;

use crate::{
    clock::{Clock, Ids},
    domain::{
        digest::Digest,
        party::{PartyId, PartyState},
        refusal::{Refusal, RefusalCode},
        time::Timestamp,
    },
    ledger::{Answer, Draft, Node, SequencerHandle},
    message::{
        envelope::{EnvelopeError, Opener},
        keys::{PublicKey, SigningKey},
        objects::GatewayUrl,
        schema::SchemaSet,
    },
    policy::PolicySet,
    store::{DataKeyId, Store},
    vault::{DataKey, Vault},
};

/// The gateway's own keys, parsed once.
pub struct GatewayKeys {
    /// Opens requests.
    pub enc: Opener,
    /// Earlier `enc` keys: envelopes made for them are still opened.
    pub enc_retired: Vec<Opener>,
    /// Public half of `enc`.
    pub enc_public: PublicKey,
    /// Signs releases.
    pub kb: SigningKey,
    /// Earlier `kb` keys: what was bound to them is still released.
    pub kb_retired: Vec<SigningKey>,
    /// Signs receipts.
    pub receipt: SigningKey,
    /// The ledger's verifier key (C2SP signed-note `vkey`).
    pub vkey: String,
}

impl GatewayKeys {
    /// Opens an envelope with the key it was made for.
    fn open(&self, envelope: &[u8], cty: &str) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
        let first = self.enc.open(envelope, cty);
        if first != Err(EnvelopeError::DecryptFailed) {
            return first;
        }
        self.enc_retired.iter().find_map(|opener| opener.open(envelope, cty).ok()).ok_or(EnvelopeError::DecryptFailed)
    }

    /// The key a message was bound to, current or earlier.
    fn kb(&self, thumbprint: &Digest) -> Option<&SigningKey> {
        std::iter::once(&self.kb).chain(&self.kb_retired).find(|key| key.public().thumbprint() == *thumbprint)
    }
}

/// Everything a use case needs.
pub struct Gateway {
    /// `https://host:port`: the `aud` of everything addressed to the gateway.
    pub(crate) url: GatewayUrl,
    /// Origin of the ledger's checkpoints.
    pub(crate) origin: String,
    pub(crate) node: Node,
    pub(crate) keys: GatewayKeys,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) ledger: SequencerHandle,
    pub(crate) vault: Vault,
    pub(crate) policy: policies::Policies,
    pub(crate) schemas: SchemaSet,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Ids,
    refusals: record::RefusalBudget,
    changes: governor::DefaultKeyedRateLimiter<PartyId>,
    actors: actor::UsedActors,
    rights: rights::RightsCache,
    known: known::Known,
    followed: tokio::sync::Mutex<registered::Followed>,
    /// The newest rights epoch for which opened consents and unwrapped keys are kept.
    kept_in: std::sync::atomic::AtomicU64,
    heads: together::Together<Seen>,
    /// Days after which a message that nobody collected is late.
    uncollected_days: u32,
}

/// What [`Gateway::new`] is made of.
pub struct Parts {
    /// See [`Gateway`].
    pub url: GatewayUrl,
    /// See [`Gateway`].
    pub origin: String,
    /// Node id and software version.
    pub node: Node,
    /// Keys.
    pub keys: GatewayKeys,
    /// Store.
    pub store: Arc<dyn Store>,
    /// Sequencer.
    pub ledger: SequencerHandle,
    /// Vault.
    pub vault: Vault,
    /// Policy set.
    pub policy: PolicySet,
    /// Schemas.
    pub schemas: SchemaSet,
    /// Clock.
    pub clock: Arc<dyn Clock>,
    /// Ids.
    pub ids: Ids,
}

impl Gateway {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self {
            url: parts.url,
            origin: parts.origin,
            node: parts.node,
            keys: parts.keys,
            store: parts.store,
            ledger: parts.ledger,
            vault: parts.vault,
            policy: policies::Policies::new(parts.policy),
            schemas: parts.schemas,
            clock: parts.clock,
            ids: parts.ids,
            refusals: record::RefusalBudget::default(),
            changes: record::changes_per_party(),
            actors: actor::UsedActors::default(),
            rights: rights::RightsCache::default(),
            known: known::Known::default(),
            followed: tokio::sync::Mutex::default(),
            kept_in: std::sync::atomic::AtomicU64::default(),
            heads: together::Together::default(),
            uncollected_days: UNCOLLECTED_DAYS,
        }
    }

    /// The same, which tells a sender after so many days that nobody collected its message.
    #[must_use]
    pub const fn uncollected_after(mut self, days: u32) -> Self {
        self.uncollected_days = days;
        self
    }

    /// The registered, active party behind a certificate.
    ///
    /// # Errors
    /// `unknown_party`, `bad_identity` (the registration demands another key), `party_suspended`; the last one comes with the caller, so
    /// that it can be recorded.
    pub async fn caller(
        &self,
        party: &PartyId,
        certificate: Digest,
        spki: Digest,
        not_after: Timestamp,
    ) -> Result<Result<Caller, (Caller, Refusal)>, Failure> {
        // First of all, so that every right of this call is read after it.
        let seen = self.seen().await?;
        let row = self.party_in(seen.rights_epoch, party).await?.ok_or(RefusalCode::UnknownParty)?;
        let allowed = &row.registration.certificates;
        if !allowed.is_empty() && !allowed.contains(&spki) {
            return Err(RefusalCode::BadIdentity.into());
        }
        let suspended = row.state == PartyState::Suspended;
        let caller = Caller { row, certificate, not_after, seen };
        Ok(if suspended { Err((caller, RefusalCode::PartySuspended.into())) } else { Ok(caller) })
    }

    /// The time of the gateway's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Commits what is queued and ends the sequencer. Later calls are answered 503.
    pub async fn close(&self) {
        self.ledger.close().await;
    }

    /// Commits what `build` decides. `build` gets the rights epoch, read before the rights: at first the one in which the call began. When the
    /// ground moved it decides again; the third time under the head lock, where nothing can move (`ledger.md` section 4). Who calls is looked at
    /// again each time.
    async fn commit<X, B>(&self, caller: &Caller, call: &Call, mut build: impl FnMut(u64) -> B) -> Result<(Answer, X), Failure>
    where
        B: Future<Output = Result<(Draft, X), Failure>> + Send,
    {
        let began = call.trail();
        for again in [false, true] {
            let seen = if again { self.seen().await? } else { caller.seen };
            let seen = if self.decides_by(&seen) { seen } else { self.seen().await? };
            if !self.decides_by(&seen) {
                return Err(RefusalCode::PolicyMismatch.into());
            }
            call.note(|t| t.policy = Some(seen.policy));
            self.still_stands(caller, call, seen.rights_epoch).await?;
            let built = build(seen.rights_epoch).await;
            if let Err(failure) = &built {
                // What was read partly before and partly behind an erasure does not fit together.
                let torn = failure.may_be_torn() && self.seen().await?.rights_epoch != seen.rights_epoch;
                // Another set came into use meanwhile: which of the two refused cannot be told.
                if torn || !self.decides_by(&seen) {
                    call.note(|t| t.clone_from(&began));
                    continue;
                }
            }
            let (draft, extra) = built?;
            let answer = self.ledger.append(draft).await?;
            call.undecide(&answer, &began);
            if !matches!(answer, Answer::Stale) {
                return Ok((answer, extra));
            }
        }
        let turn = self.ledger.exclusive().await?;
        let seen = self.seen().await?;
        if !self.decides_by(&seen) {
            return Err(RefusalCode::PolicyMismatch.into());
        }
        call.note(|t| t.policy = Some(seen.policy));
        self.still_stands(caller, call, turn.rights_epoch()).await?;
        let (draft, extra) = build(turn.rights_epoch()).await?;
        let answer = turn.append(draft).await?;
        call.undecide(&answer, &began);
        Ok((answer, extra))
    }

    /// What the head of the ledger says now.
    async fn seen(&self) -> Result<Seen, Failure> {
        let read = async || {
            let head = self.ledger.stored_head().await?;
            Ok::<_, Failure>(Seen { rights_epoch: head.rights_epoch, policy: head.policy })
        };
        let seen = self.heads.read(read).await?;
        self.policy.follow(seen.policy, seen.rights_epoch);
        self.forget_before(seen.rights_epoch);
        Ok(seen)
    }

    /// Whether the set in use here is the one in force.
    fn decides_by(&self, seen: &Seen) -> bool {
        seen.policy == self.policy.digest()
    }

    /// A data key, unwrapped. Destroyed keys are `erased`.
    async fn data_key(&self, id: DataKeyId) -> Result<DataKey, Failure> {
        let wrapped = self.store.data_key(&id).await?.ok_or(RefusalCode::Erased)?;
        Ok(self.vault.unwrap(id, &wrapped)?)
    }
}

/// Two weeks, unless it is told otherwise.
const UNCOLLECTED_DAYS: u32 = 14;
