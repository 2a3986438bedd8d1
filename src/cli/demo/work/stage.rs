//! What the parties do on the way, and what each of them is told after every step.

use std::{collections::BTreeMap, ffi::OsStr};

use serde_json::{Map, Value, json};

use crate::{
    cli::{
        CliError,
        demo::{
            layout::Table,
            material::is_to_come,
            page::Page,
            proving::words,
            sandbox::{Sandbox, process_failed},
            story::must,
        },
    },
    client::{Accepted, CaseHead, Client, ClientError, Content, Later, Outgoing, Party, Proven, Reading, SignedConsent},
    domain::{
        agreement::AgreementStanding,
        case::Relation,
        codes::{LegalBasis, MessageKind, Purpose},
        day::Day,
        field::FieldKey,
        ids::{CaseId, Jti},
        party::PartyId,
        refusal::RefusalCode,
    },
    message::{
        schema::SchemaSet,
        submission::{AgreementRef, SchemaRef},
    },
    text::{
        Lang,
        demo::{self as text, work as said},
    },
};

/// Everybody's programs, and what happened so far.
pub(super) struct Stage<'a> {
    pub(super) sandbox: &'a Sandbox,
    pub(super) page: &'a mut Page,
    pub(super) auditor: Client,
    clients: BTreeMap<&'static str, Client>,
    directory: Vec<Party>,
    schemas: SchemaSet,
    pub(super) agreement: AgreementRef,
    /// The consent that messages rest on now.
    pub(super) consent: Option<SignedConsent>,
    /// The case as each party knows it.
    cases: BTreeMap<&'static str, CaseId>,
}

/// Who plays, in the order of the tables.
pub(super) const CAST: &[&str] = &[CENTRE, CITY, CORE, HOME, OTHER, OFFICE, DAY];
pub(super) const CENTRE: &str = "settlement_center:13-1";
pub(super) const CITY: &str = "municipality:131016-1";
pub(super) const CORE: &str = "core_center:131016-1";
pub(super) const HOME: &str = "group_home:1320100017";
pub(super) const OTHER: &str = "group_home:1320100025";
pub(super) const OFFICE: &str = "consultation_office:1330100015";
pub(super) const DAY: &str = "day_service:1310100019";

/// A message: kind, sender, recipient, and what for.
#[derive(Clone, Copy)]
pub(super) struct Letter {
    pub(super) kind: MessageKind,
    pub(super) from: &'static str,
    pub(super) to: &'static str,
    pub(super) purposes: &'static [Purpose],
    /// The row in which it decides, and what.
    pub(super) decides: Option<(&'static str, &'static str)>,
}

/// A message that was accepted.
#[derive(Clone, Copy)]
pub(super) struct Sent {
    pub(super) jti: Jti,
    pub(super) letter: Letter,
    rows: usize,
}

impl<'a> Stage<'a> {
    pub(super) fn load(sandbox: &'a Sandbox, page: &'a mut Page) -> Result<Self, CliError> {
        let mut clients = BTreeMap::new();
        for party in CAST {
            clients.insert(*party, sandbox.client_of(&id(party)?, "staff-0001")?);
        }
        let auditor = sandbox.client(crate::domain::party::PartyKind::Auditor, "staff-0003")?;
        let schemas = SchemaSet::builtin().map_err(|e| wrong(&e))?;
        let agreement =
            AgreementRef { id: AGREEMENT.parse().map_err(|e| wrong(&e))?, ver: 1, sha256: crate::domain::digest::Digest([0; 32]) };
        Ok(Self { sandbox, page, auditor, clients, directory: Vec::new(), schemas, agreement, consent: None, cases: BTreeMap::new() })
    }

    /// Reads the directory and finds the agreement, at the gateway.
    pub(super) async fn meet(&mut self) -> Result<(), CliError> {
        self.directory = self.client(CENTRE)?.parties().await?;
        let heads = self.client(CENTRE)?.agreements().await?;
        let found = heads.iter().find(|head| head.id == self.agreement.id && head.state == AgreementStanding::InForce);
        let missing =
            || CliError::usage("the sandbox has no agreement for the whole work of a case", "お試し用の環境に、全過程の協定がありません");
        self.agreement = found.ok_or_else(missing)?.reference();
        Ok(())
    }

    pub(super) fn client(&self, party: &str) -> Result<&Client, CliError> {
        self.clients.get(party).ok_or_else(|| wrong(&party))
    }

    pub(super) fn name(&self, party: &str, lang: Lang) -> String {
        let known = self.directory.iter().find(|known| known.party.to_string() == party);
        known.map_or_else(|| party.to_owned(), |known| lang.of(&known.name.en, &known.name.ja).to_owned())
    }

    /// Registers a consent with these items; in the place of the one before, if there is one.
    pub(super) async fn consents(&mut self, items: &Value) -> Result<Proven<Accepted>, CliError> {
        let centre = self.client(CENTRE)?;
        let now = centre.now();
        let sub = match &self.consent {
            Some(before) => before.sub().as_str().to_owned(),
            None => centre.ids().jti().map_err(ClientError::from)?.to_string(),
        };
        let scan = crate::message::sha256(sub.as_bytes());
        let mut claims = json!({
            "nbf": now.plus_secs(-60).secs(), "exp": now.plus_secs(180 * 86_400).secs(), "sub": sub, "items": items, "refused": [],
            "how": "paper_signed", "form": {"ver": "doui-2026-04", "sha256": scan},
            "expl": {"by": "staff-0021", "how": ["ルビ付きの書面", "読み上げ"], "understood": true},
        });
        if let (Some(before), Some(members)) = (&self.consent, claims.as_object_mut()) {
            members.insert("sup".to_owned(), json!(before.jti()));
        }
        let consent = centre.sign_drafted_consent(&claims)?;
        let answer = centre.register_consent(&consent, Purpose::PlacementCoordination).await?;
        self.consent = Some(consent);
        Ok(answer)
    }

    /// Sends a kind with its published example, without what the recipient may not have.
    pub(super) async fn send(&mut self, letter: Letter) -> Result<Sent, CliError> {
        let body = self.example(letter)?;
        self.send_rows(letter, body).await
    }

    /// Sends a kind with these rows, without what the recipient may not have.
    pub(super) async fn send_rows(&mut self, letter: Letter, mut body: Vec<(FieldKey, Value)>) -> Result<Sent, CliError> {
        let whole = body.len();
        let first = self.post(letter, &body).await;
        let (message, answer) = match first {
            Err(ClientError::Refused(problem)) if problem.refusal() == Some(RefusalCode::OverDisclosure) => {
                body.retain(|(key, _)| !problem.violations.iter().any(|row| row.field == key.as_str()));
                self.post(letter, &body).await?
            }
            other => other?,
        };
        let case = answer.subject.case.ok_or_else(|| CliError::unverified("the answer names no case", "答えに事案番号がありません"))?;
        self.cases.insert(letter.from, case);
        self.page.check(said::SENT, &[&letter.kind, &body.len(), &answer.place().index()]);
        if body.len() < whole {
            self.page.note(said::LEFT_OUT, &[&(whole - body.len())]);
        }
        Ok(Sent { jti: message.jti(), letter, rows: body.len() })
    }

    /// A command as an office types it, in its own words; gives what it answers to a machine. For commands that change nothing.
    pub(super) async fn types(&self, command: &[&OsStr], shown: &str) -> Result<Value, CliError> {
        let answer = self.asks(command).await?;
        self.page.quote(shown, &words(&self.sandbox.run(command).await?));
        Ok(answer)
    }

    /// What a command answers to a machine.
    pub(super) async fn asks(&self, command: &[&OsStr]) -> Result<Value, CliError> {
        let output = self.sandbox.run(&[&["--json".as_ref()], command].concat()).await?;
        if !output.status.success() {
            let name: Vec<_> = command.iter().take(2).map(|word| word.to_string_lossy()).collect();
            return Err(process_failed(&name.join(" "), &output));
        }
        serde_json::from_slice(&output.stdout).map_err(|e| wrong(&e))
    }

    /// What must be refused, with this code.
    pub(super) async fn is_refused(&mut self, letter: Letter, code: RefusalCode, tried: text::Line) -> Result<(), CliError> {
        let body = self.example(letter)?;
        let problem = crate::cli::demo::story::refused(code, self.post(letter, &body).await)?;
        self.page.refused(&tried.say(self.page.lang(), &[]), &problem);
        Ok(())
    }

    async fn post(&self, letter: Letter, body: &[(FieldKey, Value)]) -> Result<(Outgoing, Proven<Accepted>), ClientError> {
        let client = self.clients.get(letter.from).ok_or(crate::client::Doubt::Form("party"))?;
        let schema = client.schema(letter.kind.as_str()).await?.reference;
        let content = self.content(letter, body, schema).ok_or(crate::client::Doubt::Form("party"))?;
        let purpose = letter.purposes.first().copied().unwrap_or(Purpose::PlacementCoordination);
        let case = self.cases.get(letter.from).copied();
        let draft = match case {
            Some(case) => client.draft_later(&Later { kind: letter.kind, case, source: None, content })?,
            None => client.draft_opening(letter.kind, &content)?,
        };
        let message = client.sign(&draft)?;
        let answer = match case {
            Some(case) => client.submit_later(&case, &message, purpose).await?,
            None => client.submit(&message, purpose).await?,
        };
        Ok((message, answer))
    }

    fn content(&self, letter: Letter, body: &[(FieldKey, Value)], schema: SchemaRef) -> Option<Content> {
        let consent = self.consent.as_ref().filter(|_| !letter.kind.may_name_no_consent());
        Some(Content {
            aud: letter.to.parse().ok()?,
            body: body.to_vec(),
            consent: consent.map(|consent| (consent.sub().clone(), consent.reference())),
            purposes: letter.purposes.to_vec(),
            agreement: self.agreement.clone(),
            schema,
            basis: LegalBasis::WithinPurpose,
            basis_ref: None,
        })
    }

    /// The published example of a kind. It is of one day: what may not lie before the day of sending is moved to two weeks after it.
    fn example(&self, letter: Letter) -> Result<Vec<(FieldKey, Value)>, CliError> {
        let form = self.schemas.messages().find(|form| form.kind() == letter.kind).ok_or_else(|| wrong(&letter.kind))?;
        let text = EXAMPLES.iter().find(|(kind, _)| *kind == letter.kind).map(|(_, text)| *text).ok_or_else(|| wrong(&letter.kind))?;
        let mut example: Map<String, Value> = serde_json::from_str(text).map_err(|e| wrong(&e))?;
        if let Some((row, word)) = letter.decides {
            example.insert(row.to_owned(), json!(word));
        }
        let day = Value::String(Day::in_japan(self.client(letter.from)?.now().plus_secs(14 * 86_400)).to_string());
        let rows = form.rows().iter().filter_map(|row| {
            let value = example.remove(row.key.as_str())?;
            Some((row.key.clone(), if is_to_come(row) { day.clone() } else { value }))
        });
        Ok(rows.collect())
    }

    /// Everybody looks: what the gateway says of the case, how many messages it lists, and how many rows of this one it shows.
    pub(super) async fn everybody_looks(&mut self, sent: Option<Sent>) -> Result<(), CliError> {
        let lang = self.page.lang();
        let columns = [text::COL_PARTY, said::COL_STATE, said::COL_RELATION, said::COL_MESSAGES, said::COL_ROWS];
        let columns = columns.map(|line| line.say(lang, &[]));
        let mut table = Table::new(&columns.iter().map(String::as_str).zip([24, 11, 17, 8, 8]).collect::<Vec<_>>());
        let mut views = Vec::new();
        for party in CAST {
            let view = self.looks(party, sent).await?;
            let nothing = said::NOTHING.say(lang, &[]);
            let relation = |head: &CaseHead| match &head.acting_for {
                Some(_) => said::FOR.say(lang, &[&head.relation]),
                None => head.relation.to_string(),
            };
            let rows = |shown: usize| sent.map_or_else(|| nothing.clone(), |sent| format!("{shown} / {}", sent.rows));
            table.row(match &view.head {
                Some(head) => [
                    self.name(party, lang),
                    head.state.to_string(),
                    relation(head),
                    view.messages.to_string(),
                    view.rows.as_ref().map_or_else(|| nothing.clone(), |shown| rows(shown.len())),
                ],
                None => [self.name(party, lang), nothing.clone(), nothing.clone(), nothing.clone(), nothing.clone()],
            });
            views.push(json!({
                "party": party, "state": view.head.as_ref().map(|head| head.state), "relation": view.head.as_ref().map(|head| head.relation),
                "for": view.head.as_ref().and_then(|head| head.acting_for.clone()), "messages": view.messages, "shown": view.rows,
            }));
        }
        self.page.gap();
        self.page.table(&table);
        self.page.fact("views", views);
        Ok(())
    }

    async fn looks(&mut self, party: &'static str, sent: Option<Sent>) -> Result<View, CliError> {
        let purpose = self.first_purpose(party);
        let client = self.client(party)?;
        let page = client.list_cases(purpose, None, 0).await?;
        let Some(head) = page.cases.into_iter().next() else { return Ok(View { head: None, messages: 0, rows: None }) };
        let case = head.case;
        let listed = client.list_messages(&case, purpose, None).await?.messages;
        // Who works for none of its purposes is not shown it, and does not ask.
        let works = |sent: &Sent| sent.letter.purposes.iter().any(|purpose| self.purposes(party).contains(purpose));
        let rows = match sent.filter(|sent| works(sent) && listed.iter().any(|head| head.message == sent.jti)) {
            Some(sent) => Some(self.shown(party, &case, sent).await?),
            None => None,
        };
        self.cases.insert(party, case);
        Ok(View { messages: listed.len(), rows, head: (head.relation != Relation::None).then_some(head) })
    }

    /// The rows that a party is shown, for the first purpose of the message that it works for.
    pub(super) async fn shown(&self, party: &str, case: &CaseId, sent: Sent) -> Result<Vec<String>, CliError> {
        let reading = self.read(party, case, sent).await?;
        let reading = reading.map_err(CliError::from)?;
        let claims = &reading.release.claims;
        must(claims.jti == sent.jti, "another message was released", "別のメッセージが開示されました")?;
        let telling = claims.iss.kind().reveals_criminal_history() && id(party)?.kind().is_provider();
        must(!telling, "a provider was released what the centre signed", "センターが署名したものが事業所に開示されました")?;
        Ok(reading.release.disclosed.rows.iter().map(|row| row.key.to_string()).collect())
    }

    pub(super) async fn read(&self, party: &str, case: &CaseId, sent: Sent) -> Result<Result<Proven<Reading>, ClientError>, CliError> {
        let own = self.purposes(party);
        // What it works for itself comes before what others do: a home serves, and does not arrange.
        let purpose =
            sent.letter.purposes.iter().rev().copied().find(|purpose| own.contains(purpose)).unwrap_or(Purpose::PlacementCoordination);
        Ok(self.client(party)?.read_message(case, &sent.jti, purpose).await)
    }

    pub(super) fn case(&self, party: &str) -> Result<CaseId, CliError> {
        self.cases
            .get(party)
            .copied()
            .ok_or_else(|| CliError::unverified("a party does not find the case", "事案を見つけられない機関があります"))
    }

    fn purposes(&self, party: &str) -> &[Purpose] {
        self.directory.iter().find(|known| known.party.to_string() == party).map_or(&[], |known| known.purposes.as_slice())
    }

    fn first_purpose(&self, party: &str) -> Purpose {
        self.purposes(party).first().copied().unwrap_or(Purpose::PlacementCoordination)
    }
}

/// What a party is told.
struct View {
    head: Option<CaseHead>,
    messages: usize,
    /// Rows of the message in question; none where it is not there for the party.
    rows: Option<Vec<String>>,
}

/// What is published of the person whom the referral is about.
pub(super) fn of_the_person(row: &str) -> Option<String> {
    let text = EXAMPLES.iter().find(|(kind, _)| *kind == MessageKind::Referral).map(|(_, text)| *text)?;
    serde_json::from_str::<Map<String, Value>>(text).ok()?.get(row)?.as_str().map(str::to_owned)
}

pub(super) fn id(party: &str) -> Result<PartyId, CliError> {
    party.parse().map_err(|e| wrong(&e))
}

fn wrong(error: &dyn std::fmt::Display) -> CliError {
    CliError::usage(format!("this program is not whole: {error}"), format!("このプログラムは壊れています: {error}"))
}

/// The agreement of the sandbox for the whole work of a case.
const AGREEMENT: &str = "AG-13-0010";

macro_rules! examples {
    ($($kind:ident $file:literal,)+) => {
        /// The published examples of the kinds that are sent.
        const EXAMPLES: &[(MessageKind, &str)] =
            &[$((MessageKind::$kind, include_str!(concat!("../../../../schemas/examples/", $file, ".json"))),)+];
    };
}

examples! {
    Referral "referral",
    ReferralDecision "referral_decision",
    Supplement "supplement",
    Enquiry "enquiry",
    EnquiryReply "enquiry_reply",
    PlacementRequest "placement_request",
    PlacementDecision "placement_decision",
    PlanRequest "plan_request",
    ServiceHandoff "service_handoff",
    StatusNotice "status_notice",
    MeetingNotice "meeting_notice",
    HandoverProposal "handover_proposal",
    HandoverAgreed "handover_agreed",
    ConsultationRequest "consultation_request",
    ConsultationReply "consultation_reply",
    ClosingNotice "closing_notice",
}
