//! The gateway's own keys, from the files that the configuration names.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::StartupError;
use crate::{
    config::{self, Config},
    gateway::GATEWAY_KEY,
    message::{
        envelope::Opener,
        keys::{OpeningKey, SigningKey},
    },
    store::Store,
    tlog::{KeyName, NoteSigner},
    vault::{Kek, Vault},
};

/// The ledger's key under a name.
pub(super) fn signer(config: &Config, origin: &str) -> Result<NoteSigner, StartupError> {
    Ok(NoteSigner::from_seed(origin.parse::<KeyName>()?, &seed(&config.keys.ledger)?)?)
}

/// The key-encryption key, if it is the one that the database was made with.
pub(super) async fn vault(config: &Config, store: &dyn Store) -> Result<Vault, StartupError> {
    let kek = |error| StartupError::Kek(config.keys.kek.clone(), error);
    let vault = Vault::new(&Kek::load(&config.keys.kek).map_err(kek)?)?;
    // What another key-encryption key sealed could be neither read nor audited later: better not to start.
    match store.data_key(&GATEWAY_KEY).await? {
        Some(own) => drop(vault.unwrap(GATEWAY_KEY, &own).map_err(kek)?),
        // It is made with the first party.
        None if store.parties(None, 1).await?.is_empty() => {}
        None => return Err(StartupError::NoOwnKey),
    }
    Ok(vault)
}

/// Earlier keys; the `use` of each private JWK says whether it opened envelopes or signed releases.
pub(super) fn retired(files: &[PathBuf]) -> Result<(Vec<Opener>, Vec<SigningKey>), StartupError> {
    let (mut enc, mut kb) = (Vec::new(), Vec::new());
    for file in files {
        let bytes = config::read_secret(file)?;
        let failed = |error| StartupError::Key(file.clone(), error);
        match OpeningKey::from_jwk(&bytes) {
            Ok(key) => enc.push(Opener::new(&key)?),
            Err(_) => kb.push(SigningKey::from_jwk(&bytes).map_err(failed)?),
        }
    }
    Ok((enc, kb))
}

fn seed(file: &Path) -> Result<Zeroizing<[u8; 32]>, StartupError> {
    let text = config::read_secret(file)?;
    let text = std::str::from_utf8(&text).map_err(|_| StartupError::Seed(file.to_owned()))?.trim();
    let mut bytes = Zeroizing::new([0; 32]);
    let digits = text.as_bytes().chunks_exact(2);
    if text.len() != 64 {
        return Err(StartupError::Seed(file.to_owned()));
    }
    for (byte, pair) in bytes.iter_mut().zip(digits) {
        let pair = std::str::from_utf8(pair).map_err(|_| StartupError::Seed(file.to_owned()))?;
        *byte = u8::from_str_radix(pair, 16).map_err(|_| StartupError::Seed(file.to_owned()))?;
    }
    Ok(bytes)
}
