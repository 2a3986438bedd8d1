//! May the gateway open a class of a message to count it for the body that it was sent to? Nobody is shown anything: what leaves is a number.
//!
//! Promises: what was taken counts at once: a consent that ended, a class that was taken out of it or out of the one in its place, an agreement that was
//! suspended or revoked. What merely ran out does not: the body holds what it received while the rights stood, and counts its own work (個人情報保護法
//! 69条2項; what leaves is no personal information). The policies in force are asked as for a body that still leads the case.

use super::exchange::{Exchange, Rights};
use crate::{
    domain::{
        agreement::{self, AgreementStanding},
        case::Relation,
        codes::Purpose,
        consent::ConsentState,
        field::FieldClass,
        time::Timestamp,
    },
    policy::{Key, PolicySet},
};

/// Whether a class may be opened to count it, for any of the purposes that the message was sent for. `received` is when it was; the relation of the
/// exchange is not looked at.
#[must_use]
pub fn may_count(
    policy: &PolicySet,
    exchange: &Exchange<'_>,
    rights: &Rights<'_>,
    (purposes, class): (&[Purpose], FieldClass),
    received: Timestamp,
) -> bool {
    let Exchange { sender, reader, kind, basis, .. } = *exchange;
    let Some(record) = rights.agreement else { return false };
    // It was accepted while both stood: what is asked is what acts have taken since, whatever has run out.
    let accepted = received.max(record.agreement.from);
    if record.standing_for_readers(accepted) != AgreementStanding::InForce {
        return false;
    }
    let flow = agreement::Exchange { sender, recipient: reader, kind, basis };
    purposes.iter().any(|purpose| {
        let consent = rights.consent.map_or(ConsentState::None, |(consent, history)| {
            // One that took the place of another begins later than what was sent under that.
            consent.state(history, reader, *purpose, class, received.max(consent.not_before))
        });
        let key = Key {
            reader: reader.kind(),
            sender: sender.kind(),
            class,
            purpose: *purpose,
            kind,
            relation: Relation::Assigned,
            basis: policy.basis_group(basis),
            agreement: record.state_for_readers(&flow, *purpose, class, accepted),
            consent,
            named: rights.consent.is_some_and(|(consent, _)| consent.names(reader)),
        };
        // Whoever named a consent rests on it, whatever the basis.
        let covered = rights.consent.is_none() || matches!(consent, ConsentState::Covers | ConsentState::CoversTicked);
        covered && policy.decide(&key).allow
    })
}
