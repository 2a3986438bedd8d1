//! What the gateway keeps beside a message, so that it need not open it again: the consent that it names, the day by which its reply is wished, the message
//! that it corrects or passes on.
//!
//! The end of a detention is not among them: it says that somebody is detained. What its sender has to know by then it asks for by then, in the neutral
//! row that every recipient may see; who does not is told so.

use crate::{
    domain::{codes::MessageKind, day::Day, field::FieldClass, life::needs_reply, refusal::Violation, time::Timestamp},
    message::disclosed::Disclosed,
    store::Term,
};

/// What is kept of a message.
pub(super) fn term(disclosed: &Disclosed) -> Term {
    Term {
        consent: disclosed.hidden.con.as_ref().map(|con| con.jti),
        reply_by: day(disclosed, REPLY_BY),
        corrects: row(disclosed, CORRECTS).and_then(|id| id.parse().ok()),
        source: disclosed.hidden.drv.as_ref().map(|source| source.jti),
    }
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
pub(super) fn corrected(disclosed: &Disclosed) -> Option<crate::domain::ids::Jti> {
    row(disclosed, CORRECTS)?.parse().ok()
}

fn row<'a>(disclosed: &'a Disclosed, name: &str) -> Option<&'a str> {
    disclosed.rows.iter().find(|row| row.key.as_str() == name)?.value.as_str()
}

fn day(disclosed: &Disclosed, name: &str) -> Option<Day> {
    row(disclosed, name)?.parse().ok()
}

const REPLY_BY: &str = "desired_reply_by";
const DETAINED_UNTIL: &str = "detention_deadline";
const CORRECTS: &str = "corrects";
const TOO_LATE: &str = "not_after_detention_deadline";
