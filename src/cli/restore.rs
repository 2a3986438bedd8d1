//! `tsunagi restore -c tsunagi.toml FILE`: a copy goes where the database was, and the ledger says whether it is the newest.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{
    CliError, Voice, backup,
    serve::{mark_remedy, told},
};
use crate::{
    ledger::HighWaterError,
    startup::{
        StartupError, Told as _,
        keeping::{self, MarkState},
    },
    text::Lang,
};

/// Put a copy that `tsunagi backup` made where the configured database will be. It is verified first, and nothing is written over. Exit code 4: it is
/// restored, and the gateway does not serve it before the step that is told.
#[derive(Debug, Args)]
pub(super) struct RestoreArgs {
    /// Configuration file.
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// The copy.
    #[arg(value_name = "FILE")]
    from: PathBuf,
    /// Into PostgreSQL: file (mode 0600) with the URL of the role that is to own the tables, the server itself and no pooler. Default: the configured
    /// role owns them.
    #[arg(long, value_name = "FILE")]
    owner_url_file: Option<PathBuf>,
}

pub(super) async fn run(args: RestoreArgs, voice: Voice) -> Result<(), CliError> {
    let config = backup::read(&args.config)?;
    if matches!(std::fs::metadata(&args.from), Err(error) if error.kind() == std::io::ErrorKind::NotFound) {
        let file = args.from.display();
        return Err(CliError::usage(
            format!("{file}: there is no such copy. Name a file that `tsunagi backup` made."),
            format!("{file}: 控えがありません。`tsunagi backup` で作ったファイルを指定してください。"),
        ));
    }
    let owner = args.owner_url_file.as_deref().map(super::database::owner).transpose()?;
    let (copied, state) = keeping::restore(&config, &args.from, owner.as_ref())
        .await
        .map_err(|error| told(&error, "nothing was restored", "何も戻していません"))?;
    let stored = copied.examined.head.size;
    let unknown = |error: &StartupError| {
        told(
            error,
            "it is restored, but whether the gateway may serve it could not be found out",
            "戻しましたが、起動できる状態かどうかを確かめられません",
        )
    };
    if voice.json {
        let (code, shown) = match &state {
            Ok(MarkState::Fits { shown }) => ("fits", Some(*shown)),
            Ok(MarkState::Behind { shown }) => ("behind", Some(*shown)),
            Ok(MarkState::Forked { shown }) => ("forked", Some(*shown)),
            Ok(MarkState::Unusable(_)) => ("unusable", None),
            Err(_) => ("unknown", None),
        };
        println!("{}", json!({"restored": backup::facts(&copied), "mark": code, "shown": shown}));
        return served(&state.map_err(|error| unknown(&error))?, stored);
    }
    let place = copied.place.as_ref().map_or_else(|| "PostgreSQL".to_owned(), |place| place.display().to_string());
    println!(
        "{}",
        match voice.lang {
            Lang::En => format!("{place}: restored and verified, ledger of {stored} entries."),
            Lang::Ja => format!("{place}: 戻して検証しました（台帳は {stored} 件）。"),
        }
    );
    let state = state.map_err(|error| unknown(&error))?;
    if matches!(state, MarkState::Fits { .. }) {
        println!("{}", verdict(&state, stored, voice.lang));
    }
    served(&state, stored)
}

/// What is restored and not served yet has an exit code of its own, so that no script takes it for the end of the work.
fn served(state: &MarkState, stored: u64) -> Result<(), CliError> {
    if matches!(state, MarkState::Fits { .. }) {
        return Ok(());
    }
    Err(CliError::NotServed { en: verdict(state, stored, Lang::En), ja: verdict(state, stored, Lang::Ja) })
}

fn verdict(state: &MarkState, stored: u64, lang: Lang) -> String {
    match (state, lang) {
        (MarkState::Fits { .. }, Lang::En) => "It goes on from everything this gateway has shown: start the gateway.".to_owned(),
        (MarkState::Fits { .. }, Lang::Ja) => "このゲートウェイが示したすべての記録を含みます。ゲートウェイを起動できます。".to_owned(),
        (MarkState::Behind { shown }, Lang::En) => format!(
            "It is OLDER than what this gateway has shown: {} entries are missing ({shown} shown). The gateway will not serve it. If there is a newer copy or \
             a standby, restore that. If they are lost for good: tsunagi ledger reopen -c FILE --origin NEW-NAME",
            shown.saturating_sub(stored)
        ),
        (MarkState::Behind { shown }, Lang::Ja) => format!(
            "このゲートウェイが示したものより古く、{} 件が足りません（示したのは {shown} 件）。このままでは起動しません。より新しい控えや待機系があれば、それを戻してください。\
             失われて戻らない場合: tsunagi ledger reopen -c FILE --origin 新しい名前",
            shown.saturating_sub(stored)
        ),
        (MarkState::Forked { shown }, Lang::En) => format!(
            "It does NOT go on from the head of {shown} entries that this gateway has shown. The gateway will not serve it. See `tsunagi ledger reopen`."
        ),
        (MarkState::Forked { shown }, Lang::Ja) => {
            format!(
                "このゲートウェイが示した {shown} 件の先頭とつながりません。このままでは起動しません。`tsunagi ledger reopen` を見てください。"
            )
        }
        (MarkState::Unusable(error @ HighWaterError::Missing(_)), Lang::En) => format!(
            "{error}: nobody can tell here whether it is the newest. Compare it with another gateway or an auditor, then: tsunagi ledger adopt -c FILE"
        ),
        (MarkState::Unusable(error @ HighWaterError::Missing(_)), Lang::Ja) => {
            format!(
                "{}。最新かどうかをここでは確かめられません。ほかのゲートウェイや監査人の控えと比べてから: tsunagi ledger adopt -c FILE",
                error.in_japanese()
            )
        }
        (MarkState::Unusable(error), Lang::En) => format!("{error}: whether it is the newest could not be told. {}", mark_remedy(error).0),
        (MarkState::Unusable(error), Lang::Ja) => {
            format!("{}。最新かどうかを確かめられませんでした。{}", error.in_japanese(), mark_remedy(error).1)
        }
    }
}
