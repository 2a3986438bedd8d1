//! Requests: one actor token each, one answer each, a problem document turned into a typed refusal.

use std::sync::Arc;

use aws_lc_rs::rand;
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{ACCEPT, ACCEPT_LANGUAGE, CONTENT_TYPE},
};
use serde::de::DeserializeOwned;

use super::{
    error::{ClientError, Doubt},
    identity::Identity,
    problem::Problem,
};
use crate::{
    clock::{Clock, Ids, NoEntropy, SystemClock},
    domain::{codes::Purpose, party::PartyId, time::Timestamp},
    message::{
        base64url,
        disclosed::Pseudonym,
        json::{self, Limits},
        key_binding::Nonce,
        objects::{Actor, Issued, SignedObject as _},
        sha256,
    },
    text::Lang,
    tls::client::{ClientLimits, HttpsClient, Response},
};

/// A party's connection to its gateway.
pub struct Client {
    pub(super) identity: Identity,
    https: HttpsClient,
    clock: Arc<dyn Clock>,
    ids: Ids,
    staff: Option<Pseudonym>,
    lang: Lang,
}

/// A request's body.
#[derive(Debug, Clone)]
pub struct Body {
    /// Media type.
    pub media: &'static str,
    /// Bytes.
    pub bytes: Bytes,
}

impl Body {
    /// A signed object.
    #[must_use]
    pub fn jwt(token: &str) -> Self {
        Self { media: "application/jwt", bytes: Bytes::copy_from_slice(token.as_bytes()) }
    }

    /// A sealed message.
    #[must_use]
    pub fn jose(envelope: String) -> Self {
        Self { media: "application/jose", bytes: envelope.into() }
    }
}

impl Client {
    /// A client for the identity's gateway. Does not connect yet.
    pub fn new(identity: Identity) -> Result<Self, ClientError> {
        Self::with_clock(identity, Arc::new(SystemClock))
    }

    /// The same with another clock.
    pub fn with_clock(identity: Identity, clock: Arc<dyn Clock>) -> Result<Self, ClientError> {
        let https = HttpsClient::new(identity.gateway().as_str(), identity.connector.clone(), ClientLimits::default())?;
        let (ids, staff) = (Ids::new(Arc::clone(&clock)), identity.staff.clone());
        Ok(Self { identity, https, clock, ids, staff, lang: Lang::default() })
    }

    /// Speaks for this member of staff. Without one, requests name `unnamed`.
    #[must_use]
    pub fn with_staff(self, staff: Pseudonym) -> Self {
        Self { staff: Some(staff), ..self }
    }

    /// Asks for problem documents in this language.
    #[must_use]
    pub fn with_lang(self, lang: Lang) -> Self {
        Self { lang, ..self }
    }

    /// Who the client is.
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The party.
    #[must_use]
    pub const fn party(&self) -> &PartyId {
        self.identity.party()
    }

    /// The time, by the client's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Source of identifiers.
    #[must_use]
    pub const fn ids(&self) -> &Ids {
        &self.ids
    }

    /// An actor token for one request: this method and target, this body, this certificate, now (protocol section 2). With a nonce for reads.
    pub fn actor(
        &self,
        method: &Method,
        target: &str,
        purpose: Purpose,
        body: Option<&Body>,
        nonce: Option<Nonce>,
    ) -> Result<String, ClientError> {
        let issued = self.issued()?;
        let staff = match &self.staff {
            Some(staff) => staff.clone(),
            None => UNNAMED.parse().map_err(|_| Doubt::Form("staff"))?,
        };
        let actor = Actor {
            exp: issued.iat.plus_secs(TOKEN_LIVES),
            issued,
            sub: staff,
            pur: purpose,
            htm: method.as_str().to_owned(),
            htu: target.to_owned(),
            certificate: self.https.certificate(),
            nonce,
            req: body.map(|body| sha256(&body.bytes)),
        };
        Ok(actor.sign(&self.identity.signing)?)
    }

    /// Sends a request as it is given; what is not 2xx is a refusal.
    pub async fn send(
        &self,
        method: Method,
        target: &str,
        accept: &'static str,
        actor: Option<&str>,
        body: Option<Body>,
    ) -> Result<Response, ClientError> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        headers.insert(ACCEPT_LANGUAGE, HeaderValue::from_static(self.lang.of("en", "ja")));
        if let Some(actor) = actor {
            let value = HeaderValue::from_str(actor).map_err(|_| Doubt::Form("actor token"))?;
            headers.insert(HeaderName::from_static("tsunagi-actor"), value);
        }
        if let Some(body) = &body {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(body.media));
        }
        let response = self.https.request(method, target, headers, body.map(|body| body.bytes).unwrap_or_default()).await?;
        if response.status.is_success() {
            return Ok(response);
        }
        let problem = Problem::read(response.status.as_u16(), &response.body)?;
        Err(ClientError::Refused(Box::new(problem)))
    }

    /// Reads something that is open to every registered party.
    pub(super) async fn open(&self, target: &str, accept: &'static str) -> Result<Response, ClientError> {
        self.send(Method::GET, target, accept, None, None).await
    }

    /// Reads something for a purpose. Gives the nonce that a release must be bound to.
    pub(super) async fn read(&self, target: &str, accept: &'static str, purpose: Purpose) -> Result<(Response, Nonce), ClientError> {
        let nonce = fresh_nonce()?;
        let actor = self.actor(&Method::GET, target, purpose, None, Some(nonce.clone()))?;
        Ok((self.send(Method::GET, target, accept, Some(&actor), None).await?, nonce))
    }

    /// Changes something for a purpose.
    pub(super) async fn post(&self, target: &str, purpose: Purpose, body: Body) -> Result<Response, ClientError> {
        let actor = self.actor(&Method::POST, target, purpose, Some(&body), None)?;
        self.send(Method::POST, target, JSON, Some(&actor), Some(body)).await
    }

    /// What every signed object of this party begins with.
    pub(super) fn issued(&self) -> Result<Issued, ClientError> {
        Ok(Issued {
            iss: self.party().clone(),
            aud: self.identity.gateway().clone(),
            jti: self.ids.jti()?,
            iat: Timestamp::from_secs(self.clock.now().secs()),
        })
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("identity", &self.identity).finish_non_exhaustive()
    }
}

/// Reads a JSON body strictly.
pub(super) fn read_json<T: DeserializeOwned>(body: &[u8], what: &'static str) -> Result<T, Doubt> {
    let value = json::parse_within(body, &WIDE).map_err(|_| Doubt::Form(what))?;
    serde_json::from_value(value).map_err(|_| Doubt::Form(what))
}

/// A query string of the values that are there.
pub(super) fn query(pairs: &[(&str, Option<String>)]) -> String {
    let mut text = String::new();
    for (name, value) in pairs.iter().filter_map(|(name, value)| value.as_ref().map(|value| (name, value))) {
        text.push(if text.is_empty() { '?' } else { '&' });
        text.push_str(name);
        text.push('=');
        for byte in value.bytes() {
            // RFC 3986 section 2.3.
            if byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte) {
                text.push(char::from(byte));
            } else {
                text.extend(['%', hex(byte >> 4), hex(byte & 15)]);
            }
        }
    }
    text
}

fn hex(digit: u8) -> char {
    char::from_digit(digit.into(), 16).unwrap_or('0').to_ascii_uppercase()
}

fn fresh_nonce() -> Result<Nonce, ClientError> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).map_err(|_| NoEntropy)?;
    Ok(base64url::encode(bytes).parse().map_err(|_| Doubt::Form("nonce"))?)
}

pub(super) const JSON: &str = "application/json";
/// Answers hold pages of up to 500 events and documents in base64url.
pub(super) const WIDE: Limits = Limits { depth: 24, members: 1024, elements: 4096, chars: 1024 * 1024 };
/// Seconds an actor token lives: long enough for a slow line, short enough to be of no use to others.
const TOKEN_LIVES: i64 = 60;
/// The ledger says plainly that nobody was named.
const UNNAMED: &str = "unnamed";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        client::{identity::tests::Folder, pinned::tests::Stage},
        message::objects::Signed,
    };

    #[test]
    fn an_actor_token_is_bound_to_its_request() {
        let folder = Folder::new(&Stage::new());
        let client = Client::new(Identity::load(folder.0.path()).unwrap()).unwrap();
        let body = Body::jwt("a.b.c");
        let target = "/v1/consents";
        let token = client.actor(&Method::POST, target, Purpose::PlacementCoordination, Some(&body), None).unwrap();
        let actor = Signed::<Actor>::read(token.as_bytes()).unwrap().verify(client.identity.signing.public()).unwrap();
        assert_eq!((actor.htm.as_str(), actor.htu.as_str(), actor.sub.as_str()), ("POST", target, "unnamed"));
        assert_eq!(actor.req, Some(sha256(b"a.b.c")));
        assert_eq!((actor.certificate, actor.nonce.is_none()), (client.https.certificate(), true));
        let client = client.with_staff("staff-17".parse().unwrap());
        let nonce = fresh_nonce().unwrap();
        let token = client.actor(&Method::GET, "/v1/cases", Purpose::BenefitDecision, None, Some(nonce.clone())).unwrap();
        let actor = Signed::<Actor>::read(token.as_bytes()).unwrap().verify(client.identity.signing.public()).unwrap();
        assert_eq!((actor.sub.as_str(), actor.nonce.clone(), actor.req), ("staff-17", Some(nonce), None));
    }

    #[test]
    fn a_query_holds_only_what_is_asked_and_escapes_it() {
        assert_eq!(query(&[("a", None)]), "");
        assert_eq!(
            query(&[("a", Some("municipality:131016-1".to_owned())), ("b", None), ("c", Some("x&y 区".to_owned()))]),
            "?a=municipality:131016-1&c=x%26y%20%E5%8C%BA"
        );
    }
}
