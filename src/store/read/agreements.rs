//! Agreements with their acts.

use async_trait::async_trait;

use crate::{
    domain::{ids::AgreementId, party::PartyId},
    store::{
        AgreementActRow, AgreementRow, Agreements, StoreError, decode,
        reads::{Database, SqlStore},
        sql,
        statement::Statement,
    },
};

#[async_trait]
impl<D: Database> Agreements for SqlStore<D> {
    async fn agreement(&self, id: &AgreementId, ver: u32) -> Result<Option<AgreementRow>, StoreError> {
        let query = Statement::new(sql::AGREEMENT).text(id.as_str()).int(i64::from(ver));
        let row: Option<AgreementColumns> = self.one(query).await?;
        match row {
            Some(row) => self.with_acts(row).await.map(Some),
            None => Ok(None),
        }
    }

    async fn versions(&self, id: &AgreementId) -> Result<Vec<AgreementRow>, StoreError> {
        let query = Statement::new(sql::AGREEMENT_VERSIONS).text(id.as_str());
        let rows = self.all(query).await?;
        self.all_with_acts(rows).await
    }

    async fn agreements(&self, party: Option<&PartyId>, after: Option<u64>, limit: u32) -> Result<Vec<AgreementRow>, StoreError> {
        let (after, limit) = (decode::after(after), i64::from(limit));
        let query = match party {
            None => Statement::new(sql::AGREEMENTS),
            Some(party) => Statement::new(sql::AGREEMENTS_OF).text(party.to_string()).text(party.kind().as_str()),
        };
        let rows = self.all(query.int(after).int(limit)).await?;
        self.all_with_acts(rows).await
    }
}

impl<D: Database> SqlStore<D> {
    async fn all_with_acts(&self, rows: Vec<AgreementColumns>) -> Result<Vec<AgreementRow>, StoreError> {
        let mut agreements = Vec::with_capacity(rows.len());
        for row in rows {
            agreements.push(self.with_acts(row).await?);
        }
        Ok(agreements)
    }

    async fn with_acts(&self, (id, ver, sha256, document, superseded, idx): AgreementColumns) -> Result<AgreementRow, StoreError> {
        let acts: Vec<ActColumns> = self.all(Statement::new(sql::AGREEMENT_ACTS).int(idx)).await?;
        Ok(AgreementRow {
            id: decode::parse("agreement.id", &id)?,
            ver: decode::version("agreement.ver", ver)?,
            sha256: decode::digest("agreement.sha256", &sha256)?,
            document,
            acts: acts.into_iter().map(act).collect::<Result<_, _>>()?,
            superseded: superseded != 0,
            idx: decode::count("agreement.idx", idx)?,
        })
    }
}

type AgreementColumns = (String, i64, Vec<u8>, Vec<u8>, i64, i64);
type ActColumns = (String, String, String, i64);

fn act((party, act, signature, idx): ActColumns) -> Result<AgreementActRow, StoreError> {
    Ok(AgreementActRow {
        party: decode::parse("agreement_act.party", &party)?,
        act: decode::parse("agreement_act.act", &act)?,
        signature,
        idx: decode::count("agreement_act.idx", idx)?,
    })
}
