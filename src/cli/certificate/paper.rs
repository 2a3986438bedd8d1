//! `tsunagi certificate verify` and `print`: what a certificate says, if it may be believed, and the sheet made of it. Opens no connection.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use crate::{
    cli::{
        CliError, Voice,
        acting::say,
        new_file::{PRIVATE, write},
    },
    client::Pinned,
    config,
    domain::day::Day,
    form::{Labels, Sheet, SheetError},
    message::{
        certificate::{Anchor, CertificateError, CertificateFile, ProvenCertificate, RevocationFile},
        json as strict,
    },
    text::{Lang, addon},
};

/// What to verify, and what to trust.
#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// The certificate: its JSON file, or the HTML page that `print` made.
    file: PathBuf,
    #[command(flatten)]
    trust: Trust,
    /// The code that stands on the paper: whether the paper was made of this certificate.
    #[arg(long, value_name = "CODE")]
    code: Option<String>,
    /// A day to be claimed: whether the certificate covers it.
    #[arg(long, value_name = "DAY")]
    on: Option<Day>,
}

/// What to print.
#[derive(Debug, Args)]
pub(super) struct PrintArgs {
    /// The certificate: its JSON file.
    file: PathBuf,
    #[command(flatten)]
    trust: Trust,
    /// Japanese name of the issuer; stands on the sheet and is not certified.
    #[arg(long, value_name = "NAME")]
    issuer_name: Option<String>,
    /// Japanese name of the provider; likewise.
    #[arg(long, value_name = "NAME")]
    provider_name: Option<String>,
    /// Where the page goes: a new file.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Whom to believe.
#[derive(Debug, Args)]
struct Trust {
    /// The gateway's pinned document (gateway-keys.json), or a folder that holds it, such as an identity folder.
    #[arg(long, value_name = "DIR|FILE")]
    keys: PathBuf,
    /// Revocations that came later: a JSON file with a list of them.
    #[arg(long, value_name = "FILE")]
    revocations: Option<PathBuf>,
}

pub(super) fn verify(args: &VerifyArgs, voice: Voice) -> Result<(), CliError> {
    let bytes = read(&args.file)?;
    let sheet = Sheet::read(&bytes).ok();
    let file = match &sheet {
        Some(sheet) => sheet.file.clone(),
        None => CertificateFile::read(&bytes).map_err(|error| doubt(&error))?,
    };
    let of_file = args.trust.verify(&file)?;
    let labels = labels()?;
    if sheet.is_some_and(|sheet| !sheet.is(&bytes, &of_file, &labels)) {
        return Err(CliError::unverified(
            "the page is not as it was made of its certificate: it was changed, or another version of tsunagi made it",
            "証明書から作られたままのページではありません。書き換えられたか、別の版の tsunagi で作られています",
        ));
    }
    let proven = args.trust.with_later(&file)?.map_or(Ok(of_file), |file| args.trust.verify(&file))?;
    if args.code.as_ref().is_some_and(|code| normal(code) != normal(&proven.code())) {
        return Err(CliError::unverified(
            "the code is another: the paper was not made of this certificate",
            "確認番号が違います。この証明書から作られた紙ではありません",
        ));
    }
    if voice.json {
        say(as_json(&proven, args.on))?;
    } else {
        lines(&proven, args.on, voice.lang).into_iter().try_for_each(say)?;
    }
    match proven.holds() {
        Some(_) => Ok(()),
        None => Err(CliError::unverified("the certificate was revoked", "この証明書は取り消されています")),
    }
}

pub(super) fn print(args: &PrintArgs, voice: Voice) -> Result<(), CliError> {
    let file = CertificateFile::read(&read(&args.file)?).map_err(|error| doubt(&error))?;
    let file = args.trust.with_later(&file)?.unwrap_or(file);
    let proven = args.trust.verify(&file)?;
    let sheet = Sheet { file, issuer: args.issuer_name.clone(), provider: args.provider_name.clone() };
    let page = sheet.render(&proven, &labels()?).map_err(|error| match error {
        SheetError::Revoked => CliError::unverified(error.to_string(), error.ja()),
        _ => CliError::usage(error.to_string(), error.ja()),
    })?;
    write(&args.out, page.as_bytes(), PRIVATE)?;
    if voice.json {
        return say(json!({"file": args.out, "no": proven.certificate().no, "code": proven.code(), "person": proven.person().is_some()}));
    }
    let blank = proven.person().is_none();
    say(voice.lang.of(
        &format!("{} is in {}. Code: {}", proven.certificate().no, args.out.display(), proven.code()),
        &format!("{} を {} に作りました。確認番号: {}", proven.certificate().no, args.out.display(), proven.code()),
    ))?;
    if blank {
        say(voice.lang.of(
            "The file does not say whom it is about: the name is left blank",
            "だれについての証明かがファイルにないため、氏名は空欄です",
        ))?;
    }
    Ok(())
}

impl Trust {
    fn verify(&self, file: &CertificateFile) -> Result<ProvenCertificate, CliError> {
        let keys = if self.keys.is_dir() { self.keys.join(PINNED) } else { self.keys.clone() };
        let pinned = Pinned::read(&read(&keys)?).map_err(|error| {
            CliError::usage(
                format!("{} is no document of a gateway: {error}", keys.display()),
                format!("{} はゲートウェイの鍵の文書ではありません: {error}", keys.display()),
            )
        })?;
        let anchor = Anchor { gateway: &pinned.document().gateway, receipt_key: &|kid| pinned.receipt_key(kid).cloned() };
        file.verify(&anchor).map_err(|error| doubt(&error))
    }

    /// The file with the revocations that came later, where there are any.
    fn with_later(&self, file: &CertificateFile) -> Result<Option<CertificateFile>, CliError> {
        let Some(later) = &self.revocations else { return Ok(None) };
        let wrong = || {
            CliError::usage(
                format!("{} holds no list of revocations", later.display()),
                format!("{} に取消の一覧がありません", later.display()),
            )
        };
        let value = strict::parse(&read(later)?).map_err(|_| wrong())?;
        let more: Vec<RevocationFile> = serde_json::from_value(value).map_err(|_| wrong())?;
        let mut file = file.clone();
        file.revocations.extend(more);
        Ok(Some(file))
    }
}

fn read(file: &Path) -> Result<Vec<u8>, CliError> {
    config::read_file(file).map_err(|error| CliError::usage(error.to_string(), format!("ファイルを読めません: {error}")))
}

fn labels() -> Result<Labels, CliError> {
    Labels::builtin().map_err(|error| CliError::usage(error.to_string(), error.ja()))
}

fn doubt(error: &CertificateError) -> CliError {
    CliError::unverified(format!("the certificate must not be believed: {error}"), format!("この証明書を信用できません: {}", error.ja()))
}

/// The code without what people write differently: case, hyphens, spaces, and letters that are read as digits.
fn normal(code: &str) -> String {
    let letters = code.chars().filter(|letter| !letter.is_whitespace() && *letter != '-');
    let plain = letters.map(|letter| match letter.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        letter => letter,
    });
    plain.collect()
}

pub(super) fn as_json(proven: &ProvenCertificate, on: Option<Day>) -> Value {
    let (certificate, made) = (proven.certificate(), proven.countersignature());
    let mut line = json!({
        "holds": proven.holds(), "no": certificate.no, "code": proven.code(), "jti": certificate.issued.jti, "issuer": certificate.issued.iss,
        "issued": certificate.issued.iat, "provider": certificate.provider, "addons": certificate.addons, "eligibility": certificate.eligibility,
        "statement": certificate.statement, "window": certificate.window, "policy": certificate.pol, "person": proven.person(),
        "gateway": made.iss, "countersigned": made.iat, "log": made.log, "entries": made.ent,
        "revoked": proven.revocation().map(|revocation| json!({"why": revocation.why, "from": revocation.from, "at": revocation.issued.iat})),
    });
    if let (Some(day), Some(members)) = (on, line.as_object_mut()) {
        members.insert("on".to_owned(), json!({"day": day, "covered": covers(proven, day)}));
    }
    line
}

fn covers(proven: &ProvenCertificate, day: Day) -> bool {
    proven.holds().is_some_and(|days| days.contain(day))
}

fn lines(proven: &ProvenCertificate, on: Option<Day>, lang: Lang) -> Vec<String> {
    let (certificate, made) = (proven.certificate(), proven.countersignature());
    let mut told = vec![match (proven.holds().is_some(), lang) {
        (true, Lang::En) => format!("The certificate {} verifies.", certificate.no),
        (true, Lang::Ja) => format!("証明書 {} を検証できました。", certificate.no),
        (false, Lang::En) => format!("The certificate {} is genuine and was REVOKED.", certificate.no),
        (false, Lang::Ja) => format!("証明書 {} は本物ですが、取り消されています。", certificate.no),
    }];
    let mut say = |heading: [&str; 2], text: String| told.push(format!("  {}: {text}", lang.of(heading[0], heading[1])));
    say(["code", "確認番号"], proven.code());
    let nobody = lang.of("not in the file", "ファイルにありません");
    let person = proven.person().map(|person| format!("{} {} {}", person.family_name, person.given_name, person.birth_date));
    say(["person", "本人"], person.unwrap_or_else(|| nobody.to_owned()));
    say(["provider", "事業所番号"], certificate.provider.clone());
    let addons: Vec<&str> = certificate.addons.iter().map(|code| addon::addon(*code, lang)).collect();
    say(["add-ons", "加算"], addons.join(lang.of(", ", "、")));
    say(["coordination", "調整"], addon::statement(certificate.statement, lang).to_owned());
    say(["ground", "要件の別"], addon::eligibility(certificate.eligibility, lang).to_owned());
    let days = proven.holds().unwrap_or(certificate.window);
    say(
        ["window", "算定できる期間"],
        lang.of(&format!("{} to {}", days.from, days.until), &format!("{} から {} まで", days.from, days.until)).to_owned(),
    );
    say(["issued by", "証明した機関"], format!("{} {}", certificate.issued.iss, certificate.issued.iat));
    say(["countersigned by", "連署"], format!("{} {} ({} #{})", made.iss, made.iat, made.log.origin, made.log.idx));
    match proven.revocation() {
        Some(revocation) => {
            let from = revocation.from.map_or_else(|| lang.of("as a whole", "全部").to_owned(), |day| day.to_string());
            say(["revoked", "取消"], format!("{} ({from})", addon::revocation(revocation.why, lang)));
        }
        None => say(
            ["revoked", "取消"],
            lang.of("no revocation is known here; ask the issuer before a claim", "ここには取消がない。請求の前に発行機関に確かめる")
                .to_owned(),
        ),
    }
    if let Some(day) = on {
        let covered = covers(proven, day);
        told.push(format!("  {day}: {}", if covered { lang.of("covered", "期間の中") } else { lang.of("not covered", "期間の外") }));
    }
    told
}

/// The file of an identity folder with what it trusts of its gateway.
const PINNED: &str = "gateway-keys.json";
