//! Names and numbers of the protocol's tokens (protocol sections 2 and 6), in one place.

/// `typ` of an envelope.
pub const ENVELOPE_TYP: &str = "tsunagi-envelope+jwe";
/// `typ` of a message, and `cty` of the envelope around a submission.
pub const MESSAGE_TYP: &str = "tsunagi-message+sd-jwt";
/// `cty` of the envelope around a release.
pub const RELEASE_CTY: &str = "application/sd-jwt";
/// `cty` of the envelope around the file of a certificate.
pub const CERTIFICATE_CTY: &str = "application/tsunagi-certificate+json";
/// `typ` of the key binding of a release (RFC 9901 section 4.3).
pub const KEY_BINDING_TYP: &str = "kb+jwt";

/// An envelope in bytes.
pub const MAX_ENVELOPE: usize = 512 * 1024;
/// A protected header in bytes, decoded.
pub const MAX_HEADER: usize = 1024;
/// A payload in bytes, decoded.
pub const MAX_PAYLOAD: usize = 128 * 1024;
/// Disclosures of one message.
pub const MAX_DISCLOSURES: usize = 256;
/// One disclosure in bytes, as it travels.
pub const MAX_DISCLOSURE: usize = 16 * 1024;
/// Characters of a salt: 128 bits in base64url.
pub const MIN_SALT: usize = 22;

/// Oldest `iat` a message may have, in seconds.
pub const MAX_AGE_SECS: i64 = 24 * 60 * 60;
/// How far in the future an `iat` may lie, in seconds.
pub const MAX_AHEAD_SECS: i64 = 10;
/// Longest life of an actor token, in seconds.
pub const MAX_ACTOR_SECS: i64 = 300;

/// How many digests the `_sd` list of a body has towards providers.
pub const PADDED_SIZES: [usize; 4] = [32, 64, 128, 256];
