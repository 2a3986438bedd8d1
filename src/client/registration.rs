//! Who a party is and by which keys: what an operator says about parties, and what a party says about its own keys (protocol sections 1 and 2).

use super::{
    connection::Client,
    directory::DirectoryKey,
    error::{ClientError, Doubt},
    outbox::Parcel,
};
use crate::{
    domain::{
        codes::Purpose,
        entry::Operation,
        party::{PartyId, Registration},
        time::Timestamp,
    },
    message::{
        keys::{KeyUse, PublicKey, SigningKey},
        objects::{FirstKey, KeyAct, KeyStatement, PartyAct, PartyStatement, SignedObject as _},
    },
};

/// A new key of the party.
pub enum NewKey<'a> {
    /// One that opens what is released to the party: its signature key vouches for it.
    Opens(&'a PublicKey),
    /// One that signs: it proves itself.
    Signs(&'a SigningKey),
}

impl Client {
    /// A new party with its first signature key. For operators.
    pub fn register_party(&self, registration: Registration, key: FirstKey) -> Result<Parcel, ClientError> {
        self.about_party(PartyAct::Register, registration.party.clone(), Some(registration), Some(key))
    }

    /// What a registered party is from now on. For operators.
    pub fn update_party(&self, registration: Registration) -> Result<Parcel, ClientError> {
        self.about_party(PartyAct::Update, registration.party.clone(), Some(registration), None)
    }

    /// Suspends a party, or readmits it. For operators.
    pub fn set_party(&self, party: PartyId, active: bool) -> Result<Parcel, ClientError> {
        self.about_party(if active { PartyAct::Readmit } else { PartyAct::Suspend }, party, None, None)
    }

    fn about_party(
        &self,
        act: PartyAct,
        party: PartyId,
        registration: Option<Registration>,
        key: Option<FirstKey>,
    ) -> Result<Parcel, ClientError> {
        let token = PartyStatement { issued: self.issued()?, act, party, registration, key }.sign(&self.identity.signing)?;
        Parcel::object(self, Operation::PartyRegister, "/v1/parties", Purpose::Administration, token)
    }

    /// One more key of this party, valid from now on.
    pub fn add_key(&self, key: &NewKey<'_>, until: Timestamp) -> Result<Parcel, ClientError> {
        let (purpose, jwk) = match key {
            NewKey::Opens(key) => (KeyUse::Enc, *key),
            NewKey::Signs(key) => (KeyUse::Sig, key.public()),
        };
        let statement = self.about_key(KeyAct::Add, purpose, jwk.clone())?;
        let statement = KeyStatement { nbf: Some(statement.issued.iat), naf: Some(until), ..statement };
        let own = &self.identity.signing;
        self.post_key(match key {
            NewKey::Opens(_) => statement.sign(own)?,
            NewKey::Signs(key) => statement.sign_with_proof(own, key)?,
        })
    }

    /// Takes a registered key of this party out of use.
    pub fn retire_key(&self, key: &DirectoryKey) -> Result<Parcel, ClientError> {
        let (purpose, jwk) = listed(key)?;
        self.post_key(self.about_key(KeyAct::Retire, purpose, jwk)?.sign(&self.identity.signing)?)
    }

    /// Declares that a registered key of this party is not its own alone any more: nothing that it signed from `since` on counts.
    pub fn give_key_up(&self, key: &DirectoryKey, since: Timestamp) -> Result<Parcel, ClientError> {
        let (purpose, jwk) = listed(key)?;
        let statement = self.about_key(KeyAct::Compromised, purpose, jwk)?;
        self.post_key(KeyStatement { compromised_at: Some(since), ..statement }.sign(&self.identity.signing)?)
    }

    fn about_key(&self, act: KeyAct, purpose: KeyUse, jwk: PublicKey) -> Result<KeyStatement, ClientError> {
        Ok(KeyStatement { issued: self.issued()?, act, purpose, jwk, nbf: None, naf: None, pop: None, compromised_at: None })
    }

    fn post_key(&self, token: String) -> Result<Parcel, ClientError> {
        Parcel::object(self, Operation::KeyRegister, "/v1/parties/self/keys", Purpose::Administration, token)
    }
}

/// A key of the directory under its own name.
fn listed(key: &DirectoryKey) -> Result<(KeyUse, PublicKey), Doubt> {
    let purpose: KeyUse = key.usage.parse().map_err(|_| Doubt::Form("key"))?;
    let public = PublicKey::from_jwk(&key.jwk, purpose)?;
    if public.thumbprint() == key.kid { Ok((purpose, public)) } else { Err(Doubt::Form("key")) }
}
