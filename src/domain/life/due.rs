//! What waits for an answer (`domain.md` section 4, pattern R): which messages need a reply, and which of those sent have none yet.
//!
//! Promises: pure; who acts for another stands in the list as that one; whether a day is past is for the caller to say. Not here: the day itself, which the sender writes into the message.

use std::collections::BTreeMap;

use super::Sent;
use crate::domain::{
    case::{CaseState, Relation},
    codes::MessageKind,
    party::PartyId,
};

/// What answers a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// A message of this kind decides every such question before it.
    Decides(MessageKind),
    /// A message of this kind answers one question, the oldest.
    Answers(MessageKind),
    /// No kind does: the acknowledgement of its reader.
    Acknowledgement,
}

const fn answer(kind: MessageKind) -> Option<Answer> {
    Some(match kind {
        MessageKind::Referral | MessageKind::ThirdPartyReferral => Answer::Decides(MessageKind::ReferralDecision),
        MessageKind::Enquiry => Answer::Decides(MessageKind::EnquiryReply),
        MessageKind::PlacementRequest => Answer::Decides(MessageKind::PlacementDecision),
        MessageKind::PlanRequest => Answer::Decides(MessageKind::PlanNotice),
        MessageKind::HandoverProposal => Answer::Decides(MessageKind::HandoverAgreed),
        MessageKind::ConsultationRequest | MessageKind::ProviderConsultation => Answer::Answers(MessageKind::ConsultationReply),
        MessageKind::MunicipalAdviceRequest => Answer::Answers(MessageKind::MunicipalAdviceReply),
        MessageKind::ErasureRequest => Answer::Answers(MessageKind::ErasureReport),
        MessageKind::MeetingNotice | MessageKind::CenterTransfer => Answer::Acknowledgement,
        _ => return None,
    })
}

/// Whether a message of this kind needs a reply.
#[must_use]
pub const fn needs_reply(kind: MessageKind) -> bool {
    answer(kind).is_some()
}

/// The message that ended a case, by its place among the kinds that were sent in it: the notice that closed it, the word with which its origin took it
/// back, or the last decision, which declined it. None while it is not over.
#[must_use]
pub fn ended_by(state: CaseState, kinds: &[MessageKind]) -> Option<usize> {
    let first = |kind| kinds.iter().position(|sent| *sent == kind);
    let last = |kind| kinds.iter().rposition(|sent| *sent == kind);
    match state {
        // Whatever closes a case first is behind the last status that was told in it: nothing of that kind passes any more.
        CaseState::Closed => first(MessageKind::ClosingNotice).or_else(|| last(MessageKind::StatusNotice)),
        CaseState::Declined => last(MessageKind::ReferralDecision),
        CaseState::Open | CaseState::Accepted | CaseState::HandedOver => None,
    }
}

/// Those of the messages of a case that wait for a reply, by their place in the list; which of them their readers acknowledged is asked for. What came
/// to nothing waits no more: the question of a body that left the case or to one, and in a case that is over everything but the request to erase.
#[must_use]
pub fn unanswered(
    state: CaseState,
    parties: &BTreeMap<PartyId, Relation>,
    sent: &[Sent],
    acknowledged: impl Fn(usize) -> bool,
) -> Vec<usize> {
    let relation = |party: &PartyId| parties.get(party).copied().unwrap_or(Relation::None);
    let over = matches!(state, CaseState::Declined | CaseState::Closed);
    let mut waiting: Vec<usize> = Vec::new();
    for (place, message) in sent.iter().enumerate() {
        let answers = |earlier: &usize, by: fn(MessageKind) -> Answer| {
            sent.get(*earlier)
                .is_some_and(|asked| answer(asked.kind) == Some(by(message.kind)) && asked.from == message.to && asked.to == message.from)
        };
        waiting.retain(|earlier| !answers(earlier, Answer::Decides));
        if let Some(first) = waiting.iter().position(|earlier| answers(earlier, Answer::Answers)) {
            waiting.remove(first);
        }
        if needs_reply(message.kind) {
            waiting.push(place);
        }
    }
    waiting.retain(|place| {
        sent.get(*place).is_some_and(|asked| {
            let left = |party| relation(party) == Relation::Closed;
            let acknowledgement = answer(asked.kind) == Some(Answer::Acknowledgement);
            let still = asked.kind == MessageKind::ErasureRequest || !(over || left(&asked.from) || left(&asked.to));
            still && !(acknowledgement && acknowledged(*place))
        })
    });
    waiting
}

#[cfg(test)]
mod tests {
    use super::*;

    const CENTRE: &str = "settlement_center:13-1";
    const CITY: &str = "municipality:131016-1";
    const HOME: &str = "group_home:1320100017";

    fn waits(state: CaseState, stand: &[(&str, Relation)], sent: &[(MessageKind, &str, &str)]) -> Vec<usize> {
        let parties = stand.iter().map(|(party, relation)| (party.parse().unwrap(), *relation)).collect();
        let sent: Vec<Sent> =
            sent.iter().map(|(kind, from, to)| Sent { kind: *kind, from: from.parse().unwrap(), to: to.parse().unwrap() }).collect();
        unanswered(state, &parties, &sent, |place| place == 7)
    }

    const EVERYBODY: &[(&str, Relation)] = &[(CENTRE, Relation::Origin), (CITY, Relation::Assigned), (HOME, Relation::Accepted)];

    #[test]
    fn a_question_waits_until_it_is_answered() {
        let referral = (MessageKind::Referral, CENTRE, CITY);
        let waits = |sent: &[_]| waits(CaseState::Open, EVERYBODY, sent);
        assert_eq!(waits(&[referral]), [0]);
        assert_eq!(waits(&[referral, (MessageKind::ReferralAck, CITY, CENTRE)]), [0], "that it came is no answer");
        assert!(waits(&[referral, (MessageKind::ReferralDecision, CITY, CENTRE)]).is_empty());
        assert_eq!(waits(&[referral, (MessageKind::ReferralDecision, HOME, CENTRE)]), [0], "nobody else does");
        assert!(waits(&[(MessageKind::StatusNotice, CITY, CENTRE)]).is_empty());
    }

    #[test]
    fn a_decision_settles_every_such_question_and_a_reply_one() {
        let enquiry = (MessageKind::Enquiry, CITY, HOME);
        assert!(waits(CaseState::Accepted, EVERYBODY, &[enquiry, enquiry, (MessageKind::EnquiryReply, HOME, CITY)]).is_empty());
        let question = (MessageKind::ConsultationRequest, HOME, CITY);
        let reply = (MessageKind::ConsultationReply, CITY, HOME);
        assert_eq!(waits(CaseState::Accepted, EVERYBODY, &[question, question, reply]), [1]);
        assert_eq!(waits(CaseState::Accepted, EVERYBODY, &[reply, question]), [1], "an answer comes behind its question");
    }

    #[test]
    fn what_came_to_nothing_waits_no_more_but_erasing_is_due_for_ever() {
        let request = (MessageKind::ErasureRequest, CITY, HOME);
        let sent = [(MessageKind::PlanRequest, CITY, HOME), request];
        assert_eq!(waits(CaseState::Accepted, EVERYBODY, &sent), [0, 1]);
        assert_eq!(waits(CaseState::Closed, EVERYBODY, &sent), [1]);
        let left = [(CITY, Relation::Assigned), (HOME, Relation::Closed)];
        assert_eq!(waits(CaseState::Accepted, &left, &sent), [1]);
        assert!(waits(CaseState::Closed, EVERYBODY, &[request, (MessageKind::ErasureReport, HOME, CITY)]).is_empty());
    }

    #[test]
    fn a_case_ends_with_the_message_that_ended_it_however_it_did() {
        use MessageKind as K;
        let (asked, answered) = ([K::Referral, K::ReferralAck], [K::Referral, K::ReferralDecision]);
        for state in [CaseState::Open, CaseState::Accepted, CaseState::HandedOver] {
            assert_eq!(ended_by(state, &answered), None);
        }
        assert_eq!(
            ended_by(CaseState::Declined, &[K::Referral, K::ReferralDecision, K::Referral, K::ReferralDecision, K::ConsentEvent]),
            Some(3)
        );
        let closed = [&answered[..], &[K::StatusNotice, K::ClosingNotice, K::ClosingNotice, K::ErasureReport]].concat();
        assert_eq!(ended_by(CaseState::Closed, &closed), Some(3), "the others are told of it");
        let taken_back = [&asked[..], &[K::StatusNotice, K::ErasureRequest]].concat();
        assert_eq!(ended_by(CaseState::Closed, &taken_back), Some(2));
    }

    #[test]
    fn an_invitation_is_answered_by_its_acknowledgement() {
        let mut sent = vec![(MessageKind::MeetingNotice, CITY, HOME)];
        assert_eq!(waits(CaseState::Accepted, EVERYBODY, &sent), [0]);
        sent = vec![(MessageKind::StatusNotice, CITY, HOME); 7];
        sent.push((MessageKind::MeetingNotice, CITY, HOME));
        assert!(waits(CaseState::Accepted, EVERYBODY, &sent).is_empty(), "the eighth was acknowledged");
    }
}
