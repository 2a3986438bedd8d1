//! What the operator says about a party (protocol sections 1 and 2): registration with the first key, suspension, readmission, update.

use serde_json::{Map, Value};

use super::{Issued, SignedObject};
use crate::{
    domain::{
        codes::closed_list,
        party::{Name, PartyId, PartyKind, Registration},
        refusal::{Refusal, RefusalCode},
        time::Timestamp,
    },
    message::{
        json,
        jws::TokenError,
        keys::{KeyUse, PublicKey},
        members::{Members, Object},
    },
};

closed_list! {
    /// What is said about the party.
    PartyAct {
        Register = "register",
        Suspend = "suspend",
        Readmit = "readmit",
        Update = "update",
    }
}

/// The first `sig` key, which comes with the registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstKey {
    /// The key.
    pub jwk: PublicKey,
    /// Valid from.
    pub nbf: Timestamp,
    /// Valid until.
    pub naf: Timestamp,
}

/// Claims of a statement about a party. In `party` stand the members of the registration, and with `register` a member `key` `{jwk, nbf, naf}`;
/// with `suspend` and `readmit` only the member `party`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartyStatement {
    /// Who, for whom, which, when.
    pub issued: Issued,
    /// What is said.
    pub act: PartyAct,
    /// About whom.
    pub party: PartyId,
    /// With `register` and `update`.
    pub registration: Option<Registration>,
    /// With `register`.
    pub key: Option<FirstKey>,
}

impl SignedObject for PartyStatement {
    const TYP: &'static str = "tsunagi-party+jwt";

    fn from_claims(claims: &Value) -> Result<Self, Refusal> {
        let mut members = Members::of(claims.clone(), "payload", Self::CODE)?;
        let issued = Issued::read(&mut members)?;
        if issued.iss.kind() != PartyKind::Operator {
            return Err(Refusal::claim(RefusalCode::OperationNotAllowed, "iss", "operator"));
        }
        let act = members.take("act")?;
        let (party, registration, key) = members.object("party", |party| read_party(party, act))?;
        members.end()?;
        Ok(Self { issued, act, party, registration, key })
    }

    fn to_claims(&self) -> Result<Value, TokenError> {
        let party = party_members(&self.party, self.registration.as_ref(), self.key.as_ref())?;
        self.issued.write().with("act", &self.act).with("party", &party).build()
    }
}

type Party = (PartyId, Option<Registration>, Option<FirstKey>);

fn read_party(mut members: Members, act: PartyAct) -> Result<Party, Refusal> {
    let party: String = members.take("party")?;
    let party: PartyId = party.parse().map_err(|_| bad_identifier("party", "code"))?;
    let described = matches!(act, PartyAct::Register | PartyAct::Update);
    let registration = if described { Some(read_registration(&mut members, party.clone())?) } else { None };
    let key = if act == PartyAct::Register { Some(members.object("key", read_key)?) } else { None };
    members.end()?;
    Ok((party, registration, key))
}

fn read_registration(members: &mut Members, party: PartyId) -> Result<Registration, Refusal> {
    let jurisdiction = members.take_opt("jurisdiction")?;
    if jurisdiction.is_some() != (party.kind() == PartyKind::Auditor) {
        return Err(members.refusal("jurisdiction", "kind"));
    }
    let registration = Registration {
        party,
        name: members.object("name", |mut name| {
            let read = Name { ja: name.text("ja", 128)?, en: name.text("en", 128)? };
            name.end()?;
            Ok(read)
        })?,
        corporate_number: members.text_opt("corporate_number", 13)?,
        purposes: members.take("purposes")?,
        certificates: members.take_opt("certificates")?.unwrap_or_default(),
        jurisdiction,
    };
    match registration.identifier_fault() {
        Some(rule) => Err(bad_identifier("corporate_number", rule)),
        None => Ok(registration),
    }
}

/// A number that cannot be what it says to be (`domain.md` section 7).
fn bad_identifier(claim: &'static str, rule: &'static str) -> Refusal {
    Refusal::claim(RefusalCode::BadIdentifier, claim, rule)
}

/// What a unit asks the operator to register: the member `party` of the statement `register`, as the unit itself wrote it. Signed by nobody: the operator
/// compares the key's thumbprint with what the unit tells on another way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartyRequest {
    /// The registration.
    pub registration: Registration,
    /// The first key.
    pub key: FirstKey,
}

impl PartyRequest {
    /// Reads the request strictly.
    pub fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        let wrong = || Refusal::claim(RefusalCode::BadToken, "party", "form");
        let request = json::parse(bytes).map_err(|_| wrong())?;
        let members = Members::of(request, "party", RefusalCode::BadToken)?;
        match read_party(members, PartyAct::Register)? {
            (_, Some(registration), Some(key)) => Ok(Self { registration, key }),
            _ => Err(wrong()),
        }
    }

    /// The request as JSON.
    pub fn write(&self) -> Result<Value, TokenError> {
        party_members(&self.registration.party, Some(&self.registration), Some(&self.key)).map(Value::Object)
    }
}

/// The member `party` of a statement.
fn party_members(party: &PartyId, registration: Option<&Registration>, key: Option<&FirstKey>) -> Result<Map<String, Value>, TokenError> {
    let mut members = Object::default().with("party", party).members()?;
    if let Some(registration) = registration
        && let Some(Value::Object(described)) = Object::default().with("party", registration).members()?.remove("party")
    {
        members.extend(described);
    }
    if let Some(key) = key {
        let key = Object::default().with("jwk", &key.jwk.jwk()).date("nbf", key.nbf).date("naf", key.naf).build()?;
        members.insert("key".to_owned(), key);
    }
    Ok(members)
}

fn read_key(mut members: Members) -> Result<FirstKey, Refusal> {
    let jwk: Value = members.take("jwk")?;
    let key = FirstKey {
        jwk: PublicKey::from_jwk(&jwk, KeyUse::Sig).map_err(|_| members.refusal("key", "form"))?,
        nbf: members.date("nbf")?,
        naf: members.date("naf")?,
    };
    if key.naf <= key.nbf {
        return Err(members.refusal("naf", "order"));
    }
    members.end()?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::message::keys::SigningKey;

    fn claims(act: &str, party: &Value) -> Value {
        json!({"iss": "operator:main", "aud": "https://gateway.example", "jti": "0b0e5f6a-5c7e-4f0e-8d57-2f6f0ac1b1a4", "iat": 1_790_812_800,
            "act": act, "party": party})
    }

    fn full() -> Value {
        json!({"party": "municipality:131016-1", "name": {"ja": "千代田区", "en": "Chiyoda City"}, "corporate_number": "8000020131016",
            "purposes": ["placement_coordination"],
            "key": {"jwk": SigningKey::generate().unwrap().public().jwk(), "nbf": 1_790_812_800, "naf": 1_822_348_800}})
    }

    #[test]
    fn each_act_carries_what_it_needs() {
        let full = full();
        let register = claims("register", &full);
        assert_eq!(PartyStatement::from_claims(&register).unwrap().to_claims().unwrap(), register);
        let mut update = full.clone();
        update.as_object_mut().unwrap().remove("key");
        assert!(PartyStatement::from_claims(&claims("update", &update)).is_ok());
        assert!(PartyStatement::from_claims(&claims("register", &update)).is_err(), "a registration without key");
        assert!(PartyStatement::from_claims(&claims("update", &full)).is_err(), "an update with key");
        let alone = json!({"party": "municipality:131016-1"});
        for act in ["suspend", "readmit"] {
            let statement = claims(act, &alone);
            assert_eq!(PartyStatement::from_claims(&statement).unwrap().to_claims().unwrap(), statement);
            assert!(PartyStatement::from_claims(&claims(act, &full)).is_err());
        }
    }

    #[test]
    fn a_request_is_the_member_of_the_statement_that_registers() {
        let full = full();
        let request = PartyRequest::read(full.to_string().as_bytes()).unwrap();
        assert_eq!(request.write().unwrap(), full);
        let mut keyless = full.clone();
        keyless.as_object_mut().unwrap().remove("key");
        let mut more = full;
        more["state"] = "active".into();
        for wrong in [keyless, more, json!([]), json!({"party": "municipality:131016-1"})] {
            assert!(PartyRequest::read(wrong.to_string().as_bytes()).is_err(), "{wrong}");
        }
        assert!(PartyRequest::read(b"{").is_err());
    }

    #[test]
    fn only_an_operator_speaks_and_only_auditors_have_a_jurisdiction() {
        let mut other = claims("register", &full());
        other["iss"] = "municipality:131016-1".into();
        assert_eq!(PartyStatement::from_claims(&other).unwrap_err().code, RefusalCode::OperationNotAllowed);
        let mut party = full();
        party["jurisdiction"] = "all".into();
        assert!(PartyStatement::from_claims(&claims("register", &party)).is_err());
        party["party"] = "auditor:tokyo".into();
        assert!(PartyStatement::from_claims(&claims("register", &party)).is_ok());
        party["jurisdiction"] = json!(["13"]);
        assert!(PartyStatement::from_claims(&claims("register", &party)).is_ok());
        party.as_object_mut().unwrap().remove("jurisdiction");
        assert!(PartyStatement::from_claims(&claims("register", &party)).is_err());
    }
}
