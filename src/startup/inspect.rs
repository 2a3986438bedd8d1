//! The database against its ledger, at the gateway's machine.

use std::sync::Arc;

use super::{StartupError, database, policies, seed};
use crate::{
    config::Config,
    domain::codes::{BasisGroup, LegalBasis},
    gateway::Insight,
    ledger,
    message::schema::SchemaSet,
    store,
    tlog::{CosignerKey, KeyName, NoteSigner},
    vault::{Kek, Vault},
};

/// Inspects the database against its ledger, with the gateway's keys. Writes nothing.
///
/// # Errors
/// When configuration, keys, policies or database cannot be read. What is wrong with the ledger is in the report.
pub async fn inspect(config: &Config, kept: Option<&str>) -> Result<ledger::verify::Report, StartupError> {
    let policy = policies(config)?;
    let signer = NoteSigner::from_seed(config.origin.parse::<KeyName>()?, &seed(&config.keys.ledger)?)?;
    let vault = Vault::new(&Kek::load(&config.keys.kek).map_err(|error| StartupError::Kek(config.keys.kek.clone(), error))?)?;
    let witnesses = config.witness.iter().map(|witness| witness.vkey.parse::<CosignerKey>()).collect::<Result<Vec<_>, _>>()?;
    let store = store::open(database(config)?).await?;
    let consent_bases: Vec<LegalBasis> =
        LegalBasis::ALL.iter().copied().filter(|basis| policy.basis_group(*basis) == BasisGroup::Consent).collect();
    let anchors = ledger::inspect::Anchors {
        key: signer.verifier(),
        kept,
        witnesses: &witnesses,
        consent_bases: &consent_bases,
        policy: policy.digest(),
    };
    let insight = Insight::new(Arc::clone(&store), vault, SchemaSet::builtin()?);
    let report = ledger::inspect::inspect(&*store, &insight, &anchors).await;
    store.close().await;
    Ok(report?)
}
