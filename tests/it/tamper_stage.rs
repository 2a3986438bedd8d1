//! A ledger with everything in its rows that a gateway writes.

pub(crate) mod superuser;

use std::sync::Arc;

use tokio::task::JoinSet;
use tsunagi::{
    clock::ManualClock,
    domain::{
        codes::{LegalBasis, MessageKind},
        digest::Digest,
        entry::{Act, EntryType, Operation, Outcome},
        ids::{CaseKey, Jti},
        party::PartyId,
    },
    gateway::{GATEWAY_KEY, Insight},
    ledger::{
        Actor, AgreementRef, Draft, Entry, Opening, Parts, SaltedOpening, SchemaRef, SequencerHandle,
        inspect::{Anchors, inspect},
        open_ledger,
        verify::{CONSENT_BASES, Report},
    },
    message::schema::SchemaSet,
    store::{Sealed, Store, Tag, Write},
    tlog::{Checkpoint, Frontier, Hash, NoteSigner},
    vault::{self, DataKey, Kek, Vault},
};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::ledger_stage::{ORIGIN, POLICY, START, center, data_key, digest, node, party, town};

/// An id as a gateway draws them (UUIDv4), the same each time.
fn id(n: u128) -> Uuid {
    uuid::Builder::from_random_bytes(n.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).to_be_bytes()).into_uuid()
}

fn jti(n: u128) -> Jti {
    Jti::from_uuid(id(n))
}

fn case(n: u128) -> CaseKey {
    CaseKey::from_uuid(id(n))
}

/// A ledger that was written, and what is needed to look at it.
pub(crate) struct Ledger {
    pub(crate) signer: Arc<NoteSigner>,
    /// The entry that put the policies in force.
    pub(crate) activation: u64,
    /// A checkpoint that was kept elsewhere.
    pub(crate) kept: String,
    kek: String,
}

/// What writes a ledger as a gateway does.
struct Writer {
    handle: SequencerHandle,
    vault: Vault,
    keys: [(tsunagi::store::DataKeyId, DataKey); 2],
    schema: SchemaRef,
    kind: MessageKind,
    field: tsunagi::domain::field::FieldKey,
    class: &'static str,
}

impl Ledger {
    /// Writes `size` entries of every kind, and stores two checkpoints.
    pub(crate) async fn write(store: &Arc<dyn Store>, size: u64) -> Self {
        let kek = Kek::generate().unwrap();
        let hex = kek.to_hex().to_string();
        let signer = Arc::new(NoteSigner::from_seed(ORIGIN.parse().unwrap(), &Zeroizing::new([5; 32])).unwrap());
        let clock = Arc::new(ManualClock::new(START));
        let parts = Parts {
            appender: store.appender(),
            reads: Arc::clone(store) as _,
            signer: Arc::clone(&signer),
            clock: Arc::clone(&clock) as _,
            node: node(),
            mark: None,
        };
        let (handle, task) = open_ledger(parts).await.unwrap();
        let vault = Vault::new(&kek).unwrap();
        let mut first = Vec::new();
        let keys = [GATEWAY_KEY, data_key(1)].map(|id| {
            let (key, wrapped) = vault.data_key_named(id).unwrap();
            first.push(Write::DataKey(id, wrapped));
            (id, key)
        });
        let schemas = SchemaSet::builtin().unwrap();
        let message = schemas.messages().next().unwrap();
        let (row, published) = (&message.rows()[0], message.published());
        let writer = Writer {
            handle,
            vault,
            keys,
            schema: SchemaRef { id: published.id.to_owned(), ver: published.ver.to_owned() },
            kind: message.kind(),
            field: row.key.clone(),
            class: row.class.as_str(),
        };
        first.push(writer.consent(NARROWED, 0, &center()));
        let mut party = Entry::of_gateway(Uuid::now_v7(), node(), EntryType::Party);
        (party.operation, party.act, party.recipient) = (Operation::PartyRegister, Some(Act::Register), Some(center()));
        party.policy = Some(POLICY);
        let registered = Draft { writes: first, narrows: true, ..Draft::of_gateway(party) };
        writer.handle.append(registered).await.unwrap();
        let activation = size / 2;
        writer.append(writer.handle.size()..activation).await;
        writer.handle.append(writer.activation()).await.unwrap();
        writer.append(activation + 1..size).await;
        let kept = writer.handle.checkpoint().to_string();
        writer.handle.close().await;
        task.await.unwrap();
        Self { signer, activation, kept, kek: hex }
    }

    /// A signed checkpoint of the first entries of this ledger.
    pub(crate) async fn checkpoint(&self, store: &dyn Store, size: u64) -> String {
        let mut frontier = Frontier::new();
        for hash in store.leaf_hashes(0, size).await.unwrap() {
            frontier.push(Hash(hash)).unwrap();
        }
        Checkpoint::new(ORIGIN, size, frontier.root()).unwrap().sign(&self.signer).unwrap()
    }

    /// What opens its openings. Its keys are read once, its schemas compiled once.
    pub(crate) fn insight(&self, store: &Arc<dyn Store>) -> Insight {
        let vault = Vault::new(&Kek::from_hex(&self.kek).unwrap()).unwrap();
        Insight::new(Arc::clone(store), vault, SchemaSet::builtin().unwrap())
    }

    /// What the inspection of a database says.
    pub(crate) async fn inspect(&self, store: &Arc<dyn Store>, insight: &Insight, kept: Option<&str>) -> Report {
        let anchors = Anchors { key: self.signer.verifier(), kept, witnesses: &[], consent_bases: CONSENT_BASES, policy: POLICY };
        inspect(&**store, insight, &anchors).await.unwrap()
    }
}

impl Writer {
    /// Appends entries, as many callers at once do: of all kinds at the ends of the range, and between them such as have nothing beside them.
    async fn append(&self, range: std::ops::Range<u64>) {
        let mut callers = JoinSet::new();
        let at_an_end = |idx: &u64| idx - range.start < 40 || range.end - idx <= 40;
        for draft in range.clone().map(|idx| self.draft(if at_an_end(&idx) { idx } else { 6 })) {
            let handle = self.handle.clone();
            callers.spawn(async move { handle.append(draft).await.unwrap() });
            if callers.len() >= 1000 {
                callers.join_next().await.unwrap().unwrap();
            }
        }
        callers.join_all().await;
    }

    fn activation(&self) -> Draft {
        let mut entry = Entry::of_gateway(Uuid::now_v7(), node(), EntryType::Policy);
        (entry.operation, entry.policy) = (Operation::PolicyActivate, Some(digest(9)));
        self.with(entry, Opening { staff: Some("staff-9".to_owned()), ..Opening::default() }, 0, &[])
    }

    /// Entries of all kinds, in turn.
    fn draft(&self, idx: u64) -> Draft {
        let n = u128::from(idx % 7);
        let mut entry = Entry::of_gateway(Uuid::now_v7(), node(), EntryType::AuditQuery);
        let office = party(if idx.is_multiple_of(2) { "settlement_center:13-1" } else { "probation_office:27-1" });
        entry.actor = Some(Actor { party: office, cert: digest(1), acting_for: None });
        entry.operation = Operation::AuditEvents;
        entry.policy = Some(POLICY);
        let mut opening = Opening { staff: Some(format!("staff-{n}")), case: Some(case(n)), ..Opening::default() };
        match idx % 7 {
            0 => {
                (entry.entry_type, entry.operation, entry.recipient) = (EntryType::Submission, Operation::ReferralSubmit, Some(town()));
                entry.agreement = Some(AgreementRef { id: format!("AG-13-000{}", idx % 3).parse().unwrap(), ver: 1, sha256: digest(2) });
                opening.consent = Some(jti(n));
                self.with(entry, opening, 1, &[])
            }
            1 => {
                (entry.entry_type, entry.operation, entry.recipient) = (EntryType::Release, Operation::CaseRead, Some(town()));
                (entry.basis, entry.kind, entry.schema) = (Some(LegalBasis::Consent27), Some(self.kind), Some(self.schema.clone()));
                (entry.rel, entry.shown) = (Some(jti(u128::from(idx))), Some(1));
                (opening.consent, opening.named) = (Some(jti(n)), Some(jti(70)));
                opening.disclosed = vec![self.field.clone()];
                self.with(entry, opening, 1, &[self.class])
            }
            2 => {
                (entry.entry_type, entry.decision, entry.operation) = (EntryType::Refusal, Outcome::Deny, Operation::CaseRead);
                entry.reason = Some(if idx.is_multiple_of(2) { "no_consent" } else { "consent_ended" }.to_owned());
                opening.violations = vec!["consent:ended".to_owned()];
                self.with(entry, opening, 0, &[])
            }
            3 => {
                (entry.entry_type, entry.operation) = (EntryType::List, Operation::CaseList);
                (opening.case, opening.cases) = (None, vec![case(n), case(80), case(81)]);
                self.with(entry, opening, 0, &[])
            }
            4 => {
                (entry.entry_type, entry.operation) = (EntryType::Consent, Operation::ConsentRegister);
                entry.act = idx.is_multiple_of(2).then_some(Act::Supersede);
                let consent = u128::from(idx) + 1000;
                (opening.case, opening.consent) = (None, Some(jti(consent)));
                entry.request = Some(Digest::of(signed(consent, 0).as_bytes()));
                let writes = vec![self.consent(consent, 0, &entry.actor.as_ref().unwrap().party)];
                Draft { writes, narrows: entry.act.is_some(), ..self.with(entry, opening, 1, &[]) }
            }
            5 => {
                (entry.entry_type, entry.operation) = (EntryType::ConsentEnd, Operation::ConsentEnd);
                entry.act = Some(Act::Narrow);
                opening.consent = Some(jti(NARROWED));
                entry.request = Some(Digest::of(signed(NARROWED, idx).as_bytes()));
                let writes = vec![Write::ConsentEnd { consent: jti(NARROWED), whole: false, sealed: self.object(NARROWED, idx).1 }];
                Draft { writes, narrows: true, ..self.with(entry, opening, 1, &[]) }
            }
            _ => Draft::of_gateway(entry),
        }
    }

    /// A consent as a gateway stores it; what it says is of no matter here.
    fn consent(&self, consent: u128, by: u64, collector: &PartyId) -> Write {
        let (token, sealed) = self.object(consent, by);
        let sha256 = Digest::of(token.as_bytes());
        Write::Consent { jti: jti(consent), collector: collector.clone(), sha256, subject: Tag([3; 16]), sealed }
    }

    /// A signed object of a consent, and as it is stored.
    fn object(&self, consent: u128, by: u64) -> (String, Sealed) {
        let (token, (id, key)) = (format!("{}.signature", signed(consent, by)), &self.keys[1]);
        let sealed = vault::seal(key, *id, format!("consent/{}", jti(consent)).as_bytes(), token.as_bytes()).unwrap();
        (token, sealed)
    }

    /// A draft with its opening sealed and its tags, as a gateway makes them.
    fn with(&self, mut entry: Entry, opening: Opening, key: usize, classes: &[&str]) -> Draft {
        let (id, key) = &self.keys[key];
        let tag = |kind, value: String| self.vault.tag(kind, &value);
        let mut tags: Vec<_> = opening.case.iter().chain(&opening.cases).map(|case| tag("case", case.to_string())).collect();
        tags.extend(opening.consent.iter().chain(&opening.named).map(|consent| tag("consent", consent.to_string())));
        tags.extend(opening.staff.iter().map(|staff| tag("staff", staff.clone())));
        tags.extend(entry.rel.iter().map(|rel| tag("rel", rel.to_string())));
        tags.extend(classes.iter().map(|class| tag("class", (*class).to_owned())));
        let salted = SaltedOpening::new(opening).unwrap();
        entry.open_c = Some(salted.commitment().unwrap());
        let context = format!("opening/{}", entry.id);
        let sealed = vault::seal(key, *id, context.as_bytes(), &salted.to_bytes().unwrap()).unwrap();
        Draft { opening: Some(sealed), tags, ..Draft::of_gateway(entry) }
    }
}

/// What is signed in an object of a consent: the consent itself, or its end by an entry.
fn signed(consent: u128, by: u64) -> String {
    format!("header.{consent}-{by}")
}

/// The consent that is narrowed again and again.
const NARROWED: u128 = 999;
