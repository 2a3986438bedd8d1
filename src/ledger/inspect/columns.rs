//! The searchable columns of an entry beside its leaf: each is what the leaf says, or a search would find something else.

use super::problem;
use crate::{
    domain::{ids::AgreementId, party::PartyId},
    ledger::{Entry, verify::report::Problems},
    store::EntryColumns,
    text::audit::Finding,
};

/// Names every column that is not what the entry says.
pub(super) fn compare(idx: u64, columns: &EntryColumns, entry: &Entry, problems: &mut Problems) {
    // Taken apart, so that a column that is added later cannot be forgotten here. The body is compared by its hash.
    let EntryColumns {
        id,
        time,
        entry_type,
        operation,
        actor,
        actor_place,
        recipient,
        recipient_place,
        decision,
        reason,
        agreement,
        body: _,
    } = columns;
    let acting = entry.actor.as_ref().map(|actor| &actor.party);
    let party = |column: &Option<String>, party: Option<&PartyId>| *column == party.map(ToString::to_string);
    let place = |column: &Option<String>, party: Option<&PartyId>| column.as_deref() == party.and_then(PartyId::place);
    let fits = [
        ("ledger_entry.id", id.as_slice() == entry.id.as_bytes()),
        ("ledger_entry.time", *time == entry.time.micros()),
        ("ledger_entry.type", entry_type == entry.entry_type.as_str()),
        ("ledger_entry.operation", operation == entry.operation.as_str()),
        ("ledger_entry.actor", party(actor, acting)),
        ("ledger_entry.actor_place", place(actor_place, acting)),
        ("ledger_entry.recipient", party(recipient, entry.recipient.as_ref())),
        ("ledger_entry.recipient_place", place(recipient_place, entry.recipient.as_ref())),
        ("ledger_entry.decision", decision == entry.decision.as_str()),
        ("ledger_entry.reason", *reason == entry.reason),
        ("ledger_entry.agreement", agreement.as_deref() == entry.agreement.as_ref().map(|agreement| AgreementId::as_str(&agreement.id))),
    ];
    for (column, _) in fits.iter().filter(|(_, fits)| !fits) {
        problems.add(problem(Finding::ColumnDiffers, Some(idx), column));
    }
}
