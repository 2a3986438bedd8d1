//! What the parties of a sandbox do: consents, referrals from the centre to the municipality, reads, withdrawals.

use std::{collections::BTreeMap, fs, net::SocketAddr, path::Path};

use serde_json::Value;
use tsunagi::{
    domain::{
        agreement::AgreementAct,
        codes::{LegalBasis, MessageKind, Purpose},
        consent::{ConsentMethod, EndedBy, Exception, Item, Recipient},
        day::Day,
        digest::Digest,
        field::{FieldClass, FieldKey},
        ids::Jti,
        party::PartyId,
    },
    message::{
        compose::{Draft, Padding},
        disclosed::{ConsentRef, Hidden, Pseudonym},
        objects::{
            AgreementSignature, ConsentEnd, ConsentGiven, Explanation, PaperForm, PartyAct, PartyStatement, SignedObject as _, Understood,
            Ways,
        },
        schema::{MessageSchema, Rule, SchemaSet},
        submission::{AgreementRef, Claims, SchemaRef},
    },
};
use uuid::Uuid;

use super::{
    AUDITOR, CENTRE, MUNICIPALITY, OPERATOR, Sandbox,
    party::{Accepted, Party, Released, Setback, new_jti, now},
};

pub(crate) const PLACEMENT: Purpose = Purpose::PlacementCoordination;
pub(crate) const BENEFIT: Purpose = Purpose::BenefitDecision;

/// The parties of a sandbox and what they exchange.
pub(crate) struct Story {
    pub(crate) centre: Party,
    pub(crate) municipality: Party,
    pub(crate) auditor: Party,
    pub(crate) operator: Party,
    pub(crate) agreement: AgreementRef,
    pub(crate) schema: SchemaRef,
    pub(crate) classes: BTreeMap<FieldKey, FieldClass>,
    /// The rows of the published example.
    pub(crate) body: Vec<(FieldKey, Value)>,
}

/// A consent as its collector keeps it.
#[derive(Clone)]
pub(crate) struct Consent {
    pub(crate) jti: Jti,
    pub(crate) sub: Pseudonym,
    pub(crate) token: String,
}

/// A message as its sender keeps it, whatever envelope it travels in.
#[derive(Clone)]
pub(crate) struct Message {
    pub(crate) jti: Jti,
    pub(crate) sd_jwt: String,
}

/// A referral that was accepted.
pub(crate) struct Referral {
    pub(crate) consent: Consent,
    /// The case as the municipality knows it.
    pub(crate) case: String,
}

/// A referral, the message that made it and what was answered.
pub(crate) struct Sent {
    pub(crate) referral: Referral,
    pub(crate) message: Message,
    pub(crate) accepted: Accepted,
}

/// The rows of the published example. It is of one day: what may not lie before the day of sending is moved to two weeks after it.
fn brought_forward(schema: &MessageSchema, body: BTreeMap<String, Value>) -> Vec<(FieldKey, Value)> {
    let day = Value::String(Day::in_japan(now().plus_secs(14 * 86_400)).to_string());
    let coming = |key: &FieldKey| schema.row(key).unwrap().rules.contains(&Rule::NotBeforeSending) || key.as_str() == "detention_deadline";
    let rows = body.into_iter().map(|(key, value)| (key.parse::<FieldKey>().unwrap(), value));
    rows.map(|(key, value)| if coming(&key) { (key, day.clone()) } else { (key, value) }).collect()
}

impl Story {
    /// Loads the identities and finds the agreement in force. The gateway must be serving.
    pub(crate) async fn open(sandbox: &Sandbox) -> Self {
        let centre = sandbox.party(CENTRE);
        let listed = centre.open_data("/v1/agreements").await.unwrap();
        let listed: Value = serde_json::from_slice(&listed.body).unwrap();
        let agreement = &listed["agreements"][0];
        assert_eq!(agreement["state"], "in_force");
        let schemas = SchemaSet::builtin().unwrap();
        let schema = schemas.messages().find(|schema| schema.kind() == MessageKind::Referral).unwrap();
        let published = schema.published();
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/examples/referral.json");
        let body: BTreeMap<String, Value> = serde_json::from_slice(&fs::read(example).unwrap()).unwrap();
        Self {
            municipality: sandbox.party(MUNICIPALITY),
            auditor: sandbox.party(AUDITOR),
            operator: sandbox.party(OPERATOR),
            agreement: AgreementRef {
                id: agreement["id"].as_str().unwrap().parse().unwrap(),
                ver: agreement["ver"].as_u64().unwrap().try_into().unwrap(),
                sha256: serde_json::from_value(agreement["sha256"].clone()).unwrap(),
            },
            schema: SchemaRef { id: published.id.to_owned(), ver: published.ver.to_owned(), sha256: published.sha256 },
            classes: schema.rows().iter().map(|row| (row.key.clone(), row.class)).collect(),
            body: brought_forward(schema, body),
            centre,
        }
    }

    /// The same parties at another gateway of the same ledger.
    pub(crate) fn at(self, address: SocketAddr) -> Self {
        Self {
            centre: self.centre.at(address),
            municipality: self.municipality.at(address),
            auditor: self.auditor.at(address),
            operator: self.operator.at(address),
            ..self
        }
    }

    /// A consent that names the municipality for both purposes and every class of the example, each ticked.
    pub(crate) fn consent(&self) -> ConsentGiven {
        let mut classes: Vec<FieldClass> = self.body.iter().map(|(key, _)| self.classes[key]).collect();
        classes.push(FieldClass::ConsentDetail);
        classes.retain(|class| !class.needs_no_consent_item() && !class.consent_may_not_name());
        classes.sort_unstable();
        classes.dedup();
        ConsentGiven {
            issued: self.centre.issued(),
            nbf: now().plus_secs(-60),
            exp: now().plus_secs(180 * 86_400),
            sub: Uuid::new_v4().simple().to_string().parse().unwrap(),
            items: vec![Item {
                rcp: vec![Recipient::Party(self.municipality.id.clone())],
                pur: vec![PLACEMENT, BENEFIT],
                cls: classes.clone(),
                tick: classes,
            }],
            refused: Vec::new(),
            sup: None,
            how: ConsentMethod::PaperSigned,
            form: PaperForm { ver: "1".to_owned(), sha256: Digest::of(b"scan") },
            expl: Explanation { by: "staff-0001".to_owned(), how: Ways::One("spoken".to_owned()), understood: Understood::Said(true) },
            place: None,
            witness: None,
            rep: None,
        }
    }

    pub(crate) fn sign_consent(&self, given: &ConsentGiven) -> Consent {
        Consent { jti: given.issued.jti, sub: given.sub.clone(), token: given.sign(&self.centre.signing).unwrap() }
    }

    pub(crate) async fn register(&self, consent: &Consent) -> Result<Accepted, Setback> {
        self.centre.post_object("/v1/consents", PLACEMENT, &consent.token).await
    }

    /// A referral of the example under a consent, before it is signed.
    pub(crate) fn draft(&self, consent: &Consent) -> Draft {
        Draft {
            claims: Claims {
                iss: self.centre.id.clone(),
                aud: self.municipality.id.clone(),
                jti: new_jti(),
                iat: now(),
                kind: MessageKind::Referral,
                sch: self.schema.clone(),
                agr: self.agreement.clone(),
                pur: vec![PLACEMENT, BENEFIT],
                bas: LegalBasis::Consent69_2_1,
                bref: None,
                cnf: self.centre.pinned.kb.clone(),
            },
            hidden: Hidden {
                sub: Some(consent.sub.clone()),
                con: Some(ConsentRef { jti: consent.jti, sha256: Digest::of(consent.token.as_bytes()) }),
                ..Hidden::default()
            },
            body: self.body.clone(),
            padding: Padding::None,
        }
    }

    pub(crate) fn sign(&self, draft: &Draft) -> Message {
        Message { jti: draft.claims.jti, sd_jwt: draft.sign(&self.centre.signing).unwrap() }
    }

    pub(crate) async fn submit(&self, message: &Message) -> Result<Accepted, Setback> {
        self.centre.post_message("/v1/referrals", PLACEMENT, &message.sd_jwt).await
    }

    /// A consent and a referral under it; the only case that is new to the municipality is its case.
    pub(crate) async fn refer(&self) -> Referral {
        let consent = self.sign_consent(&self.consent());
        self.refer_under(consent).await.referral
    }

    /// Registers a consent and makes a referral under it.
    pub(crate) async fn refer_under(&self, consent: Consent) -> Sent {
        self.register(&consent).await.unwrap();
        let (_, cursor) = self.cases(None).await.unwrap();
        let message = self.sign(&self.draft(&consent));
        let accepted = self.submit(&message).await.unwrap();
        let (fresh, _) = self.cases(cursor).await.unwrap();
        let [case] = fresh.try_into().expect("one referral makes one case");
        Sent { referral: Referral { consent, case }, message, accepted }
    }

    /// The municipality's cases behind a cursor, and the cursor behind them.
    pub(crate) async fn cases(&self, mut cursor: Option<String>) -> Result<(Vec<String>, Option<String>), Setback> {
        let mut found = Vec::new();
        loop {
            let after = cursor.as_ref().map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
            let page = self.municipality.json(&format!("/v1/cases?limit=200{after}"), PLACEMENT).await?;
            let cases = page["cases"].as_array().unwrap();
            if cases.is_empty() {
                return Ok((found, cursor));
            }
            found.extend(cases.iter().map(|case| case["case"].as_str().unwrap().to_owned()));
            cursor = page["cursor"].as_str().map(str::to_owned);
        }
    }

    /// The municipality reads a case that the centre sent.
    pub(crate) async fn read(&self, case: &str, purpose: Purpose) -> Result<Released, Setback> {
        self.municipality.read(&format!("/v1/cases/{case}"), purpose, self.centre.signing.public()).await
    }

    /// The end of a consent, or of products in it, by its collector.
    pub(crate) fn sign_end(&self, consent: &Consent, narrow: Option<Vec<Exception>>) -> String {
        self.sign_end_because(consent, narrow, "the person withdrew")
    }

    pub(crate) fn sign_end_because(&self, consent: &Consent, narrow: Option<Vec<Exception>>, why: &str) -> String {
        let end =
            ConsentEnd { issued: self.centre.issued(), con: consent.jti, by: EndedBy::Self_, why: why.to_owned(), narrow, from: None };
        end.sign(&self.centre.signing).unwrap()
    }

    pub(crate) async fn register_end(&self, consent: &Consent, end: &str) -> Result<Accepted, Setback> {
        self.centre.post_object(&format!("/v1/consents/{}/end", consent.jti), PLACEMENT, end).await
    }

    /// The centre says something about the agreement.
    pub(crate) async fn say(&self, act: AgreementAct) -> Result<Accepted, Setback> {
        let said = AgreementSignature { issued: self.centre.issued(), agr: self.agreement.clone(), act };
        let target = format!("/v1/agreements/{}/{}/signatures", self.agreement.id, self.agreement.ver);
        self.centre.post_object(&target, Purpose::Administration, &said.sign(&self.centre.signing).unwrap()).await
    }

    /// The operator suspends or readmits a party.
    pub(crate) async fn operate(&self, act: PartyAct, party: &PartyId) -> Result<Accepted, Setback> {
        let statement = PartyStatement { issued: self.operator.issued(), act, party: party.clone(), registration: None, key: None };
        self.operator.post_object("/v1/parties", Purpose::Administration, &statement.sign(&self.operator.signing).unwrap()).await
    }
}
