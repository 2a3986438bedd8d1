//! How a call can end other than well: refused by the gateway, not reached, or answered with something that does not verify.

use super::{outbox::OutboxError, problem::Problem};
use crate::{
    clock::NoEntropy,
    domain::refusal::Refusal,
    message::{certificate::CertificateError, compose::ComposeError, envelope::EnvelopeError, keys::KeyError},
    tlog::TlogError,
    tls::client as transport,
};

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The gateway refused, and said why.
    #[error("refused: {0}")]
    Refused(Box<Problem>),
    /// There is no answer: no connection, the door closed at the handshake, or too slow. What was sent may or may not have arrived.
    #[error("{0}")]
    Unreachable(#[source] transport::ClientError),
    /// There is an answer, and it must not be believed.
    #[error("not verified: {0}")]
    Unverified(#[from] Doubt),
    /// What was to be sent cannot be made.
    #[error("cannot be made: {0}")]
    Compose(#[from] ComposeError),
    /// What was to be sent cannot be sealed.
    #[error("cannot be sealed: {0}")]
    Seal(#[from] EnvelopeError),
    /// The outbox cannot be used.
    #[error("the outbox: {0}")]
    Outbox(#[from] OutboxError),
    /// The random generator failed.
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
}

/// What about an answer does not verify. Never quotes the answer.
#[derive(Debug, thiserror::Error)]
pub enum Doubt {
    /// The gateway's certificate, or its TLS, is not to be trusted.
    #[error("the gateway's certificate: {0}")]
    Certificate(String),
    /// The gateway shows other keys, or another name, than the pinned document.
    #[error("the gateway's {0} differs from the pinned one")]
    Pinned(&'static str),
    /// The answer is not what the protocol says it is.
    #[error("the answer has not the form of the protocol: {0}")]
    Form(&'static str),
    /// The ledger proof fails.
    #[error("the ledger proof: {0}")]
    Proof(#[from] TlogError),
    /// The proven ledger entry says something else than the answer.
    #[error("the ledger entry says another {0}")]
    Entry(&'static str),
    /// The opening is not what the leaf committed to.
    #[error("the opening is not the one the ledger entry committed to")]
    Opening,
    /// A receipt is not signed by a pinned key, or says something else.
    #[error("the receipt: {0}")]
    Receipt(&'static str),
    /// The envelope of a release does not open with the reader's key.
    #[error("the envelope: {0}")]
    Envelope(EnvelopeError),
    /// A key in the directory is not a key.
    #[error("the directory: {0}")]
    Key(#[from] KeyError),
    /// The directory has no usable key of the sender under the name the message gives.
    #[error("the sender's key is not in the directory, or no longer to be believed")]
    SenderKey,
    /// The signature of a consent fails.
    #[error("the consent: {}", .0.code)]
    Consent(Refusal),
    /// A certificate of a coordination does not verify.
    #[error("the certificate of the coordination: {0}")]
    Coordination(CertificateError),
    /// The release itself fails: signature, disclosures or key binding.
    #[error("the release: {} {}", .0.code, .0.violations.first().map_or("", |violation| violation.field.as_str()))]
    Release(Refusal),
}

impl From<transport::ClientError> for ClientError {
    fn from(error: transport::ClientError) -> Self {
        match error {
            transport::ClientError::Tls(reason) => Self::Unverified(Doubt::Certificate(reason)),
            other => Self::Unreachable(other),
        }
    }
}

impl From<TlogError> for ClientError {
    fn from(error: TlogError) -> Self {
        Self::Unverified(error.into())
    }
}

impl ClientError {
    /// The gateway's problem document, if it refused.
    #[must_use]
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Refused(problem) => Some(problem),
            _ => None,
        }
    }
}
