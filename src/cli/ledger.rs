//! `tsunagi ledger adopt|reopen|record -c tsunagi.toml`: the operator's word about the ledger, where the program must not decide by itself.

use std::{path::PathBuf, sync::Arc};

use clap::{Args, Subcommand};
use serde_json::json;

use super::{CliError, Voice, backup::read, serve::told};
use crate::{
    clock::SystemClock,
    gateway::{Registration, Survey},
    startup::{
        self, StartupError, Told as _,
        keeping::{self, Adopted, Renamed},
    },
    text::Lang,
};

/// What is said about the ledger.
#[derive(Debug, Args)]
pub(super) struct LedgerArgs {
    #[command(subcommand)]
    word: Word,
}

#[derive(Debug, Subcommand)]
enum Word {
    /// This gateway is new to the ledger, or lost its high-water mark, and the ledger is known to be the newest: make the mark. Compare the head with
    /// another gateway's and with those that auditors keep before saying so.
    Adopt(AdoptArgs),
    /// Entries were lost for good: go on under another name, with an entry that records the break. Stop every gateway of the ledger first.
    Reopen(ReopenArgs),
    /// Parties and keys that an earlier version registered get entries that say what they are, so that nobody changes them unseen from now on. Compare
    /// them with what the parties confirm before. Exit code 3: some say otherwise than their entry.
    Record(RecordArgs),
}

#[derive(Debug, Args)]
struct AdoptArgs {
    /// Configuration file of the gateway.
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
}

#[derive(Debug, Args)]
struct RecordArgs {
    /// Configuration file of a gateway of the ledger. The gateway may be running.
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
}

#[derive(Debug, Args)]
struct ReopenArgs {
    /// Configuration file of a gateway of the ledger.
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// The new name, such as gateway.example/ledger-2.
    #[arg(long, value_name = "NAME")]
    origin: String,
    /// A head from before that somebody kept: a checkpoint note, or another gateway's high-water mark. The largest is recorded. May be repeated.
    #[arg(long, value_name = "FILE")]
    known: Vec<PathBuf>,
    /// Nobody has a head from before: neither this gateway's mark nor a note.
    #[arg(long)]
    nothing_known: bool,
}

pub(super) async fn run(args: LedgerArgs, voice: Voice) -> Result<(), CliError> {
    match args.word {
        Word::Adopt(args) => adopt(&args, voice).await,
        Word::Reopen(args) => reopen(args, voice).await,
        Word::Record(args) => record(&args, voice).await,
    }
}

async fn adopt(args: &AdoptArgs, voice: Voice) -> Result<(), CliError> {
    let config = read(&args.config)?;
    let adopted = keeping::adopt(&config).await.map_err(|error| told(&error, "not adopted", "引き継げません"))?;
    let Adopted { size, already, aside } = &adopted;
    let mark = config.ledger.high_water.display();
    if voice.json {
        println!("{}", json!({"size": size, "mark": config.ledger.high_water, "already": already, "aside": aside}));
        return Ok(());
    }
    println!(
        "{}",
        match (already, voice.lang) {
            (true, Lang::En) => format!("{mark}: was there already, and the ledger of {size} entries goes on from it."),
            (true, Lang::Ja) => format!("{mark}: すでにあり、台帳（{size} 件）はその続きです。"),
            (false, Lang::En) => format!("{mark}: made for the ledger of {size} entries. From now on this gateway serves nothing older."),
            (false, Lang::Ja) => format!("{mark}: 台帳（{size} 件）の最高水位として作りました。以後、これより古い台帳では起動しません。"),
        }
    );
    if let Some(aside) = aside {
        println!("{}", kept(aside, voice.lang));
    }
    Ok(())
}

async fn record(args: &RecordArgs, voice: Voice) -> Result<(), CliError> {
    let config = read(&args.config)?;
    let survey = startup::record_registrations(&config, Arc::new(SystemClock))
        .await
        .map_err(|error| told(&error, "the registrations were not recorded", "登録を記録できません"))?;
    let Survey { committed, earlier, differing } = &survey;
    if voice.json {
        let list = |all: &[Registration]| all.iter().map(|one| json!({"party": one.party, "key": one.key})).collect::<Vec<_>>();
        println!("{}", json!({"committed": committed, "recorded": list(earlier), "differing": list(differing)}));
    } else {
        for one in earlier {
            println!("{}: {}", voice.lang.of("recorded", "記録しました"), named(one, voice.lang));
        }
        println!(
            "{}",
            match voice.lang {
                Lang::En => format!("{} recorded now, {committed} were recorded before.", earlier.len()),
                Lang::Ja => format!("今回 {} 件を記録しました。{committed} 件は記録済みです。", earlier.len()),
            }
        );
    }
    if differing.is_empty() {
        return Ok(());
    }
    let list = |lang| differing.iter().map(|one| named(one, lang)).collect::<Vec<_>>().join(", ");
    Err(CliError::unverified(
        format!(
            "registered otherwise than the entries say: {}. Nothing is done by these rows. Look with `tsunagi audit inspect -c FILE`.",
            list(Lang::En)
        ),
        format!(
            "記録の内容と違う登録があります: {}。これらの行は使われません。`tsunagi audit inspect -c FILE` で確かめてください。",
            list(Lang::Ja)
        ),
    ))
}

fn named(one: &Registration, lang: Lang) -> String {
    let Registration { party, key } = one;
    match (key, lang) {
        (None, _) => party.to_string(),
        (Some(key), Lang::En) => format!("{party}, key {key}"),
        (Some(key), Lang::Ja) => format!("{party} の鍵 {key}"),
    }
}

async fn reopen(args: ReopenArgs, voice: Voice) -> Result<(), CliError> {
    let config = read(&args.config)?;
    let renamed = keeping::reopen_ledger(&config, &args.origin, &args.known, args.nothing_known, Arc::new(SystemClock))
        .await
        .map_err(|error| told(&error, "the ledger was not opened again", "台帳を開き直せません"))?;
    let Renamed { reopened, vkey, aside } = &renamed;
    let (aside, unmarked) = match aside {
        Ok(aside) => (aside.as_ref(), None),
        Err(error) => (None, Some(unmarked(error))),
    };
    if voice.json {
        println!(
            "{}",
            json!({"index": reopened.index, "reopens": reopened.reopening, "vkey": vkey.to_string(), "aside": aside, "checkpoint": reopened.note})
        );
        return unmarked.map_or(Ok(()), Err);
    }
    let reopening = &reopened.reopening;
    let (index, from, to, survived) = (reopened.index, &reopening.from, &reopening.origin, reopening.survived.size);
    let lost = reopening.known.map(|known| known.size.saturating_sub(survived));
    println!(
        "{}",
        match (voice.lang, lost) {
            (Lang::En, Some(lost)) => format!("entry {index} records the break: {survived} entries of {from} survived, {lost} are lost."),
            (Lang::En, None) =>
                format!("entry {index} records the break: {survived} entries of {from} survived; how many there were is not known."),
            (Lang::Ja, Some(lost)) =>
                format!("記録 {index} に断絶を記録しました: {from} の {survived} 件が残り、{lost} 件が失われました。"),
            (Lang::Ja, None) => format!("記録 {index} に断絶を記録しました: {from} の {survived} 件が残りました（元の件数は不明）。"),
        }
    );
    if let Some(aside) = aside {
        println!("{}", kept(aside, voice.lang));
    }
    println!("\n{}", voice.lang.of("What to do now, in this order:", "次の順に進めてください。"));
    for (number, step) in (1..).zip(steps(to, &vkey.to_string(), survived, voice.lang)) {
        println!("  {number}. {step}");
    }
    unmarked.map_or(Ok(()), Err)
}

/// The break is on record, and this gateway has no mark yet.
fn unmarked(error: &StartupError) -> CliError {
    CliError::unverified(
        format!(
            "the ledger is open under its new name, but the high-water mark could not be made ({error}). Do not run this again: do the steps above, and here \
             too `tsunagi ledger adopt -c FILE`."
        ),
        format!(
            "台帳は新しい名前で開き直しましたが、最高水位ファイルを作れませんでした（{}）。このコマンドを繰り返さず、上の手順を進め、このゲートウェイでも \
             `tsunagi ledger adopt -c FILE` を実行してください。",
            error.in_japanese()
        ),
    )
}

fn kept(aside: &std::path::Path, lang: Lang) -> String {
    let aside = aside.display();
    match lang {
        Lang::En => format!("{aside}: the mark from before. Keep it: it is evidence of what was there."),
        Lang::Ja => format!("{aside}: これまでの最高水位です。以前の状態の証拠として保管してください。"),
    }
}

fn steps(to: &str, vkey: &str, survived: u64, lang: Lang) -> Vec<String> {
    match lang {
        Lang::En => vec![
            format!("Write origin = \"{to}\" into the configuration of every gateway of this ledger."),
            "On every other gateway: tsunagi ledger adopt -c FILE".to_owned(),
            "Rights that were taken away in the lost entries are in force again (consents, agreements, parties, keys). Ask the collectors and parties, and \
             take them away again before people rely on it: with the gateway reachable for the operator only, if there were any."
                .to_owned(),
            format!("Give every party the new gateway-keys.json (/.well-known/tsunagi), and auditors and witnesses the new verifier key: {vkey}"),
            format!(
                "Tell every party: whoever holds a receipt with a ledger index of {survived} or more sends that message again. The old receipts stay valid \
                 evidence under the old name."
            ),
        ],
        Lang::Ja => vec![
            format!("この台帳のすべてのゲートウェイの設定に origin = \"{to}\" と書いてください。"),
            "ほかのゲートウェイではそれぞれ: tsunagi ledger adopt -c FILE".to_owned(),
            "失われた記録で取り消されていた権利（同意、協定、機関、鍵）が、再び有効になっています。同意の取得者と各機関に確かめ、利用が始まる前に取り消し直してください。\
             該当があり得る間は、運用者だけが接続できるようにしてください。"
                .to_owned(),
            format!("各機関に新しい gateway-keys.json（/.well-known/tsunagi）を、監査人と証人に新しい検証鍵を渡してください: {vkey}"),
            format!("各機関に、台帳番号が {survived} 以上の受領証がある文書の送り直しを頼んでください。古い受領証は、古い名前のもとで証拠として有効です。"),
        ],
    }
}
