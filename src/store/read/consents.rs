//! Consents with what ended them, sealed.

use async_trait::async_trait;

use crate::{
    domain::ids::Jti,
    store::{
        ConsentFate, ConsentRow, Consents, DataKeyId, StoreError, Tag, decode,
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

    async fn consent_fates(&self, consents: &[Jti]) -> Result<Vec<ConsentFate>, StoreError> {
        let mut found: Vec<ConsentFate> = Vec::new();
        for some in consents.chunks(AT_ONCE) {
            let query = Statement::new(sql::CONSENT_FATES).among(some.iter().map(|jti| jti.uuid().as_bytes().as_slice()));
            let rows: Vec<FateColumns> = self.all(query.push(sql::CONSENT_FATES_ORDER)).await?;
            for (jti, idx, time, ended, superseded_by, end, at) in rows {
                let jti = decode::jti("consent.jti", &jti)?;
                if found.last().is_none_or(|fate| fate.jti != jti) {
                    found.push(ConsentFate {
                        jti,
                        registered: (decode::count("consent.idx", idx)?, decode::time(time)),
                        ended: ended != 0,
                        superseded_by: superseded_by.map(|jti| decode::jti("consent.superseded_by", &jti)).transpose()?,
                        ends: Vec::new(),
                    });
                }
                if let (Some(fate), Some(end), Some(at)) = (found.last_mut(), end, at) {
                    fate.ends.push((decode::count("consent_end.idx", end)?, decode::time(at)));
                }
            }
        }
        Ok(found)
    }

    async fn person_keys(&self, subject: &Tag) -> Result<Vec<DataKeyId>, StoreError> {
        let query = Statement::new(sql::PERSON_KEYS).blob(&subject.0);
        let keys: Vec<Vec<u8>> = self.column(query).await?;
        keys.iter().map(|key| decode::data_key_id("person_key.key", key)).collect()
    }
}

/// The consent with the time of its entry, then an end with its own.
type FateColumns = (Vec<u8>, i64, i64, i64, Option<Vec<u8>>, Option<i64>, Option<i64>);

/// Consents that one statement names.
const AT_ONCE: usize = 500;

/// The consent, then the sealed end of this row.
type ConsentColumns =
    (String, Vec<u8>, Vec<u8>, Vec<u8>, Vec<u8>, Option<Vec<u8>>, i64, i64, Option<Vec<u8>>, Option<Vec<u8>>, Option<Vec<u8>>);
