//! Cosignatures of witnesses on checkpoints (C2SP tlog-cosignature, the Ed25519 kind `cosignature/v1`), and how many of them are enough.
//!
//! Promises: one witness counts once, whatever names its key is given; a line of a trusted witness that does not verify spoils the note, as in
//! C2SP signed-note. Lines of others, and of other kinds, are carried unread. Not here: whether a cosignature is recent.

use super::TlogError;
use super::checkpoint::{Checkpoint, open_checkpoint};
use super::key::{COSIGNATURE_TYPE, TypedKey, VerifierKey};
use super::note::{Note, NoteSignature};

/// The key of a witness.
pub type CosignerKey = TypedKey<COSIGNATURE_TYPE>;

impl CosignerKey {
    /// When this witness cosigned the note, in Unix seconds; none: it did not. A line of it that does not verify, or a second one, is an error.
    pub fn cosigned(&self, note: &Note) -> Result<Option<u64>, TlogError> {
        let mut own = note.signatures().iter().filter(|line| self.owns(line));
        let Some(line) = own.next() else { return Ok(None) };
        if own.next().is_some() {
            return Err(TlogError::DuplicateSignature);
        }
        self.time(note.unverified_text(), line).map(Some)
    }

    /// Whether a line claims to be of this key.
    #[must_use]
    pub fn owns(&self, line: &NoteSignature) -> bool {
        line.name() == self.name() && line.id() == self.id()
    }

    /// Verifies one line over the text of a checkpoint; gives its time.
    fn time(&self, text: &str, line: &NoteSignature) -> Result<u64, TlogError> {
        let (time, signature) = line.signature().split_first_chunk().ok_or(TlogError::BadSignature)?;
        let time = u64::from_be_bytes(*time);
        // The timestamp must not exceed 2^63 - 1.
        if i64::try_from(time).is_err() {
            return Err(TlogError::BadSignature);
        }
        self.verify(format!("{HEADER}\ntime {time}\n{text}").as_bytes(), signature).map(|()| time)
    }
}

/// How many of which witnesses must have cosigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quorum {
    keys: Vec<CosignerKey>,
    needed: usize,
}

impl Quorum {
    /// At least `needed` of these. No key may stand there twice, under whatever names: the signed message does not hold the name.
    pub fn new(keys: Vec<CosignerKey>, needed: usize) -> Result<Self, TlogError> {
        let again = keys.iter().enumerate().any(|(at, key)| keys.iter().take(at).any(|other| other.public_key() == key.public_key()));
        if again || needed > keys.len() {
            return Err(TlogError::Quorum);
        }
        Ok(Self { keys, needed })
    }

    /// The witnesses.
    #[must_use]
    pub fn keys(&self) -> &[CosignerKey] {
        &self.keys
    }

    /// How many are enough.
    #[must_use]
    pub const fn needed(&self) -> usize {
        self.needed
    }

    /// How many of the witnesses cosigned. A line of one of them that does not verify is an error.
    pub fn count(&self, note: &Note) -> Result<usize, TlogError> {
        let mut count = 0;
        for key in &self.keys {
            count += usize::from(key.cosigned(note)?.is_some());
        }
        Ok(count)
    }

    /// Reads a checkpoint that the log signed and enough witnesses cosigned.
    pub fn open(&self, note: &str, log: &VerifierKey) -> Result<Checkpoint, TlogError> {
        let checkpoint = open_checkpoint(note, log)?;
        let count = self.count(&Note::parse(note)?)?;
        if count < self.needed { Err(TlogError::TooFewCosignatures) } else { Ok(checkpoint) }
    }
}

const HEADER: &str = "cosignature/v1";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::{
        Hash, NoteSigner,
        key::{ORDER_8, ORDER_8_NEGATED},
    };
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
    use zeroize::Zeroizing;

    const TEXT: &str = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
    /// Made with `aics-tlog` 0.2.1 (Python) from the seed of 32 bytes 0x09, over [`TEXT`] at 1679315147.
    const KEY: &str = "witness.example/w1+24b5d9fe+BP0XJDhaoMdbZPt4zWAvodmR/ev3axPFjtcC6sg16fYY";
    const LINE: &str =
        "— witness.example/w1 JLXZ/gAAAABkGFDLSEwbtADY9t5XeSzDTVuiqYN5nZfoc9NQOUgkPYm4wwjIUL68Nczz1tpzCjnpmnRXttgqVVwOg3WfE7AXqa+DAg==";
    /// The example of tlog-cosignature. Its key is not published: only its form can be checked.
    const EXAMPLE: &str =
        "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==";

    /// A witness that signs whatever it is told to.
    struct Witness(Ed25519KeyPair, CosignerKey);

    impl Witness {
        fn new(name: &str, seed: u8) -> Self {
            let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
            let key = CosignerKey::new(name.parse().unwrap(), pair.public_key().as_ref().try_into().unwrap()).unwrap();
            Self(pair, key)
        }

        fn sign(&self, time: u64, text: &str) -> NoteSignature {
            let signature = self.0.sign(format!("cosignature/v1\ntime {time}\n{text}").as_bytes());
            NoteSignature::new(self.1.name().clone(), self.1.id(), [&time.to_be_bytes()[..], signature.as_ref()].concat())
        }
    }

    fn log() -> NoteSigner {
        NoteSigner::from_seed("gw.example/ledger".parse().unwrap(), &Zeroizing::new([1; 32])).unwrap()
    }

    fn signed(size: u64) -> Note {
        let checkpoint = Checkpoint::new("gw.example/ledger", size, Hash([7; 32])).unwrap();
        Note::parse(&checkpoint.sign(&log()).unwrap()).unwrap()
    }

    #[test]
    fn a_line_of_another_program_verifies() {
        let key: CosignerKey = KEY.parse().unwrap();
        assert_eq!((key.name().as_str(), key.id(), key.to_string().as_str()), ("witness.example/w1", 0x24b5_d9fe, KEY));
        let note = Note::parse(&format!("{TEXT}\n{EXAMPLE}\n{LINE}\n")).unwrap();
        assert_eq!(key.cosigned(&note), Ok(Some(1_679_315_147)));
        assert_eq!(Witness::new("witness.example/w1", 9).sign(1_679_315_147, TEXT).to_string(), LINE);
        assert_eq!(Witness::new("witness.example/w2", 9).1.cosigned(&note), Ok(None));
        let changed = Note::parse(&format!("{}\n{LINE}\n", TEXT.replace("163", "164"))).unwrap();
        assert_eq!(key.cosigned(&changed), Err(TlogError::BadSignature));
    }

    #[test]
    fn the_line_of_the_specification_has_the_form_that_is_read() {
        let lines = NoteSignature::parse_lines(&format!("{EXAMPLE}\n")).unwrap();
        let (time, signature) = lines[0].signature().split_first_chunk().unwrap();
        assert_eq!((lines[0].name().as_str(), lines[0].id()), ("witness.example.com/w1", 0x8d66_cf3f));
        assert_eq!((u64::from_be_bytes(*time), signature.len()), (1_679_315_147, 64));
        assert_eq!(format!("{}\n", lines[0]), format!("{EXAMPLE}\n"));
    }

    #[test]
    fn every_changed_bit_and_another_length_are_refused() {
        let witness = Witness::new("w", 9);
        let line = witness.sign(5, "text\n");
        let verdict = |signature: Vec<u8>| {
            let note =
                Note::parse(&format!("text\n\n{}\n", NoteSignature::new(witness.1.name().clone(), witness.1.id(), signature))).unwrap();
            witness.1.cosigned(&note)
        };
        assert_eq!(verdict(line.signature().to_vec()), Ok(Some(5)));
        for bit in 0..72 * 8 {
            let mut changed = line.signature().to_vec();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(verdict(changed), Err(TlogError::BadSignature));
        }
        for len in [1, 7, 8, 71, 73] {
            let mut changed = line.signature().to_vec();
            changed.resize(len, 0);
            assert_eq!(verdict(changed), Err(TlogError::BadSignature));
        }
        assert_eq!(verdict(witness.sign(1 << 63, "text\n").signature().to_vec()), Err(TlogError::BadSignature));
        assert_eq!(verdict(witness.sign((1 << 63) - 1, "text\n").signature().to_vec()), Ok(Some((1 << 63) - 1)));
    }

    #[test]
    fn a_signature_of_the_log_kind_is_no_cosignature() {
        let note = signed(5);
        let same = CosignerKey::new(log().verifier().name().clone(), *log().verifier().public_key()).unwrap();
        assert_ne!(same.id(), log().verifier().id());
        assert_eq!(same.cosigned(&note), Ok(None));
        assert_eq!(log().verifier().to_string().parse::<CosignerKey>(), Err(TlogError::CosignerKey));
        assert_eq!(KEY.parse::<VerifierKey>(), Err(TlogError::VerifierKey));
    }

    #[test]
    fn keys_under_which_anybody_can_sign_are_refused() {
        for public in [[0; 32], ORDER_8, ORDER_8_NEGATED] {
            assert_eq!(CosignerKey::new("w".parse().unwrap(), public), Err(TlogError::CosignerKey));
        }
        let mut signed = ORDER_8;
        signed[31] |= 0x80;
        assert_eq!(CosignerKey::new("w".parse().unwrap(), signed), Err(TlogError::CosignerKey));
        for text in ["", "w", "w+1", &KEY.replace("24b5", "24B5"), &KEY.replace("w1", "w2"), &format!("{KEY}\n")] {
            assert_eq!(text.parse::<CosignerKey>(), Err(TlogError::CosignerKey), "{text}");
        }
    }

    #[test]
    fn a_quorum_counts_each_witness_once() {
        let [a, b, c] = [("a", 2), ("b", 3), ("c", 4)].map(|(name, seed)| Witness::new(name, seed));
        let (note, log) = (signed(5), log());
        let text = note.unverified_text().to_owned();
        let quorum = |needed| Quorum::new(vec![a.1.clone(), b.1.clone(), c.1.clone()], needed).unwrap();
        let two = note.with_signatures(&[a.sign(1, &text), b.sign(2, &text), Witness::new("stranger", 8).sign(3, &text)]).unwrap();
        assert_eq!(quorum(2).open(&two.to_string(), log.verifier()).map(|head| head.size()), Ok(5));
        assert_eq!(quorum(3).open(&two.to_string(), log.verifier()), Err(TlogError::TooFewCosignatures));
        let twice = note.with_signatures(&[a.sign(1, &text), a.sign(2, &text)]).unwrap();
        assert_eq!(quorum(2).open(&twice.to_string(), log.verifier()), Err(TlogError::DuplicateSignature));
        let renamed = CosignerKey::new("other-name".parse().unwrap(), *a.1.public_key()).unwrap();
        assert_eq!(Quorum::new(vec![a.1.clone(), renamed], 2), Err(TlogError::Quorum));
        assert_eq!(Quorum::new(vec![a.1.clone()], 2), Err(TlogError::Quorum));
        assert_eq!(Quorum::new(Vec::new(), 0).unwrap().open(&note.to_string(), log.verifier()).map(|head| head.size()), Ok(5));
    }

    #[test]
    fn a_cosignature_of_another_size_of_another_log_or_without_the_log_is_refused() {
        let (witness, log) = (Witness::new("a", 2), log());
        let quorum = Quorum::new(vec![witness.1.clone()], 1).unwrap();
        let old = witness.sign(1, signed(4).unverified_text());
        let note = signed(5).with_signatures(&[old]).unwrap();
        assert_eq!(quorum.open(&note.to_string(), log.verifier()), Err(TlogError::BadSignature));
        let text = signed(5).unverified_text().to_owned();
        let alone = format!("{text}\n{}\n", witness.sign(1, &text));
        assert_eq!(quorum.open(&alone, log.verifier()), Err(TlogError::NotSigned));
    }

    #[test]
    fn lines_by_themselves_are_read_strictly() {
        let line = Witness::new("a", 2).sign(1, "text\n").to_string();
        assert_eq!(NoteSignature::parse_lines(""), Ok(Vec::new()));
        assert_eq!(NoteSignature::parse_lines(&format!("{line}\n{line}\n")).map(|lines| lines.len()), Ok(2));
        for bad in
            [line.clone(), format!("{line}\n\n"), format!("\n{line}\n"), format!("{line}\r\n"), "\n".to_owned(), format!("{line}\nx")]
        {
            assert_eq!(NoteSignature::parse_lines(&bad), Err(TlogError::Note), "{bad:?}");
        }
        assert_eq!(NoteSignature::parse_lines(&format!("{line}\n").repeat(65)), Err(TlogError::TooLong));
    }
}
