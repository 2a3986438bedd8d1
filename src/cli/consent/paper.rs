//! `tsunagi consent form` and `draft`: paper, and what is written down from it. A draft never holds more than its form offers.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    cli::{
        CliError, Voice,
        acting::{As, say},
        new_file::{PRIVATE, PUBLIC, write},
    },
    client::Client,
    clock::{Clock as _, Ids, SystemClock},
    config,
    domain::{
        agreement::{Agreement, AgreementStanding},
        digest::Digest,
        party::PartyId,
        refusal::Refusal,
    },
    form::{Answers, Basis, Draft, Form, Labels, Scan},
    message::{
        disclosed::Pseudonym,
        json as strict,
        objects::{ConsentGiven, SignedObject as _},
        sha256,
    },
    policy::PolicySet,
    text::consent,
};

/// What goes onto the paper.
#[derive(Debug, Args)]
pub(super) struct FormArgs {
    /// Identity folder of the collector: brings names and agreements from its gateway.
    #[arg(long = "as", env = "TSUNAGI_IDENTITY", value_name = "DIR")]
    identity: Option<PathBuf>,
    /// The agreement: a document file, or with --as an id such as AG-13-0001 of one in force.
    #[arg(long, value_name = "FILE|ID")]
    agreement: String,
    /// Who explains the form and keeps it. Default: the identity's party.
    #[arg(long, value_name = "PARTY")]
    collector: Option<PartyId>,
    /// A recipient; more than once. Default: every named party of the agreement. Providers that acceded are named here.
    #[arg(long = "recipient", value_name = "PARTY")]
    recipients: Vec<PartyId>,
    /// The Japanese name of a party, PARTY=NAME; more than once. Default with --as: the directory's.
    #[arg(long = "name", value_name = "PARTY=NAME", value_parser = named)]
    names: Vec<(PartyId, String)>,
    /// Folder of the policies in force. Default: those of this program.
    #[arg(long, value_name = "DIR")]
    policies: Option<PathBuf>,
    /// Where the page goes: a new file.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Where a file for the answers goes: a new file.
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
}

/// A filled form.
#[derive(Debug, Args)]
pub(super) struct DraftArgs {
    /// The form, as `consent form` made it.
    #[arg(long, value_name = "FILE")]
    form: PathBuf,
    /// The answers.
    #[arg(long, value_name = "FILE")]
    answers: PathBuf,
    /// Folder of the policies in force. Default: those of this program.
    #[arg(long, value_name = "DIR")]
    policies: Option<PathBuf>,
    /// Where the draft goes: a new file.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub(super) async fn form(args: FormArgs, voice: Voice) -> Result<(), CliError> {
    let client = args.identity.map(|folder| As::of(&folder).client(voice)).transpose()?;
    let policy = policies(args.policies.as_deref())?;
    let mut names: BTreeMap<PartyId, String> = BTreeMap::new();
    let (agreement, sha256) = match &client {
        Some(client) => {
            same_policies(client, &policy).await?;
            names.extend(client.parties().await?.into_iter().map(|party| (party.party, party.name.ja)));
            agreement_of(client, &args.agreement).await?
        }
        None => document(&args.agreement)?,
    };
    names.extend(args.names);
    let collector = args.collector.or_else(|| client.as_ref().map(|client| client.party().clone())).ok_or_else(|| {
        CliError::usage("name the --collector, or an identity with --as", "--collector か、--as で身元フォルダーを指定してください")
    })?;
    let labels = Labels::builtin().map_err(|error| CliError::usage(error.to_string(), error.ja()))?;
    let basis = Basis {
        agreement: &agreement,
        sha256,
        collector: &collector,
        recipients: &args.recipients,
        names: &|party| names.get(party).cloned(),
        policy: &policy,
        labels: &labels,
    };
    let form = Form::offer(&basis).map_err(|error| CliError::usage(error.to_string(), error.ja()))?;
    write(&args.out, form.render().as_bytes(), PUBLIC)?;
    if let Some(answers) = &args.answers {
        write(answers, form.template(SystemClock.now()).as_bytes(), PRIVATE)?;
    }
    let boxes = form.boxes().count();
    if voice.json {
        let recipients: Vec<&PartyId> = form.columns.iter().map(|column| &column.party).collect();
        return say(json!({"form": form.number(), "file": args.out, "answers": args.answers, "boxes": boxes, "recipients": recipients}));
    }
    say(voice.lang.of("Form", "同意書").to_owned() + "  " + &form.number())?;
    for column in &form.columns {
        say(format!("  {}  {}  {}", column.letter, column.party, column.ja))?;
    }
    say(voice.lang.of(
        &format!("{boxes} boxes. Print {} in A4, explain it, have it signed, and copy the answers.", args.out.display()),
        &format!("四角は {boxes} 個です。{} を A4 で印刷し、説明して署名をもらい、記入内容を書き写してください。", args.out.display()),
    ))
}

pub(super) fn draft(args: &DraftArgs, voice: Voice) -> Result<(), CliError> {
    let unreadable = |error: config::ConfigError| CliError::usage(error.to_string(), format!("ファイルを読めません: {error}"));
    let page = config::read_file(&args.form).map_err(unreadable)?;
    let form = Form::read(&page).map_err(|error| CliError::usage(error.to_string(), error.ja()))?;
    let text = config::read_file(&args.answers).map_err(unreadable)?;
    let text = String::from_utf8(text).map_err(|_| CliError::usage("the answers are not UTF-8", "記入内容が UTF-8 ではありません"))?;
    let wrong = |error: crate::form::AnswersError| CliError::usage(error.to_string(), error.ja());
    let answers = Answers::read(&text).map_err(wrong)?;
    let scan = match answers.scan().map_err(wrong)? {
        Scan::Digest(digest) => digest,
        Scan::File(file) => {
            let beside = args.answers.parent().unwrap_or_else(|| Path::new("")).join(file);
            sha256(&config::read_file(&beside).map_err(unreadable)?)
        }
    };
    let draft = form.answered(&answers, scan, &pseudonym()?, SystemClock.now()).map_err(wrong)?;
    let policy = policies(args.policies.as_deref())?;
    stands(&draft, &policy).map_err(|refusal| told(&refusal))?;
    let Draft { collector, pseudonym, claims } = &draft;
    let text = serde_json::to_string_pretty(&json!({"collector": collector, "claims": claims})).unwrap_or_default();
    write(&args.out, text.as_bytes(), PRIVATE)?;
    if voice.json {
        return say(json!({"draft": args.out, "form": form.number(), "pseudonym": pseudonym, "scan": scan}));
    }
    say(voice.lang.of(
        &format!("The draft is in {}. Write the pseudonym {} on the paper, then sign the draft.", args.out.display(), pseudonym.as_str()),
        &format!("下書きを {} に作りました。紙の控えに仮名 {} を書き、下書きに署名してください。", args.out.display(), pseudonym.as_str()),
    ))
}

/// Reads a draft back: who collected it, and the claims.
pub(super) fn read_draft(file: &Path) -> Result<(PartyId, Value), CliError> {
    let wrong = || CliError::usage(format!("{} is no draft", file.display()), format!("{} は下書きではありません", file.display()));
    let bytes = config::read_secret(file).map_err(|error| CliError::usage(error.to_string(), format!("ファイルを読めません: {error}")))?;
    let value = strict::parse(&bytes).map_err(|_| wrong())?;
    let Kept { collector, claims } = serde_json::from_value(value).map_err(|_| wrong())?;
    Ok((collector, claims))
}

/// A refusal in the words of a person, by the rule that it names.
pub(super) fn told(refusal: &Refusal) -> CliError {
    let sentences: Vec<[String; 2]> = refusal.violations.iter().map(|v| consent::rule(&v.field, &v.rule)).collect();
    let of = |at: usize| sentences.iter().filter_map(|both| both.get(at).cloned()).collect::<Vec<_>>();
    CliError::usage(of(0).join("; "), of(1).join("。"))
}

/// That the gateway would take it, as far as it can be said without one.
fn stands(draft: &Draft, policy: &PolicySet) -> Result<(), Refusal> {
    let now = SystemClock.now();
    let mut claims = draft.claims.clone();
    if let Some(members) = claims.as_object_mut() {
        members.insert("iss".to_owned(), json!(draft.collector));
        members.insert("aud".to_owned(), json!("https://draft.invalid"));
        members.insert("jti".to_owned(), json!(DRAFT_ID));
        members.insert("iat".to_owned(), json!(now.secs()));
    }
    ConsentGiven::from_claims(&claims)?.keeps(policy.consent_terms(), now)
}

fn policies(folder: Option<&Path>) -> Result<PolicySet, CliError> {
    let loaded = folder.map_or_else(PolicySet::builtin, PolicySet::load);
    loaded.map_err(|error| CliError::usage(format!("the policies cannot be used: {error}"), format!("方針を使えません: {error}")))
}

/// A form made by other policies than those in force would offer what is never shown, or not offer what could be.
async fn same_policies(client: &Client, policy: &PolicySet) -> Result<(), CliError> {
    if client.well_known().await?.policy == policy.digest() {
        return Ok(());
    }
    Err(CliError::usage(
        "the gateway decides by other policies: name their folder with --policies",
        "ゲートウェイの方針が違います。--policies で同じ方針のフォルダーを指定してください",
    ))
}

/// An agreement from a file, or the newest version in force under an id.
async fn agreement_of(client: &Client, named: &str) -> Result<(Agreement, Digest), CliError> {
    if Path::new(named).exists() {
        return document(named);
    }
    let listed = client.agreements().await?;
    let found =
        listed.iter().filter(|head| head.id.as_str() == named && head.state == AgreementStanding::InForce).max_by_key(|head| head.ver);
    let found = found.ok_or_else(|| {
        CliError::usage(
            format!("{named} is no file, and no agreement in force of this party"),
            format!("{named} というファイルも、この機関の有効な協定もありません"),
        )
    })?;
    let reference = found.reference();
    Ok((client.agreement(&reference).await?, reference.sha256))
}

fn document(file: &str) -> Result<(Agreement, Digest), CliError> {
    let bytes = config::read_file(Path::new(file))
        .map_err(|error| CliError::usage(error.to_string(), format!("協定のファイルを読めません: {error}")))?;
    let wrong = |why: String| {
        CliError::usage(format!("{file} is no agreement document: {why}"), format!("{file} は協定の文書ではありません: {why}"))
    };
    let value = strict::parse(&bytes).map_err(|error| wrong(error.to_string()))?;
    Ok((serde_json::from_value(value).map_err(|error| wrong(error.to_string()))?, sha256(&bytes)))
}

fn pseudonym() -> Result<Pseudonym, CliError> {
    let failed = || CliError::usage("the random generator failed", "乱数を作れません");
    let made = Ids::new(std::sync::Arc::new(SystemClock)).jti().map_err(|_| failed())?;
    made.to_string().parse().map_err(|_| failed())
}

fn named(text: &str) -> Result<(PartyId, String), String> {
    let (party, name) = text.split_once('=').ok_or("PARTY=NAME")?;
    Ok((party.parse().map_err(|_| "PARTY=NAME")?, name.to_owned()))
}

/// What a draft file holds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    collector: PartyId,
    claims: Value,
}

/// Stands for the id that the signature will give.
const DRAFT_ID: &str = "00000000-0000-4000-8000-000000000000";
