//! Search tags: what an auditor may look an entry up by. Erasable, keyed, and all of them follow from the entry and its opening, so that whoever has
//! the vault can tell whether a row of the index was hidden.

use super::published;
use crate::{
    domain::field::FieldClass,
    ledger::{Entry, Opening},
    store::Tag,
    vault::Vault,
};

/// The tags of an entry with this opening, which discloses rows of these classes. Sorted, each once.
pub(super) fn tags<'a>(vault: &Vault, entry: &Entry, opening: &Opening, classes: impl IntoIterator<Item = &'a FieldClass>) -> Vec<Tag> {
    let Opening { case, consent, named, cases, staff, statistics, .. } = opening;
    let cases = case.iter().chain(cases).map(|case| vault.tag("case", &case.to_string()));
    let consents = consent.iter().chain(named).map(|consent| vault.tag("consent", &consent.to_string()));
    let staff = staff.iter().map(|staff| vault.tag("staff", staff));
    let releases = entry.rel.iter().map(|rel| vault.tag("rel", &rel.to_string()));
    let published = statistics.iter().map(|of| vault.tag(published::TAG, &published::of(&of.municipality, of.year)));
    let classes = classes.into_iter().map(|class| vault.tag("class", class.as_str()));
    let mut tags: Vec<Tag> = cases.chain(consents).chain(staff).chain(releases).chain(published).chain(classes).collect();
    tags.sort_unstable();
    tags.dedup();
    tags
}
