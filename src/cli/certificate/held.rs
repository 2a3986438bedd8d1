//! `tsunagi certificate list` and `fetch`: the certificates of a case, verified as they come.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::paper::as_json;
use crate::{
    cli::{
        CliError, Voice,
        acting::{As, patient, say},
        new_file::{PRIVATE, write},
    },
    client::{Client, HeldCertificate},
    domain::ids::{CaseId, Jti},
    message::objects::CertificateNumber,
};

/// Whose certificates.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    who: As,
    /// The case, as this party knows it.
    #[arg(long, value_name = "ID")]
    case: CaseId,
}

/// Which certificate, and where it goes.
#[derive(Debug, Args)]
pub(super) struct FetchArgs {
    #[command(flatten)]
    who: As,
    /// The case, as this party knows it.
    #[arg(long, value_name = "ID")]
    case: CaseId,
    #[command(flatten)]
    which: Which,
    /// Where the file goes: a new file, for its owner only.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Which of the certificates of a case.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// The certificate, by its id. Not needed where the case has one only.
    #[arg(long, value_name = "ID")]
    certificate: Option<Jti>,
    /// The same by its number.
    #[arg(long, value_name = "NO", conflicts_with = "certificate")]
    number: Option<CertificateNumber>,
}

pub(super) async fn list(args: ListArgs, voice: Voice) -> Result<(), CliError> {
    let client = args.who.client(voice)?;
    let all = held(&client, &args.case).await?;
    if all.is_empty() && !voice.json {
        return say(voice.lang.of("There is no certificate that this party may see.", "この機関が見られる証明書はありません。"));
    }
    for held in &all {
        if voice.json {
            say(as_json(&held.proven, None))?;
            continue;
        }
        let certificate = held.proven.certificate();
        let days = match held.proven.holds() {
            Some(days) => {
                voice.lang.of(&format!("{} to {}", days.from, days.until), &format!("{} から {} まで", days.from, days.until)).to_owned()
            }
            None => voice.lang.of("REVOKED", "取消済み").to_owned(),
        };
        let provider = voice.lang.of("provider", "事業所番号");
        say(format!(
            "{}  {}  {provider} {}  {days}  {}",
            certificate.no,
            held.proven.code(),
            certificate.provider,
            certificate.issued.jti
        ))?;
    }
    Ok(())
}

pub(super) async fn fetch(args: FetchArgs, voice: Voice) -> Result<(), CliError> {
    let client = args.who.client(voice)?;
    let held = find(&client, &args.case, &args.which).await?;
    let text = serde_json::to_string_pretty(&held.file)
        .map_err(|error| CliError::Io(args.out.display().to_string(), std::io::Error::other(error)))?;
    write(&args.out, format!("{text}\n").as_bytes(), PRIVATE)?;
    let (no, code, person) = (&held.proven.certificate().no, held.proven.code(), held.file.person.is_some());
    if voice.json {
        let (certificate, revoked) = (held.reference.jti, held.proven.revocation().is_some());
        return say(json!({"file": args.out, "certificate": certificate, "no": no, "code": code, "person": person, "revoked": revoked}));
    }
    say(voice.lang.of(
        &format!("{no} is in {}. Code: {code}", args.out.display()),
        &format!("{no} を {} に保存しました。確認番号: {code}", args.out.display()),
    ))?;
    if !person {
        say(voice.lang.of(
            "It does not say whom it is about: this party may no longer see that",
            "だれについての証明かは入っていません。この機関はもう見られません",
        ))?;
    }
    if held.proven.revocation().is_some() {
        say(voice.lang.of(
            "It was revoked, as a whole or from a day on: see `verify`",
            "全部または一部が取り消されています。verify で確かめてください",
        ))?;
    }
    Ok(())
}

/// The one certificate that is meant.
pub(super) async fn find(client: &Client, case: &CaseId, which: &Which) -> Result<HeldCertificate, CliError> {
    let mut all = held(client, case).await?;
    let meant = |held: &HeldCertificate| {
        which.certificate.is_none_or(|jti| jti == held.reference.jti)
            && which.number.as_ref().is_none_or(|no| *no == held.proven.certificate().no)
    };
    all.retain(meant);
    let several = all.len() > 1;
    match all.pop() {
        Some(held) if !several => Ok(held),
        None => Err(CliError::usage(
            "there is no such certificate that this party may see: `tsunagi certificate list` shows them",
            "そのような証明書は見られません。tsunagi certificate list で一覧を確かめてください",
        )),
        Some(_) => Err(CliError::usage(
            "the case has several certificates: name one with --certificate or --number",
            "この事案には証明書がいくつもあります。--certificate か --number で一つを指定してください",
        )),
    }
}

/// The certificates of a case, each once: who passed one on finds it as it came and as it went. The one that says most is taken.
async fn held(client: &Client, case: &CaseId) -> Result<Vec<HeldCertificate>, CliError> {
    let (mut all, mut cursor) = (Vec::<HeldCertificate>::new(), None);
    loop {
        let page = patient(async || client.certificates(case, cursor.as_deref()).await).await?;
        if let Some(found) = page.certificate.map(crate::client::Proven::into_inner) {
            match all.iter_mut().find(|held| held.reference == found.reference) {
                Some(known) if known.file.person.is_none() => *known = found,
                Some(_) => {}
                None => all.push(found),
            }
        }
        cursor = page.cursor;
        if cursor.is_none() {
            return Ok(all);
        }
    }
}
