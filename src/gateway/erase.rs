//! Erasing a case: its data key, what was sealed under it, the search tags, and the consents that no other case rests on.
//!
//! Promises: entry and destruction are one transaction; what is destroyed is complete as of the head lock, so nothing that belongs to the case escapes, but
//! what was there before is looked for without the lock, so a case of many entries holds up nobody; the rights epoch advances, so whatever was decided before is decided again by every gateway and finds nothing. Repeating it changes nothing.
//! Leaves, entries, digests and evidence of receipts stay. If we crash here, either all of it happened or nothing.
//! Not here: who may ask for it; the machine's owner does, and says for which party.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::Ordering,
};

use super::{
    Gateway,
    call::Trail,
    failure::Failure,
    record::{GATEWAY_KEY, opening_context, recorded},
    tags::tags,
};
use crate::{
    domain::{
        case::Relation,
        entry::{EntryType, ErasureReason, Operation, Outcome},
        field::FieldClass,
        ids::{CaseId, CaseKey, Jti},
        party::PartyId,
        refusal::RefusalCode,
    },
    ledger::{Draft, Entry, LedgerError, Opening, SaltedOpening},
    message::{disclosed::Pseudonym, schema::MessageSchema},
    store::{DataKeyId, LedgerFilter, LedgerRow, Leftover, Tag, Write},
    vault,
};

/// Which case is erased, for whom and why.
#[derive(Debug, Clone, Copy)]
pub struct Erasure<'a> {
    /// The case, by the id under which the party knows it.
    pub case: &'a CaseId,
    /// The party, which stands in the case.
    pub party: &'a PartyId,
    /// Why.
    pub reason: ErasureReason,
    /// Who decided it.
    pub by: Option<&'a Pseudonym>,
}

/// What an erasure destroys, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Erased {
    /// Index of the entry. None: nothing was done, because it was a rehearsal or because the case was erased before.
    pub index: Option<u64>,
    /// Whether the case was erased before.
    pub before: bool,
    /// Data keys.
    pub keys: usize,
    /// Messages.
    pub messages: usize,
    /// Consents.
    pub consents: usize,
    /// Consents that stay, because another case rests on them.
    pub kept: usize,
    /// Openings of entries.
    pub openings: usize,
    /// Search tags.
    pub tags: usize,
}

/// What belongs to the case, but for entries: cheap to find out.
struct Extent {
    writes: Vec<Write>,
    keys: Vec<DataKeyId>,
    /// The tag of the case.
    case: Tag,
    /// Tags by which its entries are found.
    searched: BTreeSet<Tag>,
    erased: Erased,
}

/// Entries of which something is to be destroyed, up to a size of the ledger.
#[derive(Default)]
struct Entries {
    upto: u64,
    openings: Vec<u64>,
    tags: Vec<(Tag, u64)>,
}

impl Extent {
    /// Whether the same entries belong to both.
    fn finds_as(&self, other: &Self) -> bool {
        self.searched == other.searched && self.keys == other.keys
    }

    fn count(&self, entries: &Entries) -> Erased {
        Erased { keys: self.keys.len(), openings: entries.openings.len(), tags: entries.tags.len(), ..self.erased }
    }
}

/// The consents of a person: from the first to the last.
struct Chain {
    subject: Tag,
    consents: Vec<(Jti, DataKeyId, usize)>,
    /// Whether another case rests on one of them.
    shared: bool,
}

impl Gateway {
    /// What erasing the case would destroy.
    ///
    /// # Errors
    /// `not_found` where the party does not stand in such a case.
    pub async fn rehearse_erasure(&self, erasure: &Erasure<'_>) -> Result<Erased, Failure> {
        let Some(extent) = self.extent(erasure).await? else { return Ok(Erased { before: true, ..Erased::default() }) };
        let entries = self.entries(&extent, Entries::default()).await?;
        Ok(extent.count(&entries))
    }

    /// Erases a case. The entry has no actor: the gateway's owner did it at the machine; who decided it stands in the opening.
    ///
    /// # Errors
    /// As [`Gateway::rehearse_erasure`]; when the ledger cannot record it, and then nothing happened.
    pub async fn erase(&self, erasure: &Erasure<'_>) -> Result<Erased, Failure> {
        let before = Erased { before: true, ..Erased::default() };
        let Some(seen) = self.extent(erasure).await? else { return Ok(before) };
        let found = self.entries(&seen, Entries::default()).await?;
        let turn = self.ledger.exclusive().await?;
        // Under the lock: what the store holds now is all there will be of the case.
        let Some(extent) = self.extent(erasure).await? else { return Ok(before) };
        let found = if extent.finds_as(&seen) { found } else { Entries::default() };
        let found = self.entries(&extent, found).await?;
        let erased = extent.count(&found);
        let Extent { mut writes, keys, .. } = extent;
        let Entries { openings, tags: gone, .. } = found;
        writes.extend(openings.iter().copied().map(Write::EraseOpening));
        writes.extend(gone.into_iter().map(|(tag, idx)| Write::EraseTag(tag, idx)));
        writes.extend(keys.iter().map(|key| Write::EraseKey(*key)));
        let mut trail = Trail::new(Operation::CaseErase);
        trail.recipient = Some(erasure.party.clone());
        let mut entry = self.entry(None, &trail, EntryType::Erasure, Outcome::Permit, None)?;
        entry.count = u64::try_from(openings.len()).ok();
        let opening = Opening {
            staff: erasure.by.map(|by| by.as_str().to_owned()),
            erasure: Some(erasure.reason),
            erased: openings,
            ..Opening::default()
        };
        let tags = tags(&self.vault, &entry, &opening, []);
        let (sealed, commitment) = Self::seal_opening(&self.data_key(GATEWAY_KEY).await?, GATEWAY_KEY, entry.id, opening)?;
        entry.open_c = Some(commitment);
        let draft = Draft { opening: Some(sealed), tags, writes, narrows: true, ..Draft::of_gateway(entry) };
        let committed = recorded(turn.append(draft).await?)?;
        for key in keys {
            self.vault.evict(key);
        }
        self.rights.forget_consents();
        Ok(Erased { index: Some(committed.idx()), ..erased })
    }

    /// After an erasure: removes what was deleted from the files beside the database.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn scrub(&self) -> Result<Leftover, Failure> {
        Ok(self.store.scrub().await?)
    }

    /// Looks at the head of the ledger, so that a gateway which nobody calls forgets what another erased.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn look(&self) -> Result<(), Failure> {
        self.seen().await.map(|_| ())
    }

    /// Forgets unwrapped keys and opened consents of an earlier rights epoch: an erasure may have ended it. They are never used without the store's
    /// word that they still stand; this is so that they do not lie in memory either.
    pub(super) fn forget_before(&self, epoch: u64) {
        if self.kept_in.fetch_max(epoch, Ordering::AcqRel) < epoch {
            self.rights.forget_consents();
            self.vault.forget();
        }
    }

    /// None: the case was erased before.
    async fn extent(&self, erasure: &Erasure<'_>) -> Result<Option<Extent>, Failure> {
        let case = self.store.case(erasure.party, erasure.case).await?.filter(|case| case.relation != Relation::None);
        let case = case.ok_or(RefusalCode::NotFound)?;
        if case.erased {
            return Ok(None);
        }
        let content = self.store.case_content(&case.case).await?.ok_or(Failure::Corrupt("case_"))?;
        let tag = self.vault.tag("case", &case.case.to_string());
        let mut extent = Extent {
            writes: vec![Write::EraseCase(case.case)],
            keys: vec![content.key],
            case: tag,
            searched: BTreeSet::from([tag]),
            erased: Erased { messages: content.messages.len(), ..Erased::default() },
        };
        extent.writes.extend(content.terms.into_iter().map(|jti| Write::EraseTerm(case.case, jti)));
        extent.writes.extend(content.messages.into_iter().map(|jti| Write::EraseMessage(case.case, jti)));
        if let Some(chain) = self.chain(content.consent, &case.case).await? {
            if chain.shared {
                extent.erased.kept = chain.consents.len();
            } else {
                extent.searched.extend(chain.consents.iter().map(|(jti, ..)| self.vault.tag("consent", &jti.to_string())));
                self.forget_person(&mut extent, chain).await?;
            }
        }
        Ok(Some(extent))
    }

    /// The consents of the person: one pseudonym of one collector has one chain, each taking the place of the one before.
    async fn chain(&self, last: Option<Jti>, case: &CaseKey) -> Result<Option<Chain>, Failure> {
        let Some(mut first) = last else { return Ok(None) };
        while let Some(before) = self.consent(&first).await?.and_then(|consent| consent.open.before()) {
            first = before;
        }
        let Some(row) = self.store.consent(&first).await?.filter(|row| !row.is_erased()) else { return Ok(None) };
        let mut chain = Chain { subject: row.subject, consents: Vec::new(), shared: false };
        let mut next = Some(first);
        while let Some(jti) = next {
            let row = self.store.consent(&jti).await?.filter(|row| row.subject == chain.subject).ok_or(Failure::Corrupt("consent"))?;
            if let Some(other) = row.case.filter(|other| other != case) {
                let key = self.store.case_key(&other).await?.ok_or(Failure::Corrupt("case_"))?;
                chain.shared |= self.store.data_key(&key).await?.is_some();
            }
            chain.consents.push((jti, row.sealed.key, row.ends.len()));
            next = row.superseded_by;
        }
        Ok(Some(chain))
    }

    async fn forget_person(&self, extent: &mut Extent, chain: Chain) -> Result<(), Failure> {
        let listed: BTreeSet<DataKeyId> = self.store.person_keys(&chain.subject).await?.into_iter().collect();
        let keys: Vec<DataKeyId> = chain.consents.iter().map(|(_, key, _)| *key).collect();
        // A key that belongs to no consent of the chain would stay behind unseen.
        if listed != keys.iter().copied().collect() {
            return Err(Failure::Corrupt("person_key"));
        }
        extent.erased.consents = chain.consents.len();
        extent.writes.extend(chain.consents.iter().map(|(jti, _, ends)| Write::EraseConsent { consent: *jti, ends: *ends }));
        extent.writes.push(Write::ErasePerson(chain.subject, keys.clone()));
        extent.keys.extend(keys);
        Ok(())
    }

    /// Openings under the keys, with every search tag of their entries; of other entries, which list the case among others, the tag that names it. Goes on
    /// from what is known.
    async fn entries(&self, extent: &Extent, mut known: Entries) -> Result<Entries, Failure> {
        let mut found: BTreeMap<u64, (LedgerRow, BTreeSet<Tag>)> = BTreeMap::new();
        let size = self.store.head().await?.size;
        for tag in &extent.searched {
            let filter = LedgerFilter { tags: vec![*tag], ..LedgerFilter::default() };
            let mut after = known.upto.checked_sub(1);
            loop {
                let page = self.store.find(&filter, after, size, PAGE).await?;
                for row in page.rows {
                    found.entry(row.idx).or_insert_with(|| (row, BTreeSet::new())).1.insert(*tag);
                }
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        for (idx, (row, mut tags)) in found {
            if let Some(sealed) = row.opening.as_ref().filter(|sealed| extent.keys.contains(&sealed.key)) {
                let entry: Entry = serde_json::from_slice(&row.body).map_err(|_| Failure::Corrupt("entry"))?;
                let bytes = vault::open(&self.data_key(sealed.key).await?, &opening_context(entry.id), sealed)?;
                tags.extend(self.tags_of(&entry, &SaltedOpening::from_bytes(&bytes)?.opening)?);
                known.openings.push(idx);
            } else {
                tags.retain(|tag| *tag == extent.case);
            }
            known.tags.extend(tags.into_iter().map(|tag| (tag, idx)));
        }
        known.upto = size;
        if known.openings.len() > MOST_OPENINGS {
            // More than one transaction should take, and a list of them longer than a reader of exports takes.
            return Err(LedgerError::TooLarge.into());
        }
        Ok(known)
    }

    fn tags_of(&self, entry: &Entry, opening: &Opening) -> Result<Vec<Tag>, Failure> {
        let class =
            |schema: &MessageSchema| opening.disclosed.iter().map(|key| schema.class_of(key)).collect::<Option<BTreeSet<FieldClass>>>();
        let classes = match &entry.schema {
            Some(named) if !opening.disclosed.is_empty() => {
                let schema = self.schemas.messages().find(|schema| {
                    let published = schema.published();
                    published.id == named.id && published.ver == named.ver
                });
                schema.and_then(class).ok_or(Failure::Corrupt("schema"))?
            }
            _ => BTreeSet::new(),
        };
        Ok(tags(&self.vault, entry, opening, &classes))
    }
}

/// Entries looked at in one call.
const PAGE: u32 = 500;
/// One each day for 44 years. So many go in one transaction within seconds on both databases.
const MOST_OPENINGS: usize = 16_384;
