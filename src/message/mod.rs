//! Signed and encrypted messages: bytes in, domain types out (protocol sections 2, 3 and 6).
//!
//! Promises: what is read here was read by one strict reader; what is [`Verified`] had its signature checked with a registered key whose
//! algorithm the key itself decides; no byte string makes any function here panic.
//! Not here: network, storage, clocks, and every decision about who may send or see what.

pub mod base64url;
pub mod certificate;
pub mod compose;
pub mod disclosed;
pub mod envelope;
pub mod json;
pub mod jws;
pub mod key_binding;
pub mod keys;
mod members;
pub mod objects;
pub mod profile;
pub mod release;
pub mod schema;
pub mod sd_jwt;
pub mod submission;
mod verified;

pub use verified::Verified;

use crate::domain::digest::Digest;

/// SHA-256 of a byte string.
#[must_use]
pub fn sha256(bytes: &[u8]) -> Digest {
    sha256_of([bytes])
}

/// SHA-256 of the concatenation of parts.
fn sha256_of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Digest {
    let mut hash = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    for part in parts {
        hash.update(part);
    }
    let mut bytes = [0; 32];
    for (to, from) in bytes.iter_mut().zip(hash.finish().as_ref()) {
        *to = *from;
    }
    Digest(bytes)
}
