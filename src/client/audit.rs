//! The auditor's side: who saw what, by the names of rows only, checked against what the leaves committed to.

use serde::Deserialize;
use serde_json::Value;

use super::{
    connection::{Client, JSON, query, read_json},
    entry::Entry,
    error::{ClientError, Doubt},
    proven::{Proven, prove},
};
use crate::{
    domain::{
        codes::Purpose,
        digest::Digest,
        entry::{EntryType, Operation, Outcome},
        field::FieldKey,
        ids::{CaseId, CaseKey, Jti},
        party::PartyId,
    },
    message::{base64url, json, sha256},
    tlog::{Checkpoint, leaf_hash, open_checkpoint},
};

/// What is looked for; every member narrows.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// RFC 3339, inclusive.
    pub from: Option<String>,
    /// RFC 3339, exclusive.
    pub to: Option<String>,
    /// Acting party.
    pub actor: Option<PartyId>,
    /// Receiving party.
    pub recipient: Option<PartyId>,
    /// A case, by any party's id of it.
    pub case: Option<CaseId>,
    /// Staff id.
    pub staff: Option<String>,
    /// Field class that was shown.
    pub class: Option<String>,
    /// Operation.
    pub operation: Option<Operation>,
    /// Entry type.
    pub entry_type: Option<EntryType>,
    /// Outcome.
    pub decision: Option<Outcome>,
    /// Refusal code.
    pub reason: Option<String>,
    /// Agreement.
    pub agreement: Option<String>,
    /// Consent.
    pub consent: Option<Jti>,
    /// Events a page.
    pub limit: Option<u32>,
}

/// A page of events.
#[derive(Debug)]
pub struct AuditPage {
    /// Events, oldest first.
    pub events: Vec<Event>,
    /// Where the next page begins.
    pub cursor: Option<String>,
    /// A signed tree head that covers the query's own entry.
    pub checkpoint: Checkpoint,
}

/// A page as the gateway gave it, for exports and for whoever checks events another way.
#[derive(Debug)]
pub struct RawPage {
    /// Events, oldest first.
    pub events: Vec<RawEvent>,
    /// Where the next page begins.
    pub cursor: Option<String>,
    /// A signed tree head that covers the query's own entry.
    pub checkpoint: Checkpoint,
    /// Whether the case that was asked for was erased: then nothing is found by it any more.
    pub case_erased: bool,
}

/// An event as the gateway gave it. Nothing of it is verified.
#[derive(Clone, Deserialize)]
pub struct RawEvent {
    /// Index.
    pub index: u64,
    /// The leaf; its canonical form is what was hashed.
    pub entry: Value,
    /// The opening with its salt, or null.
    pub opened: Value,
}

impl std::fmt::Debug for RawEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RawEvent").field("index", &self.index).finish_non_exhaustive()
    }
}

/// An entry with its opening.
#[derive(Debug, Clone)]
pub struct Event {
    /// Index.
    pub index: u64,
    /// The entry.
    pub entry: Entry,
    /// Leaf hash of the entry as it was shown; proven with [`Client::audit_event`] or [`super::TreeView::includes`].
    pub leaf: Digest,
    /// What the leaf committed to; none where there is nothing, or where it was erased.
    pub opened: Option<Opened>,
}

/// An opening. Holds names of rows, never values.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Opened {
    /// The case, by the auditors' own id.
    #[serde(default)]
    pub case: Option<CaseKey>,
    /// The consent.
    #[serde(default)]
    pub consent: Option<Jti>,
    /// Staff id.
    #[serde(default)]
    pub staff: Option<String>,
    /// Rows shown.
    #[serde(default)]
    pub disclosed: Vec<FieldKey>,
    /// Rows withheld.
    #[serde(default)]
    pub withheld: Vec<Withheld>,
    /// Details of a refusal: `field:rule`.
    #[serde(default)]
    pub violations: Vec<String>,
}

/// A withheld row.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Withheld {
    /// The row.
    pub field: FieldKey,
    /// Ids of the policies that withheld it; `necessity` where none permits.
    pub rules: Vec<String>,
}

impl Client {
    /// A page of events. Each opening is compared with its leaf's commitment; the query is itself an entry.
    pub async fn audit_events(&self, filter: &AuditFilter, cursor: Option<&str>) -> Result<AuditPage, ClientError> {
        let page = self.audit_page(filter, cursor).await?;
        let events = page.events.into_iter().map(RawEvent::check).collect::<Result<Vec<_>, _>>()?;
        Ok(AuditPage { events, cursor: page.cursor, checkpoint: page.checkpoint })
    }

    /// A page of events as the gateway gives them. Only the checkpoint is verified; the query is itself an entry.
    pub async fn audit_page(&self, filter: &AuditFilter, cursor: Option<&str>) -> Result<RawPage, ClientError> {
        let target = format!("/v1/audit/events{}", filter.query(cursor));
        let (response, _) = self.read(&target, JSON, Purpose::AuditReview).await?;
        let page: Page = read_json(&response.body, "events")?;
        let checkpoint = open_checkpoint(&page.checkpoint, &self.identity.pinned.document().vkey)?;
        Ok(RawPage { events: page.events, cursor: page.cursor, checkpoint, case_erased: page.case_erased })
    }

    /// Every event of a query.
    pub async fn all_audit_events(&self, filter: &AuditFilter) -> Result<Vec<Event>, ClientError> {
        let mut page = self.audit_events(filter, None).await?;
        let mut events = page.events;
        while let Some(cursor) = page.cursor {
            page = self.audit_events(filter, Some(&cursor)).await?;
            events.append(&mut page.events);
        }
        Ok(events)
    }

    /// One event, proven to stand in the ledger.
    pub async fn audit_event(&self, index: u64) -> Result<Proven<Event>, ClientError> {
        let (response, _) = self.read(&format!("/v1/audit/events/{index}"), JSON, Purpose::AuditReview).await?;
        let shown: Single = read_json(&response.body, "event")?;
        let leaf = base64url::decode(&shown.leaf).map_err(|_| Doubt::Form("leaf"))?;
        let event = shown.shown.check()?;
        let place = prove(&leaf, &self.audit_proof(index).await?, &self.identity.pinned)?;
        if place.index() != index || event.index != index {
            return Err(Doubt::Entry("index").into());
        }
        if event.leaf.as_bytes() != place.leaf().as_bytes() {
            return Err(Doubt::Entry("content").into());
        }
        Ok(Proven::new(event, place))
    }

    /// The C2SP tlog-proof of an entry, unverified.
    pub async fn audit_proof(&self, index: u64) -> Result<String, ClientError> {
        let (response, _) = self.read(&format!("/v1/audit/events/{index}/proof"), "text/plain", Purpose::AuditReview).await?;
        Ok(String::from_utf8(response.body.to_vec()).map_err(|_| Doubt::Form("proof"))?)
    }
}

impl AuditFilter {
    fn query(&self, cursor: Option<&str>) -> String {
        fn text<T: ToString>(value: Option<&T>) -> Option<String> {
            value.map(ToString::to_string)
        }
        query(&[
            ("from", self.from.clone()),
            ("to", self.to.clone()),
            ("actor", text(self.actor.as_ref())),
            ("recipient", text(self.recipient.as_ref())),
            ("case", text(self.case.as_ref())),
            ("staff", self.staff.clone()),
            ("class", self.class.clone()),
            ("operation", text(self.operation.as_ref())),
            ("type", text(self.entry_type.as_ref())),
            ("decision", text(self.decision.as_ref())),
            ("reason", self.reason.clone()),
            ("agreement", self.agreement.clone()),
            ("consent", text(self.consent.as_ref())),
            ("limit", text(self.limit.as_ref())),
            ("cursor", cursor.map(str::to_owned)),
        ])
    }
}

#[derive(Deserialize)]
struct Page {
    events: Vec<RawEvent>,
    cursor: Option<String>,
    checkpoint: String,
    #[serde(default)]
    case_erased: bool,
}

#[derive(Deserialize)]
struct Single {
    leaf: String,
    #[serde(flatten)]
    shown: RawEvent,
}

impl RawEvent {
    /// Reads the entry and compares its opening with the commitment.
    fn check(self) -> Result<Event, Doubt> {
        let form = Doubt::Form("event");
        let Ok(leaf) = json::canonical(&self.entry) else { return Err(form) };
        let entry = Entry::read(&leaf)?;
        let opened = match self.opened {
            Value::Null => None,
            opened => Some(open(opened, entry.open_c)?),
        };
        Ok(Event { index: self.index, entry, leaf: Digest(leaf_hash(&leaf).0), opened })
    }
}

/// SHA-256(`tsunagi/opening/v1` ‖ salt ‖ canonical opening) must be the commitment (`ledger.md` section 2).
fn open(mut opened: Value, commitment: Option<Digest>) -> Result<Opened, Doubt> {
    let salt = opened.as_object_mut().and_then(|members| members.remove("salt"));
    let salt = salt.as_ref().and_then(Value::as_str).and_then(|salt| base64url::decode_exact::<32>(salt).ok()).ok_or(Doubt::Opening)?;
    let canonical = json::canonical(&opened).map_err(|_| Doubt::Opening)?;
    let own = sha256(&[DOMAIN, &salt, &canonical].concat());
    if Some(own) != commitment {
        return Err(Doubt::Opening);
    }
    serde_json::from_value(opened).map_err(|_| Doubt::Form("opening"))
}

const DOMAIN: &[u8] = b"tsunagi/opening/v1";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown() -> Value {
        let opening =
            json!({"staff": "staff-17", "disclosed": ["family_name"], "withheld": [{"field": "offence_name", "rules": ["necessity"]}]});
        let own = sha256(&[DOMAIN, &[7; 32], &json::canonical(&opening).unwrap()].concat());
        let mut opened = opening;
        opened["salt"] = json!(base64url::encode([7; 32]));
        json!({
            "index": 5, "opened": opened,
            "entry": {"v": 1, "type": "release", "time": "2026-11-21T00:00:00.000001Z", "operation": "case.read", "decision": "permit", "open_c": own}
        })
    }

    fn check(shown: &Value) -> Result<Event, Doubt> {
        serde_json::from_value::<RawEvent>(shown.clone()).unwrap().check()
    }

    #[test]
    fn an_opening_that_fits_its_commitment_is_read() {
        let event = check(&shown()).unwrap();
        let opened = event.opened.unwrap();
        assert_eq!(opened.disclosed.len(), 1);
        assert_eq!(opened.withheld[0].rules, ["necessity"]);
        assert_eq!(event.leaf, Digest(leaf_hash(&json::canonical(&shown()["entry"]).unwrap()).0));
    }

    #[test]
    fn a_changed_opening_or_commitment_is_refused() {
        for (pointer, value) in [
            ("/opened/staff", json!("staff-18")),
            ("/opened/disclosed/0", json!("given_name")),
            ("/opened/withheld/0/rules/0", json!("F-01")),
            ("/opened/salt", json!(base64url::encode([8; 32]))),
            ("/opened/salt", json!("AA")),
            ("/opened/salt", json!(null)),
            ("/entry/open_c", json!(Digest([0; 32]))),
        ] {
            let mut changed = shown();
            *changed.pointer_mut(pointer).unwrap() = value;
            assert!(matches!(check(&changed), Err(Doubt::Opening)), "{pointer}");
        }
        let mut more = shown();
        more["opened"]["more"] = json!(1);
        assert!(matches!(check(&more), Err(Doubt::Opening)));
    }

    #[test]
    fn an_entry_without_an_opening_stays_without() {
        let mut erased = shown();
        erased["opened"] = Value::Null;
        assert_eq!(check(&erased).unwrap().opened, None);
    }

    #[test]
    fn a_filter_asks_only_for_what_it_names() {
        assert_eq!(AuditFilter::default().query(None), "");
        let filter = AuditFilter { operation: Some(Operation::CaseRead), limit: Some(10), ..AuditFilter::default() };
        assert_eq!(filter.query(Some("abc")), "?operation=case.read&limit=10&cursor=abc");
    }
}
