//! `tsunagi case disclosures`: the list for the person, on the terminal, as a table, as a page to be printed.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::{
    cli::{
        CliError, Voice,
        acting::{As, patient, say},
        new_file::{PRIVATE, write},
    },
    domain::{
        codes::Purpose,
        disclosures::{ConsentSummary, Disclosure, DisclosureList, LeftOut, Unit},
        field::FieldClass,
        ids::CaseId,
    },
    form::Disclosed,
    text::{Lang, audit::japan, disclosures as words},
};

/// Of which case, and where it goes.
#[derive(Debug, Args)]
pub(super) struct DisclosuresArgs {
    #[command(flatten)]
    who: As,
    /// The case, as this party knows it.
    #[arg(value_name = "CASE")]
    case: CaseId,
    /// Purpose of the unit under which it acts: what this body may know for it is what the list names.
    #[arg(long, value_name = "PURPOSE", default_value = "placement_coordination")]
    purpose: Purpose,
    /// Only who received items of this class: the answer to what leaked.
    #[arg(long, value_name = "CLASS")]
    class: Option<FieldClass>,
    /// Write a table for spreadsheet programs (CSV, UTF-8): a new file.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Start the table with a byte order mark, which Japanese spreadsheet programs need.
    #[arg(long, requires = "csv")]
    bom: bool,
    /// Write a page of A4 in plain Japanese to be printed for the person (HTML): a new file.
    #[arg(long, value_name = "FILE")]
    print: Option<PathBuf>,
}

pub(super) async fn run(args: &DisclosuresArgs, voice: Voice) -> Result<(), CliError> {
    let client = args.who.client(voice)?;
    let made = patient(async || client.all_disclosures(&args.case, args.purpose, args.class).await).await?;
    let (index, list) = (made.place().index(), &made.list);
    let sheet = Disclosed { list, index, made: made.entry.time };
    if let Some(file) = &args.csv {
        write(file, sheet.table(args.bom).as_bytes(), PRIVATE)?;
    }
    if let Some(file) = &args.print {
        write(file, sheet.page().as_bytes(), PRIVATE)?;
    }
    if voice.json {
        return say(json!({"index": index, "made": made.entry.time, "list": list}));
    }
    for line in lines(list, voice.lang) {
        say(line)?;
    }
    for file in [&args.csv, &args.print].into_iter().flatten() {
        say(voice.lang.of(&format!("Written: {}", file.display()), &format!("書き出しました: {}", file.display())))?;
    }
    say(voice.lang.of(
        &format!("Entry {index} of the ledger records that this list was made."),
        &format!("この一覧を作ったことは、台帳の記録 {index} にあります。"),
    ))
}

fn lines(list: &DisclosureList, lang: Lang) -> Vec<String> {
    let mut lines = vec![words::title(lang).to_owned(), words::scope(list.scope, lang).to_owned(), words::no_values(lang).to_owned()];
    if list.disclosures.is_empty() {
        lines.push(words::nothing(lang).to_owned());
    }
    for told in &list.disclosures {
        lines.extend(of_one(list, told, lang));
    }
    lines.extend(of_left_out(list, &list.left_out, lang));
    lines
}

fn of_one(list: &DisclosureList, told: &Disclosure, lang: Lang) -> Vec<String> {
    let mut lines = vec![String::new(), format!("{}  {}", japan(told.time), unit(&told.recipient, lang))];
    let mut say = |heading: [&str; 2], text: &str| lines.push(format!("  {}: {text}", lang.of(heading[0], heading[1])));
    if let Some(by) = &told.on_behalf_of {
        say(["in the place of", "代わりに受け取った相手"], &unit(by, lang));
    }
    say(["for", "何のために"], lang.of(&told.purpose.en, &told.purpose.ja));
    let from = format!("{} {}", unit(&told.sender, lang), lang.of(&told.kind.en, &told.kind.ja));
    say(["out of", "だれの書類から"], &from);
    let mut classes: Vec<FieldClass> = Vec::new();
    told.items.iter().for_each(|item| {
        if !classes.contains(&item.class) {
            classes.push(item.class);
        }
    });
    for class in classes {
        let of_class = told.items.iter().filter(|item| item.class == class).map(|item| lang.of(&item.en, &item.ja));
        let names: Vec<&str> = of_class.collect();
        let plain =
            list.classes.iter().find(|name| name.class == class).map_or(class.as_str(), |name| lang.of(&name.plain_en, &name.plain_ja));
        say(["received", "受け取ったもの"], &format!("{plain} [{}]", names.join(lang.of(", ", "、"))));
    }
    if told.items.is_empty() {
        say(["received", "受け取ったもの"], lang.of("only that there was something", "書類が届いたことだけ"));
    }
    let consent = told.consent.and_then(|consent| list.consents.iter().find(|summary| summary.consent == consent));
    if let Some(ConsentSummary { consent, collector, from, .. }) = consent {
        say(["your consent", "あなたの同意"], &format!("{} {} {consent}", japan(*from), unit(collector, lang)));
    }
    if let Some(basis) = &told.basis {
        say(["legal basis", "根拠"], lang.of(&basis.en, &basis.ja));
    }
    if let Some(agreement) = &told.agreement {
        say(["agreement", "機関のあいだの協定"], &format!("{} / {}", agreement.id, agreement.ver));
    }
    say(["ledger", "台帳の番号"], &told.index.to_string());
    lines
}

fn of_left_out(list: &DisclosureList, left_out: &LeftOut, lang: Lang) -> Vec<String> {
    if left_out.classes.is_empty() && !left_out.providers {
        return Vec::new();
    }
    let plain = |class: &FieldClass| {
        let name = list.classes.iter().find(|name| name.class == *class);
        name.map_or(class.as_str(), |name| lang.of(&name.plain_en, &name.plain_ja)).to_owned()
    };
    let providers = left_out.providers.then(|| words::providers_left_out(lang).to_owned());
    let named = left_out.classes.iter().map(plain).chain(providers).map(|text| format!("  - {text}"));
    let before = [String::new(), words::left_out(lang).to_owned()];
    before.into_iter().chain(named).chain([words::ask_elsewhere(lang).to_owned()]).collect()
}

fn unit(unit: &Unit, lang: Lang) -> String {
    format!("{} ({} {})", lang.of(&unit.name.en, &unit.name.ja), words::body(unit.party.kind(), lang), unit.party)
}
