//! Signed notes (C2SP signed-note): a text and signature lines after its last empty line. Only Ed25519 signatures are checked; those of
//! unknown keys, of whatever kind, are carried along unread.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::TlogError;
use super::key::{KeyName, NoteSigner, VerifierKey};

/// A note as read. Its text must not be used before [`Note::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// One signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    name: KeyName,
    id: u32,
    signature: Vec<u8>,
}

impl Note {
    /// Signs a text, which ends with a newline and has no other control characters.
    pub fn sign(text: &str, signer: &NoteSigner) -> Result<Self, TlogError> {
        if !text.ends_with('\n') || has_controls(text) {
            return Err(TlogError::Note);
        }
        if text.len() > MAX_TEXT {
            return Err(TlogError::TooLong);
        }
        Ok(Self { text: text.to_owned(), signatures: vec![signer.sign(text)?] })
    }

    /// Reads a note without judging its signatures.
    pub fn parse(note: &str) -> Result<Self, TlogError> {
        if note.len() > MAX_NOTE {
            return Err(TlogError::TooLong);
        }
        if has_controls(note) {
            return Err(TlogError::Note);
        }
        let (before, lines) = note.rsplit_once("\n\n").ok_or(TlogError::Note)?;
        let lines = lines.strip_suffix('\n').ok_or(TlogError::Note)?;
        let mut signatures = Vec::new();
        for line in lines.split('\n') {
            if signatures.len() == MAX_SIGNATURES {
                return Err(TlogError::TooLong);
            }
            signatures.push(NoteSignature::parse(line)?);
        }
        if before.len() >= MAX_TEXT {
            return Err(TlogError::TooLong);
        }
        Ok(Self { text: format!("{before}\n"), signatures })
    }

    /// The text, if at least one of these keys signed it and each of them that signed it did so correctly, once.
    pub fn verify(&self, trusted: &[VerifierKey]) -> Result<&str, TlogError> {
        let mut verified = false;
        for key in trusted {
            let mut by_key = self.signatures.iter().filter(|line| line.name == *key.name() && line.id == key.id());
            let Some(line) = by_key.next() else { continue };
            if by_key.next().is_some() {
                return Err(TlogError::DuplicateSignature);
            }
            key.verify(self.text.as_bytes(), &line.signature)?;
            verified = true;
        }
        if verified { Ok(&self.text) } else { Err(TlogError::NotSigned) }
    }

    /// The same note with further signature lines. A line that is there already is not repeated.
    pub fn with_signatures(&self, lines: &[NoteSignature]) -> Result<Self, TlogError> {
        let mut note = self.clone();
        for line in lines {
            if !note.signatures.contains(line) {
                note.signatures.push(line.clone());
            }
        }
        if note.signatures.len() > MAX_SIGNATURES {
            return Err(TlogError::TooLong);
        }
        Ok(note)
    }

    /// The signature lines.
    #[must_use]
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    pub(super) fn unverified_text(&self) -> &str {
        &self.text
    }
}

/// Writes the note.
impl std::fmt::Display for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}", self.text)?;
        for line in &self.signatures {
            writeln!(f, "{line}")?;
        }
        Ok(())
    }
}

impl NoteSignature {
    pub(super) const fn new(name: KeyName, id: u32, signature: Vec<u8>) -> Self {
        Self { name, id, signature }
    }

    /// Who claims to have signed.
    #[must_use]
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// The id of the key that is claimed.
    #[must_use]
    pub const fn id(&self) -> u32 {
        self.id
    }

    /// What the key's algorithm made of the text.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// Reads signature lines that stand by themselves, each ending with a newline; none is right too.
    pub fn parse_lines(text: &str) -> Result<Vec<Self>, TlogError> {
        let mut lines = Vec::new();
        for line in text.split_terminator('\n') {
            if lines.len() == MAX_SIGNATURES {
                return Err(TlogError::TooLong);
            }
            lines.push(Self::parse(line)?);
        }
        if has_controls(text) || !(text.is_empty() || text.ends_with('\n')) {
            return Err(TlogError::Note);
        }
        Ok(lines)
    }

    fn parse(line: &str) -> Result<Self, TlogError> {
        let (name, bytes) = line.strip_prefix(SIGNATURE_START).and_then(|rest| rest.split_once(' ')).ok_or(TlogError::Note)?;
        let name = name.parse().map_err(|_| TlogError::Note)?;
        let bytes = STANDARD.decode(bytes).map_err(|_| TlogError::Note)?;
        match bytes.split_first_chunk() {
            Some((id, signature)) if !signature.is_empty() => Ok(Self::new(name, u32::from_be_bytes(*id), signature.to_vec())),
            _ => Err(TlogError::Note),
        }
    }
}

/// Writes the line, without the newline that ends it.
impl std::fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bytes = [&self.id.to_be_bytes()[..], &self.signature].concat();
        write!(f, "{SIGNATURE_START}{} {}", self.name, STANDARD.encode(bytes))
    }
}

fn has_controls(text: &str) -> bool {
    text.bytes().any(|byte| byte < b' ' && byte != b'\n')
}

const SIGNATURE_START: &str = "— ";
/// More than the 16 that verifiers must accept, with room for post-quantum signatures of nearly 5 kB each.
const MAX_SIGNATURES: usize = 64;
const MAX_TEXT: usize = 64 * 1024;
const MAX_NOTE: usize = 512 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    const EXAMPLE_KEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    const EXAMPLE: &str = "This is an example message.\n\n— example.com/foo \
        Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

    fn signer(name: &str, seed: u8) -> NoteSigner {
        NoteSigner::from_seed(name.parse().unwrap(), &Zeroizing::new([seed; 32])).unwrap()
    }

    fn verify<'n>(note: &'n Note, signer: &NoteSigner) -> Result<&'n str, TlogError> {
        note.verify(std::slice::from_ref(signer.verifier()))
    }

    #[test]
    fn the_note_of_the_specification_verifies() {
        let note = Note::parse(EXAMPLE).unwrap();
        assert_eq!(note.to_string(), EXAMPLE);
        assert_eq!(note.verify(&[EXAMPLE_KEY.parse().unwrap()]), Ok("This is an example message.\n"));
        let changed = Note::parse(&EXAMPLE.replace("message", "massage")).unwrap();
        assert_eq!(changed.verify(&[EXAMPLE_KEY.parse().unwrap()]), Err(TlogError::BadSignature));
    }

    #[test]
    fn the_text_ends_at_the_last_empty_line() {
        for text in ["\n", "a\n", "a\n\nb\n", "a\n\n", "\n\n\n", "— not a signature\n", "つなぎ\n"] {
            let log = signer("log", 1);
            let note = Note::parse(&Note::sign(text, &log).unwrap().to_string()).unwrap();
            assert_eq!(verify(&note, &log), Ok(text));
        }
    }

    #[test]
    fn a_text_that_cannot_be_a_note_is_not_signed() {
        for text in ["", "a", "a\r\n", "a\tb\n", "\0\n"] {
            assert_eq!(Note::sign(text, &signer("log", 1)), Err(TlogError::Note), "{text:?}");
        }
        assert_eq!(Note::sign(&format!("{}\n", "x".repeat(MAX_TEXT)), &signer("log", 1)), Err(TlogError::TooLong));
        let longest = format!("{}\n", "x".repeat(MAX_TEXT - 1));
        let note = Note::sign(&longest, &signer("log", 1)).unwrap().to_string();
        assert_eq!(verify(&Note::parse(&note).unwrap(), &signer("log", 1)), Ok(&*longest));
    }

    #[test]
    fn malformed_notes_are_refused() {
        let note = Note::sign("text\n", &signer("log", 1)).unwrap().to_string();
        let line = note.strip_prefix("text\n\n").unwrap();
        for bad in [
            "",
            "text\n",
            "text\n\n",
            "text\n\n\n",
            note.trim_end(),
            &format!("text\n{line}"),
            &format!("text{line}"),
            &format!("{note}\n"),
            &format!("{note}x\n"),
            &format!("{note}\n\n"),
            &note.replace('—', "-"),
            &note.replace("— log ", "—  log "),
            &note.replace("— log ", "— log  "),
            &note.replace("— log ", "— l+og "),
            &note.replace("— log ", "— l\u{a0}og "),
            &note.replace("— log ", "— "),
            &note.replace("=\n", "\n"),
            &note.replace("=\n", "= \n"),
            &note.replace("=\n", "==\n"),
            &note.replace('\n', "\r\n"),
            "text\n\n— log \n",
            "text\n\n— log AAAAAA==\n",
        ] {
            assert_eq!(Note::parse(bad), Err(TlogError::Note), "{bad:?}");
        }
    }

    #[test]
    fn too_long_notes_are_refused_before_they_are_read() {
        let note = Note::sign("text\n", &signer("log", 1)).unwrap().to_string();
        let line = note.strip_prefix("text\n\n").unwrap();
        let signatures = |n| format!("text\n\n{}", line.repeat(n));
        assert_eq!(Note::parse(&signatures(MAX_SIGNATURES)).unwrap().signatures().len(), MAX_SIGNATURES);
        assert_eq!(Note::parse(&signatures(MAX_SIGNATURES + 1)), Err(TlogError::TooLong));
        assert_eq!(Note::parse(&"x".repeat(MAX_NOTE + 1)), Err(TlogError::TooLong));
        assert_eq!(Note::parse(&format!("{}{note}", "x".repeat(MAX_TEXT))), Err(TlogError::TooLong));
    }

    #[test]
    fn unknown_signatures_are_ignored_and_known_ones_must_verify() {
        let (log, witness) = (signer("log", 1), signer("witness", 2));
        let mut note = Note::sign("text\n", &log).unwrap();
        // Unknown: another algorithm, the same name with another id, the same id with another name, twice.
        let unknown = NoteSignature::new("pq.example".parse().unwrap(), 7, vec![0; 4_627]);
        let same_name = NoteSignature::new(log.verifier().name().clone(), 7, vec![1]);
        let same_id = NoteSignature::new("other".parse().unwrap(), log.verifier().id(), vec![1; 64]);
        note.signatures.extend([unknown.clone(), unknown, same_name, same_id]);
        let mut note = Note::parse(&note.to_string()).unwrap();
        assert_eq!(verify(&note, &log), Ok("text\n"));
        assert_eq!(verify(&note, &witness), Err(TlogError::NotSigned));
        assert_eq!(note.verify(&[]), Err(TlogError::NotSigned));
        let both = [log.verifier().clone(), witness.verifier().clone()];
        assert_eq!(note.verify(&both), Ok("text\n"));
        note.signatures.push(witness.sign("other text\n").unwrap());
        assert_eq!(verify(&note, &log), Ok("text\n"));
        assert_eq!(note.verify(&both), Err(TlogError::BadSignature));
    }

    #[test]
    fn a_key_signs_once() {
        let log = signer("log", 1);
        let mut note = Note::sign("text\n", &log).unwrap();
        note.signatures.push(note.signatures[0].clone());
        assert_eq!(verify(&note, &log), Err(TlogError::DuplicateSignature));
        assert_eq!(verify(&note, &signer("log", 2)), Err(TlogError::NotSigned));
    }

    #[test]
    fn every_changed_bit_of_a_signature_is_refused() {
        let log = signer("log", 1);
        let note = Note::sign("text\n", &log).unwrap();
        for bit in 0..64 * 8 {
            let mut changed = note.clone();
            changed.signatures[0].signature[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(verify(&changed, &log), Err(TlogError::BadSignature));
        }
        for len in [0, 63, 65] {
            let mut changed = note.clone();
            changed.signatures[0].signature.resize(len, 0);
            assert_eq!(verify(&changed, &log), Err(TlogError::BadSignature));
        }
    }
}
