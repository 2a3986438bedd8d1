//! The parties' side: identity folders, and requests that are signed and sealed before anything is measured.

use std::{fs, path::Path, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use tsunagi::{
    client::{Body, Client, ConsentDraft, Content, Identity, Later, SignedConsent},
    domain::{
        codes::{LegalBasis, MessageKind, Purpose},
        consent::{ConsentMethod, Item, Recipient},
        field::FieldClass,
        ids::CaseId,
    },
    message::{
        disclosed::Pseudonym,
        envelope::Sealer,
        keys::SigningKey,
        objects::{Explanation, PaperForm, Understood, Ways},
        profile::MESSAGE_TYP,
        sha256,
        submission::{AgreementRef, SchemaRef},
    },
    tls::client::{ClientLimits, Connector, HttpsClient},
};

use crate::floor::{ROWS, referral};

/// A party with what it signs with and connects with.
pub(crate) struct Party {
    /// Verifies everything it is answered.
    pub(crate) client: Client,
    signing: SigningKey,
    connector: Connector,
    sealer: Sealer,
}

/// A request, complete.
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// What every message names.
pub(crate) struct Terms {
    referral: (AgreementRef, SchemaRef),
    supplement: (AgreementRef, SchemaRef),
}

impl Terms {
    /// A referral of 60 rows.
    pub(crate) fn referral(&self, to: &Party, consent: &SignedConsent) -> Content {
        Self::content(to, consent, &self.referral)
    }

    /// A supplement of the same 60 rows.
    pub(crate) fn supplement(&self, to: &Party, consent: &SignedConsent) -> Content {
        Self::content(to, consent, &self.supplement)
    }

    fn content(to: &Party, consent: &SignedConsent, (agreement, schema): &(AgreementRef, SchemaRef)) -> Content {
        Content {
            aud: to.client.party().clone(),
            body: referral(ROWS).into_iter().map(|(name, value)| (name.parse().unwrap(), value)).collect(),
            consent: Some((consent.sub().clone(), consent.reference())),
            purposes: PURPOSES.to_vec(),
            agreement: agreement.clone(),
            schema: schema.clone(),
            basis: LegalBasis::Consent69_2_1,
            basis_ref: None,
        }
    }
}

impl Party {
    /// From an identity folder.
    pub(crate) fn load(folder: &Path) -> Self {
        let read = |name: &str| fs::read(folder.join(name)).unwrap();
        let client = Client::new(Identity::load(folder).unwrap()).unwrap();
        Self {
            signing: SigningKey::from_jwk(&read("signing.jwk")).unwrap(),
            connector: Connector::new(&read("ca.pem"), &read("tls.pem"), &read("tls.key")).unwrap().http1_only(),
            sealer: Sealer::new(&client.identity().pinned().document().enc).unwrap(),
            client,
        }
    }

    /// So many clients, each with a connection of its own, to the gateways in turn.
    pub(crate) fn connections(&self, count: usize, ports: &[u16]) -> Vec<Arc<HttpsClient>> {
        let open = |port: &u16| {
            let address = format!("https://localhost:{port}");
            Arc::new(HttpsClient::new(&address, self.connector.clone(), ClientLimits::default()).unwrap())
        };
        ports.iter().cycle().take(count).map(open).collect()
    }

    /// What the sandbox has put in force: an agreement of referrals, and one of everything that follows them.
    pub(crate) async fn terms(&self) -> Terms {
        let agreements = self.client.agreements().await.unwrap();
        let [referrals, .., work] = agreements.as_slice() else { panic!("the sandbox has two agreements") };
        let referral = self.client.schema("referral").await.unwrap().reference;
        let supplement = self.client.schema("supplement").await.unwrap().reference;
        Terms { referral: (referrals.reference(), referral), supplement: (work.reference(), supplement) }
    }

    /// Cases that this party got since it last asked.
    pub(crate) async fn new_cases(&self, cursor: &mut Option<String>) -> Vec<CaseId> {
        let mut found = Vec::new();
        loop {
            let page = self.client.list_cases(PURPOSE, cursor.as_deref(), 0).await.unwrap();
            if page.cases.is_empty() {
                return found;
            }
            found.extend(page.cases.iter().map(|head| head.case));
            *cursor = page.cursor;
        }
    }

    /// A consent that covers everything a referral to this recipient may say.
    pub(crate) fn consent(&self, to: &Self) -> SignedConsent {
        let classes: Vec<FieldClass> = FieldClass::ALL.iter().copied().filter(|class| !class.consent_may_not_name()).collect();
        let now = self.client.now();
        let draft = ConsentDraft {
            sub: self.pseudonym(),
            from: now.plus_secs(-60),
            until: now.plus_secs(180 * 86_400),
            items: vec![Item {
                rcp: vec![Recipient::Party(to.client.party().clone())],
                pur: PURPOSES.to_vec(),
                cls: classes.clone(),
                tick: classes,
            }],
            refused: Vec::new(),
            how: ConsentMethod::PaperSigned,
            form: PaperForm { ver: "1".to_owned(), sha256: sha256(b"scan") },
            expl: Explanation {
                by: "staff-0001".to_owned(),
                how: Ways::One("spoken, with an easy-to-read form".to_owned()),
                understood: Understood::Said(true),
            },
        };
        self.client.sign_consent(draft).unwrap()
    }

    /// The request that registers a consent.
    pub(crate) fn registration(&self, consent: &SignedConsent) -> Request {
        self.post("/v1/consents", Body::jwt(consent.token()))
    }

    /// The request that submits a referral, in its envelope.
    pub(crate) fn submission(&self, referral: &Content) -> Request {
        let message = self.client.draft(referral).unwrap().sign(&self.signing).unwrap();
        self.post("/v1/referrals", Body::jose(self.sealer.seal(MESSAGE_TYP, message.as_bytes()).unwrap()))
    }

    /// The request that sends a supplement into a case, in its envelope.
    pub(crate) fn supplement(&self, content: &Content, case: CaseId) -> Request {
        let later = Later { kind: MessageKind::Supplement, case, source: None, content: content.clone() };
        let message = self.client.draft_later(&later).unwrap().sign(&self.signing).unwrap();
        self.post(&format!("/v1/cases/{case}/messages"), Body::jose(self.sealer.seal(MESSAGE_TYP, message.as_bytes()).unwrap()))
    }

    /// The request that reads a case.
    pub(crate) fn reading(&self, case: CaseId) -> Request {
        let (method, target) = (Method::GET, format!("/v1/cases/{case}"));
        let nonce = self.client.ids().v4().unwrap().to_string().parse().unwrap();
        let actor = self.client.actor(&method, &target, PURPOSE, None, Some(nonce)).unwrap();
        Request { method, target, headers: acting(&actor), body: Bytes::new() }
    }

    /// A random pseudonym in letters alone: twelve digits of an id can make up an individual number, which no pseudonym may hold.
    fn pseudonym(&self) -> Pseudonym {
        let id = self.client.ids().v4().unwrap().simple().to_string();
        let letters = id.bytes().map(|b| char::from(if b.is_ascii_digit() { b - b'0' + b'g' } else { b }));
        letters.collect::<String>().parse().unwrap()
    }

    fn post(&self, target: &str, body: Body) -> Request {
        let actor = self.client.actor(&Method::POST, target, PURPOSE, Some(&body), None).unwrap();
        let mut headers = acting(&actor);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(body.media));
        Request { method: Method::POST, target: target.to_owned(), headers, body: body.bytes }
    }
}

fn acting(token: &str) -> HeaderMap {
    HeaderMap::from_iter([("tsunagi-actor".parse().unwrap(), token.parse().unwrap())])
}

/// What everybody here acts for.
pub(crate) const PURPOSE: Purpose = Purpose::PlacementCoordination;
const PURPOSES: [Purpose; 2] = [PURPOSE, Purpose::BenefitDecision];
