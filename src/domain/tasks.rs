//! What the list of cases says is to be done: what to answer, what nobody collected, what was taken back, whom to tell. Said by the gateway and read by
//! its clients.

use serde::{Deserialize, Serialize};

use super::{
    codes::MessageKind,
    consent::{ErasureDue, Taking},
    day::Day,
    ids::Jti,
    party::PartyId,
    time::Timestamp,
};

/// What is to be done in a case, as one party is told of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CaseTasks {
    /// The first day, in Japan, by whose end this party has to answer something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_by: Option<Day>,
    /// Whether that day is past.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overdue: Option<bool>,
    /// What this party has to answer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub due: Vec<Question>,
    /// What this party waits for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<Question>,
    /// What it sent and nobody collected in time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub uncollected: Vec<Uncollected>,
    /// What it sent and nobody can collect any more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub quarantined: Vec<Quarantined>,
    /// What was taken back from this party.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consent: Option<TakenBack>,
    /// Who holds what this party sent and was taken back, and has not reported.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unreported: Vec<Holder>,
    /// What this party has to correct.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub correct: Vec<ToCorrect>,
}

/// A message that waits for its reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// The message.
    pub message: Jti,
    /// Its kind.
    pub kind: MessageKind,
    /// Who has to answer it, where another has to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<PartyId>,
    /// By the end of which day in Japan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_by: Option<Day>,
    /// Whether that day is past.
    pub overdue: bool,
}

/// A message that nobody collected in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uncollected {
    /// The message.
    pub message: Jti,
    /// Its kind.
    pub kind: MessageKind,
    /// Who should have.
    pub to: PartyId,
    /// Ledger entry of its submission.
    pub index: u64,
    /// The first day on which it was late.
    pub since: Day,
}

/// A message that nobody can collect any more, because the consent was taken back before anybody did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantined {
    /// The message.
    pub message: Jti,
    /// Its kind.
    pub kind: MessageKind,
    /// To whom it was sent.
    pub to: PartyId,
    /// Since when.
    pub since: Timestamp,
}

/// What was taken back from a party.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenBack {
    /// As a whole or in part.
    pub state: Taking,
    /// Since when.
    pub since: Timestamp,
    /// Of a party that had collected something: whether it has reported what became of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<ErasureDue>,
}

/// A party that holds what was taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The party.
    pub party: PartyId,
    /// Since when it is taken back.
    pub since: Timestamp,
}

/// A message that has to be corrected, because what it rests on was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToCorrect {
    /// The message.
    pub message: Jti,
    /// To whom it was sent.
    pub to: PartyId,
    /// The message that was corrected.
    pub because: Jti,
}

/// A party that collected something that was sent under a consent, as its collector is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentHolder {
    /// The party.
    pub party: PartyId,
    /// When it collected the first of it.
    pub collected: Timestamp,
    /// Since when something of it is taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Whether it has reported what became of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<ErasureDue>,
    /// When it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported: Option<Timestamp>,
}
