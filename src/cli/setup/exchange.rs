//! `tsunagi setup exchange` and `document`: the first entry of an exchange, and what its parties pin.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use serde_json::{Value, json};

use crate::{
    cli::{CliError, Voice, acting::say, backup, database, new_file, party::request, serve},
    clock::SystemClock,
    domain::{digest::Digest, party::PartyKind},
    message::objects::PartyRequest,
    startup::{self, Founded},
    text::Lang,
};

/// Where the exchange begins, and with whom.
#[derive(Debug, Args)]
pub(super) struct ExchangeArgs {
    /// Configuration file of the gateway.
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// What the operator asks to be registered: the file request.json that `tsunagi party new` made.
    #[arg(long, value_name = "FILE")]
    operator: PathBuf,
    /// Thumbprint of the key as the party itself tells it, on another way than the file came.
    #[arg(long, value_name = "KID", value_parser = request::kid, allow_hyphen_values = true)]
    kid: Digest,
    /// PostgreSQL: file (mode 0600) with the URL of the role that owns the tables. Default: the role of the gateway owns them.
    #[arg(long, value_name = "FILE")]
    owner_url_file: Option<PathBuf>,
    /// Where the document goes that the parties pin. Default: gateway-keys.json beside the configuration.
    #[arg(long, value_name = "FILE")]
    document: Option<PathBuf>,
}

/// Whose keys.
#[derive(Debug, Args)]
pub(super) struct DocumentArgs {
    /// Configuration file of a gateway of the exchange. The gateway may be running.
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// Where it goes. Never over an existing file.
    out: PathBuf,
}

pub(super) async fn run(args: ExchangeArgs, voice: Voice) -> Result<(), CliError> {
    let config = backup::read(&args.config)?;
    let PartyRequest { registration, key } = request::read(&args.operator, Some(&args.kid))?;
    if registration.party.kind() != PartyKind::Operator {
        let party = registration.party;
        return Err(CliError::usage(
            format!("{party} is no operator: an exchange begins with operator:NAME, who registers the others"),
            format!("{party} は運用者ではありません。交換基盤は operator:名前 から始まり、ほかの機関は運用者が登録します"),
        ));
    }
    let owner = args.owner_url_file.as_deref().map(database::owner).transpose()?;
    let (party, clock) = (registration.party.clone(), Arc::new(SystemClock));
    let founded = startup::found(&config, owner.as_ref(), (registration, &key), clock).await;
    let Founded { document, already } =
        founded.map_err(|error| serve::told(&error, "the exchange was not begun", "交換基盤を始められません"))?;
    let beside = || args.config.with_file_name("gateway-keys.json");
    let out = args.document.unwrap_or_else(beside);
    let bytes = pretty(&out, &document)?;
    match fs::read(&out) {
        Ok(there) if there == bytes => {}
        Ok(_) => return Err(taken(&args.config, &out)),
        Err(_) => new_file::write(&out, &bytes, new_file::PUBLIC)?,
    }
    let (config, vkey) = (args.config.display(), document.pointer("/ledger/vkey").and_then(Value::as_str).unwrap_or_default());
    if voice.json {
        return say(json!({"operator": party, "already": already, "document": out, "vkey": vkey}));
    }
    let out = out.display();
    say(match voice.lang {
        Lang::En => format!(
            "{}{out}: give it to every party with the gateway's authority, and tell them its ledger key on another way:\n  {vkey}\n\n\
             Next:\n  Put it, and the gateway's authority as ca.pem, into the operator's own folder too.\n  tsunagi check -c {config}\n  tsunagi serve -c {config}\n  tsunagi party register REQUEST --kid KID --as OPERATOR-DIR   (for each party)",
            if already {
                format!("{party} is its operator already.\n")
            } else {
                format!("The exchange has begun; {party} is its operator.\n")
            },
        ),
        Lang::Ja => format!(
            "{}{out}: ゲートウェイの認証局とともに各機関に渡し、台帳の鍵は別の手段で伝えてください:\n  {vkey}\n\n\
             次に:\n  運用者自身のフォルダーにも、これとゲートウェイの認証局（ca.pem）を置く。\n  tsunagi check -c {config}\n  tsunagi serve -c {config}\n  tsunagi party register REQUEST --kid KID --as 運用者のフォルダー   （機関ごとに）",
            if already {
                format!("{party} は、すでに運用者です。\n")
            } else {
                format!("交換基盤ができました。運用者は {party} です。\n")
            },
        ),
    })
}

pub(super) async fn document(args: &DocumentArgs, voice: Voice) -> Result<(), CliError> {
    let config = backup::read(&args.config)?;
    let document = startup::public_document(&config, Arc::new(SystemClock)).await;
    let document = document.map_err(|error| serve::told(&error, "the document could not be made", "文書を作れません"))?;
    new_file::write(&args.out, &pretty(&args.out, &document)?, new_file::PUBLIC)?;
    let out = args.out.display();
    if voice.json {
        return say(json!({"document": args.out}));
    }
    say(voice.lang.of(
        &format!("{out}: the parties put it into their identity folders as gateway-keys.json."),
        &format!("{out}: 各機関は、身元フォルダーに gateway-keys.json として置きます。"),
    ))
}

fn pretty(out: &Path, document: &Value) -> Result<Vec<u8>, CliError> {
    serde_json::to_vec_pretty(document).map_err(|error| CliError::Io(out.display().to_string(), error.into()))
}

fn taken(config: &Path, out: &Path) -> CliError {
    let (config, out) = (config.display(), out.display());
    CliError::usage(
        format!(
            "the exchange has begun, but {out} is there with other content and stays as it is. Next: tsunagi setup document -c {config} NEW-FILE"
        ),
        format!(
            "交換基盤はできましたが、{out} には別の内容があり、そのままにしました。次に: tsunagi setup document -c {config} 新しいファイル"
        ),
    )
}
