//! What the gateway keeps beside a message, so that it need not open it again: the consent that it names, the day by which its reply is wished, the message
//! that it corrects or passes on, and in whose place a delegate sent or gets it.
//!
//! The end of a detention is not among them: it says that somebody is detained. What its sender has to know by then it asks for by then, in the neutral
//! row that every recipient may see; who does not is told so.

use super::affair::Affair;
use crate::{
    domain::{
        codes::MessageKind, day::Day, field::FieldClass, ids::Jti, life::needs_reply, party::PartyId, refusal::Violation, time::Timestamp,
    },
    message::disclosed::Disclosed,
    store::Term,
};

/// What is kept of a message that opens a case.
pub(super) fn term(disclosed: &Disclosed) -> Term {
    Term {
        consent: disclosed.hidden.con.as_ref().map(|con| con.jti),
        reply_by: day(disclosed, REPLY_BY),
        corrects: corrected(disclosed),
        ..Term::default()
    }
}

/// What is kept of a message that comes into a case. What it passes on is kept only where its sender got that in this case: anything else is a word of
/// the sender that nobody can check.
pub(super) fn later_term(disclosed: &Disclosed, affair: &Affair, from: &PartyId, to: &PartyId) -> Term {
    let life = &affair.standing;
    let in_place = |party: &PartyId| Some(life.seat(party)).filter(|seat| *seat != party).cloned();
    let source = disclosed.hidden.drv.as_ref().filter(|source| {
        let of_case = affair.passages.iter().find(|passage| passage.head.jti == source.jti && passage.head.iss == source.iss);
        of_case.is_some_and(|passage| [passage.sender(), passage.recipient()].contains(&life.seat(from)))
    });
    Term { source: source.map(|source| source.jti), sent_for: in_place(from), sent_to: in_place(to), ..term(disclosed) }
}

/// What the sender of a message about a detained person is told, if it does not wish the reply while the detention lasts.
pub(super) fn late_wish(kind: MessageKind, disclosed: &Disclosed, sent: Timestamp) -> Option<Violation> {
    let until = day(disclosed, DETAINED_UNTIL).filter(|until| needs_reply(kind) && Day::in_japan(sent) <= *until)?;
    if day(disclosed, REPLY_BY).is_some_and(|by| by <= until) {
        return None;
    }
    Some(Violation::of_row(&REPLY_BY.parse().ok()?, FieldClass::Routing, TOO_LATE))
}

/// The message that a correction names.
pub(super) fn corrected(disclosed: &Disclosed) -> Option<Jti> {
    text(disclosed, CORRECTS)?.parse().ok()
}

fn text<'a>(disclosed: &'a Disclosed, name: &str) -> Option<&'a str> {
    disclosed.row(name)?.as_str()
}

fn day(disclosed: &Disclosed, name: &str) -> Option<Day> {
    text(disclosed, name)?.parse().ok()
}

const REPLY_BY: &str = "desired_reply_by";
const DETAINED_UNTIL: &str = "detention_deadline";
const CORRECTS: &str = "corrects";
const TOO_LATE: &str = "not_after_detention_deadline";
