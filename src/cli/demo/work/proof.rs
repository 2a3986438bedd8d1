//! The proof for the add-ons: looked up in the rules, issued, passed on, fetched by who claims with it, and verified without a connection.
//!
//! Promises: what an office does at its own desk is done by the commands that it would type, in a process of their own.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use aws_lc_rs::rand;
use serde_json::{Value, json};

use super::stage::{CENTRE, CITY, HOME, Letter, Stage, id, of_the_person};
use crate::{
    cli::{CliError, demo::story::must},
    client::CertificateDraft,
    domain::{
        addon::{Days, Eligibility, Statement},
        codes::{MessageKind, Purpose},
        day::Day,
        field::FieldKey,
    },
    message::{base64url, certificate::Person, objects::CertificateNumber},
    text::demo::work as said,
};

/// From the question of the home, whether it may claim, to the file that it keeps.
pub(super) async fn is_certified(stage: &mut Stage<'_>) -> Result<Kept, CliError> {
    let window = is_eligible(stage).await?;
    stage.page.step("certified", said::CERTIFIED);
    stage.page.say(said::CERTIFIED_IS, &[]);
    let rows = certificate(stage, window).await?;
    let sent = stage.send_rows(letter(CENTRE, CITY), rows.clone()).await?;
    stage.everybody_looks(Some(sent)).await?;
    stage.page.step("passed_on", said::PASSED_ON);
    stage.page.say(said::PASSED_ON_IS, &[]);
    let sent = stage.send_rows(letter(CITY, HOME), rows).await?;
    stage.everybody_looks(Some(sent)).await?;
    is_verified(stage).await
}

/// What the home keeps: the file, and the folder that holds the gateway's pinned keys.
pub(super) struct Kept {
    file: PathBuf,
    keys: PathBuf,
}

impl Kept {
    /// Verifies it in a process that is told no gateway. Gives what it answers to a machine.
    pub(super) async fn verify(&self, stage: &Stage<'_>) -> Result<Value, CliError> {
        let words = ["certificate".as_ref(), "verify".as_ref(), self.file.as_os_str(), "--keys".as_ref(), self.keys.as_os_str()];
        let shown = format!("tsunagi certificate verify {CERTIFICATE} --keys {}", folder_name(&self.keys));
        let answer = stage.types(&words, &shown).await?;
        must(!of(&answer, "/holds").is_null(), "the certificate does not hold", "証明書が成り立ちません")?;
        Ok(answer)
    }
}

/// Asks the rules. Gives the days that can be certified.
async fn is_eligible(stage: &mut Stage<'_>) -> Result<Days, CliError> {
    stage.page.step("eligible", said::ELIGIBLE);
    stage.page.say(said::ELIGIBLE_IS, &[]);
    let today = stage.client(HOME)?.now();
    let day = |ago: i64| Day::in_japan(today.plus_secs(-ago * 86_400)).to_string();
    let (released, began, start) = (day(60), day(50), day(0));
    let mut words = vec!["certificate", "check", "--service", "group_home_inclusive", "--lived-at-home", "true"];
    words.extend(["--coordinated-by", "settlement_center", "--coordinated-from", &began]);
    words.extend(["--released", &released, "--start", &start, "--on", &start]);
    for capability in ["notice", "qualified_staff", "guidance", "training", "cooperation"] {
        words.extend(["--capability", capability]);
    }
    for evidence in ["support_plan", "coordination_meeting"] {
        words.extend(["--evidence", evidence]);
    }
    let words: Vec<&OsStr> = words.into_iter().map(OsStr::new).collect();
    let answer = stage.types(&words, &format!("tsunagi certificate check --released {released} --start {start} …")).await?;
    let eligible = of(&answer, "/verdict") == "eligible" && *of(&answer, "/missing") == json!(["certificate"]);
    must(eligible, "the rules ask for more than a certificate", "証明書のほかにも足りないものがあります")?;
    stage.page.check(said::ELIGIBLE_GOOD, &[]);
    let window = ["/window/from", "/window/until"].map(|end| of(&answer, end).as_str().and_then(|day| day.parse().ok()));
    stage.page.fact("check", answer);
    match window {
        [Some(from), Some(until)] => Ok(Days { from, until }),
        _ => Err(CliError::unverified("the rules name no days", "算定できる期間がありません")),
    }
}

/// The rows of the message: what the centre signs, and of whom.
async fn certificate(stage: &Stage<'_>, window: Days) -> Result<Vec<(FieldKey, Value)>, CliError> {
    let wrong = |error: &dyn std::fmt::Display| CliError::usage(error.to_string(), error.to_string());
    let centre = stage.client(CENTRE)?;
    let mut salt = [0; 16];
    rand::fill(&mut salt).map_err(|_| CliError::Io("random generator".to_owned(), std::io::Error::other("no randomness")))?;
    let of_person = |row: &str| of_the_person(row).ok_or_else(|| wrong(&row));
    let person = Person {
        salt: base64url::encode(salt),
        family_name: of_person("family_name")?,
        given_name: of_person("given_name")?,
        birth_date: of_person("birth_date")?.parse().map_err(|error| wrong(&error))?,
        recipient_cert_number: None,
    };
    let no: CertificateNumber = "TC13-0001".parse().map_err(|error| wrong(&error))?;
    let draft = CertificateDraft {
        no,
        person: person.digest().map_err(|error| wrong(&error))?,
        provider: id(HOME)?.code().to_owned(),
        addons: vec!["community_life_transition".parse().map_err(|error| wrong(&error))?],
        eligibility: Eligibility::CorrectionalRelease,
        statement: Statement::CoordinatedByCenter,
        window,
    };
    let token = centre.certify(&draft).await.map_err(CliError::from)?;
    person.rows(&token).into_iter().map(|(row, value)| Ok((row.parse().map_err(|error| wrong(&error))?, value))).collect()
}

/// The home fetches it from the case, and verifies what it has.
async fn is_verified(stage: &mut Stage<'_>) -> Result<Kept, CliError> {
    stage.page.step("verified", said::VERIFIED);
    let kept = Kept { file: stage.sandbox.dir().join(CERTIFICATE), keys: stage.sandbox.folder_of_party(&id(HOME)?) };
    let case = stage.case(HOME)?.to_string();
    let words: [&OsStr; 8] = [
        "certificate".as_ref(),
        "fetch".as_ref(),
        "--as".as_ref(),
        kept.keys.as_os_str(),
        "--case".as_ref(),
        case.as_ref(),
        "--out".as_ref(),
        kept.file.as_os_str(),
    ];
    let fetched = stage.asks(&words).await?;
    stage.page.say(said::VERIFIED_IS, &[&kept.file.display()]);
    let answer = kept.verify(stage).await?;
    let same = of(&fetched, "/code") == of(&answer, "/code") && of(&answer, "/issuer") == CENTRE && !of(&answer, "/person").is_null();
    must(same, "another certificate was fetched", "別の証明書を受け取りました")?;
    stage.page.check(said::VERIFIED_GOOD, &[]);
    stage.page.fact("certificate", answer);
    Ok(kept)
}

fn letter(from: &'static str, to: &'static str) -> Letter {
    Letter { kind: MessageKind::CoordinationCertificate, from, to, purposes: &[Purpose::AddonCertification], decides: None }
}

/// A member of what a command answered; null where there is none.
fn of<'a>(answer: &'a Value, path: &str) -> &'a Value {
    answer.pointer(path).unwrap_or(&Value::Null)
}

fn folder_name(folder: &Path) -> String {
    folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The file that the home keeps, in the folder of the sandbox.
const CERTIFICATE: &str = "certificate.json";
