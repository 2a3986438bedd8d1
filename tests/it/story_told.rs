//! Two whole cases and a third that nobody takes, from the first message to the last, as written in `tests/data/story`. At each step everybody's view is
//! compared with what the script and the matrix say: which cases, in which state, which messages in them, and which rows of each. Where a step changes
//! nobody's standing and no consent, only the first message and the newest are read again; with `TSUNAGI_STORY=whole` every message at every step.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tsunagi::{
    client::{CertificateDraft, ClientError, SignedConsent},
    domain::{
        addon::{Days, Eligibility, Statement},
        codes::{MessageKind, Purpose},
        consent::EndedBy,
        field::{FieldClass, FieldKey},
        ids::{CaseId, Jti},
    },
    message::certificate::Person,
};

use crate::{
    story_matrix::{Matrix, Said, Stance},
    story_script::{self, Event, Part, Sent, Step, Told},
    story_stage::{CAST, Cast, Letter, every_class, first_purpose, item, named_rows, party, purposes_of},
};

/// A case as the script has it so far.
struct Affair<'a> {
    cast: &'a Cast,
    matrix: &'a Matrix,
    /// How each is told of it, by the short name; who is not here is told of nothing.
    told: BTreeMap<String, Told>,
    cases: BTreeMap<String, CaseId>,
    consents: BTreeMap<String, Given>,
    /// The consent that new messages rest on.
    newest: Option<String>,
    messages: Vec<Known>,
    /// Rows of the coordination certificate.
    certificate: BTreeMap<FieldKey, Value>,
}

/// A consent of the script.
struct Given {
    signed: SignedConsent,
    parts: Vec<Part>,
    /// Which one took its place.
    replaced_by: Option<String>,
    withdrawn: bool,
}

/// A message that was accepted.
struct Known {
    jti: Jti,
    kind: String,
    from: String,
    to: String,
    purposes: Vec<String>,
    consent: Option<String>,
    rows: Vec<String>,
    /// In whose place its sender sent it.
    on_behalf_of: Option<String>,
    /// In whose place its recipient got it.
    in_place_of: Option<String>,
}

impl Known {
    /// Whether somebody sent it, or had it sent in its place.
    fn is_from(&self, name: &str) -> bool {
        self.from == name || self.on_behalf_of.as_deref() == Some(name)
    }

    /// Whether somebody got it, or had it got in its place.
    fn is_to(&self, name: &str) -> bool {
        self.to == name || self.in_place_of.as_deref() == Some(name)
    }
}

/// What a reader is shown of a message for a purpose: rows, or the code of a refusal.
type View = Result<BTreeSet<String>, String>;

fn purpose(word: &str) -> Purpose {
    match word {
        "placement" => Purpose::PlacementCoordination,
        "benefit" => Purpose::BenefitDecision,
        "planning" => Purpose::ServicePlanning,
        "provision" => Purpose::ServiceProvision,
        "backup" => Purpose::BackupConsultation,
        "addon" => Purpose::AddonCertification,
        _ => panic!("what is {word} for?"),
    }
}

fn kind_of(name: &str) -> String {
    party(name).kind().to_string()
}

/// The row in which a kind says what it decides.
const DECIDES: &[(&str, &str)] = &[
    ("referral_decision", "decision"),
    ("placement_decision", "decision"),
    ("enquiry_reply", "reply"),
    ("handover_agreed", "handover_reply"),
    ("status_notice", "status"),
];

impl<'a> Affair<'a> {
    fn new(cast: &'a Cast, matrix: &'a Matrix) -> Self {
        Self {
            cast,
            matrix,
            told: BTreeMap::new(),
            cases: BTreeMap::new(),
            consents: BTreeMap::new(),
            newest: None,
            messages: Vec::new(),
            certificate: BTreeMap::new(),
        }
    }

    async fn take(&mut self, step: &Step) {
        match &step.event {
            Event::Consent { name, by, before, items } => self.is_given(name, by, before.as_ref(), items).await,
            Event::Withdrawal { name, by } => {
                let given = self.consents.get_mut(name).unwrap();
                given.withdrawn = true;
                let (client, jti) = (self.cast.client(by), given.signed.jti());
                client.end_consent(jti, EndedBy::Self_, "the person said so", None, first_purpose(by)).await.unwrap();
            }
            Event::Message(sent) => self.is_sent(sent, step).await,
        }
    }

    async fn is_given(&mut self, name: &str, by: &str, before: Option<&String>, parts: &[Part]) {
        let items: Vec<Value> = parts
            .iter()
            .map(|part| {
                let parties: Vec<&str> = part.parties.iter().map(String::as_str).collect();
                let class = |word: &String| word.parse::<FieldClass>().unwrap();
                item(&parties, &classes_of(part), &part.ticked.iter().map(class).collect::<Vec<_>>())
            })
            .collect();
        let earlier = before.map(|before| self.consents[before].signed.clone());
        let signed = self.cast.consent(by, &json!(items), earlier.as_ref()).await;
        if let Some(before) = before {
            self.consents.get_mut(before).unwrap().replaced_by = Some(name.to_owned());
        }
        self.consents.insert(name.to_owned(), Given { signed, parts: parts.to_vec(), replaced_by: None, withdrawn: false });
        self.newest = Some(name.to_owned());
    }

    async fn is_sent(&mut self, sent: &Sent, step: &Step) {
        let kind: MessageKind = sent.kind.parse().unwrap();
        let consent = self.newest.clone().filter(|_| !kind.may_name_no_consent());
        let mut body = self.cast.example(kind);
        if let Some((_, row)) = DECIDES.iter().find(|(deciding, _)| *deciding == sent.kind) {
            body.insert(row.parse().unwrap(), json!(sent.word.as_ref().unwrap()));
        }
        if kind == MessageKind::CoordinationCertificate {
            body = self.certificate(&sent.from).await;
        }
        if kind == MessageKind::Correction {
            let corrected = self.messages.iter().rfind(|message| message.from == sent.from && message.to == sent.to).unwrap();
            body.insert("corrects".parse().unwrap(), json!(corrected.jti));
        }
        let signed = consent.as_ref().map(|name| self.consents[name].signed.clone());
        let letter = Letter {
            kind,
            from: &sent.from,
            to: &sent.to,
            case: self.cases.get(&sent.from).copied(),
            consent: signed.as_ref(),
            purposes: sent.purposes.iter().map(|word| purpose(word)).collect(),
            source: None,
        };
        let place = format!("line {}: {} from {} to {}", step.line, sent.kind, sent.from, sent.to);
        if let Some(code) = &sent.refused {
            let refused = self.cast.post(&letter, &self.cast.sign(&letter, &body)).await.map(|_| place.clone()).unwrap_err();
            assert_eq!(&named_rows(refused).0, code, "{place}");
            assert!(step.told.is_empty(), "{place}: what was refused changes nothing");
            return;
        }
        // As it will stand behind the message: what is too much for the recipient then is refused, row by row.
        let mut after = self.told.clone();
        after.extend(step.told.iter().cloned());
        // But the word that ends a part is judged by how it stood.
        let ends = kind == MessageKind::StatusNotice && after[&sent.to].relation == "closed";
        let judged = if ends { &self.told } else { &after };
        let said = consent.as_ref().and_then(|name| self.said(name, &sent.to));
        let too_much: BTreeSet<String> = body
            .keys()
            .map(FieldKey::to_string)
            .filter(|row| !sent.purposes.iter().any(|word| self.shows((&sent.to, word), judged, (&sent.kind, row), said.as_ref())))
            .collect();
        if !too_much.is_empty() {
            let refused = self.cast.post(&letter, &self.cast.sign(&letter, &body)).await.map(|_| place.clone()).unwrap_err();
            let (code, rows) = named_rows(refused);
            assert_eq!((code.as_str(), rows.into_iter().collect::<BTreeSet<_>>()), ("over_disclosure", too_much.clone()), "{place}");
            body.retain(|row, _| !too_much.contains(row.as_str()));
        }
        let signed = self.cast.sign(&letter, &body);
        let accepted = self.cast.post(&letter, &signed).await.unwrap_or_else(|error| panic!("{place}: {error}"));
        self.cases.insert(sent.from.clone(), accepted.subject.case.unwrap());
        let place_of = |name: &String| after.get(name).and_then(|told| told.on_behalf_of.clone());
        let (on_behalf_of, in_place_of) = (place_of(&sent.from), place_of(&sent.to));
        let (kind, from, to, purposes) = (sent.kind.clone(), sent.from.clone(), sent.to.clone(), sent.purposes.clone());
        let rows = body.keys().map(FieldKey::to_string).collect();
        self.messages.push(Known { jti: signed.jti(), kind, from, to, purposes, consent, rows, on_behalf_of, in_place_of });
        self.told = after;
    }

    /// The rows of the one certificate of the case: issued by the first who sends it, passed on by the others.
    async fn certificate(&mut self, issuer: &str) -> BTreeMap<FieldKey, Value> {
        if self.certificate.is_empty() {
            let (family_name, given_name) = ("小波".to_owned(), "健太".to_owned());
            let birth_date = "1984-05-17".parse().unwrap();
            let salt = "c2FsdC1vZi1hbi1leGFtcGxlLTAx".to_owned();
            let person = Person { salt, family_name, given_name, birth_date, recipient_cert_number: None };
            let draft = CertificateDraft {
                no: "TC13-0001".parse().unwrap(),
                person: person.digest().unwrap(),
                provider: party("home1").code().to_owned(),
                addons: vec!["community_life_transition".parse().unwrap()],
                eligibility: Eligibility::CorrectionalRelease,
                statement: Statement::CoordinatedByCenter,
                window: Days { from: "2026-09-01".parse().unwrap(), until: "2029-08-31".parse().unwrap() },
            };
            let token = self.cast.client(issuer).certify(&draft).await.unwrap();
            self.certificate = person.rows(&token).into_iter().map(|(key, value)| (key.parse().unwrap(), value)).collect();
        }
        self.certificate.clone()
    }

    /// What the consent in force in the place of this one says of somebody.
    fn said(&self, name: &str, of: &str) -> Option<Said> {
        let given = &self.consents[name];
        if let Some(next) = &given.replaced_by {
            return self.said(next, of);
        }
        let mut said = Said::default();
        for part in given.parts.iter().filter(|part| part.parties.iter().any(|party| party == of)) {
            said.classes.extend(classes_of(part).iter().map(ToString::to_string));
            said.ticked.extend(part.ticked.iter().cloned());
        }
        (!said.classes.is_empty()).then_some(said)
    }

    fn is_withdrawn(&self, name: &str) -> bool {
        let given = &self.consents[name];
        given.replaced_by.as_ref().map_or(given.withdrawn, |next| self.is_withdrawn(next))
    }

    /// Whether the table shows somebody a row. `told` says how everybody stands to the case.
    fn shows(
        &self,
        (reader, purpose): (&str, &str),
        told: &BTreeMap<String, Told>,
        (kind, row): (&str, &str),
        said: Option<&Said>,
    ) -> bool {
        let (reader_kind, stands) = (kind_of(reader), &told[reader]);
        let stance = Stance { reader: &reader_kind, purpose, relation: &stands.relation, state: &stands.state, kind };
        self.matrix.shows(&stance, self.matrix.class(row), said)
    }

    /// What the script and the table say that somebody is shown of a message. It takes part in the case.
    fn expected(&self, reader: &str, message: &Known, word: &str) -> View {
        // A later consent takes the place of the earlier as a whole: for whoever it leaves out, who is told
        // nothing of its end either.
        if message.consent.as_ref().is_some_and(|name| self.said(name, &message.to).is_none()) {
            return Err("consent_scope".to_owned());
        }
        if let Some(name) = &message.consent
            && self.is_withdrawn(name)
        {
            return Err("consent_ended".to_owned());
        }
        let told = &self.told[reader];
        let (own, closed) = (message.is_from(reader), told.relation == "closed");
        let kind = kind_of(reader);
        let stance = Stance { reader: &kind, purpose: word, relation: &told.relation, state: &told.state, kind: &message.kind };
        if own && !closed && !self.matrix.is_behind(&stance) {
            return Ok(message.rows.iter().cloned().collect());
        }
        // For whom it reads: the consent names that party, and the delegate is shown what both may see.
        let principal = told.on_behalf_of.as_deref().filter(|_| !own).unwrap_or(reader);
        let addressee = if principal == reader { &message.to } else { principal };
        let said = message.consent.as_ref().and_then(|name| self.said(name, addressee));
        // What its delegate got in its place is shown to a body as to both.
        let got = if message.is_to(reader) && message.to != reader { message.to.as_str() } else { principal };
        let both = [got, reader];
        let shown = |row: &&String| both.iter().all(|as_whom| self.shows((as_whom, word), &self.told, (&message.kind, row), said.as_ref()));
        Ok(message.rows.iter().filter(shown).cloned().collect())
    }

    /// Whether a message is in somebody's list: what it sent or got, itself or by its delegate, and what is addressed to the one it acts for.
    fn is_listed(&self, reader: &str, message: &Known) -> bool {
        let principal = self.told[reader].on_behalf_of.as_deref();
        message.is_from(reader) || message.is_to(reader) || principal == Some(message.to.as_str())
    }

    /// Compares everybody's view with the script's.
    async fn compare(&self, step: &Step) {
        let changes = !step.told.is_empty() || !matches!(step.event, Event::Message(_));
        let whole = changes || std::env::var_os("TSUNAGI_STORY").is_some_and(|value| value == "whole");
        let mut differing: Vec<String> = Vec::new();
        for (name, ..) in CAST {
            differing.extend(match (self.told.get(*name), self.cases.get(*name)) {
                (Some(told), Some(case)) => self.compare_part(name, told, case, whole).await,
                _ => self.compare_stranger(name).await,
            });
        }
        assert!(differing.is_empty(), "line {}:\n{}", step.line, differing.join("\n"));
    }

    async fn compare_part(&self, name: &str, told: &Told, case: &CaseId, whole: bool) -> Vec<String> {
        let client = self.cast.client(name);
        let mut differing = Vec::new();
        let page = client.list_cases(first_purpose(name), None, 0).await.unwrap();
        let head = page.cases.iter().find(|head| head.case == *case).unwrap_or_else(|| panic!("{name} is not told of the case"));
        let on_behalf_of = head.acting_for.as_ref().map(ToString::to_string);
        let seen = (head.state.to_string(), head.relation.to_string(), on_behalf_of);
        let expected = (told.state.clone(), told.relation.clone(), told.on_behalf_of.as_ref().map(|name| party(name).to_string()));
        if seen != expected {
            differing.push(format!("{name} is told {seen:?}, and should be told {expected:?}"));
        }
        let listed: Vec<&Known> = self.messages.iter().filter(|message| self.is_listed(name, message)).collect();
        // As it began for the reader: with the first message that it sent or got.
        if head.kind.as_str() != listed[0].kind {
            differing.push(format!("{name} is told of a case that began with {}, and should be with {}", head.kind, listed[0].kind));
        }
        let page = client.list_messages(case, first_purpose(name), None).await.unwrap();
        let seen: Vec<_> = page.messages.iter().map(|head| (head.message, head.kind.to_string(), head.direction.as_str())).collect();
        let direction = |message: &Known| if message.is_from(name) { "out" } else { "in" };
        let expected: Vec<_> = listed.iter().map(|message| (message.jti, message.kind.clone(), direction(message))).collect();
        if seen != expected {
            differing.push(format!("{name} finds {seen:?}, and should find {expected:?}"));
        }
        let newest = self.messages.len() - 1;
        for (number, message) in self.messages.iter().enumerate() {
            if !self.is_listed(name, message) {
                // Not addressed to it: not there, even for those in the case.
                if number == newest {
                    differing.extend(self.refuses(name, case, message).await);
                }
                continue;
            }
            if !whole && number != 0 && number != newest {
                continue;
            }
            for word in message.purposes.iter().filter(|word| purposes_of(name).contains(&purpose(word))) {
                let seen = self.read(name, case, message, purpose(word)).await;
                let expected = self.expected(name, message, word);
                if seen != expected {
                    let place = format!("{} of {} to {} for {word}", message.kind, message.from, message.to);
                    differing.push(format!("{name} reads {place}:\n  sees    {seen:?}\n  should  {expected:?}"));
                }
            }
        }
        differing
    }

    async fn read(&self, name: &str, case: &CaseId, message: &Known, purpose: Purpose) -> View {
        match self.cast.client(name).read_message(case, &message.jti, purpose).await {
            Ok(reading) => {
                let release = &reading.release;
                let acts_for = release.binding.tsn.on_behalf_of.as_ref().map(ToString::to_string);
                let expected = self.told[name].on_behalf_of.as_ref().map(|name| party(name).to_string());
                assert_eq!(acts_for, expected, "{name}: the key binding says for whom it reads");
                assert_eq!(message.on_behalf_of.is_some(), message.from == "core", "the core centre acts for its municipality");
                Ok(release.disclosed.rows.iter().map(|row| row.key.to_string()).collect())
            }
            Err(ClientError::Refused(problem)) => Err(problem.code),
            Err(error) => panic!("{name}: {error}"),
        }
    }

    async fn refuses(&self, name: &str, case: &CaseId, message: &Known) -> Option<String> {
        let seen = self.read(name, case, message, first_purpose(name)).await;
        (seen != Err("not_found".to_owned()))
            .then(|| format!("{name} asks for {} of {} to {}: {seen:?}", message.kind, message.from, message.to))
    }

    /// Somebody who has no part in it: nothing in the list, nothing under the ids of others.
    async fn compare_stranger(&self, name: &str) -> Vec<String> {
        let page = self.cast.client(name).list_cases(first_purpose(name), None, 0).await.unwrap();
        let mut differing: Vec<String> = Vec::new();
        if page.cases.iter().any(|head| self.cases.values().any(|case| *case == head.case)) {
            differing.push(format!("{name} is told of the case"));
        }
        if let (Some(case), Some(message)) = (self.cases.values().next(), self.messages.last()) {
            differing.extend(self.refuses(name, case, message).await);
        }
        differing
    }

    /// Whoever is told of the case for the first time finds it in its list.
    async fn find(&mut self, known: &BTreeMap<String, BTreeSet<CaseId>>) {
        for name in self.told.keys().filter(|name| !self.cases.contains_key(*name)).cloned().collect::<Vec<_>>() {
            let page = self.cast.client(&name).list_cases(first_purpose(&name), None, 0).await.unwrap();
            let fresh: Vec<CaseId> =
                page.cases.iter().map(|head| head.case).filter(|case| !known.get(&name).is_some_and(|old| old.contains(case))).collect();
            let [case] = fresh.as_slice() else { panic!("{name} finds {} new cases", fresh.len()) };
            self.cases.insert(name, *case);
        }
    }
}

fn classes_of(part: &Part) -> Vec<FieldClass> {
    if part.classes == ["all"] { every_class() } else { part.classes.iter().map(|word| word.parse().unwrap()).collect() }
}

const STORIES: [(&str, &str); 3] = [
    ("exit", include_str!("../data/story/exit.txt")),
    ("entry", include_str!("../data/story/entry.txt")),
    ("redirect", include_str!("../data/story/redirect.txt")),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_each_step_everybody_sees_what_the_matrix_says() {
    let (cast, matrix) = (Cast::open().await, Matrix::read());
    let mut known: BTreeMap<String, BTreeSet<CaseId>> = BTreeMap::new();
    for (story, text) in STORIES {
        let mut affair = Affair::new(&cast, &matrix);
        let steps = story_script::read(text);
        for step in &steps {
            affair.take(step).await;
            affair.find(&known).await;
            affair.compare(step).await;
        }
        for (name, case) in affair.cases {
            known.entry(name).or_default().insert(case);
        }
        eprintln!("{story}: {} steps, {} messages", steps.len(), affair.messages.len());
    }
    cast.server.stop().await;
}
