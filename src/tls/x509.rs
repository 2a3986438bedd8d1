//! The few facts of a certificate that this room needs, read with x509-parser.

use aws_lc_rs::digest::{SHA256, digest};
use rustls::pki_types::CertificateDer;
use x509_parser::{
    certificate::X509Certificate,
    extensions::GeneralName,
    prelude::FromDer,
    time::ASN1Time,
    x509::{AttributeTypeAndValue, X509Name},
};

use crate::domain::{digest::Digest, time::Timestamp};

/// The bytes are no certificate, or its extensions contradict RFC 5280.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a well-formed certificate")]
pub(super) struct NotACertificate;

/// Reads exactly one certificate.
pub(super) fn certificate<'a>(der: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, NotACertificate> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        _ => Err(NotACertificate),
    }
}

/// URIs of the subject alternative name. An extension that occurs twice or cannot be read is an error (RFC 5280 section 4.2).
pub(super) fn san_uris<'a>(certificate: &'a X509Certificate<'_>) -> Result<Vec<&'a str>, NotACertificate> {
    let san = certificate.subject_alternative_name().map_err(|_| NotACertificate)?;
    let names = san.map(|san| san.value.general_names.iter());
    let uri = |name: &'a GeneralName<'_>| match name {
        GeneralName::URI(uri) => Some(Ok(*uri)),
        GeneralName::Invalid(..) => Some(Err(NotACertificate)),
        _ => None,
    };
    names.into_iter().flatten().filter_map(uri).collect()
}

/// The moment as we count it.
pub(super) fn moment(time: ASN1Time) -> Timestamp {
    Timestamp::from_secs(time.timestamp())
}

/// SHA-256.
pub(super) fn sha256(bytes: &[u8]) -> Digest {
    let mut out = [0; 32];
    for (to, from) in out.iter_mut().zip(digest(&SHA256, bytes).as_ref()) {
        *to = *from;
    }
    Digest(out)
}

/// A distinguished name for a log line. A stranger may have chosen it, so it is cut and holds no control characters.
pub(super) fn printable(name: &X509Name<'_>) -> String {
    name.to_string().chars().map(|c| if c.is_control() { '?' } else { c }).take(200).collect()
}

/// Whether one of the organisation names is `organisation`.
pub(super) fn has_organisation(name: &X509Name<'_>, organisation: &str) -> bool {
    let is_it = |attribute: &AttributeTypeAndValue<'_>| attribute.as_str() == Ok(organisation);
    name.iter_organization().any(is_it)
}
