//! `tsunagi certificate issue`, `forward` and `revoke`: what an issuer and a municipality send.

use std::path::PathBuf;

use aws_lc_rs::rand;
use clap::Args;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    held::{Which, find},
    road::Road,
};
use crate::{
    cli::{CliError, Voice, acting::patient},
    client::CertificateDraft,
    config,
    domain::{
        addon::{AddOn, Days, Eligibility, RevocationReason, Statement},
        codes::MessageKind,
        day::Day,
        ids::Jti,
        party::PartyKind,
    },
    message::{
        base64url,
        certificate::Person,
        json as strict,
        objects::{Certificate, CertificateNumber, Signed},
    },
};

/// What is certified, of whom, for whom.
#[derive(Debug, Args)]
pub(super) struct IssueArgs {
    #[command(flatten)]
    road: Road,
    /// Number of the certificate, such as TC13-0001: two letters, digits of the place, a serial number of its own.
    #[arg(long, value_name = "NO")]
    no: CertificateNumber,
    /// 事業所番号 of the provider. Default: the recipient's, if it is a provider.
    #[arg(long, value_name = "NUMBER")]
    provider: Option<String>,
    /// An add-on, such as community_life_transition or social_life_support; more than once.
    #[arg(long = "addon", value_name = "CODE", required = true)]
    addons: Vec<AddOn>,
    /// On what ground: correctional_release, rehab_facility_release or outpatient_observation.
    #[arg(long, value_name = "CODE")]
    eligibility: Eligibility,
    /// First day of the window, as `tsunagi certificate check` tells it.
    #[arg(long, value_name = "DAY")]
    from: Day,
    /// Last day of the window, as `tsunagi certificate check` tells it.
    #[arg(long, value_name = "DAY")]
    until: Day,
    /// File that says whom it is about: a JSON object of family_name, given_name, birth_date and, if known, recipient_cert_number.
    #[arg(long, value_name = "FILE")]
    person: PathBuf,
}

/// Which certificate is passed on, to whom.
#[derive(Debug, Args)]
pub(super) struct ForwardArgs {
    #[command(flatten)]
    road: Road,
    #[command(flatten)]
    which: Which,
}

/// Which certificate is revoked, and why.
#[derive(Debug, Args)]
pub(super) struct RevokeArgs {
    #[command(flatten)]
    road: Road,
    #[command(flatten)]
    which: Which,
    /// Why: `issued_in_error`, `facts_changed`, `not_eligible` or `replaced`.
    #[arg(long, value_name = "CODE")]
    why: RevocationReason,
    /// First day on which it no longer holds. Default: it never held.
    #[arg(long, value_name = "DAY")]
    from: Option<Day>,
}

pub(super) async fn issue(args: IssueArgs, voice: Voice) -> Result<(), CliError> {
    let client = args.road.client(voice)?;
    let statement = statement(client.party().kind()).ok_or_else(|| {
        CliError::usage(
            "only a settlement centre, a probation office or a municipality certifies a coordination",
            "調整を証明できるのは、地域生活定着支援センター・保護観察所・市町村だけです",
        )
    })?;
    let named = args.provider.clone().or_else(|| args.road.to.kind().has_provider_number().then(|| args.road.to.code().to_owned()));
    let provider = named.ok_or_else(|| {
        CliError::usage(
            "name the provider with --provider: the recipient is none",
            "--provider で事業所番号を指定してください（宛先は事業所ではありません）",
        )
    })?;
    let person = args.person()?;
    let digest = person.digest().map_err(|error| {
        CliError::usage(format!("{}: {error}", args.person.display()), format!("{}: {}", args.person.display(), error.ja()))
    })?;
    let window = Days { from: args.from, until: args.until };
    let draft = CertificateDraft {
        no: args.no.clone(),
        person: digest,
        provider,
        addons: args.addons.clone(),
        eligibility: args.eligibility,
        statement,
        window,
    };
    let token = patient(async || client.certify(&draft).await).await?;
    let jti = id_of(&token)?;
    let told = members([("certificate", json!(jti)), ("no", json!(args.no)), ("window", json!(window))]);
    args.road.send(&client, MessageKind::CoordinationCertificate, person.rows(&token), told, voice).await
}

pub(super) async fn forward(args: ForwardArgs, voice: Voice) -> Result<(), CliError> {
    let client = args.road.client(voice)?;
    let held = find(&client, &args.road.case, &args.which).await?;
    let Some(person) = &held.file.person else {
        return Err(CliError::usage(
            "this party may no longer see whom the certificate is about, so it cannot pass it on",
            "だれについての証明かをこの機関はもう見られないので、渡せません",
        ));
    };
    let told = members([("certificate", json!(held.reference.jti)), ("no", json!(held.proven.certificate().no))]);
    args.road.send(&client, MessageKind::CoordinationCertificate, person.rows(&held.file.certificate), told, voice).await
}

pub(super) async fn revoke(args: RevokeArgs, voice: Voice) -> Result<(), CliError> {
    let client = args.road.client(voice)?;
    let held = find(&client, &args.road.case, &args.which).await?;
    let jti = held.reference.jti;
    let token = client.revoke(&held.reference, args.why, args.from)?;
    let rows = vec![("revocation", json!({"certificate": jti, "reason": args.why})), ("revocation_token", json!(token))];
    let told = members([("certificate", json!(jti)), ("no", json!(held.proven.certificate().no))]);
    args.road.send(&client, MessageKind::CertificateRevocation, rows, told, voice).await
}

impl IssueArgs {
    /// Whom the file names, under a fresh salt.
    fn person(&self) -> Result<Person, CliError> {
        let wrong = || {
            CliError::usage(
                format!(
                    "{} does not say whom the certificate is about: family_name, given_name, birth_date, recipient_cert_number",
                    self.person.display()
                ),
                format!("{} に本人の記載がありません（family_name・given_name・birth_date・recipient_cert_number）", self.person.display()),
            )
        };
        let bytes = config::read_file(&self.person)
            .map_err(|error| CliError::usage(error.to_string(), format!("ファイルを読めません: {error}")))?;
        let value = strict::parse(&bytes).map_err(|_| wrong())?;
        let Named { family_name, given_name, birth_date, recipient_cert_number } = serde_json::from_value(value).map_err(|_| wrong())?;
        let mut salt = [0; 16];
        rand::fill(&mut salt).map_err(|_| CliError::Io("random generator".to_owned(), std::io::Error::other("no randomness")))?;
        Ok(Person { salt: base64url::encode(salt), family_name, given_name, birth_date, recipient_cert_number })
    }
}

/// Whom a certificate is about, as a file says it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    family_name: String,
    given_name: String,
    birth_date: Day,
    #[serde(default)]
    recipient_cert_number: Option<String>,
}

fn members<const N: usize>(pairs: [(&str, Value); N]) -> Map<String, Value> {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// What a body of this kind can say about who coordinated.
const fn statement(kind: PartyKind) -> Option<Statement> {
    match kind {
        PartyKind::SettlementCenter => Some(Statement::CoordinatedByCenter),
        PartyKind::ProbationOffice => Some(Statement::CoordinatedByProbationOffice),
        PartyKind::Municipality => Some(Statement::CoordinatedByMunicipalityWithCenter),
        _ => None,
    }
}

fn id_of(token: &str) -> Result<Jti, CliError> {
    let read = Signed::<Certificate>::read(token.as_bytes());
    read.map(|signed| signed.unproven().issued.jti)
        .map_err(|_| CliError::unverified("the certificate does not read back", "証明書を読み返せません"))
}
