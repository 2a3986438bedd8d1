//! What an entry put beside the ledger, compared with what the entry says: messages, the case that one opened, consents and their ends, what parties
//! signed about agreements.

use std::{
    collections::BTreeSet,
    sync::{Arc, PoisonError, atomic::Ordering},
};

use super::{Found, Insight, unavailable};
use crate::{
    domain::{
        entry::{Act, Operation, Outcome},
        ids::Jti,
        party::PartyId,
    },
    gateway::{
        read_case::open_message,
        register::signing_input_digest,
        rights::{consent_context, person},
    },
    ledger::{AgreementRef, Entry, LedgerError, MessageRef, Opening},
    message::{
        objects::{ConsentGiven, Signed},
        sha256,
    },
    store::{AgreementRow, ConsentRow, MessageRow, Sealed, StoreError},
    text::audit::Finding,
    vault,
};

/// What is wrong, and where: the table with the column.
pub(super) type Wrong = Vec<(Finding, &'static str)>;

impl Insight {
    /// Compares what this entry put beside the ledger. What was erased with its opening is not looked for.
    pub(super) async fn compare(&self, idx: u64, entry: &Entry, opening: &Opening) -> Result<Wrong, LedgerError> {
        let mut wrong = Wrong::new();
        match entry.operation {
            Operation::ReferralSubmit | Operation::MessageSubmit => {
                if let Some((case, message)) = opening.case.zip(opening.message.as_ref()) {
                    if let Some(row) = legible(self.store.message(&case, &message.jti).await, "message", &mut wrong)? {
                        self.message(idx, entry, (message, &row), &mut wrong).await?;
                    }
                    if entry.operation == Operation::ReferralSubmit && !self.life(&case, &mut wrong).await? {
                        self.untold.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
            Operation::ConsentRegister | Operation::ConsentEnd => {
                if let Some(jti) = opening.consent
                    && let Some(row) = legible(self.store.consent(&jti).await, "consent", &mut wrong)?
                {
                    if entry.operation == Operation::ConsentRegister {
                        self.consent(idx, entry, &row, &mut wrong).await?;
                    } else {
                        self.end(idx, entry, &row, &mut wrong).await?;
                    }
                }
            }
            Operation::AgreementPropose | Operation::AgreementSign => self.signed(idx, entry, &mut wrong).await?,
            Operation::PartyRegister | Operation::KeyRegister => {
                self.keeping.registered(entry, opening);
                wrong = self.registers(idx, entry, opening);
            }
            _ => {}
        }
        Ok(wrong)
    }

    async fn message(
        &self,
        idx: u64,
        entry: &Entry,
        (named, row): (&MessageRef, &MessageRow),
        wrong: &mut Wrong,
    ) -> Result<(), LedgerError> {
        differs(
            &[
                (row.iss == named.iss, "message.iss"),
                (Some(&row.aud) == entry.recipient.as_ref(), "message.aud"),
                (Some(row.kind) == entry.kind, "message.kind"),
                (Some(row.digest) == entry.request, "message.digest"),
                (row.idx == idx, "message.idx"),
                (row.received == entry.time, "message.received"),
            ],
            wrong,
        );
        let Found::Key(key) = self.key(row.sealed.key).await? else {
            wrong.push((Finding::StoredClosed, "message.key"));
            return self.kept_beside(entry, row, None, wrong).await;
        };
        // It is opened as what the entry says it is: a column that was changed is named, and not what is sealed.
        let mut row = row.clone();
        row.iss = named.iss.clone();
        row.aud = entry.recipient.clone().unwrap_or(row.aud);
        row.kind = entry.kind.unwrap_or(row.kind);
        let opened = open_message(&key, &row).ok();
        match &opened {
            Some((message, _)) => differs(&[(Some(message.digest()) == entry.request, "message.sealed")], wrong),
            None => wrong.push((Finding::StoredClosed, "message.sealed")),
        }
        self.kept_beside(entry, &row, opened.as_ref().map(|(_, disclosed)| disclosed), wrong).await
    }

    async fn consent(&self, idx: u64, entry: &Entry, row: &ConsentRow, wrong: &mut Wrong) -> Result<(), LedgerError> {
        differs(&[(Some(&row.collector) == actor(entry), "consent.collector"), (row.idx == idx, "consent.idx")], wrong);
        let Some(token) = self.object(row, &row.sealed).await? else {
            wrong.push((Finding::StoredClosed, "consent.sealed"));
            return Ok(());
        };
        differs(
            &[
                (sha256(token.as_bytes()) == row.sha256, "consent.sha256"),
                (Some(signing_input_digest(&token)) == entry.request, "consent.sealed"),
            ],
            wrong,
        );
        let given = Signed::<ConsentGiven>::read(token.as_bytes()).ok();
        let given = given.as_ref().map(Signed::unproven);
        if let Some(given) = given {
            // The gateway tells by the keys of a person which of its consents is the last.
            let subject = self.vault.tag("subject", &person(&given.issued.iss, &given.sub));
            differs(&[(row.subject == subject, "consent.subject")], wrong);
            let listed = self.store.person_keys(&subject).await.map(|keys| keys.into_iter().find(|key| *key == row.sealed.key));
            legible(listed, "person_key", wrong)?;
        }
        if let Some(before) = given.and_then(|given| given.sup)
            && let Some(before) = legible(self.store.consent(&before).await, "consent", wrong)?
        {
            differs(&[(before.ended && before.superseded_by == Some(row.jti), "consent.superseded_by")], wrong);
        }
        if let Some(later) = row.superseded_by {
            differs(&[(self.takes_the_place_of(&later, &row.jti, wrong).await?, "consent.superseded_by")], wrong);
        }
        Ok(())
    }

    /// Whether a consent says of itself that it took the place of another. What was erased since is not asked.
    async fn takes_the_place_of(&self, later: &Jti, before: &Jti, wrong: &mut Wrong) -> Result<bool, LedgerError> {
        let Some(later) = legible(self.store.consent(later).await, "consent", wrong)? else { return Ok(false) };
        if later.is_erased() {
            return Ok(true);
        }
        let token = self.object(&later, &later.sealed).await?;
        // One that does not open is named at its own entry.
        let given = token.and_then(|token| Signed::<ConsentGiven>::read(token.as_bytes()).ok());
        Ok(given.is_none_or(|given| given.unproven().sup == Some(*before)))
    }

    /// The end, or the narrowing, that this entry registered is one of those that stand there.
    async fn end(&self, idx: u64, entry: &Entry, row: &ConsentRow, wrong: &mut Wrong) -> Result<(), LedgerError> {
        differs(&[(entry.act != Some(Act::End) || row.ended, "consent.ended")], wrong);
        for (place, sealed) in row.ends.iter().enumerate() {
            if let Some(token) = self.object(row, sealed).await?
                && Some(signing_input_digest(&token)) == entry.request
            {
                let fate = self.store.consent_fates(&[row.jti]).await.map(|fates| fates.into_iter().next());
                if let Some(fate) = legible(fate, "consent", wrong)? {
                    differs(&[(fate.ends.get(place).is_some_and(|(entered, _)| *entered == idx), "consent_end.idx")], wrong);
                }
                return Ok(());
            }
        }
        wrong.push((Finding::StoredMissing, "consent_end"));
        Ok(())
    }

    async fn signed(&self, idx: u64, entry: &Entry, wrong: &mut Wrong) -> Result<(), LedgerError> {
        let Some(named) = &entry.agreement else { return Ok(()) };
        let Some(row) = self.agreement(named, idx, wrong).await? else { return Ok(()) };
        differs(&[(row.sha256 == named.sha256, "agreement.sha256"), (sha256(&row.document) == named.sha256, "agreement.document")], wrong);
        if entry.operation == Operation::AgreementPropose && !self.all_entered(&row).await? {
            wrong.push((Finding::StoredDiffers, "agreement_act.idx"));
        }
        let Some(act) = row.acts.iter().find(|act| act.idx == idx) else {
            wrong.push((Finding::StoredMissing, "agreement_act"));
            return Ok(());
        };
        differs(
            &[
                (Some(&act.party) == actor(entry), "agreement_act.party"),
                (entry.act.is_some_and(|said| said.as_str() == act.act.as_str()), "agreement_act.act"),
                (Some(signing_input_digest(&act.signature)) == entry.request, "agreement_act.signature"),
            ],
            wrong,
        );
        Ok(())
    }

    /// Whether each act of a version has an entry of its own that is about it.
    async fn all_entered(&self, row: &AgreementRow) -> Result<bool, LedgerError> {
        let mut seen = BTreeSet::new();
        for act in &row.acts {
            let entry = self.store.entry(act.idx).await.map_err(|error| unavailable(&error))?;
            let entry = entry.and_then(|entry| serde_json::from_slice::<Entry>(&entry.body).ok());
            let named = entry
                .filter(|entry| entry.operation.is_about_agreements() && entry.decision == Outcome::Permit)
                .and_then(|entry| entry.agreement);
            let about = named.is_some_and(|named| (&named.id, named.ver) == (&row.id, row.ver));
            if !about || !seen.insert(act.idx) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A version with its acts. One that many parties signed one after the other is read once.
    async fn agreement(&self, named: &AgreementRef, idx: u64, wrong: &mut Wrong) -> Result<Option<Arc<AgreementRow>>, LedgerError> {
        let kept = self.agreement.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let fits = |row: &AgreementRow| (&row.id, row.ver) == (&named.id, named.ver) && row.acts.iter().any(|act| act.idx == idx);
        if let Some(row) = kept.filter(|row| fits(row)) {
            return Ok(Some(row));
        }
        let Some(row) = legible(self.store.agreement(&named.id, named.ver).await, "agreement", wrong)? else { return Ok(None) };
        let row = Arc::new(row);
        *self.agreement.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&row));
        Ok(Some(row))
    }

    /// A signed object of a consent. None: it does not open.
    async fn object(&self, row: &ConsentRow, sealed: &Sealed) -> Result<Option<String>, LedgerError> {
        let Found::Key(key) = self.key(sealed.key).await? else { return Ok(None) };
        let compact = vault::open(&key, &consent_context(&row.jti), sealed).ok();
        Ok(compact.and_then(|bytes| Some(std::str::from_utf8(&bytes).ok()?.to_owned())))
    }
}

fn differs(same: &[(bool, &'static str)], wrong: &mut Wrong) {
    wrong.extend(same.iter().filter(|(same, _)| !same).map(|(_, column)| (Finding::StoredDiffers, *column)));
}

/// A row that must be there.
fn legible<T>(read: Result<Option<T>, StoreError>, table: &'static str, wrong: &mut Wrong) -> Result<Option<T>, LedgerError> {
    match read {
        Ok(Some(row)) => return Ok(Some(row)),
        Ok(None) => wrong.push((Finding::StoredMissing, table)),
        Err(StoreError::Corrupt(column)) => wrong.push((Finding::RowUnreadable, column)),
        Err(error) => return Err(unavailable(&error)),
    }
    Ok(None)
}

fn actor(entry: &Entry) -> Option<&PartyId> {
    entry.actor.as_ref().map(|actor| &actor.party)
}
