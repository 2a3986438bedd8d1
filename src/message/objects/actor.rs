//! The actor token: which member of staff does this one request, over this one connection, for which purpose (protocol section 2).

use serde_json::Value;

use super::{GatewayUrl, Issued, SignedObject};
use crate::{
    domain::{
        codes::Purpose,
        digest::Digest,
        party::PartyId,
        refusal::{Refusal, RefusalCode},
        time::Timestamp,
    },
    message::{
        disclosed::Pseudonym,
        jws::TokenError,
        key_binding::Nonce,
        members::Members,
        profile::{MAX_ACTOR_SECS, MAX_AHEAD_SECS},
    },
};

/// Claims of an actor token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// Who, for whom, which, when.
    pub issued: Issued,
    /// Staff id.
    pub sub: Pseudonym,
    /// Until when; at most 300 s after `iat`.
    pub exp: Timestamp,
    /// The one purpose.
    pub pur: Purpose,
    /// HTTP method.
    pub htm: String,
    /// Path and query.
    pub htu: String,
    /// SHA-256 of the client certificate in use, `cnf.x5t#S256` (RFC 8705 section 3.1).
    pub certificate: Digest,
    /// Challenge. A read that is answered with a bound release needs one.
    pub nonce: Option<Nonce>,
    /// SHA-256 of the body, where there is one.
    pub req: Option<Digest>,
}

/// The request the token came with.
#[derive(Debug, Clone, Copy)]
pub struct ActorFacts<'a> {
    /// The caller, from its certificate.
    pub caller: &'a PartyId,
    /// This gateway.
    pub gateway: &'a GatewayUrl,
    /// HTTP method.
    pub method: &'a str,
    /// Path and query as they came.
    pub path_and_query: &'a str,
    /// SHA-256 of the certificate in use.
    pub cert_thumbprint: Digest,
    /// SHA-256 of the body, where there is one.
    pub body_digest: Option<Digest>,
    /// Now.
    pub now: Timestamp,
}

impl Actor {
    /// That the token was made for this request: `actor_invalid` when it stands for no request at all now, `actor_binding` when for another.
    pub fn check(&self, facts: &ActorFacts<'_>) -> Result<(), RefusalCode> {
        let (iat, exp) = (self.issued.iat, self.exp);
        let in_time = iat <= facts.now.plus_secs(MAX_AHEAD_SECS) && facts.now < exp;
        let short = exp > iat && exp <= iat.plus_secs(MAX_ACTOR_SECS);
        if self.issued.aud != *facts.gateway || !in_time || !short {
            return Err(RefusalCode::ActorInvalid);
        }
        let bound = self.issued.iss == *facts.caller
            && self.htm == facts.method
            && self.htu == facts.path_and_query
            && self.certificate == facts.cert_thumbprint
            && self.req == facts.body_digest;
        if bound { Ok(()) } else { Err(RefusalCode::ActorBinding) }
    }
}

impl SignedObject for Actor {
    const TYP: &'static str = "tsunagi-actor+jwt";
    const CODE: RefusalCode = RefusalCode::ActorInvalid;

    fn from_claims(claims: &Value) -> Result<Self, Refusal> {
        let mut members = Members::of(claims.clone(), "payload", Self::CODE)?;
        let read = Self {
            issued: Issued::read(&mut members)?,
            sub: members.take("sub")?,
            exp: members.date("exp")?,
            pur: members.take("pur")?,
            htm: members.machine_text("htm", 16)?,
            htu: members.machine_text("htu", 2048)?,
            certificate: members.object("cnf", |mut cnf| {
                let certificate = cnf.take("x5t#S256")?;
                cnf.end()?;
                Ok(certificate)
            })?,
            nonce: members.take_opt("nonce")?,
            req: members.take_opt("req")?,
        };
        members.end()?;
        Ok(read)
    }

    fn to_claims(&self) -> Result<Value, TokenError> {
        let claims = self.issued.write().with("sub", &self.sub).date("exp", self.exp).with("pur", &self.pur).with("htm", &self.htm);
        claims
            .with("htu", &self.htu)
            .with("cnf", &serde_json::json!({"x5t#S256": self.certificate}))
            .with_opt("nonce", self.nonce.as_ref())
            .with_opt("req", self.req.as_ref())
            .build()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::message::{keys::SigningKey, objects::Signed, sha256};

    const IAT: i64 = 1_790_812_800;

    fn claims() -> Value {
        json!({
            "iss": "municipality:131016-1", "aud": "https://gateway.example:8443", "jti": "0b0e5f6a-5c7e-4f0e-8d57-2f6f0ac1b1a4",
            "iat": IAT, "exp": IAT + 300, "sub": "staff-17", "pur": "placement_coordination", "htm": "GET", "htu": "/v1/cases?limit=1",
            "cnf": {"x5t#S256": sha256(b"certificate")}, "nonce": "abcdefghijklmnop"
        })
    }

    fn with(name: &str, value: impl Into<Value>) -> Value {
        let mut claims = claims();
        claims[name] = value.into();
        claims
    }

    fn judge(claims: &Value, change: impl Fn(&mut ActorFacts<'_>)) -> Result<(), RefusalCode> {
        let (caller, gateway) = ("municipality:131016-1".parse().unwrap(), "https://gateway.example:8443".parse().unwrap());
        let mut facts = ActorFacts {
            caller: &caller,
            gateway: &gateway,
            method: "GET",
            path_and_query: "/v1/cases?limit=1",
            cert_thumbprint: sha256(b"certificate"),
            body_digest: None,
            now: Timestamp::from_secs(IAT + 1),
        };
        change(&mut facts);
        Actor::from_claims(claims).unwrap().check(&facts)
    }

    #[test]
    fn a_token_for_this_request_passes() {
        assert_eq!(judge(&claims(), |_| {}), Ok(()));
        assert_eq!(judge(&claims(), |facts| facts.now = Timestamp::from_secs(IAT - 10)), Ok(()));
        assert_eq!(Actor::from_claims(&claims()).unwrap().to_claims().unwrap(), claims());
    }

    #[test]
    fn a_token_that_stands_for_no_request_now_is_invalid() {
        let invalid = Err(RefusalCode::ActorInvalid);
        assert_eq!(judge(&with("exp", IAT + 301), |_| {}), invalid);
        assert_eq!(judge(&with("exp", IAT), |facts| facts.now = Timestamp::from_secs(IAT - 5)), invalid);
        assert_eq!(judge(&claims(), |facts| facts.now = Timestamp::from_secs(IAT + 300)), invalid);
        assert_eq!(judge(&claims(), |facts| facts.now = Timestamp::from_secs(IAT - 11)), invalid);
        assert_eq!(judge(&with("aud", "https://other.example"), |_| {}), invalid);
    }

    #[test]
    fn a_token_for_another_request_is_not_bound_to_this_one() {
        let unbound = Err(RefusalCode::ActorBinding);
        assert_eq!(judge(&with("iss", "municipality:131016-2"), |_| {}), unbound);
        assert_eq!(judge(&claims(), |facts| facts.method = "POST"), unbound);
        assert_eq!(judge(&claims(), |facts| facts.path_and_query = "/v1/cases"), unbound);
        assert_eq!(judge(&claims(), |facts| facts.cert_thumbprint = sha256(b"other")), unbound);
        assert_eq!(judge(&claims(), |facts| facts.body_digest = Some(sha256(b"body"))), unbound);
        assert_eq!(judge(&with("req", json!(sha256(b"body"))), |_| {}), unbound);
        assert_eq!(judge(&with("req", json!(sha256(b"body"))), |facts| facts.body_digest = Some(sha256(b"body"))), Ok(()));
    }

    #[test]
    fn a_malformed_token_is_an_invalid_actor_whatever_is_wrong() {
        for bad in [
            with("nonce", "short"),
            with("nonce", "a".repeat(65)),
            with("nonce", "abcdefghijklmno="),
            with("pur", json!(["placement_coordination"])),
            with("sub", "山田"),
            with("jti", "1"),
            with("iat", "now"),
            with("exp", -1),
            with("cnf", json!({"x5t#S256": sha256(b"c"), "jwk": {}})),
            with("extra", 1),
            with("aud", json!(["https://gateway.example:8443"])),
        ] {
            assert_eq!(Actor::from_claims(&bad).unwrap_err().code, RefusalCode::ActorInvalid, "{bad}");
        }
        let key = SigningKey::generate().unwrap();
        let token = Actor::from_claims(&claims()).unwrap().sign(&key).unwrap();
        let signed = Signed::<Actor>::read(token.as_bytes()).unwrap();
        assert_eq!(signed.verify(SigningKey::generate().unwrap().public()).unwrap_err().code, RefusalCode::ActorInvalid);
        assert_eq!(Signed::<Actor>::read(b"not a token").unwrap_err().code, RefusalCode::ActorInvalid);
        assert!(Signed::<Actor>::read(token.as_bytes()).unwrap().verify(key.public()).is_ok());
    }
}
