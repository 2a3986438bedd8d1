//! The key-encryption key: 32 bytes, kept as hex in a file that only its owner can read.

use std::{io::Read as _, os::unix::fs::PermissionsExt as _, path::Path};

use aws_lc_rs::rand;
use zeroize::Zeroizing;

use super::VaultError;

/// Length of the key in bytes.
pub const KEK_LEN: usize = 32;

/// Wraps every data key. Whoever loses it loses all content at rest; whoever has it and the database reads everything.
pub struct Kek(Zeroizing<[u8; KEK_LEN]>);

impl std::fmt::Debug for Kek {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Kek([redacted])")
    }
}

impl Kek {
    /// From its bytes.
    #[must_use]
    pub const fn new(bytes: Zeroizing<[u8; KEK_LEN]>) -> Self {
        Self(bytes)
    }

    /// A new random key.
    pub fn generate() -> Result<Self, VaultError> {
        let mut bytes = Zeroizing::new([0; KEK_LEN]);
        rand::fill(bytes.as_mut()).map_err(|_| VaultError::Crypto)?;
        Ok(Self(bytes))
    }

    /// From 64 lower-case hex digits, with at most one line end behind them.
    pub fn from_hex(text: &str) -> Result<Self, VaultError> {
        let digits = text.strip_suffix('\n').unwrap_or(text).as_bytes();
        if digits.len() != 2 * KEK_LEN {
            return Err(VaultError::KekFormat);
        }
        let mut bytes = Zeroizing::new([0; KEK_LEN]);
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            for digit in pair {
                *byte = (*byte << 4) | hex_value(*digit).ok_or(VaultError::KekFormat)?;
            }
        }
        Ok(Self(bytes))
    }

    /// The form of the file.
    #[must_use]
    pub fn to_hex(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(2 * KEK_LEN));
        for byte in self.0.iter() {
            for digit in [byte >> 4, byte & 15] {
                text.push(char::from(if digit < 10 { b'0' + digit } else { b'a' + digit - 10 }));
            }
        }
        text
    }

    /// Reads the key file. Refuses a file that its group or others can touch.
    pub fn load(path: &Path) -> Result<Self, VaultError> {
        let unreadable = |error: std::io::Error| VaultError::KekFile(error.kind());
        let file = std::fs::File::open(path).map_err(unreadable)?;
        if file.metadata().map_err(unreadable)?.permissions().mode().trailing_zeros() < 6 {
            return Err(VaultError::KekMode);
        }
        let mut text = Zeroizing::new(String::with_capacity(2 * KEK_LEN + 2));
        file.take(2 * KEK_LEN as u64 + 2).read_to_string(&mut text).map_err(unreadable)?;
        Self::from_hex(&text)
    }

    pub(super) fn bytes(&self) -> &[u8; KEK_LEN] {
        &self.0
    }
}

const fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::OpenOptionsExt as _};

    use super::*;

    #[test]
    fn the_hex_form_reads_back() {
        let kek = Kek::generate().unwrap();
        assert_eq!(Kek::from_hex(&kek.to_hex()).unwrap().bytes(), kek.bytes());
        assert_eq!(Kek::from_hex(&format!("{}\n", kek.to_hex().as_str())).unwrap().bytes(), kek.bytes());
    }

    #[test]
    fn anything_but_64_lower_case_hex_digits_is_refused() {
        let good = "0f".repeat(32);
        assert!(Kek::from_hex(&good).is_ok());
        for bad in ["", "0f", &good.to_uppercase(), &format!("{good}0"), &format!("{good}\n\n"), &"zz".repeat(32), &"あ".repeat(22)] {
            assert!(matches!(Kek::from_hex(bad), Err(VaultError::KekFormat)), "{bad}");
        }
    }

    #[test]
    fn a_key_file_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for (mode, accepted) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false)] {
            let path = folder.path().join(format!("kek-{mode:o}"));
            let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&path).unwrap();
            std::io::Write::write_all(&mut file, "0f".repeat(32).as_bytes()).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(Kek::load(&path).is_ok(), accepted, "{mode:o}");
        }
        assert!(matches!(Kek::load(&folder.path().join("none")), Err(VaultError::KekFile(std::io::ErrorKind::NotFound))));
    }
}
