//! What an entry put beside the ledger, compared with what the entry says: messages, consents and their ends, what parties signed about agreements.

use super::{Found, Insight, unavailable};
use crate::{
    domain::{
        digest::Digest,
        entry::{Act, Operation},
        ids::CaseKey,
        party::PartyId,
    },
    gateway::{read_case::open_message, register::signing_input_digest, rights::consent_context},
    ledger::{Entry, LedgerError, Opening},
    message::sha256,
    store::{ConsentRow, MessageRow, Sealed, StoreError},
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
                if let Some((case, message)) = opening.case.zip(opening.message.as_ref())
                    && let Some(row) = legible(self.store.message(&case, &message.jti).await, "message", &mut wrong)?
                {
                    let sender = row.iss == message.iss;
                    wrong.extend((!sender).then_some((Finding::StoredDiffers, "message.iss")));
                    self.message(idx, entry, &row, &mut wrong).await?;
                }
                if let Some(case) = opening.case
                    && !wrong.is_empty()
                    && self.was_erased(&case).await?
                {
                    wrong.clear();
                }
            }
            Operation::ConsentRegister | Operation::ConsentEnd => {
                if let Some(jti) = opening.consent
                    && let Some(row) = legible(self.store.consent(&jti).await, "consent", &mut wrong)?
                {
                    if entry.operation == Operation::ConsentRegister {
                        self.consent(idx, entry, &row, &mut wrong).await?;
                    } else {
                        self.end(entry, &row, &mut wrong).await?;
                    }
                }
            }
            Operation::AgreementPropose | Operation::AgreementSign => self.signed(idx, entry, &mut wrong).await?,
            _ => {}
        }
        Ok(wrong)
    }

    async fn message(&self, idx: u64, entry: &Entry, row: &MessageRow, wrong: &mut Wrong) -> Result<(), LedgerError> {
        differs(
            &[
                (Some(&row.aud) == entry.recipient.as_ref(), "message.aud"),
                (Some(row.kind) == entry.kind, "message.kind"),
                (Some(row.digest) == entry.request, "message.digest"),
                (row.idx == idx, "message.idx"),
            ],
            wrong,
        );
        let Found::Key(key) = self.key(row.sealed.key).await? else {
            wrong.push((Finding::StoredClosed, "message.key"));
            return Ok(());
        };
        match open_message(&key, row) {
            Ok((message, _)) => differs(&[(Some(message.digest()) == entry.request, "message.sealed")], wrong),
            Err(_) => wrong.push((Finding::StoredClosed, "message.sealed")),
        }
        Ok(())
    }

    async fn consent(&self, idx: u64, entry: &Entry, row: &ConsentRow, wrong: &mut Wrong) -> Result<(), LedgerError> {
        differs(&[(Some(&row.collector) == actor(entry), "consent.collector"), (row.idx == idx, "consent.idx")], wrong);
        match self.object(row, &row.sealed).await? {
            Some((identity, digest)) => {
                differs(&[(digest == row.sha256, "consent.sha256"), (Some(identity) == entry.request, "consent.sealed")], wrong);
            }
            None => wrong.push((Finding::StoredClosed, "consent.sealed")),
        }
        Ok(())
    }

    /// The end, or the narrowing, that this entry registered is one of those that stand there.
    async fn end(&self, entry: &Entry, row: &ConsentRow, wrong: &mut Wrong) -> Result<(), LedgerError> {
        differs(&[(entry.act != Some(Act::End) || row.ended, "consent.ended")], wrong);
        for sealed in &row.ends {
            if let Some((identity, _)) = self.object(row, sealed).await?
                && Some(identity) == entry.request
            {
                return Ok(());
            }
        }
        wrong.push((Finding::StoredMissing, "consent_end"));
        Ok(())
    }

    async fn signed(&self, idx: u64, entry: &Entry, wrong: &mut Wrong) -> Result<(), LedgerError> {
        let Some(named) = &entry.agreement else { return Ok(()) };
        let Some(row) = legible(self.store.agreement(&named.id, named.ver).await, "agreement", wrong)? else { return Ok(()) };
        differs(&[(row.sha256 == named.sha256, "agreement.sha256"), (sha256(&row.document) == named.sha256, "agreement.document")], wrong);
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

    /// What identifies a signed object of a consent, and the digest of all of it. None: it does not open.
    async fn object(&self, row: &ConsentRow, sealed: &Sealed) -> Result<Option<(Digest, Digest)>, LedgerError> {
        let Found::Key(key) = self.key(sealed.key).await? else { return Ok(None) };
        let compact = vault::open(&key, &consent_context(&row.jti), sealed).ok();
        Ok(compact.and_then(|bytes| {
            let token = std::str::from_utf8(&bytes).ok()?;
            Some((signing_input_digest(token), sha256(&bytes)))
        }))
    }

    /// Whether the case was erased by now, whatever was seen of it before.
    async fn was_erased(&self, case: &CaseKey) -> Result<bool, LedgerError> {
        let Some(key) = self.store.case_key(case).await.map_err(|error| unavailable(&error))? else { return Ok(false) };
        Ok(matches!(self.store.key_row(&key).await.map_err(|error| unavailable(&error))?, Some(None)))
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
