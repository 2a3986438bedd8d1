//! `tsunagi message send`: from a body file to a message in its case, or one that opens a case, over the outbox.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use crate::{
    cli::{
        CliError, Voice,
        acting::{As, patient, post, say},
    },
    client::{Client, Content, Later},
    config,
    domain::{
        agreement::{AgreementStanding, Flow, Side},
        codes::{LegalBasis, MessageKind, Purpose},
        field::FieldKey,
        ids::{AgreementId, CaseId, Jti},
        life::Standing,
        party::PartyId,
    },
    message::{
        disclosed::{ConsentRef, Pseudonym},
        json as strict, sha256,
        submission::{AgreementRef, BasisRef, MessageRef},
    },
};

/// What is sent, in which case, to whom.
#[derive(Debug, Args)]
pub(super) struct SendArgs {
    #[command(flatten)]
    who: As,
    /// Kind of the message, e.g. `referral_decision`.
    #[arg(long, value_name = "KIND")]
    kind: MessageKind,
    /// The case, as this party knows it. Without it the message opens one.
    #[arg(long, value_name = "ID")]
    case: Option<CaseId>,
    /// Recipient.
    #[arg(long, value_name = "PARTY")]
    to: PartyId,
    /// File with the rows of the body: one JSON object, as in `schemas/examples`.
    #[arg(long, value_name = "FILE")]
    body: PathBuf,
    /// What it is sent for; more than once. This party acts for the first.
    #[arg(long = "for", value_name = "PURPOSE", default_value = "placement_coordination")]
    purposes: Vec<Purpose>,
    /// The consent it rests on. Not needed where nothing personal is sent: answers, notices.
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
    /// The message that this one passes on, as PARTY/ID. Only the gateway and auditors learn of it.
    #[arg(long, value_name = "PARTY/ID", value_parser = source, requires = "case")]
    source: Option<MessageRef>,
    /// Sign and keep it in the outbox, and do not send it yet.
    #[arg(long)]
    hold: bool,
}

pub(super) async fn send(args: SendArgs, voice: Voice) -> Result<(), CliError> {
    if args.case.is_none() && !Standing::opens(args.kind) {
        let en = format!("{} belongs to a case: name it with --case (tsunagi case list shows the cases of this party)", args.kind);
        let ja = format!("{} は事案の中で送ります。--case で指定してください（この機関の事案は tsunagi case list）", args.kind);
        return Err(CliError::usage(en, ja));
    }
    let client = args.who.client(voice)?;
    let purpose = args.purposes.first().copied().unwrap_or(Purpose::PlacementCoordination);
    let body = rows(&args.body)?;
    let passage =
        Passage { kind: args.kind, to: &args.to, purposes: &args.purposes, basis: args.basis, agreement: args.agreement.as_ref() };
    let (agreement, flow) = passage.agreement(&client).await?;
    let basis = args.basis.or_else(|| flow.bases.first().copied());
    let consent = match &args.consent {
        Some(consent) => Some(reliance(&client, consent, purpose).await?),
        None => None,
    };
    let content = Content {
        aud: args.to.clone(),
        body,
        consent,
        purposes: args.purposes.clone(),
        agreement,
        schema: patient(async || client.schema(args.kind.as_str()).await).await?.reference,
        basis: basis.unwrap_or(LegalBasis::WithinPurpose),
        basis_ref: args.article.clone().zip(args.reason.clone()).map(|(article, reason)| BasisRef { article, reason }),
    };
    let draft = match args.case {
        Some(case) => client.draft_later(&Later { kind: args.kind, case, source: args.source.clone(), content })?,
        None => client.draft_opening(args.kind, &content)?,
    };
    let signed = client.sign(&draft)?;
    let parcel = match args.case {
        Some(case) => client.later_parcel(&case, &signed, purpose),
        None => client.opening_parcel(&signed, purpose),
    };
    let jti = signed.jti();
    let Some(sent) = post(&client, &parcel, args.hold).await? else {
        if voice.json {
            return say(json!({"message": jti, "held": true}));
        }
        return say(voice.lang.of(&format!("Signed: {jti}. It waits in the outbox."), &format!("署名しました: {jti}。送信箱にあります。")));
    };
    let index = sent.place().index();
    let case = sent.subject.case.or(args.case);
    if voice.json {
        return say(json!({"message": jti, "case": case, "kind": args.kind, "index": index}));
    }
    say(voice.lang.of(
        &format!("Sent: {} {jti}, entry {index} of the ledger. Its receipt is in the outbox.", args.kind),
        &format!("送りました: {} {jti}、台帳の記録 {index}。受領証は送信箱にあります。", args.kind),
    ))?;
    match case.filter(|_| args.case.is_none()) {
        Some(case) => say(voice.lang.of(&format!("It opened the case {case}."), &format!("事案 {case} が始まりました。"))),
        None => Ok(()),
    }
}

/// The rows of a body file.
fn rows(file: &Path) -> Result<Vec<(FieldKey, Value)>, CliError> {
    let wrong = || {
        CliError::usage(
            format!("{} is no JSON object of catalogue rows", file.display()),
            format!("{} は項目の JSON オブジェクトではありません", file.display()),
        )
    };
    let bytes = config::read_file(file).map_err(|error| CliError::usage(error.to_string(), format!("ファイルを読めません: {error}")))?;
    let Ok(Value::Object(members)) = strict::parse(&bytes) else { return Err(wrong()) };
    members.into_iter().map(|(key, value)| Ok((key.parse().map_err(|_| wrong())?, value))).collect()
}

/// A consent as a message names it. Read from the gateway: who may name it may see it.
pub(in crate::cli) async fn reliance(client: &Client, consent: &Jti, purpose: Purpose) -> Result<(Pseudonym, ConsentRef), CliError> {
    let shown = patient(async || client.read_consent(consent, purpose).await).await?;
    let sub = shown.claims.get("sub").and_then(Value::as_str).and_then(|sub| sub.parse().ok());
    let sub = sub.ok_or_else(|| CliError::unverified("the consent names no pseudonym", "同意に仮名がありません"))?;
    Ok((sub, ConsentRef { jti: *consent, sha256: sha256(shown.signed.as_bytes()) }))
}

/// What an agreement must let pass.
pub(in crate::cli) struct Passage<'a> {
    pub(in crate::cli) kind: MessageKind,
    pub(in crate::cli) to: &'a PartyId,
    pub(in crate::cli) purposes: &'a [Purpose],
    /// This basis; any where none is named.
    pub(in crate::cli) basis: Option<LegalBasis>,
    /// This agreement; any where none is named.
    pub(in crate::cli) agreement: Option<&'a AgreementId>,
}

impl Passage<'_> {
    /// An agreement in force with a flow that lets the message pass.
    pub(in crate::cli) async fn agreement(&self, client: &Client) -> Result<(AgreementRef, Flow), CliError> {
        let (from, Self { kind, to, .. }) = (client.party(), self);
        let holds = |side: &Side, party| side.holds(party);
        for head in patient(async || client.agreements().await).await? {
            if head.state != AgreementStanding::InForce || self.agreement.is_some_and(|id| *id != head.id) {
                continue;
            }
            let document = patient(async || client.agreement(&head.reference()).await).await?;
            let passes = |flow: &&Flow| {
                holds(&flow.from, from)
                    && holds(&flow.to, to)
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

fn source(text: &str) -> Result<MessageRef, String> {
    let wrong = || "PARTY/ID".to_owned();
    let (iss, jti) = text.split_once('/').ok_or_else(wrong)?;
    Ok(MessageRef { iss: iss.parse().map_err(|_| wrong())?, jti: jti.parse().map_err(|_| wrong())? })
}
