//! A case and everybody who works on it: a gateway with one agreement for every kind of message, a consent that names them all, and what each sends.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Map, Value, json};
use tsunagi::{
    domain::{
        codes::{LegalBasis, MessageKind, Purpose},
        consent::{Item, Recipient},
        day::Day,
        digest::Digest,
        field::{FieldClass, FieldKey},
        ids::{CaseId, Jti},
        party::PartyId,
    },
    message::{
        compose::{Draft, Padding},
        disclosed::{ConsentRef, Hidden},
        objects::SignedObject as _,
        schema::{MessageSchema, Rule, SchemaSet},
        submission::{AgreementRef, Claims, MessageRef, SchemaRef},
    },
};

use crate::exchange_stage::{
    BINARY, CENTRE, MUNICIPALITY as CITY, Sandbox, Settings,
    agreement::{CORE, say},
    party::{Accepted, Party, Problem, Released, Setback, new_jti, now},
    process::Server,
    story::{Consent, Story},
};

pub(crate) const OFFICE: &str = "consultation_office:1330100015";
pub(crate) const HOME: &str = "group_home:1320100017";
pub(crate) const DAY: &str = "day_service:1310100019";

pub(crate) const PLACEMENT: Purpose = Purpose::PlacementCoordination;
pub(crate) const PLANNING: Purpose = Purpose::ServicePlanning;
pub(crate) const PROVISION: Purpose = Purpose::ServiceProvision;
pub(crate) const BACKUP: Purpose = Purpose::BackupConsultation;
pub(crate) const ADDON: Purpose = Purpose::AddonCertification;

const EVERYBODY: &[&str] = &[CENTRE, CITY, CORE, OFFICE, HOME, DAY];

/// The purposes for which a message to a party can be read there.
fn purposes(to: &str) -> Vec<Purpose> {
    match to {
        OFFICE => vec![PLANNING, BACKUP],
        HOME | DAY => vec![PLACEMENT, PROVISION, BACKUP],
        _ => vec![PLACEMENT, BACKUP],
    }
}

/// A case in which the centre referred a person to the city.
pub(crate) struct Life {
    pub(crate) story: Story,
    pub(crate) server: Server,
    pub(crate) sandbox: Sandbox,
    pub(crate) consent: Consent,
    parties: BTreeMap<&'static str, Party>,
    agreement: AgreementRef,
    schemas: SchemaSet,
    /// The case as each party knows it.
    cases: BTreeMap<&'static str, String>,
    /// Ids of the cases before.
    before: Vec<String>,
}

/// What is sent, by whom, to whom.
#[derive(Clone)]
pub(crate) struct Letter {
    pub(crate) kind: MessageKind,
    pub(crate) from: &'static str,
    pub(crate) to: &'static str,
    /// Rows beyond those that the form demands, or in their place.
    pub(crate) rows: Vec<(&'static str, Value)>,
    /// Names no consent.
    pub(crate) bare: bool,
    pub(crate) source: Option<MessageRef>,
}

pub(crate) fn letter(kind: MessageKind, from: &'static str, to: &'static str) -> Letter {
    Letter { kind, from, to, rows: Vec::new(), bare: kind.may_name_no_consent(), source: None }
}

impl Letter {
    pub(crate) fn with(mut self, row: &'static str, value: impl Into<Value>) -> Self {
        self.rows.push((row, value.into()));
        self
    }
}

/// A letter that was signed.
pub(crate) struct Signed {
    pub(crate) jti: Jti,
    pub(crate) sd_jwt: String,
    /// What its sender acts for.
    purpose: Purpose,
}

impl Life {
    /// A referral that nobody answered yet.
    pub(crate) async fn referred() -> Self {
        Self::referred_with(false).await
    }

    /// A referral; perhaps the core centre acts for the city.
    pub(crate) async fn referred_with(delegated: bool) -> Self {
        Self::referred_on(Sandbox::new(Settings::default()), delegated).await
    }

    /// The same in a sandbox on either database.
    pub(crate) async fn referred_on(sandbox: Sandbox, delegated: bool) -> Self {
        let server = sandbox.serve().await;
        let story = Story::open(&sandbox).await;
        let agreement = settle(&sandbox, delegated);
        let consent = story.sign_consent(&consent(&story));
        story.register(&consent).await.unwrap();
        let parties = EVERYBODY.iter().map(|party| (*party, sandbox.party(party))).collect();
        let (schemas, cases) = (SchemaSet::builtin().unwrap(), BTreeMap::new());
        let mut life = Self { story, server, sandbox, consent, parties, agreement, schemas, cases, before: Vec::new() };
        life.goes(letter(MessageKind::Referral, CENTRE, CITY)).await;
        life
    }

    /// The same parties with another person: a referral that nobody answered yet.
    pub(crate) async fn another(&mut self) {
        self.another_person(CENTRE).await;
        self.goes(letter(MessageKind::Referral, CENTRE, CITY)).await;
    }

    /// The same parties with another person, whose consent this party collected: no case yet.
    pub(crate) async fn another_person(&mut self, collector: &str) {
        self.before.extend(std::mem::take(&mut self.cases).into_values());
        let by = self.party(collector);
        let mut given = consent(&self.story);
        given.issued = by.issued();
        let consent = Consent { jti: given.issued.jti, sub: given.sub.clone(), token: given.sign(&by.signing).unwrap() };
        by.post_object("/v1/consents", PLACEMENT, &consent.token).await.unwrap();
        self.consent = consent;
    }

    /// A referral that the city took on.
    pub(crate) async fn accepted() -> Self {
        Self::accepted_on(Sandbox::new(Settings::default())).await
    }

    /// The same in a sandbox on either database.
    pub(crate) async fn accepted_on(sandbox: Sandbox) -> Self {
        let mut life = Self::referred_on(sandbox, false).await;
        life.goes(letter(MessageKind::ReferralDecision, CITY, CENTRE).with("decision", "accepted")).await;
        life
    }

    /// A case that the home serves.
    pub(crate) async fn in_use() -> Self {
        let mut life = Self::accepted().await;
        life.goes(letter(MessageKind::PlacementRequest, CITY, HOME)).await;
        life.goes(letter(MessageKind::PlacementDecision, HOME, CITY).with("decision", "accepted")).await;
        life
    }

    pub(crate) fn party(&self, party: &str) -> &Party {
        &self.parties[party]
    }

    pub(crate) const fn agreement(&self) -> &AgreementRef {
        &self.agreement
    }

    pub(crate) fn case(&self, party: &str) -> &str {
        &self.cases[party]
    }

    fn schema(&self, kind: MessageKind) -> &MessageSchema {
        self.schemas.messages().find(|schema| schema.kind() == kind).unwrap()
    }

    /// The rows that the form demands, as in its example, and those of the letter.
    fn body(&self, letter: &Letter) -> Vec<(FieldKey, Value)> {
        let (kind, schema) = (letter.kind, self.schema(letter.kind));
        let read = |path: String| fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
        let example: Map<String, Value> = serde_json::from_slice(&read(format!("schemas/examples/{kind}.json"))).unwrap();
        let form: Value = serde_json::from_slice(&read(format!("schemas/{kind}/{}.json", schema.published().ver))).unwrap();
        let required = form["required"].as_array().cloned().unwrap_or_default();
        let mut rows: BTreeMap<String, Value> = example.into_iter().filter(|(key, _)| required.contains(&json!(key))).collect();
        rows.extend(letter.rows.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
        let day = json!(Day::in_japan(now().plus_secs(14 * 86_400)).to_string());
        let coming = |key: &FieldKey| schema.row(key).unwrap().rules.contains(&Rule::NotBeforeSending);
        let rows = rows.into_iter().map(|(key, value)| (key.parse::<FieldKey>().unwrap(), value));
        let said = |key: &FieldKey| letter.rows.iter().any(|(row, _)| *row == key.as_str());
        rows.map(|(key, value)| if coming(&key) && !said(&key) { (key, day.clone()) } else { (key, value) }).collect()
    }

    pub(crate) fn draft(&self, letter: &Letter) -> Draft {
        let (schema, from) = (self.schema(letter.kind).published(), self.party(letter.from));
        let to: PartyId = letter.to.parse().unwrap();
        let opens = !self.cases.contains_key(letter.from);
        let second = now().secs();
        let provider = to.kind().is_provider();
        let own = purposes(letter.from);
        let mut pur = purposes(letter.to);
        pur.extend(own.iter().filter(|purpose| !purposes(letter.to).contains(purpose)));
        if matches!(letter.kind, MessageKind::CoordinationCertificate | MessageKind::CertificateRevocation) {
            pur = vec![ADDON];
        }
        Draft {
            claims: Claims {
                iss: from.id.clone(),
                aud: to,
                jti: new_jti(),
                iat: tsunagi::domain::time::Timestamp::from_secs(if provider { second - second % 3600 } else { second }),
                kind: letter.kind,
                sch: SchemaRef { id: schema.id.to_owned(), ver: schema.ver.to_owned(), sha256: schema.sha256 },
                agr: self.agreement.clone(),
                pur,
                bas: LegalBasis::Consent27,
                bref: None,
                cnf: from.pinned.kb.clone(),
            },
            hidden: Hidden {
                sub: (!letter.bare).then(|| self.consent.sub.clone()),
                con: (!letter.bare).then(|| ConsentRef { jti: self.consent.jti, sha256: Digest::of(self.consent.token.as_bytes()) }),
                case: if opens { None } else { Some(self.case(letter.from).parse::<CaseId>().unwrap()) },
                drv: letter.source.clone(),
                ..Hidden::default()
            },
            body: self.body(letter),
            padding: if provider { Padding::Ladder } else { Padding::None },
        }
    }

    pub(crate) fn sign(&self, letter: &Letter) -> Signed {
        self.sign_draft(letter.from, &self.draft(letter))
    }

    pub(crate) fn sign_draft(&self, from: &str, draft: &Draft) -> Signed {
        let own = purposes(from)[0];
        let purpose = if draft.claims.pur.contains(&own) { own } else { draft.claims.pur[0] };
        Signed { jti: draft.claims.jti, sd_jwt: draft.sign(&self.party(from).signing).unwrap(), purpose }
    }

    pub(crate) fn target(&self, from: &str) -> String {
        self.cases.get(from).map_or_else(|| "/v1/referrals".to_owned(), |case| format!("/v1/cases/{case}/messages"))
    }

    /// Sends what was signed; learns under which id the recipient knows the case.
    pub(crate) async fn post(&mut self, from: &'static str, signed: &Signed) -> Result<Accepted, Setback> {
        let accepted = self.party(from).post_message(&self.target(from), signed.purpose, &signed.sd_jwt).await?;
        self.cases.insert(from, accepted.subject["case"].as_str().unwrap().to_owned());
        Ok(accepted)
    }

    pub(crate) async fn send(&mut self, letter: &Letter) -> Result<Jti, Setback> {
        let signed = self.sign(letter);
        self.post(letter.from, &signed).await?;
        if !self.cases.contains_key(letter.to) {
            let listed = self.listed(letter.to).await;
            let ids = listed.iter().map(|case| case["case"].as_str().unwrap());
            let fresh: Vec<&str> = ids.filter(|id| !self.before.iter().any(|old| old == id)).collect();
            let [case] = fresh.as_slice() else { panic!("{} knows {} new cases", letter.to, fresh.len()) };
            self.cases.insert(letter.to, (*case).to_owned());
        }
        Ok(signed.jti)
    }

    /// A letter that must be taken.
    pub(crate) async fn goes(&mut self, letter: Letter) -> Jti {
        match self.send(&letter).await {
            Ok(jti) => jti,
            Err(setback) => panic!("{} from {} to {}: {}", letter.kind, letter.from, letter.to, setback.problem().text),
        }
    }

    /// A letter that must be refused.
    pub(crate) async fn refused(&mut self, letter: Letter) -> Problem {
        match self.send(&letter).await {
            Ok(_) => panic!("{} from {} to {} was taken", letter.kind, letter.from, letter.to),
            Err(setback) => setback.problem(),
        }
    }

    /// Finds the case in the list of a party that nobody sent anything to.
    pub(crate) async fn learn(&mut self, party: &'static str) {
        let listed = self.listed(party).await;
        let [case] = listed.as_slice() else { panic!("{party} knows {} cases", listed.len()) };
        self.cases.insert(party, case["case"].as_str().unwrap().to_owned());
    }

    /// `tsunagi message ...` as a party; gives what it printed, or its exit code with what it complained of.
    pub(crate) fn command(&self, party: &str, words: &[&str]) -> Result<Value, (i32, String)> {
        self.tsunagi(party, &[&["message"], words].concat())
    }

    /// `tsunagi ...` as a party.
    pub(crate) fn tsunagi(&self, party: &str, words: &[&str]) -> Result<Value, (i32, String)> {
        let mut command = Command::new(BINARY);
        command.args(["--lang", "en", "--json"]).args(words).stdin(Stdio::null());
        let output = command.env("TSUNAGI_IDENTITY", self.sandbox.identity(&party.parse().unwrap())).output().unwrap();
        if output.status.success() {
            let lines = String::from_utf8(output.stdout).unwrap();
            return Ok(lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect());
        }
        Err((output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap()))
    }

    /// What a party is told of its cases.
    pub(crate) async fn listed(&self, party: &str) -> Vec<Value> {
        let page = self.party(party).json("/v1/cases", purposes(party)[0]).await.unwrap();
        page["cases"].as_array().unwrap().clone()
    }

    /// The one case as a party is told of it.
    pub(crate) async fn told(&self, party: &str) -> (String, String, String) {
        let listed = self.listed(party).await;
        let case = listed.iter().find(|case| case["case"] == self.case(party)).unwrap();
        let text = |member: &str| case[member].as_str().unwrap().to_owned();
        (text("state"), text("relation"), text("kind"))
    }

    pub(crate) async fn read(&self, reader: &str, from: &str, message: &Jti, purpose: Purpose) -> Result<Released, Setback> {
        let target = format!("/v1/cases/{}/messages/{message}", self.case(reader));
        self.party(reader).read(&target, purpose, self.party(from).signing.public()).await
    }

    /// The rows that a reader is shown.
    pub(crate) async fn shown(&self, reader: &str, from: &str, message: &Jti, purpose: Purpose) -> Vec<String> {
        let released = self.read(reader, from, message, purpose).await.unwrap();
        released.release.disclosed.rows.iter().map(|row| row.key.to_string()).collect()
    }
}

/// The kinds that a refusal says are possible.
pub(crate) fn possible(problem: &Problem) -> Vec<String> {
    assert_eq!((problem.status, problem.code.as_str()), (409, "state_conflict"), "{}", problem.text);
    let document: Value = serde_json::from_str(&problem.text).unwrap();
    let violations = document["violations"].as_array().unwrap().clone();
    violations
        .iter()
        .map(|violation| {
            assert_eq!(violation["field"], "kind", "{}", problem.text);
            violation["rule"].as_str().unwrap().to_owned()
        })
        .collect()
}

/// A consent that names everybody, for everything they do, every class ticked.
fn consent(story: &Story) -> tsunagi::message::objects::ConsentGiven {
    let mut given = story.consent();
    let all = FieldClass::ALL.iter().copied().filter(|class| !class.needs_no_consent_item() && !class.consent_may_not_name());
    let classes: Vec<FieldClass> = all.collect();
    let item = |party: &&str| Item {
        rcp: vec![Recipient::Party(party.parse().unwrap())],
        pur: vec![PLACEMENT, PLANNING, PROVISION, BACKUP, ADDON],
        cls: classes.clone(),
        tick: classes.clone(),
    };
    given.items = EVERYBODY.iter().map(item).collect();
    given
}

/// An agreement for every kind between everybody, in force.
fn settle(sandbox: &Sandbox, delegated: bool) -> AgreementRef {
    let until = now().plus_secs(30 * 86_400);
    let classes: Vec<FieldClass> = FieldClass::ALL.iter().copied().filter(|class| !class.consent_may_not_name()).collect();
    let flows: Vec<Value> = EVERYBODY
        .iter()
        .flat_map(|from| EVERYBODY.iter().filter(move |to| *to != from).map(move |to| (from, to)))
        .flat_map(|(from, to)| MessageKind::ALL.chunks(20).map(move |kinds| (from, to, kinds)))
        .map(|(from, to, kinds)| {
            json!({"from": from, "to": to, "kinds": kinds, "purposes": [PLACEMENT, PLANNING, PROVISION, BACKUP, ADDON],
                   "classes": classes, "bases": ["consent_27"]})
        })
        .collect();
    let versions: Vec<String> = MessageKind::ALL.iter().map(|kind| format!("{kind}/1.0.0")).collect();
    let qualification = "主任相談支援専門員を配置する基幹相談支援センター";
    let delegations =
        if delegated { json!([{"from": CITY, "to": CORE, "qualification": qualification, "until": until}]) } else { json!([]) };
    let version = json!({
        "id": "AG-13-0100", "ver": 1, "title": "試験協定", "parties": EVERYBODY, "acceding": [], "flows": flows,
        "schema_versions": versions, "purpose_of_use_entry": "個人情報ファイル簿 3", "terms": ["目的外に使わない"],
        "from": now().plus_secs(-60), "until": until, "retention_months": 6, "delegations": delegations
    });
    let folder = tempfile::tempdir().unwrap();
    let (draft, document) = (folder.path().join("draft.json"), folder.path().join("document.json"));
    let (draft, document) = (draft.to_str().unwrap(), document.to_str().unwrap());
    fs::write(draft, version.to_string()).unwrap();
    let made = say(sandbox, CENTRE, &["draft", draft, "--out", document]);
    for party in EVERYBODY {
        say(sandbox, party, &["sign", document]);
    }
    AgreementRef {
        id: made["id"].as_str().unwrap().parse().unwrap(),
        ver: made["ver"].as_u64().unwrap().try_into().unwrap(),
        sha256: serde_json::from_value(made["sha256"].clone()).unwrap(),
    }
}

/// What a party is told, and what it does with the command line.
impl Life {
    /// The one case in a party's list.
    pub(crate) async fn entry(&self, party: &str) -> Value {
        let listed = self.listed(party).await;
        listed.into_iter().find(|case| case["case"] == self.case(party)).unwrap()
    }

    /// The first message of the case as a party lists it.
    pub(crate) async fn first(&self, party: &str) -> Jti {
        let page = self.party(party).json(&format!("/v1/cases/{}/messages", self.case(party)), purposes(party)[0]).await.unwrap();
        page["messages"][0]["message"].as_str().unwrap().parse().unwrap()
    }

    /// The command line as a party; gives what it printed, or what it complained of.
    pub(crate) fn tool(&self, party: &str, words: &[&str]) -> Result<String, String> {
        let mut command = Command::new(BINARY);
        command.args(["--lang", "en"]).args(words).stdin(Stdio::null());
        let output = command.env("TSUNAGI_IDENTITY", self.sandbox.identity(&party.parse().unwrap())).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
    }

    /// What `tsunagi case list` prints.
    pub(crate) fn case_command(&self, party: &str) -> String {
        self.tool(party, &["case", "list"]).unwrap()
    }
}
