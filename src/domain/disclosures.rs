//! What was disclosed from a case to whom (開示の一覧), as the gateway lists it for the person and as clients read and print it.
//!
//! Promises: holds names of rows, classes and codes with their names in both languages, never a value of a row.
//! Not here: who may ask for it, and what of it a body may know (`gateway::disclosures`).

use serde::{Deserialize, Serialize};

use super::{
    codes::{LegalBasis, MessageKind, Purpose, closed_list},
    field::{FieldClass, FieldKey},
    ids::{AgreementId, CaseId, Jti},
    party::{Name, PartyId},
    time::Timestamp,
};

closed_list! {
    /// Of which messages of a case a list tells.
    Scope {
        /// Of all messages of the case.
        Case = "case",
        /// Of those that the body which made it sent or received: it takes no part in the case any more.
        Own = "own",
    }
}

/// A page of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisclosureList {
    /// The case, as the body that made it knows it.
    pub case: CaseId,
    /// The body that made it.
    pub made_by: Unit,
    /// Purpose under which it was made: what the list names depends on it.
    pub purpose: Coded<Purpose>,
    /// Of which messages it tells.
    pub scope: Scope,
    /// The one class that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<FieldClass>,
    /// What was disclosed, oldest first.
    pub disclosures: Vec<Disclosure>,
    /// The consents named above.
    pub consents: Vec<ConsentSummary>,
    /// The classes named above and below.
    pub classes: Vec<ClassName>,
    /// What this body may not be told of what others sent to others. It follows from the policies alone, whatever was disclosed.
    pub left_out: LeftOut,
    /// Where the next page begins.
    pub cursor: Option<String>,
}

/// What a list does not name, if it was disclosed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Classes of rows.
    pub classes: Vec<FieldClass>,
    /// Whether messages between other parties and providers are left out.
    pub providers: bool,
}

/// One message that was shown to one body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disclosure {
    /// Index of the ledger entry that recorded it.
    pub index: u64,
    /// Its time.
    pub time: Timestamp,
    /// Who received it.
    pub recipient: Unit,
    /// In whose place, under a delegation.
    #[serde(rename = "for", default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<Unit>,
    /// Who wrote it.
    pub sender: Unit,
    /// What kind of message it is.
    pub kind: Coded<MessageKind>,
    /// What it was read for.
    pub purpose: Coded<Purpose>,
    /// The legal basis that the message names.
    pub basis: Option<Coded<LegalBasis>>,
    /// The consent it rested on.
    pub consent: Option<Jti>,
    /// The agreement it rested on.
    pub agreement: Option<AgreementName>,
    /// The rows that were shown, as far as this body may know of them.
    pub items: Vec<ItemName>,
}

/// A party with its registered names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// The party.
    pub party: PartyId,
    /// Its names.
    pub name: Name,
}

/// A code with its names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coded<T> {
    /// The code.
    pub code: T,
    /// Japanese name.
    pub ja: String,
    /// English name.
    pub en: String,
}

/// A version of an agreement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgreementName {
    /// Id.
    pub id: AgreementId,
    /// Version.
    pub ver: u32,
}

/// A row of the field catalogue by its names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemName {
    /// Catalogue key.
    pub field: FieldKey,
    /// Japanese name.
    pub ja: String,
    /// English name.
    pub en: String,
    /// Class.
    pub class: FieldClass,
}

/// A class by its names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassName {
    /// The class.
    pub class: FieldClass,
    /// Japanese name.
    pub ja: String,
    /// English name.
    pub en: String,
    /// What the consent form calls it, in plain Japanese.
    pub plain_ja: String,
    /// The same in English.
    pub plain_en: String,
}

/// A consent without its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentSummary {
    /// Id.
    pub consent: Jti,
    /// Who collected it.
    pub collector: Unit,
    /// When it began.
    pub from: Timestamp,
    /// When it was to end.
    pub until: Timestamp,
    /// Whether it was ended, or replaced by another.
    pub ended: bool,
}
