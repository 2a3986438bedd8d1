//! Auditors: who saw what, within a jurisdiction. Each query is itself an entry.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Gateway,
    actor::Allowed,
    call::{Call, Caller},
    failure::Failure,
    record::{With, opening_context, recorded},
};
use crate::{
    domain::{
        codes::Purpose,
        digest::Digest,
        ids::{CaseId, CaseKey, Jti},
        party::{Jurisdiction, PartyId},
        refusal::{Refusal, RefusalCode},
        time::Timestamp,
    },
    ledger::{Committed, Entry, SaltedOpening},
    policy::Deed,
    store::{LedgerFilter, LedgerRow},
    vault,
};

/// Parameters of `GET /v1/audit/events`; every one narrows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditQuery {
    /// RFC 3339, inclusive.
    pub from: Option<Timestamp>,
    /// RFC 3339, exclusive.
    pub to: Option<Timestamp>,
    /// Acting party.
    pub actor: Option<PartyId>,
    /// Receiving party.
    pub recipient: Option<PartyId>,
    /// A case, by the id any party knows it under or by the auditors' own.
    pub case: Option<CaseId>,
    /// Staff id.
    pub staff: Option<String>,
    /// Field class that was shown.
    pub class: Option<String>,
    /// Operation code.
    pub operation: Option<String>,
    /// Entry type code.
    #[serde(rename = "type")]
    pub entry_type: Option<String>,
    /// `permit` or `deny`.
    pub decision: Option<String>,
    /// Refusal code.
    pub reason: Option<String>,
    /// Agreement id.
    pub agreement: Option<String>,
    /// Consent.
    pub consent: Option<Jti>,
    /// At most 500.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Continues a query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// A cursor pins the tree it was made in, the last index given and the filter: pages once read never change under concurrent appends.
#[derive(Debug, Serialize, Deserialize)]
struct Cursor(u8, u64, u64, Digest);

impl Gateway {
    /// `GET /v1/audit/events`.
    pub async fn audit_events(&self, caller: &Caller, call: &Call, query: &AuditQuery) -> Result<Value, Failure> {
        let places = self.auditor(caller, call).await?;
        let limit = query.limit.unwrap_or(DEFAULT_PAGE);
        if !(1..=MOST).contains(&limit) {
            return Err(Refusal::claim(RefusalCode::BadRequest, "limit", "range").into());
        }
        let pinned = AuditQuery { limit: None, cursor: None, ..query.clone() };
        let filter_digest = Digest::of(&serde_json::to_vec(&pinned).map_err(|_| Failure::Corrupt("query"))?);
        let head = self.store.head().await?.size;
        let (size, after) = match &query.cursor {
            None => (head, None),
            Some(text) => {
                let Cursor(version, size, last, digest) =
                    read_cursor(text).ok_or_else(|| Refusal::claim(RefusalCode::BadRequest, "cursor", "form"))?;
                if version != 1 || digest != filter_digest || size > head {
                    return Err(Refusal::claim(RefusalCode::BadRequest, "cursor", "of_another_query").into());
                }
                (size, Some(last))
            }
        };
        let case = match &query.case {
            Some(id) => Some(self.store.case_of_any(id).await?.unwrap_or_else(|| CaseKey::from_uuid(*id.uuid()))),
            None => None,
        };
        let case_erased = self.is_erased_within(case.as_ref(), places.as_deref()).await?;
        let filter = self.filter(query, case, places);
        let found = self.store.find(&filter, after, size, limit).await?;
        let rows = found.rows;
        let mut events = Vec::with_capacity(rows.len());
        for row in &rows {
            events.push(self.event(row).await?);
        }
        let cursor = found.next.map(|last| write_cursor(&Cursor(1, size, last, filter_digest))).transpose()?;
        let committed = self.record_query(caller, call).await?;
        let mut page = json!({"events": events, "cursor": cursor, "checkpoint": committed.checkpoint()});
        if let (true, Some(members)) = (case_erased, page.as_object_mut()) {
            members.insert("case_erased".to_owned(), Value::Bool(true));
        }
        Ok(page)
    }

    /// `GET /v1/audit/events/{idx}`.
    pub async fn audit_event(&self, caller: &Caller, call: &Call, idx: u64) -> Result<Value, Failure> {
        let places = self.auditor(caller, call).await?;
        let row = self.entry_within(idx, places).await?;
        let mut event = self.event(&row).await?;
        let committed = self.record_query(caller, call).await?;
        if let Some(members) = event.as_object_mut() {
            members.insert("leaf".to_owned(), Value::String(URL_SAFE_NO_PAD.encode(&row.body)));
            members.insert("checkpoint".to_owned(), Value::String(committed.checkpoint().to_owned()));
        }
        Ok(event)
    }

    /// `GET /v1/audit/events/{idx}/proof`: C2SP tlog-proof text.
    pub async fn audit_proof(&self, caller: &Caller, call: &Call, idx: u64) -> Result<String, Failure> {
        let places = self.auditor(caller, call).await?;
        self.entry_within(idx, places).await?;
        self.record_query(caller, call).await?;
        Ok(self.prove(idx).await?.proof.proof)
    }

    /// `GET /v1/ledger/tile/entries/<N>`: leaves, for auditors with jurisdiction `all`.
    pub async fn entry_bundle(&self, caller: &Caller, call: &Call, first: u64, width: u16) -> Result<Vec<Vec<u8>>, Failure> {
        if self.auditor(caller, call).await?.is_some() {
            return Err(RefusalCode::OperationNotAllowed.into());
        }
        let to = first.saturating_add(u64::from(width));
        if !self.ledger.reaches(to).await? {
            return Err(RefusalCode::NotFound.into());
        }
        let rows = self.store.entries(first, to, u32::from(width)).await?;
        if rows.len() != usize::from(width) {
            return Err(Failure::Corrupt("entries"));
        }
        self.record_query(caller, call).await?;
        Ok(rows.into_iter().map(|row| row.body).collect())
    }

    /// The places the auditor may look at; none: all.
    async fn auditor(&self, caller: &Caller, call: &Call) -> Result<Option<Vec<String>>, Failure> {
        let places = match &caller.row.registration.jurisdiction {
            Some(Jurisdiction::Everything(_)) => Some(None),
            Some(Jurisdiction::Places(places)) if !places.is_empty() => Some(Some(places.clone())),
            Some(Jurisdiction::Places(_)) | None => None,
        };
        // What lies outside its places is not there for an auditor; one without any has nothing to ask for.
        self.may_begin(caller, Deed::QueryAudit { within: places.is_some() }).await?;
        self.actor(caller, call, Allowed::Only(Purpose::AuditReview)).await?;
        places.ok_or_else(|| RefusalCode::OperationNotAllowed.into())
    }

    /// Records what an auditor was told, if it may still ask then.
    async fn record_query(&self, caller: &Caller, call: &Call) -> Result<Committed, Failure> {
        let decide = |epoch| async move {
            // Who got here has a jurisdiction, and a commit finds it as it was.
            self.may(caller, Deed::QueryAudit { within: true })?;
            Ok((self.permit(caller, &call.trail(), With::on(caller, epoch)).await?, ()))
        };
        let (answer, ()) = self.commit(caller, call, decide).await?;
        recorded(answer)
    }

    async fn entry_within(&self, idx: u64, places: Option<Vec<String>>) -> Result<LedgerRow, Failure> {
        let size = idx.checked_add(1).ok_or(RefusalCode::NotFound)?;
        let filter = LedgerFilter { places, ..LedgerFilter::default() };
        let found = self.store.find(&filter, idx.checked_sub(1), size, 1).await?;
        Ok(found.rows.into_iter().find(|row| row.idx == idx).ok_or(RefusalCode::NotFound)?)
    }

    /// Whether a case was erased in which a party of one of these places stood: its tags are gone, and an empty page would say that nothing happened.
    async fn is_erased_within(&self, case: Option<&CaseKey>, places: Option<&[String]>) -> Result<bool, Failure> {
        let Some(case) = case else { return Ok(false) };
        let parties = self.store.case_parties(case).await?;
        let within = |party: &PartyId| {
            let lies =
                |place: &str| places.is_none_or(|within| within.iter().any(|of| place == of || (of.len() == 2 && place.starts_with(of))));
            party.place().map_or(places.is_none(), lies)
        };
        Ok(parties.iter().any(|row| row.erased && within(&row.party)))
    }

    fn filter(&self, query: &AuditQuery, case: Option<CaseKey>, places: Option<Vec<String>>) -> LedgerFilter {
        let mut tags: Vec<_> = case.iter().map(|case| self.vault.tag("case", &case.to_string())).collect();
        if let Some(consent) = &query.consent {
            tags.push(self.vault.tag("consent", &consent.to_string()));
        }
        if let Some(staff) = &query.staff {
            tags.push(self.vault.tag("staff", staff));
        }
        if let Some(class) = &query.class {
            tags.push(self.vault.tag("class", class));
        }
        LedgerFilter {
            from: query.from,
            to: query.to,
            actor: query.actor.clone(),
            recipient: query.recipient.clone(),
            operation: query.operation.clone(),
            entry_type: query.entry_type.clone(),
            decision: query.decision.clone(),
            reason: query.reason.clone(),
            agreement: query.agreement.clone(),
            tags,
            places,
        }
    }

    /// An entry as the auditor sees it. `opened` is the opening with its salt, so that the commitment can be checked; null after erasure.
    async fn event(&self, row: &LedgerRow) -> Result<Value, Failure> {
        let entry: Value = serde_json::from_slice(&row.body).map_err(|_| Failure::Corrupt("entry"))?;
        Ok(json!({"index": row.idx, "entry": entry, "opened": self.opened(row).await?}))
    }

    /// The opening of an entry with its salt, or null where there is none or it was erased.
    pub(crate) async fn opened(&self, row: &LedgerRow) -> Result<Value, Failure> {
        let Some(sealed) = &row.opening else { return Ok(Value::Null) };
        let key = match self.data_key(sealed.key).await {
            Ok(key) => key,
            Err(Failure::Refused(refusal)) if refusal.code == RefusalCode::Erased => return Ok(Value::Null),
            Err(Failure::Vault(_)) => {
                tracing::error!(index = row.idx, "the key of a stored opening does not open");
                return Ok(json!({"unreadable": true}));
            }
            Err(failure) => return Err(failure),
        };
        let entry: Entry = serde_json::from_slice(&row.body).map_err(|_| Failure::Corrupt("entry"))?;
        // One that was changed behind our back must not hide all others: it is shown as what it is, and no commitment fits it.
        let Ok(salted) = vault::open(&key, &opening_context(entry.id), sealed).map(|plaintext| SaltedOpening::from_bytes(&plaintext))
        else {
            tracing::error!(index = row.idx, "a stored opening does not open");
            return Ok(json!({"unreadable": true}));
        };
        let salted = salted?;
        let mut opened = serde_json::to_value(&salted.opening).map_err(|_| Failure::Corrupt("opening"))?;
        if let Some(members) = opened.as_object_mut() {
            members.insert("salt".to_owned(), Value::String(salted.salt.reveal()));
        }
        Ok(opened)
    }
}

fn read_cursor(text: &str) -> Option<Cursor> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

fn write_cursor(cursor: &Cursor) -> Result<String, Failure> {
    Ok(URL_SAFE_NO_PAD.encode(serde_json::to_vec(cursor).map_err(|_| Failure::Corrupt("cursor"))?))
}

/// Longest page (`ledger.md` section 6).
const MOST: u32 = 500;
const DEFAULT_PAGE: u32 = 100;
