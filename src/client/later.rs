//! Later messages of a case: composed like any other, sent into the case, listed.

use serde::Deserialize;

use super::{
    answer::Accepted,
    connection::{Client, JSON, query, read_json},
    error::ClientError,
    outbox::Parcel,
    proven::Proven,
    referral::{Content, Outgoing},
};
use crate::{
    domain::{
        codes::{MessageKind, Purpose},
        entry::Operation,
        ids::{CaseId, Jti},
        time::Timestamp,
    },
    message::{compose::Draft, disclosed::Hidden, submission::MessageRef},
};

/// A message that comes into a case.
#[derive(Debug, Clone)]
pub struct Later {
    /// Its kind.
    pub kind: MessageKind,
    /// The case, as this party knows it.
    pub case: CaseId,
    /// The message that it was made from, if it passes on what another party sent.
    pub source: Option<MessageRef>,
    /// What it says.
    pub content: Content,
}

/// A page of the messages of a case.
#[derive(Debug, Clone, Deserialize)]
pub struct MessagePage {
    /// Messages, in the order of the ledger.
    pub messages: Vec<MessageHead>,
    /// Where the next page begins.
    pub cursor: Option<String>,
}

/// A message in the list: no content.
#[derive(Debug, Clone, Deserialize)]
pub struct MessageHead {
    /// Its id.
    pub message: Jti,
    /// Its kind.
    pub kind: MessageKind,
    /// When the gateway took it.
    pub received: Timestamp,
    /// `in` or `out`.
    pub direction: String,
    /// The consent on which it rests now, where this party may look it up and record its end.
    #[serde(default)]
    pub consent: Option<Jti>,
}

impl Client {
    /// A later message before it is signed.
    pub fn draft_later(&self, later: &Later) -> Result<Draft, ClientError> {
        let hidden = Hidden { case: Some(later.case), drv: later.source.clone(), ..Hidden::default() };
        self.compose(later.kind, hidden, &later.content)
    }

    /// A message that opens a case, of whatever kind does, before it is signed.
    pub fn draft_opening(&self, kind: MessageKind, content: &Content) -> Result<Draft, ClientError> {
        self.compose(kind, Hidden::default(), content)
    }

    /// What waits in the outbox until the gateway has it.
    #[must_use]
    pub fn opening_parcel(&self, message: &Outgoing, purpose: Purpose) -> Parcel {
        message.parcel(self, Operation::ReferralSubmit, OPENINGS, purpose)
    }

    /// What waits in the outbox until the gateway has it.
    #[must_use]
    pub fn later_parcel(&self, case: &CaseId, message: &Outgoing, purpose: Purpose) -> Parcel {
        message.parcel(self, Operation::MessageSubmit, &target(case), purpose)
    }

    /// Sends a signed message into its case. The same message again gets the same answer.
    pub async fn submit_later(&self, case: &CaseId, message: &Outgoing, purpose: Purpose) -> Result<Proven<Accepted>, ClientError> {
        self.submit_to(&target(case), Operation::MessageSubmit, message, purpose).await
    }

    /// A page of what this party sent and received in a case, beyond a cursor.
    pub async fn list_messages(&self, case: &CaseId, purpose: Purpose, cursor: Option<&str>) -> Result<MessagePage, ClientError> {
        let target = format!("{}{}", target(case), query(&[("cursor", cursor.map(str::to_owned))]));
        Ok(read_json(&self.read(&target, JSON, purpose).await?.0.body, "messages")?)
    }
}

/// Where cases are opened.
pub(super) const OPENINGS: &str = "/v1/referrals";

fn target(case: &CaseId) -> String {
    format!("/v1/cases/{case}/messages")
}
