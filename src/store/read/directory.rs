//! Parties and their keys.

use async_trait::async_trait;

use crate::{
    domain::{digest::Digest, party::PartyId, time::Timestamp},
    store::{
        Directory, KeyRow, PartyRow, StoreError, decode,
        reads::{Database, SqlStore},
        sql,
        statement::Statement,
    },
};

#[async_trait]
impl<D: Database> Directory for SqlStore<D> {
    async fn party(&self, id: &PartyId) -> Result<Option<PartyRow>, StoreError> {
        let query = Statement::new(sql::PARTY).text(id.to_string());
        let row: Option<PartyColumns> = self.one(query).await?;
        row.map(party).transpose()
    }

    async fn parties(&self, after: Option<&PartyId>, limit: u32) -> Result<Vec<PartyRow>, StoreError> {
        let after = after.map(ToString::to_string).unwrap_or_default();
        let query = Statement::new(sql::PARTIES).text(after).int(i64::from(limit));
        let rows: Vec<PartyColumns> = self.all(query).await?;
        rows.into_iter().map(party).collect()
    }

    async fn key(&self, kid: &Digest) -> Result<Option<KeyRow>, StoreError> {
        let query = Statement::new(sql::KEY).blob(&kid.0);
        let row: Option<KeyColumns> = self.one(query).await?;
        row.map(key).transpose()
    }

    async fn keys(&self, party: &PartyId) -> Result<Vec<KeyRow>, StoreError> {
        let query = Statement::new(sql::KEYS).text(party.to_string());
        let rows: Vec<KeyColumns> = self.all(query).await?;
        rows.into_iter().map(key).collect()
    }
}

pub(in crate::store) type PartyColumns = (String, String, i64);

pub(in crate::store) fn party((registration, state, idx): PartyColumns) -> Result<PartyRow, StoreError> {
    Ok(PartyRow {
        registration: serde_json::from_str(&registration).map_err(|_| StoreError::Corrupt("party.registration"))?,
        state: decode::parse("party.state", &state)?,
        idx: decode::count("party.idx", idx)?,
    })
}

pub(in crate::store) type KeyColumns = (Vec<u8>, String, String, String, String, i64, i64, Option<i64>, i64, Vec<u8>);

pub(in crate::store) fn key(
    (kid, party, usage, jwk, state, nbf, naf, compromised_at, idx, leaf): KeyColumns,
) -> Result<KeyRow, StoreError> {
    Ok(KeyRow {
        kid: decode::digest("party_key.kid", &kid)?,
        party: decode::parse("party_key.party", &party)?,
        usage: decode::parse("party_key.usage", &usage)?,
        jwk,
        state: decode::parse("party_key.state", &state)?,
        nbf: decode::time(nbf),
        naf: decode::time(naf),
        compromised_at: compromised_at.map(Timestamp::from_micros),
        idx: decode::count("party_key.idx", idx)?,
        leaf: decode::digest("ledger_leaf.leaf_hash", &leaf)?,
    })
}
