//! Certificate signing requests (RFC 2986): what a party or a gateway hands to the authority that will vouch for it.
//!
//! Promises: a request names exactly what the door demands of the certificate (the party as its only URI, or the gateway's host) and the use of the key;
//! whether the authority keeps that is its own business, and is looked at when the certificate is used. ECDSA P-256.

use std::net::IpAddr;

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
    PublicKeyData as _, SanType,
};
use zeroize::Zeroizing;

use super::x509;
use crate::domain::{digest::Digest, party::PartyId};

/// A request with the private key that it is about.
pub struct CertificateRequest {
    /// The request, PEM.
    pub csr_pem: String,
    /// The private key, PKCS#8 PEM. Wiped when dropped.
    pub key_pem: Zeroizing<String>,
    /// SHA-256 of the subject public key info, as a registration may name it.
    pub spki: Digest,
}

/// Why a request could not be made.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The host is neither a DNS name nor an IP address.
    #[error("not a DNS name or IP address")]
    Host,
    /// The library refused.
    #[error("the request could not be made: {0}")]
    Failed(#[from] rcgen::Error),
}

/// For a party's certificate as a client.
pub fn for_party(party: &PartyId) -> Result<CertificateRequest, RequestError> {
    let name = SanType::URI(format!("urn:tsunagi:party:{party}").as_str().try_into()?);
    request(&party.to_string(), name, ExtendedKeyUsagePurpose::ClientAuth)
}

/// For a gateway's certificate as a server, by the host that clients name: a DNS name, or an IP address (an IPv6 address with or without brackets).
pub fn for_gateway(host: &str) -> Result<CertificateRequest, RequestError> {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let name = match address.parse::<IpAddr>() {
        Ok(address) => SanType::IpAddress(address),
        Err(_) => SanType::DnsName(host.try_into().map_err(|_| RequestError::Host)?),
    };
    request(host, name, ExtendedKeyUsagePurpose::ServerAuth)
}

fn request(common_name: &str, name: SanType, usage: ExtendedKeyUsagePurpose) -> Result<CertificateRequest, RequestError> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.subject_alt_names = vec![name];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    let csr_pem = params.serialize_request(&key)?.pem()?;
    let spki = x509::sha256(&key.subject_public_key_info());
    Ok(CertificateRequest { csr_pem, key_pem: Zeroizing::new(key.serialize_pem()), spki })
}

#[cfg(test)]
mod tests {
    use x509_parser::{
        certification_request::X509CertificationRequest,
        extensions::{GeneralName, ParsedExtension},
        pem::parse_x509_pem,
        prelude::FromDer as _,
    };

    use super::*;

    /// The names and whether the key is for a client or a server.
    fn read(request: &CertificateRequest) -> (Vec<String>, bool, bool) {
        let (_, pem) = parse_x509_pem(request.csr_pem.as_bytes()).unwrap();
        let (_, csr) = X509CertificationRequest::from_der(&pem.contents).unwrap();
        assert_eq!(x509::sha256(csr.certification_request_info.subject_pki.raw), request.spki);
        let (mut names, mut client, mut server) = (Vec::new(), false, false);
        for extension in csr.requested_extensions().unwrap() {
            match extension {
                ParsedExtension::SubjectAlternativeName(san) => names.extend(san.general_names.iter().map(|name| match name {
                    GeneralName::URI(text) | GeneralName::DNSName(text) => (*text).to_owned(),
                    other => format!("{other:?}"),
                })),
                ParsedExtension::ExtendedKeyUsage(usage) => (client, server) = (usage.client_auth, usage.server_auth),
                _ => {}
            }
        }
        (names, client, server)
    }

    #[test]
    fn a_request_names_the_party_or_the_host_alone() {
        let party = for_party(&"settlement_center:13-1".parse().unwrap()).unwrap();
        assert_eq!(read(&party), (vec!["urn:tsunagi:party:settlement_center:13-1".to_owned()], true, false));
        assert!(party.key_pem.contains("PRIVATE KEY") && !party.csr_pem.contains("PRIVATE"));
        assert_eq!(read(&for_gateway("gateway.example").unwrap()), (vec!["gateway.example".to_owned()], false, true));
        let address = read(&for_gateway("[::1]").unwrap()).0;
        assert!(address.len() == 1 && address[0].starts_with("IPAddress"), "{address:?}");
        assert!(matches!(for_gateway("ゲートウェイ"), Err(RequestError::Host)));
    }
}
