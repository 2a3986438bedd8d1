//! The category of a person (対象者区分), opened by the gateway for itself to count it.
//!
//! Promises: the one row is looked at where it can rightly be opened at this moment (see [`may_count`]), and never shown. Everything else is not known:
//! what was erased, what the person took back, what a stolen key signed, what a message does not say.
//! What a correction says counts in the place of what it corrects; one that may not be opened makes it not known.
//! Not here: a later change of the situation, which a `supplement` tells: counted is as what the person was referred.

use super::{Gateway, failure::Failure, read_case::open_message};
use crate::{
    decision::{Exchange, Rights, may_count},
    domain::{
        case::Relation,
        codes::{BasisGroup, MessageKind},
        digest::Digest,
        field::FieldClass,
        refusal::RefusalCode,
        statistics::RowName,
    },
    message::disclosed::Disclosed,
    store::{MessageHead, MessageRow},
};

/// What a message says of the category.
enum Word {
    /// This, or nothing.
    Says(Option<RowName>),
    /// It may not be opened.
    Closed,
    /// It was signed with a stolen key: nobody said it.
    Void,
}

impl Gateway {
    /// What a person was referred as, by what brought the case and its corrections.
    pub(super) async fn category(&self, epoch: u64, brought: &MessageHead, heads: &[MessageHead]) -> Result<RowName, Failure> {
        let Word::Says(mut category) = self.word(epoch, brought).await? else { return Ok(RowName::NotKnown) };
        let mut corrected = vec![brought.jti];
        for head in heads.iter().filter(|head| head.kind == MessageKind::Correction && head.idx > brought.idx) {
            // A correction may be corrected in its turn.
            let term = self.store.term(&head.case, &head.jti).await?;
            if !term.and_then(|term| term.corrects).is_some_and(|jti| corrected.contains(&jti)) {
                continue;
            }
            match self.word(epoch, head).await? {
                Word::Says(other) => category = other.or(category),
                Word::Closed => return Ok(RowName::NotKnown),
                Word::Void => continue,
            }
            corrected.push(head.jti);
        }
        Ok(category.unwrap_or(RowName::NotKnown))
    }

    async fn word(&self, epoch: u64, head: &MessageHead) -> Result<Word, Failure> {
        let row = self.store.message(&head.case, &head.jti).await?.ok_or(Failure::Corrupt("message"))?;
        let Some(wrapped) = self.store.data_key(&row.sealed.key).await? else { return Ok(Word::Closed) };
        let (message, disclosed) = open_message(&self.vault.unwrap(row.sealed.key, &wrapped)?, &row)?;
        if self.is_void(epoch, &message.kid(), row.idx).await? {
            return Ok(Word::Void);
        }
        let claims = message.claims();
        let Some(agreement) = self.agreement_in(epoch, &claims.agr.id, claims.agr.ver).await? else { return Ok(Word::Closed) };
        let consent = match &disclosed.hidden.con {
            // An erased consent allows nothing any more.
            Some(named) => match self.consent_in_place(&named.jti).await? {
                Some(consent) if !self.is_void(epoch, &consent.open.kid, consent.row.idx).await? => Some(consent),
                _ => return Ok(Word::Closed),
            },
            None if self.policy.basis_group(claims.bas) == BasisGroup::Consent && !row.kind.may_name_no_consent() => {
                return Ok(Word::Closed);
            }
            None => None,
        };
        let rights = Rights { agreement: Some(&agreement.record), consent: consent.as_ref().map(|c| (&c.open.scope, &c.history)) };
        let MessageRow { iss, aud, kind, received, .. } = &row;
        let exchange = Exchange { sender: iss, reader: aud, kind: *kind, basis: claims.bas, relation: Relation::Assigned };
        let may = may_count(&self.policy, &exchange, &rights, (&claims.pur, FieldClass::CriminalStatus), *received);
        Ok(if may { Word::Says(said(&disclosed)) } else { Word::Closed })
    }

    /// Whether something was signed with a key that was stolen by then.
    async fn is_void(&self, epoch: u64, kid: &Digest, idx: u64) -> Result<bool, Failure> {
        match self.not_void(epoch, kid, idx).await {
            Ok(()) => Ok(false),
            Err(Failure::Refused(refusal)) if refusal.code == RefusalCode::KeyRevoked => Ok(true),
            Err(failure) => Err(failure),
        }
    }
}

fn said(disclosed: &Disclosed) -> Option<RowName> {
    match disclosed.row(CATEGORY)?.as_str()?.parse().ok()? {
        category @ (RowName::Exit | RowName::Entry | RowName::MunicipalRecognised) => Some(category),
        _ => None,
    }
}

const CATEGORY: &str = "subject_category";
