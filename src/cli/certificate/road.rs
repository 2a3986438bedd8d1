//! The road of a certificate or its revocation: a message of its case, over the outbox.

use clap::Args;
use serde_json::{Value, json};

use crate::{
    cli::{
        CliError, Voice,
        acting::{As, patient, post, say},
        message::{Passage, reliance},
    },
    client::{Client, Content, Later},
    domain::{
        codes::{LegalBasis, MessageKind, Purpose},
        field::FieldKey,
        ids::{AgreementId, CaseId, Jti},
        party::PartyId,
    },
    message::submission::BasisRef,
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
    /// The consent it rests on; a revocation needs none.
    #[arg(long, value_name = "ID")]
    consent: Option<Jti>,
    /// Legal basis. Default: the first that the agreement's flow allows.
    #[arg(long, value_name = "CODE")]
    basis: Option<LegalBasis>,
    /// Article that a basis other than consent rests on.
    #[arg(long, value_name = "TEXT", requires = "reason")]
    article: Option<String>,
    /// Why that article applies.
    #[arg(long, value_name = "TEXT", requires = "article")]
    reason: Option<String>,
    /// The agreement. Default: one in force whose flows let this kind pass.
    #[arg(long, value_name = "ID")]
    agreement: Option<AgreementId>,
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
        told: Value,
        voice: Voice,
    ) -> Result<(), CliError> {
        let purposes = [Purpose::AddonCertification];
        let passage = Passage { kind, to: &self.to, purposes: &purposes, basis: self.basis, agreement: self.agreement.as_ref() };
        let (agreement, flow) = passage.agreement(client).await?;
        let consent = match &self.consent {
            // For what the case was begun: who reads the first message of the case may see what it rests on.
            Some(consent) => Some(reliance(client, consent, Purpose::PlacementCoordination).await?),
            None => None,
        };
        let body = rows.into_iter().map(|(key, value)| Ok::<_, CliError>((field(key)?, value))).collect::<Result<_, _>>()?;
        let content = Content {
            aud: self.to.clone(),
            body,
            consent,
            purposes: purposes.to_vec(),
            agreement,
            schema: patient(async || client.schema(kind.as_str()).await).await?.reference,
            basis: self.basis.or_else(|| flow.bases.first().copied()).unwrap_or(LegalBasis::WithinPurpose),
            basis_ref: self.article.clone().zip(self.reason.clone()).map(|(article, reason)| BasisRef { article, reason }),
        };
        let signed = client.sign(&client.draft_later(&Later { kind, case: self.case, source: None, content })?)?;
        let parcel = client.later_parcel(&self.case, &signed, Purpose::AddonCertification);
        let jti = signed.jti();
        let sent = post(client, &parcel, self.hold).await?;
        let index = sent.map(|sent| sent.place().index());
        if voice.json {
            let mut line = json!({"message": jti, "case": self.case, "kind": kind, "index": index, "held": index.is_none()});
            if let (Some(line), Value::Object(more)) = (line.as_object_mut(), told) {
                line.extend(more);
            }
            return say(line);
        }
        say(match index {
            Some(index) => voice
                .lang
                .of(
                    &format!("Sent: {kind} {jti}, entry {index} of the ledger. Its receipt is in the outbox."),
                    &format!("送りました: {kind} {jti}、台帳の記録 {index}。受領証は送信箱にあります。"),
                )
                .to_owned(),
            None => voice
                .lang
                .of(&format!("Signed: {jti}. It waits in the outbox."), &format!("署名しました: {jti}。送信箱にあります。"))
                .to_owned(),
        })
    }
}

fn field(key: &str) -> Result<FieldKey, CliError> {
    key.parse().map_err(|_| CliError::usage(format!("{key} is no row of the catalogue"), format!("{key} は項目一覧にありません")))
}
