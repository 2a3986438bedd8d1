//! Consents with what ended them, sealed.

use async_trait::async_trait;

use crate::{
    domain::ids::Jti,
    store::{
        ConsentRow, Consents, DataKeyId, StoreError, Tag, decode,
        reads::{Database, SqlStore},
        sql,
        statement::Statement,
    },
};

#[async_trait]
impl<D: Database> Consents for SqlStore<D> {
    async fn consent(&self, jti: &Jti) -> Result<Option<ConsentRow>, StoreError> {
        let query = Statement::new(sql::CONSENT).blob(jti.uuid().as_bytes());
        let mut rows: Vec<ConsentColumns> = self.all(query).await?;
        let ends = rows.iter_mut().filter_map(|row| Some((row.9.take()?, row.10.take()?)));
        let ends = ends.map(|(key, end)| decode::sealed("consent_end.key", &key, end)).collect::<Result<_, _>>()?;
        let Some((collector, sha256, subject, key, sealed, case, ended, idx, superseded_by, _, _)) = rows.pop() else { return Ok(None) };
        Ok(Some(ConsentRow {
            jti: *jti,
            collector: decode::parse("consent.collector", &collector)?,
            sha256: decode::digest("consent.sha256", &sha256)?,
            subject: decode::tag("consent.subject", &subject)?,
            sealed: decode::sealed("consent.key", &key, sealed)?,
            case: case.map(|case| decode::case_key("consent.case_", &case)).transpose()?,
            ended: ended != 0,
            superseded_by: superseded_by.map(|jti| decode::jti("consent.superseded_by", &jti)).transpose()?,
            ends,
            idx: decode::count("consent.idx", idx)?,
        }))
    }

    async fn person_keys(&self, subject: &Tag) -> Result<Vec<DataKeyId>, StoreError> {
        let query = Statement::new(sql::PERSON_KEYS).blob(&subject.0);
        let keys: Vec<Vec<u8>> = self.column(query).await?;
        keys.iter().map(|key| decode::data_key_id("person_key.key", key)).collect()
    }
}

/// The consent, then the sealed end of this row.
type ConsentColumns =
    (String, Vec<u8>, Vec<u8>, Vec<u8>, Vec<u8>, Option<Vec<u8>>, i64, i64, Option<Vec<u8>>, Option<Vec<u8>>, Option<Vec<u8>>);
