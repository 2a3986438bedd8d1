//! Reading: party -> relation -> classes -> disclosures -> entry -> commit -> key binding -> JWE.

use std::{collections::HashSet, sync::Arc};

use super::{
    Gateway,
    actor::{Acting, Allowed},
    answer::Release,
    call::{Call, Caller, Trail},
    delegates::{Delegated, Seat},
    examine::classes,
    failure::Failure,
    known::KnownAgreement,
    record::With,
    retention::KeepFor,
    rights::StandingConsent,
    submit::message_context,
};
use crate::{
    clock::Stopwatch,
    decision::{self, Exchange, Question, Rights, Row, View, Viewing},
    domain::{
        case::{CaseState, Relation},
        codes::{BasisGroup, Purpose},
        field::FieldKey,
        ids::{CaseId, CaseKey, Jti},
        party::PartyId,
        refusal::{Refusal, RefusalCode},
        time::Timestamp,
    },
    ledger::{AgreementRef, Answer, Committed, Ground, MessageRef, SchemaRef, Withheld},
    message::{
        Verified,
        disclosed::{ConsentRef, Disclosed, Presentation},
        key_binding::{self, Grounds, KbClaims, Nonce},
        profile::RELEASE_CTY,
        submission::{self, Message},
    },
    policy::Deed,
    store::{CaseRow, EvidenceRow, EvidenceState, KeyRow, KeyState, MessageRow, PartyKeyUse, Write},
    vault::{self, DataKey},
};

/// What a read decided, before it is committed.
struct Prepared {
    presentation: Presentation,
    kb: Jti,
    agreement: Arc<KnownAgreement>,
    consent: Option<ConsentRef>,
    reader_key: KeyRow,
    on_behalf_of: Option<PartyId>,
    keep: KeepFor,
}

/// A message as its reader may see it now.
pub(super) struct Showing {
    pub case: CaseKey,
    /// State of the case.
    pub state: CaseState,
    pub row: MessageRow,
    /// Its data key.
    pub key: DataKey,
    pub message: Verified<Message>,
    pub disclosed: Disclosed,
    /// Its rows with their classes.
    pub rows: Vec<Row>,
    pub view: View,
    /// Whether it is the caller's own, or that of the one in whose place it looks.
    pub own: bool,
    agreement: Arc<KnownAgreement>,
    consent: Option<StandingConsent>,
    delegation: Option<Delegated>,
}

impl Showing {
    /// What an entry rests on that discloses of it, and until when at the latest.
    pub(super) fn ground(&self, epoch: u64, until: Timestamp) -> Ground {
        Ground { rights_epoch: epoch, valid_until: self.view.valid_until().min(until), case: None, consent: None }
    }

    /// Notes which of its rows are disclosed, and what else was decided about it.
    pub(super) fn note(&self, trail: &mut Trail, disclosed: &[FieldKey]) {
        trail.rules.clone_from(self.view.rules());
        trail.counts = true;
        trail.disclosed = disclosed.to_vec();
        trail.withheld = self.view.hidden().iter().map(|h| Withheld { field: h.key.clone(), rules: h.rules.clone() }).collect();
        trail.classes = self.rows.iter().filter(|row| disclosed.contains(&row.key)).map(|row| row.class).collect();
    }
}

impl Gateway {
    /// `GET /v1/cases/{id}`: the first message addressed to the reader.
    pub async fn read_case(&self, caller: &Caller, call: &Call, id: &CaseId) -> Result<Release, Failure> {
        let acting = self.actor(caller, call, Allowed::OfTheUnit).await?;
        self.release(caller, call, &acting, id, None).await
    }

    /// `GET /v1/cases/{id}/messages/{jti}`.
    pub async fn read_message(&self, caller: &Caller, call: &Call, id: &CaseId, jti: &Jti) -> Result<Release, Failure> {
        let acting = self.actor(caller, call, Allowed::OfTheUnit).await?;
        self.release(caller, call, &acting, id, Some(jti)).await
    }

    async fn release(&self, caller: &Caller, call: &Call, acting: &Acting, id: &CaseId, jti: Option<&Jti>) -> Result<Release, Failure> {
        let nonce = acting.nonce.clone().ok_or(RefusalCode::ActorInvalid)?;
        let decided = self
            .commit(caller, call, |epoch| async move {
                let (with, prepared) = self.prepare(caller, call, acting, id, jti, epoch).await?;
                Ok((self.permit(caller, &call.trail(), with).await?, prepared))
            })
            .await?;
        match decided {
            (Answer::Committed(committed), prepared) => self.sign_release(caller, &nonce, (&committed, Stopwatch::start()), prepared),
            (Answer::ActorReplayed, _) => Err(RefusalCode::ActorReplayed.into()),
            (Answer::Known { .. } | Answer::Conflict | Answer::Stale, _) => Err(Failure::Ledger(crate::ledger::LedgerError::Unavailable)),
        }
    }

    async fn prepare(
        &self,
        caller: &Caller,
        call: &Call,
        acting: &Acting,
        id: &CaseId,
        jti: Option<&Jti>,
        epoch: u64,
    ) -> Result<(With, Prepared), Failure> {
        let now = self.clock.now();
        let seat = self.seat(caller, epoch, id, jti).await?;
        let showing = self.showing(caller, call, acting, seat, epoch).await?;
        let reader_key = self.encryption_key(caller, epoch, now).await?;
        let shown: HashSet<&FieldKey> = showing.view.shown().iter().collect();
        let presentation = showing.message.present_rows(&showing.disclosed, |row| shown.contains(&row.key), showing.view.consent_detail());
        let kb = self.ids.jti()?;
        call.note(|t| t.sd_hash = Some(presentation.sd_hash()));
        call.note(|t| t.rel = Some(kb));
        call.note(|t| showing.note(t, showing.view.shown()));
        let (writes, ground) = (self.released(&showing)?, showing.ground(epoch, reader_key.naf));
        let Showing { case, state, key, agreement, consent, view, delegation, .. } = showing;
        let with = With { writes, ground: Some(ground), key: Some(key), ..With::default() };
        let consent = consent.filter(|_| view.consent_detail()).map(|c| ConsentRef { jti: c.row.jti, sha256: c.row.sha256 });
        let keep = self.keep_for(&case, (state, caller.kind()), agreement.record.retention_months(now)).await?;
        let prepared = Prepared { presentation, kb, agreement, consent, reader_key, on_behalf_of: delegation.map(|d| d.by), keep };
        Ok((with, prepared))
    }

    /// Decides what the caller may see of a message now, and notes what was decided on.
    pub(super) async fn showing(&self, caller: &Caller, call: &Call, acting: &Acting, seat: Seat, epoch: u64) -> Result<Showing, Failure> {
        let now = self.clock.now();
        let Seat { case, state, message: row, wrapped, relation, own, delegation } = seat;
        call.note(|t| t.acting_for = delegation.as_ref().map(|d| d.by.clone()));
        call.note(|t| t.case = Some(case));
        call.note(|t| t.shred = Some(row.sealed.key));
        self.may(caller, Deed::Pull { kind: row.kind, relation })?;
        call.note(|t| t.kind = Some(row.kind));
        call.note(|t| t.message = Some(MessageRef { iss: row.iss.clone(), jti: row.jti }));
        call.note(|t| t.recipient = Some(caller.party().clone()));
        call.note(|t| t.request = Some(row.digest));
        let key = match wrapped {
            Some(wrapped) => self.vault.unwrap(row.sealed.key, &wrapped)?,
            None => self.data_key(row.sealed.key).await?,
        };
        let (message, disclosed) = open_message(&key, &row)?;
        self.not_void(epoch, &message.kid(), row.idx).await?;
        call.note(|t| t.basis = Some(message.claims().bas));
        let agreement = self.named_agreement(&message, call, epoch).await?;
        let reference = disclosed.hidden.con.as_ref();
        let consent = match reference {
            Some(reference) => {
                let consent = self.consent_in_place(&reference.jti).await?.ok_or(Failure::Corrupt("consent"))?;
                self.not_void(epoch, &consent.open.kid, consent.row.idx).await?;
                // The entry names the consent the release rests on, and is found under the one the message names as well.
                call.note(|t| t.consent = Some(consent.row.jti));
                call.note(|t| t.named = (reference.jti != consent.row.jti).then_some(reference.jti));
                if own && self.left_out_since(&reference.jti, &consent, caller.party()).await? {
                    return Err(Refusal::claim(RefusalCode::ConsentScope, "aud", "consent_item").into());
                }
                Some(consent)
            }
            None if self.policy.basis_group(message.claims().bas) == BasisGroup::Consent && !row.kind.may_name_no_consent() => {
                return Err(RefusalCode::NoConsent.into());
            }
            None => None,
        };
        let schema = self
            .schemas
            .for_message(row.kind, &message.claims().sch.id, &message.claims().sch.ver, &message.claims().sch.sha256)
            .map_err(|_| Failure::Corrupt("schema"))?;
        call.note(|t| t.schema = Some(SchemaRef { id: message.claims().sch.id.clone(), ver: message.claims().sch.ver.clone() }));
        let rows = classes(schema, &disclosed)?;
        let exchange = Exchange { sender: &row.iss, reader: &row.aud, kind: row.kind, basis: message.claims().bas, relation };
        let rights = Rights { agreement: Some(&agreement.record), consent: consent.as_ref().map(|c| (&c.open.scope, &c.history)) };
        let ends = caller.not_after.min(acting.ends);
        let ends = delegation.as_ref().map_or(ends, |d| ends.min(d.until));
        let viewing = Viewing { purpose: acting.purpose, message: &message.claims().pur };
        let question = Question { policy: &self.policy, exchange, rights, rows: &rows, ends, now };
        let view = match &delegation {
            // What ended for a sender ended for what it wrote too: the gateway keeps no copy for it.
            _ if own && relation != Relation::Closed => decision::decide_own_read(&question, &viewing)?,
            Some(_) => decision::decide_delegated_read(&question, &viewing, caller.kind())?,
            // To its delegate: what that may see, and a body of its own kind.
            None if own || row.aud != *caller.party() => decision::decide_delegated_read(&question, &viewing, caller.kind())?,
            None => decision::decide_read(&question, &viewing)?,
        };
        Ok(Showing { case, state, row, key, message, disclosed, rows, view, own, agreement, consent, delegation })
    }

    /// The evidence that a message was released. A sender's look at its own message is no release to a reader.
    pub(super) fn released(&self, showing: &Showing) -> Result<Vec<Write>, Failure> {
        let row = &showing.row;
        if showing.own {
            return Ok(Vec::new());
        }
        Ok(vec![Write::Evidence(EvidenceRow {
            case: showing.case,
            iss: row.iss.clone(),
            jti: row.jti,
            digest: row.digest,
            state: EvidenceState::Released,
            receipt: self.ids.jti()?,
            idx: 0,
            leaf: row.digest,
            time: Timestamp::default(),
        })])
    }

    /// The case as the caller stands to it; not found for everybody else.
    pub(super) async fn visible_case(&self, caller: &Caller, id: &CaseId) -> Result<CaseRow, Failure> {
        let case = self.store.case(caller.party(), id).await?.filter(|case| case.relation != Relation::None);
        Ok(case.ok_or(RefusalCode::NotFound)?)
    }

    /// Until when a reader of this message may see `consent_detail`, if it may now; notes what that rests on.
    pub(super) async fn shows_consent_detail(
        &self,
        caller: &Caller,
        call: &Call,
        row: &MessageRow,
        consent: &StandingConsent,
        (relation, purpose): (Relation, Purpose),
        epoch: u64,
    ) -> Result<Option<Timestamp>, Failure> {
        let (message, _) = open_message(&self.data_key(row.sealed.key).await?, row)?;
        let claims = message.claims();
        let Some(agreement) = self.agreement_in(epoch, &claims.agr.id, claims.agr.ver).await? else { return Ok(None) };
        let exchange = Exchange { sender: &row.iss, reader: &row.aud, kind: row.kind, basis: claims.bas, relation };
        let rights = Rights { agreement: Some(&agreement.record), consent: Some((&consent.open.scope, &consent.history)) };
        let viewing = Viewing { purpose, message: &claims.pur };
        let (ends, now) = (caller.not_after, self.clock.now());
        let view = decision::decide_read(&Question { policy: &self.policy, exchange, rights, rows: &[], ends, now }, &viewing);
        let Some(view) = view.ok().filter(View::consent_detail) else { return Ok(None) };
        // Only now: who may not see it does not learn whose key was stolen.
        self.not_void(epoch, &message.kid(), row.idx).await?;
        self.not_void(epoch, &consent.open.kid, consent.row.idx).await?;
        let of = &agreement.row;
        call.note(|t| t.agreement = Some(AgreementRef { id: of.id.clone(), ver: of.ver, sha256: of.sha256 }));
        call.note(|t| t.recipient = Some(caller.party().clone()));
        call.note(|t| (t.kind, t.basis) = (Some(row.kind), Some(claims.bas)));
        call.note(|t| t.rules.clone_from(view.rules()));
        Ok(Some(view.valid_until()))
    }

    /// The caller's newest encryption key that is usable now.
    pub(super) async fn encryption_key(&self, caller: &Caller, epoch: u64, now: Timestamp) -> Result<KeyRow, Failure> {
        let keys = self.keys_in(epoch, caller.party()).await?;
        let usable = |key: &KeyRow| key.usage == PartyKeyUse::Enc && key.state == KeyState::Active && now >= key.nbf && now < key.naf;
        // By when it began, not by its entry: what an earlier version registered may be recorded again later.
        Ok(keys.iter().filter(|key| usable(key)).max_by_key(|key| (key.nbf, key.idx)).cloned().ok_or(RefusalCode::KeyNotAllowed)?)
    }

    /// Signs the key binding and encrypts, after the commit. The entry must carry the view's own `sd_hash`.
    fn sign_release(
        &self,
        caller: &Caller,
        nonce: &Nonce,
        (committed, since): (&Committed, Stopwatch),
        prepared: Prepared,
    ) -> Result<Release, Failure> {
        if committed.sd_hash() != Some(prepared.presentation.sd_hash()) {
            return Err(Failure::Corrupt("entry"));
        }
        let key = self.keys.kb(&prepared.presentation.holder()).ok_or(Failure::Corrupt("key binding"))?;
        let Prepared { agreement, .. } = &prepared;
        let agr = submission::AgreementRef { id: agreement.row.id.clone(), ver: agreement.row.ver, sha256: agreement.row.sha256 };
        let claims = KbClaims {
            iat: committed.time(),
            aud: caller.party().clone(),
            nonce: nonce.clone(),
            jti: prepared.kb,
            tsn: Grounds {
                origin: self.origin.clone(),
                idx: committed.idx(),
                agr,
                pol: committed.policy().ok_or(Failure::Corrupt("entry"))?,
                terms: agreement.record.agreement.terms.clone(),
                on_behalf_of: prepared.on_behalf_of,
                con: prepared.consent,
            },
        };
        let bound = key_binding::bind(&prepared.presentation, key, &claims)?;
        let sealer = self.rights.sealer(&prepared.reader_key)?;
        let body = sealer.seal(RELEASE_CTY, bound.as_bytes()).map_err(|_| Failure::Corrupt("key"))?;
        Ok(Release { body, committed: since, ledger: self.proof(committed)?.proof, keep: prepared.keep })
    }
}

/// Opens a stored message. It was verified before it was stored, and its ciphertext is authenticated.
pub(super) fn open_message(key: &DataKey, row: &MessageRow) -> Result<(Verified<Message>, Disclosed), Failure> {
    let bytes = vault::open(key, &message_context(&row.iss, &row.jti, &row.aud, &row.case), &row.sealed)?;
    let message = Message::reopen(&bytes).map_err(|_| Failure::Corrupt("message"))?;
    let claims = message.claims();
    if (&claims.iss, &claims.jti, &claims.aud, claims.kind) != (&row.iss, &row.jti, &row.aud, row.kind) {
        return Err(Failure::Corrupt("message"));
    }
    let disclosed = message.disclose().map_err(|_| Failure::Corrupt("message"))?;
    Ok((message, disclosed))
}
