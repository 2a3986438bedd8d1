//! A release as its reader checks it (RFC 9901 section 7.3; protocol section 2 "Release").
//!
//! Promises: the sender's own signature stands over every shown row; the gateway's pinned key bound exactly these rows to this reader and this
//! challenge. Not here: the envelope, fetching keys, and whether the ledger entry exists, which [`KbClaims`] lets the reader check.

use super::{
    Verified,
    disclosed::{Disclosed, Presentation},
    jws::Unverified,
    key_binding::{KbClaims, Nonce},
    keys::PublicKey,
    profile::KEY_BINDING_TYP,
    sd_jwt,
    submission::{Claims, Submission},
};
use crate::domain::{
    digest::Digest,
    party::PartyId,
    refusal::{Refusal, RefusalCode},
};

/// What the reader asked for.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The reader itself.
    pub aud: &'a PartyId,
    /// The challenge of its actor token.
    pub nonce: &'a Nonce,
}

/// A release that was read but not verified.
pub struct UnverifiedRelease {
    submission: Submission,
    binding: Unverified,
    presented: String,
}

impl UnverifiedRelease {
    /// Reads `<jwt>~<d>~...~<kb+jwt>`.
    pub fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        let text = std::str::from_utf8(bytes).map_err(|_| Refusal::new(RefusalCode::BadToken))?;
        let parts = sd_jwt::split(text).map_err(|error| Refusal::new(error.code()))?;
        let binding = parts.key_binding.ok_or_else(|| Refusal::claim(RefusalCode::BadToken, "kb", "missing"))?;
        let binding = Unverified::read(binding.as_bytes(), KEY_BINDING_TYP).map_err(|error| Refusal::new(error.code()))?;
        let presented = sd_jwt::join(parts.jwt, parts.disclosures.iter().copied());
        Ok(Self { submission: Submission::from_parts(&parts)?, binding, presented })
    }

    /// The sender it names. Unproven: only for finding the key.
    #[must_use]
    pub const fn iss(&self) -> &PartyId {
        self.submission.iss()
    }

    /// The sender's key it names. Unproven.
    #[must_use]
    pub const fn kid(&self) -> Digest {
        self.submission.kid()
    }

    /// Checks both signatures, what was bound, and that it was bound for this reader by a pinned key.
    pub fn verify(self, issuer: &PublicKey, pinned: &[PublicKey], asked: &Asked<'_>) -> Result<Verified<Release>, Refusal> {
        let message = self.submission.verify(issuer)?;
        let holder = &message.claims().cnf;
        if !pinned.contains(holder) {
            return Err(Refusal::claim(RefusalCode::BindingMismatch, "cnf", "not_pinned"));
        }
        self.binding.check(holder).map_err(|error| Refusal::new(error.code()))?;
        let (binding, sd_hash) = KbClaims::read(self.binding.claims())?;
        let presented = Presentation::new(self.presented, holder.thumbprint());
        let mismatch = |claim| Err(Refusal::claim(RefusalCode::BindingMismatch, claim, "mismatch"));
        if sd_hash != presented.sd_hash() {
            return mismatch("sd_hash");
        }
        if binding.aud != *asked.aud {
            return mismatch("aud");
        }
        if binding.nonce != *asked.nonce {
            return mismatch("nonce");
        }
        let disclosed = message.disclose()?;
        Ok(Verified::new(Release { claims: message.into_inner().into_claims(), disclosed, binding, sd_hash }))
    }
}

impl std::fmt::Debug for UnverifiedRelease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UnverifiedRelease").field("submission", &self.submission).finish_non_exhaustive()
    }
}

/// A message as it was released to this reader.
#[derive(Debug)]
pub struct Release {
    /// The sender's plain claims.
    pub claims: Claims,
    /// The rows shown, and the consent's claims where they were shown.
    pub disclosed: Disclosed,
    /// What the gateway bound.
    pub binding: KbClaims,
    /// What identifies exactly these rows of exactly this message; goes into the acknowledgement.
    pub sd_hash: Digest,
}

/// Reads and verifies in one step, for callers that have the keys at hand.
pub fn verify_release(
    bytes: &[u8],
    issuer: impl FnOnce(&PartyId, &Digest) -> Option<PublicKey>,
    pinned: &[PublicKey],
    asked: &Asked<'_>,
) -> Result<Verified<Release>, Refusal> {
    let release = UnverifiedRelease::read(bytes)?;
    let key = issuer(release.iss(), &release.kid()).ok_or(RefusalCode::KeyNotAllowed)?;
    release.verify(&key, pinned, asked)
}
