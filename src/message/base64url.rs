//! base64url without padding (RFC 7515 section 2), canonical: one text for one byte string, so non-zero trailing bits are refused.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// The text is not canonical unpadded base64url.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not canonical base64url without padding")]
pub struct NotBase64Url;

/// Bytes to text.
#[must_use]
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Text to bytes.
pub fn decode(text: impl AsRef<[u8]>) -> Result<Vec<u8>, NotBase64Url> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| NotBase64Url)
}

/// Text to exactly `N` bytes.
pub fn decode_exact<const N: usize>(text: impl AsRef<[u8]>) -> Result<[u8; N], NotBase64Url> {
    decode(text)?.try_into().map_err(|_| NotBase64Url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_text_is_read() {
        assert_eq!(decode("AQ"), Ok(vec![1]));
        assert_eq!(decode(""), Ok(vec![]));
        for bad in ["AR", "AQ==", "AQ=", "A", "A+==", "-_+/", "AQ\n", " AQ", "AQ.", "あ"] {
            assert_eq!(decode(bad), Err(NotBase64Url), "{bad}");
        }
        assert_eq!(decode_exact::<2>("AQ"), Err(NotBase64Url));
    }
}
