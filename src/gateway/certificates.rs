//! `GET /v1/cases/{id}/certificates`: certificates as they are kept and verified, countersigned, with what was revoked (`docs/certificates.md` section 3).
//!
//! Promises: a page holds one certificate at most, so each is a disclosure of its own: decided like the read of the message that brought it, and an entry
//! of its own. Rows of the message that are no part of a certificate's file are not given. The person stands in it only where all that its digest was made
//! of is shown.

use std::collections::HashSet;

use serde::Serialize;
use serde_json::Value;

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
        time::Timestamp,
    },
    message::{
        certificate::{CertificateFile, RevocationFile},
        objects::{Certificate, Countersigned, Revocation, Signed},
    },
    store::MessageHead,
};

/// A page of certificates.
#[derive(Debug, Serialize)]
pub struct CertificatePage {
    certificates: Vec<CertificateFile>,
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
    file: CertificateFile,
    showing: Showing,
    disclosed: Vec<FieldKey>,
    cursor: Option<String>,
}

impl Gateway {
    /// The first certificate of a case behind `after` that the caller may see.
    pub async fn certificates(&self, caller: &Caller, call: &Call, id: &CaseId, after: Option<u64>) -> Result<CertificatePage, Failure> {
        let acting = self.actor(caller, call, Allowed::Only(Purpose::AddonCertification)).await?;
        let empty = CertificatePage { certificates: Vec::new(), cursor: None, ledger: None, committed: None };
        if self.next_certificate(caller, call, &acting, (id, after), caller.seen.rights_epoch).await?.is_none() {
            return Ok(empty);
        }
        let (acting, began) = (&acting, call.trail());
        let decide = |epoch| {
            call.note(|t| t.clone_from(&began));
            async move {
                // It was there just now: what took it away since refuses it.
                let shown = self.next_certificate(caller, call, acting, (id, after), epoch).await?.ok_or(RefusalCode::NotFound)?;
                call.note(|t| shown.showing.note(t, &shown.disclosed));
                let (writes, ground) = (self.released(caller, &shown.showing)?, shown.showing.ground(epoch, Timestamp::MAX));
                let with = With { writes, ground: Some(ground), key: Some(shown.showing.key), ..With::default() };
                Ok((self.permit(caller, &call.trail(), with).await?, (shown.file, shown.cursor)))
            }
        };
        let (answer, (file, cursor)) = self.commit(caller, call, decide).await?;
        let committed = recorded(answer)?;
        let since = Stopwatch::start();
        let ledger = Some(self.proof(&committed)?.proof);
        Ok(CertificatePage { certificates: vec![file], cursor, ledger, committed: Some(since) })
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
                Ok(Some((file, showing, disclosed))) => {
                    let cursor = (last != Some(head.idx)).then(|| head.idx.to_string());
                    return Ok(Some(Shown { file, showing, disclosed, cursor }));
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
    ) -> Result<Option<(CertificateFile, Showing, Vec<FieldKey>)>, Failure> {
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
        let file = CertificateFile {
            certificate: token.to_owned(),
            countersignature: self.countersign(&first.vouched, first.first()).await?,
            issuer_key: self.jwk(epoch, &signed.kid()).await?,
            revocations: self.revocations(&showing.case, first.first(), epoch).await?,
            person,
        };
        let of_file = |key: &FieldKey| key.as_str() == "certificate" || (file.person.is_some() && PERSON.contains(&key.as_str()));
        let disclosed = showing.view.shown().iter().filter(|key| of_file(key)).cloned().collect();
        Ok(Some((file, showing, disclosed)))
    }

    /// What was revoked of a certificate that stands at an entry, each once. Whoever may see the certificate may see that: without it the certificate
    /// would say what is no longer so.
    async fn revocations(&self, case: &CaseKey, certificate: u64, epoch: u64) -> Result<Vec<RevocationFile>, Failure> {
        let mut files = Vec::new();
        for revocation in self.brought(case, Countersigned::Revocation).await? {
            if revocation.vouched.idx.is_some() || !revocation.vouched.ent.contains(&certificate) {
                continue;
            }
            let row = self.store.message(case, &revocation.head.jti).await?.ok_or(Failure::Corrupt("message"))?;
            let (_, disclosed) = open_message(&self.data_key(row.sealed.key).await?, &row)?;
            let token = disclosed.rows.iter().find(|row| row.key.as_str() == "revocation_token").and_then(|row| row.value.as_str());
            let token = token.ok_or(Failure::Corrupt("revocation"))?;
            let kid = Signed::<Revocation>::read(token.as_bytes()).map_err(|_| Failure::Corrupt("revocation"))?.kid();
            match self.not_void(epoch, &kid, row.idx).await {
                Ok(()) => {}
                // A thief revoked it.
                Err(Failure::Refused(_)) => continue,
                Err(failure) => return Err(failure),
            }
            files.push(RevocationFile {
                revocation: token.to_owned(),
                countersignature: self.countersign(&revocation.vouched, revocation.head.idx).await?,
                issuer_key: self.jwk(epoch, &kid).await?,
            });
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
