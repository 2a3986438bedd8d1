//! Offline verification of an exported ledger (`ledger.md` section 6), with trust anchors of one's own.
//!
//! Promises: pure over the bytes of the export, no network connection, no clock; memory does not grow with the number of entries but for their ids
//! (some 40 bytes each). What is found wrong is named by the first index it concerns, as far as an index can be named. No file of the export is
//! believed: every hash is recomputed, and the checkpoint counts only with the signature of the key that the caller brings.
//!
//! Checked: signature and origin of the checkpoint; that exactly the files of a tree of that size are there; every entry against its leaf hash, every
//! tile of every level, the root; each entry's canonical form, version, id, time; each opening against its commitment; the order of rights as far as the
//! export tells (`order`); with a checkpoint that a stranger kept, that this export continues it.
//!
//! Not checked: whether the signed history is the only one, unless the caller names witnesses whose cosignatures it wants (or compares checkpoints with
//! others, or keeps them and uses them here); what happened before a gateway wrote anything down.

pub(in crate::ledger) mod entry;
pub(in crate::ledger) mod erasure;
mod files;
mod opening;
pub(in crate::ledger) mod order;
pub(in crate::ledger) mod reopened;
pub(in crate::ledger) mod report;
mod tree;

use std::io;

use self::{
    entry::Sequence,
    erasure::Erasures,
    files::{Whole, whole},
    opening::{Lines, Told},
    order::Order,
    report::Problems,
    tree::Tree,
};
pub use self::{
    files::{Files, Folder, Kind},
    opening::commitment,
    order::CONSENT_BASES,
    reopened::Break,
    report::{MOST_PROBLEMS, OpeningCount, OrderCount, Problem, Report},
};
use super::{Entry, export::layout};
use crate::{
    domain::codes::LegalBasis,
    text::audit::{Finding, Remark},
    tlog::{Checkpoint, Note, Quorum, TileId, TlogError, VerifierKey, open_checkpoint},
};

/// What the verifier trusts.
#[derive(Debug, Clone)]
pub struct Anchors<'a> {
    /// The ledger's key, known another way than from the export.
    pub key: &'a VerifierKey,
    /// A checkpoint note that was kept from an earlier day.
    pub kept: Option<&'a str>,
    /// The witnesses that must have cosigned the checkpoint; none: cosignatures are not looked at.
    pub quorum: Option<&'a Quorum>,
    /// Bases that rest on a consent; [`CONSENT_BASES`] unless the operator's catalogue differs.
    pub consent_bases: &'a [LegalBasis],
}

/// Verifies an export. Errors are those of reading files; everything that is wrong with their content is in the report.
pub fn verify(files: &dyn Files, anchors: &Anchors<'_>) -> io::Result<Report> {
    let mut problems = Problems::default();
    let remarks = own_key(files, anchors.key)?;
    let Some((note, signed)) = checkpoint(files, anchors.key, &mut problems)? else {
        return Ok(report(None, None, remarks, problems, Outcome::default()));
    };
    let cosignatures = anchors.quorum.and_then(|quorum| cosigned(&note, quorum, &mut problems));
    let kept = anchors.kept.and_then(|note| reopened::kept(note, anchors.key, signed.size(), &mut problems));
    let remarks = strangers(files, signed.size(), remarks, &mut problems)?;
    if signed.size() == 0 {
        problems.whole(Finding::LedgerEmpty);
    }
    let outcome = Outcome { cosignatures, ..walk(files, anchors, &signed, kept.as_ref(), &mut problems)? };
    let remarks = reopened::remarks(&outcome.breaks, kept.as_ref(), remarks);
    let continued = kept.filter(|kept| reopened::continues(kept, &outcome.breaks));
    Ok(report(Some(signed), continued.as_ref(), remarks, problems, outcome))
}

#[derive(Default)]
struct Outcome {
    sequence: Sequence,
    openings: OpeningCount,
    order: OrderCount,
    breaks: Vec<Break>,
    cosignatures: Option<usize>,
}

pub(in crate::ledger) type Remarks = Vec<(Remark, Option<String>)>;

fn report(signed: Option<Checkpoint>, kept: Option<&Checkpoint>, remarks: Remarks, problems: Problems, mut outcome: Outcome) -> Report {
    let (types, span) = std::mem::take(&mut outcome.sequence).finish();
    let (problems, further) = problems.finish();
    let continues = kept.map(Checkpoint::size).filter(|_| problems.is_empty());
    let Outcome { openings, order, breaks, cosignatures, .. } = outcome;
    Report { checkpoint: signed, types, span, openings, order, breaks, continues, cosignatures, problems, further, remarks }
}

/// One pass over entries and openings.
fn walk(
    files: &dyn Files,
    anchors: &Anchors<'_>,
    signed: &Checkpoint,
    kept: Option<&Checkpoint>,
    problems: &mut Problems,
) -> io::Result<Outcome> {
    let lines = files.open(layout::OPENINGS)?;
    if lines.is_none() {
        problems.file(Finding::FileMissing, layout::OPENINGS);
    }
    let mut lines = Lines::new(lines);
    let mut tree = Tree::new(files, signed.size(), kept.map(Checkpoint::size));
    let mut named = reopened::Named::default();
    let mut order = Order::new(anchors.consent_bases);
    let mut erasures = Erasures::default();
    let mut outcome = Outcome::default();
    while let Some((first, leaves)) = tree.next(problems)? {
        for (index, bytes) in (first..).zip(leaves) {
            let entry = bytes.and_then(|bytes| outcome.sequence.next(index, &bytes, problems));
            let told = lines.of(index, problems)?;
            let Some(entry) = entry else { continue };
            if matches!(told, Told::Null) && entry.open_c.is_some() {
                erasures.gone(index, &entry);
            }
            let opened = opened(index, &entry, told, &mut outcome.openings, problems);
            let erased = opened.as_ref().and_then(erasure::list);
            erasures.next(index, &entry, erased.as_deref(), problems);
            order.next(index, &entry, opened.as_ref(), problems);
            if let Some(reopening) = entry.reopens {
                let rooted = tree.root_before(index).is_some_and(|root| root.0 == reopening.survived.root.0);
                named.next(index, *reopening, rooted, problems);
            }
        }
    }
    outcome.breaks = named.finish(signed.origin(), kept, problems);
    tree.finish(signed, kept.filter(|kept| reopened::continues(kept, &outcome.breaks)), problems)?;
    lines.finish(signed.size(), problems)?;
    outcome.openings.erased = erasures.finish(problems);
    outcome.order = order.finish();
    Ok(outcome)
}

/// The opening of an entry, if it is the one the entry commits to.
fn opened(
    index: u64,
    entry: &Entry,
    told: Told,
    count: &mut OpeningCount,
    problems: &mut Problems,
) -> Option<serde_json::Map<String, serde_json::Value>> {
    match (told, entry.open_c) {
        // What is unusable is a problem already. Of what is gone an erasure behind it tells whether it was erased.
        (Told::Unusable, _) | (Told::Null, Some(_)) => None,
        (Told::Null, None) => {
            count.none += 1;
            None
        }
        (Told::Opened(_), None) => {
            problems.at(Finding::OpeningUncommitted, index);
            None
        }
        (Told::Opened(members), Some(expected)) if commitment(&members) == Some(expected) => {
            count.opened += 1;
            Some(members)
        }
        (Told::Opened(_), Some(_)) => {
            problems.at(Finding::OpeningMismatch, index);
            None
        }
    }
}

/// The key in the export proves nothing. It is only compared.
fn own_key(files: &dyn Files, key: &VerifierKey) -> io::Result<Remarks> {
    Ok(match whole(files, layout::VKEY, LONGEST_KEY)? {
        Whole::Absent => vec![(Remark::OwnKeyMissing, None)],
        Whole::Bytes(bytes) if bytes == layout::vkey_file(key).as_bytes() => Vec::new(),
        Whole::Bytes(_) | Whole::TooLong => vec![(Remark::OwnKeyDiffers, None)],
    })
}

fn checkpoint(files: &dyn Files, key: &VerifierKey, problems: &mut Problems) -> io::Result<Option<(String, Checkpoint)>> {
    let finding = match whole(files, layout::CHECKPOINT, LONGEST_NOTE)? {
        Whole::Absent => Finding::FileMissing,
        Whole::TooLong => Finding::FileLength,
        Whole::Bytes(bytes) => match String::from_utf8(bytes)
            .map_err(|_| TlogError::Note)
            .and_then(|note| open_checkpoint(&note, key).map(|checkpoint| (note, checkpoint)))
        {
            Ok(signed) => return Ok(Some(signed)),
            Err(TlogError::NotSigned) => Finding::CheckpointKey,
            Err(TlogError::BadSignature | TlogError::DuplicateSignature) => Finding::CheckpointSignature,
            Err(TlogError::Origin) => Finding::CheckpointOrigin,
            Err(_) => Finding::CheckpointForm,
        },
    };
    problems.file(finding, layout::CHECKPOINT);
    Ok(None)
}

/// How many of the witnesses cosigned; none: the lines of one of them do not verify.
fn cosigned(note: &str, quorum: &Quorum, problems: &mut Problems) -> Option<usize> {
    let Ok(count) = Note::parse(note).and_then(|note| quorum.count(&note)) else {
        problems.file(Finding::CosignatureWrong, layout::CHECKPOINT);
        return None;
    };
    if count < quorum.needed() {
        problems.file(Finding::CosignaturesMissing, layout::CHECKPOINT);
    }
    Some(count)
}

/// Files that belong to no tree of this size are refused below `tile/` and named elsewhere.
fn strangers(files: &dyn Files, size: u64, mut remarks: Remarks, problems: &mut Problems) -> io::Result<Remarks> {
    let mut further = 0_u64;
    files.visit(&mut |path, kind| {
        let below_tile = path.starts_with(layout::TILES);
        let known =
            if below_tile { TileId::parse(path).is_ok_and(|tile| layout::holds(size, tile)) } else { layout::FILES.contains(&path) };
        match (known, kind) {
            (true, Kind::File) => {}
            (true, Kind::Other) => problems.file(Finding::FileKind, path),
            (false, _) if below_tile || path == layout::TILE => problems.file(Finding::FileUnexpected, path),
            (false, _) if remarks.len() < MOST_REMARKS => remarks.push((Remark::FileBeside, Some(path.to_owned()))),
            (false, _) => further += 1,
        }
    })?;
    if further > 0 {
        remarks.push((Remark::FileBeside, Some(format!("+{further}"))));
    }
    Ok(remarks)
}

const LONGEST_KEY: u64 = 4 * 1024;
/// As long as a note may be (C2SP signed-note).
const LONGEST_NOTE: u64 = 512 * 1024;
const MOST_REMARKS: usize = 20;
