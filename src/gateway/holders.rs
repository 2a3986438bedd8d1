//! Who holds what was sent under a consent: whom a change of it concerns, and who has said what became of it (`domain.md` section 10.3, rule 3).

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Gateway,
    disclosures::asker::{Asker, Told},
    failure::Failure,
    fates::Loss,
    outlook::Outlook,
};
use crate::{
    domain::{
        case::Relation,
        codes::Purpose,
        consent::ErasureDue,
        disclosures::Scope,
        ids::{CaseKey, Jti},
        party::PartyId,
        tasks::ConsentHolder,
        time::Timestamp,
    },
    store::{Passage, Write},
};

impl Gateway {
    /// Shows a change of a consent to everybody whom it concerns: who got something under it, who sent that, and who acts for one of them.
    pub(super) async fn told_of_change(
        &self,
        consent: &Jti,
        case: Option<CaseKey>,
        concerns: impl Fn(&PartyId) -> bool,
    ) -> Result<Vec<Write>, Failure> {
        let Some(case) = case else { return Ok(Vec::new()) };
        let outlook = self.outlook(&[case]).await?;
        let passed = of_chain(&outlook, &case, consent).into_iter().filter(|passage| concerns(&passage.head.aud));
        let sender = |passage: &Passage| !outlook.left_out(passage);
        let dealt: BTreeSet<&PartyId> =
            passed.flat_map(|passage| [Some(passage.recipient()), sender(passage).then(|| passage.sender())]).flatten().collect();
        if dealt.is_empty() {
            return Ok(Vec::new());
        }
        let stand = self.store.relations(&[case]).await?.into_iter();
        let told = stand.filter(|(_, party, relation)| *relation == Relation::None || dealt.contains(party));
        Ok(told.map(|(case, party, _)| Write::CaseTouched(case, party)).collect())
    }

    /// Who holds what was sent under a consent, and under those in whose place it is or that took its own, as far as its collector would be told of it in
    /// the list of disclosures of the case: who was asked by others is of the class `placement`, and behind a hand-over no affair of a centre's.
    pub(super) async fn holders(
        &self,
        consent: &Jti,
        case: Option<CaseKey>,
        (collector, purpose): (&PartyId, Purpose),
    ) -> Result<Vec<ConsentHolder>, Failure> {
        let Some(case) = case else { return Ok(Vec::new()) };
        let rows = self.store.case_parties(&case).await?;
        let Some(state) = rows.first().map(|row| row.state) else { return Ok(Vec::new()) };
        let relation = rows.iter().find(|row| row.party == *collector).map_or(Relation::None, |row| row.relation);
        let asker = Asker::new(&self.policy, (collector, None), (state, relation), purpose, Scope::Case);
        let outlook = self.outlook(&[case]).await?;
        let mut found: BTreeMap<&PartyId, (Timestamp, Option<Loss>)> = BTreeMap::new();
        for passage in of_chain(&outlook, &case, consent) {
            let Some((_, at)) = passage.pulled else { continue };
            let told = Told { iss: passage.head.iss.clone(), aud: passage.head.aud.clone(), kind: passage.head.kind };
            if !asker.hears_of(&told, passage.recipient()) {
                continue;
            }
            let lost = outlook.lost(passage);
            let held = found.entry(passage.recipient()).or_insert((at, None));
            *held = (held.0.min(at), held.1.max(lost));
        }
        let told = |(party, (collected, lost)): (&PartyId, (Timestamp, Option<Loss>))| {
            let reported = lost.and_then(|loss| outlook.reported(&case, party, loss.idx));
            let report = lost.map(|_| if reported.is_some() { ErasureDue::Done } else { ErasureDue::Due });
            ConsentHolder { party: party.clone(), collected, since: lost.map(|loss| loss.at), report, reported }
        };
        Ok(found.into_iter().map(told).collect())
    }
}

/// The messages of a case that rest on a consent or on another of its chain.
fn of_chain<'a>(outlook: &'a Outlook, case: &CaseKey, consent: &Jti) -> Vec<&'a Passage> {
    let last = outlook.in_place(consent);
    let same = |named: &Jti| named == consent || (last.is_some() && outlook.in_place(named) == last);
    outlook.passages(case).iter().filter(|passage| passage.term.consent.as_ref().is_some_and(same)).collect()
}
