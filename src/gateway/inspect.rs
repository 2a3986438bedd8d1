//! What the inspection of the database needs of the gateway's keys: openings opened, search tags recomputed, what entries stored compared.

mod life;
mod registry;
mod stored;
mod terms;

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;

use self::terms::Keeping;
use super::{record::opening_context, registry::Registry, tags::tags};
use crate::{
    domain::{field::FieldClass, ids::CaseKey},
    ledger::{
        Entry, LedgerError, Opening, SaltedOpening,
        inspect::{Opened, Openings, Rest},
    },
    message::schema::SchemaSet,
    store::{AgreementRow, DataKeyId, Sealed, Store, StoreError, Tag},
    text::audit::Finding,
    vault::{self, DataKey, Vault},
};

/// Opens openings of a store with its vault.
pub struct Insight {
    store: Arc<dyn Store>,
    vault: Vault,
    schemas: SchemaSet,
    /// Keys that were read: within an inspection one look at each is enough.
    keys: Mutex<HashMap<DataKeyId, Found>>,
    /// Cases that were looked at, and whether they were erased.
    cases: Mutex<HashMap<CaseKey, bool>>,
    /// The agreement version that was looked at last.
    agreement: Mutex<Option<Arc<AgreementRow>>>,
    /// What entries said of parties and keys.
    registry: Mutex<Registry>,
    /// Which gateways keep something beside messages.
    keeping: Keeping,
    /// Cases whose state and relations cannot be worked out.
    untold: AtomicU64,
}

impl std::fmt::Debug for Insight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Insight").finish_non_exhaustive()
    }
}

/// What a data key is.
#[derive(Clone)]
enum Found {
    Key(DataKey),
    /// Destroyed.
    Gone,
    /// It was never there, or does not open under the key-encryption key.
    Closed,
}

impl Insight {
    /// Opens what this vault sealed into this store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, vault: Vault, schemas: SchemaSet) -> Self {
        Self {
            store,
            vault,
            schemas,
            keys: Mutex::default(),
            cases: Mutex::default(),
            agreement: Mutex::default(),
            registry: Mutex::default(),
            keeping: Keeping::default(),
            untold: AtomicU64::default(),
        }
    }

    async fn key(&self, id: DataKeyId) -> Result<Found, LedgerError> {
        if let Some(found) = self.keys.lock().unwrap_or_else(PoisonError::into_inner).get(&id) {
            return Ok(found.clone());
        }
        let row = self.store.key_row(&id).await.map_err(|error| unavailable(&error))?;
        let found = match row {
            None => Found::Closed,
            Some(None) => Found::Gone,
            Some(Some(wrapped)) => self.vault.unwrap(id, &wrapped).map_or(Found::Closed, Found::Key),
        };
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= MOST_KEYS {
            keys.clear();
        }
        keys.insert(id, found.clone());
        Ok(found)
    }

    async fn is_erased(&self, case: CaseKey) -> Result<bool, LedgerError> {
        if let Some(erased) = self.cases.lock().unwrap_or_else(PoisonError::into_inner).get(&case) {
            return Ok(*erased);
        }
        let key = self.store.case_key(&case).await.map_err(|error| unavailable(&error))?;
        let erased = match key {
            Some(key) => matches!(self.key(key).await?, Found::Gone),
            None => false,
        };
        let mut cases = self.cases.lock().unwrap_or_else(PoisonError::into_inner);
        if cases.len() >= MOST_KEYS {
            cases.clear();
        }
        cases.insert(case, erased);
        Ok(erased)
    }

    /// The classes of what an opening says was disclosed. None: the schema is not known here.
    fn classes(&self, entry: &Entry, opening: &Opening) -> Option<BTreeSet<FieldClass>> {
        if opening.disclosed.is_empty() {
            return Some(BTreeSet::new());
        }
        let named = entry.schema.as_ref()?;
        let schema = self.schemas.messages().find(|schema| {
            let published = schema.published();
            published.id == named.id && published.ver == named.ver
        })?;
        opening.disclosed.iter().map(|key| schema.class_of(key)).collect()
    }
}

#[async_trait]
impl Openings for Insight {
    async fn open(&self, entry: &Entry, sealed: Sealed) -> Result<Opened, LedgerError> {
        let key = match self.key(sealed.key).await? {
            Found::Key(key) => key,
            Found::Gone => return Ok(Opened::Gone),
            Found::Closed => return Ok(Opened::Closed),
        };
        let opened = vault::open(&key, &opening_context(entry.id), &sealed).ok();
        let salted = opened.and_then(|bytes| SaltedOpening::from_bytes(&bytes).ok());
        Ok(salted.map_or(Opened::Closed, |salted| Opened::Opening(Box::new(salted))))
    }

    async fn stored(&self, idx: u64, entry: &Entry, opening: &Opening) -> Result<Vec<(Finding, &'static str)>, LedgerError> {
        self.compare(idx, entry, opening).await
    }

    async fn rest(&self, size: u64) -> Result<Rest, LedgerError> {
        let untold_cases = self.untold.swap(0, Ordering::Relaxed);
        self.keeping.forget();
        Ok(Rest { problems: self.compare_registrations(size).await?, untold_cases })
    }

    async fn tags(&self, entry: &Entry, opening: Option<&Opening>) -> Result<Option<Vec<Tag>>, LedgerError> {
        let mut named = opening.cloned().unwrap_or_default();
        // An opening that outlives a case, such as that of a list, still names it. Nothing is found by it any more.
        for case in named.case.iter().copied().chain(named.cases.clone()).collect::<BTreeSet<_>>() {
            if self.is_erased(case).await? {
                named.case = named.case.filter(|one| *one != case);
                named.cases.retain(|one| *one != case);
            }
        }
        let opening = &named;
        Ok(self.classes(entry, opening).map(|classes| tags(&self.vault, entry, opening, &classes)))
    }
}

fn unavailable(error: &StoreError) -> LedgerError {
    tracing::error!(%error, "the store failed");
    LedgerError::Unavailable
}

/// As many as the vault keeps.
const MOST_KEYS: usize = 4096;
