//! Keys for what is kept: one data key per case and per person, wrapped by a key-encryption key that never enters the database (protocol section 7).
//!
//! Promises: content opens only under the key, the key id and the context it was sealed with; destroying a wrapped key destroys what it sealed;
//! search tags reveal nothing without the key-encryption key. Not here: where wrapped keys and sealed content are stored, and who may open them.

mod cache;
mod kek;

use std::sync::{Mutex, PoisonError};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf, hmac, rand,
};
use zeroize::Zeroizing;

use self::cache::KeyCache;
pub use self::kek::{KEK_LEN, Kek};
use crate::store::{DataKeyId, Sealed, Tag};

/// What the vault can fail with. No variant says more about key or content.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// The text is not 32 bytes of lower-case hex.
    #[error("the key-encryption key is not 64 lower-case hex digits")]
    KekFormat,
    /// The key file cannot be read.
    #[error("the key-encryption key file cannot be read: {0}")]
    KekFile(std::io::ErrorKind),
    /// The key file can be read by others than its owner.
    #[error("the key-encryption key file must have mode 0600")]
    KekMode,
    /// A wrapped key does not open: another key-encryption key, or changed bytes.
    #[error("a wrapped data key does not open under this key-encryption key")]
    Unwrap,
    /// Sealed content does not open: another key, another context, or changed bytes.
    #[error("sealed content does not open")]
    Open,
    /// The cryptographic library failed.
    #[error("the cryptographic library failed")]
    Crypto,
}

/// Key of one case or one person. Shared while in use, zeroised when the last holder drops it.
#[derive(Clone)]
pub struct DataKey(std::sync::Arc<Zeroizing<[u8; KEY_LEN]>>);

impl std::fmt::Debug for DataKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DataKey([redacted])")
    }
}

/// Wraps data keys, seals and opens content, and makes search tags.
pub struct Vault {
    wrapping: LessSafeKey,
    tagging: hmac::Key,
    cache: Mutex<KeyCache>,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault([redacted])")
    }
}

impl Vault {
    /// A vault under a key-encryption key. Wrapping and tagging use keys derived from it, never the key itself.
    pub fn new(kek: &Kek) -> Result<Self, VaultError> {
        Ok(Self {
            wrapping: aead_key(&*derive(kek, b"wrap")?)?,
            tagging: hmac::Key::new(hmac::HMAC_SHA256, derive(kek, b"tag")?.as_ref()),
            cache: Mutex::new(KeyCache::new(CACHED_KEYS)),
        })
    }

    /// A new data key: its id, the key, and its wrapped form for the store. It is cached only once it is unwrapped, that is after it was stored.
    pub fn new_data_key(&self) -> Result<(DataKeyId, DataKey, Vec<u8>), VaultError> {
        let mut id = [0; 16];
        rand::fill(&mut id).map_err(|_| VaultError::Crypto)?;
        let id = DataKeyId(uuid::Builder::from_random_bytes(id).into_uuid());
        let (key, wrapped) = self.data_key_named(id)?;
        Ok((id, key, wrapped))
    }

    /// A new data key under an id that is fixed beforehand: the gateway's own.
    pub fn data_key_named(&self, id: DataKeyId) -> Result<(DataKey, Vec<u8>), VaultError> {
        let mut secret = Zeroizing::new([0; KEY_LEN]);
        rand::fill(secret.as_mut()).map_err(|_| VaultError::Crypto)?;
        let wrapped = encrypt(&self.wrapping, &wrap_aad(id), secret.as_ref())?;
        Ok((DataKey(std::sync::Arc::new(secret)), wrapped))
    }

    /// Opens a wrapped key. The caller reads `wrapped` from the store each time, so an erased key is gone whatever is cached here.
    pub fn unwrap(&self, id: DataKeyId, wrapped: &[u8]) -> Result<DataKey, VaultError> {
        if let Some(key) = self.cache().get(id) {
            return Ok(key);
        }
        let opened = decrypt(&self.wrapping, &wrap_aad(id), wrapped).ok_or(VaultError::Unwrap)?;
        let mut secret = Zeroizing::new([0; KEY_LEN]);
        if opened.len() != KEY_LEN {
            return Err(VaultError::Unwrap);
        }
        secret.copy_from_slice(&opened);
        let key = DataKey(std::sync::Arc::new(secret));
        self.cache().put(id, key.clone());
        Ok(key)
    }

    /// Forgets a key: part of erasing a case or a person.
    pub fn evict(&self, id: DataKeyId) {
        self.cache().remove(id);
    }

    /// Forgets every key: some of them may have been destroyed by another process.
    pub fn forget(&self) {
        self.cache().clear();
    }

    /// A keyed search tag for an id of one kind. Different kinds and different key-encryption keys give unrelated tags.
    #[must_use]
    pub fn tag(&self, kind: &'static str, value: &str) -> Tag {
        let mut context = hmac::Context::with_key(&self.tagging);
        // The length keeps kind and value apart, whatever they hold.
        context.update(&(kind.len() as u64).to_be_bytes());
        context.update(kind.as_bytes());
        context.update(value.as_bytes());
        let mut tag = [0; 16];
        for (to, from) in tag.iter_mut().zip(context.sign().as_ref()) {
            *to = *from;
        }
        Tag(tag)
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, KeyCache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Seals content under a data key. `context` says what the content is and where it belongs (`b"message:<iss>:<jti>"`); it must be the same to open.
pub fn seal(key: &DataKey, id: DataKeyId, context: &[u8], plaintext: &[u8]) -> Result<Sealed, VaultError> {
    let bytes = encrypt(&aead_key(&key.0)?, &seal_aad(id, context), plaintext)?;
    Ok(Sealed { key: id, bytes })
}

/// Opens sealed content. The result is zeroised when dropped.
pub fn open(key: &DataKey, context: &[u8], sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    decrypt(&aead_key(&key.0)?, &seal_aad(sealed.key, context), &sealed.bytes).ok_or(VaultError::Open)
}

fn derive(kek: &Kek, info: &[u8]) -> Result<Zeroizing<[u8; KEY_LEN]>, VaultError> {
    let mut out = Zeroizing::new([0; KEY_LEN]);
    hkdf::Salt::new(hkdf::HKDF_SHA256, b"tsunagi/vault/v1")
        .extract(kek.bytes())
        .expand(&[info], hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(out.as_mut()))
        .map_err(|_| VaultError::Crypto)?;
    Ok(out)
}

fn aead_key(secret: &[u8; KEY_LEN]) -> Result<LessSafeKey, VaultError> {
    UnboundKey::new(&AES_256_GCM, secret).map(LessSafeKey::new).map_err(|_| VaultError::Crypto)
}

fn wrap_aad(id: DataKeyId) -> Vec<u8> {
    [b"tsunagi/data-key/v1".as_slice(), id.0.as_bytes()].concat()
}

fn seal_aad(id: DataKeyId, context: &[u8]) -> Vec<u8> {
    [b"tsunagi/sealed/v1".as_slice(), id.0.as_bytes(), context].concat()
}

/// Nonce, ciphertext, tag. A random nonce is safe for 2^32 contents under one key (NIST SP 800-38D section 8.3); a case has a few thousand.
fn encrypt(key: &LessSafeKey, aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, VaultError> {
    let mut nonce = [0; NONCE_LEN];
    rand::fill(&mut nonce).map_err(|_| VaultError::Crypto)?;
    let mut sealed = Vec::with_capacity(NONCE_LEN + plaintext.len() + AES_256_GCM.tag_len());
    sealed.extend_from_slice(&nonce);
    sealed.extend_from_slice(plaintext);
    let (_, content) = sealed.split_at_mut(NONCE_LEN);
    let tag =
        key.seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), content).map_err(|_| VaultError::Crypto)?;
    sealed.extend_from_slice(tag.as_ref());
    Ok(sealed)
}

fn decrypt(key: &LessSafeKey, aad: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, content) = sealed.split_first_chunk::<NONCE_LEN>()?;
    let mut opened = Zeroizing::new(content.to_vec());
    let len = key.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(aad), opened.as_mut_slice()).ok()?.len();
    opened.truncate(len);
    Some(opened)
}

const KEY_LEN: usize = 32;
/// How many unwrapped keys stay in memory: enough for the cases that are active at one time.
const CACHED_KEYS: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn vault() -> Vault {
        Vault::new(&Kek::generate().unwrap()).unwrap()
    }

    #[test]
    fn sealed_content_opens_under_its_key_and_context() {
        let vault = vault();
        let (id, key, wrapped) = vault.new_data_key().unwrap();
        let sealed = seal(&key, id, b"message", "氏名".as_bytes()).unwrap();
        let again = vault.unwrap(id, &wrapped).unwrap();
        assert_eq!(open(&again, b"message", &sealed).unwrap().as_slice(), "氏名".as_bytes());
    }

    #[test]
    fn another_context_key_or_id_does_not_open() {
        let vault = vault();
        let (id, key, _) = vault.new_data_key().unwrap();
        let (other_id, other, _) = vault.new_data_key().unwrap();
        let sealed = seal(&key, id, b"message", b"x").unwrap();
        assert!(matches!(open(&key, b"consent", &sealed), Err(VaultError::Open)));
        assert!(matches!(open(&other, b"message", &sealed), Err(VaultError::Open)));
        assert!(matches!(open(&key, b"message", &Sealed { key: other_id, ..sealed }), Err(VaultError::Open)));
    }

    #[test]
    fn every_changed_or_missing_byte_is_refused() {
        let vault = vault();
        let (id, key, wrapped) = vault.new_data_key().unwrap();
        let sealed = seal(&key, id, b"c", b"content").unwrap();
        for at in 0..sealed.bytes.len() {
            let mut bytes = sealed.bytes.clone();
            bytes[at] ^= 1;
            assert!(open(&key, b"c", &Sealed { key: id, bytes }).is_err());
            assert!(open(&key, b"c", &Sealed { key: id, bytes: sealed.bytes[..at].to_vec() }).is_err());
        }
        for at in 0..wrapped.len() {
            let mut bytes = wrapped.clone();
            bytes[at] ^= 1;
            assert!(matches!(vault.unwrap(id, &bytes), Err(VaultError::Unwrap)));
        }
    }

    #[test]
    fn a_wrapped_key_opens_only_under_its_id_and_key_encryption_key() {
        let vault = vault();
        let (id, _, wrapped) = vault.new_data_key().unwrap();
        let (other, _, _) = vault.new_data_key().unwrap();
        assert!(matches!(vault.unwrap(other, &wrapped), Err(VaultError::Unwrap)));
        assert!(matches!(Vault::new(&Kek::generate().unwrap()).unwrap().unwrap(id, &wrapped), Err(VaultError::Unwrap)));
        assert!(vault.unwrap(id, &wrapped).is_ok());
    }

    #[test]
    fn an_evicted_key_is_unwrapped_again() {
        let vault = vault();
        let (id, _, wrapped) = vault.new_data_key().unwrap();
        vault.unwrap(id, &wrapped).unwrap();
        assert!(vault.unwrap(id, b"erased").is_ok(), "cached");
        vault.evict(id);
        assert!(vault.unwrap(id, b"erased").is_err());
    }

    #[test]
    fn the_same_content_is_never_sealed_to_the_same_bytes() {
        let vault = vault();
        let (id, key, _) = vault.new_data_key().unwrap();
        assert_ne!(seal(&key, id, b"", b"x").unwrap(), seal(&key, id, b"", b"x").unwrap());
    }

    #[test]
    fn tags_are_stable_and_separate_kinds_values_and_keys() {
        let kek = Kek::generate().unwrap();
        let vault = Vault::new(&kek).unwrap();
        assert_eq!(vault.tag("case", "a"), Vault::new(&kek).unwrap().tag("case", "a"));
        assert_ne!(vault.tag("case", "a"), vault.tag("case", "b"));
        assert_ne!(vault.tag("case", "a"), vault.tag("consent", "a"));
        assert_ne!(vault.tag("ab", "c"), vault.tag("a", "bc"));
        assert_ne!(vault.tag("case", "a"), Vault::new(&Kek::generate().unwrap()).unwrap().tag("case", "a"));
    }

    #[test]
    fn nothing_secret_is_printed() {
        let kek = Kek::generate().unwrap();
        let vault = Vault::new(&kek).unwrap();
        let (id, key, _) = vault.new_data_key().unwrap();
        let printed = format!("{kek:?} {vault:?} {key:?} {:?}", seal(&key, id, b"", b"x").unwrap());
        assert_eq!(printed, "Kek([redacted]) Vault([redacted]) DataKey([redacted]) Sealed([redacted])");
    }
}
