//! Consents: registering, ending, narrowing, reading. Who may is in [`super::titles`].

use serde_json::{Value, json};

use super::{
    Gateway,
    actor::Allowed,
    answer::Accepted,
    call::{Call, Caller},
    failure::Failure,
    record::{With, recorded},
    rights::{StandingConsent, consent_context, person},
    titles::Title,
};
use crate::{
    domain::{
        case::Relation,
        codes::Purpose,
        consent::{ConsentHistory, ConsentState, Exception},
        day::Day,
        entry::Act,
        ids::{CaseKey, Jti},
        life::reads_as,
        party::PartyId,
        refusal::{Refusal, RefusalCode},
        tasks::ConsentHolder,
        time::Timestamp,
    },
    ledger::Ground,
    message::objects::{ConsentEnd, ConsentGiven, Signed, SignedObject as _},
    policy::Deed,
    store::{Tag, Write},
    vault,
};

impl Gateway {
    /// `POST /v1/consents`.
    pub async fn register_consent(&self, caller: &Caller, call: &Call, body: &[u8]) -> Result<Accepted, Failure> {
        self.actor(caller, call, Allowed::OfTheUnit).await?;
        self.may_begin(caller, Deed::RegisterConsent).await?;
        let object = self.read_object::<ConsentGiven>(caller, call, body).await?;
        let (object, claims) = (&object, &object.claims);
        call.note(|t| (t.consent, t.supersedes) = (Some(object.jti), claims.sup.is_some()));
        call.note(|t| t.act = t.supersedes.then_some(Act::Supersede));
        self.register(caller, call, object.identity(), |epoch| async move {
            self.may(caller, Deed::RegisterConsent)?;
            claims.keeps(self.policy.consent_terms(), self.clock.now())?;
            if self.store.consent(&object.jti).await?.is_some() {
                // An id of another collector; the same object of the same collector was answered before this.
                return Err(RefusalCode::ReplayConflict.into());
            }
            let subject = self.vault.tag("subject", &person(caller.party(), &claims.sub));
            // Each consent has a data key of its own, listed under the person: erasing the person destroys them all.
            let (key_id, key, wrapped) = self.vault.new_data_key()?;
            let sealed = vault::seal(&key, key_id, &consent_context(&object.jti), object.compact.as_bytes())?;
            let (mut writes, mut told, mut stands_in) = (vec![Write::DataKey(key_id, wrapped)], Vec::new(), None);
            if let Some(jti) = claims.sup {
                let before = self.may_supersede(caller, claims, &jti, subject).await?;
                let case = self.unless_erased(self.case_of(&before).await?).await?;
                let (had, scope) = (|party: &PartyId| before.covered(party), claims.scope());
                let loses = |party: &PartyId| !had(party).is_subset(&scope.covered(&ConsentHistory::default(), party));
                (told, stands_in) = (self.told_of_change(&jti, case, loses).await?, self.revision_of(case).await?);
                if before.row.case.is_none() && case.is_none() {
                    told.push(Write::ConsentUnbound(jti));
                }
            } else if !self.store.person_keys(&subject).await?.is_empty() {
                // Two consents of one person side by side would leave open which of them says what the person wants.
                return Err(Refusal::claim(RefusalCode::StateConflict, "sub", "in_use").into());
            } else {
                // Of several at the same time, one row is the first: the others are decided again, and refused above.
                writes.push(Write::Person(subject));
            }
            writes.push(Write::PersonKey(subject, key_id));
            writes.push(Write::Consent { jti: object.jti, collector: caller.party().clone(), sha256: object.sha256, subject, sealed });
            writes.extend(claims.sup.map(|consent| Write::ConsentSuperseded { consent, by: object.jti }));
            writes.extend(told);
            // Only now: a refusal before could not be sealed under a key that is not stored.
            call.note(|t| t.shred = Some(key_id));
            let ground = Ground { rights_epoch: epoch, valid_until: caller.not_after.min(object.key_ends), case: stands_in, consent: None };
            let with = With { writes, object: None, ground: Some(ground), narrows: claims.sup.is_some(), key: Some(key) };
            // Not behind the commit: a repetition would bring back what was erased since.
            self.rights.keep_consent(object.sha256, object.kid, claims);
            Ok((with, json!({"consent": object.jti})))
        })
        .await
    }

    /// `POST /v1/consents/{jti}/end`: by whoever has a title to it (see `titles`). Effective from its entry; everybody whom it concerns is shown it
    /// in its list of cases.
    pub async fn end_consent(&self, caller: &Caller, call: &Call, jti: &Jti, body: &[u8]) -> Result<Accepted, Failure> {
        self.actor(caller, call, Allowed::OfTheUnit).await?;
        let object = self.read_object::<ConsentEnd>(caller, call, body).await?;
        let (object, claims) = (&object, &object.claims);
        if claims.con != *jti {
            return Err(Refusal::claim(RefusalCode::BadToken, "con", "path").into());
        }
        call.note(|t| t.act = Some(if claims.narrow.is_none() { Act::End } else { Act::Narrow }));
        self.register(caller, call, object.identity(), |epoch| async move {
            let (consent, title) = self.titled_consent(caller, jti, epoch).await?;
            self.may(caller, Deed::WithdrawConsent)?;
            let delegation = if let Title::Concerned(concerned) = title { concerned.delegation } else { None };
            call.note(|t| t.acting_for = delegation.as_ref().map(|delegation| delegation.by.clone()));
            call.note(|t| t.consent = Some(*jti));
            let case = self.unless_erased(self.case_of(&consent).await?).await?;
            call.note(|t| t.case = case);
            let shred = consent.row.sealed.key;
            call.note(|t| t.shred = Some(shred));
            if consent.row.ends.len() >= MOST_ENDS && claims.narrow.is_some() {
                return Err(Refusal::claim(RefusalCode::StateConflict, "con", "narrowed_too_often").into());
            }
            if let Some(rule) = over(&consent) {
                return Err(Refusal::claim(RefusalCode::StateConflict, "con", rule).into());
            }
            let key = self.data_key(shred).await?;
            let sealed = vault::seal(&key, shred, &consent_context(jti), object.compact.as_bytes())?;
            let whole = claims.narrow.is_none();
            let mut writes = vec![Write::ConsentEnd { consent: *jti, whole, sealed }];
            let loses = |party: &PartyId| consent.loses(party, claims.narrow.as_ref());
            writes.extend(self.told_of_change(jti, case, loses).await?);
            // Whoever comes into the case, or makes one of the consent, meanwhile is told too: then it is decided again.
            let stands_in = self.revision_of(case).await?;
            if consent.row.case.is_none() && case.is_none() {
                writes.push(Write::ConsentUnbound(*jti));
            }
            let ends = delegation.map_or(caller.not_after, |delegation| caller.not_after.min(delegation.until));
            let ground = Ground { rights_epoch: epoch, valid_until: ends.min(object.key_ends), case: stands_in, consent: None };
            Ok((With { writes, ground: Some(ground), narrows: true, ..With::default() }, json!({"consent": jti})))
        })
        .await
    }

    /// `GET /v1/consents/{jti}`: the whole of it for its collector and for public bodies that may see `consent_detail` in its case, its own part for another
    /// whom it concerns there.
    pub async fn read_consent(&self, caller: &Caller, call: &Call, jti: &Jti) -> Result<Value, Failure> {
        let acting = self.actor(caller, call, Allowed::OfTheUnit).await?;
        let decide = |epoch| async move {
            let (shown, until) = self.show_consent(caller, call, jti, acting.purpose, epoch).await?;
            let ground = Ground { rights_epoch: epoch, valid_until: until.min(caller.not_after), case: None, consent: None };
            let with = With { ground: Some(ground), ..With::default() };
            Ok((self.permit(caller, &call.trail(), with).await?, shown))
        };
        let (answer, shown) = self.commit(caller, call, decide).await?;
        recorded(answer)?;
        Ok(shown)
    }

    /// A consent as it stands now, as far as the caller may see it now, and until when that is so.
    async fn show_consent(
        &self,
        caller: &Caller,
        call: &Call,
        jti: &Jti,
        purpose: Purpose,
        epoch: u64,
    ) -> Result<(Value, Timestamp), Failure> {
        let (consent, title) = self.titled_consent(caller, jti, epoch).await?;
        let noted = |case| {
            call.note(|t| (t.consent, t.case) = (Some(*jti), case));
            call.note(|t| t.shred = Some(consent.row.sealed.key));
        };
        let concerned = match title {
            Title::Collector => {
                let case = self.unless_erased(self.case_of(&consent).await?).await?;
                // Who collected it knows whom it names; nobody else learns here who holds what.
                let holders = self.holders(jti, case, (caller.party(), purpose)).await?;
                noted(case);
                return Ok((self.whole(&consent, Some(holders)).await?, caller.not_after));
            }
            Title::Concerned(concerned) => concerned,
        };
        if concerned.delegation.is_none()
            && let Some(until) = self.sees_consent_detail(caller, call, &consent, (concerned.case, purpose), epoch).await?
        {
            // The one that is asked for may have been replaced: then it is another than the one that opens the case.
            self.not_void(epoch, &consent.open.kid, consent.row.idx).await?;
            noted(Some(concerned.case));
            // The signed form names everybody: which other services the person named is no affair of a service.
            let provider = caller.kind().is_provider();
            let shown = if provider { concerned.part(&consent, true, self.clock.now()) } else { self.whole(&consent, None).await? };
            return Ok((shown, until));
        }
        self.may(caller, Deed::WithdrawConsent)?;
        self.not_void(epoch, &consent.open.kid, consent.row.idx).await?;
        noted(Some(concerned.case));
        // No row of the person is in it: it is a list of what this body may have, and no release.
        call.note(|t| t.lists = true);
        call.note(|t| t.acting_for = concerned.delegation.as_ref().map(|delegation| delegation.by.clone()));
        let until = concerned.delegation.as_ref().map_or(caller.not_after, |delegation| delegation.until);
        Ok((concerned.part(&consent, false, self.clock.now()), until))
    }

    /// State and claims of a consent with its signed form.
    async fn whole(&self, consent: &StandingConsent, holders: Option<Vec<ConsentHolder>>) -> Result<Value, Failure> {
        let jti = consent.row.jti;
        let key = self.data_key(consent.row.sealed.key).await?;
        let compact = vault::open(&key, &consent_context(&jti), &consent.row.sealed)?;
        let signed = Signed::<ConsentGiven>::read(&compact).map_err(|_| Failure::Corrupt("consent"))?;
        let claims = signed.unproven().to_claims()?;
        let state = match consent.open.scope.standing(&consent.history, self.clock.now()) {
            ConsentState::Covers => "in_force",
            ConsentState::Withdrawn => "ended",
            _ => "not_in_force",
        };
        let mut shown =
            json!({"consent": jti, "state": state, "narrowed": consent.history.narrowed, "claims": claims, "signed": signed.token()});
        if let Some(members) = shown.as_object_mut() {
            members.extend(consent.row.superseded_by.map(|by| ("superseded_by".to_owned(), json!(by))));
            members.extend(holders.map(|holders| ("holders".to_owned(), json!(holders))));
        }
        Ok(shown)
    }

    /// That a consent may take the place of another: of the same collector and person, one that still stands, with nothing taken out since. What a
    /// representative must leave out is what was taken out or refused since the person last said anything, however many records ago that was.
    async fn may_supersede(&self, caller: &Caller, claims: &ConsentGiven, jti: &Jti, subject: Tag) -> Result<StandingConsent, Failure> {
        let before = self.consent(jti).await?.filter(|c| c.row.collector == *caller.party() && c.row.subject == subject);
        let before = before.ok_or_else(|| Refusal::claim(RefusalCode::NoConsent, "sup", "registered"))?;
        if let Some(rule) = over(&before) {
            // What was withdrawn is not brought back by replacing it: that takes a consent of its own.
            return Err(Refusal::claim(RefusalCode::StateConflict, "sup", rule).into());
        }
        self.stands_last(&before).await?;
        let (taken, last_end) = self.taken_since_the_person_spoke(&before).await?;
        // The day on the paper counts too: a record signed today of an old paper does not bring back what was taken out since.
        let older = |end: Timestamp| end > claims.issued.iat || Day::in_japan(claims.nbf) < Day::in_japan(end);
        if last_end.is_some_and(older) {
            return Err(Refusal::claim(RefusalCode::StateConflict, "sup", "narrowed_since").into());
        }
        if claims.nbf > self.clock.now() {
            // The old one ends with this entry: between the two there would be none.
            return Err(Refusal::claim(RefusalCode::BadToken, "nbf", "supersedes_at_once").into());
        }
        claims.restores_nothing(&taken)?;
        Ok(before)
    }

    /// What was refused in or taken out of a consent and those before it, back to the last that the person gave itself, that one included; and when
    /// something was last taken out.
    async fn taken_since_the_person_spoke(&self, last: &StandingConsent) -> Result<(Vec<Exception>, Option<Timestamp>), Failure> {
        let of =
            |consent: &StandingConsent| consent.open.scope.refused.iter().chain(&consent.history.narrowed).cloned().collect::<Vec<_>>();
        let (mut taken, mut last_end) = (of(last), last.last_end);
        let mut next = last.open.before_representative();
        while let Some(jti) = next {
            let consent = self.consent(&jti).await?.ok_or(Failure::Corrupt("consent"))?;
            taken.extend(of(&consent));
            last_end = last_end.max(consent.last_end);
            next = consent.open.before_representative();
        }
        Ok((taken, last_end))
    }

    /// Until when the caller may see `consent_detail` of the first message that reached it in the consent's case, if it may.
    async fn sees_consent_detail(
        &self,
        caller: &Caller,
        call: &Call,
        consent: &StandingConsent,
        (case, purpose): (CaseKey, Purpose),
        epoch: u64,
    ) -> Result<Option<Timestamp>, Failure> {
        let Some(message) = self.store.first_message(&case, caller.party()).await? else { return Ok(None) };
        let row = self.store.case_parties(&case).await?.into_iter().find(|row| row.party == *caller.party());
        let relation = row.map_or(Relation::None, |row| reads_as(row.state, caller.kind(), row.relation, message.kind));
        let in_place = self.consent_in_place(&consent.row.jti).await?.ok_or(Failure::Corrupt("consent"))?;
        self.shows_consent_detail(caller, call, &message, &in_place, (relation, purpose), epoch).await
    }

    /// A case as it stands now, for a decision that rests on who is in it.
    async fn revision_of(&self, case: Option<CaseKey>) -> Result<Option<(CaseKey, u64)>, Failure> {
        let Some(case) = case else { return Ok(None) };
        Ok(self.store.case_parties(&case).await?.first().map(|row| (case, row.revision)))
    }
}

/// Why nothing can be done to a consent any more.
const fn over(consent: &StandingConsent) -> Option<&'static str> {
    if consent.row.superseded_by.is_some() {
        Some("superseded")
    } else if consent.row.ended {
        Some("already_ended")
    } else {
        None
    }
}

/// Narrowings of one consent: they are read at every use. Who takes out more ends it and registers another.
const MOST_ENDS: usize = 64;
