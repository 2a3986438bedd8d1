//! What was disclosed from a case to whom: the list that a body makes for the person.

use serde::Deserialize;

use super::{
    connection::{Client, JSON, query, read_json},
    entry::Entry,
    error::{ClientError, Doubt},
    proven::{LedgerPart, Proven},
};
use crate::domain::{
    codes::Purpose,
    disclosures::{DisclosureList, Unit},
    entry::{Operation, Outcome},
    field::FieldClass,
    ids::CaseId,
};

/// A page of the list with the ledger entry that recorded its making.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The page.
    pub list: DisclosureList,
    /// The entry.
    pub entry: Entry,
}

impl Client {
    /// A page of what was disclosed from a case, beyond a cursor; perhaps of one class only. Making it is recorded.
    pub async fn disclosures(
        &self,
        case: &CaseId,
        purpose: Purpose,
        class: Option<FieldClass>,
        cursor: Option<&str>,
    ) -> Result<Proven<Listed>, ClientError> {
        let class_code = class.map(|class| class.to_string());
        let asked = [("class", class_code), ("cursor", cursor.map(str::to_owned)), ("limit", Some(LONGEST.to_owned()))];
        let (response, _) = self.read(&format!("/v1/cases/{case}/disclosures{}", query(&asked)), JSON, purpose).await?;
        let Answer { list, ledger } = read_json(&response.body, "disclosures")?;
        let (entry, place) = ledger.verify(&self.identity.pinned)?;
        for (same, what) in [
            (entry.operation == Operation::DisclosureList, "operation"),
            (entry.decision == Outcome::Permit, "decision"),
            (entry.party() == Some(self.party()), "party"),
            (entry.purpose == Some(purpose), "purpose"),
            (list.case == *case && list.class == class && list.made_by.party == *self.party(), "question"),
            (list.disclosures.iter().all(|told| told.index < place.index()), "order"),
        ] {
            if !same {
                return Err(Doubt::Entry(what).into());
            }
        }
        if !is_legible(&list) {
            return Err(Doubt::Form("disclosures").into());
        }
        Ok(Proven::new(Listed { list, entry }, place))
    }

    /// Every page of the list as one. Each page is recorded; the first stands for when it was made.
    pub async fn all_disclosures(&self, case: &CaseId, purpose: Purpose, class: Option<FieldClass>) -> Result<Proven<Listed>, ClientError> {
        'anew: loop {
            let first = self.disclosures(case, purpose, class, None).await?;
            let place = first.place().clone();
            let Listed { mut list, entry } = first.into_inner();
            while let Some(after) = list.cursor.take() {
                let page = self.disclosures(case, purpose, class, Some(&after)).await?.into_inner().list;
                if page.scope != list.scope || page.left_out != list.left_out {
                    // Its place in the case changed between two pages: half a list of each would be none.
                    continue 'anew;
                }
                list.cursor = page.cursor;
                list.disclosures.extend(page.disclosures);
                merge(&mut list.consents, page.consents, |consent| consent.consent);
                merge(&mut list.classes, page.classes, |class| class.class);
            }
            return Ok(Proven::new(Listed { list, entry }, place));
        }
    }
}

/// Adds what is not there yet.
fn merge<T, K: PartialEq>(into: &mut Vec<T>, more: Vec<T>, key: impl Fn(&T) -> K) {
    for item in more {
        if !into.iter().any(|known| key(known) == key(&item)) {
            into.push(item);
        }
    }
}

/// The names go to a terminal, a table and a page: nothing in them may steer what shows them.
fn is_legible(list: &DisclosureList) -> bool {
    let of_unit = |unit: &Unit| [unit.name.ja.clone(), unit.name.en.clone()];
    let units = list.disclosures.iter().flat_map(|told| [Some(&told.recipient), Some(&told.sender), told.on_behalf_of.as_ref()]).flatten();
    let units = units.chain([&list.made_by]).chain(list.consents.iter().map(|consent| &consent.collector));
    let items = list.disclosures.iter().flat_map(|told| &told.items).flat_map(|item| [item.ja.clone(), item.en.clone()]);
    units.flat_map(of_unit).chain(items).all(|text| !text.chars().any(char::is_control))
}

#[derive(Deserialize)]
struct Answer {
    #[serde(flatten)]
    list: DisclosureList,
    ledger: LedgerPart,
}

/// Disclosures on a page.
const LONGEST: &str = "200";
