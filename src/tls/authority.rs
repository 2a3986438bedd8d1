//! The test authority of a sandbox.
//!
//! Promises: certificates and revocation lists that the gateway accepts in a sandbox and refuses everywhere else, because each names
//! [`ORGANISATION`]. ECDSA P-256 throughout.
//! Not here: an authority for real use. Its key lies in a folder next to what it protects.

use std::{
    fmt,
    fs::{self, OpenOptions},
    io::{self, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use aws_lc_rs::rand;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, RevokedCertParams, SanType, SerialNumber,
};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::x509;
use crate::{
    config::{ConfigError, read_file, read_secret},
    domain::{digest::Digest, party::PartyId, time::Timestamp},
};

/// Organisation in the name of every certificate made here.
pub const ORGANISATION: &str = "Tsunagi sandbox";

/// Why something cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] ConfigError),
    /// A file cannot be written.
    #[error("{file}: {source}")]
    Write {
        /// The file.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// Not a certificate and key of a sandbox authority.
    #[error("not a sandbox authority: certificate or key cannot be read")]
    NotAnAuthority,
    /// Not a certificate.
    #[error("not a readable certificate in PEM form")]
    NotACertificate,
    /// A time before 1950 or after 9999 (RFC 5280 section 4.1.2.5).
    #[error("a time that no certificate can carry")]
    Time,
    /// The library refuses.
    #[error("cannot make a certificate: {0}")]
    Refused(#[from] rcgen::Error),
    /// No randomness.
    #[error("the random generator of the machine failed")]
    NoEntropy,
}

/// From when until when a certificate or a revocation list holds.
#[derive(Debug, Clone, Copy)]
pub struct Validity {
    /// First moment.
    pub from: Timestamp,
    /// Last moment.
    pub until: Timestamp,
}

impl Validity {
    /// From five minutes before `now`, for clocks that are a little behind, until `days` after it.
    #[must_use]
    pub const fn days(now: Timestamp, days: i64) -> Self {
        Self { from: now.plus_secs(-300), until: now.plus_secs(days.saturating_mul(86_400)) }
    }
}

/// Serial number of a certificate, as its bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Serial(Vec<u8>);

impl Serial {
    /// The serial number of a certificate in PEM form, to revoke it.
    pub fn of(cert_pem: &str) -> Result<Self, AuthorityError> {
        let der = CertificateDer::from_pem_slice(cert_pem.as_bytes()).map_err(|_| AuthorityError::NotACertificate)?;
        let certificate = x509::certificate(&der).map_err(|_| AuthorityError::NotACertificate)?;
        Ok(Self(certificate.raw_serial().to_vec()))
    }
}

/// A certificate with its private key.
pub struct Issued {
    /// The certificate, PEM.
    pub cert_pem: String,
    /// The private key, PKCS#8 PEM. Wiped when dropped.
    pub key_pem: Zeroizing<String>,
    /// To revoke it.
    pub serial: Serial,
    /// SHA-256 of the certificate.
    pub digest: Digest,
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issued").field("serial", &self.serial).field("key_pem", &"[redacted]").finish_non_exhaustive()
    }
}

/// The authority.
pub struct SandboxAuthority {
    cert_pem: String,
    key_pem: Zeroizing<String>,
    issuer: Issuer<'static, KeyPair>,
}

impl SandboxAuthority {
    /// A new authority, valid for ten years from `now`.
    pub fn create(now: Timestamp) -> Result<Self, AuthorityError> {
        let mut tag = [0; 4];
        rand::fill(&mut tag).map_err(|_| AuthorityError::NoEntropy)?;
        let name = format!("Tsunagi sandbox authority {:08x}", u32::from_be_bytes(tag));
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = authority_params(&name);
        params.serial_number = Some(new_serial()?);
        set_validity(&mut params, Validity::days(now, 3650))?;
        let cert_pem = params.self_signed(&key)?.pem();
        let key_pem = Zeroizing::new(key.serialize_pem());
        Ok(Self { cert_pem, key_pem, issuer: Issuer::new(params, key) })
    }

    /// An authority that was made before.
    pub fn from_pem(cert_pem: &str, key_pem: &str) -> Result<Self, AuthorityError> {
        let der = CertificateDer::from_pem_slice(cert_pem.as_bytes()).map_err(|_| AuthorityError::NotAnAuthority)?;
        let certificate = x509::certificate(&der).map_err(|_| AuthorityError::NotAnAuthority)?;
        let name =
            certificate.subject().iter_common_name().next().and_then(|name| name.as_str().ok()).ok_or(AuthorityError::NotAnAuthority)?;
        let key = KeyPair::from_pem(key_pem).map_err(|_| AuthorityError::NotAnAuthority)?;
        let is_ours = x509::has_organisation(certificate.subject(), ORGANISATION);
        if !is_ours || certificate.public_key().subject_public_key.data != key.public_key_raw() {
            return Err(AuthorityError::NotAnAuthority);
        }
        let issuer = Issuer::new(authority_params(name), key);
        Ok(Self { cert_pem: cert_pem.to_owned(), key_pem: Zeroizing::new(key_pem.to_owned()), issuer })
    }

    /// Writes `ca.pem` and `ca.key` (mode 0600) into a folder. Files that exist are not replaced.
    pub fn save(&self, folder: &Path) -> Result<(), AuthorityError> {
        write_new(&folder.join(CERTIFICATE_FILE), self.cert_pem.as_bytes(), 0o644)?;
        write_new(&folder.join(KEY_FILE), self.key_pem.as_bytes(), 0o600)
    }

    /// Reads what [`Self::save`] wrote.
    pub fn load(folder: &Path) -> Result<Self, AuthorityError> {
        let certificate = read_file(&folder.join(CERTIFICATE_FILE))?;
        let key = read_secret(&folder.join(KEY_FILE))?;
        let text = |bytes| std::str::from_utf8(bytes).map_err(|_| AuthorityError::NotAnAuthority);
        Self::from_pem(text(&certificate)?, text(&key)?)
    }

    /// The authority's certificate, PEM.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.cert_pem
    }

    /// A client certificate for a party.
    pub fn issue_client(&self, party: &PartyId, validity: Validity) -> Result<Issued, AuthorityError> {
        self.issue_client_with_uris(&[&format!("urn:tsunagi:party:{party}")], validity)
    }

    /// A client certificate with exactly these URIs, right or wrong: for trying out what the gateway refuses.
    pub fn issue_client_with_uris(&self, uris: &[&str], validity: Validity) -> Result<Issued, AuthorityError> {
        let names = uris.iter().map(|uri| Ok(SanType::URI((*uri).try_into()?))).collect::<Result<_, rcgen::Error>>()?;
        self.issue("client", names, ExtendedKeyUsagePurpose::ClientAuth, validity)
    }

    /// A server certificate for this machine: `localhost`, `127.0.0.1`, `::1`.
    pub fn issue_server(&self, validity: Validity) -> Result<Issued, AuthorityError> {
        let names = vec![
            SanType::DnsName("localhost".try_into()?),
            SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            SanType::IpAddress(IpAddr::V6(Ipv6Addr::LOCALHOST)),
        ];
        self.issue("server", names, ExtendedKeyUsagePurpose::ServerAuth, validity)
    }

    /// A revocation list, PEM, made at `validity.from` and to be replaced before `validity.until`.
    pub fn crl(&self, revoked: &[Serial], validity: Validity) -> Result<String, AuthorityError> {
        let made = calendar(validity.from)?;
        let entry = |serial: &Serial| RevokedCertParams {
            serial_number: SerialNumber::from_slice(&serial.0),
            revocation_time: made,
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: made,
            next_update: calendar(validity.until)?,
            crl_number: SerialNumber::from(u64::try_from(validity.from.micros()).map_err(|_| AuthorityError::Time)?),
            issuing_distribution_point: None,
            revoked_certs: revoked.iter().map(entry).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Ok(params.signed_by(&self.issuer)?.pem()?)
    }

    fn issue(&self, name: &str, names: Vec<SanType>, usage: ExtendedKeyUsagePurpose, validity: Validity) -> Result<Issued, AuthorityError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let serial = new_serial()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = distinguished_name(&format!("Tsunagi sandbox {name}"));
        params.subject_alt_names = names;
        params.serial_number = Some(serial.clone());
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        params.use_authority_key_identifier_extension = true;
        set_validity(&mut params, validity)?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Issued {
            cert_pem: certificate.pem(),
            key_pem: Zeroizing::new(key.serialize_pem()),
            serial: Serial(serial.to_bytes()),
            digest: x509::sha256(certificate.der()),
        })
    }
}

impl fmt::Debug for SandboxAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SandboxAuthority").finish_non_exhaustive()
    }
}

const CERTIFICATE_FILE: &str = "ca.pem";
const KEY_FILE: &str = "ca.key";

/// All that an issuer needs besides its key follows from its name, so that it can be made again from the certificate.
fn authority_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = distinguished_name(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn distinguished_name(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, ORGANISATION);
    name.push(DnType::CommonName, common_name);
    name
}

/// 16 random bytes, positive and without a leading zero (RFC 5280 section 4.1.2.2).
fn new_serial() -> Result<SerialNumber, AuthorityError> {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).map_err(|_| AuthorityError::NoEntropy)?;
    let [first, ..] = &mut bytes;
    *first = (*first & 0x7f) | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}

fn set_validity(params: &mut CertificateParams, validity: Validity) -> Result<(), AuthorityError> {
    params.not_before = calendar(validity.from)?;
    params.not_after = calendar(validity.until)?;
    Ok(())
}

fn calendar(moment: Timestamp) -> Result<OffsetDateTime, AuthorityError> {
    OffsetDateTime::from_unix_timestamp(moment.secs()).map_err(|_| AuthorityError::Time)
}

fn write_new(file: &Path, bytes: &[u8], mode: u32) -> Result<(), AuthorityError> {
    let failed = |source| AuthorityError::Write { file: file.display().to_string(), source };
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut opened = OpenOptions::new().write(true).create_new(true).mode(mode).open(file).map_err(failed)?;
    opened.write_all(bytes).and_then(|()| opened.sync_all()).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp::from_secs(1_795_000_000);

    fn uris(cert_pem: &str) -> Vec<String> {
        let der = CertificateDer::from_pem_slice(cert_pem.as_bytes()).unwrap();
        let certificate = x509::certificate(&der).unwrap();
        x509::san_uris(&certificate).unwrap().into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn a_client_certificate_names_its_party_and_carries_its_serial() {
        let authority = SandboxAuthority::create(NOON).unwrap();
        let party: PartyId = "settlement_center:13-1".parse().unwrap();
        let issued = authority.issue_client(&party, Validity::days(NOON, 90)).unwrap();
        assert_eq!(uris(&issued.cert_pem), ["urn:tsunagi:party:settlement_center:13-1"]);
        assert_eq!(Serial::of(&issued.cert_pem).unwrap(), issued.serial);
    }

    #[test]
    fn a_saved_authority_issues_what_the_first_one_signs_for() {
        let folder = tempfile::tempdir().unwrap();
        let first = SandboxAuthority::create(NOON).unwrap();
        first.save(folder.path()).unwrap();
        assert!(matches!(first.save(folder.path()), Err(AuthorityError::Write { .. })));
        let again = SandboxAuthority::load(folder.path()).unwrap();
        assert_eq!(again.ca_pem(), first.ca_pem());
        let name = |authority: &SandboxAuthority| {
            let issued = authority.issue_server(Validity::days(NOON, 1)).unwrap();
            let der = CertificateDer::from_pem_slice(issued.cert_pem.as_bytes()).unwrap();
            x509::certificate(&der).unwrap().issuer().as_raw().to_vec()
        };
        assert_eq!(name(&again), name(&first));
    }

    #[test]
    fn a_key_of_another_authority_is_refused() {
        let (one, two) = (SandboxAuthority::create(NOON).unwrap(), SandboxAuthority::create(NOON).unwrap());
        assert!(matches!(SandboxAuthority::from_pem(&one.cert_pem, &two.key_pem), Err(AuthorityError::NotAnAuthority)));
    }

    #[test]
    fn private_keys_do_not_print() {
        let authority = SandboxAuthority::create(NOON).unwrap();
        let issued = authority.issue_server(Validity::days(NOON, 1)).unwrap();
        for shown in [format!("{issued:?}"), format!("{authority:?}")] {
            assert!(!shown.contains("PRIVATE"), "{shown}");
        }
    }
}
