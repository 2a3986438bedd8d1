//! Everybody who takes part in the work of a case, as a newcomer finds them in a sandbox: each with the library's own client, under the sandbox's own
//! agreement for every kind of message.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::{Map, Value, json};
use tsunagi::{
    client::{Accepted, Client, ClientError, Content, Identity, Later, Outgoing, Proven, SignedConsent},
    domain::{
        codes::{LegalBasis, MessageKind, Purpose},
        day::Day,
        field::{FieldClass, FieldKey},
        ids::CaseId,
        party::PartyId,
    },
    message::{
        compose::Draft,
        schema::{MessageSchema, Rule, SchemaSet},
        submission::{AgreementRef, MessageRef, SchemaRef},
    },
};

use crate::exchange_stage::{Sandbox, Settings, party::now, process::Server};

/// Who plays, under the short name that scripts and tables use; what the unit works for, and which of it it acts for first.
pub(crate) const CAST: &[(&str, &str, &[Purpose])] = &[
    ("centre", "settlement_center:13-1", &[PLACEMENT, BACKUP, ADDON]),
    ("centre2", "settlement_center:14-1", &[PLACEMENT, BACKUP, ADDON]),
    ("city", "municipality:131016-1", &[PLACEMENT, BENEFIT, BACKUP, ADDON]),
    ("city2", "municipality:131024-1", &[PLACEMENT, BENEFIT, BACKUP, ADDON]),
    ("core", "core_center:131016-1", &[PLACEMENT, BACKUP]),
    ("office", "consultation_office:1330100015", &[PLANNING, BACKUP]),
    ("home1", "group_home:1320100017", &[PLACEMENT, PROVISION, BACKUP, ADDON]),
    ("home2", "group_home:1320100025", &[PLACEMENT, PROVISION, BACKUP, ADDON]),
    ("day", "day_service:1310100019", &[PLACEMENT, PROVISION, BACKUP, ADDON]),
    ("probation", "probation_office:13-1", &[PLACEMENT, ADDON]),
    ("bar", "bar_association:13-1", &[PLACEMENT]),
];

pub(crate) const PLACEMENT: Purpose = Purpose::PlacementCoordination;
pub(crate) const BENEFIT: Purpose = Purpose::BenefitDecision;
pub(crate) const PLANNING: Purpose = Purpose::ServicePlanning;
pub(crate) const PROVISION: Purpose = Purpose::ServiceProvision;
pub(crate) const BACKUP: Purpose = Purpose::BackupConsultation;
pub(crate) const ADDON: Purpose = Purpose::AddonCertification;

const AGREEMENT: &str = "AG-13-0010";

/// A sandbox that serves, and a client for everybody.
pub(crate) struct Cast {
    pub(crate) sandbox: Sandbox,
    pub(crate) server: Server,
    pub(crate) schemas: SchemaSet,
    clients: BTreeMap<&'static str, Client>,
    agreement: AgreementRef,
}

impl Cast {
    pub(crate) async fn open() -> Self {
        Self::on(Sandbox::new(Settings::default())).await
    }

    pub(crate) async fn on(sandbox: Sandbox) -> Self {
        let server = sandbox.serve().await;
        let client = |party: &str| Client::new(Identity::load(&sandbox.identity(&party.parse().unwrap())).unwrap()).unwrap();
        let clients: BTreeMap<&str, Client> = CAST.iter().map(|(name, party, _)| (*name, client(party))).collect();
        let heads = clients["centre"].agreements().await.unwrap();
        let agreement = heads.iter().find(|head| head.id.as_str() == AGREEMENT).unwrap().reference();
        Self { sandbox, server, schemas: SchemaSet::builtin().unwrap(), clients, agreement }
    }

    pub(crate) fn client(&self, name: &str) -> &Client {
        &self.clients[name]
    }

    pub(crate) fn schema(&self, kind: MessageKind) -> &MessageSchema {
        self.schemas.messages().find(|schema| schema.kind() == kind).unwrap()
    }

    /// The whole published example of a kind. It is of one day: what may not lie before the day of sending is moved to two weeks after it.
    pub(crate) fn example(&self, kind: MessageKind) -> BTreeMap<FieldKey, Value> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("schemas/examples/{kind}.json"));
        let example: Map<String, Value> = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        let schema = self.schema(kind);
        let day = json!(Day::in_japan(now().plus_secs(14 * 86_400)).to_string());
        let rows = example.into_iter().map(|(key, value)| (key.parse::<FieldKey>().unwrap(), value));
        let ahead = |key: &FieldKey| schema.row(key).unwrap().rules.contains(&Rule::NotBeforeSending);
        // The end of a detention too: within it the reply is asked for.
        let coming = |key: &FieldKey| ahead(key) || key.as_str() == "detention_deadline";
        rows.map(|(key, value)| if coming(&key) { (key, day.clone()) } else { (key, value) }).collect()
    }

    /// The purposes of a message between two: what its sender acts for first, and everything that its recipient works for.
    pub(crate) fn purposes(from: &str, to: &str) -> Vec<Purpose> {
        let mut purposes = vec![first_purpose(from)];
        purposes.extend(purposes_of(to).iter().filter(|purpose| **purpose != first_purpose(from)));
        purposes
    }

    /// Signs a consent with these items and registers it; in the place of an earlier one of the same person, if there is one.
    pub(crate) async fn consent(&self, collector: &str, items: &Value, before: Option<&SignedConsent>) -> SignedConsent {
        let client = self.client(collector);
        let sub = before.map_or_else(|| uuid::Uuid::new_v4().simple().to_string(), |before| before.sub().as_str().to_owned());
        let mut claims = json!({
            "nbf": now().plus_secs(-60).secs(), "exp": now().plus_secs(180 * 86_400).secs(), "sub": sub, "items": items, "refused": [],
            "how": "paper_signed", "form": {"ver": "1", "sha256": tsunagi::domain::digest::Digest::of(b"scan")},
            "expl": {"by": "staff-0001", "how": "spoken", "understood": true},
        });
        if let Some(before) = before {
            claims["sup"] = json!(before.jti());
        }
        let consent = client.sign_drafted_consent(&claims).unwrap();
        client.register_consent(&consent, first_purpose(collector)).await.unwrap();
        consent
    }

    /// A message before it is signed; `case` is none for one that opens a case.
    pub(crate) fn draft(&self, what: &Letter<'_>, body: &BTreeMap<FieldKey, Value>) -> Draft {
        let client = self.client(what.from);
        let published = self.schema(what.kind).published();
        let content = Content {
            aud: party(what.to),
            body: body.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
            consent: what.consent.map(|consent| (consent.sub().clone(), consent.reference())),
            purposes: what.purposes.clone(),
            agreement: self.agreement.clone(),
            schema: SchemaRef { id: published.id.to_owned(), ver: published.ver.to_owned(), sha256: published.sha256 },
            basis: LegalBasis::WithinPurpose,
            basis_ref: None,
        };
        let draft = match what.case {
            Some(case) => client.draft_later(&Later { kind: what.kind, case, source: what.source.clone(), content }),
            None => client.draft_opening(what.kind, &content),
        };
        draft.unwrap()
    }

    pub(crate) fn sign(&self, what: &Letter<'_>, body: &BTreeMap<FieldKey, Value>) -> Outgoing {
        self.client(what.from).sign(&self.draft(what, body)).unwrap()
    }

    pub(crate) async fn post(&self, what: &Letter<'_>, message: &Outgoing) -> Result<Proven<Accepted>, ClientError> {
        let (client, purpose) = (self.client(what.from), what.acts_for());
        match what.case {
            Some(case) => client.submit_later(&case, message, purpose).await,
            None => client.submit(message, purpose).await,
        }
    }
}

/// A message that is to be sent.
#[derive(Clone)]
pub(crate) struct Letter<'a> {
    pub(crate) kind: MessageKind,
    pub(crate) from: &'a str,
    pub(crate) to: &'a str,
    pub(crate) case: Option<CaseId>,
    pub(crate) consent: Option<&'a SignedConsent>,
    pub(crate) purposes: Vec<Purpose>,
    pub(crate) source: Option<MessageRef>,
}

impl Letter<'_> {
    /// The first of its purposes that its sender works for.
    fn acts_for(&self) -> Purpose {
        let own = purposes_of(self.from);
        self.purposes.iter().copied().find(|purpose| own.contains(purpose)).unwrap()
    }
}

pub(crate) fn party(name: &str) -> PartyId {
    CAST.iter().find(|(known, ..)| *known == name).unwrap_or_else(|| panic!("who is {name}?")).1.parse().unwrap()
}

pub(crate) fn purposes_of(name: &str) -> &'static [Purpose] {
    CAST.iter().find(|(known, ..)| *known == name).unwrap().2
}

pub(crate) fn first_purpose(name: &str) -> Purpose {
    purposes_of(name)[0]
}

/// What a person can consent to at all.
pub(crate) fn every_class() -> Vec<FieldClass> {
    FieldClass::ALL.iter().copied().filter(|class| !class.needs_no_consent_item() && !class.consent_may_not_name()).collect()
}

/// A part of a consent that names these parties for everything they do, these classes, some of them ticked.
pub(crate) fn item(recipients: &[&str], classes: &[FieldClass], ticked: &[FieldClass]) -> Value {
    let named: Vec<PartyId> = recipients.iter().map(|name| party(name)).collect();
    json!({"rcp": named, "pur": [PLACEMENT, BENEFIT, PLANNING, PROVISION, BACKUP, ADDON], "cls": classes, "tick": ticked})
}

/// The rows that a refusal names, with its code.
pub(crate) fn named_rows(error: ClientError) -> (String, Vec<String>) {
    match error {
        ClientError::Refused(problem) => (problem.code.clone(), problem.violations.iter().map(|row| row.field.clone()).collect()),
        error => panic!("no refusal: {error}"),
    }
}
