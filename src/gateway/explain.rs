//! `POST /v1/explain`: what would become of a message, told to its sender alone. The whole road of a submission is gone and nothing is kept of it
//! but the entry: no message id is used up, no consent is bound, no case is made.
//!
//! Holds catalogue keys, codes and the sentences of the policies, no values. Not here: what a message of another party would meet; who is not its
//! issuer is told so and nothing else.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, OnceLock},
};

use serde::Serialize;

use super::{
    Gateway,
    actor::Allowed,
    affair::{Affair, Place, Step},
    answer::LedgerProof,
    call::{Call, Caller},
    examine::Examined,
    failure::Failure,
    findings::Findings,
    record::{GATEWAY_KEY, MOST_RULES, grounded, recorded},
    reliance::Reliance,
    submit::{Received, Sent},
};
use crate::{
    decision::{self, Permitted, Viewing},
    domain::{
        case::Relation,
        codes::Purpose,
        digest::Digest,
        entry::{EntryType, Outcome},
        field::{FieldClass, FieldKey},
        ids::Jti,
        life::Standing,
        party::{PartyId, PartyState},
        refusal::{Refusal, RefusalCode, Violation},
        time::Timestamp,
    },
    ledger::{Draft, Ground},
    store::PartyRow,
    text::{self, Lang},
};

/// What would become of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// `accepted` or `refused`.
    pub outcome: &'static str,
    /// Whether it was accepted before: sent again, it gets its first answer again.
    pub repeated: bool,
    /// The message, where its signature stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Jti>,
    /// Everything that was found wrong, in the order in which a submission looks: a submission is told the first.
    pub refusals: Vec<Fault>,
    /// What an accepted message would be accepted with: rows that look wrong.
    pub warnings: Vec<Violation>,
    /// What each reader would be shown, if nothing stood against the message. Empty where that cannot be known.
    pub readers: Vec<ReaderView>,
    /// The rules named above, in words.
    pub rules: BTreeMap<String, Rule>,
    /// The policy set that was asked.
    pub policy: PolicyName,
}

/// A refusal in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Code of the problem document.
    pub code: RefusalCode,
    /// Its status.
    pub status: u16,
    /// What is wrong.
    pub title: Words,
    /// What to do next.
    pub detail: Words,
    /// Rows or claims at fault.
    pub violations: Vec<Violation>,
}

/// A text in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Words {
    /// Japanese.
    pub ja: String,
    /// English.
    pub en: String,
}

/// Who could read a message.
struct Reader {
    row: Arc<PartyRow>,
    as_what: Role,
}

/// In which role somebody reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Recipient,
    /// Acts for the recipient.
    Delegate,
    Sender,
}

impl Role {
    /// How the case's history would have it: a delegate reads in the recipient's place.
    const fn relation(self, step: &Step) -> Relation {
        match self {
            Self::Recipient | Self::Delegate => step.reader,
            Self::Sender => step.sender,
        }
    }
}

/// What one reader would be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReaderView {
    /// Reader.
    pub reader: PartyId,
    /// For whom it would read, under a delegation.
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<PartyId>,
    /// How it would stand to the case.
    pub relation: Relation,
    /// One view for each purpose the message is sent for.
    pub purposes: Vec<PurposeView>,
}

/// What a reader would be shown for one purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PurposeView {
    /// Purpose of the read.
    pub purpose: Purpose,
    /// Why the read would be refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Fault>,
    /// Whether the consent's pseudonym and reference would be shown.
    pub consent_detail: bool,
    /// Rows that would be shown, with the policies that permit them. The sender sees what it wrote; no policy is asked.
    pub shown: Vec<RowView>,
    /// Rows that would be withheld, with what withholds them.
    pub withheld: Vec<RowView>,
}

/// A row and the rules that decide about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RowView {
    /// Catalogue key.
    pub field: FieldKey,
    /// Class.
    pub class: FieldClass,
    /// Ids, explained under `rules`.
    pub rules: Vec<String>,
}

/// A rule in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// What it says, in Japanese.
    pub ja: String,
    /// The same in English.
    pub en: String,
    /// The article or guideline it rests on.
    pub basis: String,
}

/// Which policy set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PolicyName {
    /// Digest of the set.
    pub sha256: Digest,
}

/// An explanation with the entry that it left.
#[derive(Debug, Clone, Serialize)]
pub struct Explained {
    /// The explanation.
    #[serde(flatten)]
    pub explanation: Explanation,
    /// The entry, in a tree that a signed checkpoint covers.
    pub ledger: LedgerProof,
}

impl Gateway {
    /// Explains a message to its sender.
    ///
    /// # Errors
    /// What is wrong with the call. What is wrong with the message is the answer.
    pub async fn explain(&self, caller: &Caller, call: &Call, body: &[u8]) -> Result<Explained, Failure> {
        self.may_send(caller).await?;
        let acting = self.actor(caller, call, Allowed::OfTheUnit).await?;
        call.note(|t| t.request = call.body);
        let received = match self.receive(caller, call, &acting, body).await {
            Ok(received) => Ok(received),
            Err(Failure::Refused(refusal)) => Err(refusal),
            Err(failure) => return Err(failure),
        };
        let (received, purpose) = (&received, acting.purpose);
        let decide = |epoch| async move {
            self.may_send(caller).await?;
            let (explanation, refusals, until) = match received {
                Ok(received) => self.explain_message(caller, call, received, purpose, epoch).await?,
                Err(refusal) => (self.told(None, false, std::slice::from_ref(refusal)), vec![refusal.clone()], caller.not_after),
            };
            let draft = self.explanation_draft(caller, call, (&refusals, until), epoch).await?;
            Ok((draft, explanation))
        };
        let (answer, explanation) = self.commit(caller, call, decide).await?;
        Ok(Explained { explanation, ledger: self.proof(&recorded(answer)?)?.proof })
    }

    /// The explanation, what refuses the message, and until when what would permit it does.
    async fn explain_message(
        &self,
        caller: &Caller,
        call: &Call,
        received: &Received,
        purpose: Purpose,
        epoch: u64,
    ) -> Result<(Explanation, Vec<Refusal>, Timestamp), Failure> {
        let Received { message, sd_jwt, identity, ends } = received;
        call.note(|t| (t.request, t.shred) = (Some(identity.digest), None));
        let mut findings = Findings::all();
        let before = self.store.once(identity.kind, caller.party(), &identity.jti).await?;
        let known = before.as_ref().is_some_and(|before| before.digest == identity.digest);
        if before.is_some() && !known {
            findings.check(Err::<(), _>(RefusalCode::ReplayConflict))?;
        }
        let told = OnceLock::new();
        let sent = Sent { caller, call, message, sd_jwt, purpose, ends: *ends, known, told: &told };
        let Some(affair) = findings.check(self.affair_of(sent, epoch).await)? else {
            let refusals = findings.into_refusals();
            return Ok((self.told(Some(identity.jti), known, &refusals), refusals, *ends));
        };
        let place = affair.as_ref().map_or(Place::Opens, Place::Within);
        let examined = self.examine(sent, place, epoch, &mut findings).await?;
        if let (Some(Reliance(Some(consent))), None) = (&examined.reliance, &affair) {
            // Erased with the person, like everything else that names the consent; what is about a case, with the case.
            let shred = consent.row.sealed.key;
            call.note(|t| t.shred = Some(shred));
        }
        // What was accepted keeps its first answer, whatever happened since.
        let refusals = if known { Vec::new() } else { findings.into_refusals() };
        let mut explanation = self.told(Some(identity.jti), known, &refusals);
        for reader in self.readers(sent, &examined, epoch).await? {
            explanation.readers.extend(self.reader_view(sent, &examined, &reader, &mut explanation.rules));
        }
        let until = examined.permitted.as_ref().map_or(*ends, Permitted::valid_until);
        explanation.warnings = told.into_inner().unwrap_or_default();
        Ok((explanation, refusals, until))
    }

    /// That the policies let the caller send anything at all.
    async fn may_send(&self, caller: &Caller) -> Result<(), Failure> {
        self.may_open_or_send(caller, Standing::opens, |_| true).await
    }

    /// The case that a message says it belongs to; none for one that opens its own.
    async fn affair_of(&self, sent: Sent<'_>, epoch: u64) -> Result<Option<Affair>, Failure> {
        // What is wrong with the disclosures is found on the road.
        let Some(case) = sent.message.disclose().ok().and_then(|disclosed| disclosed.hidden.case) else { return Ok(None) };
        self.affair(sent.caller, sent.call, epoch, &case, &sent.message.claims().aud).await.map(Some)
    }

    /// The explanation without readers.
    fn told(&self, message: Option<Jti>, repeated: bool, refusals: &[Refusal]) -> Explanation {
        let mut rules = BTreeMap::new();
        self.name(refusals.iter().flat_map(|refusal| &refusal.rules), &mut rules);
        self.name(refusals.iter().flat_map(|refusal| &refusal.violations).map(|violation| &violation.rule), &mut rules);
        Explanation {
            outcome: if refusals.is_empty() { "accepted" } else { "refused" },
            repeated,
            message,
            refusals: refusals.iter().map(Fault::of).collect(),
            warnings: Vec::new(),
            readers: Vec::new(),
            rules,
            policy: PolicyName { sha256: self.policy.digest() },
        }
    }

    /// Everybody who could read the message: its recipient, those who act for it, its sender.
    async fn readers(&self, sent: Sent<'_>, examined: &Examined<'_>, epoch: u64) -> Result<Vec<Reader>, Failure> {
        let (Some(recipient), claims) = (&examined.recipient, sent.message.claims()) else { return Ok(Vec::new()) };
        if recipient.state != PartyState::Active || claims.aud == claims.iss {
            return Ok(Vec::new());
        }
        let mut readers = vec![Reader { row: Arc::clone(recipient), as_what: Role::Recipient }];
        if let Some(agreement) = &examined.agreement {
            let now = self.clock.now();
            let mut delegates: Vec<&PartyId> = agreement.record.agreement.delegations.iter().map(|delegation| &delegation.to).collect();
            delegates.sort_unstable();
            delegates.dedup();
            delegates.retain(|to| **to != claims.iss && agreement.record.delegated_until(&claims.aud, to, now).is_some());
            for delegate in delegates {
                let row = self.party_in(epoch, delegate).await?.filter(|row| row.state == PartyState::Active);
                readers.extend(row.map(|row| Reader { row, as_what: Role::Delegate }));
            }
        }
        readers.push(Reader { row: Arc::clone(&sent.caller.row), as_what: Role::Sender });
        Ok(readers)
    }

    /// What a reader would be shown for each purpose of the message; none where that is not known.
    fn reader_view(
        &self,
        sent: Sent<'_>,
        examined: &Examined<'_>,
        reader: &Reader,
        rules: &mut BTreeMap<String, Rule>,
    ) -> Option<ReaderView> {
        let claims = sent.message.claims();
        let purposes: Option<Vec<PurposeView>> =
            claims.pur.iter().map(|purpose| self.purpose_view(sent, examined, reader, *purpose, rules)).collect();
        Some(ReaderView {
            reader: reader.row.registration.party.clone(),
            on_behalf_of: (reader.as_what == Role::Delegate).then(|| claims.aud.clone()),
            relation: reader.as_what.relation(examined.step.as_ref()?),
            purposes: purposes?,
        })
    }

    fn purpose_view(
        &self,
        sent: Sent<'_>,
        examined: &Examined<'_>,
        reader: &Reader,
        purpose: Purpose,
        rules: &mut BTreeMap<String, Rule>,
    ) -> Option<PurposeView> {
        let question =
            examined.question(sent, &self.policy, reader.as_what.relation(examined.step.as_ref()?), sent.ends, self.clock.now())?;
        let viewing = Viewing { purpose, message: &sent.message.claims().pur };
        let decided = match reader.as_what {
            _ if !reader.row.registration.works_for(purpose) => Err(Refusal::claim(RefusalCode::PurposeNotAllowed, "pur", "unit")),
            Role::Sender => decision::decide_own_read(&question, &viewing),
            Role::Recipient => decision::decide_read(&question, &viewing),
            Role::Delegate => decision::decide_delegated_read(&question, &viewing, reader.row.registration.party.kind()),
        };
        let mut seen = PurposeView { purpose, refusal: None, consent_detail: false, shown: Vec::new(), withheld: Vec::new() };
        let view = match decided {
            Ok(view) => view,
            Err(refusal) => {
                seen.refusal = Some(Fault::of(&refusal));
                return Some(seen);
            }
        };
        seen.consent_detail = view.consent_detail();
        let hidden: HashMap<&FieldKey, &[String]> = view.hidden().iter().map(|row| (&row.key, row.rules.as_slice())).collect();
        for row in decision::explain(&question, purpose).rows {
            let (list, ids) = match hidden.get(&row.field) {
                Some(ids) => (&mut seen.withheld, ids.to_vec()),
                None if reader.as_what == Role::Sender => (&mut seen.shown, Vec::new()),
                None => (&mut seen.shown, row.reasons.permitted_by.into_iter().map(|reason| reason.rule).collect()),
            };
            self.name(&ids, rules);
            list.push(RowView { field: row.field, class: row.reasons.class, rules: ids });
        }
        Some(seen)
    }

    /// Puts rules into words, each once.
    fn name<'a>(&self, ids: impl IntoIterator<Item = &'a String>, rules: &mut BTreeMap<String, Rule>) {
        for rule in ids {
            if let (Some(ja), Some(en)) = (self.policy.title(rule, Lang::Ja), self.policy.title(rule, Lang::En)) {
                let basis = self.policy.basis(rule).unwrap_or_default();
                rules.entry(rule.clone()).or_insert_with(|| Rule { ja: ja.to_owned(), en: en.to_owned(), basis: basis.to_owned() });
            }
        }
    }

    /// The entry: of type `explain` whatever was found, with the code that a submission would be told.
    async fn explanation_draft(
        &self,
        caller: &Caller,
        call: &Call,
        (refusals, until): (&[Refusal], Timestamp),
        epoch: u64,
    ) -> Result<Draft, Failure> {
        let trail = call.trail();
        let reason = refusals.first().map(|refusal| refusal.code.as_str());
        let outcome = if reason.is_none() { Outcome::Permit } else { Outcome::Deny };
        let mut entry = self.entry(Some(caller), &trail, EntryType::Explain, outcome, reason)?;
        if !refusals.is_empty() {
            let rules: BTreeSet<&String> = refusals.iter().flat_map(|refusal| &refusal.rules).collect();
            entry.rules = rules.into_iter().take(MOST_RULES).cloned().collect();
        }
        let violations = refusals.iter().flat_map(|refusal| &refusal.violations).map(|v| format!("{}:{}", v.field, v.rule)).collect();
        let mut draft = self.draft(entry, &trail, violations, trail.shred.unwrap_or(GATEWAY_KEY), None).await?;
        let ground = Ground { rights_epoch: epoch, valid_until: until, case: None, consent: None };
        draft.ground = Some(grounded(caller, &trail, ground));
        Ok(draft)
    }
}

impl Fault {
    fn of(refusal: &Refusal) -> Self {
        let (code, text) = (refusal.code, text::refusal(refusal.code));
        Self {
            code,
            status: code.status(),
            title: Words { ja: text.title(Lang::Ja).to_owned(), en: text.title(Lang::En).to_owned() },
            detail: Words { ja: text.detail(Lang::Ja).to_owned(), en: text.detail(Lang::En).to_owned() },
            violations: refusal.violations.clone(),
        }
    }
}
