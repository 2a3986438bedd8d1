//! `tsunagi outbox`: everything that was signed and is not delivered, whatever it is. What the gateway refused for good waits for nobody: it stays here
//! with the reason, is sent again only when it is named, and is put away without being lost.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    CliError, Voice,
    acting::{As, all_told, deliver, outbox, say, unless_closed, unusable},
    names::signed_object,
};
use crate::{
    client::{ClientError, Fate, Item, Listing, Parcel, Refused},
    domain::{ids::Jti, refusal::RefusalCode},
    text::{Lang, audit::japan, refusal},
};

/// What was signed and is not delivered.
#[derive(Debug, Args)]
pub(super) struct OutboxArgs {
    #[command(subcommand)]
    command: OutboxCommand,
}

#[derive(Debug, Subcommand)]
enum OutboxCommand {
    /// List what waits and what was refused, with the reason and the next step. A damaged file is named, and hides none of the others.
    List(ListArgs),
    /// Send one again, the same signed bytes: it was refused, it waits, or it was put away.
    Retry(OneArgs),
    /// Put away what was refused: it is not listed any more and stays in the folder. `retry` takes it back.
    Drop(DropArgs),
}

/// Whose outbox.
#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    who: As,
    /// Also what was delivered, and what was put away.
    #[arg(long)]
    all: bool,
}

/// Which one.
#[derive(Debug, Args)]
struct OneArgs {
    #[command(flatten)]
    who: As,
    /// Its id, as `list` shows it.
    id: Jti,
}

/// Which one is put away.
#[derive(Debug, Args)]
struct DropArgs {
    #[command(flatten)]
    one: OneArgs,
    /// Also one that was not refused: it may have arrived, and is not sent again.
    #[arg(long)]
    even_waiting: bool,
}

pub(super) async fn run(args: OutboxArgs, voice: Voice) -> Result<(), CliError> {
    unless_closed(match args.command {
        OutboxCommand::List(args) => list(&args, voice),
        OutboxCommand::Retry(args) => retry(&args, voice).await,
        OutboxCommand::Drop(args) => drop_one(&args, voice),
    })
}

fn list(args: &ListArgs, voice: Voice) -> Result<(), CliError> {
    let client = args.who.client(voice)?;
    let outbox = outbox(&client)?;
    let Listing { items, damaged } = outbox.list().map_err(ClientError::from)?;
    let dropped = if args.all { outbox.dropped().map_err(ClientError::from)? } else { Vec::new() };
    let shown: Vec<&Item> = items.iter().filter(|item| args.all || item.fate != Fate::Delivered).collect();
    if shown.is_empty() && dropped.is_empty() && damaged.is_empty() && !voice.json {
        say(voice.lang.of("Nothing waits, and nothing was refused.", "待っているものも、断られたものもありません。"))?;
    }
    for item in shown {
        if voice.json { say(as_json(item))? } else { lines(item, voice.lang).into_iter().try_for_each(say)? }
    }
    for id in dropped {
        if voice.json {
            say(json!({"id": id, "state": "dropped"}))?;
        } else {
            say(voice.lang.of(
                &format!("{id}  put away. Take it back and send it: tsunagi outbox retry {id}"),
                &format!("{id}  片付けたもの。戻して送る: tsunagi outbox retry {id}"),
            ))?;
        }
    }
    all_told(damaged.into_iter().map(unusable).collect())
}

async fn retry(args: &OneArgs, voice: Voice) -> Result<(), CliError> {
    let client = args.who.client(voice)?;
    let (outbox, id) = (outbox(&client)?, &args.id);
    outbox.take_back(id).map_err(ClientError::from)?;
    let Item { parcel, .. } = outbox.get(id).map_err(ClientError::from)?;
    let sent = deliver(&client, &outbox, id).await.map_err(|cause| {
        let fate = outbox.get(id).map(|item| item.fate);
        let next = matches!(fate, Ok(Fate::Waiting)).then(|| format!("tsunagi outbox retry {id}"));
        let [en, ja] = [Lang::En, Lang::Ja].map(|lang| format!("{} {id}", what(&parcel, lang)));
        CliError::Parcel { id: *id, en, ja, next, cause: Box::new(cause) }
    })?;
    let index = sent.place().index();
    if voice.json {
        return say(json!({"id": id, "operation": parcel.operation(), "state": "delivered", "index": index}));
    }
    let what = what(&parcel, voice.lang);
    say(voice.lang.of(
        &format!("Sent: {what} {id}, entry {index} of the ledger. Its receipt is in the outbox."),
        &format!("送りました: {what} {id}、台帳の記録 {index}。受領証は送信箱にあります。"),
    ))
}

fn drop_one(DropArgs { one: args, even_waiting }: &DropArgs, voice: Voice) -> Result<(), CliError> {
    let client = args.who.client(voice)?;
    let id = &args.id;
    outbox(&client)?.drop_refused(id, *even_waiting).map_err(ClientError::from)?;
    if voice.json {
        return say(json!({"id": id, "state": "dropped"}));
    }
    say(voice.lang.of(
        &format!("{id} is put away, and stays in the folder of the outbox. Take it back and send it: tsunagi outbox retry {id}"),
        &format!("{id} を片付けました。送信箱のフォルダーには残っています。戻して送る: tsunagi outbox retry {id}"),
    ))
}

/// One that is shown to a person: what it is, what became of it, and what to do.
fn lines(item: &Item, lang: Lang) -> Vec<String> {
    let (id, what, target) = (item.parcel.jti(), what(&item.parcel, lang), item.parcel.target());
    let signed = japan(item.parcel.signed());
    match &item.fate {
        Fate::Delivered => vec![format!("{signed}  {id}  {what}  {target}  {}", lang.of("delivered", "送信済み"))],
        Fate::Waiting => vec![
            format!("{signed}  {id}  {what}  {target}  {}", lang.of("waits to be sent", "送信待ち")),
            format!("    {}: tsunagi outbox retry {id}", lang.of("send it", "送る")),
        ],
        Fate::Refused(refused) => {
            let [title, next] = told(refused, lang);
            let (head, at) = (lang.of("refused", "断られた"), japan(refused.time));
            let rules = refused.violations.iter().map(|row| format!("    {}: {}", row.field, row.rule));
            std::iter::once(format!("{signed}  {id}  {what}  {target}  {head} {at}"))
                .chain([format!("    {}: {title}", refused.code)])
                .chain(rules)
                .chain([
                    format!("    {}: {next}", lang.of("next step", "次の手順")),
                    format!("    {}: tsunagi outbox retry {id}", lang.of("send it once more", "もう一度送る")),
                    format!("    {}: tsunagi outbox drop {id}", lang.of("put it away", "片付ける")),
                ])
                .collect()
        }
    }
}

/// Title and next step, in this language if the code is known; otherwise as the gateway said them.
fn told(refused: &Refused, lang: Lang) -> [String; 2] {
    match refused.code.parse::<RefusalCode>() {
        Ok(code) => [refusal(code).title(lang).to_owned(), refusal(code).detail(lang).to_owned()],
        Err(_) => [refused.title.clone(), refused.detail.clone()],
    }
}

fn as_json(item: &Item) -> Value {
    let mut line = json!({
        "id": item.parcel.jti(), "operation": item.parcel.operation(), "target": item.parcel.target(), "signed": item.parcel.signed(),
    });
    let state = match &item.fate {
        Fate::Waiting => json!({"state": "waiting"}),
        Fate::Delivered => json!({"state": "delivered"}),
        Fate::Refused(Refused { time, code, title, detail, violations }) => {
            json!({"state": "refused", "time": time, "code": code, "title": title, "detail": detail, "violations": violations})
        }
    };
    if let (Some(members), Value::Object(state)) = (line.as_object_mut(), state) {
        members.extend(state);
    }
    line
}

/// What a parcel is.
const fn what(parcel: &Parcel, lang: Lang) -> &'static str {
    signed_object(parcel.operation(), lang)
}
