//! Handshakes that fail: what kind it was, and a log line that helps an administrator without naming a person.

use std::{
    io,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error as RustlsError, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    pki_types::{CertificateDer, UnixTime},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};

use super::x509;
use crate::domain::codes::closed_list;

closed_list! {
    /// Why a connection never became one that can send requests. Counted; not an HTTP code, because there is no HTTP yet.
    HandshakeFailure {
        NoCertificate = "no_certificate",
        UnknownIssuer = "unknown_issuer",
        Expired = "expired",
        NotYetValid = "not_yet_valid",
        Revoked = "revoked",
        /// The revocation list is past its `nextUpdate`, or there is none for an intermediate.
        RevocationUnknown = "revocation_unknown",
        /// Not for client authentication, wrongly signed, or malformed.
        BadCertificate = "bad_certificate",
        /// No TLS 1.3, no common group, cipher suite or protocol.
        Incompatible = "incompatible",
        /// What arrived is not TLS, or breaks its rules.
        Malformed = "malformed",
        /// The client refused us with an alert.
        RefusedByClient = "refused_by_client",
        /// The client went away.
        Disconnected = "disconnected",
        /// The client was silent for too long.
        Timeout = "timeout",
        /// Too many connections from one address.
        TooMany = "too_many",
    }
}

impl HandshakeFailure {
    pub(super) fn of(error: &io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<RustlsError>()) {
            Some(error) => Self::of_tls(error),
            None => Self::Disconnected,
        }
    }

    fn of_tls(error: &RustlsError) -> Self {
        match error {
            RustlsError::NoCertificatesPresented => Self::NoCertificate,
            RustlsError::InvalidCertificate(error) => Self::of_certificate(error),
            RustlsError::PeerIncompatible(_) | RustlsError::NoApplicationProtocol => Self::Incompatible,
            RustlsError::AlertReceived(_) => Self::RefusedByClient,
            _ => Self::Malformed,
        }
    }

    const fn of_certificate(error: &CertificateError) -> Self {
        match error {
            CertificateError::UnknownIssuer => Self::UnknownIssuer,
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Self::NotYetValid,
            CertificateError::Revoked => Self::Revoked,
            CertificateError::UnknownRevocationStatus
            | CertificateError::ExpiredRevocationList
            | CertificateError::ExpiredRevocationListContext { .. } => Self::RevocationUnknown,
            _ => Self::BadCertificate,
        }
    }
}

/// The verifier of the library, and a log line for what it refuses: which authority issued the certificate and which are expected. Never
/// its subject: that may be a person.
#[derive(Debug)]
pub(super) struct Noting {
    inner: Arc<dyn ClientCertVerifier>,
    expected: String,
    pace: Pace,
}

impl Noting {
    pub(super) fn new(inner: Arc<dyn ClientCertVerifier>, expected: String) -> Self {
        Self { inner, expected, pace: Pace::default() }
    }

    fn note(&self, presented: &CertificateDer<'_>, error: &RustlsError) {
        let Some(suppressed) = self.pace.allows() else { return };
        let issuer =
            x509::certificate(presented).map_or_else(|_| "unreadable".to_owned(), |certificate| x509::printable(certificate.issuer()));
        let kind = HandshakeFailure::of_tls(error);
        tracing::warn!(%kind, %issuer, expected = %self.expected, suppressed, "client certificate refused");
    }
}

impl ClientCertVerifier for Noting {
    fn offer_client_auth(&self) -> bool {
        self.inner.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.inner.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        own: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, RustlsError> {
        self.inner.verify_client_cert(own, above, now).inspect_err(|error| self.note(own, error))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, RustlsError> {
        self.inner.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, RustlsError> {
        self.inner.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }

    fn requires_raw_public_keys(&self) -> bool {
        self.inner.requires_raw_public_keys()
    }
}

/// Keeps strangers from filling the log: a few lines a second, and the number of those left out.
#[derive(Debug)]
pub(super) struct Pace {
    limiter: DefaultDirectRateLimiter,
    suppressed: AtomicU64,
}

impl Default for Pace {
    fn default() -> Self {
        let quota = Quota::per_second(LINES_PER_SECOND).allow_burst(LINES_AT_ONCE);
        Self { limiter: RateLimiter::direct(quota), suppressed: AtomicU64::new(0) }
    }
}

impl Pace {
    /// `Some` with the number of lines left out since the last one, if a line may be written.
    pub(super) fn allows(&self) -> Option<u64> {
        if self.limiter.check().is_ok() {
            Some(self.suppressed.swap(0, Ordering::Relaxed))
        } else {
            self.suppressed.fetch_add(1, Ordering::Relaxed);
            None
        }
    }
}

const LINES_PER_SECOND: NonZeroU32 = NonZeroU32::MIN;
const LINES_AT_ONCE: NonZeroU32 = NonZeroU32::MIN.saturating_add(19);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_failures_is_a_few_lines_and_a_number() {
        let pace = Pace::default();
        let written = (0..1000).filter_map(|_| pace.allows()).count();
        assert!((20..30).contains(&written), "{written}");
        assert_eq!(pace.suppressed.load(Ordering::Relaxed) + u64::try_from(written).unwrap(), 1000);
    }

    #[test]
    fn what_is_no_tls_error_is_a_client_that_left() {
        assert_eq!(HandshakeFailure::of(&io::ErrorKind::UnexpectedEof.into()), HandshakeFailure::Disconnected);
        let revoked = io::Error::other(RustlsError::InvalidCertificate(CertificateError::Revoked));
        assert_eq!(HandshakeFailure::of(&revoked), HandshakeFailure::Revoked);
    }
}
