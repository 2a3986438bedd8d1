//! A party with its identity folder: signs what it sends, verifies what it receives. Anything that does not verify fails the test.

use std::{fs, net::SocketAddr, path::Path};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::Value;
use tsunagi::{
    domain::{codes::Purpose, digest::Digest, ids::Jti, party::PartyId, time::Timestamp},
    message::{
        disclosed::Pseudonym,
        envelope::{Opener, Sealer},
        key_binding::Nonce,
        keys::{KeyUse, OpeningKey, PublicKey, SigningKey},
        objects::{Actor, GatewayUrl, Issued, KeyAct, KeyStatement, Receipt, Signed, SignedObject as _},
        profile::{MESSAGE_TYP, RELEASE_CTY},
        release::{Asked, Release, verify_release},
    },
    tlog::{Checkpoint, VerifierKey, verify_proof},
    tls::client::{ClientError, ClientLimits, Connector, HttpsClient, Response},
};
use uuid::Uuid;

/// A party and what it trusts.
pub(crate) struct Party {
    pub(crate) id: PartyId,
    pub(crate) signing: SigningKey,
    pub(crate) staff: Pseudonym,
    pub(crate) pinned: Pinned,
    pub(crate) connector: Connector,
    pub(crate) gateway: GatewayUrl,
    https: HttpsClient,
    opener: Opener,
}

/// The gateway's keys, from the identity folder.
pub(crate) struct Pinned {
    pub(crate) kb: PublicKey,
    pub(crate) ledger: VerifierKey,
    enc: Sealer,
    receipt: PublicKey,
    origin: String,
}

/// Why a request was not answered as asked.
#[derive(Debug)]
pub(crate) enum Setback {
    /// The connection broke: the gateway may or may not have done it.
    Broken(ClientError),
    /// A problem document.
    Refused(Problem),
}

/// A problem document (RFC 9457).
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) retry_after: Option<u32>,
    pub(crate) text: String,
}

/// An answer to what changes something, verified.
#[derive(Debug, Clone)]
pub(crate) struct Accepted {
    pub(crate) receipt: Receipt,
    pub(crate) index: u64,
    pub(crate) leaf: Vec<u8>,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) subject: Value,
}

/// A release, verified.
#[derive(Debug)]
pub(crate) struct Released {
    pub(crate) release: Release,
    pub(crate) leaf: Vec<u8>,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) headers: HeaderMap,
}

impl Party {
    pub(crate) fn load(folder: &Path) -> Self {
        let read = |name: &str| fs::read(folder.join(name)).unwrap();
        let identity: toml::Table = fs::read_to_string(folder.join("identity.toml")).unwrap().parse().unwrap();
        let member = |name: &str| identity[name].as_str().unwrap();
        let connector = Connector::new(&read(member("ca")), &read(member("tls_cert")), &read(member("tls_key"))).unwrap();
        let pinned: Value = serde_json::from_slice(&read(member("gateway_keys"))).unwrap();
        let key = |name: &str, usage| PublicKey::from_jwk(&pinned["keys"][name], usage).unwrap();
        Self {
            id: member("party").parse().unwrap(),
            signing: SigningKey::from_jwk(&read(member("signing_key"))).unwrap(),
            staff: "staff-0001".parse().unwrap(),
            pinned: Pinned {
                kb: key("kb", KeyUse::Sig),
                ledger: pinned["ledger"]["vkey"].as_str().unwrap().parse().unwrap(),
                enc: Sealer::new(&key("enc", KeyUse::Enc)).unwrap(),
                receipt: key("receipt", KeyUse::Sig),
                origin: pinned["ledger"]["origin"].as_str().unwrap().to_owned(),
            },
            https: HttpsClient::new(member("gateway"), connector.clone(), ClientLimits::default()).unwrap(),
            connector,
            gateway: member("gateway").parse().unwrap(),
            opener: Opener::new(&OpeningKey::from_jwk(&read(member("encryption_key"))).unwrap()).unwrap(),
        }
    }

    /// Speaks HTTP/1.1 from now on.
    pub(crate) fn over_http1(mut self) -> Self {
        self.https = HttpsClient::new(self.gateway.as_str(), self.connector.http1_only(), ClientLimits::default()).unwrap();
        self
    }

    /// Connects elsewhere from now on; what it signs stays addressed to the same gateway.
    pub(crate) fn at(mut self, address: SocketAddr) -> Self {
        let gateway = format!("https://localhost:{}", address.port());
        self.https = HttpsClient::new(&gateway, self.connector.clone(), ClientLimits::default()).unwrap();
        self
    }

    pub(crate) fn issued(&self) -> Issued {
        Issued { iss: self.id.clone(), aud: self.gateway.clone(), jti: new_jti(), iat: now() }
    }

    /// What the party says about a signing key, without times.
    pub(crate) fn key_statement(&self, act: KeyAct, key: &SigningKey) -> KeyStatement {
        KeyStatement {
            issued: self.issued(),
            act,
            purpose: KeyUse::Sig,
            jwk: key.public().clone(),
            nbf: None,
            naf: None,
            pop: None,
            compromised_at: None,
        }
    }

    /// Adds a signing key that is good from now on for a day.
    pub(crate) async fn add_key(&self, new: &SigningKey) -> Result<Accepted, Setback> {
        let add = KeyStatement { nbf: Some(now()), naf: Some(now().plus_secs(86_400)), ..self.key_statement(KeyAct::Add, new) };
        self.post_object(KEYS, Purpose::Administration, &add.sign_with_proof(&self.signing, new).unwrap()).await
    }

    /// Says something about a signing key, signed with `by`.
    pub(crate) async fn say_of_key(&self, statement: &KeyStatement, by: &SigningKey) -> Result<Accepted, Setback> {
        self.post_object(KEYS, Purpose::Administration, &statement.sign(by).unwrap()).await
    }

    /// A fresh actor token for one request.
    pub(crate) fn actor(&self, method: &Method, target: &str, purpose: Purpose, body: Option<&[u8]>, nonce: Option<&Nonce>) -> String {
        self.actor_at(now(), method, target, purpose, body, nonce)
    }

    /// The same by a clock of its own.
    pub(crate) fn actor_at(
        &self,
        at: Timestamp,
        method: &Method,
        target: &str,
        purpose: Purpose,
        body: Option<&[u8]>,
        nonce: Option<&Nonce>,
    ) -> String {
        let actor = Actor {
            issued: Issued { iat: at, ..self.issued() },
            sub: self.staff.clone(),
            exp: at.plus_secs(120),
            pur: purpose,
            htm: method.to_string(),
            htu: target.to_owned(),
            certificate: self.https.certificate(),
            nonce: nonce.cloned(),
            req: body.map(Digest::of),
        };
        actor.sign(&self.signing).unwrap()
    }

    /// Open data: no actor token.
    pub(crate) async fn open_data(&self, target: &str) -> Result<Response, Setback> {
        self.exchange(Method::GET, target, HeaderMap::new(), Bytes::new()).await
    }

    /// A read with an actor token. Gives the challenge too.
    pub(crate) async fn get(&self, target: &str, purpose: Purpose) -> Result<(Response, Nonce), Setback> {
        let nonce: Nonce = Uuid::new_v4().simple().to_string().parse().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(ACTOR, value(&self.actor(&Method::GET, target, purpose, None, Some(&nonce))));
        Ok((self.exchange(Method::GET, target, headers, Bytes::new()).await?, nonce))
    }

    /// A page of JSON.
    pub(crate) async fn json(&self, target: &str, purpose: Purpose) -> Result<Value, Setback> {
        let (response, _) = self.get(target, purpose).await?;
        Ok(serde_json::from_slice(&response.body).unwrap())
    }

    /// Posts with an actor token, as it is.
    pub(crate) async fn post(&self, target: &str, purpose: Purpose, media: &str, body: impl Into<Bytes>) -> Result<Response, Setback> {
        let body = body.into();
        let mut headers = HeaderMap::new();
        headers.insert(ACTOR, value(&self.actor(&Method::POST, target, purpose, Some(&body), None)));
        headers.insert(http::header::CONTENT_TYPE, value(media));
        self.exchange(Method::POST, target, headers, body).await
    }

    /// Posts a signed object.
    pub(crate) async fn post_object(&self, target: &str, purpose: Purpose, token: &str) -> Result<Accepted, Setback> {
        let response = self.post(target, purpose, "application/jwt", token.to_owned()).await?;
        Ok(self.accepted(&response))
    }

    /// Posts a message in a fresh envelope.
    pub(crate) async fn post_message(&self, target: &str, purpose: Purpose, sd_jwt: &str) -> Result<Accepted, Setback> {
        let response = self.post(target, purpose, "application/jose", self.seal(sd_jwt)).await?;
        Ok(self.accepted(&response))
    }

    /// Seals a message for the gateway.
    pub(crate) fn seal(&self, sd_jwt: &str) -> String {
        self.pinned.enc.seal(MESSAGE_TYP, sd_jwt.as_bytes()).unwrap()
    }

    /// What was sealed to this party.
    pub(crate) fn unseal(&self, envelope: &[u8], cty: &str) -> Vec<u8> {
        self.opener.open(envelope, cty).unwrap().to_vec()
    }

    /// Reads a release and verifies everything about it. `sender` is the key of the one sender of the test.
    pub(crate) async fn read(&self, target: &str, purpose: Purpose, sender: &PublicKey) -> Result<Released, Setback> {
        let (response, nonce) = self.get(target, purpose).await?;
        let bytes = self.opener.open(&response.body, RELEASE_CTY).unwrap();
        let asked = Asked { aud: &self.id, nonce: &nonce };
        let known = |_: &PartyId, kid: &Digest| (*kid == sender.thumbprint()).then(|| sender.clone());
        let release = verify_release(&bytes, known, std::slice::from_ref(&self.pinned.kb), &asked).unwrap().into_inner();
        let header = |name: &str| response.headers[name].to_str().unwrap();
        let leaf = URL_SAFE_NO_PAD.decode(header("tsunagi-ledger-leaf")).unwrap();
        let proof = String::from_utf8(URL_SAFE_NO_PAD.decode(header("tsunagi-ledger-proof")).unwrap()).unwrap();
        let (index, checkpoint) = verify_proof(&leaf, &proof, &self.pinned.ledger).unwrap();
        assert_eq!((index, header("tsunagi-ledger-index")), (release.binding.tsn.idx, index.to_string().as_str()));
        assert_eq!(release.binding.tsn.origin, self.pinned.origin);
        let headers = response.headers.clone();
        Ok(Released { release, leaf, checkpoint, headers })
    }

    async fn exchange(&self, method: Method, target: &str, headers: HeaderMap, body: Bytes) -> Result<Response, Setback> {
        let response = self.send(method, target, headers, body).await.map_err(Setback::Broken)?;
        if response.status.is_success() { Ok(response) } else { Err(Setback::Refused(Problem::read(&response))) }
    }

    /// Sends a request as it is.
    pub(crate) async fn send(&self, method: Method, target: &str, headers: HeaderMap, body: Bytes) -> Result<Response, ClientError> {
        Box::pin(self.https.request(method, target, headers, body)).await
    }

    /// Verifies receipt, leaf, proof and checkpoint of an answer.
    fn accepted(&self, response: &Response) -> Accepted {
        let answer: Value = serde_json::from_slice(&response.body).unwrap();
        let text = |pointer: &str| answer.pointer(pointer).and_then(Value::as_str).unwrap();
        let leaf = URL_SAFE_NO_PAD.decode(text("/ledger/leaf")).unwrap();
        let (index, checkpoint) = verify_proof(&leaf, text("/ledger/proof"), &self.pinned.ledger).unwrap();
        assert_eq!(answer["ledger"]["index"], index);
        assert_eq!(text("/ledger/origin"), self.pinned.origin);
        let receipt = Signed::<Receipt>::read(text("/receipt").as_bytes()).unwrap().verify(&self.pinned.receipt).unwrap().into_inner();
        assert_eq!((receipt.log.idx, receipt.log.leaf), (index, Digest(tsunagi::tlog::leaf_hash(&leaf).0)));
        assert_eq!((&receipt.iss, &receipt.aud), (&self.gateway, &self.id));
        Accepted { receipt, index, leaf, checkpoint, subject: answer }
    }
}

impl Problem {
    pub(crate) fn read(response: &Response) -> Self {
        let text = String::from_utf8(response.body.to_vec()).unwrap();
        let document: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{}: {text}", response.status));
        assert_eq!(response.headers[http::header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(document["status"], response.status.as_u16());
        Self {
            status: response.status.as_u16(),
            code: document["code"].as_str().unwrap().to_owned(),
            retry_after: response.headers.get(http::header::RETRY_AFTER).map(|value| value.to_str().unwrap().parse().unwrap()),
            text,
        }
    }
}

impl Setback {
    /// The code of the problem document; a broken connection fails the test.
    pub(crate) fn code(self) -> String {
        self.problem().code
    }

    pub(crate) fn problem(self) -> Problem {
        match self {
            Self::Refused(problem) => problem,
            Self::Broken(error) => panic!("no answer: {error}"),
        }
    }
}

pub(crate) fn new_jti() -> Jti {
    Jti::from_uuid(Uuid::new_v4())
}

/// The time in whole seconds, as claims have it.
pub(crate) fn now() -> Timestamp {
    use tsunagi::clock::{Clock as _, SystemClock};
    Timestamp::from_secs(SystemClock.now().secs())
}

const KEYS: &str = "/v1/parties/self/keys";

pub(crate) fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap()
}

pub(crate) const ACTOR: &str = "tsunagi-actor";
