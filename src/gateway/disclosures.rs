//! `GET /v1/cases/{id}/disclosures`: who received which rows of a case, when, for what, under which consent and agreement: the list that the person
//! may ask for (開示), and the answer to what leaked.
//!
//! Promises: it is read from the entries of releases and their openings, each compared with what its leaf committed to, and from nothing else. Names of
//! rows, never values. Making it is an entry of its own, decided with it. What the body that makes it must not know is left out without a trace: what is
//! left out follows from the policies alone (see [`asker`]).
//! Not here: a sender's look at its own message, which discloses nothing, and what was sent and nobody read.

pub(super) mod asker;

use std::collections::BTreeMap;

use serde::Serialize;

use self::asker::{Asker, Told};
use super::{
    Gateway,
    actor::Allowed,
    answer::LedgerProof,
    call::{Call, Caller},
    cases::MOST,
    delegates::{Delegated, standing},
    failure::Failure,
    record::{With, opening_context, recorded},
};
use crate::{
    domain::{
        case::Relation,
        codes::Purpose,
        disclosures::{AgreementName, ClassName, Coded, ConsentSummary, Disclosure, DisclosureList, ItemName, LeftOut, Scope, Unit},
        entry::EntryType,
        field::{FieldClass, FieldKey},
        ids::{CaseId, CaseKey, Jti},
        party::PartyId,
        refusal::{Refusal, RefusalCode},
        time::Timestamp,
    },
    ledger::{Entry, MessageRef, Opening, SaltedOpening},
    policy::{CodeList, Deed},
    store::{LedgerFilter, LedgerRow, MessageHead},
    text::Lang,
    vault,
};

/// What a list may ask for.
#[derive(Debug, Clone, Copy)]
pub struct DisclosureQuery {
    /// Only rows of this class, and who received them.
    pub class: Option<FieldClass>,
    /// Only disclosures behind this ledger index.
    pub after: Option<u64>,
    /// At most this many; 1 to 200.
    pub limit: u32,
}

/// A list with the entry that recorded its making.
#[derive(Debug, Clone, Serialize)]
pub struct Disclosures {
    /// The list.
    #[serde(flatten)]
    pub list: DisclosureList,
    /// The entry, in a tree that a signed checkpoint covers.
    pub ledger: LedgerProof,
}

/// What a page is made from.
struct Sheet<'a> {
    asker: Asker<'a>,
    epoch: u64,
    heads: BTreeMap<Jti, MessageHead>,
    query: DisclosureQuery,
    /// Purposes under which the asking body sent what it wrote.
    sent_for: BTreeMap<u64, Option<Purpose>>,
}

impl Gateway {
    /// The list, for a body that works on the case or collected its consent. For providers it is not there.
    pub async fn disclosures(&self, caller: &Caller, call: &Call, id: &CaseId, query: DisclosureQuery) -> Result<Disclosures, Failure> {
        let purpose = self.actor(caller, call, Allowed::OfTheUnit).await?.purpose;
        if caller.kind().is_provider() {
            return Err(RefusalCode::NotFound.into());
        }
        if !(1..=MOST).contains(&query.limit) {
            return Err(Refusal::claim(RefusalCode::BadRequest, "limit", "range").into());
        }
        let decide = |epoch| async move {
            let (list, until) = self.disclosure_list(caller, call, id, (purpose, query), epoch).await?;
            let mut with = With::on(caller, epoch);
            if let (Some(ground), Some(until)) = (&mut with.ground, until) {
                ground.valid_until = ground.valid_until.min(until);
            }
            Ok((self.permit(caller, &call.trail(), with).await?, list))
        };
        let (answer, list) = Box::pin(self.commit(caller, call, decide)).await?;
        Ok(Disclosures { list, ledger: self.proof(&recorded(answer)?)?.proof })
    }

    /// The list as it stands, and until when the delegation holds that it rests on.
    async fn disclosure_list(
        &self,
        caller: &Caller,
        call: &Call,
        id: &CaseId,
        (purpose, query): (Purpose, DisclosureQuery),
        epoch: u64,
    ) -> Result<(DisclosureList, Option<Timestamp>), Failure> {
        let row = self.store.case(caller.party(), id).await?.ok_or(RefusalCode::NotFound)?;
        standing(&row)?;
        let (case, state) = (row.case, row.state);
        let (relation, delegation) = match row.relation {
            Relation::None => {
                let delegated = self.delegated_case(caller.party(), epoch, row).await?;
                delegated.map(|(row, delegation)| (row.relation, Some(delegation))).ok_or(RefusalCode::NotFound)?
            }
            relation => (relation, None),
        };
        let content = self.store.case_content(&case).await?.ok_or(Failure::Corrupt("case_"))?;
        call.note(|t| (t.case, t.shred) = (Some(case), Some(content.key)));
        call.note(|t| t.acting_for = delegation.as_ref().map(|delegation| delegation.by.clone()));
        let collector = match &content.consent {
            Some(jti) => self.store.consent(jti).await?.is_some_and(|consent| consent.collector == *caller.party()),
            None => false,
        };
        self.may(caller, Deed::ListDisclosures { relation, collector })?;
        let scope = if relation == Relation::Closed && !collector { Scope::Own } else { Scope::Case };
        let by = delegation.as_ref().map(|Delegated { by, .. }| by);
        let heads = self.store.case_heads(&case).await?.into_iter().map(|head| (head.jti, head)).collect();
        let asker = Asker::new(&self.policy, (caller.party(), by), (state, relation), purpose, scope);
        let mut sheet = Sheet { asker, epoch, heads, query, sent_for: BTreeMap::new() };
        let (disclosures, more) = self.disclosures_of(&case, &mut sheet).await?;
        let cursor = disclosures.last().filter(|_| more).map(|last| last.index.to_string());
        let left_out = sheet.asker.left_out();
        let list = DisclosureList {
            case: *id,
            made_by: self.unit(epoch, caller.party()).await?,
            purpose: self.coded(CodeList::Purpose, purpose, purpose.as_str()),
            scope,
            class: query.class,
            consents: self.consents_of(&disclosures, epoch).await?,
            classes: self.classes_of(&disclosures, &left_out),
            disclosures,
            left_out,
            cursor,
        };
        Ok((list, delegation.map(|delegation| delegation.until)))
    }

    /// The disclosures of a case that the asking body may know of, behind the cursor, and whether there are more.
    async fn disclosures_of(&self, case: &CaseKey, sheet: &mut Sheet<'_>) -> Result<(Vec<Disclosure>, bool), Failure> {
        let mut tags = vec![self.vault.tag("case", &case.to_string())];
        // The record of a consent is read as a whole and holds no rows, so its entry has no tag of a class.
        let class = sheet.query.class.filter(|class| *class != FieldClass::ConsentDetail);
        tags.extend(class.map(|class| self.vault.tag("class", class.as_str())));
        let filter = LedgerFilter { entry_type: Some(EntryType::Release.as_str().to_owned()), tags, ..LedgerFilter::default() };
        let (size, mut after) = (self.store.head().await?.size, sheet.query.after);
        let limit = usize::try_from(sheet.query.limit).unwrap_or(usize::MAX);
        let mut found = Vec::new();
        loop {
            let page = self.store.find(&filter, after, size, MOST).await?;
            for row in &page.rows {
                let Some(disclosure) = self.disclosure(row, sheet).await? else { continue };
                if found.len() == limit {
                    return Ok((found, true));
                }
                found.push(disclosure);
            }
            after = page.next;
            if after.is_none() {
                return Ok((found, false));
            }
        }
    }

    /// One release as the asking body may know of it.
    async fn disclosure(&self, row: &LedgerRow, sheet: &mut Sheet<'_>) -> Result<Option<Disclosure>, Failure> {
        let (entry, opening) = self.release_entry(row).await?;
        // The collector's look at its own consent names no recipient.
        let Some(recipient) = entry.recipient else { return Ok(None) };
        let (told, sent_for) = match (&opening.message, &opening.consent) {
            (Some(message), _) => self.told_in(message, sheet).await?,
            (None, Some(consent)) => {
                let collector = self.store.consent(consent).await?.ok_or(Failure::Corrupt("consent"))?.collector;
                let kind = entry.kind.ok_or(Failure::Corrupt("entry"))?;
                (Told { iss: collector, aud: recipient.clone(), kind }, None)
            }
            (None, None) => return Err(Failure::Corrupt("opening")),
        };
        let hears = match &opening.message {
            Some(_) => sheet.asker.hears_of(&told, &recipient),
            None => sheet.asker.hears_of_look(&told, &recipient),
        };
        if told.iss == recipient || !hears {
            return Ok(None);
        }
        let purpose = entry.purpose.ok_or(Failure::Corrupt("entry"))?;
        let read_for = (*sheet.asker.party() == recipient).then_some(purpose);
        let knows = |class| sheet.asker.knows(&told, class, [read_for, sent_for]);
        let named = match &opening.message {
            Some(_) => self.items(entry.schema.as_ref().map(|schema| (schema.id.as_str(), schema.ver.as_str())), &opening.disclosed)?,
            None => vec![consent_record()?],
        };
        let wanted = |item: &ItemName| sheet.query.class.is_none_or(|class| class == item.class);
        let items: Vec<ItemName> = named.into_iter().filter(|item| wanted(item) && knows(item.class)).collect();
        if items.is_empty() && sheet.query.class.is_some() {
            return Ok(None);
        }
        let by = entry.actor.and_then(|actor| actor.acting_for);
        let basis = entry.basis.map(|basis| {
            let text = self.policy.basis_text(basis);
            let name = |of: fn(&crate::policy::BasisText) -> &String| text.map_or_else(|| basis.to_string(), |text| of(text).clone());
            Coded { code: basis, ja: name(|text| &text.ja), en: name(|text| &text.en) }
        });
        let consent = opening.consent.filter(|_| knows(FieldClass::ConsentDetail));
        Ok(Some(Disclosure {
            index: row.idx,
            time: entry.time,
            on_behalf_of: match &by {
                Some(by) => Some(self.unit(sheet.epoch, by).await?),
                None => None,
            },
            recipient: self.unit(sheet.epoch, &recipient).await?,
            sender: self.unit(sheet.epoch, &told.iss).await?,
            kind: self.coded(CodeList::MessageKind, told.kind, told.kind.as_str()),
            purpose: self.coded(CodeList::Purpose, purpose, purpose.as_str()),
            basis,
            consent,
            agreement: entry.agreement.map(|agreement| AgreementName { id: agreement.id, ver: agreement.ver }),
            items,
        }))
    }

    /// An entry of a release with its opening, which must be what the leaf committed to.
    async fn release_entry(&self, row: &LedgerRow) -> Result<(Entry, Opening), Failure> {
        let wrong = || Failure::Corrupt("opening");
        // Erased since the case was looked up.
        let sealed = row.opening.as_ref().ok_or(RefusalCode::Erased)?;
        let entry: Entry = serde_json::from_slice(&row.body).map_err(|_| Failure::Corrupt("entry"))?;
        let bytes = vault::open(&self.data_key(sealed.key).await?, &opening_context(entry.id), sealed)?;
        let salted = SaltedOpening::from_bytes(&bytes)?;
        if entry.open_c.is_none_or(|committed| !salted.opens(&committed)) {
            return Err(wrong());
        }
        Ok((entry, salted.opening))
    }

    /// A message, and for what the asking body sent it, if it wrote it.
    async fn told_in(&self, message: &MessageRef, sheet: &mut Sheet<'_>) -> Result<(Told, Option<Purpose>), Failure> {
        let head = sheet.heads.get(&message.jti).filter(|head| head.iss == message.iss).ok_or(Failure::Corrupt("message"))?;
        let told = Told { iss: head.iss.clone(), aud: head.aud.clone(), kind: head.kind };
        if head.iss != *sheet.asker.party() {
            return Ok((told, None));
        }
        if let Some(known) = sheet.sent_for.get(&head.idx) {
            return Ok((told, *known));
        }
        let row = self.store.entry(head.idx).await?.ok_or(Failure::Corrupt("entry"))?;
        let entry: Entry = serde_json::from_slice(&row.body).map_err(|_| Failure::Corrupt("entry"))?;
        sheet.sent_for.insert(head.idx, entry.purpose);
        Ok((told, entry.purpose))
    }

    /// Rows by the names that the schema of their message gives them.
    fn items(&self, schema: Option<(&str, &str)>, keys: &[FieldKey]) -> Result<Vec<ItemName>, Failure> {
        let wrong = || Failure::Corrupt("schema");
        let schema = self.schemas.messages().find(|known| schema == Some((known.published().id, known.published().ver)));
        let schema = schema.ok_or_else(wrong)?;
        let name = |key: &FieldKey| {
            let row = schema.row(key)?;
            Some(ItemName { field: key.clone(), ja: row.title_ja.clone(), en: row.title_en.clone(), class: row.class })
        };
        keys.iter().map(|key| name(key).ok_or_else(wrong)).collect()
    }

    /// The consents that disclosures name.
    async fn consents_of(&self, disclosures: &[Disclosure], epoch: u64) -> Result<Vec<ConsentSummary>, Failure> {
        let mut named: Vec<Jti> = disclosures.iter().filter_map(|disclosure| disclosure.consent).collect();
        named.sort_unstable();
        named.dedup();
        let mut consents = Vec::with_capacity(named.len());
        for jti in named {
            let consent = self.consent(&jti).await?.ok_or(RefusalCode::Erased)?;
            self.stands_last(&consent).await?;
            consents.push(ConsentSummary {
                consent: jti,
                collector: self.unit(epoch, &consent.row.collector).await?,
                from: consent.open.scope.not_before,
                until: consent.open.scope.expires,
                ended: consent.row.ended,
            });
        }
        Ok(consents)
    }

    fn classes_of(&self, disclosures: &[Disclosure], left_out: &LeftOut) -> Vec<ClassName> {
        let named = disclosures.iter().flat_map(|disclosure| &disclosure.items).map(|item| item.class);
        let mut classes: Vec<FieldClass> = named.chain(left_out.classes.iter().copied()).collect();
        classes.sort_unstable();
        classes.dedup();
        let name = |class: &FieldClass| {
            let text = self.policy.class_text(*class)?;
            Some(ClassName {
                class: *class,
                ja: text.ja.clone(),
                en: text.en.clone(),
                plain_ja: text.consent_ja.clone(),
                plain_en: text.consent_en.clone(),
            })
        };
        classes.iter().filter_map(name).collect()
    }

    async fn unit(&self, epoch: u64, party: &PartyId) -> Result<Unit, Failure> {
        let row = self.party_in(epoch, party).await?.ok_or(Failure::Corrupt("party"))?;
        Ok(Unit { party: party.clone(), name: row.registration.name.clone() })
    }

    fn coded<T>(&self, list: CodeList, code: T, text: &str) -> Coded<T> {
        let name = |lang| self.policy.label(list, text, lang).to_owned();
        Coded { code, ja: name(Lang::Ja), en: name(Lang::En) }
    }
}

/// The record of a consent, where it was read by itself.
fn consent_record() -> Result<ItemName, Failure> {
    let field = "consent".parse().map_err(|_| Failure::Corrupt("consent"))?;
    let (ja, en) = ("同意の記録".to_owned(), "Record of the consent".to_owned());
    Ok(ItemName { field, ja, en, class: FieldClass::ConsentDetail })
}
