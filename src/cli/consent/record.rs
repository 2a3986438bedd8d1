//! `tsunagi consent sign`, `send`, `withdraw`, `narrow`, `show`, `list`: the signed side, over the outbox.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::paper::{read_draft, told};
use crate::{
    cli::{
        CliError, Voice,
        acting::{As, Family, all_told, outbox, patient, post, say, unusable},
        names::signed_object,
    },
    client::{Client, ClientError, ConsentPart, ConsentSeen, Fate, Listing, Parcel},
    domain::{
        agreement::Side,
        codes::Purpose,
        consent::{EndedBy, Exception, Item},
        entry::Operation,
        field::FieldClass,
        ids::Jti,
    },
    message::compose::ComposeError,
};

/// A draft to sign.
#[derive(Debug, Args)]
pub(super) struct SignArgs {
    #[command(flatten)]
    who: As,
    /// The draft, as `consent draft` made it.
    draft: PathBuf,
    #[command(flatten)]
    acting: Acting,
}

/// What to send.
#[derive(Debug, Args)]
pub(super) struct SendArgs {
    #[command(flatten)]
    who: As,
    /// A consent or an end in the outbox. Default: all that wait.
    id: Option<Jti>,
}

/// The end of a consent.
#[derive(Debug, Args)]
pub(super) struct WithdrawArgs {
    #[command(flatten)]
    who: As,
    /// The consent: `message list` names those on which messages rest.
    consent: Jti,
    #[command(flatten)]
    wish: Wish,
    #[command(flatten)]
    acting: Acting,
}

/// What is taken out of a consent: all of these recipients, or some purposes or classes towards them.
#[derive(Debug, Args)]
pub(super) struct NarrowArgs {
    #[command(flatten)]
    who: As,
    /// The consent: `message list` names those on which messages rest.
    consent: Jti,
    /// A recipient, or a kind of recipients; more than once.
    #[arg(long = "recipient", value_name = "PARTY|KIND", required = true)]
    recipients: Vec<Side>,
    /// A purpose; more than once. Default: all.
    #[arg(long = "for", value_name = "PURPOSE")]
    purposes: Vec<Purpose>,
    /// A field class; more than once. Default: all.
    #[arg(long = "class", value_name = "CLASS")]
    classes: Vec<FieldClass>,
    #[command(flatten)]
    wish: Wish,
    #[command(flatten)]
    acting: Acting,
}

/// A consent to look at.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    #[command(flatten)]
    who: As,
    /// The consent: `message list` names those on which messages rest.
    consent: Jti,
    #[command(flatten)]
    acting: Acting,
}

/// The outbox.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    who: As,
}

/// Under which purpose.
#[derive(Debug, Args)]
pub(super) struct Acting {
    /// Purpose of the unit under which it acts.
    #[arg(long, value_name = "PURPOSE", default_value = "placement_coordination")]
    pub(super) purpose: Purpose,
}

#[derive(Debug, Args)]
struct Wish {
    /// Why, in a few words: free text, sealed with the consent.
    #[arg(long, value_name = "TEXT")]
    why: String,
    /// Who wished it: self or representative.
    #[arg(long, value_name = "CODE", default_value = "self")]
    by: EndedBy,
    /// Sign and keep it in the outbox, and do not send it yet.
    #[arg(long)]
    hold: bool,
}

pub(super) fn sign(args: &SignArgs, voice: Voice) -> Result<(), CliError> {
    let client = args.who.client(voice)?;
    let (collector, claims) = read_draft(&args.draft)?;
    if collector != *client.party() {
        return Err(CliError::usage(
            format!("the draft is of {collector}, and the identity of {}", client.party()),
            format!("下書きは {collector} のもので、身元は {} です", client.party()),
        ));
    }
    let signed = client.sign_drafted_consent(&claims).map_err(|error| match error {
        ClientError::Compose(ComposeError::Refused(refusal)) => told(&refusal),
        error => error.into(),
    })?;
    let parcel = Parcel::object(&client, Operation::ConsentRegister, "/v1/consents", args.acting.purpose, signed.token().to_owned())?;
    outbox(&client)?.put(&parcel).map_err(ClientError::from)?;
    if voice.json {
        return say(json!({"consent": signed.jti(), "sha256": signed.reference().sha256, "pseudonym": signed.sub()}));
    }
    say(voice.lang.of(
        &format!("Signed: consent {}. It waits in the outbox: tsunagi consent send {}", signed.jti(), signed.jti()),
        &format!("署名しました: 同意 {}。送信箱にあります: tsunagi consent send {}", signed.jti(), signed.jti()),
    ))
}

pub(super) async fn send(args: SendArgs, voice: Voice) -> Result<(), CliError> {
    let client = args.who.client(voice)?;
    CONSENTS.send(&client, args.id, voice, |id, sent| done(voice, id, sent.place().index())).await
}

/// Consents and their ends in the outbox.
const CONSENTS: Family = Family {
    holds: |parcel| matches!(parcel.operation(), Operation::ConsentRegister | Operation::ConsentEnd),
    name: |parcel| match parcel.target().strip_prefix("/v1/consents/").and_then(|rest| rest.strip_suffix("/end")) {
        Some(consent) => [format!("the end of consent {consent}"), format!("同意 {consent} の終わり")],
        None => [format!("consent {}", parcel.jti()), format!("同意 {}", parcel.jti())],
    },
    all: ["the consents and their ends", "同意やその終わり"],
    command: "tsunagi consent send",
};

pub(super) async fn withdraw(args: WithdrawArgs, voice: Voice) -> Result<(), CliError> {
    let client = args.who.client(voice)?;
    end(&client, args.consent, args.wish, None, &args.acting, voice).await
}

pub(super) async fn narrow(args: NarrowArgs, voice: Voice) -> Result<(), CliError> {
    let client = args.who.client(voice)?;
    let some = |empty: bool| (!empty).then_some(());
    let out = Exception {
        rcp: args.recipients,
        pur: some(args.purposes.is_empty()).map(|()| args.purposes),
        cls: some(args.classes.is_empty()).map(|()| args.classes),
    };
    end(&client, args.consent, args.wish, Some(vec![out]), &args.acting, voice).await
}

async fn end(
    client: &Client,
    consent: Jti,
    wish: Wish,
    narrow: Option<Vec<Exception>>,
    acting: &Acting,
    voice: Voice,
) -> Result<(), CliError> {
    let (jti, token) = client.sign_consent_end(consent, wish.by, &wish.why, narrow)?;
    let target = format!("/v1/consents/{consent}/end");
    let parcel = Parcel::object(client, Operation::ConsentEnd, &target, acting.purpose, token)?;
    let posted = post(client, &parcel, wish.hold).await;
    let outbox = outbox(client)?;
    match posted.map_err(|error| CONSENTS.undelivered(&outbox, &jti, error))? {
        Some(sent) => done(voice, &jti, sent.place().index()),
        None if voice.json => say(json!({"end": jti})),
        None => say(voice.lang.of(
            &format!("Signed. It takes effect when it is sent: tsunagi consent send {jti}"),
            &format!("署名しました。送ったときから効きます: tsunagi consent send {jti}"),
        )),
    }
}

fn done(voice: Voice, id: &Jti, index: u64) -> Result<(), CliError> {
    if voice.json {
        return say(json!({"id": id, "index": index}));
    }
    say(voice.lang.of(
        &format!("{id} is recorded and takes effect with entry {index} of the ledger. Its receipt is in the outbox."),
        &format!("{id} を台帳に記録しました。記録 {index} から効きます。受領証は送信箱にあります。"),
    ))
}

pub(super) async fn show(args: ShowArgs, voice: Voice) -> Result<(), CliError> {
    let client = args.who.client(voice)?;
    let shown = match patient(async || client.read_consent(&args.consent, args.acting.purpose).await).await? {
        ConsentSeen::Whole(shown) => shown,
        ConsentSeen::Part(part) => return show_part(&part, voice),
    };
    if voice.json {
        let superseded_by = shown.superseded_by;
        return say(json!({
            "consent": shown.consent, "state": shown.state, "superseded_by": superseded_by, "narrowed": shown.narrowed, "claims": shown.claims,
        }));
    }
    say(format!("{}  {}", shown.consent, shown.state))?;
    if let Some(by) = shown.superseded_by {
        say(voice.lang.of(&format!("  superseded by {by}"), &format!("  置き換えた同意: {by}")))?;
    }
    for narrowed in &shown.narrowed {
        say(format!("  {} {}", voice.lang.of("taken out:", "取りやめた範囲:"), json!(narrowed)))?;
    }
    let claims = serde_json::to_string_pretty(&shown.claims).unwrap_or_default();
    say(claims)
}

/// What concerns this unit alone: whom else the consent names is not shown to it.
fn show_part(part: &ConsentPart, voice: Voice) -> Result<(), CliError> {
    let ConsentPart { consent, state, from, until, acting_for, items, superseded_by, sub, sha256 } = part;
    if voice.json {
        return say(json!({
            "consent": consent, "state": state, "from": from, "until": until, "for": acting_for, "items": items, "superseded_by": superseded_by,
            "sub": sub, "sha256": sha256,
        }));
    }
    say(format!("{consent}  {state}  {from} - {until}"))?;
    if let Some(by) = superseded_by {
        say(voice.lang.of(&format!("  superseded by {by}"), &format!("  置き換えた同意: {by}")))?;
    }
    say(voice.lang.of("  What it covers for this unit alone:", "  この機関に係る部分だけを示します:"))?;
    for Item { pur, cls, tick, .. } in items {
        let codes = |list: &[FieldClass]| list.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let purposes = pur.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let ticked =
            if tick.is_empty() { String::new() } else { format!("  {} {}", voice.lang.of("ticked:", "個別同意:"), codes(tick)) };
        say(format!("    {purposes}: {}{ticked}", codes(cls)))?;
    }
    Ok(())
}

pub(super) fn list(args: &ListArgs, voice: Voice) -> Result<(), CliError> {
    let client = args.who.client(voice)?;
    let Listing { items, damaged } = outbox(&client)?.list().map_err(ClientError::from)?;
    for item in items.into_iter().filter(|item| (CONSENTS.holds)(&item.parcel)) {
        let (state, said) = match &item.fate {
            Fate::Waiting => ("waiting", voice.lang.of("waiting", "未送信").to_owned()),
            Fate::Refused(refused) => ("refused", format!("{} {}", voice.lang.of("refused:", "拒否:"), refused.code)),
            Fate::Delivered => ("delivered", voice.lang.of("delivered", "送信済み").to_owned()),
        };
        let (id, operation, signed) = (item.parcel.jti(), item.parcel.operation(), item.parcel.signed());
        if voice.json {
            say(json!({"id": id, "operation": operation, "signed": signed, "state": state, "target": item.parcel.target()}))?;
        } else {
            say(format!("{signed}  {id}  {}  {said}", signed_object(operation, voice.lang)))?;
        }
    }
    all_told(damaged.into_iter().map(unusable).collect())
}
