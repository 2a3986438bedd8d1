//! Making the sandbox: keys, certificates, configuration, and then the ordinary use cases, called at the machine itself, so that what a
//! sandbox holds was checked and recorded like everything else.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use std::sync::Arc;

use super::{parties, parties::Unit, work};
use crate::{
    cli::{
        CliError,
        database::told,
        folder::{self, Folder},
    },
    clock::{Clock, Ids, SystemClock},
    config::Config,
    domain::{
        agreement::AgreementAct,
        codes::Purpose,
        digest::Digest,
        entry::Operation,
        ids::Jti,
        party::{PartyId, PartyKind, Registration},
        time::Timestamp,
    },
    gateway::{Call, Caller, Gateway},
    message::{
        json as strict,
        keys::{KeyUse, OpeningKey, SigningKey},
        objects::{
            Actor, AgreementSignature, FirstKey, GatewayUrl, Issued, KeyAct, KeyStatement, PartyAct, PartyStatement, SignedObject as _,
        },
        schema::SchemaSet,
        submission::AgreementRef,
    },
    policy::PolicySet,
    startup, store,
    tls::authority::{SandboxAuthority, Validity},
};

/// What was made.
pub(super) struct Made {
    pub(super) gateway: String,
    pub(super) parties: Vec<String>,
    pub(super) agreements: Vec<String>,
}

/// A party of the sandbox with its private keys.
struct Member {
    unit: &'static Unit,
    /// Whether it takes part in the agreement about referrals alone.
    refers: bool,
    registration: Registration,
    sig: SigningKey,
    enc: OpeningKey,
    certificate: Digest,
    folder: Folder,
}

/// Where the database is to be: a SQLite file in the folder, unless there is a URL.
pub(super) struct Place {
    pub(super) url: Option<String>,
    /// The role that owns the tables, where it is another one.
    pub(super) owner: Option<store::Address>,
}

/// Makes everything.
pub(super) async fn make(folder: &Folder, (port, admin): (u16, u16), place: Place) -> Result<Made, CliError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let now = clock.now();
    let url = format!("https://localhost:{port}");
    let authority = SandboxAuthority::create(now).map_err(inside)?;
    gateway_files(folder, &authority, &url, (port, admin), place.url.as_deref(), now)?;
    let members = member_files(folder, &authority, &url, now)?;
    let config = Config::load(&folder.path().join("tsunagi.toml"));
    // What can be wrong with it is what was named by whoever asked.
    let config = config.map_err(|error| CliError::usage(error.to_string(), error.to_string()))?;
    let policy = startup::policies(&config).map_err(inside)?.digest();
    let address = startup::database(&config).map_err(inside)?;
    let store = match &place.owner {
        Some(owner) => store::create_by_owner(&address, owner, &config.origin, policy).await,
        None => store::create(address, &config.origin, policy).await,
    };
    let store = store.map_err(|error| if place.url.is_some() { told(&error) } else { inside(error) })?;
    let opened = startup::open(&config, store, Arc::clone(&clock)).await.map_err(inside)?;
    let gateway = Arc::clone(&opened.gateway);
    let pinned = serde_json::to_vec_pretty(&gateway.well_known()).map_err(inside)?;
    folder.public("gateway-keys.json", &pinned)?;
    for member in &members {
        member.folder.public("gateway-keys.json", &pinned)?;
    }
    let desk = Desk { gateway: &gateway, url: url.parse().map_err(inside)?, ids: Ids::new(Arc::clone(&clock)), clock };
    let agreements = desk.settle(&members).await?;
    gateway.close().await;
    opened.sequencer.await.map_err(inside)?;
    Ok(Made { gateway: url, parties: members.iter().map(|m| m.registration.party.to_string()).collect(), agreements })
}

/// Authority, server certificate, keys and configuration of the gateway.
fn gateway_files(
    folder: &Folder,
    authority: &SandboxAuthority,
    url: &str,
    (port, admin): (u16, u16),
    database: Option<&str>,
    now: Timestamp,
) -> Result<(), CliError> {
    let year = Validity::days(now, 365);
    let ca = folder.sub("ca")?;
    authority.save(ca.path()).map_err(inside)?;
    ca.public("crl.pem", authority.crl(&[], year).map_err(inside)?.as_bytes())?;
    let server = authority.issue_server(year).map_err(inside)?;
    let tls = folder.sub("tls")?;
    tls.public("server.pem", server.cert_pem.as_bytes())?;
    tls.private("server.key", server.key_pem.as_bytes())?;
    folder::gateway_keys(folder).map_err(inside)?;
    if database.is_none() {
        folder.sub("data")?;
    }
    let private = database.is_some();
    let database = toml::Value::from(database.unwrap_or("sqlite:data/tsunagi.sqlite"));
    let keys = folder::GATEWAY_KEYS;
    let toml = format!(
        r#"# A sandbox made by `tsunagi init`. Loopback only.
gateway = "{url}"
listen = "127.0.0.1:{port}"
node = "sandbox-1"
origin = "localhost:{port}/ledger"
sandbox = true

[tls]
cert = "tls/server.pem"
key = "tls/server.key"
client_ca = "ca/ca.pem"
crls = ["ca/crl.pem"]

{keys}

[database]
url = {database}

[admin]
listen = "127.0.0.1:{admin}"

# Everybody comes from this machine, and load tests are welcome.
[limits]
connections = 4096
connections_per_address = 4096
per_party_requests_per_second = 100000
per_party_burst = 100000
per_party_concurrency = 4096
"#
    );
    // The address of a server may carry a password.
    let write = if private { Folder::private } else { Folder::public };
    write(folder, "tsunagi.toml", toml.as_bytes())?;
    Ok(())
}

/// An identity folder per party, complete but for the pinned keys of the gateway.
fn member_files(folder: &Folder, authority: &SandboxAuthority, url: &str, now: Timestamp) -> Result<Vec<Member>, CliError> {
    let parties = folder.sub("parties")?;
    let first = parties::UNITS.iter().map(|unit| (unit, true));
    first
        .chain(parties::FURTHER_UNITS.iter().map(|unit| (unit, false)))
        .map(|(unit, refers)| {
            let registration = unit.registration().ok_or_else(|| inside("unit"))?;
            let party = &registration.party;
            let own = parties.sub(&format!("{}-{}", party.kind(), party.code()))?;
            let issued = authority.issue_client(party, Validity::days(now, 365)).map_err(inside)?;
            let (sig, enc) = (SigningKey::generate().map_err(inside)?, OpeningKey::generate().map_err(inside)?);
            own.public("ca.pem", authority.ca_pem().as_bytes())?;
            own.public("tls.pem", issued.cert_pem.as_bytes())?;
            own.private("tls.key", issued.key_pem.as_bytes())?;
            own.private("signing.jwk", &sig.to_jwk())?;
            own.private("encryption.jwk", &enc.to_jwk())?;
            own.public("identity.toml", folder::identity(party, url).as_bytes())?;
            Ok(Member { unit, refers, registration, sig, enc, certificate: issued.digest, folder: own })
        })
        .collect()
}

/// The gateway's use cases, called without a connection.
struct Desk<'a> {
    gateway: &'a Gateway,
    url: GatewayUrl,
    ids: Ids,
    clock: Arc<dyn Clock>,
}

impl Desk<'_> {
    /// Registers everybody and puts the agreements in force.
    async fn settle(&self, members: &[Member]) -> Result<Vec<String>, CliError> {
        let (operator, others) = members.split_first().ok_or_else(|| inside("no units"))?;
        self.gateway.register_first_operator(operator.registration.clone(), &self.first_key(operator)).await.map_err(inside)?;
        for member in others {
            self.register(operator, member).await?;
        }
        for member in members {
            self.add_encryption_key(member).await?;
        }
        let named: Vec<&Member> =
            others.iter().filter(|m| !matches!(m.registration.party.kind(), PartyKind::Auditor | PartyKind::Operator)).collect();
        let midnight = Timestamp::from_secs(self.clock.now().secs().div_euclid(86_400).saturating_mul(86_400));
        let referring: Vec<&Member> = named.iter().copied().filter(|member| member.refers).collect();
        let names: Vec<PartyId> = referring.iter().map(|m| m.registration.party.clone()).collect();
        self.agree(parties::REFERRALS, &parties::agreement(&names, midnight), &referring).await?;
        let units: Vec<(PartyId, &Unit)> = named.iter().map(|m| (m.registration.party.clone(), m.unit)).collect();
        let (schemas, policies) = (SchemaSet::builtin().map_err(inside)?, PolicySet::builtin().map_err(inside)?);
        self.agree(work::ID, &work::agreement(&units, midnight, &schemas, &policies), &named).await?;
        Ok([parties::REFERRALS, work::ID].map(str::to_owned).to_vec())
    }

    async fn register(&self, operator: &Member, member: &Member) -> Result<(), CliError> {
        let statement = PartyStatement {
            issued: self.issued(&operator.registration.party)?,
            act: PartyAct::Register,
            party: member.registration.party.clone(),
            registration: Some(member.registration.clone()),
            key: Some(self.first_key(member)),
        };
        let token = statement.sign(&operator.sig).map_err(inside)?;
        let (caller, call) = self.call(operator, "/v1/parties", token.as_bytes(), Operation::PartyRegister).await?;
        self.gateway.register_party(&caller, &call, token.as_bytes()).await.map_err(inside)?;
        Ok(())
    }

    async fn add_encryption_key(&self, member: &Member) -> Result<(), CliError> {
        let now = self.clock.now();
        let statement = KeyStatement {
            issued: self.issued(&member.registration.party)?,
            act: KeyAct::Add,
            purpose: KeyUse::Enc,
            jwk: member.enc.public().clone(),
            nbf: Some(now),
            naf: Some(now.plus_secs(KEYS_LIVE)),
            pop: None,
            compromised_at: None,
        };
        let token = statement.sign(&member.sig).map_err(inside)?;
        let (caller, call) = self.call(member, "/v1/parties/self/keys", token.as_bytes(), Operation::KeyRegister).await?;
        self.gateway.register_key(&caller, &call, token.as_bytes()).await.map_err(inside)?;
        Ok(())
    }

    /// Puts a document in force: everybody it names accepts it.
    async fn agree(&self, id: &str, document: &Value, members: &[&Member]) -> Result<(), CliError> {
        let document = strict::canonical(document).map_err(inside)?;
        let agr = AgreementRef { id: id.parse().map_err(inside)?, ver: 1, sha256: Digest::of(&document) };
        let path = format!("/v1/agreements/{id}/{}/signatures", agr.ver);
        for (position, member) in members.iter().enumerate() {
            let signature =
                AgreementSignature { issued: self.issued(&member.registration.party)?, agr: agr.clone(), act: AgreementAct::Accept };
            let token = signature.sign(&member.sig).map_err(inside)?;
            if position == 0 {
                let body = json!({"document": URL_SAFE_NO_PAD.encode(&document), "signature": token}).to_string();
                let (caller, call) = self.call(member, "/v1/agreements", body.as_bytes(), Operation::AgreementPropose).await?;
                self.gateway.propose_agreement(&caller, &call, body.as_bytes()).await.map_err(inside)?;
            } else {
                let (caller, call) = self.call(member, &path, token.as_bytes(), Operation::AgreementSign).await?;
                self.gateway.sign_agreement(&caller, &call, &agr.id, agr.ver, token.as_bytes()).await.map_err(inside)?;
            }
        }
        Ok(())
    }

    /// A caller and a call with an actor token, as a connection would have brought them.
    async fn call(&self, member: &Member, path: &str, body: &[u8], operation: Operation) -> Result<(Caller, Call), CliError> {
        let now = self.clock.now();
        let party = &member.registration.party;
        let caller = self.gateway.local_caller(party, member.certificate, member.certificate, now.plus_secs(60)).await.map_err(inside)?;
        let digest = Digest::of(body);
        let actor = Actor {
            issued: self.issued(party)?,
            sub: "sandbox-setup".parse().map_err(inside)?,
            exp: Timestamp::from_secs(now.secs()).plus_secs(60),
            pur: Purpose::Administration,
            htm: "POST".to_owned(),
            htu: path.to_owned(),
            certificate: member.certificate,
            nonce: None,
            req: Some(digest),
        };
        let token = actor.sign(&member.sig).map_err(inside)?;
        let id = self.ids.v4().map_err(inside)?;
        Ok((caller, Call::new(id, "POST".to_owned(), path.to_owned(), Some(token), Some(digest), operation)))
    }

    fn first_key(&self, member: &Member) -> FirstKey {
        let now = Timestamp::from_secs(self.clock.now().secs());
        FirstKey { jwk: member.sig.public().clone(), nbf: now, naf: now.plus_secs(KEYS_LIVE) }
    }

    fn issued(&self, party: &PartyId) -> Result<Issued, CliError> {
        let jti: Jti = self.ids.jti().map_err(inside)?;
        Ok(Issued { iss: party.clone(), aud: self.url.clone(), jti, iat: Timestamp::from_secs(self.clock.now().secs()) })
    }
}

/// A sandbox is made from our own parts: what fails here is a fault of the installation, told as it is.
fn inside(error: impl std::fmt::Debug) -> CliError {
    CliError::usage(format!("the sandbox could not be made: {error:?}"), format!("お試し用の環境を作れませんでした: {error:?}"))
}

/// How long the keys of a sandbox are good for: two years.
const KEYS_LIVE: i64 = 2 * 365 * 86_400;
