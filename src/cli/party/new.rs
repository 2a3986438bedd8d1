//! `tsunagi party new DIR`: an identity folder with new keys, complete but for what others have to give.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use crate::{
    cli::{
        CliError, Voice,
        acting::say,
        folder::{self, Folder},
    },
    clock::{Clock as _, SystemClock},
    config::{self, is_gateway_url},
    domain::{
        codes::Purpose,
        party::{All, Jurisdiction, Name, PartyId, PartyKind, Registration},
        time::Timestamp,
    },
    message::{
        disclosed::Pseudonym,
        keys::{KeyError, OpeningKey, SigningKey},
        objects::{FirstKey, GatewayUrl, PartyRequest},
    },
    startup::Told as _,
    text::Lang,
    tls::request,
};

/// Who the party is, and what it asks to be registered for.
#[derive(Debug, Args)]
pub(super) struct NewArgs {
    /// A folder that does not exist yet, or is empty.
    dir: PathBuf,
    /// The party, KIND:CODE, such as municipality:131016-1.
    #[arg(long)]
    party: PartyId,
    /// The gateway, https://host:port, exactly as its operator names it.
    #[arg(long, value_name = "URL", value_parser = gateway)]
    gateway: GatewayUrl,
    /// Its name in Japanese.
    #[arg(long, value_name = "NAME")]
    name_ja: String,
    /// Its name in English.
    #[arg(long, value_name = "NAME")]
    name_en: String,
    /// A purpose that the unit works for; the codes are in policies/catalogue and in the error about a wrong one. Default for an auditor: audit_review.
    /// May be repeated.
    #[arg(long = "purpose", value_name = "CODE", value_parser = purpose)]
    purposes: Vec<Purpose>,
    /// Corporate number (13 digits) of the legal body.
    #[arg(long, value_name = "NUMBER")]
    corporate_number: Option<String>,
    /// For an auditor: all, or a prefecture (2 digits) or municipality (6 digits). May be repeated.
    #[arg(long, value_name = "PLACE")]
    jurisdiction: Vec<String>,
    /// Ask for no other certificate than one about the key that is made here. A new TLS key must then be registered before it is used.
    #[arg(long)]
    pin_certificate: bool,
    /// Authority of the gateway's certificate, copied into the folder. Default: to be put there later.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Member of staff who works with the folder, as the unit's own pseudonym: ledger entries name it. Default: entries say unnamed.
    #[arg(long, value_name = "ID")]
    staff: Option<Pseudonym>,
    /// Days for which the signature key is good.
    #[arg(long, value_name = "N", default_value_t = 730, value_parser = clap::value_parser!(u16).range(1..=3660))]
    days: u16,
}

pub(super) fn run(args: NewArgs, voice: Voice) -> Result<(), CliError> {
    let NewArgs { dir, party, gateway, name_ja, name_en, mut purposes, corporate_number, jurisdiction, pin_certificate, ca, staff, days } =
        args;
    let ca = ca.as_deref().map(authority).transpose()?;
    if purposes.is_empty() && party.kind() == PartyKind::Auditor {
        purposes.push(Purpose::AuditReview);
    }
    let request = request::for_party(&party).map_err(|error| failed(&error))?;
    let (sig, enc) = keys().map_err(|error| failed(&error))?;
    let now = Timestamp::from_secs(SystemClock.now().secs());
    let asked = PartyRequest {
        registration: Registration {
            jurisdiction: of(&party, jurisdiction)?,
            certificates: if pin_certificate { vec![request.spki] } else { Vec::new() },
            name: Name { ja: name_ja, en: name_en },
            party,
            corporate_number,
            purposes,
        },
        key: FirstKey { jwk: sig.public().clone(), nbf: now, naf: now.plus_secs(i64::from(days) * 86_400) },
    };
    let bytes = serde_json::to_vec_pretty(&asked.write().map_err(|error| failed(&error))?).map_err(|error| failed(&error))?;
    // What its reader would refuse is not written: a number with a wrong check digit, a name that is too long.
    PartyRequest::read(&bytes).map_err(|refusal| {
        let rules: Vec<String> = refusal.violations.iter().map(|row| format!("{}: {}", row.field, row.rule)).collect();
        let rules = rules.join(", ");
        CliError::usage(format!("this could not be registered ({rules})"), format!("このままでは登録できません（{rules}）"))
    })?;
    let folder = Folder::create(&dir)?;
    folder.private("signing.jwk", &sig.to_jwk())?;
    folder.private("encryption.jwk", &enc.to_jwk())?;
    folder.private("tls.key", request.key_pem.as_bytes())?;
    folder.public("tls.csr", request.csr_pem.as_bytes())?;
    if let Some(ca) = &ca {
        folder.public("ca.pem", ca)?;
    }
    let staff = staff.map(|staff| format!("staff = {}\n", toml::Value::from(staff.as_str()))).unwrap_or_default();
    folder.public("identity.toml", (folder::identity(&asked.registration.party, gateway.as_str()) + &staff).as_bytes())?;
    folder.public("request.json", &bytes)?;
    told(&dir, &asked, ca.is_some(), voice)
}

fn told(dir: &Path, asked: &PartyRequest, has_ca: bool, voice: Voice) -> Result<(), CliError> {
    let (party, kid) = (&asked.registration.party, asked.key.jwk.thumbprint());
    if voice.json {
        return say(json!({"folder": dir, "party": party, "kid": kid}));
    }
    let dir = dir.display();
    let ca = |text: &'static str| if has_ca { "" } else { text };
    let send = if party.kind() == PartyKind::Operator {
        voice.lang.of(
            &format!("The first operator of an exchange:  tsunagi setup exchange -c CONFIG --operator {dir}/request.json --kid {kid}\n     Any other: send {dir}/request.json to an operator."),
            &format!("交換基盤の最初の運用者なら:  tsunagi setup exchange -c 設定 --operator {dir}/request.json --kid {kid}\n     それ以外は、{dir}/request.json を運用者に送る。"),
        ).to_owned()
    } else {
        voice.lang.of(&format!("Send {dir}/request.json to the operator."), &format!("{dir}/request.json を運用者に送る。")).to_owned()
    };
    say(match voice.lang {
        Lang::En => format!(
            "The identity folder of {party} is ready. Its private keys never leave it.\n\n\
             Its signature key is\n  {kid}\nTell the operator on another way than you send the file: by telephone, or on paper.\n\n\
             Next:\n  1. Have {dir}/tls.csr signed by an authority that the gateway accepts; put the chain into {dir}/tls.pem.\n  \
             2. {send}\n  \
             3. Put {}gateway-keys.json into {dir}, as the operator gives it.\n  \
             4. When you are registered:  tsunagi key add --as {dir}",
            ca("the gateway's authority (ca.pem) and ")
        ),
        Lang::Ja => format!(
            "{party} の身元フォルダーができました。秘密鍵はこのフォルダーから出さないでください。\n\n\
             署名鍵の番号:\n  {kid}\nファイルとは別の手段（電話や書面）で運用者に伝えてください。\n\n\
             次に:\n  1. {dir}/tls.csr に、ゲートウェイが認める認証局の署名を受け、証明書チェーンを {dir}/tls.pem に置く。\n  \
             2. {send}\n  \
             3. 運用者から受け取った{} gateway-keys.json を {dir} に置く。\n  \
             4. 登録されたら:  tsunagi key add --as {dir}",
            ca("ゲートウェイの認証局（ca.pem）と")
        ),
    })
}

fn keys() -> Result<(SigningKey, OpeningKey), KeyError> {
    Ok((SigningKey::generate()?, OpeningKey::generate()?))
}

/// Certificates and nothing else: a private key would lie open in the folder.
fn authority(file: &Path) -> Result<Vec<u8>, CliError> {
    let bytes = config::read_file(file)
        .map_err(|error| CliError::usage(error.to_string(), format!("認証局を読めません: {}", error.in_japanese())))?;
    let text = String::from_utf8_lossy(&bytes);
    if text.contains("BEGIN CERTIFICATE") && !text.contains("PRIVATE KEY") {
        return Ok(bytes);
    }
    let file = file.display();
    Err(CliError::usage(
        format!("--ca: {file} must hold certificates in PEM, and no private key"),
        format!("--ca: {file} には PEM の証明書だけを入れてください（秘密鍵は入れないでください）"),
    ))
}

fn gateway(text: &str) -> Result<GatewayUrl, String> {
    let wrong = || "https://host:port".to_owned();
    if is_gateway_url(text) { text.parse().map_err(|_| wrong()) } else { Err(wrong()) }
}

fn purpose(text: &str) -> Result<Purpose, String> {
    text.parse().map_err(|_| Purpose::ALL.iter().map(|purpose| purpose.as_str()).collect::<Vec<_>>().join(" "))
}

/// Auditors have a jurisdiction, and nobody else.
fn of(party: &PartyId, places: Vec<String>) -> Result<Option<Jurisdiction>, CliError> {
    match (party.kind() == PartyKind::Auditor, places.is_empty()) {
        (true, false) if places == ["all"] => Ok(Some(Jurisdiction::Everything(All::All))),
        (true, false) if places.iter().all(|place| matches!(place.len(), 2 | 6) && place.bytes().all(|b| b.is_ascii_digit())) => {
            Ok(Some(Jurisdiction::Places(places)))
        }
        (false, true) => Ok(None),
        _ => Err(CliError::usage(
            "--jurisdiction: an auditor has one, and nobody else: all, or prefectures (2 digits) and municipalities (6 digits)",
            "--jurisdiction は監査人だけに必要です: all、または都道府県（2 桁）・市区町村（6 桁）の番号",
        )),
    }
}

fn failed(error: &dyn std::fmt::Display) -> CliError {
    CliError::usage(format!("the keys could not be made: {error}"), format!("鍵を作れませんでした（{error}）"))
}
