//! What a party is told of its cases beside their state: what it has to answer and until when, what it waits for, what nobody collected, what a withdrawal
//! took, and whom it still has to tell.
//!
//! Promises: everything follows from what is stored and from the present moment; there is no background state. A party is told of messages that it sent or
//! got itself, or that the one did in whose place it is, and of nobody else's. Nothing is opened but consents of which something was taken.
//! Not here: the contents of messages, and rights: what is told here is no release.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{
    Gateway,
    failure::Failure,
    fates::{Fates, Loss},
};
use crate::{
    domain::{
        case::{CaseState, Relation},
        codes::MessageKind,
        consent::{ErasureDue, Taking},
        day::Day,
        ids::{CaseKey, Jti},
        life::{Sent, needs_reply, unanswered},
        party::PartyId,
        tasks::{CaseTasks, Holder, Quarantined, Question, TakenBack, ToCorrect, Uncollected},
        time::Timestamp,
    },
    store::Passage,
};

/// What several cases hold, read for one list.
pub(super) struct Outlook {
    cases: HashMap<CaseKey, Matter>,
    fates: Fates,
    now: Timestamp,
    days: u32,
}

#[derive(Default)]
struct Matter {
    parties: BTreeMap<PartyId, Relation>,
    passages: Vec<Passage>,
}

/// Whose view it is: a party, and the one in whose place it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Viewer<'a> {
    pub party: &'a PartyId,
    pub seat: &'a PartyId,
}

impl Viewer<'_> {
    fn is(&self, party: &PartyId) -> bool {
        party == self.party || party == self.seat
    }
}

impl Gateway {
    /// Reads what the views of these cases rest on: three statements, however many there are, and what was taken from consents.
    pub(super) async fn outlook(&self, cases: &[CaseKey]) -> Result<Outlook, Failure> {
        let mut found: HashMap<CaseKey, Matter> = HashMap::new();
        for (case, party, relation) in self.store.relations(cases).await? {
            found.entry(case).or_default().parties.insert(party, relation);
        }
        for passage in self.store.passages(cases).await? {
            found.entry(passage.head.case).or_default().passages.push(passage);
        }
        let named = found.values().flat_map(|matter| matter.passages.iter().filter_map(|passage| passage.term.consent));
        let fates = self.fates(named.collect::<Vec<_>>()).await?;
        Ok(Outlook { cases: found, fates, now: self.clock.now(), days: self.uncollected_days })
    }
}

impl Outlook {
    /// What a party is told of a case in this state.
    pub(super) fn view(&self, case: &CaseKey, state: CaseState, viewer: Viewer<'_>) -> CaseTasks {
        let Some(matter) = self.cases.get(case) else { return CaseTasks::default() };
        let mut view = CaseTasks::default();
        for passage in matter.unanswered(state) {
            let closed = passage.term.consent.is_some_and(|named| self.fates.closes(&named, &passage.head.aud, self.now));
            if closed {
                // What cannot be read cannot be answered.
                continue;
            }
            if viewer.is(passage.recipient()) {
                view.due.push(self.question(passage, None));
            } else if viewer.is(passage.sender()) && !self.left_out(passage) {
                view.asked.push(self.question(passage, Some(passage.recipient())));
            }
        }
        view.reply_by = view.due.iter().filter_map(|question| question.reply_by).min();
        view.overdue = view.reply_by.map(|by| Day::in_japan(self.now) > by);
        for passage in matter.passages.iter().filter(|passage| viewer.is(passage.sender())) {
            self.tell_sender(matter, passage, &mut view);
        }
        view.unreported.sort_by(|one, other| one.party.cmp(&other.party));
        view.unreported.dedup_by(|one, other| one.party == other.party);
        view.consent = self.taken(matter, viewer);
        view.correct = matter.to_correct(viewer);
        view
    }

    /// The messages of a case.
    pub(super) fn passages(&self, case: &CaseKey) -> &[Passage] {
        self.cases.get(case).map_or(&[], |matter| &matter.passages)
    }

    /// The party from which something was taken since it collected this message, if it was.
    pub(super) fn lost(&self, passage: &Passage) -> Option<Loss> {
        let (pulled, _) = passage.pulled?;
        let named = passage.term.consent?;
        self.fates.losses(&named, &passage.head.aud).into_iter().rfind(|loss| loss.idx > pulled)
    }

    /// When the party in whose hands a message is said what became of it, behind an entry.
    pub(super) fn reported(&self, case: &CaseKey, holder: &PartyId, behind: u64) -> Option<Timestamp> {
        self.cases.get(case)?.reported(holder, behind)
    }

    /// How a party stands to a case.
    pub(super) fn relation(&self, case: &CaseKey, party: &PartyId) -> Relation {
        self.cases.get(case).map_or(Relation::None, |matter| matter.relation(party))
    }

    /// Whether a later consent left the sender of a message out, or nothing was left for it: what becomes of that consent is not told to it any more.
    pub(super) fn left_out(&self, passage: &Passage) -> bool {
        passage.term.consent.is_some_and(|named| self.fates.leaves_out(&named, passage.sender()))
    }

    /// The consent that stands in the place of this one.
    pub(super) fn in_place(&self, named: &Jti) -> Option<Jti> {
        self.fates.in_place(named)
    }

    /// When a message was quarantined: it was taken from its recipient before that collected it, and nothing of it can be read any more.
    pub(super) fn quarantined(&self, passage: &Passage) -> Option<Timestamp> {
        let named = passage.term.consent.filter(|_| passage.pulled.is_none() && !self.left_out(passage))?;
        let taken = self.fates.losses(&named, &passage.head.aud).into_iter().rfind(|loss| loss.idx > passage.head.idx)?;
        self.fates.closes(&named, &passage.head.aud, self.now).then_some(taken.at)
    }

    /// From which day on a message that nobody collected is late, if it is.
    pub(super) fn uncollected(&self, passage: &Passage) -> Option<Day> {
        if passage.pulled.is_some() || self.quarantined(passage).is_some() {
            return None;
        }
        let since = late_from(passage, self.days);
        (Day::in_japan(self.now) >= since).then_some(since)
    }

    fn question(&self, passage: &Passage, to: Option<&PartyId>) -> Question {
        let reply_by = passage.term.reply_by;
        Question {
            message: passage.head.jti,
            kind: passage.head.kind,
            to: to.cloned(),
            reply_by,
            overdue: reply_by.is_some_and(|by| Day::in_japan(self.now) > by),
        }
    }

    fn tell_sender(&self, matter: &Matter, passage: &Passage, view: &mut CaseTasks) {
        let head = &passage.head;
        if let Some(since) = self.quarantined(passage) {
            view.quarantined.push(Quarantined { message: head.jti, kind: head.kind, to: passage.recipient().clone(), since });
        }
        if let Some(since) = self.uncollected(passage) {
            view.uncollected.push(Uncollected {
                message: head.jti,
                kind: head.kind,
                to: passage.recipient().clone(),
                index: head.idx,
                since,
            });
        }
        if let Some(loss) = self.lost(passage)
            && !self.left_out(passage)
            && matter.reported(passage.recipient(), loss.idx).is_none()
        {
            view.unreported.push(Holder { party: passage.recipient().clone(), since: loss.at });
        }
    }

    /// What was last taken from the viewer, and whether it has said what became of what it holds.
    fn taken(&self, matter: &Matter, viewer: Viewer<'_>) -> Option<TakenBack> {
        let (mut last, mut due, mut held): (Option<Loss>, bool, bool) = (None, false, false);
        for passage in matter.passages.iter().filter(|passage| viewer.is(passage.recipient())) {
            let Some(named) = passage.term.consent else { continue };
            let behind = |loss: &Loss| loss.idx > passage.head.idx;
            last = last.max(self.fates.losses(&named, &passage.head.aud).into_iter().rfind(behind));
            if let Some(loss) = self.lost(passage) {
                held = true;
                due |= matter.reported(passage.recipient(), loss.idx).is_none();
            }
        }
        let last = last?;
        let report = held.then_some(if due { ErasureDue::Due } else { ErasureDue::Done });
        Some(TakenBack { state: if last.whole { Taking::Ended } else { Taking::Narrowed }, since: last.at, report })
    }
}

impl Matter {
    fn relation(&self, party: &PartyId) -> Relation {
        self.parties.get(party).copied().unwrap_or(Relation::None)
    }

    fn unanswered(&self, state: CaseState) -> Vec<&Passage> {
        if !self.passages.iter().any(|passage| needs_reply(passage.head.kind)) {
            return Vec::new();
        }
        let sent = |passage: &Passage| Sent { kind: passage.head.kind, from: passage.sender().clone(), to: passage.recipient().clone() };
        let sent: Vec<Sent> = self.passages.iter().map(sent).collect();
        let acknowledged = |place: usize| self.passages.get(place).is_some_and(|passage| passage.acknowledged);
        let waiting = unanswered(state, &self.parties, &sent, acknowledged);
        waiting.into_iter().filter_map(|place| self.passages.get(place)).collect()
    }

    /// When a holder, or somebody in its place, reported behind an entry.
    fn reported(&self, holder: &PartyId, behind: u64) -> Option<Timestamp> {
        let reports = self.passages.iter().filter(|p| p.head.kind == MessageKind::ErasureReport && p.head.idx > behind);
        let mut from_it = reports.filter(|p| p.sender() == holder);
        from_it.next().map(|p| p.head.received)
    }

    /// What the viewer sent and has to correct, because a correction that it sent or got makes it wrong (Act art. 65): what else it told of the same kind or
    /// from the same source, and what it passed on. Only what was collected is wrong anywhere, and only a party that stands in the case can be told.
    fn to_correct(&self, viewer: Viewer<'_>) -> Vec<ToCorrect> {
        let by_id: HashMap<Jti, &Passage> = self.passages.iter().map(|passage| (passage.head.jti, passage)).collect();
        let corrections = self.passages.iter().filter_map(|p| Some((p, *by_id.get(&p.term.corrects?)?)));
        let corrections: Vec<_> =
            corrections.filter(|(correction, _)| viewer.is(correction.sender()) || viewer.is(correction.recipient())).collect();
        if corrections.is_empty() {
            return Vec::new();
        }
        let told: HashSet<Jti> = corrections.iter().filter(|(c, _)| viewer.is(c.sender())).map(|(_, original)| original.head.jti).collect();
        let mut found = Vec::new();
        let collected = |other: &&Passage| viewer.is(other.sender()) && other.pulled.is_some() && !told.contains(&other.head.jti);
        for other in self.passages.iter().filter(collected).filter(|other| self.relation(other.recipient()) != Relation::Closed) {
            let because = corrections.iter().find(|(correction, original)| {
                let source = other.term.source;
                let passed_on = source == Some(original.head.jti);
                let alike = other.head.kind == original.head.kind || (source.is_some() && source == original.term.source);
                let own = viewer.is(correction.sender());
                let wrong = if own { other.recipient() != correction.recipient() && (alike || passed_on) } else { passed_on };
                wrong && other.head.idx < correction.head.idx
            });
            found.extend(because.map(|(_, original)| ToCorrect {
                message: other.head.jti,
                to: other.recipient().clone(),
                because: original.head.jti,
            }));
        }
        found
    }
}

/// From which day on a message that nobody collected is late: behind the day by which its reply was wished, and after so many days in any case.
fn late_from(passage: &Passage, days: u32) -> Day {
    let waited = Day::in_japan(passage.head.received.plus_secs(i64::from(days) * DAY_SECS));
    passage.term.reply_by.map_or(waited, |by| by.next().min(waited))
}

const DAY_SECS: i64 = 86_400;
