//! All registrations beside their entries, and the recording of what an earlier version registered (`tsunagi ledger record`).
//!
//! Promises: only what no entry commits to is recorded, as it stands, each row with an entry of its own; a row that its entry contradicts is named and
//! left alone. What is interrupted has lost nothing; the next run goes on. Not here: whether what stands there is right. That is the operator's word.

use super::{
    Gateway,
    call::Trail,
    failure::Failure,
    record::{GATEWAY_KEY, recorded},
    registered::{NOW, of_key, of_party},
    registry::Fit,
};
use crate::{
    domain::{
        digest::Digest,
        entry::{Act, EntryType, Operation, Outcome},
        party::PartyId,
    },
    ledger::{Registered, Turn},
    store::{KeyRow, PartyRow, StoreError, Write},
};

/// How the registrations stand beside their entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// Parties and keys that their entries commit to.
    pub committed: u64,
    /// What an earlier version registered: no entry commits to it.
    pub earlier: Vec<Registration>,
    /// Whose entry says otherwise, or nothing.
    pub differing: Vec<Registration>,
}

/// A party, or a key of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// The party.
    pub party: PartyId,
    /// Its key.
    pub key: Option<Digest>,
}

impl Gateway {
    /// Looks at every registered party and key.
    pub async fn survey_registrations(&self) -> Result<Survey, Failure> {
        let mut survey = Survey::default();
        let mut after = String::new();
        loop {
            let rows = self.store.party_rows(&after, PAGE).await?;
            let Some((last, _)) = rows.last() else { return Ok(survey) };
            after.clone_from(last);
            for (id, row) in rows {
                // What has no name of a party cannot be named as one; an inspection says where it stands.
                let Ok(party) = id.parse() else { continue };
                let keys = async || Ok::<_, Failure>((row?, self.store.keys(&party).await?));
                match keys().await {
                    Ok((row, keys)) => {
                        survey.add(self.fit_of_party(&row).await?, &party, None);
                        for key in keys {
                            survey.add(self.fit_of_key(&key).await?, &party, Some(key.kid));
                        }
                    }
                    Err(Failure::Store(StoreError::Corrupt(_))) => survey.add(Fit::Unrecorded, &party, None),
                    Err(failure) => return Err(failure),
                }
            }
        }
    }

    /// Records what an earlier version registered. The entries have no actor: the gateway's owner did it at the machine.
    ///
    /// # Errors
    /// When the ledger cannot record it. What was recorded until then stays recorded.
    pub async fn record_registrations(&self) -> Result<Survey, Failure> {
        let survey = self.survey_registrations().await?;
        for one in &survey.earlier {
            let turn = self.ledger.exclusive().await?;
            match &one.key {
                None => {
                    if let Some(row) = self.store.party(&one.party).await?
                        && self.fit_of_party(&row).await? == Fit::Earlier
                    {
                        self.record_party(turn, row).await?;
                    }
                }
                Some(kid) => {
                    if let Some(row) = self.store.key(kid).await?
                        && self.fit_of_key(&row).await? == Fit::Earlier
                    {
                        self.record_key(turn, row).await?;
                    }
                }
            }
        }
        Ok(survey)
    }

    async fn fit_of_party(&self, row: &PartyRow) -> Result<Fit, Failure> {
        let fit = self.fit(NOW, &of_party(&row.registration, row.state)?, row.idx).await?;
        if matches!(fit, Fit::Says | Fit::Earlier) {
            return Ok(fit);
        }
        // It may have changed behind the page that it was read in.
        let Some(again) = self.store.party(&row.registration.party).await? else { return Ok(fit) };
        self.fit(NOW, &of_party(&again.registration, again.state)?, again.idx).await
    }

    async fn fit_of_key(&self, row: &KeyRow) -> Result<Fit, Failure> {
        let fit = self.fit(NOW, &of_key(row)?, row.idx).await?;
        if matches!(fit, Fit::Says | Fit::Earlier) {
            return Ok(fit);
        }
        let Some(again) = self.store.key(&row.kid).await? else { return Ok(fit) };
        self.fit(NOW, &of_key(&again)?, again.idx).await
    }

    async fn record_party(&self, turn: Turn, row: PartyRow) -> Result<(), Failure> {
        let is = of_party(&row.registration, row.state)?;
        let trail = again(Operation::PartyRegister, Act::Update, &row.registration.party, is);
        self.record_again(turn, &trail, EntryType::Party, Write::Party(row.registration)).await
    }

    async fn record_key(&self, turn: Turn, row: KeyRow) -> Result<(), Failure> {
        let trail = again(Operation::KeyRegister, Act::Add, &row.party, of_key(&row)?);
        self.record_again(turn, &trail, EntryType::Key, Write::KeyRecorded(row.kid)).await
    }

    async fn record_again(&self, turn: Turn, trail: &Trail, entry_type: EntryType, write: Write) -> Result<(), Failure> {
        let entry = self.entry(None, trail, entry_type, Outcome::Permit, None)?;
        let mut draft = self.draft(entry, trail, Vec::new(), GATEWAY_KEY, None).await?;
        draft.writes = vec![write];
        recorded(turn.append(draft).await?).map(drop)
    }
}

fn again(operation: Operation, act: Act, party: &PartyId, is: Registered) -> Trail {
    let mut trail = Trail::new(operation);
    trail.act = Some(act);
    trail.recipient = Some(party.clone());
    trail.registered = vec![is];
    trail
}

impl Survey {
    fn add(&mut self, fit: Fit, party: &PartyId, key: Option<Digest>) {
        let one = Registration { party: party.clone(), key };
        match fit {
            Fit::Says => self.committed += 1,
            Fit::Earlier => self.earlier.push(one),
            Fit::Unrecorded | Fit::Differs(_) => self.differing.push(one),
        }
    }
}

const PAGE: u32 = 256;
