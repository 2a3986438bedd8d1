//! `tsunagi case`: the cases that a party stands in, without content, and what was disclosed of one to whom.

mod disclosures;

mod marks;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use self::marks::marks;
use super::{
    CliError, Voice,
    acting::{As, patient, say, unless_closed},
    names::Names,
};
use crate::domain::codes::Purpose;

/// The cases of a party.
#[derive(Debug, Args)]
pub(super) struct CaseArgs {
    #[command(subcommand)]
    command: CaseCommand,
}

#[derive(Debug, Subcommand)]
enum CaseCommand {
    /// List the cases this party stands in, or acts in for another: how each stands, how this party stands to it, and what is to be done.
    List(ListArgs),
    /// Who received which items of a case, when, for what, under which consent and agreement: the list that the person may ask for. Making it is recorded.
    Disclosures(Box<disclosures::DisclosuresArgs>),
}

/// Whose cases.
#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    who: As,
    /// Purpose of the unit under which it acts.
    #[arg(long, value_name = "PURPOSE", default_value = "placement_coordination")]
    purpose: Purpose,
}

pub(super) async fn run(args: CaseArgs, voice: Voice) -> Result<(), CliError> {
    unless_closed(match args.command {
        CaseCommand::List(args) => list(args, voice).await,
        CaseCommand::Disclosures(args) => disclosures::run(&args, voice).await,
    })
}

async fn list(args: ListArgs, voice: Voice) -> Result<(), CliError> {
    let client = args.who.client(voice)?;
    let names = Names::new(voice.lang)?;
    let mut cursor = None;
    loop {
        let page = patient(async || client.list_cases(args.purpose, cursor.as_deref(), 0).await).await?;
        if page.cases.is_empty() {
            return Ok(());
        }
        for head in &page.cases {
            if voice.json {
                let mut told = json!({
                    "case": head.case, "state": head.state, "relation": head.relation, "kind": head.kind, "received": head.received,
                    "updated": head.updated, "for": head.acting_for,
                });
                if let (Some(members), Value::Object(tasks)) = (told.as_object_mut(), json!(head.tasks)) {
                    members.extend(tasks);
                }
                say(told)?;
            } else {
                let acting = head.acting_for.as_ref().map_or_else(String::new, |party| {
                    voice.lang.of(&format!("  for {party}"), &format!("  （{party} のために）")).to_owned()
                });
                let (state, relation, kind) = (names.state(head.state), names.relation(head.relation), names.kind(head.kind));
                say(format!("{}  {}  {state}  {relation}  {kind}{acting}", head.updated, head.case))?;
                marks(&head.tasks, &names).iter().try_for_each(say)?;
            }
        }
        cursor = page.cursor;
    }
}
