//! The dialogue with one witness about one head: at most [`TRIES`] requests, until it cosigned, showed a conflict, or is of no use now.
//!
//! Where we do not know what the witness knows, it says so (409), and is asked again from there. What it says is a conflict only when it follows
//! from a size that it named itself in this dialogue.

use http::StatusCode;

use super::{Witness, post::Answer, wire};
use crate::{
    domain::time::Timestamp,
    ledger::{LedgerError, SequencerHandle, SignedHead},
    tlog::{Hash, Note, NoteSignature, TlogError, verify_consistency},
};

/// How the dialogue ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A cosignature that verifies over this head.
    Cosigned(NoteSignature),
    /// The witness holds a head of this many entries, more than this one has.
    Ahead(u64),
    /// The witness holds a head of this many entries that this one does not continue.
    Conflict(u64),
    /// No cosignature, for a reason that says nothing about the ledger.
    Away(Away),
}

/// Why a witness was of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Away {
    /// No connection, or it broke.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// No answer in time.
    #[error("no answer in time")]
    TooSlow,
    /// The answer is larger than any that is expected.
    #[error("the answer is too large")]
    TooLarge,
    /// It does not know the ledger (404), does not accept its key (403), or anything else that it does not do (429, 500 ...).
    #[error("it answered {0}")]
    Status(u16),
    /// The answer is not one of the protocol.
    #[error("the answer is not of the protocol")]
    Form,
    /// The answer holds no valid cosignature of the configured key on this head.
    #[error("its cosignature: {0}")]
    Signature(TlogError),
    /// The time of the cosignature is not now.
    #[error("its cosignature is dated {0} seconds from now")]
    Time(i64),
    /// It names one size after the other.
    #[error("it keeps naming other sizes")]
    Loop,
}

/// Asks for a cosignature of `head`. `known` is the size that the witness is thought to know.
pub async fn ask(
    witness: &Witness,
    ledger: &SequencerHandle,
    head: &SignedHead,
    known: u64,
    now: Timestamp,
) -> Result<Outcome, LedgerError> {
    let (mut old, mut named) = (known.min(head.size), false);
    for _ in 0..TRIES {
        let proof = continuation(ledger, old, head).await?;
        let body = wire::request(old, &proof, &head.note).map_err(|_| LedgerError::Broken("a checkpoint"))?;
        let answer = match witness.post(body).await {
            Ok(answer) => answer,
            Err(away) => return Ok(Outcome::Away(away)),
        };
        match answer.status {
            StatusCode::OK => return Ok(cosignature(witness, head, &answer, now)),
            StatusCode::CONFLICT => match answer.names_size.then(|| wire::size(&answer.body)).flatten() {
                Some(size) if size > head.size => return Ok(Outcome::Ahead(size)),
                // It names the size that we sent: then it is the root that differs, which only equal sizes can show.
                Some(size) if size == old && named => {
                    return Ok(if old == head.size { Outcome::Conflict(old) } else { Outcome::Away(Away::Loop) });
                }
                Some(size) => (old, named) = (size, true),
                None if named && old == head.size => return Ok(Outcome::Conflict(old)),
                None => return Ok(Outcome::Away(Away::Form)),
            },
            // Our proof verifies from our own tree of that size, so the witness knows another tree of that size.
            StatusCode::UNPROCESSABLE_ENTITY if named && old > 0 => return Ok(Outcome::Conflict(old)),
            // Perhaps it does not know that size any more. It will say what it knows.
            StatusCode::UNPROCESSABLE_ENTITY if old > 0 => old = 0,
            status => return Ok(Outcome::Away(Away::Status(status.as_u16()))),
        }
    }
    Ok(Outcome::Away(Away::Loop))
}

/// The proof that the head continues our own tree of `old` entries. What does not verify here is not sent: then the stored ledger is broken.
async fn continuation(ledger: &SequencerHandle, old: u64, head: &SignedHead) -> Result<Vec<Hash>, LedgerError> {
    if old == 0 || old == head.size {
        return Ok(Vec::new());
    }
    let (proof, _) = ledger.consistency(old, head.size).await?;
    let proof: Vec<Hash> = proof.into_iter().map(Hash).collect();
    let root = ledger.root_at(old).await?;
    verify_consistency(old, head.size, &root, &head.root, &proof).map_err(|_| LedgerError::Broken("tiles and roots"))?;
    Ok(proof)
}

fn cosignature(witness: &Witness, head: &SignedHead, answer: &Answer, now: Timestamp) -> Outcome {
    match read(witness, head, answer, now) {
        Ok(line) => Outcome::Cosigned(line),
        Err(away) => Outcome::Away(away),
    }
}

fn read(witness: &Witness, head: &SignedHead, answer: &Answer, now: Timestamp) -> Result<NoteSignature, Away> {
    let text = std::str::from_utf8(&answer.body).map_err(|_| Away::Form)?;
    let lines = NoteSignature::parse_lines(text).map_err(|_| Away::Form)?;
    let line = lines.iter().find(|line| witness.key.owns(line)).ok_or(Away::Signature(TlogError::NotSigned))?;
    let note = Note::parse(&head.note).and_then(|note| note.with_signatures(&lines)).map_err(|_| Away::Form)?;
    let time = witness.key.cosigned(&note).map_err(Away::Signature)?.ok_or(Away::Signature(TlogError::NotSigned))?;
    // An old answer to the same head, played back, would hide that the witness is further now.
    let apart = i64::try_from(time).unwrap_or(i64::MAX).saturating_sub(now.secs());
    if apart.unsigned_abs() > MOST_APART {
        return Err(Away::Time(apart));
    }
    Ok(line.clone())
}

/// One with what we remember, one from nothing, one from what it names, and one more for a head that moved between.
const TRIES: u8 = 4;
/// How far the clocks of a witness and of this gateway may be apart, in seconds.
const MOST_APART: u64 = 600;
