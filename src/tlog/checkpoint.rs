//! Checkpoints: what a log signs about its tree (C2SP tlog-checkpoint). Which one is newer, and whether two agree, is for the caller to prove.

use super::hash::{Hash, empty_root};
use super::key::{NoteSigner, VerifierKey};
use super::note::Note;
use super::{TlogError, decimal};

/// The head of a log's tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    size: u64,
    root: Hash,
    extensions: Vec<String>,
}

impl Checkpoint {
    /// A tree head. The origin is one line of text; a tree without leaves has the root of the empty tree.
    pub fn new(origin: &str, size: u64, root: Hash) -> Result<Self, TlogError> {
        Self::checked(origin, size, root, Vec::new())
    }

    /// Reads the text of a checkpoint, without signatures.
    pub fn parse(text: &str) -> Result<Self, TlogError> {
        let mut lines = text.strip_suffix('\n').ok_or(TlogError::Checkpoint)?.split('\n');
        let mut next = || lines.next().ok_or(TlogError::Checkpoint);
        let origin = next()?;
        let size = decimal::parse(next()?).ok_or(TlogError::Checkpoint)?;
        let root = next()?.parse().map_err(|_| TlogError::Checkpoint)?;
        Self::checked(origin, size, root, lines.map(str::to_owned).collect())
    }

    /// Signs it as a note. The signer's name must be the origin: that is what [`open_checkpoint`] accepts.
    pub fn sign(&self, signer: &NoteSigner) -> Result<String, TlogError> {
        if self.origin != signer.verifier().name().as_str() {
            return Err(TlogError::Origin);
        }
        Note::sign(&self.to_string(), signer).map(|note| note.to_string())
    }

    /// The log it speaks of.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The root of the tree.
    #[must_use]
    pub const fn root(&self) -> Hash {
        self.root
    }

    /// Further lines, of no meaning here.
    #[must_use]
    pub fn extensions(&self) -> &[String] {
        &self.extensions
    }

    fn checked(origin: &str, size: u64, root: Hash, extensions: Vec<String>) -> Result<Self, TlogError> {
        let is_line = |text: &str| !text.is_empty() && !text.bytes().any(|byte| byte < b' ');
        let root_fits = size > 0 || root == empty_root();
        if !root_fits || !is_line(origin) || !extensions.iter().all(|line| is_line(line)) {
            return Err(TlogError::Checkpoint);
        }
        Ok(Self { origin: origin.to_owned(), size, root, extensions })
    }
}

/// Writes the text that is signed.
impl std::fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, self.root)?;
        self.extensions.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// Reads a signed checkpoint of the log that this key belongs to: the origin must be the key's name, so that a key of one log never speaks
/// for another.
pub fn open_checkpoint(note: &str, key: &VerifierKey) -> Result<Checkpoint, TlogError> {
    let note = Note::parse(note)?;
    let checkpoint = Checkpoint::parse(note.verify(std::slice::from_ref(key))?)?;
    if checkpoint.origin == key.name().as_str() { Ok(checkpoint) } else { Err(TlogError::Origin) }
}

/// Reads a checkpoint that this key signed under any name: a log that was opened again after a loss goes on under another name with the same key. The
/// origin must be the name it is signed under.
pub fn open_under_any_name(note: &str, key: &VerifierKey) -> Result<Checkpoint, TlogError> {
    let name = note.lines().next().ok_or(TlogError::Checkpoint)?.parse()?;
    open_checkpoint(note, &VerifierKey::new(name, *key.public_key())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::leaf_hash;
    use zeroize::Zeroizing;

    fn signer(name: &str) -> NoteSigner {
        NoteSigner::from_seed(name.parse().unwrap(), &Zeroizing::new([1; 32])).unwrap()
    }

    #[test]
    fn the_checkpoint_of_the_specification_is_read() {
        let text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
        let checkpoint = Checkpoint::parse(text).unwrap();
        assert_eq!((checkpoint.origin(), checkpoint.size()), ("example.com/behind-the-sofa", 20_852_163));
        assert_eq!(checkpoint.root().to_string(), "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=");
        assert_eq!(checkpoint.to_string(), text);
        let extended = format!("{text}first\nsecond\n");
        let checkpoint = Checkpoint::parse(&extended).unwrap();
        assert_eq!(checkpoint.extensions(), ["first", "second"]);
        assert_eq!(checkpoint.to_string(), extended);
    }

    #[test]
    fn any_other_text_is_refused() {
        let root = leaf_hash(b"x");
        for text in [
            String::new(),
            "\n".to_owned(),
            "log\n5\n".to_owned(),
            format!("\n5\n{root}\n"),
            format!("log\n5\n{root}"),
            format!("log\n05\n{root}\n"),
            format!("log\n+5\n{root}\n"),
            format!("log\n\n{root}\n"),
            format!("log\n18446744073709551616\n{root}\n"),
            format!("log\n5\n{root} \n"),
            format!("log\n5\n{}\n", root.to_string().trim_end_matches('=')),
            format!("log\n5\n{root}\n\n"),
            format!("log\n5\n{root}\n\nextension\n"),
            format!("log\n5\n{root}\next\tension\n"),
            format!("log\r\n5\n{root}\n"),
            format!("log\n0\n{root}\n"),
        ] {
            assert_eq!(Checkpoint::parse(&text), Err(TlogError::Checkpoint), "{text:?}");
        }
        assert!(Checkpoint::parse(&format!("log\n0\n{}\n", empty_root())).is_ok());
        for origin in ["", "two\nlines", "tab\t"] {
            assert_eq!(Checkpoint::new(origin, 5, root), Err(TlogError::Checkpoint));
        }
    }

    #[test]
    fn a_signed_checkpoint_opens_with_its_own_key_only() {
        let checkpoint = Checkpoint::new("gw.example/ledger", 5, leaf_hash(b"x")).unwrap();
        let signer = signer("gw.example/ledger");
        let note = checkpoint.sign(&signer).unwrap();
        assert_eq!(open_checkpoint(&note, signer.verifier()), Ok(checkpoint));
        let other = NoteSigner::from_seed("gw.example/ledger".parse().unwrap(), &Zeroizing::new([2; 32])).unwrap();
        assert_eq!(open_checkpoint(&note, other.verifier()), Err(TlogError::NotSigned));
        assert_eq!(open_checkpoint(&note.replace("\n5\n", "\n6\n"), signer.verifier()), Err(TlogError::BadSignature));
    }

    #[test]
    fn a_key_speaks_for_its_own_log_only() {
        let checkpoint = Checkpoint::new("gw.example/ledger", 5, leaf_hash(b"x")).unwrap();
        let other = signer("other.example/ledger");
        assert_eq!(checkpoint.sign(&other), Err(TlogError::Origin));
        let note = Note::sign(&checkpoint.to_string(), &other).unwrap().to_string();
        assert_eq!(open_checkpoint(&note, other.verifier()), Err(TlogError::Origin));
    }

    #[test]
    fn a_signed_text_that_is_no_checkpoint_is_refused() {
        let signer = signer("gw.example/ledger");
        let note = Note::sign("gw.example/ledger\nfive\n", &signer).unwrap().to_string();
        assert_eq!(open_checkpoint(&note, signer.verifier()), Err(TlogError::Checkpoint));
    }
}
