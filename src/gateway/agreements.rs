//! Agreements: proposing, signing, reading.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{
    Gateway,
    actor::Allowed,
    answer::Accepted,
    call::{Call, Caller},
    failure::Failure,
    known::record,
    record::With,
};
use crate::{
    domain::{
        agreement::{Agreement, AgreementAct, AgreementRecord, SignedAct},
        codes::Purpose,
        digest::Digest,
        ids::AgreementId,
        party::{PartyId, PartyKind},
        refusal::{Refusal, RefusalCode},
    },
    ledger::{AgreementRef, Ground},
    message::{json as strict, objects::AgreementSignature},
    policy::Deed,
    store::{AgreementRow, Write},
};

impl Gateway {
    /// `POST /v1/agreements`: a named party proposes a version by accepting its exact bytes.
    pub async fn propose_agreement(&self, caller: &Caller, call: &Call, body: &[u8]) -> Result<Accepted, Failure> {
        self.actor(caller, call, Allowed::Only(Purpose::Administration)).await?;
        let request = strict::parse_within(body, &LONG).map_err(|_| RefusalCode::BadRequest)?;
        let member = |name: &str| request.get(name).and_then(Value::as_str);
        let document = member("document").and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        let document = document.ok_or_else(|| Refusal::claim(RefusalCode::BadRequest, "document", "base64url"))?;
        let signature = member("signature").ok_or_else(|| Refusal::claim(RefusalCode::BadRequest, "signature", "missing"))?;
        let object = self.read_object::<AgreementSignature>(caller, call, signature.as_bytes()).await?;
        let (object, claims) = (&object, &object.claims);
        let sha256 = Digest::of(&document);
        let agreement = self.read_document(&document)?;
        if claims.agr.id != agreement.id || claims.agr.ver != agreement.ver || claims.agr.sha256 != sha256 {
            return Err(Refusal::claim(RefusalCode::BadToken, "agr", "document").into());
        }
        if claims.act != AgreementAct::Accept {
            return Err(Refusal::claim(RefusalCode::BadToken, "act", "accept").into());
        }
        if !agreement.parties.contains(caller.party()) {
            return Err(Refusal::claim(RefusalCode::OperationNotAllowed, "parties", "named").into());
        }
        self.may(caller, Deed::RegisterAgreement)?;
        call.note(|t| t.agreement = Some(AgreementRef { id: agreement.id.clone(), ver: agreement.ver, sha256 }));
        call.note(|t| t.act = Some(claims.act.into()));
        let (agreement, document) = (&agreement, &document);
        self.register(caller, call, object.identity(), |epoch| async move {
            let versions = self.store.versions(&agreement.id).await?;
            let next = versions.last().map_or(1, |row| row.ver.saturating_add(1));
            if agreement.ver != next {
                return Err(Refusal::claim(RefusalCode::StateConflict, "ver", "next_version").into());
            }
            for party in &agreement.parties {
                self.store.party(party).await?.ok_or_else(|| Refusal::claim(RefusalCode::SchemaInvalid, "parties", "registered"))?;
            }
            let mut writes = vec![
                Write::Agreement {
                    id: agreement.id.clone(),
                    ver: agreement.ver,
                    sha256,
                    document: document.clone(),
                    parties: agreement.parties.clone(),
                    acceding: agreement.acceding.clone(),
                },
                act_row(&agreement.id, agreement.ver, caller.party(), AgreementAct::Accept, &object.compact),
            ];
            let alone = [SignedAct { party: caller.party().clone(), act: AgreementAct::Accept }];
            let superseding = self.supersedes(agreement, &alone, versions.last())?;
            writes.extend(superseding.clone());
            let ground = Ground { rights_epoch: epoch, valid_until: caller.not_after.min(object.key_ends), case: None, consent: None };
            let subject = json!({"agreement": {"id": agreement.id, "ver": agreement.ver, "sha256": sha256}});
            Ok((With { writes, ground: Some(ground), narrows: superseding.is_some(), ..With::default() }, subject))
        })
        .await
    }

    /// `POST /v1/agreements/{id}/{ver}/signatures`.
    pub async fn sign_agreement(&self, caller: &Caller, call: &Call, id: &AgreementId, ver: u32, body: &[u8]) -> Result<Accepted, Failure> {
        self.actor(caller, call, Allowed::Only(Purpose::Administration)).await?;
        let object = self.read_object::<AgreementSignature>(caller, call, body).await?;
        let (object, claims) = (&object, &object.claims);
        if claims.agr.id != *id || claims.agr.ver != ver {
            return Err(Refusal::claim(RefusalCode::BadToken, "agr", "path").into());
        }
        call.note(|t| t.act = Some(claims.act.into()));
        self.register(caller, call, object.identity(), |epoch| async move {
            let agreement = self.agreement_in(epoch, id, ver).await?.filter(|a| may_see(&a.record, caller)).ok_or(RefusalCode::NotFound)?;
            let (row, record) = (&agreement.row, &agreement.record);
            if claims.agr.sha256 != row.sha256 {
                return Err(Refusal::claim(RefusalCode::BadToken, "agr", "sha256").into());
            }
            call.note(|t| t.agreement = Some(AgreementRef { id: row.id.clone(), ver: row.ver, sha256: row.sha256 }));
            check_act(record, caller, claims.act)?;
            let mut writes = vec![act_row(id, ver, caller.party(), claims.act, &object.compact)];
            let mut superseding = None;
            if claims.act == AgreementAct::Accept {
                let mut acts = record.acts.clone();
                acts.push(SignedAct { party: caller.party().clone(), act: AgreementAct::Accept });
                let versions = self.store.versions(id).await?;
                let before = versions.iter().rfind(|v| v.ver < ver);
                superseding = self.supersedes(&record.agreement, &acts, before)?;
            }
            writes.extend(superseding.clone());
            let narrows = claims.act.narrows() || superseding.is_some();
            let ground = Ground { rights_epoch: epoch, valid_until: caller.not_after.min(object.key_ends), case: None, consent: None };
            let subject = json!({"agreement": {"id": id, "ver": ver, "sha256": row.sha256, "act": claims.act}});
            Ok((With { writes, ground: Some(ground), narrows, ..With::default() }, subject))
        })
        .await
    }

    /// `GET /v1/agreements`: only the caller's own; an auditor sees all. Not recorded.
    pub async fn agreements(&self, caller: &Caller, after: Option<u64>, limit: u32) -> Result<Value, Failure> {
        let party = (caller.kind() != PartyKind::Auditor).then(|| caller.party());
        let rows = self.store.agreements(party, after, limit.clamp(1, 200)).await?;
        let mut list = Vec::with_capacity(rows.len());
        for row in &rows {
            list.push(self.summary(row)?);
        }
        let cursor = rows.last().map(|row| row.idx).or(after);
        Ok(json!({"agreements": list, "cursor": cursor.map(|c| c.to_string())}))
    }

    /// `GET /v1/agreements/{id}/{ver}`: document, signatures, state.
    pub async fn agreement_document(&self, caller: &Caller, id: &AgreementId, ver: u32) -> Result<Value, Failure> {
        let agreement = self
            .agreement_in(caller.seen.rights_epoch, id, ver)
            .await?
            .filter(|agreement| caller.kind() == PartyKind::Auditor || may_see(&agreement.record, caller))
            .ok_or(RefusalCode::NotFound)?;
        let row = &agreement.row;
        let mut summary = self.summary(row)?;
        if let Some(members) = summary.as_object_mut() {
            let signatures: Vec<&str> = row.acts.iter().map(|act| act.signature.as_str()).collect();
            members.insert("document".to_owned(), Value::String(URL_SAFE_NO_PAD.encode(&row.document)));
            members.insert("signatures".to_owned(), json!(signatures));
        }
        Ok(summary)
    }

    fn summary(&self, row: &AgreementRow) -> Result<Value, Failure> {
        let record = record(row)?;
        Ok(json!({
            "id": row.id,
            "ver": row.ver,
            "sha256": row.sha256,
            "state": record.standing(self.clock.now()),
            "parties": record.agreement.parties,
            "from": record.agreement.from,
            "until": record.agreement.until,
        }))
    }

    fn read_document(&self, document: &[u8]) -> Result<Agreement, Failure> {
        let value = strict::parse(document).map_err(|_| Refusal::claim(RefusalCode::SchemaInvalid, "document", "json"))?;
        let violations = self.schemas.check_agreement(&value);
        if !violations.is_empty() {
            return Err(Refusal { code: RefusalCode::SchemaInvalid, violations, rules: Vec::new() }.into());
        }
        let agreement: Agreement =
            serde_json::from_value(value).map_err(|_| Refusal::claim(RefusalCode::SchemaInvalid, "document", "agreement"))?;
        if agreement.parties.len() < 2 || agreement.from >= agreement.until {
            return Err(Refusal::claim(RefusalCode::SchemaInvalid, "document", "parties_and_period").into());
        }
        Ok(agreement)
    }

    /// The earlier version that this one takes the place of, once all named parties of both have accepted this one.
    fn supersedes(&self, agreement: &Agreement, acts: &[SignedAct], before: Option<&AgreementRow>) -> Result<Option<Write>, Failure> {
        let Some(before) = before.filter(|row| !row.superseded) else { return Ok(None) };
        let earlier = record(before)?;
        let accepted = |party: &PartyId| acts.iter().any(|a| a.party == *party && a.act == AgreementAct::Accept);
        let all = agreement.parties.iter().chain(&earlier.agreement.parties).all(accepted);
        Ok(all.then(|| Write::AgreementSuperseded(before.id.clone(), before.ver)))
    }
}

/// A document in base64url is one long string; the listener bounds the body.
const LONG: strict::Limits = strict::Limits { chars: 512 * 1024, ..strict::Limits::SIGNED };

/// Named parties and parties that acceded or may accede.
pub(super) fn may_see(record: &AgreementRecord, caller: &Caller) -> bool {
    record.binds(caller.party()) || record.agreement.acceding.contains(&caller.kind())
}

fn check_act(record: &AgreementRecord, caller: &Caller, act: AgreementAct) -> Result<(), Failure> {
    let said = |act| record.acts.iter().any(|a| a.party == *caller.party() && a.act == act);
    let named = record.agreement.parties.contains(caller.party());
    let fits = match act {
        AgreementAct::Accept | AgreementAct::Reject => named && !said(AgreementAct::Accept) && !said(AgreementAct::Reject),
        AgreementAct::Accede => !named && !said(AgreementAct::Accede),
        AgreementAct::Suspend | AgreementAct::Revoke | AgreementAct::Resume => record.binds(caller.party()),
    };
    if fits && !said(AgreementAct::Revoke) {
        Ok(())
    } else {
        Err(Refusal::claim(RefusalCode::StateConflict, "act", "not_possible_now").into())
    }
}

fn act_row(id: &AgreementId, ver: u32, party: &PartyId, act: AgreementAct, signature: &str) -> Write {
    Write::AgreementAct { id: id.clone(), ver, party: party.clone(), act, signature: signature.to_owned() }
}
