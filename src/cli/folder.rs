//! Writing the files of a new folder: never over existing ones, private ones readable by their owner only.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use aws_lc_rs::rand;
use zeroize::Zeroizing;

use super::CliError;
use crate::{
    domain::party::PartyId,
    message::keys::{KeyError, OpeningKey, SigningKey},
    vault::{Kek, VaultError},
};

/// A folder that was empty when we came.
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Creates the folder, or takes an empty one.
    pub(super) fn create(path: &Path) -> Result<Self, CliError> {
        if path.exists() {
            let mut inside = fs::read_dir(path).map_err(|e| CliError::Io(path.display().to_string(), e))?;
            if inside.next().is_some() {
                let path = path.display();
                return Err(CliError::usage(
                    format!("{path} is not empty: name a new folder"),
                    format!("{path} は空ではありません。新しいフォルダーを指定してください"),
                ));
            }
        }
        make(path)?;
        let path = path.canonicalize().map_err(|e| CliError::Io(path.display().to_string(), e))?;
        Ok(Self(path))
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// A folder inside.
    pub(super) fn sub(&self, name: &str) -> Result<Self, CliError> {
        let path = self.0.join(name);
        make(&path)?;
        Ok(Self(path))
    }

    /// A file that everybody may read.
    pub(super) fn public(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, CliError> {
        self.write(name, bytes, 0o644)
    }

    /// A file for its owner only.
    pub(super) fn private(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, CliError> {
        self.write(name, bytes, 0o600)
    }

    fn write(&self, name: &str, bytes: &[u8], mode: u32) -> Result<PathBuf, CliError> {
        let path = self.0.join(name);
        let failed = |error| CliError::Io(path.display().to_string(), error);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&path).map_err(failed)?;
        file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| File::open(&self.0)?.sync_all()).map_err(failed)?;
        Ok(path)
    }
}

fn make(path: &Path) -> Result<(), CliError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|e| CliError::Io(path.display().to_string(), e))
}

/// Why the keys of a gateway could not be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeysError {
    /// A file could not be written.
    #[error(transparent)]
    File(#[from] CliError),
    /// A key could not be made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The key-encryption key could not be made.
    #[error(transparent)]
    Kek(#[from] VaultError),
    /// The machine gave no randomness.
    #[error("no randomness")]
    NoEntropy,
}

/// The keys of a new gateway, in `keys/` under the names that [`GATEWAY_KEYS`] gives them in its configuration.
pub(super) fn gateway_keys(folder: &Folder) -> Result<(), KeysError> {
    let keys = folder.sub("keys")?;
    keys.private("enc.jwk", &OpeningKey::generate()?.to_jwk())?;
    keys.private("kb.jwk", &SigningKey::generate()?.to_jwk())?;
    keys.private("receipt.jwk", &SigningKey::generate()?.to_jwk())?;
    let mut seed = Zeroizing::new([0; 32]);
    rand::fill(seed.as_mut()).map_err(|_| KeysError::NoEntropy)?;
    keys.private("ledger.seed", hex(seed.as_ref()).as_bytes())?;
    keys.private("kek", Kek::generate()?.to_hex().as_bytes())?;
    Ok(())
}

/// The table of the configuration that names what [`gateway_keys`] made.
pub(super) const GATEWAY_KEYS: &str = r#"[keys]
enc = "keys/enc.jwk"
kb = "keys/kb.jwk"
receipt = "keys/receipt.jwk"
ledger = "keys/ledger.seed"
kek = "keys/kek""#;

/// The text of `identity.toml` for a folder whose files have their usual names.
pub(super) fn identity(party: &PartyId, gateway: &str) -> String {
    format!(
        "party = \"{party}\"\ngateway = \"{gateway}\"\nca = \"ca.pem\"\ntls_cert = \"tls.pem\"\ntls_key = \"tls.key\"\n\
         signing_key = \"signing.jwk\"\nencryption_key = \"encryption.jwk\"\ngateway_keys = \"gateway-keys.json\"\n"
    )
}

/// Lower-case hexadecimal digits.
fn hex(bytes: &[u8]) -> Zeroizing<String> {
    let digit = |nibble: u8| char::from(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 });
    Zeroizing::new(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect())
}
