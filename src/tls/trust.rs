//! Which authorities are believed, and what they have revoked: read from files, checked before anybody relies on it.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    RootCertStore,
    crypto::aws_lc_rs::default_provider,
    pki_types::{CertificateDer, CertificateRevocationListDer, pem::PemObject},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use x509_parser::{prelude::FromDer, revocation_list::CertificateRevocationList};

use super::{authority::ORGANISATION, state::TlsError, x509};
use crate::{
    config::{self, read_file},
    domain::time::Timestamp,
};

/// A checked set of authorities and revocation lists.
pub(super) struct Trust {
    pub(super) verifier: Arc<dyn ClientCertVerifier>,
    /// The earliest `nextUpdate`: from then on nobody can be judged.
    pub(super) next_update: Timestamp,
    /// When the first of the authorities ends.
    pub(super) not_after: Timestamp,
    /// Names of the authorities, for the log.
    pub(super) issuers: String,
    /// The revocation lists, by the encoded name of their issuer.
    pub(super) lists: BTreeMap<Vec<u8>, List>,
}

/// Where a revocation list comes from.
pub(super) struct List {
    pub(super) file: PathBuf,
    pub(super) issuer: String,
    /// Its `thisUpdate`.
    pub(super) made: Timestamp,
}

/// Reads authorities and lists. A list that is past its `nextUpdate` is accepted here: the door is then closed, but a gateway that was
/// started too early opens it by itself when a fresh list is loaded.
pub(super) fn load(tls: &config::Tls, sandbox: bool, now: Timestamp) -> Result<Trust, TlsError> {
    let anchors = certificates(&tls.client_ca)?;
    let mut roots = RootCertStore::empty();
    let mut authorities = BTreeMap::new();
    let mut issuers = Vec::new();
    let mut not_after = Timestamp::from_micros(i64::MAX);
    for der in &anchors {
        let anchor = accepted(der, &tls.client_ca, sandbox, now)?;
        not_after = not_after.min(x509::moment(anchor.validity().not_after));
        issuers.push(x509::printable(anchor.subject()));
        let key = anchor.public_key().subject_public_key.data.to_vec();
        match authorities.entry(anchor.subject().as_raw().to_vec()) {
            Entry::Vacant(place) => drop(place.insert(key)),
            Entry::Occupied(_) => return Err(TlsError::AuthorityTwice { issuer: x509::printable(anchor.subject()) }),
        }
        roots.add(der.clone()).map_err(|error| TlsError::Rejected { file: tls.client_ca.clone(), why: error.to_string() })?;
    }
    let mut encoded = Vec::new();
    let mut lists = BTreeMap::new();
    let mut next_update = Timestamp::from_micros(i64::MAX);
    for file in &tls.crls {
        for der in revocation_lists(file)? {
            let unreadable = || TlsError::BadList { file: file.clone() };
            let Ok(([], list)) = CertificateRevocationList::from_der(&der) else {
                return Err(unreadable());
            };
            let until = list.next_update().ok_or_else(unreadable)?;
            next_update = next_update.min(x509::moment(until));
            let name = list.issuer().as_raw();
            let issuer = x509::printable(list.issuer());
            if authorities.get(name).is_some_and(|key| !is_signed_by(&list, key)) {
                return Err(TlsError::ForgedList { file: file.clone(), issuer });
            }
            match lists.entry(name.to_vec()) {
                Entry::Vacant(place) => drop(place.insert(List { file: file.clone(), issuer, made: x509::moment(list.last_update()) })),
                Entry::Occupied(_) => return Err(TlsError::ListTwice { file: file.clone(), issuer }),
            }
            encoded.push(der);
        }
    }
    for der in &anchors {
        let anchor = accepted(der, &tls.client_ca, sandbox, now)?;
        if !lists.contains_key(anchor.subject().as_raw()) {
            return Err(TlsError::NoList { issuer: x509::printable(anchor.subject()) });
        }
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::new(default_provider()))
        .with_crls(encoded)
        .enforce_revocation_expiration()
        .build()
        .map_err(|error| TlsError::Rejected { file: tls.client_ca.clone(), why: error.to_string() })?;
    Ok(Trust { verifier, next_update, not_after, issuers: issuers.join("; "), lists })
}

/// The certificates of a PEM file, at least one.
pub(super) fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bytes = read_file(file)?;
    let found: Vec<_> =
        CertificateDer::pem_slice_iter(&bytes).collect::<Result<_, _>>().map_err(|_| TlsError::BadPem { file: file.to_owned() })?;
    if found.is_empty() { Err(TlsError::BadPem { file: file.to_owned() }) } else { Ok(found) }
}

/// A certificate of ours or of an authority: readable, not past its end, and no test certificate outside a sandbox.
pub(super) fn accepted<'a>(
    der: &'a CertificateDer<'_>,
    file: &Path,
    sandbox: bool,
    now: Timestamp,
) -> Result<x509_parser::certificate::X509Certificate<'a>, TlsError> {
    let certificate = x509::certificate(der).map_err(|_| TlsError::BadPem { file: file.to_owned() })?;
    let until = x509::moment(certificate.validity().not_after);
    if until <= now {
        return Err(TlsError::Expired { file: file.to_owned(), subject: x509::printable(certificate.subject()), until });
    }
    let is_example = [certificate.subject(), certificate.issuer()].iter().any(|name| x509::has_organisation(name, ORGANISATION));
    if is_example && !sandbox { Err(TlsError::Example { file: file.to_owned() }) } else { Ok(certificate) }
}

/// PEM, or DER as many authorities publish it.
fn revocation_lists(file: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
    const DER_SEQUENCE: u8 = 0x30;
    let bytes = read_file(file)?;
    if bytes.first() == Some(&DER_SEQUENCE) {
        return Ok(vec![bytes.into()]);
    }
    let found: Vec<_> = CertificateRevocationListDer::pem_slice_iter(&bytes)
        .collect::<Result<_, _>>()
        .map_err(|_| TlsError::BadList { file: file.to_owned() })?;
    if found.is_empty() { Err(TlsError::BadList { file: file.to_owned() }) } else { Ok(found) }
}

/// The verifier checks a list's signature only when a client comes; a broken list must not replace a good one before that.
fn is_signed_by(list: &CertificateRevocationList<'_>, key: &[u8]) -> bool {
    let algorithms = default_provider().signature_verification_algorithms;
    let signature = &list.signature_value.data;
    algorithms.all.iter().any(|algorithm| algorithm.verify_signature(key, list.tbs_cert_list.as_ref(), signature).is_ok())
}
