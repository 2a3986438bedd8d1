//! A case as one of its parties stands in it: what a later message rests on.

use super::{
    Gateway,
    call::{Call, Caller},
    certify::Vouched,
    delegates::{Delegated, standing},
    failure::Failure,
    submit::Sent,
    terms::corrected,
};
use crate::{
    domain::{
        case::Relation,
        codes::MessageKind,
        ids::{CaseId, CaseKey, Jti},
        life::{Act, Change, Outcome, Sent as Passed, Standing, needs_reply, reads_as, unanswered},
        party::PartyId,
        refusal::{Refusal, RefusalCode, Violation},
        time::Timestamp,
    },
    message::{disclosed::Disclosed, submission::Claims},
    policy::Deed,
    store::{CaseRow, DataKeyId, Passage},
};

/// Where a message belongs.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    /// It opens a case.
    Opens,
    /// It comes into this one.
    Within(&'a Affair),
}

impl Place<'_> {
    /// The case it comes into.
    pub(super) const fn case(self) -> Option<CaseKey> {
        match self {
            Self::Opens => None,
            Self::Within(affair) => Some(affair.row.case),
        }
    }
}

/// A case that is there.
pub(super) struct Affair {
    /// As the sender knows it.
    pub row: CaseRow,
    /// As everybody in it does.
    pub parties: Vec<CaseRow>,
    pub standing: Standing,
    /// What was sent in it, in the order of the standing.
    pub passages: Vec<Passage>,
    /// The earliest end of the delegations that it rests on.
    pub until: Option<Timestamp>,
    pub key: DataKeyId,
}

/// What a message makes of a case, and as what its reader and its sender see it.
pub(super) struct Step {
    pub change: Change,
    pub reader: Relation,
    pub sender: Relation,
    /// What the gateway vouches for in it.
    pub vouched: Option<Vouched>,
}

impl Affair {
    /// Whether one, or in whose place it is, sent this message to the other.
    fn was_told(&self, from: &PartyId, to: &PartyId, message: Option<Jti>) -> bool {
        let seats = (self.standing.seat(from), self.standing.seat(to));
        let passed = self.passages.iter().find(|passage| Some(passage.head.jti) == message);
        passed.is_some_and(|passage| (passage.sender(), passage.recipient()) == seats)
    }

    /// How many questions of this sender wait for their reply.
    fn open_questions(&self, from: &PartyId) -> usize {
        let life = &self.standing;
        let acknowledged = |place: usize| self.passages.get(place).is_some_and(|passage| passage.acknowledged);
        let waiting = unanswered(life.state, &life.parties, &life.sent, acknowledged).into_iter();
        waiting.filter(|place| life.sent.get(*place).is_some_and(|sent| sent.from == *life.seat(from))).count()
    }
}

impl Step {
    /// What opens a case makes all of it.
    pub(super) fn opening(opened: &Standing, claims: &Claims) -> Self {
        Self { change: Change::default(), reader: opened.relation(&claims.aud), sender: opened.relation(&claims.iss), vouched: None }
    }
}

impl Gateway {
    /// The case as the caller, or the one it acts for, stands to it; not found for everybody else.
    pub(super) async fn place_in(&self, caller: &Caller, epoch: u64, id: &CaseId) -> Result<(CaseRow, Option<Delegated>), Failure> {
        let row = self.store.case(caller.party(), id).await?.ok_or(RefusalCode::NotFound)?;
        if row.relation != Relation::None {
            return Ok((row, None));
        }
        let (_, delegation) = self.delegated_case(caller.party(), epoch, row.clone()).await?.ok_or(RefusalCode::NotFound)?;
        Ok((row, Some(delegation)))
    }

    /// A case for a message to `aud`; notes what it is about. What is read after the revision can only be newer: then the entry is handed back.
    pub(super) async fn affair(&self, caller: &Caller, call: &Call, epoch: u64, id: &CaseId, aud: &PartyId) -> Result<Affair, Failure> {
        let (row, delegation) = self.place_in(caller, epoch, id).await?;
        standing(&row)?;
        let parties = self.store.case_parties(&row.case).await?;
        let passages = self.store.passages(&[row.case]).await?;
        let key = self.store.case_key(&row.case).await?.ok_or(Failure::Corrupt("case"))?;
        let mut life = Standing {
            state: row.state,
            opened_by: passages.first().ok_or(Failure::Corrupt("case"))?.head.kind,
            parties: parties.iter().map(|row| (row.party.clone(), row.relation)).collect(),
            delegates: delegation.iter().map(|delegation| (caller.party().clone(), delegation.by.clone())).collect(),
            sent: passages
                .iter()
                .map(|passage| Passed { kind: passage.head.kind, from: passage.sender().clone(), to: passage.recipient().clone() })
                .collect(),
        };
        let mut until = delegation.as_ref().map(|delegation| delegation.until);
        let known_to = parties.iter().find(|row| row.party == *aud && row.relation == Relation::None);
        if let Some(known_to) = known_to
            && let Some((_, theirs)) = self.delegated_case(aud, epoch, known_to.clone()).await?
        {
            until = Some(until.map_or(theirs.until, |until| until.min(theirs.until)));
            life.delegates.insert(aud.clone(), theirs.by);
        }
        call.note(|t| (t.case, t.shred) = (Some(row.case), Some(key)));
        call.note(|t| t.acting_for = delegation.map(|delegation| delegation.by));
        Ok(Affair { row, parties, standing: life, passages, until, key })
    }

    /// Whether a refused step means that nothing is possible between the two: as far as the sender knows, the other has no part in the case.
    pub(super) fn nothing_between(refused: &Refusal) -> bool {
        refused.code == RefusalCode::StateConflict && refused.violations.iter().any(|violation| violation.rule == NOTHING_POSSIBLE)
    }

    /// What the message makes of its case.
    pub(super) fn step(&self, sent: Sent<'_>, affair: &Affair, disclosed: &Disclosed) -> Result<Step, Refusal> {
        let claims = sent.message.claims();
        if disclosed.hidden.case != Some(affair.row.id) {
            return Err(Refusal::claim(RefusalCode::StateConflict, "case", "another_case"));
        }
        let act = Act { kind: claims.kind, from: sent.caller.party(), to: &claims.aud, outcome: outcome(claims.kind, disclosed) };
        let life = &affair.standing;
        let change = life.step(&act).map_err(|illegal| {
            let passes = |kind| self.policy.may(sent.caller.kind(), Deed::Submit { kind, recipient: claims.aud.kind() }).allow;
            let has_form = |kind| self.schemas.messages().any(|schema| schema.kind() == kind);
            let possible = illegal.possible.into_iter().filter(|kind| passes(*kind) && has_form(*kind));
            let mut violations: Vec<_> = possible.map(|kind| Violation::of_claim("kind", kind.as_str())).collect();
            if violations.is_empty() {
                violations.push(Violation::of_claim("kind", NOTHING_POSSIBLE));
            }
            Refusal { code: RefusalCode::StateConflict, violations, rules: Vec::new() }
        })?;
        if needs_reply(claims.kind) && affair.open_questions(sent.caller.party()) >= MOST_QUESTIONS {
            return Err(Refusal::claim(RefusalCode::LimitExceeded, "kind", "open_questions"));
        }
        if claims.kind == MessageKind::Correction && !affair.was_told(sent.caller.party(), &claims.aud, corrected(disclosed)) {
            return Err(Refusal::claim(RefusalCode::StateConflict, "corrects", "not_sent_to_recipient"));
        }
        let state = change.state.unwrap_or(life.state);
        let seen_by = |party: &PartyId| {
            let behind = change.relation(life, party);
            // The word that ends the recipient's part says so in a row that it loses with it: whether it is too much is judged by how it stood.
            let ended = claims.kind == MessageKind::StatusNotice && behind == Relation::Closed;
            reads_as(state, party.kind(), if ended { life.relation(party) } else { behind }, claims.kind)
        };
        Ok(Step { reader: seen_by(&claims.aud), sender: seen_by(sent.caller.party()), change, vouched: None })
    }
}

/// What a deciding message says.
pub(super) fn outcome(kind: MessageKind, disclosed: &Disclosed) -> Option<Outcome> {
    Outcome::row(kind).and_then(|name| disclosed.row(name)?.as_str()).and_then(|code| Outcome::read(kind, code))
}

/// What stands in the place of the possible kinds where there are none.
const NOTHING_POSSIBLE: &str = "nothing_possible";
/// Questions of one party in one case that may wait at the same time: more than a case has parties, and few enough for every list.
const MOST_QUESTIONS: usize = 64;
