//! Agreements: proposing, signing, reading.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{
    Gateway,
    actor::Allowed,
    answer::Accepted,
    call::{Call, Caller},
    failure::Failure,
    known::{KnownAgreement, record},
    record::With,
};
use crate::{
    domain::{
        agreement::{Agreement, AgreementAct, AgreementRecord, Delegation, SignedAct},
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
        self.may_begin(caller, Deed::RegisterAgreement).await?;
        call.note(|t| t.agreement = Some(AgreementRef { id: agreement.id.clone(), ver: agreement.ver, sha256 }));
        call.note(|t| t.act = Some(claims.act.into()));
        let (agreement, document) = (&agreement, &document);
        self.register(caller, call, object.identity(), |epoch| async move {
            self.may(caller, Deed::RegisterAgreement)?;
            let versions = self.store.versions(&agreement.id).await?;
            let lineage = Lineage::read(&versions)?;
            // Whose agreement it is not learns no more than that the number is taken.
            if agreement.ver != lineage.next || !lineage.may_propose(caller.party()) {
                return Err(Refusal::claim(RefusalCode::StateConflict, "ver", "next_version").into());
            }
            for party in &agreement.parties {
                self.registered_party(epoch, party)
                    .await?
                    .ok_or_else(|| Refusal::claim(RefusalCode::SchemaInvalid, "parties", "registered"))?;
            }
            let alone = [SignedAct { party: caller.party().clone(), act: AgreementAct::Accept }];
            let proposed = lineage.candidate(agreement, &alone);
            let mut writes = vec![
                Write::Agreement {
                    id: agreement.id.clone(),
                    ver: agreement.ver,
                    sha256,
                    document: document.clone(),
                    parties: agreement.parties.iter().chain(&proposed.leaving).cloned().collect(),
                    acceding: agreement.acceding.clone(),
                },
                act_row(&agreement.id, agreement.ver, caller.party(), AgreementAct::Accept, &object.compact),
            ];
            let superseding = lineage.superseded_by(&proposed);
            let narrows = !superseding.is_empty();
            writes.extend(superseding);
            let ground = Ground { rights_epoch: epoch, valid_until: caller.not_after.min(object.key_ends), case: None, consent: None };
            let subject = json!({"agreement": {"id": agreement.id, "ver": agreement.ver, "sha256": sha256}});
            Ok((With { writes, ground: Some(ground), narrows, ..With::default() }, subject))
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
            if matches!(claims.act, AgreementAct::Accept | AgreementAct::Accede) {
                // What takes something back stays possible for whoever may no longer enter into agreements.
                self.may(caller, Deed::RegisterAgreement)?;
            }
            let possible = record.may_say(caller.party(), claims.act, self.clock.now());
            possible.map_err(|fault| Refusal::claim(RefusalCode::StateConflict, "act", fault.as_str()))?;
            let mut writes = vec![act_row(id, ver, caller.party(), claims.act, &object.compact)];
            let mut narrows = claims.act.narrows();
            if claims.act == AgreementAct::Accept {
                let mut acts = record.acts.clone();
                acts.push(SignedAct { party: caller.party().clone(), act: AgreementAct::Accept });
                let versions: Vec<_> = self.store.versions(id).await?.into_iter().filter(|row| row.ver < ver).collect();
                let lineage = Lineage::read(&versions)?;
                let superseding = lineage.superseded_by(&lineage.candidate(&record.agreement, &acts));
                narrows |= !superseding.is_empty();
                writes.extend(superseding);
            }
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
            match self.agreement_in(caller.seen.rights_epoch, &row.id, row.ver).await {
                Ok(Some(known)) => list.push(self.summary(&known)),
                // One that is not what its parties signed keeps nobody from the others; asked for by itself it is an error.
                Ok(None) | Err(Failure::Corrupt(_)) => {}
                Err(failure) => return Err(failure),
            }
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
        let mut summary = self.summary(&agreement);
        if let Some(members) = summary.as_object_mut() {
            let signatures: Vec<&str> = row.acts.iter().map(|act| act.signature.as_str()).collect();
            members.insert("document".to_owned(), Value::String(URL_SAFE_NO_PAD.encode(&row.document)));
            members.insert("signatures".to_owned(), json!(signatures));
        }
        Ok(summary)
    }

    fn summary(&self, KnownAgreement { row, record }: &KnownAgreement) -> Value {
        json!({
            "id": row.id,
            "ver": row.ver,
            "sha256": row.sha256,
            "state": record.standing(self.clock.now()),
            "parties": record.agreement.parties,
            "from": record.agreement.from,
            "until": record.agreement.until,
        })
    }

    fn read_document(&self, document: &[u8]) -> Result<Agreement, Failure> {
        let value = strict::parse(document).map_err(|_| Refusal::claim(RefusalCode::SchemaInvalid, "document", "json"))?;
        let violations = self.schemas.check_agreement(&value);
        if !violations.is_empty() {
            return Err(Refusal::of_content(violations).into());
        }
        let agreement: Agreement =
            serde_json::from_value(value).map_err(|_| Refusal::claim(RefusalCode::SchemaInvalid, "document", "agreement"))?;
        if agreement.parties.len() < 2 || agreement.from >= agreement.until {
            return Err(Refusal::claim(RefusalCode::SchemaInvalid, "document", "parties_and_period").into());
        }
        if let Some(fault) = agreement.delegations.iter().find_map(Delegation::fault) {
            return Err(Refusal::claim(RefusalCode::SchemaInvalid, "delegations", fault.as_str()).into());
        }
        Ok(agreement)
    }
}

/// A document in base64url is one long string; the listener bounds the body.
const LONG: strict::Limits = strict::Limits { chars: 512 * 1024, ..strict::Limits::SIGNED };

/// Named parties, parties that acceded or may accede, and parties that would leave.
pub(super) fn may_see(record: &AgreementRecord, caller: &Caller) -> bool {
    record.binds(caller.party()) || record.leaving.contains(caller.party()) || record.agreement.acceding.contains(&caller.kind())
}

/// The versions of an id before a new one.
struct Lineage {
    /// Number of the next version.
    next: u32,
    /// Each with whether a later one took its place already.
    earlier: Vec<(AgreementRecord, bool)>,
}

impl Lineage {
    fn read(versions: &[AgreementRow]) -> Result<Self, Failure> {
        let next = versions.last().map_or(1, |row| row.ver.saturating_add(1));
        let read = |row: &AgreementRow| Ok((record(row, versions)?, row.superseded));
        Ok(Self { next, earlier: versions.iter().map(read).collect::<Result<_, Failure>>()? })
    }

    /// Who is named in the version before, or in the last one that all have accepted, proposes the next.
    fn may_propose(&self, party: &PartyId) -> bool {
        let mut last = self.earlier.iter().rev().map(|(record, _)| record);
        let accepted = last.clone().find(|record| record.is_accepted());
        let named = |record: Option<&AgreementRecord>| record.is_none_or(|record| record.agreement.parties.contains(party));
        if accepted.is_some() { named(accepted) } else { named(last.next()) }
    }

    /// A new version with what was said about it.
    fn candidate(&self, agreement: &Agreement, acts: &[SignedAct]) -> AgreementRecord {
        let before = self.earlier.iter().rev().map(|(record, _)| record).find(|record| record.is_accepted());
        let leaving = before.map(|record| record.agreement.parties.iter().filter(|p| !agreement.parties.contains(p)).cloned().collect());
        AgreementRecord { agreement: agreement.clone(), acts: acts.to_vec(), leaving: leaving.unwrap_or_default(), successor: None }
    }

    /// The versions whose place a new one takes.
    fn superseded_by(&self, new: &AgreementRecord) -> Vec<Write> {
        let over = self.earlier.iter().filter(|(record, superseded)| !superseded && new.takes_the_place_of(record));
        over.map(|(record, _)| Write::AgreementSuperseded(record.agreement.id.clone(), record.agreement.ver)).collect()
    }
}

fn act_row(id: &AgreementId, ver: u32, party: &PartyId, act: AgreementAct, signature: &str) -> Write {
    Write::AgreementAct { id: id.clone(), ver, party: party.clone(), act, signature: signature.to_owned() }
}
