//! What a message rests on: a consent that its sender may rely on (protocol section 2, "Consent rules"), or a basis that needs none.

use super::{Gateway, affair::Place, failure::Failure, rights::StandingConsent, submit::Sent};
use crate::{
    domain::{
        codes::{BasisGroup, MessageKind},
        consent::ConsentState,
        refusal::{Refusal, RefusalCode},
    },
    message::disclosed::Disclosed,
};

/// What a message rests on: a consent, or a basis that needs none.
pub(super) struct Reliance(pub(super) Option<StandingConsent>);

impl Gateway {
    /// The consent a message names, if the sender may rely on it (protocol section 2, "Consent rules").
    pub(super) async fn named_consent(
        &self,
        sent: Sent<'_>,
        place: Place<'_>,
        disclosed: &Disclosed,
        epoch: u64,
    ) -> Result<Option<StandingConsent>, Failure> {
        let Sent { caller, call, message, known, .. } = sent;
        let Some(reference) = &disclosed.hidden.con else {
            let based = self.policy.basis_group(message.claims().bas) != BasisGroup::Consent && message.claims().bref.is_some();
            // What such a message may hold without one, the policies say class by class.
            let skips = based || message.claims().kind.may_name_no_consent();
            return if skips { Ok(None) } else { Err(RefusalCode::NoConsent.into()) };
        };
        let none = |rule| Refusal::claim(RefusalCode::NoConsent, "con", rule);
        let consent = self.consent(&reference.jti).await?.ok_or_else(|| none("registered"))?;
        let bound = self.case_of(&consent).await?;
        let of_this_case = bound.is_some() && bound == place.case();
        // First of all: what is another's is told like what is not there. In its case, every party that stands in it may rely on it. A provider collects
        // none: it opens a consultation about a person whom it serves with one that names it and that no case rests on yet.
        let consults = matches!(place, Place::Opens) && message.claims().kind == MessageKind::ProviderConsultation;
        let handed_on = consults && bound.is_none() && consent.open.scope.names(caller.party());
        if consent.row.collector != *caller.party() && !of_this_case && !handed_on {
            return Err(none("registered").into());
        }
        self.not_void(epoch, &consent.open.kid, consent.row.idx).await?;
        // A refusal that names the consent is erased with it.
        call.note(|t| t.shred = Some(consent.row.sealed.key));
        if consent.row.sha256 != reference.sha256 {
            return Err(none("sha256").into());
        }
        if disclosed.hidden.sub.as_ref() != Some(&consent.open.subject) {
            return Err(none("sub").into());
        }
        if consent.row.superseded_by.is_some() {
            return Err(Refusal::claim(RefusalCode::ConsentEnded, "con", "superseded").into());
        }
        self.stands_last(&consent).await?;
        // An ended consent is told as ended, whatever it was bound to: the decision finds it so.
        let stands = consent.open.scope.standing(&consent.history, self.clock.now()) == ConsentState::Covers;
        if stands && !known && bound.is_some() && !of_this_case {
            return Err(none("bound_to_another_case").into());
        }
        call.note(|t| t.consent = Some(reference.jti));
        Ok(Some(consent))
    }
}
