//! The identity folder of a party (protocol section 8): who it is, which gateway it talks to, its keys, and the keys it trusts.
//!
//! Promises: paths are relative to the folder; a private file that group or others can read is refused; nothing of a private file is printed.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{
    error::Doubt,
    outbox::{Outbox, OutboxError},
    pinned::Pinned,
};
use crate::{
    config::{self, ConfigError},
    domain::party::PartyId,
    message::{
        disclosed::Pseudonym,
        envelope::{EnvelopeError, Opener},
        keys::{KeyError, KeyUse, OpeningKey, PublicKey, SigningKey},
        objects::GatewayUrl,
    },
    tls::client::{self as transport, Connector},
};

/// A party as its own program knows it.
pub struct Identity {
    folder: PathBuf,
    /// The files of its two private keys.
    key_files: (PathBuf, PathBuf),
    pub(super) party: PartyId,
    pub(super) connector: Connector,
    pub(super) signing: SigningKey,
    pub(super) opener: Opener,
    pub(super) pinned: Pinned,
    pub(super) staff: Option<Pseudonym>,
}

/// Why an identity folder cannot be used. Names the file, never its content.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A file cannot be read, or others may read a private one.
    #[error(transparent)]
    File(#[from] ConfigError),
    /// `identity.toml` is not what it should be.
    #[error("{}: {message}", file.display())]
    Syntax {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// A private key is not readable as one.
    #[error("{}: {source}", file.display())]
    Key {
        /// The file.
        file: PathBuf,
        /// Why.
        source: KeyError,
    },
    /// A private key cannot be used.
    #[error("{}: {source}", file.display())]
    Opener {
        /// The file.
        file: PathBuf,
        /// Why.
        source: EnvelopeError,
    },
    /// Certificate, its key or the authority cannot be used.
    #[error("{}: {source}", folder.display())]
    Certificate {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: transport::ClientError,
    },
    /// The pinned document cannot be used.
    #[error("{}: {source}", file.display())]
    Pinned {
        /// The file.
        file: PathBuf,
        /// Why.
        source: Doubt,
    },
}

impl Identity {
    /// Loads the folder.
    pub fn load(folder: &Path) -> Result<Self, IdentityError> {
        let file = folder.join(FILE);
        let text = config::read_file(&file)?;
        let about: About = std::str::from_utf8(&text)
            .map_err(|_| "not UTF-8 text".to_owned())
            .and_then(|text| toml::from_str(text).map_err(|error| error.message().to_owned()))
            .map_err(|message| IdentityError::Syntax { file: file.clone(), message })?;
        let at = |path: &Path| folder.join(path);

        let signing_key = at(&about.signing_key);
        let signing = SigningKey::from_jwk(&config::read_secret(&signing_key)?)
            .map_err(|source| IdentityError::Key { file: signing_key.clone(), source })?;
        let opening_key = at(&about.encryption_key);
        let opening = OpeningKey::from_jwk(&config::read_secret(&opening_key)?)
            .map_err(|source| IdentityError::Key { file: opening_key.clone(), source })?;
        let opener = Opener::new(&opening).map_err(|source| IdentityError::Opener { file: opening_key.clone(), source })?;

        let (ca, cert) = (config::read_file(&at(&about.ca))?, config::read_file(&at(&about.tls_cert))?);
        let connector = Connector::new(&ca, &cert, &config::read_secret(&at(&about.tls_key))?)
            .map_err(|source| IdentityError::Certificate { folder: folder.to_owned(), source })?;

        let pinned_file = at(&about.gateway_keys);
        let wrong = |source| IdentityError::Pinned { file: pinned_file.clone(), source };
        let pinned = Pinned::read(&config::read_file(&pinned_file)?).map_err(wrong)?;
        if pinned.document().gateway != about.gateway {
            return Err(wrong(Doubt::Pinned("name")));
        }
        Ok(Self {
            folder: folder.to_owned(),
            key_files: (signing_key, opening_key),
            party: about.party,
            connector,
            signing,
            opener,
            pinned,
            staff: about.staff,
        })
    }

    /// The party.
    #[must_use]
    pub const fn party(&self) -> &PartyId {
        &self.party
    }

    /// The file of the private key that is in use.
    #[must_use]
    pub fn key_file(&self, purpose: KeyUse) -> &Path {
        match purpose {
            KeyUse::Sig => &self.key_files.0,
            KeyUse::Enc => &self.key_files.1,
        }
    }

    /// The public half of the key that is in use.
    #[must_use]
    pub const fn public_key(&self, purpose: KeyUse) -> &PublicKey {
        match purpose {
            KeyUse::Sig => self.signing.public(),
            KeyUse::Enc => self.opener.public(),
        }
    }

    /// What is signed and not yet delivered.
    pub fn outbox(&self) -> Result<Outbox, OutboxError> {
        Outbox::of(&self.folder)
    }

    /// The gateway.
    #[must_use]
    pub const fn gateway(&self) -> &GatewayUrl {
        &self.pinned.document().gateway
    }

    /// What it trusts of the gateway.
    #[must_use]
    pub const fn pinned(&self) -> &Pinned {
        &self.pinned
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("party", &self.party.to_string()).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    party: PartyId,
    gateway: GatewayUrl,
    ca: PathBuf,
    tls_cert: PathBuf,
    tls_key: PathBuf,
    signing_key: PathBuf,
    encryption_key: PathBuf,
    gateway_keys: PathBuf,
    /// Who works with the folder, when one person alone does.
    #[serde(default)]
    staff: Option<Pseudonym>,
}

const FILE: &str = "identity.toml";

#[cfg(test)]
pub(super) mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;
    use crate::{
        client::pinned::tests::{GATEWAY, Stage},
        clock::{Clock as _, SystemClock},
        tls::authority::{SandboxAuthority, Validity},
    };

    pub(in crate::client) struct Folder(pub(in crate::client) tempfile::TempDir);

    impl Folder {
        pub(in crate::client) fn new(stage: &Stage) -> Self {
            let folder = Self(tempfile::tempdir().unwrap());
            let now = SystemClock.now();
            let authority = SandboxAuthority::create(now).unwrap();
            let issued = authority.issue_client(&"municipality:131016-1".parse().unwrap(), Validity::days(now, 2)).unwrap();
            folder.public("ca.pem", authority.ca_pem().as_bytes());
            folder.public("tls.pem", issued.cert_pem.as_bytes());
            folder.private("tls.key", issued.key_pem.as_bytes());
            folder.private("signing.jwk", &SigningKey::generate().unwrap().to_jwk());
            folder.private("encryption.jwk", &OpeningKey::generate().unwrap().to_jwk());
            folder.public("gateway-keys.json", stage.document().to_string().as_bytes());
            folder.about(&toml_text());
            folder
        }

        fn about(&self, text: &str) {
            self.public("identity.toml", text.as_bytes());
        }

        fn public(&self, name: &str, bytes: &[u8]) {
            fs::write(self.0.path().join(name), bytes).unwrap();
        }

        fn private(&self, name: &str, bytes: &[u8]) {
            self.public(name, bytes);
            self.mode(name, 0o600);
        }

        fn mode(&self, name: &str, mode: u32) {
            fs::set_permissions(self.0.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
        }

        fn load(&self) -> Result<Identity, IdentityError> {
            Identity::load(self.0.path())
        }
    }

    fn toml_text() -> String {
        format!(
            "party = \"municipality:131016-1\"\ngateway = \"{GATEWAY}\"\nca = \"ca.pem\"\ntls_cert = \"tls.pem\"\ntls_key = \"tls.key\"\n\
             signing_key = \"signing.jwk\"\nencryption_key = \"encryption.jwk\"\ngateway_keys = \"gateway-keys.json\"\n"
        )
    }

    #[test]
    fn a_whole_folder_loads_and_prints_no_key() {
        let folder = Folder::new(&Stage::new());
        let identity = folder.load().unwrap();
        assert_eq!(identity.party().to_string(), "municipality:131016-1");
        assert_eq!(identity.gateway().as_str(), GATEWAY);
        assert_eq!(format!("{identity:?}"), r#"Identity { party: "municipality:131016-1", .. }"#);
        let secret = fs::read_to_string(folder.0.path().join("signing.jwk")).unwrap();
        let d = secret.split("\"d\":\"").nth(1).unwrap().split('"').next().unwrap();
        assert!(!format!("{identity:?}").contains(d));
    }

    #[test]
    fn a_private_file_that_others_can_read_is_refused() {
        for name in ["tls.key", "signing.jwk", "encryption.jwk"] {
            for mode in [0o640, 0o604, 0o660] {
                let folder = Folder::new(&Stage::new());
                folder.mode(name, mode);
                let error = folder.load().unwrap_err();
                assert!(matches!(error, IdentityError::File(ConfigError::Exposed { .. })), "{name} {mode:o}");
                assert!(error.to_string().contains(name), "{error}");
            }
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        for name in ["identity.toml", "ca.pem", "tls.pem", "tls.key", "signing.jwk", "encryption.jwk", "gateway-keys.json"] {
            let folder = Folder::new(&Stage::new());
            fs::remove_file(folder.0.path().join(name)).unwrap();
            assert!(folder.load().unwrap_err().to_string().contains(name), "{name}");
        }
    }

    #[test]
    fn unknown_and_missing_members_are_refused() {
        for text in [
            format!("{}extra = 1\n", toml_text()),
            toml_text().replace("party", "partie"),
            toml_text().replace("municipality:131016-1", "municipality:131017-1"),
            toml_text().replace("https://", "http://"),
            String::new(),
        ] {
            let folder = Folder::new(&Stage::new());
            folder.about(&text);
            assert!(matches!(folder.load(), Err(IdentityError::Syntax { .. })), "{text}");
        }
    }

    #[test]
    fn keys_of_the_wrong_kind_and_pins_of_another_gateway_are_refused() {
        let folder = Folder::new(&Stage::new());
        folder.private("signing.jwk", &OpeningKey::generate().unwrap().to_jwk());
        assert!(matches!(folder.load(), Err(IdentityError::Key { .. })));

        let folder = Folder::new(&Stage::new());
        folder.about(&toml_text().replace(":8443", ":9443"));
        assert!(matches!(folder.load(), Err(IdentityError::Pinned { source: Doubt::Pinned("name"), .. })));

        let folder = Folder::new(&Stage::new());
        folder.private("tls.key", b"no key");
        assert!(matches!(folder.load(), Err(IdentityError::Certificate { .. })));
    }
}
