//! The road of a certificate or its revocation: a message of its case, over the outbox.

use clap::Args;
use serde_json::{Map, Value};

use crate::{
    cli::{
        CliError, Voice,
        acting::As,
        message::{
            deliver::Posted,
            grounds::{Grounds, What},
        },
    },
    client::{Client, Later},
    domain::{
        codes::{MessageKind, Purpose},
        field::FieldKey,
        ids::CaseId,
        party::PartyId,
    },
};

/// In which case, to whom, on what it rests.
#[derive(Debug, Args)]
pub(super) struct Road {
    #[command(flatten)]
    who: As,
    /// The case, as this party knows it.
    #[arg(long, value_name = "ID")]
    pub(super) case: CaseId,
    /// Recipient.
    #[arg(long, value_name = "PARTY")]
    pub(super) to: PartyId,
    #[command(flatten)]
    grounds: Grounds,
    /// Sign and keep it in the outbox, and do not send it yet.
    #[arg(long)]
    hold: bool,
}

impl Road {
    /// A client for the identity. Does not connect yet.
    pub(super) fn client(&self, voice: Voice) -> Result<Client, CliError> {
        self.who.client(voice)
    }

    /// Signs a message with these rows, keeps it in the outbox and sends it. `told` is what the answer names besides.
    pub(super) async fn send(
        &self,
        client: &Client,
        kind: MessageKind,
        rows: Vec<(&str, Value)>,
        told: Map<String, Value>,
        voice: Voice,
    ) -> Result<(), CliError> {
        let body = rows.into_iter().map(|(key, value)| Ok::<_, CliError>((field(key)?, value))).collect::<Result<_, _>>()?;
        let what = What { kind, to: &self.to, purposes: &[Purpose::AddonCertification], body };
        // A consent is looked at for what the case was begun: who reads the first message of the case may see what it rests on.
        let content = self.grounds.content(client, what, Purpose::PlacementCoordination).await?;
        let signed = client.sign(&client.draft_later(&Later { kind, case: self.case, source: None, content })?)?;
        let parcel = client.later_parcel(&self.case, &signed, Purpose::AddonCertification);
        Posted { parcel: &parcel, kind, case: Some(self.case), told }.send(client, self.hold, voice).await
    }
}

fn field(key: &str) -> Result<FieldKey, CliError> {
    key.parse().map_err(|_| CliError::usage(format!("{key} is no row of the catalogue"), format!("{key} は項目一覧にありません")))
}
