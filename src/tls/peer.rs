//! Who is at the other end: read once per connection from the verified client certificate (protocol section 1).

use std::{
    fmt,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use rustls::pki_types::CertificateDer;

use super::{
    judge::Fault,
    state::TlsState,
    x509::{self, NotACertificate},
};
use crate::domain::{digest::Digest, party::PartyId, refusal::RefusalCode, time::Timestamp};

/// The other end of one connection.
pub struct Peer {
    identity: Result<PartyId, RefusalCode>,
    certificate: Digest,
    spki: Digest,
    not_after: Timestamp,
    issuer: String,
    serial: String,
    remote: SocketAddr,
    key_exchange: String,
    chain: Vec<CertificateDer<'static>>,
    state: Arc<TlsState>,
    judged: AtomicU64,
}

impl Peer {
    /// The caller's party, if its certificate is still good at `now` and names exactly one. Call it for every request.
    ///
    /// `crl_stale`, `bad_identity`, or `unknown_party` for a certificate that was revoked or expired since (the connection is then being
    /// closed).
    pub fn party(&self, now: Timestamp) -> Result<&PartyId, RefusalCode> {
        self.judge(now).map_err(Fault::code)?;
        self.identity.as_ref().map_err(|code| *code)
    }

    /// Whether the certificate is still good at `now`, whoever it names.
    pub fn judge(&self, now: Timestamp) -> Result<(), Fault> {
        self.state.judge(self, now)
    }

    /// SHA-256 of the certificate: `cnf.x5t#S256` of actor tokens (RFC 8705 section 3.1), `cert` in the ledger.
    #[must_use]
    pub const fn certificate(&self) -> Digest {
        self.certificate
    }

    /// SHA-256 of its SubjectPublicKeyInfo, which stays the same when a certificate is renewed over the same key.
    #[must_use]
    pub const fn spki(&self) -> Digest {
        self.spki
    }

    /// The earliest end among the certificates of the presented chain.
    #[must_use]
    pub const fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// Name of the authority that issued the certificate, for logs.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Serial number of the certificate, hexadecimal, for logs.
    #[must_use]
    pub fn serial(&self) -> &str {
        &self.serial
    }

    /// Where the connection comes from. Names nobody: many parties may come through one address.
    #[must_use]
    pub const fn remote(&self) -> SocketAddr {
        self.remote
    }

    /// Name of the negotiated key exchange group.
    #[must_use]
    pub fn key_exchange(&self) -> &str {
        &self.key_exchange
    }

    /// Reads a chain that was verified at the time of `epoch`.
    pub(super) fn read(
        chain: Vec<CertificateDer<'static>>,
        remote: SocketAddr,
        key_exchange: String,
        state: Arc<TlsState>,
        epoch: u64,
    ) -> Result<Self, NotACertificate> {
        let (facts, not_after) = {
            let own = x509::certificate(chain.first().ok_or(NotACertificate)?)?;
            let mut not_after = x509::moment(own.validity().not_after);
            for above in chain.iter().skip(1) {
                not_after = not_after.min(x509::moment(x509::certificate(above)?.validity().not_after));
            }
            let identity = x509::san_uris(&own).map_err(|_| RefusalCode::BadIdentity).and_then(|uris| named_party(&uris));
            let serial = own.raw_serial_as_string();
            ((identity, x509::sha256(own.as_raw()), x509::sha256(own.public_key().raw), x509::printable(own.issuer()), serial), not_after)
        };
        let (identity, certificate, spki, issuer, serial) = facts;
        Ok(Self {
            identity,
            certificate,
            spki,
            not_after,
            issuer,
            serial,
            remote,
            key_exchange,
            chain,
            state,
            judged: AtomicU64::new(epoch),
        })
    }

    pub(super) fn judge_now(&self) -> Result<(), Fault> {
        self.judge(self.state.now())
    }

    pub(super) fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// Under which epoch of the trust the chain was last verified.
    pub(super) fn judged(&self) -> u64 {
        self.judged.load(Ordering::Acquire)
    }

    pub(super) fn set_judged(&self, epoch: u64) {
        self.judged.fetch_max(epoch, Ordering::AcqRel);
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").field("identity", &self.identity).field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

const PREFIX: &str = "urn:tsunagi:party:";

/// The party that exactly one URI names. A URI that begins with the prefix in another case is counted too: `urn` is case-insensitive
/// (RFC 8141 section 3.1), and a second name must not hide behind capitals.
fn named_party(uris: &[&str]) -> Result<PartyId, RefusalCode> {
    let is_ours = |uri: &&&str| uri.get(..PREFIX.len()).is_some_and(|head| head.eq_ignore_ascii_case(PREFIX));
    let mut ours = uris.iter().filter(is_ours);
    let (Some(uri), None) = (ours.next(), ours.next()) else {
        return Err(RefusalCode::BadIdentity);
    };
    uri.strip_prefix(PREFIX).and_then(|party| party.parse().ok()).ok_or(RefusalCode::BadIdentity)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CENTRE: &str = "urn:tsunagi:party:settlement_center:13-1";

    #[test]
    fn exactly_one_uri_names_the_party() {
        assert_eq!(named_party(&[CENTRE]).unwrap().to_string(), "settlement_center:13-1");
        assert!(named_party(&["https://example.org/", CENTRE]).is_ok());
    }

    #[test]
    fn no_name_two_names_and_wrong_names_are_faults() {
        let faults: [&[&str]; 8] = [
            &[],
            &["https://example.org/"],
            &[CENTRE, CENTRE],
            &[CENTRE, "urn:tsunagi:party:auditor:tokyo"],
            &[CENTRE, "URN:Tsunagi:party:auditor:tokyo"],
            &["URN:tsunagi:party:settlement_center:13-1"],
            &["urn:tsunagi:party:settlement_center:48-1"],
            &["urn:tsunagi:party:"],
        ];
        for uris in faults {
            assert_eq!(named_party(uris), Err(RefusalCode::BadIdentity), "{uris:?}");
        }
    }
}
