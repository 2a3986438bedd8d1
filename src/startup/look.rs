//! Looking at what a gateway would start with, without starting it and without writing anything.

use std::{path::PathBuf, sync::Arc};

use super::{
    StartupError, database,
    keys::{retired, signer, vault},
    policies,
};
use crate::{
    config::{self, Config},
    domain::codes::{BasisGroup, LegalBasis},
    gateway::Insight,
    ledger::{self, LedgerError, fits, verify::Problem},
    message::{
        envelope::Opener,
        keys::{OpeningKey, SigningKey},
        schema::SchemaSet,
    },
    startup::keeping::{MarkState, mark_state},
    store::{self, Difference, HeadRow, SchemaFault, Store},
    text::audit::{Finding, Remark},
    tlog::CosignerKey,
    vault::{Kek, Vault},
};

/// Reads every key file: whether others may read it, and whether it holds the kind of key it should.
#[must_use]
pub fn keys(config: &Config) -> Vec<(&'static str, PathBuf, Option<StartupError>)> {
    let keys = &config.keys;
    let signing = |file: &PathBuf| -> Result<(), StartupError> {
        SigningKey::from_jwk(&config::read_secret(file)?).map(drop).map_err(|error| StartupError::Key(file.clone(), error))
    };
    let opening = |file: &PathBuf| -> Result<(), StartupError> {
        let key = OpeningKey::from_jwk(&config::read_secret(file)?).map_err(|error| StartupError::Key(file.clone(), error))?;
        Opener::new(&key)?;
        Ok(())
    };
    let mut found = vec![
        ("keys.enc", keys.enc.clone(), opening(&keys.enc).err()),
        ("keys.kb", keys.kb.clone(), signing(&keys.kb).err()),
        ("keys.receipt", keys.receipt.clone(), signing(&keys.receipt).err()),
        ("keys.ledger", keys.ledger.clone(), signer(config, &config.origin).err()),
        ("keys.kek", keys.kek.clone(), Kek::load(&keys.kek).map_err(|error| StartupError::Kek(keys.kek.clone(), error)).err()),
    ];
    found.extend(config.database.key_files().map(|file| {
        let fault = config::read_secret(&file).err();
        ("database.url sslkey", file, fault.map(StartupError::from))
    }));
    found.extend(keys.retired.iter().map(|file| ("keys.retired", file.clone(), retired(std::slice::from_ref(file)).err())));
    found
}

/// What the database holds for this gateway.
#[derive(Debug)]
pub struct Stored {
    /// The head of the ledger.
    pub head: HeadRow,
    /// Whether the parts of the ledger fit each other.
    pub fits: Result<(), LedgerError>,
    /// Whether the key-encryption key is the one of this database.
    pub own_key: Result<(), StartupError>,
    /// How the ledger stands beside the high-water mark; none: it cannot be told.
    pub mark: Option<MarkState>,
}

/// Looks at the database.
///
/// # Errors
/// When the head cannot be read.
pub async fn stored(config: &Config, store: &dyn Store) -> Result<Stored, StartupError> {
    let head = store.head().await?;
    let fits = fits(store).await;
    let own_key = vault(config, store).await.map(drop);
    let mark = mark_state(config, store).await.ok();
    Ok(Stored { head, fits, own_key, mark })
}

/// Inspects the database against its ledger, with the gateway's keys. Writes nothing.
///
/// # Errors
/// When configuration, keys, policies or database cannot be read. What is wrong with the ledger is in the report.
pub async fn inspect(config: &Config, kept: Option<&str>) -> Result<ledger::verify::Report, StartupError> {
    let policy = policies(config)?;
    let signer = signer(config, &config.origin)?;
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
    // First, and told first: what is wrong with it may be the cause of all the rest.
    let faults = store.schema_faults().await;
    let report = ledger::inspect::inspect(&*store, &insight, &anchors).await;
    store.close().await;
    let mut report = report?;
    match faults {
        Ok(Some(faults)) => drop(report.problems.splice(..0, faults.into_iter().take(MOST_FAULTS).map(of_schema))),
        Ok(None) => report.remarks.push((Remark::SchemaUntold, None)),
        // What the ledger says is told all the same.
        Err(error) => {
            tracing::error!(%error, "the schema of the database could not be looked at");
            report.remarks.push((Remark::SchemaUntold, None));
        }
    }
    Ok(report)
}

/// Faults of the schema that are told: more of them say nothing new.
const MOST_FAULTS: usize = 100;

/// Something of the schema, as an inspection names it.
fn of_schema(SchemaFault { object, difference }: SchemaFault) -> Problem {
    let finding = match difference {
        Difference::Missing => Finding::SchemaMissing,
        Difference::Surplus => Finding::SchemaSurplus,
        Difference::Differs => Finding::SchemaDiffers,
        Difference::Damaged => Finding::DatabaseDamaged,
    };
    Problem { finding, index: None, path: Some(object) }
}
