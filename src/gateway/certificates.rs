//! `GET /v1/cases/{id}/certificates`: certificates as they are kept and verified, countersigned, with what was revoked (`docs/certificates.md` section 3).
//!
//! Promises: a page holds one certificate at most, so each is a disclosure of its own: decided like the read of the message that brought it, an entry
//! of its own with the digest of what is given, and sealed to the reader's key. Rows of the message that are no part of a certificate's file are not given.
//! The person stands in it only where all that its digest was made of is shown.

use std::collections::HashSet;

use serde::Serialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::{
    Gateway,
    actor::{Acting, Allowed},
    answer::LedgerProof,
    call::{Call, Caller},
    certify::person_of,
    delegates::standing,
    failure::Failure,
    read_case::{Showing, open_message},
    record::{With, recorded},
};
use crate::{
    clock::Stopwatch,
    domain::{
        codes::{MessageKind, Purpose},
        digest::Digest,
        field::FieldKey,
        ids::{CaseId, CaseKey},
        refusal::{Refusal, RefusalCode},
    },
    ledger::MessageRef,
    message::{
        certificate::{CertificateFile, RevocationFile},
        objects::{Certificate, Countersigned, Revocation, Signed},
        profile::CERTIFICATE_CTY,
    },
    store::MessageHead,
};

/// A page of certificates.
#[derive(Debug, Serialize)]
pub struct CertificatePage {
    /// The file, sealed to the reader's key.
    certificates: Vec<String>,
    /// Where the next page begins; none: this was the last.
    cursor: Option<String>,
    /// The entry of this page; an empty one has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    ledger: Option<LedgerProof>,
    #[serde(skip)]
    committed: Option<Stopwatch>,
}

impl CertificatePage {
    /// Runs since the commit of a page that discloses something.
    #[must_use]
    pub const fn committed(&self) -> Option<Stopwatch> {
        self.committed
    }
}

/// A certificate that may be shown now.
struct Shown {
    given: Given,
    cursor: Option<String>,
}

/// What is given of a message that brought a certificate.
struct Given {
    file: CertificateFile,
    showing: Showing,
    disclosed: Vec<FieldKey>,
    /// The messages that brought what was revoked.
    further: Vec<MessageRef>,
}

impl Gateway {
    /// The first certificate of a case behind `after` that the caller may see.
    pub async fn certificates(&self, caller: &Caller, call: &Call, id: &CaseId, after: Option<u64>) -> Result<CertificatePage, Failure> {
        let acting = self.actor(caller, call, Allowed::Only(Purpose::AddonCertification)).await?;
        let empty = CertificatePage { certificates: Vec::new(), cursor: None, ledger: None, committed: None };
        match self.next_certificate(caller, call, &acting, (id, after), caller.seen.rights_epoch).await {
            Ok(None) => return Ok(empty),
            Ok(Some(_)) => {}
            // It is looked at again where what is decided is recorded.
            Err(failure) if failure.may_be_torn() => {}
            Err(failure) => return Err(failure),
        }
        let (acting, began) = (&acting, call.trail());
        let decide = |epoch| {
            call.note(|t| t.clone_from(&began));
            async move {
                // It was there just now: what took it away since refuses it.
                let shown = self.next_certificate(caller, call, acting, (id, after), epoch).await?.ok_or(RefusalCode::NotFound)?;
                let Shown { given: Given { file, showing, disclosed, further }, cursor } = shown;
                let reader_key = self.encryption_key(caller, epoch, self.clock.now()).await?;
                let bytes = Zeroizing::new(serde_json::to_vec(&file).map_err(|_| Failure::Corrupt("certificate"))?);
                let rel = self.ids.jti()?;
                call.note(|t| showing.note(t, &disclosed));
                call.note(|t| (t.sd_hash, t.rel, t.further) = (Some(Digest::of(&bytes)), Some(rel), further));
                let (writes, ground) = (self.released(&showing)?, showing.ground(epoch, reader_key.naf));
                let with = With { writes, ground: Some(ground), key: Some(showing.key), ..With::default() };
                Ok((self.permit(caller, &call.trail(), with).await?, (bytes, reader_key, cursor)))
            }
        };
        let (answer, (bytes, reader_key, cursor)) = self.commit(caller, call, decide).await?;
        let committed = recorded(answer)?;
        let since = Stopwatch::start();
        if committed.sd_hash() != Some(Digest::of(&bytes)) {
            return Err(Failure::Corrupt("entry"));
        }
        let sealed = self.rights.sealer(&reader_key)?.seal(CERTIFICATE_CTY, &bytes).map_err(|_| Failure::Corrupt("key"))?;
        let ledger = Some(self.proof(&committed)?.proof);
        Ok(CertificatePage { certificates: vec![sealed], cursor, ledger, committed: Some(since) })
    }

    /// Passes over what the caller may not see; where it may see nothing of what there is, the first refusal says why.
    async fn next_certificate(
        &self,
        caller: &Caller,
        call: &Call,
        acting: &Acting,
        (id, after): (&CaseId, Option<u64>),
        epoch: u64,
    ) -> Result<Option<Shown>, Failure> {
        let (row, _) = self.place_in(caller, epoch, id).await?;
        standing(&row)?;
        let brings = |head: &MessageHead| head.kind == MessageKind::CoordinationCertificate && after.is_none_or(|after| head.idx > after);
        let heads: Vec<MessageHead> = self.store.case_heads(&row.case).await?.into_iter().filter(brings).collect();
        let last = heads.last().map(|head| head.idx);
        let (began, mut refused) = (call.trail(), None);
        for head in heads {
            match self.certificate_in(caller, call, acting, (id, &head), epoch).await {
                Ok(Some(given)) => {
                    let cursor = (last != Some(head.idx)).then(|| head.idx.to_string());
                    return Ok(Some(Shown { given, cursor }));
                }
                Ok(None) | Err(Failure::Refused(Refusal { code: RefusalCode::NotFound, .. })) => {}
                Err(Failure::Refused(refusal)) => {
                    refused.get_or_insert((refusal, call.trail()));
                }
                Err(failure) => return Err(failure),
            }
            call.note(|t| t.clone_from(&began));
        }
        match refused {
            Some((refusal, trail)) if after.is_none() => {
                call.note(|t| *t = trail);
                Err(refusal.into())
            }
            _ => Ok(None),
        }
    }

    /// The certificate that a message brought, as the caller may see it now; nothing where it is withheld.
    async fn certificate_in(
        &self,
        caller: &Caller,
        call: &Call,
        acting: &Acting,
        (id, head): (&CaseId, &MessageHead),
        epoch: u64,
    ) -> Result<Option<Given>, Failure> {
        let seat = self.seat(caller, epoch, id, Some(&head.jti)).await?;
        let showing = self.showing(caller, call, acting, seat, epoch).await?;
        let shown: HashSet<&FieldKey> = showing.view.shown().iter().collect();
        let rows = || showing.disclosed.rows.iter().filter(|row| shown.contains(&row.key));
        let row = |key: &str| rows().find(|row| row.key.as_str() == key).map(|row| &row.value);
        let Some(token) = row("certificate").and_then(Value::as_str) else { return Ok(None) };
        let signed = Signed::<Certificate>::read(token.as_bytes()).map_err(|_| Failure::Corrupt("certificate"))?;
        let named = signed.named();
        let brought = self.brought(&showing.case, Countersigned::Certificate).await?;
        // A message of a time before the gateway vouched for any.
        let Some(first) = brought.iter().find(|brought| brought.vouched.sha256 == named.sha256) else { return Ok(None) };
        self.not_void(epoch, &signed.kid(), first.first()).await?;
        let person = person_of(row).filter(|person| person.digest() == Ok(signed.unproven().person));
        let (revocations, further) = self.revocations(&showing.case, first.first(), epoch).await?.into_iter().unzip();
        let file = CertificateFile {
            certificate: token.to_owned(),
            countersignature: self.countersign(&first.vouched, first.first()).await?,
            issuer_key: self.jwk(epoch, &signed.kid()).await?,
            revocations,
            person,
        };
        let of_file = |key: &FieldKey| key.as_str() == "certificate" || (file.person.is_some() && PERSON.contains(&key.as_str()));
        let mut disclosed: Vec<FieldKey> = showing.view.shown().iter().filter(|key| of_file(key)).cloned().collect();
        if !file.revocations.is_empty() {
            disclosed.push(REVOCATION.parse().map_err(|_| Failure::Corrupt("catalogue"))?);
        }
        Ok(Some(Given { file, showing, disclosed, further }))
    }

    /// What was revoked of a certificate that stands at an entry, each once, and the message that brought it. Whoever may see the certificate may see that: without it the certificate
    /// would say what is no longer so.
    async fn revocations(&self, case: &CaseKey, certificate: u64, epoch: u64) -> Result<Vec<(RevocationFile, MessageRef)>, Failure> {
        let mut files = Vec::new();
        for revocation in self.brought(case, Countersigned::Revocation).await? {
            if revocation.vouched.idx.is_some() || !revocation.vouched.ent.contains(&certificate) {
                continue;
            }
            let row = self.store.message(case, &revocation.head.jti).await?.ok_or(Failure::Corrupt("message"))?;
            let (_, disclosed) = open_message(&self.data_key(row.sealed.key).await?, &row)?;
            let token = disclosed.row(REVOCATION).and_then(Value::as_str).ok_or(Failure::Corrupt("revocation"))?;
            let kid = Signed::<Revocation>::read(token.as_bytes()).map_err(|_| Failure::Corrupt("revocation"))?.kid();
            match self.not_void(epoch, &kid, row.idx).await {
                Ok(()) => {}
                // A thief revoked it.
                Err(Failure::Refused(_)) => continue,
                Err(failure) => return Err(failure),
            }
            let file = RevocationFile {
                revocation: token.to_owned(),
                countersignature: self.countersign(&revocation.vouched, revocation.head.idx).await?,
                issuer_key: self.jwk(epoch, &kid).await?,
            };
            files.push((file, MessageRef { iss: row.iss, jti: row.jti }));
        }
        Ok(files)
    }

    /// A registered key as a JWK, in force or not: it was when it signed.
    async fn jwk(&self, epoch: u64, kid: &Digest) -> Result<Value, Failure> {
        let key = self.key_in(epoch, kid).await?.ok_or(Failure::Corrupt("key"))?;
        Ok(self.rights.public_key(&key)?.jwk())
    }
}

/// The rows of which a certificate's digest of the person is made.
const PERSON: &[&str] = &["certificate_salt", "family_name", "given_name", "birth_date", "recipient_cert_number"];
/// The row that brings what was revoked.
const REVOCATION: &str = "revocation_token";
