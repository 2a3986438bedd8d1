//! The road of a message through the outbox: kept, sent, told; and `tsunagi message deliver`, which sends what was held or did not arrive.

use clap::Args;
use serde_json::{Map, Value, json};

use crate::{
    cli::{
        CliError, Voice,
        acting::{As, Family, outbox, post, say},
        names::Names,
    },
    client::{Accepted, Client, Parcel, Proven},
    domain::{
        codes::MessageKind,
        entry::Operation,
        ids::{CaseId, Jti},
    },
};

/// What to send.
#[derive(Debug, Args)]
pub(super) struct DeliverArgs {
    #[command(flatten)]
    who: As,
    /// A message in the outbox, also one that was refused before. Default: all that wait.
    id: Option<Jti>,
}

pub(super) async fn deliver(args: DeliverArgs, voice: Voice) -> Result<(), CliError> {
    let client = args.who.client(voice)?;
    MESSAGES.send(&client, args.id, voice, |id, sent| sent_told(id, None, sent, Map::new(), voice)).await
}

/// A signed message, and what is told of it.
pub(in crate::cli) struct Posted<'a> {
    /// What goes through the outbox.
    pub(in crate::cli) parcel: &'a Parcel,
    /// Its kind.
    pub(in crate::cli) kind: MessageKind,
    /// Its case; none if it opens one.
    pub(in crate::cli) case: Option<CaseId>,
    /// What the JSON line names besides.
    pub(in crate::cli) told: Map<String, Value>,
}

impl Posted<'_> {
    /// Keeps it in the outbox, sends it unless it is to be held, and says so.
    pub(in crate::cli) async fn send(self, client: &Client, hold: bool, voice: Voice) -> Result<(), CliError> {
        let Self { parcel, kind, case, mut told } = self;
        let jti = parcel.jti();
        let posted = post(client, parcel, hold).await;
        let outbox = outbox(client)?;
        told.insert("kind".to_owned(), json!(kind));
        match posted.map_err(|error| MESSAGES.undelivered(&outbox, &jti, error))? {
            Some(sent) => sent_told(&jti, case, &sent, told, voice),
            None if voice.json => line(&jti, case, None, told),
            None => say(voice.lang.of(
                &format!("Signed: {jti}. It waits in the outbox: tsunagi message deliver {jti}"),
                &format!("署名しました: {jti}。送信箱にあります: tsunagi message deliver {jti}"),
            )),
        }
    }
}

fn sent_told(jti: &Jti, known: Option<CaseId>, sent: &Proven<Accepted>, told: Map<String, Value>, voice: Voice) -> Result<(), CliError> {
    let (index, opened) = (sent.place().index(), sent.subject.case.filter(|_| sent.entry.operation == Operation::ReferralSubmit));
    if voice.json {
        let mut told = told;
        told.insert("kind".to_owned(), json!(sent.entry.kind));
        return line(jti, known.or(sent.subject.case), Some(index), told);
    }
    let kind = match sent.entry.kind {
        Some(kind) => format!("{} ", Names::new(voice.lang)?.kind(kind)),
        None => String::new(),
    };
    say(voice.lang.of(
        &format!("Sent: {kind}{jti}, entry {index} of the ledger. Its receipt is in the outbox."),
        &format!("送りました: {kind}{jti}、台帳の記録 {index}。受領証は送信箱にあります。"),
    ))?;
    match opened {
        Some(case) => say(voice.lang.of(&format!("It opened the case {case}."), &format!("事案 {case} が始まりました。"))),
        None => Ok(()),
    }
}

fn line(jti: &Jti, case: Option<CaseId>, index: Option<u64>, mut told: Map<String, Value>) -> Result<(), CliError> {
    let own = [("message", json!(jti)), ("case", json!(case)), ("index", json!(index)), ("held", json!(index.is_none()))];
    told.extend(own.map(|(name, value)| (name.to_owned(), value)));
    say(Value::Object(told))
}

/// Messages in the outbox.
const MESSAGES: Family = Family {
    holds: |parcel| matches!(parcel.operation(), Operation::ReferralSubmit | Operation::MessageSubmit),
    name: |parcel| [format!("message {}", parcel.jti()), format!("メッセージ {}", parcel.jti())],
    all: ["the messages", "メッセージ"],
    command: "tsunagi message deliver",
};
