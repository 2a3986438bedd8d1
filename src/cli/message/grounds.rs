//! What a message rests on, as its sender names it: the consent, the legal basis, the agreement.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Value;

use crate::{
    cli::{CliError, acting::patient},
    client::{Client, ConsentPart, ConsentSeen, Content},
    config,
    domain::{
        agreement::{AgreementStanding, Flow},
        codes::{LegalBasis, MessageKind, Purpose},
        field::FieldKey,
        ids::{AgreementId, Jti},
        party::{PartyId, PartyKind},
    },
    message::{
        disclosed::{ConsentRef, Pseudonym},
        objects::{ConsentGiven, Signed},
        sha256,
        submission::{AgreementRef, BasisRef},
    },
};

/// What it rests on.
#[derive(Debug, Args)]
pub(in crate::cli) struct Grounds {
    /// The consent it rests on: its id, if this party may look at it, or the file of the signed consent. Not needed where nothing personal is sent: answers, notices.
    #[arg(long, value_name = "ID|FILE")]
    consent: Option<Named>,
    /// Legal basis. Default: the only one that the agreement's flow allows; under a consent, the person's consent.
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
}

/// What is sent, to whom, for what.
pub(in crate::cli) struct What<'a> {
    /// Its kind.
    pub(in crate::cli) kind: MessageKind,
    /// Its recipient.
    pub(in crate::cli) to: &'a PartyId,
    /// What it is sent for.
    pub(in crate::cli) purposes: &'a [Purpose],
    /// Its rows.
    pub(in crate::cli) body: Vec<(FieldKey, Value)>,
}

impl Grounds {
    /// The content of the message, with all it rests on. A consent that is named by its id is looked at under the purpose `looking`.
    pub(in crate::cli) async fn content(&self, client: &Client, what: What<'_>, looking: Purpose) -> Result<Content, CliError> {
        let What { kind, to, purposes, body } = what;
        let passage = Passage { kind, to, purposes, basis: self.basis, agreement: self.agreement.as_ref() };
        let (agreement, flow) = passage.agreement(client).await?;
        let basis = match self.basis {
            Some(basis) => basis,
            None => only_basis(&flow, client.party().kind(), self.consent.is_some())?,
        };
        let consent = match &self.consent {
            Some(consent) => Some(reliance(client, consent, looking).await?),
            None => None,
        };
        Ok(Content {
            aud: to.clone(),
            body,
            consent,
            purposes: purposes.to_vec(),
            agreement,
            schema: patient(async || client.schema(kind.as_str()).await).await?.reference,
            basis,
            basis_ref: self.article.clone().zip(self.reason.clone()).map(|(article, reason)| BasisRef { article, reason }),
        })
    }
}

/// The basis where the flow leaves no choice, or the consent that is named makes it: on what a body provides, it has to say itself.
fn only_basis(flow: &Flow, sender: PartyKind, consented: bool) -> Result<LegalBasis, CliError> {
    let of_consent = if sender.is_public() { LegalBasis::Consent69_2_1 } else { LegalBasis::Consent27 };
    match flow.bases.as_slice() {
        [only] => Ok(*only),
        several if consented && several.contains(&of_consent) => Ok(of_consent),
        several => {
            let list = several.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let en = format!("the agreement allows several legal bases: name the one this rests on with --basis ({list})");
            let ja = format!("協定は複数の提供根拠を認めています。どれによるかを --basis で示してください（{list}）");
            Err(CliError::usage(en, ja))
        }
    }
}

/// How a consent was named.
#[derive(Debug, Clone)]
pub(super) enum Named {
    Registered(Jti),
    /// Signed, in a file that its collector handed on.
    Signed(PathBuf),
}

impl std::str::FromStr for Named {
    type Err = std::convert::Infallible;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(text.parse().map_or_else(|_| Self::Signed(text.into()), Self::Registered))
    }
}

/// A consent as a message names it.
async fn reliance(client: &Client, consent: &Named, purpose: Purpose) -> Result<(Pseudonym, ConsentRef), CliError> {
    let jti = match consent {
        Named::Registered(jti) => jti,
        Named::Signed(file) => return signed(file),
    };
    let shown = match patient(async || client.read_consent(jti, purpose).await).await? {
        ConsentSeen::Whole(shown) => shown,
        // Believed as far as the gateway, which compares both when the message comes.
        ConsentSeen::Part(ConsentPart { sub: Some(sub), sha256: Some(sha256), .. }) => return Ok((sub, ConsentRef { jti: *jti, sha256 })),
        ConsentSeen::Part(_) => {
            return Err(CliError::usage(
                "this unit is not shown by what a message names the consent: name the file with the signed one that its collector hands on",
                "この機関には文書で同意を示すための情報が示されません。取得した機関から受け取った署名済みの同意のファイルを指定してください",
            ));
        }
    };
    let sub = shown.claims.get("sub").and_then(Value::as_str).and_then(|sub| sub.parse().ok());
    let sub = sub.ok_or_else(|| CliError::unverified("the consent names no pseudonym", "同意に仮名がありません"))?;
    Ok((sub, ConsentRef { jti: *jti, sha256: sha256(shown.signed.as_bytes()) }))
}

/// A consent from a file. The gateway compares it with the one that is registered; nothing here believes its signature.
fn signed(file: &Path) -> Result<(Pseudonym, ConsentRef), CliError> {
    let wrong = || {
        CliError::usage(
            format!("{} is neither the id of a consent nor a file with a signed one", file.display()),
            format!("{} は同意の番号でも、署名済みの同意のファイルでもありません", file.display()),
        )
    };
    let bytes = config::read_file(file).map_err(|_| wrong())?;
    let token = bytes.trim_ascii();
    let given = Signed::<ConsentGiven>::read(token).map_err(|_| wrong())?;
    let given = given.unproven();
    Ok((given.sub.clone(), ConsentRef { jti: given.issued.jti, sha256: sha256(token) }))
}

/// What an agreement must let pass.
struct Passage<'a> {
    kind: MessageKind,
    to: &'a PartyId,
    purposes: &'a [Purpose],
    /// This basis; any where none is named.
    basis: Option<LegalBasis>,
    /// This agreement; any where none is named.
    agreement: Option<&'a AgreementId>,
}

impl Passage<'_> {
    /// An agreement in force with a flow that lets the message pass.
    async fn agreement(&self, client: &Client) -> Result<(AgreementRef, Flow), CliError> {
        let (from, Self { kind, to, .. }) = (client.party(), self);
        for head in patient(async || client.agreements().await).await? {
            if head.state != AgreementStanding::InForce || self.agreement.is_some_and(|id| *id != head.id) {
                continue;
            }
            let document = patient(async || client.agreement(&head.reference()).await).await?;
            let passes = |flow: &&Flow| {
                flow.from.holds(from)
                    && flow.to.holds(to)
                    && flow.kinds.contains(kind)
                    && self.purposes.iter().all(|purpose| flow.purposes.contains(purpose))
                    && self.basis.is_none_or(|basis| flow.bases.contains(&basis))
            };
            if let Some(flow) = document.flows.iter().find(passes) {
                return Ok((head.reference(), flow.clone()));
            }
        }
        Err(CliError::usage(
            format!("no agreement in force lets {kind} pass from {from} to {to} for these purposes"),
            format!("{from} から {to} への {kind} を、この利用目的で認める発効中の協定がありません"),
        ))
    }
}
